# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Row 6 of the contract's section 2, host patterns: by name, by address, by port, for programs that tell TLS the
# name or the descriptor and for those that do not; one process that talks to two servers at once.

# shellcheck source=tests/e2e/policy.sh
. tests/e2e/policy.sh

setup() { policy_setup; }

test_hosts_by_name() {
	local to
	server_use plain
	to=(curl_to -k --resolve "dev.example.test:$port:127.0.0.1" "https://dev.example.test:$port/")
	for MTLS_HOSTS in localhost LocalHost. "localhost:$port" 'a.test, localhost' 'a.test	localhost b.test' '!a.test'; do
		export MTLS_HOSTS
		gives client_curl "$port"
	done
	for MTLS_HOSTS in a.test localhos '*.localhost' 'localhost:1' '!localhost' '!localhost localhost' 'localhost !localhost' '*.test'; do
		keeps host-not-listed client_curl "$port"
	done
	for MTLS_HOSTS in '*.example.test' '*.test' dev.example.test '*.test !a.example.test' '!*.example.org'; do
		gives "${to[@]}"
	done
	for MTLS_HOSTS in example.test '*.dev.example.test' '*.ample.test' '*.test !dev.example.test' '!*.example.test' '!*.test'; do
		keeps host-not-listed "${to[@]}"
	done
}

# CMD connects to 127.0.0.1 on $port by the name localhost.
by_address() {
	for MTLS_HOSTS in 127.0.0.1 127.0.0.0/8 "127.0.0.1:$port" '0.0.0.0/0' '!10.0.0.0/8' '[::1] 127.0.0.1'; do
		export MTLS_HOSTS
		gives "$@"
	done
	for MTLS_HOSTS in 127.0.0.2 10.0.0.0/8 127.0.0.1:1 '[::1]' '::/0' '!127.0.0.1' "127.0.0.0/8 !127.0.0.1:$port" \
		"localhost !127.0.0.0/8"; do
		keeps host-not-listed "$@"
	done
	unset MTLS_HOSTS
}

test_hosts_by_address_told_descriptor() {
	server_use plain
	by_address client_python "$port"
}

# curl has a BIO of its own: libssl does not know the descriptor.
test_hosts_by_address_own_bio() {
	server_use plain
	by_address client_curl "$port"
	by_address get "$port" own-bio
}

test_hosts_by_ipv6() {
	local to
	server_use six
	to=(curl_to "https://[::1]:$port/")
	for MTLS_HOSTS in '[::1]' ::1/128 "[::1]:$port" '[::]/0' '!10.0.0.0/8'; do
		export MTLS_HOSTS
		gives "${to[@]}"
	done
	for MTLS_HOSTS in '[::2]' '[::1]:1' 127.0.0.1 0.0.0.0/0 '!::/0' localhost; do
		keeps host-not-listed "${to[@]}"
	done
}

# An address that means another one: what counts is the connected socket.
test_hosts_any_address() {
	server_use plain
	MTLS_HOSTS=127.0.0.1 gives get "$port" address=0.0.0.0
	MTLS_HOSTS=127.0.0.1 gives get "$port" address=0.0.0.0 own-bio
	MTLS_HOSTS='!127.0.0.1' keeps host-not-listed get "$port" address=0.0.0.0 own-bio
}

# Descriptor unknown, two live connections: both must be allowed. A test of one port at a time tells them apart.
test_hosts_two_live_connections() {
	local other=${server_port[other]}
	server_use plain
	MTLS_HOSTS="127.0.0.1:$port" gives get "$port" "hold=$other" # the descriptor is told
	MTLS_HOSTS="127.0.0.1:$port" keeps host-not-listed get "$port" own-bio "hold=$other"
	MTLS_HOSTS="127.0.0.1:$port 127.0.0.1:$other" gives get "$port" own-bio "hold=$other"
	MTLS_HOSTS="127.0.0.1:$other" keeps host-not-listed get "$port" own-bio "hold=$other"
	MTLS_HOSTS="127.0.0.1:$other" keeps host-not-listed get "$port" own-bio "hold=$other" address=0.0.0.0
}

# The same, and connect(2) does not tell of the one that is meant, or tells another address.
test_hosts_hidden_connection() {
	local how other=${server_port[other]}
	server_use plain
	for how in dup unix again; do
		MTLS_HOSTS="127.0.0.1:$other" keeps host-not-listed get "$port" own-bio "$how" "hold=$other"
		MTLS_HOSTS="!127.0.0.1:$port" keeps host-not-listed get "$port" own-bio "$how" "hold=$other"
	done
	for how in dup again; do
		MTLS_HOSTS="127.0.0.1:$port" gives get "$port" own-bio "$how"
		MTLS_HOSTS="127.0.0.1:$port 127.0.0.1:$other" gives get "$port" own-bio "$how" "hold=$other"
	done
	# At a Unix socket the address is not known, but the name is.
	MTLS_HOSTS=127.0.0.1 keeps host-not-listed get "$port" own-bio unix
	MTLS_HOSTS='!10.0.0.0/8' keeps host-not-listed get "$port" own-bio unix
	MTLS_HOSTS=a.test gives get "$port" own-bio unix sni=a.test
	MTLS_HOSTS=a.test keeps host-not-listed get "$port" own-bio unix
}

# No SNI and no name to verify: the name that the program looked up.
test_hosts_looked_up() {
	local function
	server_use plain
	for function in getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyname2_r; do
		MTLS_HOSTS=localhost gives get "$port" "lookup=$function:localhost"
		MTLS_HOSTS=localhost gives get "$port" "lookup=$function:localhost" own-bio
		MTLS_HOSTS=a.test keeps host-not-listed get "$port" "lookup=$function:localhost"
		MTLS_HOSTS='!localhost' keeps host-not-listed get "$port" "lookup=$function:localhost"
	done
	MTLS_HOSTS=localhost keeps host-not-listed get "$port"
	MTLS_HOSTS='!localhost' keeps host-not-listed get "$port"
	MTLS_HOSTS=localhost keeps host-not-listed get "$port" lookup=getaddrinfo:127.0.0.1
	MTLS_HOSTS=localhost keeps host-not-listed get "$port" lookup=getaddrinfo:localhost sni=a.test
	MTLS_HOSTS=a.test gives get "$port" lookup=getaddrinfo:localhost sni=a.test
	MTLS_HOSTS=a.test keeps host-not-listed get "$port" verify=b.test sni=a.test
	MTLS_HOSTS=b.test gives get "$port" verify=b.test sni=a.test
}

# Two names for one address: which one is meant is not known, so both must be allowed.
test_hosts_two_names() {
	local two=(lookup=getaddrinfo:good.example.test lookup=getaddrinfo:evil.example.test)
	server_use plain
	LIB="$LIB $W/resolver.so"
	MTLS_HOSTS=good.example.test gives get "$port" lookup=getaddrinfo:good.example.test
	MTLS_HOSTS=good.example.test keeps host-not-listed get "$port" "${two[@]}"
	MTLS_HOSTS='!evil.example.test' keeps host-not-listed get "$port" "${two[@]}"
	MTLS_HOSTS='*.example.test' gives get "$port" "${two[@]}"
}

# --- one process, two servers -------------------------------------------------------

# both_servers SETTING HOW [LISTED UNLISTED]: 200 connections of 8 threads, in turn; how many of ours each server got
both_servers() {
	local listed=${3-good.example.test} unlisted=${4-evil.example.test} file n
	export MTLS_HOSTS=$1
	attempt bare parallel 200 "$2" "$listed:${server_port[plain]}" "$unlisted:${server_port[other]}"
	expect_rc 0
	n=${mark_of[plain]:-0}
	tail -n "+$((n + 1))" "${server_seen[plain]}" >listed
	n=${mark_of[other]:-0}
	tail -n "+$((n + 1))" "${server_seen[other]}" >unlisted
	mark_of[plain]=$(wc -l <"${server_seen[plain]}")
	mark_of[other]=$(wc -l <"${server_seen[other]}")
	for file in listed unlisted; do
		[ "$(grep -c asked=yes $file)" = 100 ] || fail "$file: $(grep -c asked=yes $file) of 100 arrived"
	done
	! grep -q 'subject="CN=' unlisted || fail "$1, $2: $(grep -c 'subject="CN=' unlisted) certificates at the unlisted server"
	presents=$(grep -c 'subject="CN=device"' listed || true)
}

parallel() {
	"${via[@]}" "$BUILD/tests/parallel" "$@"
}

two_servers() {
	declare -gA mark_of
	mark_of[plain]=$(wc -l <"${server_seen[plain]}")
	mark_of[other]=$(wc -l <"${server_seen[other]}")
}

test_parallel_threads_by_name() {
	two_servers
	both_servers good.example.test sni
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
	both_servers '!evil.example.test' sni
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
}

test_parallel_threads_by_address() {
	two_servers
	both_servers "127.0.0.1:${server_port[plain]}" fd
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
	both_servers "!127.0.0.1:${server_port[other]}" fd
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
}

# Nothing is told: only where no connection to the unlisted server could be meant.
test_parallel_threads_untold() {
	two_servers
	both_servers "127.0.0.1:${server_port[plain]}" bio
	both_servers good.example.test bio
	[ "$presents" = 0 ] || fail "$presents without a name"
}

# Eight threads look up at once: a name that is lost would withhold.
test_parallel_threads_looked_up() {
	two_servers
	both_servers "127.0.0.1:${server_port[plain]} !localhost:${server_port[other]}" lookup localhost localhost
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
	both_servers "localhost:${server_port[plain]}" lookup localhost localhost
	[ "$presents" = 100 ] || fail "$presents of 100 at the listed server"
}

test_curl_parallel() {
	local i urls=() listed unlisted
	two_servers
	for ((i = 0; i < 20; i++)); do
		urls+=("https://localhost:${server_port[plain]}/" "https://127.0.0.1:${server_port[other]}/")
	done
	export MTLS_HOSTS=localhost
	attempt bare curl_to --parallel --parallel-max 8 --parallel-immediate -H 'Connection: close' "${urls[@]}"
	expect_rc 0
	listed=$(tail -n "+$((mark_of[plain] + 1))" "${server_seen[plain]}")
	unlisted=$(tail -n "+$((mark_of[other] + 1))" "${server_seen[other]}")
	[ "$(grep -c 'subject="CN=device"' <<<"$listed")" = 20 ] || fail "listed: $listed"
	[ "$(grep -c 'subject="" ' <<<"$unlisted")" = 20 ] || fail "unlisted: $unlisted"
}
