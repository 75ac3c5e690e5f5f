/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials to upload, on top of tests/unit/identity_fixture.h: two of them, of which the device has the first, a
 * passphrase, a list of CAs; and what must not be found of them in a flash.
 */
#ifndef MTLS_TESTS_VAULT_PKI_H
#define MTLS_TESTS_VAULT_PKI_H

#include "device.h"
#include "tests/unit/identity_fixture.h"

#define OLD_PASS "the first passphrase"
#define NEW_PASS "another passphrase"
#define CONF     "hosts = *.example\nonly_if = verified\n"

enum which { OLD, NEW, BOTH };

/* A credential, its key encrypted: PBES2 with AES. */
struct credential {
	EVP_PKEY *key;
	struct text cert, key_file, ca;
	struct upload upload; /* all five files */
};

static struct credential credentials[BOTH]; /* beside the fixture's cert, key and der, for what else is uploaded */
static struct secrets secrets;

static inline void make_credential(enum which which, EVP_PKEY *k, int iterations)
{
	static unsigned char salt[] = "saltsalt";
	struct credential *c = &credentials[which];
	const char *pass = which == OLD ? OLD_PASS : NEW_PASS;

	c->key = k;
	c->cert.b.n = c->ca.b.n = 0;
	add_certificate(&c->cert, certificate_of(k, which == OLD ? "old" : "new"));
	add_certificate(&c->cert, certificate_of(keys[P384], "intermediate"));
	add_certificate(&c->ca, certificate_of(keys[RSA_2048], which == OLD ? "old ca" : "new ca"));
	pkcs8_pbe(&c->key_file, k, PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), iterations, salt, 8, NULL, NID_hmacWithSHA256),
		  mtls_bytes_of(pass));
	c->upload = (struct upload){{c->cert.b, c->key_file.b, mtls_bytes_of(pass), mtls_bytes_of(CONF), c->ca.b}};
	secrets_add_key(&secrets, k);
	secrets_add(&secrets, pass, strlen(pass));
}

/* P-256 both. */
static inline void make_credentials(void)
{
	make_keys();
	der.b.n = 0;
	make_credential(OLD, keys[P256], 10);
	make_credential(NEW, keys[OTHER_P256], 10);
}

static inline void ck_clean(const struct device *d)
{
	const char *found = secrets_in(&secrets, d->ram.bytes, d->ram.flash.size);

	ck_assert_msg(!found, "in the flash: %s", found);
	ck_assert_uint_eq(d->ram.wrong, 0);
}

/* Not to be found in memory by another file's tests either. */
static inline void forget_credentials(void)
{
	free_keys();
	memset(credentials, 0, sizeof(credentials));
	memset(&secrets, 0, sizeof(secrets));
}

/* A boot to which nothing happens, and after which nothing is left to do. */
static inline void ck_boot(struct device *d)
{
	ck_assert_int_eq(device_boot(d), VAULT_OK);
	ck_clean(d);
	ck_assert(device_is_tidy(d));
	ck_assert_int_eq(device_boot(d), VAULT_OK);
	ck_assert_uint_eq(d->ram.operations, 0);
}

static inline void ck_install(struct device *d, const struct upload *u)
{
	ck_assert_int_eq(device_upload(u), VAULT_OK);
	ck_boot(d);
}

#endif
