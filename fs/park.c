#include "fs/park.h"
#include "backends/base/clock.h"
#include "fs/file.h"
#include "fs/listing.h"

/* The kernel interrupts a request. libfuse calls this with a lock of its own held, so that answering here would take that twice; and
 * a worker may be long in coming when the network hangs: the ticker answers. Looked for in the list, not by a
 * pointer, because the answer may be on its way out. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct fs *fs = data;
	LOCKED(&fs->lock);

	for (struct parked *p = fs->parked; p; p = p->next) {
		if (p->req != req)
			continue;
		p->is_interrupted = true;
		fs->has_interrupted = true;
		cond_signal(&fs->ticker_cond);
		return;
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
	fuse_req_interrupt_func(req, on_interrupt, fs);
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

void park_away(struct parked *p)
{
	LOCKED(&p->fs->lock);
	p->is_away = true;
}

bool park_back(struct parked *p)
{
	bool is_mine;

	lock_take(&p->fs->lock);
	p->is_away = false;
	is_mine = !p->is_answered;
	lock_drop(&p->fs->lock);
	if (!is_mine)
		park_free(p);
	return is_mine;
}

static void run_job(struct job *job)
{
	struct parked *p = container_of(job, struct parked, job);

	if (park_back(p))
		park_resume(p);
}

static void drop_job(struct job *job)
{
	struct parked *p = container_of(job, struct parked, job);

	if (park_back(p))
		park_fail(p, EIO);
}

void park_submit(struct parked *p, enum net_priority priority)
{
	p->job = (struct job){ .run = run_job, .drop = drop_job, .priority = priority };
	park_away(p);
	workers_submit(p->fs->net, &p->job);
}

/* Why a request is to be answered by the ticker, as an errno; 0: it may wait on. */
static int overdue_locked(struct fs *fs, const struct parked *p, uint64_t now_ms)
{
	const struct node *n = tree_by_ino(&fs->tree, p->ino);
	bool wants_room = p->chain_head == &fs->space_waiters;
	uint64_t since = p->since_ms;

	if (p->is_interrupted)
		return EINTR;
	if (wants_room && fs->cache.room_progress_ms > since)
		since = fs->cache.room_progress_ms; /* uploads move */
	if (n && n->file && n->file->progress_ms > since && !wants_room)
		since = n->file->progress_ms;
	if (n && dir_of(n)->listing && dir_of(n)->listing->progress_ms > since)
		since = dir_of(n)->listing->progress_ms; /* pages keep coming */
	if (now_ms < since + fs->options.timeout_ms)
		return 0;
	return wants_room ? ENOSPC : ETIMEDOUT;
}

struct late { /* a request that is answered while its handler is away */
	fuse_req_t req;
	int errnum;
	struct late *next;
};

/* Makes p the ticker's, as a whole or just its answer. */
static void take_late_locked(struct parked *p, int errnum, struct parked **whole, struct late **answers)
{
	struct late *l;

	if (p->is_away && workers_cancel(p->fs->net, &p->job))
		p->is_away = false; /* it was still queued */
	else if (!p->is_away)
		(void)park_claim_locked(p); /* it hangs in a list: see park_reap */
	if (!p->is_away) {
		p->err = errnum;
		p->chain = *whole;
		*whole = p;
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return; /* next time */
	p->is_answered = true;
	*l = (struct late){ p->req, errnum, *answers };
	*answers = l;
}

void park_reap(struct fs *fs, uint64_t now_ms)
{
	struct parked *whole = NULL;
	struct late *answers = NULL;

	lock_take(&fs->lock);
	fs->has_interrupted = false;
	for (struct parked *p = fs->parked; p; p = p->next) {
		int errnum;

		if (p->is_answered || (p->is_claimed && !p->is_away))
			continue;
		errnum = overdue_locked(fs, p, now_ms);
		if (errnum == ETIMEDOUT && p->is_away)
			store_reached_locked(tree_by_ino(&fs->tree, p->ino), false);
		if (errnum)
			take_late_locked(p, errnum, &whole, &answers);
	}
	lock_drop(&fs->lock);
	while (whole) {
		struct parked *next = whole->chain;

		whole->chain = NULL;
		park_fail(whole, whole->err);
		whole = next;
	}
	while (answers) {
		struct late *next = answers->next;

		fuse_reply_err(answers->req, answers->errnum);
		free(answers);
		answers = next;
	}
}
