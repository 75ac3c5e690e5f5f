# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Keys that stay in a PKCS#11 token (SoftHSM): what is said where something is missing or wrong, that a PIN is tried
# once and never shown, the way from mtls-cred new --key-uri to a server, and a token that is pulled out. TPM 2.0, other
# releases and keys that a token has made are in tests/all/tokens.sh.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh
# shellcheck source=tests/e2e/tokens.sh
. tests/e2e/tokens.sh

deadline=60

setup() {
	tokens_setup
}

# logins WORD...: the results of all logins that the module has seen since the last call
logins() {
	[ "$(cut -d' ' -f2 logins | xargs)" = "$*" ] || fail "logins: $(cut -d' ' -f2 logins | xargs); expected: $*"
	: >logins
}

# says URI WORDS [PIN]
says() {
	printf '%s\n' "$1" >uri
	opens "${@:2}"
}

# --- opening -----------------------------------------------------------------------

test_opens() {
	local key=private_key.pem pass=private_key_pass.txt at
	soft_token T 1234
	soft_token 'two words' 9999
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	soft_key T 1234 "$PKI/device-rsa/private_key.pem" 02 rsa
	soft_key T 1234 "$PKI/device-p384/private_key.pem" 03 p384
	soft_key 'two words' 9999 "$PKI/device/private_key.pem" 2525 '50%;?'
	at="?module-path=$soft"
	says "pkcs11:token=T;object=dev$at" 'usable: ecdsa-sha256' 1234
	says $'  pkcs11:token=T;id=%03;type=private'"$at"$'\r\n' 'usable: ecdsa-sha384' 1234
	says "pkcs11:token=T;object=rsa$at" 'usable: rsa-pss-sha256 rsa-pss-sha512 rsa-pkcs1-sha256' 1234
	says "pkcs11:token=two%20words;object=50%25%3b%3F$at" 'usable: ecdsa-sha256' 9999
	says "pkcs11:id=%25%25$at" 'key-malformed: private_key.pem: 2 tokens fit the URI: name one with token= or serial=' 9999
	says "pkcs11:token=T$at" "key-malformed: $key: 3 keys fit the URI: name one with object= or id=" 1234
	says "pkcs11:token=T;object=nix$at" "key-missing: $key: token T: no private key nix" 1234
	says "pkcs11:token=T;object=dev;id=%02$at" "key-missing: $key: token T: no private key dev with id 02" 1234
	says "pkcs11:token=U$at" "key-missing: $key: no token U" 1234
	says "pkcs11:manufacturer=U$at" "key-missing: $key: no token that fits the URI" 1234
	says "pkcs11:token=T;object=dev$at" "passphrase-missing: $pass: token T: it wants a PIN"
	says "pkcs11:token=T;object=dev$at" "passphrase-missing: $pass: token T: it wants a PIN" ''
	says "pkcs11:token=T;object=dev$at" "passphrase-wrong: $pass: token T: wrong PIN" 12345
	says "pkcs11:token=T;object=dev?module-path=/nix.so" "key-unsupported: $key: PKCS#11 module /nix.so: cannot be loaded" 1234
	says "pkcs11:token=T;object=dev?module-path=libm.so.6" "key-unsupported: $key: PKCS#11 module libm.so.6: is none" 1234
	OPENSSL_ENGINES=$T OPENSSL_MODULES=$T says "pkcs11:token=T;object=dev$at" \
		"key-unsupported: $key: a pkcs11: URI needs pkcs11-provider or libengine-pkcs11-openssl" 1234
	# the environment's module, where the URI has none
	PKCS11_MODULE_PATH=$soft says 'pkcs11:token=T;object=dev' 'usable: ecdsa-sha256' 1234
	PKCS11_PROVIDER_MODULE=$soft says 'pkcs11:token=T;object=dev' 'usable: ecdsa-sha256' 1234
}

test_malformed() {
	local key='key-malformed: private_key.pem:'
	require_soft
	says 'pkcs11:tokn=T' "$key tokn: not understood in a pkcs11: URI"
	says 'pkcs11:library-version=3' "$key library-version: not understood in a pkcs11: URI"
	says 'pkcs11:token' "$key token: there is no value"
	says 'pkcs11:token=T;token=T' "$key token: given twice"
	says 'pkcs11:token=%4' "$key token: a % without two hexadecimal figures"
	says 'pkcs11:token=%00' "$key token: has a NUL"
	says 'pkcs11:type=cert' "$key type: only private keys are of use"
	says 'pkcs11:token=T?pin-value=a%b' "$key pin-value: a % without two hexadecimal figures"
	says 'pkcs11:token=T?pin-source=%7cpinentry' "$key pin-source: no file: URI with an absolute path"
	says 'pkcs11:token=T?pin-source=file:pin' "$key pin-source: no file: URI with an absolute path"
	says 'pkcs12:token=T' "$key neither pkcs11: nor handle:0x81... nor a TSS2 block"
}

test_where_the_pin_is() {
	local at
	soft_token T 12%34
	soft_key T 12%34 "$PKI/device/private_key.pem" 01 dev
	at="pkcs11:token=T;object=dev?module-path=$soft"
	printf '12%%34\r\nmore' >right
	echo 0000 >wrong
	for at in "$at&pin-source=file:$T/right" "$at&pin-source=file://host$T/right" "$at&pin-source=$T/right" "$at&pin-value=12%2534"; do
		says "$at" 'usable: ecdsa-sha256'
		says "$at" 'usable: ecdsa-sha256' 0000 # it comes before the passphrase file
	done
	at="pkcs11:token=T;object=dev?module-path=$soft"
	says "$at&pin-value=777" 'passphrase-wrong: private_key.pem: token T: wrong PIN' 12%34
	says "$at&pin-source=/nix" 'passphrase-missing: private_key.pem: pin-source /nix: No such file or directory' 12%34
	ln -s "$T/wrong" /tmp/.mtls-pin.$$
	says "$at&pin-source=/tmp/.mtls-pin.$$" "passphrase-wrong: private_key.pem: token T: wrong PIN in /tmp/.mtls-pin.$$" 12%34
	ln -sfn "$T" /tmp/.mtls-pin.$$
	says "$at&pin-source=/tmp/.mtls-pin.$$" "unreadable: private_key.pem: pin-source /tmp/.mtls-pin.$$: not a file" 12%34
	head -c 2000 /dev/zero | tr '\0' x >"$T/long"
	ln -sfn "$T/long" /tmp/.mtls-pin.$$
	says "$at&pin-source=/tmp/.mtls-pin.$$" "passphrase-too-long: private_key.pem: pin-source /tmp/.mtls-pin.$$: Argument list too long" 12%34
	rm /tmp/.mtls-pin.$$
}

# Whatever the modules of other people's do with one that they are given.
test_a_pin_is_tried_once() {
	local at="pkcs11:token=T;object=dev?module-path=$counting"
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	says "$at" 'passphrase-wrong: private_key_pass.txt: token T: wrong PIN' 9999
	logins 0xa0
	says "$at" 'passphrase-missing: private_key_pass.txt: token T: it wants a PIN'
	logins
	PKCS11_FLAGS=0x20000 says "$at" 'passphrase-wrong: private_key_pass.txt: token T: one try is left, not taken; log in by hand first' 1234
	PKCS11_FLAGS=0x40000 says "$at" 'passphrase-wrong: private_key_pass.txt: token T: the PIN is locked' 1234
	logins
	says "$at" 'usable: ecdsa-sha256' 1234
	! grep -v 'login 0x\(0\|100\)$' logins || fail "a login failed"
}

# --- mtls-cred ----------------------------------------------------------------------

test_new_refuses() {
	local name='pkcs11:token=T;object=dev'
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	no() { attempt "$CRED" new -d d "${@:3}"; expect_rc "$1"; one_line err "mtls-cred new: $2"; [ ! -s out ] || fail "and: $(<out)"; [ ! -e d/request_key.pem ]; }
	no 64 '--type: the key of --key-uri is there already' --key-uri "$name" --type ec
	no 64 '--csr: who signs the request decides on its --days' --key-uri "$name" --days 3
	no 64 '--key-uri: everybody sees a pin-value there; say pin-source=file:PATH' --key-uri "$name?pin-value=1"
	no 64 '--key-uri: neither pkcs11: nor handle: nor file:' --key-uri x
	no 64 '--key-uri: neither pkcs11: nor handle: nor file:' --key-uri $'pkcs11:a\nb'
	no 2 'nix: No such file' --key-uri file:nix
	no 2 "$PKI/ca.pem: neither a pkcs11: or handle: line nor a TSS2 block" --key-uri "file:$PKI/ca.pem"
	no 2 "$name: the key is encrypted and there is no passphrase for it (token T: it wants a PIN); a PIN is the URI's pin-source=file:PATH, or the first line of $T/d/private_key_pass.txt" \
		--key-uri "$name?module-path=$soft"
	no 2 'pkcs11:token=U: the private key is missing or empty (no token U)' --key-uri "pkcs11:token=U?module-path=$soft"
	[ ! -e d ] || fail "a refusal made the folder"
}

# With a PIN in the folder, which stays there; in a file of its own; renewed; self-signed.
test_new_and_import() {
	local uri="pkcs11:token=T;object=dev?module-path=$soft" before
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	in_token "$uri" 1234
	[ "$(<made/private_key.pem)" = "$uri" ] || fail "private_key.pem: $(<made/private_key.pem)"
	[ "$(<made/private_key_pass.txt)" = 1234 ] || fail "the PIN went"
	[ "$(find made -type f -printf '%m\n' | sort -u)" = 600 ] || fail "modes: $(find made -type f -printf '%m %p\n')"
	attempt "$CRED" check -d made
	expect_rc 2
	expect_text out 'the key is in a token and only an agent can use it'
	attempt "$CRED" import -d made signed.pem # the same subject again: no --force, and the key that is there
	expect_rc 0
	attempt "$CRED" import -d made "$PKI/device-rsa/client_cert.pem"
	expect_rc 2
	expect_text err 'there is no private key for'
	attempt "$CRED" new -d made --force --self-signed --days 9 --cn own --key-uri "$uri"
	expect_rc 0
	expect_text out 'subject      CN=own'
	[ "$(<made/private_key_pass.txt)" = 1234 ] || fail "the PIN went with new"
	openssl verify -CAfile made/client_cert.pem -purpose sslclient made/client_cert.pem >log 2>&1 || fail "$(<log)"
	before=$(openssl x509 -in made/client_cert.pem -noout -pubkey)
	[ "$before" = "$(openssl pkey -in "$PKI/device/private_key.pem" -pubout)" ] || fail "another key"
	attempt "$CRED" new -d made --force --cn plain
	expect_rc 0
	[ ! -e made/private_key_pass.txt ] || fail "the PIN of before stayed"
	echo 1234 >pin2
	in_token "$uri&pin-source=file:$T/pin2"
	[ ! -e made/private_key_pass.txt ] || fail "a PIN came from nowhere"
	printf '%s\n' "$uri" >uri
	rm -rf d
	attempt "$CRED" import -d d signed.pem uri --pass-file pin2
	expect_rc 0
	[ "$(<d/private_key.pem)" = "$uri" ] || fail "private_key.pem: $(<d/private_key.pem)"
	echo 4321 >pin2
	attempt "$CRED" import -d e signed.pem uri --pass-file pin2
	expect_rc 2
	one_line err "mtls-cred import: pkcs11:token=T;object=dev: the passphrase does not open the key (token T: wrong PIN)"
	[ ! -e e ] || fail "the refusal made a folder"
}

# --- to a server ----------------------------------------------------------------------

# way KEY SUBJECT VERSION...
way() {
	local version client
	soft_token T 1234
	soft_key T 1234 "$PKI/$1/private_key.pem" 01 dev
	cn=$2 in_token "pkcs11:token=T;object=dev?module-path=$counting" 1234
	agent_here
	logins_ok
	for version in "${@:3}"; do
		for client in curl wget; do
			server_use required
			refused plain "client_$client" "$port" "$version"
			subject=CN=$2 presented asked "client_$client" "$port" "$version"
			words reason=presented
		done
	done
	expect_none
	! grep -r 1234 agent.err agent.out log out err || fail "the PIN was told"
	! tr '\0' '\n' <"/proc/$agent/cmdline" | grep 1234 || fail "the PIN is in the arguments"
	! tr '\0' '\n' <"/proc/$agent/environ" | grep -x '.*=1234' || fail "the PIN is in the environment"
}

logins_ok() {
	! grep -v 'login 0x\(0\|100\)$' logins || fail "a login failed"
}

test_ec() { way device tok-ec 1.2 1.3; }
test_rsa() { way device-rsa tok-rsa 1.2 1.3; }
test_p384() { way device-p384 tok-384 1.3; }

# The agent does not start, does not try again, and says why in one line.
test_agent_with_a_wrong_pin() {
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	in_token "pkcs11:token=T;object=dev?module-path=$counting" 1234
	: >logins
	echo 9876 >made/private_key_pass.txt
	attempt timeout 20 "$AGENT" -d made --socket "$T/s"
	expect_rc 125
	one_line err "$T/made/private_key_pass.txt: the passphrase does not open the key (token T: wrong PIN); correct the first line of the passphrase file"
	logins 0xa0
}

optional_without() {
	server_use optional
	nothing_sent asked client_curl "$port"
	words reason=agent-unavailable
}

comes_back() {
	server_use optional
	attempt asked client_curl "$port"
	[ "$rc" = 0 ] && grep -q 'reason=presented' log
}

presented_now() {
	server_use optional
	attempt asked client_curl "$port"
	[ "$rc" = 0 ] && [ "$(value_of subject "$(tail -n 1 "$seen")")" = "$1" ]
}

# Inside the walls that the agent has put up meanwhile, and while it still signs with the key of before.
test_another_key_of_the_token() {
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	soft_key T 1234 "$PKI/device-rsa/private_key.pem" 02 rsa
	cn=first in_token "pkcs11:token=T;object=dev?module-path=$counting" 1234
	agent_here
	server_use optional
	subject=CN=first presented asked client_curl "$port"
	cn=second renew "pkcs11:token=T;object=rsa?module-path=$counting" 1234
	[ -z "$root" ] || chown -R daemon hsm
	until_true 15 presented_now CN=second || fail "$(<agent.err)"
	logins_ok
	kill -HUP $agent # the same once more: the PIN is right
	until_true 10 said_signs 3 || fail "$(<agent.err)"
	until_true 10 presented_now CN=second || fail "$(<agent.err)"
}

said_signs() {
	[ "$(grep -c 'signs for' agent.err)" -ge "$1" ]
}

# Pulled out and put in again: programs live without it meanwhile, and nobody has to tell the agent.
test_pulled_out() {
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	cn=dev in_token "pkcs11:token=T;object=dev?module-path=$counting" 1234
	agent_here
	server_use optional
	subject=CN=dev presented asked client_curl "$port"
	: >gone
	server_use required
	attempt asked client_curl "$port" # the one that finds it out
	[ "$rc" != 0 ] || fail "it signed without its token"
	optional_without
	rm gone
	until_true 10 comes_back
	logins_ok
	[ "$(grep -c 'the key signs again' agent.err)" = 1 ] || fail "$(<agent.err)"
}

# asked_and CMD...: a program asks, and lives without; then is it so?
asked_and() {
	server_use optional
	attempt asked client_curl "$port"
	expect_rc 0
	"$@"
}

# Meanwhile somebody has changed its PIN: the old one is tried once.
test_pulled_out_and_another_pin() {
	soft_token T 1234
	soft_key T 1234 "$PKI/device/private_key.pem" 01 dev
	in_token "pkcs11:token=T;object=dev?module-path=$counting" 1234
	agent_here
	: >gone
	server_use required
	attempt asked client_curl "$port"
	python3 - "$soft" <<-'PY'
		import ctypes, sys
		module = ctypes.CDLL(sys.argv[1])
		session, slots, n = ctypes.c_ulong(), (ctypes.c_ulong * 9)(), ctypes.c_ulong(9)
		done = [module.C_Initialize(None), module.C_GetSlotList(1, slots, ctypes.byref(n)),
			module.C_OpenSession(slots[0], ctypes.c_ulong(6), None, None, ctypes.byref(session)),
			module.C_Login(session, ctypes.c_ulong(1), b'1234', ctypes.c_ulong(4)),
			module.C_SetPIN(session, b'1234', ctypes.c_ulong(4), b'4321', ctypes.c_ulong(4))]
		sys.exit(done != [0] * 5)
	PY
	[ -z "$root" ] || chown -R daemon hsm
	: >logins
	rm gone
	until_true 10 asked_and test -s logins
	later=$((SECONDS + 3)) # it would be tried again after a second
	until_true 10 asked_and eval '[ $SECONDS -gt $later ]'
	# where SoftHSM still runs in the agent it takes the old one, too; what counts is what a token would count
	[ "$(grep -c 0xa0 logins)" = 1 ] || fail "$(<logins)"
}
