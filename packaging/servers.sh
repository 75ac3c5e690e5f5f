#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# servers.sh NAME: a real server for tests, or what a test or an example needs beside, from this machine's own Debian packages:
# they and those that they need and the machine lacks are unpacked (dpkg -x), never installed, and no script of theirs
# runs. The folder that has their usr/ and etc/ is printed; it is cached outside the tree as debian.sh's are. Exit 1 with
# one line where something fails, 77 where it cannot be had.
set -eu
# shellcheck source=packaging/private.sh
. "$(dirname "$0")/private.sh"

# packages NAME: the server, and its clients
packages() {
	case $1 in
	nginx) echo nginx ;;
	apache) echo apache2-bin ;;
	postgresql) # the package of that name only names those of the release's version
		apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/postgresql-\1 postgresql-client-\1/p'
		;;
	openldap) echo slapd ldap-utils ;;
	mosquitto) echo mosquitto mosquitto-clients ;;
	libmosquitto) echo libmosquitto1 libmosquitto-dev ;;
	go) # as with postgresql
		apt-cache depends golang-go | sed -n 's/^ *Depends: golang-\([0-9.]*\)-go$/golang-\1-go golang-\1-src/p'
		;;
	postfix) echo postfix ;;
	java) apt-cache depends default-jre-headless | sed -n 's/^ *Depends: \(openjdk-[0-9]*-jre-headless\)$/\1/p' ;; # keytool
	*) return 1 ;;
	esac
}

# runs FOLDER: its programs find their libraries. In a cache they may not any more: the machine has changed.
runs() {
	local libraries program
	libraries=$(echo "$1"/usr/lib/*-linux-*/ "$1/usr/lib/postfix/" | tr ' ' :)
	for program in "$1"/usr/{bin,sbin,lib/postgresql/*/bin,lib/postfix/sbin}/*; do
		[ -x "$program" ] || continue
		! LD_LIBRARY_PATH=$libraries ldd "$program" 2>/dev/null | grep -q 'not found' || return 1
	done
}

# take NAME: the packages, into the cache
take() {
	local file wanted
	command -v apt-get >/dev/null || end 77 "$1 cannot be had: this is not Debian, it has no apt-get"
	make_room "servers/$1"
	own_apt
	wanted=$(packages "$1")
	# shellcheck disable=SC2086 # words
	if [ -z "$wanted" ] || ! apt-cache show --no-all-versions $wanted >/dev/null 2>&1; then
		end 77 "$1 cannot be had: $(grep -m 1 -E '^(E|W):' "$apt/log" || echo "no source of this machine's apt has it")"
	fi
	# shellcheck disable=SC2086
	apt-get -q -y --download-only --no-install-recommends install $wanted >"$apt/log" 2>&1 </dev/null ||
		end 1 "download of $1 failed: $(grep -m 1 '^E:' "$apt/log")"
	# What is installed already was not downloaded.
	cd "$apt/cache/archives"
	for file in $wanted; do
		[ -e "$(echo "$file"_*.deb)" ] || apt-get -q download "$file" >"$apt/log" 2>&1 ||
			end 1 "download of $file failed: $(grep -m 1 '^E:' "$apt/log")"
	done
	mkdir "$new/root"
	for file in *.deb; do
		dpkg -x "$file" "$new/root"
	done
	runs "$new/root" || end 1 "$1 does not find its libraries"
	keep_room "servers/$1" "$new/root"
}

trap clear_away EXIT
trap 'exit 143' INT TERM
case "$*" in
nginx | apache | postgresql | openldap | mosquitto | postfix | java | libmosquitto | go) ;;
*) end 64 "usage: servers.sh nginx | apache | postgresql | openldap | mosquitto | postfix | java | libmosquitto | go" ;;
esac
complete=$cache/servers/$1/.complete
[ ! -e "$complete" ] || runs "$cache/servers/$1" || rm -f "$complete"
[ -e "$complete" ] || take "$1"
echo "$cache/servers/$1"
