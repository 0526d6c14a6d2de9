/*
 * Domain names by Azure DNS. Each set has an etag, which its change must name: what somebody else changed meanwhile is not
 * overwritten.
 *
 * Source: learn.microsoft.com/rest/api/dns, version 2018-05-01 (read 2026-11). A set's name is relative to its zone; each
 * type has members of its own; texts come as lists of strings without quotes.
 */
#include "backends/azure/cloud_azure.h"
#include "backends/cloud/dns_sets.h"

#define ARM_DNS "2018-05-01"

/* Where a type's values stand below "properties", and the members that are its pieces, in the order of a zone file. */
static const struct {
	const char *type, *list;
	bool is_single; /* one object, not a list of them */
	const char *pieces[8]; /* '#' before the name: a number */
} forms[] = {
	{ "A", "ARecords", false, { "ipv4Address" } },
	{ "AAAA", "AAAARecords", false, { "ipv6Address" } },
	{ "CNAME", "CNAMERecord", true, { "cname" } },
	{ "MX", "MXRecords", false, { "#preference", "exchange" } },
	{ "NS", "NSRecords", false, { "nsdname" } },
	{ "PTR", "PTRRecords", false, { "ptrdname" } },
	{ "SRV", "SRVRecords", false, { "#priority", "#weight", "#port", "target" } },
	{ "CAA", "caaRecords", false, { "#flags", "tag", "value" } },
	{ "SOA", "SOARecord", true,
	  { "host", "email", "#serialNumber", "#refreshTime", "#retryTime", "#expireTime", "#minimumTTL" } },
	{ "TXT", "TXTRecords", false, { NULL } },
};

static size_t find_form(const char *type)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(forms) && strcmp(forms[i].type, type) != 0)
		i++;
	return i;
}

/* ---- records ---- */

/* "Microsoft.Network/dnszones/A" */
static const char *type_of(struct json_object *set)
{
	const char *text = json_get_string(set, "type"), *slash = text ? strrchr(text, '/') : NULL;

	return slash ? slash + 1 : text;
}

static struct json_object *make_type(struct json_object *set)
{
	const char *type = type_of(set);

	return type ? json_object_new_string(type) : NULL;
}

static struct json_object *make_name(struct json_object *name)
{
	return dns_json_name(json_object_get_string(name));
}

static struct json_object *make_status(struct json_object *o)
{
	const char *state = json_get_string(o, "properties.provisioningState");

	return json_object_new_string(!state || !strcmp(state, "Succeeded") ? "active" : "pending");
}

static struct json_object *make_kind(struct json_object *type)
{
	const char *text = json_object_get_string(type);

	return json_object_new_string(text && !strcmp(text, "Private") ? "private" : "public");
}

static struct json_object *make_nameservers(struct json_object *list)
{
	return dns_json_values("NS", list, NULL, DNS_ESCAPE_DECIMAL);
}

static const struct record_source zone_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, make_name },
	{ "status", "", NULL, make_status },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "type", "properties.zoneType", NULL, make_kind },
	{ "records", "properties.numberOfRecordSets", NULL, NULL },
	{ "nameservers", "properties.nameServers", NULL, make_nameservers },
	{ "description", "tags.description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static int join_text(struct json_object *item, char **ret)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(DNS_TXT_MAX);
	struct json_object *strings = json_get_array(item, "value");
	struct error local = ERROR_INIT; /* then the value is left out */

	for (size_t i = 0; strings && i < json_object_array_length(strings); i++) {
		struct json_object *s = json_object_array_get_idx(strings, i);

		if (buf_add(&bytes, json_object_get_string(s), (size_t)json_object_get_string_len(s)) < 0)
			return -EFBIG;
	}
	return dns_txt_value(buf_str(&bytes), ret, &local);
}

static int join_pieces(size_t form, struct json_object *item, char **ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(8192);
	struct error local = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(forms[form].pieces) && forms[form].pieces[i]; i++) {
		const char *key = forms[form].pieces[i];
		struct json_object *piece = json_get(item, key + (*key == '#'));
		const char *quote = !strcmp(key, "value") ? "\"" : "";

		if (!piece || buf_addf(&text, "%s%s%s%s", i ? " " : "", quote, json_object_get_string(piece), quote) < 0)
			return -EINVAL;
	}
	return dns_value_read(forms[form].type, buf_cstr(&text), DNS_ESCAPE_DECIMAL, ret, &local);
}

static struct json_object *make_values(struct json_object *set)
{
	struct json_object *values = json_object_new_array(), *list;
	const char *type = type_of(set);
	size_t form = type ? find_form(type) : ARRAY_SIZE(forms), count;

	if (!values || form == ARRAY_SIZE(forms))
		return values;
	list = json_get(json_get(set, "properties"), forms[form].list);
	count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : list != NULL;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = forms[form].is_single ? list : json_object_array_get_idx(list, i);
		CLEANUP(freep) char *value = NULL;

		if ((strcmp(type, "TXT") ? join_pieces(form, item, &value) : join_text(item, &value)) == 0)
			json_object_array_add(values, json_object_new_string(value));
	}
	return values;
}

static struct json_object *make_alias(struct json_object *set)
{
	const char *id = json_get_string(set, "properties.targetResource.id");

	return id && *id ? json_object_new_string(id) : NULL;
}

static const struct record_source set_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "properties.fqdn", NULL, make_name },
	{ "type", "", NULL, make_type },
	{ "ttl", "properties.TTL", NULL, NULL },
	{ "values", "", NULL, make_values },
	{ "status", "", NULL, make_status },
	{ "alias", "", NULL, make_alias },
	{ "description", "properties.metadata.description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- zones ---- */

struct zone_search {
	const char *name;
	struct dns_zone_search all;
};

static int look_at_zone(void *arg, struct json_object *item, struct error *err)
{
	struct zone_search *s = arg;
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(item, "name"));

	(void)err; /* cannot fail */
	if (!name || strcmp(json_object_get_string(name), s->name) != 0)
		return 0;
	dns_zone_search_keep(&s->all, item);
	return 0;
}

static int zones_path(struct cloud_call *call, char **ret, struct error *err)
{
	static const char *const pieces[] = { "providers", "Microsoft.Network", "dnszones", NULL };

	return arm_path(call, NULL, pieces, ret, err);
}

static int find_named(struct cloud_call *call, const char *name, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	struct zone_search s = { .name = name };
	int r = zones_path(call, &path, err);

	if (r == 0)
		r = arm_pages(call, path, ARM_DNS, NULL, NULL, look_at_zone, &s, err);
	return dns_zone_search_end(&s.all, name, r, ret, err);
}

static int find_zone(struct cloud_call *call, const char *name_or_id, struct dns_zone *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	CLEANUP(freep) char *path = NULL;
	int r;

	if (*name_or_id == '/') {
		r = arm_id_path(name_or_id, &path, err);
		if (r == 0)
			r = arm_get(call, path, ARM_DNS, NULL, &zone, err);
	} else {
		r = find_named(call, name_or_id, &zone, err);
	}
	return r < 0 ? r : dns_zone_fill(ret, json_get_string(zone, "id"), json_get_string(zone, "name"), zone, err);
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

static int zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	struct zone_list z = { call, json_object_new_array() };
	int r = z.list ? zones_path(call, &path, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = arm_pages(call, path, ARM_DNS, NULL, NULL, add_zone, &z, err);
	if (r < 0)
		json_object_put(z.list);
	else
		*ret = z.list;
	return r < 0 ? r : 0;
}

static int zones_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	return r < 0 ? r : cloud_record(call, zone_map, zone.theirs, ret, err);
}

static int zones_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *pieces[] = { "providers", "Microsoft.Network", "dnsZones", cloud_param(call, "zone"), NULL };
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *tags = json_object_new_object(), *zone = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *group = NULL, *text = cloud_param(call, "description");
	struct arm_change change = { .method = HTTP_PUT, .api = ARM_DNS, .is_new = true };
	int r = 0;

	if (cloud_param_bool(call, "private", false))
		return error_set(err, ERR_UNSUPPORTED, "private zones of Azure are a service of their own, which is not spoken");
	if (cloud_param(call, "email") || cloud_param_json(call, "ttl"))
		return error_set(err, ERR_UNSUPPORTED, "Azure sets contact and TTL of a zone's SOA record itself");
	r = body && tags ? arm_group(call, &group, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = arm_path(call, group, pieces, &path, err);
	if (r < 0)
		return r;
	json_object_object_add(body, "location", json_object_new_string("global"));
	if (text) {
		json_object_object_add(tags, "description", json_object_new_string(text));
		json_object_object_add(body, "tags", steal(tags));
	}
	change.path = path;
	r = arm_change(call, &change, steal(body), &zone, err);
	return r < 0 ? r : cloud_record(call, zone_map, zone, ret, err);
}

static int zones_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *path = NULL;
	struct arm_change change = { .method = HTTP_DELETE, .api = ARM_DNS };
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	(void)ret; /* nothing to tell */
	if (r == 0)
		r = arm_id_path(zone.id, &path, err);
	change.path = path;
	return r < 0 ? r : arm_change(call, &change, NULL, NULL, err);
}

/* ---- record sets ---- */

/* The path of the zone and what is below it: type and relative name, or "recordsets". */
static int set_path(const struct dns_zone *zone, const char *type, const char *name, char **ret, struct error *err)
{
	CLEANUP(freep) char *base = NULL, *relative = name ? str_dup(dns_relative(name, zone->name)) : NULL;
	CLEANUP(buf_release) struct buf path = BUF_INIT(4096);
	int r = arm_id_path(zone->id, &base, err);

	if (r < 0)
		return r;
	if (buf_adds(&path, base) < 0 || service_path_add(&path, type) < 0 ||
	    (name && (!relative || service_path_add(&path, relative) < 0)))
		return error_set(err, ERR_TOO_LARGE, "a name is too long");
	*ret = buf_detach(&path);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(json_putp) struct json_object *one = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *only = type ? type : cloud_param(call, "type");
	bool is_one = name && only;
	int r = set_path(zone, is_one ? only : "recordsets", is_one ? name : NULL, &path, err);

	if (is_one && find_form(only) == ARRAY_SIZE(forms))
		return error_set(err, ERR_UNSUPPORTED, "Azure has no records of type %s", only);
	if (r < 0 || !is_one)
		return r < 0 ? r : arm_pages(call, path, ARM_DNS, NULL, NULL, each, arg, err);
	r = arm_get(call, path, ARM_DNS, NULL, &one, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) { /* the zone is there: it was asked for before */
		*err = ERROR_INIT;
		return 0;
	}
	if (r == 0)
		r = each(arg, one, err);
	return r < 0 ? r : 0;
}

/* Takes the body. */
static int exchange(struct cloud_call *call, enum http_method method, const char *path, const char *etag,
		    struct json_object *body, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request request = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r;

	request.method = method;
	request.path = path;
	request.json = body;
	r = http_query_add(&request.query, "api-version", ARM_DNS, err);
	if (r == 0)
		r = etag ? http_fields_add(&request.headers, "If-Match", etag, err) :
			   http_fields_add(&request.headers, "If-None-Match", "*", err);
	if (r == 0)
		r = service_json(call, &azure_cloud_of(call)->service, &request, &answer, err);
	if (r < 0 && err->kind == ERR_PRECONDITION)
		return error_set(err, ERR_CONFLICT, "the record set was changed meanwhile");
	if (r == 0 && ret)
		*ret = steal(answer);
	return r;
}

/* A text's strings of at most 255 bytes; no character is cut in two, for they stand in JSON. */
static int split_text(const char *value, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(DNS_TXT_MAX);
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	int r = o && list ? dns_txt_bytes(value, &bytes, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (!o || json_object_object_add(o, "value", list) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t at = 0, n; r == 0 && (at < bytes.len || at == 0); at += n) {
		struct str left = { buf_cstr(&bytes) + at, bytes.len - at };
		size_t step;

		for (n = 0; n < left.len; n += step) {
			step = str_utf8_char((struct str){ left.ptr + n, left.len - n });
			if (!step)
				return error_set(err, ERR_UNSUPPORTED, "Azure takes texts in UTF-8 only");
			if (n + step > 255)
				break;
		}
		if (json_object_array_add(list, json_object_new_string_len(left.ptr, (int)n)) != 0)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		if (!n)
			break; /* the empty text */
	}
	if (r == 0)
		*ret = steal(o);
	return r;
}

static int split_pieces(size_t form, const char *value, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	struct str words[8];
	int count = dns_words(value, words, ARRAY_SIZE(words));

	if (!o)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (int i = 0; i < count && forms[form].pieces[i]; i++) {
		const char *key = forms[form].pieces[i];
		struct str w = words[i];
		int64_t number = 0;

		if (*key == '#' && str_to_i64(w, &number) == 0) {
			json_object_object_add(o, key + 1, json_object_new_int64(number));
			continue;
		}
		if (w.len >= 2 && *w.ptr == '"')
			w = (struct str){ w.ptr + 1, w.len - 2 };
		json_object_object_add(o, key, json_object_new_string_len(w.ptr, (int)w.len));
	}
	*ret = steal(o);
	return 0;
}

static int make_properties(const struct dns_set *want, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *properties = json_object_new_object(), *list = json_object_new_array();
	size_t form = find_form(want->type);
	int r = properties && list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	for (size_t i = 0; r == 0 && i < json_object_array_length(want->values); i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(want->values, i));
		struct json_object *item = NULL;

		r = strcmp(want->type, "TXT") ? split_pieces(form, value, &item, err) : split_text(value, &item, err);
		if (r == 0 && json_object_array_add(list, item) != 0)
			r = error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (r < 0)
		return r;
	json_object_object_add(properties, "TTL", json_object_new_int64(want->ttl));
	json_object_object_add(properties, forms[form].list,
			       json_object_get(forms[form].is_single ? json_object_array_get_idx(list, 0) : list));
	*ret = steal(properties);
	return 0;
}

static int put_set(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *body = json_object_new_object(), *properties = NULL;
	CLEANUP(freep) char *path = NULL;
	const char *etag = there ? json_get_string(there, "etag") : NULL;
	int r = body ? make_properties(want, &properties, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && there && !etag)
		r = error_set(err, ERR_PROTOCOL, "a record set without an etag");
	if (r == 0)
		r = set_path(zone, want->type, want->name, &path, err);
	if (r < 0)
		return r;
	if (there && json_get(there, "properties.metadata"))
		json_object_object_add(properties, "metadata", json_object_get(json_get(there, "properties.metadata")));
	json_object_object_add(body, "properties", steal(properties));
	return exchange(call, HTTP_PUT, path, etag, steal(body), ret, err);
}

static int remove_set(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err)
{
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(there, "properties.fqdn"));
	CLEANUP(freep) char *path = NULL;
	const char *etag = json_get_string(there, "etag"), *type = type_of(there);
	int r = name && etag && type ? set_path(zone, type, json_object_get_string(name), &path, err) :
				       error_set(err, ERR_PROTOCOL, "a record set without name, type or etag");

	return r < 0 ? r : exchange(call, HTTP_DELETE, path, etag, NULL, NULL, err);
}

static const struct dns_sets sets = {
	.map = set_map,
	.ttl_default = 3600,
	.ttl_min = 1,
	.ttl_max = DNS_TTL_MAX,
	.zone = find_zone,
	.list = list_sets,
	.put = put_set,
	.remove = remove_set,
};
DNS_SETS_SLOTS(sets)

const struct dns_ops azure_dns = {
	.zones_list = { .run = zones_list },
	.zones_get = { .run = zones_get },
	.zones_create = { .run = zones_create },
	.zones_delete = { .run = zones_delete },
	DNS_SETS_MEMBERS,
};
