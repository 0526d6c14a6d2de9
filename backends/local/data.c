#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <string.h>

int data_check(const struct data_watch *w, struct error *err)
{
	if (cancel_is_fired(w->cancel))
		return error_set(err, ERR_CANCELLED, "the caller gave up");
	if (w->deadline_mono_ms && clock_mono_ms() >= w->deadline_mono_ms)
		return error_set(err, ERR_TIMEOUT, "the time for it is over");
	return 0;
}

/* One step through memory, where the kernel does not copy between these two files. */
static int copy_step_by_hand(int from, uint64_t from_offset, int to, uint64_t to_offset, size_t len)
{
	CLEANUP(freep) char *block = malloc(len);
	int r;

	if (!block)
		return -ENOMEM;
	r = fileio_pread_all(from, block, len, from_offset);
	return r < 0 ? r : fileio_pwrite_all(to, block, len, to_offset);
}

static int copy_step(int from, uint64_t from_offset, int to, uint64_t to_offset, size_t len)
{
	while (len) {
		off_t in = (off_t)from_offset, out = (off_t)to_offset;
		ssize_t n = copy_file_range(from, &in, to, &out, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
			return -errno;
		/* Any other refusal (file systems that differ, O_APPEND, old kernels), or a 0 that some
		 * file systems give before the end: the plain way decides. */
		if (n <= 0)
			return copy_step_by_hand(from, from_offset, to, to_offset, len);
		from_offset += (uint64_t)n;
		to_offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void data_report(const struct data_watch *w, uint64_t position, size_t len)
{
	if (w->progress)
		atomic_store(w->progress, position + len);
	if (w->on_data && len)
		w->on_data(w->arg, position, len);
}

int data_copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length,
	      const struct data_watch *w, struct error *err)
{
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < LOCAL_STEP ? (size_t)(length - done) : LOCAL_STEP;
		int r = data_check(w, err);

		if (r < 0)
			return r;
		r = copy_step(from, from_offset + done, to, to_offset + done, step);
		if (r == -ENODATA)
			return error_set(err, ERR_IO, "a file became shorter while it was copied");
		if (r < 0)
			return error_errno(err, -r, "copying");
		data_report(w, done, step);
		done += step;
	}
	return 0;
}

int data_from_source(const struct store_source *source, int to, uint64_t to_offset,
		     const struct data_watch *w, struct error *err)
{
	if (source->fd >= 0)
		return data_copy(source->fd, source->offset, to, to_offset, source->length, w, err);
	for (size_t done = 0; done < source->mem.len;) {
		size_t step = source->mem.len - done;
		int r = data_check(w, err);

		if (r < 0)
			return r;
		step = step < LOCAL_STEP ? step : LOCAL_STEP;
		r = fileio_pwrite_all(to, source->mem.ptr + done, step, to_offset + done);
		if (r < 0)
			return error_errno(err, -r, "writing");
		data_report(w, done, step);
		done += step;
	}
	return 0;
}

static int data_to_buf(int from, const struct store_get_args *args, uint64_t length,
		       const struct data_watch *w, struct buf *buf, struct error *err)
{
	int r;

	if (length > buf->limit || buf->len > buf->limit - length)
		return error_set(err, ERR_TOO_LARGE, "%llu bytes are more than the reader takes",
				 (unsigned long long)length);
	r = buf_reserve(buf, (size_t)length);
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for %llu bytes",
				 (unsigned long long)length);
	for (uint64_t done = 0; done < length;) {
		size_t step = length - done < LOCAL_STEP ? (size_t)(length - done) : LOCAL_STEP;

		r = data_check(w, err);
		if (r < 0)
			return r;
		r = fileio_pread_all(from, buf->data + buf->len, step, args->offset + done);
		if (r == -ENODATA)
			return error_set(err, ERR_IO, "a file became shorter while it was read");
		if (r < 0)
			return error_errno(err, -r, "reading");
		buf->len += step;
		buf->data[buf->len] = '\0';
		data_report(w, done, step);
		done += step;
	}
	return 0;
}

int data_to_sink(int from, const struct store_get_args *args, uint64_t length,
		 struct store_sink *sink, struct error *err)
{
	struct data_watch w = { .cancel = args->cancel,
				.deadline_mono_ms = args->deadline_mono_ms,
				.on_data = sink->on_data,
				.arg = sink->arg };
	int r = data_check(&w, err);

	if (r < 0)
		return r;
	if (sink->buf)
		return data_to_buf(from, args, length, &w, sink->buf, err);
	return data_copy(from, args->offset, sink->fd, sink->fd_offset, length, &w, err);
}

int temp_open(struct local *l, struct temp *ret, struct error *err)
{
	unsigned char id[16];
	int fd;

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), ret->name);
	fd = openat(l->tmp_fd, ret->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		int errnum = errno;

		ret->name[0] = '\0';
		return error_errno(err, errnum, "a temporary file below '%s'", l->root);
	}
	ret->local = l;
	ret->fd = fd;
	return 0;
}

int temp_sync(struct temp *t, struct error *err)
{
	if (t->local->skips_fsync)
		return 0;
	if (fsync(t->fd) < 0)
		return error_errno(err, errno, "fsync below '%s'", t->local->root);
	return 0;
}

void temp_release(struct temp *t)
{
	if (t->fd >= 0) {
		if (t->name[0]) {
			struct stat st;

			if (fstat(t->fd, &st) == 0)
				record_forget(t->local, "", st.st_ino);
			(void)unlinkat(t->local->tmp_fd, t->name, 0); /* swept at the next start */
		}
		(void)close(t->fd); /* synced before, or not wanted */
	}
	*t = TEMP_INIT;
}
