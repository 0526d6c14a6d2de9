#pragma once
/*
 * Purpose: whole zones over any driver's slots: export, plan, apply.
 *
 * Invariants: apply does exactly the plan whose checksum it was given, or nothing; it makes and changes before it deletes,
 *	but where a CNAME must make room.
 * Threads: any; blocks on the network.
 * Errors: CONFLICT: the plan is not the one that was seen, or it needs force.
 */
#include "backends/cloud/cloud.h"

cloud_fn dns_zone_export, dns_zone_plan, dns_zone_apply;
