#pragma once
/*
 * Purpose: one call to a control service of a cloud: JSON or XML or a form out, JSON in, whatever the service speaks.
 *
 * The exchange itself (rate limit, signature, retries, counters) is backends/http's. This module builds the request,
 * turns the answer into one json_object, turns an answer that is no success into an error fit for the user, and, in
 * a dry run, records what would have been sent instead of sending it.
 * Invariants: an answer is at most SERVICE_ANSWER_MAX bytes. Secrets (members and headers whose names say so) are
 *	masked in what a dry run shows.
 * Ownership: a service belongs to its driver and borrows its strings; requests and answers are the caller's.
 * Threads: any; a service is immutable once made.
 */
#include "backends/cloud/cloud.h"
#include "backends/http/engine.h"
#include "backends/http/ratelimit.h"
#include "backends/http/signer.h"

#define SERVICE_ANSWER_MAX ((size_t)64 << 20)

enum service_dialect { SERVICE_JSON, SERVICE_XML, SERVICE_TEXT };
struct service {
	struct http_engine *engine;
	const char *label;    /* of the counters: "aws-ec2" */
	const char *base_url; /* "https://host/base", without a '/' at the end */
	enum service_dialect dialect; /* of its answers */
	struct signer *signer;	 /* NULL: none */
	struct ratelimit *ratelimit; /* NULL: none */
	const struct http_field *headers; /* sent with each call; ended by name NULL; may be NULL */
	const struct http_field *query;	  /* likewise: "api-version" */
	/* A driver's own reading of an error answer, after the common one has filled err; may be NULL. */
	void (*refine)(const struct http_response *response, struct error *err);
};

struct service_request {
	enum http_method method;
	const char *path;	  /* behind the base URL, percent-encoded, with its '/' */
	struct http_fields query; /* raw */
	struct http_fields headers;
	struct json_object *json; /* the body; or */
	struct http_fields form;  /* an urlencoded form; or */
	struct http_body body;	  /* anything else, with its content_type */
	const char *content_type; /* NULL: by the kind of body */
	bool is_read;		  /* changes nothing, whatever its method: sent in a dry run too, and retried freely */
	bool is_idempotent;	  /* may be sent again though it changes something (PUT and DELETE always may) */
	uint64_t stall_timeout_ms; /* 0: the engine's; more where the service thinks long before its first byte */
	const char *bucket;	  /* of an object store's request; http.h */
	struct http_sink sink;	  /* for big answers; kind HTTP_SINK_DISCARD: the answer is read as the dialect says */
};
#define SERVICE_REQUEST_INIT ((struct service_request){ .body = { .fd = -1 }, .sink = { .fd = -1 } })
void service_request_release(struct service_request *q);

struct service_answer {
	int status;
	struct json_object *json;   /* NULL when the body was empty; SERVICE_TEXT: a string */
	struct http_fields headers; /* moved out of the response */
};
#define SERVICE_ANSWER_INIT ((struct service_answer){ .json = NULL })
void service_answer_release(struct service_answer *a);

/* ERR_CANCELLED with call->is_planned set when a dry run recorded it instead. */
int service_call(struct cloud_call *call, const struct service *service, struct service_request *request,
		 struct service_answer *ret, struct error *err) MUST_CHECK;
/* The common case: what the answer holds, the caller's to put (NULL: nothing). */
int service_json(struct cloud_call *call, const struct service *service, struct service_request *request,
		 struct json_object **ret, struct error *err) MUST_CHECK;

/* How an error answer is read when no driver says more: kind by the service's code where it is known, else by the
 * status; message and code from the places where JSON and XML services put them. For http_request.classify. */
int service_classify(void *service, const struct http_response *response, struct error *err);
/* An error that stands inside an answer (of an operation that failed): the kind by the code. Texts may be NULL. */
int service_fault(const char *code, const char *message, struct error *err);
/* An XML answer that says "error" though its status says success. */
int service_check_xml(struct json_object *answer, struct error *err) MUST_CHECK;
/* Adds an URL's path piece, percent-encoded, with a '/' before it. */
int service_path_add(struct buf *path, const char *piece) MUST_CHECK;
/* A copy without secrets, for dry runs and logs; NULL without memory. */
struct json_object *service_mask(struct json_object *value);
