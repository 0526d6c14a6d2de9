#include "service_fixture.h"

static int find_service(struct cloud_call *call, const char *name, const struct service **ret, struct error *err)
{
	struct cloud_fixture *f = container_of(call->cloud, struct cloud_fixture, cloud);

	if (strcmp(name, "main") != 0)
		return error_set(err, ERR_UNSUPPORTED, "no such service");
	*ret = &f->service;
	return 0;
}

static int find_variable(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	(void)call;
	if (strcmp(name, "project") != 0)
		return error_set(err, ERR_INVALID, "'%s' is not known", name);
	*ret = strdup("p 1");
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static const struct cloud_driver driver = { .type = "test", .service = find_service, .variable = find_variable };

void cloud_fixture_begin(struct cloud_fixture *f, const struct step *steps, size_t count, const char *params)
{
	const struct http_engine_options options = { .max_attempts = 2, .stall_timeout_ms = 5000 };

	(void)unsetenv("http_proxy");
	*f = (struct cloud_fixture){ .cloud = { .driver = &driver }, .call = CLOUD_CALL_INIT };
	f->server = server_start(steps, count);
	assert_int_equal(http_engine_new(&options, &f->engine, &f->err), 0);
	f->service = (struct service){ .engine = f->engine, .label = "test-main", .base_url = server_url(f->server) };
	f->call.cloud = &f->cloud;
	f->call.operation = "things.do";
	f->call.params = json_tokener_parse(params);
	assert_non_null(f->call.params);
}

void cloud_fixture_end(struct cloud_fixture *f)
{
	json_object_put(f->result);
	json_object_put(f->call.params);
	json_object_put(f->call.plan);
	http_engine_free(f->engine);
	server_stop(f->server);
}

int cloud_fixture_run(struct cloud_fixture *f, const struct rest_row *row)
{
	int r;

	f->err = ERROR_INIT;
	json_object_put(f->result);
	f->result = NULL;
	r = rest_run(&f->call, row, &f->result, &f->err);
	if (r < 0)
		print_message("%s\n", f->err.message);
	assert_int_equal(r < 0, f->err.kind != ERR_NONE);
	return r;
}
