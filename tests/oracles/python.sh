# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# CPython's own tests of what stands on its ssl module, as installed. A unit is the full name of a test.

prepare() {
	python=/usr/bin/python3 # a python3 found in PATH may have another libssl
	"$python" -c 'import test.test_ssl, test.test_asyncio' 2>/dev/null || cannot "libpython3-testsuite is not installed"
	version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
}

junit='
import sys, xml.etree.ElementTree
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    words = [child.tag for child in case if child.tag in ("skipped", "failure", "error")]
    print(case.get("name"), words[0].replace("failure", "failed").replace("error", "failed") if words else "ok")'

run_tests() { # [UNIT...]
	local which=()
	[ "$suite" != test_asyncio ] || [ $# != 0 ] || set -- '*ssl*' '*SSL*'
	while [ $# != 0 ]; do
		which+=(-m "$1")
		shift
	done
	timeout --foreground 400 env "${shim[@]}" "$python" -m test --junit-xml "$T/results.xml" -v "$suite" "${which[@]}" >"$T/output" 2>&1
	"$python" -I -c "$junit" "$T/results.xml"
}
