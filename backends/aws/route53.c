/*
 * Domain names by Route 53. It has no "put": a change batch deletes what is there, word for word, and creates what is
 * wanted, both or nothing, so that what somebody else changed meanwhile is not overwritten. A batch is answered before
 * all name servers know of it; with --wait it is asked for until they do (INSYNC).
 *
 * Source: docs.aws.amazon.com/Route53/latest/APIReference, version 2013-04-01 (read 2026-11). Identifiers come as
 * "/hostedzone/Z1" and "/change/C1"; '*' comes as "\052"; escapes in texts are octal.
 */
#include "backends/aws/cloud_aws.h"

#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include "backends/base/xml_json.h"
#include "backends/cloud/dns_sets.h"

#include <stdio.h>

#define VERSION	  "/2013-04-01"
#define NAMESPACE "https://route53.amazonaws.com/doc/2013-04-01/"
#define BODY_MAX  ((size_t)4 << 20)
#define BATCH_MAX 500	      /* of the 1000 records that one batch may hold */
#define PAGE_MAX  300
#define SYNC_PAUSE_MS 2000

/* ---- records ---- */

/* "/hostedzone/Z1" is Z1 to everybody else. */
static const char *bare_id(const char *id)
{
	const char *slash = id ? strrchr(id, '/') : NULL;

	return slash ? slash + 1 : id;
}

static struct json_object *make_id(struct json_object *id)
{
	const char *text = bare_id(json_object_get_string(id));

	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *make_name(struct json_object *name)
{
	return dns_json_name(json_object_get_string(name));
}

static struct json_object *make_status(struct json_object *o)
{
	const char *status = json_get_string(o, "ChangeInfo.Status");

	return json_object_new_string(status && !strcmp(status, "PENDING") ? "pending" : "active");
}

static struct json_object *make_provider_status(struct json_object *o)
{
	return json_object_get(json_get(o, "ChangeInfo.Status"));
}

static struct json_object *make_kind(struct json_object *zone)
{
	const char *is_private = json_get_string(zone, "Config.PrivateZone");

	return json_object_new_string(is_private && !strcmp(is_private, "true") ? "private" : "public");
}

static struct json_object *make_nameservers(struct json_object *o)
{
	struct json_object *list = json_get(o, "DelegationSet.NameServers.NameServer");

	return list ? dns_json_values("NS", list, NULL, DNS_ESCAPE_OCTAL) : NULL;
}

static const struct record_source zone_map[] = {
	{ "id", "Id", NULL, make_id },
	{ "name", "Name", NULL, make_name },
	{ "status", "", NULL, make_status },
	{ "provider_status", "", NULL, make_provider_status },
	{ "type", "", NULL, make_kind },
	{ "records", "ResourceRecordSetCount", NULL, NULL },
	{ "nameservers", "", NULL, make_nameservers },
	{ "description", "Config.Comment", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static struct json_object *make_values(struct json_object *set)
{
	return dns_json_values(json_get_string(set, "Type"), json_get(set, "ResourceRecords.ResourceRecord"), "Value",
			       DNS_ESCAPE_OCTAL);
}

static struct json_object *make_alias(struct json_object *set)
{
	return dns_json_name(json_get_string(set, "AliasTarget.DNSName"));
}

static const struct record_source set_map[] = {
	{ "id", "SetIdentifier", NULL, NULL },
	{ "name", "Name", NULL, make_name },
	{ "type", "Type", NULL, NULL },
	{ "ttl", "TTL", NULL, NULL },
	{ "values", "", NULL, make_values },
	{ "status", "", NULL, make_status },
	{ "alias", "", NULL, make_alias },
	{ NULL, NULL, NULL, NULL },
};

/* ---- asking ---- */

static int ask(struct cloud_call *call, struct service_request *q, struct json_object **ret, struct error *err)
{
	const struct service *service = NULL;
	int r = aws_service(call, "route53", &service, err);

	return r < 0 ? r : service_json(call, service, q, ret, err);
}

/* Method, path below the version ("/hostedzone", a zone's id, "/rrset"), XML or nothing. */
static int exchange(struct cloud_call *call, enum http_method method, const char *first, const char *id, const char *last,
		    struct buf *body, struct json_object **ret, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(buf_release) struct buf path = BUF_INIT(1024);

	if (buf_addf(&path, VERSION "%s", first) < 0 || (id && service_path_add(&path, bare_id(id)) < 0) ||
	    buf_adds(&path, last) < 0)
		return error_set(err, ERR_TOO_LARGE, "an identifier is too long");
	q.method = method;
	q.path = buf_cstr(&path);
	if (body) {
		q.body = (struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(body), .fd = -1 };
		q.content_type = "text/xml";
	}
	return ask(call, &q, ret, err);
}

/* Items of a list that goes on where the answer says: each pair is a member of the answer and the query's name. */
struct listing {
	const char *path, *root, *items;
	const char *next[3], *query[3];
};

static int add_page_size(struct cloud_call *call, struct http_fields *query, struct error *err)
{
	unsigned size = call->page_size && call->page_size < PAGE_MAX ? call->page_size : PAGE_MAX;
	char text[16];

	(void)snprintf(text, sizeof text, "%u", size); /* fits */
	return http_fields_set(query, "maxitems", text, err);
}

/* 1: there is another page, and the query asks for it. */
static int turn_page(const struct listing *l, struct json_object *root, struct http_fields *query, struct error *err)
{
	const char *more = json_get_string(root, "IsTruncated");
	bool has_moved = false;

	if (!more || strcmp(more, "true") != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(l->next) && l->next[i]; i++) {
		const char *value = json_get_string(root, l->next[i]), *before = http_fields_get(query, l->query[i]);
		int r;

		has_moved = has_moved || strcmp(value ? value : "", before ? before : "") != 0;
		r = http_fields_set(query, l->query[i], value ? value : "", err);
		if (r < 0)
			return r;
	}
	/* An empty member of the query is refused by the service. */
	for (size_t i = query->count; i-- > 0;)
		if (!*query->items[i].value) {
			free(query->items[i].name);
			free(query->items[i].value);
			query->items[i] = query->items[--query->count];
		}
	return has_moved ? 1 : error_set(err, ERR_PROTOCOL, "the service gives the same page again");
}

static int each_item(struct cloud_call *call, const struct listing *l, struct service_request *q, rest_each_fn *each,
		     void *arg, struct error *err)
{
	int r = add_page_size(call, &q->query, err), more = 1;

	q->path = l->path;
	while (r == 0 && more) {
		CLEANUP(json_putp) struct json_object *answer = NULL, *items = NULL;
		struct json_object *root;

		r = ask(call, q, &answer, err);
		if (r < 0)
			return r;
		root = json_get(answer, l->root);
		items = json_items(root, l->items);
		if (!root || !items)
			return error_set(err, ERR_PROTOCOL, "the answer is no %s", l->root);
		for (size_t i = 0; i < json_object_array_length(items) && r == 0; i++)
			r = each(arg, json_object_array_get_idx(items, i), err);
		if (r == 0)
			more = turn_page(l, root, &q->query, err);
		if (r == 0 && more < 0)
			r = more;
	}
	return r < 0 ? r : 0;
}

/* ---- zones ---- */

struct zone_search {
	const char *name;
	struct dns_zone_search all;
};

static int look_at_zone(void *arg, struct json_object *item, struct error *err)
{
	struct zone_search *s = arg;
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(item, "Name"));

	(void)err; /* cannot fail */
	if (!name || !json_get_string(item, "Id") || strcmp(json_object_get_string(name), s->name) != 0)
		return 1; /* sorted: those of the name come first */
	dns_zone_search_keep(&s->all, item);
	return 0;
}

static int find_id(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	static const struct listing by_name = { VERSION "/hostedzonesbyname", "ListHostedZonesByNameResponse",
						"HostedZones.HostedZone", { "NextDNSName", "NextHostedZoneId" },
						{ "dnsname", "hostedzoneid" } };
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(json_putp) struct json_object *found = NULL;
	struct zone_search s = { .name = name };
	int r = http_query_add(&q.query, "dnsname", name, err);

	if (r == 0)
		r = each_item(call, &by_name, &q, look_at_zone, &s, err);
	r = dns_zone_search_end(&s.all, name, r, &found, err);
	if (r < 0)
		return r;
	*ret = strdup(bare_id(json_get_string(found, "Id")));
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

static int show_zone(struct cloud_call *call, const char *name_or_id, struct json_object **ret, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	struct json_object *root, *zone;
	int r = 0;

	if (strchr(name_or_id, '.'))
		r = find_id(call, name_or_id, &id, err);
	if (r == 0)
		r = exchange(call, HTTP_GET, "/hostedzone", id ? id : name_or_id, "", NULL, &answer, err);
	if (r < 0)
		return r;
	root = json_get(answer, "GetHostedZoneResponse");
	zone = json_get(root, "HostedZone");
	if (!zone)
		return error_set(err, ERR_PROTOCOL, "the answer holds no zone");
	if (json_get(root, "DelegationSet"))
		json_object_object_add(zone, "DelegationSet", json_object_get(json_get(root, "DelegationSet")));
	*ret = json_object_get(zone);
	return 0;
}

static int find_zone(struct cloud_call *call, const char *name_or_id, struct dns_zone *ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	int r = show_zone(call, name_or_id, &zone, err);

	return r < 0 ? r : dns_zone_fill(ret, bare_id(json_get_string(zone, "Id")), json_get_string(zone, "Name"), zone, err);
}

struct zone_list {
	struct cloud_call *call;
	struct json_object *list;
};

static int add_zone(void *arg, struct json_object *item, struct error *err)
{
	struct zone_list *z = arg;

	return cloud_list_add(z->call, zone_map, item, &z->list, err);
}

static int zones_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const struct listing all = { VERSION "/hostedzone", "ListHostedZonesResponse", "HostedZones.HostedZone",
					    { "NextMarker" }, { "marker" } };
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	struct zone_list z = { call, json_object_new_array() };
	int r = z.list ? each_item(call, &all, &q, add_zone, &z, err) : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r < 0)
		json_object_put(z.list);
	else
		*ret = z.list;
	return r;
}

static int zones_get(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *zone = NULL;
	int r = show_zone(call, cloud_param(call, "zone"), &zone, err);

	return r < 0 ? r : cloud_record(call, zone_map, zone, ret, err);
}

/* Where --wait was said: until all name servers know. *change is its ChangeInfo; it becomes the newest. */
static int wait_for_sync(struct cloud_call *call, struct json_object **change, struct error *err)
{
	if (!cloud_param_bool(call, "wait", false))
		return 0;
	for (;;) {
		CLEANUP(json_putp) struct json_object *answer = NULL;
		const char *status = json_get_string(*change, "Status"), *id = json_get_string(*change, "Id");
		int r;

		if (!id || !status || strcmp(status, "PENDING") != 0)
			return 0;
		cloud_progress(call, "status: %s", status);
		r = cloud_sleep(call, SYNC_PAUSE_MS, err);
		if (r == 0)
			r = exchange(call, HTTP_GET, "/change", id, "", NULL, &answer, err);
		if (r < 0)
			return r;
		json_object_put(*change);
		*change = json_object_get(json_get(answer, "GetChangeResponse.ChangeInfo"));
	}
}

static int add_element(struct buf *xml, const char *name, const char *text)
{
	int r = buf_addf(xml, "<%s>", name);

	if (r == 0)
		r = xml_escape(str_of(text), xml);
	return r == 0 ? buf_addf(xml, "</%s>", name) : r;
}

static int zones_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf xml = BUF_INIT(8192);
	CLEANUP(json_putp) struct json_object *answer = NULL, *change = NULL;
	const char *comment = cloud_param(call, "description");
	char token[CLOUD_TOKEN_LEN + 1];
	struct json_object *root, *zone;
	int r;

	if (cloud_param_bool(call, "private", false))
		return error_set(err, ERR_UNSUPPORTED, "private zones of Route 53 belong to a VPC: make them with Amazon's tools");
	if (cloud_param(call, "email") || cloud_param_json(call, "ttl"))
		return error_set(err, ERR_UNSUPPORTED, "Route 53 sets contact and TTL of a zone's SOA record itself");
	cloud_token(token);
	if (buf_adds(&xml, "<CreateHostedZoneRequest xmlns=\"" NAMESPACE "\">") < 0 ||
	    add_element(&xml, "Name", cloud_param(call, "zone")) < 0 || add_element(&xml, "CallerReference", token) < 0 ||
	    buf_adds(&xml, comment ? "<HostedZoneConfig>" : "") < 0 || (comment && add_element(&xml, "Comment", comment) < 0) ||
	    buf_adds(&xml, comment ? "</HostedZoneConfig>" : "") < 0 || buf_adds(&xml, "</CreateHostedZoneRequest>") < 0)
		return error_set(err, ERR_TOO_LARGE, "the request is too long");
	r = exchange(call, HTTP_POST, "/hostedzone", NULL, "", &xml, &answer, err);
	if (r < 0)
		return r;
	root = json_get(answer, "CreateHostedZoneResponse");
	zone = json_get(root, "HostedZone");
	change = json_object_get(json_get(root, "ChangeInfo"));
	r = wait_for_sync(call, &change, err);
	if (r < 0)
		return r;
	if (!zone)
		return error_set(err, ERR_PROTOCOL, "the answer holds no zone");
	json_object_object_add(zone, "DelegationSet", json_object_get(json_get(root, "DelegationSet")));
	json_object_object_add(zone, "ChangeInfo", json_object_get(change));
	return cloud_record(call, zone_map, zone, ret, err);
}

static int zones_update(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(buf_release) struct buf xml = BUF_INIT(8192);
	CLEANUP(json_putp) struct json_object *answer = NULL;
	const char *comment = cloud_param(call, "description");
	int r;

	if (cloud_param(call, "email") || cloud_param_json(call, "ttl"))
		return error_set(err, ERR_UNSUPPORTED, "Route 53 has contact and TTL of a zone in its SOA record only");
	if (!comment)
		return error_set(err, ERR_INVALID, "nothing to change: give description");
	r = find_zone(call, cloud_param(call, "zone"), &zone, err);
	if (r < 0)
		return r;
	if (buf_adds(&xml, "<UpdateHostedZoneCommentRequest xmlns=\"" NAMESPACE "\">") < 0 ||
	    add_element(&xml, "Comment", comment) < 0 || buf_adds(&xml, "</UpdateHostedZoneCommentRequest>") < 0)
		return error_set(err, ERR_TOO_LARGE, "the request is too long");
	r = exchange(call, HTTP_POST, "/hostedzone", zone.id, "", &xml, &answer, err);
	if (r < 0)
		return r;
	return cloud_record(call, zone_map, json_get(answer, "UpdateHostedZoneCommentResponse.HostedZone"), ret, err);
}

/* ---- record sets ---- */

static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err);

/* A set as it came, or as put_set made it. */
static int add_set(struct buf *xml, const char *action, struct json_object *set)
{
	static const char *const alias[] = { "HostedZoneId", "DNSName", "EvaluateTargetHealth" };
	CLEANUP(json_putp) struct json_object *values = json_items(set, "ResourceRecords.ResourceRecord");
	const char *ttl = json_get_string(set, "TTL");
	int r = buf_addf(xml, "<Change><Action>%s</Action><ResourceRecordSet>", action);

	if (r < 0 || !values || add_element(xml, "Name", json_get_string(set, "Name")) < 0 ||
	    add_element(xml, "Type", json_get_string(set, "Type")) < 0 || (ttl && add_element(xml, "TTL", ttl) < 0))
		return -ENOMEM;
	if (json_object_array_length(values)) {
		r = buf_adds(xml, "<ResourceRecords>");
		for (size_t i = 0; i < json_object_array_length(values) && r == 0; i++) {
			const char *value = json_get_string(json_object_array_get_idx(values, i), "Value");

			r = buf_adds(xml, "<ResourceRecord>");
			if (r == 0)
				r = add_element(xml, "Value", value ? value : "");
			if (r == 0)
				r = buf_adds(xml, "</ResourceRecord>");
		}
		if (r == 0)
			r = buf_adds(xml, "</ResourceRecords>");
	}
	if (r == 0 && json_get(set, "AliasTarget")) {
		r = buf_adds(xml, "<AliasTarget>");
		for (size_t i = 0; i < ARRAY_SIZE(alias) && r == 0; i++) {
			const char *text = json_get_string(json_get(set, "AliasTarget"), alias[i]);

			r = add_element(xml, alias[i], text ? text : "");
		}
		if (r == 0)
			r = buf_adds(xml, "</AliasTarget>");
	}
	return r == 0 ? buf_adds(xml, "</ResourceRecordSet></Change>") : r;
}

static int begin_batch(struct buf *xml)
{
	return buf_adds(xml, "<ChangeResourceRecordSetsRequest xmlns=\"" NAMESPACE "\"><ChangeBatch><Changes>");
}

static int send_batch(struct cloud_call *call, const char *zone_id, struct buf *xml, struct json_object **ret_change,
		      struct error *err)
{
	CLEANUP(json_putp) struct json_object *answer = NULL, *change = NULL;
	int r;

	if (buf_adds(xml, "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>") < 0)
		return error_set(err, ERR_TOO_LARGE, "the changes are too long");
	r = exchange(call, HTTP_POST, "/hostedzone", zone_id, "/rrset/", xml, &answer, err);
	if (r < 0)
		return r;
	change = json_object_get(json_get(answer, "ChangeResourceRecordSetsResponse.ChangeInfo"));
	r = wait_for_sync(call, &change, err);
	if (r == 0 && ret_change)
		*ret_change = steal(change);
	return r;
}

static int check_simple(struct json_object *there, struct error *err)
{
	if (there && json_get(there, "SetIdentifier"))
		return error_set(err, ERR_CONFLICT,
				 "the record set has a routing policy, which would be lost (use Amazon's own tools)");
	return 0;
}

static int make_set(const struct dns_set *want, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *set = json_object_new_object(), *values = NULL, *list = json_object_new_object();
	CLEANUP(freep) char *name = str_format("%s.", want->name);
	char ttl[24];
	int r = dns_wire_values(want, "Value", DNS_ESCAPE_OCTAL, &values, err);

	if (r == 0 && (!set || !list || !name))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0)
		return r;
	json_object_object_add(list, "ResourceRecord", steal(values));
	json_object_object_add(set, "Name", json_object_new_string(name));
	json_object_object_add(set, "Type", json_object_new_string(want->type));
	(void)snprintf(ttl, sizeof ttl, "%lld", (long long)want->ttl); /* fits */
	json_object_object_add(set, "TTL", json_object_new_string(ttl));
	json_object_object_add(set, "ResourceRecords", steal(list));
	*ret = steal(set);
	return 0;
}

static int put_set(struct cloud_call *call, const struct dns_zone *zone, const struct dns_set *want,
		   struct json_object *there, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf xml = BUF_INIT(BODY_MAX);
	CLEANUP(json_putp) struct json_object *set = NULL, *change = NULL;
	int r = check_simple(there, err);

	if (r == 0)
		r = make_set(want, &set, err);
	if (r == 0 && (begin_batch(&xml) < 0 || (there && add_set(&xml, "DELETE", there) < 0) ||
		       add_set(&xml, "CREATE", set) < 0))
		r = error_set(err, ERR_TOO_LARGE, "the record set is too long");
	if (r == 0)
		r = send_batch(call, zone->id, &xml, &change, err);
	if (r < 0)
		return r;
	json_object_object_add(set, "ChangeInfo", steal(change));
	*ret = steal(set);
	return 0;
}

static int remove_set(struct cloud_call *call, const struct dns_zone *zone, struct json_object *there, struct error *err)
{
	CLEANUP(buf_release) struct buf xml = BUF_INIT(BODY_MAX);
	int r = check_simple(there, err);

	if (r == 0 && (begin_batch(&xml) < 0 || add_set(&xml, "DELETE", there) < 0))
		r = error_set(err, ERR_TOO_LARGE, "the record set is too long");
	return r < 0 ? r : send_batch(call, zone->id, &xml, NULL, err);
}

struct named {
	const char *name;
	rest_each_fn *each;
	void *arg;
};

/* The list goes on to the zone's end behind the name that was asked for: ended there. */
static int while_named(void *arg, struct json_object *set, struct error *err)
{
	struct named *n = arg;
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(set, "Name"));

	if (n->name && (!name || strcmp(json_object_get_string(name), n->name) != 0))
		return 1;
	return n->each(n->arg, set, err);
}

static int list_sets(struct cloud_call *call, const struct dns_zone *zone, const char *name, const char *type,
		     rest_each_fn *each, void *arg, struct error *err)
{
	CLEANUP(service_request_release) struct service_request q = SERVICE_REQUEST_INIT;
	CLEANUP(buf_release) struct buf path = BUF_INIT(1024);
	struct listing l = { NULL, "ListResourceRecordSetsResponse", "ResourceRecordSets.ResourceRecordSet",
			     { "NextRecordName", "NextRecordType", "NextRecordIdentifier" }, { "name", "type", "identifier" } };
	struct named n = { name, each, arg };
	int r = name ? http_query_add(&q.query, "name", name, err) : 0;

	(void)type; /* only with a name, and then as a place to begin: the caller looks */
	if (buf_adds(&path, VERSION "/hostedzone") < 0 || service_path_add(&path, zone->id) < 0 || buf_adds(&path, "/rrset") < 0)
		return error_set(err, ERR_TOO_LARGE, "an identifier is too long");
	l.path = buf_cstr(&path);
	return r < 0 ? r : each_item(call, &l, &q, while_named, &n, err);
}

static const struct dns_sets sets = {
	.map = set_map,
	.ttl_default = 300,
	.ttl_min = 0,
	.ttl_max = DNS_TTL_MAX,
	.zone = find_zone,
	.list = list_sets,
	.put = put_set,
	.remove = remove_set,
};
DNS_SETS_SLOTS(sets)

/* ---- a zone's end ---- */

struct emptying {
	const struct dns_zone *zone;
	struct json_object *sets;
};

static int collect(void *arg, struct json_object *set, struct error *err)
{
	struct emptying *e = arg;
	CLEANUP(json_putp) struct json_object *name = dns_json_name(json_get_string(set, "Name"));
	const char *type = json_get_string(set, "Type");

	if (name && type && !strcmp(json_object_get_string(name), e->zone->name) && (!strcmp(type, "SOA") || !strcmp(type, "NS")))
		return 0;
	if (json_get(set, "SetIdentifier"))
		return error_set(err, ERR_CONFLICT, "the zone has record sets with routing policies (delete them with Amazon's tools)");
	return json_object_array_add(e->sets, json_object_get(set)) ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
}

/* A zone goes only when it is empty. */
static int empty_zone(struct cloud_call *call, const struct dns_zone *zone, struct error *err)
{
	CLEANUP(json_putp) struct json_object *found = json_object_new_array();
	struct emptying e = { zone, found };
	int r = found ? list_sets(call, zone, NULL, NULL, collect, &e, err) : error_set(err, ERR_NO_MEMORY, "out of memory");
	size_t count = found ? json_object_array_length(found) : 0;

	for (size_t at = 0; at < count && r == 0; at += BATCH_MAX) {
		CLEANUP(buf_release) struct buf xml = BUF_INIT(BODY_MAX);

		r = begin_batch(&xml);
		for (size_t i = at; i < count && i < at + BATCH_MAX && r == 0; i++)
			r = add_set(&xml, "DELETE", json_object_array_get_idx(found, i));
		r = r < 0 ? error_set(err, ERR_TOO_LARGE, "the changes are too long") : send_batch(call, zone->id, &xml, NULL, err);
	}
	return r;
}

static int zones_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(dns_zone_release) struct dns_zone zone = DNS_ZONE_INIT;
	CLEANUP(json_putp) struct json_object *answer = NULL;
	int r = find_zone(call, cloud_param(call, "zone"), &zone, err);

	(void)ret; /* nothing to tell */
	if (r == 0)
		r = empty_zone(call, &zone, err);
	return r < 0 ? r : exchange(call, HTTP_DELETE, "/hostedzone", zone.id, "", NULL, &answer, err);
}

const struct dns_ops aws_dns = {
	.zones_list = { .run = zones_list },
	.zones_get = { .run = zones_get },
	.zones_create = { .run = zones_create },
	.zones_update = { .run = zones_update },
	.zones_delete = { .run = zones_delete },
	DNS_SETS_MEMBERS,
};
