# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The shim built with sanitizers, in real clients: handshakes succeed and nothing is reported. The programs
# are unsanitized, so the runtimes go before the shim in LD_PRELOAD, ASan's first. Leaks are
# asked for where the program itself has none (the C probes). ThreadSanitizer knows C11 atomics,
# which helgrind does not.

deadline=180
probes=$BUILD/tests
build=build

runtime() {
	local file
	file=$(gcc -print-file-name="lib$1.so")
	[ -e "$file" ] || fail "gcc has no lib$1.so"
	printf '%s' "$file"
}

# sanitized_build NAME SANITIZERS: build/NAME/libmtls-run.so
sanitized_build() {
	timeout 300 make -s -j2 -C "$TOP" CC=gcc SAN="$2" B="$build/$1" "$build/$1/libmtls-run.so" >"$W/make.$1" 2>&1 ||
		fail "SAN=$2 does not build: $(grep -m 1 -E 'error|\*\*\*' "$W/make.$1")"
}

setup() {
	sanitized_build san address,undefined
	sanitized_build ubsan undefined
	sanitized_build tsan thread
	export MTLS_LOG=info MTLS_LOG_FILE=log
	export UBSAN_OPTIONS=print_stacktrace=1,halt_on_error=1,log_path=report
	server_start required
	server_start optional --request optional
}

nothing_reported() {
	local file
	for file in report*; do
		[ ! -e "$file" ] || fail "$(grep -m 1 -E 'ERROR|WARNING|runtime error' "$file"): $(grep -m 8 '#[0-9]' "$file")"
	done
}

# with RUNTIMES LIBRARY CMD...
with() {
	local preload='' name via
	for name in $1; do
		preload+="$(runtime "$name") "
	done
	via=(env "MTLS_DIR=$cred" "LD_PRELOAD=$preload$TOP/$build/$2/libmtls-run.so")
	shift 2
	attempt through "$@"
	nothing_reported
	expect_rc 0
}

# asan LEAKS CMD...
asan() {
	export ASAN_OPTIONS=detect_leaks=$1,log_path=report,detect_stack_use_after_return=1
	with 'asan ubsan' san "${@:2}"
}

# libasan alone, without us, hangs curl in setlocale (Debian 12: p11-kit's constructor, and the lock of glibc's locales).
test_curl_undefined() {
	server_use required
	with ubsan ubsan client_curl "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_python() {
	server_use required
	asan 0 client_python "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_s_client() {
	server_use required
	asan 0 client_s_client "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_probe() {
	server_use required
	export MTLS_HOSTS='localhost, !*.invalid' MTLS_ONLY_IF=verified MTLS_ISSUER=match
	asan 1 "$probes/get" "$port" lookup=getaddrinfo:localhost verify=localhost "ca=$PKI/ca.pem" check
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_keys() {
	local folder
	server_use required
	for folder in "$PKI"/key/* "$PKI/device-deep" "$PKI/device-hostile"; do
		cred=$folder
		echo "$folder"
		asan 1 "$probes/get" "$port"
	done
}

test_objects_used_again() {
	local scenario
	server_use optional
	for scenario in clear add add-ctx dup dup-after swap setters many; do
		echo "$scenario"
		cred=$T/$scenario # which some of them empty
		cp -r "$PKI/device" "$cred"
		asan 1 "$probes/reuse" $scenario "$port" "$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem" "$cred"
	done
	cred=$PKI/device
	asan 1 "$probes/reuse" server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
}

test_threads() {
	server_use required
	asan 1 "$probes/parallel" 200 lookup "localhost:$port"
	[ "$(cat out)" = 200 ] || fail "only $(cat out) of 200"
}

# renewing: another credential by symlink swap, again and again, until the test ends
renewing() {
	local from
	while :; do
		for from in device app-own; do
			ln -sfn "$T/$from" "$T/link.new"
			mv -T "$T/link.new" "$T/link"
		done
	done
}

# Eight threads, every way to be asked, while the credential changes under them.
test_races() {
	local how hosts writer
	server_use required
	export TSAN_OPTIONS=log_path=report,exitcode=66
	cp -r "$PKI/device" "$PKI/app-own" .
	ln -s "$T/device" link
	cred=$T/link
	renewing &
	writer=$!
	for how in lookup sni fd bio; do
		for hosts in '' 127.0.0.1; do
			echo "$how $hosts"
			[ -z "$hosts" ] || export MTLS_HOSTS=$hosts
			with tsan tsan "$probes/parallel" 100 $how "localhost:$port"
			[ "$(cat out)" = 100 ] || fail "$how: only $(cat out) of 100"
		done
		unset MTLS_HOSTS
	done
	kill "$writer"
}
