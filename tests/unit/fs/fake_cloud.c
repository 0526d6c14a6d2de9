#include "tests/unit/fs/fake_cloud.h"

#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "tests/unit/fs/support.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct cloud *cloud_of(struct store *s)
{
	return container_of(s, struct cloud, store);
}

/* The first object whose key is not before this one. */
static size_t position(const struct cloud *c, const char *key)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(c->objects[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct cloud_object *cloud_find(const struct cloud *c, const char *key)
{
	size_t at = position(c, key);

	return at < c->count && strcmp(c->objects[at].key, key) == 0 ? &c->objects[at] : NULL;
}

static void put_locked(struct cloud *c, const char *key, uint64_t size, uint64_t content)
{
	size_t at = position(c, key);

	if (!cloud_find(c, key)) {
		if (c->count == c->capacity) {
			c->capacity = c->capacity ? 2 * c->capacity : 64;
			c->objects = realloc(c->objects, c->capacity * sizeof(*c->objects));
			assert_non_null(c->objects);
		}
		memmove(&c->objects[at + 1], &c->objects[at],
			(c->count++ - at) * sizeof(*c->objects));
		c->objects[at] = (struct cloud_object){ .key = strdup(key) };
	}
	c->objects[at].size = size;
	c->objects[at].content = content;
	(void)snprintf(c->objects[at].version, STORE_VERSION_MAX, "v%llu",
		       (unsigned long long)++c->contents);
}

static void remove_locked(struct cloud *c, const char *key)
{
	size_t at = position(c, key);

	if (!cloud_find(c, key))
		return;
	free(c->objects[at].key);
	memmove(&c->objects[at], &c->objects[at + 1], (--c->count - at) * sizeof(*c->objects));
}

void cloud_put(struct cloud *c, const char *key, uint64_t size)
{
	LOCKED(&c->lock);
	put_locked(c, key, size, c->contents + 1);
}

void cloud_remove(struct cloud *c, const char *key)
{
	LOCKED(&c->lock);
	remove_locked(c, key);
}

void cloud_hold(struct cloud *c, bool is_held)
{
	LOCKED(&c->lock);
	c->is_held = is_held;
	cond_broadcast(&c->changed);
}

void cloud_expect(struct cloud *c, unsigned heads, unsigned lists)
{
	LOCKED(&c->lock);
	assert_int_equal(c->heads, heads);
	assert_int_equal(c->lists, lists);
	c->heads = c->lists = 0;
}

/* A change begins: may be made to wait, and to lose its turn. */
static void begin_change(struct cloud *c)
{
	for (uint64_t i = c->has_jitter ? random_below(20) : 0; i > 0; i--)
		(void)sched_yield();
	lock_take(&c->lock);
	while (c->is_held)
		cond_wait(&c->changed, &c->lock);
}

static void end_change(struct cloud *c)
{
	if (c->hold_after && --c->hold_after == 0)
		c->is_held = true;
	lock_drop(&c->lock);
	if (c->on_change)
		c->on_change(c->hook_arg);
}

static struct store_object describe(const struct cloud *c, const struct cloud_object *o, struct arena *arena)
{
	struct store_object described = { .key = arena_strdup(arena, o->key), .size = o->size,
					  .modified_wall_ns = c->modified_wall_ns };

	memcpy(described.version, o->version, STORE_VERSION_MAX);
	return described;
}

static bool begins(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* Whether the entry that stands for this key was given already, when the last one given was this. */
static bool is_behind(const char *key, const char *last, const struct store_list_args *args)
{
	size_t len = last ? strlen(last) : 0;
	bool is_prefix = args->delimiter && len > strlen(args->prefix) && last[len - 1] == '/';

	return len && (strcmp(key, last) <= 0 || (is_prefix && begins(key, last)));
}

static void fill_page(struct cloud *c, const struct store_list_args *args, size_t most,
		      struct store_page *ret)
{
	size_t prefix_len = strlen(args->prefix);
	const char *last = NULL;

	if (c->stray_key)
		ret->objects[ret->count++] =
			(struct store_object){ .key = arena_strdup(&ret->arena, c->stray_key) };
	for (size_t i = position(c, args->prefix);
	     i < c->count && begins(c->objects[i].key, args->prefix); i++) {
		const char *key = c->objects[i].key;
		const char *cut = args->delimiter ? strchr(key + prefix_len, '/') : NULL;

		if (is_behind(key, args->token ? args->token : args->start_after, args) || is_behind(key, last, args))
			continue;
		if (ret->count == most) {
			ret->next_token = last;
			return;
		}
		ret->objects[ret->count] = describe(c, &c->objects[i], &ret->arena);
		if (cut)
			ret->objects[ret->count] = (struct store_object){
				.key = arena_strndup(&ret->arena, key, (size_t)(cut - key) + 1),
				.is_prefix = true,
			};
		last = ret->objects[ret->count++].key;
	}
}

static int list(struct store *s, const char *bucket, const struct store_list_args *args,
		struct store_page *ret, struct error *err)
{
	struct cloud *c = cloud_of(s);
	size_t most = c->page_keys ? c->page_keys : 1000;

	if (strcmp(bucket, CLOUD_BUCKET) != 0)
		return error_set(err, ERR_NOT_FOUND, "no such bucket");
	if (c->on_ask)
		c->on_ask(c->hook_arg);
	if (args->max_keys && args->max_keys < most)
		most = args->max_keys;
	lock_take(&c->lock);
	c->lists++;
	ret->objects = arena_alloc(&ret->arena, (most + 1) * sizeof(*ret->objects));
	assert_non_null(ret->objects);
	fill_page(c, args, most, ret);
	lock_drop(&c->lock);
	if (c->on_list)
		c->on_list(c->hook_arg);
	return 0;
}

static int head(struct store *s, const char *bucket, const char *key, const char *version_id,
		struct arena *arena, struct store_object *ret, struct error *err)
{
	struct cloud *c = cloud_of(s);
	const struct cloud_object *o;

	(void)bucket, (void)version_id;
	if (c->on_ask)
		c->on_ask(c->hook_arg);
	LOCKED(&c->lock);
	c->heads++;
	o = cloud_find(c, key);
	if (!o)
		return error_set(err, ERR_NOT_FOUND, "no such object");
	*ret = describe(c, o, arena);
	ret->has_meta = true;
	return 0;
}

/* Of a change that was carried out. */
static int answer_locked(struct cloud *c, const char *key, struct error *err)
{
	if (!c->lost_key || strcmp(c->lost_key, key) != 0)
		return 0;
	c->lost_key = NULL;
	return error_set(err, ERR_UNAVAILABLE, "the connection broke");
}

static int put(struct store *s, const char *bucket, const char *key,
	       const struct store_source *source, const struct store_put_args *args,
	       char *ret_version, struct error *err)
{
	struct cloud *c = cloud_of(s);

	int r;

	(void)bucket, (void)args;
	begin_change(c);
	put_locked(c, key, store_source_length(source), c->contents + 1);
	memcpy(ret_version, cloud_find(c, key)->version, STORE_VERSION_MAX);
	assert_int_equal(buf_addf(&c->log, "put %s, ", key), 0);
	r = answer_locked(c, key, err);
	end_change(c);
	return r;
}

static int delete (struct store *s, const char *bucket, const char *key, const char *if_version,
		   const char *version_id, struct error *err)
{
	struct cloud *c = cloud_of(s);

	(void)bucket, (void)if_version, (void)version_id, (void)err;
	begin_change(c);
	remove_locked(c, key);
	assert_int_equal(buf_addf(&c->log, "delete %s, ", key), 0);
	end_change(c);
	return 0;
}

static int copy(struct store *s, const char *from_bucket, const char *from_key, const char *bucket,
		const char *key, const struct store_copy_args *args, char *ret_version,
		struct error *err)
{
	struct cloud *c = cloud_of(s);
	const struct cloud_object *o;
	int r = 0;

	(void)bucket, (void)from_bucket, (void)args;
	begin_change(c);
	o = cloud_find(c, from_key);
	if (!o) {
		r = error_set(err, ERR_NOT_FOUND, "no such object");
	} else {
		put_locked(c, key, o->size, o->content);
		memcpy(ret_version, cloud_find(c, key)->version, STORE_VERSION_MAX);
		assert_int_equal(buf_addf(&c->log, "copy %s>%s, ", from_key, key), 0);
		r = answer_locked(c, key, err);
	}
	end_change(c);
	return r;
}

static int bucket_list(struct store *s, struct store_bucket_page *ret, struct error *err)
{
	struct cloud *c = cloud_of(s);
	size_t more = 0;

	(void)err;
	LOCKED(&c->lock);
	c->lists++;
	while (c->buckets && c->buckets[more])
		more++;
	ret->buckets = arena_alloc(&ret->arena, (more + 1) * sizeof(*ret->buckets));
	assert_non_null(ret->buckets);
	ret->buckets[ret->count++].name = CLOUD_BUCKET;
	for (size_t i = 0; i < more; i++)
		ret->buckets[ret->count++].name = c->buckets[i];
	return 0;
}

static int bucket_exists(struct store *s, const char *bucket, struct error *err)
{
	struct cloud *c = cloud_of(s);

	LOCKED(&c->lock);
	c->heads++;
	return strcmp(bucket, CLOUD_BUCKET) == 0 ? 0
						 : error_set(err, ERR_NOT_FOUND, "no such bucket");
}

static const struct store_ops cloud_ops = {
	.type = "cloud",
	.list = list,
	.head = head,
	.put = put,
	.delete = delete,
	.copy = copy,
	.bucket_list = bucket_list,
	.bucket_exists = bucket_exists,
};

struct cloud *cloud_new(void)
{
	struct cloud *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	lock_init(&c->lock);
	cond_init(&c->changed);
	c->log = BUF_INIT(1 << 24);
	c->store = (struct store){ .ops = &cloud_ops,
				   .name = (char *)"s3",
				   .caps = STORE_CAP_COPY | STORE_CAP_FLAT,
				   .limits = { .max_object_bytes = UINT64_C(1) << 40,
					       .max_put_bytes = UINT64_C(1) << 40,
					       .max_copy_bytes = UINT64_C(1) << 40,
					       .min_part_bytes = 1,
					       .max_part_bytes = UINT64_C(1) << 40,
					       .max_parts = 10000,
					       .max_list_keys = 1000,
					       .max_metadata_bytes = 65536 } };
	return c;
}

void cloud_free(struct cloud *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->objects[i].key);
	free(c->objects);
	buf_release(&c->log);
	cond_destroy(&c->changed);
	lock_destroy(&c->lock);
	free(c);
}

static void begin_fs(struct bench *b)
{
	struct fs_options options;
	struct error err = ERROR_INIT;

	assert_int_equal(fs_options_init(&options, &err), 0);
	free(options.cache_dir);
	options.cache_dir = strdup(b->dir);
	options.uploads = 8;
	options.max_connections = 8;
	options.upload_delay_ms = 0;
	options.free_space_floor = 0;
	if (fs_new(&options, b->stores, 1, "/s3/" CLOUD_BUCKET, &b->fs, &err) < 0)
		fail_msg("fs_new: %s", err.message);
	fs_options_release(&options);
	b->bucket = b->fs->tree.mount_root;
}

int bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->dir = support_make_dir();
	b->cloud = cloud_new();
	b->stores[0] = &b->cloud->store;
	begin_fs(b);
	*state = b;
	return 0;
}

void bench_restart(struct bench *b)
{
	fs_free(b->fs);
	begin_fs(b);
}

int bench_teardown(void **state)
{
	struct bench *b = *state;
	char *files = str_format("%s/files", b->dir);

	/* An assertion that fails jumps out of scopes that hold the lock. */
	if (atomic_load(&b->fs->lock.owner) == (uintptr_t)pthread_self())
		lock_drop(&b->fs->lock);
	cloud_hold(b->cloud, false);
	fs_free(b->fs);
	support_remove_dir(&files);
	support_remove_dir(&b->dir);
	cloud_free(b->cloud);
	free(b);
	return 0;
}

void bench_freeze(struct bench *b)
{
	LOCKED(&b->fs->lock);
	b->fs->queue.is_stopping = true; /* the ticker ends, and nothing else starts operations */
	cond_broadcast(&b->fs->ticker_cond);
}

void bench_wait_idle(struct bench *b)
{
	uint64_t deadline = clock_mono_ms() + 30000;

	LOCKED(&b->fs->lock);
	while (b->fs->queue.count)
		if (!cond_wait_until(&b->fs->changed, &b->fs->lock, deadline))
			fail_msg("%zu operations are pending for ever", b->fs->queue.count);
}

/* type NODE_ABSENT: nothing is made. */
static struct node *walk(struct bench *b, const char *path, enum node_type type)
{
	struct str rest = str_of(path);
	struct node *n = b->bucket;

	while (n && rest.ptr) {
		CLEANUP(freep) char *name = str_dup(str_split(&rest, '/'));
		struct node *child = tree_child(&b->fs->tree, n, name);

		if (!child && type != NODE_ABSENT) {
			child = tree_add(&b->fs->tree, n, name, rest.ptr ? NODE_DIR : type);
			assert_non_null(child);
			if (node_is_dir(child))
				tree_pin(child);
		}
		n = child;
	}
	return n;
}

struct node *bench_node(struct bench *b, const char *path)
{
	return walk(b, path, NODE_ABSENT);
}

struct node *bench_grow(struct bench *b, const char *path, enum node_type type)
{
	return walk(b, path, type);
}
