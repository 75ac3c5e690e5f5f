# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What mtls-run and mtls-cred say of an agent: --agent finds it, check, show and probe ask it, --explain tells of it. The
# agent is mostly a script here, which says whatever the test wants; with the real one: 70-agent.sh, examples/agent.

. "$TOP/tests/e2e/launcher.sh"
. "$TOP/tests/e2e/probe.sh"

unavailable='withheld, agent-unavailable:'

setup() {
	GOOD=$PKI/device
	mkdir "$W/public" # the certificate alone
	cp "$GOOD/client_cert.pem" "$W/public/"
	# agent.py SOCKET LOG STATUS [STATUS-FOR-DIGESTS]: answers with that byte; -1: never. With PROBES so many of them,
	# then 1
	cat >"$W/agent.py" <<-'PY'
		import os, socket, sys
		path, log, status = sys.argv[1], open(sys.argv[2], 'ab', 0), [int(s) for s in sys.argv[3:]]
		listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		listener.bind(path + '~')
		listener.listen(8)
		os.rename(path + '~', path)
		kept, left = [], int(os.environ.get('PROBES', 1000))
		while True:
		    peer = listener.accept()[0]
		    question = peer.recv(70000)
		    if not question: continue
		    log.write(f'{question[1]} {question[3]} {question[4:36].hex()} {len(question)}\n'.encode())
		    answer = status[-1 if question[3] == 2 else 0] if left > 0 else 1
		    left -= 1
		    if answer < 0: kept.append(peer)
		    else:
		        peer.send(bytes([1, answer]))
		        peer.close()
	PY
}

# agent STATUS [STATUS-FOR-DIGESTS]: one that answers so, at $T/a
agent() {
	rm -f a
	python3 "$W/agent.py" "$T/a" "$T/asked" "$@" &
	until_true 10 [ -S a ] || fail "the agent does not start"
}

# checked STATUS LINE...: mtls-cred check of the certificate alone, at $T/a; beside the first line
checked() {
	attempt env MTLS_AGENT="$T/a" "$CRED" check -d "$W/public"
	expect_rc "$1"
	[ ! -s err ] || fail "said: $(<err)"
	grep -q "^usable: $W/public: subject CN=device" out
	shift
	[ "$(sed 1d out)" = "$(printf '%s\n' "$@")" ] || fail "expected $*, got: $(<out)"
}

# --- check, show ------------------------------------------------------------------------

test_check_asks() {
	local id
	checked 1 "warning: $T/a: there is no agent's socket, or no way to it; start mtls-agent, or correct MTLS_AGENT"
	agent 0
	checked 0 "agent: $T/a: ready"
	# first for a content, then for a digest, each with the certificate's key and nothing to sign
	id=$(openssl x509 -in "$GOOD/client_cert.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
	[ "$(<asked)" = "0 1 $id 36"$'\n'"0 2 $id 36" ] || fail "$(<asked)"
	agent 0 4
	checked 0 "agent: $T/a: ready, but not for GnuTLS programs, as it signs whole messages only"
	MTLS_AGENT=$T/a "$CRED" check -d "$PKI/device-ed25519" >out # of which there are no digests
	expect_text out "agent: $T/a: ready"
	! grep GnuTLS out || fail "$(<out)"
}

test_check_says_why_not() {
	agent 1
	checked 1 "warning: $T/a: the agent does not serve this user; start it with --allow and this user's name"
	agent 2
	checked 1 "warning: $T/a: the agent has no key for this certificate; give program and agent the same certificate"
	agent 5
	checked 1 "warning: $T/a: the agent's key does not sign; see what mtls-agent says, and send it SIGHUP when the token is back"
	agent -1
	checked 1 "warning: $T/a: the agent did not answer in time; see what it is waiting for"
	agent 99
	checked 1 "warning: $T/a: the agent hung up; see what it says, and install the same version of both"
	python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("dead")'
	mv dead a
	checked 1 "warning: $T/a: nobody listens there; start mtls-agent"
}

test_show() {
	agent 0
	attempt env MTLS_AGENT="$T/a" "$CRED" show -d "$W/public"
	expect_rc 0
	grep -qxF "agent        $T/a: ready" out || fail "$(<out)"
	attempt env MTLS_AGENT="$T/a" "$CRED" show --json -d "$W/public"
	python3 -c 'import json, sys; assert json.load(open("out"))["warnings"] == []'
	agent 1
	attempt env MTLS_AGENT="$T/a" "$CRED" show --json -d "$W/public"
	expect_rc 1
	python3 - "$T/a: the agent does not serve this user; start it with --allow and this user's name" <<-'PY'
		import json, sys
		found = json.load(open('out'))
		assert found['warnings'] == sys.argv[1:] and found['state'] == 'usable', found
	PY
	attempt env MTLS_AGENT="$T/a" "$CRED" show -d "$W/public"
	! grep -q '^agent' out || fail "$(<out)"
}

# A folder's writing verbs have nothing to do with an agent.
test_writing_verbs_do_not_ask() {
	agent 0
	MTLS_AGENT=$T/a "$CRED" new -d made --cn x >/dev/null
	MTLS_AGENT=$T/a "$CRED" remove -d made >/dev/null
	[ ! -s asked ] || fail "asked: $(<asked)"
}

# --- mtls-run ---------------------------------------------------------------------------

# var_agent VALUE: what the program gets
var_agent() {
	expect_rc 0
	expect_var "MTLS_AGENT=$1"
}

test_agent_option() {
	agent 0
	attempt "$RUN" -d "$W/public" --agent="$T/a" env
	var_agent "$T/a"
	expect_silence
	attempt "$RUN" -d "$W/public" --agent=a env
	var_agent "$T/a"
	attempt env MTLS_AGENT=/nowhere "$RUN" -d "$W/public" --agent="$T/a" env
	var_agent "$T/a"
	refuses 'MTLS_AGENT is empty' -- "$RUN" -d "$W/public" --agent= env
	attempt "$RUN" -d "$GOOD" env
	expect_no_var MTLS_AGENT
}

# The user's own one first, then the machine's (for which nothing is done here: it may be in use).
test_agent_without_a_path() {
	mkdir -p run/mtls
	agent 0
	attempt env XDG_RUNTIME_DIR="$T/run" "$RUN" -d "$W/public" --agent env
	[ -e /run/mtls/agent.sock ] ||
		one_line err "mtls-run: --agent: there is no agent's socket at $T/run/mtls/agent.sock or /run/mtls/agent.sock; start mtls-agent, or say --agent=PATH"
	[ -e /run/mtls/agent.sock ] || expect_rc 125
	mv a run/mtls/agent.sock
	attempt env XDG_RUNTIME_DIR="$T/run" "$RUN" -d "$W/public" --agent env
	var_agent "$T/run/mtls/agent.sock"
	expect_silence
	[ ! -e /run/mtls/agent.sock ] || return 0
	refuses "at /run/mtls/agent.sock; start" -- env XDG_RUNTIME_DIR=run "$RUN" -d "$W/public" --agent env # not absolute
	refuses "at /run/mtls/agent.sock; start" -- "$RUN" -q -d "$W/public" --agent env
}

test_run_warns() {
	agent 1
	warns "mtls-run: warning: $T/a: the agent does not serve this user" -- "$RUN" -d "$W/public" --agent="$T/a" sh -c 'exit 7'
	warns "mtls-run: warning: $T/none: there is no agent's socket" -- "$RUN" -d "$W/public" --agent="$T/none" sh -c 'exit 7'
	unwarned "$RUN" -q -d "$W/public" --agent="$T/none" sh -c 'exit 7'
	agent 0
	unwarned "$RUN" -d "$W/public" --agent="$T/a" sh -c 'exit 7'
	refuses 'the private key is missing' -- "$RUN" -d "$W/public" sh -c 'exit 7' # the twin
}

# The words of TLS that an agent looks for are no TLS inside.
test_our_own_programs_have_none_inside() {
	local program
	for program in "$CRED" "$BUILD/mtls-agent"; do
		attempt "$RUN" -d "$GOOD" "$program" --version
		expect_rc 0
		expect_silence
	done
}

# explained LINE: --explain of openssl has it
explained() {
	"$RUN" -d "$W/public" --agent="$T/a" --explain openssl >out
	grep -qxF -e "$1" out || fail "expected \"$1\": $(<out)"
}

test_explain() {
	agent 0
	explained 'agent       ready'
	explained "setting     agent       $T/a (--agent)"
	explained 'verdict     covered'
	agent 0 4
	explained 'agent       ready, but not for GnuTLS programs, as it signs whole messages only'
	agent 2
	explained 'agent       unavailable the agent has no key for this certificate; give program and agent the same certificate'
	! grep -q '^note' out || fail "twice: $(<out)"
	own_copy 'exit 1' # mtls-cred does not run here
	RUN=$own explained 'agent       unknown     it was not asked'
}

test_explain_openssl11() {
	mkdir lib
	echo 'int SSL_x;' | "${CC:-cc}" -shared -Wl,-soname,libssl.so.1.1 -o lib/libssl.so.1.1 -x c -
	echo 'extern int SSL_x; int main(void) { return SSL_x; }' >main.c
	"${CC:-cc}" -o old main.c "$PWD/lib/libssl.so.1.1" -Wl,-rpath,"$PWD/lib"
	agent 0
	attempt "$RUN" -d "$W/public" --agent="$T/a" --explain ./old
	expect_rc 2
	grep -q '^tls  *OpenSSL  *not-covered .*an agent needs OpenSSL 3: use a build of it that links libssl.so.3' out || fail "$(<out)"
	attempt "$RUN" -d "$GOOD" --explain ./old
	expect_rc 0
}

# --- probe ------------------------------------------------------------------------------

test_probe() {
	server_start optional --request optional
	export MTLS_AGENT=$T/a
	cred=$W/public
	probe 1 "localhost:$port"
	both decision "$unavailable $T/a: there is no agent's socket, or no way to it; start mtls-agent, or correct MTLS_AGENT"
	agent 1
	probe 1 "localhost:$port"
	both decision "$unavailable $T/a: the agent does not serve this user; start it with --allow and this user's name"
	agent 0
	MTLS_HOSTS='*.internal' probe 1 "localhost:$port"
	both decision 'withheld, host-not-listed: the server is not allowed by the host patterns (MTLS_HOSTS); add it to MTLS_HOSTS if it should see the certificate'
	! grep -q CN=device "$seen" || fail "the server saw us: $(grep -m 1 CN=device "$seen")"
}

# With the library preloaded into itself mtls-cred is served as any program is.
test_probe_presents() {
	server_start required --request required
	"$BUILD/mtls-agent" -d "$GOOD" --socket a 2>agent.log &
	until_true 10 grep -q 'signs for' agent.log
	export MTLS_AGENT=$T/a
	cred=$W/public
	probe 0 "localhost:$port"
	both decision presented
	both result 'accepted: it answered HTTP/1.1 200 OK'
	expect_seen subject=CN=device chain=2 tls=1.3 result=ok
	expect_seen subject=CN=device chain=2 tls=1.2 result=ok
	cred=$PKI/device-other # another key
	probe 1 "localhost:$port"
	both decision "$unavailable $T/a: the agent has no key for this certificate; give program and agent the same certificate"
	server_start stranger --request required --ca "$PKI/other-ca.pem"
	cred=$W/public
	probe 2 "localhost:$port"
	both decision presented
	both result 'refused: alert unknown_ca (48)'
}

# After a request in the middle of the connection, and with the folder found by a variable.
test_probe_presents_later() {
	server_start later --pha --request optional --no-tickets
	"$BUILD/mtls-agent" -d "$GOOD" --socket a 2>agent.log &
	until_true 10 grep -q 'signs for' agent.log
	attempt env "SSL_CERT_FILE=$PKI/ca.pem" MTLS_AGENT="$T/a" MTLS_DIR="$W/public" MTLS_LOG=debug "$CRED" probe "localhost:$port"
	[ ! -s err ] || fail "said: $(<err)"
	says 1.3 asks 'after the request (post-handshake authentication)'
	says 1.3 decision presented
}

test_probe_says_what_it_cannot() {
	server_start optional --request optional
	export MTLS_AGENT=$T/a
	cred=$W/public
	PROBES=4 agent 0 # two of each process; the fifth is the library's
	probe 1 "localhost:$port"
	says 1.3 decision "$unavailable $T/a: it has gone away in the middle"
	says 1.3 result 'the server goes on without it: it answered HTTP/1.1 200 OK'
	agent 0
	mkdir bin
	cp "$CRED" bin/
	CRED=$T/bin/mtls-cred probe 1 "localhost:$port"
	both decision 'a program would present it; not this one, as libmtls-run.so is not found'
	both result 'the server goes on without it: it answered HTTP/1.1 200 OK'
	! grep -q CN=device "$seen" || fail "the server saw us: $(grep -m 1 CN=device "$seen")"
	no 4 "localhost:$port: the agent did not make the signature that it had promised; see what mtls-agent says" "localhost:$port"
}
