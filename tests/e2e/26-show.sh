# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-cred show: what it says is what openssl says of the same files, in each of the three notations and in each
# state; each warning, and what must not be one; bytes in names and paths that would forge a line, a key or a label.

parallel=2 deadline=120
cert=client_cert.pem key=private_key.pem pass=private_key_pass.txt

# show.py KEY: that of the JSON, a line for each item. show.py same: both are well formed, and Prometheus gets the same.
setup() {
	cat >"$W/show.py" <<-'PY'
		import json, re, sys
		from datetime import datetime
		KEYS = 'state reason subject issuer names key not_before not_after sha1 sha256 chain warnings'.split()
		TYPES = {'names': list, 'chain': list, 'warnings': list, 'state': str, 'reason': str}

		def read_json(data):
		    def pairs(items):
		        assert [k for k, _ in items] == KEYS, items
		        return dict(items)
		    assert data.endswith(b'}\n') and data.count(b'\n') == 1, data
		    assert all(32 <= c < 127 for c in data[:-1]) and b'\\/' not in data, data
		    d = json.loads(data, object_pairs_hook=pairs)
		    for k in KEYS:
		        assert isinstance(d[k], TYPES.get(k, str if d['state'] == 'usable' else type(None))), (k, d[k])
		        assert d[k] != '' and all(isinstance(x, str) for x in d[k] or []), d[k]
		    return d

		# The text format as its specification has it; a family is HELP, TYPE, then its samples.
		def read_prometheus(data):
		    samples, name = {}, None
		    for line in data.decode('ascii').removesuffix('\n').split('\n'):
		        if m := re.fullmatch(r'# HELP ([a-z_]+) [^\\\n]+', line):
		            assert m[1] not in str(samples), line
		            name, typed = m[1], False
		        elif line == f'# TYPE {name} gauge':
		            typed = True
		        else:
		            label = r'[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
		            m = re.fullmatch(rf'([a-z_]+)(?:\{{({label}(?:,{label})*)\}})? (-?[0-9]+)', line)
		            assert m and typed and m[1] == name, line
		            labels = re.findall(r'([a-z0-9_]+)="((?:[^"\\]|\\.)*)"', m[2] or '')
		            key = (name, *((k, re.sub(r'\\(.)', lambda e: '\n' if e[1] == 'n' else e[1], v)) for k, v in labels))
		            assert key not in samples, line
		            samples[key] = int(m[3])
		    return samples

		def same(j, p):
		    prefix = 'mtls_credential_'
		    wanted = {(prefix + 'state', ('state', s)): int(s == j['state']) for s in ('absent', 'removed', 'usable', 'broken')}
		    wanted[(prefix + 'warnings',)] = len(j['warnings'])
		    if j['state'] == 'usable':
		        for k in 'not_before', 'not_after':
		            wanted[(f'{prefix}{k}_timestamp_seconds',)] = int(datetime.fromisoformat(j[k][:-1] + '+00:00').timestamp())
		        wanted[(prefix + 'info', ('subject', j['subject']), ('sha256', j['sha256']))] = 1
		    assert p == wanted, (p, wanted)

		j = read_json(open('json', 'rb').read())
		if sys.argv[1] == 'same':
		    same(j, read_prometheus(open('prometheus', 'rb').read()))
		else:
		    value = j[sys.argv[1]]
		    print(*(value if isinstance(value, list) else [value]), sep='\n')
	PY
}

expect_in() { [[ $1 =~ $2 ]] || fail "expected \"$2\": $1"; }
x509() { openssl x509 -noout -in d/$cert "$@"; }
fresh() { rm -rf d; cp -r "${1:-$PKI/device}" d; }
field() { python3 "$W/show.py" "$1"; }

# show STATUS ARG...: all three notations, which agree, and check exits the same; text, json and prometheus are files
show() {
	local notation
	for notation in '' --json --prometheus; do
		attempt "$CRED" show $notation "${@:2}"
		expect_rc "$1"
		[ ! -s err ] || fail "said: $(<err)"
		mv out "$(basename -- "${notation:---text}" | tr -d -)"
	done
	python3 "$W/show.py" same
	attempt "$CRED" check "${@:2}"
	expect_rc "$1"
}

# label NAME: its values in the text, one a line
label() { awk -v name="$1" '{ l = substr($0, 1, 13); sub(/ +$/, "", l); if (l != "") now = l; if (now == name) print substr($0, 14) }' text; }

# expect KEY LABEL VALUE: in JSON and in text
expect() {
	[ "$(field "$1")" = "$3" ] || fail "$1 is $(field "$1"), expected $3"
	[ "$(label "$2")" = "$3" ] || fail "$2 is $(label "$2"), expected $3"
}

moment() { date -ud "$(x509 "$1" | cut -d= -f2)" +%FT%TZ; }
fingerprint() { x509 -fingerprint "-$1" | sed 's/.*=//; s/://g' | tr A-F a-f; }

# Of each certificate in the file, as openssl has it.
subjects() {
	local i n
	n=$(grep -c BEGIN d/$cert)
	for ((i = 1; i <= n; i++)); do
		awk -v i="$i" '/BEGIN/ { n++ } n == i' d/$cert | openssl x509 -noout -subject -nameopt RFC2253 | cut -d= -f2-
	done
}

# expect_true KEY: every field of the folder d is what openssl says
expect_true() {
	expect subject subject "$(x509 -subject -nameopt RFC2253 | cut -d= -f2-)"
	expect issuer issuer "$(x509 -issuer -nameopt RFC2253 | cut -d= -f2-)"
	expect key key "$1"
	expect chain chain "$(subjects)"
	expect sha1 sha1 "$(fingerprint sha1)"
	expect sha256 sha256 "$(fingerprint sha256)"
	expect not_before 'valid from' "$(moment -startdate)"
	[ "$(field not_after)" = "$(moment -enddate)" ] || fail "$(field not_after) is not $(x509 -enddate)"
	expect_in "$(label 'valid until')" "^$(moment -enddate) \((in [0-9]+ days?|expired)\)$"
	expect_in "$(label place)" "^$T/d \(named by --dir\)$"
}

test_true() {
	local pair
	for pair in device:EC\ P-256 device-p384:EC\ P-384 device-rsa:RSA\ 2048 device-ed25519:Ed25519 device-deep:EC\ P-256 \
		device-hostile:EC\ P-256 device-other:EC\ P-256 key/rsa-pkcs8-scrypt:RSA\ 2048; do
		fresh "$PKI/${pair%%:*}"
		show 0 -d d
		expect state state usable
		[ "$(field reason)" = usable ] && [ -z "$(field warnings)" ]
		expect_true "${pair#*:}"
	done
	[ "$(grep -c . text)" = "$(grep -cE '^([a-z0-9]+( [a-z]+)?) {2,}[^ ]|^ {13}[^ ]' text)" ] || fail "not aligned: $(<text)"
}

# made SUBJECT OPTION...: d has a key and a certificate of its own, with these options of openssl req
made() {
	fresh
	[[ " $*" = *' -newkey '* ]] || set -- "$@" -newkey ec -pkeyopt ec_paramgen_curve:P-256
	[[ " $*" = *' -days '* ]] || set -- "$@" -days 365
	OPENSSL_CONF=$PKI/openssl.cnf openssl req -x509 -nodes -utf8 -multivalue-rdn -keyout d/$key -out d/$cert -subj "$@" 2>log ||
		fail "$(<log)"
}

test_kinds_of_keys() {
	made /CN=x -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048; show 0 -d d; expect_true 'RSA-PSS 2048'
	made /CN=x -newkey ed448; show 0 -d d; expect_true Ed448
	made /CN=x -newkey ec -pkeyopt ec_paramgen_curve:P-521; show 0 -d d; expect_true 'EC P-521'
	made /CN=x -newkey ec -pkeyopt ec_paramgen_curve:secp256k1; show 1 -d d; expect_true 'EC 256'
	fresh "$PKI/key/ec-pkcs8-scrypt"; show 0 -d d; expect_true 'EC P-256'
	cat d/$key d/$pass | grep -v -- ----- >secrets
	! cat text json prometheus | grep -qFf secrets || fail "a secret is shown: $(<text)"
}

test_names() {
	cat "$PKI/openssl.cnf" - >cnf <<-'CNF'
		[names]
		subjectAltName = @all
		[all]
		DNS.1 = device.test
		DNS.2 = ${ENV::EVIL}
		email.1 = me@device.test
		URI.1 = spiffe://device.test/a,b
		IP.1 = 10.1.2.3
		IP.2 = 2001:db8:0:0::7
		IP.3 = ::ffff:10.9.8.7
		dirName.1 = directory
		RID.1 = 1.2.3.4
		otherName.1 = 1.3.6.1.4.1.311.20.2.3;UTF8:me@realm.test
		otherName.2 = 1.2.3.5;UTF8:secret
		[directory]
		O = ACME, \"Inc\"
		CN = x
	CNF
	fresh
	EVIL=$'evil"\\\n\e[31m name' OPENSSL_CONF=cnf openssl req -x509 -nodes -subj /CN=x -days 99 -newkey ed25519 -extensions names -keyout d/$key -out d/$cert 2>log
	show 0 -d d
	cat >wanted <<-'TEXT'
		DNS:device.test
		DNS:evil"\??[31m?name
		email:me@device.test
		URI:spiffe://device.test/a,b
		IP:10.1.2.3
		IP:2001:db8::7
		IP:10.9.8.7
		dirName:CN=x,O=ACME\,?\"Inc\"
		RID:1.2.3.4
		UPN:me@realm.test
		otherName:1.2.3.5
	TEXT
	expect names names "$(<wanted)"
}

test_hostile_subjects() {
	local subject
	for subject in $'a\nstate        broken' $'q"\\",sha256=\\"0\\"} 1\\\\' $'\e[2J\x7f\x01' 'é€𝄞' $'\xc2\x9b31m' '#a' '<x> ;' 'x,O=y+z' \
		'"},{"' "$(printf 'x%.0s' {1..64})"; do
		made "/CN=$subject/O=a\"b"
		show 0 -d d
		expect_true 'EC P-256'
		[ "$(label subject | wc -l)" = 1 ] || fail "more than a line: $(<text)"
	done
	made "/CN=1/CN=2+O=3$(printf '/OU=%064d' {1..16})"
	show 0 -d d
	expect_true 'EC P-256' # longer than what the log has room for
}

test_hostile_paths() {
	local name=$'a\n"\\\e[31m\xff\xc3é%n'
	cp -r "$PKI/device" "$name"
	chmod 644 "$name/$key"
	show 1 -d "$name"
	expect_in "$(field warnings)" '^/.*/a\?"\\\?\[31m\?+%n/private_key\.pem: its mode 644 '
	[[ $(<text) != *$'\e'* ]] || fail "an escape reaches the terminal"
	rm "$name/$cert"
	show 2 -d "$name"
	expect_in "$(field warnings)" 'a\?"\\\?\[31m\?+%n/client_cert.pem: the certificate is missing'
}

test_states() {
	local json
	export HOME=$T/home
	mkdir d
	show 3 -d d
	expect state state absent
	[ "$(field reason)" = no-credential ]
	expect_in "$(label why)" "^$T/d: there is no credential here; put "
	: >d/$cert; : >d/$key
	show 3 -d d
	expect state state removed
	expect_in "$(label why)" "^$T/d: the credential was removed"
	fresh; cp "$PKI/device-rsa/$key" d
	show 2 -d d
	[ "$(field state):$(field reason)" = broken:pair-mismatch ]
	expect warnings why "$T/d/$key: certificate and key do not belong together; put the key that was used for this certificate's request there"
	expect_in "$(label state)" '^broken: pair-mismatch$'
	show 2 -d nowhere
	[ "$(field state):$(field reason)" = broken:folder-missing ]
	[ ! -e /etc/mtls ] || skip "there is an /etc/mtls"
	show 3
	expect_in "$(label why)" "^there is no credential here; looked at: $T/home/.config/mtls "
	mkdir -p home/.config && cp -r "$PKI/device" home/.config/mtls
	show 0
	expect_in "$(label place)" "^$T/home/.config/mtls \(the first place with a credential: "
}

# The state is the credential's, as on the device; that nothing will be presented is said, and the exit status.
test_bad_setting() {
	export MTLS_ISSUER=nonsense
	fresh
	show 2 -d d
	expect state state usable
	expect_in "$(field warnings)" '^MTLS_ISSUER: this setting cannot be understood \(nonsense\); .*; no certificate is presented$'
	expect_true 'EC P-256'
	unset MTLS_ISSUER
	echo 'log = loud' >d/mtls.conf; rm d/$key
	show 2 -d d
	[ "$(field reason)" = key-missing ] && [ "$(field warnings | wc -l)" = 2 ] || fail "$(<text)"
}

# warned FILE TEXT...: usable, with these warnings and no other; check says the same of that file
warned() {
	local text all='' line=''
	show 1 -d d
	for text in "${@:2}"; do
		all+=$'\n'"warning: $T/d/$1: $text"
		[ "$1" = $cert ] || text="$T/d/$1: $text"
		line+=${line:+$'\n'}$text
	done
	expect warnings warnings "$line"
	[ "$(tail -n +2 out)" = "${all:1}" ] || fail "check said $(<out)"
}
silent() { show 0 -d d; }

test_warnings_of_dates_and_purposes() {
	local day
	fresh "$PKI/device-expired"; warned $cert 'certificate 1 expired on 2021-01-01'
	expect_in "$(label 'valid until')" expired
	made /CN=x -days 29; warned $cert "certificate 1 expires on $(moment -enddate | cut -c -10)"
	made /CN=x -days 31; silent
	made /CN=x; openssl req -new -key d/$key -subj /CN=x -out csr
	for day in 20450101000000Z 20260101000000Z; do
		: >index.txt
		OPENSSL_CONF=$PKI/openssl.cnf openssl ca -batch -name signing_ca -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" -in csr \
			-extensions client -notext -startdate $day -enddate 20460101000000Z -out d/$cert 2>log
		if [ $day = 20450101000000Z ]; then warned $cert 'certificate 1 is not valid before 2045-01-01'; else silent; fi
	done
	made /CN=x -addext extendedKeyUsage=serverAuth; warned $cert "the certificate's extended key usage does not have clientAuth"
	made /CN=x -addext extendedKeyUsage=anyExtendedKeyUsage; silent
	made /CN=x -addext keyUsage=keyAgreement; warned $cert "the certificate's key usage does not have digitalSignature"
	made /CN=x -addext extendedKeyUsage=clientAuth,serverAuth -addext keyUsage=digitalSignature,keyAgreement; silent
}

test_warnings_of_strength_and_modes() {
	local mode
	made /CN=x -newkey rsa:2047; warned $cert 'an RSA key of 2047 bits is too short, have 2048 at least'
	made /CN=x -newkey rsa:2048; silent
	made /CN=x -sha1 -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key"; warned $cert 'certificate 1 is signed with SHA1, which many servers refuse'
	made /CN=x -sha1; warned $cert 'certificate 1 is signed with SHA1, which many servers refuse'
	for mode in 640 604 610; do
		fresh; chmod $mode d/$key; warned $key "its mode $mode lets others than its owner in; make it 600"
	done
	for mode in 600 400; do fresh; chmod $mode d/$key; silent; done
	fresh; install -m 644 /dev/null d/$pass; warned $pass 'its mode 644 lets others than its owner in; make it 600'
	MTLS_AGENT=$T/socket show 1 -d d # its mode does not count then
	expect warnings warnings "$T/socket: there is no agent's socket, or no way to it; start mtls-agent, or correct MTLS_AGENT"
}

# signed CA OPTION...: a leaf of that CA of the test PKI, alone in the file
signed() { made /CN=x -CA "$PKI/$1.pem" -CAkey "$PKI/$1.key" "${@:2}"; }

test_warnings_of_the_chain() {
	local names=authorityKeyIdentifier=keyid,issuer:always
	signed ca; silent          # of a root: nothing is missing
	signed intermediate; silent # nothing in it tells
	signed ca -addext $names; silent
	signed intermediate -addext $names
	warned $cert 'the chain is incomplete: CN=Test Intermediate issued certificate 1 and is an intermediate of CN=Test Root'
	cat "$PKI/intermediate.pem" >>d/$cert; silent
	cat "$PKI/ca.pem" >>d/$cert; silent
	signed intermediate; cat "$PKI/other-ca.pem" >>d/$cert
	warned $cert 'certificate 1 was not issued by certificate 2, which follows it'
	fresh "$PKI/device-deep" # a gap in the middle
	openssl crl2pkcs7 -nocrl -certfile d/$cert | openssl pkcs7 -print_certs | awk '/BEGIN/ { n++ } n != 4' >gap
	mv gap d/$cert
	warned $cert 'certificate 3 was not issued by certificate 4, which follows it'
}

# A CA that took a new key under its old name, and gives no key identifiers.
test_twin_ca() {
	local which none=(-addext subjectKeyIdentifier=none -addext authorityKeyIdentifier=none)
	for which in old new; do
		made /CN=Twin "${none[@]}" -addext basicConstraints=critical,CA:TRUE
		cp d/$cert $which.pem; cp d/$key $which.key
	done
	for which in old new; do
		made /CN=x -CA old.pem -CAkey old.key "${none[@]}"
		cat $which.pem >>d/$cert
		if [ $which = old ]; then silent; else warned $cert \
			'certificate 1 names certificate 2 as its issuer, whose key did not sign it'; fi
	done
}

test_placeholders() {
	local said='the certificate has a placeholder for its' value
	made '/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd'
	warned $cert "$said stateOrProvinceName: Some-State" "$said organizationName: Internet Widgits Pty Ltd"
	made '/L=Default City/O=DEFAULT company ltd/CN=x'
	warned $cert "$said localityName: Default City" "$said organizationName: DEFAULT company ltd"
	for value in changeme Replace-Me 'Your Name' example.com a.b.EXAMPLE.org me@example.net '${HOSTNAME}' 'x-$(hostname)' \
		'{{ cn }}' '<your name>' '<%= cn %>'; do
		made "/CN=$value" -addext subjectAltName=DNS:www.example.com
		warned $cert "$said commonName: $value"
	done
	for value in DNS:www.example.com email:me@example.org URI:spiffe://example.org/x URI:https://www.example.net; do
		made /CN=x -addext "subjectAltName=DNS:x.test,$value"; warned $cert "$said alternative name: ${value#*:}"
	done
	for value in localhost a.example a.test notexample.com example.com.test changemexico 'O Example' me@example.company '$' '<' '<>' \
		example-com; do
		made "/CN=$value" -addext subjectAltName=URI:https://x.test/example.com; silent
	done
	made /CN=x -CA <(openssl req -x509 -nodes -subj '/O=Internet Widgits Pty Ltd' -newkey ed25519 -keyout ca.key 2>log | tee ca.pem) \
		-CAkey ca.key; silent # its issuer's name is not the user's to choose
}

# on_terminal VARIABLE=VALUE...: what show writes to a terminal
on_terminal() {
	env TERM=xterm "$@" python3 -c 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
		"$CRED" show -d d </dev/null
}

test_colour() {
	local state=([0]=32 [1]=33 [2]=31) i
	require_terminals
	for i in 0 1 2; do
		fresh
		[ $i != 1 ] || chmod 640 d/$key
		[ $i != 2 ] || rm d/$key
		attempt on_terminal NO_COLOR=
		expect_rc $i
		expect_in "$(<out)" $'^state        \e\\['"${state[i]}m"
		tr -d '\r' <out | sed 's/\x1b\[[0-9]*m//g' >plain
		attempt "$CRED" show -d d
		sed -i 's/ (in .* days)$//' plain out # a day may have ended
		diff plain out >&2 || fail "not the same without colours"
	done
	for i in NO_COLOR=1 TERM=dumb TERM=; do
		attempt on_terminal $i
		[[ $(<out) = state* && $(<out) != *$'\e'* ]] || fail "coloured with $i: $(<out)"
	done
}

test_usage() {
	local arguments
	for arguments in '--json --prometheus' '--prometheus --json' '--json d' '--jsonn' '--json=x'; do
		# shellcheck disable=SC2086
		attempt "$CRED" show $arguments
		expect_rc 64
		[ "$(wc -l <err)" = 1 ] && [ ! -s out ] || fail "$arguments: $(cat out err)"
	done
	fresh
	"$CRED" show --json --json -d d >/dev/null
	for arguments in '' --json --prometheus; do
		attempt sh -c '"$0" show -d d '"$arguments"' >/dev/full' "$CRED"
		expect_rc 2
		expect_text err 'No space left'
	done
}
