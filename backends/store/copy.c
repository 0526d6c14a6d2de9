/* store_copy: one request where the provider's limit allows, else part copies put together. */
#include "backends/base/clock.h"
#include "backends/store/store.h"
#include <assert.h>
#include <string.h>

struct big_copy {
	struct store *store;
	const char *from_bucket, *from_key, *bucket, *key;
	const struct store_copy_args *args;
	const char *source_version; /* every part must come from this one */
	uint64_t size;
};

static int copy_once(struct store *s, const struct big_copy *c, char *ret_version,
		     struct error *err)
{
	while (!s->ops->copy && s->next)
		s = s->next;
	if (!s->ops->copy)
		return error_set(err, ERR_UNSUPPORTED, "%s cannot copy on the server",
				 s->ops->type);
	return s->ops->copy(s, c->from_bucket, c->from_key, c->bucket, c->key, c->args, ret_version,
			    err);
}

static int copy_parts(const struct big_copy *c, const char *upload_id,
		      struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	const struct store_limits *limits = &c->store->limits;
	uint64_t part = store_part_size(limits, c->size, limits->max_part_bytes);
	CLEANUP(freep) struct store_part *parts = NULL;
	size_t count;

	if (limits->max_copy_bytes && part > limits->max_copy_bytes)
		part = limits->max_copy_bytes;
	count = (size_t)((c->size + part - 1) / part);
	if (count > limits->max_parts)
		return error_set(err, ERR_TOO_LARGE, "'%s' is too large to copy", c->from_key);
	parts = calloc(count, sizeof(*parts));
	if (!parts)
		return error_set(err, ERR_NO_MEMORY, "no memory for %zu parts", count);
	for (size_t i = 0; i < count; i++) {
		uint64_t offset = i * part;
		uint64_t length = c->size - offset < part ? c->size - offset : part;
		int r;

		if (c->args->deadline_mono_ms && clock_mono_ms() >= c->args->deadline_mono_ms)
			return error_set(err, ERR_TIMEOUT, "the time for the copy is over");
		r = store_part_copy(c->store, c->from_bucket, c->from_key, c->source_version,
				    offset, length, c->bucket, c->key, upload_id, (unsigned)i + 1,
				    c->args->cancel, &parts[i], err);
		if (r < 0)
			return r;
	}
	*ret_parts = steal(parts);
	*ret_count = count;
	return 0;
}

static int copy_by_parts(struct big_copy *c, char *ret_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	CLEANUP(freep) struct store_part *parts = NULL;
	CLEANUP(freep) char *upload_id = NULL;
	const struct store_copy_args *args = c->args;
	struct store_object source = { 0 };
	struct store_put_args put = { .if_version = args->if_version,
				      .if_absent = args->if_absent,
				      .meta = args->meta,
				      .meta_count = args->meta_count,
				      .content_type = args->content_type,
				      .cancel = args->cancel,
				      .deadline_mono_ms = args->deadline_mono_ms };
	size_t count = 0;
	int r = store_head(c->store, c->from_bucket, c->from_key, NULL, &arena, &source, err);

	if (r < 0)
		return r;
	if (args->if_source_version && *args->if_source_version &&
	    strcmp(args->if_source_version, source.version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%s' has changed", c->from_key);
	c->source_version = source.version;
	c->size = source.size;
	if (!args->replaces_meta) {
		put.meta = source.meta;
		put.meta_count = source.meta_count;
		put.content_type = source.content_type;
	}
	r = store_upload_begin(c->store, c->bucket, c->key, &put, &upload_id, err);
	if (r < 0)
		return r;
	r = copy_parts(c, upload_id, &parts, &count, err);
	if (r >= 0)
		r = store_upload_complete(c->store, c->bucket, c->key, upload_id, parts, count,
					  &put, ret_version, err);
	if (r < 0)
		/* Best effort: what stays shows in store_upload_list. */
		(void)store_upload_abort(c->store, c->bucket, c->key, upload_id, NULL);
	return r;
}

int store_copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
	       const char *key, const struct store_copy_args *args, char *ret_version,
	       struct error *err)
{
	struct big_copy c = { .store = s,
			      .from_bucket = from_bucket,
			      .from_key = from_key,
			      .bucket = bucket,
			      .key = key,
			      .args = args };
	bool can_part_copy = s->caps & STORE_CAP_PART_COPY;
	struct error local_error;
	int r;

	err = err ? err : &local_error;
	assert(from_bucket && from_key && bucket && key && args);
	if (!*from_bucket || !*bucket || !*from_key || !*key)
		return error_set(err, ERR_INVALID, "a copy needs buckets and keys");
	if (strlen(from_key) > STORE_KEY_MAX || strlen(key) > STORE_KEY_MAX)
		return error_set(err, ERR_NAME_TOO_LONG, "a key is longer than %d bytes",
				 STORE_KEY_MAX);
	if (cancel_is_fired(args->cancel))
		return error_set(err, ERR_CANCELLED, "the caller gave up");
	if (args->deadline_mono_ms && clock_mono_ms() >= args->deadline_mono_ms)
		return error_set(err, ERR_TIMEOUT, "the time for the copy is over");
	if (can_part_copy && s->limits.max_copy_bytes &&
	    args->source_size > s->limits.max_copy_bytes)
		return copy_by_parts(&c, ret_version, err);
	r = copy_once(s, &c, ret_version, err);
	/* A size that was not known costs a second try, not a HEAD before every copy. */
	if (r < 0 && can_part_copy && !args->source_size && err->kind == ERR_TOO_LARGE)
		return copy_by_parts(&c, ret_version, err);
	return r;
}
