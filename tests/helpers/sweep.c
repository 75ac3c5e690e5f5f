/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep OPTION... -- COMMAND...: runs a client once for each place of a fault, each time with a deadline, and says what
 * came of it: at the server, in the client's own output, in its exit status.
 *
 *   -l FILE      the log of mtls-server, to which nobody else connects meanwhile
 *   -s NAMES     subjects that may be presented, commas between them
 *   -p FILES     LD_PRELOAD for the client
 *   -b BASE      BASE.out, BASE.err, BASE.rc: what the client says and how it ends without the shim (-B: writes them)
 *   -f FAULT     CLASS:HOW, as faults.so wants it; -n FIRST:LAST:STEP where, a + behind it: all from there on
 *   -c FILE      the counts of faults.so
 *   -R           a session that is resumed must be of the subject that the connection before had
 *   -m           the place is a number of kB: where the program fails without the shim, and with 64 of them less, that
 *                is its own affair
 *   -k           only counts: prints "CLASS NUMBER" for each class of faults.so
 *   -t SECONDS   the deadline (20)
 *
 * A %N in the command stands for the place. Prints the kinds and how often each came, "presented 41, none 7", and on
 * standard error a line for each that is one of the last five:
 *
 *   presented    each connection had the whole certificate, and the client's output and end are as without the shim
 *   none         no connection had one, and the same
 *   some         of several connections some had it
 *   unreached    the client did not make that call this time
 *   own          with -m: the program ran out of memory itself, as it does without the shim
 *   frail        GMP or libtasn1, below GnuTLS, ended the process because it had no memory
 *   crash, hang  it ended by a signal, or did not end
 *   wrong        the server saw something else: a failed handshake, half a chain, another subject, a resumed session
 *   other        the client's output or exit status differs
 *   fewer        it made fewer connections
 */
#include "tests/helpers/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const kind_name[KINDS] = {"presented", "none", "some",  "unreached", "own",  "frail",
					     "crash",     "hang", "wrong", "other",     "fewer"};

struct options o = {.subjects = "", .first = 1, .last = 1, .step = 1, .deadline = 20};

void die(const char *what)
{
	fprintf(stderr, "sweep: %s: %s\n", what, strerror(errno));
	exit(2);
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- what it said ------------------------------------------------------------------- */

/* What the server said of the subject is not the client's: it is cut off, and so is what changes with each run. */
static void level(struct text *text)
{
	static const char word[] = "subject: ";
	char *from = text->at;

	while ((from = strstr(from, word)) != NULL) {
		char *end = strchr(from += sizeof(word) - 1, '\n');

		memmove(from, end ? end : text->at + text->n, strlen(end ? end : "") + 1);
	}
	text->n = strlen(text->at);
}

static void file_name(char *name, size_t size, const char *suffix)
{
	snprintf(name, size, "%s.%s", o.base, suffix);
}

static void load(struct text *text, const char *suffix)
{
	char name[4096];
	int fd;

	file_name(name, sizeof(name), suffix);
	fd = open(name, O_RDONLY);
	if (fd < 0)
		die(name);
	text->n = 0;
	while (take(text, fd))
		;
	close(fd);
}

static void save(const char *text, const char *suffix)
{
	char name[4096];
	FILE *file;

	file_name(name, sizeof(name), suffix);
	file = fopen(name, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		die(name);
}

/* --- all of it -------------------------------------------------------------------------- */

static enum kind judge(struct run *run, const struct run *without, const struct text *seen, unsigned wanted)
{
	struct fault_counts counts = counted();
	enum kind kind = seen_kind(seen);

	if (run->hangs)
		return HANG;
	if (WIFSIGNALED(run->status) && (counts.in_frail || strstr(run->err.at, "GNU MP: Cannot allocate memory")))
		return FRAIL_END;
	if (WIFSIGNALED(run->status) && run->status != without->status)
		return CRASH;
	if (kind == WRONG)
		return WRONG;
	level(&run->out);
	if (run->status != without->status || strcmp(run->out.at, without->out.at) != 0 ||
	    strcmp(run->err.at, without->err.at) != 0)
		return OTHER;
	if (seen_lines(seen) != wanted)
		return FEWER;
	return o.fault && !counts.came ? UNREACHED : kind == KINDS ? NONE : kind;
}

static void in_one_line(struct text *text)
{
	for (char *c = text->at; *c; c++)
		if (*c == '\n')
			*c = '|';
}

static void complain(unsigned long n, enum kind kind, struct run *run, struct text *seen)
{
	in_one_line(&run->err);
	in_one_line(&run->out);
	in_one_line(seen);
	fprintf(stderr, "%s at %lu: %s (status %#x) out \"%.200s\" err \"%.400s\" seen \"%.400s\"\n",
		o.fault ? o.fault : "-", n, kind_name[kind], (unsigned)run->status, run->out.at, run->err.at, seen->at);
}

static void record(void)
{
	static struct run run;
	static struct text seen;
	char number[64];

	run_client(&run, 0);
	if (run.hangs)
		die("hangs without the shim");
	level(&run.out);
	seen_wait();
	seen_read(&seen, 0);
	save(run.out.at, "out");
	save(run.err.at, "err");
	snprintf(number, sizeof(number), "%d %u\n", run.status, seen_lines(&seen));
	save(number, "rc");
}

#define OF_THE_SHIM 64 /* kB that it may take */

/* The line that the server writes of it is passed over. */
static bool fails_alone(unsigned long n)
{
	static struct run run;
	const char *preload = o.preload;

	o.preload = NULL;
	run_client(&run, n > OF_THE_SHIM ? n - OF_THE_SHIM : 0);
	o.preload = preload;
	seen_wait();
	seen_begin();
	return run.status != 0;
}

static void count(void)
{
	static const char *const name[CLASSES] = FAULTS_NAMES;
	static struct run run;
	struct fault_counts counts;

	run_client(&run, 0);
	counts = counted();
	for (int i = 0; i < CLASSES; i++)
		printf("%s %u\n", name[i], (unsigned)counts.calls[i]);
}

static void sweep(void)
{
	static struct run run, without;
	static struct text seen, rc;
	unsigned tally[KINDS] = {0}, wanted;
	const char *comma = "";

	load(&without.out, "out");
	load(&without.err, "err");
	load(&rc, "rc");
	if (sscanf(rc.at, "%d %u", &without.status, &wanted) != 2)
		die("rc");
	for (unsigned long n = o.first; n <= o.last; n += o.step) {
		enum kind kind;

		run_client(&run, n);
		seen_read(&seen, wanted);
		kind = judge(&run, &without, &seen, wanted);
		if (o.memory && kind >= FRAIL_END && fails_alone(n))
			kind = OWN;
		tally[kind]++;
		if (kind >= CRASH)
			complain(n, kind, &run, &seen);
	}
	for (int i = 0; i < KINDS; i++)
		if (tally[i]) {
			printf("%s%u %s", comma, tally[i], kind_name[i]);
			comma = ", ";
		}
	puts("");
}

static bool set_option(int letter)
{
	char further = 0;

	switch (letter) {
	case 'l':
		o.log = optarg;
		break;
	case 's':
		o.subjects = optarg;
		break;
	case 'p':
		o.preload = optarg;
		break;
	case 'b':
		o.base = optarg;
		break;
	case 'B':
		o.record = true;
		break;
	case 'f':
		o.fault = optarg;
		break;
	case 'n':
		if (sscanf(optarg, "%lu:%lu:%lu%c", &o.first, &o.last, &o.step, &further) < 3 || !o.step)
			return false;
		o.further = further == '+';
		break;
	case 'c':
		o.counts = optarg;
		break;
	case 'R':
		o.same_subject = true;
		break;
	case 'm':
		o.memory = true;
		break;
	case 'k':
		o.count = true;
		break;
	case 't':
		o.deadline = atoi(optarg);
		break;
	default:
		return false;
	}
	return true;
}

int main(int argc, char *argv[])
{
	int letter;

	while ((letter = getopt(argc, argv, "+l:s:p:b:Bf:n:c:Rmkt:")) != -1)
		if (!set_option(letter))
			return 64;
	o.command = argv + optind;
	if (!o.log || !o.base || !*o.command)
		return 64;
	seen_begin();
	if (o.record)
		record();
	else if (o.count)
		count();
	else
		sweep();
	return 0;
}
