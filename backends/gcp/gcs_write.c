/*
 * objects.insert (multipart/related: resource and bytes in one request), objects.patch, and conditions.
 *
 * Every upload carries the CRC32C of what is sent, so that the service refuses what was changed on the way, and the
 * answer's is compared too. A conditional write whose answer was lost is sent again and then fails because of itself
 * (412): so a 412 is looked into, and when what is there is what we sent, the write succeeded.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/objects/insert and patch, .../request-preconditions (2026-10).
 */
#include "backends/base/random.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

static int changed(struct error *err)
{
	return error_set(err, ERR_PRECONDITION, "it has been changed meanwhile");
}

static int compare(struct gcs_store *s, const char *bucket, const char *key, struct gcs_condition w,
		   struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object now;
	int r = gcs_head_with(s, bucket, key, NULL, w.cancel, &arena, &now, NULL, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return w.if_absent ? 0 : changed(err);
	}
	if (r < 0)
		return r;
	return w.if_absent || strcmp(now.version, w.if_version) ? changed(err) : 0;
}

int gcs_condition_apply(struct gcs_call *c, struct gcs_condition w, struct error *err)
{
	bool has_version = w.if_version && *w.if_version;

	if (!w.if_absent && !has_version)
		return 0;
	if (has_version && !gcs_is_generation(w.if_version))
		return changed(err);
	if (c->store->has_no_conditions)
		return compare(c->store, c->bucket, c->key, w, err);
	gcs_call_query(c, "ifGenerationMatch", w.if_absent ? "0" : w.if_version);
	return 0;
}

int gcs_source_condition(struct gcs_call *c, const char *bucket, const char *key,
			 const char *if_version, struct cancel *cancel, struct error *err)
{
	struct gcs_condition w = { .if_version = if_version, .cancel = cancel };

	if (!if_version || !*if_version)
		return 0;
	if (!gcs_is_generation(if_version))
		return changed(err);
	if (c->store->has_no_conditions)
		return compare(c->store, bucket, key, w, err);
	gcs_call_query(c, "ifSourceGenerationMatch", if_version);
	return 0;
}

bool gcs_is_ours(struct gcs_store *s, const struct gcs_ours *o, char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct store_object now;
	char crc[GCS_CRC_MAX];

	if (gcs_head_with(s, o->bucket, o->key, NULL, o->cancel, &arena, &now, crc, &ignored) < 0 ||
	    now.size != o->size || !o->meta_count || strcmp(crc, o->crc) ||
	    (o->if_version && !strcmp(o->if_version, now.version)))
		return false;
	/* The time stamps that the file system writes make it telling. */
	for (size_t i = 0; i < o->meta_count; i++) {
		const char *value = store_object_meta(&now, o->meta[i].name);

		if (!value || strcmp(value, o->meta[i].value))
			return false;
	}
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

static int crc_of(const struct store_source *source, char ret[GCS_CRC_MAX], struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(GCS_CRC_MAX - 1);
	unsigned char digest[32];
	int len = store_source_digest(source, HASH_CRC32C, digest, err);

	if (len < 0)
		return len;
	if (base64_encode(digest, (size_t)len, &text) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	(void)snprintf(ret, GCS_CRC_MAX, "%s", buf_cstr(&text));
	return 0;
}

/* The two parts of multipart/related around the bytes. */
static int build_related(struct gcs_call *c, const struct gcs_write *w,
			 struct json_object *resource, struct buf *tail)
{
	const struct store_source *source = w->source;
	unsigned char id[16];
	char boundary[2 * sizeof(id) + 1];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), boundary);
	gcs_call_headerf(c, "Content-Type", "multipart/related; boundary=%s", boundary);
	gcs_call_check(
		c,
		buf_addf(&c->sent,
			 "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n"
			 "--%s\r\nContent-Type: %s\r\n\r\n",
			 boundary,
			 json_object_to_json_string_ext(
				 resource, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			 boundary, w->content_type));
	gcs_call_check(c, buf_addf(tail, "\r\n--%s--\r\n", boundary));
	c->request.body = (struct http_body){
		.kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
		.mem = source->mem,
		.fd = source->fd,
		.offset = source->offset,
		.length = source->length,
		.progress = source->progress,
		.head = buf_str(&c->sent),
		.tail = buf_str(tail),
	};
	return 0;
}

static int insert(struct gcs_store *s, struct gcs_write *w, struct json_object *resource,
		  char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "InsertObject", w->bucket, w->key);
	CLEANUP(buf_release) struct buf tail = BUF_INIT(256);
	const char *crc;
	int r;

	gcs_call_path(&c, "upload", "storage", "v1", "b", w->bucket, "o", NULL);
	gcs_call_query(&c, "uploadType", "multipart");
	gcs_call_query(&c, "fields", "generation,crc32c");
	c.request.cancel = w->condition.cancel;
	c.request.deadline_mono_ms = w->deadline_mono_ms;
	r = build_related(&c, w, resource, &tail);
	if (r == 0)
		r = gcs_condition_apply(&c, w->condition, err);
	if (r == 0)
		r = gcs_call_json(&c, err);
	if (r < 0)
		return r;
	crc = json_get_string(c.json, "crc32c");
	if (crc && strcmp(crc, w->crc))
		return error_set(err, ERR_CORRUPT, "the service has other bytes than were sent");
	return gcs_generation_read(c.json, ret_version, err);
}

int gcs_write_object(struct gcs_store *s, struct gcs_write *w, char ret_version[STORE_VERSION_MAX],
		     struct error *err)
{
	CLEANUP(json_putp) struct json_object *resource = NULL;
	struct gcs_ours ours = { .bucket = w->bucket,
				 .key = w->key,
				 .size = store_source_length(w->source),
				 .crc = w->crc,
				 .meta = w->meta,
				 .meta_count = w->meta_count,
				 .if_version = w->condition.if_version,
				 .cancel = w->condition.cancel };
	int r = crc_of(w->source, w->crc, err);

	if (r < 0)
		return r;
	resource = gcs_object_resource(w->key, w->meta, w->meta_count, w->content_type, err);
	if (!resource)
		return -error_errnum(err->kind);
	json_object_object_add(resource, "crc32c", json_object_new_string(w->crc));
	if (store_source_length(w->source) >= GCS_RESUMABLE_BYTES)
		r = gcs_resumable_put(s, w, resource, ret_version, err);
	else
		r = insert(s, w, resource, ret_version, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && gcs_is_ours(s, &ours, ret_version)) {
		*err = ERROR_INIT;
		return 0;
	}
	return r;
}

int gcs_put(struct store *store, const char *bucket, const char *key,
	    const struct store_source *source, const struct store_put_args *args, char *ret_version,
	    struct error *err)
{
	struct gcs_write w = { .bucket = bucket,
			       .key = key,
			       .source = source,
			       .meta = args->meta,
			       .meta_count = args->meta_count,
			       .content_type = args->content_type ? args->content_type
								  : store_content_type(key),
			       .condition = { args->if_version, args->if_absent, args->cancel },
			       .deadline_mono_ms = args->deadline_mono_ms };
	char version[STORE_VERSION_MAX] = "";
	int r = gcs_check_target(key, err);

	if (r == 0)
		r = gcs_write_object(gcs_of(store), &w, version, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

static bool is_among(const char *name, const struct store_meta *meta, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(meta[i].name, name))
			return true;
	return false;
}

/* {"metadata": {NAME: null, ...}} for what is there and was not set; NULL when there is nothing of that kind. */
static struct json_object *superfluous(const struct store_object *now,
				       const struct store_meta *meta, size_t count)
{
	struct json_object *o = NULL, *metadata = NULL;

	for (size_t i = 0; i < now->meta_count; i++) {
		if (is_among(now->meta[i].name, meta, count))
			continue;
		if (!o) {
			o = json_object_new_object();
			metadata = json_object_new_object();
			json_object_object_add(o, "metadata", metadata);
		}
		json_object_object_add(metadata, now->meta[i].name, NULL);
	}
	return o;
}

static int patch(struct gcs_store *s, const char *bucket, const char *key,
		 const struct gcs_condition *w, const char *generation, struct json_object *body,
		 struct arena *arena, struct store_object *ret, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_PATCH, "PatchObject", bucket, key);
	int r = 0;

	gcs_call_target(&c);
	gcs_call_query(&c, "fields", GCS_OBJECT_FIELDS);
	gcs_call_send_json(&c, body);
	if (generation)
		gcs_call_query(&c, "generation", generation);
	else
		r = gcs_condition_apply(&c, *w, err);
	if (r == 0)
		r = gcs_call_json(&c, err);
	return r < 0 ? r : gcs_object_read(c.json, arena, ret, err);
}

/* A patch adds and replaces; what must go is seen in its answer, and a second one takes it away. */
int gcs_set_meta(struct store *store, const char *bucket, const char *key, const char *if_version,
		 const struct store_meta *meta, size_t count, char *ret_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(2 << 20);
	struct gcs_store *s = gcs_of(store);
	struct gcs_condition w = { .if_version = if_version };
	struct json_object *body, *rest;
	struct store_object now;
	int r = gcs_check_target(key, err);

	if (r < 0)
		return r;
	body = gcs_object_resource(NULL, meta, count, NULL, err);
	if (!body)
		return -error_errnum(err->kind);
	r = patch(s, bucket, key, &w, NULL, body, &arena, &now, err);
	if (r < 0)
		return r;
	rest = superfluous(&now, meta, count);
	if (rest)
		r = patch(s, bucket, key, &w, now.version, rest, &arena, &now, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return r;
}
