/*
 * Put Blob, Copy Blob, and metadata replaced in place.
 *
 * A conditional write whose answer was lost is sent again by the exchange and then fails because of itself. So after more
 * than one attempt a refused condition is looked into: when the blob there is what we sent, the write succeeded.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/put-blob, copy-blob, copy-blob-from-url and set-blob-metadata
 * (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/clock.h"
#include <stdio.h>
#include <time.h>

#define MD5_CHEAP_BYTES (64ULL << 20) /* a tenth of a second */
#define POLL_FIRST_MS	50
#define POLL_MOST_MS	5000

static bool has_md5(const struct store_source *source, const char *text)
{
	CLEANUP(buf_release) struct buf ours = BUF_INIT(64);
	struct error ignored = ERROR_INIT;
	unsigned char digest[32];

	if (!text || store_source_length(source) > MD5_CHEAP_BYTES ||
	    store_source_digest(source, HASH_MD5, digest, &ignored) < 0)
		return false;
	return base64_encode(digest, HASH_MD5_LEN, &ours) == 0 && !strcmp(buf_cstr(&ours), text);
}

/* All of our metadata, and there is some (the time stamps the file system writes make it telling). */
static bool has_all_meta(const struct store_object *o, const struct store_meta *meta, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = store_object_meta(o, meta[i].name);

		if (!value || strcmp(value, meta[i].value))
			return false;
	}
	return count > 0;
}

/* Whether the blob that is in the way of a repeated put is the one it put. */
static bool put_was_ours(const struct az_call *put, const struct store_source *source,
			 const struct store_put_args *args, char *ret_version)
{
	CLEANUP(az_call_release)
	struct az_call c =
		AZ_CALL_INIT(put->store, HTTP_HEAD, "GetBlobProperties", put->container, put->key);
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct store_object now;

	if (az_head_with(&c, NULL, args->cancel, &arena, &now, &ignored) < 0 ||
	    now.size != store_source_length(source) ||
	    (args->if_version && !strcmp(args->if_version, now.version)))
		return false;
	if (!has_md5(source, az_answer_header(&c, "content-md5")) &&
	    !has_all_meta(&now, args->meta, args->meta_count))
		return false;
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

static int answer_version(const struct az_call *c, char *ret_version, struct error *err)
{
	char version[STORE_VERSION_MAX] = "";
	int r = az_version_set(str_of(az_answer_header(c, "etag")), version, err);

	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

int az_put(struct store *store, const char *container, const char *key, const struct store_source *source,
	   const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "PutBlob", container, key);
	const char *type = args->content_type ? args->content_type : store_content_type(key);
	char version[STORE_VERSION_MAX] = "";
	int r;

	if (az_key_is_directory(key) && store_source_length(source) == 0 &&
	    az_hns_ask(s, args->cancel) == AZ_HNS_YES)
		return az_directory_make(s, container, key, args, ret_version, err);
	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	az_call_header(&c, "x-ms-blob-type", "BlockBlob");
	az_call_header(&c, "x-ms-blob-content-type", type);
	az_call_condition(&c, args->if_version, args->if_absent);
	r = az_call_source(&c, source, err);
	if (r >= 0)
		r = az_call_meta(&c, args->meta, args->meta_count, err);
	if (r < 0)
		return r;
	r = az_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && c.response.attempts > 1 &&
	    put_was_ours(&c, source, args, version)) {
		*err = ERROR_INIT;
		if (ret_version)
			memcpy(ret_version, version, sizeof(version));
		return 0;
	}
	return r < 0 ? r : answer_version(&c, ret_version, err);
}

/* Waits, but not when nobody waits for us any more. */
static int pause_for(uint64_t ms, const struct store_copy_args *args, struct error *err)
{
	const struct timespec moment = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&moment, NULL); /* woken early it only asks sooner */
	if (cancel_is_fired(args->cancel))
		return error_set(err, ERR_CANCELLED, "the caller gave up");
	if (args->deadline_mono_ms && clock_mono_ms() >= args->deadline_mono_ms)
		return error_set(err, ERR_TIMEOUT, "the time for the copy is over");
	return 0;
}

/* A copy that would come too late to be of use is stopped. */
static void abort_copy(const struct az_call *c, const char *id)
{
	CLEANUP(az_call_release)
	struct az_call stop = AZ_CALL_INIT(c->store, HTTP_PUT, "AbortCopyBlob", c->container, c->key);
	struct error ignored = ERROR_INIT;

	az_call_query(&stop, "comp", "copy");
	az_call_query(&stop, "copyid", id);
	az_call_header(&stop, "x-ms-copy-action", "abort");
	if (az_call_perform(&stop, &ignored) < 0)
		return; /* it is through, or goes on: either way nothing is left to do */
}

/* Until the copy that was begun is through. */
static int poll_copy(const struct az_call *c, const char *id, const struct store_copy_args *args,
		     char *ret_version, struct error *err)
{
	for (uint64_t wait_ms = POLL_FIRST_MS;; wait_ms = wait_ms < POLL_MOST_MS ? 2 * wait_ms : POLL_MOST_MS) {
		CLEANUP(az_call_release)
		struct az_call head =
			AZ_CALL_INIT(c->store, HTTP_HEAD, "GetBlobProperties", c->container, c->key);
		CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
		struct store_object now;
		const char *status, *now_id;
		int r = pause_for(wait_ms, args, err);

		if (r < 0) {
			abort_copy(c, id);
			return r;
		}
		r = az_head_with(&head, NULL, args->cancel, &arena, &now, err);
		if (r < 0)
			return r;
		status = az_answer_header(&head, "x-ms-copy-status");
		now_id = az_answer_header(&head, "x-ms-copy-id");
		if (!status || !now_id || strcmp(now_id, id))
			return error_set(err, ERR_CONFLICT, "'%.64s' was replaced while it was copied to", c->key);
		if (!strcmp(status, "success")) {
			if (ret_version)
				memcpy(ret_version, now.version, STORE_VERSION_MAX);
			return 0;
		}
		if (strcmp(status, "pending") != 0)
			return error_set(err, ERR_UNAVAILABLE, "the copy to '%.64s' ended as '%.32s'", c->key, status);
	}
}

static int copy_build(struct az_call *c, const char *from_container, const char *from_key, bool is_sync,
		      const struct store_copy_args *args, struct error *err)
{
	int r = az_call_copy_source(c, from_container, from_key, is_sync, err);

	if (r < 0)
		return r;
	if (is_sync)
		az_call_header(c, "x-ms-requires-sync", "true");
	if (args->if_source_version && *args->if_source_version)
		az_call_headerf(c, "x-ms-source-if-match", "\"%s\"", args->if_source_version);
	az_call_condition(c, args->if_version, args->if_absent);
	c->request.cancel = args->cancel;
	c->request.deadline_mono_ms = args->deadline_mono_ms;
	c->request.stall_timeout_ms = AZ_SERVER_WORK_MS;
	/* The source's own metadata come along when none are given. */
	return args->replaces_meta ? az_call_meta(c, args->meta, args->meta_count, err) : 0;
}

static int copy_once(struct az_store *s, const char *from_container, const char *from_key,
		     const char *container, const char *key, bool is_sync,
		     const struct store_copy_args *args, char *ret_version, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "CopyBlob", container, key);
	const char *status, *id;
	int r = copy_build(&c, from_container, from_key, is_sync, args, err);

	if (r >= 0)
		r = az_call_perform(&c, err);
	if (r < 0)
		return r;
	status = az_answer_header(&c, "x-ms-copy-status");
	id = az_answer_header(&c, "x-ms-copy-id");
	if (status && id && !strcmp(status, "pending"))
		return poll_copy(&c, id, args, ret_version, err);
	if (!status || strcmp(status, "success") != 0)
		return error_set(err, ERR_PROTOCOL, "the copy to '%.64s' ended as '%.32s'", key,
				 status ? status : "");
	return answer_version(&c, ret_version, err);
}

/* Nothing to copy: what it would have told is a HEAD away. */
static int copy_onto_itself(struct az_store *s, const char *container, const char *key,
			    const struct store_copy_args *args, char *ret_version, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object now;
	int r = az_head(&s->base, container, key, NULL, &arena, &now, err);
	bool is_other = args->if_absent;

	if (r < 0)
		return r;
	if (args->if_source_version && *args->if_source_version)
		is_other |= strcmp(args->if_source_version, now.version) != 0;
	if (args->if_version && *args->if_version)
		is_other |= strcmp(args->if_version, now.version) != 0;
	if (is_other)
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	if (ret_version)
		memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return 0;
}

int az_copy(struct store *store, const char *from_container, const char *from_key, const char *container,
	    const char *key, const struct store_copy_args *args, char *ret_version, struct error *err)
{
	struct az_store *s = az_of(store);
	/* In one go where the size allows, so that nobody sees a copy that is not through. */
	bool is_sync = args->source_size && args->source_size <= AZ_SYNC_COPY_MAX && az_has(s, AZ_POWER_SYNC_COPY);
	int r;

	if (!strcmp(from_container, container) && !strcmp(from_key, key)) {
		const char *version = args->if_source_version && *args->if_source_version ? args->if_source_version
											  : args->if_version;

		return args->replaces_meta ? az_set_meta(store, container, key, version, args->meta,
							 args->meta_count, ret_version, err)
					   : copy_onto_itself(s, container, key, args, ret_version, err);
	}
	if (az_key_is_directory(key) && az_hns_ask(s, args->cancel) == AZ_HNS_YES)
		return error_set(err, ERR_INVALID, "'%.64s' is a directory: it is made, not copied", key);
	r = copy_once(s, from_container, from_key, container, key, is_sync, args, ret_version, err);
	if (r < 0 && is_sync && az_is_no_power(err)) {
		bool is_missing = err->kind == ERR_NOT_FOUND;

		*err = ERROR_INIT;
		r = copy_once(s, from_container, from_key, container, key, false, args, ret_version, err);
		if (r >= 0 || !is_missing)
			az_lose(s, AZ_POWER_SYNC_COPY);
	}
	/* No metadata at all cannot be asked for in a copy. */
	if (r >= 0 && args->replaces_meta && !args->meta_count && !az_key_is_directory(key))
		r = az_set_meta(store, container, key, NULL, NULL, 0, ret_version, err);
	return r;
}

/* Whether the metadata that are there are the ones we set in an attempt whose answer was lost. */
static bool meta_is_ours(const struct az_call *set, const char *if_version, const struct store_meta *meta,
			 size_t count, char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct store_object now;

	if (az_head(&set->store->base, set->container, set->key, NULL, &arena, &now, &ignored) < 0 ||
	    (if_version && !strcmp(if_version, now.version)) || now.meta_count != count ||
	    !has_all_meta(&now, meta, count))
		return false;
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

int az_set_meta(struct store *store, const char *container, const char *key, const char *if_version,
		const struct store_meta *meta, size_t count, char *ret_version, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "SetBlobMetadata", container, key);
	char version[STORE_VERSION_MAX] = "";
	int r;

	c.is_directory = az_key_is_directory(key) && az_hns_ask(s, NULL) == AZ_HNS_YES;
	az_call_query(&c, "comp", "metadata");
	az_call_condition(&c, if_version, false);
	r = az_call_meta(&c, meta, count, err);
	if (r >= 0)
		r = az_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_PRECONDITION && c.response.attempts > 1 &&
	    meta_is_ours(&c, if_version, meta, count, version)) {
		*err = ERROR_INIT;
		if (ret_version)
			memcpy(ret_version, version, sizeof(version));
		return 0;
	}
	return r < 0 ? r : answer_version(&c, ret_version, err);
}
