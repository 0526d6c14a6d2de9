#include "tests/unit/fs/bench_use.h"

#include "fs/change.h"
#include "fs/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

void bench_list_pages(struct bench *b, struct node *dir, unsigned max_pages)
{
	struct job *job = NULL;

	lock_take(&b->fs->lock);
	assert_int_equal(listing_wait_locked(b->fs, dir, max_pages, NULL, &job), 0);
	lock_drop(&b->fs->lock);
	assert_non_null(job);
	job->run(job);
}

void bench_list(struct bench *b, const char *path)
{
	bench_list_pages(b, *path ? bench_node(b, path) : b->bucket, 0);
}

void bench_put_all(struct bench *b, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cloud_put(b->cloud, keys[i], 1);
}

void bench_expect_names(struct bench *b, const char *path, const char *want)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(1 << 16);
	const struct node *dir = *path ? bench_node(b, path) : b->bucket;

	LOCKED(&b->fs->lock);
	assert_non_null(dir);
	for (const struct node *n = dir_of(dir)->first_child; n; n = node_next(n))
		if (node_exists(n))
			assert_int_equal(buf_addf(&names, "%s%s ", n->name,
						  n->type == NODE_CONT ? "+"
						  : node_is_dir(n)     ? "/"
								       : ""),
					 0);
	assert_string_equal(buf_cstr(&names), want);
}

enum lookup_answer bench_known(struct bench *b, const char *path, const char *name)
{
	struct node *n = NULL;

	LOCKED(&b->fs->lock);
	return lookup_known_locked(b->fs, *path ? bench_node(b, path) : b->bucket, name, &n);
}

int bench_look_up(struct bench *b, const char *path, const char *name)
{
	struct error err = ERROR_INIT;

	return lookup_remote(b->fs, *path ? bench_node(b, path)->ino : 1, name, &err);
}

struct node *bench_make_file(struct bench *b, struct node *dir, const char *name)
{
	struct node *n = NULL;
	uint64_t id, ticket;
	int fd;

	assert_int_equal(file_make(b->fs, &id, &fd, NULL), 0);
	LOCKED(&b->fs->lock);
	assert_int_equal(change_create_locked(b->fs, dir->ino, name, S_IFREG | 0600, 1, 2, id, fd,
					      &n, &ticket, NULL),
			 0);
	return n;
}

void bench_unlink(struct bench *b, const char *path)
{
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	assert_int_equal(change_unlink_locked(b->fs, bench_node(b, path), &ticket, NULL), 0);
}

void bench_rename(struct bench *b, const char *path, struct node *parent, const char *name)
{
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	assert_int_equal(
		change_rename_locked(b->fs, bench_node(b, path), parent, name, 0, &ticket, NULL),
		0);
}

void bench_mkdir(struct bench *b, const char *path, const char *name)
{
	struct node *n;
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	assert_int_equal(change_mkdir_locked(b->fs, *path ? bench_node(b, path) : b->bucket, name, 0755,
					     1, 2, &n, &ticket, NULL),
			 0);
}

void bench_rmdir(struct bench *b, const char *path)
{
	uint64_t ticket;

	LOCKED(&b->fs->lock);
	assert_int_equal(change_rmdir_locked(b->fs, bench_node(b, path), &ticket, NULL), 0);
}
