#include "backends/cloud/serverless.h"

#include "backends/base/clock.h"
#include "backends/base/hash.h"
#include "backends/http/http.h"

#define NAME_BYTES_MAX 256
#define LOG_BYTES_MAX  ((size_t)1 << 20)

static const struct record_field function_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "creating, active, inactive, updating, deleting, failed or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "reason", RECORD_TEXT, "why it is so" },
	{ "runtime", RECORD_TEXT, "what runs it" },
	{ "handler", RECORD_TEXT, "where in the code it begins" },
	{ "memory_mb", RECORD_INT, "memory in MiB" },
	{ "timeout_s", RECORD_INT, "seconds after which a call is ended" },
	{ "code_bytes", RECORD_INT, "size of the packed code" },
	{ "url", RECORD_TEXT, "where it is called" },
	{ "role", RECORD_TEXT, "whom it acts as" },
	{ "env", RECORD_LIST, "names of its environment; the values are not shown" },
	{ "functions", RECORD_LIST, "what can be called, where an application holds several (Azure)" },
	{ "description", RECORD_TEXT, "what it is for" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "tags", RECORD_OBJECT, "tags or labels" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_function = { "function", function_fields, "name,status,runtime,memory_mb,timeout_s,updated" };

static const struct record_field invocation_fields[] = {
	{ "function", RECORD_TEXT, "what was called" },
	{ "version", RECORD_TEXT, "the version that ran" },
	{ "http_status", RECORD_INT, "status of the answer" },
	{ "payload", RECORD_ANY, "what it answered: JSON, else text" },
	{ "is_base64", RECORD_BOOL, "the payload is base64, since it was no text" },
	{ "log", RECORD_TEXT, "end of the log of this call, where the provider gives it" },
	{ "request_id", RECORD_TEXT, "by which the log knows the call" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_invocation = { "invocation", invocation_fields, NULL };

static const struct record_field log_fields[] = {
	{ "time", RECORD_TIME, "when it was" },
	{ "level", RECORD_TEXT, "how grave it is, where the provider says" },
	{ "message", RECORD_TEXT, "the line" },
	{ "stream", RECORD_TEXT, "which of its copies wrote it" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_log_line = { "log line", log_fields, "time,level,message" };

/* NAME=VALUE; what is wrong is told by its number, since the line may hold a secret. */
static int add_line(struct json_object *into, struct str line, unsigned number, struct error *err)
{
	const char *equals = memchr(line.ptr, '=', line.len);
	CLEANUP(freep) char *name = equals ? str_dup((struct str){ line.ptr, (size_t)(equals - line.ptr) }) : NULL;
	struct json_object *value;

	if (!equals || equals == line.ptr || (size_t)(equals - line.ptr) > NAME_BYTES_MAX)
		return error_set(err, ERR_INVALID, "line %u of the secrets is no NAME=VALUE", number);
	value = json_object_new_string_len(equals + 1, (int)(line.ptr + line.len - equals - 1));
	if (!name || !value || json_object_object_add(into, name, value) != 0) {
		json_object_put(value);
		return error_no_memory(err);
	}
	return 0;
}

static int add_lines(struct json_object *into, const char *text, struct error *err)
{
	struct str rest = str_of(text), line;
	unsigned number = 0;
	int r = 0;

	while (r == 0 && (line = str_split(&rest, '\n')).ptr) {
		number++;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (str_trim(line).len && *str_trim(line).ptr != '#')
			r = add_line(into, line, number, err);
	}
	return r;
}

int function_environment(const struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *all = NULL;
	struct json_object *env = cloud_param_json(call, "env");
	const char *secrets = cloud_param(call, "secrets");
	int r = 0;

	if (!env && !secrets)
		return 0;
	if (env ? json_object_deep_copy(env, &all, NULL) != 0 : !(all = json_object_new_object()))
		return error_no_memory(err);
	if (secrets)
		r = add_lines(all, secrets, err);
	if (r == 0)
		*ret = steal(all);
	return r;
}

struct json_object *function_masked(struct json_object *environment)
{
	struct json_object *o = environment ? json_object_new_object() : NULL;

	if (!o)
		return NULL;
	json_object_object_foreach(environment, name, value)
	{
		(void)value; /* not to be seen */
		json_object_object_add(o, name, json_object_new_string("***"));
	}
	return o;
}

void function_hide(struct json_object *thing, const char *path)
{
	struct json_object *found = json_get(thing, path);

	if (!json_object_is_type(found, json_type_object))
		return;
	json_object_object_foreach(found, name, value)
	{
		(void)value; /* not to be seen */
		/* The key is there already: it stays, and so does the iteration. */
		json_object_object_add(found, name, json_object_new_string("***"));
	}
}

struct json_object *function_names(struct json_object *object)
{
	struct json_object *list = json_object_new_array();

	if (!list || !json_object_is_type(object, json_type_object))
		return list;
	json_object_object_foreach(object, name, value)
	{
		(void)value; /* names only */
		json_object_array_add(list, json_object_new_string(name));
	}
	return list;
}

static bool is_text(struct str s)
{
	while (s.len) {
		size_t n = *s.ptr ? str_utf8_char(s) : 0;

		if (!n)
			return false;
		s = (struct str){ s.ptr + n, s.len - n };
	}
	return true;
}

static int make_payload(struct str body, struct json_object **ret, bool *ret_is_base64, struct error *err)
{
	CLEANUP(buf_release) struct buf coded = BUF_INIT((size_t)96 << 20);
	struct error ignored = ERROR_INIT; /* then it is no JSON */
	bool is_plain = is_text(body);

	*ret_is_base64 = !is_plain;
	if (!body.len || (is_plain && json_parse(body, (size_t)64 << 20, ret, &ignored) == 0))
		return 0;
	if (!is_plain && base64_encode(body.ptr, body.len, &coded) < 0)
		return error_no_memory(err);
	*ret = is_plain ? json_object_new_string_len(body.ptr, (int)body.len) :
			  json_object_new_string_len(buf_cstr(&coded), (int)coded.len);
	return *ret ? 0 : error_no_memory(err);
}

/* The end of a log may begin within a character. */
static int add_clean(struct buf *out, struct str s)
{
	int r = 0;

	while (s.len && r == 0) {
		size_t n = *s.ptr ? str_utf8_char(s) : 0;

		r = n ? buf_add(out, s.ptr, n) : 0;
		s = (struct str){ s.ptr + (n ? n : 1), s.len - (n ? n : 1) };
	}
	return r;
}

int function_answered(const struct cloud_call *call, const struct function_answer *answer, struct json_object **ret, struct error *err)
{
	static const struct record_source map[] = {
		{ "function", "function", NULL, NULL }, { "version", "version", NULL, NULL },	{ "http_status", "http_status", NULL, NULL },
		{ "payload", "payload", NULL, NULL },	{ "is_base64", "is_base64", NULL, NULL }, { "log", "log", NULL, NULL },
		{ "request_id", "request_id", NULL, NULL }, { NULL, NULL, NULL, NULL },
	};
	CLEANUP(buf_release) struct buf log = BUF_INIT(LOG_BYTES_MAX);
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "function", answer->function }, { "version", answer->version }, { "request_id", answer->request_id },
	};
	CLEANUP(json_putp) struct json_object *told = json_object_new_object();
	struct json_object *payload = NULL;
	bool is_base64 = false;
	int r = told ? make_payload(answer->body, &payload, &is_base64, err) : error_no_memory(err);

	if (r == 0 && answer->log && add_clean(&log, str_of(answer->log)) < 0)
		r = error_no_memory(err);
	if (r < 0) {
		json_object_put(payload);
		return r;
	}
	if (answer->log)
		json_object_object_add(told, "log", json_object_new_string(buf_cstr(&log)));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].text)
			json_object_object_add(told, texts[i].name, json_object_new_string(texts[i].text));
	json_object_object_add(told, "http_status", json_object_new_int(answer->http_status));
	json_object_object_add(told, "payload", payload);
	if (is_base64)
		json_object_object_add(told, "is_base64", json_object_new_boolean(1));
	return cloud_record(call, map, told, ret, err);
}

void function_refine(const struct http_response *response, struct error *err)
{
	int status = response->status;

	if (status >= 500 || (status >= 400 && status != 401 && status != 403 && status != 404 && status != 429)) {
		err->kind = ERR_FAILED;
		err->retry_after_ms = 0;
	}
}

void function_tell_log(const struct cloud_call *call, struct str log)
{
	struct str line;

	while (call->tell && (line = str_split(&log, '\n')).ptr) {
		CLEANUP(freep) char *text = str_dup(str_trim(line));

		if (text && *text)
			call->tell(call->progress_arg, text);
	}
}

int function_location(const struct cloud_call *call, const char *scheme, char **ret_bucket, char **ret_key, struct error *err)
{
	const char *given = cloud_param(call, "location");
	const char *bucket = given && !strncmp(given, scheme, strlen(scheme)) ? given + strlen(scheme) : "";
	const char *slash = strchr(bucket, '/');

	if (!slash || slash == bucket || !slash[1])
		return error_set(err, ERR_INVALID, "parameter 'location' must be %sBUCKET/KEY, not '%.100s'", scheme, given ? given : "");
	*ret_bucket = str_dup((struct str){ bucket, (size_t)(slash - bucket) });
	*ret_key = strdup(slash + 1);
	return *ret_bucket && *ret_key ? 0 : error_no_memory(err);
}

int64_t function_since_ms(const struct cloud_call *call)
{
	struct json_object *since = cloud_param_json(call, "since");
	uint64_t ms = UINT64_C(3600) * 1000;
	int64_t now_ms = clock_wall_ns() / 1000000;

	if (json_object_is_type(since, json_type_int) && json_object_get_int64(since) >= 0)
		ms = (uint64_t)json_object_get_int64(since) * 1000;
	else if (since && str_to_duration(str_of(json_object_get_string(since)), &ms) < 0)
		ms = UINT64_C(3600) * 1000;
	return ms < (uint64_t)now_ms ? now_ms - (int64_t)ms : 0;
}
