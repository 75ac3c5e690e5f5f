#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fetch.sh: mbedTLS and lwIP as upstream released them, from Debian's signed source packages; prints the folder that they
# are in. They are cached outside the tree and taken from there the next time. fetch.sh folder mbedtls|lwip only prints
# where the one is, or will be. Exit 1 with one line where something fails, 77 where it cannot be had.
set -eu
# shellcheck source=packaging/private.sh
. "$(dirname "$0")/../packaging/private.sh"

# Nothing else names a version.
pins='mbedtls mbedtls-3.6.6 8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a
lwip lwip-2.2.1 83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1'

if [ "$*" = 'folder mbedtls' ] || [ "$*" = 'folder lwip' ]; then
	awk -v package="$2" -v cache="$cache/firmware" '$1 == package { print cache "/" $2 }' <<<"$pins"
	exit
fi
[ $# = 0 ] || end 64 "usage: fetch.sh [folder mbedtls|lwip]"
if [ -n "$(missing_sources firmware)" ]; then
	trap clear_away EXIT
	trap 'exit 143' INT TERM
	fetch_sources firmware trixie trixie-updates forky sid
	[ -z "$(missing_sources firmware)" ] ||
		end 1 "no suite of $site has $(missing_sources firmware | awk '{ print $2 }' | paste -sd ' ') any more: bump the pin"
fi
echo "$cache/firmware"
