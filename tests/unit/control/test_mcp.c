/*
 * A row of the test's own stands in every surface that is made of the tables; and MCP: eras, trust levels, plans.
 */
#include "control/cli_op.h"
#include "control/complete.h"
#include "control/man.h"
#include "control/mcp.h"
#include "control/rpc.h"
#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned drops, spins;

static int run_spin(const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct json_object *message = json_object_new_object();

	(void)err;
	spins++;
	json_object_object_add(message, "message", json_object_new_string("half"));
	if (call->notify)
		call->notify(call->notify_arg, message);
	json_object_put(message);
	*ret = json_object_new_object();
	json_object_object_add(*ret, "speed", json_object_new_int64(json_get_int64(call->params, "speed", 0)));
	return 0;
}

static int run_drop(const struct op_call *call, struct json_object **ret, struct error *err)
{
	(void)call;
	(void)ret;
	(void)err;
	drops++;
	return 0;
}

static int run_list(const struct op_call *call, struct json_object **ret, struct error *err)
{
	(void)call;
	*ret = NULL;
	return json_parse(STR("{\"items\":[{\"name\":\"left\",\"id\":\"w1\"},{\"name\":\"$(reboot)\"}],\"count\":2}"), 4096, ret,
			  err);
}

static const char *const colours[] = {"red", "blue", NULL};
static const struct op_param spin_params[] = {
	{"widget", OP_STRING, true, 64, "which", .position = 1, .completes = "widgets.list"},
	{"speed", OP_INT, false, 10, "how fast", .min = 1},
	{"colour", OP_ENUM, false, 0, "which colour", .choices = colours},
	OP_PARAM_END,
};
static const struct op rows[] = {
	{.name = "widgets.list", .summary = "list the widgets", .run = run_list, .result = OP_ITEMS},
	{.name = "widgets.spin", .summary = "turn a widget round", .run = run_spin, .params = spin_params, .risk = OP_CHANGE,
	 .result = OP_ONE},
	{.name = "widgets.drop", .summary = "break a widget", .run = run_drop, .params = spin_params, .risk = OP_DESTROY},
	{.name = NULL},
};
extern const struct op mount_ops[], meta_ops[];
const struct op *const op_tables[] = {rows, mount_ops, meta_ops, NULL};

/* ---- MCP ---- */

struct world {
	struct mcp mcp;
	struct op_call base;
	struct json_object *asked, *reply; /* of elicitation */
	unsigned notes;
};

static int ask(void *arg, const char *method, struct json_object *params, struct json_object **ret, struct error *err)
{
	struct world *w = arg;

	(void)params;
	(void)err;
	assert_string_equal(method, "elicitation/create");
	*ret = json_object_get(w->reply);
	return 0;
}

static void send_note(void *arg, const char *method, struct json_object *params)
{
	struct world *w = arg;

	(void)params;
	assert_string_equal(method, "notifications/message");
	w->notes++;
}

/* The result, or NULL with the failure's code. */
static struct json_object *run(struct world *w, const char *method, const char *params, int *ret_code)
{
	CLEANUP(mcp_failure_release) struct mcp_failure failure = MCP_FAILURE_INIT;
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct mcp_call c = {.mcp = &w->mcp, .base = &w->base, .ask = ask, .send_note = send_note, .arg = w};
	struct json_object *result = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(json_parse(str_of(params), 65536, &o, &err), 0);
	c.params = o;
	*ret_code = 0;
	if (mcp_run(&c, method, &result, &failure) < 0)
		*ret_code = failure.code;
	return result;
}

#define MODERN_META(capabilities)                                                                                      \
	"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                       \
	"\"io.modelcontextprotocol/clientCapabilities\":" capabilities "}"
#define MODERN MODERN_META("{}")

static struct world *world_of(enum op_risk allow)
{
	static struct world w;

	json_object_put(w.reply);
	w = (struct world){.notes = 0};
	mcp_init(&w.mcp, NULL, NULL, allow);
	drops = spins = 0;
	return &w;
}

static void open_legacy(struct world *w, const char *params, const char *expected)
{
	int code;
	CLEANUP(json_putp) struct json_object *r = run(w, "initialize", params, &code);

	assert_int_equal(code, 0);
	assert_string_equal(json_get_string(r, "protocolVersion"), expected);
}

static bool is_listed(struct world *w, const char *name)
{
	int code;
	CLEANUP(json_putp) struct json_object *r = run(w, "tools/list", "{" MODERN "}", &code);
	struct json_object *tools = json_get_array(r, "tools");
	bool is_found = false;

	assert_string_equal(json_get_string(r, "resultType"), "complete");
	assert_true(json_get_int64(r, "ttlMs", -1) >= 0);
	assert_string_equal(json_get_string(r, "cacheScope"), "private");
	for (size_t i = 0; i < json_object_array_length(tools); i++) {
		struct json_object *t = json_object_array_get_idx(tools, i), *hints = json_get(t, "annotations");

		assert_non_null(json_get(t, "inputSchema"));
		assert_non_null(json_get(t, "outputSchema"));
		assert_non_null(json_get_string(t, "title"));
		assert_true(json_object_object_get_ex(hints, "readOnlyHint", NULL));
		assert_true(json_object_object_get_ex(hints, "destructiveHint", NULL));
		assert_true(json_object_object_get_ex(hints, "idempotentHint", NULL));
		assert_true(json_object_object_get_ex(hints, "openWorldHint", NULL));
		is_found |= !strcmp(json_get_string(t, "name"), name);
	}
	return is_found;
}

/* ---- one row, every surface ---- */

static int list_here(const struct op *op, struct json_object *params, struct json_object **ret, struct error *err)
{
	struct op_call call = {.params = params};

	return op_run(op, &call, ret, err);
}

#define COMPLETE(out, ...)                                                                                             \
	do {                                                                                                           \
		const char *typed[] = {__VA_ARGS__};                                                                       \
		buf_clear(out);                                                                                        \
		assert_int_equal(complete_words((int)ARRAY_SIZE(typed), (char *const *)typed, list_here, out), 0);                    \
	} while (0)

static void a_row_added_to_the_table_is_in_every_surface(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *discovered = NULL;
	char *words[] = {(char[]){"widgets"}, (char[]){"spin"}};
	struct op_call call = {.context = NULL};
	struct error err = ERROR_INIT;
	int used = 0;

	(void)state;
	assert_ptr_equal(cli_op_find(2, words, &used), &rows[1]);
	assert_int_equal(cli_op_help_all(&out), 0);
	assert_non_null(strstr(buf_cstr(&out), "widgets"));
	buf_clear(&out);
	assert_int_equal(cli_op_help(&rows[1], &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "--speed"));
	buf_clear(&out);
	assert_int_equal(man_page("widgets", &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "skydir widgets spin"));
	assert_non_null(strstr(buf_cstr(&out), "\\-\\-speed"));
	assert_int_equal(man_page("nothing", &out), -EINVAL);
	assert_int_equal(op_run(op_find("rpc.discover"), &call, &discovered, &err), 0);
	assert_non_null(strstr(json_object_to_json_string(discovered), "\"widgets.spin\""));
	buf_clear(&out);
	assert_int_equal(op_answer(&call,
				   STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"widgets.spin\",\"params\":{\"widget\":\"a\","
				       "\"speed\":7}}"),
				   &out),
			 0);
	assert_non_null(strstr(buf_cstr(&out), "\"result\":{\"speed\":7}"));
	assert_true(is_listed(world_of(OP_CHANGE), "widgets.spin"));
	COMPLETE(&out, "wid");
	assert_string_equal(buf_cstr(&out), "widgets\toperations\n");
	COMPLETE(&out, "widgets", "sp");
	assert_string_equal(buf_cstr(&out), "spin\tturn a widget round\n");
}

static void completion_offers_options_choices_and_live_names_that_are_safe(void **state)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(1 << 20);

	(void)state;
	COMPLETE(&out, "widgets", "spin", "--sp");
	assert_string_equal(buf_cstr(&out), "--speed\thow fast\n");
	COMPLETE(&out, "widgets", "spin", "--colour", "");
	assert_string_equal(buf_cstr(&out), "red\t\nblue\t\n");
	COMPLETE(&out, "widgets", "spin", "--speed", "3", "");
	assert_string_equal(buf_cstr(&out), "left\tw1\n"); /* $(reboot) is left out */
	COMPLETE(&out, "widgets", "spin", "left", "");
	assert_string_equal(buf_cstr(&out), "");
}

static void only_what_is_allowed_is_listed_and_called(void **state)
{
	int code;

	(void)state;
	assert_true(is_listed(world_of(OP_READ), "widgets.list"));
	assert_false(is_listed(world_of(OP_READ), "widgets.spin"));
	assert_true(is_listed(world_of(OP_CHANGE), "widgets.spin"));
	assert_false(is_listed(world_of(OP_CHANGE), "widgets.drop"));
	assert_true(is_listed(world_of(OP_DESTROY), "widgets.drop"));
	assert_false(is_listed(world_of(OP_DESTROY), "mount.stop")); /* the socket's alone */
	assert_null(run(world_of(OP_READ), "tools/call", "{\"name\":\"widgets.spin\",\"arguments\":{\"widget\":\"a\"}," MODERN "}",
			&code));
	assert_int_equal(code, RPC_INVALID_PARAMS);
	assert_int_equal(spins, 0);
	assert_null(run(world_of(OP_READ), "tools/call", "{\"name\":\"mount.stop\"," MODERN "}", &code));
	assert_int_equal(code, RPC_INVALID_PARAMS);
}

static void the_era_is_chosen_by_how_the_client_opens(void **state)
{
	struct world *w = world_of(OP_READ);
	struct json_object *r;
	int code;

	(void)state;
	assert_null(run(w, "tools/list", "{}", &code));
	assert_int_equal(code, RPC_INVALID_PARAMS);
	assert_null(run(w, "tools/list",
			"{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2031-01-01\","
			"\"io.modelcontextprotocol/clientCapabilities\":{}}}",
			&code));
	assert_int_equal(code, -32022);
	assert_null(run(w, "ping", "{" MODERN "}", &code));
	assert_int_equal(code, RPC_METHOD_NOT_FOUND);
	r = run(w, "server/discover", "{" MODERN "}", &code);
	assert_int_equal(json_object_array_length(json_get_array(r, "supportedVersions")), 5);
	json_object_put(r);
	open_legacy(w, "{\"protocolVersion\":\"2024-11-05\",\"capabilities\":{}}", "2024-11-05");
	r = run(w, "tools/list", "{}", &code);
	assert_null(json_get(r, "tools.0.annotations"));
	assert_null(json_get(r, "resultType"));
	json_object_put(r);
	open_legacy(w, "{\"protocolVersion\":\"1999-01-01\",\"capabilities\":{}}", "2025-11-25");
	json_object_put(run(w, "ping", "{}", &code));
	assert_int_equal(code, 0);
}

static void bad_values_and_failures_are_results(void **state)
{
	struct world *w = world_of(OP_CHANGE);
	struct json_object *r;
	int code;

	(void)state;
	open_legacy(w, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}", "2025-11-25");
	json_object_put(run(w, "logging/setLevel", "{\"level\":\"error\"}", &code));
	r = run(w, "tools/call", "{\"name\":\"widgets.spin\",\"arguments\":{\"widget\":\"a\",\"speed\":99}}", &code);
	assert_true(json_get_bool(r, "isError", false));
	assert_non_null(strstr(json_get_string(r, "content.0.text"), "'speed' must be 1 to 10, not 99"));
	json_object_put(r);
	assert_int_equal(w->notes, 1);
	assert_int_equal(spins, 0);
	r = run(w, "tools/call", "{\"name\":\"widgets.spin\",\"arguments\":{\"widget\":\"a\",\"speed\":4}}", &code);
	assert_false(json_get_bool(r, "isError", true));
	assert_int_equal(json_get_int64(r, "structuredContent.speed", 0), 4);
	assert_string_equal(json_get_string(r, "content.0.text"), "{\"speed\":4}");
	json_object_put(r);
}

static struct json_object *drop(struct world *w, const char *widget, const char *token)
{
	CLEANUP(freep) char *params = str_format("{\"name\":\"widgets.drop\",\"arguments\":{\"widget\":\"%s\"%s%s%s}," MODERN "}",
						 widget, token ? ",\"confirm_token\":\"" : "", token ? token : "",
						 token ? "\"" : "");
	int code;

	return run(w, "tools/call", params, &code);
}

static void what_destroys_needs_the_token_of_a_plan_of_the_same_arguments(void **state)
{
	struct world *w = world_of(OP_DESTROY);
	CLEANUP(json_putp) struct json_object *plan = drop(w, "a", NULL);
	const char *token = json_get_string(plan, "structuredContent.confirm_token");
	struct json_object *r;

	(void)state;
	assert_non_null(token);
	assert_string_equal(json_get_string(plan, "structuredContent.status"), "planned");
	assert_int_equal(drops, 0);
	r = drop(w, "b", token); /* other arguments */
	assert_true(json_get_bool(r, "isError", false));
	json_object_put(r);
	json_object_put(drop(w, "a", "9999999999-00"));
	assert_int_equal(drops, 0);
	r = drop(w, "a", token);
	assert_string_equal(json_get_string(r, "structuredContent.status"), "done");
	json_object_put(r);
	assert_int_equal(drops, 1);
	r = drop(w, "a", token); /* once */
	assert_true(json_get_bool(r, "isError", false));
	json_object_put(r);
	assert_int_equal(drops, 1);
}

static void a_client_that_can_ask_asks_the_user(void **state)
{
	static const char call[] = "{\"name\":\"widgets.drop\",\"arguments\":{\"widget\":\"a\"}}";
	struct world *w = world_of(OP_DESTROY);
	struct error err = ERROR_INIT;
	CLEANUP(freep) char *again = NULL;
	struct json_object *r;
	int code;

	(void)state;
	open_legacy(w, "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"elicitation\":{}}}", "2025-06-18");
	assert_int_equal(json_parse(STR("{\"action\":\"decline\"}"), 100, &w->reply, &err), 0);
	json_object_put(run(w, "tools/call", call, &code));
	assert_int_equal(drops, 0);
	json_object_put(w->reply);
	assert_int_equal(json_parse(STR("{\"action\":\"accept\",\"content\":{\"confirm\":true}}"), 100, &w->reply, &err), 0);
	json_object_put(run(w, "tools/call", call, &code));
	assert_int_equal(drops, 1);
	/* 2026-07-28: by a result, and the same call with what the user said. */
	r = run(w, "tools/call",
		"{\"name\":\"widgets.drop\",\"arguments\":{\"widget\":\"a\"}," MODERN_META("{\"elicitation\":{\"form\":{}}}") "}",
		&code);
	assert_string_equal(json_get_string(r, "resultType"), "input_required");
	assert_string_equal(json_get_string(r, "inputRequests.confirm.method"), "elicitation/create");
	again = str_format("{\"name\":\"widgets.drop\",\"arguments\":{\"widget\":\"a\"},\"requestState\":\"%s\",\"inputResponses\":"
			   "{\"confirm\":{\"action\":\"accept\",\"content\":{\"confirm\":true}}},"
			   MODERN_META("{\"elicitation\":{\"form\":{}}}") "}",
			   json_get_string(r, "requestState"));
	json_object_put(r);
	assert_int_equal(drops, 1);
	json_object_put(run(w, "tools/call", again, &code));
	assert_int_equal(drops, 2);
	json_object_put(world_of(OP_READ)->reply);
}

static void capabilities_come_from_the_tables(void **state)
{
	CLEANUP(json_putp) struct json_object *result = NULL;
	struct op_call call = {.context = NULL};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(op_run(op_find("capabilities"), &call, &result, &err), 0);
	assert_non_null(json_get_array(result, "items")); /* the rows here are of no cloud */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_added_to_the_table_is_in_every_surface),
		cmocka_unit_test(completion_offers_options_choices_and_live_names_that_are_safe),
		cmocka_unit_test(only_what_is_allowed_is_listed_and_called),
		cmocka_unit_test(the_era_is_chosen_by_how_the_client_opens),
		cmocka_unit_test(bad_values_and_failures_are_results),
		cmocka_unit_test(what_destroys_needs_the_token_of_a_plan_of_the_same_arguments),
		cmocka_unit_test(a_client_that_can_ask_asks_the_user),
		cmocka_unit_test(capabilities_come_from_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
