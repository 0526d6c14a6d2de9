#pragma once
/* A store that only notes what it is asked, with small limits, and fails when told to. */
#include "backends/store/store.h"

struct fake_store {
	struct store store;
	struct buf log; /* "put(k)|delete(k)|..." */
	unsigned calls;
	unsigned fails_at; /* the call of that number fails; 0: none */
	enum error_kind fails_with;
	uint64_t bytes, object_size;
};
struct fake_store *fake_store_new(void);		  /* freed by store_free(&f->store) */
void fake_expect(struct fake_store *f, const char *want); /* the log, which is then empty */
