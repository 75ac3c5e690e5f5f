/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_read on any bytes. It must not crash or run long, must answer the same
 * twice, and a file that it refuses must not be taken because bytes are cut off its end.
 */
#include <stdlib.h>

#include "launcher/run/elf.h"

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtls_bytes all = {data, size}, half = {data, size / 2};
	struct elf e = {0}, again = {0}, part = {0};
	bool ok = elf_read(elf_from_bytes, &all, &e);

	CHECK(elf_read(elf_from_bytes, &all, &again) == ok);
	if (elf_read(elf_from_bytes, &half, &part))
		CHECK(ok && elf_same_machine(&part, &e));
	if (!ok)
		return 0;
	CHECK(e.linkage == again.linkage && elf_same_machine(&e, &again));
	CHECK((e.bits == 32 || e.bits == 64) && e.machine <= UINT16_MAX && e.linkage <= ELF_STATIC_PIE);
	CHECK(elf_machine_name(&e)[0]);
	return 0;
}
