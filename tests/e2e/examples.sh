# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For 27-examples.sh and tests/all/examples.sh: runs the README of an example as people would, word for word. Its fenced
# blocks are taken in their order. A block "sh WORD" is run by `step WORD` (readers do not see the word); a "text" block
# after it is what the reader is told to see: each of its lines must have been printed, where … stands for anything and
# 8443 for the port. Nothing of the README may be left over in the end.
#
#   example NAME   the working folder is a copy of examples/NAME; $port (the README's $PORT) and the next one are free
#   step WORD      runs the next block; $rc as with attempt
#   works WORD, fails WORD
#   serve READY [WORD]   the next block, "server" or WORD, starts one; READY (a command) tells when it serves
#   served_with_us   blocks "refused" and "served": our server sees device-7, and nobody without us
#   said TEXT      the server printed TEXT, or will soon
#   stranger CMD..   the server refuses another's certificate
#   the_end        no block is left

# shellcheck source=tests/e2e/real.sh
. tests/e2e/real.sh

example() {
	cp -r "$TOP/examples/$1" "$T/$1"
	mkdir "$T/blocks"
	cd "$T/$1"
	awk -v to="$T/blocks" '
		!/^```/ { if (file) print >file; next }
		file { file = ""; next }
		{ sub(/^```/, ""); sub(/ /, "."); file = sprintf("%s/%02d.%s", to, ++n, $0); printf "" >file }' README.md
	block=0
	until port_choose && ! (: <>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; do :; done
	export PORT=$port PATH=$BUILD:/usr/sbin:/usr/bin:/sbin:/bin
}

# next_block KIND: $taken, if the next block is of that kind
next_block() {
	taken=$(printf '%s/blocks/%02d.%s' "$T" $((block + 1)) "$1")
	[ -e "$taken" ] && block=$((block + 1))
}

step() {
	next_block "sh.$1" || fail "block $((block + 1)) of the README is not \"sh $1\""
	attempt sh -eu "$taken"
	sed "s/^/$1: /" "$T/out" "$T/err"
	! next_block text || shown "$taken" "$T/out" "$T/err"
}

# shown TEXT FILE...
shown() {
	local line
	while IFS= read -r line; do
		line=$(sed 's/[][\.*^$+?(){}|]/\\&/g; s/…/.*/g' <<<"${line//8443/$port}")
		grep -qE -e "$line" "${@:2}" || fail "the README shows what was not printed: $line; $(cat "${@:2}" | tail -c 500)"
	done <"$1"
}

works() {
	step "$1"
	expect_rc 0
}

fails() {
	step "$1"
	[ "$rc" != 0 ] || fail "worked: $(head -c 300 "$T/out")"
}

serve() {
	local word=${2-server}
	next_block "sh.$word" || fail "block $((block + 1)) of the README is not \"sh $word\""
	sh -eu "$taken" </dev/null >"$T/$word.said" 2>&1 {life}>&-
	until_true 15 "$1" || fail "the $word does not start: $(tail -n 1 "$T/$word.said")"
}

server_said() {
	grep -qF -e "$1" "$T/server.said"
}

said() {
	until_true 5 server_said "$1" || fail "expected \"$1\" at the server: $(tail -n 3 "$T/server.said")"
}

stranger() {
	attempt mtls-run -d "$PKI/device" "$@"
	[ "$rc" != 0 ] || fail "the server takes any certificate"
	said 'certificate verify failed'
}

the_end() {
	local blocks=("$T"/blocks/*)
	[ "$block" = ${#blocks[@]} ] || fail "block $((block + 1)) of the README was not run: ${blocks[block]##*/}"
}

served_with_us() {
	serve listening
	fails refused
	said 'peer did not return a certificate'
	! server_said device-7 || fail "the server saw us"
	works served
	said device-7
}
