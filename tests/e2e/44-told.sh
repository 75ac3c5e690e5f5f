# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# "verified" looks at the name or the address that the program has told TLS, before the SNI. OpenSSL 3 can be asked for
# them; 1.1.1 cannot, but must decide the same.

setup() {
	export MTLS_ONLY_IF=verified
	server_start right --request optional --no-tickets
	server_start wrong --request optional --no-tickets --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	debian openssl-1.1.1 >/dev/null 2>"$W/old.err"
	old_status=$?
}

get() {
	"${via[@]}" "$probes/get" "$port" "ca=$PKI/ca.pem" "$@"
}

told() {
	server_use right # localhost, 127.0.0.1
	presented bare get verify=localhost check
	presented bare get verify=localhost sni=other.test
	nothing_sent bare get verify=a.test sni=localhost accept-all
	presented bare get verify=127.0.0.1 check
	presented bare get verify=127.0.0.1 sni=other.test check
	nothing_sent bare get verify=127.0.0.2 sni=localhost accept-all
	presented bare get sni=localhost
	nothing_sent bare get sni=other.test
	presented bare get
	server_use wrong # wrong.example
	presented bare get verify=wrong.example sni=localhost
	nothing_sent bare get verify=127.0.0.1 sni=wrong.example accept-all
	presented bare get sni=wrong.example
	nothing_sent bare get
}

test_openssl_3() {
	told
}

test_openssl_1_1_1() {
	[ "$old_status" != 77 ] || skip "$(cat "$W/old.err")"
	[ "$old_status" = 0 ] || fail "$(cat "$W/old.err")"
	probes=$BUILD/tests/1.1.1
	told
}
