#include "fs/pending_heap.h"

static void place(struct pending_queue *q, size_t i, struct pending *op)
{
	q->due[i] = op;
	op->heap_index = i;
}

static void sift_up(struct pending_queue *q, size_t i)
{
	struct pending *op = q->due[i];

	for (; i > 0 && q->due[(i - 1) / 2]->due_ms > op->due_ms; i = (i - 1) / 2)
		place(q, i, q->due[(i - 1) / 2]);
	place(q, i, op);
}

static void sift_down(struct pending_queue *q, size_t i)
{
	struct pending *op = q->due[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= q->due_count)
			break;
		if (child + 1 < q->due_count && q->due[child + 1]->due_ms < q->due[child]->due_ms)
			child++;
		if (q->due[child]->due_ms >= op->due_ms)
			break;
		place(q, i, q->due[child]);
		i = child;
	}
	place(q, i, op);
}

int pending_heap_add(struct pending_queue *q, struct pending *op)
{
	if (q->due_count == q->due_capacity) {
		size_t capacity = q->due_capacity ? q->due_capacity * 2 : 64;
		void *due = realloc(q->due, capacity * sizeof(*q->due));

		if (!due)
			return -ENOMEM;
		q->due = due;
		q->due_capacity = capacity;
	}
	place(q, q->due_count++, op);
	sift_up(q, op->heap_index);
	return 0;
}

void pending_heap_remove(struct pending_queue *q, struct pending *op)
{
	size_t i = op->heap_index;
	struct pending *last;

	if (i == SIZE_MAX)
		return;
	op->heap_index = SIZE_MAX;
	last = q->due[--q->due_count];
	if (last == op)
		return;
	place(q, i, last);
	sift_up(q, i);
	sift_down(q, last->heap_index);
}
