#pragma once
/*
 * Purpose: Infomaniak's Newsletter by its own API: the connection, the operations (rows and functions), and what their records
 *	look like.
 *
 * A newsletter is a "domain" of the account; every path begins with its number. Answers are {result, data}; lists come in pages
 * that are counted.
 * Invariants: nothing is sent to subscribers but by newsletter_send, which needs the plan that was seen.
 * Ownership: see cloud.h.
 * Threads: any; a connection is immutable.
 * Source: Infomaniak's OpenAPI description, paths /1/newsletters (developer.infomaniak.com, 2026-01).
 */
#include "backends/auth/token.h"
#include "backends/cloud/rest.h"

struct newsletter {
	struct cloud base;
	struct http_engine *engine;
	char *token, *url, *id; /* id: NULL when none is set */
	struct token_source *source;
	struct signer *signer;
	struct ratelimit ratelimit;
	struct service service; /* immutable after open */
};
static inline struct newsletter *newsletter_of(const struct cloud_call *call)
{
	return container_of(call->cloud, struct newsletter, base);
}
extern const struct cloud_driver cloud_infomaniak_newsletter;

enum newsletter_op {
	NEWSLETTER_GET, NEWSLETTER_CAMPAIGNS_LIST, NEWSLETTER_CAMPAIGNS_GET, NEWSLETTER_CAMPAIGNS_CREATE,
	NEWSLETTER_CAMPAIGNS_UPDATE, NEWSLETTER_CAMPAIGNS_DELETE, NEWSLETTER_CAMPAIGNS_TEST, NEWSLETTER_CAMPAIGNS_UNSCHEDULE,
	NEWSLETTER_CAMPAIGNS_DUPLICATE, NEWSLETTER_CAMPAIGNS_TEMPLATE, NEWSLETTER_CAMPAIGNS_TRACKING, NEWSLETTER_CAMPAIGNS_LINKS,
	NEWSLETTER_CAMPAIGNS_ACTIVITY, NEWSLETTER_LISTS_LIST, NEWSLETTER_LISTS_GET, NEWSLETTER_LISTS_CREATE,
	NEWSLETTER_LISTS_UPDATE, NEWSLETTER_LISTS_DELETE, NEWSLETTER_LISTS_CONTACTS, NEWSLETTER_LISTS_ADD,
	NEWSLETTER_LISTS_REMOVE, NEWSLETTER_CONTACTS_LIST, NEWSLETTER_CONTACTS_GET, NEWSLETTER_CONTACTS_CREATE,
	NEWSLETTER_CONTACTS_UPDATE, NEWSLETTER_CONTACTS_DELETE, NEWSLETTER_CONTACTS_FORGET, NEWSLETTER_CONTACTS_EXPORT,
	NEWSLETTER_CONTACTS_UNSUBSCRIBE, NEWSLETTER_CONTACTS_ASSIGN, NEWSLETTER_CONTACTS_UNASSIGN, NEWSLETTER_CONTACTS_COUNT,
	NEWSLETTER_SEGMENTS_LIST, NEWSLETTER_SEGMENTS_GET, NEWSLETTER_SEGMENTS_CREATE, NEWSLETTER_SEGMENTS_UPDATE,
	NEWSLETTER_SEGMENTS_DELETE, NEWSLETTER_SEGMENTS_CONTACTS, NEWSLETTER_FIELDS_LIST, NEWSLETTER_FIELDS_CREATE,
	NEWSLETTER_FIELDS_UPDATE, NEWSLETTER_FIELDS_DELETE, NEWSLETTER_TEMPLATES_LIST, NEWSLETTER_TEMPLATES_GET,
	NEWSLETTER_WEBFORMS_LIST, NEWSLETTER_WEBFORMS_GET, NEWSLETTER_WEBFORMS_CREATE, NEWSLETTER_WEBFORMS_UPDATE,
	NEWSLETTER_WEBFORMS_DELETE, NEWSLETTER_WEBFORMS_FIELDS, NEWSLETTER_WEBFORMS_THEMES, NEWSLETTER_CREDITS_LIST,
	NEWSLETTER_CREDITS_GET, NEWSLETTER_CREDITS_ACCOUNT, NEWSLETTER_CREDITS_PACKS, NEWSLETTER_TASKS_CANCEL,
	NEWSLETTER_OPS
};
extern const struct rest_row newsletter_rows[NEWSLETTER_OPS];
/* Those that are more than a call. */
cloud_fn newsletter_campaign_schedule, newsletter_campaign_statistics, newsletter_send_preview, newsletter_send,
	newsletter_contacts_import;

extern const struct record_shape newsletter_shape_domain, newsletter_shape_campaign, newsletter_shape_list,
	newsletter_shape_contact, newsletter_shape_segment, newsletter_shape_field, newsletter_shape_template,
	newsletter_shape_webform, newsletter_shape_credit, newsletter_shape_answer, newsletter_shape_send,
	newsletter_shape_statistics;
extern const struct record_source newsletter_map_domain[], newsletter_map_campaign[], newsletter_map_list[],
	newsletter_map_contact[], newsletter_map_segment[], newsletter_map_field[], newsletter_map_template[],
	newsletter_map_webform[], newsletter_map_credit[], newsletter_map_answer[];
