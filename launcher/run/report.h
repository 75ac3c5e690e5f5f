/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of --explain on standard output: one fact each, in columns, first
 * its kind. And those that are the same for every program: the credential and the settings.
 */
#ifndef MTLS_LAUNCHER_RUN_REPORT_H
#define MTLS_LAUNCHER_RUN_REPORT_H

#include "launcher/run/options.h"

/* kind; name and state where they are not NULL; the rest. Control bytes become '?'. */
void report_line(const char *kind, const char *name, const char *state, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The end. false: standard output did not take it all, which has been said. */
bool report_end(void);

/* State, place, reason; then each setting and where it comes from. cred: path of mtls-cred. */
void report_machine(const struct options *, const char *cred);

#endif
