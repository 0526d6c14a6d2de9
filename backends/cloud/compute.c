#include "backends/cloud/compute.h"

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
