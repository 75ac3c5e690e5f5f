# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the host program must not notice, and a peer must not be able to do: descriptors,
# system calls, errno and the libraries' error state around each hook, forged log lines,
# secrets where others can read them.

setup() {
	export MTLS_LOG=info
	server_start ask --request optional --no-tickets
	server_start hostile --request optional --no-tickets --cert "$PKI/hostile.pem" --key "$PKI/hostile.key"
}

reuse() {
	"${via[@]}" "$BUILD/tests/reuse" "$1" "$port" - - "$cred"
}

get() {
	"${via[@]}" "$BUILD/tests/get" "$port" "$@"
}

process() {
	"${via[@]}" "$BUILD/tests/process" "$1" "$port"
}

# --- system calls ---------------------------------------------------------------

settled() {
	[ -z "$(find "$cred" -newerct '2 seconds ago')" ]
}

# traced CMD...: its system calls are in "trace", one a line, without the process id
traced() {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -o trace true 2>/dev/null || skip "strace is not permitted here"
	cp -r "$PKI/device" "$T/cred"
	cred=$T/cred
	until_true 5 settled || fail "the files stay young"
	attempt strace -f -s 300 -o trace env "MTLS_DIR=$cred" "LD_PRELOAD=$LIB" "MTLS_LOG_FILE=$T/log" "$@"
	expect_rc 0
	sed -i 's/^[0-9]* *//' trace
}

test_system_calls() {
	server_use ask
	traced "$BUILD/tests/reuse" many "$port" - -
	calls_of_each_handshake
	no_descriptor_is_held
}

# Ten handshakes of one process: each looks at five names, and at five when SSL_clear leaves its session; opens nothing
# but the log, and no number grows.
calls_of_each_handshake() {
	awk -v cred="$cred" -v log_file="$T/log" '
		BEGIN { n = 0 }
		/^connect\(/ && /sin_port/ { n++ }
		index($0, cred) && /^(stat|newfstatat|statx|lstat)\(/ { looks[n]++ }
		index($0, cred) && /^open/ { opens[n]++ }
		index($0, "\"" log_file "\"") && /^open/ { lines[n]++ }
		/^(getpeername|getsockopt|poll|ppoll|rt_sig|fstat|fcntl)/ { rest[n]++ }
		END { for (i = 0; i <= n; i++) print i, looks[i]+0, opens[i]+0, lines[i]+0, rest[i]+0 }' trace >numbers
	[ "$(wc -l <numbers)" = 11 ] || fail "expected ten handshakes: $(cat numbers)"
	while read -r n looks opens lines rest; do
		if [ "$n" = 0 ]; then # the context is made: the files are read
			[ "$opens" = 2 ] || fail "$opens files are opened, of two"
			[ "$looks" -le 20 ] || fail "reading looks $looks times"
			continue
		fi
		[ "$opens" = 0 ] || fail "handshake $n opens $opens files"
		[ "$looks" = 10 ] || fail "handshake $n looks $looks times"
		[ "$lines" = 1 ] || [ "$n" = 1 ] || fail "handshake $n writes $lines lines"
		[ "$rest" -le 12 ] || [ "$n" = 1 ] || fail "handshake $n makes $rest other calls"
	done <numbers
	[ "$(sed 1,2d numbers | cut -d' ' -f2- | sort -u | wc -l)" = 1 ] || fail "not constant: $(cat numbers)"
}

# Whatever we open is closed before anything else of the program runs, and no child would inherit it.
no_descriptor_is_held() {
	awk -v cred="$cred" -v log_file="$T/log" '
		/^open/ && (index($0, cred) || index($0, log_file)) && $NF ~ /^[0-9]+$/ {
			if (!/O_CLOEXEC/) { print "could be inherited: " $0; exit }
			ours[$NF] = 1
			seen++
			next
		}
		/^(read|write|close|connect|sendto|recvfrom)\(/ {
			split($0, part, /[(,)]/)
			mine = part[2] in ours
			if (/^close/) delete ours[part[2]]
			if (mine && /^write/ && !/^write\([0-9]+, "mtls-run\[.*\\n", [0-9]+\)/) { print "no whole line: " $0; exit }
			if (mine) next
			for (fd in ours) { print fd " is held during: " $0; exit }
		}
		/^(execve|clone|fork|vfork|socket|exit_group|wait4)/ { for (fd in ours) { print fd " is held during: " $0; exit } }
		END { if (seen < 13) print "opened only " seen }' trace >verdict
	[ ! -s verdict ] || fail "$(cat verdict)"
}

# --- the state that a program may look at after a call -----------------------------

hooks() {
	"${via[@]}" "$BUILD/tests/hooks" "$port"
}

# Each hook in success and failure: result, errno, h_errno, dlerror, OpenSSL's queue. GnuTLS's: 51-gnutls-own.sh.
test_state_after_each_hook() {
	local name setting
	server_use ask
	attempt plain hooks
	expect_rc 0
	mv out without
	sed -n 's/^MTLS_HOOK[A-Z_]*([^,]*, *\([a-zA-Z0-9_]*\),.*/\1/p' "$TOP/shim/hooks.def" | grep -v '^gnutls_' >names
	[ "$(wc -l <names)" -ge 10 ] || fail "shim/hooks.def has another form"
	while read -r name; do
		grep -q "^$name " without || fail "hooks.c does not call $name"
	done <names
	export MTLS_LOG_FILE=log
	for setting in MTLS_LOG=debug MTLS_DISABLE=1 MTLS_HOSTS=a..b "MTLS_DIR=$T/none"; do
		attempt bare env "$setting" "$BUILD/tests/hooks" "$port"
		expect_rc 0
		cmp -s out without || fail "$setting: $(diff without out | head -n 4 | tr '\n' ' ')"
	done
	grep -q ' hook what=SSL_CTX_new' log || fail "the shim was not there: $(cat log)"
}

# --- log lines ---------------------------------------------------------------------------

# whole_lines N: the log has N lines, of this form and with keys that come once, in printable ASCII
whole_lines() {
	local line key='[a-z0-9]+' plain='[^] "=\\[]+' quoted='"([^"\\]|\\x[0-9a-f]{2})*"'
	[ "$(wc -l <log)" = "$1" ] || fail "expected $1 lines: $(cat -v log)"
	! LC_ALL=C grep -q '[^ -~]' log || fail "not printable: $(cat -v log)"
	while read -r line; do
		[[ $line =~ ^mtls-run\[[0-9]+\]\ (presented|withheld|broken|generation)(\ $key=($plain|$quoted))+$ ]] ||
			fail "of another form: $line"
		[[ $line != *'mtls-run[1]'*'mtls-run[1]'* ]] || fail "twice: $line"
		[ "${#line}" -lt 1024 ] || fail "${#line} bytes"
	done <log
	! grep -qE '^mtls-run\[1\]|\] [a-z]+ .*" (host|subject)=.*" (host|subject)=.*" \1=' log || fail "forged: $(cat log)"
}

forged=$'a.test\nmtls-run[1] presented reason=presented host=forged subject="CN=forged" \e[31m\\ tls=1.3'

test_hostile_names() {
	local how cred=$PKI/device MTLS_LOG_FILE=log
	export MTLS_LOG_FILE
	server_use hostile
	for how in "sni=$forged" "verify=$forged" "sni=$(printf '%0250d' 0 | tr 0 '\001')" 'sni=a b=c' 'sni="'; do
		presented bare get "$how"
	done
	MTLS_HOSTS=a.test nothing_sent bare get "sni=$forged"
	whole_lines 12
	expect_text log 'host="a.test\x0amtls-run[1] presented reason=presented host=forged subject=\x22CN=forged\x22 \x1b[31m\x5c tls=1.3" port='
	expect_text log 'host="a b=c" port='
	expect_text log 'host="\x22" port='
}

# The name in a server's certificate is the peer's to choose; it is never told.
test_hostile_server_certificate() {
	export MTLS_LOG_FILE=log
	server_use hostile
	presented bare client_curl "$port"
	MTLS_ONLY_IF=verified presented bare client_python "$port"
	MTLS_ONLY_IF=verified nothing_sent bare get "ca=$PKI/ca.pem" sni=other.test
	whole_lines 6
	! grep -qE 'evil|forged' log || fail "$(cat log)"
}

# Nor can our own subject, or a folder's name.
test_hostile_subject_and_folder() {
	local cred=$T/$'x\nmtls-run[1] presented subject="CN=x"'
	export MTLS_LOG_FILE=log
	server_use ask
	cp -r "$PKI/device-hostile" "$cred"
	attempt bare get
	expect_rc 0
	expect_seen chain=2 verify=ok
	echo nonsense >"$cred/private_key.pem"
	nothing_sent bare get
	whole_lines 4
	expect_line "$(grep ' broken ' log)" reason=key-malformed \
		"what=$T/x\\x0amtls-run[1] presented subject=\\x22CN=x\\x22/private_key.pem"
}

# --- secrets ---------------------------------------------------------------------------------

# nowhere FILE...: neither the passphrase nor a line of the key or of its certificate's private half
nowhere() {
	local file secret
	for file; do
		for secret in 'open sesame' "$(sed -n 3p "$cred/private_key.pem")" "$(sed -n 3p "$PKI/device/private_key.pem")"; do
			[ "${#secret}" -ge 11 ] || fail "no secret to look for"
			! grep -aqF -e "$secret" "$file" || fail "a secret is in $file"
		done
	done
}

test_secrets() {
	local ready
	cred=$PKI/key/ec-pkcs8-aes-256-cbc
	export MTLS_LOG=debug MTLS_LOG_FILE=$T/log
	server_use ask
	mkfifo go ready
	exec {ready}<>ready {go}<>go
	MTLS_DIR=$cred LD_PRELOAD=$LIB "$BUILD/tests/process" wait "$port" <&"$go" >&"$ready" 2>err &
	read -rt 10 -u "$ready" _ # what the server saw
	read -rt 10 -u "$ready" _ # ready
	cat "/proc/$!/environ" >environment
	cat "/proc/$!/cmdline" >arguments
	ls -l "/proc/$!/fd" >descriptors
	echo go >&"$go"
	wait $!
	expect_seen subject=CN=device
	! grep -qE 'cred|key/|log' descriptors || fail "open: $(cat descriptors)"
	expect_text environment LD_PRELOAD
	expect_text arguments wait
	expect_text log presented
	nowhere log err environment arguments
	echo xyzzy >pass
	MTLS_CERT=$cred/client_cert.pem MTLS_KEY=$cred/private_key.pem MTLS_KEY_PASS_FILE=$T/pass nothing_sent \
		env "LD_PRELOAD=$LIB" "$BUILD/tests/get" "$port"
	expect_text log reason=passphrase-wrong
	nowhere log err out
	! grep -q xyzzy log err out || fail "told the passphrase"
}

# mtls-run's own arguments and warnings are public too.
test_secrets_of_the_launcher() {
	cred=$PKI/key/ec-pkcs8-aes-256-cbc
	server_use ask
	presented mtls get
	nowhere err out
	cred=$T/cred
	cp -r "$PKI/key/ec-pkcs8-aes-256-cbc" "$cred"
	attempt env MTLS_LOG=debug "$RUN" -vv -d "$cred" cat /proc/self/environ /proc/self/cmdline
	expect_rc 0
	nowhere err out
	cp "$PKI/device-rsa/client_cert.pem" "$cred/"
	attempt "$RUN" -vv -d "$cred" true
	expect_rc 125
	nowhere err out
}
