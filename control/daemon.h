#pragma once
/*
 * Purpose: the process that serves a mount: puts stores, fs and control socket together, in the
 * foreground or detached.
 *
 * Invariants: the fork comes first, threads, engine, stores and fs are made in the process that
 * keeps them. Nothing acknowledged is dropped at the end: what is not uploaded stays in the journal.
 * Threads: daemon_start runs while the process has one thread.
 */
#include "control/stores.h"
#include "fs/fs.h"

struct daemon_args {
	struct config *config;
	const struct store_plan *plan;
	const char *source, *mountpoint; /* the mount point absolute, without symbolic links */
};

/* Serves in this process until the mount ends. */
int daemon_run_foreground(const struct daemon_args *args, struct error *err) MUST_CHECK;
/* Forks; returns in the parent when the mount answers, or with the child's error. */
int daemon_start_background(const struct daemon_args *args, struct error *err) MUST_CHECK;

/* Opens the fs; when another daemon holds a cache directory that was not chosen by the user, the
 * next free one beside it (mount-2 ... mount-64). Updates options.cache_dir. */
int daemon_open_fs(struct config *config, const struct store_set *stores, const char *source,
		   struct fs **ret, struct error *err) MUST_CHECK;
#define DAEMON_CACHE_SIBLINGS 64
