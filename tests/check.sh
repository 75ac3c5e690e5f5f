#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check.sh [all | firmware]: runs every test that is built, or those of the firmware, and sums up. Called by `make check`,
# `make check-all` and `make firmware-check`.
# The last line is plain: N passed, N failed.
set -u
cd "$(dirname "$0")/.." || exit 2
export BUILD=${BUILD:-build}
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

part() { # NAME COMMAND...: its last "N passed, N failed" line counts
	local counts start=$SECONDS status
	echo "== $1"
	"${@:2}" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
	if [ -z "$counts" ] || { [ "$status" != 0 ] && [[ $counts == *" 0 failed"* ]]; }; then
		echo "FAIL $1: ended with exit status $status and no count"
		counts="0 passed, 1 failed"
	fi
	passed=$((passed + $(echo "$counts" | grep -oE '^[0-9]+')))
	failed=$((failed + $(echo "$counts" | grep -oE '[0-9]+ failed' | grep -oE '[0-9]+')))
	skipped=$((skipped + $(echo "$counts, 0 skipped" | grep -oE '[0-9]+ skipped' | head -n 1 | grep -oE '[0-9]+')))
	echo "== $1: $((SECONDS - start)) s"
}

unit() { # COMMAND...: the summaries of Check that it prints, in our words
	local said status
	said=$("$@" 2>&1)
	status=$?
	echo "$said" | grep -vE '^(Running suite| [a-z]|[0-9]+%)'
	echo "$said" | sed -n 's/.*Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' |
		awk '{ all += $1; bad += $2 + $3 } END { print all - bad " passed, " bad + 0 " failed" }'
	return $status
}

# Its suites side by side, with the same random numbers; the power cuts, which take longest, come first.
vault() {
	export VAULT_SEED=${VAULT_SEED:-$RANDOM}
	echo "VAULT_SEED=$VAULT_SEED"
	"$BUILD/tests/vault" list | xargs -P "$(nproc)" -n 1 "$BUILD/tests/vault"
}

corpora() { # TARGET...: what is committed, and what was made of keys
	local target good=0 bad=0
	for target; do
		if find "tests/fuzz/corpus/$target" "$BUILD/fuzz/seeds/$target" -type f -print0 2>/dev/null |
			xargs -0 "$BUILD/tests/replay-$target" >/dev/null 2>"$log.fuzz"; then
			good=$((good + 1))
			echo "ok corpus-$target"
		else
			bad=$((bad + 1))
			echo "FAIL corpus-$target: $(head -n 3 "$log.fuzz" | tr '\n' ' ')"
		fi
		rm -f "$log.fuzz"
	done
	echo "$good passed, $bad failed"
	[ $bad = 0 ]
}

device() { # NAME PATTERN VARIABLE=VALUE...
	part "device-$1" env "${@:3}" tests/e2e/run -k "$2" tests/firmware/net/*.sh
}

# The vault; the device on this machine, whole; the same in QEMU, the main things. With all: whole there too, more kills,
# and the device under sanitizers (valgrind and libFuzzer: tests/all).
firmware() {
	local main='*/@(p256_tls1[23]|rsa_tls1[23]|s_server|not_asked|removed|no_ca|wrong_name|wrong_ca|expired_server|unlisted_host|verbs|power_cuts|power_search)'
	local small='*/@(p256_tls1[23]|s_server|not_asked|removed|no_ca|wrong_name|expired_server|unlisted_host|verbs)'
	local long=
	if [ "$what" = all ]; then
		main='*' long=1
		# All but RSA, P-384, chains over 4 kB, and what has both kinds of keys: power.sh.
		small='*/@(p256_*|too_long_chain|address_*|large_letters|s_server|not_asked|no_credential|removed|unlisted_*|listed_host|only_if|log_off|no_ca|wrong_*|expired_server|many_issuers|server_chain|garbage|close|reset|nobody_listens|chunked_megabyte|not_http|cut_off|renegotiation|help|words|not_whole|stalled|verbs|dangling_link|image*|json*)'
	fi
	part vault unit vault
	part firmware-corpora corpora vault console
	device host '*' BOARD=host
	device an500 "$main" BOARD=an500 LONG=$long
	device small "$small" BOARD=an500-small
	part small tests/e2e/run tests/firmware/small.sh
	device an505 "$main" BOARD=an505 LONG=$long
	part trustzone tests/e2e/run tests/firmware/an505.sh
	[ "$what" != all ] || device sanitized '@(console|device|hostile)/*' BOARD=host SAN=address,undefined \
		DEVICE="$(realpath -m "$BUILD/san/mtls-device")"
}

# Where the sources cannot be had it is not built; fetch.sh has said why.
no_firmware() {
	echo "skip firmware: it is not built"
	if [ -n "${CI-}" ]; then
		echo "0 passed, 1 failed"
	else
		echo "0 passed, 0 failed, 1 skipped"
	fi
}

what=${1-}
case $what in
'' | all)
	part gates tests/gates.sh
	part unit unit "$BUILD/tests/unit"
	# shellcheck disable=SC2086 # words on purpose
	part corpora corpora $FUZZ
	part end-to-end tests/e2e/run
	;;
firmware) ;;
*)
	echo "usage: tests/check.sh [all | firmware]" >&2
	exit 64
	;;
esac
if [ -x "$BUILD/mtls-device" ]; then
	firmware
else
	part firmware no_firmware
fi
[ "$what" = all ] && part long tests/all/run

if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed = 0 ] && [ $passed -gt 0 ]
