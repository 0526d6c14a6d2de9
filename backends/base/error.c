#include "backends/base/error.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * The one place that knows what a kind is outside of this program: its name, errno, JSON-RPC code, exit
 * code and whether the same call may succeed later. JSON-RPC keeps -32000..-32099 for applications; the
 * last two digits follow HTTP's where there is a like status (404 -> 04, 412 -> 12, 429 -> 29).
 *
 * Never EAGAIN (callers of a blocking read() misread it) and never EINTR (libc and shells restart).
 */
static const struct kind {
	const char *name;
	int errnum;
	int rpc_code;
	int exit_code;
	bool is_retryable;
} kinds[ERR_KINDS] = {
	[ERR_NONE] = { "none", 0, 0, 0, false },
	[ERR_INVALID] = { "invalid", EINVAL, -32602, 2, false },
	[ERR_CONFIG] = { "config", EINVAL, -32000, 2, false },
	[ERR_NOT_FOUND] = { "not-found", ENOENT, -32004, 3, false },
	[ERR_EXISTS] = { "exists", EEXIST, -32009, 6, false },
	[ERR_NOT_EMPTY] = { "not-empty", ENOTEMPTY, -32010, 6, false },
	[ERR_PERMISSION] = { "permission", EACCES, -32003, 4, false },
	[ERR_UNAUTHENTICATED] = { "unauthenticated", EACCES, -32001, 4, false },
	[ERR_PRECONDITION] = { "precondition", ESTALE, -32012, 6, false },
	[ERR_CONFLICT] = { "conflict", EBUSY, -32011, 6, false },
	[ERR_THROTTLED] = { "throttled", EBUSY, -32029, 5, true },
	[ERR_UNAVAILABLE] = { "unavailable", EHOSTUNREACH, -32053, 5, true },
	[ERR_TIMEOUT] = { "timeout", ETIMEDOUT, -32054, 5, true },
	/* What was begun goes on: the same call again might begin it twice. */
	[ERR_WAIT_OVER] = { "wait-over", ETIMEDOUT, -32008, 8, false },
	[ERR_CANCELLED] = { "cancelled", ECANCELED, -32060, 130, false },
	[ERR_UNSUPPORTED] = { "unsupported", ENOTSUP, -32051, 1, false },
	[ERR_TOO_LARGE] = { "too-large", EFBIG, -32013, 1, false },
	[ERR_QUOTA] = { "quota", EDQUOT, -32007, 7, false },
	/* Until the month turns or the budget is raised. */
	[ERR_BUDGET] = { "budget", EDQUOT, -32017, 7, false },
	[ERR_RANGE] = { "range", ERANGE, -32016, 1, false },
	/* Bytes damaged on the way are whole the next time. */
	[ERR_CORRUPT] = { "corrupt", EIO, -32055, 1, true },
	[ERR_PROTOCOL] = { "protocol", EIO, -32052, 1, false },
	[ERR_IO] = { "io", EIO, -32056, 1, false },
	[ERR_NO_SPACE] = { "no-space", ENOSPC, -32057, 1, false },
	[ERR_NO_MEMORY] = { "no-memory", ENOMEM, -32058, 1, false },
	[ERR_NAME_TOO_LONG] = { "name-too-long", ENAMETOOLONG, -32014, 1, false },
	[ERR_READ_ONLY] = { "read-only", EROFS, -32015, 4, false },
	[ERR_FAILED] = { "failed", EIO, -32059, 1, false },
};

static const struct kind *kind_row(enum error_kind kind)
{
	/* An unknown number can only come from a bug elsewhere; EIO is the honest answer to that. */
	return (unsigned)kind < ERR_KINDS ? &kinds[kind] : &kinds[ERR_IO];
}

/* Cuts a message that filled its buffer so that it ends on a whole UTF-8 character. */
static void trim_partial_utf8(char *text)
{
	size_t end = strlen(text);
	size_t start = end;
	while (start > 0 && end - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (want > 1 && end - start + 1 < want)
		text[start - 1] = '\0';
}

/* A message is one line: what a server or a file name put in it must not end it or move a cursor. */
static void flatten(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static void format_message(struct error *err, const char *format, va_list args)
{
	int n = vsnprintf(err->message, sizeof(err->message), format, args);
	if (n < 0)
		err->message[0] = '\0';
	else if ((size_t)n >= sizeof(err->message))
		trim_partial_utf8(err->message);
	flatten(err->message);
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	assert(kind != ERR_NONE && (unsigned)kind < ERR_KINDS);
	if (err) {
		/* Formatted into a fresh one first: the arguments may point into the old err. */
		struct error fresh = { .kind = kind };
		va_list args;
		va_start(args, format);
		format_message(&fresh, format, args);
		va_end(args);
		*err = fresh;
	}
	return -kind_row(kind)->errnum;
}

int error_no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum error_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case EPERM:
	case EACCES:
		return ERR_PERMISSION;
	case ENOTEMPTY:
		return ERR_NOT_EMPTY;
	case EBUSY:
	case ETXTBSY:
		return ERR_CONFLICT;
	case ENETUNREACH:
	case ENETDOWN:
	case EHOSTUNREACH:
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
	case EAGAIN:
		return ERR_UNAVAILABLE;
	case ENOSYS:
	case ENOTSUP:
		return ERR_UNSUPPORTED;
	case EINTR:
		return ERR_CANCELLED;
	case ENOTDIR:
	case ENODEV:
	case ENXIO:
		return ERR_NOT_FOUND;
	case EISDIR:
	case ELOOP:
	case EINVAL:
		return ERR_INVALID;
	case EIO:
		return ERR_IO;
	case EMFILE:
	case ENFILE:
		return ERR_NO_MEMORY; /* descriptors are memory too; EIO would say that data was lost */
	default:
		break;
	}
	for (unsigned k = 1; k < ERR_KINDS; k++)
		if (kinds[k].errnum == errnum)
			return (enum error_kind)k;
	return ERR_IO;
}

int error_errno(struct error *err, int errnum, const char *format, ...)
{
	if (errnum < 0)
		errnum = -errnum;
	enum error_kind kind = kind_of_errno(errnum);
	if (err) {
		char what[sizeof(err->message)];
		char text[96];
		va_list args;
		va_start(args, format);
		if (vsnprintf(what, sizeof(what), format, args) < 0)
			what[0] = '\0';
		va_end(args);
		(void)error_set(err, kind, "%s: %s", what,
				strerror_r(errnum, text, sizeof(text)));
	}
	return -kind_row(kind)->errnum;
}

int error_prefix(struct error *err, int r, const char *format, ...)
{
	if (!err)
		return r;
	char old[sizeof(err->message)];
	memcpy(old, err->message, sizeof(old));
	char prefix[sizeof(err->message)];
	va_list args;
	va_start(args, format);
	if (vsnprintf(prefix, sizeof(prefix), format, args) < 0)
		prefix[0] = '\0';
	va_end(args);
	int n = snprintf(err->message, sizeof(err->message), "%s: %s", prefix, old);
	if (n >= (int)sizeof(err->message))
		trim_partial_utf8(err->message);
	flatten(err->message);
	return r;
}

int error_provider(struct error *err, int r, const char *name)
{
	if (err && name && !err->provider[0])
		(void)snprintf(err->provider, sizeof(err->provider), "%s", name); /* cut off is fine */
	return r;
}

int error_errnum(enum error_kind kind)
{
	return kind_row(kind)->errnum;
}

const char *error_name(enum error_kind kind)
{
	return kind_row(kind)->name;
}

enum error_kind error_kind_from_name(const char *name)
{
	for (unsigned k = 1; name && k < ERR_KINDS; k++)
		if (strcmp(kinds[k].name, name) == 0)
			return (enum error_kind)k;
	return ERR_NONE;
}

int error_rpc_code(enum error_kind kind)
{
	return kind_row(kind)->rpc_code;
}

int error_exit_code(enum error_kind kind)
{
	return kind_row(kind)->exit_code;
}

bool error_is_retryable(enum error_kind kind)
{
	return kind_row(kind)->is_retryable;
}
