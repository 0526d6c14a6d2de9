#include "fs/core.h"
#include "fs/passthrough.h"
#include <linux/fuse.h>

/* Not in the headers of Debian 12's kernel. */
#ifndef FOPEN_PASSTHROUGH
#define FOPEN_PASSTHROUGH (1u << 7)
#endif

/* The answers to OPEN and CREATE as linux/fuse.h has them from 7.40 on: the id stands where there was padding. */
static struct fuse_open_out open_out(const struct fuse_file_info *fi, int32_t backing_id)
{
	struct fuse_open_out out = {
		.fh = fi->fh,
		.open_flags = FOPEN_PASSTHROUGH | (fi->noflush ? FOPEN_NOFLUSH : 0),
	};

	_Static_assert(sizeof(out) == 16, "the id is the last of 16 bytes, whatever the header calls it");
	memcpy((char *)&out + 12, &backing_id, sizeof(backing_id));
	return out;
}

static void split_seconds(double seconds, uint64_t *ret_s, uint32_t *ret_ns)
{
	*ret_s = (uint64_t)seconds;
	*ret_ns = (uint32_t)((seconds - (double)*ret_s) * 1e9);
}

static struct fuse_attr attr_of(const struct stat *st)
{
	return (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.blksize = (uint32_t)st->st_blksize,
	};
}

int passthrough_reply_open(fuse_req_t req, const struct fuse_file_info *fi, int32_t backing_id)
{
	struct fuse_open_out out = open_out(fi, backing_id);

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *e, const struct fuse_file_info *fi,
			     int32_t backing_id)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = { .nodeid = e->ino, .generation = e->generation, .attr = attr_of(&e->attr) },
		.open = open_out(fi, backing_id),
	};

	split_seconds(e->entry_timeout, &out.entry.entry_valid, &out.entry.entry_valid_nsec);
	split_seconds(e->attr_timeout, &out.entry.attr_valid, &out.entry.attr_valid_nsec);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
