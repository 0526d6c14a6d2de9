#pragma once
/*
 * Purpose: addresses, ranges and ports in the parameters of network operations: checked before any provider is asked, and
 *	taken apart as services want them.
 *
 * Beside what was given stand, under names with '_': _ports_min and _ports_max (only with ports), _ports_from and _ports_to
 * (always: all ports, or -1 where a protocol has none), _ports_range ("80-90"), _cidr_4 or _cidr_6, _cidr_any ("0.0.0.0/0",
 * with neither cidr nor remote_group), _cidr_version and _cidr_ethertype ("IPv4"). protocol "any" is taken out.
 * Errors: ERR_INVALID names the parameter.
 */
#include "backends/base/json.h"

int net_check_params(struct json_object *params, struct json_object **ret, struct error *err) MUST_CHECK;
