#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# pki.sh FOLDER: makes the certificates and keys of all tests, with the openssl command
# only, in about a second. Nothing is done where FOLDER is complete and of this version.
#
#   ca.pem intermediate.pem other-ca.pem   CAs, each with its .key
#   server wrong hostile                   .pem .key: for localhost, for another name, with bytes that forge log lines
#   device device-p384 device-rsa device-ed25519 device-deep device-expired device-other device-hostile app-own
#                                          credential folders; the name is the CN
#   key/TYPE-ENCODING                      folders: the keys of device and device-rsa in each encoding
set -eu
umask 077
[ $# = 1 ] || { echo "usage: pki.sh FOLDER" >&2; exit 64; }
version=$(cksum <"$0")
[ "$(cat "$1/.complete" 2>/dev/null)" != "$version" ] || exit 0
if [ -e "$1" ] && [ ! -f "$1/.complete" ] && [ -n "$(ls -A "$1")" ]; then
	echo "pki.sh: $1: is not empty and not ours" >&2
	exit 1
fi
mkdir -p "$(dirname "$1")"
new=$(mktemp -d "$1.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
target=$(realpath -m "$1")
cd "$new"

# DNS.2 of hostile and the subject of device-hostile: newline, quote, '=', escape, and a whole line of ours.
cat >openssl.cnf <<'CNF'
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
[dn]
CN = unused
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
[wrong]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:wrong.example
[hostile]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = @hostile_names
[hostile_names]
DNS.1 = localhost
DNS.2 = evil\nmtls-run[1] presented reason=presented host=forged subject=\"CN=forged\"
IP.1 = 127.0.0.1
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[signing]
default_ca = signing_ca
[signing_ca]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
[any]
commonName = supplied
CNF
export OPENSSL_CONF=$new/openssl.cnf
forged=$'evil\nmtls-run[1] presented subject="CN=x" \x1b[31m\\ tls=1.3'

run() {
	"$@" >log 2>&1 || { echo "pki.sh: failed: $*" >&2; cat log >&2; exit 1; }
}

# make CERT KEY CN EXTENSIONS ISSUER [KEY TYPE...]: a new key and its certificate; issuer '' is itself
make() {
	local cert=$1 key=$2 cn=$3 extensions=$4 issuer=$5
	shift 5
	[ $# -gt 0 ] || set -- ec -pkeyopt ec_paramgen_curve:P-256
	[ -z "$issuer" ] || set -- "$@" -CA "$issuer.pem" -CAkey "$issuer.key"
	# in -subj a backslash and a slash mean something
	cn=${cn//\\/\\\\}
	run openssl req -x509 -new -nodes -days 365 -utf8 -subj "/CN=${cn//\//\\/}" -extensions "$extensions" \
		-keyout "$key" -out "$cert" -newkey "$@"
}

# credential NAME CN ISSUER [KEY TYPE...]: a folder whose certificate file has leaf and issuer
credential() {
	local folder=$1 cn=$2 issuer=$3
	shift 3
	mkdir "$folder"
	make "$folder/client_cert.pem" "$folder/private_key.pem" "$cn" client "$issuer" "$@"
	[ "$issuer" != intermediate ] || cat intermediate.pem >>"$folder/client_cert.pem"
}

# encoding DEVICE FOLDER COMMAND...: the key in another form; COMMAND writes it to standard output
encoding() {
	local device=$1 folder=key/$2
	shift 2
	mkdir "$folder"
	cp "$device/client_cert.pem" "$folder/"
	"$@" -in "$device/private_key.pem" >"$folder/private_key.pem" 2>log || { cat log >&2; exit 1; }
	case "$*" in *-passout*) printf '%s\n' "$passphrase" >"$folder/private_key_pass.txt" ;; esac
}

encodings() {
	local type=$1 device=$2 traditional=$3 cipher
	encoding "$device" "$type-pkcs8" openssl pkcs8 -topk8 -nocrypt
	for cipher in aes-256-cbc aes-128-cbc des3; do
		encoding "$device" "$type-pkcs8-$cipher" \
			openssl pkcs8 -topk8 -v2 "$cipher" -v2prf hmacWithSHA256 -passout "pass:$passphrase"
	done
	encoding "$device" "$type-pkcs8-scrypt" openssl pkcs8 -topk8 -scrypt -passout "pass:$passphrase"
	encoding "$device" "$type-pkcs8-pbe-sha1-3des" openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -passout "pass:$passphrase"
	encoding "$device" "$type-$traditional" openssl pkey -traditional
	for cipher in aes256 des3; do
		encoding "$device" "$type-$traditional-$cipher" \
			openssl pkey -traditional "-$cipher" -passout "pass:$passphrase"
	done
}

deep_chain() {
	local i issuer=ca
	for i in 1 2 3 4 5 6 7 8 9; do
		make "deep$i.pem" "deep$i.key" "Test Deep $i" ca "$issuer"
		issuer=deep$i
	done
	credential device-deep device-deep deep9
	cat deep9.pem deep8.pem deep7.pem deep6.pem deep5.pem deep4.pem deep3.pem deep2.pem deep1.pem \
		>>device-deep/client_cert.pem
}

expired() {
	mkdir device-expired
	run openssl req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=device-expired \
		-keyout device-expired/private_key.pem -out expired.csr
	: >index.txt
	run openssl ca -batch -name signing_ca -cert ca.pem -keyfile ca.key -extensions client -notext \
		-startdate 20200101000000Z -enddate 20210101000000Z -in expired.csr -out device-expired/client_cert.pem
}

passphrase='open sesame'
mkdir key
make ca.pem ca.key 'Test Root' ca ''
make intermediate.pem intermediate.key 'Test Intermediate' ca ca
make other-ca.pem other-ca.key 'Other Root' ca ''
make server.pem server.key localhost server ca
make wrong.pem wrong.key wrong.example wrong ca
make hostile.pem hostile.key "$forged" hostile ca
credential device device intermediate
credential device-p384 device-p384 intermediate ec -pkeyopt ec_paramgen_curve:P-384
credential device-rsa device-rsa intermediate rsa:2048
credential device-ed25519 device-ed25519 intermediate ed25519
credential device-other device-other other-ca
credential device-hostile "$forged" intermediate
credential app-own app-own intermediate
deep_chain
expired
encodings ec device sec1
encodings rsa device-rsa pkcs1
cp -r key/ec-sec1 key/ec-sec1-parameters
openssl ecparam -name prime256v1 >key/ec-sec1-parameters/private_key.pem
cat key/ec-sec1/private_key.pem >>key/ec-sec1-parameters/private_key.pem
rm -f log index.txt* expired.csr deep?.key deep?.pem ./[0-9A-F]*.pem
echo "$version" >.complete
cd /
rm -rf "$target"
mv -T "$new" "$target"
