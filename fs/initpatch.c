#include "fs/initpatch.h"
#include "fs/core.h"
#include "fs/optrace.h"
#include <linux/fuse.h>

#define FIXED_IN 317 /* libfuse's version from which nothing has to be added */

/* Not in the headers of Debian 12's kernel. */
#define FLAG_INIT_EXT	   (1u << 30)
#define FLAG2_PASSTHROUGH  (1u << (37 - 32))
#define MINOR_PASSTHROUGH  40u
#define OFFSET_FLAGS2	   (offsetof(struct fuse_init_out, flags2))
#define OFFSET_STACK_DEPTH (OFFSET_FLAGS2 + sizeof(uint32_t))

static uint32_t get32(const void *at, size_t offset)
{
	uint32_t value;

	memcpy(&value, (const char *)at + offset, sizeof(value));
	return value;
}

static void put32(void *at, size_t offset, uint32_t value)
{
	memcpy((char *)at + offset, &value, sizeof(value));
}

bool initpatch_look(struct initpatch *p, const void *request, size_t len)
{
	const char *body = (const char *)request + sizeof(struct fuse_in_header);
	size_t need = sizeof(struct fuse_in_header) + offsetof(struct fuse_init_in, flags2) + sizeof(uint32_t);

	if (len < sizeof(struct fuse_in_header) || get32(request, offsetof(struct fuse_in_header, opcode)) != FUSE_INIT)
		return false;
	if (len >= need && (get32(body, offsetof(struct fuse_init_in, flags)) & FLAG_INIT_EXT) &&
	    (get32(body, offsetof(struct fuse_init_in, flags2)) & FLAG2_PASSTHROUGH) &&
	    get32(body, offsetof(struct fuse_init_in, minor)) >= MINOR_PASSTHROUGH)
		atomic_store(&p->offers_passthrough, true);
	return true;
}

void initpatch_amend(const struct initpatch *p, void *reply, size_t len)
{
	if (len < offsetof(struct fuse_init_out, flags) + sizeof(uint32_t))
		return;
	put32(reply, offsetof(struct fuse_init_out, flags),
	      get32(reply, offsetof(struct fuse_init_out, flags)) | FUSE_PARALLEL_DIROPS);
	if (!atomic_load(&p->wants_passthrough) || !atomic_load(&p->offers_passthrough) ||
	    len < OFFSET_STACK_DEPTH + sizeof(uint32_t))
		return;
	put32(reply, offsetof(struct fuse_init_out, minor), MINOR_PASSTHROUGH);
	put32(reply, offsetof(struct fuse_init_out, flags),
	      get32(reply, offsetof(struct fuse_init_out, flags)) | FLAG_INIT_EXT);
	put32(reply, OFFSET_FLAGS2, get32(reply, OFFSET_FLAGS2) | FLAG2_PASSTHROUGH);
	put32(reply, OFFSET_STACK_DEPTH, 1); /* cache files lie on an ordinary file system, we are on top */
}

static ssize_t device_read(int fd, void *buffer, size_t size, void *userdata)
{
	struct initpatch *p = &((struct fs *)userdata)->initpatch;
	ssize_t got = read(fd, buffer, size);

	if (got > 0 && !atomic_load_explicit(&p->has_seen, memory_order_relaxed) &&
	    initpatch_look(p, buffer, (size_t)got))
		atomic_store(&p->has_seen, true);
	if (got > 0)
		optrace_request(buffer, (size_t)got);
	return got;
}

/* The INIT reply is the first that is sent: a header and a struct fuse_init_out. */
static ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct initpatch *p = &((struct fs *)userdata)->initpatch;
	char init[sizeof(struct fuse_init_out)];
	struct iovec patched[2];

	if (count > 0)
		optrace_answer(iov[0].iov_base, iov[0].iov_len);
	if (atomic_load_explicit(&p->is_answered, memory_order_relaxed) || atomic_exchange(&p->is_answered, true) ||
	    count != 2 || iov[0].iov_len != sizeof(struct fuse_out_header) || iov[1].iov_len > sizeof(init))
		return writev(fd, iov, count);
	memcpy(init, iov[1].iov_base, iov[1].iov_len);
	initpatch_amend(p, init, iov[1].iov_len);
	patched[0] = iov[0];
	patched[1] = (struct iovec){ init, iov[1].iov_len };
	return writev(fd, patched, 2);
}

int initpatch_install(struct fuse_session *session)
{
	static const struct fuse_custom_io io = { .read = device_read, .writev = device_writev };

	if (fuse_version() >= FIXED_IN)
		return 0;
	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
