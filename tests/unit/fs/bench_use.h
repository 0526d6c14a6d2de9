#pragma once
/*
 * Purpose: what the tests of names do to a bench (fake_cloud.h), as a user or the kernel would. Paths are below the bucket, "" is
 *	the bucket itself. Whatever fails, fails the test.
 */
#include "fs/listing.h"
#include "fs/node_version.h"
#include "tests/unit/fs/fake_cloud.h"

/* Lists a directory on this thread. max_pages 0: to the end. */
void bench_list_pages(struct bench *b, struct node *dir, unsigned max_pages);
void bench_list(struct bench *b, const char *path);
void bench_put_all(struct bench *b, const char *const *keys, size_t count);
/* What exists in a directory, in order: "name " for files, "name/ " for directories, "name+ " for pieces. */
void bench_expect_names(struct bench *b, const char *path, const char *want);
enum lookup_answer bench_known(struct bench *b, const char *path, const char *name);
/* Asks the cloud for a name in a directory. */
int bench_look_up(struct bench *b, const char *path, const char *name);
/* A file made here that is still open, so that its upload does not begin. */
struct node *bench_make_file(struct bench *b, struct node *dir, const char *name);
void bench_unlink(struct bench *b, const char *path);
void bench_rename(struct bench *b, const char *path, struct node *parent, const char *name);
void bench_mkdir(struct bench *b, const char *path, const char *name);
void bench_rmdir(struct bench *b, const char *path);
