/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host patterns (contract, section 2): the text is checked once and matched as
 * it stands, so that no list has to be allocated. Pure.
 */
#ifndef MTLS_CORE_HOSTS_H
#define MTLS_CORE_HOSTS_H

#include "core/address.h"

enum mtls_tri { MTLS_UNKNOWN, MTLS_NO, MTLS_YES };

/*
 * true if every pattern is understood and there is at least one. Else *at is the
 * offending word (pointing into text; the whole text if there is none).
 */
bool mtls_hosts_check(struct mtls_bytes text, struct mtls_bytes *at);

/* Does a pattern look at names; does one look at the socket (an address or a port)? */
bool mtls_hosts_need_name(struct mtls_bytes text);
bool mtls_hosts_need_peer(struct mtls_bytes text);

/*
 * One server: name (NULL: unknown; case and one trailing dot do not matter) and
 * peer (family 0 or port 0: that part is unknown). text must have passed
 * mtls_hosts_check; a word that did not is a match for a deny and none for an allow.
 */
bool mtls_hosts_allow(struct mtls_bytes text, const char *name, const struct mtls_addr *peer);

#endif
