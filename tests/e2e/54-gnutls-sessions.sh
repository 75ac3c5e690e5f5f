# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# GnuTLS programs that keep sessions: what a server has once asked for is offered again only while the answer would be
# the same; and requests after the handshake, which the program offers, or we for it. Judged at the server, which sees
# whom a resumed session belongs to.

parallel=2
kinds=(id12 ticket12 ticket13)

setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
}

# Each test has a folder of its own that its program changes.
own_cred() {
	cred=$T/cred
	cp -r "$PKI/device" "$cred"
}

session() {
	"${via[@]}" "$probes/gnutls_session" "$port" "$cred" "$@"
}

# saw RESUMED SUBJECT: of the next connection
saw() {
	expect_seen "resumed=$1" "subject=$2" result=ok
}

# told WORD...: the reason of each decision
told() {
	local words
	words=$(sed -n 's/.* \(presented\|withheld\) reason=\([^ ]*\) .*/\2/p' log 2>/dev/null | tr '\n' ' ')
	[ "${words% }" = "$*" ] || fail "expected \"$*\" in the log: $(cat log)"
	rm -f log
}

# for_each WORD...: in a process of its own for each kind of session
for_each() {
	attempt bare session "$kind" "$@"
	expect_rc 0
}

# --- sessions ------------------------------------------------------------------------------

# The twin of all others: nothing has changed, so it is resumed, with what the server knew, and again from there.
test_unchanged() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each go resume renew resume
		saw no CN=device
		saw yes CN=device
		saw yes CN=device
		saw yes CN=device
		told presented
		for_each open ask save1 close resume
		saw no CN=device
		saw yes CN=device
		told presented
	done
}

# What the server learned of the old certificate must not come back.
test_rotated() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go "put=$PKI/device-p384" resume renew resume
		saw no CN=device
		saw no CN=device-p384
		saw no CN=device-p384
		saw yes CN=device-p384
		told presented presented presented
	done
}

# What a resumed session's data rest on is what the first one's did.
test_rotated_after_renewal() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go renew resume "put=$PKI/device-p384" resume
		saw no CN=device
		saw yes CN=device
		saw yes CN=device
		saw no CN=device-p384
	done
}

test_removed() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go empty resume renew resume "put=$PKI/device" resume
		saw no CN=device
		saw no ''
		saw no ''
		saw yes ''
		saw no CN=device
		told presented removed removed presented
	done
}

# Between the setting of the data and the handshake.
test_changed_in_between() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go set "put=$PKI/device-p384" then ask close
		saw no CN=device
		saw no CN=device-p384
		for_each "put=$PKI/device" go set empty then ask close
		saw no CN=device
		saw no ''
		# the twin
		for_each "put=$PKI/device" go set then ask close
		saw no CN=device
		saw yes CN=device
	done
}

# A ticket that comes on a connection made before the change, and data of such a one.
test_ticket_after_the_change() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" open "put=$PKI/device-p384" ask save close resume
		saw no CN=device
		saw no CN=device-p384
		for_each "put=$PKI/device" open empty save ask close resume
		saw no CN=device
		saw no ''
	done
}

# A server that never asked learned nothing.
test_never_asked() {
	own_cred
	server_start silent --request none
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go "put=$PKI/device-p384" resume set empty then ask close
		saw no ''
		saw yes ''
		saw yes ''
		told
	done
}

# Another process does not know what its session rests on.
test_restored() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each go write=data
		for_each read=data resume renew resume
		saw no CN=device
		saw no CN=device
		saw no CN=device
		saw yes CN=device
	done
	server_start silent --request none
	kind=ticket13
	for_each go write=data
	for_each read=data resume
	saw no ''
	saw no ''
}

# Where there never was a credential, all is as without us; without us, the old identity comes back.
test_no_credential() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each go write=data
		saw no CN=device
		mkdir nothing
		cred=$T/nothing for_each read=data resume go resume
		saw yes CN=device
		saw no ''
		saw yes ''
		rmdir nothing
		attempt plain session $kind read=data resume
		expect_rc 0
		saw yes CN=device
	done
}

# The program's own certificate is the program's affair; ours that a session has is not, once the program has its own.
test_own_certificate() {
	own_cred
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" "own=$PKI/app-own" go "put=$PKI/device-p384" resume empty resume
		saw no CN=app-own
		saw yes CN=app-own
		saw yes CN=app-own
		for_each "put=$PKI/device" go "own=$PKI/app-own" resume
		saw no CN=device
		saw no CN=app-own
		for_each go set "own=$PKI/app-own" then ask close
		saw no CN=device
		saw no CN=app-own
	done
}

# Policy, not the credential: nothing to resume where another decision would be made is tested by its word.
test_policy_withholds() {
	own_cred
	export MTLS_HOSTS=10.0.0.1
	server_start ask --request optional
	for kind in "${kinds[@]}"; do
		for_each "put=$PKI/device" go resume "put=$PKI/device-p384" resume
		saw no ''
		saw yes ''
		saw no ''
		told host-not-listed host-not-listed
	done
}

# Programs that may send early data need theirs at once.
test_early_data() {
	own_cred
	kind=ticket13
	server_start ask --request optional
	for_each early go resume "put=$PKI/device-p384" resume
	saw no CN=device
	saw yes CN=device
	saw no CN=device-p384
	# so for them nothing can be taken back between this and the handshake
	for_each early "put=$PKI/device" go set "put=$PKI/device-p384" then ask close
	saw no CN=device
	saw yes CN=device
}

# One session's data on many connections at once.
test_many() {
	local i
	own_cred
	kind=ticket12
	server_start ask --request optional
	for_each go many
	expect_text out good=64
	saw no CN=device
	for i in {1..64}; do saw yes CN=device; done
	for_each go empty many
	expect_text out good=64
	saw no CN=device
	for i in {1..64}; do saw no ''; done
}

# What is no session is no error for us to make, and none to crash on.
test_garbage() {
	own_cred
	kind=ticket13
	server_start ask --request optional
	for_each go garbage resume
	saw no CN=device
	saw no CN=device
	cred=$T/nothing
	mkdir nothing
	for_each go garbage resume
	expect_text out set=GNUTLS_E_
	saw no ''
	saw no ''
}

# --- after the handshake ---------------------------------------------------------------------

# pha SETTING WORDS SEEN: a server that asks after the handshake, and what it then saw
pha() {
	attempt bare env "MTLS_PHA=$1" "$probes/gnutls_session" "$port" "$cred" $2
	expect_rc 0
	expect_seen "pha=$3"
}

test_pha_settings() {
	own_cred
	server_start late --request optional --pha --tls 1.3
	pha auto 'offer go' presented
	pha auto go not-offered
	pha on 'offer go' presented
	pha on go presented
	pha on 'auto go' presented
	pha off 'offer go' presented
	pha off go not-offered
	told presented presented presented presented presented
	attempt plain session go
	expect_rc 0
	expect_seen pha=not-offered
}

# Offered only where there is something to present.
test_pha_without_credential() {
	own_cred
	: >"$cred/client_cert.pem"
	: >"$cred/private_key.pem"
	server_start late --request optional --pha --tls 1.3
	pha on go not-offered
	pha on 'offer go' empty
	told removed
	pha on "put=$PKI/device go" presented
}

test_pha_http2() {
	own_cred
	server_start late --request optional --pha --tls 1.3 --alpn h2
	pha auto 'offer h2 go' empty
	pha on 'h2 go' empty
	pha on 'offer h2 go' empty
	told http2 http2 http2
}

# Each request is a decision of its own.
test_pha_thrice() {
	own_cred
	server_start late --request optional --pha-times 3 --tls 1.3
	pha auto 'offer open ask ask empty ask close' presented,presented,empty
	told presented presented removed
	pha on "put=$PKI/device open ask ask empty ask close" presented,presented,empty
	told presented presented removed
	pha on "put=$PKI/device open ask put=$PKI/device-p384 ask ask close" presented,presented,presented
	expect_line "$(tail -n 1 "$seen")" subject=CN=device-p384
}

# The program's own certificate, where the program or we have offered.
test_pha_own_certificate() {
	own_cred
	server_start late --request optional --pha --tls 1.3
	pha auto "own=$PKI/app-own offer go" presented
	expect_line "$(tail -n 1 "$seen")" subject=CN=app-own
	pha on "own=$PKI/app-own go" presented
	expect_line "$(tail -n 1 "$seen")" subject=CN=app-own
	told app-certificate app-certificate
}

# Data saved before the request and after it, used when the credential has changed.
test_pha_sessions() {
	local offer
	own_cred
	kind=ticket13
	server_start late --request optional --pha --tls 1.3
	export MTLS_PHA=on
	for offer in offer ticket13; do # the program, or we
		for_each "put=$PKI/device" "$offer" open ask save close resume "put=$PKI/device-p384" resume
		saw no CN=device
		saw yes CN=device
		saw no CN=device-p384
		for_each "put=$PKI/device" "$offer" open save ask close "put=$PKI/device-p384" resume
		saw no CN=device
		saw no CN=device-p384
		for_each "put=$PKI/device" "$offer" open save ask close resume
		saw no CN=device
		saw yes CN=device
	done
}

# Two decisions on one connection: what it rests on is neither.
test_pha_two_decisions() {
	own_cred
	kind=ticket13
	server_start late --request optional --pha-times 2 --tls 1.3
	for_each offer open ask empty ask save close
	expect_seen pha=presented,empty
	for_each "put=$PKI/device" offer open ask empty ask save close open ask ask close set then ask ask close
	expect_seen pha=presented,empty
	expect_seen resumed=no pha=empty,empty
	expect_seen resumed=no pha=empty,empty
}

# GnuTLS passes over a request that comes while it waits for a ticket; we do not.
test_pha_while_waiting_for_a_ticket() {
	own_cred
	server_start late --request optional --pha --tls 1.3 --no-tickets
	pha on 'open send save answer close' presented
}

# duplex HOW SERVER: both directions at once, 60 requests meanwhile; every byte is checked by both
duplex() {
	attempt bare env MTLS_PHA=on "$probes/gnutls_duplex" "$1" "$2" 3 60 "$PKI/server.pem" "$PKI/server.key"
	expect_rc 0
	expect_text out 'client in=1 wrong=0 out=1'
	expect_text out 'server in=1 wrong=0 out=1 certificates=60 answers=60'
}

test_pha_two_threads() { duplex threads loop; }
test_pha_two_threads_rude_server() { duplex threads rude; }
test_pha_two_threads_own_transport() { duplex own loop; }
test_pha_not_blocking() { duplex loop loop; }
test_pha_not_blocking_rude_server() { duplex loop rude; }
test_pha_in_turns() { duplex turns loop; }
