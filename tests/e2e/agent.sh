# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of mtls-agent share; a test file sources it in its setup, after lib.sh.
#
#   start OPTION...            an agent; $agent is its pid, its lines are in log
#   start_as USER OPTION...    the same as another user (as_users first), with the copy of the program
#   finish                     SIGTERM, and it must end well
#   refused_start TEXT OPTION...   exit 125, and one line with TEXT
#   asked WORD OPTION...       tests/probes/ask must print WORD; asked_by USER WORD OPTION...
#   no_text FILE TEXT
#   $socket $ask_cert          whom asked asks, and for which certificate's key

AGENT=$BUILD/mtls-agent
ASK=$BUILD/tests/ask
agent=
socket=s
ask_cert=$cred/client_cert.pem

started() {
	until_true 5 grep -qE 'signs for|waits for one|there is no key until then' log || fail "no start: $(cat log)"
}

start() {
	: >log # of an agent before
	"$AGENT" "$@" 2>log &
	agent=$!
	started
}

# with DEVICE: one that holds the key of that folder of the tests' certificates
with() {
	ask_cert=$PKI/$1/client_cert.pem
	start -d "$PKI/$1" --socket s
}

finish() {
	kill -TERM "$agent"
	wait "$agent" || fail "exit $? at SIGTERM"
}

refused_start() {
	local text=$1
	shift
	[[ " $* " == *' -d '* ]] || set -- -d "$cred" "$@"
	[[ " $* " == *' --socket '* ]] || set -- --socket s "$@"
	attempt "$AGENT" "$@"
	expect_rc 125
	one_line err "$text"
}

# no_text FILE TEXT
no_text() {
	! grep -qF -e "$2" "$1" || fail "\"$2\" in $1"
}

# says TEXT N: so many lines of the log have it
says() {
	[ "$(grep -cF -e "$1" log)" = "$2" ]
}

descriptors() {
	# shellcheck disable=SC2012
	ls "/proc/$agent/fd" | wc -l
}

# seccomp FIELD: of the agent's /proc/PID/status
seccomp() {
	sed -n "s/^$1:\t//p" "/proc/$agent/status"
}

has_filters() {
	[ "$(seccomp Seccomp_filters)" = "$1" ]
}

# is_answered WORD OPTION...
is_answered() {
	local word=$1
	shift
	"$ASK" "$T/$socket" "$ask_cert" "$@" >answer 2>&1 || true
	[ "$(cat answer)" = "$word" ]
}

asked() {
	is_answered "$@" || fail "asked $*: $(tail -n 3 answer)"
}

# --- other users ---------------------------------------------------------------------

# Tests of users need root; others must be able to look into the test's folder.
as_users() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v setpriv >/dev/null || skip "setpriv is not installed"
	chmod go+x "$WORK" "$W" "$T"
	cp "$AGENT" "$ASK" .
	cp "$ask_cert" cert.pem
	chmod go=rx mtls-agent ask
	chmod go=r cert.pem
	nobody test -r ./cert.pem || skip "another user cannot look into $T"
}

declare -gA number=([nobody]=65534 [bin]=2 [daemon]=1)

# as USER CMD...: without a shell of its own between, so that $! is the command's
as() {
	local id=${number[$1]}
	shift
	exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
}

nobody() {
	(as nobody "$@")
}

start_as() {
	local user=$1
	shift
	: >log
	as "$user" env "XDG_RUNTIME_DIR=$T/run" ./mtls-agent "$@" 2>log &
	agent=$!
	started
}

# is_answered_to USER WORD OPTION...
is_answered_to() {
	local user=$1 word=$2
	shift 2
	(as "$user" ./ask "$T/$socket" cert.pem "$@") >answer 2>&1 || true
	[ "$(sort -u answer)" = "$word" ]
}

asked_by() {
	local word=$2
	is_answered_to "$@" || fail "$* asked: $(sort answer | uniq -c), not $word"
}
