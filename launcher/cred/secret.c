/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a person's and passphrases; see secret.h. libcrypto asks at the terminal: it puts the echo back after
 * signals. */
#include "launcher/cred/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_MS  10000
#define ATTEMPTS 3

/* As read(2), but waits for a pipe whose writer is slow. */
static ssize_t read_some(int fd, unsigned char *room, size_t n)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t got;

	for (;;) {
		got = read(fd, room, n);
		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
		if (errno == EAGAIN && poll(&wait, 1, PIPE_MS) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static const char *read_all(int fd, size_t max, struct cred_bytes *out)
{
	ssize_t got = 1;

	out->p = OPENSSL_malloc(max + 1);
	if (!out->p)
		return "out of memory";
	while (got > 0 && out->n <= max) {
		got = read_some(fd, out->p + out->n, max + 1 - out->n);
		if (got < 0)
			return strerror(errno);
		out->n += (size_t)got;
	}
	return out->n > max ? "it is too large" : NULL;
}

const char *cred_read(const char *path, size_t max, struct cred_bytes *out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *why;
	size_t size = max + 1;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return strerror(errno);
	why = read_all(fd, max, out);
	close(fd);
	if (why) {
		if (out->p)
			OPENSSL_clear_free(out->p, size);
		memset(out, 0, sizeof(*out));
		return why;
	}
	out->p[out->n] = '\0';
	return NULL;
}

void cred_bytes_free(struct cred_bytes *bytes)
{
	if (bytes->p)
		OPENSSL_clear_free(bytes->p, bytes->n + 1);
	memset(bytes, 0, sizeof(*bytes));
}

/* The first line, without its end: as in private_key_pass.txt. */
static int read_file(const struct cred *cred, struct cred_secret *secret)
{
	struct cred_bytes bytes;
	const char *why = cred_read(secret->file, MTLS_FILE_MAX, &bytes);
	struct mtls_bytes rest;
	int status = CRED_GO_ON;

	if (why)
		return cred_fail(cred, CRED_FAILED, "%s: %s", secret->file, why);
	rest = (struct mtls_bytes){bytes.p, bytes.n};
	secret->n = 0;
	while (secret->n < rest.n && rest.p[secret->n] != '\n')
		secret->n++;
	if (secret->n && rest.p[secret->n - 1] == '\r')
		secret->n--;
	if (secret->n > MTLS_PASS_MAX)
		status = cred_fail(cred, CRED_FAILED, "%s: %s", secret->file,
				   mtls_reason_sentence(MTLS_PASSPHRASE_TOO_LONG));
	else
		memcpy(secret->text, rest.p, secret->n);
	cred_bytes_free(&bytes);
	return status;
}

static int ask(const struct cred *cred, struct cred_secret *secret, const char *what)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *prompt;
	int failed;

	if (terminal < 0)
		return cred_fail(cred, CRED_FAILED, "%s: is encrypted; give its passphrase with --pass-file FILE",
				 what);
	close(terminal);
	if (asprintf(&prompt, "Passphrase of %s: ", what) < 0)
		return cred_fail(cred, CRED_FAILED, "out of memory");
	failed = EVP_read_pw_string_min(secret->text, 0, MTLS_PASS_MAX + 1, prompt, 0);
	free(prompt);
	secret->n = failed ? 0 : strlen(secret->text);
	return failed ? cred_fail(cred, CRED_FAILED, "%s: no passphrase was given", what) : CRED_GO_ON;
}

int cred_secret_next(const struct cred *cred, struct cred_secret *secret, const char *what, unsigned tries)
{
	int status = CRED_GO_ON;

	if (tries && (secret->file || tries >= ATTEMPTS))
		return cred_fail(cred, CRED_FAILED, "%s: %s", what, mtls_reason_sentence(MTLS_PASSPHRASE_WRONG));
	if (!secret->file)
		status = secret->known && !tries ? CRED_GO_ON : ask(cred, secret, what);
	else if (!secret->known)
		status = read_file(cred, secret);
	secret->known = status == CRED_GO_ON;
	return status;
}

void cred_secret_wipe(struct cred_secret *secret)
{
	OPENSSL_cleanse(secret->text, sizeof(secret->text));
	secret->known = false;
	secret->n = 0;
}
