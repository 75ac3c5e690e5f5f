# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What mtls-cred probe says, for 25-probe.sh, 36-nginx.sh and tests/all/servers.sh; with $cred, and our CA in the default
# trust store.

# probe STATUS ARG...: what it prints is in out; nothing is on standard error
probe() {
	attempt env "SSL_CERT_FILE=$PKI/ca.pem" "$CRED" probe -d "$cred" "${@:2}"
	expect_rc "$1"
	[ ! -s err ] || fail "said: $(<err)"
}

# no STATUS SENTENCE ARG...: one line on standard error, whole, and nothing else
no() {
	attempt env "SSL_CERT_FILE=$PKI/ca.pem" "$CRED" probe -d "$cred" "${@:3}"
	expect_rc "$1"
	[ "$(<err)" = "mtls-cred probe: $2" ] || fail "expected \"$2\": $(<err)"
	[ ! -s out ] || fail "and printed $(<out)"
}

# part 1.2|1.3: what out has of it
part() { sed -n "/^TLS $1/,/^TLS 1.2/p" out | sed '2,$ { /^TLS/d }'; }

# says VERSION LABEL TEXT...: these lines, whole, follow each other
says() {
	local expected
	expected=$(printf '  %-10s %s' "$2" "$3"; [ $# = 3 ] || printf '\n             %s' "${@:4}")
	[[ $'\n'$(part "$1")$'\n' == *$'\n'"$expected"$'\n'* ]] || fail "TLS $1: expected \"$expected\": $(cat out)"
}

# both LABEL TEXT: in both versions
both() { says 1.3 "$@"; says 1.2 "$@"; }

# silent VERSION LABEL: there is no such line
silent() { [[ $(part "$1") != *$'\n'"  $2 "* ]] || fail "TLS $1 has $2: $(<out)"; }

without='the server does not go on without it:'
not_asked='the server does not ask:'
