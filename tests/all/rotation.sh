# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The many handshakes of e2e/37-rotation.sh: 10,000 of one OpenSSL process and 2,000 of a GnuTLS one, 8 threads each,
# while the credential changes 50 times a second, in each way.

# shellcheck source=tests/e2e/rotation.sh
. tests/e2e/rotation.sh

deadline=400 # half a minute each where nothing else runs
patience=300
pace=30

for way in rename links place emptied; do
	eval "test_$way() { rotation rotation $way 10000; }"
	eval "test_gnutls_$way() { rotation gnutls_rotation $way 2000; }"
done
