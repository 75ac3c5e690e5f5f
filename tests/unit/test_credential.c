/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/credential.c: the states, and the order of the broken reasons. What stands
 * in the blocks is test_blocks.c's.
 */
#include "tests/unit/credential_fixture.h"

Suite *credential_suite(void);

START_TEST(usable)
{
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.n_certs, 1);
	ck_bytes(blocks.cert[0], CERT);
	ck_bytes(blocks.key, KEY);
	ck_assert_ptr_eq(blocks.key.p, files.file[MTLS_KEY].data.p);
	ck_assert_int_eq(blocks.key_form, MTLS_KEY_PKCS8);
	ck_assert(!blocks.key_encrypted);
	ck_assert_uint_eq(blocks.pass.n, 0);
	ck_assert(!blocks.pass_lost);
}
END_TEST

START_TEST(no_error_wanted)
{
	ck_assert_int_eq(mtls_credential_scan(&files, &blocks, NULL), MTLS_USABLE);
	lose(MTLS_KEY, MTLS_FILE_NONE);
	ck_assert_int_eq(mtls_credential_scan(&files, &blocks, NULL), MTLS_KEY_MISSING);
	give(MTLS_KEY, UNFINISHED("PRIVATE KEY"));
	ck_assert_int_eq(mtls_credential_scan(&files, &blocks, NULL), MTLS_KEY_MALFORMED);
}
END_TEST

/* -- States -------------------------------------------------------------- */

/* N: none, n: none, by name, E: empty, w: white space, b: BOM only, D: folder, U: unreadable, g: good */
static void arrange(enum mtls_part part, char how)
{
	files.file[part].named = how == 'n';
	if (how == 'E')
		give(part, "");
	else if (how == 'w')
		give(part, " \r\n\t\v\f\n");
	else if (how == 'b')
		give(part, MTLS_BOM "\r\n");
	else if (how == 'D')
		lose(part, MTLS_FILE_NOT_A_FILE);
	else if (how == 'U')
		lose(part, MTLS_FILE_UNREADABLE);
	else if (how != 'g')
		lose(part, MTLS_FILE_NONE);
}

static const struct {
	bool agent;
	char cert, key;
	enum mtls_reason reason;
	enum mtls_part part;
} PRESENCE[] = {
	{false, 'N', 'N', MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{false, 'n', 'n', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'E', 'E', MTLS_REMOVED, MTLS_FOLDER},
	{false, 'E', 'N', MTLS_REMOVED, MTLS_FOLDER},
	{false, 'N', 'E', MTLS_REMOVED, MTLS_FOLDER},
	{false, 'w', 'b', MTLS_REMOVED, MTLS_FOLDER},
	{false, 'b', 'N', MTLS_REMOVED, MTLS_FOLDER},
	{false, 'n', 'E', MTLS_REMOVED, MTLS_CERT},
	{false, 'E', 'n', MTLS_REMOVED, MTLS_CERT},
	{false, 'g', 'N', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'g', 'n', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'g', 'E', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'g', 'w', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'g', 'b', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'N', 'g', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'n', 'g', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'E', 'g', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'b', 'g', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'N', 'D', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'E', 'U', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{false, 'D', 'E', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'U', 'N', MTLS_KEY_MISSING, MTLS_KEY},
	{false, 'D', 'D', MTLS_NOT_A_FILE, MTLS_CERT},
	{false, 'U', 'D', MTLS_NOT_A_FILE, MTLS_KEY},
	{false, 'U', 'U', MTLS_UNREADABLE, MTLS_CERT},
	{false, 'g', 'U', MTLS_UNREADABLE, MTLS_KEY},
	{true, 'g', 'N', MTLS_USABLE, MTLS_NOTHING},
	{true, 'g', 'E', MTLS_USABLE, MTLS_NOTHING},
	{true, 'g', 'U', MTLS_USABLE, MTLS_NOTHING},
	{true, 'g', 'n', MTLS_USABLE, MTLS_NOTHING},
	{true, 'g', 'g', MTLS_USABLE, MTLS_NOTHING},
	{true, 'N', 'N', MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{true, 'N', 'g', MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{true, 'N', 'n', MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{true, 'N', 'E', MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{true, 'n', 'g', MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{true, 'E', 'g', MTLS_REMOVED, MTLS_FOLDER},
	{true, 'w', 'N', MTLS_REMOVED, MTLS_FOLDER},
	{true, 'U', 'g', MTLS_UNREADABLE, MTLS_CERT},
};

START_TEST(presence)
{
	files.agent = PRESENCE[_i].agent;
	arrange(MTLS_CERT, PRESENCE[_i].cert);
	arrange(MTLS_KEY, PRESENCE[_i].key);
	ck_scan(PRESENCE[_i].reason, PRESENCE[_i].part);
}
END_TEST

START_TEST(absent_and_removed_come_before_broken)
{
	files.folder_unsafe = true;
	files.file[MTLS_CONF].unsafe = true;
	lose(MTLS_CONF, MTLS_FILE_UNREADABLE);
	arrange(MTLS_CERT, _i ? 'E' : 'N');
	arrange(MTLS_KEY, 'N');
	ck_scan(_i ? MTLS_REMOVED : MTLS_NO_CREDENTIAL, MTLS_FOLDER);
}
END_TEST

START_TEST(places)
{
	lose(MTLS_CERT, MTLS_FILE_NONE);
	lose(MTLS_KEY, MTLS_FILE_NONE);
	files.place = MTLS_PLACE_NONE;
	ck_scan(MTLS_NO_CREDENTIAL, MTLS_NOTHING);
	files.place = MTLS_PLACE_MISSING;
	ck_scan(MTLS_FOLDER_MISSING, MTLS_FOLDER);
	files.place = MTLS_PLACE_UNREADABLE;
	ck_scan(MTLS_UNREADABLE, MTLS_FOLDER);
	files.folder_unsafe = true;
	ck_scan(MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER);
}
END_TEST

START_TEST(agent_looks_at_neither_key_nor_passphrase)
{
	static char pass[MTLS_PASS_MAX + 2];

	files.agent = true;
	memset(pass, 'x', sizeof(pass) - 1);
	give(MTLS_KEY, UNFINISHED("DSA PRIVATE KEY"));
	give(MTLS_PASS, pass);
	files.file[MTLS_KEY].unsafe = files.file[MTLS_PASS].unsafe = true;
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(blocks.key_form, MTLS_KEY_NONE);
	ck_assert_uint_eq(blocks.key.n, 0);
	ck_assert_uint_eq(blocks.pass.n, 0);
	lose(MTLS_PASS, MTLS_FILE_NONE);
	files.file[MTLS_PASS].named = true;
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(mtls_blocks_passphrase(&blocks, &error), MTLS_USABLE);
	files.file[MTLS_CERT].unsafe = true;
	ck_scan(MTLS_UNSAFE_PERMISSIONS, MTLS_CERT);
}
END_TEST

/* -- The order of the reasons --------------------------------------------- */

static char many[(MTLS_CHAIN_MAX + 1) * sizeof(CERT "\n")];
static unsigned char large[MTLS_FILE_MAX + 1];

static void chain_of(size_t n)
{
	many[0] = '\0';
	while (n--)
		strcat(many, CERT "\n");
	give(MTLS_CERT, many);
}

static const struct {
	enum mtls_reason reason;
	enum mtls_part part;
	enum mtls_file_how how;
	const char *text;
} BREAKS[] = {
	{MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER, MTLS_FILE_OK, NULL},
	{MTLS_FOLDER_MISSING, MTLS_FOLDER, MTLS_FILE_OK, NULL},
	{MTLS_CERTIFICATE_MISSING, MTLS_CERT, MTLS_FILE_NONE, NULL},
	{MTLS_KEY_MISSING, MTLS_KEY, MTLS_FILE_OK, "\n"},
	{MTLS_NOT_A_FILE, MTLS_CONF, MTLS_FILE_NOT_A_FILE, NULL},
	{MTLS_UNREADABLE, MTLS_PASS, MTLS_FILE_UNREADABLE, NULL},
	{MTLS_TOO_LARGE, MTLS_CONF, MTLS_FILE_TOO_LARGE, NULL},
	{MTLS_TOO_LARGE, MTLS_CERT, MTLS_FILE_OK, many},
	{MTLS_PASSPHRASE_TOO_LONG, MTLS_PASS, MTLS_FILE_OK, long_pass},
	{MTLS_CERTIFICATE_MALFORMED, MTLS_CERT, MTLS_FILE_OK, UNFINISHED("CERTIFICATE")},
	{MTLS_KEY_MALFORMED, MTLS_KEY, MTLS_FILE_OK, "no key"},
	{MTLS_KEY_UNSUPPORTED, MTLS_KEY, MTLS_FILE_OK, BLOCK("DSA PRIVATE KEY")},
	{MTLS_KEY_NEEDS_AGENT, MTLS_KEY, MTLS_FILE_OK, "pkcs11:token=x"},
};

static void break_with(int i)
{
	if (BREAKS[i].reason == MTLS_UNSAFE_PERMISSIONS)
		files.folder_unsafe = true;
	else if (BREAKS[i].reason == MTLS_FOLDER_MISSING)
		files.place = MTLS_PLACE_MISSING;
	else if (BREAKS[i].text)
		give(BREAKS[i].part, BREAKS[i].text);
	else
		lose(BREAKS[i].part, BREAKS[i].how);
}

static bool exclude_each_other(int i, int j)
{
	if (BREAKS[i].reason == MTLS_CERTIFICATE_MISSING && BREAKS[j].reason == MTLS_KEY_MISSING)
		return true; /* together: removed */
	return BREAKS[i].part == BREAKS[j].part && BREAKS[i].part != MTLS_FOLDER;
}

/* Every pair of breakages that can stand together: the one earlier in the contract's list is told. */
START_TEST(order_of_reasons)
{
	int other;

	chain_of(MTLS_CHAIN_MAX + 1);
	pass_of(MTLS_PASS_MAX + 1, "\n");
	for (other = _i; other < COUNT(BREAKS); other++) {
		if (other > _i && exclude_each_other(_i, other))
			continue;
		setup();
		break_with(other);
		break_with(_i);
		ck_scan(BREAKS[_i].reason, BREAKS[_i].part);
	}
}
END_TEST

START_TEST(every_file_counts)
{
	enum mtls_part part = (enum mtls_part)_i;
	struct mtls_file before = files.file[part];

	lose(part, MTLS_FILE_NOT_A_FILE);
	ck_scan(MTLS_NOT_A_FILE, part);
	lose(part, MTLS_FILE_UNREADABLE);
	ck_scan(MTLS_UNREADABLE, part);
	lose(part, MTLS_FILE_TOO_LARGE);
	ck_scan(MTLS_TOO_LARGE, part);
	files.file[part] = before;
	files.file[part].unsafe = true;
	ck_scan(MTLS_UNSAFE_PERMISSIONS, part);
}
END_TEST

START_TEST(sizes)
{
	chain_of(MTLS_CHAIN_MAX);
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_uint_eq(blocks.n_certs, MTLS_CHAIN_MAX);
	chain_of(MTLS_CHAIN_MAX + 1);
	ck_scan(MTLS_TOO_LARGE, MTLS_CERT);
	ck_assert_str_eq(error.detail, "33 certificates");
	setup();
	memset(large, '\n', sizeof(large));
	memcpy(large, CERT, strlen(CERT));
	files.file[MTLS_CERT].data = (struct mtls_bytes){large, MTLS_FILE_MAX};
	ck_scan(MTLS_USABLE, MTLS_NOTHING);
	files.file[MTLS_CERT].data.n++;
	ck_scan(MTLS_TOO_LARGE, MTLS_CERT);
}
END_TEST

Suite *credential_suite(void)
{
	Suite *suite = suite_create("credential");
	TCase *tc = tcase_create("credential");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, usable);
	tcase_add_test(tc, no_error_wanted);
	tcase_add_loop_test(tc, presence, 0, COUNT(PRESENCE));
	tcase_add_loop_test(tc, absent_and_removed_come_before_broken, 0, 2);
	tcase_add_test(tc, places);
	tcase_add_test(tc, agent_looks_at_neither_key_nor_passphrase);
	tcase_add_loop_test(tc, order_of_reasons, 0, COUNT(BREAKS));
	tcase_add_loop_test(tc, every_file_counts, 0, MTLS_FILES);
	tcase_add_test(tc, sizes);
	suite_add_tcase(suite, tc);
	return suite;
}
