#include "fs/kept.h"
#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/file.h"
#include "fs/node_version.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define KEPT_SLOTS     4096
#define KEPT_MOST      100000
#define KEPT_TEXT_MAX  (64u << 20)

struct kept_entry {
	uint64_t id, size;
	char *where; /* "store\nbucket\nkey" */
	char *version;
	struct kept_entry *chain;      /* of its slot */
	struct kept_entry *older_next; /* all, oldest first */
	bool is_taken;
};

struct kept {
	struct kept_entry *slots[KEPT_SLOTS];
	struct kept_entry *first, *last;
	size_t count;
	uint64_t *ids; /* sorted, of what was loaded */
};

static size_t slot_of(const char *where)
{
	return hash_table64(where, strlen(where), 0) % KEPT_SLOTS;
}

static void entry_free(struct kept_entry *e)
{
	free(e->where);
	free(e->version);
	free(e);
}

static void add(struct kept *kept, uint64_t id, uint64_t size, const char *where, const char *version)
{
	struct kept_entry *e = kept->count < KEPT_MOST ? calloc(1, sizeof(*e)) : NULL;
	size_t slot = slot_of(where);

	if (!e)
		return;
	e->id = id;
	e->size = size;
	e->where = strdup(where);
	e->version = strdup(version);
	if (!e->where || !e->version) {
		entry_free(e);
		return;
	}
	e->chain = kept->slots[slot];
	kept->slots[slot] = e;
	if (kept->last)
		kept->last->older_next = e;
	else
		kept->first = e;
	kept->last = e;
	kept->count++;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_ids(struct fs *fs)
{
	struct kept *kept = fs->kept;
	size_t i = 0;

	kept->ids = calloc(kept->count + 1, sizeof(*kept->ids));
	if (!kept->ids)
		return; /* then the files count as strays and go */
	for (const struct kept_entry *e = kept->first; e; e = e->older_next)
		kept->ids[i++] = e->id;
	qsort(kept->ids, kept->count, sizeof(*kept->ids), by_id);
}

void kept_load(struct fs *fs)
{
	CLEANUP(freep) char *path = str_format("%s/kept.json", fs->cache_dir);
	CLEANUP(buf_release) struct buf text = BUF_INIT(KEPT_TEXT_MAX);
	CLEANUP(json_putp) struct json_object *list = NULL;
	char boot[FILEIO_BOOT_ID_SIZE]; /* the files are not synced: after a power loss they may hold anything */

	fs->kept = calloc(1, sizeof(*fs->kept));
	if (!path || !fs->kept || fileio_read_file(path, &text, NULL) < 0)
		return;
	(void)unlink(path);
	FAULT_POINT("kept-list-removed");
	fileio_boot_id(boot);
	if (json_parse(buf_str(&text), KEPT_TEXT_MAX, &list, NULL) < 0 || !json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) == 0 || !json_get_string(json_object_array_get_idx(list, 0), "boot") ||
	    strcmp(json_get_string(json_object_array_get_idx(list, 0), "boot"), boot) != 0)
		return; /* then it is all fetched again */
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		CLEANUP(buf_release) struct buf where = BUF_INIT(4096);
		const char *encoded = json_get_string(o, "where"), *version = json_get_string(o, "version");

		if (encoded && version && base64_decode(str_of(encoded), &where) == 0)
			add(fs->kept, (uint64_t)json_get_int64(o, "id", 0), (uint64_t)json_get_int64(o, "size", -1),
			    buf_cstr(&where), version);
	}
	sort_ids(fs);
}

static char *where_of(const struct node *n)
{
	CLEANUP(location_release) struct location l = LOCATION_INIT;

	if (tree_remote_key(n, &l) < 0 || !l.bucket)
		return NULL;
	return str_format("%s\n%s\n%s", l.store->name, l.bucket, l.key);
}

static void list_entry(struct json_object *list, uint64_t id, uint64_t size, const char *where, const char *version)
{
	CLEANUP(buf_release) struct buf encoded = BUF_INIT(8192);
	struct json_object *o = json_object_new_object();

	/* base64, because keys need not be UTF-8 */
	if (!o || base64_encode(where, strlen(where), &encoded) < 0) {
		json_object_put(o);
		return;
	}
	json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
	json_object_object_add(o, "size", json_object_new_int64((int64_t)size));
	json_object_object_add(o, "where", json_object_new_string(buf_cstr(&encoded)));
	json_object_object_add(o, "version", json_object_new_string(version));
	json_object_array_add(list, o);
}

void kept_save(struct fs *fs)
{
	CLEANUP(freep) char *path = str_format("%s/kept.json", fs->cache_dir);
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct json_object *head;
	struct error err = ERROR_INIT;
	char boot[FILEIO_BOOT_ID_SIZE];

	if (!path || !list || !fs->kept)
		return;
	fileio_boot_id(boot);
	head = json_object_new_object();
	json_object_object_add(head, "boot", json_object_new_string(boot));
	json_object_array_add(list, head);
	for (struct kept_entry *e = fs->kept->first; e; e = e->older_next)
		if (!e->is_taken)
			list_entry(list, e->id, e->size, e->where, e->version);
	for (struct file *f = fs->cache.lru_first; f; f = f->lru_next) {
		struct node *n = f->node;
		CLEANUP(freep) char *where = NULL;

		if (n->put || n->is_detached || !f->is_whole || !node_has_version(n) || rare_of(n)->pending_count || f->is_new_version ||
		    f->pass.writers)
			continue;
		where = where_of(n);
		if (!where)
			continue;
		f->outlives_us = true;
		list_entry(list, f->id, n->size, where, node_version(n).text);
	}
	FAULT_POINT("kept-save-before");
	if (fileio_replace_file(path, str_of(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN)), 0600,
				&err) < 0)
		log_warn("cache.list", "error='%s'", err.message);
	FAULT_POINT("kept-save-after");
}

void kept_release(struct fs *fs)
{
	struct kept_entry *e = fs->kept ? fs->kept->first : NULL;

	while (e) {
		struct kept_entry *next = e->older_next;

		entry_free(e);
		e = next;
	}
	if (fs->kept)
		free(fs->kept->ids);
	free(fs->kept);
	fs->kept = NULL;
}

bool kept_has_locked(const struct fs *fs, uint64_t id)
{
	return fs->kept && fs->kept->ids &&
	       bsearch(&id, fs->kept->ids, fs->kept->count, sizeof(id), by_id) != NULL;
}

int kept_take_locked(struct fs *fs, const struct node *n, uint64_t *ret_id)
{
	CLEANUP(freep) char *where = NULL;
	struct kept_entry *e;
	char name[24];
	struct stat st;
	int fd;

	if (!fs->kept || !fs->kept->count || !node_has_version(n) || n->put || !(where = where_of(n)))
		return -1;
	for (e = fs->kept->slots[slot_of(where)]; e; e = e->chain)
		if (!e->is_taken && strcmp(e->where, where) == 0)
			break;
	if (!e)
		return -1;
	e->is_taken = true;
	fs_cache_name(e->id, name);
	fd = openat(fs->cache_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	if (!node_is_version(n, e->version) || e->size != n->size || fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size != n->size) {
		(void)close(fd); /* of an older version */
		(void)unlinkat(fs->cache_fd, name, 0);
		return -1;
	}
	*ret_id = e->id;
	return fd;
}

uint64_t kept_evict_locked(struct fs *fs, uint64_t *ret_bytes)
{
	for (struct kept_entry *e = fs->kept ? fs->kept->first : NULL; e; e = e->older_next) {
		if (e->is_taken)
			continue;
		e->is_taken = true;
		*ret_bytes = e->size;
		return e->id;
	}
	return 0;
}
