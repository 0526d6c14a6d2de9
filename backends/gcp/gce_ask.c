/*
 * Exchanges with Compute Engine. What changes something begins an operation, whose errors come only at its end: so it is
 * always polled until it is DONE.
 *
 * Source: cloud.google.com/compute/docs/api/how-tos/api-requests-responses (operations, requestId; read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

#define POLL_FIRST_MS 200
#define POLL_MOST_MS  3000

const char *gce_tail(const char *url)
{
	const char *slash = url ? strrchr(url, '/') : NULL;

	return slash ? slash + 1 : url;
}

int gce_path(struct cloud_call *call, const char *project, const char *const *pieces, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(8192);
	int r = project ? 0 : gcp_project(gcp_of(call), &project, err);

	if (r < 0)
		return r;
	r = buf_adds(&path, "/projects");
	if (r == 0)
		r = service_path_add(&path, project);
	for (; r == 0 && *pieces; pieces++) {
		if (!**pieces || !strcmp(*pieces, ".") || !strcmp(*pieces, ".."))
			return error_set(err, ERR_INVALID, "'%s' is no name", *pieces);
		r = service_path_add(&path, *pieces);
	}
	if (r < 0)
		return error_set(err, ERR_TOO_LARGE, "a name is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

int gce_ask(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	    struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	char token[CLOUD_TOKEN_LEN + 1];
	int r = 0;

	request.method = method;
	request.path = path;
	request.json = body;
	if (method != HTTP_GET) {
		cloud_token(token);
		request.is_idempotent = true;
		r = http_query_add(&request.query, "requestId", token, err);
	}
	if (r == 0)
		r = service_json(call, gcp_service_of(call, GCP_COMPUTE), &request, &answer, err);
	if (r == 0 && ret)
		*ret = steal(answer);
	return r;
}

static int operation_error(struct json_object *operation, struct error *err)
{
	const char *code = json_get_string(operation, "error.errors.0.code");

	if (!json_get(operation, "error"))
		return 0;
	return service_fault(code, json_get_string(operation, "error.errors.0.message"), err);
}

/* Where an operation is asked for: in its zone, its region, or for the whole project. */
static int operation_path(struct cloud_call *call, struct json_object *operation, char **ret, struct error *err)
{
	const char *zone = gce_tail(json_get_string(operation, "zone"));
	const char *region = gce_tail(json_get_string(operation, "region"));
	const char *name = json_get_string(operation, "name");
	const char *in_zone[] = { "zones", zone, "operations", name, NULL };
	const char *in_region[] = { "regions", region, "operations", name, NULL };
	const char *global[] = { "global", "operations", name, NULL };

	if (!name)
		return error_set(err, ERR_PROTOCOL, "Compute Engine answers without an operation");
	return gce_path(call, NULL, zone ? in_zone : region ? in_region : global, ret, err);
}

/* *operation is what began it, and at the end what it came to. */
static int wait_for(struct cloud_call *call, struct json_object **operation, struct error *err)
{
	CLEANUP(freep) char *at = NULL;
	uint64_t pause_ms = POLL_FIRST_MS;
	int r = operation_path(call, *operation, &at, err);

	while (r == 0) {
		const char *status = json_get_string(*operation, "status");

		if (status && !strcmp(status, "DONE"))
			return operation_error(*operation, err);
		cloud_progress(call, "%s: %s, %lld%%", call->operation, status ? status : "?",
			       (long long)json_get_int64(*operation, "progress", 0));
		r = cloud_sleep(call, pause_ms, err);
		pause_ms = pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS;
		json_object_put(*operation);
		*operation = NULL;
		if (r == 0)
			r = gce_ask(call, HTTP_GET, at, NULL, operation, err);
	}
	return r;
}

int gce_settle(struct cloud_call *call, const struct service *service, struct service_answer *answer, struct error *err)
{
	(void)service; /* only Compute Engine's rows are later */
	return wait_for(call, &answer->json, err);
}

int gce_change(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	       struct error *err)
{
	CLEANUP(json_putp) struct json_object *operation = NULL;
	int r = gce_ask(call, method, path, body, &operation, err);

	return r < 0 ? r : wait_for(call, &operation, err);
}

int gce_pages(struct cloud_call *call, const char *path, const char *filter, rest_each_fn *each, void *arg,
	      struct error *err)
{
	static const struct rest_page page = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "maxResults", 500 };
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	int r = filter ? http_query_add(&request.query, "filter", filter, err) : 0;

	request.path = path;
	return r < 0 ? r : rest_pages(call, gcp_service_of(call, GCP_COMPUTE), &request, "items", &page, each, arg, err);
}
