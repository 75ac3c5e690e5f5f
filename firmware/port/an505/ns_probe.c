/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A non-secure image for tests in the place of the device's (probe.elf): it tries what it must not be able to do. It
 * reads one word from the console, answers "refused" or what it got, and ends; most attempts end it before, and the
 * secure image says why.
 */
#include "firmware/port/an505/entries.h"
#include "firmware/port/an505/memory.h"
#include "firmware/port/port.h"

#include <stdio.h>
#include <string.h>

static const struct board *board;

static void say(const char *text)
{
	while (*text)
		board->uart.put(board->uart.ctx, (uint8_t)*text++);
	board->uart.put(board->uart.ctx, '\n');
}

static void read_at(uintptr_t at)
{
	char line[40];

	snprintf(line, sizeof(line), "read %08lx", (unsigned long)*(const volatile uint32_t *)at);
	say(line);
}

static void read_ram(void)
{
	read_at(S_RAM);
}

static void read_code(void)
{
	read_at(S_CODE);
}

/* The same memory under its non-secure address. */
static void read_alias(void)
{
	read_at(0x100);
}

static void read_store(void)
{
	read_at(PSRAM);
}

static void write_store(void)
{
	*(volatile uint32_t *)PSRAM = 0;
	say("written");
}

static void read_registers(void)
{
	read_at(0x40080000);
}

static void read_own(void)
{
	read_at(NS_CODE);
}

static void own_uart(void)
{
	say("read by myself");
}

/* Beside the gates. */
static void jump(void)
{
	((void (*)(void))(S_CODE + 0x401))();
	say("been there");
}

/* Into a gate, behind its first instruction (SG, 4 bytes). */
static void gate(void)
{
	((void (*)(void))((uintptr_t)secure_idle + 4))();
	say("been there");
}

static void supervisor(void)
{
	__asm__ volatile("svc 0");
	say("served");
}

/* SYS_TIME: harmless where it works. */
static void semihosting(void)
{
	register uintptr_t number __asm__("r0") = 0x11;
	register uintptr_t block __asm__("r1") = 0;

	__asm__ volatile("bkpt 0xab" : "+r"(number) : "r"(block) : "memory");
	say("the host has answered");
}

/* --- pointers ------------------------------------------------------------------------------- */

/* Secure RAM, flash, the store; the end of our own RAM, with a byte beyond; all memory; a device; the system's
 * registers. */
static const struct range {
	uintptr_t at;
	size_t n;
} bad[] = {{S_RAM, 16},        {S_CODE, 16},
	   {PSRAM, 16},        {NS_RAM + NS_RAM_SIZE - 15, 16},
	   {NS_RAM, SIZE_MAX}, {0, 16},
	   {NS_UART, 4},       {0xe000ed08, 4},
	   {NS_RAM - 1, 16},   {UINTPTR_MAX - 3, 16}};

/* true: all were refused. */
static bool pointers_refused(void)
{
	bool all = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *at = (void *)bad[i].at;

		all &= !secure_entropy(at, bad[i].n);
		all &= secure_vault_put(VAULT_CONF, at, bad[i].n) == SECURE_REFUSED;
		all &= secure_vault_file(VAULT_CERT, at, bad[i].n) == SECURE_REFUSED;
		all &= !secure_vault_file_name(VAULT_CERT, at, bad[i].n < SECURE_WORD ? SECURE_WORD : bad[i].n);
		all &= !secure_vault_sentence(VAULT_OK, at, bad[i].n < SECURE_WORD ? SECURE_WORD : bad[i].n);
		if (bad[i].n != SIZE_MAX) {
			all &= !secure_vault_status(at);
			all &= !secure_sign(at);
		}
	}
	return all;
}

static void pointers(void)
{
	static struct secure_signature s = {.scheme = 0x0403, .n = SECURE_HASH + 1};
	static uint8_t random[16];

	if (!secure_entropy(random, sizeof(random)))
		say("good pointer refused");
	else if (secure_sign(&s) || secure_vault_put(VAULT_FILES, "", 0) != SECURE_REFUSED ||
		 secure_vault_file(VAULT_FILES, random, 16) != SECURE_REFUSED)
		say("bad number taken");
	else
		say(pointers_refused() ? "all refused" : "bad pointer taken");
}

/* --- one word ---------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} attempts[] = {{"ram", read_ram},     {"code", read_code},    {"alias", read_alias},
		{"store", read_store}, {"write", write_store}, {"registers", read_registers},
		{"own", read_own},     {"uart", own_uart},     {"jump", jump},
		{"gate", gate},        {"svc", supervisor},    {"semihosting", semihosting},
		{"pointers", pointers}};

int main(int argc, char **argv)
{
	char word[16] = "";
	size_t n = 0;
	int byte;

	board = board_start(argc, argv);
	if (!board)
		board_exit(1);
	board_bind(board);
	vault_boot(board);
	say("probe");
	while (n < sizeof(word) - 1 && (byte = board->uart.get(board->uart.ctx)) != '\n')
		if (byte >= 0)
			word[n++] = (char)byte;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(word, attempts[i].name) == 0)
			attempts[i].run();
	board_exit(0);
}
