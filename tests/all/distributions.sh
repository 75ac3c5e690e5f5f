# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The same libmtls-run.so and mtls-run, byte for byte, in Debian 11, 12, 13 and sid (glibc 2.31 to the newest, OpenSSL
# 1.1.1 to the newest, GnuTLS): each release's own curl, wget, python, git and perl against our server on the host's
# loopback, which a chroot shares. packaging/debian.sh makes the roots, under 100 s each the first time. They are never
# written to: what a test needs is mounted, for itself alone. What fails in sid is told and does not count.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh

deadline=60
suites=(bullseye bookworm trixie sid)
in_suites=(curl wget python git perl)

setup() {
	local suite running=0
	for suite in "${suites[@]}"; do
		[ $running -lt 2 ] || { wait -n; running=$((running - 1)); }
		make_root "$suite" &
		running=$((running + 1))
	done
	wait
	server_start required --request required --no-tickets
	product=$W/product
	mkdir "$product"
	cp "$LIB" "$RUN" "$product/"
	# The caller's paths are the root's too, so the clients' functions need not know where they run.
	cat >"$W/enter" <<-'SH'
		root=$1
		pki=$2
		product=$3
		shift 3
		mount -t proc proc "$root/proc" 2>/dev/null
		mount -t tmpfs tmpfs "$root/tmp" && mkdir -p "$root$pki" "$root$product" || exit 99
		mount --bind "$pki" "$root$pki" && mount --bind "$product" "$root$product" || exit 99
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$root" "$@"
	SH
}

make_root() {
	local status=0
	debian root "$1" >"$W/$1.root" 2>"$W/$1.why" || status=$?
	echo $status >"$W/$1.status"
}

# in_suite SUITE: from here on mtls, bare and there run their programs in it
in_suite() {
	local status root
	status=$(cat "$W/$1.status")
	case $status in
	0) ;;
	77) skip "$(tail -n 1 "$W/$1.why")" ;;
	124) fail "no root of $1 in 600 s" ;;
	*) fail "$(tail -n 1 "$W/$1.why")" ;;
	esac
	root=$(cat "$W/$1.root")
	unshare -m true 2>/dev/null || skip "nothing can be mounted here"
	as_nobody=(unshare -m sh "$W/enter" "$root" "$PKI" "$product")
	RUN=$product/mtls-run
	LIB=$product/libmtls-run.so
	server_use required
}

# there CMD...: in the suite, without us
there() {
	local via=("${as_nobody[@]}")
	through "$@"
}

client_in() {
	in_suite "$1"
	refused there "client_$2" "$port"
	presented mtls "client_$2" "$port"
	! grep '^mtls-run' err || fail "said: $(grep -m 1 '^mtls-run' err)"
	presented bare "client_$2" "$port"
	! grep '^mtls-run' err || fail "said: $(grep -m 1 '^mtls-run' err)"
	expect_none
}

# A root with another library than the one that was built, or a suite that is not what it is called.
product_in() {
	in_suite "$1"
	there sha256sum "$LIB" "$RUN" >there.sums
	sed "s,  $product/,  $BUILD/," there.sums | sha256sum --status --check || fail "not what was built: $(cat there.sums)"
	there cat /etc/os-release >release
	grep -qE "^VERSION_CODENAME=$1\$" release || { [ "$1" = sid ] && grep -q '/sid"' release; } || fail "not $1: $(head -n 1 release)"
	attempt mtls true
	expect_rc 0
	[ ! -s err ] || fail "said: $(cat err)"
}

# mtls-cred needs a newer libc and libcrypto than Debian 11 has; mtls-run does without, and says so to whom it may concern.
cred_in() {
	local line='only the structure of the credential was checked'
	in_suite "$1"
	product=$T/product
	mkdir "$product"
	cp "$RUN" "$LIB" "$CRED" "$product/"
	in_suite "$1"
	attempt mtls true
	expect_rc 0
	[ ! -s err ] || fail "said: $(cat err)"
	attempt "${as_nobody[@]}" "$RUN" -v -d "$cred" true
	expect_rc 0
	if [ "$1" = bullseye ]; then
		expect_text err "$line"
		[ "$(wc -l <err)" = 1 ] || fail "said more: $(cat err)"
	else
		! grep -qF "$line" err || fail "mtls-cred does not run: $(cat err)"
	fi
}

# d2i_SSL_SESSION_ex is as new as 3.2: a session restored by it carries no old identity either.
restored_in() {
	local product=$T/product cred=$T/product/cred
	mkdir "$product"
	cp "$RUN" "$LIB" "$BUILD/tests/resume" "$product/"
	cp -r "$PKI/device" "$cred"
	server_start tickets --request optional --tls 1.3
	in_suite "$1"
	server_use tickets
	attempt mtls "$product/resume" "$port" connect keep:0 der-ex:0 offer:0 connect \
		"run:rm -f $cred/*pass*; cp $PKI/device-rsa/* $cred/" keep:0 der-ex:0 offer:0 connect
	expect_rc 0
	cut -d ' ' -f 1,3 out >saw
	printf '%s\n' 'full CN=device' 'resumed CN=device' 'full CN=device-rsa' | cmp -s - saw || fail "saw: $(tr '\n' ';' <saw)"
}

# The key is with an agent on the host, whose socket is in the root. Debian 11's OpenSSL, 1.1.1, has no place for it; its
# GnuTLS has.
agent_in() {
	local product=$T/product client agent
	mkdir -p "$product/cert"
	cp "$RUN" "$LIB" "$product/"
	cp "$PKI/$2/client_cert.pem" "$product/cert/"
	"$BUILD/mtls-agent" -d "$PKI/$2" --socket "$product/s" 2>agent.err &
	agent=$!
	until_true 10 test -S "$product/s" || fail "the agent does not start: $(cat agent.err)"
	server_start agent --request optional --no-tickets
	in_suite "$1"
	server_use agent
	via=("${as_nobody[@]}" env "MTLS_DIR=$product/cert" "MTLS_AGENT=$product/s" MTLS_LOG=info "LD_PRELOAD=$LIB")
	for client in "${in_suites[@]}"; do
		if [ "$1" = bullseye ] && [ "$client" != wget ] && [ "$client" != git ]; then
			nothing_sent "client_$client" "$port"
			expect_text err 'what="MTLS_AGENT needs OpenSSL 3"'
		else
			subject=CN=$2 presented "client_$client" "$port"
		fi
	done
	kill "$agent"
}

# A failure is told as a skip that is allowed.
informational() {
	local status=0
	(
		set -eE
		"$@"
	) &
	wait $! || status=$?
	[ $status = 0 ] || skip "informational: $(cat why)"
}

for suite in "${suites[@]}"; do
	[ "$suite" = sid ] && how=informational || how=
	eval "test_${suite}_product() { $how product_in $suite; }"
	[[ $suite != [ts]* ]] || eval "test_${suite}_restored() { $how restored_in $suite; }"
	for key in device device-rsa; do
		eval "test_${suite}_agent_${key/-/_}() { $how agent_in $suite $key; }"
	done
	eval "test_${suite}_mtls_cred() { $how cred_in $suite; }"
	for client in "${in_suites[@]}"; do
		eval "test_${suite}_$client() { $how client_in $suite $client; }"
	done
done
