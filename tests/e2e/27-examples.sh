# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The examples that need nothing big, as their READMEs tell people to run them; the others are in tests/all/examples.sh.

# shellcheck source=tests/e2e/examples.sh
. tests/e2e/examples.sh

# --- a C program of OpenSSL 1.0 and 1.1's days ------------------------------------------

legacy_c() {
	works prepare
	ldd client | grep -q "libssl.so.$1 " || fail "not linked with it: $(ldd client)"
	served_with_us
	SSL_CERT_FILE=server.pem stranger ./client localhost "$port"
	the_end
}

test_legacy_c_openssl_3() {
	example legacy-c
	legacy_c 3
}

# The same command lines: the compiler and the loader are told of the other library by their variables.
test_legacy_c_openssl_1_1_1() {
	local old status=0
	old=$(debian openssl-1.1.1 2>"$T/why_not") || status=$?
	[ $status != 77 ] || skip "$(cat "$T/why_not")"
	[ $status = 0 ] || fail "$(cat "$T/why_not")"
	export CPATH=$old/include LIBRARY_PATH=$old/lib LD_RUN_PATH=$old/lib
	example legacy-c
	legacy_c 1.1
}

# --- an agent --------------------------------------------------------------------------------

# The README's users are other people to us: they must be able to reach our folder, and our programs are where they are not.
test_agent() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	chmod go+x "$WORK" "$W" "$T"
	example agent
	mkdir "$T/bin"
	install -m 755 "$RUN" "$CRED" "$LIB" "$BUILD/mtls-agent" "$T/bin/"
	PATH=$T/bin:$PATH
	setpriv --reuid nobody --regid nogroup --clear-groups mtls-cred --version >said || skip "another user cannot look into $T"
	works prepare
	serve listening
	serve agent_there agent
	next_block text
	shown "$taken" "$T/agent.said"
	fails hidden
	fails refused
	said 'peer did not return a certificate'
	! server_said device-7 || fail "the server saw us"
	works served
	said device-7
	next_block text.agent
	shown "$taken" "$T/agent.said"
	: >"$T/server.said"
	fails stranger
	said 'peer did not return a certificate'
	! server_said device-7 || fail "the stranger was let in"
	works check
	the_end
}

agent_there() {
	grep -q 'signs for' "$T/agent.said"
}

# --- a systemd unit -----------------------------------------------------------------------

# unit_start FILE...: what systemd does to start a unit with its drop-ins. In the credentials' folder only the service's user
# may read, and nobody write; the environment is none but the unit's, where the last value counts; ${NAME} in the command
# is replaced. What the unit has in /etc/mtls the test has in $PKI/device.
unit_start() {
	local line id status=0 folder=$T/credentials environment=()
	mkdir "$folder"
	while IFS=: read -r id line; do
		install -m 400 "$PKI/device/${line#/etc/mtls/}" "$folder/$id"
	done < <(sed -n 's/^LoadCredential=//p' "$@")
	chmod 500 "$folder"
	mapfile -t environment < <(sed -n 's/^Environment=//p' "$@")
	line=$(sed -n 's/^ExecStart=//p' "$@")
	env -i PATH=/usr/bin "CREDENTIALS_DIRECTORY=$folder" "${environment[@]}" sh -c "exec $line" || status=$?
	chmod 700 "$folder"
	rm -r "$folder"
	return $status
}

# The other file's lines come last, as a drop-in's do.
test_systemd() {
	server_start required --request required
	example systemd
	cat >trial.conf <<-CONF
		[Service]
		Environment=COLLECTOR=https://localhost:${server_port[required]}/
		Environment=MTLS_HOSTS=localhost
		Environment=CURL_CA_BUNDLE=$PKI/ca.pem
		Environment=MTLS_LOG=info
	CONF
	grep -v '^Environment=LD_PRELOAD=' heartbeat.service >without.service
	refused unit_start without.service trial.conf
	echo "Environment=LD_PRELOAD=$LIB" >>trial.conf
	presented unit_start heartbeat.service trial.conf
	expect_text "$T/err" ' presented '
	grep -v '^LoadCredential=private_key.pem:' heartbeat.service >keyless.service
	refused unit_start keyless.service trial.conf
	expect_text "$T/err" 'reason=key-missing'
	grep -v '^LoadCredential=' heartbeat.service >bare.service
	refused unit_start bare.service trial.conf
	expect_text "$T/err" 'reason=no-credential'
	sed -i '/MTLS_HOSTS/d' trial.conf # the unit's own: the collector and nobody else
	refused unit_start heartbeat.service trial.conf
	expect_text "$T/err" 'reason=host-not-listed'
}

test_systemd_understands_it() {
	example systemd
	command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
	works verify
	[ -z "$(cat "$T/out" "$T/err")" ] || fail "it says: $(cat "$T/out" "$T/err")"
	the_end
}

# --- all of them ----------------------------------------------------------------------------

# An example that the index forgets, or that no test runs.
test_each_is_listed_and_run() {
	local folder name
	for folder in "$TOP"/examples/*/; do
		name=$(basename "$folder")
		[ -s "$folder/README.md" ] || fail "$name has no README.md"
		expect_text "$TOP/examples/README.md" "[$name]($name/README.md)"
		grep -qx "	example $name" "$TOP"/tests/{e2e/27-,all/}examples.sh || fail "no test runs $name"
	done
}

# What the others show is worth nothing where they know of a certificate of their own.
test_none_has_a_certificate_of_its_own() {
	local file
	for file in mqtt/publisher.c legacy-c/client.c python-requests/fetch.py go/before.go systemd/heartbeat.service; do
		[ -s "$TOP/examples/$file" ] || fail "$file is not there"
		! grep -iE 'use_certificate|use_PrivateKey|LoadX509|cert=|--cert|--key' "$TOP/examples/$file" || fail "$file has one"
	done
	[ "$(wc -l <"$TOP/examples/mqtt/publisher.c")" -lt 60 ] || fail "the publisher is not under 60 lines"
	grep -q 'mosquitto_tls_set(m, argv\[3\], NULL, NULL, NULL, NULL)' "$TOP/examples/mqtt/publisher.c"
}
