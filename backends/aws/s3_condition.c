/*
 * Conditional writes, also against servers that have none.
 *
 * Where a server keeps If-Match and If-None-Match, they are sent and it decides. One that answers
 * 501 to them is remembered (conditional-writes=auto), and from then on the object is compared by a
 * HEAD right before the write: that leaves a gap of one round trip, which is said once in the log.
 * A server that takes the header and ignores it cannot be told from an answer; `skydir doctor`
 * finds those out by effect.
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

int s3_condition_apply(struct s3_call *c, struct s3_condition w, struct error *err)
{
	if (!s3_condition_is_set(w))
		return 0;
	if (!s3_can_condition(c->store))
		return s3_condition_compare(c->store, c->bucket, c->key, w, c->request.cancel, err);
	if (w.if_absent)
		s3_call_header(c, "If-None-Match", "*");
	else
		s3_call_headerf(c, "If-Match", "\"%s\"", w.if_version);
	return 0;
}

bool s3_condition_refused(struct s3_store *s, struct s3_condition w, struct error *err)
{
	unsigned lost = STORE_CAP_CONDITIONAL_PUT | STORE_CAP_CONDITIONAL_DELETE;

	if (!s3_condition_is_set(w) || s->conditions != S3_CONDITIONS_AUTO ||
	    !s3_can_condition(s) ||
	    (err->http_status != 501 && !s3_error_is(err, "NotImplemented")))
		return false;
	if (__atomic_fetch_and(&s->base.caps, ~lost, __ATOMIC_RELAXED) & STORE_CAP_CONDITIONAL_PUT)
		log_warn("s3.no_conditions",
			 "store='%s' note='the server has no conditional writes: objects are "
			 "compared before"
			 " each write instead'",
			 s->base.name);
	*err = ERROR_INIT;
	return true;
}
