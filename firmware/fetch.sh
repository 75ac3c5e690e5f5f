#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fetch.sh: mbedTLS and lwIP as upstream released them, from Debian's signed source packages; prints the folder that they
# are in. They are cached outside the tree and taken from there the next time. fetch.sh folder mbedtls|lwip only prints
# where the one is, or will be. Exit 1 with one line where something fails, 77 where it cannot be had.
#
# The upstream tarball is pinned, not Debian's revision of it: of each suite the mirror keeps one version, and it moves.
set -eu
# shellcheck source=packaging/private.sh
. "$(dirname "$0")/../packaging/private.sh"

suites='trixie trixie-updates forky sid'
# The source package, the folder that its tarball has, the tarball's SHA-256. Nothing else names a version.
pins='mbedtls mbedtls-3.6.6 8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a
lwip lwip-2.2.1 83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1'

# missing: those of pins that are not in the cache
missing() {
	local package folder hash
	while read -r package folder hash; do
		[ -e "$cache/firmware/$folder/.complete" ] || echo "$package $folder $hash"
	done <<<"$pins"
}

# version PACKAGE HASH: of the package in $apt that has the tarball; nothing where none has
version() {
	apt-cache showsrc --only-source "$1" 2>/dev/null |
		awk -v hash="$2" 'BEGIN { RS = "" } index($0, "\n " hash) { sub(/.*\nVersion: */, ""); sub(/\n.*/, ""); print; exit }'
}

# take PACKAGE FOLDER HASH: into the cache, where the suite that $apt is set up for has it
take() {
	local version tarball
	version=$(version "$1" "$3")
	[ -n "$version" ] || return 0
	# --download-only: nothing is unpacked, and dpkg-dev is not needed.
	(cd "$apt" && apt-get -q --download-only --only-source source "$1=$version") >"$apt/log" 2>&1 </dev/null ||
		end 1 "download of $2 failed: $(grep -m 1 '^E:' "$apt/log")"
	for tarball in "$apt/$1"_*.orig.tar.*; do
		[ "$(sha256sum <"$tarball")" = "$3  -" ] || continue
		tar -xf "$tarball" -C "$new" --no-same-owner || end 1 "cannot unpack $2"
		keep_room "firmware/$2" "$new/$2"
		return 0
	done
	end 1 "what came as $2 is not the pinned tarball"
}

if [ "$*" = 'folder mbedtls' ] || [ "$*" = 'folder lwip' ]; then
	awk -v package="$2" -v cache="$cache/firmware" '$1 == package { print cache "/" $2 }' <<<"$pins"
	exit
fi
[ $# = 0 ] || end 64 "usage: fetch.sh [folder mbedtls|lwip]"
if [ -n "$(missing)" ]; then
	trap clear_away EXIT
	trap 'exit 143' INT TERM
	make_room firmware/sources
	for suite in $suites; do
		private_apt deb-src "$suite" || continue
		while read -r package folder hash; do
			take "$package" "$folder" "$hash"
		done <<<"$(missing)"
		[ -n "$(missing)" ] || break
	done
	[ -z "$(missing)" ] || end 1 "no suite of $site has $(missing | awk '{ print $2 }' | paste -sd ' ') any more: bump the pin"
fi
echo "$cache/firmware"
