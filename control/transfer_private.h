#pragma once
/*
 * Purpose: what the files of a transfer share: a file in parts that several threads work on.
 * Threads: fields say what guards them; `lock` is the run's.
 */
#include "backends/base/lock.h"
#include "control/transfer.h"

#define TRANSFER_PART_BYTES ((uint64_t)16 << 20)

struct transfer_job {
	struct transfer_item *item;
	int fd;
	uint64_t part_bytes;
	unsigned parts;
	char *note_path;
	char *upload_id;	    /* of an upload */
	char *part_path;	    /* of a download: where the bytes go meanwhile */
	struct store_part *held;    /* of an upload: by number - 1; a tag says it is there */
	unsigned char *is_done;	    /* by number - 1; guarded by lock */
	unsigned next;		    /* part to hand out; guarded by lock */
	unsigned running;	    /* parts under way; guarded by lock */
	bool is_failed;		    /* guarded by lock */
	struct transfer_job *following; /* guarded by lock */
};
static inline uint64_t transfer_part_length(const struct transfer_job *j, unsigned number)
{
	uint64_t from = (uint64_t)(number - 1) * j->part_bytes;

	return j->item->size - from < j->part_bytes ? j->item->size - from : j->part_bytes;
}

/* transfer_up.c, transfer_down.c. progress: bytes of this part so far. */
int transfer_up_small(struct transfer *t, struct transfer_item *item, _Atomic uint64_t *progress, struct error *err) MUST_CHECK;
int transfer_up_begin(struct transfer *t, struct transfer_job *j, struct error *err) MUST_CHECK;
int transfer_up_part(struct transfer *t, struct transfer_job *j, unsigned number, struct error *err) MUST_CHECK;
int transfer_up_end(struct transfer *t, struct transfer_job *j, struct error *err) MUST_CHECK;
int transfer_down_begin(struct transfer *t, struct transfer_job *j, struct error *err) MUST_CHECK;
int transfer_down_part(struct transfer *t, struct transfer_job *j, unsigned number, struct error *err) MUST_CHECK;
/* Notes what is there, so that another run goes on. Called with a part's end, without the lock but one at a time. */
int transfer_down_note(struct transfer_job *j, const unsigned char *is_done, struct error *err) MUST_CHECK;
int transfer_down_end(struct transfer *t, struct transfer_job *j, struct error *err) MUST_CHECK;
