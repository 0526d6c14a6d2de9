#include "control/metrics_text.h"
#include "control/output.h"
#include "control/status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct json_object *parse(const char *text)
{
	struct json_object *o = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(json_parse(str_of(text), 1 << 20, &o, &err), 0);
	return o;
}

static const char everything[] =
	"{\"mounts\":[{\"mountpoint\":\"/mnt/a\\u001b[2Jb\",\"source\":\"/\",\"state\":\"mounted\","
	"\"dirty\":{\"files\":3,\"bytes\":1536},\"pending\":2,\"cache\":{\"bytes\":1048576,"
	"\"limit\":10485760},"
	"\"uploads\":[{\"path\":\"/s3/b/\\u001bx\",\"bytes\":1000,\"sent\":250},"
	"{\"path\":\"/z\",\"state\":\"waiting\",\"error\":\"busy\"}],"
	"\"errors\":[{\"path\":\"/s3/b/w\",\"error\":\"away\",\"over\":true},"
	"{\"path\":\"/s3/b/y\",\"error\":\"denied\\nfake line\"}]},"
	"{\"state\":\"dead\",\"mountpoint\":\"/mnt/dead\"}],"
	"\"orphans\":[{\"cache_dir\":\"/c/"
	"mount-2\",\"mountpoint\":null,\"dirty\":{\"files\":1,\"bytes\":5}}]}";

static void the_table_has_a_row_for_each_mount_and_orphan(void **state)
{
	CLEANUP(json_putp) struct json_object *all = parse(everything);
	struct output_table *t = status_table(all, STATUS_PLAIN);
	CLEANUP(freep) char *text = t ? output_table_text(t) : NULL;

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "MOUNT"));
	assert_non_null(strstr(text, "3 (1.5K)"));
	assert_non_null(strstr(text, "1M of 10M"));
	assert_non_null(strstr(text, "/mnt/dead"));
	assert_non_null(strstr(text, "dead"));
	assert_non_null(strstr(text, "/c/mount-2"));
	assert_non_null(strstr(text, "left over"));
	assert_null(strchr(text, '\x1b'));
	output_table_free(t);
}

static void states_and_errors_have_colours_where_they_are_asked_for(void **state)
{
	CLEANUP(json_putp) struct json_object *all = parse(everything);
	struct output_table *t = status_table(all, STATUS_COLOURED);
	CLEANUP(freep) char *text = t ? output_table_text(t) : NULL;

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "\x1b[32mmounted"));
	assert_non_null(strstr(text, "\x1b[31mdead"));
	assert_non_null(strstr(text, "\x1b[1;33mleft over"));
	assert_non_null(strstr(text, "\x1b[31m1\x1b")); /* an error */
	output_table_free(t);
}

static void details_list_uploads_and_errors_safely(void **state)
{
	CLEANUP(json_putp) struct json_object *all = parse(everything);
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);

	(void)state;
	assert_int_equal(status_add_details(json_get_array(all, "mounts"), &out), 0);
	assert_string_equal(buf_cstr(&out), "\n/mnt/a\\x1b[2Jb:\n"
					    "  uploading /s3/b/\\x1bx: 250 of 1000 (25%)\n"
					    "  waiting /z: 0 of 0, busy\n"
					    "  failed, but is done now: /s3/b/w: away\n"
					    "  failed /s3/b/y: denied\\x0afake line\n");
}

static void details_are_bounded(void **state)
{
	CLEANUP(json_putp)
	struct json_object *mounts = parse("[{\"mountpoint\":\"/m\",\"errors\":[]}]");
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);

	(void)state;
	for (int i = 0; i < 1000; i++)
		json_object_array_add(json_get_array(mounts, "0.errors"),
				      parse("{\"path\":\"/x\"}"));
	assert_int_equal(status_add_details(mounts, &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "... and 980 more errors"));
	assert_true(out.len < 2000);
}

static void odd_shapes_do_no_harm(void **state)
{
	static const char *const cases[] = {"{}",
					    "{\"mounts\":[1,null,\"x\",[],{}],\"orphans\":[{}]}",
					    "{\"mounts\":[{\"mountpoint\":7,\"dirty\":[],"
					    "\"uploads\":[3],\"errors\":[null],\"pending\":-5}]}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(json_putp) struct json_object *all = parse(cases[i]);
		CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
		struct output_table *t = status_table(all, STATUS_PLAIN);

		assert_non_null(t);
		output_table_free(t);
		assert_int_equal(status_add_details(json_get_array(all, "mounts"), &out), 0);
	}
}

static void progress_tells_files_bytes_rate_and_time(void **state)
{
	struct output_progress p = {.what = "uploading", .bytes_per_s = 1 << 20};
	struct fs_progress left = {.files_left = 3, .bytes_left = 90 << 20, .ops_left = 1};
	CLEANUP(buf_release) struct buf out = BUF_INIT(256);

	(void)state;
	assert_int_equal(output_progress_text(&p, &left, &out), 0);
	assert_string_equal(buf_cstr(&out), "3 files, 90M left, 1 other change, 1M/s, 1m30s left");
}

static void metrics_of_several_mounts_stand_together(void **state)
{
	CLEANUP(json_putp)
	struct json_object *results =
		parse("[{\"mountpoint\":\"/a\\\"\\\\\",\"metrics\":["
		      "{\"name\":\"b_total\",\"labels\":\"store=\\\"s3\\\"\",\"type\":\"counter\","
		      "\"value\":7},"
		      "{\"name\":\"a\",\"labels\":\"\",\"type\":\"gauge\",\"value\":-1},"
		      "{\"name\":\"bad name\\n\",\"labels\":\"\",\"type\":\"gauge\",\"value\":1}]},"
		      "{\"mountpoint\":\"/b\",\"metrics\":["
		      "{\"name\":\"b_total\",\"labels\":\"store=\\\"s3\\\"\",\"type\":\"counter\","
		      "\"value\":8}]},7]");
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);

	(void)state;
	assert_int_equal(metrics_text(results, &out), 0);
	assert_string_equal(buf_cstr(&out), "# TYPE a gauge\na{mount=\"/a\\\"\\\\\"} -1\n"
					    "# TYPE b_total counter\n"
					    "b_total{mount=\"/a\\\"\\\\\",store=\"s3\"} 7\n"
					    "b_total{mount=\"/b\",store=\"s3\"} 8\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_a_row_for_each_mount_and_orphan),
		cmocka_unit_test(states_and_errors_have_colours_where_they_are_asked_for),
		cmocka_unit_test(details_list_uploads_and_errors_safely),
		cmocka_unit_test(details_are_bounded),
		cmocka_unit_test(odd_shapes_do_no_harm),
		cmocka_unit_test(progress_tells_files_bytes_rate_and_time),
		cmocka_unit_test(metrics_of_several_mounts_stand_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
