/*
 * Copies by the server (objects.rewrite, in as many calls as it wants) and renames (objects.moveTo).
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/objects/rewrite and move (2026-10).
 */
#include "backends/gcp/gcs_private.h"

#define REWRITE_IDLE_MAX 5 /* calls in a row that copied nothing */

struct rewrite {
	struct gcs_store *store;
	const char *from_bucket, *from_key, *bucket, *key;
	const struct store_copy_args *args;
	char *token; /* of the next call; NULL: the first */
	int64_t done_bytes;
	unsigned idle;
	bool is_done;
};

/* The resource that replaces the source's, or nothing. */
static int add_body(struct gcs_call *c, const struct rewrite *w, struct error *err)
{
	const struct store_copy_args *args = w->args;
	struct json_object *body;

	if (!args->replaces_meta)
		return 0;
	body = gcs_object_resource(
		NULL, args->meta, args->meta_count,
		args->content_type ? args->content_type : store_content_type(w->key), err);
	if (!body)
		return -error_errnum(err->kind);
	gcs_call_send_json(c, body);
	return 0;
}

static int read_step(struct gcs_call *c, struct rewrite *w, char *ret_version, struct error *err)
{
	struct json_object *resource = json_get(c->json, "resource");
	const char *token = json_get_string(c->json, "rewriteToken");
	const char *bytes_text = json_get_string(c->json, "totalBytesRewritten");
	int64_t bytes = json_get_int64(c->json, "totalBytesRewritten", 0);

	if (bytes_text)
		(void)str_to_i64(str_of(bytes_text), &bytes); /* else it counts as no progress */
	if (json_get_bool(c->json, "done", false)) {
		w->is_done = true;
		if (!json_object_is_type(resource, json_type_object))
			return error_set(err, ERR_PROTOCOL,
					 "the service ends a copy without its result");
		return gcs_generation_read(resource, ret_version, err);
	}
	if (!token)
		return error_set(err, ERR_PROTOCOL,
				 "the service goes on with a copy without a token");
	w->idle = bytes > w->done_bytes ? 0 : w->idle + 1;
	w->done_bytes = bytes;
	free(w->token);
	w->token = strdup(token);
	if (!w->token)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return w->idle > REWRITE_IDLE_MAX
		       ? error_set(err, ERR_UNAVAILABLE, "the service does not get on with a copy")
		       : 0;
}

static int rewrite_step(struct rewrite *w, char *ret_version, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(w->store, HTTP_POST, "RewriteObject", w->bucket, w->key);
	const struct store_copy_args *args = w->args;
	int r;

	gcs_call_path(&c, "storage", "v1", "b", w->from_bucket, "o", w->from_key, "rewriteTo", "b",
		      w->bucket, "o", w->key, NULL);
	gcs_call_query(&c, "fields", "done,rewriteToken,totalBytesRewritten,resource(generation)");
	if (w->token)
		gcs_call_query(&c, "rewriteToken", w->token);
	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	c.request.stall_timeout_ms = GCS_SERVER_WORK_MS;
	r = add_body(&c, w, err);
	if (r == 0)
		r = gcs_condition_apply(
			&c,
			(struct gcs_condition){ args->if_version, args->if_absent, args->cancel },
			err);
	if (r == 0)
		r = gcs_source_condition(&c, w->from_bucket, w->from_key, args->if_source_version,
					 args->cancel, err);
	if (r == 0)
		r = gcs_call_json(&c, err);
	return r < 0 ? r : read_step(&c, w, ret_version, err);
}

int gcs_copy(struct store *store, const char *from_bucket, const char *from_key, const char *bucket,
	     const char *key, const struct store_copy_args *args, char *ret_version,
	     struct error *err)
{
	struct rewrite w = { gcs_of(store), from_bucket, from_key, bucket, key,
			     args,	    NULL,	 0,	   0,	   false };
	char version[STORE_VERSION_MAX] = "";
	int r = gcs_check_target(key, err);

	if (r == 0 && gcs_check_key(from_key, err) < 0)
		r = error_set(err, ERR_NOT_FOUND, "there is no such object");
	while (r == 0 && !w.is_done)
		r = rewrite_step(&w, version, err);
	free(w.token);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

/* A server that knows no moves is not asked again. */
static int no_moves(struct gcs_store *s, struct error *err)
{
	__atomic_and_fetch(&s->base.caps, ~(unsigned)STORE_CAP_RENAME, __ATOMIC_RELAXED);
	return error_set(err, ERR_UNSUPPORTED, "this server cannot move objects");
}

static int rename_folder(struct gcs_store *s, const char *bucket, const char *from, const char *to,
			 char *ret_version, struct error *err)
{
	enum gcs_hns hns = GCS_HNS_UNKNOWN;
	int r = gcs_hns_ask(s, bucket, &hns, err);

	if (r < 0)
		return r;
	if (hns != GCS_HNS_YES)
		return error_set(err, ERR_UNSUPPORTED, "bucket '%.64s' has no folders", bucket);
	if (ret_version)
		ret_version[0] = '\0';
	return gcs_folder_rename(s, bucket, from, to, err);
}

static bool is_folder(const char *key)
{
	return *key && key[strlen(key) - 1] == '/';
}

int gcs_rename(struct store *store, const char *bucket, const char *from_key, const char *key,
	       const char *if_source_version, char *ret_version, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "MoveObject", bucket, from_key);
	char version[STORE_VERSION_MAX] = "";
	int r = gcs_check_target(key, err);

	if (r < 0)
		return r;
	if (is_folder(from_key) && is_folder(key))
		return rename_folder(s, bucket, from_key, key, ret_version, err);
	gcs_call_path(&c, "storage", "v1", "b", bucket, "o", from_key, "moveTo", "o", key, NULL);
	gcs_call_query(&c, "fields", "generation");
	c.request.stall_timeout_ms = GCS_SERVER_WORK_MS;
	r = gcs_source_condition(&c, bucket, from_key, if_source_version, NULL, err);
	if (r == 0)
		r = gcs_call_json(&c, err);
	if (r < 0 && (err->kind == ERR_INVALID || err->kind == ERR_UNSUPPORTED ||
		      (err->kind == ERR_NOT_FOUND && !err->service_code[0])))
		return no_moves(s, err);
	if (r == 0)
		r = gcs_generation_read(c.json, version, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}
