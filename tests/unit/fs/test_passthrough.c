/*
 * The bookkeeping of passthrough: backing ids and who holds them, what was written past us, and a kernel that refuses. The two ioctls
 * go to a table of ids here (the linker wraps ioctl in this program), which keeps the kernel's rules.
 */
#include "fs/change.h"
#include "fs/file.h"
#include "fs/ops.h"
#include "fs/passthrough.h"
#include "fs/pending.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/fake_kernel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#define PASSTHROUGH_FLAG (1u << 7) /* FOPEN_PASSTHROUGH */
#define IDS_MAX		 64

static struct {
	bool is_live[IDS_MAX]; /* by id; 0 is none */
	unsigned live, asked;
	int refusal;	/* errno of every open of an id; 0: none */
	int time_error; /* of futimens */
} ids;

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	uint32_t id;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	assert_int_equal(_IOC_TYPE(request), 229);
	if (_IOC_NR(request) == 1) {
		int32_t file;

		ids.asked++;
		memcpy(&file, arg, sizeof(file));
		assert_true(fcntl(file, F_GETFD) >= 0);
		if (ids.refusal) {
			errno = ids.refusal;
			return -1;
		}
		for (id = 1; ids.is_live[id]; id++)
			assert_true(id + 1 < IDS_MAX);
		ids.is_live[id] = true;
		ids.live++;
		return (int)id;
	}
	assert_int_equal(_IOC_NR(request), 2);
	memcpy(&id, arg, sizeof(id));
	assert_true(id > 0 && id < IDS_MAX &&
		    ids.is_live[id]); /* no id is closed twice, or before it was given */
	ids.is_live[id] = false;
	ids.live--;
	return 0;
}

int __real_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2])
{
	if (!ids.time_error)
		return __real_futimens(fd, times);
	errno = ids.time_error;
	return -1;
}

/* A mount whose kernel has passthrough, whatever this machine has. */
static int setup(void **state)
{
	struct bench *b;

	memset(&ids, 0, sizeof(ids));
	if (bench_setup(state) != 0)
		return -1;
	b = *state;
	kernel_connect(b->fs);
	LOCKED(&b->fs->lock);
	b->fs->options.cache_size = 1 << 20; /* a writer wants a fourth of that free on the disk */
	b->fs->options.upload_delay_ms = 0;
	b->fs->cache.disk_free_bytes = 1 << 20;
	b->fs->pass.obstacle = NULL;
	return 0;
}

static void create(struct bench *b, const char *name, struct kernel_handle *ret)
{
	assert_int_equal(kernel_create(b->fs, b->bucket->ino, name, ret), 0);
}

static void open_it(struct bench *b, uint64_t ino, uint32_t flags, struct kernel_handle *ret)
{
	assert_int_equal(kernel_open(b->fs, ino, flags, ret), 0);
}

/* What a program does through the kernel: the daemon sees nothing of it. */
static void write_past_us(struct bench *b, uint64_t ino, const char *text)
{
	LOCKED(&b->fs->lock);
	assert_int_equal(pwrite(tree_by_ino(&b->fs->tree, ino)->file->fd, text, strlen(text), 0),
			 strlen(text));
}

/* A file that is in the cloud, whole in the cache, with no handle: its inode number. */
static uint64_t make_uploaded(struct bench *b, const char *name)
{
	struct kernel_handle h;

	create(b, name, &h);
	write_past_us(
		b, h.ino,
		"hello"); /* an empty one is treated like a copy's target, by who reads another */
	kernel_release(b->fs, &h);
	bench_wait_idle(b);
	assert_int_equal(ids.live, 0);
	buf_clear(&b->cloud->log);
	return h.ino;
}

static void expect_passthrough(const struct kernel_handle *h, int32_t id)
{
	assert_true(h->flags & PASSTHROUGH_FLAG);
	assert_int_equal(h->backing_id, id);
}

static void expect_ordinary(const struct kernel_handle *h)
{
	assert_false(h->flags & PASSTHROUGH_FLAG);
	assert_int_equal(h->backing_id, 0);
}

static unsigned count_writers(struct bench *b)
{
	const struct file *before = NULL;
	unsigned n = 0;

	LOCKED(&b->fs->lock);
	for (const struct file *f = b->fs->pass.writers; f; f = f->pass.next, n++) {
		assert_ptr_equal(f->pass.prev, before);
		before = f;
	}
	return n;
}

static void one_id_serves_all_handles_and_goes_with_the_last(void **state)
{
	static const unsigned char orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						    { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct bench *b = *state;
	struct kernel_handle h[3];
	char name[8] = "f0";

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++, name[1]++) {
		bool has_writer = true, has_creator = true;

		create(b, name, &h[0]);
		open_it(b, h[0].ino, O_RDONLY, &h[1]);
		open_it(b, h[0].ino, O_WRONLY, &h[2]);
		for (size_t j = 0; j < 3; j++)
			expect_passthrough(&h[j], 1);
		for (size_t j = 0; j < 3; j++) {
			assert_int_equal(ids.live, 1);
			kernel_release(b->fs, &h[orders[i][j]]);
			has_creator = has_creator && orders[i][j] != 0;
			has_writer = has_writer && orders[i][j] != 2;
			/* While it is open for reading nobody can tell whether it is mapped for writing. */
			assert_int_equal(count_writers(b), has_creator || has_writer || j < 2);
		}
		assert_int_equal(ids.live, 0);
	}
	assert_int_equal(ids.asked, ARRAY_SIZE(orders));
}

static void files_have_ids_of_their_own(void **state)
{
	static const unsigned char orders[3][3] = { { 0, 1, 2 }, { 1, 2, 0 }, { 2, 0, 1 } };
	static const char *const names[3] = { "a", "b", "c" };
	struct bench *b = *state;
	struct kernel_handle h[3], again;

	for (size_t i = 0; i < 3; i++)
		make_uploaded(b, names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		for (size_t j = 0; j < 3; j++) {
			open_it(b, (uint64_t)kernel_lookup(b->fs, b->bucket->ino, names[j]), O_RDWR,
				&h[j]);
			expect_passthrough(&h[j], (int32_t)j + 1);
		}
		open_it(b, h[1].ino, O_RDONLY, &again);
		expect_passthrough(&again, 2);
		kernel_release(b->fs, &again);
		for (unsigned j = 0; j < 3; j++) {
			assert_int_equal(count_writers(b), 3 - j);
			kernel_release(b->fs, &h[orders[i][j]]);
			assert_int_equal(ids.live, 2 - j);
		}
	}
	assert_string_equal(buf_cstr(&b->cloud->log), ""); /* nobody wrote */
}

static void a_kernel_that_does_not_permit_it_is_asked_once(void **state)
{
	static const struct {
		int refusal;
		const char *why;
	} cases[] = { { EPERM, "CAP_SYS_ADMIN" }, { ELOOP, "stacked" }, { EOPNOTSUPP, "refuses" } };
	struct bench *b = *state;
	struct kernel_handle h[2];
	uint64_t ino = make_uploaded(b, "f");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		b->fs->pass.obstacle = NULL;
		ids.asked = 0;
		ids.refusal = cases[i].refusal;
		open_it(b, ino, O_RDONLY, &h[0]);
		open_it(b, ino, O_RDWR, &h[1]);
		expect_ordinary(&h[0]);
		expect_ordinary(&h[1]);
		assert_int_equal(ids.asked, 1);
		assert_non_null(strstr(b->fs->pass.obstacle, cases[i].why));
		kernel_release(b->fs, &h[0]);
		kernel_release(b->fs, &h[1]);
		assert_int_equal(count_writers(b), 0);
	}
	ids.refusal = 0; /* too late */
	create(b, "g", &h[0]);
	expect_ordinary(&h[0]);
	kernel_release(b->fs, &h[0]);
}

static void a_kernel_short_of_something_is_asked_again(void **state)
{
	static const int reasons[] = { ENOMEM, EMFILE, ENFILE };
	struct bench *b = *state;
	struct kernel_handle ordinary, second;
	uint64_t ino = make_uploaded(b, "f");

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		ids.refusal = reasons[i];
		open_it(b, ino, O_RDONLY, &ordinary);
		expect_ordinary(&ordinary);
		ids.refusal = 0;
		ids.asked = 0;
		open_it(b, ino, O_RDWR,
			&second); /* the kernel would refuse an id beside pages of its cache */
		expect_ordinary(&second);
		assert_int_equal(ids.asked, 0);
		kernel_release(b->fs, &ordinary);
		kernel_release(b->fs, &second);
		open_it(b, ino, O_RDWR, &second);
		expect_passthrough(&second, 1);
		kernel_release(b->fs, &second);
	}
	assert_int_equal(ids.live, 0);
	assert_null(b->fs->pass.obstacle);
}

static void what_was_written_past_us_is_found_at_the_close_and_goes_up(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f"), generation;
	struct kernel_handle writer, reader;
	struct node *n;

	open_it(b, ino, O_RDONLY, &reader);
	open_it(b, ino, O_RDWR, &writer);
	lock_take(&b->fs->lock);
	n = tree_by_ino(&b->fs->tree, ino);
	generation = n->file->generation;
	assert_true(n->file->pass.row_seq); /* it stands for what may come */
	assert_null(n->put);
	lock_drop(&b->fs->lock);
	write_past_us(b, ino, "hello, world");
	kernel_release(b->fs, &writer);
	lock_take(&b->fs->lock);
	assert_int_equal(n->size, 12);
	assert_true(n->file->generation > generation);
	/* One row stands for the file: its upload's or, if that is through already, that of a write through the handle that is kept. */
	assert_int_equal(n->file->pass.row_seq != 0, n->put == NULL);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	assert_string_equal(buf_cstr(&b->cloud->log), "put f, ");
	assert_int_equal(cloud_find(b->cloud, "f")->size, 12);
	kernel_release(b->fs, &reader);
	assert_int_equal(ids.live, 0);
}

/* Two machines that write as many bytes within a tick of the clock: who compares size and time must not take one for the other. */
static void what_was_written_in_one_tick_has_times_of_its_own(void **state)
{
	static const struct timespec tick[2] = { { .tv_nsec = UTIME_OMIT },
						 { .tv_sec = 1800000000, .tv_nsec = 4000000 } };
	struct bench *b = *state;
	struct kernel_handle h;
	int64_t times[3], first = INT64_C(1800000000004000000);

	create(b, "f", &h);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct node *n;

		b->fs->pass.time_salt = 1 + i / 2; /* another mount, of the same files */
		write_past_us(b, h.ino, i ? "b" : "a");
		LOCKED(&b->fs->lock);
		n = tree_by_ino(&b->fs->tree, h.ino);
		assert_int_equal(__real_futimens(n->file->fd, tick), 0);
		n->mtime_ns = 0;
		passthrough_settle_locked(n->file);
		times[i] = n->mtime_ns;
		assert_in_range(times[i], first, first + 65535);
	}
	assert_int_equal(times[0], times[1]);
	assert_int_not_equal(times[1], times[2]);
	kernel_release(b->fs, &h);
}

static void a_writer_that_wrote_nothing_costs_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f");
	struct kernel_handle h[2];
	struct node *n;

	open_it(b, ino, O_RDWR, &h[0]);
	open_it(b, ino, O_WRONLY, &h[1]);
	kernel_release(b->fs, &h[0]);
	lock_take(&b->fs->lock);
	n = tree_by_ino(&b->fs->tree, ino);
	assert_true(n->file->pass.row_seq); /* the other may still write */
	lock_drop(&b->fs->lock);
	kernel_release(b->fs, &h[1]);
	lock_take(&b->fs->lock);
	assert_null(n->put);
	assert_int_equal(n->file->pass.row_seq, 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	assert_string_equal(buf_cstr(&b->cloud->log), "");
}

static void an_open_that_fails_gives_back_what_it_took(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f");
	struct kernel_handle reader, h;

	ids.time_error = EIO;
	assert_int_equal(kernel_open(b->fs, ino, O_RDWR, &h), -EIO);
	assert_int_equal(ids.live, 0);
	open_it(b, ino, O_RDONLY, &reader);
	assert_int_equal(kernel_open(b->fs, ino, O_RDWR, &h), -EIO);
	assert_int_equal(ids.live, 1); /* the reader's */
	assert_int_equal(count_writers(b), 0);
	ids.time_error = 0;
	open_it(b, ino, O_RDWR, &h);
	expect_passthrough(&h, 1);
	kernel_release(b->fs, &h);
	kernel_release(b->fs, &reader);
	assert_int_equal(ids.live, 0);
}

static void an_open_that_nobody_waits_for_any_more_is_closed_again(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f");
	struct kernel_handle h;

	for (int i = 0; i < 2; i++) {
		kernel_interrupt_next();
		assert_int_equal(kernel_open(b->fs, ino, i ? O_RDWR : O_RDONLY, &h), -EINTR);
		assert_int_equal(ids.live, 0);
		assert_int_equal(count_writers(b), 0);
	}
	kernel_interrupt_next();
	assert_int_equal(kernel_create(b->fs, b->bucket->ino, "g", &h), -EINTR);
	assert_int_equal(ids.live, 0);
}

/* As memory that is mapped: the cache file is open, and no handle tells. */
static int map_it(struct bench *b, uint64_t ino, int flags)
{
	char name[24];
	int fd;
	LOCKED(&b->fs->lock);

	fs_cache_name(tree_by_ino(&b->fs->tree, ino)->file->id, name);
	fd = openat(b->fs->cache_fd, name, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static unsigned count_open(struct bench *b, uint64_t ino)
{
	ops_close_unmapped(b->fs);
	LOCKED(&b->fs->lock);
	return tree_by_ino(&b->fs->tree, ino)->file->pass.opens;
}

static void what_is_stored_after_the_close_is_found_and_goes_up(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f");
	struct kernel_handle h;
	int fd;

	open_it(b, ino, O_RDWR, &h);
	fd = map_it(b, ino, O_RDWR);
	kernel_release(b->fs, &h);
	assert_int_equal(count_open(b, ino), 1);
	assert_int_equal(count_writers(b), 1);
	for (int i = 0; i < 2; i++) { /* it goes up though it is still mapped */
		buf_clear(&b->cloud->log);
		assert_int_equal(pwrite(fd, i ? "two" : "one", 3, 0), 3);
		lock_take(&b->fs->lock);
		passthrough_settle_all_locked(b->fs);
		assert_int_equal(b->fs->queue.count, 1);
		lock_drop(&b->fs->lock);
		bench_wait_idle(b);
		assert_string_equal(buf_cstr(&b->cloud->log), "put f, ");
	}
	assert_int_equal(pwrite(fd, "end", 3, 0), 3);
	assert_int_equal(close(fd), 0);
	assert_int_equal(count_open(b, ino), 0);
	assert_int_equal(count_writers(b), 0);
	bench_wait_idle(b);
	assert_int_equal(ids.live, 0);
}

static void one_handle_of_a_file_is_kept_for_all_that_is_mapped(void **state)
{
	struct bench *b = *state;
	uint64_t ino = make_uploaded(b, "f"), other = make_uploaded(b, "g");
	struct kernel_handle h[2];
	int reading, writing;

	open_it(b, other, O_RDONLY, &h[0]);
	reading = map_it(b, other, O_RDONLY);
	kernel_release(b->fs, &h[0]);
	assert_int_equal(count_open(b, other), 1);
	for (int i = 0; i < 3; i++) {
		open_it(b, ino, O_RDONLY, &h[0]);
		open_it(b, ino, O_RDWR, &h[1]);
		if (i == 0)
			writing = map_it(b, ino, O_RDWR);
		kernel_release(b->fs, &h[i & 1]);
		kernel_release(b->fs, &h[!(i & 1)]);
		assert_int_equal(count_open(b, ino), 1);
		assert_int_equal(count_writers(b), 1);
	}
	assert_int_equal(close(writing), 0);
	assert_int_equal(count_open(b, ino), 0);
	assert_int_equal(count_open(b, other), 1);
	assert_int_equal(count_writers(b), 0);
	assert_int_equal(close(reading), 0);
	open_it(b, other, O_RDONLY, &h[0]); /* finds out by itself */
	kernel_release(b->fs, &h[0]);
	assert_int_equal(count_open(b, other), 0);
	assert_int_equal(ids.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_id_serves_all_handles_and_goes_with_the_last,
						setup, bench_teardown),
		cmocka_unit_test_setup_teardown(files_have_ids_of_their_own, setup, bench_teardown),
		cmocka_unit_test_setup_teardown(a_kernel_that_does_not_permit_it_is_asked_once,
						setup, bench_teardown),
		cmocka_unit_test_setup_teardown(a_kernel_short_of_something_is_asked_again, setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(
			what_was_written_past_us_is_found_at_the_close_and_goes_up, setup,
			bench_teardown),
		cmocka_unit_test_setup_teardown(what_was_written_in_one_tick_has_times_of_its_own,
						setup, bench_teardown),
		cmocka_unit_test_setup_teardown(a_writer_that_wrote_nothing_costs_nothing, setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(an_open_that_fails_gives_back_what_it_took, setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(
			an_open_that_nobody_waits_for_any_more_is_closed_again, setup,
			bench_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_stored_after_the_close_is_found_and_goes_up, setup, bench_teardown),
		cmocka_unit_test_setup_teardown(
			one_handle_of_a_file_is_kept_for_all_that_is_mapped, setup, bench_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
