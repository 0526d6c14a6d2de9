/*
 * S3's own side of the store against a real server: what the conformance suite, which any store
 * passes, cannot ask. Runs when SKYDIR_TEST_S3_ENDPOINT, SKYDIR_TEST_S3_KEY and
 * SKYDIR_TEST_S3_SECRET are set; else it is skipped.
 */
#include "backends/aws/s3.h"
#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

#define MIB (1 << 20)

struct room {
	struct http_engine *engine;
	struct store *store;
	char bucket[64];
};

static const char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

static struct store *store_open(struct http_engine *engine, const char *secret, const char *region)
{
	struct s3_options options = { .endpoint = getenv("SKYDIR_TEST_S3_ENDPOINT"),
				      .region = region };
	struct cred_aws_options cred = { .access_key_id = getenv("SKYDIR_TEST_S3_KEY"),
					 .secret_access_key = secret };
	struct cred_host host = { .getenv = no_env, .wall_s = clock_wall_s, .engine = engine };
	struct error err = ERROR_INIT;
	struct store *store = NULL;

	if (cred_aws_provider_new(&host, &cred, &options.provider, &err) < 0 ||
	    s3_store_new("real", engine, &options, &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

static int room_open(void **state)
{
	struct room *room = calloc(1, sizeof(*room));
	struct http_engine_options options = { 0 };
	struct error err = ERROR_INIT;

	if (!room || http_engine_new(&options, &room->engine, &err) < 0)
		return -1;
	room->store = store_open(room->engine, getenv("SKYDIR_TEST_S3_SECRET"), NULL);
	(void)snprintf(room->bucket, sizeof(room->bucket), "skydir-aws-%08llx",
		       (unsigned long long)(random_u64() & 0xffffffff));
	*state = room;
	if (store_bucket_create(room->store, room->bucket, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	return 0;
}

/* As far as the server lets us: moto (5.2) cannot delete the version of a delete marker. */
static void delete_all_versions(struct room *room)
{
	size_t deleted;

	do {
		struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = "" };

		deleted = 0;
		if (store_list_versions(room->store, room->bucket, &args, &page, NULL) < 0)
			return;
		for (size_t i = 0; i < page.count; i++)
			deleted += store_delete(room->store, room->bucket, page.objects[i].key,
						NULL, page.objects[i].version_id, NULL) >= 0;
		store_page_release(&page);
	} while (deleted > 0);
}

static int room_close(void **state)
{
	struct room *room = *state;
	struct error err = ERROR_INIT;

	delete_all_versions(room);
	if (store_bucket_delete(room->store, room->bucket, &err) < 0)
		(void)fprintf(stderr, "the test's bucket stays: %s\n", err.message);
	store_free(room->store);
	http_engine_free(room->engine);
	free(room);
	return 0;
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		err = ERROR_INIT;                                                                  \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s (%s)", #call, err.message, err.service_code);             \
	} while (0)
#define FAILS(call, wanted)                                                                        \
	do {                                                                                       \
		err = ERROR_INIT;                                                                  \
		assert_true((call) < 0);                                                           \
		if (err.kind != (wanted))                                                          \
			fail_msg("%s: %s, %s (%s)", #call, error_name(err.kind), err.message,      \
				 err.service_code);                                                \
	} while (0)

static int put(struct room *room, const char *key, const char *text, char *ret_version,
	       struct error *err)
{
	struct store_source source = { .fd = -1, .mem = str_of(text) };
	struct store_put_args args = { 0 };

	return store_put(room->store, room->bucket, key, &source, &args, ret_version, err);
}

static int get(struct room *room, const char *key, const struct store_get_args *args,
	       struct buf *ret, struct error *err)
{
	struct store_sink sink = { .fd = -1, .buf = ret };

	return store_get(room->store, room->bucket, key, args, &sink, NULL, NULL, err);
}

static void odd_keys_are_written_listed_read_copied_and_deleted(void **state)
{
	static const char *const keys[] = { "a b+c%20&=?#", "\xc3\xbc/\xe2\x82\xac",
					    "quote\"'<&>",  "semi;colon:@!$(),",
					    "back\\slash",  "tilde~_-.x",
					    "dir.d/..x/.y" };
	struct room *room = *state;
	struct error err, results[ARRAY_SIZE(keys)];
	char version[STORE_VERSION_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT(1024);
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		CLEANUP(freep) char *copy_key = str_format("copy/%s", keys[i]);
		struct store_copy_args copy = { 0 };
		struct store_list_args list = { .prefix = keys[i] };

		OK(put(room, keys[i], keys[i], version, &err));
		OK(get(room, keys[i], &(struct store_get_args){ .if_version = version }, &text,
		       &err));
		assert_string_equal(buf_cstr(&text), keys[i]);
		OK(store_list(room->store, room->bucket, &list, &page, &err));
		assert_int_equal(page.count, 1);
		assert_string_equal(page.objects[0].key, keys[i]);
		assert_string_equal(page.objects[0].version, version);
		assert_true(page.objects[0].modified_wall_ns > 0);
		OK(store_copy(room->store, room->bucket, keys[i], room->bucket, copy_key, &copy,
			      version, &err));
		OK(get(room, copy_key, &(struct store_get_args){ 0 }, &text, &err));
		assert_string_equal(buf_cstr(&text), keys[i]);
		OK(store_delete(room->store, room->bucket, copy_key, NULL, NULL, &err));
	}
	OK(store_delete_many(room->store, room->bucket, keys, ARRAY_SIZE(keys), results, &err));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_int_equal(results[i].kind, ERR_NONE);
		FAILS(get(room, keys[i], &(struct store_get_args){ 0 },
			  &(struct buf){ .limit = 1024 }, &err),
		      ERR_NOT_FOUND);
	}
}

static void ranges_and_conditions_are_kept(void **state)
{
	struct room *room = *state;
	CLEANUP(buf_release) struct buf text = BUF_INIT(1024);
	struct store_source source = { .fd = -1, .mem = STR("newer") };
	char version[STORE_VERSION_MAX], newer[STORE_VERSION_MAX];
	struct error err;

	OK(put(room, "k", "0123456789", version, &err));
	OK(get(room, "k", &(struct store_get_args){ .offset = 3, .length = 4 }, &text, &err));
	assert_string_equal(buf_cstr(&text), "3456");
	OK(get(room, "k", &(struct store_get_args){ .offset = 8 }, &text, &err));
	assert_string_equal(buf_cstr(&text), "89");
	FAILS(get(room, "k", &(struct store_get_args){ .offset = 8, .length = 3 }, &text, &err),
	      ERR_RANGE);
	FAILS(get(room, "k", &(struct store_get_args){ .offset = 10, .length = 1 }, &text, &err),
	      ERR_RANGE);
	FAILS(get(room, "k",
		  &(struct store_get_args){ .if_version = "00000000000000000000000000000000" },
		  &text, &err),
	      ERR_PRECONDITION);
	FAILS(store_put(room->store, room->bucket, "k", &source,
			&(struct store_put_args){ .if_absent = true }, newer, &err),
	      ERR_PRECONDITION);
	OK(store_put(room->store, room->bucket, "k", &source,
		     &(struct store_put_args){ .if_version = version }, newer, &err));
	FAILS(store_put(room->store, room->bucket, "k", &source,
			&(struct store_put_args){ .if_version = version }, newer, &err),
	      ERR_PRECONDITION);
	FAILS(store_delete(room->store, room->bucket, "k", version, NULL, &err), ERR_PRECONDITION);
	OK(store_delete(room->store, room->bucket, "k", newer, NULL, &err));
	OK(store_delete(room->store, room->bucket, "k", NULL, NULL, &err));
	OK(put(room, "empty", "", version, &err));
	OK(get(room, "empty", &(struct store_get_args){ 0 }, &text, &err));
	assert_int_equal(text.len, 0);
	FAILS(get(room, "empty", &(struct store_get_args){ .length = 5 }, &text, &err), ERR_RANGE);
	OK(store_delete(room->store, room->bucket, "empty", NULL, NULL, &err));
}

static void parts_uploaded_and_copied_make_an_object(void **state)
{
	struct room *room = *state;
	const struct store_meta meta[] = { { "mtime", "1700000000.5" }, { "name", "\xc3\xbc" } };
	struct store_put_args args = { .meta = meta,
				       .meta_count = 2,
				       .content_type = "text/x-test" };
	struct store_source source = { .fd = memfd_create("parts", 0), .length = 5 * MIB };
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(MIB);
	CLEANUP(store_upload_page_release)
	struct store_upload_page uploads = STORE_UPLOAD_PAGE_INIT;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) struct store_part *held = NULL;
	struct store_part parts[3];
	char version[STORE_VERSION_MAX], head_version[STORE_VERSION_MAX];
	struct store_object o;
	struct error err;
	size_t count = 0;

	assert_int_equal(ftruncate(source.fd, 5 * MIB + 10), 0);
	assert_int_equal(fileio_pwrite_all(source.fd, "begin", 5, 0), 0);
	OK(store_upload_begin(room->store, room->bucket, "big", &args, &id, &err));
	OK(store_upload_part(room->store, room->bucket, "big", id, 1, &source, NULL, &parts[0],
			     &err));
	source.offset = 5 * MIB;
	source.length = 10;
	OK(store_upload_part(room->store, room->bucket, "big", id, 2, &source, NULL, &parts[1],
			     &err));
	OK(store_upload_list(room->store, room->bucket, "", &uploads, &err));
	assert_int_equal(uploads.count, 1);
	assert_string_equal(uploads.uploads[0].key, "big");
	OK(store_upload_parts(room->store, room->bucket, "big", id, &held, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(held[0].tag, parts[0].tag);
	assert_int_equal(held[0].size, 5 * MIB);
	OK(store_upload_complete(room->store, room->bucket, "big", id, parts, 2, &args, version,
				 &err));
	/* the answer was lost: the same again */
	OK(store_upload_complete(room->store, room->bucket, "big", id, parts, 2, &args,
				 head_version, &err));
	assert_string_equal(version, head_version);
	OK(store_head(room->store, room->bucket, "big", NULL, &arena, &o, &err));
	assert_int_equal(o.size, 5 * MIB + 10);
	assert_string_equal(o.version, version);
	assert_string_equal(store_object_meta(&o, "mtime"), "1700000000.5");
	assert_string_equal(store_object_meta(&o, "name"), "\xc3\xbc");
	assert_string_equal(o.content_type, "text/x-test");

	free(steal(id));
	OK(store_upload_begin(room->store, room->bucket, "big2", &args, &id, &err));
	OK(store_part_copy(room->store, room->bucket, "big", version, 0, 5 * MIB, room->bucket,
			   "big2", id, 1, NULL, &parts[0], &err));
	source.offset = 0;
	source.length = 5;
	OK(store_upload_part(room->store, room->bucket, "big2", id, 2, &source, NULL, &parts[1],
			     &err));
	OK(store_upload_complete(room->store, room->bucket, "big2", id, parts, 2, &args, version,
				 &err));
	OK(store_head(room->store, room->bucket, "big2", NULL, &arena, &o, &err));
	assert_int_equal(o.size, 5 * MIB + 5);

	free(steal(id));
	OK(store_upload_begin(room->store, room->bucket, "big3", &args, &id, &err));
	OK(store_upload_abort(room->store, room->bucket, "big3", id, &err));
	OK(store_upload_abort(room->store, room->bucket, "big3", id, &err));
	if (store_upload_complete(room->store, room->bucket, "big3", id, parts, 2, &args, version,
				  &err) >= 0 ||
	    (err.kind != ERR_NOT_FOUND && err.http_status != 500)) /* moto fails there */
		fail_msg("%s", err.message);
	(void)close(source.fd);
}

static void copies_beyond_the_limit_carry_the_metadata(void **state)
{
	struct room *room = *state;
	const struct store_meta meta[] = { { "mode", "33188" } }, other = { "mode", "33261" };
	struct store_put_args args = { .meta = meta, .meta_count = 1, .content_type = "image/png" };
	struct store_source source = { .fd = memfd_create("copy", 0), .length = 12 * MIB };
	struct store_copy_args copy = { .source_size = 12 * MIB };
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(MIB);
	uint64_t limit = room->store->limits.max_copy_bytes,
		 part_limit = room->store->limits.max_part_bytes;
	char version[STORE_VERSION_MAX];
	struct store_object o;
	struct error err;

	assert_int_equal(ftruncate(source.fd, 12 * MIB), 0);
	OK(store_put(room->store, room->bucket, "src", &source, &args, version, &err));
	room->store->limits.max_copy_bytes = 6 * MIB;
	room->store->limits.max_part_bytes = 6 * MIB;
	OK(store_copy(room->store, room->bucket, "src", room->bucket, "dst", &copy, version, &err));
	OK(store_head(room->store, room->bucket, "dst", NULL, &arena, &o, &err));
	assert_int_equal(o.size, 12 * MIB);
	assert_string_equal(o.content_type, "image/png");
	assert_string_equal(store_object_meta(&o, "mode"), "33188");
	assert_non_null(strstr(o.version, "-2"));
	OK(store_set_meta(room->store, room->bucket, "dst", o.version, &other, 1, version, &err));
	OK(store_head(room->store, room->bucket, "dst", NULL, &arena, &o, &err));
	assert_string_equal(store_object_meta(&o, "mode"), "33261");
	assert_string_equal(o.content_type, "image/png");
	room->store->limits.max_copy_bytes = limit;
	room->store->limits.max_part_bytes = part_limit;
	OK(store_set_meta(room->store, room->bucket, "src", NULL, &other, 1, version, &err));
	OK(store_head(room->store, room->bucket, "src", NULL, &arena, &o, &err));
	assert_string_equal(store_object_meta(&o, "mode"), "33261");
	FAILS(store_copy(room->store, room->bucket, "src", room->bucket, "dst",
			 &(struct store_copy_args){ .if_absent = true }, version, &err),
	      ERR_PRECONDITION);
	FAILS(store_copy(room->store, room->bucket, "nothing", room->bucket, "dst",
			 &(struct store_copy_args){ 0 }, version, &err),
	      ERR_NOT_FOUND);
	(void)close(source.fd);
}

static void listings_page_to_the_end(void **state)
{
	struct room *room = *state;
	struct store_list_args args = { .prefix = "p/", .delimiter = '/', .max_keys = 2 };
	char key[32], version[STORE_VERSION_MAX], token[1024] = "", last[STORE_KEY_MAX + 1] = "";
	struct error err;
	size_t count = 0;

	for (int i = 0; i < 5; i++) {
		(void)snprintf(key, sizeof(key), "p/%d", i);
		OK(put(room, key, "x", version, &err));
		(void)snprintf(key, sizeof(key), "p/%d.d/x", i);
		OK(put(room, key, "x", version, &err));
	}
	do {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;

		args.token = token[0] ? token : NULL;
		OK(store_list(room->store, room->bucket, &args, &page, &err));
		assert_true(page.count <= 2);
		for (size_t i = 0; i < page.count; i++) {
			assert_true(strcmp(last, page.objects[i].key) < 0);
			(void)snprintf(last, sizeof(last), "%s", page.objects[i].key);
			assert_int_equal(page.objects[i].is_prefix, str_ends(str_of(last), "/"));
		}
		count += page.count;
		(void)snprintf(token, sizeof(token), "%s", page.next_token ? page.next_token : "");
	} while (token[0]);
	assert_int_equal(count, 10);
}

static void versions_are_kept_and_listed(void **state)
{
	struct room *room = *state;
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "v" };
	CLEANUP(buf_release) struct buf text = BUF_INIT(1024);
	char version[STORE_VERSION_MAX], token[2048] = "";
	struct error err;
	bool is_on = true;
	size_t count = 0;

	OK(store_versioning_get(room->store, room->bucket, &is_on, &err));
	assert_false(is_on);
	OK(store_versioning_set(room->store, room->bucket, true, &err));
	OK(store_versioning_get(room->store, room->bucket, &is_on, &err));
	assert_true(is_on);
	OK(put(room, "v", "one", version, &err));
	OK(put(room, "v", "two!", version, &err));
	OK(store_delete(room->store, room->bucket, "v", NULL, NULL, &err));
	FAILS(get(room, "v", &(struct store_get_args){ 0 }, &text, &err), ERR_NOT_FOUND);
	OK(store_list_versions(room->store, room->bucket, &args, &page, &err));
	assert_int_equal(page.count, 3);
	assert_true(page.objects[0].is_delete_marker);
	assert_true(page.objects[0].is_latest);
	assert_int_equal(page.objects[1].size, 4);
	assert_false(page.objects[1].is_latest);
	OK(get(room, "v", &(struct store_get_args){ .version_id = page.objects[2].version_id },
	       &text, &err));
	assert_string_equal(buf_cstr(&text), "one");
	args.max_keys = 1;
	for (count = 0; count <= 3; count++) {
		CLEANUP(store_page_release) struct store_page one = STORE_PAGE_INIT;

		if (count == 3 && !token[0]) /* else an empty page comes last */
			break;
		args.token = token[0] ? token : NULL;
		OK(store_list_versions(room->store, room->bucket, &args, &one, &err));
		assert_int_equal(one.count, count < 3);
		if (count < 3)
			assert_string_equal(one.objects[0].version_id,
					    page.objects[count].version_id);
		(void)snprintf(token, sizeof(token), "%s", one.next_token ? one.next_token : "");
	}
	assert_string_equal(token, "");
	OK(store_versioning_set(room->store, room->bucket, false, &err));
}

static void buckets_policies_and_urls_work(void **state)
{
	struct room *room = *state;
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT(65536);
	CLEANUP(freep)
	char *policy = str_format(
		"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":"
		"\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::%s/*\"}]}",
		room->bucket);
	struct error err;
	bool is_listed = false;

	OK(store_bucket_list(room->store, &page, &err));
	for (size_t i = 0; i < page.count; i++)
		is_listed |= !strcmp(page.buckets[i].name, room->bucket);
	assert_true(is_listed);
	OK(store_bucket_exists(room->store, room->bucket, &err));
	FAILS(store_bucket_exists(room->store, "skydir-no-such-bucket", &err), ERR_NOT_FOUND);
	if (store_bucket_create(room->store, "Not_A_Name_", &err) < 0)
		assert_int_equal(err.kind, ERR_INVALID);
	else /* a lax server */
		OK(store_bucket_delete(room->store, "Not_A_Name_", &err));
	FAILS(store_list(room->store, "skydir-no-such-bucket",
			 &(struct store_list_args){ .prefix = "" },
			 &(struct store_page){ .arena = ARENA_INIT(MIB) }, &err),
	      ERR_NOT_FOUND);
	FAILS(store_policy_get(room->store, room->bucket, &text, &err), ERR_NOT_FOUND);
	OK(store_policy_set(room->store, room->bucket, str_of(policy), &err));
	OK(store_policy_get(room->store, room->bucket, &text, &err));
	assert_non_null(strstr(buf_cstr(&text), "s3:GetObject"));
	OK(store_policy_set(room->store, room->bucket, STR(""), &err));
	OK(store_presign(room->store, room->bucket, "a b/\xc3\xbc", STORE_PRESIGN_GET, 60, &text,
			 &err));
	assert_non_null(strstr(buf_cstr(&text), "/a%20b/%C3%BC?"));
	OK(store_describe(room->store, &text, &err));
	assert_null(strstr(buf_cstr(&text), getenv("SKYDIR_TEST_S3_SECRET")));
}

static void wrong_credentials_are_told_apart(void **state)
{
	struct room *room = *state;
	struct store *wrong = store_open(room->engine, "not-the-secret", NULL);
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	struct error err = ERROR_INIT;

	/* Some servers check nothing at all; then there is nothing to tell. */
	if (store_list(wrong, room->bucket, &args, &page, &err) < 0) {
		assert_int_equal(err.kind, ERR_UNAUTHENTICATED);
		FAILS(store_bucket_exists(wrong, room->bucket, &err), ERR_UNAUTHENTICATED);
	}
	store_free(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_keys_are_written_listed_read_copied_and_deleted),
		cmocka_unit_test(ranges_and_conditions_are_kept),
		cmocka_unit_test(parts_uploaded_and_copied_make_an_object),
		cmocka_unit_test(copies_beyond_the_limit_carry_the_metadata),
		cmocka_unit_test(listings_page_to_the_end),
		cmocka_unit_test(versions_are_kept_and_listed),
		cmocka_unit_test(buckets_policies_and_urls_work),
		cmocka_unit_test(wrong_credentials_are_told_apart),
	};

	if (!getenv("SKYDIR_TEST_S3_ENDPOINT") || !getenv("SKYDIR_TEST_S3_KEY") ||
	    !getenv("SKYDIR_TEST_S3_SECRET")) {
		(void)printf("skipped: SKYDIR_TEST_S3_ENDPOINT, _KEY and _SECRET are not set\n");
		return 0;
	}
	return cmocka_run_group_tests_name("s3 server", tests, room_open, room_close);
}
