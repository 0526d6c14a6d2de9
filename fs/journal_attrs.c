/*
 * Attributes live in a file of their own, attrs.db: they are many, need no sync and may be lost, so
 * a damaged file is simply made anew, and nothing of theirs can hold up or damage what must not be
 * lost.
 *
 *	buckets	 id, store, bucket
 *	attrs	 id (ascending, so that it is the age), bucket_id, key, version, data; unique by
 * bucket_id and key
 *
 * The ids of buckets are kept in memory, too: most questions are about buckets nothing is known of.
 */
#include "fs/journal_private.h"

#include "backends/base/log.h"

#include <stdio.h>
#include <uthash.h>

#define ATTRS_MAX 1000000 /* rows */
#define ATTRS_PRUNE_MORE                                                                           \
	10000 /* dropped beyond the limit at once, so that it need not be done each time */
#define ATTRS_QUEUE_MAX 50000
#define ATTRS_SCHEMA                                                                               \
	"BEGIN IMMEDIATE;"                                                                         \
	"CREATE TABLE IF NOT EXISTS buckets (id INTEGER PRIMARY KEY, store BLOB, bucket BLOB, "    \
	"UNIQUE (store, bucket));"                                                                 \
	"CREATE TABLE IF NOT EXISTS attrs (id INTEGER PRIMARY KEY, bucket_id INTEGER, key BLOB, "  \
	"version BLOB, data BLOB, UNIQUE (bucket_id, key));"                                       \
	"COMMIT;"

struct attrs_bucket {
	UT_hash_handle hh;
	int64_t id;
	char name[]; /* store, NUL, bucket, NUL */
};

struct attrs_op {
	struct attrs_op *next;
	bool is_delete, is_range; /* the latter: all keys from key to before version */
	const char *store, *bucket, *key, *version;
	struct str blob;
	char bytes[];
};

struct journal_attrs {
	char *path;
	struct lock lock;
	/* guarded by lock: */
	struct attrs_op *first, **last_next;
	size_t queued;
	struct attrs_bucket *buckets;

	/* Held while SQLite works; order: write_lock, read_lock, lock. A NULL db means: none can be
	 * kept now. */
	struct lock write_lock;
	sqlite3 *writer;
	sqlite3_stmt *put, *del, *del_below, *add_bucket;
	int64_t prune_at; /* the id from which on the rows are counted again */
	struct lock read_lock;
	sqlite3 *reader;
	sqlite3_stmt *range, *range_to_end;
};

/* --- the file --- */

static void attrs_disconnect(struct journal_attrs *a)
{
	sqlite3_stmt **all[] = {&a->put,	      &a->del,	 &a->del_below,
				&a->add_bucket, &a->range, &a->range_to_end};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		journal_finalizep(all[i]);
		*all[i] = NULL;
	}
	journal_sqlite_closep(&a->writer);
	journal_sqlite_closep(&a->reader);
	a->writer = a->reader = NULL;
}

static void attrs_forget_buckets(struct journal_attrs *a)
{
	struct attrs_bucket *b, *next;

	LOCKED(&a->lock);
	HASH_ITER (hh, a->buckets, b, next) {
		HASH_DEL(a->buckets, b);
		free(b);
	}
}

/* "store NUL bucket NUL" on the heap, NULL without memory. */
static struct attrs_bucket *attrs_bucket_new(const char *store, const char *bucket, size_t *ret_len)
{
	size_t store_size = strlen(store) + 1, bucket_size = strlen(bucket) + 1;
	struct attrs_bucket *b = calloc(1, sizeof(*b) + store_size + bucket_size);

	if (!b)
		return NULL;
	memcpy(b->name, store, store_size);
	memcpy(b->name + store_size, bucket, bucket_size);
	*ret_len = store_size + bucket_size;
	return b;
}

/* The id of a bucket, 0 when it has none. */
static int64_t attrs_bucket_id(struct journal_attrs *a, const char *store, const char *bucket)
{
	CLEANUP(freep) struct attrs_bucket *wanted = NULL;
	struct attrs_bucket *found = NULL;
	size_t len;

	wanted = attrs_bucket_new(store, bucket, &len);
	if (!wanted)
		return 0;
	LOCKED(&a->lock);
	HASH_FIND (hh, a->buckets, wanted->name, len, found)
		;
	return found ? found->id : 0;
}

static void attrs_note_bucket(struct journal_attrs *a, const char *store, const char *bucket,
			      int64_t id)
{
	struct attrs_bucket *b, *old = NULL;
	size_t len;

	b = attrs_bucket_new(store, bucket, &len);
	if (!b)
		return; /* not found then: its attributes are asked for again */
	b->id = id;
	LOCKED(&a->lock);
	HASH_FIND (hh, a->buckets, b->name, len, old)
		;
	if (old) {
		old->id = id;
		free(b);
	} else {
		HASH_ADD_KEYPTR(hh, a->buckets, b->name, len, b);
	}
}

static int attrs_load_buckets(struct journal_attrs *a)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	int code = journal_prepare(a->writer, "SELECT id, store, bucket FROM buckets", &stmt);

	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		const char *store = (const char *)sqlite3_column_text(stmt, 1);
		const char *bucket = (const char *)sqlite3_column_text(stmt, 2);

		if (store && bucket)
			attrs_note_bucket(a, store, bucket, sqlite3_column_int64(stmt, 0));
	}
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int attrs_prepare(struct journal_attrs *a)
{
	int code = journal_prepare(a->writer,
				   "INSERT OR REPLACE INTO attrs (bucket_id, key, version, data) "
				   "VALUES (?1, ?2, ?3, ?4)",
				   &a->put);

	if (code == SQLITE_OK)
		code = journal_prepare(
			a->writer, "DELETE FROM attrs WHERE bucket_id = ?1 AND key = ?2", &a->del);
	if (code == SQLITE_OK)
		code = journal_prepare(
			a->writer,
			"DELETE FROM attrs WHERE bucket_id = ?1 AND key >= ?2 AND key < ?3",
			&a->del_below);
	if (code == SQLITE_OK)
		code = journal_prepare(
			a->writer,
			"INSERT INTO buckets (store, bucket) VALUES (?1, ?2) "
			"ON CONFLICT DO UPDATE SET store = excluded.store RETURNING id",
			&a->add_bucket);
	if (code == SQLITE_OK) /* two: with one condition for both, the index would give no end */
		code = journal_prepare(a->reader,
				       "SELECT key, version, data FROM attrs WHERE bucket_id = ?1 "
				       "AND key >= ?2 AND key < ?3 ORDER BY key",
				       &a->range);
	if (code == SQLITE_OK)
		code = journal_prepare(a->reader,
				       "SELECT key, version, data FROM attrs WHERE bucket_id = ?1 "
				       "AND key >= ?2 ORDER BY key",
				       &a->range_to_end);
	return code;
}

static int attrs_connect(struct journal_attrs *a)
{
	int code;

	if (journal_precreate(a->path, NULL) != JOURNAL_OPENED)
		return SQLITE_CANTOPEN;
	code = journal_connect(a->path, SQLITE_OPEN_READWRITE, &a->writer);
	if (code == SQLITE_OK)
		code = journal_exec(a->writer,
				    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
	if (code == SQLITE_OK)
		code = journal_exec(a->writer, ATTRS_SCHEMA);
	if (code == SQLITE_OK)
		code = journal_connect(a->path, SQLITE_OPEN_READWRITE, &a->reader);
	if (code == SQLITE_OK)
		code = attrs_prepare(a);
	if (code == SQLITE_OK)
		code = attrs_load_buckets(a);
	a->prune_at = ATTRS_MAX;
	if (code != SQLITE_OK)
		attrs_disconnect(a);
	return code;
}

static void attrs_unlink(const char *path, const char *suffix)
{
	CLEANUP(freep) char *name = str_format("%s%s", path, suffix);

	if (name)
		(void)unlink(name); /* what stays is found out by opening it */
}

/* Throws all away and begins anew. Both locks are held, or nobody else knows `a` yet. */
static void attrs_reset(struct journal_attrs *a, int code)
{
	log_warn("attrs.reset", "path='%s' error='%s'", a->path, sqlite3_errstr(code));
	attrs_disconnect(a);
	attrs_forget_buckets(a);
	attrs_unlink(a->path, "");
	attrs_unlink(a->path, "-wal");
	attrs_unlink(a->path, "-shm");
	(void)attrs_connect(a); /* else writer stays NULL, and nothing is kept */
}

static bool attrs_is_damage(int code)
{
	code &= 0xff;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
	       code == SQLITE_TOOBIG || code == SQLITE_READONLY;
}

struct journal_attrs *journal_attrs_open(const char *dir)
{
	struct journal_attrs *a = calloc(1, sizeof(*a));
	int code;

	if (!a)
		return NULL;
	a->path = str_format("%s/" JOURNAL_ATTRS_FILE, dir);
	if (!a->path) {
		free(a);
		return NULL;
	}
	lock_init_ranked(&a->lock, LOCK_JOURNAL_ATTRS);
	lock_init_ranked(&a->write_lock, LOCK_JOURNAL_WRITE);
	lock_init_ranked(&a->read_lock, LOCK_JOURNAL_READ);
	a->last_next = &a->first;
	code = attrs_connect(a);
	if (code != SQLITE_OK)
		attrs_reset(a, code);
	return a;
}

void journal_attrs_close(struct journal_attrs *a)
{
	if (!a)
		return;
	journal_attrs_flush(a);
	if (a->writer)
		(void)journal_checkpoint_all(a->writer); /* tidies up; what fails stays in the WAL */
	attrs_disconnect(a);
	attrs_forget_buckets(a);
	lock_destroy(&a->read_lock);
	lock_destroy(&a->write_lock);
	lock_destroy(&a->lock);
	free(a->path);
	free(a);
}

/* --- writing --- */

static char *attrs_copy(char **at, const char *data, size_t len)
{
	char *copy = *at;

	if (len)
		memcpy(copy, data, len);
	copy[len] = '\0';
	*at += len + 1;
	return copy;
}

static struct attrs_op *attrs_op_new(const char *store, const char *bucket, const char *key,
				     const char *version, struct str blob)
{
	size_t size = strlen(store) + strlen(bucket) + strlen(key) + strlen(version) + blob.len + 5;
	struct attrs_op *op = size <= JOURNAL_ROW_MAX ? calloc(1, sizeof(*op) + size) : NULL;
	char *at;

	if (!op)
		return NULL;
	at = op->bytes;
	op->store = attrs_copy(&at, store, strlen(store));
	op->bucket = attrs_copy(&at, bucket, strlen(bucket));
	op->key = attrs_copy(&at, key, strlen(key));
	op->version = attrs_copy(&at, version, strlen(version));
	op->blob.ptr = attrs_copy(&at, blob.ptr, blob.len);
	op->blob.len = blob.len;
	return op;
}

static void attrs_enqueue(struct journal *j, struct attrs_op *op)
{
	struct journal_attrs *a = j->attrs;
	bool is_first, is_full;

	if (!op)
		return;
	lock_take(&a->lock);
	is_first = !a->first;
	/* Deletions are rare, and dropping one would keep something that is known to be wrong. */
	is_full = a->queued >= ATTRS_QUEUE_MAX && !op->is_delete;
	if (!is_full) {
		*a->last_next = op;
		a->last_next = &op->next;
		a->queued++;
	}
	lock_drop(&a->lock);
	if (is_full)
		free(op);
	if (is_first) {
		LOCKED(&j->lock);
		journal_wake_locked(j);
	}
}

void journal_attrs_put(struct journal *j, const char *store, const char *bucket, const char *key,
		       const char *version, struct str blob)
{
	if (j->attrs)
		attrs_enqueue(j, attrs_op_new(store, bucket, key, version, blob));
}

void journal_attrs_delete(struct journal *j, const char *store, const char *bucket, const char *key)
{
	struct attrs_op *op = j->attrs ? attrs_op_new(store, bucket, key, "", STR("")) : NULL;

	if (!op)
		return;
	op->is_delete = true;
	attrs_enqueue(j, op);
}

void journal_attrs_delete_below(struct journal *j, const char *store, const char *bucket,
				const char *prefix)
{
	CLEANUP(freep) char *end = strdup(prefix);
	size_t len = strlen(prefix);
	struct attrs_op *op;

	if (!j->attrs || !end || !len || end[len - 1] != '/')
		return;
	end[len - 1]++; /* what follows all that begins so */
	op = attrs_op_new(store, bucket, prefix, end, STR(""));
	if (!op)
		return;
	op->is_delete = op->is_range = true;
	attrs_enqueue(j, op);
}

size_t journal_attrs_queued(struct journal_attrs *a)
{
	LOCKED(&a->lock);
	return a->queued;
}

static int attrs_add_bucket(struct journal_attrs *a, const struct attrs_op *op, int64_t *ret_id)
{
	int code = journal_bind_bytes(a->add_bucket, 1, str_of(op->store));

	if (code == SQLITE_OK)
		code = journal_bind_bytes(a->add_bucket, 2, str_of(op->bucket));
	if (code == SQLITE_OK)
		code = sqlite3_step(a->add_bucket);
	if (code == SQLITE_ROW) {
		*ret_id = sqlite3_column_int64(a->add_bucket, 0);
		code = sqlite3_step(a->add_bucket);
	}
	(void)sqlite3_reset(a->add_bucket);
	if (code != SQLITE_DONE)
		return code;
	/* Noted before the commit: a bucket that is known and has no rows does no harm. */
	attrs_note_bucket(a, op->store, op->bucket, *ret_id);
	return SQLITE_OK;
}

static int attrs_apply_op(struct journal_attrs *a, const struct attrs_op *op)
{
	sqlite3_stmt *stmt = op->is_range ? a->del_below : op->is_delete ? a->del : a->put;
	int64_t id = attrs_bucket_id(a, op->store, op->bucket);
	int code = SQLITE_OK;

	if (!id && op->is_delete)
		return SQLITE_OK;
	if (!id)
		code = attrs_add_bucket(a, op, &id);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 1, id);
	if (code == SQLITE_OK)
		code = journal_bind_bytes(stmt, 2, str_of(op->key));
	if (code == SQLITE_OK && (op->is_range || !op->is_delete))
		code = journal_bind_bytes(stmt, 3, str_of(op->version));
	if (code == SQLITE_OK && !op->is_delete)
		code = journal_bind_bytes(stmt, 4, op->blob);
	return code == SQLITE_OK ? journal_step(stmt) : code;
}

/* Drops the oldest rows over the limit. Ids bound the number from above, so that counting is rare.
 */
static int attrs_prune(struct journal_attrs *a)
{
	CLEANUP(journal_finalizep) sqlite3_stmt *stmt = NULL;
	int64_t last, count;
	int code;

	last = journal_query(a->writer, "SELECT max(id) FROM attrs", 0, &code);
	if (code != SQLITE_OK || last < a->prune_at)
		return code;
	count = journal_query(a->writer, "SELECT count(*) FROM attrs", 0, &code);
	if (code != SQLITE_OK)
		return code;
	if (count > ATTRS_MAX) {
		code = journal_prepare(a->writer,
				       "DELETE FROM attrs WHERE id IN "
				       "(SELECT id FROM attrs ORDER BY id LIMIT ?1)",
				       &stmt);
		if (code == SQLITE_OK)
			code = sqlite3_bind_int64(stmt, 1, count - ATTRS_MAX + ATTRS_PRUNE_MORE);
		if (code == SQLITE_OK)
			code = journal_step(stmt);
		count = ATTRS_MAX - ATTRS_PRUNE_MORE;
	}
	a->prune_at = last + ATTRS_MAX - count + 1;
	return code;
}

void journal_attrs_flush(struct journal_attrs *a)
{
	struct attrs_op *ops;
	int code = SQLITE_OK;

	LOCKED(&a->write_lock);
	lock_take(&a->lock);
	ops = a->first;
	a->first = NULL;
	a->last_next = &a->first;
	a->queued = 0;
	lock_drop(&a->lock);
	if (a->writer)
		code = journal_exec(a->writer, "BEGIN IMMEDIATE");
	while (ops) {
		struct attrs_op *next = ops->next;

		if (a->writer && code == SQLITE_OK)
			code = attrs_apply_op(a, ops);
		free(ops);
		ops = next;
	}
	if (!a->writer)
		return;
	if (code == SQLITE_OK)
		code = attrs_prune(a);
	if (code == SQLITE_OK)
		code = journal_exec(a->writer, "COMMIT");
	if (code != SQLITE_OK && !sqlite3_get_autocommit(a->writer))
		(void)journal_exec(a->writer,
				   "ROLLBACK"); /* what was queued is lost, as it may be */
	if (code != SQLITE_OK && attrs_is_damage(code)) {
		LOCKED(&a->read_lock);
		attrs_reset(a, code);
	}
}

void journal_attrs_settle(struct journal *j)
{
	if (!j->attrs)
		return;
	if (journal_attrs_queued(j->attrs)) {
		journal_attrs_flush(j->attrs);
		return;
	}
	lock_take(&j->attrs->write_lock); /* somebody may be writing it just now */
	lock_drop(&j->attrs->write_lock);
}

/* --- reading --- */

static int attrs_bind_range(sqlite3_stmt *stmt, int64_t id, const char *from_key,
			    const char *to_key)
{
	int code = sqlite3_bind_int64(stmt, 1, id);

	if (code == SQLITE_OK)
		code = journal_bind_bytes(stmt, 2, str_of(from_key));
	if (code == SQLITE_OK && to_key)
		code = journal_bind_bytes(stmt, 3, str_of(to_key));
	return code;
}

static int attrs_read(struct journal_attrs *a, int64_t id, const char *from_key, const char *to_key,
		      void (*fn)(void *arg, const char *key, const char *version, struct str blob),
		      void *arg)
{
	sqlite3_stmt *stmt;
	int code;

	LOCKED(&a->read_lock);
	if (!a->reader)
		return SQLITE_OK;
	stmt = to_key ? a->range : a->range_to_end;
	code = attrs_bind_range(stmt, id, from_key, to_key);
	while (code == SQLITE_OK) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		code = SQLITE_OK;
		const char *key = (const char *)sqlite3_column_text(stmt, 0);
		const char *version = (const char *)sqlite3_column_text(stmt, 1);
		struct str blob = {(const char *)sqlite3_column_text(stmt, 2),
				   (size_t)sqlite3_column_bytes(stmt, 2)};

		if (key && version && blob.ptr)
			fn(arg, key, version, blob);
	}
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt); /* they point into the caller's strings */
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int journal_attrs_each(struct journal *j, const char *store, const char *bucket,
		       const char *from_key, const char *to_key,
		       void (*fn)(void *arg, const char *key, const char *version, struct str blob),
		       void *arg)
{
	int64_t id = j->attrs ? attrs_bucket_id(j->attrs, store, bucket) : 0;
	int code;

	if (!id)
		return 0;
	code = attrs_read(j->attrs, id, from_key, to_key, fn, arg);
	if (code == SQLITE_OK)
		return 0;
	if (attrs_is_damage(code)) {
		LOCKED(&j->attrs->write_lock);
		LOCKED(&j->attrs->read_lock);
		attrs_reset(j->attrs, code);
	}
	return -EIO;
}
