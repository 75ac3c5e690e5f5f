# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# GnuTLS programs with a certificate, a retrieve function or a handshake hook of their own, with other kinds of
# credentials, and what programs do to credentials and sessions that have presented: their choice wins, ours comes
# only where they make none, and what they see (return values, errno, calls, getters) is what they see without us.

parallel=2

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	own=("$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem")
	cat >"$W/plugin.c" <<-'C'
		#include "tests/probes/gnutls_probe.h"
		void plugin_run(const char *port);
		void plugin_run(const char *port)
		{
			gnutls_certificate_credentials_t cred = credentials_new();
			talk_to(cred, port);
			gnutls_certificate_free_credentials(cred);
		}
	C
	"${CC:-cc}" "-I$TOP" -D_GNU_SOURCE -shared -fPIC -o "$W/plugin.so" "$W/plugin.c" -lgnutls
}

ask_both() {
	server_start ask12 --request optional --no-tickets --tls 1.2
	server_start ask13 --request optional --no-tickets --tls 1.3
}

own() {
	"${via[@]}" "$probes/gnutls_own" "$1" "$port" "${own[@]}" "$PKI/ca.pem"
}

reuse() {
	"${via[@]}" "$probes/gnutls_reuse" "$1" "$port" "${own[@]}" "$cred"
}

# decisions N: so many lines, whatever else is said
decisions() {
	local n
	n=$(grep -cE ' (presented|withheld) ' log 2>/dev/null || true)
	[ "${n:-0}" = "$1" ] || fail "expected $1 decisions: $(cat log)"
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

# Of chooses and leaves.
versions=(12 13)

# chooses SCENARIO: its certificate arrives
chooses() {
	local version host=127.0.0.1
	[[ $1 != *+verify ]] || host=localhost
	for version in "${versions[@]}"; do
		rm -f log
		server_use ask$version
		same "$1"
		expect_text out "subject: CN=app-own"
		expect_seen subject=CN=app-own
		expect_seen subject=CN=app-own chain=2 result=ok
		decisions 1
		words reason=app-certificate host=$host "port=$port"
	done
}

# leaves SCENARIO: it chooses none, so ours arrives and that is the only difference
leaves() {
	local version
	for version in "${versions[@]}"; do
		rm -f log
		server_use ask$version
		attempt plain own "$1"
		mv out without
		expect_rc 0
		expect_seen subject= asked=yes result=ok
		attempt bare own "$1"
		expect_rc 0
		sed -i 's/^subject: $/subject: CN=device/' without
		cmp -s out without || fail "$1: $(diff without out | tr '\n' ' ')"
		expect_seen subject=CN=device chain=2 verify=ok result=ok
		decisions 1
		words reason=presented subject=CN=device
	done
}

# sends_none SCENARIO RESULT: it chooses, and what comes of that is nothing
sends_none() {
	local version
	for version in 12 13; do
		server_use ask$version
		same "$1"
		expect_seen subject= "result=$2"
		expect_seen subject= "result=$2"
	done
}

# --- certificate and retrieve functions --------------------------------------------------

test_certificate() {
	ask_both
	chooses cert
	leaves none
}

# Which of the three is set, it is the program's: its certificate, its none, its failure.
retrieve_function() {
	ask_both
	chooses "v$1=s"
	chooses "late-v$1=s"
	leaves "v$1=n"
	leaves "late-v$1=n"
	sends_none "v$1=f" failed
	expect_text out handshake=GNUTLS_E_USER_ERROR
}

test_retrieve_function_1() { retrieve_function 1; }
test_retrieve_function_2() { retrieve_function 2; }
test_retrieve_function_3() { retrieve_function 3; }

# The last one set is asked, and none of those before it.
test_retrieve_functions_replaced() {
	ask_both
	chooses v1=f+v2=s
	chooses v1=n+v2=n+v3=s
	leaves v1=s+v3=n
	leaves v1=s+late-v2=n
}

# GnuTLS knows one function: NULL by any of the three setters takes it off.
test_retrieve_function_taken_off() {
	local kind off
	ask_both
	for kind in 1 2 3; do
		for off in 1 2 3; do
			leaves "v$kind=s+unset$off"
		done
		chooses "cert+v$kind=f+unset$kind"
	done
}

# A function hides the certificate in the credentials from GnuTLS itself; that it has none to give is a choice.
test_certificate_behind_a_function() {
	ask_both
	chooses cert+v2=s
	sends_none cert+v2=n ok
	sends_none cert+v3=f failed
}

# What the program puts into the credentials in the midst of a handshake counts until GnuTLS chooses. Its verify
# function is called before that in TLS 1.2, and after it in TLS 1.3.
test_certificate_in_the_handshake() {
	local versions=(12 13)
	ask_both
	chooses request-hook
	versions=(12)
	chooses verify-cert
	versions=(13)
	leaves verify-cert
	# Where we cannot see the request come it is too late to step back: nothing is sent then, not even ours.
	server_use ask12
	rm -f log
	nothing_sent bare own ccs-hook+verify-cert
	decisions 1
	words reason=app-certificate
}

# For a removed credential the program's choice is still its own, and nothing is put in its place.
test_own_without_credential() {
	local cred=$T/empty
	mkdir "$cred"
	: >"$cred/client_cert.pem"
	: >"$cred/private_key.pem"
	ask_both
	chooses cert
	chooses v3=s
	sends_none none ok
	words reason=removed
	sends_none v1=n ok
	words reason=removed
}

# A session that has no certificate credentials cannot be given any: it fails as it does without us.
test_no_credentials() {
	ask_both
	sends_none no-credentials failed
	[ ! -e log ] || decisions 0
}

# --- handshake hooks of the program's own ----------------------------------------------------

# The same messages in the same order with the same arguments, also where we watch the handshake too.
test_handshake_hook() {
	local setting
	ask_both
	for setting in MTLS_LOG=info MTLS_LOG=debug MTLS_ONLY_IF=verified; do
		export "${setting?}"
		chooses cert+any-hook
		chooses cert+finished-hook
		chooses cert+ccs-hook
		chooses cert+any-hook+verify
		chooses cert+no-hook
		leaves no-hook+verify
		leaves finished-hook+verify
		# GnuTLS gives ChangeCipherSpec to no hook but one that asks for it alone: ours has to wait, or we to withhold
		[ $setting = MTLS_ONLY_IF=verified ] || leaves ccs-hook+verify
		sends_none failing-hook failed
		expect_text out calls=0,0,0,1
	done
}

# A hook that takes our place in the midst of a handshake takes the watch with it: then nothing unverified may leave.
test_handshake_hook_swapped() {
	local versions=(13) message
	ask_both
	for message in 13 11; do # the request; the server's certificate, when ours is chosen
		leaves swap-hook=$message
	done
	rm -f log
	MTLS_ONLY_IF=verified nothing_sent bare own swap-hook=13
	decisions 1
	words reason=server-not-verified
}

# --- credentials and sessions that are used again -----------------------------------------------

# again SUBJECT...: what the server saw of one connection after the other
again() {
	local subject
	expect_rc 0
	for subject; do
		expect_seen "subject=$subject" result=ok
	done
	expect_none
}

# in_both SCENARIO SUBJECT...: in TLS 1.2 and 1.3; without us the same but ours
in_both() {
	local version scenario=$1
	shift
	for version in 12 13; do
		server_use ask$version
		attempt plain reuse "$scenario"
		again "${@/CN=device/}"
		attempt bare reuse "$scenario"
		again "$@"
	done
}

test_adds_its_own() {
	ask_both
	in_both add CN=device CN=app-own CN=app-own
	in_both function CN=device CN=app-own CN=app-own CN=device
	in_both replace CN=device CN=app-own
	in_both two CN=device CN=app-own
}

test_removed_between() {
	local version
	ask_both
	for version in 12 13; do
		cred=$T/cred$version
		cp -r "$PKI/device" "$cred"
		server_use ask$version
		attempt bare reuse removed
		again CN=device ''
		words reason=removed
	done
}

test_get_ours() {
	ask_both
	for version in 12 13; do
		server_use ask$version
		nothing_sent plain reuse ours
		expect_text out ours=-
		presented bare reuse ours
		expect_text out ours=CN=device
	done
}

# One decision, however often GnuTLS is called; and what comes after the end fails as without us.
test_handshake_in_steps() {
	ask_both
	for version in 12 13; do
		rm -f log
		server_use ask$version
		presented bare reuse step
		expect_text out many=1
		decisions 1
		presented bare reuse bye
		expect_text out again=1
	done
}

# An address that is used again is another object: what was kept of the last one must not act.
test_1000_credentials_and_sessions() {
	server_start ask --request optional --no-tickets
	attempt bare reuse churn
	expect_rc 0
	expect_text out 'subject: CN=device wrong=0 addresses=same'
	[ "$(grep -c 'subject="CN=device"' "$seen")" = 500 ] || fail "$(grep -c 'subject="CN=device"' "$seen") of 500"
	[ "$(grep -c 'subject="CN=app-own"' "$seen")" = 500 ] || fail "$(grep -c 'subject="CN=app-own"' "$seen") of 500"
	[ "$(grep -c reason=app-certificate log)" = 500 ] || fail "of 500 the log has $(grep -c reason=app-certificate log)"
}

test_100000_credentials_unused() {
	server_start ask --request optional --no-tickets
	presented bare reuse empty
	grep -qE '^more=-?[0-9]{1,3}$' out || fail "kept: $(cat out)"
}

test_200_children() {
	server_start ask --request optional --no-tickets
	attempt bare reuse fork
	expect_rc 0
	expect_text out 'good=200 descriptors=0 zombies=0'
	[ "$(grep -c 'subject="CN=device"' "$seen")" = 201 ] || fail "$(grep -c 'subject="CN=device"' "$seen") of 201"
}

test_8_threads_one_credentials_object() {
	local how
	server_start ask --request optional --no-tickets
	for how in sni fd bio churn; do
		server_use ask
		attempt bare "$probes/gnutls_parallel" 200 $how "localhost:$port"
		expect_rc 0
		tail -n "+$((mark + 1))" "$seen" >all
		[ "$(grep -c 'subject="CN=device".* chain=2 ' all)" = 200 ] || fail "$how: $(grep -c CN=device all) of 200"
	done
}

# A function of the program's that is set while handshakes begin stays in front of ours, and ours behind it.
test_functions_set_while_handshakes_begin() {
	server_start ask --request optional --no-tickets
	attempt bare "$probes/gnutls_parallel" 1000 set "localhost:$port"
	expect_rc 0
	until_true 5 lines_of "$seen" 1000 || fail "not all arrived"
	[ "$(grep -c 'subject="CN=device"' "$seen")" = 1000 ] || fail "$(grep -c 'subject="CN=device"' "$seen") of 1000"
}

# Eight threads and two servers, of which one is listed: each decision is for its own connection.
test_8_threads_two_servers() {
	local file
	server_start listed --request optional --no-tickets
	server_start unlisted --request optional --no-tickets
	export MTLS_HOSTS="127.0.0.1:${server_port[listed]}"
	attempt bare "$probes/gnutls_parallel" 200 fd "a.test:${server_port[listed]}" "b.test:${server_port[unlisted]}"
	MTLS_HOSTS=a.test attempt bare "$probes/gnutls_parallel" 200 sni "a.test:${server_port[listed]}" "b.test:${server_port[unlisted]}"
	expect_rc 0
	for file in listed unlisted; do
		[ "$(grep -c asked=yes "${server_seen[$file]}")" = 200 ] || fail "$file: not all arrived"
	done
	[ "$(grep -c 'subject="CN=device"' "${server_seen[listed]}")" = 200 ] || fail "not all at the listed server"
	! grep -q 'subject="CN=' "${server_seen[unlisted]}" || fail "presented to the unlisted server"
}

# --- where libgnutls comes from ------------------------------------------------------------------

test_plugin_with_its_own_libgnutls() {
	server_start ask --request optional --no-tickets
	nothing_sent plain "$probes/loader" plugin "$W/plugin.so" "$port"
	presented bare "$probes/loader" plugin "$W/plugin.so" "$port"
	presented mtls "$probes/loader" plugin "$W/plugin.so" "$port"
	attempt bare "$probes/loader" reload "$W/plugin.so" "$port"
	expect_rc 0
	[ "$(grep -c 'subject="CN=device"' "$seen")" = 22 ] || fail "loaded and unloaded: $(tail -n 1 "$seen")"
}

# --- other kinds of credentials, and both sides in one process ---------------------------------------

pair() {
	"${via[@]}" "$probes/gnutls_pair" "$1" "$PKI/server.pem" "$PKI/server.key" "${own[1]}" "$cred" "$PKI/ca.pem"
}

# unchanged SCENARIO...: without us, with us, line by line; and it is what the scenario is meant to be
unchanged() {
	rm -f log
	attempt plain pair "$1"
	expect_rc 0
	mv out without
	expect_text without 'client=0 server=0'
	expect_text without "$2"
	attempt bare pair "$1"
	expect_rc 0
	cmp -s out without || fail "$1: $(diff without out | tr '\n' ' ')"
}

test_anonymous() { unchanged anonymous kx=ANON-ECDH; }

test_psk() {
	unchanged psk kx=ECDHE-PSK
	unchanged psk13 kx=ECDHE-PSK
	unchanged psk-and-x509 kx=ECDHE-PSK
	decisions 0
}

# Ours is an X.509 certificate: a session that may negotiate another type (RFC 7250) is left to the program.
test_raw_public_keys() {
	unchanged raw-own 'type=Raw Public Key raw=1 asked=1'
	unchanged raw 'saw empty 0'
	unchanged raw-server 'saw empty 0'
	# the same where another session on its credentials has presented
	attempt bare pair then-raw
	expect_rc 0
	[ "$(grep ^saw out | tr '\n' ' ')" = 'saw some 2 CN=device saw empty 0 - ' ] || fail "$(cat out)"
	decisions 1
}

# becomes SCENARIO LINE: where nothing was sent without us, ours is seen
becomes() {
	rm -f log
	attempt plain pair "$1"
	expect_rc 0
	mv out without
	expect_text without 'saw empty 0 -'
	sed -i 's/^saw empty 0 -$/saw some 2 CN=device/' without
	attempt bare pair "$1"
	expect_rc 0
	cmp -s out without || fail "$1: $(diff without out | tr '\n' ' ')"
}

test_pair() {
	becomes x509
	decisions 1
	words reason=presented subject=CN=device
}

test_datagram() {
	becomes datagram
	decisions 1
	words reason=presented subject=CN=device tls=dtls1.2
}

# The client's side of an object that a server has too: with a certificate in it that is the program's.
test_credentials_of_client_and_server() {
	unchanged shared 'saw some 1 CN=localhost'
	decisions 1
	words reason=app-certificate
	becomes shared-empty
	decisions 1 # the server's side is none
	words reason=presented
}

# Renegotiation: each request is a new decision.
test_second_handshake() {
	becomes again
	decisions 2
	becomes hello
	decisions 2
	cred=$T/cred
	cp -r "$PKI/device" "$cred"
	attempt bare pair again-removed
	expect_rc 0
	[ "$(grep ^saw out | tr '\n' ' ')" = 'saw some 2 CN=device saw empty 0 - ' ] || fail "$(cat out)"
	words reason=removed
}

# --- errno ---------------------------------------------------------------------------------------------

hooks() {
	"${via[@]}" "$probes/gnutls_hooks" "$port" "$PKI/ca.pem"
}

# Each hook in success and failure: result and errno.
test_errno_after_each_hook() {
	local name setting
	server_start ask --request optional --no-tickets
	attempt plain hooks
	expect_rc 0
	mv out without
	sed -n 's/^MTLS_HOOK[A-Z_]*([^,]*, *\(gnutls_[a-z0-9_]*\),.*/\1/p' "$TOP/shim/hooks.def" >names
	[ "$(wc -l <names)" -ge 10 ] || fail "shim/hooks.def has another form"
	while read -r name; do
		grep -q "^$name " without || fail "gnutls_hooks.c does not call $name"
	done <names
	for setting in MTLS_LOG=debug MTLS_DISABLE=1 MTLS_HOSTS=a..b "MTLS_DIR=$T/none" MTLS_HOSTS=b.test \
		MTLS_ONLY_IF=verified MTLS_PHA=on; do
		attempt bare env "$setting" "$probes/gnutls_hooks" "$port" "$PKI/ca.pem"
		expect_rc 0
		cmp -s out without || fail "$setting: $(diff without out | head -n 4 | tr '\n' ' ')"
	done
	grep -q ' hook what=gnutls_init' log || fail "the shim was not there: $(cat log)"
	grep -q 'reason=presented' log || fail "it did not act: $(cat log)"
}
