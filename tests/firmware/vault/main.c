/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the vault's suites: all, or those that are named; list prints their names, the slowest first. VAULT_SEED=number
 * repeats a run, VAULT_ALL=1 leaves no cut out.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "suites.h"

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = {
	{"cuts", cuts_suite},       {"parser", parser_suite}, {"damage", damage_suite}, {"encodings", encodings_suite},
	{"uploads", uploads_suite}, {"files", files_suite},   {"parts", parts_suite},
};

unsigned vault_seed;
bool vault_all;

static int wanted(const char *name, int argc, char **argv)
{
	int found = argc < 2;

	for (int i = 1; i < argc; i++)
		found = found || strcmp(argv[i], name) == 0;
	return found;
}

#define N_SUITES (sizeof(suites) / sizeof(*suites))

static int list(void)
{
	for (size_t i = 0; i < N_SUITES; i++)
		puts(suites[i].name);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	SRunner *runner;
	const char *seed = getenv("VAULT_SEED");
	int failed;

	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	runner = srunner_create(NULL);
	vault_seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	vault_all = getenv("VAULT_ALL") != NULL;
	if (!seed)
		printf("VAULT_SEED=%u\n", vault_seed);
	fflush(stdout);
	for (size_t i = 0; i < N_SUITES; i++)
		if (wanted(suites[i].name, argc, argv))
			srunner_add_suite(runner, suites[i].make());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
