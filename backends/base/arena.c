#include "backends/base/arena.h"
#include <assert.h>

#define BLOCK_BYTES 8192

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t capacity;
	_Alignas(max_align_t) unsigned char bytes[];
};

void arena_release(struct arena *a)
{
	if (!a)
		return;
	for (struct arena_block *b = a->blocks; b;) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	a->blocks = NULL;
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	if (size > SIZE_MAX / 2)
		return NULL;
	size_t need = (size + align - 1) / align * align;
	if (need == 0)
		need = align; /* pieces stay distinct */
	if (a->used > a->limit || need > a->limit - a->used)
		return NULL;

	struct arena_block *b = a->blocks;
	if (!b || b->capacity - b->used < need) {
		/* A piece over a quarter of a block gets its own, behind the one being filled. */
		bool is_big = need > BLOCK_BYTES / 4;
		size_t capacity = is_big ? need : BLOCK_BYTES;
		struct arena_block *fresh = calloc(1, sizeof(*fresh) + capacity);
		if (!fresh)
			return NULL;
		fresh->capacity = capacity;
		if (is_big && b) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			a->blocks = fresh;
		}
		b = fresh;
	}
	void *piece = b->bytes + b->used;
	b->used += need;
	a->used += need;
	return piece;
}

char *arena_strndup(struct arena *a, const char *data, size_t len)
{
	if (len >= SIZE_MAX / 2)
		return NULL;
	char *copy = arena_alloc(a, len + 1);
	if (copy && len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *cstring)
{
	return arena_strndup(a, cstring, strlen(cstring));
}

void arena_absorb(struct arena *into, struct arena *from)
{
	assert(into != from);
	if (!from->blocks)
		return;
	/* Behind into's first block, so that its free space goes on being used. */
	struct arena_block *last = from->blocks;
	while (last->next)
		last = last->next;
	if (into->blocks) {
		last->next = into->blocks->next;
		into->blocks->next = from->blocks;
	} else {
		into->blocks = from->blocks;
	}
	into->used += from->used;
	from->blocks = NULL;
	from->used = 0;
}
