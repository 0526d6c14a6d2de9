/*
 * What an error answer of a control service means. Services agree on little: the code and the message stand in a
 * dozen places, and statuses mislead (EC2 answers 400 to nearly everything, 503 when throttled).
 *
 * Source: the vendors' error pages, read 2026-11: EC2 "Error codes", Route 53 "Common errors", Google
 * cloud.google.com/apis/design/errors, Azure Resource Manager "Common error codes", OpenStack API guidelines
 * (one member named after the fault, or "error"), Coda /apis/v1 ({statusCode, statusMessage, message}).
 */
#include "backends/cloud/service.h"

#include "backends/base/xml_json.h"

#include <ctype.h>
#include <strings.h>

static const struct {
	const char *pattern; /* '*' at its ends matches anything */
	enum error_kind kind;
} codes[] = {
	{ "*Throttl*", ERR_THROTTLED },
	{ "RequestLimitExceeded", ERR_THROTTLED },
	{ "TooManyRequests*", ERR_THROTTLED },
	{ "rateLimitExceeded", ERR_THROTTLED },
	{ "userRateLimitExceeded", ERR_THROTTLED },
	{ "PriorRequestNotComplete", ERR_THROTTLED },
	{ "AuthFailure", ERR_UNAUTHENTICATED },
	{ "InvalidClientTokenId", ERR_UNAUTHENTICATED },
	{ "UnrecognizedClient*", ERR_UNAUTHENTICATED },
	{ "InvalidAccessKeyId", ERR_UNAUTHENTICATED },
	{ "SignatureDoesNotMatch", ERR_UNAUTHENTICATED },
	{ "InvalidSignature*", ERR_UNAUTHENTICATED },
	{ "ExpiredToken*", ERR_UNAUTHENTICATED },
	{ "RequestExpired", ERR_UNAUTHENTICATED },
	{ "MissingAuthenticationToken*", ERR_UNAUTHENTICATED },
	{ "InvalidAuthenticationToken*", ERR_UNAUTHENTICATED },
	{ "AuthenticationFailed", ERR_UNAUTHENTICATED },
	{ "UNAUTHENTICATED", ERR_UNAUTHENTICATED },
	{ "AccessDenied*", ERR_PERMISSION },
	{ "UnauthorizedOperation", ERR_PERMISSION },
	{ "AuthorizationFailed", ERR_PERMISSION },
	{ "PERMISSION_DENIED", ERR_PERMISSION },
	{ "OptInRequired", ERR_PERMISSION },
	{ "*LimitExceeded*", ERR_QUOTA },
	{ "*QuotaExceeded*", ERR_QUOTA },
	{ "*QUOTA_EXCEEDED*", ERR_QUOTA },
	{ "TooMany*", ERR_QUOTA },
	{ "RESOURCE_EXHAUSTED", ERR_QUOTA },
	{ "InsufficientInstanceCapacity", ERR_UNAVAILABLE },
	{ "ZONE_RESOURCE_POOL_EXHAUSTED*", ERR_UNAVAILABLE },
	{ "AllocationFailed", ERR_UNAVAILABLE },
	{ "ZonalAllocationFailed", ERR_UNAVAILABLE },
	{ "*RESOURCE_NOT_FOUND", ERR_NOT_FOUND },
	{ "*RESOURCE_ALREADY_EXISTS", ERR_EXISTS },
	{ "resourceNotReady", ERR_CONFLICT },
	{ "conditionNotMet", ERR_CONFLICT },
	{ "*NotFound*", ERR_NOT_FOUND },
	{ "NoSuch*", ERR_NOT_FOUND },
	{ "NOT_FOUND", ERR_NOT_FOUND },
	{ "*NonExistent*", ERR_NOT_FOUND },
	{ "*AlreadyExist*", ERR_EXISTS },
	{ "*.Duplicate", ERR_EXISTS },
	{ "duplicate", ERR_EXISTS },
	{ "ALREADY_EXISTS", ERR_EXISTS },
	{ "alreadyExists", ERR_EXISTS },
	{ "Incorrect*State*", ERR_CONFLICT },
	{ "Invalid*State*", ERR_CONFLICT },
	{ "*.InUse", ERR_CONFLICT },
	{ "DependencyViolation", ERR_CONFLICT },
	{ "ResourceInUse*", ERR_CONFLICT },
	{ "HostedZoneNotEmpty", ERR_NOT_EMPTY },
	{ "FAILED_PRECONDITION", ERR_CONFLICT },
	{ "ABORTED", ERR_CONFLICT },
	{ "InternalError", ERR_UNAVAILABLE },
	{ "InternalFailure", ERR_UNAVAILABLE },
	{ "ServiceUnavailable", ERR_UNAVAILABLE },
	{ "Invalid*", ERR_INVALID },
	{ "Missing*", ERR_INVALID },
	{ "Malformed*", ERR_INVALID },
	{ "Validation*", ERR_INVALID },
	{ "INVALID_ARGUMENT", ERR_INVALID },
	{ "badRequest", ERR_INVALID },
};

/* One or two stars, or one in the middle: all that the table needs. */
static bool matches(const char *pattern, const char *code)
{
	for (; *pattern; pattern++, code++) {
		if (*pattern == '*') {
			do {
				if (matches(pattern + 1, code))
					return true;
			} while (*code++);
			return false;
		}
		if (tolower((unsigned char)*pattern) != tolower((unsigned char)*code))
			return false;
	}
	return !*code;
}

static enum error_kind kind_of_code(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (matches(codes[i].pattern, code))
			return codes[i].kind;
	return ERR_NONE;
}

static const char *first_text(struct json_object *o, const char *const *places)
{
	for (; *places; places++) {
		const char *text = json_get_string(o, *places);

		if (text && *text)
			return text;
	}
	return NULL;
}

/* OpenStack: {"itemNotFound": {"code": 404, "message": "..."}}: the one member's name is the code. */
static struct json_object *fault_of(struct json_object *o, const char **ret_code)
{
	if (json_object_is_type(o, json_type_object) && json_object_object_length(o) == 1) {
		json_object_object_foreach(o, name, value)
		{
			if (!json_get_string(value, "message") || !strcasecmp(name, "error"))
				break;
			*ret_code = name;
			return value;
		}
	}
	return o;
}

static void copy_clean(char *to, size_t size, const char *from)
{
	size_t at = 0;

	for (; *from && at + 1 < size; from++) {
		unsigned char c = (unsigned char)*from;

		to[at++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	while (at && (to[at - 1] == ' ' || to[at - 1] == '.'))
		at--;
	to[at] = '\0';
}

/* errors.errors: Designate says only there which value is wrong and why. */
static void read_document(struct json_object *o, struct error *err)
{
	static const char *const code_places[] = {
		"error.errors.0.reason", "error.status", "error.code", "Response.Errors.Error.Code",
		"ErrorResponse.Error.Code", "InvalidChangeBatch.Code", "Error.Code", "__type", "code", "Code",
		"error.type", "type", "error_code", NULL,
	};
	static const char *const message_places[] = {
		"error.message", "error.description", "Response.Errors.Error.Message",
		"ErrorResponse.Error.Message", "InvalidChangeBatch.Messages.Message", "Error.Message", "errors.errors.0.message", "message",
		"Message", "errorMessage", "error_description", "explanation", "faultstring", "description",
		"NeutronError.message", "error", "detail", "title", NULL,
	};
	static const char *const id_places[] = { "Response.RequestID", "ErrorResponse.RequestId", "RequestId", NULL };
	const char *code = NULL, *message, *id = err->request_id[0] ? NULL : first_text(o, id_places);
	struct json_object *fault = fault_of(o, &code);

	if (!code)
		code = first_text(fault, code_places);
	if (code && strrchr(code, '#')) /* "com.amazonaws.x#ValidationException" */
		code = strrchr(code, '#') + 1;
	message = first_text(fault, message_places);
	if (id)
		copy_clean(err->request_id, sizeof err->request_id, id);
	if (code)
		copy_clean(err->service_code, sizeof err->service_code, code);
	if (message)
		copy_clean(err->message, sizeof err->message, message);
}

static void read_body(const struct http_response *response, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct str text = str_trim(buf_str(&response->error_body));
	struct error ignored = ERROR_INIT;
	int r = -1;

	if (str_starts(text, "<"))
		r = xml_to_json(text, &o, &ignored);
	else if (str_starts(text, "{") || str_starts(text, "["))
		r = json_parse(text, SERVICE_ANSWER_MAX, &o, &ignored);
	if (r >= 0)
		read_document(o, err);
}

/* Where services say which request it was: what their support asks for. */
static void read_request_id(const struct http_response *response, struct error *err)
{
	static const char *const headers[] = { "x-openstack-request-id", "x-ms-request-id", "x-amzn-requestid",
					       "x-amz-request-id" };

	for (size_t i = 0; i < ARRAY_SIZE(headers) && !err->request_id[0]; i++) {
		const char *id = http_fields_get(&response->headers, headers[i]);

		if (id)
			copy_clean(err->request_id, sizeof err->request_id, id);
	}
}

int service_classify(void *service, const struct http_response *response, struct error *err)
{
	const struct service *s = service;
	enum error_kind kind;
	int r = http_classify_status(NULL, response, err);

	if (r == 0)
		return 0;
	if (response->status == 400 || response->status == 422)
		err->kind = ERR_INVALID;
	read_request_id(response, err);
	read_body(response, err);
	kind = err->service_code[0] ? kind_of_code(err->service_code) : ERR_NONE;
	/* A code that says "not found" inside a 401 or 403 is about something else than the thing asked for. */
	if (kind != ERR_NONE && response->status != 401)
		err->kind = kind;
	if (s->refine)
		s->refine(response, err);
	return -error_errnum(err->kind);
}

int service_check_xml(struct json_object *answer, struct error *err)
{
	static const char *const roots[] = { "Response.Errors", "ErrorResponse", "Error" };
	enum error_kind kind;
	bool is_error = false;

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		is_error = is_error || json_get(answer, roots[i]);
	if (!is_error)
		return 0;
	(void)error_set(err, ERR_PROTOCOL, "the service tells of an error that it does not name");
	read_document(answer, err);
	kind = kind_of_code(err->service_code);
	err->kind = kind != ERR_NONE ? kind : ERR_PROTOCOL;
	return -error_errnum(err->kind);
}

int service_fault(const char *code, const char *message, struct error *err)
{
	enum error_kind kind = code ? kind_of_code(code) : ERR_NONE;

	(void)error_set(err, kind != ERR_NONE ? kind : ERR_CONFLICT, "the service gives no reason");
	if (code)
		copy_clean(err->service_code, sizeof err->service_code, code);
	if (message && *message)
		copy_clean(err->message, sizeof err->message, message);
	return -error_errnum(err->kind);
}
