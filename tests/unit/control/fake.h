#pragma once
/*
 * Purpose: an fs, stores and clouds that do what a test says, so that control is tested alone.
 */
#include "backends/clouds.h"
#include "control/stores.h"
#include "fs/fs.h"

#include <stdatomic.h>

struct fake_fs {
	_Atomic unsigned conflicts;	 /* so many fs_new calls find their directory taken */
	_Atomic unsigned progress_calls; /* by each fs_sync, 10 ms apart */
	atomic_bool blocks;		 /* fs_sync waits until cancelled */
	atomic_bool ends;  /* fs_run returns at once, as after an unmount from outside */
	atomic_bool fails; /* fs_sync has one failure */
	_Atomic unsigned syncs, stops, frees;
	atomic_bool was_cancelled;
	char last_path[256];
	char last_cache_dir[256];
	struct json_object *offline; /* what fs_status_offline answers, NULL: NOT_FOUND */
	int mount_error;	     /* enum error_kind */
};
extern struct fake_fs fake_fs;
void fake_reset(void);
/* A directory of the test's own, removed by fake_remove_dir. */
char *fake_make_dir(void);
void fake_remove_dir(char *dir);
void fake_write(const char *path, const char *text, unsigned mode);

/* Drivers "alpha" and "beta", configured when FAKE_CLOUD_KEY names them ("alpha,beta") or by sections; their compute
 * table holds one slot, at offset 0. "gamma", configured with beta, has the table but not the slot. */
struct fake_clouds {
	cloud_fn *run; /* what the slot does */
	_Atomic unsigned opens;
	char last_region[64], last_profile[64];
};
extern struct fake_clouds fake_clouds;
