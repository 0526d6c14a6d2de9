/*
 * Operations of clouds: which provider is meant, one or all.
 *
 * Without --provider, the one that is configured and has the operation; several are an error that names them, since a
 * guess would change the wrong cloud.
 */
#include "control/op_cloud_private.h"

const struct cloud_slot *op_cloud_slot(const struct op *op, const struct cloud_driver *driver)
{
	if (op->provider)
		return strcmp(op->provider, driver->type) ? NULL : &op->own;
	return cloud_slot(driver, op->interface, op->slot);
}

/* ---- choosing ---- */

static int not_supported(const struct op *op, const char *name, struct error *err)
{
	return error_provider(err, error_set(err, ERR_UNSUPPORTED, "%s: not supported by %s", op->name, name), name);
}

static int choose_named(const struct op *op, const char *name, const struct op_cloud_place *places,
			size_t count, struct op_cloud_place *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(120);
	const struct op_cloud_place *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(places[i].name, name)) {
			found = &places[i];
			break;
		}
		if (!strcmp(places[i].driver->type, name) && !found)
			found = &places[i];
	}
	if (found && !op_cloud_slot(op, found->driver))
		return not_supported(op, name, err);
	if (found) {
		*ret = *found;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (buf_addf(&known, "%s%s", i ? ", " : "", places[i].name) < 0)
			break;
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no provider '%.64s' is configured and no credentials for it were found (%s%s; `skydir auth "
			 "explain` shows what is looked for)",
			 name, count ? "there are: " : "there is none", buf_cstr(&known));
}

static int choose_only(const struct op *op, const struct op_cloud_place *places, size_t count,
		       struct op_cloud_place *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf able = BUF_INIT(120);
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		if (!op_cloud_slot(op, places[i].driver))
			continue;
		if (buf_addf(&able, "%s%s", found ? ", " : "", places[i].name) < 0)
			break;
		*ret = places[i];
		found++;
	}
	if (found == 1)
		return 0;
	if (found > 1)
		return error_set(err, ERR_INVALID, "several providers have it: %s (choose by --provider%s)",
				 buf_cstr(&able), op->result == OP_ITEMS ? ", or --all-providers" : "");
	if (count == 1)
		return not_supported(op, places[0].name, err);
	if (count)
		return error_set(err, ERR_UNSUPPORTED, "%s: not supported by any provider that is configured",
				 op->name);
	return error_set(err, ERR_UNAUTHENTICATED,
			 "no provider is configured and no credentials were found (`skydir auth explain` shows what is "
			 "looked for)");
}
/* ---- running ---- */

int op_cloud_run_at(const struct op *op, const struct op_call *call, const struct op_cloud_place *place,
		    struct json_object **ret, struct error *err)
{
	struct json_object *result = NULL;
	int r = op_cloud_slot(op, place->driver) ? op_cloud_run_one(op, call, place, &result, err)
						 : not_supported(op, place->name, err);

	if (r < 0)
		return r;
	if (op->result == OP_ITEMS && !json_object_is_type(result, json_type_object)) {
		*ret = op_items(result);
		return *ret ? 0 : error_no_memory(err);
	}
	*ret = result;
	return 0;
}

static int run_all(const struct op *op, const struct op_call *call, const struct op_cloud_place *places, size_t count,
		   struct json_object **ret, struct error *err)
{
	struct op_cloud_place able[OP_CLOUDS_MAX], none;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (op_cloud_slot(op, places[i].driver))
			able[used++] = places[i];
	return used ? op_cloud_run_all(op, call, able, used, ret, err) : choose_only(op, places, count, &none, err);
}

static int run_prepared(const struct op *op, const struct op_call *call, struct json_object **ret, struct error *err)
{
	struct op_cloud_place places[OP_CLOUDS_MAX], place = {NULL, NULL};
	const char *name = op_call_text(call, "provider");
	size_t count = op_context_clouds(call->context, places);
	int r;

	if (op->result == OP_ITEMS && call->params && json_get_bool(call->params, "all_providers", false))
		return name ? error_set(err, ERR_INVALID, "provider and all_providers exclude each other")
			    : run_all(op, call, places, count, ret, err);
	r = name ? choose_named(op, name, places, count, &place, err)
		 : choose_only(op, places, count, &place, err);
	return r < 0 ? r : op_cloud_run_at(op, call, &place, ret, err);
}

int op_cloud_run(const struct op *op, const struct op_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct op_call own = *call;
	int r;

	if (!op->prepare || !call->params)
		return run_prepared(op, call, ret, err);
	r = op->prepare(call->params, &params, err);
	own.params = params;
	return r < 0 ? r : run_prepared(op, &own, ret, err);
}
