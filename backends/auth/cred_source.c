/* What the sources share: variables, checks of what comes from outside, and one small HTTP call. */
#include "backends/auth/cred_source.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/http/engine.h"

#define CRED_KEY_ID_BYTES 256
#define CRED_TOKEN_BYTES  32768

const char *cred_getenv(const struct cred_context *c, const char *name)
{
	const char *value = c->host->getenv(name);

	return value && *value ? value : NULL;
}

const char *cred_getenv_any(const struct cred_context *c, const char *const *names)
{
	for (; *names; names++) {
		const char *value = cred_getenv(c, *names);

		if (value)
			return value;
	}
	return NULL;
}

int64_t cred_now_s(const struct cred_context *c)
{
	return c->host->wall_s() + clock_skew_s();
}

/* Key ids and tokens go into header lines; a secret does not, and some servers let people choose
 * theirs freely. */
static bool is_printable(struct str text, size_t max_bytes)
{
	if (text.len > max_bytes)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	return true;
}

int cred_set(struct cred_aws *ret, const char *source, struct str access_key_id, struct str secret,
	     struct str token, int64_t expires_wall_s, struct error *err)
{
	struct cred_aws made = {.expires_wall_s = expires_wall_s, .source = source};

	if (access_key_id.len == 0 || secret.len == 0)
		return error_set(err, ERR_CONFIG,
				 "%s gives an access key id or a secret access key that is empty",
				 source);
	if (!is_printable(access_key_id, CRED_KEY_ID_BYTES) ||
	    memchr(access_key_id.ptr, '/', access_key_id.len) || secret.len > CRED_TOKEN_BYTES ||
	    memchr(secret.ptr, '\n', secret.len) || !is_printable(token, CRED_TOKEN_BYTES))
		return error_set(err, ERR_CONFIG,
				 "%s gives AWS credentials with bytes that no key has", source);
	made.access_key_id = str_dup(access_key_id);
	if (!made.access_key_id || secret_set(&made.secret_access_key, secret) < 0 ||
	    (token.len && secret_set(&made.session_token, token) < 0)) {
		cred_aws_release(&made);
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	}
	cred_aws_release(ret);
	*ret = made;
	return 0;
}

int cred_set_json(struct cred_aws *ret, const char *source, struct str text, const char *token_key,
		  struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *id, *secret, *expiration;
	int64_t expires_ns = 0;
	int r = json_parse(text, CRED_MAX_BYTES, &o, NULL);

	/* The parser's own words could quote the text, which is secret. */
	if (r < 0)
		return error_set(err, ERR_PROTOCOL, "%s answers something that is no JSON object",
				 source);
	id = json_get_string(o, "AccessKeyId");
	secret = json_get_string(o, "SecretAccessKey");
	expiration = json_get_string(o, "Expiration");
	if (!id || !secret)
		return error_set(err, ERR_PROTOCOL,
				 "%s answers without AccessKeyId or SecretAccessKey", source);
	if (expiration && *expiration && clock_parse_iso8601(expiration, &expires_ns) < 0)
		return error_set(err, ERR_PROTOCOL, "%s answers with an Expiration that is no date",
				 source);
	return cred_set(ret, source, str_of(id), str_of(secret),
			str_of(json_get_string(o, token_key)), expires_ns / 1000000000, err);
}

int cred_buf_init(struct buf *b, struct error *err)
{
	*b = BUF_INIT(CRED_MAX_BYTES);
	if (buf_reserve(b, CRED_MAX_BYTES) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for credentials");
	return 0;
}

void cred_buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buf_release(b);
}

static void wipe_field_values(struct http_fields *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].value)
			explicit_bzero(f->items[i].value, strlen(f->items[i].value));
}

static void call_cleanup(struct http_request *request)
{
	wipe_field_values(&request->headers); /* tokens */
	http_request_release(request);
}

static int append_path(struct http_request *request, const char *path, struct error *err)
{
	const char *begin = request->path ? request->path : "";
	char *whole = str_format("%s%s", begin, path ? path : *begin ? "" : "/");

	if (!whole)
		return error_set(err, ERR_NO_MEMORY, "no memory for a request");
	free(request->path);
	request->path = whole;
	return 0;
}

int cred_call(const struct cred_context *c, struct cred_call *call, struct buf *ret,
	      struct error *err)
{
	CLEANUP(call_cleanup) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	int r;

	request.query = call->query;
	request.headers = call->headers;
	call->query = call->headers = (struct http_fields){0};
	if (!c->host->engine)
		return error_set(err, ERR_UNSUPPORTED, "no network to fetch AWS credentials with");
	if ((r = http_request_set_base(&request, call->url, err)) < 0)
		return r;
	if ((r = append_path(&request, call->path, err)) < 0)
		return r;
	request.method = call->method;
	if (call->body.len)
		request.body =
			(struct http_body){.kind = HTTP_BODY_MEM, .mem = call->body, .fd = -1};
	request.sink.kind = HTTP_SINK_BUF;
	request.sink.buf = ret;
	request.cancel = c->cancel;
	request.store = "auth";
	request.operation = call->operation;
	request.is_idempotent = true; /* asking twice gives two sets of keys, and no harm */
	request.deadline_mono_ms = clock_mono_ms() + call->timeout_ms;
	request.max_attempts = call->max_attempts;
	request.classify = call->classify;
	if (call->sign && (r = call->sign(call->sign_arg, &request, err)) < 0)
		return r;
	r = http_perform(c->host->engine, &request, &response, err);
	if (r < 0 && response.status == 403 && call->sign && sigv4_learn_skew(&response, 60)) {
		http_response_release(&response);
		response = HTTP_RESPONSE_INIT;
		if ((r = call->sign(call->sign_arg, &request, err)) == 0)
			r = http_perform(c->host->engine, &request, &response, err);
	}
	return r;
}

bool cred_region_is_valid(const char *region)
{
	size_t len = strlen(region);

	return len > 0 && len < 48 && region[0] != '-' &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

const char *cred_dns_suffix(const char *region)
{
	static const struct {
		const char *prefix, *suffix;
	} partitions[] = {
		{"cn-", "amazonaws.com.cn"},	{"us-iso-", "c2s.ic.gov"},
		{"us-isob-", "sc2s.sgov.gov"},	{"eu-isoe-", "cloud.adc-e.uk"},
		{"us-isof-", "csp.hci.ic.gov"}, {"eusc-", "amazonaws.eu"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(partitions); i++)
		if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
			return partitions[i].suffix;
	return "amazonaws.com";
}
