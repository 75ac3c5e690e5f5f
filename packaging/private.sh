# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by what takes things from Debian: a cache outside the tree that whoever is first fills, and an apt with a
# private state. It works with this machine's proxy and the archive's keyring (own_apt: the machine's own): what comes is
# verified, and the system's own apt state is not touched. The caller sets -eu, and calls clear_away in the end.
umask 022
cache=${MTLS_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/mtls-run}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
new='' site=''

end() { # STATUS WHY
	echo "${0##*/}: $2" >&2
	exit "$1"
}

# The address that this machine's own apt takes its packages from. Not from the lists that it has fetched: an image may
# have cleaned them.
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

# keep_room NAME [FOLDER]: FOLDER, or $new, is complete. Whoever is first wins; the same is there already, or was half
# made by somebody who died.
keep_room() {
	local made=${2-$new}
	touch "$made/.complete"
	[ -e "$cache/$1/.complete" ] || rm -rf "${cache:?}/$1"
	mv -T "$made" "$cache/$1" 2>/dev/null || [ -e "$cache/$1/.complete" ] || end 1 "cannot write $cache/$1"
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

# apt_state LINE...: $apt is a folder in $new with an apt state of its own; its configuration keeps how this machine gets to
# its mirror, and has the LINEs.
apt_state() {
	apt=$new/apt
	rm -rf "$apt"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	apt-config dump | grep '^Acquire::' >"$apt/apt.conf"
	cat >>"$apt/apt.conf" <<-CONF
		Dir::Etc::main "/dev/null";
		Dir::Etc::parts "/dev/null";
		Dir::State "$apt";
		Dir::Cache "$apt/cache";
		Dir::Log "$apt";
		APT::Sandbox::User "";
		Acquire::Languages "none";
	CONF
	printf '%s\n' "$@" >>"$apt/apt.conf"
	export APT_CONFIG=$apt/apt.conf
}

# private_apt deb|deb-src SUITE: an apt_state of the mirror $site, where nothing is installed. 77: the mirror has no such
# suite.
private_apt() {
	[ -r "$keyring" ] || end 77 "$keyring is missing: package debian-archive-keyring"
	[ -n "$site" ] || site=$(mirror) || exit $? # before APT_CONFIG is ours
	apt_state "Dir::Etc::sourcelist \"$new/apt/sources.list\";" "Dir::State::status \"$new/apt/status\";" \
		'Dir::Etc::sourceparts "/dev/null";' 'Dir::Etc::preferences "/dev/null";' 'Dir::Etc::preferencesparts "/dev/null";'
	: >"$apt/status"
	echo "$1 [signed-by=$keyring] $site $2 main" >"$apt/sources.list"
	if apt-get -q update >"$apt/log" 2>&1 && grep -qrE . "$apt"/lists/*_Packages* "$apt"/lists/*_Sources* 2>/dev/null; then
		return 0
	fi
	grep -qE '404 |does not have a Release file' "$apt/log" && return 77
	end 1 "apt-get update of $2 failed: $(grep -m 1 -E '^(E|W):' "$apt/log")"
}

# own_apt: an apt_state with this machine's own sources (security updates are among them) and what is installed here. A
# source that fails is the caller's to notice: by what it then lacks.
own_apt() {
	local status
	status=$(apt-config shell status Dir::State::status/f)
	eval "$status"
	apt_state "Dir::State::status \"$status\";" 'Debug::NoLocking "true";' # dpkg's lock is root's, and nothing is installed
	apt-get -q update >"$apt/log" 2>&1 || true
}

# Sources as upstream released them, from Debian's signed source packages. The upstream tarball is pinned, not Debian's
# revision of it: of each suite the mirror keeps one version, and it moves. $pins has lines "PACKAGE FOLDER HASH": the
# source package, the folder that its tarball has (with its version), the tarball's SHA-256.

# missing_sources ROOM: those of $pins that are not in $cache/ROOM
missing_sources() {
	local package folder hash
	# shellcheck disable=SC2154 # the caller's
	while read -r package folder hash; do
		[ -e "$cache/$1/$folder/.complete" ] || echo "$package $folder $hash"
	done <<<"$pins"
}

# source_version PACKAGE HASH: of the package in $apt that has the tarball; nothing where none has
source_version() {
	apt-cache showsrc --only-source "$1" 2>/dev/null |
		awk -v hash="$2" 'BEGIN { RS = "" } index($0, "\n " hash) { sub(/.*\nVersion: */, ""); sub(/\n.*/, ""); print; exit }'
}

# take_source ROOM PACKAGE FOLDER HASH: into the cache, where the suite that $apt is set up for has it
take_source() {
	local version tarball
	version=$(source_version "$2" "$4")
	[ -n "$version" ] || return 0
	# --download-only: nothing is unpacked, and dpkg-dev is not needed.
	(cd "$apt" && apt-get -q --download-only --only-source source "$2=$version") >"$apt/log" 2>&1 </dev/null ||
		end 1 "download of $3 failed: $(grep -m 1 '^E:' "$apt/log")"
	for tarball in "$apt/$2"_*.orig.tar.*; do
		[ "$(sha256sum <"$tarball")" = "$4  -" ] || continue
		tar -xf "$tarball" -C "$new" --no-same-owner || end 1 "cannot unpack $3"
		keep_room "$1/$3" "$new/$3"
		return 0
	done
	end 1 "what came as $3 is not the pinned tarball"
}

# fetch_sources ROOM SUITE...: what is missing, from the first suite that has it
fetch_sources() {
	local room=$1 suite package folder hash
	make_room "$room/sources"
	shift
	for suite; do
		private_apt deb-src "$suite" || continue
		while read -r package folder hash; do
			take_source "$room" "$package" "$folder" "$hash"
		done <<<"$(missing_sources "$room")"
		[ -n "$(missing_sources "$room")" ] || break
	done
}
