# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-run --audit: plugins loaded with RTLD_DEEPBIND present too. Without it they do not: that is the documented limit,
# and the twin of each success here. Everything else is as without --audit: what other programs, wrappers, namespaces
# and audit libraries do.

# shellcheck source=tests/e2e/launcher.sh
. tests/e2e/launcher.sh

setup() {
	server_start ask --request optional --no-tickets
	AUDIT=$BUILD/libmtls-audit.so
	app=("cert=$PKI/app-own/client_cert.pem" "key=$PKI/app-own/private_key.pem")
	plugin openssl -lssl -lcrypto
	plugin gnutls -lgnutls
	plugin wrapper -lssl -ldl
	ln "$W/wrapper.so" "$W/libwrapper.so"
	"${CC:-cc}" "-I$TOP" -D_GNU_SOURCE -shared -fPIC -o "$W/wrapped.so" "$TOP/tests/probes/plugins/openssl.c" \
		-Wl,--no-as-needed "-L$W" -lwrapper "-Wl,-rpath,$W" -lssl -lcrypto
	libssl=$(ldd "$W/openssl.so" | sed -n 's/.* => \(.*\/libssl[^ ]*\) .*/\1/p')
}

plugin() { # NAME FLAG...: $W/NAME.so
	"${CC:-cc}" "-I$TOP" -D_GNU_SOURCE -shared -fPIC -o "$W/$1.so" "$TOP/tests/probes/plugins/$1.c" "${@:2}"
}

# As mtls, plain and bare in lib.sh.
audited() {
	local via=("$RUN" -d "$cred" --audit --)
	through "$@"
}

by_hand() {
	local via=(env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" "LD_AUDIT=$AUDIT")
	through "$@"
}

# deepbind HOW PLUGIN WORD...
deepbind() {
	"${via[@]}" "$BUILD/tests/deepbind" "$1" "$W/$2.so" "$port" "${@:3}"
}

quiet() {
	[ ! -s err ] || fail "said: $(head -n 3 err)"
}

has_gnutls() {
	nm -D --defined-only "$LIB" | grep -qw gnutls_handshake
}

# Before glibc 2.35 the loader does not ask about what is bound at once; docs/HOOKS.md.
binds() {
	printf '%s\n' lazy
	if printf '2.35\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)" | sort -CV; then
		printf '%s\n' now
	fi
}

# --- plugins -----------------------------------------------------------------------------

test_plugin() {
	local how version
	server_use ask
	for how in $(binds); do
		for version in 1.2 1.3; do
			nothing_sent mtls deepbind "$how" openssl version=$version
			quiet
			presented audited deepbind "$how" openssl version=$version
			quiet
			presented by_hand deepbind "$how" openssl version=$version
		done
	done
}

# Every function is led to us, not only the first: what the plugin sets stays in front of ours.
test_callbacks() {
	server_use ask
	nothing_sent mtls deepbind lazy openssl callback=none
	presented audited deepbind lazy openssl callback=none
}

# A plugin's dlsym is led to ours, which knows libssl's handle.
test_functions_found_by_handle() {
	nm -D --defined-only "$LIB" | grep -qw dlsym || skip "this build has no dlsym of ours"
	server_use ask
	nothing_sent mtls deepbind lazy openssl "handle=$libssl"
	presented audited deepbind lazy openssl "handle=$libssl"
}

test_own_certificate_wins() {
	server_use ask
	attempt audited deepbind lazy openssl "${app[@]}"
	expect_rc 0
	expect_seen subject=CN=app-own
	expect_none
}

# connect and the look-ups of a plugin count too: else nobody knows whom it talks to.
test_names() {
	server_use ask
	MTLS_HOSTS=localhost nothing_sent mtls deepbind lazy openssl lookup=localhost
	MTLS_HOSTS=localhost presented audited deepbind lazy openssl lookup=localhost
	MTLS_HOSTS=other.example nothing_sent audited deepbind lazy openssl lookup=localhost
}

test_gnutls_plugin() {
	local version
	has_gnutls || skip "no GnuTLS adapter in this build"
	server_use ask
	for version in 1.2 1.3; do
		nothing_sent mtls deepbind lazy gnutls version=$version
		presented audited deepbind lazy gnutls version=$version
		quiet
	done
	attempt audited deepbind lazy gnutls "${app[@]}"
	expect_rc 0
	expect_seen subject=CN=app-own
	expect_none
}

test_loaded_again_and_again() {
	server_use ask
	attempt audited deepbind reload openssl
	expect_rc 0
	quiet
	for _ in {1..10}; do
		expect_seen subject=CN=device chain=2 verify=ok result=ok
	done
	expect_none
}

# A library that hands on to libssl is not left out, and finds libssl.
test_wrapper_stays() {
	server_use ask
	for with in plain mtls audited; do
		attempt $with deepbind lazy wrapped
		expect_rc 0
		quiet
		expect_text out "next=$libssl"
		mark=$((mark + 1))
	done
}

# The user's order: what was preloaded before us goes before us.
test_libssl_preloaded_before_us() {
	server_use ask
	nothing_sent env "MTLS_DIR=$cred" "LD_PRELOAD=$libssl:$LIB" "LD_AUDIT=$AUDIT" \
		"$BUILD/tests/deepbind" lazy "$W/openssl.so" "$port"
	presented env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB:$libssl" "LD_AUDIT=$AUDIT" \
		"$BUILD/tests/deepbind" lazy "$W/openssl.so" "$port"
}

python_deepbind() {
	"${via[@]}" /usr/bin/python3 -I -c "import os, sys; sys.setdlopenflags(os.RTLD_LAZY | os.RTLD_DEEPBIND)$python_get" \
		"$PKI/ca.pem" "$port" ''
}

test_python_extensions() {
	[ -n "$(/usr/bin/python3 -c 'import _ssl; print(_ssl.__file__)' 2>/dev/null)" ] || skip "python3 has its ssl built in"
	server_use ask
	nothing_sent mtls python_deepbind
	presented audited python_deepbind
	quiet
}

# --- everything else -------------------------------------------------------------------------

test_programs() {
	local client
	server_use ask
	for client in curl python s_client perl; do
		require $client
		presented audited "client_$client" "$port"
		[ $client = s_client ] || quiet
	done
}

test_wget() {
	require wget
	server_use ask
	attempt audited wget -qO- --ca-certificate "$PKI/ca.pem" "https://localhost:$port/"
	expect_rc 0
	quiet
	if has_gnutls; then
		expect_seen subject=CN=device chain=2 verify=ok result=ok
	else
		expect_seen subject= result=ok
	fi
}

test_no_tls() {
	for program in true 'ls /' 'sh -c true' 'cat /proc/self/status'; do
		# shellcheck disable=SC2086 # words
		attempt audited $program
		expect_rc 0
		quiet
	done
	attempt audited sh -c 'exit 7'
	expect_rc 7
}

test_namespace() {
	local with
	server_use ask
	for with in plain mtls audited; do
		nothing_sent $with deepbind namespace openssl
		quiet
	done
}

test_disabled() {
	server_use ask
	export MTLS_DISABLE=1
	nothing_sent by_hand deepbind lazy openssl
	quiet
	nothing_sent audited deepbind lazy openssl
	quiet
}

test_audit_without_preload() {
	server_use ask
	nothing_sent env "MTLS_DIR=$cred" "LD_AUDIT=$AUDIT" "$BUILD/tests/deepbind" lazy "$W/openssl.so" "$port"
	quiet
	attempt env "LD_AUDIT=$AUDIT" true
	expect_rc 0
	quiet
}

# --- the launcher's part -----------------------------------------------------------------------

test_environment() {
	attempt env -u LD_AUDIT "$RUN" -d "$PKI/device" env
	expect_no_var LD_AUDIT
	attempt audited env
	expect_var "LD_AUDIT=$AUDIT"
	attempt audited "$RUN" -d "$PKI/device" --audit env
	expect_var "LD_AUDIT=$AUDIT"
	expect_var "LD_PRELOAD=$LIB"
}

test_other_audit_library() {
	local other=$T/other.so
	echo 'unsigned la_version(unsigned v); unsigned la_version(unsigned v) { return v; }' |
		"${CC:-cc}" -shared -fPIC -o "$other" -x c -
	export LD_AUDIT=$other
	attempt audited env
	expect_var "LD_AUDIT=$other:$AUDIT"
	server_use ask
	presented audited deepbind lazy openssl
	quiet
}

test_library_missing() {
	own_copy 'exit 0'
	refuses 'libmtls-audit.so: ' -- "$own" -d "$PKI/device" --audit true
	attempt "$own" -d "$PKI/device" true
	expect_rc 0
	quiet
	echo rubbish >bin/libmtls-audit.so
	refuses 'libmtls-audit.so: ' -- "$own" -d "$PKI/device" --audit true
	cp "$AUDIT" bin/
	attempt "$own" -d "$PKI/device" --audit true
	expect_rc 0
	quiet
}
