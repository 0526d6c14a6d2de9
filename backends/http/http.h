#pragma once
/*
 * Purpose: what an HTTP request and its response are: plain values that every provider fills and reads.
 *
 * Invariants: path is percent-encoded as it goes on the wire and begins with '/'; query names and values are
 *	raw and encoded by url_encode (RFC 3986, unreserved kept) when sent, in the order of SigV4: sorted by
 *	the signer, sent as they stand. Header names and values hold no CR, LF or NUL (http_header_add refuses).
 * Ownership: a request owns its strings (http_request_release); bodies and sinks borrow their memory or fd
 *	until the call is done.
 */
#include "backends/base/buf.h"
#include "backends/base/cancel.h"
#include "backends/base/hash.h"

struct signer;
struct ratelimit;
struct http_response;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH };
const char *http_method_name(enum http_method method);

struct http_field {
	char *name, *value;
};
struct http_fields {
	struct http_field *items;
	size_t count, capacity;
};
void http_fields_release(struct http_fields *f);
/* Appends; ERR_INVALID for CR, LF or NUL. */
int http_fields_add(struct http_fields *f, const char *name, const char *value, struct error *err) MUST_CHECK;
int http_fields_addf(struct http_fields *f, struct error *err, const char *name, const char *format, ...)
	PRINTF(4, 5) MUST_CHECK;
/* Replaces every field of that name (header names compare without case). */
int http_fields_set(struct http_fields *f, const char *name, const char *value, struct error *err) MUST_CHECK;
/* For query parameters, which are percent-encoded when sent: any byte may stand in them (a key may hold a line feed). */
int http_query_add(struct http_fields *f, const char *name, const char *value, struct error *err) MUST_CHECK;
/* The first value, without case, or NULL. */
const char *http_fields_get(const struct http_fields *f, const char *name);

/* What is sent. Always rewindable, because a retry sends it again. */
enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_MEM, HTTP_BODY_FD };
struct http_body {
	enum http_body_kind kind;
	struct str mem;		 /* HTTP_BODY_MEM */
	int fd;			 /* HTTP_BODY_FD: read with pread, position unused */
	uint64_t offset, length; /* HTTP_BODY_FD */
	_Atomic uint64_t *progress; /* may be NULL: bytes sent so far in this attempt, head and tail not counted */
	struct str head, tail;	 /* sent before and after (multipart/related); not for signers that hash the body */
};
/* Without head and tail. */
static inline uint64_t http_body_content_length(const struct http_body *b)
{
	return b->kind == HTTP_BODY_MEM ? b->mem.len : b->kind == HTTP_BODY_FD ? b->length : 0;
}
static inline uint64_t http_body_length(const struct http_body *b)
{
	return b->head.len + http_body_content_length(b) + b->tail.len;
}

/* Where the body of a 2xx answer goes. Any other answer's body goes to response.error_body. */
enum http_sink_kind { HTTP_SINK_DISCARD, HTTP_SINK_BUF, HTTP_SINK_FD };
struct http_sink {
	enum http_sink_kind kind;
	struct buf *buf;	 /* HTTP_SINK_BUF: cleared at each attempt; over its limit: ERR_TOO_LARGE */
	int fd;			 /* HTTP_SINK_FD: written with pwrite at offset + position */
	uint64_t offset, length; /* HTTP_SINK_FD: at most length bytes; more is ERR_PROTOCOL */
	/* Called once per attempt before the first byte of a 2xx body (of an empty one: at its end; never for HEAD), on
	 * the engine's thread; may refuse (-errno, err set). */
	int (*on_start)(void *arg, const struct http_response *response, struct error *err);
	/* Called on the engine's thread after bytes [position, position+len) of the body are in the fd.
	 * In a retried attempt positions begin again at 0. */
	void (*on_data)(void *arg, uint64_t position, size_t len);
	void *arg;
	enum hash_kind hash;	 /* a running digest over the whole body, in response.digest */
};

struct http_request {
	enum http_method method;
	char *scheme;		/* "http" or "https" */
	char *authority;	/* "host", "host:port", "[::1]:port" */
	char *path;		/* percent-encoded */
	struct http_fields query; /* raw */
	struct http_fields headers; /* the caller's; Host and Content-Length are added by the exchange */
	struct http_fields signed_headers; /* the signer's; emptied before each attempt */
	struct http_fields signed_query;   /* likewise, for signers that sign in the query */
	struct http_body body;
	struct http_sink sink;
	struct signer *signer;	/* NULL: none */
	struct ratelimit *ratelimit; /* NULL: none */
	struct cancel *cancel;	/* NULL: none */
	const char *store;	/* label of the counters, e.g. "s3"; static or outliving the call */
	const char *operation;	/* e.g. "GetObject"; likewise */
	const char *bucket;	/* for the observer: of an object store's requests, "" for the store's own; NULL: of no store */
	bool is_idempotent;	/* may be sent again after it may have reached the server; if not, it also gets a
				 * connection of its own, since a kept one may die under it at any time */
	bool wants_success_check; /* call classify for 2xx answers too (S3's 200 with an error body) */
	uint64_t deadline_mono_ms; /* 0: none; retries stop before it */
	uint64_t stall_timeout_ms; /* 0: the engine's default; more for calls that a server thinks long about */
	unsigned max_attempts;	/* 0: the engine's default */
	/* Turns an answer that is not 2xx into an error (kind, service_code, message, retry_after). Must not
	 * block. NULL: http_classify_status. */
	int (*classify)(void *arg, const struct http_response *response, struct error *err);
	void *classify_arg;
};
#define HTTP_REQUEST_INIT ((struct http_request){ .body = { .fd = -1 }, .sink = { .fd = -1 } })

/* Sets scheme, authority and path from "https://host:port/base" (its path, without a trailing '/', becomes
 * the beginning of path). ERR_CONFIG for anything that is no http(s) URL or holds user info. */
int http_request_set_base(struct http_request *r, const char *url, struct error *err) MUST_CHECK;
void http_request_release(struct http_request *r);

struct http_response {
	int status;
	struct http_fields headers;
	struct buf error_body;	    /* of an answer that is not 2xx; at most 64 KiB, the rest dropped */
	uint64_t body_length;	    /* bytes that arrived in the sink */
	unsigned char digest[32];   /* when sink.hash was set */
	size_t digest_len;
	unsigned attempts; /* times the request was sent, or begun at least */
	uint64_t elapsed_ms;
};
#define HTTP_RESPONSE_INIT ((struct http_response){ .error_body = { .limit = 65536 } })
void http_response_release(struct http_response *r);

/* "Content-Range: bytes FIRST-LAST/TOTAL" of a 206; ERR_PROTOCOL when it is not there or makes no sense. */
int http_content_range(const struct http_response *response, uint64_t *ret_first, uint64_t *ret_last,
		       uint64_t *ret_total, struct error *err) MUST_CHECK;
/* A read of [offset, offset+length) of an object; length 0: to its end. "bytes=FIRST-LAST" for the header Range, "" for all. */
#define HTTP_RANGE_MAX 64
void http_range(uint64_t offset, uint64_t length, char ret[HTTP_RANGE_MAX]);
/* Whether the answer to such a read is that and nothing else, judged by its head: RANGE when it is not all in the object (services cut
 * it at the end), UNSUPPORTED when all is sent in the place of a part, else PROTOCOL. length_header names the whole object's length
 * where there is no Content-Length; NULL: none does. */
struct http_read {
	uint64_t object_bytes, body_bytes;
	bool is_whole; /* the body is the whole object */
};
int http_judge_read(const struct http_response *response, uint64_t offset, uint64_t length, const char *length_header,
		    struct http_read *ret, struct error *err) MUST_CHECK;
/* What Retry-After says (seconds or a date), 0 when absent or unreadable. */
uint64_t http_retry_after_ms(const struct http_response *response);
/* The error of a bare status code: 401 UNAUTHENTICATED, 403 PERMISSION, 404 and 410 NOT_FOUND, 408 TIMEOUT, 409
 * CONFLICT, 304 and 412 PRECONDITION, 413 TOO_LARGE, 416 RANGE, 429 THROTTLED, 501 UNSUPPORTED, 5xx UNAVAILABLE
 * (503 with Retry-After THROTTLED), else PROTOCOL. 0 for 2xx. Fills http_status, retry_after_ms and request_id. */
int http_classify_status(void *arg, const struct http_response *response, struct error *err);
