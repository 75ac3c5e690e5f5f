# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent's socket: its own, stale and live ones, where it is, and one that systemd hands over.

setup() {
	. "$TOP/tests/e2e/agent.sh"
}

test_stale_and_live_sockets() {
	start -d "$cred" --socket s
	attempt "$AGENT" -d "$cred" --socket s
	expect_rc 125
	one_line err 'another agent is at work there'
	asked signed
	kill -KILL "$agent"
	wait "$agent" || true
	[ -S s ]
	asked down
	start -d "$cred" --socket "$T/s"
	asked signed
	finish
	[ ! -e s ] || fail "the socket stays"
	# one that somebody else has put there meanwhile stays
	start -d "$cred" --socket s
	mv s away
	: >s
	finish
	[ -f s ]
}

test_no_place_for_a_socket() {
	: >file
	refused_start 'something that is no socket is there' --socket file
	[ -f file ]
	refused_start 'cannot listen there' --socket nowhere/s
	refused_start 'too long for a socket' --socket "$T/$(printf '%0100d' 0)"
	refused_start 'no name is given' --socket ''
	if [ "$(id -u)" = 0 ]; then
		start -d "$cred" --socket s
		kill -KILL "$agent"
		chown 1 s
		refused_start "somebody else's socket is there" --socket s
	fi
}

# Who may replace the socket could be asked instead of the agent: programs look, so the agent says it first.
test_a_folder_that_others_can_write() {
	as_users
	cp -r "$cred" device
	chown -R 65534 device
	install -d -m 1777 open
	install -d -o 65534 own
	start_as nobody -d device --socket open/s --allow bin
	expect_text log 'open/: programs of other users will not trust a socket here'
	socket=open/s
	asked_by bin foreign
	asked_by nobody signed
	finish
	start_as nobody -d device --socket open/s # for itself it is good enough
	no_text log trust
	finish
	start_as nobody -d device --socket own/s --allow bin
	no_text log trust
	socket=own/s
	asked_by bin signed
}

test_default_socket() {
	as_users
	install -d -o 65534 run
	cp -r "$cred" device
	chown -R 65534 device
	start_as nobody -d device
	[ "$(stat -c '%a %u' run/mtls)" = '700 65534' ]
	socket=run/mtls/agent.sock
	asked_by nobody signed
	finish
	[ ! -e run/mtls/agent.sock ]
	attempt nobody env -u XDG_RUNTIME_DIR ./mtls-agent -d device
	expect_rc 125
	one_line err 'there is no XDG_RUNTIME_DIR'
	attempt nobody env XDG_RUNTIME_DIR=run ./mtls-agent -d device
	expect_rc 125
}

test_default_socket_of_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -m mount -t tmpfs none /run 2>/dev/null || skip "needs a mount namespace"
	cat >inside <<-END
		mount -t tmpfs none /run
		"$AGENT" -d "$cred" 2>log &
		until grep -q 'signs for' log; do sleep 0.01; done
		stat -c '%a %u' /run/mtls
		"$ASK" /run/mtls/agent.sock "$cred/client_cert.pem"
		kill %1
	END
	attempt timeout 20 unshare -m bash inside
	[ "$(cat out)" = $'755 0\nsigned' ] || fail "$(cat out err log)"
}

# hand TYPE CMD...: as systemd does: one socket "s" of that type at descriptor 3; and a few more, which are a mistake
hand() {
	exec python3 - "$@" <<-'END'
		import os, socket, sys
		kind = socket.SOCK_SEQPACKET if sys.argv[1] == "seqpacket" else socket.SOCK_STREAM
		if os.path.exists("s"):
		    os.unlink("s")
		s = socket.socket(socket.AF_UNIX, kind)
		s.bind("s")
		os.chmod("s", 0o666)
		s.listen(16)
		for fd in range(4, 9):
		    os.dup2(2, fd)
		os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=os.environ.get("N", "1"), LISTEN_FDNAMES="agent")
		os.execvp(sys.argv[2], sys.argv[2:])
	END
}

handed_wrong() {
	(hand "$@")
}

test_socket_activation() {
	require python3
	hand seqpacket "$AGENT" -d "$cred" 2>log &
	agent=$!
	started
	asked signed
	[ "$(descriptors)" = 5 ] || fail "descriptors are left: $(ls -l "/proc/$agent/fd")"
	finish
	[ -S s ] || fail "systemd's socket was removed"
	attempt handed_wrong stream "$AGENT" -d "$cred"
	expect_rc 125
	one_line err 'ListenSequentialPacket='
	N=2 attempt handed_wrong seqpacket "$AGENT" -d "$cred"
	expect_rc 125
	# what is meant for another process is not ours
	LISTEN_FDS=1 LISTEN_PID=1 start -d "$cred" --socket own
	socket=own
	asked signed
}

# Programs trust a socket that root listens on, wherever it is, and whatever user the agent is.
test_socket_activation_for_another_user() {
	as_users
	require python3
	cp -r "$cred" device
	chown -R 65534 device
	hand seqpacket setpriv --reuid 65534 --regid 65534 --clear-groups ./mtls-agent -d device --allow bin 2>log &
	agent=$!
	started
	asked_by bin signed
	asked_by daemon denied
}

test_socket_activation_and_a_broken_folder() {
	require python3
	mkdir d
	cp "$cred/client_cert.pem" d/
	cp "$PKI/device-other/private_key.pem" d/
	hand seqpacket "$AGENT" -d d 2>log &
	agent=$!
	started
	expect_text log 'there is no key until then'
	asked other-key
	asked other-key --op probe
	cp "$cred/private_key.pem" d/
	asked signed
	[ "$(grep -c 'until then' log)" = 1 ]
}
