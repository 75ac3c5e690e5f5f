/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtls-cred probe: what a connection says, in words, and as an exit status. What it read from the server goes through
 * cred_say, so that it cannot make lines of its own.
 */
#include "launcher/cred/probe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80

/* --- the verdict ---------------------------------------------------------------------- */

/* "HTTP/1.1 403 …", "421 …" and "* BYE": what says no to a client that TLS let in. */
static bool answer_refuses(enum probe_kind kind, const char *answer)
{
	static const unsigned codes[] = {400, 401, 403, 495, 496}; /* the last two are nginx's own */
	unsigned status = 0;

	switch (kind) {
	case PROBE_SMTP:
		return answer[0] == '4' || answer[0] == '5';
	case PROBE_IMAP:
		return strncmp(answer, "* BYE", 5) == 0 || strncmp(answer, "a2 NO", 5) == 0 ||
		       strncmp(answer, "a2 BAD", 6) == 0;
	default:
		break;
	}
	if (sscanf(answer, "HTTP/1.%*1u %3u", &status) != 1)
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == status)
			return true;
	return false;
}

/* Closing after our words is an answer only from a server that must have understood them. */
static bool understands(const struct probe *probe, const struct probe_result *result)
{
	return probe->target.kind == PROBE_SMTP || probe->target.kind == PROBE_IMAP ||
	       result->request.asked & (PROBE_PHA | PROBE_RENEGOTIATION);
}

static bool refuses(const struct probe *probe, const struct probe_result *result)
{
	switch (result->end) {
	case PROBE_ALERT:
		return true;
	case PROBE_ANSWERED:
		return answer_refuses(probe->target.kind, result->answer);
	case PROBE_CLOSED:
	case PROBE_RESET:
		return !result->said || understands(probe, result);
	default:
		return false;
	}
}

enum probe_exit probe_judge(const struct probe *probe, const struct probe_result *result)
{
	if (!result->version || (result->request.asked && result->end == PROBE_HERE))
		return PROBE_NO_CONNECTION;
	if (!result->request.asked)
		return PROBE_NOT_ASKED;
	if (!result->request.presented)
		return PROBE_WITHHELD;
	return refuses(probe, result) ? PROBE_REFUSED : PROBE_ACCEPTED;
}

/* --- lines ------------------------------------------------------------------------------ */

static void line(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *label, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	cred_say(stdout, "%-12s %s", label, text ? text : "?");
	free(text);
}

/* Words of a list, with as many to a line as fit; in figures where name(number) is NULL. */
static void list(const char *label, size_t n, const char *(*name)(unsigned), const uint16_t *word,
		 const unsigned char *byte)
{
	char text[WIDTH] = "", one[48];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned number = word ? word[i] : byte[i];
		const char *known = name(number);
		size_t length;

		if (known)
			snprintf(one, sizeof(one), "%s", known);
		else
			snprintf(one, sizeof(one), "0x%0*x", word ? 4 : 2, number);
		length = strlen(one);
		if (used && used + 1 + length > WIDTH - 13) {
			line(label, "%s", text);
			label = "";
			used = 0;
		}
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", one);
	}
	line(label, "%s", n ? text : "none");
}

static void issuers(const struct probe_request *request)
{
	size_t n = request->n_issuers < PROBE_ISSUERS ? request->n_issuers : PROBE_ISSUERS;

	if (!n) {
		line("  issuers", "any: it names none");
		return;
	}
	for (size_t i = 0; i < n; i++)
		line(i ? "" : "  issuers", "%s", request->issuer[i]);
	if (request->n_issuers > n)
		line("", "and %zu more", request->n_issuers - n);
	if (request->issuer_accepted != MTLS_UNKNOWN)
		line("  our issuer", "%s", request->issuer_accepted == MTLS_YES ? "among them" : "not among them");
}

static void asked(const struct probe_request *request)
{
	static const char *const moments[] = {"in the handshake", "after the request (post-handshake authentication)",
					      "after the request (renegotiation)"};
	const char *label = "  asks";

	for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		if (request->asked & 1U << i) {
			line(label, "%s", moments[i]);
			label = "";
		}
	}
}

/* --- the decision ------------------------------------------------------------------------- */

/* Which setting makes a row of the policy hold; MTLS_SETTINGS: none does. */
static enum mtls_setting setting_of(enum mtls_reason reason)
{
	switch (reason) {
	case MTLS_HOST_NOT_LISTED:
		return MTLS_HOSTS;
	case MTLS_TLS_TOO_OLD:
	case MTLS_SERVER_NOT_VERIFIED:
		return MTLS_ONLY_IF;
	case MTLS_ISSUER_NOT_ACCEPTED:
		return MTLS_ISSUER;
	default:
		return MTLS_SETTINGS;
	}
}

static void withheld(const struct probe *probe, enum mtls_reason reason)
{
	const struct mtls_reading *reading = &probe->credential->reading;
	enum mtls_setting setting = setting_of(reason);
	const char *word = mtls_reason_word(reason), *sentence = mtls_reason_sentence(reason);
	const char *remedy = mtls_reason_remedy(reason);
	char *text = NULL;

	if (reason == MTLS_AGENT_UNAVAILABLE) {
		line("  decision", "withheld, %s: %s: %s", word, probe->cred->env.agent,
		     probe->credential->agent == MTLS_AGENT_READY ? "it has gone away in the middle"
								  : mtls_agent_sentence(probe->credential->agent));
	} else if (reason == MTLS_BAD_SETTING) {
		text = cred_sentence(reading, &reading->policy.error);
		line("  decision", "withheld, %s: %s", word, text ? text : sentence);
	} else if (reason == probe->credential->reason) { /* told at the beginning, with its remedy */
		line("  decision", "withheld, %s: %s", word, sentence);
	} else if (setting == MTLS_SETTINGS) {
		line("  decision", "withheld, %s: %s; %s", word, sentence, remedy);
	} else if (reading->policy.origin[setting] == MTLS_FROM_ENVIRONMENT) {
		line("  decision", "withheld, %s: %s (%s); %s", word, sentence, mtls_setting_variable(setting), remedy);
	} else {
		line("  decision", "withheld, %s: %s (%s in %s); %s", word, sentence, mtls_setting_key(setting),
		     reading->mark.place->file[MTLS_CONF], remedy);
	}
	free(text);
}

static void decision(const struct probe *probe, const struct probe_request *request)
{
	if (request->presented)
		line("  decision", "presented");
	else if (probe->cred->env.disable)
		line("  decision", "withheld: MTLS_DISABLE is 1, so the library does nothing");
	else if (request->decision == MTLS_PRESENTED)
		line("  decision", "a program would present it; not this one, as libmtls-run.so is not found");
	else
		withheld(probe, request->decision);
}

/* --- the result ----------------------------------------------------------------------------- */

/* How the connection went on; text is PROBE_WHY bytes. */
static void happened(const struct probe_result *result, char *text)
{
	const char *name = probe_alert_name(result->alert);

	if (result->end == PROBE_ALERT)
		snprintf(text, PROBE_WHY, "alert %s (%u)", name ? name : "unknown", result->alert);
	else if (result->end == PROBE_ANSWERED && result->answer[0] != '?')
		snprintf(text, PROBE_WHY, "it answered %s", result->answer);
	else if (result->end == PROBE_ANSWERED)
		snprintf(text, PROBE_WHY, "it answered in a protocol of its own");
	else if (result->end == PROBE_HERE)
		snprintf(text, PROBE_WHY, "%s", result->why);
	else if (result->end == PROBE_QUIET)
		snprintf(text, PROBE_WHY, "it finished the handshake");
	else
		snprintf(text, PROBE_WHY, "it %s the connection", result->end == PROBE_RESET ? "reset" : "closed");
}

/* Why silence, or an end after words that the server need not understand, is no refusal. */
static void finished(const struct probe_result *result, char *text)
{
	if (result->version != TLS1_3_VERSION)
		snprintf(text, PROBE_WHY, "it finished the handshake");
	else if (result->ticket)
		snprintf(text, PROBE_WHY, "it sent a session ticket");
	else
		snprintf(text, PROBE_WHY, "the handshake is complete and the server took no offence within %d s",
			 PROBE_VERDICT_S);
}

static void verdict(const struct probe *probe, const struct probe_result *result)
{
	bool no = refuses(probe, result), cannot = probe->credential->reading.policy.pha == MTLS_PHA_OFF;
	char how[PROBE_WHY];

	if (no || !result->request.asked || result->end == PROBE_ANSWERED || result->end == PROBE_HERE)
		happened(result, how);
	else
		finished(result, how);
	switch (probe_judge(probe, result)) {
	case PROBE_ACCEPTED:
		line("  result", "accepted: %s", how);
		break;
	case PROBE_REFUSED:
		line("  result", "refused: %s", how);
		break;
	case PROBE_WITHHELD:
		line("  result", "%s without it: %s", no ? "the server does not go on" : "the server goes on", how);
		break;
	case PROBE_NOT_ASKED:
		line("  result", "the server does not ask: %s%s", how,
		     cannot && result->version == TLS1_3_VERSION ? "; after the request it cannot: MTLS_PHA is off"
								 : "");
		break;
	case PROBE_NO_CONNECTION:
		line("  result", "%s", how);
		break;
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static void credential_line(const struct probe *probe)
{
	const struct cred_credential *credential = probe->credential;
	const struct mtls_place *place = credential->reading.mark.place;
	char *text;

	if (credential->identity) {
		line("credential", "%s, in %s", credential->identity->subject,
		     place->folder ? place->folder : place->file[MTLS_CERT]);
		return;
	}
	text = cred_why(probe->cred, credential);
	line("credential", "%s", text ? text : mtls_reason_sentence(credential->reason));
	free(text);
}

void probe_report_begin(const struct probe *probe)
{
	char address[MTLS_ADDR_TEXT];
	struct mtls_addr peer;

	probe_address(&probe->target, &peer);
	line("server", "%s at %s", probe->target.text, mtls_addr_print(&peer, address));
	credential_line(probe);
}

void probe_report(const struct probe *probe, const struct probe_result *result)
{
	const struct probe_request *request = &result->request;
	const char *subject = *result->subject ? result->subject : "without a name in its certificate";

	cred_say(stdout, "TLS %s", mtls_version_text(result->version));
	if (result->verify == X509_V_OK)
		line("  server", "%s, verified for %s", subject, probe->target.host);
	else
		line("  server", "%s, not verified for %s: %s", subject, probe->target.host, result->verify_error);
	if (request->asked) {
		asked(request);
		issuers(request);
		list("  signatures", request->n_schemes, probe_scheme_name, request->scheme, NULL);
		if (request->n_types)
			list("  key types", request->n_types, probe_type_name, NULL, request->type);
		decision(probe, request);
	}
	verdict(probe, result);
}
