/*
 * Conditional writes, also against servers that have none.
 *
 * Where a server keeps If-Match and If-None-Match, they are sent and it decides. With conditional-writes=auto that is believed of
 * Amazon and of servers that name themselves as one known to keep them; any other is asked by effect (s3_probe.c). What it does not
 * keep is compared by HEAD before the write and, for content, after it: that leaves a gap of one round trip, which is said once in
 * the log.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html (2026-11): If-Match on a key that is not there is 404.
 */
#include "backends/aws/s3_private.h"
#include "backends/base/log.h"

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
	str_show(key, shown, sizeof(shown));
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

int s3_condition_source(struct s3_store *s, const char *bucket, const char *key, const char *if_version,
			struct cancel *cancel, struct error *err)
{
	struct s3_condition w = { .if_version = if_version };
	int r = s3_keeps(s, S3_KEEPS_SOURCE) ? 0 : s3_condition_compare(s, bucket, key, w, cancel, err);

	/* A source that is gone is not found, whoever finds it out. */
	if (r < 0 && err->kind == ERR_PRECONDITION && strstr(err->message, "deleted"))
		return error_set(err, ERR_NOT_FOUND, "the object to copy has been deleted meanwhile");
	return r;
}

void s3_condition_learn(struct s3_store *s, const struct http_response *response)
{
	/* Tried, each of them: see README.md. */
	static const struct {
		const char *server;
		unsigned kept;
	} known[] = {
		{ "VERSITYGW", S3_KEEPS_ALL & ~S3_KEEPS_TARGET },
		{ "Werkzeug/", S3_KEEPS_PUT | S3_KEEPS_DELETE | S3_KEEPS_SOURCE }, /* moto */
	};
	const char *name;

	if (atomic_load(&s->kept) & S3_KEEPS_KNOWN)
		return;
	name = http_fields_get(&response->headers, "server");
	for (size_t i = 0; name && i < ARRAY_SIZE(known); i++)
		if (str_starts(str_of(name), known[i].server))
			atomic_store(&s->kept, known[i].kept | S3_KEEPS_KNOWN);
}

void s3_condition_give_up(struct s3_store *s, const char *why)
{
	unsigned lost = STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE;

	atomic_store(&s->kept, S3_KEEPS_KNOWN);
	if (__atomic_fetch_and(&s->base.caps, ~lost, __ATOMIC_RELAXED) & STORE_CAP_CONDITIONAL_PUT)
		log_warn("s3.no_conditions",
			 "store='%s' note='the server %s conditional writes: objects are compared before "
			 "and after each write instead, and somebody may come in between'",
			 s->base.name, why);
}

int s3_condition_apply(struct s3_call *c, struct s3_condition w, enum s3_promise promise, struct error *err)
{
	struct s3_store *s = c->store;
	int r;

	if (!s3_condition_is_set(w))
		return 0;
	/* Who comes while somebody asks compares meanwhile. */
	if (s3_can_condition(s) && !s3_keeps(s, S3_KEEPS_KNOWN) && !atomic_exchange(&s->is_probing, true)) {
		s3_probe(c);
		atomic_store(&s->is_probing, false);
	}
	if (!s3_keeps(s, promise)) {
		r = s3_condition_compare(s, c->bucket, c->key, w, c->request.cancel, err);
		/* Who keeps it at a PUT reads it rightly at an upload's end, and may keep it there, too. */
		if (r < 0 || promise != S3_KEEPS_END || !s3_keeps(s, S3_KEEPS_PUT))
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

	if (!s3_condition_is_set(w) || !*version || s3_keeps(s, S3_KEEPS_PUT))
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
	s3_condition_give_up(s, "has no");
	*err = ERROR_INIT;
	return true;
}
