# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The committed table of programs, tests/explain/programs.tsv: it is sound in itself, no
# program counts as covered whose TLS library was seen to escape, and `mtls-run --explain` says today what the table says,
# for each of its programs that is installed here. What was seen is seen again by tests/all/explain.sh.

# shellcheck source=tests/explain/drive.sh
. tests/explain/drive.sh

deadline=90

setup() {
	local line program packages rest
	here=() away=0
	grep -v '^#' "$explain_table" >"$W/table"
	while IFS= read -r line; do
		IFS=$'\t' read -r program packages rest <<<"$line"
		if installed "$packages"; then
			here+=("$line")
		else
			away=$((away + 1))
		fi
	done <"$W/table"
	echo "of the table's programs ${#here[@]} are installed here, $away are not"
}

# complain_of TABLE: a line for each thing that is wrong with it
complain_of() {
	local program packages verdict tls seen presents agrees how expected rows=0 unseen=0
	cut -f1 "$1" | sort | uniq -d | sed 's/$/: is there twice/'
	while IFS=$'\t' read -r program packages verdict tls seen presents agrees how; do
		rows=$((rows + 1))
		[ -n "$how" ] || { echo "$program: a column is missing"; continue; }
		[ "$seen" != - ] || unseen=$((unseen + 1))
		[[ $seen == - && $how == -[a-z]* ]] || [[ $seen != - && $how == *probed\ * ]] ||
			echo "$program: \"$seen\" does not go with what was run"
		[[ $verdict =~ ^(covered|partly|not|unknown)$ ]] || echo "$program: no verdict: $verdict"
		[[ $tls =~ ^(none|[A-Za-z]+[+-](,[A-Za-z]+[+-])*)$ ]] || echo "$program: no libraries: $tls"
		[[ $seen =~ ^(-|none|inside|[A-Za-z]+(,[A-Za-z]+)*)$ ]] || echo "$program: nothing seen: $seen"
		case $seen,$presents in
		-,- | none,- | inside,-) ;;
		none,* | inside,* | -,*) echo "$program: presents it by what?" ;;
		*,yes) ;;
		*,no) [[ $verdict != covered || $how == *' # no: '* ]] || echo "$program: covered, but presents nothing" ;;
		*) echo "$program: does it present the credential? $presents" ;;
		esac
		case $tls in
		none) [ "$verdict" = unknown ] || [ "$verdict" = not ] || echo "$program: $verdict, but by which library?" ;;
		*-*) [ "$verdict" != covered ] || echo "$program: covered, but $tls" ;;
		esac
		expected=$(agreement "$verdict" "$tls" "$seen")
		[ "$expected" != wrong ] || echo "$program: counts as $verdict ($tls), but $seen was seen"
		[ "$expected" = "$agrees" ] || echo "$program: agrees: $expected, not $agrees"
	done <"$1"
	[ $rows -ge 60 ] || echo "only $rows programs"
	[ $((unseen * 3)) -le $rows ] || echo "$unseen of $rows were not run"
	grep -nE '/(home|root|work|tmp|usr/local)/|https?://[^"$ ]*[a-z]\.' "$1" | sed 's/^/of one machine: /'
}

test_the_table_is_sound() {
	complain_of "$W/table" >complaints
	[ ! -s complaints ] || fail "$(cat complaints)"
}

# The twin: each mistake is noticed.
test_a_wrong_table_is_noticed() {
	local line change text
	while IFS= read -r line; do
		change=${line%% => *} text=${line#* => }
		sed -E "$change" "$W/table" >doctored
		! cmp -s doctored "$W/table" || fail "changes nothing: $change"
		complain_of doctored >complaints
		expect_text complaints "$text"
	done <<'END'
s/^(restic\t[^\t]*)\tnot\tGo-/\1\tcovered\tGo+/ => restic: counts as covered (Go+), but inside
s/^(restic\t[^\t]*)\tnot\tGo-/\1\tunknown\tnone/ => restic: agrees: less, not exact
s/^(wget\t.*\tcovered)\tGnuTLS\+/\1\tOpenSSL+/ => wget: counts as covered (OpenSSL+), but GnuTLS was seen
s/^(tstclnt\t[^\t]*)\tnot/\1\tcovered/ => tstclnt: covered, but NSS-
s/^(curl\t.*)\tmore\t/\1\tless\t/ => curl: agrees: more, not less
s/^(wget\t.*)\tyes\t/\1\tno\t/ => wget: covered, but presents nothing
s/^(true\t.*)\t-\t/\1\tyes\t/ => true: presents it by what?
s/^(wget\t.*)\tyes\t/\1\t-\t/ => wget: does it present the credential? -
s/^(wget\t.*)\tprobed .*/\1\t-because/ => does not go with what was run
s/^(wget\t.*\tcovered)\t[^\t]*/\1\tnone/ => wget: covered, but by which library?
s/^wget\t/curl\t/ => curl: is there twice
60,$ d => only 59 programs
1,40 s/^(([^\t]*\t){4}).*/\1-\t-\tunseen\t-because/ => were not run
s,"\$URL",https://example.org/, => of one machine
END
}

test_predictions_are_as_committed() {
	local line program packages was_verdict was_tls rest verdict tls tells=0 wrong=0
	[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = 'debian 12' ] || skip "the table is of Debian 12"
	# shellcheck disable=SC2031 # set by predict
	for line in "${here[@]}"; do
		IFS=$'\t' read -r program packages was_verdict was_tls rest <<<"$line"
		predict "$program" 2>>differences || { wrong=$((wrong + 1)); continue; }
		[ "$tls" = none ] || tells=$((tells + 1))
		[ "$verdict $tls" = "$was_verdict $was_tls" ] || {
			echo "$program: $verdict $tls, in the table $was_verdict $was_tls"
			wrong=$((wrong + 1))
		} >>differences
	done
	[ $wrong = 0 ] || fail "$wrong predictions differ: $(cat differences)"
	[ $tells -ge 8 ] || fail "only $tells programs with TLS were looked at"
}
