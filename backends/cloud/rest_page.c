/*
 * Lists that come in pages: what asks for the next one, and when the end is reached.
 */
#include "backends/cloud/rest.h"

#include "backends/base/xml_json.h"
#include "backends/http/url.h"

#include <stdio.h>

#define PAGES_MAX 1000000

struct pager {
	struct cloud_call *call;
	const struct service *service;
	struct service_request *request;
	const struct rest_page *page;
	char *path;	  /* of the next page's URL, owned; NULL: the request's own */
	struct buf token; /* that asked for the present page */
	uint64_t number;  /* of the present page, from 1 */
};

static void pager_release(struct pager *p)
{
	free(p->path);
	buf_release(&p->token);
}

static int set_field(struct pager *p, const char *name, const char *value, struct error *err)
{
	struct service_request *q = p->request;
	struct http_fields *fields = p->page->where == REST_FORM ? &q->form : &q->query;
	uint64_t n;

	if (p->page->where == REST_BODY) {
		bool is_number = str_to_u64(str_of(value), &n) == 0 && p->page->size &&
				 !strcmp(name, p->page->size);

		return rest_put(&q->json, name, is_number ? json_object_new_uint64(n) :
							    json_object_new_string(value), err);
	}
	for (size_t i = 0; i < fields->count; i++) {
		if (strcmp(fields->items[i].name, name) != 0)
			continue;
		free(fields->items[i].value);
		fields->items[i].value = strdup(value);
		return fields->items[i].value ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return http_query_add(fields, name, value, err);
}

static int set_size(struct pager *p, struct error *err)
{
	unsigned size = p->call->page_size ? p->call->page_size : p->page->size_max;
	char text[16];

	if (!p->page->size || !size)
		return 0;
	if (p->call->limit && p->call->limit < size)
		size = (unsigned)p->call->limit;
	if (p->page->size_max && size > p->page->size_max)
		size = p->page->size_max;
	if (size < p->page->size_min)
		size = p->page->size_min;
	(void)snprintf(text, sizeof text, "%u", size);
	return set_field(p, p->page->size, text, err);
}

/* 1 when there is a next page, 0 at the end. */
static int take_token(struct pager *p, const char *next, struct error *err)
{
	int r;

	if (!next || !*next)
		return 0;
	if (p->token.len && !strcmp(next, buf_cstr(&p->token)))
		return error_set(err, ERR_PROTOCOL, "%s: the service gives the same page again",
				 p->call->operation);
	buf_clear(&p->token);
	if (buf_adds(&p->token, next) < 0)
		return error_set(err, ERR_PROTOCOL, "%s: the service's page token is too long",
				 p->call->operation);
	r = p->page->style == REST_PAGE_URL ? 0 : set_field(p, p->page->token, next, err);
	return r < 0 ? r : 1;
}

static const char *find_next_link(struct json_object *next)
{
	if (json_object_is_type(next, json_type_string))
		return json_object_get_string(next);
	if (json_object_is_type(next, json_type_object))
		return json_get_string(next, "href");
	for (size_t i = 0; json_object_is_type(next, json_type_array) && i < json_object_array_length(next); i++) {
		struct json_object *link = json_object_array_get_idx(next, i);
		const char *rel = json_get_string(link, "rel");

		if (rel && !strcmp(rel, "next"))
			return json_get_string(link, "href");
	}
	return NULL;
}

/* Whether value is ours, with a '+' for each blank, as some services write what was sent to them into the next page's address. */
static bool is_same_but_blanks(const char *ours, const char *value)
{
	for (; *ours && *value; ours++, value++)
		if (*ours != *value && !(*ours == ' ' && *value == '+'))
			return false;
	return *ours == *value;
}

static const char *as_sent(const struct http_fields *before, const char *name, const char *value)
{
	const char *ours = http_fields_get(before, name);

	return ours && is_same_but_blanks(ours, value) ? ours : value;
}

/* The query of a next page's URL takes the place of the request's. */
static int read_query(struct pager *p, struct str query, struct error *err)
{
	CLEANUP(http_fields_release) struct http_fields before = p->request->query;
	struct str pair;
	int r = 0;

	p->request->query = (struct http_fields){ .items = NULL };
	while (r >= 0 && (pair = str_split(&query, '&')).ptr) {
		CLEANUP(buf_release) struct buf name = BUF_INIT(65536);
		CLEANUP(buf_release) struct buf value = BUF_INIT(65536);
		struct str rest = pair, left = str_split(&rest, '=');

		if (!pair.len)
			continue;
		r = url_decode(left, &name);
		if (r >= 0 && rest.ptr)
			r = url_decode(rest, &value);
		if (r < 0)
			return error_set(err, ERR_PROTOCOL, "%s: the next page's address is broken",
					 p->call->operation);
		r = http_query_add(&p->request->query, buf_cstr(&name), as_sent(&before, buf_cstr(&name), buf_cstr(&value)), err);
	}
	return r;
}

/* Whether it is the place just asked, as a service tells it that does not know what stands before it: Glance at
 * https://host/image says "/v2/images". */
static bool is_same_place(const struct pager *p, struct str base, struct str path)
{
	const char *asked = p->request->path;
	CLEANUP(freep) char *own = str_format("%.*s/%s", (int)base.len, base.ptr, asked + (*asked == '/'));
	struct str whole = str_of(own ? own : "");

	return path.len && *path.ptr == '/' && path.len <= whole.len &&
	       !memcmp(whole.ptr + whole.len - path.len, path.ptr, path.len);
}

/* The place of the next page, under the service's own: p->request->path. */
static int take_path(struct pager *p, struct str base, struct str path, struct error *err)
{
	while (base.len && base.ptr[base.len - 1] == '/')
		base.len--;
	if (path.len < base.len || (base.len && memcmp(path.ptr, base.ptr, base.len) != 0)) {
		if (is_same_place(p, base, path))
			return 0;
		return error_set(err, ERR_PROTOCOL, "%s: the next page is said to be at another place ('%.*s')",
				 p->call->operation, (int)(path.len < 64 ? path.len : 64), path.ptr);
	}
	free(p->path);
	p->path = str_dup((struct str){ path.ptr + base.len, path.len - base.len });
	if (!p->path)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	p->request->path = p->path;
	return 0;
}

/* An URL that leads elsewhere would take the credentials there (and services behind a proxy name hosts that only they
 * reach): only its path and query are used, and the path must lie under the service's own. Constants of the service's
 * query are sent anyway, so they are not taken twice. */
static int follow_url(struct pager *p, const char *next, struct error *err)
{
	struct url own, url;
	CLEANUP(freep) char *full = NULL;
	int r = url_parse(str_of(p->service->base_url), &own, err);

	if (r < 0)
		return r;
	full = *next == '/' ? str_format("%.*s://%.*s%s%.*s%s", (int)own.scheme.len, own.scheme.ptr,
					 (int)own.host.len, own.host.ptr, own.port.len ? ":" : "",
					 (int)own.port.len, own.port.ptr ? own.port.ptr : "", next) :
			      strdup(next);
	if (!full)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = url_parse(str_of(full), &url, err);
	if (r < 0)
		return error_prefix(err, r, "%s: the next page's address", p->call->operation);
	r = take_path(p, own.path, url.path, err);
	if (r < 0)
		return r;
	r = read_query(p, url.query, err);
	for (const struct http_field *f = p->service->query; f && f->name && r >= 0; f++) {
		for (size_t i = 0; i < p->request->query.count; i++) {
			struct http_fields *q = &p->request->query;

			if (strcmp(q->items[i].name, f->name) != 0)
				continue;
			free(q->items[i].name);
			free(q->items[i].value);
			q->items[i] = q->items[--q->count];
			break;
		}
	}
	return r < 0 ? r : 1;
}

static int next_number(struct pager *p, struct json_object *answer, struct error *err)
{
	struct json_object *total = record_find(answer, p->page->next);
	char text[24];
	int r;

	if (!total || (int64_t)p->number >= json_object_get_int64(total))
		return 0;
	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)p->number + 1);
	r = set_field(p, p->page->token, text, err);
	return r < 0 ? r : 1;
}

/* 1: another page follows; 0: that was the last. */
static int advance(struct pager *p, struct json_object *answer, struct json_object *items, struct error *err)
{
	size_t count = json_object_array_length(items);
	struct json_object *next;
	const char *link;
	int r;

	switch (p->page->style) {
	case REST_ONE_PAGE:
		return 0;
	case REST_PAGE_TOKEN:
		next = record_find(answer, p->page->next);
		return take_token(p, next ? json_object_get_string(next) : NULL, err);
	case REST_PAGE_URL:
		next = record_find(answer, p->page->next);
		link = find_next_link(next);
		r = take_token(p, link, err);
		return r <= 0 ? r : follow_url(p, link, err);
	case REST_PAGE_MARKER:
		if (!count) /* a short page proves nothing: servers have limits of their own */
			return 0;
		next = record_find(json_object_array_get_idx(items, count - 1), p->page->next);
		return take_token(p, next ? json_object_get_string(next) : NULL, err);
	case REST_PAGE_NUMBER:
		return next_number(p, answer, err);
	}
	return 0;
}

/* 1 when each said that it is enough. */
static int hand_out(struct json_object *items, rest_each_fn *each, void *arg, struct error *err)
{
	size_t count = json_object_array_length(items);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = each(arg, json_object_array_get_idx(items, i), err);
	return r;
}

int rest_pages(struct cloud_call *call, const struct service *service, struct service_request *request,
	       const char *items_place, const struct rest_page *page, rest_each_fn *each, void *arg,
	       struct error *err)
{
	static const struct rest_page one_page = { .style = REST_ONE_PAGE };
	CLEANUP(pager_release) struct pager p = { call, service, request, page ? page : &one_page,
						  .token = BUF_INIT(65536) };
	int r = set_size(&p, err);

	for (p.number = 1; r >= 0 && p.number <= PAGES_MAX; p.number++) {
		CLEANUP(json_putp) struct json_object *answer = NULL;
		CLEANUP(json_putp) struct json_object *items = NULL;

		r = service_json(call, service, request, &answer, err);
		if (r < 0)
			return r;
		items = json_items(answer, items_place);
		if (!items)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		r = hand_out(items, each, arg, err);
		if (r == 0)
			r = advance(&p, answer, items, err);
		else if (r > 0)
			return 0;
		if (r == 0 && p.page->tail)
			call->tail = json_object_get(record_find(answer, p.page->tail));
		if (r == 0)
			return 0;
	}
	return r < 0 ? r : error_set(err, ERR_PROTOCOL, "%s: the list does not end", call->operation);
}
