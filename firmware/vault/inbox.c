/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox: see inbox.h. At its start:
 *
 *     0  "mtlsIN01"
 *     8  the upload's random id
 *    24  for each file: bytes, little-endian (NOT_THERE: none came); SHA-256
 *   204  SHA-256 of all before it
 *   256  the commit mark
 *   512  the files, each with room for the most that it may have
 */
#include "firmware/vault/inbox.h"
#include "firmware/vault/flash.h"

#include <string.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

#define MAGIC      "mtlsIN01"
#define MAGIC_SIZE 8
#define NOT_THERE  UINT32_MAX
#define AT_FILES   (MAGIC_SIZE + VAULT_ID)
#define FILE_ENTRY (4 + VAULT_SHA256)
#define AT_CHECK   (AT_FILES + VAULT_FILES * FILE_ENTRY)
#define RECORD     (AT_CHECK + VAULT_SHA256)
#define AT_MARK    256
#define AT_DATA    512
#define PIECE      128

_Static_assert(RECORD <= AT_MARK && AT_MARK % VAULT_ALIGN == 0, "the mark is behind the record, in words of its own");
_Static_assert(sizeof(((struct vault_incoming *)0)->rest) == VAULT_ALIGN, "what is kept back is less than a word");

static uint32_t place(uint32_t inbox, enum vault_file file)
{
	uint32_t at = inbox + AT_DATA;

	for (int i = 0; i < (int)file; i++)
		at += VAULT_ALIGNED(vault_file_max((enum vault_file)i));
	return at;
}

uint32_t vault_inbox_bytes(void)
{
	return place(0, VAULT_FILES);
}

/* --- a committed upload ------------------------------------------------------------------- */

static bool unpack(const unsigned char record[RECORD], struct vault_upload *out)
{
	const unsigned char *p = record + AT_FILES;
	unsigned char check[VAULT_SHA256];

	if (memcmp(record, MAGIC, MAGIC_SIZE) != 0 || mbedtls_sha256(record, AT_CHECK, check, 0) != 0 ||
	    memcmp(record + AT_CHECK, check, VAULT_SHA256) != 0)
		return false;
	memcpy(out->id, record + MAGIC_SIZE, VAULT_ID);
	for (int i = 0; i < VAULT_FILES; i++, p += FILE_ENTRY) {
		out->file[i].size = vault_get32(p);
		out->file[i].present = out->file[i].size != NOT_THERE;
		memcpy(out->file[i].hash, p + 4, VAULT_SHA256);
		if (!out->file[i].present)
			out->file[i].size = 0;
		if (out->file[i].size > vault_file_max((enum vault_file)i))
			return false;
	}
	return true;
}

bool vault_inbox_open(const struct board_flash *f, uint32_t inbox, struct vault_upload *out, bool *committed)
{
	unsigned char record[RECORD];
	enum vault_mark mark;

	if (!vault_flash_mark_read(f, inbox + AT_MARK, &mark) || !vault_flash_read(f, inbox, record, RECORD))
		return false;
	*committed = mark == VAULT_MARK_SET && unpack(record, out);
	return true;
}

bool vault_inbox_read(const struct board_flash *f, uint32_t inbox, const struct vault_upload *u, enum vault_file file,
		      unsigned char *to, bool *intact)
{
	unsigned char hash[VAULT_SHA256];
	size_t n = u->file[file].size;

	if (!vault_flash_read(f, place(inbox, file), to, n))
		return false;
	*intact = mbedtls_sha256(to, n, hash, 0) == 0 && memcmp(hash, u->file[file].hash, VAULT_SHA256) == 0;
	return true;
}

/* --- an upload in the making ----------------------------------------------------------------- */

void vault_inbox_end(struct vault_incoming *in)
{
	mbedtls_platform_zeroize(in, sizeof(*in));
}

void vault_inbox_begin(struct vault_incoming *in)
{
	vault_inbox_end(in);
	in->open = true;
}

static enum vault_result fail(struct vault_incoming *in, enum vault_result why)
{
	vault_inbox_end(in);
	in->open = in->failed = true;
	return why;
}

/* What was kept back of the last file, at its end. */
static bool flush(const struct board_flash *f, uint32_t inbox, struct vault_incoming *in)
{
	uint32_t size = in->upload.file[in->last].size, rest = size % VAULT_ALIGN;

	if (!in->upload.file[in->last].present || rest == 0)
		return true;
	return vault_flash_write(f, place(inbox, in->last) + size - rest, in->rest, rest);
}

static bool append(const struct board_flash *f, uint32_t inbox, struct vault_incoming *in, const unsigned char *p,
		   size_t n)
{
	uint32_t *size = &in->upload.file[in->last].size, at = place(inbox, in->last);

	for (size_t part; n; p += part, n -= part) {
		size_t rest = *size % VAULT_ALIGN;

		part = n < VAULT_ALIGN - rest ? n : VAULT_ALIGN - rest;
		memcpy(in->rest + rest, p, part);
		*size += (uint32_t)part;
		if (rest + part == VAULT_ALIGN &&
		    !vault_flash_write(f, at + *size - VAULT_ALIGN, in->rest, VAULT_ALIGN))
			return false;
	}
	return true;
}

enum vault_result vault_inbox_put(const struct board_flash *f, uint32_t inbox, struct vault_incoming *in,
				  enum vault_file file, const void *data, size_t n)
{
	if (!in->open || in->failed || (unsigned)file >= VAULT_FILES)
		return VAULT_OUT_OF_ORDER;
	if (in->upload.file[file].present && file != in->last)
		return fail(in, VAULT_OUT_OF_ORDER);
	if (!in->upload.file[file].present) {
		if (!flush(f, inbox, in))
			return fail(in, VAULT_FLASH);
		in->upload.file[file].present = true;
		in->last = file;
	}
	if (n > vault_file_max(file) - in->upload.file[file].size)
		return fail(in, VAULT_NO_ROOM);
	return append(f, inbox, in, data, n) ? VAULT_OK : fail(in, VAULT_FLASH);
}

/* Of what is in the flash: an upload that is damaged already is not worth its commit. */
static bool hash_file(const struct board_flash *f, uint32_t at, size_t n, unsigned char hash[VAULT_SHA256])
{
	unsigned char piece[PIECE];
	mbedtls_sha256_context c;
	bool ok;

	mbedtls_sha256_init(&c);
	ok = mbedtls_sha256_starts(&c, 0) == 0;
	for (size_t size; ok && n; at += (uint32_t)size, n -= size) {
		size = n < PIECE ? n : PIECE;
		ok = vault_flash_read(f, at, piece, size) && mbedtls_sha256_update(&c, piece, size) == 0;
	}
	ok = ok && mbedtls_sha256_finish(&c, hash) == 0;
	mbedtls_sha256_free(&c);
	mbedtls_platform_zeroize(piece, sizeof(piece));
	return ok;
}

static bool pack(const struct board_flash *f, uint32_t inbox, const struct vault_incoming *in,
		 const unsigned char id[VAULT_ID], unsigned char record[RECORD])
{
	unsigned char *p = record + AT_FILES;

	memset(record, 0, RECORD);
	memcpy(record, MAGIC, MAGIC_SIZE);
	memcpy(record + MAGIC_SIZE, id, VAULT_ID);
	for (int i = 0; i < VAULT_FILES; i++, p += FILE_ENTRY) {
		vault_put32(p, in->upload.file[i].present ? in->upload.file[i].size : NOT_THERE);
		if (in->upload.file[i].present &&
		    !hash_file(f, place(inbox, (enum vault_file)i), in->upload.file[i].size, p + 4))
			return false;
	}
	return mbedtls_sha256(record, AT_CHECK, record + AT_CHECK, 0) == 0;
}

enum vault_result vault_inbox_commit(const struct board_flash *f, uint32_t inbox, struct vault_incoming *in,
				     const unsigned char id[VAULT_ID])
{
	unsigned char record[RECORD];

	if (!in->open || in->failed)
		return VAULT_OUT_OF_ORDER;
	if (!flush(f, inbox, in) || !pack(f, inbox, in, id, record) || !vault_flash_write(f, inbox, record, RECORD) ||
	    !vault_flash_mark_set(f, inbox + AT_MARK))
		return fail(in, VAULT_FLASH);
	vault_inbox_end(in);
	return VAULT_OK;
}
