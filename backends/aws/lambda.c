/*
 * Functions by Lambda, their logs by CloudWatch Logs.
 *
 * Source: docs.aws.amazon.com/lambda/latest/api, version 2015-03-31; docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference
 * (FilterLogEvents), 2014-03-28 (read 2026-11). A list does not tell the state of a function.
 */
#include "backends/aws/cloud_aws.h"

#include "backends/base/hash.h"

#include <strings.h>

#define FUNCTIONS	 "2015-03-31/functions"
#define ZIP_BYTES_MAX	 ((size_t)50 << 20)  /* that is sent with the call */
#define ANSWER_BYTES_MAX ((size_t)32 << 20)  /* more than Lambda gives */
#define RUN_LIMIT_MS	 (UINT64_C(16) * 60 * 1000) /* a function may run a quarter of an hour */
#define LOGS_TARGET(name) { NULL, "X-Amz-Target", REST_HEADER, "Logs_20140328." name }

static struct json_object *make_status(struct json_object *function)
{
	const char *state = json_get_string(function, "State"), *update = json_get_string(function, "LastUpdateStatus");
	static const struct record_word states[] = {
		{ "Pending", "creating" }, { "Active", "active" },     { "Inactive", "inactive" }, { "Failed", "failed" },
		{ "Deleting", "deleting" }, { "ActiveNonInvocable", "inactive" }, { NULL, NULL },
	};

	if (!state)
		return NULL;
	if (!strcmp(state, "Active") && update && !strcmp(update, "InProgress"))
		return json_object_new_string("updating");
	if (!strcmp(state, "Active") && update && !strcmp(update, "Failed"))
		return json_object_new_string("failed");
	for (const struct record_word *w = states; w->theirs; w++)
		if (!strcmp(w->theirs, state))
			return json_object_new_string(w->ours);
	return json_object_new_string("unknown");
}

static const struct record_source function_map[] = {
	{ "id", "FunctionArn", NULL, NULL },
	{ "name", "FunctionName", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "State", NULL, NULL },
	{ "reason", "StateReason|LastUpdateStatusReason", NULL, NULL },
	{ "runtime", "Runtime", NULL, NULL },
	{ "handler", "Handler", NULL, NULL },
	{ "memory_mb", "MemorySize", NULL, NULL },
	{ "timeout_s", "Timeout", NULL, NULL },
	{ "code_bytes", "CodeSize", NULL, NULL },
	{ "role", "Role", NULL, NULL },
	{ "env", "Environment.Variables", NULL, function_names },
	{ "description", "Description", NULL, NULL },
	{ "updated", "LastModified", NULL, NULL },
	{ "tags", "Tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* The map reads it whole, so that raw is hidden too. */
static int add_function(struct cloud_call *call, struct json_object *theirs, struct json_object **list, struct error *err)
{
	function_hide(theirs, "Environment.Variables");
	return cloud_list_add(call, function_map, theirs, list, err);
}

static const struct rest_row list_functions = { .service = "lambda", .path = FUNCTIONS, .items = "Functions",
	.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_QUERY, "Marker", "NextMarker", "MaxItems", 50 } };
static const struct rest_row get_function = { .service = "lambda", .path = FUNCTIONS "/{function}", .item = "" };
static const struct rest_row delete_function = { .service = "lambda", .method = HTTP_DELETE, .path = FUNCTIONS "/{function}",
	.is_strict = true };
static const struct rest_field new_fields[] = {
	{ "name", "FunctionName", REST_BODY },
	{ "runtime", "Runtime", REST_BODY, .is_needed = true },
	{ "handler", "Handler", REST_BODY, .is_needed = true },
	{ "role", "Role", REST_BODY, .is_needed = true },
	{ "memory_mb", "MemorySize", REST_BODY },
	{ "timeout_s", "Timeout", REST_BODY },
	{ "description", "Description", REST_BODY },
	{ "tag", "Tags", REST_BODY },
	{ "code", "", REST_NOWHERE },
	{ "location", "", REST_NOWHERE },
	{ "env", "", REST_NOWHERE },
	{ "secrets", "", REST_NOWHERE },
	{ .place = NULL },
};
static const struct rest_row create_function = { .service = "lambda", .method = HTTP_POST, .path = FUNCTIONS, .fields = new_fields };
static const struct rest_field code_fields[] = {
	{ "code", "", REST_NOWHERE },
	{ "location", "", REST_NOWHERE },
	{ .place = NULL },
};
static const struct rest_row update_function = { .service = "lambda", .method = HTTP_PUT, .path = FUNCTIONS "/{function}/code",
	.fields = code_fields };

static int functions_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return rest_list(call, &list_functions, add_function, ret, err);
}

/* The answer of GetFunction as it is: {Configuration, Code, Tags}; name: its name or identifier. */
static int read_function(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	return rest_run_raw_with(call, &get_function, "function", name, ret, err);
}

static int show(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *function, *tags;
	int r = read_function(call, name, &answer, err);

	if (r < 0)
		return r;
	function = json_get(answer, "Configuration");
	if (!json_object_is_type(function, json_type_object))
		return error_set(err, ERR_PROTOCOL, "%s: the service's answer holds no 'Configuration'", call->operation);
	tags = json_get(answer, "Tags");
	if (tags)
		json_object_object_add(function, "Tags", json_object_get(tags));
	function_hide(function, "Environment.Variables");
	return cloud_record(call, function_map, function, ret, err);
}

static int functions_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return show(call, cloud_param(call, "function"), ret, err);
}

/* ---- code ---- */

/* The place in S3 where the code lies, or the packed code itself into *zip. */
static int find_code(struct cloud_call *call, struct json_object **ret_place, struct buf *zip, struct error *err)
{
	CLEANUP(freep) char *bucket = NULL;
	CLEANUP(freep) char *key = NULL;
	struct json_object *o;
	int r;

	if (!cloud_param(call, "location"))
		return function_package(cloud_param(call, "code"), ZIP_BYTES_MAX, zip, err);
	r = function_location(call, "s3://", &bucket, &key, err);
	if (r < 0)
		return r;
	o = json_object_new_object();
	if (!o)
		return error_no_memory(err);
	json_object_object_add(o, "S3Bucket", json_object_new_string(bucket));
	json_object_object_add(o, "S3Key", json_object_new_string(key));
	*ret_place = o;
	return 0;
}

/* {"ZipFile": ..., the members of `more`}: written at once, since the code is large. `before` and `after` enclose the
 * member: "{\"Code\":" and "}" for one that stands deeper. */
static int write_body(const struct buf *zip, const char *before, const char *after, struct json_object *more, struct buf *out,
		      struct error *err)
{
	const char *rest = more && json_object_object_length(more) ?
				   json_object_to_json_string_ext(more, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) :
				   NULL;
	int r = buf_addf(out, "{%s\"ZipFile\":\"", before);

	if (r == 0)
		r = base64_encode(buf_cstr(zip), zip->len, out);
	if (r == 0)
		r = buf_addf(out, "\"%s", after);
	if (r == 0)
		r = rest ? buf_addc(out, ',') : buf_addc(out, '}');
	if (r == 0 && rest)
		r = buf_adds(out, rest + 1); /* behind its '{' */
	return r < 0 ? error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY, "the request cannot be built") : 0;
}

/* What a dry run shows in the place of the code. */
static struct json_object *told_zip(const struct buf *zip)
{
	CLEANUP(freep) char *text = str_format("(a zip of %zu bytes)", zip->len);
	struct json_object *o = json_object_new_object();

	if (o && text)
		json_object_object_add(o, "ZipFile", json_object_new_string(text));
	return o;
}

enum code_place { CODE_IN_MEMBER, CODE_AT_TOP };

/* Sends the row's request, whose other members stand in q->json, with the code. */
static int send_code(struct cloud_call *call, const struct rest_row *row, enum code_place where, struct service_request *q,
		     struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf zip = BUF_INIT(ZIP_BYTES_MAX);
	CLEANUP(buf_release) struct buf body = BUF_INIT((size_t)96 << 20);
	CLEANUP(json_putp) struct json_object *place = NULL;
	CLEANUP(json_putp) struct json_object *others = NULL;
	CLEANUP(freep) char *path = NULL;
	const struct service *service = NULL;
	bool is_inner = where == CODE_IN_MEMBER;
	int r = rest_path(call, row->path, &path, err);

	if (r == 0)
		r = find_code(call, &place, &zip, err);
	if (r == 0)
		r = aws_service(call, row->service, &service, err);
	if (r < 0)
		return r;
	if (!place && call->plan)
		place = told_zip(&zip);
	if (place) {
		r = rest_put(&q->json, is_inner ? "Code" : "", steal(place), err);
	} else {
		others = q->json;
		q->json = NULL;
		r = write_body(&zip, is_inner ? "\"Code\":{" : "", is_inner ? "}" : "", others, &body, err);
		q->body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&body), .fd = -1 };
		q->content_type = "application/json";
	}
	q->method = row->method;
	q->path = path;
	return r < 0 ? r : service_json(call, service, q, ret, err);
}

static int functions_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *env = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const char *stray = rest_stray_param(call, &create_function), *id;
	int r = stray ? error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, stray,
				  call->cloud->driver->type) :
			rest_fill(call, new_fields, &q, err);

	if (r == 0)
		r = function_environment(call, &env, err);
	if (r == 0 && env)
		r = rest_put(&q.json, "Environment.Variables", call->plan ? function_masked(env) : json_object_get(env), err);
	if (r == 0)
		r = send_code(call, &create_function, CODE_IN_MEMBER, &q, &answer, err);
	if (r < 0)
		return r;
	id = json_get_string(answer, "FunctionArn");
	return show(call, id ? id : cloud_param(call, "name"), ret, err);
}

static int functions_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r = send_code(call, &update_function, CODE_AT_TOP, &q, &answer, err);

	return r < 0 ? r : show(call, cloud_param(call, "function"), ret, err);
}

/* ---- calls ---- */

static const struct rest_field call_fields[] = {
	{ "version", "Qualifier", REST_QUERY },
	{ .place = NULL },
};

static int set_payload(struct cloud_call *call, struct service_request *q, struct error *err)
{
	struct json_object *payload = cloud_param_json(call, "payload");

	q->json = payload ? json_object_get(payload) : json_object_new_object();
	return q->json ? 0 : error_no_memory(err);
}

/* What the function answered, with its log; a failure of its own is an error, and the log is told. */
static int judge(struct cloud_call *call, struct json_object *told, const char *failure, struct error *err)
{
	const char *message = json_get_string(told, "payload.errorMessage"), *type = json_get_string(told, "payload.errorType");
	const char *log = json_get_string(told, "log");

	if (!failure)
		return 0;
	function_tell_log(call, str_of(log ? log : ""));
	return error_set(err, ERR_FAILED, "the function failed (%.32s): %.60s%s%.140s", failure, type ? type : "",
			 type ? ": " : "", message ? message : "it does not say why");
}

static int tell_call(struct cloud_call *call, const struct service_answer *answer, struct str body, struct json_object **ret,
		     struct error *err)
{
	const char *failure = http_fields_get(&answer->headers, "X-Amz-Function-Error");
	const char *coded = http_fields_get(&answer->headers, "X-Amz-Log-Result");
	CLEANUP(buf_release) struct buf log = BUF_INIT(65536);
	CLEANUP(json_putp) struct json_object *told = NULL;
	int r;

	if (coded && base64_decode(str_of(coded), &log) < 0)
		buf_clear(&log); /* a log that cannot be read is none */
	r = function_answered(call, &(struct function_answer){ .function = cloud_param(call, "function"),
							       .version = http_fields_get(&answer->headers, "X-Amz-Executed-Version"),
							       .log = coded ? buf_cstr(&log) : NULL,
							       .request_id = http_fields_get(&answer->headers, "x-amzn-RequestId"),
							       .http_status = answer->status,
							       .body = body },
			      &told, err);
	if (r == 0)
		r = judge(call, told, failure, err);
	if (r == 0)
		*ret = steal(told);
	return r;
}

static int functions_invoke(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	CLEANUP(buf_release) struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	CLEANUP(freep) char *path = NULL;
	const struct service *service = NULL;
	bool is_async = cloud_param_bool(call, "async", false);
	int r = cloud_param(call, "entry") ? error_set(err, ERR_UNSUPPORTED, "%s: parameter 'entry' is not supported by %s", call->operation,
						       call->cloud->driver->type) :
					     rest_path(call, FUNCTIONS "/{function}/invocations", &path, err);

	if (r == 0)
		r = aws_service(call, "lambda", &service, err);
	if (r == 0)
		r = http_fields_add(&q.headers, "X-Amz-Invocation-Type", is_async ? "Event" : "RequestResponse", err);
	if (r == 0 && !is_async)
		r = http_fields_add(&q.headers, "X-Amz-Log-Type", "Tail", err);
	if (r == 0)
		r = rest_fill(call, call_fields, &q, err);
	if (r == 0)
		r = set_payload(call, &q, err);
	if (r < 0)
		return r;
	q.method = HTTP_POST;
	q.path = path;
	q.stall_timeout_ms = RUN_LIMIT_MS;
	q.sink = (struct http_sink){ .kind = HTTP_SINK_BUF, .buf = &body, .fd = -1 };
	r = service_call(call, service, &q, &answer, err);
	return r < 0 ? r : tell_call(call, &answer, buf_str(&body), ret, err);
}

/* ---- logs ---- */

static const struct record_source log_map[] = {
	{ "time", "timestamp", NULL, NULL },
	{ "message", "message", NULL, NULL },
	{ "stream", "logStreamName", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct rest_field log_fields[] = {
	LOGS_TARGET("FilterLogEvents"),
	{ "_group", "logGroupName", REST_BODY },
	{ "_since_ms", "startTime", REST_BODY },
	{ .place = NULL },
};
static const struct rest_row list_events = { .service = "logs", .method = HTTP_POST, .path = "/", .is_read = true,
	.content_type = "application/x-amz-json-1.1", .fields = log_fields, .items = "events", .record = log_map,
	.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_BODY, "nextToken", "nextToken", "limit", 10000 } };

/* A function that never ran has no log yet. */
static int functions_logs(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *function = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(freep) char *standard = NULL;
	struct json_object *before = call->params;
	const char *group;
	int r = read_function(call, cloud_param(call, "function"), &function, err);

	if (r < 0)
		return r;
	group = json_get_string(function, "Configuration.LoggingConfig.LogGroup");
	standard = str_format("/aws/lambda/%s", json_get_string(function, "Configuration.FunctionName"));
	if (!standard || json_object_deep_copy(before, &params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(params, "_group", json_object_new_string(group ? group : standard));
	json_object_object_add(params, "_since_ms", json_object_new_int64(function_since_ms(call)));
	call->params = params;
	r = rest_run(call, &list_events, ret, err);
	call->params = before;
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		*ret = json_object_new_array();
		return *ret ? 0 : error_no_memory(err);
	}
	return r;
}

const struct function_ops aws_functions = {
	.functions_list = { .run = functions_list },
	.functions_get = { .run = functions_get },
	.functions_create = { .run = functions_create },
	.functions_update = { .run = functions_update },
	.functions_invoke = { .run = functions_invoke },
	.functions_delete = { .row = &delete_function },
	.functions_logs = { .run = functions_logs },
};
