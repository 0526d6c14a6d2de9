#include "fs/initpatch.h"
#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define FIXED_IN 317 /* libfuse's version from which nothing has to be added */

static atomic_bool is_patched;

static ssize_t device_read(int fd, void *buffer, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buffer, size);
}

/* The INIT reply is the first that is sent: a header and a struct fuse_init_out. */
static ssize_t device_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_init_out init;
	struct iovec patched[2];

	(void)userdata;
	if (atomic_load_explicit(&is_patched, memory_order_relaxed) || atomic_exchange(&is_patched, true) ||
	    count != 2 || iov[0].iov_len != sizeof(struct fuse_out_header) || iov[1].iov_len < 24 ||
	    iov[1].iov_len > sizeof(init))
		return writev(fd, iov, count);
	memcpy(&init, iov[1].iov_base, iov[1].iov_len);
	init.flags |= FUSE_PARALLEL_DIROPS;
	patched[0] = iov[0];
	patched[1] = (struct iovec){ &init, iov[1].iov_len };
	return writev(fd, patched, 2);
}

int initpatch_install(struct fuse_session *session)
{
	static const struct fuse_custom_io io = { .read = device_read, .writev = device_writev };

	if (fuse_version() >= FIXED_IN)
		return 0;
	atomic_store(&is_patched, false);
	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
