# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred new, check and path: exit statuses, one line for each refusal, what is on the disk afterwards (also
# after a fault or a kill at any step), and that a server gets to see what `new` made.

parallel=2

setup() {
	cat >"$W/fault.c" <<-'C'
		/* Notes on descriptor 9 each call that changes the file system. The FAULT_AT-th fails with FAULT_ERRNO, or kills. */
		#include <dlfcn.h>
		#include <errno.h>
		#include <signal.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/types.h>
		#include <unistd.h>
		static int fault(const char *name)
		{
			static int n;
			const char *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERRNO");

			dprintf(9, "%s ", name);
			if (!at || ++n != atoi(at))
				return 0;
			if (!error)
				kill(getpid(), SIGKILL);
			errno = atoi(error);
			return 1;
		}
		#define HOOK(type, name, parameters, arguments) \
			type name parameters \
			{ \
				type (*real) parameters; \
				*(void **)&real = dlsym(RTLD_NEXT, #name); \
				return fault(#name) ? -1 : real arguments; \
			}
		HOOK(int, mkdir, (const char *p, mode_t m), (p, m))
		HOOK(int, openat, (int d, const char *p, int f, mode_t m), (d, p, f, m))
		HOOK(int, fchmod, (int d, mode_t m), (d, m))
		HOOK(ssize_t, write, (int d, const void *p, size_t n), (d, p, n))
		HOOK(int, fsync, (int d), (d))
		HOOK(int, renameat, (int d, const char *p, int e, const char *q), (d, p, e, q))
	C
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o "$W/fault.so" "$W/fault.c"
}

# --- what an answer looks like ----------------------------------------------------------------

# one_line FILE TEXT: it has one line, with TEXT and without a control byte; the other file is empty
one_line() {
	local other=err
	[ "$1" = out ] || other=out
	[ "$(wc -l <"$T/$1")" = 1 ] || fail "expected one line in $1: $(tr '\n' '|' <"$T/$1")"
	! LC_ALL=C grep -q '[[:cntrl:]]' "$T/$1" || fail "a control byte: $(cat -v "$T/$1")"
	expect_text "$T/$1" "$2"
	[ ! -s "$T/$other" ] || fail "and on $other: $(head -n 3 "$T/$other")"
}

# no STATUS TEXT ARG...: mtls-cred refuses, in one line on standard error
no() {
	attempt "$CRED" "${@:3}"
	expect_rc "$1"
	one_line err "$2"
	grep -q '^mtls-cred' "$T/err" || fail "who says: $(cat "$T/err")"
}

# state STATUS TEXT ARG...: one line on standard output
state() {
	attempt "$CRED" "${@:3}"
	expect_rc "$1"
	one_line out "$2"
}

# new ARG...: works, says nothing else than its six lines
new() {
	attempt "$CRED" new "$@"
	expect_rc 0
	[ ! -s "$T/err" ] || fail "said: $(head -n 1 "$T/err")"
	[ "$(cut -c1-13 "$T/out" | tr -d ' \n')" = subjectvaliduntilsha1sha256certificatekey ] || fail "printed $(cat "$T/out")"
}

# Every name below a folder with its mode, inode and time of change, and the bytes: also of what was left behind.
snapshot() {
	find "$1" -mindepth 1 -printf '%P %M %i %T@ %l\n' | sort
	find "$1" -mindepth 1 -type f -exec sha256sum {} + | sort
}

# unchanged FOLDER BEFORE
unchanged() {
	[ "$(snapshot "$1")" = "$2" ] || fail "it changed: $2 | $(snapshot "$1")"
}

modes() {
	find "$@" -printf '%m ' | tr ' ' '\n' | sort -u | xargs
}

x509() {
	openssl x509 -noout -in "$@"
}

# From here on $CRED runs as another user.
as_nobody_can() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	chmod go+x "$WORK" "$W" "$T"
	cp "$CRED" mtls-cred
	chmod 755 mtls-cred
	printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups "%s/mtls-cred" "$@"\n' "$T" >as_nobody
	chmod 700 as_nobody
	CRED=$T/as_nobody
	"$CRED" --version >/dev/null || skip "another user cannot look into $T"
}

# --- usage ------------------------------------------------------------------------------------

test_usage() {
	local verb
	no 64 'what to do'
	no 64 'frobnicate: unknown verb' frobnicate
	no 64 'unknown verb' ''
	no 64 'unknown verb' $'a\nb'
	no 64 '--dir: no folder' -d '' check
	no 64 '-d: a value is missing' -d
	for verb in new check path; do
		no 64 '--nonsense: unknown option' "$verb" --nonsense
		no 64 '-z: unknown option' "$verb" -zd x
		no 64 'unknown option' "$verb" --nonsense=$'a\nb'
		no 64 'one argument too many' "$verb" -d d more
		no 64 'a value is missing' "$verb" --dir
		no 64 '--dir: no folder' "$verb" --dir=
	done
	no 64 'unknown option' check --force -d d
	[ ! -e d ] || fail "a refusal made the folder"
}

test_not_in_this_version() {
	local arguments
	for arguments in import 'import x.pfx' show 'show --json' remove probe 'new --csr' 'new --key-uri pkcs11:x' \
		'new --force --csr -d d'; do
		# shellcheck disable=SC2086
		no 2 'not in this version' $arguments
	done
	no 2 'not in this version' -d d show
	[ ! -e d ] || fail "a refusal made the folder"
}

test_garbage_options_of_new() {
	local days cn long
	long=$(printf 'x%.0s' {1..65})
	for days in '' 0 -1 abc 1x 0x10 1.5 36501 999999999999 99999999999999999999999999 -9999999999999999999999 $'1\n2'; do
		no 64 --days new -d d --days "$days"
	done
	no 64 --days new -d d --days "$(printf '9%.0s' {1..60000})"
	for cn in '' "$long" "$(printf 'é%.0s' {1..33})"; do
		no 64 '--cn: a name has 1 to 64 bytes' new -d d --cn "$cn"
	done
	no 2 utf8 new -d d --cn $'\xff\xfe'
	for days in '' dsa EC rsa:1024 $'ec\n'; do
		no 64 --type new -d d --type "$days"
	done
	for days in --days --cn --type --key-uri; do
		no 64 "$days: a value is missing" new -d d $days
	done
	[ ! -e d ] || fail "a refusal made the folder"
	new -d d --cn "${long:1}" --days 36500 # the largest that work
	[[ "$(x509 d/client_cert.pem -subject -nameopt RFC2253)" = "subject=CN=${long:1}" ]]
}

test_help_and_standard_output() {
	local verb
	for verb in '' new check path; do
		# shellcheck disable=SC2086
		attempt "$CRED" $verb --help
		expect_rc 0
		expect_text "$T/out" 'mtls-cred [-d DIR] VERB'
	done
	state 0 'mtls-cred ' --version
	"$CRED" check -d "$PKI/device" >/dev/full 2>err && fail "a full disk was not noticed"
	expect_text err 'standard output: No space left'
}

# --- new --------------------------------------------------------------------------------------

# printed WORD: what `new` said of it
printed() {
	sed -n "s/^$1  *//p" "$T/out"
}

fingerprint() {
	x509 "$2" -fingerprint "-$1" | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f'
}

seconds_valid() {
	local from to
	from=$(date -d "$(x509 "$1" -startdate | cut -d= -f2)" +%s)
	to=$(date -d "$(x509 "$1" -enddate | cut -d= -f2)" +%s)
	[ $((EPOCHSECONDS - from)) -ge 0 ] && [ $((EPOCHSECONDS - from)) -lt 60 ] || fail "valid from $from"
	echo $((to - from))
}

expect_made() {
	local hash
	openssl verify -CAfile d/client_cert.pem -purpose sslclient d/client_cert.pem >verify 2>&1 || fail "$(cat verify)"
	[ "$(x509 d/client_cert.pem -pubkey)" = "$(openssl pkey -in d/private_key.pem -pubout)" ] || fail "no pair"
	for hash in sha1 sha256; do
		[ "$(printed $hash)" = "$(fingerprint $hash d/client_cert.pem)" ] || fail "another $hash"
	done
	[ "$(printed certificate)" = "$T/d/client_cert.pem" ] && [ "$(printed key)" = "$T/d/private_key.pem" ]
	[ "$(head -n 1 d/private_key.pem)" = '-----BEGIN PRIVATE KEY-----' ] || fail "not PKCS#8"
	state 0 "usable: $T/d: subject $(printed subject), sha256 $(printed sha256)" check -d d
}

test_new_defaults() {
	local name text serial
	name=$(uname -n)
	new -d d
	text=$(x509 d/client_cert.pem -text -nameopt RFC2253)
	[ "$(printed subject)" = "CN=$name" ] || fail "subject $(printed subject)"
	[[ $text =~ Version:\ 3\ .*Issuer:\ CN=$name$'\n'.*Subject:\ CN=$name$'\n'.*prime256v1 ]] || fail "$text"
	[[ $text =~ Signature\ Algorithm:\ ecdsa-with-SHA256 ]] || fail "$text"
	[[ $text =~ Basic\ Constraints:\ critical[[:space:]]*CA:FALSE ]] || fail "$text"
	[[ $text =~ X509v3\ Key\ Usage:\ critical[[:space:]]*Digital\ Signature$'\n' ]] || fail "$text"
	[[ $text =~ Extended\ Key\ Usage:[[:space:]]*TLS\ Web\ Client\ Authentication$'\n' ]] || fail "$text"
	[ "$(seconds_valid d/client_cert.pem)" = $((365 * 86400)) ] || fail "not 365 days"
	[ "$(printed 'valid until')" = "$(date -ud '365 days' +%F)" ] || fail "valid until $(printed 'valid until')"
	serial=$(x509 d/client_cert.pem -serial)
	[[ $serial =~ ^serial=[0-7]?[0-9A-F]{30,39}$ ]] || fail "$serial"
	expect_made
	new -d d --force --self-signed
	[ "$(x509 d/client_cert.pem -serial)" != "$serial" ] || fail "the same serial number again"
}

test_new_types() {
	local kind what text
	for kind in ec:prime256v1.*ecdsa-with-SHA256 'rsa:.3072 bit.*sha256WithRSAEncryption' ed25519:ED25519.*ED25519; do
		what=${kind#*:}
		new -d d --force --type "${kind%%:*}" --cn device-17 --days 2
		text=$(x509 d/client_cert.pem -text)
		[[ $text =~ $what ]] || fail "no ${kind%%:*}: $text"
		[ "$(seconds_valid d/client_cert.pem)" = $((2 * 86400)) ] || fail "not 2 days"
		attempt "$CRED" check -d d
		expect_rc 1 # expires soon
		expect_text out 'certificate 1 expires on'
	done
	new -d d --force --days 31 --cn device-17
	expect_made
}

# A name that is no host name must not become other names in the certificate.
test_new_names() {
	local cn
	for cn in device-17 a.b.example A1; do
		new -d d --force --cn "$cn"
		[[ $(x509 d/client_cert.pem -ext subjectAltName) =~ DNS:$cn$ ]] || fail "$cn is no name in it"
		expect_made
	done
	for cn in 'a,DNS:evil.example' 'a,email:copy' 10.0.0.1 ::1 'a b' -a a- a..b . a_b '*' @names é $'a\nsubject      CN=forged' \
		'CN=x,O=y/O=z' '${ENV::HOME}' "%s%n"; do
		new -d d --force --cn "$cn"
		! grep -q 'Alternative' <(x509 d/client_cert.pem -text) || fail "$cn became $(x509 d/client_cert.pem -ext subjectAltName)"
		[ "$(openssl x509 -in d/client_cert.pem -noout -subject -nameopt utf8,sep_multiline)" = "$(printf 'subject=\n    CN=%s' "$cn")" ] ||
			fail "$cn became $(x509 d/client_cert.pem -subject)"
		expect_made
	done
}

test_modes_whatever_the_umask() {
	local mask
	for mask in 000 077 777; do
		[ $mask != 777 ] || [ "$(id -u)" = 0 ] || continue
		(umask $mask; "$CRED" new -d "$T/$mask/a/b" >out)
		[ "$(modes $mask -type d)" = "$([ $mask = 777 ] && echo 0 || echo 700)" ] || fail "folders: $(modes $mask -type d)"
		[ "$(modes $mask -type f)" = 600 ] || fail "files: $(modes $mask -type f)"
		chmod 644 $mask/a/b/* && chmod 755 $mask/a/b
		(umask $mask; "$CRED" new --force -d "$mask/a/b" >out)
		[ "$(modes $mask/a/b -type f)" = 600 ] || fail "replaced files: $(modes $mask -type f)"
		[ "$(modes $mask/a/b -maxdepth 0)" = 755 ] || fail "changed the mode of a folder that is not its own"
	done
}

test_overwriting_needs_force() {
	local before key
	new -d d --cn first
	before=$(snapshot d)
	no 2 'has a usable credential (CN=first); --force replaces it' new -d d --cn second
	unchanged d "$before"
	new -d d --cn second --force
	expect_made
	[ "$(printed subject)" = CN=second ] || fail "$(printed subject)"
	[ "$(find d -type f | wc -l)" = 2 ] || fail "left behind: $(ls -A d)"
	# what cannot be had again stays, usable or not
	rm d/client_cert.pem
	before=$(snapshot d)
	no 2 '(certificate-missing); --force' new -d d
	unchanged d "$before"
	cp "$PKI/device-rsa/client_cert.pem" d
	no 2 '(pair-mismatch); --force' new -d d
	echo garbage >d/client_cert.pem
	no 2 '(certificate-malformed); --force' new -d d
	cp "$PKI"/key/ec-pkcs8-aes-256-cbc/* d
	before=$(snapshot d)
	no 2 'has a usable credential' new -d d
	unchanged d "$before"
	new -d d --force
	expect_made
	: >d/client_cert.pem
	: >d/private_key.pem
	new -d d # removed
	expect_made
}

test_folders_that_cannot_be() {
	local before
	mkdir open
	chmod 777 open
	no 2 'chmod go-w' new -d open
	no 2 'chmod go-w' new -d open --force
	unchanged open ''
	: >file
	no 2 'Not a directory' new -d file
	no 2 'Not a directory' new -d file/below
	no 2 'File name too long' new -d "$(printf 'x%.0s' {1..300})"
	no 2 /proc/1/nothing new -d /proc/1/nothing
	new -d d
	rm d/private_key.pem
	mkdir d/private_key.pem # a folder in the key's place: the certificate must not be replaced before that is known
	before=$(snapshot d)
	no 2 'private_key.pem: Is a directory' new -d d --force
	unchanged d "$before"
	MTLS_CERT=d/client_cert.pem no 2 'MTLS_CERT names single files' new --force
	unchanged d "$before"
}

test_links_are_replaced_not_followed() {
	local name
	mkdir outside d
	for name in client_cert.pem private_key.pem; do
		echo precious >outside/$name
		ln -s ../outside/$name d/$name
	done
	snapshot outside >before
	no 2 '--force replaces it' new -d d
	new -d d --force
	unchanged outside "$(cat before)"
	[ ! -L d/client_cert.pem ] && [ ! -L d/private_key.pem ] || fail "still links"
	expect_made
	rm d/*
	ln -s ../outside/new_cert d/client_cert.pem # dangling
	ln -s ../outside/new_key d/private_key.pem
	new -d d
	unchanged outside "$(cat before)"
	rm d/private_key.pem
	ln "outside/private_key.pem" d/private_key.pem # a hard link is another's file, too
	no 2 --force new -d d
	new -d d --force
	[ "$(cat outside/private_key.pem)" = precious ] || fail "written through a hard link"
	ln -s d link # the folder itself may be one: the user named it
	state 0 "usable: $T/link" check -d link
}

# --- faults -----------------------------------------------------------------------------------

# faulty N [ERRNO]: new --force whose Nth step fails, or kills it
faulty() {
	local preload=("FAULT_AT=$1" "LD_PRELOAD=$W/fault.so")
	[ $# = 1 ] || preload+=("FAULT_ERRNO=$2")
	attempt env "${preload[@]}" "$CRED" new -d d --force 9>steps
}

test_durable_before_in_place() {
	mkdir d
	faulty 0 28
	[ "$(cat steps)" = 'openat fchmod write fsync openat fchmod write fsync renameat renameat fsync ' ] ||
		fail "another order: $(cat steps)"
	rm -r d
	faulty 0 28
	[[ "$(cat steps)" =~ ^(mkdir )+openat ]] || fail "no mkdir: $(cat steps)"
}

test_any_step_fails() {
	local n before key
	new -d d
	for n in {1..99}; do
		before=$(snapshot d)
		key=$(cat d/private_key.pem)
		faulty "$n" 28
		[ "$rc" != 0 ] || break
		expect_rc 2
		one_line err 'No space left on device'
		[ "$(find d -type f | wc -l)" = 2 ] || fail "left behind at $n: $(ls -A d)"
		case $(cat steps) in
		*renameat\ renameat\ ) # the one state that cannot be helped; then the next --force must
			[ "$key" = "$(cat d/private_key.pem)" ] || fail "the key is another"
			state 2 'do not belong together' check -d d
			;;
		*renameat\ renameat\ fsync\ ) state 0 usable check -d d ;;
		*) unchanged d "$before" ;;
		esac
	done
	[ "$n" = 12 ] || fail "the steps were $((n - 1))"
}

# The old or the new pair, or the new certificate with the old key; nothing that others can read.
expect_sane() {
	local old=$1
	attempt "$CRED" check -d d
	if [ "$rc" != 0 ]; then
		expect_rc 2
		expect_text out 'do not belong together'
		[ "$(cat d/private_key.pem)" = "$old" ] || fail "the old key is gone and no pair came"
	fi
	[ "$(modes d -type f)" = 600 ] || fail "$(ls -lA d)"
}

test_killed_at_any_step() {
	local n old
	umask 000
	new -d d
	for n in {1..99}; do
		old=$(cat d/private_key.pem)
		faulty "$n"
		[ "$rc" != 0 ] || break
		expect_rc 137
		expect_sane "$old"
	done
	[ "$n" = 12 ] || fail "the steps were $((n - 1))"
	expect_sane ''
}

test_killed_at_any_moment() {
	local i old killed=0
	umask 000
	new -d d
	for i in {1..60}; do
		old=$(cat d/private_key.pem)
		rc=0
		timeout -s KILL "$(printf '0.%06d' $((1 + RANDOM % 15000)))" "$CRED" new -d d --force >out 2>err || rc=$?
		[ "$rc" = 0 ] || killed=$((killed + 1))
		expect_sane "$old"
	done
	[ $killed != 0 ] || fail "none of 60 was killed"
	new -d d --force
}

test_file_size_limit() {
	local before
	command -v prlimit >/dev/null || skip "prlimit is not installed"
	new -d d
	before=$(snapshot d)
	attempt prlimit --fsize=400 "$CRED" new -d d --force # the certificate is longer, the message is not
	expect_rc 2
	one_line err 'client_cert.pem: File too large'
	unchanged d "$before"
	attempt prlimit --fsize=400 "$CRED" new -d other
	expect_rc 2
	unchanged other ''
}

test_full_disk() {
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir d
	# two pages: the pair fits, no third file does
	unshare -m sh -ec 'mount -t tmpfs -o size=8k,mode=755 none d || exit 77
		"$CRED" new -d d >/dev/null
		cat d/* >before
		"$CRED" new -d d --force >out 2>err && exit 1
		cat d/.*.pem* d/* 2>/dev/null | cmp - before
		"$CRED" check -d d' >check || { [ $? != 77 ] && fail "out: $(cat out) err: $(cat err)"; skip "no tmpfs here"; }
	: >out
	one_line err 'No space left on device'
	expect_text check usable:
}

test_another_users_folder() {
	local before
	new -d d
	as_nobody_can
	chmod 755 d
	before=$(snapshot d)
	no 2 '(unreadable); --force' new -d d
	no 2 'Permission denied' new -d d --force
	unchanged d "$before"
	rm d/*
	no 2 'Permission denied' new -d d
	no 2 'Permission denied' new -d d/below
	chmod 700 d
	no 2 d: new -d "$T/d"
	unchanged d ''
}

# --- the folder -------------------------------------------------------------------------------

test_dir_before_and_after_the_verb() {
	local where
	cp -r "$PKI/device" one
	cp -r "$PKI/device-rsa" two
	export MTLS_DIR=$PKI/device-expired
	for where in '-d one VERB' '-done VERB' '--dir one VERB' 'VERB -d one' 'VERB --dir=one' '-d two VERB -d one' \
		'-- VERB -d one' 'VERB -d two -d one' "-d $T/one VERB"; do
		# shellcheck disable=SC2086
		state 0 "$T/one: subject CN=device," ${where/VERB/check}
		# shellcheck disable=SC2086
		state 0 "$T/one (named by --dir)" ${where/VERB/path}
	done
	"$CRED" -d three new >out
	[ -s three/private_key.pem ] || fail "no file in three"
	state 0 "$T/four" path -d four # named, though it does not exist
	state 2 "$T/four: this folder does not exist" check -d four
	state 2 "this folder does not exist" check -d one/client_cert.pem
}

test_lookup() {
	local name
	export HOME=$T/home XDG_CONFIG_HOME=$T/xdg CREDENTIALS_DIRECTORY=$T/systemd MTLS_DIR=named \
		MTLS_CERT=single/client_cert.pem MTLS_KEY=single/private_key.pem
	mkdir -p home/.config xdg
	for name in home/.config/mtls xdg/mtls systemd named single dir; do
		cp -r "$PKI/device" $name
	done
	state 0 "$T/dir (named by --dir)" path -d dir
	state 0 "$T/single/client_cert.pem (named by MTLS_CERT)" path
	state 0 "usable: $T/single/client_cert.pem" check
	state 0 "usable: $T/dir" check -d dir
	MTLS_KEY=$PKI/device-rsa/private_key.pem state 2 "$PKI/device-rsa/private_key.pem" check
	MTLS_KEY='' state 2 'no private key block' check # empty counts as unset: the same file as the certificate
	MTLS_KEY_PASS_FILE=nothing state 2 "$T/nothing: the key is encrypted and there is no passphrase" check
	export MTLS_CERT=
	state 0 "$T/named (named by MTLS_DIR)" path
	MTLS_DIR=nothing state 2 "$T/nothing: this folder does not exist" check
	unset MTLS_DIR
	state 0 "$T/systemd (the first place with a credential: CREDENTIALS_DIRECTORY)" path
	CREDENTIALS_DIRECTORY=systemd state 0 "$T/xdg/mtls (" path # a relative default counts as unset
	rm systemd/*
	state 0 "$T/xdg/mtls (the first place" path
	state 0 "usable: $T/xdg/mtls" check
	XDG_CONFIG_HOME=xdg state 0 "$T/home/.config/mtls" path
	rm xdg/mtls/client_cert.pem # a key alone is a credential, though a broken one
	state 0 "$T/xdg/mtls" path
	state 2 "$T/xdg/mtls/client_cert.pem: the certificate is missing" check
	no 2 "$T/xdg/mtls: has a credential that is not usable" new
	unset XDG_CONFIG_HOME
	state 0 "$T/home/.config/mtls" path
	MTLS_ISSUER=nonsense state 2 'MTLS_ISSUER: this setting cannot be understood (nonsense); correct it' check
	echo 'hosts =' >home/.config/mtls/mtls.conf
	state 2 "$T/home/.config/mtls/mtls.conf, line 1: this setting" check
	rm -r home/.config/mtls
	[ ! -e /etc/mtls ] || return 0
	no 3 "$T/systemd (CREDENTIALS_DIRECTORY), $T/home/.config/mtls" path
	state 3 "looked at: $T/systemd (CREDENTIALS_DIRECTORY), $T/home/.config/mtls (the user's configuration), /etc/mtls (" check
	HOME=relative state 3 "looked at: $T/systemd (CREDENTIALS_DIRECTORY), /etc/mtls (" check
}

test_where_new_writes() {
	[ ! -e /etc/mtls ] || skip "there is an /etc/mtls"
	as_nobody_can
	mkdir systemd
	install -d -o 65534 -m 755 home
	export HOME=$T/home CREDENTIALS_DIRECTORY=$T/systemd
	(umask 000; "$CRED" new >out 2>err) || fail "$(cat err)"
	[ "$(modes home/.config home/.config/mtls -maxdepth 0)" = 700 ] || fail "$(modes home/.config home/.config/mtls -maxdepth 0)"
	state 0 "usable: $T/home/.config/mtls" check
	no 2 "$T/home/.config/mtls: has a usable" new # now it is in force
	HOME='' no 2 'HOME is not set: say -d FOLDER' new
	chown 12345 home/.config/mtls
	chmod 755 home/.config/mtls
	state 2 "$T/home/.config/mtls: somebody else could replace it; make it yours" check
	unshare -m true 2>/dev/null || return 0
	unshare -m sh -ec 'mount -t tmpfs none /etc; HOME=$T/empty; "$T/mtls-cred" new >out; "$T/mtls-cred" path; stat -c %a /etc/mtls' >root
	[ "$(cat root)" = "/etc/mtls (the first place with a credential: the system's configuration)"$'\n'700 ] || fail "$(cat root)"
}

# --- check ------------------------------------------------------------------------------------

test_absent_and_removed() {
	local bytes
	mkdir d
	state 3 "$T/d: there is no credential here; put client_cert.pem" check -d d
	echo secret >d/private_key_pass.txt
	state 3 'there is no credential here' check -d d
	for bytes in '' ' \r\n\t\n' '\xef\xbb\xbf'; do
		printf '%b' "$bytes" >d/client_cert.pem
		rm -f d/private_key.pem
		state 3 "$T/d: the credential was removed" check -d d
		: >d/private_key.pem
		state 3 "$T/d: the credential was removed" check -d d
		rm d/client_cert.pem
		state 3 'the credential was removed' check -d d
	done
}

# broken FILE SENTENCE REMEDY [ARG...]: of the folder d, made anew each time
broken() {
	state 2 "$T/d${1:+/$1}: $2" check -d d
	expect_text out "; $3"
	fresh
}

fresh() {
	rm -rf d
	cp -r "${1:-$PKI/device}" d
}

test_broken() {
	local cert=client_cert.pem key=private_key.pem pass=private_key_pass.txt i
	fresh
	rm -r d; broken '' 'this folder does not exist' 'correct the name'
	rm d/$cert; broken $cert 'the certificate is missing' 'put the certificate'
	: >d/$key; broken $key 'the private key is missing' 'put the key'
	rm d/$cert; mkfifo d/$cert; broken $cert 'this is not a regular file' 'put a regular file'
	rm d/$key; mkdir d/$key; broken $key 'this is not a regular file' 'put a regular file'
	rm d/$key; ln -s /dev/zero d/$key; broken $key 'this is not a regular file' 'put a regular file'
	rm d/$key; ln -s $key d/$key; broken $key 'this cannot be read' 'make it readable'
	truncate -s 1048577 d/$key; broken $key 'this is too large' 'keep the leaf'
	for i in {1..32}; do cat "$PKI/intermediate.pem"; done >>d/$cert; broken $cert 'this is too large' 'keep the leaf'
	printf 'x%.0s' {1..1024} >d/$pass; broken $pass 'the passphrase is longer than 1023' 'encrypt the key again'
	echo text >d/$cert; broken $cert 'this is not a certificate in PEM' 'write it again as PEM, leaf first'
	sed -i '3s/^..../!!!!/' d/$cert; broken $cert 'this is not a certificate in PEM' 'write it again'
	openssl x509 -in "$PKI/device/$cert" -outform DER -out d/$cert; broken $cert 'this is not a certificate' 'write it'
	cp d/$cert d/$key; broken $key 'this is not a private key in PEM' 'write it again as PEM'
	printf -- '-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n' >d/$key; broken $key 'this is not a private key' 'write'
	printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' "$(unknown_key)" >d/$key
	broken $key 'the TLS library cannot use this kind of key' 'convert it'
	echo 'pkcs11:token=x' >d/$key; broken $key 'the key is in a token' "name the agent's socket"
	fresh "$PKI/key/ec-pkcs8-aes-256-cbc"; rm d/$pass
	broken $pass 'the key is encrypted and there is no passphrase' 'put the passphrase'
	fresh "$PKI/key/ec-pkcs8-aes-256-cbc"; echo wrong >d/$pass; broken $pass 'the passphrase does not open' 'correct the first'
	cp "$PKI/device-rsa/$key" d; broken $key 'certificate and key do not belong together' 'put the key'
	chmod 602 d/$key; broken $key 'somebody else could replace it' 'make it yours'
	chmod 702 d; broken '' 'somebody else could replace it' 'make it yours'
	state 0 usable: check -d d # and what all of them were made of is fine
}

# PKCS#8 of an algorithm that nobody knows
unknown_key() {
	printf '%s\n' 'asn1 = SEQUENCE:k' [k] v=INTEGER:0 a=SEQUENCE:a p=FORMAT:HEX,OCTETSTRING:00 [a] o=OID:1.3.6.1.4.1.99999.1 >k.cnf
	openssl asn1parse -genconf k.cnf -noout -out k.der
	base64 k.der
}

test_unreadable() {
	fresh
	as_nobody_can
	chmod 755 d
	chmod 644 d/client_cert.pem
	state 2 "d/private_key.pem: this cannot be read; make it readable" check -d d
	chmod 700 d
	state 2 "/d" check -d d
	expect_text out 'cannot be read; make it readable'
	state 0 "$T/d (named by --dir)" path -d d
}

# made OPTION...: d has a key and a certificate of its own, with these options for openssl req
made() {
	rm -rf d
	mkdir d
	[[ " $* " = *' -newkey '* ]] || set -- "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256
	openssl req -x509 -nodes -days 365 -subj /CN=x -keyout d/private_key.pem -out d/client_cert.pem "$@" 2>made.err || fail "$(tail -n 1 made.err)"
}

# warned FILE TEXT: usable, and this one warning
warned() {
	attempt "$CRED" check -d d
	expect_rc 1
	[ ! -s err ] || fail "said: $(cat err)"
	[ "$(cut -d: -f1 out | xargs)" = 'usable warning' ] || fail "expected one warning: $(cat out)"
	grep -qF "warning: $T/d/$1: " out || fail "of $1: $(cat out)"
	expect_text out "$2"
}

test_warnings() {
	local cert=client_cert.pem key=private_key.pem ca=(-CA "$PKI/ca.pem" -CAkey "$PKI/ca.key") mode
	fresh "$PKI/device-expired"; warned $cert 'certificate 1 expired on 2021-01-01'
	made -days 29; warned $cert 'certificate 1 expires on 20'
	openssl req -new -key d/$key -subj /CN=x -out csr
	: >index.txt
	OPENSSL_CONF=$PKI/openssl.cnf openssl ca -batch -name signing_ca -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" -in csr \
		-extensions client -notext -startdate 20450101000000Z -enddate 20460101000000Z -out d/$cert 2>/dev/null
	warned $cert 'certificate 1 is not valid before 2045-01-01'
	made -addext extendedKeyUsage=serverAuth; warned $cert 'extended key usage does not have clientAuth'
	made -addext keyUsage=keyAgreement; warned $cert 'key usage does not have digitalSignature'
	made -newkey rsa:1024; warned $cert 'an RSA key of 1024 bits is too short'
	made -newkey ec -pkeyopt ec_paramgen_curve:secp256k1; warned $cert "curve cannot be used in TLS 1.3"
	made -sha1 "${ca[@]}"; warned $cert 'certificate 1 is signed with SHA1'
	made; cat "$PKI/other-ca.pem" >>d/$cert; warned $cert 'certificate 1 was not issued by certificate 2'
	fresh; sed -i '1,/END/d' d/$cert
	state 2 'do not belong together' check -d d # the leaf is not first
	for mode in 640 604 610; do
		fresh; chmod $mode d/$key; warned $key "its mode $mode lets others"
	done
	fresh; echo x >d/private_key_pass.txt; chmod 644 d/private_key_pass.txt; warned private_key_pass.txt 'its mode 644'
	MTLS_AGENT=/nowhere attempt "$CRED" check -d d
	expect_rc 1
	expect_text out 'the key is with the agent at /nowhere'
	made -sha1; state 0 usable: check -d d # self-signed: nobody looks at the hash
	made -addext extendedKeyUsage=clientAuth,serverAuth -addext keyUsage=digitalSignature; state 0 usable: check -d d
	fresh "$PKI/device-deep"; state 0 usable: check -d d
}

test_hostile_names() {
	local name=$'a\nusable: forged \x1b[31m%s%n\x7f'
	state 2 'a?usable: forged ?[31m%s%n?: this folder' check -d "$name"
	state 0 'a?usable' path -d "$name"
	new -d "$name"
	[ -s "$name/private_key.pem" ] || fail "not there"
	state 0 'usable: ' check -d "$name"
	no 2 'has a usable' new -d "$name"
	MTLS_DIR=$name state 0 'named by MTLS_DIR' path
	new -d -d # a folder of this name
	[ -s ./-d/private_key.pem ] || fail "not in -d"
	state 0 'subject CN=evil\' check -d "$PKI/device-hostile"
}

# --- all of it --------------------------------------------------------------------------------

# new in an empty folder, then a client that knows nothing of it; then a server that has it on its list.
seen_by_a_server() {
	require curl
	server_start optional --request optional
	cred=$T/d
	new -d d --type "$1" --cn "device of $1"
	attempt plain client_curl "$port"
	expect_seen subject= chain=0
	attempt mtls client_curl "$port"
	expect_rc 0
	expect_seen "subject=CN=device of $1" "issuer=CN=device of $1" chain=1 "sha256=$(fingerprint sha256 d/client_cert.pem)" result=ok
	[ "$(value_of verify "$(tail -n 1 "$seen")")" != ok ] || fail "the tests' CA did not sign this"
	server_start registered --request required --ca "$T/d/client_cert.pem"
	attempt mtls client_curl "$port" 1.2
	expect_rc 0
	expect_seen "subject=CN=device of $1" verify=ok result=ok
	attempt "$RUN" -d d --strict -- true # mtls-run asks this mtls-cred, and has nothing to say
	expect_rc 0
	[ ! -s err ] || fail "mtls-run said: $(cat err)"
}

test_seen_ec() { seen_by_a_server ec; }
test_seen_rsa() { seen_by_a_server rsa; }
test_seen_ed25519() { seen_by_a_server ed25519; }
