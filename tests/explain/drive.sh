# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The table programs.tsv, and how to do again what it reports. Sourced by record.sh and by
# the end-to-end test. The table has a line for each program, of columns between tabs:
#
#   PROGRAM    as one would name it to mtls-run
#   PACKAGES   Debian packages that must be there, comma between them; NAME~TEXT: its version contains TEXT
#   VERDICT    what `mtls-run --explain PROGRAM` says: covered, partly, not, unknown
#   TLS        its tls lines, LIBRARY+ covered, LIBRARY- not covered, comma between them, sorted; or none
#   SEEN       what the probe saw while HOW ran: libraries that were called, comma between them, sorted;
#              inside: the server saw TLS, the probe no call; none: neither; -: was not run
#   PRESENTS   under mtls-run the server got our certificate: yes or no (HOW ends with a # and why not); -: no library to
#              be covered was seen
#   AGREES     exact, more (predicted more than was seen), less, unseen; see agreement
#   HOW        what was run, in bash; after a -, why nothing was
#
# HOW may use `probed PROGRAM…` (runs it with the probe), $PORT of a server whose certificate is
# for localhost, $URL there, $CA its issuer's file, $T a folder, and `preamble KIND` first, for a server that speaks KIND.

explain_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
explain_table=$explain_here/programs.tsv

# installed PACKAGES: all of them? The list of what is installed is made once.
installed() {
	local package version
	[ -n "${installed_list-}" ] ||
		installed_list=$'\n'$(dpkg-query -W -f '${Package}=${Version}=${db:Status-Abbrev}\n' | grep '=ii ')$'\n'
	for package in ${1//,/ }; do
		version=
		[ "$package" = "${package%~*}" ] || version=${package#*~}
		[[ $installed_list =~ $'\n'${package%~*}=[^=$'\n']*"$version" ]] || return 1
	done
}

# predict PROGRAM: sets $verdict and $tls as in the table; fails where --explain does, or contradicts itself
predict() {
	local said status=0 expected
	said=$(MTLS_LOG=off PATH=/usr/sbin:/usr/bin:/sbin:/bin "$BUILD/mtls-run" --explain "$1" 2>&1) || status=$?
	verdict=$(awk '$1 == "verdict" {print $2}' <<<"$said")
	tls=$(awk '$1 == "tls" {print $2 ($3 == "covered" ? "+" : "-")}' <<<"$said" | sort -u | paste -sd,)
	tls=${tls:-none}
	case $verdict in 'covered') expected=0 ;; 'partly' | 'unknown') expected=1 ;; 'not') expected=2 ;; *) expected=125 ;; esac
	if [ "$status" != "$expected" ] || [ "$status" = 125 ]; then
		echo "$1: exit $status with the verdict \"$verdict\": $said" >&2
		return 1
	fi
}

# agreement VERDICT TLS SEEN: prints the word; "wrong" where a program counts as covered and a library was seen that is
# not, or that was not named.
agreement() {
	local verdict=$1 tls=$2 seen=$3 library known=0 all=0
	[ "$seen" != - ] || { echo 'unseen'; return; }
	[ "$seen" != none ] || seen=
	[ "$tls" != none ] || tls=
	for library in ${seen//,/ }; do
		all=$((all + 1))
		case $library in
		inside) [[ $tls == *-* ]] && known=$((known + 1)) && continue ;; # whatever its name is
		*)
			[[ ,$tls == *",$library"[+-]* ]] && known=$((known + 1))
			[[ ,$tls, != *",$library+,"* ]] || continue
			;;
		esac
		[ "$verdict" != covered ] || { echo 'wrong'; return; }
	done
	if [ $known -lt $all ]; then
		echo 'less'
	elif [ $known -lt "$(wc -w <<<"${tls//,/ }")" ]; then
		echo 'more'
	else
		echo 'exact'
	fi
}

# --- the probe run --------------------------------------------------------------------------

# drive_start FOLDER: certificates, probe and server; they end with the shell that holds descriptor $drive_life
drive_start() {
	local word='' fd
	drive_folder=$1
	CA=$1/pki/ca.pem
	"$explain_here/../helpers/pki.sh" "$1/pki" || return 1
	[ "$BUILD/tests/seen.so" -nt "$explain_here/seen.c" ] ||
		${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -O2 -fPIC -shared -o "$BUILD/tests/seen.so" "$explain_here/seen.c" -ldl || return 1
	mkfifo "$1/life" && exec {drive_life}<>"$1/life"
	exec {fd}< <(exec {drive_life}>&- "$BUILD/tests/mtls-server" --cert "$1/pki/server.pem" --key "$1/pki/server.key" \
		--ca "$CA" --request optional --until-eof --log "$1/server" <"$1/life" 2>"$1/server.err")
	read -rt 10 -u "$fd" word drive_port || true
	exec {fd}<&-
	[ "$word" = port ]
}

# What HOW may call.
probed() {
	"${drive_via[@]}" "$@"
}

preamble() {
	local word fd
	exec {fd}< <(exec /usr/bin/python3 -I "$explain_here/preamble.py" "$1" "$PORT" <"$drive_folder/life")
	read -rt 10 -u "$fd" word PORT || true
	exec {fd}<&-
	URL=https://localhost:$PORT/
}

# What the server saw since drive began.
server_saw() {
	tail -n "+$((drive_mark + 1))" "$drive_folder/server"
}

server_saw_tls() {
	server_saw | grep -q 'tls=1'
}

# drive HOW COMMAND...: ends HOW two seconds after the server has seen TLS, or after 10 s. COMMAND goes before what it runs.
drive() {
	local pid how=$1 end=$((SECONDS + 10)) patience=200
	shift
	drive_via=("$@")
	rm -rf "${drive_folder:?}/home"
	mkdir "$drive_folder/home"
	touch "$drive_folder/server"
	drive_mark=$(wc -l <"$drive_folder/server")
	set -m
	(
		set +m
		exec {drive_life}>&-
		T=$drive_folder/home PORT=$drive_port URL=https://localhost:$drive_port/
		export CA T PORT URL HOME=$T TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin
		export SSL_CERT_FILE=$CA CURL_CA_BUNDLE=$CA REQUESTS_CA_BUNDLE=$CA NODE_EXTRA_CA_CERTS=$CA
		cd "$T" && eval "$how"
	) >"$drive_folder/output" 2>&1 </dev/null &
	pid=$!
	set +m
	while kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ] && [ $patience -gt 0 ]; do
		! server_saw_tls || patience=$((patience - 1))
		sleep 0.01
	done
	kill -KILL -- "-$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# probe_run HOW: sets $seen
probe_run() {
	rm -f "$drive_folder/libraries"
	drive "$1" env "LD_PRELOAD=$BUILD/tests/seen.so" "MTLS_SEEN=$drive_folder/libraries"
	seen=$(cut -d' ' -f1 "$drive_folder/libraries" 2>/dev/null | sort -u | paste -sd,)
	[ -n "$seen" ] || ! server_saw_tls || seen=inside
	seen=${seen:-none}
}
