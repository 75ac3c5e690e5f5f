# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the contract calls broken: mtls-run ends with 125 and one line that names the
# file and the reason; under bare LD_PRELOAD the program goes on as without us, the
# server gets nothing, and the log has the reason's word, once.

# Each refusal takes a second: mtls-run waits for somebody who may be writing.
parallel=8

folder() {
	cred=$T/cred
	cp -r "${1-$PKI/device}" "$cred"
}

# sentence_of WORD: what a person is told; the table is core/reason.def
sentence_of() {
	sed -n "s/^MTLS_REASON([A-Z0-9_]*, \"$1\", [A-Z]*, \"\([^\"]*\)\".*/\1/p" "$TOP/core/reason.def"
}

# ended REASON WHAT: exit 125 and a line on standard error, nothing more
ended() {
	local sentence
	sentence=$(sentence_of "$1")
	[ -n "$sentence" ] || fail "core/reason.def has no $1"
	expect_rc 125
	one_line err "$2"
	one_line err "$sentence"
	[ ! -s "$T/out" ] || fail "the program ran"
}

# goes_on CMD...: bare; nothing is sent, and the log has the one line that is told
goes_on() {
	export MTLS_LOG_FILE=$T/log
	touch "$T/log"
	nothing_sent "$@"
	expect_line "$(tail -n 1 "$seen")" asked=yes
	expect_none
}

# broken REASON WHAT: the credential folder $cred
broken() {
	server_start optional --request optional
	goes_on bare client_curl "$port"
	[ "$(grep -c ' broken ' "$T/log")" = 1 ] || fail "expected one line: $(head -c 400 "$T/log")"
	expect_line "$(grep ' broken ' "$T/log")" "reason=$1" "what=$2"
	attempt mtls client_curl "$port"
	ended "$1" "$2"
	expect_none
}

test_folder_missing() {
	cred=$T/misspelt
	broken folder-missing "$cred"
}

test_certificate_missing() {
	folder
	rm "$cred/client_cert.pem"
	broken certificate-missing "$cred/client_cert.pem"
}

test_certificate_empty() {
	folder
	printf ' \r\n' >"$cred/client_cert.pem"
	broken certificate-missing "$cred/client_cert.pem"
}

test_key_missing() {
	folder
	rm "$cred/private_key.pem"
	broken key-missing "$cred/private_key.pem"
}

test_key_empty() {
	folder
	: >"$cred/private_key.pem"
	broken key-missing "$cred/private_key.pem"
}

test_named_certificate_missing() {
	server_start optional --request optional
	goes_on env MTLS_CERT="$T/no.pem" LD_PRELOAD="$LIB" curl -sS --cacert "$PKI/ca.pem" "https://localhost:$port/"
	expect_line "$(grep ' broken ' "$T/log")" reason=certificate-missing "what=$T/no.pem"
	attempt "$RUN" -c "$T/no.pem" true
	ended certificate-missing "$T/no.pem"
}

test_named_passphrase_missing() {
	local from=$PKI/key/ec-pkcs8-aes-256-cbc
	attempt "$RUN" -c "$from/client_cert.pem" -k "$from/private_key.pem" --pass-file "$T/no.txt" true
	ended passphrase-missing "$T/no.txt"
}

not_a_file() {
	broken not-a-file "$cred/$1"
}

test_folder_for_a_file() {
	folder
	rm "$cred/client_cert.pem"
	mkdir "$cred/client_cert.pem"
	not_a_file client_cert.pem
}

# An open(2) that waits for a writer is a program that hangs.
test_fifo() {
	folder
	rm "$cred/private_key.pem"
	mkfifo "$cred/private_key.pem"
	not_a_file private_key.pem
}

# Everybody may write it, but it is no file of which that would matter.
test_device() {
	folder
	ln -sf /dev/zero "$cred/client_cert.pem"
	not_a_file client_cert.pem
}

test_fifo_for_the_passphrase() {
	folder "$PKI/key/ec-pkcs8-aes-256-cbc"
	rm "$cred/private_key_pass.txt"
	mkfifo "$cred/private_key_pass.txt"
	not_a_file private_key_pass.txt
}

# Root reads everything: its program then runs as nobody, with copies that nobody can reach.
test_unreadable() {
	folder
	chmod 0 "$cred/private_key.pem"
	if [ "$(id -u)" = 0 ]; then
		mkdir bin pki
		cp "$LIB" "$RUN" "$CRED" bin/
		cp "$PKI/ca.pem" "$PKI"/server.* pki/
		chmod -R go+rX bin pki "$cred"
		chmod 0 "$cred/private_key.pem"
		chmod 711 "$WORK" "$W" "$T"
		touch log
		chmod 666 log
		LIB=$T/bin/libmtls-run.so RUN=$T/bin/mtls-run PKI=$T/pki
		as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
		"${as_nobody[@]}" test -x "$RUN" 2>/dev/null || skip "another user cannot look into $T"
	fi
	broken unreadable "$cred/private_key.pem"
}

two_megabytes() {
	folder
	head -c 2097152 /dev/zero | tr '\0' '\n' >>"$cred/$1"
	broken too-large "$cred/$1"
}

test_certificate_of_2_MB() { two_megabytes client_cert.pem; }
test_key_of_2_MB() { two_megabytes private_key.pem; }

test_40_certificates() {
	local i
	folder
	for ((i = 0; i < 38; i++)); do
		cat "$PKI/intermediate.pem"
	done >>"$cred/client_cert.pem"
	broken too-large "$cred/client_cert.pem"
}

test_passphrase_of_4000_bytes() {
	folder "$PKI/key/ec-pkcs8-aes-256-cbc"
	printf '%04000d\n' 7 >"$cred/private_key_pass.txt"
	broken passphrase-too-long "$cred/private_key_pass.txt"
}

test_passphrase_of_1024_bytes() {
	folder "$PKI/key/ec-pkcs8-aes-256-cbc"
	printf '%01024d\n' 7 >"$cred/private_key_pass.txt"
	broken passphrase-too-long "$cred/private_key_pass.txt"
}

# file_is FILE REASON: with what standard input says
file_is() {
	folder
	cat >"$cred/$1"
	broken "$2" "$cred/$1"
}

test_certificate_random() { head -c 3000 /dev/urandom | file_is client_cert.pem certificate-malformed; }
test_key_random() { head -c 3000 /dev/urandom | file_is private_key.pem key-malformed; }

placeholder='Replace the content of this file with your own,
as described in the documentation.'

test_certificate_placeholder() { file_is client_cert.pem certificate-malformed <<<"$placeholder"; }
test_key_placeholder() { file_is private_key.pem key-malformed <<<"$placeholder"; }

test_certificate_der() {
	openssl x509 -in "$PKI/device/client_cert.pem" -outform DER | file_is client_cert.pem certificate-malformed
}

test_certificate_cut_short() { head -n 5 "$PKI/device/client_cert.pem" | file_is client_cert.pem certificate-malformed; }
test_key_cut_short() { head -n 2 "$PKI/device/private_key.pem" | file_is private_key.pem key-malformed; }

# The frame is right, the bytes inside are not.
test_certificate_garbled() {
	sed '3s/^..../AAAA/' "$PKI/device/client_cert.pem" | file_is client_cert.pem certificate-malformed
}

test_key_garbled() { sed '2s/^..../AAAA/' "$PKI/device/private_key.pem" | file_is private_key.pem key-malformed; }

# The second certificate counts as well.
test_intermediate_garbled() {
	{ cat "$PKI/device/client_cert.pem"; sed '3s/^..../AAAA/' "$PKI/intermediate.pem"; } |
		file_is client_cert.pem certificate-malformed
}

# PKCS#8 (RFC 5958) in good order, of an algorithm that nobody has.
test_key_unsupported() {
	printf '%s\n' 'asn1=SEQUENCE:key' '[key]' 'v=INTEGER:0' 'a=SEQUENCE:algorithm' \
		'k=FORMAT:HEX,OCTETSTRING:0102030405060708' '[algorithm]' 'o=OID:1.3.6.1.4.1.99999.1' >key.cnf
	openssl asn1parse -genconf key.cnf -noout -out key.der
	{ echo '-----BEGIN PRIVATE KEY-----'; base64 key.der; echo '-----END PRIVATE KEY-----'; } |
		file_is private_key.pem key-unsupported
}

test_key_pkcs11() { file_is private_key.pem key-needs-agent <<<'pkcs11:token=device;object=key;type=private'; }
test_key_handle() { file_is private_key.pem key-needs-agent <<<'handle:0x81000001'; }

test_key_tss2() {
	file_is private_key.pem key-needs-agent <<-'TSS2'
		-----BEGIN TSS2 PRIVATE KEY-----
		MBAGBmeBBQoBA6EDAgEABAEBBAEB
		-----END TSS2 PRIVATE KEY-----
	TSS2
}

test_passphrase_missing() {
	folder "$PKI/key/ec-pkcs8-aes-256-cbc"
	rm "$cred/private_key_pass.txt"
	broken passphrase-missing "$cred/private_key_pass.txt"
}

test_passphrase_missing_traditional() {
	folder "$PKI/key/rsa-pkcs1-des3"
	: >"$cred/private_key_pass.txt"
	broken passphrase-missing "$cred/private_key_pass.txt"
}

passphrase_wrong() {
	folder "$PKI/key/$1"
	echo 'open sesam' >"$cred/private_key_pass.txt"
	broken passphrase-wrong "$cred/private_key_pass.txt"
}

test_passphrase_wrong() { passphrase_wrong ec-pkcs8-aes-256-cbc; }
test_passphrase_wrong_traditional() { passphrase_wrong rsa-pkcs1-aes256; }
test_passphrase_wrong_scrypt() { passphrase_wrong rsa-pkcs8-scrypt; }

test_pair_mismatch() { file_is private_key.pem pair-mismatch <"$PKI/app-own/private_key.pem"; }
test_pair_mismatch_other_type() { file_is private_key.pem pair-mismatch <"$PKI/device-rsa/private_key.pem"; }

test_file_that_everybody_may_write() {
	folder
	chmod 666 "$cred/client_cert.pem"
	broken unsafe-permissions "$cred/client_cert.pem"
}

test_folder_that_everybody_may_write() {
	folder
	chmod 777 "$cred"
	broken unsafe-permissions "$cred"
}

# bad_setting WHAT VARIABLE=VALUE: mtls-run refuses; bare, nothing is sent and the log says why
bad_setting() {
	local what=$1
	shift
	cred=${cred:-$PKI/device}
	server_start optional --request optional
	goes_on env "$@" "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" curl -sS --cacert "$PKI/ca.pem" "https://localhost:$port/"
	expect_line "$(grep -m 1 bad-setting "$T/log")" reason=bad-setting "what=$what"
	attempt env "$@" "$RUN" -d "$cred" true
	ended bad-setting "$what"
}

test_hosts_malformed() { bad_setting MTLS_HOSTS MTLS_HOSTS=a..b; }
test_hosts_empty() { bad_setting MTLS_HOSTS MTLS_HOSTS=; }
test_issuer_unknown() { bad_setting MTLS_ISSUER MTLS_ISSUER=maybe; }
test_only_if_unknown() { bad_setting MTLS_ONLY_IF MTLS_ONLY_IF=verified,tls1.4; }
test_pha_unknown() { bad_setting MTLS_PHA MTLS_PHA=sometimes; }

test_unknown_key_in_conf() {
	folder
	echo 'colour = green' >"$cred/mtls.conf"
	bad_setting "$cred/mtls.conf" A=b
}

test_bad_value_in_conf() {
	folder
	printf '# who\n\nhosts = a..b\n' >"$cred/mtls.conf"
	bad_setting "$cred/mtls.conf" A=b
}
