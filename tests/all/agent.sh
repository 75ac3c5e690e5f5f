# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# 200 programs at once on one agent: curl, wget and python in turn, at a server that asks and lives without. Meanwhile
# the agent is killed and started again, stopped, or replaced by somebody else's socket. A program is served or does
# without, nobody hangs, and only a kill between the question whether and the signature itself can cost a handshake.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh

deadline=180
programs=200
longest=12 # seconds for one program: two deadlines, and 200 processes on few cores

setup() {
	agents_setup
	server_start optional --request optional --no-tickets
}

# one N: the Nth program; a line "RC SECONDS PRESENTED" into swarm/N
one() {
	local clients=(curl wget python) client log=$T/swarm/$1.log start=$SECONDS status=0
	client=client_${clients[$(($1 % 3))]}
	: >"$log"
	chmod 666 "$log"
	"$client" "$port" >"$T/swarm/$1.out" 2>&1 || status=$?
	echo "$status $((SECONDS - start)) $(grep -c 'presented reason=presented' "$log") $(grep -c 'reason=agent-unavailable' "$log")" >"$T/swarm/$1.new"
	mv "$T/swarm/$1.new" "$T/swarm/$1"
}

finished() {
	[ "$(find "$T/swarm" -name '*[0-9]' | wc -l)" -ge "$1" ]
}

# swarm WHAT...: calls it when a quarter has finished
swarm() {
	local i as pids=()
	mkdir -m 777 swarm
	be nobody
	for ((i = 1; i <= programs; i++)); do
		(
			via=("${as[@]}" env "MTLS_DIR=$cert" "MTLS_AGENT=$sock" MTLS_LOG=info "MTLS_LOG_FILE=$T/swarm/$i.log" HOME=/ "LD_PRELOAD=$LIB")
			one "$i"
		) &
		pids+=($!)
	done
	until_true 60 finished $((programs / 4)) || fail "not even a quarter has finished in 60 s"
	"$@"
	wait "${pids[@]}"
	sum=$(cat swarm/*[0-9] | awk '{ n++; good += $1 == 0; slow = $2 > slow ? $2 : slow; presented += $1 == 0 && $3; without += $1 == 0 && !$3
		lost += $1 != 0; unsaid += $1 != 0 && !$4 } END { print n + 0, good + 0, presented + 0, without + 0, lost + 0, unsaid + 0, slow + 0 }')
	read -r n good presented without lost unsaid slow <<<"$sum"
	echo "$programs programs: $presented presented, $without without, $lost lost their handshake, slowest $slow s" >counts
	cat counts
	[ "$n" = "$programs" ] || fail "$n of $programs have ended"
	[ "$slow" -le "$longest" ] || fail "$(cat counts)"
	[ "$unsaid" = 0 ] || fail "$unsaid lost it and no line says why: $(cat counts)"
	[ "$(grep -c 'subject="*CN=device' "$seen")" -ge "$presented" ] || fail "the server saw fewer: $(cat counts)"
}

nothing() {
	:
}

test_all_served() {
	agent_start "$PKI/device"
	server_use optional
	swarm nothing
	[ "$lost" = 0 ] || fail "$(cat counts)"
	[ "$presented" -gt $((programs / 2)) ] || fail "$(cat counts)"
}

start_again() {
	kill -KILL "$agent"
	wait "$agent" || true
	sleep 0.3
	agent_start "$PKI/device"
}

test_killed_and_started() {
	agent_start "$PKI/device"
	server_use optional
	swarm start_again
	[ "$lost" -le 20 ] || fail "$(cat counts)"
	[ "$presented" -gt 0 ] || fail "$(cat counts)"
	server_use optional
	presented asked client_curl "$port"
}

stop_for_a_while() {
	kill -STOP "$agent"
	sleep 3
	kill -CONT "$agent"
}

test_stopped() {
	agent_start "$PKI/device"
	server_use optional
	swarm stop_for_a_while
	[ "$presented" -gt 0 ] || fail "$(cat counts)"
}

# Another user's socket in its place, which says yes to everything: nobody asks it.
take_its_place() {
	kill "$agent"
	wait "$agent" || true
	listens bin "$T/open/s"
	ln -sfn "$T/open/s" "$T/run/l"
}

test_replaced() {
	require_users
	agent_start "$PKI/device"
	mkdir -m 1777 open
	ln -s "$T/run/s" "$T/run/l"
	sock=$T/run/l
	server_use optional
	swarm take_its_place
	[ ! -s hostile ] || fail "somebody else's socket was asked $(wc -l <hostile) times"
	[ "$lost" -le 20 ] || fail "$(cat counts)"
}
