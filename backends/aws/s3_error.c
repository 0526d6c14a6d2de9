/*
 * What an S3 answer that is no success means: the kind that callers branch on, and one phrase for
 * the user.
 *
 * The service's code decides, because statuses mislead: an unknown access key is 403 on AWS and 404
 * on versitygw, a throttled request is 503, an expired token 400. Only where there is no code (a
 * HEAD has no body; a proxy answers in HTML) the status does.
 *
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (2026-11).
 */
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

static const struct {
	const char *code;
	enum error_kind kind;
	const char *says; /* NULL: the service's own message is better */
} codes[] = {
	{ "NoSuchBucket", ERR_NOT_FOUND, NULL },
	{ "NoSuchKey", ERR_NOT_FOUND, NULL },
	{ "NoSuchUpload", ERR_NOT_FOUND, "no such upload: it was completed or aborted" },
	{ "NoSuchVersion", ERR_NOT_FOUND, "no such version" },
	{ "NoSuchBucketPolicy", ERR_NOT_FOUND, "it has no policy" },
	{ "AccessDenied", ERR_PERMISSION, NULL },
	{ "AllAccessDisabled", ERR_PERMISSION, NULL },
	{ "AccountProblem", ERR_PERMISSION, NULL },
	{ "InvalidObjectState", ERR_PERMISSION,
	  "it is archived (restore it from its storage class first)" },
	{ "ObjectLockedByBucketPolicy", ERR_PERMISSION, NULL },
	{ "InvalidAccessKeyId", ERR_UNAUTHENTICATED, "the access key is not known to the service" },
	{ "XAdminUserNotFound", ERR_UNAUTHENTICATED, "the access key is not known to the service" },
	{ "XAdminNoSuchUser", ERR_UNAUTHENTICATED, "the access key is not known to the service" },
	{ "SignatureDoesNotMatch", ERR_UNAUTHENTICATED,
	  "the secret access key does not belong to the access key" },
	{ "ExpiredToken", ERR_UNAUTHENTICATED, "the session token has expired (sign in again)" },
	{ "TokenRefreshRequired", ERR_UNAUTHENTICATED,
	  "the session token has expired (sign in again)" },
	{ "InvalidToken", ERR_UNAUTHENTICATED, "the session token is not valid" },
	{ "RequestTimeTooSkewed", ERR_UNAUTHENTICATED,
	  "this machine's clock differs too much from the service's (set the clock)" },
	{ "AuthorizationHeaderMalformed", ERR_UNAUTHENTICATED, NULL },
	{ "MissingSecurityHeader", ERR_UNAUTHENTICATED, NULL },
	{ "RequestExpired", ERR_UNAUTHENTICATED, NULL },
	{ "SlowDown", ERR_THROTTLED, NULL },
	{ "Throttling", ERR_THROTTLED, NULL },
	{ "ThrottlingException", ERR_THROTTLED, NULL },
	{ "TooManyRequests", ERR_THROTTLED, NULL },
	{ "TooManyRequestsException", ERR_THROTTLED, NULL },
	{ "RequestLimitExceeded", ERR_THROTTLED, NULL },
	{ "BandwidthLimitExceeded", ERR_THROTTLED, NULL },
	{ "PreconditionFailed", ERR_PRECONDITION, "it has been changed meanwhile" },
	{ "NotModified", ERR_PRECONDITION, NULL },
	/* Two writers at the same instant; S3 asks for the same request again, so it is UNAVAILABLE
	 * to the exchange and made a CONFLICT only when all attempts met it (s3_call_perform). */
	{ "ConditionalRequestConflict", ERR_UNAVAILABLE, NULL },
	{ "OperationAborted", ERR_UNAVAILABLE, NULL },
	{ "BucketAlreadyOwnedByYou", ERR_EXISTS, "it exists already and is yours" },
	{ "BucketAlreadyExists", ERR_EXISTS, "the name is taken" },
	{ "BucketNotEmpty", ERR_NOT_EMPTY, "it is not empty" },
	{ "InvalidBucketName", ERR_INVALID, "not a valid bucket name" },
	{ "InvalidRange", ERR_RANGE, "the range lies outside the object" },
	{ "EntityTooLarge", ERR_TOO_LARGE, NULL },
	{ "EntityTooSmall", ERR_INVALID, NULL },
	{ "MetadataTooLarge", ERR_TOO_LARGE, "its metadata is too large" },
	{ "MaxMessageLengthExceeded", ERR_TOO_LARGE, NULL },
	{ "PolicyTooLarge", ERR_TOO_LARGE, NULL },
	{ "KeyTooLongError", ERR_NAME_TOO_LONG, "the name is too long for the service" },
	{ "KeyTooLong", ERR_NAME_TOO_LONG, "the name is too long for the service" },
	{ "NotImplemented", ERR_UNSUPPORTED, NULL },
	{ "MethodNotAllowed", ERR_UNSUPPORTED, NULL },
	{ "BadDigest", ERR_CORRUPT, "what arrived is not what was sent" },
	{ "InvalidDigest", ERR_CORRUPT, NULL },
	{ "XAmzContentSHA256Mismatch", ERR_CORRUPT, "what arrived is not what was sent" },
	{ "XAmzContentChecksumMismatch", ERR_CORRUPT, "what arrived is not what was sent" },
	{ "QuotaExceeded", ERR_QUOTA, NULL },
	{ "XMinioAdminBucketQuotaExceeded", ERR_QUOTA, NULL },
	{ "TooManyBuckets", ERR_QUOTA, "the account cannot have more buckets" },
	{ "InsufficientStorage", ERR_QUOTA, NULL },
	{ "InternalError", ERR_UNAVAILABLE, NULL },
	{ "ServiceUnavailable", ERR_UNAVAILABLE, NULL },
	{ "ServerBusy", ERR_UNAVAILABLE, NULL },
	{ "RequestTimeout", ERR_UNAVAILABLE,
	  NULL }, /* our body came too slowly; may be sent again */
	{ "IncompleteBody", ERR_UNAVAILABLE, NULL },
	{ "PermanentRedirect", ERR_CONFIG,
	  "it lives at another endpoint (set endpoint and region)" },
	{ "TemporaryRedirect", ERR_UNAVAILABLE, "it is moving between endpoints" },
	{ "Redirect", ERR_UNAVAILABLE, "it is moving between endpoints" },
	{ "IllegalLocationConstraintException", ERR_CONFIG, NULL },
	{ "InvalidLocationConstraint", ERR_CONFIG, NULL },
};

static int code_row(const char *code)
{
	for (size_t i = 0; *code && i < ARRAY_SIZE(codes); i++)
		if (!strcmp(codes[i].code, code))
			return (int)i;
	return -1;
}

enum error_kind s3_error_kind(const char *code)
{
	int row = code_row(code);

	return row < 0 ? ERR_NONE : codes[row].kind;
}

static void take(char *ret, size_t size, struct str text)
{
	size_t len = 0;

	text = str_trim(text);
	for (size_t i = 0; i < text.len && len + 1 < size; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		ret[len++] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
	}
	ret[len] = '\0';
}

static int error_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct s3_error_text *t = arg;
	/* GCS and some gateways wrap it once more: <ErrorResponse><Error>. */
	const char *name = s3_xml_below(path, "Error");

	(void)err; /* nothing here can fail */
	if (!name)
		name = s3_xml_below(path, "ErrorResponse/Error");
	if (!name)
		return 0;
	if (!strcmp(name, "Code"))
		take(t->code, sizeof(t->code), text);
	else if (!strcmp(name, "Message"))
		take(t->message, sizeof(t->message), text);
	else if (!strcmp(name, "Region"))
		take(t->region, sizeof(t->region), text);
	else if (!strcmp(name, "RequestId"))
		take(t->request_id, sizeof(t->request_id), text);
	return 0;
}

void s3_error_read(struct str body, struct s3_error_text *ret)
{
	struct error ignored = ERROR_INIT;

	*ret = (struct s3_error_text){ 0 };
	body = str_trim(body);
	if (!body.len || body.ptr[0] != '<')
		return;
	/* A body that breaks off in the middle (over 64 KiB) still told what came before, so its
	 * failure is none. */
	if (xml_parse(body, &(struct xml_handler){ .text = error_text, .arg = ret }, &ignored) < 0)
		return;
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

static enum error_kind kind_of_status(const struct http_response *response)
{
	struct error by_status = ERROR_INIT;

	switch (response->status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return ERR_CONFIG;
	case 304:
		return ERR_PRECONDITION;
	case 400:
		return ERR_INVALID;
	case 405:
	case 501:
		return ERR_UNSUPPORTED;
	case 408:
		return ERR_UNAVAILABLE;
	case 413:
		return ERR_TOO_LARGE;
	case 414:
		return ERR_NAME_TOO_LONG;
	case 507:
		return ERR_QUOTA;
	default:
		(void)http_classify_status(NULL, response,
					   &by_status); /* only its kind is wanted */
		return by_status.kind;
	}
}

static int raise(enum error_kind kind, const char *target, const struct s3_error_text *t,
		 int status, struct error *err)
{
	int row = code_row(t->code);
	const char *says = row >= 0 ? codes[row].says : NULL;

	if (!says && kind == ERR_NOT_FOUND)
		return error_set(err, kind, "%s not found", target);
	if (says)
		return error_set(err, kind, "%s: %s", target, says);
	if (kind == ERR_PERMISSION)
		return error_set(err, kind, "access to %s denied%s%s%s", target,
				 t->message[0] ? " (" : "", t->message, t->message[0] ? ")" : "");
	if (kind == ERR_THROTTLED)
		return error_set(err, kind, "%s: the service asks to slow down", target);
	if (kind == ERR_RANGE)
		return error_set(err, kind, "%s: the range lies outside the object", target);
	if (kind == ERR_PRECONDITION)
		return error_set(err, kind, "%s: it has been changed meanwhile", target);
	if (t->code[0])
		return error_set(err, kind, "%s: %s%s%s", target, t->code,
				 t->message[0] ? ": " : "", t->message);
	return error_set(err, kind, "%s: the service answered with status %d", target, status);
}

static uint64_t retry_after_ms(const struct http_response *response)
{
	const char *value = http_fields_get(&response->headers, "retry-after");
	uint64_t seconds = 0;
	int64_t when_s = 0;

	if (!value)
		return 0;
	if (str_to_u64(str_of(value), &seconds) == 0)
		return seconds < 3600 ? seconds * 1000 : 3600000;
	if (clock_parse_http(value, &when_s) == 0 && when_s > clock_wall_s())
		return (uint64_t)(when_s - clock_wall_s()) * 1000;
	return 0;
}

static void fill_details(const struct http_response *response, const struct s3_error_text *t,
			 struct error *err)
{
	const char *id = http_fields_get(&response->headers, "x-amz-request-id");

	err->http_status = response->status;
	err->retry_after_ms = retry_after_ms(response);
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", t->code);
	take(err->request_id, sizeof(err->request_id), str_of(id ? id : t->request_id));
}

/* The name of a document's root element. */
struct root_reader {
	char name[64];
};

static int root_start(void *arg, const char *path, struct error *err)
{
	struct root_reader *root = arg;

	(void)err; /* nothing here can fail */
	if (!strchr(path, '/'))
		(void)snprintf(root->name, sizeof(root->name), "%s", path);
	return 0;
}

/* moto (5.2) names some documents after the response; nothing else in them differs. */
static const struct {
	const char *root, *also;
} aliases[] = {
	{ "ListPartsResult", "ListPartsResponse" },
	{ "VersioningConfiguration", "GetBucketVersioningResponse" },
};

static bool is_wanted_root(const char *wanted, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (!strcmp(aliases[i].root, wanted) && !strcmp(aliases[i].also, name))
			return true;
	return !strcmp(wanted, name);
}

static int classify_success(struct s3_call *c, const struct http_response *response,
			    struct error *err)
{
	struct root_reader root = { "" };
	struct s3_error_text t;
	char target[160];
	int r;

	if (!c->answer_root)
		return 0;
	/* A 200 is sent before a long copy or completion is done: only the document tells how it
	 * ended. */
	r = xml_parse(str_trim(buf_str(&c->answer)),
		      &(struct xml_handler){ .start = root_start, .arg = &root }, err);
	if (r >= 0 && is_wanted_root(c->answer_root, root.name))
		return 0;
	show_target(c->bucket, c->key, target, sizeof(target));
	if (r >= 0 && (!strcmp(root.name, "Error") || !strcmp(root.name, "ErrorResponse"))) {
		enum error_kind kind;

		s3_error_read(buf_str(&c->answer), &t);
		kind = s3_error_kind(t.code);
		r = raise(kind == ERR_NONE ? ERR_UNAVAILABLE : kind, target, &t, response->status,
			  err);
	} else {
		t = (struct s3_error_text){ 0 };
		r = error_set(err, ERR_PROTOCOL,
			      "%s: %s answered with a document that makes no sense", target,
			      c->request.operation);
	}
	fill_details(response, &t, err);
	return r;
}

/* Where the credentials that were refused came from, by the names under which they are mended. */
static void name_credentials(struct s3_store *s, struct error *err)
{
	static const struct {
		const char *source, *names;
	} places[] = {
		{ "configuration", "access-key-id, secret-access-key" },
		{ "environment", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" },
		{ "profile", "the profile in ~/.aws/credentials, ~/.aws/config" },
	};
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	struct error ignored = ERROR_INIT;
	const char *names;
	size_t len = strlen(err->message);

	if (!s || !s->provider || !cred_aws_is_ready(s->provider) || cred_aws_get(s->provider, &cred, &ignored) < 0 || !cred.source)
		return;
	names = cred.source;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!strcmp(places[i].source, cred.source))
			names = places[i].names;
	(void)snprintf(err->message + len, sizeof(err->message) - len, " (mend %s)", names); /* cut when long */
}

int s3_classify(void *arg, const struct http_response *response, struct error *err)
{
	struct s3_call *c = arg;
	struct s3_error_text t;
	enum error_kind kind;
	char target[160];
	int r;

	if (response->status >= 200 && response->status < 300)
		return classify_success(c, response, err);
	s3_error_read(buf_str(&response->error_body), &t);
	kind = s3_error_kind(t.code);
	if (!strcmp(t.code, "InvalidRequest") && strstr(t.message, "copy source is larger"))
		kind = ERR_TOO_LARGE;
	if (kind == ERR_NONE)
		kind = kind_of_status(response);
	if (!strcmp(t.code, "NoSuchBucket"))
		show_target(c->bucket, NULL, target, sizeof(target));
	else
		show_target(c->bucket, c->key, target, sizeof(target));
	r = raise(kind, target, &t, response->status, err);
	if (kind == ERR_UNAUTHENTICATED)
		name_credentials(c->store, err);
	fill_details(response, &t, err);
	return r;
}

int s3_error_of_key(const char *bucket, const char *key, const char *code, const char *message,
		    struct error *err)
{
	struct s3_error_text t = { 0 };
	enum error_kind kind = s3_error_kind(code);
	char target[160];
	int r;

	take(t.code, sizeof(t.code), str_of(code));
	take(t.message, sizeof(t.message), str_of(message));
	show_target(bucket, key, target, sizeof(target));
	r = raise(kind == ERR_NONE ? ERR_UNAVAILABLE : kind, target, &t, 200, err);
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", t.code);
	return r;
}
