# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-run --explain, which runs nothing, and the warnings before a start for programs with
# TLS of their own inside. The programs are made here and carry what real ones carry; each ends
# with 7 and leaves a file when it runs.

# shellcheck source=tests/e2e/launcher.sh
. tests/e2e/launcher.sh

TLS13='TLS 1.3, client CertificateVerify'

setup() {
	launcher_setup
	fake_cred "$W/bin" 'echo "usable: /dev: subject CN=it, sha256 00"' 'exit 0'
	export RAN=$W/ran
	mkdir "$W/lib"
	program plain
	program with-openssl -Wl,--no-as-needed -lssl
	program go "-DGO" "-DINSIDE=\"$TLS13\""
	program rust "-DINSIDE=\"$TLS13 rustls boringssl\""
	program boring "-DINSIDE=\"$TLS13 BoringSSL\""
}

# program NAME [CC OPTION...]
program() {
	local name=$1
	shift
	cat >"$W/program.c" <<-'EOF'
		#include <fcntl.h>
		#include <stdlib.h>
		#ifdef INSIDE
		__attribute__((used)) static const char inside[] = INSIDE;
		#endif
		#ifdef GO
		__attribute__((used, section(".go.buildinfo,\"aw\"#"))) static char mark[] = "\xff Go buildinf:";
		#endif
		#ifdef SSL
		void *SSL_CTX_new(void *), *TLS_client_method(void);
		int SSL_do_handshake(void *);
		#endif
		int main(int argc, char **argv)
		{
			if (getenv("RAN"))
				open(getenv("RAN"), O_CREAT | O_WRONLY, 0600);
		#ifdef SSL
			if (argc > 5)
				return SSL_do_handshake(SSL_CTX_new(TLS_client_method()));
		#endif
			return argc < 9 ? 7 : argv[0][0];
		}
	EOF
	"${CC:-cc}" -w -o "$W/$name" "$W/program.c" "$@" 2>"$W/cc.err" || rm -f "$W/$name"
}

# library SONAME [CC OPTION...]: an empty one in $W/lib
library() {
	local name=$1
	shift
	"${CC:-cc}" -shared -fPIC -Wl,--no-as-needed -Wl,-soname,"$name" -Wl,-rpath,"$W/lib" -o "$W/lib/$name" -x c /dev/null \
		-x none "$@" 2>"$W/cc.err" || fail "cc: $(head -n 1 "$W/cc.err")"
}

# linked NAME LIBRARY...: a program that asks for them
linked() {
	local name=$1
	shift
	program "$name" -Wl,--no-as-needed -Wl,-rpath,"$W/lib" "${@/#/$W/lib/}"
	[ -x "$W/$name" ] || fail "cc: $(head -n 1 "$W/cc.err")"
}

# explains STATUS CMD...: that, nothing on standard error, and the program did not run
explains() {
	local status=$1
	shift
	rm -f "$RAN"
	attempt "$@"
	expect_rc "$status"
	expect_silence
	[ ! -e "$RAN" ] || fail "the program ran"
	[ "$(grep -c '^verdict ' "$T/out")" = 1 ] || fail "not one verdict: $(cat "$T/out")"
}

explained() {
	local status=$1
	shift
	explains "$status" "$RUN" -d "$GOOD" --explain "$@"
}

# line KIND TEXT...: there is a line of that kind, with all of them
line() {
	local kind=$1 found part
	shift
	found=$(grep "^$kind " "$T/out") || fail "no line \"$kind\": $(cat "$T/out")"
	for part; do
		found=$(grep -F -e "$part" <<<"$found") || fail "no line \"$kind\" with \"$part\": $(cat "$T/out")"
	done
}

no_line() {
	! grep "^$1 " "$T/out" | grep -F -e "${2-}" || fail "there is a line \"$1\" with \"${2-}\""
}

# --- what is reached --------------------------------------------------------------------

test_covered() {
	explained 0 "$W/with-openssl"
	line program "$W/with-openssl (dynamic, "
	line 'tls  *OpenSSL  *covered ' libssl.so.3
	line verdict covered
	no_line obstacle
	no_line note
	explained 0 "$W/with-openssl" --explain any arguments
}

test_unknown() {
	explained 1 "$W/plain"
	no_line tls
	line verdict unknown 'may load one later'
}

test_through_a_library() {
	library libmiddle.so -lssl
	library libouter.so "$W/lib/libmiddle.so"
	linked through libouter.so
	explained 0 "$W/through"
	line tls OpenSSL ' covered' 'libssl.so.3, through libmiddle.so'
	linked nearer libouter.so libmiddle.so
	explained 0 "$W/nearer"
	line tls 'through libmiddle.so'
}

test_not_covered_and_partly() {
	local name
	for name in libssl3.so:NSS libmbedtls.so.14:mbedTLS libwolfssl.so.35:wolfSSL libssl.so.1.0.0:OpenSSL libgnutls.so.28:GnuTLS; do
		library "${name%:*}"
		linked other "${name%:*}"
		explained 2 "$W/other"
		line tls "${name#*:}" not-covered "${name%:*}; "
		line verdict ' not '
	done
	library libssl3.so
	program both -Wl,--no-as-needed -Wl,-rpath,"$W/lib" -lssl "$W/lib/libssl3.so"
	explained 1 "$W/both"
	line tls OpenSSL ' covered'
	line tls NSS not-covered
	line verdict partly
	library libgnutls.so.30
	library libssl.so.1.1
	linked covered libgnutls.so.30 libssl.so.1.1
	explained 0 "$W/covered"
	line tls GnuTLS ' covered'
	line tls OpenSSL ' covered' libssl.so.1.1
	library libgnutlsxx.so.30
	linked alike libgnutlsxx.so.30
	explained 1 "$W/alike"
	no_line tls
}

test_libraries_that_load_tls_later() {
	library libgio-2.0.so.0
	linked gio libgio-2.0.so.0
	explained 1 "$W/gio"
	no_line tls
	mkdir -p "$W/lib/gio/modules"
	: >"$W/lib/gio/modules/libgiognutls.so"
	explained 0 "$W/gio"
	line tls GnuTLS ' covered' 'its module (libgio-2.0.so.0)'
	library libjli.so
	linked java libjli.so
	explained 2 "$W/java"
	line tls Java not-covered keyStore
	warns keyStore -- "$RUN" -d "$GOOD" "$W/java"
}

test_inside_of_a_library() {
	program libengine -shared -fPIC "-DINSIDE=\"$TLS13 BoringSSL\"" -Wl,-soname,libengine.so
	mv "$W/libengine" "$W/lib/libengine.so"
	linked browser libengine.so
	explained 2 "$W/browser"
	line tls BoringSSL not-covered 'inside libengine.so'
	unwarned "$RUN" -d "$GOOD" "$W/browser" # not looked for before each start
}

test_mozilla() {
	mkdir "$T/app"
	cp "$W/plain" "$T/app/app"
	printf 'libxul.so\nlibssl3.so\n' >"$T/app/dependentlibs.list"
	ln -s app/app "$T/link"
	explained 2 "$T/link"
	line tls NSS not-covered dependentlibs.list
}

test_interpreters_and_scripts() {
	cp "$W/plain" "$T/python3.11"
	cp "$W/plain" "$T/pythonic"
	printf '#!%s\n' "$T/python3.11" >"$T/script"
	chmod 755 "$T/script"
	explained 0 "$T/script"
	line program "$T/script, run by $T/python3.11"
	line tls OpenSSL ' covered' ssl
	explained 1 "$T/pythonic"
	printf '#!/bin/sh\nHERE=%s\nexec "$HERE/with-openssl" "$@"\n' "$W" >"$T/script"
	explained 0 "$T/script"
	line helper "$W/with-openssl"
	line tls OpenSSL ' covered' 'in with-openssl'
	printf '#!/bin/sh\nexec %s "$@"\n' "$W/rust" >"$T/script"
	explained 2 "$T/script"
}

test_git_and_its_helper() {
	mkdir -p "$T/usr/bin" "$T/usr/lib/git-core"
	cp "$W/plain" "$T/usr/bin/git"
	explained 1 "$T/usr/bin/git"
	cp "$W/with-openssl" "$T/usr/lib/git-core/git-remote-https"
	explained 0 "$T/usr/bin/git"
	line helper "$T/usr/lib/git-core/git-remote-https"
	line tls OpenSSL 'in git-remote-https'
}

# --- what is not -------------------------------------------------------------------------

# with_inside NAME TEXT...: warned of, refused, explained; and its twin without the mark is none of it
with_inside() {
	local name=$1 part
	shift
	for part; do
		warns "$part" -- "$RUN" -d "$GOOD" "$W/$name"
	done
	unwarned "$RUN" -q -d "$GOOD" "$W/$name"
	refuses --strict -- "$RUN" -q --strict -d "$GOOD" "$W/$name"
	explained 2 "$W/$name"
	line tls not-covered inside
}

test_tls_inside() {
	unwarned "$RUN" --strict -d "$GOOD" "$W/plain"
	unwarned "$RUN" --strict -d "$GOOD" "$W/with-openssl"
	with_inside go 'inside (Go), so the certificate cannot reach it; use '
	line tls Go
	with_inside rust '(rustls)' 'a build of it with OpenSSL'
	line tls rustls
	with_inside boring '(BoringSSL)'
	cp "$W/boring" "$T/script-runs-this"
	printf '#!%s\n' "$T/script-runs-this" >"$T/script"
	chmod 755 "$T/script"
	warns "$T/script (run by $T/script-runs-this)" -- "$RUN" -d "$GOOD" "$T/script"
}

test_static_openssl() {
	program openssl-inside -DSSL -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic -ldl -lpthread -lz
	[ -x "$W/openssl-inside" ] || program openssl-inside -DSSL -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic -ldl -lpthread
	[ -x "$W/openssl-inside" ] || skip "there is no libssl.a"
	with_inside openssl-inside '(OpenSSL)' libssl.so.3
	line tls OpenSSL not-covered
	cp "$W/openssl-inside" "$T/node"
	warns NODE_OPTIONS -- "$RUN" -d "$GOOD" "$T/node"
	explained 2 "$T/node"
	line tls OpenSSL NODE_OPTIONS
	strip "$W/openssl-inside"
	with_inside openssl-inside '(OpenSSL)'
	program openssl-static -static -DSSL -lssl -lcrypto
	[ -x "$W/openssl-static" ] || skip "the compiler makes no static programs"
	with_inside openssl-static '(OpenSSL)'
	line program static
	line obstacle OpenSSL
}

# What a program has inside is what it uses, whatever its libraries load; what it links itself counts as well.
test_inside_comes_first() {
	library libmiddle2.so -lssl
	program chrome "-DINSIDE=\"$TLS13 BoringSSL\"" -Wl,--no-as-needed -Wl,-rpath,"$W/lib" "$W/lib/libmiddle2.so"
	explained 2 "$W/chrome"
	line tls BoringSSL
	no_line tls OpenSSL
	program darcs "-DINSIDE=\"$TLS13\"" -Wl,--no-as-needed -Wl,-rpath,"$W/lib" "$W/lib/libmiddle2.so"
	explained 1 "$W/darcs" # whose it is cannot be told: perhaps not all that it uses
	program mixed "-DINSIDE=\"$TLS13 BoringSSL\"" -Wl,--no-as-needed -lssl
	explained 1 "$W/mixed"
}

test_tls_of_old_inside() {
	program old '-DINSIDE="client finished\0key expansion\0mbed TLS"'
	explained 2 "$W/old"
	line tls mbedTLS inside
	program half '-DINSIDE="client finished"'
	explained 1 "$W/half"
}

test_obstacles() {
	program static -static
	program static-pie -static-pie -fPIE
	[ ! -x "$W/static" ] || { explained 2 "$W/static"; line obstacle 'linked statically, '; line program '(static, '; no_line note; }
	[ ! -x "$W/static-pie" ] || { explained 2 "$W/static-pie"; line obstacle static-PIE; }
	cp "$W/with-openssl" "$T/foreign"
	printf '\363\000' | dd of="$T/foreign" bs=1 seek=18 conv=notrunc status=none # EM_RISCV
	case $(uname -m) in riscv*) ;; *) explained 2 "$T/foreign"; line obstacle RISC-V; no_line note ;; esac
	explained 2 env -i "$W/with-openssl"
	line obstacle LD_PRELOAD
	line tls OpenSSL not-covered
	explained 0 env A=b "$W/with-openssl"
	mkdir "$T/path"
	cp "$W/plain" "$T/path/sudo"
	explained 2 "$T/path/sudo" "$W/with-openssl"
	line obstacle 'use: sudo mtls-run'
	explains 2 "$RUN" --disable --explain "$W/with-openssl"
	line obstacle MTLS_DISABLE
}

test_at_secure() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	[[ ,$(findmnt -no OPTIONS -T .), != *,nosuid,* ]] || skip "$T is mounted nosuid"
	chmod go+x "$WORK" "$W" "$T"
	cp -r "$RUN" "$LIB" "$W/with-openssl" "$GOOD" .
	chmod -R go=rX .
	chmod 4755 with-openssl
	setpriv --reuid 65534 --clear-groups test -r ./device/client_cert.pem || skip "another user cannot look into $T"
	explains 2 setpriv --reuid 65534 --clear-groups ./mtls-run -d device --explain ./with-openssl
	line obstacle setuid
	explains 0 ./mtls-run -d device --explain ./with-openssl
}

# --- it runs nothing ----------------------------------------------------------------------

# The programs that the kernel was told to run, by name; a loader's arguments do not count.
test_strace_shows_no_run() {
	local program
	command -v strace >/dev/null || skip "strace is not installed"
	strace -o "$T/probe" true 2>/dev/null || skip "strace may not trace here"
	printf '#!%s\n' "$W/with-openssl" >"$T/script"
	chmod 755 "$T/script"
	program static -static
	for program in "$W/with-openssl" "$W/plain" "$W/go" "$W/static" "$T/script"; do
		[ -x "$program" ] || continue
		attempt strace -f -e trace=execve,execveat -o "$T/trace" "$RUN" -d "$GOOD" --explain "$program"
		sed -n 's/^[0-9]* *execve\(at\)*([^"]*"\([^"]*\)".*/\2/p' "$T/trace" >"$T/executed"
		grep -qxF "$RUN" "$T/executed" || fail "strace saw nothing"
		! grep -vxE "$RUN|$W/bin/mtls-cred|/bin/sh|/lib[^ ]*/ld-[^ ]*" "$T/executed" || fail "that was run"
		[ ! -e "$RAN" ] || fail "$program ran"
	done
	grep -q 'ld-.*--list' <(strace -f -e trace=execve "$RUN" -d "$GOOD" --explain "$W/plain" 2>&1) || fail "the loader was not asked"
	attempt strace -f -e trace=execve -o "$T/trace" "$RUN" -d "$GOOD" --explain "$W/static"
	! grep -q -e --list "$T/trace" || fail "a loader was asked for a static program"
	strace -f -e trace=execve -o "$T/trace" "$RUN" -d "$GOOD" "$W/plain" || true
	! grep -q -e --list "$T/trace" || fail "the loader is asked before each start"
	grep -q "execve(\"$W/plain\"" "$T/trace" || fail "the twin did not run"
}

# A file can name any program as its loader, and make a true one run code.
test_a_loader_that_is_none_is_not_run() {
	printf '#!/bin/sh\n: >%s\n' "$RAN" >"$T/ld-own.so"
	chmod 777 "$T/ld-own.so"
	program own-loader -Wl,--no-as-needed -lssl "-Wl,--dynamic-linker=$T/ld-own.so"
	explained 0 "$W/own-loader"
	line note "loader that is not one of the system's"
	line tls OpenSSL ' covered'
	program auditor -shared -fPIC -Wl,-soname,libauditor.so
	program audited -Wl,--no-as-needed -lssl "-Wl,--audit=$W/auditor"
	explained 0 "$W/audited"
	line note DT_AUDIT
}

test_environment_of_the_loader() {
	explains 0 env LD_DEBUG=all LD_BIND_NOW=1 LD_TRACE_LOADED_OBJECTS= LD_WARN=1 LD_VERBOSE=1 LD_AUDIT=/nope \
		LD_PRELOAD=/nope.so "$RUN" -d "$GOOD" --explain "$W/with-openssl"
	no_line obstacle
	library libelsewhere.so -lssl
	program elsewhere -Wl,--no-as-needed -Wl,--disable-new-dtags -Wl,--allow-shlib-undefined "$W/lib/libelsewhere.so"
	explains 0 env LD_LIBRARY_PATH="$W/lib" "$RUN" -d "$GOOD" --explain "$W/elsewhere"
	line tls OpenSSL ' covered' libelsewhere.so
}

test_a_loader_that_refuses_us() {
	mkdir "$T/bin"
	own_copy 'exit 0'
	cp "$LIB" "$T/bin/libmtls-run.so"
	# it needs a library that is not there, as it does where the C library is musl
	sed -i 's/libc\.so\.6\x00/libq.so.6\x00/' "$T/bin/libmtls-run.so"
	explains 2 env LD_DEBUG=libs "$own" -d "$GOOD" --explain "$W/with-openssl"
	line obstacle 'does not take'
	line tls OpenSSL not-covered
}

# --- hostile files ---------------------------------------------------------------------------

test_odd_files() {
	local n
	for n in 4 20 64 200 1000 4000; do
		head -c $n "$W/with-openssl" >"$T/cut"
		chmod 755 "$T/cut"
		attempt "$RUN" -d "$GOOD" --explain "$T/cut"
		[ "$rc" -le 2 ] || fail "$n bytes: exit $rc"
		expect_silence
	done
	mkfifo "$T/fifo"
	ln -s loop "$T/loop"
	mkdir "$T/folder"
	chmod 755 "$T/fifo"
	for n in fifo loop folder nope; do
		refuses "$T/$n: " -- "$RUN" -d "$GOOD" --explain "$T/$n"
	done
	printf '#!%s/b\n' "$T" >"$T/a"
	printf '#!%s/a\n' "$T" >"$T/b"
	chmod 755 "$T/a" "$T/b"
	explained 1 "$T/a"
	line program 'cannot be told'
	cp "$W/with-openssl" "$T/sparse"
	truncate -s 4G "$T/sparse"
	explained 0 "$T/sparse"
	# a name with a line end makes no second line
	cp "$W/plain" "$T/two"$'\n'"verdict covered"
	explained 1 "$T/two"$'\n'"verdict covered"
}

# --- credential and settings -------------------------------------------------------------------

test_credential() {
	explained 0 "$W/with-openssl"
	line credential usable 'subject CN=it'
	explains 0 "$REAL_RUN" -d "$GOOD" --explain "$W/with-openssl"
	line credential usable CN=device "$GOOD"
	mkdir "$T/empty" "$T/broken" "$T/removed"
	explains 0 "$RUN" -d "$T/empty" --explain "$W/with-openssl"
	line credential absent "$T/empty"
	: >"$T/removed/client_cert.pem"
	explains 0 "$RUN" -d "$T/removed" --explain "$W/with-openssl"
	line credential removed "$T/removed"
	cp "$GOOD/client_cert.pem" "$T/broken/"
	explains 0 "$RUN" -d "$T/broken" --explain "$W/with-openssl"
	line credential broken "$T/broken/private_key.pem: "
	explains 0 "$RUN" -d "$T/nope" --explain "$W/with-openssl"
	line credential broken "$T/nope"
	own_copy 'echo "F: does not fit; mend it"' 'exit 2'
	explains 0 "$own" -d "$GOOD" --explain "$W/with-openssl"
	line credential broken 'does not fit'
	fake_cred "$T/bin" 'echo "usable: x"' 'echo "warning: expires soon"' 'exit 1'
	explains 0 "$own" -d "$GOOD" --explain "$W/with-openssl"
	line credential usable
	line note 'expires soon'
	rm "$T/bin/mtls-cred"
	explains 0 "$own" -d "$GOOD" --explain "$W/with-openssl"
	line credential usable 'only its structure'
}

test_settings_and_their_origin() {
	mkdir "$T/device"
	cp "$GOOD"/* "$T/device/"
	explained 0 "$W/with-openssl"
	line 'setting  *hosts' 'every server that asks (default)'
	line 'setting  *pha' 'auto (default)'
	echo 'issuer = match' >"$T/device/mtls.conf"
	explains 0 env MTLS_PHA=off MTLS_ONLY_IF=verified "$RUN" -d "$T/device" --host a.b --host c.d -v --log "$T/log" \
		--explain "$W/with-openssl"
	line 'setting  *hosts' 'a.b,c.d (--host)'
	line 'setting  *issuer' "match ($T/device/mtls.conf)"
	line 'setting  *only_if' 'verified (MTLS_ONLY_IF)'
	line 'setting  *pha' 'off (MTLS_PHA)'
	line 'setting  *log ' 'info (-v)'
	line 'setting  *log_file' "$T/log (--log)"
	explains 0 env MTLS_AGENT=/a/sock MTLS_HOSTS=x.y "$RUN" -d "$GOOD" --explain "$W/with-openssl"
	line 'setting  *agent' '/a/sock (MTLS_AGENT)'
	line 'setting  *hosts' 'x.y (MTLS_HOSTS)'
}

test_a_bad_setting_is_shown() {
	explains 0 "$RUN" -d "$GOOD" --host a..b --explain "$W/with-openssl"
	line 'setting  *hosts' 'refuses to start' MTLS_HOSTS:
	mkdir "$T/device"
	cp "$GOOD"/* "$T/device/"
	echo 'hsts = a' >"$T/device/mtls.conf"
	explains 0 "$RUN" -d "$T/device" --explain "$W/with-openssl"
	line setting 'refuses to start' 'mtls.conf, line 1'
}

test_mistakes() {
	refuses 'no program' -- "$RUN" --explain
	refuses 'not found' -- "$RUN" -d "$GOOD" --explain no-such-program
	echo text >"$T/text"
	refuses 'ermission' -- "$RUN" -d "$GOOD" --explain "$T/text"
	refuses 'does not go with' -- "$RUN" -d "$GOOD" -c x --explain "$W/plain"
	refuses 'standard output' -- sh -c '"$0" --explain true >/dev/full' "$RUN"
	mkdir "$T/alone"
	cp "$RUN" "$T/alone/"
	refuses libmtls-run.so -- "$T/alone/mtls-run" --explain "$W/plain"
}

test_audit() {
	[ -e "$BUILD/libmtls-audit.so" ] || skip "libmtls-audit.so is not built"
	refuses libmtls-audit.so -- "$RUN" --audit -d "$GOOD" true
	explains 0 "$RUN" --audit -d "$GOOD" --explain "$W/with-openssl"
	line 'setting  *audit' --audit
	cp "$BUILD/libmtls-audit.so" "$W/bin/"
	attempt "$RUN" --audit -d "$GOOD" env
	rm "$W/bin/libmtls-audit.so"
	expect_rc 0
	expect_var "LD_AUDIT=$W/bin/libmtls-audit.so"
	attempt "$RUN" -d "$GOOD" env
	expect_no_var LD_AUDIT
}
