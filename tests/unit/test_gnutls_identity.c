/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/gnutls_identity.c, gnutls_key.c, gnutls_decrypt.c, gnutls_block.c. All that test_identity.c and
 * test_identity_refused.c give to libcrypto's parser is given to GnuTLS's too, and the answers are compared; then what
 * GnuTLS cannot do, what only its parser has, and damage byte by byte.
 */
#include "shim/gnutls.h"
#include "shim/gnutls_block.h"

#define identity_suite   same_suite
#define identity_refused same_refused
#include "tests/unit/test_identity.c"
#include "tests/unit/test_identity_refused.c"

/* sanitizer/allocator_interface.h, which not every distribution ships. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t), void (*)(const volatile void *));

Suite *gnutls_identity_suite(void);

static const struct gtls linked = {
	.f =
		{
#define MTLS_GNUTLS(name) .name = &name,
#include "shim/gnutls.def"
#undef MTLS_GNUTLS
		},
};

static struct gtls_identity *ours;
static struct mtls_error our_error;

static enum mtls_reason load_ours(void)
{
	enum mtls_reason r;

	gtls_identity_drop(&linked, ours);
	ours = (void *)"not touched";
	r = gtls_identity_load(&linked, &blocks, &ours, &our_error);
	ck_assert_int_eq(our_error.reason, r);
	ck_assert((ours != NULL) == (r == MTLS_USABLE));
	return r;
}

static void drop_ours(void)
{
	gtls_identity_drop(&linked, ours);
	ours = NULL;
	teardown();
}

/* --- the same answers ----------------------------------------------------- */

/* What GnuTLS cannot do; by the detail of its key-unsupported. */
static const char *const CANNOT[] = {
	"1.3.6.1.4.1.11591.4.11, 2.16.840.1.101.3.4.1.2", /* scrypt */
	"1.3.132.0.10",                                   /* secp256k1 */
	"explicit curve parameters",
	"AES-128-CFB",
	"id-aes128-GCM",
};

static bool may_differ(enum mtls_reason theirs, enum mtls_reason r)
{
	for (int i = 0; r == MTLS_KEY_UNSUPPORTED && i < COUNT(CANNOT); i++)
		if (strcmp(our_error.detail, CANNOT[i]) == 0)
			return true;
	/* A passphrase is text in PKCS#12, and a C string in GnuTLS. */
	if (r == MTLS_KEY_UNSUPPORTED && memchr(blocks.pass.p, '\0', blocks.pass.n))
		return true;
	/* Inside PKCS#12 encryption GnuTLS does not tell a curve that it has not from garbage. */
	if (theirs == MTLS_USABLE && r == MTLS_PASSPHRASE_WRONG && blocks.key_form == MTLS_KEY_PKCS8_ENCRYPTED)
		return identity->type == MTLS_KEY_EC_OTHER;
	/* It does not compare the two halves of an EC key. */
	return theirs == MTLS_KEY_MALFORMED && r == MTLS_PAIR_MISMATCH && blocks.key_form == MTLS_KEY_SEC1;
}

static void compare(enum mtls_reason theirs)
{
	enum mtls_reason r = load_ours();

	if (r != theirs || our_error.part != error.part) {
		ck_assert_msg(may_differ(theirs, r), "libcrypto: %s (%s), GnuTLS: %s (%s)", mtls_reason_word(theirs),
			      error.detail, mtls_reason_word(r), our_error.detail);
	} else if (r == MTLS_USABLE) {
		if (!strstr(ours->subject, "OU=\\#e4")) /* a T61String, which GnuTLS writes as it likes */
			ck_assert_str_eq(ours->subject, identity->subject);
		ck_assert_str_eq(ours->sha256, identity->sha256);
		ck_assert_int_eq(ours->type, identity->type);
		ck_assert_uint_eq(ours->n_certs, blocks.n_certs);
	}
	gtls_identity_drop(&linked, ours);
	ours = NULL;
}

START_TEST(what_of_each_encoding)
{
	static const enum kind kinds[] = {P256, P384, P521, RSA_2048, K256};
	bool can = _i != SCRYPT_8 && _i != CFB_1, encrypted = _i != PLAIN_8 && _i != PLAIN_1;

	for (int i = 0; i < COUNT(kinds); i++) {
		enum mtls_reason inside = kinds[i] != K256 ? MTLS_USABLE : MTLS_KEY_UNSUPPORTED;

		if (kinds[i] == K256 && _i == PBE_DES3_8)
			inside = MTLS_PASSPHRASE_WRONG;
		encode((enum encoding)_i, kinds[i], mtls_bytes_of(PASS));
		load(PASS);
		ck_assert_int_eq(load_ours(), can ? inside : MTLS_KEY_UNSUPPORTED);
		if (!encrypted)
			continue;
		load("wrong");
		ck_assert_int_eq(load_ours(), can ? MTLS_PASSPHRASE_WRONG : MTLS_KEY_UNSUPPORTED);
		load("");
		ck_assert_int_eq(load_ours(), can ? MTLS_PASSPHRASE_MISSING : MTLS_KEY_UNSUPPORTED);
	}
}
END_TEST

/* As OpenSSL's tools write it on demand. libcrypto takes it. */
START_TEST(explicit_curve_parameters)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *k = NULL;

	ck_assert_int_gt(EVP_PKEY_keygen_init(context), 0);
	EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1);
	EVP_PKEY_CTX_set_ec_param_enc(context, 0);
	ck_assert_int_gt(EVP_PKEY_keygen(context, &k), 0);
	EVP_PKEY_CTX_free(context);
	for (int i = 0; i < 4; i++) {
		put_certificate(&cert, P256);
		if (i % 2) {
			cert.b.n = 0;
			add_certificate(&cert, certificate_of(k, "unit"));
		}
		if (i / 2)
			pkcs8(&key, k);
		else
			traditional(&key, k, NULL, mtls_bytes_of(""));
		load("");
		ck_assert_int_eq(load_ours(), MTLS_KEY_UNSUPPORTED);
		ck_assert_str_eq(our_error.detail, "explicit curve parameters");
	}
	EVP_PKEY_free(k);
}
END_TEST

/* GnuTLS's own decryption would make NFC of it (RFC 7613). */
START_TEST(a_passphrase_that_is_not_normalised)
{
	static const char *const passes[] = {"e\xcc\x81", "a\xc2\xa0z", "\xff\xfe", "\xef\xac\x81"};

	for (int i = 0; i < COUNT(passes); i++)
		for (int e = AES_8; e < ENCODINGS; e++) {
			if (e == SCRYPT_8 || e == PBE_DES3_8 || e == CFB_1)
				continue;
			encode((enum encoding)e, P256, mtls_bytes_of(passes[i]));
			ck_usable(load(passes[i]));
			ck_assert_int_eq(load_ours(), MTLS_USABLE);
		}
}
END_TEST

/* PBKDF2 with SHA-1, which is not written down. */
START_TEST(parameters_left_out)
{
	static unsigned char salt[] = "saltsalt";
	X509_ALGOR *pbe = PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 10, salt, 8, NULL, NID_hmacWithSHA1);

	pkcs8_pbe(&key, keys[P256], pbe, mtls_bytes_of(PASS));
	ck_usable(load(PASS));
	ck_assert_int_eq(load_ours(), MTLS_USABLE);
	ck_word(load("wrong"), MTLS_PASSPHRASE_WRONG, MTLS_PASS);
}
END_TEST

/* It would end at the NUL, and one that is too short open the key. */
START_TEST(a_nul_where_gnutls_takes_a_string)
{
	encode(PBE_DES3_8, P256, mtls_bytes_of("x"));
	ck_usable(load("x"));
	blocks.pass = (struct mtls_bytes){(const unsigned char *)"x\0y", 3};
	ck_assert_int_eq(load_ours(), MTLS_KEY_UNSUPPORTED);
	ck_assert_int_eq(our_error.part, MTLS_PASS);
}
END_TEST

START_TEST(lengths_of_elements)
{
	static const unsigned char long_form[] = {0x30, 0x84, 0x00, 0x00, 0x00, 0x02, 0x05, 0x00};
	static const unsigned char huge[] = {0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct mtls_bytes rest, content;
	unsigned tag;

	for (size_t n = 0; n <= sizeof(long_form); n++) {
		unsigned char *exact = memcpy(malloc(n + !n), long_form, n); /* so that reading behind it is seen */

		rest = (struct mtls_bytes){exact, n};
		ck_assert_int_eq(gtls_der_next(&rest, &tag, &content), n == sizeof(long_form));
		ck_assert_uint_eq(rest.n, n == sizeof(long_form) ? 0 : n);
		free(exact);
	}
	rest = (struct mtls_bytes){huge, sizeof(huge)};
	ck_assert(!gtls_der_next(&rest, &tag, &content));
	rest = (struct mtls_bytes){(const unsigned char *)"\x30\x80\x00\x00", 4};
	ck_assert(!gtls_der_next(&rest, &tag, &content));
}
END_TEST

static const struct {
	const char *field;
	int type;
} NAMES[] = {
	{"CN", MBSTRING_UTF8},
	{"SN", MBSTRING_UTF8},
	{"GN", MBSTRING_UTF8},
	{"emailAddress", V_ASN1_IA5STRING},
	{"serialNumber", V_ASN1_PRINTABLESTRING},
	{"DC", V_ASN1_IA5STRING},
	{"UID", MBSTRING_UTF8},
	{"street", MBSTRING_UTF8},
	{"title", MBSTRING_UTF8},
	{"O", V_ASN1_BMPSTRING},
	{"1.2.3.4.5", V_ASN1_PRINTABLESTRING},
	{"jurisdictionC", V_ASN1_PRINTABLESTRING},
	{"jurisdictionST", MBSTRING_UTF8},
	{"pseudonym", MBSTRING_UTF8},
};

START_TEST(names_in_a_subject)
{
	static const char *const values[] = {"DE", "x,EMAIL=y+surName=z", " DE;<> "};
	X509_NAME *name = X509_NAME_new();

	for (int i = 0; i < COUNT(NAMES); i++) {
		const unsigned char *value = (const unsigned char *)values[i % 2 ? 0 : _i];
		ASN1_OBJECT *o = OBJ_txt2obj(NAMES[i].field, 0);

		if (NAMES[i].type == V_ASN1_BMPSTRING)
			X509_NAME_add_entry_by_OBJ(name, o, NAMES[i].type, (const unsigned char *)"\0\xe4\x20\xac", 4,
						   -1, 0);
		else
			X509_NAME_add_entry_by_OBJ(name, o, NAMES[i].type, value, -1, -1, 0);
		ASN1_OBJECT_free(o);
	}
	cert.b.n = 0;
	add_certificate(&cert, make_certificate(keys[P256], name));
	X509_NAME_free(name);
	ck_usable(load(""));
}
END_TEST

/* --- what only this parser has -------------------------------------------- */

START_TEST(what_gnutls_is_given)
{
	X509 *ca = certificate_of(keys[K256], "ca"); /* whose key GnuTLS cannot read: it is only sent */
	unsigned char *issuer = NULL, *bytes = NULL;
	int n = i2d_X509_NAME(X509_get_issuer_name(ca), &issuer), size = i2d_X509(ca, &bytes);

	add_certificate(&cert, ca);
	ck_usable(load(""));
	ck_assert_int_eq(load_ours(), MTLS_USABLE);
	ck_assert_uint_eq(ours->n_certs, 2);
	ck_assert_int_eq((int)ours->issuer[1].size, n);
	ck_assert_mem_eq(ours->issuer[1].data, issuer, (size_t)n);
	ck_assert_int_eq((int)ours->cert[1].cert.size, size);
	ck_assert_mem_eq(ours->cert[1].cert.data, bytes, (size_t)size);
	ck_assert_int_eq(ours->cert[1].type, GNUTLS_CRT_X509);
	OPENSSL_free(issuer);
	OPENSSL_free(bytes);
}
END_TEST

START_TEST(the_key_signs)
{
	static const gnutls_sign_algorithm_t algorithms[] = {
		[P256] = GNUTLS_SIGN_ECDSA_SHA256,       [P384] = GNUTLS_SIGN_ECDSA_SHA384,
		[P521] = GNUTLS_SIGN_ECDSA_SHA512,       [RSA_2048] = GNUTLS_SIGN_RSA_PSS_RSAE_SHA256,
		[PSS_2048] = GNUTLS_SIGN_RSA_PSS_SHA256, [ED_25519] = GNUTLS_SIGN_EDDSA_ED25519,
		[ED_448] = GNUTLS_SIGN_EDDSA_ED448,
	};
	gnutls_datum_t data = {(unsigned char *)"data", 4}, signature = {NULL, 0};

	if (_i == K256)
		return;
	put_certificate(&cert, (enum kind)_i);
	pkcs8(&key, keys[_i]);
	ck_usable(load(""));
	ck_assert_int_eq(load_ours(), MTLS_USABLE);
	ck_assert_int_eq(ours->type, KIND[_i].type);
	ck_assert_int_ge(gnutls_privkey_sign_data2(ours->key, algorithms[_i], 0, &data, &signature), 0);
	ck_assert_int_ge(gnutls_pubkey_verify_data2(ours->cert[0].pubkey, algorithms[_i], 0, &data, &signature), 0);
	gnutls_free(signature.data);
}
END_TEST

START_TEST(references)
{
	struct gtls_identity *id;

	load("");
	load_ours();
	id = ours;
	gtls_identity_keep(id);
	gtls_identity_keep(id);
	gtls_identity_drop(&linked, id);
	gtls_identity_drop(&linked, id);
	ck_assert_uint_eq(atomic_load(&id->references), 1);
	ck_assert_str_eq(id->subject, "CN=unit");
	gtls_identity_drop(&linked, NULL);
}
END_TEST

START_TEST(what_the_caller_may_leave_out)
{
	encode(AES_8, P256, mtls_bytes_of(PASS));
	load("wrong");
	ck_assert_int_eq(gtls_identity_load(&linked, &blocks, &ours, NULL), MTLS_PASSPHRASE_WRONG);
	ck_assert_ptr_null(ours);
	pkcs8(&key, keys[P256]);
	load("");
	blocks.pass_lost = true;
	ck_assert_int_eq(load_ours(), MTLS_PASSPHRASE_MISSING);
	blocks = (struct mtls_blocks){.cert = {cert.b}, .n_certs = 1, .key_form = MTLS_KEY_NONE};
	ck_assert_int_eq(load_ours(), MTLS_USABLE);
	ck_assert_ptr_null(ours->key);
}
END_TEST

/* --- what is left in memory ----------------------------------------------- */

static struct {
	unsigned char secret[16];
	volatile int freed;
} left;

/* By address; where two meet, one is not looked at. */
static struct {
	const void *p;
	size_t n;
} held[1 << 16];

static unsigned place(const void *p)
{
	return (unsigned)((uintptr_t)p >> 4) % COUNT(held);
}

static void hold(const volatile void *p, size_t n)
{
	held[place((const void *)p)].p = (const void *)p;
	held[place((const void *)p)].n = n;
}

static void look(const volatile void *p)
{
	const void *memory = (const void *)p;

	if (memory && held[place(memory)].p == memory &&
	    memmem(memory, held[place(memory)].n, left.secret, sizeof(left.secret)))
		left.freed++;
}

/* Every block that is freed, by us or by GnuTLS, without the key's number. */
START_TEST(nothing_of_the_key_is_left)
{
	volatile unsigned char *control; /* or the compiler leaves it out */

	traditional(&key, keys[P256], NULL, mtls_bytes_of(""));
	unpack_pem(&der, &key);
	memcpy(left.secret, der.b.p + 7 + 8, sizeof(left.secret)); /* of "30 n 02 01 01 04 20" and the number */
	encode((enum encoding)_i, P256, mtls_bytes_of(PASS));
	load(PASS);
	__sanitizer_install_malloc_and_free_hooks(hold, look);
	load_ours();
	drop_ours();
	ck_assert_int_eq(left.freed, 0);
	control = malloc(sizeof(left.secret));
	for (size_t i = 0; i < sizeof(left.secret); i++)
		control[i] = left.secret[i];
	free((void *)control);
	ck_assert_int_eq(left.freed, 1);
}
END_TEST

/* --- damage --------------------------------------------------------------- */

static int tried, usable;

/* libcrypto hashes what it would write, GnuTLS what was read: another thing where that is not DER. */
static bool is_der(void)
{
	unsigned char *bytes = NULL;
	int n = i2d_X509(identity->leaf, &bytes);
	bool equal = n == (int)ours->cert[0].cert.size && memcmp(bytes, ours->cert[0].cert.data, (size_t)n) == 0;

	OPENSSL_free(bytes);
	return equal;
}

/* Both parsers on the same damaged bytes: neither may crash, and where both take them they agree. */
static void judge(bool in_name)
{
	enum mtls_reason theirs = load(PASS), r = load_ours();

	tried++;
	if (theirs != MTLS_USABLE || r != MTLS_USABLE)
		return;
	usable++;
	ck_assert_int_eq(ours->type, identity->type);
	if (is_der())
		ck_assert_str_eq(ours->sha256, identity->sha256);
	if (!in_name)
		ck_assert_str_eq(ours->subject, identity->subject);
}

static void damage_each_byte(struct text *file, const char *label, size_t step)
{
	static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
	struct text whole;
	size_t name;

	unpack_pem(&whole, file);
	name = file == &cert ? (size_t)((unsigned char *)memmem(whole.room, whole.b.n, "unit", 4) - whole.room) : 0;
	for (size_t n = 1; n < whole.b.n; n += step) {
		take(&der, whole.b.p, n);
		put_pem(file, label, "", &der);
		judge(false);
	}
	for (size_t n = 0; n < whole.b.n; n += step)
		for (int i = 0; i < COUNT(flips); i++) {
			take(&der, whole.b.p, whole.b.n);
			der.room[n] ^= flips[i];
			put_pem(file, label, "", &der);
			judge(n + 16 > name &&
			      n < name + 64); /* issuer, validity, subject: another text, in each one's way */
		}
}

static const struct {
	enum encoding encoding;
	enum kind kind;
	const char *label; /* NULL: the certificate */
	size_t step;
} DAMAGED[] = {
	{PLAIN_8, P256, NULL, 1},
	{PLAIN_8, RSA_2048, NULL, 7},
	{PLAIN_8, PSS_2048, NULL, 11},
	{PLAIN_8, ED_448, NULL, 2},
	{PLAIN_8, P256, "PRIVATE KEY", 1},
	{PLAIN_8, RSA_2048, "PRIVATE KEY", 11},
	{PLAIN_8, PSS_2048, "PRIVATE KEY", 13},
	{PLAIN_8, ED_25519, "PRIVATE KEY", 1},
	{PLAIN_8, ED_448, "PRIVATE KEY", 1},
	{PLAIN_1, P256, "EC PRIVATE KEY", 1},
	{PLAIN_1, RSA_2048, "RSA PRIVATE KEY", 11},
	{AES_8, P256, "ENCRYPTED PRIVATE KEY", 1},
	{SHA512_8, RSA_2048, "ENCRYPTED PRIVATE KEY", 13},
	{PBE_DES3_8, P256, "ENCRYPTED PRIVATE KEY", 1},
};

START_TEST(each_byte)
{
	encode(DAMAGED[_i].encoding, DAMAGED[_i].kind, mtls_bytes_of(PASS));
	witness = NULL;
	if (DAMAGED[_i].label)
		damage_each_byte(&key, DAMAGED[_i].label, DAMAGED[_i].step);
	else
		damage_each_byte(&cert, "CERTIFICATE", DAMAGED[_i].step);
	ck_assert_int_gt(tried, 100);
	ck_assert_int_gt(usable, 0);
}
END_TEST

Suite *gnutls_identity_suite(void)
{
	Suite *s = same_suite();
	TCase *t = tcase_create("GnuTLS");

	witness = compare;
	tcase_add_unchecked_fixture(t, make_keys, free_keys);
	tcase_add_checked_fixture(t, setup, drop_ours);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, what_of_each_encoding, 0, ENCODINGS);
	tcase_add_test(t, explicit_curve_parameters);
	tcase_add_test(t, a_passphrase_that_is_not_normalised);
	tcase_add_test(t, parameters_left_out);
	tcase_add_test(t, a_nul_where_gnutls_takes_a_string);
	tcase_add_test(t, lengths_of_elements);
	tcase_add_loop_test(t, names_in_a_subject, 0, 3);
	tcase_add_test(t, what_gnutls_is_given);
	tcase_add_loop_test(t, the_key_signs, 0, OTHER_P256);
	tcase_add_test(t, references);
	tcase_add_test(t, what_the_caller_may_leave_out);
	tcase_add_loop_test(t, nothing_of_the_key_is_left, 0, ENCODINGS);
	tcase_add_loop_test(t, each_byte, 0, COUNT(DAMAGED));
	suite_add_tcase(s, t);
	return s;
}
