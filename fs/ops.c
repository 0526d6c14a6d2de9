#include "fs/ops.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/metrics.h"
#include "fs/pending.h"
#include "fs/file.h"
#include "fs/kept.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include <stdio.h>
#include <sys/stat.h>

#define BUDGET_LOG_MS 60000

static struct metric *requests[OPS_KINDS]; /* made by op_init, which the kernel asks for first */

static void requests_init(void)
{
	static const char *const names[OPS_KINDS] = { "lookup", "getattr", "setattr", "open",	 "create",  "read",
						      "write",	"flush",   "release", "opendir", "readdir", "getxattr" };
	char labels[96];

	for (size_t i = 0; i < OPS_KINDS; i++) {
		(void)snprintf(labels, sizeof(labels), "operation=\"%s\"", names[i]);
		requests[i] = metric_get(METRIC_COUNTER, "kernel_requests_total", labels);
	}
}

void ops_count(enum ops_kind kind)
{
	if (requests[kind])
		metric_add(requests[kind], 1);
}

void ops_stat_locked(const struct fs *fs, const struct node *n, struct stat *ret)
{
	(void)fs;
	if (n->file)
		passthrough_settle_locked(n->file);
	*ret = (struct stat){
		.st_ino = n->ino,
		.st_mode = n->mode,
		.st_nlink = n->is_detached ? 0 : node_is_dir(n) ? 2 : 1,
		.st_uid = n->uid,
		.st_gid = n->gid,
		.st_size = node_is_dir(n) ? 4096 : (off_t)n->size,
		.st_blksize = 1 << 20,
		.st_blocks = (blkcnt_t)((n->size + 511) / 512),
		.st_mtim = { n->mtime_ns / 1000000000, n->mtime_ns % 1000000000 },
		.st_atim = { n->mtime_ns / 1000000000, n->mtime_ns % 1000000000 },
		.st_ctim = { node_ctime_ns(n) / 1000000000, node_ctime_ns(n) % 1000000000 },
	};
	if (n->mtime_ns < 0 && ret->st_mtim.tv_nsec < 0) {
		ret->st_mtim.tv_sec--;
		ret->st_mtim.tv_nsec += 1000000000;
		ret->st_atim = ret->st_mtim;
	}
}

void ops_entry_locked(struct fs *fs, struct node *n, struct fuse_entry_param *ret)
{
	double ttl = (double)node_ttl_ms_locked(fs, n) / 1000;

	*ret = (struct fuse_entry_param){ .ino = n == fs->tree.mount_root ? 1 : n->ino,
					  .attr_timeout = ttl, .entry_timeout = ttl };
	if (n->file && n->file->pass.writers)
		ret->attr_timeout = 0; /* stores into mapped memory change its time, and the kernel does not notice */
	ops_stat_locked(fs, n, &ret->attr);
	n->nlookup += n->nlookup != UINT32_MAX;
}

void ops_entry_undo(struct fs *fs, struct fuse_entry_param *e)
{
	struct node *n;

	LOCKED(&fs->lock);
	n = tree_by_ino(&fs->tree, e->ino);
	if (n)
		tree_forget(&fs->tree, n, 1);
}

/* A budget that stopped refuses every call: it is told once a minute, with how often it was not told. */
static void log_budget(const char *what, const struct error *err)
{
	static _Atomic uint64_t next_mono_ms;
	static _Atomic unsigned more;
	uint64_t now = clock_mono_ms(), next = atomic_load(&next_mono_ms);

	if (now < next || !atomic_compare_exchange_strong(&next_mono_ms, &next, now + BUDGET_LOG_MS)) {
		atomic_fetch_add(&more, 1);
		return;
	}
	log_warn("request.failed", "what=%s error='%s' more=%u", what, err->message, atomic_exchange(&more, 0));
}

int ops_errno(int r, const struct error *err, const char *what)
{
	int errnum = err && err->kind ? error_errnum(err->kind) : -r;

	switch (err ? err->kind : ERR_NONE) {
	case ERR_NONE:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_NOT_EMPTY:
	case ERR_CANCELLED:
		break;
	case ERR_BUDGET:
		log_budget(what, err);
		break;
	default:
		log_warn("request.failed", "what=%s error='%s'", what, err->message);
	}
	return errnum;
}

int ops_commit(struct fs *fs, uint64_t ticket)
{
	struct error err = ERROR_INIT;

	if (!ticket || journal_wait(fs->journal, ticket, &err) == 0)
		return 0;
	log_error("journal.write", "error='%s'", err.message);
	return error_errnum(err.kind);
}

int ops_commit_put(struct fs *fs, struct node *n, uint64_t ticket)
{
	int errnum = ops_commit(fs, ticket);

	if (errnum || !ticket)
		return errnum;
	lock_take(&fs->lock);
	if (n->put && n->put->unsure_ticket <= ticket)
		n->put->unsure_ticket = 0;
	lock_drop(&fs->lock);
	return 0;
}

int ops_wait_names(struct fs *fs)
{
	uint64_t up_to, deadline = clock_mono_ms() + fs->options.timeout_ms;
	bool is_waiting = true;
	int errnum = 0;

	LOCKED(&fs->lock);
	up_to = fs->queue.last ? fs->queue.last->seq : 0;
	while (is_waiting && !errnum) {
		(void)pending_hurry_locked(fs, NULL, up_to);
		is_waiting = false;
		for (const struct pending *op = fs->queue.first; op && !errnum; op = op->next) {
			if (op->kind == PENDING_PUT || op->kind == PENDING_ABORT || op->seq > up_to)
				continue; /* a file's content follows when it is closed; an abort changes no name */
			is_waiting = true;
			if (op->is_failed)
				errnum = error_errnum(op->error.kind);
		}
		if (is_waiting && !errnum && !cond_wait_until(&fs->changed, &fs->lock, deadline))
			errnum = ETIMEDOUT;
	}
	return errnum;
}

int ops_commit_name(struct fs *fs, uint64_t ticket)
{
	int errnum = ops_commit(fs, ticket);

	return errnum || fs->options.writeback || !ticket ? errnum : ops_wait_names(fs);
}

struct parked *ops_park(fuse_req_t req, void (*run)(struct parked *p), fuse_ino_t ino, const char *name,
			const struct fuse_file_info *fi)
{
	struct parked *p = park_new(ops_fs(req), req, run, ino, name, fi);

	if (!p)
		fuse_reply_err(req, ENOMEM);
	return p;
}

void ops_wait_listing_unlock(struct parked *p, struct node *dir, unsigned max_pages)
{
	struct fs *fs = p->fs;
	struct job *job = NULL;
	int r = p->tries > 8 ? -EIO : listing_wait_locked(fs, dir, max_pages, p, &job);

	lock_drop(&fs->lock);
	if (r < 0)
		park_fail(p, -r);
	else if (job)
		workers_submit(fs->net, job);
}

int ops_need_file(struct fs *fs, fuse_ino_t ino, bool truncates, struct error *err)
{
	struct node *n;
	uint64_t id, size;
	int fd = -1, r = 0;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	/* Of an older version, left by somebody who was busy with it when the new one was seen: a change of it would belong to neither. */
	if (n && n->file && n->file->is_new_version && file_is_idle_locked(n->file))
		file_drop_locked(fs, n);
	r = !n ? -ESTALE : n->file ? file_open_fd_locked(n->file, err) : 1;
	size = n ? n->size : 0;
	if (r > 0 && !truncates && (fd = kept_take_locked(fs, n, &id)) >= 0) {
		r = file_attach_locked(fs, n, FILE_WHOLE, id, fd) ? 0 : -ENOMEM;
		if (r == 0)
			file_set_base_locked(n->file, node_version(n).text);
		else
			(void)close(fd);
	}
	lock_drop(&fs->lock);
	if (r <= 0)
		return r;
	r = file_make(fs, &id, &fd, err);
	if (r < 0)
		return r;
	if (size && ftruncate(fd, (off_t)size) < 0) {
		r = error_errno(err, errno, "cannot size a cache file");
		file_unmake(fs, id, fd);
		return r;
	}
	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n && !n->file && n->size == size) {
		r = file_attach_locked(fs, n, size == 0 ? FILE_WHOLE : FILE_SPARSE, id, fd) ? 0 : -ENOMEM;
		if (r == 0)
			fd = -1;
	} else {
		r = n && n->file ? file_open_fd_locked(n->file, err) : -ESTALE;
	}
	lock_drop(&fs->lock);
	if (fd >= 0)
		file_unmake(fs, id, fd);
	return r;
}

/* From libfuse 3.17 on flags have 64 bits, and functions of their own. */
static void want(struct fuse_conn_info *conn, unsigned flag, bool is_wanted)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
	if (is_wanted)
		(void)fuse_set_feature_flag(conn, flag);
	else
		fuse_unset_feature_flag(conn, flag);
#else
	conn->want = is_wanted ? conn->want | (conn->capable & flag) : conn->want & ~flag;
#endif
}

static void agree_on_passthrough(struct fs *fs, struct fuse_conn_info *conn)
{
	bool has_kernel;

	lock_take(&fs->lock);
	passthrough_prepare(fs);
	atomic_store(&fs->initpatch.wants_passthrough, !fs->pass.obstacle);
	lock_drop(&fs->lock);
#ifdef FUSE_CAP_PASSTHROUGH
	has_kernel = !fs->pass.obstacle && fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
#else
	(void)conn;
	has_kernel = atomic_load(&fs->initpatch.offers_passthrough);
#endif
	passthrough_agreed(fs, has_kernel);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	requests_init();
	/* Measured: splice costs more than it saves here; write-back caching in the kernel hides sizes from us, and forbids
	 * passthrough. */
	want(conn, FUSE_CAP_SPLICE_READ, false);
	want(conn, FUSE_CAP_SPLICE_WRITE, false);
	want(conn, FUSE_CAP_SPLICE_MOVE, false);
	want(conn, FUSE_CAP_WRITEBACK_CACHE, false);
	want(conn, FUSE_CAP_ASYNC_READ, true);
	want(conn, FUSE_CAP_PARALLEL_DIROPS, true);
	want(conn, FUSE_CAP_ATOMIC_O_TRUNC, true);
	want(conn, FUSE_CAP_HANDLE_KILLPRIV, true);
	if (fs->options.attrs_exact) { /* every name is looked up by itself then */
		want(conn, FUSE_CAP_READDIRPLUS, false);
		want(conn, FUSE_CAP_READDIRPLUS_AUTO, false);
	}
	conn->max_readahead = 1 << 20;
	conn->max_write = 1 << 20;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
	agree_on_passthrough(fs, conn);
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
};
