# SPDX-License-Identifier: Apache-2.0
#
# blocks.awk -v out=FOLDER DOCUMENT: writes each fenced block of a document to FOLDER/LINE and prints
# "LINE KIND WHEN" for it: WHEN is check, check-all or never. What breaks the rules is printed as "LINE ! WHY".
#
#   ```sh     commands, run by session.sh in `make check`; after <!-- run by make check-all: WHY --> only there, after
#             <!-- not run: WHY --> never (the comment is the line before the block)
#   ```conf   an mtls.conf        ```c  compiles        ```text, ```ini, ```xml  anything else
#
# Indented blocks have no kind, so there may be none.

function wrong(why) { print NR " ! " why }

/^ *```/ && !inside {
	kind = $0
	sub(/^ *```/, "", kind)
	inside = NR
	asked = 0
	when = "check"
	if (kind !~ /^(sh|conf|c|text|ini|xml)$/)
		wrong("the block has no kind that is known: \"" kind "\"")
	if (before ~ /^<!-- not run: .+ -->$/)
		when = "never"
	else if (before ~ /^<!-- run by make check-all: .+ -->$/)
		when = "check-all"
	else if (before ~ /^<!--.*run/)
		wrong("not understood: " before)
	if (when != "check" && kind != "sh")
		wrong("only ```sh is run")
	printf "" >(out "/" inside)
	next
}
/^ *```/ {
	print inside, kind, when
	close(out "/" inside)
	inside = 0
	before = ""
	next
}
inside {
	print >(out "/" inside)
	next
}
/^(    |\t)/ && before == "" { wrong("an indented block: put it between fences, with a kind") }
/^<!-- (not run|run by)/ { asked = NR }
asked && asked < NR { wrong("the comment above belongs to no block"); asked = 0 }
{ before = $0 }
END {
	if (inside)
		wrong("the block of line " inside " does not end")
}
