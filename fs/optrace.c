#include "fs/optrace.h"

#include "backends/base/clock.h"
#include "backends/base/lock.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <string.h>

#define SLOTS 1024

static const char *const names[] = {
	[FUSE_LOOKUP] = "lookup",	[FUSE_GETATTR] = "getattr",	[FUSE_SETATTR] = "setattr",
	[FUSE_READLINK] = "readlink",	[FUSE_SYMLINK] = "symlink",	[FUSE_MKNOD] = "mknod",
	[FUSE_MKDIR] = "mkdir",		[FUSE_UNLINK] = "unlink",	[FUSE_RMDIR] = "rmdir",
	[FUSE_RENAME] = "rename",	[FUSE_LINK] = "link",		[FUSE_OPEN] = "open",
	[FUSE_READ] = "read",		[FUSE_WRITE] = "write",		[FUSE_STATFS] = "statfs",
	[FUSE_RELEASE] = "release",	[FUSE_FSYNC] = "fsync",		[FUSE_SETXATTR] = "setxattr",
	[FUSE_GETXATTR] = "getxattr",	[FUSE_LISTXATTR] = "listxattr", [FUSE_REMOVEXATTR] = "removexattr",
	[FUSE_FLUSH] = "flush",		[FUSE_OPENDIR] = "opendir",	[FUSE_READDIR] = "readdir",
	[FUSE_RELEASEDIR] = "releasedir", [FUSE_FSYNCDIR] = "fsyncdir", [FUSE_CREATE] = "create",
	[FUSE_FALLOCATE] = "fallocate", [FUSE_READDIRPLUS] = "readdirplus", [FUSE_RENAME2] = "rename",
	[FUSE_LSEEK] = "lseek",		[FUSE_COPY_FILE_RANGE] = "copy_file_range",
};

struct slot {
	uint64_t unique; /* 0: free */
	struct optrace_call call;
};
static const struct optrace_sink *_Atomic the_sink;
static struct lock slots_lock = LOCK_INIT;
static struct slot slots[SLOTS]; /* guarded by slots_lock */
static atomic_uint live;	 /* slots in use: most answers look no further */

void optrace_set(const struct optrace_sink *sink)
{
	atomic_store(&the_sink, sink);
}

/* The kernel's numbers are even and grow, so neighbours seldom meet. */
static struct slot *slot_of(uint64_t unique)
{
	return &slots[unique / 2 % SLOTS];
}

void optrace_request(const void *request, size_t len)
{
	const struct optrace_sink *sink = atomic_load_explicit(&the_sink, memory_order_acquire);
	struct fuse_in_header header;
	struct optrace_call call = { .name = NULL };
	struct slot *slot;

	if (!sink || len < sizeof header)
		return;
	memcpy(&header, request, sizeof header);
	memset(&trace_current, 0, sizeof trace_current);
	if (header.opcode < sizeof names / sizeof names[0])
		call.name = names[header.opcode];
	if (!call.name || !header.unique || !sink->begin(&call.context))
		return;
	call.begun_wall_ns = clock_wall_ns();
	LOCKED(&slots_lock);
	slot = slot_of(header.unique);
	if (slot->unique)
		return;
	*slot = (struct slot){ header.unique, call };
	atomic_fetch_add(&live, 1);
	trace_current = call.context;
}

static bool take_slot(uint64_t unique, struct optrace_call *ret)
{
	struct slot *slot = slot_of(unique);

	LOCKED(&slots_lock);
	if (slot->unique != unique)
		return false;
	*ret = slot->call;
	slot->unique = 0;
	atomic_fetch_sub(&live, 1);
	return true;
}

void optrace_answer(const void *header, size_t len)
{
	const struct optrace_sink *sink;
	struct fuse_out_header out;
	struct optrace_call call;

	if (atomic_load_explicit(&live, memory_order_relaxed) == 0 || len < sizeof out)
		return;
	memcpy(&out, header, sizeof out);
	sink = atomic_load_explicit(&the_sink, memory_order_acquire);
	if (!out.unique || !take_slot(out.unique, &call) || !sink)
		return;
	call.ended_wall_ns = clock_wall_ns();
	call.errnum = -out.error;
	sink->end(&call);
}
