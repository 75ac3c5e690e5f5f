# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# OpenSSL 1.1.1, as programs of Debian 11 have it: its s_client, and our probes compiled against it. Keys, policy,
# the program's own certificate and what a program sees of libssl, as with OpenSSL 3; and a process that has both.
# packaging/debian.sh fetches it; skipped only where this machine's mirror has it no more.

# The probes' tests of OpenSSL 3 are the same ones here: all of these files' test_ functions run again.
# shellcheck source=tests/e2e/policy.sh
. tests/e2e/policy.sh
# shellcheck source=tests/e2e/31-own.sh
. tests/e2e/31-own.sh
# shellcheck source=tests/e2e/35-shared.sh
. tests/e2e/35-shared.sh
# shellcheck source=tests/e2e/38-sessions.sh
. tests/e2e/38-sessions.sh
# shellcheck source=tests/e2e/rotation.sh
. tests/e2e/rotation.sh

setup() {
	old=$(debian openssl-1.1.1 2>"$W/old.err")
	old_status=$?
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	probes=$BUILD/tests/1.1.1
	own=("$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem")
	rsa=("$PKI/device-rsa/client_cert.pem" "$PKI/device-rsa/private_key.pem")
	server_start required --request required
	server_start silent --request none
	server_start ask --request optional --no-tickets
	server_start ask12 --request optional --no-tickets --tls 1.2
	server_start other --request optional --no-tickets
	server_start pha --request optional --no-tickets --pha-times 2
	server_start wrong --request optional --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	server_start issuers_other --request optional --issuers "$PKI/other-ca.pem"
	server_start issuers_root --request optional --issuers "$PKI/ca.pem"
	server_start issuers_none --request optional --issuers none
	server_start ecdsa --request optional --sigalgs ECDSA+SHA256
	server_start pss --request optional --sigalgs rsa_pss_rsae_sha256
	sessions_setup
	mkdir "$W/gone"
	: >"$W/gone/client_cert.pem"
	: >"$W/gone/private_key.pem"
}

there() {
	[ "$old_status" != 77 ] || skip "$(cat "$W/old.err")"
	[ "$old_status" = 0 ] || fail "$(cat "$W/old.err")"
	[ -x "$probes/get" ] || fail "$probes/get is missing; first: make check-binaries OPENSSL11=$old"
}

# An s_client that speaks for itself: 1.1.1's, with 1.1.1's libraries.
client_old() {
	local version=()
	[ -z "${2-}" ] || version=("-tls${2/./_}")
	printf 'GET / HTTP/1.0\r\n\r\n' | LD_LIBRARY_PATH=$old/lib "${via[@]}" "$old/bin/openssl" s_client -quiet -verify_quiet \
		-verify_return_error -connect "localhost:$1" -servername localhost -CAfile "$PKI/ca.pem" "${version[@]}" "${@:3}" |
		grep -a .
}

# by_old: the last decision in the log was made with this library
by_old() {
	local line library
	line=$(grep -E ' (withheld|presented) ' log | tail -n 1)
	library=$(value_of lib "$line") || fail "no lib in: $line"
	[[ $library == openssl/1.1.1* ]] || fail "decided for $library"
}

# --- it is 1.1.1, and the twins ---------------------------------------------------------

test_without_us() {
	LD_LIBRARY_PATH=$old/lib "$old/bin/openssl" version | grep -q '^OpenSSL 1\.1\.1'
	ldd "$probes/get" | grep -q "libssl.so.1.1 => $old/lib/"
	server_use required
	refused plain client_old "$port" 1.2
	refused plain client_old "$port" 1.3
	server_use ask
	nothing_sent plain get "$port"
	server_use silent
	nothing_sent plain get "$port"
}

# --- s_client ----------------------------------------------------------------------------

test_s_client() {
	local version
	server_use required
	for version in 1.2 1.3; do
		presented mtls client_old "$port" $version
		expect_line "$(tail -n 1 "$seen")" "tls=$version"
		expect_text out 'subject: CN=device'
		by_old
		presented bare client_old "$port" $version
		expect_line "$(tail -n 1 "$seen")" "tls=$version"
	done
	expect_none
}

test_s_client_own_certificate() {
	server_use required
	subject=CN=app-own presented bare client_old "$port" 1.3 -cert "$PKI/app-own/client_cert.pem" \
		-cert_chain "$PKI/intermediate.pem" -key "$PKI/app-own/private_key.pem"
	says app-certificate host=localhost "port=$port"
}

test_not_asked() {
	server_use silent
	nothing_sent mtls client_old "$port"
	expect_line "$(tail -n 1 "$seen")" asked=no
	nothing_sent bare get "$port"
	expect_line "$(tail -n 1 "$seen")" asked=no
	! grep -qE ' (withheld|presented) ' log || fail "decided, and was not asked: $(cat log)"
	server_use ask # and it was there
	gives get "$port"
}

test_removed() {
	server_use ask
	cred=$W/gone keeps removed client_old "$port"
	cred=$W/gone keeps removed get "$port"
	server_use required
	cred=$W/gone refused bare client_old "$port"
}

test_rotation() {
	rotation rotation rename 200
}

test_post_handshake() {
	server_use pha
	nothing_sent plain client_old "$port" 1.3 -enable_pha
	expect_line "$(tail -n 1 "$seen")" pha=empty
	gives client_old "$port" 1.3 -enable_pha
	expect_line "$(tail -n 1 "$seen")" pha=presented
}

# --- keys ----------------------------------------------------------------------------------

test_types_of_keys() {
	local type version
	server_use required
	for type in device device-p384 device-rsa device-ed25519; do
		for version in 1.2 1.3; do
			cred=$PKI/$type subject=CN=$type presented bare client_old "$port" $version
			expect_line "$(tail -n 1 "$seen")" tls=$version
		done
	done
}

test_encodings_of_keys() {
	local folder name
	server_use required
	for folder in "$PKI"/key/*; do
		name=device
		[[ $folder != */rsa-* ]] || name=device-rsa
		cred=$folder subject=CN=$name presented bare get "$port"
	done
}

test_broken() {
	local word
	server_use ask
	for word in pair-mismatch key-malformed passphrase-wrong certificate-malformed; do
		cred=$T/$word
		cp -r "$PKI/key/ec-pkcs8-aes-128-cbc" "$cred"
		case $word in
		pair-mismatch) rm "$cred"/*pass.txt; cp "$PKI/app-own/private_key.pem" "$cred/" ;;
		key-malformed) printf -- '-----%s PRIVATE KEY-----\nMAAA\n' BEGIN END >"$cred/private_key.pem" ;;
		certificate-malformed) sed -i '3s/./A/g' "$cred/client_cert.pem" ;;
		passphrase-wrong) echo wrong >"$cred/private_key_pass.txt" ;;
		esac
		: >log
		nothing_sent bare get "$port"
		expect_line "$(grep ' withheld ' log)" "reason=$word"
		by_old
	done
}

# --- policy --------------------------------------------------------------------------------

test_hosts() {
	server_use ask
	for MTLS_HOSTS in localhost "localhost:$port" '!a.test' 127.0.0.1; do
		export MTLS_HOSTS
		gives client_old "$port"
		gives get "$port" lookup=getaddrinfo:localhost
		gives get "$port" sni=localhost
	done
	for MTLS_HOSTS in a.test '!localhost' 10.0.0.0/8 localhost:1; do
		keeps host-not-listed client_old "$port"
		keeps host-not-listed get "$port" lookup=getaddrinfo:localhost
		keeps host-not-listed get "$port" sni=localhost own-bio
	done
	by_old
	MTLS_HOSTS=127.0.0.1 gives get "$port" own-bio
	MTLS_HOSTS='!127.0.0.1' keeps host-not-listed get "$port" own-bio
}

test_verified() {
	export MTLS_ONLY_IF=verified
	server_use ask
	gives client_old "$port" 1.2
	gives client_old "$port" 1.3
	gives get "$port" "ca=$PKI/ca.pem" # no name: the address
	gives get "$port" "ca=$PKI/ca.pem" sni=localhost own-bio accept-all
	keeps server-not-verified get "$port" sni=localhost
	keeps server-not-verified get "$port" sni=localhost accept-all
	keeps server-not-verified get "$port" sni=localhost store-accept-all
	keeps server-not-verified get "$port" "ca=$PKI/other-ca.pem" sni=localhost store-accept-all
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" verify=a.test accept-all
	server_use wrong
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem"
	keeps server-not-verified get "$port" "ca=$PKI/ca.pem" own-bio
	by_old
}

test_tls_too_old() {
	export MTLS_ONLY_IF=tls1.3
	server_use ask
	keeps tls-too-old client_old "$port" 1.2
	gives client_old "$port" 1.3
}

test_issuer() {
	local version
	for version in 1.2 1.3; do
		server_use issuers_other
		MTLS_ISSUER=match keeps issuer-not-accepted client_old "$port" $version
		MTLS_ISSUER=any gives client_old "$port" $version
		server_use issuers_root
		MTLS_ISSUER=match gives client_old "$port" $version
		server_use issuers_none
		MTLS_ISSUER=match gives client_old "$port" $version
	done
}

test_signature() {
	local version
	for version in 1.2 1.3; do
		server_use ecdsa
		gives client_old "$port" $version
		cred=$PKI/device-rsa keeps no-common-signature client_old "$port" $version
		cred=$PKI/device-ed25519 keeps no-common-signature client_old "$port" $version
		server_use pss
		subject=CN=device-rsa cred=$PKI/device-rsa gives client_old "$port" $version
		keeps no-common-signature client_old "$port" $version
	done
	server_use ecdsa # P-384 in TLS 1.3 is another scheme than P-256; in TLS 1.2 the curve does not matter
	cred=$PKI/device-p384 keeps no-common-signature client_old "$port" 1.3
	subject=CN=device-p384 cred=$PKI/device-p384 gives client_old "$port" 1.2
}

test_settings() {
	server_use ask
	MTLS_DISABLE=1 nothing_sent bare get "$port"
	MTLS_HOSTS=a..b keeps bad-setting get "$port"
	MTLS_AGENT=$T/none keeps agent-unavailable get "$port"
	by_old
}

# What the program verifies 1.1.1 tells nobody. Without SNI and look-up the name is unknown: no allow matches, each deny does.
test_many_names() {
	server_use ask
	presented bare shared names a.test
	MTLS_HOSTS=a.test nothing_sent bare shared names a.test
	words reason=host-not-listed
	MTLS_HOSTS='!b.test' nothing_sent bare shared names a.test b.test
	words reason=host-not-listed
	MTLS_HOSTS='!b.test' presented bare get "$port" verify=a.test sni=a.test
}

# --- the program's own -----------------------------------------------------------------------

# 1.1.1 empties the error queue itself when a callback gives it a certificate with its key, whosever they are.
test_client_cert_cb() {
	chooses client-cb=s
	chooses ctx-cb=n+client-cb=s
	leaves client-cb=n
	leaves ctx-cb=n+client-cb=n
	attempt plain own ctx-cb=e+client-cb=s
	expect_text out 'subject: CN=app-own'
	! grep -q '^queue=' out || fail "it does not: $(grep '^queue=' out)"
}

# --- the process -----------------------------------------------------------------------------

# As test_state_after_each_hook of 33-harmless: what a program may look at after each call.
test_state_after_each_hook() {
	local setting
	server_use ask
	attempt plain "$probes/hooks" "$port"
	expect_rc 0
	mv out without
	grep -q '^SSL_CTX_new works: 1 ' without || fail "no context: $(cat without)"
	for setting in MTLS_LOG=debug MTLS_DISABLE=1 MTLS_HOSTS=a..b "MTLS_DIR=$T/none"; do
		attempt bare env "$setting" "$probes/hooks" "$port"
		expect_rc 0
		cmp -s out without || fail "$setting: $(diff without out | head -n 4 | tr '\n' ' ')"
	done
	grep -q ' hook what=SSL_CTX_new' log || fail "the shim was not there: $(cat log)"
}

test_threads() {
	server_use required
	attempt bare "$probes/parallel" 100 lookup "localhost:$port"
	expect_rc 0
	expect_text out 100
}

test_children() {
	server_use required
	attempt bare "$probes/process" fork-after "$port"
	expect_rc 0
	expect_text out 'good=200 descriptors=0 zombies=0'
	attempt bare "$probes/process" close "$port"
	expect_rc 0
}

# --- both in one process -----------------------------------------------------------------------

# loader is linked with neither; it loads by path and looks up by handle.
loader() {
	"${via[@]}" "$BUILD/tests/loader" "$@" "$port"
}

test_found_by_handle() {
	local library=$old/lib/libssl.so.1.1
	export LD_LIBRARY_PATH=$old/lib # for libcrypto
	server_use required
	refused plain loader dlsym "$library"
	presented bare loader dlsym "$library"
	by_old
}

test_beside_openssl_3() {
	local library=$old/lib/libssl.so.1.1
	export LD_LIBRARY_PATH=$old/lib
	server_use required
	attempt bare loader second "$library"
	expect_rc 0
	expect_text out "asked=$library made=$library"
	[ "$(grep -c '/libssl.so.3 made=.*/libssl.so.3$' out)" = 1 ] || fail "libssl.so.3 made none of its own: $(cat out)"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
	by_old
}

for name in $(declare -F | sed -n 's/^declare -f test_//p'); do
	eval "$(declare -f "test_$name" | sed '1s/^test_/case_/')"
	eval "test_$name() { there; case_$name; }"
done
