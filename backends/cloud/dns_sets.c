#include "backends/cloud/dns_sets.h"

#include <ctype.h>
#include <stdio.h>

void dns_zone_release(struct dns_zone *z)
{
	free(z->id);
	free(z->name);
	json_object_put(z->theirs);
	*z = DNS_ZONE_INIT;
}

static char *plain_name(const char *theirs)
{
	char *name = strdup(theirs);
	size_t len;

	if (!name)
		return NULL;
	if (!strncmp(name, "\\052", 4)) {
		name[0] = '*';
		memmove(name + 1, name + 4, strlen(name + 4) + 1);
	}
	len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

int dns_zone_fill(struct dns_zone *z, const char *id, const char *name, struct json_object *theirs, struct error *err)
{
	dns_zone_release(z);
	if (!id || !name)
		return error_set(err, ERR_PROTOCOL, "the service names a zone without name or identifier");
	z->id = strdup(id);
	z->name = plain_name(name);
	z->theirs = json_object_get(theirs);
	return z->id && z->name ? 0 : error_no_memory(err);
}

void dns_zone_search_keep(struct dns_zone_search *s, struct json_object *item)
{
	s->count++;
	json_object_put(s->found);
	s->found = json_object_get(item);
}

int dns_zone_search_end(struct dns_zone_search *s, const char *name, int r, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = steal(s->found);

	if (r >= 0 && s->count != 1)
		r = s->count ? error_set(err, ERR_CONFLICT, "%zu zones are named '%.100s' (use the id)", s->count, name) :
			       error_set(err, ERR_NOT_FOUND, "there is no zone '%.100s'", name);
	if (r < 0)
		return r;
	*ret = steal(found);
	return 0;
}

/* ---- for maps ---- */

struct json_object *dns_json_name(const char *theirs)
{
	CLEANUP(freep) char *name = theirs ? plain_name(theirs) : NULL;

	return name ? json_object_new_string(name) : NULL;
}

struct json_object *dns_json_values(const char *type, struct json_object *list, const char *member,
				    enum dns_escape escape)
{
	struct json_object *values = json_object_new_array();
	bool is_list = json_object_is_type(list, json_type_array);
	size_t count = is_list ? json_object_array_length(list) : list != NULL;

	for (size_t i = 0; values && type && i < count; i++) {
		struct json_object *item = is_list ? json_object_array_get_idx(list, i) : list;
		const char *text = member ? json_get_string(item, member) : json_object_get_string(item);
		CLEANUP(freep) char *value = NULL;
		struct error local = ERROR_INIT; /* without memory the value is left out, and so the set is not what is wanted */

		if (text && dns_value_read(type, text, escape, &value, &local) == 0)
			json_object_array_add(values, json_object_new_string(value));
	}
	return values;
}

int dns_wire_values(const struct dns_set *set, const char *member, enum dns_escape escape, struct json_object **ret,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	int r = list ? 0 : error_no_memory(err);

	for (size_t i = 0; r == 0 && i < json_object_array_length(set->values); i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(set->values, i));
		CLEANUP(freep) char *wire = NULL;
		struct json_object *item, *text;

		r = dns_value_wire(set->type, value, escape, &wire, err);
		if (r < 0)
			break;
		text = json_object_new_string(wire);
		item = member ? json_object_new_object() : text;
		if (member && item)
			json_object_object_add(item, member, text);
		if (!item || json_object_array_add(list, item) != 0)
			r = error_no_memory(err);
	}
	if (r == 0)
		*ret = steal(list);
	return r;
}

/* ---- finding ---- */

struct search {
	struct cloud_call *call;
	const struct dns_sets *sets;
	const char *name, *type; /* NULL: any */
	struct json_object *list;	/* listing: the records found */
	struct json_object *found;	/* looking for one: the service's own */
	size_t count;
	bool is_listing;
	char other[24]; /* a type beside it that may not be there together with it */
};

static void search_release(struct search *s)
{
	json_object_put(s->list);
	json_object_put(s->found);
}

static int look(void *arg, struct json_object *theirs, struct error *err)
{
	struct search *s = arg;
	CLEANUP(json_putp) struct json_object *record = NULL;
	int r = record_make(&shape_dns_record, s->sets->map, theirs,
			    s->call->wants_raw ? RECORD_WITH_RAW : RECORD_PLAIN, &record, err);
	const char *name, *type;

	if (r < 0)
		return r;
	name = json_get_string(record, "name");
	type = json_get_string(record, "type");
	if (!name || !type || (s->name && strcmp(name, s->name) != 0))
		return 0;
	if (s->is_listing) {
		if (s->type && strcmp(type, s->type) != 0)
			return 0;
		if (json_object_array_add(s->list, steal(record)) != 0)
			return error_no_memory(err);
		return s->call->limit && json_object_array_length(s->list) >= s->call->limit;
	}
	if (!strcmp(type, s->type)) {
		s->count++;
		json_object_put(s->found);
		s->found = json_object_get(theirs);
	} else if (!strcmp(type, "CNAME") || !strcmp(s->type, "CNAME")) {
		(void)snprintf(s->other, sizeof s->other, "%s", type); /* cut off is fine */
	}
	return 0;
}

int dns_sets_list(struct cloud_call *call, const struct dns_sets *sets, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *name = NULL;
	CLEANUP(search_release) struct search s = { .call = call, .sets = sets, .is_listing = true };
	int r = sets->zone(call, cloud_param(call, "zone"), &zone, err);

	s.type = cloud_param(call, "type");
	s.list = json_object_new_array();
	if (r == 0 && !s.list)
		r = error_no_memory(err);
	if (r == 0 && cloud_param(call, "name"))
		r = dns_full_name(cloud_param(call, "name"), zone.name, &name, err);
	s.name = name;
	if (r == 0)
		r = sets->list(call, &zone, name, s.type, look, &s, err);
	if (r < 0)
		return r;
	*ret = steal(s.list);
	return 0;
}

/* The one set of the call's name and type: *ret_found NULL when there is none. */
static int find(struct cloud_call *call, const struct dns_sets *sets, struct dns_zone *zone, char **ret_name,
		struct search *s, struct error *err)
{
	int r = sets->zone(call, cloud_param(call, "zone"), zone, err);

	s->call = call;
	s->sets = sets;
	s->type = cloud_param(call, "type");
	if (r == 0)
		r = dns_full_name(cloud_param(call, "name"), zone->name, ret_name, err);
	s->name = *ret_name;
	if (r == 0)
		r = sets->list(call, zone, s->name, NULL, look, s, err);
	if (r >= 0 && s->count > 1)
		r = error_set(err, ERR_CONFLICT,
			      "'%.100s' has %zu record sets of type %s, told apart by a routing policy (use the provider's own tools)",
			      s->name, s->count, s->type);
	return r < 0 ? r : 0;
}

static int missing(const struct search *s, struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "there is no record set '%.100s' of type %s", s->name, s->type);
}

int dns_sets_get(struct cloud_call *call, const struct dns_sets *sets, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *name = NULL;
	CLEANUP(search_release) struct search s = { 0 };
	int r = find(call, sets, &zone, &name, &s, err);

	if (r < 0)
		return r;
	return s.found ? cloud_record(call, sets->map, s.found, ret, err) : missing(&s, err);
}

/* ---- changing ---- */

static int check_ttl(const struct dns_sets *sets, int64_t ttl, struct error *err)
{
	if (ttl < 0 || (ttl >= sets->ttl_min && ttl <= sets->ttl_max))
		return 0;
	return error_set(err, ERR_INVALID, "parameter 'ttl' must be %lld to %lld here, not %lld", (long long)sets->ttl_min,
			 (long long)sets->ttl_max, (long long)ttl);
}

static int check_put(const struct search *s, enum dns_intent intent, const char *zone, struct error *err)
{
	if (intent == DNS_CREATE && s->found)
		return error_set(err, ERR_EXISTS, "'%.100s' has a record set of type %s already", s->name, s->type);
	if (intent == DNS_UPDATE && !s->found)
		return missing(s, err);
	if (!strcmp(s->type, "CNAME") && !strcmp(s->name, zone))
		return error_set(err, ERR_INVALID, "a zone's own name can have no CNAME (it has SOA and NS)");
	if (s->other[0] && !s->found)
		return error_set(err, ERR_CONFLICT,
				 "'%.100s' has a record set of type %s: a CNAME stands alone at its name", s->name, s->other);
	return 0;
}

static bool is_so(struct json_object *record, const struct dns_set *want)
{
	return !json_get_string(record, "alias") && json_get_int64(record, "ttl", -1) == want->ttl &&
	       dns_same_values(json_get_array(record, "values"), want->values);
}

int dns_sets_put(struct cloud_call *call, const struct dns_sets *sets, enum dns_intent intent, struct json_object **ret,
		 struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *name = NULL;
	CLEANUP(search_release) struct search s = { 0 };
	CLEANUP(json_putp) struct json_object *before = NULL, *after = NULL;
	struct dns_set want = { .ttl = cloud_param_int(call, "ttl", -1) };
	int r = find(call, sets, &zone, &name, &s, err);

	if (r == 0)
		r = check_put(&s, intent, zone.name, err);
	if (r == 0 && s.found)
		r = record_make(&shape_dns_record, sets->map, s.found, RECORD_PLAIN, &before, err);
	if (r < 0)
		return r;
	if (want.ttl < 0) /* what is there keeps its TTL */
		want.ttl = before ? json_get_int64(before, "ttl", sets->ttl_default) : sets->ttl_default;
	want.name = name;
	want.type = s.type;
	want.values = cloud_param_json(call, "values");
	r = check_ttl(sets, want.ttl, err);
	if (r == 0 && before && is_so(before, &want))
		return cloud_record(call, sets->map, s.found, ret, err);
	if (r == 0)
		r = sets->put(call, &zone, &want, s.found, &after, err);
	if (r < 0)
		return r;
	return cloud_record(call, sets->map, after, ret, err);
}

int dns_sets_delete(struct cloud_call *call, const struct dns_sets *sets, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(freep) char *name = NULL;
	CLEANUP(search_release) struct search s = { 0 };
	int r = find(call, sets, &zone, &name, &s, err);

	(void)ret; /* nothing to tell */
	if (r == 0 && !s.found)
		r = missing(&s, err);
	if (r == 0 && !strcmp(name, zone.name) && (!strcmp(s.type, "SOA") || !strcmp(s.type, "NS")))
		r = error_set(err, ERR_INVALID, "a zone cannot be without its own %s records", s.type);
	return r < 0 ? r : sets->remove(call, &zone, s.found, err);
}
