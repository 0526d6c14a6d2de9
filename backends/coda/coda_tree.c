/*
 * Which docs there are and what they hold, under names that are safe and unique: of several things of one name each has its
 * identifier behind it, so that what a name means does not depend on the order of a list.
 */
#include "backends/coda/coda_store.h"

#include "backends/base/clock.h"

#include <stdio.h>

#define NAMES_FRESH_MS 10000 /* lists of docs are the rarest thing that Coda allows */
#define DOC_FRESH_MS   2000
#define DOCS_KEPT      64
#define NAME_MAX_BYTES 160

const char *coda_safe_name(struct arena *arena, const char *name, size_t max)
{
	char *safe = arena_strdup(arena, name && *name ? name : "untitled");
	size_t at = 0;

	if (!safe)
		return NULL;
	while (safe[at]) {
		size_t n = str_utf8_char(str_of(safe + at));

		if (at + (n ? n : 1) > max) {
			safe[at] = '\0';
			break;
		}
		if (n <= 1 && (!n || (unsigned char)safe[at] < 0x20 || safe[at] == 0x7f || safe[at] == '/'))
			safe[at] = '_';
		at += n ? n : 1;
	}
	if (!strcmp(safe, ".") || !strcmp(safe, ".."))
		safe[0] = '_';
	return safe;
}

/* ---- docs ---- */

static int compare_names(const void *a, const void *b)
{
	const struct coda_name *x = a, *y = b;
	int order = strcmp(x->bucket, y->bucket);

	return order ? order : strcmp(x->id, y->id);
}

static void free_names(struct coda_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i].bucket);
		free(names[i].id);
	}
	free(names);
}

/* Of several docs of one name each gets its identifier. names are sorted. */
static int part_names(struct coda_name *names, size_t count, struct error *err)
{
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;

		while (end < count && !strcmp(names[end].bucket, names[i].bucket))
			end++;
		for (size_t k = i; end - i > 1 && k < end; k++) {
			char *longer = str_format("%s [%s]", names[k].bucket, names[k].id);

			if (!longer)
				return error_no_memory(err);
			free(names[k].bucket);
			names[k].bucket = longer;
		}
		i = end;
	}
	qsort(names, count, sizeof *names, compare_names);
	return 0;
}

static int take_name(struct coda_name *to, struct json_object *doc, struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	const char *id = json_get_string(doc, "id"), *created = json_get_string(doc, "createdAt");
	const char *safe = coda_safe_name(&arena, json_get_string(doc, "name"), NAME_MAX_BYTES);

	if (!id || !*id || strlen(id) > 64 || strpbrk(id, "/ []"))
		return error_set(err, ERR_PROTOCOL, "Coda tells of a doc without a proper identifier");
	*to = (struct coda_name){ .bucket = safe ? strdup(safe) : NULL, .id = strdup(id) };
	if (created)
		(void)clock_parse_iso8601(created, &to->created_wall_ns); /* else not known */
	return to->bucket && to->id ? 0 : error_no_memory(err);
}

int coda_names_list(struct coda_store *s, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = NULL;
	struct coda_name *names = NULL;
	struct coda_ask ask;
	size_t count;
	int r = coda_ask_init(s, &ask, NULL, err, NULL);

	if (r == 0)
		r = rest_run(&ask.call, &coda_rows[CODA_DOCS_LIST], &list, err);
	coda_ask_release(&ask);
	if (r < 0)
		return r;
	count = json_object_array_length(list);
	names = calloc(count + 1, sizeof *names);
	if (!names)
		return error_no_memory(err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = take_name(&names[i], json_object_array_get_idx(list, i), err);
	if (r == 0) {
		qsort(names, count, sizeof *names, compare_names);
		r = part_names(names, count, err);
	}
	if (r < 0) {
		free_names(names, count);
		return r;
	}
	LOCKED(&s->lock);
	free_names(s->names, s->name_count);
	s->names = names;
	s->name_count = count;
	s->named_mono_ms = clock_mono_ms();
	return 0;
}

static char *find_id_locked(const struct coda_store *s, const char *bucket)
{
	for (size_t i = 0; i < s->name_count; i++)
		if (!strcmp(s->names[i].bucket, bucket))
			return strdup(s->names[i].id);
	return NULL;
}

/* A doc's identifier is a name of it too, though no list shows it. */
static bool may_be_id(const char *bucket)
{
	size_t len = strlen(bucket);

	return len >= 6 && len <= 64 && strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static int find_id(struct coda_store *s, const char *bucket, char **ret, struct error *err)
{
	bool is_fresh;
	int r;

	lock_take(&s->lock);
	*ret = find_id_locked(s, bucket);
	is_fresh = s->named_mono_ms && clock_mono_ms() < s->named_mono_ms + NAMES_FRESH_MS;
	lock_drop(&s->lock);
	if (!*ret && !is_fresh) {
		r = coda_names_list(s, err);
		if (r < 0)
			return r;
		lock_take(&s->lock);
		*ret = find_id_locked(s, bucket);
		lock_drop(&s->lock);
	}
	if (!*ret && may_be_id(bucket))
		*ret = strdup(bucket);
	return *ret ? 0 : error_set(err, ERR_NOT_FOUND, "there is no doc '%.64s'", bucket);
}

/* ---- what a doc holds ---- */

static void free_doc(struct coda_doc *doc)
{
	arena_release(&doc->arena);
	free(doc);
}

void coda_doc_unref(struct coda_store *s, struct coda_doc *doc)
{
	bool is_last;

	if (!doc)
		return;
	lock_take(&s->lock);
	is_last = --doc->refs == 0;
	lock_drop(&s->lock);
	if (is_last)
		free_doc(doc);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct coda_item *)a)->key, ((const struct coda_item *)b)->key);
}

struct thing { /* a table or page on its way to a name */
	const char *name, *id;
	bool is_view;
};

static int compare_things(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->id, y->id);
}

static int take_things(struct coda_doc *doc, struct json_object *list, bool are_pages, struct thing *things, size_t *ret_count,
		       struct error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *id = json_get_string(o, "id"), *kind = json_get_string(o, are_pages ? "contentType" : "tableType");

		if (!id || !*id || strlen(id) > 128 || strpbrk(id, "/ []"))
			return error_set(err, ERR_PROTOCOL, "Coda tells of a %s without a proper identifier", are_pages ? "page" : "table");
		if (are_pages && kind && strcmp(kind, "canvas") != 0)
			continue; /* a frame around another page: nothing to export */
		things[count].id = arena_strdup(&doc->arena, id);
		things[count].name = coda_safe_name(&doc->arena, json_get_string(o, "name"), NAME_MAX_BYTES);
		things[count].is_view = kind && !strcmp(kind, "view");
		if (!things[count].id || !things[count].name)
			return error_no_memory(err);
		count++;
	}
	qsort(things, count, sizeof *things, compare_things);
	*ret_count = count;
	return 0;
}

static int add_item(struct coda_doc *doc, const struct thing *thing, bool is_alone, enum coda_kind kind, struct error *err)
{
	static const char *const ends[] = { [CODA_CSV] = ".csv", [CODA_JSONL] = ".jsonl", [CODA_MARKDOWN] = ".md" };
	CLEANUP(freep) char *key = str_format("%s%s%s%s%s%s", kind == CODA_MARKDOWN ? "pages/" : "", thing->name, is_alone ? "" : " [",
					      is_alone ? "" : thing->id, is_alone ? "" : "]", ends[kind]);
	const char *kept = key ? arena_strdup(&doc->arena, key) : NULL;

	if (!kept)
		return error_no_memory(err);
	doc->items[doc->count++] = (struct coda_item){ kept, thing->id, kind, thing->is_view };
	return 0;
}

static int add_things(struct coda_doc *doc, struct json_object *list, bool are_pages, struct error *err)
{
	CLEANUP(freep) struct thing *things = calloc(json_object_array_length(list) + 1, sizeof *things);
	size_t count = 0;
	int r = things ? take_things(doc, list, are_pages, things, &count, err) : error_no_memory(err);

	for (size_t i = 0; i < count && r == 0; i++) {
		bool is_alone = (i == 0 || strcmp(things[i - 1].name, things[i].name) != 0) &&
				(i + 1 == count || strcmp(things[i + 1].name, things[i].name) != 0);

		r = add_item(doc, &things[i], is_alone, are_pages ? CODA_MARKDOWN : CODA_CSV, err);
		if (r == 0 && !are_pages)
			r = add_item(doc, &things[i], is_alone, CODA_JSONL, err);
	}
	return r;
}

static int fill_doc(struct coda_doc *doc, struct json_object *tables, struct json_object *pages, struct error *err)
{
	size_t most = 2 * json_object_array_length(tables) + json_object_array_length(pages);
	size_t kept = 0;
	int r;

	doc->items = arena_alloc(&doc->arena, (most + 1) * sizeof *doc->items);
	if (!doc->items)
		return error_no_memory(err);
	r = add_things(doc, tables, false, err);
	if (r == 0)
		r = add_things(doc, pages, true, err);
	if (r < 0)
		return r;
	qsort(doc->items, doc->count, sizeof *doc->items, compare_items);
	/* A name that ends like an identifier's could be that of another: the first keeps it. */
	for (size_t i = 0; i < doc->count; i++)
		if (!kept || strcmp(doc->items[kept - 1].key, doc->items[i].key) != 0)
			doc->items[kept++] = doc->items[i];
	doc->count = kept;
	return 0;
}

static int make_doc(const char *id, const char *bucket, struct json_object *told, struct coda_doc **ret, struct error *err)
{
	const char *updated = json_get_string(told, "updatedAt");
	struct coda_doc *doc = calloc(1, sizeof *doc);

	if (!doc)
		return error_no_memory(err);
	doc->arena = ARENA_INIT(64 << 20);
	doc->refs = 1;
	doc->id = arena_strdup(&doc->arena, id);
	doc->bucket = arena_strdup(&doc->arena, bucket);
	if (!doc->id || !doc->bucket || !updated || clock_parse_iso8601(updated, &doc->modified_wall_ns) < 0) {
		free_doc(doc);
		return updated ? error_set(err, ERR_PROTOCOL, "Coda does not tell when the doc was changed") : error_no_memory(err);
	}
	(void)snprintf(doc->version, sizeof doc->version, "%lld", (long long)(doc->modified_wall_ns / 1000000)); /* fits */
	*ret = doc;
	return 0;
}

static struct coda_doc *find_doc_locked(struct coda_store *s, const char *id)
{
	for (struct coda_doc *d = s->docs; d; d = d->next)
		if (!strcmp(d->id, id)) {
			d->refs++;
			return d;
		}
	return NULL;
}

/* Takes the place of an older one of the same doc; the list keeps a reference. */
static void keep_doc(struct coda_store *s, struct coda_doc *doc)
{
	struct coda_doc *old = NULL, **at;
	size_t count = 0;

	lock_take(&s->lock);
	for (at = &s->docs; *at && !old; at = &(*at)->next) {
		count++;
		if (strcmp((*at)->id, doc->id) == 0 || count >= DOCS_KEPT) {
			old = *at;
			*at = old->next;
			break;
		}
	}
	doc->refs++;
	doc->seen_mono_ms = clock_mono_ms();
	doc->next = s->docs;
	s->docs = doc;
	lock_drop(&s->lock);
	coda_doc_unref(s, old);
}

static int read_doc(struct coda_store *s, struct coda_ask *ask, const char *id, const char *bucket, struct coda_doc **doc,
		    struct error *err)
{
	CLEANUP(json_putp) struct json_object *told = NULL;
	CLEANUP(json_putp) struct json_object *tables = NULL;
	CLEANUP(json_putp) struct json_object *pages = NULL;
	struct coda_doc *made = NULL;
	int r = rest_run(&ask->call, &coda_rows[CODA_DOCS_GET], &told, err);

	if (r == 0)
		r = make_doc(id, bucket, told, &made, err);
	if (r == 0 && *doc && !strcmp((*doc)->version, made->version) && !strcmp((*doc)->bucket, bucket)) {
		free_doc(made); /* nothing changed */
		lock_take(&s->lock);
		(*doc)->seen_mono_ms = clock_mono_ms();
		lock_drop(&s->lock);
		return 0;
	}
	if (r == 0)
		r = rest_run(&ask->call, &coda_rows[CODA_TABLES_LIST], &tables, err);
	if (r == 0)
		r = rest_run(&ask->call, &coda_rows[CODA_PAGES_LIST], &pages, err);
	if (r == 0)
		r = fill_doc(made, tables, pages, err);
	if (r < 0) {
		if (made)
			free_doc(made);
		return r;
	}
	coda_doc_unref(s, *doc);
	*doc = made;
	keep_doc(s, made);
	return 0;
}

int coda_doc_get(struct coda_store *s, const char *bucket, struct coda_doc **ret, struct error *err)
{
	CLEANUP(freep) char *id = NULL;
	struct coda_doc *doc = NULL;
	struct coda_ask ask;
	bool is_fresh = false;
	int r = find_id(s, bucket, &id, err);

	if (r < 0)
		return r;
	lock_take(&s->lock);
	doc = find_doc_locked(s, id);
	if (doc)
		is_fresh = clock_mono_ms() < doc->seen_mono_ms + DOC_FRESH_MS && !strcmp(doc->bucket, bucket);
	lock_drop(&s->lock);
	if (!is_fresh) {
		r = coda_ask_init(s, &ask, NULL, err, "doc", id, NULL);
		if (r == 0)
			r = read_doc(s, &ask, id, bucket, &doc, err);
		coda_ask_release(&ask);
	}
	if (r < 0) {
		coda_doc_unref(s, doc);
		return r;
	}
	*ret = doc;
	return 0;
}

const struct coda_item *coda_doc_find(const struct coda_doc *doc, const char *key)
{
	const struct coda_item wanted = { .key = key };

	return bsearch(&wanted, doc->items, doc->count, sizeof *doc->items, compare_items);
}

void coda_tree_release(struct coda_store *s)
{
	while (s->docs) {
		struct coda_doc *doc = s->docs;

		s->docs = doc->next;
		free_doc(doc); /* nobody else is there any more */
	}
	free_names(s->names, s->name_count);
}
