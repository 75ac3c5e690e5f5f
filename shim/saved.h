/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session that was serialised rests on, the only form in which some libraries and programs keep one: by a
 * fingerprint of the bytes. No lock and no memory of its own; what is not known counts as RESUMPTION_UNKNOWN, so that
 * whatever goes wrong costs a full handshake and nothing else.
 */
#ifndef MTLS_SHIM_SAVED_H
#define MTLS_SHIM_SAVED_H

#include "shim/resumption.h"

#include <stddef.h>

#define SAVED_WORDS (16 / sizeof(uintptr_t))

/* 128 bits. */
struct saved_key {
	uintptr_t word[SAVED_WORDS];
};

struct saved_key saved_key(const void *data, size_t n);
/* From now on the bytes rest on this. The oldest of those with a similar fingerprint may be forgotten. Any thread. */
void saved_note(const struct saved_key *, resumption);
resumption saved_find(const struct saved_key *);

#endif
