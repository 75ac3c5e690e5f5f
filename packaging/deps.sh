#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh SET...: installs the Debian packages of these sets that are missing, and says so. Silent where
# nothing is missing. As root or with sudo; otherwise it prints the line to run and exits 2.
# NODEPS=1 skips it (another distribution, packages by other names).
set -eu
[ "${NODEPS:-}" = 1 ] && exit 0

packages() {
	case $1 in
	build) echo gcc libc6-dev make libssl-dev libgnutls28-dev libjson-c-dev libseccomp-dev libp11-kit-dev uthash-dev ;;
	demo) echo curl python3 openssl ca-certificates procps ;;
	check) echo softhsm2 libengine-pkcs11-openssl check libsubunit-dev binutils libnss3-tools curl python3 openssl socat libio-socket-ssl-perl ruby php-cli w3m strace procps libcap2-bin
		echo wget git gnutls-bin ldap-utils lftp aria2 emacs-nox lynx apt musl-tools debian-archive-keyring zsh groff-base systemd ;;
	firmware) echo gcc-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm libslirp-dev debian-archive-keyring bzip2 xz-utils ;;
	check-all) echo valgrind clang libclang-rt-14-dev libpython3.11-testsuite debootstrap python3-requests opensc swtpm tpm2-tools tpm2-openssl libtss2-tcti-swtpm0 e2fsprogs ;;
	oracles) echo openssl libpython3.11-testsuite perl libnet-ssleay-perl libio-socket-ssl-perl ruby debian-archive-keyring xz-utils ;;
	bench) echo torsocks proxychains4 openssl ;;
	*) echo "deps: unknown set $1" >&2; exit 2 ;;
	esac
}

wanted=$(for set in "$@"; do packages "$set"; done)
if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is not Debian; install the counterparts of: $(echo $wanted) - then run make with NODEPS=1" >&2
	exit 2
fi
missing=
for package in $wanted; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
missing=$(echo "$missing" | tr ' ' '\n' | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//')
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
	as_root="sudo"
else
	echo "deps: missing packages; run as root: apt-get install -y --no-install-recommends $missing" >&2
	exit 2
fi
echo "deps: installing with apt: $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for step in "update -q" "install -y -q --no-install-recommends $missing"; do
	# shellcheck disable=SC2086 # words on purpose
	if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get $step >"$log" 2>&1 </dev/null; then
		grep -E '^E:' "$log" | tail -n 3 >&2
		echo "deps: apt-get ${step%% *} failed; run it by hand: apt-get install -y --no-install-recommends $missing" >&2
		exit 2
	fi
done
