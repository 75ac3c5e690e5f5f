#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fetch.sh PACKAGE: the upstream sources of a package whose own tests are an oracle, of this machine's Debian release, so
# that they fit the programs that are installed; prints their folder, in the cache. stunnel: the program, from the binary
# package, unpacked there. Exit 1 with one line where something fails, 77 where it cannot be had.
set -eu
# shellcheck source=packaging/private.sh
. "$(dirname "$0")/../../packaging/private.sh"

# Release, source package, the folder that its tarball has, the tarball's SHA-256.
pinned='bookworm libio-socket-ssl-perl IO-Socket-SSL-2.081 07bdf826a8d6b463316d241451c890d1012fa2499a83d8e3d00ce0a584618443
bookworm libnet-ssleay-perl Net-SSLeay-1.92 47c2f2b300f2e7162d71d699f633dd6a35b0625a00cbda8c50ac01144a9396a9
bookworm ruby3.1 ruby-3.1.2 350013ef6640f15c42eae48d25c035999dcbb32e4be038d27ad891cb48d685a5
bookworm curl curl-7.88.1 cdb38b72e36bc5d33d5b8810f8018ece1baa29a8f215b4495e495ded82bbf3c7
bookworm gnutls28 gnutls-3.7.9 aaa03416cdbd54eb155187b359e3ec3ed52ec73df4df35a0edd49429ff64d844'

source_of() { # PACKAGE
	local pins folder
	pins=$(awk -v release="$release" -v package="$1" '$1 == release && $2 == package { print $2, $3, $4 }' <<<"$pinned")
	[ -n "$pins" ] || end 77 "$1 is not pinned for ${release:-this system}"
	read -r _ folder _ <<<"$pins"
	if [ -n "$(missing_sources oracles)" ]; then
		fetch_sources oracles "$release"
		[ -z "$(missing_sources oracles)" ] || end 77 "$release has $folder no more: bump the pin"
	fi
	echo "$cache/oracles/$folder"
}

# Unpacked, not installed: the package would set a service up.
stunnel() {
	local name=oracles/stunnel-$release file
	if [ ! -e "$cache/$name/.complete" ]; then
		make_room "$name"
		private_apt deb "$release" || end 77 "$site has no ${release:-release of this system}"
		(cd "$apt" && apt-get -q download stunnel4 libwrap0) >"$apt/log" 2>&1 ||
			end 1 "download of stunnel failed: $(grep -m 1 '^E:' "$apt/log")"
		for file in "$apt"/*.deb; do
			dpkg -x "$file" "$apt/root"
		done
		mkdir "$new/bin" "$new/lib"
		cp -a "$apt"/root/usr/bin/stunnel4 "$new/bin/"
		find "$apt/root" -name 'libwrap.so*' -exec cp -a {} "$new/lib/" ';'
		rm -r "$apt"
		keep_room "$name"
	fi
	echo "$cache/$name"
}

trap clear_away EXIT
trap 'exit 143' INT TERM
# shellcheck disable=SC1091
release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
case $* in
stunnel) stunnel ;;
'' | *[!a-z0-9.-]*) end 64 "usage: fetch.sh PACKAGE | stunnel" ;;
*) source_of "$1" ;;
esac
