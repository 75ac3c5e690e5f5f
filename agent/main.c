/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-agent: holds the key of this machine's certificate and signs TLS handshakes for programs that cannot read it.
 * The order of the start: what is inherited goes, walls up, socket, key, filter. No thread of our own.
 */
#include "agent/clock.h"
#include "agent/ingest.h"
#include "agent/memory.h"
#include "agent/sandbox.h"
#include "agent/say.h"
#include "agent/serve.h"
#include "agent/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_MS 1000 /* somebody may be writing the files */
#define POLL_MS  50

/* Nothing but 0 to 2, which are there, and the socket from systemd. */
static void close_inherited(bool handed)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	closefrom(STDERR_FILENO + 1 + handed);
}

static int catch_signals(void)
{
	sigset_t caught;

	sigemptyset(&caught);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_SETMASK, &caught, NULL);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Where --ingest puts the credential: the folder that is named or in force, else where mtls-cred would make one. */
static const char *ingest_folder(const struct mtls_environment *env)
{
	struct mtls_mark mark;

	mtls_mark_take(env, &mark);
	if (mark.place)
		return mark.place->folder;
	return env->place[env->n_places - (geteuid() == 0 || env->n_places == 1 ? 1 : 2)].folder;
}

static bool ingest(const char *inbox, const struct mtls_environment *env)
{
	const char *folder = ingest_folder(env);

	if (!folder) {
		agent_say("--ingest: the credential's files are named one by one; name a folder with --dir");
		return false;
	}
	/* Refused files are said; the credential that is there serves on. */
	(void)agent_ingest(inbox, folder);
	return true;
}

/*
 * The first key. A wrong PIN is not tried again by this: agent_keys_look only acts on other bytes. Where the socket
 * came from systemd a broken credential is waited for: a restart each time would try the PIN until the token locks.
 */
static bool first_key(struct agent *agent, bool handed)
{
	const struct timespec pause = {0, POLL_MS * 1000000L};
	long long end = agent_now_ms() + RETRY_MS;

	agent->keys.quiet = true;
	agent_keys_look(&agent->keys, false);
	while (agent->keys.state == AGENT_KEYS_BROKEN && agent_now_ms() < end) {
		nanosleep(&pause, NULL);
		agent_keys_look(&agent->keys, false);
	}
	agent->keys.quiet = false;
	if (agent->keys.state != AGENT_KEYS_BROKEN || handed)
		return true;
	agent_say("%s", agent->keys.sentence);
	return false;
}

static int work(struct agent *agent, struct mtls_environment *env, bool handed)
{
	struct agent_socket socket;
	int status = AGENT_FAILED;

	if (agent->options.inbox && !ingest(agent->options.inbox, env))
		return AGENT_FAILED;
	/* Before the key: where another agent is at work, its token is left alone. */
	if (!agent_socket_open(&socket, handed, agent->options.socket, agent->options.users.others))
		return AGENT_FAILED;
	agent_places_start(&agent->places);
	agent_keys_start(&agent->keys, env);
	agent->listener = socket.fd;
	if (first_key(agent, handed)) {
		agent_serve(agent);
		status = 0;
	}
	agent_socket_close(&socket);
	agent_places_end(&agent->places);
	agent_keys_end(&agent->keys);
	agent_say_counts(1);
	return status;
}

int main(int argc, char **argv)
{
	static struct agent agent; /* large */
	struct mtls_environment env;
	int status = agent_options_read(&agent.options, argc, argv), handed;

	if (status >= 0)
		return status;
	handed = agent_socket_handed();
	if (handed < 0)
		return AGENT_FAILED;
	close_inherited(handed == 1);
	umask(077);
	agent_sandbox_begin();
	agent_memory_begin(agent.options.verbose);
	agent.signals = catch_signals();
	mtls_environment_read(&env, environ);
	if (agent.options.dir)
		mtls_environment_folder(&env, agent.options.dir, "--dir");
	free(env.agent); /* is for programs */
	env.agent = NULL;
	if (env.incomplete || agent.signals < 0) {
		agent_say("out of memory or descriptors, or the working folder is gone");
		return AGENT_FAILED;
	}
	status = work(&agent, &env, handed == 1);
	mtls_environment_free(&env);
	return status;
}
