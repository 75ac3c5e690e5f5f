# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Each row of the contract's section 2 with a real client: what the server saw, and the word in the log;
# beside each refusal the twin that presents. Host patterns stand in 34-hosts.sh.

# shellcheck source=tests/e2e/policy.sh
. tests/e2e/policy.sh

setup() { policy_setup; }

# --- rows 0 to 4 ----------------------------------------------------------------

test_disable() {
	server_use plain
	gives client_curl "$port"
	rm log
	MTLS_DISABLE=1 nothing_sent bare client_curl "$port"
	[ ! -e log ] || fail "logged: $(cat log)"
}

test_app_certificate() {
	local own=("--cert" "$PKI/app-own/client_cert.pem" "--key" "$PKI/app-own/private_key.pem")
	local subject=CN=app-own
	server_use plain
	presented bare curl_to "${own[@]}" "https://localhost:$port/"
	says app-certificate host=localhost "port=$port"
	MTLS_HOSTS=a..b presented bare curl_to "${own[@]}" "https://localhost:$port/"
	says app-certificate
	cred=$W/gone presented bare curl_to "${own[@]}" "https://localhost:$port/"
	says app-certificate
	subject=CN=device gives client_curl "$port"
}

# The program's own is no good for this server: then it is none, not ours.
test_app_certificate_that_does_not_fit() {
	server_use ecdsa
	keeps app-certificate curl_to --cert "$PKI/device-rsa/client_cert.pem" --key "$PKI/device-rsa/private_key.pem" \
		"https://localhost:$port/"
	gives client_curl "$port"
}

# bad WHAT SETTING=VALUE: under bare LD_PRELOAD; WHAT is blamed
bad() {
	export "${2?}"
	nothing_sent bare client_curl "$port"
	says bad-setting "what=$1"
	unset "${2%%=*}"
	export MTLS_LOG=info MTLS_LOG_FILE=log
}

test_bad_setting() {
	local value
	server_use plain
	gives client_curl "$port"
	for value in MTLS_HOSTS=a..b MTLS_HOSTS= 'MTLS_HOSTS=, ,' MTLS_ISSUER=maybe MTLS_ONLY_IF=verified,tls1.4 \
		MTLS_PHA=never MTLS_DISABLE=yes; do
		bad "${value%%=*}" "$value"
	done
	unset MTLS_LOG
	bad MTLS_LOG MTLS_LOG=loud
	MTLS_ISSUER='' MTLS_ONLY_IF='' gives client_curl "$port"
}

test_bad_mtls_conf() {
	cred=$T/cred
	cp -r "$PKI/device" "$cred"
	server_use plain
	for value in 'colour = blue' 'hosts = a..b' 'hosts' 'issuer = maybe' $'issuer = any\nissuer = any'; do
		printf '%s\n' "$value" >"$cred/mtls.conf"
		nothing_sent bare client_curl "$port"
		says bad-setting "what=$cred/mtls.conf"
	done
	echo 'issuer = maybe' >"$cred/mtls.conf" # checked, though the environment overrides it
	MTLS_ISSUER=any nothing_sent bare client_curl "$port"
	says bad-setting
	printf '# fine\nissuer = any\n' >"$cred/mtls.conf"
	gives client_curl "$port"
}

test_no_credential() {
	server_use plain
	attempt env -u MTLS_DIR HOME="$W/nothing" LD_PRELOAD="$LIB" curl -sS --cacert "$PKI/ca.pem" "https://localhost:$port/"
	expect_rc 0
	expect_seen subject= chain=0 asked=yes result=ok
	[ -e /etc/mtls/client_cert.pem ] || says no-credential
}

test_removed() {
	server_use plain
	cred=$W/gone keeps removed client_curl "$port"
	cred=$W/gone keeps removed client_python "$port"
	gives client_python "$port"
}

# The reason is told once for each process and generation, and is the word of each decision.
test_broken() {
	local cred=$T/cred lines
	cp -r "$PKI/device" "$cred"
	echo nonsense >"$cred/private_key.pem"
	server_use plain
	attempt bare curl_to --no-keepalive -H 'Connection: close' "https://localhost:$port/" "https://localhost:$port/"
	expect_rc 0
	expect_seen subject= chain=0 asked=yes
	expect_seen subject= chain=0 asked=yes
	mapfile -t lines < <(grep -v ' hook ' log)
	[ ${#lines[@]} = 3 ] || fail "expected three lines: ${lines[*]}"
	expect_line "${lines[0]}" reason=key-malformed "what=$cred/private_key.pem"
	[[ ${lines[0]} == *'] broken '* ]] || fail "no broken: ${lines[0]}"
	expect_line "${lines[1]}" reason=key-malformed host=localhost "port=$port"
	expect_line "${lines[2]}" reason=key-malformed
	cp "$PKI/device/private_key.pem" "$cred/"
	rm log
	gives client_curl "$port"
}

# MTLS_AGENT where nobody answers: a path without a socket, a socket that nobody listens on.
test_agent_unavailable() {
	server_use plain
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/dead"
	MTLS_AGENT=$T/none keeps agent-unavailable client_curl "$port"
	MTLS_AGENT=$T/dead keeps agent-unavailable client_python "$port"
	MTLS_AGENT='' gives client_curl "$port"
}

# --- rows 5 to 8 ----------------------------------------------------------------

test_http2() {
	server_use h2
	nothing_sent bare curl_to --http2 "https://localhost:$port/"
	expect_line "$(tail -n 1 "$seen")" alpn=h2 pha=empty
	says http2
	server_start h2_handshake --request optional --alpn h2 # what RFC 8740 allows
	gives curl_to --http2 "https://localhost:$port/"
	expect_line "$(tail -n 1 "$seen")" alpn=h2 pha=none
}

test_http1_post_handshake() {
	server_use pha
	gives curl_to --http1.1 "https://localhost:$port/"
	expect_line "$(tail -n 1 "$seen")" pha=presented
}

test_tls_too_old() {
	server_use plain
	export MTLS_ONLY_IF=tls1.3
	gives client_curl "$port" 1.3
	keeps tls-too-old client_curl "$port" 1.2
	keeps tls-too-old client_python "$port" 1.2
	gives client_python "$port" 1.3
	unset MTLS_ONLY_IF
	gives client_curl "$port" 1.2
}

test_verified() {
	local version
	export MTLS_ONLY_IF=verified
	server_use plain
	for version in 1.2 1.3; do
		gives client_curl "$port" $version
		gives client_python "$port" $version
	done
	gives curl_to "https://127.0.0.1:$port/"
	gives python_unverified "$port" "$PKI/ca.pem" localhost
	gives get "$port" "ca=$PKI/ca.pem" # no name: the address
	gives get "$port" "ca=$PKI/ca.pem" sni=localhost own-bio
	gives get "$port" "ca=$PKI/ca.pem" lookup=getaddrinfo:localhost
	server_use wrong
	gives curl_to --resolve "wrong.example:$port:127.0.0.1" "https://wrong.example:$port/"
}

# The program does not mind; we do.
test_server_not_verified() {
	export MTLS_ONLY_IF=verified
	server_use plain
	keeps server-not-verified curl -sS -k "https://localhost:$port/"
	keeps server-not-verified curl -sS -k "https://127.0.0.1:$port/"
	keeps server-not-verified python_unverified "$port" "$PKI/other-ca.pem" localhost
	keeps server-not-verified python_unverified "$port" "$PKI/ca.pem" a.test
	keeps server-not-verified get "$port" sni=localhost
	keeps server-not-verified get "$port" sni=localhost accept-all
	keeps server-not-verified get "$port" sni=localhost store-accept-all
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" sni=a.test accept-all
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" verify=a.test accept-all
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" verify=a.test sni=localhost store-accept-all
	keeps server-not-verified get "$port" "ca=$PKI/other-ca.pem" sni=localhost store-accept-all
	gives get "$port" "ca=$PKI/ca.pem" sni=localhost accept-all
	gives get "$port" "ca=$PKI/ca.pem" sni=localhost store-accept-all
	server_use wrong
	keeps server-not-verified python_unverified "$port" "$PKI/ca.pem" localhost
	gives python_unverified "$port" "$PKI/ca.pem" wrong.example
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem"
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" own-bio
	MTLS_ONLY_IF='' gives curl_to -k "https://localhost:$port/"
}

# --- rows 9 to 11 ---------------------------------------------------------------

test_issuer() {
	local version
	for version in 1.2 1.3; do
		server_use issuers_other
		MTLS_ISSUER=match keeps issuer-not-accepted client_curl "$port" $version
		MTLS_ISSUER=any gives client_curl "$port" $version
		gives client_python "$port" $version
		server_use issuers_root
		MTLS_ISSUER=match gives client_curl "$port" $version
		MTLS_ISSUER=match cred=$PKI/device-other nothing_sent bare client_curl "$port" $version
		says issuer-not-accepted
		server_use issuers_intermediate
		MTLS_ISSUER=match gives client_python "$port" $version
		server_use issuers_none
		MTLS_ISSUER=match gives client_curl "$port" $version
	done
}

# An EC key has nothing for a server that wants PSS, an RSA key nothing for one that wants ECDSA.
test_signature() {
	local version
	for version in 1.2 1.3; do
		server_use ecdsa
		gives client_curl "$port" $version
		cred=$PKI/device-rsa keeps no-common-signature client_curl "$port" $version
		cred=$PKI/device-ed25519 keeps no-common-signature client_python "$port" $version
		server_use pss
		subject=CN=device-rsa cred=$PKI/device-rsa gives client_curl "$port" $version
		keeps no-common-signature client_curl "$port" $version
	done
	server_use ecdsa # P-384 in TLS 1.3 is another scheme than P-256; in TLS 1.2 the curve does not matter
	cred=$PKI/device-p384 keeps no-common-signature client_curl "$port" 1.3
	subject=CN=device-p384 cred=$PKI/device-p384 gives client_curl "$port" 1.2
}

# --- more than one row ------------------------------------------------------------

# Everything is wrong; one after the other is mended, and the next row's word comes.
test_first_row_decides() {
	local own=("--cert" "$PKI/app-own/client_cert.pem" "--key" "$PKI/app-own/private_key.pem")
	local all=(-k --cacert "$PKI/other-ca.pem" --tls-max 1.2)
	export MTLS_ISSUER=maybe MTLS_AGENT=$T/none MTLS_HOSTS=a.test MTLS_ONLY_IF=verified,tls1.3
	cred=$W/gone
	server_use worst
	nothing_sent bare curl_to "${all[@]}" "${own[@]}" "https://localhost:$port/"
	says app-certificate
	keeps bad-setting curl_to "${all[@]}" "https://localhost:$port/"
	export MTLS_ISSUER=match
	keeps removed curl_to "${all[@]}" "https://localhost:$port/"
	cred=$PKI/device
	keeps agent-unavailable curl_to "${all[@]}" "https://localhost:$port/"
	unset MTLS_AGENT
	keeps host-not-listed curl_to "${all[@]}" "https://localhost:$port/"
	export MTLS_HOSTS=localhost
	keeps tls-too-old curl_to "${all[@]}" "https://localhost:$port/"
	keeps server-not-verified curl_to "${all[@]:0:3}" "https://localhost:$port/"
	keeps issuer-not-accepted client_curl "$port"
	export MTLS_ISSUER=any
	keeps no-common-signature client_curl "$port"
	subject=CN=device-rsa cred=$PKI/device-rsa gives client_curl "$port"
}

# The agent's and HTTP/2's rows come before the host's.
test_first_row_decides_http2() {
	server_use h2
	export MTLS_HOSTS=a.test
	MTLS_AGENT=$T/none nothing_sent bare curl_to --http2 "https://localhost:$port/"
	says agent-unavailable
	nothing_sent bare curl_to --http2 "https://localhost:$port/"
	says http2
	server_use pha
	nothing_sent bare curl_to --http1.1 "https://localhost:$port/"
	says host-not-listed
}

test_settings_from_mtls_conf() {
	local cred=$T/cred
	cp -r "$PKI/device" "$cred"
	unset MTLS_LOG
	printf 'log = info\nhosts = a.test, 127.0.0.1 # here\n' >"$cred/mtls.conf"
	server_use plain
	gives client_curl "$port"
	printf 'log = info\r\nhosts = a.test\r\n' >"$cred/mtls.conf"
	keeps host-not-listed client_curl "$port"
	MTLS_HOSTS=localhost gives client_curl "$port"
	MTLS_HOSTS='' keeps bad-setting client_curl "$port"
	printf 'log = info\nonly_if = tls1.3\n' >"$cred/mtls.conf"
	keeps tls-too-old client_curl "$port" 1.2
	MTLS_ONLY_IF=verified gives client_curl "$port" 1.2
	printf 'log = info\nonly_if = verified\n' >"$cred/mtls.conf"
	keeps server-not-verified curl -sS -k "https://localhost:$port/"
	printf 'log = info\nissuer = match\n' >"$cred/mtls.conf"
	server_use issuers_other
	keeps issuer-not-accepted client_curl "$port"
	MTLS_ISSUER=any gives client_curl "$port"
	printf 'log = info\n' >"$cred/mtls.conf"
	MTLS_LOG=warn presented bare client_curl "$port"
	[ "$(grep -c ' presented ' log)" = "$(grep -c 'reason=presented' log)" ]
	[ "$(grep -cE ' (withheld|presented|broken) ' log)" = "$said" ] || fail "mtls.conf beat MTLS_LOG"
}

# Of the decisions, people who did not ask for more are told two.
test_warned() {
	unset MTLS_LOG
	server_use pss
	keeps no-common-signature client_curl "$port"
	MTLS_AGENT=$T/none keeps agent-unavailable client_curl "$port"
	keeps bad-setting env MTLS_ISSUER=maybe curl -sS -k "https://localhost:$port/"
	MTLS_HOSTS=a.test nothing_sent bare client_curl "$port"
	MTLS_LOG=off nothing_sent bare client_curl "$port"
	server_use plain
	presented bare client_curl "$port"
	[ "$(wc -l <log)" = "$said" ] || fail "told more: $(cat log)"
}
