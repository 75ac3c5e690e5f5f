/* SPDX-License-Identifier: Apache-2.0 */
/* mtls-agent's lines on standard error, for systemd's journal or a person. Never a secret. */
#ifndef MTLS_AGENT_SAY_H
#define MTLS_AGENT_SAY_H

/* One line "mtls-agent: …", one write(2); bytes that are not printable ASCII become '?'. Keeps errno. */
void agent_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
