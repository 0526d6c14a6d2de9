#pragma once
/*
 * Purpose: a program that walks through directories (find, rsync, du) is served by listings without a delimiter: one request brings a
 *	thousand names of however many directories, instead of one request for each of them.
 *
 * A walk is recognised where the third listing within WALK_GAP_MS is wanted below one directory, and at least two of its own
 * subdirectories were listed: that directory is the walk's root. Then the listing that is wanted, and all that follow it in the
 * order of keys, come from the root's keys, first from one page; as long as that finishes what was asked for, from twice as many the
 * next time, up to WALK_PAGES_MOST. Where it does not (a directory with a great deal below it), it is listed alone as ever, and the
 * root's directories are for a while.
 *
 * Look-ups that go through many directories are a walk too: the second one in a directory wants a page of it, and once the walk is
 * recognised the first one does. Each asks for one page only, of the root's keys from that directory on: where the next look-up goes
 * nobody knows, and alone the directory would cost as much.
 *
 * Invariants:
 *  - A directory counts as complete only when the walk saw its key range from the first key to beyond the last, in ascending order.
 *  - What is merged is what a listing of that directory would show, by the same rules (listing.c), and is as old as the walk's
 *    question.
 *  - One walk at a time runs below a root; a directory that a walk is at has its `listing` set, so who wants it waits there.
 *  - Directories whose bytes lie elsewhere (renames under way), and pieces of long names, are left to listings of their own.
 * Threads: walk_wanted_locked under fs.lock; walk_run on a worker, without it: it asks the network.
 */
#include "fs/listing.h"

#define WALK_GAP_MS	10000
#define WALK_PAGES_MOST 16u
#define WALK_TRACKS	8

/* What was listed below a directory of late. */
struct walk_track {
	uint64_t root_ino;	 /* 0: free */
	uint64_t last_child_ino; /* its subdirectory in which the last listing was */
	uint64_t last_ms;
	unsigned children, listings, pages, muted;
	bool is_running;
};

/* Whether dir is below the root of a walk that goes on. */
bool walk_is_on_locked(struct fs *fs, const struct node *dir);
/* Notes that dir is to be listed, all of it or a page; the inode number of the root of the walk that this is part of, or 0. The caller must then run
 * the listing, which calls walk_run. */
uint64_t walk_wanted_locked(struct fs *fs, struct node *dir);
/* Lists l->dir and what follows it. True: l came to its end, and is freed. False: the caller lists it as ever. Blocks. */
bool walk_run(struct listing *l) MUST_CHECK;
/* The listing ends without having been run. */
void walk_cancel(struct listing *l);
