# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# One table of situations, each met by a program of OpenSSL and by one of GnuTLS: the same word in the log and the
# same seen at the server, whichever library the program has. The policy itself stands in 30-policy.sh.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh

parallel=2

# NAME|TLS|CREDENTIAL|SERVER|SETTINGS|WORD|SUBJECT|CLIENT
#   TLS         1.2, 1.3, or both: a test each
#   CREDENTIAL  a folder of pki.sh, or of setup below
#   SERVER      options, after --no-tickets and, unless it has another --request, --request optional
#   SETTINGS    of the shim
#   WORD        of the one decision; -: there is none
#   SUBJECT     without CN=; empty: nothing arrives
#   CLIENT      web: curl and wget. get …: probes get and gnutls_get. own A B: scenarios of own and of gnutls_own
#               h2: curl and gnutls_get, in HTTP/2
# CA, OTHER, PORT, INTERMEDIATE and WORK stand for files, the server's port and the test's folder.
table() {
	cat <<-'ROWS'
		web|both|device|||presented|device|web
		web_own|both|device|||app-certificate|app-own|web own
		web_issuer|both|device|--issuers OTHER|MTLS_ISSUER=match|issuer-not-accepted||web
		web_host|both|device||MTLS_HOSTS=a.test|host-not-listed||web
		web_verified|both|device||MTLS_ONLY_IF=verified|presented|device|web
		web_after_handshake|1.3|device|--pha||presented|device|web

		http2_after_handshake|1.3|device|--alpn h2 --pha||http2||h2
		http2_in_handshake|1.3|device|--alpn h2||presented|device|h2
		http2_before_host|1.3|device|--alpn h2 --pha|MTLS_HOSTS=a.test|http2||h2

		key_p256|both|device|||presented|device|get
		key_p384|both|device-p384|||presented|device-p384|get
		key_rsa|both|device-rsa|||presented|device-rsa|get
		key_ed25519|both|device-ed25519|||presented|device-ed25519|get
		no_request|both|device|--request none||-||get
		disabled|both|device||MTLS_DISABLE=1|-||get

		own_certificate|both|device|||app-certificate|app-own|own ctx-cert cert
		own_callback_1|both|device|||app-certificate|app-own|own client-cb=s v1=s
		own_callback_2|both|device|||app-certificate|app-own|own ctx-cb=s v2=s
		own_callback_3|both|device|||app-certificate|app-own|own ssl-cb=s v3=s
		own_callback_1_has_none|both|device|||presented|device|own client-cb=n v1=n
		own_callback_2_has_none|both|device|||presented|device|own ctx-cb=n v2=n
		own_callback_3_has_none|both|device|||presented|device|own ssl-cb=n v3=n
		own_callback_taken_off|both|device|||presented|device|own ctx-cb=s+client-cb=s+unset v2=s+unset1
		own_callback_fails|both|device|||-|failed|own ctx-cb=f v3=f
		own_and_removed|both|gone|||app-certificate|app-own|own ctx-cert cert
		own_and_bad_setting|both|device||MTLS_HOSTS=a..b|app-certificate|app-own|own ctx-cert cert
		own_and_host|both|device||MTLS_HOSTS=a.test|app-certificate|app-own|own client-cb=s v3=s
		own_none_and_host|both|device||MTLS_HOSTS=a.test|host-not-listed||own client-cb=n v3=n
		own_none_and_removed|both|gone|||removed||own client-cb=n v1=n

		bad_setting|both|device||MTLS_HOSTS=a..b|bad-setting||get
		removed|both|gone|||removed||get
		no_credential|both|nothing|||no-credential||get
		folder_missing|both|misspelt|||folder-missing||get
		certificate_missing|both|certificate-missing|||certificate-missing||get
		key_missing|both|key-missing|||key-missing||get
		not_a_file|both|not-a-file|||not-a-file||get
		too_large|both|too-large|||too-large||get
		passphrase_too_long|both|passphrase-too-long|||passphrase-too-long||get
		certificate_malformed|both|certificate-malformed|||certificate-malformed||get
		certificate_garbled|both|certificate-garbled|||certificate-malformed||get
		intermediate_garbled|both|intermediate-garbled|||certificate-malformed||get
		key_malformed|both|key-malformed|||key-malformed||get
		key_garbled|both|key-garbled|||key-malformed||get
		key_unsupported|both|key-unsupported|||key-unsupported||get
		key_needs_agent|both|key-needs-agent|||key-needs-agent||get
		passphrase_missing|both|passphrase-missing|||passphrase-missing||get
		passphrase_missing_traditional|both|traditional-missing|||passphrase-missing||get
		passphrase_wrong|both|passphrase-wrong|||passphrase-wrong||get
		passphrase_wrong_traditional|both|traditional-wrong|||passphrase-wrong||get
		pair_mismatch|both|pair-mismatch|||pair-mismatch||get
		pair_mismatch_other_type|both|pair-mismatch-rsa|||pair-mismatch||get
		unsafe_permissions|both|unsafe-permissions|||unsafe-permissions||get
		agent_unavailable|both|device||MTLS_AGENT=/nonexistent|agent-unavailable||get

		host_by_sni|both|device||MTLS_HOSTS=a.test|presented|device|get sni=a.test
		host_by_sni_unlisted|both|device||MTLS_HOSTS=a.test|host-not-listed||get sni=b.test
		host_by_sni_denied|both|device||MTLS_HOSTS=!a.test|host-not-listed||get sni=a.test
		host_verified_beats_sni|both|device||MTLS_HOSTS=a.test|presented|device|get verify=a.test sni=b.test
		host_verified_unlisted|both|device||MTLS_HOSTS=b.test|host-not-listed||get verify=a.test sni=b.test
		host_by_lookup|both|device||MTLS_HOSTS=localhost|presented|device|get lookup=getaddrinfo:localhost
		host_by_lookup_unlisted|both|device||MTLS_HOSTS=a.test|host-not-listed||get lookup=getaddrinfo:localhost
		host_by_lookup_denied|both|device||MTLS_HOSTS=!localhost|host-not-listed||get lookup=gethostbyname:localhost own-bio
		host_not_known|both|device||MTLS_HOSTS=localhost|host-not-listed||get
		host_by_address|both|device||MTLS_HOSTS=127.0.0.0/8:PORT|presented|device|get
		host_by_address_own_transport|both|device||MTLS_HOSTS=127.0.0.1:PORT|presented|device|get own-bio
		host_by_address_unlisted|both|device||MTLS_HOSTS=10.0.0.0/8|host-not-listed||get own-bio
		host_by_address_denied|both|device||MTLS_HOSTS=!127.0.0.1|host-not-listed||get sni=a.test
		host_other_descriptor|both|device||MTLS_HOSTS=127.0.0.1:PORT|presented|device|get own-bio dup
		host_two_connections|both|device||MTLS_HOSTS=127.0.0.1:PORT|presented|device|get hold=HELD
		host_two_connections_untold|both|device||MTLS_HOSTS=127.0.0.1:PORT|host-not-listed||get own-bio hold=HELD

		only_tls13|1.3|device||MTLS_ONLY_IF=tls1.3|presented|device|get
		only_tls13_too_old|1.2|device||MTLS_ONLY_IF=tls1.3|tls-too-old||get

		verified_by_name|both|device||MTLS_ONLY_IF=verified|presented|device|get ca=CA sni=localhost
		verified_by_address|both|device||MTLS_ONLY_IF=verified|presented|device|get ca=CA
		verified_by_lookup|both|device||MTLS_ONLY_IF=verified|presented|device|get ca=CA lookup=getaddrinfo:localhost
		verified_and_checked|both|device||MTLS_ONLY_IF=verified|presented|device|get ca=CA verify=localhost check
		verified_and_accept_all|both|device||MTLS_ONLY_IF=verified|presented|device|get ca=CA sni=localhost accept-all
		unverified_wrong_name|both|device||MTLS_ONLY_IF=verified|server-not-verified||get ca=CA sni=a.test
		unverified_wrong_name_accepted|both|device||MTLS_ONLY_IF=verified|server-not-verified||get ca=CA verify=a.test accept-all
		unverified_wrong_address|both|device|--cert WRONG.pem --key WRONG.key|MTLS_ONLY_IF=verified|server-not-verified||get ca=CA
		unverified_unknown_ca|both|device||MTLS_ONLY_IF=verified|server-not-verified||get ca=OTHER sni=localhost
		unverified_no_ca|both|device||MTLS_ONLY_IF=verified|server-not-verified||get sni=localhost accept-all
		unverified_expired|both|device|--cert EXPIRED.pem --key EXPIRED.key|MTLS_ONLY_IF=verified|server-not-verified||get ca=CA sni=localhost
		unverified_does_not_matter|both|device|--cert EXPIRED.pem --key EXPIRED.key||presented|device|get ca=CA sni=a.test

		issuer_other|both|device|--issuers OTHER|MTLS_ISSUER=match|issuer-not-accepted||get
		issuer_any|both|device|--issuers OTHER|MTLS_ISSUER=any|presented|device|get
		issuer_root|both|device|--issuers CA|MTLS_ISSUER=match|presented|device|get
		issuer_intermediate|both|device|--issuers INTERMEDIATE|MTLS_ISSUER=match|presented|device|get
		issuer_none_named|both|device|--issuers none|MTLS_ISSUER=match|presented|device|get

		signature_rsa_of_ecdsa|both|device-rsa|--sigalgs ECDSA+SHA256||no-common-signature||get
		signature_ed25519_of_ecdsa|both|device-ed25519|--sigalgs ECDSA+SHA256||no-common-signature||get
		signature_p256_of_pss|both|device|--sigalgs rsa_pss_rsae_sha256||no-common-signature||get
		signature_p256_of_ed25519|both|device|--sigalgs ed25519||no-common-signature||get
		signature_rsa_of_pss|both|device-rsa|--sigalgs rsa_pss_rsae_sha256||presented|device-rsa|get
		signature_rsa_of_pss384|both|device-rsa|--sigalgs rsa_pss_rsae_sha384||presented|device-rsa|get
		signature_rsa_of_pkcs1|1.2|device-rsa|--sigalgs RSA+SHA256||presented|device-rsa|get
		signature_ed25519|both|device-ed25519|--sigalgs ed25519||presented|device-ed25519|get
		signature_p384_of_sha256|1.2|device-p384|--sigalgs ECDSA+SHA256||presented|device-p384|get
		signature_p384_of_p256|1.3|device-p384|--sigalgs ECDSA+SHA256||no-common-signature||get
		signature_p256_of_p384|1.3|device|--sigalgs ECDSA+SHA384||no-common-signature||get
		signature_p256_of_several|both|device|--sigalgs rsa_pss_rsae_sha256:ECDSA+SHA256||presented|device|get

		first_row_host_before_tls|1.2|device|--issuers OTHER|MTLS_HOSTS=a.test MTLS_ONLY_IF=tls1.3 MTLS_ISSUER=match|host-not-listed||get
		first_row_tls_before_verified|1.2|device|--issuers OTHER|MTLS_ONLY_IF=verified,tls1.3 MTLS_ISSUER=match|tls-too-old||get
		first_row_issuer_before_signature|both|device|--issuers OTHER --sigalgs ed25519|MTLS_ISSUER=match|issuer-not-accepted||get
		first_row_removed_before_agent|both|gone||MTLS_AGENT=/nonexistent MTLS_HOSTS=a.test|removed||get
		first_row_agent_before_host|both|device||MTLS_AGENT=/nonexistent MTLS_HOSTS=a.test|agent-unavailable||get
	ROWS
}

# --- credentials and certificates that pki.sh does not make ---------------------------------

# folder NAME [FROM]: a copy of device, or of another
folder() {
	cp -r "$PKI/${2-device}" "$W/cred/$1"
	cd "$W/cred/$1"
}

broken_folders() {
	(folder certificate-missing && rm client_cert.pem)
	(folder key-missing && : >private_key.pem)
	(folder not-a-file && rm private_key.pem && mkfifo private_key.pem)
	(folder too-large && head -c 2097152 /dev/zero | tr '\0' '\n' >>client_cert.pem)
	(folder passphrase-too-long key/ec-pkcs8-aes-256-cbc && printf '%04000d\n' 7 >private_key_pass.txt)
	(folder certificate-malformed && echo nonsense >client_cert.pem)
	(folder certificate-garbled && sed -i '3s/^..../AAAA/' client_cert.pem)
	(folder intermediate-garbled && { openssl x509; sed '3s/^..../AAAA/' "$PKI/intermediate.pem"; } \
		<"$PKI/device/client_cert.pem" >client_cert.pem)
	(folder key-malformed && head -n 2 "$PKI/device/private_key.pem" >private_key.pem)
	(folder key-garbled && sed -i '2s/^..../AAAA/' private_key.pem)
	(folder key-needs-agent && echo 'pkcs11:token=device;object=key;type=private' >private_key.pem)
	(folder passphrase-missing key/ec-pkcs8-aes-256-cbc && rm private_key_pass.txt)
	(folder passphrase-wrong key/ec-pkcs8-aes-256-cbc && echo 'open sesam' >private_key_pass.txt)
	(folder traditional-missing key/rsa-pkcs1-des3 && rm private_key_pass.txt)
	(folder traditional-wrong key/rsa-pkcs1-aes256 && echo 'open sesam' >private_key_pass.txt)
	(folder pair-mismatch && cp "$PKI/app-own/private_key.pem" .)
	(folder pair-mismatch-rsa && cp "$PKI/device-rsa/private_key.pem" .)
	(folder unsafe-permissions && chmod 666 client_cert.pem)
}

# PKCS#8 (RFC 5958) in good order, of an algorithm that nobody has.
unsupported_folder() {
	folder key-unsupported
	printf '%s\n' 'asn1=SEQUENCE:key' '[key]' 'v=INTEGER:0' 'a=SEQUENCE:algorithm' \
		'k=FORMAT:HEX,OCTETSTRING:0102030405060708' '[algorithm]' 'o=OID:1.3.6.1.4.1.99999.1' >key.cnf
	openssl asn1parse -genconf key.cnf -noout -out key.der
	{ echo '-----BEGIN PRIVATE KEY-----'; base64 key.der; echo '-----END PRIVATE KEY-----'; } >private_key.pem
}

# A server's certificate that was good in 2020.
expired_server() {
	cd "$W"
	cp "$PKI/server.key" expired.key
	: >index.txt
	openssl req -new -key expired.key -subj /CN=localhost -config "$PKI/openssl.cnf" -out expired.csr
	openssl ca -batch -config "$PKI/openssl.cnf" -name signing_ca -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" \
		-extensions server -notext -startdate 20200101000000Z -enddate 20210101000000Z -in expired.csr -out expired.pem
}

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	mkdir -p "$W/cred/nothing" "$W/cred/gone"
	: >"$W/cred/gone/client_cert.pem"
	: >"$W/cred/gone/private_key.pem"
	(broken_folders; unsupported_folder; expired_server) >"$W/setup.log" 2>&1
}

# --- one row ----------------------------------------------------------------------------------

# one_client LIBRARY WORDS...: a connection to $port
one_client() {
	local prefix='' web=client_curl scenario=${3-}
	[ "$1" = openssl ] || { prefix=gnutls_; web=client_wget; scenario=${4-}; }
	case $2 in
	web) own=${3:+$PKI/app-own} $web "$port" ;;
	h2) h2_client "$1" ;;
	get) "${via[@]}" "$probes/${prefix}get" "$port" "${@:3}" ;;
	own) "${via[@]}" "$probes/${prefix}own" "$scenario" "$port" "$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem" ;;
	esac
}

h2_client() {
	if [ "$1" = openssl ]; then
		"${via[@]}" curl -sS --max-time 20 --http2 --cacert "$PKI/ca.pem" "https://localhost:$port/"
	else
		"${via[@]}" "$probes/gnutls_get" "$port" h2
	fi
}

# A client of curl's kind has its own certificate by its own option.
client_curl() {
	local files=()
	[ -z "$own" ] || files=(--cert "$own/client_cert.pem" --key "$own/private_key.pem")
	"${via[@]}" curl -sS --max-time 20 --cacert "$PKI/ca.pem" "${files[@]}" "https://localhost:$1/"
}

# met LIBRARY: the row's connection, and what the server and the log have of it
met() {
	local line lines result=ok asked=yes
	server_start "$1" --no-tickets --tls "$tls" "${server[@]}"
	rm -f log
	via=(env "${settings[@]//PORT/$port}" "MTLS_DIR=$cred" "LD_PRELOAD=$LIB")
	attempt one_client "$1" "${client[@]}"
	[[ ${server[*]} != *'--request none'* ]] || asked=no
	[ "$subject" != failed ] || result=failed
	# The one exception of the contract's section 2: there a handshake ends, before our certificate leaves.
	[ "$1/$tls/$word" != gnutls/1.3/server-not-verified ] || result=failed
	[ $result = failed ] || expect_rc 0
	expect_seen "subject=${subject_seen}" "result=$result" "tls=$tls"
	[ $result = failed ] || expect_line "$(tail -n 1 "$seen")" "asked=$asked"
	expect_none
	[ "$word" != http2 ] || expect_line "$(tail -n 1 "$seen")" alpn=h2 pha=empty
	touch log
	mapfile -t lines < <(grep -E ' (presented|withheld) ' log)
	[ "$word" != - ] || { [ ${#lines[@]} = 0 ] || fail "$1 says: ${lines[*]}"; return 0; }
	[ ${#lines[@]} = 1 ] || fail "$1: expected one decision: $(cat log)"
	line=${lines[0]}
	expect_line "$line" "reason=$word" "tls=$tls"
	[[ $line == *" lib=$1/"* ]] || fail "another library: $line"
	[[ $word != presented || $line == *'] presented '* ]] || fail "expected presented: $line"
	[[ $word == presented || $line == *'] withheld '* ]] || fail "expected withheld: $line"
}

# row TLS LINE
row() {
	local tls=$1 credential server settings word subject client library cred subject_seen
	IFS='|' read -r _ _ credential server settings word subject client <<<"$2"
	gnutls_require wget
	server=${server// CA/ $PKI/ca.pem}
	server=${server// INTERMEDIATE/ $PKI/intermediate.pem}
	server=${server// OTHER/ $PKI/other-ca.pem}
	server=${server// EXPIRED/ $W/expired}
	server=${server// WRONG/ $PKI/wrong}
	[[ $server == *--request* ]] || server="--request optional $server"
	client=${client//=CA/=$PKI/ca.pem}
	client=${client//=OTHER/=$PKI/other-ca.pem}
	if [[ $client == *=HELD* ]]; then
		server_start held --request none
		client=${client//HELD/$port}
	fi
	read -ra server <<<"$server"
	read -ra client <<<"$client"
	read -ra settings <<<"$settings"
	cred=$W/cred/$credential
	[ ! -e "$PKI/$credential" ] || cred=$PKI/$credential
	subject_seen=
	[ -z "$subject" ] || [ "$subject" = failed ] || subject_seen=CN=$subject
	for library in openssl gnutls; do
		met $library
	done
}

while IFS= read -r line; do
	[ -n "$line" ] || continue
	IFS='|' read -r name version _ <<<"$line"
	for tls in 1.2 1.3; do
		[ "$version" = both ] || [ "$version" = $tls ] || continue
		eval "test_${name}_tls${tls/./}() { row $tls ${line@Q}; }"
	done
done < <(table)
