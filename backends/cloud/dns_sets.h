#pragma once
/*
 * Purpose: the record slots of dns.h over what a service can do: find the zone, list its sets, write one, take one away.
 *	What create, update, set and delete mean, and what may not be changed, is the same for all drivers here.
 *
 * Invariants: put and remove are called only after the name was read: put gets what is there (or NULL), and must fail
 *	rather than overwrite what changed since, where the service can say so. A set that is already what is wanted is
 *	not written at all.
 * Ownership: zones are the caller's to release; native sets are borrowed.
 * Threads: any.
 */
#include "backends/cloud/dns.h"
#include "backends/cloud/dns_check.h"
#include "backends/cloud/rest.h"

struct dns_zone {
	char *id;   /* as paths want it */
	char *name; /* lower case, without the last dot */
	struct json_object *theirs;
};
#define DNS_ZONE_INIT ((struct dns_zone){ .id = NULL })
void dns_zone_release(struct dns_zone *z);
/* Fills it; takes no reference to theirs, but makes one. */
int dns_zone_fill(struct dns_zone *z, const char *id, const char *name, struct json_object *theirs,
		  struct error *err) MUST_CHECK;

/* A zone looked for by its domain name, of which there may be several: keep each that is found, end tells which it is. */
struct dns_zone_search {
	struct json_object *found;
	size_t count;
};
void dns_zone_search_keep(struct dns_zone_search *s, struct json_object *item);
/* r: what the listing returned. *ret: a new reference; NOT_FOUND and CONFLICT name the zone. */
int dns_zone_search_end(struct dns_zone_search *s, const char *name, int r, struct json_object **ret,
			struct error *err) MUST_CHECK;

struct dns_set {
	const char *name; /* full */
	const char *type;
	int64_t ttl;	  /* -1: the service's own default */
	struct json_object *values;
};

struct dns_sets {
	const struct record_source *map; /* of the service's own sets to shape_dns_record */
	int64_t ttl_default, ttl_min, ttl_max; /* default -1: the service has one itself */
	/* By domain name or identifier; NOT_FOUND and CONFLICT (several of the name) name it. */
	int (*zone)(struct cloud_call *call, const char *name_or_id, struct dns_zone *ret, struct error *err);
	/* Each set of the zone, or at least those of a name; type NULL: all. More may come: they are filtered. */
	int (*list)(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		    rest_each_fn *each, void *arg, struct error *err);
	/* there: the set as it is now, NULL when there is none. *ret: as it becomes, a new reference. */
	int (*put)(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err);
	int (*remove)(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err);
};

int dns_sets_list(struct cloud_call *call, const struct dns_sets *s, struct json_object **ret, struct error *err) MUST_CHECK;
int dns_sets_get(struct cloud_call *call, const struct dns_sets *s, struct json_object **ret, struct error *err) MUST_CHECK;
enum dns_intent { DNS_CREATE, DNS_UPDATE, DNS_SET };
int dns_sets_put(struct cloud_call *call, const struct dns_sets *s, enum dns_intent intent, struct json_object **ret,
		 struct error *err) MUST_CHECK;
int dns_sets_delete(struct cloud_call *call, const struct dns_sets *s, struct json_object **ret,
		    struct error *err) MUST_CHECK;

/* The six slots of a driver whose struct dns_sets is `sets`: static functions records_list, records_get, ... */
#define DNS_SETS_SLOTS(sets)                                                                                     \
	static int records_list(struct cloud_call *call, struct json_object **ret, struct error *err)            \
	{                                                                                                        \
		return dns_sets_list(call, &(sets), ret, err);                                                   \
	}                                                                                                        \
	static int records_get(struct cloud_call *call, struct json_object **ret, struct error *err)             \
	{                                                                                                        \
		return dns_sets_get(call, &(sets), ret, err);                                                    \
	}                                                                                                        \
	static int records_create(struct cloud_call *call, struct json_object **ret, struct error *err)          \
	{                                                                                                        \
		return dns_sets_put(call, &(sets), DNS_CREATE, ret, err);                                        \
	}                                                                                                        \
	static int records_update(struct cloud_call *call, struct json_object **ret, struct error *err)          \
	{                                                                                                        \
		return dns_sets_put(call, &(sets), DNS_UPDATE, ret, err);                                        \
	}                                                                                                        \
	static int records_set(struct cloud_call *call, struct json_object **ret, struct error *err)             \
	{                                                                                                        \
		return dns_sets_put(call, &(sets), DNS_SET, ret, err);                                           \
	}                                                                                                        \
	static int records_delete(struct cloud_call *call, struct json_object **ret, struct error *err)          \
	{                                                                                                        \
		return dns_sets_delete(call, &(sets), ret, err);                                                 \
	}
#define DNS_SETS_MEMBERS                                                                                          \
	.records_list = { .run = records_list }, .records_get = { .run = records_get },                           \
	.records_create = { .run = records_create }, .records_update = { .run = records_update },                 \
	.records_set = { .run = records_set }, .records_delete = { .run = records_delete }

/* For maps: a name of theirs without its last dot, lower case, "\052" read as '*'; a list of values in their one
 * spelling. New references. */
struct json_object *dns_json_name(const char *theirs);
struct json_object *dns_json_values(const char *type, struct json_object *list, const char *member,
				    enum dns_escape escape);
/* The values of a set as the service wants them: strings, or objects with that member. A new reference. */
int dns_wire_values(const struct dns_set *set, const char *member, enum dns_escape escape, struct json_object **ret,
		    struct error *err) MUST_CHECK;
