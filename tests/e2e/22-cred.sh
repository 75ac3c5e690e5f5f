# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred new, check and path: exit statuses, one line for each refusal, what is on the disk afterwards (also
# after a fault or a kill at any step), and that a server gets to see what `new` made.

# shellcheck source=tests/e2e/folder.sh
. tests/e2e/folder.sh

parallel=2 # so no server is started in setup: the runner would wait for it
deadline=90
cert=client_cert.pem key=private_key.pem pass=private_key_pass.txt

setup() { fault_library "$W/fault.so"; }

# no STATUS TEXT ARG...: mtls-cred refuses, in one line on standard error; state: one on standard output
no() { attempt "$CRED" "${@:3}"; expect_rc "$1"; one_line err "$2"; [ ! -s out ] || fail "and: $(<out)"; expect_in "$line" '^mtls-cred'; }
state() { attempt "$CRED" "${@:3}"; expect_rc "$1"; one_line out "$2"; [ ! -s err ] || fail "and: $(<err)"; }
works() { attempt "$@"; expect_rc 0; [ ! -s "$T/err" ] || fail "said: $(<"$T/err")"; }
expect_in() { [[ $1 =~ $2 ]] || fail "expected \"$2\": $1"; }
x509() { openssl x509 -noout -in d/$cert "$@"; }

# new ARG...: works; its six lines are in the array said
new() {
	local line
	declare -gA said=()
	works "$CRED" new "$@"
	while read -r line; do said[${line%%  *}]=${line##*  }; done <"$T/out"
	[[ ${#said[@]} = 6 && $(wc -l <"$T/out") = 6 ]] || fail "printed $(<"$T/out")"
}

# untouched TEXT ARG...: new refuses, and d is as before to the byte
untouched() {
	local before
	before=$(snapshot d)
	no 2 "$1" new -d d "${@:2}"
	unchanged d "$before"
}

# expect_made [DAYS]: `new -d d` made a pair, good for a client, and what it printed is true
expect_made() {
	local hash mark from to
	cp d/$cert ca.pem
	openssl verify -CAfile ca.pem -purpose sslclient d/$cert >log 2>&1 || fail "$(<log)"
	[ "$(x509 -pubkey)" = "$(openssl pkey -in d/$key -pubout)" ] || fail "no pair"
	for hash in sha1 sha256; do
		mark=$(x509 -fingerprint "-$hash" | sed 's/.*=//; s/://g')
		[ "${said[$hash]-}" = "${mark,,}" ] || fail "$hash is $mark"
	done
	from=$(date -d "$(x509 -startdate | cut -d= -f2)" +%s)
	to=$(date -d "$(x509 -enddate | cut -d= -f2)" +%s)
	((from <= EPOCHSECONDS && from > EPOCHSECONDS - 60 && to - from == ${1:-365} * 86400)) || fail "$(x509 -dates)"
	[ "${said[valid until]}" = "$(date -ud "@$to" +%F)" ] || fail "valid until ${said[valid until]}"
	[ "${said[certificate]} ${said[key]}" = "$T/d/$cert $T/d/$key" ] || fail "elsewhere"
	state 0 "usable: $T/d: subject ${said[subject]}, sha256 ${said[sha256]}" check -d d
}

# From here on $CRED runs as another user.
as_nobody() {
	if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then skip "needs root, and setpriv"; fi
	chmod go+x "$WORK" "$W" "$T"
	install -m 755 "$CRED" mtls-cred
	CRED=$T/nobody
	printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups "%s/mtls-cred" "$@"\n' "$T" >"$CRED"
	chmod 700 "$CRED"
	"$CRED" --version >/dev/null || skip "another user cannot look into $T"
}

test_usage() {
	local value long
	no 64 'what to do?'
	no 64 'frobnicate: unknown verb' frobnicate
	no 64 'unknown verb' $'a\nb'
	no 64 '-d: a value is missing' -d
	no 64 '--nonsense: unknown option' new --nonsense
	no 64 'unknown option' new $'--a\nb'
	no 64 '-z: unknown option' check -zd x
	no 64 'one argument too many' path -d d more
	no 64 '--dir: no folder is named' new --dir=
	no 64 '--cn: a value is missing' new -d d --cn
	for value in '' 0 -1 abc 1x 0x10 36501 4294967297 99999999999999999999999 $'1\n2' "$(printf '9%.0s' {1..60000})"; do
		no 64 "--days ${value%$'\n2'}" new -d d --days "$value"
	done
	for value in '' dsa rsa:1024 EC $'ec\n'; do no 64 'not one of ec, rsa, ed25519' new -d d --type "$value"; done
	long=$(printf 'x%.0s' {1..64})
	for value in '' "x$long" "$(printf 'é%.0s' {1..33})"; do no 64 '--cn: a name has 1 to 64' new -d d --cn "$value"; done
	no 2 utf8 new -d d --cn $'\xff\xfe'
	no 64 'one of the two' new -d d --csr --self-signed
	no 64 'decides on its --days' new -d d --csr --days 3
	no 64 'which files?' import -d d
	no 64 'one argument too many' remove -d d more
	[ ! -e d ] || fail "a refusal made the folder"
	new -d d --cn "$long" --days 36500
	expect_made 36500
	expect_text <("$CRED" new --help) 'mtls-cred [-d DIR] VERB'
	state 0 'mtls-cred ' --version
	! "$CRED" check -d d >/dev/full 2>err || fail "a full disk was not noticed"
	expect_text err 'standard output: No space left'
}

test_new_defaults() {
	local text pattern
	new -d d
	text=$(x509 -text)
	for pattern in 'Version: 3 ' prime256v1 'Signature Algorithm: ecdsa-with-SHA256' 'Constraints: critical *CA:FALSE' \
		'Extended Key Usage: *TLS Web Client Authentication *(X|Sig)' 'X509v3 Key Usage: critical *Digital Signature *X'; do
		expect_in "${text//$'\n'/ }" "$pattern"
	done
	expect_in "$(x509 -subject -issuer -nameopt RFC2253)" "^subject=CN=$(uname -n)"$'\n'"issuer=CN=$(uname -n)$"
	[ "${said[subject]}" = "CN=$(uname -n)" ] || fail "subject ${said[subject]}"
	expect_made
	text=$(x509 -serial)
	expect_in "$text" '^serial=[0-9A-F]{24,40}$'
	new -d d --force --self-signed
	[ "$(x509 -serial)" != "$text" ] || fail "the same serial number again"
}

# A name that is no host name must not become other names in the certificate.
test_new_types_and_names() {
	local kind cn
	for kind in 'ec prime256v1.*ecdsa-with-SHA256' 'rsa \(3072 bit.*sha256WithRSAEncryption' 'ed25519 ED25519'; do
		new -d d --force --type "${kind%% *}" --cn device-17.example --days 31
		expect_in "$(x509 -text)" "${kind#* }"
		expect_in "$(x509 -ext subjectAltName)" ' DNS:device-17.example$'
		expect_in "$(head -n 1 d/$key)" '^-----BEGIN PRIVATE KEY-----$'
		expect_made 31
	done
	for cn in 'a,DNS:evil.example' 'a,email:copy' 10.0.0.1 ::1 'a b' -a a- a..b a_b '*' @names 'x,O=y/O=z' '${ENV::HOME}' \
		'%s%n' é $'a\nsubject      CN=forged'; do
		new -d d --force --cn "$cn"
		[[ $(x509 -text) != *Alternative* ]] || fail "$cn became $(x509 -ext subjectAltName)"
		[ "$(x509 -subject -nameopt utf8,sep_multiline)" = $'subject=\n    CN='"$cn" ] || fail "$cn became $(x509 -subject)"
	done
}

test_modes_whatever_the_umask() {
	local mask
	for mask in 000 077; do
		(umask $mask && new -d $mask/a/b)
		expect_modes 700 $mask -type d -not -path '*/.generations*'
		expect_modes 600 $mask -type f
		chmod 644 $mask/a/b/*.pem && chmod 755 $mask/a/b
		(umask $mask && new --force -d $mask/a/b)
		expect_modes 600 $mask -type f
		expect_modes 755 $mask/a/b -maxdepth 0 # a folder that was there is left as it is
	done
}

test_overwriting_needs_force() {
	new -d d --cn first
	untouched 'has a usable credential (CN=first); --force replaces it' --cn second
	new -d d --cn second --force
	[ "${said[subject]}" = CN=second ] || fail "${said[subject]}"
	expect_made
	rm d/$cert; untouched '(certificate-missing); --force' # what cannot be had again stays, usable or not
	cp "$PKI"/key/ec-pkcs8-scrypt/* d; untouched 'has a usable credential'
	new -d d --force
	truncate -s 0 d/$cert d/$key; new -d d # removed
	expect_made
	rm d/$key; mkdir d/$key; untouched "$key: Is a directory" --force # known before the certificate is replaced
	MTLS_CERT=d/$cert no 2 'MTLS_CERT names single files: say -d' new --force
	chmod 777 d; untouched 'chmod go-w' --force
	no 2 'Not a directory' new -d d/$cert/below
	no 2 'File name too long' new --force -d "$(printf 'x%.0s' {1..300})"
}

test_links_are_replaced_not_followed() {
	local before
	mkdir outside d
	echo precious | tee outside/$cert >outside/$key
	before=$(snapshot outside)
	ln -s ../outside/$cert ../outside/$key d/; untouched '--force replaces it'
	new -d d --force
	[ "$(find d -type f | wc -l)" = 2 ] || fail "still links: $(ls -l d)"
	unchanged outside "$before"
	ln -sf ../outside/new d/$cert; ln -sf ../outside/new d/$key; new -d d # dangling
	unchanged outside "$before"
	rm -r d; mkdir d; ln -s ../outside d/.generations; untouched '.generations: Not a directory'
	rm -r d; mkdir d; ln -s ../outside d/.current; untouched '.current: File exists'
	rm -r d; mkdir d; ln -s .generations/0123456789abcdef d/.current; mkdir d/.generations
	ln -s "$T/outside" d/.generations/0123456789abcdef; new -d d
	unchanged outside "$before"
	ln -f outside/$key d/; new -d d --force # a hard link
	expect_in "$(cat outside/*)" $'^precious\nprecious$'
	expect_made
	ln -s d link; state 0 "usable: $T/link" check -d link # the folder itself may be one: the user named it
}

# The old pair or the new one, whole; nothing others can read; and one run more clears away what was left behind.
expect_sane() {
	state 0 'usable: ' check -d d
	expect_modes 600 d -type f
}

# pair: the bytes in force
pair() { cat d/$cert d/$key; }

expect_clear() {
	new -d d --force
	[ "$(find d -type f | wc -l) $(find d | wc -l)" = '2 8' ] || fail "left behind: $(find d)"
}

# faulty N ERRNO: new --force whose Nth step fails, 0: kills; its steps are in $steps
faulty() {
	attempt env FAULT_AT="$1" FAULT_ERRNO="$2" LD_PRELOAD="$W/fault.so" "$CRED" new -d d --force 9>steps
	steps=$(<steps)
}

# at_each_step PREPARE: a fault and a kill at each step of new over what PREPARE lays there
at_each_step() {
	local n before last
	$1
	faulty 0 0
	last=$(wc -w <steps)
	[[ $steps = *'write fsync'*'write fsync'*'renameat fsync '* ]] || fail "not durable: $steps"
	for ((n = 1; n <= last; n++)); do
		$1
		before=$(pair)
		faulty "$n" 28
		[ "$rc" = 0 ] || expect_rc 2 # where only a folder could not be listed for another look
		[[ $rc = 0 || $(<err) = *'No space left on device'* ]] || fail "said: $(<err)"
		[[ $rc = 0 || $(<err) = *'it is done'* || $steps = *renameat\ fsync\ * || $(pair) = "$before" ]] || fail "changed by $steps"
		expect_sane
		$1
		faulty "$n" 0
		expect_rc 137
		expect_sane
		expect_clear
	done
}

over_our_own() { rm -rf d; new -d d; }
over_plain_files() { rm -rf d; mkdir -m 755 d; cp "$PKI"/device/*.pem d; chmod 600 d/*; }

test_a_fault_or_a_kill_at_any_step() {
	umask 000
	at_each_step over_our_own
	at_each_step over_plain_files
}

test_killed_at_any_moment() {
	local i killed=0
	umask 000
	new -d d
	for i in {1..40}; do
		attempt timeout -s KILL "$(printf '0.%06d' $((1 + RANDOM % 15000)))" "$CRED" new -d d --force
		[ "$rc" = 0 ] || { expect_rc 137; killed=$((killed + 1)); }
		expect_sane
	done
	[ $killed != 0 ] || fail "none of $i was killed"
	expect_clear
}

test_full_disk_and_file_size_limit() {
	local before
	new -d d
	before=$(find d; pair)
	(ulimit -f 0 && "$CRED" new -d d --force) 2>&1 | cat >err
	expect_text err "$cert: File too large"
	[ "$(find d; pair)" = "$before" ] || fail "changed: $(find d)"
	unshare -m mount -t tmpfs none d 2>/dev/null || skip "no mount namespaces here"
	# two pages: the pair fits, no third file does
	unshare -m sh -ec 'mount -t tmpfs -o size=8k,mode=755 none d; "$CRED" new -d d >/dev/null; cat d/* >before
		! "$CRED" new -d d --force 2>err; cat d/* | cmp - before; find d -type f | wc -l; "$CRED" check -d d' >out
	expect_text err 'No space left on device'
	expect_in "$(<out)" $'^2\nusable: '
}

test_another_users_folder() {
	new -d d
	as_nobody
	chmod 755 d; chmod 644 d/$cert
	untouched '(unreadable); --force'
	untouched 'Permission denied' --force
	no 2 'Permission denied' new -d below
	state 2 "d/$key: this cannot be read; make it readable" check -d d
	chmod 700 d; state 2 ': this cannot be read; make it readable' check -d d
	state 0 "$T/d (named by --dir)" path -d d
}

test_lookup() {
	local name verb
	export HOME=$T/home XDG_CONFIG_HOME=$T/xdg CREDENTIALS_DIRECTORY=$T/systemd MTLS_DIR=named \
		MTLS_CERT=single/$cert MTLS_KEY=single/$key
	mkdir -p home/.config xdg
	for name in home/.config/mtls xdg/mtls systemd named single dir; do cp -r "$PKI/device" $name; done
	for name in '-d dir VERB' '-ddir VERB' 'VERB -d dir' 'VERB --dir=dir' '-d x VERB -d dir' '-- VERB -d x -d dir'; do
		read -ra verb <<<"$name"
		state 0 "usable: $T/dir:" "${verb[@]/VERB/check}"
		state 0 "$T/dir (named by --dir)" "${verb[@]/VERB/path}"
		no 2 "$T/dir: has a usable" "${verb[@]/VERB/new}"
	done
	state 0 "$T/absent (" path -d absent # named, though it does not exist
	state 0 "$T/single/$cert (named by MTLS_CERT)" path
	state 0 "usable: $T/single/$cert" check
	MTLS_KEY=$PKI/device-rsa/$key state 2 "$PKI/device-rsa/$key: certificate and key do not" check
	MTLS_KEY='' state 2 'no private key block' check # empty counts as unset: the same file as the certificate
	export MTLS_CERT=; state 0 "$T/named (named by MTLS_DIR)" path
	unset MTLS_DIR; state 0 "$T/systemd (the first place with a credential: CREDENTIALS_DIRECTORY)" path
	CREDENTIALS_DIRECTORY=systemd state 0 "$T/xdg/mtls (" path # not absolute: unset
	rm systemd/*; state 0 "usable: $T/xdg/mtls:" check
	XDG_CONFIG_HOME=xdg state 0 "$T/home/.config/mtls (" path
	rm xdg/mtls/$cert; state 2 "$T/xdg/mtls/$cert: the certificate is missing" check # broken, not absent
	unset XDG_CONFIG_HOME; state 0 "usable: $T/home/.config/mtls:" check
	MTLS_ISSUER=nonsense state 2 'MTLS_ISSUER: this setting cannot be understood (nonsense); correct it' check
	echo 'hosts =' >home/.config/mtls/mtls.conf; state 2 "$T/home/.config/mtls/mtls.conf, line 1: this setting" check
	rm -r home/.config/mtls
	[ ! -e /etc/mtls ] || skip "there is an /etc/mtls"
	no 3 "$T/systemd (CREDENTIALS_DIRECTORY), $T/home/.config/mtls (the user's" path
	HOME=relative state 3 "looked at: $T/systemd (CREDENTIALS_DIRECTORY), /etc/mtls (" check
}

test_where_new_writes() {
	[ ! -e /etc/mtls ] || skip "there is an /etc/mtls"
	as_nobody
	install -d -o 65534 home systemd
	export HOME=$T/home CREDENTIALS_DIRECTORY=$T/systemd
	umask 000
	new
	expect_modes 700 home/.config home/.config/mtls -maxdepth 1 -type d -not -name .generations
	no 2 "$T/home/.config/mtls: has a usable" new # now it is in force
	HOME='' no 2 'HOME is not set: say -d FOLDER' new
	chown 12345 home/.config/mtls; chmod 755 home/.config/mtls
	state 2 "$T/home/.config/mtls: somebody else could replace it; make it yours" check
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	CRED=$T/mtls-cred HOME=$T/empty unshare -m sh -ec 'mount -t tmpfs -o mode=755 none /etc
		"$CRED" new >/dev/null; "$CRED" path; stat -c %a /etc/mtls' >out
	expect_in "$(<out)" "^/etc/mtls \(the first place with a credential: the system's configuration\)"$'\n700$'
}

fresh() { rm -rf d; cp -r "${1:-$PKI/device}" d; }

# broken FILE SENTENCE REMEDY: that is said of the folder d, which is then made anew
broken() { state 2 "$T/d${1:+/$1}: $2" check -d d; expect_in "$line" "; $3"; fresh; }

test_absent_removed_and_broken() {
	local bytes i
	mkdir d
	echo secret >d/$pass
	state 3 "$T/d: there is no credential here; put $cert" check -d d
	for bytes in '' ' \r\n\t\n' '\xef\xbb\xbf'; do
		printf '%b' "$bytes" >d/$cert; state 3 "$T/d: the credential was removed" check -d d
		mv d/$cert d/$key; state 3 "$T/d: the credential was removed" check -d d
		rm d/$key
	done
	rm -r d
	broken '' 'this folder does not exist' 'correct the name'
	chmod 702 d; broken '' 'somebody else could replace it' 'make it yours'
	chmod 602 d/$key; broken $key 'somebody else could replace it' 'make it yours'
	rm d/$cert; broken $cert 'the certificate is missing' 'put the certificate'
	: >d/$key; broken $key 'the private key is missing' 'put the key'
	rm d/$cert; mkfifo d/$cert; broken $cert 'this is not a regular file' 'put a regular file'
	ln -sf /dev/zero d/$key; broken $key 'this is not a regular file' 'put a regular file'
	ln -sf $key d/$key; broken $key 'this cannot be read' 'make it readable'
	truncate -s 1048577 d/$key; broken $key 'this is too large' 'keep the leaf'
	for i in {1..32}; do cat "$PKI/ca.pem"; done >>d/$cert; broken $cert 'this is too large' 'keep the leaf'
	printf 'x%.0s' {1..1024} >d/$pass; broken $pass 'the passphrase is longer than 1023' 'encrypt the key again'
	echo text >d/$cert; broken $cert 'this is not a certificate in PEM' 'write it again as PEM, leaf first'
	sed -i '3s/^..../!!!!/' d/$cert; broken $cert 'this is not a certificate in PEM' 'write it again'
	cp d/$cert d/$key; broken $key 'this is not a private key in PEM' 'write it again as PEM'
	sed -i '2s/^..../AAAA/' d/$key; broken $key 'this is not a private key in PEM' 'write it again as PEM'
	printf '%s\n' asn1=SEQUENCE:k [k] v=INTEGER:0 a=SEQUENCE:a p=OCT:x [a] o=OID:1.3.6.1.4.1.99999.1 >cnf # nobody knows it
	openssl asn1parse -genconf cnf -noout -out der
	printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' "$(base64 der)" >d/$key
	broken $key 'the TLS library cannot use this kind of key' 'convert it'
	echo 'pkcs11:token=x' >d/$key; broken $key 'the key is in a token' "name the agent's socket"
	fresh "$PKI/key/ec-pkcs8-scrypt"; rm d/$pass; broken $pass 'the key is encrypted and there is no' 'put the pass'
	fresh "$PKI/key/ec-pkcs8-scrypt"; echo x >d/$pass; broken $pass 'the passphrase does not open' 'correct the first'
	cp "$PKI/device-rsa/$key" d; broken $key 'certificate and key do not belong together' 'put the key'
	state 0 usable: check -d d # and what all of them were made of is fine
}

# made OPTION...: d has a key and a certificate of its own, with these options of openssl req
made() {
	fresh
	[[ " $*" = *' -newkey '* ]] || set -- "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256
	openssl req -x509 -nodes -subj /CN=x -days 365 -keyout d/$key -out d/$cert "$@" 2>log || fail "$(<log)"
}

# warned FILE TEXT: usable, and this one warning
warned() {
	attempt "$CRED" check -d d
	expect_rc 1
	expect_in "$(<out)" $'^usable: [^\n]*\nwarning: '"$T/d/$1: "$'[^\n]*'"$2"$'[^\n]*$'
}

test_warnings() {
	local mode
	fresh "$PKI/device-expired"; warned $cert 'certificate 1 expired on 2021-01-01'
	made -days 29; warned $cert 'certificate 1 expires on 20'
	made -addext extendedKeyUsage=serverAuth; warned $cert 'extended key usage does not have clientAuth'
	made -addext keyUsage=keyAgreement; warned $cert 'key usage does not have digitalSignature'
	made -newkey rsa:1024; warned $cert 'an RSA key of 1024 bits is too short'
	made -newkey ec -pkeyopt ec_paramgen_curve:secp256k1; warned $cert 'curve cannot be used in TLS 1.3'
	made -sha1 -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key"; warned $cert 'certificate 1 is signed with SHA1'
	made; cat "$PKI/other-ca.pem" >>d/$cert; warned $cert 'certificate 1 was not issued by certificate 2'
	for mode in 640 604; do fresh; chmod $mode d/$key; warned $key "its mode $mode lets others"; done
	fresh; install -m 644 /dev/null d/$pass; warned $pass 'its mode 644'
	made -sha1; warned $cert 'certificate 1 is signed with SHA1' # services where it is registered look at it
	made -addext extendedKeyUsage=clientAuth,serverAuth -addext keyUsage=digitalSignature; state 0 usable: check -d d
	openssl req -new -key d/$key -subj /CN=x -out csr
	: >index.txt
	OPENSSL_CONF=$PKI/openssl.cnf openssl ca -batch -name signing_ca -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" -in csr \
		-extensions client -notext -startdate 20450101000000Z -enddate 20460101000000Z -out d/$cert 2>log
	warned $cert 'certificate 1 is not valid before 2045-01-01'
}

test_hostile_names() {
	local name=$'a\nusable: forged \e[31m%s%n\x7f'
	state 2 'a?usable: forged ?[31m%s%n?: this folder' check -d "$name"
	new -d "$name"
	no 2 'has a usable' new -d "$name"
	MTLS_DIR=$name state 0 'named by MTLS_DIR' path
	new -d -d
	[ -s "$name/$key" ] && [ -s ./-d/$key ]
	state 0 'subject CN=evil' check -d "$PKI/device-hostile"
}

# new in an empty folder, then a client that knows nothing of it; then a server that has it on its list.
test_seen_by_a_server() {
	local type version
	require curl
	server_start optional --request optional
	for type in ec rsa ed25519; do
		cred=$T/$type
		mkdir $type
		server_use optional
		nothing_sent mtls client_curl "$port"
		new -d $type --type $type --cn "device of $type"
		works mtls client_curl "$port"
		expect_seen "subject=CN=device of $type" "issuer=CN=device of $type" chain=1 "sha256=${said[sha256]}" result=ok
		[ "$(value_of verify "$(tail -n 1 "$seen")")" != ok ] || fail "the tests' CA did not sign this"
		server_start $type --request required --ca $type/$cert
		for version in 1.2 1.3; do
			works mtls client_curl "$port" $version
			expect_seen tls=$version chain=1 verify=ok result=ok
		done
		works "$RUN" -d $type --strict -- cat /dev/null # mtls-run asks this mtls-cred, which has nothing to say
	done
}
