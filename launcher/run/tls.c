/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting together what the file, the loader and the tables tell; see tls.h.
 */
#include "launcher/run/tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/run/closure.h"
#include "launcher/run/fingerprint.h"
#include "launcher/run/known.h"
#include "launcher/run/say.h"

struct examination {
	const struct program *program;
	const char *via;
	bool agent; /* the key is with one */
	struct tls_report *report;
};

/* Takes where. The first of its kind counts: it is the nearest. remedy: of what is not covered; NULL: covered. */
static void add_with(const struct examination *x, const char *name, const char *remedy, char *where)
{
	struct tls_report *r = x->report;
	bool covered = !remedy;

	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->found[i].name, name) == 0 && r->found[i].covered == covered) {
			free(where);
			return;
		}
	}
	if (r->n == TLS_MAX) {
		free(where);
		return;
	}
	r->found[r->n++] = (struct tls_found){
		.name = name,
		.covered = covered,
		.where = text("%s%s%s%s%s", where, x->via ? ", in " : "", x->via ? x->via : "", covered ? "" : "; ",
			      covered ? "" : remedy),
	};
	free(where);
}

static void add(const struct examination *x, const char *name, bool covered, char *where)
{
	add_with(x, name, covered ? NULL : known_remedy(name, x->program->image), where);
}

static void doubt(const struct examination *x, const char *what, const char *why)
{
	if (!x->report->doubt)
		x->report->doubt = text("%s: %s", what, why);
}

static enum flavour look_inside(const struct examination *x, const char *path, enum fingerprint_effort effort)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum flavour flavour = FLAVOUR_NONE;
	bool cut;

	if (fd < 0)
		return FLAVOUR_NONE;
	flavour = fingerprint(fd, effort, &cut);
	if (cut && flavour == FLAVOUR_NONE)
		doubt(x, path, "it is too large to be searched to its end for TLS inside");
	close(fd);
	return flavour;
}

/* By what a node was loaded: "libssl.so.3", "libssl.so.3, through libcurl.so.4". */
static char *place_of(const struct closure *c, size_t i)
{
	const struct closure_node *node = &c->node[i];

	if (node->parent >= 0)
		return text("%s, through %s", node->name, c->node[node->parent].name);
	return text("%s%s", node->name, node->parent == CLOSURE_NOBODY ? ", loaded beside the program" : "");
}

static bool module_is_there(const struct closure_node *node, const char *module)
{
	const char *slash = node->path ? strrchr(node->path, '/') : NULL;
	char *path;
	bool there;

	if (!module)
		return true;
	if (!slash)
		return false;
	path = text("%.*s/%s", (int)(slash - node->path), node->path, module);
	there = access(path, R_OK) == 0;
	free(path);
	return there;
}

static void examine_hosts(const struct examination *x, const struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct known_host *host = NULL;

		while ((host = known_host_next(c->node[i].name, host))) {
			if (module_is_there(&c->node[i], host->module)) {
				char *place = place_of(c, i);

				add(x, host->tls.name, host->tls.covered, text("%s (%s)", host->how, place));
				free(place);
			}
		}
	}
}

/* TLS linked into a library of the closure, as in QtWebEngine. What is called libssl has it of right. */
static void examine_insides(const struct examination *x, const struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		enum flavour flavour;
		char *place;

		if (!c->node[i].path || known_soname(c->node[i].name))
			continue;
		flavour = look_inside(x, c->node[i].path, FINGERPRINT_QUICK);
		if (flavour == FLAVOUR_NONE)
			continue;
		place = place_of(c, i);
		add(x, flavour_name(flavour), false, text("inside %s", place));
		free(place);
	}
}

/* direct_only: what a program has inside is what it uses, unless it asks for a library as well. */
static void examine_closure(const struct examination *x, const struct closure *c, bool direct_only)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct known_tls *tls = known_soname(c->node[i].name);

		if (!tls || (direct_only && c->node[i].parent != CLOSURE_PROGRAM))
			continue;
		if (x->agent && known_needs_file(c->node[i].name))
			add_with(x, tls->name, "an agent needs OpenSSL 3: use a build of it that links libssl.so.3",
				 place_of(c, i));
		else
			add(x, tls->name, tls->covered, place_of(c, i));
	}
	if (!direct_only) {
		examine_hosts(x, c);
		examine_insides(x, c);
	}
}

/* Mozilla's programs link nothing: the libraries are in a list beside them. */
static void examine_mozilla(const struct examination *x)
{
	char *image = realpath(x->program->image, NULL), *path, line[ELF_NAME_MAX];
	FILE *list;

	if (!image)
		return;
	path = text("%.*s/dependentlibs.list", (int)(strrchr(image, '/') - image), image);
	list = fopen(path, "re");
	for (int n = 0; list && n < 100 && fgets(line, sizeof(line), list); n++) {
		const struct known_tls *tls;

		line[strcspn(line, "\r\n")] = '\0';
		tls = known_soname(line);
		if (tls)
			add(x, tls->name, tls->covered, text("%s, from dependentlibs.list", line));
	}
	if (list)
		fclose(list);
	free(path);
	free(image);
}

void tls_examine(const struct program *p, const char *via, const char *shim, const struct elf *library,
		 struct tls_report *out)
{
	const char *agent = getenv("MTLS_AGENT");
	struct examination x = {p, via, agent && *agent, out};
	enum flavour inside = look_inside(&x, p->image, FINGERPRINT_FULL);
	const char *how = known_interpreter(p->image);
	struct closure closure;

	if (inside != FLAVOUR_NONE)
		add(&x, flavour_name(inside), false, text("inside the program itself"));
	if (p->elf.linkage != ELF_DYNAMIC || !elf_same_machine(&p->elf, library))
		return;
	closure_read(p->image, shim, &closure);
	if (closure.doubt)
		doubt(&x, p->image, closure.doubt);
	out->shim_refused = out->shim_refused || closure.shim_refused;
	examine_closure(&x, &closure, inside != FLAVOUR_NONE && inside != FLAVOUR_UNKNOWN);
	if (inside == FLAVOUR_NONE) {
		if (how)
			add(&x, "OpenSSL", true, text("%s", how));
		examine_mozilla(&x);
	}
	closure_free(&closure);
}

void tls_report_free(struct tls_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->found[i].where);
	free(r->doubt);
	memset(r, 0, sizeof(*r));
}
