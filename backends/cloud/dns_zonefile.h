#pragma once
/*
 * Purpose: zone files as BIND writes them, read into record sets and written from them.
 *
 * Read: $ORIGIN, $TTL, "@", relative names, owners left out, parentheses, comments, quoted and multi-string texts, TTLs with
 * units ("1h30m"), the class IN. Refused, with the line: $INCLUDE and $GENERATE, other classes, types that are not known,
 * names outside the zone, sets whose TTLs differ, a CNAME that does not stand alone.
 * Invariants: what dns_zonefile_write gives, dns_zonefile_parse reads into the same sets.
 * Ownership: results are the caller's to put.
 * Threads: any.
 * Source: RFC 1035 5.1, RFC 2308 4 ($TTL), RFC 2181 5.2.
 */
#include "backends/cloud/dns_check.h"

#define DNS_ZONEFILE_MAX    ((size_t)1 << 20)
#define DNS_ZONEFILE_RECORDS 50000

/* An array of {"name", "type", "ttl" (null: not said), "values"}, in the order of the file; names full, without the last
 * dot. zone is the first origin. */
int dns_zonefile_parse(const char *zone, struct str text, struct json_object **ret, struct error *err) MUST_CHECK;
/* sets: records of shape_dns_record. Aliases of the provider's own kind become comments. */
int dns_zonefile_write(const char *zone, struct json_object *sets, struct buf *ret, struct error *err) MUST_CHECK;
