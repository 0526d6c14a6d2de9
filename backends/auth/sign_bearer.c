/* The token is peeked at in sign, which runs on the event thread; prepare does the waiting. */
#include "backends/auth/sign_bearer.h"
#include "backends/auth/cred_host.h"

/* Many exchanges fail at once when a token ends: the first forgets it, the others use the new one. */
#define BEARER_JUST_FETCHED_MS 2000

struct bearer_signer {
	struct signer base;
	struct token_source *source;
	struct sign_bearer_options options; /* immutable after init */
};

static struct bearer_signer *to_bearer(struct signer *s)
{
	return container_of(s, struct bearer_signer, base);
}

static bool bearer_is_ready(struct signer *s)
{
	return token_source_is_ready(to_bearer(s)->source);
}

static int bearer_prepare(struct signer *s, struct error *err)
{
	CLEANUP(token_release) struct token token = TOKEN_INIT;

	return token_source_get(to_bearer(s)->source, &token, err);
}

static int bearer_sign(struct signer *s, struct http_request *request, struct error *err)
{
	struct bearer_signer *b = to_bearer(s);
	CLEANUP(token_release) struct token token = TOKEN_INIT;
	CLEANUP(cred_buf_wipe) struct buf value = BUF_INIT(TOKEN_MAX_BYTES + 64);
	int r = token_source_peek(b->source, &token, err);

	if (r < 0 || !secret_is_set(&token.value))
		return r;
	if (!b->options.is_http_allowed && strcmp(request->scheme, "https") != 0 &&
	    !cred_authority_is_local(request->authority))
		return error_set(err, ERR_CONFIG,
				 "a token is not sent over plain http to '%s' (use https)",
				 request->authority);
	if (buf_reserve(&value, token.value.len + 64) < 0 ||
	    buf_adds(&value, b->options.prefix) < 0 ||
	    buf_add_str(&value, secret_str(&token.value)) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a token");
	return http_fields_add(&request->signed_headers, b->options.header, buf_cstr(&value), err);
}

static bool bearer_reconsider(struct signer *s, const struct http_response *response,
			      const struct error *err)
{
	struct bearer_signer *b = to_bearer(s);

	if (response->status != 401 && err->kind != ERR_UNAUTHENTICATED)
		return false;
	if (token_source_has_replaced(b->source) &&
	    token_source_is_fetched_within(b->source, BEARER_JUST_FETCHED_MS))
		return true;
	return token_source_forget(b->source);
}

static void bearer_free(struct signer *s)
{
	free(to_bearer(s));
}

static const struct signer_ops bearer_ops = {
	.is_ready = bearer_is_ready,
	.prepare = bearer_prepare,
	.sign = bearer_sign,
	.reconsider = bearer_reconsider,
	.free = bearer_free,
};

int sign_bearer_new(struct token_source *source, const struct sign_bearer_options *options,
		    struct signer **ret, struct error *err)
{
	struct bearer_signer *b = calloc(1, sizeof(*b));

	if (!b)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signer");
	b->base.ops = &bearer_ops;
	b->source = source;
	if (options)
		b->options = *options;
	if (!b->options.header)
		b->options.header = "Authorization";
	if (!b->options.prefix)
		b->options.prefix = "Bearer ";
	*ret = &b->base;
	return 0;
}
