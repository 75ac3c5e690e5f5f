# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What 10-clients.sh and 11-keys.sh show of OpenSSL's clients, for those of GnuTLS: with us both kinds of server see
# the machine's subject with leaf and intermediate, in TLS 1.2 and 1.3, with every type and encoding of key. The
# twins: without us the same program is refused; a server that does not ask gets nothing; a removed credential is
# none; and the program's own certificate, by its own option, is what arrives.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh

parallel=2

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	mkdir "$W/removed"
	: >"$W/removed/client_cert.pem"
	: >"$W/removed/private_key.pem"
}

# only VERSION CLIENT: prints the option for a server, where the client cannot choose
only() {
	[[ " ${choosers[*]} " == *" $2 "* ]] || echo "--tls $1"
}

# logged WORD [KEY=VALUE...]: each decision of the log
logged() {
	local word=$1 line lines
	shift
	mapfile -t lines < <(grep -E ' (presented|withheld|broken) ' log)
	[ ${#lines[@]} != 0 ] || fail "nothing is logged"
	for line in "${lines[@]}"; do
		expect_line "$line" "reason=$word" "$@"
	done
}

# A hook that this client does not reach, a chain without its intermediate, a session of another version.
ours() {
	gnutls_require "$1"
	# shellcheck disable=SC2046 # two words or none
	server_start ask --request required $(only "$2" "$1")
	presented mtls "client_$1" "$port" "$2"
	expect_line "$(tail -n 1 "$seen")" "tls=$2" resumed=no
	[ "$1" = git ] || expect_text out "subject: CN=device"
	expect_none
	logged presented subject=CN=device "tls=$2" "port=$port"
	[[ $(tail -n 1 log) == *' lib=gnutls/3.'* ]] || fail "the log names no GnuTLS: $(tail -n 1 log)"
}

s_server_says() {
	grep -qF -e "$1" "$seen"
}

# against_s_server WAY CLIENT VERSION: in the background, because s_server speaks no LDAP and does not end an answer in
# a way that apt understands: they would wait. The runner ends what is left.
against_s_server() {
	attempt "$1" "client_$2" "$port" "${3-}" &
}

# The same, judged by somebody else's server.
theirs() {
	gnutls_require "$1"
	s_server_start s_server "-tls${2/./_}" -Verify 1 -verify_return_error
	against_s_server mtls "$1" "$2"
	until_true 10 s_server_says "depth=0 CN = device" || fail "s_server saw no certificate: $(tail -n 3 "$seen")"
	s_server_says "depth=1 CN = Test Intermediate" || fail "no intermediate"
	! s_server_says error: || fail "s_server is not pleased: $(grep -F error: "$seen")"
	[[ " git ldapsearch apt " != *" $1 "* ]] || return 0
	wait $!
	expect_text out "Verify return code: 0 (ok)"
}

# turned_away CMD...: however often it tries, nothing arrives and it knows
turned_away() {
	attempt "$@"
	[ "$rc" != 0 ] || fail "worked without a certificate"
	expect_seen subject= chain=0 asked=yes result=refused
	! grep -q 'subject="CN=' "$seen" || fail "a certificate: $(tail -n 1 "$seen")"
}

# If it works without us, the other tests of this file prove nothing.
without() {
	local version
	gnutls_require "$1"
	for version in 1.2 1.3; do
		server_start "ask$version" --request required --tls "$version"
		turned_away plain "client_$1" "$port"
	done
	s_server_start s_server -Verify 1 -verify_return_error
	against_s_server plain "$1"
	until_true 10 s_server_says 'peer did not return a certificate' || fail "s_server saw nothing"
	! s_server_says 'depth=' || fail "s_server saw a certificate"
}

# A certificate that leaves uninvited tells every server who we are.
not_asked() {
	local version
	gnutls_require "$1"
	for version in 1.2 1.3; do
		server_start "silent$version" --request none --tls "$version"
		nothing_sent mtls "client_$1" "$port"
		expect_line "$(tail -n 1 "$seen")" asked=no
		expect_none
	done
	! grep -qE ' (presented|withheld) ' log || fail "a decision that nobody asked for: $(cat log)"
}

# A removed credential that is still presented, or that stops the program.
removed() {
	local cred=$W/removed
	gnutls_require "$1"
	server_start optional --request optional
	nothing_sent mtls "client_$1" "$port"
	expect_line "$(tail -n 1 "$seen")" asked=yes
	logged removed
	server_start required --request required
	turned_away bare "client_$1" "$port"
}

# The launcher only sets the stage: the library alone does it.
bare_preload() {
	gnutls_require "$1"
	server_start ask --request required
	presented bare "client_$1" "$port"
	expect_none
}

# Its own certificate, with and without us; ours would be another subject.
its_own() {
	local own=$PKI/app-own subject=CN=app-own version
	gnutls_require "$1"
	for version in 1.2 1.3; do
		server_start "ask$version" --request required --tls "$version" --no-tickets
		presented plain "client_$1" "$port"
		rm -f log
		presented bare "client_$1" "$port"
		expect_none
		logged app-certificate "tls=$version"
	done
}

for client in "${gnutls_clients[@]}"; do
	eval "test_${client}_tls12() { ours $client 1.2; }"
	eval "test_${client}_tls13() { ours $client 1.3; }"
	eval "test_${client}_s_server_tls12() { theirs $client 1.2; }"
	eval "test_${client}_s_server_tls13() { theirs $client 1.3; }"
	eval "test_${client}_bare_preload() { bare_preload $client; }"
	eval "test_${client}_without_us() { without $client; }"
	eval "test_${client}_not_asked() { not_asked $client; }"
	eval "test_${client}_removed() { removed $client; }"
	eval "test_${client}_its_own() { its_own $client; }"
done

# A listing that a git user would see: the files of a dumb server, from s_server.
test_git_lists_a_repository() {
	local id=0123456789abcdef0123456789abcdef01234567
	gnutls_require git
	mkdir -p "info"
	printf '%s\trefs/heads/main\n' $id | tee "info/refs" >"info/refs?service=git-upload-pack"
	echo 'ref: refs/heads/main' >HEAD
	s_server_start s_server -WWW -Verify 1 -verify_return_error
	attempt plain env "GIT_SSL_CAINFO=$PKI/ca.pem" git ls-remote "https://localhost:$port/"
	[ "$rc" != 0 ] || fail "a listing without a certificate"
	attempt mtls env "GIT_SSL_CAINFO=$PKI/ca.pem" git ls-remote "https://localhost:$port/"
	expect_rc 0
	expect_text out "$id	refs/heads/main"
	s_server_says "depth=0 CN = device" || fail "s_server saw no certificate"
}

# --- keys -----------------------------------------------------------------------------

# A type whose signature is taken for another's, or that only one version can use.
type_of_key() {
	local version client subject=CN=$1
	local cred=$PKI/$1
	server_start required --request required
	for version in 1.2 1.3; do
		for client in wget gnutls_cli; do
			gnutls_require $client
			presented mtls client_$client "$port" $version
			expect_line "$(tail -n 1 "$seen")" tls=$version
		done
	done
	expect_none
}

test_key_ec_p256() { type_of_key device; }
test_key_ec_p384() { type_of_key device-p384; }
test_key_rsa() { type_of_key device-rsa; }
test_key_ed25519() { type_of_key device-ed25519; }

# A key that parses in one encoding only, or a passphrase that does not reach the parser.
encoding() {
	local cred=$PKI/key/$1 subject=CN=$2
	gnutls_require wget
	[ -s "$cred/private_key.pem" ] || fail "pki.sh makes no $1"
	server_start required --request required
	presented mtls client_wget "$port" 1.2
	presented bare client_wget "$port" 1.3
}

# GnuTLS reads no scrypt (RFC 7914): the word is for that library, and other programs have the same files.
unsupported() {
	local cred=$PKI/key/$1 subject=CN=$2
	gnutls_require wget
	server_start optional --request optional
	nothing_sent bare client_wget "$port"
	expect_line "$(tail -n 1 "$seen")" asked=yes
	expect_line "$(grep -m 1 ' broken ' log)" reason=key-unsupported "what=$cred/private_key.pem"
	expect_line "$(grep ' withheld ' log)" reason=key-unsupported
	presented bare client_curl "$port"
}

for form in pkcs8 pkcs8-aes-256-cbc pkcs8-aes-128-cbc pkcs8-des3 pkcs8-pbe-sha1-3des; do
	eval "test_key_ec_${form//-/_}() { encoding ec-$form device; }"
	eval "test_key_rsa_${form//-/_}() { encoding rsa-$form device-rsa; }"
done
for form in sec1 sec1-parameters sec1-aes256 sec1-des3; do
	eval "test_key_ec_${form//-/_}() { encoding ec-$form device; }"
done
for form in pkcs1 pkcs1-aes256 pkcs1-des3; do
	eval "test_key_rsa_${form//-/_}() { encoding rsa-$form device-rsa; }"
done
test_key_ec_pkcs8_scrypt() { unsupported ec-pkcs8-scrypt device; }
test_key_rsa_pkcs8_scrypt() { unsupported rsa-pkcs8-scrypt device-rsa; }

# A chain that is cut, or that GnuTLS puts into another order.
test_chain_of_ten() {
	local version cred=$PKI/device-deep
	gnutls_require wget
	server_start required --request required
	for version in 1.2 1.3; do
		attempt bare client_wget "$port" $version
		expect_rc 0
		expect_seen subject=CN=device-deep chain=10 verify=ok tls=$version
	done
}

# What people really put there, for a parser that is not OpenSSL's.
test_crlf_bom_and_prose() {
	local cred=$T/cred
	gnutls_require wget
	cp -r "$PKI/key/ec-sec1-aes256" cred
	sed -i 's/$/\r/' cred/*
	sed -i '1s/^/\xef\xbb\xbf# -----BEGIN is how a block starts\r\n/' cred/*.pem
	server_start required --request required
	presented bare client_wget "$port"
	cat "$PKI/device/private_key.pem" "$PKI/device/client_cert.pem" >cred/client_cert.pem
	presented bare client_wget "$port"
}

# RSA in TLS 1.3 is PSS only; an EC key has nothing for such a server: none is sent, the program goes on.
test_rsa_pss_only() {
	local version
	gnutls_require wget
	server_start rsa_pss --request optional --sigalgs RSA-PSS+SHA256
	for version in 1.2 1.3; do
		subject=CN=device-rsa cred=$PKI/device-rsa presented bare client_wget "$port" $version
		nothing_sent bare client_wget "$port" $version
		expect_line "$(tail -n 1 log)" reason=no-common-signature
	done
}
