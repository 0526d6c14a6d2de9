#pragma once
/*
 * Purpose: a store of a few objects in memory that counts what it is asked, and a mount's inside
 *	(fs_new without fs_mount) on top of it.
 *
 * Threads: as any store; what tests set and read is theirs while nothing runs.
 */
#include "backends/base/lock.h"
#include "fs/core.h"

#define CLOUD_BUCKET "bucket"

struct cloud_object {
	char *key;
	uint64_t size, content; /* content: what a copy carries on */
	char version[STORE_VERSION_MAX];
};

struct cloud {
	struct store store;
	struct lock lock; /* guards all that follows */
	struct cond changed;
	struct cloud_object *objects; /* in order of key, all in CLOUD_BUCKET */
	size_t count, capacity;
	uint64_t contents;	    /* counts what was put */
	int64_t modified_wall_ns;   /* all objects say so */
	unsigned heads, lists;	    /* how often each was asked */
	unsigned page_keys;	    /* most of a page; 0: 1000 */
	bool is_held;		    /* changes wait */
	unsigned hold_after;	    /* so many more changes, then they wait; 0: never */
	bool has_jitter;	    /* calls take turns at random */
	const char *stray_key;	    /* every page begins with this key, asked for or not */
	const char *const *buckets; /* more of them, for bucket lists; ended by NULL */
	struct buf log;		    /* changes in order: "copy a>b, delete a, " */
	const char *lost_key;	    /* the next copy or put to this key is carried out, but its answer gets lost */
	/* Called without the lock, with hook_arg: */
	void (*on_ask)(void *arg);    /* before a HEAD or a page is looked for */
	void (*on_list)(void *arg);   /* with a page made but not yet returned */
	void (*on_change)(void *arg); /* after a change, on the thread that made it */
	void *hook_arg;
};

struct cloud *cloud_new(void);
void cloud_free(struct cloud *c);
void cloud_put(struct cloud *c, const char *key, uint64_t size); /* a new version if it is there */
void cloud_remove(struct cloud *c, const char *key);
const struct cloud_object *cloud_find(const struct cloud *c, const char *key);
void cloud_hold(struct cloud *c, bool is_held);
/* Fails the test unless that much was asked since the last call. */
void cloud_expect(struct cloud *c, unsigned heads, unsigned lists);

struct bench {
	struct cloud *cloud;
	struct store *stores[1];
	struct fs *fs;
	struct node *bucket; /* the root of the mount */
	char *dir;
};
int bench_setup(void **state); /* for cmocka */
int bench_teardown(void **state);
/* From now on operations queue but none begins, so that tests look at the queue in peace. */
void bench_freeze(struct bench *b);
/* The mount ends, with what is queued still to be done, and begins again. Nodes are other ones then. */
void bench_restart(struct bench *b);
void bench_wait_idle(struct bench *b); /* until nothing is pending */
/* The node at the path below the bucket, NULL when the tree has none. */
struct node *bench_node(struct bench *b, const char *path);
/* Makes what is missing as directories (pinned, so that they stay); the last as `type`. */
struct node *bench_grow(struct bench *b, const char *path, enum node_type type);
