/*
 * Resources of objects as JSON: read into the interface's structs, and written for requests.
 *
 * The metadata key `mtime` is the interface's "seconds.nanoseconds" here and RFC 3339 with nanoseconds on the wire, as
 * rclone writes it for this service. A symlink (the type bits of `mode`) also gets the mark that gcsfuse reads; its
 * content is the target for both.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/objects (2026-10).
 */
#include "backends/base/clock.h"
#include "backends/gcp/gcs_private.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define SYMLINK_MARK "goog-reserved-file-is-symlink"

bool gcs_is_generation(const char *text)
{
	uint64_t value = 0;

	return str_to_u64(str_of(text), &value) == 0 && value > 0;
}

/* int64 values are strings in Google's JSON. */
static int read_u64(struct json_object *o, const char *key, uint64_t *ret)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(o, key, &value))
		return -ENOENT;
	if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0) {
		*ret = (uint64_t)json_object_get_int64(value);
		return 0;
	}
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	return str_to_u64(str_of(json_object_get_string(value)), ret);
}

int gcs_generation_read(struct json_object *o, char ret[STORE_VERSION_MAX], struct error *err)
{
	uint64_t generation = 0;

	if (read_u64(o, "generation", &generation) < 0 || !generation)
		return error_set(err, ERR_PROTOCOL, "the service names no generation of an object");
	(void)snprintf(ret, STORE_VERSION_MAX, "%" PRIu64, generation);
	return 0;
}

bool gcs_mtime_to_wire(const char *text, char ret[48])
{
	struct str rest = str_of(text), whole = str_split(&rest, '.');
	uint64_t nanos = 0;
	int64_t seconds;
	char iso[25];

	if (str_to_i64(whole, &seconds) < 0 || rest.len != 9 || str_to_u64(rest, &nanos) < 0 ||
	    seconds < -62135596800 || seconds > 253402300799)
		return false;
	if (seconds > INT64_MAX / 1000000000 || seconds < INT64_MIN / 1000000000)
		return false;
	clock_format_iso8601(seconds * 1000000000, iso);
	(void)snprintf(ret, 48, "%.19s.%.9sZ", iso, rest.ptr);
	return true;
}

bool gcs_mtime_from_wire(const char *text, char ret[48])
{
	int64_t wall_ns = 0, seconds, nanos;

	if (clock_parse_iso8601(text, &wall_ns) < 0)
		return false;
	seconds = wall_ns / 1000000000;
	nanos = wall_ns % 1000000000;
	if (nanos < 0) {
		nanos += 1000000000;
		seconds--;
	}
	(void)snprintf(ret, 48, "%" PRId64 ".%09" PRId64, seconds, nanos);
	return true;
}

static int read_meta(struct json_object *metadata, struct arena *arena, struct store_object *ret)
{
	size_t count = (size_t)json_object_object_length(metadata);
	struct store_meta *meta = arena_alloc(arena, (count + 1) * sizeof(*meta));
	char mtime[48];

	if (!meta)
		return -ENOMEM;
	json_object_object_foreach(metadata, name, value)
	{
		const char *text = json_object_is_type(value, json_type_string)
					   ? json_object_get_string(value)
					   : NULL;

		if (!text || strlen(text) != (size_t)json_object_get_string_len(value) ||
		    ret->meta_count >= count)
			continue;
		if (!strcmp(name, "mtime") && gcs_mtime_from_wire(text, mtime))
			text = mtime;
		else if (!strcmp(name, SYMLINK_MARK) && json_get_string(metadata, "mode"))
			continue; /* the mode says it too */
		meta[ret->meta_count].name = arena_strdup(arena, name);
		meta[ret->meta_count].value = arena_strdup(arena, text);
		if (!meta[ret->meta_count].name || !meta[ret->meta_count].value)
			return -ENOMEM;
		ret->meta_count++;
	}
	ret->meta = meta;
	return 0;
}

/* NULL for NULL; sets *is_ok to false without memory. */
static const char *copy_text(struct arena *arena, const char *text, bool *is_ok)
{
	char *copy = text ? arena_strdup(arena, text) : NULL;

	*is_ok &= !text || copy;
	return copy;
}

int gcs_object_read(struct json_object *o, struct arena *arena, struct store_object *ret,
		    struct error *err)
{
	struct store_object object = { .has_meta = true };
	struct json_object *metadata = NULL;
	const char *updated = json_get_string(o, "updated");
	bool is_ok = true;
	int r = gcs_generation_read(o, object.version, err);

	if (r < 0)
		return r;
	if (read_u64(o, "size", &object.size) < 0)
		return error_set(err, ERR_PROTOCOL, "the service tells no size of an object");
	if (updated)
		(void)clock_parse_iso8601(updated, &object.modified_wall_ns); /* else not known */
	object.key = copy_text(arena, json_get_string(o, "name"), &is_ok);
	object.storage_class = copy_text(arena, json_get_string(o, "storageClass"), &is_ok);
	object.content_type = copy_text(arena, json_get_string(o, "contentType"), &is_ok);
	if (json_object_object_get_ex(o, "metadata", &metadata) &&
	    json_object_is_type(metadata, json_type_object))
		is_ok &= read_meta(metadata, arena, &object) == 0;
	if (!is_ok)
		return error_set(err, ERR_TOO_LARGE,
				 "what the service tells of an object is too large");
	*ret = object;
	return 0;
}

static bool is_utf8(const char *text)
{
	struct str rest = str_of(text);

	while (rest.len) {
		size_t n = str_utf8_char(rest);

		if (!n)
			return false;
		rest.ptr += n;
		rest.len -= n;
	}
	return true;
}

static bool is_symlink(const struct store_meta *meta)
{
	uint64_t mode = 0;

	return !strcmp(meta->name, "mode") && str_to_u64(str_of(meta->value), &mode) == 0 &&
	       mode <= UINT32_MAX && S_ISLNK((mode_t)mode);
}

static int add_meta(struct json_object *metadata, const struct store_meta *meta, struct error *err)
{
	const char *value = meta->value;
	char mtime[48];

	if (!is_utf8(value))
		return error_set(err, ERR_INVALID, "the value of '%.40s' is not UTF-8", meta->name);
	if (!strcmp(meta->name, "mtime") && gcs_mtime_to_wire(value, mtime))
		value = mtime;
	if (is_symlink(meta))
		json_object_object_add(metadata, SYMLINK_MARK, json_object_new_string("true"));
	if (json_object_object_add(metadata, meta->name, json_object_new_string(value)) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

struct json_object *gcs_object_resource(const char *key, const struct store_meta *meta,
					size_t count, const char *content_type, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *metadata = o ? json_object_new_object() : NULL;

	if (!metadata) {
		(void)error_set(err, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	json_object_object_add(o, "metadata", metadata);
	for (size_t i = 0; i < count; i++)
		if (add_meta(metadata, &meta[i], err) < 0)
			return NULL;
	if (!count)
		json_object_object_del(o, "metadata");
	if (key)
		json_object_object_add(o, "name", json_object_new_string(key));
	if (content_type)
		json_object_object_add(o, "contentType", json_object_new_string(content_type));
	return steal(o);
}
