# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Every type of key in TLS 1.2 and 1.3, and every encoding of an EC and an RSA key,
# encrypted ones with their passphrase: the server sees the certificate and a
# signature that it can verify.

setup() {
	server_start required --request required
	server_start rsa_pss --request required --sigalgs RSA-PSS+SHA256
}

# A type whose signature is taken for another's, or that only one version can use.
type_of_key() {
	local version client subject=CN=$1
	local cred=$PKI/$1
	server_use required
	for version in 1.2 1.3; do
		for client in curl python s_client; do
			require $client
			presented mtls client_$client "$port" $version
			expect_line "$(tail -n 1 "$seen")" tls=$version
		done
	done
	expect_none
}

test_ec_p256() { type_of_key device; }
test_ec_p384() { type_of_key device-p384; }
test_rsa() { type_of_key device-rsa; }
test_ed25519() { type_of_key device-ed25519; }

# A key that parses in one encoding only, or a passphrase that does not reach the parser.
encoding() {
	local cred=$PKI/key/$1 subject=CN=$2
	server_use required
	[ -s "$cred/private_key.pem" ] || fail "pki.sh makes no $1"
	presented mtls client_curl "$port"
	presented bare client_curl "$port"
}

for form in pkcs8 pkcs8-aes-256-cbc pkcs8-aes-128-cbc pkcs8-des3 pkcs8-scrypt pkcs8-pbe-sha1-3des; do
	eval "test_ec_${form//-/_}() { encoding ec-$form device; }"
	eval "test_rsa_${form//-/_}() { encoding rsa-$form device-rsa; }"
done
for form in sec1 sec1-parameters sec1-aes256 sec1-des3; do
	eval "test_ec_${form//-/_}() { encoding ec-$form device; }"
done
for form in pkcs1 pkcs1-aes256 pkcs1-des3; do
	eval "test_rsa_${form//-/_}() { encoding rsa-$form device-rsa; }"
done

# RSA in TLS 1.3 is PSS only; an EC key has nothing for such a server: none is sent, the program goes on.
test_rsa_pss_only() {
	local subject=CN=device-rsa
	local cred=$PKI/device-rsa
	server_use rsa_pss
	presented mtls client_curl "$port" 1.2
	presented mtls client_curl "$port" 1.3
	cred=$PKI/device
	refused mtls client_curl "$port" 1.3
}
