# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the profile small has not: tests/e2e/run tests/firmware/small.sh. What it has is in net/device.sh, with
# BOARD=an500-small. Each is refused with a sentence, and the device works on.

tool=${DEVICE:-$BUILD/mtls-device}

setup() {
	server_start tls12 --tls 1.2
	server_start tls13 --tls 1.3
	mkdir "$W/ca"
	cp "$PKI/ca.pem" "$W/ca/ca_certs.pem"
	authority
	device upload "$PKI/device" "$W/ca" >"$T/given"
	expect_text "$T/given" usable
}

# An RSA key with a certificate of our CA for a server, and a CA with an RSA key.
authority() {
	openssl req -x509 -new -nodes -days 2 -newkey rsa:2048 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-addext extendedKeyUsage=serverAuth -addext basicConstraints=critical,CA:FALSE -CA "$PKI/ca.pem" \
		-CAkey "$PKI/ca.key" -keyout "$W/rsa.key" -out "$W/rsa.pem" 2>"$W/made"
	openssl req -x509 -new -nodes -days 2 -newkey rsa:2048 -subj /CN=rsa-ca -keyout "$W/rsa-ca.key" -out "$W/rsa-ca.pem" \
		2>>"$W/made" || fail "$(tail -n 1 "$W/made")"
}

device() {
	"$tool" --board an500-small --image "$T/image" "$@"
}

works() {
	server_use tls13
	attempt device get "https://localhost:$port/"
	expect_rc 0
	expect_seen subject=CN=device verify=ok result=ok
}

# refused FOLDER SENTENCE: and the credential before it is still at work
refused() {
	cp --sparse=always "$W/image" "$W/image.otp" "$T"
	attempt device upload "$PKI/$1"
	expect_rc 1
	expect_text err "$2"
	expect_text err '(key-unsupported)'
	works
}

test_rsa_key() { refused device-rsa 'RSA key; this device signs with ECDSA'; }
test_rsa_pkcs1() { refused key/rsa-pkcs1 'RSA key; this device signs with ECDSA'; }
test_p384_key() { refused device-p384 'P-384 is a curve that this device does not have'; }
test_des() { refused key/ec-pkcs8-des3 'encrypted with 3DES; this device reads AES in CBC mode'; }
test_traditional() { refused key/ec-sec1-aes256 'encrypted with AES-256-CBC; this device reads encrypted keys in PKCS#8 only'; }

# Each form of key that small reads.
test_encodings() {
	local key version
	for key in ec-pkcs8 ec-sec1 ec-pkcs8-aes-{128,256}-cbc; do
		echo "$key"
		device upload "$PKI/key/$key" "$W/ca" >given
		expect_text given usable
		for version in tls12 tls13; do
			server_use $version
			attempt device get "https://localhost:$port/"
			expect_rc 0
			expect_seen chain=2 verify=ok result=ok
		done
	done
}

# Nothing in common with such a server: the handshake ends, in either version, and says so.
test_rsa_server() {
	local version
	cp --sparse=always "$W/image" "$W/image.otp" "$T"
	for version in 1.2 1.3; do
		server_start "rsa$version" --tls $version --cert "$W/rsa.pem" --key "$W/rsa.key"
		attempt device get "https://localhost:$port/"
		expect_rc 1
		expect_text err handshake_failure
	done
	works
}

# cas N: a list of so many, ours among them
cas() {
	local i
	cp "$PKI/ca.pem" "$T/ca_certs.pem"
	for ((i = 1; i < $1; i++)); do
		openssl req -x509 -new -key "$PKI/other-ca.key" -days 2 -subj "/CN=one of many $i"
	done >>"$T/ca_certs.pem"
}

# More than the heap holds beside a connection are refused; and where another firmware has taken them it is said.
test_many_cas() {
	cp --sparse=always "$W/image" "$W/image.otp" "$T"
	cas 30
	attempt device upload ca_certs.pem
	expect_rc 0
	works
	cas 106
	attempt device upload ca_certs.pem
	expect_rc 1
	expect_text err 'ca_certs.pem: too many CAs for the heap (FIRMWARE_HEAP)'
	device status >said
	! grep -q 'the device trusts no server' said || fail "$(cat said)"
	works
	"$tool" --board an500 --image "$T/image" upload ca_certs.pem >/dev/null
	device status >said
	expect_text said 'ca_certs.pem: too many CAs for the heap'
	attempt device get "https://localhost:$port/"
	expect_rc 1
	expect_text err 'ca_certs.pem: too many CAs for the heap'
}

# A bundle with a CA that the device cannot use beside one that it can.
test_rsa_ca() {
	mkdir bundle
	cat "$W/rsa-ca.pem" "$PKI/ca.pem" >bundle/ca_certs.pem
	attempt device upload "$PKI/device" bundle
	expect_rc 0
	expect_text out 'usable CN=device'
	works
}
