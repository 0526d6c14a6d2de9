/*
 * What a newsletter does in several calls: sending a campaign by the plan that was seen, scheduling, figures, importing.
 *
 * The plan of a send is the campaign as it is and the number of its recipients; its checksum is what the send must be given. So
 * nothing goes out that was not looked at, nor to more people than were shown.
 */
#include "backends/infomaniak/newsletter.h"

#include "backends/base/clock.h"
#include "backends/base/hash.h"

#include <inttypes.h>
#include <stdio.h>

#define PLAN_ID_BYTES	 16
#define SCHEDULE_AHEAD_S 60

/* One call at a path below the newsletter; *ret: the whole answer. */
static int ask(struct cloud_call *call, enum http_method method, const char *where, struct service_request *request,
	       struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *pattern = str_format("1/newsletters/{domain}/%s", where);
	CLEANUP(freep) char *path = NULL;
	int r = pattern ? rest_path(call, pattern, &path, err) : error_no_memory(err);

	request->method = method;
	request->path = path;
	return r < 0 ? r : service_json(call, &newsletter_of(call)->service, request, ret, err);
}

/* ---- how many it goes to ---- */

/* How many active contacts there are at a path that lists contacts. */
static int count_at(struct cloud_call *call, const char *where, int64_t *count, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int64_t total;
	int r = http_query_add(&request.query, "filter[status]", "active", err);

	if (r == 0)
		r = http_query_add(&request.query, "per_page", "1", err);
	if (r == 0)
		r = ask(call, HTTP_GET, where, &request, &answer, err);
	if (r < 0)
		return r;
	total = json_get_int64(answer, "total", -1);
	if (total < 0)
		return error_set(err, ERR_PROTOCOL, "%s: the service does not tell how many contacts there are", call->operation);
	*count += total;
	return 0;
}

static int count_each(struct cloud_call *call, struct json_object *ids, const char *kind, int64_t *count, struct error *err)
{
	int r = 0;

	for (size_t i = 0; ids && i < json_object_array_length(ids) && r == 0; i++) {
		CLEANUP(freep) char *where = str_format("%s/%" PRId64 "/subscribers", kind,
							json_object_get_int64(json_object_array_get_idx(ids, i)));

		r = where ? count_at(call, where, count, err) : error_no_memory(err);
	}
	return r;
}

/* The service's own number; where it tells none, what its recipients add up to: who is in two lists counts twice. */
static int count_recipients(struct cloud_call *call, struct json_object *campaign, int64_t *ret, bool *ret_is_exact,
			    struct error *err)
{
	struct json_object *emails = json_get_array(campaign, "recipients.emails");
	int64_t count = json_get_int64(campaign, "subscribers_count", -1);
	int r;

	*ret_is_exact = count >= 0;
	*ret = count;
	if (count >= 0)
		return 0;
	count = emails ? (int64_t)json_object_array_length(emails) : 0;
	if (json_get_bool(campaign, "recipients.all_subscribers", false))
		r = count_at(call, "subscribers", &count, err);
	else
		r = count_each(call, json_get_array(campaign, "recipients.groups.include"), "groups", &count, err);
	if (r == 0 && !json_get_bool(campaign, "recipients.all_subscribers", false))
		r = count_each(call, json_get_array(campaign, "recipients.segments.include"), "segments", &count, err);
	*ret = count;
	return r;
}

/* ---- the plan ---- */

static int make_plan_id(struct json_object *campaign, int64_t count, char ret[2 * PLAN_ID_BYTES + 1], struct error *err)
{
	static const char *const parts[] = { "id", "subject", "preheader", "email_from_addr", "email_from_name", "content",
					     "recipients", "lang" };
	CLEANUP(buf_release) struct buf text = BUF_INIT(SERVICE_ANSWER_MAX);
	unsigned char digest[HASH_SHA256_LEN];
	int r = buf_addf(&text, "%" PRId64 "\n", count);

	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++) {
		struct json_object *value = json_get(campaign, parts[i]);

		r = buf_addf(&text, "%s=%s\n", parts[i], value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : "");
	}
	if (r < 0)
		return error_set(err, ERR_TOO_LARGE, "the campaign is too large");
	hash_sha256(text.data, text.len, digest);
	for (size_t i = 0; i < PLAN_ID_BYTES; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]); /* never cut off */
	return 0;
}

static int check_status(struct json_object *campaign, struct error *err)
{
	static const char *const may_go[] = { "draft", "scheduled", "canceled", "sending_failed" };
	const char *status = json_get_string(campaign, "status");

	for (size_t i = 0; status && i < ARRAY_SIZE(may_go); i++)
		if (!strcmp(status, may_go[i]))
			return 0;
	return error_set(err, ERR_CONFLICT, "the campaign cannot be sent: it is '%.40s'", status ? status : "unknown");
}

static int make_record(struct json_object *campaign, int64_t count, bool is_exact, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	const char *subject = json_get_string(campaign, "subject");
	CLEANUP(freep) char *words = str_format("campaign %" PRId64 " '%s' goes to %s%" PRId64 " recipient%s at once\n",
						json_get_int64(campaign, "id", 0), subject ? subject : "",
						is_exact ? "" : "at most ", count, count == 1 ? "" : "s");
	CLEANUP(freep) char *id = str_format("%" PRId64, json_get_int64(campaign, "id", 0));
	char plan_id[2 * PLAN_ID_BYTES + 1];
	int r = o && words && id ? make_plan_id(campaign, count, plan_id, err) : error_no_memory(err);

	if (r < 0)
		return r;
	json_object_object_add(o, "campaign", json_object_new_string(id));
	json_object_object_add(o, "subject", subject ? json_object_new_string(subject) : NULL);
	json_object_object_add(o, "recipients", json_object_new_int64(count));
	json_object_object_add(o, "plan", json_object_new_string(words));
	json_object_object_add(o, "plan_id", json_object_new_string(plan_id));
	json_object_object_add(o, "sent", json_object_new_boolean(false));
	*ret = steal(o);
	return 0;
}

int newsletter_send_preview(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *campaign;
	int64_t count = 0;
	bool is_exact = true;
	int r = ask(call, HTTP_GET, "campaigns/{campaign}", &request, &answer, err);

	if (r < 0)
		return r;
	campaign = json_get(answer, "data");
	if (!json_object_is_type(campaign, json_type_object))
		return error_set(err, ERR_PROTOCOL, "%s: the service's answer holds no campaign", call->operation);
	r = check_status(campaign, err);
	if (r == 0)
		r = count_recipients(call, campaign, &count, &is_exact, err);
	if (r == 0 && count == 0)
		r = error_set(err, ERR_CONFLICT, "the campaign goes to nobody (campaigns update --list, --segment or --all)");
	return r < 0 ? r : make_record(campaign, count, is_exact, ret, err);
}

static int put_schedule(struct cloud_call *call, int64_t at_s, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r = rest_put(&request.json, "started_at", json_object_new_int64(at_s), err);

	return r < 0 ? r : ask(call, HTTP_PUT, "campaigns/{campaign}/schedule", &request, &answer, err);
}

int newsletter_send(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *plan = NULL;
	const char *seen = cloud_param(call, "plan_id");
	int r = newsletter_send_preview(call, &plan, err);

	if (r < 0)
		return r;
	if (call->plan) /* a dry run shows first whom it is about */
		(void)json_object_array_add(call->plan, json_object_get(plan)); /* without memory the call fails next */
	else if (!seen)
		return error_set(err, ERR_INVALID, "parameter 'plan_id' is missing: look at what would be sent (newsletter campaigns "
						   "preview) and give its checksum");
	if (seen && strcmp(seen, json_get_string(plan, "plan_id")) != 0)
		return error_set(err, ERR_CONFLICT, "the campaign or its recipients are not what was seen (look again: newsletter "
						    "campaigns preview)");
	r = put_schedule(call, clock_wall_s(), err);
	if (r < 0)
		return r;
	json_object_object_add(plan, "sent", json_object_new_boolean(true));
	*ret = steal(plan);
	return 0;
}

int newsletter_campaign_schedule(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *at = cloud_param(call, "at");
	int64_t at_ns = 0;

	(void)ret; /* the answer says nothing */
	if (clock_parse_iso8601(at, &at_ns) < 0)
		return error_set(err, ERR_INVALID, "parameter 'at' must be a time like '2026-11-24T08:00:00Z', not '%.40s'", at);
	/* Sending is an operation of its own, which asks. */
	if (at_ns / INT64_C(1000000000) < clock_wall_s() + SCHEDULE_AHEAD_S)
		return error_set(err, ERR_INVALID, "the time must be a minute ahead at least (newsletter campaigns send sends at once)");
	return put_schedule(call, at_ns / INT64_C(1000000000), err);
}

int newsletter_campaign_statistics(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct {
		const char *name;
		enum newsletter_op op;
	} parts[] = { { "tracking", NEWSLETTER_CAMPAIGNS_TRACKING },
		      { "links", NEWSLETTER_CAMPAIGNS_LINKS },
		      { "activity", NEWSLETTER_CAMPAIGNS_ACTIVITY } };
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	int r = o ? 0 : error_no_memory(err);

	if (r == 0)
		json_object_object_add(o, "campaign", json_object_new_string(cloud_param(call, "campaign")));
	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++) {
		struct json_object *list = NULL;

		r = rest_run(call, &newsletter_rows[parts[i].op], &list, err);
		if (r == 0)
			json_object_object_add(o, parts[i].name, list);
	}
	if (r < 0)
		return r;
	*ret = steal(o);
	return 0;
}

/* ---- importing ---- */

/* The number of an upload, which the description does not place. */
static int upload_number(struct json_object *answer, int64_t *ret, struct error *err)
{
	static const char *const places[] = { "data.upload_id", "data.id", "data.0.id", "data.0", "data" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct json_object *value = json_get(answer, places[i]);
		enum json_type type = json_object_get_type(value);

		if (type == json_type_int || type == json_type_string) {
			if (str_to_i64(str_of(json_object_get_string(value)), ret) == 0)
				return 0;
		}
	}
	return error_set(err, ERR_PROTOCOL, "the service does not tell under which number it holds the upload");
}

static int upload(struct cloud_call *call, int64_t *ret, struct error *err)
{
	static const struct rest_field fields[] = { { "csv", "content", REST_BODY, NULL }, { .place = NULL } };
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r = rest_fill(call, fields, &request, err);

	if (r == 0)
		r = ask(call, HTTP_POST, "subscribers/import/upload", &request, &answer, err);
	return r < 0 ? r : upload_number(answer, ret, err);
}

int newsletter_contacts_import(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct rest_field fields[] = {
		{ "fields", "fields", REST_BODY, NULL },
		{ "lists", "groups", REST_BODY, NULL },
		{ "separator", "csv_separator", REST_BODY, NULL },
		{ "enclosure", "csv_enclosure", REST_BODY, NULL },
		{ "replace", "replace_fields", REST_BODY, NULL },
		{ .place = NULL },
	};
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int64_t number = 0;
	int r = upload(call, &number, err);

	if (r == 0)
		r = rest_fill(call, fields, &request, err);
	if (r == 0)
		r = rest_put(&request.json, "upload_id", json_object_new_int64(number), err);
	if (r == 0)
		r = ask(call, HTTP_POST, "subscribers/import", &request, &answer, err);
	return r < 0 ? r : cloud_record(call, newsletter_map_answer, answer, ret, err);
}
