/*
 * Virtual machines by EC2.
 *
 * What is gone stays listed for about an hour, as "terminated". There is no reboot that cuts the power: EC2 does that by
 * itself when a machine does not obey.
 *
 * Source: docs.aws.amazon.com/AWSEC2/latest/APIReference, version 2016-11-15 (read 2026-11).
 */
#include "backends/aws/ec2_rows.h"

#include "backends/base/hash.h"
#include "backends/base/xml_json.h"

#include <stdio.h>

#define CONSOLE_MAX ((size_t)1 << 20)

/* ---- records ---- */

static const struct record_word states[] = {
	{ "pending", "creating" },  { "running", "running" },	 { "shutting-down", "deleting" },
	{ "terminated", "deleted" }, { "stopping", "stopping" }, { "stopped", "stopped" },
	{ NULL, NULL },
};

static void add_address(struct json_object *list, const char *address)
{
	if (address && *address)
		json_object_array_add(list, json_object_new_string(address));
}

/* Private ones first, then the public one, then IPv6. */
static struct json_object *make_addresses(struct json_object *instance)
{
	CLEANUP(json_putp) struct json_object *ports = json_items(instance, "networkInterfaceSet.item");
	struct json_object *list = json_object_new_array();
	size_t count = ports ? json_object_array_length(ports) : 0;

	if (!list)
		return NULL;
	add_address(list, json_get_string(instance, "privateIpAddress"));
	for (size_t i = 1; i < count; i++)
		add_address(list, json_get_string(json_object_array_get_idx(ports, i), "privateIpAddress"));
	add_address(list, json_get_string(instance, "ipAddress"));
	for (size_t i = 0; i < count; i++) {
		CLEANUP(json_putp) struct json_object *more =
			json_items(json_object_array_get_idx(ports, i), "ipv6AddressesSet.item");

		for (size_t k = 0; more && k < json_object_array_length(more); k++)
			add_address(list, json_get_string(json_object_array_get_idx(more, k), "ipv6Address"));
	}
	return list;
}

const struct record_source ec2_instance_map[] = {
	{ "id", "instanceId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "status", "instanceState.name", states, NULL },
	{ "provider_status", "instanceState.name", NULL, NULL },
	{ "flavor", "instanceType", NULL, NULL },
	{ "image", "imageId", NULL, NULL },
	{ "zone", "placement.availabilityZone", NULL, NULL },
	{ "addresses", "", NULL, make_addresses },
	{ "keypair", "keyName", NULL, NULL },
	{ "created", "launchTime", NULL, NULL },
	{ "tags", "", NULL, ec2_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_word image_states[] = {
	{ "available", "available" }, { "pending", "creating" }, { "transient", "creating" },
	{ "failed", "error" },	      { "error", "error" },	 { "invalid", "error" },
	{ "deregistered", "deprecated" }, { "disabled", "deprecated" }, { NULL, NULL },
};
static struct json_object *make_disk(struct json_object *image)
{
	CLEANUP(json_putp) struct json_object *disks = json_items(image, "blockDeviceMapping.item");
	const char *root = json_get_string(image, "rootDeviceName");

	for (size_t i = 0; root && disks && i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		const char *device = json_get_string(disk, "deviceName");

		if (device && !strcmp(device, root))
			return json_object_get(json_get(disk, "ebs.volumeSize"));
	}
	return NULL;
}
static const struct record_source image_map[] = {
	{ "id", "imageId", NULL, NULL },
	{ "name", "name", NULL, NULL },
	{ "status", "imageState", image_states, NULL },
	{ "provider_status", "imageState", NULL, NULL },
	{ "owner", "imageOwnerAlias|imageOwnerId", NULL, NULL },
	{ "architecture", "architecture", NULL, NULL },
	{ "os", "platformDetails|platform", NULL, NULL },
	{ "min_disk_gb", "", NULL, make_disk },
	{ "created", "creationDate", NULL, NULL },
	{ "tags", "", NULL, ec2_tags },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_architecture(struct json_object *type)
{
	CLEANUP(json_putp) struct json_object *all = json_items(type, "processorInfo.supportedArchitectures.item");
	size_t count = all ? json_object_array_length(all) : 0;

	return count ? json_object_get(json_object_array_get_idx(all, count - 1)) : NULL; /* "i386", "x86_64" */
}
static const struct record_source flavor_map[] = {
	{ "id", "instanceType", NULL, NULL },
	{ "name", "instanceType", NULL, NULL },
	{ "cpus", "vCpuInfo.defaultVCpus", NULL, NULL },
	{ "memory_mb", "memoryInfo.sizeInMiB", NULL, NULL },
	{ "disk_gb", "instanceStorageInfo.totalSizeInGB", NULL, NULL },
	{ "architecture", "", NULL, make_architecture },
	{ "description", "processorInfo.manufacturer", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source keypair_map[] = {
	{ "name", "keyName", NULL, NULL },
	{ "id", "keyPairId", NULL, NULL },
	{ "type", "keyType", NULL, NULL },
	{ "fingerprint", "keyFingerprint", NULL, NULL },
	{ "public_key", "publicKey", NULL, NULL },
	{ "private_key", "keyMaterial", NULL, NULL },
	{ "created", "createTime", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_word zone_states[] = {
	{ "available", "available" }, { "information", "available" }, { "impaired", "unavailable" },
	{ "unavailable", "unavailable" }, { "constrained", "available" }, { NULL, NULL },
};
static const struct record_source zone_map[] = {
	{ "name", "zoneName", NULL, NULL },
	{ "region", "regionName", NULL, NULL },
	{ "status", "zoneState", zone_states, NULL },
	{ NULL, NULL, NULL, NULL },
};

/* ---- lists ---- */

struct listing {
	struct cloud_call *call;
	const struct record_source *map;
	struct json_object *list;
	struct json_object *wanted; /* names that may be in it; NULL: all */
};

static int take(void *arg, struct json_object *item, struct error *err)
{
	struct listing *l = arg;
	const char *name = l->wanted ? json_get_string(item, "instanceType") : NULL;

	if (l->wanted && (!name || !json_object_object_get_ex(l->wanted, name, NULL)))
		return 0;
	return cloud_list_add(l->call, l->map, item, &l->list, err);
}

static int list(struct cloud_call *call, struct service_request *q, const struct ec2_pages *pages,
		const struct record_source *map, struct json_object *wanted, rest_each_fn *each,
		struct json_object **ret, struct error *err)
{
	struct listing l = { call, map, json_object_new_array(), wanted };
	int r = l.list ? ec2_pages(call, q, pages, each, &l, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0) {
		json_object_put(l.list);
		return r;
	}
	*ret = l.list;
	return 0;
}

/* A page holds reservations, each with the instances that were started together. */
static int take_reservation(void *arg, struct json_object *reservation, struct error *err)
{
	CLEANUP(json_putp) struct json_object *all = json_items(reservation, "instancesSet.item");
	int r = all ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	for (size_t i = 0; r == 0 && i < json_object_array_length(all); i++)
		r = take(arg, json_object_array_get_idx(all, i), err);
	return r;
}

static const struct ec2_pages instance_pages = { "reservationSet.item", 5, 1000 };
static const struct ec2_pages image_pages = { "imagesSet.item", 1, 1000 };
static const struct ec2_pages type_pages = { "instanceTypeSet.item", 5, 100 };
static const struct ec2_pages offering_pages = { "instanceTypeOfferingSet.item", 5, 1000 };
static const struct ec2_pages key_pages = { "keySet.item", 0, 0 };
static const struct ec2_pages zone_pages = { "availabilityZoneInfo.item", 0, 0 };

static int instances_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	int r = ec2_begin(&q, "DescribeInstances", EC2_READ, err);

	return r < 0 ? r : list(call, &q, &instance_pages, ec2_instance_map, NULL, take_reservation, ret, err);
}

/* "*text*", with the filter's own signs made plain. */
static int add_part_filter(struct service_request *q, const char *text, struct error *err)
{
	CLEANUP(buf_release) struct buf pattern = BUF_INIT(1024);
	int r = buf_addc(&pattern, '*');

	for (; *text && r == 0; text++) {
		if (strchr("*?\\", *text))
			r = buf_addc(&pattern, '\\');
		if (r == 0)
			r = buf_addc(&pattern, *text);
	}
	if (r < 0 || buf_addc(&pattern, '*') < 0)
		return error_set(err, ERR_TOO_LARGE, "parameter 'name' is too long");
	return ec2_filter(q, 1, "name", buf_cstr(&pattern), err);
}

static int images_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	const char *name = cloud_param(call, "name"), *owner = cloud_param(call, "owner");
	int r = ec2_begin(&q, "DescribeImages", EC2_READ, err);

	if (r == 0 && owner)
		r = ec2_add(&q, "Owner.1", owner, err);
	if (r == 0 && name)
		r = add_part_filter(&q, name, err);
	return r < 0 ? r : list(call, &q, &image_pages, image_map, NULL, take, ret, err);
}

static int note_offering(void *arg, struct json_object *item, struct error *err)
{
	const char *type = json_get_string(item, "instanceType");

	if (type && json_object_object_add(arg, type, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

/* The names of the types that a zone has, as members of an object. */
static int zone_types(struct cloud_call *call, const char *zone, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *names = json_object_new_object();
	uint64_t limit = call->limit;
	int r = names ? ec2_begin(&q, "DescribeInstanceTypeOfferings", EC2_READ, err) :
			error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = ec2_add(&q, "LocationType", "availability-zone", err);
	if (r == 0)
		r = ec2_filter(&q, 1, "location", zone, err);
	call->limit = 0; /* it is for the flavors */
	if (r == 0)
		r = ec2_pages(call, &q, &offering_pages, note_offering, names, err);
	call->limit = limit;
	if (r == 0)
		*ret = steal(names);
	return r;
}

static int flavors_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *wanted = NULL;
	const char *zone = cloud_param(call, "zone");
	int r = zone ? zone_types(call, zone, &wanted, err) : 0;

	if (r == 0)
		r = ec2_begin(&q, "DescribeInstanceTypes", EC2_READ, err);
	return r < 0 ? r : list(call, &q, &type_pages, flavor_map, wanted, take, ret, err);
}

static int keypairs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	int r = ec2_begin(&q, "DescribeKeyPairs", EC2_READ, err);

	if (r == 0)
		r = ec2_add(&q, "IncludePublicKey", "true", err);
	return r < 0 ? r : list(call, &q, &key_pages, keypair_map, NULL, take, ret, err);
}

static int zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	int r = ec2_begin(&q, "DescribeAvailabilityZones", EC2_READ, err);

	return r < 0 ? r : list(call, &q, &zone_pages, zone_map, NULL, take, ret, err);
}

/* ---- one of them ---- */

/* What a look-up found: the thing itself, raw. */
struct finder {
	struct json_object *found;
	size_t count;
};

static int keep(void *arg, struct json_object *item, struct error *err)
{
	struct finder *f = arg;

	(void)err; /* cannot fail */
	if (!f->count++)
		f->found = json_object_get(item);
	return 0;
}

static int keep_of_reservation(void *arg, struct json_object *reservation, struct error *err)
{
	CLEANUP(json_putp) struct json_object *all = json_items(reservation, "instancesSet.item");

	for (size_t i = 0; all && i < json_object_array_length(all); i++)
		(void)keep(arg, json_object_array_get_idx(all, i), err); /* cannot fail */
	return all ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int find_one(struct cloud_call *call, struct service_request *q, const struct ec2_pages *pages,
		    rest_each_fn *each, const char *what, const char *name, struct json_object **ret,
		    struct error *err)
{
	struct ec2_pages whole = { pages->items, 0, 0 };
	struct finder f = { NULL, 0 };
	int r = ec2_pages(call, q, &whole, each, &f, err);

	if (r == 0 && f.count != 1)
		r = f.count ? error_set(err, ERR_CONFLICT, "%zu things of kind %s are named '%.100s' (use the id)",
					f.count, what, name) :
			      error_set(err, ERR_NOT_FOUND, "there is no %s '%.100s'", what, name);
	if (r < 0) {
		json_object_put(f.found);
		return r;
	}
	*ret = f.found;
	return 0;
}

bool ec2_is_id(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(text, prefix, len) && text[len] && !text[len + strspn(text + len, "0123456789abcdef")];
}

/* Names are tags. One that only a machine has which is gone for good counts as no name any more. */
static int find_instance(struct cloud_call *call, const char *name_or_id, struct json_object **ret, struct error *err)
{
	static const char *const living[] = { "pending", "running", "shutting-down", "stopping", "stopped" };
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	int r = ec2_begin(&q, "DescribeInstances", EC2_READ, err);

	if (r == 0 && ec2_is_id(name_or_id, "i-"))
		r = ec2_add(&q, "InstanceId.1", name_or_id, err);
	else if (r == 0)
		r = ec2_filter(&q, 1, "tag:Name", name_or_id, err);
	if (r == 0 && !ec2_is_id(name_or_id, "i-"))
		r = ec2_add(&q, "Filter.2.Name", "instance-state-name", err);
	for (size_t i = 0; r == 0 && !ec2_is_id(name_or_id, "i-") && i < ARRAY_SIZE(living); i++) {
		char place[48];

		(void)snprintf(place, sizeof place, "Filter.2.Value.%zu", i + 1);
		r = ec2_add(&q, place, living[i], err);
	}
	return r < 0 ? r :
		       find_one(call, &q, &instance_pages, keep_of_reservation, "instance", name_or_id, ret, err);
}

int ec2_find_image(struct cloud_call *call, const char *name_or_id, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	int r = ec2_begin(&q, "DescribeImages", EC2_READ, err);

	if (r == 0)
		r = ec2_is_id(name_or_id, "ami-") ? ec2_add(&q, "ImageId.1", name_or_id, err) :
						ec2_filter(&q, 1, "name", name_or_id, err);
	return r < 0 ? r : find_one(call, &q, &image_pages, keep, "image", name_or_id, ret, err);
}

static int instances_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	int r = find_instance(call, cloud_param(call, "instance"), &found, err);

	return r < 0 ? r : cloud_record(call, ec2_instance_map, found, ret, err);
}

static int images_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	int r = ec2_find_image(call, cloud_param(call, "image"), &found, err);

	return r < 0 ? r : cloud_record(call, image_map, found, ret, err);
}

/* ---- changes ---- */

/* The id of the instance that the call names: a heap string. */
int ec2_instance_id(struct cloud_call *call, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = NULL;
	const char *given = cloud_param(call, "instance");
	const char *id = given;
	int r = 0;

	if (!ec2_is_id(given, "i-")) {
		r = find_instance(call, given, &found, err);
		id = json_get_string(found, "instanceId");
	}
	if (r < 0)
		return r;
	if (!id)
		return error_set(err, ERR_PROTOCOL, "EC2 answers with an instance that has no id");
	*ret = strdup(id);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* An action on one instance, then what became of it (ret NULL: it is not asked). */
static int act(struct cloud_call *call, const char *action, enum ec2_kind kind, struct json_object **ret,
	       struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *found = NULL;
	CLEANUP(freep) char *id = NULL;
	int r = ec2_instance_id(call, &id, err);

	if (r == 0)
		r = ec2_begin(&q, action, kind, err);
	if (r == 0)
		r = ec2_add(&q, "InstanceId.1", id, err);
	if (r == 0)
		r = ec2_ask(call, &q, &answer, err);
	if (r < 0 || !ret)
		return r;
	r = find_instance(call, id, &found, err);
	return r < 0 ? r : cloud_record(call, ec2_instance_map, found, ret, err);
}

static int instances_start(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "StartInstances", EC2_REPEATABLE, ret, err);
}

static int instances_stop(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return act(call, "StopInstances", EC2_REPEATABLE, ret, err);
}

static int instances_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	(void)ret; /* nothing is left to tell */
	return act(call, "TerminateInstances", EC2_REPEATABLE, NULL, err);
}

static int instances_reboot(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *mode = cloud_param(call, "mode");

	if (mode && !strcmp(mode, "hard"))
		return error_set(err, ERR_UNSUPPORTED,
				 "EC2 has no hard reboot: it cuts the power itself when a soft one is not obeyed "
				 "(or stop and start the instance)");
	return act(call, "RebootInstances", EC2_ONCE, ret, err);
}

static int decode_console(const char *text, int64_t lines, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf output = BUF_INIT(CONSOLE_MAX);
	struct str part;

	if (text && base64_decode(str_of(text), &output) < 0)
		return error_set(err, ERR_PROTOCOL, "EC2's console output is not base64");
	part = compute_last_lines(buf_str(&output), lines);
	*ret = json_object_new_string_len(part.len ? part.ptr : "", (int)part.len);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int instances_console(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct record_source map[] = { { "instance", "instanceId", NULL, NULL },
						    { "output", "output", NULL, NULL },
						    { NULL, NULL, NULL, NULL } };
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *id = NULL;
	struct json_object *output = NULL;
	int r = ec2_instance_id(call, &id, err);

	if (r == 0)
		r = ec2_begin(&q, "GetConsoleOutput", EC2_READ, err);
	if (r == 0)
		r = ec2_add(&q, "InstanceId", id, err);
	if (r == 0)
		r = ec2_ask(call, &q, &answer, err);
	if (r == 0)
		r = decode_console(json_get_string(answer, "output"), cloud_param_int(call, "lines", 0), &output, err);
	if (r < 0)
		return r;
	json_object_object_add(answer, "output", output);
	return cloud_record(call, map, answer, ret, err);
}

static int keypairs_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(buf_release) struct buf encoded = BUF_INIT(65536);
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const char *key = cloud_param(call, "public_key");
	int r = ec2_begin(&q, key ? "ImportKeyPair" : "CreateKeyPair", EC2_ONCE, err);

	if (r == 0)
		r = ec2_add(&q, "KeyName", cloud_param(call, "name"), err);
	if (r == 0 && key && base64_encode(key, strlen(key), &encoded) < 0)
		r = error_set(err, ERR_TOO_LARGE, "parameter 'public_key' is too long");
	if (r == 0 && key)
		r = ec2_add(&q, "PublicKeyMaterial", buf_cstr(&encoded), err);
	if (r == 0)
		r = ec2_ask(call, &q, &answer, err);
	return r < 0 ? r : cloud_record(call, keypair_map, answer, ret, err);
}

/* EC2 deletes what is not there without a word; asked for by name first, it says so. */
static int keypairs_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request look = EC2_REQUEST_INIT;
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *found = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const char *name = cloud_param(call, "name");
	int r = ec2_begin(&look, "DescribeKeyPairs", EC2_READ, err);

	(void)ret; /* nothing is left to tell */
	if (r == 0)
		r = ec2_add(&look, "KeyName.1", name, err);
	if (r == 0)
		r = find_one(call, &look, &key_pages, keep, "keypair", name, &found, err);
	if (r == 0)
		r = ec2_begin(&q, "DeleteKeyPair", EC2_REPEATABLE, err);
	if (r == 0)
		r = ec2_add(&q, "KeyName", name, err);
	return r < 0 ? r : ec2_ask(call, &q, &answer, err);
}

const struct compute_ops aws_compute = {
	.instances_list = { .run = instances_list },
	.instances_get = { .run = instances_get },
	.instances_create = { .run = ec2_instances_create },
	.instances_start = { .run = instances_start },
	.instances_stop = { .run = instances_stop },
	.instances_delete = { .run = instances_delete },
	.instances_reboot = { .run = instances_reboot },
	.instances_console = { .run = instances_console },
	.images_list = { .run = images_list },
	.images_get = { .run = images_get },
	.flavors_list = { .run = flavors_list },
	.keypairs_list = { .run = keypairs_list },
	.keypairs_create = { .run = keypairs_create },
	.keypairs_delete = { .run = keypairs_delete },
	.zones_list = { .run = zones_list },
};
