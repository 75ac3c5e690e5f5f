# shellcheck shell=bash disable=SC2094
# SPDX-License-Identifier: Apache-2.0
#
# The device's console and mtls-device's verbs: what is refused is refused with a word, garbage does no harm, and an
# upload that is not whole changes nothing. tests/e2e/run tests/firmware/net/console.sh; BOARD and DEVICE as in device.sh.

board=${BOARD:-host}
tool=${DEVICE:-$BUILD/mtls-device}

device() {
	"$tool" --board "$board" --image "$T/image" "$@"
}

# broken WHAT VERB...: on a machine that lacks it: broken.c. A sanitizer would be first
broken() {
	[ "$board" = host ] || skip "runs on the host's board only"
	[ -e broken.so ] || cc -D_GNU_SOURCE -Wall -Wextra -shared -fPIC -o broken.so "$TOP/tests/firmware/net/broken.c"
	attempt env BROKEN="$1" LD_PRELOAD="$PWD/broken.so" ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" \
		"$tool" --board "$board" --image "$T/image" "${@:2}"
}

# says TEXT INPUT...: the console's answer to these lines has TEXT
says() {
	local text=$1
	shift
	printf '%s\n' "$@" | device console >"$T/said" 2>"$T/err" || fail "console: exit $?"
	expect_text "$T/said" "$text"
}

given() {
	device upload "$PKI/device" >"$T/given"
	expect_text "$T/given" 'usable CN=device'
}

still_given() {
	device status >"$T/status"
	expect_text "$T/status" 'subject: CN=device'
	! grep -q '^warning: the last upload' "$T/status" || fail "$(cat "$T/status")"
}

crc_of() {
	python3 -c 'import sys, zlib; print("%08x" % zlib.crc32(open(sys.argv[1], "rb").read()))' "$1"
}

test_help() {
	says 'ok-get URL [ADDRESS]' help
	says ready ''
}

test_words() {
	says 'error unknown' nonsense
	says 'error unknown' 'help '"$(printf 'x%.0s' {1..5000})"
	says 'error usage' 'upload client_cert.pem'
	says 'error usage' 'upload client_cert.pem x 0'
	says 'error usage' 'upload client_cert.pem 5 123456789'
	says 'error usage' 'upload client_cert.pem 99999999999 0'
	says 'error unknown' 'upload ../client_cert.pem 5 0'
	says 'error too-large' 'upload private_key_pass.txt 100000 0'
	says 'error out-of-order' commit
	says 'error usage' 'get'
	says 'error usage' 'get https://localhost/ nowhere'
	says 'error get' 'get http://localhost/'
	says 'error get' 'get https://localhost:0/ 10.0.2.100'
	says 'error get' 'get https://user@localhost/ 10.0.2.100'
}

test_garbage() {
	given
	head -c 100000 /dev/urandom | tr -d '\004' >"$T/garbage"
	{ cat "$T/garbage"; printf '\nhelp\n'; } | device console >"$T/said"
	expect_text "$T/said" 'ok-get URL'
	still_given
}

# Each of these ends before the commit.
test_not_whole() {
	local n crc
	given
	n=$(wc -c <"$PKI/device-other/client_cert.pem")
	crc=$(crc_of "$PKI/device-other/client_cert.pem")
	printf 'upload client_cert.pem %d 00000000\n%s\ncommit\n' "$n" "$(cat "$PKI/device-other/client_cert.pem")" |
		device console >"$T/said"
	expect_text "$T/said" 'error crc'
	expect_text "$T/said" 'error out-of-order'
	still_given
	printf 'upload client_cert.pem %d %s\n%s\n' "$n" "$crc" "$(cat "$PKI/device-other/client_cert.pem")" |
		device console >"$T/said"
	expect_text "$T/said" ok
	still_given
	printf 'upload client_cert.pem %d %s\n%s\nabort\ncommit\n' "$n" "$crc" \
		"$(cat "$PKI/device-other/client_cert.pem")" | device console >"$T/said"
	expect_text "$T/said" 'error out-of-order'
	still_given
}

# The rest of a file never comes: the device gives up and can be ended.
test_stalled() {
	given
	printf 'upload client_cert.pem 1000 0\nhello' | device console >"$T/said"
	expect_text "$T/said" 'error stalled'
	still_given
}

# --- mtls-device ------------------------------------------------------------------------------

refuses() {
	local rc_wanted=$1 text=$2
	shift 2
	attempt device "$@"
	expect_rc "$rc_wanted"
	[ "$(wc -l <"$T/err")" = 1 ] || fail "expected one line: $(cat "$T/err")"
	expect_text "$T/err" "$text"
}

test_verbs() {
	mkdir empty folder
	mkfifo folder/client_cert.pem
	echo text >other.txt
	refuses 1 'no file of a credential' upload empty
	refuses 1 'not a regular file' upload folder
	refuses 1 'none of a credential' upload other.txt
	refuses 1 'No such file' upload client_cert.pem
	refuses 1 'comes twice' upload "$PKI/device" "$PKI/device-rsa/client_cert.pem"
	refuses 1 'only reaches this machine' get https://example.com/
	refuses 1 'only reaches this machine' get https://localhost.example.com/
	refuses 1 'only reaches this machine' get http://localhost/
	refuses 1 'only reaches this machine' get https://localhost:99999/
	refuses 64 usage: upload
	refuses 64 usage: get
	refuses 64 usage: remove now
	refuses 64 usage: status now
	refuses 64 'no such verb' nonsense
	attempt "$tool" --board esp8266 status
	expect_rc 64
	expect_text err 'there are: host, an500, an500-small, an505'
	refuses 1 'a URL is printable ASCII' get https://localhost/ä
	refuses 1 'a URL is printable ASCII' get "https://localhost/$(printf '\1')"
	refuses 1 'a URL is printable ASCII' get 'https://localhost/a b'
	for verb in upload status get remove console; do
		device "$verb" --help >said
		expect_text said 'usage: mtls-device'
	done
}

# What is there, if only as a name, is not passed over.
test_dangling_link() {
	mkdir folder
	cp "$PKI/device"/* folder
	ln -s nowhere folder/ca_certs.pem
	refuses 1 'ca_certs.pem: No such file' upload folder
	rm folder/ca_certs.pem
	device upload folder >said
	expect_text said 'usable CN=device'
}

# The old credential stays at work, and the upload waits for a boot that can carry it out.
test_not_carried_out() {
	given
	for verb in "upload $PKI/device-rsa" remove; do
		# shellcheck disable=SC2086 # words on purpose
		broken random $verb
		expect_rc 1
		[ "$(wc -l <err)" = 1 ] || fail "expected one line: $(cat err)"
		expect_text err 'the secure store failed: the board has no entropy'
	done
	device status >status
	expect_text status 'state: removed'
	! grep -q '^warning: the secure store' status || fail "$(cat status)"
	device upload "$PKI/device" >said
	expect_text said 'usable CN=device'
}

# One word of it, and none of the dates that nobody can judge.
test_no_time() {
	given
	broken clock status
	expect_rc 0
	expect_text out "warning: the time is not known: no server's certificate is valid"
	[ "$(grep -c '^warning: ' out)" = 2 ] || fail "more than that and the CAs that are missing: $(cat out)"
	! grep -E 'expire|not valid' out || fail "$(cat out)"
	cp "$PKI/ca.pem" ca_certs.pem
	device upload ca_certs.pem >/dev/null
	server_start time
	broken clock get "https://localhost:$port/"
	expect_rc 1
	expect_text err 'the device does not know the time'
}

test_no_hard_links() {
	broken link upload "$PKI/device"
	expect_rc 0
	expect_text out 'usable CN=device'
	[ "$(stat -c '%a %s' image image.otp | tr '\n' ' ')" = '600 16777216 600 32 ' ] || fail "$(stat -c '%a %s' image*)"
	still_given
}

# A server that never ends its connection does not keep the device's relay.
test_relay_ends() {
	local fd
	exec {fd}< <(exec {life}>&- python3 -c 'import socket, sys; s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True); sys.stdin.read()' <"$W/life")
	read -rt 10 -u "$fd" port || fail "no server"
	attempt timeout 20 "$tool" --relay "$port" </dev/null
	expect_rc 0
}

test_image() {
	echo 'not a flash' >image
	refuses 1 'not a device' status
	rm image
	given
	printf 'x' >>image.otp
	refuses 1 'not a device' status
}

test_image_in_use() {
	given
	mkfifo in
	device console <in >said &
	exec {in}>in
	until_true 5 grep -q ready said
	refuses 1 'another mtls-device' status
	exec {in}>&-
	wait $!
	still_given
}

test_pair_mismatch() {
	given
	refuses 1 '(pair-mismatch)' upload "$PKI/device-rsa/client_cert.pem"
	device status >status
	expect_text status 'subject: CN=device'
	expect_text status 'warning: the last upload was refused'
	device upload "$PKI/device-rsa" >said
	expect_text said 'usable CN=device-rsa'
	still=$(device status)
	[[ $still != *refused* ]] || fail "$still"
}

# What is to be done fits what is wrong, and the device: another key, the same key written anew, its own limits.
test_remedies() {
	given
	openssl genpkey -algorithm ed25519 -out private_key.pem
	refuses 1 'this kind of key or encryption: Ed25519 key; this device signs with RSA and ECDSA; make another' upload private_key.pem
	openssl pkcs8 -topk8 -scrypt -passout pass:x -in "$PKI/device/private_key.pem" -out private_key.pem
	refuses 1 'encrypted with scrypt; this device reads PBKDF2; write it again: openssl pkcs8' upload private_key.pem
	printf 'pkcs11:token=x\n' >private_key.pem
	refuses 1 'the key is in a token and only an agent can use it; upload a key itself' upload private_key.pem
	openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:x -in "$PKI/device/private_key.pem" -out private_key.pem
	refuses 1 'there is no passphrase for it; upload it with private_key_pass.txt' upload private_key.pem
	echo y >private_key_pass.txt
	refuses 1 'correct the first line of private_key_pass.txt, and upload it with the key' upload private_key.pem private_key_pass.txt
	printf 'log = info\nissuer = match\n' >mtls.conf
	refuses 1 'mtls.conf, line 2: this setting cannot be understood: issuer: match' upload mtls.conf
	echo x >ca_certs.pem
	refuses 1 'this is not a certificate in PEM form: ca_certs.pem: no certificate block; write it again: one PEM block' upload ca_certs.pem
	head -c 20000 /dev/zero >private_key.pem
	refuses 1 'private_key.pem: this file may have 16384 bytes at most on the device' upload private_key.pem
	device status >status
	expect_text status 'subject: CN=device'
}

test_json() {
	local keys
	device status --json >json
	keys=$(python3 -c 'import json; d = json.load(open("json")); print(*d); assert d["chain"] == [] and d["sha1"] is None')
	[ "$keys" = 'state reason subject issuer names key not_before not_after sha1 sha256 chain warnings' ] || fail "$keys"
	device upload "$PKI/device-hostile" >/dev/null
	device status --json >json
	python3 -c 'import json; d = json.load(open("json")); assert d["state"] == "usable", d; assert len(d["chain"]) == 2'
	[ "$(device status | grep -c ^subject:)" = 1 ] || fail "the subject made a line of its own"
}

# More names than a line of the console's commands has room for.
test_json_long() {
	local names
	names=$(printf ',DNS:host-%d.some.example' {1..150})
	mkdir long
	cp "$PKI/device/private_key.pem" long
	openssl req -x509 -new -key long/private_key.pem -subj /CN=many -days 2 -addext "subjectAltName=${names#,}" \
		-out long/client_cert.pem
	device upload long >/dev/null
	device status --json >json
	python3 -c 'import json; d = json.load(open("json")); assert len(d["names"]) == 150 and "warnings" in d, d'
	[ "$(device status | grep -c '^name: DNS:host-')" = 150 ] || fail "names are missing"
}

# The same subject and fingerprint as mtls-cred, for one that wants escaping too; as JSON the same altogether.
test_as_mtls_cred() {
	local folder line
	mkdir names
	openssl req -x509 -nodes -subj '/O=A, "b" \\\\ c/CN=names' -days 9 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -keyout names/private_key.pem \
		-addext 'subjectAltName=DNS:a.test,email:me@a.test,URI:spiffe://a.test/b,IP:10.1.2.3,IP:2001:db8::7' -out names/client_cert.pem 2>log
	cp "$PKI/ca.pem" ca_certs.pem
	device upload ca_certs.pem >/dev/null
	for folder in "$PKI"/device "$PKI"/device-{hostile,rsa,expired} names; do
		device upload "$folder" >/dev/null
		line=$("$CRED" check -d "$folder" | head -n 1)
		device status >status
		[[ $line == *"subject $(sed -n 's/^subject: //p' status), sha256 $(sed -n 's/^sha256: //p' status)" ]] ||
			fail "$line is not $(cat status)"
		device status --json >json
		"$CRED" show --json -d "$folder" >json.cred || [ $? = 1 ]
		diff json json.cred
	done
}

test_removed() {
	given
	device remove >said
	expect_text said removed
	device status >status
	expect_text status 'state: removed'
}
