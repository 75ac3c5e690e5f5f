/* SPDX-License-Identifier: Apache-2.0 */
/* The parser for mbedTLS: blocks in, a checked pair of chain and key out, in host/identity.c's words. */
#ifndef MTLS_FIRMWARE_VAULT_IDENTITY_H
#define MTLS_FIRMWARE_VAULT_IDENTITY_H

#include "firmware/vault/key.h"

/* In mbedTLS's memory. The certificates were looked at and are not kept: whoever sends them reads them again. */
struct vault_identity {
	mbedtls_pk_context key;
	enum mtls_key_type type;
	struct vault_heap plain; /* the key as a PEM block without encryption */
};

/*
 * ctx is not looked at; *identity is a struct vault_identity. Not for an agent's blocks: there is a key. Needs
 * vault_random for keys that lack their public half.
 */
extern const struct mtls_parser vault_parser;

/*
 * Leaves of a PEM text of *n bytes only the certificates that mbedTLS can use, each in a block of its own and with a
 * line end between two: a private key among them must not be kept with what is no secret. What is behind them is wiped.
 * false: one is damaged, or there is no memory; the text is worth nothing then.
 */
bool vault_certificates_only(unsigned char *text, size_t *n);

/*
 * MTLS_USABLE, or why this text is no list of CAs: at least one certificate that mbedTLS can use, and none damaged or
 * with more than 4096 bits of RSA. MTLS_TOO_LARGE: the whole of it leaves no room in mbedTLS's memory for a connection.
 */
enum mtls_reason vault_check_cas(struct mtls_bytes text, struct mtls_error *);

#endif
