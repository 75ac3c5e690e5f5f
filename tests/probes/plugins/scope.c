/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is meant by RTLD_NEXT and RTLD_DEFAULT, asked from several objects. Compiled with WHO="x" as a library (with
 * HAS_LOCAL: that has something nobody else has), and with PROGRAM as the program: scope [PLUGIN], which asks itself,
 * what is preloaded, and the plugin, which it loads with RTLD_LOCAL.
 */
#include <dlfcn.h>
#include <stdio.h>

typedef const char *says(void);

const char *scope_who(void);
void scope_ask(void);

const char *scope_who(void)
{
	return WHO;
}

#ifdef HAS_LOCAL
const char *scope_local(void);
const char *scope_local(void)
{
	return WHO;
}
#endif

static const char *said(void *function)
{
	says *who;

	*(void **)&who = function;
	return who ? who() : "nobody";
}

/* At -O2 these are jumps: to dlsym the caller is who called them. */
static __attribute__((noinline)) void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

void scope_ask(void)
{
	void (*ask_next)(void);

	printf(WHO ": next=%s", said(next("scope_who")));
	printf(" default=%s", said(dlsym(RTLD_DEFAULT, "scope_who")));
	printf(" local=%s\n", said(dlsym(RTLD_DEFAULT, "scope_local")));
	*(void **)&ask_next = dlsym(RTLD_NEXT, "scope_ask");
	if (ask_next)
		ask_next();
}

#ifdef PROGRAM
int main(int argc, char *argv[])
{
	void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	void (*ask)(void);

	scope_ask();
	if (plugin) {
		*(void **)&ask = dlsym(plugin, "scope_ask");
		ask();
	}
	return 0;
}
#endif
