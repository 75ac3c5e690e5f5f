/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key as the files change. Reading and judging them is host/'s and core/'s; here is what the agent makes of it, and
 * what it says.
 */
#include "agent/keys.h"

#include "agent/clock.h"
#include "agent/sandbox.h"
#include "agent/say.h"
#include "host/crypto_linked.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS   1000
#define BEFORE_MS 10000
#define TORN_MS   1000 /* somebody may be writing: so long nothing is said of a broken state */

static void key_close(struct agent_key *key)
{
	if (key->in_token)
		mtls_token_close(&key->token);
	mtls_identity_free(&mtls_crypto_linked, key->identity);
	memset(key, 0, sizeof(*key));
}

/* --- where the passphrase is ---------------------------------------------------- */

/* The folder's own file if it is there, else systemd's credential of that name. */
static void choose_pass(struct agent_keys *keys)
{
	struct mtls_place *place = &keys->env->place[0];

	if (keys->given_pass)
		place->file[MTLS_PASS] = access(keys->own_pass, F_OK) == 0 || access(keys->given_pass, F_OK) != 0
						 ? keys->own_pass
						 : keys->given_pass;
}

/* Only where one folder is named: in the look-up CREDENTIALS_DIRECTORY is a place of its own. */
static void find_pass(struct agent_keys *keys)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (keys->env->n_places != 1 || !folder || folder[0] != '/' || !keys->env->place[0].file[MTLS_PASS])
		return;
	if (asprintf(&keys->given_pass, "%s/%s", folder, mtls_part_file(MTLS_PASS)) < 0)
		keys->given_pass = NULL;
	keys->own_pass = keys->env->place[0].file[MTLS_PASS];
}

void agent_keys_start(struct agent_keys *keys, struct mtls_environment *env)
{
	memset(keys, 0, sizeof(*keys));
	keys->env = env;
	find_pass(keys);
}

void agent_keys_end(struct agent_keys *keys)
{
	key_close(&keys->now);
	key_close(&keys->before);
	if (keys->given_pass)
		keys->env->place[0].file[MTLS_PASS] = keys->own_pass;
	free(keys->given_pass);
	OPENSSL_cleanse(keys, sizeof(*keys));
}

/* --- opening --------------------------------------------------------------------- */

static enum mtls_reason open_token(const struct mtls_reading *r, struct agent_key *key, struct mtls_error *error)
{
	enum mtls_reason reason;

	if (agent_sandbox_is_narrow())
		return mtls_fail(error, MTLS_KEY_NEEDS_AGENT, MTLS_KEY, mtls_bytes_of(NULL));
	reason = mtls_token_pair(&r->files, &key->identity, &key->token, error);
	key->in_token = reason == MTLS_USABLE;
	return reason;
}

/* MTLS_USABLE and *key; else a reason, with error. */
static enum mtls_reason open_key(struct mtls_reading *r, struct agent_key *key)
{
	enum mtls_reason reason = r->reason;

	memset(key, 0, sizeof(*key));
	if (reason == MTLS_KEY_NEEDS_AGENT) {
		reason = open_token(r, key, &r->error);
	} else if (reason == MTLS_USABLE) {
		reason = mtls_identity_load(&mtls_crypto_linked, &r->blocks, &key->identity, &r->error);
		if (reason == MTLS_USABLE)
			key->token.key = key->identity->key;
	}
	if (reason != MTLS_USABLE)
		key_close(key);
	ERR_clear_error();
	return reason;
}

/* --- what a reading changes ------------------------------------------------------ */

/* The bytes of all files, so that the same content does not count as a change; not kept themselves. */
static void digest_of(const struct mtls_reading *r, unsigned char digest[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (int k = 0; ok && k < MTLS_FILES; k++) {
		const struct mtls_file *file = &r->files.file[k];
		uint64_t facts[] = {(uint64_t)file->how, file->unsafe, file->data.n};

		ok = EVP_DigestUpdate(ctx, facts, sizeof(facts)) && EVP_DigestUpdate(ctx, file->data.p, file->data.n);
	}
	if (ok) {
		uint64_t facts[] = {(uint64_t)(uintptr_t)r->mark.place, (uint64_t)r->files.place,
				    r->files.folder_unsafe};

		ok = EVP_DigestUpdate(ctx, facts, sizeof(facts)) && EVP_DigestFinal_ex(ctx, digest, NULL);
	}
	if (!ok)
		memset(digest, 0, 32);
	EVP_MD_CTX_free(ctx);
}

void agent_keys_describe(const struct agent_keys *keys, char *text, size_t size)
{
	const struct mtls_identity *identity = keys->now.identity;

	snprintf(text, size, "%.200s (sha256 %s)%s", identity->subject, identity->sha256,
		 keys->now.in_token ? ", in a token" : "");
}

static void take_key(struct agent_keys *keys, const struct agent_key *key)
{
	bool other = keys->now.identity && memcmp(keys->now.identity->key_id, key->identity->key_id, MTLS_KEY_ID) != 0;
	char text[384];

	key_close(&keys->before);
	keys->before = keys->now;
	keys->before_until_ms = agent_now_ms() + BEFORE_MS;
	keys->now = *key;
	keys->state = AGENT_KEYS_READY;
	keys->broken_ms = 0;
	agent_keys_describe(keys, text, sizeof(text));
	agent_say("signs for %s%s", text, other ? "; the key of before for 10 s more" : "");
}

static void take_none(struct agent_keys *keys, const struct mtls_reading *r)
{
	bool had = keys->state == AGENT_KEYS_READY, said = keys->known && keys->state == AGENT_KEYS_NONE;

	key_close(&keys->now);
	key_close(&keys->before);
	keys->state = AGENT_KEYS_NONE;
	keys->broken_ms = 0;
	mtls_reading_explain(r, &r->error, keys->sentence, sizeof(keys->sentence));
	if (!r->mark.place)
		snprintf(keys->sentence, sizeof(keys->sentence), "%s; %s", mtls_reason_sentence(r->reason),
			 mtls_reason_remedy(r->reason));
	if (!said)
		agent_say("%s; %s", keys->sentence, had ? "the key is gone" : "waits for one");
}

/* Of a state that passes nobody hears: a new certificate may be there before its key. */
static void take_broken(struct agent_keys *keys, const struct mtls_reading *r)
{
	if (keys->state != AGENT_KEYS_READY)
		keys->state = AGENT_KEYS_BROKEN;
	if (!keys->broken_ms)
		keys->broken_ms = agent_now_ms();
	keys->broken_said = false;
	mtls_reading_explain(r, &r->error, keys->sentence, sizeof(keys->sentence));
	if (r->error.reason == MTLS_KEY_NEEDS_AGENT)
		snprintf(
			keys->sentence, sizeof(keys->sentence),
			"%s: the key is in a token now, which the walls around a key in a file keep out; restart mtls-agent",
			mtls_reading_what(r, &r->error));
}

static void say_broken(struct agent_keys *keys, bool now)
{
	if (keys->quiet || !keys->broken_ms || keys->broken_said ||
	    (!now && agent_now_ms() - keys->broken_ms < TORN_MS))
		return;
	keys->broken_said = true;
	agent_say("%s%s", keys->sentence,
		  keys->state == AGENT_KEYS_READY ? "; the key of before stays" : "; there is no key until then");
}

/* A token's PIN is not tried while somebody may be writing: it could be the new token's with the old one's PIN. */
static bool too_early(const struct agent_keys *keys, const struct mtls_reading *r)
{
	return keys->known && r->young && r->reason == MTLS_KEY_NEEDS_AGENT;
}

/* After a change of what we may see (a default place that is closed to us now) nothing is known. */
static bool lost_sight(const struct agent_keys *keys, const struct mtls_mark *mark)
{
	return keys->state == AGENT_KEYS_READY && mark->place != keys->mark.place &&
	       mtls_mark_blind(keys->env, mark, keys->mark.place);
}

static void act(struct agent_keys *keys, struct mtls_reading *r)
{
	struct agent_key key;

	switch (mtls_reason_state(r->reason)) {
	case MTLS_STATE_ABSENT:
	case MTLS_STATE_REMOVED:
		take_none(keys, r);
		return;
	case MTLS_STATE_BROKEN:
	case MTLS_STATE_USABLE:
		break;
	}
	/* A key whose token went away is no use, and in the way of the one that is to come. */
	if (keys->now.failed && keys->now.in_token)
		mtls_token_close(&keys->now.token);
	r->error.reason = open_key(r, &key);
	if (r->error.reason == MTLS_USABLE)
		take_key(keys, &key);
	else
		take_broken(keys, r);
}

/* The same content again is no change: neither is a wrong PIN tried twice, nor is anything said twice. */
static void take(struct agent_keys *keys, struct mtls_reading *r, bool anew)
{
	unsigned char content[32];

	digest_of(r, content);
	if (!anew && keys->known && (too_early(keys, r) || memcmp(content, keys->content, 32) == 0))
		return;
	act(keys, r);
	memcpy(keys->content, content, 32);
	keys->known = true;
}

bool agent_keys_revive(struct agent_keys *keys, struct agent_key *key)
{
	enum mtls_reason reason = MTLS_KEY_MISSING;
	unsigned char content[32];
	struct mtls_reading r;

	if (!key->in_token || key != &keys->now || key->refused || !mtls_reading_make(keys->env, &r))
		return false;
	digest_of(&r, content);
	if (r.reason == MTLS_KEY_NEEDS_AGENT && memcmp(content, keys->content, 32) == 0) {
		mtls_token_close(&key->token);
		reason = mtls_token_of(&r.files, key->identity, &key->token, &r.error);
		key->refused = reason == MTLS_PASSPHRASE_WRONG;
		ERR_clear_error();
	}
	mtls_reading_free(&r);
	return reason == MTLS_USABLE;
}

void agent_keys_look(struct agent_keys *keys, bool anew)
{
	struct mtls_reading r;
	struct mtls_mark mark;

	keys->looked_ms = agent_now_ms();
	choose_pass(keys);
	mtls_mark_take(keys->env, &mark);
	if (keys->known && !anew && !keys->again && mtls_mark_equal(&mark, &keys->mark)) {
		say_broken(keys, false);
		return;
	}
	if (!mtls_reading_make(keys->env, &r)) {
		keys->again = true;
		agent_say_often(AGENT_SAYS_FAILED, "cannot read the credential: %s", strerror(errno));
		return;
	}
	keys->again = r.young || r.unsure;
	if (!lost_sight(keys, &r.mark)) {
		take(keys, &r, anew);
		keys->mark = r.mark;
	}
	mtls_reading_free(&r);
	say_broken(keys, anew);
}

void agent_keys_tick(struct agent_keys *keys)
{
	long long now = agent_now_ms();

	if (now - keys->looked_ms >= LOOK_MS)
		agent_keys_look(keys, false);
	if (keys->before.identity && now >= keys->before_until_ms)
		key_close(&keys->before);
}

static struct agent_key *find(struct agent_keys *keys, const unsigned char id[MTLS_KEY_ID])
{
	struct agent_key *both[] = {&keys->now, &keys->before};

	for (int i = 0; i < 2; i++)
		if (both[i]->identity && memcmp(both[i]->identity->key_id, id, MTLS_KEY_ID) == 0)
			return both[i];
	return NULL;
}

struct agent_key *agent_keys_find(struct agent_keys *keys, const unsigned char id[MTLS_KEY_ID])
{
	struct agent_key *key;

	agent_keys_tick(keys);
	key = find(keys, id);
	if (!key) {
		agent_keys_look(keys, false);
		key = find(keys, id);
	}
	return key;
}
