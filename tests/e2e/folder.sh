# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of what changes a credential's folder:
#
#   fault_library FILE      for LD_PRELOAD: notes on descriptor 9 what changes the file system. The FAULT_AT-th call fails
#                           with FAULT_ERRNO, 0: kills
#   snapshot FOLDER         every name below with its mode, inode and time of change, and the bytes
#   unchanged FOLDER WAS    that is still so
#   expect_modes MODE FIND-ARGUMENT...   all have it

fault_library() {
	local include=(-include dlfcn.h -include errno.h -include sys/stat.h -include signal.h -include stdio.h -include stdlib.h -include unistd.h)
	"${CC:-cc}" -D_GNU_SOURCE "${include[@]}" -shared -fPIC -o "$1" -x c - <<-'C'
		static int fault(const char *name)
		{
			static int n;

			dprintf(9, "%s ", name);
			errno = ++n == atoi(getenv("FAULT_AT")) ? atoi(getenv("FAULT_ERRNO")) : 0;
			return n == atoi(getenv("FAULT_AT")) && (errno || kill(getpid(), SIGKILL) == 0);
		}
		#define HOOK(type, name, parameters, arguments) type name parameters { \
			type (*real) parameters = (type (*) parameters)dlsym(RTLD_NEXT, #name); \
			return fault(#name) ? -1 : real arguments; }
		HOOK(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
		HOOK(int, fchmod, (int d, mode_t m), (d, m))
		HOOK(ssize_t, write, (int d, const void *p, size_t n), (d, p, n))
		HOOK(int, fsync, (int d), (d))
		HOOK(int, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
		HOOK(int, linkat, (int d, const char *p, int e, const char *q, int f), (d, p, e, q, f))
		HOOK(int, symlinkat, (const char *t, int d, const char *p), (t, d, p))
		HOOK(int, unlinkat, (int d, const char *p, int f), (d, p, f))
		HOOK(ssize_t, pwrite, (int d, const void *p, size_t n, off_t o), (d, p, n, o))
		HOOK(int, renameat, (int d, const char *p, int e, const char *q), (d, p, e, q))
	C
}

snapshot() { find "$1" -mindepth 1 -printf '%P %M %i %T@ %l\n' -type f -exec sha256sum {} \; | sort; }
unchanged() { [ "$(snapshot "$1")" = "$2" ] || fail "before: $2; now: $(snapshot "$1")"; }
expect_modes() { [ "$(find "${@:2}" -printf '%m\n' | sort -u)" = "$1" ] || fail "expected mode $1: $(ls -lAR "$2")"; }
