/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long programs take from start to end: startup TURNS {-- NAME PRELOAD PROGRAM [ARG...]}...
 * In each turn every variant runs once, one after the other, with LD_PRELOAD=PRELOAD (unless it is empty) beside the
 * given environment. Prints NAME, the medians of wall and of CPU time in microseconds, and their ratios to the first
 * variant, separated by tabs. A program that fails, or writes to standard output, ends the measurement with 1.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define VARIANTS_MAX 16

extern char **environ;

struct variant {
	const char *name;
	char **argv, **environment;
	double *wall, *cpu; /* us, one for each turn */
};

static char **environment_with(const char *preload)
{
	size_t n = 0, size = strlen(preload) + sizeof("LD_PRELOAD=");
	char **copy, *variable;

	while (environ[n])
		n++;
	copy = calloc(n + 2, sizeof(*copy));
	variable = malloc(size);
	if (!copy || !variable)
		exit(1);
	n = 0;
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
			copy[n++] = *e;
	snprintf(variable, size, "LD_PRELOAD=%s", preload);
	if (*preload)
		copy[n] = variable;
	return copy;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double us_of(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static int run(struct variant *v, int turn, const posix_spawn_file_actions_t *actions)
{
	struct rusage used;
	double start = now_us();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, v->argv[0], actions, NULL, v->argv, v->environment) != 0 ||
	    wait4(pid, &status, 0, &used) != pid || status != 0) {
		fprintf(stderr, "startup: %s: %s failed\n", v->name, v->argv[0]);
		return -1;
	}
	v->wall[turn] = now_us() - start;
	v->cpu[turn] = us_of(used.ru_utime) + us_of(used.ru_stime);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return values[n / 2];
}

static int read_variants(char **argv, int turns, struct variant *variants)
{
	int n = 0;

	while (*argv && n < VARIANTS_MAX) {
		struct variant *v = &variants[n++];

		*argv++ = NULL; /* the "--" ends the arguments before it */
		if (!argv[0] || !argv[1] || !argv[2])
			return 0;
		v->name = argv[0];
		v->environment = environment_with(argv[1]);
		v->argv = argv + 2;
		v->wall = calloc((size_t)turns, sizeof(double));
		v->cpu = calloc((size_t)turns, sizeof(double));
		if (!v->wall || !v->cpu)
			return 0;
		while (*argv && strcmp(*argv, "--") != 0)
			argv++;
	}
	return *argv ? 0 : n;
}

int main(int argc, char **argv)
{
	struct variant variants[VARIANTS_MAX];
	int turns = argc > 2 ? atoi(argv[1]) : 0, n = turns > 0 ? read_variants(argv + 2, turns, variants) : 0;
	posix_spawn_file_actions_t actions;
	double wall = 0, cpu = 0;

	if (n == 0) {
		fputs("usage: startup TURNS {-- NAME PRELOAD PROGRAM [ARG...]}...\n", stderr);
		return 64;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	for (int turn = 0; turn < turns; turn++)
		for (int i = 0; i < n; i++)
			if (run(&variants[(turn + i) % n], turn, &actions) != 0)
				return 1;
	for (int i = 0; i < n; i++) {
		double w = median(variants[i].wall, turns), c = median(variants[i].cpu, turns);

		wall = i == 0 ? w : wall;
		cpu = i == 0 ? c : cpu;
		printf("%s\t%.0f\t%.3f\t%.0f\t%.3f\n", variants[i].name, w, w / wall, c, c / cpu);
	}
	return 0;
}
