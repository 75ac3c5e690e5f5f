# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs that take libssl's functions with dlsym(3), by every kind of libssl: Debian's, one linked as upstream links
# it, OpenSSL 1.1.1. And what dlsym says to everybody else is what it says without us.

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	server_start ask --request optional --no-tickets
	server_start need
	libssl=$(ldd "$BUILD/tests/get" | sed -n 's/.* => \(.*\/libssl[^ ]*\) .*/\1/p')
	symbolic=$BUILD/tests/symbolic/libssl.so.3
	readelf -d "$symbolic" | grep -q SYMBOLIC || fail "$symbolic is not linked as upstream links it"
	old=$(debian openssl-1.1.1 2>"$W/old.err") && old=$old/lib/libssl.so.1.1
	old_status=$?
}

# The second libssl: 1.1.1, with its own libcrypto beside it.
there() {
	[ "$old_status" != 77 ] || skip "$(cat "$W/old.err")"
	[ "$old_status" = 0 ] || fail "$(cat "$W/old.err")"
	export LD_LIBRARY_PATH=${old%/*}
}

probe() {
	"${via[@]}" "$BUILD/tests/dlsym" "$@"
}

# count N TEXT: so many lines of "out" are this
count() {
	[ "$(grep -cxF -e "$2" out)" = "$1" ] || fail "expected $1 times \"$2\": $(tr '\n' ' ' <out)"
}

# seen_all N SUBJECT: the next N connections
seen_all() {
	local i
	for ((i = 0; i < $1; i++)); do
		expect_seen "subject=$2" result=ok
	done
	expect_none
}

# same CMD...: prints without us and with us the same
same() {
	attempt plain "$@"
	mv out without
	mv err err.without
	local status=$rc
	attempt bare "$@"
	expect_rc "$status"
	cmp -s out without || fail "$(diff without out | head -n 6 | tr '\n' ' ')"
	cmp -s err err.without || fail "$(diff err.without err | head -n 6 | tr '\n' ' ')"
}

# --- presenting ----------------------------------------------------------------------

# by_handle LIBSSL: and by its setters and getter, taken by its own handle too
by_handle() {
	server_use ask
	attempt plain probe handle "$1" "$port"
	expect_rc 0
	expect_seen subject= result=ok
	attempt bare probe handle "$1" "$port"
	expect_rc 0
	expect_seen subject=CN=device chain=2 verify=ok result=ok
	server_use need
	attempt plain probe handle "$1" "$port"
	[ "$rc" != 0 ] || fail "worked without a certificate"
	expect_seen subject= result=refused
	attempt bare probe handle "$1" "$port"
	expect_rc 0
	expect_seen subject=CN=device
	server_use ask
	attempt plain probe setters "$1" "$port"
	expect_rc 0
	mv out without
	seen_all 2 ''
	attempt bare probe setters "$1" "$port"
	expect_rc 0
	seen_all 2 CN=device
	sed -i 's/^subject: $/subject: CN=device/' without
	cmp -s out without || fail "$(diff without out | tr '\n' ' ')"
	count 1 'getter=own'
	count 1 'asked=2,1,1'
}

test_debian() {
	by_handle "$libssl"
}

test_as_upstream_links_it() {
	by_handle "$symbolic"
}

test_1_1_1() {
	there
	by_handle "$old"
}

# A name that dlsym takes for none of ours would be a way past us.
test_every_hook() {
	local names
	mapfile -t names < <(sed -n 's/^MTLS_HOOK_OPENSSL([^,]*, *\([a-zA-Z0-9_]*\),.*/\1/p' "$TOP/shim/hooks.def")
	[ ${#names[@]} -ge 10 ] || fail "shim/hooks.def has another form"
	attempt plain probe whose "$libssl" "${names[@]}"
	expect_rc 0
	sed 's/ libssl.*/ libmtls-run.so/' out >ours
	attempt bare probe whose "$libssl" "${names[@]}"
	cmp -s out ours || fail "$(diff out ours | grep '^<' | tr '\n' ' ')"
}

# alternating LIBSSL LIBSSL: each connection is made and answered by the library whose handle it was
alternating() {
	server_use ask
	attempt plain probe two "$1" "$2" "$port"
	expect_rc 0
	seen_all 8 ''
	attempt bare probe two "$1" "$2" "$port"
	expect_rc 0
	seen_all 8 CN=device
	count 2 'getter=own'
	count 1 'asked=8,4,4'
}

test_two_of_one_release() {
	local copy=$T/libssl.so.3
	cp "$symbolic" "$copy"
	alternating "$libssl" "$copy"
	MTLS_DISABLE=1 attempt bare probe two "$libssl" "$copy" "$port"
	expect_rc 0
	seen_all 8 ''
}

test_two_releases() {
	there
	alternating "$libssl" "$old"
	for lib in openssl/3 openssl/1.1.1; do
		[ "$(grep -c "presented.* lib=$lib" log)" = 4 ] || fail "not four times by $lib: $(cat log)"
	done
	alternating "$old" "$symbolic"
}

# A copy in another namespace is not our affair, whether there is one in ours or not.
test_namespaces() {
	local file
	server_use ask
	for file in "$libssl" "$symbolic"; do
		same probe namespace "$file" "$port"
		seen_all 4 ''
		attempt plain probe namespaces "$file" "$port"
		expect_rc 0
		seen_all 4 ''
		attempt bare probe namespaces "$file" "$port"
		expect_rc 0
		expect_seen subject=
		expect_seen subject=CN=device
		expect_seen subject=
		expect_seen subject=CN=device
		expect_none
	done
}

# Who only asks for addresses has started nothing: libcrypto still takes an allocator.
test_nothing_is_started() {
	local file
	server_use ask
	for file in "$libssl" "$symbolic"; do
		attempt plain probe memory "$file" "$port"
		expect_rc 0
		count 1 memory=1
		expect_seen subject=
		attempt bare probe memory "$file" "$port"
		expect_rc 0
		count 1 memory=1
		expect_seen subject=CN=device
	done
}

test_threads() {
	server_use ask
	attempt bare probe threads "$libssl" "$port"
	expect_rc 0
	seen_all 8 CN=device
	attempt bare probe threads "$symbolic" "$port"
	expect_rc 0
	seen_all 8 CN=device
}

# The plain ways, for comparison: linked, and every function found before main.
test_linked_now() {
	"${CC:-cc}" "-I$TOP" -D_GNU_SOURCE -o now "$TOP/tests/probes/get.c" -Wl,-z,now -lssl -lcrypto
	server_use need
	refused plain ./now "$port"
	presented bare ./now "$port"
	presented bare "$BUILD/tests/get" "$port"
}

# --- everybody else ----------------------------------------------------------------------

test_odd_names() {
	same probe odd "$libssl"
	same probe odd "$symbolic"
	expect_text out 'libssl "nonesuch": none errno=7 error='
	expect_text out 'libssl "SSL_set_cert_cb": found errno=7 error= again=no'
}

test_no_name() {
	attempt plain probe null
	[ "$rc" = 139 ] || fail "exit $rc without us"
	attempt bare probe null
	[ "$rc" = 139 ] || fail "exit $rc"
}

# A program that asks whether there is such a function at all.
test_asks_what_there_is() {
	local setting
	for setting in MTLS_DISABLE= MTLS_DISABLE=1; do
		export "${setting?}"
		same probe asks
		count 1 'default SSL_CTX_new: none error=yes'
		same probe asks "$libssl"
		count 1 'default SSL_CTX_new_ex: found error=no'
	done
}

test_asks_1_1_1_what_there_is() {
	there
	same probe asks "$old"
	count 1 'default SSL_CTX_new: found error=no'
	count 1 'default SSL_CTX_new_ex: none error=yes'
}

test_before_any_constructor() {
	server_use ask
	attempt bare probe early "$libssl" "$port"
	expect_rc 0
	count 2 early=1
	expect_seen subject=CN=device result=ok
	attempt plain probe early "$libssl" "$port"
	expect_rc 0
	count 2 early=1
	expect_seen subject= result=ok
}

# RTLD_NEXT and RTLD_DEFAULT mean the true caller, whoever comes first in LD_PRELOAD.
test_scope() {
	local optimize order
	for optimize in -O0 -O2; do
		for name in one two; do
			"${CC:-cc}" $optimize -shared -fPIC -D_GNU_SOURCE "-DWHO=\"$name\"" -o "$name.so" "$TOP/tests/probes/plugins/scope.c"
		done
		"${CC:-cc}" $optimize -shared -fPIC -D_GNU_SOURCE -DHAS_LOCAL '-DWHO="plugin"' -o plugin.so "$TOP/tests/probes/plugins/scope.c"
		"${CC:-cc}" $optimize -rdynamic -D_GNU_SOURCE -DPROGRAM '-DWHO="program"' -o scope "$TOP/tests/probes/plugins/scope.c"
		attempt env LD_PRELOAD="$T/one.so $T/two.so" ./scope "$T/plugin.so"
		expect_rc 0
		mv out without
		expect_text without 'program: next=one default=program local=nobody'
		expect_text without 'plugin: next=nobody default=program local=plugin'
		for order in "$LIB $T/one.so $T/two.so" "$T/one.so $LIB $T/two.so" "$T/one.so $T/two.so $LIB"; do
			attempt env "MTLS_DIR=$cred" "LD_PRELOAD=$order" ./scope "$T/plugin.so"
			expect_rc 0
			cmp -s out without || fail "$optimize, $order: $(diff without out | tr '\n' ' ')"
		done
	done
}

# Another preloaded library with a dlsym of its own stays in the chain, before us and behind us.
test_another_dlsym() {
	local order
	cat >other.c <<-'C'
		#include <dlfcn.h>
		#include <stdio.h>
		void *dlsym(void *restrict handle, const char *restrict name)
		{
			void *(*real)(void *, const char *);
			*(void **)&real = dlvsym(RTLD_NEXT, "dlsym", OLDEST);
			fprintf(stderr, "other: %s\n", name);
			return real(handle, name);
		}
	C
	case $(uname -m) in aarch64) oldest=GLIBC_2.17 ;; *) oldest=GLIBC_2.2.5 ;; esac
	"${CC:-cc}" -shared -fPIC -D_GNU_SOURCE "-DOLDEST=\"$oldest\"" -o other.so other.c
	server_use ask
	for order in "$T/other.so $LIB" "$LIB $T/other.so"; do
		attempt env "MTLS_DIR=$cred" "LD_PRELOAD=$order" "$BUILD/tests/dlsym" handle "$libssl" "$port"
		expect_rc 0
		expect_text err 'other: SSL_connect'
		expect_text err 'other: SSL_CTX_new'
		expect_seen result=ok
		expect_text err 'other: TLS_client_method'
	done
	expect_line "$(tail -n 1 "$seen")" subject=CN=device
}

# A debugger, or a program's own handler, sees through the jump.
test_backtrace() {
	command -v gdb >/dev/null || skip "gdb is not installed"
	attempt env "MTLS_DIR=$cred" timeout 20 gdb -q -batch -nx -ex "set environment LD_PRELOAD $LIB" -ex 'set breakpoint pending on' \
		-ex 'break dlsym_want if (char)name[4] == 67' -ex run -ex backtrace -ex kill --args "$BUILD/tests/dlsym" handle "$libssl" 1
	grep -qE '^#2 .* all_of ' out || fail "no way to the caller: $(grep -E '^#' out | head -n 6 | tr '\n' ' ') $(tail -n 2 err)"
}
