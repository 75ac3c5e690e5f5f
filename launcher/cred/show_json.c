/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred show --json: one object in one line. Every key is there in every state, in the order of the contract
 * (section 4); what there is not is null, or an empty list. The device's `status --json` has the same keys and forms.
 */
#include "launcher/cred/facts.h"

#include <json-c/json.h>

/* Without memory for one value nothing is printed: a null would be taken for "there is none". */
static bool add(json_object *o, const char *key, json_object *value)
{
	if (value && json_object_object_add(o, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_string(json_object *o, const char *key, const char *value)
{
	if (!value || !*value)
		return json_object_object_add(o, key, NULL) == 0;
	return add(o, key, json_object_new_string(value));
}

static bool add_moment(json_object *o, const char *key, const ASN1_TIME *time)
{
	char text[24] = "";

	if (time)
		cred_moment(time, text);
	return add_string(o, key, text);
}

static bool add_list(json_object *o, const char *key, const struct cred_list *values)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < values->n; i++) {
		json_object *item = json_object_new_string(values->item[i]);

		if (item && json_object_array_add(list, item) == 0)
			continue;
		json_object_put(item);
		json_object_put(list);
		return false;
	}
	return add(o, key, list);
}

bool cred_show_json(const struct cred_facts *f)
{
	json_object *o = json_object_new_object();
	const char *text = NULL;

	if (o && add_string(o, "state", cred_state_word(f->state)) && add_string(o, "reason", f->reason) &&
	    add_string(o, "subject", f->subject) && add_string(o, "issuer", f->issuer) &&
	    add_list(o, "names", &f->names) && add_string(o, "key", f->key) && add_moment(o, "not_before", f->from) &&
	    add_moment(o, "not_after", f->until) && add_string(o, "sha1", f->sha1) &&
	    add_string(o, "sha256", f->sha256) && add_list(o, "chain", &f->chain) &&
	    add_list(o, "warnings", &f->warnings))
		text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		puts(text);
	json_object_put(o);
	return text;
}
