/* SPDX-License-Identifier: Apache-2.0 */
/* The pair and its chain; see pair.h. */
#include "launcher/cred/pair.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static const struct cred_pair none;

static bool is_younger(X509 *a, X509 *b)
{
	return !b || ASN1_TIME_compare(X509_get0_notBefore(a), X509_get0_notBefore(b)) > 0;
}

/* A renewed certificate has its predecessor's key: the youngest counts. */
static X509 *leaf_of(const struct cred_input *in, EVP_PKEY *key)
{
	X509 *leaf = NULL;

	for (int i = 0; in->certs && i < sk_X509_num(in->certs); i++) {
		X509 *x = sk_X509_value(in->certs, i);
		EVP_PKEY *public = X509_get0_pubkey(x);

		if (public && EVP_PKEY_eq(public, key) == 1 && is_younger(x, leaf))
			leaf = x;
	}
	return leaf;
}

static bool is_in(const STACK_OF(X509) *stack, X509 *x)
{
	for (int i = 0; i < sk_X509_num(stack); i++)
		if (X509_cmp(sk_X509_value(stack, i), x) == 0)
			return true;
	return false;
}

/* By its key: one that merely has its issuer's name has EXFLAG_SS, too. */
static bool is_self_signed(X509 *x)
{
	return (X509_get_extension_flags(x) & EXFLAG_SS) != 0 && X509_self_signed(x, 1) == 1;
}

/* Signed by it, not merely named after it. The youngest where a CA has renewed its own; an intermediate before a root.
 */
static X509 *issuer_of(const struct cred_input *in, X509 *x)
{
	X509 *issuer = NULL;

	for (int i = 0; i < sk_X509_num(in->certs); i++) {
		X509 *other = sk_X509_value(in->certs, i);
		EVP_PKEY *public = X509_get0_pubkey(other);

		if (X509_cmp(other, x) == 0 || X509_check_issued(other, x) != X509_V_OK || !public ||
		    X509_verify(x, public) != 1)
			continue;
		if (!issuer || (is_self_signed(issuer) && !is_self_signed(other)) ||
		    (is_self_signed(issuer) == is_self_signed(other) && is_younger(other, issuer)))
			issuer = other;
	}
	return issuer;
}

static bool build_chain(const struct cred_input *in, struct cred_pair *pair)
{
	X509 *at = pair->leaf;

	pair->chain = sk_X509_new_null();
	while (pair->chain && !is_self_signed(at)) {
		X509 *issuer = issuer_of(in, at);

		if (!issuer || issuer == pair->leaf || is_in(pair->chain, issuer) ||
		    sk_X509_num(pair->chain) == MTLS_CHAIN_MAX)
			break;
		if (is_self_signed(issuer)) {
			pair->root = issuer;
			break;
		}
		if (sk_X509_push(pair->chain, issuer) <= 0)
			return false;
		at = issuer;
	}
	return pair->chain;
}

static unsigned count_others(const struct cred_input *in, const struct cred_pair *pair)
{
	unsigned n = 0;

	for (int i = 0; i < sk_X509_num(in->certs); i++) {
		X509 *x = sk_X509_value(in->certs, i);

		n += X509_cmp(x, pair->leaf) != 0 && !is_in(pair->chain, x) &&
		     (!pair->root || X509_cmp(x, pair->root) != 0);
	}
	return n;
}

static int no_pair(const struct cred *cred, const struct cred_input *in, const char *folder)
{
	char *subject;
	int status;

	if (!in->certs && in->n_keys == in->n_own) /* a PFX or PKCS#7 may be empty */
		return cred_fail(cred, CRED_FAILED, "there is neither a certificate nor a private key in the files");
	if (!in->certs)
		return cred_fail(cred, CRED_FAILED, "%s: this has a private key, but no certificate; give both",
				 in->key[0].file);
	subject = cred_name(X509_get_subject_name(sk_X509_value(in->certs, 0)));
	if (in->n_keys == in->n_own)
		status = cred_fail(cred, CRED_FAILED,
				   "there is no private key for %s, neither in the files nor in %s; give both",
				   subject ? subject : "?", folder);
	else
		status = cred_fail(cred, CRED_FAILED, "%s: no certificate here belongs to this key (the first is %s)",
				   in->key[0].file, subject ? subject : "?");
	free(subject);
	return status;
}

static int two_pairs(const struct cred *cred, X509 *one, X509 *other)
{
	char *first = cred_name(X509_get_subject_name(one)), *second = cred_name(X509_get_subject_name(other));

	cred_fail(cred, CRED_FAILED, "there are two pairs: %s and %s; import one", first ? first : "?",
		  second ? second : "?");
	free(first);
	free(second);
	return CRED_FAILED;
}

int cred_pair_choose(const struct cred *cred, const struct cred_input *in, const char *folder, struct cred_pair *pair)
{
	*pair = none;
	for (size_t i = 0; i < in->n_keys; i++) {
		X509 *leaf = leaf_of(in, in->key[i].key);

		if (leaf && pair->leaf)
			return two_pairs(cred, pair->leaf, leaf);
		if (!leaf)
			continue;
		pair->leaf = leaf;
		pair->key = in->key[i].key;
		pair->token = in->key[i].token;
	}
	if (!pair->leaf)
		return no_pair(cred, in, folder);
	if (!build_chain(in, pair))
		return cred_fail(cred, CRED_FAILED, "out of memory");
	pair->left_out = count_others(in, pair);
	ERR_clear_error();
	return CRED_GO_ON;
}

void cred_pair_free(struct cred_pair *pair)
{
	sk_X509_free(pair->chain);
	*pair = none;
}

/* Where the CA publishes its own certificate: RFC 5280, 4.2.2.1. */
static void published(X509 *x, char text[300])
{
	AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);

	text[0] = '\0';
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
		const ACCESS_DESCRIPTION *a = sk_ACCESS_DESCRIPTION_value(access, i);

		if (OBJ_obj2nid(a->method) == NID_ad_ca_issuers && a->location->type == GEN_URI && !text[0])
			snprintf(text, 300, "; it is at %.*s",
				 ASN1_STRING_length(a->location->d.uniformResourceIdentifier),
				 (const char *)ASN1_STRING_get0_data(a->location->d.uniformResourceIdentifier));
	}
	AUTHORITY_INFO_ACCESS_free(access);
}

void cred_pair_note_gap(const struct cred *cred, const struct cred_pair *pair)
{
	int n = sk_X509_num(pair->chain);
	X509 *last = n ? sk_X509_value(pair->chain, n - 1) : pair->leaf;
	char *issuer, where[300];

	if (pair->root || is_self_signed(last))
		return;
	published(last, where);
	issuer = cred_name(X509_get_issuer_name(last));
	cred_fail(cred, CRED_DONE,
		  "note: the issuer is not among the files: %s; where it is an intermediate and no root, "
		  "servers may need it: import it, too%s",
		  issuer ? issuer : "?", where);
	free(issuer);
}
