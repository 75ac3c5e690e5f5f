# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# CPython's own test_ssl, a large program that checks libssl's behaviour closely, and test_httplib, as `make oracles` runs
# them: without the shim, inert and armed (tests/oracles/run). They are installed; nothing has to be fetched or built.

deadline=500

test_transparent() {
	"$TOP/tests/oracles/run" test_ssl test_httplib
}
