/*
 * Functions by Azure: an application holds several; it is what is made, given code and deleted, and one of its functions is what is
 * called. Code goes to the application's own deployment service (Kudu), calls to its own host with its host key, logs come from
 * Application Insights where the application writes there.
 *
 * Tokens and keys go to hosts of the service only: what Resource Manager says is the application's host must be one.
 *
 * Source: learn.microsoft.com/rest/api/appservice/web-apps (2023-12-01), /rest/api/storagerp (2023-05-01),
 * github.com/projectkudu/kudu/wiki/Deploying-from-a-zip-file, learn.microsoft.com/azure/azure-functions/functions-app-settings,
 * /rest/api/application-insights/query (read 2026-11).
 */
#include "backends/azure/azfunc.h"

#include <strings.h>

#define SITES	     "Microsoft.Web/sites"
#define STORES	     "Microsoft.Storage/storageAccounts"
#define PLANS	     "Microsoft.Web/serverfarms"
#define SETTINGS_MAX 4096

static struct json_object *make_status(struct json_object *app)
{
	const char *state = json_get_string(app, "properties.state");

	return json_object_new_string(!state ? "unknown" : !strcasecmp(state, "Running") ? "active" :
				      !strcasecmp(state, "Stopped") ? "inactive" : "unknown");
}

static struct json_object *make_url(struct json_object *host)
{
	CLEANUP(freep) char *url = str_format("https://%s", json_object_get_string(host));

	return url ? json_object_new_string(url) : NULL;
}

static const struct record_source function_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "", NULL, make_status },
	{ "provider_status", "properties.state", NULL, NULL },
	{ "runtime", "properties.siteConfig.linuxFxVersion", NULL, NULL },
	{ "url", "properties.defaultHostName", NULL, make_url },
	{ "functions", "_functions", NULL, NULL },
	{ "updated", "properties.lastModifiedTimeUtc", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

ARM_LIST(list_sites, "sites", ARM_ALL SITES, "value", NULL);
ARM_KIND(an_app, "function application", list_sites, "/" SITES "/");
static const struct rest_name of_app[] = { { "function", &an_app }, { NULL, NULL } };
ARM_GET(get_app, "sites", "{+function}", NULL, of_app);
ARM_GET(get_named, "sites", ARM_PLACE SITES "/{name}", NULL, NULL);
ARM_LIST(list_inner, "sites", "{+function}/functions", "value", NULL);
static const struct rest_field gone_fields[] = { { "_with_plan", "deleteEmptyServerFarm", REST_QUERY }, { .place = NULL } };
ARM_CHANGE(delete_app, "sites", HTTP_DELETE, "{+function}", gone_fields, NULL);
ARM_LIST(list_stores, "storage", ARM_ALL STORES, "value", NULL);
ARM_KIND(a_store, "storage account", list_stores, "/" STORES "/");
/* What only shows secrets is sent in a dry run too, where it is needed there: it is not. */
static const struct rest_row list_store_keys = { .service = "storage", .method = HTTP_POST, .path = "{+_store}/listKeys", .item = "",
	.is_read = true };
static const struct rest_row list_app_keys = { .service = "sites", .method = HTTP_POST, .path = "{+function}/host/default/listKeys",
	.item = "", .is_read = true };
static const struct rest_row list_settings = { .service = "sites", .method = HTTP_POST, .path = "{+function}/config/appsettings/list",
	.item = "", .is_read = true };
static const struct rest_field plan_fields[] = {
	{ "@location", "location", REST_BODY },
	{ NULL, "kind", REST_BODY, "\"functionapp\"" },
	{ NULL, "sku.name", REST_BODY, "\"Y1\"" },
	{ NULL, "sku.tier", REST_BODY, "\"Dynamic\"" },
	{ NULL, "properties.reserved", REST_BODY, "true" },
	{ .place = NULL },
};
static const struct rest_row create_plan = { .service = "sites", .method = HTTP_PUT, .path = ARM_PLACE PLANS "/{name}-plan",
	.fields = plan_fields, .item = "", .is_later = true };
static const struct rest_field new_fields[] = {
	{ "@location", "location", REST_BODY },
	{ NULL, "kind", REST_BODY, "\"functionapp,linux\"" },
	{ "_plan", "properties.serverFarmId", REST_BODY },
	{ NULL, "properties.reserved", REST_BODY, "true" },
	{ NULL, "properties.httpsOnly", REST_BODY, "true" },
	{ "_version", "properties.siteConfig.linuxFxVersion", REST_BODY },
	{ NULL, "properties.siteConfig.minTlsVersion", REST_BODY, "\"1.2\"" },
	{ NULL, "properties.siteConfig.ftpsState", REST_BODY, "\"Disabled\"" },
	{ "_settings", "properties.siteConfig.appSettings", REST_BODY },
	{ "tag", "tags", REST_BODY },
	{ "code", "", REST_NOWHERE, .is_needed = true },
	{ "plan", "", REST_NOWHERE },
	{ "env", "", REST_NOWHERE },
	{ "secrets", "", REST_NOWHERE },
	{ "runtime", "", REST_NOWHERE, .is_needed = true },
	{ "storage", "", REST_NOWHERE, .is_needed = true },
	{ .place = NULL },
};
ARM_CHANGE(create_app, "sites", HTTP_PUT, ARM_PLACE SITES "/{name}", new_fields, NULL);

static int not_supported(const struct cloud_call *call, const char *param, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED, "%s: parameter '%s' is not supported by %s", call->operation, param,
			 call->cloud->driver->type);
}

static bool is_function_app(struct json_object *site)
{
	const char *kind = json_get_string(site, "kind");

	return kind && strcasestr(kind, "functionapp");
}

/* ---- what there is ---- */

static int take_app(struct cloud_call *call, struct json_object *item, struct json_object **list, struct error *err)
{
	return is_function_app(item) ? cloud_list_add(call, function_map, item, list, err) : 0;
}

static int functions_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return rest_list(call, &list_sites, take_app, ret, err);
}

/* The application that the call names; a site of another kind is none. */
static int find_app(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	int r = rest_run_raw(call, &get_app, NULL, ret, err);

	if (r == 0 && (!is_function_app(*ret) || !json_get_string(*ret, "id"))) {
		json_object_put(*ret);
		*ret = NULL;
		return error_set(err, ERR_NOT_FOUND, "'%.200s' is no function application", cloud_param(call, "function"));
	}
	return r;
}

static int show(struct cloud_call *call, struct json_object *app, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *inner = NULL;
	struct json_object *names = json_object_new_array();
	int r = rest_run_raw_with(call, &list_inner, "function", json_get_string(app, "id"), &inner, err);

	for (size_t i = 0; r == 0 && names && i < json_object_array_length(inner); i++) {
		const char *name = json_get_string(json_object_array_get_idx(inner, i), "name"), *slash = name ? strrchr(name, '/') : NULL;

		if (name)
			json_object_array_add(names, json_object_new_string(slash ? slash + 1 : name));
	}
	if (!names || json_object_object_add(app, "_functions", names) != 0)
		return error_no_memory(err);
	return r < 0 ? r : cloud_record(call, function_map, app, ret, err);
}

static int functions_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *app = NULL;
	int r = find_app(call, &app, err);

	return r < 0 ? r : show(call, app, ret, err);
}

/* A consumption plan that was made with it goes with it; any other stays. */
static int functions_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *app = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(freep) char *own = NULL;
	struct json_object *before = call->params;
	const char *plan, *slash;
	int r = find_app(call, &app, err);

	if (r < 0)
		return r;
	plan = json_get_string(app, "properties.serverFarmId");
	slash = plan ? strrchr(plan, '/') : NULL;
	own = str_format("%s-plan", json_get_string(app, "name") ? json_get_string(app, "name") : "");
	if (!own || json_object_deep_copy(before, &params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(params, "function", json_object_new_string(json_get_string(app, "id")));
	json_object_object_add(params, "_with_plan", json_object_new_string(slash && !strcasecmp(slash + 1, own) ? "true" : "false"));
	call->params = params;
	r = rest_run(call, &delete_app, ret, err);
	call->params = before;
	return r;
}

/* ---- making one ---- */

/* "python|3.12", "python:3.12", "python-3.12": the worker, and what Azure calls the whole. */
static int split_runtime(const char *given, char **ret_worker, char **ret_version, struct error *err)
{
	size_t len = strcspn(given, "|:-");

	if (!len || !given[len] || !given[len + 1])
		return error_set(err, ERR_INVALID, "parameter 'runtime' must be like python|3.12 on Azure, not '%.40s'", given);
	*ret_worker = str_dup((struct str){ given, len });
	*ret_version = str_format("%.*s|%s", (int)len, given, given + len + 1);
	for (char *c = *ret_worker; c && *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	return *ret_worker && *ret_version ? 0 : error_no_memory(err);
}

static int add_setting(struct json_object *list, const char *name, const char *value, struct error *err)
{
	struct json_object *one = json_object_new_object();

	if (!one || json_object_object_add(one, "name", json_object_new_string(name)) != 0 ||
	    json_object_object_add(one, "value", json_object_new_string(value)) != 0 || json_object_array_add(list, one) != 0) {
		json_object_put(one);
		return error_no_memory(err);
	}
	return 0;
}

/* How the application reaches its storage, by the account's first key. */
static int storage_setting(struct cloud_call *call, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *keys = NULL;
	CLEANUP(freep) char *id = NULL;
	const char *slash, *key;
	int r = rest_find(call, &a_store, cloud_param(call, "storage"), &id, NULL, err);

	if (r == 0)
		r = rest_run_raw_with(call, &list_store_keys, "_store", id, &keys, err);
	if (r < 0)
		return r;
	slash = strrchr(id, '/');
	key = json_get_string(keys, "keys.0.value");
	if (!key || !slash)
		return error_set(err, ERR_PROTOCOL, "the storage account has no key");
	*ret = str_format("DefaultEndpointsProtocol=https;AccountName=%s;AccountKey=%s;EndpointSuffix=core.windows.net", slash + 1, key);
	return *ret ? 0 : error_no_memory(err);
}

/* The settings of the new application; in a dry run without any value. */
static int make_settings(struct cloud_call *call, const char *worker, struct json_object *env, struct json_object **ret,
			 struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	CLEANUP(freep) char *storage = NULL;
	int r = !list ? error_no_memory(err) : call->plan ? str_copy("***", &storage, err) : storage_setting(call, &storage, err);

	if (r == 0)
		r = add_setting(list, "AzureWebJobsStorage", storage, err);
	if (r == 0)
		r = add_setting(list, "FUNCTIONS_EXTENSION_VERSION", "~4", err);
	if (r == 0)
		r = add_setting(list, "FUNCTIONS_WORKER_RUNTIME", worker, err);
	if (r == 0) /* what the code needs is installed there */
		r = add_setting(list, "SCM_DO_BUILD_DURING_DEPLOYMENT", "true", err);
	if (env) {
		json_object_object_foreach(env, name, value)
		{
			if (r == 0)
				r = add_setting(list, name, call->plan ? "***" : json_object_get_string(value), err);
		}
	}
	if (r == 0)
		*ret = steal(list);
	return r;
}

/* The consumption plan is made where none is named; *ret its identifier. */
static int find_plan(struct cloud_call *call, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *made = NULL;
	int r;

	if (cloud_param(call, "plan"))
		return str_copy(cloud_param(call, "plan"), ret, err);
	r = rest_run_raw(call, &create_plan, NULL, &made, err);
	if (r < 0 && !call->is_planned)
		return r;
	*err = ERROR_INIT; /* planned: what follows is planned too */
	return rest_path(call, ARM_PLACE PLANS "/{name}-plan", ret, err);
}

/* Whether all is there, before anything is asked. */
static int check_new(struct cloud_call *call, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	const char *stray = rest_stray_param(call, &create_app);
	CLEANUP(freep) char *worker = NULL;
	CLEANUP(freep) char *version = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = stray ? not_supported(call, stray, err) : rest_path(call, create_app.path, &path, err);

	if (r == 0)
		r = rest_fill(call, new_fields, &q, err);
	return r < 0 ? r : split_runtime(cloud_param(call, "runtime"), &worker, &version, err);
}

static int check_absent(struct cloud_call *call, struct error *err)
{
	CLEANUP(json_putp) struct json_object *there = NULL;
	struct error absent = ERROR_INIT;

	if (rest_run_raw(call, &get_named, NULL, &there, &absent) == 0)
		return error_set(err, ERR_EXISTS, "the application '%.100s' exists already", cloud_param(call, "name"));
	if (absent.kind == ERR_NOT_FOUND)
		return 0;
	*err = absent;
	return -error_errnum(absent.kind);
}

static int put_app(struct cloud_call *call, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *env = NULL;
	CLEANUP(json_putp) struct json_object *settings = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *worker = NULL;
	CLEANUP(freep) char *version = NULL;
	CLEANUP(freep) char *plan = NULL;
	struct json_object *before = call->params;
	int r = split_runtime(cloud_param(call, "runtime"), &worker, &version, err);

	if (r == 0)
		r = function_environment(call, &env, err);
	if (r == 0)
		r = make_settings(call, worker, env, &settings, err);
	if (r == 0)
		r = find_plan(call, &plan, err);
	if (r < 0)
		return r;
	if (json_object_deep_copy(before, &params, NULL) != 0)
		return error_no_memory(err);
	json_object_object_add(params, "_plan", json_object_new_string(plan));
	json_object_object_add(params, "_version", json_object_new_string(version));
	json_object_object_add(params, "_settings", json_object_get(settings));
	call->params = params;
	r = rest_run_raw(call, &create_app, NULL, &answer, err);
	call->params = before;
	return r;
}

static int functions_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf zip = BUF_INIT(AZFUNC_ZIP_BYTES_MAX);
	CLEANUP(json_putp) struct json_object *app = NULL;
	int r = check_new(call, err);

	if (r == 0)
		r = function_package(cloud_param(call, "code"), AZFUNC_ZIP_BYTES_MAX, &zip, err);
	if (r == 0 && !call->plan)
		r = check_absent(call, err);
	if (r == 0)
		r = put_app(call, err);
	if (r == 0)
		r = rest_run_raw(call, &get_named, NULL, &app, err);
	if (r == 0)
		r = azfunc_deploy(call, app, &zip, err);
	return r < 0 ? r : show(call, app, ret, err);
}

static int functions_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf zip = BUF_INIT(AZFUNC_ZIP_BYTES_MAX);
	CLEANUP(json_putp) struct json_object *app = NULL;
	int r = cloud_param(call, "location") ? not_supported(call, "location", err) :
						function_package(cloud_param(call, "code"), AZFUNC_ZIP_BYTES_MAX, &zip, err);

	if (r == 0)
		r = find_app(call, &app, err);
	if (r == 0)
		r = azfunc_deploy(call, app, &zip, err);
	return r < 0 ? r : show(call, app, ret, err);
}

/* ---- calls and logs ---- */

/* The function that is meant: the one named by `entry`, or the only one. */
static int choose(struct cloud_call *call, struct json_object *inner, struct json_object **ret, struct error *err)
{
	const char *entry = cloud_param(call, "entry");
	size_t count = json_object_array_length(inner);

	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(inner, i);
		const char *name = json_get_string(one, "name"), *slash = name ? strrchr(name, '/') : NULL;

		if (entry ? name && !strcasecmp(slash ? slash + 1 : name, entry) : count == 1) {
			*ret = one;
			return 0;
		}
	}
	if (entry)
		return error_set(err, ERR_NOT_FOUND, "the application has no function '%.100s'", entry);
	return count ? error_set(err, ERR_INVALID, "the application has %zu functions: say which (--entry)", count) :
		       error_set(err, ERR_CONFLICT, "the application has no function");
}

static int functions_invoke(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *app = NULL;
	CLEANUP(json_putp) struct json_object *inner = NULL;
	CLEANUP(json_putp) struct json_object *keys = NULL;
	struct json_object *function = NULL;
	const char *id;
	int r;

	if (cloud_param_json(call, "version") || cloud_param_json(call, "async"))
		return not_supported(call, cloud_param_json(call, "async") ? "async" : "version", err);
	r = find_app(call, &app, err);
	if (r < 0)
		return r;
	id = json_get_string(app, "id");
	r = rest_run_raw_with(call, &list_inner, "function", id, &inner, err);
	if (r == 0)
		r = choose(call, inner, &function, err);
	if (r == 0 && !call->plan)
		r = rest_run_raw_with(call, &list_app_keys, "function", id, &keys, err);
	return r < 0 ? r : azfunc_invoke(call, app, function, json_get_string(keys, "functionKeys.default"), ret, err);
}

static int functions_logs(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *app = NULL;
	CLEANUP(json_putp) struct json_object *settings = NULL;
	int r = find_app(call, &app, err);

	if (r == 0)
		r = rest_run_raw_with(call, &list_settings, "function", json_get_string(app, "id"), &settings, err);
	return r < 0 ? r : azfunc_logs(call, app, json_get_string(settings, "properties.APPLICATIONINSIGHTS_CONNECTION_STRING"), ret, err);
}

const struct function_ops azure_functions = {
	.functions_list = { .run = functions_list },
	.functions_get = { .run = functions_get },
	.functions_create = { .run = functions_create },
	.functions_update = { .run = functions_update },
	.functions_invoke = { .run = functions_invoke },
	.functions_delete = { .run = functions_delete },
	.functions_logs = { .run = functions_logs },
};
