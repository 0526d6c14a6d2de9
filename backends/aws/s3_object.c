/*
 * HeadObject and GetObject.
 *
 * The head of the answer is judged before the first byte goes into the sink: what comes must be
 * exactly the range that was asked for, and after a retried attempt the same version again. A
 * server that ignores ranges (a 200 to a ranged request) is served from a file that is no more than
 * a buffer.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html and API_HeadObject.html
 * (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/fileio.h"
#include "backends/base/log.h"
#include <limits.h>
#include <stdio.h>

#define CORRUPT_TRIES 3 /* what was damaged on the way is whole the next time */

/* A HEAD has no body, so a 400 does not tell why. One byte by GET does; ERR_NONE: there is nothing
 * wrong with it. */
static int ask_why(struct s3_store *s, const char *bucket, const char *key, struct cancel *cancel,
		   struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "GetObject", bucket, key);
	int r;

	s3_call_header(&c, "Range", "bytes=0-0");
	c.request.cancel = cancel;
	r = s3_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_RANGE) {
		*err = ERROR_INIT;
		return 0;
	}
	return r;
}

static int head_once(struct s3_call *c, const char *version_id, struct cancel *cancel,
		     struct arena *arena, struct store_object *ret, struct error *err)
{
	struct store_object object;
	int r;

	if (version_id)
		s3_call_query(c, "versionId", version_id);
	c->request.cancel = cancel;
	r = s3_call_perform(c, err);
	if (r < 0)
		return r;
	r = s3_object_from_headers(&c->response, arena, &object, err);
	if (r >= 0)
		r = s3_content_length(&c->response, &object.size, err);
	if (r < 0)
		return r;
	*ret = object;
	return 0;
}

/* ret_call, when given, is a call made by the caller, who then reads further headers from it. */
int s3_head_with(struct s3_store *s, const char *bucket, const char *key, const char *version_id,
		 struct cancel *cancel, struct arena *arena, struct store_object *ret,
		 struct s3_call *ret_call, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call own = S3_CALL_INIT(s, HTTP_HEAD, "HeadObject", bucket, key);
	struct s3_call *c = ret_call ? ret_call : &own;
	int r = head_once(c, version_id, cancel, arena, ret, err);

	if (r >= 0 || err->http_status != 400 || version_id)
		return r;
	r = ask_why(s, bucket, key, cancel, err);
	if (r < 0)
		return r;
	*err = ERROR_INIT; /* the credentials were expired, and are fresh now */
	s3_call_rewind(c);
	return head_once(c, NULL, cancel, arena, ret, err);
}

int s3_head(struct store *store, const char *bucket, const char *key, const char *version_id,
	    struct arena *arena, struct store_object *ret, struct error *err)
{
	return s3_head_with(s3_of(store), bucket, key, version_id, NULL, arena, ret, NULL, err);
}

/* One get under way. The event thread uses it while the caller waits for the exchange. */
struct get {
	const struct store_get_args *args;
	struct store_sink *sink;
	struct arena arena; /* of object */
	struct store_object object;
	bool has_object;     /* on_head was called */
	bool is_whole;	     /* the answer is the whole object */
	bool ignores_range;  /* the server sends more than was asked for */
	uint64_t body_bytes; /* that must arrive */
	char other_md5[2 * HASH_MD5_LEN + 1]; /* of content whose entity tag was another; "": none yet */
};

static int get_start(void *arg, const struct http_response *response, struct error *err)
{
	struct get *g = arg;
	struct store_object object = { 0 };
	struct http_read read = { 0 };
	int r = s3_object_from_headers(response, &g->arena, &object, err);

	if (r < 0)
		return r;
	r = http_judge_read(response, g->args->offset, g->args->length, NULL, &read, err);
	g->ignores_range = r < 0 && err->kind == ERR_UNSUPPORTED;
	if (r < 0)
		return r;
	object.size = read.object_bytes;
	g->body_bytes = read.body_bytes;
	g->is_whole = read.is_whole;
	/* An attempt made again must not mix two versions in one file. */
	if (g->has_object &&
	    (strcmp(g->object.version, object.version) || g->object.size != object.size))
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

static const struct {
	const char *header;
	enum hash_kind kind;
} checksums[] = {
	{ "x-amz-checksum-crc32c", HASH_CRC32C },	{ "x-amz-checksum-crc32", HASH_CRC32 },
	{ "x-amz-checksum-crc64nvme", HASH_CRC64NVME }, { "x-amz-checksum-sha256", HASH_SHA256 },
	{ "x-amz-checksum-sha1", HASH_SHA1 },
};

static int is_other(struct error *err)
{
	return error_set(err, ERR_CORRUPT, "what arrived does not match the service's checksum");
}

/* The entity tag of what was sent as one PUT is its MD5, but for encrypted objects and on servers that make their own. Content that
 * comes twice the same and does not match is no accident: then the tags of this server are not believed any more. */
static int check_tag(struct s3_store *s, struct get *g, const struct http_response *response,
		     struct error *err)
{
	unsigned char digest[32];
	char hex[2 * HASH_MD5_LEN + 1];
	int len;

	if (strlen(g->object.version) != 2 * HASH_MD5_LEN || atomic_load(&s->has_odd_tags) ||
	    http_fields_get(&response->headers, "x-amz-server-side-encryption") ||
	    http_fields_get(&response->headers, "x-amz-server-side-encryption-customer-algorithm"))
		return 0;
	len = store_sink_digest(g->sink, g->object.size, HASH_MD5, digest, err);
	if (len < 0)
		return len;
	hex_encode(digest, HASH_MD5_LEN, hex);
	if (!strcmp(hex, g->object.version))
		return 0;
	if (!strcmp(hex, g->other_md5)) {
		atomic_store(&s->has_odd_tags, true);
		log_debug("s3.odd_tags", "store='%s'", s->base.name);
		return 0;
	}
	memcpy(g->other_md5, hex, sizeof(hex));
	return is_other(err);
}

/* The server's checksum of the whole object against what is in the sink. One over the parts'
 * checksums (COMPOSITE, or with "-N" behind it) says nothing about the bytes as they stand. */
static int check_whole(struct s3_store *s, struct get *g, const struct http_response *response,
		       struct error *err)
{
	const char *type = http_fields_get(&response->headers, "x-amz-checksum-type");

	for (size_t i = 0; i < ARRAY_SIZE(checksums) && (!type || !strcmp(type, "FULL_OBJECT")); i++) {
		const char *text = http_fields_get(&response->headers, checksums[i].header);
		CLEANUP(buf_release) struct buf theirs = BUF_INIT(256);
		unsigned char ours[32];
		int len;

		if (!text || strchr(text, '-') || base64_decode(str_of(text), &theirs) < 0)
			continue;
		len = store_sink_digest(g->sink, g->object.size, checksums[i].kind, ours, err);
		if (len < 0)
			return len;
		return (size_t)len != theirs.len || memcmp(ours, theirs.data, theirs.len) ? is_other(err) : 0;
	}
	return check_tag(s, g, response, err);
}

static void get_build(struct s3_call *c, struct get *g)
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
		s3_call_header(c, "Range", range);
	if (args->if_version && *args->if_version)
		s3_call_headerf(c, "If-Match", "\"%s\"", args->if_version);
	if (args->version_id)
		s3_call_query(c, "versionId", args->version_id);
	if (!args->offset)
		s3_call_header(c, "x-amz-checksum-mode", "ENABLED");
}

static int get_once(struct s3_store *s, const char *bucket, const char *key, struct get *g,
		    struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "GetObject", bucket, key);
	char shown[96];
	int r;

	str_show(key, shown, sizeof(shown));
	get_build(&c, g);
	r = s3_call_perform(&c, err);
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
	r = g->is_whole ? check_whole(s, g, &c.response, err) : 0;
	return r < 0 ? error_prefix(err, r, "'%s'", shown) : 0;
}

/* The same until it arrives undamaged. */
static int get_sound(struct s3_store *s, const char *bucket, const char *key, struct get *g,
		     struct error *err)
{
	int r = 0;

	for (unsigned tries = 0; tries < CORRUPT_TRIES; tries++) {
		*err = ERROR_INIT;
		r = get_once(s, bucket, key, g, err);
		if (r >= 0 || err->kind != ERR_CORRUPT)
			break;
	}
	return r;
}

static int copy_to_sink(int from, uint64_t offset, uint64_t length, struct store_sink *sink,
			struct error *err)
{
	CLEANUP(freep) char *block = malloc(1 << 17);

	if (!block)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (sink->buf)
		buf_clear(sink->buf);
	for (uint64_t done = 0; done < length;) {
		size_t len = length - done < 1 << 17 ? (size_t)(length - done) : 1 << 17;
		int r = fileio_pread_all(from, block, len, offset + done);

		if (r >= 0 && sink->fd >= 0)
			r = fileio_pwrite_all(sink->fd, block, len, sink->fd_offset + done);
		else if (r >= 0)
			r = buf_add(sink->buf, block, len);
		if (r < 0)
			return error_errno(err, -r, "what was read cannot be kept");
		if (sink->on_data)
			sink->on_data(sink->arg, done, len);
		done += len;
	}
	return 0;
}

static int out_of_object(struct error *err)
{
	return error_set(err, ERR_RANGE, "the range ends outside the object");
}

/* From a server that does not do ranges: the whole object goes through an unlinked file. */
static int get_unranged(struct s3_store *s, const char *bucket, const char *key, struct get *g,
			struct error *err)
{
	FILE *file = tmpfile();
	struct store_sink whole_sink = { .fd = file ? fileno(file) : -1 };
	struct store_get_args whole_args = *g->args;
	struct get whole = { .args = &whole_args,
			     .sink = &whole_sink,
			     .arena = ARENA_INIT(1 << 20) };
	const struct store_get_args *args = g->args;
	uint64_t length;
	int r;

	if (!file)
		return error_errno(err, errno, "a file for a whole object cannot be made");
	whole_args.offset = whole_args.length = 0;
	r = get_sound(s, bucket, key, &whole, err);
	g->object = whole.object;
	arena_absorb(&g->arena, &whole.arena);
	if (r >= 0 && (args->offset >= g->object.size || args->length > g->object.size - args->offset))
		r = out_of_object(err);
	if (r >= 0 && g->sink->on_head)
		r = g->sink->on_head(g->sink->arg, &g->object, err);
	if (r >= 0) {
		length = args->length ? args->length : g->object.size - args->offset;
		r = copy_to_sink(whole_sink.fd, args->offset, length, g->sink, err);
	}
	(void)fclose(file); /* only read from */
	return r;
}

int s3_get(struct store *store, const char *bucket, const char *key,
	   const struct store_get_args *args, struct store_sink *sink, struct arena *arena,
	   struct store_object *ret, struct error *err)
{
	struct get g = { .args = args, .sink = sink, .arena = ARENA_INIT(1 << 20) };
	int r;

	if (args->length > (uint64_t)INT64_MAX - args->offset)
		return out_of_object(err);
	r = get_sound(s3_of(store), bucket, key, &g, err);
	if (r < 0 && g.ignores_range) {
		*err = ERROR_INIT;
		r = get_unranged(s3_of(store), bucket, key, &g, err);
	}
	if (r >= 0 && ret) {
		*ret = g.object;
		if (arena)
			arena_absorb(arena, &g.arena);
	}
	arena_release(&g.arena);
	return r < 0 ? r : 0;
}
