#pragma once
/*
 * Purpose: how rows of EC2's Query API look (ec2_ask.c says what the API is). Private to backends/aws.
 */
#include "backends/aws/cloud_aws.h"

#define EC2_ACTION(name) { NULL, "Action", REST_FORM, name }, { NULL, "Version", REST_FORM, "2016-11-15" }
/* size_min, size_max: of MaxResults; 0: the action takes none. */
#define EC2_LIST(var, action, set, map, fields_, size_min, size_max, ...) \
	static const struct rest_row var = { .service = "ec2", .method = HTTP_POST, .path = "/", .is_read = true, \
		.fields = fields_, .items = action "Response." set ".item", .record = map, \
		.page = &(const struct rest_page){ REST_PAGE_TOKEN, REST_FORM, "NextToken", action "Response.nextToken", \
						   size_max ? "MaxResults" : NULL, size_max, size_min }, __VA_ARGS__ }
#define EC2_GET(var, action, set, map, fields_, names_) \
	static const struct rest_row var = { .service = "ec2", .method = HTTP_POST, .path = "/", .is_read = true, \
		.fields = fields_, .item = action "Response." set ".item", .record = map, .names = names_ }
#define EC2_CHANGE(var, fields_, ...) \
	static const struct rest_row var = { .service = "ec2", .method = HTTP_POST, .path = "/", .fields = fields_, \
		.is_strict = true, __VA_ARGS__ }

/* ec2_rows.c */
extern const struct rest_field ec2_by_tag[];
/* part: the prefix of the identifiers, "vol-" */
enum rest_id ec2_rest_id(const char *text, const char *part);
bool ec2_has_name(struct json_object *thing, const char *name);
struct json_object *ec2_tags(struct json_object *thing);
struct json_object *ec2_name(struct json_object *thing);
/* The instance that the call names, by its id; then the row, with the id as "instance". */
int ec2_run_with_instance(struct cloud_call *call, const struct rest_row *row, struct json_object **ret,
			  struct error *err) MUST_CHECK;
#define EC2_KIND(var, what_, list_, id_, prefix) \
	static const struct rest_kind var = { .what = what_, .list = &list_, .filter = ec2_by_tag, .matches = ec2_has_name, \
					      .id = id_, .id_part = prefix, .is_id = ec2_rest_id }
