# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What programs do to objects and sessions, for sanitized.sh and valgrind.sh, which say in $checked how a client is run so
# that nothing may be reported. Servers: optional, tickets1.2 and tickets1.3.

theirs=("$PKI/app-own/client_cert.pem" "$PKI/app-own/private_key.pem")

again_servers() {
	server_start optional --request optional --no-tickets
	server_start tickets1.2 --request optional --tls 1.2
	server_start tickets1.3 --request optional --tls 1.3
}

# among the lines since server_use
device_seen() {
	tail -n "+$((mark + 1))" "$seen" | grep 'subject="CN=device".* chain=2 .*verify=ok .*result=ok'
}

# used_again PROBE SCENARIO...: of reuse and gnutls_reuse
used_again() {
	local probe=$1 scenario cred
	shift
	for scenario; do
		echo "$scenario"
		server_use optional
		cred=$T/$scenario # which some of them empty
		cp -r "$PKI/device" "$cred"
		"${checked[@]}" "$probes/$probe" "$scenario" "$port" "${theirs[@]}" "$cred"
		until_true 5 device_seen || fail "$scenario: not presented"
	done
}

# Sessions that are offered, dropped, copied and restored, in both versions and on one connection object.
test_sessions() {
	local version how
	for version in 1.2 1.3; do
		echo $version
		server_use "tickets$version"
		cred=$T/$version
		cp -r "$PKI/device" "$cred"
		for how in der pem file dup; do
			"${checked[@]}" "$probes/resume" "$port" connect keep:0 $how:0 offer:0 connect connect:late
		done
		"${checked[@]}" "$probes/resume" "$port" open ask again ask close keep:0 "write:0:$T/session" \
			"run:rm $cred/*pass*; cp $PKI/device-rsa/* $cred/" offer:0 connect "read:1:$T/session" offer:1 connect:do
	done
}
