/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power fails in each operation of the flash, from the upload to the end of its boot: not begun, done but not
 * reported, or with some of its bits. After the next boot the device has the old credential or the new one, signs with
 * it, and has nothing in the clear; the boot after that finds nothing to do.
 */
#include "pki.h"
#include "suites.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a device may have. NOBODY: no key. */
enum owner { NOBODY = BOTH };

struct scenario {
	const char *name;
	bool installed; /* the old credential, before */
	enum owner before, after;
	enum mtls_reason state_before, state_after;
	bool refused;
	void (*fill)(struct upload *);
};

static struct device device;
static unsigned char *start_image;

static void first(struct upload *u)
{
	*u = credentials[NEW].upload;
}

static void renewal(struct upload *u)
{
	static struct text renewed;

	renewed.b.n = 0;
	add_certificate(&renewed, certificate_of(credentials[OLD].key, "renewed"));
	*u = (struct upload){{[VAULT_CERT] = renewed.b}};
}

static void removal(struct upload *u)
{
	struct mtls_bytes empty = {(const unsigned char *)"", 0};

	*u = (struct upload){{[VAULT_CERT] = empty, [VAULT_KEY] = empty, [VAULT_PASS] = empty}};
}

static void broken(struct upload *u)
{
	*u = credentials[NEW].upload;
	u->file[VAULT_PASS] = mtls_bytes_of(OLD_PASS);
}

static const struct scenario SCENARIOS[] = {
	{"first", false, NOBODY, (enum owner)NEW, MTLS_NO_CREDENTIAL, MTLS_USABLE, false, first},
	{"replacement", true, (enum owner)OLD, (enum owner)NEW, MTLS_USABLE, MTLS_USABLE, false, first},
	{"renewal", true, (enum owner)OLD, (enum owner)OLD, MTLS_USABLE, MTLS_USABLE, false, renewal},
	{"removal", true, (enum owner)OLD, NOBODY, MTLS_USABLE, MTLS_REMOVED, false, removal},
	{"broken", true, (enum owner)OLD, (enum owner)OLD, MTLS_USABLE, MTLS_USABLE, true, broken},
	{"broken first", false, NOBODY, NOBODY, MTLS_NO_CREDENTIAL, MTLS_NO_CREDENTIAL, true, broken},
};

/* Every word counts as an operation: with long ones there are few. step: of the operations that are cut; all: of many.
 */
static const struct {
	uint32_t word;
	unsigned step, all;
} WORDS[] = {{32, 1, 1}, {4, 17, 1}, {1, 61, 5}};

static void start(void)
{
	start_image = NULL;
}

static void stop(void)
{
	free(start_image);
	device_free(&device);
}

/* The device as it is before the upload; start_image has its flash. */
static void set_out(const struct scenario *s, uint32_t word)
{
	if (!start_image) {
		device_make(&device, word, vault_seed);
		ck_assert_int_eq(device_boot(&device), VAULT_OK);
		if (s->installed)
			ck_install(&device, &credentials[OLD].upload);
		start_image = malloc(device.ram.flash.size);
		memcpy(start_image, device.ram.bytes, device.ram.flash.size);
	}
	memcpy(device.ram.bytes, start_image, device.ram.flash.size);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_assert_uint_eq(device.ram.operations, 0);
}

static bool has(enum owner owner, enum mtls_reason state)
{
	if (device_status().reason != state)
		return false;
	return owner == NOBODY ? device_signs_nothing() : device_is(credentials[owner].key);
}

/* committed: the upload must be carried out. */
static void ck_old_or_new(const struct scenario *s, bool committed, const char *where)
{
	bool new = has(s->after, s->state_after) && device_status().generation == (s->installed ? 2 : 1);
	bool old = has(s->before, s->state_before) && device_status().generation == (s->installed ? 1 : 0);

	ck_assert_msg(new || old, "%s, %s: neither: %s", s->name, where, mtls_reason_word(device_status().reason));
	ck_assert_msg(new || !committed, "%s, %s: committed, and not carried out", s->name, where);
	ck_assert_msg(!new || device_status().refused == s->refused, "%s, %s: outcome", s->name, where);
}

/* The upload and its boot, with the power failing in the operation cut of both, from 0. false: there were fewer. */
static bool run_until(const struct upload *u, uint32_t cut, uint32_t torn, bool *committed)
{
	flash_ram_power(&device.ram);
	device.ram.cut = cut;
	device.ram.torn = torn;
	*committed = device_upload(u) == VAULT_OK;
	if (!device.ram.dark)
		vault_boot(&device.board);
	return device.ram.dark;
}

static void ck_recovered(const struct scenario *s, bool committed, const char *where)
{
	enum vault_result r = device_boot(&device);
	const char *found;

	ck_assert_msg(r == VAULT_OK, "%s, %s: %s", s->name, where, vault_result_sentence(r));
	found = secrets_in(&secrets, device.ram.bytes, device.ram.flash.size);
	ck_assert_msg(!found, "%s, %s: in the flash: %s", s->name, where, found);
	ck_assert_msg(device_is_tidy(&device), "%s, %s: not erased", s->name, where);
	ck_assert_uint_eq(device.ram.wrong, 0);
	ck_old_or_new(s, committed, where);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_assert_msg(device.ram.operations == 0, "%s, %s: %u operations in the boot after", s->name, where,
		      device.ram.operations);
}

START_TEST(each_operation)
{
	const struct scenario *s = &SCENARIOS[_i / COUNT(WORDS)];
	unsigned step = vault_all ? WORDS[_i % COUNT(WORDS)].all : WORDS[_i % COUNT(WORDS)].step, runs = 0;
	struct upload u;
	bool committed, more = true;
	char where[64];

	s->fill(&u);
	for (uint32_t cut = 0; more; cut += step)
		/* One that was not begun is as if the one before it was done. */
		for (uint32_t torn = FLASH_RAM_DONE; torn < 4 && more; torn++, runs++) {
			set_out(s, WORDS[_i % COUNT(WORDS)].word);
			/* Other bits each time. */
			more = run_until(&u, cut, torn < FLASH_RAM_TORN ? torn : torn + 7 * cut + vault_seed % 1000,
					 &committed);
			snprintf(where, sizeof(where), "operation %u, torn %u", cut, torn);
			ck_recovered(s, committed, where);
		}
	ck_assert_uint_gt(runs, 30);
}
END_TEST

/* Within the boot that recovers from a cut, too. */
START_TEST(two_cuts)
{
	const struct scenario *s = &SCENARIOS[_i];
	struct upload u;
	bool committed, more = true;
	unsigned random = vault_seed;
	char where[64];

	s->fill(&u);
	for (uint32_t cut = 0; more; cut += vault_all ? 1 : 5)
		for (int tries = 0; tries < 3 && more; tries++) {
			set_out(s, 32);
			random = random * 1664525 + 1013904223;
			more = run_until(&u, cut, random >> 8, &committed);
			flash_ram_power(&device.ram);
			device.ram.cut = random >> 24;
			device.ram.torn = random >> 4;
			snprintf(where, sizeof(where), "operation %u, then %u", cut, device.ram.cut);
			vault_boot(&device.board);
			ck_recovered(s, committed, where);
		}
}
END_TEST

/* --- with memory lost as well -------------------------------------------------------------- */

/*
 * Upload and boot are in a process that ends with the power, in a flash that outlives it; the next boot is in one that
 * knows nothing of them. What such a process has to say is the status that it ends with.
 */
enum { WAS_CUT = 1, COMMITTED = 2, RIGHT = 4, DONE = 64 };

static int cut_short(const struct scenario *s, uint32_t cut)
{
	struct upload u;
	bool committed;
	int said = DONE;

	memset(device.ram.bytes, 0xff, device.ram.flash.size);
	if (device_boot(&device) != VAULT_OK)
		return 0;
	if (s->installed && (device_upload(&credentials[OLD].upload) != VAULT_OK || device_boot(&device) != VAULT_OK))
		return 0;
	s->fill(&u);
	said |= run_until(&u, cut, cut + vault_seed % 1000, &committed) ? WAS_CUT : 0;
	return said | (committed ? COMMITTED : 0);
}

static int recover(const struct scenario *s, uint32_t committed)
{
	bool new, old;

	if (device_boot(&device) != VAULT_OK)
		return DONE;
	new = has(s->after, s->state_after);
	old = has(s->before, s->state_before);
	return DONE |
	       ((new || (old && !committed)) && !secrets_in(&secrets, device.ram.bytes, device.ram.flash.size) ? RIGHT
													       : 0);
}

static int in_process(int (*body)(const struct scenario *, uint32_t), const struct scenario *s, uint32_t argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body(s, argument));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) & DONE, "%s, operation %u", s->name, argument);
	return WEXITSTATUS(status);
}

START_TEST(memory_is_lost_too)
{
	const struct scenario *s = &SCENARIOS[_i];
	int said = WAS_CUT;
	void *shared;

	device_make(&device, 32, vault_seed);
	shared = mmap(NULL, device.ram.flash.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	free(device.ram.bytes);
	device.ram.bytes = shared;
	for (uint32_t cut = vault_seed % 7; said & WAS_CUT; cut += vault_all ? 1 : 7) {
		said = in_process(cut_short, s, cut);
		ck_assert_msg(in_process(recover, s, said & COMMITTED) & RIGHT, "%s, operation %u", s->name, cut);
	}
	munmap(shared, device.ram.flash.size);
	device.ram.bytes = NULL;
}
END_TEST

Suite *cuts_suite(void)
{
	Suite *s = suite_create("cuts");
	TCase *t = tcase_create("cuts");

	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, vault_all ? 7200 : 240);
	tcase_add_loop_test(t, each_operation, 0, COUNT(SCENARIOS) * COUNT(WORDS));
	tcase_add_loop_test(t, two_cuts, 0, COUNT(SCENARIOS));
	tcase_add_loop_test(t, memory_is_lost_too, 0, COUNT(SCENARIOS));
	suite_add_tcase(s, t);
	return s;
}
