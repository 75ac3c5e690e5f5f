/* SPDX-License-Identifier: Apache-2.0 */
/* System call filters by libseccomp, for all threads of the process, for good. 0, or an errno: then nothing changed. */
#ifndef MTLS_AGENT_FILTER_H
#define MTLS_AGENT_FILTER_H

/* For a key in a file: what is not listed fails. */
int agent_filter_narrow(void);
/* For a key in a token: what is listed fails. TPM2OPENSSL_TCTI that names an emulator lets TCP through. */
int agent_filter_wide(void);

#endif
