/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device is not to expect: bits that change in store and inbox, another device's key or none, no entropy, no
 * memory, a flash that fails or lies. Never a crash, never half a credential; and it heals.
 */
#include "pki.h"
#include "suites.h"

#include "firmware/vault/random.h"

static struct device device;
static struct vault_layout layout;

static void start(void)
{
	device_make(&device, 8, vault_seed);
	layout = device_layout(&device);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_install(&device, &credentials[OLD].upload);
}

static void stop(void)
{
	device_free(&device);
}

/* Every byte of every file that is kept: of certificates all but the last line end. */
static bool is_whole(enum which which)
{
	const struct credential *c = &credentials[which];
	struct mtls_bytes chain = c->cert.b, ca = c->ca.b;

	chain.n--;
	ca.n--;
	return device_status().reason == MTLS_USABLE && mtls_bytes_equal(vault_file(VAULT_CERT), chain) &&
	       mtls_bytes_equal(vault_file(VAULT_CA), ca) &&
	       mtls_bytes_equal(vault_file(VAULT_CONF), mtls_bytes_of(CONF)) && device_is(c->key);
}

static bool is_old(void)
{
	return is_whole(OLD);
}

static bool is_new(void)
{
	return is_whole(NEW);
}

static void ck_heals(void)
{
	ck_install(&device, &credentials[NEW].upload);
	ck_assert(is_new());
	ck_assert_int_eq(device_status().result, VAULT_OK);
}

/* --- the same image, other bits ---------------------------------------------------------------- */

enum { OF_STORE, OF_INBOX, OF_BOTH, OF_INBOX_NOT_COMMITTED, OF_TWO_RECORDS, DAMAGES };

/* Two records: cut off before the old one was erased. */
static void prepare(int what)
{
	if (what == OF_STORE)
		return;
	if (what == OF_INBOX_NOT_COMMITTED) {
		ck_assert_int_eq(vault_begin(), VAULT_OK);
		ck_assert_int_eq(vault_put(VAULT_PASS, NEW_PASS, strlen(NEW_PASS)), VAULT_OK);
		return;
	}
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	if (what != OF_TWO_RECORDS)
		return;
	for (uint32_t cut = 0;; cut++) {
		enum vault_mark mark[2];

		ck_assert_uint_lt(cut, 10000);

		flash_ram_power(&device.ram);
		device.ram.cut = cut;
		vault_boot(&device.board);
		flash_ram_power(&device.ram);
		for (int i = 0; i < 2; i++)
			ck_assert(vault_flash_mark_read(&device.board.flash, layout.slot[i] + 64, &mark[i]));
		if (mark[0] == VAULT_MARK_SET && mark[1] == VAULT_MARK_SET)
			return;
	}
}

/* Where there is something. */
static void corrupt(int what, unsigned seed)
{
	uint32_t ranges[3][2], n = 0;

	if (what == OF_STORE || what == OF_BOTH || what == OF_TWO_RECORDS)
		for (int i = 0; i < 2; i++, n++) {
			ranges[n][0] = layout.slot[i];
			ranges[n][1] = seed % 5 ? 2600 : 160;
		}
	if (what == OF_INBOX || what == OF_BOTH || what == OF_INBOX_NOT_COMMITTED) {
		ranges[n][0] = seed % 3 ? 0 : 512 + (seed / 3 % 2 ? 0 : 65536);
		ranges[n++][1] = 1024;
	}
	n = seed / 7 % n;
	flash_ram_corrupt(&device.ram, ranges[n][0], ranges[n][1], seed);
}

static void ck_after_damage(int what, enum vault_result r)
{
	enum mtls_reason reason = device_status().reason;

	ck_assert_msg(r == VAULT_OK || r == VAULT_DAMAGED, "%s", vault_result_sentence(r));
	ck_assert_int_eq(device_status().result, r);
	ck_assert(!secrets_in(&secrets, device.ram.bytes, device.ram.flash.size));
	if (reason == MTLS_USABLE) {
		ck_assert(r == VAULT_OK && (is_old() || (what != OF_STORE && is_new())));
		return;
	}
	ck_assert(device_signs_nothing());
	ck_assert_msg(what != OF_INBOX && what != OF_INBOX_NOT_COMMITTED, "the store was not touched");
	ck_assert_int_eq(reason, r == VAULT_DAMAGED ? MTLS_UNREADABLE : MTLS_NO_CREDENTIAL);
	ck_assert_uint_eq(vault_file(VAULT_CERT).n, 0);
}

_Static_assert(1000 % DAMAGES == 0, "a thousand in all");

START_TEST(a_thousand_corruptions)
{
	uint8_t *image = malloc(device.ram.flash.size);
	unsigned lost = 0, kept = 0, refused = 0;

	prepare(_i);
	memcpy(image, device.ram.bytes, device.ram.flash.size);
	for (unsigned i = 0; i < 1000 / DAMAGES; i++) {
		unsigned seed = vault_seed + i * 2654435761U;

		memcpy(device.ram.bytes, image, device.ram.flash.size);
		corrupt(_i, seed);
		ck_after_damage(_i, device_boot(&device));
		kept += device_status().reason == MTLS_USABLE;
		lost += device_status().reason != MTLS_USABLE;
		refused += device_status().refused;
		if (i % 20 == 0)
			ck_heals();
	}
	ck_assert_uint_gt(kept, 0); /* a slot that is not in use, or the upload's twin */
	ck_assert_uint_eq(lost > 0, _i == OF_STORE);
	if (_i == OF_INBOX)
		ck_assert_uint_gt(refused, 0);
	free(image);
}
END_TEST

/* Garbage that was never ours. */
START_TEST(a_flash_full_of_something)
{
	unsigned random = vault_seed;

	for (int i = 0; i < 20; i++) {
		for (uint32_t at = 0; at < device.ram.flash.size; at++) {
			random = random * 1664525 + 1013904223;
			device.ram.bytes[at] = (uint8_t)(random >> (8 + i));
		}
		ck_boot(&device);
		ck_state(MTLS_NO_CREDENTIAL);
		ck_assert_uint_eq(device_status().generation, 0);
	}
	ck_heals();
}
END_TEST

/* Of a record of which the mark is whole, no bit can be changed unseen. */
START_TEST(each_bit_of_a_record)
{
	uint8_t *image = malloc(device.ram.flash.size), *slot;
	unsigned step = vault_all ? 1 : 97, changed = 0;

	memcpy(image, device.ram.bytes, device.ram.flash.size);
	for (uint32_t bit = vault_seed % step; bit < 8 * 2048; bit += step) {
		if (bit / 8 >= 64 && bit / 8 < 96)
			continue;
		slot = device.ram.bytes + layout.slot[0];
		memcpy(device.ram.bytes, image, device.ram.flash.size);
		if (slot[64] == 0xff)
			slot = device.ram.bytes + layout.slot[1];
		if (slot[bit / 8] == 0xff) /* behind the record's end, perhaps */
			continue;
		slot[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_int_eq(device_boot(&device), VAULT_DAMAGED);
		ck_state(MTLS_UNREADABLE);
		ck_assert(device_signs_nothing());
		changed++;
	}
	ck_assert_uint_gt(changed, 50);
	free(image);
}
END_TEST

START_TEST(damage_of_the_mark)
{
	uint8_t *slot = device.ram.bytes + layout.slot[0];

	if (slot[64] == 0xff)
		slot = device.ram.bytes + layout.slot[1];
	slot[64 + 8] ^= 4;
	ck_assert_int_eq(device_boot(&device), VAULT_DAMAGED);
	ck_state(MTLS_UNREADABLE);
	slot[64 + 8] ^= 4;
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	ck_assert(is_old());
}
END_TEST

/* --- the device's key --------------------------------------------------------------------------- */

START_TEST(another_devices_key)
{
	struct upload part = {{[VAULT_CERT] = credentials[OLD].cert.b}};

	device.key[31] ^= 1;
	ck_assert_int_eq(device_boot(&device), VAULT_DAMAGED);
	ck_state(MTLS_UNREADABLE);
	ck_assert(device_signs_nothing());
	/* What is refused takes nothing with it. */
	ck_assert_int_eq(device_upload(&part), VAULT_OK);
	ck_assert_int_eq(device_boot(&device), VAULT_DAMAGED);
	ck_assert(device_status().refused);
	ck_assert_int_eq(device_status().upload.reason, MTLS_KEY_MISSING);
	ck_clean(&device);
	device.key[31] ^= 1;
	ck_boot(&device);
	ck_assert(is_old());
	device.key[31] ^= 1;
	ck_assert_int_eq(device_boot(&device), VAULT_DAMAGED);
	ck_heals();
}
END_TEST

START_TEST(no_key)
{
	device.no_key = true;
	ck_assert_int_eq(device_boot(&device), VAULT_NO_KEY);
	ck_state(MTLS_UNREADABLE);
	ck_assert(device_signs_nothing());
	device.no_key = false;
	ck_boot(&device);
	ck_assert(is_old());
	/* An upload waits until there is one. */
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	device.no_key = true;
	ck_assert_int_eq(device_boot(&device), VAULT_NO_KEY);
	device.no_key = false;
	ck_boot(&device);
	ck_assert(is_new());
}
END_TEST

/* --- entropy --------------------------------------------------------------------------------------- */

START_TEST(no_entropy)
{
	unsigned asked;

	device.asked = 0;
	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	ck_assert_int_eq(device_boot(&device), VAULT_OK);
	asked = device.asked;
	ck_assert_uint_ge(asked, 3);
	for (unsigned deny = 1; deny <= asked; deny++) {
		ck_install(&device, &credentials[OLD].upload);
		device.asked = 0;
		device.deny = deny;
		if (deny == 1) {
			ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_NO_RANDOM);
			ck_assert_int_eq(device_boot(&device), VAULT_NO_RANDOM);
			ck_clean(&device); /* it was not committed: nothing is to wait for */
			ck_state(MTLS_UNREADABLE);
			ck_assert(device_signs_nothing());
		} else {
			ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
			ck_assert_int_eq(device_boot(&device), VAULT_NO_RANDOM);
			ck_assert(device_signs_nothing() || is_old());
		}
		device.deny = 0;
		ck_boot(&device);
		ck_assert(deny == 1 ? is_old() : is_new());
	}
}
END_TEST

START_TEST(no_random_number_to_sign_with)
{
	static const uint16_t schemes[] = {0x0403, 0x0401, 0x0804};
	unsigned char hash[32] = {0}, signature[VAULT_SIGNATURE], zero[VAULT_SIGNATURE] = {0};
	size_t length;

	if (_i) {
		make_credential(NEW, keys[RSA_2048], 10);
		ck_install(&device, &credentials[NEW].upload);
	}
	ck_assert(_i ? is_new() : is_old());
	vault_random_stop();
	memset(signature, 1, sizeof(signature));
	length = 1;
	ck_assert(!vault_signer()->sign(schemes[_i], hash, sizeof(hash), signature, &length));
	ck_assert_uint_eq(length, 0);
	ck_assert_mem_eq(signature, zero, sizeof(zero));
}
END_TEST

/* --- a flash that fails, and one that lies ------------------------------------------------------------ */

/* An operation that is reported as failed, in the upload and in the boot. */
START_TEST(errors_of_the_flash)
{
	bool more = true;

	for (uint32_t fail = 0; more; fail += vault_all ? 1 : 7) {
		enum vault_result put, boot;

		ck_install(&device, &credentials[OLD].upload);
		flash_ram_power(&device.ram);
		device.ram.fail = fail;
		put = device_upload(&credentials[NEW].upload);
		boot = vault_boot(&device.board);
		more = device.ram.operations > fail;
		if (more)
			ck_assert(put == VAULT_FLASH || boot == VAULT_FLASH || is_old());
		ck_assert_msg(is_old() || is_new(), "operation %u: %s", fail, mtls_reason_word(device_status().reason));
		ck_boot(&device);
		ck_assert(put == VAULT_OK ? is_new() : is_old() || is_new());
	}
}
END_TEST

/* A word that comes out wrong though it is reported done: what is read back tells. */
START_TEST(lies_of_the_flash)
{
	unsigned words = 0;
	bool more = true;

	for (unsigned flaky = 1; more; flaky += vault_all ? 1 : 5, words++) {
		enum vault_result put, boot;

		ck_install(&device, &credentials[OLD].upload);
		device.flaky = flaky;
		put = device_upload(&credentials[NEW].upload);
		boot = device_boot(&device);
		more = device.flaky == 0;
		ck_assert_msg(is_old() || is_new(), "word %u: %s", flaky, mtls_reason_word(device_status().reason));
		if (more)
			ck_assert_msg(put == VAULT_FLASH || boot == VAULT_FLASH, "word %u: nobody noticed", flaky);
		device.flaky = 0;
		ck_boot(&device);
		ck_assert(put == VAULT_OK ? is_new() : is_old() || is_new());
	}
	ck_assert_uint_gt(words, 10);
}
END_TEST

static bool never_erases(void *ctx, uint32_t at)
{
	(void)ctx;
	(void)at;
	return true;
}

START_TEST(a_flash_that_does_not_erase)
{
	bool (*erase)(void *, uint32_t) = device.board.flash.erase_unit;

	ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
	device.board.flash.erase_unit = never_erases;
	ck_assert_int_eq(device_boot(&device), VAULT_FLASH);
	ck_assert(is_new()); /* it is stored; but the inbox is there yet */
	ck_assert_int_eq(device_boot(&device), VAULT_FLASH);
	ck_assert_int_eq(vault_begin(), VAULT_FLASH);
	device.board.flash.erase_unit = erase;
	ck_boot(&device);
	ck_assert(is_new());
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------- */

/* Each allocation of the boot that carries out an upload, and of one that does not. */
START_TEST(memory_that_ends)
{
	unsigned k = 0, step = vault_all ? 1 : 13;
	enum vault_result r;

	do {
		ck_install(&device, &credentials[OLD].upload);
		if (_i)
			ck_assert_int_eq(device_upload(&credentials[NEW].upload), VAULT_OK);
		k += step;
		memory_ends(k);
		r = device_boot(&device);
		ck_assert(r == VAULT_OK || r == VAULT_NO_MEMORY || r == VAULT_NO_RANDOM || r == VAULT_FLASH);
		if (memory_ends(0) < k)
			break;
		ck_assert(device_signs_nothing() || is_old() || is_new());
		ck_boot(&device);
		ck_assert(is_old() || (_i && is_new()));
	} while (true);
	ck_assert_uint_gt(k, 10);
}
END_TEST

/*
 * And of a signature: afterwards the key signs as before. Twice, since what blinds an RSA key is there or has to be
 * made.
 */
START_TEST(memory_to_sign_with)
{
	static const uint16_t schemes[] = {0x0403, 0x0401, 0x0804};
	unsigned char hash[32] = {0}, signature[VAULT_SIGNATURE];
	unsigned k = 0, used;
	size_t length;

	if (_i) {
		make_credential(NEW, keys[RSA_2048], 10);
		ck_install(&device, &credentials[NEW].upload);
	}
	do {
		k += vault_all || k < 60 ? 1 : 37; /* it blinds at the beginning */
		memory_ends(k);
		vault_signer()->sign(schemes[_i], hash, sizeof(hash), signature, &length);
		used = memory_ends(k);
		vault_signer()->sign(schemes[_i], hash, sizeof(hash), signature, &length);
		memory_ends(0);
		ck_assert_msg(_i ? is_new() : is_old(), "after allocation %u", k);
	} while (used >= k);
	ck_assert_uint_gt(k, 50);
}
END_TEST

Suite *damage_suite(void)
{
	Suite *s = suite_create("damage");
	TCase *t = tcase_create("damage");

	tcase_add_unchecked_fixture(t, make_credentials, forget_credentials);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, vault_all ? 7200 : 240);
	tcase_add_loop_test(t, a_thousand_corruptions, 0, DAMAGES);
	tcase_add_test(t, a_flash_full_of_something);
	tcase_add_test(t, each_bit_of_a_record);
	tcase_add_test(t, damage_of_the_mark);
	tcase_add_test(t, another_devices_key);
	tcase_add_test(t, no_key);
	tcase_add_test(t, no_entropy);
	tcase_add_loop_test(t, no_random_number_to_sign_with, 0, 3);
	tcase_add_test(t, errors_of_the_flash);
	tcase_add_test(t, lies_of_the_flash);
	tcase_add_test(t, a_flash_that_does_not_erase);
	tcase_add_loop_test(t, memory_that_ends, 0, 2);
	tcase_add_loop_test(t, memory_to_sign_with, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
