/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads as transactions: what is put together with what is stored, what is refused, that the old credential then
 * stays, and that nothing is left in memory. test_files.c has what may be in the files.
 */
#include "suites.h"
#include "transaction.h"

#include <mbedtls/x509_crt.h>

/* --- what is stored ------------------------------------------------------------------------ */

START_TEST(nothing_yet)
{
	ck_boot(&device);
	ck_state(MTLS_NO_CREDENTIAL);
	ck_assert_uint_eq(device_status().generation, 0);
	ck_assert(!device_status().refused && !device_status().has_ca);
	ck_assert_int_eq(device_status().upload.reason, MTLS_NO_CREDENTIAL);
	ck_assert(device_signs_nothing());
	for (int i = 0; i < VAULT_FILES; i++)
		ck_assert_uint_eq(vault_file((enum vault_file)i).n, 0);
}
END_TEST

START_TEST(all_files)
{
	struct mtls_bytes conf;
	mbedtls_x509_crt chain;

	ck_taken(&credentials[OLD].upload, MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
	ck_assert(device_status().has_ca);
	conf = vault_file(VAULT_CONF);
	ck_assert(mtls_bytes_equal(conf, mtls_bytes_of(CONF)));
	ck_assert_int_eq(conf.p[conf.n], 0);
	ck_assert_uint_eq(vault_file(VAULT_KEY).n, 0);
	ck_assert_uint_eq(vault_file(VAULT_PASS).n, 0);
	mbedtls_x509_crt_init(&chain);
	ck_assert_int_eq(mbedtls_x509_crt_parse(&chain, vault_file(VAULT_CERT).p, vault_file(VAULT_CERT).n + 1), 0);
	ck_assert_ptr_nonnull(chain.next);
	ck_assert_ptr_null(chain.next->next);
	mbedtls_x509_crt_free(&chain);
	ck_taken(&credentials[NEW].upload, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
}
END_TEST

static const struct {
	uint32_t word, erase, size;
} GEOMETRIES[] = {
	{1, 512, 512 << 10},   {2, 4096, 512 << 10},  {4, 16384, 1 << 20},   {8, 65536, 1 << 20},
	{16, 8192, 512 << 10}, {32, 131072, 1 << 20}, {32, 262144, 1 << 20},
};

START_TEST(geometries)
{
	device_free(&device);
	device_make(&device, GEOMETRIES[_i].word, vault_seed);
	flash_ram_free(&device.ram);
	ck_assert(flash_ram_make(&device.ram, GEOMETRIES[_i].size, GEOMETRIES[_i].erase, GEOMETRIES[_i].word));
	device.board.flash.size = GEOMETRIES[_i].size;
	device.board.flash.erase = GEOMETRIES[_i].erase;
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_taken(&credentials[OLD].upload, MTLS_USABLE);
	ck_taken(&credentials[NEW].upload, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
}
END_TEST

START_TEST(a_flash_that_is_too_small)
{
	static const struct {
		uint32_t size, erase, word;
	} bad[] = {{256 << 10, 4096, 4},  {512 << 10, 4096, 64},        {512 << 10, 4096, 0}, {512 << 10, 256, 4},
		   {512 << 10, 4096, 12}, {(512 << 10) + 512, 4096, 4}, {4096, 8192, 4}};

	for (int i = 0; i < COUNT(bad); i++) {
		device.board.flash.size = bad[i].size;
		device.board.flash.erase = bad[i].erase;
		device.board.flash.word = bad[i].word;
		ck_assert_int_eq(device_boot(&device), VAULT_FLASH);
		ck_state(MTLS_UNREADABLE);
		ck_assert_int_eq(device_status().result, VAULT_FLASH);
		ck_assert_int_eq(vault_begin(), VAULT_FLASH);
		ck_assert_int_eq(vault_put(VAULT_CERT, "x", 1), VAULT_OUT_OF_ORDER);
		ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
		ck_assert_uint_eq(vault_file(VAULT_CERT).n, 0);
	}
}
END_TEST

/* --- transactions ----------------------------------------------------------------------------- */

START_TEST(a_renewed_certificate)
{
	struct upload u;

	cert.b.n = 0;
	add_certificate(&cert, certificate_of(credentials[OLD].key, "renewed"));
	u = one(VAULT_CERT, cert.b);
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
	ck_assert_ptr_null(memmem(vault_file(VAULT_CERT).p, vault_file(VAULT_CERT).n, "INTERMEDIATE", 12));
	ck_assert_uint_le(vault_file(VAULT_CERT).n, cert.b.n);
	ck_assert(device_status().has_ca);
	ck_assert(mtls_bytes_equal(vault_file(VAULT_CONF), mtls_bytes_of(CONF)));
}
END_TEST

START_TEST(a_key_alone)
{
	struct upload u;

	pkcs8(&key, credentials[OLD].key);
	u = one(VAULT_KEY, key.b);
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
	/* Its passphrase came with it, and is not kept. */
	u = one(VAULT_KEY, credentials[OLD].key_file.b);
	ck_refused(&u, MTLS_PASSPHRASE_MISSING, MTLS_PASS, "");
	u.file[VAULT_PASS] = mtls_bytes_of(OLD_PASS);
	ck_taken(&u, MTLS_USABLE);
	u = one_text(VAULT_PASS, "any");
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
}
END_TEST

START_TEST(not_a_pair)
{
	struct upload u = one(VAULT_CERT, credentials[NEW].cert.b);

	ck_refused(&u, MTLS_PAIR_MISMATCH, MTLS_KEY, "");
	pkcs8(&key, credentials[NEW].key);
	u = one(VAULT_KEY, key.b);
	ck_refused(&u, MTLS_PAIR_MISMATCH, MTLS_KEY, "");
	u = credentials[NEW].upload;
	u.file[VAULT_CERT] = credentials[OLD].cert.b;
	ck_refused(&u, MTLS_PAIR_MISMATCH, MTLS_KEY, "");
	ck_taken(&credentials[NEW].upload, MTLS_USABLE);
}
END_TEST

START_TEST(removal)
{
	static const char *const blanks[] = {"", " \r\n\t", "\xef\xbb\xbf"};
	struct upload u = one_text(VAULT_CERT, blanks[_i]);

	u.file[VAULT_KEY] = u.file[VAULT_PASS] = mtls_bytes_of(blanks[_i]);
	ck_taken(&u, MTLS_REMOVED);
	ck_assert(device_signs_nothing());
	ck_assert_uint_eq(vault_file(VAULT_CERT).n, 0);
	ck_assert(device_status().has_ca);
	ck_boot(&device);
	ck_state(MTLS_REMOVED);
	u = one_text(VAULT_CA, blanks[_i]);
	ck_taken(&u, MTLS_REMOVED);
	ck_assert(!device_status().has_ca);
	ck_taken(&credentials[NEW].upload, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
}
END_TEST

START_TEST(half_a_removal)
{
	struct upload u = one(VAULT_CERT, EMPTY);

	ck_refused(&u, MTLS_CERTIFICATE_MISSING, MTLS_CERT, "");
	u = one(VAULT_KEY, EMPTY);
	ck_refused(&u, MTLS_KEY_MISSING, MTLS_KEY, "");
	u.file[VAULT_CERT] = credentials[NEW].cert.b;
	ck_refused(&u, MTLS_KEY_MISSING, MTLS_KEY, "");
}
END_TEST

START_TEST(no_credential_in_it)
{
	struct upload u = one(VAULT_CA, credentials[OLD].ca.b);

	ck_taken(&u, MTLS_NO_CREDENTIAL);
	ck_assert(device_status().has_ca);
	u = one_text(VAULT_PASS, OLD_PASS);
	ck_taken(&u, MTLS_NO_CREDENTIAL);
	u = (struct upload){{{NULL, 0}}};
	ck_taken(&u, MTLS_NO_CREDENTIAL);
	u = one(VAULT_CERT, credentials[OLD].cert.b);
	ck_install(&device, &u);
	ck_assert(device_status().refused);
	ck_assert_int_eq(device_status().upload.reason, MTLS_KEY_MISSING);
	ck_state(MTLS_NO_CREDENTIAL);
	ck_taken(&credentials[OLD].upload, MTLS_USABLE);
	u = (struct upload){{{NULL, 0}}};
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
}
END_TEST

/* Nothing was committed. */
START_TEST(given_up)
{
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_PASS, NEW_PASS, strlen(NEW_PASS)), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_KEY, key.b.p, key.b.n), VAULT_OK);
	ck_boot(&device);
	ck_assert(device_is(credentials[OLD].key));
	ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
	/* One upload, and then another before it was carried out. */
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	ck_assert_int_eq(device_upload(&credentials[OLD].upload), VAULT_OK);
	ck_boot(&device);
	ck_assert(device_is(credentials[OLD].key));
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_clean(&device);
	ck_boot(&device);
	ck_assert(device_is(credentials[OLD].key));
}
END_TEST

START_TEST(out_of_order)
{
	ck_assert_int_eq(vault_put(VAULT_CERT, "x", 1), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_FILES, "x", 1), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_put(VAULT_CERT, "x", 1), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_KEY, "x", 1), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_CERT, "x", 1), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_put(VAULT_KEY, "x", 1), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_commit(), VAULT_OK);
	ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
	ck_boot(&device);
	ck_assert(!device_status().refused);
}
END_TEST

/* The same files twice: nothing that is sealed looks alike, not even the salt. */
START_TEST(a_salt_of_its_own)
{
	static uint8_t records[2][2048];
	struct vault_layout l = device_layout(&device);
	unsigned alike = 0;

	for (int i = 0; i < 2; i++) {
		ck_taken(&credentials[OLD].upload, MTLS_USABLE);
		memcpy(records[i], device.ram.bytes + l.slot[device.ram.bytes[l.slot[0]] == 0xff], sizeof(records[i]));
	}
	ck_assert_mem_eq(records[0], records[1], 8);
	for (size_t at = 16; at < 48; at++)
		alike += records[0][at] == records[1][at];
	ck_assert_uint_lt(alike, 8);
	for (size_t at = 96; at < 1024; at++)
		alike += records[0][at] == records[1][at];
	ck_assert_uint_lt(alike, 40);
}
END_TEST

/* --- memory -------------------------------------------------------------------------------------------------- */

extern unsigned char __data_start[], _end[];

/* memmem, where the sanitizer would not let it. */
__attribute__((no_sanitize("address"))) static const unsigned char *
look(const unsigned char *p, const unsigned char *end, const unsigned char *what, size_t n)
{
	for (; p + n <= end; p++) {
		size_t i = 0;

		while (i < n && p[i] == what[i])
			i++;
		if (i == n)
			return p;
	}
	return NULL;
}

static bool is_ours(const void *p)
{
	static const struct {
		const void *p;
		size_t n;
	} ours[] = {{credentials, sizeof(credentials)},
		    {&secrets, sizeof(secrets)},
		    {&cert, sizeof(cert)},
		    {&key, sizeof(key)},
		    {&der, sizeof(der)}};

	for (int i = 0; i < COUNT(ours); i++)
		if ((const char *)p >= (const char *)ours[i].p && (const char *)p < (const char *)ours[i].p + ours[i].n)
			return true;
	return false;
}

/* Of all static data and of what mbedTLS gave back; the key at work is in memory that it still has. */
static void ck_memory(void)
{
	static const unsigned char label[] = " PRIVATE KEY-----\n";
	const unsigned char *p;

	for (size_t i = 0; i < secrets.n; i++)
		for (p = __data_start; (p = look(p, _end, secrets.secret[i].p, 12)); p++)
			ck_assert_msg(is_ours(p), "secret %zu is in static memory", i);
	for (p = __data_start; (p = look(p, _end, label, sizeof(label) - 1)); p++)
		ck_assert_msg(is_ours(p), "a key's block is in static memory");
	ck_assert_msg(!secrets_seen(), "%s was freed", secrets_seen());
}

START_TEST(nothing_is_left_in_memory)
{
	struct upload bad = credentials[NEW].upload;

	secrets_watch(&secrets);
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	ck_memory();
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_memory();
	bad.file[VAULT_CA] = mtls_bytes_of("x");
	ck_assert_int_eq(device_upload(&bad), VAULT_OK);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_assert(device_status().refused);
	ck_memory();
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_put(VAULT_PASS, NEW_PASS, strlen(NEW_PASS)), VAULT_OK);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_memory();
	ck_assert(device_is(credentials[NEW].key));
	ck_memory();
	secrets_watch(NULL);
}
END_TEST

START_TEST(words)
{
	ck_assert_str_eq(vault_file_name(VAULT_CERT), "client_cert.pem");
	ck_assert_str_eq(vault_file_name(VAULT_PASS), "private_key_pass.txt");
	ck_assert_str_eq(vault_file_name(VAULT_CA), "ca_certs.pem");
	for (int i = 0; i < VAULT_RESULTS; i++)
		ck_assert_uint_gt(strlen(vault_result_sentence((enum vault_result)i)), 10);
	ck_assert_str_eq(vault_result_sentence(VAULT_RESULTS), "unknown");
}
END_TEST

static TCase *empty_device(void)
{
	TCase *t = tcase_create("empty");

	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, nothing_yet);
	tcase_add_test(t, all_files);
	tcase_add_loop_test(t, geometries, 0, COUNT(GEOMETRIES));
	tcase_add_test(t, a_flash_that_is_too_small);
	tcase_add_test(t, no_credential_in_it);
	tcase_add_test(t, out_of_order);
	tcase_add_test(t, words);
	return t;
}

Suite *uploads_suite(void)
{
	Suite *s = suite_create("uploads");
	TCase *t = tcase_create("replaced");

	suite_add_tcase(s, empty_device());
	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start_with_old, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_renewed_certificate);
	tcase_add_test(t, a_key_alone);
	tcase_add_test(t, not_a_pair);
	tcase_add_loop_test(t, removal, 0, 3);
	tcase_add_test(t, half_a_removal);
	tcase_add_test(t, a_salt_of_its_own);
	tcase_add_test(t, given_up);
	tcase_add_test(t, nothing_is_left_in_memory);
	suite_add_tcase(s, t);
	return s;
}
