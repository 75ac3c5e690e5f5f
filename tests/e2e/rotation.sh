# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Long-lived processes while the credential changes, for 37-rotation.sh and the long tests/all/rotation.sh. A (device)
# is an EC key with a passphrase, B (device-rsa) an RSA key in the clear.
#
#   process NAME PROBE      starts rotation or gnutls_rotation under the shim; tell NAME WORDS... then sets $said
#   folder NAME             where the credential is
#   put WAY SOURCE          it is SOURCE's from now on
#   changing WAY; changed   A and B in turns, 50 times a second; the end of it
#   rotation PROBE WAY N    the whole test: N handshakes meanwhile

A=$PKI/key/ec-pkcs8-aes-256-cbc
B=$PKI/device-rsa
pace=15 # changes a second, at least
declare -A told cn=([A]=device [B]=device-rsa)

# The credential's, a new one.
folder() {
	cred=$T/$1
	mkdir "$cred"
}

put() {
	"$BUILD/tests/rotate" "$1" "$cred" "$2"
}

changing() {
	mkfifo "$cred.life"
	exec {rotating}<>"$cred.life"
	"$BUILD/tests/rotate" "$1" "$cred" "$A" "$B" <"$cred.life" >changes {rotating}>&- &
	rotator=$!
}

# A busy machine may miss some of the 50, in a short while more of them.
changed() {
	local changes ms
	echo >&"$rotating"
	wait "$rotator" || fail "the rotator failed"
	exec {rotating}>&-
	changes=$(value_of changes "$(cat changes)") ms=$(value_of ms "$(cat changes)")
	[ $((changes * 1000)) -ge $((ms * pace)) ] || fail "too slow: $(cat changes)"
}

process() {
	local in out
	mkfifo "$1.in" "$1.out"
	exec {in}<>"$1.in" {out}<>"$1.out"
	bare env "MTLS_LOG_FILE=$T/$1.log" "$probes/$2" "$port" <"$1.in" >"$1.out" 2>"$1.err" {in}>&- {out}>&- &
	told[$1.in]=$in told[$1.out]=$out
}

tell() {
	echo "${*:2}" >&"${told[$1.in]}"
	read -rt "${patience:-20}" -u "${told[$1.out]}" said || fail "$1 does not answer to ${*:2}: $(tail -n 1 "$1.err")"
}

# of $said
number() {
	value_of "$1" "$said" || echo 0
}

# answers NAME WORDS... ANSWER
answers() {
	local expected=${*: -1}
	tell "${@:1:$#-1}"
	[ "$said" = "$expected" ] || fail "$1: \"${*:2:$#-2}\" gave \"$said\", expected \"$expected\"; $(tail -n 1 "$1.err")"
}

# --- what is told apart in memory ------------------------------------------------------------

raw() { # from hexadecimal figures
	printf '%b' "$(sed 's/../\\x&/g')"
}

# A line of the file itself, and the private number: of RSA the first prime.
needles() {
	local name key=() field
	printf 'open sesame' >A.pass
	for name in A B; do
		key=("${!name}/private_key.pem" -passin 'pass:open sesame')
		sed -n 4p "${key[0]}" | tr -d '\n' >"$name.text"
		[ $name = A ] && field=priv || field=prime1
		openssl pkey -in "${key[@]}" -noout -text | sed -n "/^$field:/,/^[a-z]/p" | grep '^ ' | tr -d ' :\n' |
			sed 's/^00//' | raw >"$name.number"
	done
}

# in_memory NEEDLE PATTERN: of "found=N backwards=N"
in_memory() {
	tell it find "$T/$1"
	# shellcheck disable=SC2053 # it is a pattern
	[[ $said == $2 ]] || fail "the process has $said of $1, expected $2"
}

# Of a key that was replaced nothing stays, which means something where the one in force is found. libcrypto's decoder
# leaves the numbers of what it read in freed memory (docs/HOOKS.md), but not as it computes with them: backwards.
forgets() {
	local probe=$1 way=$2 old=B new=A none='found=0 backwards=0' pass='found=[1-9]*'
	[ "$probe" = gnutls_rotation ] || none='found=* backwards=0'
	put "$way" "$B"
	answers it one device-rsa
	for ((i = 0; i < 2; i++)); do
		put "$way" "${!new}"
		answers it one "${cn[$new]}"
		in_memory $old.text 'found=0 *'
		in_memory A.pass "$pass"
		in_memory $old.number "$none"
		in_memory $new.text 'found=[1-9]*'
		in_memory $new.number 'found=* backwards=[1-9]*'
		old=A new=B pass='found=0 *'
	done
}

# --- a rotation ----------------------------------------------------------------------------------

# handshakes N WAY: none failed; and nothing was sent only where that is allowed
handshakes() {
	tell it run "$1"
	echo "$said"
	[[ $said == "n=$1 failed=0 "* ]] || fail "$said; $(tail -n 1 it.err)"
	[ "$2" = emptied ] || [ "$(number none)" = 0 ] || fail "nothing was sent: $said"
}

# What the server has of N connections. In place a chain may be short.
server_agrees() {
	local n=$1 way=$2 whole=' chain=2 .*verify=ok .*result=ok error=""$' each
	until_true 10 lines_of "$seen" "$n" || fail "not all of $n arrived"
	grep -vE "subject=\"CN=device(-rsa)?\".*$whole" "$seen" >rest || true
	case $way in
	place | emptied)
		grep -vE 'subject="CN=device(-rsa)?" .* chain=1 .*verify="unable to get local issuer certificate" .*result=ok' \
			rest >odd || true
		;;
	*) mv rest odd ;;
	esac
	[ "$way" != emptied ] || sed -i '/subject="" .* chain=0 .*verify=none .*result=ok/d' odd
	[ ! -s odd ] || fail "$(wc -l <odd) odd ones at the server: $(head -n 1 odd)"
	for each in "${cn[@]}"; do
		[ "$(grep -c "subject=\"CN=$each\"" "$seen")" -ge $((n / 50)) ] || fail "too few of $each"
	done
	[ "$(grep -c ' tls=1.2 ' "$seen")" = $((n / 2)) ] || fail "not half of them were TLS 1.2"
}

# memory_is_flat BEFORE: and now. A generation is one page here, and three at most are kept.
memory_is_flat() {
	local before=$1 key more
	tell it memory
	for key in rss:2048 heap:128 maps:8 fds:0; do
		more=$(($(number ${key%:*}) - $(value_of ${key%:*} "$before")))
		[ $more -le ${key#*:} ] || fail "${key%:*} grew by $more: $before, then $said"
	done
	[ "$(number undumped)" -le 16 ] || fail "generations stay: $said"
	[[ $(number unmapped) -gt 0 && $(number keys) = 0 ]] || fail "keys are not wiped, or nothing is given back: $said"
}

# A swap of links is never seen torn; elsewhere the log says what was.
log_agrees() {
	[ "$1" != links ] || [ ! -s it.log ] || fail "the log says: $(head -n 1 it.log)"
	[ "$1" = links ] || grep -q ' broken reason=' it.log || fail "nothing was ever torn: this tests nothing"
	! grep -vE ' broken reason=(certificate-m|key-m|passphrase-|pair-)' it.log >others || fail "$(head -n 1 others)"
}

rotation() {
	local probe=$1 way=$2 n=$3 request=required before
	case $way in place | emptied) request=optional ;; esac
	export MTLS_LOG=warn
	folder "$way"
	needles
	server_start it --no-tickets --request $request
	put "$way" "$A"
	changing "$way"
	process it "$probe"
	handshakes $((n / 5)) "$way" # until then memory may grow
	tell it memory
	before=$said
	handshakes $((n - n / 5)) "$way"
	changed
	memory_is_flat "$before"
	echo "$before, then $said; $(cat changes)"
	server_agrees "$n" "$way"
	log_agrees "$way"
	forgets "$probe" "$way"
}
