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

ssize_t intact_write(struct file *f, const void *data, size_t size, uint64_t offset)
{
	struct pagesum sums[WRITE_PAGES];
	struct edge edges[2] = { 0 };
	struct pagesums_write w;
	uint64_t end = offset + size;
	size_t pages = pagesums_pages(offset, end), last = pages ? pages - 1 : 0;
	bool has_sums = pages > 0 && pages <= WRITE_PAGES, is_whole;
	ssize_t written;

	edges[0].page = offset / PAGESUMS_PAGE * PAGESUMS_PAGE;
	edges[1].page = edges[0].page + last * PAGESUMS_PAGE;
	lock_take(&f->fs->lock);
	is_whole = f->is_whole;
	for (size_t i = 0; has_sums && i < 2; i++)
		pagesums_read(&f->sums, edges[i].page, edges[i].page + 1, &edges[i].old);
	pagesums_begin(&f->sums, &w, offset, end);
	lock_drop(&f->fs->lock);
	if (has_sums) {
		pagesums_of_data(data, offset, end, sums);
		join_edge(f, &edges[0], is_whole, &sums[0], data);
		if (last > 0)
			join_edge(f, &edges[1], is_whole, &sums[last], (const char *)data + (edges[1].page - offset));
	}
	written = write_cache(f, data, size, offset);
	has_sums &= written == (ssize_t)size;
	for (size_t i = 0; i < 2; i++)
		if (has_sums && edges[i].is_reread)
			reread_edge(f, &edges[i], &sums[i == 0 ? 0 : last]);
	lock_take(&f->fs->lock);
	pagesums_end(&f->sums, &w, has_sums ? sums : NULL);
	lock_drop(&f->fs->lock);
	return written;
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
