#include "fixture.h"
#include "backends/base/fileio.h"
#include <stdio.h>
#include <sys/mman.h>

/* The tests' servers are here, whatever the environment says of proxies. */
static void forget_proxies(void)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
					     "all_proxy",  "ALL_PROXY",	  "no_proxy",
					     "NO_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unsetenv(names[i]);
}

void fixture_begin(struct fixture *f, const struct step *steps, size_t count)
{
	const struct http_engine_options options = {
		.connect_timeout_ms = 5000,
		.stall_timeout_ms = 5000,
		.max_attempts = 3,
		.max_connections_per_host = 8,
	};

	forget_proxies();
	*f = (struct fixture){ .request = HTTP_REQUEST_INIT,
			       .response = HTTP_RESPONSE_INIT,
			       .body = BUF_INIT(1 << 20) };
	f->server = server_start(steps, count);
	assert_int_equal(http_engine_new(&options, &f->engine, &f->err), 0);
	assert_int_equal(http_request_set_base(&f->request, server_url(f->server), &f->err), 0);
	free(f->request.path);
	f->request.path = strdup("/x");
	f->request.is_idempotent = true;
	f->request.store = "test";
	f->request.operation = "Get";
	f->request.sink.kind = HTTP_SINK_BUF;
	f->request.sink.buf = &f->body;
}

void fixture_end(struct fixture *f)
{
	http_engine_free(f->engine);
	server_stop(f->server);
	http_request_release(&f->request);
	http_response_release(&f->response);
	buf_release(&f->body);
}

int fixture_perform(struct fixture *f)
{
	f->err = ERROR_INIT;
	int r = http_perform(f->engine, &f->request, &f->response, &f->err);

	assert_int_equal(r < 0, f->err.kind != ERR_NONE);
	return r;
}

void fixture_expect_hello(struct fixture *f)
{
	int r = fixture_perform(f);

	if (r < 0)
		print_error("%s: %s\n", error_name(f->err.kind), f->err.message);
	assert_int_equal(r, 0);
	assert_int_equal(f->response.status, 200);
	assert_string_equal(buf_cstr(&f->body), "hello");
	assert_int_equal(f->response.body_length, 5);
}

int make_file(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	if (len > 0)
		assert_int_equal(fileio_pwrite_all(fd, data, len, 0), 0);
	return fd;
}

int64_t count_of(const char *name, const char *operation)
{
	char labels[96];

	(void)snprintf(labels, sizeof(labels), "store=\"test\",operation=\"%s\"", operation);
	return metric_value(metric_get(METRIC_COUNTER, name, labels));
}
