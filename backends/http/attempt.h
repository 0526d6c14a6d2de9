#pragma once
/*
 * Purpose: one try of a request on the wire, as far as it has nothing to do with curl: bounds on
 *	what arrives, the way of the body into its sink, the digest, the body that is sent.
 *
 * Invariants: only the body of a 2xx answer reaches the sink; of any other, 64 KiB are kept and
 *	1 MiB is read at most. At most 256 header lines and 64 KiB of headers are taken, interim
 *	answers and trailers included.
 * Ownership: borrows request and response until attempt_release.
 * Threads: the event thread only.
 * Errors: a callback that returns false has set err, or is_cut when enough of an error body is
 *	there.
 */
#include "backends/http/http.h"

#define ATTEMPT_HEADER_LINES 256
#define ATTEMPT_HEADER_BYTES 65536
#define ATTEMPT_ERROR_BYTES  (1 << 20)

struct wire;
struct gather;
struct attempt {
	struct http_request *request;
	struct http_response *response;
	struct error err;  /* the outcome; ERR_NONE: an answer arrived whole, of whatever status */
	struct wire *wire; /* owned by the transport while under way, else NULL */
	struct gather *gather; /* likewise: on its way into a file the body may rest there */
	struct hash_stream *digest;
	uint64_t sent_position;		     /* of the body, as handed to the wire */
	uint64_t error_bytes;		     /* of a body that is not 2xx */
	uint64_t bytes_sent, bytes_received; /* of bodies; set by the transport at the end */
	size_t header_bytes, header_lines;
	unsigned sends;	  /* times it went out: curl repeats by itself on a kept connection that died */
	bool was_sent;	  /* bytes of the request may have reached the server */
	bool has_headers; /* the headers of the final answer are complete */
	bool has_started; /* on_start was called */
	bool is_cut;
};

/* Empties what an earlier attempt left in response and sink. */
int attempt_begin(struct attempt *a, struct http_request *request, struct http_response *response,
		  struct error *err) MUST_CHECK;
bool attempt_header_line(struct attempt *a, const char *line, size_t len);
bool attempt_receive(struct attempt *a, const void *data, size_t len);
/* For gather.c: the next bytes of the body, into the sink. */
bool attempt_take(struct attempt *a, const void *data, size_t len);
/* The next bytes of the body to send; their count, 0 at its end, or -1 with err set. */
ssize_t attempt_send(struct attempt *a, void *ret, size_t size);
/* Goes back to a position of the body; false when the request must not be sent twice. */
bool attempt_seek(struct attempt *a, uint64_t position);
/* The answer has arrived whole: finishes the digest; false when on_start refused an empty body. */
bool attempt_finish(struct attempt *a);
void attempt_release(struct attempt *a);

static inline bool attempt_is_success(const struct attempt *a)
{
	return a->response->status >= 200 && a->response->status <= 299;
}
