#pragma once
/*
 * Purpose: what must change so that a zone is what a file says: a plan with a checksum, and what makes it dangerous. Pure.
 *
 * Invariants: the zone's SOA is never part of a plan, its own NS set only when asked for; provider's aliases and sets that
 *	stand several times (routing policies) are left alone, and a file that wants to change one is refused. The same zone
 *	and file give the same plan_id; any other change another one.
 * Ownership: the plan is the caller's to put.
 * Threads: any.
 */
#include "backends/cloud/dns_check.h"

#define DNS_PLAN_PERCENT_MAX 30

extern const struct record_shape shape_dns_plan, shape_dns_zone_file;

enum dns_apex_ns { DNS_APEX_NS_LEAVE, DNS_APEX_NS_TOO };
/* there, wanted: arrays of sets (shape_dns_record; dns_zonefile_parse). The plan is of shape_dns_plan. */
int dns_plan_make(const char *zone, struct json_object *there, struct json_object *wanted, enum dns_apex_ns apex,
		  struct json_object **ret, struct error *err) MUST_CHECK;
