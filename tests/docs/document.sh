# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of the documents share (tests/e2e/60-docs.sh, tests/all/docs.sh): the list of documents, their blocks, and
# how one is run: in an empty folder with a HOME of its own, with the built programs first on the PATH and links
# to build/ and tests/. Where tests/docs/stage/NAME.sh is, it is sourced first: it brings what the document takes for granted.

documents() {
	(cd "$TOP" && ls README.md docs/*.md)
}

# blocks DOCUMENT: extracts it into ./blocks; the list in ./list; fails where a block breaks the rules
blocks() {
	rm -rf blocks
	mkdir blocks
	awk -v out=blocks -f "$TOP/tests/docs/blocks.awk" "$1" >list
	! grep ' ! ' list >wrong || fail "$(basename "$1"): $(cat wrong)"
}

# has_blocks DOCUMENT check|check-all
has_blocks() {
	mkdir -p "$W/blocks"
	awk -v out="$W/blocks" -f "$TOP/tests/docs/blocks.awk" "$1" | grep -q " sh $2\$"
}

taken() {
	grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6
}

free_port() {
	local port
	while port=$((20000 + RANDOM % 12000)) && taken "$port"; do :; done
	echo "$port"
}

# document NAME [check|check-all]: in the test's folder; runs its blocks of `make check`, or all that are ever run
document() {
	local name=$1 what=${2:-check} line kind when run=() PORT etc
	[ -e "$name" ] || name=$TOP/$name
	blocks "$name"
	while read -r line kind when; do
		[ "$kind" = sh ] || continue
		[ "$when" = check ] || [ "$when" = "$what" ] || { bash -n "blocks/$line" || fail "line $line: see above"; continue; }
		run+=("$T/blocks/$line")
	done <list
	[ ${#run[@]} -gt 0 ] || fail "$name: nothing was run"
	mkdir home room
	ln -s "$TOP/tests" room/tests
	ln -s "$BUILD" room/build
	PORT=$(free_port)
	etc=$(ls -lAR /etc/mtls 2>&1) || true
	cd room || exit
	HOME=$T/home stage "$1"
	env -i HOME="$T/home" PATH="$BUILD:/usr/bin:/bin:/usr/sbin:/sbin" LC_ALL=C.UTF-8 TMPDIR="$T" PORT="$PORT" \
		bash "$TOP/tests/docs/session.sh" "${run[@]}" 3>"$T/why" || fail "$name, $(<"$T/why")"
	rm -f "$T/why"
	[ "$(ls -lAR /etc/mtls 2>&1)" = "$etc" ] || fail "$name: has changed /etc/mtls"
	echo "$name: ${#run[@]} blocks were run"
}

# stage NAME: what the document takes for granted
stage() {
	case $1 in
	README.md) # as a user has it: for root, who writes to /etc/mtls, there has to be one already; it is a removed one
		stage_credential
		openssl pkcs12 -export -in "$PKI/device/client_cert.pem" -inkey "$PKI/device/private_key.pem" \
			-certfile "$PKI/ca.pem" -passout pass: -out device.pfx
		truncate -s 0 "$HOME/.config/mtls"/*
		stage_api
		;;
	docs/SETTINGS.md | docs/COMPARISON.md)
		stage_credential
		stage_api
		;;
	docs/TROUBLESHOOTING.md)
		stage_credential
		stage_api
		cp -r "$PKI/device-expired" expired
		;;
	esac
}

# stage_api: https://api.internal/, as documents name it: a server of ours that demands a certificate of the test's CA, to which
# curl is led by a .curlrc in the document's HOME.
stage_api() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/api.key" -subj /CN=api.internal \
		-addext subjectAltName=DNS:api.internal 2>/dev/null |
		openssl x509 -req -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key" -days 2 -copy_extensions copy -out "$T/api.pem" 2>/dev/null
	server_start api --cert "$T/api.pem" --key "$T/api.key"
	printf 'connect-to = "api.internal:443:127.0.0.1:%s"\ncacert = "%s"\n' "$port" "$PKI/ca.pem" >"$HOME/.curlrc"
}

# stage_credential: the usual CN=device in ~/.config/mtls
stage_credential() {
	mkdir -p "$HOME/.config"
	cp -r "$PKI/device" "$HOME/.config/mtls"
}
