/*
 * Rows of REST services against a scripted server: where parameters go, how lists end, what errors say.
 */
#include "service_fixture.h"

#include <stdio.h>

static const struct rest_page by_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "next", "pageSize", 100 };
static const struct rest_page by_url = { REST_PAGE_URL, REST_QUERY, NULL, "links", "limit", 50 };
static const struct rest_page by_marker = { REST_PAGE_MARKER, REST_QUERY, "marker", "id", "limit", 50 };
static const struct rest_page by_number = { REST_PAGE_NUMBER, REST_QUERY, "page", "pages", "per_page", 50 };
static const struct rest_row list_row = { .service = "main", .path = "v1/{project}/things", .items = "things", .page = &by_token };

/* An answer with its length. */
static struct step answer(const char *status, const char *body, char *room, size_t size)
{
	(void)snprintf(room, size, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	return (struct step){ STEP_ANSWER, room, 0, NULL, 0 };
}

static void parameters_go_where_the_row_says(void **state)
{
	static const struct rest_field fields[] = {
		{ "name", "server.name", REST_BODY, NULL },
		{ "nets", "server.networks.0.uuid", REST_BODY, NULL },
		{ "zone", "zone", REST_QUERY, NULL },
		{ "mode", "mode", REST_QUERY, "soft" },
		{ NULL, "server.flag", REST_BODY, "true" },
		{ "token", "X-Thing", REST_HEADER, NULL },
		{ NULL, NULL, REST_BODY, NULL },
	};
	static const struct rest_row row = {
		.service = "main", .method = HTTP_POST, .path = "v1/{project}/{id}/act", .fields = fields, .item = "server",
	};
	char room[256];
	const struct step steps[] = { answer("202 Accepted", "{\"server\":{\"id\":\"s1\"}}", room, sizeof room) };
	CLOUD_FIXTURE(f, steps, "{\"id\":\"a/b c\",\"name\":\"n\",\"nets\":\"u\",\"zone\":\"z&1\",\"token\":\"t\"}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_string_equal(json_get_string(f.result, "id"), "s1");
	assert_non_null(strstr(server_head(f.server, 0), "POST /v1/p%201/a%2Fb%20c/act?zone=z%261&mode=soft HTTP/1.1"));
	assert_non_null(strstr(server_head(f.server, 0), "X-Thing: t"));
	assert_string_equal(server_body(f.server, 0).ptr,
			    "{\"server\":{\"name\":\"n\",\"networks\":[{\"uuid\":\"u\"}],\"flag\":true}}");
}

static void a_path_reaches_nothing_but_what_it_says(void **state)
{
	static const struct rest_row row = { .service = "main", .method = HTTP_DELETE, .path = "things/{id}" };
	static const char *const bad[] = { "{}", "{\"id\":\"\"}", "{\"id\":\"..\"}", "{\"id\":\".\"}", "{\"id\":\"a/..\"}" };
	const struct step steps[] = { { STEP_ANSWER, OK_EMPTY, 0, NULL, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLOUD_FIXTURE(f, steps, bad[i]);

		assert_true(cloud_fixture_run(&f, &row) < 0);
		assert_int_equal(f.err.kind, ERR_INVALID);
		assert_int_equal(server_requests(f.server), 0);
	}
}

static void a_list_by_tokens_is_read_to_its_end(void **state)
{
	char rooms[3][256];
	const struct step steps[] = {
		answer("200 OK", "{\"things\":[{\"id\":1}],\"next\":\"t/2\"}", rooms[0], sizeof rooms[0]),
		answer("200 OK", "{\"things\":[],\"next\":\"t3\"}", rooms[1], sizeof rooms[1]),
		answer("200 OK", "{\"things\":[{\"id\":2},{\"id\":3}]}", rooms[2], sizeof rooms[2]),
	};
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	f.call.page_size = 1;
	assert_int_equal(cloud_fixture_run(&f, &list_row), 0);
	assert_int_equal(json_object_array_length(f.result), 3);
	assert_int_equal(server_requests(f.server), 3);
	assert_non_null(strstr(server_head(f.server, 0), "?pageSize=1 "));
	assert_non_null(strstr(server_head(f.server, 1), "pageToken=t%2F2"));
	assert_non_null(strstr(server_head(f.server, 2), "pageToken=t3"));
}

static void a_limit_ends_the_list_early_and_asks_for_no_more(void **state)
{
	char room[256];
	const struct step steps[] = {
		answer("200 OK", "{\"things\":[{\"id\":1},{\"id\":2},{\"id\":3}],\"next\":\"t2\"}", room, sizeof room),
	};
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	f.call.limit = 2;
	assert_int_equal(cloud_fixture_run(&f, &list_row), 0);
	assert_int_equal(json_object_array_length(f.result), 2);
	assert_int_equal(server_requests(f.server), 1);
	assert_non_null(strstr(server_head(f.server, 0), "pageSize=2"));
}

static void the_same_page_again_is_an_error(void **state)
{
	char room[256];
	const struct step steps[] = { answer("200 OK", "{\"things\":[{\"id\":1}],\"next\":\"same\"}", room, sizeof room) };
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	assert_true(cloud_fixture_run(&f, &list_row) < 0);
	assert_int_equal(f.err.kind, ERR_PROTOCOL);
	assert_int_equal(server_requests(f.server), 2);
}

static void a_list_by_links_follows_them_on_its_own_host_and_path_only(void **state)
{
	static const struct rest_row row = { .service = "main", .path = "things", .items = "things", .page = &by_url };
	char rooms[4][256];
	const struct step good[] = {
		answer("200 OK",
		       "{\"things\":[{\"id\":1}],\"links\":[{\"rel\":\"self\",\"href\":\"/x\"},"
		       "{\"rel\":\"next\",\"href\":\"/things?marker=a%20b&limit=1\"}]}",
		       rooms[0], sizeof rooms[0]),
		answer("200 OK", "{\"things\":[{\"id\":2}]}", rooms[1], sizeof rooms[1]),
	};
	const struct step foreign[] = {
		answer("200 OK", "{\"things\":[{\"id\":1}],\"links\":\"http://other.example/base/things?m=1\"}", rooms[2],
		       sizeof rooms[2]),
		{ STEP_ANSWER, JSON_ANSWER(13, "{\"things\":[]}"), 0, NULL, 0 },
	};
	const struct step outside[] = { answer("200 OK", "{\"things\":[{\"id\":1}],\"links\":\"/admin\"}", rooms[3],
					       sizeof rooms[3]) };

	(void)state;
	{
		CLOUD_FIXTURE(f, good, "{}");

		assert_int_equal(cloud_fixture_run(&f, &row), 0);
		assert_int_equal(json_object_array_length(f.result), 2);
		assert_non_null(strstr(server_head(f.server, 1), "GET /things?marker=a%20b&limit=1 "));
	}
	{
		CLOUD_FIXTURE(f, foreign, "{}");
		CLEANUP(freep) char *base = str_format("%s/base", server_url(f.server));

		f.service.base_url = base;
		assert_int_equal(cloud_fixture_run(&f, &row), 0);
		assert_non_null(strstr(server_head(f.server, 1), "GET /base/things?m=1 "));
		assert_null(strstr(server_head(f.server, 1), "other.example"));
	}
	{
		CLOUD_FIXTURE(f, outside, "{}");
		CLEANUP(freep) char *base = str_format("%s/base", server_url(f.server));

		f.service.base_url = base;
		assert_true(cloud_fixture_run(&f, &row) < 0);
		assert_int_equal(f.err.kind, ERR_PROTOCOL);
		assert_int_equal(server_requests(f.server), 1);
	}
}

static void a_list_by_markers_ends_with_an_empty_page(void **state)
{
	static const struct rest_row row = { .service = "main", .path = "things", .items = "", .page = &by_marker };
	char rooms[3][256];
	const struct step steps[] = {
		answer("200 OK", "[{\"id\":\"a\"},{\"id\":\"b\"}]", rooms[0], sizeof rooms[0]),
		answer("200 OK", "[{\"id\":\"c\"}]", rooms[1], sizeof rooms[1]),
		answer("200 OK", "[]", rooms[2], sizeof rooms[2]),
	};
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_int_equal(json_object_array_length(f.result), 3);
	assert_non_null(strstr(server_head(f.server, 1), "marker=b"));
	assert_non_null(strstr(server_head(f.server, 2), "marker=c"));
}

static void a_list_by_numbers_ends_where_the_service_says(void **state)
{
	static const struct rest_row row = { .service = "main", .path = "things", .items = "data", .page = &by_number };
	char rooms[2][256];
	const struct step steps[] = {
		answer("200 OK", "{\"data\":[{\"id\":1}],\"pages\":2}", rooms[0], sizeof rooms[0]),
		answer("200 OK", "{\"data\":[{\"id\":2}],\"pages\":2}", rooms[1], sizeof rooms[1]),
	};
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_int_equal(json_object_array_length(f.result), 2);
	assert_int_equal(server_requests(f.server), 2);
	assert_non_null(strstr(server_head(f.server, 1), "page=2"));
}

static void errors_say_what_the_service_said(void **state)
{
	static const struct {
		const char *status, *body, *message, *code;
		enum error_kind kind;
	} cases[] = {
		{ "404 Not Found", "{\"itemNotFound\":{\"message\":\"Instance x could not be found.\",\"code\":404}}",
		  "Instance x could not be found", "itemNotFound", ERR_NOT_FOUND },
		{ "403 Forbidden", "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}", "no",
		  "PERMISSION_DENIED", ERR_PERMISSION },
		{ "400 Bad Request",
		  "<?xml version=\"1.0\"?><Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The "
		  "instance ID 'i-1' does not exist</Message></Error></Errors><RequestID>r</RequestID></Response>",
		  "The instance ID 'i-1' does not exist", "InvalidInstanceID.NotFound", ERR_NOT_FOUND },
		{ "409 Conflict", "{\"error\":{\"code\":\"ResourceExists\",\"message\":\"Busy\"}}", "Busy", "ResourceExists",
		  ERR_CONFLICT },
		{ "400 Bad Request", "{\"__type\":\"com.x#ValidationException\",\"Message\":\"bad\"}", "bad",
		  "ValidationException", ERR_INVALID },
		{ "401 Unauthorized", "{\"statusCode\":401,\"statusMessage\":\"Unauthorized\",\"message\":\"Bad token\"}",
		  "Bad token", "", ERR_UNAUTHENTICATED },
	};
	static const struct rest_row row = { .service = "main", .method = HTTP_POST, .path = "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char room[1024];
		const struct step steps[] = { answer(cases[i].status, cases[i].body, room, sizeof room) };
		CLOUD_FIXTURE(f, steps, "{}");

		assert_true(cloud_fixture_run(&f, &row) < 0);
		assert_string_equal(f.err.message, cases[i].message);
		assert_string_equal(f.err.service_code, cases[i].code);
		assert_int_equal(f.err.kind, cases[i].kind);
	}
}

static void a_dry_run_sends_nothing_and_shows_no_secret(void **state)
{
	static const struct rest_field fields[] = {
		{ "name", "user.name", REST_BODY, NULL },
		{ "password", "user.password", REST_BODY, NULL },
		{ NULL, NULL, REST_BODY, NULL },
	};
	static const struct rest_row row = { .service = "main", .method = HTTP_POST, .path = "users", .fields = fields };
	const struct step steps[] = { { STEP_ANSWER, OK_EMPTY, 0, NULL, 0 } };
	CLOUD_FIXTURE(f, steps, "{\"name\":\"me\",\"password\":\"hunter2\"}");
	const char *text;

	(void)state;
	f.call.plan = json_object_new_array();
	assert_true(cloud_fixture_run(&f, &row) < 0);
	assert_true(f.call.is_planned);
	assert_int_equal(server_requests(f.server), 0);
	text = json_object_to_json_string(f.call.plan);
	assert_non_null(strstr(text, "\"POST\""));
	assert_non_null(strstr(text, "\"me\""));
	assert_null(strstr(text, "hunter2"));
}

static void a_read_is_sent_in_a_dry_run_too(void **state)
{
	char room[256];
	const struct step steps[] = { answer("200 OK", "{\"things\":[]}", room, sizeof room) };
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	f.call.plan = json_object_new_array();
	assert_int_equal(cloud_fixture_run(&f, &list_row), 0);
	assert_false(f.call.is_planned);
	assert_int_equal(server_requests(f.server), 1);
}

static void xml_answers_are_read_like_json(void **state)
{
	static const struct rest_row row = { .service = "main", .path = "x", .items = "R.set.item" };
	char rooms[3][256];
	const struct step steps[] = {
		answer("200 OK", "<R xmlns='u'><set><item><id>1</id></item><item><id>2</id></item></set></R>", rooms[0],
		       sizeof rooms[0]),
		answer("200 OK", "<R><set><item><id>1</id></item></set></R>", rooms[1], sizeof rooms[1]),
		answer("200 OK", "<R><set/></R>", rooms[2], sizeof rooms[2]),
	};
	CLOUD_FIXTURE(f, steps, "{}");

	(void)state;
	f.service.dialect = SERVICE_XML;
	for (size_t count = 2;; count--) {
		assert_int_equal(cloud_fixture_run(&f, &row), 0);
		assert_int_equal(json_object_array_length(f.result), count);
		if (count == 0)
			break;
		assert_string_equal(json_get_string(f.result, "0.id"), "1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_go_where_the_row_says),
		cmocka_unit_test(a_path_reaches_nothing_but_what_it_says),
		cmocka_unit_test(a_list_by_tokens_is_read_to_its_end),
		cmocka_unit_test(a_limit_ends_the_list_early_and_asks_for_no_more),
		cmocka_unit_test(the_same_page_again_is_an_error),
		cmocka_unit_test(a_list_by_links_follows_them_on_its_own_host_and_path_only),
		cmocka_unit_test(a_list_by_markers_ends_with_an_empty_page),
		cmocka_unit_test(a_list_by_numbers_ends_where_the_service_says),
		cmocka_unit_test(errors_say_what_the_service_said),
		cmocka_unit_test(a_dry_run_sends_nothing_and_shows_no_secret),
		cmocka_unit_test(a_read_is_sent_in_a_dry_run_too),
		cmocka_unit_test(xml_answers_are_read_like_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
