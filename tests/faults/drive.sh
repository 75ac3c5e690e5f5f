# shellcheck shell=bash disable=SC2154 # seen: of server_use
# SPDX-License-Identifier: Apache-2.0
#
# The table of faults, docs/FAULTS.md: each line a fault, each column a client, each cell what came of it and how often
# (the words are those of tests/helpers/sweep.c). Sourced by tests/all/faults.sh, which makes all of it anew, and by
# tests/e2e/39-faults.sh, which looks at a part. Whoever sources it has lib.sh.
#
#   fault_servers                 starts them
#   fault_clients                 the columns
#   fault_column CLIENT FULL      does every line for that client; FULL empty: few places of each fault. Writes
#                                 $T/cells ("LINE<tab>CELL") and $T/complaints, where nothing may be
#   fault_compare CLIENT          says what differs in kind from the committed table; FULL empty: what it must not have

fault_table=$TOP/docs/FAULTS.md
fault_clients=(openssl gnutls curl python wget)
# shellcheck disable=SC2034 # for those who source it
fault_bad='[0-9] (crash|hang|wrong|other|fewer)'
declare -A fault_calls

# fault_command CLIENT SITUATION: sets command; false: this client has no such situation
fault_command() {
	case $1 in
	openssl) command=("$BUILD/tests/faulty" "$port" "$2") ;;
	gnutls) command=("$BUILD/tests/gnutls_faulty" "$port" "$2") ;;
	curl) command=(curl -sS --max-time 20 --cacert "$PKI/ca.pem" "https://localhost:$port/") ;;
	python) command=(/usr/bin/python3 -I -c "$python_get" "$PKI/ca.pem" "$port" '') ;;
	wget)
		command=(wget --no-config --no-hsts -q --tries=1 --timeout=20 "--ca-certificate=$PKI/ca.pem" -O - "https://localhost:$port/")
		;;
	esac
	case $1 in openssl | gnutls) ;; *) [ "$2" = none ] ;; esac
}

fault_servers() {
	server_start tls12 --request optional --no-tickets --tls 1.2
	server_start tickets --request optional
	server_start ask --request optional --no-tickets
}

fault_there() {
	case $1 in
	openssl | gnutls) ;;
	wget) gnutls_there wget ;;
	*) client_there "$1" ;;
	esac >/dev/null 2>&1
}

is_probe() {
	[ "$client" = openssl ] || [ "$client" = gnutls ]
}

# --- one cell ---------------------------------------------------------------------------

# as_wrapped COMMAND...: what stands around the client; a line may have its own
wrapper=()

# swept SITUATION OPTION...: a client's runs; the cell is in $cell
swept() {
	local situation=$1 base command=()
	shift
	if ! fault_command "$client" "$situation"; then
		cell=-
		return
	fi
	base=$T/base.${situation%%:*}.$(cksum <<<"${wrapper[*]}" | cut -d ' ' -f 1)
	[ -e "$base.rc" ] || env -u MTLS_DIR "$BUILD/tests/sweep" -l "$seen" -b "$base" -B -- "${wrapper[@]}" \
		"${command[@]/\%N/100000}" || fail "$client $situation does not work without the shim"
	cell=$("$BUILD/tests/sweep" -l "$seen" -b "$base" -c "$T/counts" -p "$LIB:$BUILD/tests/faults.so" -s "$subjects" \
		"$@" -- "${wrapper[@]}" "${command[@]}" 2>>"$T/complaints") || fail "sweep: $(tail -n 1 "$T/complaints")"
}

# line TEXT MAY: notes the cell; of the kinds only those that MAY lists are explained
line() {
	local kind may=$2
	# rare, and not at the same place each time: GnuTLS itself goes on with what it did not get
	[[ $client != gnutls || $1 != *'no memory'* ]] || may+=' frail'
	for kind in $(tr -d '0-9,' <<<"$cell"); do
		[[ " $may unreached - " == *" $kind "* ]] || echo "$client, $1: $kind" >>"$T/complaints"
	done
	cell=$(sed -E 's/[0-9]+ unreached//; s/, $//; s/^, //' <<<"$cell")
	printf '%s\t%s\n' "$1" "${cell:-0 presented}" >>"$T/cells"
}

# count_calls SITUATION: how many of each class the shim makes
count_calls() {
	local situation=$1 class n command=()
	fault_command "$client" "$situation" || return 0
	while read -r class n; do
		fault_calls[$class]=$n
	done < <("$BUILD/tests/sweep" -l "$seen" -b "$T/none" -c "$T/counts" -p "$LIB:$BUILD/tests/faults.so" -k -- "${command[@]}")
	[ "${fault_calls[any]:-0}" -gt 20 ] || fail "the shim makes only ${fault_calls[any]:-no} calls in $client"
}

# injected TEXT MAY SITUATION [+] FAULT...: each fault at every place, or at as many as there is time for
injected() {
	local text=$1 may=$2 situation=$3 all='' more='' fault step n most
	shift 3
	[ "$1" != + ] || { more=+; shift; }
	cell=-
	for fault; do
		n=${fault_calls[${fault%%:*}]:-0}
		most=$places
		[ -n "$more" ] || [[ $fault != alloc:* ]] || most=$((places * 2))
		step=$(((n + most - 1) / most))
		[ "$n" != 0 ] || continue
		swept "$situation" -f "$fault" -n "1:$n:$step$more"
		[ "$cell" != - ] || break
		all+="${all:+, }$cell"
	done
	[ "$cell" = - ] || cell=$(added "$all")
	line "$text" "$may"
}

# added CELL: the numbers of the same word together, in the order of sweep.c
added() {
	tr ',' '\n' <<<"$1" | awk '{ n[$2] += $1 }
		END { split("presented none some own frail crash hang wrong other fewer unreached", word, " ")
			for (i = 1; i in word; i++) if (n[word[i]]) printf "%s%d %s", (c++ ? ", " : ""), n[word[i]], word[i] }'
}

# --- the lines ------------------------------------------------------------------------------

lines_of_calls() {
	local some='presented none some'
	count_calls none
	injected 'no memory, once' "$some" none alloc:12
	injected 'no memory from there on' "$some" none + alloc:12
	[ "$client" != gnutls ] || injected 'no memory in libtasn1 or GMP' "$some frail" none frail:12
	injected 'stat fails (EIO)' "$some" none look:5
	injected 'open fails (EIO, EMFILE, EINTR)' "$some" none open:5 open:24 open:4
	injected 'read fails (EIO, EINTR), is short, ends early' "$some" none read:5 read:4 read:short read:end
	injected 'mmap, close, getdents64 fail' "$some" none map:12 close:5 list:5
	injected 'getpeername, getsockopt fail (ENOBUFS)' "$some" none peer:105
	injected 'the log: write fails (ENOSPC, EINTR), is short' presented none write:28 write:4 write:short
	injected 'the log: poll, sigprocmask and others fail' presented none poll:4 signals:22
	injected 'any system call fails from there on (EIO)' "$some" none + any:5
	injected 'a signal at any call, whose handler connects' presented none any:signal
	injected 'all but sockets closed by another thread at any call' "$some" none any:closed
}

# Three connections: where one fails, the others must have it. Then renewal, with and without a session to resume.
lines_of_time() {
	local other=$T/other cred=$T/cred subjects=CN=device,CN=app-own
	is_probe || return 0
	count_calls three
	injected 'three connections: no memory, once' 'presented none some' three alloc:12
	injected 'three connections: any system call fails (EIO)' 'presented some' three any:5
	cp -r "$PKI/device" "$cred"
	cp -r "$PKI/app-own" "$other"
	export MTLS_DIR=$cred
	count_calls "renew:$other"
	injected 'renewal: no memory, once' 'presented none some' "renew:$other" alloc:12
	injected 'renewal: any system call fails (EIO)' 'presented some' "renew:$other" any:5
	injected 'renewal: all but sockets closed at any call' 'presented some' "renew:$other" any:closed
	lines_of_sessions
	MTLS_DIR=$PKI/device
}

# A session must not carry the old identity on; the server gives tickets.
lines_of_sessions() {
	local n step
	server_use tickets
	n=${fault_calls[alloc]}
	step=$((n / places / 2 + 1))
	swept "session:$other" -R -f alloc:12 -n "1:$n:$step"
	line 'renewal and an old session: no memory, once' 'presented none some'
	server_use ask
}

situation() { # TEXT MAY SITUATION OPTION...
	swept "${@:3}"
	line "$1" "$2"
}

lines_of_process() {
	is_probe || return 0
	situation 'close_range(3, ~0) before each connection' presented close
	situation 'the same in a child' presented close-child
	situation 'descriptors 0, 1, 2 closed' presented closed
	situation 'no descriptor left when the context is made' none no-descriptor-early
	situation 'no descriptor left at the handshake' presented no-descriptor-late
	situation 'RLIMIT_AS reached when the context is made' 'presented none own' no-memory-early:%N -m -n "0:1500:$memory_step"
	situation 'RLIMIT_AS reached at the handshake' 'presented none own' no-memory-late:%N -m -n "0:1500:$memory_step"
	situation 'threads with stacks of 64 kB' presented stack
	situation 'a signal each millisecond' presented storm
	situation 'the same, and its handler connects' presented storm-connect
	situation 'seccomp: EPERM from open and stat, from the start' none no-open-early
	situation 'the same when the context is made' presented no-open-late
	cp -r "$PKI/device" "$T/vanishing" # others use the test PKI meanwhile
	MTLS_DIR=$T/vanishing situation 'the folder vanishes when the context is made' presented vanish
	cell=-
	[ "$(id -u)" != 0 ] || { mkdir -p "$T/empty" && swept "chroot:$T/empty"; }
	line 'chroot without files and /proc when the context is made' presented
}

lines_of_log() {
	local wrapper=()
	mkfifo "$T/fifo"
	MTLS_LOG_FILE=/dev/full situation 'the log: /dev/full' presented none
	MTLS_LOG_FILE=$T/fifo situation 'the log: a FIFO that nobody reads' presented none
	MTLS_LOG_FILE=/proc/self/fd/77 situation 'the log: a closed descriptor' presented none
	# shellcheck disable=SC2016 # that shell's
	wrapper=(sh -c 'mount -t tmpfs -o size=8k tmpfs "$0" && head -c 8192 /dev/zero >"$0/fill"; exec env MTLS_LOG_FILE="$0/log" "$@"' "$T/empty")
	mkdir -p "$T/empty"
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		wrapper=(unshare -m "${wrapper[@]}")
		situation 'the log: a disk that is full' presented none
	fi
	wrapper=(prlimit --fsize=0)
	situation 'the log: RLIMIT_FSIZE 0' presented none
	unset MTLS_LOG_FILE
	wrapper=("$BUILD/tests/output" closed)
	situation 'the log: standard error, a pipe without a reader' presented none
	wrapper=("$BUILD/tests/output" full)
	situation 'the log: standard error, a pipe that is full' presented none
	wrapper=(sh -c 'exec "$@" 2>/dev/full' sh)
	situation 'the log: standard error, /dev/full' presented none
	wrapper=(sh -c 'exec "$@" <&- 2>&-' sh)
	situation 'standard input and error closed' presented none
	export MTLS_LOG_FILE=$T/log
}

# What forbids it must hold whatever fails: the certificate leaves for none of these.
lines_of_policy() {
	local MTLS_DIR=$PKI/device
	is_probe || return 0
	export MTLS_DIR MTLS_HOSTS MTLS_ONLY_IF
	MTLS_HOSTS='!127.0.0.1' forbidden 'MTLS_HOSTS forbids it'
	MTLS_HOSTS='other.test' forbidden 'MTLS_HOSTS does not list it'
	unset MTLS_HOSTS
	server_use tls12 # in TLS 1.3 GnuTLS ends the handshake there
	MTLS_ONLY_IF=verified forbidden 'MTLS_ONLY_IF=verified, and it is not'
	server_use ask
	unset MTLS_ONLY_IF
	cp -r "$PKI/device" "$T/forbids"
	echo 'hosts = !127.0.0.1' >"$T/forbids/mtls.conf"
	MTLS_DIR=$T/forbids forbidden 'mtls.conf forbids it'
}

forbidden() {
	count_calls none
	injected "$1: no memory, once" none none alloc:12
	injected "$1: any system call fails" none none any:5 any:4
	injected "$1: any system call fails from there on" none none + any:5
	injected "$1: closed at any call" none none any:closed
}

fault_column() {
	local client=$1 subjects=CN=device cell='' places=4 memory_step=500
	if [ -n "${2-}" ]; then
		memory_step=30
		is_probe && places=50 || places=25
	fi
	: >"$T/cells"
	: >"$T/complaints"
	export MTLS_DIR=$PKI/device MTLS_LOG=info MTLS_LOG_FILE=$T/log
	lines_of_calls
	lines_of_time
	lines_of_process
	lines_of_log
	lines_of_policy
}

# --- the table ------------------------------------------------------------------------------

# committed CLIENT: its column, "LINE<tab>CELL"
committed() {
	local i
	for i in "${!fault_clients[@]}"; do
		[ "${fault_clients[i]}" != "$1" ] || sed -nE '1,/^<!-- below/d; /^\| (fault|---)/d; s/^\| (.*) \|$/\1/p' "$fault_table" |
			awk -F ' \\| ' -v column=$((i + 2)) '{ print $1 "\t" $column }'
	done
}

kinds() {
	tr -d '0-9,' <<<"$1" | tr -s ' ' '\n' | grep . | sort
}

fault_compare() {
	local text cell was
	committed "$1" >"$T/committed"
	[ "$(wc -l <"$T/committed")" -ge 20 ] || echo "docs/FAULTS.md has no table"
	while IFS=$'\t' read -r text cell; do
		was=$(awk -F '\t' -v text="$text" '$1 == text { print $2 }' "$T/committed")
		[ -n "$was" ] || { echo "$1, $text: not in the table"; continue; }
		[ "$cell" != - ] || continue
		# where memory fails is not the same in each run; what may come of it the line has said itself
		[[ $text == *memory* || $text == *RLIMIT_AS* ]] || [ -z "$(comm -23 <(kinds "$cell") <(kinds "$was"))" ] || echo "$1, $text: $cell; in the table $was"
		[[ $was != *presented* || $cell == *presented* || -z ${2-} ]] || echo "$1, $text: never presented any more: $cell"
	done <"$T/cells"
}
