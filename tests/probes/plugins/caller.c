/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that calls into libssl; as many copies of it are loaded as there are names for it. */
#include <openssl/ssl.h>

int plugin_run(void);

int plugin_run(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int made = ctx != NULL;

	SSL_CTX_set_cert_cb(ctx, NULL, NULL);
	SSL_CTX_free(ctx);
	return made;
}
