/* Shared access signatures: made with a key, and taken apart to be sent along. */
#include "backends/auth/sign_sharedkey.h"
#include "backends/base/clock.h"
#include "backends/http/url.h"

#include <stdio.h>

#define STRING_MAX   16384
#define TOKEN_MAX    8192
#define FIELDS_MAX   64
#define EXPIRY_BYTES 25

/* "2026-11-23T16:00:00Z"; "" for 0. */
static void format_time(int64_t wall_s, char ret[EXPIRY_BYTES])
{
	ret[0] = '\0';
	if (!wall_s)
		return;
	clock_format_iso8601(wall_s * 1000000000, ret);
	memcpy(ret + 19, "Z", 2); /* the service takes no fraction that all its versions agree on */
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

int sas_string_to_sign(const struct sas_args *args, struct buf *ret, struct error *err)
{
	const struct sas_delegation *d = args->delegation;
	char start[EXPIRY_BYTES], expiry[EXPIRY_BYTES];
	int r;

	format_time(args->start_wall_s, start);
	format_time(args->expires_wall_s, expiry);
	r = buf_addf(ret, "%s\n%s\n%s\n/blob/%s/%s%s%s\n", args->permissions, start, expiry, args->account,
		     args->container, args->blob ? "/" : "", or_empty(args->blob));
	/* A delegation signs whose key it is, and three fields more (saoid, suoid, scid) that stay empty; an account's
	 * key signs the name of a stored policy, which we have none of. */
	if (r == 0 && d)
		r = buf_addf(ret, "%s\n%s\n%s\n%s\n%s\n%s\n\n\n\n", or_empty(d->oid), or_empty(d->tid),
			     or_empty(d->start), or_empty(d->expiry), or_empty(d->service),
			     or_empty(d->version));
	else if (r == 0)
		r = buf_addc(ret, '\n');
	/* Address, protocol, version, resource, snapshot, encryption scope, and five headers of the answer. */
	if (r == 0)
		r = buf_addf(ret, "\n%s\n" SAS_VERSION "\n%s\n\n\n\n\n\n\n",
			     args->is_https_only ? "https" : "", args->blob ? "b" : "c");
	return r < 0 ? error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
				 "a URL cannot be signed")
		     : 0;
}

static int add_delegation(const struct sas_delegation *d, struct http_fields *query, struct error *err)
{
	const struct {
		const char *name, *value;
	} rows[] = {
		{ "skoid", d->oid },	{ "sktid", d->tid },	 { "skt", d->start },
		{ "ske", d->expiry },	{ "sks", d->service },	 { "skv", d->version },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		r = http_query_add(query, rows[i].name, or_empty(rows[i].value), err);
	return r;
}

int sas_sign(const struct sas_args *args, struct str key, struct http_fields *query,
	     struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(STRING_MAX);
	CLEANUP(buf_release) struct buf signature = BUF_INIT(64);
	char start[EXPIRY_BYTES], expiry[EXPIRY_BYTES];
	int r = sas_string_to_sign(args, &text, err);

	if (r < 0)
		return r;
	if (sharedkey_signature(args->delegation ? args->delegation->key : key, buf_str(&text),
				&signature) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signature");
	format_time(args->start_wall_s, start);
	format_time(args->expires_wall_s, expiry);
	if ((r = http_query_add(query, "sv", SAS_VERSION, err)) < 0 ||
	    (start[0] && (r = http_query_add(query, "st", start, err)) < 0) ||
	    (r = http_query_add(query, "se", expiry, err)) < 0 ||
	    (r = http_query_add(query, "sr", args->blob ? "b" : "c", err)) < 0 ||
	    (r = http_query_add(query, "sp", args->permissions, err)) < 0 ||
	    (args->is_https_only && (r = http_query_add(query, "spr", "https", err)) < 0) ||
	    (args->delegation && (r = add_delegation(args->delegation, query, err)) < 0))
		return r;
	return http_query_add(query, "sig", buf_cstr(&signature), err);
}

static int add_pair(struct str pair, struct http_fields *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf name = BUF_INIT(256);
	CLEANUP(buf_release) struct buf value = BUF_INIT(TOKEN_MAX);
	struct str rest = pair;
	struct str left = str_split(&rest, '=');

	if (url_decode(left, &name) < 0 || (rest.ptr && url_decode(rest, &value) < 0) || !name.len ||
	    memchr(buf_cstr(&value), '\0', value.len) || memchr(buf_cstr(&name), '\0', name.len))
		return -EINVAL;
	return http_query_add(ret, buf_cstr(&name), buf_cstr(&value), err);
}

int sas_parse(const char *what, struct str token, struct http_fields *ret, struct error *err)
{
	struct http_fields fields = { 0 };
	bool is_whole = true;

	token = str_trim(token);
	if (token.len && token.ptr[0] == '?')
		token = (struct str){ token.ptr + 1, token.len - 1 };
	for (struct str rest = token; rest.ptr && rest.len && is_whole;) {
		struct str pair = str_split(&rest, '&');

		is_whole = !pair.len || (fields.count < FIELDS_MAX && add_pair(pair, &fields, err) == 0);
	}
	if (!is_whole || token.len > TOKEN_MAX || !http_fields_get(&fields, "sig")) {
		http_fields_release(&fields);
		return error_set(err, ERR_CONFIG,
				 "%s is no shared access signature (it should look like 'sv=...&sig=...')",
				 what);
	}
	*ret = fields;
	return 0;
}

struct sas_signer {
	struct signer base;
	struct http_fields fields; /* immutable after init */
};

static bool always_ready(struct signer *s)
{
	(void)s;
	return true;
}

static int nothing_to_prepare(struct signer *s, struct error *err)
{
	(void)s, (void)err;
	return 0;
}

static int add_fields(struct signer *s, struct http_request *request, struct error *err)
{
	const struct http_fields *fields = &container_of(s, struct sas_signer, base)->fields;
	int r = 0;

	for (size_t i = 0; r == 0 && i < fields->count; i++)
		r = http_query_add(&request->signed_query, fields->items[i].name, fields->items[i].value,
				   err);
	return r;
}

static bool never_better(struct signer *s, const struct http_response *response,
			 const struct error *err)
{
	(void)s, (void)response, (void)err;
	return false;
}

static void signer_release(struct signer *s)
{
	struct sas_signer *signer = container_of(s, struct sas_signer, base);

	for (size_t i = 0; i < signer->fields.count; i++)
		explicit_bzero(signer->fields.items[i].value, strlen(signer->fields.items[i].value));
	http_fields_release(&signer->fields);
	free(signer);
}

static const struct signer_ops sas_signer_ops = {
	.is_ready = always_ready,
	.prepare = nothing_to_prepare,
	.sign = add_fields,
	.reconsider = never_better,
	.free = signer_release,
};

int sas_signer_new(const char *what, struct str token, struct signer **ret, struct error *err)
{
	struct sas_signer *signer = calloc(1, sizeof(*signer));
	int r;

	if (!signer)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signer");
	signer->base.ops = &sas_signer_ops;
	r = sas_parse(what, token, &signer->fields, err);
	if (r < 0) {
		free(signer);
		return r;
	}
	*ret = &signer->base;
	return 0;
}
