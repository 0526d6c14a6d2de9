#include "backends/base/error.h"
#include "check.h"
#include <string.h>

static void every_kind_has_a_name_an_errno_and_codes_of_its_own(void **state)
{
	(void)state;
	for (unsigned k = 1; k < ERR_KINDS; k++) {
		enum error_kind kind = (enum error_kind)k;
		assert_non_null(error_name(kind));
		assert_true(error_errnum(kind) > 0);
		assert_true(error_rpc_code(kind) < 0);
		assert_true(error_exit_code(kind) > 0);
		assert_int_equal(error_kind_from_name(error_name(kind)), kind);
		for (unsigned other = 1; other < k; other++) {
			assert_string_not_equal(error_name(kind), error_name((enum error_kind)other));
			assert_int_not_equal(error_rpc_code(kind),
					     error_rpc_code((enum error_kind)other));
		}
	}
}

static void no_kind_is_an_errno_that_callers_of_read_misread(void **state)
{
	(void)state;
	for (unsigned k = 1; k < ERR_KINDS; k++) {
		assert_int_not_equal(error_errnum((enum error_kind)k), EAGAIN);
		assert_int_not_equal(error_errnum((enum error_kind)k), EINTR);
	}
	assert_int_equal(error_errnum(ERR_CANCELLED), ECANCELED);
}

static void exit_codes_are_those_of_the_outer_contract(void **state)
{
	(void)state;
	assert_int_equal(error_exit_code(ERR_NONE), 0);
	assert_int_equal(error_exit_code(ERR_IO), 1);
	assert_int_equal(error_exit_code(ERR_INVALID), 2);
	assert_int_equal(error_exit_code(ERR_NOT_FOUND), 3);
	assert_int_equal(error_exit_code(ERR_PERMISSION), 4);
	assert_int_equal(error_exit_code(ERR_UNAUTHENTICATED), 4);
	assert_int_equal(error_exit_code(ERR_THROTTLED), 5);
	assert_int_equal(error_exit_code(ERR_UNAVAILABLE), 5);
	assert_int_equal(error_exit_code(ERR_TIMEOUT), 5);
	assert_int_equal(error_exit_code(ERR_EXISTS), 6);
	assert_int_equal(error_exit_code(ERR_NOT_EMPTY), 6);
	assert_int_equal(error_exit_code(ERR_PRECONDITION), 6);
	assert_int_equal(error_exit_code(ERR_CONFLICT), 6);
	assert_int_equal(error_exit_code(ERR_QUOTA), 7);
	assert_int_equal(error_exit_code(ERR_CANCELLED), 130);
}

static void only_what_may_pass_by_itself_is_retryable(void **state)
{
	(void)state;
	assert_true(error_is_retryable(ERR_THROTTLED));
	assert_true(error_is_retryable(ERR_UNAVAILABLE));
	assert_true(error_is_retryable(ERR_TIMEOUT));
	assert_false(error_is_retryable(ERR_NONE));
	assert_false(error_is_retryable(ERR_NOT_FOUND));
	assert_false(error_is_retryable(ERR_PERMISSION));
	assert_false(error_is_retryable(ERR_PRECONDITION));
	assert_false(error_is_retryable(ERR_CANCELLED));
}

static void setting_an_error_clears_what_an_earlier_one_left(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	err.http_status = 503;
	err.retry_after_ms = 9;
	memcpy(err.request_id, "old", 4);
	assert_int_equal(error_set(&err, ERR_NOT_FOUND, "no object '%s'", "k"), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(err.http_status, 0);
	assert_int_equal(err.retry_after_ms, 0);
	assert_string_equal(err.request_id, "");
	assert_string_equal(err.message, "no object 'k'");
}

static void an_error_may_be_set_from_its_own_old_message(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	(void)error_set(&err, ERR_IO, "inner");
	(void)error_set(&err, ERR_CONFIG, "outer of %s", err.message);
	assert_string_equal(err.message, "outer of inner");
}

static void a_null_error_only_returns_the_number(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERR_QUOTA, "x"), -EDQUOT);
	assert_int_equal(error_errno(NULL, ENOSPC, "x"), -ENOSPC);
	assert_int_equal(error_prefix(NULL, -5, "x"), -5);
}

static void a_saved_errno_becomes_its_kind_with_a_readable_reason(void **state)
{
	(void)state;
	static const struct {
		int errnum;
		enum error_kind kind;
	} rows[] = {
		{ ENOENT, ERR_NOT_FOUND }, { EACCES, ERR_PERMISSION }, { EPERM, ERR_PERMISSION },
		{ ENOSPC, ERR_NO_SPACE },  { EDQUOT, ERR_QUOTA },	{ ENOMEM, ERR_NO_MEMORY },
		{ EIO, ERR_IO },	   { EROFS, ERR_READ_ONLY },	{ EEXIST, ERR_EXISTS },
		{ EMFILE, ERR_NO_MEMORY },	   { ETIMEDOUT, ERR_TIMEOUT },	{ ENOTEMPTY, ERR_NOT_EMPTY },
		{ EFBIG, ERR_TOO_LARGE },  { ECONNREFUSED, ERR_UNAVAILABLE },
		{ ENAMETOOLONG, ERR_NAME_TOO_LONG }, { EINVAL, ERR_INVALID },
		{ EBUSY, ERR_CONFLICT },   { EINTR, ERR_CANCELLED },	{ ENOTSUP, ERR_UNSUPPORTED },
		{ 99999, ERR_IO },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		int r = error_errno(&err, rows[i].errnum, "opening '%s'", "/f");
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(r, -error_errnum(rows[i].kind));
		assert_int_equal(error_errno(NULL, -rows[i].errnum, "x"), r);
		assert_ptr_equal(strstr(err.message, "opening '/f': "), err.message);
	}
}

static void a_prefix_stands_before_the_message_and_keeps_the_rest(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	(void)error_set(&err, ERR_THROTTLED, "slow down");
	err.http_status = 503;
	assert_int_equal(error_prefix(&err, -EBUSY, "uploading '%s'", "k"), -EBUSY);
	assert_string_equal(err.message, "uploading 'k': slow down");
	assert_int_equal(err.kind, ERR_THROTTLED);
	assert_int_equal(err.http_status, 503);
}

static void a_long_message_is_cut_at_a_whole_character(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	for (size_t pad = 240; pad < 256; pad++) {
		char text[600];
		memset(text, 'a', pad);
		for (size_t i = pad; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[pad + 30] = '\0';
		(void)error_set(&err, ERR_IO, "%s", text);
		size_t len = strlen(err.message);
		assert_true(len < sizeof(err.message) && len >= sizeof(err.message) - 4);
		assert_int_equal(pad <= 255 ? (len - pad) % 3 : 0, 0);
		(void)error_prefix(&err, -1, "%s", text);
		assert_true(strlen(err.message) < sizeof(err.message));
	}
}

static void control_bytes_in_a_message_become_spaces(void **state)
{
	(void)state;
	struct error err = ERROR_INIT;
	(void)error_set(&err, ERR_IO, "a\nb\x1b[31mc\x7f");
	assert_string_equal(err.message, "a b [31mc ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_name_an_errno_and_codes_of_its_own),
		cmocka_unit_test(no_kind_is_an_errno_that_callers_of_read_misread),
		cmocka_unit_test(exit_codes_are_those_of_the_outer_contract),
		cmocka_unit_test(only_what_may_pass_by_itself_is_retryable),
		cmocka_unit_test(setting_an_error_clears_what_an_earlier_one_left),
		cmocka_unit_test(an_error_may_be_set_from_its_own_old_message),
		cmocka_unit_test(a_null_error_only_returns_the_number),
		cmocka_unit_test(a_saved_errno_becomes_its_kind_with_a_readable_reason),
		cmocka_unit_test(a_prefix_stands_before_the_message_and_keeps_the_rest),
		cmocka_unit_test(a_long_message_is_cut_at_a_whole_character),
		cmocka_unit_test(control_bytes_in_a_message_become_spaces),
	};
	return RUN(tests);
}
