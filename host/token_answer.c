/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN for libcrypto's modules, which ask for it as if a person sat there. The answer stands here and not in their
 * data, because some keep the pointer and ask again at a signature: then nobody answers.
 */
#include "host/token_open.h"

#include <openssl/crypto.h>
#include <string.h>

static struct token_pin answer;
static unsigned questions;

void mtls_token_answer_set(const struct token_pin *pin)
{
	answer = *pin;
	questions = 0;
}

void mtls_token_answer_unset(void)
{
	OPENSSL_cleanse(&answer, sizeof(answer));
}

bool mtls_token_answer_wanted(void)
{
	return questions > 0;
}

static bool next_answer(void)
{
	return questions++ == 0 && answer.n;
}

static int read_ui(UI *ui, UI_STRING *string)
{
	if (UI_get_string_type(string) != UIT_PROMPT || !next_answer())
		return 0;
	return UI_set_result(ui, string, answer.text) == 0;
}

/* Nothing is shown, and nothing waited for. */
static int nothing(UI *ui)
{
	(void)ui;
	return 1;
}

static int write_nothing(UI *ui, UI_STRING *string)
{
	(void)ui;
	(void)string;
	return 1;
}

/* Lives as long as the process: an engine keeps it. */
UI_METHOD *mtls_token_answer_ui(void)
{
	static UI_METHOD *ui;

	if (ui)
		return ui;
	ui = UI_create_method("mtls-run");
	if (ui) {
		UI_method_set_opener(ui, nothing);
		UI_method_set_writer(ui, write_nothing);
		UI_method_set_flusher(ui, nothing);
		UI_method_set_reader(ui, read_ui);
		UI_method_set_closer(ui, nothing);
	}
	return ui;
}

int mtls_token_answer_pem(char *buffer, int size, int writing, void *none)
{
	(void)none;
	if (writing || !next_answer() || answer.n > (size_t)size)
		return -1;
	memcpy(buffer, answer.text, answer.n);
	return (int)answer.n;
}
