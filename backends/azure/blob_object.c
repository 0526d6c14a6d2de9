/*
 * Get Blob Properties and Get Blob.
 *
 * The head of the answer is judged before the first byte goes into the sink: what comes must be exactly the range that
 * was asked for, and after a retried attempt the same version again. Bytes are checked by the checksum of their range, which
 * the service tells for ranges up to 4 MiB, or by the MD5 of the whole, where the blob has one.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/get-blob and get-blob-properties (2026-11).
 */
#include "backends/azure/blob_private.h"

/* A snapshot is a version too: its time with this before it. */
#define SNAPSHOT "snapshot:"

void az_call_version_id(struct az_call *c, const char *version_id)
{
	if (!version_id)
		return;
	if (!strncmp(version_id, SNAPSHOT, strlen(SNAPSHOT)))
		az_call_query(c, "snapshot", version_id + strlen(SNAPSHOT));
	else
		az_call_query(c, "versionid", version_id);
}

int az_head_with(struct az_call *c, const char *version_id, struct cancel *cancel, struct arena *arena,
		 struct store_object *ret, struct error *err)
{
	bool wants_directory = az_key_is_directory(c->key) && az_hns_ask(c->store, cancel) == AZ_HNS_YES;
	struct store_object object;
	int r;

	c->is_directory = wants_directory;
	az_call_version_id(c, version_id);
	c->request.cancel = cancel;
	r = az_call_perform(c, err);
	if (r >= 0)
		r = az_object_from_headers(&c->response, arena, &object, err);
	if (r >= 0)
		r = az_content_length(&c->response, &object.size, err);
	if (r < 0)
		return r;
	object.is_directory = az_is_directory(&object);
	if (wants_directory && !object.is_directory)
		return error_set(err, ERR_NOT_FOUND, "'%.64s' is no directory", c->key);
	*ret = object;
	return 0;
}

int az_head(struct store *store, const char *container, const char *key, const char *version_id,
	    struct arena *arena, struct store_object *ret, struct error *err)
{
	CLEANUP(az_call_release)
	struct az_call c = AZ_CALL_INIT(az_of(store), HTTP_HEAD, "GetBlobProperties", container, key);

	return az_head_with(&c, version_id, NULL, arena, ret, err);
}

/* One get under way. The event thread uses it while the caller waits for the exchange. */
struct get {
	const struct store_get_args *args;
	struct store_sink *sink;
	struct arena arena; /* of object */
	struct store_object object;
	bool has_object;     /* on_head was called */
	uint64_t body_bytes; /* that must arrive */
};

static int out_of_object(struct error *err)
{
	return error_set(err, ERR_RANGE, "the range ends outside the object");
}

static int get_start(void *arg, const struct http_response *response, struct error *err)
{
	struct get *g = arg;
	struct store_object object = { 0 };
	struct http_read read = { 0 };
	int r = az_object_from_headers(response, &g->arena, &object, err);

	if (r >= 0)
		r = http_judge_read(response, g->args->offset, g->args->length, NULL, &read, err);
	if (r < 0)
		return r;
	object.size = read.object_bytes;
	object.is_directory = az_is_directory(&object);
	g->body_bytes = read.body_bytes;
	/* An attempt made again must not mix two versions in one file. */
	if (g->has_object && (strcmp(g->object.version, object.version) || g->object.size != object.size))
		return error_set(err, ERR_PRECONDITION, "the object was changed while it was read");
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

static int check_digest(const struct get *g, const char *text, enum hash_kind kind, struct error *err)
{
	CLEANUP(buf_release) struct buf theirs = BUF_INIT(64);
	unsigned char ours[32], turned[32];
	int len;

	if (base64_decode(str_of(text), &theirs) < 0)
		return 0; /* nothing to compare with */
	len = store_sink_digest(g->sink, g->body_bytes, kind, ours, err);
	if (len < 0)
		return len;
	for (int i = 0; i < len; i++)
		turned[i] = kind == HASH_CRC64NVME ? ours[len - 1 - i] : ours[i];
	if ((size_t)len != theirs.len || memcmp(turned, theirs.data, theirs.len))
		return error_set(err, ERR_CORRUPT, "what arrived does not match the service's checksum");
	return 0;
}

static int check_bytes(const struct get *g, const struct http_response *response, struct error *err)
{
	const struct http_fields *headers = &response->headers;
	const char *crc = http_fields_get(headers, "x-ms-content-crc64");
	/* Of a range: of the range; and the whole blob's has a name of its own then. */
	const char *md5 = http_fields_get(headers, "content-md5");

	if (crc)
		return check_digest(g, crc, HASH_CRC64NVME, err);
	if (!md5 && g->body_bytes == g->object.size)
		md5 = http_fields_get(headers, "x-ms-blob-content-md5");
	return md5 ? check_digest(g, md5, HASH_MD5, err) : 0;
}

static void get_build(struct az_call *c, struct get *g)
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
	http_range(args->offset, args->length, range);
	if (range[0])
		az_call_header(c, "Range", range);
	if (args->length && args->length <= AZ_CRC_RANGE_MAX)
		az_call_header(c, c->store->has_crc64 ? "x-ms-range-get-content-crc64" : "x-ms-range-get-content-md5",
			       "true");
	az_call_condition(c, args->if_version, false);
	az_call_version_id(c, args->version_id);
}

static int get_once(struct az_call *c, struct get *g, struct error *err)
{
	char shown[96];
	int r;

	str_show(c->key, shown, sizeof(shown));
	get_build(c, g);
	r = az_call_perform(c, err);
	if (r < 0)
		return r;
	/* A body without a byte may pass without on_start. */
	if (!g->has_object)
		r = get_start(g, &c->response, err);
	if (r < 0)
		return error_prefix(err, r, "'%s'", shown);
	if (c->response.body_length != g->body_bytes)
		return error_set(err, ERR_UNAVAILABLE, "'%s': %llu of %llu bytes arrived", shown,
				 (unsigned long long)c->response.body_length,
				 (unsigned long long)g->body_bytes);
	r = check_bytes(g, &c->response, err);
	return r < 0 ? error_prefix(err, r, "'%s'", shown) : 0;
}

int az_get(struct store *store, const char *container, const char *key, const struct store_get_args *args,
	   struct store_sink *sink, struct arena *arena, struct store_object *ret, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release)
	struct az_call c = AZ_CALL_INIT(s, HTTP_GET, "GetBlob", container, key);
	struct get g = { .args = args, .sink = sink, .arena = ARENA_INIT(1 << 20) };
	int r;

	if (args->length > (uint64_t)INT64_MAX - args->offset)
		return out_of_object(err);
	c.is_directory = az_key_is_directory(key) && az_hns_ask(s, args->cancel) == AZ_HNS_YES;
	r = get_once(&c, &g, err);
	if (r >= 0 && ret) {
		*ret = g.object;
		if (arena)
			arena_absorb(arena, &g.arena);
	}
	arena_release(&g.arena);
	return r < 0 ? r : 0;
}
