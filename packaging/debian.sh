#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debian.sh VERB: other Debian releases on this machine, for tests. What it makes is cached outside the tree, in
# MTLS_CACHE (${XDG_CACHE_HOME:-~/.cache}/mtls-run), and taken from there the next time; its folder is printed.
#
#   mirror           the address that this machine's own apt takes its packages from
#   openssl-1.1.1    bin/openssl, lib/ and include/ of Debian 11's OpenSSL; runs beside the system's own
#   root SUITE       a small system for chroot(8), made with debootstrap; needs root
#
# apt works in a private state, with this machine's proxy and the archive's keyring: what comes is verified, and
# the system's own apt state is not touched. Exit 1 with one line where something fails, 77 where it cannot be had.
set -eu
umask 022
cache=${MTLS_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/mtls-run}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# debootstrap follows no virtual package, and libnet-ssleay-perl needs one that perl-openssl-defaults provides.
programs=ca-certificates,curl,wget,python3,openssl,git,perl,libio-socket-ssl-perl,perl-openssl-defaults
new=

end() { # STATUS WHY
	echo "debian.sh: $2" >&2
	exit "$1"
}

# Not from the lists that apt has fetched: an image may have cleaned them.
mirror() {
	local addresses suite
	command -v apt-get >/dev/null || end 77 "this is not Debian: it has no apt-get"
	addresses=$(apt-get --print-uris update 2>/dev/null | sed -n "s/^'\([^']*\)' .*/\1/p")
	# shellcheck disable=SC1091
	for suite in "$(. /etc/os-release && echo "${VERSION_CODENAME-}")" stable testing unstable sid; do
		sed -n "s,/dists/$suite/[A-Za-z]*Release\$,,p" <<<"$addresses" | grep -m 1 . && return
	done
	end 77 "no source of this machine's apt is a mirror of its own release"
}

# make_room NAME: $new, which becomes $cache/NAME when it is complete
make_room() {
	mkdir -p "$cache/$(dirname "$1")"
	new=$(mktemp -d "$cache/$1.new.XXXXXX")
	chmod 755 "$new"
}

# Whoever is first wins; the same is there already, or was half made by somebody who died.
keep_room() { # NAME
	touch "$new/.complete"
	[ -e "$cache/$1/.complete" ] || rm -rf "${cache:?}/$1"
	mv -T "$new" "$cache/$1" 2>/dev/null || [ -e "$cache/$1/.complete" ] || end 1 "cannot write $cache/$1"
}

# Half a root has /proc mounted, and devices perhaps.
clear_away() {
	local where
	[ -d "$new" ] || return 0
	while read -r _ where _; do
		case $where in "$new"/*) umount -l "$where" ;; esac
	done <<<"$(sort -rk 2 /proc/self/mounts)"
	rm -rf --one-file-system "$new"
}

# private_apt SUITE: $apt is a folder with a state of its own, of the mirror $site; its configuration keeps how this
# machine gets there
private_apt() {
	site=$(mirror) || exit $?
	apt=$new/apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	echo "deb [signed-by=$keyring] $site $1 main" >"$apt/sources.list"
	apt-config dump | grep '^Acquire::' >"$apt/apt.conf"
	cat >>"$apt/apt.conf" <<-CONF
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State "$apt";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		Dir::Log "$apt";
		APT::Sandbox::User "";
		Acquire::Languages "none";
	CONF
	export APT_CONFIG=$apt/apt.conf
	apt-get -q update >"$apt/log" 2>&1 && grep -qr . "$apt"/lists/*_Packages* 2>/dev/null && return
	if grep -qE '404 |does not have a Release file' "$apt/log"; then
		end 77 "$site has no $1"
	fi
	end 1 "apt-get update of $1 failed: $(grep -m 1 -E '^(E|W):' "$apt/log")"
}

openssl_111() {
	local name=openssl-1.1.1 file
	if [ ! -e "$cache/$name/.complete" ]; then
		[ -r "$keyring" ] || end 77 "$keyring is missing: package debian-archive-keyring"
		make_room $name
		private_apt bullseye
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
		[ -r "$keyring" ] || end 77 "$keyring is missing: package debian-archive-keyring"
		make_room "$name"
		private_apt "$1" # is it there, and is it signed?
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

trap clear_away EXIT
trap 'exit 143' INT TERM
case "$*" in
mirror) mirror ;;
openssl-1.1.1) openssl_111 ;;
'root '*[!a-z]*) end 64 "no such suite: $2" ;;
'root '?*) root "$2" ;;
*) end 64 "usage: debian.sh mirror | openssl-1.1.1 | root SUITE" ;;
esac
