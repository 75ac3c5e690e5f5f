/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of known.h. Measured on Debian 12 with some ninety programs; the names of
 * the other distributions are alike.
 */
#include "launcher/run/known.h"

#include <stddef.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* A name that ends in "*" is the beginning of one. The first that fits counts. */
static const struct {
	const char *soname;
	struct known_tls tls;
} libraries[] = {
	{"libssl.so.3", {"OpenSSL", true}},     {"libssl.so.1.1", {"OpenSSL", true}},
	{"libssl.so.*", {"OpenSSL", false}}, /* 1.0.2, LibreSSL */
	{"libgnutls.so.30", {"GnuTLS", true}},  {"libgnutls.so.*", {"GnuTLS", false}},
	{"libssl3.so", {"NSS", false}},         {"libmbedtls.so*", {"mbedTLS", false}},
	{"libwolfssl.so*", {"wolfSSL", false}}, {"libs2n.so*", {"s2n", false}},
	{"libssl.so", {"BoringSSL", false}}, /* or AWS-LC: OpenSSL has a number */
};

static const struct known_host hosts[] = {
	{"libjli.so", NULL, {"Java", false}, "Java has TLS of its own"},
	{"libQt5Network.so.", NULL, {"OpenSSL", true}, "libssl, loaded when it is needed"},
	{"libQt6Network.so.",
	 "qt6/plugins/tls/libqopensslbackend.so",
	 {"OpenSSL", true},
	 "libssl, loaded by its module"},
	{"libgio-2.0.so.", "gio/modules/libgiognutls.so", {"GnuTLS", true}, "libgnutls.so.30, loaded by its module"},
	{"libgio-2.0.so.", "gio/modules/libgioopenssl.so", {"OpenSSL", true}, "libssl, loaded by its module"},
	{"libgstreamer-1.0.so.",
	 "gstreamer-1.0/libgstsoup.so",
	 {"GnuTLS", true},
	 "libgnutls.so.30, loaded by modules of its plug-in"},
	{"libvlccore.so.",
	 "vlc/plugins/misc/libgnutls_plugin.so",
	 {"GnuTLS", true},
	 "libgnutls.so.30, loaded by its plug-in"},
	{"libpurple.so.", "purple-2/ssl-gnutls.so", {"GnuTLS", true}, "libgnutls.so.30, loaded by its plug-in"},
	{"libpurple.so.", "purple-2/ssl-nss.so", {"NSS", false}, "libssl3.so, loaded by its plug-in"},
	{"libpython3.", NULL, {"OpenSSL", true}, "libssl, when Python's ssl module is loaded"},
	{"libperl.so.", NULL, {"OpenSSL", true}, "libssl, when Perl's Net::SSLeay is loaded"},
};

static const struct {
	const char *name, *how;
} interpreters[] = {
	{"python", "libssl, when the program loads the ssl module"},
	{"perl", "libssl, when the program loads Net::SSLeay"},
	{"ruby", "libssl, when the program loads the openssl extension"},
	{"php", "libssl, when the program loads the openssl extension"},
	{"lua", "libssl, when the program loads LuaSec"},
	{"tclsh", "libssl, when the program loads the tls package"},
	{"wish", "libssl, when the program loads the tls package"},
};

static const struct {
	const char *name, *helpers[2];
} helpers[] = {
	{"git", {"lib/git-core/git-remote-https", "libexec/git-core/git-remote-https"}},
	{"rsync-ssl", {"bin/openssl"}},
	{"apt-helper", {"apt/methods/https"}}, /* is in /usr/lib/apt */
	{"apt", {"lib/apt/methods/https"}},
	{"apt-get", {"lib/apt/methods/https"}},
	{"aptitude", {"lib/apt/methods/https"}},
	{"aptitude-curses", {"lib/apt/methods/https"}},
};

static const struct {
	const char *name, *program, *remedy; /* program: NULL: any */
} remedies[] = {
	{"OpenSSL", "node",
	 "use a node that links libssl, as Debian's nodejs, or a file that gives tls.connect cert and key: "
	 "NODE_OPTIONS='--require FILE.cjs'"},
	{"OpenSSL", NULL, "use a build of it that links libssl.so.3 or libssl.so.1.1"},
	{"GnuTLS", NULL, "use a build of it that links libgnutls.so.30"},
	{"Java", NULL,
	 "give Java the certificate: -Djavax.net.ssl.keyStore=FILE.p12 -Djavax.net.ssl.keyStorePassword=…"},
	{"NSS", NULL, "import the certificate into the program's own NSS database (pk12util -i FILE.p12 -d DIR)"},
	{"BoringSSL", NULL,
	 "use its own setting for a client certificate (a browser: import it, pk12util -d sql:$HOME/.pki/nssdb)"},
	{"rustls", NULL, "use its own option for a client certificate, or a build of it with OpenSSL (native-tls)"},
};

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool fits(const char *soname, const char *pattern)
{
	size_t n = strlen(pattern);

	return pattern[n - 1] == '*' ? strncmp(soname, pattern, n - 1) == 0 : strcmp(soname, pattern) == 0;
}

const struct known_tls *known_soname(const char *soname)
{
	for (size_t i = 0; i < LENGTH(libraries); i++)
		if (fits(soname, libraries[i].soname))
			return &libraries[i].tls;
	return NULL;
}

bool known_needs_file(const char *soname)
{
	return strcmp(soname, "libssl.so.1.1") == 0;
}

const struct known_host *known_host_next(const char *soname, const struct known_host *before)
{
	for (const struct known_host *h = before ? before + 1 : hosts; h < hosts + LENGTH(hosts); h++)
		if (starts_with(soname, h->soname))
			return h;
	return NULL;
}

/* "python3.11" is python, "pythonic" is not. */
const char *known_interpreter(const char *image)
{
	const char *name = base(image);

	for (size_t i = 0; i < LENGTH(interpreters); i++) {
		const char *rest = name + strlen(interpreters[i].name);

		if (starts_with(name, interpreters[i].name) && (!*rest || (*rest >= '0' && *rest <= '9')))
			return interpreters[i].how;
	}
	return NULL;
}

const char *known_helper(const char *program, int i)
{
	for (size_t k = 0; k < LENGTH(helpers); k++)
		if (strcmp(base(program), helpers[k].name) == 0)
			return i < (int)LENGTH(helpers[k].helpers) ? helpers[k].helpers[i] : NULL;
	return NULL;
}

const char *known_remedy(const char *name, const char *image)
{
	for (size_t i = 0; i < LENGTH(remedies); i++)
		if (strcmp(name, remedies[i].name) == 0 &&
		    (!remedies[i].program || strcmp(base(image), remedies[i].program) == 0))
			return remedies[i].remedy;
	return "use its own option for a client certificate";
}
