/*
 * objects.compose: up to 32 objects of a bucket become one, without a byte on the wire; more than that through
 * compositions of compositions. Appending is composing an object with a piece that holds what is new.
 *
 * Source: cloud.google.com/storage/docs/composite-objects, .../json_api/v1/objects/compose (2026-10).
 */
#include "backends/base/random.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

static int add_sources(struct json_object *body, const struct gcs_piece *pieces, size_t count)
{
	struct json_object *sources = json_object_new_array();

	if (!sources)
		return -ENOMEM;
	json_object_object_add(body, "sourceObjects", sources);
	for (size_t i = 0; i < count; i++) {
		struct json_object *source = json_object_new_object();

		if (!source || json_object_array_add(sources, source) < 0)
			return -ENOMEM;
		json_object_object_add(source, "name", json_object_new_string(pieces[i].key));
		if (pieces[i].generation[0])
			json_object_object_add(source, "generation",
					       json_object_new_string(pieces[i].generation));
	}
	return 0;
}

/* At most GCS_COMPOSE_MAX of them. */
static int compose_once(struct gcs_store *s, struct gcs_composition *composition,
			const struct gcs_piece *pieces, size_t count,
			char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c =
		GCS_CALL_INIT(s, HTTP_POST, "ComposeObject", composition->bucket, composition->key);
	struct json_object *body = json_object_new_object(), *destination;
	const char *size, *crc;
	int r;

	destination = gcs_object_resource(NULL, composition->meta, composition->meta_count,
					  composition->content_type, err);
	if (!destination || !body || add_sources(body, pieces, count) < 0) {
		json_object_put(body);
		json_object_put(destination);
		return destination ? error_set(err, ERR_NO_MEMORY, "out of memory")
				   : -error_errnum(err->kind);
	}
	json_object_object_add(body, "destination", destination);
	gcs_call_path(&c, "storage", "v1", "b", c.bucket, "o", c.key, "compose", NULL);
	gcs_call_query(&c, "fields", "generation,size,crc32c");
	gcs_call_send_json(&c, body);
	c.request.cancel = composition->condition.cancel;
	c.request.deadline_mono_ms = composition->deadline_mono_ms;
	c.request.stall_timeout_ms = GCS_SERVER_WORK_MS;
	r = gcs_condition_apply(&c, composition->condition, err);
	if (r == 0)
		r = gcs_call_json(&c, err);
	if (r < 0)
		return r;
	size = json_get_string(c.json, "size");
	crc = json_get_string(c.json, "crc32c");
	if (!size || str_to_u64(str_of(size), &composition->size) < 0)
		composition->size = 0;
	(void)snprintf(composition->crc, GCS_CRC_MAX, "%s", crc ? crc : "");
	return gcs_generation_read(c.json, ret_version, err);
}

/* One level up: every 32 pieces become one. */
static int compose_level(struct gcs_store *s, const struct gcs_composition *whole,
			 const struct gcs_piece *pieces, size_t count, struct gcs_piece *ret,
			 size_t *ret_count, struct error *err)
{
	unsigned char id[16];
	char hex[2 * sizeof(id) + 1];
	int r = 0;

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), hex);
	*ret_count = 0;
	for (size_t at = 0; r == 0 && at < count; at += GCS_COMPOSE_MAX) {
		size_t n = count - at < GCS_COMPOSE_MAX ? count - at : GCS_COMPOSE_MAX;
		struct gcs_piece *made = &ret[*ret_count];
		struct gcs_composition c = { .bucket = whole->bucket,
					     .key = made->key,
					     .content_type = "application/octet-stream",
					     .condition = { .cancel = whole->condition.cancel },
					     .deadline_mono_ms = whole->deadline_mono_ms };

		(void)snprintf(made->key, sizeof(made->key), GCS_PIECES "%s/%05zu", hex,
			       *ret_count);
		r = compose_once(s, &c, pieces + at, n, made->generation, err);
		*ret_count += r == 0;
	}
	return r;
}

int gcs_compose_pieces(struct gcs_store *s, struct gcs_composition *c,
		       const struct gcs_piece *pieces, size_t count,
		       char ret_version[STORE_VERSION_MAX], struct error *err)
{
	const struct gcs_piece *level = pieces;
	CLEANUP(freep) struct gcs_piece *made = NULL; /* all levels, one behind the other */
	size_t made_count = 0, level_count = count, room = count / GCS_COMPOSE_MAX * 2 + 8;
	int r = 0;

	if (count > GCS_COMPOSE_MAX && !(made = calloc(room, sizeof(*made))))
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	while (r == 0 && level_count > GCS_COMPOSE_MAX) {
		size_t n = 0;

		assert(made_count + level_count / GCS_COMPOSE_MAX + 1 <= room);
		r = compose_level(s, c, level, level_count, made + made_count, &n, err);
		level = made + made_count;
		level_count = n;
		made_count += n;
	}
	if (r == 0)
		r = compose_once(s, c, level, level_count, ret_version, err);
	gcs_delete_pieces(s, c->bucket, made, made_count);
	return r;
}

void gcs_delete_pieces(struct gcs_store *s, const char *bucket, const struct gcs_piece *pieces,
		       size_t count)
{
	CLEANUP(freep) struct gcs_doomed *doomed = count ? calloc(count, sizeof(*doomed)) : NULL;
	CLEANUP(freep) struct error *results = count ? calloc(count, sizeof(*results)) : NULL;
	struct error ignored = ERROR_INIT;

	if (!doomed || !results)
		return;
	for (size_t i = 0; i < count; i++)
		doomed[i] = (struct gcs_doomed){ pieces[i].key, pieces[i].generation };
	/* What stays is hidden, and found again by upload_list. */
	if (gcs_delete_batch(s, bucket, doomed, count, results, &ignored) < 0)
		return;
}

int gcs_compose(struct store *store, const char *bucket, const char *const *keys, size_t count,
		const char *key, const struct store_put_args *args, char *ret_version,
		struct error *err)
{
	CLEANUP(freep) struct gcs_piece *pieces = calloc(count, sizeof(*pieces));
	struct gcs_composition c = {
		.bucket = bucket,
		.key = key,
		.meta = args->meta,
		.meta_count = args->meta_count,
		.content_type = args->content_type ? args->content_type : store_content_type(key),
		.condition = { args->if_version, args->if_absent, args->cancel },
		.deadline_mono_ms = args->deadline_mono_ms
	};
	char version[STORE_VERSION_MAX] = "";
	int r = gcs_check_target(key, err);

	if (!pieces)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; r == 0 && i < count; i++) {
		(void)snprintf(pieces[i].key, sizeof(pieces[i].key), "%s", keys[i]);
		if (gcs_check_key(keys[i], err) < 0)
			r = error_set(err, ERR_NOT_FOUND, "there is no such object");
	}
	if (r == 0)
		r = gcs_compose_pieces(gcs_of(store), &c, pieces, count, version, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

int gcs_part_copy(struct store *store, const char *from_bucket, const char *from_key,
		  const char *if_source_version, uint64_t offset, uint64_t length,
		  const char *bucket, const char *key, const char *upload_id, unsigned number,
		  struct cancel *cancel, struct store_part *ret, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_part part = { .number = number, .size = length };
	char crc[GCS_CRC_MAX] = "";
	struct store_object now;
	int r;

	(void)upload_id; /* nothing is made for it */
	if (number != 1 || offset || strcmp(from_bucket, bucket) != 0 || strcmp(from_key, key) != 0)
		return error_set(err, ERR_INVALID, "only the object itself can be a part of it");
	r = gcs_head_with(gcs_of(store), bucket, key, NULL, cancel, &arena, &now, crc, err);
	if (r < 0)
		return r;
	if (if_source_version && *if_source_version && strcmp(if_source_version, now.version) != 0)
		return error_set(err, ERR_PRECONDITION, "it has been changed meanwhile");
	if (now.size != length)
		return error_set(err, ERR_INVALID, "only all of the object can be a part of it");
	if (snprintf(part.tag, sizeof(part.tag), "=%s", now.version) >= (int)sizeof(part.tag))
		return error_set(err, ERR_PROTOCOL, "the service's generations are too long");
	(void)snprintf(part.checksum, sizeof(part.checksum), "%s", crc);
	*ret = part;
	return 0;
}

const char *gcs_part_kept(const struct store_part *part)
{
	return part->tag[0] == '=' ? part->tag + 1 : NULL;
}

/* What is new, as a piece of its own. */
static int put_piece(struct gcs_store *s, const char *bucket, const struct store_source *source,
		     struct gcs_piece *ret, struct error *err)
{
	struct gcs_write w = { .bucket = bucket,
			       .key = ret->key,
			       .source = source,
			       .content_type = "application/octet-stream" };
	unsigned char id[16];
	char hex[2 * sizeof(id) + 1];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), hex);
	(void)snprintf(ret->key, sizeof(ret->key), GCS_PIECES "%s/append", hex);
	return gcs_write_object(s, &w, ret->generation, err);
}

int gcs_append(struct store *store, const char *bucket, const char *key, uint64_t at,
	       const struct store_source *source, const char *if_version, char *ret_version,
	       struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct gcs_piece pieces[2] = { { .key = "" }, { .key = "" } };
	struct gcs_composition c = { .bucket = bucket, .key = key };
	struct store_object now;
	char version[STORE_VERSION_MAX] = "";
	int r = gcs_check_target(key, err);

	if (r == 0)
		r = gcs_head_with(s, bucket, key, NULL, NULL, &arena, &now, NULL, err);
	if (r < 0)
		return r;
	if (now.size != at || (if_version && *if_version && strcmp(if_version, now.version)))
		return error_set(err, ERR_PRECONDITION, "it has been changed meanwhile");
	r = put_piece(s, bucket, source, &pieces[1], err);
	if (r < 0)
		return r;
	(void)snprintf(pieces[0].key, sizeof(pieces[0].key), "%s", key);
	memcpy(pieces[0].generation, now.version, STORE_VERSION_MAX);
	c.meta = now.meta;
	c.meta_count = now.meta_count;
	c.content_type = now.content_type;
	c.condition.if_version = now.version;
	r = gcs_compose_pieces(s, &c, pieces, 2, version, err);
	gcs_delete_pieces(s, bucket, &pieces[1], 1);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}
