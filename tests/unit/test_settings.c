/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/settings.c: words and defaults of the contract's section 3, environment
 * before file, and what a bad setting reports. Host patterns: test_hosts.c.
 */
#include <check.h>
#include <string.h>

#include "core/settings.h"

#define CONF(text) ((struct mtls_bytes){(const unsigned char *)(text), sizeof(text) - 1})

Suite *settings_suite(void);

static struct mtls_policy policy;

static void setup(void)
{
	memset(&policy, 0x55, sizeof(policy));
	mtls_policy_init(&policy);
}

static enum mtls_reason set(enum mtls_setting setting, const char *value)
{
	return mtls_policy_set(&policy, setting, mtls_bytes_of(value));
}

static void ck_error(enum mtls_part part, unsigned line, const char *setting, const char *detail)
{
	ck_assert_int_eq(policy.error.reason, MTLS_BAD_SETTING);
	ck_assert_int_eq(policy.error.part, part);
	ck_assert_uint_eq(policy.error.line, line);
	ck_assert_pstr_eq(policy.error.setting, setting);
	ck_assert_str_eq(policy.error.detail, detail);
}

START_TEST(defaults)
{
	int i;

	ck_assert_uint_eq(policy.hosts.n, 0);
	ck_assert_int_eq(policy.issuer, MTLS_ISSUER_ANY);
	ck_assert_uint_eq(policy.only_if, 0);
	ck_assert_int_eq(policy.pha, MTLS_PHA_AUTO);
	ck_assert_int_eq(policy.log, MTLS_LOG_WARN);
	ck_assert(!policy.agent);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
	ck_assert_int_eq(policy.error.part, MTLS_NOTHING);
	for (i = 0; i < MTLS_SETTINGS; i++)
		ck_assert_int_eq(policy.origin[i], MTLS_FROM_DEFAULT);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(mtls_setting_key(MTLS_HOSTS), "hosts");
	ck_assert_str_eq(mtls_setting_key(MTLS_ISSUER), "issuer");
	ck_assert_str_eq(mtls_setting_key(MTLS_ONLY_IF), "only_if");
	ck_assert_str_eq(mtls_setting_key(MTLS_PHA), "pha");
	ck_assert_str_eq(mtls_setting_key(MTLS_LOG), "log");
	ck_assert_str_eq(mtls_setting_variable(MTLS_HOSTS), "MTLS_HOSTS");
	ck_assert_str_eq(mtls_setting_variable(MTLS_ISSUER), "MTLS_ISSUER");
	ck_assert_str_eq(mtls_setting_variable(MTLS_ONLY_IF), "MTLS_ONLY_IF");
	ck_assert_str_eq(mtls_setting_variable(MTLS_PHA), "MTLS_PHA");
	ck_assert_str_eq(mtls_setting_variable(MTLS_LOG), "MTLS_LOG");
	ck_assert_str_eq(mtls_setting_key(MTLS_SETTINGS), "");
	ck_assert_str_eq(mtls_setting_variable((enum mtls_setting) - 1), "");
}
END_TEST

START_TEST(words_of_settings)
{
	ck_assert_ptr_null(mtls_setting_word(MTLS_HOSTS, 0));
	ck_assert_str_eq(mtls_setting_word(MTLS_ISSUER, MTLS_ISSUER_MATCH), "match");
	ck_assert_ptr_null(mtls_setting_word(MTLS_ISSUER, MTLS_ISSUER_MATCH + 1));
	ck_assert_str_eq(mtls_setting_word(MTLS_LOG, MTLS_LOG_DEBUG), "debug");
	ck_assert_ptr_null(mtls_setting_word(MTLS_LOG, MTLS_LOG_DEBUG + 1));
	ck_assert_ptr_null(mtls_setting_word(MTLS_SETTINGS, 0));
}
END_TEST

static unsigned number_of(enum mtls_setting setting)
{
	switch (setting) {
	case MTLS_ISSUER:
		return policy.issuer;
	case MTLS_ONLY_IF:
		return policy.only_if;
	case MTLS_PHA:
		return policy.pha;
	case MTLS_LOG:
		return policy.log;
	default:
		return 99;
	}
}

static const struct {
	enum mtls_setting setting;
	const char *value;
	unsigned number;
} WORDS[] = {
	{MTLS_ISSUER, "any", MTLS_ISSUER_ANY},
	{MTLS_ISSUER, "match", MTLS_ISSUER_MATCH},
	{MTLS_ONLY_IF, "verified", MTLS_ONLY_IF_VERIFIED},
	{MTLS_ONLY_IF, "tls1.3", MTLS_ONLY_IF_TLS13},
	{MTLS_ONLY_IF, "tls1.3,verified", MTLS_ONLY_IF_TLS13 | MTLS_ONLY_IF_VERIFIED},
	{MTLS_ONLY_IF, " verified ,\ttls1.3 ", MTLS_ONLY_IF_TLS13 | MTLS_ONLY_IF_VERIFIED},
	{MTLS_ONLY_IF, "verified,verified", MTLS_ONLY_IF_VERIFIED},
	{MTLS_PHA, "auto", MTLS_PHA_AUTO},
	{MTLS_PHA, "on", MTLS_PHA_ON},
	{MTLS_PHA, "off", MTLS_PHA_OFF},
	{MTLS_LOG, "off", MTLS_LOG_OFF},
	{MTLS_LOG, "warn", MTLS_LOG_WARN},
	{MTLS_LOG, "info", MTLS_LOG_INFO},
	{MTLS_LOG, "debug", MTLS_LOG_DEBUG},
};

/* Each twice, from another value, so that neither "ignored" nor "or-ed in" passes. */
START_TEST(words)
{
	policy.issuer = MTLS_ISSUER_MATCH;
	policy.only_if = 3;
	policy.pha = MTLS_PHA_OFF;
	policy.log = MTLS_LOG_DEBUG;
	ck_assert_int_eq(set(WORDS[_i].setting, WORDS[_i].value), MTLS_USABLE);
	ck_assert_uint_eq(number_of(WORDS[_i].setting), WORDS[_i].number);
	policy.issuer = MTLS_ISSUER_ANY;
	policy.only_if = 0;
	policy.pha = MTLS_PHA_AUTO;
	policy.log = MTLS_LOG_OFF;
	ck_assert_int_eq(set(WORDS[_i].setting, WORDS[_i].value), MTLS_USABLE);
	ck_assert_uint_eq(number_of(WORDS[_i].setting), WORDS[_i].number);
	ck_assert_int_eq(policy.origin[WORDS[_i].setting], MTLS_FROM_ENVIRONMENT);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
}
END_TEST

static const struct {
	enum mtls_setting setting;
	const char *value, *word;
} BAD[] = {
	{MTLS_ISSUER, "Any", "Any"},
	{MTLS_ISSUER, "any ", "any "},
	{MTLS_ISSUER, "an", "an"},
	{MTLS_ISSUER, "anyx", "anyx"},
	{MTLS_ISSUER, " ", " "},
	{MTLS_ISSUER, "auto", "auto"},
	{MTLS_ONLY_IF, "tls1.2", "tls1.2"},
	{MTLS_ONLY_IF, "verified, tls", "tls"},
	{MTLS_ONLY_IF, "VERIFIED", "VERIFIED"},
	{MTLS_ONLY_IF, "verified tls1.3", "verified tls1.3"},
	{MTLS_ONLY_IF, "verified,", "verified,"},
	{MTLS_ONLY_IF, ",verified", ",verified"},
	{MTLS_ONLY_IF, " ", " "},
	{MTLS_PHA, "1", "1"},
	{MTLS_LOG, "warning", "warning"},
	{MTLS_LOG, "none", "none"},
};

START_TEST(bad_values)
{
	enum mtls_setting setting = BAD[_i].setting;

	policy.only_if = MTLS_ONLY_IF_TLS13;
	ck_assert_int_eq(set(setting, BAD[_i].value), MTLS_BAD_SETTING);
	ck_error(MTLS_SETTING, 0, mtls_setting_key(setting), BAD[_i].word);
	ck_assert_int_eq(policy.origin[setting], MTLS_FROM_DEFAULT);
	ck_assert_int_eq(policy.issuer, MTLS_ISSUER_ANY);
	ck_assert_uint_eq(policy.only_if, MTLS_ONLY_IF_TLS13);
	ck_assert_int_eq(policy.pha, MTLS_PHA_AUTO);
	ck_assert_int_eq(policy.log, MTLS_LOG_WARN);
}
END_TEST

START_TEST(empty_is_unset_but_for_hosts)
{
	ck_assert_int_eq(set(MTLS_LOG, "debug"), MTLS_USABLE);
	ck_assert_int_eq(set(MTLS_LOG, ""), MTLS_USABLE);
	ck_assert_int_eq(policy.log, MTLS_LOG_DEBUG);
	ck_assert_int_eq(set(MTLS_PHA, ""), MTLS_USABLE);
	ck_assert_int_eq(policy.origin[MTLS_PHA], MTLS_FROM_DEFAULT);
	ck_assert_int_eq(set(MTLS_HOSTS, ""), MTLS_BAD_SETTING);
	ck_error(MTLS_SETTING, 0, "hosts", "");
	ck_assert_int_eq(policy.origin[MTLS_HOSTS], MTLS_FROM_DEFAULT);
}
END_TEST

START_TEST(hosts_are_borrowed)
{
	static const char VALUE[] = "a.example, !b.example";

	ck_assert_int_eq(set(MTLS_HOSTS, VALUE), MTLS_USABLE);
	ck_assert_ptr_eq(policy.hosts.p, VALUE);
	ck_assert_uint_eq(policy.hosts.n, strlen(VALUE));
	ck_assert_int_eq(policy.origin[MTLS_HOSTS], MTLS_FROM_ENVIRONMENT);
	ck_assert_int_eq(set(MTLS_HOSTS, "good.example b*d"), MTLS_BAD_SETTING);
	ck_error(MTLS_SETTING, 0, "hosts", "b*d");
	ck_assert_ptr_eq(policy.hosts.p, VALUE);
}
END_TEST

START_TEST(no_such_setting)
{
	ck_assert_int_eq(set(MTLS_SETTINGS, "any"), MTLS_BAD_SETTING);
	ck_error(MTLS_SETTING, 0, NULL, "any");
	ck_assert_int_eq(set((enum mtls_setting)99, "any"), MTLS_BAD_SETTING);
}
END_TEST

START_TEST(the_first_error_stays)
{
	set(MTLS_LOG, "first");
	set(MTLS_PHA, "second");
	ck_error(MTLS_SETTING, 0, "log", "first");
	ck_assert_int_eq(mtls_policy_conf(&policy, CONF("nonsense\n")), MTLS_BAD_SETTING);
	ck_error(MTLS_SETTING, 0, "log", "first");
}
END_TEST

START_TEST(conf_all_keys)
{
	static const char TEXT[] =
		MTLS_BOM "# all of them\r\n\r\nhosts = a.example, b.example # ours\r\n"
			 "issuer=match\r\n\t only_if\t=  verified , tls1.3 \t#\r\n  # pha = off\npha = on\nlog=info";

	ck_assert_int_eq(mtls_policy_conf(&policy, CONF(TEXT)), MTLS_USABLE);
	ck_assert(mtls_bytes_equal(policy.hosts, mtls_bytes_of("a.example, b.example")));
	ck_assert_ptr_eq(policy.hosts.p, strstr(TEXT, "a.example"));
	ck_assert_int_eq(policy.issuer, MTLS_ISSUER_MATCH);
	ck_assert_uint_eq(policy.only_if, MTLS_ONLY_IF_TLS13 | MTLS_ONLY_IF_VERIFIED);
	ck_assert_int_eq(policy.pha, MTLS_PHA_ON);
	ck_assert_int_eq(policy.log, MTLS_LOG_INFO);
	for (int i = 0; i < MTLS_SETTINGS; i++)
		ck_assert_int_eq(policy.origin[i], MTLS_FROM_CONF);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
}
END_TEST

START_TEST(conf_of_nothing)
{
	static const char *const TEXTS[] = {"", "\n", MTLS_BOM, "  \r\n", "#", "# x = y\n#\n", " \t#log = off"};

	ck_assert_int_eq(mtls_policy_conf(&policy, mtls_bytes_of(TEXTS[_i])), MTLS_USABLE);
	ck_assert_int_eq(policy.log, MTLS_LOG_WARN);
	ck_assert_int_eq(mtls_policy_conf(&policy, (struct mtls_bytes){NULL, 0}), MTLS_USABLE);
}
END_TEST

static const struct {
	struct mtls_bytes conf;
	unsigned line;
	const char *setting, *detail;
} BAD_CONF[] = {
	{{(const unsigned char *)"log = info\n\nhost = a\n", 21}, 3, NULL, "host"},
	{{(const unsigned char *)"Log = info", 10}, 1, NULL, "Log"},
	{{(const unsigned char *)"MTLS_LOG = info", 15}, 1, NULL, "MTLS_LOG"},
	{{(const unsigned char *)"= info", 6}, 1, NULL, ""},
	{{(const unsigned char *)"log info", 8}, 1, NULL, "no = in this line"},
	{{(const unsigned char *)"log # = info", 12}, 1, NULL, "no = in this line"},
	{{(const unsigned char *)"log =", 5}, 1, "log", "no value"},
	{{(const unsigned char *)"\nhosts = # none", 15}, 2, "hosts", "no value"},
	{{(const unsigned char *)"log = info\nlog = info", 21}, 2, "log", "given twice"},
	{{(const unsigned char *)"pha = yes", 9}, 1, "pha", "yes"},
	{{(const unsigned char *)"pha = on#off", 12}, 1, "pha", "on#off"},
	{{(const unsigned char *)"pha = on off", 12}, 1, "pha", "on off"},
	{{(const unsigned char *)"pha == on", 9}, 1, "pha", "= on"},
	{{(const unsigned char *)"only_if = verified;tls1.3", 25}, 1, "only_if", "verified;tls1.3"},
	{{(const unsigned char *)"hosts = a.example b*d", 21}, 1, "hosts", "b*d"},
	{{(const unsigned char *)"log = \x1b[2J", 10}, 1, "log", "?[2J"},
	{{(const unsigned char *)"pha = on\0", 9}, 1, NULL, "a NUL byte"},
	{{(const unsigned char *)"\n# a\0b\n", 7}, 2, NULL, "a NUL byte"},
};

START_TEST(bad_conf)
{
	ck_assert_int_eq(mtls_policy_conf(&policy, BAD_CONF[_i].conf), MTLS_BAD_SETTING);
	ck_error(MTLS_CONF, BAD_CONF[_i].line, BAD_CONF[_i].setting, BAD_CONF[_i].detail);
	ck_assert_int_eq(policy.pha, MTLS_PHA_AUTO);
}
END_TEST

START_TEST(lines_behind_a_bad_one_count)
{
	ck_assert_int_eq(mtls_policy_conf(&policy, CONF("pha = x\nfoo\nlog = off\n")), MTLS_BAD_SETTING);
	ck_error(MTLS_CONF, 1, "pha", "x");
	ck_assert_int_eq(policy.log, MTLS_LOG_OFF);
}
END_TEST

START_TEST(environment_beats_conf)
{
	ck_assert_int_eq(set(MTLS_LOG, "debug"), MTLS_USABLE);
	ck_assert_int_eq(set(MTLS_HOSTS, "env.example"), MTLS_USABLE);
	ck_assert_int_eq(mtls_policy_conf(&policy, CONF("log = off\nhosts = conf.example\npha = off\n")), MTLS_USABLE);
	ck_assert_int_eq(policy.log, MTLS_LOG_DEBUG);
	ck_assert(mtls_bytes_equal(policy.hosts, mtls_bytes_of("env.example")));
	ck_assert_int_eq(policy.pha, MTLS_PHA_OFF);
	ck_assert_int_eq(policy.origin[MTLS_LOG], MTLS_FROM_ENVIRONMENT);
	ck_assert_int_eq(policy.origin[MTLS_PHA], MTLS_FROM_CONF);
	ck_assert_int_eq(policy.error.reason, MTLS_USABLE);
}
END_TEST

START_TEST(conf_is_checked_where_the_environment_wins)
{
	ck_assert_int_eq(set(MTLS_LOG, "debug"), MTLS_USABLE);
	ck_assert_int_eq(mtls_policy_conf(&policy, CONF("log = loud\n")), MTLS_BAD_SETTING);
	ck_error(MTLS_CONF, 1, "log", "loud");
	ck_assert_int_eq(policy.log, MTLS_LOG_DEBUG);
}
END_TEST

Suite *settings_suite(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("settings");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, names);
	tcase_add_test(tc, words_of_settings);
	tcase_add_loop_test(tc, words, 0, sizeof(WORDS) / sizeof(WORDS[0]));
	tcase_add_loop_test(tc, bad_values, 0, sizeof(BAD) / sizeof(BAD[0]));
	tcase_add_test(tc, empty_is_unset_but_for_hosts);
	tcase_add_test(tc, hosts_are_borrowed);
	tcase_add_test(tc, no_such_setting);
	tcase_add_test(tc, the_first_error_stays);
	tcase_add_test(tc, conf_all_keys);
	tcase_add_loop_test(tc, conf_of_nothing, 0, 7);
	tcase_add_loop_test(tc, bad_conf, 0, sizeof(BAD_CONF) / sizeof(BAD_CONF[0]));
	tcase_add_test(tc, lines_behind_a_bad_one_count);
	tcase_add_test(tc, environment_beats_conf);
	tcase_add_test(tc, conf_is_checked_where_the_environment_wins);
	suite_add_tcase(suite, tc);
	return suite;
}
