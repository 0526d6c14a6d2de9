/*
 * Conditional writes, also against servers that have none.
 *
 * Where a server keeps If-Match and If-None-Match, they are sent and it decides. With conditional-writes=auto that is believed of
 * Amazon and of servers that name themselves as one known to keep them. Any other is asked once, before the first conditional write:
 * a PUT of nothing, beside the key, on condition that it replaces a version that never was. Who keeps conditions refuses, and nothing
 * is left; who ignores them makes the object, which is deleted again. There, and where the answer is 501, the object is compared by
 * HEAD before and after each write: that leaves a gap of one round trip, which is said once in the log.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html (2026-11): If-Match on a key that is not there is 404.
 */
#include "backends/aws/s3_private.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include <inttypes.h>
#include <stdio.h>

/* Other threads read base.caps as a plain word; it only ever loses these two bits. */
bool s3_can_condition(struct s3_store *s)
{
	return __atomic_load_n(&s->base.caps, __ATOMIC_RELAXED) & STORE_CAP_CONDITIONAL_PUT;
}

int s3_condition_compare(struct s3_store *s, const char *bucket, const char *key,
			 struct s3_condition w, struct cancel *cancel, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object now;
	char shown[96];
	int r;

	if (!s3_condition_is_set(w))
		return 0;
	s3_show(key, shown, sizeof(shown));
	r = s3_head_with(s, bucket, key, NULL, cancel, &arena, &now, NULL, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND && !s3_error_is(err, "NoSuchBucket")) {
		if (w.if_absent) {
			*err = ERROR_INIT;
			return 0;
		}
		return error_set(err, ERR_PRECONDITION, "'%s' has been deleted meanwhile", shown);
	}
	if (r < 0)
		return r;
	if (w.if_absent)
		return error_set(err, ERR_PRECONDITION, "'%s' has been made meanwhile", shown);
	if (strcmp(now.version, w.if_version))
		return error_set(err, ERR_PRECONDITION, "'%s' has been changed meanwhile", shown);
	return 0;
}

void s3_condition_learn(struct s3_store *s, const struct http_response *response)
{
	/* Tried, each of them: see README.md. */
	static const struct {
		const char *server;
		enum s3_trust trust;
	} known[] = {
		{ "VERSITYGW", S3_TRUST_KEPT },
		{ "Werkzeug/", S3_TRUST_PUTS }, /* moto */
	};
	const char *name;

	if (atomic_load(&s->trust) != S3_TRUST_UNKNOWN)
		return;
	name = http_fields_get(&response->headers, "server");
	for (size_t i = 0; name && i < ARRAY_SIZE(known); i++)
		if (str_starts(str_of(name), known[i].server))
			atomic_store(&s->trust, known[i].trust);
}

/* From now on writes are compared; says so the first time. */
static void give_up_conditions(struct s3_store *s, const char *why)
{
	unsigned lost = STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE;

	atomic_store(&s->trust, S3_TRUST_IGNORED);
	if (__atomic_fetch_and(&s->base.caps, ~lost, __ATOMIC_RELAXED) & STORE_CAP_CONDITIONAL_PUT)
		log_warn("s3.no_conditions",
			 "store='%s' note='the server %s conditional writes: objects are compared before "
			 "and after each write instead, and somebody may come in between'",
			 s->base.name, why);
}

/* Asks the server by effect: see the top. What it does not tell is asked again at the next write. */
static void probe(struct s3_call *for_call)
{
	struct s3_store *s = for_call->store;
	const char *slash = strrchr(for_call->key, '/');
	CLEANUP(freep)
	char *key = str_format("%.*s.skydir-probe-%016" PRIx64,
			       slash ? (int)(slash - for_call->key) + 1 : 0, for_call->key, random_u64());
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_PUT, "PutObject", for_call->bucket, key);
	struct error err = ERROR_INIT;
	int r;

	if (!key)
		return;
	c.request.cancel = for_call->request.cancel;
	c.request.deadline_mono_ms = for_call->request.deadline_mono_ms;
	s3_call_header(&c, "If-Match", "\"00000000000000000000000000000000\"");
	r = s3_call_perform(&c, &err);
	if (r >= 0) {
		give_up_conditions(s, "ignores");
		if (s3_delete(&s->base, for_call->bucket, key, NULL, NULL, &err) < 0)
			log_warn("s3.probe", "store='%s' left='%s' error='%s'", s->base.name, key, err.message);
	} else if (err.kind == ERR_PRECONDITION ||
		   (err.kind == ERR_NOT_FOUND && !s3_error_is(&err, "NoSuchBucket"))) {
		atomic_store(&s->trust, S3_TRUST_PUTS);
	} else if (err.http_status == 501 || s3_error_is(&err, "NotImplemented")) {
		give_up_conditions(s, "has no");
	}
}

int s3_condition_apply(struct s3_call *c, struct s3_condition w, struct error *err)
{
	int r;

	if (!s3_condition_is_set(w))
		return 0;
	/* Who comes while somebody asks compares meanwhile. */
	if (s3_can_condition(c->store) && atomic_load(&c->store->trust) == S3_TRUST_UNKNOWN &&
	    !atomic_exchange(&c->store->is_probing, true)) {
		probe(c);
		atomic_store(&c->store->is_probing, false);
	}
	if (atomic_load(&c->store->trust) < S3_TRUST_PUTS) {
		r = s3_condition_compare(c->store, c->bucket, c->key, w, c->request.cancel, err);
		if (r < 0 || !s3_can_condition(c->store))
			return r;
	}
	if (w.if_absent)
		s3_call_header(c, "If-None-Match", "*");
	else
		s3_call_headerf(c, "If-Match", "\"%s\"", w.if_version);
	return 0;
}

int s3_condition_verify(struct s3_store *s, const char *bucket, const char *key,
			struct s3_condition w, const char *version, struct cancel *cancel,
			struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error unsure = ERROR_INIT;
	struct store_object now;

	if (!s3_condition_is_set(w) || !*version || atomic_load(&s->trust) >= S3_TRUST_PUTS)
		return 0;
	/* The write is done: what cannot be asked now is no failure of it. */
	if (s3_head_with(s, bucket, key, NULL, cancel, &arena, &now, NULL, &unsure) < 0)
		return 0;
	if (!strcmp(now.version, version))
		return 0;
	return error_set(err, ERR_PRECONDITION, "the object was replaced by somebody else at the same time");
}

bool s3_condition_refused(struct s3_store *s, struct s3_condition w, struct error *err)
{
	if (!s3_condition_is_set(w) || s->conditions != S3_CONDITIONS_AUTO ||
	    !s3_can_condition(s) ||
	    (err->http_status != 501 && !s3_error_is(err, "NotImplemented")))
		return false;
	give_up_conditions(s, "has no");
	*err = ERROR_INIT;
	return true;
}
