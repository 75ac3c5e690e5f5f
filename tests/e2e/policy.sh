# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Shared by the tests of the policy: the servers, names of example.test, and what "presents" and "withholds"
# mean at the server and in the log. Servers make the certificate optional, so that a refusal is a connection
# that lives on. Bare LD_PRELOAD unless said.

policy_setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	server_start plain --request optional --no-tickets
	server_start other --request optional --no-tickets
	server_start six --request optional --ipv6
	server_start wrong --request optional --cert "$PKI/wrong.pem" --key "$PKI/wrong.key"
	server_start issuers_other --request optional --issuers "$PKI/other-ca.pem"
	server_start issuers_root --request optional --issuers "$PKI/ca.pem"
	server_start issuers_intermediate --request optional --issuers "$PKI/intermediate.pem"
	server_start issuers_none --request optional --issuers none
	server_start ecdsa --request optional --sigalgs ECDSA+SHA256
	server_start pss --request optional --sigalgs rsa_pss_rsae_sha256
	server_start h2 --request optional --alpn h2 --pha
	server_start pha --request optional --pha
	server_start worst --request optional --issuers "$PKI/other-ca.pem" --sigalgs rsa_pss_rsae_sha256
	mkdir "$W/gone" "$W/nothing"
	: >"$W/gone/client_cert.pem"
	: >"$W/gone/private_key.pem"
	cat >"$W/resolver.c" <<-'C'
		/* Looks names of example.test up: 127.0.0.1. Behind the shim, as libc is. */
		#include <dlfcn.h>
		#include <netdb.h>
		#include <string.h>
		int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
		{
			int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

			*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
			return real(node && strstr(node, ".example.test") ? "127.0.0.1" : node, service, hints, result);
		}
	C
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o "$W/resolver.so" "$W/resolver.c"
}

# says WORD [KEY=VALUE...]: one more line in the log, and this is it
said=0
says() {
	local line verb=withheld
	[ "$1" != presented ] || verb=presented
	line=$(grep -E ' (withheld|presented|broken) ' log | tail -n "+$((said + 1))")
	[ "$(wc -l <<<"$line")" = 1 ] || fail "expected one line with reason=$1: $line"
	said=$((said + 1))
	[[ $line == *"] $verb "* ]] || fail "expected $verb: $line"
	expect_line "$line" "reason=$1" "${@:2}"
}

# gives CMD...: bare, presented, and the log says so
gives() {
	presented bare "$@"
	says presented "subject=${subject-CN=device}"
}

# keeps WORD CMD...: bare, the server asked and got nothing, the connection lived on
keeps() {
	nothing_sent bare "${@:2}"
	expect_line "$(tail -n 1 "$seen")" asked=yes
	says "$1"
}

curl_to() {
	"${via[@]}" curl -sS --max-time 20 --cacert "$PKI/ca.pem" "$@"
}

get() {
	"${via[@]}" "$probes/get" "$@"
}

# python_unverified PORT CA NAME: has the CA and does not check
python_unverified() {
	"${via[@]}" /usr/bin/python3 -I -c '
import socket, ssl, sys
port, ca, name = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.load_verify_locations(ca)
s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 20), server_hostname=name)
s.sendall(b"who\n")
print(s.recv(1000).decode())' "$@"
}
