#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# record.sh [-c] [-v] [PROGRAM...]: writes programs.tsv anew: runs each program of the table (or those
# named) that is installed here with the probe, and asks `mtls-run --explain`. Other lines stay. -c: only compares
# and says what differs; exit 1 where something does. -v: also what each program printed and what was noted.
# BUILD names the build folder (default build). Loopback only; about two seconds a program.
set -u
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -m "${BUILD:-build}")
. tests/explain/drive.sh

for name in $(compgen -e | grep -E '^(MTLS_|SSL_|OPENSSL_|XDG_|LD_)|_proxy$|_PROXY$'); do
	unset "$name"
done
unset PYTHONPATH PERL5LIB RUBYOPT RUBYLIB PHPRC CURL_HOME DISPLAY
export LC_ALL=C.UTF-8

compare=0 verbose=0
while getopts cv option; do
	case $option in
	c) compare=1 ;;
	v) verbose=1 ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))

details() {
	[ $verbose = 1 ] || return 0
	{ echo "== $1"; head -c 600 "$folder/output"; cat "$folder/libraries"; server_saw; } >&2 2>/dev/null
}

# Is the credential presented, where a library was called? Sets $presents.
try_credential() {
	presents=-
	case $seen in none | inside) return 0 ;; esac
	drive "$1" "$BUILD/mtls-run" -q -d "$folder/pki/device" --
	details "$program under mtls-run"
	presents=no
	! server_saw | grep -q ' subject="CN=device" ' || presents=yes
}

# row LINE: prints it as it is on this machine
row() {
	local program packages verdict tls seen presents agrees how before was
	IFS=$'\t' read -r program packages verdict tls seen presents agrees how <<<"$1"
	before="$verdict $tls, seen $seen, presents $presents" was=$presents
	predict "$program" || failed=$((failed + 1))
	if [ "${how#-}" = "$how" ]; then
		probe_run "$how"
		details "$program: $verdict $tls, seen $seen"
		try_credential "$how"
	else
		seen=- presents=-
	fi
	done=$((done + 1))
	# Better than the table says may depend on the machine.
	[ $compare = 0 ] || [ "$was$presents" != noyes ] || presents=no
	[ "$before" = "$verdict $tls, seen $seen, presents $presents" ] || {
		echo "$program: was $before; is $verdict $tls, seen $seen, presents $presents" >&2
		differ=$((differ + 1))
	}
	agrees=$(agreement "$verdict" "$tls" "$seen")
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$program" "$packages" "$verdict" "$tls" "$seen" "$presents" "$agrees" "$how" >&3
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/mtls-explain.XXXXXX")
trap 'rm -rf "$folder"' EXIT
drive_start "$folder" || { echo "record.sh: server or probe does not start" >&2; exit 2; }
differ=0 done=0 failed=0 away=0
exec 3>"$folder/table"
while IFS= read -r line; do
	IFS=$'\t' read -r program packages _ <<<"$line"
	case $line in
	'#'*) printf '%s\n' "$line" >&3 ;;
	*)
		if [ $# -gt 0 ] && [[ " $* " != *" $program "* ]]; then
			printf '%s\n' "$line" >&3
		elif installed "$packages"; then
			row "$line"
		else
			away=$((away + 1))
			printf '%s\n' "$line" >&3
		fi
		;;
	esac
done <"$explain_table"
exec 3>&-
echo "$done programs looked at, $differ differ, $away not installed, $failed not explained"
[ $compare = 1 ] || cp "$folder/table" "$explain_table"
[ $done -gt 0 ] && [ $failed = 0 ] && { [ $compare = 0 ] || [ $differ = 0 ]; }
