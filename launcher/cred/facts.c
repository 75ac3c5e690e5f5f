/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers what there is to know of the credential; see facts.h. Nothing is
 * judged here: the state comes from host/ and core/, the warnings from warnings.c.
 */
#include "launcher/cred/facts.h"

#include "core/address.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UPN "1.3.6.1.4.1.311.20.2.3" /* user principal name, of Microsoft's directories */

/* Takes text, which is NULL without memory, and makes it printable. */
static bool push(struct cred_list *list, char *text)
{
	char **longer = text ? reallocarray(list->item, list->n + 1, sizeof(*longer)) : NULL;

	if (!longer) {
		free(text);
		return false;
	}
	cred_printable(text);
	list->item = longer;
	list->item[list->n++] = text;
	return true;
}

static void free_list(struct cred_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->item[i]);
	free(list->item);
}

static char *joined(const char *kind, const unsigned char *p, int n)
{
	char *text = malloc(strlen(kind) + (size_t)n + 2);
	size_t at;

	if (!text)
		return NULL;
	at = (size_t)sprintf(text, "%s:", kind);
	for (int i = 0; i < n; i++, at++)
		text[at] = (char)(p[i] > ' ' && p[i] <= '~' ? p[i] : '?');
	text[at] = '\0';
	return text;
}

static char *joined_text(const char *kind, const char *text)
{
	return text ? joined(kind, (const unsigned char *)text, (int)strlen(text)) : NULL;
}

static char *other_name(const OTHERNAME *other)
{
	const ASN1_STRING *value = other->value->value.asn1_string;
	char oid[80];

	OBJ_obj2txt(oid, sizeof(oid), other->type_id, 1);
	if (strcmp(oid, UPN) == 0 && other->value->type == V_ASN1_UTF8STRING)
		return joined("UPN", ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
	return joined_text("otherName", oid);
}

static char *general_name(const GENERAL_NAME *name)
{
	static const char *const kinds[] = {[GEN_EMAIL] = "email", [GEN_DNS] = "DNS", [GEN_URI] = "URI"};
	struct mtls_addr address;
	char text[80], *above, *line;

	switch (name->type) {
	case GEN_EMAIL:
	case GEN_DNS:
	case GEN_URI:
		return joined(kinds[name->type], ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
	case GEN_IPADD:
		mtls_addr_set(&address, ASN1_STRING_get0_data(name->d.ip), (size_t)ASN1_STRING_length(name->d.ip), 0);
		return joined_text("IP", mtls_addr_print(&address, text));
	case GEN_DIRNAME:
		above = cred_name(name->d.directoryName);
		line = joined_text("dirName", above);
		free(above);
		return line;
	case GEN_RID:
		OBJ_obj2txt(text, sizeof(text), name->d.rid, 1);
		return joined_text("RID", text);
	case GEN_OTHERNAME:
		return other_name(name->d.otherName);
	default:
		return joined_text("other", "?");
	}
}

static bool gather_names(struct cred_facts *f, X509 *leaf)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool ok = true;

	for (int i = 0; ok && i < sk_GENERAL_NAME_num(names); i++)
		ok = push(&f->names, general_name(sk_GENERAL_NAME_value(names, i)));
	GENERAL_NAMES_free(names);
	return ok;
}

static char *key_text(const struct mtls_identity *id)
{
	EVP_PKEY *key = X509_get0_pubkey(id->leaf);
	const char *name = NULL;
	char *text;

	switch (id->type) {
	case MTLS_KEY_ED25519:
		return strdup("Ed25519");
	case MTLS_KEY_ED448:
		return strdup("Ed448");
	case MTLS_KEY_P256:
	case MTLS_KEY_P384:
	case MTLS_KEY_P521:
		return asprintf(&text, "EC P-%d", EVP_PKEY_bits(key)) < 0 ? NULL : text;
	case MTLS_KEY_RSA:
		name = "RSA";
		break;
	case MTLS_KEY_RSA_PSS:
		name = "RSA-PSS";
		break;
	case MTLS_KEY_EC_OTHER:
		name = "EC";
		break;
	case MTLS_KEY_OTHER:
		name = OBJ_nid2sn(EVP_PKEY_base_id(key));
		break;
	}
	return asprintf(&text, "%s %d", name ? name : "unknown", EVP_PKEY_bits(key)) < 0 ? NULL : text;
}

static bool gather_chain(struct cred_facts *f, const struct mtls_identity *id)
{
	bool ok = push(&f->chain, cred_name(X509_get_subject_name(id->leaf)));

	for (int i = 0; ok && i < sk_X509_num(id->chain); i++)
		ok = push(&f->chain, cred_name(X509_get_subject_name(sk_X509_value(id->chain, i))));
	return ok;
}

static bool gather_leaf(struct cred_facts *f, const struct mtls_identity *id)
{
	f->subject = cred_name(X509_get_subject_name(id->leaf));
	f->issuer = cred_name(X509_get_issuer_name(id->leaf));
	f->key = key_text(id);
	f->from = X509_get0_notBefore(id->leaf);
	f->until = X509_get0_notAfter(id->leaf);
	cred_sha1(id->leaf, f->sha1);
	memcpy(f->sha256, id->sha256, sizeof(f->sha256));
	return f->subject && f->issuer && f->key && gather_names(f, id->leaf) && gather_chain(f, id);
}

struct taking {
	struct cred_list *list;
	const struct mtls_place *place;
	bool ok;
};

/* What is about the certificate stands alone, as on the device, which has no files. */
static void take_warning(void *context, enum mtls_part part, const char *text)
{
	struct taking *taking = context;
	char *line = NULL;

	if (part == MTLS_CERT || part == MTLS_NOTHING)
		line = strdup(text);
	else if (asprintf(&line, "%s: %s", taking->place->file[part], text) < 0)
		line = NULL;
	taking->ok = push(taking->list, line) && taking->ok;
}

static bool gather_warnings(struct cred_facts *f, const struct cred *cred, const struct cred_credential *credential)
{
	const struct mtls_error *setting = &credential->reading.policy.error;
	struct taking taking = {&f->warnings, credential->reading.mark.place, true};
	char *line, *sentence;

	if (f->state == MTLS_STATE_USABLE)
		cred_warnings(credential, cred->env.agent, take_warning, &taking);
	if (f->state == MTLS_STATE_BROKEN)
		taking.ok = push(&f->warnings, strdup(f->why));
	if (setting->reason != MTLS_USABLE) {
		sentence = cred_sentence(&credential->reading, setting);
		if (!sentence || asprintf(&line, "%s; no certificate is presented", sentence) < 0)
			line = NULL;
		free(sentence);
		taking.ok = push(&f->warnings, line) && taking.ok;
	}
	return taking.ok;
}

/* One that is not is a warning. */
static bool gather_agent(struct cred_facts *f, const struct cred *cred, const struct cred_credential *credential)
{
	if (cred->env.agent && credential->agent == MTLS_AGENT_READY) {
		f->agent = cred_agent_ready(cred->env.agent, credential);
		return f->agent;
	}
	return true;
}

static int status_of(const struct cred_facts *f, const struct cred_credential *credential)
{
	if (credential->reading.policy.error.reason != MTLS_USABLE)
		return CRED_FAILED;
	switch (f->state) {
	case MTLS_STATE_USABLE:
		return f->warnings.n ? CRED_WARNINGS : CRED_DONE;
	case MTLS_STATE_ABSENT:
	case MTLS_STATE_REMOVED:
		return CRED_ABSENT;
	default:
		return CRED_FAILED;
	}
}

bool cred_facts_gather(struct cred_facts *f, const struct cred *cred, const struct cred_credential *credential)
{
	const struct mtls_place *place = credential->reading.mark.place;

	memset(f, 0, sizeof(*f));
	f->state = mtls_reason_state(credential->reason);
	f->reason = mtls_reason_word(credential->reason);
	if (place) {
		f->place = cred_place(place);
		if (!f->place)
			return false;
	}
	if (f->state == MTLS_STATE_USABLE) {
		if (!gather_leaf(f, credential->identity) || !gather_agent(f, cred, credential))
			return false;
	} else {
		f->why = cred_why(cred, credential);
		if (!f->why)
			return false;
	}
	if (!gather_warnings(f, cred, credential))
		return false;
	f->status = status_of(f, credential);
	return true;
}

void cred_facts_free(struct cred_facts *f)
{
	free_list(&f->names);
	free_list(&f->chain);
	free_list(&f->warnings);
	free(f->why);
	free(f->place);
	free(f->agent);
	free(f->subject);
	free(f->issuer);
	free(f->key);
}

const char *cred_state_word(enum mtls_state state)
{
	static const char *const words[] = {
		[MTLS_STATE_ABSENT] = "absent",
		[MTLS_STATE_REMOVED] = "removed",
		[MTLS_STATE_USABLE] = "usable",
		[MTLS_STATE_BROKEN] = "broken",
	};

	return words[state];
}

void cred_moment(const ASN1_TIME *time, char text[24])
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm) || !strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm))
		text[0] = '\0';
}
