/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program tells GnuTLS of the server and of the connection, noted because there is no getter for it: the names
 * that it sends and verifies, and whether the transport is a descriptor.
 */
#include "shim/gnutls_records.h"

#include <errno.h>
#include <string.h>

static bool is_ascii(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name[i] == 0 || (unsigned char)name[i] > 127)
			return false;
	return true;
}

/* As GnuTLS sends and compares it: IDNA. What cannot be kept is told, but not known. n == 0: it is taken back. */
static void note_name(const struct gtls *library, struct gtls_name *into, const char *name, size_t n)
{
	gnutls_datum_t mapped = {NULL, 0};
	int saved = errno;

	into->told = n > 0;
	into->text[0] = '\0';
	if (!is_ascii(name, n) && library->f.gnutls_idna_map(name, (unsigned)n, &mapped, 0) >= 0) {
		name = (const char *)mapped.data;
		n = mapped.size;
	}
	if (n < sizeof(into->text) && is_ascii(name, n)) {
		memcpy(into->text, name, n);
		into->text[n] = '\0';
	}
	if (mapped.data)
		(*library->f.gnutls_free)(mapped.data);
	errno = saved;
}

int hook_gnutls_server_name_set(struct origin from, gnutls_session_t object, gnutls_server_name_type_t type,
				const void *name, size_t n)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_server_name_set) real = GTLS_NEXT(library, from, gnutls_server_name_set);
	int ret;

	if (!real)
		return GNUTLS_E_INTERNAL_ERROR;
	ret = real(object, type, name, n);
	if (session && ret >= 0)
		note_name(library, &session->sni, n ? name : "", n);
	return ret;
}

static void note_verify(struct gtls_session *session, const char *name, size_t n)
{
	struct mtls_addr address;

	note_name(session->library, &session->verify, name, n);
	session->verify_address = mtls_addr_parse(mtls_bytes_of(session->verify.text), &address);
}

void hook_gnutls_session_set_verify_cert(struct origin from, gnutls_session_t object, const char *name, unsigned flags)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_session_set_verify_cert) real = GTLS_NEXT(library, from, gnutls_session_set_verify_cert);

	if (session)
		note_verify(session, name ? name : "", name ? strlen(name) : 0);
	if (real)
		real(object, name, flags);
}

/* GnuTLS takes one of them for the server's name. */
static void note_typed(struct gtls_session *session, const gnutls_typed_vdata_st *data, unsigned n)
{
	struct mtls_addr address;
	char text[MTLS_ADDR_TEXT];
	const char *name = "";
	size_t length = 0;

	for (unsigned i = 0; i < n; i++) {
		if (data[i].type == GNUTLS_DT_DNS_HOSTNAME && data[i].data) {
			name = (const char *)data[i].data;
			length = data[i].size ? strnlen(name, data[i].size) : strlen(name);
		} else if (data[i].type == GNUTLS_DT_IP_ADDRESS && data[i].data) {
			mtls_addr_set(&address, data[i].data, data[i].size, 0);
			name = mtls_addr_print(&address, text);
			length = strlen(name);
		}
	}
	note_verify(session, name, length);
}

void hook_gnutls_session_set_verify_cert2(struct origin from, gnutls_session_t object, gnutls_typed_vdata_st *data,
					  unsigned n, unsigned flags)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_session_set_verify_cert2) real = GTLS_NEXT(library, from, gnutls_session_set_verify_cert2);

	if (session)
		note_typed(session, data, n);
	if (real)
		real(object, data, n, flags);
}

void hook_gnutls_transport_set_pull_function(struct origin from, gnutls_session_t object, gnutls_pull_func function)
{
	struct gtls_session *session = gtls_session_of(object);
	const struct gtls *library = gtls_of(session, from);
	__typeof__(&gnutls_transport_set_pull_function) real =
		GTLS_NEXT(library, from, gnutls_transport_set_pull_function);

	if (session)
		session->own_pull = true;
	if (real)
		real(object, function);
}
