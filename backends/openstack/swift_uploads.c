/*
 * Finding uploads that are under way, the parts they have, and giving them up.
 */
#include "backends/openstack/swift_private.h"

#include <stdio.h>

int swift_each_segment(struct swift_store *s, const char *container, const char *prefix,
		       int (*visit)(void *arg, const struct store_object *o, struct error *err), void *arg,
		       struct error *err)
{
	CLEANUP(freep) char *token = NULL;

	for (;;) {
		CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
		struct store_list_args args = { .prefix = prefix, .token = token };
		int r = swift_list_container(s, container, &args, false, &page, err);

		for (size_t i = 0; r == 0 && i < page.count; i++)
			r = visit(arg, &page.objects[i], err);
		if (r < 0 || !page.next_token)
			return r;
		free(token);
		token = strdup(page.next_token);
		if (!token)
			return error_no_memory(err);
	}
}

/* What of an upload's folder may go. */
struct abandoned {
	struct swift_names names;
	struct json_object *manifest; /* of the object that is there; NULL: it has none */
	const char *container;
	size_t prefix_len;
	bool keeps_segments;
};

static bool is_segment(const char *name)
{
	size_t len = strlen(name);

	return strcmp(name, "00000000") != 0 && (len < 4 || strcmp(name + len - 4, ".ref") != 0);
}

static int collect(void *arg, const struct store_object *o, struct error *err)
{
	struct abandoned *a = arg;
	CLEANUP(freep) char *path = str_format("/%s/%s", a->container, o->key);

	if (!path)
		return error_no_memory(err);
	if ((a->manifest && swift_manifest_names(a->manifest, path)) || (a->keeps_segments && is_segment(o->key + a->prefix_len)))
		return 0;
	return swift_names_add(&a->names, o->key, err);
}

/* An upload whose end was not heard of may have been completed all the same: the segments that the object names are the object. Where
 * old versions are kept, one of them may name them: then what was sent stays. */
int swift_upload_abort(struct store *store, const char *bucket, const char *key, const char *upload_id, struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(json_putp) struct json_object *manifest = NULL;
	struct abandoned a = { .manifest = NULL };
	struct swift_folder folder;
	int r = swift_folder_of(bucket, key, upload_id, &folder, err);

	swift_upload_over(s, upload_id); /* first: parts that come from now on are looked after */
	if (r == 0)
		r = swift_manifest_get(s, bucket, key, NULL, &manifest, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		r = 0;
	}
	if (r < 0)
		return r;
	a.manifest = manifest;
	a.container = folder.container;
	a.prefix_len = strlen(folder.path);
	a.keeps_segments = swift_may_have_versions(s, bucket);
	r = swift_each_segment(s, folder.container, folder.path, collect, &a, err);
	if (r == 0 && !a.names.count)
		r = error_set(err, ERR_NOT_FOUND, "there is no such upload");
	if (r == 0)
		swift_delete_all(s, folder.container, (const char *const *)a.names.items, a.names.count);
	swift_names_release(&a.names);
	return r;
}

struct held_parts {
	struct store_part *items;
	size_t count, capacity, prefix_len;
	bool has_record;
};

static int collect_part(void *arg, const struct store_object *o, struct error *err)
{
	struct held_parts *p = arg;
	const char *name = o->key + p->prefix_len;
	uint64_t number;

	if (strlen(name) < 8 || str_to_u64((struct str){ name, 8 }, &number) < 0)
		return 0;
	if (!number) {
		p->has_record = true;
		return 0;
	}
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 64;
		struct store_part *items = realloc(p->items, capacity * sizeof *items);

		if (!items)
			return error_no_memory(err);
		p->items = items;
		p->capacity = capacity;
	}
	p->items[p->count] = (struct store_part){ .number = (unsigned)number, .size = o->size };
	if (!strcmp(name + 8, ".ref"))
		(void)snprintf(p->items[p->count].tag, sizeof p->items[p->count].tag, "ref");
	else
		(void)snprintf(p->items[p->count].tag, sizeof p->items[p->count].tag, "%s", o->version);
	p->count++;
	return 0;
}

/* The list says how large the text of a copied part is, not what it stands for. */
static int measure_copied(struct swift_store *s, const struct swift_folder *f, struct store_part *part, struct error *err)
{
	CLEANUP(json_putp) struct json_object *ranges = NULL;
	char name[200];
	int r;

	swift_segment_name(f, part->number, ".ref", name);
	r = swift_get_json(s, f->container, name, NULL, &ranges, err);
	part->size = 0;
	for (size_t i = 0; r == 0 && json_object_is_type(ranges, json_type_array) && i < json_object_array_length(ranges); i++) {
		struct swift_entry e;

		r = swift_entry_read(json_object_array_get_idx(ranges, i), &e, err);
		if (r == 0)
			part->size += e.last - e.first + 1;
	}
	return r;
}

int swift_upload_parts(struct store *store, const char *bucket, const char *key, const char *upload_id,
		       struct store_part **ret_parts, size_t *ret_count, struct error *err)
{
	struct held_parts parts = { .items = NULL };
	struct swift_folder folder;
	int r = swift_folder_of(bucket, key, upload_id, &folder, err);

	parts.prefix_len = r == 0 ? strlen(folder.path) : 0;
	if (r == 0)
		r = swift_each_segment(swift_of(store), folder.container, folder.path, collect_part, &parts, err);
	if (r == 0 && !parts.has_record)
		r = error_set(err, ERR_NOT_FOUND, "there is no such upload");
	for (size_t i = 0; r == 0 && i < parts.count; i++)
		if (!strcmp(parts.items[i].tag, "ref"))
			r = measure_copied(swift_of(store), &folder, &parts.items[i], err);
	if (r < 0) {
		free(parts.items);
		return r;
	}
	*ret_parts = parts.items;
	*ret_count = parts.count;
	return 0;
}

struct found_uploads {
	struct swift_store *s;
	const char *container, *prefix;
	struct store_upload_page *page;
	size_t capacity;
};

/* A record is what ends in "/00000000". */
static int collect_upload(void *arg, const struct store_object *o, struct error *err)
{
	struct found_uploads *f = arg;
	CLEANUP(json_putp) struct json_object *record = NULL;
	struct store_upload *uploads;
	size_t len = strlen(o->key), tail = strlen("/00000000");
	const char *key;
	int r;

	if (len < tail + 2 * SWIFT_ID_LEN || strcmp(o->key + len - tail, "/00000000") != 0)
		return 0;
	r = swift_get_json(f->s, f->container, o->key, NULL, &record, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) { /* over meanwhile */
		*err = ERROR_INIT;
		return 0;
	}
	key = r == 0 ? json_get_string(record, "key") : NULL;
	if (!key || strncmp(key, f->prefix, strlen(f->prefix)) != 0)
		return r;
	if (f->page->count == f->capacity) {
		size_t capacity = f->capacity ? 2 * f->capacity : 64;

		uploads = arena_alloc(&f->page->arena, capacity * sizeof *uploads);
		if (!uploads)
			return error_no_memory(err);
		if (f->page->count)
			memcpy(uploads, f->page->uploads, f->page->count * sizeof *uploads);
		f->page->uploads = uploads;
		f->capacity = capacity;
	}
	uploads = &f->page->uploads[f->page->count];
	*uploads = (struct store_upload){
		.key = arena_strdup(&f->page->arena, key),
		.upload_id = arena_strndup(&f->page->arena, o->key + len - tail - 2 * SWIFT_ID_LEN, 2 * SWIFT_ID_LEN),
		.started_wall_ns = o->modified_wall_ns,
	};
	if (!uploads->key || !uploads->upload_id)
		return error_no_memory(err);
	f->page->count++;
	return 0;
}

int swift_upload_list(struct store *store, const char *bucket, const char *prefix, struct store_upload_page *ret,
		      struct error *err)
{
	struct swift_store *s = swift_of(store);
	CLEANUP(store_upload_page_release) struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	char container[SWIFT_BUCKET_MAX + sizeof(SWIFT_SEGMENTS)];
	struct found_uploads found = { s, container, prefix ? prefix : "", &page, 0 };
	int r = swift_segments_of(bucket, container, err);

	if (r == 0 && !swift_has_segments(s, bucket))
		return swift_bucket_exists(store, bucket, err);
	if (r == 0)
		r = swift_each_segment(s, container, SWIFT_OURS, collect_upload, &found, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	*ret = page;
	page = STORE_UPLOAD_PAGE_INIT;
	return 0;
}

