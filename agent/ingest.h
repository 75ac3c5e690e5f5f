/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's twin of a device's first boot: moves the credential's files out of an inbox into the agent's folder, and
 * erases the originals. See mtls-agent(8).
 */
#ifndef MTLS_AGENT_INGEST_H
#define MTLS_AGENT_INGEST_H

#include <stdbool.h>

/*
 * What lies in inbox becomes folder's credential, or folder's stays as it is. At any moment, also of a kill, the
 * credential is whole in one of them, or in both; the next call finishes what one has begun. true: done, or there was
 * nothing to do. false: refused or failed; why has been said, a line for each file at fault.
 */
bool agent_ingest(const char *inbox, const char *folder);

#endif
