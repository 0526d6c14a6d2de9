/*
 * Workload identity federation: the token of another identity provider, from a file, an address, a program or AWS
 * (cred_gcp_aws.c), is exchanged at Google's security token service (and then, perhaps, for that of a service account).
 *
 * A program is run only with GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1: the file that names it may come from
 * somebody else.
 *
 * Source: google.aip.dev/auth/4117, cloud.google.com/iam/docs/workload-identity-federation-with-other-providers (2026-11);
 * RFC 8693.
 */
#include "backends/auth/cred_gcp_source.h"
#include "backends/auth/cred_program.h"
#include "backends/auth/cred_source.h"
#include "backends/base/arena.h"
#include "backends/base/fileio.h"
#include "backends/http/url.h"

#include <stdio.h>

#define PROGRAM_TIMEOUT_MS     30000
#define PROGRAM_TIMEOUT_MIN_MS 5000
#define PROGRAM_TIMEOUT_MAX_MS 120000
#define URL_TIMEOUT_MS	       20000
#define ENV_MAX		       512
#define ALLOW_PROGRAMS	       "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"

extern char **environ;

/* The subject token in what a file or an address holds: the text itself, or a field of JSON. */
static int read_formatted(const struct gcp_json *j, const char *from, struct str text,
			  struct buf *ret, struct error *err)
{
	const char *type = json_get_string(j->o, "credential_source.format.type");
	const char *field =
		json_get_string(j->o, "credential_source.format.subject_token_field_name");
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *value = NULL;

	text = str_trim(text);
	if (type && !strcmp(type, "json")) {
		if (!field)
			return error_set(
				err, ERR_CONFIG,
				"%s has no 'credential_source.format.subject_token_field_name'",
				j->name);
		if (json_parse(text, CRED_MAX_BYTES, &o, NULL) < 0 ||
		    !json_object_object_get_ex(o, field, &value) ||
		    !json_object_is_type(value, json_type_string))
			return error_set(err, ERR_CONFIG, "%s: %s holds no JSON with '%.60s'",
					 j->name, from, field);
		text = str_of(json_object_get_string(value));
	} else if (type && strcmp(type, "text") != 0) {
		return error_set(err, ERR_CONFIG,
				 "%s: credential_source.format.type must be json or text", j->name);
	}
	if (!text.len)
		return error_set(err, ERR_CONFIG, "%s: %s is empty", j->name, from);
	return buf_add_str(ret, text) < 0
		       ? error_set(err, ERR_TOO_LARGE, "%s: the token is too long", j->name)
		       : 0;
}

static int from_file(const struct gcp_json *j, const char *path, struct buf *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	char from[80];
	int r = cred_buf_init(&text, err);

	if (r == 0)
		r = fileio_read_file(path, &text, err);
	if (r < 0) {
		err->kind = ERR_CONFIG;
		return error_prefix(err, -error_errnum(ERR_CONFIG), "credential_source.file of %s",
				    j->name);
	}
	(void)snprintf(from, sizeof(from), "'%.70s'", path);
	return read_formatted(j, from, buf_str(&text), ret, err);
}

static int from_url(const struct cred_context *c, const struct gcp_json *j, const char *url,
		    struct buf *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	CLEANUP(freep) char *base = str_dup((struct str){ url, strcspn(url, "?") });
	struct json_object *headers = json_get(j->o, "credential_source.headers");
	struct cred_call call = { .method = HTTP_GET,
				  .url = base,
				  .operation = "SubjectToken",
				  .timeout_ms = URL_TIMEOUT_MS };
	int r = cred_buf_init(&text, err);

	if (!base)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	if (r == 0 && json_object_is_type(headers, json_type_object)) {
		json_object_object_foreach(headers, name, value)
		{
			if (r == 0)
				r = http_fields_add(&call.headers, name,
						    json_object_get_string(value), err);
		}
	}
	if (r == 0)
		r = oauth_url_query(url, &call.query, err);
	if (r == 0)
		r = cred_call(c, &call, &text, err);
	http_fields_release(&call.headers);
	http_fields_release(&call.query);
	if (r < 0)
		return error_prefix(err, r, "credential_source.url of %s", j->name);
	return read_formatted(j, "credential_source.url", buf_str(&text), ret, err);
}

/* {"version": 1, "success": true, "token_type", "id_token" or "saml_response", "expiration_time"} */
static int read_program(const struct cred_context *c, const struct gcp_json *j, struct str text,
			struct buf *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *type, *token;
	int64_t expires_s;

	if (json_parse(str_trim(text), CRED_MAX_BYTES, &o, NULL) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "credential_source.executable of %s prints no JSON", j->name);
	if (json_get_int64(o, "version", 0) != 1)
		return error_set(err, ERR_PROTOCOL,
				 "credential_source.executable of %s prints a version other than 1",
				 j->name);
	if (!json_get_bool(o, "success", false))
		return error_set(err, ERR_UNAUTHENTICATED,
				 "credential_source.executable of %s says no (code '%.40s')",
				 j->name,
				 json_get_string(o, "code") ? json_get_string(o, "code") : "");
	expires_s = json_get_int64(o, "expiration_time", 0);
	if (expires_s && expires_s <= cred_now_s(c))
		return error_set(
			err, ERR_UNAUTHENTICATED,
			"credential_source.executable of %s gives a token that has expired",
			j->name);
	type = json_get_string(o, "token_type");
	token = json_get_string(o, type && strstr(type, "saml2") ? "saml_response" : "id_token");
	if (!token || !*token)
		return error_set(err, ERR_PROTOCOL,
				 "credential_source.executable of %s prints no token", j->name);
	return buf_adds(ret, token) < 0 ? error_set(err, ERR_TOO_LARGE, "the token is too long")
					: 0;
}

static int add_variable(struct arena *arena, char **env, size_t *count, const char *name,
			const char *value)
{
	size_t len = strlen(name) + strlen(value) + 2;
	char *text = arena_alloc(arena, len);

	if (!text || *count + 1 >= ENV_MAX)
		return -ENOMEM;
	(void)snprintf(text, len, "%s=%s", name, value);
	env[(*count)++] = text;
	return 0;
}

static int make_environment(const struct gcp_json *j, const char *output_file, struct arena *arena,
			    char ***ret)
{
	CLEANUP(freep) char *email = gcp_impersonated_email(j);
	const char *audience = json_get_string(j->o, "audience");
	const char *type = json_get_string(j->o, "subject_token_type");
	char **env = arena_alloc(arena, ENV_MAX * sizeof(*env));
	size_t count = 0;
	int r = env ? 0 : -ENOMEM;

	for (char **e = environ; r == 0 && *e && count + 8 < ENV_MAX; e++)
		if (strncmp(*e, "GOOGLE_EXTERNAL_ACCOUNT_", 24) != 0)
			env[count++] = *e;
	if (r == 0)
		r = add_variable(arena, env, &count, "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
				 audience ? audience : "");
	if (r == 0)
		r = add_variable(arena, env, &count, "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
				 type ? type : "");
	if (r == 0)
		r = add_variable(arena, env, &count, "GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0");
	if (r == 0 && email)
		r = add_variable(arena, env, &count, "GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL",
				 email);
	if (r == 0 && output_file)
		r = add_variable(arena, env, &count, "GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
				 output_file);
	*ret = env;
	return r;
}

/* What an earlier run left in the output file, while it is good. */
static bool is_in_output_file(const struct cred_context *c, const struct gcp_json *j,
			      const char *path, struct buf *ret)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(0);
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error ignored = ERROR_INIT;

	if (!path || cred_buf_init(&text, &ignored) < 0 ||
	    fileio_read_file(path, &text, &ignored) < 0 ||
	    json_parse(str_trim(buf_str(&text)), CRED_MAX_BYTES, &o, NULL) < 0 ||
	    !json_get_int64(o, "expiration_time", 0))
		return false;
	return read_program(c, j, buf_str(&text), ret, &ignored) == 0;
}

static int from_program(const struct cred_context *c, const struct gcp_json *j, const char *command,
			struct buf *ret, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(cred_buf_wipe) struct buf out = BUF_INIT(0);
	const char *allowed = cred_getenv(c, ALLOW_PROGRAMS);
	const char *output = json_get_string(j->o, "credential_source.executable.output_file");
	int64_t timeout_ms = json_get_int64(j->o, "credential_source.executable.timeout_millis",
					    PROGRAM_TIMEOUT_MS);
	struct cred_program program = { .what = "credential_source.executable" };
	int status = 0, r;

	if (!allowed || strcmp(allowed, "1") != 0)
		return error_set(err, ERR_CONFIG,
				 "%s names a program (set " ALLOW_PROGRAMS "=1 to let it run)",
				 j->name);
	if (timeout_ms < PROGRAM_TIMEOUT_MIN_MS || timeout_ms > PROGRAM_TIMEOUT_MAX_MS)
		return error_set(err, ERR_CONFIG, "%s: timeout_millis must be 5000 to 120000",
				 j->name);
	if (is_in_output_file(c, j, output, ret))
		return 0;
	program.timeout_ms = (uint64_t)timeout_ms;
	r = cred_process_split(command, &arena, &program.args, err);
	if (r < 0)
		return error_prefix(err, r, "%s", j->name);
	if (make_environment(j, output, &arena, &program.env) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory to run a program");
	r = cred_buf_init(&out, err);
	if (r == 0)
		r = cred_program_run(c, &program, &out, &status, err);
	if (r < 0)
		return error_prefix(err, r, "%s", j->name);
	if (status != 0 && !out.len)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "credential_source.executable of %s failed with exit code %d",
				 j->name, status);
	return read_program(c, j, buf_str(&out), ret, err);
}

static int subject_token(const struct cred_context *c, const struct gcp_json *j, struct buf *ret,
			 struct error *err)
{
	const char *file = json_get_string(j->o, "credential_source.file");
	const char *url = json_get_string(j->o, "credential_source.url");
	const char *command = json_get_string(j->o, "credential_source.executable.command");
	const char *environment = json_get_string(j->o, "credential_source.environment_id");

	if (environment && !strcmp(environment, "aws1"))
		return gcp_aws_subject(c, j, ret, err);
	if (environment)
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: credential_source '%.30s' is not supported (aws1, file, url and "
				 "executable are)",
				 j->name, environment);
	if (command)
		return from_program(c, j, command, ret, err);
	if (file)
		return from_file(j, file, ret, err);
	if (url)
		return from_url(c, j, url, ret, err);
	return error_set(err, ERR_CONFIG,
			 "%s has no 'credential_source' with file, url or executable", j->name);
}

/* "Basic ..." of client_id and client_secret, empty when the file has none. */
static int client_header(const struct gcp_json *j, struct buf *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf plain = BUF_INIT(0);
	const char *id = json_get_string(j->o, "client_id");
	const char *secret = json_get_string(j->o, "client_secret");
	int r = cred_buf_init(&plain, err);

	if (r < 0 || !id)
		return r;
	if (buf_adds(&plain, id) < 0 || buf_addc(&plain, ':') < 0 ||
	    (secret && buf_adds(&plain, secret) < 0) || buf_adds(ret, "Basic ") < 0 ||
	    base64_encode(plain.data, plain.len, ret) < 0)
		return error_set(err, ERR_TOO_LARGE, "%s: client_id is too long", j->name);
	return 0;
}

static int exchange(const struct cred_context *c, const struct gcp_json *j, const char *scope,
		    const char *subject, struct token *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf client = BUF_INIT(0);
	CLEANUP(json_putp) struct json_object *options = NULL;
	const char *url = NULL, *audience = NULL, *type = NULL;
	const char *project = json_get_string(j->o, "workforce_pool_user_project");
	char who[GCP_NAME_MAX + 32];
	int r = gcp_text(j, "token_url", &url, err);

	if (r == 0)
		r = gcp_text(j, "audience", &audience, err);
	if (r == 0)
		r = gcp_text(j, "subject_token_type", &type, err);
	if (r == 0)
		r = cred_buf_init(&client, err);
	if (r == 0)
		r = client_header(j, &client, err);
	if (r < 0)
		return r;
	if (project && !client.len && (options = json_object_new_object()))
		json_object_object_add(options, "userProject", json_object_new_string(project));
	(void)snprintf(who, sizeof(who), "token_url of %s", j->name);
	return oauth_fetch(
		c,
		&(struct oauth_call){
			.who = who,
			.url = url,
			.form =
				(struct oauth_field[]){
					{ "grant_type",
					  "urn:ietf:params:oauth:grant-type:token-exchange" },
					{ "audience", audience },
					{ "scope", scope },
					{ "requested_token_type",
					  "urn:ietf:params:oauth:token-type:access_token" },
					{ "subject_token_type", type },
					{ "subject_token", subject },
					{ "options",
					  options ? json_object_to_json_string_ext(
							    options, JSON_C_TO_STRING_PLAIN)
						  : NULL },
					{ NULL, NULL } },
			.headers =
				(struct oauth_field[]){
					{ "Authorization", client.len ? buf_cstr(&client) : NULL },
					{ NULL, NULL } },
		},
		ret, err);
}

int gcp_external_fetch(const struct cred_context *c, const struct gcp_json *j,
		       const struct gcp_request *q, struct token *ret, struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf subject = BUF_INIT(0);
	CLEANUP(token_release) struct token federated = TOKEN_INIT;
	bool acts_as = json_get_string(j->o, "service_account_impersonation_url") != NULL;
	int r = cred_buf_init(&subject, err);

	if (r == 0)
		r = subject_token(c, j, &subject, err);
	if (r == 0)
		r = exchange(c, j, acts_as ? GCP_SCOPE_PLATFORM : q->scope, buf_cstr(&subject),
			     acts_as ? &federated : ret, err);
	return r == 0 && acts_as ? gcp_impersonate(c, j, q->scope, &federated, ret, err) : r;
}
