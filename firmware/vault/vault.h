/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault: the device's one credential, where it comes in (inbox), where it stays (store), and who signs with it. All
 * that ever holds the private key or its passphrase is behind this header: on a board with TrustZone it is the secure
 * image, and these functions are its entries. One thread; nothing is allocated but by mbedTLS.
 *
 * An upload is one transaction: vault_put for each file, then vault_commit. It is carried out at the next boot, before
 * anything else: what was uploaded replaces its stored twin, what was not stays, an empty file removes. The merged
 * credential is scanned by core/, parsed, its key decrypted once; the new record is sealed, written beside the old one,
 * read back and committed; then the inbox is erased, and the old record with it. Each step can be cut and run again. A
 * credential that is refused leaves the old one as it was, and its reason in the record. The passphrase is not kept: an
 * encrypted key has to come with it.
 */
#ifndef MTLS_FIRMWARE_VAULT_H
#define MTLS_FIRMWARE_VAULT_H

#include "core/credential.h"
#include "core/signature.h"
#include "firmware/board.h"

/*
 * Two settings for small boards. They decide where things are in the flash: never change them for a device that has a
 * credential.
 */
#ifndef VAULT_FILE_MAX
#define VAULT_FILE_MAX ((size_t)64 << 10) /* bytes of a chain or a list of CAs; vault_file_max has the other files' */
#endif
#ifndef VAULT_RECORD_MAX
#define VAULT_RECORD_MAX ((size_t)128 << 10) /* bytes of the stored record, and of the one static buffer for it */
#endif
#define VAULT_SUBJECT   512
#define VAULT_SIGNATURE 512 /* bytes of the longest: RSA, 4096 bits */
/* A key that was encrypted with more rounds of PBKDF2 is refused: deriving its key would keep the device from booting.
 */
#ifndef VAULT_ROUNDS_MAX
#define VAULT_ROUNDS_MAX 10000000
#endif

/* The files of the folder, and the device's own list of CAs. */
enum vault_file {
	VAULT_CERT = MTLS_CERT,
	VAULT_KEY = MTLS_KEY,
	VAULT_PASS = MTLS_PASS,
	VAULT_CONF = MTLS_CONF,
	VAULT_CA,
	VAULT_FILES
};

/* "client_cert.pem" … "ca_certs.pem". */
const char *vault_file_name(enum vault_file);
/* Bytes that it may have: VAULT_FILE_MAX, or less for the short ones. */
size_t vault_file_max(enum vault_file);

/* How an operation on the flash, or with the device's key or entropy, went. */
enum vault_result {
	VAULT_OK,
	VAULT_FLASH,     /* the flash is too small, or does not do what it should */
	VAULT_NO_ROOM,   /* a file over vault_file_max */
	VAULT_NO_KEY,    /* the board has no key of the device */
	VAULT_NO_MEMORY, /* mbedTLS has none left */
	VAULT_NO_RANDOM, /* the board has no entropy */
	VAULT_DAMAGED,   /* the store has a record that cannot be opened: it was changed, or it is another device's */
	VAULT_OUT_OF_ORDER, /* a put or commit without begin, or pieces of a file with another between them */
	VAULT_RESULTS
};
/* What happened and what to do, in a sentence. */
const char *vault_result_sentence(enum vault_result);

/*
 * Once, at boot: carries out an upload that was committed, erases the inbox, opens the store. Run again after any
 * failure or cut it goes on where it was. With VAULT_DAMAGED there is no credential, and an upload of all files heals
 * it. After any other failure an upload that was committed waits in the inbox, in the clear, for a boot that can carry
 * it out; the old credential may be at work meanwhile (status). One whose reading takes more memory than there is counts
 * as unreadable: it is refused and erased. The board stays borrowed. With FIRMWARE_HEAP it has to be bound before
 * (board_bind).
 */
enum vault_result vault_boot(const struct board *);

/* --- what may be known ------------------------------------------------------------- */

struct vault_status {
	/* MTLS_USABLE, MTLS_NO_CREDENTIAL, MTLS_REMOVED, or a broken word of what is stored: MTLS_UNREADABLE where
	 * result is not VAULT_OK and there is no credential. */
	enum mtls_reason reason;
	enum vault_result result; /* of vault_boot */
	bool has_ca;
	uint32_t generation; /* of the record; 0: there is none */
	/*
	 * The last upload. It was refused for upload.reason, or else taken, and that is what it left: MTLS_USABLE,
	 * MTLS_REMOVED, or MTLS_NO_CREDENTIAL where it had neither certificate nor key (also: there was none yet). What
	 * is wrong with ca_certs.pem has the part MTLS_NOTHING, and the file's name in the detail.
	 */
	bool refused;
	struct mtls_error upload;
};
void vault_status(struct vault_status *);

/*
 * The stored bytes of a file that is no secret; n == 0: there are none. Of client_cert.pem and ca_certs.pem only the
 * certificates are kept, as PEM, and of CAs only those that mbedTLS can use. A NUL that does not count stands behind
 * them, as mbedtls_x509_crt_parse wants it (with n + 1). Valid until the next vault_boot.
 */
struct mtls_bytes vault_file(enum vault_file);

/* --- the upload ---------------------------------------------------------------------- */

/* Erases what an upload before has left. */
enum vault_result vault_begin(void);
/*
 * The next bytes of a file, in as many calls as is convenient, one file after the other. A file for which only n == 0
 * came is empty: it is removed. After a failure the upload has to begin anew.
 */
enum vault_result vault_put(enum vault_file, const void *data, size_t n);
/* From here on the upload will be carried out, whatever happens. */
enum vault_result vault_commit(void);

/* --- the signer ------------------------------------------------------------------------ */

/*
 * The private key at work; nobody outside ever has it. type is MTLS_KEY_OTHER where there is none: bits and sign are
 * not to be called. hash is what TLS signs, n its bytes.
 */
struct vault_signer {
	enum mtls_key_type (*type)(void);
	unsigned (*bits)(void);
	/*
	 * scheme: a SignatureScheme (RFC 8446 4.2.3) that fits the key. false: it cannot be done. *length: of the
	 * signature, at most VAULT_SIGNATURE bytes; ECDSA's as DER (RFC 5480).
	 */
	bool (*sign)(uint16_t scheme, const void *hash, size_t n, uint8_t signature[VAULT_SIGNATURE], size_t *length);
};
const struct vault_signer *vault_signer(void);
/* Signatures made since the boot. */
unsigned vault_signatures(void);

#endif
