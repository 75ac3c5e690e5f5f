# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: Apache-2.0
# Two Perl modules' own tests against the modules as installed. A unit is a file of tests.

prepare() {
	local module=IO::Socket::SSL package=libio-socket-ssl-perl
	[ "$suite" = io-socket-ssl ] || module=Net::SSLeay package=libnet-ssleay-perl
	version=$(perl "-M$module" -e "print \$${module}::VERSION" 2>/dev/null) || cannot "$module is not installed"
	fetch $package
	[ "${folder##*-}" = "$version" ] || cannot "the tests are of ${folder##*-}, and $version is installed"
}

# TAP as Test::Harness reads it. A test goes by its description, because processes that write side by side share the
# numbers; ports and addresses are left out, and what occurs twice is counted.
# shellcheck disable=SC2016 # it is awk
tap='
function result(name, what) {
	gsub(/0x[0-9a-f]+|[0-9]+/, "N", name)
	gsub(/[ \t]+/, "_", name)
	print file "|" name "#" ++seen[name], what
}
/^1\.\.0/ { none = 1 }
/^1\.\.[0-9]/ { plan = substr($1, 4) + 0; planned = 1 }
/^(not )?ok( |$)/ {
	what = /^not/ ? "failed" : "ok"
	sub(/^(not )?ok */, "")
	sub(/^[0-9]+ *-? */, "")
	if (/# *SKIP/) what = "skipped"
	if (/# *TODO/) what = "ok"
	result($0, what)
	count++
}
END { print file, none ? "skipped" : status == 0 && planned && count == plan ? "ok" : "failed" }'

run_tests() { # [UNIT...]
	local file status paths=(-I t/lib -I .)
	cp -r "$folder" "$T/source" # the tests write beside themselves
	cd "$T/source" || return
	if [ $# = 0 ] && [ "$suite" = io-socket-ssl ]; then
		set -- t/*.t
	elif [ $# = 0 ]; then
		set -- t/local/*.t t/handle/local/*.t
	fi
	[ "$suite" = io-socket-ssl ] || paths=(-I inc)
	for file; do
		timeout --foreground 120 env "${shim[@]}" perl "${paths[@]}" "$file" >"$T/tap" 2>>"$T/output"
		status=$?
		awk -v file="$file" -v status=$status "$tap" "$T/tap"
	done
}
