#pragma once
/*
 * Purpose: how rows of Azure Resource Manager look (arm.c says what it is). Private to backends/azure.
 *
 * A thing is named by its whole identifier ("/subscriptions/..."), GROUP/NAME or NAME. What changes something is waited for.
 */
#include "backends/azure/cloud_azure.h"

#define ARM_PLACE "subscriptions/{subscription}/resourceGroups/{resource_group}/providers/"
#define ARM_ALL	  "subscriptions/{subscription}/providers/"
#define ARM_NEW	  { NULL, "If-None-Match", REST_HEADER, "*" }, { "@location", "location", REST_BODY }
#define ARM_LIST(var, service_, path_, items_, map, ...) \
	static const struct rest_row var = { .service = service_, .path = path_, .items = items_, .record = map, \
					     .page = &arm_page, __VA_ARGS__ }
#define ARM_GET(var, service_, path_, map, names_) \
	static const struct rest_row var = { .service = service_, .path = path_, .item = "", .record = map, .names = names_ }
#define ARM_CHANGE(var, service_, method_, path_, fields_, names_, ...) \
	static const struct rest_row var = { .service = service_, .method = method_, .path = path_, .fields = fields_, \
					     .names = names_, .is_strict = true, .is_later = true, __VA_ARGS__ }
#define ARM_KIND(var, what_, list_, part) \
	static const struct rest_kind var = { .what = what_, .list = &list_, .matches = arm_is_named, .id = "id", \
					      .id_part = part, .is_id = arm_rest_id }

/* arm_rows.c */
extern const struct rest_page arm_page;
enum rest_id arm_rest_id(const char *text, const char *part);
bool arm_is_named(struct json_object *thing, const char *name);
