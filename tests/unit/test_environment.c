/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/environment.c: where a credential is looked for, in which order, and what
 * each variable gives. Nothing has to exist here: test_reading.c has the real files.
 */
#include "folder_fixture.h"

#include "host/environment.h"

#define TEXT_MAX 1024

Suite *environment_suite(void);

static struct mtls_environment env;

static void add(char *text, const char *more)
{
	size_t n = strlen(text);

	snprintf(text + n, TEXT_MAX - n, "%s", more ? more : "-");
}

/* "[FOLDER]" for each place, "{CERT,KEY,PASS,CONF}" for named files, with "!" where it was named. */
static const char *places(void)
{
	static char text[TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < env.n_places; i++) {
		const struct mtls_place *place = &env.place[i];

		add(text, place->named ? "!" : "");
		add(text, place->folder ? "[" : "{");
		for (int k = 0; !place->folder && k < MTLS_FILES; k++) {
			add(text, k ? "," : "");
			add(text, place->file[k]);
			ck_assert_int_eq(place->named_file[k], place->file[k] != NULL);
		}
		add(text, place->folder ? place->folder : "");
		add(text, place->folder ? "]" : "}");
		for (int k = 0; place->folder && k < MTLS_FILES; k++) {
			size_t n = strlen(place->folder);
			const char *name = place->file[k] + n;

			ck_assert_int_eq(strncmp(place->file[k], place->folder, n), 0);
			name += *name == '/' && place->folder[n - 1] != '/';
			ck_assert_str_eq(name, mtls_part_file((enum mtls_part)k));
			ck_assert(!place->named_file[k]);
		}
		ck_assert_str_ne(place->why, "");
	}
	return text;
}

static const struct {
	const char *set[6];
	const char *places;
} lookups[] = {
	{{NULL}, "[/etc/mtls]"},
	{{"HOME=/h"}, "[/h/.config/mtls][/etc/mtls]"},
	{{"HOME=/"}, "[/.config/mtls][/etc/mtls]"},
	{{"HOME=h"}, "[/etc/mtls]"},
	{{"HOME=./h"}, "[/etc/mtls]"},
	{{"HOME="}, "[/etc/mtls]"},
	{{"HOME=/h", "XDG_CONFIG_HOME=/x"}, "[/x/mtls][/etc/mtls]"},
	{{"HOME=/h", "XDG_CONFIG_HOME=/x/"}, "[/x/mtls][/etc/mtls]"},
	{{"HOME=/h", "XDG_CONFIG_HOME="}, "[/h/.config/mtls][/etc/mtls]"},
	{{"HOME=/h", "XDG_CONFIG_HOME=x"}, "[/h/.config/mtls][/etc/mtls]"},
	{{"XDG_CONFIG_HOME=/x"}, "[/x/mtls][/etc/mtls]"},
	{{"CREDENTIALS_DIRECTORY=/c"}, "[/c][/etc/mtls]"},
	{{"CREDENTIALS_DIRECTORY=c", "HOME=/h"}, "[/h/.config/mtls][/etc/mtls]"},
	{{"CREDENTIALS_DIRECTORY=", "HOME=/h"}, "[/h/.config/mtls][/etc/mtls]"},
	{{"HOME=/h", "XDG_CONFIG_HOME=/x", "CREDENTIALS_DIRECTORY=/c"}, "[/c][/x/mtls][/etc/mtls]"},
	{{"MTLS_DIR=/d"}, "![/d]"},
	{{"MTLS_DIR=/d", "HOME=/h", "XDG_CONFIG_HOME=/x", "CREDENTIALS_DIRECTORY=/c"}, "![/d]"},
	{{"MTLS_DIR=", "HOME=/h"}, "[/h/.config/mtls][/etc/mtls]"},
	{{"MTLS_DIR=/d", "MTLS_DIR=/e"}, "![/d]"},
	{{"MTLS_DIRECTORY=/d", "XMTLS_DIR=/d", "MTLS_DIR"}, "[/etc/mtls]"},
	{{"MTLS_CERT=/a/c.pem"}, "!{/a/c.pem,/a/c.pem,-,-}"},
	{{"MTLS_CERT=/a/c.pem", "MTLS_KEY=/b/k.pem"}, "!{/a/c.pem,/b/k.pem,-,-}"},
	{{"MTLS_CERT=/a/c.pem", "MTLS_KEY="}, "!{/a/c.pem,/a/c.pem,-,-}"},
	{{"MTLS_CERT=/a", "MTLS_KEY=/b", "MTLS_KEY_PASS_FILE=/p"}, "!{/a,/b,/p,-}"},
	{{"MTLS_CERT=/a", "MTLS_KEY_PASS_FILE="}, "!{/a,/a,-,-}"},
	{{"MTLS_CERT=/a", "MTLS_DIR=/d", "CREDENTIALS_DIRECTORY=/c"}, "!{/a,/a,-,-}"},
	{{"MTLS_CERT=", "MTLS_KEY=/k", "MTLS_DIR=/d"}, "![/d]"},
	{{"MTLS_KEY=/k", "MTLS_KEY_PASS_FILE=/p"}, "[/etc/mtls]"},
};

START_TEST(order)
{
	mtls_environment_read(&env, (char *const *)lookups[_i].set);
	ck_assert_str_eq(places(), lookups[_i].places);
	ck_assert(!env.incomplete);
	mtls_environment_free(&env);
}
END_TEST

START_TEST(no_environment)
{
	mtls_environment_read(&env, NULL);
	ck_assert_str_eq(places(), "[/etc/mtls]");
	mtls_environment_free(&env);
}
END_TEST

/* Relative names hold for the working folder of the start, and the program may change it. */
START_TEST(relative)
{
	char expected[TEXT_MAX];

	folder_make();
	ck_assert_int_eq(chdir(folder), 0);
	mtls_environment_read(
		&env, E("MTLS_CERT=c", "MTLS_KEY=../k", "MTLS_KEY_PASS_FILE=s/p", "MTLS_LOG_FILE=l", "MTLS_AGENT=./a"));
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(expected, sizeof(expected), "!{%s,%s,%s,-}", in("c"), in("../k"), in("s/p"));
	ck_assert_str_eq(places(), expected);
	ck_assert_str_eq(env.log_file, in("l"));
	ck_assert_str_eq(env.agent, in("./a"));
	mtls_environment_free(&env);

	ck_assert_int_eq(chdir(folder), 0);
	mtls_environment_read(&env, E("MTLS_DIR=d/"));
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_str_eq(env.place[0].file[MTLS_KEY], in("d/private_key.pem"));
	mtls_environment_folder(&env, "e", "--dir");
	ck_assert_str_eq(places(), "![/e]");
	ck_assert_str_eq(env.place[0].why, "--dir");
	mtls_environment_free(&env);
	folder_remove();
}
END_TEST

START_TEST(working_folder_gone)
{
	folder_make();
	ck_assert_int_eq(mkdir(in("gone"), 0755), 0);
	ck_assert_int_eq(chdir(in("gone")), 0);
	ck_assert_int_eq(rmdir(in("gone")), 0);
	mtls_environment_read(&env, E("MTLS_DIR=/d", "MTLS_LOG_FILE=/l", "MTLS_AGENT=/a"));
	ck_assert(!env.incomplete);
	mtls_environment_free(&env);
	mtls_environment_read(&env, E("MTLS_DIR=d"));
	ck_assert(env.incomplete);
	mtls_environment_free(&env);
	mtls_environment_read(&env, E("MTLS_CERT=/c", "MTLS_KEY=k"));
	ck_assert(env.incomplete);
	mtls_environment_free(&env);
	mtls_environment_read(&env, E("MTLS_DIR=/d", "MTLS_LOG_FILE=l"));
	ck_assert(env.incomplete);
	mtls_environment_free(&env);
	mtls_environment_read(&env, E("MTLS_DIR=/d", "MTLS_AGENT=a"));
	ck_assert(env.incomplete);
	mtls_environment_free(&env);
	folder_remove();
}
END_TEST

static const struct {
	const char *set;
	bool disable, bad;
} disables[] = {
	{"X=1", false, false},
	{"MTLS_DISABLE=", false, false},
	{"MTLS_DISABLE=0", false, false},
	{"MTLS_DISABLE=1", true, false},
	{"MTLS_DISABLE=2", false, true},
	{"MTLS_DISABLE=01", false, true},
	{"MTLS_DISABLE=11", false, true},
	{"MTLS_DISABLE=1 ", false, true},
	{"MTLS_DISABLE= 1", false, true},
	{"MTLS_DISABLE=yes", false, true},
	{"MTLS_DISABLE=false", false, true},
};

START_TEST(disable)
{
	struct mtls_policy policy;

	mtls_environment_read(&env, E(disables[_i].set));
	ck_assert_int_eq(env.disable, disables[_i].disable);
	ck_assert_int_eq(env.bad_disable, disables[_i].bad);
	mtls_environment_policy(&env, &policy);
	ck_assert_int_eq(policy.error.reason, disables[_i].bad ? MTLS_BAD_SETTING : MTLS_USABLE);
	if (disables[_i].bad) {
		ck_assert_str_eq(policy.error.setting, "disable");
		ck_assert_int_eq(policy.error.part, MTLS_SETTING);
		ck_assert_uint_eq(policy.error.line, 0);
	}
	mtls_environment_free(&env);
}
END_TEST

/* What the program does to its environment later changes nothing. */
START_TEST(a_snapshot)
{
	char hosts[] = "MTLS_HOSTS=a.example", dir[] = "MTLS_DIR=/d", file[] = "MTLS_LOG_FILE=/l",
	     agent[] = "MTLS_AGENT=/a";
	struct mtls_policy policy;

	mtls_environment_read(&env, E(hosts, dir, file, agent, "MTLS_ISSUER=match", "MTLS_ONLY_IF=verified,tls1.3",
				      "MTLS_PHA=off", "MTLS_LOG=debug"));
	memset(hosts, 'x', sizeof(hosts) - 1);
	memset(dir, 'x', sizeof(dir) - 1);
	memset(file, 'x', sizeof(file) - 1);
	memset(agent, 'x', sizeof(agent) - 1);
	ck_assert_str_eq(places(), "![/d]");
	ck_assert_str_eq(env.log_file, "/l");
	ck_assert_str_eq(env.agent, "/a");
	mtls_environment_policy(&env, &policy);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
	ck_assert(mtls_bytes_equal(policy.hosts, mtls_bytes_of("a.example")));
	ck_assert_int_eq(policy.issuer, MTLS_ISSUER_MATCH);
	ck_assert_uint_eq(policy.only_if, MTLS_ONLY_IF_VERIFIED | MTLS_ONLY_IF_TLS13);
	ck_assert_int_eq(policy.pha, MTLS_PHA_OFF);
	ck_assert_int_eq(policy.log, MTLS_LOG_DEBUG);
	ck_assert(policy.agent);
	for (int i = 0; i < MTLS_SETTINGS; i++)
		ck_assert_int_eq(policy.origin[i], MTLS_FROM_ENVIRONMENT);
	mtls_environment_free(&env);
	ck_assert_uint_eq(env.n_places, 0);
	ck_assert_ptr_null(env.agent);
}
END_TEST

START_TEST(empty_is_unset)
{
	struct mtls_policy policy;

	mtls_environment_read(
		&env, E("MTLS_ISSUER=", "MTLS_ONLY_IF=", "MTLS_PHA=", "MTLS_LOG=", "MTLS_LOG_FILE=", "MTLS_AGENT="));
	for (int i = 0; i < MTLS_SETTINGS; i++)
		ck_assert_ptr_null(env.setting[i]);
	ck_assert_ptr_null(env.log_file);
	ck_assert_ptr_null(env.agent);
	mtls_environment_policy(&env, &policy);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
	ck_assert(!policy.agent);
	mtls_environment_free(&env);
}
END_TEST

/* … but an empty list of hosts is a bad value, not "every server". */
START_TEST(empty_hosts)
{
	struct mtls_policy policy;

	mtls_environment_read(&env, E("MTLS_HOSTS=", "MTLS_DISABLE=maybe"));
	ck_assert_str_eq(env.setting[MTLS_HOSTS], "");
	mtls_environment_policy(&env, &policy);
	ck_assert_int_eq(policy.error.reason, MTLS_BAD_SETTING);
	ck_assert_str_eq(policy.error.setting, "hosts");
	mtls_environment_free(&env);
}
END_TEST

Suite *environment_suite(void)
{
	Suite *s = suite_create("environment");
	TCase *c = tcase_create("environment");

	tcase_add_loop_test(c, order, 0, (int)COUNT(lookups));
	tcase_add_test(c, no_environment);
	tcase_add_test(c, relative);
	tcase_add_test(c, working_folder_gone);
	tcase_add_loop_test(c, disable, 0, (int)COUNT(disables));
	tcase_add_test(c, a_snapshot);
	tcase_add_test(c, empty_is_unset);
	tcase_add_test(c, empty_hosts);
	suite_add_tcase(s, c);
	return s;
}
