# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What mtls-run and mtls-cred say of an agent: --agent finds it, check, show and probe ask it, --explain tells of it. The
# agent is a script here, which says whatever the test wants; with the real one: 70-agent.sh, examples/agent.

. "$TOP/tests/e2e/launcher.sh"
. "$TOP/tests/e2e/probe.sh"

unavailable='withheld, agent-unavailable:'

setup() {
	GOOD=$PKI/device
	mkdir "$W/public" # the certificate alone
	cp "$GOOD/client_cert.pem" "$W/public/"
	# agent.py SOCKET LOG STATUS [STATUS-FOR-DIGESTS]: answers each probe with that byte; -1: never
	cat >"$W/agent.py" <<-'PY'
		import os, socket, sys
		path, log, status = sys.argv[1], open(sys.argv[2], 'ab', 0), [int(s) for s in sys.argv[3:]]
		listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		listener.bind(path + '~')
		listener.listen(8)
		os.rename(path + '~', path)
		kept = []
		while True:
		    peer = listener.accept()[0]
		    question = peer.recv(70000)
		    if not question: continue
		    log.write(f'{question[1]} {question[3]} {question[4:36].hex()} {len(question)}\n'.encode())
		    answer = status[-1 if question[3] == 2 else 0]
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
	probe 1 "localhost:$port"
	both decision 'a program would present it; not this one, as the key is with the agent'
	both result 'the server goes on without it: it answered HTTP/1.1 200 OK'
	MTLS_HOSTS='*.internal' probe 1 "localhost:$port"
	both decision 'withheld, host-not-listed: the server is not allowed by the host patterns (MTLS_HOSTS); add it to MTLS_HOSTS if it should see the certificate'
	! grep -q CN=device "$seen" || fail "the server saw us: $(grep -m 1 CN=device "$seen")"
}
