#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# compatibility.sh [FILE]: writes docs/COMPATIBILITY.md (or FILE) from what tests have recorded: results.tsv and versions.tsv
# (record.sh), ../explain/programs.tsv (tests/explain/record.sh) and ../oracles/table.md (make oracles). Nothing in it is
# written by hand but the sentences between the tables.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here"
out=${1:-$here/../../docs/COMPATIBILITY.md}
table() { grep -v '^#' "$1"; }

version() { # WHAT
	table versions.tsv | awk -F'\t' -v what="$1" '$1 == what { print $2 }'
}

# result TEST: ok, skip, or nothing where it was not run
result() {
	table results.tsv | awk -F'\t' -v test="$1" '$1 == test { print $2 }'
}

# sum PATTERN: of the tests that it fits, "N tests" or "N of M tests" where some were skipped
sum() {
	table results.tsv | awk -F'\t' -v pattern="$1" '
		$1 ~ pattern { all++; ok += $2 == "ok" }
		END { print (ok == all ? all : ok " of " all) " " (all == 1 ? "test" : "tests") }'
}

releases() {
	local suite client cells word
	echo '| Debian | glibc | OpenSSL | GnuTLS | curl | wget | git | Python | Perl |'
	echo '|---|---|---|---|---|---|---|---|---|'
	for suite in bullseye bookworm trixie sid; do
		[ -n "$(version "$suite")" ] || continue
		cells=
		for client in curl wget git python perl; do
			word=$(result "distributions/${suite}_$client")
			[ "$word" = ok ] && word=$(version "$suite ${client/%python/python3}") || word='not tried'
			cells+=" $word |"
		done
		echo "| $(version "$suite") | $(version "$suite glibc") | $(version "$suite OpenSSL") | $(version "$suite GnuTLS") |$cells"
	done
}

servers() {
	local name title pattern
	while IFS='|' read -r name title pattern; do
		[ -z "$(version "$name")" ] || echo "| $title | $(version "$name") | $(sum "$pattern") |"
	done <<-'END'
		nginx|nginx|^36-nginx/
		apache|Apache httpd, also renegotiation and requests after the handshake|^servers/apache_
		postgresql|PostgreSQL|^servers/postgresql
		openldap|OpenLDAP, also STARTTLS|^servers/openldap
		mosquitto|mosquitto|^servers/mosquitto
		postfix|Postfix, STARTTLS|^servers/postfix
	END
}

# names LIBRARY: the programs that present the certificate by it, sorted
names() {
	table ../explain/programs.tsv | awk -F'\t' -v library="$1" '$5 == library && $6 == "yes" { sub(/.*\//, "", $1); print "`" $1 "`" }' |
		sort -f | paste -sd, | sed 's/,/, /g'
}

count() { # COLUMN PATTERN
	table ../explain/programs.tsv | awk -F'\t' -v column="$1" -v pattern="$2" '$column ~ pattern { n++ } END { print n + 0 }'
}

# out_of_reach: a row for each program with TLS that does not present it
out_of_reach() {
	table ../explain/programs.tsv | awk -F'\t' '
		$3 != "covered" && $3 != "unknown" && $6 != "yes" || $6 == "no" {
			library = $4
			gsub(/[+]/, "", library)
			gsub(/-/, "", library)
			why = "this library is not covered"
			if ($8 ~ / # no: /) { why = $8; sub(/.* # no: /, "", why) }
			else if ($5 == "inside" || library ~ /^(Go|rustls|Java)$/) why = "TLS is inside the program"
			if ($8 ~ /^-/) why = why "; not run: it " substr($8, 2)
			sub(/.*\//, "", $1)
			print "| `" $1 "` | " library " | " $3 " | " why " |"
		}' | sort -f
}

not_run() {
	table ../explain/programs.tsv | awk -F'\t' '$3 == "covered" && $5 == "-" { sub(/.*\//, "", $1); print "| `" $1 "` | " substr($8, 2) " |" }' | sort -f
}

oracles() {
	awk '/^\| suite/ || /^\|---/ || (/^\| / && seen) { seen = 1; print }' ../oracles/table.md | cut -d'|' -f1-6 | sed 's/$/|/'
}

cat >"$out" <<EOF
# Compatibility

<!-- Written by tests/docs/compatibility.sh from what the tests have recorded; do not edit. -->
What tests have seen, on x86-64. Programs and servers are as their distribution or project made them, and what counts is what the
server saw.

## Distributions

The same \`libmtls-run.so\` and \`mtls-run\`, byte for byte, built on Debian 12. A version means: without us the server
refuses this client, with us it sees the certificate and its chain.

$(releases)

\`mtls-cred\` needs the libc and libcrypto of Debian 12 or newer; where it cannot start, \`mtls-run\` checks what it can and says so. The
library needs glibc 2.17 or newer and loads into programs of musl ($(version musl): $(sum ^41-musl/)); TLS libraries for musl were not tried. OpenSSL
$(version openssl-1.1.1) on Debian 12, alone and beside OpenSSL 3: $(sum ^40-openssl11/).

## Servers

| server | version | passed |
|---|---|---|
$(servers)

## Programs

$(count 1 .) programs of Debian 12 were looked at by \`mtls-run --explain\`, and $(count 5 '[^-]') of them run against a server that asks, with a probe
that noted which TLS library they call. $(count 6 yes) present the certificate:

- by OpenSSL: $(names OpenSSL)
- by GnuTLS: $(names GnuTLS)

These have TLS and do not present it:

| program | TLS | \`--explain\` says | why |
|---|---|---|---|
$(out_of_reach)

These count as covered, and were not run:

| program | why not |
|---|---|
$(not_run)

The other $(count 3 unknown) have no TLS. \`--explain\` named every library that a program was seen to call: for $(count 7 exact) programs exactly those, for
$(count 7 more) more than the run has used, for none fewer.

## Other projects' own tests

Run without the library, with it and no credential, and with a credential that their servers do not trust (ok / skipped / failed). The
differences are explained one by one in [the whole table](../tests/oracles/table.md): tests whose server asks, and expects a client that has no certificate.

$(oracles)

How these are made anew: \`tests/docs/record.sh\`, \`tests/explain/record.sh\`, \`make oracles\`.
EOF
