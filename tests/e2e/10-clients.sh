# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Every client against both kinds of server, in TLS 1.2 and 1.3: with mtls-run the server
# sees the machine's subject with leaf and intermediate. The twins: without it the same
# program is refused; a server that does not ask gets nothing; a removed credential is none.

setup() {
	server_start required --request required
	server_start optional --request optional
	server_start silent --request none
	s_server_start s_server -Verify 1 -verify_return_error
	mkdir "$W/removed"
	: >"$W/removed/client_cert.pem"
	: >"$W/removed/private_key.pem"
}

# A shim that hooks too little, sends the leaf alone, or drops a client's own TLS version.
ours() {
	require "$1"
	server_use required
	presented mtls "client_$1" "$port" "$2"
	expect_line "$(tail -n 1 "$seen")" "tls=$2" resumed=no
	expect_text "$T/out" "subject: CN=device"
	expect_none
}

# The same, judged by somebody else's server.
theirs() {
	require "$1"
	s_server_use
	attempt mtls "client_$1" "$port" "$2"
	expect_rc 0
	expect_text "$T/out" "TLSv$2"
	expect_text "$T/out" "Verify return code: 0 (ok)"
	seen_since >"$T/seen"
	expect_text "$T/seen" "depth=0 CN = device"
	expect_text "$T/seen" "depth=1 CN = Test Intermediate"
}

# If it works without us, the other tests of this file prove nothing.
without() {
	require "$1"
	server_use required
	refused plain "client_$1" "$port" 1.2
	refused plain "client_$1" "$port" 1.3
	s_server_use
	attempt plain "client_$1" "$port"
	[ "$rc" != 0 ] || fail "s_server let it in without a certificate"
	until_true 5 s_server_refused || fail "s_server saw nothing"
}

# A certificate that leaves uninvited tells every server who we are.
not_asked() {
	require "$1"
	server_use silent
	nothing_sent mtls "client_$1" "$port"
	expect_line "$(tail -n 1 "$seen")" asked=no
	expect_none
}

# A removed credential that is still presented, or that stops the program.
removed() {
	require "$1"
	local cred=$W/removed
	server_use optional
	nothing_sent mtls "client_$1" "$port"
	expect_line "$(tail -n 1 "$seen")" asked=yes
	server_use required
	refused bare "client_$1" "$port"
}

# s_server prints what it verified; it has no log of connections.
s_server_use() {
	server_use s_server
}

seen_since() {
	tail -n "+$((mark + 1))" "$seen"
}

s_server_refused() {
	seen_since | grep -q 'peer did not return a certificate'
}

# The launcher only sets the stage: the library alone does it.
bare_preload() {
	require "$1"
	server_use required
	presented bare "client_$1" "$port"
}

for client in "${clients[@]}"; do
	eval "test_${client}_tls12() { ours $client 1.2; }"
	eval "test_${client}_tls13() { ours $client 1.3; }"
	eval "test_${client}_s_server_tls12() { theirs $client 1.2; }"
	eval "test_${client}_s_server_tls13() { theirs $client 1.3; }"
	eval "test_${client}_bare_preload() { bare_preload $client; }"
	eval "test_${client}_without_us() { without $client; }"
	eval "test_${client}_not_asked() { not_asked $client; }"
	eval "test_${client}_removed() { removed $client; }"
done
