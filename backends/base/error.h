#pragma once
/*
 * Purpose: the one error type: what callers branch on, and one phrase fit for the user.
 *
 * Invariants: an error is set exactly when the function's return value says failure (-errno of the
 *	kind). `kind` is what callers branch on, never the text. The message is one phrase, lower case,
 *	without newline or full stop, user data in single quotes, never a secret.
 * Ownership: plain data on the caller's stack; nothing to free, works without memory.
 * Threads: an error belongs to the call that fills it.
 */
#include "backends/base/cleanup.h"
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

enum error_kind {
	ERR_NONE = 0,
	ERR_INVALID,	     /* wrong usage or argument */
	ERR_CONFIG,	     /* a configuration file or variable is wrong */
	ERR_NOT_FOUND,	     /* no such object, bucket, resource */
	ERR_EXISTS,	     /* it is there already */
	ERR_NOT_EMPTY,	     /* a bucket or directory still has entries */
	ERR_PERMISSION,	     /* the service said no to these credentials */
	ERR_UNAUTHENTICATED, /* no credentials, or wrong or expired ones */
	ERR_PRECONDITION,    /* the object is not the version that was asked for */
	ERR_CONFLICT,	     /* another operation is in the way; or a state that forbids it */
	ERR_THROTTLED,	     /* too many requests; come back later */
	ERR_UNAVAILABLE,     /* the service or the network is down or failing, for now */
	ERR_TIMEOUT,	     /* no answer in time */
	ERR_WAIT_OVER,	     /* what was waited for did not happen in the time given */
	ERR_CANCELLED,	     /* the caller gave up */
	ERR_UNSUPPORTED,     /* this provider or server cannot do it */
	ERR_TOO_LARGE,	     /* over a limit of the service or of ours */
	ERR_QUOTA,	     /* the account's or the disk's quota is used up */
	ERR_BUDGET,	     /* the user's own budget is used up, and was to stop this; nothing was sent */
	ERR_RANGE,	     /* a range outside the object */
	ERR_CORRUPT,	     /* bytes whose checksum does not match */
	ERR_PROTOCOL,	     /* an answer that makes no sense */
	ERR_IO,		     /* the local disk failed */
	ERR_NO_SPACE,	     /* the local disk is full */
	ERR_NO_MEMORY,
	ERR_NAME_TOO_LONG,
	ERR_READ_ONLY,
	ERR_FAILED, /* it was done, and what was run ended with an error of its own */
	ERR_KINDS /* how many there are */
};

struct error {
	enum error_kind kind;
	int http_status; /* 0 when no response arrived */
	uint64_t retry_after_ms;
	char service_code[48];
	char request_id[64];
	char provider[64]; /* whose answer it is: the section or store; empty: nobody's */
	char message[256];
};
#define ERROR_INIT ((struct error){0})

/* Fills err (may be NULL) and returns the negative errno of the kind. Clears the other fields. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...) PRINTF(3, 4);

/* "out of memory", in the same words wherever nothing more useful can be said. */
int error_no_memory(struct error *err);

/* Fills err from a saved errno: kind by number, message "what: strerror". Returns -errnum's kind. */
int error_errno(struct error *err, int errnum, const char *format, ...) PRINTF(3, 4);

/* Puts "prefix: " before err's message (err may be NULL) and returns r unchanged. */
int error_prefix(struct error *err, int r, const char *format, ...) PRINTF(3, 4);

/* Says whose error it is, if nobody has yet (err and name may be NULL), and returns r unchanged. */
int error_provider(struct error *err, int r, const char *name);

/* The positive errno of a kind; never EAGAIN, which callers of a blocking read() misread. */
int error_errnum(enum error_kind kind);
/* The stable, lower-case name of a kind, e.g. "not-found"; and back (ERR_NONE when unknown). */
const char *error_name(enum error_kind kind);
enum error_kind error_kind_from_name(const char *name);
/* The JSON-RPC code of a kind. */
int error_rpc_code(enum error_kind kind);
/* The exit code of the command line for a kind (design: 1 failed, 2 usage, 3 not found, 4 not
 * permitted, 5 temporary, 6 conflict, 7 quota, 8 time-out of a wait, 130 interrupted). */
int error_exit_code(enum error_kind kind);
/* Whether the same call may succeed later without anything being changed. */
bool error_is_retryable(enum error_kind kind);
