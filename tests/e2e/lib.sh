# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a test file can use. `run` sources it, then the file, calls its `setup` once and
# then each test_NAME in a subshell with a deadline and a folder of its own, $T. A command
# that fails fails the test. Nothing here sleeps to wait: conditions are polled.
#
#   $PKI $T $LIB $RUN $CRED          certificates; the test's folder; the product
#   server_start NAME [OPTION...]    our server; then server_use NAME sets $port and $seen
#   s_server_start NAME [OPTION...]  openssl s_server -www; $seen is what it printed
#   plain|mtls|bare CMD...           without us; under mtls-run; under bare LD_PRELOAD; with
#                                    the credential folder $cred. CMD may be a client_NAME
#   attempt CMD...                   never fails: $rc, $T/out, $T/err
#   expect_seen KEY=VALUE...         the next line in our server's log
#   expect_none                      there is no next line
#   fail WHY, skip WHY, require CLIENT
#   as_caller CMD...                 with the caller's cache and way to the network
#   debian VERB...                   packaging/debian.sh, as that caller

cred=$PKI/device
probes=$BUILD/tests
via=()       # goes before a client's program
as_nobody=() # goes before that
rc=0
port=
seen=
mark=0
declare -A server_port server_seen

fail() {
	echo "$*" >"$T/why"
	exit 1
}

skip() {
	echo "$*" >"$T/why"
	exit 77
}

as_caller() {
	local ours
	mapfile -t ours <"$WORK/caller"
	env "${ours[@]}" "$@"
}

debian() {
	as_caller timeout 600 "$TOP/packaging/debian.sh" "$@"
}

require() {
	client_there "$1" || skip "$1 is not installed"
}

# Terminals of our own: a root that was only unpacked has no /dev/pts.
require_terminals() {
	require python3
	python3 -c 'import os; os.openpty()' 2>/dev/null || skip "there are no pseudo-terminals here"
}

# until_true SECONDS CMD...: polls
until_true() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.01
	done
}

# Servers end with us whatever happens: their standard input is a FIFO that only we hold open for writing.

server_start() {
	local name=$1 word='' fd
	shift
	: >"$T/$name.seen"
	exec {fd}< <(exec {life}>&- "$SERVER" --cert "$PKI/server.pem" --key "$PKI/server.key" --ca "$PKI/ca.pem" \
		--until-eof --log "$T/$name.seen" "$@" <"$W/life" 2>"$T/$name.err")
	read -rt 10 -u "$fd" word port || true
	exec {fd}<&-
	[ "$word" = port ] || fail "our server does not start: $(tail -n 1 "$T/$name.err")"
	server_port[$name]=$port
	server_seen[$name]=$T/$name.seen
	server_use "$name"
}

server_use() {
	port=${server_port[$1]}
	seen=${server_seen[$1]}
	mark=$(wc -l <"$seen")
}

s_server_port() {
	port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$seen")
	[ -n "$port" ]
}

s_server_start() {
	local name=$1
	shift
	seen=$T/$name.seen
	: >"$seen"
	# s_server does not end with its input while -www: $! is ended by the runner
	openssl s_server -accept 127.0.0.1:0 -www -cert "$PKI/server.pem" -key "$PKI/server.key" -CAfile "$PKI/ca.pem" \
		"$@" <"$W/life" >>"$seen" 2>&1 {life}>&- &
	until_true 10 s_server_port || fail "s_server does not start: $(tail -n 1 "$seen")"
	server_port[$name]=$port
	server_seen[$name]=$seen
}

through() {
	if declare -F "$1" >/dev/null; then
		"$@"
	else
		"${via[@]}" "$@"
	fi
}

plain() {
	local via=()
	through "$@"
}

mtls() {
	local via=("${as_nobody[@]}" "$RUN" -d "$cred" --)
	through "$@"
}

bare() {
	local via=("${as_nobody[@]}" env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB")
	through "$@"
}

attempt() {
	rc=0
	"$@" >"$T/out" 2>"$T/err" || rc=$?
}

lines_of() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# value_of KEY LINE: of a logfmt line, without its quotes; fails where there is no such key
value_of() {
	[[ " $2 " =~ \ $1=(\"([^\"]*)\"|([^\" ]*))\  ]] || return 1
	printf '%s' "${BASH_REMATCH[2]}${BASH_REMATCH[3]}"
}

# expect_line LINE KEY=VALUE...
expect_line() {
	local line=$1 pair value
	shift
	for pair in "$@"; do
		value=$(value_of "${pair%%=*}" "$line") || fail "no ${pair%%=*} in: $line"
		[ "$value" = "${pair#*=}" ] || fail "expected $pair in: $line"
	done
}

expect_seen() {
	mark=$((mark + 1))
	until_true 5 lines_of "$seen" $mark || fail "the server saw no connection; expected $*"
	expect_line "$(sed -n "${mark}p" "$seen")" "$@"
}

expect_none() {
	[ "$(wc -l <"$seen")" = "$mark" ] || fail "the server saw another connection: $(tail -n 1 "$seen")"
}

expect_rc() {
	[ "$rc" = "$1" ] || fail "exit $rc, expected $1; $(tail -n 1 "$T/err")"
}

# words KEY...: the last line of the test's log
words() {
	expect_line "$(tail -n 1 log)" "$@"
}

# expect_text FILE TEXT
expect_text() {
	grep -qF -e "$2" "$1" || fail "expected \"$2\" in $(basename "$1"): $(head -c 300 "$1")"
}

# one_line FILE TEXT: $line is all of it, has TEXT and no control byte
one_line() {
	local lines
	mapfile -t lines <"$T/$1"
	line=${lines[0]-}
	[[ ${#lines[@]} = 1 && $line != *[[:cntrl:]]* ]] || fail "expected one line in $1: $(cat -v "$T/$1")"
	[[ $line == *"$2"* ]] || fail "expected \"$2\": $line"
}

# presented CMD...: works, and the server got subject ($subject), leaf and intermediate
presented() {
	attempt "$@"
	expect_rc 0
	expect_seen "subject=${subject-CN=device}" chain=2 verify=ok result=ok
}

# refused CMD...: the twin; the server asked, got nothing and said so, and the program knows
refused() {
	attempt "$@"
	[ "$rc" != 0 ] || fail "worked without a certificate"
	expect_seen subject= chain=0 asked=yes result=refused
}

# nothing_sent CMD...: works, and nothing arrived
nothing_sent() {
	attempt "$@"
	expect_rc 0
	expect_seen subject= chain=0 result=ok
}
