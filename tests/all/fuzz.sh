# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# libFuzzer on each target of tests/fuzz, from its corpus, for FUZZ_SECONDS (30), and on the firmware's (tests/firmware/fuzz)
# for twice as long: nothing crashes, leaks, or stands still. The corpora alone are replayed in `make check`.

FUZZ_SECONDS=${FUZZ_SECONDS:-30}
deadline=$((2 * FUZZ_SECONDS + 120)) # with the compiler's time
parallel=2

# run TARGET SECONDS [VARIABLE=VALUE]: make's target
run() {
	as_caller make -s -C "$TOP" "$1" "FUZZ_SECONDS=$2" "${@:3}" >log 2>&1 || fail "$(grep -m 1 -E 'ERROR|error|\*\*\*' log)"
}

for file in "$TOP"/tests/fuzz/fuzz_*.c; do
	name=$(basename "$file" .c)
	eval "test_${name#fuzz_}() { run fuzz $FUZZ_SECONDS FUZZ=${name#fuzz_}; }"
done

# They are made of the same objects: built at once, before two of them run side by side.
if [ -x "$BUILD/mtls-device" ]; then
	setup() {
		as_caller make -s -j2 -C "$TOP" fuzz-firmware >"$W/make" 2>&1 || fail "$(grep -m 1 -E 'error|\*\*\*' "$W/make")"
	}
	test_vault() { run fuzz-vault $((2 * FUZZ_SECONDS)); }
	test_console() { run fuzz-console $((2 * FUZZ_SECONDS)); }
fi
