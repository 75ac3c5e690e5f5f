/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a credential may be, from the environment alone (contract, sections 1
 * and 3). Nothing is opened or looked at here: see reading.c. Everything is copied, so that a
 * later setenv(3) or chdir(2) of the program changes nothing.
 */
#include "host/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The value as it stands in envp, "" included; NULL where there is none. */
static const char *find(char *const envp[], const char *name)
{
	size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* An empty variable counts as unset. */
static const char *set_value(char *const envp[], const char *name)
{
	const char *value = find(envp, name);

	return value && *value ? value : NULL;
}

static char *join(const char *folder, const char *name)
{
	size_t n = strlen(folder), m = strlen(name);
	bool slash = n && *name && folder[n - 1] != '/';
	char *path = malloc(n + slash + m + 1);

	if (path) {
		memcpy(path, folder, n);
		if (slash)
			path[n] = '/';
		memcpy(path + n + slash, name, m + 1);
	}
	return path;
}

/* A copy of path, absolute; notes in *env where that was not possible. */
static char *absolute(struct mtls_environment *env, const char *path)
{
	char *here, *result;

	if (path[0] == '/') {
		result = strdup(path);
	} else {
		here = getcwd(NULL, 0);
		result = here ? join(here, path) : NULL;
		free(here);
	}
	if (!result)
		env->incomplete = true;
	return result;
}

static struct mtls_place *add_folder(struct mtls_environment *env, const char *folder, const char *why)
{
	struct mtls_place *place = &env->place[env->n_places++];

	memset(place, 0, sizeof(*place));
	place->why = why;
	place->folder = absolute(env, folder);
	for (int i = 0; place->folder && i < MTLS_FILES; i++) {
		place->file[i] = join(place->folder, mtls_part_file((enum mtls_part)i));
		if (!place->file[i])
			env->incomplete = true;
	}
	return place;
}

static void add_default(struct mtls_environment *env, const char *base, const char *below, const char *why)
{
	char *folder;

	if (!base || base[0] != '/')
		return;
	folder = join(base, below);
	if (folder)
		add_folder(env, folder, why);
	else
		env->incomplete = true;
	free(folder);
}

static void add_files(struct mtls_environment *env, char *const envp[], const char *cert)
{
	struct mtls_place *place = &env->place[env->n_places++];
	const char *value[MTLS_FILES] = {cert, set_value(envp, "MTLS_KEY"), set_value(envp, "MTLS_KEY_PASS_FILE"),
					 NULL};

	if (!value[MTLS_KEY])
		value[MTLS_KEY] = cert;
	memset(place, 0, sizeof(*place));
	place->why = "MTLS_CERT";
	place->named = true;
	for (int i = 0; i < MTLS_FILES; i++) {
		place->named_file[i] = value[i] != NULL;
		place->file[i] = value[i] ? absolute(env, value[i]) : NULL;
	}
}

static void read_places(struct mtls_environment *env, char *const envp[])
{
	const char *cert = set_value(envp, "MTLS_CERT"), *dir = set_value(envp, "MTLS_DIR");
	const char *config = set_value(envp, "XDG_CONFIG_HOME");

	if (cert) {
		add_files(env, envp, cert);
	} else if (dir) {
		add_folder(env, dir, "MTLS_DIR")->named = true;
	} else {
		add_default(env, set_value(envp, "CREDENTIALS_DIRECTORY"), "", "CREDENTIALS_DIRECTORY");
		if (config && config[0] == '/')
			add_default(env, config, "mtls", "the user's configuration");
		else
			add_default(env, set_value(envp, "HOME"), ".config/mtls", "the user's configuration");
		add_default(env, "/etc", "mtls", "the system's configuration");
	}
}

void mtls_environment_read(struct mtls_environment *env, char *const envp[])
{
	const char *value;

	memset(env, 0, sizeof(*env));
	value = set_value(envp, "MTLS_DISABLE");
	env->disable = value && strcmp(value, "1") == 0;
	env->bad_disable = value && !env->disable && strcmp(value, "0") != 0;
	for (int i = 0; i < MTLS_SETTINGS; i++) {
		value = find(envp, mtls_setting_variable((enum mtls_setting)i));
		if (!value || (!*value && i != MTLS_HOSTS))
			continue;
		env->setting[i] = strdup(value);
		if (!env->setting[i])
			env->incomplete = true;
	}
	value = set_value(envp, "MTLS_LOG_FILE");
	env->log_file = value ? absolute(env, value) : NULL;
	value = set_value(envp, "MTLS_AGENT");
	env->agent = value ? absolute(env, value) : NULL;
	read_places(env, envp);
}

static void free_places(struct mtls_environment *env)
{
	for (size_t i = 0; i < env->n_places; i++) {
		free(env->place[i].folder);
		for (int k = 0; k < MTLS_FILES; k++)
			free(env->place[i].file[k]);
	}
	env->n_places = 0;
}

void mtls_environment_folder(struct mtls_environment *env, const char *dir, const char *why)
{
	free_places(env);
	add_folder(env, dir, why)->named = true;
}

void mtls_environment_free(struct mtls_environment *env)
{
	free_places(env);
	for (int i = 0; i < MTLS_SETTINGS; i++)
		free(env->setting[i]);
	free(env->log_file);
	free(env->agent);
	memset(env, 0, sizeof(*env));
}

void mtls_environment_policy(const struct mtls_environment *env, struct mtls_policy *policy)
{
	mtls_policy_init(policy);
	policy->agent = env->agent != NULL;
	for (int i = 0; i < MTLS_SETTINGS; i++)
		if (env->setting[i])
			mtls_policy_set(policy, (enum mtls_setting)i, mtls_bytes_of(env->setting[i]));
	if (env->bad_disable && policy->error.reason == MTLS_USABLE) {
		mtls_fail(&policy->error, MTLS_BAD_SETTING, MTLS_SETTING, mtls_bytes_of("neither 0 nor 1"));
		policy->error.setting = "disable";
	}
}
