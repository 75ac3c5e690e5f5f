/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line to environment; see options.h. Of an option given twice the last
 * one counts, but for the lists; -v and -q are one setting, so the last one counts there too.
 */
#include "launcher/run/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/run/say.h"

#ifndef MTLS_VERSION
#define MTLS_VERSION "unknown"
#endif

/* getopt's values after those of OPTION_*, clear of all letters. */
enum { VALUE = 256, STRICT = VALUE + OPTION_VALUES, DISABLE, AUDIT, EXPLAIN, HELP, VERSION };

static const char letters[] = "+:d:c:k:vq"; /* "+": the program's own options are left to it */

static const struct option names[] = {
	{"dir", required_argument, NULL, VALUE + OPTION_DIR},
	{"cert", required_argument, NULL, VALUE + OPTION_CERT},
	{"key", required_argument, NULL, VALUE + OPTION_KEY},
	{"pass-file", required_argument, NULL, VALUE + OPTION_PASS},
	{"host", required_argument, NULL, VALUE + OPTION_HOST},
	{"issuer", required_argument, NULL, VALUE + OPTION_ISSUER},
	{"only-if", required_argument, NULL, VALUE + OPTION_ONLY_IF},
	{"log", required_argument, NULL, VALUE + OPTION_LOG},
	{"agent", optional_argument, NULL, VALUE + OPTION_AGENT},
	{"audit", no_argument, NULL, AUDIT},
	{"disable", no_argument, NULL, DISABLE},
	{"explain", no_argument, NULL, EXPLAIN},
	{"help", no_argument, NULL, HELP},
	{"strict", no_argument, NULL, STRICT},
	{"version", no_argument, NULL, VERSION},
	{NULL, 0, NULL, 0},
};

static const char *const variables[OPTION_VALUES] = {
	[OPTION_DIR] = "MTLS_DIR",         [OPTION_CERT] = "MTLS_CERT",
	[OPTION_KEY] = "MTLS_KEY",         [OPTION_PASS] = "MTLS_KEY_PASS_FILE",
	[OPTION_HOST] = "MTLS_HOSTS",      [OPTION_ISSUER] = "MTLS_ISSUER",
	[OPTION_ONLY_IF] = "MTLS_ONLY_IF", [OPTION_LOG] = "MTLS_LOG_FILE",
	[OPTION_AGENT] = "MTLS_AGENT",
};

static const char help[] = "Usage: mtls-run [OPTION...] [--] PROGRAM [ARG...]\n"
			   "Runs PROGRAM so that it presents this machine's certificate to servers that ask.\n"
			   "\n"
			   "  -d, --dir DIR         folder with client_cert.pem and private_key.pem\n"
			   "  -c, --cert FILE       the certificate; of its key then only these two count:\n"
			   "  -k, --key FILE        its key, if not in the same file\n"
			   "      --pass-file FILE  the key's passphrase, on the first line\n"
			   "      --host PATTERN    only to these servers (again for more): host, *.domain,\n"
			   "                        address, network, each with !before or :port behind\n"
			   "      --issuer match    only to servers that name an issuer of the certificate\n"
			   "      --only-if WORD    only to servers that are verified, or with tls1.3\n"
			   "      --agent[=SOCKET]  mtls-agent has the key, at this socket or the usual one\n"
			   "      --log FILE        append log lines to FILE; -v: all decisions; -q: none\n"
			   "      --strict          refuse what mtls-run cannot reach, else it only warns\n"
			   "      --audit           also reach what is loaded with RTLD_DEEPBIND\n"
			   "      --disable         run PROGRAM as if mtls-run were not there\n"
			   "      --explain         run nothing; tell what is reached: 0 all, 1 some, 2 none\n"
			   "      --help, --version\n"
			   "\n"
			   "  mtls-run curl https://device.example/\n"
			   "  mtls-run --host '*.example.com' --only-if verified -- python3 client.py\n"
			   "  mtls-run -d ./test-credential -v openssl s_client -connect localhost:8443\n"
			   "\n"
			   "Exit: PROGRAM's own; 125 mtls-run failed; 126 cannot be run; 127 not found.\n";

static bool fail(const char *why)
{
	say("%s", why);
	return false;
}

static bool take_value(struct options *o, int which, const char *value)
{
	char *before = o->value[which];
	bool list = which == OPTION_HOST || which == OPTION_ONLY_IF;

	if (!*value) {
		say("an option for %s is empty; leave it out or give it a value", variables[which]);
		return false;
	}
	o->value[which] = list && before ? text("%s,%s", before, value) : text("%s", value);
	free(before);
	return true;
}

/* Where mtls-agent listens unless it is told another place. */
static bool find_agent(struct options *o)
{
	static const char system[] = "/run/mtls/agent.sock";
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *own = runtime && *runtime == '/' ? text("%s/mtls/agent.sock", runtime) : NULL;
	bool found;

	if (own && access(own, F_OK) == 0)
		found = take_value(o, OPTION_AGENT, own);
	else if (access(system, F_OK) == 0)
		found = take_value(o, OPTION_AGENT, system);
	else {
		say("--agent: there is no agent's socket at %s%s%s; start mtls-agent, or say --agent=PATH",
		    own ? own : "", own ? " or " : "", system);
		found = false;
	}
	free(own);
	return found;
}

/* The option that getopt could not take. */
static bool refuse(int what, char *const argv[])
{
	const char *word = argv[optind - 1];
	char letter[] = {'-', (char)optopt, '\0'};

	if (word[0] != '-' || word[1] != '-')
		word = letter;
	say("%s %s; see: mtls-run --help", word, what == ':' ? "needs a value" : "is not an option of mtls-run");
	return false;
}

static bool take(struct options *o, int what, char *const argv[])
{
	switch (what) {
	case 'd':
		return take_value(o, OPTION_DIR, optarg);
	case 'c':
		return take_value(o, OPTION_CERT, optarg);
	case 'k':
		return take_value(o, OPTION_KEY, optarg);
	case 'v':
		o->level = o->level && strcmp(o->level, "off") != 0 ? "debug" : "info";
		return true;
	case 'q':
		o->level = "off";
		return true;
	case STRICT:
		o->strict = true;
		return true;
	case DISABLE:
		o->disable = true;
		return true;
	case AUDIT:
		o->audit = true;
		return true;
	case EXPLAIN:
		o->explain = true;
		return true;
	case '?':
	case ':':
		return refuse(what, argv);
	case VALUE + OPTION_AGENT:
		return optarg ? take_value(o, OPTION_AGENT, optarg) : find_agent(o);
	default:
		return take_value(o, what - VALUE, optarg);
	}
}

static bool consistent(const struct options *o)
{
	const char *cert = getenv("MTLS_CERT");
	bool files = o->value[OPTION_CERT] || o->value[OPTION_KEY] || o->value[OPTION_PASS];

	if (o->value[OPTION_DIR] && files)
		return fail("--dir names the whole credential; it does not go with --cert, --key or --pass-file");
	if (files && !o->value[OPTION_CERT] && !(cert && *cert))
		return fail("--key and --pass-file need --cert, the certificate that they belong to");
	if (!o->program[0])
		return fail(
			"no program given; usage: mtls-run [OPTION...] [--] PROGRAM [ARG...], see: mtls-run --help");
	return true;
}

static enum options_result print(const char *s)
{
	if (fputs(s, stdout) == EOF || fflush(stdout) != 0) {
		say("cannot write to standard output: %s", strerror(errno));
		return OPTIONS_WRONG;
	}
	return OPTIONS_DONE;
}

enum options_result options_read(int argc, char **argv, struct options *out)
{
	int what;

	memset(out, 0, sizeof(*out));
	if (argc < 1)
		return fail("started without a name"), OPTIONS_WRONG;
	while ((what = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		if (what == HELP)
			return print(help);
		if (what == VERSION)
			return print("mtls-run " MTLS_VERSION "\n");
		if (!take(out, what, argv))
			return OPTIONS_WRONG;
	}
	out->program = argv + optind;
	return consistent(out) ? OPTIONS_RUN : OPTIONS_WRONG;
}

static void set(const char *variable, const char *value)
{
	if (setenv(variable, value, 1) != 0) {
		say("out of memory");
		exit(RUN_FAILED);
	}
}

static bool make_absolute(const char *variable)
{
	const char *value = getenv(variable);
	char *here, *path;

	if (!value || !*value || *value == '/')
		return true;
	here = getcwd(NULL, 0);
	if (!here) {
		say("%s=%s: the current folder cannot be told (%s); give an absolute path", variable, value,
		    strerror(errno));
		return false;
	}
	path = text("%s%s%s", here, here[1] ? "/" : "", value);
	set(variable, path);
	free(path);
	free(here);
	return true;
}

bool options_apply(const struct options *o)
{
	static const char *const paths[] = {"MTLS_DIR",           "MTLS_CERT",     "MTLS_KEY",
					    "MTLS_KEY_PASS_FILE", "MTLS_LOG_FILE", "MTLS_AGENT"};
	bool ok = true;

	if (o->value[OPTION_DIR])
		unsetenv("MTLS_CERT");
	if (o->value[OPTION_CERT])
		unsetenv("MTLS_DIR");
	if (o->value[OPTION_DIR] || o->value[OPTION_CERT]) {
		unsetenv("MTLS_KEY"); /* they belonged to another certificate */
		unsetenv("MTLS_KEY_PASS_FILE");
	}
	for (int i = 0; i < OPTION_VALUES; i++)
		if (o->value[i])
			set(variables[i], o->value[i]);
	if (o->level)
		set("MTLS_LOG", o->level);
	if (o->disable)
		set("MTLS_DISABLE", "1");
	for (size_t i = 0; ok && i < sizeof(paths) / sizeof(paths[0]); i++)
		ok = make_absolute(paths[i]);
	return ok;
}

void options_free(struct options *o)
{
	for (int i = 0; i < OPTION_VALUES; i++)
		free(o->value[i]);
	memset(o, 0, sizeof(*o));
}
