/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pre-flight: settings and credential as the program's shim will find them,
 * so that a mistake is told once and at once instead of by a failed connection.
 */
#ifndef MTLS_LAUNCHER_RUN_CREDENTIAL_H
#define MTLS_LAUNCHER_RUN_CREDENTIAL_H

#include "host/reading.h"

/*
 * Judges our own environment. false: a bad setting, or broken for a whole second, which has been said: 125.
 * Else *log is how much the user wants to read, and what there was to warn of has been said.
 * cred: path of mtls-cred.
 */
bool credential_check(const char *cred, enum mtls_log *log);

/* For a person: one line about e. The caller frees. */
char *credential_sentence(const struct mtls_reading *, const struct mtls_error *e);
/* The places looked at: up to the one in force, all where there is none. The caller frees. */
char *credential_places(const struct mtls_environment *, const struct mtls_reading *);

#endif
