#include "fs/intact.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include <unistd.h>

#define WRITE_PAGES 257u /* a request of 1 MiB, anywhere */
#define BLOCK_BYTES (1u << 20)
#define BLOCK_PAGES (BLOCK_BYTES / PAGESUMS_PAGE + 2)

/* How much of [offset, offset + len) the cache file gives; less at its end. */
static ssize_t read_some(int fd, void *ret, size_t len, uint64_t offset)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, (char *)ret + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* The first or last page of a write, of which it may change a part only. */
struct edge {
	uint64_t page; /* where it begins */
	struct pagesum old, added;
	bool is_reread; /* its sum can only be told from the file, afterwards */
};

static bool sum_range(int fd, uint64_t page, uint16_t lo, uint16_t hi, uint32_t *ret)
{
	char bytes[PAGESUMS_PAGE];

	if (read_some(fd, bytes, (size_t)(hi - lo), page + lo) != hi - lo)
		return false;
	*ret = hash_crc32c(0, bytes, (size_t)(hi - lo));
	return true;
}

/* Before the write: what the page's sum will be, as far as it can be told. Bytes that stay are compared while their own sum holds. */
static void join_edge(const struct file *f, struct edge *e, bool is_whole, struct pagesum *sum, const void *data)
{
	uint32_t crc;

	e->added = *sum;
	*sum = pagesum_join(e->old, e->added, data);
	if (sum->lo != sum->hi)
		return;
	if (!is_whole && (e->added.lo > e->old.hi || e->added.hi < e->old.lo)) {
		*sum = e->added; /* there may be a hole between them */
		return;
	}
	if (sum_range(f->fd, e->page, e->old.lo, e->old.hi, &crc) && crc != e->old.crc) {
		log_error("cache.damaged", "file=%016llx offset=%llu", (unsigned long long)f->id, (unsigned long long)e->page);
		*sum = PAGESUM_DAMAGED;
		return;
	}
	e->is_reread = true;
}

static void reread_edge(const struct file *f, const struct edge *e, struct pagesum *sum)
{
	uint16_t lo = e->old.lo < e->added.lo ? e->old.lo : e->added.lo;
	uint16_t hi = e->old.hi > e->added.hi ? e->old.hi : e->added.hi;

	*sum = (struct pagesum){ 0, lo, hi };
	if (!sum_range(f->fd, e->page, lo, hi, &sum->crc))
		*sum = PAGESUM_NONE;
}

/* Writes what fits: how much, or -errno when that is nothing. What a full disk took of a write counts, as on any disk. */
static ssize_t write_cache(const struct file *f, const char *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(f->fd, data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return done ? (ssize_t)done : n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* What a write owes the log, and what it will tell it. */
struct log_use {
	struct sumlog *log; /* one for all of the write: a log begun anew meanwhile leaves its pages out */
	bool is_off, forgets, has_sums;
	uint64_t stale_start, stale_end;
};

static void log_begin_locked(struct file *f, const struct pagesums_write *w, bool has_sums, struct log_use *ret)
{
	struct pagesums *s = &f->sums;

	if (w->is_met && !s->is_off)
		s->is_off = s->owes_off = true;
	*ret = (struct log_use){
		.log = sumlog_ref(f->fs->sums), .is_off = s->owes_off, .forgets = pagesums_cover_any(s, w->start, w->end),
		.has_sums = has_sums && !s->is_off, .stale_start = s->stale_start, .stale_end = s->stale_end,
	};
	s->is_logged |= ret->has_sums || ret->is_off;
}

/* Before the bytes change. */
static int log_prepare(const struct file *f, const struct log_use *u, uint64_t start, uint64_t end)
{
	int r = 0;

	if (u->is_off)
		r = sumlog_off(u->log, f->id);
	if (r == 0 && u->stale_start < u->stale_end)
		r = sumlog_forget(u->log, f->id, u->stale_start, u->stale_end);
	if (r == 0 && u->forgets)
		r = sumlog_forget(u->log, f->id, start, end);
	return r;
}

static void log_paid_locked(struct file *f, const struct log_use *u)
{
	struct pagesums *s = &f->sums;

	if (u->is_off)
		s->owes_off = false;
	if (u->stale_start < u->stale_end && s->stale_start == u->stale_start && s->stale_end == u->stale_end)
		s->stale_start = s->stale_end = 0;
}

static void log_end(struct log_use *u)
{
	sumlog_unref(u->log);
}

ssize_t intact_write(struct file *f, const void *data, size_t size, uint64_t offset)
{
	struct pagesum sums[WRITE_PAGES];
	struct edge edges[2] = { 0 };
	struct pagesums_write w;
	CLEANUP(log_end) struct log_use use = { 0 };
	uint64_t end = offset + size;
	size_t pages = pagesums_pages(offset, end), last = pages ? pages - 1 : 0;
	bool has_sums = pages > 0 && pages <= WRITE_PAGES, is_whole;
	ssize_t written;

	edges[0].page = offset / PAGESUMS_PAGE * PAGESUMS_PAGE;
	edges[1].page = edges[0].page + last * PAGESUMS_PAGE;
	lock_take(&f->fs->lock);
	is_whole = f->is_whole;
	has_sums = has_sums && pagesums_reserve(&f->sums, offset, end);
	for (size_t i = 0; has_sums && i < 2; i++)
		pagesums_read(&f->sums, edges[i].page, edges[i].page + 1, &edges[i].old);
	pagesums_begin(&f->sums, &w, offset, end);
	log_begin_locked(f, &w, has_sums, &use);
	lock_drop(&f->fs->lock);
	if (has_sums) {
		pagesums_of_data(data, offset, end, sums);
		join_edge(f, &edges[0], is_whole, &sums[0], data);
		if (last > 0)
			join_edge(f, &edges[1], is_whole, &sums[last], (const char *)data + (edges[1].page - offset));
	}
	written = log_prepare(f, &use, offset, end) < 0 ? -EIO : write_cache(f, data, size, offset);
	has_sums &= written == (ssize_t)size;
	for (size_t i = 0; i < 2; i++)
		if (has_sums && edges[i].is_reread)
			reread_edge(f, &edges[i], &sums[i == 0 ? 0 : last]);
	if (has_sums && use.has_sums && sumlog_sums(use.log, f->id, offset, end, sums) < 0)
		has_sums = false; /* without them nothing is known, which is not wrong */
	lock_take(&f->fs->lock);
	pagesums_end(&f->sums, &w, has_sums ? sums : NULL);
	if (written != -EIO)
		log_paid_locked(f, &use);
	lock_drop(&f->fs->lock);
	return written;
}

void intact_forget_locked(struct file *f, uint64_t start, uint64_t end)
{
	struct pagesums *s = &f->sums;

	lock_assert_held(&f->fs->lock);
	if (pagesums_forget(s, start, end) && !s->is_off)
		s->is_off = s->owes_off = true; /* who comes first, in the log and in the file, nobody knows */
	if (!s->is_logged || start >= end)
		return;
	if (s->stale_start < s->stale_end) {
		start = start < s->stale_start ? start : s->stale_start;
		end = end > s->stale_end ? end : s->stale_end;
	}
	s->stale_start = start;
	s->stale_end = end;
}

void intact_forget_all_locked(struct file *f)
{
	struct pagesums left;

	intact_forget_locked(f, 0, UINT64_MAX);
	if (f->sums.writes)
		return;
	left = (struct pagesums){ .is_logged = f->sums.is_logged, .is_off = f->sums.is_off, .owes_off = f->sums.owes_off,
				  .stale_start = f->sums.stale_start, .stale_end = f->sums.stale_end };
	pagesums_release(&f->sums);
	f->sums = left;
}

int intact_settle(struct file *f)
{
	struct pagesums *s = &f->sums;
	CLEANUP(log_end) struct log_use use = { 0 };
	int r;

	lock_take(&f->fs->lock);
	use = (struct log_use){ .log = sumlog_ref(f->fs->sums), .is_off = s->owes_off, .stale_start = s->stale_start,
				.stale_end = s->stale_end };
	lock_drop(&f->fs->lock);
	r = log_prepare(f, &use, 0, 0);
	if (r < 0)
		return r;
	LOCKED(&f->fs->lock);
	log_paid_locked(f, &use);
	/* All is forgotten, also that it was off: a new beginning, unless something came meanwhile. */
	if (use.stale_start == 0 && use.stale_end == UINT64_MAX && s->stale_start == s->stale_end && !s->writes && !s->count)
		s->is_off = s->owes_off = s->is_logged = false;
	return 0;
}

#define COLLECT_MOST_BYTES (256u << 20)

static int collect_locked(struct fs *fs, struct buf *into)
{
	int r = 0;

	for (struct file *f = fs->cache.lru_first; f && r == 0; f = f->lru_next) {
		struct pagesums *s = &f->sums;

		if (!s->count && !s->is_off)
			continue;
		r = sumlog_collect(into, f->id, s);
	}
	/* The new log holds nothing that is stale. */
	for (struct file *f = fs->cache.lru_first; f && r == 0; f = f->lru_next) {
		f->sums.is_logged = f->sums.count || f->sums.is_off;
		f->sums.owes_off = false;
		f->sums.stale_start = f->sums.stale_end = 0;
	}
	return r;
}

void intact_begin_log(struct fs *fs)
{
	CLEANUP(buf_release) struct buf records = BUF_INIT(COLLECT_MOST_BYTES);
	struct error err = ERROR_INIT;
	struct sumlog *fresh = sumlog_new(fs->cache_fd, &err), *old;
	int r = fresh ? 0 : -error_errnum(err.kind);

	lock_take(&fs->lock);
	if (r == 0 && collect_locked(fs, &records) < 0)
		r = error_set(&err, ERR_NO_MEMORY, "no memory for the checksums of the cache");
	if (r == 0)
		r = sumlog_make_room(fresh, records.len, &err);
	if (r == 0) {
		old = fs->sums;
		fs->sums = fresh;
		fresh = old;
	}
	lock_drop(&fs->lock);
	if (r == 0)
		r = sumlog_fill_room(fs->sums, buf_str(&records), &err);
	if (r < 0)
		log_warn("sumlog.begin", "error='%s'", err.message);
	sumlog_unref(fresh);
}

void intact_renew_log(struct fs *fs)
{
	bool is_worn;

	lock_take(&fs->lock);
	is_worn = !fs->sums || sumlog_is_worn(fs->sums);
	lock_drop(&fs->lock);
	if (is_worn)
		intact_begin_log(fs);
}

/* Of a mixture, what its map does not call dirty was not acknowledged, and may be fetched over. */
static void drop_clean_sums(struct file *f, uint64_t start, struct pagesum *sums)
{
	for (size_t i = 0; i < PAGESUMS_CHUNK_PAGES && !f->is_whole; i++) {
		uint64_t page = start + i * PAGESUMS_PAGE;

		if (sums[i].lo != sums[i].hi && !pagesum_is_damaged(sums[i]) &&
		    !extents_covers(&f->dirty, page + sums[i].lo, page + sums[i].hi))
			sums[i] = PAGESUM_NONE;
	}
	pagesums_put(&f->sums, start, start + PAGESUMS_CHUNK_PAGES * (uint64_t)PAGESUMS_PAGE, sums);
}

/* -1: all is as it was written; else the page. */
static ptrdiff_t compare_chunk(const struct file *f, uint64_t start, const struct pagesum *sums, char *buffer)
{
	ssize_t got = read_some(f->fd, buffer, PAGESUMS_CHUNK_PAGES * (size_t)PAGESUMS_PAGE, start);

	for (size_t i = 0; i < PAGESUMS_CHUNK_PAGES; i++)
		if (sums[i].lo < sums[i].hi && (got < 0 || i * PAGESUMS_PAGE + sums[i].hi > (size_t)got))
			return (ptrdiff_t)i; /* the file was longer */
	return pagesums_check(sums, buffer, start, start + PAGESUMS_CHUNK_PAGES * (uint64_t)PAGESUMS_PAGE);
}

int intact_recover_locked(struct file *f, struct sumlog_found *found, uint64_t *budget, struct error *err)
{
	const size_t bytes = PAGESUMS_CHUNK_PAGES * (size_t)PAGESUMS_PAGE;
	CLEANUP(freep) char *buffer = NULL;
	uint64_t start;

	sumlog_take(found, f->id, &f->sums);
	f->sums.is_logged = f->sums.count > 0;
	for (size_t i = 0; pagesums_chunk_start(&f->sums, i, &start); i++) {
		struct pagesum sums[PAGESUMS_CHUNK_PAGES];
		ptrdiff_t page;

		pagesums_read(&f->sums, start, start + bytes, sums);
		drop_clean_sums(f, start, sums);
		if (*budget < bytes)
			continue;
		*budget -= bytes;
		if (!buffer && !(buffer = malloc(bytes)))
			return 0; /* the upload compares */
		memset(buffer, 0, bytes);
		page = compare_chunk(f, start, sums, buffer);
		if (page >= 0)
			return error_set(err, ERR_IO, "the disk of the cache does not give back what was written, at byte %llu",
					 (unsigned long long)(start + (uint64_t)page * PAGESUMS_PAGE));
	}
	return 0;
}

struct block {
	uint64_t start, end; /* whole pages around what is sent of it */
	uint64_t generation;
	bool is_there;
	struct pagesum sums[BLOCK_PAGES];
};

static void take_block(struct file *f, uint64_t start, uint64_t end, struct block *b)
{
	LOCKED(&f->fs->lock);
	b->start = start / PAGESUMS_PAGE * PAGESUMS_PAGE;
	b->end = (end + PAGESUMS_PAGE - 1) / PAGESUMS_PAGE * PAGESUMS_PAGE;
	b->generation = f->generation;
	b->is_there = f->is_whole || extents_covers(&f->present, start, end);
	pagesums_read(&f->sums, b->start, b->end, b->sums);
}

/* What is wrong with the block, unless somebody changes it just now. */
static int complain(struct file *f, const struct block *b, ptrdiff_t page, struct error *err)
{
	uint64_t at = page >= 0 ? b->start + (uint64_t)page * PAGESUMS_PAGE : b->start;

	LOCKED(&f->fs->lock);
	if (f->generation != b->generation || f->changing)
		return error_set(err, ERR_CANCELLED, "the file was changed while it was read");
	if (page < 0)
		return error_set(err, ERR_IO, "the cache file has a hole at byte %llu that was never read: it is not uploaded",
				 (unsigned long long)at);
	return error_set(err, ERR_IO,
			 "the disk of the cache does not give back what was written, at byte %llu: it is kept and not uploaded "
			 "(write the file again)",
			 (unsigned long long)at);
}

static int check_block(struct file *f, uint64_t start, uint64_t end, char *buffer, uint32_t *crc, struct error *err)
{
	struct block b;
	ptrdiff_t page;
	ssize_t got;

	take_block(f, start, end, &b);
	if (!b.is_there)
		return complain(f, &b, -1, err);
	got = read_some(f->fd, buffer, (size_t)(b.end - b.start), b.start);
	if (got < 0)
		return error_errno(err, (int)-got, "cannot read a cache file");
	if (b.start + (uint64_t)got < end) /* it ends too early */
		return complain(f, &b, (ptrdiff_t)(got / PAGESUMS_PAGE), err);
	page = pagesums_check(b.sums, buffer, b.start, b.start + (uint64_t)got);
	if (page >= 0)
		return complain(f, &b, page, err);
	*crc = hash_crc32c(*crc, buffer + (start - b.start), (size_t)(end - start));
	return 0;
}

int intact_check(struct file *f, uint64_t start, uint64_t end, uint32_t *ret_crc32c, struct error *err)
{
	uint64_t len = end - start;
	CLEANUP(freep) char *buffer = malloc((len < BLOCK_BYTES ? (size_t)len : BLOCK_BYTES) + 2 * (size_t)PAGESUMS_PAGE);
	uint32_t crc = 0;
	int r = 0;

	if (!buffer)
		return error_set(err, ERR_NO_MEMORY, "no memory for an upload");
	while (r == 0 && start < end) {
		uint64_t until = start / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES;

		if (until > end)
			until = end;
		r = check_block(f, start, until, buffer, &crc, err);
		start = until;
	}
	if (r == 0)
		*ret_crc32c = crc;
	return r;
}
