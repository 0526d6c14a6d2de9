/*
 * Functions by Cloud Run functions (2nd generation), their logs by Cloud Logging.
 *
 * Code is put to an address that the service gives for it; what is made of it begins an operation, which is always polled: a build
 * that fails says why only there. A function is called at its own address, with an identity token for it.
 *
 * Source: cloud.google.com/functions/docs/reference/rest, v2; /logging/docs/reference/v2/rest/v2/entries/list;
 * /run/docs/authenticating/service-to-service (read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

#include "backends/auth/oauth.h"
#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>

#define FUNCTIONS	 "projects/{project}/locations/{region}/functions"
#define ZIP_BYTES_MAX	 ((size_t)100 << 20)
#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define RUN_LIMIT_MS	 (UINT64_C(61) * 60 * 1000) /* a function may run an hour */
#define POLL_FIRST_MS	 500
#define POLL_MOST_MS	 5000

static const struct record_word states[] = {
	{ "ACTIVE", "active" },	  { "FAILED", "failed" },	  { "DEPLOYING", "updating" }, { "DELETING", "deleting" },
	{ "DETACHING", "updating" }, { "DETACH_FAILED", "failed" }, { NULL, NULL },
};

static struct json_object *make_tail(struct json_object *name)
{
	return json_object_new_string(gce_tail(json_object_get_string(name)));
}

/* "256M", "256Mi", "1G", "1Gi" in MiB */
static struct json_object *make_memory(struct json_object *memory)
{
	const char *text = json_object_get_string(memory);
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	if (str_to_u64((struct str){ text, digits }, &n) < 0 || n > 1048576)
		return NULL;
	return json_object_new_uint64(text[digits] == 'G' ? n * 1024 : text[digits] == 'M' ? n : n >> 20);
}

static const struct record_source function_map[] = {
	{ "id", "name", NULL, make_tail },
	{ "name", "name", NULL, make_tail },
	{ "status", "state", states, NULL },
	{ "provider_status", "state", NULL, NULL },
	{ "reason", "stateMessages.0.message", NULL, NULL },
	{ "runtime", "buildConfig.runtime", NULL, NULL },
	{ "handler", "buildConfig.entryPoint", NULL, NULL },
	{ "memory_mb", "serviceConfig.availableMemory", NULL, make_memory },
	{ "timeout_s", "serviceConfig.timeoutSeconds", NULL, NULL },
	{ "url", "serviceConfig.uri|url", NULL, NULL },
	{ "role", "serviceConfig.serviceAccountEmail", NULL, NULL },
	{ "env", "serviceConfig.environmentVariables", NULL, function_names },
	{ "description", "description", NULL, NULL },
	{ "updated", "updateTime", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct rest_row list_functions = { .service = "functions", .path = FUNCTIONS, .items = "functions",
	.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "pageSize", 1000 } };
static const struct rest_row get_function = { .service = "functions", .path = FUNCTIONS "/{function}", .item = "" };
static const struct rest_row delete_function = { .service = "functions", .method = HTTP_DELETE, .path = FUNCTIONS "/{function}",
	.item = "", .is_strict = true };
static const struct rest_row get_operation = { .service = "functions", .path = "{+_operation}", .item = "" };
static const struct rest_field upload_fields[] = { { NULL, "environment", REST_BODY, "\"GEN_2\"" }, { .place = NULL } };
/* It makes nothing but an address. */
static const struct rest_row get_upload = { .service = "functions", .method = HTTP_POST, .path = FUNCTIONS ":generateUploadUrl",
	.fields = upload_fields, .item = "", .is_read = true };
#define CODE_FIELDS { "code", "", REST_NOWHERE }, { "location", "", REST_NOWHERE }, { "_source", "buildConfig.source.storageSource", REST_BODY }
static const struct rest_field new_fields[] = {
	CODE_FIELDS,
	{ "name", "functionId", REST_QUERY },
	{ NULL, "environment", REST_BODY, "\"GEN_2\"" },
	{ "runtime", "buildConfig.runtime", REST_BODY, .is_needed = true },
	{ "handler", "buildConfig.entryPoint", REST_BODY, .is_needed = true },
	{ "role", "serviceConfig.serviceAccountEmail", REST_BODY },
	{ "memory_mb", "serviceConfig.availableMemory", REST_BODY, .format = "{memory_mb}Mi" },
	{ "timeout_s", "serviceConfig.timeoutSeconds", REST_BODY },
	{ "_env", "serviceConfig.environmentVariables", REST_BODY },
	{ "env", "", REST_NOWHERE },
	{ "secrets", "", REST_NOWHERE },
	{ "description", "description", REST_BODY },
	{ "tag", "labels", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row create_function = { .service = "functions", .method = HTTP_POST, .path = FUNCTIONS, .fields = new_fields,
	.item = "", .is_strict = true };
static const struct rest_field code_fields[] = {
	CODE_FIELDS,
	{ NULL, "updateMask", REST_QUERY, "buildConfig.source" },
	{ .place = NULL },
};
static const struct rest_row update_function = { .service = "functions", .method = HTTP_PATCH, .path = FUNCTIONS "/{function}",
	.fields = code_fields, .item = "", .is_strict = true };

static int take_function(struct cloud_call *call, struct json_object *item, struct json_object **list, struct error *err)
{
	function_hide(item, "serviceConfig.environmentVariables");
	function_hide(item, "buildConfig.environmentVariables");
	return cloud_list_add(call, function_map, item, list, err);
}

static int functions_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return rest_list(call, &list_functions, take_function, ret, err);
}

static int show(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *function = NULL;
	int r = rest_run_raw_with(call, &get_function, "function", name, &function, err);

	if (r < 0)
		return r;
	function_hide(function, "serviceConfig.environmentVariables");
	function_hide(function, "buildConfig.environmentVariables");
	return cloud_record(call, function_map, function, ret, err);
}

static int functions_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return show(call, cloud_param(call, "function"), ret, err);
}

/* ---- operations ---- */

/* Until the operation is done; its own error is the error. */
static int wait_for(struct cloud_call *call, struct json_object **operation, struct error *err)
{
	uint64_t pause_ms = POLL_FIRST_MS;

	while (!json_get_bool(*operation, "done", false)) {
		const char *name = json_get_string(*operation, "name");
		struct json_object *next = NULL;
		int r;

		if (!name)
			return error_set(err, ERR_PROTOCOL, "%s: the service answers without an operation", call->operation);
		cloud_progress(call, "%s: under way", call->operation);
		r = cloud_sleep(call, pause_ms, err);
		pause_ms = pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS;
		if (r == 0)
			r = rest_run_raw_with(call, &get_operation, "_operation", name, &next, err);
		if (r < 0)
			return r;
		json_object_put(*operation);
		*operation = next;
	}
	if (!json_get(*operation, "error"))
		return 0;
	(void)service_fault(NULL, json_get_string(*operation, "error.message"), err);
	return error_prefix(err, -error_errnum(err->kind), "%s", call->operation);
}

static int change(struct cloud_call *call, const struct rest_row *row, struct json_object *params, struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;
	int r = rest_run_raw(call, row, params, &operation, err);

	return r < 0 ? r : wait_for(call, &operation, err);
}

static int functions_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)ret; /* there is nothing left to show */
	return change(call, &delete_function, NULL, err);
}

/* ---- code ---- */

/* Tokens, and addresses that are as good as one, go over https, or to this machine. */
static int check_address(const char *address, struct url *ret, struct error *err)
{
	int r = url_parse(str_of(address), ret, err);

	if (r == 0 && !str_equal_nocase(ret->scheme, STR("https")) && !url_host_is_loopback(ret->host))
		return error_set(err, ERR_PROTOCOL, "an address of the function is '%.100s', which is no https", address);
	return r < 0 ? error_prefix(err, r, "the address of the function") : 0;
}

/* To the address that the service gave, which needs no credentials: they stand in it. */
static int put_code(struct cloud_call *call, const char *address, const struct buf *zip, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	struct service bare = { .engine = gcp_of(call)->engine, .label = "gcp-functions", .dialect = SERVICE_TEXT,
				.ratelimit = &gcp_of(call)->ratelimit };
	CLEANUP(freep) char *base = NULL;
	CLEANUP(freep) char *path = NULL;
	struct url url;
	int r = check_address(address, &url, err);

	if (r == 0)
		r = oauth_url_query(address, &q.query, err);
	if (r < 0)
		return r;
	base = str_format("%.*s://%.*s%s%.*s", (int)url.scheme.len, url.scheme.ptr, (int)url.host.len, url.host.ptr, url.port.len ? ":" : "",
			  (int)url.port.len, url.port.len ? url.port.ptr : "");
	path = str_dup(url.path);
	if (!base || !path)
		return error_no_memory(err);
	bare.base_url = base;
	q.method = HTTP_PUT;
	q.path = path;
	q.content_type = "application/zip";
	q.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(zip), .fd = -1 };
	r = service_call(call, &bare, &q, &answer, err);
	return r < 0 ? error_prefix(err, r, "the code could not be sent") : 0;
}

static struct json_object *told_source(const struct buf *zip)
{
	CLEANUP(freep) char *text = str_format("(a zip of %zu bytes)", zip->len);
	struct json_object *o = json_object_new_object();

	if (o && text)
		json_object_object_add(o, "object", json_object_new_string(text));
	return o;
}

/* The place in Cloud Storage where the code lies, after it was put there. */
static int find_source(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf zip = BUF_INIT(ZIP_BYTES_MAX);
	CLEANUP(json_putp) struct json_object *upload = NULL;
	CLEANUP(freep) char *bucket = NULL;
	CLEANUP(freep) char *object = NULL;
	const char *address;
	int r;

	if (cloud_param(call, "location")) {
		r = function_location(call, "gs://", &bucket, &object, err);
		*ret = r < 0 ? NULL : json_object_new_object();
		if (*ret) {
			json_object_object_add(*ret, "bucket", json_object_new_string(bucket));
			json_object_object_add(*ret, "object", json_object_new_string(object));
		}
		return r < 0 || *ret ? r : error_no_memory(err);
	}
	r = function_package(cloud_param(call, "code"), ZIP_BYTES_MAX, &zip, err);
	if (r == 0 && call->plan) {
		*ret = told_source(&zip);
		return *ret ? 0 : error_no_memory(err);
	}
	if (r == 0)
		r = rest_run_raw(call, &get_upload, NULL, &upload, err);
	if (r < 0)
		return r;
	address = json_get_string(upload, "uploadUrl");
	if (!address || !json_get(upload, "storageSource"))
		return error_set(err, ERR_PROTOCOL, "%s: the service gives no address for the code", call->operation);
	r = put_code(call, address, &zip, err);
	if (r == 0)
		*ret = json_object_get(json_get(upload, "storageSource"));
	return r;
}

/* What the row wants is looked at before any code is sent. */
static int check(struct cloud_call *call, const struct rest_row *row, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	const char *stray = rest_stray_param(call, row);
	int r = stray ? error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, stray,
				  call->cloud->driver->type) :
			rest_path(call, row->path, &path, err);

	return r < 0 ? r : rest_fill(call, row->fields, &q, err);
}

static int send_code(struct cloud_call *call, const struct rest_row *row, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *source = NULL;
	CLEANUP(json_putp) struct json_object *env = NULL;
	int r = check(call, row, err);

	if (r == 0)
		r = function_environment(call, &env, err);
	if (r == 0)
		r = find_source(call, &source, err);
	if (r == 0 && json_object_deep_copy(call->params, &params, NULL) != 0)
		return error_no_memory(err);
	if (r < 0)
		return r;
	json_object_object_add(params, "_source", json_object_get(source));
	if (env)
		json_object_object_add(params, "_env", call->plan ? function_masked(env) : json_object_get(env));
	r = change(call, row, params, err);
	return r < 0 ? r : show(call, name, ret, err);
}

static int functions_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return send_code(call, &create_function, cloud_param(call, "name"), ret, err);
}

static int functions_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return send_code(call, &update_function, cloud_param(call, "function"), ret, err);
}

/* ---- calls ---- */

/* With an identity token where the credentials can have one. */
static int add_token(struct cloud_call *call, const char *url, struct service_request *q, struct error *err)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	CLEANUP(cred_buf_wipe) struct buf line = BUF_INIT(0);
	struct error why = ERROR_INIT;
	int r = cred_gcp_id_token(gcp_of(call)->services[GCP_FUNCTIONS].cred, url, &token, &why);

	if (r < 0 && why.kind == ERR_UNSUPPORTED)
		return 0; /* it may be open to all */
	if (r < 0) {
		*err = why;
		return r;
	}
	r = cred_buf_init(&line, err);
	if (r == 0 && (buf_adds(&line, "Bearer ") < 0 || buf_add_str(&line, secret_str(&token.value)) < 0))
		return error_no_memory(err);
	return r < 0 ? r : http_fields_add(&q->headers, "Authorization", buf_cstr(&line), err);
}

static int invoke_at(struct cloud_call *call, const char *address, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	CLEANUP(buf_release) struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	struct json_object *payload = cloud_param_json(call, "payload");
	struct service service = { .engine = gcp_of(call)->engine, .label = "gcp-functions", .base_url = address,
				   .ratelimit = &gcp_of(call)->ratelimit, .refine = function_refine };
	struct url url;
	int r = check_address(address, &url, err);

	if (r == 0 && !call->plan)
		r = add_token(call, address, &q, err);
	if (r < 0)
		return r;
	q.json = payload ? json_object_get(payload) : json_object_new_object();
	if (!q.json)
		return error_no_memory(err);
	q.method = HTTP_POST;
	q.stall_timeout_ms = RUN_LIMIT_MS;
	q.sink = (struct http_sink){ .kind = HTTP_SINK_BUF, .buf = &body, .fd = -1 };
	r = service_call(call, &service, &q, &answer, err);
	if (r < 0 && err->kind == ERR_FAILED)
		return error_prefix(err, r, "the function failed (%d)", err->http_status);
	return r < 0 ? r : function_answered(call, &(struct function_answer){
							   .function = cloud_param(call, "function"),
							   .request_id = http_fields_get(&answer.headers, "Function-Execution-Id"),
							   .http_status = answer.status,
							   .body = buf_str(&body) },
					     ret, err);
}

static int functions_invoke(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const strange[] = { "version", "async", "entry" };
	CLEANUP(json_putp) struct json_object *function = NULL;
	const char *address;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(strange); i++)
		if (cloud_param_json(call, strange[i]))
			return error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, strange[i],
					 call->cloud->driver->type);
	r = rest_run_raw(call, &get_function, NULL, &function, err);
	if (r < 0)
		return r;
	address = json_get_string(function, "serviceConfig.uri");
	if (!address)
		return error_set(err, ERR_CONFLICT, "the function has no address (it is '%.32s')",
				 json_get_string(function, "state") ? json_get_string(function, "state") : "unknown");
	return invoke_at(call, address, ret, err);
}

/* ---- logs ---- */

static struct json_object *make_message(struct json_object *entry)
{
	struct json_object *found = record_find(entry, "textPayload|jsonPayload.message|jsonPayload|protoPayload.status.message|httpRequest");

	if (!found || json_object_is_type(found, json_type_string))
		return json_object_get(found);
	return json_object_new_string(json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static const struct record_source log_map[] = {
	{ "time", "timestamp|receiveTimestamp", NULL, NULL },
	{ "level", "severity", NULL, NULL },
	{ "message", "", NULL, make_message },
	{ "stream", "labels.instanceId", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_field log_fields[] = {
	{ NULL, "resourceNames.0", REST_BODY, .format = "projects/{project}" },
	{ "_filter", "filter", REST_BODY },
	{ NULL, "orderBy", REST_BODY, "\"timestamp asc\"" },
	{ .place = NULL },
};
static const struct rest_row list_entries = { .service = "logging", .method = HTTP_POST, .path = "entries:list", .is_read = true,
	.fields = log_fields, .items = "entries", .record = log_map,
	.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_BODY, "pageToken", "nextPageToken", "pageSize", 1000 } };

/* Of the service that a function is; its name stands in a filter, so nothing may end its quotes. */
static int functions_logs(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *function = NULL;
	CLEANUP(freep) char *filter = NULL;
	CLEANUP(freep) char *region = NULL;
	const char *name;
	char since[25];
	int r = rest_run_raw(call, &get_function, NULL, &function, err);

	if (r == 0)
		r = call->cloud->driver->variable(call, "region", &region, err);
	if (r < 0)
		return r;
	name = gce_tail(json_get_string(function, "serviceConfig.service"));
	if (!name)
		name = cloud_param(call, "function");
	if (strpbrk(name, "\"\\") || strpbrk(region, "\"\\"))
		return error_set(err, ERR_INVALID, "'%.100s' is no name", name);
	clock_format_iso8601(function_since_ms(call) * 1000000, since);
	filter = str_format("resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"%s\" AND "
			    "resource.labels.location=\"%s\" AND timestamp>=\"%s\"",
			    name, region, since);
	return filter ? rest_run_with(call, &list_entries, "_filter", json_object_new_string(filter), ret, err) : error_no_memory(err);
}

const struct function_ops gcp_functions = {
	.functions_list = { .run = functions_list },
	.functions_get = { .run = functions_get },
	.functions_create = { .run = functions_create },
	.functions_update = { .run = functions_update },
	.functions_invoke = { .run = functions_invoke },
	.functions_delete = { .run = functions_delete },
	.functions_logs = { .run = functions_logs },
};
