#include "backends/cloud/compute.h"

#include "backends/base/hash.h"

static const struct record_field instance_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT,
	  "creating, running, stopping, stopped, restarting, suspended, deleting, deleted, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "flavor", RECORD_TEXT, "size: flavor, instance type or machine type" },
	{ "image", RECORD_TEXT, "image it was made from" },
	{ "zone", RECORD_TEXT, "availability zone" },
	{ "addresses", RECORD_LIST, "IP addresses, private ones first" },
	{ "keypair", RECORD_TEXT, "name of the SSH key" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "tags", RECORD_OBJECT, "tags, labels or metadata" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_instance = { "instance", instance_fields, "id,name,status,flavor,zone,addresses" };

static const struct record_field image_fields[] = {
	{ "id", RECORD_TEXT, "identifier, as instances.create takes it" },
	{ "name", RECORD_TEXT, "name" },
	{ "status", RECORD_TEXT, "available, creating, deprecated, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "owner", RECORD_TEXT, "account, project or publisher" },
	{ "architecture", RECORD_TEXT, "x86_64, arm64, ..." },
	{ "os", RECORD_TEXT, "operating system" },
	{ "size_bytes", RECORD_INT, "size of its data" },
	{ "min_disk_gb", RECORD_INT, "least size of the disk" },
	{ "created", RECORD_TIME, "when it was made" },
	{ "tags", RECORD_OBJECT, "tags, labels or properties" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_image = { "image", image_fields, "id,name,status,owner,architecture,created" };

static const struct record_field flavor_fields[] = {
	{ "id", RECORD_TEXT, "identifier, as instances.create takes it" },
	{ "name", RECORD_TEXT, "name" },
	{ "cpus", RECORD_INT, "virtual processors" },
	{ "memory_mb", RECORD_INT, "memory in MiB" },
	{ "disk_gb", RECORD_INT, "disk that comes with it, in GiB" },
	{ "architecture", RECORD_TEXT, "x86_64, arm64, ..." },
	{ "description", RECORD_TEXT, "more about it" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_flavor = { "flavor", flavor_fields, "id,name,cpus,memory_mb,disk_gb" };

static const struct record_field keypair_fields[] = {
	{ "name", RECORD_TEXT, "name" },
	{ "id", RECORD_TEXT, "identifier" },
	{ "type", RECORD_TEXT, "ssh, rsa, ed25519, x509" },
	{ "fingerprint", RECORD_TEXT, "fingerprint of the public key" },
	{ "public_key", RECORD_TEXT, "the public key" },
	{ "private_key", RECORD_TEXT, "the private key, once, where the provider made the pair" },
	{ "created", RECORD_TIME, "when it was made" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_keypair = { "keypair", keypair_fields, "name,type,fingerprint" };

static const struct record_field zone_fields[] = {
	{ "name", RECORD_TEXT, "name" },
	{ "region", RECORD_TEXT, "region it belongs to" },
	{ "status", RECORD_TEXT, "available, unavailable or unknown" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_zone_of_cloud = { "zone", zone_fields, "name,region,status" };

static const struct record_field console_fields[] = {
	{ "instance", RECORD_TEXT, "identifier of the instance" },
	{ "output", RECORD_TEXT, "what it wrote to its console" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_console = { "console", console_fields, NULL };

struct str compute_last_lines(struct str text, int64_t lines)
{
	size_t at = text.len;

	if (lines <= 0)
		return text;
	if (at && text.ptr[at - 1] == '\n') /* the end of the last line begins no new one */
		at--;
	for (; at; at--)
		if (text.ptr[at - 1] == '\n' && --lines == 0)
			break;
	return (struct str){ text.ptr + at, text.len - at };
}

int compute_user_data(const struct cloud_call *call, char **ret, struct error *err)
{
	const char *text = cloud_param(call, "user_data");
	CLEANUP(buf_release) struct buf encoded = BUF_INIT(131072);

	*ret = NULL;
	if (!text)
		return 0;
	if (base64_encode(text, strlen(text), &encoded) < 0)
		return error_set(err, ERR_TOO_LARGE, "parameter 'user_data' is too long");
	*ret = buf_detach(&encoded);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}
