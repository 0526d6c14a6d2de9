/*
 * Asks a server by effect which conditions it keeps (enum s3_promise): once for each store, before its first conditional write,
 * in the same bucket and directory, with objects of nothing that are deleted again. One that has not yet said its name is asked for
 * that first.
 *
 * Both sides are asked: what must be refused, and what must not be. Ceph's gateway (16.2) refuses every If-Match, also the right one,
 * because it compares with the quotes; in a bucket with versions it ignores If-None-Match. Either way its word is worth nothing.
 * A request that fails otherwise (no right to write, no network) leaves the question open: it is asked again at the next write.
 */
#include "backends/aws/s3_private.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include <inttypes.h>
#include <stdio.h>

#define NEVER_WAS "00000000000000000000000000000000"
#define MADE_MAX  10

enum answer { DONE, REFUSED, NO_ANSWER };

struct probe {
	struct s3_call *for_call;
	char *keys[2]; /* the second is what copies go to */
	char tag[STORE_VERSION_MAX];
	/* What is to be deleted: a key, and its version where the bucket keeps versions. */
	struct {
		const char *key;
		char version_id[256];
	} made[MADE_MAX];
	size_t made_count;
	bool has_none; /* the server said so: 501 */
};

static void call_begin(struct probe *p, struct s3_call *c)
{
	c->request.cancel = p->for_call->request.cancel;
	c->request.deadline_mono_ms = p->for_call->request.deadline_mono_ms;
}

static void note_made(struct probe *p, const char *key, const struct http_response *response)
{
	const char *id = http_fields_get(&response->headers, "x-amz-version-id");

	if (id && (!*id || strlen(id) >= sizeof(p->made[0].version_id) || !strcmp(id, "null")))
		id = NULL;
	for (size_t i = 0; i < p->made_count && !id; i++)
		if (p->made[i].key == key && !p->made[i].version_id[0])
			return;
	if (p->made_count == MADE_MAX)
		return;
	p->made[p->made_count].key = key;
	if (id)
		(void)snprintf(p->made[p->made_count].version_id, sizeof(p->made[0].version_id), "%s", id);
	p->made_count++;
}

static enum answer call_end(struct probe *p, struct s3_call *c, const char *key)
{
	struct error err = ERROR_INIT;
	int r = s3_call_perform(c, &err);

	if (r >= 0) {
		note_made(p, key, &c->response);
		return DONE;
	}
	p->has_none |= err.http_status == 501 || s3_error_is(&err, "NotImplemented");
	if (err.kind == ERR_PRECONDITION && c->response.attempts <= 1)
		return REFUSED;
	/* A second attempt may have met what the first one did; and what has no answer may be done. */
	if (!err.http_status || c->response.attempts > 1)
		note_made(p, key, &c->response);
	return NO_ANSWER;
}

static enum answer ask_put(struct probe *p, const char *field, const char *value)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(p->for_call->store, HTTP_PUT, "PutObject", p->for_call->bucket, p->keys[0]);
	struct error err = ERROR_INIT;
	enum answer answer;

	call_begin(p, &c);
	s3_call_header(&c, field, value);
	answer = call_end(p, &c, p->keys[0]);
	if (answer == DONE && s3_version_set(http_fields_get(&c.response.headers, "etag"), p->tag, &err) < 0)
		p->tag[0] = '\0';
	return answer;
}

static enum answer ask_copy(struct probe *p, const char *if_source, const char *field, const char *value)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(p->for_call->store, HTTP_PUT, "CopyObject", p->for_call->bucket, p->keys[1]);

	call_begin(p, &c);
	s3_call_copy_source(&c, p->for_call->bucket, p->keys[0], if_source);
	if (field)
		s3_call_header(&c, field, value);
	s3_call_answer(&c, "CopyObjectResult");
	return call_end(p, &c, p->keys[1]);
}

static enum answer ask_delete(struct probe *p, const char *if_version)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(p->for_call->store, HTTP_DELETE, "DeleteObject", p->for_call->bucket, p->keys[0]);

	call_begin(p, &c);
	s3_call_headerf(&c, "If-Match", "\"%s\"", if_version);
	return call_end(p, &c, p->keys[0]);
}

/* KNOWN with what is kept; without it the question stays open. */
static unsigned ask_puts(struct probe *p)
{
	enum answer first = ask_put(p, "If-None-Match", "*"), again, wrong, right;
	char quoted[STORE_VERSION_MAX + 2];

	if (first != DONE)
		return first == REFUSED || p->has_none ? S3_KEEPS_KNOWN : 0;
	again = ask_put(p, "If-None-Match", "*");
	wrong = again == REFUSED ? ask_put(p, "If-Match", "\"" NEVER_WAS "\"") : again;
	if (again == NO_ANSWER || wrong == NO_ANSWER)
		return p->has_none ? S3_KEEPS_KNOWN : 0;
	if (again == DONE || wrong == DONE || !p->tag[0])
		return S3_KEEPS_KNOWN;
	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", p->tag);
	right = ask_put(p, "If-Match", quoted);
	if (right == NO_ANSWER)
		return p->has_none ? S3_KEEPS_KNOWN : 0;
	return right == DONE ? S3_KEEPS_KNOWN | S3_KEEPS_PUT : S3_KEEPS_KNOWN;
}

/* What is not clear is not kept. */
static unsigned ask_rest(struct probe *p)
{
	unsigned kept = 0;

	if (ask_copy(p, NEVER_WAS, NULL, NULL) == REFUSED && ask_copy(p, p->tag, "If-None-Match", "*") == DONE) {
		kept |= S3_KEEPS_SOURCE;
		if (ask_copy(p, NULL, "If-None-Match", "*") == REFUSED &&
		    ask_copy(p, NULL, "If-Match", "\"" NEVER_WAS "\"") == REFUSED)
			kept |= S3_KEEPS_TARGET;
	}
	if (ask_delete(p, NEVER_WAS) == REFUSED && ask_delete(p, p->tag) == DONE)
		kept |= S3_KEEPS_DELETE;
	return kept;
}

/* Each version by its own name, so that nothing is left in a bucket that keeps versions. */
static void clean_up(struct probe *p)
{
	struct s3_store *s = p->for_call->store;

	for (size_t i = 0; i < p->made_count; i++) {
		const char *id = p->made[i].version_id;
		struct error err = ERROR_INIT;

		if (s3_delete(&s->base, p->for_call->bucket, p->made[i].key, NULL, *id ? id : NULL, &err) < 0)
			log_warn("s3.probe", "store='%s' left='%s' error='%s'", s->base.name, p->made[i].key, err.message);
	}
}

/* Any answer tells who the server is, when it is one that is known (s3_condition_learn). */
static bool is_known_by_name(struct s3_call *for_call)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(for_call->store, HTTP_HEAD, "HeadBucket", for_call->bucket, NULL);
	struct error ignored = ERROR_INIT;

	c.request.cancel = for_call->request.cancel;
	c.request.deadline_mono_ms = for_call->request.deadline_mono_ms;
	if (s3_call_perform(&c, &ignored) < 0)
		log_debug("s3.probe", "store='%s' error='%s'", for_call->store->base.name, ignored.message);
	return s3_keeps(for_call->store, S3_KEEPS_KNOWN);
}

void s3_probe(struct s3_call *for_call)
{
	struct s3_store *s = for_call->store;
	const char *slash = strrchr(for_call->key, '/');
	int dir = slash ? (int)(slash - for_call->key) + 1 : 0;
	uint64_t number = random_u64();
	struct probe p = { .for_call = for_call };
	unsigned kept = 0;

	if (is_known_by_name(for_call))
		return;
	for (int i = 0; i < 2; i++)
		p.keys[i] = str_format("%.*s.skydir-probe-%016" PRIx64 "%s", dir, for_call->key, number, i ? "-copy" : "");
	if (p.keys[0] && p.keys[1])
		kept = ask_puts(&p);
	if (kept & S3_KEEPS_PUT)
		kept |= ask_rest(&p);
	clean_up(&p);
	if (kept == S3_KEEPS_KNOWN)
		s3_condition_give_up(s, p.has_none ? "has no" : "ignores or misreads");
	else if (kept)
		atomic_store(&s->kept, kept);
	free(p.keys[0]);
	free(p.keys[1]);
}
