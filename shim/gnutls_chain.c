/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own retrieve function, asked from ours. There were three kinds of it; the answers of the older two are
 * turned into what the third gives, as GnuTLS does it (call_legacy_cert_cb1 in its cert-cred.c).
 */
#include "shim/gnutls_records.h"

#include <string.h>

static void drop_certs(const struct gtls *library, gnutls_pcert_st *certs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		library->f.gnutls_pcert_deinit(&certs[i]);
	(*library->f.gnutls_free)(certs);
}

static int take_certs(const struct gtls *library, const gnutls_retr2_st *given, gnutls_pcert_st **out)
{
	gnutls_pcert_st *certs = (*library->f.gnutls_malloc)(given->ncerts * sizeof(*certs));
	int ret;

	if (!certs)
		return GNUTLS_E_MEMORY_ERROR;
	for (unsigned i = 0; i < given->ncerts; i++) {
		ret = library->f.gnutls_pcert_import_x509(&certs[i], given->cert.x509[i], 0);
		if (ret < 0) {
			drop_certs(library, certs, i);
			return ret;
		}
	}
	*out = certs;
	return 0;
}

/* A libgnutls without PKCS#11 does not know such keys, whatever its headers say. */
static bool is_known(const struct gtls *library, gnutls_privkey_type_t type)
{
	return type == GNUTLS_PRIVKEY_X509 ||
	       (type == GNUTLS_PRIVKEY_PKCS11 && library->f.gnutls_privkey_import_pkcs11);
}

static int take_key(const struct gtls *library, const gnutls_retr2_st *given, gnutls_privkey_t *out)
{
	unsigned flags = given->deinit_all ? GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE : 0;
	gnutls_privkey_t key;
	int ret;

	if (!is_known(library, given->key_type))
		return GNUTLS_E_INVALID_REQUEST;
	if (!given->key.x509)
		return 0;
	ret = library->f.gnutls_privkey_init(&key);
	if (ret < 0)
		return ret;
	if (given->key_type == GNUTLS_PRIVKEY_X509)
		ret = library->f.gnutls_privkey_import_x509(key, given->key.x509, flags);
	else
		ret = library->f.gnutls_privkey_import_pkcs11(key, given->key.pkcs11, flags);
	if (ret < 0)
		library->f.gnutls_privkey_deinit(key);
	else
		*out = key;
	return ret;
}

static void drop_given(const struct gtls *library, const gnutls_retr2_st *given)
{
	if (!given->deinit_all || given->cert_type != GNUTLS_CRT_X509)
		return;
	for (unsigned i = 0; i < given->ncerts; i++)
		library->f.gnutls_x509_crt_deinit(given->cert.x509[i]);
	(*library->f.gnutls_free)(given->cert.x509);
}

/* Ours are copies that GnuTLS frees; the program's are freed here if it says so. */
static int take(const struct gtls *library, const gnutls_retr2_st *given, const struct gtls_question *q)
{
	gnutls_pcert_st *certs = NULL;
	int ret = given->cert_type == GNUTLS_CRT_X509 ? take_certs(library, given, &certs) : GNUTLS_E_INVALID_REQUEST;

	if (ret >= 0)
		ret = take_key(library, given, q->key);
	if (ret < 0 && certs) {
		drop_certs(library, certs, given->ncerts);
	} else if (ret >= 0) {
		*q->certs = certs;
		*q->n_certs = given->ncerts;
		*q->flags |= GNUTLS_CERT_RETR_DEINIT_ALL;
	}
	drop_given(library, given);
	return ret;
}

static int ask_first(const struct gtls *library, gnutls_certificate_retrieve_function *own,
		     const struct gtls_question *q)
{
	const struct gnutls_cert_retr_st *info = q->info;
	gnutls_retr2_st given;
	int ret;

	memset(&given, 0, sizeof(given));
	ret = own(q->session, info->req_ca_rdn, (int)info->nreqs, info->pk_algos, (int)info->pk_algos_length, &given);
	return ret < 0 || given.ncerts == 0 ? ret : take(library, &given, q);
}

int gtls_ask_own(struct gtls_credentials *credentials, const struct gtls_question *q)
{
	const struct gnutls_cert_retr_st *info = q->info;

	switch (atomic_load(&credentials->version)) {
	case 1:
		return ask_first(credentials->library, atomic_load(&credentials->own1), q);
	case 2:
		return atomic_load(&credentials->own2)(q->session, info->req_ca_rdn, (int)info->nreqs, info->pk_algos,
						       (int)info->pk_algos_length, q->certs, q->n_certs, q->key);
	case 3:
		return atomic_load(&credentials->own3)(q->session, info, q->certs, q->n_certs, q->ocsp, q->n_ocsp,
						       q->key, q->flags);
	default:
		return 0;
	}
}
