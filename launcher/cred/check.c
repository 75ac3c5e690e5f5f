/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred check: the state of the credential in force, as lines that mtls-run
 * relays to the user and as an exit status. What may be wrong with a usable one is in warnings.c.
 */
#include "launcher/cred/cred.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int say_why(const struct cred *cred, const struct cred_credential *credential, int status)
{
	char *line = cred_why(cred, credential);

	if (line)
		cred_say(stdout, "%s", line);
	free(line);
	return status;
}

static void say_agent(const struct cred *cred, const struct cred_credential *credential)
{
	char *text = NULL;

	if (cred->env.agent && credential->agent == MTLS_AGENT_READY)
		text = cred_agent_ready(cred->env.agent, credential);
	if (text)
		cred_say(stdout, "agent: %s", text);
	free(text);
}

static int say_usable(const struct cred *cred, const struct cred_credential *credential)
{
	const struct mtls_place *place = credential->reading.mark.place;

	cred_say(stdout, "usable: %s: subject %s, sha256 %s", place->folder ? place->folder : place->file[MTLS_CERT],
		 credential->identity->subject, credential->identity->sha256);
	say_agent(cred, credential);
	return cred_warn(stdout, credential, cred->env.agent) ? CRED_WARNINGS : CRED_DONE;
}

static int say_state(const struct cred *cred, const struct cred_credential *credential)
{
	const struct mtls_error *setting = &credential->reading.policy.error;

	if (setting->reason != MTLS_USABLE) {
		cred_explain(stdout, &credential->reading, setting);
		return CRED_FAILED;
	}
	switch (mtls_reason_state(credential->reason)) {
	case MTLS_STATE_USABLE:
		return say_usable(cred, credential);
	case MTLS_STATE_ABSENT:
	case MTLS_STATE_REMOVED:
		return say_why(cred, credential, CRED_ABSENT);
	default:
		return say_why(cred, credential, CRED_FAILED);
	}
}

int cred_check(struct cred *cred, int argc, char **argv)
{
	struct cred_credential credential;
	int status = cred_begin_plain(cred, argc, argv);

	if (status != CRED_GO_ON)
		return status;
	if (!cred_open(cred, &credential))
		return cred_fail(cred, CRED_FAILED, "the credential cannot be read now: %s", strerror(errno));
	status = say_state(cred, &credential);
	cred_close(&credential);
	return status;
}
