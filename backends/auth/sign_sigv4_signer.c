/* The signer of an exchange: which credentials, which payload text, and what to do when the answer
 * says no. */
#include "backends/auth/cred_source.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/log.h"

#include <stdio.h>

/* Servers accept 15 minutes; a bare 403 is taken for a clock error only from here on. */
#define SIGV4_SKEW_SUSPECT_S  240
#define SIGV4_JUST_FETCHED_MS 1000
/* Longer than a request that was signed with the old time takes to come back. */
#define SIGV4_SKEW_NEW_MS 60000

struct sigv4_signer {
	struct signer base;
	struct cred_aws_provider *provider;
	char *service; /* immutable after init */
	struct lock lock;
	char region[64]; /* guarded by lock */
};

static struct sigv4_signer *to_sigv4(struct signer *s)
{
	return container_of(s, struct sigv4_signer, base);
}

static bool signer_is_ready(struct signer *s)
{
	return cred_aws_is_ready(to_sigv4(s)->provider);
}

static int signer_prepare(struct signer *s, struct error *err)
{
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;

	return cred_aws_get(to_sigv4(s)->provider, &cred, err);
}

static int signer_sign(struct signer *s, struct http_request *request, struct error *err)
{
	struct sigv4_signer *signer = to_sigv4(s);
	CLEANUP(cred_aws_release) struct cred_aws cred = CRED_AWS_INIT;
	char region[sizeof(signer->region)], payload[65] = "UNSIGNED-PAYLOAD";
	struct sigv4_scope scope = {.region = region, .service = signer->service};
	int r = cred_aws_peek(signer->provider, &cred, err);

	if (r < 0 || !cred.access_key_id)
		return r;
	{
		LOCKED(&signer->lock);
		memcpy(region, signer->region, sizeof(region));
	}
	scope.wall_s = clock_wall_s() + clock_skew_s();
	scope.is_s3_path = strncmp(signer->service, "s3", 2) == 0;
	/* Only S3 takes an unsigned payload, and only TLS makes up for it. */
	if (!http_fields_get(&request->headers, "x-amz-content-sha256") &&
	    (!scope.is_s3_path || strcmp(request->scheme, "https") != 0) &&
	    (r = sigv4_body_hash(&request->body, payload, err)) < 0)
		return r;
	return sigv4_sign_headers(request, &scope, &cred, payload, err);
}

bool sigv4_learn_skew(const struct http_response *response, int64_t at_least_s)
{
	const char *date = http_fields_get(&response->headers, "Date");
	int64_t server_s, skew_s, change_s;

	if (!date || clock_parse_http(date, &server_s) < 0)
		return false;
	skew_s = server_s - clock_wall_s();
	change_s = skew_s - clock_skew_s();
	/* Many exchanges fail at once when a clock jumps: the first learns, the others were signed before. */
	if (change_s > -at_least_s && change_s < at_least_s)
		return clock_skew_is_set_within(SIGV4_SKEW_NEW_MS);
	clock_set_skew_s(skew_s);
	log_debug("sigv4.skew", "skew_s=%lld", (long long)skew_s);
	return true;
}

static bool is_one_of(const char *code, const char *const *codes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

static bool signer_reconsider(struct signer *s, const struct http_response *response,
			      const struct error *err)
{
	static const char *const clock_codes[] = {"RequestTimeTooSkewed", "RequestExpired",
						  "RequestInTheFuture"};
	static const char *const key_codes[] = {"ExpiredToken",
						"ExpiredTokenException",
						"InvalidToken",
						"TokenRefreshRequired",
						"InvalidAccessKeyId",
						"InvalidClientTokenId",
						"UnrecognizedClientException"};
	struct sigv4_signer *signer = to_sigv4(s);

	if (is_one_of(err->service_code, clock_codes, ARRAY_SIZE(clock_codes)))
		return sigv4_learn_skew(response, 2);
	/* The answer to HEAD has no body and so no code; "signature expired" has a general one. */
	if (response->status == 403 && sigv4_learn_skew(response, SIGV4_SKEW_SUSPECT_S))
		return true;
	if (err->kind != ERR_UNAUTHENTICATED &&
	    !is_one_of(err->service_code, key_codes, ARRAY_SIZE(key_codes)))
		return false;
	/* Many exchanges fail at once when keys end: the first forgets them, the others use the new
	 * ones. */
	if (cred_aws_is_fetched_within(signer->provider, SIGV4_JUST_FETCHED_MS))
		return true;
	return cred_aws_forget(signer->provider);
}

static void signer_release(struct signer *s)
{
	struct sigv4_signer *signer = to_sigv4(s);

	lock_destroy(&signer->lock);
	free(signer->service);
	free(signer);
}

static const struct signer_ops sigv4_signer_ops = {
	.is_ready = signer_is_ready,
	.prepare = signer_prepare,
	.sign = signer_sign,
	.reconsider = signer_reconsider,
	.free = signer_release,
};

int sigv4_signer_new(struct cred_aws_provider *provider, const char *region, const char *service,
		     struct signer **ret, struct error *err)
{
	struct sigv4_signer *signer = calloc(1, sizeof(*signer));
	char *name = strdup(service);

	if (!signer || !name) {
		free(signer);
		free(name);
		return error_set(err, ERR_NO_MEMORY, "no memory for a signer");
	}
	signer->base.ops = &sigv4_signer_ops;
	signer->provider = provider;
	signer->service = name;
	lock_init_ranked(&signer->lock, LOCK_AUTH);
	sigv4_signer_set_region(&signer->base, region);
	*ret = &signer->base;
	return 0;
}

void sigv4_signer_set_region(struct signer *s, const char *region)
{
	struct sigv4_signer *signer = to_sigv4(s);
	LOCKED(&signer->lock);

	(void)snprintf(signer->region, sizeof(signer->region), "%s",
		       region); /* no region is that long */
}
