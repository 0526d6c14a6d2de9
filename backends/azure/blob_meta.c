/*
 * Blob headers: metadata both ways, versions, what an answer says of an object.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
 * (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/clock.h"
#include "backends/store/meta_text.h"
#include <strings.h>

#define META_PREFIX "x-ms-meta-"
#define FOLDER	    "hdi_isfolder"

int az_version_set(struct str etag, char ret[STORE_VERSION_MAX], struct error *err)
{
	struct str text = str_trim(etag);

	if (str_starts(text, "W/"))
		text = (struct str){ text.ptr + 2, text.len - 2 };
	if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
		text = (struct str){ text.ptr + 1, text.len - 2 };
	if (text.len >= STORE_VERSION_MAX)
		return error_set(err, ERR_PROTOCOL, "the service sent an entity tag of %zu bytes", text.len);
	/* It goes back into a header, and to the user: nothing but printable bytes. */
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == '"')
			return error_set(err, ERR_PROTOCOL, "the service sent a broken entity tag");
	if (text.len) /* there may be none: of a blob that has no committed block yet */
		memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
	return 0;
}

bool az_key_is_directory(const char *key)
{
	size_t len = strlen(key);

	return len > 0 && key[len - 1] == '/';
}

bool az_is_directory(const struct store_object *o)
{
	const char *value = store_object_meta(o, FOLDER);

	return !o->size && value && !strcasecmp(value, "true"); /* what holds something is a file, whatever it is marked as */
}

static int add_meta(struct az_call *c, const char *name, const char *value, struct error *err)
{
	CLEANUP(buf_release) struct buf header = BUF_INIT(2048);
	CLEANUP(buf_release) struct buf text = BUF_INIT(16384);
	int r = buf_adds(&header, META_PREFIX);

	if (r == 0)
		r = az_meta_name_encode(name, &header);
	if (r == -EINVAL)
		return error_set(err, ERR_INVALID, "'%.64s' is no name for metadata", name);
	az_call_check(c, r);
	az_call_check(c, store_meta_to_header(value, &text));
	az_call_header(c, buf_cstr(&header), buf_cstr(&text));
	return 0;
}

int az_call_meta(struct az_call *c, const struct store_meta *meta, size_t count, struct error *err)
{
	bool is_told = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		is_told |= !strcmp(meta[i].name, FOLDER);
		r = add_meta(c, meta[i].name, meta[i].value, err);
	}
	/* An empty blob of such a name is a directory; this tells it to others (blobfuse2, rclone, the SDKs). */
	if (r == 0 && c->key && az_key_is_directory(c->key) && !is_told)
		r = add_meta(c, FOLDER, "true", err);
	return r;
}

bool az_meta_read(struct str name, struct str value, struct arena *arena, struct store_meta *ret)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT(65536);
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);

	if (az_meta_name_decode(name, &plain) < 0 || buf_add_str(&text, value) < 0)
		return false;
	ret->name = arena_strdup(arena, buf_cstr(&plain));
	ret->value = store_meta_from_header(buf_cstr(&text), arena);
	return ret->name && ret->value;
}

static bool is_meta(const struct http_field *f)
{
	return !strncasecmp(f->name, META_PREFIX, strlen(META_PREFIX));
}

static bool read_meta(const struct http_fields *headers, struct arena *arena, struct store_object *ret)
{
	struct store_meta *meta;
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += is_meta(&headers->items[i]);
	ret->has_meta = true;
	if (count == 0)
		return true;
	meta = arena_alloc(arena, count * sizeof(*meta));
	if (!meta)
		return false;
	count = 0;
	for (size_t i = 0; i < headers->count; i++) {
		const struct http_field *f = &headers->items[i];

		if (!is_meta(f))
			continue;
		if (!az_meta_read(str_of(f->name + strlen(META_PREFIX)), str_of(f->value), arena, &meta[count]))
			return false;
		count++;
	}
	ret->meta = meta;
	ret->meta_count = count;
	return true;
}

static bool keep_header(const struct http_fields *headers, const char *name, struct arena *arena,
			const char **ret)
{
	const char *value = http_fields_get(headers, name);

	*ret = value ? arena_strdup(arena, value) : NULL;
	return !value || *ret;
}

int az_object_from_headers(const struct http_response *response, struct arena *arena,
			   struct store_object *ret, struct error *err)
{
	const struct http_fields *headers = &response->headers;
	const char *modified = http_fields_get(headers, "last-modified");
	struct store_object object = { .is_latest = true };
	int64_t modified_s = 0;
	int r = az_version_set(str_of(http_fields_get(headers, "etag")), object.version, err);

	if (r < 0)
		return r;
	if (modified && clock_parse_http(modified, &modified_s) == 0)
		object.modified_wall_ns = modified_s * 1000000000;
	if (!keep_header(headers, "x-ms-version-id", arena, &object.version_id) ||
	    !keep_header(headers, "x-ms-access-tier", arena, &object.storage_class) ||
	    !keep_header(headers, "content-type", arena, &object.content_type) ||
	    !read_meta(headers, arena, &object))
		return error_set(err, ERR_TOO_LARGE, "the headers of an object are too large");
	*ret = object;
	return 0;
}

int az_content_length(const struct http_response *response, uint64_t *ret, struct error *err)
{
	const char *length = http_fields_get(&response->headers, "content-length");

	if (!length || str_to_u64(str_trim(str_of(length)), ret) < 0)
		return error_set(err, ERR_PROTOCOL, "the service did not say how long the object is");
	return 0;
}
