#include "backends/http/timers.h"
#include <assert.h>
#include <errno.h>

int timers_reserve(struct timers *t, size_t count)
{
	struct timer **heap;
	size_t capacity = t->capacity ? t->capacity : 64;

	if (count <= t->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	heap = realloc(t->heap, capacity * sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->capacity = capacity;
	return 0;
}

void timers_release(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}

static void put(struct timers *t, size_t index, struct timer *timer)
{
	t->heap[index] = timer;
	timer->place = index + 1;
}

static void sift_up(struct timers *t, size_t index)
{
	struct timer *timer = t->heap[index];

	while (index > 0 && t->heap[(index - 1) / 2]->due_ms > timer->due_ms) {
		put(t, index, t->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	put(t, index, timer);
}

static void sift_down(struct timers *t, size_t index)
{
	struct timer *timer = t->heap[index];

	for (;;) {
		size_t child = 2 * index + 1;
		if (child >= t->count)
			break;
		if (child + 1 < t->count && t->heap[child + 1]->due_ms < t->heap[child]->due_ms)
			child++;
		if (t->heap[child]->due_ms >= timer->due_ms)
			break;
		put(t, index, t->heap[child]);
		index = child;
	}
	put(t, index, timer);
}

void timers_set(struct timers *t, struct timer *timer, uint64_t due_ms)
{
	timer->due_ms = due_ms;
	if (timer->place == 0) {
		assert(t->count < t->capacity);
		put(t, t->count++, timer);
	}
	sift_up(t, timer->place - 1);
	sift_down(t, timer->place - 1);
}

void timers_clear(struct timers *t, struct timer *timer)
{
	size_t index;
	struct timer *last;

	if (timer->place == 0)
		return;
	index = timer->place - 1;
	timer->place = 0;
	last = t->heap[--t->count];
	if (last == timer)
		return;
	put(t, index, last);
	sift_up(t, index);
	sift_down(t, last->place - 1);
}
