/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries: see entries.h. Whoever calls them is not trusted. The range is checked twice: by the processor, for SAU
 * and MPU, and against the two blocks of memory that a caller can rightly mean, lest it has a secure, privileged hand
 * write to the system's registers, which are non-secure too. (Arm, ACLE 5: CMSE, 5.4.3 and 5.5.)
 */
#include "firmware/port/an505/entries.h"
#include "firmware/port/an505/memory.h"
#include "firmware/port/an505/secure.h"
#include "firmware/port/port.h"

#include <mbedtls/platform_util.h>

#include <arm_cmse.h>
#include <string.h>

#define ENTRY       __attribute__((cmse_nonsecure_entry))
#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define PIECE       1024

static bool within(uintptr_t at, size_t n, uintptr_t base, size_t size)
{
	return at >= base && at - base <= size && n <= size - (at - base);
}

/* Of no bytes any address will do: it is not used. */
static bool may_read(const void *from, size_t n)
{
	uintptr_t at = (uintptr_t)from;

	if (n == 0)
		return true;
	return (within(at, n, NS_RAM, NS_RAM_SIZE) || within(at, n, NS_CODE, NS_CODE_SIZE)) &&
	       cmse_check_address_range((void *)at, n, CMSE_NONSECURE | CMSE_MPU_UNPRIV | CMSE_MPU_READ);
}

static bool may_write(void *to, size_t n)
{
	if (n == 0)
		return true;
	return within((uintptr_t)to, n, NS_RAM, NS_RAM_SIZE) &&
	       cmse_check_address_range(to, n, CMSE_NONSECURE | CMSE_MPU_UNPRIV | CMSE_MPU_READWRITE);
}

/* --- the vault ------------------------------------------------------------------------------ */

ENTRY int secure_vault_boot(void)
{
	return (int)vault_boot(board_bound());
}

ENTRY int secure_vault_begin(void)
{
	return (int)vault_begin();
}

ENTRY int secure_vault_put(unsigned file, const void *data, size_t n)
{
	static uint8_t piece[PIECE];
	const uint8_t *from = data;
	enum vault_result r;
	size_t size;

	if (file >= VAULT_FILES || !may_read(data, n))
		return SECURE_REFUSED;
	do {
		size = LEAST(n, sizeof(piece));
		if (size)
			memcpy(piece, from, size);
		r = vault_put((enum vault_file)file, piece, size);
		from += size;
		n -= size;
	} while (r == VAULT_OK && n > 0);
	mbedtls_platform_zeroize(piece, sizeof(piece)); /* it may have been a key */
	return (int)r;
}

ENTRY int secure_vault_commit(void)
{
	return (int)vault_commit();
}

ENTRY bool secure_vault_status(struct secure_status *to)
{
	static struct secure_status made; /* static: its padding has nothing of ours */
	struct vault_status *status = &made.status;

	if (!may_write(to, sizeof(*to)))
		return false;
	vault_status(status);
	made.setting = MTLS_SETTINGS;
	for (int i = 0; status->upload.setting && i < MTLS_SETTINGS; i++)
		if (strcmp(mtls_setting_key((enum mtls_setting)i), status->upload.setting) == 0)
			made.setting = (enum mtls_setting)i;
	status->upload.setting = NULL;
	memcpy(to, &made, sizeof(made));
	return true;
}

/* No file is longer than VAULT_FILE_MAX, an int. vault_file has no others than those that are no secret. */
ENTRY int secure_vault_file(unsigned file, void *to, size_t size)
{
	struct mtls_bytes text;

	if (file >= VAULT_FILES || !may_write(to, size))
		return SECURE_REFUSED;
	text = vault_file((enum vault_file)file);
	if (text.n && text.n <= size)
		memcpy(to, text.p, text.n);
	return (int)text.n;
}

ENTRY int secure_vault_file_max(unsigned file)
{
	return file < VAULT_FILES ? (int)vault_file_max((enum vault_file)file) : SECURE_REFUSED;
}

static bool give_text(const char *text, char *to, size_t size)
{
	size_t n = strlen(text) + 1;

	if (n > size || !may_write(to, size))
		return false;
	memcpy(to, text, n);
	return true;
}

ENTRY bool secure_vault_file_name(unsigned file, char *to, size_t size)
{
	return file < VAULT_FILES && give_text(vault_file_name((enum vault_file)file), to, size);
}

ENTRY bool secure_vault_sentence(unsigned result, char *to, size_t size)
{
	return result < VAULT_RESULTS && give_text(vault_result_sentence((enum vault_result)result), to, size);
}

/* --- the signer --------------------------------------------------------------------------------- */

ENTRY unsigned secure_key_type(void)
{
	return vault_signer()->type();
}

ENTRY unsigned secure_key_bits(void)
{
	return vault_signer()->type() == MTLS_KEY_OTHER ? 0 : vault_signer()->bits();
}

ENTRY bool secure_sign(struct secure_signature *theirs)
{
	static struct secure_signature s;
	bool made;

	if (!may_write(theirs, sizeof(*theirs)))
		return false;
	memcpy(&s, theirs, sizeof(s));
	if (s.n > sizeof(s.hash))
		return false;
	memset(s.signature, 0, sizeof(s.signature));
	board_had_no_memory();
	made = vault_signer()->sign(s.scheme, s.hash, s.n, s.signature, &s.length);
	s.no_memory = !made && board_had_no_memory();
	memcpy(theirs, &s, sizeof(s));
	mbedtls_platform_zeroize(&s, sizeof(s));
	return made;
}

ENTRY unsigned secure_signatures(void)
{
	return vault_signatures();
}

/* --- the board ------------------------------------------------------------------------------------ */

ENTRY uint64_t secure_now(void)
{
	const struct board_system *system = &board_bound()->system;

	return system->now(system->ctx);
}

ENTRY int64_t secure_wall(void)
{
	const struct board_system *system = &board_bound()->system;
	int64_t seconds;

	return system->wall(system->ctx, &seconds) ? seconds : -1;
}

ENTRY bool secure_entropy(void *to, size_t n)
{
	const struct board_system *system = &board_bound()->system;
	uint8_t piece[64], *at = to;
	bool good = may_write(to, n);

	for (size_t size; good && n > 0; at += size, n -= size) {
		size = LEAST(n, sizeof(piece));
		good = system->entropy(system->ctx, piece, size);
		if (good)
			memcpy(at, piece, size);
	}
	mbedtls_platform_zeroize(piece, sizeof(piece));
	return good;
}

ENTRY void secure_idle(uint32_t ms)
{
	const struct board_system *system = &board_bound()->system;

	system->idle(system->ctx, ms);
}

ENTRY void secure_exit(int status)
{
	board_exit(status);
}
