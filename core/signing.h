/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks of an agent, and what it is told: one packet each way on an AF_UNIX SOCK_SEQPACKET connection of
 * its own. Numbers are big-endian.
 *
 *   question   0 version (1)   1 op   2-3 SignatureScheme; of a probe: the op that is to follow
 *              4-35 key: SHA-256 of the public key's SubjectPublicKeyInfo, as DER stands in the certificate
 *              36-  content: what is to be signed; of a probe: nothing
 *   answer     0 version (1)   1 status   2- signature, with MTLS_SIGNED for a question that was no probe
 *
 * A content is the whole of what TLS signs, so that the agent can see that it is TLS and chooses hash and padding
 * itself. A digest is what some libraries give instead. Pure: any thread. See docs/AGENT.md.
 */
#ifndef MTLS_CORE_SIGNING_H
#define MTLS_CORE_SIGNING_H

#include "core/bytes.h"
#include "core/signature.h"

#define MTLS_SIGNING_VERSION 1
#define MTLS_SIGNING_HEAD    36
#define MTLS_SIGNING_CONTENT 131072 /* bytes of a content, at most: the names of CAs alone may be 64 KiB */
#define MTLS_SIGNING_MAX     (MTLS_SIGNING_HEAD + MTLS_SIGNING_CONTENT)
#define MTLS_SIGNATURE_MAX   2048 /* RSA of 16384 bits */
#define MTLS_ANSWER_HEAD     2
#define MTLS_KEY_ID          32

/* The one scheme that TLS has no code point for: RSA with MD5 and SHA-1, TLS 1.1 and older (RFC 4346 4.7). */
#define MTLS_SCHEME_MD5_SHA1 0xff01

enum mtls_signing_op {
	MTLS_OP_PROBE,   /* would you sign for me? */
	MTLS_OP_CONTENT, /* the CertificateVerify content of TLS 1.3, or the handshake so far of TLS 1.2 and older */
	MTLS_OP_DIGEST,  /* its digest alone, by the scheme's hash */
};

/* The numbers are on the wire. */
enum mtls_signing_status {
	MTLS_SIGNED,     /* or, to a probe: yes */
	MTLS_DENIED,     /* not for this user */
	MTLS_OTHER_KEY,  /* the agent has no key, or another one than the certificate's */
	MTLS_NOT_TLS,    /* the content is nothing that TLS signs, or does not fit the scheme or the key */
	MTLS_NO_DIGESTS, /* this agent signs whole contents only */
	MTLS_KEY_FAILED, /* the key's token does not sign */
	MTLS_BAD_PACKET, /* no question of this version */
	MTLS_STATUSES,
};

struct mtls_question {
	enum mtls_signing_op op;
	enum mtls_signing_op follows; /* of a probe */
	uint16_t scheme;              /* else */
	unsigned char key[MTLS_KEY_ID];
	struct mtls_bytes content; /* borrowed */
};

/* The packet's first MTLS_SIGNING_HEAD bytes; the content follows them. */
void mtls_question_write(const struct mtls_question *, unsigned char head[MTLS_SIGNING_HEAD]);
/* false: no question, *out is undefined. Looks at the form only: see mtls_question_judge. */
bool mtls_question_read(struct mtls_bytes packet, struct mtls_question *out);

/* false: no answer. signature is borrowed, and empty but with MTLS_SIGNED. */
bool mtls_answer_read(struct mtls_bytes packet, enum mtls_signing_status *, struct mtls_bytes *signature);

enum mtls_padding { MTLS_PAD_NONE, MTLS_PAD_PKCS1, MTLS_PAD_PSS };

/* How a scheme signs. hash: OpenSSL's name, NULL for EdDSA. PSS: MGF1 and salt as the hash (RFC 8446 4.2.3). */
struct mtls_scheme {
	uint16_t code;
	enum mtls_padding padding;
	const char *hash;
	size_t hash_size;
};

/* NULL: none that any key of ours makes. Static. */
const struct mtls_scheme *mtls_scheme_find(uint16_t code);

/* The one that such a key makes with that padding and hash, by any name that OpenSSL has for it; "" with EdDSA. Or
 * NULL. */
const struct mtls_scheme *mtls_scheme_of(enum mtls_key_type, enum mtls_padding, const char *hash);

/* EdDSA hashes for itself: such a key signs a whole content, and no digest. */
bool mtls_signs_whole(enum mtls_key_type);

/* Can a key of this type make that signature in any version of TLS? */
bool mtls_signature_fits(enum mtls_key_type, uint16_t scheme);

/*
 * Is it TLS that asks, and does the scheme fit the key? MTLS_SIGNED or MTLS_NOT_TLS. A content must be RFC 8446
 * 4.4.3's for a client, with a scheme of TLS 1.3; or a handshake (RFC 5246 7.4.8; DTLS: RFC 6347 4.2.6) from
 * ClientHello to ClientKeyExchange with a CertificateRequest between. A digest must have its length.
 */
enum mtls_signing_status mtls_question_judge(const struct mtls_question *, enum mtls_key_type);

/* What a program is told, for a person: continues "SOCKET: ", with the remedy. */
const char *mtls_signing_sentence(enum mtls_signing_status);

#endif
