# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred probe: against each kind of server the sentence, the exit status, and what the server saw. nginx is in
# 36-nginx.sh, Apache, PostgreSQL, mosquitto and Postfix are in tests/all/servers.sh; tests/helpers/odd_server.py is what
# no real server would be at will.

# shellcheck source=tests/e2e/real.sh
. tests/e2e/real.sh
# shellcheck source=tests/e2e/probe.sh
. tests/e2e/probe.sh

parallel=4
deadline=60

odds=0

# odd MODE [1.2|1.3]: $port, $seen
odd() {
	seen=$T/odd$((++odds)).seen
	exec {fd}< <(exec {life}>&- python3 "$TOP/tests/helpers/odd_server.py" "$1" "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem" \
		"${@:2}" <"$W/life" 2>>"$seen")
	read -rt 20 -u "$fd" port || fail "odd_server.py does not start: $(tail -n 1 "$seen")"
	exec {fd}<&-
}

# seen_in VERSION KEY=VALUE...: our server saw two more connections, in whatever order it tells that; this of one
seen_in() {
	until_true 5 lines_of "$seen" $((mark + 2)) || fail "the server saw $(tail -n +$((mark + 1)) "$seen")"
	expect_line "$(tail -n +$((mark + 1)) "$seen" | grep -m 1 " tls=$1 ")" "${@:2}"
}

# both_seen KEY=VALUE...: one of each version, and no more
both_seen() {
	seen_in 1.3 "$@"
	seen_in 1.2 "$@"
	mark=$((mark + 2))
	expect_none
}

# saw TLS SUBJECT LINE: odd_server.py did
saw() { until_true 5 grep -qxE "seen mode=\"[a-z-]+\" tls=\"$1\" subject=\"$2\" line=\"$3\".*" "$seen" || fail "not $*: $(<"$seen")"; }

test_usage() {
	local value
	no 64 'which server? See mtls-cred --help'
	no 64 'localhost: one argument too many; see mtls-cred --help' localhost localhost
	no 64 'more: one argument too many; see mtls-cred --help' localhost -- more
	for value in pop3 '' SMTP postgresql; do
		no 64 "--starttls $value: not one of smtp, imap, postgres" localhost --starttls "$value"
	done
	for value in 0 65536 -1 +1 ' 1' 1x 0x1 111111 ''; do
		no 64 "localhost:$value: a port is a number from 1 to 65535; see mtls-cred --help" "localhost:$value"
		no 64 "[::1]:$value: a port is a number from 1 to 65535; see mtls-cred --help" "[::1]:$value"
	done
	for value in https://localhost/ https://localhost:8443 HTTP://user@localhost:1/x '://'; do
		no 64 "$value: this is a URL; give its HOST or HOST:PORT; see mtls-cred --help" "$value"
	done
	for value in '' : . :443 localhost/path /socket user@localhost user@localhost:1 '*' '*.example:443' 'localhost 443' \
		"$(printf 'x%.0s' {1..254})"; do
		no 64 "$value: not HOST or HOST:PORT; see mtls-cred --help" "$value"
	done
	for value in '[' '[::1' '[::1]443'; do
		no 64 "$value: an address in brackets does not end as it should; see mtls-cred --help" "$value"
	done
	for value in '[]' '[localhost]:443' '[::1::]:443'; do
		no 64 "$value: what stands in brackets is no address; see mtls-cred --help" "$value"
	done
	attempt "$CRED" probe --help
	expect_rc 0
	expect_text out 'probe   HOST[:PORT]'
}

# All of it, to the letter: what is named, in which order, and nothing else.
test_accepted() {
	server_start one --sigalgs ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256
	probe 0 "localhost:$port"
	both_seen subject=CN=device chain=2 verify=ok sni=localhost result=ok
	diff - out <<-END || fail "see above"
		server       localhost:$port at 127.0.0.1
		credential   CN=device, in $cred
		TLS 1.3
		  server     CN=localhost, verified for localhost
		  asks       in the handshake
		  issuers    CN=Test Root
		  our issuer among them
		  signatures ecdsa_secp256r1_sha256 rsa_pss_rsae_sha256 rsa_pkcs1_sha256
		  decision   presented
		  result     accepted: it answered HTTP/1.1 200 OK
		TLS 1.2
		  server     CN=localhost, verified for localhost
		  asks       in the handshake
		  issuers    CN=Test Root
		  our issuer among them
		  signatures ecdsa_secp256r1_sha256 rsa_pss_rsae_sha256 rsa_pkcs1_sha256
		  key types  rsa_sign ecdsa_sign
		  decision   presented
		  result     accepted: it answered HTTP/1.1 200 OK
	END
	! grep -rqF -f <(sed '/-----/d' "$cred/private_key.pem") out || fail "the key is in it"
	rc=0
	"$CRED" probe -d "$cred" "localhost:$port" >/dev/full 2>err || rc=$?
	expect_rc 4 # 2 would be the server's word
	expect_text err 'standard output: No space left'
}

# The exit status is that of what a program would get.
test_one_version_only() {
	server_start new --tls 1.3
	probe 0 "localhost:$port"
	says 1.3 result 'accepted: it answered HTTP/1.1 200 OK'
	[ "$(part 1.2)" = 'TLS 1.2: not spoken' ] || fail "$(<out)"
	server_start old --tls 1.2
	probe 0 "localhost:$port"
	grep -qx 'TLS 1.3: not spoken' out || fail "$(<out)"
	says 1.2 result 'accepted: it answered HTTP/1.1 200 OK'
	expect_seen tls=1.2 result=ok
	expect_none
	s_server_start older -cipher 'ALL:@SECLEVEL=0' -tls1_1
	no 4 "localhost:$port: the server ended the TLS handshake: alert protocol_version (70)" "localhost:$port"
}

# TLS 1.3 lets a client believe that all is well until it reads.
test_refused() {
	server_start other --ca "$PKI/other-ca.pem"
	probe 2 "localhost:$port"
	both issuers 'CN=Other Root'
	both 'our issuer' 'not among them'
	both decision presented
	both result 'refused: alert unknown_ca (48)'
	both_seen subject=CN=device result=refused
	server_start strict --issuers none
	cred=$PKI/device-expired probe 2 "localhost:$port"
	both issuers 'any: it names none'
	silent 1.3 'our issuer'
	both result 'refused: alert certificate_expired (45)'
	odd shuts
	probe 2 "localhost:$port"
	says 1.3 result 'refused: it closed the connection'
	saw 1.3 CN=device ''
	odd drops
	probe 2 "localhost:$port"
	says 1.3 result 'refused: it reset the connection'
}

# Later than anybody listens without speaking.
test_refused_late() {
	odd slow 1.3
	cred=$PKI/device-other probe 2 "localhost:$port"
	says 1.3 result 'refused: alert unknown_ca (48)'
	probe 0 "localhost:$port"
	says 1.3 result 'accepted: it sent a session ticket'
}

test_refused_in_http() {
	local answer version
	for answer in 'HTTP/1.1 400 Bad Request' 'HTTP/1.0 401 Unauthorized' 'HTTP/1.1 403 Forbidden' 'HTTP/1.1 495 ' 'HTTP/1.1 496 x'; do
		ODD_ANSWER=$answer odd says
		probe 2 "localhost:$port"
		both result "refused: it answered $answer"
		saw 1.3 CN=device 'HEAD / HTTP/1.1'
		saw 1.2 CN=device 'HEAD / HTTP/1.1'
	done
	for answer in 'HTTP/1.1 404 Not Found' 'HTTP/1.1 500 x' 'HTTP/1.1 200 400' 'HTTPS 400' '400'; do
		ODD_ANSWER=$answer odd says
		probe 0 "localhost:$port"
		both result "accepted: it answered $answer"
	done
}

# Servers that know no HTTP and say nothing, end, or speak first: nothing of that is a refusal.
test_no_http() {
	odd quiet
	probe 0 "localhost:$port"
	says 1.3 result 'accepted: the handshake is complete and the server took no offence within 1 s'
	says 1.2 result 'accepted: it finished the handshake'
	odd anybody-shuts
	probe 3 "localhost:$port"
	both result "$not_asked it closed the connection"
	odd banner
	probe 0 "localhost:$port"
	both result 'accepted: it answered 220 odd.example'
	s_server_start other -Verify 1 -alpn mqtt
	probe 0 "localhost:$port" # it ends where HTTP is offered, and then it is not
	says 1.3 result 'accepted: it sent a session ticket'
	says 1.2 result 'accepted: it finished the handshake'
}

test_s_server_client_sigalgs() {
	s_server_start rsa -Verify 1 -client_sigalgs RSA-PSS+SHA256:RSA+SHA512
	probe 1 "localhost:$port"
	both signatures 'rsa_pss_rsae_sha256 rsa_pkcs1_sha512'
	both decision 'withheld, no-common-signature: the server accepts no signature that the key can make; use another type of key, such as EC P-256'
	says 1.3 result "$without alert certificate_required (116)"
	says 1.2 result "$without alert handshake_failure (40)"
	cred=$PKI/device-rsa probe 0 "localhost:$port"
	both decision presented
	says 1.3 result 'accepted: it sent a session ticket'
	says 1.2 result 'accepted: it finished the handshake'
	grep -qx 'depth=0 CN = device-rsa' "$seen" || fail "s_server did not see us: $(tail -n 3 "$seen")"
	s_server_start mixed -Verify 1 -client_sigalgs ECDSA+SHA384:ed25519
	probe 1 "localhost:$port" # P-256 goes with SHA-384 in TLS 1.2 only
	says 1.3 result "$without alert certificate_required (116)"
	says 1.2 decision presented
	says 1.2 result 'accepted: it finished the handshake'
	cred=$PKI/device-ed25519 probe 0 "localhost:$port"
}

test_not_asked() {
	server_start none --request none
	probe 3 "localhost:$port"
	both result "$not_asked it answered HTTP/1.1 200 OK"
	silent 1.3 asks
	silent 1.2 decision
	both_seen asked=no subject= result=ok
	cred=$PKI/none probe 3 "localhost:$port"
	grep -q "^credential   $PKI/none: this folder does not exist; " out || fail "$(<out)"
}

test_after_the_request() {
	server_start pha --pha
	probe 0 "localhost:$port"
	says 1.3 asks 'after the request (post-handshake authentication)'
	says 1.3 result 'accepted: it answered HTTP/1.1 200 OK'
	says 1.2 result "$not_asked it closed the connection" # it cannot ask there
	seen_in 1.3 subject=CN=device verify=ok pha=presented result=ok
	cred=$PKI/device-other probe 2 "localhost:$port"
	says 1.3 result 'refused: alert unknown_ca (48)'
	server_start strict --pha --tls 1.3
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port"
	says 1.3 result "$without alert certificate_required (116)"
	seen_in 1.3 subject= pha=empty result=refused
	server_start unasked --pha --tls 1.3
	MTLS_PHA=off probe 3 "localhost:$port"
	says 1.3 result "$not_asked it closed the connection; after the request it cannot: MTLS_PHA is off"
	seen_in 1.3 pha=not-offered
	server_start optional --pha --request optional --no-tickets
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port"
	says 1.3 result 'the server goes on without it: it answered HTTP/1.1 200 OK'
}

# Each row of the policy, where it stands, and nothing leaves.
test_withheld() {
	server_start optional --request optional --issuers "$PKI/other-ca.pem"
	cp -r "$PKI/device" here
	cred=$T/here
	MTLS_HOSTS='*.internal' probe 1 "localhost:$port"
	both decision 'withheld, host-not-listed: the server is not allowed by the host patterns (MTLS_HOSTS); add it to MTLS_HOSTS if it should see the certificate'
	both result 'the server goes on without it: it answered HTTP/1.1 200 OK'
	MTLS_HOSTS="localhost:$port !127.0.0.0/8" probe 1 "localhost:$port"
	MTLS_HOSTS='localhost' probe 1 "127.0.0.1:$port" # nobody told the name
	MTLS_HOSTS='127.0.0.1 !other.example' probe 1 "127.0.0.1:$port" # it could be that one
	MTLS_ISSUER=match probe 1 "localhost:$port"
	both decision 'withheld, issuer-not-accepted: the server accepts other issuers only (MTLS_ISSUER); get a certificate from an issuer that the server names'
	echo 'only_if = verified' >here/mtls.conf
	attempt "$CRED" probe -d here "localhost:$port" # without the CA
	expect_rc 1
	both decision "withheld, server-not-verified: the server's certificate is not good for its name (only_if in $cred/mtls.conf); give the program the server's CA"
	both server 'CN=localhost, not verified for localhost: self-signed certificate in certificate chain'
	MTLS_HOSTS='' probe 1 "localhost:$port"
	both decision 'withheld, bad-setting: MTLS_HOSTS: this setting cannot be understood; correct it or unset it'
	MTLS_DISABLE=1 probe 1 "localhost:$port"
	both decision 'withheld: MTLS_DISABLE is 1, so the library does nothing'
	! grep -q CN=device "$seen" || fail "the server saw us: $(grep -m 1 CN=device "$seen")"
	probe 0 "localhost:$port" # verified it is
	server_start later --request optional
	MTLS_ONLY_IF=tls1.3 probe 0 "localhost:$port"
	says 1.3 decision presented
	says 1.2 decision 'withheld, tls-too-old: the connection is older than TLS 1.3 (MTLS_ONLY_IF); let the server speak TLS 1.3'
	seen_in 1.3 subject=CN=device
	seen_in 1.2 subject=
	MTLS_HOSTS="127.0.0.0/8:$port !*.internal" probe 0 "localhost:$port"
}

test_another_name() {
	server_start wrong --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	probe 0 "localhost:$port"
	both server 'CN=wrong.example, not verified for localhost: hostname mismatch'
	probe 0 "127.0.0.1:$port"
	both server 'CN=wrong.example, not verified for 127.0.0.1: IP address mismatch'
	MTLS_ONLY_IF=verified probe 1 "localhost:$port"
	server_start right
	MTLS_ONLY_IF=verified probe 0 "LOCALHOST.:$port"
	both server 'CN=localhost, verified for LOCALHOST'
	expect_seen sni=LOCALHOST
}

# What is not there still finds out what would be asked of it.
test_no_credential() {
	server_start one
	mkdir here
	cred=$T/here
	probe 1 "localhost:$port"
	grep -qx "credential   $cred: there is no credential here; put client_cert.pem and private_key.pem there, or name their folder with MTLS_DIR" out ||
		fail "$(<out)"
	both issuers 'CN=Test Root'
	silent 1.3 'our issuer'
	both decision 'withheld, no-credential: there is no credential here'
	says 1.3 result "$without alert certificate_required (116)"
	says 1.2 result "$without alert handshake_failure (40)"
	both_seen asked=yes subject= result=refused
	: >here/client_cert.pem
	: >here/private_key.pem
	probe 1 "localhost:$port"
	both decision 'withheld, removed: the credential was removed: its files are empty'
	cp "$PKI/device/client_cert.pem" here
	cp "$PKI/device-rsa/private_key.pem" here
	probe 1 "localhost:$port"
	grep -q "^credential   $cred/private_key.pem: certificate and key do not belong together" out || fail "$(<out)"
	both decision 'withheld, pair-mismatch: certificate and key do not belong together'
	[ ! -e /etc/mtls ] || skip "there is an /etc/mtls"
	attempt "$CRED" probe "localhost:$port"
	expect_rc 1
	grep -q "^credential   there is no credential here; looked at: $HOME/.config/mtls (the user's configuration), /etc/mtls (.*; put client_cert.pem and private_key.pem there, or name" out ||
		fail "$(<out)"
}

test_starttls() {
	local proto version
	for version in 1.2 1.3; do
		for proto in smtp imap postgres; do
			odd $proto $version
			probe 0 --starttls $proto "localhost:$port"
			case $proto in
			smtp) says $version result 'accepted: it answered 250 at your service' ;;
			imap) says $version result 'accepted: it answered a2 OK done' ;;
			postgres) grep -qE '^  result     accepted: it (sent a session ticket|finished the handshake)$' out || fail "$(<out)" ;;
			esac
			cred=$PKI/device-other probe 2 "localhost:$port" --starttls $proto
			says $version result 'refused: alert unknown_ca (48)'
			MTLS_HOSTS='!localhost' probe 1 "localhost:$port" --starttls=$proto
			case $proto in
			smtp) saw $version CN=device 'EHLO \[127\.0\.0\.1\]' ;;
			imap) saw $version CN=device 'a2 NOOP' ;;
			postgres) saw $version CN=device '' ;;
			esac
		done
	done
	odd smtp-sorry
	probe 2 "localhost:$port" --starttls smtp
	both result 'refused: it answered 550 5.7.1 certificate not on the list'
	odd smtp-shuts
	probe 2 "localhost:$port" --starttls smtp
	both result 'refused: it closed the connection'
	odd imap-sorry
	probe 2 "localhost:$port" --starttls imap
	both result 'refused: it answered * BYE certificate not on the list'
}

test_no_starttls() {
	local proto
	for proto in smtp postgres; do
		odd $proto-none
		no 4 "localhost:$port: no STARTTLS: the server does not offer it" "localhost:$port" --starttls $proto
	done
	odd imap-none
	no 4 "localhost:$port: no STARTTLS: the server answered \"a1 BAD unknown command\"" "localhost:$port" --starttls imap
	odd postgres-else
	no 4 "localhost:$port: no STARTTLS: this is no PostgreSQL server" "localhost:$port" --starttls postgres
	odd endless
	no 4 "localhost:$port: no STARTTLS: the server talks without end" "localhost:$port" --starttls smtp
	odd closes
	no 4 "localhost:$port: no STARTTLS: the server closed the connection" "localhost:$port" --starttls imap
	odd imap
	no 4 "localhost:$port: no STARTTLS: the server answered \"* OK ready\"" "localhost:$port" --starttls smtp
}

test_no_tls() {
	local hint
	port_choose
	no 4 "127.0.0.1:$port: no connection: Connection refused" "127.0.0.1:$port"
	attempt "$CRED" probe no-such-host.invalid
	expect_rc 4
	grep -qx 'mtls-cred probe: no-such-host.invalid:443: the name cannot be resolved: .*' err || fail "$(<err)"
	odd closes
	no 4 "localhost:$port: connected, but the server closed the connection without a TLS answer" "localhost:$port"
	odd resets
	no 4 "localhost:$port: connected, but the server reset the connection without a TLS answer" "localhost:$port"
	odd http
	no 4 "localhost:$port: connected, but the server speaks HTTP there, not TLS: it answered \"HTTP/1.1 400 Bad Request\"" "localhost:$port"
	ODD_ANSWER='<html>' odd http
	no 4 "localhost:$port: connected, but the server speaks no TLS there: it answered \"<html>\"" "localhost:$port"
	hint='speaks no TLS there: it answered'
	odd greets
	no 4 "localhost:$port: connected, but the server $hint \"220 mail.example ESMTP\"; --starttls smtp?" "localhost:$port"
	odd imap
	no 4 "localhost:$port: connected, but the server $hint \"* OK ready\"; --starttls imap?" "localhost:$port"
}

# never WORDS ARG...: ten seconds, and then these words
never() {
	local begin=$SECONDS
	no 4 "localhost:$port: $1" "localhost:$port" "${@:2}"
	((SECONDS - begin >= 9 && SECONDS - begin < 20)) || fail "after $((SECONDS - begin)) s"
}

test_no_answer() { odd silent; never 'connected, but no TLS answer within 10 s'; }
test_no_answer_in_the_midst() { odd stalls; never 'connected, but the TLS handshake did not end within 10 s'; }
test_no_answer_to_starttls() { odd half; never 'no STARTTLS: the server does not answer in time' --starttls smtp; }

test_ipv6() {
	grep -qs ' lo$' /proc/net/if_inet6 || skip "no IPv6 here"
	server_start six --ipv6
	probe 0 "[::1]:$port"
	grep -qx "server       \[::1\]:$port at ::1" out || fail "$(<out)"
	both server 'CN=localhost, verified for ::1'
	expect_seen sni= subject=CN=device result=ok
	MTLS_HOSTS='[::1]' probe 0 "[::1]:$port"
	MTLS_HOSTS='![::]/0' probe 1 "[::1]:$port"
	attempt "$CRED" probe '[fe80::1%lo]' # a zone is part of an address; this one leads nowhere
	expect_rc 4
	expect_text err 'mtls-cred probe: [fe80::1%lo]:443: no connection'
}

# Whatever a server puts into its names and answers, it makes no line and moves no cursor.
test_hostile() {
	server_start hostile --cert "$PKI/hostile.pem" --key "$PKI/hostile.key"
	probe 0 "localhost:$port"
	! grep -q '^mtls-run' out || fail "forged: $(<out)"
	ODD_ANSWER=$'HTTP/1.1 403 \e[31m\tforged\xc3\x9f\rgone' odd says
	probe 2 "localhost:$port"
	both result 'refused: it answered HTTP/1.1 403 ?[31m?forged??'
	ODD_ANSWER=$'HTTP/1.1 400 \e]0;x\a' odd http
	no 4 "localhost:$port: connected, but the server speaks HTTP there, not TLS: it answered \"HTTP/1.1 400 ?]0;x?\"" "localhost:$port"
	! LC_ALL=C grep -q '[^ -~]' out err || fail "control bytes: $(cat -v out err)"
}

test_many_issuers() {
	local i
	openssl genpkey -algorithm ed25519 -out key 2>/dev/null
	for i in {1..30}; do
		openssl req -x509 -new -key key -subj "/O=A, \"B\"/CN=$i" -out one -days 9 && cat one >>many
	done
	server_start many --issuers many
	probe 0 "localhost:$port"
	says 1.3 issuers 'CN=1,O=A\, \"B\"' 'CN=2,O=A\, \"B\"'
	[ "$(part 1.3 | grep -c 'O=A\\, \\"B\\"')" = 24 ] || fail "$(<out)"
	part 1.3 | grep -qx '             and 6 more' || fail "$(<out)"
	both 'our issuer' 'not among them'
}

# --- as the library decides ---------------------------------------------------------------

# same WORD1.3 WORD1.2 HOST [SETTING...]: so probe decides, and so does the library in a program
same() {
	local version setting words=("$1" "$2") host=$3
	shift 3
	for setting; do export "${setting?}"; done
	export MTLS_LOG=info MTLS_LOG_FILE=log "SSL_CERT_FILE=$PKI/ca.pem"
	attempt "$CRED" probe -d "$cred" "$host:$port"
	for version in 1.3 1.2; do
		[ "$(part $version | sed -nE 's/^  decision   (withheld, )?([a-z0-9-]+).*/\2/p')" = "${words[0]}" ] ||
			fail "$host $*: expected ${words[0]}: $(part $version)"
		bare curl -s --cacert "$PKI/ca.pem" --max-time 20 "--tlsv$version" --tls-max $version "https://$host:$port/" >page || true
		decided "${words[0]}" "tls=$version"
		words=("${words[@]:1}")
	done
	unset "${@%%=*}"
}

test_as_the_library() {
	local cred name
	server_start root --request optional
	for cred in "$PKI"/device{,-p384,-rsa,-ed25519,-deep,-expired,-other}; do same presented presented localhost MTLS_PHA=auto; done
	same issuer-not-accepted issuer-not-accepted localhost MTLS_ISSUER=match # that is device-other
	cred=$PKI/device
	for name in localhost 127.0.0.1; do
		same presented presented $name MTLS_ISSUER=match MTLS_ONLY_IF=verified MTLS_HOSTS="$name:$port"
		same presented tls-too-old $name MTLS_ONLY_IF=tls1.3
		same host-not-listed host-not-listed $name MTLS_HOSTS="!$name"
		same host-not-listed host-not-listed $name MTLS_HOSTS="$name:443"
	done
	same host-not-listed host-not-listed 127.0.0.1 MTLS_HOSTS='127.0.0.1 !other.example'
	same bad-setting bad-setting localhost MTLS_ONLY_IF=tls1.4
	cred=$PKI/none same folder-missing folder-missing localhost MTLS_PHA=auto
	server_start other --request optional --issuers "$PKI/intermediate.pem" --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	same presented presented localhost MTLS_ISSUER=match
	same server-not-verified server-not-verified localhost MTLS_ONLY_IF=verified
	server_start sha384 --request optional --sigalgs ECDSA+SHA384:RSA-PSS+SHA256
	same no-common-signature presented localhost MTLS_PHA=auto
	cred=$PKI/device-p384 same presented presented localhost MTLS_PHA=auto
	cred=$PKI/device-rsa same presented presented localhost MTLS_PHA=auto
	cred=$PKI/device-ed25519 same no-common-signature no-common-signature localhost MTLS_PHA=auto
	mkdir weak
	openssl req -x509 -nodes -newkey rsa:1024 -subj /CN=weak -keyout weak/private_key.pem -out weak/client_cert.pem 2>made
	cred=$T/weak same key-unsupported key-unsupported localhost MTLS_PHA=auto
}
