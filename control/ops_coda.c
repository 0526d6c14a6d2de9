/*
 * Purpose: the operations on Coda's docs, their pages, who may see them, and what is about the account: rows.
 * backends/coda has what they send.
 */
#include "control/ops_coda.h"

static const char *const completed[] = {"completed", NULL};
const struct op_wait coda_wait = {"coda.mutations.get", "", "status", completed, .adds_look = true, .result_field = "request_id"};

static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const modes[] = {"view", "play", "edit", NULL};
static const char *const formats[] = {"markdown", "html", NULL};
static const char *const insertions[] = {"append", "prepend", "replace", NULL};
static const char *const accesses[] = {"readonly", "write", "comment", NULL};
static const char *const principals[] = {"email", "group", "domain", "workspace", "anyone", NULL};
static const char *const scales[] = {"daily", "cumulative", NULL};
static const char *const orders[] = {"date", "docId", "title", "createdAt", "publishedAt", "likes", "copies", "views",
				     "sessionsDesktop", "sessionsMobile", "sessionsOther", "totalSessions", NULL};
static const char *const directions[] = {"ascending", "descending", NULL};

#define PAGE {"page", OP_STRING, true, 512, "identifier or name of the page", .position = 2}
#define SINCE {"since", OP_STRING, false, 10, "from this day on (2026-11-23)"}
#define UNTIL {"until", OP_STRING, false, 10, "up to this day"}
#define WORKSPACE {"workspace", OP_STRING, false, 64, "only those of this workspace"}
#define CONTENT {"content", OP_TEXT, false, 1 << 20, "what stands on the page"}
#define FORMAT {"format", OP_ENUM, false, 0, "of the content (markdown)", .choices = formats}

static const struct op_param doc_params[] = {CODA_DOC, OP_PARAM_END};
static const struct op_param docs_params[] = {
	{"query", OP_STRING, false, 512, "only docs that hold these words"},
	{"owned", OP_BOOL, false, 0, "only one's own"},
	{"published", OP_BOOL, false, 0, "only published ones"},
	{"starred", OP_BOOL, false, 0, "only starred ones"},
	{"gallery", OP_BOOL, false, 0, "only those in the gallery"},
	{"source", OP_STRING, false, 64, "only copies of this doc"},
	WORKSPACE,
	{"folder", OP_STRING, false, 64, "only those in this folder"},
	OP_PARAM_END,
};
static const struct op_param doc_create_params[] = {
	{"title", OP_STRING, false, 512, "title", .position = 1},
	{"source", OP_STRING, false, 64, "a doc to copy"},
	{"timezone", OP_STRING, false, 64, "time zone, as in 'Europe/Zurich'"},
	{"folder", OP_STRING, false, 64, "folder to put it in"},
	{"page_name", OP_STRING, false, 512, "name of its first page"},
	CONTENT,
	FORMAT,
	OP_PARAM_END,
};
static const struct op_param doc_update_params[] = {
	CODA_DOC,
	{"title", OP_STRING, false, 512, "title"},
	{"icon", OP_STRING, false, 64, "name of the icon"},
	OP_PARAM_END,
};
static const struct op_param publish_params[] = {
	CODA_DOC,
	{"slug", OP_STRING, false, 128, "end of its address"},
	{"mode", OP_ENUM, false, 0, "what readers may do", .choices = modes},
	{"discoverable", OP_ENUM, false, 0, .choices = yes_no, .help = "whether search engines may find it"},
	{"earn_credit", OP_ENUM, false, 0, .choices = yes_no, .help = "whether new users count for the owner"},
	{"category", OP_LIST, false, 128, "category; may be repeated", .completes = "coda.categories.list"},
	OP_PARAM_END,
};
static const struct op_param page_params[] = {CODA_DOC, PAGE, OP_PARAM_END};
#define PAGE_LOOKS                                                               \
	{"subtitle", OP_STRING, false, 512, "subtitle"},                         \
		{"icon", OP_STRING, false, 64, "name of the icon"},              \
		{"image_url", OP_STRING, false, 2048, "address of the image on top"}
static const struct op_param page_create_params[] = {
	CODA_DOC,
	{"name", OP_STRING, false, 512, "name", .position = 2},
	PAGE_LOOKS,
	{"parent", OP_STRING, false, 64, "the page to put it below", .completes = "coda.pages.list"},
	CONTENT,
	FORMAT,
	{"embed_url", OP_STRING, false, 2048, "a page of the web that fills this one, instead of content"},
	OP_PARAM_END,
};
static const struct op_param page_update_params[] = {
	CODA_DOC,
	PAGE,
	{"name", OP_STRING, false, 512, "new name"},
	PAGE_LOOKS,
	{"hidden", OP_ENUM, false, 0, .choices = yes_no, .help = "whether it is hidden"},
	CONTENT,
	FORMAT,
	{"mode", OP_ENUM, false, 0, "where the content goes (append)", .choices = insertions},
	{"element", OP_STRING, false, 64, "the line that it goes to, if not the page's begin or end"},
	OP_PARAM_END,
};
static const struct op_param page_clear_params[] = {
	CODA_DOC,
	PAGE,
	{"element", OP_LIST, false, 64, "only this line (coda.pages.content names them); may be repeated"},
	OP_PARAM_END,
};
static const struct op_param page_export_params[] = {
	CODA_DOC,
	PAGE,
	{"format", OP_ENUM, false, 0, "markdown (the default) or html", .choices = formats},
	OP_PARAM_END,
};
static const struct op_param export_params[] = {
	CODA_DOC,
	PAGE,
	{"export", OP_STRING, true, 128, "identifier of the export", .position = 3},
	OP_PARAM_END,
};
static const struct op_param permission_add_params[] = {
	CODA_DOC,
	{"access", OP_ENUM, true, 0, "what is allowed", .position = 2, .choices = accesses},
	{"type", OP_ENUM, true, 0, "to whom", .position = 3, .choices = principals},
	{"principal", OP_STRING, false, 320, "the address, domain, or identifier", .position = 4},
	{"quiet", OP_BOOL, false, 0, "do not tell them by e-mail"},
	OP_PARAM_END,
};
static const struct op_param permission_params[] = {
	CODA_DOC,
	{"permission", OP_STRING, true, 512, "identifier", .position = 2, .completes = "coda.permissions.list"},
	OP_PARAM_END,
};
static const struct op_param principals_params[] = {
	CODA_DOC,
	{"query", OP_STRING, true, 512, "part of a name or address", .position = 2},
	OP_PARAM_END,
};
static const struct op_param acl_params[] = {
	CODA_DOC,
	{"editors_may_share", OP_ENUM, false, 0, .choices = yes_no, .help = "whether editors may change permissions"},
	{"copying", OP_ENUM, false, 0, .choices = yes_no, .help = "whether it may be copied"},
	{"viewers_may_ask", OP_ENUM, false, 0, .choices = yes_no, .help = "whether viewers may ask to edit"},
	OP_PARAM_END,
};
static const struct op_param doc_analytics_params[] = {
	{"docs", OP_STRING, false, 4096, "only these docs: identifiers with commas between"},
	WORKSPACE,
	{"query", OP_STRING, false, 512, "only docs that hold these words"},
	{"published", OP_BOOL, false, 0, "only published ones"},
	SINCE,
	UNTIL,
	{"scale", OP_ENUM, false, 0, "figures of each day, or all up to it", .choices = scales},
	{"order_by", OP_ENUM, false, 0, "how they are sorted", .choices = orders},
	{"direction", OP_ENUM, false, 0, "ascending or descending", .choices = directions},
	OP_PARAM_END,
};
static const struct op_param page_analytics_params[] = {CODA_DOC, SINCE, UNTIL, OP_PARAM_END};
static const struct op_param summary_params[] = {
	{"published", OP_BOOL, false, 0, "only published ones"}, SINCE, UNTIL, WORKSPACE, OP_PARAM_END};
static const struct op_param link_params[] = {
	{"url", OP_STRING, true, 2048, "address in the browser", .position = 1},
	{"degrade", OP_BOOL, false, 0, "for what is deleted: what it was in"},
	OP_PARAM_END,
};
static const struct op_param mutation_params[] = {
	{"request", OP_STRING, true, 128, "request_id of the change", .position = 1},
	OP_PARAM_END,
};

static int set_text(struct json_object *params, const char *name, const char *text)
{
	struct json_object *value = json_object_new_string(text);

	return value && json_object_object_add(params, name, value) == 0 ? 0 : -1;
}

/* Settings that are yes, no, or left as they are: Coda wants true and false. */
static int set_flags(struct json_object *params)
{
	static const char *const names[] = {"discoverable", "earn_credit", "hidden", "editors_may_share", "copying",
					    "viewers_may_ask"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *word = json_get_string(params, names[i]);
		struct json_object *flag = word ? json_object_new_boolean(!strcmp(word, "yes")) : NULL;

		if (word && (!flag || json_object_object_add(params, names[i], flag) != 0)) {
			json_object_put(flag);
			return -1;
		}
	}
	return 0;
}

static int prepare_flags(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *own = NULL;

	if (json_object_deep_copy(params, &own, NULL) != 0 || set_flags(own) < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	*ret = steal(own);
	return 0;
}

static bool has(struct json_object *params, const char *name)
{
	return json_get(params, name) != NULL;
}

/* Content needs its kind and format said; what is not said is Markdown at the page's end. */
static int prepare_content(struct json_object *params, bool is_update, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *own = NULL;
	bool has_content = has(params, "content");
	int r = 0;

	if (!has_content && (has(params, "format") || has(params, "mode") || has(params, "element")))
		return error_set(err, ERR_INVALID, "format, mode and element say how content is written: there is none");
	if (has_content && has(params, "embed_url"))
		return error_set(err, ERR_INVALID, "content and embed_url exclude each other");
	if (json_object_deep_copy(params, &own, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = set_flags(own);
	if (has_content && !has(own, "format"))
		r = r ? r : set_text(own, "format", "markdown");
	if (has_content && is_update && !has(own, "mode"))
		r = r ? r : set_text(own, "mode", "append");
	if (!is_update && (has_content || has(own, "embed_url")))
		r = r ? r : set_text(own, "content_type", has_content ? "canvas" : "embed");
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	*ret = steal(own);
	return 0;
}

static int prepare_create(struct json_object *params, struct json_object **ret, struct error *err)
{
	return prepare_content(params, false, ret, err);
}

static int prepare_update(struct json_object *params, struct json_object **ret, struct error *err)
{
	return prepare_content(params, true, ret, err);
}

extern const struct op coda_op_rows[];
const struct op coda_op_rows[] = {
	{.name = "coda.whoami",
	 .summary = "show whose token it is",
	 .result = OP_ONE,
	 .shape = &coda_shape_user,
	 CODA_ROW(CODA_WHOAMI)},
	{.name = "coda.docs.list",
	 .summary = "list the docs",
	 .params = docs_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_doc,
	 .example = "skydir coda docs list --owned --sort-by -updated",
	 CODA_ROW(CODA_DOCS_LIST)},
	{.name = "coda.docs.get",
	 .summary = "show a doc",
	 .params = doc_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_doc,
	 CODA_ROW(CODA_DOCS_GET)},
	{.name = "coda.docs.create",
	 .summary = "create a doc, empty or as a copy",
	 .risk = OP_CHANGE,
	 .params = doc_create_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_doc,
	 .wait = &coda_wait,
	 .prepare = prepare_create,
	 .example = "skydir coda docs create 'Plans' --page-name Start --content start.md --wait",
	 CODA_ROW(CODA_DOCS_CREATE)},
	{.name = "coda.docs.update",
	 .summary = "change a doc's title or icon",
	 .risk = OP_CHANGE,
	 .params = doc_update_params,
	 CODA_ROW(CODA_DOCS_UPDATE)},
	{.name = "coda.docs.delete",
	 .summary = "delete a doc",
	 .risk = OP_DESTROY,
	 .params = doc_params,
	 CODA_ROW(CODA_DOCS_DELETE)},
	{.name = "coda.docs.publish",
	 .summary = "publish a doc, or change how it is published",
	 .risk = OP_CHANGE,
	 .params = publish_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_change,
	 .wait = &coda_wait,
	 .prepare = prepare_flags,
	 CODA_ROW(CODA_DOCS_PUBLISH)},
	{.name = "coda.docs.unpublish",
	 .summary = "take a published doc back",
	 .risk = OP_CHANGE,
	 .params = doc_params,
	 CODA_ROW(CODA_DOCS_UNPUBLISH)},
	{.name = "coda.categories.list",
	 .summary = "list the categories of published docs",
	 .result = OP_ITEMS,
	 .shape = &coda_shape_category,
	 CODA_ROW(CODA_CATEGORIES_LIST)},
	{.name = "coda.pages.list",
	 .summary = "list the pages of a doc",
	 .params = doc_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_page,
	 CODA_ROW(CODA_PAGES_LIST)},
	{.name = "coda.pages.get",
	 .summary = "show a page",
	 .params = page_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_page,
	 CODA_ROW(CODA_PAGES_GET)},
	{.name = "coda.pages.create",
	 .summary = "create a page",
	 .risk = OP_CHANGE,
	 .params = page_create_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_change,
	 .wait = &coda_wait,
	 .prepare = prepare_create,
	 .example = "skydir coda pages create AbCDeFGH Notes --content notes.md --wait",
	 CODA_ROW(CODA_PAGES_CREATE)},
	{.name = "coda.pages.update",
	 .summary = "change a page's name and looks, or write on it",
	 .risk = OP_CHANGE,
	 .params = page_update_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_change,
	 .wait = &coda_wait,
	 .prepare = prepare_update,
	 .example = "date | skydir coda pages update AbCDeFGH Log --content -",
	 CODA_ROW(CODA_PAGES_UPDATE)},
	{.name = "coda.pages.delete",
	 .summary = "delete a page",
	 .risk = OP_DESTROY,
	 .params = page_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_change,
	 .wait = &coda_wait,
	 CODA_ROW(CODA_PAGES_DELETE)},
	{.name = "coda.pages.content",
	 .summary = "list what stands on a page, line by line",
	 .params = page_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_line,
	 CODA_ROW(CODA_PAGES_CONTENT)},
	{.name = "coda.pages.clear",
	 .summary = "delete what stands on a page, all or some lines",
	 .risk = OP_DESTROY,
	 .params = page_clear_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_change,
	 .wait = &coda_wait,
	 CODA_ROW(CODA_PAGES_CLEAR)},
	{.name = "coda.pages.export",
	 .summary = "show a page as Markdown or HTML",
	 .details = "An export is begun, asked for until it is done (five minutes at most) and read.",
	 .params = page_export_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_export,
	 .example = "skydir coda pages export AbCDeFGH Notes --output json | jq -r .text > Notes.md",
	 CODA_RUN(coda_pages_export)},
	{.name = "coda.exports.create",
	 .summary = "begin an export, without waiting for it",
	 .params = page_export_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_export,
	 CODA_ROW(CODA_EXPORTS_BEGIN)},
	{.name = "coda.exports.get",
	 .summary = "show how far an export is, and where it can be read",
	 .params = export_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_export,
	 CODA_ROW(CODA_EXPORTS_GET)},
	{.name = "coda.sharing.get",
	 .summary = "show whether you may share and copy a doc",
	 .params = doc_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_sharing,
	 CODA_ROW(CODA_SHARING_GET)},
	{.name = "coda.permissions.list",
	 .summary = "list who may do what with a doc",
	 .params = doc_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_permission,
	 CODA_ROW(CODA_PERMISSIONS_LIST)},
	{.name = "coda.permissions.add",
	 .summary = "let somebody see or change a doc",
	 .risk = OP_CHANGE,
	 .params = permission_add_params,
	 .example = "skydir coda permissions add AbCDeFGH write email ann@example.org --quiet",
	 CODA_RUN(coda_permissions_add)},
	{.name = "coda.permissions.delete",
	 .summary = "take a permission back",
	 .risk = OP_DESTROY,
	 .params = permission_params,
	 CODA_ROW(CODA_PERMISSIONS_DELETE)},
	{.name = "coda.principals.search",
	 .summary = "find users and groups that a doc can be shared with",
	 .params = principals_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_principal,
	 CODA_RUN(coda_principals_search)},
	{.name = "coda.acl.get",
	 .summary = "show a doc's settings of sharing and copying",
	 .params = doc_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_acl,
	 CODA_ROW(CODA_ACL_GET)},
	{.name = "coda.acl.update",
	 .summary = "change a doc's settings of sharing and copying",
	 .risk = OP_CHANGE,
	 .params = acl_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_acl,
	 .prepare = prepare_flags,
	 .example = "skydir coda acl update AbCDeFGH --copying no",
	 CODA_ROW(CODA_ACL_UPDATE)},
	{.name = "coda.analytics.docs",
	 .summary = "list the figures of docs",
	 .params = doc_analytics_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_doc_analytics,
	 CODA_ROW(CODA_ANALYTICS_DOCS)},
	{.name = "coda.analytics.pages",
	 .summary = "list the figures of a doc's pages",
	 .params = page_analytics_params,
	 .result = OP_ITEMS,
	 .shape = &coda_shape_page_analytics,
	 CODA_ROW(CODA_ANALYTICS_PAGES)},
	{.name = "coda.analytics.summary",
	 .summary = "show how many sessions all docs had",
	 .params = summary_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_summary,
	 CODA_ROW(CODA_ANALYTICS_SUMMARY)},
	{.name = "coda.analytics.updated",
	 .summary = "show up to which day figures are there",
	 .result = OP_ONE,
	 .shape = &coda_shape_updated,
	 CODA_ROW(CODA_ANALYTICS_UPDATED)},
	{.name = "coda.links.resolve",
	 .summary = "show what an address in the browser is",
	 .params = link_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_link,
	 CODA_ROW(CODA_LINKS_RESOLVE)},
	{.name = "coda.mutations.get",
	 .summary = "show whether a change is made",
	 .params = mutation_params,
	 .result = OP_ONE,
	 .shape = &coda_shape_mutation,
	 CODA_ROW(CODA_MUTATIONS_GET)},
	{.name = NULL},
};
