# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Certificates that connections share (SSL_copy_session_id, SSL_dup) and programs that hold certificates in odd
# states: nothing outlives its owner, ours goes nowhere but where the policy has let it, and what is logged is
# what the server saw.

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	server_start ask --request optional --no-tickets
	server_start other --request optional --no-tickets
	server_start ask12 --request optional --no-tickets --tls 1.2
	own=("$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem")
	rsa=("$PKI/device-rsa/client_cert.pem" "$PKI/device-rsa/private_key.pem")
}

shared() {
	"${via[@]}" "$probes/shared" "$1" "$port" "${@:2}"
}

test_copies_outlive_what_they_were_made_of() {
	local who
	server_use ask
	for who in none ctx ssl both late back; do
		nothing_sent plain shared copy $who
		tail -n 1 out >calls
		presented bare shared copy $who
		[ "$(tail -n 1 out)" = "$(cat calls)" ] || fail "$who: $(tail -n 1 out), without us $(cat calls)"
	done
	for who in none late; do
		attempt plain shared dup $who
		expect_seen subject=
		expect_seen subject=
		tail -n 1 out >calls
		attempt bare shared dup $who
		expect_rc 0
		expect_seen subject=CN=device chain=2
		expect_seen subject=CN=device chain=2
		[ "$(tail -n 1 out)" = "$(cat calls)" ] || fail "$who: $(tail -n 1 out), without us $(cat calls)"
	done
}

# What the first has presented is on the copy too, which talks to somebody else.
test_copy_of_one_that_has_presented() {
	local listed
	server_use ask
	listed=$port
	MTLS_HOSTS=127.0.0.1:$listed attempt bare shared used "${server_port[other]}"
	expect_rc 0
	expect_seen subject=CN=device chain=2
	server_use other
	mark=$((mark - 1))
	expect_seen subject= chain=0 asked=yes result=ok
	expect_none
	words reason=host-not-listed "port=$port"
	server_use ask
	attempt bare shared used "${server_port[other]}"
	expect_seen subject=CN=device
	server_use other
	expect_line "$(tail -n 1 "$seen")" subject=CN=device # the twin
}

test_server_after_client() {
	server_use ask
	presented bare shared role
	expect_text out 'server=none finished=0'
	presented bare shared role "${rsa[@]}"
	expect_text out 'server=/CN=device-rsa finished=1'
	presented bare shared role "${own[@]}" # of the type of ours
	expect_text out 'server=/CN=app-own finished=1'
}

# More names than are looked at: the last could be the one that counts.
test_many_names() {
	local names=(a{1..8}.test)
	server_use ask
	export MTLS_HOSTS='!evil.test'
	presented bare shared names "${names[@]}"
	nothing_sent bare shared names "${names[@]}" evil.test
	words reason=host-not-listed
	MTLS_HOSTS='*.test' nothing_sent bare shared names "${names[@]}" evil.example
	words reason=host-not-listed
}

# TLS_STRICT: libssl asks more of the chain, and would send nothing where it is not pleased.
test_strict() {
	local type version list sent=0 kept=0
	for version in 1.2 1.3; do
		for list in ecdsa_secp256r1_sha256 rsa_pss_rsae_sha256 ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256; do
			server_start "strict-$version-$list" --request optional --no-tickets --tls $version --sigalgs $list
			for type in device device-rsa device-p384; do
				rm -f log
				cred=$PKI/$type attempt bare shared strict
				expect_rc 0
				expect_seen result=ok asked=yes
				if [ "$(value_of subject "$(tail -n 1 "$seen")")" = "CN=$type" ]; then
					words reason=presented
					sent=$((sent + 1))
				else
					expect_line "$(tail -n 1 "$seen")" subject=
					words reason=no-common-signature
					kept=$((kept + 1))
				fi
			done
		done
	done
	[ $((sent * kept)) != 0 ] || fail "sent $sent, kept $kept"
}

# Its last key has no certificate; that it has one of another type is a choice of its own.
test_certificate_and_another_key() {
	server_use ask12
	nothing_sent plain shared key "${rsa[@]}" "${own[1]}"
	nothing_sent bare shared key "${rsa[@]}" "${own[1]}"
	words reason=app-certificate
	[ "$(wc -l <log)" = 1 ] || fail "expected one line: $(cat log)"
	server_use ask
	attempt bare shared key "${rsa[@]}" "${own[1]}"
	expect_seen subject=CN=device-rsa chain=1 result=ok
	words reason=app-certificate
}

# Its leaf replaces ours, and its intermediate comes behind ours: only the program's are sent.
test_chain_of_its_own() {
	server_use ask
	attempt bare shared chain "${own[@]}" "$PKI/ca.pem"
	expect_rc 0
	expect_seen subject=CN=device chain=2
	expect_seen subject=CN=app-own chain=2
	expect_seen subject=CN=app-own chain=2
}
