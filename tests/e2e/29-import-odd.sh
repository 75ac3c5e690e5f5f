# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred import, remove and new where something is odd: others at work in the folder, a disk that fails, what a kill
# has left, files and chains that no CA should make, an OpenSSL that lacks a part.

parallel=2
deadline=120
cert=client_cert.pem key=private_key.pem

setup() {
	cd "$W"
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=odd -days 30 -keyout odd.key -out odd.pem
		openssl pkcs12 -export -legacy -inkey odd.key -in odd.pem -passout pass:secret -out legacy.pfx
		openssl pkcs12 -export -inkey odd.key -in odd.pem -passout pass:secret -out modern.pfx
		openssl crl2pkcs7 -nocrl -outform DER -out empty.p7c
	} >log 2>&1
	echo secret >pass
	cat odd.key odd.pem >odd-pair.pem
}

# traced SPEC VERB...: with strace's injection; false where it was never reached
traced() {
	attempt strace -qq -o trace -e "trace=${1%%:*}" -e "inject=$1" "$CRED" "${@:2}"
	grep -q INJECTED trace
}

can_trace() {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -o probe true 2>/dev/null || skip "strace may not trace here"
}

# --- others at work ---------------------------------------------------------------------------

# Without --force the first one stays: what it printed may have been registered by then.
test_new_at_once() {
	local i done=0
	for i in {1..6}; do
		{ status=0; "$CRED" new -d d --cn "$i" >"out.$i" 2>"err.$i" || status=$?; echo $status >"rc.$i"; } &
	done
	wait
	for i in {1..6}; do
		[ "$(<"rc.$i")" = 2 ] || done=$((done + 1))
		[[ $(<"rc.$i") = 0 || $(<"err.$i") = *'has a usable credential (CN='*'--force'* ]] || fail "$i: $(<"err.$i")"
		[[ $(<"rc.$i") = 2 || $(openssl x509 -in d/$cert -noout -subject) = *"CN = $i" ]] || fail "$i is not in force"
	done
	[ "$done" = 1 ] || fail "$done of 6 were done"
}

test_requests_at_once() {
	local i done=0
	for i in {1..6}; do
		{ status=0; "$CRED" new -d d --csr --cn "$i" >"out.$i" 2>"err.$i" || status=$?; echo $status >"rc.$i"; } &
	done
	wait
	for i in {1..6}; do
		[ "$(<"rc.$i")" = 0 ] || continue
		done=$((done + 1))
		[ "$(openssl req -in "out.$i" -noout -pubkey)" = "$(openssl pkey -in d/request_key.pem -pubout)" ] || fail "$i has lost its key"
	done
	[ "$done" = 1 ] || fail "$done of 6 were done"
}

# --- disks and kills ------------------------------------------------------------------------------

# Where the disk does not confirm the change, it has the old link or the new one: neither may lead nowhere.
test_disk_fails_to_sync() {
	local n old said
	can_trace
	for ((n = 1; n < 30; n++)); do
		rm -rf d
		"$CRED" new -d d --cn before >log 2>&1 || fail "$(<log)"
		old=d/$(readlink d/.current)
		traced "fsync:error=EIO:when=$n" import -d d --force "$W/odd-pair.pem" || break
		expect_rc 2
		one_line err 'Input/output error'
		said=$(<err)
		attempt "$CRED" check -d d
		[[ $(<out) = *CN=before* || $said = *'it is done'* ]] || fail "$n: \"$said\", but: $(<out)"
		[[ $said = *'could not be overwritten'* ]] || grep -q . "$old/$key" || fail "$n: a power cut now may lead to nothing: $said"
	done
	((n > 5)) || fail "only $n"
}

# A request's key of before is overwritten, not only unlinked.
test_request_key_is_overwritten() {
	"$CRED" new -d d --csr --cn x >log 2>&1 || fail "$(<log)"
	exec 7<d/request_key.pem
	attempt "$CRED" new -d d --csr --cn x --force
	expect_rc 0
	! tr -d '\0' <&7 | grep -q . || fail "the old key's bytes are still there"
	exec 7<&-
	[ "$(ls -A d)" = request_key.pem ] || fail "left: $(ls -A d)"
}

# Keys that are nobody's any more: of a change that was killed, or whose names somebody deleted.
test_remove_where_none_is_in_force() {
	local n
	can_trace
	for ((n = 1; n < 9; n++)); do
		rm -rf d
		attempt strace -qq -o trace -e trace=symlinkat -e "inject=symlinkat:signal=KILL:when=$n" "$CRED" new -d d --cn x
		[ "$rc" != 0 ] || break
		attempt "$CRED" remove -d d
		expect_rc 0
		[ -z "$(find d -type f -size +0)" ] || fail "$n: left: $(find d -type f)"
	done
	((n > 3)) || fail "only $n"
	rm d/*.pem
	exec 7<d/.current/$key
	attempt "$CRED" remove -d d
	expect_rc 0
	one_line err 'there is no credential here'
	! tr -d '\0' <&7 | grep -q . || fail "the key's bytes are still there"
	exec 7<&-
	[ -z "$(ls -A d)" ] || fail "left: $(ls -A d)"
}

# --- files and chains ------------------------------------------------------------------------------

# A key that was made by hand, and now its certificate comes.
test_key_that_waits() {
	mkdir d
	cp "$W/odd.key" d/$key
	attempt "$CRED" import -d d "$W/odd.pem"
	expect_rc 2
	one_line err '(certificate-missing); --force'
	attempt "$CRED" import -d d --force "$W/odd.pem"
	expect_rc 0
	[ "$(openssl pkey -in d/$key -pubout)" = "$(openssl pkey -in "$W/odd.key" -pubout)" ] || fail "another key"
}

test_empty_bundle() {
	attempt "$CRED" import -d d "$W/empty.p7c"
	expect_rc 2
	one_line err 'neither a certificate nor a private key'
}

# Keys in DER as OpenSSL wrote them before PKCS#8.
test_traditional_der() {
	cp "$W"/odd.* .
	openssl ec -in odd.key -outform DER -out x 2>log
	attempt "$CRED" import -d d x odd.pem
	expect_rc 0
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=rsa -days 30 -keyout rsa.key -out rsa.pem 2>log
	openssl rsa -in rsa.key -traditional -outform DER -out x 2>log
	attempt "$CRED" import -d e x rsa.pem
	expect_rc 0
	(cat x; echo tail) >y
	attempt "$CRED" import -d f y rsa.pem
	expect_rc 2
	one_line err 'not whole'
}

# signed SUBJECT CA OUT: a certificate for OUT.key of that subject, by the CA's name and key
signed() {
	[ -e "$3.key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$3.key"
	openssl req -new -key "$3.key" -subj "$1" -out csr
	printf 'basicConstraints=critical,CA:TRUE\n' >ext
	openssl x509 -req -in csr -CA "$2.pem" -CAkey "$2.key" -set_serial $RANDOM -days 9 -extfile ext -out "$3.pem" 2>log || fail "$(<log)"
}

# A leaf that signed its own issuer, and one that has its issuer's name.
test_loops() {
	cp "$W"/odd.* .
	signed /CN=A odd A
	cp odd.key leaf.key
	signed /CN=odd A leaf
	attempt "$CRED" import -d d leaf.key leaf.pem A.pem
	expect_rc 0
	[ "$(grep -c BEGIN d/$cert)" = 2 ] || fail "the leaf is there twice"
	signed /CN=A A same
	attempt "$CRED" import -d e same.key same.pem A.pem
	expect_rc 0
	[ "$(grep -c BEGIN e/$cert)" = 2 ] || fail "its issuer is left out: $(<err)"
}

# The file at fault is the one that would be made: a chain may be of many files.
test_a_chain_that_is_too_long() {
	local n
	cp "$W"/odd.* .
	mv odd.key c0.key
	mv odd.pem c0.pem
	for n in {1..34}; do signed "/CN=$n" "c$((n - 1))" "c$n"; done
	attempt "$CRED" import -d d c*.pem c34.key
	expect_rc 2
	one_line err "$cert, as it would be: this is too large (33 certificates)"
	rm c1.pem c2.pem
	attempt "$CRED" import -d d c*.pem c34.key
	expect_rc 0
	[ "$(grep -c BEGIN d/$cert)" = 32 ] || fail "$(grep -c BEGIN d/$cert)"
}

# --- OpenSSL -------------------------------------------------------------------------------------------

test_openssl_lacks_a_part() {
	OPENSSL_MODULES=/nonexistent attempt "$CRED" import -d d --pass-file "$W/pass" "$W/legacy.pfx"
	expect_rc 2
	one_line err 'legacy provider'
	one_line err openssl-provider-legacy
	printf 'openssl_conf=a\n[a]\nalg_section=b\n[b]\ndefault_properties=fips=yes\n' >cnf
	OPENSSL_CONF=cnf attempt "$CRED" import -d d --pass-file "$W/pass" "$W/modern.pfx"
	expect_rc 2
	one_line err 'this OpenSSL'
	[ ! -e d ] || fail "the refusal made a folder"
}
