/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's suites, one a file. */
#ifndef MTLS_TESTS_VAULT_SUITES_H
#define MTLS_TESTS_VAULT_SUITES_H

#include <check.h>
#include <stdbool.h>

extern unsigned vault_seed; /* of all that is random in a run */
extern bool vault_all;      /* every cut, however long it takes */

Suite *parser_suite(void);
Suite *parts_suite(void);
Suite *encodings_suite(void);
Suite *uploads_suite(void);
Suite *files_suite(void);
Suite *cuts_suite(void);
Suite *damage_suite(void);

#endif
