#pragma once
/*
 * Purpose: how rows of Compute Engine look (gce_ask.c says what it is). Private to backends/gcp.
 *
 * A thing stands at "projects/P/zones/Z/disks/NAME": that is its identifier here. It may be named NAME, ZONE/NAME or by
 * its number. What changes something has a requestId and is waited for.
 */
#include "backends/gcp/cloud_gcp.h"

#define GCE_TOKEN { "@token", "requestId", REST_QUERY }
#define GCE_LIST(var, path_, scoped_, map, ...) \
	static const struct rest_row var = { .service = "compute", .path = path_, .items = "items", .record = map, \
					     .scoped = scoped_, .page = &gce_page, __VA_ARGS__ }
#define GCE_GET(var, path_, map, names_) \
	static const struct rest_row var = { .service = "compute", .path = path_, .item = "", .record = map, .names = names_ }
#define GCE_CHANGE(var, method_, path_, fields_, names_, ...) \
	static const struct rest_row var = { .service = "compute", .method = method_, .path = path_, .fields = fields_, \
					     .names = names_, .is_strict = true, .is_later = true, .is_idempotent = true, __VA_ARGS__ }
#define GCE_KIND(var, what_, list_, part) \
	static const struct rest_kind var = { .what = what_, .list = &list_, .matches = gce_is_named, .make_id = gce_make_id, \
					      .id_part = part, .is_id = gce_rest_id }

/* gce_rows.c */
extern const struct rest_page gce_page;
extern const struct rest_field gce_only_token[];
extern const struct rest_kind gce_instance;
enum rest_id gce_rest_id(const char *text, const char *part);
bool gce_is_named(struct json_object *thing, const char *name);
char *gce_make_id(struct json_object *thing);
/* The last piece of an address. */
struct json_object *gce_make_tail(struct json_object *url);
struct json_object *gce_make_tails(struct json_object *urls);
/* A thing by its identifier here, raw. */
int gce_read(struct cloud_call *call, const char *id, struct json_object **ret, struct error *err) MUST_CHECK;
