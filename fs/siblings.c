#include "fs/siblings.h"
#include "fs/file.h"
#include "fs/listing.h"
#include "fs/node_version.h"
#include "fs/ops.h"

#define SIBLINGS_NEAR 4

struct ahead {
	struct job job;
	struct fs *fs;
	uint64_t ino;
};

static bool is_small_file(const struct node *n)
{
	return n->type == NODE_FILE && n->size > 0 && !n->is_unsized && n->size <= SIBLINGS_SIZE;
}

/* Whether n is one of the next few small files after the one read last. */
static bool is_next(struct fs *fs, const struct node *dir, const struct node *n)
{
	const struct node *at = dir_of(dir)->last_read_ino ? tree_by_ino(&fs->tree, dir_of(dir)->last_read_ino) : NULL;

	if (!at || at->parent != dir)
		return false;
	at = node_next(at);
	for (unsigned seen = 0; at && seen < SIBLINGS_NEAR; at = node_next(at)) {
		if (at == n)
			return true;
		seen += is_small_file(at);
	}
	return false;
}

static void ahead_run(struct job *job)
{
	struct ahead *a = container_of(job, struct ahead, job);
	struct fs *fs = a->fs;
	struct error err = ERROR_INIT;
	struct job *jobs = NULL;
	struct node *n;

	if (ops_need_file(fs, a->ino, false, &err) == 0) {
		lock_take(&fs->lock);
		n = tree_by_ino(&fs->tree, a->ino);
		if (n && n->file && !n->file->is_whole && !n->file->fetches &&
		    fetch_plan_locked(n->file, 0, n->size, false, &jobs, &err) < 0)
			jobs = NULL; /* whoever opens it gets the error */
		for (struct fetch *t = n && n->file && jobs ? n->file->fetches : NULL; t; t = t->next) {
			t->is_demand = false;
			t->job.priority = NET_PREFETCH;
		}
		lock_drop(&fs->lock);
		fetch_submit(fs, jobs);
	}
	free(a);
}

static void ahead_drop(struct job *job)
{
	free(container_of(job, struct ahead, job));
}

/* The files to fetch now, as jobs to be submitted without the lock. */
static struct job *plan_locked(struct fs *fs, struct node *dir, struct node *n)
{
	unsigned wanted = SIBLINGS_FIRST, count = 0;
	struct job *jobs = NULL;

	for (unsigned i = 3; i < dir_of(dir)->reads_in_order && wanted < SIBLINGS_MOST; i++)
		wanted *= 2;
	for (struct node *s = node_next(n); s && count < wanted; s = node_next(s)) {
		struct ahead *a;

		if (!is_small_file(s))
			continue;
		count++;
		if (s->file || s->put || !node_has_version(s) || fs->cache.bytes + s->size > fs->options.cache_size / 2)
			continue;
		a = calloc(1, sizeof(*a));
		if (!a)
			break;
		*a = (struct ahead){ .job = { .run = ahead_run, .drop = ahead_drop, .priority = NET_PREFETCH },
				     .fs = fs, .ino = s->ino };
		a->job.next = jobs;
		jobs = &a->job;
	}
	return jobs;
}

void siblings_opened(struct fs *fs, uint64_t ino)
{
	struct job *jobs = NULL;
	struct node *n;

	lock_take(&fs->lock);
	n = tree_by_ino(&fs->tree, ino);
	if (n && n->parent && is_small_file(n) && n->parent->is_complete) {
		struct dir *dir = node_dir(n->parent);

		if (dir->last_read_ino != n->ino)
			dir->reads_in_order = is_next(fs, n->parent, n) ? dir->reads_in_order + 1 : 1;
		dir->last_read_ino = n->ino;
		if (dir->reads_in_order >= 3)
			jobs = plan_locked(fs, n->parent, n);
	}
	lock_drop(&fs->lock);
	fetch_submit(fs, jobs);
}
