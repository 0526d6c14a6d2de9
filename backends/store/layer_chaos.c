#include "backends/store/layer_chaos.h"
#include "backends/base/lock.h"
#include "backends/store/layer_around.h"
#include <string.h>

struct chaos {
	struct around_layer layer;
	struct lock lock;
	struct chaos_options options; /* guarded by lock, as is all below */
	uint64_t state;
	unsigned calls, faults;
};

enum strike { STRIKE_NONE, STRIKE_BEFORE, STRIKE_AFTER };

static struct chaos *chaos_of(struct around_layer *layer)
{
	return container_of(layer, struct chaos, layer);
}

/* splitmix64: every seed, 0 too, gives a good sequence. */
static uint64_t next_random_locked(struct chaos *c)
{
	uint64_t z;

	lock_assert_held(&c->lock);
	c->state += 0x9e3779b97f4a7c15ull;
	z = c->state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static int fail(const struct around_call *call, enum error_kind kind, struct error *err)
{
	int r = error_set(err, kind, "chaos: %s of '%.60s' %s", call->slot, call->key,
			  (call->hook_state & 0xff) == STRIKE_AFTER ? "was done and the answer lost"
								    : "was not done");

	err->http_status = kind == ERR_THROTTLED || kind == ERR_UNAVAILABLE ? 503 : 0;
	return r;
}

static enum error_kind choose_kind_locked(struct chaos *c)
{
	static const enum error_kind kinds[] = { ERR_UNAVAILABLE, ERR_THROTTLED, ERR_TIMEOUT };

	if (c->options.kind != ERR_NONE)
		return c->options.kind;
	return kinds[next_random_locked(c) % ARRAY_SIZE(kinds)];
}

/* hook_state: the strike in the low byte, the kind of error above. */
static int chaos_before(struct around_layer *layer, struct around_call *call, struct error *err)
{
	struct chaos *c = chaos_of(layer);
	enum error_kind kind = ERR_NONE;
	enum strike strike = STRIKE_NONE;

	lock_take(&c->lock);
	if (!c->options.slot || !strcmp(c->options.slot, call->slot)) {
		unsigned dice = (unsigned)(next_random_locked(c) % 1000);
		bool is_spared = c->calls++ < c->options.skip_calls ||
				 (c->options.max_faults && c->faults >= c->options.max_faults);

		if (!is_spared && dice < c->options.before_permille)
			strike = STRIKE_BEFORE;
		else if (!is_spared &&
			 dice < c->options.before_permille + c->options.after_permille)
			strike = STRIKE_AFTER;
		if (strike != STRIKE_NONE) {
			c->faults++;
			kind = choose_kind_locked(c);
		}
	}
	lock_drop(&c->lock);
	call->hook_state = (uint64_t)strike | (uint64_t)kind << 8;
	return strike == STRIKE_BEFORE ? fail(call, kind, err) : 0;
}

static int chaos_after(struct around_layer *layer, struct around_call *call, int r,
		       struct error *err)
{
	(void)layer; /* all was decided before the call */
	if (r < 0 || (call->hook_state & 0xff) != STRIKE_AFTER)
		return r;
	return fail(call, (enum error_kind)(call->hook_state >> 8), err);
}

static void chaos_release(struct around_layer *layer)
{
	struct chaos *c = chaos_of(layer);

	lock_destroy(&c->lock);
	free(c);
}

int store_chaos_new(struct store *next, const struct chaos_options *options, struct store **ret,
		    struct error *err)
{
	struct chaos *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(err, ERR_NO_MEMORY, "no memory for a layer over '%s'", next->name);
	r = around_init(&c->layer, next, err);
	if (r < 0) {
		free(c);
		return r;
	}
	lock_init_ranked(&c->lock, LOCK_STORE);
	c->layer.before = chaos_before;
	c->layer.after = chaos_after;
	c->layer.release = chaos_release;
	store_chaos_set(&c->layer.store, options);
	*ret = &c->layer.store;
	return 0;
}

static struct chaos *chaos_of_store(struct store *s)
{
	return chaos_of(container_of(s, struct around_layer, store));
}

void store_chaos_set(struct store *s, const struct chaos_options *options)
{
	struct chaos *c = chaos_of_store(s);

	LOCKED(&c->lock);
	c->options = *options;
	c->state = options->seed;
	c->calls = c->faults = 0;
}

unsigned store_chaos_faults(struct store *s)
{
	struct chaos *c = chaos_of_store(s);

	LOCKED(&c->lock);
	return c->faults;
}
