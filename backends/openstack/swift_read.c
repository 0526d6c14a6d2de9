/*
 * Reading: the head of an answer is judged before its first byte goes into the sink, as it must be exactly the range and
 * the version that were asked for, also after a retried attempt.
 */
#include "backends/openstack/swift_private.h"

#include <limits.h>
#include <stdio.h>

struct get {
	const struct store_get_args *args;
	struct store_sink *sink;
	struct arena arena; /* of object */
	struct store_object object;
	bool has_object;    /* on_head was called */
	bool is_whole;	    /* the answer is the whole object */
	bool is_plain;	    /* and its ETag is the MD5 of it */
	uint64_t body_bytes; /* that must arrive */
	uint64_t arrived;   /* the furthest byte of this attempt */
};

static int out_of_object(struct error *err)
{
	return error_set(err, ERR_RANGE, "the range ends outside the object");
}

static int get_start(void *arg, const struct http_response *response, struct error *err)
{
	struct get *g = arg;
	struct store_object object = { .size = 0 };
	struct http_read read = { .is_whole = false };
	const char *wanted = g->args->if_version;
	int r = swift_object_from(&response->headers, &g->arena, &object, err);

	if (r == 0)
		r = http_judge_read(response, g->args->offset, g->args->length, NULL, &read, err);
	if (r < 0)
		return r;
	object.size = read.object_bytes;
	g->body_bytes = read.body_bytes;
	g->is_whole = read.is_whole;
	if ((wanted && *wanted && strcmp(wanted, object.version) != 0) ||
	    (g->has_object && (strcmp(g->object.version, object.version) != 0 || g->object.size != object.size)))
		return error_set(err, ERR_PRECONDITION, "the object was changed meanwhile");
	g->is_plain = !http_fields_get(&response->headers, "x-static-large-object") &&
		      !http_fields_get(&response->headers, "x-object-manifest");
	g->arrived = 0;
	if (g->has_object)
		return 0;
	g->object = object;
	g->has_object = true;
	return g->sink->on_head ? g->sink->on_head(g->sink->arg, &g->object, err) : 0;
}

static void get_data(void *arg, uint64_t position, size_t len)
{
	struct get *g = arg;

	g->arrived = position + len;
	if (g->sink->on_data)
		g->sink->on_data(g->sink->arg, position, len);
}

static int check_whole(const struct get *g, struct error *err)
{
	unsigned char digest[32];
	char hex[2 * HASH_MD5_LEN + 1];
	int r;

	if (!g->is_plain || strlen(g->object.version) != 2 * HASH_MD5_LEN)
		return 0;
	r = store_sink_digest(g->sink, g->object.size, HASH_MD5, digest, err);
	if (r < 0)
		return r;
	hex_encode(digest, HASH_MD5_LEN, hex);
	return strcmp(hex, g->object.version) ? error_set(err, ERR_CORRUPT, "what arrived is not what the service holds") : 0;
}

static void get_build(struct swift_call *c, struct get *g, const char *bucket, const char *key)
{
	const struct store_get_args *args = g->args;
	struct store_sink *sink = g->sink;
	char range[HTTP_RANGE_MAX];

	swift_call_aim(c, bucket, key);
	c->request.sink = (struct http_sink){
		.kind = sink->fd >= 0 ? HTTP_SINK_FD : HTTP_SINK_BUF,
		.buf = sink->buf,
		.fd = sink->fd,
		.offset = sink->fd_offset,
		.length = args->length ? args->length : (uint64_t)INT64_MAX - sink->fd_offset,
		.on_start = get_start,
		.on_data = get_data,
		.arg = g,
	};
	c->cancel = args->cancel;
	c->deadline_mono_ms = args->deadline_mono_ms;
	http_range(args->offset, args->length, range);
	if (range[0])
		swift_call_header(c, "Range", range);
	if (args->if_version && *args->if_version)
		swift_call_headerf(c, "If-Match", "\"%s\"", args->if_version);
	if (args->version_id)
		swift_call_query(c, "version-id", args->version_id);
}

static int get_once(struct swift_store *s, const char *bucket, const char *key, struct get *g, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_GET, "GetObject");
	struct http_response head = HTTP_RESPONSE_INIT;
	int r;

	get_build(&c, g, bucket, key);
	r = swift_call_perform(&c, err);
	if (r < 0)
		return r;
	if (!g->has_object) { /* a body without a byte may pass without on_start */
		head.status = c.answer.status;
		head.headers = c.answer.headers;
		r = get_start(g, &head, err);
	}
	if (r == 0 && g->arrived != g->body_bytes)
		r = error_set(err, ERR_UNAVAILABLE, "%llu of %llu bytes arrived", (unsigned long long)g->arrived,
			      (unsigned long long)g->body_bytes);
	return r < 0 || !g->is_whole ? r : check_whole(g, err);
}

int swift_get(struct store *store, const char *bucket, const char *key, const struct store_get_args *args,
	      struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err)
{
	struct get g = { .args = args, .sink = sink, .arena = ARENA_INIT(1 << 20) };
	int r = swift_check_key(key, err);

	if (r < 0)
		return error_set(err, ERR_NOT_FOUND, "there is no such object");
	if (args->length > (uint64_t)INT64_MAX - args->offset)
		return out_of_object(err);
	r = get_once(swift_of(store), bucket, key, &g, err);
	if (r >= 0 && ret) {
		*ret = g.object;
		if (arena)
			arena_absorb(arena, &g.arena);
	}
	arena_release(&g.arena);
	return r < 0 ? r : 0;
}
