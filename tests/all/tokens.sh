# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Keys in a TPM 2.0 (swtpm) from their making to a server; a PIN that is wrong, a TPM that locks itself, goes away and
# comes back; keys that a PKCS#11 token has made itself; pkcs11-provider, in a root of Debian 13. What SoftHSM and the
# engine do, and all words, are in tests/e2e/75-tokens.sh.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh
# shellcheck source=tests/e2e/tokens.sh
. tests/e2e/tokens.sh

deadline=120

setup() {
	tokens_setup
}

# --- a TPM ---------------------------------------------------------------------------

tpm_answers() {
	tpm2_getcap properties-fixed >/dev/null 2>&1
}

# It serves one connection at a time, as /dev/tpm0 does. Ends with the test, or by tpm_stop.
tpm_start() {
	local name
	for name in swtpm tpm2_create; do command -v $name >/dev/null || skip "$name is not installed"; done
	[ -e "$(openssl version -m | cut -d'"' -f2)/tpm2.so" ] || skip "tpm2-openssl is not installed"
	mkdir -p tpm
	if [ -z "${tpm_port-}" ]; then
		# two in a row that nobody has now: the second is for control, and clients know where it is
		tpm_port=$(python3 -c 'import random, socket
while True:
    port, a, b = random.randrange(10000, 30000), socket.socket(), socket.socket()
    try:
        a.bind(("127.0.0.1", port)); b.bind(("127.0.0.1", port + 1))
    except OSError:
        continue
    print(port)
    break')
		export TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=$tpm_port TPM2OPENSSL_TCTI=swtpm:host=127.0.0.1,port=$tpm_port
	fi
	tpm_run
	until_true 10 tpm_answers || fail "no TPM: $(<tpm.log)"
}

tpm_run() {
	swtpm socket --tpm2 --tpmstate "dir=$T/tpm" --server "type=tcp,port=$tpm_port,bindaddr=127.0.0.1" \
		--ctrl "type=tcp,port=$((tpm_port + 1)),bindaddr=127.0.0.1" --flags not-need-init,startup-clear >tpm.log 2>&1 &
	tpm=$!
}

tpm_stop() {
	kill "$tpm"
	wait "$tpm" || true
}

tpm2() {
	"tpm2_$1" "${@:2}" >tpm2.log 2>&1 || fail "tpm2_$1: $(tail -n 1 tpm2.log)"
}

# tpm_key ALGORITHM HANDLE [PIN]: a key that the TPM has made, at that handle
tpm_key() {
	local auth=()
	[ $# -lt 3 ] || auth=(-p "$3")
	tpm2 createprimary -Q -C o -G ecc -c primary.ctx
	tpm2 create -Q -C primary.ctx -G "$1" "${auth[@]}" -u key.pub -r key.priv
	tpm2 flushcontext -t
	tpm2 load -Q -C primary.ctx -u key.pub -r key.priv -c key.ctx
	tpm2 evictcontrol -Q -C o -c key.ctx "$2"
	tpm2 flushcontext -t
}

# tss2 FILE OPTION...: a key wrapped by the TPM
tss2() {
	openssl genpkey -provider tpm2 -out "$1" "${@:2}" >log 2>&1 || fail "genpkey: $(<log)"
	expect_text "$1" 'BEGIN TSS2 PRIVATE KEY'
}

# wrong_ones N: so many does the TPM count
wrong_ones() {
	tpm2 getcap properties-variable
	[ "$(sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *//p' tpm2.log)" = "$1" ] || fail "not $1: $(grep -A1 LOCKOUT_COUNTER tpm2.log)"
}

# way URI SUBJECT [PIN]: from the request to a server, and nothing but the agent has the TPM meanwhile
way() {
	local version client
	cn=$2 in_token "$1" ${3+"$3"}
	agent_here
	for version in 1.2 1.3; do
		for client in curl wget; do
			server_use required
			refused plain "client_$client" "$port" "$version"
			subject=CN=$2 presented asked "client_$client" "$port" "$version"
			words reason=presented
		done
	done
	expect_none
}

test_tpm_handle_ec() {
	tpm_start
	tpm_key ecc256:ecdsa-sha256 0x81000001 secret
	echo handle:0x81000001 >uri
	opens 'usable: ecdsa-sha256' secret
	way handle:0x81000001 tpm-ec secret
}

test_tpm_handle_rsa() {
	tpm_start
	tpm_key rsa2048 0x81000002
	echo handle:0x81000002 >uri
	opens 'usable: rsa-pss-sha256 rsa-pss-sha512 rsa-pkcs1-sha256'
	way handle:0x81000002 tpm-rsa
}

test_tpm_tss2_ec() {
	tpm_start
	tss2 uri -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:abc
	opens 'usable: ecdsa-sha256' abc
	way file:uri tss-ec abc
	grep -q 'BEGIN TSS2 PRIVATE KEY' made/private_key.pem || fail "$(<made/private_key.pem)"
}

test_tpm_tss2_rsa() {
	tpm_start
	tss2 uri -algorithm RSA -pkeyopt bits:2048
	opens 'usable: rsa-pss-sha256 rsa-pss-sha512 rsa-pkcs1-sha256'
	way file:uri tss-rsa
}

# Each wrong PIN counts once, and after three of them the TPM takes none.
test_tpm_pins() {
	local pass=private_key_pass.txt
	tpm_start
	tpm_key ecc256 0x81000001 secret
	tss2 block -algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:abc
	wrong_ones 0x0
	echo handle:0x81000001 >uri
	opens "passphrase-wrong: $pass: the TPM refuses it" nonsense
	wrong_ones 0x1
	cp block uri
	opens "passphrase-missing: $pass: the TPM wants one"
	wrong_ones 0x1
	opens "passphrase-wrong: $pass: the TPM refuses it" nonsense
	wrong_ones 0x2
	echo handle:0x81000001 >uri
	opens "passphrase-missing: $pass: the TPM wants one"
	wrong_ones 0x3 # without a PIN only a try tells
	opens "passphrase-wrong: $pass: the TPM is locked after wrong ones: tpm2_dictionarylockout" secret
	tpm2 dictionarylockout -c
	opens 'usable: ecdsa-sha256' secret
	wrong_ones 0x0
}

test_tpm_words() {
	local key=private_key.pem
	tpm_start
	echo handle:0x81000007 >uri
	opens "key-missing: $key: the TPM has no handle:0x81000007"
	tss2 block -algorithm EC -pkeyopt group:P-256
	sed 3d block >uri
	opens "key-unsupported: $key: TPM: unsupported: No supported data to decode. Input type: PEM"
	cp block uri
	OPENSSL_MODULES=$T opens "key-unsupported: $key: a key of a TPM needs tpm2-openssl"
	TPM2OPENSSL_TCTI=swtpm:port=1 opens "key-missing: $key: no TPM: swtpm:port=1"
	tpm_stop
	opens "key-missing: $key: no TPM: $TPM2OPENSSL_TCTI"
	rm -r tpm # another TPM, which knows nothing of that key
	tpm_start
	opens "key-unsupported: $key: TPM: cannot load key: 479 tpm:parameter(1):integrity check failed"
	attempt "$CRED" new -d d --key-uri handle:0x81000007
	expect_rc 2
	one_line err 'mtls-cred new: handle:0x81000007: the private key is missing or empty (the TPM has no handle:0x81000007)'
	[ ! -e d ] || fail "a refusal made the folder"
}

# A TPM has room for three transient objects: whoever leaves some in it stops everybody.
test_tpm_nothing_is_left() {
	local n
	tpm_start
	tss2 uri -algorithm EC -pkeyopt group:P-256
	for n in {1..8}; do printf 'x\nx\nagain\n'; done >lines
	"$probes/token" uri <lines >out
	[ "$(sort -u out)" = 'usable: ecdsa-sha256' ] || fail "$(sort out | uniq -c)"
	[ "$(wc -l <out)" = 25 ] || fail "$(wc -l <out) lines"
	tpm2 getcap handles-transient
	[ ! -s tpm2.log ] || fail "left: $(<tpm2.log)"
	command -v valgrind >/dev/null || return 0
	valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 "$probes/token" uri </dev/null >out 2>err ||
		fail "$(head -n 20 err)"
}

line_is() {
	[ "$(sed -n "$1p" out)" = "$2" ]
}

# /dev/tpm0 serves one connection at a time: two keys share it. When that dies a new one is made, though the old key is
# still held. (swtpm's own TCTI connects for each command.)
test_tpm_one_connection() {
	local fd
	command -v socat >/dev/null || skip 'socat is not installed'
	tpm_start
	tpm_key ecc256 0x81000001 secret
	echo handle:0x81000001 >uri
	echo secret >pin
	mkfifo lines
	exec {fd}<>lines
	TPM2OPENSSL_TCTI="cmd:socat - TCP:127.0.0.1:$tpm_port 2>/dev/null" "$probes/token" uri pin <lines >out 2>err &
	until_true 10 line_is 1 'usable: ecdsa-sha256' || fail "$(<out) $(<err)"
	echo x >&"$fd"
	until_true 10 line_is 2 'usable: ecdsa-sha256' || fail "$(<out) $(<err)"
	tpm_stop
	echo x >&"$fd"
	until_true 10 grep -q 'key-missing: private_key.pem: no TPM: cmd:socat' out || fail "$(<out) $(<err)"
	tpm_run
	until_true 10 socat -u /dev/null "TCP:127.0.0.1:$((tpm_port + 1))"
	echo x >&"$fd"
	until_true 10 line_is 4 'usable: ecdsa-sha256' || fail "$(<out) $(<err)"
}

signs_again() {
	server_use optional
	attempt asked client_curl "$port"
	[ "$rc" = 0 ] && grep -q 'reason=presented' log
}

subject_now() {
	server_use optional
	attempt asked client_curl "$port"
	[ "$rc" = 0 ] && [ "$(value_of subject "$(tail -n 1 "$seen")")" = "$1" ]
}

# Through the one connection that the TPM serves, with the key of before still in use.
test_tpm_another_key() {
	tpm_start
	tpm_key ecc256 0x81000001 secret
	tpm_key rsa2048 0x81000002 secret
	cn=second in_token handle:0x81000002 secret
	mv made second
	cn=first in_token handle:0x81000001 secret
	agent_here
	server_use optional
	subject=CN=first presented asked client_curl "$port"
	for file in private_key.pem client_cert.pem; do cp second/$file key/new-$file; done
	[ -z "$root" ] || chown daemon key/new-*
	for file in private_key.pem client_cert.pem; do mv key/new-$file key/$file; done
	install -m 644 second/client_cert.pem cert/new
	mv cert/new cert/client_cert.pem
	until_true 15 subject_now CN=second || fail "$(<agent.err)"
}

# Programs live without it meanwhile, and nobody has to tell the agent.
test_tpm_gone_and_back() {
	tpm_start
	tpm_key ecc256 0x81000001 secret
	cn=dev in_token handle:0x81000001 secret
	agent_here
	server_use required
	subject=CN=dev presented asked client_curl "$port"
	tpm_stop
	attempt asked client_curl "$port" # the one that finds it out
	[ "$rc" != 0 ] || fail "it signed without its TPM"
	server_use optional
	nothing_sent asked client_curl "$port"
	words reason=agent-unavailable
	tpm_run # without a question of ours: the agent may be the first at its one connection
	until_true 20 signs_again || fail "$(<agent.err)"
}

test_tpm_missing_at_the_start() {
	tpm_start
	tpm_key ecc256 0x81000001
	in_token handle:0x81000001
	tpm_stop
	attempt timeout 30 "$AGENT" -d made --socket "$T/s"
	expect_rc 125
	one_line err "$T/made/private_key.pem: the private key is missing or empty (no TPM: $TPM2OPENSSL_TCTI)"
}

# --- PKCS#11 -------------------------------------------------------------------------

# Keys that have never been outside; the module of p11-kit's configuration.
test_keys_made_in_a_token() {
	command -v pkcs11-tool >/dev/null || skip "opensc is not installed"
	soft_token T 1234
	made() { pkcs11-tool --module "$soft" --token-label T --login --pin 1234 --keypairgen --key-type "$1" --id "$2" --label "$3" >log 2>&1 || fail "$(<log)"; }
	made EC:prime256v1 01 ec
	made rsa:2048 02 rsa
	printf '%s\n' "pkcs11:token=T;object=rsa?module-path=$soft" >uri
	opens 'usable: rsa-pss-sha256 rsa-pss-sha512 rsa-pkcs1-sha256' 1234
	echo 'pkcs11:token=T;object=ec' >uri
	opens 'usable: ecdsa-sha256' 1234
	way "pkcs11:token=T;object=ec?module-path=$soft" tok-made 1234
	made EC:edwards25519 03 ed
	echo 'pkcs11:token=T;object=ed' >uri
	attempt "$probes/token" uri pin
	expect_text out 'key-unsupported: private_key.pem: engine pkcs11 wants all keys of the token to be RSA or EC'
}

# pkcs11-provider and OpenSSL of Debian 13, with our programs as they are. The root is never written to: what it needs
# is mounted, for this test alone.
test_debian_13() {
	local status=0 kind
	require_soft
	suite=$(debian root trixie 2>why.log) || status=$?
	[ $status != 77 ] || skip "$(tail -n 1 why.log)"
	[ $status = 0 ] || fail "$(tail -n 1 why.log)"
	tokens=$(debian pkcs11 trixie 2>why.log) || status=$?
	[ $status != 77 ] || skip "$(tail -n 1 why.log)"
	[ $status = 0 ] || fail "$(tail -n 1 why.log)"
	unshare -m true 2>/dev/null || skip "nothing can be mounted here"
	mkdir hsm product
	cp -r "$tokens" tokens
	cp "$LIB" "$RUN" "$CRED" "$AGENT" "$probes/token" "$counting" product/
	cp "$PKI/ca.pem" "$PKI/intermediate.pem" "$PKI/intermediate.key" .
	for kind in '' -rsa -ed25519; do cp "$PKI/device$kind/private_key.pem" "device$kind.key"; done
	cat >enter <<-'SH'
		mount -t proc proc "$1/proc" 2>/dev/null
		mount -t tmpfs tmpfs "$1/tmp" && mkdir -p "$1$2" && mount --bind "$2" "$1$2" || exit 99
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 OPENSSL_MODULES="$2/tokens/lib" \
			SOFTHSM2_CONF="$2/hsm.conf" PKCS11_REAL="$2/tokens/lib/libsofthsm2.so" PKCS11_LOG="$2/logins" \
			chroot "$1" bash -euc "cd $2; . ./inside"
	SH
	cat >inside <<-'SH'
		printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$PWD/hsm" >hsm.conf
		softhsm() { tokens/bin/softhsm2-util --module "$PKCS11_REAL" "$@" >>softhsm.log; }
		softhsm --init-token --free --label T --pin 1234 --so-pin 5678
		for k in device:01 device-rsa:02 device-ed25519:03; do
			softhsm --import "${k%:*}.key" --token T --pin 1234 --id "${k#*:}" --label "${k%:*}"
		done
		echo 1234 >right; echo 9999 >wrong
		uri() { echo "pkcs11:token=T;object=$1?module-path=$PWD/product/counting.so"; }
		for name in device device-rsa device-ed25519 none; do uri $name >uri; product/token uri right </dev/null; done
		uri device >uri
		product/token uri </dev/null
		: >logins; product/token uri wrong </dev/null; cat logins
		printf 'x\nx\nagain\nx\n' | product/token uri right
		mkdir -m 700 made; (umask 077; cp right made/private_key_pass.txt)
		product/mtls-cred new -d made --cn trixie --key-uri "$(uri device-rsa)" >csr 2>/dev/null
		openssl x509 -req -in csr -CA intermediate.pem -CAkey intermediate.key -days 9 -out signed.pem 2>/dev/null
		product/mtls-cred import -d made signed.pem intermediate.pem | head -n 1
		product/mtls-agent -d made --socket "$PWD/s" 2>agent.err &
		agent=$!
		while [ ! -S s ] && kill -0 $agent; do sleep 0.02; done
		MTLS_AGENT=$PWD/s product/mtls-run -d made curl -sS --cacert ca.pem "https://localhost:$(<port)/" >/dev/null && echo served
		kill $agent
	SH
	server_use required
	echo "$port" >port
	attempt unshare -m sh enter "$suite" "$T"
	expect_rc 0
	diff - out <<-'WORDS' || fail "$(<out)"
		usable: ecdsa-sha256
		usable: rsa-pss-sha256 rsa-pss-sha512 rsa-pkcs1-sha256
		usable: ed25519
		key-missing: private_key.pem: token T: no private key none
		passphrase-missing: private_key_pass.txt: token T: it wants a PIN
		passphrase-wrong: private_key_pass.txt: token T: wrong PIN
		login 0xa0
		usable: ecdsa-sha256
		usable: ecdsa-sha256
		usable: ecdsa-sha256
		usable: ecdsa-sha256
		usable: ecdsa-sha256
		subject      CN=trixie
		served
	WORDS
	expect_seen subject=CN=trixie result=ok
}
