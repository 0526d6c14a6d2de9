#include "control/dns_zones.h"

#include "backends/base/clock.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/dns_plan.h"
#include "backends/cloud/dns_zonefile.h"
#include "control/op.h"

#define EXPORT_MAX ((size_t)16 << 20)

/* Runs a slot with parameters of its own. */
static int run_slot(struct cloud_call *call, size_t offset, const struct record_shape *shape, struct json_object *params,
		    struct json_object **ret, struct error *err)
{
	const struct cloud_slot *slot = cloud_slot(call->cloud->driver, CLOUD_DNS, offset);
	struct cloud_call own = *call;
	int r;

	if (!slot)
		return error_set(err, ERR_UNSUPPORTED, "%s: not supported by %s", call->operation, call->cloud->name);
	own.shape = shape;
	own.params = params;
	own.limit = 0;
	own.wants_raw = false;
	r = cloud_run(&own, slot, ret, err);
	call->is_planned = own.is_planned;
	return r;
}
#define SLOT(name) offsetof(struct dns_ops, name)

static struct json_object *zone_params(const char *zone)
{
	struct json_object *params = json_object_new_object();

	if (params)
		json_object_object_add(params, "zone", json_object_new_string(zone));
	return params;
}

/* The zone's record and all its sets. */
static int read_zone(struct cloud_call *call, struct json_object **ret_zone, struct json_object **ret_sets, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = zone_params(cloud_param(call, "zone")), *zone = NULL, *by_id = NULL;
	struct json_object *sets = NULL;
	int r = params ? run_slot(call, SLOT(zones_get), &shape_dns_zone, params, &zone, err) : error_no_memory(err);

	if (r < 0)
		return r;
	if (!json_get_string(zone, "id") || !json_get_string(zone, "name"))
		return error_set(err, ERR_PROTOCOL, "the service names a zone without name or identifier");
	by_id = zone_params(json_get_string(zone, "id"));
	r = by_id ? run_slot(call, SLOT(records_list), &shape_dns_record, by_id, &sets, err) : error_no_memory(err);
	if (r == 0 && !sets)
		sets = json_object_new_array();
	if (r == 0 && !sets)
		r = error_no_memory(err);
	if (r < 0)
		return r;
	*ret_zone = steal(zone);
	*ret_sets = sets;
	return 0;
}

int dns_zone_export(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL, *sets = NULL, *o = json_object_new_object();
	CLEANUP(buf_release) struct buf text = BUF_INIT(EXPORT_MAX);
	int r = o ? read_zone(call, &zone, &sets, err) : error_no_memory(err);

	if (r == 0)
		r = dns_zonefile_write(json_get_string(zone, "name"), sets, &text, err);
	if (r < 0)
		return r;
	json_object_object_add(o, "zone", json_object_get(json_get(zone, "name")));
	json_object_object_add(o, "records", json_object_new_uint64(json_object_array_length(sets)));
	json_object_object_add(o, "text", json_object_new_string_len(text.data, (int)text.len));
	*ret = steal(o);
	return 0;
}

static int make_plan(struct cloud_call *call, struct json_object **ret_zone, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL, *sets = NULL, *wanted = NULL;
	enum dns_apex_ns apex = cloud_param_bool(call, "apex_ns", false) ? DNS_APEX_NS_TOO : DNS_APEX_NS_LEAVE;
	const char *given = cloud_param(call, "zone");
	int r = 0;

	if (strchr(given, '.') && *given != '/') /* a file that cannot be read is told before anything is asked */
		r = dns_zonefile_parse(given, str_of(cloud_param(call, "file")), &wanted, err);
	if (r == 0)
		r = read_zone(call, &zone, &sets, err);
	if (r == 0 && !wanted)
		r = dns_zonefile_parse(json_get_string(zone, "name"), str_of(cloud_param(call, "file")), &wanted, err);
	if (r == 0)
		r = dns_plan_make(json_get_string(zone, "name"), sets, wanted, apex, ret, err);
	if (r == 0 && ret_zone)
		*ret_zone = steal(zone);
	return r;
}

int dns_zone_plan(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return make_plan(call, NULL, ret, err);
}

/* ---- applying ---- */

enum step { STEP_ADD, STEP_CHANGE, STEP_DELETE };
struct applying {
	struct cloud_call *call;
	const char *zone_id;
	struct json_object *plan;
	size_t done, count;
};

static int do_step(struct applying *a, enum step step, struct json_object *set, struct error *err)
{
	static const size_t slots[] = { SLOT(records_create), SLOT(records_update), SLOT(records_delete) };
	CLEANUP(json_putp) struct json_object *params = zone_params(a->zone_id), *result = NULL;
	CLEANUP(freep) char *name = str_format("%s.", json_get_string(set, "name"));
	const char *type = json_get_string(set, "type");
	int r;

	if (!params || !name)
		return error_no_memory(err);
	json_object_object_add(params, "name", json_object_new_string(name));
	json_object_object_add(params, "type", json_object_new_string(type));
	if (step != STEP_DELETE) {
		json_object_object_add(params, "values", json_object_get(json_get(set, "values")));
		if (json_get(set, "ttl"))
			json_object_object_add(params, "ttl", json_object_get(json_get(set, "ttl")));
	}
	/* Where a change spreads slowly the service takes them in order: when the last is everywhere, all are. */
	if (a->done + 1 == a->count && cloud_param_bool(a->call, "wait", false)) {
		json_object_object_add(params, "wait", json_object_new_boolean(1));
		a->call->wait_until_mono_ms = clock_mono_ms() + op_wait_limit_ms(a->call->params);
	}
	cloud_progress(a->call, "%zu of %zu: %s %s", a->done + 1, a->count, name, type);
	r = run_slot(a->call, slots[step], &shape_dns_record, params, &result, err);
	if (r < 0)
		return error_prefix(err, r, "%.80s %s", name, type);
	a->done++;
	return 0;
}

/* Whether a deleted set must go before one of its name can be made. */
static bool is_in_the_way(struct json_object *set, struct json_object *adds)
{
	for (size_t i = 0; i < json_object_array_length(adds); i++) {
		struct json_object *add = json_object_array_get_idx(adds, i);

		if (!strcmp(json_get_string(add, "name"), json_get_string(set, "name")) &&
		    (!strcmp(json_get_string(add, "type"), "CNAME") || !strcmp(json_get_string(set, "type"), "CNAME")))
			return true;
	}
	return false;
}

static int delete_some(struct applying *a, bool in_the_way, struct error *err)
{
	struct json_object *deletes = json_get(a->plan, "deletes");
	int r = 0;

	for (size_t i = 0; i < json_object_array_length(deletes) && r == 0; i++) {
		struct json_object *set = json_object_array_get_idx(deletes, i);

		if (is_in_the_way(set, json_get(a->plan, "adds")) == in_the_way)
			r = do_step(a, STEP_DELETE, set, err);
	}
	return r;
}

static int do_plan(struct applying *a, struct error *err)
{
	struct json_object *adds = json_get(a->plan, "adds"), *changes = json_get(a->plan, "changes");
	int r = delete_some(a, true, err);

	for (size_t i = 0; i < json_object_array_length(adds) && r == 0; i++)
		r = do_step(a, STEP_ADD, json_object_array_get_idx(adds, i), err);
	for (size_t i = 0; i < json_object_array_length(changes) && r == 0; i++)
		r = do_step(a, STEP_CHANGE, json_get(json_object_array_get_idx(changes, i), "after"), err);
	return r < 0 ? r : delete_some(a, false, err);
}

static int check_plan(struct cloud_call *call, struct json_object *plan, struct error *err)
{
	const char *id = json_get_string(plan, "plan_id"), *seen = cloud_param(call, "plan_id");
	const char *why = json_get_string(plan, "needs_force");

	if (!seen)
		return error_set(err, ERR_INVALID,
				 "parameter 'plan_id' is missing: look at the plan (dns zones plan) and give its checksum");
	if (strcmp(seen, id) != 0)
		return error_set(err, ERR_CONFLICT, "the plan is not the one that was seen: zone or file changed meanwhile");
	if (why && !cloud_param_bool(call, "force", false))
		return error_set(err, ERR_CONFLICT, "%s: this is done with force only", why);
	return 0;
}

int dns_zone_apply(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *plan = NULL, *zone = NULL;
	struct applying a = { .call = call };
	int r = make_plan(call, &zone, &plan, err);

	if (r == 0 && !call->plan)
		r = check_plan(call, plan, err);
	if (r < 0)
		return r;
	if (call->plan) { /* a dry run shows it */
		*ret = steal(plan);
		return 0;
	}
	a.zone_id = json_get_string(zone, "id");
	a.plan = plan;
	a.count = json_object_array_length(json_get(plan, "adds")) + json_object_array_length(json_get(plan, "changes")) +
		  json_object_array_length(json_get(plan, "deletes"));
	r = do_plan(&a, err);
	if (r < 0)
		return error_prefix(err, r, "%zu of %zu changes are done (make a new plan for the rest)", a.done, a.count);
	json_object_object_add(plan, "applied", json_object_new_uint64(a.done));
	*ret = steal(plan);
	return 0;
}
