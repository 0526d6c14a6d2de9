/*
 * Stacks by Infrastructure Manager: deployments of Terraform that lies in Cloud Storage or Git.
 *
 * The template is therefore an address, gs://BUCKET/DIR or https://..., not a text. Each change is a revision, which is what
 * is told as events; resources and outputs are the latest one's. A preview is the service's own, and deleted again.
 *
 * Source: cloud.google.com/infrastructure-manager/docs/reference/rest, v1 (read 2026-11).
 */
#include "backends/gcp/gce_rows.h"

#include <stdio.h>

#define POLL_MS	 2000
#define PLACE	 "projects/{project}/locations/{region}/"
#define BLUEPRINT "terraformBlueprint."

static const struct record_word states[] = {
	{ "CREATING", "creating" }, { "ACTIVE", "complete" }, { "UPDATING", "updating" }, { "DELETING", "deleting" },
	{ "FAILED", "failed" },	    { "SUSPENDED", "suspended" }, { "DELETED", "deleted" }, { "APPLYING", "updating" },
	{ "APPLIED", "complete" },  { NULL, NULL },
};
static const struct record_word resource_states[] = {
	{ "PLANNED", "creating" }, { "IN_PROGRESS", "updating" }, { "RECONCILED", "complete" }, { "FAILED", "failed" }, { NULL, NULL },
};
static const struct record_word intents[] = {
	{ "CREATE", "create" }, { "UPDATE", "update" }, { "DELETE", "delete" }, { "RECREATE", "replace" }, { "UNCHANGED", "none" },
	{ NULL, NULL },
};

static struct json_object *make_inputs(struct json_object *theirs)
{
	struct json_object *o = json_object_new_object();

	if (!o || !json_object_is_type(theirs, json_type_object))
		return o;
	json_object_object_foreach(theirs, name, about)
		json_object_object_add(o, name, stack_text(json_get(about, "inputValue")));
	return o;
}

static const struct record_source stack_map[] = {
	{ "id", "name", NULL, gce_make_tail },
	{ "name", "name", NULL, gce_make_tail },
	{ "status", "state", states, NULL },
	{ "provider_status", "state", NULL, NULL },
	{ "reason", "stateDetail|errorCode", NULL, NULL },
	{ "parameters", BLUEPRINT "inputValues", NULL, make_inputs },
	{ "created", "createTime", NULL, NULL },
	{ "updated", "updateTime", NULL, NULL },
	{ "tags", "labels", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source resource_map[] = {
	{ "name", "terraformInfo.address", NULL, NULL },
	{ "type", "terraformInfo.type", NULL, NULL },
	{ "status", "state", resource_states, NULL },
	{ "provider_status", "state", NULL, NULL },
	{ "id", "terraformInfo.id", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source event_map[] = {
	{ "id", "name", NULL, gce_make_tail }, { "time", "updateTime|createTime", NULL, NULL },
	{ "status", "state", states, NULL },   { "provider_status", "state", NULL, NULL },
	{ "reason", "stateDetail|errorCode", NULL, NULL }, { NULL, NULL, NULL, NULL },
};
static const struct record_source template_map[] = {
	{ "template", BLUEPRINT "gcsSource|" BLUEPRINT "gitSource.repo", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source change_map[] = {
	{ "action", "intent", intents, NULL },
	{ "resource", "terraformInfo.address", NULL, NULL },
	{ "type", "terraformInfo.type", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source output_map[] = {
	{ "name", "name", NULL, NULL },
	{ "value", "value", NULL, stack_text },
	{ NULL, NULL, NULL, NULL },
};

#define CONFIG_LIST(var, path_, items_, map, ...) \
	static const struct rest_row var = { .service = "config", .path = path_, .items = items_, .record = map, \
		.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "pageSize", 500, 0 }, \
		__VA_ARGS__ }
#define CONFIG_GET(var, path_, map) \
	static const struct rest_row var = { .service = "config", .path = path_, .item = "", .record = map }
#define CONFIG_CHANGE(var, method_, path_, fields_, ...) \
	static const struct rest_row var = { .service = "config", .method = method_, .path = path_, .fields = fields_, \
					     .is_strict = true, .is_idempotent = true, __VA_ARGS__ }

CONFIG_LIST(list_stacks, PLACE "deployments", "deployments", stack_map);
CONFIG_GET(get_stack, PLACE "deployments/{stack}", stack_map);
CONFIG_GET(made_stack, PLACE "deployments/{name}", stack_map);
CONFIG_GET(get_template, PLACE "deployments/{stack}", template_map);
CONFIG_LIST(list_revisions, PLACE "deployments/{stack}/revisions", "revisions", event_map);
CONFIG_LIST(list_resources, PLACE "deployments/{stack}/revisions/{_revision}/resources", "resources", resource_map);
CONFIG_GET(get_revision, PLACE "deployments/{stack}/revisions/{_revision}", NULL);
CONFIG_GET(get_preview, PLACE "previews/{_preview}", NULL);
CONFIG_LIST(list_changes, PLACE "previews/{_preview}/resourceChanges", "resourceChanges", change_map);

#define SOURCE_FIELDS \
	GCE_TOKEN, { "_template_gcs", BLUEPRINT "gcsSource", REST_BODY }, { "_template_git", BLUEPRINT "gitSource.repo", REST_BODY }, \
	{ "_parameter_inputs", BLUEPRINT "inputValues", REST_BODY }, { "name", "", REST_NOWHERE }
static const struct rest_field new_fields[] = {
	SOURCE_FIELDS, { "name", "deploymentId", REST_QUERY }, { "tag", "labels", REST_BODY }, { .place = NULL },
};
static const struct rest_field changed_fields[] = {
	SOURCE_FIELDS, { "tag", "labels", REST_BODY }, { "_mask", "updateMask", REST_QUERY }, { .place = NULL },
};
static const struct rest_field gone_fields[] = {
	GCE_TOKEN, { NULL, "force", REST_QUERY, "true" }, { NULL, "deletePolicy", REST_QUERY, "DELETE" }, { .place = NULL },
};
static const struct rest_field preview_fields[] = {
	SOURCE_FIELDS, { "_preview", "previewId", REST_QUERY }, { "_deployment", "deployment", REST_BODY }, { .place = NULL },
};
CONFIG_CHANGE(create_stack, HTTP_POST, PLACE "deployments", new_fields, .then = &made_stack);
CONFIG_CHANGE(update_stack, HTTP_PATCH, PLACE "deployments/{stack}", changed_fields, .then = &get_stack);
CONFIG_CHANGE(delete_stack, HTTP_DELETE, PLACE "deployments/{stack}", gone_fields);
CONFIG_CHANGE(create_preview, HTTP_POST, PLACE "previews", preview_fields);
static const struct rest_row delete_preview = { .service = "config", .method = HTTP_DELETE, .path = PLACE "previews/{_preview}",
						.fields = gce_only_token };

/* ---- sources and values ---- */

static int put_text(struct json_object *o, const char *name, const char *text, struct error *err)
{
	return json_object_object_add(o, name, json_object_new_string(text)) == 0 ? 0 :
										    error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int put_inputs(struct json_object *values, struct json_object *params, struct error *err)
{
	struct json_object *inputs = json_object_new_object();

	if (!inputs || json_object_object_add(params, "_parameter_inputs", inputs) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_foreach(values, name, value)
	{
		struct json_object *one = json_object_new_object();

		if (!one || json_object_object_add(one, "inputValue", json_object_get(value)) != 0 ||
		    json_object_object_add(inputs, name, one) != 0)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return 0;
}

/* A copy of the call's parameters with the source and the values as the service wants them. */
static int with_source(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *given = cloud_param(call, "template");
	struct str text = str_trim(str_of(given ? given : ""));
	CLEANUP(freep) char *source = str_dup(text);
	bool is_gcs = str_starts(text, "gs://"), is_git = str_starts(text, "https://");
	int r = source && json_object_deep_copy(call->params, &params, NULL) == 0 ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && given && ((!is_gcs && !is_git) || memchr(text.ptr, '\n', text.len)))
		return error_set(err, ERR_INVALID, "Google's template is the address of Terraform files (a file that holds gs://BUCKET/DIR "
						   "or https://...)");
	if (r == 0 && given)
		r = put_text(params, is_gcs ? "_template_gcs" : "_template_git", source, err);
	if (r == 0 && cloud_param_json(call, "parameter"))
		r = put_inputs(cloud_param_json(call, "parameter"), params, err);
	if (r == 0)
		*ret = steal(params);
	return r;
}

static int run_with(struct cloud_call *call, struct json_object *params, const struct rest_row *row, struct json_object **ret,
		    struct error *err)
{
	struct json_object *before = call->params;
	int r;

	call->params = params;
	r = rest_run(call, row, ret, err);
	call->params = before;
	return r;
}

static int stacks_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	int r = with_source(call, &params, err);

	return r < 0 ? r : run_with(call, params, &create_stack, ret, err);
}

/* Values that are not given again stay: the mask would take them all away. */
static int stacks_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	CLEANUP(json_putp) struct json_object *values = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *given = cloud_param_json(call, "parameter");
	int r = rest_run_raw(call, &get_stack, call->params, &stack, err);

	if (r == 0)
		r = with_source(call, &params, err);
	if (r < 0)
		return r;
	values = make_inputs(json_get(stack, BLUEPRINT "inputValues"));
	if (given && values) {
		json_object_object_foreach(given, name, value)
			json_object_object_add(values, name, json_object_get(value));
	}
	r = values ? put_inputs(values, params, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0 && !cloud_param(call, "template") && json_get_string(stack, BLUEPRINT "gcsSource"))
		r = put_text(params, "_template_gcs", json_get_string(stack, BLUEPRINT "gcsSource"), err);
	else if (r == 0 && !cloud_param(call, "template") && json_get_string(stack, BLUEPRINT "gitSource.repo"))
		r = put_text(params, "_template_git", json_get_string(stack, BLUEPRINT "gitSource.repo"), err);
	if (r == 0)
		r = put_text(params, "_mask", cloud_param_json(call, "tag") ? "terraformBlueprint,labels" : "terraformBlueprint", err);
	return r < 0 ? r : run_with(call, params, &update_stack, ret, err);
}

/* ---- the latest revision ---- */

static int with_revision(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *stack = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	const char *revision;
	int r = rest_run_raw(call, &get_stack, call->params, &stack, err);

	if (r < 0)
		return r;
	revision = gce_tail(json_get_string(stack, "latestRevision"));
	if (!revision)
		return error_set(err, ERR_CONFLICT, "the stack has no revision yet");
	if (json_object_deep_copy(call->params, &params, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = put_text(params, "_revision", revision, err);
	if (r == 0)
		*ret = steal(params);
	return r;
}

static int resources_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	int r = with_revision(call, &params, err);

	return r < 0 ? r : run_with(call, params, &list_resources, ret, err);
}

static int resources_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	const char *name = cloud_param(call, "resource");
	int r = resources_list(call, &list, err);

	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		const char *own = json_get_string(one, "name");

		if (own && !strcmp(own, name)) {
			*ret = json_object_get(one);
			return 0;
		}
	}
	return r < 0 ? r : error_set(err, ERR_NOT_FOUND, "the stack has no resource '%.100s'", name);
}

/* Secret outputs stay with the service. */
static int outputs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *revision = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct json_object *outputs;
	int r = list ? with_revision(call, &params, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = rest_run_raw(call, &get_revision, params, &revision, err);
	if (r < 0)
		return r;
	outputs = json_get(revision, "applyResults.outputs");
	if (json_object_is_type(outputs, json_type_object)) {
		json_object_object_foreach(outputs, name, about)
		{
			CLEANUP(json_putp) struct json_object *one = json_object_new_object();
			bool is_secret = json_get_bool(about, "sensitive", false);

			json_object_object_add(one, "name", json_object_new_string(name));
			json_object_object_add(one, "value", is_secret ? NULL : json_object_get(json_get(about, "value")));
			r = r < 0 ? r : cloud_list_add(call, output_map, one, &list, err);
		}
	}
	if (r >= 0)
		*ret = steal(list);
	return r < 0 ? r : 0;
}

/* ---- previews ---- */

static int wait_for_preview(struct cloud_call *call, struct json_object *params, struct error *err)
{
	for (;;) {
		CLEANUP(json_putp) struct json_object *preview = NULL;
		const char *state, *why;
		int r = rest_run_raw(call, &get_preview, params, &preview, err);

		if (r < 0)
			return r;
		state = json_get_string(preview, "state");
		if (state && !strcmp(state, "SUCCEEDED"))
			return 0;
		if (state && !strcmp(state, "FAILED")) {
			why = json_get_string(preview, "errorStatus.message");
			return error_set(err, ERR_INVALID, "the preview failed: %s", why ? why : "the service does not say why");
		}
		r = cloud_sleep(call, POLL_MS, err);
		if (r < 0)
			return r;
	}
}

static int run_preview(struct cloud_call *call, struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *nothing = NULL;
	struct error ignored = ERROR_INIT;
	int r = run_with(call, params, &create_preview, &nothing, err);

	if (r < 0)
		return r;
	r = wait_for_preview(call, params, err);
	if (r == 0)
		r = run_with(call, params, &list_changes, ret, err);
	if (run_with(call, params, &delete_preview, &nothing, &ignored) < 0)
		cloud_progress(call, "%s: the preview is left behind: %s", call->operation, ignored.message);
	return r;
}

/* Of a stack that is there, what would change of it. */
static int stacks_preview(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	CLEANUP(json_putp) struct json_object *there = NULL;
	char token[CLOUD_TOKEN_LEN + 1], name[64];
	struct error absent = ERROR_INIT; /* then it is a new one */
	int r = with_source(call, &params, err);

	if (r < 0)
		return r;
	cloud_token(token);
	(void)snprintf(name, sizeof name, "skydir-%s", token);
	r = put_text(params, "_preview", name, err);
	if (r == 0 && rest_run_raw(call, &made_stack, params, &there, &absent) == 0 && json_get_string(there, "name"))
		r = put_text(params, "_deployment", json_get_string(there, "name"), err);
	if (absent.kind != ERR_NONE && absent.kind != ERR_NOT_FOUND) {
		return error_set(err, absent.kind, "%s", absent.message);
	}
	return r < 0 ? r : run_preview(call, params, ret, err);
}

const struct stack_ops gcp_stacks = {
	.stacks_list = { .row = &list_stacks },
	.stacks_get = { .row = &get_stack },
	.stacks_create = { .run = stacks_create },
	.stacks_update = { .run = stacks_update },
	.stacks_preview = { .run = stacks_preview },
	.stacks_delete = { .row = &delete_stack },
	.resources_list = { .run = resources_list },
	.resources_get = { .run = resources_get },
	.events_list = { .row = &list_revisions },
	.template_get = { .row = &get_template },
	.outputs_list = { .run = outputs_list },
};
