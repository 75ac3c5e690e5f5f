# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs with a certificate or callbacks of their own, and what programs do to connections
# that have presented: their choice wins, ours comes only where they make none, and what they
# see of libssl (return values, errors, calls, getters) is what they see without us.

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	server_start ask --request optional --no-tickets
	server_start pha --request optional --no-tickets --pha-times 2
	# of the type of ours, and of another
	own=("$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem")
	rsa=("$PKI/device-rsa/client_cert.pem" "$PKI/device-rsa/private_key.pem")
}

own() {
	"${via[@]}" "$probes/own" "$1" "$port" "${own[@]}"
}

reuse() {
	"${via[@]}" "$probes/reuse" "$@"
}

# same SCENARIO: the program chooses, so nothing at all is different
same() {
	attempt plain own "$1"
	mv out without
	expect_rc 0
	attempt bare own "$1"
	expect_rc 0
	cmp -s out without || fail "$1: $(diff without out | tr '\n' ' ')"
}

# chooses SCENARIO: its certificate arrives
chooses() {
	rm -f log
	server_use ask
	same "$1"
	expect_text out "subject: CN=app-own"
	expect_seen subject=CN=app-own
	expect_seen subject=CN=app-own result=ok
	[ "$(wc -l <log)" = 1 ] || fail "$1: $(cat log)"
	words reason=app-certificate host=127.0.0.1 "port=$port"
}

# leaves SCENARIO: it chooses none, so ours arrives and that is the only difference
leaves() {
	server_use ask
	attempt plain own "$1"
	mv out without
	expect_rc 0
	expect_seen subject= asked=yes result=ok
	attempt bare own "$1"
	expect_rc 0
	sed -i 's/^subject: $/subject: CN=device/' without
	cmp -s out without || fail "$1: $(diff without out | tr '\n' ' ')"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
	words reason=presented subject=CN=device
}

test_certificate() {
	chooses ctx-cert
	chooses ssl-cert
	chooses ctx-cert+ctx-cb=n+client-cb=n
	leaves none
}

# tcl-tls puts its CA's there: nothing can be signed with it, and libssl would send none
test_certificate_without_key() {
	server_use ask
	attempt plain own ctx-bare
	expect_rc 0
	expect_seen subject= asked=yes result=ok
	attempt bare own ctx-bare
	expect_rc 0
	expect_seen subject=CN=device chain=2 verify=ok result=ok
	words reason=presented subject=CN=device
}

test_cert_cb_of_context() {
	chooses ctx-cb=s
	leaves ctx-cb=n
}

test_cert_cb_of_connection() {
	chooses ssl-cb=s
	leaves ssl-cb=n
	leaves ctx-cb=s+ssl-cb=n # the connection's replaces the context's
}

# As in libssl: an SSL has the callback that its context had when it was made.
test_cert_cb_after_connection() {
	leaves late-cb=s
	chooses ctx-cb=s+late-cb=n
}

test_client_cert_cb() {
	chooses client-cb=s
	chooses ctx-cb=n+client-cb=s
	leaves client-cb=n
	leaves ctx-cb=n+client-cb=n
	leaves ctx-cb=e+client-cb=e # errors that its callbacks queued stay queued
}

# "Ask me again": the program gets WANT_X509_LOOKUP as often as without us.
test_retry() {
	chooses ctx-cb=rs
	chooses ssl-cb=rrs
	chooses client-cb=rs
	chooses ctx-cb=rn+client-cb=rrs
	leaves ctx-cb=rn
	leaves client-cb=rn
	leaves ctx-cb=rrn+client-cb=rn
}

# A cert_cb that says 0 ends the handshake, and we do not mend that.
test_cert_cb_fails() {
	local scenario
	for scenario in ctx-cb=f ssl-cb=f ctx-cb=rf ctx-cert+ctx-cb=f; do
		server_use ask
		same "$scenario"
		expect_text out 'connect=-1 error=1'
		expect_text out ':callback failed'
		expect_seen subject= result=failed
		expect_seen subject= result=failed
	done
	[ ! -e log ] || fail "said something: $(cat log)"
}

# A client_cert_cb that says "here" and gives nothing: the error stays, and it is no invitation.
test_client_cert_cb_lies() {
	server_use ask
	same client-cb=f
	expect_text out ':bad data returned by callback'
	expect_seen subject= result=ok
	expect_seen subject= result=ok
}

test_callbacks_taken_off() {
	leaves ctx-cb=s+client-cb=s+unset
	leaves ssl-cb=s+unset
	leaves ctx-cb=f+ssl-cb=f+unset
}

# What a program finds in OpenSSL's queue: what its callbacks have put there, and nothing of ours.
test_error_queue_after_a_decision() {
	local setting scenario
	server_use ask
	for setting in MTLS_ONLY_IF=verified MTLS_HOSTS=a.test MTLS_HOSTS=a..b MTLS_AGENT=/nonexistent "MTLS_DIR=$T"; do
		for scenario in none ctx-cb=e+client-cb=e; do
			attempt plain own $scenario
			mv out without
			attempt bare env "$setting" "$probes/own" $scenario "$port" "${own[@]}"
			expect_rc 0
			cmp -s out without || fail "$setting: $(diff without out | tr '\n' ' ')"
			expect_seen subject=
			expect_seen subject= asked=yes
		done
		expect_text out 'queue=101:own'
		expect_text out 'queue=102:own'
	done
}

# For a removed credential the program's choice is still its own, and nothing is put in its place.
test_own_without_credential() {
	local cred=$T/empty
	mkdir "$cred"
	: >"$cred/client_cert.pem"
	: >"$cred/private_key.pem"
	chooses ctx-cert
	chooses client-cb=s
	server_use ask
	same client-cb=n
	expect_seen subject=
	expect_seen subject= asked=yes
	words reason=removed
}

# --- connections that are used again ------------------------------------------------

copy() {
	cred=$T/cred
	rm -rf "$T/cred"
	cp -r "$PKI/device" "$cred"
}

# again SUBJECT...: what the server saw of one connection after the other
again() {
	local subject
	expect_rc 0
	for subject; do
		expect_seen "subject=$subject" result=ok
	done
	expect_none
}

# The policy is asked at each request: what libssl has kept from the last one does not count.
test_clear_and_use_again() {
	copy
	server_use ask
	attempt bare reuse clear "$port" "${own[@]}" "$cred"
	again CN=device CN=device ''
	words reason=removed
	for how in clear-ssl clear-ctx; do
		copy
		attempt bare reuse $how "$port" "${own[@]}" "$cred"
		again CN=device CN=device ''
		expect_text out calls=3
	done
}

test_two_post_handshake_requests() {
	copy
	server_use pha
	attempt bare reuse pha "$port" "${own[@]}" "$cred"
	expect_rc 0
	expect_seen pha=presented,empty subject= result=ok
	words reason=removed
	copy # and now what is emptied is another folder
	cred=$PKI/device
	attempt bare reuse pha "$port" "${own[@]}" "$T/cred"
	expect_rc 0
	expect_seen pha=presented,presented subject=CN=device
}

# The program's certificate, added after we presented: of our type it replaces ours, of another type libssl might still prefer ours.
test_adds_its_own() {
	server_use ask
	attempt bare reuse add "$port" "${own[@]}"
	again CN=device CN=app-own CN=app-own
	words reason=app-certificate
	[ "$(tail -n 2 "$seen" | grep -c ' chain=1 ')" = 2 ] || fail "more than its leaf: $(tail -n 2 "$seen")"
	attempt bare reuse add "$port" "${rsa[@]}"
	again CN=device CN=device-rsa CN=device-rsa
	words reason=app-certificate
	expect_line "$(tail -n 1 "$seen")" chain=1 # it added the leaf alone, and our intermediate is not its business
	cred=$PKI/device-rsa attempt bare reuse add "$port" "${own[@]}"
	again CN=device-rsa CN=app-own CN=app-own
	expect_line "$(tail -n 1 "$seen")" chain=1
	attempt plain reuse add "$port" "${rsa[@]}"
	again '' CN=device-rsa CN=device-rsa
}

# A context's certificate does not reach connections that exist, in libssl neither.
test_adds_its_own_to_the_context() {
	server_use ask
	attempt plain reuse add-ctx "$port" "${own[@]}"
	again '' ''
	attempt bare reuse add-ctx "$port" "${own[@]}"
	again CN=device CN=device
}

test_dup() {
	server_use ask
	attempt plain reuse dup "$port" "${own[@]}"
	again '' ''
	expect_text out calls=1
	attempt bare reuse dup "$port" "${own[@]}"
	again CN=device CN=device
	expect_text out calls=1
}

test_dup_after_presenting() {
	copy
	server_use ask
	attempt bare reuse dup-after "$port" "${own[@]}" "$cred"
	again CN=device CN=device CN=device ''
}

test_set_SSL_CTX() {
	server_use ask
	attempt plain reuse swap "$port" "${own[@]}"
	again CN=app-own '' ''
	mv out without
	attempt bare reuse swap "$port" "${own[@]}"
	again CN=app-own CN=device CN=device
	[ "$(tail -n 1 out)" = "$(tail -n 1 without)" ] || fail "calls: $(tail -n 1 out), without us $(tail -n 1 without)"
}

test_setters_10000_times() {
	server_use ask
	attempt bare reuse setters "$port" - -
	expect_text out more=0
	again CN=device
}

test_1000_connections_at_once() {
	server_use ask
	attempt bare reuse many "$port" - -
	again CN=device CN=device CN=device CN=device CN=device CN=device CN=device CN=device CN=device CN=device
}

# In a server our callbacks are there too and must not act.
test_client_and_server_in_one_process() {
	attempt plain reuse server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	expect_text out 'done=1' # the client's half; the server refuses
	attempt bare reuse server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
	expect_rc 0
	expect_text out 'done=2 calls=1 peer=1 verify=0'
	[ "$(grep -c 'reason=' log)" = 1 ] || fail "expected one decision: $(cat log)"
	words reason=presented
}
