/*
 * Listings: JSON pages by marker. A dynamic large object has no size in listings; where a container has segments, such
 * empty entries are looked at one by one.
 */
#include "backends/openstack/swift_private.h"

#include "backends/base/clock.h"

#include <stdio.h>

#define PAGE_MAX      10000
#define EMPTY_MD5     "d41d8cd98f00b204e9800998ecf8427e"
#define LOOKS_PER_PAGE 1000

/* "2026-11-23T10:00:00.123456", which is UTC and does not say so. */
static int64_t read_time(const char *text)
{
	char with_zone[64];
	int64_t ns = 0;

	if (!text || snprintf(with_zone, sizeof with_zone, "%sZ", text) >= (int)sizeof with_zone ||
	    clock_parse_iso8601(with_zone, &ns) < 0)
		return 0;
	return ns;
}

static int read_entry(struct json_object *entry, struct arena *arena, struct store_object *ret, struct error *err)
{
	const char *subdir = json_get_string(entry, "subdir"), *name = json_get_string(entry, "name"),
		   *large = json_get_string(entry, "slo_etag"), *type = json_get_string(entry, "content_type"),
		   *id = json_get_string(entry, "version_id");
	int64_t bytes = json_get_int64(entry, "bytes", -1);

	*ret = (struct store_object){ .is_prefix = subdir != NULL };
	if (!subdir && (!name || bytes < 0))
		return error_set(err, ERR_PROTOCOL, "a listing's entry has no name or size");
	ret->key = arena_strdup(arena, subdir ? subdir : name);
	if (!ret->key)
		return error_no_memory(err);
	if (subdir)
		return 0;
	ret->size = (uint64_t)bytes;
	ret->modified_wall_ns = read_time(json_get_string(entry, "last_modified"));
	if (type && !(ret->content_type = arena_strdup(arena, type)))
		return error_no_memory(err);
	if (id && !(ret->version_id = arena_strdup(arena, id)))
		return error_no_memory(err);
	ret->is_latest = json_get_bool(entry, "is_latest", true);
	ret->is_delete_marker = type && !strcmp(type, "application/x-deleted;swift_versions_deleted=1");
	return swift_version_set(large ? large : json_get_string(entry, "hash"), ret->version, err);
}

static int read_page(struct json_object *list, struct store_page *page, struct error *err)
{
	size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	int r = 0;

	page->objects = arena_alloc(&page->arena, (count + 1) * sizeof *page->objects);
	if (!page->objects)
		return error_no_memory(err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = read_entry(json_object_array_get_idx(list, i), &page->arena, &page->objects[page->count++], err);
	return r;
}

static unsigned page_size(const struct store_list_args *args)
{
	return args->max_keys && args->max_keys < PAGE_MAX ? args->max_keys : PAGE_MAX;
}

int swift_list_container(struct swift_store *s, const char *container, const struct store_list_args *args,
			 bool with_versions, struct store_page *ret, struct error *err)
{
	CLEANUP(swift_call_release) struct swift_call c = SWIFT_CALL_INIT(s, HTTP_GET, "GetContainer");
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	const char *marker = args->token ? args->token : args->start_after;
	char limit[16], delimiter[2] = { args->delimiter, '\0' };
	int r;

	(void)snprintf(limit, sizeof limit, "%u", page_size(args));
	swift_call_aim(&c, container, NULL);
	swift_call_query(&c, "format", "json");
	swift_call_query(&c, "limit", limit);
	if (args->prefix && *args->prefix)
		swift_call_query(&c, "prefix", args->prefix);
	if (args->delimiter)
		swift_call_query(&c, "delimiter", delimiter);
	if (with_versions)
		swift_call_query(&c, "versions", "true");
	if (with_versions && args->token) { /* "VERSION_ID NAME" */
		const char *space = strchr(args->token, ' ');
		CLEANUP(freep) char *id = space ? str_dup((struct str){ args->token, (size_t)(space - args->token) }) : NULL;

		if (!id)
			return error_set(err, ERR_INVALID, "the page token is none");
		swift_call_query(&c, "version_marker", id);
		marker = space + 1;
	}
	if (marker)
		swift_call_query(&c, "marker", marker);
	c.wants_json = true;
	c.cancel = args->cancel;
	r = swift_call_perform(&c, err);
	if (r == 0)
		r = read_page(c.answer.json, &page, err);
	if (r < 0)
		return r;
	/* Swift refuses a limit over its own; RADOS Gateway cuts at a thousand and says nothing. */
	if (page.count && (page.count >= page_size(args) || page.count % 1000 == 0)) {
		const struct store_object *last = &page.objects[page.count - 1];
		CLEANUP(freep) char *token = with_versions ? str_format("%s %s", last->version_id ? last->version_id : "null", last->key)
							   : strdup(last->key);

		page.next_token = token ? arena_strdup(&page.arena, token) : NULL;
		if (!page.next_token)
			return error_no_memory(err);
	}
	*ret = page;
	page = STORE_PAGE_INIT;
	return 0;
}

/* The size of a dynamic large object is the sum of its segments', which only a look tells. */
static int look_at_empty(struct swift_store *s, const char *bucket, struct store_page *page, struct cancel *cancel)
{
	unsigned looks = 0;

	for (size_t i = 0; i < page->count && looks < LOOKS_PER_PAGE; i++) {
		struct store_object *o = &page->objects[i];
		struct error ignored = ERROR_INIT;
		struct swift_look look;

		if (o->is_prefix || o->size || strcmp(o->version, EMPTY_MD5) != 0 || o->key[strlen(o->key) - 1] == '/' ||
		    (o->content_type && !strcmp(o->content_type, "application/directory")))
			continue;
		looks++;
		if (swift_look_at(s, bucket, o->key, cancel, &page->arena, &look, &ignored) == 0 && look.object.size) {
			o->size = look.object.size;
			memcpy(o->version, look.object.version, sizeof o->version);
		}
	}
	return 0;
}

int swift_list(struct store *store, const char *bucket, const struct store_list_args *args, struct store_page *ret,
	       struct error *err)
{
	struct swift_store *s = swift_of(store);
	int r = swift_list_container(s, bucket, args, false, ret, err);

	if (r == 0 && swift_has_segments(s, bucket))
		r = look_at_empty(s, bucket, ret, args->cancel);
	return r;
}

int swift_list_versions(struct store *store, const char *bucket, const struct store_list_args *args,
			struct store_page *ret, struct error *err)
{
	return swift_list_container(swift_of(store), bucket, args, true, ret, err);
}
