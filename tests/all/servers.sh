# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Apache, PostgreSQL, OpenLDAP, mosquitto and Postfix, as Debian has them and with the clients that people use: each gets
# the machine's whole chain over its own way into TLS and tells our subject; each refuses the same client without us, with
# the leaf alone, and where MTLS_HOSTS does not list it. nginx is in tests/e2e/36-nginx.sh.
#
# How they are started is in tests/e2e/real_servers.sh, what mtls-cred probe says of them in probe.sh.
#
# For each server: NAME_start; a client, NAME_ask 1.2|1.3; $record, what the server writes; $accepts, what it writes of us
# (@ stands for the version); $misses and $rejects, what it writes of no certificate, and of a chain that it cannot build.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/real.sh
. tests/e2e/real.sh
# shellcheck source=tests/e2e/real_servers.sh
. tests/e2e/real_servers.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh

deadline=60

setup() {
	local version
	agents_setup
	real_setup apache postgresql openldap mosquitto postfix
	for version in 1.2 1.3; do
		printf '%s = %s\n' openssl_conf all '[all]' '' ssl_conf ssl '[ssl]' '' system_default only '[only]' '' \
			MinProtocol TLSv$version MaxProtocol TLSv$version | sed 's/^\(\[.*\]\) = $/\1/' >"$W/only$version.cnf"
	done
}

# --- what is asked of each ------------------------------------------------------------

# recorded TEXT: since the last line that was looked at
recorded() {
	tail -n +$((mark + 1)) "$record" | grep -qF -e "$1"
}

at_server() {
	until_true 5 recorded "$1" || fail "expected \"$1\" at the server: $(tail -n 3 "$record")"
}

# A client that is not reached on this way into TLS, a version, a key or the bare preload that does not get through.
# ours SERVER
ours() {
	local version way cred
	for version in 1.2 1.3; do
		for way in mtls bare; do
			[ $way = mtls ] && cred=$PKI/key/ec-pkcs8-aes-256-cbc || cred=$PKI/device
			mark=$(wc -l <"$record")
			attempt $way "$1_ask" $version
			expect_rc 0
			at_server "${accepts//@/$version}"
			decided presented "tls=$version" "port=$port" subject=CN=device
		done
	done
}

# turned_away_by SERVER VERSION TEXT WAY: the client knows, and the server says why
turned_away_by() {
	mark=$(wc -l <"$record")
	attempt "$4" "$1_ask" "$2"
	[ "$rc" != 0 ] || fail "worked: $(head -c 300 out)"
	at_server "$3"
	! recorded "${accepts//@/$2}" || fail "the server saw us"
}

# A server that would serve anybody, or that accepts a leaf without its intermediate, shows nothing above.
# refusals SERVER VERSION...
refusals() {
	local version
	for version in "${@:2}"; do
		turned_away_by "$1" "$version" "$misses" plain
		MTLS_HOSTS='*.internal' turned_away_by "$1" "$version" "$misses" mtls
		decided host-not-listed "tls=$version"
		cred=$W/short turned_away_by "$1" "$version" "$rejects" mtls
		decided presented
	done
}

# --- Apache: in the handshake; after it, for one Location, by renegotiation or PHA ----

apache_ask() {
	get_curl "$url/private/?auto" "$1"
}

apache_wget_ask() {
	get_wget "$url/private/?auto" "$1"
}

test_apache_handshake() {
	apache_start require
	record=access.log accepts="/private/ 200 $us TLSv@"
	ours apache
	record=error.log misses='peer did not return a certificate' rejects='Certificate Verification: Error'
	refusals apache 1.2 1.3
}

# later CLIENT SERVER-ASK VERSION: it is asked after its request. What these two offer for that they offer without us, so
# whether we offer it does not matter.
later() {
	local pha version=$3
	apache_start
	record=access.log
	mark=0
	for pha in auto off; do
		export MTLS_PHA=$pha
		attempt mtls "get_$1" "$url/?auto" "$version"
		expect_rc 0
		at_server "GET / 200 [- - NONE] TLSv$version"
		! grep -E ' (presented|withheld) ' log || fail "a decision that nobody asked for"
		attempt mtls "$2" "$version"
		expect_rc 0
		at_server "GET /private/ 200 $us TLSv$version"
		decided presented "tls=$version" "port=$port"
		rm log
		mark=$(wc -l <access.log)
	done
	record=error.log accepts="$us" rejects='Certificate Verification: Error'
	refusals "${2%_ask}" "$version"
}

test_apache_renegotiation_curl() {
	misses='Re-negotiation handshake failed'
	later curl apache_ask 1.2
	expect_text error.log 'Awaiting re-negotiation handshake'
}

test_apache_renegotiation_wget() {
	gnutls_require wget
	misses='Re-negotiation handshake failed'
	later wget apache_wget_ask 1.2
	expect_text error.log 'Awaiting re-negotiation handshake'
}

test_apache_pha_curl() {
	misses='Client certificate missing'
	later curl apache_ask 1.3
}

test_apache_pha_wget() {
	gnutls_require wget
	misses='Client certificate missing'
	later wget apache_wget_ask 1.3
}

# Programs that offer nothing themselves: there it is our offer that counts, and only that. Their functions put a slash
# behind what they take for a port.
offered_by_us() {
	local pha
	apache_start
	record=access.log
	for pha in auto on; do
		export MTLS_PHA=$pha
		mark=$(wc -l <access.log)
		attempt mtls "client_$1" "$port/private" 1.3
		expect_rc 0
		at_server "GET /private/ 200 $us TLSv1.3"
		decided presented tls=1.3 "port=$port" subject=CN=device
		rm log
	done
	accepts=$us
	MTLS_PHA=off turned_away_by "offering_$1" 1.3 'GET /private/ 403' mtls
	turned_away_by "offering_$1" 1.3 'GET /private/ 403' plain
	! grep -E ' (presented|withheld) ' log || fail "a decision that nobody asked for"
}

offering_python_ask() {
	client_python "$port/private" "$1"
}

offering_php_ask() {
	client_php "$port/private" "$1"
}

test_apache_pha_python() {
	offered_by_us python
}

test_apache_pha_php() {
	require php
	offered_by_us php
}

# In the midst of a connection that served other requests, before and after, and with a body on its way.
test_apache_later_in_one_connection() {
	local version
	apache_start
	record=access.log
	for version in 1.2 1.3; do
		mark=$(wc -l <access.log)
		attempt mtls get_curl "$url/?auto" "$version" "$url/private/?auto" "$url/?auto" -X GET -d body -w '%{num_connects}\n' -o /dev/null \
			-o /dev/null -o /dev/null
		expect_rc 0
		[ "$(tr '\n' ' ' <out)" = '1 0 0 ' ] || fail "other connections: $(cat out)"
		at_server "GET /private/ 200 $us TLSv$version"
	done
	[ "$(grep -c ' presented ' log)" = 2 ] || fail "$(grep ' presented ' log)"
}

# --- PostgreSQL: TLS after its own question; the name in the certificate is the user ----

postgresql_ask() {
	packaged "${via[@]}" "$psql" -XAt -c "select client_dn, issuer_dn, version from pg_stat_ssl where pid = pg_backend_pid()" \
		"host=localhost hostaddr=127.0.0.1 port=$port user=device dbname=postgres sslmode=verify-full sslrootcert=$PKI/ca.pem
		ssl_min_protocol_version=TLSv$1 ssl_max_protocol_version=TLSv$1 connect_timeout=20" >answer && cat answer >>answers
}

# The answer is the server's own view of the connection.
test_postgresql() {
	postgresql_start
	accepts='/CN=device|/CN=Test Intermediate|TLSv@'
	ours postgresql
	record=postgresql.said misses='connection requires a valid client certificate' rejects='could not accept SSL connection'
	refusals postgresql 1.2 1.3
	cred=$PKI/app-own turned_away_by postgresql 1.3 'certificate validation (clientcert=verify-full) failed' mtls
}

# The key is with an agent of another user.
test_postgresql_agent() {
	local version
	postgresql_start
	agent_start "$PKI/device" --allow root
	via=(env "MTLS_DIR=$cert" "MTLS_AGENT=$sock" MTLS_LOG=info "MTLS_LOG_FILE=$T/log" "LD_PRELOAD=$LIB")
	for version in 1.2 1.3; do
		attempt postgresql_ask $version
		expect_rc 0
		expect_text answer '/CN=device|'
		expect_text answer "TLSv$version"
		words reason=presented tls=$version
	done
}

# --- OpenLDAP: its own port and StartTLS; SASL EXTERNAL tells who we are ----------------

openldap_start() {
	have openldap
	gnutls_require ldapsearch # the version is chosen in GnuTLS's way
	port_choose
	ldaps=$port
	port_choose
	cat >slapd.conf <<-CONF
		include $root/etc/ldap/schema/core.schema
		TLSCACertificateFile $PKI/ca.pem
		TLSCertificateFile $PKI/server.pem
		TLSCertificateKeyFile $PKI/server.key
		TLSVerifyClient demand
	CONF
	record=slapd.said
	real_start slapd listening "$root/usr/sbin/slapd" -d stats -f "$T/slapd.conf" -h "ldap://127.0.0.1:$port ldaps://127.0.0.1:$ldaps"
	accepts='BIND dn="cn=device" mech=EXTERNAL bind_ssf=0 ssf=256' misses='TLS negotiation failure' rejects=$misses
}

# ldap VERSION PROGRAM OPTION...: prints what the program says
ldap() {
	packaged "${via[@]}" env "LDAPTLS_CACERT=$PKI/ca.pem" "LDAPTLS_CIPHER_SUITE=$(priority "$1")" "$root/usr/bin/$2" \
		-Q -Y EXTERNAL -o nettimeout=20 "${@:3}"
}

openldap_ask() {
	ldap "$1" ldapwhoami -H "ldaps://127.0.0.1:$port" >said && grep -qx 'dn:cn=device' said
}

starttls_ask() {
	ldap "$1" ldapsearch -LLL -ZZ -H "ldap://127.0.0.1:$port" -b '' -s base supportedExtension >said && grep -q '^supportedExtension:' said
}

test_openldap() {
	openldap_start
	port=$ldaps
	ours openldap
	refusals openldap 1.2 1.3
}

test_openldap_starttls() {
	openldap_start
	ours starttls
	refusals starttls 1.2 1.3
}

# --- mosquitto: the certificate's subject is the user --------------------------------------

# Its own --tls-version is a lower limit.
mosquitto_ask() {
	packaged "${via[@]}" env "OPENSSL_CONF=$W/only$1.cnf" timeout 20 "$root/usr/bin/mosquitto_pub" -h localhost -p "$port" \
		--cafile "$PKI/ca.pem" -t topic -m "over $1" -q 1
}

test_mosquitto() {
	mosquitto_start
	accepts="u'CN=device'" misses='peer did not return a certificate' rejects='certificate verify failed'
	ours mosquitto
	refusals mosquitto 1.2 1.3
}

# --- Postfix: STARTTLS ----------------------------------------------------------------------

postfix_ask() {
	"${via[@]}" curl -sS --max-time 20 --ssl-reqd --cacert "$PKI/ca.pem" "--tlsv$1" --tls-max "$1" -X NOOP "smtp://localhost:$port"
}

# Its input stays open: at its end it would go without the answer.
submit_ask() {
	"${via[@]}" gnutls-cli --logfile=/dev/null "--x509cafile=$PKI/ca.pem" "--priority=$(priority "$1")" --starttls-proto=smtp \
		--port="$port" localhost < <(printf 'QUIT\r\n' && exec cat "$W/life") >smtp
	grep -q '^221 ' smtp
}

test_postfix_curl() {
	postfix_start
	ours postfix
	grep -qE 'subject_CN=device, issuer=Test Intermediate' mail.log || fail "no name in mail.log"
	refusals postfix 1.2 1.3
}

test_postfix_gnutls_cli() {
	gnutls_require gnutls_cli
	postfix_start
	ours submit
	refusals submit 1.2 1.3
}
