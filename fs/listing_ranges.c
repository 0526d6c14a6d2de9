#include "fs/listing_ranges.h"
#include "backends/base/log.h"
#include "fs/keyguess.h"

#define RANGE_FIRST_PAGES 4u
#define EMPTY_PAGES_MOST  100u

enum range_state { RANGE_FREE, RANGE_ASKED, RANGE_ANSWERED };

struct range {
	struct job job;
	struct ranges *all;
	enum range_state state; /* guarded by fs.lock; the rest is the listing's thread's, but while it is ASKED the job's */
	char *after;		/* the range is behind this key; NULL: behind the pages learnt */
	char *until;		/* its last key may be this; NULL: it has no end */
	char *token;
	char *last;		/* the key seen last */
	unsigned empty_pages;
	struct store_page page;
	struct error err;
	int r;
};

struct ranges {
	struct listing *listing;
	struct cond answered; /* with fs.lock */
	struct keyguess guess;
	char *first_key, *last_key; /* of the pages learnt */
	unsigned pages, made; /* taken; ranges begun so far */
	uint64_t page_numbers; /* how much of the guess's number a page is */
	uint64_t frontier;     /* where the next range begins, */
	char *frontier_key;    /* and its key; NULL: there is none to come */
	bool has_end;	       /* the last key has been seen */
	struct range items[RANGES_MOST];
};

static struct str name_of(const struct ranges *a, const char *key)
{
	size_t prefix = strlen(a->listing->where.key);

	return strlen(key) >= prefix ? str_of(key + prefix) : (struct str){ "", 0 };
}

void ranges_learn(struct ranges **a, struct listing *l, const struct store_page *page)
{
	struct ranges *r = *a ? *a : calloc(1, sizeof(*r));

	if (!r || !page->count) {
		if (!*a)
			free(r);
		return;
	}
	if (!*a) {
		r->listing = l;
		cond_init(&r->answered);
		r->first_key = strdup(page->objects[0].key);
		*a = r;
	}
	free(r->last_key);
	r->last_key = strdup(page->objects[page->count - 1].key);
	for (size_t i = 0; i < page->count; i++)
		keyguess_learn(&r->guess, name_of(r, page->objects[i].key));
	r->pages++;
}

static void range_clear(struct range *range)
{
	free(steal(range->after));
	free(steal(range->until));
	free(steal(range->token));
	free(steal(range->last));
	store_page_release(&range->page);
	range->page = STORE_PAGE_INIT;
	range->empty_pages = 0;
}

void ranges_free(struct ranges *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < RANGES_MOST; i++)
		range_clear(&a->items[i]);
	cond_destroy(&a->answered);
	free(a->first_key);
	free(a->last_key);
	free(a->frontier_key);
	free(a);
}

void ranges_freep(struct ranges **a)
{
	ranges_free(*a);
}

static void answered(struct range *range)
{
	struct fs *fs = range->all->listing->fs;

	LOCKED(&fs->lock);
	range->state = RANGE_ANSWERED;
	cond_broadcast(&range->all->answered);
}

static void ask(struct range *range)
{
	struct listing *l = range->all->listing;
	struct store_list_args args = { .prefix = l->where.key, .delimiter = '/', .token = range->token,
					.start_after = range->token ? NULL : range->after, .cancel = &l->fs->shutdown };

	range->err = ERROR_INIT;
	range->r = store_list(l->where.store, l->where.bucket, &args, &range->page, &range->err);
}

static void range_run(struct job *job)
{
	struct range *range = container_of(job, struct range, job);

	ask(range);
	answered(range);
}

static void range_drop(struct job *job)
{
	struct range *range = container_of(job, struct range, job);

	range->r = error_set(&range->err, ERR_CANCELLED, "the mount ends");
	answered(range);
}

static void submit(struct range *range)
{
	struct fs *fs = range->all->listing->fs;

	range->job = (struct job){ .run = range_run, .drop = range_drop, .priority = NET_METADATA };
	range->state = RANGE_ASKED; /* nobody else looks at one that is free */
	workers_submit(fs->net, &range->job);
}

/* The key that the guess gives for a number. */
static char *key_at(const struct ranges *a, uint64_t number)
{
	struct buf key = BUF_INIT(STORE_KEY_MAX);

	if (buf_adds(&key, a->listing->where.key) < 0 || keyguess_name(&a->guess, number, &key) < 0)
		buf_release(&key);
	return key.data ? buf_detach(&key) : NULL;
}

/* Moves the frontier on by so many pages; beyond the last name that can be guessed there is none any more. */
static void advance(struct ranges *a, unsigned pages)
{
	uint64_t far;
	char *before = steal(a->frontier_key);

	if (__builtin_mul_overflow(a->page_numbers, (uint64_t)pages, &far) || __builtin_add_overflow(a->frontier, far, &far) ||
	    far > a->guess.most)
		far = 0;
	a->frontier = far;
	a->frontier_key = far ? key_at(a, far) : NULL;
	if (a->frontier_key && strcmp(a->frontier_key, before ? before : a->last_key) <= 0)
		free(steal(a->frontier_key));
	free(before);
}

enum begin_kind { BEGIN_GUESSED, BEGIN_OPEN };

/* Begins the next range, of more pages than those before it, or to the end. */
static int begin(struct ranges *a, struct range *range, enum begin_kind kind, const char *token, struct error *err)
{
	unsigned pages = RANGE_FIRST_PAGES << (a->made / RANGES_MOST < 20 ? a->made / RANGES_MOST : 20);

	range_clear(range);
	range->all = a;
	range->after = strdup(a->frontier_key ? a->frontier_key : a->last_key);
	range->token = token ? strdup(token) : NULL;
	if (!range->after || (token && !range->token))
		return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	if (kind == BEGIN_OPEN)
		free(steal(a->frontier_key));
	else
		advance(a, pages);
	range->until = a->frontier_key ? strdup(a->frontier_key) : NULL;
	if (a->frontier_key && !range->until)
		return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	a->made++;
	submit(range);
	return 0;
}

/* One that is answered, after waiting for it. NULL: nothing is under way. */
static struct range *next_answer(struct ranges *a)
{
	struct fs *fs = a->listing->fs;
	struct range *mine = NULL;

	lock_take(&fs->lock);
	for (;;) {
		bool is_any = false;

		for (size_t i = 0; i < RANGES_MOST; i++) {
			struct range *range = &a->items[i];

			if (range->state == RANGE_ANSWERED) {
				lock_drop(&fs->lock);
				return range;
			}
			is_any |= range->state == RANGE_ASKED;
		}
		for (size_t i = 0; i < RANGES_MOST && !mine; i++)
			if (a->items[i].state == RANGE_ASKED && workers_cancel(fs->net, &a->items[i].job))
				mine = &a->items[i];
		if (mine || !is_any)
			break;
		cond_wait(&a->answered, &fs->lock);
	}
	if (mine)
		mine->state = RANGE_ANSWERED;
	lock_drop(&fs->lock);
	if (mine)
		ask(mine);
	return mine;
}

/* Whether a page's keys go up from where it was asked for. A prefix may be what that lies in. */
static bool is_in_order(const struct range *range)
{
	const char *before = range->last ? range->last : range->after;
	bool is_first = !range->last;

	for (size_t i = 0; i < range->page.count; i++) {
		const struct store_object *o = &range->page.objects[i];

		if (before && strcmp(o->key, before) <= 0 &&
		    !(is_first && i == 0 && o->is_prefix && strncmp(before, o->key, strlen(o->key)) == 0))
			return false;
		before = o->key;
	}
	return true;
}

/* What a page has beyond its range: the next range has it, or begins behind it. */
static void goes_beyond(struct ranges *a, struct range *range, const char *last)
{
	struct store_page *page = &range->page;
	uint64_t number = keyguess_number(&a->guess, name_of(a, last));
	char *key;

	if (a->frontier_key && strcmp(a->frontier_key, range->until) == 0 && (key = strdup(last))) {
		free(a->frontier_key);
		a->frontier_key = key;
		a->frontier = number;
		return;
	}
	while (page->count && strcmp(page->objects[page->count - 1].key, range->until) > 0)
		page->count--;
}

/* Takes a page in. 1: not in order. */
static int take(struct ranges *a, struct range *range, struct error *err)
{
	struct store_page *page = &range->page;
	bool has_token = page->next_token != NULL, is_through;
	const char *last = page->count ? page->objects[page->count - 1].key : NULL;

	if (range->r < 0) {
		*err = range->err;
		return range->r;
	}
	if (!is_in_order(range) || (!page->count && has_token && ++range->empty_pages > EMPTY_PAGES_MOST))
		return 1;
	a->has_end |= !has_token;
	is_through = !has_token || (range->until && last && strcmp(last, range->until) >= 0);
	if (last) {
		free(range->last);
		range->last = strdup(last);
		if (!range->last)
			return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	}
	if (last && range->until && strcmp(last, range->until) > 0)
		goes_beyond(a, range, last);
	a->pages++;
	listing_take(a->listing, page);
	if (listing_settle(a->listing, err) < 0)
		return -error_errnum(err->kind);
	free(range->token);
	range->token = is_through ? NULL : strdup(page->next_token);
	store_page_release(page);
	*page = STORE_PAGE_INIT;
	if (is_through)
		return 0;
	if (!range->token)
		return error_set(err, ERR_NO_MEMORY, "no memory for a listing");
	return listing_has_room(a->listing, err);
}

/* What is under way comes to its end, and is forgotten. */
static void stop(struct ranges *a)
{
	struct fs *fs = a->listing->fs;

	LOCKED(&fs->lock);
	for (size_t i = 0; i < RANGES_MOST; i++) {
		struct range *range = &a->items[i];

		while (range->state == RANGE_ASKED && !workers_cancel(fs->net, &range->job))
			cond_wait(&a->answered, &fs->lock);
		range->state = RANGE_FREE;
	}
}

/* Whether there is something to guess from, and the first range begins behind what was learnt. */
static bool settle(struct ranges *a)
{
	uint64_t first, last;

	if (!a->first_key || !a->last_key || !keyguess_settle(&a->guess))
		return false;
	first = keyguess_number(&a->guess, name_of(a, a->first_key));
	last = keyguess_number(&a->guess, name_of(a, a->last_key));
	/* Rounded up: from the first to the last of a page there is one less than there are. */
	a->page_numbers = last > first ? (last - first + a->pages - 1) / a->pages : 0;
	a->frontier = last;
	return a->page_numbers > 0;
}

/* Guesses that are good lead to so many ranges; where they are not, the keys are where nobody can know, and each costs a request. */
static bool may_guess(const struct ranges *a)
{
	unsigned doublings = 31u - (unsigned)__builtin_clz(1 + a->pages / (RANGES_MOST * RANGE_FIRST_PAGES));

	return a->made < RANGES_MOST * (2 + doublings);
}

static bool is_free(struct ranges *a, const struct range *range)
{
	LOCKED(&a->listing->fs->lock);
	return range->state == RANGE_FREE;
}

static int list_all(struct ranges *a, const char *token, struct error *err)
{
	int r = begin(a, &a->items[0], BEGIN_GUESSED, token, err);

	while (r == 0) {
		struct range *range;

		for (size_t i = 0; i < RANGES_MOST && r == 0 && !a->has_end && a->frontier_key && may_guess(a); i++)
			if (is_free(a, &a->items[i]))
				r = begin(a, &a->items[i], BEGIN_GUESSED, NULL, err);
		if (r < 0)
			break;
		range = next_answer(a);
		if (!range && (a->has_end || !a->frontier_key))
			break;
		if (!range) {
			r = begin(a, &a->items[0], BEGIN_OPEN, NULL, err);
			continue;
		}
		range->state = RANGE_FREE;
		r = take(a, range, err);
		if (r == 0 && range->token)
			submit(range);
	}
	return r;
}

int ranges_list(struct ranges *a, const char *token, struct error *err)
{
	int r;

	if (!a || !settle(a))
		return 1;
	r = list_all(a, token, err);
	stop(a);
	log_debug("listing.ranges", "key='%s' pages=%u ranges=%u r=%d", a->listing->where.key, a->pages, a->made, r);
	return r;
}
