/* SPDX-License-Identifier: Apache-2.0 */
/* From a question to its answer: which key, is it TLS, the signature; and a line where a person should know. */
#include "agent/serve.h"

#include "agent/clock.h"
#include "agent/say.h"
#include "agent/sign.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FAILED_MS 1000 /* between two tries of a key that does not sign */

/*
 * What lies unread in a socket that is closed makes the peer's next call fail, and it would not see the answer: first
 * nothing more can come, then what came is taken away.
 */
void agent_tell(int fd, enum mtls_signing_status status, const unsigned char *signature, size_t n)
{
	unsigned char packet[MTLS_ANSWER_HEAD + MTLS_SIGNATURE_MAX] = {MTLS_SIGNING_VERSION, (unsigned char)status};
	unsigned char rest;

	if (n)
		memcpy(packet + MTLS_ANSWER_HEAD, signature, n);
	send(fd, packet, MTLS_ANSWER_HEAD + n, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < 16 && recv(fd, &rest, 1, MSG_DONTWAIT) > 0; i++)
		continue;
}

/* What a person reads of a user: the name of --allow, where it is one, and the number. */
struct who {
	char text[64];
};

static struct who who_is(const struct agent_user *user, pid_t pid)
{
	struct who who;

	snprintf(who.text, sizeof(who.text), "user %u%s%s%s, pid %d", (unsigned)user->id, user->name[0] ? " (" : "",
		 user->name, user->name[0] ? ")" : "", (int)pid);
	return who;
}

/* A probe of a key that failed tries it, at most once a second: that is how it comes back. */
static bool still_failed(struct agent *agent, struct agent_key *key)
{
	long long now = agent_now_ms();

	if (!key->failed || now < key->retry_ms)
		return key->failed;
	/* A module that finds its token again by itself may try a PIN of its own memory: it begins anew. */
	key->failed = !(key->in_token ? agent_keys_revive(&agent->keys, key)
				      : agent_sign_works(&key->token, key->identity->type));
	key->retry_ms = agent_now_ms() + FAILED_MS;
	if (!key->failed)
		agent_say("the key signs again");
	return key->failed;
}

static enum mtls_signing_status probe(struct agent *agent, struct agent_key *key, const struct mtls_question *q)
{
	if (!key)
		return MTLS_OTHER_KEY;
	if (q->follows == MTLS_OP_DIGEST && agent->options.no_digest)
		return MTLS_NO_DIGESTS;
	return still_failed(agent, key) ? MTLS_KEY_FAILED : MTLS_SIGNED;
}

static enum mtls_signing_status sign(const struct agent *agent, struct agent_key *key, const struct mtls_question *q,
				     unsigned char *signature, size_t *n)
{
	enum mtls_signing_status status;

	if (!key)
		return MTLS_OTHER_KEY;
	if (q->op == MTLS_OP_DIGEST && agent->options.no_digest)
		return MTLS_NO_DIGESTS;
	status = mtls_question_judge(q, key->identity->type);
	if (status != MTLS_SIGNED)
		return status;
	if (agent_sign(&key->token, q, signature, n)) {
		key->failed = false;
		return MTLS_SIGNED;
	}
	if (!key->in_token) /* it is here: a scheme that this very key does not make (RFC 4055 3.1, few bits) */
		return MTLS_NOT_TLS;
	key->failed = true;
	key->retry_ms = agent_now_ms() + FAILED_MS;
	return MTLS_KEY_FAILED;
}

static void say(const struct agent *agent, const struct who *who, const struct mtls_question *q,
		enum mtls_signing_status status)
{
	const char *op = q->op == MTLS_OP_DIGEST ? "digest" : "content";

	if (status == MTLS_SIGNED) {
		if (agent->options.verbose && q->op != MTLS_OP_PROBE)
			agent_say_often(AGENT_SAYS_SIGNED, "signed for %s: scheme %04x, %s of %zu bytes", who->text,
					q->scheme, op, q->content.n);
	} else if (status == MTLS_KEY_FAILED) {
		agent_say_often(AGENT_SAYS_FAILED,
				"the key does not sign (scheme %04x); it is tried again when somebody asks", q->scheme);
	} else if (status == MTLS_NOT_TLS) {
		agent_say_often(AGENT_SAYS_REFUSED,
				"%s asked for a signature that TLS does not make: scheme %04x, %s of "
				"%zu bytes",
				who->text, q->scheme, op, q->content.n);
	} else if (status == MTLS_NO_DIGESTS) {
		agent_say_often(AGENT_SAYS_REFUSED, "%s asked to sign a digest, which --no-digest forbids", who->text);
	} else if (status == MTLS_OTHER_KEY) {
		agent_say_often(AGENT_SAYS_REFUSED, "%s asked for %s", who->text,
				agent->keys.state == AGENT_KEYS_READY
					? "another key: its certificate is not the agent's"
					: "a signature, and there is no key");
	}
}

void agent_answer(struct agent *agent, int fd, const struct agent_user *user, pid_t pid, struct mtls_bytes packet)
{
	unsigned char signature[MTLS_SIGNATURE_MAX];
	struct who who = who_is(user, pid);
	enum mtls_signing_status status;
	struct mtls_question q;
	struct agent_key *key;
	size_t n = 0;

	if (!mtls_question_read(packet, &q)) {
		agent_tell(fd, MTLS_BAD_PACKET, NULL, 0);
		agent_say_often(AGENT_SAYS_NONSENSE, "%s sent what is no question of this version", who.text);
		return;
	}
	key = agent_keys_find(&agent->keys, q.key);
	status = q.op == MTLS_OP_PROBE ? probe(agent, key, &q) : sign(agent, key, &q, signature, &n);
	agent_tell(fd, status, signature, n);
	say(agent, &who, &q, status);
}
