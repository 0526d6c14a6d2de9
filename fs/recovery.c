#include "backends/base/clock.h"
#include "backends/base/fault.h"
#include "backends/base/log.h"
#include "fs/attrs.h"
#include "fs/durable.h"
#include "fs/extentlog.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/kept.h"
#include "fs/listing.h"
#include "fs/naming.h"
#include "fs/node_version.h"
#include "fs/pending.h"
#include "fs/pending_view.h"
#include "fs/upload.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define RECOVER_DOUBTFUL 1 /* the file cannot be trusted: the system went down before it was on the disk, or its map is damaged */
#define RECOVER_DAMAGED	 2 /* nor this one: the disk gives back other bytes than were written */

#define LOOK_AT_MOST_BYTES (UINT64_C(1) << 30) /* of the files, before the mount answers; the rest is compared when it is uploaded */

struct last_row {
	uint64_t file_id, seq;
};

struct left_rows {
	struct fs *fs;
	struct sumlog_found *sums; /* of the last mount */
	uint64_t look_bytes;	   /* how much may be looked at yet */
	uint64_t ticket;	   /* of the last row that was dropped; 0: none */
	struct last_row *last;	   /* of each upload, in order of file and seq */
	size_t last_count, last_capacity;
	/* The cache files of rows that could not be taken up: they stay. */
	uint64_t *ids;
	size_t count;
};

/* Takes up, in order, what an earlier run had acknowledged and the cloud may not have: the view shows it at once. */

static struct store *store_by_name(const struct fs *fs, const char *name)
{
	for (size_t i = 0; i < fs->store_count; i++)
		if (strcmp(fs->stores[i]->name, name) == 0)
			return fs->stores[i];
	return NULL;
}

/* Whether directories on the way are made. */
enum way { WAY_MADE, WAY_AS_IT_IS };

static struct node *child_dir(struct fs *fs, struct node *parent, const char *name, enum node_type type, enum way way)
{
	struct node *n = tree_child(&fs->tree, parent, name);

	if (n && node_is_dir(n))
		return n;
	if (way == WAY_AS_IT_IS && type != NODE_BUCKET)
		return NULL;
	if (n)
		tree_detach(&fs->tree, n);
	n = tree_add(&fs->tree, parent, name, type);
	if (n)
		node_defaults_locked(fs, n);
	return n;
}

/* The directory that holds the last name of a key, made as needed; *ret_name is that name. */
static struct node *parent_of_key(struct fs *fs, const struct location *where, enum way way, char **ret_name)
{
	struct node *dir = tree_child(&fs->tree, fs->tree.root, where->store->name);
	struct str rest = str_of(where->key);
	bool is_dir = rest.len && rest.ptr[rest.len - 1] == '/';

	*ret_name = NULL;
	if (dir)
		dir = child_dir(fs, dir, where->bucket, NODE_BUCKET, way);
	if (is_dir)
		rest.len--;
	while (dir) {
		const char *slash = memchr(rest.ptr, '/', rest.len);
		struct str segment = { rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len };
		enum naming_piece piece = NAMING_CONTINUED;

		while (dir && piece == NAMING_CONTINUED) {
			struct buf name = BUF_INIT(1024);
			size_t used = 0;

			if (naming_encode_first(segment, NAMING_WHOLE, &name, &used, &piece) < 0) {
				buf_release(&name);
				return NULL;
			}
			segment.ptr += used;
			segment.len -= used;
			if (piece != NAMING_CONTINUED && !slash) {
				*ret_name = buf_detach(&name);
				return dir;
			}
			dir = child_dir(fs, dir, buf_cstr(&name), piece == NAMING_CONTINUED ? NODE_CONT : NODE_DIR, way);
			buf_release(&name);
		}
		rest.len -= (size_t)(slash + 1 - rest.ptr);
		rest.ptr = slash + 1;
	}
	return NULL;
}

static struct node *node_at(struct fs *fs, const struct location *where, enum node_type type)
{
	CLEANUP(freep) char *name = NULL;
	struct node *parent = parent_of_key(fs, where, WAY_MADE, &name), *n;

	if (!parent || !name)
		return NULL;
	if (type == NODE_ABSENT)
		return tree_set_absent(&fs->tree, parent, name);
	n = tree_child(&fs->tree, parent, name);
	if (n && n->type == type)
		return n;
	if (n)
		tree_detach(&fs->tree, n);
	return tree_add(&fs->tree, parent, name, type);
}

static int apply_detail(struct node *n, const struct journal_row *row, struct pending *op, int64_t *ret_row_ns,
			struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct attrs a;
	const char *text;
	int r = json_parse(row->detail, 1 << 20, &o, err);

	if (r < 0)
		return error_prefix(err, r, "the journal's words about '%s'", row->key);
	r = attrs_from_json(o, &a);
	if (r < 0)
		return r;
	n->mode = a.mode;
	if (S_ISLNK(a.mode) && n->type == NODE_FILE)
		n->type = NODE_SYMLINK;
	attrs_to_node(&a, n);
	attrs_release(&a);
	*ret_row_ns = json_get_int64(o, "at", INT64_MAX);
	op->is_synced = json_object_object_get_ex(o, "synced", NULL);
	op->synced_size = (uint64_t)json_get_int64(o, "synced", 0);
	op->synced_file = row->file_id;
	op->is_of_other_boot = json_get_int64(o, "boot", 0) && durable_boot() &&
			       (uint64_t)json_get_int64(o, "boot", 0) != durable_boot();
	n->expect = (uint8_t)json_get_int64(o, "expect", EXPECT_ANY);
	n->size = (uint64_t)json_get_int64(o, "size", 0);
	text = json_get_string(o, "version");
	if (text) {
		node_set_version(n, text);
	}
	pending_read_sent(op, o);
	upload_read_described(op, o);
	text = json_get_string(o, "base");
	if (text)
		(void)snprintf(op->expect, sizeof(op->expect), "%s", text);
	return 0;
}

/* When a program last wrote to a dirty file. Into a mixture the network writes, too: its map tells. */
static int64_t last_write_ns(struct fs *fs, uint64_t id, bool is_whole)
{
	char name[24];
	struct stat st;

	if (is_whole)
		fs_cache_name(id, name);
	else
		fs_cache_log_name(id, name);
	if (fstatat(fs->cache_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}

/* Opening a map may write it anew, which is no write of a program. */
static void keep_time(int fd, int64_t time_ns)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { time_ns / 1000000000, time_ns % 1000000000 } };

	if (time_ns && futimens(fd, times) < 0)
		log_warn("recovery.time", "error='%s'", strerror(errno));
}

/* Of a mixture that grew past the size its row tells: as far as its map has the growth, which is written before a write is answered.
 * What lies behind is of a write that never was; taken for the base's, it would be asked of an object that has no such bytes. */
static int cut_unmapped_growth(struct file *f, int fd, uint64_t row_size, uint64_t *size, struct error *err)
{
	struct extent hole;

	if (!row_size || *size <= row_size || !extents_next_gap(&f->dirty, row_size, *size, &hole))
		return 0;
	if (ftruncate(fd, (off_t)hole.start) < 0)
		return error_errno(err, errno, "cannot cut a cache file");
	*size = hole.start;
	return 0;
}

/* A mixture that is shorter than its row says, though nobody cut it, lost its end: what was not written here is asked of the cloud
 * again; what was, the checksums miss. */
static int restore_end(int fd, int log_dir_fd, const char *log_name, uint64_t row_size, uint64_t *size, struct error *err)
{
	if (*size >= row_size || extentlog_has_cut(log_dir_fd, log_name))
		return 0;
	if (ftruncate(fd, (off_t)row_size) < 0)
		return error_errno(err, errno, "cannot restore the size of a cache file");
	*size = row_size;
	return 0;
}

/* The map of a mixture. */
static int adopt_map(struct fs *fs, struct file *f, const char *log_name, int fd, uint64_t row_size, struct error *err)
{
	struct node *n = f->node;
	int r = restore_end(fd, fs->cache_fd, log_name, row_size, &n->size, err);

	if (r < 0)
		return r;
	f->log_fd = extentlog_open(fs->cache_fd, log_name, &f->present, &f->dirty, err);
	return f->log_fd < 0 ? f->log_fd : cut_unmapped_growth(f, fd, row_size, &n->size, err);
}

/* The cache file of a dirty object: whole, or a mixture whose map lies beside it. row_ns: when its row was written. */
static int adopt_file(struct left_rows *left, struct node *n, const struct journal_row *row, struct pending *op, int64_t row_ns,
		      struct error *err)
{
	struct fs *fs = left->fs;
	int64_t written_ns = last_write_ns(fs, row->file_id, row->flags & PENDING_FLAG_WHOLE);
	bool is_whole = row->flags & PENDING_FLAG_WHOLE;
	uint64_t row_size = n->size;
	bool had_sums = sumlog_has(left->sums, row->file_id); /* something was written, and its bytes */
	char name[24];
	struct stat st;
	struct file *f;
	int fd, r;

	fs_cache_name(row->file_id, name);
	fd = openat(fs->cache_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && durable_is_rescued(fs, row->file_id))
		return RECOVER_DOUBTFUL; /* by a start that did not get far */
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "the cache file of '%s' is gone", row->key);
	fs_cache_log_name(row->file_id, name);
	if ((op->is_of_other_boot && (!op->is_synced || (uint64_t)st.st_size < op->synced_size)) ||
	    (!is_whole && extentlog_is_damaged(fs->cache_fd, name))) {
		(void)close(fd); /* only looked at */
		return RECOVER_DOUBTFUL;
	}
	n->size = (uint64_t)st.st_size;
	if (n->file)
		file_drop_locked(fs, n);
	f = file_attach_locked(fs, n, is_whole ? FILE_WHOLE : FILE_SPARSE, row->file_id, fd);
	if (!f)
		return error_set(err, ERR_NO_MEMORY, "no memory for a file");
	if (!is_whole) { /* of a whole one nobody knows any more what was changed: all of it goes up */
		file_set_base_locked(f, op->expect);
		r = adopt_map(fs, f, name, fd, row_size, err);
		if (r < 0)
			return r;
		keep_time(f->log_fd, written_ns);
	}
	r = intact_recover_locked(f, left->sums, &left->look_bytes, err);
	if (r == 0 && !is_whole && !f->dirty.count && had_sums)
		r = error_set(err, ERR_IO, "the list of what was written in it is gone");
	if (r < 0) {
		log_error("recovery.damaged", "key='%s' error='%s'", row->key, err->message);
		f->outlives_us = true; /* set aside, by its name */
		file_drop_locked(fs, n);
		return RECOVER_DAMAGED;
	}
	if (!is_whole) { /* A cut to nothing may have ended half-way: what the map says beyond the file's end is not there. */
		extents_truncate(&f->present, n->size);
		extents_truncate(&f->dirty, n->size);
	}
	/* Writes after the row was written are younger than the time it holds, which may have been set by hand. */
	if (written_ns > row_ns && !S_ISLNK(n->mode))
		node_set_times(n, written_ns);
	f->generation = 1;
	file_account_locked(f);
	return 0;
}

static int note_upload(void *arg, const struct journal_row *row, struct error *err)
{
	struct left_rows *left = arg;

	if (row->kind != PENDING_PUT && (row->kind != PENDING_OPENED || !passthrough_row_is_changed(left->fs->cache_fd, row)))
		return 0;
	if (left->last_count == left->last_capacity) {
		size_t capacity = left->last_capacity ? left->last_capacity * 2 : 64;
		struct last_row *last = realloc(left->last, capacity * sizeof(*last));

		if (!last)
			return error_set(err, ERR_NO_MEMORY, "no memory to recover");
		left->last = last;
		left->last_capacity = capacity;
	}
	left->last[left->last_count++] = (struct last_row){ row->file_id, row->seq };
	return 0;
}

static int compare_last(const void *a, const void *b)
{
	const struct last_row *x = a, *y = b;

	if (x->file_id != y->file_id)
		return x->file_id < y->file_id ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Whether a later row speaks of the same cache file: the row of an upload that ended lingers until its attributes are stored, and the
 * file was written to again meanwhile, or moved to another name. Then this one is not even looked at: what it says of the file, its size, say,
 * is not true any more, and the file would be made to fit. */
static bool is_superseded(const struct left_rows *left, const struct journal_row *row)
{
	const struct last_row this_one = { row->file_id, row->seq };
	const struct last_row *at = bsearch(&this_one, left->last, left->last_count, sizeof(*left->last), compare_last);

	return at && at + 1 < left->last + left->last_count && at[1].file_id == row->file_id;
}

/* Which keys a change touches. */
enum reach { REACH_KEY, REACH_BELOW };

static void drop_upload_locked(struct left_rows *left, struct pending *op)
{
	struct fs *fs = left->fs;
	struct node *n = op->node;

	log_debug("recovery.over", "seq=%" PRIu64 " key='%s'", op->seq, op->key);
	tree_pin(n);
	if (n->file) {
		n->file->outlives_us = true; /* a later row may speak of it; else the sweep takes it */
		file_drop_locked(fs, n);
	}
	left->ticket = pending_put_cancel_locked(fs, n);
	if (!n->is_detached)
		tree_detach(&fs->tree, n);
	tree_unpin(&fs->tree, n);
}

/* The row of an upload lingers after its end. An upload that still waits is taken back by what takes its key over, in one
 * transaction, and attributes of their own or a copy in the cloud there are of an object only: where such a change came later, the
 * upload was over. To do it again would be to no good: until then the file may be written to anew, and what was copied, or the name,
 * is not that file's any more. */
static void drop_over(struct left_rows *left, const struct store *store, const char *bucket, const char *key, enum reach reach)
{
	struct pending *next;

	for (struct pending *op = left->fs->queue.first; op; op = next) {
		next = op->next;
		if (op->kind == PENDING_PUT && op->node && op->node->put == op && op->store == store &&
		    strcmp(op->bucket, bucket) == 0 &&
		    (reach == REACH_KEY ? strcmp(op->key, key) == 0 : strncmp(op->key, key, strlen(key)) == 0))
			drop_upload_locked(left, op);
	}
}

static int recover_put(struct left_rows *left, struct pending *op, const struct journal_row *row, struct error *err)
{
	struct fs *fs = left->fs;
	struct location where = { op->store, op->bucket, op->key };
	struct node *n;
	int64_t row_ns = 0;
	int r;

	drop_over(left, op->store, op->bucket, op->key, REACH_KEY);
	n = node_at(fs, &where, NODE_FILE);
	if (!n)
		return error_set(err, ERR_NO_MEMORY, "no memory for a file");
	r = apply_detail(n, row, op, &row_ns, err);
	if (r == 0)
		r = adopt_file(left, n, row, op, row_ns, err);
	if (r > 0)
		op->node = n;
	if (r != 0)
		return r;
	if (pending_touches_locked(fs, &where))
		n->expect = EXPECT_ANY; /* what comes first may, or may not, have made a version we were not told of */
	op->file_id = row->file_id;
	op->node = n;
	n->put = op;
	return 0;
}

/* A name in the tree, with its directory, which is pinned. */
struct place {
	struct fs *fs;
	struct node *parent;
	char *name;
};

static int place_find(struct fs *fs, const struct location *where, enum way way, struct place *ret)
{
	ret->fs = fs;
	ret->parent = parent_of_key(fs, where, way, &ret->name);
	if (!ret->parent || !ret->name)
		return -ENOENT;
	tree_pin(ret->parent);
	return 0;
}

static void place_release(struct place *p)
{
	if (p->parent && p->name)
		tree_unpin(&p->fs->tree, p->parent);
	free(p->name);
}

/* Moves a node, with all that hangs below it. A row that would move it into itself is damaged. */
static int move_to(struct fs *fs, struct node *n, const struct place *to)
{
	struct node *other = tree_child(&fs->tree, to->parent, to->name);

	if (tree_is_below(to->parent, n) || (other && tree_is_below(n, other)))
		return -EINVAL;
	if (other)
		tree_detach(&fs->tree, other);
	return tree_move(&fs->tree, n, to->parent, to->name);
}

/* What earlier rows made at the name is another object, which is replaced. */
static struct node *fresh_node(struct fs *fs, const struct place *at, enum node_type type)
{
	struct node *other = tree_child(&fs->tree, at->parent, at->name);

	if (other) {
		tree_detach(&fs->tree, other);
		tree_prune(&fs->tree, other);
	}
	return tree_add(&fs->tree, at->parent, at->name, type);
}

/* What is renamed or copied. Its node, when an earlier row made one, moves along; where its bytes are comes from the renames before,
 * which are not through either. *ret: the node at its new name. */
static int take_renamed(struct fs *fs, struct pending *op, enum node_type type, struct node **ret)
{
	struct location from = { op->store, op->from_bucket, op->from_key };
	struct location to = { op->store, op->bucket, op->key };
	CLEANUP(location_release) struct location origin = LOCATION_INIT;
	CLEANUP(place_release) struct place old = { 0 };
	CLEANUP(place_release) struct place new = { 0 };
	struct node *n = NULL;
	uint64_t seq = op->seq;
	int r = pending_origin_locked(fs, &from, &origin, &seq);

	if (r < 0 || place_find(fs, &to, WAY_MADE, &new) < 0)
		return -ENOMEM;
	if (place_find(fs, &from, WAY_AS_IT_IS, &old) == 0)
		n = tree_child(&fs->tree, old.parent, old.name);
	if (!node_exists(n) || node_is_dir(n) != (type == NODE_DIR))
		n = NULL;
	if (n && op->kind != PENDING_COPY)
		r = move_to(fs, n, &new);
	else if (!(n = fresh_node(fs, &new, type)))
		r = -ENOMEM;
	if (r < 0)
		return r;
	if (op->kind != PENDING_COPY && old.parent && old.name && !old.parent->is_detached)
		(void)tree_set_absent(&fs->tree, old.parent, old.name);
	*ret = n;
	if (!(op->flags & PENDING_FLAG_DELETING))
		return tree_set_remote(n, &origin, seq);
	tree_clear_remote(n);
	return 0;
}

static void drop_over_by(struct left_rows *left, const struct pending *op)
{
	if (op->kind != PENDING_MARKER && op->kind != PENDING_RENAME_TREE)
		drop_over(left, op->store, op->bucket, op->key, REACH_KEY);
	if (op->from_key)
		drop_over(left, op->store, op->from_bucket, op->from_key, op->kind == PENDING_RENAME_TREE ? REACH_BELOW : REACH_KEY);
}

static int recover_name(struct left_rows *left, struct pending *op, const struct journal_row *row, struct error *err)
{
	struct fs *fs = left->fs;
	struct location where = { op->store, op->bucket, op->key };
	bool is_tree = op->kind == PENDING_RENAME_TREE;
	enum node_type type = op->kind == PENDING_DELETE ? NODE_ABSENT :
			      is_tree || op->kind == PENDING_MARKER ? NODE_DIR : NODE_FILE;
	struct node *n = NULL;
	int64_t row_ns;
	int r = 0;

	drop_over_by(left, op);
	if (op->from_key)
		r = take_renamed(fs, op, type, &n);
	else
		n = node_at(fs, &where, type);
	if (r < 0)
		return error_errno(err, -r, "cannot take up a rename");
	if (!n)
		return error_set(err, ERR_NO_MEMORY, "no memory for a file");
	op->node = n;
	if (type == NODE_ABSENT)
		return 0;
	if (apply_detail(n, row, op, &row_ns, err) < 0)
		node_defaults_locked(fs, n);
	if (op->kind == PENDING_MARKER)
		n->has_marker = true;
	return 0;
}

static int recover_abort(struct pending *op, const struct journal_row *row, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *id;
	int r = json_parse(row->detail, 1 << 20, &o, err);

	if (r < 0)
		return error_prefix(err, r, "the journal's words about '%s'", row->key);
	op->since_ns = json_get_int64(o, "at", 0);
	id = json_get_string(o, "upload");
	op->upload_id = id ? strdup(id) : NULL;
	return 0;
}

static void keep_file(struct left_rows *kept, uint64_t id)
{
	uint64_t *ids = id ? realloc(kept->ids, (kept->count + 1) * sizeof(*ids)) : NULL;

	if (ids) {
		kept->ids = ids;
		kept->ids[kept->count++] = id;
	}
}

/* The system went down before the file was on the disk, or nobody knows which of its bytes are somebody's: the cloud keeps what it has. */
static int set_aside(struct fs *fs, struct pending *op, const struct journal_row *row, int doubt, struct error *err)
{
	struct node *n = op->node;
	int r = durable_is_rescued(fs, row->file_id) ? 0 :
		durable_rescue(fs, row->file_id, row,
			       doubt == RECOVER_DAMAGED ? "the disk does not give back what was written" :
			       op->is_of_other_boot ? "not on the disk yet when the system went down" :
						      "the list of what was written in it is damaged", err);

	if (r < 0)
		return r;
	(void)journal_delete(fs->journal, row->seq);
	if (n) { /* the name is asked for anew */
		tree_detach(&fs->tree, n);
		tree_prune(&fs->tree, n);
	}
	pending_free(op);
	return RECOVER_DOUBTFUL;
}

static int recover_row(void *arg, const struct journal_row *row, struct error *err)
{
	struct left_rows *kept = arg;
	struct fs *fs = kept->fs;
	struct location where = { store_by_name(fs, row->store), (char *)row->bucket, (char *)row->key };
	struct location from = { where.store, (char *)row->from_bucket, (char *)row->from_key };
	bool has_from = row->from_key[0] != '\0';
	struct pending *op;
	int r;

	if (!where.store) {
		log_warn("recovery.store", "store='%s' key='%s' what='not configured here: kept in the cache directory'",
			 row->store, row->key);
		fs->foreign_rows++;
		keep_file(kept, row->file_id);
		return 0;
	}
	if (row->kind == 0 || row->kind >= PENDING_KINDS || !row->bucket[0] || !row->key[0]) {
		log_warn("recovery.row", "seq=%" PRIu64 " what='makes no sense, left alone'", row->seq);
		keep_file(kept, row->file_id);
		return 0;
	}
	if (row->kind == PENDING_OPENED && !passthrough_row_is_changed(fs->cache_fd, row)) {
		(void)journal_delete(fs->journal, row->seq); /* opened and never written: the cloud has all of it */
		return 0;
	}
	if (row->kind == PENDING_PUT && is_superseded(kept, row)) {
		kept->ticket = journal_delete(fs->journal, row->seq);
		return 0;
	}
	op = pending_new(fs, row->kind == PENDING_OPENED ? PENDING_PUT : (enum pending_kind)row->kind, row->seq, &where,
			 has_from ? &from : NULL);
	if (!op)
		return error_set(err, ERR_NO_MEMORY, "no memory to recover");
	FAULT_POINT("recovery-row");
	op->flags = row->flags;
	r = op->kind == PENDING_PUT ? recover_put(kept, op, row, err) :
	    op->kind == PENDING_ABORT ? recover_abort(op, row, err) : recover_name(kept, op, row, err);
	if (r > 0)
		r = set_aside(fs, op, row, r, err);
	if (r == 0 && op->node && !rare_make(op->node))
		r = error_set(err, ERR_NO_MEMORY, "no memory to recover");
	if (r == RECOVER_DOUBTFUL)
		return 0;
	if (r < 0) {
		struct error note = *err;

		log_error("recovery.row", "key='%s' error='%s'", row->key, err->message);
		fs_note_error_locked(fs, row->key, &note);
		if (op->node && op->node->put == op)
			op->node->put = NULL;
		pending_free(op);
		fs->lost_rows++;
		keep_file(kept, row->file_id);
		return 0; /* what remains of it stays in the cache directory and the journal */
	}
	pending_adopt_locked(fs, op);
	if (row->kind == PENDING_OPENED)
		(void)pending_update_locked(op); /* from now on an upload like any other */
	return 0;
}

static bool is_wanted(const struct fs *fs, const struct left_rows *kept, uint64_t id)
{
	for (const struct file *f = fs->cache.lru_first; f; f = f->lru_next)
		if (f->id == id)
			return true;
	for (size_t i = 0; i < kept->count; i++)
		if (kept->ids[i] == id)
			return true;
	return kept_has_locked(fs, id);
}

/* Of a journal that lost rows: then it may be somebody's data. */
static void sweep_one(struct fs *fs, uint64_t id, const char *name)
{
	struct error err = ERROR_INIT;
	struct stat st;

	if (fs->has_lost_rows && !strchr(name, '.') && fstatat(fs->cache_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size > 0) {
		if (durable_rescue(fs, id, NULL, "the journal was damaged and no longer says what this file is", &err) < 0)
			log_error("recovery.rescue", "error='%s'", err.message); /* it stays where it is */
		return;
	}
	if (fs->has_lost_rows && strchr(name, '.'))
		return; /* goes along with its file */
	(void)unlinkat(fs->cache_fd, name, 0);
}

/* Cache files that no row speaks of hold only what can be fetched again. */
static void sweep_cache(struct fs *fs, const struct left_rows *kept)
{
	int fd = openat(fs->cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		char *end;
		uint64_t id = strtoull(entry->d_name, &end, 16);

		if (end - entry->d_name != 16 || (*end && strcmp(end, ".map") != 0))
			continue;
		FAULT_POINT("recovery-sweep");
		if (!is_wanted(fs, kept, id))
			sweep_one(fs, id, entry->d_name);
	}
	(void)closedir(dir);
}

/* What was believed counts as of this boot from now on: the page cache holds it. Before the first change is answered. */
static int renew_rows(struct fs *fs, struct error *err)
{
	uint64_t ticket = 0;

	for (struct pending *op = fs->queue.first; op; op = op->next)
		if (op->is_of_other_boot && op->kind == PENDING_PUT) {
			op->is_of_other_boot = false;
			ticket = pending_update_locked(op);
		}
	return ticket ? journal_wait(fs->journal, ticket, err) : 0;
}

int recovery_run(struct fs *fs, struct error *err)
{
	struct left_rows kept = { .fs = fs, .sums = sumlog_load(fs->cache_fd), .look_bytes = LOOK_AT_MOST_BYTES };
	int r;

	if (!kept.sums)
		return error_set(err, ERR_NO_MEMORY, "no memory to recover");
	LOCKED(&fs->lock); /* nobody else is there yet; the functions below want it held */
	FAULT_POINT("recovery-begin");
	r = journal_each(fs->journal, note_upload, &kept, err);
	if (r == 0 && kept.last_count)
		qsort(kept.last, kept.last_count, sizeof(*kept.last), compare_last);
	if (r == 0)
		r = journal_each(fs->journal, recover_row, &kept, err);
	if (r == 0 && kept.ticket) /* else a kill would leave rows whose cache files the sweep has taken */
		r = journal_wait(fs->journal, kept.ticket, err);
	FAULT_POINT("recovery-rows-read");
	if (r == 0) {
		fs->has_lost_rows = journal_has_lost_rows(fs->cache_dir);
		sweep_cache(fs, &kept);
		journal_lost_rows_settled(fs->cache_dir);
	}
	FAULT_POINT("recovery-end");
	free(kept.ids);
	free(kept.last);
	sumlog_found_free(kept.sums);
	if (r < 0)
		return r;
	durable_count_rescued(fs);
	r = renew_rows(fs, err);
	if (r < 0)
		return r;
	if (fs->queue.count)
		log_info("recovery", "pending=%zu", fs->queue.count);
	return 0;
}
