# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# mtls-agent --ingest, the long part: a kill and a fault at each of its system calls in turn, and a disk that is searched
# for the key afterwards. Everything else: tests/e2e/71-ingest.sh.

# shellcheck source=tests/e2e/ingest.sh
. "$TOP/tests/e2e/ingest.sh"

deadline=600
parallel=2

# --- each system call --------------------------------------------------------------------

# calls: "NAME N" of each system call from the inbox's opening on, the Nth of its name
calls() {
	sed -n 's/^\([a-z0-9_]*\)(\(.*\)/\1 \2/p' trace | awk '
		{ n[$1]++ }
		/^open(at)? .*"in", .*O_DIRECTORY/ { on = 1 }
		on && $1 != "exit_group" { print $1, n[$1] }'
}

prepare() {
	rm -rf d
	[ ! -e before ] || cp -a before d
	inbox "$PKI/key/ec-pkcs8-aes-256-cbc"
	echo 'hosts = *.example' >in/$conf
}

in_force() { cat "$1/$cert" "$1/$key" "$1/$pass" "$1/$conf" 2>/dev/null | sha256sum; }

# at_each HOW: strace's word for what happens at each call. Whole in one place or in both; and then in one.
at_each() {
	local call n now new old list count=0
	prepare
	new=$(in_force in)
	old=$(in_force d)
	strace -o trace "$probes/ingest" in d 2>err || fail "$(<err)"
	list=$(calls)
	while read -r call n; do
		prepare
		attempt strace -o trace -e trace=none -e "inject=$call:$1:when=$n" "$probes/ingest" in d
		now=$(in_force d)
		[ "$now" = "$new" ] || [ "$(in_force in)" = "$new" ] || fail "lost at $call $n"
		[ "$now" = "$new" ] || [ "$now" = "$old" ] || fail "torn at $call $n: $(ls -lAR d)"
		[ -z "$(find in d -name "*$key*" -type f -perm /077 2>/dev/null)" ] || fail "open to others at $call $n"
		ingest
		expect_rc 0
		expect_inbox_clear
		[ "$(in_force d)" = "$new" ] || fail "not finished after $call $n"
		[ "$(find d -type f | wc -l)" = 4 ] || fail "left behind after $call $n: $(find d)"
		count=$((count + 1))
	done <<<"$list"
	[ $count -ge 100 ] || fail "only $count calls: $list"
	echo "$count calls"
}

another() {
	inbox "$PKI/device-rsa"
	echo 'issuer = match' >in/$conf
	moved "$PKI/device-rsa"
	mv d before
}

test_a_kill_at_each_system_call() { at_each signal=KILL; }
test_a_kill_at_each_system_call_over_another() { another; at_each signal=KILL; }
test_a_fault_at_each_system_call() { at_each error=EIO; }
test_a_full_disk_at_each_system_call_over_another() { another; at_each error=ENOSPC; }

# --- what is left on the disk --------------------------------------------------------------

# search FILE KEY: what of the key is in the file: lines of its PEM, its private number in both byte orders
search() {
	python3 - "$@" <<-'PYTHON'
		import re, subprocess, sys
		image = open(sys.argv[1], 'rb').read()
		lines = [x for x in open(sys.argv[2], 'rb').read().split(b'\n') if len(x) >= 40 and b'-' not in x]
		pkey = ['openssl', 'pkey', '-noout', '-text', '-passin', 'pass:open sesame', '-in', sys.argv[2]]
		text = subprocess.run(pkey, capture_output=True, text=True, check=True).stdout
		number = bytes.fromhex(re.sub(r'[\s:]', '', re.search(r'(?:priv|privateExponent):\s*((?:\s+[0-9a-f:]+)+)', text).group(1)))
		number = number.lstrip(b'\0')
		assert lines and len(number) >= 31
		needles = [('PEM', x) for x in lines] + [('number', number), ('number backwards', number[::-1])]
		print(*(f'{name} at {image.find(x)}\n' for name, x in needles if x in image), sep='', end='')
	PYTHON
}

# image MKFS-OPTION...: a file system of its own, in disk
image() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	truncate -s 16M disk
	mkfs.ext4 -q -F "$@" disk 2>log || fail "mkfs: $(<log)"
	mkdir -p here
	unshare -m mount -o loop disk here 2>log || skip "loop mounts cannot be had: $(<log)"
}

# mounted MOUNT-OPTIONS CMD...: CMD with the file system at here, which is unmounted whatever happens
mounted() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -o "loop$0" disk here || exit 99; "$@"; status=$?; umount here || exit 98; exit $status' \
		"${1:+,$1}" "${@:2}"
}

# on_disk MOUNT-OPTIONS KEY-FOLDER: the key was there before; what of it is there after the ingest is in found
on_disk() {
	inbox "$2"
	mounted "$1" cp -a in here/
	search disk "$2/$key" >found
	grep -q PEM found || fail "the search does not find the key where it is"
	attempt mounted "$1" "$probes/ingest" here/in d
	expect_rc 0
	mounted "$1" ls -A here/in >found
	[ "$(<found)" = $'.hidden\nnotes' ] || fail "in the inbox: $(<found)"
	expect_there "$2"
	search disk "$2/$key" >found
}

expect_nothing() { [ ! -s found ] || fail "still on the disk: $(<found)"; }

test_searched_ext4() {
	local folder
	for folder in device device-rsa device-ed25519 key/ec-pkcs8-aes-256-cbc; do
		image
		on_disk '' "$PKI/$folder"
		expect_nothing
		rm -rf d
	done
}

test_searched_ext4_without_a_journal() {
	image -O ^has_journal
	on_disk '' "$PKI/device"
	expect_nothing
}

# The journal keeps what went through it: the manual says so, and this is why.
test_searched_ext4_with_data_in_the_journal() {
	image
	on_disk data=journal "$PKI/device"
	[ -s found ] || fail "nothing is found: the manual may promise more"
}

# The key of before goes from the agent's folder, too.
test_searched_the_agents_folder() {
	image
	inbox "$PKI/device"
	mounted '' "$probes/ingest" in here/d 2>log || fail "$(<log)"
	search disk "$PKI/device/$key" >found
	grep -q PEM found || fail "the search does not find the key where it is"
	inbox "$PKI/device-rsa"
	mounted '' "$probes/ingest" in here/d 2>log || fail "$(<log)"
	search disk "$PKI/device/$key" >found
	expect_nothing
	search disk "$PKI/device-rsa/$key" >found
	grep -q PEM found || fail "the new key is not there"
}
