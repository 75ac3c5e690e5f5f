# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The shim built with sanitizers, in real clients of both libraries: handshakes succeed and nothing is reported. The
# programs are unsanitized, so the runtimes go before the shim in LD_PRELOAD, ASan's first. Leaks are
# asked for where the program itself has none (the C probes). ThreadSanitizer knows C11 atomics,
# which helgrind does not. No report is suppressed: of the libraries, which are not instrumented, the
# runtimes see only the calls to libc.

# shellcheck source=tests/e2e/clients_gnutls.sh
. tests/e2e/clients_gnutls.sh
# shellcheck source=tests/e2e/again.sh
. tests/e2e/again.sh
# shellcheck source=tests/e2e/rotation.sh
. tests/e2e/rotation.sh
# shellcheck source=tests/e2e/agent_clients.sh
. tests/e2e/agent_clients.sh

deadline=180
probes=$BUILD/tests
checked=(asan 1)
build=build

runtime() {
	local file
	file=$(gcc -print-file-name="lib$1.so")
	[ -e "$file" ] || fail "gcc has no lib$1.so"
	printf '%s' "$file"
}

# sanitized_build NAME SANITIZERS: build/NAME/libmtls-run.so
sanitized_build() {
	timeout 300 make -s -j2 -C "$TOP" CC=gcc SAN="$2" B="$build/$1" "$build/$1/libmtls-run.so" >"$W/make.$1" 2>&1 ||
		fail "SAN=$2 does not build: $(grep -m 1 -E 'error|\*\*\*' "$W/make.$1")"
}

# The runtimes start at the first malloc, and there ask dlerror for a text, for which glibc takes and gives back its
# lock of locales. With p11-kit (libgnutls has it) the first malloc is in its constructor's newlocale, which holds that
# lock: it is given back twice, and freelocale waits for ever. So one malloc comes before all other constructors.
first_malloc() {
	cat >"$W/first.c" <<-'C'
		#include <stdlib.h>
		static void *volatile first;
		__attribute__((constructor)) static void start(void)
		{
			first = malloc(1);
			free(first);
		}
	C
	gcc -shared -fPIC -Wl,-z,initfirst -o "$W/first.so" "$W/first.c"
}

setup() {
	first_malloc
	sanitized_build san address,undefined
	sanitized_build tsan thread
	export MTLS_LOG=info MTLS_LOG_FILE=log
	export UBSAN_OPTIONS=print_stacktrace=1,halt_on_error=1,log_path=report
	server_start required
	again_servers
}

nothing_reported() {
	local file
	for file in report*; do
		[ ! -e "$file" ] || fail "$(grep -m 1 -E 'ERROR|WARNING|runtime error' "$file"): $(grep -m 8 '#[0-9]' "$file")"
	done
}

# with RUNTIMES LIBRARY CMD...
with() {
	local preload='' name via
	for name in $1; do
		preload+="$(runtime "$name") "
	done
	via=(env "MTLS_DIR=$cred" "LD_PRELOAD=$preload$W/first.so $TOP/$build/$2/libmtls-run.so")
	shift 2
	attempt through "$@"
	nothing_reported
	expect_rc 0
}

# asan LEAKS CMD...: $asan_options are more of its options
asan() {
	export ASAN_OPTIONS=detect_leaks=$1,log_path=report,detect_stack_use_after_return=1,${asan_options-}
	with 'asan ubsan' san "${@:2}"
}

# --- clients --------------------------------------------------------------------------------

client_in() {
	server_use required
	asan 0 "client_$1" "$port"
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

gnutls_client_in() {
	gnutls_require "$1"
	client_in "$1"
	expect_line "$(grep ' presented ' log)" reason=presented
	[[ $(grep ' presented ' log) == *' lib=gnutls/'* ]] || fail "another library: $(cat log)"
}

for client in curl python s_client; do
	eval "test_$client() { client_in $client; }"
done
for client in "${gnutls_clients[@]}"; do
	eval "test_$client() { gnutls_client_in $client; }"
done

# --- one connection ---------------------------------------------------------------------------

# every_setting PROBE: all that the shim asks of a library, and all that a program tells it
every_setting() {
	server_use required
	export MTLS_HOSTS='localhost, !*.invalid' MTLS_ONLY_IF=verified MTLS_ISSUER=match
	asan 1 "$probes/$1" "$port" lookup=getaddrinfo:localhost verify=localhost "ca=$PKI/ca.pem" check
	expect_seen subject=CN=device chain=2 verify=ok result=ok
}

test_probe() { every_setting get; }
test_gnutls_probe() { every_setting gnutls_get; }

with_agent() {
	local key
	for key in device device-rsa device-p384 device-ed25519; do
		agent_beside "$PKI/$key"
		server_use required
		asan 1 "$probes/$1" "$port"
		expect_seen "subject=CN=$key" verify=ok result=ok
		kill "$agent"
		wait "$agent" || true
		server_use optional
		asan 1 "$probes/$1" "$port"
		words reason=agent-unavailable
		rm -r beside
	done
}

test_agent() { with_agent get; }
test_gnutls_agent() { with_agent gnutls_get; }

# keys PROBE FOLDER...: each form of key is read, and signs
keys() {
	local probe=$1 cred
	shift
	server_use required
	for cred; do
		echo "$cred"
		asan 1 "$probes/$probe" "$port"
		expect_seen verify=ok result=ok
	done
}

test_keys() { keys get "$PKI"/key/* "$PKI"/device-{p384,ed25519,deep,hostile}; }

# GnuTLS reads no scrypt: what comes of that is in valgrind.sh.
test_gnutls_keys() {
	local folders
	mapfile -t folders < <(printf '%s\n' "$PKI"/key/* | grep -v scrypt)
	[ ${#folders[@]} -ge 10 ] || fail "pki.sh makes no keys"
	keys gnutls_get "${folders[@]}" "$PKI"/device-{p384,ed25519,deep,hostile}
}

# --- what programs do to objects, and their own functions ---------------------------------------

test_objects_used_again() {
	used_again reuse clear add add-ctx dup dup-after swap setters many
	asan 1 "$probes/reuse" server 0 "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem"
}

test_gnutls_objects_used_again() {
	used_again gnutls_reuse add function two removed ours step bye churn empty
}

# The children's errors end them before they can be good.
test_gnutls_children() {
	used_again gnutls_reuse fork
	expect_text out 'good=200 descriptors=0 zombies=0'
}

# What a program's function gives is copied for GnuTLS, which frees the copies, and taken over where it says so (v1=g).
test_gnutls_own_functions() {
	local scenario
	server_use optional
	for scenario in cert v1=s v1=g v2=s v3=s late-v1=s cert+any-hook+verify request-hook; do
		echo "$scenario"
		asan 1 "$probes/gnutls_own" "$scenario" "$port" "${theirs[@]}" "$PKI/ca.pem"
		expect_seen subject=CN=app-own chain=2 verify=ok result=ok
	done
	for scenario in none v1=n v2=n v3=n v1=s+unset1 no-hook+verify swap-hook=13; do
		echo "$scenario"
		asan 1 "$probes/gnutls_own" "$scenario" "$port" "${theirs[@]}" "$PKI/ca.pem"
		expect_seen subject=CN=device chain=2 verify=ok result=ok
	done
	for scenario in v1=f v3=f failing-hook no-credentials; do
		echo "$scenario"
		asan 1 "$probes/gnutls_own" "$scenario" "$port" "${theirs[@]}" "$PKI/ca.pem"
		expect_seen subject= result=failed
	done
}

# Requests that come again in one session, and credentials that a server's session shares.
test_gnutls_pair() {
	local scenario
	cp -r "$PKI/device" cred
	cred=$T/cred
	for scenario in x509 shared shared-empty raw raw-own datagram again hello again-removed; do
		echo "$scenario"
		asan 1 "$probes/gnutls_pair" $scenario "$PKI/server.pem" "$PKI/server.key" "${theirs[1]}" "$cred"
		expect_text out 'client=0 server=0'
	done
	[ "$(grep -c ' presented ' log)" = 8 ] || fail "not eight presented: $(cat log)"
	[[ $(tail -n 1 log) == *reason=removed* ]] || fail "not removed: $(tail -n 1 log)"
}

# What was kept of an object that went unseen is used no more, and freed once. Without a quarantine, because the next
# object has to come to its address.
test_gnutls_unseen() {
	local scenario asan_options=quarantine_size_mb=0,thread_local_quarantine_size_kb=0
	for scenario in server server-unseen client hook; do
		echo $scenario
		asan 0 "$probes/gnutls_unseen" $scenario "$PKI/server.pem" "$PKI/server.key"
	done
	[ "$(grep -c ' presented ' log)" = 3 ] || fail "not three presented: $(cat log)"
}

# Each hook in success and failure, with the words of the program without us (51-gnutls-own.sh compares more).
test_gnutls_errno() {
	server_use optional
	attempt plain "$probes/gnutls_hooks" "$port" "$PKI/ca.pem"
	expect_rc 0
	mv out without
	asan 1 "$probes/gnutls_hooks" "$port" "$PKI/ca.pem"
	cmp -s out without || fail "$(diff without out | head -n 4 | tr '\n' ' ')"
	grep -q ' presented ' log || fail "it did not act: $(cat log)"
}

# --- threads --------------------------------------------------------------------------------------

# renewing: another credential by symlink swap, again and again, until the test ends
renewing() {
	local from
	while :; do
		for from in device app-own; do
			ln -sfn "$T/$from" "$T/link.new"
			mv -T "$T/link.new" "$T/link"
		done
	done
}

renew() {
	cp -r "$PKI/device" "$PKI/app-own" .
	ln -s "$T/device" link
	cred=$T/link
	renewing &
	writer=$!
}

# all_presented N: N more connections, each with one of the two credentials, whole
all_presented() {
	mark=$((mark + $1))
	until_true 5 lines_of "$seen" $mark || fail "not all of $1 arrived"
	sed -n "$((mark - $1 + 1)),${mark}p" "$seen" >these
	[ "$(grep -cE 'subject="CN=(device|app-own)".* chain=2 .*verify=ok .*result=ok' these)" = "$1" ] ||
		fail "not all of $1: $(grep -vm 1 'chain=2 .*result=ok' these)"
	[ "$(cat out)" = "$1" ] || fail "only $(cat out) of $1"
	cat these >>all
}

# The test proves something only where the credential did change between connections.
both_were_seen() {
	kill "$writer"
	grep -q 'subject="CN=device"' all || fail "device was never presented"
	grep -q 'subject="CN=app-own"' all || fail "app-own was never presented"
}

# Eight threads, while the credential changes under them: none is used after its end, none stays.
threads() {
	local probe=$1 how
	shift
	server_use required
	renew
	for how; do
		echo "$how"
		asan 1 "$probes/$probe" 200 "$how" "localhost:$port"
		all_presented 200
	done
	both_were_seen
}

test_threads() { threads parallel lookup bio; }
test_gnutls_threads() { threads gnutls_parallel sni churn; }

# The same, every way to be asked.
races() {
	local probe=$1 how hosts
	shift
	server_use required
	export TSAN_OPTIONS=log_path=report,exitcode=66
	renew
	for how; do
		for hosts in '' 127.0.0.1; do
			echo "$how $hosts"
			[ -z "$hosts" ] || export MTLS_HOSTS=$hosts
			with tsan tsan "$probes/$probe" 100 "$how" "localhost:$port"
			all_presented 100
		done
		unset MTLS_HOSTS
	done
	both_were_seen
}

test_races() { races parallel lookup sni fd bio; }
test_gnutls_races() { races gnutls_parallel sni fd bio churn function set; }

# The first handshake of all of them makes the place for an agent's keys.
agent_races() {
	server_use required
	agent_beside "$PKI/device"
	export TSAN_OPTIONS=log_path=report,exitcode=66
	with tsan tsan "$probes/$1" 100 sni "localhost:$port"
	all_presented 100
}

test_agent_races() { agent_races parallel; }
test_gnutls_agent_races() { agent_races gnutls_parallel; }

# changes_in_each_way PROBE: under threads, with what is torn and broken in between. What the libraries themselves do with
# memory is left out in ThreadSanitizer: it does not see how libcrypto counts who uses a key, and takes the end of one that
# another thread had used for a race.
changes_in_each_way() {
	local way cred
	server_use optional
	export TSAN_OPTIONS=log_path=report,exitcode=66,ignore_noninstrumented_modules=1
	echo 'run 200' >order
	for way in rename links place emptied; do
		echo $way
		folder $way
		put $way "$A"
		changing $way
		asan 1 "$probes/$1" "$port" <order
		expect_text out 'n=200 failed=0 '
		with tsan tsan "$probes/$1" "$port" <order
		expect_text out 'n=200 failed=0 '
		changed
	done
}

test_changes() { changes_in_each_way rotation; }
test_gnutls_changes() { changes_in_each_way gnutls_rotation; }
