#include "tests/unit/fs/fake_kernel.h"

#include "backends/base/clock.h"
#include "fs/ops.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/uio.h>

#include <cmocka.h>

static struct {
	struct lock lock;
	struct cond arrived;
	uint64_t unique;
	int error;
	uint64_t ino;
} answer = { .lock = LOCK_INIT }; /* guarded by its lock; arrived is made by kernel_connect */

static ssize_t catch_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;

	(void)fd, (void)userdata;
	LOCKED(&answer.lock);
	answer.unique = out->unique;
	answer.error = out->error;
	answer.ino = 0;
	if (count > 1 && iov[1].iov_len >= sizeof(struct fuse_entry_out))
		answer.ino = ((const struct fuse_entry_out *)iov[1].iov_base)->nodeid;
	cond_broadcast(&answer.arrived);
	return out->len;
}

static ssize_t read_nothing(int fd, void *buffer, size_t size, void *userdata)
{
	(void)fd, (void)buffer, (void)size, (void)userdata;
	return 0;
}

/* Sends one request and waits for its answer. */
static int ask(struct fs *fs, uint32_t opcode, uint64_t ino, const void *body, size_t len)
{
	static uint64_t unique;
	uint64_t deadline = clock_mono_ms() + 30000;
	struct {
		struct fuse_in_header header;
		char body[1024];
	} request = { .header = { .len = (uint32_t)(sizeof(request.header) + len),
				  .opcode = opcode,
				  .unique = ++unique,
				  .nodeid = ino } };
	struct fuse_buf buf = { .size = request.header.len, .mem = &request };

	assert_true(len <= sizeof(request.body));
	memcpy(request.body, body, len);
	fuse_session_process_buf(fs->session, &buf);
	LOCKED(&answer.lock);
	while (answer.unique != unique)
		if (!cond_wait_until(&answer.arrived, &answer.lock, deadline))
			fail_msg("request %u was never answered", (unsigned)opcode);
	return answer.error;
}

void kernel_connect(struct fs *fs)
{
	static const struct fuse_custom_io io = { .writev = catch_reply, .read = read_nothing };
	struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION, .minor = 31 };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	cond_init(&answer.arrived);
	assert_int_equal(fuse_opt_add_arg(&args, "test"), 0);
	fs->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	fuse_opt_free_args(&args);
	assert_non_null(fs->session);
	/* libfuse wants a descriptor, which it closes; nothing passes through it. */
	assert_int_equal(
		fuse_session_custom_io(fs->session, &io, open("/dev/null", O_RDWR | O_CLOEXEC)), 0);
	assert_int_equal(ask(fs, FUSE_INIT, 0, &init, 16 /* of minor versions up to 35 */), 0);
}

int64_t kernel_lookup(struct fs *fs, uint64_t parent_ino, const char *name)
{
	int error = ask(fs, FUSE_LOOKUP, parent_ino, name, strlen(name) + 1);

	return error ? error : (int64_t)answer.ino;
}
