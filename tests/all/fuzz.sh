# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# libFuzzer on each target of tests/fuzz, from its corpus, for FUZZ_SECONDS (30): nothing
# crashes, leaks, or stands still. The committed corpora alone are replayed in `make check`.

FUZZ_SECONDS=${FUZZ_SECONDS:-30}
deadline=$((FUZZ_SECONDS + 120)) # with the compiler's time
parallel=2

fuzz() {
	make -s -C "$TOP" fuzz "FUZZ=$1" "FUZZ_SECONDS=$FUZZ_SECONDS" >log 2>&1 ||
		fail "$(grep -m 1 -E 'ERROR|error|\*\*\*' log)"
}

for file in "$TOP"/tests/fuzz/fuzz_*.c; do
	name=$(basename "$file" .c)
	eval "test_${name#fuzz_}() { fuzz ${name#fuzz_}; }"
done
