#include "fs/partplan.h"

#include <errno.h>
#include <stdlib.h>

/* A range that is sent as one or more parts. Between two of them, before the first and behind the last, the store copies. */
struct group {
	uint64_t start, end;
};

/* The search of one pass, from left to right. */
struct groups {
	struct group *items; /* as many as there are dirty ranges, at most */
	size_t count;
	uint64_t size, min;
	struct group current;
	bool has_current;
	uint64_t slack; /* how far the current one may reach to the left */
};

void partplan_release(struct partplan *p)
{
	free(p->parts);
	*p = PARTPLAN_INIT;
}

static uint64_t missing(uint64_t len, uint64_t min)
{
	return len < min ? min - len : 0;
}

/* What is sent for a range: it is filled up to a whole part, unless it is the last one. */
static uint64_t cost(const struct groups *g, struct group range)
{
	uint64_t len = range.end - range.start;

	return range.end == g->size ? len : len + missing(len, g->min);
}

static void open_group(struct groups *g, struct group range, uint64_t gap_before)
{
	g->current = range;
	g->has_current = true;
	g->slack = gap_before >= g->min ? gap_before - g->min : 0;
}

/* Ends the current group, grown to a whole part: to the left as far as that goes, since nobody else can use the room there. */
static uint64_t close_group(struct groups *g)
{
	uint64_t need = missing(g->current.end - g->current.start, g->min);
	uint64_t left = need < g->slack ? need : g->slack;

	g->current.start -= left;
	g->current.end += need - left;
	g->items[g->count++] = g->current;
	g->has_current = false;
	return need - left;
}

static bool is_better_apart(const struct groups *g, struct group range)
{
	uint64_t gap = range.start - g->current.end;
	uint64_t need = missing(g->current.end - g->current.start, g->min);
	uint64_t right = need > g->slack ? need - g->slack : 0;
	struct group both = { g->current.start, range.end };

	return gap >= g->min && right <= gap - g->min && cost(g, g->current) + cost(g, range) <= cost(g, both);
}

static void add_range(struct groups *g, struct group range)
{
	uint64_t gap = range.start;

	if (!g->has_current) {
		if (gap < g->min) { /* too little before it to be a part */
			range.start = 0;
			gap = 0;
		}
		open_group(g, range, gap);
	} else if (is_better_apart(g, range)) {
		gap = range.start - g->current.end;
		open_group(g, range, gap - close_group(g));
	} else {
		g->current.end = range.end;
	}
}

/* The last one: what follows it is a part of its own however short, or goes along instead of filling up. */
static void end_groups(struct groups *g)
{
	uint64_t tail;

	if (!g->has_current)
		return;
	tail = g->size - g->current.end;
	if (tail <= missing(g->current.end - g->current.start, g->min)) {
		g->current.end = g->size;
		g->items[g->count++] = g->current;
	} else {
		(void)close_group(g); /* nobody comes after it to whom its growth matters */
	}
}

static int find_groups(const struct extents *dirty, struct groups *g)
{
	struct extent range;
	uint64_t from = 0;

	g->count = 0;
	g->has_current = false;
	g->items = calloc(dirty->count + 1, sizeof(*g->items));
	if (!g->items)
		return -ENOMEM;
	while (extents_next(dirty, from, g->size, &range)) {
		add_range(g, (struct group){ range.start, range.end });
		from = range.end;
	}
	end_groups(g);
	return 0;
}

static uint64_t split_count(uint64_t len, uint64_t unit, uint64_t max)
{
	uint64_t count = unit && len > unit ? len / unit : 1; /* pieces of unit to two units */

	if (max && (len + count - 1) / count > max)
		count = (len + max - 1) / max;
	return count;
}

static int add_parts(struct partplan *p, struct group range, enum partplan_kind kind, uint64_t count)
{
	uint64_t len = range.end - range.start, at = range.start;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t end = at + len / count + (i < len % count ? 1 : 0);

		if (p->count == p->capacity) {
			size_t capacity = p->capacity ? 2 * p->capacity : 16;
			struct partplan_part *parts = reallocarray(p->parts, capacity, sizeof(*parts));

			if (!parts)
				return -ENOMEM;
			p->parts = parts;
			p->capacity = capacity;
		}
		p->parts[p->count++] = (struct partplan_part){ at, end, kind };
		at = end;
	}
	if (kind == PARTPLAN_SEND)
		p->sent_bytes += len;
	else
		p->copied_bytes += len;
	return 0;
}

static int add_split(struct partplan *p, struct group range, enum partplan_kind kind, const struct partplan_limits *limits)
{
	uint64_t unit = kind == PARTPLAN_SEND ? limits->send_bytes : limits->copy_bytes, count;

	if (range.start == range.end)
		return 0;
	count = split_count(range.end - range.start, unit, limits->max_part_bytes);
	if (count > limits->max_parts || p->count + count > limits->max_parts)
		return -EFBIG;
	return add_parts(p, range, kind, count);
}

static int make_once(const struct extents *dirty, uint64_t size, const struct partplan_limits *limits, struct partplan *p)
{
	struct groups g = { .size = size, .min = limits->min_part_bytes };
	uint64_t at = 0;
	int r = find_groups(dirty, &g);

	p->count = 0;
	p->sent_bytes = p->copied_bytes = 0;
	for (size_t i = 0; r == 0 && i < g.count; i++) {
		r = add_split(p, (struct group){ at, g.items[i].start }, PARTPLAN_COPY, limits);
		if (r == 0)
			r = add_split(p, g.items[i], PARTPLAN_SEND, limits);
		at = g.items[i].end;
	}
	if (r == 0)
		r = add_split(p, (struct group){ at, size }, PARTPLAN_COPY, limits);
	free(g.items);
	return r;
}

static uint64_t twice(uint64_t bytes, uint64_t max)
{
	return max && bytes > max / 2 ? max : bytes * 2;
}

int partplan_make(const struct extents *dirty, uint64_t size, const struct partplan_limits *limits, struct partplan *ret)
{
	struct partplan plan = PARTPLAN_INIT;
	struct partplan_limits now = *limits;
	int r;

	if (now.send_bytes < now.min_part_bytes)
		now.send_bytes = now.min_part_bytes;
	if (now.copy_bytes < now.min_part_bytes)
		now.copy_bytes = now.min_part_bytes;
	/* Too many: larger parts, then also fewer holes between them. */
	for (unsigned tries = 0; (r = make_once(dirty, size, &now, &plan)) == -EFBIG && tries < 64; tries++) {
		now.send_bytes = twice(now.send_bytes, now.max_part_bytes);
		now.copy_bytes = twice(now.copy_bytes, now.max_part_bytes);
		if (now.min_part_bytes <= size)
			now.min_part_bytes = now.min_part_bytes ? now.min_part_bytes * 2 : 1;
	}
	if (r < 0) {
		partplan_release(&plan);
		return r;
	}
	partplan_release(ret);
	*ret = plan;
	return 0;
}

int partplan_append(const struct extents *dirty, uint64_t size, const struct partplan_limits *limits, struct partplan *ret)
{
	struct partplan plan = PARTPLAN_INIT;
	struct partplan_limits now = *limits;
	struct extent tail;
	int r = -EFBIG;

	if (!extents_next(dirty, 0, size, &tail) || tail.end != size || !tail.start)
		return -EFBIG;
	for (unsigned tries = 0; r == -EFBIG && tries < 64; tries++) {
		plan.count = 0;
		plan.sent_bytes = plan.copied_bytes = 0;
		r = add_parts(&plan, (struct group){ 0, tail.start }, PARTPLAN_COPY, 1);
		if (r == 0)
			r = add_split(&plan, (struct group){ tail.start, size }, PARTPLAN_SEND, &now);
		now.send_bytes = twice(now.send_bytes, now.max_part_bytes);
	}
	if (r < 0) {
		partplan_release(&plan);
		return r;
	}
	partplan_release(ret);
	*ret = plan;
	return 0;
}
