# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the an505's secure image keeps from the other one: tests/e2e/run tests/firmware/an505.sh. probe.elf stands in for
# the device's image and tries one thing; that the device works is in net/device.sh, with BOARD=an505.

tool=${DEVICE:-$BUILD/mtls-device}
images=$(dirname "$tool")/firmware

setup() {
	server_start tls12 --tls 1.2
	server_start tls13 --tls 1.3
	server_start none12 --tls 1.2 --request none
	server_start none13 --tls 1.3 --request none
	mkdir "$W/ca"
	cp "$PKI/ca.pem" "$W/ca/ca_certs.pem"
	given device
}

given() {
	"$tool" --board an505 --image "$T/image" upload "$PKI/$1" "$W/ca" >"$T/given"
	expect_text "$T/given" usable
}

# The device that setup has made.
had() {
	cp --sparse=always "$W/image" "$W/image.otp" "$T"
}

# qemu OPTION...: the board, its console on ours, with $port reachable
qemu() {
	timeout 20 qemu-system-arm -machine mps2-an505,memory-backend=flash -nodefaults -display none -serial stdio \
		-object "memory-backend-file,id=flash,size=16M,share=on,mem-path=$T/image" \
		-semihosting-config "enable=on,target=native,arg=device,arg=otp=$T/image.otp" -net nic,netdev=net \
		-netdev "user,id=net,restrict=on${port:+,guestfwd=tcp:10.0.2.100:$port-cmd:$tool --relay $port}" "$@"
}

# board IMAGE: the secure image, and this one in the place of the other
board() {
	qemu -kernel "$images/an505-secure/secure.elf" -device "loader,file=$images/an505/$1.elf"
}

# --- what must fault --------------------------------------------------------------------------

# faults ATTEMPT WHY: the secure image ends it with WHY, and nothing was read
faults() {
	had
	rc=0
	board probe <<<"$1" >"$T/out" 2>"$T/err" || rc=$?
	[ "$rc" = 70 ] || fail "exit $rc: $(cat "$T/out" "$T/err")"
	[ "$(tr -d '\r' <"$T/out")" = probe ] || fail "it got on: $(cat "$T/out")"
	expect_text "$T/err" "$2"
}

for attempt in ram code alias store write registers; do
	eval "test_fault_$attempt() { faults $attempt 'SecureFault, HFSR 00000000, CFSR 00000000 AUVIOL'; }"
done

# Into the secure code beside the gates, and into a gate behind its first instruction.
test_fault_jump() {
	faults jump 'SecureFault, HFSR 00000000, CFSR 00000000 INVEP'
}

test_fault_gate() {
	faults gate 'SecureFault, HFSR 00000000, CFSR 00000000 INVEP'
}

# The non-secure image has no exceptions, and no way to the emulator's host.
test_fault_svc() {
	faults svc 'fault, HFSR'
}

test_fault_semihosting() {
	faults semihosting 'fault, HFSR'
}

# The store is as it was, also after the attempt to write.
test_store_unharmed() {
	had
	board probe <<<write >"$T/out" 2>"$T/err" || true
	cmp "$W/image" "$T/image"
	"$tool" --board an505 --image "$T/image" status >"$T/status"
	expect_text "$T/status" 'subject: CN=device'
}

# --- what must be refused, and what must not ------------------------------------------------------

answers() {
	had
	board probe <<<"$1" >"$T/out" 2>"$T/err"
	expect_text "$T/out" "$2"
}

test_own_memory() {
	answers own 'read 28400000' # the first vector: the end of its RAM
}

test_pointers() {
	answers pointers 'all refused'
}

# --- the self-test -------------------------------------------------------------------------------

test_selftest() {
	had
	qemu -kernel "$images/an505-secure/selftest.elf" >"$T/out" 2>"$T/err" </dev/null
	expect_text "$T/out" 'all is well'
	! grep -a FAIL "$T/out" || fail "a part is not as it should be"
}

# --- an image that is not there ------------------------------------------------------------------

# One line, before there is a QEMU to say more.
test_missing_image() {
	local elf
	for elf in an505/device.elf an505-secure/secure.elf; do
		mkdir -p "here/firmware/an505" here/firmware/an505-secure
		cp "$tool" here/mtls-device
		cp "$images/an505/device.elf" here/firmware/an505
		cp "$images/an505-secure/secure.elf" here/firmware/an505-secure
		rm "here/firmware/$elf"
		rc=0
		here/mtls-device --board an505 --image "$T/image" status >"$T/out" 2>"$T/err" || rc=$?
		[ "$rc" = 1 ] || fail "exit $rc"
		[ "$(cat "$T/err")" = "mtls-device: $T/here/firmware/$elf: No such file or directory; build it with: make firmware" ] ||
			fail "$(cat "$T/err")"
	done
}

# --- one signature each ------------------------------------------------------------------------------

# signs N SERVER: so many signatures for two connections
signs() {
	server_use "$2"
	printf 'get https://localhost:%d/ 10.0.2.100\ncounters\nget https://localhost:%d/ 10.0.2.100\ncounters\n\004' \
		"$port" "$port" | board device >"$T/said" 2>"$T/err"
	! grep -aq ^error "$T/said" || fail "$(cat "$T/said")"
	[ "$(grep -ac '^ok$' "$T/said")" = 4 ] || fail "$(cat "$T/said")"
	[ "$(sed -n 's/^ok-signatures: //p' "$T/said" | tr -d '\r' | xargs)" = "$1" ] || fail "$(grep -a signatures "$T/said")"
}

for folder in device device-rsa; do
	for version in 12 13; do
		eval "test_signatures_${folder/-/_}_$version() { given $folder; signs '1 2' tls$version; signs '0 0' none$version; }"
	done
done

# Nothing that handles the key or the store is linked with the non-secure image.
test_nothing_linked() {
	arm-none-eabi-nm "$images/an505/device.elf" >"$T/symbols"
	expect_text "$T/symbols" secure_sign
	! grep -E ' (vault_(store|seal|unseal|payload|inbox|migrate|judge|unlock|random)|psram|semihost|sys_semihost|mbedtls_pk_parse_key)' \
		"$T/symbols" || fail "it should not have these"
}
