/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls_credential_scan on four files. An input is one line of flags (see read_flags),
 * then certificate, key, passphrase and mtls.conf with a byte 0x04 between them.
 * The bytes 0x01, 0x02 and 0x03 stand for what no file of this repository may have
 * at the start of a line: "-----BEGIN ", "-----END " and " PRIVATE KEY-----".
 */
#include <stdlib.h>
#include <string.h>

#include "core/credential.h"
#include "tests/fuzz/fuzz.h"

#define PROSE "Bag Attributes\r\n"

static bool inside(struct mtls_bytes part, struct mtls_bytes whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static bool ends_with(struct mtls_bytes b, const char *suffix)
{
	size_t n = strlen(suffix);

	return b.n >= n && memcmp(b.p + b.n - n, suffix, n) == 0;
}

static size_t expand(const uint8_t *data, size_t size, unsigned char *out)
{
	static const char *const MEANING[] = {"", "-----BEGIN ", "-----END ", " PRIVATE KEY-----"};
	size_t i, n = 0;

	for (i = 0; i < size; i++) {
		if (data[i] >= 1 && data[i] <= 3) {
			memcpy(out + n, MEANING[data[i]], strlen(MEANING[data[i]]));
			n += strlen(MEANING[data[i]]);
		} else {
			out[n++] = data[i];
		}
	}
	return n;
}

/* An own copy of exactly n bytes, so that a read past the end is seen. */
static struct mtls_bytes own(const unsigned char *p, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);

	CHECK(copy);
	if (n)
		memcpy(copy, p, n);
	return (struct mtls_bytes){copy, n};
}

/*
 * Four letters, one a file: '@' plus enum mtls_file_how, plus 8 for named, plus 16 for
 * unsafe. A fifth: '@' plus enum mtls_place_how, plus 4 for an agent, plus 8 for an unsafe folder.
 */
static void read_flags(const uint8_t *flags, struct mtls_files *files)
{
	size_t i;

	for (i = 0; i < MTLS_FILES; i++) {
		files->file[i].how = (enum mtls_file_how)((flags[i] & 7) % (MTLS_FILE_TOO_LARGE + 1));
		files->file[i].named = flags[i] & 8;
		files->file[i].unsafe = flags[i] & 16;
	}
	files->place = (enum mtls_place_how)(flags[MTLS_FILES] & 3);
	files->agent = flags[MTLS_FILES] & 4;
	files->folder_unsafe = flags[MTLS_FILES] & 8;
}

static void check_usable(const struct mtls_files *files, const struct mtls_blocks *out)
{
	size_t i;

	CHECK(out->n_certs >= 1 && out->n_certs <= MTLS_CHAIN_MAX);
	for (i = 0; i < out->n_certs; i++) {
		CHECK(inside(out->cert[i], files->file[MTLS_CERT].data));
		CHECK(mtls_bytes_start(out->cert[i], "-----BEGIN "));
		CHECK(ends_with(out->cert[i], "CERTIFICATE-----"));
		CHECK(i == 0 || out->cert[i].p > out->cert[i - 1].p);
	}
	CHECK(inside(out->pass, files->file[MTLS_PASS].data));
	CHECK(out->pass.n <= MTLS_PASS_MAX);
	CHECK(out->pass.n == 0 || !memchr(out->pass.p, '\n', out->pass.n));
	CHECK((out->key_form == MTLS_KEY_NONE) == files->agent);
	if (files->agent) {
		CHECK(out->key.n == 0 && out->pass.n == 0 && !out->pass_lost);
		return;
	}
	CHECK(inside(out->key, files->file[MTLS_KEY].data));
	CHECK(mtls_bytes_start(out->key, "-----BEGIN "));
	CHECK(ends_with(out->key, "PRIVATE KEY-----"));
}

/* What is usable stays so among prose. */
static void check_prose(const struct mtls_files *files, const struct mtls_blocks *expected)
{
	struct mtls_files more = *files;
	struct mtls_blocks out;
	size_t i;

	for (i = MTLS_CERT; i <= MTLS_KEY; i++) {
		struct mtls_bytes old = files->file[i].data;
		unsigned char *text = malloc(old.n + 2 * sizeof(PROSE));

		CHECK(text);
		memcpy(text, PROSE, sizeof(PROSE) - 1);
		if (old.n)
			memcpy(text + sizeof(PROSE) - 1, old.p, old.n);
		memcpy(text + sizeof(PROSE) - 1 + old.n, "\n" PROSE, sizeof(PROSE));
		more.file[i].data = (struct mtls_bytes){text, old.n + 2 * sizeof(PROSE) - 1};
	}
	CHECK(mtls_credential_scan(&more, &out, NULL) == MTLS_USABLE);
	CHECK(out.n_certs == expected->n_certs && out.key_form == expected->key_form);
	CHECK(out.key_encrypted == expected->key_encrypted);
	CHECK(mtls_bytes_equal(out.key, expected->key));
	for (i = 0; i < out.n_certs; i++)
		CHECK(mtls_bytes_equal(out.cert[i], expected->cert[i]));
	for (i = MTLS_CERT; i <= MTLS_KEY; i++)
		free((void *)(uintptr_t)more.file[i].data.p);
}

static void check(const struct mtls_files *files)
{
	struct mtls_blocks out, again;
	struct mtls_error error;
	enum mtls_reason reason, later;

	memset(&out, 0x55, sizeof(out));
	memset(&again, 0xaa, sizeof(again));
	memset(&error, 0xaa, sizeof(error));
	reason = mtls_credential_scan(files, &out, &error);
	CHECK(reason <= MTLS_KEY_NEEDS_AGENT && reason != MTLS_PRESENTED);
	CHECK(error.reason == reason && error.part <= MTLS_NOTHING);
	CHECK(memchr(error.detail, '\0', sizeof(error.detail)));
	CHECK(mtls_credential_scan(files, &again, NULL) == reason);
	CHECK(memcmp(&out, &again, sizeof(out)) == 0);
	if (reason != MTLS_USABLE) {
		CHECK(out.n_certs == 0 && out.key.n == 0 && out.pass.n == 0);
		return;
	}
	check_usable(files, &out);
	later = mtls_blocks_passphrase(&out, &error);
	CHECK(later == MTLS_USABLE || later == MTLS_PASSPHRASE_MISSING);
	CHECK(later == MTLS_USABLE || out.pass.n == 0);
	check_prose(files, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t flags = MTLS_FILES + 2, longest = sizeof(" PRIVATE KEY-----");
	struct mtls_files files = {.place = MTLS_PLACE_OK};
	unsigned char *text, *p, *end;
	size_t i, n;

	if (size < flags)
		return 0;
	read_flags(data, &files);
	text = malloc((size - flags) * longest + 1);
	CHECK(text);
	n = expand(data + flags, size - flags, text);
	for (i = 0, p = text; i < MTLS_FILES; i++, p = end < text + n ? end + 1 : end) {
		end = memchr(p, 4, (size_t)(text + n - p));
		if (!end)
			end = text + n;
		files.file[i].data = own(p, (size_t)(end - p));
	}
	free(text);
	check(&files);
	for (i = 0; i < MTLS_FILES; i++)
		free((void *)(uintptr_t)files.file[i].data.p);
	return 0;
}
