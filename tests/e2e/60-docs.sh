# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# README.md and docs/: each block of commands is run (tests/docs/session.sh says how), each mtls.conf is understood, each
# piece of C compiles, each link leads somewhere.

# shellcheck source=tests/docs/document.sh
. tests/docs/document.sh

deadline=60
parallel=2

# A test for each document that has something to run.
for name in $(documents); do
	! has_blocks "$name" check || eval "test_run_$(basename "${name,,}" .md)() { document $name; }"
done

test_each_block_has_a_kind() {
	local name count=0
	for name in $(documents); do
		blocks "$TOP/$name"
		count=$((count + $(wc -l <list)))
	done
	[ $count -ge 10 ] || fail "only $count blocks"
}

# of_kind KIND COMMAND: for each such block, with its file and the document's name
of_kind() {
	local name line kind when count=0
	for name in $(documents); do
		blocks "$TOP/$name"
		while read -r line kind when; do
			[ "$kind" = "$1" ] || continue
			"$2" "blocks/$line" "$name, line $line"
			count=$((count + 1))
		done <list
	done
	[ $count -gt 0 ] || fail "there is no such block"
}

compiles() {
	"${CC:-cc}" -std=c11 -Wall -Werror -fsyntax-only -I"$TOP" -I"$TOP/firmware" -x c "$1" 2>said || fail "$2: $(<said)"
}

test_c_compiles() { of_kind c compiles; }

understood() {
	[ -d d ] || cp -r "$PKI/device" d
	cp "$1" d/mtls.conf
	"$RUN" -d d true 2>said || fail "$2: $(<said)"
	! grep . said || fail "$2: $(<said)"
}

test_conf_is_understood() { of_kind conf understood; }

# The twin: what is wrong in a document is noticed.
test_a_wrong_document_is_noticed() {
	local text why
	while IFS='|' read -r text why; do
		rm -rf room home why
		printf '%b\n' "$text" >wrong.md
		! (document wrong.md >said 2>&1) || fail "not noticed: $text"
		mv why complaint
		expect_text complaint "$why"
	done <<-'END'
		```\nx\n```|the block has no kind
		```bash\nx\n```|the block has no kind
		text\n\n    x|an indented block
		```text\nx|does not end
		<!-- not run -->\n```sh\nx\n```|not understood
		<!-- not run: it is long -->\n```text\nx\n```|only ```sh is run
		<!-- not run: it is long -->\n\n```sh\nx\n```|belongs to no block
		```text\nx\n```|nothing was run
		```sh\nfalse\n```|line 1: exit 1: false
		```sh\ntrue\nfalse\ntrue\n```|line 1: exit 1: false
		x\n```sh\n$ false\n```|line 2: exit 1: false
		```sh\n$ false\n$ echo $?\n2\n```|expected "2", it says "1"
		```sh\n$ echo a\nb\n```|expected "b", it says "a"
		```sh\n$ echo a\n```|expected "", it says "a"
		```sh\n$ echo abc\na…d\n```|expected "a…d"
		```sh\n$ echo aXb\na*b\n```|expected "a*b"
		```sh\nsleep 20 & sleep 0\n```|left running
	END
}

# And what is right is not: output, patterns, exit statuses, one shell for all blocks.
test_a_right_document_passes() {
	cat >right.md <<-'END'
		```sh
		$ echo "a * [b] (c)"; echo d
		a * [b] (c)
		d
		$ seq 3
		1
		…3
		$ false
		$ echo $?
		1
		$ echo one \
		      two
		one two
		$ a=5
		```
		```sh
		test "$a" = 5
		cd "$HOME"
		```
		```sh
		$ basename "$PWD"
		home
		$ python3 -u -m http.server --bind 127.0.0.1 "$PORT" >log 2>&1 &
		$ kill %1
		$ python3 -u -m http.server --bind 127.0.0.1 "$PORT" >log 2>&1 &
		$ curl -sI "http://127.0.0.1:$PORT/" | head -n 1
		HTTP/1.0 200 OK…
		$ kill %1
		```
	END
	document right.md
}

# slugs DOCUMENT: the anchors of its headings, as GitHub and others make them
slugs() {
	sed -n '/^```/,/^```/d; s/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^[:alnum:] _-]//g; s/ /-/g'
}

# dead_links DOCUMENT: a line for each
dead_links() {
	local folder target file anchor
	folder=$(dirname "$1")
	while read -r target; do
		case $target in
		http://* | https://* | mailto:*) continue ;;
		esac
		file=${target%%#*} anchor=
		[[ $target != *'#'* ]] || anchor=${target#*#}
		file=${file:+$folder/$file}
		[ -e "${file:-$1}" ] || { echo "$target: no such file"; continue; }
		[ -z "$anchor" ] || slugs "${file:-$1}" | grep -qxF -e "$anchor" || echo "$target: no such heading"
	done < <(sed '/^```/,/^```/d' "$1" | grep -oE '\]\([^) ]+|(src|href)="[^"]+' | sed 's/^](//; s/.*="//')
	# and files of the tree that are only named
	while read -r target; do
		[ -e "$TOP/$target" ] || echo "$target: no such file"
	done < <(sed '/^```/,/^```/d' "$1" | grep -oE '(^|[ (`])(docs|tests|packaging|core|host|shim|launcher|firmware)/[A-Za-z0-9_/.-]*[A-Za-z0-9_]' | sed 's/^[ (`]//')
}

test_links_lead_somewhere() {
	local name
	for name in $(documents) $(cd "$TOP" && ls examples/README.md examples/*/README.md); do
		dead_links "$TOP/$name" | sed "s|^|$name: |"
	done >dead
	[ ! -s dead ] || fail "$(<dead)"
}

# Whoever shows the picture fetches nothing for it, and it is dark where the page is.
test_pictures() {
	local file count=0
	for file in "$TOP"/docs/*.svg; do
		python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$file" 2>said || fail "$(basename "$file"): $(tail -n 1 said)"
		! grep -nE 'href|url\([^#]|@import|@font-face|<image|<script' "$file" || fail "$(basename "$file"): needs more than itself"
		grep -q 'prefers-color-scheme: dark' "$file" || fail "$(basename "$file"): has no dark colours"
		grep -q '<title' "$file" || fail "$(basename "$file"): has no title for who cannot see it"
		count=$((count + 1))
	done
	[ $count -gt 0 ]
}

test_a_dead_link_is_noticed() {
	mkdir sub
	printf '# The One, and Only!\n[a](#the-one-and-only) [b](sub/b.md#c-d) [c](https://x.test/)\n```text\n[d](none)\n```\n' >a.md
	printf '## C `d`\n[a](../a.md) `tests/docs/blocks.awk`, tests/e2e/run.\n' >sub/b.md
	dead_links a.md >dead
	dead_links sub/b.md >>dead
	[ ! -s dead ] || fail "$(<dead)"
	printf '[a](#only) [b](sub/b.md#e) [c](sub/c.md) <img src="sub/i.svg"> docs/NONE.md\n' >a.md
	dead_links a.md >dead
	[ "$(wc -l <dead)" = 5 ] || fail "$(<dead)"
}

# --- reason words: core/reason.def is the one table ---------------------------

# reasons: WORD STATE SENTENCE REMEDY between tabs, a line each
reasons() {
	"${CC:-cc}" -I"$TOP" -o reasons -x c - <<-'C'
		#include <stdio.h>
		int main(void)
		{
		#define MTLS_REASON(id, word, state, sentence, remedy) puts(word "\t" #state "\t" sentence "\t" remedy);
		#include "core/reason.def"
			return 0;
		}
	C
	./reasons >table
	[ "$(wc -l <table)" -ge 28 ] || fail "only $(wc -l <table) words"
}

# paragraph WORD: what stands below its heading
paragraph() {
	awk -v heading="### \`$1\`" '/^##/ { inside = $0 == heading; next } inside' "$TOP/docs/TROUBLESHOOTING.md"
}

test_each_word_has_its_paragraph() {
	local word state sentence remedy count
	reasons
	while IFS=$'\t' read -r word state sentence remedy; do
		count=$(grep -cxF "### \`$word\`" "$TOP/docs/TROUBLESHOOTING.md") || true
		[ "$count" = 1 ] || { echo "$word: $count headings"; continue; }
		paragraph "$word" | grep -qxF "> $sentence${remedy:+; $remedy}" || echo "$word: its line is not: > $sentence${remedy:+; $remedy}"
		[ "$(paragraph "$word" | grep -v '^>' | wc -w)" -ge 8 ] || echo "$word: nothing but its line"
	done <table >complaints
	sed -n 's/^### `\(.*\)`$/\1/p' "$TOP/docs/TROUBLESHOOTING.md" | grep -vxFf <(cut -f1 table) | sed 's/$/: no such word/' >>complaints || true
	[ ! -s complaints ] || fail "$(<complaints)"
}

test_settings_table_is_the_words() {
	reasons
	awk -F'\t' '{ print "| `" $1 "` | " $3 " | " ($4 == "" ? "–" : $4) " |" }' table >expected
	sed -n '/^## Reason words/,/^## /p' "$TOP/docs/SETTINGS.md" | grep '^| `' >rows
	diff expected rows >differences || fail "$(<differences)"
}

# What a program is told of an agent has a row: its beginning, up to the remedy or the detail.
test_each_sentence_of_an_agent() {
	"${CC:-cc}" -I"$TOP" -D_GNU_SOURCE -o sentences -x c - "$TOP"/core/*.c "$TOP/host/agent.c" <<-'C'
		#include "host/agent.h"
		#include <stdio.h>
		int main(void)
		{
			for (int i = MTLS_AGENT_READY + 1; i <= MTLS_AGENT_LACK; i++)
				puts(mtls_agent_sentence((enum mtls_agent_state)i));
			return 0;
		}
	C
	./sentences | sed 's/[;:].*//' | sort -u >expected
	paragraph agent-unavailable | sed -n 's/^| \(.*\) |.*/\1/p' | sed 's/ | .*//' | grep -vx 'it says\|---' | sort >rows
	[ "$(wc -l <expected)" -ge 12 ]
	diff expected rows >differences || fail "$(<differences)"
}

# By a test that runs a program or a command and compares the word, or the sentence that a person sees, with what came.
test_each_word_is_provoked() {
	local word state sentence remedy asserted='(reason=|says |keeps |broken |withheld |not_sent |"usable: |\|)'
	reasons
	while IFS=$'\t' read -r word state sentence remedy; do
		grep -qE "$asserted${word}(\\||[ \"';]|\$)|state 0 \"$word: " "$TOP"/tests/e2e/[0-9]*.sh || echo "$word"
	done <table >untested
	[ ! -s untested ] || fail "no test provokes: $(<untested)"
}

# --- what was recorded ----------------------------------------------------------

test_compatibility_is_up_to_date() {
	"$TOP/tests/docs/compatibility.sh" "$T/again.md"
	diff "$TOP/docs/COMPATIBILITY.md" again.md >differences || fail "run tests/docs/compatibility.sh: $(head -n 5 differences)"
	[ "$(grep -c '^|' again.md)" -ge 40 ] || fail "the tables are missing"
}
