# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The agent's units, as make install puts them in place: systemd understands them, the sandbox is as narrow as systemd can
# tell, and what the agent does is allowed there. systemd itself does not run here: what it does is done by the test.

units=lib/systemd/system

setup() {
	local build=(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$TOP")
	[ "$BUILD" = "$TOP/build" ] || return 0 # of a build folder elsewhere make knows nothing
	"${build[@]}" install "PREFIX=$W/inst" >"$W/install.out" 2>&1
	export MANPATH=$W/inst/share/man
}

given() {
	[ -d "$W/inst" ] || skip "make install is for the usual build folder"
	command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
	cp "$W/inst/$units"/mtls-agent.* .
}

# silent CMD...: it works and says nothing
silent() {
	attempt "$@"
	[[ $rc = 0 && ! -s out && ! -s err ]] || fail "exit $rc: $(cat out err)"
}

# exposure PERCENT: systemd's own figure for the service with its drop-ins is not above
exposure() {
	attempt systemd-analyze security --offline=true --threshold="$1" "$PWD/mtls-agent.service"
	[ "$rc" = 0 ] || fail "$(tail -n 2 out err | tr '\n' ' ')"
	expect_text out 'Overall exposure level for mtls-agent.service: '
}

# of UNIT KEY: the values
of() { sed -n "s/^$2=//p" "$1"; }

test_systemd_understands_them() {
	given
	silent systemd-analyze --man=no verify ./mtls-agent.socket ./mtls-agent.service
	sed 's/^StateDirectory=/StaatDirectory=/' mtls-agent.service >wrong.service # the twin
	attempt systemd-analyze --man=no verify ./wrong.service
	expect_text err "StaatDirectory"
}

test_the_sandbox() {
	given
	exposure 5
	grep -vE '^(SystemCallFilter|CapabilityBoundingSet)=' mtls-agent.service >wide.service # the twin
	! systemd-analyze security --offline=true --threshold=5 "$PWD/wide.service" >out || fail "nothing was missed"
}

# And what the example's drop-ins take away of it is little.
test_drop_ins() {
	local name
	given
	mkdir mtls-agent.service.d
	for name in "$TOP"/examples/agent/*.conf; do
		cp "$name" mtls-agent.service.d/
		silent systemd-analyze --man=no verify "$PWD/mtls-agent.service"
		sed -i 's/^#   //' "mtls-agent.service.d/$(basename "$name")" # and what it only mentions
		SYSTEMD_UNIT_PATH=$PWD: silent systemd-analyze --man=no verify "$PWD/mtls-agent.service"
		rm mtls-agent.service.d/*
	done
}

# Names that are in one file and meant in another.
test_names_agree() {
	local word socket
	given
	"$BUILD/mtls-agent" --help >help
	for word in $(of mtls-agent.service ExecStart) $(sed -n 's/^# *Environment="OPTIONS=\(.*\)"/\1/p' mtls-agent.service); do
		[[ $word != -* ]] || expect_text help " $word"
	done
	[ -x "$(of mtls-agent.service ExecStart | cut -d' ' -f1)" ] || fail "ExecStart names no program"
	[ "/var/lib/$(of mtls-agent.service StateDirectory)" = "$(of mtls-agent.service ExecStart | sed 's/.* -d \([^ ]*\).*/\1/')" ]
	socket=$(of mtls-agent.socket ListenSequentialPacket)
	expect_text help "$socket"
	attempt "$RUN" -d "$PKI/device" --agent env
	grep -qF -e "MTLS_AGENT=$socket" -e "socket at $socket;" out err || fail "mtls-run looks elsewhere: $(cat err)"
	grep -q "^u $(of mtls-agent.service User) - " "$W/inst/lib/sysusers.d/mtls-agent.conf" || fail "nobody makes the service's user"
	attempt systemd-sysusers --root="$T" --dry-run "$W/inst/lib/sysusers.d/mtls-agent.conf"
	expect_rc 0
	! grep -rn '@PREFIX@' . || fail "something is not filled in"
}

# activated COMMAND...: becomes it, as systemd starts a service: with the socket at $T/s as descriptor 3
activated() {
	exec python3 - "$T/s" "$@" <<-'PY'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.bind(sys.argv[1])
		s.listen()
		os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='x')
		os.execvp(sys.argv[2], sys.argv[2:])
	PY
}

# expand SET...: the system calls of systemd's sets, a line each
expand() {
	local word
	for word; do
		if [[ $word == @* ]]; then
			# shellcheck disable=SC2046
			expand $(systemd-analyze syscall-filter "$word" 2>/dev/null | sed '1d; s/^ *//; /^#/d')
		else
			echo "$word"
		fi
	done
}

# An ingest, starting, reading again, a changed key, probes and signatures: all of it is done with calls that the service may make.
test_what_it_does_is_allowed() {
	local command line
	given
	command -v strace >/dev/null || skip "strace is not installed"
	mkdir folder
	cp -r "$PKI/device" inbox
	line=$(of mtls-agent.service ExecStart)
	read -ra command <<<"${line/\/var\/lib\/mtls/$T/folder}"
	command[-1]=--ingest # for $OPTIONS
	command+=("$T/inbox" --verbose)
	activated strace -D -f -o trace "${command[@]}" 2>log &
	until_true 10 grep -q 'signs for' log || fail "no start: $(cat log)"
	expect_text log 'moved to'
	"$BUILD/tests/ask" s "$PKI/device/client_cert.pem"
	"$BUILD/tests/ask" s "$PKI/device/client_cert.pem" --op probe
	kill -HUP $!
	cp --remove-destination "$PKI/device-rsa"/* folder/
	until_true 10 grep -q 'the key of before for 10 s more' log || fail "not read again: $(cat log)"
	"$BUILD/tests/ask" s "$PKI/device-rsa/client_cert.pem" --scheme 0804
	kill $!
	wait $! || fail "exit $? at SIGTERM: $(tail -n 3 log)"
	# shellcheck disable=SC2046
	expand $(of mtls-agent.service SystemCallFilter | grep -v '^~') | sort -u >allowed
	# shellcheck disable=SC2046
	expand $(of mtls-agent.service SystemCallFilter | sed -n 's/^~//p') | sort -u >denied
	[[ $(wc -l <allowed) -gt 200 && $(wc -l <denied) -gt 50 ]] || fail "the sets are not understood"
	sed -n '/execve(.*mtls-agent/,$p' trace | sed '1d; s/^[0-9]* *//; s/(.*//; /^[a-z0-9_]*$/!d' | sort -u >used
	grep -qx poll used || fail "nothing was seen"
	comm -23 used <(comm -23 allowed denied) >wrong
	[ ! -s wrong ] || fail "the unit forbids: $(xargs <wrong)"
	! grep -E 'PROT_[A-Z|_]*WRITE[A-Z|_]*EXEC|PROT_[A-Z|_]*EXEC[A-Z|_]*WRITE' trace || fail "memory that is written and executed"
	! grep -E ' socket\(AF_' trace | grep -v 'socket(AF_UNIX' || fail "a network"
}
