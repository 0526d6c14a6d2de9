/*
 * Resumable uploads: for bodies so large that beginning again after a broken connection would hurt.
 *
 * A session is begun with the resource, then the bytes go in one request. When that breaks, the service is asked how
 * far it came (an empty PUT with "bytes * / SIZE"), and the rest is sent. A session is remembered while the store lives, so
 * that an upload given up for now goes on with the next call for the same object, bytes and metadata; the service itself
 * keeps it for a week.
 *
 * Source: cloud.google.com/storage/docs/performing-resumable-uploads (2026-10).
 */
#include "backends/base/clock.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

#define SESSIONS_MAX	  64
#define SESSION_LIFE_MS	  (6ULL * 86400 * 1000)
#define TRIES_WITHOUT_WAY 5 /* broken connections in a row that brought not a byte over */
#define STATUS_INCOMPLETE 308

struct gcs_session {
	struct gcs_session *next;
	char *name; /* what it is for: bucket, key, size, resource and condition */
	char *url;  /* an address that is a credential: in no message */
	uint64_t begun_mono_ms;
};

static void session_free(struct gcs_session *session)
{
	if (!session)
		return;
	if (session->url)
		explicit_bzero(session->url, strlen(session->url));
	free(session->url);
	free(session->name);
	free(session);
}

void gcs_sessions_free(struct gcs_store *s)
{
	while (s->sessions) {
		struct gcs_session *session = s->sessions;

		s->sessions = session->next;
		session_free(session);
	}
}

/* Takes the session of that name out of the list, so that two uploads never share one. */
static struct gcs_session *session_take(struct gcs_store *s, const char *name)
{
	LOCKED(&s->lock);
	for (struct gcs_session **at = &s->sessions; *at; at = &(*at)->next) {
		struct gcs_session *found = *at;

		if (strcmp(found->name, name))
			continue;
		*at = found->next;
		found->next = NULL;
		if (clock_mono_ms() - found->begun_mono_ms > SESSION_LIFE_MS) {
			session_free(found);
			return NULL;
		}
		return found;
	}
	return NULL;
}

static void session_keep(struct gcs_store *s, struct gcs_session *session)
{
	struct gcs_session *oldest = NULL;
	unsigned count = 0;

	lock_take(&s->lock);
	session->next = s->sessions;
	s->sessions = session;
	for (struct gcs_session **at = &s->sessions; *at; at = &(*at)->next)
		if (++count > SESSIONS_MAX) {
			oldest = *at;
			*at = NULL;
			break;
		}
	lock_drop(&s->lock);
	session_free(oldest);
}

static char *session_name(const struct gcs_write *w, struct json_object *resource)
{
	return str_format(
		"%s/%llu/%s/%d/%s", w->bucket, (unsigned long long)store_source_length(w->source),
		w->condition.if_version ? w->condition.if_version : "", w->condition.if_absent,
		json_object_to_json_string_ext(resource, JSON_C_TO_STRING_PLAIN));
}

static int session_begin(struct gcs_store *s, const struct gcs_write *w,
			 struct json_object *resource, struct gcs_session **ret, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "BeginResumable", w->bucket, w->key);
	struct gcs_session *session;
	const char *location;
	int r;

	gcs_call_path(&c, "upload", "storage", "v1", "b", w->bucket, "o", NULL);
	gcs_call_query(&c, "uploadType", "resumable");
	gcs_call_query(&c, "fields", "generation,crc32c");
	gcs_call_headerf(&c, "X-Upload-Content-Length", "%llu",
			 (unsigned long long)store_source_length(w->source));
	gcs_call_header(&c, "X-Upload-Content-Type", w->content_type);
	gcs_call_send_json(&c, json_object_get(resource));
	c.request.cancel = w->condition.cancel;
	c.request.deadline_mono_ms = w->deadline_mono_ms;
	r = gcs_condition_apply(&c, w->condition, err);
	if (r == 0)
		r = gcs_call_perform(&c, err);
	if (r < 0)
		return r;
	location = http_fields_get(&c.response.headers, "location");
	if (!location)
		return error_set(err, ERR_PROTOCOL,
				 "the service begins an upload without saying where");
	session = calloc(1, sizeof(*session));
	if (session) {
		session->url = strdup(location);
		session->name = session_name(w, resource);
		session->begun_mono_ms = clock_mono_ms();
	}
	if (!session || !session->url || !session->name) {
		session_free(session);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	*ret = session;
	return 0;
}

/* 308 is an answer, not a failure: how far the upload came. */
static int classify(void *arg, const struct http_response *response, struct error *err)
{
	return response->status == STATUS_INCOMPLETE ? 0 : gcs_classify(arg, response, err);
}

/* "Range: bytes=0-N": N+1 bytes are there; without it none. */
static uint64_t bytes_there(const struct http_response *response)
{
	const char *range = http_fields_get(&response->headers, "range");
	uint64_t last = 0;

	if (!range || strncmp(range, "bytes=0-", 8) || str_to_u64(str_of(range + 8), &last) < 0)
		return 0;
	return last + 1;
}

struct transfer {
	struct gcs_store *store;
	struct gcs_write *write;
	struct gcs_session *session;
	uint64_t sent; /* that the service has for certain */
	bool is_done;
	char *ret_version;
};

/* One request to the session: the bytes from t->sent on, or (is_probe) none. */
static int ask(struct transfer *t, bool is_probe, struct error *err)
{
	struct gcs_write *w = t->write;
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(t->store, HTTP_PUT, "Resumable", w->bucket, w->key);
	uint64_t total = store_source_length(w->source);
	const struct store_source *source = w->source;
	const char *crc;
	int r;

	gcs_call_address(&c, t->session->url);
	if (is_probe) {
		gcs_call_headerf(&c, "Content-Range", "bytes */%llu", (unsigned long long)total);
	} else {
		gcs_call_headerf(&c, "Content-Range", "bytes %llu-%llu/%llu",
				 (unsigned long long)t->sent, (unsigned long long)(total - 1),
				 (unsigned long long)total);
		c.request.body = (struct http_body){
			.kind = source->fd >= 0 ? HTTP_BODY_FD : HTTP_BODY_MEM,
			.mem = { source->mem.ptr + (source->fd >= 0 ? 0 : t->sent),
				 source->fd >= 0 ? 0 : source->mem.len - t->sent },
			.fd = source->fd,
			.offset = source->offset + t->sent,
			.length = total - t->sent,
			.progress = source->progress,
		};
		c.request.max_attempts = 1; /* sent twice only from where it broke */
		c.request.stall_timeout_ms = GCS_SERVER_WORK_MS;
	}
	c.request.cancel = w->condition.cancel;
	c.request.deadline_mono_ms = w->deadline_mono_ms;
	r = gcs_call_resumable(&c, classify, err);
	if (r < 0)
		return r;
	if (c.response.status == STATUS_INCOMPLETE) {
		uint64_t there = bytes_there(&c.response);

		if (there >= total || there < t->sent)
			return error_set(err, ERR_NOT_FOUND,
					 "the service lost a part of the upload");
		t->sent = there;
		return 0;
	}
	crc = json_get_string(c.json, "crc32c");
	if (crc && strcmp(crc, w->crc))
		return error_set(err, ERR_CORRUPT, "the service has other bytes than were sent");
	t->is_done = true;
	return gcs_generation_read(c.json, t->ret_version, err);
}

static int transfer(struct transfer *t, bool is_old, struct error *err)
{
	unsigned tries = 0;
	bool wants_probe = is_old;

	for (;;) {
		uint64_t before = t->sent;
		int r = ask(t, wants_probe, err);

		if (r == 0 && t->is_done)
			return 0;
		if (r < 0 && (!error_is_retryable(err->kind) || err->kind == ERR_CANCELLED ||
			      ++tries > TRIES_WITHOUT_WAY))
			return r;
		if (t->sent > before)
			tries = 0;
		else if (r == 0 && !wants_probe && ++tries > TRIES_WITHOUT_WAY)
			return error_set(err, ERR_PROTOCOL,
					 "the service takes no byte of the upload");
		wants_probe = r < 0;
		*err = ERROR_INIT;
	}
}

int gcs_resumable_put(struct gcs_store *s, struct gcs_write *w, struct json_object *resource,
		      char ret_version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(freep) char *name = session_name(w, resource);
	struct transfer t = { .store = s, .write = w, .ret_version = ret_version };
	bool is_old;
	int r = 0;

	if (!name)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	t.session = session_take(s, name);
	is_old = t.session != NULL;
	if (!is_old)
		r = session_begin(s, w, resource, &t.session, err);
	if (r == 0)
		r = transfer(&t, is_old, err);
	/* 404 and 410: the session is over; a fresh one, once. */
	if (r < 0 && t.session && err->kind == ERR_NOT_FOUND) {
		session_free(t.session);
		t = (struct transfer){ .store = s, .write = w, .ret_version = ret_version };
		*err = ERROR_INIT;
		r = session_begin(s, w, resource, &t.session, err);
		if (r == 0)
			r = transfer(&t, false, err);
	}
	if (r < 0 && t.session && (error_is_retryable(err->kind) || err->kind == ERR_CANCELLED))
		session_keep(s, t.session);
	else
		session_free(t.session);
	return r;
}
