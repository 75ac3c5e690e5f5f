/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS that a file carries inside, told by the constants that every implementation
 * must have: the strings of RFC 8446 and RFC 5246 and, for whose it is, its own names.
 */
#ifndef MTLS_LAUNCHER_RUN_FINGERPRINT_H
#define MTLS_LAUNCHER_RUN_FINGERPRINT_H

#include <stdbool.h>

enum flavour {
	FLAVOUR_NONE, /* no TLS inside */
	FLAVOUR_GO,
	FLAVOUR_RUSTLS,
	FLAVOUR_BORINGSSL,
	FLAVOUR_OPENSSL,
	FLAVOUR_WOLFSSL,
	FLAVOUR_MBEDTLS,
	FLAVOUR_UNKNOWN, /* TLS, but whose cannot be told */
};

enum fingerprint_effort {
	FINGERPRINT_QUICK, /* before each start: TLS 1.3 only; 64 MiB at most */
	FINGERPRINT_FULL,  /* for --explain: TLS 1.2 too; 1 GiB at most */
};

/*
 * Of the ELF file fd, whose position is not moved. Looks at its constants only. *cut: there were more of them than the
 * effort allows, so that FLAVOUR_NONE says nothing.
 */
enum flavour fingerprint(int fd, enum fingerprint_effort, bool *cut);

/* "OpenSSL", "Go", …, one word; "unknown". Static. */
const char *flavour_name(enum flavour);

#endif
