/*
 * Blocks: lists of them, put, copied, committed.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/put-block, put-block-from-url, put-block-list and get-block-list
 * (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/random.h"
#include "backends/base/xml.h"
#include <stdio.h>

void az_blocks_release(struct az_blocks *b)
{
	arena_release(&b->arena);
	b->list = NULL;
	b->count = b->capacity = 0;
}

void az_upload_new(char ret[AZ_UPLOAD_ID_LEN + 1])
{
	unsigned char id[AZ_UPLOAD_ID_LEN / 2];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), ret);
}

void az_block_id(const char *upload, unsigned number, char ret[AZ_BLOCK_ID_MAX])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(AZ_BLOCK_ID_MAX - 1);
	char raw[AZ_UPLOAD_ID_LEN + 16];

	/* 24 bytes: 32 characters without padding. */
	(void)snprintf(raw, sizeof(raw), "%.16s-%07u", upload, number % 10000000);
	ret[0] = '\0';
	if (base64_encode(raw, strlen(raw), &text) == 0)
		(void)snprintf(ret, AZ_BLOCK_ID_MAX, "%s", buf_cstr(&text));
}

struct blocks_reader {
	struct az_blocks *blocks;
	const char *wanted; /* "BlockList/CommittedBlocks/Block" */
	struct az_block current;
	bool has_root;
};

static int blocks_start(void *arg, const char *path, struct error *err)
{
	struct blocks_reader *b = arg;

	(void)err; /* nothing here can fail */
	b->has_root |= !strcmp(path, "BlockList");
	if (!strcmp(path, b->wanted))
		b->current = (struct az_block){ 0 };
	return 0;
}

static int blocks_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct blocks_reader *b = arg;
	size_t len = strlen(b->wanted);

	if (strncmp(path, b->wanted, len) || path[len] != '/')
		return 0;
	if (!strcmp(path + len, "/Size"))
		return str_to_u64(str_trim(text), &b->current.size) < 0 || b->current.size > AZ_BLOCK_MAX
			       ? error_set(err, ERR_PROTOCOL, "the list of blocks holds a broken size")
			       : 0;
	if (strcmp(path + len, "/Name"))
		return 0;
	b->current.id = arena_strndup(&b->blocks->arena, text.ptr, text.len);
	return b->current.id ? 0 : error_set(err, ERR_TOO_LARGE, "the list of blocks is too large");
}

static int blocks_end(void *arg, const char *path, struct error *err)
{
	struct blocks_reader *b = arg;
	struct az_blocks *to = b->blocks;

	if (strcmp(path, b->wanted))
		return 0;
	if (!b->current.id)
		return error_set(err, ERR_PROTOCOL, "the list of blocks holds a nameless one");
	if (to->count == to->capacity) {
		size_t capacity = to->capacity ? 2 * to->capacity : 64;
		struct az_block *grown = arena_alloc(&to->arena, capacity * sizeof(*grown));

		if (!grown)
			return error_set(err, ERR_TOO_LARGE, "the list of blocks is too large");
		if (to->count)
			memcpy(grown, to->list, to->count * sizeof(*grown));
		to->list = grown;
		to->capacity = capacity;
	}
	to->list[to->count++] = b->current;
	to->total += b->current.size;
	return 0;
}

int az_blocks_read(struct str document, enum az_block_list which, struct az_blocks *ret,
		   struct error *err)
{
	struct blocks_reader b = { .blocks = ret,
				   .wanted = which == AZ_BLOCKS_COMMITTED
						     ? "BlockList/CommittedBlocks/Block"
						     : "BlockList/UncommittedBlocks/Block" };
	const struct xml_handler handler = {
		.start = blocks_start, .text = blocks_text, .end = blocks_end, .arg = &b
	};
	int r = xml_parse(str_trim(document), &handler, err);

	return r >= 0 && !b.has_root ? error_set(err, ERR_PROTOCOL, "the answer is no list of blocks") : r;
}

int az_blocks_get(struct az_store *s, const char *container, const char *key, enum az_block_list which,
		  struct az_blocks *ret, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_GET, "GetBlockList", container, key);
	int r;

	az_call_query(&c, "comp", "blocklist");
	az_call_query(&c, "blocklisttype", which == AZ_BLOCKS_COMMITTED ? "committed" : "uncommitted");
	az_call_answer(&c, NULL);
	r = az_call_perform(&c, err);
	if (r >= 0)
		r = az_version_set(str_of(az_answer_header(&c, "etag")), ret->version, err);
	return r < 0 ? r : az_blocks_read(buf_str(&c.answer), which, ret, err);
}

int az_block_put(struct az_store *s, const char *container, const char *key, const char *id,
		 const struct store_source *source, struct cancel *cancel, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "PutBlock", container, key);
	int r;

	az_call_query(&c, "comp", "block");
	az_call_query(&c, "blockid", id);
	c.request.cancel = cancel;
	r = az_call_source(&c, source, err);
	return r < 0 ? r : az_call_perform(&c, err);
}

static int copy_by_service(struct az_call *c, const char *from_container, const char *from_key,
			   const char *if_source_version, uint64_t offset, uint64_t length,
			   struct cancel *cancel, struct error *err)
{
	int r = az_call_copy_source(c, from_container, from_key, true, err);

	if (r < 0)
		return r;
	az_call_headerf(c, "x-ms-source-range", "bytes=%llu-%llu", (unsigned long long)offset,
			(unsigned long long)(offset + length - 1));
	if (if_source_version && *if_source_version)
		az_call_headerf(c, "x-ms-source-if-match", "\"%s\"", if_source_version);
	c->request.cancel = cancel;
	c->request.stall_timeout_ms = AZ_SERVER_WORK_MS;
	return az_call_perform(c, err);
}

/* Where the service cannot read from itself: down into a file without a name, and up again. */
static int copy_through_here(struct az_store *s, const char *from_container, const char *from_key,
			     const char *if_source_version, uint64_t offset, uint64_t length,
			     const char *container, const char *key, const char *id,
			     struct cancel *cancel, struct error *err)
{
	FILE *file = tmpfile();
	struct store_get_args args = {
		.offset = offset, .length = length, .if_version = if_source_version, .cancel = cancel
	};
	struct store_sink sink = STORE_SINK_INIT;
	struct store_source source = STORE_SOURCE_INIT;
	int r;

	if (!file)
		return error_errno(err, errno, "a file for a part cannot be made");
	sink.fd = fileno(file);
	r = az_get(&s->base, from_container, from_key, &args, &sink, NULL, NULL, err);
	source.fd = sink.fd;
	source.length = length;
	if (r >= 0)
		r = az_block_put(s, container, key, id, &source, cancel, err);
	(void)fclose(file); /* nothing in it is wanted any more */
	return r;
}

int az_block_copy(struct az_store *s, const char *from_container, const char *from_key,
		  const char *if_source_version, uint64_t offset, uint64_t length,
		  const char *container, const char *key, const char *id, struct cancel *cancel,
		  struct error *err)
{
	int r;

	if (az_has(s, AZ_POWER_FROM_URL)) {
		CLEANUP(az_call_release)
		struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "PutBlockFromURL", container, key);

		az_call_query(&c, "comp", "block");
		az_call_query(&c, "blockid", id);
		r = copy_by_service(&c, from_container, from_key, if_source_version, offset, length, cancel, err);
		if (r >= 0 || !az_is_no_power(err))
			return r;
		az_lose(s, AZ_POWER_FROM_URL);
		*err = ERROR_INIT;
	}
	return copy_through_here(s, from_container, from_key, if_source_version, offset, length, container,
				 key, id, cancel, err);
}

void az_block_list_begin(struct az_call *c)
{
	az_call_query(c, "comp", "blocklist");
	az_call_check(c, buf_adds(&c->sent, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"));
}

void az_block_list_add(struct az_call *c, const char *kind, const char *id)
{
	az_call_check(c, buf_addf(&c->sent, "<%s>", kind));
	az_call_check(c, xml_escape(str_of(id), &c->sent));
	az_call_check(c, buf_addf(&c->sent, "</%s>", kind));
}

int az_block_list_commit(struct az_call *c, const struct store_put_args *args, char *ret_version,
			 struct error *err)
{
	int r;

	az_call_check(c, buf_adds(&c->sent, "</BlockList>"));
	az_call_send(c, "application/xml");
	az_call_header(c, "x-ms-blob-content-type",
		       args->content_type ? args->content_type : store_content_type(c->key));
	az_call_condition(c, args->if_version, args->if_absent);
	r = az_call_meta(c, args->meta, args->meta_count, err);
	if (r < 0)
		return r;
	c->request.cancel = args->cancel;
	c->request.deadline_mono_ms = args->deadline_mono_ms;
	c->request.stall_timeout_ms = AZ_SERVER_WORK_MS;
	r = az_call_perform(c, err);
	return r < 0 ? r : az_version_set(str_of(az_answer_header(c, "etag")), ret_version, err);
}
