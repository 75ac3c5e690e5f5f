/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core/policy.c: each row of the contract's section 2, each row before every
 * later one, and unknown facts. Patterns and schemes have tests of their own.
 */
#include <check.h>

#include "core/policy.h"

Suite *policy_suite(void);

static const char *const good_name[] = {"good.example"};
static const char *const bad_name[] = {"bad.example"};
static const struct mtls_addr https = {.ip = {10, 0, 0, 1}, .port = 443, .family = 4};

struct request {
	struct mtls_policy policy;
	struct mtls_facts facts;
};

/* Every condition is set, and every fact satisfies it. */
static struct request presented(void)
{
	struct request r = {
		.policy = {.hosts = mtls_bytes_of("good.example:443"),
			   .issuer = MTLS_ISSUER_MATCH,
			   .only_if = MTLS_ONLY_IF_VERIFIED | MTLS_ONLY_IF_TLS13,
			   .agent = true,
			   .origin = {[MTLS_HOSTS] = MTLS_FROM_CONF}},
		.facts = {.credential = MTLS_USABLE,
			  .app_certificate = MTLS_NO,
			  .agent_ready = MTLS_YES,
			  .verified = MTLS_YES,
			  .issuer_accepted = MTLS_YES,
			  .common_signature = MTLS_YES,
			  .names = good_name,
			  .n_names = 1,
			  .peers = &https,
			  .n_peers = 1,
			  .version = 0x0304},
	};

	return r;
}

static enum mtls_reason decide(const struct request *r)
{
	return mtls_policy_decide(&r->policy, &r->facts);
}

static void app_certificate(struct request *r)
{
	r->facts.app_certificate = MTLS_YES;
}

static void bad_setting(struct request *r)
{
	r->policy.error.reason = MTLS_BAD_SETTING;
}

static void removed(struct request *r)
{
	r->facts.credential = MTLS_REMOVED;
}

static void agent_down(struct request *r)
{
	r->facts.agent_ready = MTLS_NO;
}

static void http2(struct request *r)
{
	r->facts.post_handshake = r->facts.http2 = true;
}

static void other_host(struct request *r)
{
	r->facts.names = bad_name;
}

static void old_tls(struct request *r)
{
	r->facts.version = 0x0303;
}

static void unverified(struct request *r)
{
	r->facts.verified = MTLS_NO;
}

static void other_issuer(struct request *r)
{
	r->facts.issuer_accepted = MTLS_NO;
}

static void no_signature(struct request *r)
{
	r->facts.common_signature = MTLS_NO;
}

/* In the contract's order: rows 1 to 10. */
static const struct {
	void (*spoil)(struct request *);
	enum mtls_reason word;
} rows[] = {
	{app_certificate, MTLS_APP_CERTIFICATE},
	{bad_setting, MTLS_BAD_SETTING},
	{removed, MTLS_REMOVED},
	{agent_down, MTLS_AGENT_UNAVAILABLE},
	{http2, MTLS_HTTP2},
	{other_host, MTLS_HOST_NOT_LISTED},
	{old_tls, MTLS_TLS_TOO_OLD},
	{unverified, MTLS_SERVER_NOT_VERIFIED},
	{other_issuer, MTLS_ISSUER_NOT_ACCEPTED},
	{no_signature, MTLS_NO_COMMON_SIGNATURE},
};

#define ROWS ((int)(sizeof rows / sizeof rows[0]))

START_TEST(row_alone)
{
	struct request r = presented();

	ck_assert_int_eq(decide(&r), MTLS_PRESENTED);
	rows[_i].spoil(&r);
	ck_assert_int_eq(decide(&r), rows[_i].word);
}
END_TEST

START_TEST(row_before_every_later_one)
{
	struct request all = presented();

	rows[_i].spoil(&all);
	for (int later = _i + 1; later < ROWS; later++) {
		struct request r = presented();

		rows[later].spoil(&r);
		rows[_i].spoil(&r);
		ck_assert_int_eq(decide(&r), rows[_i].word);
		rows[later].spoil(&all);
	}
	ck_assert_int_eq(decide(&all), rows[_i].word);
}
END_TEST

/* Without the setting, the facts that it asks for do not count. */
START_TEST(conditions_that_are_not_set)
{
	struct request r = presented();

	agent_down(&r);
	other_host(&r);
	old_tls(&r);
	unverified(&r);
	other_issuer(&r);
	r.policy.agent = false;
	ck_assert_int_eq(decide(&r), MTLS_HOST_NOT_LISTED);
	r.policy.origin[MTLS_HOSTS] = MTLS_FROM_DEFAULT;
	ck_assert_int_eq(decide(&r), MTLS_TLS_TOO_OLD);
	r.policy.only_if = MTLS_ONLY_IF_VERIFIED;
	ck_assert_int_eq(decide(&r), MTLS_SERVER_NOT_VERIFIED);
	r.policy.only_if = 0;
	ck_assert_int_eq(decide(&r), MTLS_ISSUER_NOT_ACCEPTED);
	r.policy.issuer = MTLS_ISSUER_ANY;
	ck_assert_int_eq(decide(&r), MTLS_PRESENTED);
	r.policy.only_if = MTLS_ONLY_IF_TLS13;
	ck_assert_int_eq(decide(&r), MTLS_TLS_TOO_OLD);
}
END_TEST

START_TEST(unknown_is_stricter)
{
	struct request r = presented();

	r.facts.app_certificate = MTLS_UNKNOWN;
	ck_assert_int_eq(decide(&r), MTLS_APP_CERTIFICATE);
	r = presented();
	r.facts.agent_ready = MTLS_UNKNOWN;
	ck_assert_int_eq(decide(&r), MTLS_AGENT_UNAVAILABLE);
	r = presented();
	r.facts.version = 0;
	ck_assert_int_eq(decide(&r), MTLS_TLS_TOO_OLD);
	r = presented();
	r.facts.verified = MTLS_UNKNOWN;
	ck_assert_int_eq(decide(&r), MTLS_SERVER_NOT_VERIFIED);
	r = presented();
	r.facts.issuer_accepted = MTLS_UNKNOWN;
	ck_assert_int_eq(decide(&r), MTLS_ISSUER_NOT_ACCEPTED);
	r = presented();
	r.facts.common_signature = MTLS_UNKNOWN;
	ck_assert_int_eq(decide(&r), MTLS_NO_COMMON_SIGNATURE);
	/* Facts that nobody filled in never present. */
	r = (struct request){0};
	ck_assert_int_eq(decide(&r), MTLS_APP_CERTIFICATE);
	r.facts.app_certificate = MTLS_NO;
	ck_assert_int_eq(decide(&r), MTLS_NO_COMMON_SIGNATURE);
}
END_TEST

START_TEST(credential_gives_its_own_word)
{
	for (int word = MTLS_NO_CREDENTIAL; word <= MTLS_PAIR_MISMATCH; word++) {
		struct request r = presented();

		r.facts.credential = (enum mtls_reason)word;
		ck_assert_int_eq(decide(&r), word);
	}
}
END_TEST

START_TEST(http2_only_after_the_handshake)
{
	struct request r = presented();

	r.facts.http2 = true;
	ck_assert_int_eq(decide(&r), MTLS_PRESENTED);
	r.facts.post_handshake = true;
	ck_assert_int_eq(decide(&r), MTLS_HTTP2);
	r.facts.http2 = false;
	ck_assert_int_eq(decide(&r), MTLS_PRESENTED);
}
END_TEST

START_TEST(dtls12_is_lower_than_tls13)
{
	struct request r = presented();

	r.facts.version = 0xfefd;
	ck_assert_int_eq(decide(&r), MTLS_TLS_TOO_OLD);
	r.facts.version = 0xfefc;
	ck_assert_int_eq(decide(&r), MTLS_PRESENTED);
}
END_TEST

static const struct mtls_addr plain = {.ip = {10, 0, 0, 1}, .port = 80, .family = 4};

START_TEST(every_name_at_every_peer)
{
	static const char *const names[] = {"a.example", "b.example"};
	static const char *const reversed[] = {"b.example", "a.example"};
	static const char *const with_unknown[] = {"a.example", NULL};
	const struct mtls_addr peers[] = {https, plain};
	const struct mtls_addr swapped[] = {plain, https};
	const struct {
		const char *hosts;
		const char *const *names;
		size_t n_names;
		const struct mtls_addr *peers;
		size_t n_peers;
		bool allowed;
	} table[] = {
		{"a.example", names, 1, peers, 2, true},
		{"a.example", names, 2, peers, 1, false},
		{"a.example", reversed, 2, peers, 1, false},
		{"a.example b.example", names, 2, peers, 2, true},
		{"!b.example", names, 2, peers, 1, false},
		{"a.example:443", names, 1, peers, 1, true},
		{"a.example:443", names, 1, peers, 2, false},
		{"a.example:443", names, 1, swapped, 2, false},
		/* each name with the peer of its own would be allowed */
		{"a.example:443 b.example:80", names, 2, peers, 2, false},
		{"a.example:443 b.example:80 a.example:80 b.example:443", names, 2, peers, 2, true},
		{"a.example", names, 0, peers, 1, false},
		{"a.example", with_unknown, 2, peers, 1, false},
		{"!b.example", names, 0, peers, 1, false},
		{"10.0.0.0/8", names, 0, peers, 2, true},
		{"10.0.0.0/8", names, 1, peers, 0, false},
		{"a.example:443", names, 1, peers, 0, false},
		{"a.example", names, 1, peers, 0, true},
		{"!10.0.0.1", names, 1, peers, 0, false},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct request r = presented();

		r.policy.hosts = mtls_bytes_of(table[i].hosts);
		r.facts.names = table[i].n_names ? table[i].names : NULL;
		r.facts.n_names = table[i].n_names;
		r.facts.peers = table[i].n_peers ? table[i].peers : NULL;
		r.facts.n_peers = table[i].n_peers;
		ck_assert_msg(decide(&r) == (table[i].allowed ? MTLS_PRESENTED : MTLS_HOST_NOT_LISTED), "%zu: %s", i,
			      table[i].hosts);
	}
}
END_TEST

START_TEST(needs_what_the_rows_look_at)
{
	enum { N = MTLS_NEED_NAME, P = MTLS_NEED_PEER, V = MTLS_NEED_VERIFIED, I = MTLS_NEED_ISSUER };
	static const struct {
		const char *hosts;
		unsigned only_if, needs;
		enum mtls_issuer issuer;
		enum mtls_origin origin;
	} table[] = {
		{NULL, 0, 0, MTLS_ISSUER_ANY, MTLS_FROM_DEFAULT},
		{"a:1", 0, 0, MTLS_ISSUER_ANY, MTLS_FROM_DEFAULT}, /* leftovers of a default do not count */
		{"a", 0, N, MTLS_ISSUER_ANY, MTLS_FROM_CONF},
		{"!*.a", 0, N, MTLS_ISSUER_ANY, MTLS_FROM_ENVIRONMENT},
		{"10.0.0.1", 0, P, MTLS_ISSUER_ANY, MTLS_FROM_CONF},
		{"a:443", 0, N | P, MTLS_ISSUER_ANY, MTLS_FROM_ENVIRONMENT},
		{NULL, MTLS_ONLY_IF_VERIFIED, N | P | V, MTLS_ISSUER_ANY, MTLS_FROM_DEFAULT},
		{NULL, MTLS_ONLY_IF_TLS13, 0, MTLS_ISSUER_ANY, MTLS_FROM_DEFAULT},
		{NULL, 0, I, MTLS_ISSUER_MATCH, MTLS_FROM_DEFAULT},
		{"a", MTLS_ONLY_IF_TLS13, N | I, MTLS_ISSUER_MATCH, MTLS_FROM_CONF},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct mtls_policy p = {
			.hosts = mtls_bytes_of(table[i].hosts),
			.only_if = table[i].only_if,
			.issuer = table[i].issuer,
			.origin = {[MTLS_HOSTS] = table[i].origin},
		};

		ck_assert_msg(mtls_policy_needs(&p) == table[i].needs, "%zu: %x", i, mtls_policy_needs(&p));
	}
}
END_TEST

Suite *policy_suite(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");

	tcase_add_loop_test(t, row_alone, 0, ROWS);
	tcase_add_loop_test(t, row_before_every_later_one, 0, ROWS);
	tcase_add_test(t, conditions_that_are_not_set);
	tcase_add_test(t, unknown_is_stricter);
	tcase_add_test(t, credential_gives_its_own_word);
	tcase_add_test(t, http2_only_after_the_handshake);
	tcase_add_test(t, dtls12_is_lower_than_tls13);
	tcase_add_test(t, every_name_at_every_peer);
	tcase_add_test(t, needs_what_the_rows_look_at);
	suite_add_tcase(s, t);
	return s;
}
