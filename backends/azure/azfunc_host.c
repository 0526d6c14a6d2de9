/*
 * The hosts of a function application: its deployment service, itself, and Application Insights. azfunc.c names the sources.
 */
#include "backends/azure/azfunc.h"

#include "backends/auth/oauth.h"
#include "backends/http/url.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define RUN_LIMIT_MS	 (UINT64_C(11) * 60 * 1000) /* a consumption plan ends a call after ten minutes */
#define POLL_FIRST_MS	 500
#define POLL_MOST_MS	 5000

/* Credentials go to no other hosts than the service's own. */
static bool is_own_host(const char *host)
{
	static const char *const ends[] = { ".azurewebsites.net", ".azurewebsites.us", ".chinacloudsites.cn" };
	size_t len = host ? strlen(host) : 0;

	if (!len || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (len > strlen(ends[i]) && !strcasecmp(host + len - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

/* The service at a host; *base: its address, which it borrows. signer: NULL for none. */
static int service_at(struct cloud_call *call, const char *host, struct signer *signer, char **base, struct service *ret,
		      struct error *err)
{
	struct azure_cloud *a = azure_cloud_of(call);

	if (!is_own_host(host))
		return error_set(err, ERR_PROTOCOL, "the application is said to be at '%.100s', which is no host of the service",
				 host ? host : "");
	*base = a->functions_url ? str_format("%s/%s", a->functions_url, host) : str_format("https://%s", host);
	if (!*base)
		return error_no_memory(err);
	*ret = (struct service){ .engine = a->engine, .label = "azure-functions", .base_url = *base, .signer = signer,
				 .ratelimit = &a->ratelimit };
	return 0;
}

/* ---- code ---- */

static const char *deployment_host(struct json_object *app)
{
	struct json_object *states = json_get_array(app, "properties.hostNameSslStates");

	for (size_t i = 0; states && i < json_object_array_length(states); i++) {
		struct json_object *one = json_object_array_get_idx(states, i);
		const char *type = json_get_string(one, "hostType");

		if (type && !strcasecmp(type, "Repository"))
			return json_get_string(one, "name");
	}
	return NULL;
}

/* 1: done, 0: not yet. Kudu: 3 has failed, 4 is done. */
static int judge(struct json_object *deployment, struct error *err)
{
	int64_t status = json_get_int64(deployment, "status", -1);
	const char *text = json_get_string(deployment, "status_text"), *message = json_get_string(deployment, "message");

	if (status == 3)
		return error_set(err, ERR_FAILED, "the code could not be deployed: %.180s",
				 text && *text ? text : message && *message ? message : "the service does not say why");
	return status == 4;
}

static int wait_for(struct cloud_call *call, const struct service *service, struct error *err)
{
	uint64_t pause_ms = POLL_FIRST_MS;
	int r = 0;

	while (r == 0) {
		CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
		CLEANUP(json_putp) struct json_object *deployment = NULL;

		cloud_progress(call, "%s: the code is deployed", call->operation);
		r = cloud_sleep(call, pause_ms, err);
		pause_ms = pause_ms * 3 / 2 < POLL_MOST_MS ? pause_ms * 3 / 2 : POLL_MOST_MS;
		q.path = "/api/deployments/latest";
		if (r == 0)
			r = service_json(call, service, &q, &deployment, err);
		if (r == 0)
			r = judge(deployment, err);
	}
	return r < 0 ? r : 0;
}

int azfunc_deploy(struct cloud_call *call, struct json_object *app, const struct buf *zip, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	CLEANUP(freep) char *base = NULL;
	struct service service;
	int r = service_at(call, deployment_host(app), azure_cloud_of(call)->signer, &base, &service, err);

	if (r == 0)
		r = http_query_add(&q.query, "isAsync", "true", err);
	if (r < 0)
		return r;
	q.method = HTTP_POST;
	q.path = "/api/zipdeploy";
	q.content_type = "application/zip";
	q.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(zip), .fd = -1 };
	r = service_call(call, &service, &q, &answer, err);
	return r < 0 ? r : wait_for(call, &service, err);
}

/* ---- calls ---- */

/* "/api/hello" of "https://HOST/api/hello"; a heap string. */
static int call_path(struct json_object *function, const char *host, char **ret, struct error *err)
{
	const char *address = json_get_string(function, "properties.invoke_url_template"), *name = json_get_string(function, "name");
	struct url url;

	if (!address || !*address)
		return error_set(err, ERR_UNSUPPORTED, "'%.100s' is not called by HTTP", name ? name : "it");
	if (url_parse(str_of(address), &url, err) < 0 || !str_equal_nocase(url.host, str_of(host)))
		return error_set(err, ERR_PROTOCOL, "the function is said to be at another host than its application");
	if (memchr(url.path.ptr, '{', url.path.len))
		return error_set(err, ERR_UNSUPPORTED, "the address of '%.100s' has parts to be filled in", name ? name : "it");
	*ret = str_dup(url.path);
	return *ret ? 0 : error_no_memory(err);
}

int azfunc_invoke(struct cloud_call *call, struct json_object *app, struct json_object *function, const char *key,
		  struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(service_answer_release) struct service_answer answer = SERVICE_ANSWER_INIT;
	CLEANUP(buf_release) struct buf body = BUF_INIT(ANSWER_BYTES_MAX);
	CLEANUP(freep) char *base = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *host = json_get_string(app, "properties.defaultHostName");
	struct json_object *payload = cloud_param_json(call, "payload");
	struct service service;
	int r = service_at(call, host, NULL, &base, &service, err);

	if (r == 0)
		r = call_path(function, host, &path, err);
	if (r == 0 && key)
		r = http_fields_add(&q.headers, "x-functions-key", key, err);
	if (r < 0)
		return r;
	service.refine = function_refine;
	q.json = payload ? json_object_get(payload) : json_object_new_object();
	q.method = HTTP_POST;
	q.path = path;
	q.stall_timeout_ms = RUN_LIMIT_MS;
	q.sink = (struct http_sink){ .kind = HTTP_SINK_BUF, .buf = &body, .fd = -1 };
	r = q.json ? service_call(call, &service, &q, &answer, err) : error_no_memory(err);
	if (r < 0 && err->kind == ERR_FAILED)
		return error_prefix(err, r, "the function failed (%d)", err->http_status);
	return r < 0 ? r : function_answered(call, &(struct function_answer){ .function = json_get_string(function, "name"),
									      .http_status = answer.status,
									      .body = buf_str(&body) },
					     ret, err);
}

/* ---- logs ---- */

/* "ApplicationId=..." of "InstrumentationKey=...;ApplicationId=..."; a heap string or NULL. */
static char *application_id(const char *connection)
{
	struct str rest = str_of(connection ? connection : ""), part;

	while ((part = str_split(&rest, ';')).ptr) {
		struct str value = part, name = str_split(&value, '=');

		if (value.ptr && value.len && str_equal_nocase(str_trim(name), STR("ApplicationId")))
			return str_dup(str_trim(value));
	}
	return NULL;
}

static bool is_uuid(const char *text)
{
	return strlen(text) == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36;
}

static const struct record_source log_map[] = {
	{ "time", "0", NULL, NULL }, { "level", "1", NULL, NULL }, { "message", "2", NULL, NULL }, { "stream", "3", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* The words of the levels, as .NET and the portal have them. */
static struct json_object *make_query(struct cloud_call *call, const char *name, struct error *err)
{
	CLEANUP(freep) char *text = NULL;
	struct json_object *o = json_object_new_object();

	text = str_format("union traces, exceptions | where timestamp >= unixtime_milliseconds_todatetime(%lld) and cloud_RoleName =~ '%s' | "
			  "project timestamp, level=case(severityLevel==0,'verbose',severityLevel==1,'information',severityLevel==2,'warning',"
			  "severityLevel==3,'error',severityLevel==4,'critical',''), text=iff(isempty(message),outerMessage,message), "
			  "cloud_RoleInstance | order by timestamp asc",
			  (long long)function_since_ms(call), name);
	if (!o || !text || json_object_object_add(o, "query", json_object_new_string(text)) != 0) {
		json_object_put(o);
		(void)error_no_memory(err);
		return NULL;
	}
	return o;
}

static int read_rows(struct cloud_call *call, struct json_object *answer, struct json_object **ret, struct error *err)
{
	struct json_object *rows = json_get_array(answer, "tables.0.rows");
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	int r = list ? 0 : error_no_memory(err);

	if (json_get(answer, "error"))
		return service_fault(json_get_string(answer, "error.code"), json_get_string(answer, "error.message"), err);
	for (size_t i = 0; rows && r == 0 && i < json_object_array_length(rows); i++)
		r = cloud_list_add(call, log_map, json_object_array_get_idx(rows, i), &list, err);
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

int azfunc_logs(struct cloud_call *call, struct json_object *app, const char *connection, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *id = application_id(connection);
	CLEANUP(freep) char *path = id ? str_format("/v1/apps/%s/query", id) : NULL;
	struct azure_cloud *a = azure_cloud_of(call);
	struct service service = { .engine = a->engine, .label = "azure-insights", .base_url = a->insights_url,
				   .signer = a->insights_signer, .ratelimit = &a->ratelimit };
	const char *name = json_get_string(app, "name");
	int r;

	if (!connection || !id)
		return error_set(err, ERR_CONFIG, "the application keeps no log that can be asked for: %s",
				 connection ? "its APPLICATIONINSIGHTS_CONNECTION_STRING has no ApplicationId" :
					      "it has no setting APPLICATIONINSIGHTS_CONNECTION_STRING");
	if (!is_uuid(id) || !name || strpbrk(name, "'\\"))
		return error_set(err, ERR_PROTOCOL, "the application's settings make no sense");
	q.json = make_query(call, name, err);
	if (!q.json || !path)
		return error_no_memory(err);
	q.method = HTTP_POST;
	q.is_read = true;
	q.path = path;
	r = service_json(call, &service, &q, &answer, err);
	return r < 0 ? r : read_rows(call, answer, ret, err);
}
