/*
 * Exchanges with Azure Resource Manager. What changes something is often done later: the answer says where to ask
 * (Azure-AsyncOperation: a document with a status; else Location: 202 until it is done) and how long to wait before.
 * Both are followed on the service's own host only: the token goes nowhere else.
 */
#include "backends/azure/cloud_azure.h"

#include "backends/http/url.h"

#include <strings.h>

#define POLL_FIRST_MS 500
#define POLL_MOST_MS  10000

int arm_group(struct cloud_call *call, const char **ret, struct error *err)
{
	*ret = azure_cloud_of(call)->group;
	return *ret ? 0 : error_set(err, ERR_CONFIG, "no resource group is set (resource-group in the section, or "
						     "AZURE_DEFAULTS_GROUP)");
}

int arm_location(struct cloud_call *call, const char **ret, struct error *err)
{
	*ret = azure_cloud_of(call)->base.region;
	return *ret ? 0 : error_set(err, ERR_CONFIG, "no location is set (--region, location in the section, or "
						     "AZURE_DEFAULTS_LOCATION)");
}

static int add_piece(struct buf *path, const char *piece, struct error *err)
{
	if (!*piece || !strcmp(piece, ".") || !strcmp(piece, ".."))
		return error_set(err, ERR_INVALID, "'%s' is no name", piece);
	return service_path_add(path, piece) < 0 ? error_set(err, ERR_TOO_LARGE, "a name is too long") : 0;
}

static int finish(struct buf *path, int r, char **ret, struct error *err)
{
	if (r < 0)
		return r;
	*ret = buf_detach(path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

int arm_path(struct cloud_call *call, const char *group, const char *const *pieces, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(8192);
	const char *subscription = azure_cloud_of(call)->subscription;
	int r;

	if (!subscription)
		return error_set(err, ERR_CONFIG, "no subscription is set (subscription-id in the section, "
						  "AZURE_SUBSCRIPTION_ID, or `az account set`)");
	r = add_piece(&path, "subscriptions", err);
	if (r == 0)
		r = add_piece(&path, subscription, err);
	if (r == 0 && group)
		r = add_piece(&path, "resourceGroups", err);
	if (r == 0 && group)
		r = add_piece(&path, group, err);
	for (; r == 0 && *pieces; pieces++)
		r = add_piece(&path, *pieces, err);
	return finish(&path, r, ret, err);
}

int arm_id_path(const char *id, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(8192);
	struct str rest = str_of(id + (*id == '/')), piece;
	int r = 0;

	while (r == 0 && rest.ptr && (piece = str_split(&rest, '/')).ptr) {
		CLEANUP(freep) char *text = str_dup(piece);

		r = text ? add_piece(&path, text, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return finish(&path, r, ret, err);
}

char *arm_id_piece(const char *id, const char *name)
{
	struct str rest = str_of(id ? id : ""), piece;
	bool is_next = false;

	while (rest.ptr && (piece = str_split(&rest, '/')).ptr) {
		if (is_next)
			return str_dup(piece);
		is_next = str_equal_nocase(piece, str_of(name));
	}
	return NULL;
}

static int add_query(struct service_request *q, const char *name, const char *value, struct error *err)
{
	return name && value ? http_query_add(&q->query, name, value, err) : 0;
}

int arm_get(struct cloud_call *call, const char *path, const char *api, const char *expand, struct json_object **ret,
	    struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	int r = add_query(&q, "api-version", api, err);

	if (r == 0)
		r = add_query(&q, "$expand", expand, err);
	q.path = path;
	return r < 0 ? r : service_json(call, &azure_cloud_of(call)->service, &q, ret, err);
}

int arm_pages(struct cloud_call *call, const char *path, const char *api, const char *name, const char *value,
	      rest_each_fn *each, void *arg, struct error *err)
{
	static const struct rest_page page = { REST_PAGE_URL, REST_QUERY, NULL, "nextLink", NULL, 0 };
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	int r = add_query(&q, "api-version", api, err);

	if (r == 0)
		r = add_query(&q, name, value, err);
	q.path = path;
	return r < 0 ? r : rest_pages(call, &azure_cloud_of(call)->service, &q, "value", &page, each, arg, err);
}

/* ---- what is done later ---- */

static int add_link_query(struct service_request *q, struct str query, struct error *err)
{
	struct str pair;
	int r = 0;

	while (r == 0 && query.ptr && (pair = str_split(&query, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(8192);
		CLEANUP(buf_release) struct buf value = BUF_INIT(8192);
		struct str rest = pair, left = str_split(&rest, '=');

		if (!pair.len)
			continue;
		if (url_decode(left, &name) < 0 || (rest.ptr && url_decode(rest, &value) < 0))
			return error_set(err, ERR_PROTOCOL, "the address of an operation is broken");
		r = http_query_add(&q->query, buf_cstr(&name), buf_cstr(&value), err);
	}
	return r;
}

/* One look at an operation by the address that the service gave. */
static int look(struct cloud_call *call, const char *link, struct service_answer *ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL;
	struct url own, url;
	int r = url_parse(str_of(azure_cloud_of(call)->url), &own, err);

	if (r == 0)
		r = url_parse(str_of(link), &url, err);
	if (r < 0)
		return error_prefix(err, r, "the address of an operation");
	if (!str_equal_nocase(own.host, url.host) || !str_equal(own.port, url.port) ||
	    !str_equal_nocase(own.scheme, url.scheme))
		return error_set(err, ERR_PROTOCOL, "an operation is said to be at another host ('%.*s')",
				 (int)(url.host.len < 64 ? url.host.len : 64), url.host.ptr);
	path = str_dup(url.path);
	if (!path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	q.path = path;
	r = add_link_query(&q, url.query, err);
	return r < 0 ? r : service_call(call, &azure_cloud_of(call)->service, &q, ret, err);
}

/* 1: done; 0: not yet. */
static int judge(const struct service_answer *a, bool has_status, struct error *err)
{
	const char *status = json_get_string(a->json, "status");

	if (!has_status)
		return a->status != 202;
	if (!status)
		return error_set(err, ERR_PROTOCOL, "an operation has no status");
	if (!strcasecmp(status, "Succeeded"))
		return 1;
	if (!strcasecmp(status, "Failed") || !strcasecmp(status, "Canceled"))
		return service_fault(json_get_string(a->json, "error.code"), json_get_string(a->json, "error.message"), err);
	return 0;
}

static uint64_t pause_of(const struct service_answer *a, uint64_t fallback_ms)
{
	const char *text = http_fields_get(&a->headers, "Retry-After");
	uint64_t seconds;

	if (!text || str_to_u64(str_of(text), &seconds) < 0)
		return fallback_ms;
	return seconds < POLL_MOST_MS / 1000 ? seconds * 1000 : POLL_MOST_MS;
}

/* *answer: the first one, which may say where to ask; at the end what was answered last, where it is a result. */
static int wait_for(struct cloud_call *call, struct service_answer *answer, struct json_object **ret, struct error *err)
{
	const char *status_link = http_fields_get(&answer->headers, "Azure-AsyncOperation");
	const char *location = http_fields_get(&answer->headers, "Location");
	CLEANUP(freep) char *link = status_link ? strdup(status_link) : location ? strdup(location) : NULL;
	uint64_t pause_ms = POLL_FIRST_MS;
	int r = 0;

	if (!status_link && answer->status != 202) { /* done already */
		if (ret)
			*ret = steal(answer->json);
		return 0;
	}
	if (!link)
		return error_set(err, ERR_PROTOCOL, "an operation has no address");
	pause_ms = pause_of(answer, pause_ms);
	while (r == 0) {
		cloud_progress(call, "%s: under way", call->operation);
		r = cloud_sleep(call, pause_ms, err);
		service_answer_release(answer);
		*answer = SERVICE_ANSWER_INIT;
		if (r == 0)
			r = look(call, link, answer, err);
		if (r == 0)
			r = judge(answer, status_link != NULL, err);
		pause_ms = pause_of(answer, pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS);
	}
	if (r > 0 && ret && !status_link)
		*ret = steal(answer->json);
	return r < 0 ? r : 0;
}

int arm_settle(struct cloud_call *call, const struct service *service, struct service_answer *answer, struct error *err)
{
	(void)service; /* operations have addresses of their own */
	return wait_for(call, answer, NULL, err);
}

int arm_change(struct cloud_call *call, const struct arm_change *change, struct json_object *body,
	       struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	int r = add_query(&q, "api-version", change->api, err);

	q.json = body;
	q.method = change->method;
	q.path = change->path;
	if (r == 0)
		r = add_query(&q, change->query_name, change->query_value, err);
	if (r == 0 && change->is_new)
		r = http_fields_add(&q.headers, "If-None-Match", "*", err);
	if (r == 0)
		r = service_call(call, &azure_cloud_of(call)->service, &q, &answer, err);
	if (r < 0 && change->is_new && err->http_status == 412)
		return error_set(err, ERR_EXISTS, "it exists already (or was just made by a call whose answer was lost)");
	return r < 0 ? r : wait_for(call, &answer, ret, err);
}
