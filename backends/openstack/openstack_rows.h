#pragma once
/*
 * Purpose: how rows of OpenStack's services look: all are alike but for their words. Private to backends/openstack.
 *
 * A thing stands in {"volume": {...}}, a list in {"volumes": [...], "volumes_links": [{rel, href}]}, and ?name= finds one.
 */
#include "backends/cloud/identity.h"
#include "backends/cloud/network.h"
#include "backends/cloud/volumes.h"
#include "backends/openstack/openstack.h"

#define OPENSTACK_SHARED_LIST(var, service_, path_, items_, map, ...) \
	const struct rest_row var = { .service = service_, .path = path_, .items = items_, .page = &(const struct rest_page){ REST_PAGE_URL, REST_QUERY, NULL, items_ "_links", "limit", 1000, 0 }, \
					     .record = map, __VA_ARGS__ }
#define OPENSTACK_KIND(var, what_, list_) \
	static const struct rest_kind var = { .what = what_, .list = &list_, .filter = openstack_by_name, .names = "name", \
					      .id = "id", .is_id = openstack_rest_id }
#define OPENSTACK_SHARED_GET(var, service_, path_, item_, map, names_) \
	const struct rest_row var = { .service = service_, .path = path_, .item = item_, .record = map, .names = names_ }
#define OPENSTACK_SHARED_DELETE(var, service_, path_, names_, ...) \
	const struct rest_row var = { .service = service_, .method = HTTP_DELETE, .path = path_, .names = names_, \
					     .is_strict = true, __VA_ARGS__ }
#define OPENSTACK_SHARED_CREATE(var, service_, path_, fields_, item_, map, names_) \
	const struct rest_row var = { .service = service_, .method = HTTP_POST, .path = path_, .fields = fields_, \
					     .item = item_, .record = map, .names = names_, .is_strict = true }

#define OPENSTACK_LIST(...)   static OPENSTACK_SHARED_LIST(__VA_ARGS__)
#define OPENSTACK_GET(...)    static OPENSTACK_SHARED_GET(__VA_ARGS__)
#define OPENSTACK_DELETE(...) static OPENSTACK_SHARED_DELETE(__VA_ARGS__)
#define OPENSTACK_CREATE(...) static OPENSTACK_SHARED_CREATE(__VA_ARGS__)

/* openstack_rows.c */
extern const struct rest_field openstack_by_name[];
enum rest_id openstack_rest_id(const char *text, const char *part);
extern const struct rest_kind openstack_instance, openstack_image;
extern const struct rest_kind neutron_network, neutron_subnet; /* neutron.c */
/* A member of each of a list's objects, as a list; a new reference. */
struct json_object *openstack_members(struct json_object *list, const char *member);
