#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "backends/http/wire.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define CANNED_PARALLEL 64
#define CANNED_CHUNK	1000 /* so that what is read crosses its edges */

struct transport {
	void (*on_done)(struct attempt *a);
	struct attempt *waiting[CANNED_PARALLEL];
	size_t count;
	int wake_fd;
};

static struct str canned_text;		  /* set while no call is under way */
static _Atomic uint64_t canned_passed_ns; /* since the start */
static struct wire canned_wire;		  /* what an attempt under way points to */

static uint64_t canned_mono_ns(void)
{
	return 1000000000 + atomic_load(&canned_passed_ns);
}

static int64_t canned_wall_ns(void)
{
	return CANNED_WALL_S * INT64_C(1000000000) + (int64_t)atomic_load(&canned_passed_ns);
}

struct http_engine *canned_engine(void)
{
	static const struct clock_source source = { canned_mono_ns, canned_wall_ns };
	static const struct http_engine_options options = { .max_attempts = 1 };
	static struct http_engine *engine;
	struct error err = ERROR_INIT;

	if (!engine) {
		clock_set(&source);
		random_seed(1);
		FUZZ_CHECK(http_engine_new(&options, &engine, &err) >= 0);
	}
	return engine;
}

void canned_set(struct str answers)
{
	canned_text = answers;
}

/* The next answer; ptr NULL when there is none left. */
static struct str next_answer(void)
{
	static const char divider[] = "----\n";
	const size_t len = sizeof(divider) - 1;
	struct str all = canned_text, answer;

	if (!all.ptr || all.len == 0)
		return (struct str){ NULL, 0 };
	for (size_t i = 0; i + len <= all.len; i++) {
		if ((i > 0 && all.ptr[i - 1] != '\n') || memcmp(all.ptr + i, divider, len) != 0)
			continue;
		answer = (struct str){ all.ptr, i };
		canned_text = (struct str){ all.ptr + i + len, all.len - i - len };
		return answer;
	}
	canned_text = (struct str){ NULL, 0 };
	return all;
}

/* The head, line by line, up to the empty line of a final answer. False: it was refused. */
static bool give_head(struct attempt *a, struct str *answer)
{
	static const char standard[] = "HTTP/1.1 200 OK\r\n";

	if (!str_starts(*answer, "HTTP/"))
		return attempt_header_line(a, standard, sizeof(standard) - 1) &&
		       attempt_header_line(a, "\r\n", 2);
	while (answer->len && !a->has_headers) {
		const char *end = memchr(answer->ptr, '\n', answer->len);
		size_t len = end ? (size_t)(end - answer->ptr) + 1 : answer->len;

		if (!attempt_header_line(a, answer->ptr, len))
			return false;
		answer->ptr += len;
		answer->len -= len;
	}
	if (!a->has_headers)
		(void)error_set(&a->err, ERR_UNAVAILABLE, "the answer ends in its head");
	return a->has_headers;
}

/* What libcurl sees to: the body has the length that was announced. */
static bool cut_body(struct attempt *a, struct str *body, bool *ret_is_short)
{
	const char *text = http_fields_get(&a->response->headers, "content-length");
	uint64_t length = body->len;

	*ret_is_short = false;
	if (a->request->method == HTTP_HEAD || a->response->status == 204 ||
	    a->response->status == 304)
		body->len = 0;
	else if (text && str_to_u64(str_of(text), &length) < 0)
		return error_set(&a->err, ERR_PROTOCOL, "a length that is no number") == 0;
	else if (length < body->len)
		body->len = length;
	else
		*ret_is_short = length > body->len;
	return true;
}

static void give_answer(struct attempt *a, struct str answer)
{
	bool is_short;

	if (!give_head(a, &answer) || !cut_body(a, &answer, &is_short))
		return;
	while (answer.len) {
		size_t len = answer.len < CANNED_CHUNK ? answer.len : CANNED_CHUNK;

		if (!attempt_receive(a, answer.ptr, len))
			return;
		answer.ptr += len;
		answer.len -= len;
	}
	if (is_short)
		(void)error_set(&a->err, ERR_UNAVAILABLE, "the connection was closed too early");
	else
		(void)attempt_finish(a); /* a refusal stands in a->err */
}

static bool take_body(struct attempt *a)
{
	char chunk[512];
	ssize_t n;

	while ((n = attempt_send(a, chunk, sizeof(chunk))) > 0)
		continue;
	return n == 0;
}

static void answer_one(struct transport *t, struct attempt *a)
{
	struct str answer = next_answer();

	a->was_sent = true;
	if (!answer.ptr)
		(void)error_set(&a->err, ERR_UNAVAILABLE, "the server is gone");
	else if (take_body(a))
		give_answer(a, answer);
	a->wire = NULL;
	t->on_done(a);
}

int transport_new(const struct transport_options *options, struct transport **ret,
		  struct error *err)
{
	struct transport *t = calloc(1, sizeof(*t));

	(void)err;
	FUZZ_CHECK(t);
	t->on_done = options->on_done;
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	FUZZ_CHECK(t->wake_fd >= 0);
	*ret = t;
	return 0;
}

void transport_free(struct transport *t)
{
	if (t)
		closep(&t->wake_fd);
	free(t);
}

int transport_start(struct transport *t, struct attempt *a, struct error *err)
{
	if (t->count == CANNED_PARALLEL)
		return error_set(err, ERR_UNAVAILABLE, "too many requests at once");
	a->wire = &canned_wire;
	t->waiting[t->count++] = a;
	return 0;
}

void transport_abort(struct transport *t, struct attempt *a)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->waiting[i] != a)
			continue;
		memmove(&t->waiting[i], &t->waiting[i + 1],
			(t->count - i - 1) * sizeof(struct attempt *));
		t->count--;
		break;
	}
	a->wire = NULL;
}

uint64_t transport_moved(const struct attempt *a)
{
	return a->wire ? 1 : 0;
}

void transport_run(struct transport *t, int timeout_ms)
{
	struct pollfd wake = { .fd = t->wake_fd, .events = POLLIN };
	uint64_t count;

	if (t->count) {
		struct attempt *a = t->waiting[0];

		transport_abort(t, a);
		answer_one(t, a);
		return;
	}
	/* A wait is over at once, when nobody wakes us. */
	if (poll(&wake, 1, timeout_ms < 0 ? -1 : 0) == 1)
		(void)!read(t->wake_fd, &count, sizeof(count)); /* only resets it */
	else if (timeout_ms > 0)
		atomic_fetch_add(&canned_passed_ns, (uint64_t)timeout_ms * 1000000);
}

void transport_wake(struct transport *t)
{
	uint64_t one = 1;

	(void)!write(t->wake_fd, &one, sizeof(one)); /* full: it is awake anyway */
}
