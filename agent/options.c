/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-agent's options and its help. */
#include "agent/options.h"

#include "agent/say.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static int help(void)
{
	fputs("usage: mtls-agent [OPTION...]\n"
	      "Holds the key of this machine's certificate, signs TLS handshakes for programs\n"
	      "that cannot read it (mtls-run --agent). Stays in the foreground.\n"
	      "\n"
	      "  -d, --dir DIR     the credential's folder; without it the one in force\n"
	      "  --socket PATH     default: $XDG_RUNTIME_DIR/mtls/agent.sock, for root\n"
	      "                    /run/mtls/agent.sock; one from systemd comes before both\n"
	      "  --allow USER      serve this user too (name or number; repeatable)\n"
	      "  --ingest INBOX    first move the credential from this folder into DIR, and\n"
	      "                    erase it there\n"
	      "  --no-digest       sign whole TLS messages only; not for GnuTLS programs\n"
	      "  -v, --verbose     a line for each signature\n"
	      "  --help, --version\n"
	      "\n"
	      "SIGHUP: read the folder again. SIGTERM: end.\n"
	      "\n"
	      "examples:\n"
	      "  mtls-agent -d /etc/mtls --allow www-data\n"
	      "  mtls-run --agent curl https://server.example/\n",
	      stdout);
	return fflush(stdout) == 0 ? 0 : AGENT_FAILED;
}

static int usage(const char *option, const char *what)
{
	agent_say("%s: %s; see mtls-agent --help", option, what);
	return AGENT_FAILED;
}

/* In a cluster of short options getopt is still at it, and only optopt tells which it is. */
static int unknown(const char *at)
{
	char name[] = {'-', (char)optopt, '\0'};

	return usage(strncmp(at, "--", 2) == 0 ? at : name, "unknown option");
}

static int take(struct agent_options *o, int option, char **argv)
{
	switch (option) {
	case 'd':
		o->dir = optarg;
		break;
	case 's':
		o->socket = optarg;
		break;
	case 'i':
		o->inbox = optarg;
		break;
	case 'a':
		return agent_users_allow(&o->users, optarg) ? -1 : AGENT_FAILED;
	case 'n':
		o->no_digest = true;
		return -1;
	case 'v':
		o->verbose = true;
		return -1;
	case 'h':
		return help();
	case 'V':
		return puts("mtls-agent " MTLS_VERSION) >= 0 && fflush(stdout) == 0 ? 0 : AGENT_FAILED;
	case ':':
		return usage(argv[optind - 1], "a value is missing");
	default:
		return unknown(argv[optind - 1]);
	}
	return *optarg ? -1 : usage(argv[optind - 1][0] ? argv[optind - 1] : argv[optind - 2], "no name is given");
}

int agent_options_read(struct agent_options *o, int argc, char **argv)
{
	static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
						{"socket", required_argument, NULL, 's'},
						{"allow", required_argument, NULL, 'a'},
						{"ingest", required_argument, NULL, 'i'},
						{"no-digest", no_argument, NULL, 'n'},
						{"verbose", no_argument, NULL, 'v'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	int option, status = -1;

	memset(o, 0, sizeof(*o));
	agent_users_start(&o->users);
	opterr = 0;
	while (status < 0 && (option = getopt_long(argc, argv, "+:d:v", options, NULL)) != -1)
		status = take(o, option, argv);
	if (status < 0 && optind < argc)
		status = usage(argv[optind], "one argument too many");
	return status;
}
