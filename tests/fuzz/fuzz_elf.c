/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_read and elf_visit on any bytes. They must not crash or run long; elf_read must
 * answer the same twice, and what it refuses must not be taken because bytes are cut off its end.
 */
#include <stdlib.h>
#include <string.h>

#include "launcher/run/elf.h"
#include "tests/fuzz/fuzz.h"

static void take_name(void *context, const char *name)
{
	(void)context;
	CHECK(*name && strlen(name) < ELF_NAME_MAX);
}

static void take_range(void *context, uint64_t at, uint64_t n)
{
	size_t *ranges = context;

	(void)at;
	(void)n;
	CHECK(++*ranges < 10000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t ranges = 0;
	struct elf_visitor visitor = {&ranges, take_name, take_name, NULL, take_range, take_range};
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
	CHECK(elf_visit(elf_from_bytes, &all, &visitor));
	return 0;
}
