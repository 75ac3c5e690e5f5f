/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP client over the secure sockets. */
#include "firmware/app/get.h"

#include "firmware/app/http.h"
#include "firmware/net/ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HTTPS       443
#define RESOLVE_MS  10000
#define REQUEST_MAX 1024

struct place {
	char host[SOCKETS_HOST];
	uint16_t port;
	const char *path;
};

static bool fail(struct get *g, const char *why)
{
	snprintf(g->why, sizeof(g->why), "%s", why);
	return false;
}

/* "" or ":PORT"; *port is left as it is for the former. */
static bool parse_port(const char *s, size_t n, uint16_t *port)
{
	unsigned number = 0;

	if (n == 0)
		return true;
	if (n < 2 || n > 6)
		return false;
	for (size_t i = 1; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		number = number * 10 + (unsigned)(s[i] - '0');
	}
	*port = (uint16_t)number;
	return number > 0 && number <= UINT16_MAX;
}

/* RFC 3986 3, as far as names and IPv4 go. */
static bool parse(const char *url, struct place *to)
{
	static const char scheme[] = "https://";
	size_t n, host;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	url += sizeof(scheme) - 1;
	n = strcspn(url, "/?#");
	host = strcspn(url, ":/?#");
	if (host == 0 || host >= sizeof(to->host) || memchr(url, '@', n))
		return false;
	memcpy(to->host, url, host);
	to->host[host] = '\0';
	to->port = HTTPS;
	to->path = url + n;
	return parse_port(url + host, n - host, &to->port);
}

static bool send_all(int fd, const char *data, size_t n)
{
	long sent;

	for (; n > 0; data += sent, n -= (size_t)sent) {
		sent = mtls_send(fd, data, n);
		if (sent < 0)
			return false;
	}
	return true;
}

static bool send_request(struct get *g, int fd, const struct place *place)
{
	static char request[REQUEST_MAX];
	int path = (int)strcspn(place->path, "#");
	int n = snprintf(request, sizeof(request),
			 "GET %s%.*s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: mtls-device\r\nAccept: */*\r\n"
			 "Connection: close\r\n\r\n",
			 *place->path == '/' ? "" : "/", path, place->path, place->host, place->port);

	if (n >= (int)sizeof(request))
		return fail(g, "the URL is too long");
	return send_all(fd, request, (size_t)n) || fail(g, mtls_socket_reason(fd));
}

/*
 * Whoever has the whole answer need not wait for the goodbye. A server that goes on, but at a snail's pace, would hold
 * the device for ever: time counts from the request, and anew with each GET_PROGRESS bytes of the body.
 */
static long receive_all(struct get *g, int fd, struct http *http)
{
	static char data[1024];
	uint32_t patience = g->patience_ms ? g->patience_ms : GET_PATIENCE, left;
	uint64_t start = ip_now(), gone;
	uint64_t before = 0;
	long n = 1;

	while (n > 0 && http->state != HTTP_DONE && http->state != HTTP_WRONG) {
		gone = ip_now() - start;
		if (gone >= patience) {
			errno = ETIMEDOUT;
			return -1;
		}
		left = patience - (uint32_t)gone;
		(void)mtls_setsockopt(fd, MTLS_SOL_SOCKET, MTLS_SO_RCVTIMEO, &left, sizeof(left));
		n = mtls_recv(fd, data, sizeof(data));
		if (n > 0)
			http_take(http, data, (size_t)n);
		if (http->got - before >= GET_PROGRESS) {
			before = http->got;
			start = ip_now();
		}
	}
	return n;
}

static bool receive_answer(struct get *g, int fd)
{
	static struct http http;

	memset(&http, 0, sizeof(http));
	http.body = g->body;
	http.ctx = g->ctx;
	if (receive_all(g, fd, &http) < 0)
		return fail(g, errno == ETIMEDOUT ? "the server takes too long" : mtls_socket_reason(fd));
	if (http.state == HTTP_WRONG || http.state == HTTP_STATUS)
		return fail(g, "the server's answer is not HTTP");
	if (!http_is_whole(&http))
		return fail(g, "the server's answer is not whole");
	if (http.status / 100 == 2)
		return true;
	snprintf(g->why, sizeof(g->why), "the server answers with status %u", http.status);
	return false;
}

/* All that an application has to do for a secure connection: name the host. */
static bool fetch(struct get *g, int fd, const struct place *place)
{
	if (mtls_setsockopt(fd, MTLS_SOL_TLS, MTLS_TLS_HOSTNAME, place->host, strlen(place->host)) != 0 ||
	    mtls_connect(fd, g->address, place->port) != 0)
		return fail(g, mtls_socket_reason(fd));
	return send_request(g, fd, place) && receive_answer(g, fd);
}

bool get_url(struct get *g)
{
	static struct place place;
	bool done;
	int fd;

	g->why[0] = '\0';
	if (!parse(g->url, &place))
		return fail(g, "this is no URL of the form https://HOST:PORT/PATH");
	if (!g->address && mtls_resolve(place.host, &g->address, RESOLVE_MS) != 0)
		return fail(g,
			    errno == ENOENT ? "the network knows no host of that name" : "the network does not answer");
	fd = mtls_socket(MTLS_AF_INET, MTLS_SOCK_STREAM, MTLS_IPPROTO_TLS_1_2);
	if (fd < 0)
		return fail(g, "all sockets are in use");
	done = fetch(g, fd, &place);
	mtls_close(fd);
	return done;
}
