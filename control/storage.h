#pragma once
/*
 * Purpose: what the operations on stores share: places named as in the tree ("/s3/bucket/key"), records of objects, and
 *	transfers of whole files.
 *
 * Ownership: a place's texts are its own; the store is the context's.
 * Threads: those of operations (op.h); a transfer makes threads of its own and has ended them when it returns.
 */
#include "control/op.h"

extern const struct record_shape shape_bucket, shape_object, shape_transfer;

struct storage_place {
	struct store *store;
	char *bucket; /* "": the store itself */
	char *key;    /* "": the bucket itself; may end in '/' */
};
#define STORAGE_PLACE_INIT ((struct storage_place){ .store = NULL })
void storage_place_release(struct storage_place *p);
enum storage_depth { STORAGE_STORE, STORAGE_BUCKET, STORAGE_PREFIX, STORAGE_OBJECT };
/* "/STORE/BUCKET/KEY", at least and, for stores and buckets, at most of that depth; INVALID says what was expected. */
int storage_place_parse(struct op_context *context, const char *path, enum storage_depth depth, struct storage_place *ret,
			struct error *err) MUST_CHECK;
/* The place that a parameter names. */
int storage_place_of(const struct op_call *call, const char *param, enum storage_depth depth, struct storage_place *ret,
		     struct error *err) MUST_CHECK;
/* The innermost store's type: "s3", "swift", ... */
const char *storage_type(const struct store *s);
/* One object as shape_object has it; NULL without memory. */
struct json_object *storage_object(const char *key, const struct store_object *o);
/* Every page of a listing, at most `limit` objects (0: all); what visit returns, if not 0, ends it. */
struct storage_walk {
	const char *prefix;
	char delimiter;
	bool has_versions;
	uint64_t limit;
	int (*visit)(void *arg, const struct store_object *o, struct error *err);
	void *arg;
};
int storage_walk(const struct op_call *call, const struct storage_place *place, const struct storage_walk *walk,
		 struct error *err) MUST_CHECK;

/* The handlers of transfers (ops_transfer.c). */
int storage_upload(const struct op_call *call, struct json_object **ret, struct error *err);
int storage_download(const struct op_call *call, struct json_object **ret, struct error *err);
