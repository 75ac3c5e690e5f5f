/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host/reading.c with real files: every structural state and broken reason, in
 * named and in default places. No reading may block, leak a descriptor or change errno.
 * test_marks.c has what notices a change, test_explain.c the words.
 */
#include "folder_fixture.h"

#include "host/reading.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What may stand in a folder; any other text is a file's content. */
#define NONE     NULL
#define FOLDER   "<folder>"
#define FIFO     "<fifo>"
#define DEVICE   "<link to a device>"
#define SOCKET   "<socket>"
#define DANGLING "<link to nothing>"
#define LOOP     "<link to itself>"
#define BIG      "<2 MiB>"
#define FULL     "<1 MiB>"
#define OVER     "<1 MiB and a byte>"
#define LONG     "<1024 bytes>"
#define OPEN     "<writable for all>"
#define CLOSED   "<readable for nobody>"
#define MIB      ((size_t)1 << 20)

#define BLOCK(label) "-----BEGIN " label "-----\nQUJD\n-----END " label "-----\n"
#define C            BLOCK("CERTIFICATE")
#define C4           C C C C
#define C32          C4 C4 C4 C4 C4 C4 C4 C4
#define K            BLOCK("PRIVATE KEY")
#define ENCRYPTED    BLOCK("ENCRYPTED PRIVATE KEY")

Suite *reading_suite(void);

static struct mtls_environment env;
static struct mtls_reading reading;

/* --- fixture --------------------------------------------------------------------- */

/* n bytes, of which the first are a certificate and a key. */
static void make_sized(const char *path, size_t n, char fill)
{
	char *text = malloc(n + 1);

	memset(text, fill, n);
	text[n] = '\0';
	if (n >= MIB)
		memcpy(text, C K, strlen(C K));
	put_at(path, text);
	free(text);
}

static void make_socket(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_uint_lt(strlen(path), sizeof(un.sun_path));
	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
}

static void make_text(const char *path, const char *text, mode_t mode)
{
	put_at(path, text);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_kind(const char *path, const char *kind)
{
	if (strcmp(kind, FOLDER) == 0)
		ck_assert_int_eq(mkdir(path, 0755), 0);
	else if (strcmp(kind, FIFO) == 0)
		ck_assert_int_eq(mkfifo(path, 0644), 0);
	else if (strcmp(kind, DEVICE) == 0)
		ck_assert_int_eq(symlink("/dev/null", path), 0);
	else if (strcmp(kind, SOCKET) == 0)
		make_socket(path);
	else if (strcmp(kind, DANGLING) == 0)
		ck_assert_int_eq(symlink("nothing", path), 0);
	else if (strcmp(kind, LOOP) == 0)
		ck_assert_int_eq(symlink(path, path), 0);
	else if (strcmp(kind, BIG) == 0)
		make_sized(path, 2 * MIB, '\n');
	else if (strcmp(kind, FULL) == 0)
		make_sized(path, MIB, '\n');
	else if (strcmp(kind, OVER) == 0)
		make_sized(path, MIB + 1, '\n');
	else if (strcmp(kind, LONG) == 0)
		make_sized(path, 1024, 'x');
	else
		make_text(path, C K, strcmp(kind, OPEN) == 0 ? 0666 : 0);
}

static void make(const char *name, const char *what)
{
	if (what && what[0] == '<')
		make_kind(in(name), what);
	else if (what)
		make_text(in(name), what, 0644);
}

static void stop(void)
{
	mtls_environment_free(&env);
	folder_remove();
}

/* "NAME=FOLDER/VALUE", or the value as it is where it has a "/" in front. Three stay valid. */
static const char *set(const char *name, const char *value)
{
	static char text[3][600];
	static unsigned next;
	char *p = text[next++ % 3];

	snprintf(p, sizeof(text[0]), "%s=%s", name, value[0] == '/' ? value : in(value));
	return p;
}

/* A reading, with what holds for each of them. */
static void ck_reading(enum mtls_reason reason, enum mtls_part part)
{
	unsigned before = descriptors();
	bool made;

	errno = EXDEV;
	made = mtls_reading_make(&env, &reading);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert(made);
	ck_assert_uint_eq(descriptors(), before);
	ck_assert_uint_le(reading.size, 2 * MTLS_FILE_MAX); /* what is too large is not read */
	ck_assert_str_eq(mtls_reason_word(reading.reason), mtls_reason_word(reason));
	ck_assert_int_eq(reading.error.reason, reason);
	ck_assert_int_eq(reading.error.part, part);
}

static void ck_read(enum mtls_reason reason, enum mtls_part part)
{
	ck_reading(reason, part);
	errno = EXDEV;
	mtls_reading_free(&reading);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_ptr_null(reading.memory);
}

/* --- one folder -------------------------------------------------------------------- */

static const struct {
	const char *file[MTLS_FILES];
	enum mtls_reason reason;
	enum mtls_part part;
} rows[] = {
	{{C, K}, MTLS_USABLE, MTLS_NOTHING},
	{{C C K, K, "secret\n", "log = off\n"}, MTLS_USABLE, MTLS_NOTHING},
	{{C32, K}, MTLS_USABLE, MTLS_NOTHING},
	{{FULL, FULL}, MTLS_USABLE, MTLS_NOTHING},
	{{C, ENCRYPTED}, MTLS_USABLE, MTLS_NOTHING},
	{{C, K, NONE, "no such setting\n"}, MTLS_USABLE, MTLS_NOTHING},
	{{NONE, NONE}, MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{{NONE, NONE, "secret", "log = off"}, MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{{DANGLING, DANGLING}, MTLS_NO_CREDENTIAL, MTLS_FOLDER},
	{{"", ""}, MTLS_REMOVED, MTLS_FOLDER},
	{{"", NONE}, MTLS_REMOVED, MTLS_FOLDER},
	{{NONE, " \r\n\t\n"}, MTLS_REMOVED, MTLS_FOLDER},
	{{MTLS_BOM, "\n"}, MTLS_REMOVED, MTLS_FOLDER},
	{{"", "", BIG, FIFO}, MTLS_REMOVED, MTLS_FOLDER},
	{{OPEN, K}, MTLS_UNSAFE_PERMISSIONS, MTLS_CERT},
	{{C, OPEN}, MTLS_UNSAFE_PERMISSIONS, MTLS_KEY},
	{{C, K, OPEN}, MTLS_UNSAFE_PERMISSIONS, MTLS_PASS},
	{{C, K, NONE, OPEN}, MTLS_UNSAFE_PERMISSIONS, MTLS_CONF},
	{{NONE, K}, MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{{"\n", K}, MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{{DANGLING, K}, MTLS_CERTIFICATE_MISSING, MTLS_CERT},
	{{C, NONE}, MTLS_KEY_MISSING, MTLS_KEY},
	{{C, ""}, MTLS_KEY_MISSING, MTLS_KEY},
	{{FIFO, NONE}, MTLS_KEY_MISSING, MTLS_KEY},
	{{C, K, FOLDER}, MTLS_NOT_A_FILE, MTLS_PASS},
	{{C, K, NONE, FIFO}, MTLS_NOT_A_FILE, MTLS_CONF},
	{{FIFO, K}, MTLS_NOT_A_FILE, MTLS_CERT},
	{{C, FIFO}, MTLS_NOT_A_FILE, MTLS_KEY},
	{{FIFO, FIFO, FIFO, FIFO}, MTLS_NOT_A_FILE, MTLS_CERT},
	{{C, FOLDER}, MTLS_NOT_A_FILE, MTLS_KEY},
	{{SOCKET, K}, MTLS_NOT_A_FILE, MTLS_CERT},
	{{CLOSED, FIFO}, MTLS_NOT_A_FILE, MTLS_KEY},
	{{CLOSED, K}, MTLS_UNREADABLE, MTLS_CERT},
	{{C, CLOSED}, MTLS_UNREADABLE, MTLS_KEY},
	{{C, K, CLOSED}, MTLS_UNREADABLE, MTLS_PASS},
	{{C, K, NONE, CLOSED}, MTLS_UNREADABLE, MTLS_CONF},
	{{CLOSED, CLOSED}, MTLS_UNREADABLE, MTLS_CERT},
	{{LOOP, K}, MTLS_UNREADABLE, MTLS_CERT},
	{{BIG, CLOSED}, MTLS_UNREADABLE, MTLS_KEY},
	{{BIG, K}, MTLS_TOO_LARGE, MTLS_CERT},
	{{OVER, K}, MTLS_TOO_LARGE, MTLS_CERT},
	{{C, BIG}, MTLS_TOO_LARGE, MTLS_KEY},
	{{C, K, BIG}, MTLS_TOO_LARGE, MTLS_PASS},
	{{C, K, NONE, BIG}, MTLS_TOO_LARGE, MTLS_CONF},
	{{C32 C, K}, MTLS_TOO_LARGE, MTLS_CERT},
	{{"x", BIG}, MTLS_TOO_LARGE, MTLS_KEY},
	{{C, K, LONG}, MTLS_PASSPHRASE_TOO_LONG, MTLS_PASS},
	{{"x", "x"}, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT},
	{{K, K}, MTLS_CERTIFICATE_MALFORMED, MTLS_CERT},
	{{C, "x"}, MTLS_KEY_MALFORMED, MTLS_KEY},
	{{C, C}, MTLS_KEY_MALFORMED, MTLS_KEY},
	{{C, BLOCK("DSA PRIVATE KEY")}, MTLS_KEY_UNSUPPORTED, MTLS_KEY},
	{{C, "pkcs11:object=k\n"}, MTLS_KEY_NEEDS_AGENT, MTLS_KEY},
};

static bool closed_to_us(const char *const file[MTLS_FILES])
{
	for (int k = 0; k < MTLS_FILES; k++)
		if (file[k] && strcmp(file[k], CLOSED) == 0)
			return true;
	return false;
}

static void become(uid_t user)
{
	ck_assert_int_eq(seteuid(user), 0);
}

START_TEST(states)
{
	for (int k = 0; k < MTLS_FILES; k++)
		make(mtls_part_file((enum mtls_part)k), rows[_i].file[k]);
	mtls_environment_read(&env, E(set("MTLS_DIR", "")));
	if (!closed_to_us(rows[_i].file)) {
		ck_read(rows[_i].reason, rows[_i].part);
	} else if (geteuid() != 0 || is_root("states")) {
		become(geteuid() ? geteuid() : NOBODY);
		ck_read(rows[_i].reason, rows[_i].part);
		become(getuid());
	}
}
END_TEST

START_TEST(devices)
{
	make("client_cert.pem", DEVICE);
	make("private_key.pem", K);
	mtls_environment_read(&env, E(set("MTLS_DIR", "")));
	ck_read(MTLS_NOT_A_FILE, MTLS_CERT); /* and not the advice to change the device's permissions */
}
END_TEST

START_TEST(bytes_and_blocks)
{
	make("client_cert.pem", "prose\n" C C);
	make("private_key.pem", K);
	make("private_key_pass.txt", "secret\r\nmore");
	make("mtls.conf", "hosts = a.example\n");
	mtls_environment_read(&env, E(set("MTLS_DIR", "")));
	ck_reading(MTLS_USABLE, MTLS_NOTHING);
	ck_assert(mtls_bytes_equal(reading.files.file[MTLS_CERT].data, mtls_bytes_of("prose\n" C C)));
	ck_assert_uint_eq(reading.blocks.n_certs, 2);
	ck_assert(mtls_bytes_start(reading.blocks.cert[0], "-----BEGIN CERTIFICATE"));
	ck_assert(mtls_bytes_start(reading.blocks.key, "-----BEGIN PRIVATE"));
	ck_assert(mtls_bytes_equal(reading.blocks.pass, mtls_bytes_of("secret")));
	ck_assert(mtls_bytes_equal(reading.policy.hosts, mtls_bytes_of("a.example")));
	ck_assert_int_eq(reading.policy.origin[MTLS_HOSTS], MTLS_FROM_CONF);
	ck_assert_ptr_eq(reading.mark.place, &env.place[0]);
	mtls_reading_free(&reading);
}
END_TEST

/* --- the folder itself --------------------------------------------------------------- */

static void make_pair(const char *sub)
{
	char name[64];

	ck_assert_int_eq(mkdir(in(sub), 0755), 0);
	snprintf(name, sizeof(name), "%s/client_cert.pem", sub);
	make(name, C);
	snprintf(name, sizeof(name), "%s/private_key.pem", sub);
	make(name, K);
}

START_TEST(named_folder)
{
	make_pair("d");
	make("file", C);
	mtls_environment_read(&env, E(set("MTLS_DIR", "d")));
	ck_read(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(chmod(in("d"), 0777), 0);
	ck_read(MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER);
	ck_assert_int_eq(chmod(in("d"), 01777), 0);
	ck_read(MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER);
	mtls_environment_folder(&env, in("nowhere"), "--dir");
	ck_read(MTLS_FOLDER_MISSING, MTLS_FOLDER);
	mtls_environment_folder(&env, in("nowhere/below"), "--dir");
	ck_read(MTLS_FOLDER_MISSING, MTLS_FOLDER);
	mtls_environment_folder(&env, in("file"), "--dir");
	ck_read(MTLS_FOLDER_MISSING, MTLS_FOLDER);
	point("link", "d");
	ck_assert_int_eq(chmod(in("d"), 0775), 0);
	mtls_environment_folder(&env, in("link"), "--dir");
	ck_read(MTLS_USABLE, MTLS_NOTHING);
}
END_TEST

/* What a default place holds counts only where it is ours or root's; who names a folder has decided. */
START_TEST(foreign_folder)
{
	if (!is_root("foreign_folder"))
		return;
	make_pair("mtls");
	make_pair("nobodys");
	ck_assert_int_eq(chown(in("mtls"), 12345, 12345), 0);
	mtls_environment_read(&env, E(set("XDG_CONFIG_HOME", "")));
	ck_read(MTLS_UNSAFE_PERMISSIONS, MTLS_FOLDER);
	become(12345);
	ck_read(MTLS_USABLE, MTLS_NOTHING);
	become(0);
	ck_assert_int_eq(chown(in("mtls"), 0, 0), 0);
	become(NOBODY);
	ck_read(MTLS_USABLE, MTLS_NOTHING);
	become(0);
	ck_assert_int_eq(chown(in("mtls"), 12345, 12345), 0);
	mtls_environment_folder(&env, in("mtls"), "--dir");
	ck_read(MTLS_USABLE, MTLS_NOTHING);
}
END_TEST

START_TEST(closed_folder)
{
	if (!is_root("closed_folder"))
		return;
	make_pair("d");
	ck_assert_int_eq(mkdir(in("top"), 0755), 0);
	ck_assert_int_eq(rename(in("d"), in("top/d")), 0);
	mtls_environment_read(&env, E(set("MTLS_DIR", "top/d")));
	ck_assert_int_eq(chmod(in("top/d"), 0700), 0);
	become(NOBODY);
	ck_read(MTLS_UNREADABLE, MTLS_CERT);
	become(0);
	ck_assert_int_eq(chmod(in("top"), 0700), 0);
	become(NOBODY);
	ck_read(MTLS_UNREADABLE, MTLS_FOLDER);
	become(0);
	ck_read(MTLS_USABLE, MTLS_NOTHING);
}
END_TEST

/* --- default places -------------------------------------------------------------------- */

START_TEST(default_places)
{
	const struct mtls_place *cred, *user;

	ck_assert_int_eq(mkdir(in("c"), 0755), 0);
	ck_assert_int_eq(mkdir(in("mtls"), 0755), 0);
	mtls_environment_read(&env, E(set("CREDENTIALS_DIRECTORY", "c"), set("XDG_CONFIG_HOME", "")));
	ck_assert_uint_eq(env.n_places, 3);
	cred = &env.place[0];
	user = &env.place[1];
	env.n_places = 2; /* what this machine has in /etc does not matter here */
	make("c/private_key_pass.txt", "x");
	make("c/mtls.conf", "log = off");
	ck_reading(MTLS_NO_CREDENTIAL, MTLS_NOTHING);
	ck_assert_ptr_null(reading.mark.place);
	ck_assert_int_eq(reading.policy.origin[MTLS_LOG], MTLS_FROM_DEFAULT);
	mtls_reading_free(&reading);
	make("mtls/private_key.pem", K);
	ck_reading(MTLS_CERTIFICATE_MISSING, MTLS_CERT);
	ck_assert_ptr_eq(reading.mark.place, user);
	mtls_reading_free(&reading);
	make("mtls/client_cert.pem", C);
	ck_reading(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_ptr_eq(reading.mark.place, user);
	mtls_reading_free(&reading);
	make("c/client_cert.pem", ""); /* also an empty file is "there" */
	ck_reading(MTLS_REMOVED, MTLS_FOLDER);
	ck_assert_ptr_eq(reading.mark.place, cred);
	mtls_reading_free(&reading);
	env.n_places = 3;
}
END_TEST

/* --- files that are named one by one ------------------------------------------------------ */

static const struct {
	const char *cert, *key, *pass; /* names in the folder; NULL: not set */
	enum mtls_reason reason;
	enum mtls_part part;
	bool pass_lost;
} named[] = {
	{"both", NULL, NULL, MTLS_USABLE, MTLS_NOTHING, false},
	{"cert", "key", NULL, MTLS_USABLE, MTLS_NOTHING, false},
	{"cert", "key", "pass", MTLS_USABLE, MTLS_NOTHING, false},
	{"cert", "key", "nothing", MTLS_USABLE, MTLS_NOTHING, true},
	{"cert", "key", "dangling", MTLS_USABLE, MTLS_NOTHING, true},
	{"nothing", NULL, NULL, MTLS_CERTIFICATE_MISSING, MTLS_CERT, false},
	{"nothing", "nothing", "pass", MTLS_CERTIFICATE_MISSING, MTLS_CERT, false},
	{"dangling", "key", NULL, MTLS_CERTIFICATE_MISSING, MTLS_CERT, false},
	{"key/below", "key", NULL, MTLS_CERTIFICATE_MISSING, MTLS_CERT, false},
	{"cert", "nothing", NULL, MTLS_KEY_MISSING, MTLS_KEY, false},
	{"cert", "empty", NULL, MTLS_KEY_MISSING, MTLS_KEY, false},
	{"empty", "key", NULL, MTLS_CERTIFICATE_MISSING, MTLS_CERT, false},
	{"empty", NULL, NULL, MTLS_REMOVED, MTLS_CERT, false},
	{"empty", "nothing", NULL, MTLS_REMOVED, MTLS_CERT, false},
	{"cert", NULL, NULL, MTLS_KEY_MALFORMED, MTLS_KEY, false},
	{"open", NULL, NULL, MTLS_UNSAFE_PERMISSIONS, MTLS_CERT, false},
	{"cert", "key", "open", MTLS_UNSAFE_PERMISSIONS, MTLS_PASS, false},
	{"fifo", NULL, NULL, MTLS_NOT_A_FILE, MTLS_CERT, false},
	{"cert", "key", "fifo", MTLS_NOT_A_FILE, MTLS_PASS, false},
};

START_TEST(named_files)
{
	const char *key = named[_i].key, *pass = named[_i].pass;

	make("cert", C);
	make("key", K);
	make("both", C K);
	make("pass", "secret");
	make("empty", "");
	make("open", OPEN);
	make("fifo", FIFO);
	make("dangling", DANGLING);
	make("mtls.conf", "no such setting"); /* is not read then */
	mtls_environment_read(&env, E(set("MTLS_CERT", named[_i].cert), key ? set("MTLS_KEY", key) : "X=",
				      pass ? set("MTLS_KEY_PASS_FILE", pass) : "X="));
	ck_reading(named[_i].reason, named[_i].part);
	ck_assert_int_eq(reading.blocks.pass_lost, named[_i].pass_lost);
	ck_assert_int_eq(reading.policy.error.reason, MTLS_USABLE);
	mtls_reading_free(&reading);
}
END_TEST

/* --- an agent, no descriptors, no blocking -------------------------------------------------- */

static const char *const unread[] = {K, NONE, FIFO, OPEN, BIG, "pkcs11:x"};

START_TEST(with_an_agent)
{
	make("client_cert.pem", C);
	make("private_key.pem", unread[_i]);
	make("private_key_pass.txt", unread[_i]);
	mtls_environment_read(&env, E(set("MTLS_DIR", ""), "MTLS_AGENT=/run/agent"));
	ck_reading(MTLS_USABLE, MTLS_NOTHING);
	ck_assert_int_eq(reading.files.file[MTLS_KEY].how, MTLS_FILE_NONE);
	ck_assert_uint_eq(reading.files.file[MTLS_KEY].data.n, 0);
	ck_assert_uint_eq(reading.files.file[MTLS_PASS].data.n, 0);
	ck_assert_int_eq(reading.blocks.key_form, MTLS_KEY_NONE);
	ck_assert(reading.policy.agent);
	mtls_reading_free(&reading);
}
END_TEST

/* It says nothing of the files that this process has no descriptor to spare. */
START_TEST(no_descriptor)
{
	struct rlimit before, few;
	struct mtls_reading empty;

	make("client_cert.pem", C);
	make("private_key.pem", K);
	mtls_environment_read(&env, E(set("MTLS_DIR", "")));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)dup(0) + (rlim_t)_i;
	close((int)few.rlim_cur - _i);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	memset(&reading, 0x55, sizeof(reading));
	memset(&empty, 0, sizeof(empty));
	errno = 0;
	ck_assert(!mtls_reading_make(&env, &reading));
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_mem_eq(&reading, &empty, sizeof(empty));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_read(MTLS_USABLE, MTLS_NOTHING); /* counts the descriptors, too */
}
END_TEST

Suite *reading_suite(void)
{
	Suite *s = suite_create("reading");
	TCase *c = tcase_create("reading");

	tcase_add_checked_fixture(c, folder_make, stop);
	tcase_add_loop_test(c, states, 0, (int)COUNT(rows));
	tcase_add_test(c, devices);
	tcase_add_test(c, bytes_and_blocks);
	tcase_add_test(c, named_folder);
	tcase_add_test(c, foreign_folder);
	tcase_add_test(c, closed_folder);
	tcase_add_test(c, default_places);
	tcase_add_loop_test(c, named_files, 0, (int)COUNT(named));
	tcase_add_loop_test(c, with_an_agent, 0, (int)COUNT(unread));
	tcase_add_loop_test(c, no_descriptor, 0, 2);
	suite_add_tcase(s, c);
	return s;
}
