/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the credential's files at one consistent moment and lets core/ judge
 * them. Opens only regular files, follows no descriptor beyond the call, and puts key bytes
 * nowhere but into its own mapping. What a certificate or key means is not decided here.
 */
#include "host/reading.h"

#include "host/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define YOUNG_NS   2000000000LL /* coarse file times: as git has it for its index */
#define TORN_TRIES 10
#define NS         1000000000LL

static void id_from_stat(struct mtls_file_id *id, const struct stat *st)
{
	id->device = (uint64_t)st->st_dev;
	id->inode = (uint64_t)st->st_ino;
	id->size = (uint64_t)st->st_size;
	id->mtime_ns = (int64_t)st->st_mtim.tv_sec * NS + st->st_mtim.tv_nsec;
	id->ctime_ns = (int64_t)st->st_ctim.tv_sec * NS + st->st_ctim.tv_nsec;
	id->mode = (uint32_t)st->st_mode;
	id->owner = (uint32_t)st->st_uid;
	id->error = 0;
}

static void id_of_path(struct mtls_file_id *id, const char *path)
{
	struct stat st;

	memset(id, 0, sizeof(*id));
	if (!path)
		id->error = ENOENT;
	else if (mtls_stat(path, &st) == 0)
		id_from_stat(id, &st);
	else
		id->error = errno;
}

static bool id_equal(const struct mtls_file_id *a, const struct mtls_file_id *b)
{
	return a->error == b->error && a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->mode == b->mode && a->owner == b->owner;
}

/* EPERM: as a sandbox answers. */
static bool blind(const struct mtls_file_id *id)
{
	return id->error == EACCES || id->error == EPERM;
}

/* Where the disk fails, nobody knows: another place must not stand in for it with another identity. */
static bool may_exist(const struct mtls_file_id *id)
{
	return id->error != ENOENT && id->error != ENOTDIR && id->error != ELOOP && id->error != ENAMETOOLONG &&
	       !blind(id);
}

void mtls_mark_take(const struct mtls_environment *env, struct mtls_mark *mark)
{
	int saved = errno;

	memset(mark, 0, sizeof(*mark));
	for (size_t i = 0; i < env->n_places; i++) {
		const struct mtls_place *place = &env->place[i];

		for (int k = 0; k < MTLS_FILES; k++)
			id_of_path(&mark->file[k], place->file[k]);
		if (blind(&mark->file[MTLS_CERT]) && blind(&mark->file[MTLS_KEY]))
			mark->blind |= 1u << i;
		if (place->named || may_exist(&mark->file[MTLS_CERT]) || may_exist(&mark->file[MTLS_KEY])) {
			mark->place = place;
			id_of_path(&mark->folder, place->folder);
			break;
		}
	}
	if (!mark->place)
		memset(mark->file, 0, sizeof(mark->file));
	errno = saved;
}

bool mtls_mark_equal(const struct mtls_mark *a, const struct mtls_mark *b)
{
	const struct mtls_file_id *x = &a->folder, *y = &b->folder;
	bool equal = a->place == b->place && x->error == y->error && x->mode == y->mode && x->owner == y->owner;

	for (int k = 0; equal && k < MTLS_FILES; k++)
		equal = id_equal(&a->file[k], &b->file[k]);
	return equal;
}

bool mtls_mark_young(const struct mtls_mark *mark)
{
	struct timespec now;
	int64_t newest = INT64_MIN;

	for (int k = 0; k < MTLS_FILES; k++)
		if (mark->place && !mark->file[k].error && mark->file[k].ctime_ns > newest)
			newest = mark->file[k].ctime_ns;
	if (newest == INT64_MIN || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return false;
	return (int64_t)now.tv_sec * NS + now.tv_nsec - newest < YOUNG_NS;
}

bool mtls_mark_blind(const struct mtls_environment *env, const struct mtls_mark *mark, const struct mtls_place *place)
{
	return place && (mark->blind >> (place - env->place) & 1);
}

/* --- one file ------------------------------------------------------------- */

/* A descriptor, or -1 and the file's how; errno stays for what is no verdict on the file. Empty ones need none. */
static int open_regular(const char *path, struct mtls_file *file, struct stat *st)
{
	int fd;

	if (mtls_stat(path, st) == 0) {
		file->unsafe = S_ISREG(st->st_mode) && (st->st_mode & S_IWOTH) != 0;
		file->how = S_ISREG(st->st_mode) ? MTLS_FILE_OK : MTLS_FILE_NOT_A_FILE;
		if (file->how != MTLS_FILE_OK || st->st_size == 0)
			return -1;
		do {
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		} while (fd < 0 && errno == EINTR);
		if (fd >= 0 && mtls_fstat(fd, st) == 0) {
			if (S_ISREG(st->st_mode))
				return fd;
			file->how = MTLS_FILE_NOT_A_FILE;
			close(fd);
			return -1;
		}
		if (fd >= 0)
			close(fd);
	}
	file->how = errno == ENOENT || errno == ENOTDIR ? MTLS_FILE_NONE : MTLS_FILE_UNREADABLE;
	return -1;
}

/* 0: n bytes are in room. -1: there were less; half a file is not used. */
static int read_all(int fd, unsigned char *room, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, room + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

/* --- all files ------------------------------------------------------------ */

struct open_files {
	int fd[MTLS_FILES];
	size_t size[MTLS_FILES];
	size_t total;
	int lack; /* errno: this process has no descriptor or memory to spare, which says nothing of the files */
};

static void close_files(struct open_files *open)
{
	for (int k = 0; k < MTLS_FILES; k++)
		if (open->fd[k] >= 0)
			close(open->fd[k]);
}

/* Only EACCES and EPERM are what somebody meant with the file. */
static void note_error(struct mtls_reading *r, struct open_files *open, int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOMEM)
		open->lack = error;
	else if (error != EACCES && error != EPERM)
		r->unsure = true;
}

static void open_files(struct mtls_reading *r, struct open_files *open)
{
	for (int k = 0; k < MTLS_FILES; k++) {
		struct mtls_file *file = &r->files.file[k];
		const char *path = r->mark.place->file[k];
		struct stat st;

		file->named = r->mark.place->named_file[k];
		file->how = MTLS_FILE_NONE;
		if (!path || (r->files.agent && (k == MTLS_KEY || k == MTLS_PASS)))
			continue;
		errno = 0;
		open->fd[k] = open_regular(path, file, &st);
		if (open->fd[k] < 0) {
			if (file->how == MTLS_FILE_UNREADABLE)
				note_error(r, open, errno);
			continue;
		}
		if ((uint64_t)st.st_size > MTLS_FILE_MAX) {
			file->how = MTLS_FILE_TOO_LARGE;
			continue;
		}
		open->size[k] = (size_t)st.st_size;
		open->total += open->size[k];
	}
}

/* Memory for all of them; NULL: none needed, or none to be had. */
static unsigned char *make_room(struct open_files *open)
{
	unsigned char *room;

	if (!open->total)
		return NULL;
	room = mmap(NULL, open->total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED) {
		open->lack = errno;
		return NULL;
	}
	madvise(room, open->total, MADV_DONTDUMP);
	return room;
}

/* 0, or the errno that tells what this process lacks; a file that it could not read for that is "unreadable". */
static int read_files(struct mtls_reading *r)
{
	struct open_files open = {.fd = {-1, -1, -1, -1}};
	unsigned char *room;

	open_files(r, &open);
	room = make_room(&open);
	r->memory = room;
	r->size = room ? open.total : 0;
	for (int k = 0; k < MTLS_FILES; k++) {
		struct mtls_file *file = &r->files.file[k];

		if (open.fd[k] < 0 || file->how != MTLS_FILE_OK)
			continue;
		if (room && read_all(open.fd[k], room, open.size[k]) == 0) {
			file->data = (struct mtls_bytes){room, open.size[k]};
		} else {
			file->how = MTLS_FILE_UNREADABLE;
			r->unsure = true;
		}
		room = room ? room + open.size[k] : NULL;
	}
	close_files(&open);
	return open.lack;
}

static void judge_folder(struct mtls_reading *r)
{
	const struct mtls_place *place = r->mark.place;
	const struct mtls_file_id *id = &r->mark.folder;

	r->files.place = MTLS_PLACE_OK;
	if (!place) {
		r->files.place = MTLS_PLACE_NONE;
	} else if (place->folder && id->error) {
		r->files.place =
			id->error == ENOENT || id->error == ENOTDIR ? MTLS_PLACE_MISSING : MTLS_PLACE_UNREADABLE;
	} else if (place->folder && !S_ISDIR(id->mode)) {
		r->files.place = MTLS_PLACE_MISSING;
	} else if (place->folder) {
		r->files.folder_unsafe =
			(id->mode & S_IWOTH) || (!place->named && id->owner != 0 && id->owner != geteuid());
	}
}

static void judge(const struct mtls_environment *env, struct mtls_reading *r)
{
	mtls_environment_policy(env, &r->policy);
	if (r->files.file[MTLS_CONF].how == MTLS_FILE_OK)
		mtls_policy_conf(&r->policy, r->files.file[MTLS_CONF].data);
	r->reason = mtls_credential_scan(&r->files, &r->blocks, &r->error);
}

bool mtls_reading_make(const struct mtls_environment *env, struct mtls_reading *r)
{
	int saved = errno, lack;

	for (int tries = 1;; tries++) {
		struct mtls_mark after;

		memset(r, 0, sizeof(*r));
		r->files.agent = env->agent != NULL;
		mtls_mark_take(env, &r->mark);
		r->young = mtls_mark_young(&r->mark);
		judge_folder(r);
		lack = r->mark.place ? read_files(r) : 0;
		mtls_mark_take(env, &after);
		if (mtls_mark_equal(&r->mark, &after) || tries == TORN_TRIES)
			break;
		mtls_reading_free(r);
	}
	judge(env, r);
	if (lack) {
		r->young = true;
		if (r->reason == MTLS_USABLE || mtls_reason_state(r->reason) == MTLS_STATE_BROKEN)
			mtls_reading_free(r);
		else
			lack = 0;
	}
	errno = lack ? lack : saved;
	return !lack;
}

bool mtls_reading_equal(const struct mtls_reading *a, const struct mtls_reading *b)
{
	bool equal = a->mark.place == b->mark.place && a->files.place == b->files.place &&
		     a->files.folder_unsafe == b->files.folder_unsafe;

	for (int k = 0; equal && k < MTLS_FILES; k++) {
		const struct mtls_file *x = &a->files.file[k], *y = &b->files.file[k];

		equal = x->how == y->how && x->unsafe == y->unsafe && mtls_bytes_equal(x->data, y->data);
	}
	return equal;
}

void mtls_reading_free(struct mtls_reading *r)
{
	int saved = errno;

	if (r->memory) {
		memset(r->memory, 0, r->size);
		__asm__ __volatile__("" : : "r"(r->memory) : "memory"); /* the wipe is no dead store */
		munmap(r->memory, r->size);
	}
	memset(r, 0, sizeof(*r));
	errno = saved;
}

/* --- words for a person --------------------------------------------------- */

static bool about_variable(const struct mtls_error *e)
{
	return e->setting && e->line == 0;
}

const char *mtls_reading_what(const struct mtls_reading *r, const struct mtls_error *e)
{
	const struct mtls_place *place = r->mark.place;
	const char *what = NULL;

	if (about_variable(e)) {
		for (int i = 0; i < MTLS_SETTINGS; i++)
			if (strcmp(mtls_setting_key((enum mtls_setting)i), e->setting) == 0)
				return mtls_setting_variable((enum mtls_setting)i);
		return "MTLS_DISABLE";
	}
	if (place && (e->setting || e->line))
		what = place->file[MTLS_CONF];
	else if (place && e->part < MTLS_FILES)
		what = place->file[e->part];
	else if (place)
		what = place->folder ? place->folder : place->file[MTLS_CERT];
	return what ? what : "";
}

int mtls_reading_explain(const struct mtls_reading *r, const struct mtls_error *e, char *buffer, size_t size)
{
	const char *remedy = mtls_reason_remedy(e->reason);
	char line[32] = "", detail[sizeof(e->detail) + 4] = "";
	int n;

	if (e->line)
		snprintf(line, sizeof(line), ", line %u", e->line);
	if (e->detail[0])
		snprintf(detail, sizeof(detail), " (%s)", e->detail);
	n = snprintf(buffer, size, "%s%s: %s%s%s%s", mtls_reading_what(r, e), line, mtls_reason_sentence(e->reason),
		     detail, remedy[0] ? "; " : "", remedy);
	for (size_t i = 0; i < size && buffer[i]; i++)
		if ((unsigned char)buffer[i] < ' ' || buffer[i] == 0x7f)
			buffer[i] = '?'; /* a folder's name must not make a second line */
	return n;
}
