#pragma once
/*
 * Purpose: what a program wrote is what goes up: writes take checksums along (pagesums.h), uploads compare them.
 *
 * What it covers: bytes that came as write requests (mmap too), from the request to the upload, also over a kill of the daemon
 *	(sumlog.h). Not: what was fetched, what was written before a restart of the system, zeros of fallocate, and what the kernel
 *	writes past us (passthrough.h): of that nobody sees the bytes but the disk.
 * Threads: without fs.lock, with the file's busy count held, unless _locked; they read and write the cache file.
 */
#include "fs/file.h"
#include "fs/sumlog.h"

/* Writes to the cache file and takes the checksums of data: how much was written, or -errno when that is nothing. */
ssize_t intact_write(struct file *f, const void *data, size_t size, uint64_t offset) MUST_CHECK;
/* Whether [start, end), which is about to be sent, is there and is what was written. *ret_crc32c: of exactly these bytes. IO: the cache
 * file was damaged, or has a hole nobody read; CANCELLED: it is being changed. */
int intact_check(struct file *f, uint64_t start, uint64_t end, uint32_t *ret_crc32c, struct error *err) MUST_CHECK;

/* The bytes of [start, end) are about to change otherwise, or need no sums any more. intact_settle before they change: it tells the
 * log, and fails with -EIO when that cannot be. */
void intact_forget_locked(struct file *f, uint64_t start, uint64_t end);
void intact_forget_all_locked(struct file *f);
int intact_settle(struct file *f) MUST_CHECK;

/* A new log (sumlog.h), with all that is known: at start, and when the old one has grown long. Best effort. */
void intact_begin_log(struct fs *fs);
void intact_renew_log(struct fs *fs); /* if it needs to be */
/* At start, of a file that is taken up with its maps: what the last mount knew of it. IO: the disk gives back something else. Looks at
 * no more than *budget bytes, and leaves the rest to the upload. */
int intact_recover_locked(struct file *f, struct sumlog_found *found, uint64_t *budget, struct error *err) MUST_CHECK;
