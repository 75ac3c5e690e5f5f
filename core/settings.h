/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings that decide about a request (contract, section 3): environment
 * first, then mtls.conf, then the default. Pure; values are borrowed.
 */
#ifndef MTLS_CORE_SETTINGS_H
#define MTLS_CORE_SETTINGS_H

#include "core/reason.h"

enum mtls_setting { MTLS_HOSTS, MTLS_ISSUER, MTLS_ONLY_IF, MTLS_PHA, MTLS_LOG, MTLS_SETTINGS };
enum mtls_origin { MTLS_FROM_DEFAULT, MTLS_FROM_CONF, MTLS_FROM_ENVIRONMENT };

enum mtls_issuer { MTLS_ISSUER_ANY, MTLS_ISSUER_MATCH };
enum mtls_only_if { MTLS_ONLY_IF_VERIFIED = 1, MTLS_ONLY_IF_TLS13 = 2 };
enum mtls_pha { MTLS_PHA_AUTO, MTLS_PHA_ON, MTLS_PHA_OFF };
enum mtls_log { MTLS_LOG_OFF, MTLS_LOG_WARN, MTLS_LOG_INFO, MTLS_LOG_DEBUG };

struct mtls_policy {
	struct mtls_bytes hosts; /* the patterns' text, checked; counts where origin[MTLS_HOSTS] is not the default */
	enum mtls_issuer issuer;
	unsigned only_if; /* bits of enum mtls_only_if */
	enum mtls_pha pha;
	enum mtls_log log;
	bool agent; /* set by the caller: MTLS_AGENT names one */
	enum mtls_origin origin[MTLS_SETTINGS];
	struct mtls_error error; /* the first setting that could not be understood; reason MTLS_USABLE: none */
};

/* "hosts", … as in mtls.conf, and "MTLS_HOSTS", … as in the environment. */
const char *mtls_setting_key(enum mtls_setting);
const char *mtls_setting_variable(enum mtls_setting);
/* The words that its value is made of, in the order of its enum or bits; NULL behind the last, or where it has none. */
const char *mtls_setting_word(enum mtls_setting, unsigned index);

/* All defaults: every server that asks, any issuer, no condition, auto, warn. */
void mtls_policy_init(struct mtls_policy *);

/*
 * Sets one from the environment. value is borrowed for the policy's life. Empty
 * is unset (MTLS_USABLE), but for MTLS_HOSTS, where it is a bad value. Returns
 * MTLS_USABLE or MTLS_BAD_SETTING, then policy->error too if it had none; the old value stays.
 */
enum mtls_reason mtls_policy_set(struct mtls_policy *, enum mtls_setting, struct mtls_bytes value);

/*
 * Reads mtls.conf: "key = value" lines, "#" comments (a line of its own, or after white space), CRLF and a byte-order
 * mark are fine. What the environment set is checked but stays. A key twice, an unknown key, an empty value, a line
 * without "=", a NUL: MTLS_BAD_SETTING. The bytes are borrowed for the policy's life.
 */
enum mtls_reason mtls_policy_conf(struct mtls_policy *, struct mtls_bytes conf);

#endif
