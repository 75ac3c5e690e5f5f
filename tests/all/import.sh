# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred import of what Java's keytool writes; other programs' files are in tests/e2e/28-import.sh.

# shellcheck source=tests/e2e/real.sh
. "$TOP/tests/e2e/real.sh"

deadline=60

setup() {
	fetch java
	server_start required --request required
}

keytool() {
	local tool=("$root"/usr/lib/jvm/*/bin/keytool)
	"${tool[0]}" -J-Duser.language=en "$@" -storepass secret >log 2>&1 || fail "keytool: $(<log)"
}

# A key store as a Java program has it: request, reply, chain; and the old JKS form, which is refused with the way out.
test_keytool() {
	require curl
	have java
	keytool -genkeypair -alias device -keyalg EC -groupname secp256r1 -dname 'CN=java device' -keystore s.p12 -storetype PKCS12
	keytool -certreq -alias device -keystore s.p12 -file r.csr
	printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n' >ext
	openssl x509 -req -in r.csr -CA "$PKI/intermediate.pem" -CAkey "$PKI/intermediate.key" -CAcreateserial -CAserial serial -days 9 \
		-extfile ext -out leaf.pem 2>log || fail "$(<log)"
	keytool -importcert -noprompt -alias root -file "$PKI/ca.pem" -keystore s.p12
	keytool -importcert -noprompt -alias issuing -file "$PKI/intermediate.pem" -keystore s.p12
	keytool -importcert -noprompt -alias device -file leaf.pem -keystore s.p12
	echo secret >pass
	attempt "$CRED" import -d d s.p12 --pass-file pass
	expect_rc 0
	server_use required
	cred=$T/d
	attempt mtls client_curl "$port"
	expect_rc 0
	expect_seen 'subject=CN=java device' chain=2 verify=ok result=ok
	keytool -genkeypair -alias old -keyalg RSA -dname CN=old -keypass secret -keystore s.jks -storetype JKS
	attempt "$CRED" import -d e s.jks --pass-file pass
	expect_rc 2
	expect_text err 'keytool -importkeystore -deststoretype PKCS12'
	[ ! -e e ] || fail "the refusal made a folder"
}
