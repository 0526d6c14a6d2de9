#include "fs/pool.h"
#include <assert.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else /* so that a freed piece is as untouchable as freed memory, where somebody watches */
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define SEGMENT_BYTES (1u << 20)
#define SLAB_BYTES    (16u << 10)
#define SLABS	      (SEGMENT_BYTES / SLAB_BYTES)
#define HEAD_BYTES    4096u /* of the first slab */
#define UNIT	      8u
#define UNIT_BITS     17u /* of a number: where in its segment, in units */
#define SEGMENTS_MOST (UINT32_MAX >> UNIT_BITS)
#define EMPTY_KEPT    4u /* slabs whose memory is kept, for who makes and frees in turn */

struct pool_slab {
	struct pool_slab *next, *prev; /* among those with room, or the empty ones */
	uint32_t first_free;	       /* 1 + the index of a piece; 0: none. Each free piece begins with the next */
	uint16_t units;		       /* of a piece; 0: the slab is empty */
	uint16_t live, fresh;	       /* pieces in use; pieces ever used, the others are behind them */
	bool is_returned;	       /* empty, and the system has its memory */
};

struct pool_segment {
	struct pool *pool;
	uint32_t index, used; /* used: slabs that are not empty */
	struct pool_slab slabs[SLABS];
};
_Static_assert(sizeof(struct pool_segment) <= HEAD_BYTES, "the heads of a segment do not fit");
_Static_assert(SEGMENT_BYTES / UNIT == 1u << UNIT_BITS, "a number does not reach all of a segment");

static struct pool_segment *segment_of(const void *piece)
{
	return (struct pool_segment *)((uintptr_t)piece & ~(uintptr_t)(SEGMENT_BYTES - 1));
}

static struct pool_slab *slab_of(const void *piece)
{
	return &segment_of(piece)->slabs[((uintptr_t)piece & (SEGMENT_BYTES - 1)) / SLAB_BYTES];
}

static size_t slab_index(const struct pool_slab *slab)
{
	return (size_t)(slab - segment_of(slab)->slabs);
}

static char *slab_begin(const struct pool_slab *slab)
{
	size_t index = slab_index(slab);

	return (char *)segment_of(slab) + (index ? index * SLAB_BYTES : HEAD_BYTES);
}

static size_t slab_bytes(const struct pool_slab *slab)
{
	return slab_index(slab) ? SLAB_BYTES : SLAB_BYTES - HEAD_BYTES;
}

static void list_add(struct pool_slab **first, struct pool_slab *slab)
{
	slab->prev = NULL;
	slab->next = *first;
	if (*first)
		(*first)->prev = slab;
	*first = slab;
}

static void list_take(struct pool_slab **first, struct pool_slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		*first = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
	slab->next = slab->prev = NULL;
}

/* The index of a segment to come: one that went leaves its own. */
static int index_find(struct pool *p, uint32_t *ret)
{
	struct pool_segment **segments;
	uint32_t capacity = p->segment_capacity ? 2 * p->segment_capacity : 16;

	for (*ret = 0; *ret < p->segment_count; (*ret)++)
		if (!p->segments[*ret])
			return 0;
	if (p->segment_count < p->segment_capacity)
		return 0;
	if (p->segment_count >= SEGMENTS_MOST)
		return -ENOMEM;
	segments = realloc(p->segments, capacity * sizeof(struct pool_segment *));
	if (!segments)
		return -ENOMEM;
	p->segments = segments;
	p->segment_capacity = capacity;
	return 0;
}

/* Twice the size holds one that is aligned; the rest goes back. */
static void *map_aligned(void)
{
	char *all = mmap(NULL, 2 * (size_t)SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (all == MAP_FAILED)
		return NULL;
	before = (SEGMENT_BYTES - ((uintptr_t)all & (SEGMENT_BYTES - 1))) & (SEGMENT_BYTES - 1);
	if (before)
		(void)munmap(all, before);
	(void)munmap(all + before + SEGMENT_BYTES, SEGMENT_BYTES - before);
	return all + before;
}

static int segment_add(struct pool *p)
{
	struct pool_segment *segment;
	uint32_t index;

	if (index_find(p, &index) < 0 || !(segment = map_aligned()))
		return -ENOMEM;
	segment->pool = p;
	segment->index = index;
	p->segments[index] = segment;
	if (index == p->segment_count)
		p->segment_count++;
	for (size_t i = SLABS; i > 0; i--) {
		segment->slabs[i - 1].is_returned = true;
		list_add(&p->empty, &segment->slabs[i - 1]);
	}
	p->held_bytes += HEAD_BYTES;
	p->empty_count += SLABS;
	return 0;
}

static void segment_free(struct pool *p, struct pool_segment *segment)
{
	for (size_t i = 0; i < SLABS; i++) {
		list_take(&p->empty, &segment->slabs[i]);
		p->held_bytes -= segment->slabs[i].is_returned ? 0 : slab_bytes(&segment->slabs[i]);
	}
	p->empty_count -= SLABS;
	p->held_bytes -= HEAD_BYTES;
	p->segments[segment->index] = NULL;
	ASAN_UNPOISON_MEMORY_REGION(segment, SEGMENT_BYTES);
	(void)munmap(segment, SEGMENT_BYTES);
}

void pool_release(struct pool *p)
{
	for (uint32_t i = 0; i < p->segment_count; i++) {
		if (!p->segments[i])
			continue;
		ASAN_UNPOISON_MEMORY_REGION(p->segments[i], SEGMENT_BYTES);
		(void)munmap(p->segments[i], SEGMENT_BYTES);
	}
	free(p->segments);
	*p = POOL_INIT;
}

static struct pool_slab *slab_take(struct pool *p, uint16_t units)
{
	struct pool_slab *slab;

	if (!p->empty && segment_add(p) < 0)
		return NULL;
	slab = p->empty;
	list_take(&p->empty, slab);
	p->empty_count--;
	if (slab->is_returned)
		p->held_bytes += slab_bytes(slab);
	*slab = (struct pool_slab){ .units = units };
	segment_of(slab)->used++;
	ASAN_POISON_MEMORY_REGION(slab_begin(slab), slab_bytes(slab));
	list_add(&p->partial[units], slab);
	return slab;
}

static bool is_full(const struct pool_slab *slab)
{
	return !slab->first_free && (slab->fresh + 1u) * slab->units * UNIT > slab_bytes(slab);
}

void *pool_alloc(struct pool *p, size_t bytes)
{
	uint16_t units = (uint16_t)((bytes + UNIT - 1) / UNIT);
	struct pool_slab *slab;
	char *piece;

	assert(bytes > 0 && bytes <= POOL_PIECE_MAX);
	slab = p->partial[units] ? p->partial[units] : slab_take(p, units);
	if (!slab)
		return NULL;
	if (slab->first_free) {
		piece = slab_begin(slab) + (size_t)(slab->first_free - 1) * units * UNIT;
		ASAN_UNPOISON_MEMORY_REGION(piece, (size_t)units * UNIT);
		memcpy(&slab->first_free, piece, sizeof(slab->first_free));
	} else {
		piece = slab_begin(slab) + (size_t)slab->fresh++ * units * UNIT;
		ASAN_UNPOISON_MEMORY_REGION(piece, (size_t)units * UNIT);
	}
	slab->live++;
	if (is_full(slab))
		list_take(&p->partial[units], slab);
	memset(piece, 0, (size_t)units * UNIT);
	return piece;
}

/* Its memory goes back, unless few such slabs are there. */
static void slab_give(struct pool *p, struct pool_slab *slab)
{
	struct pool_segment *segment = segment_of(slab);

	list_take(&p->partial[slab->units], slab);
	*slab = (struct pool_slab){ 0 };
	if (p->empty_count >= EMPTY_KEPT) {
		ASAN_UNPOISON_MEMORY_REGION(slab_begin(slab), slab_bytes(slab));
		slab->is_returned = madvise(slab_begin(slab), slab_bytes(slab), MADV_DONTNEED) == 0;
		p->held_bytes -= slab->is_returned ? slab_bytes(slab) : 0;
	}
	list_add(&p->empty, slab);
	p->empty_count++;
	if (--segment->used == 0 && p->empty_count >= SLABS + EMPTY_KEPT)
		segment_free(p, segment);
}

void pool_free(struct pool *p, void *piece)
{
	struct pool_slab *slab;
	bool was_full;

	if (!piece)
		return;
	slab = slab_of(piece);
	was_full = is_full(slab);
	memcpy(piece, &slab->first_free, sizeof(slab->first_free));
	slab->first_free = (uint32_t)((size_t)((char *)piece - slab_begin(slab)) / (slab->units * UNIT)) + 1;
	ASAN_POISON_MEMORY_REGION(piece, (size_t)slab->units * UNIT);
	if (was_full)
		list_add(&p->partial[slab->units], slab);
	if (--slab->live == 0)
		slab_give(p, slab);
}

size_t pool_piece_bytes(const void *piece)
{
	return (size_t)slab_of(piece)->units * UNIT;
}

uint32_t pool_number(const void *piece)
{
	return piece ? (segment_of(piece)->index << UNIT_BITS) +
			       (uint32_t)(((uintptr_t)piece & (SEGMENT_BYTES - 1)) / UNIT)
		     : 0;
}

void *pool_piece(const struct pool *p, uint32_t number)
{
	return number ? (char *)p->segments[number >> UNIT_BITS] + (size_t)(number & ((1u << UNIT_BITS) - 1)) * UNIT : NULL;
}

const struct pool *pool_of(const void *piece)
{
	return segment_of(piece)->pool;
}
