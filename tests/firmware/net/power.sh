# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Power cuts: the device is killed (SIGKILL) somewhere in an upload, in the boot that carries it out, or in the boot after
# that. At the next boot the old credential or the new one is at work, as a server sees it, and nothing of what was
# uploaded is in the flash in the clear. tests/e2e/run tests/firmware/net/power.sh; BOARD and DEVICE as in device.sh.
#
# KILLS says how often: 20 on the host, 10 on each board in QEMU, 50 there with LONG=1. SEED repeats the moments, as far as the
# machine does; it is in the message of a failure. Every flash operation, one by one, is for tests/firmware/vault/.

board=${BOARD:-host}
tool=${DEVICE:-$BUILD/mtls-device}
deadline=300
if [ "$board" = host ]; then
	kills=${KILLS:-20}
else
	kills=${KILLS:-${LONG:+50}}
	kills=${kills:-10}
fi

setup() {
	server_start optional --request optional
	mkdir "$W/first" "$W/second"
	cp "$PKI"/key/ec-pkcs8-aes-256-cbc/* "$W/first/"
	cp "$PKI/ca.pem" "$W/first/ca_certs.pem"
	cp "$PKI"/key/rsa-pkcs8-aes-256-cbc/* "$W/second/"
	mkfifo "$W/never"
	exec {never}<>"$W/never"
}

device() {
	"$tool" --board "$board" --image "$T/image" "$@"
}

# in_the_clear FILE...: what of the two credentials can be found in them, a word for each. Their numbers as bytes, in
# either order; the base64 of the keys as PEM, as they were uploaded and without encryption.
in_the_clear() {
	python3 - "$PKI" "$@" <<'PYTHON'
import re, subprocess, sys

pki, files = sys.argv[1], sys.argv[2:]
needles = {"PEM": [b"-----BEGIN"], "passphrase": [b"open sesame"], "number": [], "base64": []}
for device, key in (("device", "ec-sec1"), ("device-rsa", "rsa-pkcs1")):
    text = subprocess.run(["openssl", "pkey", "-in", f"{pki}/{device}/private_key.pem", "-noout", "-text"],
                          check=True, capture_output=True, text=True).stdout
    for name, value in re.findall(r"^(\w+):(?: *\n)((?: +[0-9a-f:]+\n)+)", text, re.M):
        if name not in ("pub", "modulus"):
            number = bytes.fromhex(re.sub(r"[\s:]", "", value)).lstrip(b"\0")
            needles["number"] += [number, number[::-1]]
    kind = key.split("-")[0]
    for pem in f"{device}", f"key/{key}", f"key/{kind}-pkcs8", f"key/{kind}-pkcs8-aes-256-cbc":
        lines = open(f"{pki}/{pem}/private_key.pem", "rb").read().splitlines()
        needles["base64"] += [line for line in lines if len(line) >= 40 and b"-" not in line]
assert len(needles["number"]) == 2 * (1 + 6) and min(map(len, needles["number"])) >= 30

UNIT = 1 << 16
data = b""
for name in files:
    with open(name, "rb") as file:
        while unit := file.read(UNIT):
            if unit.strip(b"\xff"): # what is blank is passed over
                data += unit
found = {kind: sum(needle in data for needle in some) for kind, some in needles.items()}
print(*(kind for kind, n in found.items() if n))
if len(files) > 1: # the control: nothing may be missed
    sys.exit(any(found[kind] < len(some) // (1 + (kind == "number")) for kind, some in needles.items()))
PYTHON
}

milliseconds() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# took CMD...: sets $ms
took() {
	local start
	start=$(milliseconds)
	"$@" >"$T/took" 2>&1 || fail "$*: $(tail -n 1 "$T/took")"
	ms=$(($(milliseconds) - start))
}

# The device that the process $1 has switched on: sets $child.
child_of() {
	child=''
	read -r child _ 2>/dev/null <"/proc/$1/task/$1/children" || [ -n "$child" ]
}

# cut MS VERB...: the verb's device loses its power after so long, or as soon as it has some; sets $hit, $rc, $T/err
cut() {
	local pid pause=$1
	shift
	hit='' rc=0
	printf -v pause '%d.%03d' $((pause / 1000)) $((pause % 1000))
	"$tool" --board "$board" --image "$T/image" "$@" >"$T/out" 2>"$T/err" &
	pid=$!
	read -rt "$pause" -u "$never" _ || true
	until child_of $pid || ! kill -0 $pid 2>/dev/null || [ "$(ps -o stat= -p $pid)" = Z ]; do
		:
	done
	[ -z "$child" ] || ! kill -KILL "$child" 2>/dev/null || hit=yes
	wait $pid || rc=$?
}

# The credential at work, as the server sees it: sets $subject, "" where there is none.
at_work() {
	attempt device get "https://localhost:$port/"
	if [ "$rc" = 1 ] && [ "$step" = first ] && grep -qF 'ca_certs.pem' "$T/err"; then
		expect_none # as new: it knows no server
		subject=
		return
	fi
	expect_rc 0
	expect_seen result=ok
	subject=$(value_of subject "$(tail -n 1 "$seen")")
	[ -z "$subject" ] || expect_line "$(tail -n 1 "$seen")" chain=2 verify=ok
}

clean() {
	local what
	what=$(in_the_clear "$T/image")
	[ -z "$what" ] || fail "kill $n, $step, seed $seed: after a boot there is in the image: $what"
}

# --- the steps: each begins where the one before has ended ----------------------------------------

begin_first() {
	old='' new=CN=device verb=(upload "$W/first")
	rm -f "$T/image" "$T/image.otp"
	device status >/dev/null # makes the image
}

begin_second() {
	old=CN=device new=CN=device-rsa verb=(upload "$W/second")
}

begin_removal() {
	old=CN=device-rsa new='' verb=(remove)
}

declare -A duration phase

measure() {
	for step in first second removal; do
		"begin_$step"
		took device "${verb[@]}"
		duration[$step]=$ms
		at_work
		[ "$subject" = "$new" ] || fail "$step, uncut: the server saw '$subject'"
		clean
	done
	took device status
	duration[boot]=$ms
	echo "ms uncut: first ${duration[first]}, second ${duration[second]}, removal ${duration[removal]}, boot ${duration[boot]}"
}

# draw STEP: the next moment in it, sets $moment. From a random one on each is 0.618 of it later, around and around:
# however many there are, they are spread over all of it.
draw() {
	drawn=$1
	phase[$1]=$(((${phase[$1]-$RANDOM} + 618) % 1000))
	moment=$((duration[$1] * phase[$1] / 1000))
}

# One that came when the verb was done already is none; so the verb takes less time than was thought, as on a machine
# that was busy when it was measured.
count_kill() {
	if [ "$rc" = 0 ]; then
		late=$((late + 1))
		[ "$moment" -lt 4 ] || duration[$drawn]=$moment
		return
	fi
	[ -n "$hit" ] || fail "$where, seed $seed: not killed, and failed: $(cat "$T/err")"
	n=$((n + 1))
}

# Every fourth cut is followed by one in the next boot, which is the one that carries out what was committed.
cut_once() {
	local where=$step may_be_old=
	tries=$((tries + 1))
	draw "$step"
	cut "$moment" "${verb[@]}"
	where="$step at $moment ms"
	count_kill
	if [ "$rc" != 0 ]; then
		may_be_old=yes
		[ -z "$(in_the_clear "$T/image")" ] || exposed=$((exposed + 1))
		if [ $((tries % 4)) = 0 ] && [ "$n" -lt "$kills" ]; then
			draw boot
			cut "$moment" status
			where="$where, the boot after it at $moment ms"
			count_kill
		fi
	fi
	at_work
	clean
	echo "kill $n: $where: '$subject'"
	[ "$subject" = "$new" ] || { [ -n "$may_be_old" ] && [ "$subject" = "$old" ]; } ||
		fail "kill $n, $where, seed $seed: before '$old', uploaded '$new', the server saw '$subject'"
}

test_power_cuts() {
	local n=0 tries=0 late=0 exposed=0 hit child ms moment drawn subject step old new verb
	seed=${SEED:-$RANDOM}
	server_use optional
	measure
	RANDOM=$seed
	while [ "$n" -lt "$kills" ]; do
		for step in first second removal; do
			"begin_$step"
			[ "$n" -ge "$kills" ] || cut_once
			[ "$subject" = "$new" ] || device "${verb[@]}" >/dev/null || fail "$step cannot be finished, seed $seed"
			subject=$new
		done
		[ "$late" -le $((2 * kills + 10)) ] || fail "the device is too quick to be killed"
	done
	echo "seed $seed: $n kills, $exposed left something in the clear until the next boot; $late came too late"
}

# What test_power_cuts does not find would be found: in files, and in an image before the boot that
# erases it, whether the upload was committed or not.
test_power_search() {
	local last step=search n=0 seed=0
	openssl pkey -in "$PKI/device/private_key.pem" -outform DER -out ec.der
	openssl pkey -in "$PKI/device-rsa/private_key.pem" -outform DER -out rsa.der
	[ "$(in_the_clear ec.der rsa.der "$PKI"/device*/private_key.pem "$PKI"/key/*/private_key{,_pass}.* || echo missed)" = \
		'PEM passphrase number base64' ] || fail "something is missed"
	for last in '' commit; do
		{
			upload_line private_key.pem "$W/first/private_key.pem"
			upload_line private_key_pass.txt "$W/first/private_key_pass.txt"
			echo $last
		} | device console >said
		[[ $(in_the_clear image) == PEM*base64 ]] || fail "the inbox: $(in_the_clear image); $(cat said)"
		attempt device status
		clean
	done
	expect_text "$T/out" certificate-missing
}

upload_line() {
	printf 'upload %s %d %s\n' "$1" "$(wc -c <"$2")" \
		"$(python3 -c 'import sys, zlib; print("%08x" % zlib.crc32(open(sys.argv[1], "rb").read()))' "$2")"
	cat "$2"
}
