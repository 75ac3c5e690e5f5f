/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A credential folder and a fake parser for shim/generation.c: an identity is the
 * tag that certificate and key have in common. Shared by test_generation.c and test_generation_threads.c.
 */
#ifndef MTLS_TESTS_GENERATION_FIXTURE_H
#define MTLS_TESTS_GENERATION_FIXTURE_H

#include "folder_fixture.h"

#include "shim/generation.h"
#include "shim/log.h"

#include <stdatomic.h>

#define CERT  "client_cert.pem"
#define KEY   "private_key.pem"
#define TAG   8 /* characters: whole groups of base64 */
#define MAGIC 0x6d746c73u

/* Where generation.c finds its environment; a turn before each time that it asks for it. */
extern const struct mtls_environment *unit_environment;
extern atomic_int unit_asked;
extern void (*unit_before_environment)(void);

/* --- the fake parser ---------------------------------------------------------------- */

struct identity {
	unsigned magic;
	char tag[TAG + 1];
};

static atomic_int loaded, unloaded, mismatched, misused;
static void (*during_load)(void);

static inline void tag_of(struct mtls_bytes block, char tag[TAG + 1])
{
	size_t at = 0;
	struct mtls_bytes line;

	mtls_bytes_line(block, &at);
	line = mtls_bytes_line(block, &at);
	memset(tag, 0, TAG + 1);
	memcpy(tag, line.p, line.n < TAG ? line.n : TAG);
}

static inline enum mtls_reason fake_load(void *context, const struct mtls_blocks *blocks, void **identity,
					 struct mtls_error *error)
{
	char cert[TAG + 1], key[TAG + 1];
	struct identity *new;

	(void)context;
	if (during_load)
		during_load();
	tag_of(blocks->cert[0], cert);
	tag_of(blocks->key, key);
	if (strcmp(cert, key) != 0) {
		mismatched++;
		return mtls_fail(error, MTLS_PAIR_MISMATCH, MTLS_CERT, (struct mtls_bytes){NULL, 0});
	}
	new = malloc(sizeof(*new));
	new->magic = MAGIC;
	strcpy(new->tag, cert);
	*identity = new;
	loaded++;
	return mtls_fail(error, MTLS_USABLE, MTLS_NOTHING, (struct mtls_bytes){NULL, 0});
}

static inline void fake_unload(void *context, void *identity)
{
	struct identity *old = identity;

	(void)context;
	misused += old->magic != MAGIC;
	old->magic = 0;
	unloaded++;
	free(old);
}

static const struct mtls_parser fake = {fake_load, fake_unload};
static const struct generation_parser library = {0, &fake, NULL}, other_library = {7, &fake, NULL};

/* --- the folder ------------------------------------------------------------------------ */

enum way { IN_PLACE, RENAME, LINK, WAYS };

static struct mtls_environment environment;
static enum way way;

static inline const char *pem(const char *label, const char *tag)
{
	static char text[4][200];
	static unsigned next;
	char *p = text[next++ % 4];

	snprintf(p, sizeof(text[0]), "-----BEGIN %s-----\n%s\n-----END %s-----\n", label, tag, label);
	return p;
}

/* These bytes; NULL: no such file. For links: both at once, else one after the other. */
static inline void write_files(const char *cert, const char *key)
{
	const char *text[] = {cert, key}, *name[] = {CERT, KEY};
	static unsigned number;
	char path[64], target[16];

	snprintf(target, sizeof(target), "%u", ++number);
	ck_assert(way != LINK || mkdir(in(target), 0755) == 0);
	for (int k = 0; k < 2; k++) {
		snprintf(path, sizeof(path), "%s/%s", target, name[k]);
		if (way == LINK && text[k])
			put(path, text[k]);
		else if (text[k])
			way == IN_PLACE ? put(name[k], text[k]) : put_renamed(name[k], text[k]);
		else if (way != LINK)
			unlink(in(name[k]));
	}
	if (way == LINK)
		point("..data", target);
}

/* A pair with this tag; a torn one where they differ. */
static inline void write_tags(const char *cert, const char *key)
{
	write_files(pem("CERTIFICATE", cert), pem("PRIVATE KEY", key));
}

static inline void write_pair(const char *tag)
{
	write_tags(tag, tag);
}

static inline void use_way(enum way new)
{
	way = new;
	if (way == LINK) {
		ck_assert_int_eq(mkdir(in("none"), 0755), 0);
		point("..data", "none");
		point(CERT, "..data/" CERT);
		point(KEY, "..data/" KEY);
	}
}

static inline void generation_start(void)
{
	char dir[64], file[64];

	folder_make();
	snprintf(dir, sizeof(dir), "MTLS_DIR=%s", folder);
	snprintf(file, sizeof(file), "MTLS_LOG_FILE=%s", in("log"));
	mtls_environment_read(&environment, E(dir, file));
	unit_environment = &environment;
	log_start(&environment, true);
}

/* What the shim holds on to for the process's life stays, and is reachable. */
static inline void generation_stop(void)
{
	unit_before_environment = NULL;
	folder_remove();
	ck_assert_int_eq(misused, 0);
}

/* --- one request --------------------------------------------------------------------------- */

static inline struct credential ask_for(const struct generation_parser *by)
{
	struct credential credential;

	errno = EXDEV;
	generation_acquire(by, &credential);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_ptr_nonnull(credential.policy);
	ck_assert_int_eq(credential.reason == MTLS_USABLE, credential.identity != NULL);
	return credential;
}

static inline void done(struct credential *credential)
{
	errno = EXDEV;
	generation_release(credential);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_ptr_null(credential->identity);
}

static inline const char *tag(const struct credential *credential)
{
	const struct identity *identity = credential->identity;

	ck_assert_str_eq(mtls_reason_word(credential->reason), "usable");
	ck_assert_uint_eq(identity->magic, MAGIC);
	return identity->tag;
}

/* One request that gets this identity, new to the log or not. */
static inline void ck_usable(const char *expected, bool news)
{
	struct credential c = ask_for(&library);

	ck_assert_str_eq(tag(&c), expected);
	ck_assert_int_eq(generation_is_news(&c), news);
	done(&c);
}

static inline void ck_none_for(const struct generation_parser *by, enum mtls_reason reason)
{
	struct credential c = ask_for(by);

	ck_assert_str_eq(mtls_reason_word(c.reason), mtls_reason_word(reason));
	ck_assert(!generation_is_news(&c));
	done(&c);
}

static inline void ck_none(enum mtls_reason reason)
{
	ck_none_for(&library, reason);
}

/* How many lines the log has; the last one is copied. */
static inline int logged(char last[1024])
{
	FILE *f = fopen(in("log"), "r");
	int n = 0;

	for (last[0] = '\0'; f && fgets(last, 1024, f); n++)
		;
	if (f)
		fclose(f);
	return n;
}

#endif
