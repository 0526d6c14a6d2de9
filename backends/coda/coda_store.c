/*
 * The store's slots: listing docs and what they hold, telling what a file is, reading it. Nothing can be written: the layer of
 * backends/store above it says so.
 */
#include "backends/coda/coda_store.h"

#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/providers.h"
#include "backends/store/layer_readonly.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define ASK_MOST_MS (UINT64_C(10) * 60 * 1000)
#define LIST_KEYS   1000
#define COPY_BYTES  ((size_t)256 << 10)

extern const struct provider provider_coda;

int coda_ask_init(struct coda_store *s, struct coda_ask *ret, struct cancel *cancel, struct error *err, ...)
{
	struct json_object *params = json_object_new_object();
	const char *name;
	va_list args;
	int r = params ? 0 : -1;

	ret->call = CLOUD_CALL_INIT;
	ret->call.params = params;
	ret->call.cloud = s->cloud;
	ret->call.operation = "coda.store";
	ret->call.cancel = cancel;
	ret->call.deadline_mono_ms = clock_mono_ms() + ASK_MOST_MS;
	va_start(args, err);
	while (r == 0 && (name = va_arg(args, const char *)) != NULL) {
		struct json_object *value = json_object_new_string(va_arg(args, const char *));

		r = value ? json_object_object_add(params, name, value) : -1;
	}
	va_end(args);
	return r == 0 ? 0 : error_no_memory(err);
}

void coda_ask_release(struct coda_ask *a)
{
	json_object_put(a->call.params);
	a->call.params = NULL;
}

/* ---- names ---- */

static int list_buckets(struct store *base, struct store_bucket_page *ret, struct error *err)
{
	struct coda_store *s = coda_store_of(base);
	int r = coda_names_list(s, err);

	if (r < 0)
		return r;
	LOCKED(&s->lock);
	ret->buckets = arena_alloc(&ret->arena, (s->name_count + 1) * sizeof *ret->buckets);
	for (size_t i = 0; ret->buckets && i < s->name_count; i++) {
		ret->buckets[i].name = arena_strdup(&ret->arena, s->names[i].bucket);
		ret->buckets[i].created_wall_ns = s->names[i].created_wall_ns;
		if (!ret->buckets[i].name)
			return error_no_memory(err);
	}
	ret->count = ret->buckets ? s->name_count : 0;
	return ret->buckets ? 0 : error_no_memory(err);
}

static int has_bucket(struct store *base, const char *bucket, struct error *err)
{
	struct coda_store *s = coda_store_of(base);
	struct coda_doc *doc = NULL;
	int r = coda_doc_get(s, bucket, &doc, err);

	coda_doc_unref(s, doc);
	return r;
}

static void tell(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, struct store_object *ret)
{
	ret->modified_wall_ns = doc->modified_wall_ns;
	ret->has_meta = true; /* there is none */
	ret->content_type = item->kind == CODA_CSV ? "text/csv" : item->kind == CODA_JSONL ? "application/jsonl" : "text/markdown";
	(void)snprintf(ret->version, sizeof ret->version, "%s", doc->version); /* fits */
	if (!coda_made_peek(s, doc, item, &ret->size)) {
		ret->size = 1;
		ret->is_unsized = true;
	}
}

/* The key of what is shown for an item: itself, or the prefix that it is below. NULL without memory. */
static const char *shown_key(const struct coda_item *item, const struct store_list_args *args, struct arena *arena, bool *ret_is_prefix)
{
	const char *slash = args->delimiter ? strchr(item->key + strlen(args->prefix), args->delimiter) : NULL;

	*ret_is_prefix = slash != NULL;
	return slash ? arena_strndup(arena, item->key, (size_t)(slash - item->key) + 1) : arena_strdup(arena, item->key);
}

/* 1: the page is full. */
static int add_item(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item,
		    const struct store_list_args *args, size_t most, struct store_page *ret, struct error *err)
{
	const char *after = args->token ? args->token : args->start_after;
	struct store_object *last = ret->count ? &ret->objects[ret->count - 1] : NULL, *o;
	bool is_prefix;
	const char *key = shown_key(item, args, &ret->arena, &is_prefix);

	if (!key)
		return error_no_memory(err);
	if ((after && strcmp(key, after) <= 0) || (last && !strcmp(last->key, key)))
		return 0;
	if (ret->count == most) {
		ret->next_token = last->key;
		return 1;
	}
	o = &ret->objects[ret->count++];
	o->key = key;
	o->is_prefix = is_prefix;
	if (!is_prefix)
		tell(s, doc, item, o);
	return 0;
}

static int list(struct store *base, const char *bucket, const struct store_list_args *args, struct store_page *ret,
		struct error *err)
{
	struct coda_store *s = coda_store_of(base);
	size_t most = args->max_keys && args->max_keys < LIST_KEYS ? args->max_keys : LIST_KEYS;
	struct coda_doc *doc = NULL;
	int r = coda_doc_get(s, bucket, &doc, err);

	if (r < 0)
		return r;
	ret->objects = arena_alloc(&ret->arena, most * sizeof *ret->objects);
	if (!ret->objects)
		r = error_no_memory(err);
	for (size_t i = 0; i < doc->count && r == 0; i++)
		if (str_starts(str_of(doc->items[i].key), args->prefix))
			r = add_item(s, doc, &doc->items[i], args, most, ret, err);
	coda_doc_unref(s, doc);
	return r < 0 ? r : 0;
}

/* ---- files ---- */

static int find(struct coda_store *s, const char *bucket, const char *key, struct coda_doc **ret_doc,
		const struct coda_item **ret_item, struct error *err)
{
	int r = coda_doc_get(s, bucket, ret_doc, err);

	if (r < 0)
		return r;
	*ret_item = coda_doc_find(*ret_doc, key);
	return *ret_item ? 0 : error_set(err, ERR_NOT_FOUND, "there is no '%.100s' in doc '%.60s'", key, bucket);
}

static void tell_made(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, const struct coda_made *m,
		      struct store_object *ret)
{
	*ret = (struct store_object){ .key = NULL };
	tell(s, doc, item, ret);
	ret->size = m->size;
	ret->is_unsized = false;
	(void)snprintf(ret->version, sizeof ret->version, "%s", m->version); /* fits */
}

static int head(struct store *base, const char *bucket, const char *key, const char *version_id, struct arena *arena,
		struct store_object *ret, struct error *err)
{
	struct coda_store *s = coda_store_of(base);
	const struct coda_item *item = NULL;
	struct coda_doc *doc = NULL;
	struct coda_made *m = NULL;
	int r = find(s, bucket, key, &doc, &item, err);

	(void)version_id; /* there are no older ones */
	(void)arena;	  /* all texts are static */
	if (r == 0)
		r = coda_made_get(s, doc, item, NULL, NULL, &m, err);
	if (r == 0) {
		tell_made(s, doc, item, m, ret);
		coda_made_put(s, m);
	}
	coda_doc_unref(s, doc);
	return r;
}

static int give(const struct coda_made *m, const struct store_get_args *args, uint64_t length, struct store_sink *sink,
		struct error *err)
{
	CLEANUP(freep) char *block = malloc(COPY_BYTES);

	if (!block)
		return error_no_memory(err);
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < COPY_BYTES ? (size_t)(length - done) : COPY_BYTES;
		int r = cancel_is_fired(args->cancel) ? error_set(err, ERR_CANCELLED, "the caller gave up") : 0;

		if (r < 0)
			return r;
		r = fileio_pread_all(m->fd, block, step, args->offset + done);
		if (r < 0)
			return error_errno(err, r == -ENODATA ? EIO : -r, "reading what was made");
		r = sink->buf ? buf_add(sink->buf, block, step) : fileio_pwrite_all(sink->fd, block, step, sink->fd_offset + done);
		if (r < 0)
			return sink->buf ? error_set(err, ERR_TOO_LARGE, "more than the reader takes") : error_errno(err, -r, "writing");
		if (sink->on_data)
			sink->on_data(sink->arg, done, step);
		done += step;
	}
	return 0;
}

static int get_made(const struct coda_made *m, const struct store_object *object, const char *key, const struct store_get_args *args,
		    struct store_sink *sink, struct error *err)
{
	uint64_t length = args->length ? args->length : object->size - args->offset;
	int r;

	if (args->if_version && *args->if_version && strcmp(args->if_version, object->version) != 0)
		return error_set(err, ERR_PRECONDITION, "'%.100s' was changed meanwhile", key);
	if (args->offset > object->size || length > object->size - args->offset || (args->offset == object->size && args->offset))
		return error_set(err, ERR_RANGE, "'%.100s' has %llu bytes", key, (unsigned long long)object->size);
	r = sink->on_head ? sink->on_head(sink->arg, object, err) : 0;
	return r < 0 ? r : give(m, args, length, sink, err);
}

static int get(struct store *base, const char *bucket, const char *key, const struct store_get_args *args, struct store_sink *sink,
	       struct arena *arena, struct store_object *ret, struct error *err)
{
	struct coda_store *s = coda_store_of(base);
	struct store_object object = { .key = NULL };
	const struct coda_item *item = NULL;
	struct coda_doc *doc = NULL;
	struct coda_made *m = NULL;
	int r = find(s, bucket, key, &doc, &item, err);

	(void)arena; /* all texts are static */
	if (r == 0)
		r = coda_made_get(s, doc, item, args->if_version, args->cancel, &m, err);
	if (r == 0) {
		tell_made(s, doc, item, m, &object);
		r = get_made(m, &object, key, args, sink, err);
		coda_made_put(s, m);
	}
	if (r == 0 && ret)
		*ret = object;
	coda_doc_unref(s, doc);
	return r;
}

static int describe(struct store *base, struct buf *ret, struct error *err)
{
	const struct coda *c = container_of(coda_store_of(base)->cloud, struct coda, base);

	return buf_addf(ret, "Coda docs at %s, read only", c->url) < 0 ? error_no_memory(err) : 0;
}

static void free_store(struct store *base)
{
	struct coda_store *s = coda_store_of(base);

	coda_made_release(s);
	coda_tree_release(s);
	cloud_free(s->cloud);
	free(s->place);
	cond_destroy(&s->ready);
	lock_destroy(&s->lock);
	free(s); /* its name went with store_free */
}

static const struct store_ops ops = {
	.type = "coda",
	.list = list,
	.head = head,
	.get = get,
	.bucket_list = list_buckets,
	.bucket_exists = has_bucket,
	.describe = describe,
	.free = free_store,
};

/* ---- the provider's row ---- */

/* Where files are made: TMPDIR, else a place on a disk. */
static char *choose_place(const struct backend_context *context)
{
	const char *place = context->getenv("TMPDIR");

	if (place && *place == '/' && access(place, W_OK) == 0)
		return strdup(place);
	return strdup(access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp");
}

static int store_new(const struct backend_context *context, const char *name, const struct provider_value *values, size_t count,
		     struct store **ret, struct error *err)
{
	const struct cloud_settings settings = { .name = name, .values = values, .count = count };
	struct coda_store *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return error_no_memory(err);
	lock_init(&s->lock);
	cond_init(&s->ready);
	s->place = choose_place(context);
	s->base = (struct store){ .ops = &ops,
				  .name = strdup(name),
				  .caps = STORE_CAP_BUCKETS | STORE_CAP_LIST_METADATA,
				  .limits = { .max_object_bytes = UINT64_C(1) << 30, .max_list_keys = LIST_KEYS } };
	r = s->base.name && s->place ? cloud_coda.open(context, &settings, &s->cloud, err) : error_no_memory(err);
	if (r == 0)
		r = store_readonly_new(&s->base, ret, err);
	if (r < 0) {
		store_free(&s->base);
		return error_prefix(err, r, "store '%s'", name);
	}
	return 0;
}

const struct provider provider_coda = {
	.type = "coda",
	.summary = "Coda docs, read only: tables as CSV and JSON lines, pages as Markdown",
	.options = coda_option_rows,
	.is_configured = coda_is_configured,
	.store_new = store_new,
};
