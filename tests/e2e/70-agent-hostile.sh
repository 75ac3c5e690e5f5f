# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Hostile programs of users who are allowed, and of some who are not: thousands of connections, silence, questions that
# nobody waits for. A program of another user is served meanwhile within its deadlines, which are host/agent.c's.

setup() {
	. "$TOP/tests/e2e/agent.sh"
}

# With a low priority: it is the agent that is tested, not who gets the processor. No test waits for this: the runner ends them, or the end of their standard input does.
crowd() {
	local user=$1 fd
	shift
	exec {fd}< <(as "$user" nice -n 19 ./ask "$T/$socket" cert.pem "$@" <"$W/life")
	read -rt 20 -u "$fd" word || fail "$user holds nothing"
	[ "$word" = holding ]
}

# A machine that is busy with other things may make one round slow, never the agent three of them.
served() {
	served_once "$@" || served_once "$@" || served_once "$@" || fail "not served: $(sort answer | uniq -c)"
}

served_once() {
	is_answered_to nobody signed "$@" --count 200 && is_answered_to nobody signed "$@" --op probe --count 50 &&
		is_answered signed "$@" --count 50
}

bounded() {
	local kilobytes
	[ "$(find "/proc/$agent/fd" -mindepth 1 | wc -l)" -lt 600 ] || fail "too many descriptors"
	kilobytes=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$agent/status")
	[ "$kilobytes" -lt 65536 ] || fail "$kilobytes kB"
}

test_silent_connections() {
	as_users
	start -d "$cred" --socket s --allow bin --allow nobody
	crowd bin --hold 1000
	served
	bounded
	expect_text log 'user 2 holds'
	no_text log 'user 65534 holds'
}

test_connections_of_its_own_user() {
	as_users
	start -d "$cred" --socket s --allow nobody
	exec {fd}< <(nice -n 19 ./ask "$T/s" cert.pem --hold 1000 <"$W/life")
	read -rt 20 -u "$fd" word
	served
}

test_users_who_are_turned_away() {
	as_users
	start -d "$cred" --socket s --allow nobody
	crowd bin --hold 1000
	served
	asked_by bin denied
	[ "$(grep -c 'is not served' log)" -le 20 ] || fail "$(grep -c 'is not served' log) lines"
	finish
	expect_text log 'more like it were not said: users turned away'
}

test_questions_without_end() {
	as_users
	ask_cert=$PKI/device-rsa/client_cert.pem
	cp "$ask_cert" cert.pem
	start -d "$PKI/device-rsa" --socket s --allow bin --allow nobody
	crowd bin --flood 1000 --scheme 0804
	served --scheme 0804
	bounded
}

# Both kinds at once, of two users.
test_all_at_once() {
	as_users
	start -d "$cred" --socket s --allow bin --allow daemon --allow nobody
	crowd bin --hold 600
	crowd daemon --flood 600
	served
	bounded
}

# A scheme that this very key does not make (512 bits are too few for PSS with SHA-512) is no key that failed.
test_scheme_beyond_the_key() {
	mkdir small
	openssl req -x509 -newkey rsa:512 -nodes -keyout small/private_key.pem -out small/client_cert.pem -subj /CN=small \
		-sha256 2>openssl.log || skip "openssl makes no such key"
	start -d small --socket s
	ask_cert=$T/small/client_cert.pem
	asked not-tls --scheme 0806
	asked signed --op probe
	asked signed --scheme 0401 --tls 1.2
}

test_silence_is_not_waited_for() {
	start -d "$cred" --socket s
	"$ASK" "$T/s" "$ask_cert" --hold 3 <"$W/life" >held &
	until_true 5 grep -q 'asked nothing within 1 s' log
	asked signed
}

# As many programs as there may be on a machine, all of one user: nobody is given up.
test_two_hundred_programs() {
	local i pids=()
	start -d "$cred" --socket s
	for ((i = 0; i < 200; i++)); do
		"$ASK" "$T/s" "$ask_cert" --count 5 >"answer.$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "one of them was not served: $(sort answer.* | uniq -c)"
	done
	[ "$(sort -u answer.*)" = signed ] || fail "$(sort answer.* | uniq -c)"
	no_text log 'given up'
}

test_few_descriptors() {
	as_users
	prlimit --nofile=64 "$AGENT" -d "$cred" --socket s --allow bin --allow nobody 2>log &
	agent=$!
	started
	crowd bin --hold 300
	served
}
