# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A part of the table of faults, docs/FAULTS.md: a few places of each fault for the two probes. All places and the real
# clients: tests/all/faults.sh.

# shellcheck source=tests/faults/drive.sh
. tests/faults/drive.sh

deadline=120
parallel=2

part() {
	[ -x "$BUILD/tests/sweep" ] || skip "the faults are made for x86-64"
	fault_servers
	fault_column "$1"
	fault_compare "$1" >>complaints
	[ ! -s complaints ] || fail "$(head -c 1500 complaints)"
	[ "$(wc -l <cells)" -ge 40 ] || fail "only $(wc -l <cells) lines"
}

test_openssl() {
	part openssl
}

test_gnutls() {
	part gnutls
}

# The committed table is whole and has nothing in it that is not explained.
test_the_table_is_sound() {
	local client
	for client in "${fault_clients[@]}"; do
		committed "$client" >column
		[ "$(wc -l <column)" -ge 50 ] || fail "$client: only $(wc -l <column) lines"
		! grep -qE "$fault_bad|	\$" column || fail "$client: $(grep -E "$fault_bad|	\$" column | head -n 1)"
	done
	cut -d '	' -f 1 column | sort | uniq -d >twice
	[ ! -s twice ] || fail "twice: $(cat twice)"
}

# The twin: what a table does not have is noticed, and what came of a fault where nothing may.
test_a_difference_is_noticed() {
	local client=curl cell
	committed curl >cells
	fault_compare curl full >complaints
	[ ! -s complaints ] || fail "$(cat complaints)"
	sed 's/^\(stat fails[^\t]*\)\t.*/\1\t3 none/' "$T/committed" >cells
	fault_compare curl full >complaints
	expect_text complaints 'curl, stat fails (EIO): 3 none'
	expect_text complaints 'never presented any more'
	: >complaints
	cell='4 presented, 1 wrong'
	line 'stat fails (EIO)' 'presented none'
	expect_text complaints 'curl, stat fails (EIO): wrong'
}
