/*
 * DeleteObject and DeleteObjects.
 *
 * Deleting what is not there is success. A batch is one XML document, which cannot carry every key
 * (most control bytes, broken UTF-8): those go one by one.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/xml.h"
#include <stdio.h>

static bool is_gone(const struct error *err)
{
	return err->kind == ERR_NOT_FOUND && !s3_error_is(err, "NoSuchBucket");
}

static int delete_once(struct s3_store *s, const char *bucket, const char *key,
		       const char *if_version, const char *version_id, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_DELETE, "DeleteObject", bucket, key);
	struct s3_condition w = { .if_version = if_version };
	struct error gone = ERROR_INIT;
	int r;

	if (version_id)
		s3_call_query(&c, "versionId", version_id);
	r = s3_condition_apply(&c, w, S3_KEEPS_DELETE, err);
	/* Compared by HEAD, and gone already: that is what was wanted. */
	if (r >= 0)
		r = s3_call_perform(&c, err);
	if (r < 0 && is_gone(err)) {
		*err = ERROR_INIT;
		return 0;
	}
	/* S3 answers 412, not 404, to a conditional delete of what is gone: perhaps by our own
	 * first attempt. */
	if (r < 0 && err->kind == ERR_PRECONDITION && s3_condition_is_set(w)) {
		CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
		struct store_object now;

		if (s3_head_with(s, bucket, key, NULL, NULL, &arena, &now, NULL, &gone) < 0 &&
		    is_gone(&gone)) {
			*err = ERROR_INIT;
			return 0;
		}
	}
	return r;
}

int s3_delete(struct store *store, const char *bucket, const char *key, const char *if_version,
	      const char *version_id, struct error *err)
{
	struct s3_store *s = s3_of(store);
	int r = delete_once(s, bucket, key, if_version, version_id, err);

	if (r < 0 &&
	    s3_condition_refused(s, (struct s3_condition){ .if_version = if_version }, err))
		r = delete_once(s, bucket, key, if_version, version_id, err);
	return r;
}

struct delete_reader {
	const char *bucket;
	const char *const *keys;
	size_t count;
	struct error *results;
	char key[STORE_KEY_MAX + 1], code[64], message[160];
};

static int delete_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct delete_reader *d = arg;
	const char *name = s3_xml_below(path, "DeleteResult/Error");
	int len = text.len < STORE_KEY_MAX ? (int)text.len : STORE_KEY_MAX;

	(void)err; /* nothing here can fail */
	if (!name)
		return 0;
	if (!strcmp(name, "Key"))
		(void)snprintf(d->key, sizeof(d->key), "%.*s", len, text.ptr);
	else if (!strcmp(name, "Code"))
		(void)snprintf(d->code, sizeof(d->code), "%.*s", len, text.ptr);
	else if (!strcmp(name, "Message"))
		(void)snprintf(d->message, sizeof(d->message), "%.*s", len, text.ptr);
	return 0;
}

static int delete_end(void *arg, const char *path, struct error *err)
{
	struct delete_reader *d = arg;
	bool is_known = false;

	if (strcmp(path, "DeleteResult/Error"))
		return 0;
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->keys[i], d->key))
			continue;
		is_known = true;
		if (strcmp(d->code, "NoSuchKey") && strcmp(d->code, "NoSuchVersion"))
			(void)s3_error_of_key(d->bucket, d->key, d->code, d->message,
					      &d->results[i]);
	}
	d->key[0] = d->code[0] = d->message[0] = '\0';
	/* An error that belongs to no key we sent leaves open which of ours were deleted. */
	return is_known ? 0
			: error_set(err, ERR_PROTOCOL,
				    "the service refused to delete a key it was not given");
}

static int delete_batch(struct s3_store *s, const char *bucket, const char *const *keys,
			size_t count, struct error *results, struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_POST, "DeleteObjects", bucket, NULL);
	struct delete_reader d = {
		.bucket = bucket, .keys = keys, .count = count, .results = results
	};
	size_t sent = 0;
	int r;

	s3_call_query(&c, "delete", "");
	s3_call_check(&c,
		      buf_adds(&c.sent, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
					"<Quiet>true</Quiet>"));
	for (size_t i = 0; i < count; i++) {
		if (!s3_xml_can_carry(keys[i]))
			continue;
		s3_call_check(&c, buf_adds(&c.sent, "<Object><Key>"));
		s3_call_check(&c, xml_escape(str_of(keys[i]), &c.sent));
		s3_call_check(&c, buf_adds(&c.sent, "</Key></Object>"));
		sent++;
	}
	if (sent == 0)
		return 0;
	s3_call_check(&c, buf_adds(&c.sent, "</Delete>"));
	s3_call_header(&c, "Content-Type", "application/xml");
	s3_call_send_document(&c);
	s3_call_answer(&c, "DeleteResult");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	return xml_parse(str_trim(buf_str(&c.answer)),
			 &(struct xml_handler){ .text = delete_text, .end = delete_end, .arg = &d },
			 err);
}

int s3_delete_many(struct store *store, const char *bucket, const char *const *keys, size_t count,
		   struct error *results, struct error *err)
{
	struct s3_store *s = s3_of(store);
	bool has_batch = __atomic_load_n(&store->caps, __ATOMIC_RELAXED) & STORE_CAP_DELETE_MANY;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		results[i] = ERROR_INIT;
	if (has_batch)
		r = delete_batch(s, bucket, keys, count, results, err);
	if (r < 0 && err->kind == ERR_UNSUPPORTED) {
		(void)__atomic_fetch_and(&store->caps, ~STORE_CAP_DELETE_MANY, __ATOMIC_RELAXED);
		*err = ERROR_INIT;
		has_batch = false;
		r = 0;
	}
	for (size_t i = 0; i < count && r >= 0; i++) {
		if (has_batch && s3_xml_can_carry(keys[i]))
			continue;
		/* Its failure stands in results[i], not in the batch's. */
		(void)delete_once(s, bucket, keys[i], NULL, NULL, &results[i]);
		if (results[i].kind == ERR_NOT_FOUND) { /* the bucket: true for all */
			*err = results[i];
			r = -error_errnum(err->kind);
		}
	}
	return r;
}
