# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Servers that want to harm the device, and certificates that nearly fit: tests/e2e/run tests/firmware/net/hostile.sh. Each
# ends with a sentence, and within a deadline. BOARD, DEVICE and SAN as in device.sh, from which the tools come.

. "$TOP/tests/firmware/net/device.sh"
for name in $(compgen -A function test_); do
	unset -f "$name"
done
deadline=60

setup() {
	mkdir "$W/ca"
	cp "$PKI/ca.pem" "$W/ca/ca_certs.pem"
	built sockets
}

# fails SENTENCE COMMAND...: one line, beside those of the log and QEMU's about its own network
fails() {
	attempt "${@:2}"
	expect_rc 1
	expect_text "$T/err" "$1"
	[ "$(grep -vcE '^(mtls-run|qemu-[^:]*: Slirp: )' "$T/err")" = 1 ] || fail "more than one line: $(cat "$T/err")"
}

# hands MODE ANSWER: a server of servers.py that speaks HTTP in its own way; ANSWER is for printf
hands() {
	# shellcheck disable=SC2059 # it is a format
	printf "$2" >"$T/answer"
	bad_server "$1" "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem" "$T/answer"
}

# --- time and memory that a server takes ------------------------------------------------------

test_sockets_drizzle() {
	bad_server drizzle "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	socket_case drizzle
}

# dawdles MODE ANSWER SENTENCE: get.c with a patience of one second; sockets.c asserts how long it takes
dawdles() {
	hands "$1" "$2"
	socket_case get
	expect_text "$T/out" "$3"
}

ok='HTTP/1.1 200 OK\r\n'
dripped='the server takes too long'

test_sockets_whole() { dawdles answer "${ok}Content-Length: 5\r\n\r\nhello" 'whole, 5 bytes'; }
test_sockets_drip_head() { dawdles drip "${ok}X: y\r\n" "$dripped"; }
test_sockets_drip_continue() { dawdles drip 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: y\r\n' "$dripped"; }
test_sockets_drip_body() { dawdles drip "${ok}Content-Length: 100000\r\n\r\nx" "$dripped"; }
test_sockets_drip_trailers() { dawdles drip "${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n" "$dripped"; }
test_sockets_hang_head() { dawdles hang "${ok}X: y\r\n" "$dripped"; }
test_sockets_hang_body() { dawdles hang "${ok}Content-Length: 100\r\n\r\nhalf" "$dripped"; }

# Faster than any patience: what is not the body has an end.
floods() {
	given device
	hands flood "$1"
	fails "the server's answer is not HTTP" get
}

test_flood_head() { floods "${ok}X: y\r\n"; }
test_flood_continue() { floods 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\nHTTP/1.1 100 Continue\r\n'; }
test_flood_trailers() { floods "${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n"; }
test_flood_line() { floods "${ok}"; }

# soon SENTENCE OPTION...: with such a server of ours the device ends the handshake in time, in both versions
soon() {
	local start name sentence=$1
	given device
	for name in 1.2 1.3; do
		server_start "soon$name" --tls $name "${@:2}"
		start=$SECONDS
		fails "$sentence" get
		[ $((SECONDS - start)) -lt 20 ] || fail "$((SECONDS - start)) s"
	done
}

# names N: a subject of 60 N bytes
names() {
	printf '/CN=localhost'
	printf "/OU=$(printf 'x%.0s' {1..60})%.0s" $(seq "$1")
}

test_long_certificate() {
	openssl req -x509 -new -key "$PKI/other-ca.key" -subj "$(names 300)" -out "$T/one.pem" 2>"$T/made"
	cat "$PKI/server.pem" "$T/one.pem" >"$T/long.pem"
	soon 'longer than the device has room for' --cert "$T/long.pem"
}

test_long_intermediates() {
	long_chain 9 2>"$T/made"
	soon 'its chain is too long' --cert "$T/long.pem"
}

test_long_request() {
	openssl req -x509 -new -key "$PKI/other-ca.key" -subj "$(names 300)" -out "$T/one.pem" 2>"$T/made"
	soon 'longer than the device has room for' --issuers "$T/one.pem"
}

# mbedTLS 3.6 cannot do it: the end says so, and does not blame the certificate.
test_key_update() {
	given device
	typed -tls1_3 -Verify 3
	printf 'k\n' >&$in
	! wait %2 || fail "it went well: this test and docs/FIRMWARE.md are out of date"
	expect_text "$T/err" KeyUpdate
	! grep -q 'it had asked' "$T/err" || fail "$(cat "$T/err")"
	kill %1
}

# --- HTTP --------------------------------------------------------------------------------------

wrong() {
	given device
	hands answer "$1"
	fails "the server's answer is not HTTP" get
}

# says BODY ANSWER
says() {
	given device
	hands answer "$2"
	attempt get
	expect_rc 0
	[ "$(cat "$T/out")" = "$1" ] || fail "$(cat "$T/out")"
}

hello='5\r\nhello\r\n0\r\n\r\n'
test_coding() { wrong "${ok}Transfer-Encoding: gzip, chunked\r\n\r\n$hello"; }
test_coding_prefix() { wrong "${ok}Transfer-Encoding: chunkedx\r\n\r\n$hello"; }
test_coding_twice() { wrong "${ok}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n$hello"; }
test_coding_chunked() { says hello "${ok}Transfer-Encoding: Chunked \r\n\r\n$hello"; }
test_chunk_end() { wrong "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n"; }
test_two_lengths() { wrong "${ok}Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello"; }
test_same_lengths() { says hello "${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"; }
test_length_junk() { wrong "${ok}Content-Length: 5x\r\n\r\nhello"; }
test_continue() { says hello "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n${ok}\r\nhello"; }
test_continue_chunked() { says hello "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${ok}\r\nhello"; }

# --- certificates that nearly fit -------------------------------------------------------------

# cert NAME SUBJECT EXTENSION...: a server's certificate, of the CA $issuer (our CA)
cert() {
	local extension args=()
	for extension in "${@:3}"; do
		args+=(-addext "$extension")
	done
	openssl req -x509 -new -key "$PKI/server.key" -subj "$2" -CA "${issuer:-$PKI/ca}.pem" -CAkey "${issuer:-$PKI/ca}.key" \
		-addext basicConstraints=critical,CA:FALSE "${args[@]}" -out "$T/$1.pem" 2>"$T/made" || fail "$(cat "$T/made")"
}

# Each as the server 127.0.0.1, with both versions. figures CERT [SENTENCE]: without one it is taken
figures() {
	local version
	given device
	for version in 1.2 1.3; do
		server_start "figures$version" --tls $version --cert "$T/$1.pem"
		if [ "${2-}" ]; then
			fails "$2" device get "https://127.0.0.1:$port/"
			expect_seen subject= chain=0 result=failed
		else
			presented device get "https://127.0.0.1:$port/"
		fi
	done
}

test_address() { cert one /CN=x subjectAltName=IP:192.0.2.1,IP:127.0.0.1 && figures one; }
test_address_as_name() { cert one /CN=x subjectAltName=DNS:127.0.0.1 && figures one 'is for another name'; }
test_address_in_subject() { cert one /CN=127.0.0.1 && figures one 'is for another name'; }
test_address_other() { cert one /CN=127.0.0.1 subjectAltName=IP:127.0.0.2,DNS:127.0.0.1 && figures one 'is for another name'; }
test_address_uri() { cert one /CN=x subjectAltName=URI:127.0.0.1 && figures one 'is for another name'; }
test_address_longer() { cert one /CN=x subjectAltName=IP:7f00:1:7f00:1:7f00:1:7f00:1,DNS:127.0.0.1 && figures one 'is for another name'; }

# constrained CRITICAL SENTENCE: the issuer may name other hosts only
constrained() {
	local version
	given device
	openssl req -x509 -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj "/CN=Constrained" -CA "$PKI/ca.pem" \
		-CAkey "$PKI/ca.key" -keyout "$T/limited.key" -out "$T/limited.pem" -addext basicConstraints=critical,CA:TRUE \
		-addext "nameConstraints=$1permitted;DNS:example.org" 2>"$T/made" || fail "$(cat "$T/made")"
	issuer=$T/limited cert one /CN=localhost subjectAltName=DNS:localhost
	cat "$T/limited.pem" >>"$T/one.pem"
	for version in 1.2 1.3; do
		server_start "limited$version" --tls $version --cert "$T/one.pem"
		fails "$2" get
		expect_seen subject= chain=0 result=failed
	done
}

test_constrained() { constrained '' 'name constraints'; }
test_constrained_critical() { constrained critical, 'critical extension'; }
