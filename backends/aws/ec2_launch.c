/*
 * A new instance: RunInstances, and what has to be known for it.
 *
 * It carries a ClientToken, so that a request whose answer was lost can be sent again and starts one machine only.
 *
 * Source: docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html and /AWSEC2/latest/UserGuide/
 *	ec2-run-instance-idempotency.html (read 2026-11).
 */
#include "backends/aws/cloud_aws.h"

#include "backends/base/xml_json.h"

#include <stdio.h>

/* An image's id as it is (also "resolve:ssm:..."), a name looked up; with disk_gb its root device is needed, too. */
static int add_image(struct cloud_call *call, struct service_request *q, struct error *err)
{
	CLEANUP(json_putp) struct json_object *image = NULL;
	const char *given = cloud_param(call, "image"), *id = given, *device;
	int64_t disk_gb = cloud_param_int(call, "disk_gb", 0);
	char text[24];
	int r = 0;

	if (disk_gb || (strncmp(given, "ami-", 4) != 0 && strncmp(given, "resolve:", 8) != 0)) {
		r = ec2_find_image(call, given, &image, err);
		id = json_get_string(image, "imageId");
	}
	if (r == 0)
		r = id ? ec2_add(q, "ImageId", id, err) :
			 error_set(err, ERR_PROTOCOL, "EC2 answers with an image that has no id");
	if (r < 0 || !disk_gb)
		return r;
	device = json_get_string(image, "rootDeviceName");
	(void)snprintf(text, sizeof text, "%lld", (long long)disk_gb);
	r = ec2_add(q, "BlockDeviceMapping.1.DeviceName", device ? device : "/dev/sda1", err);
	return r < 0 ? r : ec2_add(q, "BlockDeviceMapping.1.Ebs.VolumeSize", text, err);
}

struct subnets {
	char *first, *vpc;
	size_t count;
};
static void subnets_release(struct subnets *s)
{
	free(s->first);
	free(s->vpc);
}

static int keep_subnet(void *arg, struct json_object *item, struct error *err)
{
	struct subnets *s = arg;
	const char *id = json_get_string(item, "subnetId"), *vpc = json_get_string(item, "vpcId");

	if (!id || s->count++)
		return 0;
	s->first = strdup(id);
	s->vpc = vpc ? strdup(vpc) : NULL;
	return s->first ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* A subnet by its id or its name, or any one of a VPC (in the zone that was asked for). */
static int find_subnet(struct cloud_call *call, const char *given, struct subnets *ret, struct error *err)
{
	static const struct ec2_pages pages = { "subnetSet.item", 0, 0 };
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	const char *zone = cloud_param(call, "zone");
	bool is_vpc = !strncmp(given, "vpc-", 4);
	int r = ec2_begin(&q, "DescribeSubnets", EC2_READ, err);

	if (r == 0 && !strncmp(given, "subnet-", 7))
		r = ec2_add(&q, "SubnetId.1", given, err);
	else if (r == 0)
		r = ec2_filter(&q, 1, is_vpc ? "vpc-id" : "tag:Name", given, err);
	if (r == 0 && is_vpc && zone)
		r = ec2_filter(&q, 2, "availability-zone", zone, err);
	if (r == 0)
		r = ec2_pages(call, &q, &pages, keep_subnet, ret, err);
	if (r < 0)
		return r;
	if (!ret->first)
		return error_set(err, ERR_NOT_FOUND, "there is no subnet '%.100s'", given);
	return ret->count > 1 && !is_vpc ?
		       error_set(err, ERR_CONFLICT, "%zu subnets are named '%.100s' (use the id)", ret->count, given) :
		       0;
}

struct groups {
	char *id;
	size_t count;
};

static int keep_group(void *arg, struct json_object *item, struct error *err)
{
	struct groups *g = arg;
	const char *id = json_get_string(item, "groupId");

	if (!id || g->count++)
		return 0;
	g->id = strdup(id);
	return g->id ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* Outside the default VPC, groups go by their ids only; names are unique within a VPC. */
static int find_group(struct cloud_call *call, const char *given, const char *vpc, char **ret, struct error *err)
{
	static const struct ec2_pages pages = { "securityGroupInfo.item", 0, 0 };
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	struct groups groups = { NULL, 0 };
	int r = 0;

	if (!strncmp(given, "sg-", 3)) {
		*ret = strdup(given);
		return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	r = ec2_begin(&q, "DescribeSecurityGroups", EC2_READ, err);
	if (r == 0)
		r = ec2_filter(&q, 1, "group-name", given, err);
	if (r == 0 && vpc)
		r = ec2_filter(&q, 2, "vpc-id", vpc, err);
	if (r == 0)
		r = ec2_pages(call, &q, &pages, keep_group, &groups, err);
	if (r == 0 && groups.count != 1)
		r = groups.count ?
			    error_set(err, ERR_CONFLICT, "%zu security groups are named '%.100s' (use the id)",
				      groups.count, given) :
			    error_set(err, ERR_NOT_FOUND, "there is no security group '%.100s'", given);
	if (r < 0) {
		free(groups.id);
		return r;
	}
	*ret = groups.id;
	return 0;
}

/* prefix: "" or "NetworkInterface.1." */
static int add_groups(struct cloud_call *call, struct service_request *q, const char *prefix, const char *vpc,
		      struct error *err)
{
	struct json_object *list = cloud_param_json(call, "security_group");
	int r = 0;

	for (size_t i = 0; list && r == 0 && i < json_object_array_length(list); i++) {
		const char *given = json_object_get_string(json_object_array_get_idx(list, i));
		CLEANUP(freep) char *id = NULL;
		char place[64];

		if (!vpc && strncmp(given, "sg-", 3) != 0) { /* the default VPC knows names */
			(void)snprintf(place, sizeof place, "SecurityGroup.%zu", i + 1);
			r = ec2_add(q, place, given, err);
			continue;
		}
		r = find_group(call, given, vpc, &id, err);
		(void)snprintf(place, sizeof place, "%sSecurityGroupId.%zu", prefix, i + 1);
		if (r == 0)
			r = ec2_add(q, place, id, err);
	}
	return r;
}

/* One network is the instance's own; several are interfaces, each with the groups. */
static int add_networks(struct cloud_call *call, struct service_request *q, struct error *err)
{
	struct json_object *list = cloud_param_json(call, "network");
	size_t count = list ? json_object_array_length(list) : 0;
	int r = count ? 0 : add_groups(call, q, "", NULL, err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		CLEANUP(subnets_release) struct subnets subnet = { NULL, NULL, 0 };
		char prefix[40] = "", place[64], index[24];

		r = find_subnet(call, json_object_get_string(json_object_array_get_idx(list, i)), &subnet, err);
		if (count > 1)
			(void)snprintf(prefix, sizeof prefix, "NetworkInterface.%zu.", i + 1);
		(void)snprintf(index, sizeof index, "%zu", i);
		(void)snprintf(place, sizeof place, "%sDeviceIndex", prefix);
		if (r == 0 && count > 1)
			r = ec2_add(q, place, index, err);
		(void)snprintf(place, sizeof place, "%sSubnetId", prefix);
		if (r == 0)
			r = ec2_add(q, place, subnet.first, err);
		if (r == 0)
			r = add_groups(call, q, prefix, subnet.vpc ? subnet.vpc : "", err);
	}
	return r;
}

static int add_tag(struct service_request *q, unsigned n, const char *key, const char *value, struct error *err)
{
	char place[64];
	int r;

	(void)snprintf(place, sizeof place, "TagSpecification.1.Tag.%u.Key", n);
	r = ec2_add(q, place, key, err);
	(void)snprintf(place, sizeof place, "TagSpecification.1.Tag.%u.Value", n);
	return r < 0 ? r : ec2_add(q, place, value, err);
}

static int add_tags(struct cloud_call *call, struct service_request *q, struct error *err)
{
	struct json_object *tags = cloud_param_json(call, "tag");
	unsigned n = 1;
	int r = ec2_add(q, "TagSpecification.1.ResourceType", "instance", err);

	if (r == 0)
		r = add_tag(q, n, "Name", cloud_param(call, "name"), err);
	if (!tags)
		return r;
	json_object_object_foreach(tags, key, value)
	{
		if (r == 0 && strcmp(key, "Name") != 0)
			r = add_tag(q, ++n, key, json_object_get_string(value), err);
	}
	return r;
}

static int add_optional(struct service_request *q, const char *name, const char *value, struct error *err)
{
	return value ? ec2_add(q, name, value, err) : 0;
}

static int build(struct cloud_call *call, struct service_request *q, struct error *err)
{
	char token[CLOUD_TOKEN_LEN + 1];
	CLEANUP(freep) char *user_data = NULL;
	int r = ec2_begin(q, "RunInstances", EC2_REPEATABLE, err);

	cloud_token(token);
	if (r == 0)
		r = ec2_add(q, "ClientToken", token, err);
	if (r == 0)
		r = ec2_add(q, "MinCount", "1", err);
	if (r == 0)
		r = ec2_add(q, "MaxCount", "1", err);
	if (r == 0)
		r = add_image(call, q, err);
	if (r == 0)
		r = ec2_add(q, "InstanceType", cloud_param(call, "flavor"), err);
	if (r == 0)
		r = add_optional(q, "KeyName", cloud_param(call, "keypair"), err);
	if (r == 0)
		r = add_optional(q, "Placement.AvailabilityZone", cloud_param(call, "zone"), err);
	if (r == 0)
		r = add_networks(call, q, err);
	if (r == 0)
		r = compute_user_data(call, &user_data, err);
	if (r == 0)
		r = add_optional(q, "UserData", user_data, err);
	return r < 0 ? r : add_tags(call, q, err);
}

int ec2_instances_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = EC2_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(json_putp) struct json_object *made = NULL;
	int r = build(call, &q, err);

	if (r == 0)
		r = ec2_ask(call, &q, &answer, err);
	if (r < 0)
		return r;
	made = json_items(answer, "instancesSet.item");
	if (!made || json_object_array_length(made) != 1)
		return error_set(err, ERR_PROTOCOL, "EC2 answers without the new instance");
	return cloud_record(call, ec2_instance_map, json_object_array_get_idx(made, 0), ret, err);
}
