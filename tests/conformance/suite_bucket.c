#include "tests/conformance/suite.h"
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

static void buckets_are_made_listed_and_deleted(void **state)
{
	struct suite *s = *state;
	struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	char other[80];
	int found = 0;

	NEEDS_CAP(STORE_CAP_BUCKETS);
	(void)snprintf(other, sizeof(other), "%s-b", s->bucket);
	FAILS(ERR_NOT_FOUND, store_bucket_exists(s->store, other, &s->err));
	OK(store_bucket_create(s->store, other, &s->err));
	OK(store_bucket_exists(s->store, other, &s->err));
	FAILS_IF_STRICT(ERR_EXISTS, store_bucket_create(s->store, other, &s->err));
	OK(store_bucket_list(s->store, &page, &s->err));
	for (size_t i = 0; i < page.count; i++)
		found += !strcmp(page.buckets[i].name, other) ||
			 !strcmp(page.buckets[i].name, s->bucket);
	assert_int_equal(found, 2);
	store_bucket_page_release(&page);
	OK(store_bucket_delete(s->store, other, &s->err));
	FAILS(ERR_NOT_FOUND, store_bucket_exists(s->store, other, &s->err));
	FAILS(ERR_NOT_FOUND, store_bucket_delete(s->store, other, &s->err));
}

static void a_bucket_with_objects_stays(void **state)
{
	struct suite *s = *state;

	NEEDS_CAP(STORE_CAP_BUCKETS);
	put_text(s, "deep/er/k", "x", NULL);
	FAILS(ERR_NOT_EMPTY, store_bucket_delete(s->store, s->bucket, &s->err));
	expect_text(s, "deep/er/k", "x");
}

static void odd_names_make_no_bucket(void **state)
{
	struct suite *s = *state;
	static const char *const names[] = { "", "a/b", "..", ".", "/", ".skydir" };
	size_t count = s->is_lax ? 2 : s->names_freely ? ARRAY_SIZE(names) - 1 : ARRAY_SIZE(names);

	for (size_t i = 0; i < count; i++) {
		assert_true(store_bucket_create(s->store, names[i], &s->err) < 0);
		assert_true(store_bucket_exists(s->store, names[i], &s->err) < 0);
		assert_true(try_put_text(s, "k", "x", NULL, NULL) >= 0);
	}
}

static void a_policy_is_kept(void **state)
{
	struct suite *s = *state;
	struct buf json = BUF_INIT(64 << 10);
	const char *mark = s->has_access_lists ? ".r:example.org" : "s3:GetObject";
	char text[512];

	if (s->has_access_lists)
		(void)snprintf(text, sizeof(text), "{\"read\":\".r:example.org\",\"write\":\"\"}");
	else
		(void)snprintf(text, sizeof(text),
		       "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
		       "\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3::"
		       ":%s/*\"}]}",
		       s->bucket);
	if (!strcmp(s->store->ops->type, "gcs"))
		skip(); /* the next test is theirs */
	if (store_policy_get(s->store, s->bucket, &json, &s->err) < 0 &&
	    s->err.kind == ERR_UNSUPPORTED) {
		print_message("  not tested: this store holds no policies\n");
		skip();
	}
	buf_clear(&json);
	FAILS(ERR_NOT_FOUND, store_policy_get(s->store, s->bucket, &json, &s->err));
	OK(store_policy_set(s->store, s->bucket, str_of(text), &s->err));
	OK(store_policy_get(s->store, s->bucket, &json, &s->err));
	assert_non_null(strstr(buf_cstr(&json), mark));
	FAILS_IF_STRICT(ERR_INVALID,
			store_policy_set(s->store, s->bucket, STR("{ no policy"), &s->err));
	OK(store_policy_set(s->store, s->bucket, STR(""), &s->err));
	buf_clear(&json);
	FAILS(ERR_NOT_FOUND, store_policy_get(s->store, s->bucket, &json, &s->err));
	OK(store_policy_set(s->store, s->bucket, STR(""), &s->err));
	buf_release(&json);
}

/* There always is one; what is set must be based on what is there (its etag). */
static void an_iam_policy_is_kept(void **state)
{
	struct suite *s = *state;
	struct buf json = BUF_INIT(64 << 10), changed = BUF_INIT(64 << 10);
	const char *etag;

	if (strcmp(s->store->ops->type, "gcs") != 0)
		skip();
	if (s->is_lax) {
		print_message("  not tested: fake-gcs-server has no policies\n");
		skip();
	}
	OK(store_policy_get(s->store, s->bucket, &json, &s->err));
	etag = strstr(buf_cstr(&json), "\"etag\"");
	assert_non_null(etag);
	assert_int_equal(buf_addf(&changed,
				  "{\"version\":1,\"bindings\":[{\"role\":\"roles/storage.objectViewer\","
				  "\"members\":[\"allUsers\"]}],%.*s}",
				  (int)(strcspn(etag + 8, "\"") + 8 + strcspn(strchr(etag + 8, '"') + 1, "\"") + 2),
				  etag),
			 0);
	OK(store_policy_set(s->store, s->bucket, buf_str(&changed), &s->err));
	OK(store_policy_get(s->store, s->bucket, &json, &s->err));
	assert_non_null(strstr(buf_cstr(&json), "allUsers"));
	FAILS(ERR_PRECONDITION,
	      store_policy_set(s->store, s->bucket, buf_str(&changed), &s->err));
	FAILS(ERR_INVALID, store_policy_set(s->store, s->bucket, STR("{ no policy"), &s->err));
	FAILS(ERR_UNSUPPORTED, store_policy_set(s->store, s->bucket, STR(""), &s->err));
	buf_release(&json);
	buf_release(&changed);
}

static void a_store_describes_itself(void **state)
{
	struct suite *s = *state;
	struct buf text = BUF_INIT(4096);

	OK(store_describe(s->store, &text, &s->err));
	assert_true(text.len > 0);
	assert_null(strchr(buf_cstr(&text), '\n'));
	buf_release(&text);
}

/* Runs curl, which knows nothing of our signer; its exit status. NULL-ended arguments. */
static int run_curl(const char *const *args, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = -1, r;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output, 1), 0);
	r = posix_spawnp(&pid, "curl", &actions, NULL, (char *const *)args, environ);
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail after init */
	if (r)
		return -r;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_signed_url_opens_one_object(void **state)
{
	struct suite *s = *state;
	struct buf url = BUF_INIT(16 << 10);
	int output = memfd_create("output", 0);
	char content[64] = "";
	const char *get[] = { "curl", "-fsS", "--max-time", "20", NULL, NULL };
	const char *put[] = { "curl", "-fsS", "--max-time", "20", "-T", "LICENSE",
			      /* Azure wants to be told; others do not look at it. */
			      "-H", "x-ms-blob-type: BlockBlob", NULL, NULL };
	int r;

	NEEDS_CAP(STORE_CAP_PRESIGN);
	put_text(s, "signed +%&?.txt", "for those who hold the URL", NULL);
	OK(store_presign(s->store, s->bucket, "signed +%&?.txt", STORE_PRESIGN_GET, 60, &url,
			 &s->err));
	get[4] = buf_cstr(&url);
	r = run_curl(get, output);
	if (r < 0) {
		print_message("  not tested: no curl here\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(pread(output, content, sizeof(content) - 1, 0) > 0);
	assert_string_equal(content, "for those who hold the URL");
	buf_clear(&url);
	OK(store_presign(s->store, s->bucket, "put here", STORE_PRESIGN_PUT, 60, &url, &s->err));
	put[8] = buf_cstr(&url);
	assert_int_equal(run_curl(put, output), 0);
	free(get_text(s, "put here"));
	(void)close(output);
	buf_release(&url);
}

static const struct CMUnitTest tests[] = {
	SUITE_TEST(buckets_are_made_listed_and_deleted),
	SUITE_TEST(a_bucket_with_objects_stays),
	SUITE_TEST(odd_names_make_no_bucket),
	SUITE_TEST(a_policy_is_kept),
	SUITE_TEST(an_iam_policy_is_kept),
	SUITE_TEST(a_store_describes_itself),
	SUITE_TEST(a_signed_url_opens_one_object),
};
SUITE_LIST(suite_bucket_tests, tests);
