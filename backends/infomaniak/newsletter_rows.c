/*
 * The operations that are one call of Infomaniak's Newsletter each, as rows.
 */
#include "backends/infomaniak/newsletter.h"

#define FIELDS(...) (const struct rest_field[]){ __VA_ARGS__, { .place = NULL } }
#define QUERY(param, name) { param, name, REST_QUERY, NULL }
#define BODY(param, name) { param, name, REST_BODY, NULL }
#define EMPTY_BODY { NULL, "", REST_BODY, "{}" }

#define BASE "1/newsletters/{domain}"
#define CALL(verb, where) .service = "newsletter", .method = verb, .path = BASE where
#define LIST(map) .items = "data", .record = map, .page = &pages
#define ALL(map) .items = "data", .record = map
#define ONE(map) .item = "data", .record = map
#define ANSWER .item = "", .record = newsletter_map_answer

#define CAMPAIGN "/campaigns/{campaign}"
#define GROUP	 "/groups/{list}"
#define CONTACT	 "/subscribers/{contact}"
#define SEGMENT	 "/segments/{segment}"
#define WEBFORM	 "/webforms/{webform}"

#define SEARCH QUERY("search", "filter[search]")
#define STATUS QUERY("status", "filter[status]")

#define CAMPAIGN_FIELDS                                                                                              \
	EMPTY_BODY, BODY("subject", "subject"), BODY("lang", "lang"), BODY("from_name", "email_from_name"),          \
		BODY("from", "email_from_addr"), BODY("preheader", "preheader"), BODY("content", "content_html"),    \
		BODY("template", "template_id"), BODY("recipients", "recipients"), BODY("all", "recipients.all_subscribers"), \
		BODY("lists", "recipients.groups.include"), BODY("segments", "recipients.segments.include"), \
		BODY("track_links", "tracking_link"), BODY("track_openings", "tracking_opening"), BODY("unsubscribe_link", "unsub_link")
#define WEBFORM_FIELDS \
	EMPTY_BODY, BODY("settings", ""), BODY("name", "name"), BODY("title", "title"), BODY("subtitle", "subtitle"), \
		BODY("button", "button"), BODY("lists", "groups")
/* Whom an operation on many contacts is about. */
#define SELECTION                                                                                                  \
	BODY("all", "select.all"), BODY("contacts", "select.include"), BODY("exclude", "select.exclude"),          \
		BODY("search", "filter.search"), BODY("status", "filter.status"), BODY("lists", "filter.groups"),  \
		BODY("segment", "segment")

static const struct rest_page pages = { REST_PAGE_NUMBER, REST_QUERY, "page", "pages", "per_page", 100 };

const struct rest_row newsletter_rows[NEWSLETTER_OPS] = {
	[NEWSLETTER_GET] = { CALL(HTTP_GET, ""), ONE(newsletter_map_domain) },

	[NEWSLETTER_CAMPAIGNS_LIST] = { CALL(HTTP_GET, "/campaigns"), LIST(newsletter_map_campaign),
					.fields = FIELDS(SEARCH, QUERY("status", "filter[status][]"), QUERY("from", "date_from"),
							 QUERY("to", "date_to")) },
	[NEWSLETTER_CAMPAIGNS_GET] = { CALL(HTTP_GET, CAMPAIGN), ONE(newsletter_map_campaign) },
	[NEWSLETTER_CAMPAIGNS_CREATE] = { CALL(HTTP_POST, "/campaigns"), ONE(newsletter_map_campaign),
					  .fields = FIELDS(CAMPAIGN_FIELDS) },
	[NEWSLETTER_CAMPAIGNS_UPDATE] = { CALL(HTTP_PUT, CAMPAIGN), ONE(newsletter_map_campaign),
					  .fields = FIELDS(CAMPAIGN_FIELDS) },
	[NEWSLETTER_CAMPAIGNS_DELETE] = { CALL(HTTP_DELETE, CAMPAIGN) },
	[NEWSLETTER_CAMPAIGNS_TEST] = { CALL(HTTP_POST, CAMPAIGN "/test"), .fields = FIELDS(BODY("email", "email")) },
	[NEWSLETTER_CAMPAIGNS_UNSCHEDULE] = { CALL(HTTP_PUT, CAMPAIGN "/cancel"), .fields = FIELDS(EMPTY_BODY) },
	[NEWSLETTER_CAMPAIGNS_DUPLICATE] = { CALL(HTTP_POST, CAMPAIGN "/duplicate"), ONE(newsletter_map_campaign),
					     .fields = FIELDS(EMPTY_BODY) },
	[NEWSLETTER_CAMPAIGNS_TEMPLATE] = { CALL(HTTP_POST, CAMPAIGN "/template/{template}"), ANSWER,
					    .fields = FIELDS(EMPTY_BODY) },
	[NEWSLETTER_CAMPAIGNS_TRACKING] = { CALL(HTTP_GET, CAMPAIGN "/tracking"), LIST(NULL),
					    .fields = FIELDS(QUERY("action", "filter[action]"), SEARCH) },
	[NEWSLETTER_CAMPAIGNS_LINKS] = { CALL(HTTP_GET, CAMPAIGN "/report/links"), ALL(NULL) },
	[NEWSLETTER_CAMPAIGNS_ACTIVITY] = { CALL(HTTP_GET, CAMPAIGN "/report/activity"), LIST(NULL),
					    .fields = FIELDS(QUERY("action", "filter[action]"), SEARCH) },

	[NEWSLETTER_LISTS_LIST] = { CALL(HTTP_GET, "/groups"), LIST(newsletter_map_list), .fields = FIELDS(SEARCH) },
	[NEWSLETTER_LISTS_GET] = { CALL(HTTP_GET, GROUP), ONE(newsletter_map_list) },
	[NEWSLETTER_LISTS_CREATE] = { CALL(HTTP_POST, "/groups"), ONE(newsletter_map_list), .fields = FIELDS(BODY("name", "name")) },
	[NEWSLETTER_LISTS_UPDATE] = { CALL(HTTP_PUT, GROUP), ONE(newsletter_map_list), .fields = FIELDS(BODY("name", "name")) },
	[NEWSLETTER_LISTS_DELETE] = { CALL(HTTP_DELETE, GROUP) },
	[NEWSLETTER_LISTS_CONTACTS] = { CALL(HTTP_GET, GROUP "/subscribers"), LIST(newsletter_map_contact),
					.fields = FIELDS(SEARCH, STATUS) },
	[NEWSLETTER_LISTS_ADD] = { CALL(HTTP_POST, GROUP "/subscribers/assign"), .is_idempotent = true,
				   .fields = FIELDS(BODY("contacts", "subscriber_ids")) },
	[NEWSLETTER_LISTS_REMOVE] = { CALL(HTTP_POST, GROUP "/subscribers/unassign"), .is_idempotent = true,
				      .fields = FIELDS(BODY("contacts", "subscriber_ids")) },

	[NEWSLETTER_CONTACTS_LIST] = { CALL(HTTP_GET, "/subscribers"), LIST(newsletter_map_contact), .fields = FIELDS(SEARCH, STATUS) },
	[NEWSLETTER_CONTACTS_GET] = { CALL(HTTP_GET, CONTACT), ONE(newsletter_map_contact) },
	[NEWSLETTER_CONTACTS_CREATE] = { CALL(HTTP_POST, "/subscribers"), ONE(newsletter_map_contact),
					 .fields = FIELDS(BODY("email", "email"), BODY("lists", "groups"), BODY("field", "fields"),
							  BODY("status", "status")) },
	[NEWSLETTER_CONTACTS_UPDATE] = { CALL(HTTP_PUT, CONTACT), ONE(newsletter_map_contact),
					 .fields = FIELDS(EMPTY_BODY, BODY("lists", "groups"), BODY("field", "fields"),
							  BODY("status", "status")) },
	[NEWSLETTER_CONTACTS_DELETE] = { CALL(HTTP_DELETE, CONTACT) },
	[NEWSLETTER_CONTACTS_FORGET] = { CALL(HTTP_DELETE, CONTACT "/forget") },
	[NEWSLETTER_CONTACTS_EXPORT] = { CALL(HTTP_POST, "/subscribers/export"), ANSWER, .fields = FIELDS(SELECTION) },
	[NEWSLETTER_CONTACTS_UNSUBSCRIBE] = { CALL(HTTP_PUT, "/subscribers/unsubscribe"), ANSWER, .fields = FIELDS(SELECTION) },
	[NEWSLETTER_CONTACTS_ASSIGN] = { CALL(HTTP_PUT, "/subscribers/assign"), ANSWER,
					 .fields = FIELDS(SELECTION, BODY("to", "groups")) },
	[NEWSLETTER_CONTACTS_UNASSIGN] = { CALL(HTTP_PUT, "/subscribers/unassign"), ANSWER,
					   .fields = FIELDS(SELECTION, BODY("from", "group_id")) },
	[NEWSLETTER_CONTACTS_COUNT] = { CALL(HTTP_GET, "/subscribers/count_status"), ANSWER },

	[NEWSLETTER_SEGMENTS_LIST] = { CALL(HTTP_GET, "/segments"), LIST(newsletter_map_segment), .fields = FIELDS(SEARCH) },
	[NEWSLETTER_SEGMENTS_GET] = { CALL(HTTP_GET, SEGMENT), ONE(newsletter_map_segment) },
	[NEWSLETTER_SEGMENTS_CREATE] = { CALL(HTTP_POST, "/segments"), ONE(newsletter_map_segment),
					 .fields = FIELDS(BODY("name", "name"), BODY("conditions", "data")) },
	[NEWSLETTER_SEGMENTS_UPDATE] = { CALL(HTTP_PUT, SEGMENT), ONE(newsletter_map_segment),
					 .fields = FIELDS(EMPTY_BODY, BODY("name", "name"), BODY("conditions", "data")) },
	[NEWSLETTER_SEGMENTS_DELETE] = { CALL(HTTP_DELETE, SEGMENT) },
	[NEWSLETTER_SEGMENTS_CONTACTS] = { CALL(HTTP_GET, SEGMENT "/subscribers"), LIST(newsletter_map_contact),
					   .fields = FIELDS(SEARCH, STATUS) },

	[NEWSLETTER_FIELDS_LIST] = { CALL(HTTP_GET, "/fields"), LIST(newsletter_map_field), .fields = FIELDS(SEARCH) },
	[NEWSLETTER_FIELDS_CREATE] = { CALL(HTTP_POST, "/fields"), ONE(newsletter_map_field),
				       .fields = FIELDS(BODY("name", "name"), BODY("type", "type"), BODY("slug", "slug")) },
	[NEWSLETTER_FIELDS_UPDATE] = { CALL(HTTP_PUT, "/fields/{field}"), ONE(newsletter_map_field),
				       .fields = FIELDS(BODY("name", "name")) },
	[NEWSLETTER_FIELDS_DELETE] = { CALL(HTTP_DELETE, "/fields/{field}") },

	[NEWSLETTER_TEMPLATES_LIST] = { CALL(HTTP_GET, "/templates"), LIST(newsletter_map_template) },
	[NEWSLETTER_TEMPLATES_GET] = { CALL(HTTP_GET, "/templates/{template}/html"), ANSWER },

	[NEWSLETTER_WEBFORMS_LIST] = { CALL(HTTP_GET, "/webforms"), LIST(newsletter_map_webform), .fields = FIELDS(SEARCH) },
	[NEWSLETTER_WEBFORMS_GET] = { CALL(HTTP_GET, WEBFORM), ONE(newsletter_map_webform) },
	[NEWSLETTER_WEBFORMS_CREATE] = { CALL(HTTP_POST, "/webforms"), ONE(newsletter_map_webform), .fields = FIELDS(WEBFORM_FIELDS) },
	[NEWSLETTER_WEBFORMS_UPDATE] = { CALL(HTTP_PUT, WEBFORM), ONE(newsletter_map_webform), .fields = FIELDS(WEBFORM_FIELDS) },
	[NEWSLETTER_WEBFORMS_DELETE] = { CALL(HTTP_DELETE, WEBFORM) },
	[NEWSLETTER_WEBFORMS_FIELDS] = { CALL(HTTP_GET, WEBFORM "/fields"), ALL(NULL) },
	[NEWSLETTER_WEBFORMS_THEMES] = { CALL(HTTP_GET, "/webforms/themes"), ALL(NULL) },

	[NEWSLETTER_CREDITS_LIST] = { CALL(HTTP_GET, "/credits"), LIST(newsletter_map_credit), .fields = FIELDS(SEARCH) },
	[NEWSLETTER_CREDITS_GET] = { CALL(HTTP_GET, "/credits/details"), ANSWER },
	[NEWSLETTER_CREDITS_ACCOUNT] = { CALL(HTTP_GET, "/credits/accounts"), ANSWER },
	[NEWSLETTER_CREDITS_PACKS] = { CALL(HTTP_GET, "/credits/packs"), ALL(NULL) },

	[NEWSLETTER_TASKS_CANCEL] = { CALL(HTTP_DELETE, "/operations/{task}") },
};
