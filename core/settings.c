/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from the environment's values and from the text of mtls.conf. A value
 * is understood whole or changes nothing. The environment itself is read by the
 * callers; the syntax of host patterns is in hosts.c.
 */
#include "core/settings.h"
#include "core/hosts.h"

#define MTLS_WORDS_MAX 4

/* words[i] stands for the value i of the setting's enum; only_if: for the bit 1 << i. */
static const struct {
	const char *key, *variable;
	const char *words[MTLS_WORDS_MAX];
} SETTINGS[MTLS_SETTINGS] = {
	[MTLS_HOSTS] = {"hosts", "MTLS_HOSTS", {NULL}},
	[MTLS_ISSUER] = {"issuer", "MTLS_ISSUER", {[MTLS_ISSUER_ANY] = "any", [MTLS_ISSUER_MATCH] = "match"}},
	[MTLS_ONLY_IF] = {"only_if", "MTLS_ONLY_IF", {"verified", "tls1.3"}},
	[MTLS_PHA] = {"pha", "MTLS_PHA", {[MTLS_PHA_AUTO] = "auto", [MTLS_PHA_ON] = "on", [MTLS_PHA_OFF] = "off"}},
	[MTLS_LOG] = {"log",
		      "MTLS_LOG",
		      {[MTLS_LOG_OFF] = "off",
		       [MTLS_LOG_WARN] = "warn",
		       [MTLS_LOG_INFO] = "info",
		       [MTLS_LOG_DEBUG] = "debug"}},
};

_Static_assert(MTLS_ONLY_IF_VERIFIED == 1 << 0 && MTLS_ONLY_IF_TLS13 == 1 << 1, "bits in the order of the words");

/* Where a setting was given: line 0 is the environment. */
struct source {
	enum mtls_setting setting; /* MTLS_SETTINGS: none that we know */
	unsigned line;
};

const char *mtls_setting_key(enum mtls_setting setting)
{
	return (size_t)setting < MTLS_SETTINGS ? SETTINGS[setting].key : "";
}

const char *mtls_setting_variable(enum mtls_setting setting)
{
	return (size_t)setting < MTLS_SETTINGS ? SETTINGS[setting].variable : "";
}

const char *mtls_setting_word(enum mtls_setting setting, unsigned index)
{
	return (size_t)setting < MTLS_SETTINGS && index < MTLS_WORDS_MAX ? SETTINGS[setting].words[index] : NULL;
}

void mtls_policy_init(struct mtls_policy *policy)
{
	mtls_set(policy, 0, sizeof(*policy));
	policy->log = MTLS_LOG_WARN;
	mtls_fail(&policy->error, MTLS_USABLE, MTLS_NOTHING, (struct mtls_bytes){NULL, 0});
}

static enum mtls_reason bad(struct mtls_policy *policy, struct source source, struct mtls_bytes detail)
{
	struct mtls_error *e = &policy->error;

	if (e->reason != MTLS_USABLE)
		return MTLS_BAD_SETTING;
	mtls_fail(e, MTLS_BAD_SETTING, source.line ? MTLS_CONF : MTLS_SETTING, detail);
	e->setting = (size_t)source.setting < MTLS_SETTINGS ? SETTINGS[source.setting].key : NULL;
	e->line = source.line;
	return MTLS_BAD_SETTING;
}

static bool find_word(enum mtls_setting setting, struct mtls_bytes value, unsigned *index)
{
	const char *const *words = SETTINGS[setting].words;

	for (*index = 0; *index < MTLS_WORDS_MAX && words[*index]; (*index)++)
		if (mtls_bytes_equal(value, mtls_bytes_of(words[*index])))
			return true;
	return false;
}

/* false: there is no such byte; then all of the text is before it. */
static bool split(struct mtls_bytes text, unsigned char byte, struct mtls_bytes *before, struct mtls_bytes *after)
{
	size_t n = 0;

	while (n < text.n && text.p[n] != byte)
		n++;
	*before = (struct mtls_bytes){text.p, n};
	*after = (struct mtls_bytes){NULL, 0};
	if (n == text.n)
		return false;
	*after = (struct mtls_bytes){text.p + n + 1, text.n - n - 1};
	return true;
}

static bool parse_only_if(struct mtls_bytes value, unsigned *bits, struct mtls_bytes *at)
{
	struct mtls_bytes item, rest = value;
	unsigned index;
	bool more;

	*bits = 0;
	do {
		more = split(rest, ',', &item, &rest);
		item = mtls_bytes_trim(item);
		*at = item.n ? item : value;
		if (!find_word(MTLS_ONLY_IF, item, &index))
			return false;
		*bits |= 1U << index;
	} while (more);
	return true;
}

/* Changes the policy only if the value is understood; else *at is the offending word. */
static bool apply(struct mtls_policy *policy, enum mtls_setting setting, struct mtls_bytes value, struct mtls_bytes *at)
{
	unsigned number;

	*at = value;
	switch (setting) {
	case MTLS_HOSTS:
		if (!mtls_hosts_check(value, at))
			return false;
		policy->hosts = value;
		return true;
	case MTLS_ISSUER:
		if (!find_word(setting, value, &number))
			return false;
		policy->issuer = (enum mtls_issuer)number;
		return true;
	case MTLS_ONLY_IF:
		if (!parse_only_if(value, &number, at))
			return false;
		policy->only_if = number;
		return true;
	case MTLS_PHA:
		if (!find_word(setting, value, &number))
			return false;
		policy->pha = (enum mtls_pha)number;
		return true;
	case MTLS_LOG:
		if (!find_word(setting, value, &number))
			return false;
		policy->log = (enum mtls_log)number;
		return true;
	case MTLS_SETTINGS:
		break;
	}
	return false;
}

enum mtls_reason mtls_policy_set(struct mtls_policy *policy, enum mtls_setting setting, struct mtls_bytes value)
{
	struct mtls_bytes at;

	if (value.n == 0 && setting != MTLS_HOSTS)
		return MTLS_USABLE;
	if (!apply(policy, setting, value, &at))
		return bad(policy, (struct source){setting, 0}, at);
	policy->origin[setting] = MTLS_FROM_ENVIRONMENT;
	return MTLS_USABLE;
}

static struct mtls_bytes without_comment(struct mtls_bytes line)
{
	size_t n;

	for (n = 0; n < line.n; n++)
		if (line.p[n] == '#' && (n == 0 || mtls_is_space(line.p[n - 1])))
			break;
	line.n = n;
	return mtls_bytes_trim(line);
}

static enum mtls_setting find_setting(struct mtls_bytes key)
{
	size_t i;

	for (i = 0; i < MTLS_SETTINGS; i++)
		if (mtls_bytes_equal(key, mtls_bytes_of(SETTINGS[i].key)))
			break;
	return (enum mtls_setting)i;
}

static enum mtls_reason conf_line(struct mtls_policy *policy, struct mtls_bytes line, unsigned number, unsigned *seen)
{
	struct mtls_policy checked = *policy, *target = policy;
	struct source source = {MTLS_SETTINGS, number};
	struct mtls_bytes key, value, at;

	if (split(line, '\0', &key, &value))
		return bad(policy, source, mtls_bytes_of("a NUL byte"));
	line = without_comment(line);
	if (line.n == 0)
		return MTLS_USABLE;
	if (!split(line, '=', &key, &value))
		return bad(policy, source, mtls_bytes_of("no = in this line"));
	source.setting = find_setting(mtls_bytes_trim(key));
	if (source.setting == MTLS_SETTINGS)
		return bad(policy, source, mtls_bytes_trim(key));
	if (*seen & 1U << source.setting)
		return bad(policy, source, mtls_bytes_of("given twice"));
	*seen |= 1U << source.setting;
	value = mtls_bytes_trim(value);
	if (value.n == 0)
		return bad(policy, source, mtls_bytes_of("no value"));
	if (policy->origin[source.setting] == MTLS_FROM_ENVIRONMENT)
		target = &checked;
	if (!apply(target, source.setting, value, &at))
		return bad(policy, source, at);
	if (target == policy)
		policy->origin[source.setting] = MTLS_FROM_CONF;
	return MTLS_USABLE;
}

/* A bad line does not hide those behind it: a "log = off" counts wherever it stands. */
enum mtls_reason mtls_policy_conf(struct mtls_policy *policy, struct mtls_bytes conf)
{
	enum mtls_reason reason = MTLS_USABLE;
	unsigned number, seen = 0;
	size_t at = 0;

	mtls_bytes_take(&conf, MTLS_BOM);
	for (number = 1; at < conf.n; number++)
		if (conf_line(policy, mtls_bytes_line(conf, &at), number, &seen) != MTLS_USABLE)
			reason = MTLS_BAD_SETTING;
	return reason;
}
