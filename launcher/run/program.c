/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the program and its image; see program.h. Sources: exec(3), execve(2)
 * ("Interpreter scripts"), fs/binfmt_script.c, env(1).
 */
#include "launcher/run/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/binfmts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/run/say.h"

#define DEFAULT_PATH "/bin:/usr/bin" /* execvp(3), where PATH is unset */
#define SHELL        "/bin/sh"       /* to which execvp(3) gives a file that the kernel does not understand */
#define STEPS_MAX    9               /* four scripts, each found by env, and the program */
#define BLANKS       " \t"

/* As execve would answer, as far as that can be told beforehand: 0 or an errno. */
static int runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int search(const char *name, char **found)
{
	const char *folder = getenv("PATH");
	bool denied = false;

	if (!*name)
		return ENOENT;
	if (strchr(name, '/')) {
		int error = runnable(name);

		*found = error ? NULL : text("%s", name);
		return error;
	}
	for (folder = folder ? folder : DEFAULT_PATH;; folder++) {
		size_t n = strcspn(folder, ":");
		char *path = text("%.*s%s%s", (int)n, folder, n ? "/" : "", name);
		int error = runnable(path);

		if (!error) {
			*found = path;
			return 0;
		}
		free(path);
		denied = denied || error == EACCES;
		folder += n;
		if (!*folder)
			return denied ? EACCES : ENOENT;
	}
}

static bool is_env(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "env") == 0;
}

static bool is_word(const char *w, const char *a, const char *b)
{
	return strcmp(w, a) == 0 || strcmp(w, b) == 0;
}

/* The command among env's words, and whether env takes LD_PRELOAD away from it. */
static char *const *env_command(char *const *words, bool *preload_off)
{
	bool off = false;

	for (; *words; words++) {
		const char *w = *words;

		if (is_word(w, "-", "-i") || strcmp(w, "--ignore-environment") == 0 ||
		    is_word(w, "-uLD_PRELOAD", "--unset=LD_PRELOAD") || strncmp(w, "LD_PRELOAD=", 11) == 0) {
			off = true;
		} else if (words[1] && is_word(w, "-u", "--unset")) {
			words++;
			off = off || strcmp(*words, "LD_PRELOAD") == 0;
		} else if (words[1] && is_word(w, "-C", "--chdir")) {
			words++;
		} else if (w[0] != '-' && !strchr(w, '=')) {
			break;
		}
	}
	*preload_off = *preload_off || (*words && off);
	return words;
}

/* The beginning of a file, as much as the kernel looks at; in the end the words that its interpreter gets. */
struct script {
	char line[BINPRM_BUF_SIZE + 1];
	char *words[BINPRM_BUF_SIZE / 2 + 1];
};

/* What an env in a "#!" line is to take apart, as the kernel hands over one word only; NULL: nothing. */
static char *split_string(char *argument)
{
	static const char *const options[] = {"-S", "-vS", "--split-string="};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strncmp(argument, options[i], strlen(options[i])) == 0)
			return argument + strlen(options[i]);
	return NULL;
}

/*
 * The interpreter of a "#!" line, and its words; NULL where there is none. Quotes in a split string are not
 * understood: such a program is not found, and nothing is said about it.
 */
static const char *script_interpreter(struct script *s)
{
	char *line = s->line + 2, *interpreter, *argument, *split, *state;
	size_t n = 0;

	if (strncmp(s->line, "#!", 2) != 0)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	for (size_t end = strlen(line); end > 0 && strchr(BLANKS, line[end - 1]); end--)
		line[end - 1] = '\0';
	interpreter = line + strspn(line, BLANKS);
	argument = interpreter + strcspn(interpreter, BLANKS);
	if (*argument)
		*argument++ = '\0';
	argument += strspn(argument, BLANKS);
	split = split_string(argument);
	if (split)
		for (char *w = strtok_r(split, BLANKS, &state); w; w = strtok_r(NULL, BLANKS, &state))
			s->words[n++] = w;
	else if (*argument)
		s->words[n++] = argument;
	s->words[n] = NULL;
	return *interpreter ? interpreter : NULL;
}

/* One file on the way. true: it is the image. Else *next is the file that runs in its place, NULL: not to be told. */
static bool look_into(const char *path, struct script *s, struct elf *elf, char **next)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *interpreter;
	bool is_image;

	*next = NULL;
	if (fd < 0)
		return false;
	is_image = elf_read(elf_from_file, &fd, elf);
	if (!is_image) {
		ssize_t n = pread(fd, s->line, sizeof(s->line) - 1, 0);

		s->line[n > 0 ? n : 0] = '\0';
		s->words[0] = NULL;
		interpreter = script_interpreter(s);
		*next = text("%s", interpreter ? interpreter : SHELL);
	}
	close(fd);
	return is_image;
}

static void follow(struct program *p, char *const *words)
{
	struct script script;
	char *at = text("%s", p->path), *next;

	for (int step = 0; at && step < STEPS_MAX; step++, at = next) {
		words = is_env(at) ? env_command(words, &p->preload_off) : NULL;
		if (words && *words) {
			if (search(*words++, &next) != 0)
				next = NULL;
		} else if (look_into(at, &script, &p->elf, &next)) {
			p->image = at;
			return;
		} else {
			words = script.words;
		}
		free(at);
	}
	free(at);
}

int program_find(char *const argv[], struct program *out)
{
	int error;

	memset(out, 0, sizeof(*out));
	error = search(argv[0], &out->path);
	if (!error)
		follow(out, argv + 1);
	return error;
}

void program_free(struct program *p)
{
	free(p->path);
	free(p->image);
	memset(p, 0, sizeof(*p));
}
