/*
 * Domain names by Designate: zones, record sets, reverse names of floating IPs.
 *
 * Source: docs.openstack.org/api-ref/dns (v2), read 2026-11. Names have their last dot there, TXT values stand in quotes,
 * a record set without a TTL has its zone's. The value of a CAA record stands without quotes, and with them is refused
 * (seen with Designate 20, 2026-11). So is a TXT string of more than 255 characters with its quotes and escapes, and more
 * than one string where they would fit into one.
 */
#include "backends/cloud/dns_sets.h"
#include "backends/openstack/openstack.h"

static const struct rest_page by_link = { REST_PAGE_URL, REST_QUERY, NULL, "links.next", "limit", 500 };

/* ---- records ---- */

static struct json_object *make_status(struct json_object *o)
{
	const char *status = json_get_string(o, "status"), *action = json_get_string(o, "action");
	const char *ours = "unknown";

	if (status && !strcmp(status, "ACTIVE"))
		ours = "active";
	else if (status && !strcmp(status, "ERROR"))
		ours = "error";
	else if (status && !strcmp(status, "DELETED"))
		ours = "deleted";
	else if (status && !strcmp(status, "INACTIVE"))
		ours = "inactive";
	else if (status && !strcmp(status, "PENDING"))
		ours = action && !strcmp(action, "DELETE") ? "deleting" : "pending";
	return json_object_new_string(ours);
}

static struct json_object *make_name(struct json_object *name)
{
	return dns_json_name(json_object_get_string(name));
}

static struct json_object *make_type(struct json_object *zone)
{
	(void)zone; /* Designate has no other */
	return json_object_new_string("public");
}

static struct json_object *make_nameservers(struct json_object *list)
{
	return dns_json_values("NS", list, "hostname", DNS_ESCAPE_DECIMAL);
}

static const struct record_source zone_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, make_name },
	{ "status", "", NULL, make_status },
	{ "provider_status", "status", NULL, NULL },
	{ "type", "", NULL, make_type },
	{ "email", "email", NULL, NULL },
	{ "ttl", "ttl", NULL, NULL },
	{ "nameservers", "nameservers", NULL, make_nameservers },
	{ "description", "description", NULL, NULL },
	{ "created", "created_at", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* `0 issue ca.example` as zone files have it: what follows the tag is one string. A heap string, NULL without memory. */
static char *quoted_caa(const char *text)
{
	const char *tag = strchr(text, ' '), *value = tag ? strchr(tag + 1, ' ') : NULL;

	if (!value || value[1] == '"')
		return strdup(text);
	return str_format("%.*s \"%s\"", (int)(value - text), text, value + 1);
}

/* And back, when nothing in it needs its quotes. */
static char *bare_caa(const char *text)
{
	const char *quote = strchr(text, '"');
	size_t len = strlen(text);

	if (!quote || strchr(text, '\\') || text[len - 1] != '"' || quote + 1 >= text + len - 1)
		return strdup(text);
	return str_format("%.*s%.*s", (int)(quote - text), text, (int)(text + len - 1 - (quote + 1)), quote + 1);
}

/* Each text of a list by fn: a new list, NULL without memory. */
static struct json_object *each_text(struct json_object *list, char *(*fn)(const char *text))
{
	CLEANUP(json_putp) struct json_object *made = json_object_new_array();
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; made && i < count; i++) {
		CLEANUP(freep) char *text = fn(json_object_get_string(json_object_array_get_idx(list, i)));

		if (!text || json_object_array_add(made, json_object_new_string(text)) != 0)
			return NULL;
	}
	return steal(made);
}

static struct json_object *make_values(struct json_object *o)
{
	const char *type = json_get_string(o, "type");
	CLEANUP(json_putp) struct json_object *list = NULL;

	if (type && !strcmp(type, "CAA")) {
		list = each_text(json_get(o, "records"), quoted_caa);
		return dns_json_values(type, list, NULL, DNS_ESCAPE_DECIMAL);
	}
	return dns_json_values(json_get_string(o, "type"), json_get(o, "records"), NULL, DNS_ESCAPE_DECIMAL);
}

static const struct record_source set_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, make_name },
	{ "type", "type", NULL, NULL },
	{ "ttl", "ttl", NULL, NULL },
	{ "values", "", NULL, make_values },
	{ "status", "", NULL, make_status },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
/* An address without a reverse name is shown without a state, or as INACTIVE: by release. */
static struct json_object *make_ptr_status(struct json_object *o)
{
	const char *status = json_get_string(o, "status");
	bool is_pending = status && (!strcmp(status, "PENDING") || !strcmp(status, "ERROR"));

	if (!json_get_string(o, "ptrdname") && !is_pending)
		return json_object_new_string("inactive");
	return make_status(o);
}

static const struct record_source ptr_map[] = {
	{ "id", "id", NULL, NULL },
	{ "address", "address", NULL, NULL },
	{ "name", "ptrdname", NULL, make_name },
	{ "ttl", "ttl", NULL, NULL },
	{ "status", "", NULL, make_ptr_status },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- helpers ---- */

static int path_of(char **ret, struct error *err, const char *first, const char *id, const char *second, const char *id2)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(4096);

	if (buf_adds(&path, first) < 0 || (id && service_path_add(&path, id) < 0) || (second && buf_adds(&path, second) < 0) ||
	    (id2 && service_path_add(&path, id2) < 0))
		return error_set(err, ERR_TOO_LARGE, "an identifier is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* Puts a parameter of the call into a body, when it was given. */
static void put_param(struct cloud_call *call, struct json_object *body, const char *name)
{
	struct json_object *value = cloud_param_json(call, name);

	if (value)
		json_object_object_add(body, name, json_object_get(value));
}

static int put_dotted(struct json_object *body, const char *key, const char *name, struct error *err)
{
	CLEANUP(freep) char *dotted = str_format("%s.", name);

	if (!body || !dotted)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(body, key, json_object_new_string(dotted));
	return 0;
}

/* ---- zones ---- */

struct zone_search {
	const char *name; /* with its dot */
	struct dns_zone_search all;
};

static int look_at_zone(void *arg, struct json_object *item, struct error *err)
{
	struct zone_search *s = arg;
	const char *name = json_get_string(item, "name");

	(void)err; /* cannot fail */
	if (!name || strcmp(name, s->name) != 0)
		return 0;
	dns_zone_search_keep(&s->all, item);
	return 0;
}

static int find_zone_named(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *dotted = str_format("%s.", name);
	const struct service *service = NULL;
	struct zone_search s = { .name = dotted };
	int r = dotted ? openstack_service(call, "dns", &service, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = http_query_add(&request.query, "name", dotted, err);
	request.path = "/zones";
	if (r == 0)
		r = rest_pages(call, service, &request, "zones", &by_link, look_at_zone, &s, err);
	return dns_zone_search_end(&s.all, name, r, ret, err);
}

static int find_zone(struct cloud_call *call, const char *name_or_id, struct dns_zone *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *theirs = NULL;
	CLEANUP(freep) char *path = NULL;
	int r;

	if (openstack_is_id(name_or_id)) {
		r = path_of(&path, err, "/zones", name_or_id, NULL, NULL);
		if (r == 0)
			r = openstack_ask(call, "dns", HTTP_GET, path, NULL, &theirs, err);
		if (r < 0 && err->kind == ERR_NOT_FOUND)
			return error_prefix(err, r, "zone '%.100s'", name_or_id);
	} else {
		r = find_zone_named(call, name_or_id, &theirs, err);
	}
	if (r < 0)
		return r;
	return dns_zone_fill(ret, json_get_string(theirs, "id"), json_get_string(theirs, "name"), theirs, err);
}

static const struct rest_row zones_list = {
	.service = "dns", .path = "zones", .items = "zones", .page = &by_link, .record = zone_map,
};

static int zones_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(json_putp) struct json_object *servers = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	if (r == 0)
		r = path_of(&path, err, "/zones", zone.id, "/nameservers", NULL);
	if (r == 0)
		r = openstack_ask(call, "dns", HTTP_GET, path, NULL, &servers, err);
	if (r < 0)
		return r;
	json_object_object_add(zone.theirs, "nameservers", json_object_get(json_get(servers, "nameservers")));
	return cloud_record(call, zone_map, zone.theirs, ret, err);
}

static int zones_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *theirs = NULL;
	int r;

	if (cloud_param_bool(call, "private", false))
		return error_set(err, ERR_UNSUPPORTED, "OpenStack has no private zones");
	if (!cloud_param(call, "email"))
		return error_set(err, ERR_INVALID, "parameter 'email' is missing: OpenStack wants it for the SOA record");
	r = put_dotted(body, "name", cloud_param(call, "zone"), err);
	if (r < 0)
		return r;
	put_param(call, body, "email");
	put_param(call, body, "ttl");
	put_param(call, body, "description");
	r = openstack_ask(call, "dns", HTTP_POST, "/zones", steal(body), &theirs, err);
	return r < 0 ? r : cloud_record(call, zone_map, theirs, ret, err);
}

static int zones_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *theirs = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = body ? find_zone(call, cloud_param(call, "zone"), &zone, err) :
		       error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		return r;
	put_param(call, body, "email");
	put_param(call, body, "ttl");
	put_param(call, body, "description");
	if (!json_object_object_length(body))
		return error_set(err, ERR_INVALID, "nothing to change: give email, ttl or description");
	r = path_of(&path, err, "/zones", zone.id, NULL, NULL);
	if (r == 0)
		r = openstack_ask(call, "dns", HTTP_PATCH, path, steal(body), &theirs, err);
	return r < 0 ? r : cloud_record(call, zone_map, theirs, ret, err);
}

static int zones_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *path = NULL;
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	(void)ret; /* nothing to tell */
	if (r == 0)
		r = path_of(&path, err, "/zones", zone.id, NULL, NULL);
	return r < 0 ? r : openstack_ask(call, "dns", HTTP_DELETE, path, NULL, NULL, err);
}

/* ---- record sets ---- */

static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL, *dotted = name ? str_format("%s.", name) : NULL;
	const struct service *service = NULL;
	int r = openstack_service(call, "dns", &service, err);

	if (r == 0)
		r = path_of(&path, err, "/zones", zone->id, "/recordsets", NULL);
	if (r == 0 && name)
		r = dotted ? http_query_add(&request.query, "name", dotted, err) :
			     error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0 && type)
		r = http_query_add(&request.query, "type", type, err);
	request.path = path;
	return r < 0 ? r : rest_pages(call, service, &request, "recordsets", &by_link, each, arg, err);
}

static int put_set(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *values = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *id = there ? json_get_string(there, "id") : NULL;
	int r = dns_wire_values(want, NULL, DNS_ESCAPE_SHORT, &values, err);

	if (r == 0 && !body)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return r;
	if (!strcmp(want->type, "CAA")) {
		struct json_object *bare = each_text(values, bare_caa);

		if (!bare)
			return error_no_memory(err);
		json_object_put(values);
		values = bare;
	}
	json_object_object_add(body, "records", steal(values));
	if (want->ttl >= 0)
		json_object_object_add(body, "ttl", json_object_new_int64(want->ttl));
	if (!there) {
		r = put_dotted(body, "name", want->name, err);
		json_object_object_add(body, "type", json_object_new_string(want->type));
	}
	if (r == 0)
		r = path_of(&path, err, "/zones", zone->id, "/recordsets", id);
	return r < 0 ? r : openstack_ask(call, "dns", there ? HTTP_PUT : HTTP_POST, path, steal(body), ret, err);
}

static int remove_set(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = path_of(&path, err, "/zones", zone->id, "/recordsets", json_get_string(there, "id"));

	return r < 0 ? r : openstack_ask(call, "dns", HTTP_DELETE, path, NULL, NULL, err);
}

static const struct dns_sets sets = {
	.map = set_map,
	.ttl_default = -1,
	.ttl_min = 1,
	.ttl_max = DNS_TTL_MAX,
	.zone = find_zone,
	.list = list_sets,
	.put = put_set,
	.remove = remove_set,
};
DNS_SETS_SLOTS(sets)

/* ---- reverse names ---- */

static const struct rest_row ptrs_list = {
	.service = "dns", .path = "reverse/floatingips", .items = "floatingips", .page = &by_link, .record = ptr_map,
};

struct ptr_search {
	const char *address;
	struct json_object *found;
};

static int look_at_ptr(void *arg, struct json_object *item, struct error *err)
{
	struct ptr_search *s = arg;
	const char *address = json_get_string(item, "address");

	(void)err; /* cannot fail */
	if (!address || strcmp(address, s->address) != 0)
		return 0;
	s->found = json_object_get(item);
	return 1;
}

static int find_ptr(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	const struct service *service = NULL;
	struct ptr_search s = { .address = cloud_param(call, "address") };
	int r = openstack_service(call, "dns", &service, err);

	request.path = "/reverse/floatingips";
	if (r == 0)
		r = rest_pages(call, service, &request, "floatingips", &by_link, look_at_ptr, &s, err);
	if (r >= 0 && !s.found)
		r = error_set(err, ERR_NOT_FOUND, "there is no floating IP address '%.64s' in this project", s.address);
	if (r >= 0)
		*ret = s.found;
	return r < 0 ? r : 0;
}

static int ptrs_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *theirs = NULL;
	int r = find_ptr(call, &theirs, err);

	return r < 0 ? r : cloud_record(call, ptr_map, theirs, ret, err);
}

static int change_ptr(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *there = NULL, *body = json_object_new_object(), *theirs = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = find_ptr(call, &there, err);

	if (r == 0)
		r = path_of(&path, err, "/reverse/floatingips", json_get_string(there, "id"), NULL, NULL);
	if (r == 0 && name)
		r = put_dotted(body, "ptrdname", name, err);
	if (r < 0)
		return r;
	if (!name)
		json_object_object_add(body, "ptrdname", NULL);
	put_param(call, body, "ttl");
	r = openstack_ask(call, "dns", HTTP_PATCH, path, steal(body), &theirs, err);
	return r < 0 || !name ? r : cloud_record(call, ptr_map, theirs, ret, err);
}

static int ptrs_set(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change_ptr(call, cloud_param(call, "name"), ret, err);
}

static int ptrs_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return change_ptr(call, NULL, ret, err);
}

const struct dns_ops openstack_dns = {
	.zones_list = { .row = &zones_list },
	.zones_get = { .run = zones_get },
	.zones_create = { .run = zones_create },
	.zones_update = { .run = zones_update },
	.zones_delete = { .run = zones_delete },
	DNS_SETS_MEMBERS,
	.ptrs_list = { .row = &ptrs_list },
	.ptrs_get = { .run = ptrs_get },
	.ptrs_set = { .run = ptrs_set },
	.ptrs_delete = { .run = ptrs_delete },
};
