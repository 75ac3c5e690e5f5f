# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Apache, PostgreSQL, mosquitto and Postfix with our certificates, for tests/all: NAME_start gives $port and $record, what the
# server writes. Each wants a client certificate of our CA: Apache where it is told to, the others of everybody.

# apache_start [require [PATH]]: asks everybody; PATH asks later
apache_start() {
	local module
	have apache
	port_choose
	for module in mpm_event authz_core ssl status; do
		echo "LoadModule ${module}_module $root/usr/lib/apache2/modules/mod_$module.so"
	done >apache.conf
	[ "$(id -u)" != 0 ] || printf 'User #65534\nGroup #65534\n' >>apache.conf
	cat >>apache.conf <<-CONF
		ServerName localhost
		Listen 127.0.0.1:$port
		PidFile $T/apache.pid
		Mutex pthread
		ErrorLog $T/error.log
		LogFormat "%m %U %>s [%{SSL_CLIENT_S_DN}x %{SSL_CLIENT_I_DN}x %{SSL_CLIENT_VERIFY}x] %{SSL_PROTOCOL}x" seen
		CustomLog $T/access.log seen
		LogLevel info
		DocumentRoot /
		SetHandler server-status
		SSLEngine on
		SSLProtocol -all +TLSv1.2 +TLSv1.3
		SSLCertificateFile $PKI/server.pem
		SSLCertificateKeyFile $PKI/server.key
		SSLCACertificateFile $PKI/ca.pem
		SSLVerifyDepth 3
		SSLSessionCache none
		SSLSessionTickets off
		SSLVerifyClient ${1-none}
		<Location ${2-/private}>
			SSLVerifyClient require
		</Location>
	CONF
	url=https://localhost:$port
	record=error.log
	: >access.log
	real_start apache listening "$root/usr/sbin/apache2" -DFOREGROUND -d "$T" -f "$T/apache.conf"
}

us='[CN=device CN=Test Intermediate SUCCESS]'

postgresql_start() {
	local programs
	have postgresql
	not_root PostgreSQL
	programs=$(echo "$root"/usr/lib/postgresql/*/bin)
	port_choose
	packaged "${as_user[@]}" "$programs/initdb" -D "$T/data" -U admin -A reject --no-locale -E UTF8 -N >made 2>&1 ||
		fail "initdb: $(tail -n 1 made)"
	echo 'hostssl all device 127.0.0.1/32 trust clientcert=verify-full' >data/pg_hba.conf
	cat >>data/postgresql.conf <<-CONF
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = ''
		fsync = off
		ssl = on
		ssl_cert_file = '$PKI/server.pem'
		ssl_key_file = '$PKI/server.key'
		ssl_ca_file = '$PKI/ca.pem'
	CONF
	echo 'create role device login' | packaged "${as_user[@]}" "$programs/postgres" --single -D "$T/data" postgres >made 2>&1
	record=answers
	: >answers
	psql=$programs/psql
	real_start postgresql postgresql_ready "$programs/postgres" -D "$T/data"
}

postgresql_ready() {
	grep -q 'ready to accept connections' postgresql.said
}

mosquitto_start() {
	have mosquitto
	port_choose
	cat >mosquitto.conf <<-CONF
		user root
		log_dest stderr
		log_type all
		listener $port 127.0.0.1
		cafile $PKI/ca.pem
		certfile $PKI/server.pem
		keyfile $PKI/server.key
		require_certificate true
		use_subject_as_username true
	CONF
	record=mosquitto.said
	real_start mosquitto listening "$root/usr/sbin/mosquitto" -c "$T/mosquitto.conf"
}

# Its parts are processes of three users, which Debian's own fixed ones stand for, in a queue of its own.
postfix_start() {
	[ "$(id -u)" = 0 ] || skip "Postfix runs as root only"
	have postfix
	chmod 711 "$WORK" "$W" "$T" # it does not read what is in there, but passes through
	setpriv --reuid daemon --regid daemon --clear-groups test -x "$T/." || skip "others cannot get to $T"
	port_choose
	mkdir conf spool spool/{pid,private,public} data
	chown daemon data spool/private spool/public
	cat >conf/main.cf <<-CONF
		compatibility_level = 3.6
		queue_directory = $T/spool
		data_directory = $T/data
		daemon_directory = $root/usr/lib/postfix/sbin
		command_directory = $root/usr/sbin
		shlib_directory = $root/usr/lib/postfix
		meta_directory = $T/conf
		import_environment = MAIL_CONFIG LD_LIBRARY_PATH
		mail_owner = daemon
		setgid_group = games
		maillog_file = $T/mail.log
		maillog_file_prefixes = $T
		myhostname = localhost
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		smtpd_peername_lookup = no
		alias_maps =
		local_recipient_maps =
		smtpd_tls_security_level = encrypt
		smtpd_tls_req_ccert = yes
		smtpd_tls_cert_file = $PKI/server.pem
		smtpd_tls_key_file = $PKI/server.key
		smtpd_tls_CAfile = $PKI/ca.pem
		smtpd_tls_loglevel = 2
	CONF
	cat >conf/master.cf <<-CONF
		127.0.0.1:$port inet n - n - - smtpd
		postlog unix-dgram n - n - 1 postlogd
		tlsmgr unix - - n 1000? 1 tlsmgr
		anvil unix - - n - 1 anvil
		proxymap unix - - n - - proxymap
		rewrite unix - - n - - trivial-rewrite
	CONF
	touch conf/dynamicmaps.cf conf/postfix-files
	record=mail.log
	: >mail.log
	real_start postfix listening "$root/usr/lib/postfix/sbin/master" -d -e "$deadline" -c "$T/conf"
	accepts='Trusted TLS connection established from unknown[127.0.0.1]: TLSv@'
	misses='No client certificate presented' rejects='Client certificate not trusted'
}
