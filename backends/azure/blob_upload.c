/*
 * Uploads in parts, on blocks.
 *
 * The service has no uploads, only blocks of a blob that are not committed yet. So an upload is a random id that stands in
 * the ids of its blocks, and its name holds what it was begun with, since metadata go with the commit:
 *
 *	upload id: 16 hex digits "." base64url of {"type": TEXT, "meta": {NAME: VALUE}}
 *	block id:  base64 of 16 hex digits "-" seven digits: the part's number; + 1000000 its head, + 2000000 its tail
 *
 * A part copied from the object itself keeps the committed blocks that lie in its range whole: no byte moves. What of the
 * range is left before and behind them is copied into a block. The tag of a part says which it is:
 *
 *	BLOCK ID		one block
 *	"=" ["h"] ["t"] OFFSET "-" LENGTH "/" VERSION	kept blocks of that version, with a head, a tail
 *
 * Blocks that are never committed go away by themselves within a week; there is nothing to delete before.
 */
#include "backends/azure/blob_private.h"
#include <stdio.h>

#define ID_MAX_BYTES 65536
#define HEAD	     1000000
#define TAIL	     2000000

static int no_upload(struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "no such upload: it was completed or aborted");
}

static int name_upload(const struct store_put_args *args, struct buf *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *meta = json_object_new_object();
	char id[AZ_UPLOAD_ID_LEN + 1];
	const char *text;
	int r;

	if (!o || !meta)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < args->meta_count; i++)
		json_object_object_add(meta, args->meta[i].name, json_object_new_string(args->meta[i].value));
	json_object_object_add(o, "meta", meta);
	if (args->content_type)
		json_object_object_add(o, "type", json_object_new_string(args->content_type));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	az_upload_new(id);
	r = buf_addf(ret, "%s.", id);
	if (r == 0)
		r = base64url_encode(text, strlen(text), ret);
	return r < 0 ? error_set(err, ERR_TOO_LARGE, "the metadata is too large for an upload") : 0;
}

int az_upload_begin(struct store *store, const char *container, const char *key,
		    const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	CLEANUP(buf_release) struct buf id = BUF_INIT(ID_MAX_BYTES);
	int r = name_upload(args, &id, err);

	(void)store, (void)container, (void)key; /* nothing is asked of the service yet */
	if (r < 0)
		return r;
	*ret_upload_id = buf_detach(&id);
	return *ret_upload_id ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* What an upload was begun with. */
struct begun {
	struct json_object *o;
	const char *type;
	struct store_meta *meta;
	size_t count;
};

static void begun_release(struct begun *b)
{
	json_putp(&b->o);
	free(b->meta);
}

static bool is_aborted(struct az_store *s, const char *upload_id)
{
	LOCKED(&s->lock);

	for (size_t i = 0; i < AZ_ABORTED_MAX; i++)
		if (s->aborted[i][0] && !strncmp(s->aborted[i], upload_id, AZ_UPLOAD_ID_LEN))
			return true;
	return false;
}

static int check_upload(struct az_store *s, const char *upload_id, struct error *err)
{
	size_t len = strlen(upload_id);

	if (len < AZ_UPLOAD_ID_LEN + 1 || len > ID_MAX_BYTES || upload_id[AZ_UPLOAD_ID_LEN] != '.' ||
	    strspn(upload_id, "0123456789abcdef") != AZ_UPLOAD_ID_LEN || is_aborted(s, upload_id))
		return no_upload(err);
	return 0;
}

static int read_begun(const char *upload_id, struct begun *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(ID_MAX_BYTES);
	struct json_object *meta;

	if (base64_decode(str_of(upload_id + AZ_UPLOAD_ID_LEN + 1), &text) < 0 ||
	    json_parse(buf_str(&text), ID_MAX_BYTES, &ret->o, NULL) < 0)
		return no_upload(err);
	ret->type = json_get_string(ret->o, "type");
	meta = json_get(ret->o, "meta");
	if (!meta || !json_object_is_type(meta, json_type_object))
		return no_upload(err);
	ret->meta = calloc((size_t)json_object_object_length(meta) + 1, sizeof(*ret->meta));
	if (!ret->meta)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_foreach(meta, name, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return no_upload(err);
		ret->meta[ret->count++] = (struct store_meta){ name, json_object_get_string(value) };
	}
	return 0;
}

int az_upload_part(struct store *store, const char *container, const char *key, const char *upload_id,
		   unsigned number, const struct store_source *source, struct cancel *cancel,
		   struct store_part *ret, struct error *err)
{
	struct az_store *s = az_of(store);
	struct store_part part = { .number = number, .size = store_source_length(source) };
	int r = check_upload(s, upload_id, err);

	if (r < 0)
		return r;
	az_block_id(upload_id, number, part.tag);
	r = az_block_put(s, container, key, part.tag, source, cancel, err);
	if (r >= 0)
		*ret = part;
	return r;
}

/* The blocks that lie whole in [offset, offset+length): which, and where the first begins and the last ends. */
struct run {
	size_t first, count;
	uint64_t start, end;
};

static bool find_run(const struct az_blocks *b, uint64_t offset, uint64_t length, struct run *ret)
{
	char ours[AZ_BLOCK_ID_MAX];
	uint64_t at = 0;

	*ret = (struct run){ 0 };
	az_block_id("0000000000000000", 1, ours);
	for (size_t i = 0; i < b->count; at += b->list[i].size, i++) {
		/* All ids of a blob must be of one length, ours too. */
		if (strlen(b->list[i].id) != strlen(ours))
			return false;
		if (at < offset || b->list[i].size > offset + length - at)
			continue;
		if (at >= offset + length)
			break;
		if (!ret->count) {
			ret->first = i;
			ret->start = at;
		}
		ret->count++;
		ret->end = at + b->list[i].size;
	}
	return ret->count > 0;
}

static int copy_rest(struct az_store *s, const char *container, const char *key, const char *version,
		     uint64_t start, uint64_t end, const char *upload_id, unsigned number,
		     struct cancel *cancel, struct error *err)
{
	char id[AZ_BLOCK_ID_MAX];

	if (start >= end)
		return 0;
	az_block_id(upload_id, number, id);
	return az_block_copy(s, container, key, version, start, end - start, container, key, id, cancel, err);
}

/* 1 when no block of the object lies in the range whole. */
static int keep_blocks(struct az_store *s, const char *container, const char *key, const char *version,
		       uint64_t offset, uint64_t length, const char *upload_id, struct cancel *cancel,
		       struct store_part *part, struct error *err)
{
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	struct run run;
	int r = az_blocks_get(s, container, key, AZ_BLOCKS_COMMITTED, &blocks, err);

	if (r < 0 && err->kind == ERR_UNSUPPORTED) { /* it has no blocks: an append or a page blob */
		*err = ERROR_INIT;
		return 1;
	}
	if (r < 0)
		return r;
	if (version && *version && strcmp(version, blocks.version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%.64s' has been changed meanwhile", key);
	if (!find_run(&blocks, offset, length, &run))
		return 1;
	r = copy_rest(s, container, key, blocks.version, offset, run.start, upload_id, part->number + HEAD,
		      cancel, err);
	if (r >= 0)
		r = copy_rest(s, container, key, blocks.version, run.end, offset + length, upload_id,
			      part->number + TAIL, cancel, err);
	if (r < 0)
		return r;
	if (snprintf(part->tag, sizeof(part->tag), "=%s%s%llu-%llu/%s", run.start > offset ? "h" : "",
		     run.end < offset + length ? "t" : "", (unsigned long long)run.start,
		     (unsigned long long)(run.end - run.start), blocks.version) >= (int)sizeof(part->tag))
		return error_set(err, ERR_PROTOCOL, "the service's entity tags are too long");
	return 0;
}

int az_part_copy(struct store *store, const char *from_container, const char *from_key,
		 const char *if_source_version, uint64_t offset, uint64_t length,
		 const char *container, const char *key, const char *upload_id, unsigned number,
		 struct cancel *cancel, struct store_part *ret, struct error *err)
{
	struct az_store *s = az_of(store);
	struct store_part part = { .number = number, .size = length };
	bool is_same = !strcmp(from_container, container) && !strcmp(from_key, key);
	int r = check_upload(s, upload_id, err);

	if (r < 0)
		return r;
	r = is_same ? keep_blocks(s, container, key, if_source_version, offset, length, upload_id, cancel,
				  &part, err)
		    : 1;
	if (r == 1) {
		az_block_id(upload_id, number, part.tag);
		r = az_block_copy(s, from_container, from_key, if_source_version, offset, length, container, key,
				  part.tag, cancel, err);
	}
	if (r < 0 && az_error_is(err, "InvalidBlobType")) /* of this blob, not of the service */
		return error_set(err, ERR_INVALID, "'%.64s' is a blob that is not made of blocks", key);
	if (r >= 0)
		*ret = part;
	return r;
}

static bool is_kept(const struct store_part *part)
{
	return part->tag[0] == '=';
}

struct kept {
	bool has_head, has_tail;
	uint64_t start, length;
	const char *version;
};

static int read_kept(const struct store_part *part, struct kept *ret, struct error *err)
{
	unsigned long long start, length;
	const char *at = part->tag + 1;
	int end = 0;

	*ret = (struct kept){ 0 };
	if (*at == 'h')
		ret->has_head = at++;
	if (*at == 't')
		ret->has_tail = at++;
	if (*at < '0' || *at > '9' || sscanf(at, "%20llu-%20llu/%n", &start, &length, &end) != 2 || !end)
		return error_set(err, ERR_INVALID, "part %u is not of this upload", part->number);
	ret->start = start;
	ret->length = length;
	ret->version = at + end;
	return 0;
}

static int add_kept(struct az_call *c, const char *upload_id, const struct store_part *part,
		    const struct az_blocks *blocks, struct error *err)
{
	char id[AZ_BLOCK_ID_MAX];
	uint64_t at = 0, done = 0;
	struct kept kept;
	int r = read_kept(part, &kept, err);

	if (r < 0)
		return r;
	if (strcmp(kept.version, blocks->version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%.64s' has been changed meanwhile", c->key);
	if (kept.has_head) {
		az_block_id(upload_id, part->number + HEAD, id);
		az_block_list_add(c, "Uncommitted", id);
	}
	for (size_t i = 0; i < blocks->count && done < kept.length; at += blocks->list[i].size, i++) {
		if (at < kept.start)
			continue;
		if (at != kept.start + done)
			break;
		az_block_list_add(c, "Committed", blocks->list[i].id);
		done += blocks->list[i].size;
	}
	if (done != kept.length)
		return error_set(err, ERR_INVALID, "part %u is not of this upload", part->number);
	if (kept.has_tail) {
		az_block_id(upload_id, part->number + TAIL, id);
		az_block_list_add(c, "Uncommitted", id);
	}
	return 0;
}

/* Whether what is committed is what this upload was to make: then an answer was lost. Its ids are its own. */
static bool was_completed(struct az_call *c, const struct store_part *parts, size_t count,
			  char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	struct error ignored = ERROR_INIT;

	if (az_blocks_get(c->store, c->container, c->key, AZ_BLOCKS_COMMITTED, &blocks, &ignored) < 0 ||
	    blocks.count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(blocks.list[i].id, parts[i].tag) != 0)
			return false;
	memcpy(ret_version, blocks.version, STORE_VERSION_MAX);
	return true;
}

static int add_parts(struct az_call *c, const char *upload_id, const struct store_part *parts,
		     size_t count, const struct az_blocks *blocks, struct error *err)
{
	int r = 0;

	az_block_list_begin(c);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (is_kept(&parts[i]))
			r = add_kept(c, upload_id, &parts[i], blocks, err);
		else
			az_block_list_add(c, "Latest", parts[i].tag);
	}
	return r;
}

/* Blocks are kept of one version only: no other may be there when they are committed. */
static int bind_to_base(const struct az_blocks *blocks, struct store_put_args *args, struct error *err)
{
	bool is_other = args->if_version && *args->if_version && strcmp(args->if_version, blocks->version) != 0;

	if (args->if_absent || is_other)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	args->if_version = blocks->version;
	return 0;
}

int az_upload_complete(struct store *store, const char *container, const char *key, const char *upload_id,
		       const struct store_part *parts, size_t count,
		       const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "PutBlockList", container, key);
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	CLEANUP(begun_release) struct begun begun = { 0 };
	struct store_put_args put = *args;
	char version[STORE_VERSION_MAX] = "";
	bool has_kept = false;
	int r = check_upload(s, upload_id, err);

	if (r >= 0)
		r = read_begun(upload_id, &begun, err);
	for (size_t i = 0; i < count; i++)
		has_kept |= is_kept(&parts[i]);
	if (r >= 0 && has_kept)
		r = az_blocks_get(s, container, key, AZ_BLOCKS_COMMITTED, &blocks, err);
	if (r >= 0 && has_kept)
		r = bind_to_base(&blocks, &put, err);
	if (r >= 0)
		r = add_parts(&c, upload_id, parts, count, &blocks, err);
	if (r < 0)
		return r;
	/* What is said now is newer than what was said at the beginning. */
	if (!put.meta_count) {
		put.meta = begun.meta;
		put.meta_count = begun.count;
	}
	if (!put.content_type)
		put.content_type = begun.type;
	r = az_block_list_commit(&c, &put, version, err);
	if (r < 0 && (err->kind == ERR_PRECONDITION || az_error_is(err, "InvalidBlockList")) && !has_kept &&
	    was_completed(&c, parts, count, version)) {
		*err = ERROR_INIT;
		r = 0;
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

int az_upload_abort(struct store *store, const char *container, const char *key, const char *upload_id,
		    struct error *err)
{
	struct az_store *s = az_of(store);
	int r = check_upload(s, upload_id, err);

	(void)container, (void)key;
	if (r < 0 && is_aborted(s, upload_id)) {
		*err = ERROR_INIT; /* gone is gone */
		return 0;
	}
	if (r < 0)
		return r;
	LOCKED(&s->lock);
	memcpy(s->aborted[s->aborted_next], upload_id, AZ_UPLOAD_ID_LEN);
	s->aborted[s->aborted_next][AZ_UPLOAD_ID_LEN] = '\0';
	s->aborted_next = (s->aborted_next + 1) % AZ_ABORTED_MAX;
	return 0;
}

static int compare_parts(const void *a, const void *b)
{
	const struct store_part *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The part a block is, 0 when it is of another upload, or a piece beside kept blocks. */
static unsigned part_number(const char *id, const char *upload_id)
{
	CLEANUP(buf_release) struct buf raw = BUF_INIT(128);
	uint64_t number = 0;

	if (base64_decode(str_of(id), &raw) < 0 || raw.len != AZ_UPLOAD_ID_LEN + 8 ||
	    memcmp(raw.data, upload_id, AZ_UPLOAD_ID_LEN) != 0 || raw.data[AZ_UPLOAD_ID_LEN] != '-' ||
	    str_to_u64((struct str){ raw.data + AZ_UPLOAD_ID_LEN + 1, 7 }, &number) < 0)
		return 0;
	return number <= AZ_BLOCKS_MAX ? (unsigned)number : 0;
}

int az_upload_parts(struct store *store, const char *container, const char *key, const char *upload_id,
		    struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_blocks_release) struct az_blocks blocks = AZ_BLOCKS_INIT;
	struct store_part *parts;
	size_t count = 0;
	int r = check_upload(s, upload_id, err);

	if (r >= 0)
		r = az_blocks_get(s, container, key, AZ_BLOCKS_UNCOMMITTED, &blocks, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND && az_error_is(err, "BlobNotFound")) {
		*err = ERROR_INIT; /* no block yet, and no blob */
		r = 0;
	}
	if (r < 0)
		return r;
	parts = calloc(blocks.count + 1, sizeof(*parts));
	if (!parts)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < blocks.count; i++) {
		unsigned number = part_number(blocks.list[i].id, upload_id);

		if (!number)
			continue;
		parts[count] = (struct store_part){ .number = number, .size = blocks.list[i].size };
		(void)snprintf(parts[count++].tag, STORE_VERSION_MAX, "%s", blocks.list[i].id);
	}
	qsort(parts, count, sizeof(*parts), compare_parts);
	*ret_parts = parts;
	*ret_count = count;
	return 0;
}
