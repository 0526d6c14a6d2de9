#include "tests/conformance/suite.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Parts as small as the store takes them: S3 wants 5 MiB in all but the last. */
struct parts {
	struct suite *suite;
	size_t part_bytes, total;
	char *data;
	char *upload_id;
	struct store_part list[3];
};

static size_t part_length(const struct parts *p, unsigned number)
{
	return number < 3 ? p->part_bytes : p->total - 2 * p->part_bytes;
}

static void begin(struct parts *p, struct suite *s, const char *key)
{
	const struct store_meta meta = { "mode", "33188" };
	struct store_put_args args = { .meta = &meta,
				       .meta_count = 1,
				       .content_type = "text/x-test" };

	*p = (struct parts){ .suite = s };
	p->part_bytes = (size_t)s->store->limits.min_part_bytes;
	if (p->part_bytes < 1000)
		p->part_bytes = 1000;
	p->total = 2 * p->part_bytes + 17;
	p->data = malloc(p->total);
	fill_pattern(p->data, p->total, 7);
	OK(store_upload_begin(s->store, s->bucket, key, &args, &p->upload_id, &s->err));
}

static void end(struct parts *p)
{
	free(p->data);
	free(p->upload_id);
}

static int send_part(struct parts *p, const char *key, unsigned number)
{
	struct suite *s = p->suite;
	struct store_source source = STORE_SOURCE_INIT;

	source.mem = (struct str){ p->data + (number - 1) * p->part_bytes, part_length(p, number) };
	return store_upload_part(s->store, s->bucket, key, p->upload_id, number, &source, NULL,
				 &p->list[number - 1], &s->err);
}

static int complete(struct parts *p, const char *key, const struct store_put_args *args,
		    char *ret_version)
{
	struct suite *s = p->suite;
	struct store_put_args none = { 0 };

	return store_upload_complete(s->store, s->bucket, key, p->upload_id, p->list, 3,
				     args ? args : &none, ret_version, &s->err);
}

static void expect_whole(struct parts *p, const char *key)
{
	struct suite *s = p->suite;
	struct buf content = BUF_INIT(64 << 20);
	struct store_sink sink = { .fd = -1, .buf = &content };
	struct store_get_args args = { 0 };

	OK(store_get(s->store, s->bucket, key, &args, &sink, NULL, NULL, &s->err));
	assert_int_equal(content.len, p->total);
	assert_memory_equal(content.data, p->data, p->total);
	buf_release(&content);
}

static void parts_come_together_in_the_order_of_their_numbers(void **state)
{
	struct suite *s = *state;
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o = { 0 };
	struct parts p;
	char version[STORE_VERSION_MAX] = "";

	begin(&p, s, "big one");
	OK(send_part(&p, "big one", 3));
	OK(send_part(&p, "big one", 1));
	OK(send_part(&p, "big one", 2));
	expect_absent(s, "big one");
	OK(complete(&p, "big one", NULL, version));
	expect_whole(&p, "big one");
	OK(store_head(s->store, s->bucket, "big one", NULL, &arena, &o, &s->err));
	assert_string_equal(o.version, version);
	assert_string_equal(store_object_meta(&o, "mode"), "33188");
	assert_string_equal(o.content_type, "text/x-test");
	arena_release(&arena);
	end(&p);
}

static void a_part_sent_again_replaces_the_first(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char version[STORE_VERSION_MAX];

	begin(&p, s, "k");
	p.data[0] ^= 1;
	OK(send_part(&p, "k", 1));
	p.data[0] ^= 1;
	OK(send_part(&p, "k", 2));
	OK(send_part(&p, "k", 1));
	OK(send_part(&p, "k", 3));
	OK(complete(&p, "k", NULL, version));
	expect_whole(&p, "k");
	end(&p);
}

static void a_part_comes_from_a_file_or_an_object(void **state)
{
	struct suite *s = *state;
	int fd = memfd_create("part", MFD_CLOEXEC);
	struct store_source source = { .fd = fd, .offset = 5 };
	struct store_put_args none = { 0 };
	struct store_source whole = STORE_SOURCE_INIT;
	struct store_part *there = NULL;
	size_t count = 0;
	struct parts p;
	char version[STORE_VERSION_MAX], old[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_PART_COPY);
	begin(&p, s, "k");
	whole.mem = (struct str){ p.data, p.total };
	OK(store_put(s->store, s->bucket, "from", &whole, &none, version, &s->err));
	OK(store_part_copy(s->store, s->bucket, "from", version, p.part_bytes, p.part_bytes,
			   s->bucket, "k", p.upload_id, 2, NULL, &p.list[1], &s->err));
	OK(send_part(&p, "k", 1));
	OK(store_upload_parts(s->store, s->bucket, "k", p.upload_id, &there, &count, &s->err));
	assert_int_equal(count, 2);
	assert_int_equal(there[1].size, p.part_bytes); /* by which a copy of another range is found out */
	free(there);
	source.length = part_length(&p, 3);
	assert_int_equal(pwrite(fd, p.data + 2 * p.part_bytes, source.length, 5), source.length);
	OK(store_upload_part(s->store, s->bucket, "k", p.upload_id, 3, &source, NULL, &p.list[2],
			     &s->err));
	OK(complete(&p, "k", NULL, old));
	expect_whole(&p, "k");
	(void)close(fd);
	end(&p);
}

static void a_part_copy_asks_for_its_version(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char old[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_PART_COPY);
	begin(&p, s, "k");
	put_text(s, "from", "0123456789", old);
	put_text(s, "from", "abcdefghijk", NULL);
	FAILS_IF_STRICT(ERR_PRECONDITION,
			store_part_copy(s->store, s->bucket, "from", old, 0, 5, s->bucket, "k",
					p.upload_id, 1, NULL, &p.list[0], &s->err));
	OK(store_upload_abort(s->store, s->bucket, "k", p.upload_id, &s->err));
	end(&p);
}

static void an_object_is_the_first_part_of_its_next_version(void **state)
{
	struct suite *s = *state;
	const unsigned powers = STORE_CAP_PART_COPY | STORE_CAP_PART_WHOLE;
	struct store_source first = STORE_SOURCE_INIT;
	struct store_put_args args = { 0 };
	struct parts p;
	char version[STORE_VERSION_MAX], next[STORE_VERSION_MAX];

	NEEDS_CAP(powers);
	begin(&p, s, "k");
	first.mem = (struct str){ p.data, p.part_bytes };
	OK(store_put(s->store, s->bucket, "k", &first, &args, version, &s->err));
	OK(store_part_copy(s->store, s->bucket, "k", version, 0, p.part_bytes, s->bucket, "k", p.upload_id, 1, NULL,
			   &p.list[0], &s->err));
	OK(send_part(&p, "k", 2));
	OK(send_part(&p, "k", 3));
	args.if_version = version;
	OK(complete(&p, "k", &args, next));
	assert_string_not_equal(version, next);
	expect_whole(&p, "k");
	end(&p);
}

static void a_whole_part_is_all_of_one_version(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char version[STORE_VERSION_MAX], next[STORE_VERSION_MAX];

	if (s->store->caps & STORE_CAP_PART_COPY)
		skip(); /* ranges may be parts, too */
	NEEDS_CAP(STORE_CAP_PART_WHOLE);
	put_text(s, "k", "0123456789", version);
	put_text(s, "other", "0123456789", NULL);
	begin(&p, s, "k");
	FAILS(ERR_INVALID, store_part_copy(s->store, s->bucket, "k", version, 0, 9, s->bucket, "k", p.upload_id, 1,
					   NULL, &p.list[0], &s->err));
	FAILS(ERR_INVALID, store_part_copy(s->store, s->bucket, "k", version, 1, 9, s->bucket, "k", p.upload_id, 1,
					   NULL, &p.list[0], &s->err));
	FAILS(ERR_INVALID, store_part_copy(s->store, s->bucket, "other", NULL, 0, 10, s->bucket, "k", p.upload_id, 1,
					   NULL, &p.list[0], &s->err));
	OK(store_part_copy(s->store, s->bucket, "k", version, 0, 10, s->bucket, "k", p.upload_id, 1, NULL,
			   &p.list[0], &s->err));
	OK(send_part(&p, "k", 2));
	OK(send_part(&p, "k", 3));
	/* Changed since, also by who asks for no version: nothing is put together from two of them. */
	put_text(s, "k", "meanwhile", NULL);
	FAILS_IF_STRICT(ERR_PRECONDITION, complete(&p, "k", NULL, next));
	if (!s->is_lax)
		expect_text(s, "k", "meanwhile");
	OK(store_upload_abort(s->store, s->bucket, "k", p.upload_id, &s->err));
	end(&p);
}

static void an_aborted_upload_is_gone(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char version[STORE_VERSION_MAX];

	begin(&p, s, "k");
	OK(send_part(&p, "k", 1));
	OK(store_upload_abort(s->store, s->bucket, "k", p.upload_id, &s->err));
	FAILS_IF_STRICT(ERR_NOT_FOUND, send_part(&p, "k", 2));
	assert_true(complete(&p, "k", NULL, version) < 0);
	expect_absent(s, "k");
	end(&p);
}

/* Whoever did not hear that it was completed gives it up. */
static void giving_up_a_completed_upload_leaves_its_object_whole(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char version[STORE_VERSION_MAX];

	begin(&p, s, "k");
	for (unsigned i = 1; i <= 3; i++)
		OK(send_part(&p, "k", i));
	OK(complete(&p, "k", NULL, version));
	if (store_upload_abort(s->store, s->bucket, "k", p.upload_id, &s->err) < 0)
		assert_int_equal(s->err.kind, ERR_NOT_FOUND);
	expect_whole(&p, "k");
	end(&p);
}

static void the_parts_of_an_upload_are_listed(void **state)
{
	struct suite *s = *state;
	struct store_part *parts = NULL;
	size_t count = 99;
	struct parts p;
	char version[STORE_VERSION_MAX];

	begin(&p, s, "k");
	OK(store_upload_parts(s->store, s->bucket, "k", p.upload_id, &parts, &count, &s->err));
	assert_int_equal(count, 0);
	free(parts);
	OK(send_part(&p, "k", 2));
	OK(send_part(&p, "k", 1));
	OK(store_upload_parts(s->store, s->bucket, "k", p.upload_id, &parts, &count, &s->err));
	assert_int_equal(count, 2);
	assert_int_equal(parts[0].number, 1);
	assert_int_equal(parts[1].number, 2);
	assert_int_equal(parts[0].size, p.part_bytes);
	assert_string_equal(parts[1].tag, p.list[1].tag);
	/* A resumed upload knows its parts from the listing only. */
	memcpy(p.list, parts, 2 * sizeof(*parts));
	OK(send_part(&p, "k", 3));
	OK(complete(&p, "k", NULL, version));
	expect_whole(&p, "k");
	free(parts);
	end(&p);
}

static void unfinished_uploads_are_listed(void **state)
{
	struct suite *s = *state;
	struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	struct parts a, b;

	if (store_upload_list(s->store, s->bucket, "", &page, &s->err) < 0 && s->err.kind == ERR_UNSUPPORTED &&
	    !s->is_reference) {
		print_message("  not tested: this store does not list unfinished uploads\n");
		skip();
	}
	begin(&a, s, "dir/a b");
	begin(&b, s, "other");
	OK(store_upload_list(s->store, s->bucket, "", &page, &s->err));
	assert_int_equal(page.count, 2);
	assert_string_equal(page.uploads[0].key, "dir/a b");
	assert_string_equal(page.uploads[0].upload_id, a.upload_id);
	assert_string_equal(page.uploads[1].key, "other");
	store_upload_page_release(&page);
	OK(store_upload_list(s->store, s->bucket, "dir/", &page, &s->err));
	assert_int_equal(page.count, 1);
	store_upload_page_release(&page);
	OK(store_upload_abort(s->store, s->bucket, "dir/a b", a.upload_id, &s->err));
	OK(store_upload_list(s->store, s->bucket, "", &page, &s->err));
	assert_int_equal(page.count, 1);
	store_upload_page_release(&page);
	end(&a);
	end(&b);
}

static void what_is_not_of_the_upload_is_refused(void **state)
{
	struct suite *s = *state;
	struct parts p;
	char version[STORE_VERSION_MAX];
	struct store_source source = STORE_SOURCE_INIT;

	begin(&p, s, "k");
	for (unsigned i = 1; i <= 3; i++)
		OK(send_part(&p, "k", i));
	FAILS(ERR_INVALID, store_upload_part(s->store, s->bucket, "k", p.upload_id, 0, &source,
					     NULL, &p.list[0], &s->err));
	p.list[1].tag[0] = p.list[1].tag[0] == 'a' ? 'b' : 'a';
	p.list[1].checksum[0] = '\0';
	assert_true(complete(&p, "k", NULL, version) < 0);
	expect_absent(s, "k");
	if (s->is_reference) /* others may call it done */
		FAILS(ERR_NOT_FOUND,
		      store_upload_abort(s->store, s->bucket, "k", "../../etc", &s->err));
	end(&p);
}

static void completing_heeds_conditions(void **state)
{
	struct suite *s = *state;
	struct store_put_args args = { .if_absent = true };
	struct parts p;
	char version[STORE_VERSION_MAX];

	NEEDS_CAP(STORE_CAP_CONDITIONAL_PUT);
	begin(&p, s, "k");
	for (unsigned i = 1; i <= 3; i++)
		OK(send_part(&p, "k", i));
	put_text(s, "k", "meanwhile", version);
	FAILS(ERR_PRECONDITION, complete(&p, "k", &args, version));
	expect_text(s, "k", "meanwhile");
	end(&p);
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(parts_come_together_in_the_order_of_their_numbers),
	SUITE_TEST(a_part_sent_again_replaces_the_first),
	SUITE_TEST(a_part_comes_from_a_file_or_an_object),
	SUITE_TEST(a_part_copy_asks_for_its_version),
	SUITE_TEST(an_object_is_the_first_part_of_its_next_version),
	SUITE_TEST(a_whole_part_is_all_of_one_version),
	SUITE_TEST(an_aborted_upload_is_gone),
	SUITE_TEST(giving_up_a_completed_upload_leaves_its_object_whole),
	SUITE_TEST(the_parts_of_an_upload_are_listed),
	SUITE_TEST(unfinished_uploads_are_listed),
	SUITE_TEST(what_is_not_of_the_upload_is_refused),
	SUITE_TEST(completing_heeds_conditions),
};
SUITE_LIST(suite_multipart_tests, tests);
