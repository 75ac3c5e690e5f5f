# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs of another C library, musl: the same libmtls-run.so is loaded into them and does no harm. They run as
# without it, silently, and their dlsym(3) finds what it found, though musl has no dlvsym and no versions.

setup() {
	cat >"$W/lookups.c" <<-'C'
		/* Looks functions up in each way and calls what it finds. The plugin's own SSL_CTX_new is one that we hook. */
		#include <arpa/inet.h>
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/socket.h>
		#include <unistd.h>

		static void look(const char *how, void *handle, const char *name)
		{
			void *found = dlsym(handle, name);
			Dl_info info = {0};
			const char *file = found && dladdr(found, &info) ? strrchr(info.dli_fname, '/') : NULL;

			printf("%s %s: %s\n", how, name, found ? file ? file : "?" : "none");
		}

		int main(int argc, char *argv[])
		{
			struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
			void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
			void *(*new_context)(void *);
			size_t (*length)(const char *);
			int s = socket(AF_INET, SOCK_STREAM, 0);

			if (!plugin)
				return 2;
			look("default", RTLD_DEFAULT, "strlen");
			look("default", RTLD_DEFAULT, "no_such_function");
			printf("error: %d\n", dlerror() != NULL);
			look("next", RTLD_NEXT, "strlen");
			look("handle", plugin, "plugin_only");
			look("handle", plugin, "no_such_function");
			look("program", dlopen(NULL, RTLD_NOW), "strlen");
			*(void **)&length = dlsym(RTLD_DEFAULT, "strlen");
			*(void **)&new_context = dlsym(plugin, "SSL_CTX_new");
			printf("called: %zu %d\n", length("seven77"), new_context && new_context(&in) == &in);
			in.sin_port = htons(1);
			printf("connect: %d\n", connect(s, (void *)&in, sizeof(in)));
			return 7;
		}
	C
	cat >"$W/plugin.c" <<-'C'
		int plugin_only(void);
		int plugin_only(void) { return 1; }
		void *SSL_CTX_new(const void *method);
		void *SSL_CTX_new(const void *method) { return (void *)method; }
	C
	musl-gcc -D_GNU_SOURCE -o "$W/lookups" "$W/lookups.c" 2>"$W/cc.err" &&
		musl-gcc -shared -fPIC -o "$W/plugin.so" "$W/plugin.c" 2>>"$W/cc.err"
}

there() {
	command -v musl-gcc >/dev/null || fail "musl-gcc is not installed: package musl-tools"
	[ -x "$W/plugin.so" ] || fail "musl-gcc: $(head -n 1 "$W/cc.err")"
	readelf -lW "$W/lookups" | grep -q 'interpreter: .*musl' || fail "that is no musl program"
}

lookups() {
	"${via[@]}" "$W/lookups" "$W/plugin.so"
}

# same CMD...: as without us, and silent
same() {
	attempt "$@"
	expect_rc 7
	[ ! -s err ] || fail "said: $(head -n 1 err)"
	cmp -s out without || fail "differs: $(diff without out | tr '\n' ' ')"
}

# The oracle: what the program finds and does without us.
without() {
	there
	attempt plain lookups
	expect_rc 7
	mv out without
	[ "$(grep -c ' strlen: /.*musl' without)" = 3 ] || fail "strlen is elsewhere: $(cat without)"
	expect_text without 'handle plugin_only: /plugin.so'
	[ "$(grep -c ' no_such_function: none$' without)" = 2 ]
	expect_text without 'error: 1'
	expect_text without 'called: 7 1'
	expect_text without 'connect: -1'
}

test_preloaded() {
	without
	same bare lookups
	MTLS_DISABLE=1 same bare lookups
	same env MTLS_DIR=/nonexistent "LD_PRELOAD=$LIB" "$W/lookups" "$W/plugin.so"
}

# It is loaded and not skipped: "as without us" would hold for a library that is not there.
test_it_is_there() {
	without
	attempt bare env MTLS_LOG=debug "$W/lookups" "$W/plugin.so"
	expect_rc 7
	grep -q '^mtls-run\[[0-9]*\] loaded' err || fail "the shim is not there: $(cat err)"
	cmp -s out without || fail "differs: $(diff without out | tr '\n' ' ')"
	same env "LD_PRELOAD=$LIB" LD_BIND_NOW=1 "$W/lookups" "$W/plugin.so"
}

# Next to another library that is preloaded, before it and after it.
test_beside_another_preload() {
	without
	same env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB:$W/plugin.so" "$W/lookups" "$W/plugin.so"
	same env "MTLS_DIR=$cred" "LD_PRELOAD=$W/plugin.so:$LIB" "$W/lookups" "$W/plugin.so"
}

test_launcher() {
	without
	same mtls lookups
	same "$RUN" --strict -d "$cred" "$W/lookups" "$W/plugin.so"
	same "$RUN" --disable -- "$W/lookups" "$W/plugin.so"
	attempt "$RUN" -vv -d "$cred" "$W/lookups" "$W/plugin.so"
	expect_rc 7
	grep -q '^mtls-run\[[0-9]*\] loaded' err || fail "the shim is not there: $(cat err)"
}

# The twin of "silent": a library that musl cannot load is not silent.
test_a_library_for_glibc_alone() {
	there
	echo 'const char *gnu_get_libc_version(void); const char *f(void); const char *f(void) { return gnu_get_libc_version(); }' >glibc.c
	"${CC:-cc}" -shared -fPIC -o glibc.so glibc.c
	attempt env "LD_PRELOAD=$T/glibc.so" "$W/lookups" "$W/plugin.so"
	[ "$rc" != 7 ] || [ -s err ] || fail "musl loads anything"
	expect_text err gnu_get_libc_version
}
