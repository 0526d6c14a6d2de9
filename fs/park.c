#include "fs/park.h"
#include "backends/base/clock.h"
#include "fs/file.h"
#include "fs/listing.h"

/* The kernel interrupts a request: whoever waits gets EINTR. libfuse calls this with its own lock held, on one of its
 * threads, and may do so before park_new returned; fuse_req_interrupt_func serialises with the reply. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;
	struct fs *fs = p->fs;
	bool is_mine;

	(void)req;
	lock_take(&fs->lock);
	is_mine = p->chain_head && park_claim_locked(p); /* only what hangs in a list; else it is being run */
	lock_drop(&fs->lock);
	if (is_mine) {
		p->err = EINTR;
		p->job = (struct job){ .run = NULL };
		park_submit(p, NET_DEMAND); /* answering here would take libfuse's lock twice */
	}
}

struct parked *park_new(struct fs *fs, fuse_req_t req, void (*run)(struct parked *p), fuse_ino_t ino,
			const char *name, const struct fuse_file_info *fi)
{
	struct parked *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->req = req;
	p->fs = fs;
	p->run = run;
	p->ino = ino;
	p->since_ms = clock_mono_ms();
	p->name = name ? strdup(name) : NULL;
	if (name && !p->name) {
		free(p);
		return NULL;
	}
	if (fi)
		p->fi = *fi;
	p->is_claimed = true; /* the handler's, until it waits */
	lock_take(&fs->lock);
	p->next = fs->parked;
	if (fs->parked)
		fs->parked->prev = p;
	fs->parked = p;
	fs->parked_count++;
	lock_drop(&fs->lock);
	fuse_req_interrupt_func(req, on_interrupt, p);
	return p;
}

void park_wait_locked(struct parked *p, struct parked **head)
{
	lock_assert_held(&p->fs->lock);
	p->is_claimed = false;
	p->chain = *head;
	p->chain_head = head;
	*head = p;
}

bool park_claim_locked(struct parked *p)
{
	lock_assert_held(&p->fs->lock);
	if (p->is_claimed)
		return false;
	p->is_claimed = true;
	if (p->chain_head) {
		struct parked **at = p->chain_head;

		while (*at != p)
			at = &(*at)->chain;
		*at = p->chain;
		p->chain_head = NULL;
	}
	p->chain = NULL;
	return true;
}

struct parked *park_claim_all_locked(struct parked **head, int err)
{
	struct parked *claimed = NULL;

	while (*head) {
		struct parked *p = *head;

		(void)park_claim_locked(p); /* what hangs in a list is never claimed */
		p->err = err;
		p->chain = claimed; /* turns the list round: first come, first served */
		claimed = p;
	}
	return claimed;
}

void park_resume(struct parked *p)
{
	p->tries++;
	p->run(p);
}

void park_resume_all(struct parked *chain)
{
	while (chain) {
		struct parked *next = chain->chain;

		chain->chain = NULL;
		park_resume(chain);
		chain = next;
	}
}

static void unregister(struct parked *p)
{
	struct fs *fs = p->fs;

	LOCKED(&fs->lock);
	if (p->prev)
		p->prev->next = p->next;
	else
		fs->parked = p->next;
	if (p->next)
		p->next->prev = p->prev;
	fs->parked_count--;
}

void park_free(struct parked *p)
{
	unregister(p);
	if (p->drop)
		p->drop(p);
	free(p->name);
	free(p->name2);
	free(p->data);
	free(p);
}

void park_fail(struct parked *p, int errnum)
{
	fuse_reply_err(p->req, errnum);
	park_free(p);
}

static void run_job(struct job *job)
{
	struct parked *p = container_of(job, struct parked, job);

	if (p->err == EINTR)
		park_fail(p, EINTR);
	else
		park_resume(p);
}

static void drop_job(struct job *job)
{
	park_fail(container_of(job, struct parked, job), EIO);
}

void park_submit(struct parked *p, enum net_priority priority)
{
	p->job = (struct job){ .run = run_job, .drop = drop_job, .priority = priority };
	workers_submit(p->fs->net, &p->job);
}

void park_reap(struct fs *fs, uint64_t now_ms)
{
	struct parked *late = NULL;

	lock_take(&fs->lock);
	for (struct parked *p = fs->parked; p; p = p->next) {
		uint64_t since = p->since_ms;
		const struct node *n;

		if (p->is_claimed)
			continue;
		n = tree_by_ino(&fs->tree, p->ino);
		if (n && n->file && n->file->progress_ms > since)
			since = n->file->progress_ms;
		if (n && n->listing && n->listing->progress_ms > since)
			since = n->listing->progress_ms; /* pages keep coming */
		if (now_ms < since + fs->options.timeout_ms)
			continue;
		(void)park_claim_locked(p);
		p->chain = late;
		late = p;
	}
	lock_drop(&fs->lock);
	while (late) {
		struct parked *next = late->chain;

		late->chain = NULL;
		park_fail(late, ETIMEDOUT);
		late = next;
	}
}
