# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Real programs whose key is with an agent of another user: who came is asked at the server. Each kind of key, each
# version of TLS, both libraries; what they do when the agent is down, slow, refuses them or is somebody else.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh

setup() {
	agents_setup
	server_start required --request required --no-tickets
	server_start optional --request optional --no-tickets
	server_start required12 --request required --no-tickets --tls 1.2
}

# whole SUBJECT CMD...: presented by the agent's signature
whole() {
	local subject=$1
	shift
	presented asked "$@"
	words reason=presented
}

# --- programs, versions, keys ------------------------------------------------------------

for client in curl python wget git; do
	for version in 1.2 1.3; do
		eval "test_${client}_tls${version/./}() { each_client $client $version; }"
	done
done

each_client() {
	require "$1"
	agent_start "$PKI/device"
	server_use required
	refused plain "client_$1" "$port" "$2"
	whole CN=device "client_$1" "$port" "$2"
	expect_none
}

for kind in rsa p384 ed25519; do
	for version in 1.2 1.3; do
		eval "test_key_${kind}_tls${version/./}() { each_key $kind $version; }"
	done
done

each_key() {
	local client
	agent_start "$PKI/device-$1"
	server_use required
	for client in curl wget; do
		whole "CN=device-$1" "client_$client" "$port" "$2"
	done
	expect_none
}

# RSA with PKCS#1, which TLS 1.2 alone has, and with PSS there too; SHA-512, whose digest is the longest.
test_rsa_schemes() {
	local list client
	agent_start "$PKI/device-rsa"
	for list in RSA+SHA256 RSA+SHA512 RSA-PSS+SHA256 RSA-PSS+SHA512; do
		server_start "$list" --request required --no-tickets --tls 1.2 --sigalgs "$list"
		for client in curl wget; do
			whole CN=device-rsa "client_$client" "$port" 1.2
		done
	done
}

# An RSA-PSS key that its certificate allows one hash only, and not the first one that servers accept.
test_one_hash() {
	local tls client
	mkdir "$T/pss"
	openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha512 \
		-pkeyopt rsa_pss_keygen_mgf1_md:sha512 -pkeyopt rsa_pss_keygen_saltlen:64 -out "$T/pss/private_key.pem" 2>/dev/null
	openssl req -new -key "$T/pss/private_key.pem" -subj /CN=pss -sigopt rsa_padding_mode:pss -sha512 |
		openssl x509 -req -CA "$PKI/intermediate.pem" -CAkey "$PKI/intermediate.key" -set_serial 77 2>/dev/null | cat - "$PKI/intermediate.pem" >"$T/pss/client_cert.pem"
	agent_start "$T/pss"
	for tls in 1.2 1.3; do
		server_start "pss$tls" --request required --no-tickets --tls "$tls"
		for client in curl wget; do
			whole CN=pss "client_$client" "$port" "$tls"
		done
	done
}

# A server that names so many CAs that the handshake is longer than 64 KiB: Ed25519, and --no-digest, sign all of it.
test_long_handshake() {
	local i name
	name=$(printf '/OU=%02d-2345678901234567890123456789012345678901234567890' {1..20})
	for i in {1..51}; do
		openssl req -x509 -new -key "$PKI/ca.key" -subj "/CN=$i$name"
	done >cas.pem 2>openssl.log
	server_start long --request optional --no-tickets --tls 1.2 --issuers "$T/cas.pem"
	agent_start "$PKI/device-ed25519" --no-digest
	whole CN=device-ed25519 client_curl "$port"
	whole CN=device-ed25519 client_wget "$port"
}

# TLS 1.0 and 1.1 sign MD5 with SHA-1, which has no scheme.
test_old_tls() {
	agent_start "$PKI/device-rsa"
	s_server_start old -Verify 2 -verify_return_error -tls1_1 -cipher ALL:@SECLEVEL=0
	attempt asked openssl s_client -connect "localhost:$port" -CAfile "$PKI/ca.pem" -tls1_1 -cipher ALL:@SECLEVEL=0 -ign_eof <<<$'GET / HTTP/1.0\r\n\r'
	expect_rc 0
	expect_text out 'Protocol  : TLSv1.1'
	expect_text "$seen" 'CN = device-rsa'
}

test_dtls() {
	agent_start "$PKI/device"
	seen=$T/seen
	openssl s_server -dtls1_2 -accept 127.0.0.1:0 -cert "$PKI/server.pem" -key "$PKI/server.key" -CAfile "$PKI/ca.pem" \
		-Verify 2 -verify_return_error <"$W/life" >"$seen" 2>&1 {life}>&- &
	until_true 10 s_server_port
	{ echo hello; until_true 10 grep -q hello "$seen"; } |
		asked openssl s_client -dtls1_2 -connect "127.0.0.1:$port" -CAfile "$PKI/ca.pem" >out 2>err || fail "$(tail -n 1 err)"
	expect_text "$seen" 'CN = device'
	expect_text "$seen" hello
	words reason=presented tls=dtls1.2
}

# A program that takes the default provider's algorithms only, as some are configured to.
test_strict_properties() {
	agent_start "$PKI/device"
	server_use required
	printf '%s\n' 'openssl_conf = o' '[o]' 'alg_section = a' '[a]' 'default_properties = provider=default' >strict.cnf
	attempt asked env "OPENSSL_CONF=$T/strict.cnf" curl -sS --cacert "$PKI/ca.pem" "https://localhost:$port/"
	expect_rc 0
	expect_seen subject=CN=device chain=2 verify=ok
}

# --- where the key is ------------------------------------------------------------------------

test_nobody_else_reads_it() {
	local file
	require_users
	agent_start "$PKI/device"
	for file in "$T/key/private_key.pem" "/proc/$agent/mem" "/proc/$agent/environ" "/proc/$agent/maps"; do
		! user nobody cat "$file" >/dev/null 2>&1 || fail "nobody reads $file"
	done
	! user nobody ls "$T/key" >/dev/null 2>&1 || fail "nobody lists $T/key"
	! user nobody kill -0 "$agent" 2>/dev/null || fail "nobody may signal the agent"
}

# The private number in the memory of a program that has used it, in either order of its bytes; in file mode it is there.
in_memory() {
	local how=$1 fifo=$T/$1.fifo pid out=$T/$1.memory as
	be nobody
	[ "$how" != file ] || as=() # who may read the key
	shift
	mkfifo "$fifo"
	chmod 666 "$fifo"
	"${as[@]}" "$@" /usr/bin/python3 -I -c 'import socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[1])
s = c.wrap_socket(socket.create_connection(("localhost", int(sys.argv[2]))), server_hostname="localhost")
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
while s.recv(4096): pass
print("used", flush=True)
open(sys.argv[3]).read()' "$PKI/ca.pem" "$port" "$fifo" >"$out" 2>&1 &
	pid=$!
	until_true 10 grep -q used "$out" || fail "no connection: $(cat "$out")"
	found=$(python3 "$TOP/tests/helpers/memory.py" "$pid" "$(cat "$T/number")")
	echo >"$fifo"
	wait "$pid" || fail "$(cat "$out")"
}

# number KEYFILE [PASSFILE]: into $T/number
private_number() {
	local pass=()
	[ ! -e "$1/private_key_pass.txt" ] || pass=(-passin "file:$1/private_key_pass.txt")
	openssl pkey -in "$1/private_key.pem" "${pass[@]}" -noout -text |
		sed -n '/^\(priv\|prime1\):/,/^[^ ]/p' | sed -n 's/^ *\([0-9a-f:]*\)$/\1/p' | tr -d ':\n' | sed 's/^00//' >"$T/number"
	[ "$(wc -c <"$T/number")" -ge 60 ] || fail "no private number of $1"
}

for kind in device device-rsa; do
	eval "test_memory_${kind/-/_}() { memory_of $kind; }"
done

memory_of() {
	agent_start "$PKI/$1"
	private_number "$PKI/$1"
	server_use required
	in_memory file env "MTLS_DIR=$PKI/$1" "LD_PRELOAD=$LIB"
	[ "$found" -gt 0 ] || fail "the search does not find it where it is"
	expect_seen "subject=CN=$1" verify=ok
	in_memory agent env "MTLS_DIR=$cert" "MTLS_AGENT=$sock" "LD_PRELOAD=$LIB"
	[ "$found" = 0 ] || fail "found $found times"
	expect_seen "subject=CN=$1" verify=ok
}

# --- an agent that is not there for us --------------------------------------------------------

# unharmed WHY CMD...: an optional server stays reachable, one that insists says no; the log says why
unharmed() {
	local client
	for client in curl wget; do
		server_use optional
		nothing_sent "$@" "client_$client" "$port"
		words reason=agent-unavailable "what=$sock"
		server_use required
		refused "$@" "client_$client" "$port"
	done
}

test_down() {
	agent_start "$PKI/device"
	kill "$agent"
	wait "$agent" || true
	unharmed asked
	agent_start "$PKI/device"
	server_use required
	whole CN=device client_curl "$port"
}

test_killed() {
	agent_start "$PKI/device"
	kill -KILL "$agent"
	wait "$agent" || true
	[ -S "$sock" ] || fail "there is no socket that nobody listens on"
	unharmed asked
	agent_start "$PKI/device"
	server_use required
	whole CN=device client_curl "$port"
}

test_stopped() {
	local start=$SECONDS
	agent_start "$PKI/device"
	kill -STOP "$agent"
	unharmed asked
	[ $((SECONDS - start)) -le 10 ] || fail "$((SECONDS - start)) s for four connections"
	kill -CONT "$agent"
	server_use required
	whole CN=device client_curl "$port"
}

test_not_allowed() {
	require_users
	agent_start "$PKI/device"
	unharmed stranger
	expect_text agent.err "user $(id -u bin)"
	server_use required
	whole CN=device client_curl "$port"
}

# Without --allow the socket itself is closed to others.
test_socket_closed() {
	require_users
	agent_start "$PKI/device"
	chmod 600 "$sock"
	unharmed asked
}

# Neither the agent nor the programs can write anything anywhere.
test_disk_full() {
	local as client
	agent_start "$PKI/device"
	kill "$agent"
	wait "$agent" || true
	be daemon
	"${as[@]}" "$AGENT" -v -d "$T/key" --socket "$sock" --allow nobody <"$W/life" >/dev/full 2>/dev/full {life}>&- &
	agent=$!
	until_true 10 agent_listens
	server_use required
	for client in curl wget; do
		asking nobody
		via+=(env MTLS_LOG_FILE=/dev/full)
		presented "client_$client" "$port"
	done
}

# The agent has another key than the one that the certificate is for.
test_other_key() {
	agent_start "$PKI/device"
	cp "$PKI/device-rsa/client_cert.pem" "$cert/"
	unharmed asked
}

# Somebody has put a socket of his own in its place: nothing is sent to it.
test_replaced() {
	require_users
	agent_start "$PKI/device"
	kill "$agent"
	wait "$agent" || true
	mkdir -m 1777 "$T/open"
	sock=$T/open/s
	listens bin "$sock"
	unharmed asked
	[ ! -s hostile ] || fail "it was asked: $(cat hostile)"
}

# It listens in a folder of its own, which a link leads to, or is in a folder that its group may write too.
test_foreign() {
	require_users
	agent_start "$PKI/device"
	mkdir -m 755 "$T/his"
	chown bin "$T/his"
	listens bin "$T/his/s"
	kill "$agent"
	wait "$agent" || true
	ln -s "$T/his/s" "$T/run/l"
	sock=$T/run/l
	unharmed asked
	[ ! -s hostile ] || fail "it was asked: $(cat hostile)"
	chmod 775 "$T/his"
	sock=$T/his/s
	unharmed asked
	[ ! -s hostile ] || fail "it was asked: $(cat hostile)"
}

# One that says yes and then does not sign, in a place that is trusted: the handshake ends, within the deadline, and the log says it.
test_does_not_sign() {
	local start client
	agent_start "$PKI/device"
	kill "$agent"
	wait "$agent" || true
	rm -f "$sock"
	listens daemon "$sock"
	for client in curl wget; do
		start=$SECONDS
		server_use optional
		attempt asked "client_$client" "$port"
		[ "$rc" != 0 ] || fail "worked without a signature"
		[ $((SECONDS - start)) -le 4 ] || fail "took $((SECONDS - start)) s"
		words reason=agent-unavailable "what=$sock"
	done
	kill "$hostile"
}

# --- odd programs ------------------------------------------------------------------------------

# Descriptors 0 to 2 are closed, all others at every turn, and the user changes: the key is asked for all the same.
test_daemon() {
	local script='import os, socket, ssl, sys
ca, port, out = sys.argv[1:]
c = ssl.create_default_context(cafile=ca)
os.close(0); os.close(1); os.close(2)
for i in range(3):
    if os.fork():
        os._exit(0)
    os.setsid()
    os.closerange(0, 256)
    s = c.wrap_socket(socket.create_connection(("localhost", int(port))), server_hostname="localhost")
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    while s.recv(4096): pass
    s.close()
    f = open(out, "a")
    f.write("%d %s\n" % (i, sorted(int(n) for n in os.listdir("/proc/self/fd"))))
    f.close()'
	agent_start "$PKI/device"
	server_use required
	: >daemon.out
	chmod 666 daemon.out
	asked /usr/bin/python3 -I -c "$script" "$PKI/ca.pem" "$port" "$T/daemon.out"
	for _ in 1 2 3; do
		expect_seen subject=CN=device chain=2 verify=ok
	done
	until_true 10 lines_of daemon.out 3
	! grep -v '\[0, 1\]' daemon.out || fail "descriptors are left"
}

# A program takes the key from its connection: it gets nothing for it, and lives.
for kind in device device-rsa device-ed25519; do
	eval "test_taken_key_${kind/-/_}() { taken_key $kind; }"
done

taken_key() {
	agent_start "$PKI/$1"
	server_use required
	attempt asked "$product/taken_key" "$port"
	expect_rc 0
	[ "$(<out)" = "subject: CN=$1" ] || fail "$(<out)"
}

# The program changes its user after it has made its context: the new one is not allowed, and comes back.
test_change_of_user() {
	local script='import os, socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[1])
def get():
    s = c.wrap_socket(socket.create_connection(("localhost", int(sys.argv[2]))), server_hostname="localhost")
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    while s.recv(4096): pass
get()
os.seteuid(2)
get()
os.seteuid(0)
get()'
	require_users
	agent_start "$PKI/device" --allow root
	server_use optional
	env "MTLS_DIR=$cert" "MTLS_AGENT=$sock" "LD_PRELOAD=$LIB" "MTLS_LOG_FILE=$T/log" /usr/bin/python3 -I -c "$script" "$PKI/ca.pem" "$port"
	expect_seen subject=CN=device
	expect_seen subject=
	expect_seen subject=CN=device
}

# Eight threads of one process, both libraries.
test_threads() {
	agent_start "$PKI/device"
	server_use required
	asked "$product/parallel" 200 fd "localhost:$port" >out || fail "$(tail -n 1 out)"
	asked "$product/gnutls_parallel" 200 fd "localhost:$port" >out || fail "$(tail -n 1 out)"
	! grep -v 'reason=presented\|generation' log || fail "not presented"
}

# Both sides are given another certificate, first the programs, then the agent.
test_rotation() {
	agent_start "$PKI/device"
	server_use required
	whole CN=device client_curl "$port"
	cp "$PKI/device-rsa/client_cert.pem" "$cert/"
	server_use optional
	nothing_sent asked client_curl "$port"
	cp "$PKI/device-rsa/"* "$T/key/"
	rm -f "$T/key/private_key_pass.txt"
	server_use required
	whole CN=device-rsa client_curl "$port"
	whole CN=device-rsa client_wget "$port"
}

# OpenSSL 1.1.1 has no place for such a key: nothing is presented, and the line says why.
test_openssl11() {
	[ -x "$probes/1.1.1/get" ] || skip "there is no OpenSSL 1.1.1 here"
	agent_start "$PKI/device"
	server_use optional
	ldd "$probes/1.1.1/get" | sed -n 's,.* => \(.*/lib\(ssl\|crypto\).so.1.1\) .*,\1,p' | xargs cp -t "$product"
	cp "$probes/1.1.1/get" "$product/"
	nothing_sent asked env "LD_LIBRARY_PATH=$product" "$product/get" "$port"
	words reason=agent-unavailable 'what=MTLS_AGENT needs OpenSSL 3'
}
