#include "backends/cloud/dns.h"

static const struct record_field zone_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "name", RECORD_TEXT, "domain name, without the last dot" },
	{ "status", RECORD_TEXT, "active, pending, deleting, error or unknown" },
	{ "provider_status", RECORD_TEXT, "the provider's own word" },
	{ "type", RECORD_TEXT, "public or private" },
	{ "email", RECORD_TEXT, "contact in the SOA record" },
	{ "ttl", RECORD_INT, "default TTL in seconds" },
	{ "records", RECORD_INT, "how many record sets it has" },
	{ "nameservers", RECORD_LIST, "name servers to delegate to" },
	{ "description", RECORD_TEXT, "description" },
	{ "created", RECORD_TIME, "when it was made" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_dns_zone = { "zone", zone_fields, "id,name,status,type,records" };

static const struct record_field record_fields[] = {
	{ "id", RECORD_TEXT, "identifier, where the provider has one" },
	{ "name", RECORD_TEXT, "full name, without the last dot" },
	{ "type", RECORD_TEXT, "A, AAAA, CNAME, MX, TXT, SRV, CAA, NS, PTR, SOA, ..." },
	{ "ttl", RECORD_INT, "seconds it may be cached" },
	{ "values", RECORD_LIST, "its values, as in a zone file" },
	{ "status", RECORD_TEXT, "active, pending, deleting, error or unknown" },
	{ "alias", RECORD_TEXT, "what it is an alias of, for the provider's own kind of alias" },
	{ "description", RECORD_TEXT, "description" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_dns_record = { "record", record_fields, "name,type,ttl,values" };

static const struct record_field ptr_fields[] = {
	{ "id", RECORD_TEXT, "identifier" },
	{ "address", RECORD_TEXT, "floating IP address" },
	{ "name", RECORD_TEXT, "the name it points to, without the last dot" },
	{ "ttl", RECORD_INT, "seconds it may be cached" },
	{ "status", RECORD_TEXT, "active, pending, deleting, error or unknown" },
	{ "description", RECORD_TEXT, "description" },
	{ NULL, RECORD_TEXT, NULL },
};
const struct record_shape shape_dns_ptr = { "ptr", ptr_fields, "address,name,ttl,status" };
