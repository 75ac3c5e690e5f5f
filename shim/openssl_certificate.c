/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates on an SSL are ours and which are the program's. Ours carry a mark of their own, because they turn
 * up where no record of ours is: connections can share what they have (SSL_copy_session_id), programs can copy it.
 */
#include "shim/openssl.h"

#define KEY_TYPES_MAX 16 /* libssl keeps one certificate for each: 9 in 3.0 */

static atomic_bool handed_out[LIBRARIES_MAX];

void openssl_handed_out(const struct openssl *library)
{
	atomic_store(&handed_out[library->is.parser.library], true);
}

static bool is_ours(const struct openssl *library, const X509 *certificate)
{
	return certificate && library->f.X509_get_ex_data(certificate, library->mark_index) == library;
}

bool openssl_mark(const struct openssl *library, const struct mtls_identity *identity)
{
	OPENSSL_STACK *chain = (OPENSSL_STACK *)identity->chain;
	void *mark = (void *)(uintptr_t)library; // NOLINT(performance-no-int-to-ptr)
	bool done = library->f.X509_set_ex_data(identity->leaf, library->mark_index, mark) == 1;

	for (int i = 0; done && i < library->f.OPENSSL_sk_num(chain); i++)
		done = library->f.X509_set_ex_data(library->f.OPENSSL_sk_value(chain, i), library->mark_index, mark) ==
		       1;
	return done;
}

/* libssl can only walk from the current key type to the next: afterwards the current one is put right again. */
struct walk {
	X509 *leaf;
	EVP_PKEY *key;
	bool moved;
};

static bool walk_next(const struct openssl *library, SSL *ssl, struct walk *walk)
{
	long how = walk->moved ? SSL_CERT_SET_NEXT : SSL_CERT_SET_FIRST;

	if (!walk->moved) {
		walk->leaf = library->f.SSL_get_certificate(ssl);
		walk->key = library->f.SSL_get_privatekey(ssl);
	}
	if (library->f.SSL_ctrl(ssl, SSL_CTRL_SET_CURRENT_CERT, how, NULL) != 1)
		return false;
	walk->moved = true;
	return true;
}

/* libssl lets go of what it has before it takes the same again: hence the references. */
static void walk_end(const struct openssl *library, SSL *ssl, const struct walk *walk)
{
	if (!walk->moved)
		return;
	if (walk->leaf && library->f.SSL_ctrl(ssl, SSL_CTRL_SELECT_CURRENT_CERT, 0, walk->leaf) != 1) {
		library->f.X509_up_ref(walk->leaf);
		library->f.SSL_use_certificate(ssl, walk->leaf);
		library->crypto.X509_free(walk->leaf);
	} else if (!walk->leaf && walk->key) {
		library->f.EVP_PKEY_up_ref(walk->key);
		library->f.SSL_use_PrivateKey(ssl, walk->key);
		library->crypto.EVP_PKEY_free(walk->key);
	}
}

/* A certificate without its key is none: some programs put their CA's there, and libssl would send nothing. */
bool openssl_has_own(const struct openssl *library, SSL *ssl)
{
	X509 *current = library->f.SSL_get_certificate(ssl);
	struct walk walk = {.moved = false};
	bool own = current && library->f.SSL_get_privatekey(ssl) && !is_ours(library, current);

	while (!own && walk_next(library, ssl, &walk))
		own = !is_ours(library, library->f.SSL_get_certificate(ssl));
	walk_end(library, ssl, &walk);
	return own;
}

/* A certificate of the program's, with references of our own. */
struct kept {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain; /* or NULL */
};

static struct kept keep(const struct openssl *library, SSL *ssl)
{
	struct kept kept = {library->f.SSL_get_certificate(ssl), library->f.SSL_get_privatekey(ssl), NULL};

	library->f.X509_up_ref(kept.leaf);
	library->f.EVP_PKEY_up_ref(kept.key);
	library->f.SSL_ctrl(ssl, SSL_CTRL_GET_CHAIN_CERTS, 0, &kept.chain);
	if (kept.chain)
		kept.chain = library->f.X509_chain_up_ref(kept.chain);
	return kept;
}

static void put_back(const struct openssl *library, SSL *ssl, struct kept *kept)
{
	X509 *x;

	library->f.SSL_use_cert_and_key(ssl, kept->leaf, kept->key, kept->chain, 1);
	while (kept->chain && (x = library->crypto.OPENSSL_sk_pop((OPENSSL_STACK *)kept->chain)))
		library->crypto.X509_free(x);
	library->crypto.OPENSSL_sk_free((OPENSSL_STACK *)kept->chain);
	library->crypto.X509_free(kept->leaf);
	library->crypto.EVP_PKEY_free(kept->key);
}

/* The program has put another leaf of the same key type over ours: our intermediates go, its own stay. */
static void drop_our_chain(const struct openssl *library, SSL *ssl)
{
	STACK_OF(X509) *chain = NULL;
	OPENSSL_STACK *rest;
	int found = 0, n;

	library->f.SSL_ctrl(ssl, SSL_CTRL_GET_CHAIN_CERTS, 0, &chain);
	n = chain ? library->f.OPENSSL_sk_num((OPENSSL_STACK *)chain) : 0;
	for (int i = 0; i < n; i++)
		found += is_ours(library, library->f.OPENSSL_sk_value((OPENSSL_STACK *)chain, i));
	if (!found)
		return;
	rest = found < n ? library->crypto.OPENSSL_sk_new_null() : NULL;
	for (int i = 0; rest && i < n; i++) {
		X509 *x = library->f.OPENSSL_sk_value((OPENSSL_STACK *)chain, i);

		if (!is_ours(library, x) && library->crypto.OPENSSL_sk_push(rest, x))
			library->f.X509_up_ref(x);
	}
	library->f.SSL_ctrl(ssl, SSL_CTRL_CHAIN, 0, rest);
}

/* Ours is among several, or the current one: libssl can only drop all, so that the program's are put back. */
static void drop_ours(const struct openssl *library, SSL *ssl, X509 *current)
{
	struct walk walk = {.moved = false};
	struct kept kept[KEY_TYPES_MAX];
	size_t n = 0;

	while (n < KEY_TYPES_MAX && walk_next(library, ssl, &walk))
		if (!is_ours(library, library->f.SSL_get_certificate(ssl)))
			kept[n++] = keep(library, ssl);
	library->f.SSL_certs_clear(ssl);
	for (size_t i = 0; i < n; i++)
		put_back(library, ssl, &kept[i]);
	if (n && current)
		library->f.SSL_ctrl(ssl, SSL_CTRL_SELECT_CURRENT_CERT, 0, current);
}

void openssl_take_off(const struct openssl *library, SSL *ssl)
{
	struct walk walk = {.moved = false};
	X509 *current;
	bool ours;

	if (!atomic_load(&handed_out[library->is.parser.library]))
		return;
	current = library->f.SSL_get_certificate(ssl);
	ours = is_ours(library, current);
	while (!ours && walk_next(library, ssl, &walk))
		ours = is_ours(library, library->f.SSL_get_certificate(ssl));
	walk_end(library, ssl, &walk);
	if (ours)
		drop_ours(library, ssl, is_ours(library, current) ? NULL : current);
	else if (current)
		drop_our_chain(library, ssl);
}
