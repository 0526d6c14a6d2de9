#pragma once
/*
 * Purpose: which parts a changed object is put together from: ranges that the store copies from the old version, and ranges that
 *	are sent. Pure: no I/O, no clock.
 *
 * Invariants: the parts cover [0, size) once and in order; a dirty byte is always sent; every part but the last has min_part_bytes,
 *	none has more than its maximum, and there are at most max_parts. As few bytes are sent as a greedy search finds: a dirty range
 *	below the minimum is filled up with clean bytes beside it, and neighbours go together where that is cheaper or where what lies
 *	between them is too small to be a part. So a range costs at most its length and two minimum parts.
 * Ownership: partplan_release frees.
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html (2026-11): 10,000 parts, 5 MiB to 5 GiB, no minimum on the last.
 */
#include "fs/extents.h"

enum partplan_kind { PARTPLAN_SEND, PARTPLAN_COPY };
struct partplan_part {
	uint64_t start, end;
	enum partplan_kind kind;
};
struct partplan {
	struct partplan_part *parts;
	size_t count, capacity;
	uint64_t sent_bytes, copied_bytes;
};
#define PARTPLAN_INIT ((struct partplan){0})

struct partplan_limits {
	uint64_t min_part_bytes; /* of every part but the last */
	uint64_t max_part_bytes;
	uint64_t send_bytes; /* wanted of a part that is sent; grows where max_parts asks for it */
	uint64_t copy_bytes; /* likewise of one that is copied */
	unsigned max_parts;
};

void partplan_release(struct partplan *p);
/* What of [0, size) is dirty is sent, the rest is in the old version at the same place. 0, -ENOMEM, or -EFBIG when no choice of
 * parts is within the limits. */
int partplan_make(const struct extents *dirty, uint64_t size, const struct partplan_limits *limits,
		  struct partplan *ret) MUST_CHECK;
/* The same for a store that copies whole objects only: all before the first dirty byte is one part, all behind it is sent. Whether
 * the old version ends there the plan cannot tell. -EFBIG when something before the end is not dirty. */
int partplan_append(const struct extents *dirty, uint64_t size, const struct partplan_limits *limits,
		    struct partplan *ret) MUST_CHECK;
