# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What mtls-cred probe says of Apache, mosquitto, PostgreSQL and Postfix, and what they saw. The mtls-cred is one with
# sanitizers, and all of 25-probe.sh runs again with it: of what a server says nothing may be believed.

# shellcheck source=tests/e2e/25-probe.sh
. tests/e2e/25-probe.sh
# shellcheck source=tests/e2e/real_servers.sh
. tests/e2e/real_servers.sh

deadline=120

setup() {
	real_setup apache postgresql mosquitto postfix
	timeout 300 make -s -j2 -C "$TOP" CC=gcc SAN=address,undefined B=build/san build/san/mtls-cred >"$W/made" 2>&1 ||
		fail "it does not build with sanitizers: $(grep -m 1 -E 'error|\*\*\*' "$W/made")"
	CRED=$TOP/build/san/mtls-cred
}

# at_server TEXT: it wrote that
at_server() {
	until_true 5 grep -qF -e "$1" "$record" || fail "expected \"$1\" at the server: $(tail -n 3 "$record")"
}

# turned_down: withheld, the server ends the handshake
turned_down() {
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port"
	says 1.3 result "$without alert certificate_required (116)"
	says 1.2 result "$without alert handshake_failure (40)"
}

# without_intermediate OPTION...: refused, for want of the intermediate
without_intermediate() {
	cred=$W/short probe 2 "localhost:$port" "$@"
	both decision presented
	both result 'refused: alert unknown_ca (48)'
}

test_apache() {
	apache_start require
	record=access.log
	probe 0 "localhost:$port"
	both asks 'in the handshake'
	both issuers 'CN=Test Root'
	both result 'accepted: it answered HTTP/1.1 200 OK'
	at_server "HEAD / 200 $us TLSv1.3"
	at_server "HEAD / 200 $us TLSv1.2"
	without_intermediate
	turned_down
	expect_text error.log 'peer did not return a certificate'
}

# It asks only after the request, in TLS 1.2 by renegotiation.
test_apache_later() {
	apache_start none /
	record=access.log
	probe 0 "localhost:$port"
	says 1.3 asks 'after the request (post-handshake authentication)'
	says 1.2 asks 'after the request (renegotiation)'
	both result 'accepted: it answered HTTP/1.1 200 OK'
	at_server "HEAD / 200 $us TLSv1.3"
	at_server "HEAD / 200 $us TLSv1.2"
	without_intermediate
	turned_down
	MTLS_PHA=off probe 3 "localhost:$port"
	says 1.3 result "$not_asked it answered HTTP/1.1 403 Forbidden; after the request it cannot: MTLS_PHA is off"
}

test_apache_elsewhere() {
	apache_start
	probe 3 "localhost:$port"
	both result "$not_asked it answered HTTP/1.1 200 OK"
}

# An HTTP request is garbage to it: that it closes then is no refusal.
test_mosquitto() {
	mosquitto_start
	probe 0 "localhost:$port"
	says 1.3 result 'accepted: it sent a session ticket'
	says 1.2 result 'accepted: it finished the handshake'
	without_intermediate
	turned_down
	expect_text "$record" 'certificate verify failed'
	expect_text "$record" 'peer did not return a certificate'
}

test_postgresql() {
	postgresql_start
	probe 0 "localhost:$port" --starttls postgres
	says 1.3 result 'accepted: the handshake is complete and the server took no offence within 1 s'
	says 1.2 result 'accepted: it finished the handshake'
	without_intermediate --starttls postgres
	expect_text postgresql.said 'could not accept SSL connection'
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port" --starttls postgres # it looks at that when it knows who logs in
	says 1.3 result 'the server goes on without it: the handshake is complete and the server took no offence within 1 s'
	says 1.2 result 'the server goes on without it: it finished the handshake'
}

# It looks at the certificate after the handshake, and says so in SMTP.
test_postfix() {
	postfix_start
	probe 0 "localhost:$port" --starttls smtp
	both result 'accepted: it answered 250-localhost'
	cred=$W/short probe 2 "localhost:$port" --starttls smtp
	both result 'refused: it answered 421 4.7.1 localhost Error: Client certificate not trusted'
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port" --starttls smtp
	both result "$without it answered 421 4.7.1 localhost Error: No client certificate presented"
}
