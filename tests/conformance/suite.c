#include "tests/conformance/suite.h"
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include <stdio.h>
#include <string.h>

#define CLEAN_ROUNDS 10

static struct suite current;

void suite_use(const struct suite *settings)
{
	current = *settings;
}

struct suite *suite_current(void)
{
	return &current;
}

int suite_setup(void **state)
{
	unsigned char id[8];
	char hex[17];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), hex);
	(void)snprintf(current.bucket, sizeof(current.bucket), "skydir-test-%s", hex);
	*state = &current;
	if (store_bucket_create(current.store, current.bucket, &current.err) < 0) {
		print_error("%s\n", current.err.message);
		return -1;
	}
	return 0;
}

static void delete_versions(struct suite *s, const char *bucket)
{
	struct store_page page = STORE_PAGE_INIT;

	/* Bounded: a server may list what it cannot delete. */
	for (int i = 0; i < CLEAN_ROUNDS; i++) {
		struct store_list_args args = { .prefix = "" };

		if (store_list_versions(s->store, bucket, &args, &page, NULL) < 0 || !page.count)
			break;
		for (size_t k = 0; k < page.count; k++)
			(void)store_delete(s->store, bucket, page.objects[k].key, NULL,
					   page.objects[k].version_id, NULL);
		store_page_release(&page);
	}
	store_page_release(&page);
}

void suite_empty_bucket(struct suite *s, const char *bucket)
{
	struct store_page page = STORE_PAGE_INIT;
	struct store_upload_page uploads = STORE_UPLOAD_PAGE_INIT;
	bool is_on = false;

	for (int round = 0; round < CLEAN_ROUNDS; round++) {
		struct store_list_args args = { .prefix = "" };

		if (store_list(s->store, bucket, &args, &page, NULL) < 0 || !page.count)
			break;
		for (size_t i = 0; i < page.count; i++)
			(void)store_delete(s->store, bucket, page.objects[i].key, NULL, NULL, NULL);
		store_page_release(&page);
	}
	store_page_release(&page);
	if (store_versioning_get(s->store, bucket, &is_on, NULL) >= 0)
		delete_versions(s, bucket);
	if (store_upload_list(s->store, bucket, "", &uploads, NULL) >= 0)
		for (size_t i = 0; i < uploads.count; i++)
			(void)store_upload_abort(s->store, bucket, uploads.uploads[i].key,
						 uploads.uploads[i].upload_id, NULL);
	store_upload_page_release(&uploads);
}

int suite_teardown(void **state)
{
	struct suite *s = *state;

	if (s->has_plain_objects) /* a setting of the whole account, not of this bucket */
		(void)store_versioning_set(s->store, s->bucket, false, NULL);
	suite_empty_bucket(s, s->bucket);
	if (store_bucket_delete(s->store, s->bucket, &s->err) < 0) {
		print_error("cleaning up: %s\n", s->err.message);
		return -1;
	}
	return 0;
}

int try_put_text(struct suite *s, const char *key, const char *text,
		 const struct store_put_args *args, char *ret_version)
{
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args none = { 0 };
	char version[STORE_VERSION_MAX];

	source.mem = str_of(text);
	return store_put(s->store, s->bucket, key, &source, args ? args : &none,
			 ret_version ? ret_version : version, &s->err);
}

void put_text(struct suite *s, const char *key, const char *text, char *ret_version)
{
	OK(try_put_text(s, key, text, NULL, ret_version));
}

char *get_text(struct suite *s, const char *key)
{
	struct buf content = BUF_INIT(1 << 20);
	struct store_sink sink = STORE_SINK_INIT;
	struct store_get_args args = { 0 };

	sink.buf = &content;
	OK(store_get(s->store, s->bucket, key, &args, &sink, NULL, NULL, &s->err));
	return buf_detach(&content);
}

void expect_text(struct suite *s, const char *key, const char *text)
{
	char *found = get_text(s, key);

	assert_string_equal(found, text);
	free(found);
}

void expect_absent(struct suite *s, const char *key)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o;

	FAILS(ERR_NOT_FOUND, store_head(s->store, s->bucket, key, NULL, &arena, &o, &s->err));
	arena_release(&arena);
}

/* Servers that cannot hold a key refuse it, or (worse) hold another one instead: the listing tells. */
bool holds_key(struct suite *s, const char *key, const char *text)
{
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = key, .max_keys = 1 };
	bool is_held = false;

	if (try_put_text(s, key, text, NULL, NULL) >= 0 &&
	    store_list(s->store, s->bucket, &args, &page, &s->err) >= 0)
		is_held = page.count && !strcmp(page.objects[0].key, key);
	store_page_release(&page);
	if (!is_held) {
		/* It may be there under a name that no listing can say. */
		(void)store_delete(s->store, s->bucket, key, NULL, NULL, NULL);
		if (s->is_reference && strlen(key) <= s->key_max)
			fail_msg("the reference must hold the key '%.100s': %s", key,
				 s->err.message);
		print_message("  not tested: this server cannot hold the key '%.60s'\n", key);
	}
	return is_held;
}

char *list_text(struct suite *s, const char *prefix, char delimiter, const char *start_after,
		unsigned max_keys)
{
	struct buf text = BUF_INIT(1 << 20);
	struct store_page page = STORE_PAGE_INIT;
	char *token = NULL;

	do {
		struct store_list_args args = { .prefix = prefix,
						.delimiter = delimiter,
						.token = token,
						.start_after = start_after,
						.max_keys = max_keys };

		OK(store_list(s->store, s->bucket, &args, &page, &s->err));
		if (max_keys && !s->is_lax)
			assert_true(page.count <= max_keys);
		for (size_t i = 0; i < page.count; i++) {
			assert_int_equal(page.objects[i].is_prefix,
					 delimiter &&
						 strlen(page.objects[i].key) > strlen(prefix) &&
						 strchr(page.objects[i].key + strlen(prefix),
							delimiter) != NULL);
			assert_int_equal(buf_addf(&text, "%s|", page.objects[i].key), 0);
		}
		free(token);
		token = page.next_token ? strdup(page.next_token) : NULL;
		store_page_release(&page);
	} while (token);
	return buf_detach(&text);
}

void fill_pattern(char *data, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		data[i] = (char)(seed >> 56);
	}
}
