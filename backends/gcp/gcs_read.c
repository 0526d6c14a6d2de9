/*
 * objects.get, of the resource and of the bytes.
 *
 * The head of an answer is judged before its first byte goes into the sink: it must be exactly the range that was asked
 * for, of the generation that was asked for (some servers ignore the condition), and after a retried attempt the same
 * generation again. `Accept-Encoding: gzip` keeps the service from unpacking what is stored packed, whose length and
 * checksum would then be others than it tells.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/objects/get, .../transcoding (2026-10).
 */
#include "backends/base/clock.h"
#include "backends/gcp/gcs_private.h"
#include <limits.h>
#include <stdio.h>

int gcs_head_with(struct gcs_store *s, const char *bucket, const char *key, const char *version_id,
		  struct cancel *cancel, struct arena *arena, struct store_object *ret,
		  char ret_crc[GCS_CRC_MAX], struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "GetObjectMetadata", bucket, key);
	struct store_object object;
	const char *crc;
	int r = gcs_check_key(key, err);

	if (r < 0 || (version_id && !gcs_is_generation(version_id)))
		return error_set(err, ERR_NOT_FOUND, "there is no such object");
	gcs_call_target(&c);
	gcs_call_query(&c, "fields", GCS_OBJECT_FIELDS);
	if (version_id)
		gcs_call_query(&c, "generation", version_id);
	c.request.cancel = cancel;
	r = gcs_call_json(&c, err);
	if (r == 0)
		r = gcs_object_read(c.json, arena, &object, err);
	if (r < 0)
		return r;
	object.key = NULL;
	*ret = object;
	crc = json_get_string(c.json, "crc32c");
	if (ret_crc)
		(void)snprintf(ret_crc, GCS_CRC_MAX, "%s", crc ? crc : "");
	return 0;
}

int gcs_head(struct store *store, const char *bucket, const char *key, const char *version_id,
	     struct arena *arena, struct store_object *ret, struct error *err)
{
	return gcs_head_with(gcs_of(store), bucket, key, version_id, NULL, arena, ret, NULL, err);
}

/* One get under way. The event thread uses it while the caller waits for the exchange. */
struct get {
	const struct store_get_args *args;
	struct store_sink *sink;
	struct arena arena; /* of object */
	struct store_object object;
	bool has_object;     /* on_head was called */
	bool is_whole;	     /* the answer is the whole object */
	uint64_t body_bytes; /* that must arrive */
};

static int out_of_object(struct error *err)
{
	return error_set(err, ERR_RANGE, "the range ends outside the object");
}

static int object_from_headers(const struct http_response *response, struct arena *arena,
			       struct store_object *ret, struct error *err)
{
	const char *generation = http_fields_get(&response->headers, "x-goog-generation");
	const char *modified = http_fields_get(&response->headers, "last-modified");
	const char *type = http_fields_get(&response->headers, "content-type");
	int64_t modified_s = 0;

	if (!generation || !gcs_is_generation(generation) ||
	    strlen(generation) >= sizeof(ret->version))
		return error_set(err, ERR_PROTOCOL, "the service names no generation of an object");
	memcpy(ret->version, generation, strlen(generation) + 1);
	if (modified && clock_parse_http(modified, &modified_s) == 0)
		ret->modified_wall_ns = modified_s * 1000000000;
	if (type && !(ret->content_type = arena_strdup(arena, type)))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

static int get_start(void *arg, const struct http_response *response, struct error *err)
{
	struct get *g = arg;
	struct store_object object = { 0 };
	struct http_read read = { 0 };
	const char *wanted = g->args->if_version;
	int r = object_from_headers(response, &g->arena, &object, err);

	if (r < 0)
		return r;
	/* Sent without a length (packed on the way), what is stored counts. */
	r = http_judge_read(response, g->args->offset, g->args->length, "x-goog-stored-content-length", &read, err);
	if (r < 0)
		return r;
	object.size = read.object_bytes;
	g->body_bytes = read.body_bytes;
	g->is_whole = read.is_whole;
	if ((wanted && *wanted && strcmp(wanted, object.version)) ||
	    (g->has_object &&
	     (strcmp(g->object.version, object.version) || g->object.size != object.size)))
		return error_set(err, ERR_PRECONDITION, "the object was changed meanwhile");
	if (g->has_object)
		return 0;
	g->object = object;
	g->has_object = true;
	return g->sink->on_head ? g->sink->on_head(g->sink->arg, &g->object, err) : 0;
}

static void get_data(void *arg, uint64_t position, size_t len)
{
	struct get *g = arg;

	if (g->sink->on_data)
		g->sink->on_data(g->sink->arg, position, len);
}

/* "x-goog-hash: crc32c=AAAAAA==,md5=..." or two headers of that name. */
static bool find_crc(const struct http_response *response, char ret[GCS_CRC_MAX])
{
	for (size_t i = 0; i < response->headers.count; i++) {
		struct str rest = str_of(response->headers.items[i].value), item;

		if (strcasecmp(response->headers.items[i].name, "x-goog-hash"))
			continue;
		while ((item = str_split(&rest, ',')).ptr) {
			item = str_trim(item);
			if (!str_starts(item, "crc32c=") || item.len - 7 >= GCS_CRC_MAX)
				continue;
			memcpy(ret, item.ptr + 7, item.len - 7);
			ret[item.len - 7] = '\0';
			return true;
		}
	}
	return false;
}

static int check_whole(const struct get *g, const struct http_response *response, struct error *err)
{
	CLEANUP(buf_release) struct buf theirs = BUF_INIT(64);
	unsigned char ours[32];
	char text[GCS_CRC_MAX];
	int len;

	if (!find_crc(response, text) || base64_decode(str_of(text), &theirs) < 0)
		return 0;
	len = store_sink_digest(g->sink, g->object.size, HASH_CRC32C, ours, err);
	if (len < 0)
		return len;
	if ((size_t)len != theirs.len || memcmp(ours, theirs.data, theirs.len))
		return error_set(err, ERR_CORRUPT,
				 "what arrived does not match the service's checksum");
	return 0;
}

static void get_build(struct gcs_call *c, struct get *g)
{
	const struct store_get_args *args = g->args;
	struct store_sink *sink = g->sink;
	char range[HTTP_RANGE_MAX];

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
	c->request.cancel = args->cancel;
	c->request.deadline_mono_ms = args->deadline_mono_ms;
	gcs_call_target(c);
	gcs_call_query(c, "alt", "media");
	gcs_call_header(c, "Accept-Encoding", "gzip");
	http_range(args->offset, args->length, range);
	if (range[0])
		gcs_call_header(c, "Range", range);
	if (args->if_version && *args->if_version)
		gcs_call_query(c, "ifGenerationMatch", args->if_version);
	if (args->version_id)
		gcs_call_query(c, "generation", args->version_id);
}

static int get_once(struct gcs_store *s, const char *bucket, const char *key, struct get *g,
		    struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "GetObject", bucket, key);
	char shown[96];
	int r;

	str_show(key, shown, sizeof(shown));
	get_build(&c, g);
	r = gcs_call_perform(&c, err);
	if (r < 0)
		return r;
	/* A body without a byte may pass without on_start. */
	if (!g->has_object)
		r = get_start(g, &c.response, err);
	if (r < 0)
		return error_prefix(err, r, "'%s'", shown);
	if (c.response.body_length != g->body_bytes)
		return error_set(err, ERR_UNAVAILABLE, "'%s': %llu of %llu bytes arrived", shown,
				 (unsigned long long)c.response.body_length,
				 (unsigned long long)g->body_bytes);
	r = g->is_whole ? check_whole(g, &c.response, err) : 0;
	return r < 0 ? error_prefix(err, r, "'%s'", shown) : 0;
}

int gcs_get(struct store *store, const char *bucket, const char *key,
	    const struct store_get_args *args, struct store_sink *sink, struct arena *arena,
	    struct store_object *ret, struct error *err)
{
	struct get g = { .args = args, .sink = sink, .arena = ARENA_INIT(1 << 20) };
	int r = gcs_check_key(key, err);

	if (r < 0 || (args->version_id && !gcs_is_generation(args->version_id)))
		return error_set(err, ERR_NOT_FOUND, "there is no such object");
	if (args->if_version && *args->if_version && !gcs_is_generation(args->if_version))
		return error_set(err, ERR_PRECONDITION, "the object was changed meanwhile");
	if (args->length > (uint64_t)INT64_MAX - args->offset)
		return out_of_object(err);
	r = get_once(gcs_of(store), bucket, key, &g, err);
	if (r >= 0 && ret) {
		*ret = g.object;
		if (arena)
			arena_absorb(arena, &g.arena);
	}
	arena_release(&g.arena);
	return r < 0 ? r : 0;
}
