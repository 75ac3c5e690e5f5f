# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Other people's servers, for 36-nginx.sh, tests/all/servers.sh and the examples: packaging/servers.sh has them from
# Debian's packages. A file's setup calls `fetch NAME...`; a test then calls `have NAME`, writes the configuration and
# starts it with `real_start`. A test's servers end with the test.
#
#   have NAME                   $root: the packages' usr/ and etc/; $libraries: for LD_LIBRARY_PATH
#   real_start NAME READY CMD.. CMD listens on 127.0.0.1:$port, which is free; it runs in the background with its libraries, and
#                               READY (a command) tells when it serves; what it prints is in NAME.said
#   not_root NAME               $as_user, for what does not run as root
#   served TEXT CMD...          works, and prints TEXT
#   turned_away TEXT CMD...     does not work, and says TEXT
#   decided WORD [KEY=VALUE..]  our last decision in this test, and there was one

real_setup() {
	export MTLS_LOG=info MTLS_LOG_FILE=log # in the test's own folder
	mkdir "$W/short"
	openssl x509 -in "$PKI/device/client_cert.pem" -out "$W/short/client_cert.pem"
	cp "$PKI/device/private_key.pem" "$W/short/"
	fetch "$@"
}

fetch() {
	local name status
	for name; do
		status=0
		as_caller timeout 600 "$TOP/packaging/servers.sh" "$name" >"$W/$name.root" 2>"$W/$name.why" || status=$?
		echo $status >"$W/$name.status"
	done
}

have() {
	case $(cat "$W/$1.status") in
	0) ;;
	77) skip "$(tail -n 1 "$W/$1.why")" ;;
	124) fail "no $1 in 600 s" ;;
	*) fail "$(tail -n 1 "$W/$1.why")" ;;
	esac
	root=$(cat "$W/$1.root")
	libraries=$(echo "$root"/usr/lib/*-linux-*/ "$root/usr/lib/postfix" | tr ' ' :)
}

# packaged CMD...: with the packages' libraries
packaged() {
	env "LD_LIBRARY_PATH=$libraries" "$@"
}

# Below the ports that the kernel gives away, so that nobody gets it by chance before the server has it.
port_choose() {
	until port=$((10240 + RANDOM % 20000)) && ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
}

listening() {
	(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

as_user=() # goes before what root may not run, or should not

# Where we are root: nobody, to whom what is ours belongs all the same.
not_root() {
	[ "$(id -u)" = 0 ] || return 0
	as_user=(unshare --user --map-user=65534 --map-group=65534)
	"${as_user[@]}" true 2>/dev/null || skip "$1 does not run as root, and there are no user namespaces here"
}

# The server ends with the test's shell, even where that is killed: it asks the kernel for it itself.
real_start() {
	local name=$1 ready=$2
	shift 2
	env "LD_LIBRARY_PATH=$libraries" "${as_user[@]}" setpriv --pdeathsig TERM "$@" </dev/null >"$name.said" 2>&1 {life}>&- &
	server_pid=$!
	until_true 15 ready_or_gone "$ready" || fail "$name does not start: $(tail -n 1 "$name.said")"
	kill -0 "$server_pid" 2>/dev/null || fail "$name has ended: $(tail -n 1 "$name.said")"
}

ready_or_gone() {
	$1 || ! kill -0 "$server_pid" 2>/dev/null
}

served() {
	attempt "${@:2}"
	expect_rc 0
	expect_text out "$1"
}

turned_away() {
	attempt "${@:2}"
	[ "$rc" != 0 ] || fail "worked: $(head -c 300 out)"
	cat out err >said
	expect_text said "$1"
}

decided() {
	local line
	line=$(grep -E ' (presented|withheld) ' log | tail -n 1)
	[ -n "$line" ] || fail "nothing was decided"
	expect_line "$line" "reason=$1" "${@:2}"
}

# Two of the web's clients, which fail where the answer is none: get_NAME URL [1.2|1.3] [OPTION...]

get_curl() {
	local version=()
	[ -z "${2-}" ] || version=("--tlsv$2" --tls-max "$2")
	"${via[@]}" curl -fsS --max-time 20 --cacert "$PKI/ca.pem" "${version[@]}" "${@:3}" "$1"
}

get_wget() {
	local version=()
	[ -z "${2-}" ] || version=("--ciphers=$(priority "$2")")
	"${via[@]}" wget --no-config --no-hsts -nv --tries=1 --timeout=20 "--ca-certificate=$PKI/ca.pem" "${version[@]}" \
		"${@:3}" -O - "$1"
}
