/*
 * Resources: the status of the mount, and objects by skydir://STORE/BUCKET/KEY, whole and bounded in size.
 */
#include "control/mcp_private.h"

#include "backends/base/hash.h"
#include "backends/store/store.h"

#define RESOURCE_BYTES_MAX ((uint64_t)4 << 20)
#define SCHEME		   "skydir://"
#define STATUS_URI	   SCHEME "status"
#define NOT_FOUND_LEGACY   (-32002)

int mcp_resources_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	struct json_object *o, *list, *status;
	size_t from;

	if (mcp_cursor(c, 1, &from, f) < 0)
		return -1;
	o = json_object_new_object();
	list = json_object_new_array();
	status = json_object_new_object();
	mcp_add_text(status, "uri", STATUS_URI);
	mcp_add_text(status, "name", "status");
	if (c->revision >= MCP_2025_06_18)
		mcp_add_text(status, "title", "Status of the mount");
	mcp_add_text(status, "description", "files not uploaded yet, uploads under way, errors, cache and requests");
	mcp_add_text(status, "mimeType", "application/json");
	json_object_array_add(list, status);
	json_object_object_add(o, "resources", list);
	mcp_add_ttl(c, o, 3600000);
	*ret = o;
	return 0;
}

int mcp_templates_list(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	struct json_object *o, *list, *object;
	size_t from;

	if (mcp_cursor(c, 1, &from, f) < 0)
		return -1;
	o = json_object_new_object();
	list = json_object_new_array();
	object = json_object_new_object();
	mcp_add_text(object, "uriTemplate", SCHEME "{store}/{bucket}/{+key}");
	mcp_add_text(object, "name", "object");
	if (c->revision >= MCP_2025_06_18)
		mcp_add_text(object, "title", "An object");
	mcp_add_text(object, "description", "an object of a store, at most 4 MiB: text where it is UTF-8, else a blob");
	json_object_array_add(list, object);
	json_object_object_add(o, "resourceTemplates", list);
	mcp_add_ttl(c, o, 3600000);
	*ret = o;
	return 0;
}

/* ---- reading ---- */

static bool is_text(struct str s)
{
	while (s.len) {
		size_t n = str_utf8_char(s);

		if (n == 0 || *s.ptr == '\0')
			return false;
		s.ptr += n;
		s.len -= n;
	}
	return true;
}

static int add_content(struct json_object *o, struct str data)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(2 * RESOURCE_BYTES_MAX);

	if (is_text(data)) {
		json_object_object_add(o, "text", json_object_new_string_len(data.ptr, (int)data.len));
		return 0;
	}
	if (base64_encode(data.ptr, data.len, &text) < 0)
		return -ENOMEM;
	json_object_object_add(o, "blob", json_object_new_string_len(buf_cstr(&text), (int)text.len));
	return 0;
}

static int percent_decode(struct str s, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < s.len && r == 0; i++) {
		unsigned char byte = (unsigned char)s.ptr[i];

		if (byte == '%') {
			if (s.len - i < 3 || hex_decode((struct str){s.ptr + i + 1, 2}, &byte, 1) != 1)
				return -EINVAL;
			i += 2;
		}
		r = buf_addc(out, (char)byte);
	}
	return r;
}

/* The parts of the address, decoded, in heap strings. */
static int split_uri(const char *uri, char *ret[3], struct error *err)
{
	struct str rest = str_of(uri + strlen(SCHEME));

	for (int i = 0; i < 3; i++) {
		CLEANUP(buf_release) struct buf part = BUF_INIT(STORE_KEY_MAX + 1);
		struct str piece = i < 2 ? str_split(&rest, '/') : rest;

		if (!piece.ptr || !piece.len)
			return error_set(err, ERR_INVALID, "an address is skydir://STORE/BUCKET/KEY");
		if (percent_decode(piece, &part) < 0 || memchr(buf_cstr(&part), 0, part.len))
			return error_set(err, ERR_INVALID, "the address has a part that is too long or badly escaped");
		ret[i] = buf_detach(&part);
		if (!ret[i])
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return 0;
}

static int check_size(void *arg, const struct store_object *object, struct error *err)
{
	(void)arg; /* the limit is everybody's */
	if (object->size > RESOURCE_BYTES_MAX)
		return error_set(err, ERR_TOO_LARGE, "the object has %llu bytes, more than the 4 MiB that can be read so",
				 (unsigned long long)object->size);
	return 0;
}

static int read_object(const struct mcp_call *c, const char *uri, struct json_object *content, struct error *err)
{
	char *parts[3] = {NULL, NULL, NULL};
	int r = split_uri(uri, parts, err);
	CLEANUP(freep) char *store_name = parts[0];
	CLEANUP(freep) char *bucket = parts[1];
	CLEANUP(freep) char *key = parts[2];
	CLEANUP(buf_release) struct buf data = BUF_INIT(RESOURCE_BYTES_MAX);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_get_args args = {.cancel = c->base->cancel};
	struct store_sink sink = STORE_SINK_INIT;
	struct store_object object = {0};
	struct store *store;

	if (r == 0)
		r = op_context_store(c->mcp->context, store_name, &store, err);
	if (r < 0)
		return r;
	sink.buf = &data;
	sink.on_head = check_size;
	r = store_get(store, bucket, key, &args, &sink, &arena, &object, err);
	if (r < 0)
		return r;
	mcp_add_text(content, "mimeType", object.content_type ? object.content_type : store_content_type(key));
	return add_content(content, buf_str(&data)) < 0 ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

static int read_status(const struct mcp_call *c, struct json_object *content, struct error *err)
{
	CLEANUP(json_putp) struct json_object *status = NULL;
	int r = mcp_run_op(c, op_find("status"), NULL, &status, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND) { /* no mount: that is a status too */
		status = json_object_new_object();
		mcp_add_text(status, "state", "not mounted");
		r = 0;
	}
	if (r < 0)
		return r;
	mcp_add_text(content, "mimeType", "application/json");
	mcp_add_text(content, "text", json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN));
	return 0;
}

static int fail_as(const struct mcp_call *c, const char *uri, const struct error *err, struct mcp_failure *f)
{
	int code = error_rpc_code(err->kind);

	if (err->kind == ERR_NOT_FOUND)
		code = c->revision >= MCP_2026_07_28 ? RPC_INVALID_PARAMS : NOT_FOUND_LEGACY;
	f->data = rpc_error_data(err);
	if (f->data)
		mcp_add_text(f->data, "uri", uri);
	return mcp_fail(f, code, "%s", err->message);
}

int mcp_resources_read(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	const char *uri = c->params ? json_get_string(c->params, "uri") : NULL;
	CLEANUP(json_putp) struct json_object *content = NULL;
	struct error err = ERROR_INIT;
	struct json_object *o, *list;
	int r;

	if (!uri || strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
		return mcp_fail(f, RPC_INVALID_PARAMS, "resources/read needs a uri that begins with " SCHEME);
	content = json_object_new_object();
	mcp_add_text(content, "uri", uri);
	r = strcmp(uri, STATUS_URI) ? read_object(c, uri, content, &err) : read_status(c, content, &err);
	if (r < 0)
		return fail_as(c, uri, &err, f);
	o = json_object_new_object();
	list = json_object_new_array();
	json_object_array_add(list, steal(content));
	json_object_object_add(o, "contents", list);
	mcp_add_ttl(c, o, 0);
	*ret = o;
	return 0;
}
