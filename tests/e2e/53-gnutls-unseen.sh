# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What we are not told of, or only later: calls that reach libgnutls past our hooks, a handshake that fails after we
# have chosen, a certificate that GnuTLS does not send after all, a libgnutls without PKCS#11.

parallel=2

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
}

unseen() {
	"${via[@]}" "$probes/gnutls_unseen" "$1" "$PKI/server.pem" "$PKI/server.key"
}

# pair SCENARIO CERT KEY: the server's
pair() {
	"${via[@]}" "$probes/gnutls_pair" "$1" "$2" "$3" "$PKI/app-own/private_key.pem" "$cred" "$PKI/ca.pem"
}

# unchanged CMD...: without us, with us, line by line
unchanged() {
	rm -f log
	attempt plain "$@"
	expect_rc 0
	mv out without
	attempt bare "$@"
	expect_rc 0
	cmp -s out without || fail "$*: $(diff without out | tr '\n' ' ')"
}

# told WORD...: the reason of each decision
told() {
	local words
	words=$(sed -n 's/.* \(presented\|withheld\) reason=\([^ ]*\) .*/\2/p' log 2>/dev/null | tr '\n' ' ')
	[ "${words% }" = "$*" ] || fail "expected \"$*\" in the log: $(cat log)"
}

# --- past our hooks -----------------------------------------------------------------------

# The address of a client's session, whose end we did not see, is a server's now: it has no certificate, and gets none.
test_server_where_a_client_was() {
	unchanged unseen server
	expect_text out 'server=GNUTLS_E_NO_CIPHER_SUITES'
	expect_text out 'the server showed -'
	unchanged unseen server-unseen
	expect_text out 'the server showed -'
	told
}

test_client_where_a_client_was() {
	attempt bare unseen client
	expect_rc 0
	[ "$(grep -c '^saw some 2 CN=device$' out)" = 2 ] || fail "$(cat out)"
	told presented presented
}

# Our handshake hook is gone, and we do not know: nothing may leave that it should have watched.
test_handshake_hook_set_unseen() {
	MTLS_ONLY_IF=verified unchanged unseen hook
	expect_text out 'saw empty 0 -'
	told server-not-verified
	attempt bare unseen hook
	expect_text out 'saw some 2 CN=device'
	told server-not-verified presented
}

# --- the log says what leaves -----------------------------------------------------------------

# A good certificate in the hands of somebody who has not its key: GnuTLS ends the handshake, and ours has not left.
test_server_without_its_key() {
	local setting
	for setting in MTLS_ONLY_IF=verified MTLS_ONLY_IF=; do
		export "${setting?}"
		unchanged pair wrong-key "$PKI/server.pem" "$PKI/server.key"
		expect_text out 'client=GNUTLS_E_PK_SIG_VERIFY_FAILED'
		expect_text out 'saw none'
		told
	done
	# the twin: with its key
	export MTLS_ONLY_IF=
	attempt bare pair x509 "$PKI/server.pem" "$PKI/server.key"
	expect_text out 'saw some 2 CN=device'
	told presented
}

# The program verifies, and does not like the server: nothing has left.
test_server_refused_by_the_program() {
	server_start ask --request optional --no-tickets --tls 1.3
	attempt bare "$probes/gnutls_get" "$port" sni=a.test verify=a.test check "ca=$PKI/ca.pem"
	[ "$rc" != 0 ] || fail "the server is not refused"
	expect_seen subject= result=failed
	told
	presented bare "$probes/gnutls_get" "$port" sni=localhost verify=localhost check "ca=$PKI/ca.pem"
	told presented
}

# GnuTLS finds out last that its priorities forbid the only signature that would do, and sends an empty message.
test_not_sent_after_all() {
	unchanged pair signature "$PKI/device-rsa/client_cert.pem" "$PKI/device-rsa/private_key.pem"
	expect_text out 'saw empty 0 -'
	told no-common-signature
}

# --- built without p11-kit ------------------------------------------------------------------------

# without_pkcs11: in lib, a libgnutls in which nobody finds gnutls_privkey_import_pkcs11 but itself, because the
# symbol's version is a hidden one (the highest bit in .gnu.version)
without_pkcs11() {
	local index section file=lib/libgnutls.so.30
	mkdir lib
	cp "$(ldd "$probes/gnutls_get" | sed -n 's/.*libgnutls\.so\.30 => \([^ ]*\) .*/\1/p')" $file
	index=$(readelf -W --dyn-syms $file | awk '$8 ~ /^gnutls_privkey_import_pkcs11@/ {print $1 + 0}')
	section=$(readelf -WS $file | sed -n 's/.* \.gnu\.version  *VERSYM  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
	[ -n "$index$section" ] || fail "this libgnutls has another form"
	printf '\200' | dd "of=$file" bs=1 "seek=$((0x$section + 2 * index + 1))" conv=notrunc status=none
	readelf -W --dyn-syms $file | grep -q ' gnutls_privkey_import_pkcs11@GNUTLS' || fail "the symbol is not hidden"
}

test_without_pkcs11() {
	local scenario
	without_pkcs11
	export LD_LIBRARY_PATH=$T/lib
	server_start ask --request optional --no-tickets
	presented bare "$probes/gnutls_get" "$port"
	for scenario in v1=s cert; do
		subject=CN=app-own presented bare "$probes/gnutls_own" $scenario "$port" \
			"$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem"
	done
	told presented app-certificate app-certificate
}
