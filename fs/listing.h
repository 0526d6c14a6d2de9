#pragma once
/*
 * Purpose: what the cloud says about names, brought into the tree: listings, single look-ups, attributes.
 *
 * Rules (design: few requests):
 *  - A directory whose listing is fresh answers every name in it, missing ones too, without a request.
 *  - Else one look-up is one HEAD, and one LIST of one key only when that says no. The second look-up in the same
 *    directory asks for its first page of listing instead; if that is not all, further ones are HEADs again, until
 *    LISTING_MANY of them make ten pages worth while. Look-ups that go through many directories are served like a walk
 *    (walk.h). Only readdir lists a directory to its end.
 *  - A listing that began before a local change of a name knows nothing about that name (node.changed).
 * Threads: *_locked need fs.lock; the rest must be called without it, on a worker where it says "blocks".
 */
#include "fs/attrs.h"
#include "fs/core.h"
#include "fs/park.h"
#include "fs/pending_view.h"

#define LISTING_MANY 8
#define FOLDER_SUFFIX "_$folder$" /* an empty object of this name keeps a directory, for Hadoop's tools of old */

struct listing {
	struct job job;
	struct fs *fs;
	struct node *dir; /* pinned */
	struct location where;	  /* as the cloud was asked */
	struct location path;	  /* as the view has it; while a page is taken */
	struct question question; /* its `began` is also its number: what the listing saw carries it */
	bool needs_again; /* something became plain only at the end */
	char **doubts;	  /* unknown directories of this page in which something is on its way out: their keys */
	size_t doubt_count, doubt_capacity;
	bool is_settling; /* these are looked at: what comes now is known to stay */
	bool is_stale;	  /* the directory lies elsewhere by now, or memory was short: what was not seen may well be there */
	unsigned max_pages;	/* guarded by fs.lock; 0: to the end */
	uint64_t walk_root_ino; /* 0: it is no part of a walk (walk.h) */
	uint64_t progress_ms;
	struct parked *waiting; /* guarded by fs.lock */
};

enum lookup_answer { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_UNKNOWN };
/* What is known of a name without a request. Only for FOUND *ret is set. */
enum lookup_answer lookup_known_locked(struct fs *fs, struct node *dir, const char *name, struct node **ret);
/* Whether a directory's children are all known, and still believed. */
bool listing_is_fresh_locked(struct fs *fs, const struct node *dir);
/* The same for who has to know now whether it is empty: in strict mode, where nothing stays fresh, a listing just made will do. */
bool listing_is_just_made_locked(struct fs *fs, const struct node *dir);
/* How long (ms) the kernel may believe what it is told about a node; 0 in strict mode. */
uint64_t node_ttl_ms_locked(struct fs *fs, const struct node *n);
bool node_is_local_locked(const struct node *n); /* has changes the cloud has not seen, or is being written */
/* Whether the node, or something below it, exists here only, so far, or was changed after tree.changes was `began`: then an answer
 * asked for at that moment cannot take it away. */
bool node_is_news_locked(const struct node *n, uint64_t began);

/* Hangs p on the directory's listing, starting one if none runs; max_pages 0: to the end. After unlocking, submit *ret_job
 * when not NULL. -ENOMEM, or the error of finding the directory's key. */
int listing_wait_locked(struct fs *fs, struct node *dir, unsigned max_pages, struct parked *p, struct job **ret_job) MUST_CHECK;

/* For walk.c, which gets the pages otherwise. A listing that dir has from now on, of a question asked by the caller; NULL without
 * memory. What a page of dir shows goes into the tree. The end, and is freed: r and err tell whether the cloud answered, is_complete
 * whether all of dir was shown. */
struct listing *listing_begin_locked(struct fs *fs, struct node *dir, uint64_t began);
void listing_take(struct listing *l, const struct store_page *page);
/* After each page: looks at the directories that only what is being deleted may hold. Blocks. */
int listing_settle(struct listing *l, struct error *err) MUST_CHECK;
/* TOO_LARGE when the tree must not grow any more. */
int listing_has_room(struct listing *l, struct error *err) MUST_CHECK;
void listing_end(struct listing *l, int r, bool is_complete, const struct error *err);

/* Asks the cloud for one name and brings the answer into the tree. Blocks. 0 (found or known absent now) or -errno. */
int lookup_remote(struct fs *fs, uint64_t dir_ino, const char *name, struct error *err) MUST_CHECK;
/* Whether one of the keys below a prefix, of which some are on their way out, stays. Blocks. */
int lookup_any_stays(struct fs *fs, const struct store *store, const struct listed_key *below, bool *ret_stays,
		     struct error *err) MUST_CHECK;
/* Fetches a node's full metadata (mode, owner, times, xattrs). Blocks. */
int lookup_attrs(struct fs *fs, uint64_t ino, struct error *err) MUST_CHECK;
/* A get of a node's object told its metadata: kept, at no cost. */
void metadata_seen(struct fs *fs, struct node *n, const struct store_object *object);
/* Fills a node from an object (attrs NULL: defaults unless the object tells). */
void node_fill_locked(struct fs *fs, struct node *n, const struct store_object *object, struct attrs *remembered);
/* Defaults for a node just made here. */
void node_defaults_locked(struct fs *fs, struct node *n);
/* Remembers the attributes of a version for later listings. */
void attrs_remember(struct fs *fs, const struct location *where, const char *version, const struct attrs *a);

/* The store of a node was reached, or not: while it is not, listings and answers count as fresh however old (but for
 * consistency=strict), for some seconds at a time. */
void store_reached_locked(struct node *n, bool is_reached);
/* Whether it failed on the way, and not because of what was asked. */
bool error_is_of_the_way(const struct error *err);
/* A file of which a read has shown that the cloud has another version by now (expires_ms is 0), whatever the listing says. */
bool node_is_outdated_locked(const struct fs *fs, const struct node *n);
