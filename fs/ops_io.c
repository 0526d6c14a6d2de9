#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/intact.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/ops.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#define READ_MAX (1u << 20)

/* Buffers for replies are kept per thread: a megabyte is too dear to allocate for each read. */
static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;
static int buffer_error;

static void make_buffer_key(void)
{
	buffer_error = pthread_key_create(&buffer_key, free);
}

static char *thread_buffer(void)
{
	char *buffer;

	if (pthread_once(&buffer_once, make_buffer_key) || buffer_error)
		return NULL;
	buffer = pthread_getspecific(buffer_key);
	if (!buffer) {
		buffer = malloc(READ_MAX);
		if (buffer && pthread_setspecific(buffer_key, buffer)) {
			free(buffer);
			buffer = NULL;
		}
	}
	return buffer;
}

/* Bytes of the cache file into this thread's buffer: how many, or -errno. */
static ssize_t read_cache(const struct file *f, uint64_t offset, size_t size, char **ret_buffer)
{
	ssize_t got;

	*ret_buffer = thread_buffer();
	if (!*ret_buffer)
		return -ENOMEM;
	do {
		got = size ? pread(f->fd, *ret_buffer, size, (off_t)offset) : 0;
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -EIO : got;
}

static void read_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct node *n = ops_node(&p->fi);
	struct file *f = n->file;
	struct error err = ERROR_INIT;
	struct job *jobs = NULL;
	char *buffer = NULL;
	ssize_t got;
	uint64_t end;
	int r;

	if (p->err > 0 || p->tries > 20) {
		park_fail(p, p->err > 0 ? p->err : EIO);
		return;
	}
	lock_take(&fs->lock);
	passthrough_settle_locked(f);
	end = p->offset + p->size > n->size ? n->size : p->offset + p->size;
	r = p->offset >= end ? 1 : fetch_plan_locked(f, p->offset, end, p->tries == 0, &jobs, &err);
	if (r == 0)
		park_wait_locked(p, &f->readers_waiting);
	else
		f->busy++;
	lock_drop(&fs->lock);
	fetch_submit(fs, jobs);
	if (r == 0)
		return;
	if (r > 0)
		got = read_cache(f, p->offset, p->offset >= end ? 0 : (size_t)(end - p->offset), &buffer);
	else
		got = err.kind == ERR_PRECONDITION ? -ESTALE : -ops_errno(r, &err, "read");
	lock_take(&fs->lock);
	f->busy--; /* before the reply: after it the file may be closed and gone */
	lock_drop(&fs->lock);
	if (got < 0)
		fuse_reply_err(p->req, (int)-got);
	else
		fuse_reply_buf(p->req, buffer, (size_t)got);
	park_free(p);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct parked *p = ops_park(req, read_try, ino, NULL, fi);

	ops_count(OPS_READ);
	if (!p)
		return;
	p->size = size > READ_MAX ? READ_MAX : size;
	p->offset = (uint64_t)off;
	read_try(p);
}

#define LOOKS_FOR_ROOM 8 /* by the ticker: it evicts meanwhile what is clean */

/* Whether no upload can help, nor the ticker, which has looked often enough since the request was first without room. (How often it was
 * run again tells nothing: the end of each upload does that, and what is dirty is counted by the ticker.) */
static bool is_hopeless_locked(const struct fs *fs, struct parked *p)
{
	if (!p->looks_end)
		p->looks_end = fs->cache.looks + LOOKS_FOR_ROOM;
	return fs->cache.looks > p->looks_end && !fs->cache.dirty_bytes;
}

/* Room in the cache and on its disk. 1: yes; 0: park among the writers that wait for uploads (for as long as those move, and
 * `timeout` longer); or -ENOSPC where no upload can help. A file larger than the whole cache may outgrow it while it is written, as
 * long as the disk has room: nothing of it can be given back before it is closed. */
static int room_locked(struct fs *fs, struct parked *p, const struct file *f)
{
	uint64_t limit = fs->options.cache_size;

	if (fs->cache.disk_free_bytes < fs->cache.floor_bytes / 2 + p->size)
		return is_hopeless_locked(fs, p) ? -ENOSPC : 0;
	if (fs->cache.bytes + p->size <= limit || fs->cache.dirty_bytes + p->size <= limit)
		return 1;
	return f->accounted >= limit / 2 ? 1 : 0;
}

/* The common beginning of every change of content: 1: f is busy, no fetch in the way, PENDING_PUT is there (ticket);
 * 0: parked; or -errno. */
static int begin_change(struct parked *p, struct file *f, uint64_t start, uint64_t end, uint64_t *ret_ticket,
			struct error *err)
{
	struct fs *fs = p->fs;
	int r = 1;

	LOCKED(&fs->lock);
	if (end > ops_max_bytes_locked(f->node))
		return -EFBIG;
	if (!f->is_whole && file_has_fetch_locked(f, start, end)) {
		fetch_cancel_locked(f, FETCH_AHEAD, start, end);
		park_wait_locked(p, &f->exclusive_waiting);
		return 0;
	}
	r = room_locked(fs, p, f);
	if (r == 0) {
		(void)pending_hurry_locked(fs, NULL, UINT64_MAX);
		park_wait_locked(p, &fs->space_waiters);
		return 0;
	}
	if (r < 0)
		return r;
	if (f->is_new_version && !f->is_whole)
		return error_set(err, ERR_PRECONDITION, "the file changed in the cloud; open it again");
	r = pending_put_locked(fs, f->node, ret_ticket, err);
	if (r < 0)
		return r;
	file_change_begin_locked(f);
	fs->cache.disk_free_bytes -= p->size < fs->cache.disk_free_bytes ? p->size : fs->cache.disk_free_bytes;
	return 1;
}

static int end_change(struct fs *fs, struct file *f, uint64_t start, uint64_t end, int r)
{
	bool is_mixture;

	lock_take(&fs->lock);
	start = file_change_start_locked(f, start);
	if (r == 0)
		r = file_written_locked(f, start, end);
	is_mixture = file_keeps_log_locked(f);
	lock_drop(&fs->lock);
	if (r == 0 && is_mixture)
		r = file_log_dirty(f, start, end, NULL);
	lock_take(&fs->lock);
	file_change_end_locked(f);
	lock_drop(&fs->lock);
	return r;
}

/* The disk says that it is full before the ticker saw it: the write waits for uploads like those that come to a full cache. */
static bool waits_for_room(struct parked *p, ssize_t result)
{
	struct fs *fs = p->fs;
	LOCKED(&fs->lock);

	if (result != -ENOSPC || is_hopeless_locked(fs, p))
		return false;
	fs->cache.disk_free_bytes = 0;
	(void)pending_hurry_locked(fs, NULL, UINT64_MAX);
	park_wait_locked(p, &fs->space_waiters);
	return true;
}

static void write_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct node *n = ops_node(&p->fi);
	struct file *f = n->file;
	struct error err = ERROR_INIT;
	uint64_t ticket = 0;
	ssize_t written;
	int r, errnum;

	if (p->err > 0) {
		park_fail(p, p->err);
		return;
	}
	r = begin_change(p, f, p->offset, p->offset + p->size, &ticket, &err);
	if (r == 0)
		return;
	if (r < 0) {
		park_fail(p, ops_errno(r, &err, "write"));
		return;
	}
	FAULT_POINT("write-before");
	written = intact_write(f, p->data, p->size, p->offset);
	FAULT_POINT("write-after");
	r = end_change(fs, f, p->offset, p->offset + (uint64_t)(written > 0 ? written : 0), written < 0 ? (int)written : 0);
	if (waits_for_room(p, r))
		return;
	errnum = r < 0 ? -r : ops_commit_put(fs, n, ticket);
	if (errnum)
		fuse_reply_err(p->req, errnum);
	else
		fuse_reply_write(p->req, (size_t)written);
	park_free(p);
}

/* The quick way: no fetch, room, and the upload is queued already: no copy of the data is made. */
static bool write_at_once(fuse_req_t req, const char *data, size_t size, uint64_t offset, struct node *n)
{
	struct fs *fs = ops_fs(req);
	struct file *f = n->file;
	ssize_t written;
	bool is_free;
	int r;

	lock_take(&fs->lock);
	is_free = ((n->put && !n->put->unsure_ticket) || n->is_detached) && (f->is_whole || !f->fetches) &&
		  offset + size <= ops_max_bytes_locked(n) &&
		  (f->is_whole || !f->is_new_version) && fs->cache.bytes + size <= fs->options.cache_size &&
		  fs->cache.disk_free_bytes > fs->cache.floor_bytes / 2 + size;
	if (is_free) {
		file_change_begin_locked(f);
		fs->cache.disk_free_bytes -= size;
	}
	lock_drop(&fs->lock);
	if (!is_free)
		return false;
	FAULT_POINT("write-again-before");
	written = intact_write(f, data, size, offset);
	r = end_change(fs, f, offset, offset + (uint64_t)(written > 0 ? written : 0), written < 0 ? (int)written : 0);
	FAULT_POINT("write-again-after");
	if (r == -ENOSPC)
		return false; /* the slow way waits for room */
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_write(req, (size_t)written);
	return true;
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct node *n = ops_node(fi);
	struct parked *p;

	ops_count(OPS_WRITE);
	if (write_at_once(req, data, size, (uint64_t)off, n))
		return;
	p = ops_park(req, write_try, ino, NULL, fi);
	if (!p)
		return;
	p->size = size;
	p->offset = (uint64_t)off;
	p->data = malloc(size ? size : 1);
	if (!p->data) {
		park_fail(p, ENOMEM);
		return;
	}
	memcpy(p->data, data, size); /* the request's own buffer is libfuse's, which reuses it */
	write_try(p);
}

/* Zeros of a range: a hole where the disk can, written where not. */
static int zero_range(struct file *f, uint64_t start, uint64_t end)
{
	static const char zeros[65536];

	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)(end - start)) == 0)
		return 0;
	for (uint64_t at = start; at < end;) {
		size_t n = end - at > sizeof(zeros) ? sizeof(zeros) : (size_t)(end - at);
		int r = fileio_pwrite_all(f->fd, zeros, n, at);

		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

static void fallocate_try(struct parked *p)
{
	struct fs *fs = p->fs;
	struct node *n = ops_node(&p->fi);
	struct file *f = n->file;
	struct error err = ERROR_INIT;
	uint64_t ticket = 0, start = p->offset, end = p->offset + p->size, size;
	bool keeps_size = p->flags & FALLOC_FL_KEEP_SIZE;
	bool zeroes = p->flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	int r = p->err > 0 ? -p->err : begin_change(p, f, start, end, &ticket, &err), errnum;

	if (r == 0)
		return;
	if (r < 0) {
		park_fail(p, ops_errno(r, &err, "fallocate"));
		return;
	}
	lock_take(&fs->lock);
	passthrough_settle_locked(f);
	size = n->size;
	lock_drop(&fs->lock);
	r = 0;
	if (!keeps_size && end > size)
		r = file_truncate(f, end, &err);
	if (keeps_size && end > size)
		end = size;
	if (r == 0 && zeroes && start < end) {
		lock_take(&fs->lock);
		intact_forget_locked(f, start, end);
		lock_drop(&fs->lock);
		r = intact_settle(f);
		if (r == 0)
			r = zero_range(f, start, end);
		r = end_change(fs, f, start, end, r);
	} else {
		lock_take(&fs->lock);
		file_change_end_locked(f);
		lock_drop(&fs->lock);
	}
	errnum = r < 0 ? ops_errno(r, &err, "fallocate") : ops_commit_put(fs, n, ticket);
	fuse_reply_err(p->req, errnum);
	park_free(p);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	struct parked *p;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	p = ops_park(req, fallocate_try, ino, NULL, fi);
	if (!p)
		return;
	p->offset = (uint64_t)off;
	p->size = (uint64_t)len;
	p->flags = (unsigned)mode;
	fallocate_try(p);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct node *n = ops_node(fi);
	bool is_whole;
	uint64_t size;
	off_t at;
	int fd;

	(void)ino;
	lock_take(&fs->lock);
	passthrough_settle_locked(n->file);
	is_whole = n->file->is_whole;
	size = n->size;
	fd = n->file->fd;
	lock_drop(&fs->lock);
	if (off < 0 || (uint64_t)off >= size) {
		fuse_reply_err(req, ENXIO);
		return;
	}
	/* Holes of the cache file are holes of the file only when all of it is here; else everything counts as data. */
	at = is_whole ? lseek(fd, off, whence) : whence == SEEK_DATA ? off : (off_t)size;
	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

/* A whole clean object onto a file that is new and empty: the cloud copies, no byte moves. */
static int copy_in_cloud_locked(struct fs *fs, struct node *from, struct node *to, uint64_t *ret_ticket,
				struct error *err)
{
	CLEANUP(location_release) struct location source = LOCATION_INIT;
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	CLEANUP(location_release) struct location now = LOCATION_INIT;
	struct file *f = to->file;
	struct pending *copy;
	uint64_t seq;
	int r;

	passthrough_settle_locked(from->file);
	passthrough_settle_locked(f);
	if (f->pass.opens) /* it has to stay whole; see wants_copy in ops_file.c */
		return -EOPNOTSUPP;
	if (from->put || from->is_detached || to->is_detached || !node_has_version(from) || rare_of(from)->remote_key ||
	    tree_path_key(from, &source) < 0 || tree_remote_key(from, &now) < 0 || tree_path_key(to, &where) < 0 || source.store != where.store ||
	    !(source.store->caps & STORE_CAP_COPY) || !to->put || to->put->state == PENDING_RUNNING || f->upload ||
	    f->busy || to->size || to->expect == EXPECT_VERSION)
		return -EOPNOTSUPP;
	JOURNAL_GROUP(fs->journal);
	r = pending_op_locked(fs, PENDING_COPY, &where, &source, to, NULL, 0, ret_ticket, err);
	if (r < 0)
		return r;
	copy = fs->queue.last;
	if (!rare_of(from)->pending_count) /* else what is queued may make another version of it first */
		memcpy(copy->expect, node_version(from).text, STORE_VERSION_MAX);
	seq = tree_remote_seq(from) ? tree_remote_seq(from) : copy->seq;
	(void)pending_put_cancel_locked(fs, to);
	to->expect = EXPECT_ANY; /* from now on there is, or will be, an object that unlink has to delete */
	to->size = from->size;
	to->has_own_meta = false;
	node_set_version(to, node_version(from).text);
	r = tree_set_remote(to, &now, seq); /* until it is copied it is read where the original is now */
	f->is_whole = to->size == 0;
	intact_forget_all_locked(f);
	file_set_base_locked(f, node_version(from).text);
	f->generation++;
	file_account_locked(f);
	*ret_ticket = pending_update_locked(copy); /* with the size: a start before it is through shows what the row says */
	if (!node_has_version(to) || r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory to copy");
	return 0;
}

/* Makes the cache file as long as the copy will be, once no row speaks of it any more: a kill before would leave the row of an upload
 * of zeros. Nothing written to it meanwhile is cut off. An errno. */
static int lengthen(int fd, uint64_t size)
{
	struct stat st;

	FAULT_POINT("copy-journalled");
	if (fallocate(fd, 0, (off_t)size - 1, 1) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return errno;
	if (fstat(fd, &st) < 0 || ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0))
		return errno;
	return 0;
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct fs *fs = ops_fs(req);
	struct node *from = ops_node(fi_in), *to = ops_node(fi_out);
	struct error err = ERROR_INIT;
	uint64_t ticket = 0, size = 0;
	int r = -EOPNOTSUPP, fd = -1, errnum;

	(void)ino_in;
	(void)ino_out;
	(void)flags;
	lock_take(&fs->lock);
	if (off_in == 0 && off_out == 0 && len >= from->size && from->size > 0 && from->size <= UINT32_MAX && from != to)
		r = copy_in_cloud_locked(fs, from, to, &ticket, &err);
	if (r == 0) {
		size = from->size;
		fd = to->file->fd;
	}
	lock_drop(&fs->lock);
	if (r == 0) {
		r = intact_settle(to->file); /* its handle keeps it */
		FAULT_POINT("copy-queued");
	}
	errnum = r < 0 ? ops_errno(r, &err, "copy") : ops_commit(fs, ticket);
	if (!errnum)
		errnum = lengthen(fd, size);
	if (errnum)
		fuse_reply_err(req, errnum); /* EOPNOTSUPP: the kernel reads and writes */
	else
		fuse_reply_write(req, size);
}
