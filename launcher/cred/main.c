/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred: makes and examines the credential that mtls-run presents. The
 * table of verbs, the options before the verb, and the help; what a verb does is in its own file.
 */
#include "launcher/cred/cred.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* All of the help fits 24 lines of 80 (tests/e2e/26-manners.sh), and names every option that a completion offers. */
static const struct verb {
	const char *name;
	int (*run)(struct cred *, int argc, char **argv);
	const char *help; /* lines, the first behind the name */
} verbs[] = {
	{"new", cred_new,
	 "make a key and a self-signed certificate\n"
	 "            --cn NAME (this host's), --days N (365), --self-signed or --csr,\n"
	 "            --type ec|rsa|ed25519, --key-uri URI, --force: replace what is there\n"},
	{"import", cred_import,
	 "FILE...: take certificate and key from PFX, P12 or PEM\n"
	 "            --pass-file F, --force\n"},
	{"show", cred_show,
	 "whose it is, until when, thumbprints, chain; exit as check\n"
	 "            --json, --prometheus\n"},
	{"check", cred_check, "is it usable? exit 0 yes, 1 with warnings, 2 broken, 3 none\n"},
	{"remove", cred_remove, "empty the files, then overwrite the old key\n"},
	{"probe", cred_probe,
	 "HOST[:PORT]: does the server ask, whom does it accept, and us?\n"
	 "            --starttls smtp|imap|postgres\n"},
	{"path", cred_path, "which folder is in force, and why\n"},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void cred_help(void)
{
	fputs("usage: mtls-cred [-d DIR] VERB [OPTION...]\n"
	      "Makes and examines the one client certificate of this machine.\n"
	      "\n",
	      stdout);
	for (size_t i = 0; i < COUNT(verbs); i++)
		printf("  %-7s %s", verbs[i].name, verbs[i].help);
	fputs("\n"
	      "  -d, --dir DIR   the folder, before or after the verb; without it the one in\n"
	      "                  force, else /etc/mtls for root, ~/.config/mtls for others\n"
	      "  --help, --version\n"
	      "\n"
	      "examples:\n"
	      "  mtls-cred new --cn device-17           # register the thumbprint it prints\n"
	      "  mtls-cred check && mtls-run curl https://server.example/\n"
	      "  mtls-cred show --json -d ./credential\n",
	      stdout);
}

static int run_verb(struct cred *cred, int argc, char **argv)
{
	for (size_t i = 0; i < COUNT(verbs); i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		cred->verb = verbs[i].name;
		optind = 0; /* getopt starts anew, now behind the verb */
		return verbs[i].run(cred, argc, argv);
	}
	return cred_fail(cred, CRED_USAGE, "%s: unknown verb; see mtls-cred --help", argv[0]);
}

static int run(struct cred *cred, int argc, char **argv)
{
	static const struct option options[] = {
		{"version", no_argument, NULL, 'V'}, CRED_COMMON_OPTIONS, {NULL, 0, NULL, 0}};
	int option, status = CRED_GO_ON;

	opterr = 0;
	while (status == CRED_GO_ON && (option = getopt_long(argc, argv, CRED_SHORT, options, NULL)) != -1) {
		if (option == 'V') {
			puts("mtls-cred " MTLS_VERSION);
			return CRED_DONE;
		}
		status = cred_common_option(cred, option, argv);
	}
	if (status != CRED_GO_ON)
		return status;
	if (optind >= argc)
		return cred_fail(cred, CRED_USAGE, "what to do? See mtls-cred --help");
	return run_verb(cred, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	struct cred cred = {.failed = CRED_FAILED, .argv = argv};
	int status;

	signal(SIGXFSZ, SIG_IGN); /* write(2) says it, and the temporary file goes */
	status = run(&cred, argc, argv);
	mtls_environment_free(&cred.env);
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return cred_fail(&cred, cred.failed, "standard output: %s", strerror(errno));
	return status;
}
