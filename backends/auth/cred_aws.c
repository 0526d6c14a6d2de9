/* The chain of sources; the cache before it is a refresher. */
#include "backends/auth/cred_keystone.h"
#include "backends/auth/cred_source.h"
#include "backends/auth/refresh.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"

/* What the refresher holds: credentials, and where they are from. */
struct item {
	struct cred_aws cred;
	const struct cred_source *winner;
};

struct cred_aws_provider {
	struct cred_host host;		 /* immutable after init */
	struct cred_aws_options options; /* likewise; the strings are ours */
	struct refresher *refresher;	 /* of struct item */
};

/* With a profile named in the store's configuration, that profile and nothing else. */
static const struct cred_source *const named_chain[] = {&cred_source_explicit, &cred_source_profile,
							NULL};
static const struct cred_source *const keystone_chain[] = {&cred_source_explicit, &cred_source_keystone, NULL};
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
	return options->keystone ? keystone_chain : options->profile ? named_chain : default_chain;
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

static int item_fetch(void *arg, struct cancel *cancel, void *ret_item,
		      struct refresh_term *ret_term, struct error *err)
{
	struct cred_aws_provider *p = arg;
	struct item *item = ret_item;
	struct cred_context context = {
		.host = &p->host, .options = &p->options, .cancel = cancel};
	int r = chain_fetch(&context, &item->cred, &item->winner, err);

	if (r < 0)
		return r;
	*ret_term = (struct refresh_term){item->cred.expires_wall_s, item->winner->is_fixed};
	return 0;
}

static int item_copy(void *to_item, const void *item, struct error *err)
{
	struct item *to = to_item;
	const struct item *from = item;
	int r = cred_aws_copy(&to->cred, &from->cred, err);

	if (r == 0)
		to->winner = from->winner;
	return r;
}

static void item_release(void *item)
{
	cred_aws_release(&((struct item *)item)->cred);
}

static int64_t item_now_s(void *arg)
{
	const struct cred_aws_provider *p = arg;

	return p->host.wall_s() + clock_skew_s();
}

static const struct refresh_ops item_ops = {
	.noun = "AWS credentials",
	.item_bytes = sizeof(struct item),
	.fetch = item_fetch,
	.copy = item_copy,
	.release = item_release,
	.now_s = item_now_s,
	.advisory_s = CRED_ADVISORY_S,
	.mandatory_s = CRED_MANDATORY_S,
};

int cred_aws_get(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err)
{
	struct item item = {.cred = *ret};
	int r = refresh_get(p->refresher, &item, err);

	*ret = item.cred;
	return r;
}

int cred_aws_peek(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err)
{
	struct item item = {.cred = *ret};
	int r = refresh_peek(p->refresher, &item, err);

	*ret = item.cred;
	return r;
}

bool cred_aws_is_ready(struct cred_aws_provider *p)
{
	return refresh_is_ready(p->refresher);
}

bool cred_aws_is_fetched_within(struct cred_aws_provider *p, uint64_t ms)
{
	return refresh_is_fetched_within(p->refresher, ms);
}

bool cred_aws_is_fetching(struct cred_aws_provider *p)
{
	return refresh_is_fetching(p->refresher);
}

bool cred_aws_forget(struct cred_aws_provider *p)
{
	return refresh_forget(p->refresher);
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
	if (!p)
		return;
	refresh_free(p->refresher);
	keystone_free(p->options.keystone);
	free_secret_text(p->options.access_key_id);
	free_secret_text(p->options.secret_access_key);
	free_secret_text(p->options.session_token);
	free((void *)(uintptr_t)p->options.profile);
	free((void *)(uintptr_t)p->host.imds_endpoint);
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
	int r;

	if (!p)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	p->host = *host;
	p->host.imds_endpoint = NULL;
	p->options.names = options->names;
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
	r = refresh_new(&item_ops, p, &p->refresher, err);
	if (r < 0) {
		cred_aws_provider_free(p);
		return r;
	}
	p->options.keystone = options->keystone;
	*ret = p;
	return 0;
}
