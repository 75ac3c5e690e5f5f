# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Memcheck on real clients with the shim: not one error and no byte definitely lost, in
# any library. Races are ThreadSanitizer's (sanitized.sh): helgrind and drd do not know C11 atomics, and
# report each thing that the shim publishes by one.

deadline=120
probes=$BUILD/tests

setup() {
	command -v valgrind >/dev/null || fail "valgrind is not installed"
	export MTLS_LOG=info MTLS_LOG_FILE=log
	server_start required
	server_start optional --request optional
}

# under CMD...: with the shim, in memcheck; its report is standard error's end
under() {
	local via=(env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" valgrind -q --error-exitcode=99 --leak-check=full
		--show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30)
	through "$@"
}

# clean CMD...: works, and memcheck has nothing to say
clean() {
	attempt under "$@"
	! grep -q '^==' err || fail "memcheck: $(grep '^==' err | head -n 12)"
	expect_rc 0
}

test_curl() {
	server_use required
	clean client_curl "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_probe() {
	server_use required
	clean "$probes/get" "$port" sni=localhost verify=localhost "ca=$PKI/ca.pem" check
	[ "$(cat out)" = 'subject: CN=device' ] || fail "the server saw: $(cat out)"
}

test_every_setting() {
	server_use required
	export MTLS_HOSTS='localhost, !*.invalid' MTLS_ONLY_IF=verified,tls1.3 MTLS_ISSUER=match
	clean "$probes/get" "$port" lookup=getaddrinfo:localhost verify=localhost "ca=$PKI/ca.pem" check
	grep -q ' presented ' log || fail "not presented: $(cat log)"
}

test_passphrases() {
	local key
	server_use required
	for key in ec-pkcs8-aes-256-cbc ec-sec1-des3 rsa-pkcs1-aes256; do
		cred=$PKI/key/$key
		clean "$probes/get" "$port"
	done
}

# Whatever is wrong with the credential, libssl gets nothing and nothing is lost.
test_broken() {
	local word
	server_use optional
	for word in pair-mismatch key-malformed certificate-malformed passphrase-wrong; do
		cred=$T/$word
		cp -r "$PKI/key/ec-pkcs8-aes-128-cbc" "$cred"
		case $word in
		pair-mismatch) rm "$cred"/*pass.txt; cp "$PKI/app-own/private_key.pem" "$cred/" ;;
		key-malformed) printf -- '-----%s PRIVATE KEY-----\nMAAA\n' BEGIN END >"$cred/private_key.pem" ;;
		certificate-malformed) sed -i '3s/./A/g' "$cred/client_cert.pem" ;;
		passphrase-wrong) echo wrong >"$cred/private_key_pass.txt" ;;
		esac
		: >log
		clean "$probes/get" "$port"
		[ "$(cat out)" = 'subject: ' ] || fail "$word: the server saw: $(cat out)"
		grep -q "reason=$word" log || fail "expected $word: $(cat log)"
	done
}

test_objects_used_again() {
	local scenario
	server_use optional
	for scenario in clear add add-ctx dup dup-after swap; do
		echo "$scenario"
		cred=$T/$scenario # which some of them empty
		cp -r "$PKI/device" "$cred"
		clean "$probes/reuse" $scenario "$port" "$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem" "$cred"
	done
	cred=$PKI/device
	clean "$probes/reuse" server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
}

test_threads() {
	server_use required
	clean "$probes/parallel" 32 lookup "localhost:$port"
	[ "$(cat out)" = 32 ] || fail "only $(cat out) of 32"
}
