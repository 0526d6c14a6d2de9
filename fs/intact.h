#pragma once
/*
 * Purpose: what a program wrote is what goes up: writes take checksums along (pagesums.h), uploads compare them.
 *
 * What it covers: bytes that came as write requests (mmap too) to this daemon, from the request to the upload. Not: what was fetched,
 *	what was written before a restart, zeros of fallocate, and what the kernel writes past us.
 * Threads: without fs.lock, with the file's busy count held; they read and write the cache file.
 */
#include "fs/file.h"

/* Writes to the cache file and takes the checksums of data: how much was written, or -errno when that is nothing. */
ssize_t intact_write(struct file *f, const void *data, size_t size, uint64_t offset) MUST_CHECK;
/* Whether [start, end), which is about to be sent, is there and is what was written. *ret_crc32c: of exactly these bytes. IO: the cache
 * file was damaged, or has a hole nobody read; CANCELLED: it is being changed. */
int intact_check(struct file *f, uint64_t start, uint64_t end, uint32_t *ret_crc32c, struct error *err) MUST_CHECK;
