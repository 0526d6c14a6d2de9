#include "backends/http/gather.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define PIECE 16384u

/* An attempt whose body goes into a file of its own. */
struct taker {
	struct http_request request;
	struct http_response response;
	struct attempt attempt;
	unsigned calls;
	uint64_t told; /* bytes, without a gap */
};

static void on_data(void *arg, uint64_t position, size_t len)
{
	struct taker *t = arg;

	assert_int_equal(position, t->told);
	t->told += len;
	t->calls++;
}

static void taker_init(struct taker *t, struct gather *g, uint64_t length)
{
	*t = (struct taker){ .request = HTTP_REQUEST_INIT, .response = HTTP_RESPONSE_INIT };
	t->request.sink = (struct http_sink){ .kind = HTTP_SINK_FD, .fd = memfd_create("body", MFD_CLOEXEC), .length = length,
					      .on_data = on_data, .arg = t };
	assert_true(t->request.sink.fd >= 0);
	assert_int_equal(attempt_begin(&t->attempt, &t->request, &t->response, NULL), 0);
	t->response.status = 200;
	t->attempt.gather = g;
}

static void taker_release(struct taker *t)
{
	attempt_release(&t->attempt);
	http_response_release(&t->response);
	(void)close(t->request.sink.fd);
}

static bool give(struct taker *t, char fill, size_t len)
{
	char piece[PIECE];

	memset(piece, fill, sizeof(piece));
	return attempt_receive(&t->attempt, piece, len);
}

static void expect_bytes(struct taker *t, uint64_t at, char fill, size_t len)
{
	char piece[PIECE];

	assert_int_equal(pread(t->request.sink.fd, piece, len, (off_t)at), len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(piece[i], fill);
}

static void pieces_become_one_write_and_nothing_is_told_before(void **state)
{
	struct gather g = { 0 };
	struct taker t;

	(void)state;
	taker_init(&t, &g, 1 << 20);
	for (int i = 0; i < 3; i++)
		assert_true(give(&t, (char)('a' + i), PIECE));
	assert_true(give(&t, 'z', 7));
	assert_int_equal(t.calls, 0);
	gather_flush(&g);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.told, 3 * PIECE + 7);
	assert_int_equal(t.response.body_length, 3 * PIECE + 7);
	for (int i = 0; i < 3; i++)
		expect_bytes(&t, (uint64_t)i * PIECE, (char)('a' + i), PIECE);
	expect_bytes(&t, UINT64_C(3) * PIECE, 'z', 7);
	gather_flush(&g); /* it is empty */
	assert_int_equal(t.calls, 1);
	taker_release(&t);
	gather_release(&g);
}

static void what_is_full_goes_at_once(void **state)
{
	struct gather g = { 0 };
	struct taker t;

	(void)state;
	taker_init(&t, &g, 1 << 20);
	assert_true(give(&t, 'x', 5)); /* so that a piece does not end where the room does */
	for (size_t i = 0; i < GATHER_BYTES / PIECE; i++)
		assert_true(give(&t, 'a', PIECE));
	assert_int_equal(t.told, GATHER_BYTES);
	gather_flush(&g);
	assert_int_equal(t.told, GATHER_BYTES + 5);
	expect_bytes(&t, GATHER_BYTES, 'a', 5);
	taker_release(&t);
	gather_release(&g);
}

static void bodies_do_not_mix(void **state)
{
	struct gather g = { 0 };
	struct taker one, two;

	(void)state;
	taker_init(&one, &g, 1 << 20);
	taker_init(&two, &g, 1 << 20);
	for (int i = 0; i < 4; i++) {
		assert_true(give(&one, '1', 100));
		assert_true(give(&two, '2', 200));
	}
	gather_flush(&g);
	assert_int_equal(one.told, 400);
	assert_int_equal(two.told, 800);
	expect_bytes(&one, 0, '1', 400);
	expect_bytes(&two, 0, '2', 800);
	taker_release(&one);
	taker_release(&two);
	gather_release(&g);
}

static void what_cannot_be_written_fails_its_own_attempt_and_no_other(void **state)
{
	struct gather g = { 0 };
	struct taker broken, good;

	(void)state;
	taker_init(&broken, &g, 1 << 20);
	taker_init(&good, &g, 1 << 20);
	broken.request.sink.length = 50;
	assert_true(give(&broken, 'b', 100));
	assert_true(give(&good, 'g', 100)); /* here the other one is found out */
	gather_flush(&g);
	assert_int_equal(broken.attempt.err.kind, ERR_PROTOCOL);
	assert_int_equal(broken.told, 0);
	assert_false(give(&broken, 'b', 1));
	assert_int_equal(good.attempt.err.kind, ERR_NONE);
	assert_int_equal(good.told, 100);
	taker_release(&broken);
	taker_release(&good);
	gather_release(&g);
}

static void bytes_for_a_buffer_do_not_wait(void **state)
{
	CLEANUP(buf_release) struct buf into = BUF_INIT(1000);
	struct gather g = { 0 };
	struct taker t;

	(void)state;
	taker_init(&t, &g, 1 << 20);
	t.request.sink.kind = HTTP_SINK_BUF;
	t.request.sink.buf = &into;
	assert_true(give(&t, 'a', 600));
	assert_int_equal(into.len, 600);
	assert_false(give(&t, 'a', 600));
	assert_int_equal(t.attempt.err.kind, ERR_TOO_LARGE);
	taker_release(&t);
	gather_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_become_one_write_and_nothing_is_told_before),
		cmocka_unit_test(what_is_full_goes_at_once),
		cmocka_unit_test(bodies_do_not_mix),
		cmocka_unit_test(what_cannot_be_written_fails_its_own_attempt_and_no_other),
		cmocka_unit_test(bytes_for_a_buffer_do_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
