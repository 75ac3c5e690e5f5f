# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs every program of tests/explain/programs.tsv that is installed here with the probe against a server,
# and compares what it calls, and what `mtls-run --explain` says of it, with the committed table.

deadline=600 # some two seconds a program, and longer on a busy machine

test_programs_call_what_the_table_says() {
	local status=0
	[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = 'debian 12' ] || skip "the table is of Debian 12"
	"$TOP/tests/explain/record.sh" -c >said 2>why_not || status=$?
	cat said why_not
	[ $status = 0 ] || fail "$(cat why_not)"
	[[ $(tail -n 1 said) =~ ^([0-9]+)\ programs ]] || fail "no count: $(tail -n 1 said)"
	[ "${BASH_REMATCH[1]}" -ge 8 ] || fail "too few programs were run: $(tail -n 1 said)"
}
