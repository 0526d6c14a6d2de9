/*
 * Three tools whose names and results others rely on: {"status": "success", ...} or {"status": "error", "message"}.
 *
 * They look at Infomaniak's own variables first (INFOMANIAK_APP_CREDENTIAL_ID, _SECRET, INFOMANIAK_AUTH_URL;
 * INFOMANIAK_S3_ACCESS_KEY, _SECRET_KEY, _ENDPOINT), then at what is configured.
 */
#include "control/mcp_private.h"

#include "backends/store/multipart.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct json_object *success(void)
{
	struct json_object *o = json_object_new_object();

	if (o)
		mcp_add_text(o, "status", "success");
	return o;
}

/* {"status": "success", NAME: list, "count": N}; takes the list. */
static int give_list(const char *name, struct json_object *list, struct json_object **ret, struct error *err)
{
	struct json_object *o = success();

	if (!o || !list) {
		json_object_put(o);
		json_object_put(list);
		return error_no_memory(err);
	}
	json_object_object_add(o, name, list);
	json_object_object_add(o, "count", json_object_new_uint64(json_object_array_length(list)));
	*ret = o;
	return 0;
}

/* ---- list_cloud_instances ---- */

/* Infomaniak's by its variables, or by a section; else OpenStack's. */
static int find_place(struct op_context *context, struct op_cloud_place *ret, struct error *err)
{
	const struct cloud_driver *infomaniak = cloud_driver_find("infomaniak");
	struct op_cloud_place places[OP_CLOUDS_MAX];
	size_t count = op_context_clouds(context, places);
	const struct backend_context *backend;
	int r = op_context_backend(context, &backend, err);

	if (r < 0)
		return r;
	*ret = (struct op_cloud_place){"infomaniak", infomaniak};
	if (infomaniak && infomaniak->is_configured(backend))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (places[i].driver == infomaniak || !strcmp(places[i].driver->type, "openstack")) {
			*ret = places[i];
			return 0;
		}
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no credentials for Infomaniak or OpenStack were found (set INFOMANIAK_APP_CREDENTIAL_ID and "
			 "INFOMANIAK_APP_CREDENTIAL_SECRET)");
}

static int run_instances(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct op_cloud_place place = {NULL, NULL};
	struct op_call own = *call;
	int r = find_place(call->context, &place, err);

	own.params = NULL;
	if (r == 0)
		r = op_cloud_run_at(op_find("instances.list"), &own, &place, &result, err);
	return r < 0 ? r : give_list("instances", json_object_get(json_get(result, "items")), ret, err);
}

/* ---- list_s3_buckets, upload_file_to_s3 ---- */

struct place { /* a store, ours to free or the context's */
	struct store *store, *own;
};

static void place_release(struct place *p)
{
	store_free(p->own);
}

/* The store of the variables, else the first S3 store that is configured. */
static int open_place(struct op_context *context, struct place *ret, struct error *err)
{
	const char *access_key = getenv("INFOMANIAK_S3_ACCESS_KEY"), *secret = getenv("INFOMANIAK_S3_SECRET_KEY");
	static const struct provider_value values[] = {{"face", "s3", "tool"}}; /* the rest it finds by the variables */
	const struct backend_context *backend;
	const char *const *names;
	size_t count;
	int r;

	if (access_key || secret || getenv("INFOMANIAK_S3_ENDPOINT")) {
		if (!access_key || !secret)
			return error_set(err, ERR_CONFIG, "%s is not set",
					 !access_key ? "INFOMANIAK_S3_ACCESS_KEY" : "INFOMANIAK_S3_SECRET_KEY");
		r = op_context_backend(context, &backend, err);
		if (r == 0)
			r = provider_store_new(backend, "infomaniak", "infomaniak", values, ARRAY_SIZE(values), &ret->own,
					       err);
		ret->store = ret->own;
		return r;
	}
	r = op_context_store_names(context, &names, &count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = op_context_store(context, names[i], &ret->store, err);
		if (r == 0 && !strcmp(ret->store->ops->type, "s3"))
			return 0;
	}
	return r < 0 ? r
		     : error_set(err, ERR_UNAUTHENTICATED,
				 "no S3 store is configured (set INFOMANIAK_S3_ACCESS_KEY and INFOMANIAK_S3_SECRET_KEY)");
}

static int run_buckets(const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(place_release) struct place place = {NULL, NULL};
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	struct json_object *list;
	int r = open_place(call->context, &place, err);

	if (r == 0)
		r = store_bucket_list(place.store, &page, err);
	if (r < 0)
		return r;
	list = json_object_new_array();
	for (size_t i = 0; list && i < page.count; i++)
		json_object_array_add(list, json_object_new_string(page.buckets[i].name));
	return give_list("buckets", list, ret, err);
}

static int run_upload(const struct op_call *call, struct json_object **ret, struct error *err)
{
	const char *path = json_get_string(call->params, "file_path"), *bucket = json_get_string(call->params, "bucket");
	const char *key = json_get_string(call->params, "object_name");
	CLEANUP(place_release) struct place place = {NULL, NULL};
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct store_put_args args = {.cancel = call->cancel};
	struct store_source source = STORE_SOURCE_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT(16384);
	char version[STORE_VERSION_MAX];
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot read '%.200s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "'%.200s' is no regular file", path);
	source.fd = fd;
	source.length = (uint64_t)st.st_size;
	r = open_place(call->context, &place, err);
	if (r == 0)
		r = store_upload_range(place.store, bucket, key, &source, 0, 0, &args, version, err);
	if (r < 0)
		return r;
	*ret = success();
	if (!*ret || buf_addf(&text, "Successfully uploaded %s to %s/%s", path, bucket, key) < 0)
		return error_no_memory(err);
	mcp_add_text(*ret, "message", buf_cstr(&text));
	return 0;
}

/* ---- the table ---- */

static struct json_object *schema(const char *list, const char *type_of_items)
{
	struct json_object *o = json_object_new_object(), *properties = json_object_new_object();
	struct json_object *status = json_object_new_object(), *message = json_object_new_object();
	struct json_object *required = json_object_new_array();

	mcp_add_text(status, "type", "string");
	mcp_add_text(message, "type", "string");
	json_object_object_add(properties, "status", status);
	json_object_object_add(properties, "message", message);
	if (list) {
		struct json_object *items = json_object_new_object(), *item = json_object_new_object();
		struct json_object *count = json_object_new_object();

		mcp_add_text(item, "type", type_of_items);
		mcp_add_text(items, "type", "array");
		json_object_object_add(items, "items", item);
		mcp_add_text(count, "type", "integer");
		json_object_object_add(properties, list, items);
		json_object_object_add(properties, "count", count);
	}
	json_object_array_add(required, json_object_new_string("status"));
	mcp_add_text(o, "type", "object");
	json_object_object_add(o, "properties", properties);
	json_object_object_add(o, "required", required);
	return o;
}

static struct json_object *instances_schema(void)
{
	return schema("instances", "object");
}

static struct json_object *buckets_schema(void)
{
	return schema("buckets", "string");
}

static struct json_object *upload_schema(void)
{
	return schema(NULL, NULL);
}

static const struct op_param upload_params[] = {
	{"file_path", OP_PATH, true, 4096, "the file to upload"},
	{"bucket", OP_STRING, true, 255, "the bucket"},
	{"object_name", OP_STRING, true, STORE_KEY_MAX, "the object's name in the bucket"},
	OP_PARAM_END,
};

const struct mcp_tool mcp_named_tools[] = {
	{.row = {.name = "list_cloud_instances",
		 .summary = "List the instances of the Infomaniak (OpenStack) public cloud",
		 .run = run_instances},
	 .result_schema = instances_schema},
	{.row = {.name = "list_s3_buckets", .summary = "List the buckets of S3 storage", .run = run_buckets},
	 .result_schema = buckets_schema},
	{.row = {.name = "upload_file_to_s3",
		 .summary = "Upload a file to a bucket of S3 storage",
		 .risk = OP_CHANGE,
		 .params = upload_params,
		 .run = run_upload},
	 .result_schema = upload_schema},
	{.row = {.name = NULL}},
};
