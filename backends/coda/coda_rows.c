/*
 * The operations that are one call of Coda's API each, as rows. The service's name is the limit that the call counts to.
 */
#include "backends/coda/coda.h"

#define FIELDS(...) (const struct rest_field[]){ __VA_ARGS__, { .place = NULL } }
#define QUERY(param, name) { param, name, REST_QUERY, NULL }
#define BODY(param, name) { param, name, REST_BODY, NULL }
/* Whether Coda may answer from a snapshot of the doc that is a little older. */
#define DOC_VERSION { "doc_version", "X-Coda-Doc-Version", REST_HEADER, NULL }

#define READ(...) .service = "read", .method = HTTP_GET, __VA_ARGS__
#define ONE(map) .item = "", .record = map
#define ITEMS(map) .items = "items", .record = map, .page = &coda_pages
#define CHANGE(verb, ...) .service = "content", .method = verb, ONE(coda_map_change), __VA_ARGS__

const struct rest_page coda_pages = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "limit", 100 };
const struct rest_page coda_row_pages = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "limit", 500,
					  .tail = "nextSyncToken" };
static const struct rest_page content_pages = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "limit", 500 };
static const struct rest_page analytics_pages = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "limit", 1000 };

#define DOC   "docs/{doc}"
#define PAGE  DOC "/pages/{page}"
#define TABLE DOC "/tables/{table}"
#define ROW   TABLE "/rows/{row}"

#define PAGE_FIELDS \
	BODY("name", "name"), BODY("subtitle", "subtitle"), BODY("icon", "iconName"), BODY("image_url", "imageUrl")

const struct rest_row coda_rows[CODA_OPS] = {
	[CODA_WHOAMI] = { READ(.path = "whoami", ONE(coda_map_user)) },
	[CODA_MUTATIONS_GET] = { READ(.path = "mutationStatus/{request}", ONE(coda_map_mutation)) },
	[CODA_LINKS_RESOLVE] = { READ(.path = "resolveBrowserLink", ONE(coda_map_link),
				      .fields = FIELDS(QUERY("url", "url"), QUERY("degrade", "degradeGracefully"))) },

	[CODA_DOCS_LIST] = { .service = "docs", .method = HTTP_GET, .path = "docs", ITEMS(coda_map_doc),
			     .fields = FIELDS(QUERY("query", "query"), QUERY("owned", "isOwner"),
					      QUERY("published", "isPublished"), QUERY("starred", "isStarred"),
					      QUERY("gallery", "inGallery"), QUERY("source", "sourceDoc"),
					      QUERY("workspace", "workspaceId"), QUERY("folder", "folderId")) },
	[CODA_DOCS_GET] = { READ(.path = DOC, ONE(coda_map_doc)) },
	[CODA_DOCS_CREATE] = { .service = "write", .method = HTTP_POST, .path = "docs", ONE(coda_map_doc),
			       .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, BODY("title", "title"),
						BODY("source", "sourceDoc"), BODY("timezone", "timezone"),
						BODY("folder", "folderId"), BODY("page_name", "initialPage.name"),
						BODY("content_type", "initialPage.pageContent.type"),
						BODY("format", "initialPage.pageContent.canvasContent.format"),
						BODY("content", "initialPage.pageContent.canvasContent.content")) },
	[CODA_DOCS_UPDATE] = { .service = "write", .method = HTTP_PATCH, .path = DOC,
			       .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, BODY("title", "title"),
						BODY("icon", "iconName")) },
	[CODA_DOCS_DELETE] = { .service = "write", .method = HTTP_DELETE, .path = DOC },
	[CODA_DOCS_PUBLISH] = { .service = "write", .method = HTTP_PUT, .path = DOC "/publish", ONE(coda_map_change),
				.fields = FIELDS({ NULL, "", REST_BODY, "{}" }, BODY("slug", "slug"),
						 BODY("mode", "mode"), BODY("discoverable", "discoverable"),
						 BODY("earn_credit", "earnCredit"), BODY("category", "categoryNames")) },
	[CODA_DOCS_UNPUBLISH] = { .service = "write", .method = HTTP_DELETE, .path = DOC "/publish" },
	[CODA_CATEGORIES_LIST] = { READ(.path = "categories", .items = "items", .record = coda_map_category) },

	[CODA_PAGES_LIST] = { READ(.path = DOC "/pages", ITEMS(coda_map_page)) },
	[CODA_PAGES_GET] = { READ(.path = PAGE, ONE(coda_map_page)) },
	[CODA_PAGES_CREATE] = { CHANGE(HTTP_POST, .path = DOC "/pages",
				       .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, PAGE_FIELDS,
							BODY("parent", "parentPageId"),
							BODY("content_type", "pageContent.type"),
							BODY("format", "pageContent.canvasContent.format"),
							BODY("content", "pageContent.canvasContent.content"),
							BODY("embed_url", "pageContent.url"))) },
	[CODA_PAGES_UPDATE] = { CHANGE(HTTP_PUT, .path = PAGE,
				       .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, PAGE_FIELDS,
							BODY("hidden", "isHidden"),
							BODY("mode", "contentUpdate.insertionMode"),
							BODY("element", "contentUpdate.elementId"),
							BODY("format", "contentUpdate.canvasContent.format"),
							BODY("content", "contentUpdate.canvasContent.content"))) },
	[CODA_PAGES_DELETE] = { CHANGE(HTTP_DELETE, .path = PAGE) },
	[CODA_PAGES_CONTENT] = { READ(.path = PAGE "/content", .items = "items", .record = coda_map_line,
				      .page = &content_pages,
				      .fields = FIELDS({ NULL, "contentFormat", REST_QUERY, "plainText" })) },
	[CODA_PAGES_CLEAR] = { CHANGE(HTTP_DELETE, .path = PAGE "/content",
				      .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, BODY("element", "elementIds"))) },
	[CODA_EXPORTS_BEGIN] = { .service = "write", .method = HTTP_POST, .path = PAGE "/export", ONE(coda_map_export),
				 .is_read = true, /* it makes a file, not a change of the doc */
				 .fields = FIELDS({ "format", "outputFormat", REST_BODY, "\"markdown\"" }) },
	[CODA_EXPORTS_GET] = { READ(.path = PAGE "/export/{export}", ONE(coda_map_export)) },

	[CODA_TABLES_LIST] = { READ(.path = DOC "/tables", ITEMS(coda_map_table),
				    .fields = FIELDS(QUERY("sort", "sortBy"), QUERY("type", "tableTypes"))) },
	[CODA_TABLES_GET] = { READ(.path = TABLE, ONE(coda_map_table)) },
	[CODA_COLUMNS_LIST] = { READ(.path = TABLE "/columns", ITEMS(coda_map_column),
				     .fields = FIELDS(QUERY("visible", "visibleOnly"))) },
	[CODA_COLUMNS_GET] = { READ(.path = TABLE "/columns/{column}", ONE(coda_map_column)) },
	[CODA_ROWS_GET] = { READ(.path = ROW, ONE(coda_map_row),
				 .fields = FIELDS(QUERY("column_names", "useColumnNames"),
						  QUERY("value_format", "valueFormat"), DOC_VERSION)) },
	[CODA_BUTTONS_PUSH] = { CHANGE(HTTP_POST, .path = ROW "/buttons/{column}") },
	[CODA_FORMULAS_LIST] = { READ(.path = DOC "/formulas", ITEMS(coda_map_formula),
				      .fields = FIELDS(QUERY("sort", "sortBy"))) },
	[CODA_FORMULAS_GET] = { READ(.path = DOC "/formulas/{formula}", ONE(coda_map_formula)) },
	[CODA_CONTROLS_LIST] = { READ(.path = DOC "/controls", ITEMS(coda_map_control),
				      .fields = FIELDS(QUERY("sort", "sortBy"))) },
	[CODA_CONTROLS_GET] = { READ(.path = DOC "/controls/{control}", ONE(coda_map_control)) },
	[CODA_AUTOMATIONS_TRIGGER] = { CHANGE(HTTP_POST, .path = DOC "/hooks/automation/{rule}",
					      .fields = FIELDS({ NULL, "", REST_BODY, "{}" }, BODY("payload", ""))) },

	[CODA_SHARING_GET] = { READ(.path = DOC "/acl/metadata", ONE(coda_map_sharing)) },
	[CODA_PERMISSIONS_LIST] = { READ(.path = DOC "/acl/permissions", ITEMS(coda_map_permission)) },
	[CODA_PERMISSIONS_DELETE] = { .service = "write", .method = HTTP_DELETE,
				      .path = DOC "/acl/permissions/{permission}" },
	[CODA_ACL_GET] = { READ(.path = DOC "/acl/settings", ONE(coda_map_acl)) },
	[CODA_ACL_UPDATE] = { .service = "write", .method = HTTP_PATCH, .path = DOC "/acl/settings", ONE(coda_map_acl),
			      .fields = FIELDS({ NULL, "", REST_BODY, "{}" },
					       BODY("editors_may_share", "allowEditorsToChangePermissions"),
					       BODY("copying", "allowCopying"),
					       BODY("viewers_may_ask", "allowViewersToRequestEditing")) },

	[CODA_ANALYTICS_DOCS] = { .service = "analytics", .method = HTTP_GET, .path = "analytics/docs", .items = "items",
				  .record = coda_map_doc_analytics, .page = &analytics_pages,
				  .fields = FIELDS(QUERY("docs", "docIds"), QUERY("workspace", "workspaceId"),
						   QUERY("query", "query"), QUERY("published", "isPublished"),
						   QUERY("since", "sinceDate"), QUERY("until", "untilDate"),
						   QUERY("scale", "scale"), QUERY("order_by", "orderBy"),
						   QUERY("direction", "direction")) },
	[CODA_ANALYTICS_PAGES] = { .service = "analytics", .method = HTTP_GET, .path = "analytics/docs/{doc}/pages",
				   .items = "items", .record = coda_map_page_analytics, .page = &analytics_pages,
				   .fields = FIELDS(QUERY("since", "sinceDate"), QUERY("until", "untilDate")) },
	[CODA_ANALYTICS_SUMMARY] = { .service = "analytics", .method = HTTP_GET, .path = "analytics/docs/summary",
				     ONE(coda_map_summary),
				     .fields = FIELDS(QUERY("published", "isPublished"), QUERY("since", "sinceDate"),
						      QUERY("until", "untilDate"), QUERY("workspace", "workspaceId")) },
	[CODA_ANALYTICS_UPDATED] = { .service = "analytics", .method = HTTP_GET, .path = "analytics/updated",
				     ONE(coda_map_updated) },
};
