/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the inbox into the agent's folder; see ingest.h. What will be there is judged as the agent and the programs will
 * read it, before anything is touched; then it is stored, durably (host/store.h); only then the inbox is erased. A file
 * that is not in the inbox stays as it is in the folder.
 */
#include "agent/ingest.h"
#include "agent/inbox.h"
#include "agent/say.h"
#include "host/crypto_linked.h"
#include "host/identity.h"
#include "host/reading.h"
#include "host/store.h"
#include "host/token.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs of other users have to read certificate and settings, and find them; nobody the key. */
#define FOLDER 0755
#define OPEN   0644
#define SECRET 0600

struct ingest {
	struct inbox inbox;
	const char *folder;
	int dir;                     /* the folder, locked; -1: there is none yet */
	struct mtls_environment env; /* with the folder as its only place */
	struct mtls_reading there;
	char *given_pass;        /* systemd's, which is not ours to store; NULL: it does not count */
	struct mtls_files files; /* as they will be */
	struct mtls_blocks blocks;
	struct mtls_error error;
	char subject[MTLS_SUBJECT_MAX];
};

static bool is_new(const struct ingest *in, int part)
{
	return part < MTLS_FILES && in->inbox.file[part].fd >= 0;
}

static bool complain(const struct ingest *in, const char *name, const char *why)
{
	agent_say("%s%s%s: %s; nothing was moved", in->folder, name ? "/" : "", name ? name : "", why);
	return false;
}

/* --- what will be there ----------------------------------------------------------------- */

static bool open_folder(struct ingest *in)
{
	struct stat st;

	in->dir = mtls_store_open(in->folder, 0);
	if (in->dir < 0 && errno == EWOULDBLOCK)
		return complain(in, NULL, "mtls-cred or another agent is at work there");
	if (in->dir < 0)
		return errno == ENOENT || complain(in, NULL, strerror(errno));
	if (fstat(in->dir, &st) != 0)
		return complain(in, NULL, strerror(errno));
	if (st.st_dev == in->inbox.st.st_dev && st.st_ino == in->inbox.st.st_ino)
		return complain(in, NULL, "inbox and folder are the same");
	return true;
}

/* The passphrase that the agent will use, where neither inbox nor folder has one. */
static void find_given_pass(struct ingest *in)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct mtls_place *place = &in->env.place[0];

	if (!credentials || credentials[0] != '/' || is_new(in, MTLS_PASS) || !place->file[MTLS_PASS] ||
	    access(place->file[MTLS_PASS], F_OK) == 0)
		return;
	if (asprintf(&in->given_pass, "%s/%s", credentials, mtls_part_file(MTLS_PASS)) < 0)
		in->given_pass = NULL;
	if (in->given_pass && access(in->given_pass, F_OK) == 0) {
		free(place->file[MTLS_PASS]);
		place->file[MTLS_PASS] = in->given_pass;
	} else {
		free(in->given_pass);
		in->given_pass = NULL;
	}
}

static bool merge(struct ingest *in)
{
	mtls_environment_folder(&in->env, in->folder, "--dir");
	if (in->env.incomplete)
		return complain(in, NULL, "out of memory");
	find_given_pass(in);
	if (!mtls_reading_make(&in->env, &in->there))
		return complain(in, NULL, strerror(errno));
	in->files = in->there.files;
	if (in->dir < 0)
		in->files.place = MTLS_PLACE_OK; /* it will be made */
	for (int i = 0; i < MTLS_FILES; i++) {
		const struct inbox_file *file = &in->inbox.file[i];

		if (is_new(in, i))
			in->files.file[i] = (struct mtls_file){.data = {file->data, (size_t)file->st.st_size},
							       .how = MTLS_FILE_OK,
							       .unsafe = (file->st.st_mode & S_IWOTH) != 0};
	}
	return true;
}

/* --- is it good? ------------------------------------------------------------------------ */

static enum mtls_reason load(struct ingest *in, enum mtls_reason scanned)
{
	struct mtls_identity *identity = NULL;
	struct mtls_token token = {.key = NULL};
	enum mtls_reason reason = scanned;

	if (scanned == MTLS_KEY_NEEDS_AGENT)
		reason = mtls_token_pair(&in->files, &identity, &token, &in->error);
	else if (scanned == MTLS_USABLE)
		reason = mtls_identity_load(&mtls_crypto_linked, &in->blocks, &identity, &in->error);
	if (identity)
		memcpy(in->subject, identity->subject, sizeof(in->subject));
	mtls_identity_free(&mtls_crypto_linked, identity);
	mtls_token_close(&token);
	ERR_clear_error();
	return reason;
}

static bool is_bad_setting(struct ingest *in)
{
	struct mtls_policy policy;

	mtls_policy_init(&policy);
	if (!is_new(in, MTLS_CONF) || mtls_policy_conf(&policy, in->files.file[MTLS_CONF].data) == MTLS_USABLE)
		return false;
	in->error = policy.error;
	in->error.part = MTLS_CONF;
	return true;
}

/* Where the file lies that an error is about. */
static const char *whose(const struct ingest *in, enum mtls_reason reason)
{
	int part = (int)in->error.part;

	if (part < MTLS_FILES)
		return !is_new(in, part) && in->files.file[part].how != MTLS_FILE_NONE ? in->folder : in->inbox.path;
	return mtls_reason_state(reason) == MTLS_STATE_BROKEN ? in->folder : in->inbox.path;
}

static bool explain(const struct ingest *in, enum mtls_reason reason)
{
	const struct mtls_error *e = &in->error;
	const char *name = mtls_part_file(e->part), *remedy = mtls_reason_remedy(reason);
	char line[32] = "", detail[sizeof(e->detail) + 4] = "";

	if (e->line)
		snprintf(line, sizeof(line), ", line %u", e->line);
	if (e->detail[0])
		snprintf(detail, sizeof(detail), " (%s)", e->detail);
	if (mtls_reason_state(reason) == MTLS_STATE_REMOVED)
		remedy = "to remove the agent's: mtls-cred remove -d FOLDER";
	agent_say("%s%s%s%s: %s%s%s%s; nothing was moved", whose(in, reason), name[0] ? "/" : "", name, line,
		  mtls_reason_sentence(reason), detail, remedy[0] ? "; " : "", remedy);
	return false;
}

static bool judge(struct ingest *in)
{
	enum mtls_reason reason = load(in, mtls_credential_scan(&in->files, &in->blocks, &in->error));

	if (reason == MTLS_USABLE && is_bad_setting(in))
		reason = in->error.reason;
	return reason == MTLS_USABLE || explain(in, reason);
}

/* --- the move --------------------------------------------------------------------------- */

/* Whatever the umask: the folder's name is to be passed by programs of other users. */
static bool make_folder(struct ingest *in)
{
	mode_t mask = umask(0777 & ~FOLDER);

	in->dir = mtls_store_open(in->folder, FOLDER);
	umask(mask);
	return in->dir >= 0 || complain(in, NULL, strerror(errno));
}

/* false: nothing is there. *whole: nothing of before is left either. */
static bool store(struct ingest *in, bool *whole)
{
	static const mode_t mode[MTLS_FILES] = {
		[MTLS_CERT] = OPEN, [MTLS_KEY] = SECRET, [MTLS_PASS] = SECRET, [MTLS_CONF] = OPEN};
	struct mtls_store_file file[MTLS_FILES];
	const char *at = NULL;

	if (in->dir < 0 && !make_folder(in))
		return false;
	for (int i = 0; i < MTLS_FILES; i++)
		file[i] = (struct mtls_store_file){in->files.file[i].how == MTLS_FILE_OK, in->files.file[i].data,
						   mode[i]};
	file[MTLS_PASS].given = file[MTLS_PASS].given && !in->given_pass;
	file[MTLS_CONF].given = is_new(in, MTLS_CONF);
	*whole = false;
	switch (mtls_store_change(in->dir, file, &at)) {
	case MTLS_STORED:
		*whole = true;
		return true;
	case MTLS_NOT_STORED:
		return complain(in, at, strerror(errno));
	case MTLS_STORED_UNSYNCED:
		agent_say("%s: it is there, but the disk may not have it yet (%s); the inbox stays for the next start",
			  in->folder, strerror(errno));
		return false;
	case MTLS_STORED_UNWIPED:
		agent_say("%s: the key of before could not be overwritten (%s)", in->folder, strerror(errno));
		return true;
	}
	return false;
}

static void say_done(const struct ingest *in)
{
	char names[128] = "";
	size_t n = 0;

	for (int i = 0; i < MTLS_FILES; i++)
		if (is_new(in, i))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      mtls_part_file((enum mtls_part)i));
	agent_say("%s: moved to %s: %s; the subject is %s", in->inbox.path, in->folder, names, in->subject);
}

static bool ingest(struct ingest *in)
{
	bool whole;

	if (!inbox_read(&in->inbox))
		return false;
	if (inbox_is_empty(&in->inbox))
		return true;
	if (!open_folder(in) || !merge(in) || !judge(in) || !store(in, &whole))
		return false;
	say_done(in);
	return inbox_erase(&in->inbox) && whole;
}

bool agent_ingest(const char *inbox, const char *folder)
{
	struct ingest *in = calloc(1, sizeof(*in)); /* large */
	bool ok;

	if (!in) {
		agent_say("%s: out of memory; nothing was moved", inbox);
		return false;
	}
	in->folder = folder;
	in->dir = -1;
	ok = inbox_open(&in->inbox, inbox) && (in->inbox.dir < 0 || ingest(in));
	inbox_close(&in->inbox);
	mtls_reading_free(&in->there);
	mtls_environment_free(&in->env);
	if (in->dir >= 0)
		close(in->dir);
	free(in);
	return ok;
}
