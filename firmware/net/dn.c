/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4514: the last relative name first; 2.4 has what is escaped. Bytes that are no ASCII are escaped as well. */
#include "firmware/net/dn.h"

#include <mbedtls/oid.h>
#include <stdbool.h>
#include <string.h>

struct text {
	char *p;
	size_t n, size; /* size: without the NUL */
	bool cut;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->n + n > t->size) {
		t->cut = true;
		return;
	}
	if (t->cut)
		return;
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static void put_type(struct text *t, const mbedtls_x509_name *name)
{
	const char *word;
	char figures[64];

	if (mbedtls_oid_get_attr_short_name(&name->oid, &word) == 0)
		put(t, word);
	else if (mbedtls_oid_get_numeric_string(figures, sizeof(figures), &name->oid) > 0)
		put(t, figures);
	else
		put(t, "?");
}

static void put_value(struct text *t, const mbedtls_x509_buf *value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value->len; i++) {
		unsigned char c = value->p[i];
		bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value->len && c == ' ');

		if (c < ' ' || c > '~')
			put(t, (char[]){'\\', hex[c >> 4], hex[c & 15], '\0'});
		else if (edge || strchr(",+\"\\<>;", c))
			put(t, (char[]){'\\', (char)c, '\0'});
		else
			put(t, (char[]){(char)c, '\0'});
	}
}

void dn_print(const mbedtls_x509_name *first, char *to, size_t size)
{
	struct text t = {to, 0, size - 1, false};
	const mbedtls_x509_name *name, *after = NULL;

	while (after != first) {
		for (name = first; name->next != after; name = name->next)
			;
		if (after)
			put(&t, name->MBEDTLS_PRIVATE(next_merged) ? "+" : ",");
		put_type(&t, name);
		put(&t, "=");
		put_value(&t, &name->val);
		after = name;
	}
	to[t.n] = '\0';
	if (t.cut)
		memcpy(to + (t.n < size - 4 ? t.n : size - 4), "...", 4);
}
