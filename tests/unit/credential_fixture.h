/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A usable folder in memory, and ways to change it: shared by test_credential.c
 * (states and order) and test_blocks.c (what a parser gets). Bodies are harmless
 * base64: structure is all that core/ looks at.
 */
#ifndef MTLS_TESTS_CREDENTIAL_FIXTURE_H
#define MTLS_TESTS_CREDENTIAL_FIXTURE_H

#include <check.h>
#include <string.h>

#include "core/credential.h"

#define BLOCK(label)      "-----BEGIN " label "-----\nQUJD\n-----END " label "-----"
#define UNFINISHED(label) "-----BEGIN " label "-----\nQUJD\n"
#define OTHER_CERT        "-----BEGIN CERTIFICATE-----\nREVG\n-----END CERTIFICATE-----"
#define CERT              BLOCK("CERTIFICATE")
#define KEY               BLOCK("PRIVATE KEY")
#define ENCRYPTED_RSA \
	"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nQUJD\n" \
	"-----END RSA PRIVATE KEY-----"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct mtls_files files;
static struct mtls_blocks blocks;
static struct mtls_error error;
static char long_pass[MTLS_PASS_MAX + 3];

static inline void give(enum mtls_part part, const char *text)
{
	files.file[part].how = MTLS_FILE_OK;
	files.file[part].data = mtls_bytes_of(text);
}

static inline void lose(enum mtls_part part, enum mtls_file_how how)
{
	files.file[part].how = how;
	files.file[part].data = (struct mtls_bytes){NULL, 0};
}

/* A usable folder; each test breaks something in it. */
static inline void setup(void)
{
	memset(&files, 0, sizeof(files));
	memset(&blocks, 0x55, sizeof(blocks));
	memset(&error, 0x55, sizeof(error));
	give(MTLS_CERT, CERT "\n");
	give(MTLS_KEY, KEY "\n");
	lose(MTLS_PASS, MTLS_FILE_NONE);
	lose(MTLS_CONF, MTLS_FILE_NONE);
}

static inline void ck_scan(enum mtls_reason reason, enum mtls_part part)
{
	struct mtls_blocks none;
	enum mtls_reason got = mtls_credential_scan(&files, &blocks, &error);

	ck_assert_str_eq(mtls_reason_word(got), mtls_reason_word(reason));
	ck_assert_int_eq(error.reason, reason);
	ck_assert_int_eq(error.part, part);
	ck_assert_uint_lt(strnlen(error.detail, sizeof(error.detail)), sizeof(error.detail));
	memset(&none, 0, sizeof(none));
	ck_assert_msg(reason == MTLS_USABLE || memcmp(&none, &blocks, sizeof(none)) == 0,
		      "a credential that is not usable leaves blocks behind");
}

static inline void ck_bytes(struct mtls_bytes b, const char *expected)
{
	ck_assert_msg(mtls_bytes_equal(b, mtls_bytes_of(expected)), "got '%.*s', not '%s'", (int)b.n, (const char *)b.p,
		      expected);
}

static inline void pass_of(size_t n, const char *line_end)
{
	memset(long_pass, 'x', n);
	long_pass[n] = '\0';
	strcat(long_pass, line_end);
	give(MTLS_PASS, long_pass);
}

#endif
