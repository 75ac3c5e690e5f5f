#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debian.sh VERB: other Debian releases on this machine, for tests. What it makes is cached outside the tree, in
# MTLS_CACHE (${XDG_CACHE_HOME:-~/.cache}/mtls-run), and taken from there the next time; its folder is printed.
#
#   mirror           the address that this machine's own apt takes its packages from
#   openssl-1.1.1    bin/openssl, lib/ and include/ of Debian 11's OpenSSL; runs beside the system's own
#   root SUITE       a small system for chroot(8), made with debootstrap; needs root
#   pkcs11 SUITE     SoftHSM and pkcs11-provider of that release, unpacked: bin/ and lib/
#
# Exit 1 with one line where something fails, 77 where it cannot be had.
set -eu
# shellcheck source=packaging/private.sh
. "$(dirname "$0")/private.sh"
# debootstrap follows no virtual package, and libnet-ssleay-perl needs one that perl-openssl-defaults provides.
programs=ca-certificates,curl,wget,python3,openssl,git,perl,libio-socket-ssl-perl,perl-openssl-defaults

openssl_111() {
	local name=openssl-1.1.1 file
	if [ ! -e "$cache/$name/.complete" ]; then
		make_room $name
		private_apt deb bullseye || end 77 "$site has no bullseye"
		(cd "$apt" && apt-get -q download libssl1.1 libssl-dev openssl) >"$apt/log" 2>&1 ||
			end 1 "download of OpenSSL 1.1.1 failed: $(grep -m 1 '^E:' "$apt/log")"
		for file in "$apt"/*.deb; do
			dpkg -x "$file" "$apt/root"
		done
		mkdir "$new/bin" "$new/lib" "$new/include"
		cp -a "$apt/root/usr/bin/openssl" "$new/bin/"
		cp -a "$apt"/root/usr/lib/*/lib*.so* "$apt"/root/usr/lib/*/lib*.a "$new/lib/"
		cp -a "$apt/root/usr/include/openssl" "$apt"/root/usr/include/*/openssl "$new/include/"
		rm -r "$apt"
		LD_LIBRARY_PATH=$new/lib "$new/bin/openssl" version | grep -q 'OpenSSL 1\.1\.1' || end 1 "it is not OpenSSL 1.1.1"
		keep_room $name
	fi
	echo "$cache/$name"
}

root() { # SUITE
	local name=roots/$1 proxy=
	if [ ! -e "$cache/$name/.complete" ]; then
		[ "$(id -u)" = 0 ] || end 77 "a root of $1 needs root"
		command -v debootstrap >/dev/null || end 77 "debootstrap is not installed"
		make_room "$name"
		private_apt deb "$1" || end 77 "$site has no $1" # is it there, and is it signed?
		rm -r "$apt"
		unset APT_CONFIG
		eval "$(apt-config shell proxy Acquire::http::Proxy)"
		# shellcheck disable=SC2154 # apt-config sets it
		[ -z "$proxy" ] || export http_proxy=${http_proxy:-$proxy}
		debootstrap --variant=minbase --keyring="$keyring" --include="$programs" "$1" "$new" "$site" >"$new.log" 2>&1 ||
			end 1 "debootstrap of $1 failed: $(grep -E '^[EW]:' "$new.log" | tail -n 1) (all of it: $new.log)"
		echo '127.0.0.1 localhost' >"$new/etc/hosts"
		rm -rf "$new.log" "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
		keep_room "$name"
	fi
	echo "$cache/$name"
}

pkcs11() { # SUITE
	local name=pkcs11/$1 file
	if [ ! -e "$cache/$name/.complete" ]; then
		make_room "$name"
		private_apt deb "$1" || end 77 "$site has no $1"
		(cd "$apt" && apt-get -q download softhsm2 libsofthsm2 pkcs11-provider) >"$apt/log" 2>&1 ||
			end 77 "$1 has no pkcs11-provider: $(grep -m 1 '^E:' "$apt/log")"
		for file in "$apt"/*.deb; do
			dpkg -x "$file" "$apt/root"
		done
		mkdir "$new/bin" "$new/lib"
		cp "$apt/root/usr/bin/softhsm2-util" "$new/bin/"
		cp "$(find "$apt/root" -type f -name libsofthsm2.so)" "$(find "$apt/root" -type f -path '*/ossl-modules/pkcs11.so')" "$new/lib/"
		rm -r "$apt"
		keep_room "$name"
	fi
	echo "$cache/$name"
}

trap clear_away EXIT
trap 'exit 143' INT TERM
case "$*" in
mirror) mirror ;;
openssl-1.1.1) openssl_111 ;;
'root '*[!a-z]*) end 64 "no such suite: $2" ;;
'root '?*) root "$2" ;;
'pkcs11 '*[!a-z]*) end 64 "no such suite: $2" ;;
'pkcs11 '?*) pkcs11 "$2" ;;
*) end 64 "usage: debian.sh mirror | openssl-1.1.1 | root SUITE | pkcs11 SUITE" ;;
esac
