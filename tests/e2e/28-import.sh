# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred import, remove and new --csr: every form of file that people have, in any order, whole at a server; what is
# not understood is refused in one line and leaves the folder as it was; a kill at any moment leaves the old credential
# or the new one.

parallel=2
deadline=120
cert=client_cert.pem key=private_key.pem

# A chain of three as a CA delivers it: root, intermediate (pki.sh's, which signed device-deep?) and a leaf for a request.
setup() {
	cd "$W"
	{
		openssl req -x509 -newkey rsa:2048 -nodes -subj '/O=Bank & Söhne/CN=root' -days 100 -keyout root.key -out root.pem
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=issuing -keyout issuing.key -out issuing.csr
		printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n' >ca.ext
		openssl x509 -req -in issuing.csr -CA root.pem -CAkey root.key -CAcreateserial -days 60 -extfile ca.ext -out issuing.pem
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key
		openssl req -new -key leaf.key -subj /CN=device-9 -out leaf.csr
		printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\nauthorityInfoAccess=caIssuers;URI:http://ca.example/i.cer\n' >leaf.ext
		openssl x509 -req -in leaf.csr -CA issuing.pem -CAkey issuing.key -CAcreateserial -days 40 -extfile leaf.ext -out leaf.pem
		openssl x509 -in leaf.pem -outform DER -out leaf.der
		openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile issuing.pem -certfile root.pem -out bundle.p7b
		openssl crl2pkcs7 -nocrl -certfile leaf.pem -certfile issuing.pem -outform DER -out bundle.p7c
		openssl pkcs8 -topk8 -in leaf.key -nocrypt -outform DER -out leaf.p8
		openssl pkcs8 -topk8 -in leaf.key -passout pass:secret -outform DER -out locked.p8
		openssl pkcs8 -topk8 -in leaf.key -passout pass:secret -out locked.key
		openssl ec -in leaf.key -aes128 -passout pass:secret -out old.key
		openssl pkcs12 -export -inkey leaf.key -in leaf.pem -certfile issuing.pem -passout pass:secret -out modern.pfx
		openssl pkcs12 -export -legacy -inkey leaf.key -in leaf.pem -certfile issuing.pem -passout pass:secret -out legacy.pfx
		openssl pkcs12 -export -inkey leaf.key -in leaf.pem -certfile issuing.pem -passout pass: -out open.pfx
		openssl pkcs12 -export -inkey leaf.key -in leaf.pem -certfile issuing.pem -passout pass:secret -nomac -out nomac.pfx
		cat root.pem issuing.pem leaf.pem >roots.pem
		openssl pkcs12 -export -inkey leaf.key -in leaf.pem -certfile roots.pem -passout pass:secret -out with-root.pfx
	} >log 2>&1
	echo secret >pass
	cat leaf.key leaf.pem issuing.pem >all.pem
	cd "$T"
	server_start required --request required --ca "$W/root.pem"
}
# said TEXT: a refusal, in one line with it
said() {
	one_line err "$1"
	[ ! -s out ] || fail "and: $(<out)"
}

snapshot() { (cd "$1" && find . -printf '%P %y %m %l\n' -type f -exec sha256sum {} \; | sort); }

# imported FILE...: into a new folder; what came is whole, in order, and good for a client and at a server
imported() {
	rm -rf d
	attempt "$CRED" import -d d "$@"
	expect_rc 0
	! grep 'left out' err || fail "$(<err)"
	whole
}

whole() {
	[ "$(openssl storeutl -noout -text -certs d/$cert | sed -n 's/ *Subject: .*CN *= *\(.*\)/\1/p' | tr '\n' ' ')" = 'device-9 issuing ' ] ||
		fail "the chain is $(openssl storeutl -noout -text -certs d/$cert | grep Subject:)"
	[ "$(openssl pkey -in d/$key -pubout)" = "$(openssl pkey -in "$W/leaf.key" -pubout)" ] || fail "another key"
	[ "$(find d -type f ! -perm 600)" = '' ] || fail "others can read: $(ls -lR d)"
	attempt "$CRED" check -d d
	expect_rc 0
	require curl
	local cred=$T/d
	server_use required
	attempt mtls client_curl "$port"
	expect_rc 0
	expect_seen subject=CN=device-9 chain=2 verify=ok result=ok
}

test_every_form() {
	local pair
	for pair in 'all.pem' 'leaf.key issuing.pem leaf.pem' 'root.pem issuing.pem leaf.pem leaf.key' 'bundle.p7b leaf.key' \
		'leaf.p8 bundle.p7c' 'leaf.der leaf.key issuing.pem leaf.pem leaf.pem' 'open.pfx' 'open.pfx leaf.key root.pem'; do
		echo "$pair"
		# shellcheck disable=SC2086 # names
		(cd "$W" && cp $pair "$T")
		# shellcheck disable=SC2086
		imported $pair
	done
}

test_encrypted() {
	local file
	for file in modern.pfx legacy.pfx nomac.pfx with-root.pfx; do
		echo $file
		imported --pass-file "$W/pass" "$W/$file"
		imported "$W/$file" --pass-file <(printf 'secret\r\n')
	done
	for file in locked.key locked.p8 old.key; do
		echo $file
		imported "$W/leaf.pem" "$W/$file" "$W/issuing.pem" --pass-file "$W/pass"
	done
	! grep -r ENCRYPTED d || fail "a passphrase would be needed"
}

# A person at a terminal: nothing that is typed is seen.
test_passphrase_from_a_terminal() {
	require_terminals
	cat >type.py <<-'PY'
		import os, pty, sys, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		seen = b""
		answers = [b"wrong\n", b"secret\n"]
		while True:
		    try:
		        got = os.read(fd, 1000)
		    except OSError:
		        break
		    if not got:
		        break
		    seen += got
		    if got.rstrip().endswith(b":") and answers:
		        time.sleep(0.1)
		        os.write(fd, answers.pop(0))
		sys.stdout.buffer.write(seen)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	PY
	attempt python3 type.py "$CRED" import -d d "$W/modern.pfx"
	expect_rc 0
	expect_text out "Passphrase of $W/modern.pfx:"
	! grep -qE 'secret|wrong' out || fail "it was seen: $(<out)"
	whole
	attempt setsid "$CRED" import -d e "$W/modern.pfx"
	expect_rc 2
	said '--pass-file FILE'
}

# Files that other programs write.
test_certtool() {
	require certtool
	certtool --to-p12 --load-privkey "$W/leaf.key" --load-certificate <(cat "$W/leaf.pem" "$W/issuing.pem") --p12-name x \
		--password secret --outder --outfile t.pfx >log 2>&1 || fail "$(<log)"
	imported --pass-file "$W/pass" t.pfx
	certtool --to-p12 --load-privkey "$W/leaf.key" --load-certificate <(cat "$W/leaf.pem" "$W/issuing.pem") --p12-name x \
		--password secret --pkcs-cipher 3des-pkcs12 --outder --outfile t.pfx >log 2>&1 || fail "$(<log)"
	imported --pass-file "$W/pass" t.pfx
}

test_pk12util() {
	require pk12util
	require certutil
	mkdir db
	{
		echo secret >nss
		certutil -N -d sql:db -f nss
		pk12util -i "$W/modern.pfx" -d sql:db -k nss -w "$W/pass"
		certutil -L -d sql:db
	} >log 2>&1 || fail "$(<log)"
	pk12util -o t.pfx -n "$(certutil -L -d sql:db | sed -n 's/ *u,u,u *$//p' | head -n 1)" -d sql:db -k nss -w "$W/pass" >log 2>&1 || fail "$(<log)"
	imported --pass-file "$W/pass" t.pfx "$W/issuing.pem"
}

# --- what is refused -------------------------------------------------------------------------

# bad TEXT FILE...: one line, and the folder d is as it was; so is one that is not there
bad() {
	local before
	echo "$*"
	before=$(snapshot d)
	attempt timeout 20 "$CRED" import -d d "${@:2}" </dev/null
	expect_rc 2
	said "$1"
	[ "$(snapshot d)" = "$before" ] || fail "changed: $(snapshot d)"
	[[ $1 != *--force* ]] || return 0
	attempt timeout 20 "$CRED" import -d nowhere "${@:2}" </dev/null
	expect_rc 2
	[ ! -e nowhere ] || fail "the refusal made a folder"
}

test_malformed() {
	local i
	cp -r "$PKI/device" d
	cp "$W"/*.* .
	bad 'No such file' none.pem
	bad 'Is a directory' d
	: >x; bad 'it is empty' x
	mkfifo fifo; bad 'it is empty' fifo
	bad 'too large' /dev/zero
	head -c 1048577 /dev/zero | tr '\0' a >x; bad 'too large' x
	head -c 1000 /dev/urandom | tr '\60\55\376\316\377' y >x; bad 'neither PEM nor DER' x
	echo hello >x; bad 'neither PEM nor DER' x
	printf '\xfe\xed\xfe\xed\0\0\0\2' >x; bad 'Java key store' x
	printf '\xce\xce\xce\xce\0\0\0\2' >x; bad 'JCEKS' x
	iconv -t UTF-16 all.pem >x; bad 'UTF-16' x
	grep -v -- ----- leaf.pem >x; bad 'without its BEGIN and END' x
	echo 'pkcs11:token=x' >x; bad 'pkcs11:token=x: ' x
	echo 'handle:0x81000001' >x; bad 'handle:0x81000001: ' x
	echo 'ssh-ed25519 AAAA x' >x; bad 'SSH public key' x
	ssh-keygen -q -t ed25519 -N '' -f ssh 2>/dev/null && bad 'OPENSSH' ssh
	openssl req -in leaf.csr -out x; bad 'neither a certificate nor a private key' x
	openssl pkey -in leaf.key -pubout -out x; bad 'neither a certificate nor a private key' x
	sed '3s/^..../!!!!/' leaf.pem >x; bad 'block 1 never ends, or is damaged' x leaf.key
	sed '$d' leaf.pem >x; bad 'block 1 never ends' x leaf.key
	sed '2s/^..../AAAA/' leaf.pem >x; bad 'damaged' x leaf.key
	sed '2s/^..../AAAA/' leaf.key >x; bad 'not a private key' leaf.pem x
	sed '/DEK-Info/d' old.key >x; bad 'x:' leaf.pem x
	head -c 300 modern.pfx >x; bad 'not whole' x
	head -c 100 leaf.der >x; bad 'not whole' x leaf.key
	(cat leaf.der; echo tail) >x; bad 'not whole' x leaf.key
	bad 'no certificate; give both' leaf.key
	bad 'there is no private key for' leaf.pem
	bad 'there is no private key for' bundle.p7b
	cp "$PKI/device-rsa/$key" other.key; bad 'no certificate here belongs to this key' leaf.pem other.key
	bad 'two pairs: CN=' all.pem "$PKI/device-rsa/$key" "$PKI/device-rsa/$cert"
	bad 'has a usable credential (CN=device); --force' all.pem
	bad 'does not open the key' modern.pfx --pass-file /etc/hostname
	bad 'does not open the key' locked.key leaf.pem --pass-file leaf.ext
	bad 'No such file' modern.pfx --pass-file none
	: >x; bad 'does not open' modern.pfx --pass-file x
	printf 'x%.0s' {1..1024} >x; bad '1023 bytes' modern.pfx --pass-file x
	bad 'give its passphrase with --pass-file' locked.key leaf.pem # no terminal: setsid is timeout's affair
	for i in {1..501}; do cat issuing.pem; done >x; bad 'more than 500 certificates' x
	printf 'file name\nusable: forged' >$'x\ny'; bad 'x?y: this is neither' $'x\ny'
	sed 's/BEGIN PRIVATE/BEGIN FOO PRIVATE/; s/END PRIVATE/END FOO PRIVATE/' leaf.key >x; bad 'FOO PRIVATE KEY' x leaf.pem
	python3 - <<-'PY'
		data = bytearray(open("modern.pfx", "rb").read())
		data[len(data) // 2] ^= 1
		open("x", "wb").write(data)
	PY
	bad 'does not open' x --pass-file "$W/pass"
}

# Garbage of every length: never a crash, and always a line.
test_mutations() {
	require python3
	cp "$W"/{modern,legacy}.pfx "$W"/all.pem "$W"/bundle.p7c .
	echo secret >pass
	cat >mutate.py <<-'PY'
		import os, random, subprocess, sys
		random.seed(7)
		for i in range(300):
		    name = random.choice(["modern.pfx", "legacy.pfx", "all.pem", "bundle.p7c"])
		    data = bytearray(open(name, "rb").read())
		    for _ in range(random.choice([1, 1, 3, 20])):
		        data[random.randrange(len(data))] = random.randrange(256)
		    if random.random() < .3:
		        del data[random.randrange(len(data)):]
		    open("x", "wb").write(data)
		    r = subprocess.run([sys.argv[1], "import", "-d", "m", "--force", "--pass-file", "pass", "x"], capture_output=True,
		                       stdin=subprocess.DEVNULL)
		    if r.returncode not in (0, 2) or (r.returncode == 2 and r.stderr.count(b"\n") != 1):
		        sys.exit(f"{name} {i}: {r.returncode} {r.stderr}")
	PY
	attempt setsid -w python3 mutate.py "$CRED"
	expect_rc 0
}

# --- requests, renewals, replacing --------------------------------------------------------------

signed() { # CSR OUT
	openssl x509 -req -in "$1" -CA "$W/issuing.pem" -CAkey "$W/issuing.key" -CAcreateserial -days 40 -extfile "$W/leaf.ext" -out "$2" 2>log ||
		fail "$(<log)"
}

test_request() {
	local before
	cp -r "$PKI/device" d
	before=$(cat d/*.pem)
	for type in ec rsa ed25519; do
		attempt "$CRED" new -d d --csr --cn device.example --type $type --force
		expect_rc 0
		cp out r.csr
		openssl req -in r.csr -verify -noout -text >text 2>&1 || fail "$(<text)"
		for want in 'CN = device.example' 'TLS Web Client Authentication' 'Digital Signature' 'DNS:device.example'; do
			expect_text text "$want"
		done
		[ "$(stat -c %a d/request_key.pem)" = 600 ] || fail "its mode is $(stat -c %a d/request_key.pem)"
		[ "$(cat d/client_cert.pem d/private_key.pem)" = "$before" ] || fail "the credential in force changed"
	done
	attempt "$CRED" new -d d --csr --cn other
	expect_rc 2
	said 'request_key.pem: the key of a request that is on its way; --force'
	signed r.csr r.pem
	attempt "$CRED" import -d d r.pem "$W/issuing.pem"
	expect_rc 2
	said '--force replaces it' # another subject than the one in force
	attempt "$CRED" import -d d r.pem "$W/issuing.pem" --force
	expect_rc 0
	[ ! -e d/request_key.pem ] || fail "the request's key is still there"
	[ "$(openssl pkey -in d/$key -pubout)" = "$(openssl x509 -in r.pem -noout -pubkey)" ] || fail "another key"
	! grep -rqF "$(sed -n 2p "$PKI/device/$key")" d || fail "the old key is still there"
}

# A renewal: the same subject needs no --force; a certificate alone has the key in force, or a request's.
test_renewal() {
	imported "$W/all.pem"
	cp d/$cert before
	signed "$W/leaf.csr" new.pem
	attempt "$CRED" import -d d new.pem "$W/issuing.pem"
	expect_rc 0
	whole
	! cmp -s d/$cert before || fail "not renewed"
	attempt "$CRED" import -d d new.pem
	expect_rc 0
	expect_text err 'the issuer is not among the files: CN=issuing'
	expect_text err 'http://ca.example/i.cer'
	attempt "$CRED" import -d d before new.pem # old and new for one key: the younger one
	expect_rc 0
	[ "$(openssl x509 -in d/$cert -noout -serial)" = "$(openssl x509 -in new.pem -noout -serial)" ] || fail "the older one"
	attempt "$CRED" new -d d --csr --cn device-9
	cp out r.csr
	signed r.csr r.pem
	attempt "$CRED" import -d d r.pem "$W/issuing.pem"
	expect_rc 0
	[ "$(openssl x509 -in d/$cert -noout -serial)" = "$(openssl x509 -in r.pem -noout -serial)" ] || fail "not the request's"
	[ ! -e d/request_key.pem ] || fail "the request's key is still there"
}

# A passphrase file of before goes with its key.
test_replaces_an_encrypted_one() {
	cp -r "$PKI/key/ec-pkcs8-scrypt" d
	attempt "$CRED" import -d d "$W/all.pem" --force
	expect_rc 0
	whole
	[ -z "$(find d -name private_key_pass.txt)" ] || fail "the passphrase is still there"
}

# --- remove ------------------------------------------------------------------------------------------

removed() {
	attempt "$CRED" check -d d
	expect_rc 3
	expect_text out 'was removed'
	[ "$(find d -type f -size +0)" = '' ] || fail "left: $(find d -type f -size +0)"
}

test_remove() {
	local before
	mkdir outside
	cp "$PKI"/device/* outside
	cp -r "$PKI/device" d
	exec 7<d/$key # its very bytes, wherever its name goes
	attempt "$CRED" remove -d d
	expect_rc 0
	expect_text out "removed: $T/d: subject CN=device"
	removed
	! tr -d '\0' <&7 | grep -q . || fail "the key's bytes are still there"
	exec 7<&-
	attempt "$CRED" remove -d d
	expect_rc 0
	removed
	imported "$W/all.pem"
	attempt "$CRED" remove -d d
	expect_rc 0
	removed
	before=$(snapshot outside)
	rm -rf d; mkdir d; ln -s ../outside/$cert ../outside/$key d/
	attempt "$CRED" remove -d d
	expect_rc 0
	removed
	rm -rf d; cp -r "$PKI/device" d; ln -f outside/$key d/
	attempt "$CRED" remove -d d
	expect_rc 0
	removed
	[ "$(snapshot outside)" = "$before" ] || fail "it went out of the folder"
	mkdir empty
	attempt "$CRED" remove -d empty
	expect_rc 0
	[ -z "$(ls -A empty)" ] || fail "made $(ls -A empty)"
	attempt "$CRED" remove -d nowhere
	expect_rc 2
	said 'nowhere: this folder does not exist'
}

# --- kills ----------------------------------------------------------------------------------------------

fingerprint() { sha256sum d/$cert d/$key | cut -c 1-64 | tr '\n' ' '; }

# killed VERB...: at a moment within it; prints whether it was
killed() {
	attempt timeout -s KILL "$(printf '0.%06d' $((RANDOM % 12000)))" "$CRED" "$@"
	[ "$rc" = 137 ]
}

test_killed_100_times() {
	local i n=0 was
	for i in {1..50}; do
		rm -rf d
		if ((i % 2)); then cp -r "$PKI/device" d; else "$CRED" import -d d "$PKI"/device/*.pem >/dev/null 2>&1; fi
		was=$(openssl x509 -in d/$cert -noout -serial)
		! killed import -d d --force "$W/all.pem" || n=$((n + 1))
		attempt "$CRED" check -d d
		expect_rc 0
		[[ $(openssl x509 -in d/$cert -noout -serial) = "$was" || $(<out) = *CN=device-9,* ]] || fail "neither: $(<out)"
		attempt "$CRED" import -d d --force "$W/all.pem"
		expect_rc 0
		[ "$(find d -type f | wc -l)" = 2 ] || fail "left behind: $(find d -type f)"
		! killed remove -d d || n=$((n + 1))
		attempt "$CRED" check -d d
		[[ $rc = 3 && $(<out) = *'was removed'* || $rc = 0 && $(<out) = *CN=device-9,* ]] || fail "half: $(<out)"
		attempt "$CRED" remove -d d
		expect_rc 0
		removed
	done
	((n >= 20)) || fail "only $n were killed"
}

# Two at once: one after the other, and neither is lost or half.
test_two_at_once() {
	local i
	mkdir d
	for i in {1..8}; do "$CRED" import -d d --force "$W/all.pem" >"out.$i" 2>"err.$i" & done
	wait
	whole
	[ "$(find d -type f | wc -l)" = 2 ] || fail "left behind: $(find d -type f)"
	! grep -v 'note:' err.* || fail "said: $(cat err.*)"
}
