/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/reading.c: the one line for a person, and the file or setting that a log
 * line names. Whatever a folder is called, it is one line.
 */
#include "folder_fixture.h"

#include "host/reading.h"

Suite *explain_suite(void);

static struct mtls_environment env;
static struct mtls_reading reading;

static void stop(void)
{
	mtls_environment_free(&env);
	folder_remove();
}

static const char *explained(const struct mtls_error *e)
{
	static char text[4096];
	size_t n = (size_t)mtls_reading_explain(&reading, e, text, sizeof(text));
	char part[64], guard[2] = {'#', '#'};

	ck_assert_uint_eq(n, strlen(text));
	ck_assert_ptr_null(strpbrk(text, "\n\r\t\033\177"));
	ck_assert_int_eq(mtls_reading_explain(&reading, e, NULL, 0), (int)n);
	ck_assert_int_eq(mtls_reading_explain(&reading, e, guard, 1), (int)n);
	ck_assert(guard[0] == '\0' && guard[1] == '#');
	ck_assert_int_eq(mtls_reading_explain(&reading, e, part, sizeof(part)), (int)n);
	ck_assert_int_eq(strncmp(part, text, sizeof(part) - 1), 0);
	return text;
}

START_TEST(one_line)
{
	static const char odd[] = "a\nmtls-run[1] \033[2Jb\177";
	char expected[1024];

	ck_assert_int_eq(mkdir(in(odd), 0755), 0);
	mtls_environment_folder(&env, in(odd), "--dir");
	put_at(env.place[0].file[MTLS_CERT], "x");
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_int_eq(reading.reason, MTLS_KEY_MISSING);
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), env.place[0].file[MTLS_KEY]);
	snprintf(expected, sizeof(expected), "%s/a?mtls-run[1] ?[2Jb?/private_key.pem: %s; %s", folder,
		 mtls_reason_sentence(MTLS_KEY_MISSING), mtls_reason_remedy(MTLS_KEY_MISSING));
	ck_assert_str_eq(explained(&reading.error), expected);
	mtls_reading_free(&reading);
}
END_TEST

START_TEST(details)
{
	char expected[1024];

	put("client_cert.pem", "x");
	put("private_key.pem", "x");
	put("mtls.conf", "log = off\n\ncolour = blue\n");
	mtls_environment_folder(&env, folder, "--dir");
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_int_eq(reading.reason, MTLS_CERTIFICATE_MALFORMED);
	snprintf(expected, sizeof(expected), "%s (no certificate block); %s",
		 mtls_reason_sentence(MTLS_CERTIFICATE_MALFORMED), mtls_reason_remedy(MTLS_CERTIFICATE_MALFORMED));
	ck_assert_ptr_nonnull(strstr(explained(&reading.error), expected));
	ck_assert_int_eq(reading.policy.error.reason, MTLS_BAD_SETTING);
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.policy.error), env.place[0].file[MTLS_CONF]);
	snprintf(expected, sizeof(expected), "/mtls.conf, line 3: %s (colour); ",
		 mtls_reason_sentence(MTLS_BAD_SETTING));
	ck_assert_ptr_nonnull(strstr(explained(&reading.policy.error), expected));
	mtls_reading_free(&reading);
}
END_TEST

static const char *const bad[][2] = {{"MTLS_HOSTS=", "MTLS_HOSTS"},      {"MTLS_ISSUER=x", "MTLS_ISSUER"},
				     {"MTLS_ONLY_IF=x", "MTLS_ONLY_IF"}, {"MTLS_PHA=x", "MTLS_PHA"},
				     {"MTLS_LOG=x", "MTLS_LOG"},         {"MTLS_DISABLE=x", "MTLS_DISABLE"}};

START_TEST(variables_by_name)
{
	mtls_environment_read(&env, E(bad[_i][0]));
	mtls_environment_folder(&env, folder, "--dir");
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_int_eq(reading.reason, MTLS_NO_CREDENTIAL);
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.policy.error), bad[_i][1]);
	ck_assert_int_eq(strncmp(explained(&reading.policy.error), bad[_i][1], strlen(bad[_i][1])), 0);
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), env.place[0].folder);
	mtls_reading_free(&reading);
}
END_TEST

START_TEST(files_one_by_one)
{
	mtls_environment_read(&env, E("MTLS_CERT=/nowhere/c", "MTLS_KEY=/nowhere/k", "MTLS_KEY_PASS_FILE=/nowhere/p"));
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "/nowhere/c");
	reading.error.part = MTLS_KEY;
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "/nowhere/k");
	reading.error.part = MTLS_PASS;
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "/nowhere/p");
	reading.error.part = MTLS_CONF;
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "");
	reading.error.part = MTLS_FOLDER;
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "/nowhere/c");
	mtls_reading_free(&reading);
}
END_TEST

START_TEST(no_place)
{
	mtls_environment_read(&env, E("HOME="));
	env.n_places = 0; /* not even /etc/mtls */
	ck_assert(mtls_reading_make(&env, &reading));
	ck_assert_int_eq(reading.reason, MTLS_NO_CREDENTIAL);
	ck_assert_str_eq(mtls_reading_what(&reading, &reading.error), "");
	explained(&reading.error);
	mtls_reading_free(&reading);
	env.n_places = 1;
}
END_TEST

Suite *explain_suite(void)
{
	Suite *s = suite_create("explain");
	TCase *c = tcase_create("explain");

	tcase_add_checked_fixture(c, folder_make, stop);
	tcase_add_test(c, one_line);
	tcase_add_test(c, details);
	tcase_add_test(c, files_one_by_one);
	tcase_add_test(c, no_place);
	tcase_add_loop_test(c, variables_by_name, 0, (int)COUNT(bad));
	suite_add_tcase(s, c);
	return s;
}
