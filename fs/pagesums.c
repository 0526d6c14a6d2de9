/* Pages lie in chunks of 2 MiB of the file, the chunks in a sorted array: a sequential writer appends, a look-up is a binary search. */
#include "fs/pagesums.h"

#include "backends/base/hash.h"

#include <assert.h>
#include <string.h>

#define CHUNK_PAGES PAGESUMS_CHUNK_PAGES

struct pagesums_chunk {
	uint64_t index;
	struct pagesum *sums; /* CHUNK_PAGES */
};

void pagesums_release(struct pagesums *s)
{
	assert(!s->writes);
	for (size_t i = 0; i < s->count; i++)
		free(s->chunks[i].sums);
	free(s->chunks);
	*s = (struct pagesums){0};
}

/* The first chunk whose index is not below. */
static size_t find_chunk(const struct pagesums *s, uint64_t index)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->chunks[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pagesum *get_chunk(const struct pagesums *s, uint64_t index)
{
	size_t at = find_chunk(s, index);

	return at < s->count && s->chunks[at].index == index ? s->chunks[at].sums : NULL;
}

/* NULL without memory, or beyond the most: then its pages have no sums. */
static struct pagesum *need_chunk(struct pagesums *s, uint64_t index)
{
	size_t at = find_chunk(s, index);
	struct pagesum *sums;

	if (at < s->count && s->chunks[at].index == index)
		return s->chunks[at].sums;
	if (s->count >= PAGESUMS_CHUNKS_MOST)
		return NULL;
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 4;
		struct pagesums_chunk *chunks = reallocarray(s->chunks, capacity, sizeof(*chunks));

		if (!chunks)
			return NULL;
		s->chunks = chunks;
		s->capacity = capacity;
	}
	sums = calloc(CHUNK_PAGES, sizeof(*sums));
	if (!sums)
		return NULL;
	memmove(&s->chunks[at + 1], &s->chunks[at], (s->count++ - at) * sizeof(*s->chunks));
	s->chunks[at] = (struct pagesums_chunk){index, sums};
	return sums;
}

/* sums NULL: forgets. Chunks that are not there have nothing to forget, however many the range spans. */
static void set_range(struct pagesums *s, uint64_t start, uint64_t end, const struct pagesum *sums)
{
	uint64_t first = start / PAGESUMS_PAGE, last = start < end ? (end - 1) / PAGESUMS_PAGE : 0;

	if (start >= end)
		return;
	if (!sums) {
		for (size_t i = find_chunk(s, first / CHUNK_PAGES); i < s->count; i++) {
			uint64_t base = s->chunks[i].index * CHUNK_PAGES;
			uint64_t from = first > base ? first - base : 0;
			uint64_t to = last - base < CHUNK_PAGES ? last - base + 1 : CHUNK_PAGES;

			if (base > last)
				break;
			memset(s->chunks[i].sums + from, 0, (to - from) * sizeof(*sums));
		}
		return;
	}
	for (uint64_t page = first; page <= last; page++) {
		struct pagesum *chunk = need_chunk(s, page / CHUNK_PAGES);

		if (chunk)
			chunk[page % CHUNK_PAGES] = sums[page - first];
	}
}

bool pagesums_reserve(struct pagesums *s, uint64_t start, uint64_t end)
{
	if (start >= end)
		return true;
	for (uint64_t index = start / PAGESUMS_PAGE / CHUNK_PAGES; index <= (end - 1) / PAGESUMS_PAGE / CHUNK_PAGES; index++)
		if (!need_chunk(s, index))
			return false;
	return true;
}

void pagesums_put(struct pagesums *s, uint64_t start, uint64_t end, const struct pagesum *sums)
{
	set_range(s, start, end, sums);
}

bool pagesums_chunk_start(const struct pagesums *s, size_t i, uint64_t *ret_start)
{
	if (i >= s->count)
		return false;
	*ret_start = s->chunks[i].index * CHUNK_PAGES * PAGESUMS_PAGE;
	return true;
}

bool pagesums_cover_any(const struct pagesums *s, uint64_t start, uint64_t end)
{
	uint64_t first = start / PAGESUMS_PAGE, last = start < end ? (end - 1) / PAGESUMS_PAGE : 0;

	for (size_t i = find_chunk(s, first / CHUNK_PAGES); start < end && i < s->count; i++) {
		uint64_t base = s->chunks[i].index * CHUNK_PAGES;

		for (uint64_t page = first > base ? first : base; page <= last && page < base + CHUNK_PAGES; page++) {
			struct pagesum sum = s->chunks[i].sums[page - base];
			uint64_t at = page * PAGESUMS_PAGE;

			if (!pagesum_is_damaged(sum) && sum.lo < sum.hi && at + sum.lo < end && at + sum.hi > start)
				return true;
		}
		if (base > last)
			break;
	}
	return false;
}

static bool meet(const struct pagesums_write *w, uint64_t start, uint64_t end)
{
	return start < end && w->start < w->end && w->start / PAGESUMS_PAGE <= (end - 1) / PAGESUMS_PAGE &&
	       start / PAGESUMS_PAGE <= (w->end - 1) / PAGESUMS_PAGE;
}

void pagesums_begin(struct pagesums *s, struct pagesums_write *w, uint64_t start, uint64_t end)
{
	*w = (struct pagesums_write){.start = start, .end = end};
	for (struct pagesums_write *other = s->writes; other; other = other->next)
		if (meet(other, start, end))
			other->is_met = w->is_met = true;
	w->next = s->writes;
	s->writes = w;
}

void pagesums_end(struct pagesums *s, struct pagesums_write *w, const struct pagesum *sums)
{
	struct pagesums_write **at = &s->writes;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	set_range(s, w->start, w->end, w->is_met ? NULL : sums);
}

bool pagesums_forget(struct pagesums *s, uint64_t start, uint64_t end)
{
	bool is_met = false;

	for (struct pagesums_write *other = s->writes; other; other = other->next)
		if (meet(other, start, end))
			other->is_met = is_met = true;
	set_range(s, start, end, NULL);
	return is_met;
}

void pagesums_read(const struct pagesums *s, uint64_t start, uint64_t end, struct pagesum *ret)
{
	uint64_t first = start / PAGESUMS_PAGE;

	for (size_t i = 0; i < pagesums_pages(start, end); i++) {
		const struct pagesum *chunk = get_chunk(s, (first + i) / CHUNK_PAGES);
		uint64_t at = (first + i) * PAGESUMS_PAGE;

		ret[i] = chunk ? chunk[(first + i) % CHUNK_PAGES] : PAGESUM_NONE;
		for (const struct pagesums_write *w = s->writes; w; w = w->next)
			if (meet(w, at, at + 1))
				ret[i] = PAGESUM_NONE;
	}
}

/* The part of page i of [start, end) that lies in it. */
static struct pagesum bounds(uint64_t start, uint64_t end, size_t i, uint64_t *ret_at)
{
	uint64_t page = (start / PAGESUMS_PAGE + i) * PAGESUMS_PAGE;
	uint64_t from = start > page ? start : page, to = end < page + PAGESUMS_PAGE ? end : page + PAGESUMS_PAGE;

	*ret_at = from - start;
	return (struct pagesum){0, (uint16_t)(from - page), (uint16_t)(to - page)};
}

void pagesums_of_data(const void *data, uint64_t start, uint64_t end, struct pagesum *ret)
{
	for (size_t i = 0; i < pagesums_pages(start, end); i++) {
		uint64_t at;

		ret[i] = bounds(start, end, i, &at);
		ret[i].crc = hash_crc32c(0, (const char *)data + at, (size_t)(ret[i].hi - ret[i].lo));
	}
}

struct pagesum pagesum_join(struct pagesum old, struct pagesum added, const void *added_data)
{
	if (pagesum_is_damaged(old))
		return added.lo == 0 && added.hi == PAGESUMS_PAGE ? added : old;
	if (old.lo == old.hi || (added.lo <= old.lo && added.hi >= old.hi))
		return added;
	if (added.lo == old.hi)
		return (struct pagesum){hash_crc32c(old.crc, added_data, (size_t)(added.hi - added.lo)), old.lo, added.hi};
	return PAGESUM_NONE;
}

ptrdiff_t pagesums_check(const struct pagesum *sums, const void *data, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < pagesums_pages(start, end); i++) {
		uint64_t at;
		struct pagesum has = bounds(start, end, i, &at), sum = sums[i];

		if (pagesum_is_damaged(sum))
			return (ptrdiff_t)i;
		if (sum.lo == sum.hi || sum.lo < has.lo || sum.hi > has.hi)
			continue;
		if (hash_crc32c(0, (const char *)data + at + (sum.lo - has.lo), (size_t)(sum.hi - sum.lo)) != sum.crc)
			return (ptrdiff_t)i;
	}
	return -1;
}
