/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin with functions of its own that are named as OpenSSL's and GnuTLS's are, but belong to no TLS library. */

void *SSL_CTX_new(const void *method);
int gnutls_init(void **session, unsigned flags);
int plugin_run(void);

void *SSL_CTX_new(const void *method)
{
	return (void *)method; // NOLINT
}

int gnutls_init(void **session, unsigned flags)
{
	*session = session;
	return (int)flags + 41;
}

/* 42, if both were reached. */
int plugin_run(void)
{
	void *session = 0;
	int answer = gnutls_init(&session, 1);

	return session == &session && SSL_CTX_new(&session) == &session ? answer : 0;
}
