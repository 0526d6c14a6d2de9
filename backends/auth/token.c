/* Tokens over the refresher: one item is a struct token. */
#include "backends/auth/token.h"
#include "backends/base/clock.h"

#define TOKEN_ADVISORY_S  300
#define TOKEN_MANDATORY_S 60

struct token_source {
	struct token_source_options options; /* immutable after init */
	struct refresh_ops ops;
	struct refresher *refresher;
};

void token_release(struct token *t)
{
	if (!t)
		return;
	secret_release(&t->value);
	*t = TOKEN_INIT;
}

int token_set(struct token *t, const char *who, struct str value, int64_t expires_wall_s,
	      struct error *err)
{
	struct token made = { .expires_wall_s = expires_wall_s };

	if (value.len == 0 || value.len > TOKEN_MAX_BYTES)
		return error_set(err, ERR_PROTOCOL, "%s gives a token that is empty or too long",
				 who);
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
			return error_set(err, ERR_PROTOCOL,
					 "%s gives a token with bytes that no token has", who);
	if (secret_set(&made.value, value) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	token_release(t);
	*t = made;
	return 0;
}

static int fetch(void *arg, struct cancel *cancel, void *ret_item, struct refresh_term *ret_term,
		 struct error *err)
{
	struct token_source *s = arg;
	struct token *token = ret_item;
	int r = s->options.fetch(s->options.arg, cancel, token, err);

	if (r < 0)
		return r;
	if (token->expires_wall_s && token->expires_wall_s <= s->ops.now_s(s))
		return error_set(err, ERR_UNAUTHENTICATED, "%s: what was given has expired already",
				 s->options.noun);
	*ret_term = (struct refresh_term){ token->expires_wall_s, token->is_fixed };
	return 0;
}

static int copy(void *to_item, const void *item, struct error *err)
{
	const struct token *from = item;
	struct token made = *from, *to = to_item;

	made.value = SECRET_INIT;
	if (secret_is_set(&from->value) && secret_copy(&made.value, &from->value) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	token_release(to);
	*to = made;
	return 0;
}

static void release(void *item)
{
	token_release(item);
}

static int64_t now_s(void *arg)
{
	const struct token_source *s = arg;

	return (s->options.wall_s ? s->options.wall_s() : clock_wall_s()) + clock_skew_s();
}

int token_source_new(const struct token_source_options *options, struct token_source **ret,
		     struct error *err)
{
	struct token_source *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		if (options->free_arg)
			options->free_arg(options->arg);
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	}
	s->options = *options;
	s->ops = (struct refresh_ops){
		.noun = options->noun,
		.item_bytes = sizeof(struct token),
		.fetch = fetch,
		.copy = copy,
		.release = release,
		.now_s = now_s,
		.advisory_s = options->advisory_s ? options->advisory_s : TOKEN_ADVISORY_S,
		.mandatory_s = options->mandatory_s ? options->mandatory_s : TOKEN_MANDATORY_S,
	};
	r = refresh_new(&s->ops, s, &s->refresher, err);
	if (r < 0) {
		token_source_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int fetch_fixed(void *arg, struct cancel *cancel, struct token *ret, struct error *err)
{
	const struct secret *fixed = arg;

	(void)cancel; /* nothing to wait for */
	ret->is_fixed = true;
	return token_set(ret, "the configuration", secret_str(fixed), 0, err);
}

static void free_fixed(void *arg)
{
	struct secret *fixed = arg;

	secret_release(fixed);
	free(fixed);
}

int token_source_fixed(const char *noun, const char *token, struct token_source **ret, struct error *err)
{
	struct token_source_options options = { .noun = noun, .fetch = fetch_fixed, .free_arg = free_fixed };
	struct secret *fixed = calloc(1, sizeof *fixed);

	if (!fixed || secret_set(fixed, str_of(token)) < 0) {
		free(fixed);
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	}
	options.arg = fixed;
	return token_source_new(&options, ret, err);
}

void token_source_free(struct token_source *s)
{
	if (!s)
		return;
	refresh_free(s->refresher);
	if (s->options.free_arg)
		s->options.free_arg(s->options.arg);
	free(s);
}

bool token_source_is_ready(struct token_source *s)
{
	return refresh_is_ready(s->refresher);
}

int token_source_get(struct token_source *s, struct token *ret, struct error *err)
{
	return refresh_get(s->refresher, ret, err);
}

int token_source_peek(struct token_source *s, struct token *ret, struct error *err)
{
	return refresh_peek(s->refresher, ret, err);
}

bool token_source_forget(struct token_source *s)
{
	return refresh_forget(s->refresher);
}

bool token_source_is_fetched_within(struct token_source *s, uint64_t ms)
{
	return refresh_is_fetched_within(s->refresher, ms);
}

bool token_source_has_replaced(struct token_source *s)
{
	return refresh_has_replaced(s->refresher);
}

bool token_source_is_fetching(struct token_source *s)
{
	return refresh_is_fetching(s->refresher);
}
