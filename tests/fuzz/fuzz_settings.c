/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls_policy_conf on the whole input, and mtls_policy_set with each line as the
 * value of each setting. What the two must agree on is checked too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/hosts.h"
#include "core/settings.h"
#include "tests/fuzz/fuzz.h"

static void check_policy(const struct mtls_policy *policy, struct mtls_bytes input, enum mtls_reason reason)
{
	struct mtls_bytes at;

	CHECK(reason == MTLS_USABLE || reason == MTLS_BAD_SETTING);
	CHECK(policy->error.reason == reason);
	CHECK(memchr(policy->error.detail, '\0', sizeof(policy->error.detail)));
	CHECK(policy->issuer <= MTLS_ISSUER_MATCH && policy->only_if <= 3);
	CHECK(policy->pha <= MTLS_PHA_OFF && policy->log <= MTLS_LOG_DEBUG);
	if (policy->origin[MTLS_HOSTS] == MTLS_FROM_DEFAULT) {
		CHECK(policy->hosts.n == 0);
		return;
	}
	CHECK(policy->hosts.n && policy->hosts.p >= input.p && policy->hosts.p + policy->hosts.n <= input.p + input.n);
	CHECK(mtls_hosts_check(policy->hosts, &at));
}

static bool same(const struct mtls_policy *a, const struct mtls_policy *b)
{
	return a->issuer == b->issuer && a->only_if == b->only_if && a->pha == b->pha && a->log == b->log &&
	       mtls_bytes_equal(a->hosts, b->hosts);
}

static void check_conf(struct mtls_bytes input)
{
	struct mtls_policy policy, again, fixed;
	enum mtls_reason reason;
	int i;

	mtls_policy_init(&policy);
	reason = mtls_policy_conf(&policy, input);
	check_policy(&policy, input, reason);
	CHECK(reason == MTLS_USABLE || (policy.error.part == MTLS_CONF && policy.error.line > 0));
	mtls_policy_init(&again);
	CHECK(mtls_policy_conf(&again, input) == reason);
	CHECK(same(&policy, &again) && policy.error.line == again.error.line);
	CHECK(strcmp(policy.error.detail, again.error.detail) == 0);

	/* Where the environment has set everything the file changes nothing, and is judged alike. */
	mtls_policy_init(&fixed);
	again = fixed;
	for (i = 0; i < MTLS_SETTINGS; i++)
		fixed.origin[i] = MTLS_FROM_ENVIRONMENT;
	CHECK(mtls_policy_conf(&fixed, input) == reason);
	CHECK(same(&fixed, &again) && fixed.error.line == policy.error.line);
}

/* "key = value" must mean what the environment's value means, as long as no syntax of the file is in it. */
static void check_value(enum mtls_setting setting, struct mtls_bytes value)
{
	const char *key = mtls_setting_key(setting);
	struct mtls_policy policy, conf;
	enum mtls_reason reason;
	unsigned char *text;

	mtls_policy_init(&policy);
	reason = mtls_policy_set(&policy, setting, value);
	check_policy(&policy, value, reason);
	CHECK((policy.origin[setting] == MTLS_FROM_ENVIRONMENT) == (reason == MTLS_USABLE && value.n > 0));
	if (value.n == 0 || mtls_bytes_trim(value).n != value.n || memchr(value.p, '#', value.n) ||
	    memchr(value.p, '\0', value.n))
		return;
	text = malloc(strlen(key) + 1 + value.n);
	CHECK(text);
	memcpy(text, key, strlen(key));
	text[strlen(key)] = '=';
	memcpy(text + strlen(key) + 1, value.p, value.n);
	mtls_policy_init(&conf);
	CHECK(mtls_policy_conf(&conf, (struct mtls_bytes){text, strlen(key) + 1 + value.n}) == reason);
	CHECK(same(&policy, &conf));
	CHECK(strcmp(policy.error.detail, conf.error.detail) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct mtls_bytes input = {copy, size};
	size_t at = 0;
	int i;

	CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	check_conf(input);
	while (at < size) {
		struct mtls_bytes line = mtls_bytes_line(input, &at);

		for (i = 0; i < MTLS_SETTINGS; i++)
			check_value((enum mtls_setting)i, line);
	}
	free(copy);
	return 0;
}
