/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of the shim: real libc functions, the environment's snapshot, the log's
 * target. Nothing of the credential is read here, so that a program without TLS pays nothing.
 */
#include "shim/shim.h"

#include "shim/dl.h"
#include "shim/hooks.h"
#include "shim/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { NEW, STARTING, ACTIVE, INERT };

static atomic_int state;
static struct mtls_environment environment;
struct mtls_next next;

static void find_next(void)
{
#define MTLS_HOOK(result, name, parameters, ...) *(void **)&next.name = dl_symbol(RTLD_NEXT, #name);
#define MTLS_HOOK_OPENSSL(...)
#define MTLS_HOOK_GNUTLS(...)
#include "shim/hooks.def"
}

/* By /etc/ld.so.preload the library is in every process: then nobody asked this one to speak. */
static bool preloaded_by_name(void)
{
	const char *name = "LD_PRELOAD=";

	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, name, strlen(name)) == 0)
			return strstr(*e, "libmtls-run") != NULL;
	return false;
}

static int start(void)
{
	find_next();
	if (getauxval(AT_SECURE))
		return INERT;
	mtls_environment_read(&environment, environ);
	if (environment.disable || environment.incomplete)
		return INERT;
	log_start(&environment, preloaded_by_name());
	return ACTIVE;
}

bool shim_active(void)
{
	int now = atomic_load_explicit(&state, memory_order_acquire), saved = errno;

	/* Without an environment libc has not started either: the program asks from its .preinit_array. */
	if (now == NEW && environ && atomic_compare_exchange_strong(&state, &now, STARTING)) {
		now = start();
		atomic_store_explicit(&state, now, memory_order_release);
		if (now == ACTIVE)
			log_loaded();
		errno = saved;
	}
	return now == ACTIVE;
}

bool shim_started(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == ACTIVE;
}

const struct mtls_environment *shim_environment(void)
{
	return &environment;
}

void *shim_next(const char *name, void *known)
{
	return known ? known : dl_symbol(RTLD_NEXT, name);
}

__attribute__((constructor)) static void loaded(void)
{
	shim_active();
}
