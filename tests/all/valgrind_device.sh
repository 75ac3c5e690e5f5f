# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Memcheck on the device as a program of this machine, and on mtls-device, which starts it: not one error and no byte
# definitely lost, in no process of any call. The tests are some of tests/firmware/net/device.sh, and more.

if [ ! -x "$BUILD/mtls-device" ]; then
	test_device() { skip "the firmware is not built"; }
	return
fi

# shellcheck source=tests/firmware/net/device.sh
. tests/firmware/net/device.sh

for name in $(declare -F | sed -n 's/^declare -f test_//p'); do
	[[ $name == @(p256_tls12|p256_tls13|rsa_tls12|rsa_tls13|not_asked|removed|no_ca|nobody_listens) ]] || unset -f "test_$name"
done

setup() {
	local version
	command -v valgrind >/dev/null || fail "valgrind is not installed"
	for version in 12 13; do
		server_start "tls$version" --tls "1.${version:1}"
		server_start "none$version" --tls "1.${version:1}" --request none
		server_start "optional$version" --tls "1.${version:1}" --request optional
	done
	mkdir "$W/ca"
	cp "$PKI/ca.pem" "$W/ca/ca_certs.pem"
}

# One report for each process, with its summary if it was not killed before its end.
device() {
	local rc=0 log
	rm -f "$T"/memcheck.*
	valgrind --trace-children=yes --log-file="$T/memcheck.%p" --leak-check=full --show-leak-kinds=definite \
		--errors-for-leak-kinds=definite --num-callers=30 "$BUILD/mtls-device" --board host --image "$T/image" "$@" || rc=$?
	[ "$(cat "$T"/memcheck.* | grep -c 'Command: .*/firmware/host/device.elf')" -ge 1 ] || fail "the device was not watched"
	for log in "$T"/memcheck.*; do
		grep -q 'ERROR SUMMARY' "$log" || fail "$1: killed before its end: $(grep Command: "$log")"
		grep -q 'ERROR SUMMARY: 0 errors' "$log" || fail "$1: $(sed -n '4p; 7,30p' "$log")"
	done
	return $rc
}

test_status() {
	device status >said
	expect_text said 'state: absent'
	given device
	device status --json >said
	expect_text said '"state":"usable"'
}

test_key_forms() {
	local form
	for form in {ec,rsa}-pkcs8-{aes-256-cbc,pbe-sha1-3des} ec-sec1-des3 rsa-pkcs1-aes256; do
		given "key/$form"
	done
}

# Refused, and the old credential stays.
test_broken() {
	local file
	given device
	cp "$PKI/device/client_cert.pem" .
	sed -i '3s/./A/g' client_cert.pem
	printf -- '-----%s PRIVATE KEY-----\nMAAA\n' BEGIN END >private_key.pem
	echo 'hosts = [' >mtls.conf
	echo nothing >ca_certs.pem
	for file in client_cert.pem private_key.pem mtls.conf ca_certs.pem "$PKI/device-rsa/client_cert.pem"; do
		attempt device upload "$file"
		expect_rc 1
	done
	device status >said
	expect_text said 'subject: CN=device'
}

# Damaged on its way, and cut off.
test_not_whole() {
	given device
	printf 'upload client_cert.pem 5 00000000\nhellocommit\nupload client_cert.pem 5000 0\nhello' | device console >said
	expect_text said 'error crc'
	expect_text said 'error stalled'
	device status >said
	expect_text said 'subject: CN=device'
}
