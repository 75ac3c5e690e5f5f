/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the thread's libcrypto error queue for the program: what is raised between
 * the two calls is gone after the second. They nest.
 */
#ifndef MTLS_HOST_ERRORS_H
#define MTLS_HOST_ERRORS_H

#include "host/crypto.h"

/*
 * On an empty queue the mark is refused, and ERR_pop_to_mark then empties it: right as well. In 1.1.1 a mark is a flag,
 * not a count: a set and pop within libcrypto on the same entry would take ours away. So an error of our own, which any
 * function that fails gives, stands between.
 */
static inline void mtls_errors_keep(const struct mtls_crypto *c)
{
	const unsigned char none = 0, *p = &none;
	int tag, class;
	long n;

	c->ERR_set_mark();
	(void)c->ASN1_get_object(&p, &n, &tag, &class, 0);
}

static inline void mtls_errors_restore(const struct mtls_crypto *c)
{
	c->ERR_pop_to_mark();
}

#endif
