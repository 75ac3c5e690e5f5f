#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# record.sh: runs the tests with other Debian releases, real servers, OpenSSL 1.1.1 and musl, and writes what came of them to
# results.tsv (TEST, ok or skip) and versions.tsv (WHAT, VERSION) beside this file; then docs/COMPATIBILITY.md, by
# compatibility.sh. Some minutes; for Debian 12, as root. A test that fails changes nothing: exit 1. BUILD names the build folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cache=${MTLS_CACHE:-${XDG_CACHE_HOME:-${HOME-}/.cache}/mtls-run}
files=(tests/all/distributions.sh tests/all/servers.sh tests/e2e/36-nginx.sh tests/e2e/40-openssl11.sh tests/e2e/41-musl.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# package ROOT NAME...: the version of the first that is there, without the packaging's own
package() {
	local root=$1
	shift
	dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Abbrev}${Version}\n' "$@" 2>/dev/null |
		sed -n 's/^ii *\([0-9]*:\)\?\([^-+~]*\).*/\2/p' | head -n 1
}

# server NAME COMMAND...: the first number with a dot that it prints
server() {
	local folder=$cache/servers/$1
	[ -e "$folder/$2" ] || return 0
	LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-*/ "$folder/usr/lib/postfix" | tr ' ' :) "$folder/$2" "${@:3}" 2>&1 |
		grep -oE '(^|[ /])[0-9]+(\.[0-9]+)+' | head -n 1 | sed "s|^[ /]*|$1\t|"
}

versions() {
	local suite root what
	for suite in bullseye bookworm trixie sid; do
		root=$cache/roots/$suite
		[ -e "$root/.complete" ] || continue
		printf '%s\t%s\n' "$suite" "$(sed -n 's/^PRETTY_NAME="Debian GNU.Linux \(.*\)"/\1/p' "$root/etc/os-release")" \
			"$suite glibc" "$(package "$root" libc6)" \
			"$suite OpenSSL" "$(package "$root" libssl1.1 libssl3 libssl3t64)" \
			"$suite GnuTLS" "$(package "$root" libgnutls30 libgnutls30t64)"
		for what in curl wget git python3 perl; do
			printf '%s\t%s\n' "$suite $what" "$(package "$root" $what)"
		done
	done
	server nginx usr/sbin/nginx -v
	server apache usr/sbin/apache2 -v
	server postgresql "$(cd "$cache/servers/postgresql" && ls usr/lib/postgresql/*/bin/postgres)" --version
	server openldap usr/sbin/slapd -VV
	server mosquitto usr/sbin/mosquitto -h
	server postfix usr/sbin/postconf -dh mail_version
	printf 'openssl-1.1.1\t%s\n' "$(LD_LIBRARY_PATH=$cache/openssl-1.1.1/lib "$cache/openssl-1.1.1/bin/openssl" version | cut -d' ' -f2)"
	printf 'musl\t%s\n' "$(package / musl)"
}

tests/e2e/run "${files[@]}" >"$work/said" || { grep -A 3 ^FAIL "$work/said" >&2; exit 1; }
sed -nE 's/^(ok|skip) ([^: ]*).*/\2\t\1/p' "$work/said" | sort >"$work/results"
versions >"$work/versions"
! grep $'\t$' "$work/versions" || { echo "record: versions are missing" >&2; exit 1; }
for name in results versions; do
	{
		echo '# SPDX-License-Identifier: Apache-2.0'
		echo '# Written by record.sh.'
		cat "$work/$name"
	} >"$here/$name.tsv"
done
"$here/compatibility.sh"
