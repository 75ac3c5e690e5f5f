# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The shim holds nothing that it does not use: plugins with functions of their own under TLS libraries' names go when
# the program unloads them, and a program with very many objects pays nothing more.

setup() {
	export MTLS_LOG=debug MTLS_LOG_FILE=log
	"${CC:-cc}" -shared -fPIC -o "$W/look_alike.so" "$TOP/tests/probes/plugins/look_alike.c"
	"${CC:-cc}" -shared -fPIC -o "$W/caller.so" "$TOP/tests/probes/plugins/caller.c" -lssl
}

unload() {
	"${via[@]}" "$BUILD/tests/unload" "$@"
}

# same CMD...: prints without us, with us and with us switched off the same
same() {
	local setting
	attempt plain "$@"
	expect_rc 0
	mv out without
	for setting in MTLS_DISABLE= MTLS_DISABLE=1; do
		export "${setting?}"
		attempt bare "$@"
		expect_rc 0
		cmp -s out without || fail "$setting $(diff without out | tr '\n' ' ')"
	done
}

test_look_alike() {
	same unload twice "$W/look_alike.so"
	[ "$(cat out)" = $'run=42 gone\nrun=42 gone\nfound=1 gone' ] || fail "$(cat out)"
}

# many PLUGIN
many() {
	local setting
	for setting in MTLS_DISABLE= MTLS_DISABLE=1; do
		export "${setting?}"
		mkdir -p copies
		attempt bare unload many "$1" copies
		expect_rc 0
		[ "$(cat out)" = more=0 ] || fail "$setting $(cat out)"
	done
}

test_very_many_callers() {
	many "$W/caller.so"
	grep -q ' hook what=SSL_CTX_new' log || fail "the shim was not there"
}

test_very_many_look_alikes() {
	many "$W/look_alike.so"
}
