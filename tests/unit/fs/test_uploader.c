/* The upload of a file's content, beside those who change it. */
#include "backends/base/fileio.h"
#include "tests/unit/fs/fake_cloud.h"
#include "fs/change.h"
#include "fs/file.h"
#include "fs/ops.h"
#include "fs/upload_private.h"
#include "tests/unit/fs/bench_use.h"
#include "tests/unit/fs/support.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct node *create(struct fs *fs, const char *name)
{
	struct node *n = NULL;
	uint64_t id, ticket;
	int fd;

	assert_int_equal(file_make(fs, &id, &fd, NULL), 0);
	LOCKED(&fs->lock);
	assert_int_equal(change_create_locked(fs, 1, name, S_IFREG | 0644, 0, 0, id, fd, &n, &ticket, NULL), 0);
	tree_pin(n);
	n->file->writers++; /* as an open file handle does */
	return n;
}

static void a_write_that_an_upload_overtakes_goes_up_with_the_next(void **state)
{
	struct bench *b = *state;
	struct fs *fs = b->fs;
	struct node *n = create(fs, "f");

	lock_take(&fs->lock);
	file_change_begin_locked(n->file); /* a write begins ... */
	(void)pending_hurry_locked(fs, NULL, UINT64_MAX); /* ... and sync sends what is there so far: nothing */
	while (n->put && (n->put->state != PENDING_BLOCKED || !node_has_version(n)))
		cond_wait(&fs->changed, &fs->lock);
	assert_non_null(n->put);
	lock_drop(&fs->lock);
	assert_int_equal(cloud_find(b->cloud, "f")->size, 0);

	assert_int_equal(fileio_pwrite_all(n->file->fd, "hello", 5, 0), 0);
	lock_take(&fs->lock);
	assert_int_equal(file_written_locked(n->file, 0, 5), 0);
	file_change_end_locked(n->file);
	n->file->writers--;
	pending_put_due_locked(fs, n, 0);
	lock_drop(&fs->lock);
	bench_wait_idle(b);
	assert_int_equal(cloud_find(b->cloud, "f")->size, 5);
	lock_take(&fs->lock);
	tree_unpin(&fs->tree, n);
	lock_drop(&fs->lock);
}

/* Descriptors of cache files of this bench, those of removed ones too. */
static unsigned count_cache_files(const struct bench *b)
{
	CLEANUP(freep) char *files = str_format("%s/files/", b->dir);
	DIR *fds = opendir("/proc/self/fd");
	char target[4096];
	unsigned count = 0;
	struct dirent *d;

	assert_non_null(fds);
	while ((d = readdir(fds)) != NULL) {
		ssize_t len = readlinkat(dirfd(fds), d->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		count += strncmp(target, files, strlen(files)) == 0 && strcmp(target + strlen(files), "sums.log") != 0;
	}
	(void)closedir(fds);
	return count;
}

/* Its cache file waits for its rows to go. When the journal cannot be written, as here, it is left to the next start. */
static void what_was_deleted_just_before_the_end_is_closed_with_the_mount(void **state)
{
	struct bench *b = *state;
	struct node *n = create(b->fs, "f");
	uint64_t ticket;

	lock_take(&b->fs->lock);
	n->file->writers--;
	pending_put_due_locked(b->fs, n, 0);
	lock_drop(&b->fs->lock);
	bench_wait_idle(b);
	bench_freeze(b);
	lock_take(&b->fs->lock);
	assert_int_equal(file_open_fd_locked(n->file, NULL), 0);
	assert_int_equal(change_unlink_locked(b->fs, n, &ticket, NULL), 0);
	assert_non_null(b->fs->cache.trash);
	b->fs->cache.trash->mark.ticket = UINT64_MAX;
	tree_unpin(&b->fs->tree, n);
	lock_drop(&b->fs->lock);
	bench_restart(b);
	assert_int_equal(count_cache_files(b), 0);
}

/* While somebody was busy with the old version, a listing brought the new one. Who changes the file then changes the new one. */
static void what_is_left_of_an_older_version_is_not_changed(void **state)
{
	struct bench *b = *state;
	struct node *n;

	cloud_put(b->cloud, "f", 5000);
	bench_list(b, "");
	n = bench_node(b, "f");
	assert_int_equal(ops_need_file(b->fs, n->ino, false, NULL), 0);
	assert_string_equal(n->file->base_version, node_version(n).text);
	lock_take(&b->fs->lock);
	node_set_version(n, "newer");
	n->file->is_new_version = true;
	lock_drop(&b->fs->lock);
	assert_int_equal(ops_need_file(b->fs, n->ino, false, NULL), 0);
	assert_string_equal(n->file->base_version, "newer");
	assert_false(n->file->is_new_version);
}

/* What leaks here, the address sanitizer finds: the parts and their upload point at each other, and nothing else points at them. */
static void an_upload_kept_for_its_next_try_goes_with_the_mount(void **state)
{
	struct bench *b = *state;
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct upload *u;

	bench_freeze(b);
	lock_take(&b->fs->lock);
	u = upload_new_locked(n->file);
	assert_non_null(u);
	assert_non_null(upload_part_at_locked(u, 1));
	lock_drop(&b->fs->lock);
	bench_restart(b);
}

/* The pools may have stopped by then, and would run the abort where the lock is held. */
static void an_upload_given_up_while_the_mount_ends_does_not_ask_the_store(void **state)
{
	struct bench *b = *state;
	struct node *n = bench_make_file(b, b->bucket, "f");
	struct upload *u;

	bench_freeze(b);
	lock_take(&b->fs->lock);
	u = upload_new_locked(n->file);
	assert_non_null(u);
	u->id = strdup("id");
	assert_non_null(upload_part_at_locked(u, 0));
	upload_discard_locked(n->file); /* asked with the lock held, the store would stop the program */
	assert_null(n->file->upload);
	lock_drop(&b->fs->lock);
	assert_int_equal(workers_queued(b->fs->parts), 0);
}

/* An upload that still goes by the old size asks for the rest of the file while it is cut. What lay beyond the new end is in no
 * version of the object perhaps (then the file would count as changed by others), and must not be written into the cache file. */
static void what_was_cut_off_is_not_fetched_again(void **state)
{
	struct bench *b = *state;
	struct node *n;
	struct file *f;
	struct job *jobs = NULL;
	struct stat st;
	uint64_t id;
	int fd;

	cloud_put(b->cloud, "f", 100);
	bench_list(b, "");
	n = bench_node(b, "f");
	assert_non_null(n);
	assert_int_equal(file_make(b->fs, &id, &fd, NULL), 0);
	assert_int_equal(ftruncate(fd, 100), 0);
	lock_take(&b->fs->lock);
	f = file_attach_locked(b->fs, n, FILE_SPARSE, id, fd);
	assert_non_null(f);
	f->busy++;
	assert_int_equal(extents_add(&f->present, 0, 100), 0);
	lock_drop(&b->fs->lock);
	assert_int_equal(file_truncate(f, 40, NULL), 0);
	lock_take(&b->fs->lock);
	assert_int_equal(fetch_plan_locked(f, 0, 100, false, &jobs, NULL), 1);
	assert_null(jobs);
	assert_null(f->fetches);
	lock_drop(&b->fs->lock);
	assert_int_equal(fetch_fill(f, 60, 100, NULL), 0);
	assert_int_equal(fstat(f->fd, &st), 0);
	assert_int_equal(st.st_size, 40);
	lock_take(&b->fs->lock);
	f->busy--;
	lock_drop(&b->fs->lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_write_that_an_upload_overtakes_goes_up_with_the_next, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(what_was_deleted_just_before_the_end_is_closed_with_the_mount,
						bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(what_is_left_of_an_older_version_is_not_changed, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(an_upload_kept_for_its_next_try_goes_with_the_mount, bench_setup,
						bench_teardown),
		cmocka_unit_test_setup_teardown(an_upload_given_up_while_the_mount_ends_does_not_ask_the_store,
						bench_setup, bench_teardown),
		cmocka_unit_test_setup_teardown(what_was_cut_off_is_not_fetched_again, bench_setup, bench_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
