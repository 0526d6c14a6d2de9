#pragma once
/*
 * Purpose: Coda's documents by its REST API: the connection, the operations (rows and functions), and what their records
 *	look like. The store of the tree (store_coda.h) stands on the same connection.
 *
 * Every request takes a token of the bucket that Coda counts it in: reading, writing, writing what is in a doc, listing
 * docs, analytics; the name of a row's service is the bucket.
 * Invariants: a limit is kept in every window of its length, also the first: burst and refill together are the limit.
 * Ownership: see cloud.h.
 * Threads: any; a connection is immutable but for its buckets.
 * Errors: by the status, with Coda's message: 400 and 422 INVALID, 401 UNAUTHENTICATED, 403 PERMISSION, 404 and 410
 *	NOT_FOUND, 429 THROTTLED.
 * Source: https://coda.io/developers/apis/v1 and its OpenAPI description, version 1.5.0 (read 2026-11).
 */
#include "backends/auth/token.h"
#include "backends/cloud/rest.h"

enum coda_bucket { CODA_READ, CODA_WRITE, CODA_CONTENT, CODA_LIST_DOCS, CODA_ANALYTICS, CODA_BUCKETS };

struct coda {
	struct cloud base;
	struct http_engine *engine;
	char *token, *url;
	struct token_source *source;
	struct signer *signer;
	struct ratelimit ratelimits[CODA_BUCKETS];
	struct service services[CODA_BUCKETS]; /* immutable after open */
};
static inline struct coda *coda_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct coda, base);
}
extern const struct cloud_driver cloud_coda;
extern const struct provider_option coda_option_rows[];
bool coda_is_configured(const struct backend_context *context);

/* The operations that are one call each. */
enum coda_op {
	CODA_WHOAMI, CODA_DOCS_LIST, CODA_DOCS_GET, CODA_DOCS_CREATE, CODA_DOCS_UPDATE, CODA_DOCS_DELETE, CODA_DOCS_PUBLISH,
	CODA_DOCS_UNPUBLISH, CODA_CATEGORIES_LIST, CODA_PAGES_LIST, CODA_PAGES_GET, CODA_PAGES_CREATE, CODA_PAGES_UPDATE,
	CODA_PAGES_DELETE, CODA_PAGES_CONTENT, CODA_PAGES_CLEAR, CODA_EXPORTS_BEGIN, CODA_EXPORTS_GET, CODA_TABLES_LIST,
	CODA_TABLES_GET, CODA_COLUMNS_LIST, CODA_COLUMNS_GET, CODA_ROWS_GET, CODA_BUTTONS_PUSH, CODA_FORMULAS_LIST,
	CODA_FORMULAS_GET, CODA_CONTROLS_LIST, CODA_CONTROLS_GET, CODA_AUTOMATIONS_TRIGGER, CODA_SHARING_GET,
	CODA_PERMISSIONS_LIST, CODA_PERMISSIONS_DELETE, CODA_ACL_GET, CODA_ACL_UPDATE, CODA_ANALYTICS_DOCS,
	CODA_ANALYTICS_PAGES, CODA_ANALYTICS_SUMMARY, CODA_ANALYTICS_UPDATED, CODA_LINKS_RESOLVE, CODA_MUTATIONS_GET,
	CODA_OPS
};
extern const struct rest_row coda_rows[CODA_OPS];
/* Those that are more than a call. */
cloud_fn coda_rows_list, coda_rows_insert, coda_rows_update, coda_rows_delete, coda_permissions_add,
	coda_principals_search, coda_pages_export;

extern const struct record_shape coda_shape_user, coda_shape_doc, coda_shape_page, coda_shape_line, coda_shape_export,
	coda_shape_table, coda_shape_column, coda_shape_row, coda_shape_value, coda_shape_change, coda_shape_sharing,
	coda_shape_permission, coda_shape_principal, coda_shape_acl, coda_shape_category, coda_shape_doc_analytics,
	coda_shape_page_analytics, coda_shape_summary, coda_shape_updated, coda_shape_link, coda_shape_mutation;
extern const struct record_source coda_map_user[], coda_map_doc[], coda_map_page[], coda_map_line[], coda_map_export[],
	coda_map_table[], coda_map_column[], coda_map_row[], coda_map_formula[], coda_map_control[], coda_map_change[],
	coda_map_sharing[], coda_map_permission[], coda_map_acl[], coda_map_category[], coda_map_doc_analytics[],
	coda_map_page_analytics[], coda_map_summary[], coda_map_updated[], coda_map_link[], coda_map_mutation[];

/* How pages are asked for, by the most items that are asked for at once. */
extern const struct rest_page coda_pages, coda_row_pages;

/* Waits until an export (from EXPORTS_BEGIN's answer) is done and reads it, CODA_EXPORT_MAX bytes at most. No credentials
 * go to where it is read from. */
#define CODA_EXPORT_MAX ((size_t)64 << 20)
int coda_export_text(struct cloud_call *call, const char *doc, const char *page, const char *format, struct buf *ret,
		     char **ret_id, struct error *err) MUST_CHECK;
