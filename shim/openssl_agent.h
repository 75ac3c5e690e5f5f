/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key for libssl whose signatures an agent makes: a provider of our own, in a library context of its own, so
 * that nothing of it is seen by the program. OpenSSL 3 and newer.
 */
#ifndef MTLS_SHIM_OPENSSL_AGENT_H
#define MTLS_SHIM_OPENSSL_AGENT_H

#include "shim/openssl.h"

/* Can this libssl have one? 1.1.1 cannot: there only a raw RSA operation could be handed out. */
bool openssl_agent_fits(const struct openssl *);

/* Gives the identity such a key, which lives as long as it is referred to; false without memory. */
bool openssl_agent_key(const struct openssl *, struct mtls_identity *);

#endif
