# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Keys in tokens, for the tests of them (agent_clients.sh comes first).
#
#   tokens_setup          once: the users, what SoftHSM and $counting need, the servers `required` and `optional`
#   soft_token LABEL PIN  a token of SoftHSM's in $T/hsm; soft_key LABEL PIN KEY-FILE ID NAME puts a key into it
#   $soft $counting       PKCS#11 modules: SoftHSM's, and tests/helpers/pkcs11.c in front of it
#   opens WORDS [PIN]     what the probe says of the key that the file `uri` names, with that PIN: exactly WORDS
#   in_token URI [PIN]    mtls-cred makes the request for it, our CA signs, mtls-cred imports: the folder $T/made
#   renew URI [PIN]       the same for a renewed one, put into the folder of the agent that runs
#   agent_here            an agent with the key of $T/made, as agent_start has it

soft=
counting=

soft_setup() {
	local candidate
	for candidate in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so /usr/lib/*/pkcs11/libsofthsm2.so; do
		[ ! -e "$candidate" ] || soft=$candidate
	done
	counting=$W/counting.so
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o "$counting" "$TOP/tests/helpers/pkcs11.c"
	chmod 755 "$counting"
	export PKCS11_REAL=$soft
}

tokens_setup() {
	agents_setup
	soft_setup
	server_start required --request required --no-tickets
	server_start optional --request optional --no-tickets
}

require_soft() {
	if [ -z "$soft" ] || ! command -v softhsm2-util >/dev/null; then skip "softhsm2 is not installed"; fi
	local engine=("$(openssl version -e | cut -d'"' -f2)/pkcs11.so" "$(openssl version -m | cut -d'"' -f2)/pkcs11.so")
	[ -e "${engine[0]}" ] || [ -e "${engine[1]}" ] || skip "neither libengine-pkcs11-openssl nor pkcs11-provider is installed"
}

soft_token() {
	require_soft
	if [ ! -d hsm ]; then
		mkdir hsm
		printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/hsm" >hsm.conf
	fi
	export SOFTHSM2_CONF=$T/hsm.conf PKCS11_LOG=$T/logins PKCS11_GONE=$T/gone
	: >logins
	chmod 666 logins
	softhsm2-util --init-token --free --label "$1" --pin "$2" --so-pin "so-$2" >log 2>&1 || fail "softhsm2-util: $(<log)"
}

soft_key() {
	softhsm2-util --import "$3" --token "$1" --pin "$2" --id "$4" --label "$5" >log 2>&1 || fail "softhsm2-util: $(<log)"
}

opens() {
	local pin=()
	if [ $# -gt 1 ]; then
		printf '%s\n' "$2" >pin
		pin=(pin)
	fi
	attempt "$probes/token" uri "${pin[@]}"
	expect_rc 0
	one_line out ''
	[ "$line" = "$1" ] || fail "expected \"$1\", got: $line"
	[ ! -s err ] || fail "and: $(<err)"
}

in_token() {
	rm -rf made
	mkdir -m 700 made
	if [ $# -gt 1 ]; then (umask 077 && printf '%s\n' "$2" >made/private_key_pass.txt); fi
	attempt "$CRED" new -d made --cn "${cn-token}" --key-uri "$1"
	expect_rc 0
	mv out csr
	one_line err "its key is named in $T/made/request_key.pem"
	printf 'extendedKeyUsage = clientAuth\n' >extensions
	openssl x509 -req -in csr -CA "$PKI/intermediate.pem" -CAkey "$PKI/intermediate.key" -CAcreateserial -CAserial serial \
		-days 60 -extfile extensions -out signed.pem 2>log || fail "the CA: $(<log)"
	attempt "$CRED" import -d made signed.pem "$PKI/intermediate.pem"
	expect_rc 0
	expect_text out "subject      CN=${cn-token}"
	expect_text out 'in a token'
	[ ! -e made/request_key.pem ] || fail "the request's key is still there"
}

agent_here() {
	[ -z "$root" ] || [ ! -d hsm ] || chown -R daemon hsm
	agent_start "$T/made" -v
	until_true 5 grep -q 'in a token' agent.err || fail "$(<agent.err)"
}

# As an administrator would: the agent's folder first, then the programs' certificate.
renew() {
	in_token "$@"
	cp made/private_key.pem key/.new-key
	cp made/client_cert.pem key/.new-cert
	[ -z "$root" ] || chown daemon key/.new-*
	mv key/.new-key key/private_key.pem
	mv key/.new-cert key/client_cert.pem
	cp made/client_cert.pem cert/.new
	chmod 644 cert/.new
	mv cert/.new cert/client_cert.pem
}
