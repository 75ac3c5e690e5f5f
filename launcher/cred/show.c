/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred show: all that others may know of the credential in force, for people, as JSON or for Prometheus.
 * Exits as mtls-cred check, which judges the same and says less. Never key material.
 */
#include "launcher/cred/facts.h"

#include <errno.h>
#include <string.h>

typedef bool notation(const struct cred_facts *);

static int take_options(struct cred *cred, notation **show, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'},
						{"prometheus", no_argument, NULL, 'p'},
						CRED_COMMON_OPTIONS,
						{NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;

	*show = NULL;
	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, CRED_SHORT, options, NULL)) != -1) {
		notation *wanted = option == 'j' ? cred_show_json : option == 'p' ? cred_show_prometheus : NULL;

		if (!wanted)
			status = cred_common_option(cred, option, argv);
		else if (*show && *show != wanted)
			status = cred_fail(cred, CRED_USAGE, "--json and --prometheus: one of them");
		else
			*show = wanted;
	}
	if (!*show)
		*show = cred_show_text;
	return status == CRED_GO_ON ? cred_begin(cred, argc, argv) : status;
}

int cred_show(struct cred *cred, int argc, char **argv)
{
	struct cred_credential credential;
	struct cred_facts facts;
	notation *show;
	int status = take_options(cred, &show, argc, argv);

	if (status != CRED_GO_ON)
		return status;
	if (!cred_open(cred, &credential))
		return cred_fail(cred, CRED_FAILED, "the credential cannot be read now: %s", strerror(errno));
	if (cred_facts_gather(&facts, cred, &credential) && show(&facts))
		status = facts.status;
	else
		status = cred_fail(cred, CRED_FAILED, "out of memory");
	cred_facts_free(&facts);
	cred_close(&credential);
	return status;
}
