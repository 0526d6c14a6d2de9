/*
 * A sorted array is enough: a file has few ranges (sequential access merges them), a look-up is a
 * binary search, and a change moves memory only behind the place it touches.
 */
#include "fs/extents.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define EXTENTS_FIRST_CAPACITY 4

void extents_release(struct extents *e)
{
	free(e->items);
	*e = EXTENTS_INIT;
}

void extents_clear(struct extents *e)
{
	e->count = 0;
	e->total = 0;
}

static int extents_reserve(struct extents *e, size_t count)
{
	size_t capacity = e->capacity ? e->capacity : EXTENTS_FIRST_CAPACITY;
	struct extent *items;

	if (count <= e->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	items = reallocarray(e->items, capacity, sizeof(*items));
	if (!items)
		return -ENOMEM;
	e->items = items;
	e->capacity = capacity;
	return 0;
}

/* The first item whose end is at or after pos (count when there is none). */
static size_t extents_find(const struct extents *e, uint64_t pos)
{
	size_t low = 0, high = e->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->items[middle].end < pos)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Likewise, but without a range that only touches pos with its end. */
static size_t extents_find_beyond(const struct extents *e, uint64_t pos)
{
	size_t i = extents_find(e, pos);

	return i < e->count && e->items[i].end == pos ? i + 1 : i;
}

/* Puts `count` items in the place of [from, to); room for them has been made. */
static void extents_splice(struct extents *e, size_t from, size_t to, const struct extent *items,
			   size_t count)
{
	assert(from <= to && to <= e->count && e->count - (to - from) + count <= e->capacity);
	if (to < e->count)
		memmove(e->items + from + count, e->items + to, (e->count - to) * sizeof(*items));
	for (size_t i = 0; i < count; i++)
		e->items[from + i] = items[i];
	e->count = e->count - (to - from) + count;
}

int extents_add(struct extents *e, uint64_t start, uint64_t end)
{
	struct extent merged = {start, end};
	uint64_t swallowed = 0;
	size_t from, to;

	assert(start <= end);
	if (start == end)
		return 0;
	from = extents_find(e, start);
	for (to = from; to < e->count && e->items[to].start <= end; to++)
		swallowed += e->items[to].end - e->items[to].start;
	if (from == to) {
		if (extents_reserve(e, e->count + 1) < 0)
			return -ENOMEM;
	} else {
		if (e->items[from].start < start)
			merged.start = e->items[from].start;
		if (e->items[to - 1].end > end)
			merged.end = e->items[to - 1].end;
	}
	extents_splice(e, from, to, &merged, 1);
	e->total += merged.end - merged.start - swallowed;
	return 0;
}

int extents_remove(struct extents *e, uint64_t start, uint64_t end)
{
	struct extent rest[2];
	size_t rest_count = 0, from, to;
	uint64_t removed = 0;

	assert(start <= end);
	if (start == end)
		return 0;
	from = extents_find_beyond(e, start);
	for (to = from; to < e->count && e->items[to].start < end; to++)
		removed += e->items[to].end - e->items[to].start;
	if (from == to)
		return 0;
	if (e->items[from].start < start)
		rest[rest_count++] = (struct extent){e->items[from].start, start};
	if (e->items[to - 1].end > end)
		rest[rest_count++] = (struct extent){end, e->items[to - 1].end};
	if (extents_reserve(e, e->count - (to - from) + rest_count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < rest_count; i++)
		removed -= rest[i].end - rest[i].start;
	extents_splice(e, from, to, rest, rest_count);
	e->total -= removed;
	return 0;
}

void extents_truncate(struct extents *e, uint64_t size)
{
	size_t keep = extents_find_beyond(e, size);

	for (size_t i = keep; i < e->count; i++)
		e->total -= e->items[i].end - e->items[i].start;
	if (keep < e->count && e->items[keep].start < size) {
		e->items[keep].end = size;
		e->total += size - e->items[keep].start;
		keep++;
	}
	e->count = keep;
}

bool extents_covers(const struct extents *e, uint64_t start, uint64_t end)
{
	size_t i;

	if (start >= end)
		return true;
	i = extents_find(e, end);
	return i < e->count && e->items[i].start <= start;
}

bool extents_overlaps(const struct extents *e, uint64_t start, uint64_t end)
{
	struct extent ignored;

	return extents_next(e, start, end, &ignored);
}

bool extents_next(const struct extents *e, uint64_t from, uint64_t limit, struct extent *ret)
{
	size_t i = extents_find_beyond(e, from);

	if (from >= limit || i == e->count || e->items[i].start >= limit)
		return false;
	ret->start = e->items[i].start > from ? e->items[i].start : from;
	ret->end = e->items[i].end < limit ? e->items[i].end : limit;
	return true;
}

bool extents_next_gap(const struct extents *e, uint64_t from, uint64_t limit, struct extent *ret)
{
	size_t i = extents_find_beyond(e, from);

	if (i < e->count && e->items[i].start <= from)
		from = e->items[i++].end;
	if (from >= limit)
		return false;
	ret->start = from;
	ret->end = i < e->count && e->items[i].start < limit ? e->items[i].start : limit;
	return true;
}

uint64_t extents_covered(const struct extents *e, uint64_t start, uint64_t end)
{
	uint64_t covered = 0;

	for (size_t i = extents_find_beyond(e, start); i < e->count && e->items[i].start < end;
	     i++) {
		uint64_t low = e->items[i].start > start ? e->items[i].start : start;
		uint64_t high = e->items[i].end < end ? e->items[i].end : end;

		covered += high - low;
	}
	return covered;
}

int extents_copy(struct extents *to, const struct extents *from)
{
	if (to == from)
		return 0;
	if (extents_reserve(to, from->count) < 0)
		return -ENOMEM;
	if (from->count)
		memcpy(to->items, from->items, from->count * sizeof(*to->items));
	to->count = from->count;
	to->total = from->total;
	return 0;
}
