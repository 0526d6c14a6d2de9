#include "tests/fuzz/store_calls.h"
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"

#define BUCKET	    "bucket"
#define KEY	    "dir/key"
#define RANGE_BYTES 100

static void check_text(const char *text)
{
	FUZZ_CHECK(text);
	FUZZ_CHECK(strlen(text) <
		   (16u << 20)); /* reads all of it, so that ASan sees an end that is not there */
}

static void check_object(const struct store_object *o, const char *prefix)
{
	if (o->key) {
		check_text(o->key);
		FUZZ_CHECK(o->key[0] && strncmp(o->key, prefix, strlen(prefix)) == 0);
	}
	FUZZ_CHECK(memchr(o->version, '\0', sizeof(o->version)));
	for (const char *p = o->version; *p; p++) /* it goes back in a header */
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (size_t i = 0; i < o->meta_count; i++) {
		check_text(o->meta[i].name);
		check_text(o->meta[i].value);
	}
	if (o->storage_class)
		check_text(o->storage_class);
	if (o->version_id)
		check_text(o->version_id);
	if (o->content_type)
		check_text(o->content_type);
}

static void check_page(int r, const struct store_page *page, const struct store_list_args *args,
		       const struct error *err)
{
	fuzz_check_result(r, err);
	if (r < 0)
		return;
	for (size_t i = 0; i < page->count; i++) {
		check_object(&page->objects[i], args->prefix);
		FUZZ_CHECK(page->objects[i].key);
		FUZZ_CHECK(i == 0 || strcmp(page->objects[i - 1].key, page->objects[i].key) <= 0);
	}
	if (page->next_token) {
		check_text(page->next_token);
		/* Else whoever follows it never comes to an end. */
		FUZZ_CHECK(!args->token || strcmp(args->token, page->next_token) != 0);
	}
}

static void call_list(struct store *s)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "p", .delimiter = '/' };
	struct error err = ERROR_INIT;
	int r = store_list(s, BUCKET, &args, &page, &err);

	check_page(r, &page, &args, &err);
}

static void call_list_on(struct store *s)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "", .token = "token", .max_keys = 3 };
	struct error err = ERROR_INIT;
	int r = store_list(s, BUCKET, &args, &page, &err);

	check_page(r, &page, &args, &err);
}

static void call_versions(struct store *s)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "p", .token = "p&v1", .max_keys = 2 };
	struct error err = ERROR_INIT;
	int r = store_list_versions(s, BUCKET, &args, &page, &err);

	check_page(r, &page, &args, &err);
}

static void call_uploads(struct store *s)
{
	CLEANUP(store_upload_page_release) struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	struct error err = ERROR_INIT;
	int r = store_upload_list(s, BUCKET, "p", &page, &err);

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < page.count; i++) {
		check_text(page.uploads[i].key);
		check_text(page.uploads[i].upload_id);
	}
}

static void call_parts(struct store *s)
{
	CLEANUP(freep) struct store_part *parts = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;
	int r = store_upload_parts(s, BUCKET, KEY, "upload", &parts, &count, &err);

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		FUZZ_CHECK(parts[i].number > 0);
		FUZZ_CHECK(i == 0 || parts[i - 1].number < parts[i].number);
		FUZZ_CHECK(memchr(parts[i].tag, '\0', sizeof(parts[i].tag)));
		FUZZ_CHECK(memchr(parts[i].checksum, '\0', sizeof(parts[i].checksum)));
	}
}

static void call_buckets(struct store *s)
{
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	struct error err = ERROR_INIT;
	int r = store_bucket_list(s, &page, &err);

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < page.count; i++)
		check_text(page.buckets[i].name);
}

static void call_head(struct store *s)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object object = { 0 };
	struct error err = ERROR_INIT;
	int r = store_head(s, BUCKET, KEY, NULL, &arena, &object, &err);

	fuzz_check_result(r, &err);
	if (r >= 0)
		check_object(&object, KEY);
}

static void get(struct store *s, const struct store_get_args *args)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(buf_release) struct buf body = BUF_INIT(1 << 20);
	struct store_sink sink = { .fd = -1, .buf = &body };
	struct store_object object = { 0 };
	struct error err = ERROR_INIT;
	int r = store_get(s, BUCKET, KEY, args, &sink, &arena, &object, &err);

	fuzz_check_result(r, &err);
	if (r < 0)
		return;
	check_object(&object, KEY);
	/* A short answer is never a success: what came is what the head says there is. */
	if (args->length)
		FUZZ_CHECK(args->offset + body.len <= object.size && body.len <= args->length &&
			   (body.len == args->length || args->offset + body.len == object.size));
	else
		FUZZ_CHECK(args->offset + body.len == object.size);
}

static void call_get(struct store *s)
{
	get(s, &(struct store_get_args){ .if_version = "v" });
}

static void call_get_range(struct store *s)
{
	get(s, &(struct store_get_args){ .offset = 10, .length = RANGE_BYTES });
}

static void check_version(int r, const char version[STORE_VERSION_MAX], const struct error *err)
{
	struct store_object object = { .key = NULL };

	fuzz_check_result(r, err);
	if (r < 0)
		return;
	memcpy(object.version, version, sizeof(object.version));
	check_object(&object, "");
}

static const struct store_source content = { .fd = -1, .mem = { "0123456789", 10 } };

static void call_put(struct store *s)
{
	struct store_meta meta = { "mode", "33188" };
	struct store_put_args args = { .if_version = "v", .meta = &meta, .meta_count = 1 };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	int r = store_put(s, BUCKET, KEY, &content, &args, version, &err);

	check_version(r, version, &err);
}

static void call_delete(struct store *s)
{
	struct error err = ERROR_INIT;

	fuzz_check_result(store_delete(s, BUCKET, KEY, NULL, NULL, &err), &err);
}

static void call_delete_many(struct store *s)
{
	const char *const keys[] = { "a", "b/c", "d&<>" };
	struct error results[ARRAY_SIZE(keys)] = { ERROR_INIT }, err = ERROR_INIT;
	int r = store_delete_many(s, BUCKET, keys, ARRAY_SIZE(keys), results, &err);

	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(keys); i++)
		if (results[i].kind != ERR_NONE)
			fuzz_check_result(-1, &results[i]);
}

static void call_copy(struct store *s)
{
	struct store_copy_args args = { .if_source_version = "v", .source_size = 100 };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	int r = store_copy(s, BUCKET, KEY, BUCKET, "copy", &args, version, &err);

	check_version(r, version, &err);
}

static void call_set_meta(struct store *s)
{
	struct store_meta meta = { "mtime", "1" };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	int r = store_set_meta(s, BUCKET, KEY, "v", &meta, 1, version, &err);

	check_version(r, version, &err);
}

static void call_upload_begin(struct store *s)
{
	struct store_put_args args = { .if_absent = true };
	CLEANUP(freep) char *id = NULL;
	struct error err = ERROR_INIT;
	int r = store_upload_begin(s, BUCKET, KEY, &args, &id, &err);

	fuzz_check_result(r, &err);
	if (r >= 0)
		check_text(id);
}

static void check_part(int r, const struct store_part *part, const struct error *err)
{
	fuzz_check_result(r, err);
	if (r < 0)
		return;
	FUZZ_CHECK(memchr(part->tag, '\0', sizeof(part->tag)));
	FUZZ_CHECK(memchr(part->checksum, '\0', sizeof(part->checksum)));
}

static void call_upload_part(struct store *s)
{
	struct store_part part = { 0 };
	struct error err = ERROR_INIT;
	int r = store_upload_part(s, BUCKET, KEY, "upload", 1, &content, NULL, &part, &err);

	check_part(r, &part, &err);
}

static void call_part_copy(struct store *s)
{
	struct store_part part = { 0 };
	struct error err = ERROR_INIT;
	int r = store_part_copy(s, BUCKET, KEY, "v", 0, 10, BUCKET, "copy", "upload", 1, NULL,
				&part, &err);

	check_part(r, &part, &err);
}

static void call_complete(struct store *s)
{
	struct store_part parts[] = { { .number = 1, .tag = "t1", .size = 10 },
				      { .number = 2, .tag = "t2", .size = 1 } };
	struct store_put_args args = { .if_version = "v" };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	int r = store_upload_complete(s, BUCKET, KEY, "upload", parts, ARRAY_SIZE(parts), &args,
				      version, &err);

	check_version(r, version, &err);
}

static void call_abort(struct store *s)
{
	struct error err = ERROR_INIT;

	fuzz_check_result(store_upload_abort(s, BUCKET, KEY, "upload", &err), &err);
}

static void call_bucket_create(struct store *s)
{
	struct error err = ERROR_INIT;

	fuzz_check_result(store_bucket_create(s, BUCKET, &err), &err);
}

static void call_bucket_delete(struct store *s)
{
	struct error err = ERROR_INIT;

	fuzz_check_result(store_bucket_delete(s, BUCKET, &err), &err);
}

static void call_bucket_exists(struct store *s)
{
	struct error err = ERROR_INIT;

	fuzz_check_result(store_bucket_exists(s, BUCKET, &err), &err);
}

static void call_versioning(struct store *s)
{
	struct error err = ERROR_INIT;
	bool is_on = false;

	fuzz_check_result(store_versioning_get(s, BUCKET, &is_on, &err), &err);
}

static void call_policy(struct store *s)
{
	CLEANUP(buf_release) struct buf json = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	fuzz_check_result(store_policy_get(s, BUCKET, &json, &err), &err);
}

static const struct {
	char letter;
	void (*call)(struct store *s);
} calls[] = {
	{ 'l', call_list },	     { 'L', call_list_on },	  { 'v', call_versions },
	{ 'u', call_uploads },	     { 'q', call_parts },	  { 'B', call_buckets },
	{ 'h', call_head },	     { 'g', call_get },		  { 'r', call_get_range },
	{ 'p', call_put },	     { 'd', call_delete },	  { 'm', call_delete_many },
	{ 'c', call_copy },	     { 's', call_set_meta },	  { 'b', call_upload_begin },
	{ 'P', call_upload_part },   { 'C', call_complete },	  { 'k', call_part_copy },
	{ 'a', call_abort },	     { 'n', call_bucket_create }, { 'e', call_bucket_delete },
	{ 'x', call_bucket_exists }, { 'V', call_versioning },	  { 'o', call_policy },
};

void store_calls(struct store *s, const char *letters, struct str input)
{
	char chosen = (char)fuzz_byte(&input);

	if (!chosen || !strchr(letters, chosen))
		chosen = letters[(unsigned char)chosen % strlen(letters)];
	/* The letter may stand in a line of its own. */
	if (input.len && input.ptr[0] == '\n')
		(void)fuzz_byte(&input);
	canned_set(input);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].letter == chosen)
			calls[i].call(s);
}
