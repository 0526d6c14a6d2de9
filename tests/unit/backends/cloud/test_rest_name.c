/*
 * Rows of REST services whose parameters are names, that run after another, and that refuse what goes nowhere.
 */
#include "service_fixture.h"

#include <stdio.h>

static const struct rest_page by_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "next", "pageSize", 100 };
static const struct rest_row list_row = { .service = "main", .path = "disks", .items = "disks", .page = &by_token };
static const struct rest_field by_name[] = { { "name", "name", REST_QUERY }, { .place = NULL } };

static enum rest_id is_id(const char *text, const char *part)
{
	if (strncmp(text, "id-", 3) != 0)
		return REST_NO_ID;
	return strstr(text, part) ? REST_ID : REST_STRANGE_ID;
}

static const struct rest_kind a_disk = { .what = "disk", .list = &list_row, .filter = by_name, .names = "name|number", .id = "id",
					 .id_part = "disk", .is_id = is_id };
static const struct rest_name names[] = { { "disk", &a_disk }, { NULL, NULL } };
static const struct rest_row get_row = { .service = "main", .path = "disks/{disk}", .item = "", .names = names };

/* An answer with its length. */
static struct step answer(const char *status, const char *body, char *room, size_t size)
{
	(void)snprintf(room, size, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	return (struct step){ STEP_ANSWER, room, 0, NULL, 0 };
}

static void a_name_is_looked_for_on_all_pages_and_its_id_takes_its_place(void **state)
{
	char rooms[3][256];
	const struct step steps[] = {
		answer("200 OK", "{\"disks\":[{\"id\":\"id-disk-1\",\"name\":\"dat\"}],\"next\":\"t\"}", rooms[0], sizeof rooms[0]),
		answer("200 OK", "{\"disks\":[{\"id\":\"id-disk-2\",\"name\":\"data\"}]}", rooms[1], sizeof rooms[1]),
		answer("200 OK", "{\"id\":\"id-disk-2\"}", rooms[2], sizeof rooms[2]),
	};
	CLOUD_FIXTURE(f, steps, "{\"disk\":\"data\"}");

	(void)state;
	f.call.limit = 1; /* of the list that is asked for, not of the search */
	assert_int_equal(cloud_fixture_run(&f, &get_row), 0);
	assert_non_null(strstr(server_head(f.server, 0), "/disks?name=data"));
	assert_non_null(strstr(server_head(f.server, 2), "GET /disks/id-disk-2 "));
	assert_string_equal(json_get_string(f.call.params, "disk"), "data"); /* the caller's are as they were */
}

static void an_identifier_costs_no_search_and_a_strange_one_no_request(void **state)
{
	char room[128];
	const struct step steps[] = { answer("200 OK", "{\"id\":\"id-disk-7\"}", room, sizeof room) };
	CLOUD_FIXTURE(f, steps, "{\"disk\":\"id-disk-7\"}");
	CLOUD_FIXTURE(g, steps, "{\"disk\":\"id-machine-7\"}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &get_row), 0);
	assert_int_equal(server_requests(f.server), 1);
	assert_true(cloud_fixture_run(&g, &get_row) < 0);
	assert_int_equal(g.err.kind, ERR_INVALID);
	assert_int_equal(server_requests(g.server), 0);
}

static void none_and_two_of_a_name_are_errors(void **state)
{
	char rooms[2][256];
	const struct step none[] = { answer("200 OK", "{\"disks\":[]}", rooms[0], sizeof rooms[0]) };
	const struct step two[] = { answer("200 OK", "{\"disks\":[{\"id\":\"a\",\"name\":\"x\"},{\"id\":\"b\",\"number\":\"x\"}]}",
					   rooms[1], sizeof rooms[1]) };
	CLOUD_FIXTURE(f, none, "{\"disk\":\"x\"}");
	CLOUD_FIXTURE(g, two, "{\"disk\":\"x\"}");

	(void)state;
	assert_true(cloud_fixture_run(&f, &get_row) < 0);
	assert_int_equal(f.err.kind, ERR_NOT_FOUND);
	assert_true(cloud_fixture_run(&g, &get_row) < 0);
	assert_int_equal(g.err.kind, ERR_CONFLICT);
	assert_int_equal(server_requests(g.server), 1);
}

static void what_goes_nowhere_is_refused_before_anything_is_sent(void **state)
{
	static const struct rest_field fields[] = {
		{ "size", "size", REST_BODY }, { "_cidr_4", "range", REST_BODY }, { "force", "", REST_NOWHERE }, { .place = NULL },
	};
	static const struct rest_row row = { .service = "main", .method = HTTP_POST, .path = "disks", .fields = fields, .is_strict = true };
	const struct step steps[] = { { STEP_ANSWER, OK_EMPTY, 0, NULL, 0 } };
	CLOUD_FIXTURE(f, steps, "{\"size\":1,\"cidr\":\"x\",\"_cidr_4\":\"x\",\"force\":true,\"wait\":true,\"_more\":1}");
	CLOUD_FIXTURE(g, steps, "{\"size\":1,\"color\":\"red\"}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_string_equal(server_body(f.server, 0).ptr, "{\"size\":1,\"range\":\"x\"}");
	assert_true(cloud_fixture_run(&g, &row) < 0);
	assert_int_equal(g.err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(g.err.message, "'color'"));
	assert_int_equal(server_requests(g.server), 0);
}

static void what_the_answer_holds_is_kept_for_the_row_after_it(void **state)
{
	static const struct record_word words[] = { { "HARD", "hard" }, { NULL, NULL } };
	static const struct rest_field fields[] = {
		{ "name", "name", REST_BODY },
		{ "mode", "mode", REST_BODY, "\"SOFT\"", .words = words },
		{ "none", "gateway", REST_BODY, .when = "null" },
		{ "name", "link", REST_BODY, NULL, "zones/z/{name}" },
		{ .place = NULL },
	};
	static const struct rest_keep kept[] = { { "_id", "made.id" }, { NULL, NULL } };
	static const struct rest_row after = { .service = "main", .path = "disks/{_id}", .item = "" };
	static const struct rest_row row = { .service = "main", .method = HTTP_POST, .path = "disks", .fields = fields, .then = &after,
					     .keep = kept };
	char rooms[2][128];
	const struct step steps[] = {
		answer("202 Accepted", "{\"made\":{\"id\":\"7\"}}", rooms[0], sizeof rooms[0]),
		answer("200 OK", "{\"id\":\"7\",\"name\":\"n\"}", rooms[1], sizeof rooms[1]),
	};
	CLOUD_FIXTURE(f, steps, "{\"name\":\"n\",\"mode\":\"hard\",\"none\":true}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_string_equal(server_body(f.server, 0).ptr, "{\"name\":\"n\",\"mode\":\"HARD\",\"gateway\":null,\"link\":\"zones/z/n\"}");
	assert_non_null(strstr(server_head(f.server, 1), "GET /disks/7 "));
	assert_string_equal(json_get_string(f.result, "name"), "n");
}

static void lists_and_maps_are_numbered_in_a_form(void **state)
{
	static const struct rest_field fields[] = {
		{ "group", "Group.#", REST_FORM },
		{ "tag", "Tag.#2", REST_FORM },
		{ "value", "P.#|K|V", REST_FORM },
		{ .place = NULL },
	};
	static const struct rest_row row = { .service = "main", .method = HTTP_POST, .path = "/", .fields = fields };
	const struct step steps[] = { { STEP_ANSWER, OK_EMPTY, 0, NULL, 0 } };
	CLOUD_FIXTURE(f, steps, "{\"group\":[\"a\",\"b\"],\"tag\":{\"x\":\"1\"},\"value\":{\"s\":\"2\"}}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_string_equal(server_body(f.server, 0).ptr, "Group.1=a&Group.2=b&Tag.2.Key=x&Tag.2.Value=1&P.1.K=s&P.1.V=2");
}

static void a_list_by_places_is_one_list_and_never_a_part_of_it(void **state)
{
	static const struct rest_keep only[] = { { "group", "tags" }, { NULL, NULL } };
	static const struct rest_row row = { .service = "main", .path = "all", .items = "items", .scoped = "disks", .only = only };
	char rooms[2][256];
	const struct step good[] = { answer("200 OK",
					    "{\"items\":{\"a\":{\"disks\":[{\"id\":1,\"tags\":[\"g\"]},{\"id\":2}]},"
					    "\"b\":{\"warning\":{\"code\":\"NO_RESULTS_ON_PAGE\"}},\"c\":{\"disks\":[{\"id\":3,\"tags\":[{\"id\":\"g\"}]}]}}}",
					    rooms[0], sizeof rooms[0]) };
	const struct step bad[] = { answer("200 OK", "{\"items\":{\"a\":{\"warning\":{\"code\":\"UNREACHABLE\"}}}}", rooms[1],
					   sizeof rooms[1]) };
	CLOUD_FIXTURE(f, good, "{\"group\":\"g\"}");
	CLOUD_FIXTURE(g, bad, "{}");

	(void)state;
	assert_int_equal(cloud_fixture_run(&f, &row), 0);
	assert_int_equal(json_object_array_length(f.result), 2);
	assert_int_equal(json_get_int64(f.result, "1.id", 0), 3);
	assert_true(cloud_fixture_run(&g, &row) < 0);
	assert_int_equal(g.err.kind, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_looked_for_on_all_pages_and_its_id_takes_its_place),
		cmocka_unit_test(an_identifier_costs_no_search_and_a_strange_one_no_request),
		cmocka_unit_test(none_and_two_of_a_name_are_errors),
		cmocka_unit_test(what_goes_nowhere_is_refused_before_anything_is_sent),
		cmocka_unit_test(what_the_answer_holds_is_kept_for_the_row_after_it),
		cmocka_unit_test(lists_and_maps_are_numbered_in_a_form),
		cmocka_unit_test(a_list_by_places_is_one_list_and_never_a_part_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
