/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key with its self-signed client certificate, or the request for one, in memory. Nothing of files
 * or of the credential in force is known here.
 */
#ifndef MTLS_LAUNCHER_CRED_CERTIFICATE_H
#define MTLS_LAUNCHER_CRED_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>

#define CRED_CN_MAX   64    /* bytes; ub-common-name, RFC 5280 appendix A.1, is as many characters */
#define CRED_DAYS_MAX 36500 /* the year stays below 10000, which ASN.1 cannot write */

enum cred_key_type { CRED_EC, CRED_RSA, CRED_ED25519 };

struct cred_request {
	const char *cn; /* UTF-8 */
	int days;       /* 1 to CRED_DAYS_MAX, from now; not of a request */
	enum cred_key_type type;
	OSSL_LIB_CTX *context;  /* for operations with the key; NULL: the default one */
	const char *properties; /* likewise, or NULL */
};

/* NULL: libcrypto's error queue tells why. The caller frees. The key may be in a token. */
EVP_PKEY *cred_make_key(enum cred_key_type);
X509 *cred_make_certificate(const struct cred_request *, EVP_PKEY *);
X509_REQ *cred_make_request(const struct cred_request *, EVP_PKEY *); /* PKCS#10, RFC 2986 */

#endif
