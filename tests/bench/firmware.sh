#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the firmware takes of a board: flash, memory, stack, and instructions of a handshake, each with its command line.
# Profiles full (an500) and small (an500-small) of firmware/config/, for an emulated Cortex-M7. Goals are marked met or
# MISSED, and the exit status is 0 in either case: only what is broken fails. A minute, and one more where the variants
# have to be built. BUILD names the build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
unset "${!MTLS_@}" LD_PRELOAD MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C

die() {
	echo "bench: $*" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pki=$work/pki
tests/helpers/pki.sh "$pki"

shown() {
	printf '$ '
	printf '%q ' "${@//$work/WORK}" | sed "s,$PWD/,,g"
	echo
}

# built FOLDER FLAGS BOARD...: device.elf of these boards, with more flags than the build's own
built() {
	local folder=$1 flags=$2
	shift 2
	make -s "-j$(nproc)" B="$folder" FW_EXTRA="$flags" "${@/%//device.elf}" >"$work/make" 2>&1 || die "make: $(tail -n 3 "$work/make")"
}

# kb BYTES
kb() {
	printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# goal WHAT BYTES MOST
goal() {
	local is=met
	[ "$2" -le "$3" ] || is=MISSED
	echo "goal: small, $1, at most $(kb "$3") kB: $(kb "$2"): $is"
}

# sizes ELF: text and data (what is in the flash), static RAM, the heap in it, the record's buffer in it
sizes() {
	local text data bss heap record
	read -r text data bss _ < <(arm-none-eabi-size "$1" | tail -n 1)
	read -r heap record < <(arm-none-eabi-nm -S --size-sort -r "$1" |
		sed "s/[.]lto_priv.*//" | awk '$3 == "b" && $4 == "heap" && !h { h = $2 } $3 == "b" && $4 == "buffer" && !r { r = $2 } END { print h, r }')
	echo $((text + data)) $((data + bss)) $((16#$heap)) $((16#$record))
}

# row NAME ELF
row() {
	local flash ram heap record
	read -r flash ram heap record < <(sizes "$2")
	printf '%-24s %9s %11s %11s %11s %11s\n' "$1" "$(kb "$flash")" "$(kb "$ram")" "$(kb "$heap")" "$(kb "$record")" \
		"$(kb $((ram - heap - record)))"
}

memories() {
	local flash
	shown arm-none-eabi-size "$build/firmware/an500/device.elf" "$build/firmware/an500-small/device.elf"
	shown arm-none-eabi-nm -S --size-sort "$build/firmware/an500/device.elf"
	printf '%-24s %9s %11s %11s %11s %11s\n' 'kB (1000 bytes)' flash 'static RAM' "TLS's heap" 'vault' 'the rest'
	row full "$build/firmware/an500/device.elf"
	row small "$build/firmware/an500-small/device.elf"
	row 'small, -O2' "$build/bench/O2/firmware/an500-small/device.elf"
	row 'small, link-time opt.' "$build/bench/lto/firmware/an500-small/device.elf"
	read -r flash _ < <(sizes "$build/firmware/an500-small/device.elf")
	goal flash "$flash" 150000
}

# handshakes FOLDER BOARD NAME: rows; sets $stack, the deepest, and $peak[KEY], the heap's highest
handshakes() {
	local key version at rest instructions seen take_peak take_stack
	# one board a folder, as firmware.py wants it
	mkdir -p "$work/$3/firmware" "$work/$3/tests"
	cp -r "$1/firmware/$2" "$work/$3/firmware/an500"
	cp "$build/mtls-device" "$work/$3/"
	cp "$build/tests/mtls-server" "$work/$3/tests/"
	stack=0
	for key in ec rsa; do
		peak[$key]=0
		for version in 1.2 1.3; do
			set -- "$1" "$2" "$3" timeout 100 python3 tests/bench/firmware.py "$work/$3" "$pki" "key/$key-pkcs8-aes-256-cbc" $version
			"${@:4}" >"$work/out" || die "firmware.py failed: $3, $key, $version"
			read -r at rest used take_peak take_stack instructions seen <"$work/out"
			[[ $seen == *CN=device*$version ]] || die "$3, $key, $version: the server saw: $seen"
			[ "$at" -le "${peak[$key]}" ] || peak[$key]=$at
			[ "$used" -le "$stack" ] || stack=$used
			instructions=$((instructions / 1000000))
			printf '%-12s %-5s %-5s %10s %10s %10s %15s %11s %11s\n' "$3" "${key^^}" "$version" "$(kb "$at")" "$(kb "$rest")" \
				"$(kb "$used")" "${instructions/#0/-}" "$(kb "$take_peak")" "$(kb "$take_stack")"
		done
	done
	command=("${@:4}")
}

all_handshakes() {
	local -A peak
	local stack command used
	echo "a mutual handshake with $(openssl version | cut -d ' ' -f 1-2), P-256, leaf and intermediate; RSA: 2048 bits. Heap: at most and with no"
	echo "connection; instructions: millions, of mtls_connect without its waiting. Taking over an upload with an encrypted key:"
	echo "the two on the right."
	printf '%-12s %-5s %-5s %10s %10s %10s %15s %11s %11s\n' kB key TLS heap 'at rest' stack 'M instructions' heap stack
	handshakes "$build/bench/measure" an500 full
	handshakes "$build/bench/O2" an500-small small-O2
	handshakes "$build/bench/lto" an500-small small-lto
	handshakes "$build/bench/measure" an500-small small
	shown "${command[@]}"
	goal "the heap's peak, EC key" "${peak[ec]}" 22000
	goal "the heap's peak, RSA key" "${peak[rsa]}" 22000
	goal stack "$stack" 4500
}

make -s "-j$(nproc)" B="$build" "$build/mtls-device" "$build/tests/mtls-server" "$build"/firmware/an500{,-small}/device.elf ||
	die "first: make firmware"
built "$build/bench/measure" -DFIRMWARE_MEASURE "$build"/bench/measure/firmware/an500{,-small}
built "$build/bench/O2" '-DFIRMWARE_MEASURE -O2' "$build/bench/O2/firmware/an500-small"
built "$build/bench/lto" '-DFIRMWARE_MEASURE -flto -ffat-lto-objects' "$build/bench/lto/firmware/an500-small"
echo "firmware: $(arm-none-eabi-gcc --version | head -n 1), $(qemu-system-arm --version | head -n 1)"
memories
echo
all_handshakes
