# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# GnuTLS' own tests: programs that hold both ends of a connection. Those with TLS sessions are built here against the
# system's shared library, and kept in the cache; what needs the library's inner functions cannot be. A unit is a program.

prepare() {
	local file
	version=$(echo GNUTLS_VERSION | cc -E -include gnutls/gnutls.h - 2>/dev/null | sed -n '$s/"//gp')
	[ -n "$version" ] || cannot "GnuTLS' headers are not installed"
	fetch gnutls28
	[ "${folder##*-}" = "$version" ] || cannot "the tests are of ${folder##*-}, and $version is installed"
	tests=$folder/tests
	room=${folder%/*}/gnutls-tests-$version
	if [ ! -e "$room/.complete" ]; then
		rm -rf "$room"
		mkdir -p "$room/bin"
		configuration >"$room/config.h"
		for file in utils utils-adv seccomp; do
			compile -c -o "$room/$file.o" "$tests/$file.c" || cannot "GnuTLS' tests/$file.c does not compile" 1
		done
		ar rcs "$room/utils.a" "$room"/*.o # of which a test may have a part itself
		export -f compile build
		export room tests
		session_tests | nice xargs -P 2 -I '{}' bash -c 'build {}'
		touch "$room/.complete"
	fi
}

# What the tests ask for; the library is Debian's.
configuration() {
	printf '#define %s 1\n' HAVE_FORK HAVE_ALARM HAVE_UNISTD_H HAVE_SYS_SOCKET_H HAVE_SIGACTION ENABLE_ALPN ENABLE_SRP ENABLE_PSK \
		ENABLE_ANON ENABLE_DHE ENABLE_ECDHE ENABLE_OCSP ENABLE_DTLS_SRTP ENABLE_GOST
	printf '#define VERSION "%s"\n#define PACKAGE_VERSION VERSION\n' "$version"
}

session_tests() {
	cd "$tests" && grep -lE 'gnutls_init|eagain-common\.h|-neg-common|key-exchange\.h' ./*.c tls13/*.c safe-renegotiation/*.c |
		grep -vE '/utils|-common\.c'
}

compile() {
	cc -w -O1 -D_GNU_SOURCE -include "$room/config.h" -I"$room" -I"$tests" -I"$tests/../lib" -I"$tests/../gl" "$@"
}

build() { # FILE: one that does not compile or link is left out
	local name=${1#./} more=
	name=${name%.c}
	! grep -q '"common-cert-key-exchange.h"' "$tests/$1" || more=$tests/common-cert-key-exchange.c
	# shellcheck disable=SC2086 # a word or none
	(cd "$tests" && compile -o "$room/bin/${name//\//-}" "$1" $more "$room/utils.a" -lgnutls -pthread -ldl) >"$room/${name//\//-}.log" 2>&1
	return 0
}

one() { # PROGRAM, which says by its exit status how it went; 77 is a skip
	local status=failed
	mkdir "$T/$1"
	cd "$T/$1" || return
	timeout --foreground 40 env "${shim[@]}" "$room/bin/$1" >"$T/$1.output" 2>&1 </dev/null
	case $? in
	0) status=ok ;;
	77) status=skipped ;;
	esac
	echo "$1 $status"
}

run_tests() { # [UNIT...]
	export srcdir=$tests GNUTLS_SYSTEM_PRIORITY_FILE=$tests/system.prio CAFILE=$tests/cert-tests/data/ca-certs.pem \
		X509CERTDIR=$tests/x509cert-dir/ PSK_FILE=$tests/psk.passwd OPENSSL_ia32cap=0x00000000 GNUTLS_TEST_SUITE_RUN=1 \
		ENABLE_SSL3=0 ENABLE_GOST=1 LC_ALL=C
	local name
	# shellcheck disable=SC2046 # names of programs
	[ $# != 0 ] || set -- $(ls "$room/bin")
	# Most of them wait more than they work.
	for name; do
		[ "$(jobs -pr | wc -l)" -lt 4 ] || wait -n
		one "$name" &
	done
	wait
}
