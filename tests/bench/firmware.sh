#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What the firmware takes of a board: flash, memory, stack, and instructions of a handshake, each with its command line.
# Profiles full (an500) and small (an500-small) of firmware/config/, for an emulated Cortex-M7, and small without each of
# its savings. Goals are marked met or MISSED, and the exit status is 0 in either case: only what is broken fails. A
# minute, and two more where the variants have to be built. BUILD names the build folder.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/bench/lib.sh
. tests/bench/lib.sh

# What is built for measuring, in build/bench/NAME: the row's name, the board, the keys to measure with, and what make is told.
declare -A row=([full]=full [small]=small [rsa]='small + RSA' [old]='small + old keys' [no-lto]='small - link-time opt.'
	[O2]='small, -O2')
declare -A keys=([full]='ec rsa' [small]=ec [rsa]='ec rsa' [no-lto]=ec [O2]=ec)
declare -A flags=([rsa]=-DFIRMWARE_RSA [old]=-DFIRMWARE_OLD_KEYS [O2]=-O2)
declare -A variables=([no-lto]=FW_LTO=)
names=(full small rsa old no-lto O2)

# board NAME
board() {
	[ "$1" = full ] && echo an500 || echo an500-small
}

# elf NAME
elf() {
	echo "$build/bench/$1/firmware/$(board "$1")/device.elf"
}

# built NAME
built() {
	make -s "-j$(nproc)" B="$build/bench/$1" FW_EXTRA="-DFIRMWARE_MEASURE ${flags[$1]-}" ${variables[$1]+"${variables[$1]}"} \
		"$(elf "$1")" >"$work/make" 2>&1 || die "make: $(tail -n 3 "$work/make")"
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

# sized NAME ELF: a row
sized() {
	local flash ram heap record
	read -r flash ram heap record < <(sizes "$2")
	printf '%-24s %9s %11s %11s %11s %11s\n' "$1" "$(kb "$flash")" "$(kb "$ram")" "$(kb "$heap")" "$(kb "$record")" \
		"$(kb $((ram - heap - record)))"
}

memories() {
	local flash name
	shown arm-none-eabi-size "$build/firmware/an500/device.elf" "$build/firmware/an500-small/device.elf"
	shown arm-none-eabi-nm -S --size-sort "$build/firmware/an500/device.elf"
	printf '%-24s %9s %11s %11s %11s %11s\n' 'kB (1000 bytes)' flash 'static RAM' "TLS's heap" 'vault' 'the rest'
	sized full "$build/firmware/an500/device.elf"
	sized small "$build/firmware/an500-small/device.elf"
	echo 'and, with 0.2 kB of what counts the heap:'
	for name in "${names[@]:1}"; do
		sized "${row[$name]}" "$(elf "$name")"
	done
	read -r flash _ < <(sizes "$build/firmware/an500-small/device.elf")
	goal flash "$flash" 150000
}

# handshakes NAME: rows; sets $stack and $peak, the deepest and the highest of all keys and versions
handshakes() {
	local key version at rest used take_peak take_stack instructions seen
	# one board a folder, as firmware.py wants it
	mkdir -p "$work/$1/firmware" "$work/$1/tests"
	cp -r "$(dirname "$(elf "$1")")" "$work/$1/firmware/an500"
	cp "$build/mtls-device" "$work/$1/"
	cp "$build/tests/mtls-server" "$work/$1/tests/"
	stack=0 peak=0
	for key in ${keys[$1]}; do
		for version in 1.2 1.3; do
			command=(timeout 100 python3 tests/bench/firmware.py "$work/$1" "$pki" "key/$key-pkcs8-aes-256-cbc" "$version")
			"${command[@]}" >"$work/out" || die "firmware.py failed: $1, $key, $version"
			read -r at rest used take_peak take_stack instructions seen <"$work/out"
			[[ $seen == *CN=device*$version ]] || die "$1, $key, $version: the server saw: $seen"
			[ "$at" -le "$peak" ] || peak=$at
			[ "$used" -le "$stack" ] || stack=$used
			instructions=$((instructions / 1000000))
			printf '%-24s %-5s %-5s %10s %10s %10s %15s %11s %11s\n' "${row[$1]}" "${key^^}" "$version" "$(kb "$at")" \
				"$(kb "$rest")" "$(kb "$used")" "$instructions" "$(kb "$take_peak")" "$(kb "$take_stack")"
		done
	done
}

all_handshakes() {
	local name stack peak command
	echo "a mutual handshake with $(openssl version | cut -d ' ' -f 1-2), P-256, leaf and intermediate; RSA: 2048 bits. Heap: at most and with no"
	echo "connection; instructions: millions, of mtls_connect without its waiting. Taking over an upload with an encrypted key:"
	echo "the two on the right."
	printf '%-24s %-5s %-5s %10s %10s %10s %15s %11s %11s\n' kB key TLS heap 'at rest' stack 'M instructions' heap stack
	for name in full rsa no-lto O2 small; do
		handshakes $name
	done
	shown "${command[@]}"
	goal "the heap's peak" "$peak" 22000
	goal stack "$stack" 4500
}

make -s "-j$(nproc)" B="$build" "$build/mtls-device" "$build/tests/mtls-server" "$build"/firmware/an500{,-small}/device.elf ||
	die "first: make firmware"
for name in "${names[@]}"; do
	built "$name"
done
echo "firmware: $(arm-none-eabi-gcc --version | head -n 1), $(qemu-system-arm --version | head -n 1)"
memories
echo
all_handshakes
