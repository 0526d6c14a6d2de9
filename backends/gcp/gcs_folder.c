/*
 * Buckets with a hierarchical namespace: folders are things of their own there, and can be renamed at once.
 *
 * The interface knows directories by their objects only, so that an empty folder is nothing: listings do not ask for
 * folders, and one that is in the way of a rename or of its bucket's end goes.
 *
 * Which bucket is one is learnt from what is asked anyway (does it exist, which buckets are there); only a rename of a
 * directory asks for it. A rename is a long operation, which is looked at until it is done.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/folders, .../buckets/getStorageLayout (2026-10).
 */
#include "backends/base/clock.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>
#include <time.h>

#define POLL_FIRST_MS  50
#define POLL_MOST_MS   2000
#define RENAME_MOST_MS 600000
#define FOLDERS_ROUNDS 100

enum gcs_hns gcs_hns_known(struct gcs_store *s, const char *bucket)
{
	LOCKED(&s->lock);
	for (unsigned i = 0; i < s->bucket_count; i++)
		if (!strcmp(s->buckets[i].name, bucket))
			return s->buckets[i].hns;
	return GCS_HNS_UNKNOWN;
}

void gcs_hns_remember(struct gcs_store *s, const char *bucket, enum gcs_hns hns)
{
	struct gcs_bucket_known *to = NULL;

	if (strlen(bucket) >= GCS_BUCKET_MAX)
		return;
	LOCKED(&s->lock);
	for (unsigned i = 0; i < s->bucket_count; i++)
		if (!strcmp(s->buckets[i].name, bucket))
			to = &s->buckets[i];
	if (!to && s->bucket_count < GCS_BUCKETS_KNOWN)
		to = &s->buckets[s->bucket_count++];
	else if (!to) {
		to = &s->buckets[s->bucket_next];
		s->bucket_next = (s->bucket_next + 1) % GCS_BUCKETS_KNOWN;
	}
	(void)snprintf(to->name, sizeof(to->name), "%s", bucket);
	to->hns = hns;
}

int gcs_hns_ask(struct gcs_store *s, const char *bucket, enum gcs_hns *ret, struct error *err)
{
	int r;

	*ret = gcs_hns_known(s, bucket);
	if (*ret != GCS_HNS_UNKNOWN)
		return 0;
	r = gcs_bucket_exists(&s->base, bucket, err);
	*ret = gcs_hns_known(s, bucket);
	return r;
}

static void sleep_ms(uint64_t ms)
{
	struct timespec ts = { .tv_sec = (time_t)(ms / 1000),
			       .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&ts, NULL); /* sooner does no harm */
}

/* 1 while it runs, 0 when it is done, or its error. */
static int read_operation(struct json_object *o, const char *folder, struct error *err)
{
	struct json_object *failure = json_get(o, "error");
	const char *message = json_get_string(o, "error.message");
	char shown[96];

	if (!json_get_bool(o, "done", false))
		return 1;
	if (!json_object_is_type(failure, json_type_object))
		return 0;
	str_show(folder, shown, sizeof(shown));
	/* google.rpc.Code: 5 not found, 6 already exists, 7 permission denied, 9 failed precondition. */
	switch (json_get_int64(o, "error.code", 0)) {
	case 5:
		return error_set(err, ERR_NOT_FOUND, "folder '%s' not found", shown);
	case 6:
	case 9:
		return error_set(err, ERR_EXISTS, "folder '%s' is there already", shown);
	case 7:
		return error_set(err, ERR_PERMISSION, "renaming folder '%s' is denied", shown);
	default:
		return error_set(err, ERR_UNAVAILABLE, "folder '%s': %.120s", shown,
				 message ? message : "the rename failed");
	}
}

static int operation_id(struct json_object *o, const char **ret, struct error *err)
{
	const char *name = json_get_string(o, "name");
	const char *slash = name ? strrchr(name, '/') : NULL;

	*ret = slash ? slash + 1 : name;
	return *ret && **ret
		       ? 0
		       : error_set(err, ERR_PROTOCOL, "the service names no operation to wait for");
}

static int wait_for_operation(struct gcs_store *s, const char *bucket, const char *id,
			      const char *folder, struct error *err)
{
	uint64_t deadline_ms = clock_mono_ms() + RENAME_MOST_MS, pause_ms = POLL_FIRST_MS;

	for (;;) {
		CLEANUP(gcs_call_release)
		struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "GetOperation", bucket, NULL);
		int r;

		sleep_ms(pause_ms);
		pause_ms = pause_ms * 2 < POLL_MOST_MS ? pause_ms * 2 : POLL_MOST_MS;
		gcs_call_path(&c, "storage", "v1", "b", bucket, "operations", id, NULL);
		r = gcs_call_json(&c, err);
		if (r == 0)
			r = read_operation(c.json, folder, err);
		if (r <= 0)
			return r;
		if (clock_mono_ms() > deadline_ms)
			return error_set(err, ERR_TIMEOUT, "a folder's rename takes too long");
	}
}

static int rename_once(struct gcs_store *s, const char *bucket, const char *from, const char *to,
		       struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "RenameFolder", bucket, from);
	const char *id = NULL;
	int r;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "folders", from, "renameTo", "folders", to,
		      NULL);
	r = gcs_call_json(&c, err);
	if (r == 0)
		r = read_operation(c.json, to, err);
	if (r <= 0)
		return r;
	r = operation_id(c.json, &id, err);
	return r < 0 ? r : wait_for_operation(s, bucket, id, to, err);
}

/* The folder that one is in; "" at the top. Heap string, NULL without memory. */
static char *parent_of(const char *folder)
{
	size_t len = strlen(folder);

	while (len && folder[len - 1] == '/')
		len--;
	while (len && folder[len - 1] != '/')
		len--;
	return str_dup((struct str){ folder, len });
}

static int make_folder(struct gcs_store *s, const char *bucket, const char *folder,
		       struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "InsertFolder", bucket, folder);
	struct json_object *body = json_object_new_object();
	int r;

	if (body)
		json_object_object_add(body, "name", json_object_new_string(folder));
	gcs_call_path(&c, "storage", "v1", "b", bucket, "folders", NULL);
	gcs_call_query(&c, "recursive", "true");
	gcs_call_send_json(&c, body);
	r = gcs_call_perform(&c, err);
	return r < 0 && err->kind == ERR_CONFLICT ? 0 : r; /* it is there */
}

int gcs_folder_rename(struct gcs_store *s, const char *bucket, const char *from, const char *to,
		      struct error *err)
{
	CLEANUP(freep) char *parent = parent_of(to);
	int r = rename_once(s, bucket, from, to, err);

	if (!parent)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0 && err->kind == ERR_EXISTS) {
		gcs_folder_delete(s, bucket, to); /* when it is empty it was nothing */
		*err = ERROR_INIT;
		r = rename_once(s, bucket, from, to, err);
	}
	/* What it goes into may be there only as a part of names. */
	if (r < 0 && *parent && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID) &&
	    make_folder(s, bucket, parent, err) == 0) {
		*err = ERROR_INIT;
		r = rename_once(s, bucket, from, to, err);
	}
	return r;
}

void gcs_folder_delete(struct gcs_store *s, const char *bucket, const char *folder)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_DELETE, "DeleteFolder", bucket, folder);
	struct error ignored = ERROR_INIT;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "folders", folder, NULL);
	if (gcs_call_perform(&c, &ignored) < 0)
		return; /* it is not there, or not empty: then it stays */
}

/* One page of folders, deleted from its end: what is deeper comes behind. The number of them, or an error. */
static int delete_page(struct gcs_store *s, const char *bucket, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_GET, "ListFolders", bucket, NULL);
	struct json_object *items;
	size_t count;
	int r;

	gcs_call_path(&c, "storage", "v1", "b", bucket, "folders", NULL);
	r = gcs_call_json(&c, err);
	if (r < 0)
		return r;
	items = json_get_array(c.json, "items");
	count = items ? json_object_array_length(items) : 0;
	for (size_t i = count; i-- > 0;) {
		const char *name = json_get_string(json_object_array_get_idx(items, i), "name");

		if (name)
			gcs_folder_delete(s, bucket, name);
	}
	return count > INT32_MAX ? INT32_MAX : (int)count;
}

int gcs_folders_delete_all(struct gcs_store *s, const char *bucket, struct error *err)
{
	int before = INT32_MAX;

	for (int round = 0; round < FOLDERS_ROUNDS; round++) {
		int n = delete_page(s, bucket, err);

		if (n <= 0)
			return n;
		if (n >= before && round > 1)
			break; /* what is left is not empty */
		before = n;
	}
	return 0;
}
