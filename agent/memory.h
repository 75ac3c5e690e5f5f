/* SPDX-License-Identifier: Apache-2.0 */
/* What memory of a key is: locked, and wiped when it is given back. */
#ifndef MTLS_AGENT_MEMORY_H
#define MTLS_AGENT_MEMORY_H

#include <stdbool.h>

/* Before libcrypto's first allocation. verbose: says what is locked. */
void agent_memory_begin(bool verbose);

#endif
