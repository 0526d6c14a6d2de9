/*
 * What an answer that is no success means: the kind that callers branch on, and one phrase for the user.
 *
 * The code decides (x-ms-error-code, which HEAD has too; or the body's, XML from the blob and JSON from the Data Lake
 * endpoint); the status only where there is none.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and common-rest-api-error-codes (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/json.h"
#include "backends/base/xml.h"
#include <stdio.h>

static const struct {
	const char *code;
	enum error_kind kind;
	const char *says; /* NULL: the kind's own phrase, or the service's */
} codes[] = {
	{ "BlobNotFound", ERR_NOT_FOUND, NULL },
	{ "PathNotFound", ERR_NOT_FOUND, NULL },
	{ "SourcePathNotFound", ERR_NOT_FOUND, NULL },
	{ "RenameDestinationParentPathNotFound", ERR_NOT_FOUND, NULL },
	{ "ContainerNotFound", ERR_NOT_FOUND, NULL },
	{ "FilesystemNotFound", ERR_NOT_FOUND, NULL },
	{ "ResourceNotFound", ERR_NOT_FOUND, NULL },
	{ "CannotVerifyCopySource", ERR_NOT_FOUND, NULL },
	{ "ContainerAlreadyExists", ERR_EXISTS, "it exists already" },
	{ "ContainerBeingDeleted", ERR_UNAVAILABLE, "a container of that name is being deleted (try again in a minute)" },
	{ "BlobAlreadyExists", ERR_PRECONDITION, "it is there already" },
	{ "PathAlreadyExists", ERR_PRECONDITION, "it is there already" },
	{ "ConditionNotMet", ERR_PRECONDITION, "it has been changed meanwhile" },
	{ "TargetConditionNotMet", ERR_PRECONDITION, "it has been changed meanwhile" },
	{ "SourceConditionNotMet", ERR_PRECONDITION, "it has been changed meanwhile" },
	{ "AppendPositionConditionNotMet", ERR_PRECONDITION, "it has been changed meanwhile" },
	{ "DirectoryNotEmpty", ERR_NOT_EMPTY, "it is not empty" },
	{ "DirectoryIsNotEmpty", ERR_NOT_EMPTY, "it is not empty" },
	{ "SnapshotsPresent", ERR_CONFLICT, "it has snapshots (delete-snapshots = yes deletes them with it)" },
	{ "PendingCopyOperation", ERR_CONFLICT, "a copy to it is under way" },
	{ "LeaseIdMissing", ERR_CONFLICT, "another program holds a lease on it" },
	{ "BlobImmutableDueToPolicy", ERR_PERMISSION, "a policy keeps it as it is" },
	{ "InvalidBlobType", ERR_UNSUPPORTED, "it is another kind of blob" },
	{ "BlobArchived", ERR_PERMISSION, "it is archived (move it to another tier first)" },
	{ "BlobBeingRehydrated", ERR_PERMISSION, "it comes back from the archive, which takes hours" },
	{ "InvalidBlobTier", ERR_INVALID, NULL },
	{ "InvalidRange", ERR_RANGE, "the range lies outside the object" },
	{ "InvalidBlockId", ERR_INVALID, NULL },
	{ "InvalidBlockList", ERR_INVALID, "a part is not there, or another upload of the same name took its place" },
	{ "InvalidBlobOrBlock", ERR_CONFLICT,
	  "an unfinished upload of another program is in the way (it goes away within a week)" },
	{ "BlockCountExceedsLimit", ERR_TOO_LARGE, NULL },
	{ "BlockListTooLong", ERR_TOO_LARGE, NULL },
	{ "RequestBodyTooLarge", ERR_TOO_LARGE, NULL },
	{ "MaxBlobSizeConditionNotMet", ERR_PRECONDITION, NULL },
	{ "MetadataTooLarge", ERR_TOO_LARGE, "its metadata is too large" },
	{ "InvalidMetadata", ERR_INVALID, NULL },
	{ "InvalidResourceName", ERR_INVALID, "not a valid name (3 to 63 lower-case letters, digits and '-')" },
	{ "OutOfRangeInput", ERR_INVALID, "not a valid name" },
	{ "Md5Mismatch", ERR_CORRUPT, "what arrived is not what was sent" },
	{ "Crc64Mismatch", ERR_CORRUPT, "what arrived is not what was sent" },
	{ "InvalidMd5", ERR_CORRUPT, NULL },
	{ "AuthenticationFailed", ERR_UNAUTHENTICATED, NULL },
	{ "NoAuthenticationInformation", ERR_UNAUTHENTICATED, "it cannot be had without credentials" },
	{ "InvalidAuthenticationInfo", ERR_UNAUTHENTICATED, NULL },
	{ "KeyBasedAuthenticationNotPermitted", ERR_PERMISSION,
	  "the account takes no account keys (use a token: AZURE_CLIENT_ID and others, or 'az login')" },
	{ "PublicAccessNotPermitted", ERR_UNAUTHENTICATED, "it cannot be had without credentials" },
	{ "AccountIsDisabled", ERR_PERMISSION, "the account is disabled" },
	{ "InsufficientAccountPermissions", ERR_PERMISSION, NULL },
	{ "AuthorizationFailure", ERR_PERMISSION, NULL },
	{ "AuthorizationPermissionMismatch", ERR_PERMISSION, NULL },
	{ "AuthorizationServiceMismatch", ERR_PERMISSION, NULL },
	{ "AuthorizationResourceTypeMismatch", ERR_PERMISSION, NULL },
	{ "AuthorizationProtocolMismatch", ERR_PERMISSION, NULL },
	{ "AuthorizationSourceIPMismatch", ERR_PERMISSION, NULL },
	{ "CannotVerifyCopySourceAuthorization", ERR_PERMISSION, NULL },
	{ "ServerBusy", ERR_THROTTLED, NULL },
	{ "AccountIsThrottled", ERR_THROTTLED, NULL },
	{ "InternalError", ERR_UNAVAILABLE, NULL },
	{ "OperationTimedOut", ERR_UNAVAILABLE, NULL },
	{ "FeatureNotSupportedByEmulator", ERR_UNSUPPORTED, NULL },
	{ "FeatureNotSupported", ERR_UNSUPPORTED, NULL },
	{ "NotImplemented", ERR_UNSUPPORTED, NULL },
	{ "UnsupportedHeader", ERR_UNSUPPORTED, NULL },
	{ "UnsupportedQueryParameter", ERR_UNSUPPORTED, NULL },
	{ "HierarchicalNamespaceNotEnabled", ERR_UNSUPPORTED, NULL },
	{ "EndpointUnsupportedAccountFeatures", ERR_UNSUPPORTED, NULL },
	{ "BlobApiNotYetSupportedForHierarchicalNamespaceAccounts", ERR_UNSUPPORTED, NULL },
	{ "InvalidHeaderValue", ERR_INVALID, NULL },
	{ "InvalidQueryParameterValue", ERR_INVALID, NULL },
	{ "InvalidXmlDocument", ERR_INVALID, NULL },
	{ "UnsupportedHttpVerb", ERR_UNSUPPORTED, NULL },
};

static int code_row(const char *code)
{
	for (size_t i = 0; *code && i < ARRAY_SIZE(codes); i++)
		if (!strcmp(codes[i].code, code))
			return (int)i;
	return -1;
}

enum error_kind az_error_kind(const char *code)
{
	int row = code_row(code);

	return row < 0 ? ERR_NONE : codes[row].kind;
}

struct error_text {
	char code[48], message[160];
};

/* One line, printable; messages go on with the request's id and time in lines of their own. */
static void take(char *ret, size_t size, struct str text)
{
	size_t len = 0;

	text = str_trim(text);
	for (size_t i = 0; i < text.len && len + 1 < size && text.ptr[i] != '\n' && text.ptr[i] != '\r'; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		ret[len++] = byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
	}
	ret[len] = '\0';
}

static int error_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct error_text *t = arg;

	(void)err; /* nothing here can fail */
	if (!strcmp(path, "Error/Code"))
		take(t->code, sizeof(t->code), text);
	else if (!strcmp(path, "Error/Message"))
		take(t->message, sizeof(t->message), text);
	return 0;
}

static void read_json(struct str body, struct error_text *t)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *code, *message;

	if (json_parse(body, 65536, &o, NULL) < 0)
		return;
	code = json_get_string(o, "error.code");
	message = json_get_string(o, "error.message");
	take(t->code, sizeof(t->code), str_of(code ? code : ""));
	take(t->message, sizeof(t->message), str_of(message ? message : ""));
}

static void read_body(struct str body, struct error_text *t)
{
	struct error ignored = ERROR_INIT;

	*t = (struct error_text){ 0 };
	body = str_trim(body);
	if (str_starts(body, "\xef\xbb\xbf"))
		body = (struct str){ body.ptr + 3, body.len - 3 };
	if (body.len && body.ptr[0] == '{')
		read_json(body, t);
	else if (body.len && body.ptr[0] == '<' &&
		 xml_parse(body, &(struct xml_handler){ .text = error_text, .arg = t }, &ignored) < 0)
		return; /* what came before the break has been taken */
}

/* "container 'c'", "'c/k'" or "the account". */
static void show_target(const char *container, const char *key, char *ret, size_t ret_size)
{
	char container_text[68], key_text[72];

	if (!container) {
		(void)snprintf(ret, ret_size, "the account");
		return;
	}
	str_show(container, container_text, sizeof(container_text));
	if (!key) {
		(void)snprintf(ret, ret_size, "container '%s'", container_text);
		return;
	}
	str_show(key, key_text, sizeof(key_text));
	(void)snprintf(ret, ret_size, "'%s/%s'", container_text, key_text);
}

static enum error_kind kind_of_status(int status)
{
	struct http_response response = { .status = status };
	struct error by_status = ERROR_INIT;

	switch (status) {
	case 304:
		return ERR_PRECONDITION;
	case 400:
		return ERR_INVALID;
	case 405:
	case 501:
		return ERR_UNSUPPORTED;
	case 409:
		return ERR_CONFLICT;
	case 414:
		return ERR_NAME_TOO_LONG;
	case 503:
		return ERR_THROTTLED;
	default:
		if (status >= 300 && status < 400)
			return ERR_CONFIG;
		(void)http_classify_status(NULL, &response, &by_status); /* only its kind is wanted */
		return by_status.kind;
	}
}

/* What to mend depends on what we came with. */
static const char *authentication_hint(const struct az_store *s)
{
	switch (cred_azure_kind(s->cred)) {
	case CRED_AZURE_KEY:
		return "the account key is wrong";
	case CRED_AZURE_SAS:
		return "the shared access signature is wrong or has expired";
	case CRED_AZURE_TOKEN:
		return "the token was refused";
	case CRED_AZURE_ANONYMOUS:
		break;
	}
	return "it cannot be had without credentials";
}

static int raise(const struct az_store *s, enum error_kind kind, const char *target,
		 const struct error_text *t, int status, struct error *err)
{
	int row = code_row(t->code);
	const char *says = row >= 0 ? codes[row].says : NULL;

	if (kind == ERR_UNAUTHENTICATED && s)
		return error_set(err, kind, "%s: %s (%s)", target, says ? says : authentication_hint(s),
				 cred_azure_describe(s->cred));
	if (!says && kind == ERR_NOT_FOUND)
		return error_set(err, kind, "%s not found", target);
	if (says)
		return error_set(err, kind, "%s: %s", target, says);
	if (kind == ERR_PERMISSION)
		return error_set(err, kind, "access to %s denied%s%s%s", target, t->message[0] ? " (" : "",
				 t->message, t->message[0] ? ")" : "");
	if (kind == ERR_THROTTLED)
		return error_set(err, kind, "%s: the service asks to slow down", target);
	if (kind == ERR_PRECONDITION)
		return error_set(err, kind, "%s: it has been changed meanwhile", target);
	if (t->code[0])
		return error_set(err, kind, "%s: %s%s%s", target, t->code, t->message[0] ? ": " : "", t->message);
	return error_set(err, kind, "%s: the service answered with status %d", target, status);
}

static void fill_details(const struct http_response *response, const char *code, struct error *err)
{
	const char *id = http_fields_get(&response->headers, "x-ms-request-id");

	err->http_status = response->status;
	err->retry_after_ms = http_retry_after_ms(response);
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", code);
	take(err->request_id, sizeof(err->request_id), str_of(id ? id : ""));
}

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

/* The documents begin with a byte order mark, which is none of XML's business. */
static int classify_success(struct az_call *c, const struct http_response *response, struct error *err)
{
	struct root_reader root = { "" };
	char target[160];
	int r;

	if (!c->root)
		return 0;
	r = xml_parse(str_trim(buf_str(&c->answer)),
		      &(struct xml_handler){ .start = root_start, .arg = &root }, err);
	if (r >= 0 && !strcmp(root.name, c->root))
		return 0;
	show_target(c->container, c->key, target, sizeof(target));
	r = error_set(err, ERR_PROTOCOL, "%s: %s answered with a document that makes no sense", target,
		      c->request.operation);
	fill_details(response, "", err);
	return r;
}

/* A condition that others than writers hear of as "exists already". */
static enum error_kind kind_of(const struct az_call *c, const char *code, int status)
{
	enum error_kind kind = az_error_kind(code);

	if (kind == ERR_NONE)
		kind = kind_of_status(status);
	if (!c->key && kind == ERR_PRECONDITION && status == 409)
		kind = ERR_EXISTS;
	return kind;
}

int az_classify(void *arg, const struct http_response *response, struct error *err)
{
	struct az_call *c = arg;
	const char *header = http_fields_get(&response->headers, "x-ms-error-code");
	struct error_text t;
	char target[160];
	bool is_container;
	int r;

	if (response->status >= 200 && response->status < 300)
		return classify_success(c, response, err);
	read_body(buf_str(&response->error_body), &t);
	if (header)
		take(t.code, sizeof(t.code), str_of(header));
	if (!strcmp(t.code, "InvalidOperation") && strcasestr(t.message, "contentMD5")) /* Azurite (3.35) calls it that */
		take(t.code, sizeof(t.code), STR("Md5Mismatch"));
	is_container = !strcmp(t.code, "ContainerNotFound") || !strcmp(t.code, "FilesystemNotFound");
	show_target(c->container, is_container ? NULL : c->key, target, sizeof(target));
	r = raise(c->store, kind_of(c, t.code, response->status), target, &t, response->status, err);
	fill_details(response, t.code, err);
	return r;
}

int az_error_of_key(const char *container, const char *key, const char *code, int status,
		    struct error *err)
{
	struct error_text t = { 0 };
	enum error_kind kind = az_error_kind(code);
	char target[160];
	int r;

	take(t.code, sizeof(t.code), str_of(code));
	show_target(container, key, target, sizeof(target));
	r = raise(NULL, kind == ERR_NONE ? kind_of_status(status) : kind, target, &t, status, err);
	err->http_status = status;
	(void)snprintf(err->service_code, sizeof(err->service_code), "%s", t.code);
	return r;
}

int azure_fuzz_error(struct str bytes)
{
	struct error_text t;

	read_body(bytes, &t);
	return t.code[0] ? 0 : -EINVAL;
}
