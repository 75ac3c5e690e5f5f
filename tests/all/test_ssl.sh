# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# CPython's own test_ssl, a large program that checks libssl's behaviour closely: without the shim, with
# the shim and nothing to present, and with a credential that none of its servers trusts.
# Test by test the results must be the same; with the credential but for test_ssl.allow.

deadline=240
parallel=2

results='
import sys, xml.etree.ElementTree
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    words = [child.tag for child in case if child.tag in ("skipped", "failure", "error")]
    print(case.get("name"), words[0] if words else "ok")'

# suite NAME VARIABLE...: runs it with these; NAME.txt has a line for each test
suite() {
	local name=$1
	shift
	mkdir -p "$W/$name"
	(cd "$W/$name" && timeout 230 env "$@" /usr/bin/python3 -m test --junit-xml "$W/$name.xml" -v test_ssl \
		>"$W/$name.out" 2>&1) || true
	[ -s "$W/$name.xml" ] || fail "test_ssl did not end: $(tail -n 1 "$W/$name.out")"
	/usr/bin/python3 -I -c "$results" "$W/$name.xml" | sort >"$W/$name.txt"
	[ "$(grep -c ' ok$' "$W/$name.txt")" -ge 100 ] || fail "test_ssl ran only $(grep -c ' ok$' "$W/$name.txt") tests"
}

setup() {
	/usr/bin/python3 -c 'import test.test_ssl' || fail "test_ssl is missing: libpython3.11-testsuite"
	suite without
}

test_inert() {
	suite inert "LD_PRELOAD=$LIB" MTLS_LOG=debug "MTLS_LOG_FILE=$T/log"
	grep -q 'hook.*SSL_CTX_new' log || fail "the shim was not there"
	! grep -q ' presented ' log || fail "something was presented"
	diff "$W/without.txt" "$W/inert.txt" || fail "results differ: $(diff "$W/without.txt" "$W/inert.txt" | grep '>' | head -n 3)"
}

test_armed() {
	local name result more=0
	suite armed "LD_PRELOAD=$LIB" "MTLS_DIR=$PKI/device-other" MTLS_LOG=info "MTLS_LOG_FILE=$T/log"
	grep -q ' presented .*CN=device-other' log || fail "nothing was presented"
	while read -r name result; do
		echo "$name: $result"
		grep -q "^${name##*.} " "$TOP/tests/all/test_ssl.allow" || more=$((more + 1))
	done < <(comm -13 "$W/without.txt" "$W/armed.txt")
	[ "$(wc -l <"$W/without.txt")" = "$(wc -l <"$W/armed.txt")" ] || fail "another number of tests"
	[ $more = 0 ] || fail "$more results differ that are not in test_ssl.allow"
}
