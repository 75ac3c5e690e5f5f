# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent --ingest, killed or failed at any step, on a full disk, and while somebody writes into the inbox: nothing is
# lost. Each system call in turn, and a disk that is searched afterwards: tests/all/ingest.sh.

# shellcheck source=tests/e2e/ingest.sh
. tests/e2e/ingest.sh

parallel=2
deadline=120

setup() { fault_library "$W/fault.so"; }

new=key/ec-pkcs8-aes-256-cbc

# faulty N ERRNO: ingest whose Nth step fails, 0: kills; its steps are in $steps
faulty() {
	attempt env FAULT_AT="$1" FAULT_ERRNO="$2" LD_PRELOAD="$W/fault.so" "$probes/ingest" in d 9>steps
	steps=$(<steps)
}

# prepare BEFORE: a full inbox, and d as it was before
prepare() {
	rm -rf d
	[ "$1" = none ] || cp -a "$1" d
	inbox "$PKI/$new"
	echo 'hosts = *.example' >in/$conf
}

in_force() { cat "$1/$cert" "$1/$key" "$1/$pass" "$1/$conf" 2>/dev/null | sha256sum; }

# The inbox has all of it, or d has; d has the old or the new; nobody can read a key.
expect_sane() {
	local now
	now=$(in_force d)
	[ "$now" = "$new_sum" ] || [ "$(in_force in)" = "$new_sum" ] || fail "lost: $1"
	[ "$now" = "$new_sum" ] || [ "$now" = "$old_sum" ] || fail "torn: $1: $(ls -lAR d)"
	[ -z "$(find d in -name "*$key*" -type f -perm /077 2>/dev/null)" ] || fail "open to others: $1"
}

at_each_step() {
	local n before=$1 last old_sum new_sum
	prepare "$before"
	new_sum=$(in_force in)
	old_sum=$(in_force d)
	faulty 0 0
	expect_rc 0
	last=$(wc -w <steps)
	[[ $steps = *'renameat fsync '*'renameat renameat renameat renameat fsync '*'pwrite fsync unlinkat '*'fsync ' ]] || fail "not durable: $steps"
	for ((n = 1; n <= last; n++)); do
		prepare "$before"
		faulty "$n" 28
		[ "$rc" = 0 ] || expect_rc 1
		[ "$rc" = 0 ] || grep -q 'No space left on device' err || fail "said: $(<err)"
		expect_sane "$steps"
		ingest
		expect_rc 0
		expect_inbox_clear
		[ "$(in_force d)" = "$new_sum" ] || fail "not finished after $steps"
		prepare "$before"
		faulty "$n" 0
		expect_rc 137
		expect_sane "$steps"
		ingest
		expect_rc 0
		expect_inbox_clear
		[ "$(in_force d)" = "$new_sum" ] || fail "not finished after $steps"
		[ "$(find d -type f | wc -l)" = 4 ] || fail "left behind after $steps: $(find d)"
	done
}

test_a_fault_or_a_kill_at_any_step() { at_each_step none; }

test_the_same_over_another() {
	inbox "$PKI/device-rsa"
	echo 'issuer = match' >in/$conf
	moved "$PKI/device-rsa"
	mv d before
	at_each_step before
}

test_the_same_over_plain_files() {
	mkdir before
	cp "$PKI/key/rsa-pkcs8-scrypt/"* before
	at_each_step before
}

test_full_disk() {
	local before
	inbox "$PKI/device"
	moved "$PKI/device"
	inbox "$PKI/device-rsa"
	before=$(snapshot in; find d -name '*.pem' | sort)
	attempt sh -c 'ulimit -f 0; trap "" XFSZ; exec "$@" 2>&1' - "$probes/ingest" in d
	expect_rc 1
	[ "$(snapshot in; find d -name '*.pem' | sort)" = "$before" ] || fail "changed: $(find in d)"
	mkdir full
	unshare -m mount -t tmpfs none full 2>/dev/null || skip "no mount namespaces here"
	export probes
	# two pages: the pair fits, no third file does
	unshare -m sh -ec 'mount -t tmpfs -o size=8k,mode=755 none full; cp in/*.pem .; "$probes/ingest" in full 2>err; cp *.pem in
		! "$probes/ingest" in full 2>err; ls in; find full -type f | wc -l; "$CRED" check -d full' >out
	expect_text err 'No space left on device; nothing was moved'
	[[ $(<out) = "$cert"$'\nnotes\n'"$key"$'\n2\nusable: '* ]] || fail "$(<out)"
}

# --- somebody writes meanwhile ------------------------------------------------------------

# delayed CALL: ingest in the background, which stops for a second before its first CALL in the inbox; returns when it stops
delayed() {
	strace -o trace -e trace="$1" -e inject="$1:delay_enter=1000000:when=$2" "$probes/ingest" in d >out 2>err &
	pid=$!
	until_true 10 calls "$1" "$2" || fail "it does not stop: $(cat trace err)"
}
calls() { [ "$(grep -c "^$1(" trace 2>/dev/null)" -ge "$2" ]; }

# A newer file in the place of one that was read stays for the next start; the one that was read is erased.
test_replaced_meanwhile() {
	require strace
	inbox "$PKI/device"
	cp "$PKI/device-rsa"/* .
	exec 5<in/$key
	delayed renameat 4 # the last of the store; then those in the inbox
	mv $key in/$key; mv $cert in/$cert
	wait "$pid" || fail "it failed: $(<err)"
	! grep "\"$key\".*taken" trace || fail "the newer key was taken"
	[ -z "$(tr -d '\0' <&5)" ] || fail "what was read is still there"
	expect_there "$PKI/device"
	moved "$PKI/device-rsa"
}

test_written_meanwhile() {
	require strace
	inbox "$PKI/device"
	delayed renameat 4
	cat "$PKI/device-rsa/$key" >in/$key; cat "$PKI/device-rsa/$cert" >in/$cert
	! wait "$pid" || fail "nothing was said"
	! grep "\"$key\".*taken" trace || fail "the newer key was taken"
	expect_text err "in/$key: somebody has changed it since it was read; it waits for the next start"
	expect_there "$PKI/device"
	moved "$PKI/device-rsa"
}
