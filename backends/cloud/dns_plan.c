#include "backends/cloud/dns_plan.h"

#include "backends/base/hash.h"
#include "backends/cloud/record.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)8 << 20)

static const struct record_field plan_fields[] = {
	{ "zone", RECORD_TEXT, "domain name" },
	{ "plan_id", RECORD_TEXT, "checksum of the plan: what --plan-id wants" },
	{ "existing", RECORD_INT, "record sets that the zone has and the plan is about" },
	{ "unchanged", RECORD_INT, "of them, those that stay as they are" },
	{ "needs_force", RECORD_TEXT, "why it is done only with --force; null when it is harmless" },
	{ "applied", RECORD_INT, "how many of the changes are done" },
	{ "adds", RECORD_LIST, "record sets that are made" },
	{ "changes", RECORD_LIST, "record sets that change: name, type, before, after" },
	{ "deletes", RECORD_LIST, "record sets that go" },
	{ "plan", RECORD_TEXT, "all of it, a line each: + made, ~ changed, - deleted" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_dns_plan = { "plan", plan_fields, NULL };
static const struct record_field file_fields[] = {
	{ "zone", RECORD_TEXT, "domain name" },
	{ "records", RECORD_INT, "how many record sets" },
	{ "text", RECORD_TEXT, "the zone file" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_dns_zone_file = { "zone file", file_fields, NULL };

struct planner {
	const char *zone;
	enum dns_apex_ns apex;
	struct json_object *there, *wanted;	   /* "name type" to the set */
	struct json_object *adds, *changes, *deletes;
	struct buf text;
	size_t existing, unchanged;
	bool changes_apex_ns;
};

static void planner_release(struct planner *p)
{
	json_object_put(p->there);
	json_object_put(p->wanted);
	json_object_put(p->adds);
	json_object_put(p->changes);
	json_object_put(p->deletes);
	buf_release(&p->text);
}

static bool is_apex_ns(const struct planner *p, struct json_object *set)
{
	return !strcmp(json_get_string(set, "name"), p->zone) && !strcmp(json_get_string(set, "type"), "NS");
}

static bool is_left_alone(const struct planner *p, struct json_object *set)
{
	const char *name = json_get_string(set, "name"), *type = json_get_string(set, "type");

	if (!name || !type || (!strcmp(type, "SOA") && !strcmp(name, p->zone)))
		return true;
	return is_apex_ns(p, set) && p->apex == DNS_APEX_NS_LEAVE;
}

/* A set that a zone file cannot say: marked, so that it is neither changed nor deleted. */
static bool is_special(struct json_object *set)
{
	return json_get_string(set, "alias") || json_get_bool(set, "is_double", false) ||
	       !dns_is_type(json_get_string(set, "type"));
}

static int index_sets(const struct planner *p, struct json_object *sets, struct json_object *index, struct error *err)
{
	for (size_t i = 0; i < json_object_array_length(sets); i++) {
		struct json_object *set = json_object_array_get_idx(sets, i), *other = NULL;
		CLEANUP(freep) char *key = NULL;

		if (is_left_alone(p, set))
			continue;
		key = str_format("%s %s", json_get_string(set, "name"), json_get_string(set, "type"));
		if (!key)
			return error_no_memory(err);
		if (json_object_object_get_ex(index, key, &other))
			json_object_object_add(other, "is_double", json_object_new_boolean(true));
		else
			json_object_object_add(index, key, json_object_get(set));
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const char *x = json_object_get_string(*(struct json_object *const *)a);
	const char *y = json_object_get_string(*(struct json_object *const *)b);

	return strcmp(x ? x : "", y ? y : "");
}

static int by_key(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a, *y = *(struct json_object *const *)b;
	int r = strcmp(json_get_string(x, "name"), json_get_string(y, "name"));

	return r ? r : strcmp(json_get_string(x, "type"), json_get_string(y, "type"));
}

/* Only what counts, in a fixed order: a plan's checksum depends neither on identifiers nor on how a service sorts. */
static struct json_object *bare(struct json_object *set)
{
	static const char *const members[] = { "name", "type", "ttl" };
	struct json_object *o = json_object_new_object(), *values = NULL;

	for (size_t i = 0; o && i < ARRAY_SIZE(members); i++)
		json_object_object_add(o, members[i], json_object_get(json_get(set, members[i])));
	if (!o || json_object_deep_copy(json_get(set, "values"), &values, NULL) != 0) {
		json_object_put(o);
		return NULL;
	}
	json_object_array_sort(values, by_text);
	json_object_object_add(o, "values", values);
	return o;
}

static int add_line(struct planner *p, const char *mark, struct json_object *set)
{
	struct json_object *values = json_get_array(set, "values");
	struct str name = dns_relative(json_get_string(set, "name"), p->zone);
	int64_t ttl = json_get_int64(set, "ttl", -1);
	int r = 0;

	for (size_t i = 0; values && i < json_object_array_length(values) && r == 0; i++) {
		r = buf_addf(&p->text, "%s %.*s ", mark, (int)name.len, name.ptr);
		if (r == 0 && ttl >= 0)
			r = buf_addf(&p->text, "%lld ", (long long)ttl);
		if (r == 0)
			r = buf_addf(&p->text, "%s %s\n", json_get_string(set, "type"),
				     json_object_get_string(json_object_array_get_idx(values, i)));
	}
	return r;
}

static int add_to(struct json_object *list, struct json_object *item)
{
	if (item && json_object_array_add(list, item) == 0)
		return 0;
	json_object_put(item);
	return -ENOMEM;
}

static int plan_change(struct planner *p, struct json_object *before, struct json_object *after)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return -ENOMEM;
	json_object_object_add(o, "name", json_object_get(json_get(after, "name")));
	json_object_object_add(o, "type", json_object_get(json_get(after, "type")));
	json_object_object_add(o, "before", bare(before));
	json_object_object_add(o, "after", bare(after));
	if (add_to(p->changes, o) < 0 || add_line(p, "~ -", before) < 0 || add_line(p, "~ +", after) < 0)
		return -ENOMEM;
	return 0;
}

static bool is_same(struct json_object *before, struct json_object *after)
{
	struct json_object *ttl = json_get(after, "ttl");

	return (!ttl || json_object_get_int64(ttl) == json_get_int64(before, "ttl", -1)) &&
	       dns_same_values(json_get_array(before, "values"), json_get_array(after, "values"));
}

static int compare_wanted(struct planner *p, struct error *err)
{
	json_object_object_foreach(p->wanted, key, after)
	{
		struct json_object *before = NULL;
		bool has_before = json_object_object_get_ex(p->there, key, &before);
		int r;

		if (has_before && is_special(before))
			return error_set(err, ERR_CONFLICT,
					 "'%.200s' is an alias or has a routing policy in the zone: take it out of the file", key);
		if (has_before && is_same(before, after)) {
			p->unchanged++;
			continue;
		}
		p->changes_apex_ns = p->changes_apex_ns || is_apex_ns(p, after);
		r = has_before ? plan_change(p, before, after) : add_to(p->adds, bare(after));
		if (r == 0 && !has_before)
			r = add_line(p, "+", after);
		if (r < 0)
			return error_no_memory(err);
	}
	return 0;
}

static int compare_there(struct planner *p, struct error *err)
{
	json_object_object_foreach(p->there, key, before)
	{
		p->existing++;
		if (json_object_object_get_ex(p->wanted, key, NULL))
			continue;
		if (is_special(before)) {
			p->unchanged++;
			continue;
		}
		if (is_apex_ns(p, before))
			return error_set(err, ERR_INVALID, "the file has no NS records of the zone itself (leave out apex_ns)");
		if (add_to(p->deletes, bare(before)) < 0 || add_line(p, "-", before) < 0)
			return error_no_memory(err);
	}
	return 0;
}

static void make_id(struct json_object *plan, char ret[33])
{
	struct hash_stream *h = hash_stream_new(HASH_SHA256);
	static const char *const members[] = { "zone", "adds", "changes", "deletes" };
	unsigned char digest[32];

	ret[0] = '\0';
	for (size_t i = 0; h && i < ARRAY_SIZE(members); i++) {
		const char *text = json_object_to_json_string_ext(json_get(plan, members[i]), JSON_C_TO_STRING_PLAIN);

		hash_stream_add(h, text, strlen(text) + 1);
	}
	if (h && hash_stream_digest(h, digest) == sizeof digest)
		for (size_t i = 0; i < 16; i++)
			(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]); /* never cut off */
	hash_stream_free(h);
}

static int finish(struct planner *p, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *plan = json_object_new_object();
	size_t touched = json_object_array_length(p->changes) + json_object_array_length(p->deletes);
	char why[160] = "", id[33];

	if (!plan)
		return error_no_memory(err);
	if (p->changes_apex_ns)
		(void)snprintf(why, sizeof why, "the zone's own NS records change");
	else if (touched * 100 > p->existing * DNS_PLAN_PERCENT_MAX)
		(void)snprintf(why, sizeof why, "%zu of %zu record sets change or go (more than %d %%)", touched, p->existing,
			       DNS_PLAN_PERCENT_MAX);
	json_object_array_sort(p->adds, by_key);
	json_object_array_sort(p->changes, by_key);
	json_object_array_sort(p->deletes, by_key);
	json_object_object_add(plan, "zone", json_object_new_string(p->zone));
	json_object_object_add(plan, "plan_id", NULL);
	json_object_object_add(plan, "existing", json_object_new_uint64(p->existing));
	json_object_object_add(plan, "unchanged", json_object_new_uint64(p->unchanged));
	json_object_object_add(plan, "needs_force", *why ? json_object_new_string(why) : NULL);
	json_object_object_add(plan, "applied", json_object_new_int(0));
	json_object_object_add(plan, "adds", steal(p->adds));
	json_object_object_add(plan, "changes", steal(p->changes));
	json_object_object_add(plan, "deletes", steal(p->deletes));
	json_object_object_add(plan, "plan", json_object_new_string(buf_cstr(&p->text)));
	make_id(plan, id);
	if (!*id)
		return error_no_memory(err);
	json_object_object_add(plan, "plan_id", json_object_new_string(id));
	*ret = steal(plan);
	return 0;
}

int dns_plan_make(const char *zone, struct json_object *there, struct json_object *wanted, enum dns_apex_ns apex,
		  struct json_object **ret, struct error *err)
{
	CLEANUP(planner_release) struct planner p = { .zone = zone, .apex = apex, .text = BUF_INIT(TEXT_MAX) };
	int r;

	p.there = json_object_new_object();
	p.wanted = json_object_new_object();
	p.adds = json_object_new_array();
	p.changes = json_object_new_array();
	p.deletes = json_object_new_array();
	if (!p.there || !p.wanted || !p.adds || !p.changes || !p.deletes)
		return error_no_memory(err);
	r = index_sets(&p, there, p.there, err);
	if (r == 0)
		r = index_sets(&p, wanted, p.wanted, err);
	if (r == 0)
		r = compare_wanted(&p, err);
	if (r == 0)
		r = compare_there(&p, err);
	return r < 0 ? r : finish(&p, ret, err);
}
