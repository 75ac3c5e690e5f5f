# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent as a process: whom it serves, its walls, its manners. Its socket is in 70-agent-socket.sh, its folder as it
# changes in 70-agent-folder.sh, hostile programs in 70-agent-hostile.sh; what programs get from it, tokens and the inbox
# are in 71 and up.

setup() {
	. "$TOP/tests/e2e/agent.sh"
}

# --- signatures ----------------------------------------------------------------------

test_every_scheme() {
	local scheme
	start -d "$cred" --socket s
	asked signed
	asked signed --op digest
	asked signed --op probe
	asked signed --op probe --follows digest
	for scheme in 0403 0503 0603 0303 0203; do
		asked signed --scheme "$scheme" --tls 1.2 --size 60000
		asked signed --scheme "$scheme" --op digest
	done
	asked not-tls --scheme 0503 # in TLS 1.3 a curve has its hash
	asked not-tls --scheme 0804
	asked not-tls --hostile
	asked not-tls --op digest --hostile
	asked other-key --other-key
	asked other-key --op probe --other-key
	finish
	with device-rsa
	for scheme in 0804 0805 0806; do
		asked signed --scheme "$scheme"
		asked signed --scheme "$scheme" --tls 1.2
		asked signed --scheme "$scheme" --op digest
	done
	for scheme in 0401 0501 0601 0301 0201 ff01; do
		asked signed --scheme "$scheme" --tls 1.2
		asked signed --scheme "$scheme" --op digest
		asked not-tls --scheme "$scheme"
	done
	finish
	with device-p384
	asked signed --scheme 0503
	asked not-tls --scheme 0403
	finish
	with device-ed25519
	asked signed --scheme 0807
	asked signed --scheme 0807 --tls 1.2
	asked not-tls --scheme 0403
}

# id-RSASSA-PSS, and curves that are in no pool of certificates
test_other_keys() {
	local arguments scheme
	ask_cert=odd/client_cert.pem
	while read -r scheme arguments; do
		rm -rf odd && mkdir odd
		# shellcheck disable=SC2086
		openssl req -x509 -nodes -newkey $arguments -subj /CN=odd -keyout odd/private_key.pem \
			-out odd/client_cert.pem 2>/dev/null
		start -d odd --socket s
		asked signed --scheme "$scheme" ${scheme:+$([ "$scheme" != 0303 ] || echo --tls 1.2)}
		asked signed --scheme "$scheme" --op digest
		finish
	done <<-END
		0809 rsa-pss
		0603 ec -pkeyopt ec_paramgen_curve:P-521
		0303 ec -pkeyopt ec_paramgen_curve:secp256k1
	END
	openssl req -x509 -nodes -newkey ed448 -subj /CN=odd -keyout odd/private_key.pem -out odd/client_cert.pem
	start -d odd --socket s
	asked signed --scheme 0808
}

test_no_digest() {
	start -d "$cred" --socket s --no-digest
	asked signed
	asked signed --tls 1.2
	asked signed --op probe
	asked no-digests --op digest
	asked no-digests --op probe --follows digest
}

test_nonsense() {
	local size
	start -d "$cred" --socket s
	for size in 1 35 36 37 65572 65573 150000; do
		asked bad-packet --send "$size"
	done
	asked lost --send 0
	asked signed
	expect_text log 'sent what is no question'
}

test_verbose() {
	start -d "$cred" --socket s -v
	asked signed
	expect_text log 'memory: '
	expect_text log "signed for user $(id -u), pid "
	finish
	start -d "$cred" --socket s
	asked signed
	says 'signed for' 0
	says 'memory: ' 0
}

# --- who is served -------------------------------------------------------------------

test_users() {
	as_users
	start -d "$cred" --socket s
	[ "$(stat -c %a s)" = 600 ] || fail "mode $(stat -c %a s)"
	asked signed
	asked_by nobody denied
	finish
	start -d "$cred" --socket s --allow bin --allow 1
	[ "$(stat -c %a s)" = 666 ] || fail "mode $(stat -c %a s)"
	asked signed
	asked_by bin signed
	asked_by daemon signed
	asked_by bin signed --op probe
	asked_by nobody denied
	asked_by nobody denied --op probe
	asked_by nobody denied --op probe --count 3000 # however the packets cross
	expect_text log 'user 65534, pid '
	expect_text log 'is not served: --allow 65534 would do so'
}

# The agent's user is not root: then root is not served either, and trusts it by the folder's owner.
test_users_of_an_agent_that_is_not_root() {
	as_users
	mkdir own
	cp -r "$cred" own/device
	chown -R 65534 own
	start_as nobody -d own/device --socket own/s
	socket=own/s
	asked_by nobody signed
	asked denied
	finish
	start_as nobody -d own/device --socket own/s --allow root --allow bin
	asked signed
	asked_by bin signed
	asked_by daemon denied
}

test_unknown_user() {
	attempt "$AGENT" -d "$cred" --socket s --allow nobody-of-that-name
	expect_rc 125
	one_line err 'mtls-agent: --allow nobody-of-that-name: there is no such user'
	attempt "$AGENT" -d "$cred" --socket s --allow 4294967295
	expect_rc 125
	[ ! -e s ]
}

# --- its walls -----------------------------------------------------------------------

test_walls() {
	start -d "$cred" --socket s
	[ "$(seccomp NoNewPrivs)" = 1 ]
	if [ -n "$(seccomp Seccomp)" ]; then
		until_true 5 has_filters 1
		[ "$(seccomp Seccomp)" = 2 ]
	fi
	grep -q '^Max core file size  *0  *0 ' "/proc/$agent/limits"
	[ "$(seccomp Threads)" = 1 ]
	[ "$(descriptors)" = 5 ] || fail "$(ls -l "/proc/$agent/fd")"
	asked signed --count 300
	asked not-tls --hostile
	[ "$(descriptors)" = 5 ] || fail "$(ls -l "/proc/$agent/fd")"
	[ "$(seccomp VmHWM | tr -dc 0-9)" -lt 65536 ] || fail "$(seccomp VmHWM)"
}

# in_memory WHAT...: how many times each is found in the agent's memory: hexadecimal numbers, in both byte orders
in_memory() {
	python3 - "$agent" "$@" <<-'END'
		import re, sys
		text = b""
		with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as memory:
		    for line in maps:
		        start, end, mode = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
		        if mode[0] == "r":
		            try:
		                memory.seek(int(start, 16))
		                text += memory.read(int(end, 16) - int(start, 16))
		            except (OSError, ValueError, OverflowError):
		                pass
		for what in map(bytes.fromhex, sys.argv[2:]):
		    print(text.count(what) + text.count(what[::-1]))
	END
}

# Of what was read only the private number stays, and that only as long as the key: not the passphrase, not the PEM text.
test_key_memory_is_wiped() {
	local number pass pem found
	require python3
	cp -r "$PKI/key/ec-pkcs8-aes-256-cbc" d
	number=$(openssl pkey -in "$cred/private_key.pem" -text -noout | sed -n '/^priv:/,/^pub:/p' | grep '^ ' | tr -dc 0-9a-f)
	[ ${#number} = 64 ] || number=${number#00}
	pass=$(tr -d '\n' <d/private_key_pass.txt | od -An -tx1 | tr -dc 0-9a-f)
	pem=$(sed -n 2p d/private_key.pem | od -An -tx1 | tr -dc 0-9a-f)
	start -d d --socket s
	asked signed --count 20
	head -c 1 "/proc/$agent/maps" >/dev/null 2>&1 || skip "the agent's memory cannot be read here"
	found=$(in_memory "$number" "$pass" "${pem:0:80}" | xargs)
	[[ $found == [1-9]*' 0 0' ]] || fail "number, passphrase, PEM text: $found"
	rm d/*
	until_true 5 says 'the key is gone' 1
	found=$(in_memory "$number" "$pass" "${pem:0:80}" | xargs)
	[ "$found" = '0 0 0' ] || fail "after the removal: number, passphrase, PEM text: $found"
}

# As in a container that has no filters: it says so, once, and works.
test_without_filters() {
	echo 'int seccomp_load(void *); int seccomp_load(void *ctx) { return ctx ? -22 : -22; }' >none.c
	"${CC:-cc}" -shared -fPIC -o none.so none.c
	mkdir d
	LD_PRELOAD=$T/none.so start -d d --socket s
	cp "$cred"/* d/
	asked signed
	says 'goes on without a system call filter: ' 1
	if [ -n "$(seccomp Seccomp)" ]; then has_filters 0; fi
}

test_closed_to_its_own_user() {
	local file
	as_users
	cp -r "$cred" device
	chown -R 65534 device
	install -d -o 65534 own
	start_as nobody -d device --socket own/s
	for file in environ maps mem auxv syscall; do
		! nobody head -c 1 "/proc/$agent/$file" 2>/dev/null || fail "$file can be read"
	done
	! nobody ls "/proc/$agent/fd" 2>/dev/null || fail 'descriptors can be listed'
	if command -v strace >/dev/null; then
		! nobody timeout 5 strace -p "$agent" 2>/dev/null || fail "it can be traced"
	fi
}

# As with /etc/ld.so.preload: the shim is in the agent too, and does nothing there.
test_the_shim_in_the_agent() {
	LD_PRELOAD=$LIB MTLS_LOG=info start -d "$cred" --socket s
	asked signed
	no_text log mtls-run
	no_text log 'not wiped'
}

# Without the right to lock memory, and with less than the keys' own heap.
test_little_locked_memory() {
	local limit
	as_users
	cp -r "$cred" device
	chown -R 65534 device
	install -d -o 65534 own
	socket=own/s
	for limit in '0 not locked' '8388608 private numbers are locked, the rest is not'; do
		: >log
		(as nobody prlimit "--memlock=${limit%% *}" ./mtls-agent -d device --socket own/s -v) 2>log &
		agent=$!
		started
		asked_by nobody signed
		expect_text log "memory: ${limit#* }"
		finish
	done
}

test_closed_standard_files() {
	"$AGENT" -d "$cred" --socket s <&- >&- 2>&- &
	agent=$!
	until_true 5 [ -S s ]
	asked signed
	[ "$(readlink "/proc/$agent/fd/2")" = /dev/null ]
}

# Nobody reads its standard error, and what could be written is full: nothing of that matters.
test_nobody_listens_to_it() {
	mkfifo err
	exec {fd}<>err
	"$AGENT" -d "$cred" --socket s -v 2>err &
	agent=$!
	until_true 5 [ -S s ]
	asked signed --count 1200 # each says a line
	asked signed
	kill -TERM "$agent"
	wait "$agent"
	prlimit --fsize=0 "$AGENT" -d "$cred" --socket s 2>file &
	agent=$!
	until_true 5 [ -S s ]
	asked signed
	[ ! -s file ]
}

test_stopped() {
	start -d "$cred" --socket s
	kill -STOP "$agent"
	asked slow --op probe
	asked slow
	kill -CONT "$agent"
	asked signed
}

test_signals() {
	start -d "$cred" --socket s
	kill -INT "$agent"
	wait "$agent" || fail "exit $?"
	[ ! -e s ]
}

# --- manners -------------------------------------------------------------------------

test_help_and_version() {
	attempt "$AGENT" --help
	expect_rc 0
	[ ! -s err ]
	[ "$(wc -l <out)" -le 24 ]
	! grep '.\{81\}' out || fail 'a line is too long'
	attempt "$AGENT" --version
	expect_rc 0
	[ "$(cat out)" = "mtls-agent $("$CRED" --version | cut -d ' ' -f 2)" ]
	for option in --help --version; do
		attempt sh -c '"$1" "$2" >/dev/full' sh "$AGENT" "$option"
		expect_rc 125
	done
}

test_usage() {
	local arguments
	while read -r arguments; do
		# shellcheck disable=SC2086
		attempt "$AGENT" $arguments
		expect_rc 125
		one_line err 'mtls-agent: '
		one_line err 'see mtls-agent --help'
	done <<-END
		--nothing
		-x
		-vx
		--dir
		-d
		--socket
		--allow
		--ingest
		argument
		-v -- argument
	END
	attempt "$AGENT" -d "$cred" --dir ''
	expect_rc 125
	one_line err '--dir: no name is given'
}
