/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the loader; see closure.h. To name a loader is to name a program that will run, and a
 * file can name any: it is asked only if it is root's and called like one. DT_AUDIT would
 * make even a true loader run the file's choice of code while it lists, so such files are not listed.
 */
#include "launcher/run/closure.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/run/child.h"
#include "launcher/run/elf.h"
#include "launcher/run/listing.h"
#include "launcher/run/say.h"

#define NODES_MAX 4096

struct asks {
	struct closure *closure;
	int parent;
	size_t *order, *n_order; /* of nodes in the order in which they were first asked for */
	char *loader;
	bool audit;
};

static int find_node(const struct closure *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->n; i++)
		if (strncmp(c->node[i].name, name, n) == 0 && c->node[i].name[n] == '\0')
			return (int)i;
	return -1;
}

static void add_node(struct closure *c, struct mtls_bytes name, struct mtls_bytes path)
{
	struct closure_node *longer;

	if (c->n == NODES_MAX || find_node(c, (const char *)name.p, name.n) >= 0)
		return;
	longer = realloc(c->node, (c->n + 1) * sizeof(*longer));
	if (!longer)
		return;
	c->node = longer;
	c->node[c->n++] = (struct closure_node){
		.name = text("%.*s", (int)name.n, (const char *)name.p),
		.path = path.n ? text("%.*s", (int)path.n, (const char *)path.p) : NULL,
		.parent = CLOSURE_NOBODY,
	};
}

static void visit_file(const char *path, const struct elf_visitor *v)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return;
	elf_visit(elf_from_file, &fd, v);
	close(fd);
}

/* --- what the program itself tells ------------------------------------------ */

static void take_interpreter(void *context, const char *path)
{
	struct asks *asks = context;

	free(asks->loader);
	asks->loader = text("%s", path);
}

static void take_audit(void *context)
{
	struct asks *asks = context;

	asks->audit = true;
}

/* As a node, for where the loader is not asked. */
static void take_needed(void *context, const char *name)
{
	struct asks *asks = context;
	int i;

	add_node(asks->closure, (struct mtls_bytes){(const unsigned char *)name, strlen(name)},
		 (struct mtls_bytes){NULL, 0});
	i = find_node(asks->closure, name, strlen(name));
	if (i >= 0)
		asks->closure->node[i].parent = CLOSURE_PROGRAM;
}

/* --- asking ------------------------------------------------------------------- */

static bool called_like_a_loader(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return path[0] == '/' &&
	       (strncmp(name, "ld-", 3) == 0 || strncmp(name, "ld.so", 5) == 0 || strncmp(name, "ld64.so", 7) == 0);
}

static bool trusted(const char *loader)
{
	struct stat st;

	return stat(loader, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       !(st.st_mode & S_ISUID);
}

/* Our environment, in which the loader looks for libraries as it will in the real run. */
static char **loader_environment(char *preload)
{
	static const char *const off[] = {"LD_PRELOAD=", "LD_AUDIT=", "LD_DEBUG",     "LD_TRACE_", "LD_VERBOSE=",
					  "LD_WARN=",    "LD_BIND_",  "LD_SHOW_AUXV", "LD_PROFILE"};
	char **envp = child_environment(off, sizeof(off) / sizeof(off[0]));
	size_t n = 0;

	while (envp && envp[n])
		n++;
	if (envp)
		envp[n] = preload; /* child_environment leaves room */
	return envp;
}

/* By its real name: a loader that is started by hand does not resolve links for $ORIGIN. */
static bool ask(const char *loader, const char *image, const char *shim, struct child *answer)
{
	char *file = realpath(image, NULL), *list_option = text("--list"), *first = text("%s", loader);
	char *preload = shim ? text("LD_PRELOAD=%s", shim) : NULL;
	char **envp = loader_environment(preload);
	bool can = file && envp;

	if (can)
		child_run((char *const[]){first, list_option, file, NULL}, envp, true, answer);
	free(envp);
	free(file);
	free(list_option);
	free(first);
	free(preload);
	return can;
}

/* Takes the answer apart; has it the shim? */
static bool take_answer(struct closure *c, const char *answer, const char *shim)
{
	struct listing_line line;
	bool has_shim = false;

	while (listing_next(&answer, &line)) {
		if (shim && line.path.n == strlen(shim) && memcmp(line.path.p, shim, line.path.n) == 0)
			has_shim = true;
		else
			add_node(c, line.name, line.path);
	}
	return has_shim;
}

/*
 * glibc exits with 0 even where it refuses a preload: only the shim's line on standard output together with silence on
 * standard error means yes, and only a list that succeeds without it means no. musl lists nothing where it refuses.
 */
static bool list(const char *loader, const char *image, const char *shim, struct closure *c)
{
	struct child answer;
	bool ok;

	if (!ask(loader, image, shim, &answer))
		return false;
	ok = take_answer(c, answer.output, shim) && answer.status == 0 && answer.error_is_empty;
	free(answer.output);
	if (ok || !ask(loader, image, NULL, &answer))
		return ok;
	take_answer(c, answer.output, NULL);
	ok = answer.status == 0 && c->n > 0;
	c->shim_refused = ok && answer.error_is_empty;
	free(answer.output);
	return ok;
}

/* --- who asks for what ---------------------------------------------------------- */

static void take_child(void *context, const char *name)
{
	struct asks *asks = context;
	int i = find_node(asks->closure, name, strlen(name));

	if (i < 0 || asks->closure->node[i].parent != CLOSURE_NOBODY)
		return;
	asks->closure->node[i].parent = asks->parent;
	asks->order[(*asks->n_order)++] = (size_t)i;
}

/* Breadth first; then the nodes are put into that order, and the parents with them. */
static void find_parents(const char *image, struct closure *c)
{
	size_t *order = calloc(c->n, sizeof(*order)), *place = calloc(c->n, sizeof(*place)), n = 0;
	struct closure_node *sorted = calloc(c->n, sizeof(*sorted));
	struct asks asks = {.closure = c, .parent = CLOSURE_PROGRAM, .order = order, .n_order = &n};
	struct elf_visitor visitor = {.context = &asks, .needed = take_child};

	if (order && place && sorted) {
		visit_file(image, &visitor);
		for (size_t i = 0; i < n; i++) {
			asks.parent = (int)order[i];
			if (c->node[order[i]].path)
				visit_file(c->node[order[i]].path, &visitor);
		}
		for (size_t i = 0; i < c->n; i++)
			if (c->node[i].parent == CLOSURE_NOBODY)
				order[n++] = i;
		for (size_t i = 0; i < n; i++)
			place[order[i]] = i;
		for (size_t i = 0; i < n; i++) {
			sorted[i] = c->node[order[i]];
			if (sorted[i].parent >= 0)
				sorted[i].parent = (int)place[sorted[i].parent];
		}
		free(c->node);
		c->node = sorted;
		sorted = NULL;
	}
	free(order);
	free(place);
	free(sorted);
}

void closure_read(const char *image, const char *shim, struct closure *out)
{
	struct asks asks = {.closure = out};
	struct elf_visitor first = {.context = &asks, .interpreter = take_interpreter, .audit = take_audit};
	struct elf_visitor direct = {.context = &asks, .needed = take_needed};

	memset(out, 0, sizeof(*out));
	visit_file(image, &first);
	if (!asks.loader)
		out->doubt = "the file names no loader";
	else if (asks.audit)
		out->doubt = "the file wants code of its own to run in the loader (DT_AUDIT)";
	else if (!called_like_a_loader(asks.loader) || !trusted(asks.loader))
		out->doubt = "the file names a loader that is not one of the system's";
	else if (!list(asks.loader, image, shim, out))
		out->doubt = "the loader does not list this program";
	free(asks.loader);
	if (out->n > 0)
		find_parents(image, out);
	else
		visit_file(image, &direct);
}

void closure_free(struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->node[i].name);
		free(c->node[i].path);
	}
	free(c->node);
	memset(c, 0, sizeof(*c));
}
