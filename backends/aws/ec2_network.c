/*
 * Networks by EC2: VPCs, subnets, security groups and their rules, Elastic IP addresses.
 *
 * Source: docs.aws.amazon.com/AWSEC2/latest/APIReference, version 2016-11-15 (read 2026-11).
 */
#include "backends/aws/ec2_rows.h"

#include <stdio.h>

static const struct record_word network_states[] = { { "available", "active" }, { "pending", "creating" }, { NULL, NULL } };

static struct json_object *make_direction(struct json_object *rule)
{
	return json_object_new_string(!strcmp(json_object_get_string(rule), "true") ? "egress" : "ingress");
}

static struct json_object *make_protocol(struct json_object *protocol)
{
	const char *text = json_object_get_string(protocol);

	return json_object_new_string(!strcmp(text, "-1") ? "any" : text);
}

/* -1, and all of them, are told as no ports at all. */
static struct json_object *make_ports(struct json_object *rule)
{
	const char *from = json_get_string(rule, "fromPort"), *to = json_get_string(rule, "toPort");
	CLEANUP(freep) char *text = NULL;

	if (!from || !to || *from == '-' || (!strcmp(from, "0") && !strcmp(to, "65535")))
		return NULL;
	text = strcmp(from, to) ? str_format("%s-%s", from, to) : strdup(from);
	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *make_version(struct json_object *rule)
{
	return json_object_new_int(json_get(rule, "cidrIpv6") ? 6 : 4);
}

static struct json_object *make_allow(struct json_object *rule)
{
	(void)rule; /* there are no others */
	return json_object_new_string("allow");
}

static struct json_object *make_use(struct json_object *address)
{
	const char *id = json_get_string(address, "associationId");

	return json_object_new_string(id && *id ? "in-use" : "available");
}

static const struct record_source network_map[] = {
	{ "id", "vpcId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "status", "state", network_states, NULL },
	{ "provider_status", "state", NULL, NULL },
	{ "cidrs", "cidrBlock", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source subnet_map[] = {
	{ "id", "subnetId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "network", "vpcId", NULL, NULL },
	{ "cidr", "cidrBlock", NULL, NULL },
	{ "zone", "availabilityZone", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source group_map[] = {
	{ "id", "groupId", NULL, NULL },
	{ "name", "groupName", NULL, NULL },
	{ "network", "vpcId", NULL, NULL },
	{ "description", "groupDescription", NULL, NULL },
	{ "tags", "", NULL, ec2_tags },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source rule_map[] = {
	{ "id", "securityGroupRuleId", NULL, NULL },
	{ "group", "groupId", NULL, NULL },
	{ "direction", "isEgress", NULL, make_direction },
	{ "action", "", NULL, make_allow },
	{ "protocol", "ipProtocol", NULL, make_protocol },
	{ "ports", "", NULL, make_ports },
	{ "remote", "cidrIpv4|cidrIpv6", NULL, NULL },
	{ "remote_group", "referencedGroupInfo.groupId", NULL, NULL },
	{ "ip_version", "", NULL, make_version },
	{ "description", "description", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
static const struct record_source address_map[] = {
	{ "id", "allocationId", NULL, NULL },
	{ "name", "", NULL, ec2_name },
	{ "address", "publicIp", NULL, NULL },
	{ "status", "", NULL, make_use },
	{ "fixed_address", "privateIpAddress", NULL, NULL },
	{ "instance", "instanceId", NULL, NULL },
	{ "port", "networkInterfaceId", NULL, NULL },
	{ "zone", "networkBorderGroup", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static bool is_group(struct json_object *group, const char *name)
{
	const char *own = json_get_string(group, "groupName");

	return own && !strcmp(own, name);
}

static bool is_address(struct json_object *address, const char *name)
{
	const char *own = json_get_string(address, "publicIp");

	return (own && !strcmp(own, name)) || ec2_has_name(address, name);
}

static const struct rest_field vpcs[] = {
	EC2_ACTION("DescribeVpcs"),
	{ .place = NULL },
};
EC2_LIST(list_networks, "DescribeVpcs", "vpcSet", network_map, vpcs, 5, 1000);
EC2_KIND(a_network, "network", list_networks, "vpcId", "vpc-");
static const struct rest_name of_network[] = { { "network", &a_network }, { NULL, NULL } };
static const struct rest_field subnets[] = {
	EC2_ACTION("DescribeSubnets"),
	{ "network", "Filter.1.Name", REST_FORM, NULL, "vpc-id" },
	{ "network", "Filter.1.Value.1", REST_FORM },
	{ .place = NULL },
};
EC2_LIST(list_subnets, "DescribeSubnets", "subnetSet", subnet_map, subnets, 5, 1000, .names = of_network);
EC2_KIND(a_subnet, "subnet", list_subnets, "subnetId", "subnet-");
static const struct rest_name of_subnet[] = { { "subnet", &a_subnet }, { NULL, NULL } };
static const struct rest_field groups[] = {
	EC2_ACTION("DescribeSecurityGroups"),
	{ .place = NULL },
};
EC2_LIST(list_groups, "DescribeSecurityGroups", "securityGroupInfo", group_map, groups, 5, 1000);
static const struct rest_field by_group_name[] = {
	{ NULL, "Filter.1.Name", REST_FORM, "group-name" },
	{ "name", "Filter.1.Value.1", REST_FORM },
	{ .place = NULL },
};
static const struct rest_kind a_group = { .what = "security group", .list = &list_groups, .filter = by_group_name,
	.matches = is_group, .id = "groupId", .id_part = "sg-", .is_id = ec2_rest_id };
static const struct rest_name of_group[] = { { "group", &a_group }, { NULL, NULL } };
static const struct rest_field addresses[] = {
	EC2_ACTION("DescribeAddresses"),
	{ .place = NULL },
};
EC2_LIST(list_addresses, "DescribeAddresses", "addressesSet", address_map, addresses, 0, 0);
static const struct rest_kind an_address = { .what = "floating address", .list = &list_addresses, .matches = is_address,
	.id = "allocationId", .id_part = "eipalloc-", .is_id = ec2_rest_id };
static const struct rest_name of_address[] = { { "floating_ip", &an_address }, { NULL, NULL } };
static const struct rest_field one_network[] = {
	EC2_ACTION("DescribeVpcs"),
	{ "network", "VpcId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_network, "DescribeVpcs", "vpcSet", network_map, one_network, of_network);
static const struct rest_field one_subnet[] = {
	EC2_ACTION("DescribeSubnets"),
	{ "subnet", "SubnetId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_subnet, "DescribeSubnets", "subnetSet", subnet_map, one_subnet, of_subnet);
static const struct rest_field one_group[] = {
	EC2_ACTION("DescribeSecurityGroups"),
	{ "group", "GroupId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_group, "DescribeSecurityGroups", "securityGroupInfo", group_map, one_group, of_group);
static const struct rest_field one_address[] = {
	EC2_ACTION("DescribeAddresses"),
	{ "floating_ip", "AllocationId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_address, "DescribeAddresses", "addressesSet", address_map, one_address, of_address);
static const struct rest_field new_network[] = {
	EC2_ACTION("CreateVpc"),
	{ "cidr", "CidrBlock", REST_FORM, .is_needed = true },
	{ NULL, "TagSpecification.1.ResourceType", REST_FORM, "vpc" },
	{ NULL, "TagSpecification.1.Tag.1.Key", REST_FORM, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(create_network, new_network, .item = "CreateVpcResponse.vpc", .record = network_map);
static const struct rest_field gone_network[] = {
	EC2_ACTION("DeleteVpc"),
	{ "network", "VpcId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_network, gone_network, .names = of_network, .is_idempotent = true);
static const struct rest_field new_subnet[] = {
	EC2_ACTION("CreateSubnet"),
	{ "network", "VpcId", REST_FORM },
	{ "_cidr_4", "CidrBlock", REST_FORM },
	{ "_cidr_6", "Ipv6CidrBlock", REST_FORM },
	{ "zone", "AvailabilityZone", REST_FORM },
	{ NULL, "TagSpecification.1.ResourceType", REST_FORM, "subnet" },
	{ NULL, "TagSpecification.1.Tag.1.Key", REST_FORM, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(create_subnet, new_subnet, .names = of_network, .item = "CreateSubnetResponse.subnet", .record = subnet_map);
static const struct rest_field gone_subnet[] = {
	EC2_ACTION("DeleteSubnet"),
	{ "subnet", "SubnetId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_subnet, gone_subnet, .names = of_subnet, .is_idempotent = true);
static const struct rest_keep made_group[] = { { "group", "CreateSecurityGroupResponse.groupId" }, { NULL, NULL } };
static const struct rest_field new_group[] = {
	EC2_ACTION("CreateSecurityGroup"),
	{ "name", "GroupName", REST_FORM },
	{ "description", "GroupDescription", REST_FORM, "-" /* there must be one */ },
	{ "network", "VpcId", REST_FORM },
	{ NULL, "TagSpecification.1.ResourceType", REST_FORM, "security-group" },
	{ NULL, "TagSpecification.1.Tag.1.Key", REST_FORM, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ "tag", "TagSpecification.1.Tag.#2", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(create_group, new_group, .names = of_network, .keep = made_group, .then = &get_group);
static const struct rest_field gone_group[] = {
	EC2_ACTION("DeleteSecurityGroup"),
	{ "group", "GroupId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_group, gone_group, .names = of_group, .is_idempotent = true);
static const struct rest_field rules[] = {
	EC2_ACTION("DescribeSecurityGroupRules"),
	{ "group", "Filter.1.Name", REST_FORM, NULL, "group-id" },
	{ "group", "Filter.1.Value.1", REST_FORM },
	{ .place = NULL },
};
EC2_LIST(list_rules, "DescribeSecurityGroupRules", "securityGroupRuleSet", rule_map, rules, 5, 1000, .names = of_group);
#define RULE_FIELDS \
	{ "group", "GroupId", REST_FORM }, { "direction", "", REST_NOWHERE }, \
	{ "protocol", "IpPermissions.1.IpProtocol", REST_FORM, "-1" }, { "_ports_from", "IpPermissions.1.FromPort", REST_FORM }, \
	{ "_ports_to", "IpPermissions.1.ToPort", REST_FORM }, { "_cidr_any", "IpPermissions.1.IpRanges.1.CidrIp", REST_FORM }, \
	{ "_cidr_4", "IpPermissions.1.IpRanges.1.CidrIp", REST_FORM }, \
	{ "_cidr_6", "IpPermissions.1.Ipv6Ranges.1.CidrIpv6", REST_FORM }, \
	{ "remote_group", "IpPermissions.1.Groups.1.GroupId", REST_FORM }
static const struct rest_field rule_in[] = {
	EC2_ACTION("AuthorizeSecurityGroupIngress"),
	RULE_FIELDS,
	{ .place = NULL },
};
static const struct rest_field rule_out[] = {
	EC2_ACTION("AuthorizeSecurityGroupEgress"),
	RULE_FIELDS,
	{ .place = NULL },
};
static const struct rest_name of_new_rule[] = { { "group", &a_group }, { "remote_group", &a_group }, { NULL, NULL } };
EC2_CHANGE(create_rule_in, rule_in, .names = of_new_rule, .item = "AuthorizeSecurityGroupIngressResponse.securityGroupRuleSet.item",
	   .record = rule_map);
EC2_CHANGE(create_rule_out, rule_out, .names = of_new_rule, .item = "AuthorizeSecurityGroupEgressResponse.securityGroupRuleSet.item",
	   .record = rule_map);
static const struct rest_field rule_gone_in[] = {
	EC2_ACTION("RevokeSecurityGroupIngress"),
	{ "group", "GroupId", REST_FORM },
	{ "rule", "SecurityGroupRuleId.1", REST_FORM },
	{ .place = NULL },
};
static const struct rest_field rule_gone_out[] = {
	EC2_ACTION("RevokeSecurityGroupEgress"),
	{ "group", "GroupId", REST_FORM },
	{ "rule", "SecurityGroupRuleId.1", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(delete_rule_in, rule_gone_in);
EC2_CHANGE(delete_rule_out, rule_gone_out);
static const struct rest_field one_rule[] = {
	EC2_ACTION("DescribeSecurityGroupRules"),
	{ "rule", "SecurityGroupRuleId.1", REST_FORM },
	{ .place = NULL },
};
EC2_GET(get_rule, "DescribeSecurityGroupRules", "securityGroupRuleSet", rule_map, one_rule, NULL);
static const struct rest_keep made_address[] = { { "floating_ip", "AllocateAddressResponse.allocationId" }, { NULL, NULL } };
static const struct rest_field new_address[] = {
	EC2_ACTION("AllocateAddress"),
	{ NULL, "Domain", REST_FORM, "vpc" },
	{ "name", "TagSpecification.1.ResourceType", REST_FORM, NULL, "elastic-ip" },
	{ "name", "TagSpecification.1.Tag.1.Key", REST_FORM, NULL, "Name" },
	{ "name", "TagSpecification.1.Tag.1.Value", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(allocate, new_address, .keep = made_address, .then = &get_address);
static const struct rest_field leading[] = {
	EC2_ACTION("AssociateAddress"),
	{ "floating_ip", "AllocationId", REST_FORM },
	{ "instance", "InstanceId", REST_FORM },
	{ "port", "NetworkInterfaceId", REST_FORM },
	{ "fixed_address", "PrivateIpAddress", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(associate, leading, .names = of_address, .then = &get_address, .is_idempotent = true);
static const struct rest_field dissociation[] = {
	EC2_ACTION("DisassociateAddress"),
	{ "_association", "AssociationId", REST_FORM },
	{ "floating_ip", "", REST_NOWHERE },
	{ .place = NULL },
};
EC2_CHANGE(disassociate, dissociation, .then = &get_address);
static const struct rest_field gone_address[] = {
	EC2_ACTION("ReleaseAddress"),
	{ "floating_ip", "AllocationId", REST_FORM },
	{ .place = NULL },
};
EC2_CHANGE(release, gone_address, .names = of_address);

static int rules_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	const char *direction = cloud_param(call, "direction");

	return rest_run(call, direction && !strcmp(direction, "egress") ? &create_rule_out : &create_rule_in, ret, err);
}

/* A rule is revoked in its group and by its direction, which are asked for. */
static int rules_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *rule = NULL;
	struct cloud_call look = *call;
	const char *group, *is_egress;
	int r;

	if (!ec2_is_id(cloud_param(call, "rule"), "sgr-"))
		return error_set(err, ERR_INVALID, "'%.100s' is no rule's identifier (sgr-...)", cloud_param(call, "rule"));
	look.shape = NULL;
	r = rest_run(&look, &get_rule, &rule, err);
	if (r < 0)
		return r;
	group = json_get_string(rule, "groupId");
	is_egress = json_get_string(rule, "isEgress");
	if (!group)
		return error_set(err, ERR_PROTOCOL, "EC2 tells of a rule without group");
	return rest_run_with(call, is_egress && !strcmp(is_egress, "true") ? &delete_rule_out : &delete_rule_in, "group",
			     json_object_new_string(group), ret, err);
}

static int associate_address(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	return ec2_run_with_instance(call, &associate, ret, err);
}

static int disassociate_address(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *address = NULL;
	CLEANUP(json_putp) struct json_object *params = NULL;
	struct json_object *before = call->params;
	struct cloud_call look = *call;
	const char *association;
	int r;

	r = rest_names(call, of_address, &params, err);
	if (r < 0)
		return r;
	look.shape = NULL;
	look.params = params;
	r = rest_run(&look, &get_address, &address, err);
	association = json_get_string(address, "associationId");
	if (r < 0)
		return r;
	if (!association || !*association)
		return error_set(err, ERR_CONFLICT, "the address leads nowhere already");
	call->params = params;
	r = rest_run_with(call, &disassociate, "_association", json_object_new_string(association), ret, err);
	call->params = before;
	return r;
}

const struct network_ops aws_network = {
	.networks_list = { .row = &list_networks },
	.networks_get = { .row = &get_network },
	.networks_create = { .row = &create_network },
	.networks_delete = { .row = &delete_network },
	.subnets_list = { .row = &list_subnets },
	.subnets_get = { .row = &get_subnet },
	.subnets_create = { .row = &create_subnet },
	.subnets_delete = { .row = &delete_subnet },
	.groups_list = { .row = &list_groups },
	.groups_get = { .row = &get_group },
	.groups_create = { .row = &create_group },
	.groups_delete = { .row = &delete_group },
	.rules_list = { .row = &list_rules },
	.rules_create = { .run = rules_create },
	.rules_delete = { .run = rules_delete },
	.addresses_list = { .row = &list_addresses },
	.addresses_get = { .row = &get_address },
	.addresses_allocate = { .row = &allocate },
	.addresses_associate = { .run = associate_address },
	.addresses_disassociate = { .run = disassociate_address },
	.addresses_release = { .row = &release },
};
