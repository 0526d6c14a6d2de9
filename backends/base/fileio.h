#pragma once
/*
 * Purpose: whole reads and writes, and small files, with errors that name the path.
 */
#include "backends/base/buf.h"
#include <sys/types.h>

/* All len bytes or -errno (a short file is -ENODATA). Restarts on EINTR. */
int fileio_pread_all(int fd, void *data, size_t len, uint64_t offset) MUST_CHECK;
int fileio_pwrite_all(int fd, const void *data, size_t len, uint64_t offset) MUST_CHECK;
int fileio_write_all(int fd, const void *data, size_t len) MUST_CHECK;
/* The whole file; ERR_TOO_LARGE over buf's limit. */
int fileio_read_file(const char *path, struct buf *ret, struct error *err) MUST_CHECK;
/* Written beside and renamed over, so that a reader sees the old or the new content; mode as given. */
int fileio_replace_file(const char *path, struct str content, mode_t mode, struct error *err) MUST_CHECK;
/* mkdir -p. */
int fileio_make_dirs(const char *path, mode_t mode, struct error *err) MUST_CHECK;
/* "~/x" and "$XDG_..."-free: expands a leading ~ only; heap string or NULL. */
char *fileio_expand_home(const char *path);
/* Which boot of the machine this is, "" when the kernel does not say: what was not synced counts within one boot only. */
#define FILEIO_BOOT_ID_SIZE 64
void fileio_boot_id(char ret[FILEIO_BOOT_ID_SIZE]);
