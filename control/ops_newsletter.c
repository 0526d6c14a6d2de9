/*
 * Purpose: the operations on Infomaniak's Newsletter: rows. backends/infomaniak has what they send.
 */
#include "backends/infomaniak/newsletter.h"
#include "control/op.h"

#define ROW(op_name) .provider = "infomaniak-newsletter", .own = {.row = &newsletter_rows[op_name]}
#define RUN(fn)	     .provider = "infomaniak-newsletter", .own = {.run = fn}

static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const langs[] = {"de_DE", "en_GB", "es_ES", "fr_FR", "it_IT", NULL};
static const char *const campaign_states[] = {"blocked", "canceled", "draft", "scheduled", "scheduled_v1", "sending",
					      "sending_failed", "sending_v1", "sent", "unknown", NULL};
static const char *const contact_states[] = {"active", "bounced", "junk", "unconfirmed", "under_verification", "unsubscribed",
					     NULL};
static const char *const set_states[] = {"active", "unsubscribed", NULL};
static const char *const actions[] = {"bounce", "click", "complaint", "delivery", "not_delivery", "not_open", "open", "sbounce",
				      "send", "unsub", NULL};
static const char *const reports[] = {"bounce", "click", "complaint", "not_open", "open", "sbounce", "unsub", NULL};
static const char *const field_types[] = {"boolean", "date_en", "date_fr", "email", "float", "number", "text", NULL};

#define NUMBER(what, text, list) \
	{what, OP_STRING, true, 20, text, .position = 1, .completes = list}
#define WHICH {"newsletter", OP_STRING, false, 20, "number of the newsletter, if not the configured one"}
#define SEARCH {"search", OP_STRING, false, 500, "only those that hold this"}
#define CONTACT_STATE {"status", OP_ENUM, false, 0, "only those that are so", .choices = contact_states}
#define CAMPAIGN NUMBER("campaign", "number of the campaign", "newsletter.campaigns.list")
#define LIST NUMBER("list", "number of the list", "newsletter.lists.list")
#define CONTACT NUMBER("contact", "number of the contact", NULL)
#define SEGMENT NUMBER("segment", "number of the segment", "newsletter.segments.list")
#define WEBFORM NUMBER("webform", "number of the form", "newsletter.webforms.list")

static const struct op_param which_params[] = {WHICH, OP_PARAM_END};
static const struct op_param search_params[] = {SEARCH, WHICH, OP_PARAM_END};
static const struct op_param campaigns_params[] = {
	SEARCH,
	{"status", OP_ENUM, false, 0, "only those that are so", .choices = campaign_states},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param campaign_params[] = {CAMPAIGN, WHICH, OP_PARAM_END};
#define CAMPAIGN_FIELDS(needed)                                                                              \
	{"subject", OP_STRING, needed, 255, "subject"},                                                      \
		{"lang", OP_ENUM, needed, 0, "language", .choices = langs},                                  \
		{"from_name", OP_STRING, needed, 255, "sender's name"},                                      \
		{"from", OP_STRING, needed, 255, "sender's address"},                                        \
		{"preheader", OP_STRING, false, 255, "the line shown behind the subject"},                   \
		{"content", OP_TEXT, false, 1 << 20, "what it says, as HTML"},                               \
		{"template", OP_STRING, false, 20, "number of a template", .completes = "newsletter.templates.list"}, \
		{"all", OP_BOOL, false, 0, "it goes to all contacts"},                                       \
		{"lists", OP_LIST, false, 20, "number of a list that it goes to; may be repeated"},          \
		{"segments", OP_LIST, false, 20, "number of a segment that it goes to; may be repeated"},    \
		{"recipients", OP_JSON, false, 0, "all that the API takes of recipients"},                   \
		{"track_links", OP_ENUM, false, 0, "count clicks", .choices = yes_no},                       \
		{"track_openings", OP_ENUM, false, 0, "count openings", .choices = yes_no},                  \
		{"unsubscribe_link", OP_ENUM, false, 0, "add a link to unsubscribe", .choices = yes_no}, WHICH
static const struct op_param campaign_create_params[] = {CAMPAIGN_FIELDS(true), OP_PARAM_END};
static const struct op_param campaign_update_params[] = {CAMPAIGN, CAMPAIGN_FIELDS(false), OP_PARAM_END};
static const struct op_param test_params[] = {
	CAMPAIGN,
	{"email", OP_STRING, true, 255, "the address that gets it", .position = 2},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param schedule_params[] = {
	CAMPAIGN,
	{"at", OP_STRING, true, 40, "when, as in 2026-11-24T08:00:00Z", .position = 2},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param send_params[] = {
	CAMPAIGN,
	{"plan_id", OP_STRING, false, 64, "checksum of the preview that was seen (newsletter.campaigns.preview shows it)"},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param campaign_template_params[] = {
	CAMPAIGN,
	{"template", OP_STRING, true, 64, "the template to make", .position = 2},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param tracking_params[] = {
	CAMPAIGN, {"action", OP_ENUM, false, 0, "only this", .choices = actions}, SEARCH, WHICH, OP_PARAM_END};
static const struct op_param activity_params[] = {
	CAMPAIGN, {"action", OP_ENUM, false, 0, "only this", .choices = reports}, SEARCH, WHICH, OP_PARAM_END};
static const struct op_param list_params[] = {LIST, WHICH, OP_PARAM_END};
static const struct op_param list_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1}, WHICH, OP_PARAM_END};
static const struct op_param list_update_params[] = {
	LIST, {"name", OP_STRING, true, 255, "new name", .position = 2}, WHICH, OP_PARAM_END};
static const struct op_param list_contacts_params[] = {LIST, SEARCH, CONTACT_STATE, WHICH, OP_PARAM_END};
static const struct op_param list_add_params[] = {
	LIST,
	{"contacts", OP_LIST, true, 20, "number of a contact; may be several", .position = 2, .is_rest = true},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param contacts_params[] = {SEARCH, CONTACT_STATE, WHICH, OP_PARAM_END};
static const struct op_param contact_params[] = {CONTACT, WHICH, OP_PARAM_END};
#define CONTACT_FIELDS(states)                                                                           \
	{"lists", OP_LIST, false, 255, "number or name of a list; a new name makes one; may be repeated"}, \
		{"field", OP_MAP, false, 4096, "what is known of it, by the field's key; may be repeated"},   \
		{"status", OP_ENUM, false, 0, "what it is", .choices = states}, WHICH
static const struct op_param contact_create_params[] = {
	{"email", OP_STRING, true, 320, "address", .position = 1}, CONTACT_FIELDS(set_states), OP_PARAM_END};
static const struct op_param contact_update_params[] = {CONTACT, CONTACT_FIELDS(set_states), OP_PARAM_END};
#define SELECTION                                                                             \
	{"contacts", OP_LIST, false, 20, "number of a contact; may be repeated"},             \
		{"all", OP_BOOL, false, 0, "all contacts, or all that the filters leave"},    \
		{"exclude", OP_LIST, false, 20, "but not this contact; may be repeated"},     \
		SEARCH, CONTACT_STATE,                                                        \
		{"lists", OP_LIST, false, 20, "only those of this list; may be repeated"},    \
		{"segment", OP_STRING, false, 64, "only those of this segment"}, WHICH
static const struct op_param selection_params[] = {SELECTION, OP_PARAM_END};
static const struct op_param assign_params[] = {
	SELECTION, {"to", OP_LIST, true, 255, "number or name of a list; may be repeated"}, OP_PARAM_END};
static const struct op_param unassign_params[] = {
	SELECTION, {"from", OP_STRING, true, 20, "number of the list"}, OP_PARAM_END};
static const struct op_param import_params[] = {
	{"csv", OP_TEXT, true, 1 << 20, "the file", .position = 1},
	{"fields", OP_LIST, true, 255, "the field of each column, in order: its number, or type and name; may be repeated"},
	{"lists", OP_LIST, false, 255, "number or name of a list they go to; may be repeated"},
	{"separator", OP_STRING, false, 4, "between the columns"},
	{"enclosure", OP_STRING, false, 4, "around the values"},
	{"replace", OP_ENUM, false, 0, "whether what is known of contacts that are there is replaced (yes)", .choices = yes_no},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param segment_params[] = {SEGMENT, WHICH, OP_PARAM_END};
static const struct op_param segment_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	{"conditions", OP_JSON, true, 0, "{\"closure\": \"OR\", \"conds\": [{\"closure\": \"AND\", \"conds\": [...]}]}"},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param segment_update_params[] = {
	SEGMENT,
	{"name", OP_STRING, false, 255, "new name"},
	{"conditions", OP_JSON, false, 0, "new conditions"},
	WHICH,
	OP_PARAM_END,
};
static const struct op_param segment_contacts_params[] = {SEGMENT, SEARCH, CONTACT_STATE, WHICH, OP_PARAM_END};
static const struct op_param field_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1},
	{"type", OP_ENUM, true, 0, "what it holds", .position = 2, .choices = field_types},
	{"slug", OP_STRING, false, 255, "its key, if not made of the name"},
	WHICH,
	OP_PARAM_END,
};
#define FIELD NUMBER("field", "number of the field", "newsletter.fields.list")
static const struct op_param field_update_params[] = {
	FIELD, {"name", OP_STRING, true, 255, "new name", .position = 2}, WHICH, OP_PARAM_END};
static const struct op_param field_params[] = {FIELD, WHICH, OP_PARAM_END};
static const struct op_param template_params[] = {
	NUMBER("template", "number of the template", "newsletter.templates.list"), WHICH, OP_PARAM_END};
static const struct op_param webform_params[] = {WEBFORM, WHICH, OP_PARAM_END};
#define WEBFORM_FIELDS                                                                         \
	{"title", OP_STRING, false, 255, "title"},                                             \
		{"subtitle", OP_STRING, false, 1000, "subtitle"},                              \
		{"button", OP_STRING, false, 255, "text of the button"},                       \
		{"lists", OP_LIST, false, 20, "number of a list they go to; may be repeated"}, \
		{"settings", OP_JSON, false, 0, "all else that the API takes of a form"}, WHICH
static const struct op_param webform_create_params[] = {
	{"name", OP_STRING, true, 255, "name", .position = 1}, WEBFORM_FIELDS, OP_PARAM_END};
static const struct op_param webform_update_params[] = {
	WEBFORM, {"name", OP_STRING, false, 255, "new name"}, WEBFORM_FIELDS, OP_PARAM_END};
static const struct op_param task_params[] = {
	{"task", OP_STRING, true, 128, "number of what goes on", .position = 1}, WHICH, OP_PARAM_END};

/* ---- numbers are numbers there ---- */

static int to_number(const char *name, const char *word, struct json_object **ret, struct error *err)
{
	int64_t n;

	if (str_to_i64(str_of(word), &n) < 0 || n < 0)
		return error_set(err, ERR_INVALID, "parameter '%s' must be a number, not '%.40s'", name, word);
	*ret = json_object_new_int64(n);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int set_number(struct json_object *params, const char *name, struct error *err)
{
	const char *word = json_get_string(params, name);
	struct json_object *number = NULL;
	int r = word ? to_number(name, word, &number, err) : 0;

	if (r == 0 && word)
		json_object_object_add(params, name, number);
	return r;
}

static int set_numbers(struct json_object *params, const char *name, struct error *err)
{
	struct json_object *words = json_get_array(params, name), *numbers;
	int r = 0;

	if (!words)
		return 0;
	numbers = json_object_new_array();
	for (size_t i = 0; numbers && i < json_object_array_length(words) && r == 0; i++) {
		struct json_object *number = NULL;

		r = to_number(name, json_object_get_string(json_object_array_get_idx(words, i)), &number, err);
		if (r == 0)
			json_object_array_add(numbers, number);
	}
	if (!numbers || r < 0) {
		json_object_put(numbers);
		return numbers ? r : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	json_object_object_add(params, name, numbers);
	return 0;
}

static void set_flags(struct json_object *params)
{
	static const char *const names[] = {"track_links", "track_openings", "unsubscribe_link", "replace"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *word = json_get_string(params, names[i]);

		if (word)
			json_object_object_add(params, names[i], json_object_new_boolean(!strcmp(word, "yes")));
	}
}

static int copy(struct json_object *params, struct json_object **ret, struct error *err)
{
	return json_object_deep_copy(params, ret, NULL) == 0 ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* Lists, segments and contacts by number, and flags: where names of lists would do, prepare_flags is used. */
static int prepare_numbers(struct json_object *params, struct json_object **ret, struct error *err)
{
	static const char *const lists[] = {"lists", "segments", "contacts", "exclude"};
	CLEANUP(json_putp) struct json_object *own = NULL;
	int r = copy(params, &own, err);

	for (size_t i = 0; i < ARRAY_SIZE(lists) && r == 0; i++)
		r = set_numbers(own, lists[i], err);
	if (r == 0)
		r = set_number(own, "template", err);
	if (r < 0)
		return r;
	set_flags(own);
	*ret = steal(own);
	return 0;
}

static int prepare_flags(struct json_object *params, struct json_object **ret, struct error *err)
{
	int r = copy(params, ret, err);

	if (r == 0)
		set_flags(*ret);
	return r;
}

/* Whom it is about must be said: nothing said must not mean all. */
static int prepare_selection(struct json_object *params, struct json_object **ret, struct error *err)
{
	bool is_all = json_get_bool(params, "all", false);
	int r;

	if (!is_all && !json_get_array(params, "contacts"))
		return error_set(err, ERR_INVALID, "whom is it about? name contacts, or say all (with filters)");
	if (is_all && json_get_array(params, "contacts"))
		return error_set(err, ERR_INVALID, "contacts and all exclude each other");
	r = prepare_numbers(params, ret, err);
	if (r == 0)
		r = set_number(*ret, "from", err);
	if (r == 0)
		json_object_object_add(*ret, "all", json_object_new_boolean(is_all));
	if (r < 0) {
		json_object_put(*ret);
		*ret = NULL;
	}
	return r;
}

extern const struct op newsletter_op_rows[];
const struct op newsletter_op_rows[] = {
	{.name = "newsletter.get",
	 .summary = "show the newsletter",
	 .params = which_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_domain,
	 ROW(NEWSLETTER_GET)},
	{.name = "newsletter.campaigns.list",
	 .summary = "list the campaigns",
	 .params = campaigns_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_campaign,
	 ROW(NEWSLETTER_CAMPAIGNS_LIST)},
	{.name = "newsletter.campaigns.get",
	 .summary = "show a campaign",
	 .params = campaign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_campaign,
	 ROW(NEWSLETTER_CAMPAIGNS_GET)},
	{.name = "newsletter.campaigns.create",
	 .summary = "create a campaign; nothing is sent",
	 .risk = OP_CHANGE,
	 .params = campaign_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_campaign,
	 .prepare = prepare_numbers,
	 .example = "skydir newsletter campaigns create --subject News --lang en_GB --from-name Ann --from ann@example.org "
		    "--content news.html --lists 7",
	 ROW(NEWSLETTER_CAMPAIGNS_CREATE)},
	{.name = "newsletter.campaigns.update",
	 .summary = "change a campaign",
	 .risk = OP_CHANGE,
	 .params = campaign_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_campaign,
	 .prepare = prepare_numbers,
	 ROW(NEWSLETTER_CAMPAIGNS_UPDATE)},
	{.name = "newsletter.campaigns.delete",
	 .summary = "delete a campaign",
	 .risk = OP_DESTROY,
	 .params = campaign_params,
	 ROW(NEWSLETTER_CAMPAIGNS_DELETE)},
	{.name = "newsletter.campaigns.test",
	 .summary = "send a campaign to one address, as a test",
	 .risk = OP_CHANGE,
	 .params = test_params,
	 ROW(NEWSLETTER_CAMPAIGNS_TEST)},
	{.name = "newsletter.campaigns.preview",
	 .summary = "show to how many a campaign would go if it were sent",
	 .params = campaign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_send,
	 RUN(newsletter_send_preview)},
	{.name = "newsletter.campaigns.send",
	 .summary = "send a campaign to its recipients now",
	 .risk = OP_DESTROY,
	 .params = send_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_send,
	 .details = "What was seen must be said: on a terminal the number of recipients is shown first, elsewhere --plan-id of\n"
		    "the preview is needed. When the campaign or the number has changed since, nothing is sent.",
	 .planned_by = "newsletter.campaigns.preview",
	 .example = "skydir newsletter campaigns preview 12\n"
		    "skydir newsletter campaigns send 12 --plan-id 4f0c... --yes",
	 RUN(newsletter_send)},
	{.name = "newsletter.campaigns.schedule",
	 .summary = "have a campaign sent later",
	 .risk = OP_CHANGE,
	 .params = schedule_params,
	 RUN(newsletter_campaign_schedule)},
	{.name = "newsletter.campaigns.unschedule",
	 .summary = "stop a campaign that is scheduled",
	 .risk = OP_CHANGE,
	 .params = campaign_params,
	 ROW(NEWSLETTER_CAMPAIGNS_UNSCHEDULE)},
	{.name = "newsletter.campaigns.duplicate",
	 .summary = "make a campaign like another one",
	 .risk = OP_CHANGE,
	 .params = campaign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_campaign,
	 ROW(NEWSLETTER_CAMPAIGNS_DUPLICATE)},
	{.name = "newsletter.campaigns.template",
	 .summary = "make a template of a campaign",
	 .risk = OP_CHANGE,
	 .params = campaign_template_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 ROW(NEWSLETTER_CAMPAIGNS_TEMPLATE)},
	{.name = "newsletter.campaigns.statistics",
	 .summary = "show all figures of a campaign",
	 .params = campaign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_statistics,
	 RUN(newsletter_campaign_statistics)},
	{.name = "newsletter.campaigns.tracking",
	 .summary = "list what happened to a campaign's mails",
	 .params = tracking_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_CAMPAIGNS_TRACKING)},
	{.name = "newsletter.campaigns.links",
	 .summary = "list how often a campaign's links were followed",
	 .params = campaign_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_CAMPAIGNS_LINKS)},
	{.name = "newsletter.campaigns.activity",
	 .summary = "list what each subscriber did with a campaign",
	 .params = activity_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_CAMPAIGNS_ACTIVITY)},
	{.name = "newsletter.lists.list",
	 .summary = "list the mailing lists",
	 .params = search_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_list,
	 ROW(NEWSLETTER_LISTS_LIST)},
	{.name = "newsletter.lists.get",
	 .summary = "show a mailing list",
	 .params = list_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_list,
	 ROW(NEWSLETTER_LISTS_GET)},
	{.name = "newsletter.lists.create",
	 .summary = "create a mailing list",
	 .risk = OP_CHANGE,
	 .params = list_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_list,
	 ROW(NEWSLETTER_LISTS_CREATE)},
	{.name = "newsletter.lists.update",
	 .summary = "rename a mailing list",
	 .risk = OP_CHANGE,
	 .params = list_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_list,
	 ROW(NEWSLETTER_LISTS_UPDATE)},
	{.name = "newsletter.lists.delete",
	 .summary = "delete a mailing list; its contacts stay",
	 .risk = OP_DESTROY,
	 .params = list_params,
	 ROW(NEWSLETTER_LISTS_DELETE)},
	{.name = "newsletter.lists.contacts",
	 .summary = "list the contacts of a mailing list",
	 .params = list_contacts_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_contact,
	 ROW(NEWSLETTER_LISTS_CONTACTS)},
	{.name = "newsletter.lists.add",
	 .summary = "put contacts into a mailing list",
	 .risk = OP_CHANGE,
	 .params = list_add_params,
	 .prepare = prepare_numbers,
	 ROW(NEWSLETTER_LISTS_ADD)},
	{.name = "newsletter.lists.remove",
	 .summary = "take contacts out of a mailing list",
	 .risk = OP_CHANGE,
	 .params = list_add_params,
	 .prepare = prepare_numbers,
	 ROW(NEWSLETTER_LISTS_REMOVE)},
	{.name = "newsletter.contacts.list",
	 .summary = "list the contacts",
	 .params = contacts_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_contact,
	 ROW(NEWSLETTER_CONTACTS_LIST)},
	{.name = "newsletter.contacts.get",
	 .summary = "show a contact",
	 .params = contact_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_contact,
	 ROW(NEWSLETTER_CONTACTS_GET)},
	{.name = "newsletter.contacts.create",
	 .summary = "create a contact",
	 .risk = OP_CHANGE,
	 .params = contact_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_contact,
	 .example = "skydir newsletter contacts create ann@example.org --lists Friends --field firstname=Ann",
	 ROW(NEWSLETTER_CONTACTS_CREATE)},
	{.name = "newsletter.contacts.update",
	 .summary = "change a contact",
	 .risk = OP_CHANGE,
	 .params = contact_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_contact,
	 ROW(NEWSLETTER_CONTACTS_UPDATE)},
	{.name = "newsletter.contacts.delete",
	 .summary = "delete a contact",
	 .risk = OP_DESTROY,
	 .params = contact_params,
	 ROW(NEWSLETTER_CONTACTS_DELETE)},
	{.name = "newsletter.contacts.forget",
	 .summary = "delete a contact and all that is known of it, for good",
	 .risk = OP_DESTROY,
	 .params = contact_params,
	 ROW(NEWSLETTER_CONTACTS_FORGET)},
	{.name = "newsletter.contacts.count",
	 .summary = "show how many contacts there are in each state",
	 .params = which_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 ROW(NEWSLETTER_CONTACTS_COUNT)},
	{.name = "newsletter.contacts.import",
	 .summary = "import contacts from a CSV file",
	 .risk = OP_CHANGE,
	 .params = import_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 .prepare = prepare_flags,
	 .example = "skydir newsletter contacts import people.csv --fields email --fields 'text firstname' --lists Friends",
	 RUN(newsletter_contacts_import)},
	{.name = "newsletter.contacts.export",
	 .summary = "have contacts exported; the service sends a link by mail",
	 .risk = OP_CHANGE,
	 .params = selection_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 .prepare = prepare_selection,
	 ROW(NEWSLETTER_CONTACTS_EXPORT)},
	{.name = "newsletter.contacts.unsubscribe",
	 .summary = "unsubscribe contacts",
	 .risk = OP_DESTROY,
	 .params = selection_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 .prepare = prepare_selection,
	 ROW(NEWSLETTER_CONTACTS_UNSUBSCRIBE)},
	{.name = "newsletter.contacts.assign",
	 .summary = "put many contacts into lists",
	 .risk = OP_CHANGE,
	 .params = assign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 .prepare = prepare_selection,
	 ROW(NEWSLETTER_CONTACTS_ASSIGN)},
	{.name = "newsletter.contacts.unassign",
	 .summary = "take many contacts out of a list",
	 .risk = OP_CHANGE,
	 .params = unassign_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 .prepare = prepare_selection,
	 ROW(NEWSLETTER_CONTACTS_UNASSIGN)},
	{.name = "newsletter.segments.list",
	 .summary = "list the segments",
	 .params = search_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_segment,
	 ROW(NEWSLETTER_SEGMENTS_LIST)},
	{.name = "newsletter.segments.get",
	 .summary = "show a segment",
	 .params = segment_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_segment,
	 ROW(NEWSLETTER_SEGMENTS_GET)},
	{.name = "newsletter.segments.create",
	 .summary = "create a segment",
	 .risk = OP_CHANGE,
	 .params = segment_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_segment,
	 ROW(NEWSLETTER_SEGMENTS_CREATE)},
	{.name = "newsletter.segments.update",
	 .summary = "change a segment",
	 .risk = OP_CHANGE,
	 .params = segment_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_segment,
	 ROW(NEWSLETTER_SEGMENTS_UPDATE)},
	{.name = "newsletter.segments.delete",
	 .summary = "delete a segment; its contacts stay",
	 .risk = OP_DESTROY,
	 .params = segment_params,
	 ROW(NEWSLETTER_SEGMENTS_DELETE)},
	{.name = "newsletter.segments.contacts",
	 .summary = "list the contacts that fit a segment",
	 .params = segment_contacts_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_contact,
	 ROW(NEWSLETTER_SEGMENTS_CONTACTS)},
	{.name = "newsletter.fields.list",
	 .summary = "list the fields that contacts have",
	 .params = search_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_field,
	 ROW(NEWSLETTER_FIELDS_LIST)},
	{.name = "newsletter.fields.create",
	 .summary = "create a field",
	 .risk = OP_CHANGE,
	 .params = field_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_field,
	 ROW(NEWSLETTER_FIELDS_CREATE)},
	{.name = "newsletter.fields.update",
	 .summary = "rename a field",
	 .risk = OP_CHANGE,
	 .params = field_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_field,
	 ROW(NEWSLETTER_FIELDS_UPDATE)},
	{.name = "newsletter.fields.delete",
	 .summary = "delete a field and what contacts have in it",
	 .risk = OP_DESTROY,
	 .params = field_params,
	 ROW(NEWSLETTER_FIELDS_DELETE)},
	{.name = "newsletter.templates.list",
	 .summary = "list the templates",
	 .params = which_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_template,
	 ROW(NEWSLETTER_TEMPLATES_LIST)},
	{.name = "newsletter.templates.get",
	 .summary = "show a template as HTML",
	 .params = template_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 ROW(NEWSLETTER_TEMPLATES_GET)},
	{.name = "newsletter.webforms.list",
	 .summary = "list the forms",
	 .params = search_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_webform,
	 ROW(NEWSLETTER_WEBFORMS_LIST)},
	{.name = "newsletter.webforms.get",
	 .summary = "show a form",
	 .params = webform_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_webform,
	 ROW(NEWSLETTER_WEBFORMS_GET)},
	{.name = "newsletter.webforms.create",
	 .summary = "create a form",
	 .risk = OP_CHANGE,
	 .params = webform_create_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_webform,
	 .prepare = prepare_numbers,
	 ROW(NEWSLETTER_WEBFORMS_CREATE)},
	{.name = "newsletter.webforms.update",
	 .summary = "change a form",
	 .risk = OP_CHANGE,
	 .params = webform_update_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_webform,
	 .prepare = prepare_numbers,
	 ROW(NEWSLETTER_WEBFORMS_UPDATE)},
	{.name = "newsletter.webforms.delete",
	 .summary = "delete a form",
	 .risk = OP_DESTROY,
	 .params = webform_params,
	 ROW(NEWSLETTER_WEBFORMS_DELETE)},
	{.name = "newsletter.webforms.fields",
	 .summary = "list the fields of a form",
	 .params = webform_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_WEBFORMS_FIELDS)},
	{.name = "newsletter.webforms.themes",
	 .summary = "list the looks that forms can have",
	 .params = which_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_WEBFORMS_THEMES)},
	{.name = "newsletter.credits.list",
	 .summary = "list the credits bought and used",
	 .params = search_params,
	 .result = OP_ITEMS,
	 .shape = &newsletter_shape_credit,
	 ROW(NEWSLETTER_CREDITS_LIST)},
	{.name = "newsletter.credits.get",
	 .summary = "show how many credits are left",
	 .params = which_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 ROW(NEWSLETTER_CREDITS_GET)},
	{.name = "newsletter.credits.account",
	 .summary = "show the credits of the account",
	 .params = which_params,
	 .result = OP_ONE,
	 .shape = &newsletter_shape_answer,
	 ROW(NEWSLETTER_CREDITS_ACCOUNT)},
	{.name = "newsletter.credits.packs",
	 .summary = "list the credits that can be bought",
	 .params = which_params,
	 .result = OP_ITEMS,
	 ROW(NEWSLETTER_CREDITS_PACKS)},
	{.name = "newsletter.tasks.cancel",
	 .summary = "stop an import, export or change of many that goes on",
	 .risk = OP_CHANGE,
	 .params = task_params,
	 ROW(NEWSLETTER_TASKS_CANCEL)},
	{.name = NULL},
};
