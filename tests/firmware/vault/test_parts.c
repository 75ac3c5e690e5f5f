/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault's parts by themselves, where a whole boot does not reach their corners: lists of entries, PEM blocks, DER,
 * commit marks, outcomes, names, the seal (whose values are libcrypto's).
 */
#include "device.h"
#include "suites.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "core/settings.h"
#include "firmware/vault/block.h"
#include "firmware/vault/der.h"
#include "firmware/vault/flash.h"
#include "firmware/vault/key.h"
#include "firmware/vault/name.h"
#include "firmware/vault/payload.h"
#include "firmware/vault/seal.h"

#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* --- lists of entries ------------------------------------------------------------------------ */

static unsigned char room[64];
static struct vault_payload list;

static void empty(void)
{
	list = (struct vault_payload){room, 0, sizeof(room)};
	memset(room, 0xee, sizeof(room));
}

static void add(unsigned tag, const char *value)
{
	unsigned char *p = vault_payload_add(&list, tag, strlen(value));

	ck_assert_ptr_nonnull(p);
	memcpy(p, value, strlen(value));
}

static void ck_entry(unsigned tag, const char *value)
{
	struct mtls_bytes found;

	ck_assert_int_eq(vault_payload_find(&list, tag, &found), value != NULL);
	if (!value)
		return;
	ck_assert(mtls_bytes_equal(found, mtls_bytes_of(value)));
	ck_assert_int_eq(found.p[found.n], 0);
}

static void ck_wiped(void)
{
	for (size_t i = list.n; i < sizeof(room); i++)
		ck_assert(room[i] == 0xee || room[i] == 0);
}

START_TEST(entries)
{
	empty();
	ck_assert(vault_payload_valid(&list));
	ck_entry(1, NULL);
	add(1, "one");
	add(0, "zero");
	add(3, "");
	ck_assert(vault_payload_valid(&list));
	ck_entry(1, "one");
	ck_entry(0, "zero");
	ck_entry(3, "");
	vault_payload_shorten(&list, 1, 2);
	ck_entry(1, "on");
	ck_entry(0, "zero");
	ck_wiped();
	vault_payload_shorten(&list, 1, 5);
	vault_payload_shorten(&list, 7, 0);
	ck_entry(1, "on");
	vault_payload_remove(&list, 1);
	vault_payload_remove(&list, 1);
	ck_entry(1, NULL);
	ck_entry(0, "zero");
	ck_wiped();
	vault_payload_remove(&list, 3);
	vault_payload_remove(&list, 0);
	ck_assert_uint_eq(list.n, 0);
	ck_wiped();
	vault_payload_wipe(&list);
	for (size_t i = 0; i < sizeof(room); i++)
		ck_assert_int_eq(room[i], 0);
}
END_TEST

START_TEST(room_of_a_list)
{
	empty();
	ck_assert_ptr_null(vault_payload_add(&list, 1, sizeof(room) - VAULT_ENTRY + 1));
	ck_assert_ptr_null(vault_payload_add(&list, 1, SIZE_MAX));
	ck_assert_ptr_nonnull(vault_payload_add(&list, 1, sizeof(room) - VAULT_ENTRY));
	ck_assert_uint_eq(list.n, sizeof(room));
	ck_assert_ptr_null(vault_payload_add(&list, 2, 0));
	ck_assert(vault_payload_valid(&list));
}
END_TEST

START_TEST(lists_that_are_none)
{
	unsigned char whole[64];
	size_t n;

	empty();
	add(1, "one");
	add(2, "two");
	n = list.n;
	memcpy(whole, room, n);
	for (list.n = 1; list.n < n; list.n++)
		ck_assert_int_eq(vault_payload_valid(&list), list.n == n / 2);
	list.n = n;
	room[n / 2] = 1; /* twice */
	ck_assert(!vault_payload_valid(&list));
	room[n / 2] = VAULT_TAGS;
	ck_assert(!vault_payload_valid(&list));
	memcpy(room, whole, n);
	room[VAULT_ENTRY - 1 + 3] = 'x'; /* the NUL */
	ck_assert(!vault_payload_valid(&list));
	memcpy(room, whole, n);
	memset(room + 1, 0xff, 4);
	ck_assert(!vault_payload_valid(&list));
	ck_entry(2, NULL);
}
END_TEST

START_TEST(outcomes)
{
	static unsigned char buffer[512];
	static const unsigned char id[VAULT_ID] = {1, 2, 3};
	struct vault_payload l = {buffer, 0, VAULT_NOTES_SIZE};
	struct vault_outcome out, in = {.refused = true};
	struct mtls_bytes found;

	vault_payload_outcome(&l, &out);
	ck_assert(!out.refused && out.error.reason == MTLS_NO_CREDENTIAL);
	for (int i = 0; i < MTLS_REASONS; i++) {
		mtls_fail(&in.error, (enum mtls_reason)i, MTLS_CONF, mtls_bytes_of(i % 2 ? "" : "a detail"));
		in.error.setting = i % 3 ? mtls_setting_key((enum mtls_setting)(i % MTLS_SETTINGS)) : NULL;
		in.error.line = (unsigned)i * 70000;
		ck_assert(vault_payload_note(&l, id, &in));
		ck_assert(vault_payload_valid(&l));
		ck_assert(vault_payload_find(&l, VAULT_TAG_UPLOAD, &found) && found.n == VAULT_ID);
		vault_payload_outcome(&l, &out);
		ck_assert(out.refused && out.error.reason == in.error.reason && out.error.part == MTLS_CONF);
		ck_assert(out.error.setting == in.error.setting && out.error.line == in.error.line);
		ck_assert_str_eq(out.error.detail, in.error.detail);
	}
	memset(in.error.detail, 'x', sizeof(in.error.detail) - 1);
	ck_assert(vault_payload_note(&l, id, &in)); /* the longest has room */
	vault_payload_outcome(&l, &out);
	ck_assert_str_eq(out.error.detail, in.error.detail);
	/* A word from another firmware; then no sense at all. */
	ck_assert(vault_payload_find(&l, VAULT_TAG_OUTCOME, &found));
	buffer[found.p - buffer + 7] = '?';
	vault_payload_outcome(&l, &out);
	ck_assert(out.refused && out.error.reason == MTLS_UNREADABLE);
	memset(buffer + (found.p - buffer) + 7, 'z', found.n - 7);
	vault_payload_outcome(&l, &out);
	ck_assert_str_eq(out.error.detail, "");
	vault_payload_shorten(&l, VAULT_TAG_OUTCOME, 3);
	vault_payload_outcome(&l, &out);
	ck_assert(!out.refused);
	l.max = l.n - 1;
	ck_assert(!vault_payload_note(&l, id, &in));
}
END_TEST

/* --- PEM ---------------------------------------------------------------------------------------- */

START_TEST(blocks)
{
	static unsigned char der_bytes[400], text[800], back[800];
	struct mtls_pem pem;
	struct vault_heap heap;
	size_t frame = strlen("-----BEGIN X-----\n-----END X-----"), n, one_line;

	for (size_t i = 0; i < sizeof(der_bytes); i++)
		der_bytes[i] = (unsigned char)(i * 37);
	for (size_t size = 1; size < 200; size++) {
		struct mtls_bytes der = {der_bytes, size};

		one_line = frame + (size + 2) / 3 * 4 + 1;
		ck_assert_uint_eq(vault_block_encode("X", der, text, one_line - 1), 0);
		for (size_t space = one_line; space < one_line + 6; space++) {
			memset(text, 0xee, sizeof(text));
			n = vault_block_encode("X", der, text, space);
			ck_assert_uint_le(n, space);
			ck_assert_int_eq(text[n], 0xee);
			ck_assert_int_eq(vault_block_decode((struct mtls_bytes){text, n}, &pem, &heap), 0);
			ck_assert(mtls_bytes_equal(der, (struct mtls_bytes){heap.p, heap.n}));
			vault_heap_free(&heap);
		}
		n = (size_t)EVP_EncodeBlock(back, der_bytes, (int)size);
		ck_assert_ptr_nonnull(size > 48 ? text : memmem(text, sizeof(text), back, n));
	}
	ck_assert_uint_eq(vault_block_encode("X", (struct mtls_bytes){der_bytes, 0}, text, 800), 0);
}
END_TEST

START_TEST(blocks_that_are_none)
{
	static const char *const texts[] = {
		"",
		"-----BEGIN X-----\n",
		"-----BEGIN X-----\nAA\n-----END X-----\n",
		"-----BEGIN X-----\nAAAA\n-----END Y-----\n",
		"-----BEGIN X-----\nA=AA\n-----END X-----\n",
		"-----BEGIN X-----\n\n-----END X-----\n",
	};
	struct vault_heap heap;
	struct mtls_pem pem;

	for (int i = 0; i < COUNT(texts); i++) {
		ck_assert_int_ne(vault_block_decode(mtls_bytes_of(texts[i]), &pem, &heap), 0);
		ck_assert_ptr_null(heap.p);
		vault_heap_free(&heap);
	}
}
END_TEST

/* --- DER -------------------------------------------------------------------------------------------- */

START_TEST(numbers_in_der)
{
	static const struct {
		const char *der;
		size_t n;
		bool ok;
		uint32_t number;
	} numbers[] = {
		{"\x02\x01\x00", 3, true, 0},
		{"\x02\x02\x27\x10", 4, true, 10000},
		{"\x02\x05\x00\xff\xff\xff\xff", 7, true, UINT32_MAX},
		{"\x02\x05\x01\x00\x00\x00\x00", 7, true, UINT32_MAX},
		{"\x02\x0a\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12, true, UINT32_MAX},
		{"\x02\x01\x80", 3, false, 0},
		{"\x02\x00", 2, false, 0},
		{"\x02\x02\x27", 3, false, 0},
		{"\x04\x01\x00", 3, false, 0},
		{"", 0, false, 0},
	};

	for (int i = 0; i < COUNT(numbers); i++) {
		unsigned char *exact = malloc(numbers[i].n + !numbers[i].n); /* so that reading behind it is seen */
		struct mtls_bytes rest = {exact, numbers[i].n};
		uint32_t number = 7;

		memcpy(exact, numbers[i].der, numbers[i].n);
		ck_assert_int_eq(der_number(&rest, &number), numbers[i].ok);
		ck_assert_uint_eq(number, numbers[i].ok ? numbers[i].number : 7);
		free(exact);
	}
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *oid;
		size_t n;
		const char *name;
	} some[] = {
		{"\x2b\x65\x70", 3, "Ed25519"},
		{"\x2b\x81\x04\x00\x0a", 5, "secp256k1"},
		{"\x2a\x03\x04", 3, "1.2.3.4"},
		{"\x2a\x80", 2, "an algorithm without a name"},
		{"", 0, "an algorithm without a name"},
		{"\x2a\x8f\xff\xff\xff\x7f\x8f\xff\xff\xff\x7f\x8f\xff\xff\xff\x7f\x8f\xff\xff\xff\x7f", 21,
		 "an algorithm without a name"},
	};
	char name[VAULT_NAME];

	for (int i = 0; i < COUNT(some); i++) {
		vault_name((struct mtls_bytes){(const unsigned char *)some[i].oid, some[i].n}, name);
		ck_assert_str_eq(name, some[i].name);
	}
}
END_TEST

START_TEST(errors_of_memory)
{
	static const int no_memory[] = {MBEDTLS_ERR_PK_ALLOC_FAILED, MBEDTLS_ERR_PEM_ALLOC_FAILED,
					MBEDTLS_ERR_MPI_ALLOC_FAILED,
					MBEDTLS_ERR_PK_KEY_INVALID_FORMAT + MBEDTLS_ERR_ASN1_ALLOC_FAILED};
	static const int others[] = {0, MBEDTLS_ERR_PK_KEY_INVALID_FORMAT, MBEDTLS_ERR_PEM_INVALID_DATA,
				     MBEDTLS_ERR_PK_KEY_INVALID_FORMAT + MBEDTLS_ERR_ASN1_OUT_OF_DATA};

	for (int i = 0; i < COUNT(no_memory); i++)
		ck_assert(vault_no_memory(no_memory[i]));
	for (int i = 0; i < COUNT(others); i++)
		ck_assert(!vault_no_memory(others[i]));
}
END_TEST

/* --- commit marks -------------------------------------------------------------------------------------- */

/* Only the whole mark counts: not with any one of its bits not programmed. */
START_TEST(marks)
{
	struct device d;
	enum vault_mark mark;
	uint8_t whole[VAULT_ALIGN];
	unsigned torn = 0;

	device_make(&d, 32, vault_seed);
	ck_assert(vault_flash_mark_read(&d.board.flash, 0, &mark) && mark == VAULT_MARK_NONE);
	ck_assert(vault_flash_mark_set(&d.board.flash, 0));
	ck_assert(vault_flash_mark_read(&d.board.flash, 0, &mark) && mark == VAULT_MARK_SET);
	ck_assert(!vault_flash_mark_set(&d.board.flash, 0));
	memcpy(whole, d.ram.bytes, sizeof(whole));
	for (unsigned bit = 0; bit < 8 * VAULT_ALIGN; bit++) {
		d.ram.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert(vault_flash_mark_read(&d.board.flash, 0, &mark));
		ck_assert_int_eq(mark, VAULT_MARK_TORN);
		torn++;
		memcpy(d.ram.bytes, whole, sizeof(whole));
	}
	ck_assert_uint_eq(torn, 256);
	device_free(&d);
}
END_TEST

/* --- the seal --------------------------------------------------------------------------------------------- */

static void hkdf(const unsigned char *key, const unsigned char *salt, const char *info, size_t n, unsigned char *out,
		 size_t size)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

	ck_assert_int_gt(EVP_PKEY_derive_init(c), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_set1_hkdf_key(c, key, BOARD_KEY), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_set1_hkdf_salt(c, salt, VAULT_SALT), 0);
	ck_assert_int_gt(EVP_PKEY_CTX_add1_hkdf_info(c, (const unsigned char *)info, (int)n), 0);
	ck_assert_int_gt(EVP_PKEY_derive(c, out, &size), 0);
	EVP_PKEY_CTX_free(c);
}

START_TEST(sealed_as_documented)
{
	static const unsigned char salt[VAULT_SALT] = {9, 8, 7}, header[] = "additional";
	unsigned char text[100 + VAULT_TAG], plain[100], expected[100], tag[VAULT_TAG], derived[44];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	struct device d;
	struct vault_seal s = {&d.board, salt, 0x01020304, header, sizeof(header)};
	int n;

	device_make(&d, 4, vault_seed);
	memset(plain, 0x37, sizeof(plain));
	memcpy(text, plain, sizeof(plain));
	ck_assert_int_eq(vault_seal(&s, text, sizeof(plain)), VAULT_OK);
	hkdf(d.key, salt, "mtls-run store v1\x04\x03\x02\x01", 21, derived, sizeof(derived));
	EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, derived, derived + 32);
	EVP_EncryptUpdate(c, NULL, &n, header, sizeof(header));
	EVP_EncryptUpdate(c, expected, &n, plain, sizeof(plain));
	EVP_EncryptFinal_ex(c, expected + n, &n);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, VAULT_TAG, tag);
	EVP_CIPHER_CTX_free(c);
	ck_assert_mem_eq(text, expected, sizeof(expected));
	ck_assert_mem_eq(text + sizeof(plain), tag, VAULT_TAG);
	s.generation++;
	ck_assert_int_eq(vault_unseal(&s, text, sizeof(plain)), VAULT_DAMAGED);
	memset(plain, 0, sizeof(plain));
	ck_assert_mem_eq(text, plain, sizeof(plain));
	s.generation--;
	memcpy(text, expected, sizeof(expected));
	ck_assert_int_eq(vault_unseal(&s, text, sizeof(plain)), VAULT_OK);
	memset(plain, 0x37, sizeof(plain));
	ck_assert_mem_eq(text, plain, sizeof(plain));
	device_free(&d);
}
END_TEST

Suite *parts_suite(void)
{
	Suite *s = suite_create("parts");
	TCase *t = tcase_create("parts");

	tcase_add_test(t, entries);
	tcase_add_test(t, room_of_a_list);
	tcase_add_test(t, lists_that_are_none);
	tcase_add_test(t, outcomes);
	tcase_add_test(t, blocks);
	tcase_add_test(t, blocks_that_are_none);
	tcase_add_test(t, numbers_in_der);
	tcase_add_test(t, names);
	tcase_add_test(t, errors_of_memory);
	tcase_add_test(t, marks);
	tcase_add_test(t, sealed_as_documented);
	suite_add_tcase(s, t);
	return s;
}
