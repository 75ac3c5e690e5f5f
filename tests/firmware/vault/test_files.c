/* SPDX-License-Identifier: Apache-2.0 */
/* What may be in the files that are uploaded: how much, which settings, which CAs; and what is kept of them. */
#include "suites.h"
#include "transaction.h"

#include <mbedtls/x509_crt.h>

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
	ck_refused(&u, MTLS_TOO_LARGE, MTLS_NOTHING, "ca_certs.pem: all files together do not fit into 130772 bytes");
	u.file[VAULT_KEY] = u.file[VAULT_CONF] = (struct mtls_bytes){big, vault_file_max(VAULT_KEY)};
	u.file[VAULT_CA].n = 40 << 10;
	ck_refused(&u, MTLS_TOO_LARGE, MTLS_NOTHING, "ca_certs.pem: all files together do not fit into 130772 bytes");
	u = (struct upload){{[VAULT_CERT] = {big, VAULT_FILE_MAX}}};
	ck_refused(&u, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, "no certificate block");
	free(big);
}
END_TEST

/* So many of this block, with room between them. */
static void fill(unsigned char *big, const struct text *block, size_t number)
{
	size_t step = VAULT_FILE_MAX / number;

	ck_assert_uint_lt(block->b.n, step);
	memset(big, '\n', VAULT_FILE_MAX);
	for (size_t i = 0; i < number; i++)
		memcpy(big + i * step, block->b.p, block->b.n);
}

START_TEST(the_longest_that_fit)
{
	static struct text block;
	unsigned char *big = malloc(VAULT_FILE_MAX), *cas = malloc(VAULT_FILE_MAX);
	struct upload u = credentials[NEW].upload;
	size_t n = 0;

	block.b.n = 0;
	add_certificate(&block, certificate_of(credentials[NEW].key, "one of many"));
	fill(big, &block, 16);
	memset(cas, '\n', VAULT_FILE_MAX);
	for (; n + block.b.n < 54000; n += block.b.n)
		memcpy(cas + n, block.b.p, block.b.n);
	u.file[VAULT_CERT] = (struct mtls_bytes){big, VAULT_FILE_MAX};
	u.file[VAULT_CA] = (struct mtls_bytes){cas, 54000};
	ck_taken(&u, MTLS_USABLE);
	ck_assert(device_is(credentials[NEW].key));
	ck_assert_uint_eq(vault_file(VAULT_CERT).n, 16 * block.b.n - 1);
	ck_assert_uint_eq(vault_file(VAULT_CA).n, n - 1);
	ck_assert_mem_eq(vault_file(VAULT_CA).p, cas, n - 1);
	fill(big, &block, 32);
	ck_install(&device, &u);
	ck_assert_int_eq(device_status().upload.reason, MTLS_TOO_LARGE);
	ck_assert_str_eq(device_status().upload.detail, "the chain is longer than this device can send (8192 bytes)");
	fill(big, &block, 33);
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
	ck_taken(&u, MTLS_USABLE); /* and the other is left out */
	put_certificate(&cert, ED_25519);
	ck_assert_uint_eq(vault_file(VAULT_CA).n, u.file[VAULT_CA].n - cert.b.n - 1);
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

Suite *files_suite(void)
{
	Suite *s = suite_create("files");
	TCase *t = tcase_create("files");

	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start_with_old, stop);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, too_long_a_file, 0, VAULT_FILES);
	tcase_add_test(t, too_long_together);
	tcase_add_test(t, the_longest_that_fit);
	tcase_add_test(t, what_core_refuses);
	tcase_add_loop_test(t, a_bad_conf, 0, COUNT(BAD_CONF));
	tcase_add_test(t, a_good_conf);
	tcase_add_test(t, bad_cas);
	tcase_add_test(t, everything_at_once);
	tcase_add_test(t, one_line);
	suite_add_tcase(s, t);
	return s;
}
