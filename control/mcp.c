#include "control/mcp_private.h"

#include <stdio.h>

#define META_VERSION	  "io.modelcontextprotocol/protocolVersion"
#define META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define META_LOG_LEVEL	  "io.modelcontextprotocol/logLevel"
#define META_SERVER	  "io.modelcontextprotocol/serverInfo"
#define UNSUPPORTED_VERSION (-32022)

static const char *const revisions[MCP_REVISIONS] = {
	[MCP_2024_11_05] = "2024-11-05", [MCP_2025_03_26] = "2025-03-26", [MCP_2025_06_18] = "2025-06-18",
	[MCP_2025_11_25] = "2025-11-25", [MCP_2026_07_28] = "2026-07-28",
};
static const char *const levels[] = {"debug", "info",	  "notice", "warning",
				     "error", "critical", "alert",  "emergency"};
static const char instructions[] =
	"Operations on clouds: instances, DNS, storage and more. Where several providers are configured, say which by "
	"'provider'. Tools that destroy answer with a plan and a confirm_token; calling again with the same arguments "
	"and that token does it. Objects are resources: skydir://STORE/BUCKET/KEY.";

void mcp_init(struct mcp *m, struct op_context *context, struct session *session, enum op_risk allow)
{
	*m = (struct mcp){.context = context, .session = session, .allow = allow};
	atomic_init(&m->revision, MCP_NONE);
	atomic_init(&m->log_level, -1);
}

void mcp_failure_release(struct mcp_failure *f)
{
	json_object_put(f->data);
	*f = MCP_FAILURE_INIT;
}

int mcp_fail(struct mcp_failure *f, int code, const char *format, ...)
{
	va_list args;

	f->code = code;
	va_start(args, format);
	(void)vsnprintf(f->message, sizeof f->message, format, args); /* what does not fit is cut */
	va_end(args);
	return -1;
}

void mcp_add_text(struct json_object *o, const char *name, const char *text)
{
	json_object_object_add(o, name, json_object_new_string(text));
}

void mcp_add_ttl(const struct mcp_call *c, struct json_object *o, int ttl_ms)
{
	if (c->revision < MCP_2026_07_28)
		return;
	json_object_object_add(o, "ttlMs", json_object_new_int(ttl_ms));
	mcp_add_text(o, "cacheScope", "private");
}

int mcp_cursor(const struct mcp_call *c, size_t count, size_t *ret, struct mcp_failure *f)
{
	struct json_object *cursor = c->params ? json_get(c->params, "cursor") : NULL;
	uint64_t at = 0;

	*ret = 0;
	if (!cursor)
		return 0;
	if (!json_object_is_type(cursor, json_type_string) ||
	    str_to_u64(str_of(json_object_get_string(cursor)), &at) < 0 || at == 0 || at >= count)
		return mcp_fail(f, RPC_INVALID_PARAMS, "this cursor is none of ours");
	*ret = (size_t)at;
	return 0;
}

void mcp_add_cursor(struct json_object *o, size_t next, size_t count)
{
	char text[24];

	if (next >= count)
		return;
	(void)snprintf(text, sizeof text, "%zu", next);
	mcp_add_text(o, "nextCursor", text);
}

static int level_of(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(levels); i++)
		if (!strcmp(levels[i], name))
			return (int)i;
	return -1;
}

void mcp_log(const struct mcp_call *c, enum mcp_level level, const char *tool, const char *message)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *data;

	if (c->log_level < 0 || (int)level < c->log_level || !c->send_note)
		return;
	o = json_object_new_object();
	data = json_object_new_object();
	if (!o || !data) {
		json_object_put(data);
		return; /* a courtesy */
	}
	mcp_add_text(o, "level", levels[level]);
	mcp_add_text(o, "logger", "skydir");
	mcp_add_text(data, "tool", tool);
	mcp_add_text(data, "message", message);
	json_object_object_add(o, "data", data);
	c->send_note(c->arg, "notifications/message", o);
}

struct json_object *mcp_progress(struct json_object *token, unsigned count, struct json_object *params)
{
	struct json_object *o = json_object_new_object();
	const char *message = json_get_string(params, "message");
	int64_t files = json_get_int64(params, "files_left", -1);
	char text[64];

	if (!o)
		return NULL;
	if (!message && files >= 0) {
		(void)snprintf(text, sizeof text, "%lld file%s left", (long long)files, files == 1 ? "" : "s");
		message = text;
	}
	json_object_object_add(o, "progressToken", json_object_get(token));
	json_object_object_add(o, "progress", json_object_new_int64(count));
	if (message)
		mcp_add_text(o, "message", message);
	return o;
}

/* ---- opening ---- */

static struct json_object *server_info(void)
{
	struct json_object *o = json_object_new_object();

	if (o) {
		mcp_add_text(o, "name", "skydir");
		mcp_add_text(o, "title", "skydir");
		mcp_add_text(o, "version", SKYDIR_VERSION);
	}
	return o;
}

static struct json_object *capabilities(void)
{
	struct json_object *o = json_object_new_object(), *tools = json_object_new_object();
	struct json_object *resources = json_object_new_object();

	json_object_object_add(tools, "listChanged", json_object_new_boolean(0));
	json_object_object_add(resources, "listChanged", json_object_new_boolean(0));
	json_object_object_add(resources, "subscribe", json_object_new_boolean(0));
	json_object_object_add(o, "tools", tools);
	json_object_object_add(o, "resources", resources);
	json_object_object_add(o, "logging", json_object_new_object());
	return o;
}

/* {} means forms; with members only what they name. */
static bool has_forms(struct json_object *client_capabilities)
{
	struct json_object *e = client_capabilities ? json_get(client_capabilities, "elicitation") : NULL;

	if (!json_object_is_type(e, json_type_object))
		return false;
	return json_object_object_length(e) == 0 || json_object_object_get_ex(e, "form", NULL);
}

static int run_initialize(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	const char *asked = c->params ? json_get_string(c->params, "protocolVersion") : NULL;
	enum mcp_revision revision = MCP_2025_11_25; /* for whom speaks none of ours: the newest there is with a handshake */
	struct json_object *o;

	if (!asked)
		return mcp_fail(f, RPC_INVALID_PARAMS, "initialize needs protocolVersion");
	for (int i = 0; i < MCP_2026_07_28; i++)
		if (!strcmp(revisions[i], asked))
			revision = (enum mcp_revision)i;
	atomic_store(&c->mcp->revision, revision);
	atomic_store(&c->mcp->can_elicit,
		     revision >= MCP_2025_06_18 && has_forms(json_get(c->params, "capabilities")));
	o = json_object_new_object();
	if (!o)
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	mcp_add_text(o, "protocolVersion", revisions[revision]);
	json_object_object_add(o, "capabilities", capabilities());
	json_object_object_add(o, "serverInfo", server_info());
	mcp_add_text(o, "instructions", instructions);
	*ret = o;
	return 0;
}

static struct json_object *supported_versions(void)
{
	struct json_object *list = json_object_new_array();

	for (int i = MCP_REVISIONS - 1; list && i >= 0; i--)
		json_object_array_add(list, json_object_new_string(revisions[i]));
	return list;
}

static int run_discover(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return mcp_fail(f, RPC_INTERNAL, "out of memory");
	json_object_object_add(o, "supportedVersions", supported_versions());
	json_object_object_add(o, "capabilities", capabilities());
	mcp_add_text(o, "instructions", instructions);
	mcp_add_ttl(c, o, 3600000);
	*ret = o;
	return 0;
}

static int run_nothing(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	(void)c; /* that it was answered is all */
	*ret = json_object_new_object();
	return *ret ? 0 : mcp_fail(f, RPC_INTERNAL, "out of memory");
}

static int run_set_level(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f)
{
	int level = level_of(c->params ? json_get_string(c->params, "level") : NULL);

	if (level < 0)
		return mcp_fail(f, RPC_INVALID_PARAMS, "level is one of debug, info, notice, warning, error, critical, "
						       "alert, emergency");
	atomic_store(&c->mcp->log_level, level);
	return run_nothing(c, ret, f);
}

/* ---- methods ---- */

static const struct method {
	const char *name;
	int (*run)(struct mcp_call *c, struct json_object **ret, struct mcp_failure *f);
	enum mcp_revision first, last;
	bool is_slow, is_opening;
} methods[] = {
	{"initialize", run_initialize, MCP_2024_11_05, MCP_2025_11_25, .is_opening = true},
	{"server/discover", run_discover, MCP_2026_07_28, MCP_2026_07_28},
	{"ping", run_nothing, MCP_2024_11_05, MCP_2025_11_25, .is_opening = true},
	{"logging/setLevel", run_set_level, MCP_2024_11_05, MCP_2025_11_25},
	{"tools/list", mcp_tools_list, MCP_2024_11_05, MCP_2026_07_28},
	{"tools/call", mcp_tools_call, MCP_2024_11_05, MCP_2026_07_28, .is_slow = true},
	{"resources/list", mcp_resources_list, MCP_2024_11_05, MCP_2026_07_28},
	{"resources/templates/list", mcp_templates_list, MCP_2024_11_05, MCP_2026_07_28},
	{"resources/read", mcp_resources_read, MCP_2024_11_05, MCP_2026_07_28, .is_slow = true},
};

bool mcp_is_method(const char *method)
{
	return method && (!strcmp(method, "initialize") || !strcmp(method, "ping") || strchr(method, '/'));
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

bool mcp_is_quick(const char *method)
{
	const struct method *m = find_method(method);

	return !m || !m->is_slow;
}

/* The revision of a request that says it itself. */
static int read_meta(struct mcp_call *c, struct json_object *meta, const char *asked, struct mcp_failure *f)
{
	struct json_object *client = NULL, *level = NULL;

	if (strcmp(asked, revisions[MCP_2026_07_28]) != 0) {
		f->data = json_object_new_object();
		json_object_object_add(f->data, "supported", supported_versions());
		mcp_add_text(f->data, "requested", asked);
		return mcp_fail(f, UNSUPPORTED_VERSION, "unsupported protocol version");
	}
	if (!json_object_object_get_ex(meta, META_CAPABILITIES, &client) ||
	    !json_object_is_type(client, json_type_object))
		return mcp_fail(f, RPC_INVALID_PARAMS, "_meta needs %s", META_CAPABILITIES);
	c->revision = MCP_2026_07_28;
	c->can_elicit = has_forms(client);
	c->log_level = -1;
	if (json_object_object_get_ex(meta, META_LOG_LEVEL, &level) && json_object_is_type(level, json_type_string))
		c->log_level = level_of(json_object_get_string(level));
	return 0;
}

static int find_revision(struct mcp_call *c, const struct method *m, struct mcp_failure *f)
{
	struct json_object *meta = c->params ? json_get(c->params, "_meta") : NULL, *version = NULL;

	if (json_object_is_type(meta, json_type_object) && json_object_object_get_ex(meta, META_VERSION, &version) &&
	    json_object_is_type(version, json_type_string))
		return read_meta(c, meta, json_object_get_string(version), f);
	c->revision = (enum mcp_revision)atomic_load(&c->mcp->revision);
	c->can_elicit = atomic_load(&c->mcp->can_elicit);
	c->log_level = atomic_load(&c->mcp->log_level);
	if (m && m->is_opening && c->revision == MCP_NONE)
		c->revision = MCP_2025_11_25;
	if (c->revision == MCP_NONE)
		return mcp_fail(f, RPC_INVALID_PARAMS, "params._meta lacks %s (or `initialize` first)", META_VERSION);
	return 0;
}

static void finish(const struct mcp_call *c, struct json_object *o)
{
	struct json_object *meta;

	if (c->revision < MCP_2026_07_28)
		return;
	if (!json_object_object_get_ex(o, "resultType", NULL))
		mcp_add_text(o, "resultType", "complete");
	meta = json_object_new_object();
	json_object_object_add(meta, META_SERVER, server_info());
	json_object_object_add(o, "_meta", meta);
}

int mcp_run(struct mcp_call *c, const char *method, struct json_object **ret, struct mcp_failure *f)
{
	const struct method *m = find_method(method);
	int r;

	if (str_starts(str_of(method), "notifications/"))
		return 0; /* initialized, roots/list_changed: nothing to do */
	r = find_revision(c, m, f);
	if (r < 0)
		return r;
	if (!m || c->revision < m->first || c->revision > m->last)
		return mcp_fail(f, RPC_METHOD_NOT_FOUND, "no such method in revision %s", revisions[c->revision]);
	r = m->run(c, ret, f);
	if (r == 0)
		finish(c, *ret);
	return r;
}
