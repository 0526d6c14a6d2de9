#include "control/storage.h"

#include "backends/base/clock.h"

void storage_place_release(struct storage_place *p)
{
	free(p->bucket);
	free(p->key);
	*p = STORAGE_PLACE_INIT;
}

static int wrong_place(const char *path, enum storage_depth depth, struct error *err)
{
	static const char *const wanted[] = {
		[STORAGE_STORE] = "/STORE",
		[STORAGE_BUCKET] = "/STORE/BUCKET",
		[STORAGE_PREFIX] = "/STORE/BUCKET or /STORE/BUCKET/PREFIX",
		[STORAGE_OBJECT] = "/STORE/BUCKET/KEY",
	};

	if (strstr(path, "://"))
		return error_set(err, ERR_INVALID, "'%.100s' must be %s, like /s3/my-bucket/key", path, wanted[depth]);
	return error_set(err, ERR_INVALID, "'%.100s' must be %s", path, wanted[depth]);
}

int storage_place_parse(struct op_context *context, const char *path, enum storage_depth depth, struct storage_place *ret,
			struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	struct str rest = str_of(path), name, bucket;
	CLEANUP(freep) char *store = NULL;
	int r;

	if (str_starts(rest, "/"))
		rest = (struct str){ rest.ptr + 1, rest.len - 1 };
	name = str_split(&rest, '/');
	bucket = rest.ptr ? str_split(&rest, '/') : STR("");
	if (!name.len || (depth >= STORAGE_BUCKET && !bucket.len) || (depth == STORAGE_OBJECT && !rest.len) ||
	    (depth == STORAGE_STORE && bucket.len) || (depth == STORAGE_BUCKET && rest.len))
		return wrong_place(path, depth, err);
	store = str_dup(name);
	place.bucket = str_dup(bucket);
	place.key = str_dup(rest.ptr ? rest : STR(""));
	if (!store || !place.bucket || !place.key)
		return error_no_memory(err);
	r = op_context_store(context, store, &place.store, err);
	if (r < 0)
		return r;
	*ret = place;
	place = STORAGE_PLACE_INIT;
	return 0;
}

int storage_place_of(const struct op_call *call, const char *param, enum storage_depth depth, struct storage_place *ret,
		     struct error *err)
{
	const char *path = json_get_string(call->params, param);

	return storage_place_parse(call->context, path ? path : "", depth, ret, err);
}

const char *storage_type(const struct store *s)
{
	while (s->next)
		s = s->next;
	return s->ops->type;
}

static void add_text(struct json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, value && *value ? json_object_new_string(value) : NULL);
}

static struct json_object *meta_of(const struct store_object *object)
{
	struct json_object *o = object->has_meta ? json_object_new_object() : NULL;

	for (size_t i = 0; o && i < object->meta_count; i++)
		add_text(o, object->meta[i].name, object->meta[i].value);
	return o;
}

struct json_object *storage_object(const char *key, const struct store_object *object)
{
	struct json_object *o = json_object_new_object();
	char when[25] = "";

	if (!o)
		return NULL;
	if (object->modified_wall_ns)
		clock_format_iso8601(object->modified_wall_ns, when);
	add_text(o, "key", key);
	add_text(o, "kind", object->is_prefix ? "prefix" : object->is_delete_marker ? "delete-marker" : "object");
	json_object_object_add(o, "size", object->is_prefix ? NULL : json_object_new_uint64(object->size));
	add_text(o, "modified", when);
	add_text(o, "version", object->version);
	add_text(o, "version_id", object->version_id);
	json_object_object_add(o, "is_latest", object->version_id ? json_object_new_boolean(object->is_latest) : NULL);
	add_text(o, "storage_class", object->storage_class);
	add_text(o, "content_type", object->content_type);
	json_object_object_add(o, "metadata", meta_of(object));
	return o;
}

/* Keys to ask for at once (0: what suits the store): no more than are wanted, and than the caller's page_size. */
static unsigned page_of(const struct op_call *call, const struct store *s, uint64_t left)
{
	uint64_t size = (uint64_t)json_get_int64(call->params, "page_size", 0);

	if (left && (!size || left < size))
		size = left;
	return size < s->limits.max_list_keys ? (unsigned)size : 0;
}

int storage_walk(const struct op_call *call, const struct storage_place *place, const struct storage_walk *walk,
		 struct error *err)
{
	CLEANUP(freep) char *token = NULL;
	uint64_t left = walk->limit;

	for (;;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = walk->prefix,
						.delimiter = walk->delimiter,
						.token = token,
						.max_keys = page_of(call, place->store, left),
						.cancel = call->cancel };
		int r = walk->has_versions ? store_list_versions(place->store, place->bucket, &args, &page, err) :
					     store_list(place->store, place->bucket, &args, &page, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < page.count; i++) {
			r = walk->visit(walk->arg, &page.objects[i], err);
			if (r != 0)
				return r;
			if (left && !--left)
				return 0;
		}
		if (!page.next_token)
			return 0;
		if (cancel_is_fired(call->cancel))
			return error_set(err, ERR_CANCELLED, "cancelled");
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_no_memory(err);
	}
}
