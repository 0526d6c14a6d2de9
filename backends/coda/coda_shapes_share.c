/*
 * What sharing, publishing, analytics and links look like to users.
 */
#include "backends/coda/coda.h"

#define FIELDS_END { .name = NULL }
#define MAP_END	   { .name = NULL }

static const struct record_field sharing_fields[] = {
	{ "can_share", RECORD_BOOL, "whether you may share the doc" },
	{ "can_share_with_workspace", RECORD_BOOL, "with the workspace" },
	{ "can_share_with_org", RECORD_BOOL, "with the organization" },
	{ "can_copy", RECORD_BOOL, "whether you may copy it" },
	FIELDS_END,
};
const struct record_shape coda_shape_sharing = {
	"sharing", sharing_fields, "can_share,can_share_with_workspace,can_share_with_org,can_copy"
};
const struct record_source coda_map_sharing[] = {
	{ "can_share", "canShare" },
	{ "can_share_with_workspace", "canShareWithWorkspace" },
	{ "can_share_with_org", "canShareWithOrg" },
	{ "can_copy", "canCopy" },
	MAP_END,
};

static const struct record_field permission_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "access", RECORD_TEXT, "readonly, write, comment or none" },
	{ "type", RECORD_TEXT, "email, group, domain, workspace or anyone" },
	{ "principal", RECORD_TEXT, "who it is" },
	FIELDS_END,
};
const struct record_shape coda_shape_permission = { "permission", permission_fields, "id,access,type,principal" };
const struct record_source coda_map_permission[] = {
	{ "id", "id" },
	{ "access", "access" },
	{ "type", "principal.type" },
	{ "principal", "principal.email|principal.groupName|principal.groupId|principal.domain|principal.workspaceId" },
	MAP_END,
};

static const struct record_field principal_fields[] = {
	{ "id", RECORD_TEXT, "login of a user, identifier of a group" },
	{ "type", RECORD_TEXT, "user or group" },
	{ "name", RECORD_TEXT, "name" },
	FIELDS_END,
};
const struct record_shape coda_shape_principal = { "principal", principal_fields, "id,type,name" };

static const struct record_field acl_fields[] = {
	{ "editors_may_share", RECORD_BOOL, "whether editors may change permissions" },
	{ "copying", RECORD_BOOL, "whether it may be copied" },
	{ "viewers_may_ask", RECORD_BOOL, "whether viewers may ask to edit" },
	FIELDS_END,
};
const struct record_shape coda_shape_acl = { "settings", acl_fields, "editors_may_share,copying,viewers_may_ask" };
const struct record_source coda_map_acl[] = {
	{ "editors_may_share", "allowEditorsToChangePermissions" },
	{ "copying", "allowCopying" },
	{ "viewers_may_ask", "allowViewersToRequestEditing" },
	MAP_END,
};

static const struct record_field category_fields[] = { { "name", RECORD_TEXT, "name" }, FIELDS_END };
const struct record_shape coda_shape_category = { "category", category_fields, "name" };
const struct record_source coda_map_category[] = { { "name", "name" }, MAP_END };

static const struct record_field doc_analytics_fields[] = {
	{ "id", RECORD_TEXT, "doc" },
	{ "name", RECORD_TEXT, "its title" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "published", RECORD_TIME, "when it was published" },
	{ "metrics", RECORD_LIST, "the figures of each day" },
	FIELDS_END,
};
const struct record_shape coda_shape_doc_analytics = { "doc figures", doc_analytics_fields, "id,name,published,metrics" };
const struct record_source coda_map_doc_analytics[] = {
	{ "id", "doc.id" },
	{ "name", "doc.title" },
	{ "created", "doc.createdAt" },
	{ "published", "doc.publishedAt" },
	{ "metrics", "metrics" },
	MAP_END,
};

static const struct record_field page_analytics_fields[] = {
	{ "id", RECORD_TEXT, "page" },
	{ "name", RECORD_TEXT, "its name" },
	{ "metrics", RECORD_LIST, "the figures of each day" },
	FIELDS_END,
};
const struct record_shape coda_shape_page_analytics = { "page figures", page_analytics_fields, "id,name,metrics" };
const struct record_source coda_map_page_analytics[] = {
	{ "id", "page.id" }, { "name", "page.name" }, { "metrics", "metrics" }, MAP_END,
};

static const struct record_field summary_fields[] = { { "sessions", RECORD_INT, "sessions in all" }, FIELDS_END };
const struct record_shape coda_shape_summary = { "summary", summary_fields, "sessions" };
const struct record_source coda_map_summary[] = { { "sessions", "totalSessions" }, MAP_END };

static const struct record_field updated_fields[] = {
	{ "docs", RECORD_TEXT, "the last day of which figures of docs are there" }, FIELDS_END
};
const struct record_shape coda_shape_updated = { "update", updated_fields, "docs" };
const struct record_source coda_map_updated[] = { { "docs", "docAnalyticsLastUpdated" }, MAP_END };

static const struct record_field link_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "type", RECORD_TEXT, "what it is" },
	{ "name", RECORD_TEXT, "its name" },
	{ "href", RECORD_TEXT, "its address in the API" },
	{ "url", RECORD_TEXT, "address for browsers" },
	FIELDS_END,
};
const struct record_shape coda_shape_link = { "link", link_fields, "type,id,name,href" };
const struct record_source coda_map_link[] = {
	{ "id", "resource.id" },     { "type", "resource.type" }, { "name", "resource.name" },
	{ "href", "resource.href" }, { "url", "browserLink" },	  MAP_END,
};
