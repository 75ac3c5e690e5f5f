/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/signing.c: packets there and back, every packet that is a byte off, and what counts as TLS. Transcripts are put
 * together here by the RFCs' structures, not by the code under test.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/signing.h"

Suite *signing_suite(void);

#define KEYS (MTLS_KEY_ED448 + 1)

/* A copy of its exact size, so that ASan sees a byte read too many. */
static struct mtls_bytes exactly(const void *p, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	return (struct mtls_bytes){copy, n};
}

static void release(struct mtls_bytes bytes)
{
	free((void *)(uintptr_t)bytes.p);
}

/* --- packets -------------------------------------------------------------------------- */

struct packet {
	unsigned char p[MTLS_SIGNING_MAX + 2];
	size_t n;
};

static bool reads(const struct packet *packet, struct mtls_question *q)
{
	struct mtls_bytes copy = exactly(packet->p, packet->n);
	bool good = mtls_question_read(copy, q);

	if (good) {
		ck_assert_ptr_eq(q->content.p, copy.p + MTLS_SIGNING_HEAD);
		ck_assert_uint_eq(q->content.n, copy.n - MTLS_SIGNING_HEAD);
	}
	release(copy);
	return good;
}

static struct packet packet_of(enum mtls_signing_op op, unsigned word, size_t content)
{
	struct packet packet = {.n = MTLS_SIGNING_HEAD + content};
	struct mtls_question q = {.op = op, .follows = (enum mtls_signing_op)word, .scheme = (uint16_t)word};

	for (size_t i = 0; i < sizeof(q.key); i++)
		q.key[i] = (unsigned char)(200 + i);
	mtls_question_write(&q, packet.p);
	memset(packet.p + MTLS_SIGNING_HEAD, 0x5a, content);
	return packet;
}

START_TEST(questions_there_and_back)
{
	static const unsigned schemes[] = {0x0403, 0x0804, 0xff01, 0, 0xffff};
	struct packet packet;
	struct mtls_question q;

	for (int op = MTLS_OP_CONTENT; op <= MTLS_OP_DIGEST; op++) {
		packet = packet_of((enum mtls_signing_op)op, schemes[_i], 32);
		ck_assert(reads(&packet, &q));
		ck_assert_int_eq(q.op, op);
		ck_assert_int_eq(q.follows, op);
		ck_assert_uint_eq(q.scheme, schemes[_i]);
		for (size_t i = 0; i < sizeof(q.key); i++)
			ck_assert_uint_eq(q.key[i], 200 + i);
		/* the very bytes */
		ck_assert_uint_eq(packet.p[0], 1);
		ck_assert_uint_eq(packet.p[1], (unsigned)op);
		ck_assert_uint_eq(packet.p[2], schemes[_i] >> 8);
		ck_assert_uint_eq(packet.p[3], schemes[_i] & 0xff);
		ck_assert_uint_eq(packet.p[4], 200);
		ck_assert_uint_eq(packet.p[35], 231);
	}
}
END_TEST

START_TEST(probes_there_and_back)
{
	struct packet packet = packet_of(MTLS_OP_PROBE, (unsigned)_i, 0);
	struct mtls_question q;

	ck_assert_int_eq(reads(&packet, &q), _i == MTLS_OP_CONTENT || _i == MTLS_OP_DIGEST);
	if (_i == MTLS_OP_CONTENT || _i == MTLS_OP_DIGEST) {
		ck_assert_int_eq(q.op, MTLS_OP_PROBE);
		ck_assert_int_eq(q.follows, _i);
	}
	packet.p[2] = 1; /* 0x0100 + op */
	ck_assert(!reads(&packet, &q));
	packet = packet_of(MTLS_OP_PROBE, MTLS_OP_CONTENT, 1);
	ck_assert(!reads(&packet, &q));
}
END_TEST

START_TEST(no_questions)
{
	struct packet good = packet_of(MTLS_OP_CONTENT, 0x0403, 10), packet;
	struct mtls_question q;

	for (packet = good, packet.n = 0; packet.n <= MTLS_SIGNING_HEAD; packet.n++)
		ck_assert(!reads(&packet, &q)); /* the head alone asks for nothing to be signed */
	packet.n = MTLS_SIGNING_HEAD + 1;
	ck_assert(reads(&packet, &q));
	for (int version = 0; version < 256; version++) {
		packet = good;
		packet.p[0] = (unsigned char)version;
		ck_assert_int_eq(reads(&packet, &q), version == 1);
	}
	for (int op = 0; op < 256; op++) {
		packet = good;
		packet.p[1] = (unsigned char)op;
		ck_assert_int_eq(reads(&packet, &q), op == 1 || op == 2);
	}
	packet.n = MTLS_SIGNING_MAX;
	packet.p[1] = 1;
	ck_assert(reads(&packet, &q));
	packet.n++;
	ck_assert(!reads(&packet, &q));
}
END_TEST

static bool answers(const void *p, size_t n, enum mtls_signing_status *status, size_t *signature)
{
	struct mtls_bytes copy = exactly(p, n), bytes;
	bool good = mtls_answer_read(copy, status, &bytes);

	*signature = good ? bytes.n : 0;
	if (good)
		ck_assert_ptr_eq(bytes.p, copy.p + 2);
	release(copy);
	return good;
}

START_TEST(answers_read)
{
	unsigned char packet[MTLS_ANSWER_HEAD + MTLS_SIGNATURE_MAX + 1] = {1, 0};
	enum mtls_signing_status status;
	size_t n;

	for (int word = 0; word < 256; word++) {
		packet[1] = (unsigned char)word;
		ck_assert_int_eq(answers(packet, 2, &status, &n), word <= MTLS_BAD_PACKET);
		ck_assert(word > MTLS_BAD_PACKET || (int)status == word);
		/* only a signature has bytes */
		ck_assert_int_eq(answers(packet, 3, &status, &n), word == MTLS_SIGNED);
	}
	packet[1] = MTLS_SIGNED;
	ck_assert(!answers(packet, 0, &status, &n) && !answers(packet, 1, &status, &n));
	ck_assert(answers(packet, sizeof(packet) - 1, &status, &n) && n == MTLS_SIGNATURE_MAX);
	ck_assert(!answers(packet, sizeof(packet), &status, &n));
	packet[0] = 2;
	ck_assert(!answers(packet, 2, &status, &n));
}
END_TEST

/* --- is it TLS? ------------------------------------------------------------------------- */

struct content {
	unsigned char p[4096];
	size_t n;
};

static enum mtls_signing_status judge(enum mtls_signing_op op, enum mtls_key_type type, unsigned scheme, const void *p,
				      size_t n)
{
	struct mtls_question q = {.op = op, .scheme = (uint16_t)scheme, .content = exactly(p, n)};
	enum mtls_signing_status status = mtls_question_judge(&q, type);

	release(q.content);
	ck_assert(status == MTLS_SIGNED || status == MTLS_NOT_TLS);
	return status;
}

static bool is_tls(const struct content *c, enum mtls_key_type type, unsigned scheme)
{
	return judge(MTLS_OP_CONTENT, type, scheme, c->p, c->n) == MTLS_SIGNED;
}

/* RFC 8446 4.4.3 */
static struct content tls13(const char *context, size_t hash)
{
	struct content c = {.n = 64 + strlen(context) + 1 + hash};

	memset(c.p, 0x20, 64);
	memcpy(c.p + 64, context, strlen(context) + 1);
	memset(c.p + 64 + strlen(context) + 1, 0xab, hash);
	return c;
}

static const char CLIENT[] = "TLS 1.3, client CertificateVerify";

START_TEST(tls13_content_is_exact)
{
	struct content good = tls13(CLIENT, 32), c;

	ck_assert(is_tls(&good, MTLS_KEY_P256, 0x0403));
	for (size_t hash = 0; hash <= 80; hash++) {
		c = tls13(CLIENT, hash);
		ck_assert_int_eq(is_tls(&c, MTLS_KEY_P256, 0x0403), hash == 32 || hash == 48);
	}
	for (size_t i = 0; i < 64 + sizeof(CLIENT); i++) {
		c = good;
		c.p[i] ^= 1;
		ck_assert_msg(!is_tls(&c, MTLS_KEY_P256, 0x0403), "byte %zu", i);
	}
	for (c = good; c.n > 1; c.n--)
		ck_assert_int_eq(is_tls(&c, MTLS_KEY_P256, 0x0403), c.n == good.n);
	c = tls13("TLS 1.3, server CertificateVerify", 32); /* our certificate is no server's */
	ck_assert(!is_tls(&c, MTLS_KEY_P256, 0x0403));
	c = tls13("TLS 1.3, client CertificateVerifz", 32);
	ck_assert(!is_tls(&c, MTLS_KEY_P256, 0x0403));
}
END_TEST

static void message(struct content *c, unsigned type, size_t n)
{
	unsigned char head[] = {(unsigned char)type, (unsigned char)(n >> 16), (unsigned char)(n >> 8),
				(unsigned char)n};

	memcpy(c->p + c->n, head, 4);
	memset(c->p + c->n + 4, type == 1 ? 3 : 0x77, n); /* a ClientHello begins with its version */
	c->n += 4 + n;
}

/* DTLS: message_seq, fragment_offset 0, fragment_length as length (RFC 6347 4.2.6). */
static void datagram(struct content *c, unsigned type, unsigned number, size_t n)
{
	size_t at = c->n;

	message(c, type, n + 8);
	c->p[at + 2] = (unsigned char)(n >> 8);
	c->p[at + 3] = (unsigned char)n;
	memset(c->p + at + 4, 0, 8);
	c->p[at + 5] = (unsigned char)number;
	c->p[at + 10] = (unsigned char)(n >> 8);
	c->p[at + 11] = (unsigned char)n;
	if (type == 1)
		memcpy(c->p + at + 12, "\xfe\xfd", 2);
}

/* ClientHello, ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone, Certificate,
 * ClientKeyExchange; size 0: left out. */
static const unsigned TYPES[8] = {1, 2, 11, 12, 13, 14, 11, 16};
static const size_t SIZES[8] = {100, 80, 700, 140, 60, 0, 500, 66};

static struct content handshake(bool dtls, int without)
{
	struct content c = {.n = 0};

	for (int i = 0; i < 8; i++) {
		if (i == without)
			continue;
		if (dtls)
			datagram(&c, TYPES[i], (unsigned)(i < 1 ? 1 : i), SIZES[i]);
		else
			message(&c, TYPES[i], SIZES[i]);
	}
	return c;
}

START_TEST(handshakes)
{
	bool dtls = _i;
	struct content good = handshake(dtls, -1), c;
	size_t head = dtls ? 12 : 4;

	ck_assert(is_tls(&good, MTLS_KEY_P256, 0x0403));
	for (int without = 0; without < 8; without++) {
		c = handshake(dtls, without);
		ck_assert_msg(is_tls(&c, MTLS_KEY_P256, 0x0403) == (without > 1 && without != 4 && without != 7),
			      "without %d", without);
	}
	/* hellos that are too short to be any; a message that has no place there */
	for (int i = 0; i < 5; i++) {
		static const struct {
			size_t first, second;
			unsigned third;
			bool good;
		} odd[] = {{41, 38, 11, true},
			   {40, 38, 11, false},
			   {41, 37, 11, false},
			   {41, 38, 15, false},
			   {41, 38, 20, false}};
		const size_t sizes[] = {odd[i].first, odd[i].second, 9, 9, 9};
		const unsigned types[] = {1, 2, odd[i].third, 13, 16};

		c.n = 0;
		for (unsigned k = 0; k < 5; k++) {
			if (dtls)
				datagram(&c, types[k], k, sizes[k]);
			else
				message(&c, types[k], sizes[k]);
		}
		ck_assert_msg(is_tls(&c, MTLS_KEY_P256, 0x0403) == odd[i].good, "odd %d", i);
	}
	/* cut anywhere; more behind */
	for (c = good; c.n > 1; c.n--)
		ck_assert_msg(is_tls(&c, MTLS_KEY_P256, 0x0403) == (c.n == good.n), "%zu bytes", c.n);
	for (c = good; c.n < good.n + 20; c.n++)
		ck_assert_int_eq(is_tls(&c, MTLS_KEY_P256, 0x0403), c.n == good.n);
	/* a length that is one off */
	for (int i = 0; i < 8; i++) {
		size_t at = 0;

		for (int k = 0; k < i; k++)
			at += head + SIZES[k];
		c = good;
		c.p[at + 3]++;
		ck_assert_msg(!is_tls(&c, MTLS_KEY_P256, 0x0403), "message %d", i);
		c.p[at + 1] = 0xff;
		ck_assert_msg(!is_tls(&c, MTLS_KEY_P256, 0x0403), "message %d", i);
	}
	c = good;
	/* the version: SSL 3 to TLS 1.2, DTLS 1.0 and 1.2 */
	for (unsigned major = 0; major < 256; major++) {
		for (unsigned minor = 0; minor < 256; minor++) {
			bool known =
				dtls ? major == 0xfe && (minor == 0xff || minor == 0xfd) : major == 3 && minor <= 3;

			c.p[head] = (unsigned char)major;
			c.p[head + 1] = (unsigned char)minor;
			ck_assert_msg(is_tls(&c, MTLS_KEY_P256, 0x0403) == known, "%02x%02x", major, minor);
		}
	}
}
END_TEST

/* What an attacker would like to have signed: none of it is a handshake. */
START_TEST(what_is_not_tls)
{
	static const char *const texts[] = {
		"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9",        /* a JWT */
		"\x30\x82\x01\x0a\xa0\x03\x02\x01\x02\x02\x01\x01", /* a certificate */
		"SSHSIG",
		"tree 0123456789\nauthor a <a@b> 0 +0000\n", /* OpenSSH, git */
		" ",
		"\x01",
		"\x01\x00\x00\x02\x03\x03",
	};
	static const char hello[] = "\x01\0\0\x02\x03\x03";
	struct content c;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert(judge(MTLS_OP_CONTENT, MTLS_KEY_P256, 0x0403, texts[i], strlen(texts[i])) == MTLS_NOT_TLS);
	for (size_t n = 1; n < sizeof(hello); n++)
		ck_assert(judge(MTLS_OP_CONTENT, MTLS_KEY_P256, 0x0403, hello, n) == MTLS_NOT_TLS);
	memset(&c, ' ', sizeof(c));
	c.n = 130;
	ck_assert(!is_tls(&c, MTLS_KEY_P256, 0x0403));
}
END_TEST

/* --- every scheme with every type of key ---------------------------------------------------- */

/* One letter a key type, as in test_signature.c: Other, Rsa, rsa-pSs, p256, p384, p521, other Curve, ed25519, ed448.
 * RFC 8446 4.2.3; RFC 5246 7.4.1.4.1; ff01 is ours. */
static const char letters[] = "ORS235Cef";
static const struct {
	uint16_t scheme;
	const char *tls13, *tls12;
	size_t digest; /* 0: none */
} makers[] = {
	{0x0201, "", "R", 20},  {0x0203, "", "235C", 20},  {0x0301, "", "R", 28},  {0x0303, "", "235C", 28},
	{0x0401, "", "R", 32},  {0x0403, "2", "235C", 32}, {0x0501, "", "R", 48},  {0x0503, "3", "235C", 48},
	{0x0601, "", "R", 64},  {0x0603, "5", "235C", 64}, {0x0804, "R", "R", 32}, {0x0805, "R", "R", 48},
	{0x0806, "R", "R", 64}, {0x0807, "e", "e", 0},     {0x0808, "f", "f", 0},  {0x0809, "S", "S", 32},
	{0x080a, "S", "S", 48}, {0x080b, "S", "S", 64},    {0xff01, "", "R", 36},
};

START_TEST(every_scheme_and_key)
{
	struct content new = tls13(CLIENT, 48), old = handshake(false, -1);
	enum mtls_key_type type = (enum mtls_key_type)_i;
	unsigned char digest[65] = {1};

	for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
		bool in13 = false, in12 = false, known = false;
		size_t size = 0;

		for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
			if (makers[i].scheme != scheme)
				continue;
			in13 = strchr(makers[i].tls13, letters[_i]) != NULL;
			in12 = strchr(makers[i].tls12, letters[_i]) != NULL;
			size = makers[i].digest;
			known = true;
		}
		ck_assert_msg(mtls_signature_fits(type, (uint16_t)scheme) == (in13 || in12), "%04x", scheme);
		if (scheme % 251 && !known) /* most are nobody's */
			continue;
		ck_assert_msg(is_tls(&new, type, scheme) == in13, "%04x", scheme);
		ck_assert_msg(is_tls(&old, type, scheme) == in12, "%04x", scheme);
		for (size_t n = 1; n <= 65; n++)
			ck_assert_msg((judge(MTLS_OP_DIGEST, type, scheme, digest, n) == MTLS_SIGNED) ==
					      ((in13 || in12) && n == size),
				      "%04x with %zu", scheme, n);
	}
}
END_TEST

START_TEST(schemes_are_what_they_say)
{
	for (unsigned code = 0; code <= 0xffff; code++) {
		const struct mtls_scheme *s = mtls_scheme_find((uint16_t)code);
		size_t i;

		for (i = 0; i < sizeof(makers) / sizeof(makers[0]) && makers[i].scheme != code; i++)
			continue;
		ck_assert_int_eq(s != NULL, i < sizeof(makers) / sizeof(makers[0]));
		if (!s)
			continue;
		ck_assert_uint_eq(s->code, code);
		ck_assert_uint_eq(s->hash_size, makers[i].digest);
		ck_assert_int_eq(s->hash == NULL, s->hash_size == 0);
		if (strchr(makers[i].tls12, 'R') || strchr(makers[i].tls12, 'S'))
			ck_assert_int_eq(s->padding, code >= 0x0804 && code <= 0x080b ? MTLS_PAD_PSS : MTLS_PAD_PKCS1);
		else
			ck_assert_int_eq(s->padding, MTLS_PAD_NONE);
	}
}
END_TEST

START_TEST(sentences)
{
	for (int status = 0; status < MTLS_STATUSES; status++) {
		ck_assert_ptr_nonnull(mtls_signing_sentence((enum mtls_signing_status)status));
		for (int other = 0; other < status; other++)
			ck_assert_str_ne(mtls_signing_sentence((enum mtls_signing_status)status),
					 mtls_signing_sentence((enum mtls_signing_status)other));
	}
}
END_TEST

Suite *signing_suite(void)
{
	Suite *s = suite_create("signing");
	TCase *t = tcase_create("signing");

	tcase_add_loop_test(t, questions_there_and_back, 0, 5);
	tcase_add_loop_test(t, probes_there_and_back, 0, 5);
	tcase_add_test(t, no_questions);
	tcase_add_test(t, answers_read);
	tcase_add_test(t, tls13_content_is_exact);
	tcase_add_loop_test(t, handshakes, 0, 2);
	tcase_add_test(t, what_is_not_tls);
	tcase_add_loop_test(t, every_scheme_and_key, 0, KEYS);
	tcase_add_test(t, schemes_are_what_they_say);
	tcase_add_test(t, sentences);
	suite_add_tcase(s, t);
	return s;
}
