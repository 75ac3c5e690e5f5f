/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of --explain; see explain.h. The lines' words are for programs too: tests/explain
 * and users' scripts read them.
 */
#include "launcher/run/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/run/handoff.h"
#include "launcher/run/library.h"
#include "launcher/run/reach.h"
#include "launcher/run/report.h"
#include "launcher/run/say.h"
#include "launcher/run/tls.h"

static const char *linkage_name(enum elf_linkage linkage)
{
	switch (linkage) {
	case ELF_DYNAMIC:
		return "dynamic";
	case ELF_STATIC:
		return "static";
	default:
		return "static-PIE";
	}
}

static void report_program(const char *kind, const struct program *p)
{
	const char *image = p->image ? p->image : "";

	if (!p->image)
		report_line(kind, NULL, NULL, "%s (what runs it cannot be told)", p->path);
	else if (strcmp(p->path, image) == 0)
		report_line(kind, NULL, NULL, "%s (%s, %s)", p->path, linkage_name(p->elf.linkage),
			    elf_machine_name(&p->elf));
	else
		report_line(kind, NULL, NULL, "%s, run by %s (%s, %s)", p->path, image, linkage_name(p->elf.linkage),
			    elf_machine_name(&p->elf));
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The program, and the one that it leaves TLS to; *obstacle: NULL, or the gravest one. */
static void examine(const struct program *p, const struct library *l, struct tls_report *r, char **obstacle)
{
	struct program other;
	enum handoff handoff = handoff_find(p, &other);

	if (handoff != HANDOFF_NONE)
		report_program("helper", &other);
	if (p->image && handoff != HANDOFF_BECOMES)
		tls_examine(p, NULL, l->path, &l->elf, r);
	if (handoff == HANDOFF_NONE)
		return;
	if (!*obstacle && handoff == HANDOFF_BECOMES)
		*obstacle = reach_obstacle((char *const[]){other.path, NULL}, &other, &l->elf);
	tls_examine(&other, base(other.image), l->path, &l->elf, r);
	program_free(&other);
}

static enum explain_verdict report_verdict(const struct tls_report *r, bool obstacle)
{
	size_t covered = 0;

	for (size_t i = 0; i < r->n; i++)
		covered += r->found[i].covered;
	if (obstacle || (r->n > 0 && covered == 0)) {
		report_line("verdict", "not", NULL, "no certificate is presented by this program");
		return EXPLAIN_NOT;
	}
	if (r->n == 0) {
		report_line("verdict", "unknown", NULL,
			    "no TLS library found; it may load one later or start helpers, which mtls-run reaches too");
		return EXPLAIN_PARTLY;
	}
	if (covered < r->n) {
		report_line("verdict", "partly", NULL, "what uses the others presents no certificate");
		return EXPLAIN_PARTLY;
	}
	report_line("verdict", "covered", NULL, "%s", "");
	return EXPLAIN_COVERED;
}

static enum explain_verdict report_reach(const struct options *o, const struct program *p, const struct library *l)
{
	const char *disable = getenv("MTLS_DISABLE");
	char *obstacle = disable && strcmp(disable, "1") == 0
				 ? text("MTLS_DISABLE is 1, so mtls-run does nothing; leave it out")
				 : reach_obstacle(o->program, p, &l->elf);
	struct tls_report r = {.n = 0};
	enum explain_verdict verdict;

	report_program("program", p);
	examine(p, l, &r, &obstacle);
	if (!obstacle && r.shim_refused)
		obstacle = text("%s: its loader does not take %s (another C library, as musl, or one older than glibc "
				"2.17); use a build of mtls-run for it",
				p->path, l->path);
	for (size_t i = 0; i < r.n; i++)
		report_line("tls", r.found[i].name, r.found[i].covered && !obstacle ? "covered" : "not-covered", "%s",
			    r.found[i].where);
	if (obstacle)
		report_line("obstacle", NULL, NULL, "%s", obstacle);
	if (r.doubt)
		report_line("note", NULL, NULL, "%s; only a part of its libraries was looked at", r.doubt);
	verdict = report_verdict(&r, obstacle != NULL);
	free(obstacle);
	tls_report_free(&r);
	return verdict;
}

int explain(const struct options *o)
{
	struct library library;
	struct program p;
	int error = program_find(o->program, &p), status = RUN_FAILED;

	if (error) {
		say("%s: %s; give the name of a program in PATH, or its path", o->program[0],
		    error == ENOENT ? "not found" : strerror(error));
		return RUN_FAILED;
	}
	if (library_find(&library)) {
		status = (int)report_reach(o, &p, &library);
		report_machine(o, library.cred);
		if (!report_end())
			status = RUN_FAILED;
		library_free(&library);
	}
	program_free(&p);
	return status;
}
