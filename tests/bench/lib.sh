# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What both benches begin with: the build folder, a clean environment, a temporary folder and a PKI in it.
set -euo pipefail
# shellcheck disable=SC2034 # for those that source it
build=${BUILD:-build}
unset "${!MTLS_@}" LD_PRELOAD MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C

die() {
	echo "bench: $*" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pki=$work/pki
tests/helpers/pki.sh "$pki"

# shown WORD...: for the reader, who may paste it; WORK is a temporary folder
shown() {
	printf '$ '
	printf '%q ' "${@//$work/WORK}" | sed "s,$PWD/,,g"
	echo
}
