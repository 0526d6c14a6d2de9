/*
 * The interface's multipart uploads: parts are objects below a reserved prefix, completing composes them.
 *
 *	.skydir-uploads/parts/ID/NUMBER		one part; its metadata and content type are those of the object to be,
 *						and skydir-upload-key is its key
 *
 * So beginning costs no request, a part one, completing one for 32 parts and one to delete up to a hundred; and all
 * there is to know of an unfinished upload is in the cloud as soon as one part is. What was begun here is also kept in
 * memory, where an upload without parts is known from, and where an aborted one is gone.
 *
 * The checksum of the whole is put together from those of the parts and compared with what the service says of it.
 */
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

#define PART_DIGITS 5

struct made_part {
	unsigned number;
	char generation[STORE_VERSION_MAX];
};

struct gcs_upload {
	struct gcs_upload
		*next; /* guarded by the store's lock, like refs, the parts made and is_over */
	unsigned refs;
	bool is_over;
	char id[GCS_UPLOAD_ID_LEN + 1];
	char *bucket, *key;
	struct arena arena;	 /* of what follows; immutable once in the list */
	struct store_meta *meta; /* with skydir-upload-key as the last one */
	size_t meta_count;	 /* without it */
	const char *content_type;
	int64_t begun_wall_ns;
	struct made_part *made; /* every part that was ever sent, also those that were sent again */
	size_t made_count;
};

static void upload_free(struct gcs_upload *u)
{
	if (!u)
		return;
	free(u->bucket);
	free(u->key);
	free(u->made);
	arena_release(&u->arena);
	free(u);
}

static void upload_unref(struct gcs_store *s, struct gcs_upload *u)
{
	bool is_last;

	if (!u)
		return;
	lock_take(&s->lock);
	is_last = --u->refs == 0;
	lock_drop(&s->lock);
	if (is_last)
		upload_free(u);
}

void gcs_uploads_free(struct gcs_store *s)
{
	while (s->uploads) {
		struct gcs_upload *u = s->uploads;

		s->uploads = u->next;
		upload_free(u);
	}
}

/* meta may hold skydir-upload-key already (when it is from a part): it is put last. */
static struct gcs_upload *upload_new(const char *bucket, const char *key, const char *id,
				     const struct store_meta *meta, size_t count,
				     const char *content_type)
{
	struct gcs_upload *u = calloc(1, sizeof(*u));
	bool is_ok;

	if (!u)
		return NULL;
	u->arena = ARENA_INIT(1 << 18);
	u->refs = 1;
	u->bucket = strdup(bucket);
	u->key = strdup(key);
	u->begun_wall_ns = clock_wall_ns();
	(void)snprintf(u->id, sizeof(u->id), "%s", id);
	u->meta = arena_alloc(&u->arena, (count + 1) * sizeof(*u->meta));
	u->content_type = arena_strdup(&u->arena, content_type);
	is_ok = u->bucket && u->key && u->meta && u->content_type;
	for (size_t i = 0; is_ok && i < count; i++) {
		struct store_meta *to = &u->meta[u->meta_count];

		if (!strcmp(meta[i].name, GCS_META_KEY))
			continue;
		to->name = arena_strdup(&u->arena, meta[i].name);
		to->value = arena_strdup(&u->arena, meta[i].value);
		is_ok = to->name && to->value;
		u->meta_count++;
	}
	if (!is_ok) {
		upload_free(u);
		return NULL;
	}
	u->meta[u->meta_count] = (struct store_meta){ GCS_META_KEY, u->key };
	return u;
}

static bool is_id(const char *id)
{
	return strlen(id) == GCS_UPLOAD_ID_LEN &&
	       strspn(id, "0123456789abcdef") == GCS_UPLOAD_ID_LEN;
}

static int no_upload(struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "no such upload: it was completed or aborted");
}

static struct gcs_upload *find(struct gcs_store *s, const char *bucket, const char *key,
			       const char *id)
{
	LOCKED(&s->lock);
	for (struct gcs_upload *u = s->uploads; u; u = u->next)
		if (!strcmp(u->id, id) && !strcmp(u->bucket, bucket) && !strcmp(u->key, key)) {
			u->refs++;
			return u;
		}
	return NULL;
}

/* The list has a reference of its own. Another thread may have been first: then that one is used. */
static struct gcs_upload *add(struct gcs_store *s, struct gcs_upload *fresh)
{
	struct gcs_upload *there = find(s, fresh->bucket, fresh->key, fresh->id);

	if (there) {
		upload_free(fresh);
		return there;
	}
	LOCKED(&s->lock);
	fresh->refs++;
	fresh->next = s->uploads;
	s->uploads = fresh;
	return fresh;
}

static void take_out(struct gcs_store *s, struct gcs_upload *u)
{
	bool was_in = false;

	lock_take(&s->lock);
	u->is_over = true;
	for (struct gcs_upload **at = &s->uploads; *at && !was_in; at = &(*at)->next)
		if (*at == u) {
			*at = u->next;
			was_in = true;
			break;
		}
	lock_drop(&s->lock);
	if (was_in)
		upload_unref(s, u);
}

static int parts_prefix(const char *id, char ret[96])
{
	return snprintf(ret, 96, GCS_PARTS "%s/", id);
}

/* The upload a part was seen of, begun by an earlier process. */
struct adoption {
	const char *bucket, *key, *id;
	struct gcs_upload *upload;
};

static int adopt(void *arg, const struct store_object *o, struct error *err)
{
	struct adoption *a = arg;
	const char *key = store_object_meta(o, GCS_META_KEY);

	if (a->upload || !key || strcmp(key, a->key))
		return 0;
	a->upload = upload_new(a->bucket, a->key, a->id, o->meta, o->meta_count,
			       o->content_type ? o->content_type : "application/octet-stream");
	return a->upload ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* The upload, with a reference for the caller. */
static int get(struct gcs_store *s, const char *bucket, const char *key, const char *id,
	       struct gcs_upload **ret, struct error *err)
{
	struct adoption a = { bucket, key, id, NULL };
	char prefix[96];
	int r;

	if (!is_id(id))
		return no_upload(err);
	*ret = find(s, bucket, key, id);
	if (*ret)
		return 0;
	(void)parts_prefix(id, prefix);
	r = gcs_list_reserved(s, bucket, prefix, GCS_LISTING_LIVE, adopt, &a, err);
	if (r < 0) {
		upload_free(a.upload);
		return r;
	}
	if (!a.upload)
		return no_upload(err);
	*ret = add(s, a.upload);
	return 0;
}

int gcs_upload_begin(struct store *store, const char *bucket, const char *key,
		     const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct gcs_upload *u;
	unsigned char bytes[GCS_UPLOAD_ID_LEN / 2];
	char id[GCS_UPLOAD_ID_LEN + 1], *copy;
	int r = gcs_check_target(key, err);

	if (r < 0)
		return r;
	random_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), id);
	u = upload_new(bucket, key, id, args->meta, args->meta_count,
		       args->content_type ? args->content_type : store_content_type(key));
	copy = strdup(id);
	if (!u || !copy) {
		upload_free(u);
		free(copy);
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	upload_unref(s, add(s, u));
	*ret_upload_id = copy;
	return 0;
}

/* Notes a part that is in the cloud now; false when the upload was aborted meanwhile. */
static bool note(struct gcs_store *s, struct gcs_upload *u, unsigned number, const char *generation)
{
	struct made_part *grown;

	LOCKED(&s->lock);
	if (u->is_over)
		return false;
	grown = realloc(u->made, (u->made_count + 1) * sizeof(*grown));
	if (!grown)
		return true; /* only the deletion of an older version of it depends on this */
	u->made = grown;
	u->made[u->made_count].number = number;
	(void)snprintf(u->made[u->made_count].generation, sizeof(grown->generation), "%s",
		       generation);
	u->made_count++;
	return true;
}

static void part_key(const char *id, unsigned number, char *ret, size_t ret_size)
{
	(void)snprintf(ret, ret_size, GCS_PARTS "%s/%0*u", id, PART_DIGITS, number);
}

int gcs_upload_part(struct store *store, const char *bucket, const char *key, const char *upload_id,
		    unsigned number, const struct store_source *source, struct cancel *cancel,
		    struct store_part *ret, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct gcs_upload *u = NULL;
	struct gcs_piece piece = { .key = "" };
	struct gcs_write w = { .bucket = bucket, .key = piece.key, .source = source };
	int r = get(s, bucket, key, upload_id, &u, err);

	if (r < 0)
		return r;
	part_key(u->id, number, piece.key, sizeof(piece.key));
	w.meta = u->meta;
	w.meta_count = u->meta_count + 1;
	w.content_type = u->content_type;
	w.condition.cancel = cancel;
	r = gcs_write_object(s, &w, piece.generation, err);
	if (r == 0 && !note(s, u, number, piece.generation)) {
		gcs_delete_pieces(s, bucket, &piece, 1);
		r = no_upload(err);
	}
	if (r == 0) {
		*ret = (struct store_part){ .number = number, .size = store_source_length(source) };
		memcpy(ret->tag, piece.generation, sizeof(ret->tag));
		(void)snprintf(ret->checksum, sizeof(ret->checksum), "%s", w.crc);
	}
	upload_unref(s, u);
	return r;
}

/* ---- completing ---- */

static bool read_crc(const char *text, uint32_t *ret)
{
	CLEANUP(buf_release) struct buf raw = BUF_INIT(16);

	if (base64_decode(str_of(text), &raw) < 0 || raw.len != 4)
		return false;
	*ret = (uint32_t)(unsigned char)raw.data[0] << 24 |
	       (uint32_t)(unsigned char)raw.data[1] << 16 |
	       (uint32_t)(unsigned char)raw.data[2] << 8 | (unsigned char)raw.data[3];
	return true;
}

/* Of all parts together; false when one has none. */
static bool combined_crc(const struct store_part *parts, size_t count, char ret[GCS_CRC_MAX])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(GCS_CRC_MAX - 1);
	unsigned char raw[4];
	uint32_t whole = 0, one = 0;

	for (size_t i = 0; i < count; i++) {
		if (!read_crc(parts[i].checksum, &one))
			return false;
		whole = hash_crc32c_combine(whole, one, parts[i].size);
	}
	for (int i = 0; i < 4; i++)
		raw[i] = (unsigned char)(whole >> (24 - 8 * i));
	if (base64_encode(raw, sizeof(raw), &text) < 0)
		return false;
	(void)snprintf(ret, GCS_CRC_MAX, "%s", buf_cstr(&text));
	return true;
}

static int pieces_of(const struct gcs_upload *u, const struct store_part *parts, size_t count,
		     struct gcs_piece **ret, struct error *err)
{
	CLEANUP(freep) struct gcs_piece *pieces = calloc(count, sizeof(*pieces));

	if (!pieces)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const char *kept = i == 0 ? gcs_part_kept(&parts[i]) : NULL;
		const char *generation = kept ? kept : parts[i].tag;

		if (!gcs_is_generation(generation) ||
		    (i && parts[i].number <= parts[i - 1].number))
			return error_set(err, ERR_INVALID, "part %u is not of this upload",
					 parts[i].number);
		if (kept)
			(void)snprintf(pieces[i].key, sizeof(pieces[i].key), "%s", u->key);
		else
			part_key(u->id, parts[i].number, pieces[i].key, sizeof(pieces[i].key));
		(void)snprintf(pieces[i].generation, sizeof(pieces[i].generation), "%s", generation);
	}
	*ret = steal(pieces);
	return 0;
}

/* The parts that were composed, and whatever else was sent for this upload. */
static void clean_up(struct gcs_store *s, struct gcs_upload *u, const struct gcs_piece *pieces,
		     size_t count)
{
	struct gcs_piece *all;
	size_t n = count;

	lock_take(&s->lock);
	all = calloc(count + u->made_count + 1, sizeof(*all));
	if (all && count)
		memcpy(all, pieces, count * sizeof(*all));
	for (size_t i = 0; all && i < u->made_count; i++) {
		bool is_known = false;
		char key[sizeof(all->key)];

		part_key(u->id, u->made[i].number, key, sizeof(key));
		for (size_t k = 0; k < count && !is_known; k++)
			is_known = !strcmp(pieces[k].key, key) &&
				   !strcmp(pieces[k].generation, u->made[i].generation);
		if (is_known)
			continue;
		memcpy(all[n].key, key, sizeof(key));
		memcpy(all[n].generation, u->made[i].generation, sizeof(u->made[i].generation));
		n++;
	}
	lock_drop(&s->lock);
	if (all)
		gcs_delete_pieces(s, u->bucket, all, n);
	free(all);
}

/* What is kept is of one generation: no other may be there when the rest is added to it. */
static int bind_to_kept(const struct store_part *parts, size_t count, struct gcs_condition *condition,
			struct error *err)
{
	const char *kept = count ? gcs_part_kept(&parts[0]) : NULL, *wanted = condition->if_version;

	if (!kept)
		return 0;
	if (condition->if_absent || (wanted && *wanted && strcmp(wanted, kept) != 0))
		return error_set(err, ERR_PRECONDITION, "the object has been changed meanwhile");
	condition->if_version = kept;
	return 1;
}

static int complete(struct gcs_store *s, struct gcs_upload *u, const struct store_part *parts,
		    size_t count, const struct store_put_args *args,
		    char version[STORE_VERSION_MAX], struct error *err)
{
	CLEANUP(freep) struct gcs_piece *pieces = NULL;
	struct gcs_composition c = {
		.bucket = u->bucket,
		.key = u->key,
		.meta = args->meta_count ? args->meta : u->meta,
		.meta_count = args->meta_count ? args->meta_count : u->meta_count,
		.content_type = args->content_type ? args->content_type : u->content_type,
		.condition = { args->if_version, args->if_absent, args->cancel },
		.deadline_mono_ms = args->deadline_mono_ms
	};
	struct gcs_ours ours = { .bucket = u->bucket,
				 .key = u->key,
				 .if_version = args->if_version,
				 .meta = c.meta,
				 .meta_count = c.meta_count,
				 .cancel = args->cancel };
	char crc[GCS_CRC_MAX];
	bool has_crc = combined_crc(parts, count, crc);
	int r = pieces_of(u, parts, count, &pieces, err);
	int kept = r < 0 ? r : bind_to_kept(parts, count, &c.condition, err);

	if (kept < 0)
		return kept;
	ours.if_version = c.condition.if_version;
	for (size_t i = 0; i < count; i++)
		ours.size += parts[i].size;
	ours.crc = crc;
	r = gcs_compose_pieces(s, &c, pieces, count, version, err);
	/* The answer of an earlier try may have been lost. */
	if (r < 0 && has_crc && (err->kind == ERR_PRECONDITION || err->kind == ERR_NOT_FOUND) &&
	    gcs_is_ours(s, &ours, version)) {
		*err = ERROR_INIT;
		r = 0;
	} else if (r == 0 && has_crc && c.crc[0] && strcmp(c.crc, crc)) {
		r = error_set(err, ERR_CORRUPT,
			      "the service put other bytes together than were sent");
	}
	if (r < 0 && kept && err->kind == ERR_NOT_FOUND)
		r = error_set(err, ERR_PRECONDITION, "the object has been deleted meanwhile");
	if (r == 0)
		clean_up(s, u, pieces + kept, count - (size_t)kept);
	return r;
}

int gcs_upload_complete(struct store *store, const char *bucket, const char *key,
			const char *upload_id, const struct store_part *parts, size_t count,
			const struct store_put_args *args, char *ret_version, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct gcs_upload *u = NULL;
	char version[STORE_VERSION_MAX] = "";
	int r = get(s, bucket, key, upload_id, &u, err);

	if (r < 0)
		return r;
	r = complete(s, u, parts, count, args, version, err);
	if (r == 0) {
		take_out(s, u);
		if (ret_version)
			memcpy(ret_version, version, sizeof(version));
	}
	upload_unref(s, u);
	return r;
}

/* ---- what there is ---- */

struct gathered {
	struct gcs_piece *pieces;
	size_t count, capacity;
};

static int gather(void *arg, const struct store_object *o, struct error *err)
{
	struct gathered *g = arg;

	if (g->count == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : 64;
		struct gcs_piece *grown = realloc(g->pieces, capacity * sizeof(*grown));

		if (!grown)
			return error_set(err, ERR_NO_MEMORY, "out of memory");
		g->pieces = grown;
		g->capacity = capacity;
	}
	(void)snprintf(g->pieces[g->count].key, sizeof(g->pieces->key), "%s", o->key);
	memcpy(g->pieces[g->count].generation, o->version, STORE_VERSION_MAX);
	g->count++;
	return 0;
}

int gcs_upload_abort(struct store *store, const char *bucket, const char *key,
		     const char *upload_id, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct gcs_upload *u;
	struct gathered g = { 0 };
	char prefix[96];
	int r;

	if (!is_id(upload_id))
		return no_upload(err);
	u = find(s, bucket, key, upload_id);
	if (u)
		take_out(s, u);
	(void)parts_prefix(upload_id, prefix);
	/* Versions too: what a bucket keeps of them costs money and shows nowhere. */
	r = gcs_list_reserved(s, bucket, prefix, GCS_LISTING_VERSIONS, gather, &g, err);
	if (r == 0)
		gcs_delete_pieces(s, bucket, g.pieces, g.count);
	free(g.pieces);
	upload_unref(s, u);
	return r;
}

struct part_list {
	struct store_part *parts;
	size_t count;
	size_t prefix_len;
};

static int add_part(void *arg, const struct store_object *o, struct error *err)
{
	struct part_list *list = arg;
	const char *name = o->key + list->prefix_len;
	struct store_part *grown;
	uint64_t number = 0;

	if (strlen(name) != PART_DIGITS || str_to_u64(str_of(name), &number) < 0 || !number)
		return 0;
	grown = realloc(list->parts, (list->count + 1) * sizeof(*grown));
	if (!grown)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	list->parts = grown;
	grown[list->count] = (struct store_part){ .number = (unsigned)number, .size = o->size };
	memcpy(grown[list->count].tag, o->version, STORE_VERSION_MAX);
	list->count++;
	return 0;
}

int gcs_upload_parts(struct store *store, const char *bucket, const char *key,
		     const char *upload_id, struct store_part **ret_parts, size_t *ret_count,
		     struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct gcs_upload *u = NULL;
	struct part_list list = { 0 };
	char prefix[96];
	int r = get(s, bucket, key, upload_id, &u, err);

	if (r < 0)
		return r;
	list.prefix_len = (size_t)parts_prefix(u->id, prefix);
	r = gcs_list_reserved(s, bucket, prefix, GCS_LISTING_LIVE, add_part, &list, err);
	upload_unref(s, u);
	if (r < 0) {
		free(list.parts);
		return r;
	}
	*ret_parts = list.parts;
	*ret_count = list.count;
	return 0;
}

struct upload_gather {
	struct store_upload_page *page;
	size_t capacity;
	const char *prefix; /* of keys */
};

static int push(struct upload_gather *g, const char *key, const char *id, int64_t started_wall_ns,
		struct error *err)
{
	struct store_upload_page *page = g->page;
	struct store_upload *to;

	if (strncmp(key, g->prefix, strlen(g->prefix)))
		return 0;
	for (size_t i = page->count; i-- > 0;) /* mostly the last one */
		if (!strcmp(page->uploads[i].upload_id, id))
			return 0;
	if (page->count == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : 32;
		struct store_upload *grown = arena_alloc(&page->arena, capacity * sizeof(*grown));

		if (!grown)
			return error_set(err, ERR_TOO_LARGE,
					 "there are too many unfinished uploads");
		if (page->count)
			memcpy(grown, page->uploads, page->count * sizeof(*grown));
		page->uploads = grown;
		g->capacity = capacity;
	}
	to = &page->uploads[page->count];
	to->key = arena_strdup(&page->arena, key);
	to->upload_id = arena_strdup(&page->arena, id);
	to->started_wall_ns = started_wall_ns;
	if (!to->key || !to->upload_id)
		return error_set(err, ERR_TOO_LARGE, "there are too many unfinished uploads");
	page->count++;
	return 0;
}

static int see_part(void *arg, const struct store_object *o, struct error *err)
{
	const char *name = o->key + sizeof(GCS_PARTS) - 1;
	const char *key = store_object_meta(o, GCS_META_KEY);
	char id[GCS_UPLOAD_ID_LEN + 1];

	if (!key || strlen(name) < GCS_UPLOAD_ID_LEN + 1 || name[GCS_UPLOAD_ID_LEN] != '/')
		return 0;
	memcpy(id, name, GCS_UPLOAD_ID_LEN);
	id[GCS_UPLOAD_ID_LEN] = '\0';
	return is_id(id) ? push(arg, key, id, o->modified_wall_ns, err) : 0;
}

static int by_key(const void *a, const void *b)
{
	const struct store_upload *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->upload_id, y->upload_id);
}

static int add_begun(struct gcs_store *s, const char *bucket, struct upload_gather *g,
		     struct error *err)
{
	int r = 0;

	LOCKED(&s->lock);
	for (struct gcs_upload *u = s->uploads; r == 0 && u; u = u->next)
		if (!strcmp(u->bucket, bucket))
			r = push(g, u->key, u->id, u->begun_wall_ns, err);
	return r;
}

int gcs_upload_list(struct store *store, const char *bucket, const char *prefix,
		    struct store_upload_page *ret, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	struct store_upload_page page = STORE_UPLOAD_PAGE_INIT;
	struct upload_gather g = { .page = &page, .prefix = prefix ? prefix : "" };
	int r = add_begun(s, bucket, &g, err);

	if (r == 0)
		r = gcs_list_reserved(s, bucket, GCS_PARTS, GCS_LISTING_LIVE, see_part, &g, err);
	if (r < 0) {
		store_upload_page_release(&page);
		return r;
	}
	if (page.count)
		qsort(page.uploads, page.count, sizeof(*page.uploads), by_key);
	*ret = page;
	return 0;
}
