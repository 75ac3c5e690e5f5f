# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What people really put into the folder, and the ways to name it: the contract accepts
# it, so the server sees the subject, under mtls-run and under bare LD_PRELOAD.

setup() {
	server_start required --request required
}

# The test's own folder, with the files of another.
folder() {
	cred=$T/cred
	cp -r "$1" "$cred"
}

accepted() {
	server_use required
	presented mtls client_curl "$port"
	presented bare client_curl "$port"
}

# encrypt FOLDER: its key, with the passphrase that private_key_pass.txt has on its first line
encrypt() {
	openssl pkcs8 -topk8 -v2 aes-256-cbc -passout "file:$1/private_key_pass.txt" \
		-in "$PKI/device/private_key.pem" -out "$1/private_key.pem"
}

test_crlf() {
	folder "$PKI/key/ec-pkcs8-aes-256-cbc"
	sed -i 's/$/\r/' "$cred"/*
	accepted
}

test_bom() {
	folder "$PKI/device"
	sed -i '1s/^/\xef\xbb\xbf/' "$cred"/*
	accepted
}

# A traditional key has headers inside its block: CR before each line end, and a BOM before the first.
test_crlf_and_bom_in_a_traditional_key() {
	folder "$PKI/key/ec-sec1-aes256"
	sed -i 's/$/\r/' "$cred"/*
	sed -i '1s/^/\xef\xbb\xbf/' "$cred"/*.pem
	accepted
}

# What `openssl pkcs12` prints, as the documentation of the field tells people to use it.
test_pkcs12_prose() {
	local pfx=$T/device.pfx
	folder "$PKI/device"
	openssl pkcs12 -export -name 'Gerät "eins"' -inkey "$cred/private_key.pem" -in "$cred/client_cert.pem" \
		-passout pass:x -out "$pfx"
	openssl pkcs12 -in "$pfx" -passin pass:x -nokeys -out "$cred/client_cert.pem"
	openssl pkcs12 -in "$pfx" -passin pass:x -nocerts -nodes -out "$cred/private_key.pem"
	grep -q 'Bag Attributes' "$cred/private_key.pem"
	accepted
}

test_prose_around_blocks() {
	local file
	folder "$PKI/device"
	for file in "$cred"/*; do
		{ echo '# -----BEGIN is how a block starts, CN = ünïcode'; cat "$file"; echo 'the end'; } >"$T/new"
		mv "$T/new" "$file"
	done
	accepted
}

test_key_in_certificate_file() {
	folder "$PKI/device"
	cat "$cred/private_key.pem" "$PKI/device/client_cert.pem" >"$cred/client_cert.pem"
	accepted
	cat "$PKI/device/client_cert.pem" "$cred/private_key.pem" >"$cred/client_cert.pem"
	accepted
}

test_chain_of_ten() {
	local subject=CN=device-deep
	cred=$PKI/device-deep
	server_use required
	attempt mtls client_curl "$port"
	expect_rc 0
	expect_seen subject=$subject chain=10 verify=ok
	attempt bare client_python "$port" 1.2
	expect_rc 0
	expect_seen subject=$subject chain=10 verify=ok tls=1.2
}

test_passphrase_with_blanks() {
	folder "$PKI/device"
	printf ' \ta  b c \n' >"$cred/private_key_pass.txt"
	encrypt "$cred"
	accepted
}

test_passphrase_without_line_end() {
	folder "$PKI/device"
	printf 'open sesame' >"$cred/private_key_pass.txt"
	encrypt "$cred"
	accepted
}

test_passphrase_first_line_only() {
	folder "$PKI/device"
	printf 'open sesame\nsecond line\n' >"$cred/private_key_pass.txt"
	encrypt "$cred"
	accepted
}

test_passphrase_of_1023_bytes() {
	folder "$PKI/device"
	printf '%01023d\n' 7 >"$cred/private_key_pass.txt"
	encrypt "$cred"
	accepted
}

# A passphrase file beside a key that is not encrypted.
test_passphrase_for_nothing() {
	folder "$PKI/device"
	echo unused >"$cred/private_key_pass.txt"
	accepted
}

test_folder_with_blanks_and_quotes() {
	cred="$T/it's a \"folder\" \$(x) \\ =ü"
	cp -r "$PKI/device" "$cred"
	accepted
}

test_relative_folder_and_chdir() {
	cp -r "$PKI/device" here
	server_use required
	set -- sh -c 'cd / && exec curl -sS --cacert "$1" "$2"' sh "$PKI/ca.pem" "https://localhost:$port/"
	presented "$RUN" -d here "$@"
	presented env MTLS_DIR=here "$RUN" "$@"
	# Without the launcher the name is made absolute when the library is loaded: a chdir after that does no harm.
	presented env MTLS_DIR=here LD_PRELOAD="$LIB" /usr/bin/python3 -I -c "import os; os.chdir('/')$python_get" \
		"$PKI/ca.pem" "$port" ''
}

curl_get() {
	"$@" curl -sS --cacert "$PKI/ca.pem" "https://localhost:$port/"
}

test_one_file_by_MTLS_CERT() {
	cat "$PKI/device/client_cert.pem" "$PKI/device/private_key.pem" >both.pem
	server_use required
	presented curl_get env MTLS_CERT="$T/both.pem" "$RUN"
	presented curl_get env MTLS_CERT=both.pem LD_PRELOAD="$LIB"
	presented curl_get "$RUN" -c both.pem
}

test_named_files() {
	local from=$PKI/key/rsa-pkcs1-des3 subject=CN=device-rsa
	cp "$from/client_cert.pem" c
	cp "$from/private_key.pem" k
	cp "$from/private_key_pass.txt" p
	server_use required
	presented curl_get env MTLS_CERT=c MTLS_KEY=k MTLS_KEY_PASS_FILE=p LD_PRELOAD="$LIB"
	presented curl_get "$RUN" --cert c --key k --pass-file p
}

# -d beats MTLS_CERT in the environment, -c beats MTLS_DIR.
test_options_beat_the_environment() {
	cat "$PKI/device/client_cert.pem" "$PKI/device/private_key.pem" >both.pem
	server_use required
	presented curl_get env MTLS_CERT=/nonexistent MTLS_KEY=/nonexistent "$RUN" -d "$PKI/device"
	presented curl_get env MTLS_DIR=/nonexistent "$RUN" -c both.pem
}

# The default places in their order; each only where it has a credential.
test_default_places() {
	local subject
	mkdir -p config home/.config empty
	server_use required
	export HOME=$T/home
	cp -r "$PKI/device" home/.config/mtls
	subject=CN=device presented curl_get "$RUN"
	cp -r "$PKI/device-p384" config/mtls
	subject=CN=device-p384 presented curl_get env XDG_CONFIG_HOME="$T/config" LD_PRELOAD="$LIB"
	export XDG_CONFIG_HOME=$T/config
	subject=CN=device-ed25519 presented curl_get env CREDENTIALS_DIRECTORY="$PKI/device-ed25519" LD_PRELOAD="$LIB"
	subject=CN=device-p384 presented curl_get env CREDENTIALS_DIRECTORY="$T/empty" "$RUN"
	subject=CN=app-own presented curl_get env MTLS_DIR="$PKI/app-own" "$RUN"
	subject=CN=device-p384 presented curl_get env MTLS_DIR= MTLS_CERT= "$RUN"
}
