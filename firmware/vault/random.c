/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: see random.h. */
#include "firmware/vault/random.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/error.h>

static mbedtls_ctr_drbg_context generator;
static bool running;

static int seed(void *board, unsigned char *to, size_t n)
{
	const struct board_system *system = &((const struct board *)board)->system;

	return system->entropy(system->ctx, to, n) ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

bool vault_random_start(const struct board *board)
{
	static const unsigned char name[] = "mtls-run vault";

	vault_random_stop();
	mbedtls_ctr_drbg_init(&generator);
	running = true;
	if (mbedtls_ctr_drbg_seed(&generator, seed, (void *)board, name, sizeof(name)) == 0)
		return true;
	vault_random_stop();
	return false;
}

void vault_random_stop(void)
{
	if (running)
		mbedtls_ctr_drbg_free(&generator);
	running = false;
}

int vault_random(void *ctx, unsigned char *to, size_t n)
{
	size_t size;
	int ret = 0;

	(void)ctx;
	if (!running)
		return MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
	for (; ret == 0 && n; to += size, n -= size) {
		size = n < MBEDTLS_CTR_DRBG_MAX_REQUEST ? n : MBEDTLS_CTR_DRBG_MAX_REQUEST;
		ret = mbedtls_ctr_drbg_random(&generator, to, size);
	}
	return ret;
}
