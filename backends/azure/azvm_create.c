/*
 * A new machine in Azure: one PUT, which makes its port and its public address too; all of it goes when the machine goes.
 *
 * Source: learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update (networkInterfaceConfigurations; read
 *	2026-11).
 */
#include "backends/azure/cloud_azure.h"

#include <stdio.h>

#define ADMIN "azureuser"

static int put_text(struct json_object **body, const char *place, const char *text, struct error *err)
{
	return text ? rest_put(body, place, json_object_new_string(text), err) : 0;
}

/* PUBLISHER:OFFER:SKU:VERSION, or an image of one's own. */
static int put_image(struct cloud_call *call, struct json_object **body, struct error *err)
{
	static const char *const places[] = { "publisher", "offer", "sku", "version" };
	const char *given = cloud_param(call, "image");
	CLEANUP(json_putp) struct json_object *image = NULL;
	struct str rest = str_of(given), part;
	size_t n = 0;
	int r = 0;

	if (!strchr(given, ':')) {
		r = azvm_find(call, "images", "image", given, &image, err);
		return r < 0 ? r : put_text(body, "properties.storageProfile.imageReference.id", json_get_string(image, "id"), err);
	}
	while (r == 0 && rest.ptr && (part = str_split(&rest, ':')).ptr) {
		CLEANUP(freep) char *text = str_dup(part);
		char place[80];

		if (n == ARRAY_SIZE(places) || !part.len)
			return error_set(err, ERR_INVALID, "parameter 'image' is not PUBLISHER:OFFER:SKU:VERSION");
		(void)snprintf(place, sizeof place, "properties.storageProfile.imageReference.%s", places[n++]);
		r = put_text(body, place, text, err);
	}
	if (r == 0 && n != ARRAY_SIZE(places))
		r = error_set(err, ERR_INVALID, "parameter 'image' is not PUBLISHER:OFFER:SKU:VERSION");
	return r;
}

static int put_disk(struct cloud_call *call, struct json_object **body, struct error *err)
{
	int64_t gb = cloud_param_int(call, "disk_gb", 0);
	int r = put_text(body, "properties.storageProfile.osDisk.createOption", "FromImage", err);

	if (r == 0)
		r = put_text(body, "properties.storageProfile.osDisk.deleteOption", "Delete", err);
	return r < 0 || !gb ? r : rest_put(body, "properties.storageProfile.osDisk.diskSizeGB", json_object_new_int64(gb), err);
}

static int put_login(struct cloud_call *call, struct json_object **body, struct error *err)
{
	static const char keys[] = "properties.osProfile.linuxConfiguration.ssh.publicKeys.0.";
	const char *name = cloud_param(call, "keypair");
	CLEANUP(json_putp) struct json_object *key = NULL;
	CLEANUP(freep) char *data = NULL;
	char place[128];
	int r;

	if (!name)
		return error_set(err, ERR_INVALID, "parameter 'keypair' is missing: Azure makes no machine that nobody can enter");
	r = azvm_find(call, "sshPublicKeys", "keypair", name, &key, err);
	if (r == 0 && !json_get_string(key, "properties.publicKey"))
		r = error_set(err, ERR_CONFLICT, "keypair '%.100s' holds no key", name);
	if (r == 0)
		r = put_text(body, "properties.osProfile.computerName", cloud_param(call, "name"), err);
	if (r == 0)
		r = put_text(body, "properties.osProfile.adminUsername", ADMIN, err);
	if (r == 0)
		r = rest_put(body, "properties.osProfile.linuxConfiguration.disablePasswordAuthentication",
			     json_object_new_boolean(1), err);
	(void)snprintf(place, sizeof place, "%spath", keys);
	if (r == 0)
		r = put_text(body, place, "/home/" ADMIN "/.ssh/authorized_keys", err);
	(void)snprintf(place, sizeof place, "%skeyData", keys);
	if (r == 0)
		r = put_text(body, place, json_get_string(key, "properties.publicKey"), err);
	if (r == 0)
		r = compute_user_data(call, &data, err);
	return r < 0 ? r : put_text(body, "properties.osProfile.customData", data, err);
}

/* A subnet's identifier from what was given: it, or VNET/SUBNET of the group, or VNET (its subnet "default"). */
static char *subnet_id(struct cloud_call *call, const char *group, const char *given)
{
	const char *slash = strchr(given, '/');

	if (*given == '/')
		return strdup(given);
	return str_format("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Network/virtualNetworks/%.*s/subnets/%s",
			  azure_cloud_of(call)->subscription, group, slash ? (int)(slash - given) : (int)strlen(given), given,
			  slash ? slash + 1 : "default");
}

/* One port with its address, as a part of the machine's own description. */
static int make_port(struct cloud_call *call, const char *group, size_t n, const char *given, struct json_object **ret,
		     struct error *err)
{
	static const char in[] = "properties.ipConfigurations.0.";
	const char *name = cloud_param(call, "name");
	struct json_object *groups = cloud_param_json(call, "security_group");
	CLEANUP(freep) char *subnet = subnet_id(call, group, given);
	CLEANUP(freep) char *own = str_format("%s-port%zu", name, n);
	CLEANUP(freep) char *address = str_format("%s-ip%zu", name, n);
	const struct {
		const char *place, *text;
	} texts[] = {
		{ "name", "main" },
		{ "properties.subnet.id", subnet },
		{ "properties.publicIPAddressConfiguration.name", address },
		{ "properties.publicIPAddressConfiguration.sku.name", "Standard" },
		{ "properties.publicIPAddressConfiguration.properties.publicIPAllocationMethod", "Static" },
		{ "properties.publicIPAddressConfiguration.properties.deleteOption", "Delete" },
	};
	int r = subnet && own && address ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = put_text(ret, "name", own, err);
	if (r == 0)
		r = rest_put(ret, "properties.primary", json_object_new_boolean(n == 0), err);
	if (r == 0)
		r = put_text(ret, "properties.deleteOption", "Delete", err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts) - (n ? 4 : 0); i++) { /* only the first is public */
		char place[160];

		(void)snprintf(place, sizeof place, "%s%s", in, texts[i].place);
		r = put_text(ret, place, texts[i].text, err);
	}
	if (r == 0 && groups && json_object_array_length(groups)) {
		const char *one = json_object_get_string(json_object_array_get_idx(groups, 0));
		CLEANUP(freep) char *id = *one == '/' ? strdup(one) :
			str_format("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Network/networkSecurityGroups/%s",
				   azure_cloud_of(call)->subscription, group, one);

		r = id ? put_text(ret, "properties.networkSecurityGroup.id", id, err) :
			 error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return r;
}

static int put_networks(struct cloud_call *call, const char *group, struct json_object **body, struct error *err)
{
	struct json_object *list = cloud_param_json(call, "network"), *groups = cloud_param_json(call, "security_group");
	size_t count = list ? json_object_array_length(list) : 0;
	int r = put_text(body, "properties.networkProfile.networkApiVersion", "2022-11-01", err);

	if (!count)
		return error_set(err, ERR_INVALID, "parameter 'network' is missing (VNET, VNET/SUBNET, or a subnet's identifier)");
	if (groups && json_object_array_length(groups) > 1)
		return error_set(err, ERR_UNSUPPORTED, "a port has at most one security group in Azure");
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct json_object *port = NULL;
		char place[96];

		r = make_port(call, group, i, json_object_get_string(json_object_array_get_idx(list, i)), &port, err);
		(void)snprintf(place, sizeof place, "properties.networkProfile.networkInterfaceConfigurations.%zu", i);
		if (r == 0)
			r = rest_put(body, place, steal(port), err);
		json_object_put(port);
	}
	return r;
}

static int put_place(struct cloud_call *call, const char *location, struct json_object **body, struct error *err)
{
	const char *zone = cloud_param(call, "zone");
	size_t len = strlen(location);
	int r = put_text(body, "location", location, err);

	if (r < 0 || !zone)
		return r;
	if (!strncmp(zone, location, len) && zone[len] == '-')
		zone += len + 1;
	return put_text(body, "zones.0", zone, err);
}

int azvm_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct rest_field fields[] = { { "flavor", "properties.hardwareProfile.vmSize", REST_BODY, NULL },
						    { "tag", "tags", REST_BODY, NULL },
						    { NULL, NULL, REST_BODY, NULL } };
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	const char *group = NULL, *location = NULL, *name = cloud_param(call, "name");
	const char *pieces[] = { "providers", "Microsoft.Compute", "virtualMachines", name, NULL };
	CLEANUP(freep) char *path = NULL;
	struct arm_change change = { .method = HTTP_PUT, .api = ARM_COMPUTE, .is_new = true };
	int r = arm_group(call, &group, err);

	if (r == 0)
		r = arm_location(call, &location, err);
	if (r == 0)
		r = arm_path(call, group, pieces, &path, err);
	if (r == 0)
		r = rest_fill(call, fields, &q, err);
	if (r == 0)
		r = put_place(call, location, &q.json, err);
	if (r == 0)
		r = put_image(call, &q.json, err);
	if (r == 0)
		r = put_disk(call, &q.json, err);
	if (r == 0)
		r = put_networks(call, group, &q.json, err);
	if (r == 0)
		r = put_login(call, &q.json, err);
	change.path = path;
	if (r == 0)
		r = arm_change(call, &change, steal(q.json), NULL, err);
	return r < 0 ? r : azvm_show(call, path, ret, err);
}
