# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent and its folder: which one, what is broken at the start, and every way in which it changes later.

setup() {
	. "$TOP/tests/e2e/agent.sh"
}

test_broken_at_the_start() {
	mkdir d
	refused_start "this folder does not exist" -d nowhere
	cp "$cred/client_cert.pem" d/
	refused_start 'the private key is missing or empty' -d d
	cp "$PKI/device-other/private_key.pem" d/
	refused_start 'certificate and key do not belong together' -d d
	cp "$PKI/key/ec-pkcs8-aes-256-cbc/"*.pem d/
	refused_start 'the key is encrypted and there is no passphrase' -d d
	echo wrong >d/private_key_pass.txt
	refused_start 'the passphrase does not open the key' -d d
	chmod o+w d
	refused_start 'somebody else could replace it' -d d
	[ ! -e s ]
}

# Somebody is just writing it.
test_mended_within_a_second() {
	mkdir d
	cp "$cred/client_cert.pem" d/
	(sleep 0.3; cp "$cred/private_key.pem" d/) &
	start -d d --socket s
	asked signed
}

test_lookup() {
	mkdir -p home/.config/mtls empty
	cp "$cred"/* home/.config/mtls/
	MTLS_AGENT=$T/other HOME=$T/home start --socket s
	asked signed
	finish
	MTLS_DIR=$cred HOME=$T/empty start --socket s
	asked signed
	finish
	MTLS_DIR=$T/empty start -d "$cred" --socket s
	asked signed
}

test_passphrases() {
	mkdir own given
	cp "$PKI/key/ec-pkcs8-aes-256-cbc/"* own/
	start -d own --socket s
	asked signed
	finish
	mv own/private_key_pass.txt given/
	CREDENTIALS_DIRECTORY=$T/given start -d own --socket s
	asked signed
	finish
	echo wrong >own/private_key_pass.txt # the folder's own comes first
	CREDENTIALS_DIRECTORY=$T/given attempt "$AGENT" -d own --socket s
	expect_rc 125
	one_line err 'private_key_pass.txt: the passphrase does not open the key'
	no_text err 'open sesame'
	no_text err wrong
}

test_a_broken_change_keeps_the_key() {
	cp -r "$cred" d
	start -d d --socket s
	cp "$PKI/device-other/private_key.pem" d/new && mv d/new d/private_key.pem
	asked signed
	until_true 5 says 'the key of before stays' 1 || fail "$(cat log)"
	asked signed --count 3
	kill -HUP "$agent"
	until_true 5 says 'the key of before stays' 2
	asked signed
	cp "$PKI/device-other/client_cert.pem" d/new && mv d/new d/client_cert.pem
	asked other-key --other-key # whatever is asked, files are looked at
	until_true 5 grep -q 'signs for CN=device-other' log
	asked signed # before
	ask_cert=$PKI/device-other/client_cert.pem
	asked signed
	asked signed --op digest
}

test_rotation() {
	cp -r "$cred" d
	start -d d --socket s
	ln -s "$cred" now
	finish
	start -d now --socket s
	ln -s "$PKI/device-rsa" new && mv -T new now
	ask_cert=$PKI/device-rsa/client_cert.pem
	asked signed --scheme 0804 # at the first question
	ask_cert=$cred/client_cert.pem
	asked signed
	expect_text log '; the key of before for 10 s more'
	until_true 15 is_answered other-key
	ask_cert=$PKI/device-rsa/client_cert.pem
	asked signed --scheme 0804
	[ "$(grep -c 'signs for' log)" = 2 ] || fail "$(cat log)"
}

test_removal() {
	cp -r "$cred" d
	start -d d --socket s
	asked signed
	: >d/private_key.pem
	: >d/client_cert.pem
	until_true 5 grep -q 'the key is gone' log # while nobody asks
	asked other-key
	asked other-key --op probe
	cp "$cred"/* d/
	asked signed
	rm d/*
	until_true 5 says 'the key is gone' 2
	asked other-key
}

# With a new key just taken, that of before goes too.
test_removal_of_the_key_of_before() {
	ln -s "$cred" now
	start -d now --socket s
	ln -s "$PKI/device-p384" new && mv -T new now
	kill -HUP "$agent"
	until_true 5 says 'signs for' 2
	asked signed
	mkdir empty
	ln -s empty new && mv -T new now
	until_true 5 says 'the key is gone' 1
	asked other-key
}

test_waits_for_a_credential() {
	mkdir d
	start -d d --socket s
	expect_text log 'waits for one'
	asked other-key
	[ "$(seccomp Seccomp_filters)" = 1 ]
	cp "$cred"/* d/
	asked signed
	until_true 5 has_filters 2 || fail "the filter stays wide"
}

test_the_same_again_is_no_change() {
	cp -r "$cred" d
	start -d d --socket s
	touch d/*
	cp -r d e
	mv -T e/private_key.pem d/private_key.pem
	asked other-key --other-key
	until_true 5 old d/private_key.pem
	asked other-key --other-key
	says 'signs for' 1
}

# old FILE: its content counts as settled
old() {
	[ "$(stat -c %Z "$1")" -lt $(($(date +%s) - 2)) ]
}

# Nothing of a token's module could be loaded any more; and a PIN would be tried for nothing.
test_a_token_after_a_file_needs_a_restart() {
	cp -r "$cred" d
	start -d d --socket s
	asked signed
	echo 'handle:0x81000001' >d/new && mv d/new d/private_key.pem
	until_true 5 says 'restart mtls-agent; the key of before stays' 1 || fail "$(cat log)"
	asked signed
	no_text log MTLS_AGENT
}

test_sighup_says_nothing_new() {
	start -d "$cred" --socket s
	kill -HUP "$agent"
	until_true 5 says 'signs for CN=device' 2
	no_text log 'of before'
	asked signed
}
