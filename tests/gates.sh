#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Gates on what was built and how it is written; each prints one line. What the
# programs do is tested elsewhere (unit/, e2e/): here it is what they are made of.
set -u
cd "$(dirname "$0")/.." || exit 2
build=${BUILD:-build}
shim=$build/libmtls-run.so
audit=$build/libmtls-audit.so
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gate() { # NAME COMMAND...: passes if the command succeeds and prints nothing
	local said
	if said=$("${@:2}" 2>&1) && [ -z "$said" ]; then
		echo "ok gate-$1"
		passed=$((passed + 1))
	else
		echo "FAIL gate-$1: $(echo "$said" | head -n 5 | tr '\n' ' ')"
		failed=$((failed + 1))
	fi
}

core_is_freestanding() {
	local file object
	for file in core/*.c; do
		object=$work/$(basename "$file" .c).o
		${CC:-cc} -std=c11 -ffreestanding -fno-builtin -Wall -Wextra -Werror -I. -O2 -c -o "$object" "$file" || return 1
	done
	# Of what core/ lacks itself, only the four functions that a freestanding compiler may call.
	nm -u "$work"/*.o | awk '$1 == "U" {print $2}' | sort -u >"$work/wanted"
	nm --defined-only -g "$work"/*.o | awk 'NF == 3 {print $3}' | sort -u >"$work/defined"
	comm -23 "$work/wanted" "$work/defined" | grep -vxE 'memcpy|memmove|memset|memcmp|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_'
	grep -nE '^#include <' core/*.[ch] | grep -vE '<std(bool|def|int|arg)\.h>|<limits\.h>'
	return 0
}

exports_are_the_hooks() {
	sed -n 's/^MTLS_HOOK[A-Z_]*([^,]*, *\([A-Za-z0-9_]*\),.*/\1/p' shim/hooks.def | sort >"$work/hooks"
	case $(uname -m) in x86_64 | aarch64) ;; *) sed -i '/^dlsym$/d' "$work/hooks" ;; esac # it is assembler
	nm -D --defined-only "$shim" | awk '{print $3}' | sort >"$work/exported"
	[ -s "$work/hooks" ] || echo "no hooks found"
	diff "$work/hooks" "$work/exported"
}

hooks_are_listed_once() {
	sort "$work/hooks" | uniq -d
}

needs_only_libc() {
	readelf -d "$shim" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE 'libc\.so\.6|libdl\.so\.2'
	return 0
}

# dlvsym is older than any glibc here, but not in musl: it may only be wanted weakly, as nothing there.
no_new_symbols() {
	local library newest
	for library in "$shim" "$audit"; do
		[ -e "$library" ] || [ "$library" != "$audit" ] || continue
		newest=$(objdump -T "$library" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
		[ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -n 1)" = GLIBC_2.17 ] ||
			echo "$library: $newest is newer than GLIBC_2.17"
		nm -D "$library" | grep -E ' [^w] dlvsym(@|$)'
	done
	return 0
}

# The loader gives an audit library a namespace of its own: whatever it needed would be loaded a second time.
auditor_is_alone() {
	[ -e "$audit" ] || return 0
	readelf -d "$audit" | grep NEEDED
	nm -D --undefined-only "$audit"
	nm -D --defined-only "$audit" | grep -vE ' T la_[a-z0-9]+$'
	return 0
}

launcher_is_static() {
	readelf -lW "$build/mtls-run" | grep -E 'INTERP|DYNAMIC'
	return 0
}

shim_calls_nothing_rude() { # in somebody else's process
	grep -nE '(^|[^a-zA-Z_.>])(exit|_exit|abort|assert|setenv|putenv|getenv|strtok|sprintf|strcpy|strcat|pthread_mutex_lock)[ ]*\(' \
		shim/*.[ch] shim/audit/*.c host/environment.c host/reading.c host/identity.c host/key.c host/block.c core/*.c |
		grep -vE ":[0-9]+:( \*|/\*)"
	return 0
}

arrows_point_to_core() { # core/ includes only core/; host/ only core/ and host/; nobody includes the launcher or the shim but itself
	grep -nE '#include "' core/*.[ch] | grep -v '"core/'
	grep -nE '#include "' host/*.[ch] | grep -vE '"(core|host)/'
	grep -rnE '#include "launcher/' shim
	grep -rnE '#include "shim/' launcher
	return 0
}

files_are_short() {
	git ls-files '*.c' '*.h' '*.sh' Makefile | xargs -r wc -l | awk '$2 != "total" && $1 > 500 {print $2 ": " $1 " lines"}'
}

no_key_is_committed() {
	git grep -lE -e '^-----BEGIN [A-Z ]*PRIVATE KEY-----' || true
}

gate core-freestanding core_is_freestanding
gate exports exports_are_the_hooks
gate hooks-once hooks_are_listed_once
gate needed needs_only_libc
gate glibc-2.17 no_new_symbols
gate auditor auditor_is_alone
gate launcher-static launcher_is_static
gate shim-manners shim_calls_nothing_rude
gate arrows arrows_point_to_core
gate file-length files_are_short
gate no-key no_key_is_committed
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
