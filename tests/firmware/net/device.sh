# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The device's secure sockets against real servers: tests/e2e/run tests/firmware/net/device.sh. What it presented is
# asserted at the server; what it withheld has the reason's word in its log. BOARD names the board (host), DEVICE is
# mtls-device, beside which the firmware is, and SAN tells the sanitizers that it was built with.

deadline=120
board=${BOARD:-host}
tool=${DEVICE:-$BUILD/mtls-device}

setup() {
	server_start tls12 --tls 1.2
	server_start tls13 --tls 1.3
	server_start none12 --tls 1.2 --request none
	server_start none13 --tls 1.3 --request none
	server_start optional12 --tls 1.2 --request optional
	server_start optional13 --tls 1.3 --request optional
	mkdir "$W/ca" "$W/other"
	cp "$PKI/ca.pem" "$W/ca/ca_certs.pem"
	cp "$PKI/other-ca.pem" "$W/other/ca_certs.pem"
	expired_server
	built sockets
	built words
}

# built NAME: one of our programs, with the device's own libraries
built() {
	cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -O1 -g ${SAN:+-fsanitize=$SAN} -I"$TOP" -o "$W/$1" "$TOP/tests/firmware/net/$1.c" \
		-Wl,--start-group "$(dirname "$tool")"/firmware/host/lib*.a -Wl,--end-group -lslirp \
		-Wl,--wrap=mbedtls_pk_sign_ext,--wrap=mbedtls_calloc
}

expired_server() {
	printf '%s\n' '[ca]' 'default_ca = one' '[one]' 'database = index.txt' 'new_certs_dir = .' 'default_md = sha256' \
		'policy = any' 'rand_serial = yes' '[any]' 'commonName = supplied' '[server]' 'subjectAltName = DNS:localhost' \
		'extendedKeyUsage = serverAuth' '[req]' 'distinguished_name = dn' '[dn]' >"$W/ca.cnf"
	cd "$W" || exit
	: >index.txt
	openssl req -config ca.cnf -new -key "$PKI/server.key" -subj /CN=localhost -out expired.csr
	openssl ca -config ca.cnf -batch -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" -extensions server -notext \
		-startdate 20200101000000Z -enddate 20210101000000Z -in expired.csr -out expired.pem 2>expired.err
}

device() {
	"$tool" --board "$board" --image "$T/image" "$@"
}

# The device's folder of the PKI, and the CA that issued the servers' certificates.
given() {
	device upload "$PKI/$1" "${2-$W/ca}" >"$T/given" || fail "upload of $1"
	expect_text "$T/given" "usable"
}

conf() {
	printf '%s\n' "$@" >"$T/mtls.conf"
	device upload "$T/mtls.conf" >/dev/null
}

get() {
	device get "https://localhost:$port/"
}

# The decision's line in the device's log, which mtls-device relays to standard error.
decided() {
	expect_line "$(grep '^mtls-run' "$T/err" | tail -n 1)" "$@"
}

# bad_server MODE [FILE...]: sets $port
bad_server() {
	local word fd
	exec {fd}< <(exec {life}>&- python3 "$TOP/tests/firmware/net/servers.py" "$@" <"$W/life" 2>"$T/bad.err")
	read -rt 10 -u "$fd" word port || fail "servers.py does not start: $(tail -n 1 "$T/bad.err")"
	exec {fd}<&-
}

sockets() {
	# A console on which nothing comes; one that has ended would keep the board from being idle.
	"$W/sockets" "$1" flash="$T/image" otp="$T/image.otp" port="$port" "${@:2}" <"$W/life"
}

# --- presented ---------------------------------------------------------------------------

presents() {
	local subject=CN=$2
	given "$2"
	server_use "$1"
	presented get
	expect_text "$T/out" "subject: $subject"
	decided reason=presented "subject=$subject" "port=$port" "tls=${1:3:1}.${1:4}"
	expect_none
}

for version in tls12 tls13; do
	eval "test_p256_$version() { presents $version device; }"
	eval "test_p384_$version() { presents $version device-p384; }"
	eval "test_rsa_$version() { presents $version device-rsa; }"
done

# Each form of key that openssl writes: at work in both versions, or refused with a sentence.
test_encodings() {
	local folder version read=0
	for folder in "$PKI"/key/*; do
		echo "${folder##*/}"
		if [[ $folder == *scrypt* ]]; then
			attempt device upload "$folder"
			expect_rc 1
			expect_text err 'encrypted with scrypt; this device reads PBKDF2'
			continue
		fi
		given "key/${folder##*/}"
		for version in tls12 tls13; do
			server_use $version
			attempt get
			expect_rc 0
			expect_seen chain=2 verify=ok result=ok
		done
		read=$((read + 1))
	done
	[ $read -ge 16 ] || fail "pki.sh makes only $read keys that are read"
}

# More than TLS could send at once: refused, and the old credential stays.
test_too_long_chain() {
	given device
	cat "$PKI/device/client_cert.pem" >client_cert.pem
	for _ in {1..25}; do
		openssl x509 -in "$PKI/intermediate.pem"
	done >>client_cert.pem
	attempt device upload client_cert.pem
	expect_rc 1
	expect_text err 'the chain is longer than this device can send'
	server_use tls13
	attempt get
	expect_rc 0
	expect_seen subject=CN=device chain=2 result=ok
}

# The contract's own example. with_s_server VERSION: its page, for or without the certificate
with_s_server() {
	s_server_start "s_server$1" "-tls$1" -Verify 1 -verify_return_error
	attempt get
}

test_s_server() {
	local version
	given device
	for version in 1_2 1_3; do
		with_s_server $version
		expect_rc 0
		expect_text out 'Verify return code: 0 (ok)'
		grep -q 'Subject: CN *= *device$' out || fail "no certificate of ours: $(grep -m 1 Subject out)"
		decided reason=presented subject=CN=device
	done
	device remove
	for version in 1_2 1_3; do
		with_s_server $version
		expect_rc 1
		expect_text err 'it had asked for a certificate and got none: removed'
		[ ! -s out ] || fail "there is a page: $(head -c 100 out)"
		expect_text "$seen" 'peer did not return a certificate'
	done
}

# Scheme and host in any letters: RFC 3986, 6.2.2.1.
test_large_letters() {
	given device
	server_use tls13
	presented device get "HTTPS://LocalHost:$port/"
	expect_line "$(tail -n 1 "$seen")" sni=localhost
}

test_deep_chain() {
	given device-deep
	server_use tls13
	attempt get
	expect_rc 0
	expect_seen subject=CN=device-deep chain=10 result=ok
}

test_address_is_no_sni() {
	given device
	server_use tls13
	presented device get "https://127.0.0.1:$port/"
	expect_line "$(tail -n 1 "$seen")" sni=
}

# --- not presented -------------------------------------------------------------------------

test_not_asked() {
	local name
	given device
	for name in none12 none13; do
		server_use $name
		nothing_sent get
		! grep -q '^mtls-run' "$T/err" || fail "a decision without a request: $(cat "$T/err")"
	done
}

withheld() {
	local word=$1 name
	for name in 12 13; do
		server_use "optional$name"
		nothing_sent get
		decided "reason=$word"
		server_use "tls$name"
		refused get
		expect_text "$T/err" "it had asked for a certificate and got none: $word"
	done
}

test_no_credential() {
	device upload "$W/ca"
	withheld no-credential
}

test_removed() {
	given device
	device remove
	withheld removed
}

test_unlisted_host() {
	given device
	conf 'hosts = *.example !localhost'
	withheld host-not-listed
}

test_unlisted_address() {
	given device
	conf 'hosts = 192.0.2.0/24'
	withheld host-not-listed
}

test_listed_host() {
	given device
	server_use tls13
	conf "hosts = localhost:$port"
	presented get
	conf 'hosts = 10.0.2.0/24'
	presented get
}

test_only_if() {
	given device
	conf 'only_if = tls1.3,verified'
	server_use tls13
	presented get
	server_use optional12
	nothing_sent get
	decided reason=tls-too-old
}

test_log_off() {
	given device
	conf 'log = off'
	server_use tls13
	presented get
	[ ! -s "$T/err" ] || fail "it logged: $(cat "$T/err")"
}

test_no_common_signature() {
	local name version
	given device
	for version in 1.2 1.3; do
		server_start "rsa$version" --tls $version --request optional --sigalgs RSA-PSS+SHA256
		nothing_sent get
		decided reason=no-common-signature
	done
	given device-rsa
	server_use rsa1.3
	subject=CN=device-rsa presented get
}

# --- servers that are not who they should be ---------------------------------------------------

# Nothing of ours reaches them, and the reason is a sentence.
distrusts() {
	attempt get
	expect_rc 1
	expect_text "$T/err" "$1"
	[ "$(wc -l <"$T/err")" = 1 ] || fail "more than one line: $(cat "$T/err")"
	expect_seen subject= chain=0 result=failed
}

test_no_ca() {
	device upload "$PKI/device"
	server_use tls13
	attempt get
	expect_rc 1
	expect_text "$T/err" "ca_certs.pem"
	expect_none
}

test_wrong_ca() {
	local name
	given device "$W/other"
	for name in tls12 tls13; do
		server_use $name
		distrusts "was issued by nobody in ca_certs.pem"
	done
}

test_wrong_name() {
	given device
	server_start wrong --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	distrusts "is for another name"
}

test_expired_server() {
	given device
	server_start expired --cert "$W/expired.pem"
	distrusts "has expired"
}

# A server's certificate of RSA, whose owner prefers the longest hash.
test_rsa_server() {
	given device
	openssl req -x509 -new -nodes -days 2 -newkey rsa:2048 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-addext extendedKeyUsage=serverAuth -addext basicConstraints=critical,CA:FALSE -CA "$PKI/ca.pem" \
		-CAkey "$PKI/ca.key" -keyout "$T/rsa.key" -out "$T/rsa.pem"
	server_start rsa12 --tls 1.2 --cert "$T/rsa.pem" --key "$T/rsa.key"
	presented get
	server_start rsa13 --tls 1.3 --cert "$T/rsa.pem" --key "$T/rsa.key"
	presented get
}

# --- servers that misbehave -----------------------------------------------------------------------

# 60 kB of names in the request: the device has no room for the message, says so, and lives on.
test_many_issuers() {
	local i ou
	given device
	ou=$(printf "/OU=$(printf 'x%.0s' {1..60})%.0s" {1..60})
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		openssl req -x509 -new -key "$PKI/other-ca.key" -subj "$ou/CN=$i" 2>/dev/null
	done >"$T/issuers.pem"
	server_start many --issuers "$T/issuers.pem"
	attempt get
	[ "$rc" = 0 ] || [ "$(wc -l <"$T/err")" = 1 ] || fail "$(cat "$T/err")"
	server_start few --issuers "$PKI/other-ca.pem"
	presented get
}

# long_chain N: a server's certificate with N intermediates
long_chain() {
	local i issuer=$PKI/ca
	: >"$T/chain.pem"
	for ((i = 0; i < $1; i++)); do
		openssl req -x509 -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj "/CN=Long $i" -CA "$issuer.pem" \
			-CAkey "$issuer.key" -keyout "$T/$i.key" -out "$T/$i.pem" -addext basicConstraints=critical,CA:TRUE
		cat "$T/$i.pem" "$T/chain.pem" >"$T/next" && mv "$T/next" "$T/chain.pem"
		issuer=$T/$i
	done
	openssl req -x509 -new -key "$PKI/server.key" -subj /CN=localhost -CA "$issuer.pem" -CAkey "$issuer.key" \
		-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost >"$T/long.pem"
	cat "$T/chain.pem" >>"$T/long.pem"
}

test_server_chain() {
	given device
	long_chain 5
	server_start long --cert "$T/long.pem"
	presented get
	long_chain 9
	server_start longer --cert "$T/long.pem"
	attempt get
	[ "$rc" = 0 ] || [ "$(wc -l <"$T/err")" = 1 ] || fail "$(cat "$T/err")"
}

for mode in garbage close reset; do
	eval "test_$mode() {
		given device
		bad_server $mode
		attempt get
		expect_rc 1
		[ \"\$(wc -l <\"\$T/err\")\" = 1 ] || fail \"more than one line: \$(cat \"\$T/err\")\"
	}"
done

test_nobody_listens() {
	given device
	bad_server close
	port=1
	attempt get
	expect_rc 1
	[ "$(wc -l <"$T/err")" = 1 ] || fail "more than one line: $(cat "$T/err")"
}

test_chunked_megabyte() {
	given device
	bad_server chunked "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	attempt get
	expect_rc 0
	[ "$(wc -c <"$T/out")" = 1048576 ] || fail "$(wc -c <"$T/out") bytes"
	python3 -c 'import sys; d = open(sys.argv[1], "rb").read(); sys.exit(d != bytes(i % 251 for i in range(1 << 20)))' "$T/out"
}

test_not_http() {
	given device
	bad_server echo "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	attempt get
	expect_rc 1
	expect_text "$T/err" "is not HTTP"
}

test_cut_off() {
	given device
	bad_server cut "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	attempt get
	expect_rc 1
	expect_text "$T/err" "without saying so"
}

# typed ARG...: s_server, to which is typed by $in, and a get of its page that it has heard; they are jobs 1 and 2
typed() {
	mkfifo "$T/in"
	openssl s_server -accept 127.0.0.1:0 "$@" -cert "$PKI/server.pem" -key "$PKI/server.key" -CAfile "$PKI/ca.pem" \
		<"$T/in" >"$T/s_server" 2>&1 {life}>&- &
	exec {in}>"$T/in"
	seen=$T/s_server
	until_true 10 s_server_port || fail "s_server does not start"
	get >"$T/out" 2>"$T/err" {in}>&- &
	until_true 10 grep -q '^GET ' "$seen" || fail "no request: $(cat "$T/err")"
}

# A renegotiation of TLS 1.2 asks for the certificate that the first handshake did not.
test_renegotiation() {
	given device
	typed -tls1_2
	printf 'R\n' >&$in
	until_true 10 grep -q '^depth=0 CN *= *device' "$seen" || fail "no certificate: $(cat "$T/err")"
	printf 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\n' >&$in
	wait %2 || fail "$(cat "$T/err")"
	expect_text "$T/out" hello
	decided reason=presented tls=1.2
	kill %1
}

# --- the interface ------------------------------------------------------------------------------------

host_only() {
	[ "$board" = host ] || skip "runs on the host's board only"
}

socket_case() {
	host_only
	given "${credential:-device}"
	attempt sockets "$@"
	expect_rc 0
}

test_sockets_options() {
	port=1
	socket_case options
}

test_sockets_stall() {
	bad_server stall
	socket_case stall
	bad_server half
	socket_case stall
}

test_sockets_broken() {
	local mode
	for mode in garbage close reset trickle; do
		bad_server $mode
		socket_case broken
	done
}

test_sockets_four() {
	bad_server echo "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	socket_case four
}

test_sockets_sequence() {
	bad_server echo "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	socket_case sequence
}

# Without one allocation, or all from there on, a connection fails with a sentence that says so, and harms no other.
for folder in device device-rsa; do
	for mode in echo12 echo; do
		eval "test_sockets_memory_${folder/-/_}_$mode() {
			bad_server $mode \"\$PKI/server.pem\" \"\$PKI/server.key\" \"\$PKI/ca.pem\"
			credential=$folder socket_case memory step=31
		}"
	done
done

test_words() {
	host_only
	"$W/words"
}
