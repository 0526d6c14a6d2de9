/*
 * credential_process of a profile: a program that prints credentials as JSON, Version 1.
 *
 * The command line is split by a shell's quoting rules but no shell runs, so nothing in it is
 * expanded. Source: docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 * (2026-11).
 */
#include "backends/auth/cred_program.h"
#include "backends/auth/cred_source.h"
#include "backends/base/arena.h"
#include "backends/base/json.h"

#define PROCESS_TIMEOUT_MS 60000
#define PROCESS_MAX_ARGS   64
#define PROCESS_MAX_BYTES  8192 /* of the command line */

struct splitter {
	const char *at;
	char *word; /* written from here on; never longer than the text left */
	size_t len;
	bool has_word; /* '' is a word too */
};

/* What stands between quotes; false when they are not closed. */
static bool take_quoted(struct splitter *s, char quote)
{
	for (; *s->at && *s->at != quote; s->at++) {
		/* Inside "..." a backslash escapes only itself and the quote. */
		if (quote == '"' && *s->at == '\\' && (s->at[1] == '"' || s->at[1] == '\\'))
			s->at++;
		s->word[s->len++] = *s->at;
	}
	if (!*s->at)
		return false;
	s->at++;
	return true;
}

/* The next word into s->word; false for a quote or backslash that nothing follows. */
static bool take_word(struct splitter *s)
{
	s->len = 0;
	s->has_word = false;
	s->at += strspn(s->at, " \t\r\n");
	while (*s->at && !strchr(" \t\r\n", *s->at)) {
		char c = *s->at++;

		s->has_word = true;
		if (c == '\'' || c == '"') {
			if (!take_quoted(s, c))
				return false;
		} else if (c == '\\') {
			if (!*s->at)
				return false;
			s->word[s->len++] = *s->at++;
		} else {
			s->word[s->len++] = c;
		}
	}
	s->word[s->len] = '\0';
	return true;
}

int cred_process_split(const char *command, struct arena *arena, char ***ret_args,
		       struct error *err)
{
	struct splitter s = {.at = command};
	size_t count = 0;
	char **args = arena_alloc(arena, (PROCESS_MAX_ARGS + 1) * sizeof(*args));

	if (strlen(command) > PROCESS_MAX_BYTES)
		return error_set(err, ERR_CONFIG, "credential_process is longer than %d bytes",
				 PROCESS_MAX_BYTES);
	if (!args)
		return error_set(err, ERR_NO_MEMORY, "no memory for credential_process");
	for (;;) {
		s.word = arena_alloc(arena, strlen(s.at) + 1);
		if (!s.word)
			return error_set(err, ERR_NO_MEMORY, "no memory for credential_process");
		if (!take_word(&s))
			return error_set(err, ERR_CONFIG,
					 "credential_process has a quote that is not closed");
		if (!s.has_word)
			break;
		if (count == PROCESS_MAX_ARGS)
			return error_set(err, ERR_CONFIG,
					 "credential_process has more than %d words",
					 PROCESS_MAX_ARGS);
		args[count++] = s.word;
	}
	if (count == 0 || !*args[0])
		return error_set(err, ERR_CONFIG, "credential_process names no program");
	*ret_args = args;
	return 0;
}

int cred_process_parse(const char *program, struct str text, struct cred_aws *ret,
		       struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (json_parse(text, CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "credential_process '%s' does not print a JSON object", program);
	if (json_get_int64(o, "Version", 0) != 1)
		return error_set(err, ERR_PROTOCOL,
				 "credential_process '%s' prints a Version other than 1", program);
	return cred_set_json(ret, "credential process", text, "SessionToken", err);
}

int cred_process_fetch(const struct cred_context *c, const char *command, struct cred_aws *ret,
		       struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(cred_buf_wipe) struct buf out = BUF_INIT(0);
	struct cred_program program = {.what = "credential_process",
				       .timeout_ms = PROCESS_TIMEOUT_MS};
	int r;

	if ((r = cred_process_split(command, &arena, &program.args, err)) < 0 ||
	    (r = cred_buf_init(&out, err)) < 0 ||
	    (r = cred_program_run(c, &program, &out, NULL, err)) < 0)
		return r;
	return cred_process_parse(program.args[0], buf_str(&out), ret, err);
}
