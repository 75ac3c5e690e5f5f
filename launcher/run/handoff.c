/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the other program; see handoff.h. Sources: POSIX sh (2.2, 2.6.2),
 * postgresql-common's pg_wrapper.
 */
#include "launcher/run/handoff.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/run/known.h"
#include "launcher/run/say.h"

#define SCRIPT_MAX    65536
#define VARIABLES_MAX 64
#define VALUE_MAX     4096
#define POSTGRESQL    "/usr/lib/postgresql"

struct shell {
	char *name[VARIABLES_MAX], *value[VARIABLES_MAX];
	size_t n;
};

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool find_image(const char *path, struct program *out)
{
	char *word = text("%s", path);
	int error = program_find((char *const[]){word, NULL}, out);

	free(word);
	if (error)
		return false;
	if (!out->image)
		program_free(out);
	return out->image != NULL;
}

/* --- scripts ---------------------------------------------------------------------- */

static size_t name_length(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *s >= '0' && *s <= '9' ? 0 : strspn(s, letters);
}

static const char *variable(const struct shell *sh, const char *name, size_t n)
{
	for (size_t i = sh->n; i-- > 0;)
		if (strncmp(sh->name[i], name, n) == 0 && sh->name[i][n] == '\0')
			return sh->value[i];
	return NULL;
}

/* "$NAME" or "${NAME}" at *p, which moves behind it. NULL: not so simple, or not known. */
static const char *expand_one(const struct shell *sh, const char **p)
{
	bool braces = (*p)[1] == '{';
	const char *name = *p + 1 + braces;
	size_t n = name_length(name);

	if (n == 0 || (braces && name[n] != '}'))
		return NULL;
	*p = name + n + braces;
	return variable(sh, name, n);
}

/* The next word of *p, which moves behind it. NULL: there is none, or it is not to be told. The caller frees. */
static char *expand_word(const struct shell *sh, const char **p)
{
	char word[VALUE_MAX];
	size_t n = 0;
	char quote = '\0';

	*p += strspn(*p, " \t");
	if (!**p)
		return NULL;
	while (**p && (quote || !strchr(" \t;&|", **p))) {
		char c = **p;
		char plain[2] = {c, '\0'};
		const char *add = plain;

		if ((c == '"' || c == '\'') && (!quote || quote == c)) {
			quote = (char)(quote ^ c); /* begins, or ends as it began */
			++*p;
			continue;
		}
		if (c == '$' && quote != '\'')
			add = expand_one(sh, p);
		else if (strchr("`\\*?(){}<>", c) && !quote)
			add = NULL;
		else
			++*p;
		if (!add || n + strlen(add) >= sizeof(word))
			return NULL;
		while (*add)
			word[n++] = *add++;
	}
	return quote ? NULL : text("%.*s", (int)n, word);
}

/* A variable whose value is not to be told is forgotten. */
static void assign(struct shell *sh, const char *line)
{
	size_t n = name_length(line);
	const char *value = line + n + 1;
	char *expanded;

	if (sh->n == VARIABLES_MAX)
		return;
	expanded = *value ? expand_word(sh, &value) : text("%s", "");
	sh->name[sh->n] = text("%.*s", (int)n, line);
	sh->value[sh->n++] = expanded;
}

/* The program of an "exec" line, in *out in place of an earlier one: the last one that exists counts. */
static bool execute(const struct shell *sh, const char *p, struct program *out, bool found)
{
	char *word = expand_word(sh, &p);
	struct program other;
	bool ok;

	if (word && strcmp(word, "-a") == 0) { /* and the name */
		free(word);
		free(expand_word(sh, &p));
		word = expand_word(sh, &p);
	}
	ok = word && *word && find_image(word, &other);
	free(word);
	if (!ok)
		return found;
	if (found)
		program_free(out);
	*out = other;
	return true;
}

static bool read_script(char *script, struct program *out)
{
	struct shell sh = {.n = 0};
	char *state;
	bool found = false;

	for (char *line = strtok_r(script, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		line += strspn(line, " \t");
		if (strncmp(line, "export ", 7) == 0)
			line += 7;
		if (name_length(line) > 0 && line[name_length(line)] == '=')
			assign(&sh, line);
		else if (strncmp(line, "exec ", 5) == 0)
			found = execute(&sh, line + 5, out, found);
	}
	for (size_t i = 0; i < sh.n; i++) {
		free(sh.name[i]);
		free(sh.value[i]);
	}
	return found;
}

static bool is_shell(const char *image)
{
	static const char *const shells[] = {"sh", "dash", "bash", "ash", "ksh", "zsh", "busybox"};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(base(image), shells[i]) == 0)
			return true;
	return false;
}

static bool find_executed(const struct program *p, struct program *out)
{
	int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *script;
	ssize_t n;
	bool found;

	if (fd < 0)
		return false;
	script = calloc(1, SCRIPT_MAX + 1);
	n = script ? pread(fd, script, SCRIPT_MAX, 0) : -1;
	close(fd);
	found = n > 0 && read_script(script, out);
	free(script);
	return found;
}

/* --- PostgreSQL, helpers ------------------------------------------------------------ */

/* Debian's wrapper takes the newest version, unless a cluster is named. */
static bool find_postgresql(const char *name, struct program *out)
{
	DIR *folder = opendir(POSTGRESQL);
	struct dirent *entry;
	int newest = 0;
	char *path;
	bool found;

	if (!folder)
		return false;
	while ((entry = readdir(folder)))
		if (atoi(entry->d_name) > newest)
			newest = atoi(entry->d_name);
	closedir(folder);
	path = text(POSTGRESQL "/%d/bin/%s", newest, name);
	found = find_image(path, out);
	free(path);
	return found;
}

/* /usr/bin/git: /usr/lib/git-core/… */
static bool find_helper(const char *program, struct program *out)
{
	char *real = realpath(program, NULL), *bin = real ? strrchr(real, '/') : NULL, *path;
	const char *helper;
	bool found = false;

	if (bin)
		*bin = '\0';
	bin = bin ? strrchr(real, '/') : NULL;
	for (int i = 0; bin && !found && (helper = known_helper(program, i)); i++) {
		path = text("%.*s/%s", (int)(bin - real), real, helper);
		found = find_image(path, out);
		free(path);
	}
	free(real);
	return found;
}

enum handoff handoff_find(const struct program *p, struct program *other)
{
	bool is_script = p->image && strcmp(p->path, p->image) != 0;
	char *real;
	bool found;

	if (!p->image)
		return HANDOFF_NONE;
	if (find_helper(p->path, other))
		return HANDOFF_STARTS;
	if (!is_script)
		return HANDOFF_NONE;
	if (is_shell(p->image))
		return find_executed(p, other) ? HANDOFF_BECOMES : HANDOFF_NONE;
	real = realpath(p->path, NULL);
	found = real && strcmp(base(real), "pg_wrapper") == 0 && find_postgresql(base(p->path), other);
	free(real);
	return found ? HANDOFF_BECOMES : HANDOFF_NONE;
}
