/*
 * Keys for an S3 face that Keystone keeps: the pair of the user and project that the token is for, made when there is none.
 *
 * Source: docs.openstack.org/api-ref/identity/v3, "OS-EC2" (2026-11).
 */
#include "backends/auth/cred_keystone.h"
#include "backends/auth/cred_source.h"
#include "backends/auth/token.h"
#include "backends/base/json.h"

#define EC2_TIMEOUT_MS 20000

static bool is_configured(const struct cred_context *c)
{
	return c->options->keystone != NULL;
}

static int classify(void *arg, const struct http_response *response, struct error *err)
{
	(void)arg;
	if (response->status == 403)
		return error_set(err, ERR_PERMISSION,
				 "Keystone does not let these credentials read or make EC2 keys (an application credential must be "
				 "made with --unrestricted; or give access-key-id and secret-access-key)");
	if (response->status == 401)
		return error_set(err, ERR_UNAUTHENTICATED, "Keystone refused its own token");
	return error_set(err, response->status >= 500 ? ERR_UNAVAILABLE : ERR_PROTOCOL,
			 "Keystone answered the question for EC2 keys with status %d", response->status);
}

/* body: NULL to read. The answer holds secrets: it is wiped by whoever owns the buffer. */
static int ask(const struct cred_context *c, struct keystone *k, const char *user, const char *body, struct buf *ret,
	       struct error *err)
{
	CLEANUP(freep) char *path = str_format("/users/%s/credentials/OS-EC2", user);
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	struct cred_call call = { .method = body ? HTTP_POST : HTTP_GET,
				  .url = keystone_url(k),
				  .path = path,
				  .operation = "keystone-ec2",
				  .timeout_ms = EC2_TIMEOUT_MS,
				  .classify = classify,
				  .body = str_of(body ? body : "") };
	int r = path ? token_source_get(keystone_tokens(k), &token, err) : error_set(err, ERR_NO_MEMORY, "no memory for credentials");

	if (r == 0)
		r = http_fields_add(&call.headers, "X-Auth-Token", secret_str(&token.value).ptr, err);
	if (r == 0 && body)
		r = http_fields_add(&call.headers, "Content-Type", "application/json", err);
	if (r < 0) {
		http_fields_release(&call.headers);
		return r;
	}
	return cred_call(c, &call, ret, err);
}

static int take(struct json_object *pair, struct cred_aws *ret, struct error *err)
{
	const char *access = json_get_string(pair, "access"), *secret = json_get_string(pair, "secret");

	if (!access || !secret)
		return error_set(err, ERR_PROTOCOL, "Keystone gave EC2 keys without a part");
	return cred_set(ret, "Keystone", str_of(access), str_of(secret), STR(""), 0, err);
}

/* 0 with ret filled, or CRED_ABSENT. */
static int find(const struct cred_context *c, struct keystone *k, const char *user, const char *project, struct cred_aws *ret,
		struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(CRED_MAX_BYTES);
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *list;
	int r = cred_buf_init(&text, err);

	if (r == 0)
		r = ask(c, k, user, NULL, &text, err);
	if (r < 0)
		return r;
	if (json_parse(buf_str(&text), CRED_MAX_BYTES, &answer, NULL) < 0)
		return error_set(err, ERR_PROTOCOL, "Keystone's list of EC2 keys is no JSON");
	list = json_get_array(answer, "credentials");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *pair = json_object_array_get_idx(list, i);
		const char *its = json_get_string(pair, "tenant_id");

		if (its && !strcmp(its, project))
			return take(pair, ret, err);
	}
	return CRED_ABSENT;
}

static int make(const struct cred_context *c, struct keystone *k, const char *user, const char *project, struct cred_aws *ret,
		struct error *err)
{
	CLEANUP(cred_buf_wipe) struct buf text = BUF_INIT(CRED_MAX_BYTES);
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *question = json_object_new_object();
	int r = cred_buf_init(&text, err);

	if (!question)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	json_object_object_add(question, "tenant_id", json_object_new_string(project));
	if (r == 0)
		r = ask(c, k, user, json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN), &text, err);
	if (r < 0)
		return r;
	if (json_parse(buf_str(&text), CRED_MAX_BYTES, &answer, NULL) < 0)
		return error_set(err, ERR_PROTOCOL, "Keystone's new EC2 keys are no JSON");
	return take(json_get(answer, "credential"), ret, err);
}

static int fetch(const struct cred_context *c, struct cred_aws *ret, struct error *err)
{
	struct keystone *k = c->options->keystone;
	CLEANUP(freep) char *user = NULL;
	CLEANUP(freep) char *project = NULL;
	int r;

	if (!k)
		return CRED_ABSENT;
	r = keystone_user(k, &user, err);
	if (r == 0)
		r = keystone_project(k, &project, err);
	if (r == 0)
		r = find(c, k, user, project, ret, err);
	return r == CRED_ABSENT ? make(c, k, user, project, ret, err) : r;
}

const struct cred_source cred_source_keystone = {
	.name = "Keystone",
	.is_configured = is_configured,
	.fetch = fetch,
};
