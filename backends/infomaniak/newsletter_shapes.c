/*
 * What a newsletter's things look like to users, and where their members stand in Infomaniak's answers.
 */
#include "backends/infomaniak/newsletter.h"

#define FIELDS_END { .name = NULL }
#define MAP_END	   { .name = NULL }

static const struct record_field domain_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "enabled, waiting, disabled, suspended, blocked or error" },
	{ "credit_month", RECORD_INT, "free mails each month" },
	{ "limit_by_hour", RECORD_INT, "most mails in an hour" },
	{ "statistics", RECORD_OBJECT, "figures" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_domain = { "newsletter", domain_fields, "id,name,status,credit_month,limit_by_hour" };
const struct record_source newsletter_map_domain[] = {
	{ "id", "id" },			{ "name", "name" },		       { "status", "status" },
	{ "credit_month", "credit_month" }, { "limit_by_hour", "limit_by_hour" }, { "statistics", "statistics" },
	MAP_END,
};

static const struct record_field campaign_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "subject", RECORD_TEXT, "subject" },
	{ "status", RECORD_TEXT, "draft, scheduled, sending, sent, canceled ..." },
	{ "lang", RECORD_TEXT, "language" },
	{ "preheader", RECORD_TEXT, "the line shown behind the subject" },
	{ "from_name", RECORD_TEXT, "sender's name" },
	{ "from", RECORD_TEXT, "sender's address" },
	{ "recipients", RECORD_ANY, "lists, segments and addresses that it goes to" },
	{ "subscribers", RECORD_INT, "to how many it goes, or went" },
	{ "started", RECORD_TIME, "when it is or was sent" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "statistics", RECORD_OBJECT, "figures" },
	{ "preview_url", RECORD_TEXT, "where it can be looked at" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_campaign = { "campaign", campaign_fields, "id,subject,status,lang,from,subscribers,started" };
const struct record_source newsletter_map_campaign[] = {
	{ "id", "id" },
	{ "subject", "subject" },
	{ "status", "status" },
	{ "lang", "lang" },
	{ "preheader", "preheader" },
	{ "from_name", "email_from_name" },
	{ "from", "email_from_addr" },
	{ "recipients", "recipients" },
	{ "subscribers", "subscribers_count" },
	{ "started", "started_at" },
	{ "created", "created_at" },
	{ "statistics", "statistics" },
	{ "preview_url", "preview_url" },
	MAP_END,
};

static const struct record_field list_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "contacts", RECORD_INT, "how many it holds" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	{ "statistics", RECORD_OBJECT, "figures" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_list = { "list", list_fields, "id,name,contacts,updated" };
const struct record_source newsletter_map_list[] = {
	{ "id", "id" },		     { "name", "name" },	     { "contacts", "subscribed_count" },
	{ "updated", "updated_at" }, { "statistics", "statistics" }, MAP_END,
};

static const struct record_field contact_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "email", RECORD_TEXT, "address" },
	{ "status", RECORD_TEXT, "active, unconfirmed, unsubscribed, bounced or junk" },
	{ "source", RECORD_TEXT, "api, import, manual or webform" },
	{ "groups", RECORD_LIST, "the lists it is in" },
	{ "fields", RECORD_ANY, "what is known of it" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "statistics", RECORD_OBJECT, "figures" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_contact = { "contact", contact_fields, "id,email,status,source,created" };
const struct record_source newsletter_map_contact[] = {
	{ "id", "id" },		{ "email", "email" },	{ "status", "status" },	    { "source", "source" },
	{ "groups", "groups" }, { "fields", "fields" }, { "created", "created_at" }, { "statistics", "statistics" },
	MAP_END,
};

static const struct record_field segment_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "contacts", RECORD_INT, "how many fit it" },
	{ "data", RECORD_ANY, "its conditions" },
	{ "updated", RECORD_TIME, "when it was changed last" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_segment = { "segment", segment_fields, "id,name,contacts,updated" };
const struct record_source newsletter_map_segment[] = {
	{ "id", "id" }, { "name", "name" }, { "contacts", "subscribed_count" }, { "data", "data" }, { "updated", "updated_at" },
	MAP_END,
};

static const struct record_field field_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "key", RECORD_TEXT, "how it is named in contents and contacts" },
	{ "value", RECORD_TEXT, "value" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_field = { "field", field_fields, "id,name,key" };
const struct record_source newsletter_map_field[] = {
	{ "id", "id" }, { "name", "name" }, { "key", "key" }, { "value", "value" }, MAP_END,
};

static const struct record_field template_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "thumbnail", RECORD_TEXT, "address of a picture of it" },
	{ "content", RECORD_ANY, "what it holds" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_template = { "template", template_fields, "id,name,thumbnail" };
const struct record_source newsletter_map_template[] = {
	{ "id", "id" }, { "name", "name" }, { "thumbnail", "thumbnail" }, { "content", "content" }, MAP_END,
};

static const struct record_field webform_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "name", RECORD_TEXT, "name" },
	{ "title", RECORD_TEXT, "title" },
	{ "subtitle", RECORD_TEXT, "subtitle" },
	{ "button", RECORD_TEXT, "text of the button" },
	{ "from", RECORD_TEXT, "sender's address of its mails" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_webform = { "webform", webform_fields, "id,name,title,from" };
const struct record_source newsletter_map_webform[] = {
	{ "id", "id" },		      { "name", "name" },	  { "title", "title" },
	{ "subtitle", "subtitle" },   { "button", "button" },	  { "from", "email_from_addr" }, MAP_END,
};

static const struct record_field credit_fields[] = {
	{ "id", RECORD_TEXT, "number" },
	{ "quantity", RECORD_INT, "how many mails" },
	{ "type", RECORD_TEXT, "bought, used ..." },
	{ "kind", RECORD_TEXT, "kind" },
	{ "campaign_id", RECORD_TEXT, "the campaign that used them" },
	{ "campaign", RECORD_TEXT, "its subject" },
	{ "created", RECORD_TIME, "when" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_credit = { "credit", credit_fields, "id,quantity,type,kind,campaign,created" };
const struct record_source newsletter_map_credit[] = {
	{ "id", "id" },		      { "quantity", "quantity" },	      { "type", "type" },
	{ "kind", "genre" },	      { "campaign_id", "campaign_id" },	      { "campaign", "campaign_subject" },
	{ "created", "created_at" },  MAP_END,
};

static const struct record_field answer_fields[] = {
	{ "result", RECORD_TEXT, "success, or asynchronous when it goes on" },
	{ "data", RECORD_ANY, "what the service says; of what goes on its number, for tasks cancel" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_answer = { "answer", answer_fields, "result,data" };
const struct record_source newsletter_map_answer[] = { { "result", "result" }, { "data", "data" }, MAP_END };

static const struct record_field send_fields[] = {
	{ "campaign", RECORD_TEXT, "number of the campaign" },
	{ "subject", RECORD_TEXT, "its subject" },
	{ "recipients", RECORD_INT, "to how many it goes" },
	{ "plan", RECORD_TEXT, "what would be done, in words" },
	{ "plan_id", RECORD_TEXT, "checksum, by which campaigns.send knows that this was seen" },
	{ "sent", RECORD_BOOL, "whether it is on its way" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_send = { "send", send_fields, "campaign,subject,recipients,plan_id,sent" };

static const struct record_field statistics_fields[] = {
	{ "campaign", RECORD_TEXT, "number of the campaign" },
	{ "tracking", RECORD_LIST, "what happened, one by one" },
	{ "links", RECORD_LIST, "how often each link was followed" },
	{ "activity", RECORD_LIST, "what each subscriber did" },
	FIELDS_END,
};
const struct record_shape newsletter_shape_statistics = { "statistics", statistics_fields, "campaign,tracking,links,activity" };
