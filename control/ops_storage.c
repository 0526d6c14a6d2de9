/*
 * Purpose: the operations on object stores: rows, and the handlers of all but transfers (ops_transfer.c). Places are
 *	named as in the tree of a mount: /STORE/BUCKET/KEY.
 */
#include "backends/base/clock.h"
#include "control/storage.h"

/* ---- shapes ---- */

static const struct record_field bucket_fields[] = {
	{ "store", RECORD_TEXT, "name of the store" },
	{ "name", RECORD_TEXT, "name of the bucket" },
	{ "created", RECORD_TIME, "when it was made, where the service tells" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_bucket = { "bucket", bucket_fields, "store,name,created" };

static const struct record_field object_fields[] = {
	{ "key", RECORD_TEXT, "whole key" },
	{ "kind", RECORD_TEXT, "object, prefix, or delete-marker" },
	{ "size", RECORD_INT, "bytes" },
	{ "modified", RECORD_TIME, "when it was written" },
	{ "version", RECORD_TEXT, "changes with each change (ETag, generation)" },
	{ "version_id", RECORD_TEXT, "of a bucket that keeps versions" },
	{ "is_latest", RECORD_BOOL, "whether that version is the present one" },
	{ "storage_class", RECORD_TEXT, "storage class" },
	{ "content_type", RECORD_TEXT, "content type" },
	{ "metadata", RECORD_OBJECT, "user metadata; null where it was not told" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_object = { "object", object_fields, "key,size,modified" };

static const struct record_field transfer_fields[] = {
	{ "path", RECORD_TEXT, "place in the store" },
	{ "file", RECORD_TEXT, "file on this machine" },
	{ "size", RECORD_INT, "bytes" },
	{ "version", RECORD_TEXT, "version of the object" },
	{ "resumed_bytes", RECORD_INT, "bytes that an earlier run had transferred" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_transfer = { "transfer", transfer_fields, "path,file,size,resumed_bytes" };

/* ---- small results ---- */

static int one(struct json_object **ret, const char *name, struct json_object *value, struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || !value || json_object_object_add(o, name, value) != 0) {
		json_object_put(value);
		json_object_put(o);
		return error_no_memory(err);
	}
	*ret = o;
	return 0;
}

/* {"path": "...", NAME: flag} */
static int told(const struct op_call *call, const char *name, bool value, struct json_object **ret, struct error *err)
{
	int r = one(ret, name, json_object_new_boolean(value), err);

	if (r == 0)
		json_object_object_add(*ret, "path", json_object_new_string(json_get_string(call->params, "path")));
	return r;
}

static int items(struct json_object *list, struct json_object **ret, struct error *err)
{
	*ret = op_items(list);
	return *ret ? 0 : error_no_memory(err);
}

/* ---- buckets ---- */

static int add_buckets(struct store *s, struct json_object *list, struct error *err)
{
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	int r = store_bucket_list(s, &page, err);

	for (size_t i = 0; r == 0 && i < page.count; i++) {
		struct json_object *o = json_object_new_object();
		char when[25];

		if (!o || json_object_array_add(list, o) != 0) {
			json_object_put(o);
			return error_no_memory(err);
		}
		clock_format_iso8601(page.buckets[i].created_wall_ns, when);
		json_object_object_add(o, "store", json_object_new_string(s->name));
		json_object_object_add(o, "name", json_object_new_string(page.buckets[i].name));
		json_object_object_add(o, "created",
				       page.buckets[i].created_wall_ns ? json_object_new_string(when) : NULL);
	}
	return r;
}

static int list_all_stores(const struct op_call *call, struct json_object *list, struct json_object *errors,
			   struct error *err)
{
	const char *const *names;
	size_t count;
	int r = op_context_store_names(call->context, &names, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct error own = ERROR_INIT;
		struct store *s = NULL;

		if ((op_context_store(call->context, names[i], &s, &own) < 0 || add_buckets(s, list, &own) < 0) &&
		    op_add_failure(errors, names[i], NULL, &own) < 0)
			r = error_no_memory(err);
	}
	return r;
}

static int buckets_list(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(json_putp) struct json_object *errors = json_object_new_array();
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	bool is_one = json_get_string(call->params, "store") != NULL;
	int r;

	if (!list || !errors)
		return error_no_memory(err);
	if (is_one) {
		r = storage_place_of(call, "store", STORAGE_STORE, &place, err);
		if (r == 0)
			r = add_buckets(place.store, list, err);
	} else {
		r = list_all_stores(call, list, errors, err);
	}
	if (r == 0)
		r = items(steal(list), ret, err);
	if (r == 0 && json_object_array_length(errors))
		json_object_object_add(*ret, "errors", steal(errors));
	return r;
}

static int buckets_create(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_bucket_create(place.store, place.bucket, err);
	return r < 0 ? r : told(call, "created", true, ret, err);
}

static int buckets_ensure(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r < 0)
		return r;
	r = store_bucket_exists(place.store, place.bucket, err);
	if (r == 0 || err->kind != ERR_NOT_FOUND)
		return r < 0 ? r : told(call, "created", false, ret, err);
	*err = ERROR_INIT;
	r = store_bucket_create(place.store, place.bucket, err);
	if (r < 0 && err->kind == ERR_EXISTS) { /* somebody else made it, and perhaps for himself */
		*err = ERROR_INIT;
		r = store_bucket_exists(place.store, place.bucket, err);
		return r < 0 ? r : told(call, "created", false, ret, err);
	}
	return r < 0 ? r : told(call, "created", true, ret, err);
}

static int buckets_delete(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_bucket_delete(place.store, place.bucket, err);
	return r < 0 ? r : told(call, "deleted", true, ret, err);
}

static int buckets_exists(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r < 0)
		return r;
	r = store_bucket_exists(place.store, place.bucket, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return told(call, "exists", false, ret, err);
	}
	return r < 0 ? r : told(call, "exists", true, ret, err);
}

static int versioning_get(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	bool is_on = false;
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_versioning_get(place.store, place.bucket, &is_on, err);
	return r < 0 ? r : told(call, "versioning", is_on, ret, err);
}

static int versioning_set(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	const char *state = json_get_string(call->params, "state");
	bool is_on = state && !strcmp(state, "on");
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_versioning_set(place.store, place.bucket, is_on, err);
	return r < 0 ? r : told(call, "versioning", is_on, ret, err);
}

static int policy_get(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 20);
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_policy_get(place.store, place.bucket, &text, err);
	return r < 0 ? r : json_parse(buf_str(&text), text.len + 1, ret, err);
}

static int policy_set(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	struct json_object *policy = json_get(call->params, "policy");
	const char *text = policy ? json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "";
	int r = storage_place_of(call, "path", STORAGE_BUCKET, &place, err);

	if (r == 0)
		r = store_policy_set(place.store, place.bucket, str_of(text), err);
	return r < 0 ? r : told(call, policy ? "set" : "deleted", true, ret, err);
}

/* Access lists are what Swift has in the place of a policy. */
static int acl_place(const struct op_call *call, struct storage_place *ret, struct error *err)
{
	int r = storage_place_of(call, "path", STORAGE_BUCKET, ret, err);

	if (r == 0 && strcmp(storage_type(ret->store), "swift") != 0)
		return error_set(err, ERR_UNSUPPORTED, "%s has no access lists of containers (buckets policy may do)", ret->store->name);
	return r;
}

static int acl_now(const struct storage_place *place, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);
	int r = store_policy_get(place->store, place->bucket, &text, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && store_bucket_exists(place->store, place->bucket, err) == 0) {
		*err = ERROR_INIT;
		r = buf_adds(&text, "{\"read\":\"\",\"write\":\"\"}") < 0 ? error_no_memory(err) : 0;
	}
	return r < 0 ? r : json_parse(buf_str(&text), text.len + 1, ret, err);
}

static int acl_get(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = acl_place(call, &place, err);

	return r < 0 ? r : acl_now(&place, ret, err);
}

/* What is not given stays. */
static int acl_set(const struct op_call *call, struct json_object **ret, struct error *err)
{
	static const char *const names[] = { "read", "write" };
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(json_putp) struct json_object *lists = NULL;
	int r = acl_place(call, &place, err);

	if (r == 0)
		r = acl_now(&place, &lists, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_get_string(call->params, names[i]))
			json_object_object_add(lists, names[i],
					       json_object_new_string(json_get_string(call->params, names[i])));
	r = store_policy_set(place.store, place.bucket,
			     str_of(json_object_to_json_string_ext(lists, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)),
			     err);
	if (r == 0)
		*ret = steal(lists);
	return r;
}

/* ---- objects ---- */

static int collect(void *arg, const struct store_object *o, struct error *err)
{
	struct json_object *record = storage_object(o->key, o);

	if (record && json_object_array_add(arg, record) == 0)
		return 0;
	json_object_put(record);
	return error_no_memory(err);
}

static int list_into(const struct op_call *call, bool has_versions, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	const char *delimiter = json_get_string(call->params, "delimiter");
	struct storage_walk walk = { .delimiter = delimiter ? *delimiter : '\0',
				     .has_versions = has_versions,
				     .limit = (uint64_t)json_get_int64(call->params, "limit", 0),
				     .visit = collect,
				     .arg = list };
	int r = list ? storage_place_of(call, "path", STORAGE_PREFIX, &place, err) : error_no_memory(err);

	walk.prefix = place.key;
	if (r == 0)
		r = storage_walk(call, &place, &walk, err);
	return r < 0 ? r : items(steal(list), ret, err);
}

static int objects_list(const struct op_call *call, struct json_object **ret, struct error *err)
{
	return list_into(call, false, ret, err);
}

static int objects_versions(const struct op_call *call, struct json_object **ret, struct error *err)
{
	return list_into(call, true, ret, err);
}

static int objects_get(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { .size = 0 };
	int r = storage_place_of(call, "path", STORAGE_OBJECT, &place, err);

	if (r == 0)
		r = store_head(place.store, place.bucket, place.key, json_get_string(call->params, "version_id"), &arena, &o, err);
	if (r < 0)
		return r;
	*ret = storage_object(place.key, &o);
	return *ret ? 0 : error_no_memory(err);
}

static int objects_delete(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	int r = storage_place_of(call, "path", STORAGE_OBJECT, &place, err);

	if (r == 0)
		r = store_delete(place.store, place.bucket, place.key, json_get_string(call->params, "if_version"),
				 json_get_string(call->params, "version_id"), err);
	return r < 0 ? r : told(call, "deleted", true, ret, err);
}

static int delete_keys(const struct storage_place *place, struct json_object *keys, size_t from, size_t count,
		       struct json_object *errors, struct error *err)
{
	const char *names[STORE_DELETE_MAX];
	CLEANUP(freep) struct error *results = calloc(count, sizeof *results);
	int r;

	if (!results)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		names[i] = json_object_get_string(json_object_array_get_idx(keys, from + i));
	r = store_delete_many(place->store, place->bucket, names, count, results, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (results[i].kind != ERR_NONE)
			r = op_add_failure(errors, place->store->name, names[i], &results[i]) < 0 ? error_no_memory(err) : 0;
	return r;
}

static int objects_delete_batch(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(json_putp) struct json_object *errors = json_object_new_array();
	struct json_object *keys = json_get_array(call->params, "keys");
	size_t count = keys ? json_object_array_length(keys) : 0;
	int r = errors ? storage_place_of(call, "path", STORAGE_BUCKET, &place, err) : error_no_memory(err);

	for (size_t at = 0; r == 0 && at < count; at += STORE_DELETE_MAX)
		r = delete_keys(&place, keys, at, count - at < STORE_DELETE_MAX ? count - at : STORE_DELETE_MAX, errors, err);
	if (r == 0)
		r = one(ret, "deleted", json_object_new_uint64(count - json_object_array_length(errors)), err);
	if (r == 0 && json_object_array_length(errors))
		json_object_object_add(*ret, "errors", steal(errors));
	return r;
}

static int objects_copy(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place from = STORAGE_PLACE_INIT, to = STORAGE_PLACE_INIT;
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char version[STORE_VERSION_MAX] = "";
	struct store_copy_args args = { .cancel = call->cancel };
	struct store_object o = { .size = 0 };
	int r = storage_place_of(call, "path", STORAGE_OBJECT, &from, err);

	if (r == 0)
		r = storage_place_of(call, "to", STORAGE_OBJECT, &to, err);
	if (r < 0)
		return r;
	if (from.store != to.store)
		return error_set(err, ERR_UNSUPPORTED, "a copy stays within one store (between stores: cp in a mount, or objects download "
						       "and upload)");
	r = store_head(from.store, from.bucket, from.key, NULL, &arena, &o, err);
	args.source_size = o.size;
	args.if_source_version = o.version;
	if (r == 0)
		r = store_copy(from.store, from.bucket, from.key, to.bucket, to.key, &args, version, err);
	return r < 0 ? r : one(ret, "version", json_object_new_string(version), err);
}

static int metadata_set(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	struct json_object *given = json_get(call->params, "metadata");
	size_t count = given ? (size_t)json_object_object_length(given) : 0, at = 0;
	CLEANUP(freep) struct store_meta *meta = calloc(count + 1, sizeof *meta);
	char version[STORE_VERSION_MAX] = "";
	int r = meta ? storage_place_of(call, "path", STORAGE_OBJECT, &place, err) : error_no_memory(err);

	if (r < 0)
		return r;
	if (given) {
		json_object_object_foreach(given, name, value)
		{
			meta[at++] = (struct store_meta){ name, json_object_get_string(value) };
		}
	}
	r = store_set_meta(place.store, place.bucket, place.key, json_get_string(call->params, "if_version"), meta, at, version, err);
	return r < 0 ? r : one(ret, "version", json_object_new_string(version), err);
}

static int presign(const struct op_call *call, enum store_presign what, struct json_object **ret, struct error *err)
{
	CLEANUP(storage_place_release) struct storage_place place = STORAGE_PLACE_INIT;
	CLEANUP(buf_release) struct buf url = BUF_INIT(65536);
	struct json_object *expires = json_get(call->params, "expires");
	uint64_t expires_s = expires ? op_duration_ms(expires) / 1000 : 3600;
	int r = storage_place_of(call, "path", STORAGE_OBJECT, &place, err);

	if (r == 0)
		r = store_presign(place.store, place.bucket, place.key, what, expires_s, &url, err);
	return r < 0 ? r : one(ret, "url", json_object_new_string(buf_cstr(&url)), err);
}

static int presign_get(const struct op_call *call, struct json_object **ret, struct error *err)
{
	return presign(call, STORE_PRESIGN_GET, ret, err);
}

static int presign_put(const struct op_call *call, struct json_object **ret, struct error *err)
{
	return presign(call, STORE_PRESIGN_PUT, ret, err);
}

/* ---- rows ---- */

static const char *const on_off[] = { "on", "off", NULL };

#define BUCKET	 { "path", OP_STRING, true, 0, "/STORE/BUCKET", .position = 1, .is_place = true }
#define PREFIX	 { "path", OP_STRING, true, 0, "/STORE/BUCKET, or /STORE/BUCKET/PREFIX", .position = 1, .is_place = true }
#define OBJECT	 { "path", OP_STRING, true, 0, "/STORE/BUCKET/KEY", .position = 1, .is_place = true }
#define LIMIT	 { "limit", OP_INT, false, 1000000000, "at most so many", .min = 1 }
#define PAGE_SIZE { "page_size", OP_INT, false, 10000, "keys to ask for at once" }
#define IF_VERSION { "if_version", OP_STRING, false, STORE_VERSION_MAX, "only if it is still this version" }
#define VERSION_ID { "version_id", OP_STRING, false, 1024, "an old version of a bucket that keeps them" }
#define PARALLEL { "parallel", OP_INT, false, 64, "so many requests at once (8)", .min = 1 }

static const struct op_param store_params[] = { { "store", OP_STRING, false, 256, "/STORE; all when left out", .position = 1, .is_place = true },
						OP_PARAM_END };
static const struct op_param bucket_params[] = { BUCKET, OP_PARAM_END };
static const struct op_param versioning_params[] = {
	BUCKET, { "state", OP_ENUM, true, 0, "on or off", .position = 2, .choices = on_off }, OP_PARAM_END
};
static const struct op_param policy_params[] = {
	BUCKET, { "policy", OP_JSON, true, 0, "the policy, as the provider has it" }, OP_PARAM_END
};
static const struct op_param acl_params[] = {
	BUCKET,
	{ "read", OP_STRING, false, 0, "who may read, such as .r:*,.rlistings or PROJECT:USER; '' for nobody else" },
	{ "write", OP_STRING, false, 0, "who may write" },
	OP_PARAM_END,
};
static const struct op_param list_params[] = {
	PREFIX, { "delimiter", OP_STRING, false, 1, "cuts keys behind it into prefixes: '/'" }, LIMIT, PAGE_SIZE, OP_PARAM_END
};
static const struct op_param versions_params[] = { PREFIX, LIMIT, PAGE_SIZE, OP_PARAM_END };
static const struct op_param get_params[] = { OBJECT, VERSION_ID, OP_PARAM_END };
static const struct op_param delete_params[] = { OBJECT, VERSION_ID, IF_VERSION, OP_PARAM_END };
static const struct op_param batch_params[] = {
	BUCKET, { "keys", OP_LIST, true, STORE_KEY_MAX, "keys", .position = 2, .is_rest = true }, OP_PARAM_END
};
static const struct op_param copy_params[] = {
	OBJECT, { "to", OP_STRING, true, 0, "/STORE/BUCKET/KEY, in the same store", .position = 2 }, OP_PARAM_END
};
static const struct op_param metadata_params[] = {
	OBJECT, { "metadata", OP_MAP, true, 0, "what replaces the object's metadata", .position = 2, .is_rest = true }, IF_VERSION, OP_PARAM_END
};
static const struct op_param presign_params[] = {
	OBJECT, { "expires", OP_DURATION, false, 0, "how long the address is good (1h)" }, OP_PARAM_END
};
static const struct op_param upload_params[] = {
	{ "files", OP_LIST, true, 4096, "files; with recursive also directories", .position = 1, .is_rest = true, .is_path = true },
	{ "path", OP_STRING, true, 0, "/STORE/BUCKET/KEY; ending in '/', or for several files, what their names are put behind",
	  .position = 2, .is_last = true, .is_place = true },
	{ "recursive", OP_BOOL, false, 0, "directories with all that is in them" },
	{ "content_type", OP_STRING, false, 256, "content type (by the name when left out)" },
	{ "metadata", OP_MAP, false, 0, "metadata; may be repeated" },
	PARALLEL,
	OP_PARAM_END,
};
static const struct op_param download_params[] = {
	{ "path", OP_STRING, true, 0, "/STORE/BUCKET/KEY; with recursive a prefix", .position = 1, .is_place = true },
	{ "file", OP_PATH, true, 0, "file, or a directory that is there", .position = 2 },
	{ "recursive", OP_BOOL, false, 0, "all objects below the prefix, into a directory" },
	{ "force", OP_BOOL, false, 0, "replace files that are there" },
	VERSION_ID,
	PARALLEL,
	OP_PARAM_END,
};

extern const struct op storage_op_rows[];
const struct op storage_op_rows[] = {
	{ .name = "buckets.list", .summary = "list the buckets of a store, or of all", .params = store_params,
	  .result = OP_ITEMS, .shape = &shape_bucket, .run = buckets_list, .example = "skydir buckets list /s3" },
	{ .name = "buckets.create", .summary = "create a bucket", .risk = OP_CHANGE, .params = bucket_params,
	  .result = OP_ONE, .run = buckets_create },
	{ .name = "buckets.ensure", .summary = "create a bucket if it is not there", .risk = OP_CHANGE, .params = bucket_params,
	  .result = OP_ONE, .run = buckets_ensure },
	{ .name = "buckets.delete", .summary = "delete an empty bucket", .risk = OP_DESTROY, .params = bucket_params,
	  .result = OP_ONE, .run = buckets_delete },
	{ .name = "buckets.exists", .summary = "tell whether a bucket is there", .params = bucket_params, .result = OP_ONE,
	  .run = buckets_exists },
	{ .name = "buckets.versioning.get", .summary = "tell whether a bucket keeps old versions", .params = bucket_params,
	  .result = OP_ONE, .run = versioning_get },
	{ .name = "buckets.versioning.set", .summary = "let a bucket keep old versions, or no longer", .risk = OP_CHANGE,
	  .params = versioning_params, .result = OP_ONE, .run = versioning_set,
	  .example = "skydir buckets versioning set /s3/bucket on" },
	{ .name = "buckets.policy.get", .summary = "show a bucket's policy", .params = bucket_params, .result = OP_ONE,
	  .run = policy_get },
	{ .name = "buckets.policy.set", .summary = "set a bucket's policy", .risk = OP_CHANGE, .params = policy_params,
	  .result = OP_ONE, .run = policy_set, .example = "skydir buckets policy set /s3/bucket --policy @policy.json" },
	{ .name = "buckets.policy.delete", .summary = "delete a bucket's policy", .risk = OP_DESTROY, .params = bucket_params,
	  .result = OP_ONE, .run = policy_set },
	{ .name = "buckets.acl.get", .summary = "show a Swift container's access lists", .params = bucket_params, .result = OP_ONE,
	  .run = acl_get },
	{ .name = "buckets.acl.set", .summary = "set a Swift container's access lists; what is not given stays", .risk = OP_CHANGE,
	  .params = acl_params, .result = OP_ONE, .run = acl_set,
	  .example = "skydir buckets acl set /swift/container --read '.r:*,.rlistings'" },
	{ .name = "objects.list", .summary = "list objects by prefix", .params = list_params, .result = OP_ITEMS,
	  .shape = &shape_object, .run = objects_list,
	  .example = "skydir objects list /s3/bucket/2026/ --delimiter / --limit 100" },
	{ .name = "objects.versions", .summary = "list all versions of objects by prefix", .params = versions_params,
	  .result = OP_ITEMS, .shape = &shape_object, .run = objects_versions },
	{ .name = "objects.get", .summary = "show an object's size, version and metadata", .params = get_params, .result = OP_ONE,
	  .shape = &shape_object, .run = objects_get },
	{ .name = "objects.upload", .summary = "upload files, in parallel; goes on where it was interrupted", .risk = OP_CHANGE,
	  .params = upload_params, .result = OP_ITEMS, .shape = &shape_transfer, .run = storage_upload,
	  .example = "skydir objects upload report.pdf /s3/bucket/report.pdf\nskydir objects upload -- *.jpg /s3/bucket/photos/\n"
		     "skydir objects upload --recursive photos /s3/bucket/" },
	{ .name = "objects.download", .summary = "download objects, in parallel; goes on where it was interrupted", .risk = OP_CHANGE,
	  .params = download_params, .result = OP_ITEMS, .shape = &shape_transfer, .run = storage_download,
	  .example = "skydir objects download /s3/bucket/report.pdf .\nskydir objects download --recursive /s3/bucket/photos/ photos" },
	{ .name = "objects.delete", .summary = "delete an object", .risk = OP_DESTROY, .params = delete_params, .result = OP_ONE,
	  .run = objects_delete },
	{ .name = "objects.delete-batch", .summary = "delete many objects of a bucket", .risk = OP_DESTROY, .params = batch_params,
	  .result = OP_ONE, .run = objects_delete_batch },
	{ .name = "objects.copy", .summary = "copy an object inside its store, moving no byte over the wire", .risk = OP_CHANGE,
	  .params = copy_params, .result = OP_ONE, .run = objects_copy },
	{ .name = "objects.metadata.set", .summary = "replace an object's metadata", .risk = OP_CHANGE, .params = metadata_params,
	  .result = OP_ONE, .run = metadata_set, .example = "skydir objects metadata set /s3/bucket/key owner=me reviewed=yes" },
	{ .name = "presign.get", .summary = "make an address by which anybody may read an object for a time", .risk = OP_CHANGE, .params = presign_params,
	  .result = OP_ONE, .run = presign_get, .example = "skydir presign get /s3/bucket/key --expires 15m" },
	{ .name = "presign.put", .summary = "make an address by which anybody may write an object for a time", .risk = OP_CHANGE, .params = presign_params,
	  .result = OP_ONE, .run = presign_put },
	{ .name = NULL },
};
