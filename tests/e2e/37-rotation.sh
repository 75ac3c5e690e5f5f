# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Section 1 of the contract, Generations, in processes that stay: the credential changes under 8 threads, is torn, broken,
# removed, and comes back, in each way that files are changed. tests/all/rotation.sh has the many handshakes.

# shellcheck source=tests/e2e/rotation.sh
. tests/e2e/rotation.sh

parallel=2

for way in rename links place emptied; do
	eval "test_$way() { rotation rotation $way 600; }"
	eval "test_gnutls_$way() { rotation gnutls_rotation $way 200; }"
done

# --- one state after the other, one process of each library ----------------------------------------

both=(openssl gnutls)

# sources: what is no good credential, and none
sources() {
	mkdir torn broken gone nothing
	cp "$B/client_cert.pem" torn
	cp "$A"/private_key* torn
	cp "$B/client_cert.pem" broken
	head -n 3 "$B/private_key.pem" >broken/private_key.pem
	: >gone/client_cert.pem
	: >gone/private_key.pem
}

processes() {
	export MTLS_LOG=info
	folder "$1"
	sources
	server_start both --no-tickets --request optional
	put "$1" "$A"
	process openssl rotation
	process gnutls gnutls_rotation
}

# now_is WAY SOURCE ANSWER WORD: at the next request, and both say why
now_is() {
	local each
	put "$1" "$2"
	for each in "${both[@]}"; do
		answers "$each" one "$3"
		expect_line "$(tail -n 1 "$each.log")" "reason=$4"
	done
}

# stays WAY SOURCE WORD: for a second, under all threads, what there was goes on; why is told once
stays() {
	local each end
	now_is "$1" "$2" device presented
	end=$((${EPOCHREALTIME/./} + 1000000))
	while [ "${EPOCHREALTIME/./}" -lt $end ]; do
		for each in "${both[@]}"; do
			answers "$each" run 16 'n=16 failed=0 none=0 device=16'
		done
	done
	for each in "${both[@]}"; do
		[ "$(grep -c " broken reason=$3 " "$each.log")" = 1 ] || fail "$each does not say $3 once: $(grep broken "$each.log")"
	done
}

last_usable_stays() {
	local way=$1
	processes "$way"
	now_is "$way" "$A" device presented
	stays "$way" torn pair-mismatch
	stays "$way" broken key-malformed
	now_is "$way" "$B" device-rsa presented
}

# What was removed does not come back with a state that cannot be used.
removed() {
	local way=$1
	processes "$way"
	now_is "$way" "$A" device presented
	now_is "$way" gone none removed
	now_is "$way" torn none pair-mismatch
	now_is "$way" "$B" device-rsa presented
	now_is "$way" nothing none no-credential
	now_is "$way" broken none key-malformed
	now_is "$way" "$A" device presented
}

for way in rename links place; do
	eval "test_${way}_last_usable_stays() { last_usable_stays $way; }"
	eval "test_${way}_removed() { removed $way; }"
done
