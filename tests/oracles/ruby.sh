# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# The tests of Ruby's openssl against the Ruby that is installed. A unit is Class#test.

prepare() {
	version=$(/usr/bin/ruby -ropenssl -e 'print RUBY_VERSION' 2>/dev/null) || cannot "ruby is not installed"
	fetch "ruby${version%.*}"
	[ "${folder##*-}" = "$version" ] || cannot "the tests are of ${folder##*-}, and $version is installed"
}

# With -v each test has a line when it has ended, and those that are not ok a paragraph after all of them.
# shellcheck disable=SC2016 # it is awk
report='
/^\[ *[0-9]+\/[0-9]+\] / { sub(/^\[[^]]*\] /, ""); result[$1] = "ok" }
paragraph { sub(/:$/, "", $1); result[$1] = paragraph; paragraph = "" }
/^ *[0-9]+\) (Failure|Error|Timeout):/ { paragraph = "failed" }
/^ *[0-9]+\) Skipped:/ { paragraph = "skipped" }
END { for (name in result) print name, result[name] }'

run_tests() { # [UNIT...]
	local which=() names
	names=$(IFS='|' && echo "$*")
	[ -z "$names" ] || which=(-n "/^($names)\$/")
	cd "$folder" || return
	timeout --foreground 300 env "${shim[@]}" /usr/bin/ruby -Itool/lib -Itest -Itest/openssl -e 'require "test/unit"
		require "core_assertions"
		%w[ssl ssl_session pair].each { |name| require File.expand_path("test/openssl/test_#{name}.rb") }' \
		-- -v "${which[@]}" >"$T/output" 2>&1
	awk "$report" "$T/output"
}
