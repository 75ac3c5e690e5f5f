/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets between program and agent, and the check that what is to be signed is TLS: an agent that signs anything
 * would sign certificates and tokens too.
 */
#include "core/signing.h"

static const struct mtls_scheme SCHEMES[] = {
	{0x0403, MTLS_PAD_NONE, "SHA256", 32},
	{0x0503, MTLS_PAD_NONE, "SHA384", 48},
	{0x0603, MTLS_PAD_NONE, "SHA512", 64},
	{0x0303, MTLS_PAD_NONE, "SHA224", 28},
	{0x0203, MTLS_PAD_NONE, "SHA1", 20},
	{0x0804, MTLS_PAD_PSS, "SHA256", 32},
	{0x0805, MTLS_PAD_PSS, "SHA384", 48},
	{0x0806, MTLS_PAD_PSS, "SHA512", 64},
	{0x0809, MTLS_PAD_PSS, "SHA256", 32},
	{0x080a, MTLS_PAD_PSS, "SHA384", 48},
	{0x080b, MTLS_PAD_PSS, "SHA512", 64},
	{0x0401, MTLS_PAD_PKCS1, "SHA256", 32},
	{0x0501, MTLS_PAD_PKCS1, "SHA384", 48},
	{0x0601, MTLS_PAD_PKCS1, "SHA512", 64},
	{0x0301, MTLS_PAD_PKCS1, "SHA224", 28},
	{0x0201, MTLS_PAD_PKCS1, "SHA1", 20},
	{0x0807, MTLS_PAD_NONE, NULL, 0},
	{0x0808, MTLS_PAD_NONE, NULL, 0},
	{MTLS_SCHEME_MD5_SHA1, MTLS_PAD_PKCS1, "MD5-SHA1", 36},
};

const struct mtls_scheme *mtls_scheme_find(uint16_t code)
{
	for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
		if (SCHEMES[i].code == code)
			return &SCHEMES[i];
	}
	return NULL;
}

/* Below TLS 1.2 an RSA key signs MD5 with SHA-1, an EC key SHA-1 (RFC 8422 5.4), which is in the list of TLS 1.2. */
static bool fits_in(enum mtls_key_type type, unsigned version, uint16_t scheme)
{
	if (scheme == MTLS_SCHEME_MD5_SHA1)
		return type == MTLS_KEY_RSA && !mtls_version_13(version);
	return mtls_signature_common(type, version, &scheme, 1, NULL, 0) == MTLS_YES;
}

bool mtls_signs_whole(enum mtls_key_type type)
{
	return type == MTLS_KEY_ED25519 || type == MTLS_KEY_ED448;
}

bool mtls_signature_fits(enum mtls_key_type type, uint16_t scheme)
{
	return fits_in(type, 0x0303, scheme) || fits_in(type, 0x0304, scheme);
}

/* "SHA2-256" and "SHA-256" are SHA256. Letters are capitals in all of OpenSSL's own names. */
static bool same_hash(struct mtls_bytes name, const char *ours)
{
	struct mtls_bytes wanted = mtls_bytes_of(ours);

	if (mtls_bytes_equal(name, wanted))
		return true;
	return mtls_bytes_take(&wanted, "SHA") && (mtls_bytes_take(&name, "SHA2-") || mtls_bytes_take(&name, "SHA-")) &&
	       mtls_bytes_equal(name, wanted);
}

const struct mtls_scheme *mtls_scheme_of(enum mtls_key_type type, enum mtls_padding padding, const char *hash)
{
	for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
		const struct mtls_scheme *s = &SCHEMES[i];

		if (s->padding == padding && mtls_signature_fits(type, s->code) &&
		    (!s->hash || same_hash(mtls_bytes_of(hash), s->hash)))
			return s;
	}
	return NULL;
}

/* --- packets -------------------------------------------------------------------- */

void mtls_question_write(const struct mtls_question *q, unsigned char head[MTLS_SIGNING_HEAD])
{
	uint16_t word = q->op == MTLS_OP_PROBE ? (uint16_t)q->follows : q->scheme;

	head[0] = MTLS_SIGNING_VERSION;
	head[1] = (unsigned char)q->op;
	head[2] = (unsigned char)(word >> 8);
	head[3] = (unsigned char)word;
	mtls_copy(head + 4, q->key, MTLS_KEY_ID);
}

bool mtls_question_read(struct mtls_bytes packet, struct mtls_question *out)
{
	const unsigned char *p = packet.p;
	unsigned word;

	if (packet.n < MTLS_SIGNING_HEAD || packet.n > MTLS_SIGNING_MAX || p[0] != MTLS_SIGNING_VERSION ||
	    p[1] > MTLS_OP_DIGEST)
		return false;
	word = (unsigned)p[2] << 8 | p[3];
	out->op = (enum mtls_signing_op)p[1];
	out->content = (struct mtls_bytes){p + MTLS_SIGNING_HEAD, packet.n - MTLS_SIGNING_HEAD};
	mtls_copy(out->key, p + 4, MTLS_KEY_ID);
	if (out->op == MTLS_OP_PROBE) {
		out->follows = (enum mtls_signing_op)word;
		out->scheme = 0;
		return out->content.n == 0 && (word == MTLS_OP_CONTENT || word == MTLS_OP_DIGEST);
	}
	out->follows = out->op;
	out->scheme = (uint16_t)word;
	return out->content.n != 0;
}

bool mtls_answer_read(struct mtls_bytes packet, enum mtls_signing_status *status, struct mtls_bytes *signature)
{
	if (packet.n < MTLS_ANSWER_HEAD || packet.n > MTLS_ANSWER_HEAD + MTLS_SIGNATURE_MAX ||
	    packet.p[0] != MTLS_SIGNING_VERSION || packet.p[1] >= MTLS_STATUSES)
		return false;
	*status = (enum mtls_signing_status)packet.p[1];
	*signature = (struct mtls_bytes){packet.p + MTLS_ANSWER_HEAD, packet.n - MTLS_ANSWER_HEAD};
	return *status == MTLS_SIGNED || signature->n == 0;
}

/* --- is it TLS? ------------------------------------------------------------------- */

/*
 * RFC 8446 4.4.3. Its words stand in two parts: a file that has them whole is one with TLS inside, to mtls-run
 * (launcher/run/fingerprint.c).
 */
static bool is_tls13(struct mtls_bytes content)
{
	static const char first[] = "TLS 1.3, client ", second[] = "CertificateVerify"; /* with its NUL */
	const size_t first_n = sizeof(first) - 1, head = 64 + first_n + sizeof(second);

	if (content.n != head + 32 && content.n != head + 48)
		return false;
	for (size_t i = 0; i < 64; i++) {
		if (content.p[i] != ' ')
			return false;
	}
	return mtls_compare(content.p + 64, first, first_n) == 0 &&
	       mtls_compare(content.p + 64 + first_n, second, sizeof(second)) == 0;
}

enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE_REQUEST = 13, CLIENT_KEY_EXCHANGE = 16 };

/*
 * The version that a ClientHello begins with. What a server of TLS 1.2 signs (RFC 8422 5.4) begins with 32 random bytes
 * of its client's: one in 2^36 of those or fewer looks like a ClientHello's beginning.
 */
static bool is_version(const unsigned char *p, bool datagram)
{
	return datagram ? p[0] == 0xfe && (p[1] == 0xff || p[1] == 0xfd) : p[0] == 3 && p[1] <= 3;
}

/*
 * May this message of n bytes stand there, before the client's signature? Each one that does (RFC 5246 7.4; 22 is RFC
 * 6066's CertificateStatus, 23 RFC 4680's SupplementalData), and the hellos are as long as they must be: version, 32
 * random bytes, and their lists with at least the one entry that they need.
 */
static bool may_stand(size_t number, unsigned type, size_t n)
{
	static const unsigned char known[] = {11, 12, CERTIFICATE_REQUEST, 14, CLIENT_KEY_EXCHANGE, 22, 23};

	if (number == 0)
		return type == CLIENT_HELLO && n >= 41;
	if (number == 1)
		return type == SERVER_HELLO && n >= 38;
	for (size_t i = 0; i < sizeof(known); i++) {
		if (known[i] == type)
			return true;
	}
	return false;
}

/* Handshake messages end to end: type, length in 3 bytes, and in DTLS 8 bytes of number and fragment more. */
static bool is_handshake(struct mtls_bytes content)
{
	bool datagram = content.n > 13 && content.p[4] == 0 && content.p[5] < 3 && content.p[12] == 0xfe;
	size_t head = datagram ? 12 : 4, at = 0;
	bool asked = false;
	unsigned type = 0;

	if (content.n < head + 2 || !is_version(content.p + head, datagram))
		return false;
	for (size_t number = 0; at < content.n; number++) {
		const unsigned char *p = content.p + at;
		size_t n;

		if (content.n - at < head)
			return false;
		type = p[0];
		n = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		if (content.n - at - head < n || !may_stand(number, type, n))
			return false;
		asked = asked || type == CERTIFICATE_REQUEST;
		at += head + n;
	}
	return asked && type == CLIENT_KEY_EXCHANGE;
}

enum mtls_signing_status mtls_question_judge(const struct mtls_question *q, enum mtls_key_type type)
{
	const struct mtls_scheme *scheme = mtls_scheme_find(q->scheme);
	bool good;

	if (q->op == MTLS_OP_PROBE)
		return MTLS_SIGNED;
	if (!scheme || !mtls_signature_fits(type, q->scheme))
		return MTLS_NOT_TLS;
	if (q->op == MTLS_OP_DIGEST)
		good = scheme->hash && q->content.n == scheme->hash_size;
	else if (q->content.p[0] == ' ')
		good = fits_in(type, 0x0304, q->scheme) && is_tls13(q->content);
	else
		good = fits_in(type, 0x0303, q->scheme) && is_handshake(q->content);
	return good ? MTLS_SIGNED : MTLS_NOT_TLS;
}

const char *mtls_signing_sentence(enum mtls_signing_status status)
{
	switch (status) {
	case MTLS_SIGNED:
		return "the agent signs";
	case MTLS_DENIED:
		return "the agent does not serve this user; start it with --allow and this user's name";
	case MTLS_OTHER_KEY:
		return "the agent has no key for this certificate; give program and agent the same certificate";
	case MTLS_NOT_TLS:
		return "the agent refused what was to be signed: it is not what TLS signs with this key";
	case MTLS_NO_DIGESTS:
		return "the agent signs whole messages only; start it without --no-digest for GnuTLS programs";
	case MTLS_KEY_FAILED:
		return "the agent's key does not sign; see what mtls-agent says, and send it SIGHUP when the token is back";
	case MTLS_BAD_PACKET:
	default:
		return "the agent speaks another version; install the same version of both";
	}
}
