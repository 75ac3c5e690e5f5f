#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job in a minute: the same three programs fetch a page from a server that
# requires a client certificate, without and with mtls-run. None of them is told of a
# certificate. The table holds what the server saw. `make demo` builds and calls this;
# BUILD names the build folder. Exit 1, with one line, where the result is another.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build}
for name in $(compgen -e | grep -E '^(MTLS_|SSL_|OPENSSL_)|_proxy$|_PROXY$'); do
	unset "$name"
done
unset LD_PRELOAD

bold='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

say() {
	printf '%s\n' "${bold}demo:${plain} $*"
}

give_up() {
	printf '%s\n' "${red}demo: $*${plain}" >&2
	exit 1
}

server_pid=
finish() {
	[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
	rm -rf "$work"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/mtls-demo.XXXXXX") || exit 2
trap finish EXIT
trap 'exit 130' INT TERM
log=$work/server.log
export HOME=$work # no .curlrc and no credential of yours plays a part

say 'making a small CA, a server certificate and the credential of a device'
tests/helpers/pki.sh "$work/pki" || give_up 'the certificates could not be made'
ca=$work/pki/ca.pem
credential=$work/pki/device

say 'starting a server that requires a client certificate'
: >"$log"
exec {from_server}< <(exec "$build/tests/mtls-server" --cert "$work/pki/server.pem" --key "$work/pki/server.key" \
	--ca "$ca" --request required --log "$log" 2>&1)
server_pid=$!
read -rt 10 -u "$from_server" word port
[ "$word" = port ] || give_up "the server does not start: $word $port"
url=https://localhost:$port/

get='import ssl, sys, urllib.request
tls = ssl.create_default_context(cafile=sys.argv[2])
print(urllib.request.urlopen(sys.argv[1], context=tls).read().decode(), end="")'
python=/usr/bin/python3
[ -x $python ] || python=python3

names=(curl python3 'openssl s_client')
run_client() {
	local client=$1
	shift
	case $client in
	curl) "$@" curl -sS --cacert "$ca" "$url" ;;
	python3) "$@" $python -c "$get" "$url" "$ca" ;;
	*) printf 'GET / HTTP/1.0\r\n\r\n' | "$@" openssl s_client -quiet -connect "localhost:$port" -CAfile "$ca" ;;
	esac >"$work/out" 2>"$work/err"
}

value() {
	sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p; t; s/.* $1=\([^ ]*\).*/\1/p" <<<"$line"
}

# look CLIENT COMMAND...: runs it; $line is what the server wrote, $saw the same for people
seen=0
look() {
	local end=$((SECONDS + 10))
	run_client "$@"
	status=$?
	seen=$((seen + 1))
	until line=$(sed -n "${seen}p" "$log") && [ -n "$line" ]; do
		[ $SECONDS -lt $end ] || give_up "$1: the server saw no connection: $(tail -n 1 "$work/err")"
		sleep 0.02
	done
	if [ "$(value result)" = ok ]; then
		saw="$(value subject), chain of $(value chain), TLS $(value tls)"
	else
		saw="$(value result): $(value error)"
	fi
}

rows=()
for client in "${names[@]}"; do
	say "$client, without mtls-run"
	look "$client" timeout 20
	if [ $status = 0 ] || [ "$(value result)" != refused ]; then
		give_up "$client without mtls-run: expected a refusal, the server saw $saw"
	fi
	without=$saw
	say "$client, with mtls-run"
	look "$client" timeout 20 "$build/mtls-run" -d "$credential"
	if [ $status != 0 ] || [ "$(value subject)" != CN=device ] || [ "$(value chain)" != 2 ]; then
		give_up "$client with mtls-run: expected CN=device, the server saw $saw $(tail -n 1 "$work/err")"
	fi
	grep -q 'subject: CN=device' "$work/out" || give_up "$client with mtls-run: the page did not arrive"
	rows+=("$client|$without|$saw")
done

printf '\nWhat the server saw:\n\n'
printf "  $bold%-17s  %-44s  %s$plain\n" command 'without mtls-run' 'with mtls-run'
for row in "${rows[@]}"; do
	IFS='|' read -r client without with <<<"$row"
	printf "  %-17s  $red%-44s$plain  $green%s$plain\n" "$client" "$without" "$with"
done
cat <<EOT

With your own server:
  1. put client_cert.pem, private_key.pem and, for an encrypted key, private_key_pass.txt into ~/.config/mtls
  2. $build/mtls-cred check          says whether they are good
  3. $build/mtls-run curl https://your.server/
EOT
