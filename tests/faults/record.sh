#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# record.sh: writes the table in docs/FAULTS.md anew, below its mark, by tests/all/faults.sh; some minutes. BUILD names
# the build folder (default build). Nothing is written where a client misses or something is unexplained.
set -eu
cd "$(dirname "$0")/../.."
clients=(openssl gnutls curl python wget) # as in drive.sh
mark='<!-- below: tests/faults/record.sh -->'
FAULT_CELLS=$(mktemp -d)
export FAULT_CELLS
trap 'rm -rf "$FAULT_CELLS"' EXIT

tests/e2e/run tests/all/faults.sh
grep -qxF "$mark" docs/FAULTS.md
sed -i "\|^$mark\$|q" docs/FAULTS.md
awk -F '\t' -v clients="${clients[*]}" '
	{ client = FILENAME; sub(/.*\//, "", client) }
	!($1 in place) { place[$1] = ++n; text[n] = $1 }
	{ cell[$1, client] = $2 }
	END {
		m = split(clients, column, " ")
		row = "| fault"; rule = "|---"
		for (i = 1; i <= m; i++) { row = row " | " column[i]; rule = rule "|---" }
		print row " |"; print rule "|"
		for (k = 1; k <= n; k++) {
			row = "| " text[k]
			for (i = 1; i <= m; i++) row = row " | " ((text[k], column[i]) in cell ? cell[text[k], column[i]] : "-")
			print row " |"
		}
	}' "${clients[@]/#/$FAULT_CELLS/}" >>docs/FAULTS.md
