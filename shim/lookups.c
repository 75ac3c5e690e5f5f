/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the libc hooks: connect(2) and the name look-ups. Each calls libc
 * first and returns exactly what it gave; errno is libc's too.
 */
#include "shim/hooks.h"
#include "shim/names.h"
#include "shim/peers.h"
#include "shim/shim.h"

#include <errno.h>

int hook_connect(int fd, const struct sockaddr *address, socklen_t n)
{
	__typeof__(next.connect) real = shim_next("connect", (void *)next.connect);
	int result = real(fd, address, n), saved = errno;

	/* Whatever the address says: who the peer is, the kernel is asked later. EISCONN: connected by other means. */
	if (shim_started() &&
	    (result == 0 || saved == EINPROGRESS || saved == EINTR || saved == EALREADY || saved == EISCONN))
		peers_connected(fd);
	errno = saved;
	return result;
}

int hook_getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
		     struct addrinfo **restrict result)
{
	__typeof__(next.getaddrinfo) real = shim_next("getaddrinfo", (void *)next.getaddrinfo);
	int error = real(node, service, hints, result), saved = errno;
	struct mtls_addr address;

	if (error == 0 && node && shim_active())
		for (const struct addrinfo *a = *result; a; a = a->ai_next) {
			peers_address(a->ai_addr, a->ai_addrlen, &address);
			names_add(&address, node);
		}
	errno = saved;
	return error;
}

static void remember(const char *name, const struct hostent *entry)
{
	struct mtls_addr address;
	int saved = errno;

	if (name && entry && shim_active())
		for (char **a = entry->h_addr_list; a && *a; a++) {
			mtls_addr_set(&address, (const unsigned char *)*a, (size_t)entry->h_length, 0);
			names_add(&address, name);
		}
	errno = saved;
}

struct hostent *hook_gethostbyname(const char *name)
{
	__typeof__(next.gethostbyname) real = shim_next("gethostbyname", (void *)next.gethostbyname);
	struct hostent *entry = real(name);

	remember(name, entry);
	return entry;
}

struct hostent *hook_gethostbyname2(const char *name, int family)
{
	__typeof__(next.gethostbyname2) real = shim_next("gethostbyname2", (void *)next.gethostbyname2);
	struct hostent *entry = real(name, family);

	remember(name, entry);
	return entry;
}

int hook_gethostbyname_r(const char *restrict name, struct hostent *restrict entry, char *restrict buffer, size_t size,
			 struct hostent **restrict result, int *restrict error)
{
	__typeof__(next.gethostbyname_r) real = shim_next("gethostbyname_r", (void *)next.gethostbyname_r);
	int failed = real(name, entry, buffer, size, result, error);

	remember(name, failed ? NULL : *result);
	return failed;
}

int hook_gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict entry, char *restrict buffer,
			  size_t size, struct hostent **restrict result, int *restrict error)
{
	__typeof__(next.gethostbyname2_r) real = shim_next("gethostbyname2_r", (void *)next.gethostbyname2_r);
	int failed = real(name, family, entry, buffer, size, result, error);

	remember(name, failed ? NULL : *result);
	return failed;
}
