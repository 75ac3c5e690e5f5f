# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent --ingest: what is moved, and what is refused and stays to the byte. Kills and faults: 71-ingest-cut.sh.

# shellcheck source=tests/e2e/ingest.sh
. tests/e2e/ingest.sh

parallel=2
deadline=120

need_root() { if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then skip "needs root, and setpriv"; fi; }
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

test_nothing_to_do() {
	ingest
	expect_rc 0
	inbox
	ingest
	expect_rc 0
	[ ! -s err ] || fail "said: $(<err)"
	expect_inbox_clear
	[ ! -e d ] || fail "a folder was made"
}

test_each_form_of_key() {
	local folder
	for folder in "$PKI"/key/* "$PKI"/device{,-p384,-ed25519,-deep,-expired,-hostile}; do
		rm -rf d
		inbox "$folder"
		moved "$folder"
		[ -e "$folder/$pass" ] || [ ! -e d/$pass ] || fail "a passphrase from nowhere"
	done
	[ "$(find d -type f | wc -l)" = 2 ] || fail "left behind: $(find d)"
}

# One after the other, over the one of before; its bytes are gone.
test_one_after_the_other() {
	local folder
	for folder in device key/ec-pkcs8-aes-256-cbc key/rsa-pkcs8-scrypt; do
		inbox "$PKI/$folder"
		moved "$PKI/$folder"
	done
	[ "$(find d -type f | wc -l)" = 3 ] || fail "left behind: $(find d)"
	inbox "$PKI/device" # the passphrase of before stays: it was not in the inbox
	moved "$PKI/device"
	[ "$(cat d/$pass)" = 'open sesame' ] || fail "the passphrase went"
}

# Files that were put into the folder by hand are taken over.
test_over_plain_files() {
	cp -r "$PKI/device-rsa" d
	printf 'hosts = *.example\n' >d/$conf
	inbox "$PKI/device"
	exec 5<d/$key
	moved "$PKI/device"
	[ "$(tr -d '\0' <&5)" = '' ] || fail "the old key was not overwritten"
	if [ -L d/$conf ] || [ "$(cat d/$conf)" != 'hosts = *.example' ]; then fail "mtls.conf was touched"; fi
}

test_modes_whatever_the_umask() {
	local mask
	for mask in 000 077; do
		rm -rf d a
		inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
		echo 'hosts = *.example' >in/$conf
		(umask $mask && "$probes/ingest" in d)
		expect_inbox_clear
		expect_there "$PKI/key/ec-pkcs8-aes-256-cbc"
		expect_modes 755 d -type d
		inbox "$PKI/device"
		(umask $mask && "$probes/ingest" in a/b)
		expect_modes 755 a -type d
		expect_modes 600 a -name $key -type f
	done
}

# token LABEL PIN FOLDER: the folder's key goes into a token; in has its URI, its PIN and its certificate
token() {
	soft_token "$1" "$2"
	soft_key "$1" "$2" "$3/$key" 01 key
	inbox
	cp "$3/$cert" in
	echo "pkcs11:token=$1;object=key;type=private" >in/$key
	echo "$2" >in/$pass
}

# What names a key is moved as a key is; the token tells whether it is the certificate's.
test_a_key_in_a_token() {
	# shellcheck source=tests/e2e/tokens.sh
	. "$TOP/tests/e2e/tokens.sh"
	soft_setup
	inbox "$PKI/device-rsa"
	moved "$PKI/device-rsa"
	token box 12345678 "$PKI/device"
	echo 11111111 >in/$pass
	refused "in/$pass: the passphrase does not open the key"
	token bax 12345678 "$PKI/device"
	cp "$PKI/device-ed25519/$cert" in
	refused "in/$key: certificate and key do not belong together"
	token bix 12345678 "$PKI/device"
	sed -i 's/bix/none/' in/$key
	refused "in/$key: the private key is missing"
	token bux 12345678 "$PKI/device"
	cp -r in wanted
	ingest
	expect_rc 0
	expect_inbox_clear
	for part in "$cert" "$key" "$pass"; do cmp "d/$part" "wanted/$part" || fail "$part is another"; done
	expect_modes 600 d/.generations -type f -not -name $cert
	inbox # the certificate anew
	openssl x509 -in "$PKI/device/$cert" -out in/$cert
	ingest
	expect_rc 0
	expect_inbox_clear
	inbox # systemd's credential stands in for the file, and is not stored
	rm -r d
	mkdir given
	mv wanted/$pass given/
	cp wanted/*.pem in
	attempt env "CREDENTIALS_DIRECTORY=$T/given" "$probes/ingest" in d
	expect_rc 0
	expect_inbox_clear
	[ ! -e d/$pass ] || fail "the PIN was copied"
}

# Another user cannot where a root of its own is closed to others.
others_look() {
	chmod go+x "$WORK" "$W" "$T"
	nobody test -x "$T" 2>/dev/null || skip "another user cannot look into $T"
}

# What programs of other users can read and what not; and a folder's own mode is left alone.
test_another_user_reads_the_certificate_only() {
	need_root
	others_look
	inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
	echo 'hosts = *.example' >in/$conf
	moved "$PKI/key/ec-pkcs8-aes-256-cbc"
	nobody cat "$T/d/$cert" "$T/d/$conf" >log || fail "cannot read the certificate"
	! nobody cat "$T/d/$key" 2>log || fail "can read the key"
	! nobody cat "$T/d/$pass" 2>log || fail "can read the passphrase"
	chmod 700 d
	inbox "$PKI/device"
	moved "$PKI/device"
	expect_modes 700 d -maxdepth 0
}

test_parts_of_a_credential() {
	inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
	echo 'hosts = *.example' >in/$conf
	moved "$PKI/key/ec-pkcs8-aes-256-cbc"
	inbox # the certificate anew, for the same key
	openssl x509 -in "$PKI/device/$cert" -out in/$cert
	cp in/$cert short.pem
	moved
	cmp d/$cert short.pem || fail "the certificate is another"
	cmp d/$key "$PKI/key/ec-pkcs8-aes-256-cbc/$key" || fail "the key is another"
	[ "$(cat d/$pass d/$conf)" = $'open sesame\nhosts = *.example' ] || fail "passphrase or settings went"
	inbox
	echo 'issuer = match' >in/$conf
	moved
	[ "$(cat d/$conf)" = 'issuer = match' ] || fail "mtls.conf is another"
	inbox # another passphrase with its key
	cp "$PKI/device/$key" in/$key
	echo other >in/$pass
	openssl pkcs8 -topk8 -in "$PKI/device/$key" -out in/$key -passout file:in/$pass
	moved
	inbox
	echo wrong >in/$pass
	refused "in/$pass: the passphrase does not open the key"
	inbox
	cp "$PKI/device-rsa/$cert" in
	refused "d/$key: certificate and key do not belong together"
	inbox "$PKI/key/ec-pkcs8-scrypt" # its passphrase is not the folder's
	rm in/$pass
	refused "d/$pass: the passphrase does not open the key"
}

# mtls-cred in the agent's folder keeps the settings that came with the credential.
test_settings_outlive_the_credential() {
	inbox "$PKI/device"
	echo 'hosts = *.example' >in/$conf
	moved "$PKI/device"
	"$CRED" new -d d --force >log
	[ "$(cat d/$conf)" = 'hosts = *.example' ] || fail "lost with new"
	"$CRED" remove -d d >log
	[ "$(cat d/$conf)" = 'hosts = *.example' ] || fail "lost with remove"
	rm d/$cert d/$key
	"$CRED" remove -d d 2>log
	if [ -L d/$conf ] || [ "$(cat d/$conf)" != 'hosts = *.example' ]; then fail "lost with the second remove"; fi
	[ "$(ls -A d)" = $conf ] || fail "left: $(find d)"
	inbox "$PKI/device"
	moved "$PKI/device"
	[ "$(cat d/$conf)" = 'hosts = *.example' ] || fail "lost with the next"
}

# What another user could have laid there to have something read, overwritten or moved that is not his.
test_odd_files() {
	local name outside
	cp -r "$PKI/device-rsa" outside
	outside=$(snapshot outside)
	for name in "${parts[@]}"; do
		inbox "$PKI/device"; ln -sf ../outside/$key "in/$name"; refused "in/$name: this is a link"
		inbox "$PKI/device"; ln -sf nowhere "in/$name"; refused "in/$name: this is a link"
		inbox "$PKI/device"; rm -f "in/$name"; mkfifo "in/$name"; refused "in/$name: this is not a regular file"
		inbox "$PKI/device"; rm -f "in/$name"; mkdir "in/$name"; refused "in/$name: this is not a regular file"
		inbox "$PKI/device"; ln -f outside/$key "in/$name"; refused "in/$name: this file has another name"
		inbox "$PKI/device"; truncate -s 1048577 "in/$name"; refused "in/$name: this is too large"
		inbox "$PKI/device"; ln -sf /dev/zero "in/.$name.taken"; refused "in/.$name.taken: this is a link"
		inbox "$PKI/device"; ln -f outside/$key "in/.$name.taken"; refused "in/.$name.taken: this file has another name"
	done
	unchanged outside "$outside"
	inbox "$PKI/device"; truncate -s 100G in/$key; ingest # is not read first
	expect_rc 1
	one_line err "in/$key: this is too large; nothing was moved"
	inbox "$PKI/device"; mkfifo in/$pass; ln -sf nowhere in/$conf
	refused "in/$pass: this is not a regular file" "in/$conf: this is a link"
	inbox "$PKI/device"; chmod 606 in/$key; refused "in/$key: somebody else could replace it"
	[ "$(id -u)" = 0 ] || skip "needs root"
	for name in "${parts[@]}"; do
		inbox "$PKI/device"; touch "in/$name"; chown 65534 "in/$name"; refused "in/$name: this belongs to another user"
		inbox "$PKI/device"; touch "in/.$name.taken"; chown 65534 "in/.$name.taken"; refused "in/.$name.taken: this belongs to"
	done
	inbox "$PKI/device"; rm in/$cert; mknod in/$cert c 1 5 && refused "in/$cert: this is not a regular file"
}

test_what_does_not_fit() {
	local bad
	for bad in over nothing; do
		rm -rf d
		[ $bad = nothing ] || cp -r "$PKI/device" d
		inbox "$PKI/device"; cp "$PKI/device-rsa/$key" in; refused "in/$key: certificate and key do not belong together"
		inbox "$PKI/device"; echo text >in/$cert; refused "in/$cert: this is not a certificate in PEM form"
		inbox "$PKI/device"; echo text >in/$key; refused "in/$key: this is not a private key in PEM form"
		inbox "$PKI/device"; : >in/$cert; refused "in/$cert: the certificate is missing or empty"
		inbox "$PKI/device"; : >in/$key; refused "in/$key: the private key is missing or empty"
		inbox "$PKI/device"; : >in/$key; : >in/$cert; refused 'in: the credential was removed.*; to remove the agent.s: mtls-cred remove -d'
		inbox "$PKI/key/ec-pkcs8-aes-256-cbc"; echo wrong >in/$pass; refused "in/$pass: the passphrase does not open"
		inbox "$PKI/key/ec-pkcs8-aes-256-cbc"; rm in/$pass; refused "in/$pass: the key is encrypted"
		inbox "$PKI/device"; printf 'x%.0s' {1..1024} >in/$pass; refused "in/$pass: the passphrase is longer"
		inbox "$PKI/device"; printf '# fine\nhosts = *\n' >in/$conf; refused "in/$conf, line 2: this setting cannot be understood (\*)"
		inbox "$PKI/device"; echo 'pkcs11:token=none;object=none' >in/$key; refused "in/$key: "
	done
	rm -rf d
	inbox; cp "$PKI/device/$cert" in; refused "in/$key: the private key is missing"
	inbox; echo 'issuer = match' >in/$conf; refused 'in: there is no credential here'
	mkdir -m 777 d; chmod 777 d; inbox "$PKI/device"; refused 'd: somebody else could replace it'
	rm -r d; : >d; inbox "$PKI/device"; refused 'd: Not a directory'
}

test_odd_inboxes() {
	local what
	inbox "$PKI/device"
	ln -s in link
	for what in link link/ link// in/$cert; do
		ingest_from "$what" d
		expect_rc 1
		one_line err 'this is not a folder, but a link or a file; nothing was moved'
	done
	chmod 707 in; refused 'in: everybody may write here'
	chmod 1777 in; refused 'in: everybody may write here'
	chmod 700 in
	ingest_from in ./in/../in
	expect_rc 1
	one_line err 'inbox and folder are the same'
	ingest_from in/ d
	expect_rc 0
	expect_inbox_clear
	expect_there "$PKI/device"
}

# Root takes from a user's inbox; a user from his own, of which the files may be read-only, or he has no right there.
test_users() {
	need_root
	others_look
	install -m 755 "$probes/ingest" ingest
	inbox "$PKI/device"
	chown -R 65534 in
	moved "$PKI/device"
	[ -z "$(find d -user 65534)" ] || fail "files of the inbox's owner in the agent's folder"
	rm -rf d
	install -d -o 65534 d
	inbox "$PKI/device"
	chown -R 65534 in
	chmod 400 in/$cert in/$key
	attempt nobody "$T/ingest" "$T/in" "$T/d"
	expect_rc 0
	expect_inbox_clear
	expect_there "$PKI/device"
	inbox "$PKI/device"
	chmod 755 in; chmod 644 in/*.pem
	attempt nobody "$T/ingest" "$T/in" "$T/d"
	expect_rc 1
	expect_text err "in/$key: Permission denied; nothing was moved"
	chmod 666 in/*.pem; chmod 755 in
	attempt nobody "$T/ingest" "$T/in" "$T/d"
	expect_rc 1
	one_line err 'in: Permission denied; nothing could be erased here, so nothing was moved'
	inbox "$PKI/device"
	chown -R 65534 in
	chmod 400 in/*.pem; cp "$PKI/device-rsa/$key" in
	chown 65534 in/$key; chmod 400 in/$key
	attempt nobody "$T/ingest" "$T/in" "$T/d"
	expect_rc 1
	expect_text err 'do not belong together'
	[ "$(stat -c %a in/$cert in/$key)" = $'400\n400' ] || fail "modes changed: $(ls -l in)"
}

# A reader who holds the originals open sees zeros: they are overwritten themselves, before they are unlinked.
test_the_originals_are_overwritten() {
	local size
	inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
	size=$(stat -c %s in/$key)
	exec 5<in/$key 6<in/$pass
	moved "$PKI/key/ec-pkcs8-aes-256-cbc"
	[ "$(wc -c <&5)" = "$size" ] || fail "the original was cut"
	exec 5</proc/self/fd/5
	[ -z "$(tr -d '\0' <&5)" ] || fail "the key is still there"
	[ -z "$(tr -d '\0' <&6)" ] || fail "the passphrase is still there"
}

test_another_one_at_work() {
	inbox "$PKI/device"
	moved "$PKI/device"
	inbox "$PKI/device-rsa"
	exec 5<d
	flock 5
	refused 'd: mtls-cred or another agent is at work there'
	flock -u 5
	moved "$PKI/device-rsa"
}

# What a kill has left is finished: names that say "taken" are only erased, whatever the folder has meanwhile.
test_taken_before() {
	inbox "$PKI/device"
	moved "$PKI/device"
	inbox
	cp "$PKI/device-rsa/$key" in/.$key.taken
	: >in/.$pass.taken
	exec 5<in/.$key.taken
	ingest
	expect_rc 0
	expect_inbox_clear
	[ -z "$(tr -d '\0' <&5)" ] || fail "it was not overwritten"
	expect_there "$PKI/device"
	inbox # one that is not ours keeps none of the others
	ln -s ../d/$key in/.$cert.taken
	cp "$PKI/device-rsa/$key" in/.$key.taken
	ingest
	expect_rc 1
	one_line err "in/.$cert.taken: this is a link; put the file itself there; nothing was moved"
	[ ! -e in/.$key.taken ] || fail "it is still there"
	expect_there "$PKI/device"
}

# --- the agent itself ---------------------------------------------------------------------

# serves WORD: mtls-agent with the inbox starts, its log has WORD, and a program of another user presents d's certificate
serves() {
	local via as
	mkdir -p run
	"$AGENT" -d d --socket run/s --allow nobody --ingest in 2>err &
	agent=$!
	sock=$T/run/s cert=$T/d
	until_true 10 agent_listens
	until_true 10 grep -q "$1" err || fail "said: $(<err)"
	asking nobody
	presented through client_curl "$port"
	kill "$agent"
	wait "$agent" || fail "exit $? at its end: $(<err)"
}

# Programs may read certificate and settings where the agent has them. What is refused does not keep it from serving.
test_the_agent_serves_what_was_in_the_inbox() {
	# shellcheck source=tests/e2e/agent_clients.sh
	. "$TOP/tests/e2e/agent_clients.sh" # it has another $cert
	require curl
	agents_setup
	require_users
	chmod 755 "$T"
	server_start required --request required
	inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
	echo 'hosts = localhost' >in/$conf
	chown -R daemon in
	serves "^mtls-agent: in: moved to $T/d: "
	expect_inbox_clear
	inbox "$PKI/device-rsa"
	cp "$PKI/device/$key" in
	serves "^mtls-agent: in/$key: certificate and key do not belong together; .*; nothing was moved$"
	[ -s in/$key ] || fail "it was moved all the same"
	inbox
	serves '^mtls-agent: signs for'
}
