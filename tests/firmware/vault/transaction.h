/* SPDX-License-Identifier: Apache-2.0 */
/* One device, and uploads to it that are taken or refused: for test_uploads.c and test_files.c. */
#ifndef MTLS_TESTS_VAULT_TRANSACTION_H
#define MTLS_TESTS_VAULT_TRANSACTION_H

#include "pki.h"

static struct device device;
static const struct mtls_bytes EMPTY = {(const unsigned char *)"", 0};

static inline void start(void)
{
	device_make(&device, 4, vault_seed);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
}

static inline void start_with_old(void)
{
	start();
	ck_install(&device, &credentials[OLD].upload);
	ck_assert(device_is(credentials[OLD].key));
}

static inline void stop(void)
{
	ck_clean(&device);
	device_free(&device);
}

static inline void ck_taken(const struct upload *u, enum mtls_reason state)
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
static inline void ck_refused(const struct upload *u, enum mtls_reason reason, enum mtls_part part, const char *detail)
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

static inline struct upload one(enum vault_file file, struct mtls_bytes data)
{
	struct upload u = {{{NULL, 0}}};

	u.file[file] = data.p ? data : EMPTY;
	return u;
}

static inline struct upload one_text(enum vault_file file, const char *text)
{
	return one(file, mtls_bytes_of(text));
}

#endif
