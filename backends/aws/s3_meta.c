/*
 * Object headers: metadata both ways, content types, versions.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/store/meta_text.h"
#include <stdio.h>
#include <strings.h>

#define META_PREFIX "x-amz-meta-"

static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".txt", "text/plain" },
	{ ".html", "text/html" },
	{ ".htm", "text/html" },
	{ ".css", "text/css" },
	{ ".csv", "text/csv" },
	{ ".md", "text/markdown" },
	{ ".xml", "application/xml" },
	{ ".json", "application/json" },
	{ ".js", "text/javascript" },
	{ ".mjs", "text/javascript" },
	{ ".wasm", "application/wasm" },
	{ ".pdf", "application/pdf" },
	{ ".zip", "application/zip" },
	{ ".gz", "application/gzip" },
	{ ".tar", "application/x-tar" },
	{ ".tgz", "application/gzip" },
	{ ".bz2", "application/x-bzip2" },
	{ ".xz", "application/x-xz" },
	{ ".zst", "application/zstd" },
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".jpeg", "image/jpeg" },
	{ ".gif", "image/gif" },
	{ ".webp", "image/webp" },
	{ ".svg", "image/svg+xml" },
	{ ".avif", "image/avif" },
	{ ".ico", "image/x-icon" },
	{ ".tif", "image/tiff" },
	{ ".tiff", "image/tiff" },
	{ ".mp3", "audio/mpeg" },
	{ ".ogg", "audio/ogg" },
	{ ".wav", "audio/wav" },
	{ ".flac", "audio/flac" },
	{ ".mp4", "video/mp4" },
	{ ".webm", "video/webm" },
	{ ".mkv", "video/x-matroska" },
	{ ".mov", "video/quicktime" },
	{ ".avi", "video/x-msvideo" },
	{ ".yaml", "application/yaml" },
	{ ".yml", "application/yaml" },
	{ ".woff2", "font/woff2" },
	{ ".parquet", "application/vnd.apache.parquet" },
};

static const char *content_type_of(const char *key)
{
	struct str name = str_of(key);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t len = strlen(types[i].suffix);

		if (name.len > len && !strcasecmp(key + name.len - len, types[i].suffix))
			return types[i].type;
	}
	return "application/octet-stream";
}

int s3_version_set(const char *etag, char ret[STORE_VERSION_MAX], struct error *err)
{
	struct str text = str_trim(str_of(etag ? etag : ""));

	if (str_starts(text, "W/"))
		text = (struct str){ text.ptr + 2, text.len - 2 };
	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		text = (struct str){ text.ptr + 1, text.len - 2 };
	if (text.len >= STORE_VERSION_MAX)
		return error_set(err, ERR_PROTOCOL, "the service sent an entity tag of %zu bytes",
				 text.len);
	/* It goes back into a header, and to the user: nothing but printable bytes. */
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == '"')
			return error_set(err, ERR_PROTOCOL, "the service sent a broken entity tag");
	memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
	return 0;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 256 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static void add_meta(struct s3_call *c, const char *name, const char *value)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT(512);
	CLEANUP(buf_release) struct buf text = BUF_INIT(16384);

	s3_call_check(c, buf_addf(&header, META_PREFIX "%s", name));
	s3_call_check(c, store_meta_to_header(value, &text));
	s3_call_header(c, buf_cstr(&header), buf_cstr(&text));
}

int s3_call_meta(struct s3_call *c, const struct store_meta *meta, size_t count,
		 const char *content_type, struct error *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (!name_is_valid(meta[i].name))
			return error_set(err, ERR_INVALID, "'%.64s' is no name for S3 metadata",
					 meta[i].name);
		bytes += strlen(meta[i].name) + strlen(meta[i].value);
		if (bytes > c->store->base.limits.max_metadata_bytes)
			return error_set(err, ERR_TOO_LARGE,
					 "the metadata is larger than the %u bytes of the service",
					 c->store->base.limits.max_metadata_bytes);
		add_meta(c, meta[i].name, meta[i].value);
	}
	if (c->store->marks_directories && str_ends(str_of(c->key), "/"))
		content_type = "application/directory";
	s3_call_header(c, "Content-Type", content_type ? content_type : content_type_of(c->key));
	return 0;
}

static int read_meta(const struct http_fields *headers, struct arena *arena,
		     struct store_object *ret)
{
	struct store_meta *meta;
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += !strncasecmp(headers->items[i].name, META_PREFIX, strlen(META_PREFIX));
	ret->has_meta = true;
	if (count == 0)
		return 0;
	meta = arena_alloc(arena, count * sizeof(*meta));
	if (!meta)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < headers->count; i++) {
		const char *name = headers->items[i].name;
		char *lower;

		if (strncasecmp(name, META_PREFIX, strlen(META_PREFIX)))
			continue;
		lower = arena_strdup(arena, name + strlen(META_PREFIX));
		meta[count].name = lower;
		meta[count].value = store_meta_from_header(headers->items[i].value, arena);
		if (!lower || !meta[count].value)
			return -ENOMEM;
		for (; *lower; lower++)
			if (*lower >= 'A' && *lower <= 'Z')
				*lower += 'a' - 'A';
		count++;
	}
	ret->meta = meta;
	ret->meta_count = count;
	return 0;
}

static int keep_header(const struct http_fields *headers, const char *name, struct arena *arena,
		       const char **ret)
{
	const char *value = http_fields_get(headers, name);

	*ret = value ? arena_strdup(arena, value) : NULL;
	return value && !*ret ? -ENOMEM : 0;
}

int s3_object_from_headers(const struct http_response *response, struct arena *arena,
			   struct store_object *ret, struct error *err)
{
	const struct http_fields *headers = &response->headers;
	const char *modified = http_fields_get(headers, "last-modified");
	struct store_object object = { .is_latest = true };
	int64_t modified_s = 0;
	int r = s3_version_set(http_fields_get(headers, "etag"), object.version, err);

	if (r < 0)
		return r;
	if (modified && clock_parse_http(modified, &modified_s) == 0)
		object.modified_wall_ns = modified_s * 1000000000;
	if (keep_header(headers, "x-amz-version-id", arena, &object.version_id) < 0 ||
	    keep_header(headers, "x-amz-storage-class", arena, &object.storage_class) < 0 ||
	    keep_header(headers, "content-type", arena, &object.content_type) < 0 ||
	    read_meta(headers, arena, &object) < 0)
		return error_set(err, ERR_TOO_LARGE, "the headers of an object are too large");
	*ret = object;
	return 0;
}

int s3_content_length(const struct http_response *response, uint64_t *ret, struct error *err)
{
	const char *length = http_fields_get(&response->headers, "content-length");

	if (!length || str_to_u64(str_trim(str_of(length)), ret) < 0)
		return error_set(err, ERR_PROTOCOL,
				 "the service did not say how long the object is");
	return 0;
}
