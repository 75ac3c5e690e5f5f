/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mtls-run tells a person: "mtls-run: …", one line, one write, on standard
 * error; and text made to measure. The program to be run is not there yet, so
 * unlike in the shim running out of memory may end the process (125).
 */
#ifndef MTLS_LAUNCHER_RUN_SAY_H
#define MTLS_LAUNCHER_RUN_SAY_H

/* Exit status where mtls-run itself failed, as env(1) has it. */
#define RUN_FAILED    125
#define RUN_NO_EXEC   126 /* found but cannot be run */
#define RUN_NOT_FOUND 127

/* Control bytes become '?', so that no file name makes a second line. errno is kept; a closed or broken standard error
 * does no harm. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As asprintf(3), but never NULL. The caller frees. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
