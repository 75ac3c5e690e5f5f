/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads as transactions: what is put together with what is stored, what is refused and why, that the old credential
 * then stays, and what is kept of the files. Nothing fails here but what was uploaded.
 */
#include "pki.h"
#include "suites.h"

#include <mbedtls/x509_crt.h>

static struct device device;
static const struct mtls_bytes EMPTY = {(const unsigned char *)"", 0};

static void start(void)
{
	device_make(&device, 4, vault_seed);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
}

static void start_with_old(void)
{
	start();
	ck_install(&device, &credentials[OLD].upload);
	ck_assert(device_is(credentials[OLD].key));
}

static void stop(void)
{
	ck_clean(&device);
	device_free(&device);
}

static void ck_taken(const struct upload *u, enum mtls_reason state)
{
	uint32_t before = device_status().generation;

	ck_install(&device, u);
	ck_assert_msg(!device_status().refused, "%s (%s)", mtls_reason_word(device_status().upload.reason),
		      device_status().upload.detail);
	ck_assert_str_eq(mtls_reason_word(device_status().upload.reason), mtls_reason_word(state));
	ck_state(state);
	ck_assert_uint_eq(device_status().generation, before + 1);
}

/* And of the old credential each file stays as it was. */
static void ck_refused(const struct upload *u, enum mtls_reason reason, enum mtls_part part, const char *detail)
{
	struct text before[VAULT_FILES];
	struct vault_status s;

	for (int i = 0; i < VAULT_FILES; i++) {
		struct mtls_bytes file = vault_file((enum vault_file)i);

		before[i].b.n = 0;
		if (file.n)
			take(&before[i], file.p, file.n);
	}
	ck_install(&device, u); /* boots twice */
	s = device_status();
	ck_assert_msg(s.refused && s.upload.reason == reason && s.upload.part == part, "%d %s, part %d (%s)", s.refused,
		      mtls_reason_word(s.upload.reason), s.upload.part, s.upload.detail);
	ck_assert_str_eq(s.upload.detail, detail);
	ck_state(MTLS_USABLE);
	ck_assert(device_is(credentials[OLD].key));
	for (int i = 0; i < VAULT_FILES; i++)
		ck_assert(mtls_bytes_equal(before[i].b, vault_file((enum vault_file)i)));
}

static struct upload one(enum vault_file file, struct mtls_bytes data)
{
	struct upload u = {{{NULL, 0}}};

	u.file[file] = data.p ? data : EMPTY;
	return u;
}

static struct upload one_text(enum vault_file file, const char *text)
{
	return one(file, mtls_bytes_of(text));
}

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

/* --- sizes ------------------------------------------------------------------------------------------ */

START_TEST(too_long_a_file)
{
	unsigned char *big = malloc(VAULT_FILE_MAX + 1);
	size_t max = vault_file_max((enum vault_file)_i);

	memset(big, 'x', VAULT_FILE_MAX + 1);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_put((enum vault_file)_i, big, max + 1), VAULT_NO_ROOM);
	ck_assert_int_eq(vault_commit(), VAULT_OUT_OF_ORDER);
	ck_assert_int_eq(vault_begin(), VAULT_OK);
	ck_assert_int_eq(vault_put((enum vault_file)_i, big, max), VAULT_OK);
	ck_assert_int_eq(vault_put((enum vault_file)_i, big, 0), VAULT_OK);
	ck_assert_int_eq(vault_put((enum vault_file)_i, big, 1), VAULT_NO_ROOM);
	ck_boot(&device);
	ck_assert(device_is(credentials[OLD].key));
	free(big);
}
END_TEST

/* Each as long as it may be. */
START_TEST(too_long_together)
{
	unsigned char *big = malloc(VAULT_FILE_MAX);
	struct upload u = {{{NULL, 0}}};

	memset(big, 'x', VAULT_FILE_MAX);
	u.file[VAULT_CERT] = u.file[VAULT_CA] = (struct mtls_bytes){big, VAULT_FILE_MAX};
	ck_refused(&u, MTLS_TOO_LARGE, MTLS_NOTHING, "ca_certs.pem: all files together do not fit");
	u.file[VAULT_KEY] = u.file[VAULT_CONF] = (struct mtls_bytes){big, vault_file_max(VAULT_KEY)};
	u.file[VAULT_CA].n = 40 << 10;
	ck_refused(&u, MTLS_TOO_LARGE, MTLS_NOTHING, "ca_certs.pem: all files together do not fit");
	u = (struct upload){{[VAULT_CERT] = {big, VAULT_FILE_MAX}}};
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "no certificate block");
	free(big);
}
END_TEST

START_TEST(the_longest_that_fit)
{
	static struct text block;
	unsigned char *big = malloc(VAULT_FILE_MAX), *cas = malloc(VAULT_FILE_MAX);
	struct upload u = credentials[NEW].upload;
	size_t n = 0;

	block.b.n = 0;
	add_certificate(&block, certificate_of(credentials[NEW].key, "one of many"));
	memset(big, '\n', VAULT_FILE_MAX);
	for (int i = 0; i < 32; i++, n += block.b.n + 900)
		memcpy(big + n, block.b.p, block.b.n);
	ck_assert_uint_lt(n, VAULT_FILE_MAX);
	n = 0;
	memset(cas, '\n', VAULT_FILE_MAX);
	for (; n + block.b.n < 54000; n += block.b.n)
		memcpy(cas + n, block.b.p, block.b.n);
	u.file[VAULT_CERT] = (struct mtls_bytes){big, VAULT_FILE_MAX};
	u.file[VAULT_CA] = (struct mtls_bytes){cas, 54000};
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
	ck_assert_uint_eq(vault_file(VAULT_CERT).n, 32 * block.b.n - 1);
	ck_assert_uint_eq(vault_file(VAULT_CA).n, n - 1);
	ck_assert_mem_eq(vault_file(VAULT_CA).p, cas, n - 1);
	memcpy(big + VAULT_FILE_MAX - 1000, block.b.p, block.b.n);
	ck_install(&device, &u);
	ck_assert_int_eq(device_status().upload.reason, MTLS_TOO_LARGE);
	ck_assert_str_eq(device_status().upload.detail, "33 certificates");
	ck_assert(device_is(credentials[NEW].key));
	free(big);
	free(cas);
}
END_TEST

START_TEST(what_core_refuses)
{
	static char longer[MTLS_PASS_MAX + 2];
	struct upload u = one(VAULT_PASS, (struct mtls_bytes){(unsigned char *)longer, MTLS_PASS_MAX + 1});

	memset(longer, 'x', MTLS_PASS_MAX + 1);
	ck_refused(&u, MTLS_PASSPHRASE_TOO_LONG, MTLS_PASS, "");
	u = one_text(VAULT_KEY, "pkcs11:token=x?pin-value=1234");
	ck_refused(&u, MTLS_KEY_NEEDS_AGENT, MTLS_KEY, "");
	u = one_text(VAULT_KEY, "no key");
	ck_refused(&u, MTLS_KEY_MALFORMED, MTLS_KEY, "no private key block");
	u = one_text(VAULT_CERT, "-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----\n");
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "block 1 never ends, or is not base64");
}
END_TEST

/* --- mtls.conf ------------------------------------------------------------------------------------------ */

static const struct {
	const char *conf, *detail, *setting;
	unsigned line;
} BAD_CONF[] = {
	{"hosts = *.example\nfoo = 1\n", "foo", NULL, 2},
	{"\n\nonly_if = sometimes\n", "sometimes", "only_if", 3},
	{"hosts =\n", "no value", "hosts", 1},
	{"# all\r\nhosts = a.example\r\nissuer = match # strict\r\n",
	 "match: a device does not learn which issuers a server accepts", "issuer", 3},
	{"\xef\xbb\xbfissuer=match", "match: a device does not learn which issuers a server accepts", "issuer", 1},
};

START_TEST(a_bad_conf)
{
	struct upload u = one_text(VAULT_CONF, BAD_CONF[_i].conf);
	struct vault_status s;

	ck_refused(&u, MTLS_BAD_SETTING, MTLS_CONF, BAD_CONF[_i].detail);
	s = device_status();
	ck_assert_uint_eq(s.upload.line, BAD_CONF[_i].line);
	if (BAD_CONF[_i].setting)
		ck_assert_str_eq(s.upload.setting, BAD_CONF[_i].setting);
	else
		ck_assert_ptr_null(s.upload.setting);
	u = credentials[NEW].upload;
	u.file[VAULT_CONF] = mtls_bytes_of(BAD_CONF[_i].conf);
	ck_refused(&u, MTLS_BAD_SETTING, MTLS_CONF, BAD_CONF[_i].detail);
}
END_TEST

START_TEST(a_good_conf)
{
	struct upload u = one_text(VAULT_CONF, "hosts = !*.example\nissuer = any\npha = off\nlog = debug");

	ck_taken(&u, MTLS_USABLE);
	ck_assert(mtls_bytes_equal(vault_file(VAULT_CONF), u.file[VAULT_CONF]));
	u = one_text(VAULT_CONF, " \n");
	ck_taken(&u, MTLS_USABLE);
	ck_assert_uint_eq(vault_file(VAULT_CONF).n, 0);
	ck_assert(device_is(credentials[OLD].key));
}
END_TEST

/* --- ca_certs.pem ------------------------------------------------------------------------------------------ */

START_TEST(bad_cas)
{
	struct text damaged;
	struct upload u;

	u = one_text(VAULT_CA, "no certificates");
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, "ca_certs.pem: no certificate block");
	pkcs8(&key, keys[P384]);
	u = one(VAULT_CA, key.b);
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, "ca_certs.pem: no certificate block");
	put_certificate(&cert, P384);
	unpack_pem(&der, &cert);
	der.b.n--;
	put_pem(&damaged, "CERTIFICATE", "", &der);
	u = one(VAULT_CA, damaged.b);
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, "ca_certs.pem: certificate 1");
	take(&der, cert.b.p, cert.b.n);
	memcpy(der.room + der.b.n, damaged.room, damaged.b.n - 30);
	der.b.n += damaged.b.n - 30;
	u = one(VAULT_CA, der.b);
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING, "ca_certs.pem: certificate 2");
	put_certificate(&cert, ED_25519);
	u = one(VAULT_CA, cert.b);
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_NOTHING,
		   "ca_certs.pem: certificate 1 is signed in a way that this device does not know");
	add_certificate(&cert, certificate_of(keys[P384], "one that it knows"));
	u = one(VAULT_CA, cert.b);
	ck_taken(&u, MTLS_USABLE);
	ck_assert_uint_eq(vault_file(VAULT_CA).n, cert.b.n - 1);
}
END_TEST

/* --- what is kept of a file of certificates ------------------------------------------------------------------ */

static void append(struct text *out, const void *p, size_t n)
{
	ck_assert_uint_le(out->b.n + n, sizeof(out->room));
	memcpy(out->room + out->b.n, p, n);
	out->b.p = out->room;
	out->b.n += n;
}

static void append_text(struct text *out, const char *s)
{
	append(out, s, strlen(s));
}

/* The same certificate in ways that mbedTLS alone would not take; and a private key between them. */
START_TEST(everything_at_once)
{
	static struct text all, plain, line;
	static const char *const labels[] = {"X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE"};
	mbedtls_x509_crt chain;
	struct upload u;
	int n = 0, size;
	unsigned char *aux = NULL;
	X509 *x = certificate_of(credentials[NEW].key, "kept");

	all.b.n = plain.b.n = 0;
	X509_alias_set1(x, (const unsigned char *)"alias", 5);
	append_text(&all, "\xef\xbb\xbf"
			  "Bag Attributes\r\n  friendlyName: x\r\n");
	for (int i = 0; i < 3; i++) {
		size = i == 1 ? i2d_X509_AUX(x, &aux) : i2d_X509(x, &aux);
		take(&der, aux, (size_t)size);
		OPENSSL_free(aux);
		aux = NULL;
		put_pem(&line, labels[i], "", &der);
		for (size_t k = 0; k < line.b.n; k++)
			append_text(&all, line.b.p[k] == '\n' ? " \t\r\n" : (char[]){(char)line.b.p[k], '\0'});
		pkcs8(&key, credentials[NEW].key);
		append(&all, key.b.p, key.b.n);
	}
	X509_free(x);
	pkcs8(&key, credentials[NEW].key);
	u = (struct upload){{[VAULT_CERT] = all.b, [VAULT_KEY] = key.b, [VAULT_CA] = all.b}};
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
	for (int i = 0; i < 2; i++) {
		struct mtls_bytes kept = vault_file(i ? VAULT_CA : VAULT_CERT);

		ck_assert_ptr_null(memmem(kept.p, kept.n, "PRIVATE", 7));
		mbedtls_x509_crt_init(&chain);
		ck_assert_int_eq(mbedtls_x509_crt_parse(&chain, kept.p, kept.n + 1), 0);
		n = 0;
		for (mbedtls_x509_crt *c = &chain; c; c = c->next)
			n++;
		ck_assert_int_eq(n, 3);
		mbedtls_x509_crt_free(&chain);
	}
}
END_TEST

/* One line of base64, and no line end at all behind it: there is no room for more lines. */
START_TEST(one_line)
{
	static struct text all;
	struct upload u;

	all.b.n = 0;
	for (size_t i = 0; i < credentials[NEW].cert.b.n; i++) {
		const unsigned char *p = credentials[NEW].cert.b.p + i;
		bool keep = *p != '\n' || p[-1] == '-' || p[1] == '-';

		if (keep)
			append(&all, p, 1);
	}
	all.b.n--;
	u = credentials[NEW].upload;
	u.file[VAULT_CERT] = all.b;
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
	ck_assert_uint_eq(vault_file(VAULT_CERT).n, all.b.n);
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
	const unsigned char *p;

	for (size_t i = 0; i < secrets.n; i++)
		for (p = __data_start; (p = look(p, _end, secrets.secret[i].p, 12)); p++)
			ck_assert_msg(is_ours(p), "secret %zu is in static memory", i);
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
	tcase_add_test(t, the_longest_that_fit);
	tcase_add_test(t, everything_at_once);
	tcase_add_test(t, one_line);
	tcase_add_test(t, words);
	return t;
}

static TCase *device_with_old(void)
{
	TCase *t = tcase_create("replaced");

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
	tcase_add_loop_test(t, too_long_a_file, 0, VAULT_FILES);
	tcase_add_test(t, too_long_together);
	tcase_add_test(t, what_core_refuses);
	tcase_add_loop_test(t, a_bad_conf, 0, COUNT(BAD_CONF));
	tcase_add_test(t, a_good_conf);
	tcase_add_test(t, bad_cas);
	tcase_add_test(t, nothing_is_left_in_memory);
	return t;
}

Suite *uploads_suite(void)
{
	Suite *s = suite_create("uploads");

	suite_add_tcase(s, empty_device());
	suite_add_tcase(s, device_with_old());
	return s;
}
