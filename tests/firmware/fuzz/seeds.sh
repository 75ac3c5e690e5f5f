#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seeds.sh FOLDER: inputs for fuzz_vault.c and fuzz_console.c to begin with that need keys, made for it. None of them is
# kept in the repository; what needs none is in tests/fuzz/corpus/console.
set -eu
mkdir -p "$1/vault" "$1/console"
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bytes NUMBER...
bytes() {
	local number
	for number; do
		printf %b "$(printf '\\x%02x' "$number")"
	done
}

# two NUMBER: in two bytes, the high one first
two() {
	bytes $(($1 / 256)) $(($1 % 256))
}

four() {
	two $(($1 >> 16))
	two $(($1 & 0xffff))
}

size() {
	wc -c <"$1"
}

# step LETTER <BYTES
step() {
	cat >"$work/step"
	printf %s "$1"
	two "$(size "$work/step")"
	cat "$work/step"
}

# piece NUMBER FILE: as an upload has it
piece() {
	bytes "$1"
	two "$(size "$2")"
	cat "$2"
}

# image WRONG FILE...: of an inbox with these, from the first on; the third's hash is changed by WRONG
image() {
	local i wrong=$1
	shift
	for i in 1 2 3 4 5; do
		if [ "$i" -le $# ]; then four "$(size "${!i}")"; else four 0xffffffff; fi
		if [ "$i" = 3 ]; then bytes "$wrong"; else bytes 0; fi
	done
	for ((i = 1; i <= $#; i++)); do
		piece $((i - 1)) "${!i}"
	done
}

# entry TAG FILE: as a record has it, its length with the low byte first
entry() {
	local n
	n=$(size "$2")
	bytes "$1" $((n % 256)) $((n / 256)) 0 0
	cat "$2"
	bytes 0
}

# slot GENERATION HOW [CHANGE] <PAYLOAD: of an image of the store
slot() {
	cat >"$work/slot"
	bytes "$2"
	four "$1"
	bytes 1
	four "${3-0}"
	two "$(size "$work/slot")"
	cat "$work/slot"
}

# upload NAME FILE: a command and what follows it
upload() {
	printf 'upload %s \x1a' "$1"
	cat "$2"
	printf '\x1a'
}

printf 'secret' >"$work/pass"
printf 'hosts = *.example, !a.example:1\nonly_if = verified # so\n' >"$work/conf"
: >"$work/empty"
{ piece 0 "$work/empty"; piece 1 "$work/empty"; } | step U >"$work/removal"
for kind in ec rsa; do
	if [ $kind = ec ]; then
		openssl ecparam -name prime256v1 -genkey -noout -out "$work/key"
	else
		openssl genrsa -traditional -out "$work/key" 1024 2>/dev/null
	fi
	openssl req -x509 -new -key "$work/key" -subj "/CN=$kind" -days 30 -out "$work/cert"
	openssl "$kind" -in "$work/key" -aes128 -passout pass:secret -out "$work/key.dek" 2>/dev/null
	openssl pkcs8 -topk8 -nocrypt -in "$work/key" -out "$work/key.p8"
	openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 1 -passout pass:secret -in "$work/key" -out "$work/key.pbes2"
	openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -iter 1 -passout pass:secret -in "$work/key" -out "$work/key.p12"
	for key in key key.dek key.p8 key.pbes2 key.p12; do
		{ piece 0 "$work/cert"; piece 1 "$work/$key"; piece 2 "$work/pass"; piece 3 "$work/conf"; piece 4 "$work/cert"; } |
			step U >"vault/upload-$kind-$key"
	done
	{ piece 0 "$work/cert"; piece 1 "$work/key"; bytes 255 0 0 16 0 0 1 32 127; } | step U >"vault/changes-$kind"
	image 0 "$work/cert" "$work/key.pbes2" "$work/pass" "$work/conf" "$work/cert" | step I >"vault/inbox-$kind"
	image 64 "$work/cert" "$work/key.pbes2" "$work/pass" | step I >"vault/inbox-hash-$kind"
	{ entry 0 "$work/cert"; entry 1 "$work/key.p8"; entry 3 "$work/conf"; entry 4 "$work/cert"; } >"$work/record"
	step R <"$work/record" >"vault/record-$kind"
	{ slot 5 0 <"$work/record"; slot 6 3 <"$work/record"; } | step S >"vault/slots-$kind"
	cat "vault/record-$kind" "$work/removal" "vault/inbox-$kind" >"vault/three-$kind"
	{
		upload client_cert.pem "$work/cert"
		upload private_key.pem "$work/key.pbes2"
		upload private_key_pass.txt "$work/pass"
		upload ca_certs.pem "$work/cert"
		printf 'commit\n\x04status\nstatus json\ncounters\nremove\n\x04status\n'
	} >"console/credential-$kind"
done
cp "$work/removal" vault/removal
{ entry 0 "$work/empty"; entry 1 "$work/empty"; } | step R >vault/removed
{ slot 1 9 <"$work/empty"; slot 2 4 <"$work/empty"; } | step S >vault/slots-torn
# Sizes that are lies.
for n in 0xffff 0x10001 0x7fffffff 0xfffffffe; do
	for _ in 1 2 3 4 5; do four $n; bytes 0; done | step I >"vault/inbox-$n"
	slot 1 0 $n <"$work/record" | step S >"vault/slots-$n"
	{ entry 0 "$work/empty"; bytes 3 $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24)) 0; } | step R >"vault/record-$n"
done
{ bytes 1 2 3 0 0 0 0; printf 'bad-setting\0foo'; } >"$work/outcome"
{ entry 17 "$work/outcome"; entry 4 "$work/cert"; } | step R >vault/outcome
