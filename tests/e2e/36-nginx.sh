# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# nginx, as Debian has it: what our own server says of a connection, a server that many people run says too. It tells the
# subject, the issuer and its verdict in its answer: of an issuer that it only has where the chain came with the leaf.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/real.sh
. tests/e2e/real.sh
# shellcheck source=tests/e2e/probe.sh
. tests/e2e/probe.sh

seen_us='CN=device CN=Test Intermediate SUCCESS'

setup() {
	real_setup nginx
}

# nginx_start [on|optional|off]: $url
nginx_start() {
	have nginx
	port_choose
	url=https://localhost:$port/
	cat >nginx.conf <<-CONF
		daemon off;
		pid $T/nginx.pid;
		error_log $T/error.log info;
		events { worker_connections 64; }
		http {
			log_format seen '[\$ssl_client_s_dn \$ssl_client_verify] \$ssl_protocol \$status';
			access_log $T/access.log seen;
			client_body_temp_path $T/body; proxy_temp_path $T/proxy; fastcgi_temp_path $T/fastcgi;
			uwsgi_temp_path $T/uwsgi; scgi_temp_path $T/scgi;
			server {
				listen 127.0.0.1:$port ssl;
				ssl_protocols TLSv1.2 TLSv1.3;
				ssl_certificate $PKI/server.pem;
				ssl_certificate_key $PKI/server.key;
				ssl_client_certificate $PKI/ca.pem;
				ssl_verify_client ${1-on};
				ssl_verify_depth 3;
				ssl_session_cache off;
				ssl_session_tickets off;
				return 200 "[\$ssl_client_s_dn \$ssl_client_i_dn \$ssl_client_verify] \$ssl_protocol\n";
			}
		}
	CONF
	real_start nginx listening "$root/usr/sbin/nginx" -p "$T" -e "$T/error.log" -c "$T/nginx.conf"
}

# A subject, chain or signature that only our own server accepts; a version or a library that it does not come through.
ours() {
	local version
	[ "$1" != wget ] || gnutls_require wget
	nginx_start
	for version in 1.2 1.3; do
		served "[$seen_us] TLSv$version" mtls "get_$1" "$url" $version
		decided presented "tls=$version" "port=$port" subject=CN=device
	done
	served "[$seen_us]" bare "get_$1" "$url"
}

test_curl() { ours curl; }
test_wget() { ours wget; }

# If it serves without us, nothing here proves anything.
test_without_us() {
	local version
	nginx_start
	for version in 1.2 1.3; do
		turned_away 'error: 400' plain get_curl "$url" $version
		turned_away 'ERROR 400' plain get_wget "$url" $version
	done
	[ "$(grep -c 'client sent no required SSL certificate' error.log)" = 4 ] || fail "$(tail -n 1 error.log)"
}

# A key that our server's handshake takes and another's does not.
test_keys() {
	local cred version
	nginx_start
	for version in 1.2 1.3; do
		cred=$PKI/key/ec-pkcs8-aes-256-cbc served "[$seen_us]" mtls get_curl "$url" $version
		cred=$PKI/key/rsa-pkcs1-aes256 served '[CN=device-rsa CN=Test Intermediate SUCCESS]' mtls get_curl "$url" $version
		cred=$PKI/key/ec-pkcs8-aes-256-cbc served "[$seen_us]" mtls get_wget "$url" $version
	done
}

# nginx knows the root only: without the intermediate it must refuse, or the tests above show no chain.
test_chain_matters() {
	local cred=$W/short
	nginx_start
	turned_away 'error: 400' mtls get_curl "$url"
	decided presented
	expect_text error.log 'client SSL certificate verify error'
}

test_unlisted_host() {
	nginx_start
	export MTLS_HOSTS='*.internal'
	turned_away 'error: 400' mtls get_curl "$url"
	decided host-not-listed
	turned_away 'ERROR 400' mtls get_wget "$url"
	decided host-not-listed
	expect_text error.log 'client sent no required SSL certificate'
	MTLS_HOSTS='*.internal localhost' served "[$seen_us]" mtls get_curl "$url"
}

# Who may come without a certificate still gets ours, and where it is withheld goes on without.
test_optional() {
	local version client
	nginx_start optional
	for client in curl wget; do
		for version in 1.2 1.3; do
			served '[  NONE]' plain get_$client "$url" $version
			served "[$seen_us] TLSv$version" mtls get_$client "$url" $version
			MTLS_HOSTS='!localhost' served '[  NONE]' mtls get_$client "$url" $version
			decided host-not-listed
		done
	done
}

# A certificate that nobody asked for.
test_not_asked() {
	local version client
	nginx_start off
	for client in curl wget; do
		for version in 1.2 1.3; do
			served '[  NONE]' mtls get_$client "$url" $version
		done
	done
	! grep -qE ' (presented|withheld) ' log || fail "a decision that nobody asked for: $(cat log)"
}

# logged LINE: of a connection in TLS 1.3, and another one in TLS 1.2; no more
logged() {
	until_true 5 lines_of access.log 2 || fail "nginx saw $(<access.log)"
	[ "$(<access.log)" = "${1/@/TLSv1.3}"$'\n'"${1/@/TLSv1.2}" ] || fail "nginx saw $(<access.log)"
	: >access.log
}

# It lets everybody through the handshake, gives them tickets even, and refuses in HTTP.
test_probe() {
	nginx_start
	probe 0 "localhost:$port"
	both issuers 'CN=Test Root'
	both result 'accepted: it answered HTTP/1.1 200 OK'
	logged '[CN=device SUCCESS] @ 200'
	cred=$PKI/device-other probe 2 "localhost:$port"
	both decision presented
	both result 'refused: it answered HTTP/1.1 400 Bad Request'
	logged '[CN=device-other FAILED:unable to verify the first certificate] @ 400'
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port"
	both result "$without it answered HTTP/1.1 400 Bad Request"
	logged '[- NONE] @ 400'
}

test_probe_optional() {
	nginx_start optional
	MTLS_HOSTS='!localhost' probe 1 "localhost:$port"
	both result 'the server goes on without it: it answered HTTP/1.1 200 OK'
	logged '[- NONE] @ 200'
}

test_probe_not_asked() {
	nginx_start off
	probe 3 "localhost:$port"
	both result "$not_asked it answered HTTP/1.1 200 OK"
	logged '[- NONE] @ 200'
}
