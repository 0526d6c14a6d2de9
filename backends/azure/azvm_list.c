/*
 * What machines are made of in Azure: one's own images, sizes, SSH keys, zones.
 *
 * The marketplace's images are named PUBLISHER:OFFER:SKU:VERSION; they cannot be listed as a whole.
 *
 * Source: learn.microsoft.com/rest/api/compute/resource-skus, .../ssh-public-keys, .../images and
 *	/rest/api/resources/subscriptions/list-locations (read 2026-11).
 */
#include "backends/azure/cloud_azure.h"

#include <strings.h>

static struct json_object *make_group(struct json_object *o)
{
	CLEANUP(freep) char *group = arm_id_piece(json_get_string(o, "id"), "resourceGroups");

	return group ? json_object_new_string(group) : NULL;
}
static const struct record_word image_states[] = {
	{ "Succeeded", "available" }, { "Creating", "creating" }, { "Updating", "creating" },
	{ "Failed", "error" },	      { "Canceled", "error" },	  { NULL, NULL },
};
static const struct record_source image_map[] = {
	{ "id", "id", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "properties.provisioningState", image_states, NULL },
	{ "provider_status", "properties.provisioningState", NULL, NULL },
	{ "owner", "", NULL, make_group },
	{ "architecture", "properties.architecture", NULL, NULL },
	{ "os", "properties.storageProfile.osDisk.osType", NULL, NULL },
	{ "min_disk_gb", "properties.storageProfile.osDisk.diskSizeGB", NULL, NULL },
	{ "tags", "tags", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *capability(struct json_object *sku, const char *name)
{
	struct json_object *list = json_get_array(sku, "capabilities");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *one = json_object_array_get_idx(list, i);
		const char *own = json_get_string(one, "name");

		if (own && !strcmp(own, name))
			return json_get(one, "value");
	}
	return NULL;
}
static struct json_object *make_cpus(struct json_object *sku)
{
	return json_object_get(capability(sku, "vCPUs"));
}
static struct json_object *make_memory(struct json_object *sku)
{
	struct json_object *gb = capability(sku, "MemoryGB");

	return gb ? json_object_new_int64((int64_t)(json_object_get_double(gb) * 1024)) : NULL;
}
static struct json_object *make_disk(struct json_object *sku)
{
	struct json_object *mb = capability(sku, "MaxResourceVolumeMB");

	return mb ? json_object_new_int64(json_object_get_int64(mb) / 1024) : NULL;
}
static struct json_object *make_architecture(struct json_object *sku)
{
	return json_object_get(capability(sku, "CpuArchitectureType"));
}
static const struct record_source flavor_map[] = {
	{ "id", "name", NULL, NULL },		  { "name", "name", NULL, NULL },
	{ "cpus", "", NULL, make_cpus },	  { "memory_mb", "", NULL, make_memory },
	{ "disk_gb", "", NULL, make_disk },	  { "architecture", "", NULL, make_architecture },
	{ "description", "family", NULL, NULL }, { NULL, NULL, NULL, NULL },
};

static struct json_object *make_type(struct json_object *key)
{
	const char *text = json_get_string(key, "properties.publicKey");

	return text ? json_object_new_string_len(text, (int)strcspn(text, " \r\n")) : NULL;
}
static const struct record_source keypair_map[] = {
	{ "name", "name", NULL, NULL },
	{ "id", "id", NULL, NULL },
	{ "type", "", NULL, make_type },
	{ "public_key", "properties.publicKey", NULL, NULL },
	{ "private_key", "privateKey", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source zone_map[] = {
	{ "name", "name", NULL, NULL },
	{ "region", "region", NULL, NULL },
	{ "status", "status", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- lists ---- */

struct listing {
	struct cloud_call *call;
	const struct record_source *map;
	const char *part, *location, *zone, *name; /* NULL: all */
	struct json_object *list;
};

static int list(struct listing *l, const char *const *pieces, const char *api, const char *query, const char *value,
		rest_each_fn *each, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int r = arm_path(l->call, NULL, pieces, &path, err);

	l->list = json_object_new_array();
	if (r == 0 && !l->list)
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r == 0)
		r = arm_pages(l->call, path, api, query, value, each, l, err);
	if (r < 0) {
		json_object_put(l->list);
		return r;
	}
	*ret = l->list;
	return 0;
}

static int take(void *arg, struct json_object *item, struct error *err)
{
	struct listing *l = arg;
	const char *name = json_get_string(item, "name");

	if ((l->part && (!name || !strcasestr(name, l->part))) || (l->name && (!name || strcasecmp(name, l->name) != 0)))
		return 0;
	return cloud_list_add(l->call, l->map, item, &l->list, err);
}

int azvm_images_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "providers", "Microsoft.Compute", "images", NULL };
	struct listing l = { .call = call, .map = image_map, .part = cloud_param(call, "name") };
	const char *owner = cloud_param(call, "owner");

	if (owner && strcmp(owner, "self") != 0)
		return error_set(err, ERR_UNSUPPORTED, "only one's own images can be listed (the marketplace's are named "
						       "PUBLISHER:OFFER:SKU:VERSION)");
	return list(&l, pieces, ARM_COMPUTE, NULL, NULL, take, ret, err);
}

/* The last part of "westeurope-1", when the first is the location. */
static const char *zone_of(const char *text, const char *location)
{
	size_t len = strlen(location);

	return !strncasecmp(text, location, len) && text[len] == '-' ? text + len + 1 : text;
}

static int take_sku(void *arg, struct json_object *sku, struct error *err)
{
	struct listing *l = arg;
	const char *type = json_get_string(sku, "resourceType");
	struct json_object *zones = json_get_array(sku, "locationInfo.0.zones");
	bool is_there = !l->zone;

	for (size_t i = 0; !is_there && zones && i < json_object_array_length(zones); i++)
		is_there = !strcmp(json_object_get_string(json_object_array_get_idx(zones, i)), l->zone);
	if (!type || strcmp(type, "virtualMachines") != 0 || !is_there)
		return 0;
	return take(arg, sku, err);
}

int azvm_flavors_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "providers", "Microsoft.Compute", "skus", NULL };
	struct listing l = { .call = call, .map = flavor_map };
	const char *zone = cloud_param(call, "zone");
	CLEANUP(freep) char *filter = NULL;
	int r = arm_location(call, &l.location, err);

	if (r < 0)
		return r;
	if (strchr(l.location, '\''))
		return error_set(err, ERR_INVALID, "'%.64s' is no location", l.location);
	l.zone = zone ? zone_of(zone, l.location) : NULL;
	filter = str_format("location eq '%s'", l.location);
	return filter ? list(&l, pieces, ARM_SKUS, "$filter", filter, take_sku, ret, err) :
			error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int add_zone(struct listing *l, const char *location, const char *zone, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(freep) char *name = str_format("%s-%s", location, zone);

	if (!o || !name)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "region", json_object_new_string(location));
	json_object_object_add(o, "status", json_object_new_string("available"));
	return cloud_list_add(l->call, l->map, o, &l->list, err);
}

static int take_location(void *arg, struct json_object *item, struct error *err)
{
	struct listing *l = arg;
	struct json_object *zones = json_get_array(item, "availabilityZoneMappings");
	const char *name = json_get_string(item, "name");
	int r = 0;

	if (!name || (l->location && strcasecmp(l->location, name) != 0))
		return 0;
	for (size_t i = 0; r == 0 && zones && i < json_object_array_length(zones); i++) {
		const char *zone = json_get_string(json_object_array_get_idx(zones, i), "logicalZone");

		if (zone)
			r = add_zone(l, name, zone, err);
	}
	return r;
}

int azvm_zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "locations", NULL };
	struct listing l = { .call = call, .map = zone_map, .location = call->cloud->region };

	return list(&l, pieces, ARM_PLACES, NULL, NULL, take_location, ret, err);
}

/* ---- one of them ---- */

int azvm_find(struct cloud_call *call, const char *kind, const char *what, const char *given, struct json_object **ret,
	      struct error *err)
{
	const char *pieces[] = { "providers", "Microsoft.Compute", kind, NULL };
	struct cloud_call look = *call; /* raw, and all of them */
	struct listing l = { .call = &look, .name = given };
	CLEANUP(json_putp) struct json_object *found = NULL;
	CLEANUP(freep) char *path = NULL;
	size_t count;
	int r;

	if (*given == '/') {
		r = arm_id_path(given, &path, err);
		return r < 0 ? r : arm_get(call, path, ARM_COMPUTE, NULL, ret, err);
	}
	look.shape = NULL;
	look.limit = 0;
	r = list(&l, pieces, ARM_COMPUTE, NULL, NULL, take, &found, err);
	if (r < 0)
		return r;
	count = json_object_array_length(found);
	if (count != 1)
		return count ? error_set(err, ERR_CONFLICT, "%zu things of kind %s are named '%.100s' (use the id)", count, what,
					 given) :
			       error_set(err, ERR_NOT_FOUND, "there is no %s '%.100s'", what, given);
	*ret = json_object_get(json_object_array_get_idx(found, 0));
	return 0;
}

int azvm_images_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	int r = azvm_find(call, "images", "image", cloud_param(call, "image"), &found, err);

	return r < 0 ? r : cloud_record(call, image_map, found, ret, err);
}

/* ---- keys ---- */

int azvm_keypairs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const pieces[] = { "providers", "Microsoft.Compute", "sshPublicKeys", NULL };
	struct listing l = { .call = call, .map = keypair_map };

	return list(&l, pieces, ARM_COMPUTE, NULL, NULL, take, ret, err);
}

/* A PUT would replace one that is there. */
static int must_be_new(struct cloud_call *call, const char *path, const char *name, struct error *err)
{
	CLEANUP(json_putp) struct json_object *there = NULL;
	int r = arm_get(call, path, ARM_COMPUTE, NULL, &there, err);

	if (r == 0)
		return error_set(err, ERR_EXISTS, "keypair '%.100s' exists already", name);
	if (err->kind != ERR_NOT_FOUND)
		return r;
	*err = ERROR_INIT;
	return 0;
}

int azvm_keypairs_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *name = cloud_param(call, "name"), *text = cloud_param(call, "public_key"), *group, *location;
	const char *pieces[] = { "providers", "Microsoft.Compute", "sshPublicKeys", name, NULL };
	CLEANUP(json_putp) struct json_object *body = NULL;
	CLEANUP(json_putp) struct json_object *made = NULL;
	CLEANUP(json_putp) struct json_object *pair = NULL;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *action = NULL;
	struct arm_change change = { .method = HTTP_PUT, .api = ARM_COMPUTE };
	int r = arm_group(call, &group, err);

	if (r == 0)
		r = arm_location(call, &location, err);
	if (r == 0)
		r = arm_path(call, group, pieces, &path, err);
	if (r == 0)
		r = must_be_new(call, path, name, err);
	if (r == 0)
		r = rest_put(&body, "location", json_object_new_string(location), err);
	if (r == 0 && text)
		r = rest_put(&body, "properties.publicKey", json_object_new_string(text), err);
	change.path = path;
	if (r == 0)
		r = arm_change(call, &change, steal(body), &made, err);
	if (r < 0 || text)
		return r < 0 ? r : cloud_record(call, keypair_map, made, ret, err);
	action = str_format("%s/generateKeyPair", path);
	change.method = HTTP_POST;
	change.path = action;
	r = action ? arm_change(call, &change, NULL, &pair, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return r;
	json_object_object_add(made, "privateKey", json_object_get(json_get(pair, "privateKey")));
	r = rest_put(&made, "properties.publicKey", json_object_get(json_get(pair, "publicKey")), err);
	return r < 0 ? r : cloud_record(call, keypair_map, made, ret, err);
}

int azvm_keypairs_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	CLEANUP(freep) char *path = NULL;
	struct arm_change change = { .method = HTTP_DELETE, .api = ARM_COMPUTE };
	int r = azvm_find(call, "sshPublicKeys", "keypair", cloud_param(call, "name"), &found, err);

	(void)ret; /* nothing is left to tell */
	if (r == 0)
		r = json_get_string(found, "id") ? arm_id_path(json_get_string(found, "id"), &path, err) :
						   error_set(err, ERR_PROTOCOL, "Azure tells of a key without id");
	change.path = path;
	return r < 0 ? r : arm_change(call, &change, NULL, NULL, err);
}
