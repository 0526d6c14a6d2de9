#pragma once
/*
 * Purpose: Coda's docs as a store that is only read: a doc is a bucket, its tables are TABLE.csv and TABLE.jsonl, its pages
 *	pages/NAME.md. Private to backends/coda but for coda_store_new's provider row.
 *
 * A file is made (fetched and written to a file without a name on this machine) when its size or its bytes are first asked for;
 * listings tell names and versions only (is_unsized). It is kept, by its version, for the reads that follow.
 *
 * The version of a file is the time when the doc was changed last. What Coda answered from an older snapshot of the doc has that
 * version with a '~': no listing tells it, so that the next look asks anew.
 * Invariants: memory holds one page of rows at a time; made files are FILES_MAX and FILES_BYTES_MAX at most.
 * Ownership: docs are counted (coda_doc_unref), made files are counted by users.
 * Threads: any. The lock is held for memory work only.
 */
#include "backends/coda/coda.h"
#include "backends/store/store.h"

enum coda_kind { CODA_CSV, CODA_JSONL, CODA_MARKDOWN };
struct coda_item { /* a file of a doc */
	const char *key; /* "Tasks.csv" */
	const char *id;	 /* of the table or page */
	enum coda_kind kind;
	bool is_view;
};
/* What a doc holds, at a version. Immutable but for its counters. */
struct coda_doc {
	struct arena arena;
	const char *id, *bucket;
	char version[STORE_VERSION_MAX - 1];
	int64_t modified_wall_ns;
	struct coda_item *items; /* in byte order of key */
	size_t count;
	unsigned refs;		 /* guarded by store->lock */
	uint64_t seen_mono_ms;	 /* guarded by store->lock: when it was known to be current */
	struct coda_doc *next;	 /* guarded by store->lock */
};
struct coda_name { /* of a doc, in the tree */
	char *bucket, *id;
	int64_t created_wall_ns;
};
struct coda_made { /* a made file */
	struct coda_made *next;	 /* all guarded by store->lock, but fd, size and version once it is ready */
	char *doc, *key;
	char wanted[STORE_VERSION_MAX], version[STORE_VERSION_MAX];
	int fd;
	uint64_t size, used;
	unsigned users;
	bool is_ready;
};
struct coda_store {
	struct store base;
	struct cloud *cloud; /* a struct coda */
	char *place;	     /* where files are made */
	struct lock lock;
	struct cond ready;
	struct coda_name *names; /* guarded by lock, with the three below */
	size_t name_count;
	uint64_t named_mono_ms; /* when they were listed; 0: never */
	struct coda_doc *docs;
	struct coda_made *made;
	uint64_t uses;
};
static inline struct coda_store *coda_store_of(struct store *s)
{
	return container_of(s, struct coda_store, base);
}

/* A call of the API on behalf of the store, with parameters name, value, ..., NULL. Release it. */
struct coda_ask {
	struct cloud_call call;
};
int coda_ask_init(struct coda_store *s, struct coda_ask *ret, struct cancel *cancel, struct error *err,
		  ...) MUST_CHECK __attribute__((sentinel));
void coda_ask_release(struct coda_ask *a);

/* coda_tree.c: docs and what they hold */
int coda_names_list(struct coda_store *s, struct error *err) MUST_CHECK; /* asks Coda, replaces s->names */
/* The doc of a bucket: what is known, when it was looked at a moment ago, else as Coda has it. To be unref'd. */
int coda_doc_get(struct coda_store *s, const char *bucket, struct coda_doc **ret, struct error *err) MUST_CHECK;
void coda_doc_unref(struct coda_store *s, struct coda_doc *doc); /* NULL is fine */
const struct coda_item *coda_doc_find(const struct coda_doc *doc, const char *key);
void coda_tree_release(struct coda_store *s);
/* A name without '/', control characters, at most max bytes; "." and ".." and nothing get another. In the arena. */
const char *coda_safe_name(struct arena *arena, const char *name, size_t max);

/* coda_file.c: made files */
/* The file of an item, made if need be; a version "" or NULL: any. To be given back by coda_made_put. */
int coda_made_get(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, const char *if_version,
		  struct cancel *cancel, struct coda_made **ret, struct error *err) MUST_CHECK;
void coda_made_put(struct coda_store *s, struct coda_made *m);
/* Whether a current one is there; then its size. */
bool coda_made_peek(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, uint64_t *ret_size);
void coda_made_release(struct coda_store *s);

/* coda_table.c: writes an item to a file. *ret_is_old: from an older snapshot of the doc, perhaps. */
int coda_item_write(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, struct cancel *cancel,
		    int fd, uint64_t *ret_size, bool *ret_is_old, struct error *err) MUST_CHECK;
