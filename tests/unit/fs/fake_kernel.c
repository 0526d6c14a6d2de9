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
	bool is_unwanted; /* the next one is refused, as by a kernel that forgot the request */
	char body[256];
	size_t body_len;
} answer = { .lock = LOCK_INIT }; /* guarded by its lock; arrived is made by kernel_connect */

static ssize_t catch_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *out = iov[0].iov_base;

	(void)fd, (void)userdata;
	LOCKED(&answer.lock);
	if (out->unique == 0) /* a notice, nobody waits for it */
		return out->len;
	answer.unique = out->unique;
	answer.error = answer.is_unwanted ? -EINTR : out->error;
	answer.ino = 0;
	answer.body_len = 0;
	for (int i = 1; i < count; i++) {
		size_t room = sizeof(answer.body) - answer.body_len;
		size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

		memcpy(answer.body + answer.body_len, iov[i].iov_base, len);
		answer.body_len += len;
	}
	if (count > 1 && iov[1].iov_len >= sizeof(struct fuse_entry_out))
		answer.ino = ((const struct fuse_entry_out *)iov[1].iov_base)->nodeid;
	cond_broadcast(&answer.arrived);
	if (answer.is_unwanted) {
		answer.is_unwanted = false;
		errno = ENOENT;
		return -1;
	}
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

/* struct fuse_open_out at `at` of the body. */
static void take_handle(size_t at, struct kernel_handle *ret)
{
	struct fuse_open_out out;

	assert_true(answer.body_len >= at + sizeof(out));
	memcpy(&out, answer.body + at, sizeof(out));
	ret->fh = out.fh;
	ret->flags = out.open_flags;
	memcpy(&ret->backing_id, answer.body + at + sizeof(out) - 4, 4);
}

int kernel_create(struct fs *fs, uint64_t parent_ino, const char *name, struct kernel_handle *ret)
{
	struct {
		struct fuse_create_in in;
		char name[256];
	} body = { .in = { .flags = O_RDWR | O_CREAT, .mode = 0600 | 0100000 } };
	int error;

	assert_true(strlen(name) < sizeof(body.name));
	memcpy(body.name, name, strlen(name));
	error = ask(fs, FUSE_CREATE, parent_ino, &body, sizeof(body.in) + strlen(name) + 1);
	if (error)
		return error;
	ret->ino = answer.ino;
	take_handle(sizeof(struct fuse_entry_out), ret);
	return 0;
}

int kernel_open(struct fs *fs, uint64_t ino, uint32_t flags, struct kernel_handle *ret)
{
	struct fuse_open_in in = { .flags = flags };
	int error = ask(fs, FUSE_OPEN, ino, &in, sizeof(in));

	if (error)
		return error;
	ret->ino = ino;
	take_handle(0, ret);
	return 0;
}

void kernel_release(struct fs *fs, const struct kernel_handle *h)
{
	struct fuse_release_in in = { .fh = h->fh };

	assert_int_equal(ask(fs, FUSE_RELEASE, h->ino, &in, sizeof(in)), 0);
}

int kernel_truncate(struct fs *fs, uint64_t ino, uint64_t size)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE, .size = size };

	return ask(fs, FUSE_SETATTR, ino, &in, sizeof(in));
}

void kernel_interrupt_next(void)
{
	LOCKED(&answer.lock);
	answer.is_unwanted = true;
}
