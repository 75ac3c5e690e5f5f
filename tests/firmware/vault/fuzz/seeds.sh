#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# seeds.sh FOLDER: inputs for fuzz_vault.c to begin with, with keys made for it. None is kept in the repository.
set -eu
mkdir -p "$1"
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# piece NUMBER FILE: as an upload has it
piece() {
	local n
	n=$(wc -c <"$2")
	printf %b "$(printf '\\x%02x\\x%02x\\x%02x' "$1" $((n / 256)) $((n % 256)))"
	cat "$2"
}

# entry TAG FILE: as a record has it
entry() {
	local n
	n=$(wc -c <"$2")
	printf %b "$(printf '\\x%02x\\x%02x\\x%02x\\x00\\x00' "$1" $((n % 256)) $((n / 256)))"
	cat "$2"
	printf '\0'
}

printf 'secret' >"$work/pass"
printf 'hosts = *.example, !a.example:1\nonly_if = verified # so\n' >"$work/conf"
: >"$work/empty"
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
		{ printf U; piece 0 "$work/cert"; piece 1 "$work/$key"; piece 2 "$work/pass"; piece 3 "$work/conf"; piece 4 "$work/cert"; } >"upload-$kind-$key"
	done
	{ printf U; piece 0 "$work/cert"; piece 1 "$work/key"; printf '\xff\x00\x00\x10\x00\x00\x01\x20\x7f'; } >"changes-$kind"
	{ printf R; entry 0 "$work/cert"; entry 1 "$work/key.p8"; entry 3 "$work/conf"; entry 4 "$work/cert"; } >"record-$kind"
done
{ printf U; piece 0 "$work/empty"; piece 1 "$work/empty"; } >removal
{ printf R; entry 0 "$work/empty"; entry 1 "$work/empty"; } >removed
printf '\x01\x02\x03\x00\x00\x00\x00bad-setting\0foo' >"$work/outcome"
{ printf R; entry 17 "$work/outcome"; entry 4 "$work/cert"; } >outcome
