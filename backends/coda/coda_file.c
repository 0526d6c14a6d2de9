/*
 * Made files: each is made once at a time, whoever asks meanwhile waits for it; it is kept in a file without a name, until others
 * were used later.
 */
#include "backends/coda/coda_store.h"

#include "backends/base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILES_MAX	256
#define FILES_BYTES_MAX (UINT64_C(1) << 30)

static int open_nameless(const char *place, struct error *err)
{
	CLEANUP(freep) char *path = NULL;
	int fd = open(place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	path = str_format("%s/skydir-coda-XXXXXX", place); /* a file system without O_TMPFILE */
	if (!path)
		return error_no_memory(err);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "cannot make a file in '%.100s'", place);
	(void)unlink(path); /* it was made just now; else it stays behind, empty of use */
	return fd;
}

static void free_made(struct coda_made *m)
{
	if (m->fd >= 0)
		(void)close(m->fd); /* nothing that must last */
	free(m->doc);
	free(m->key);
	free(m);
}

static struct coda_made *find_locked(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item,
				     const char *if_version)
{
	for (struct coda_made *m = s->made; m; m = m->next) {
		if (strcmp(m->doc, doc->id) != 0 || strcmp(m->key, item->key) != 0)
			continue;
		if (m->is_ready && if_version && *if_version && !strcmp(m->version, if_version))
			return m;
		if (strcmp(m->wanted, doc->version) != 0)
			continue;
		/* What came from an older snapshot serves only who knows it by its version. */
		if (!m->is_ready || !strcmp(m->version, doc->version))
			return m;
	}
	return NULL;
}

static void unlink_locked(struct coda_store *s, struct coda_made *m)
{
	for (struct coda_made **at = &s->made; *at; at = &(*at)->next)
		if (*at == m) {
			*at = m->next;
			return;
		}
}

/* Those used longest ago go, as long as there are too many. Returns them as a list. */
static struct coda_made *evict_locked(struct coda_store *s)
{
	struct coda_made *gone = NULL;

	for (;;) {
		struct coda_made *oldest = NULL;
		uint64_t bytes = 0;
		size_t count = 0;

		for (struct coda_made *m = s->made; m; m = m->next) {
			bytes += m->size;
			count++;
			if (!m->users && (!oldest || m->used < oldest->used))
				oldest = m;
		}
		if (!oldest || (count <= FILES_MAX && bytes <= FILES_BYTES_MAX))
			return gone;
		unlink_locked(s, oldest);
		oldest->next = gone;
		gone = oldest;
	}
}

static void free_list(struct coda_made *list)
{
	while (list) {
		struct coda_made *m = list;

		list = m->next;
		free_made(m);
	}
}

void coda_made_put(struct coda_store *s, struct coda_made *m)
{
	struct coda_made *gone;

	lock_take(&s->lock);
	m->users--;
	m->used = ++s->uses;
	gone = evict_locked(s);
	lock_drop(&s->lock);
	free_list(gone);
}

/* The entry that others wait for while it is made. */
static struct coda_made *begin_locked(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item)
{
	struct coda_made *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->fd = -1;
	m->users = 1;
	m->doc = strdup(doc->id);
	m->key = strdup(item->key);
	(void)snprintf(m->wanted, sizeof m->wanted, "%s", doc->version); /* fits */
	if (!m->doc || !m->key) {
		free_made(m);
		return NULL;
	}
	m->next = s->made;
	s->made = m;
	return m;
}

static int make(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, struct cancel *cancel,
		struct coda_made *m, struct error *err)
{
	bool is_old = false;
	uint64_t size = 0;
	int r = 0, fd = open_nameless(s->place, err);

	if (fd < 0)
		r = fd;
	if (r == 0)
		r = coda_item_write(s, doc, item, cancel, fd, &size, &is_old, err);
	lock_take(&s->lock);
	m->fd = fd;
	m->size = size;
	m->is_ready = r == 0;
	if (is_old) /* two of these need not be the same */
		(void)snprintf(m->version, sizeof m->version, "%.60s~%llu", doc->version, (unsigned long long)++s->uses);
	else
		(void)snprintf(m->version, sizeof m->version, "%s", doc->version); /* fits */
	if (r < 0)
		unlink_locked(s, m);
	cond_broadcast(&s->ready);
	lock_drop(&s->lock);
	if (r < 0)
		free_made(m);
	return r < 0 ? r : 0;
}

int coda_made_get(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, const char *if_version,
		  struct cancel *cancel, struct coda_made **ret, struct error *err)
{
	struct coda_made *m;
	int r;

	lock_take(&s->lock);
	while ((m = find_locked(s, doc, item, if_version)) != NULL && !m->is_ready)
		cond_wait(&s->ready, &s->lock); /* whoever makes it has time limits of its own */
	if (m) {
		m->users++;
		m->used = ++s->uses;
		lock_drop(&s->lock);
		*ret = m;
		return 0;
	}
	m = begin_locked(s, doc, item);
	lock_drop(&s->lock);
	if (!m)
		return error_no_memory(err);
	r = make(s, doc, item, cancel, m, err);
	if (r < 0)
		return error_prefix(err, r, "'%.100s' of doc '%.60s'", item->key, doc->bucket);
	*ret = m;
	return 0;
}

bool coda_made_peek(struct coda_store *s, const struct coda_doc *doc, const struct coda_item *item, uint64_t *ret_size)
{
	struct coda_made *m;

	LOCKED(&s->lock);
	m = find_locked(s, doc, item, NULL);
	if (!m || !m->is_ready)
		return false;
	*ret_size = m->size;
	return true;
}

void coda_made_release(struct coda_store *s)
{
	free_list(s->made);
	s->made = NULL;
}
