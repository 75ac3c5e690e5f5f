/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes that mbedTLS was refused memory. What becomes of that on the way up is often another error: a server that
 * cannot be agreed with, a certificate that nobody has issued. So the linker sends mbedtls_calloc through here
 * (--wrap=mbedtls_calloc), whoever the allocator is.
 */
#include "firmware/port/port.h"

static bool ran_out;

void *__wrap_mbedtls_calloc(size_t count, size_t size), *__real_mbedtls_calloc(size_t count, size_t size);

void *__wrap_mbedtls_calloc(size_t count, size_t size)
{
	void *block = __real_mbedtls_calloc(count, size);

	if (!block)
		ran_out = true;
	return block;
}

void board_note_no_memory(void)
{
	ran_out = true;
}

bool board_had_no_memory(void)
{
	bool had = ran_out;

	ran_out = false;
	return had;
}
