/*
 * Domain names by Cloud DNS. What changes a set is a "change": what is there is named word for word beside what is wanted,
 * both or nothing, so that what somebody else changed meanwhile is not overwritten. A change is "pending" until all name
 * servers know; with --wait it is asked for until it is "done".
 *
 * Source: cloud.google.com/dns/docs/reference/rest/v1 (read 2026-11). Names have their last dot, TXT values quotes.
 */
#include "backends/cloud/dns_sets.h"
#include "backends/gcp/cloud_gcp.h"

#include "backends/base/clock.h"

#include <ctype.h>

#define POLL_MS 2000

static const struct rest_page by_token = { REST_PAGE_TOKEN, REST_QUERY, "pageToken", "nextPageToken", "maxResults", 500, 0 };

/* ---- records ---- */

static struct json_object *make_name(struct json_object *name)
{
	return dns_json_name(json_object_get_string(name));
}

/* A zone has no state; a set has that of the change that made it, if one did just now. */
static struct json_object *make_status(struct json_object *o)
{
	const char *status = json_get_string(o, "changeStatus");

	return json_object_new_string(status && !strcmp(status, "pending") ? "pending" : "active");
}

static struct json_object *make_nameservers(struct json_object *list)
{
	return dns_json_values("NS", list, NULL, DNS_ESCAPE_DECIMAL);
}

static const struct record_source zone_map[] = {
	{ "id", "name", NULL, NULL },
	{ "name", "dnsName", NULL, make_name },
	{ "status", "", NULL, make_status },
	{ "type", "visibility", NULL, NULL },
	{ "nameservers", "nameServers", NULL, make_nameservers },
	{ "description", "description", NULL, NULL },
	{ "created", "creationTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_values(struct json_object *set)
{
	return dns_json_values(json_get_string(set, "type"), json_get(set, "rrdatas"), NULL, DNS_ESCAPE_DECIMAL);
}

/* Routing policies are shown as what they are: no values of their own. */
static struct json_object *make_alias(struct json_object *set)
{
	struct json_object *policy = json_get(set, "routingPolicy");

	return policy ? json_object_new_string("routing policy") : NULL;
}

static const struct record_source set_map[] = {
	{ "name", "name", NULL, make_name },
	{ "type", "type", NULL, NULL },
	{ "ttl", "ttl", NULL, NULL },
	{ "values", "", NULL, make_values },
	{ "status", "", NULL, make_status },
	{ "alias", "", NULL, make_alias },
	{ NULL, NULL, NULL, NULL },
};

/* ---- asking ---- */

/* "/projects/PROJECT/managedZones", a zone and what follows it. */
static int path_of(struct cloud_call *call, const char *zone, const char *last, const char *id, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(4096);
	const char *project = NULL;
	int r = gcp_project(gcp_of(call), &project, err);

	if (r < 0)
		return r;
	if (buf_adds(&path, "/projects") < 0 || service_path_add(&path, project) < 0 || buf_adds(&path, "/managedZones") < 0 ||
	    (zone && service_path_add(&path, zone) < 0) || buf_adds(&path, last) < 0 || (id && service_path_add(&path, id) < 0))
		return error_set(err, ERR_TOO_LARGE, "a name is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* Takes the body. */
static int ask(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	       struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r;

	request.method = method;
	request.path = path;
	request.json = body;
	r = service_json(call, gcp_service_of(call, GCP_DNS), &request, &answer, err);
	if (r == 0 && ret)
		*ret = steal(answer);
	return r;
}

/* ---- zones ---- */

static int look_at_zone(void *arg, struct json_object *item, struct error *err)
{
	(void)err; /* cannot fail */
	dns_zone_search_keep(arg, item);
	return 0;
}

static int find_named(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL, *dotted = str_format("%s.", name);
	struct dns_zone_search s = { NULL, 0 };
	int r = dotted ? path_of(call, NULL, "", NULL, &path, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = http_query_add(&request.query, "dnsName", dotted, err);
	request.path = path;
	if (r == 0)
		r = rest_pages(call, gcp_service_of(call, GCP_DNS), &request, "managedZones", &by_token, look_at_zone, &s, err);
	return dns_zone_search_end(&s, name, r, ret, err);
}

/* By domain name, or by the zone's own name or number. */
static int find_zone(struct cloud_call *call, const char *name_or_id, struct dns_zone *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	CLEANUP(freep) char *path = NULL;
	int r;

	if (strchr(name_or_id, '.')) {
		r = find_named(call, name_or_id, &zone, err);
	} else {
		r = path_of(call, name_or_id, "", NULL, &path, err);
		if (r == 0)
			r = ask(call, HTTP_GET, path, NULL, &zone, err);
	}
	return r < 0 ? r : dns_zone_fill(ret, json_get_string(zone, "name"), json_get_string(zone, "dnsName"), zone, err);
}

static const struct rest_row zones_list = {
	.service = "dns",
	.path = "projects/{project}/managedZones",
	.items = "managedZones",
	.page = &by_token,
	.record = zone_map,
};

static int zones_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	return r < 0 ? r : cloud_record(call, zone_map, zone.theirs, ret, err);
}

/* "example.org" is "example-org" as a resource: letters, digits and '-', beginning with a letter, at most 63. */
static void resource_name(const char *zone, char ret[64])
{
	size_t n = 0;

	if (!isalpha((unsigned char)*zone)) {
		memcpy(ret, "zone-", 5);
		n = 5;
	}
	for (; *zone && n < 63; zone++)
		ret[n++] = isalnum((unsigned char)*zone) ? *zone : '-';
	while (n && ret[n - 1] == '-')
		n--;
	ret[n] = '\0';
}

static int refuse_soa(struct cloud_call *call, struct error *err)
{
	if (cloud_param(call, "email") || cloud_param_json(call, "ttl"))
		return error_set(err, ERR_UNSUPPORTED, "Cloud DNS sets contact and TTL of a zone's SOA record itself");
	return 0;
}

static int zones_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *zone = NULL;
	CLEANUP(freep) char *path = NULL, *dotted = str_format("%s.", cloud_param(call, "zone"));
	const char *text = cloud_param(call, "description");
	bool is_private = cloud_param_bool(call, "private", false);
	char name[64];
	int r = refuse_soa(call, err);

	if (r == 0 && (!body || !dotted))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = path_of(call, NULL, "", NULL, &path, err);
	if (r < 0)
		return r;
	resource_name(cloud_param(call, "zone"), name);
	json_object_object_add(body, "name", json_object_new_string(name));
	json_object_object_add(body, "dnsName", json_object_new_string(dotted));
	json_object_object_add(body, "description", json_object_new_string(text ? text : "")); /* must be there */
	json_object_object_add(body, "visibility", json_object_new_string(is_private ? "private" : "public"));
	r = ask(call, HTTP_POST, path, steal(body), &zone, err);
	return r < 0 ? r : cloud_record(call, zone_map, zone, ret, err);
}

static int zones_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(json_putp) struct json_object *body = json_object_new_object();
	CLEANUP(freep) char *path = NULL;
	const char *text = cloud_param(call, "description");
	int r = refuse_soa(call, err);

	if (r == 0 && !text)
		r = error_set(err, ERR_INVALID, "nothing to change: give description");
	if (r == 0 && !body)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = find_zone(call, cloud_param(call, "zone"), &zone, err);
	if (r == 0)
		r = path_of(call, zone.id, "", NULL, &path, err);
	if (r < 0)
		return r;
	json_object_object_add(body, "description", json_object_new_string(text));
	r = ask(call, HTTP_PATCH, path, steal(body), NULL, err); /* answers with an operation */
	if (r < 0)
		return r;
	json_object_object_add(zone.theirs, "description", json_object_new_string(text));
	return cloud_record(call, zone_map, zone.theirs, ret, err);
}

/* ---- record sets ---- */

static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL, *dotted = name ? str_format("%s.", name) : NULL;
	int r = path_of(call, zone->id, "/rrsets", NULL, &path, err);

	if (r == 0 && name)
		r = dotted ? http_query_add(&request.query, "name", dotted, err) :
			     error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0 && name && type) /* only together with a name */
		r = http_query_add(&request.query, "type", type, err);
	request.path = path;
	return r < 0 ? r : rest_pages(call, gcp_service_of(call, GCP_DNS), &request, "rrsets", &by_token, each, arg, err);
}

/* Until the change is done, where --wait was said. */
static int wait_for_change(struct cloud_call *call, const char *zone_id, struct json_object **change, struct error *err)
{
	if (!cloud_param_bool(call, "wait", false))
		return 0;
	for (;;) {
		const char *status = json_get_string(*change, "status"), *id = json_get_string(*change, "id");
		CLEANUP(freep) char *path = NULL;
		struct json_object *next = NULL;
		int r;

		if (!id || !status || strcmp(status, "pending") != 0)
			return 0;
		cloud_progress(call, "status: %s", status);
		r = cloud_sleep(call, POLL_MS, err);
		if (r == 0)
			r = path_of(call, zone_id, "/changes", id, &path, err);
		if (r == 0)
			r = ask(call, HTTP_GET, path, NULL, &next, err);
		if (r < 0)
			return r;
		json_object_put(*change);
		*change = next;
	}
}

static int add_one(struct json_object *body, const char *key, struct json_object *set, struct error *err)
{
	struct json_object *list = set ? json_object_new_array() : NULL;

	if (!set)
		return 0;
	if (!list || json_object_array_add(list, json_object_get(set)) != 0 || json_object_object_add(body, key, list) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

static int check_simple(struct json_object *there, struct error *err)
{
	if (there && json_get(there, "routingPolicy"))
		return error_set(err, ERR_CONFLICT, "the record set has a routing policy, which would be lost (use Google's own tools)");
	return 0;
}

static int change(struct cloud_call *call, const char *zone_id, struct json_object *deletion, struct json_object *addition,
		  struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *done = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = body ? check_simple(deletion, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = add_one(body, "deletions", deletion, err);
	if (r == 0)
		r = add_one(body, "additions", addition, err);
	if (r == 0)
		r = path_of(call, zone_id, "/changes", NULL, &path, err);
	if (r == 0)
		r = ask(call, HTTP_POST, path, steal(body), &done, err);
	if (r == 0)
		r = wait_for_change(call, zone_id, &done, err);
	if (r == 0 && ret)
		*ret = steal(done);
	return r;
}

static int put_set(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *set = json_object_new_object(), *values = NULL, *done = NULL;
	CLEANUP(freep) char *dotted = str_format("%s.", want->name);
	int r = dns_wire_values(want, NULL, DNS_ESCAPE_DECIMAL, &values, err);

	if (r == 0 && (!set || !dotted))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return r;
	json_object_object_add(set, "name", json_object_new_string(dotted));
	json_object_object_add(set, "type", json_object_new_string(want->type));
	json_object_object_add(set, "ttl", json_object_new_int64(want->ttl));
	json_object_object_add(set, "rrdatas", steal(values));
	r = change(call, zone->id, there, set, &done, err);
	if (r < 0)
		return r;
	json_object_object_add(set, "changeStatus", json_object_get(json_get(done, "status")));
	*ret = steal(set);
	return 0;
}

static int remove_set(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err)
{
	return change(call, zone->id, there, NULL, NULL, err);
}

static const struct dns_sets sets = {
	.map = set_map,
	.ttl_default = 300,
	.ttl_min = 0,
	.ttl_max = DNS_TTL_MAX,
	.zone = find_zone,
	.list = list_sets,
	.put = put_set,
	.remove = remove_set,
};
DNS_SETS_SLOTS(sets)

/* ---- a zone's end ---- */

struct emptying {
	struct cloud_call *call;
	const struct dns_zone *zone;
	struct json_object *sets;
};

static int collect(void *arg, struct json_object *set, struct error *err)
{
	struct emptying *e = arg;
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(set, "name"));
	const char *type = json_get_string(set, "type");

	if (name && type && !strcmp(json_object_get_string(name), e->zone->name) && (!strcmp(type, "SOA") || !strcmp(type, "NS")))
		return 0;
	return json_object_array_add(e->sets, json_object_get(set)) == 0 ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* A zone goes only when it is empty: all its sets in one change. */
static int zones_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(json_putp) struct json_object *found = json_object_new_array(), *body = json_object_new_object();
	CLEANUP(freep) char *changes = NULL, *path = NULL;
	struct emptying e = { call, &zone, found };
	int r = found && body ? find_zone(call, cloud_param(call, "zone"), &zone, err) :
				error_set(err, ERR_NO_MEMORY, "out of memory");

	(void)ret; /* nothing to tell */
	if (r == 0)
		r = list_sets(call, &zone, NULL, NULL, collect, &e, err);
	if (r >= 0)
		r = path_of(call, zone.id, "/changes", NULL, &changes, err);
	if (r == 0)
		r = path_of(call, zone.id, "", NULL, &path, err);
	if (r < 0)
		return r;
	if (json_object_array_length(found)) {
		json_object_object_add(body, "deletions", json_object_get(found));
		r = ask(call, HTTP_POST, changes, steal(body), NULL, err);
	}
	return r < 0 ? r : ask(call, HTTP_DELETE, path, NULL, NULL, err);
}

const struct dns_ops gcp_dns = {
	.zones_list = { .row = &zones_list },
	.zones_get = { .run = zones_get },
	.zones_create = { .run = zones_create },
	.zones_update = { .run = zones_update },
	.zones_delete = { .run = zones_delete },
	DNS_SETS_MEMBERS,
};
