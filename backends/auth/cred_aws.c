/*
 * The chain of sources and the cache before it.
 *
 * One fetch at a time (a "flight"): whoever finds none under way starts it, in its own thread when
 * the present credentials are no longer good, beside it in the advisory window; the others wait for
 * it or go on with the old ones. The lock is never held during a fetch.
 */
#include "backends/auth/cred_source.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"

/* For another thread's flight, each of whose steps has a shorter limit. */
#define CRED_WAIT_MS 120000
/* Between two refreshes in the advisory window. */
#define CRED_RETRY_MS 30000
/* After a failure nobody asks again so soon: a thousand requests must not start a program each. */
#define CRED_PAUSE_MS	     1000
#define CRED_PAUSE_USABLE_MS 5000

struct cred_aws_provider {
	struct cred_host host;		 /* immutable after init */
	struct cred_aws_options options; /* likewise; the strings are ours */
	struct cancel cancel;
	struct lock lock;
	struct cond landed; /* a flight is over */
	/* The rest is guarded by lock. */
	struct cred_aws cached;
	const struct cred_source *winner; /* where cached is from; NULL: nothing cached */
	bool is_forgotten;		  /* cached is only good until there is something better */
	bool is_flying;
	bool has_thread; /* thread is to be joined */
	pthread_t thread;
	uint64_t flights; /* how many are over */
	int last_result;  /* of the last flight */
	struct error last_error;
	uint64_t fetched_mono_ms, failed_mono_ms, next_refresh_mono_ms;
};

/* With a profile named in the store's configuration, that profile and nothing else. */
static const struct cred_source *const named_chain[] = {&cred_source_explicit, &cred_source_profile,
							NULL};
static const struct cred_source *const default_chain[] = {
	&cred_source_explicit,
	&cred_source_env,
	&cred_source_web_identity,
	&cred_source_profile,
	&cred_source_container,
	&cred_source_imds,
	NULL,
};

static const struct cred_source *const *chain_of(const struct cred_aws_options *options)
{
	return options->profile ? named_chain : default_chain;
}

void cred_aws_release(struct cred_aws *c)
{
	if (!c)
		return;
	free(c->access_key_id);
	secret_release(&c->secret_access_key);
	secret_release(&c->session_token);
	*c = CRED_AWS_INIT;
}

int cred_aws_copy(struct cred_aws *to, const struct cred_aws *from, struct error *err)
{
	struct cred_aws copy = {.expires_wall_s = from->expires_wall_s, .source = from->source};

	if ((from->access_key_id && !(copy.access_key_id = strdup(from->access_key_id))) ||
	    secret_copy(&copy.secret_access_key, &from->secret_access_key) < 0 ||
	    secret_copy(&copy.session_token, &from->session_token) < 0) {
		cred_aws_release(&copy);
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	}
	cred_aws_release(to);
	*to = copy;
	return 0;
}

static int chain_fetch(const struct cred_context *c, struct cred_aws *ret,
		       const struct cred_source **ret_winner, struct error *err)
{
	for (const struct cred_source *const *s = chain_of(c->options); *s; s++) {
		int r;

		if ((*s)->is_metadata && !c->options->use_metadata_service)
			continue;
		r = (*s)->fetch(c, ret, err);
		if (r == CRED_ABSENT)
			continue;
		/* Found, or broken: never fall past a broken source. */
		log_debug("cred.fetch", "source='%s' result=%d", (*s)->name, r);
		if (r < 0)
			return r;
		if (ret->expires_wall_s && ret->expires_wall_s <= cred_now_s(c))
			return error_set(err, ERR_UNAUTHENTICATED,
					 "%s gives AWS credentials that have expired", ret->source);
		*ret_winner = *s;
		return 0;
	}
	return error_set(
		err, ERR_UNAUTHENTICATED,
		"no AWS credentials found (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run "
		"'aws configure' or 'aws sso login')");
}

enum cred_state { CRED_FRESH, CRED_ADVISORY, CRED_STALE };

static enum cred_state state_locked(struct cred_aws_provider *p)
{
	int64_t left_s;

	lock_assert_held(&p->lock);
	if (!p->winner || p->is_forgotten)
		return CRED_STALE;
	if (p->cached.expires_wall_s == 0)
		return CRED_FRESH;
	left_s = p->cached.expires_wall_s - (p->host.wall_s() + clock_skew_s());
	return left_s > CRED_ADVISORY_S	   ? CRED_FRESH
	       : left_s > CRED_MANDATORY_S ? CRED_ADVISORY
					   : CRED_STALE;
}

/* Whether the old ones still work, though they ought to be renewed by now. */
static bool is_usable_locked(struct cred_aws_provider *p)
{
	lock_assert_held(&p->lock);
	return p->winner && !p->is_forgotten &&
	       (p->cached.expires_wall_s == 0 ||
		p->cached.expires_wall_s > p->host.wall_s() + clock_skew_s());
}

/* Runs a flight that the caller has announced by is_flying, without the lock. */
static void fly(struct cred_aws_provider *p)
{
	CLEANUP(cred_aws_release) struct cred_aws fetched = CRED_AWS_INIT;
	struct cred_context context = {
		.host = &p->host, .options = &p->options, .cancel = &p->cancel};
	const struct cred_source *winner = NULL;
	struct error err = ERROR_INIT;
	int r = chain_fetch(&context, &fetched, &winner, &err);

	LOCKED(&p->lock);
	p->is_flying = false;
	p->flights++;
	p->last_result = r;
	p->last_error = err;
	p->next_refresh_mono_ms = clock_mono_ms() + CRED_RETRY_MS;
	if (r == 0) {
		cred_aws_release(&p->cached);
		p->cached = fetched;
		fetched = CRED_AWS_INIT;
		p->winner = winner;
		p->is_forgotten = false;
		p->fetched_mono_ms = clock_mono_ms();
	} else {
		p->failed_mono_ms = clock_mono_ms();
		log_debug("cred.failed", "error='%s'", err.message);
	}
	cond_broadcast(&p->landed);
}

static void *fly_beside(void *arg)
{
	fly(arg);
	return NULL;
}

/* In the advisory window: one thread fetches while all go on with the old ones. */
static void refresh_beside_locked(struct cred_aws_provider *p)
{
	lock_assert_held(&p->lock);
	if (p->is_flying || cancel_is_fired(&p->cancel) ||
	    clock_mono_ms() < p->next_refresh_mono_ms)
		return;
	if (p->has_thread)
		(void)pthread_join(p->thread,
				   NULL); /* it has landed, so it takes no lock any more */
	p->is_flying = true;
	p->has_thread = pthread_create(&p->thread, NULL, fly_beside, p) == 0;
	if (!p->has_thread) {
		/* Not worth an error: the mandatory window does it in a caller's thread. */
		p->is_flying = false;
		p->next_refresh_mono_ms = clock_mono_ms() + CRED_RETRY_MS;
	}
}

/* Whether the last flight failed so short a time ago that its outcome stands. */
static bool is_paused_locked(struct cred_aws_provider *p)
{
	uint64_t pause_ms = is_usable_locked(p) ? CRED_PAUSE_USABLE_MS : CRED_PAUSE_MS;

	return !p->is_flying && p->last_result < 0 &&
	       clock_mono_ms() - p->failed_mono_ms < pause_ms;
}

/* Waits until the flight under way, or one started here, is over; then the lock is held again. */
static int finish_flight_locked(struct cred_aws_provider *p, struct error *err)
{
	uint64_t deadline = clock_mono_ms() + CRED_WAIT_MS, before = p->flights;
	bool is_paused = is_paused_locked(p);

	lock_assert_held(&p->lock);
	if (!p->is_flying && !is_paused) {
		p->is_flying = true;
		lock_drop(&p->lock);
		fly(p);
		lock_take(&p->lock);
	}
	while (p->flights == before && !is_paused)
		if (!cond_wait_until(&p->landed, &p->lock, deadline) && p->flights == before)
			return error_set(err, ERR_TIMEOUT, "no AWS credentials in time");
	if (p->last_result < 0 && !is_usable_locked(p)) {
		if (err)
			*err = p->last_error;
		return p->last_result;
	}
	return 0;
}

int cred_aws_get(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err)
{
	LOCKED(&p->lock);
	enum cred_state state = state_locked(p);

	if (state == CRED_ADVISORY)
		refresh_beside_locked(p);
	if (state == CRED_STALE) {
		int r = finish_flight_locked(p, err);

		if (r < 0)
			return r;
	}
	return cred_aws_copy(ret, &p->cached, err);
}

int cred_aws_peek(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err)
{
	LOCKED(&p->lock);

	if (state_locked(p) == CRED_ADVISORY)
		refresh_beside_locked(p);
	/* Those that ended between is_ready and now are used all the same: the answer says so, and
	 * the exchange asks the signer to reconsider. */
	if (!p->winner)
		return error_set(err, ERR_UNAUTHENTICATED,
				 "AWS credentials have not been fetched yet");
	return cred_aws_copy(ret, &p->cached, err);
}

bool cred_aws_is_ready(struct cred_aws_provider *p)
{
	LOCKED(&p->lock);

	return state_locked(p) != CRED_STALE;
}

bool cred_aws_is_fetched_within(struct cred_aws_provider *p, uint64_t ms)
{
	LOCKED(&p->lock);

	return p->winner && !p->winner->is_fixed && !p->is_forgotten &&
	       clock_mono_ms() - p->fetched_mono_ms < ms;
}

bool cred_aws_is_fetching(struct cred_aws_provider *p)
{
	LOCKED(&p->lock);

	return p->is_flying;
}

bool cred_aws_forget(struct cred_aws_provider *p)
{
	LOCKED(&p->lock);

	if (!p->winner || p->winner->is_fixed)
		return false;
	p->is_forgotten = true;
	return true;
}

bool cred_aws_is_configured(const struct cred_host *host, const struct cred_aws_options *options)
{
	struct cred_context context = {.host = host, .options = options};

	for (const struct cred_source *const *s = chain_of(options); *s; s++)
		if (!(*s)->is_metadata && (*s)->is_configured && (*s)->is_configured(&context))
			return true;
	return false;
}

static void free_secret_text(const char *text)
{
	if (text)
		explicit_bzero((char *)(uintptr_t)text, strlen(text));
	free((void *)(uintptr_t)text);
}

void cred_aws_provider_free(struct cred_aws_provider *p)
{
	bool has_thread;

	if (!p)
		return;
	cancel_fire(&p->cancel);
	{
		LOCKED(&p->lock);
		has_thread = p->has_thread;
	}
	if (has_thread)
		(void)pthread_join(p->thread, NULL); /* its calls have been cancelled */
	cred_aws_release(&p->cached);
	free_secret_text(p->options.access_key_id);
	free_secret_text(p->options.secret_access_key);
	free_secret_text(p->options.session_token);
	free((void *)(uintptr_t)p->options.profile);
	free((void *)(uintptr_t)p->host.imds_endpoint);
	cond_destroy(&p->landed);
	lock_destroy(&p->lock);
	cancel_destroy(&p->cancel);
	free(p);
}

/* A copy of an optional text; false without memory. */
static bool copy_text(const char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int cred_aws_provider_new(const struct cred_host *host, const struct cred_aws_options *options,
			  struct cred_aws_provider **ret, struct error *err)
{
	struct cred_aws_provider *p = calloc(1, sizeof(*p));

	if (!p)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	cancel_init(&p->cancel);
	lock_init(&p->lock);
	cond_init(&p->landed);
	p->host = *host;
	p->host.imds_endpoint = NULL;
	p->options.is_anonymous = options->is_anonymous;
	p->options.use_metadata_service = options->use_metadata_service;
	if (!copy_text(&p->host.imds_endpoint, host->imds_endpoint) ||
	    !copy_text(&p->options.access_key_id, options->access_key_id) ||
	    !copy_text(&p->options.secret_access_key, options->secret_access_key) ||
	    !copy_text(&p->options.session_token, options->session_token) ||
	    !copy_text(&p->options.profile, options->profile)) {
		cred_aws_provider_free(p);
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	}
	*ret = p;
	return 0;
}
