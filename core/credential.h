/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the folder's bytes mean as far as structure goes: state, reason word, and
 * the PEM blocks for a TLS library's own parser. The caller reads the files.
 * Pure, no allocation: every mtls_bytes of the result points into the input.
 */
#ifndef MTLS_CORE_CREDENTIAL_H
#define MTLS_CORE_CREDENTIAL_H

#include "core/pem.h"
#include "core/reason.h"

#define MTLS_FILE_MAX  ((size_t)1 << 20) /* bytes of one file */
#define MTLS_CHAIN_MAX 32                /* certificates, the leaf included */
#define MTLS_PASS_MAX  1023              /* bytes of a passphrase */

/* How reading one file went. */
enum mtls_file_how {
	MTLS_FILE_OK,
	MTLS_FILE_NONE,       /* does not exist */
	MTLS_FILE_NOT_A_FILE, /* folder, FIFO, device, socket */
	MTLS_FILE_UNREADABLE,
	MTLS_FILE_TOO_LARGE,
};

struct mtls_file {
	struct mtls_bytes data; /* only with MTLS_FILE_OK */
	enum mtls_file_how how;
	bool named;  /* by its own variable or option: missing is broken, not absent */
	bool unsafe; /* everybody may write it */
};

enum mtls_place_how {
	MTLS_PLACE_OK,      /* also where the files are named one by one */
	MTLS_PLACE_NONE,    /* no default place has a credential */
	MTLS_PLACE_MISSING, /* a named folder does not exist */
	MTLS_PLACE_UNREADABLE,
};

struct mtls_files {
	struct mtls_file file[MTLS_FILES]; /* MTLS_CERT … MTLS_CONF; the same bytes may stand for two */
	enum mtls_place_how place;
	bool folder_unsafe; /* everybody may write it, or a default place of somebody else */
	bool agent;         /* key and passphrase were not read and do not count */
};

enum mtls_key_form {
	MTLS_KEY_NONE,            /* with an agent */
	MTLS_KEY_PKCS8,           /* "PRIVATE KEY", RFC 5958 */
	MTLS_KEY_PKCS8_ENCRYPTED, /* "ENCRYPTED PRIVATE KEY" */
	MTLS_KEY_PKCS1,           /* "RSA PRIVATE KEY", RFC 8017 A.1.2; may be encrypted, RFC 1421 4.6.1.1 */
	MTLS_KEY_SEC1,            /* "EC PRIVATE KEY", RFC 5915; may be encrypted */
};

/* Each block runs from its "-----BEGIN" to the end of its END line. */
struct mtls_blocks {
	struct mtls_bytes cert[MTLS_CHAIN_MAX]; /* leaf first */
	size_t n_certs;
	struct mtls_bytes key;
	enum mtls_key_form key_form;
	bool key_encrypted;
	struct mtls_bytes pass; /* 0 to MTLS_PASS_MAX bytes, no line end; n == 0: none */
	bool pass_lost;         /* its file was named and does not exist */
};

/*
 * Returns MTLS_NO_CREDENTIAL, MTLS_REMOVED, a broken word, or MTLS_USABLE: a
 * candidate, with *out filled, that a parser still has to agree to. What only
 * comes after parsing is left to it: see mtls_blocks_passphrase.
 */
enum mtls_reason mtls_credential_scan(const struct mtls_files *, struct mtls_blocks *out, struct mtls_error *);

/* A well-formed PEM block whose label ends in "PRIVATE KEY": fills out's key; MTLS_USABLE, or why it is not for us. */
enum mtls_reason mtls_key_block(const struct mtls_pem *, struct mtls_blocks *out, struct mtls_error *);

/*
 * For a parser that could read the certificates and the key's outer structure:
 * MTLS_PASSPHRASE_MISSING where the key is encrypted and no passphrase was given, or a
 * passphrase file was named that does not exist; else MTLS_USABLE.
 */
enum mtls_reason mtls_blocks_passphrase(const struct mtls_blocks *, struct mtls_error *);

/*
 * A parser: openssl, gnutls (shim), libcrypto (tools), mbedtls (firmware). load returns
 * MTLS_USABLE and a new *identity, else a broken word and nothing. unload wipes.
 */
struct mtls_parser {
	enum mtls_reason (*load)(void *ctx, const struct mtls_blocks *, void **identity, struct mtls_error *);
	void (*unload)(void *ctx, void *identity);
};

#endif
