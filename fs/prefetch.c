/*
 * Why a read that lies behind its stream's position continues the stream but is no hit: the kernel
 * sends its read-ahead in several requests that overtake each other, so late ones arrive from
 * behind; a program that reads a file backwards looks the same, and must get no window. Only
 * progress counts.
 */
#include "fs/prefetch.h"

#include <string.h>

#define PREFETCH_FIRST_WINDOW (1u << 20)
/* Reads below this are no kernel read-ahead: nothing reorders them, and random ones must not find a
 * neighbour. */
#define PREFETCH_REORDERED_MIN (32u << 10)
#define PREFETCH_NEAR_REQUESTS 8
#define PREFETCH_NEAR_MAX      (1u << 20)
/* A read that begins just where its stream stands says more than one that is merely near: of big
 * reads at random in a file of 512 MiB three of two hundred fall near a stream by chance. */
#define PREFETCH_HIT_EXACT 2
#define PREFETCH_HIT_NEAR  1
#define PREFETCH_HITS_MIN  2
/* A stream not continued for so many reads protects its place no longer. */
#define PREFETCH_STALE_READS 256

void prefetch_init(struct prefetch *p)
{
	memset(p, 0, sizeof(*p));
}

static uint64_t prefetch_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How far from its position a read of len bytes may be and still continue a stream. */
static uint64_t prefetch_near(uint64_t len)
{
	uint64_t near;

	if (len < PREFETCH_REORDERED_MIN)
		return 0;
	near = prefetch_min(len * PREFETCH_NEAR_REQUESTS, PREFETCH_NEAR_MAX);
	return near > 2 * len ? near : 2 * len;
}

/* The stream that this read continues, the nearest one; NULL when there is none. */
static struct prefetch_stream *prefetch_find(struct prefetch *p, uint64_t offset, uint64_t len)
{
	struct prefetch_stream *best = NULL;
	uint64_t best_distance = prefetch_near(len);

	for (size_t i = 0; i < PREFETCH_STREAMS; i++) {
		struct prefetch_stream *s = &p->streams[i];
		uint64_t distance = offset > s->next ? offset - s->next : s->next - offset;

		if (!s->used || distance > best_distance || (best && distance == best_distance))
			continue;
		best = s;
		best_distance = distance;
	}
	return best;
}

/* The stream to give up for a new one: an unused one, else the oldest that is not sequential or
 * long silent, so that a random reader does not drive out the sequential ones beside it. */
static struct prefetch_stream *prefetch_victim(struct prefetch *p)
{
	struct prefetch_stream *victim = NULL;
	bool is_victim_weak = false;

	for (size_t i = 0; i < PREFETCH_STREAMS; i++) {
		struct prefetch_stream *s = &p->streams[i];
		bool is_weak = !s->window || p->clock - s->used > PREFETCH_STALE_READS;

		if (!s->used)
			return s;
		if (!victim || (is_weak && !is_victim_weak) ||
		    (is_weak == is_victim_weak && s->used < victim->used)) {
			victim = s;
			is_victim_weak = is_weak;
		}
	}
	return victim;
}

/* Sets the window of a stream that made progress; false when nothing is to be fetched now. */
static bool prefetch_grow(struct prefetch_stream *s, uint64_t max_window)
{
	uint64_t ahead = s->planned > s->next ? s->planned - s->next : 0;

	if (!s->window) {
		s->window = prefetch_min(PREFETCH_FIRST_WINDOW, max_window);
		return true;
	}
	if (ahead > s->window / 2)
		return false;
	/* Fourfold: at 25 ms and 80 MB/s a connection, doubling spends a quarter of a second on the way up. */
	s->window = s->window > max_window / 4 ? max_window : s->window * 4;
	return true;
}

struct prefetch_plan prefetch_read(struct prefetch *p, uint64_t offset, uint64_t len,
				   uint64_t file_size, uint64_t max_window)
{
	struct prefetch_plan plan = {0};
	struct prefetch_stream *s;
	uint64_t end, goal;
	bool is_progress = true;

	offset = prefetch_min(offset, file_size);
	end = offset + prefetch_min(len, file_size - offset);
	plan.start = plan.end = end;
	if (offset == end || max_window == 0)
		return plan;
	s = prefetch_find(p, offset, end - offset);
	if (s) {
		is_progress = end > s->next;
		if (is_progress)
			s->hits += offset == s->next ? PREFETCH_HIT_EXACT : PREFETCH_HIT_NEAR;
	} else {
		s = prefetch_victim(p);
		*s = (struct prefetch_stream){.planned = end,
					     .hits = offset == 0 ? PREFETCH_HITS_MIN : 0};
	}
	s->used = ++p->clock;
	if (is_progress)
		s->next = end;
	if (s->planned < s->next)
		s->planned = s->next;
	if (is_progress && s->hits >= PREFETCH_HITS_MIN && prefetch_grow(s, max_window)) {
		goal = s->next + prefetch_min(s->window, file_size - s->next);
		if (goal > s->planned) {
			plan.start = s->planned;
			plan.end = s->planned = goal;
		}
	}
	plan.is_sequential = s->window > 0;
	return plan;
}
