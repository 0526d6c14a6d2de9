#include "backends/base/random.h"
#include "control/op.h"
#include "control/rpc.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct seen {
	size_t lines, too_long;
	char last[64];
};

static int see(void *arg, struct str line)
{
	struct seen *s = arg;

	s->lines++;
	s->too_long += !line.ptr;
	if (line.ptr)
		(void)snprintf(s->last, sizeof s->last, "%.*s",
			       (int)(line.len < 60 ? line.len : 60), line.ptr);
	return 0;
}

static void lines_arrive_whole_however_they_are_cut(void **state)
{
	CLEANUP(rpc_framer_release) struct rpc_framer f = RPC_FRAMER_INIT(RPC_LINE_MAX);
	static const char text[] = "one\r\n\n  two\nthr";
	struct seen s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++)
		assert_int_equal(rpc_framer_push(&f, text + i, 1, see, &s), 0);
	assert_int_equal(s.lines, 2);
	assert_string_equal(s.last, "two");
	assert_int_equal(rpc_framer_push(&f, "ee\n", 3, see, &s), 0);
	assert_string_equal(s.last, "three");
}

static void a_line_that_is_too_long_is_told_once_and_skipped(void **state)
{
	CLEANUP(rpc_framer_release) struct rpc_framer f = RPC_FRAMER_INIT(1000);
	char block[700];
	struct seen s = {0};

	(void)state;
	memset(block, 'x', sizeof block);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rpc_framer_push(&f, block, sizeof block, see, &s), 0);
	assert_int_equal(s.lines, 0);
	assert_true(f.line.capacity <= 1024);
	assert_int_equal(rpc_framer_push(&f, "\nnext\n", 6, see, &s), 0);
	assert_int_equal(s.lines, 2);
	assert_int_equal(s.too_long, 1);
	assert_string_equal(s.last, "next");
}

static struct session session;

static int setup(void **state)
{
	struct fs_options options = {.cache_dir = (char[]){"/tmp"}};
	struct fs *fs;

	(void)state;
	fake_reset();
	if (fs_new(&options, NULL, 0, "/", &fs, NULL) < 0)
		return -1;
	session_init(&session, fs, "/mnt/sky", "/", "/tmp/cache");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fs_free(session.fs);
	session_destroy(&session);
	return 0;
}

/* The answer to one line, parsed; NULL when there is none. */
static struct json_object *ask(const char *line)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(RPC_REPLY_MAX);
	struct op_call call = {.session = &session};
	struct json_object *o = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(op_answer(&call, str_of(line), &out), 0);
	if (!out.len)
		return NULL;
	assert_int_equal(out.data[out.len - 1], '\n');
	assert_null(memchr(out.data, '\n', out.len - 1));
	assert_int_equal(json_parse(str_trim(buf_str(&out)), RPC_REPLY_MAX, &o, &err), 0);
	return o;
}

static void expect_error(const char *line, int code)
{
	CLEANUP(json_putp) struct json_object *o = ask(line);

	assert_non_null(o);
	if (json_get_int64(o, "error.code", 0) != code)
		fail_msg("'%s' gave %s", line, json_object_to_json_string(o));
}

static void hostile_lines_get_an_error_and_nothing_else(void **state)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{"garbage", RPC_PARSE_ERROR},
		{"{\"jsonrpc\":\"2.0\"", RPC_PARSE_ERROR},
		{"{} {}", RPC_PARSE_ERROR},
		{"\xff\xfe", RPC_PARSE_ERROR},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", RPC_PARSE_ERROR},
		{"1", RPC_INVALID_REQUEST},
		{"null", RPC_INVALID_REQUEST},
		{"[]", RPC_INVALID_REQUEST},
		{"{}", RPC_INVALID_REQUEST},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"version\"}", RPC_INVALID_REQUEST},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"version\"}", RPC_INVALID_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"version\"}", RPC_INVALID_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", RPC_INVALID_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}", RPC_METHOD_NOT_FOUND},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[1]}",
		 RPC_INVALID_PARAMS},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"x\":1}}",
		 RPC_INVALID_PARAMS},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\",\"params\":{\"path\":1}}",
		 RPC_INVALID_PARAMS},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\",\"params\":{\"path\":"
		 "\"a\\u0000b\"}}",
		 RPC_INVALID_PARAMS},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\",\"params\":{\"timeout_"
		 "ms\":-1}}",
		 RPC_INVALID_PARAMS},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.stop\",\"params\":{\"now\":"
		 "\"yes\"}}",
		 RPC_INVALID_PARAMS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].line, cases[i].code);
	assert_int_equal(fake_fs.syncs, 0);
	assert_int_equal(fake_fs.stops, 0);
}

static void deep_nesting_is_refused(void **state)
{
	char deep[5001];

	(void)state;
	memset(deep, '[', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	expect_error(deep, RPC_PARSE_ERROR);
}

static void random_bytes_never_break_it(void **state)
{
	static const char alphabet[] = "{}[]\",:0123\\u\"jsonrpcidmethod2.0\x01\x80\xff ";

	(void)state;
	random_seed(4711);
	for (int i = 0; i < 20000; i++) {
		char line[80];
		size_t len = random_below(sizeof line - 1);

		for (size_t at = 0; at < len; at++)
			line[at] = alphabet[random_below(sizeof alphabet - 1)];
		line[len] = '\0';
		json_object_put(len ? ask(line) : NULL);
	}
	random_seed(0);
}

static void requests_are_answered_with_their_id(void **state)
{
	CLEANUP(json_putp)
	struct json_object *o = ask("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"version\"}");
	CLEANUP(json_putp)
	struct json_object *quiet = ask("{\"jsonrpc\":\"2.0\",\"method\":\"version\"}");

	(void)state;
	assert_string_equal(json_get_string(o, "id"), "x");
	assert_string_equal(json_get_string(o, "result.mountpoint"), "/mnt/sky");
	assert_string_equal(json_get_string(o, "result.state"), "mounted");
	assert_null(quiet);
}

static void status_joins_what_fs_and_daemon_know(void **state)
{
	CLEANUP(json_putp)
	struct json_object *o = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}");

	(void)state;
	assert_int_equal(json_get_int64(o, "result.dirty.files", 0), 3);
	assert_string_equal(json_get_string(o, "result.cache_dir"), "/tmp/cache");
	assert_string_equal(json_get_string(o, "result.name"), "not \xef\xbf\xbd utf-8");
}

static void batches_are_answered_in_one_array(void **state)
{
	CLEANUP(json_putp)
	struct json_object *o = ask("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"},7,"
				    "{\"jsonrpc\":\"2.0\",\"method\":\"version\"},"
				    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"nope\"}]");
	CLEANUP(json_putp)
	struct json_object *quiet = ask("[{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]");

	(void)state;
	assert_int_equal(json_object_array_length(o), 3);
	assert_int_equal(json_get_int64(o, "0.id", 0), 1);
	assert_int_equal(json_get_int64(o, "1.error.code", 0), RPC_INVALID_REQUEST);
	assert_int_equal(json_get_int64(o, "2.error.code", 0), RPC_METHOD_NOT_FOUND);
	assert_null(quiet);
}

static void what_cannot_be_uploaded_is_a_result(void **state)
{
	CLEANUP(json_putp) struct json_object *o = NULL;

	(void)state;
	fake_fs.fails = true;
	o = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mount.sync\",\"params\":{\"path\":\"/"
		"a\"}}");
	assert_false(json_get_bool(o, "result.uploaded", true));
	assert_string_equal(json_get_string(o, "result.failures.0.path"), "/s3/b/x");
	assert_string_equal(fake_fs.last_path, "/a");
}

static void errors_keep_their_kind_over_the_wire(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(4096);
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error err = ERROR_INIT, back = ERROR_INIT;

	(void)state;
	for (int kind = ERR_NONE + 1; kind < ERR_KINDS; kind++) {
		buf_clear(&out);
		(void)error_set(&err, (enum error_kind)kind, "why");
		(void)snprintf(err.request_id, sizeof err.request_id, "R1");
		assert_int_equal(
			rpc_add_error(&out, NULL, error_rpc_code(err.kind), err.message, &err), 0);
		json_putp(&o);
		assert_int_equal(json_parse(str_trim(buf_str(&out)), 4096, &o, &back), 0);
		assert_true(rpc_error_from(json_get(o, "error"), &back) < 0);
		assert_int_equal(back.kind, kind);
		assert_string_equal(back.request_id, "R1");
		assert_string_equal(back.message, "why");
	}
}

static int check_row(void *count, const struct op *op)
{
	const struct op_param *p;

	assert_non_null(op->summary);
	assert_true((op->run != NULL) + op_is_cloud(op) == 1);
	assert_ptr_equal(op_find(op->name), op); /* so its name is its own */
	for (size_t i = 0; (p = op_param_at(op, i)) != NULL; i++) {
		assert_non_null(p->help);
		assert_true((p->type == OP_ENUM) == (p->choices != NULL));
		assert_true(p->type != OP_INT || p->max > p->min);
		assert_true(!p->completes || op_find(p->completes));
		assert_ptr_equal(op_param_find(op, p->name), p);
	}
	if (op->wait) {
		assert_non_null(op_find(op->wait->operation));
		assert_true(!*op->wait->param || op_param_find(op, op->wait->param));
	}
	++*(size_t *)count;
	return 0;
}

static void every_operation_is_described(void **state)
{
	CLEANUP(json_putp)
	struct json_object *o = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}");
	size_t count = 0;

	(void)state;
	assert_int_equal(op_each(check_row, &count), 0);
	assert_int_equal(json_object_array_length(json_get_array(o, "result.methods")), count);
	assert_non_null(json_get(o, "result.methods.3.params.properties.path.maxLength"));
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"a\xc3\xa9z", "a\xc3\xa9z"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\xf5\x80\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_release) struct buf out = BUF_INIT(100);

		assert_int_equal(rpc_add_utf8(&out, cases[i].in), 0);
		assert_string_equal(buf_cstr(&out), cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_arrive_whole_however_they_are_cut),
		cmocka_unit_test(a_line_that_is_too_long_is_told_once_and_skipped),
		cmocka_unit_test_setup_teardown(hostile_lines_get_an_error_and_nothing_else, setup,
						teardown),
		cmocka_unit_test_setup_teardown(deep_nesting_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(random_bytes_never_break_it, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_are_answered_with_their_id, setup,
						teardown),
		cmocka_unit_test_setup_teardown(status_joins_what_fs_and_daemon_know, setup,
						teardown),
		cmocka_unit_test_setup_teardown(batches_are_answered_in_one_array, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_uploaded_is_a_result, setup,
						teardown),
		cmocka_unit_test(errors_keep_their_kind_over_the_wire),
		cmocka_unit_test_setup_teardown(every_operation_is_described, setup, teardown),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
