# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The examples that need real servers or big tools, as their READMEs tell people to run them. packaging/servers.sh has those
# from Debian's packages; the small ones are in tests/e2e/27-examples.sh.

# shellcheck source=tests/e2e/examples.sh
. tests/e2e/examples.sh

deadline=240 # Go compiles its library first

setup() {
	fetch mosquitto libmosquitto apache postgresql
	command -v go >/dev/null || fetch go
}

# unpacked NAME...: their libraries and headers are found as if they were installed. Before `example`
unpacked() {
	local name
	for name; do
		have "$name"
		LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
		CPATH=$root/usr/include${CPATH:+:$CPATH}
	done
	export LD_LIBRARY_PATH CPATH LIBRARY_PATH=$LD_LIBRARY_PATH
}

# command_of NAME PATH: the command NAME is this one, run as nobody where we are root. After `example`
command_of() {
	mkdir -p "$T/bin"
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${as_user[*]}" "$2" >"$T/bin/$1"
	chmod 755 "$T/bin/$1"
	[[ $PATH == "$T/bin:"* ]] || PATH=$T/bin:$PATH
}

# --- MQTT ---------------------------------------------------------------------------------

# send FOLDER TOPIC: a message as mosquitto's own client sends it
send() {
	attempt mtls-run -d "$1" "$root/usr/bin/mosquitto_pub" -h localhost -p "$port" --cafile server.pem -t "$2" -m text -q 1
}

# issued_by FOLDER NAME TO: a certificate for NAME from the key in FOLDER, which is no CA's
issued_by() {
	mkdir "$3"
	printf '[client]\nextendedKeyUsage = clientAuth\n' >"$3/extensions"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$3/private_key.pem" -out "$3/csr"
	openssl x509 -req -in "$3/csr" -CA "$1/client_cert.pem" -CAkey "$1/private_key.pem" -CAcreateserial -days 1 \
		-extfile "$3/extensions" -extensions client -out "$3/client_cert.pem"
}

test_mqtt() {
	unpacked libmosquitto mosquitto
	not_root mosquitto
	example mqtt
	command_of mosquitto "$root/usr/sbin/mosquitto"
	works prepare
	works device
	works register
	printf '\nlog_type all\n' >>broker.conf # what arrives is told as well
	serve listening
	fails refused
	said 'peer did not return a certificate'
	! server_said device-7 || fail "the broker saw us"
	works served
	said "as device-7 (p2, c1, k60, u'device-7')"
	said "Received PUBLISH from device-7 (d0, q1, r0, m1, 'devices/device-7/messages/events/', ... (19 bytes))"
	! server_said Denied || fail "not let through"
	! server_said 'certificate verify failed' || fail "another was turned away"
	fails impostor
	said 'certificate verify failed'
	the_end

	# Who is registered is that device and no other.
	send credential devices/device-8/messages/events/
	said "Denied PUBLISH from"
	issued_by credential device-8 issued
	send issued devices/device-8/messages/events/
	[ "$rc" != 0 ] || fail "a registered device issues certificates"
	! server_said "u'device-8'" || fail "it is taken for another"
}

# --- git ----------------------------------------------------------------------------------

test_git() {
	local folder
	unpacked apache
	not_root Apache
	example git
	command_of apache2 "$root/usr/sbin/apache2"
	export MODULES=$root/usr/lib/apache2/modules
	works prepare
	printf 'LogLevel info\n' >>apache.conf # why somebody is turned away is told as well
	serve listening
	fails refused
	expect_text error.log 'peer did not return a certificate'
	[ ! -s access.log ] || fail "the server answered: $(cat access.log)"
	works served
	grep -q '^device-7 POST /git/demo.git/git-receive-pack 200' access.log || fail "not seen: $(cat access.log)"
	works who
	the_end

	# Another's certificate of that name, and one that a registered one has issued.
	mtls-cred new -d other --cn device-7 >made
	issued_by credential device-7 issued
	for folder in other issued; do
		: >error.log
		GIT_SSL_CAINFO=$PWD/server.pem attempt mtls-run -d $folder git ls-remote "https://localhost:$port/git/demo.git"
		[ "$rc" != 0 ] || fail "$folder was let in"
		expect_text error.log 'Certificate Verification: Error'
	done
	[ "$(git -C repositories/demo.git log --format=%s --all)" = 'A first one' ] || fail "it did not arrive"
}

# --- psql ---------------------------------------------------------------------------------

test_psql() {
	local program
	unpacked postgresql
	not_root PostgreSQL
	example psql
	PATH=$(echo "$root"/usr/lib/postgresql/*/bin):$PATH
	for program in initdb postgres; do
		command_of $program "$(command -v $program)"
	done
	works prepare
	serve postgres_ready
	fails refused
	said 'connection requires a valid client certificate'
	works served
	expect_text "$T/out" '/CN=device-7|TLSv1.3'
	fails another
	said 'provided user name (admin) and authenticated user name (device-7) do not match'
	the_end
}

postgres_ready() {
	server_said 'ready to accept connections'
}

# --- Python -------------------------------------------------------------------------------

test_python_requests() {
	example python-requests
	python3 -c 'import requests' 2>/dev/null || skip "python3-requests is not installed"
	works prepare
	served_with_us
	REQUESTS_CA_BUNDLE=server.pem stranger python3 fetch.py "https://localhost:$port/"
	the_end
}

# --- Go -----------------------------------------------------------------------------------

# Go builds with what is installed, or in the packages' own folders.
go_there() {
	export GOCACHE=$T/cache GOPATH=$T/path GOFLAGS=-trimpath GOTOOLCHAIN=local GOPROXY=off
	command -v go >/dev/null && return
	have go
	GOROOT=$(echo "$root"/usr/lib/go-*)
	export GOROOT
	PATH=$PATH:$GOROOT/bin
}

door_open() {
	(: <>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null
}

test_go() {
	example go
	go_there
	works prepare
	serve listening
	fails unreached
	said 'peer did not return a certificate'
	step strict
	expect_rc 125
	! grep -q '^before:' "$T/err" || fail "it was started"
	! server_said device-7 || fail "the server saw us"
	works changed
	said device-7
	SSL_CERT_FILE=server.pem stranger ./after "https://localhost:$port/"
	mv credential elsewhere
	attempt env SSL_CERT_FILE=server.pem MTLS_DIR=credential ./after "https://localhost:$port/"
	[ "$rc" != 0 ] || fail "worked without a certificate"
	expect_text "$T/err" credential/client_cert.pem
	mv elsewhere credential
	serve door_open door
	works through
	the_end
}
