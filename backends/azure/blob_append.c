/*
 * Bytes added to the end of a blob: to an append blob by Append Block, to a block blob by one block more, the others kept.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/append-block and put-block-list (2026-11).
 */
#include "backends/azure/blob_private.h"
#include <stdio.h>

static int is_elsewhere(const char *key, struct error *err)
{
	return error_set(err, ERR_PRECONDITION, "'%.64s' has been changed meanwhile", key);
}

static int append_block(struct az_store *s, const char *container, const char *key, uint64_t at,
			const struct store_source *source, const char *if_version, char *ret_version,
			struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "AppendBlock", container, key);
	int r;

	if (store_source_length(source) > AZ_APPEND_MAX)
		return error_set(err, ERR_TOO_LARGE, "more than %llu bytes cannot be appended at once",
				 (unsigned long long)AZ_APPEND_MAX);
	/* Sent twice, it is refused the second time by its position: no byte is there twice. */
	az_call_query(&c, "comp", "appendblock");
	az_call_headerf(&c, "x-ms-blob-condition-appendpos", "%llu", (unsigned long long)at);
	az_call_condition(&c, if_version, false);
	r = az_call_source(&c, source, err);
	if (r >= 0)
		r = az_call_perform(&c, err);
	return r < 0 ? r : az_version_set(str_of(az_answer_header(&c, "etag")), ret_version, err);
}

/* The blocks there are, or one new block of all that is there. */
static int keep_all(struct az_call *c, const struct az_blocks *blocks, const struct store_object *now,
		    const char *upload, struct cancel *cancel, struct error *err)
{
	char id[AZ_BLOCK_ID_MAX];
	bool can_keep = blocks->total == now->size;
	int r;

	az_block_id(upload, 1, id);
	for (size_t i = 0; i < blocks->count; i++)
		can_keep &= strlen(blocks->list[i].id) == strlen(id);
	if (blocks->count >= AZ_BLOCKS_MAX)
		return error_set(err, ERR_TOO_LARGE, "'%.64s' has as many blocks as a blob can have", c->key);
	az_block_list_begin(c);
	for (size_t i = 0; can_keep && i < blocks->count; i++)
		az_block_list_add(c, "Committed", blocks->list[i].id);
	if (can_keep)
		return 0;
	if (now->size > AZ_BLOCK_MAX)
		return error_set(err, ERR_UNSUPPORTED, "'%.64s' is not made of blocks that can be kept", c->key);
	r = az_block_copy(c->store, c->container, c->key, now->version, 0, now->size, c->container, c->key, id,
			  cancel, err);
	if (r >= 0)
		az_block_list_add(c, "Uncommitted", id);
	return r;
}

static int append_to_blocks(struct az_store *s, const char *container, const char *key,
			    const struct store_object *now, const struct store_source *source,
			    char *ret_version, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "PutBlockList", container, key);
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	const struct store_put_args args = { .if_version = now->version,
					     .meta = now->meta,
					     .meta_count = now->meta_count,
					     .content_type = now->content_type };
	char upload[AZ_UPLOAD_ID_LEN + 1], id[AZ_BLOCK_ID_MAX];
	int r = az_blocks_get(s, container, key, AZ_BLOCKS_COMMITTED, &blocks, err);

	if (r < 0)
		return r;
	if (strcmp(blocks.version, now->version) != 0)
		return is_elsewhere(key, err);
	az_upload_new(upload);
	r = keep_all(&c, &blocks, now, upload, NULL, err);
	az_block_id(upload, 2, id);
	if (r >= 0)
		r = az_block_put(s, container, key, id, source, NULL, err);
	if (r < 0)
		return r;
	az_block_list_add(&c, "Uncommitted", id);
	return az_block_list_commit(&c, &args, ret_version, err);
}

int az_append(struct store *store, const char *container, const char *key, uint64_t at,
	      const struct store_source *source, const char *if_version, char *ret_version,
	      struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release)
	struct az_call head = AZ_CALL_INIT(s, HTTP_HEAD, "GetBlobProperties", container, key);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	char version[STORE_VERSION_MAX] = "";
	struct store_object now;
	const char *type;
	int r = az_head_with(&head, NULL, NULL, &arena, &now, err);

	if (r < 0)
		return r;
	if (now.size != at || (if_version && *if_version && strcmp(if_version, now.version) != 0))
		return is_elsewhere(key, err);
	type = az_answer_header(&head, "x-ms-blob-type");
	if (!store_source_length(source))
		memcpy(version, now.version, sizeof(version));
	else if (type && !strcmp(type, "AppendBlob"))
		r = append_block(s, container, key, at, source, if_version, version, err);
	else if (!type || !strcmp(type, "BlockBlob"))
		r = append_to_blocks(s, container, key, &now, source, version, err);
	else
		return error_set(err, ERR_UNSUPPORTED, "'%.64s' is a page blob: nothing can be appended", key);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}
