/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/signing.c on any packet, as question and as answer: what it accepts is what it would write, and what it judges
 * to be TLS is one whole thing, for a key that can make the signature.
 */
#include <stdlib.h>
#include <string.h>

#include "core/signing.h"
#include "tests/fuzz/fuzz.h"

#define KEYS (MTLS_KEY_ED448 + 1)

static const char CONTEXT[] = "TLS 1.3, client CertificateVerify";

/* In a block of that very size. */
static enum mtls_signing_status judge(const struct mtls_question *like, size_t n, enum mtls_key_type type)
{
	struct mtls_question q = *like;
	unsigned char *copy = malloc(n + 1);
	enum mtls_signing_status status;

	CHECK(copy != NULL);
	memcpy(copy, like->content.p, n < like->content.n ? n : like->content.n);
	copy[n] = 0;
	q.content = (struct mtls_bytes){copy, n};
	status = mtls_question_judge(&q, type);
	free(copy);
	return status;
}

static bool looks_like_tls(struct mtls_bytes c)
{
	if (c.p[0] == ' ')
		return (c.n == 64 + sizeof(CONTEXT) + 32 || c.n == 64 + sizeof(CONTEXT) + 48) &&
		       memcmp(c.p + 64, CONTEXT, sizeof(CONTEXT)) == 0;
	return c.p[0] == 1 && c.n > 8 && memchr(c.p, 13, c.n) && memchr(c.p, 16, c.n);
}

static void judged(const struct mtls_question *q)
{
	const struct mtls_scheme *scheme = mtls_scheme_find(q->scheme);
	unsigned signers = 0;

	for (int type = 0; type < KEYS; type++) {
		enum mtls_signing_status status = mtls_question_judge(q, (enum mtls_key_type)type);

		CHECK(status == MTLS_SIGNED || status == MTLS_NOT_TLS);
		if (q->op == MTLS_OP_PROBE || status != MTLS_SIGNED)
			continue;
		signers |= 1u << type;
		CHECK(scheme && mtls_signature_fits((enum mtls_key_type)type, q->scheme));
		if (q->op == MTLS_OP_DIGEST)
			CHECK(scheme->hash && q->content.n == scheme->hash_size);
		else
			CHECK(looks_like_tls(q->content));
		/* nothing more, nothing less; a NUL more is no message */
		CHECK(q->content.n == 1 || judge(q, q->content.n - 1, (enum mtls_key_type)type) == MTLS_NOT_TLS);
		CHECK(judge(q, q->content.n + 1, (enum mtls_key_type)type) == MTLS_NOT_TLS);
	}
	CHECK(!(signers & 1u << MTLS_KEY_OTHER));
	/* never an RSA key and another kind */
	CHECK(!(signers & 1u << MTLS_KEY_RSA) || signers == 1u << MTLS_KEY_RSA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtls_bytes packet = {data, size}, signature;
	unsigned char head[MTLS_SIGNING_HEAD];
	enum mtls_signing_status status;
	struct mtls_question q;

	if (mtls_question_read(packet, &q)) {
		CHECK(size >= MTLS_SIGNING_HEAD && size <= MTLS_SIGNING_MAX);
		CHECK(q.content.p == data + MTLS_SIGNING_HEAD && q.content.n == size - MTLS_SIGNING_HEAD);
		CHECK((q.op == MTLS_OP_PROBE) == (q.content.n == 0));
		mtls_question_write(&q, head);
		CHECK(memcmp(head, data, sizeof(head)) == 0);
		judged(&q);
	}
	if (mtls_answer_read(packet, &status, &signature)) {
		CHECK(data[0] == MTLS_SIGNING_VERSION && (unsigned)status == data[1] && status < MTLS_STATUSES);
		CHECK(signature.n + MTLS_ANSWER_HEAD == size && signature.n <= MTLS_SIGNATURE_MAX);
		CHECK(status == MTLS_SIGNED || signature.n == 0);
	}
	return 0;
}
