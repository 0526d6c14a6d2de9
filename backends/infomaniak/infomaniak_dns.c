/*
 * Domain zones by Infomaniak's API. A record there has one value and an identifier; a set is all records of a name and
 * type, and to change one takes several requests: new values are written before old ones go.
 */
#include "backends/infomaniak/infomaniak_dns.h"

#include "backends/cloud/dns_sets.h"

static const struct rest_page by_number = { REST_PAGE_NUMBER, REST_QUERY, "page", "pages", "per_page", 100 };

/* ---- records ---- */

static struct json_object *make_name(struct json_object *name)
{
	return dns_json_name(json_object_get_string(name));
}

static struct json_object *make_active(struct json_object *o)
{
	(void)o; /* there is no other state */
	return json_object_new_string("active");
}

static struct json_object *make_public(struct json_object *o)
{
	(void)o;
	return json_object_new_string("public");
}

static struct json_object *make_nameservers(struct json_object *list)
{
	return dns_json_values("NS", list, NULL, DNS_ESCAPE_DECIMAL);
}

static const struct record_source zone_map[] = {
	{ "id", "fqdn", NULL, make_name }, /* the number is of no use in a path */
	{ "name", "fqdn", NULL, make_name },
	{ "status", "", NULL, make_active },
	{ "type", "", NULL, make_public },
	{ "nameservers", "nameservers", NULL, make_nameservers },
	{ NULL, NULL, NULL, NULL },
};

/* Of a set made here: {"fqdn", "type", "ttl", "records": [theirs]}. */
static struct json_object *make_values(struct json_object *set)
{
	return dns_json_values(json_get_string(set, "type"), json_get(set, "records"), "target", DNS_ESCAPE_DECIMAL);
}

static const struct record_source set_map[] = {
	{ "id", "records.0.id", NULL, NULL },
	{ "name", "fqdn", NULL, make_name },
	{ "type", "type", NULL, NULL },
	{ "ttl", "ttl", NULL, NULL },
	{ "values", "", NULL, make_values },
	{ "status", "", NULL, make_active },
	{ "description", "records.0.description.user", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- asking ---- */

static int path_of(char **ret, struct error *err, const char *first, const char *id, const char *second, const char *id2)
{
	CLEANUP(buf_release) struct buf path = BUF_INIT(2048);

	if (buf_adds(&path, first) < 0 || service_path_add(&path, id) < 0 || buf_adds(&path, second) < 0 ||
	    (id2 && service_path_add(&path, id2) < 0))
		return error_set(err, ERR_TOO_LARGE, "a name is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* One exchange; takes the body. *ret is what stands in "data"; ret may be NULL. */
static int ask(struct cloud_call *call, enum http_method method, const char *path, struct json_object *body,
	       struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r;

	request.method = method;
	request.path = path;
	request.json = body;
	r = service_json(call, &infomaniak_domains_of(call)->service, &request, &answer, err);
	if (r == 0 && ret)
		*ret = json_object_get(json_get(answer, "data"));
	return r;
}

/* ---- zones ---- */

static int show_zone(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = path_of(&path, err, "/2/zones", name, "", NULL);

	return r < 0 ? r : ask(call, HTTP_GET, path, NULL, ret, err);
}

static int find_zone(struct cloud_call *call, const char *name, struct dns_zone *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	const char *fqdn;
	int r = show_zone(call, name, &zone, err);

	if (r < 0)
		return r;
	fqdn = json_get_string(zone, "fqdn");
	return dns_zone_fill(ret, fqdn, fqdn, zone, err);
}

struct zone_list {
	struct cloud_call *call;
	struct json_object *list;
};

static int add_zone(void *arg, struct json_object *item, struct error *err)
{
	struct zone_list *z = arg;

	return cloud_list_add(z->call, zone_map, item, &z->list, err);
}

static int list_domain(struct cloud_call *call, const char *domain, struct zone_list *z, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(freep) char *path = NULL, *name = NULL;
	int r = dns_domain(domain, &name, err);

	if (r == 0)
		r = path_of(&path, err, "/2/domains", name, "/zones", NULL);
	request.path = path;
	if (r == 0)
		r = rest_pages(call, &infomaniak_domains_of(call)->service, &request, "data", &by_number, add_zone, z, err);
	return r < 0 ? error_prefix(err, r, "domain '%.100s'", domain) : 0;
}

/* The API lists the zones of a domain, but no domains. */
static int zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	struct zone_list z = { call, NULL };
	struct str rest = str_of(infomaniak_domains_of(call)->domains);
	int r = 0;

	if (!rest.ptr)
		return error_set(err, ERR_CONFIG,
				 "Infomaniak lists no domains: name them (domains in the section, or INFOMANIAK_DOMAINS=a.ch,b.ch)");
	z.list = json_object_new_array();
	if (!z.list)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	while (rest.ptr && r == 0) {
		CLEANUP(freep) char *domain = str_dup(str_trim(str_split(&rest, ',')));

		if (domain && !*domain)
			continue;
		r = domain ? list_domain(call, domain, &z, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (r < 0)
		json_object_put(z.list);
	else
		*ret = z.list;
	return r;
}

static int zones_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	int r = show_zone(call, cloud_param(call, "zone"), &zone, err);

	return r < 0 ? r : cloud_record(call, zone_map, zone, ret, err);
}

static int zones_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	CLEANUP(freep) char *path = NULL;
	int r = 0;

	if (cloud_param_bool(call, "private", false) || cloud_param(call, "email") || cloud_param_json(call, "ttl") ||
	    cloud_param(call, "description"))
		return error_set(err, ERR_UNSUPPORTED, "Infomaniak's zones have no settings (private, email, ttl, description)");
	r = path_of(&path, err, "/2/zones", cloud_param(call, "zone"), "", NULL);
	if (r == 0)
		r = ask(call, HTTP_POST, path, json_object_new_object(), &zone, err);
	return r < 0 ? r : cloud_record(call, zone_map, zone, ret, err);
}

static int zones_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = path_of(&path, err, "/2/zones", cloud_param(call, "zone"), "", NULL);

	(void)ret; /* nothing to tell */
	return r < 0 ? r : ask(call, HTTP_DELETE, path, NULL, NULL, err);
}

/* ---- record sets ---- */

struct grouping {
	const struct dns_zone *zone;
	struct json_object *sets; /* "name type" to the set, in the order of the first record */
};

static int group(void *arg, struct json_object *record, struct error *err)
{
	struct grouping *g = arg;
	const char *source = json_get_string(record, "source"), *type = json_get_string(record, "type");
	bool is_apex = !source || !*source || !strcmp(source, ".") || !strcmp(source, "@");
	CLEANUP(freep) char *key = NULL, *name = NULL;
	struct json_object *set = NULL;

	if (!type)
		return error_set(err, ERR_PROTOCOL, "a record without a type");
	if (is_apex)
		name = strdup(g->zone->name);
	else
		name = dns_is_below(source, g->zone->name) ? strdup(source) : str_format("%s.%s", source, g->zone->name);
	key = name ? str_format("%s %s", name, type) : NULL;
	if (!key)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (!json_object_object_get_ex(g->sets, key, &set)) {
		set = json_object_new_object();
		if (!set)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		json_object_object_add(set, "fqdn", json_object_new_string(name));
		json_object_object_add(set, "type", json_object_new_string(type));
		json_object_object_add(set, "ttl", json_object_get(json_get(record, "ttl")));
		json_object_object_add(set, "records", json_object_new_array());
		json_object_object_add(g->sets, key, set);
	}
	return json_object_array_add(json_get(set, "records"), json_object_get(record)) == 0 ?
		       0 :
		       error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* All of the zone: its records are put together here, and the service's filters match parts of names. */
static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *sets = json_object_new_object();
	CLEANUP(freep) char *path = NULL;
	struct grouping g = { zone, sets };
	struct cloud_call whole = *call;
	int r = sets ? path_of(&path, err, "/2/zones", zone->id, "/records", NULL) :
		       error_set(err, ERR_NO_MEMORY, "out of memory");

	(void)name;
	(void)type;
	whole.limit = 0; /* of sets, not of records */
	request.path = path;
	if (r == 0)
		r = rest_pages(&whole, &infomaniak_domains_of(call)->service, &request, "data", &by_number, group, &g, err);
	if (r < 0)
		return r;
	json_object_object_foreach(sets, key, set)
	{
		(void)key;
		r = each(arg, set, err);
		if (r != 0)
			break;
	}
	return r < 0 ? r : 0;
}

/* What the service takes as a target: texts bare while they fit into one string, names without the last dot. */
static int target_of(const char *type, const char *value, char **ret, struct error *err)
{
	if (strcmp(type, "TXT") != 0 || (value[0] != '"' && strlen(value) <= 255)) {
		*ret = strdup(value);
		return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return dns_txt_quote(value, DNS_ESCAPE_DECIMAL, ret, err);
}

/* The path of a record that is there; identifiers are numbers. */
static int record_path(const struct dns_zone *zone, struct json_object *record, char **ret, struct error *err)
{
	int64_t id = json_get_int64(record, "id", 0);
	CLEANUP(freep) char *text = str_format("%lld", (long long)id);

	if (id <= 0)
		return error_set(err, ERR_PROTOCOL, "a record without an identifier");
	return text ? path_of(ret, err, "/2/zones", zone->id, "/records", text) : error_set(err, ERR_NO_MEMORY, "out of memory");
}

struct change {
	struct cloud_call *call;
	const struct dns_zone *zone;
	const struct dns_set *want;
	struct json_object *done; /* the records as they become */
	int planned;		  /* what a dry run's requests gave back */
};

/* Goes on in a dry run, so that all requests are shown. */
static int settle(struct change *c, int r, struct json_object *record, struct error *err)
{
	if (r < 0 && c->call->is_planned) {
		c->planned = r;
		return 0;
	}
	if (r == 0 && record && json_object_array_add(c->done, json_object_get(record)) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return r;
}

/* Writes a value: into a record that is there, or as a new one. */
static int write_value(struct change *c, const char *value, struct json_object *there, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *record = NULL;
	CLEANUP(freep) char *path = NULL, *target = NULL;
	struct str relative = dns_relative(c->want->name, c->zone->name);
	int r = target_of(c->want->type, value, &target, err);

	if (r == 0 && !body)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = there ? record_path(c->zone, there, &path, err) :
			    path_of(&path, err, "/2/zones", c->zone->id, "/records", NULL);
	if (r < 0)
		return r;
	json_object_object_add(body, "target", json_object_new_string(target));
	json_object_object_add(body, "ttl", json_object_new_int64(c->want->ttl));
	if (!there) {
		json_object_object_add(body, "type", json_object_new_string(c->want->type));
		if (strcmp(c->want->name, c->zone->name) != 0)
			json_object_object_add(body, "source", json_object_new_string_len(relative.ptr, (int)relative.len));
	}
	r = ask(c->call, there ? HTTP_PUT : HTTP_POST, path, steal(body), &record, err);
	return settle(c, r, record, err);
}

static int remove_record(struct change *c, struct json_object *record, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = record_path(c->zone, record, &path, err);

	if (r == 0)
		r = ask(c->call, HTTP_DELETE, path, NULL, NULL, err);
	return settle(c, r, NULL, err);
}

/* Takes the record with that value out of the list; borrowed from the set, NULL when there is none. */
static struct json_object *take_match(struct json_object *records, const char *type, const char *value, bool *taken)
{
	for (size_t i = 0; i < json_object_array_length(records); i++) {
		struct json_object *record = json_object_array_get_idx(records, i);
		const char *target = json_get_string(record, "target");
		CLEANUP(freep) char *read = NULL;
		struct error local = ERROR_INIT; /* then it is no match */

		if (taken[i] || !target || dns_value_read(type, target, DNS_ESCAPE_DECIMAL, &read, &local) < 0)
			continue;
		if (!strcmp(read, value)) {
			taken[i] = true;
			return record;
		}
	}
	return NULL;
}

static struct json_object *take_any(struct json_object *records, bool *taken)
{
	for (size_t i = 0; i < json_object_array_length(records); i++)
		if (!taken[i]) {
			taken[i] = true;
			return json_object_array_get_idx(records, i);
		}
	return NULL;
}

/* Values that stay keep their records (their TTL is brought up to date), new ones take over those of old ones. */
static int change_records(struct change *c, struct json_object *records, bool *taken, bool *kept, struct error *err)
{
	size_t count = json_object_array_length(c->want->values);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(c->want->values, i));
		struct json_object *same = take_match(records, c->want->type, value, taken);

		kept[i] = same != NULL;
		if (same && json_get_int64(same, "ttl", -1) == c->want->ttl)
			r = settle(c, 0, same, err);
		else if (same)
			r = write_value(c, value, same, err);
	}
	for (size_t i = 0; i < count && r == 0; i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(c->want->values, i));

		if (!kept[i])
			r = write_value(c, value, take_any(records, taken), err);
	}
	for (struct json_object *left = NULL; r == 0 && (left = take_any(records, taken)) != NULL;)
		r = remove_record(c, left, err);
	return r;
}

static int put_set(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *done = json_object_new_array(), *set = json_object_new_object();
	struct json_object *records = there ? json_get(there, "records") : NULL;
	CLEANUP(freep) bool *taken = calloc((records ? json_object_array_length(records) : 0) + 1, sizeof *taken);
	CLEANUP(freep) bool *kept = calloc(json_object_array_length(want->values) + 1, sizeof *kept);
	CLEANUP(json_putp) struct json_object *none = json_object_new_array();
	struct change c = { call, zone, want, done, 0 };
	int r;

	if (!done || !set || !taken || !kept || !none)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = change_records(&c, records ? records : none, taken, kept, err);
	if (r < 0 || c.planned)
		return r < 0 ? r : c.planned;
	json_object_object_add(set, "fqdn", json_object_new_string(want->name));
	json_object_object_add(set, "type", json_object_new_string(want->type));
	json_object_object_add(set, "ttl", json_object_new_int64(want->ttl));
	json_object_object_add(set, "records", steal(done));
	*ret = steal(set);
	return 0;
}

static int remove_set(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err)
{
	struct json_object *records = json_get(there, "records");
	struct change c = { call, zone, NULL, NULL, 0 };
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(records) && r == 0; i++)
		r = remove_record(&c, json_object_array_get_idx(records, i), err);
	return r < 0 ? r : c.planned;
}

static const struct dns_sets sets = {
	.map = set_map,
	.ttl_default = 3600,
	.ttl_min = 60,
	.ttl_max = 86400,
	.zone = find_zone,
	.list = list_sets,
	.put = put_set,
	.remove = remove_set,
};
DNS_SETS_SLOTS(sets)

const struct dns_ops infomaniak_dns = {
	.zones_list = { .run = zones_list },
	.zones_get = { .run = zones_get },
	.zones_create = { .run = zones_create },
	.zones_delete = { .run = zones_delete },
	DNS_SETS_MEMBERS,
};
