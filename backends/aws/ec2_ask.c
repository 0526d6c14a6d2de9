/*
 * One call of EC2's Query API.
 *
 * An answer's root is named after the action; errors come with status 400 or 503, and from some servers with 200
 * (service.c looks for them there too). Lists end when nextToken is empty; a page may be short or empty before that.
 *
 * Source: docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html (2026-11).
 */
#include "backends/aws/cloud_aws.h"

#include <stdio.h>

int ec2_add(struct service_request *q, const char *name, const char *value, struct error *err)
{
	return http_query_add(&q->form, name, value, err);
}

int ec2_begin(struct service_request *q, const char *action, enum ec2_kind kind, struct error *err)
{
	int r = ec2_add(q, "Action", action, err);

	q->method = HTTP_POST;
	q->path = "/";
	q->is_read = kind == EC2_READ;
	q->is_idempotent = kind == EC2_REPEATABLE;
	return r < 0 ? r : ec2_add(q, "Version", "2016-11-15", err);
}

int ec2_filter(struct service_request *q, unsigned n, const char *name, const char *value, struct error *err)
{
	char place[48];
	int r;

	(void)snprintf(place, sizeof place, "Filter.%u.Name", n);
	r = ec2_add(q, place, name, err);
	(void)snprintf(place, sizeof place, "Filter.%u.Value.1", n);
	return r < 0 ? r : ec2_add(q, place, value, err);
}

/* "DescribeInstancesResponse" */
static char *root_of(const struct service_request *q)
{
	const char *action = http_fields_get(&q->form, "Action");

	return str_format("%sResponse", action ? action : "");
}

int ec2_ask(struct cloud_call *call, struct service_request *q, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL;
	CLEANUP(freep) char *root = root_of(q);
	const struct service *service = NULL;
	struct json_object *inner;
	int r = root ? aws_service(call, "ec2", &service, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0)
		r = service_json(call, service, q, &answer, err);
	if (r < 0)
		return r;
	inner = json_get(answer, root);
	if (!inner)
		return error_set(err, ERR_PROTOCOL, "EC2 answers without %s", root);
	*ret = json_object_get(inner);
	return 0;
}

int ec2_pages(struct cloud_call *call, struct service_request *q, const struct ec2_pages *pages, rest_each_fn *each,
	      void *arg, struct error *err)
{
	CLEANUP(freep) char *root = root_of(q);
	CLEANUP(freep) char *items = root ? str_format("%s.%s", root, pages->items) : NULL;
	CLEANUP(freep) char *next = root ? str_format("%s.nextToken", root) : NULL;
	const struct service *service = NULL;
	struct rest_page page = { REST_PAGE_TOKEN, REST_FORM, "NextToken", next, pages->size_max ? "MaxResults" : NULL,
				  pages->size_max, pages->size_min };
	int r = items && next ? aws_service(call, "ec2", &service, err) :
				error_set(err, ERR_NO_MEMORY, "out of memory");

	return r < 0 ? r : rest_pages(call, service, q, items, &page, each, arg, err);
}
