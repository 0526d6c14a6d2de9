/*
 * Purpose: the operations on domain names: rows; the drivers do them (backends/cloud/dns.h).
 */
#include "backends/cloud/dns_check.h"
#include "backends/cloud/dns.h"
#include "backends/cloud/dns_plan.h"
#include "control/dns_zones.h"
#include "control/op.h"

#define DNS(slot_name) \
	.prepare = dns_check_params, .interface = CLOUD_DNS, .slot = offsetof(struct dns_ops, slot_name)

static const char *const types[] = {"A",   "AAAA", "CNAME", "MX",   "TXT",   "SRV", "CAA",
				    "NS",  "PTR",  "SOA",   "SPF",  "SSHFP", "TLSA", "DS",
				    "NAPTR", "HTTPS", "SVCB", NULL};
static const char *const active[] = {"active", NULL};
static const char *const failed[] = {"error", NULL};
static const struct op_wait wait_zone_made = {"dns.zones.get", "zone", "status", active, failed};
static const struct op_wait wait_zone_gone = {"dns.zones.get", "zone", "status", NULL, failed};
static const struct op_wait wait_zone_applied = {"dns.zones.get", "zone", "status", active, failed, .keeps_result = true};
static const struct op_wait wait_ptr = {"dns.ptrs.get", "address", "status", active, failed};
static const char *const inactive[] = {"inactive", NULL};
static const struct op_wait wait_ptr_gone = {"dns.ptrs.get", "address", "status", inactive, failed, .keeps_result = true};
static const struct op_wait wait_record = {"dns.records.get", "zone", "status", active, failed};
static const struct op_wait wait_record_gone = {"dns.records.get", "zone", "status", NULL, failed};

#define ZONE {"zone", OP_STRING, true, 256, "domain name or identifier of the zone", .position = 1, \
	      .completes = "dns.zones.list"}
#define NAME {"name", OP_STRING, true, 255, "name in the zone ('@': the zone itself), or the full name", .position = 2}
#define TYPE {"type", OP_ENUM, true, 0, "type", .position = 3, .choices = types}
#define TTL {"ttl", OP_INT, false, 2147483647, "seconds it may be cached"}

static const struct op_param zone_params[] = {ZONE, OP_PARAM_END};
static const struct op_param zone_create_params[] = {
	{"zone", OP_STRING, true, 255, "domain name", .position = 1},
	{"email", OP_STRING, false, 255, "contact for the SOA record"},
	TTL,
	{"description", OP_STRING, false, 255, "description"},
	{"private", OP_BOOL, false, 0, "seen inside one's own networks only"},
	OP_PARAM_END,
};
static const struct op_param zone_update_params[] = {
	ZONE,
	{"email", OP_STRING, false, 255, "contact for the SOA record"},
	TTL,
	{"description", OP_STRING, false, 255, "description"},
	OP_PARAM_END,
};
#define FILE_PARAM {"file", OP_TEXT, true, 1048576, "zone file (as BIND has it)", .position = 2}
#define APEX_NS {"apex_ns", OP_BOOL, false, 0, "the zone's own NS records too; without it they are left alone"}
static const struct op_param plan_params[] = {ZONE, FILE_PARAM, APEX_NS, OP_PARAM_END};
static const struct op_param apply_params[] = {
	ZONE,
	FILE_PARAM,
	APEX_NS,
	{"plan_id", OP_STRING, false, 64, "checksum of the plan that was seen (dns.zones.plan shows it)"},
	{"force", OP_BOOL, false, 0, "also when more than 30 % change or go, or the zone's own NS records change"},
	OP_PARAM_END,
};
static const struct op_param records_params[] = {
	ZONE,
	{"name", OP_STRING, false, 255, "only this name"},
	{"type", OP_ENUM, false, 0, "only this type", .choices = types},
	OP_PARAM_END,
};
static const struct op_param record_params[] = {ZONE, NAME, TYPE, OP_PARAM_END};
static const struct op_param record_set_params[] = {
	ZONE,
	NAME,
	TYPE,
	{"values", OP_LIST, true, 65535, "value, as in a zone file; may be several", .position = 4, .is_rest = true},
	TTL,
	OP_PARAM_END,
};
#define ADDRESS {"address", OP_STRING, true, 64, "floating IP address", .position = 1}
static const struct op_param ptr_params[] = {ADDRESS, OP_PARAM_END};
static const struct op_param ptr_set_params[] = {
	ADDRESS,
	{"name", OP_STRING, true, 255, "the name it points to", .position = 2},
	TTL,
	OP_PARAM_END,
};

extern const struct op dns_op_rows[];
const struct op dns_op_rows[] = {
	{.name = "dns.zones.list",
	 .summary = "list the zones",
	 .result = OP_ITEMS,
	 .shape = &shape_dns_zone,
	 DNS(zones_list)},
	{.name = "dns.zones.get",
	 .summary = "show a zone",
	 .params = zone_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_zone,
	 DNS(zones_get)},
	{.name = "dns.zones.create",
	 .summary = "create a zone",
	 .risk = OP_CHANGE,
	 .params = zone_create_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_zone,
	 .wait = &wait_zone_made,
	 .example = "skydir dns zones create example.org --email hostmaster@example.org",
	 DNS(zones_create)},
	{.name = "dns.zones.update",
	 .summary = "change a zone's settings",
	 .risk = OP_CHANGE,
	 .params = zone_update_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_zone,
	 .wait = &wait_zone_made,
	 DNS(zones_update)},
	{.name = "dns.zones.delete",
	 .summary = "delete a zone with all its records",
	 .risk = OP_DESTROY,
	 .params = zone_params,
	 .wait = &wait_zone_gone,
	 DNS(zones_delete)},
	{.name = "dns.zones.export",
	 .summary = "show a zone as a zone file",
	 .params = zone_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_zone_file,
	 .composed = dns_zone_export,
	 .text = "text",
	 .example = "skydir dns zones export example.org > example.org.zone",
	 DNS(records_list)},
	{.name = "dns.zones.plan",
	 .summary = "show what must change so that a zone is what a zone file says",
	 .params = plan_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_plan,
	 .composed = dns_zone_plan,
	 .example = "skydir dns zones plan example.org example.org.zone",
	 DNS(records_list)},
	{.name = "dns.zones.apply",
	 .summary = "make a zone what a zone file says, by a plan that was seen",
	 .details = "On a terminal the plan is shown and asked about. Elsewhere, and with --yes, the plan is made anew and must\n"
		    "have the checksum that --plan-id says; so nothing is done that was not shown. The SOA record is the\n"
		    "provider's own, as are aliases and routing policies: they are left alone.",
	 .risk = OP_DESTROY,
	 .params = apply_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_plan,
	 .composed = dns_zone_apply,
	 .planned_by = "dns.zones.plan",
	 .wait = &wait_zone_applied,
	 .example = "skydir dns zones plan example.org example.org.zone\n"
		    "skydir dns zones apply example.org example.org.zone --plan-id 4f0c...",
	 DNS(records_set)},
	{.name = "dns.records.list",
	 .summary = "list the record sets of a zone",
	 .params = records_params,
	 .result = OP_ITEMS,
	 .shape = &shape_dns_record,
	 .example = "skydir dns records list example.org --type MX",
	 DNS(records_list)},
	{.name = "dns.records.get",
	 .summary = "show a record set",
	 .params = record_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_record,
	 DNS(records_get)},
	{.name = "dns.records.create",
	 .summary = "add a record set that is not there yet",
	 .risk = OP_CHANGE,
	 .params = record_set_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_record,
	 .wait = &wait_record,
	 DNS(records_create)},
	{.name = "dns.records.update",
	 .summary = "replace a record set that is there",
	 .risk = OP_CHANGE,
	 .params = record_set_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_record,
	 .wait = &wait_record,
	 DNS(records_update)},
	{.name = "dns.records.set",
	 .summary = "make a record set what is said, whether it is there or not",
	 .risk = OP_CHANGE,
	 .params = record_set_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_record,
	 .wait = &wait_record,
	 .example = "skydir dns records set example.org www A 192.0.2.7 --ttl 300\n"
		    "skydir dns records set example.org @ MX '10 mail.example.org'",
	 DNS(records_set)},
	{.name = "dns.records.delete",
	 .summary = "delete a record set",
	 .risk = OP_DESTROY,
	 .params = record_params,
	 .wait = &wait_record_gone,
	 DNS(records_delete)},
	{.name = "dns.ptrs.list",
	 .summary = "list the reverse names of floating IP addresses",
	 .result = OP_ITEMS,
	 .shape = &shape_dns_ptr,
	 DNS(ptrs_list)},
	{.name = "dns.ptrs.get",
	 .summary = "show the reverse name of a floating IP address",
	 .params = ptr_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_ptr,
	 DNS(ptrs_get)},
	{.name = "dns.ptrs.set",
	 .summary = "set the reverse name of a floating IP address",
	 .risk = OP_CHANGE,
	 .params = ptr_set_params,
	 .result = OP_ONE,
	 .shape = &shape_dns_ptr,
	 .wait = &wait_ptr,
	 DNS(ptrs_set)},
	{.name = "dns.ptrs.delete",
	 .summary = "take the reverse name of a floating IP address away",
	 .risk = OP_DESTROY,
	 .params = ptr_params,
	 .wait = &wait_ptr_gone,
	 .example = "skydir dns ptrs delete 192.0.2.7 --wait",
	 DNS(ptrs_delete)},
	{.name = NULL},
};
