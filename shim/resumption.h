/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLS session rests on (contract, section 1): a server that resumes one does not ask again, so a session whose
 * server has asked carries the identity of then along, and is offered only while that is the identity of now. The
 * adapters keep the value with the session and ask before it is offered. It fits a pointer.
 */
#ifndef MTLS_SHIM_RESUMPTION_H
#define MTLS_SHIM_RESUMPTION_H

#include "shim/generation.h"

#include <stdint.h>

typedef uintptr_t resumption;

#define RESUMPTION_NOT_ASKED ((resumption)0) /* made by this process, and its server has not asked */
#define RESUMPTION_UNKNOWN   ((resumption)1) /* restored from what another process has written, or two decisions */
#define RESUMPTION_OWN       ((resumption)2) /* the program's own certificate: the program's affair */

/* After a request that was decided so, with this credential, on which the session rested until then. */
resumption resumption_after(resumption before, const struct credential *, enum mtls_reason decision);
/* The same for a request that the program answered itself. */
resumption resumption_after_own(resumption before);

/*
 * May it be offered? own: the program has put a certificate of its own on the connection since. A few stat calls where
 * the server had asked. May wait and log as generation_acquire does. Keeps errno.
 */
bool resumption_allowed(const struct generation_parser *, resumption, bool own);

#endif
