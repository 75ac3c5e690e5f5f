/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/vault/identity.c, key.c, unlock.c, block.c. All that tests/unit/test_identity.c and test_identity_refused.c
 * give to libcrypto's parser is given to mbedTLS's too, and the answers are compared; then damage byte by byte.
 */
#include "device.h"
#include "suites.h"

#include "firmware/vault/identity.h"
#include "firmware/vault/random.h"

#define identity_suite   same_suite
#define identity_refused same_refused
#include "tests/unit/test_identity.c"
#include "tests/unit/test_identity_refused.c"

static struct device device;
static struct vault_identity *ours;
static struct mtls_error our_error;

static void start(void)
{
	device_make(&device, 4, vault_seed);
	ck_assert(vault_random_start(&device.board));
}

static enum mtls_reason load_ours(void)
{
	void *made = (void *)"not touched";
	enum mtls_reason r;

	if (!device.ram.bytes) /* in each test's process */
		start();
	vault_parser.unload(NULL, ours);
	r = vault_parser.load(NULL, &blocks, &made, &our_error);
	ours = made;
	ck_assert_int_eq(our_error.reason, r);
	ck_assert((ours != NULL) == (r == MTLS_USABLE));
	return r;
}

static void drop_ours(void)
{
	vault_parser.unload(NULL, ours);
	ours = NULL;
	teardown();
}

/* --- the same answers ----------------------------------------------------- */

/* What mbedTLS cannot do; how the detail of its key-unsupported begins. */
static const char *const CANNOT[] = {
	"encrypted with scrypt",
	"encrypted with AES-128-CFB",
	"encrypted with ID-AES128-GCM",
	"PKCS#12's encryption with a passphrase that is long or not ASCII",
	"secp256k1 is a curve",
	"Ed25519 key",
	"Ed448 key",
	"RSASSA-PSS key",
	"certificate 1 has a k",
	"certificate 2 has a k",
	"certificate 1 is signed in a way",
};

static bool may_differ(enum mtls_reason theirs, enum mtls_reason r)
{
	for (int i = 0; r == MTLS_KEY_UNSUPPORTED && i < COUNT(CANNOT); i++)
		if (strncmp(our_error.detail, CANNOT[i], strlen(CANNOT[i])) == 0)
			return true;
	/* RFC 5280 4.1.2.4: an issuer has a name. */
	return theirs == MTLS_USABLE && r == MTLS_CERTIFICATE_MALFORMED &&
	       X509_NAME_entry_count(X509_get_issuer_name(identity->leaf)) == 0;
}

static void compare(enum mtls_reason theirs)
{
	enum mtls_reason r;
	enum mtls_part part;

	if (blocks.key_form == MTLS_KEY_NONE) /* there is no agent on a device */
		return;
	r = load_ours();
	part = our_error.part == MTLS_KEY_FORM ? MTLS_KEY : our_error.part; /* it tells them apart, we do not */
	if (r != theirs || part != error.part)
		ck_assert_msg(may_differ(theirs, r), "libcrypto: %s (%s), mbedTLS: %s (%s)", mtls_reason_word(theirs),
			      error.detail, mtls_reason_word(r), our_error.detail);
	else if (r == MTLS_USABLE)
		ck_assert_int_eq(ours->type, identity->type);
	vault_parser.unload(NULL, ours);
	ours = NULL;
}

/* --- damage --------------------------------------------------------------- */

static int tried, usable;

/* Both parsers on the same damaged bytes: neither may crash, and where both take them they agree. */
static void judge(void)
{
	enum mtls_reason theirs = load(PASS), r = load_ours();

	tried++;
	if (theirs != MTLS_USABLE || r != MTLS_USABLE)
		return;
	usable++;
	ck_assert_int_eq(ours->type, identity->type);
}

static void damage_each_byte(struct text *file, const char *label, size_t step)
{
	static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
	struct text whole;

	unpack_pem(&whole, file);
	for (size_t n = 1; n < whole.b.n; n += step) {
		take(&der, whole.b.p, n);
		put_pem(file, label, "", &der);
		judge();
	}
	for (size_t n = 0; n < whole.b.n; n += step)
		for (int i = 0; i < COUNT(flips); i++) {
			take(&der, whole.b.p, whole.b.n);
			der.room[n] ^= flips[i];
			put_pem(file, label, "", &der);
			judge();
		}
}

static const struct {
	enum encoding encoding;
	enum kind kind;
	const char *label; /* NULL: the certificate */
	size_t step;
} DAMAGED[] = {
	{PLAIN_8, P256, NULL, 2},
	{PLAIN_8, RSA_2048, NULL, 11},
	{PLAIN_8, P256, "PRIVATE KEY", 2},
	{PLAIN_8, RSA_2048, "PRIVATE KEY", 29},
	{PLAIN_1, P256, "EC PRIVATE KEY", 2},
	{PLAIN_1, RSA_2048, "RSA PRIVATE KEY", 29},
	{AES_8, P256, "ENCRYPTED PRIVATE KEY", 2},
	{PBE_DES3_8, P256, "ENCRYPTED PRIVATE KEY", 2},
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
	ck_assert(usable > 0 || DAMAGED[_i].label); /* in a certificate's name, say */
}
END_TEST

/* --- what is left in memory ----------------------------------------------- */

START_TEST(nothing_of_the_key_is_left)
{
	static struct secrets secrets;

	secrets_add_key(&secrets, keys[P256]);
	secrets_add(&secrets, PASS, strlen(PASS));
	encode((enum encoding)_i, P256, mtls_bytes_of(PASS));
	load(PASS);
	secrets_watch(&secrets);
	load_ours();
	drop_ours();
	ck_assert_msg(!secrets_seen(), "%s", secrets_seen());
	secrets_watch(NULL);
}
END_TEST

/* --- no memory -------------------------------------------------------------- */

/* mbedTLS's reader of keys does not always tell that from a key that it cannot read. */

START_TEST(memory_that_ends)
{
	enum mtls_reason r, all;
	unsigned k = 0;

	encode((enum encoding)_i, P256, mtls_bytes_of(PASS));
	witness = NULL;
	load(PASS);
	all = load_ours();
	do {
		memory_ends(++k);
		r = load_ours();
		ck_assert_msg(r == all || r == MTLS_UNREADABLE || r == MTLS_KEY_MALFORMED, "allocation %u: %s (%s)", k,
			      mtls_reason_word(r), our_error.detail);
	} while (memory_ends(0) >= k);
	ck_assert_uint_gt(k, 10);
}
END_TEST

static void stop(void)
{
	drop_ours();
	vault_random_stop();
	flash_ram_free(&device.ram);
}

Suite *parser_suite(void)
{
	Suite *s = same_suite();
	TCase *t = tcase_create("mbedTLS");

	witness = compare;
	tcase_add_unchecked_fixture(t, make_keys, free_keys);
	tcase_add_checked_fixture(t, setup, stop);
	tcase_set_timeout(t, 240);
	tcase_add_loop_test(t, each_byte, 0, COUNT(DAMAGED));
	tcase_add_loop_test(t, nothing_of_the_key_is_left, 0, ENCODINGS);
	tcase_add_loop_test(t, memory_that_ends, 0, ENCODINGS);
	suite_add_tcase(s, t);
	return s;
}
