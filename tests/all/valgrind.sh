# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Memcheck on real clients of both libraries with the shim: not one error and no byte definitely lost, in
# any library. Races are ThreadSanitizer's (sanitized.sh): helgrind and drd do not know C11 atomics, and
# report each thing that the shim publishes by one.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/again.sh
. tests/e2e/again.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh

deadline=120
probes=$BUILD/tests
checked=(clean)

setup() {
	command -v valgrind >/dev/null || fail "valgrind is not installed"
	export MTLS_LOG=info MTLS_LOG_FILE=log
	server_start required
	again_servers
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

# --- clients and settings ---------------------------------------------------------------

# wget and gnutls-cli: what others lose themselves is counted too, and behind a wrapper (env) memcheck sees nothing.
client_in() {
	server_use required
	clean "client_$1" "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

gnutls_client_in() {
	gnutls_require "$1"
	client_in "$1"
}

test_curl() { client_in curl; }
test_wget() { gnutls_client_in wget; }
test_gnutls_cli() { gnutls_client_in gnutls_cli; }

probe() {
	server_use required
	clean "$probes/$1" "$port" sni=localhost verify=localhost "ca=$PKI/ca.pem" check
	[ "$(cat out)" = 'subject: CN=device' ] || fail "the server saw: $(cat out)"
}

test_probe() { probe get; }
test_gnutls_probe() { probe gnutls_get; }

# with_agent PROBE: each kind of key signs; what fails loses nothing
with_agent() {
	local key
	for key in device device-rsa device-ed25519; do
		agent_beside "$PKI/$key"
		server_use required
		clean "$probes/$1" "$port"
		expect_seen "subject=CN=$key" verify=ok result=ok
		kill "$agent"
		wait "$agent" || true
		server_use optional
		clean "$probes/$1" "$port"
		words reason=agent-unavailable
		rm -r beside
	done
}

test_agent() { with_agent get; }
test_gnutls_agent() { with_agent gnutls_get; }

every_setting() {
	server_use required
	export MTLS_HOSTS='localhost, !*.invalid' MTLS_ONLY_IF=verified,tls1.3 MTLS_ISSUER=match
	clean "$probes/$1" "$port" lookup=getaddrinfo:localhost verify=localhost "ca=$PKI/ca.pem" check
	grep -q ' presented ' log || fail "not presented: $(cat log)"
}

test_every_setting() { every_setting get; }
test_gnutls_every_setting() { every_setting gnutls_get; }

# passphrases PROBE KEY...
passphrases() {
	local probe=$1 key
	shift
	server_use required
	for key; do
		cred=$PKI/key/$key
		clean "$probes/$probe" "$port"
	done
}

test_passphrases() { passphrases get ec-pkcs8-aes-256-cbc ec-sec1-des3 rsa-pkcs1-aes256; }

test_gnutls_passphrases() {
	passphrases gnutls_get {ec,rsa}-pkcs8-{aes-256-cbc,pbe-sha1-3des} ec-sec1-des3 rsa-pkcs1-aes256
}

# Whatever is wrong with the credential, the library gets nothing and nothing is lost.
broken() {
	local probe=$1 word
	server_use optional
	shift
	for word; do
		cred=$T/$word
		cp -r "$PKI/key/ec-pkcs8-aes-128-cbc" "$cred"
		case $word in
		pair-mismatch) rm "$cred"/*pass.txt; cp "$PKI/app-own/private_key.pem" "$cred/" ;;
		key-malformed) printf -- '-----%s PRIVATE KEY-----\nMAAA\n' BEGIN END >"$cred/private_key.pem" ;;
		key-unsupported) cp "$PKI/key/ec-pkcs8-scrypt"/* "$cred/" ;;
		certificate-malformed) sed -i '3s/./A/g' "$cred/client_cert.pem" ;;
		passphrase-wrong) echo wrong >"$cred/private_key_pass.txt" ;;
		esac
		: >log
		clean "$probes/$probe" "$port"
		[ "$(cat out)" = 'subject: ' ] || fail "$word: the server saw: $(cat out)"
		grep -q "reason=$word" log || fail "expected $word: $(cat log)"
	done
}

broken_words=(pair-mismatch key-malformed certificate-malformed passphrase-wrong)
test_broken() { broken get "${broken_words[@]}"; }
test_gnutls_broken() { broken gnutls_get "${broken_words[@]}" key-unsupported; }

# --- objects, functions and threads ---------------------------------------------------------

test_objects_used_again() {
	used_again reuse clear add add-ctx dup dup-after swap
	clean "$probes/reuse" server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
}

test_gnutls_objects_used_again() { used_again gnutls_reuse add function two removed ours step bye; }

# What a program's function gives is copied for GnuTLS, or taken over: v1=g.
test_gnutls_own_functions() {
	local scenario
	server_use optional
	for scenario in v1=s v1=g late-v3=s; do
		clean "$probes/gnutls_own" $scenario "$port" "${theirs[@]}" "$PKI/ca.pem"
		expect_seen subject=CN=app-own chain=2 verify=ok result=ok
	done
	clean "$probes/gnutls_own" v1=f "$port" "${theirs[@]}" "$PKI/ca.pem"
	expect_seen subject= result=failed
}

# A second request in the same session, with another answer.
test_gnutls_pair() {
	local cred=$T/cred
	cp -r "$PKI/device" "$cred"
	clean "$probes/gnutls_pair" again-removed "$PKI/server.pem" "$PKI/server.key" "${theirs[1]}" "$cred"
	[ "$(grep ^saw out | tr '\n' ' ')" = 'saw some 2 CN=device saw empty 0 - ' ] || fail "$(cat out)"
}

# threads PROBE HOW...
threads() {
	local probe=$1 how
	shift
	server_use required
	for how; do
		clean "$probes/$probe" 32 "$how" "localhost:$port"
		[ "$(cat out)" = 32 ] || fail "$how: only $(cat out) of 32"
		mark=$((mark + 32))
		until_true 5 lines_of "$seen" $mark || fail "$how: not all of 32 arrived"
		[ "$(tail -n 32 "$seen" | grep -c 'subject="CN=device".* chain=2 .*verify=ok .*result=ok')" = 32 ] ||
			fail "$how: not all of 32 were presented"
	done
}

test_threads() { threads parallel lookup; }
test_gnutls_threads() { threads gnutls_parallel sni churn; }
