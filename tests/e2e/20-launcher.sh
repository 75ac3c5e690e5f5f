# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-run itself: what it does to the command line, the environment and the process, and
# when it refuses. No TLS here.

# shellcheck source=tests/e2e/launcher.sh
. tests/e2e/launcher.sh

setup() {
	launcher_setup
	compile dynamic
}

# --- status, process -----------------------------------------------------------

test_own_status() {
	attempt "$RUN" -d "$GOOD" sh -c 'exit 3'
	expect_rc 3
	attempt "$RUN" -d "$GOOD" sh -c 'kill -TERM $$'
	expect_rc 143
	expect_silence
}

# Whatever env(1) answers for a program that cannot be run, so do we, in one line.
test_status_as_env() {
	local name
	echo text >"$T/plain"
	printf '#!/no/such/interpreter\n' >"$T/orphan"
	chmod 755 "$T/orphan"
	mkdir "$T/folder"
	cp "$T/plain" "$T/folder/unrunnable"
	for name in nope ./nope ./plain ./folder ./plain/x ./orphan '' unrunnable folder; do
		attempt env PATH="$T/folder:/usr/bin" "$RUN" -d "$GOOD" -- "$name"
		expect_one_line
		expected=$rc
		attempt env PATH="$T/folder:/usr/bin" env -- "$name"
		[ "$rc" = "$expected" ] || fail "\"$name\": $expected, env: $rc"
		case $expected in 126 | 127) ;; *) fail "\"$name\": $expected" ;; esac
	done
}

test_same_process() {
	# shellcheck disable=SC2016
	attempt sh -c 'echo $$ $PPID; exec "$0" -d "$1" sh -c "echo \$\$ \$PPID; cat /proc/\$\$/task/\$\$/children"' "$RUN" "$GOOD"
	expect_rc 0
	[ "$(sed -n 1p "$T/out")" = "$(sed -n 2p "$T/out")" ] || fail "another process: $(cat "$T/out")"
	[ "$(sed -n 3p "$T/out" | wc -w)" -le 1 ] || fail "a child is left" # cat itself
}

test_folder_and_umask_untouched() {
	cd /usr
	umask 0135
	attempt "$RUN" -d "$GOOD" sh -c 'pwd; umask'
	[ "$(cat "$T/out")" = $'/usr\n0135' ] || fail "$(cat "$T/out")"
}

# Ignored, blocked and pending signals, all as they were; mtls-cred is run meanwhile.
test_signals_untouched() {
	local how
	own_copy 'echo "x: is broken"' 'exit 2'
	for how in --ignore-signal=CHLD --block-signal=CHLD --ignore-signal=PIPE --default-signal; do
		attempt env $how grep -E '^(Sig[PBIC]|Shd)[A-Za-z]' /proc/self/status
		mv "$T/out" "$T/expected"
		attempt env $how "$RUN" -d "$GOOD" grep -E '^(Sig[PBIC]|Shd)[A-Za-z]' /proc/self/status
		diff "$T/expected" "$T/out"
		attempt env $how "$RUN" -d "$T/bin" grep -E '^(Sig[PBIC]|Shd)[A-Za-z]' /proc/self/status
		expect_one_line # and saying that there is nothing in bin changes nothing either
		diff "$T/expected" "$T/out"
		refuses 'x: is broken' -- env $how "$own" -d "$GOOD" true
	done
}

# Number and target of each descriptor; a pipe's or socket's own number does not matter.
tidy_list() {
	sed '1d; s/.* \([0-9]* ->\)/\1/; s/:\[.*//' "$1"
}

test_descriptors_untouched() {
	local list='ls -l /proc/$$/fd >'"$T/fds"
	local closed
	for closed in '' '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		eval "sh -c '$list' $closed"
		tidy_list "$T/fds" >"$T/expected"
		eval "'$RUN' -d '$GOOD' sh -c '$list' $closed"
		tidy_list "$T/fds" >"$T/got"
		diff "$T/expected" "$T/got" || fail "with $closed"
	done
}

test_every_descriptor_closes_on_exec() {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -f -o "$T/trace" -e trace=open,openat,openat2,creat,pipe,pipe2,socket,dup,dup2,dup3,fcntl,execve \
		"$RUN" -d "$GOOD" true
	grep -q 'mtls-cred.*= 0' "$T/trace" || fail "mtls-cred was not run"
	first=$(awk 'NR == 1 { print $1 }' "$T/trace")
	awk -v pid="$first" '$1 == pid && /execve\(\"[^\"]*\/true\"/ { exit } $1 == pid && / = [0-9]+$/ && !/execve/ && !/CLOEXEC/' \
		"$T/trace" >"$T/open"
	[ ! -s "$T/open" ] || fail "stays open: $(head -n 1 "$T/open")"
}

test_standard_error_closed_full_or_broken() {
	attempt "$RUN" -d "$W" sh -c 'exit 7' 2>&-
	expect_rc 7
	rc=0
	"$RUN" sh -c 'exit 7' 2>/dev/full || rc=$?
	expect_rc 7
	rc=0
	{ { until_true 5 test -e "$T/gone"; "$RUN" sh -c 'exit 7' || echo $? >"$T/rc"; } 2>&1 | exec true; } &
	: >"$T/gone"
	until_true 5 test -s "$T/rc"
	[ "$(cat "$T/rc")" = 7 ] || fail "a warning that nobody reads ended it: $(cat "$T/rc")"
}

test_mtls_cred_is_heard_where_standard_descriptors_are_closed() {
	local closed
	own_copy 'echo "x: is broken"' 'exit 2'
	for closed in '<&-' '>&-' '2>&-' '<&- >&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rc=0
		eval "'$own' -d '$GOOD' true $closed" || rc=$?
		expect_rc 125
	done
}

test_standard_input_is_the_programs() {
	own_copy 'cat >/dev/null' 'exit 0'
	echo hello | attempt "$own" -d "$GOOD" cat
	[ "$(cat "$T/out")" = hello ] || fail "mtls-cred took it"
}

# --- options ---------------------------------------------------------------------

test_help_and_version() {
	attempt "$RUN" --help
	expect_rc 0
	[ "$(wc -l <"$T/out")" -le 24 ] || fail "does not fit a screen"
	! grep -q '.\{81\}' "$T/out" || fail "a line is too long"
	attempt "$RUN" --version
	expect_rc 0
	grep -qE '^mtls-run [0-9]+\.[0-9]+\.[0-9]+$' "$T/out"
	refuses -- sh -c '"$0" --help >/dev/full' "$RUN"
}

test_wrong_command_lines() {
	local word
	refuses 'no program' -- "$RUN"
	refuses 'no program' -- "$RUN" -d "$GOOD" --
	refuses 'no program' -- "$RUN" --explain
	refuses 'is not an option' -- "$RUN" --frobnicate true
	refuses '-z' -- "$RUN" -qz true
	refuses 'needs a value' -- "$RUN" --dir
	refuses 'needs a value' -- "$RUN" -c
	refuses 'empty' -- "$RUN" -d '' true
	refuses 'empty' -- "$RUN" --host a --host '' true
	for word in --cert --key --pass-file; do
		refuses '--dir' -- "$RUN" $word "$GOOD/client_cert.pem" -d "$GOOD" true
	done
	refuses '--cert' -- "$RUN" -k "$GOOD/private_key.pem" true
	refuses '--cert' -- "$RUN" --pass-file "$GOOD/private_key.pem" true
	refuses '--cert' -- env MTLS_CERT= "$RUN" -k "$GOOD/private_key.pem" true
}

test_the_programs_options_are_its_own() {
	attempt "$RUN" -d "$GOOD" echo -d --help -- -v
	[ "$(cat "$T/out")" = '-d --help -- -v' ] || fail "$(cat "$T/out")"
	attempt "$RUN" -d "$GOOD" -- echo --strict
	[ "$(cat "$T/out")" = --strict ] || fail "$(cat "$T/out")"
}

test_options_become_variables() {
	cd "$PKI"
	attempt env MTLS_CERT=/a MTLS_KEY=/b MTLS_KEY_PASS_FILE=/c "$RUN" -v --dir device --host a.example --host '!b.example' \
		--issuer match --only-if verified --only-if tls1.3 --log rel.log env
	expect_rc 0
	expect_var "MTLS_DIR=$PKI/device"
	expect_no_var MTLS_CERT
	expect_no_var MTLS_KEY
	expect_no_var MTLS_KEY_PASS_FILE
	expect_var 'MTLS_HOSTS=a.example,!b.example'
	expect_var MTLS_ISSUER=match
	expect_var MTLS_ONLY_IF=verified,tls1.3
	expect_var "MTLS_LOG_FILE=$PKI/rel.log"
	expect_var MTLS_LOG=info
	expect_no_var MTLS_DISABLE
}

# What the shim cannot write is lost: then somebody is told before.
test_a_log_that_goes_nowhere() {
	local file said
	while IFS='|' read -r file said; do
		attempt "$RUN" -d "$GOOD" --log "$file" true
		expect_rc 0
		[ "$(<"$T/err")" = "${said:+mtls-run: warning: $file: $said: the log goes nowhere}" ] || fail "$file: $(<"$T/err")"
		attempt env "MTLS_LOG_FILE=$file" "$RUN" -q -d "$GOOD" true
		expect_rc 0
		expect_silence
	done <<-FILES
		$T/no/log|No such file or directory
		$T|Is a directory
		$GOOD/client_cert.pem/log|Not a directory
		/dev/full|
		$T/log|
	FILES
	[ ! -e "$T/log" ] || fail "mtls-run makes it itself"
}

test_options_beat_the_environment() {
	cd "$GOOD"
	cp private_key.pem "$T/key.pem"
	attempt env MTLS_DIR=/nope MTLS_KEY=/nope MTLS_KEY_PASS_FILE=/nope MTLS_HOSTS=a..b MTLS_ISSUER=x MTLS_LOG=x \
		"$RUN" -q -c client_cert.pem -k "$T/key.pem" --host a --issuer any env
	expect_rc 0
	expect_silence
	expect_var "MTLS_CERT=$GOOD/client_cert.pem"
	expect_var "MTLS_KEY=$T/key.pem"
	expect_no_var MTLS_DIR
	expect_no_var MTLS_KEY_PASS_FILE
	expect_var MTLS_HOSTS=a
	expect_var MTLS_LOG=off
	cat client_cert.pem private_key.pem >"$T/both.pem"
	attempt env MTLS_KEY=/nope "$RUN" -c "$T/both.pem" env
	expect_rc 0
	expect_no_var MTLS_KEY
	attempt env MTLS_CERT=client_cert.pem "$RUN" -vv -k private_key.pem env
	expect_rc 0
	expect_var "MTLS_CERT=$GOOD/client_cert.pem"
	expect_var "MTLS_KEY=$GOOD/private_key.pem"
	expect_var MTLS_LOG=debug
}

# A wrapper may change its folder before the program's shim looks.
test_relative_variables_become_absolute() {
	cd "$PKI"
	attempt env MTLS_DIR=./device MTLS_LOG_FILE=x.log "$RUN" sh -c 'cd / && env'
	expect_rc 0
	expect_var "MTLS_DIR=$PKI/./device"
	expect_var "MTLS_LOG_FILE=$PKI/x.log"
	mkdir "$T/gone"
	cd "$T/gone"
	rmdir "$T/gone"
	refuses 'current folder' -- "$RUN" -d x true
	attempt "$RUN" -d "$GOOD" true
	expect_rc 0
}

test_disable() {
	attempt "$RUN" --disable -d /nope env
	expect_rc 0
	expect_silence
	expect_var MTLS_DISABLE=1
	expect_no_var LD_PRELOAD
	attempt env MTLS_DISABLE=1 MTLS_HOSTS=a..b "$RUN" env
	expect_rc 0
	expect_silence
	refuses MTLS_DISABLE -- env MTLS_DISABLE=yes "$RUN" -d "$GOOD" true
}

# --- the library -------------------------------------------------------------------

test_preload_kept() {
	attempt "$RUN" -d "$GOOD" env
	expect_var "LD_PRELOAD=$LIB"
	attempt env LD_PRELOAD= "$RUN" -d "$GOOD" env
	expect_var "LD_PRELOAD=$LIB"
	attempt env LD_PRELOAD=libm.so.6 "$RUN" -d "$GOOD" "$RUN" env
	expect_var "LD_PRELOAD=libm.so.6:$LIB"
	attempt env LD_PRELOAD="$LIB.old" "$RUN" -d "$GOOD" env
	expect_var "LD_PRELOAD=$LIB.old:$LIB"
	attempt env LD_PRELOAD="$LIB libm.so.6" "$RUN" -d "$GOOD" env
	expect_var "LD_PRELOAD=$LIB libm.so.6"
}

test_library_path_with_a_blank_or_colon() {
	local name
	for name in 'with blank' 'with:colon' $'with\ttab'; do
		mkdir "$T/$name"
		cp "$RUN" "$LIB" "$T/$name/"
		refuses 'cannot be preloaded; move' -- "$T/$name/mtls-run" -d "$GOOD" true
	done
}

test_library_found_where_installed() {
	mkdir -p "$T/usr/bin" "$T/usr/lib/mtls-run"
	cp "$RUN" "$T/usr/bin/"
	refuses 'libmtls-run.so: ' -- "$T/usr/bin/mtls-run" -d "$GOOD" true
	cp "$LIB" "$T/usr/lib/"
	attempt "$T/usr/bin/mtls-run" -d "$GOOD" env
	expect_var "LD_PRELOAD=$T/usr/lib/libmtls-run.so"
	cp "$LIB" "$T/usr/lib/mtls-run/"
	ln -s usr/bin/mtls-run "$T/link"
	attempt "$T/link" -d "$GOOD" env
	expect_var "LD_PRELOAD=$T/usr/lib/mtls-run/libmtls-run.so"
	echo rubbish >"$T/usr/lib/mtls-run/libmtls-run.so"
	refuses 'not a library' -- "$T/link" -d "$GOOD" true
}

# --- settings and credential ----------------------------------------------------------

test_bad_settings() {
	local setting began
	mkdir "$T/device"
	cp "$GOOD"/* "$T/device/"
	began=$(ms_now)
	for setting in MTLS_HOSTS=a..b MTLS_HOSTS= MTLS_ISSUER=maybe MTLS_ONLY_IF=x MTLS_PHA=x; do
		refuses "${setting%%=*}: " -- env "$setting" "$RUN" -q -d "$GOOD" true
	done
	[ $(($(ms_now) - began)) -lt 3000 ] || fail "did not refuse at once"
	refuses 'MTLS_LOG: ' -- env MTLS_LOG=x "$RUN" -d "$GOOD" true
	echo 'hsts = a' >"$T/device/mtls.conf"
	refuses "$T/device/mtls.conf, line 1: " -- "$RUN" -d "$T/device" true
}

test_absent_runs_with_one_warning() {
	local config=$T/config
	attempt env CREDENTIALS_DIRECTORY="$T/none" XDG_CONFIG_HOME="$config" "$RUN" sh -c 'exit 7'
	[ ! -e /etc/mtls/client_cert.pem ] || skip "this machine has a credential in /etc/mtls"
	expect_rc 7
	expect_one_line
	expect_text "$T/err" "$T/none"
	expect_text "$T/err" "$config/mtls"
	expect_text "$T/err" /etc/mtls
	unwarned "$RUN" -q sh -c 'exit 7'
	unwarned env MTLS_LOG=off "$RUN" sh -c 'exit 7'
	mkdir "$T/empty"
	warns "$T/empty: " -- "$RUN" -d "$T/empty" sh -c 'exit 7'
}

test_removed_runs_with_one_warning() {
	mkdir "$T/device"
	: >"$T/device/client_cert.pem"
	echo ' ' >"$T/device/private_key.pem"
	warns removed -- "$RUN" -d "$T/device" sh -c 'exit 7'
	echo 'log = off' >"$T/device/mtls.conf"
	unwarned "$RUN" -d "$T/device" sh -c 'exit 7'
}

test_broken_refuses_after_a_second() {
	local began took
	mkdir "$T/device"
	cp "$GOOD/client_cert.pem" "$T/device/"
	began=$(ms_now)
	refuses "$T/device/private_key.pem: " -- "$RUN" -q -d "$T/device" true
	took=$(($(ms_now) - began))
	[ $took -ge 1000 ] || fail "gave up after $took ms"
	refuses /nope: -- "$RUN" -d /nope true
	refuses "$T/device/nope: " -- "$RUN" -c "$GOOD/client_cert.pem" -k "$T/device/nope" true
}

test_broken_that_is_mended_meanwhile() {
	mkdir "$T/device"
	cp "$GOOD/client_cert.pem" "$T/device/"
	{ sleep 0.3; cp "$GOOD/private_key.pem" "$T/device/"; } &
	attempt "$RUN" -d "$T/device" true
	expect_rc 0
	expect_silence
	own_copy "[ ! -e $T/tried ] || exit 0" ": >$T/tried" 'echo "x: half written"' 'exit 2'
	attempt "$own" -d "$GOOD" true
	expect_rc 0
	expect_silence
}

test_with_an_agent_no_key_is_needed() {
	mkdir "$T/device"
	cp "$GOOD/client_cert.pem" "$T/device/"
	attempt env MTLS_AGENT="$T/sock" "$RUN" -d "$T/device" env
	expect_rc 0
	expect_silence
	expect_var "MTLS_AGENT=$T/sock"
}

# --- the deep check ---------------------------------------------------------------------

test_deep_verdicts() {
	own_copy 'echo "warning: expires soon"' 'echo "chatter"' 'exit 1'
	warns 'mtls-run: warning: expires soon' -- "$own" -d "$GOOD" sh -c 'exit 7'
	unwarned "$own" -q -d "$GOOD" sh -c 'exit 7'
	fake_cred "$T/bin" 'echo "mtls-cred: F: does not fit; mend it"' 'echo "more"' 'exit 2'
	refuses 'mtls-run: F: does not fit; mend it' -- "$own" -q -d "$GOOD" true
	fake_cred "$T/bin" 'echo noise >&2' 'exit 0'
	unwarned "$own" -v -d "$GOOD" sh -c 'exit 7'
}

test_the_real_mtls_cred() {
	attempt "$REAL_RUN" -q -d "$GOOD" true
	expect_rc 0
	expect_silence
	mkdir "$T/device"
	cp "$GOOD/client_cert.pem" "$T/device/"
	cp "$PKI/app-own/private_key.pem" "$T/device/"
	refuses 'do not belong together; ' -- "$REAL_RUN" -q -d "$T/device" true
}

# The line of a 125 stands alone, whatever there is to warn of.
test_a_refusal_is_one_line() {
	own_copy 'echo "warning: expires soon"' 'exit 1'
	refuses --strict -- "$own" -v --strict -d "$GOOD" env -i "$W/dynamic"
}

test_deep_check_impossible_is_one_info_line() {
	local how
	own_copy
	for how in '' 'kill -KILL $$' 'exit 127' 'exit 64' 'echo "ld.so: version not found" >&2; exit 1'; do
		[ -z "$how" ] || fake_cred "$T/bin" "$how"
		warns 'only the structure' -- "$own" -v -d "$GOOD" sh -c 'exit 7'
		unwarned "$own" -d "$GOOD" sh -c 'exit 7'
	done
}

test_deep_check_that_hangs_is_given_up() {
	own_copy 'exec sleep 60'
	warns 'only the structure' -- "$own" -v -d "$GOOD" sh -c 'exit 7'
}

# It sees what the program will see, but is not shimmed itself.
test_deep_check_environment() {
	own_copy "env >$T/seen; echo \"\$@\" >$T/arguments"
	attempt env LD_PRELOAD=libm.so.6 "$own" -d "$GOOD" --issuer match true
	expect_rc 0
	cp "$T/seen" "$T/out"
	expect_var "MTLS_DIR=$GOOD"
	expect_var MTLS_ISSUER=match
	expect_no_var LD_PRELOAD
	[ "$(cat "$T/arguments")" = check ] || fail "$(cat "$T/arguments")"
}

# --- finding the program ------------------------------------------------------------------

test_path_lookup() {
	mkdir "$T/a" "$T/b"
	printf '#!/bin/sh\nexit 7\n' >"$T/b/prog"
	cp "$T/b/prog" "$T/a/prog"
	chmod 755 "$T/b/prog"
	unwarned env PATH="/nope:$T/a:$T/b:/usr/bin" "$RUN" -d "$GOOD" prog
	unwarned "$RUN" -d "$GOOD" b/prog
	cd "$T/b"
	unwarned env PATH=/usr/bin: "$RUN" -d "$GOOD" prog
	attempt env -u PATH "$RUN" -d "$GOOD" echo found
	expect_text "$T/out" found
}

test_control_bytes_make_no_second_line() {
	attempt "$RUN" -d "$GOOD" $'no\nsuch\e[31m'
	expect_rc 127
	expect_one_line
	refuses -- "$RUN" -d $'/no\nsuch' true
	refuses -- "$RUN" $'--no\nsuch' true
}
