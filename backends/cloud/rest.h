#pragma once
/*
 * Purpose: an operation that is one call of a REST service, as a row: where the parameters go, where the result
 *	stands, how it is paged. One executor serves all rows.
 *
 * Invariants: a parameter in a path is percent-encoded and neither empty nor "." nor "..", so that a row reaches
 *	nothing but what it says. A list is read to its end, or to the call's limit; a server that repeats a page is
 *	an error, not an endless loop. A next page is asked only of the host that gave the first, whatever its link says.
 * Ownership: rows are static.
 * Threads: any.
 */
#include "backends/cloud/service.h"

enum rest_where { REST_BODY, REST_QUERY, REST_HEADER, REST_FORM, REST_NOWHERE /* taken, and not needed */ };
struct rest_field {
	const char *param; /* of the operation; not sent when not given. NULL: `constant` is always sent */
	/* The name in query, header or form; in the body a path: "server.name", "names.0", "" for the whole body. */
	const char *place;
	enum rest_where where;
	const char *constant; /* JSON for the body ("\"soft\"", "null"), else text. With a param: what is sent without it */
	/* "zones/{zone}/diskTypes/{type}": the value is this, with parameters and the driver's variables put in. With a param:
	 * sent only when that was given. */
	const char *format;
	const struct record_word *words; /* theirs for ours; what is in none goes as it is. Ended by theirs NULL */
	const char *when; /* JSON that is sent, in the body, when the flag is true; nothing otherwise */
	bool is_needed;	  /* of the service, though not of the operation: an error when it was not given */
};
/* param "@token" is a fresh UUID, "@NAME" the driver's variable. In a form, '#' in the place of a list is 1, 2, 3... ('#2'
 * begins with 2), and a map is sent as PLACE.Key and PLACE.Value
 * ('#|A|B': as PLACE.A and PLACE.B). */

enum rest_page_style {
	REST_ONE_PAGE,
	REST_PAGE_TOKEN,  /* `next` of the answer goes into `token` */
	REST_PAGE_URL,	  /* `next` is the next page's URL, or a list of {rel, href} with one that says "next" */
	REST_PAGE_MARKER, /* `next` of the last item goes into `token`, until a page comes empty */
	REST_PAGE_NUMBER, /* 1, 2, 3... in `token`; `next` of the answer holds how many there are */
};
struct rest_page {
	enum rest_page_style style;
	enum rest_where where; /* of token and size; URL: ignored */
	const char *token, *next;
	const char *size; /* the name of the page size; NULL: cannot be asked for */
	unsigned size_max; /* asked for when the call does not say */
	unsigned size_min; /* the least that the service takes; 0: 1 */
	const char *tail;  /* a member of the last page that the caller wants, in call->tail; NULL: none */
};

struct rest_row;
/* What a parameter may name: it is looked for in a list, and its identifier takes the name's place. */
enum rest_id { REST_NO_ID, REST_ID, REST_STRANGE_ID };
struct rest_kind {
	const char *what;		 /* "volume", for messages */
	/* Where they all are; of its fields only those without param are sent. NULL: named by identifier only. */
	const struct rest_row *list;
	const struct rest_field *filter; /* of param "name", which is what was given; NULL: the list is looked through */
	const struct rest_field *id_filter; /* the filter of what is an identifier, where that is no whole one */
	char *(*make_filter)(const char *given); /* what the filter takes for it, a heap string; NULL: as it is */
	const char *names;		 /* members that may be what was given: "name|id" */
	const char *id;			 /* the member that takes its place */
	const char *id_part;		 /* for is_id: what an identifier of this kind has in it */
	enum rest_id (*is_id)(const char *text, const char *id_part); /* NULL: never one */
	bool (*matches)(struct json_object *thing, const char *text); /* NULL: by names */
	char *(*make_id)(struct json_object *thing); /* a heap string, NULL: there is none. NULL: by id */
};
struct rest_name {
	const char *param;
	const struct rest_kind *kind;
};
/* Members of the answer that become parameters of `then`; members of items that must be as a parameter says. */
struct rest_keep {
	const char *param, *from;
};

struct rest_row {
	const char *service; /* of the driver: "compute" */
	enum http_method method;
	const char *path;    /* "servers/{id}/action"; {+name}: slashes are kept */
	const struct rest_field *fields; /* ended by place NULL; may be NULL */
	const char *items; /* a list: where it stands in the answer ("servers", "" for the whole); NULL: one thing */
	const char *item;  /* one thing: where it stands; NULL: nothing is given back */
	const struct rest_page *page;	    /* NULL: one page */
	const struct record_source *record; /* NULL: as the service gives it */
	const char *content_type;
	bool is_read;	    /* changes nothing, though its method would */
	bool is_idempotent; /* a POST that may be sent twice */
	bool is_strict;	    /* a parameter that goes nowhere is an error, not left out */
	bool is_later;	    /* the driver's settle waits for what it began */
	const struct rest_name *names; /* ended by param NULL */
	const struct rest_row *then;   /* runs after it, with the identifiers; its result is given back */
	const struct rest_keep *keep;  /* ended by param NULL */
	const struct rest_keep *only;  /* of a list: the items whose member is, or holds, the parameter; NULL: all */
	/* A list by places: `items` is {"zones/a": {"disks": [...]}}, and this is "disks". What cannot be reached is an error. */
	const char *scoped;
};

typedef int rest_each_fn(void *arg, struct json_object *item, struct error *err);

int rest_run(struct cloud_call *call, const struct rest_row *row, struct json_object **ret,
	     struct error *err) MUST_CHECK;
/* "servers/{id}" with the parameters of the call; a heap string beginning with '/'. */
int rest_path(struct cloud_call *call, const char *pattern, char **ret, struct error *err) MUST_CHECK;
/* Puts a value (whose reference it takes) into *root at a path, making objects and lists on the way. */
int rest_put(struct json_object **root, const char *place, struct json_object *value, struct error *err) MUST_CHECK;
/* Adds the row's fields to a request, by the call's parameters. */
int rest_fill(struct cloud_call *call, const struct rest_field *fields, struct service_request *request,
	      struct error *err) MUST_CHECK;
/* The same for text that is no path: nothing is encoded. */
int rest_format(struct cloud_call *call, const char *pattern, char **ret, struct error *err) MUST_CHECK;
/* A copy of the call's parameters with identifiers in the place of names. */
int rest_names(struct cloud_call *call, const struct rest_name *names, struct json_object **ret,
	       struct error *err) MUST_CHECK;
/* The thing that is named, raw, and its identifier (either may be NULL). An identifier is not looked for: no thing. */
int rest_find(struct cloud_call *call, const struct rest_kind *kind, const char *given, char **ret_id,
	      struct json_object **ret_thing, struct error *err) MUST_CHECK;
/* Runs a row's list and hands out its items, raw. */
int rest_each(struct cloud_call *call, const struct rest_row *row, rest_each_fn *each, void *arg,
	      struct error *err) MUST_CHECK;
/* Runs a row with one parameter more, or another value for it (whose reference it takes). */
int rest_run_with(struct cloud_call *call, const struct rest_row *row, const char *name, struct json_object *value,
		  struct json_object **ret, struct error *err) MUST_CHECK;
/* The same as the service gives it, without a shape. params NULL: the call's own. */
int rest_run_raw(struct cloud_call *call, const struct rest_row *row, struct json_object *params, struct json_object **ret,
		 struct error *err) MUST_CHECK;
int rest_run_raw_with(struct cloud_call *call, const struct rest_row *row, const char *name, const char *value,
		      struct json_object **ret, struct error *err) MUST_CHECK;
/* A new list of what take makes of each item of a row's list (which may be nothing); take as rest_each_fn. */
typedef int rest_take_fn(struct cloud_call *call, struct json_object *item, struct json_object **list, struct error *err);
int rest_list(struct cloud_call *call, const struct rest_row *row, rest_take_fn *take, struct json_object **ret,
	      struct error *err) MUST_CHECK;
/* The first parameter that goes nowhere, or NULL. */
const char *rest_stray_param(const struct cloud_call *call, const struct rest_row *row);
/* Runs a request page by page and hands out the items, until each returns 1 or a negative. request is the first page's. */
int rest_pages(struct cloud_call *call, const struct service *service, struct service_request *request,
	       const char *items, const struct rest_page *page, rest_each_fn *each, void *arg,
	       struct error *err) MUST_CHECK;
