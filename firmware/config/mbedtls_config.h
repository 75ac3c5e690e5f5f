/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS 3.6 as the device wants it (-DMBEDTLS_CONFIG_FILE): a TLS client with a certificate, and readers of keys. Two
 * profiles. full: records of 16 kB, every curve and encoding of a key that mbedTLS can read for TLS. With
 * FIRMWARE_SMALL: records of 4 kB, P-256 only, less speed for less flash; two things that full has can be had there
 * too, each for its price (docs/FIRMWARE.md):
 *   FIRMWARE_RSA       RSA in the device's key, in servers' certificates and in their CAs'
 *   FIRMWARE_OLD_KEYS  keys encrypted in the traditional way of PEM, or with DES
 * FIRMWARE_HEAP, set where there is no operating system, makes mbedTLS allocate from a block of that many bytes.
 * psa_config.h has what PSA adds.
 */
#ifndef MTLS_FIRMWARE_MBEDTLS_CONFIG_H
#define MTLS_FIRMWARE_MBEDTLS_CONFIG_H

#ifndef FIRMWARE_SMALL
#define FIRMWARE_RSA
#define FIRMWARE_OLD_KEYS
#endif

/* --- the platform: all of it comes from struct board, through firmware/port/bind_mbedtls.c --------- */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_TIME_TYPE_MACRO long long
#define MBEDTLS_PLATFORM_TIME_MACRO      board_time
long long board_time(long long *);
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#define MBEDTLS_PLATFORM_GMTIME_R_ALT /* an unknown time becomes an error, which no certificate survives */
#ifdef FIRMWARE_HEAP
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
/* Until board_bind has given it the block; and when it finds the block damaged. */
#define MBEDTLS_PLATFORM_STD_CALLOC board_no_memory
#define MBEDTLS_PLATFORM_STD_FREE   board_no_free
#define MBEDTLS_PLATFORM_EXIT_MACRO board_exit
void *board_no_memory(__SIZE_TYPE__, __SIZE_TYPE__);
void board_no_free(void *);
_Noreturn void board_exit(int);
#endif
#ifdef FIRMWARE_MEASURE
#define MBEDTLS_MEMORY_DEBUG /* mbedtls_memory_buffer_alloc_max_get */
#endif
#define MBEDTLS_NO_PLATFORM_ENTROPY
#define MBEDTLS_ENTROPY_HARDWARE_ALT
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C

/* --- hashes and ciphers ----------------------------------------------------------------------- */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C /* PBKDF2's default; thumbprints */
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#ifndef FIRMWARE_SMALL
#define MBEDTLS_AES_ROM_TABLES
#endif
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_GCM_C
#ifdef FIRMWARE_OLD_KEYS
#define MBEDTLS_SHA224_C
#define MBEDTLS_MD5_C /* traditional PEM's key derivation */
#define MBEDTLS_DES_C
#endif

/* --- keys and certificates ---------------------------------------------------------------------- */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512 /* RSA with 4096 bits */
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PKCS5_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_PARSE_EC_COMPRESSED
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_MAX_INTERMEDIATE_CA 8
#ifdef FIRMWARE_RSA
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#endif

/*
 * Two things that mbedTLS 3.6.6 wants its caller to do, both found with OpenSSL's server:
 * - mbedtls_ssl_conf_sig_algs with rsa_pkcs1_* before rsa_pss_rsae_*. In TLS 1.2 it offers RSA-PSS and refuses the
 *   ServerKeyExchange that is signed with it (fixed upstream in 3.6.7, Mbed-TLS/mbedtls#10674, for builds whose PSA has
 *   RSA-PSS). In TLS 1.3 the order changes nothing: rsa_pkcs1_* is for certificates there.
 * - with mbedtls_ssl_conf_max_frag_len, after each ClientHello (state MBEDTLS_SSL_SERVER_HELLO)
 *   mbedtls_ssl_tls13_set_hs_sent_ext_mask(ssl, MBEDTLS_TLS_EXT_MAX_FRAGMENT_LENGTH): it sends the extension and does
 *   not note it, and then takes a TLS 1.3 server's answer for one that nobody asked for.
 */

/* --- TLS, as a client ------------------------------------------------------------------------------ */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* TLS 1.3 needs it */
#define MBEDTLS_SSL_RENEGOTIATION         /* TLS 1.2 servers that ask for a certificate after the request */
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_PSA_CRYPTO_C /* TLS 1.3 needs it */
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_KEY_SLOT_COUNT 32

#ifdef FIRMWARE_SMALL

#define MBEDTLS_SSL_IN_CONTENT_LEN  4096
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096 /* the chain is one message, and has to fit */
#define MBEDTLS_SSL_RECORD_SIZE_LIMIT
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_SHA512_SMALLER
#define MBEDTLS_ECP_WINDOW_SIZE       2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_MPI_WINDOW_SIZE       1
#define MBEDTLS_SSL_CIPHERSUITES \
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384

#else /* full */

#define MBEDTLS_SSL_IN_CONTENT_LEN  16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 8192 /* the chain is one message, and has to fit */
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_WINDOW_SIZE       4
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1
#define MBEDTLS_PKCS12_C              /* keys encrypted with PKCS#12's pbeWithSHA1And3-KeyTripleDES-CBC */
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_SSL_CIPHERSUITES \
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
		MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
		MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256

#endif
#endif
