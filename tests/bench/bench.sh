#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make bench: what the shim costs, as ratios measured side by side on this machine, with the command lines.
# Handshakes and memory: handshake.c; start-up: startup.c; keys with an agent: agent.c. Goals are marked met or MISSED, and the exit
# status is 0 in either case: only what is broken fails. Under 3 minutes. BUILD names the build folder.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh
turns=${TURNS:-400}

make -s "$build/libmtls-run.so" "$build/mtls-run" "$build/mtls-cred" "$build/mtls-agent" "$build/bench/handshake" "$build/bench/agent" "$build/bench/startup"
build=$(realpath "$build")
library=$build/libmtls-run.so
# The first of the files that is there.
one_of() {
	local file
	for file; do
		[ ! -e "$file" ] || { echo "$file"; return; }
	done
	die "none of these is there: $*"
}

machine() {
	echo "machine: $(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)," \
		"$(openssl version | cut -d ' ' -f 1-2), load $(cut -d ' ' -f 1 /proc/loadavg)"
	echo "shim:    $(size -d "$library" | awk 'NR == 2 {printf "%.1f kB text, %.1f kB data, %.1f kB bss", $1 / 1000, $2 / 1000, $3 / 1000}')"
}

handshakes() {
	local what
	for what in time memory; do
		echo
		shown "$build/bench/handshake" $what "$pki" "$library"
		timeout 150 "$build/bench/handshake" $what "$pki" "$library" || die "handshake $what failed (exit $?)"
	done
}

start_up() {
	local torsocks proxychains alone=$work/alone true_=/bin/true
	torsocks=$(one_of /usr/lib/*/torsocks/libtorsocks.so /usr/lib/torsocks/libtorsocks.so /usr/local/lib/torsocks/libtorsocks.so)
	proxychains=$(one_of /usr/lib/*/libproxychains.so.4 /usr/lib/libproxychains4.so /usr/local/lib/libproxychains4.so)
	mkdir "$alone"
	cp "$build/mtls-run" "$library" "$alone/" # away from mtls-cred, which checks the pair
	echo '' | ${CC:-cc} -shared -fPIC -x c -o "$work/empty.so" -
	echo
	set -- "$build/bench/startup" "$turns" \
		-- plain '' $true_ \
		-- 'an empty library' "$work/empty.so" $true_ \
		-- libmtls-run.so "$library" $true_ \
		-- "torsocks' library" "$torsocks" $true_ \
		-- "proxychains4's library" "$proxychains" $true_ \
		-- 'mtls-run, no mtls-cred' '' "$alone/mtls-run" -q $true_ \
		-- mtls-run '' "$build/mtls-run" -q $true_
	echo "start to end of $true_: median of $turns turns in which each runs once (posix_spawn, wait4)"
	shown env MTLS_DIR="$pki/device" "$@"
	MTLS_DIR=$pki/device timeout 120 "$@" >"$work/startup" || die "startup failed (exit $?)"
	awk -F '\t' '
		NR == 1 { printf "%-26s %11s %7s %11s %7s\n", "", "wall", "ratio", "CPU", "ratio" }
		{ printf "%-26s %8d us %7.2f %8d us %7.2f\n", $1, $2, $3, $4, $5; wall[$1] = $2 }
		END {
			ours = wall["libmtls-run.so"]
			below = ours < wall["torsocks\047 library"] && ours < wall["proxychains4\047s library"]
			printf "goal: libmtls-run.so below torsocks and proxychains4, wall: %s\n", below ? "met" : "MISSED"
		}' "$work/startup"
}

agents() {
	local pair agent
	echo
	echo "full TLS 1.3 handshakes a second, wall: key in a file, key in mtls-agent, the ratio; 11 interleaved rounds of 400 + 400"
	for pair in device:0.90 device-rsa:0.80; do
		"$build/mtls-agent" -d "$pki/${pair%:*}" --socket "$work/agent" 2>"$work/agent.err" &
		agent=$!
		for _ in $(seq 100); do
			[ ! -S "$work/agent" ] || break
			sleep 0.05
		done
		[ -S "$work/agent" ] || die "the agent does not start: $(cat "$work/agent.err")"
		shown "$build/bench/agent" "$pki" "$library" "${pair%:*}" "$work/agent" "${pair#*:}"
		timeout 150 "$build/bench/agent" "$pki" "$library" "${pair%:*}" "$work/agent" "${pair#*:}" || die "agent failed (exit $?)"
		kill "$agent"
		wait "$agent" || true
	done
}

machine
handshakes
start_up
agents
