# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of mtls-agent --ingest: an inbox `in`, the agent's folder `d`, and tests/probes/ingest.c, which is the
# agent's own code and nothing else.

# shellcheck source=tests/e2e/folder.sh
. tests/e2e/folder.sh

cert=client_cert.pem key=private_key.pem pass=private_key_pass.txt conf=mtls.conf
parts=("$cert" "$key" "$pass" "$conf")

ingest_from() { attempt "$probes/ingest" "$1" "$2"; }
ingest() { ingest_from in d; }

# inbox FOLDER...: in has their files, and two that nobody may touch
inbox() {
	local folder
	rm -rf in
	mkdir -m 700 in
	for folder; do cp "$folder"/* in; done
	echo precious | tee in/notes >in/.hidden
}

# Of what was to be moved no name is left, and nothing else was touched.
expect_inbox_clear() {
	local rest
	rest=$(ls -A in)
	[ "$rest" = $'.hidden\nnotes' ] || fail "in the inbox: ${rest//$'\n'/ }"
	[ "$(cat in/notes in/.hidden)" = $'precious\nprecious' ] || fail "another file was touched"
}

# expect_there FOLDER...: d has their files, byte by byte (the last that has it counts), each with its mode
expect_there() {
	local name folder
	for name in "${parts[@]}"; do
		for folder; do [ ! -e "$folder/$name" ] || cp "$folder/$name" "wanted.$name"; done
		[ ! -e "wanted.$name" ] || cmp "d/$name" "wanted.$name" || fail "$name is another"
	done
	rm -f wanted.*
	[ "$(stat -Lc %a d/$cert d/$key)" = $'644\n600' ] || fail "modes: $(ls -lAR d)"
	[ ! -e d/$pass ] || [ "$(stat -Lc %a d/$pass)" = 600 ] || fail "modes: $(ls -lAR d)"
	[ ! -e d/$conf ] || [ "$(stat -Lc %a d/$conf)" = 644 ] || fail "modes: $(ls -lAR d)"
	"$CRED" check -d d >log || [ $? = 1 ] || fail "not usable: $(<log)"
}

# moved FOLDER...: ingest works, says one line, and the inbox is clear
moved() {
	ingest
	expect_rc 0
	one_line err ': moved to '
	expect_inbox_clear
	expect_there "$@"
}

# refused TEXT...: ingest does not, says each text in a line of its own, and neither folder has changed
refused() {
	local in d text n=0
	in=$(snapshot in)
	d=$([ ! -e d ] || snapshot d)
	ingest
	expect_rc 1
	for text; do
		n=$((n + 1))
		text=${text//[/\\[}
		grep -q "^mtls-agent: .*$text.*; .*nothing was moved$" err || fail "expected \"$text\": $(cat -v err)"
	done
	[ "$(wc -l <err)" = $n ] || fail "said: $(cat -v err)"
	unchanged in "$in"
	[ "$([ ! -e d ] || snapshot d)" = "$d" ] || fail "the agent's folder has changed: $(ls -lAR d)"
}
