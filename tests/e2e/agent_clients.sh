# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# An agent with the key, and programs that cannot read it. As root they are three users: the agent's is daemon, the
# programs' is nobody, and bin is one whom nobody has allowed. As anybody else, and where others cannot look into the
# tests' folders, all are one, and what tells users apart is skipped.
#
#   agents_setup             once: everybody may look into the tests' folders, and at a copy of the product
#   agent_start DIR [OPTION...]   mtls-agent with the key of a folder; $agent is its pid, $sock its socket, $T/agent.err its words
#   asked CMD...             as `bare`, by the programs' user, with the certificate of $cert alone and the agent
#   stranger CMD...          the same by the user who is not allowed

AGENT=$BUILD/mtls-agent
root=
[ "$(id -u)" != 0 ] || root=$(command -v setpriv)
cert=$PKI/device
agent=
sock=

agents_setup() {
	chmod 711 "$WORK" "$W"
	chmod a+x "$PKI"
	chmod a+r "$PKI/ca.pem"
	product=$W/product
	mkdir "$product"
	cp "$LIB" "$RUN" "$CRED" "$AGENT" "$probes/parallel" "$probes/gnutls_parallel" "$probes/taken_key" "$product/"
	LIB=$product/libmtls-run.so RUN=$product/mtls-run CRED=$product/mtls-cred AGENT=$product/mtls-agent
	[ -z "$root" ] || user nobody test -r "$LIB" 2>/dev/null || root= # in a root of its own that is closed to others
}

# be NAME: what goes before a command of that user's, into the array `as`
be() {
	as=()
	[ -z "$root" ] || as=(setpriv --reuid "$(id -u "$1")" --regid "$(id -g "$1")" --clear-groups)
}

# user NAME CMD...
user() {
	local as
	be "$1"
	shift
	"${as[@]}" "$@"
}

require_users() {
	[ -n "$root" ] || skip "only root can be several users, and where others can look into $W"
}

agent_listens() {
	[ -S "$sock" ] || [ ! -e "/proc/$agent" ]
}

agent_start() {
	local dir=$1 allow=() as
	shift
	# A key of the agent's own; the programs have the certificate, $T/cert.
	[ -d "$T/key" ] || {
		chmod 755 "$T"
		mkdir -m 700 "$T/key"
		mkdir -m 755 "$T/cert" "$T/run"
		cp "$dir"/* "$T/key/"
		chmod 600 "$T"/key/*
		cp "$dir/client_cert.pem" "$T/cert/"
		chmod 644 "$T/cert/client_cert.pem"
		[ -z "$root" ] || chown -R daemon "$T/key" "$T/run"
	}
	cert=$T/cert
	sock=$T/run/s
	[ -z "$root" ] || allow=(--allow nobody)
	be daemon
	"${as[@]}" "$AGENT" -d "$T/key" --socket "$sock" "${allow[@]}" "$@" <"$W/life" >"$T/agent.out" 2>"$T/agent.err" {life}>&- &
	agent=$!
	until_true 10 agent_listens
	[ -S "$sock" ] || fail "the agent does not start: $(cat "$T/agent.err")"
}

# What goes before a program; the log is $T/log
asking() {
	: >"$T/log"
	chmod 666 "$T/log"
	local as
	be "$1"
	via=("${as[@]}" env "MTLS_DIR=$cert" "MTLS_AGENT=$sock" "MTLS_LOG=info" "MTLS_LOG_FILE=$T/log" "HOME=/" "LD_PRELOAD=$LIB")
}

asked() {
	local via
	asking nobody
	through "$@"
}

stranger() {
	local via
	asking bin
	through "$@"
}

# agent_beside DIR: one of the same user, whom everything in the test asks from here on that has the environment from it;
# $cred has the certificate alone.
agent_beside() {
	sock=$T/s
	"$AGENT" -d "$1" --socket "$sock" <"$W/life" 2>"$T/agent.err" {life}>&- &
	agent=$!
	until_true 10 agent_listens
	[ -S "$sock" ] || fail "the agent does not start: $(cat "$T/agent.err")"
	mkdir "$T/beside"
	cp "$1/client_cert.pem" "$T/beside/"
	cred=$T/beside
	export MTLS_AGENT=$sock
}

# listens USER PATH: a socket that says yes to every probe and signs nothing; $hostile is its pid
listens() {
	local path=$2 as
	be "$1"
	"${as[@]}" /usr/bin/python3 -I -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(64)
while True:
    c = s.accept()[0]
    q = c.recv(70000)
    print("asked", len(q), flush=True)
    if q and q[1] == 0: c.send(b"\1\0")' "$path" >"$T/hostile" 2>&1 &
	hostile=$!
	until_true 10 test -S "$path" || fail "$(cat "$T/hostile")"
}
