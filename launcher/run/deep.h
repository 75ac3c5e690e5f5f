/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deep check of the credential (do certificate and key parse and belong
 * together?) by "mtls-cred check", because this program has no TLS library: a static
 * one could not read what the program's can, and it must start everywhere.
 */
#ifndef MTLS_LAUNCHER_RUN_DEEP_H
#define MTLS_LAUNCHER_RUN_DEEP_H

enum deep_verdict {
	DEEP_USABLE,
	DEEP_WARNINGS, /* usable, with warnings */
	DEEP_BROKEN,
	DEEP_NOTHING,    /* absent or removed */
	DEEP_IMPOSSIBLE, /* not there, does not start here, killed, too slow: says nothing of the credential */
};

/*
 * Runs it at path cred with our environment, without LD_PRELOAD and LD_AUDIT. *said: what it printed, never NULL, the
 * caller frees. Afterwards no descriptor, zombie, pending signal or changed disposition is left.
 */
enum deep_verdict deep_check(const char *cred, char **said);

#endif
