# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Shared by the launcher's tests: a copy of mtls-run with a script in mtls-cred's place (the
# real one's warnings depend on the calendar), and what a refusal or a warning looks like.

launcher_setup() {
	GOOD=$PKI/device
	mkdir "$W/bin"
	cp "$RUN" "$LIB" "$W/bin/"
	REAL_RUN=$RUN RUN=$W/bin/mtls-run LIB=$W/bin/libmtls-run.so
	fake_cred "$W/bin" 'exit 0'
}

compile() {
	local name=$1
	shift
	echo 'int main(void) { return 7; }' | "${CC:-cc}" "$@" -o "$W/$name" -x c - 2>"$W/cc.err" || rm -f "$W/$name"
}

# A copy in $T/bin, with another mtls-cred, or none: own_copy [LINE OF SH...]
own_copy() {
	mkdir -p "$T/bin"
	cp "$RUN" "$LIB" "$T/bin/"
	own=$T/bin/mtls-run
	[ $# = 0 ] || fake_cred "$T/bin" "$@"
}

fake_cred() {
	local folder=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$folder/mtls-cred"
	chmod 755 "$folder/mtls-cred"
}

expect_silence() {
	[ ! -s "$T/err" ] || fail "said: $(head -n 1 "$T/err")"
}

expect_one_line() {
	if [ "$(wc -l <"$T/err")" != 1 ] || ! grep -q '^mtls-run: .' "$T/err"; then
		fail "expected one line of mtls-run, got: $(tr '\n' '|' <"$T/err")"
	fi
}

# refuses [TEXT] -- CMD...: 125, the program is not started, and one line (with TEXT)
refuses() {
	local part=
	[ "$1" = -- ] || { part=$1; shift; }
	shift
	attempt "$@"
	expect_rc 125
	expect_one_line
	[ -z "$part" ] || expect_text "$T/err" "$part"
	[ ! -s "$T/out" ] || fail "it ran"
}

# warns TEXT -- CMD...: runs with the program's own status 7, one line before it
warns() {
	local part=$1
	shift 2
	attempt "$@"
	expect_rc 7
	expect_one_line
	expect_text "$T/err" "$part"
}

# unwarned CMD...: the twin
unwarned() {
	attempt "$@"
	expect_rc 7
	expect_silence
}

expect_var() {
	grep -qxF -e "$1" "$T/out" || fail "the program has not $1: $(grep "^${1%%=*}=" "$T/out")"
}

expect_no_var() {
	! grep -q "^$1=" "$T/out" || fail "the program has $(grep "^$1=" "$T/out")"
}

ms_now() {
	printf '%s' "${EPOCHREALTIME%[.,]*}$(printf '%.3s' "${EPOCHREALTIME#*[.,]}")"
}
