/*
 * What an answer of GCS that is no success means: the kind that callers branch on, and one phrase for the user.
 *
 * The status decides, except where one status stands for several things: a 403 may be a quota or a rate limit, a 400 a
 * checksum that does not match. Bodies are JSON, but plain text for downloads and HTML from what stands between.
 *
 * Source: cloud.google.com/storage/docs/json_api/v1/status-codes (2026-10).
 */
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

static void take(char *ret, size_t size, const char *text)
{
	size_t len = 0;

	for (; text && *text && len + 1 < size; text++)
		ret[len++] = *text < 0x20 || *text == 0x7f ? ' ' : *text;
	ret[len] = '\0';
}

void gcs_error_parse(struct str body, struct gcs_error_text *ret)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error ignored = ERROR_INIT;
	const char *reason;

	*ret = (struct gcs_error_text){ 0 };
	body = str_trim(body);
	if (!body.len || body.ptr[0] != '{' || json_parse(body, 1 << 17, &o, &ignored) < 0)
		return;
	reason = json_get_string(o, "error.errors.0.reason");
	if (!reason)
		reason = json_get_string(o, "error.status");
	take(ret->reason, sizeof(ret->reason), reason);
	take(ret->message, sizeof(ret->message), json_get_string(o, "error.message"));
}

/* "bucket 'b'", "'b/k'" or "the service". */
static void show_target(const char *bucket, const char *key, char *ret, size_t ret_size)
{
	char bucket_text[68], key_text[72];

	if (!bucket) {
		(void)snprintf(ret, ret_size, "the service");
		return;
	}
	str_show(bucket, bucket_text, sizeof(bucket_text));
	if (!key) {
		(void)snprintf(ret, ret_size, "bucket '%s'", bucket_text);
		return;
	}
	str_show(key, key_text, sizeof(key_text));
	(void)snprintf(ret, ret_size, "'%s/%s'", bucket_text, key_text);
}

static const struct {
	const char *reason;
	enum error_kind kind;
} reasons[] = {
	{ "rateLimitExceeded", ERR_THROTTLED }, { "userRateLimitExceeded", ERR_THROTTLED },
	{ "quotaExceeded", ERR_QUOTA },		{ "conditionNotMet", ERR_PRECONDITION },
	{ "backendError", ERR_UNAVAILABLE },	{ "internalError", ERR_UNAVAILABLE },
	{ "uploadTooLarge", ERR_TOO_LARGE },	{ "notImplemented", ERR_UNSUPPORTED },
};

static enum error_kind kind_of_status(int status)
{
	switch (status) {
	case 304:
	case 412:
		return ERR_PRECONDITION;
	case 400:
	case 411:
		return ERR_INVALID;
	case 401:
		return ERR_UNAUTHENTICATED;
	case 403:
		return ERR_PERMISSION;
	case 404:
	case 410:
		return ERR_NOT_FOUND;
	case 405:
	case 501:
		return ERR_UNSUPPORTED;
	case 408:
		return ERR_UNAVAILABLE;
	case 409:
		return ERR_CONFLICT;
	case 413:
		return ERR_TOO_LARGE;
	case 416:
		return ERR_RANGE;
	case 429:
		return ERR_THROTTLED;
	default:
		return status >= 500 ? ERR_UNAVAILABLE : ERR_PROTOCOL;
	}
}

static enum error_kind kind_of(int status, const struct gcs_error_text *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(reasons[i].reason, t->reason) && (status >= 400 && status < 500))
			return reasons[i].kind;
	if (status == 400 && (strcasestr(t->message, "crc32c") || strcasestr(t->message, "md5")))
		return ERR_CORRUPT;
	return kind_of_status(status);
}

static int raise(enum error_kind kind, const char *target, const struct gcs_error_text *t,
		 int status, struct error *err)
{
	switch (kind) {
	case ERR_NOT_FOUND:
		return error_set(err, kind, "%s not found", target);
	case ERR_PRECONDITION:
		return error_set(err, kind, "%s: it has been changed meanwhile", target);
	case ERR_PERMISSION:
		return error_set(err, kind, "access to %s denied%s%s%s", target,
				 t->message[0] ? " (" : "", t->message, t->message[0] ? ")" : "");
	case ERR_UNAUTHENTICATED:
		return error_set(err, kind, "%s: the service does not take these credentials%s%s%s",
				 target, t->message[0] ? " (" : "", t->message,
				 t->message[0] ? ")" : "");
	case ERR_THROTTLED:
		return error_set(err, kind, "%s: the service asks to slow down", target);
	case ERR_RANGE:
		return error_set(err, kind, "%s: the range lies outside the object", target);
	case ERR_CORRUPT:
		return error_set(err, kind, "%s: what arrived is not what was sent", target);
	default:
		break;
	}
	if (t->message[0])
		return error_set(err, kind, "%s: %s", target, t->message);
	return error_set(err, kind, "%s: the service answered with status %d", target, status);
}

int gcs_classify(void *arg, const struct http_response *response, struct error *err)
{
	const struct gcs_call *c = arg;
	const char *id = http_fields_get(&response->headers, "x-guploader-uploadid");
	struct gcs_error_text t;
	char target[160];
	int r;

	if (response->status >= 200 && response->status < 300)
		return 0;
	gcs_error_parse(buf_str(&response->error_body), &t);
	show_target(c->bucket, c->key, target, sizeof(target));
	r = raise(kind_of(response->status, &t), target, &t, response->status, err);
	err->http_status = response->status;
	err->retry_after_ms = http_retry_after_ms(response);
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", t.reason);
	take(err->request_id, sizeof(err->request_id), id);
	return r;
}

int gcs_error_of(const char *bucket, const char *key, int status, const struct gcs_error_text *text,
		 struct error *err)
{
	char target[160];
	int r;

	show_target(bucket, key, target, sizeof(target));
	r = raise(kind_of(status, text), target, text, status, err);
	err->http_status = status;
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", text->reason);
	return r;
}
