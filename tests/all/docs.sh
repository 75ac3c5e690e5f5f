# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The documents again, with the blocks that take too long for `make check`.

# shellcheck source=tests/docs/document.sh
. tests/docs/document.sh

deadline=300

for name in $(documents); do
	! has_blocks "$name" check-all || eval "test_run_$(basename "${name,,}" .md)() { document $name check-all; }"
done
