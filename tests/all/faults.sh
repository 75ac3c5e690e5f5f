# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The table of faults, docs/FAULTS.md, made anew for each client: nothing may be in it that the committed one does not
# have. FAULT_CELLS names a folder where the columns are put, for tests/faults/record.sh.

# shellcheck source=tests/faults/drive.sh
. tests/faults/drive.sh

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh

deadline=900
parallel=2

column() {
	[ -x "$BUILD/tests/sweep" ] || skip "the faults are made for x86-64"
	fault_there "$1" || skip "$1 is not installed, or has another TLS library"
	fault_servers
	fault_column "$1" full
	[ -z "${FAULT_CELLS-}" ] || cp cells "$FAULT_CELLS/$1"
	[ -n "${FAULT_CELLS-}" ] || fault_compare "$1" full >>complaints
	cat cells
	[ ! -s complaints ] || fail "$(head -c 1500 complaints)"
}

test_curl() {
	column curl
}

test_gnutls() {
	column gnutls
}

test_openssl() {
	column openssl
}

test_python() {
	column python
}

test_wget() {
	column wget
}
