#include "proxy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

size_t http1_head_size(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	return end ? (size_t)(end - data) + 4 : 0;
}

/* Copies up to the first of `stops` (or the end); returns what follows it. */
static const char *cut_word(const char *at, const char *end, char stop, char *ret, size_t size)
{
	size_t n = 0;
	for (; at < end && *at != stop && *at != '\r'; at++)
		if (n + 1 < size)
			ret[n++] = *at;
	ret[n] = '\0';
	return at < end ? at + 1 : end;
}

static bool value_has(const char *value, size_t len, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(value + i, word, n) == 0)
			return true;
	return false;
}

/* "20261123T101500Z" */
static int64_t read_amz_date(const char *value, size_t len)
{
	struct tm t = { 0 };
	char text[17];

	if (len < 16)
		return 0;
	memcpy(text, value, 16);
	text[16] = '\0';
	return strptime(text, "%Y%m%dT%H%M%SZ", &t) ? (int64_t)timegm(&t) : 0;
}

static void read_field(struct http1_head *head, const char *name, size_t name_len, const char *value, size_t len)
{
	if (name_len == 14 && strncasecmp(name, "content-length", 14) == 0) {
		head->length = strtoull(value, NULL, 10); /* the head ends in CRLF: digits stop there */
		if (head->framing != HTTP1_CHUNKED)
			head->framing = HTTP1_LENGTH;
	} else if (name_len == 17 && strncasecmp(name, "transfer-encoding", 17) == 0) {
		if (value_has(value, len, "chunked"))
			head->framing = HTTP1_CHUNKED;
	} else if (name_len == 10 && strncasecmp(name, "connection", 10) == 0) {
		head->has_close = value_has(value, len, "close");
	} else if ((name_len == 17 && strncasecmp(name, "x-amz-copy-source", 17) == 0) ||
		   (name_len == 16 && strncasecmp(name, "x-ms-copy-source", 16) == 0) ||
		   (name_len == 11 && strncasecmp(name, "x-copy-from", 11) == 0)) {
		head->has_copy_source = true;
	} else if (name_len == 10 && strncasecmp(name, "x-amz-date", 10) == 0) {
		head->amz_date_s = read_amz_date(value, len);
	}
}

static void read_fields(struct http1_head *head, const char *at, const char *end)
{
	while (at < end) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!eol || eol == at)
			return;
		const char *colon = memchr(at, ':', (size_t)(eol - at));
		if (colon) {
			const char *value = colon + 1;
			while (value < eol && *value == ' ')
				value++;
			read_field(head, at, (size_t)(colon - at), value, (size_t)(eol - value));
		}
		at = eol + 2;
	}
}

bool http1_request(const char *data, size_t len, struct http1_head *ret)
{
	const char *end = data + len;
	*ret = (struct http1_head){ .length = HTTP1_UNKNOWN };
	const char *at = cut_word(data, end, ' ', ret->method, sizeof(ret->method));
	at = cut_word(at, end, ' ', ret->target, sizeof(ret->target));
	if (end - at < 8 || strncmp(at, "HTTP/1.", 7) != 0 || ret->target[0] != '/')
		return false;
	ret->has_close = at[7] == '0';
	const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
	read_fields(ret, eol + 2, end);
	ret->op = http1_op(ret->method, ret->target, ret->has_copy_source);
	return true;
}

bool http1_response(const char *data, size_t len, const struct http1_head *request, struct http1_head *ret)
{
	*ret = (struct http1_head){ .length = HTTP1_UNKNOWN };
	if (len < 13 || strncmp(data, "HTTP/1.", 7) != 0)
		return false;
	/* The buffer has no end byte that strtol could stop at. */
	for (int i = 9; i < 12; i++) {
		if (data[i] < '0' || data[i] > '9')
			return false;
		ret->status = 10 * ret->status + (data[i] - '0');
	}
	if (ret->status < 100)
		return false;
	ret->has_close = data[7] == '0';
	const char *eol = memmem(data, len, "\r\n", 2);
	read_fields(ret, eol + 2, data + len);
	if (ret->status < 200 || ret->status == 204 || ret->status == 304 || strcmp(request->method, "HEAD") == 0)
		ret->framing = HTTP1_NONE;
	else if (ret->framing == HTTP1_NONE)
		ret->framing = HTTP1_TO_EOF;
	if (ret->framing != HTTP1_LENGTH)
		ret->length = HTTP1_UNKNOWN;
	return true;
}

/* Whether the query names a parameter. */
static bool query_has(const char *query, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == '=' || at[n] == '&'))
			return true;
	return false;
}

static char bucket_op(const char *method, const char *query)
{
	static const char *const others[] = { "location", "versioning", "policy", "acl", "tagging", "cors",
					      "lifecycle", "encryption", "object-lock", "ownershipControls" };
	if (strcmp(method, "POST") == 0)
		return query_has(query, "delete") ? 'M' : 'O';
	if (strcmp(method, "GET") != 0)
		return 'b';
	if (query_has(query, "uploads"))
		return 'u';
	if (query_has(query, "versions"))
		return 'V';
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (query_has(query, others[i]))
			return 'b';
	return 'L';
}

/* Azure tells by `comp` what S3 tells by other parameters; its emulators have the account before the container. */
#define AZURE_ACCOUNT "/devstoreaccount1"

/* Whether the query holds exactly that pair. */
static bool query_pair(const char *query, const char *pair)
{
	size_t n = strlen(pair);
	for (const char *at = query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
		if (strncmp(at, pair, n) == 0 && (at[n] == '\0' || at[n] == '&'))
			return true;
	return false;
}

static char azure_op(const char *method, const char *query, bool has_key, bool has_copy_source)
{
	bool is_put = strcmp(method, "PUT") == 0, is_get = strcmp(method, "GET") == 0;
	if (query_pair(query, "comp=batch"))
		return 'M';
	if (!has_key)
		return is_get && query_pair(query, "comp=list") ? 'L' : 'b';
	if (query_pair(query, "comp=blocklist"))
		return is_put ? 'F' : 'p';
	if (query_pair(query, "comp=block"))
		return has_copy_source ? 'K' : 'U';
	if (is_put && query_pair(query, "comp=metadata"))
		return 'C'; /* S3 copies an object onto itself for that */
	if (is_put && query_has(query, "comp"))
		return 'O';
	return is_get ? 'G' : is_put ? (has_copy_source ? 'C' : 'P') : strcmp(method, "HEAD") == 0 ? 'H' : 'D';
}

/* Google's JSON API tells by the path what S3 tells by parameters. Parts of uploads are objects below a prefix of
 * their own, which the path does not show: uploads are all P. */
static char gcs_op(const char *method, const char *path, const char *query)
{
	const char *object = strstr(path, "/o/"), *end = strchr(path, '?');
	size_t len = end ? (size_t)(end - path) : strlen(path);
	bool has_object = object && object < path + len;

	if (strncmp(path, "/batch/", 7) == 0)
		return 'M';
	if (strncmp(path, "/upload/", 8) == 0)
		return strcmp(method, "POST") == 0 && query_has(query, "uploadType") ? 'P' : 'U';
	if (len >= 2 && strncmp(path + len - 2, "/o", 2) == 0)
		return query_has(query, "versions") ? 'V' : 'L';
	if (len >= 2 && strncmp(path + len - 2, "/b", 2) == 0)
		return strcmp(method, "GET") == 0 ? 'B' : 'b';
	if (!has_object)
		return 'b';
	if (strcmp(method, "POST") == 0)
		return len > 8 && strncmp(path + len - 8, "/compose", 8) == 0 ? 'F' : 'C';
	if (strcmp(method, "PATCH") == 0)
		return 'C'; /* S3 copies an object onto itself for that */
	if (strcmp(method, "DELETE") == 0)
		return 'D';
	return query_has(query, "alt") ? 'G' : 'H';
}

/* Swift's paths are /v1/ACCOUNT/CONTAINER/OBJECT. An upload in parts is what goes into the container of segments: its
 * parts U, its record and what else is written and read there O. */
static char swift_op(const char *method, const char *path, const char *query, bool has_copy_source)
{
	size_t len = strcspn(path, "?");
	const char *container = memchr(path, '/', len), *key = NULL, *segments = strstr(path, "_segments/.skydir/");
	bool is_part;

	if (container)
		key = memchr(container + 1, '/', len - (size_t)(container + 1 - path));
	if (strcmp(method, "POST") == 0 && query_has(query, "bulk-delete"))
		return 'M';
	if (!container || container + 1 == path + len)
		return 'B';
	if (!key || key + 1 == path + len)
		return strcmp(method, "GET") != 0 ? 'b' : query_has(query, "versions") ? 'V' : 'L';
	is_part = segments && segments < key + 18 && strncmp(path + len - 8, "00000000", 8) != 0;
	if (strcmp(method, "PUT") == 0 && is_part)
		return has_copy_source ? 'K' : 'U';
	if (segments && segments < key + 18)
		return 'O';
	if (strcmp(method, "PUT") == 0)
		return has_copy_source ? 'C' : query_has(query, "multipart-manifest") ? 'F' : 'P';
	if (strcmp(method, "POST") == 0)
		return 'C'; /* S3 copies an object onto itself for that */
	return strcmp(method, "GET") == 0 ? 'G' : strcmp(method, "HEAD") == 0 ? 'H' : 'D';
}

char http1_op(const char *method, const char *target, bool has_copy_source)
{
	if (strncmp(target, "/storage/v1/b", 13) == 0 || strncmp(target, "/upload/storage/v1/", 19) == 0 ||
	    strncmp(target, "/batch/storage/", 15) == 0) {
		const char *mark = strchr(target, '?');
		return gcs_op(method, target, mark ? mark + 1 : "");
	}
	if (strncmp(target, "/v1/AUTH_", 9) == 0) {
		const char *mark = strchr(target, '?');
		return swift_op(method, target + 4, mark ? mark + 1 : "", has_copy_source);
	}
	const size_t account = strlen(AZURE_ACCOUNT);
	if (strncmp(target, AZURE_ACCOUNT, account) == 0 && (target[account] == '/' || target[account] == '?')) {
		const char *at = target + account, *mark = strchr(at, '?');
		size_t len = mark ? (size_t)(mark - at) : strlen(at);
		const char *key = len > 1 ? memchr(at + 1, '/', len - 1) : NULL;
		if (len <= 1)
			return 'B';
		return azure_op(method, mark ? mark + 1 : "", key && (size_t)(key - at) + 1 < len, has_copy_source);
	}

	const char *question = strchr(target, '?');
	const char *query = question ? question + 1 : "";
	size_t path_len = question ? (size_t)(question - target) : strlen(target);
	const char *slash = path_len > 1 ? memchr(target + 1, '/', path_len - 1) : NULL;
	bool has_upload = query_has(query, "uploadId");
	if (path_len <= 1)
		return 'B';
	if (!slash || (size_t)(slash - target) + 1 == path_len)
		return bucket_op(method, query);
	if (strcmp(method, "GET") == 0)
		return has_upload ? 'p' : 'G';
	if (strcmp(method, "HEAD") == 0)
		return 'H';
	if (strcmp(method, "PUT") == 0 && has_upload)
		return has_copy_source ? 'K' : 'U';
	if (strcmp(method, "PUT") == 0)
		return has_copy_source ? 'C' : 'P';
	if (strcmp(method, "DELETE") == 0)
		return has_upload ? 'A' : 'D';
	if (strcmp(method, "POST") == 0)
		return has_upload ? 'F' : query_has(query, "uploads") ? 'I' : 'O';
	return 'O';
}

/* One byte of framing. */
static void chunks_step(struct http1_chunks *c, char byte)
{
	if (byte == '\n') {
		switch (c->state) {
		case CHUNKS_SIZE:
		case CHUNKS_SIZE_END:
			c->state = c->left ? CHUNKS_DATA : CHUNKS_TRAILER;
			c->is_line_empty = true;
			return;
		case CHUNKS_DATA_END:
			c->state = CHUNKS_SIZE;
			c->left = 0;
			return;
		default:
			c->state = c->is_line_empty ? CHUNKS_END : CHUNKS_TRAILER;
			c->is_line_empty = true;
			return;
		}
	}
	if (c->state == CHUNKS_TRAILER && byte != '\r')
		c->is_line_empty = false;
	if (c->state != CHUNKS_SIZE)
		return;
	const char *digits = "0123456789abcdef", *found = strchr(digits, byte | 0x20);
	if (byte != '\r' && found && byte != '\0')
		c->left = c->left * 16 + (uint64_t)(found - digits);
	else
		c->state = CHUNKS_SIZE_END; /* an extension, or the end of the line */
}

size_t http1_chunks_skip(struct http1_chunks *c, const char *data, size_t len)
{
	size_t used = 0;
	while (used < len && c->state != CHUNKS_END && c->state != CHUNKS_DATA)
		chunks_step(c, data[used++]);
	return used;
}
