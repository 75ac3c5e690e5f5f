/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own system calls are no cancellation points of the program's: a thread that
 * ended in one of them would take along what it holds. The function is in libc itself, in every glibc (GLIBC_2.2.5;
 * on arm64 GLIBC_2.17) and in musl; an old glibc without libpthread does nothing, and has no second thread either.
 */
#ifndef MTLS_SHIM_CANCEL_H
#define MTLS_SHIM_CANCEL_H

#include <pthread.h>

/* This thread is not cancelled until what is returned is given back. May be nested. Keeps errno. */
static inline int shim_hold_cancel(void)
{
	int before = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void shim_restore_cancel(int before)
{
	pthread_setcancelstate(before, &before);
}

#endif
