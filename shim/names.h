/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names the program looked up for an address. For programs that do not tell
 * TLS the name. Bounded; what was lost is answered as unknown, the stricter answer.
 */
#ifndef MTLS_SHIM_NAMES_H
#define MTLS_SHIM_NAMES_H

#include "core/address.h"

#define NAMES_MAX 8 /* names that one address may have */

/* name is copied; an address in figures is no name and is passed over. Any thread; not from a signal handler. Keeps
 * errno. */
void names_add(const struct mtls_addr *, const char *name);

/*
 * The names of this address (its port does not matter); returns how many. 0: none, or not all of them are known.
 * The strings live as long as the process. Keeps errno.
 */
size_t names_of(const struct mtls_addr *, const char *out[NAMES_MAX]);

#endif
