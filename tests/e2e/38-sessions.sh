# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What outlives a handshake, in libssl: sessions carry no identity that is not the one of now, those whose server never
# asked are resumed as without us, and post-handshake authentication is offered as MTLS_PHA says. Asserted at the server.

setup() { sessions_setup; }

sessions_setup() {
	local version
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	for version in 1.2 1.3; do
		server_start "asks$version" --request optional --tls $version
		server_start "silent$version" --request none --tls $version
	done
	server_start id --request optional --tls 1.2 --session-ids
	server_start pha3 --request optional --tls 1.3 --pha-times 3
	server_start pha_h2 --request optional --tls 1.3 --pha --alpn h2
	theirs=$PKI/app-own/client_cert.pem:$PKI/app-own/private_key.pem
}

# A credential of the test's own, and how it changes.
copy() {
	cred=$T/cred
	rm -rf "$cred"
	cp -r "$PKI/device" "$cred"
	rotate="rm -f $cred/*pass*; cp $PKI/device-rsa/* $cred/"
	remove=": >$cred/client_cert.pem; : >$cred/private_key.pem"
}

resume() {
	"${via[@]}" "$probes/resume" "$port" "$@"
}

# saw WAY:SUBJECT...: what the client and the server say of its connections
saw() {
	local want
	expect_rc 0
	for want; do
		echo "${want%%:*} subject: ${want#*:}"
	done >want
	cmp -s out want || fail "expected $(tr '\n' ';' <want), got $(tr '\n' ';' <out)"
	tail -n "+$((mark + 1))" "$seen" |
		sed -E 's/.* subject="?([^ "]*)"?.* resumed=([a-z]*).*/\2 \1/; s/^yes/resumed/; s/^no/full/' >at_server
	sed 's/subject: //' want | cmp -s - at_server || fail "the server saw: $(tr '\n' ';' <at_server)"
}

# each way in which a session is kept
ways() {
	for way in asks1.2 id asks1.3; do
		echo "$way"
		server_use $way
		copy
		"$@"
	done
}

in_force() {
	attempt bare resume connect keep:0 offer:0 connect
	saw full:CN=device resumed:CN=device
}
test_session_same_credential() { ways in_force; }

touched() {
	rm -f log
	attempt bare resume connect keep:0 "run:$rotate" offer:0 connect keep:1 offer:1 connect
	saw full:CN=device full:CN=device-rsa resumed:CN=device-rsa
	[ "$(grep -o 'generation .* subject="[^"]*' log | sed 's/.*"//' | tr '\n' ' ')" = 'CN=device CN=device-rsa ' ] ||
		fail "the log's generations: $(grep generation log)"
	for how in write late 'do'; do
		copy
		server_use "$way"
		attempt bare resume "connect:$how" keep:0 "run:$rotate" offer:0 "connect:$how"
		saw full:CN=device full:CN=device-rsa
	done
}
test_session_rotated() { ways touched; }

gone() {
	attempt bare resume connect keep:0 "run:$remove" offer:0 connect
	saw full:CN=device full:
	copy
	server_use "$way"
	attempt bare resume connect keep:0 "run:rm $cred/*" offer:0 connect
	saw full:CN=device full:
}
test_session_removed() { ways gone; }

appeared() {
	rm -f "$cred"/*
	attempt bare resume connect keep:0 offer:0 connect keep:0 "run:cp $PKI/device/* $cred/" offer:0 connect
	saw full: resumed: full:CN=device
}
test_session_appeared() { ways appeared; }

# The last usable generation goes on over a broken one, and so do its sessions.
torn() {
	attempt bare resume connect keep:0 "run:cp $PKI/device-rsa/private_key.pem $cred/" offer:0 connect
	saw full:CN=device resumed:CN=device
}
test_session_torn() { ways torn; }

# A session of a connection from before the change, whose ticket came after it.
test_session_late_ticket() {
	copy
	server_use asks1.3
	attempt bare resume open "run:$rotate" ask close keep-new:0 offer:0 connect
	saw full:CN=device full:CN=device-rsa
}

# SSL_clear keeps the session, and nobody sets it again.
cleared() {
	attempt bare resume open ask again ask "run:$rotate" again ask close
	saw full:CN=device resumed:CN=device full:CN=device-rsa
	copy
	server_use "$way"
	attempt bare resume open ask again:late ask "run:$rotate" again:late ask close
	saw full:CN=device resumed:CN=device full:CN=device-rsa
}
test_session_cleared() { ways cleared; }

# A copy is what it was made of, also through its serialised form; what another process has written may be anybody's.
restored() {
	local how
	for how in der pem file dup; do
		copy
		server_use "$way"
		attempt bare resume connect keep:0 $how:0 offer:0 connect
		saw full:CN=device resumed:CN=device
		server_use "$way"
		attempt bare resume connect keep:0 $how:0 "run:$rotate" offer:0 connect
		saw full:CN=device full:CN=device-rsa
	done
	copy
	server_use "$way"
	attempt bare resume connect keep:0 "write:0:$T/session"
	saw full:CN=device
	server_use "$way"
	attempt bare resume "read:0:$T/session" offer:0 connect
	saw full:CN=device
}
test_session_restored() { ways restored; }

# Where there is no credential, and none was, nothing is different.
absent() {
	cred=$T/none
	mkdir -p "$cred"
	attempt bare resume connect keep:0 "write:0:$T/session" der:0 offer:0 connect
	saw full: resumed:
	server_use "$way"
	attempt bare resume "read:0:$T/session" offer:0 connect
	saw resumed:
}
test_session_absent() { ways absent; }

disabled() {
	MTLS_DISABLE=1 attempt bare resume connect keep:0 "run:$rotate" der:0 offer:0 connect
	saw full: resumed:
}
test_session_disabled() { ways disabled; }

# One of another process, and the credential came after this one had looked.
late_credential() {
	cred=$T/late
	rm -rf "$cred"
	cp -r "$PKI/device" "$cred"
	attempt bare resume connect keep:0 "write:0:$T/session"
	saw full:CN=device
	rm "$cred"/*
	server_use "$way"
	attempt bare resume "read:0:$T/session" "run:cp $PKI/device-rsa/* $cred/" offer:0 connect:write
	saw full:CN=device-rsa
}
test_session_late_credential() { ways late_credential; }

# The program's own sessions are its own affair; its certificate does not come by a session of ours.
own_certificate() {
	attempt bare resume "own:$theirs" connect keep:0 "run:$rotate" offer:0 connect
	saw full:CN=app-own resumed:CN=app-own
	server_use "$way"
	attempt bare resume "callback:$theirs" connect keep:0 "run:$rotate" offer:0 connect
	saw full:CN=app-own resumed:CN=app-own
	server_use "$way"
	attempt bare resume connect keep:0 "own:$theirs" offer:0 connect
	saw full:CN=device-rsa full:CN=app-own
}
test_session_own_certificate() { ways own_certificate; }

# A server that never asked: its sessions are as without us, whatever becomes of the credential.
test_session_never_asked() {
	local way how
	for way in silent1.2 silent1.3; do
		for how in '' :do :write :late; do
			echo "$way$how"
			copy
			server_use $way
			attempt bare resume "connect$how" keep:0 "run:$rotate" der:0 offer:0 "connect$how" keep:0 "run:$remove" offer:0 "connect$how"
			saw full: resumed: resumed:
		done
	done
}

# --- post-handshake authentication --------------------------------------------------

test_pha() {
	local setting how
	copy
	server_use pha3
	for setting in auto on; do
		for how in '' :do :write; do
			echo "$setting$how"
			server_use pha3
			MTLS_PHA=$setting attempt bare resume "open$how" ask ask close
			expect_rc 0
			expect_seen subject=CN=device pha=presented,presented result=ok
		done
	done
	server_use pha3
	MTLS_PHA=off attempt bare resume open ask close
	expect_rc 0
	expect_seen subject= result=ok
	! grep -q 'pha=presented' <(tail -n 1 "$seen") || fail "offered: $(tail -n 1 "$seen")"
}

# A torn credential: the last usable one goes on, and so does the offer. A removed one ends it, a second later.
test_pha_and_changes() {
	copy
	server_use pha3
	attempt bare resume open ask close "run:: >$cred/private_key.pem" open ask close
	expect_rc 0
	expect_seen pha=presented subject=CN=device
	attempt bare resume open ask close "run:$remove; sleep 1.1" open ask close
	expect_rc 0
	! grep -q 'pha=\(presented\|empty\)' <(tail -n 1 "$seen") || fail "offered: $(tail -n 1 "$seen")"
}

# Each request is a new decision.
test_pha_three_times() {
	copy
	server_use pha3
	attempt bare resume open ask ask "run:$remove" ask close
	expect_rc 0
	expect_seen pha=presented,presented,empty subject= result=ok
}

# Two decisions in one connection: its session could bring back either.
test_pha_session() {
	copy
	server_use pha3
	attempt bare resume open ask close keep:0 offer:0 open ask close
	expect_rc 0
	expect_text out 'resumed subject:' # in 1.1.1, whoever has the certificate, no request is answered then
	attempt bare resume open ask "run:$remove" ask close keep:0 offer:0 open ask close
	expect_rc 0
	[ "$(cut -d ' ' -f 1 out | uniq)" = full ] || fail "resumed: $(tr '\n' ';' <out)"
}

# No credential, no offer: a server that asks so finds a client as without us.
test_pha_without_credential() {
	mkdir "$T/none"
	cred=$T/none
	server_use pha3
	attempt bare resume open ask close
	expect_rc 0
	cp out with
	attempt plain resume open ask close
	cmp -s out with || fail "differs: $(cat with)"
	mark=0
	[ "$(sed -E 's/.*(pha=[a-z,]*).*/\1/' <(tail -n 2 "$seen") | uniq | wc -l)" = 1 ] || fail "differs: $(tail -n 2 "$seen")"
}

test_pha_never_over_http2() {
	server_use pha_h2
	attempt bare client_curl "$port"
	expect_seen alpn=h2 subject= pha=empty
}
