# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# curl's own HTTPS tests, with a curl of ours: configured once for OpenSSL and once for GnuTLS, and kept in the cache.
# Their server, stunnel, would not ask for a certificate; we have it ask, and take any or none. A unit is a test's number.

prepare() {
	local tls=${suite#curl-} program libraries=
	fetch curl
	version=${folder##*-}
	room=${folder%/*}/$suite-$version
	if [ ! -e "$room/.complete" ]; then
		rm -rf "$room"
		mkdir "$room"
		build "--with-$tls" >"$room/build.log" 2>&1 || cannot "curl's build failed: $(grep -im 1 error "$room/build.log")" 1
		touch "$room/.complete"
	fi
	mkdir -p "$T/bin"
	if ! program=$(command -v stunnel4); then
		fetch stunnel
		program=$folder/bin/stunnel4 libraries=$folder/lib
	fi
	cat >"$T/bin/stunnel4" <<-SH
		#!/bin/sh
		case \$1 in *.conf) echo 'verify = 0' >>"\$1" ;; esac
		LD_LIBRARY_PATH=$libraries exec "$program" "\$@"
	SH
	chmod +x "$T/bin/stunnel4"
	PATH=$T/bin:$PATH
	source=${room%/*}/curl-$version
}

# Static in itself, so that what runs is curl and no script of libtool's; the TLS library is the system's.
build() { # OPTION
	cd "$room" && nice "$folder/configure" "$1" --disable-shared --disable-dependency-tracking --disable-ldap --without-libpsl \
		--without-zlib --without-brotli --without-zstd --without-nghttp2 --without-libidn2 --without-librtmp &&
		nice make -j2 && nice make -j2 -C tests
}

# shellcheck disable=SC2016 # it is awk
report='
/^test [0-9]+ SKIPPED: disabled by missing keyword/ { next }
/^test [0-9]+ SKIPPED/ { print $2, "skipped" }
/^test [0-9]+\.\.\./ { name = substr($2, 1, 4) }
name && / OK \(/ { print name, "ok"; name = "" }
name && / FAILED/ { print name, "failed"; name = "" }'

run_tests() { # [UNIT...]
	[ $# != 0 ] || set -- HTTPS
	cd "$room/tests" || return
	# Its servers live in fixed files of this folder.
	srcdir=$source/tests USER=${USER:-root} timeout --foreground 550 flock "$room" env "${shim[@]}" \
		perl "-I$source/tests" "$source/tests/runtests.pl" -a -n "$@" >"$T/output" 2>&1
	awk "$report" "$T/output"
}
