/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a detail of an error together: printf would be most of the vault's code. What does not fit is cut. */
#ifndef MTLS_FIRMWARE_VAULT_TEXT_H
#define MTLS_FIRMWARE_VAULT_TEXT_H

#include "core/reason.h"

struct vault_text {
	char s[sizeof(((struct mtls_error *)0)->detail)];
	size_t n;
};

static inline void vault_text_put(struct vault_text *t, const char *s)
{
	for (; *s && t->n < sizeof(t->s) - 1; s++)
		t->s[t->n++] = *s;
	t->s[t->n] = '\0';
}

static inline void vault_text_number(struct vault_text *t, size_t number)
{
	char digits[3 * sizeof(number) + 1];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	vault_text_put(t, digits + i);
}

#endif
