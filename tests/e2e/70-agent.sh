# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent as a process: whom it serves, its folder as it changes, its walls. Its socket is in 70-agent-socket.sh,
# hostile programs in 70-agent-hostile.sh; what programs get from it, tokens and the inbox are in 71 and up.

setup() {
	. "$TOP/tests/e2e/agent.sh"
}

# --- signatures ----------------------------------------------------------------------

test_every_scheme() {
	local scheme
	start -d "$cred" --socket s
	asked signed
	asked signed --op digest
	asked signed --op probe
	asked signed --op probe --follows digest
	for scheme in 0403 0503 0603 0303 0203; do
		asked signed --scheme "$scheme" --tls 1.2 --size 60000
		asked signed --scheme "$scheme" --op digest
	done
	asked not-tls --scheme 0503 # in TLS 1.3 a curve has its hash
	asked not-tls --scheme 0804
	asked not-tls --hostile
	asked not-tls --op digest --hostile
	asked other-key --other-key
	asked other-key --op probe --other-key
	finish
	with device-rsa
	for scheme in 0804 0805 0806; do
		asked signed --scheme "$scheme"
		asked signed --scheme "$scheme" --tls 1.2
		asked signed --scheme "$scheme" --op digest
	done
	for scheme in 0401 0501 0601 0301 0201 ff01; do
		asked signed --scheme "$scheme" --tls 1.2
		asked signed --scheme "$scheme" --op digest
		asked not-tls --scheme "$scheme"
	done
	finish
	with device-p384
	asked signed --scheme 0503
	asked not-tls --scheme 0403
	finish
	with device-ed25519
	asked signed --scheme 0807
	asked signed --scheme 0807 --tls 1.2
	asked not-tls --scheme 0403
}

# id-RSASSA-PSS, and curves that are in no pool of certificates
test_other_keys() {
	local arguments scheme
	ask_cert=odd/client_cert.pem
	while read -r scheme arguments; do
		rm -rf odd && mkdir odd
		# shellcheck disable=SC2086
		openssl req -x509 -nodes -newkey $arguments -subj /CN=odd -keyout odd/private_key.pem \
			-out odd/client_cert.pem 2>/dev/null
		start -d odd --socket s
		asked signed --scheme "$scheme" ${scheme:+$([ "$scheme" != 0303 ] || echo --tls 1.2)}
		asked signed --scheme "$scheme" --op digest
		finish
	done <<-END
		0809 rsa-pss
		0603 ec -pkeyopt ec_paramgen_curve:P-521
		0303 ec -pkeyopt ec_paramgen_curve:secp256k1
	END
	openssl req -x509 -nodes -newkey ed448 -subj /CN=odd -keyout odd/private_key.pem -out odd/client_cert.pem
	start -d odd --socket s
	asked signed --scheme 0808
}

test_no_digest() {
	start -d "$cred" --socket s --no-digest
	asked signed
	asked signed --tls 1.2
	asked signed --op probe
	asked no-digests --op digest
	asked no-digests --op probe --follows digest
}

test_nonsense() {
	local size
	start -d "$cred" --socket s
	for size in 1 35 36 37 65572 65573 150000; do
		asked bad-packet --send "$size"
	done
	asked lost --send 0
	asked signed
	expect_text log 'sent what is no question'
}

test_verbose() {
	start -d "$cred" --socket s -v
	asked signed
	expect_text log 'memory: '
	expect_text log "signed for user $(id -u), pid "
	finish
	start -d "$cred" --socket s
	asked signed
	says 'signed for' 0
	says 'memory: ' 0
}

# --- who is served -------------------------------------------------------------------

test_users() {
	as_users
	start -d "$cred" --socket s
	[ "$(stat -c %a s)" = 600 ] || fail "mode $(stat -c %a s)"
	asked signed
	asked_by nobody denied
	finish
	start -d "$cred" --socket s --allow bin --allow 1
	[ "$(stat -c %a s)" = 666 ] || fail "mode $(stat -c %a s)"
	asked signed
	asked_by bin signed
	asked_by daemon signed
	asked_by bin signed --op probe
	asked_by nobody denied
	asked_by nobody denied --op probe
	asked_by nobody denied --op probe --count 3000 # however the packets cross
	expect_text log 'user 65534, pid '
	expect_text log 'is not served: --allow 65534 would do so'
}

# The agent's user is not root: then root is not served either, and trusts it by the folder's owner.
test_users_of_an_agent_that_is_not_root() {
	as_users
	mkdir own
	cp -r "$cred" own/device
	chown -R 65534 own
	start_as nobody -d own/device --socket own/s
	socket=own/s
	asked_by nobody signed
	asked denied
	finish
	start_as nobody -d own/device --socket own/s --allow root --allow bin
	asked signed
	asked_by bin signed
	asked_by daemon denied
}

test_unknown_user() {
	attempt "$AGENT" -d "$cred" --socket s --allow nobody-of-that-name
	expect_rc 125
	one_line err 'mtls-agent: --allow nobody-of-that-name: there is no such user'
	attempt "$AGENT" -d "$cred" --socket s --allow 4294967295
	expect_rc 125
	[ ! -e s ]
}

# --- its folder ----------------------------------------------------------------------

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

# --- its walls -----------------------------------------------------------------------

seccomp() {
	sed -n "s/^$1:\t//p" "/proc/$agent/status"
}

has_filters() {
	[ "$(seccomp Seccomp_filters)" = "$1" ]
}

test_walls() {
	start -d "$cred" --socket s
	[ "$(seccomp NoNewPrivs)" = 1 ]
	if [ -n "$(seccomp Seccomp)" ]; then
		until_true 5 has_filters 1
		[ "$(seccomp Seccomp)" = 2 ]
	fi
	grep -q '^Max core file size  *0  *0 ' "/proc/$agent/limits"
	[ "$(seccomp Threads)" = 1 ]
	[ "$(descriptors)" = 5 ] || fail "$(ls -l "/proc/$agent/fd")"
	asked signed --count 300
	asked not-tls --hostile
	[ "$(descriptors)" = 5 ] || fail "$(ls -l "/proc/$agent/fd")"
	[ "$(seccomp VmHWM | tr -dc 0-9)" -lt 65536 ] || fail "$(seccomp VmHWM)"
}

test_closed_to_its_own_user() {
	local file
	as_users
	cp -r "$cred" device
	chown -R 65534 device
	install -d -o 65534 own
	start_as nobody -d device --socket own/s
	for file in environ maps mem auxv syscall; do
		! nobody head -c 1 "/proc/$agent/$file" 2>/dev/null || fail "$file can be read"
	done
	! nobody ls "/proc/$agent/fd" 2>/dev/null || fail 'descriptors can be listed'
	if command -v strace >/dev/null; then
		! nobody timeout 5 strace -p "$agent" 2>/dev/null || fail "it can be traced"
	fi
}

test_closed_standard_files() {
	"$AGENT" -d "$cred" --socket s <&- >&- 2>&- &
	agent=$!
	until_true 5 [ -S s ]
	asked signed
	[ "$(readlink "/proc/$agent/fd/2")" = /dev/null ]
}

# Nobody reads its standard error, and what could be written is full: nothing of that matters.
test_nobody_listens_to_it() {
	mkfifo err
	exec {fd}<>err
	"$AGENT" -d "$cred" --socket s -v 2>err &
	agent=$!
	until_true 5 [ -S s ]
	asked signed --count 1200 # each says a line
	asked signed
	kill -TERM "$agent"
	wait "$agent"
	prlimit --fsize=0 "$AGENT" -d "$cred" --socket s 2>file &
	agent=$!
	until_true 5 [ -S s ]
	asked signed
	[ ! -s file ]
}

test_stopped() {
	start -d "$cred" --socket s
	kill -STOP "$agent"
	asked slow --op probe
	asked slow
	kill -CONT "$agent"
	asked signed
}

test_signals() {
	start -d "$cred" --socket s
	kill -INT "$agent"
	wait "$agent" || fail "exit $?"
	[ ! -e s ]
}

# --- manners -------------------------------------------------------------------------

test_help_and_version() {
	attempt "$AGENT" --help
	expect_rc 0
	[ ! -s err ]
	[ "$(wc -l <out)" -le 24 ]
	! grep '.\{81\}' out || fail 'a line is too long'
	attempt "$AGENT" --version
	expect_rc 0
	[ "$(cat out)" = "mtls-agent $("$CRED" --version | cut -d ' ' -f 2)" ]
	for option in --help --version; do
		attempt sh -c '"$1" "$2" >/dev/full' sh "$AGENT" "$option"
		expect_rc 125
	done
}

test_usage() {
	local arguments
	while read -r arguments; do
		# shellcheck disable=SC2086
		attempt "$AGENT" $arguments
		expect_rc 125
		one_line err 'mtls-agent: '
		one_line err 'see mtls-agent --help'
	done <<-END
		--nothing
		-x
		-vx
		--dir
		-d
		--socket
		--allow
		--ingest
		argument
		-v -- argument
	END
	attempt "$AGENT" -d "$cred" --dir ''
	expect_rc 125
	one_line err '--dir: no name is given'
}
