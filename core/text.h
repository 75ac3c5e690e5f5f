/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a detail of an error together, where there is no printf. What does not fit is cut. Pure. */
#ifndef MTLS_CORE_TEXT_H
#define MTLS_CORE_TEXT_H

#include "core/reason.h"

struct mtls_text {
	char s[sizeof(((struct mtls_error *)0)->detail)];
	size_t n;
};

static inline void mtls_text_put(struct mtls_text *t, const char *s)
{
	for (; *s && t->n < sizeof(t->s) - 1; s++)
		t->s[t->n++] = *s;
	t->s[t->n] = '\0';
}

static inline void mtls_text_number(struct mtls_text *t, size_t number)
{
	char digits[3 * sizeof(number) + 1];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	mtls_text_put(t, digits + i);
}

#endif
