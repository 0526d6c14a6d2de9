/* The string to sign, the signature, and the signer of an exchange; sign_sas.c has what goes into URLs. */
#include "backends/auth/sign_sharedkey.h"
#include "backends/auth/sign_sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/hash.h"

#include <ctype.h>
#include <strings.h>

#define STRING_MAX     (256 << 10)
#define KEY_BYTES_MAX  256
#define SKEW_SUSPECT_S 240 /* the service accepts 15 minutes */

void sharedkey_release(struct sharedkey *k)
{
	free(k->account);
	secret_release(&k->key);
	*k = SHAREDKEY_INIT;
}

static bool account_is_valid(const char *account)
{
	size_t len = strlen(account);

	return len > 0 && len <= 63 && strspn(account, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

int sharedkey_set(struct sharedkey *k, const char *what, const char *account, struct str key_base64,
		  struct error *err)
{
	struct buf raw = BUF_INIT(KEY_BYTES_MAX);
	int r = 0;

	if (!account_is_valid(account))
		return error_set(err, ERR_CONFIG, "'%.64s' is no name of an Azure storage account", account);
	if (buf_reserve(&raw, KEY_BYTES_MAX) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a key");
	if (base64_decode(str_trim(key_base64), &raw) < 0 || raw.len == 0)
		r = error_set(err, ERR_CONFIG, "%s is no account key (it should be base64)", what);
	if (r == 0) {
		k->account = strdup(account);
		if (!k->account || secret_set(&k->key, buf_str(&raw)) < 0)
			r = error_set(err, ERR_NO_MEMORY, "no memory for a key");
	}
	explicit_bzero(raw.data, raw.capacity);
	buf_release(&raw);
	return r;
}

/* The place of a character of a header's name in the service's order; 0: it does not count at first. */
static int weight(char c)
{
	if (c == '-')
		return 0;
	if (c == '_')
		return 1;
	return isdigit((unsigned char)c) ? 2 + (c - '0') : 12 + (tolower((unsigned char)c) - 'a' + 128);
}

static int compare_names(const char *a, const char *b)
{
	const char *x = a, *y = b;

	for (;; x++, y++) {
		x += strspn(x, "-");
		y += strspn(y, "-");
		if (!*x || !*y || weight(*x) != weight(*y))
			break;
	}
	if (*x || *y)
		return !*x ? -1 : !*y ? 1 : weight(*x) - weight(*y);
	/* The same but for hyphens: the one whose hyphen comes later goes first. */
	for (x = a, y = b; *x && *y; x++, y++)
		if ((*x == '-') != (*y == '-'))
			return *x == '-' ? 1 : -1;
	return (*x != '\0') - (*y != '\0');
}

static int compare_fields(const void *a, const void *b)
{
	const struct http_field *x = *(const struct http_field *const *)a;
	const struct http_field *y = *(const struct http_field *const *)b;
	int order = compare_names(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

static size_t take_ms_headers(const struct http_fields *from, const struct http_field **ret)
{
	size_t count = 0;

	for (size_t i = 0; i < from->count; i++) {
		if (strncasecmp(from->items[i].name, "x-ms-", 5) != 0)
			continue;
		ret[count++] = &from->items[i];
	}
	return count;
}

static int add_lower(struct buf *ret, const char *name)
{
	int r = 0;

	for (; r == 0 && *name; name++)
		r = buf_addc(ret, (char)tolower((unsigned char)*name));
	return r;
}

/* A value that is folded over lines is made one; ours never are, so trimming is all there is to do. */
static int add_ms_headers(const struct http_request *request, struct buf *ret)
{
	size_t most = request->headers.count + request->signed_headers.count;
	CLEANUP(freep) const struct http_field **fields = calloc(most + 1, sizeof(const struct http_field *));
	size_t count;
	int r = 0;

	if (!fields)
		return -ENOMEM;
	count = take_ms_headers(&request->headers, fields);
	count += take_ms_headers(&request->signed_headers, fields + count);
	qsort(fields, count, sizeof(const struct http_field *), compare_fields);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = add_lower(ret, fields[i]->name);
		if (r == 0)
			r = buf_addc(ret, ':');
		if (r == 0)
			r = buf_add_str(ret, str_trim(str_of(fields[i]->value)));
		if (r == 0)
			r = buf_addc(ret, '\n');
	}
	return r;
}

static int compare_query(const void *a, const void *b)
{
	const struct http_field *x = *(const struct http_field *const *)a;
	const struct http_field *y = *(const struct http_field *const *)b;
	int order = strcasecmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

/* "/account/path" and the parameters, decoded, several values of one name with commas between. */
static int add_resource(const struct http_request *request, const char *account, struct buf *ret)
{
	const struct http_fields *query = &request->query;
	CLEANUP(freep) const struct http_field **fields =
		calloc(query->count + 1, sizeof(const struct http_field *));
	int r;

	if (!fields)
		return -ENOMEM;
	for (size_t i = 0; i < query->count; i++)
		fields[i] = &query->items[i];
	qsort(fields, query->count, sizeof(const struct http_field *), compare_query);
	r = buf_addf(ret, "/%s%s", account, request->path);
	for (size_t i = 0; r == 0 && i < query->count; i++) {
		bool is_more = i > 0 && strcasecmp(fields[i]->name, fields[i - 1]->name) == 0;

		r = buf_addc(ret, is_more ? ',' : '\n');
		if (r == 0 && !is_more)
			r = add_lower(ret, fields[i]->name);
		if (r == 0 && !is_more)
			r = buf_addc(ret, ':');
		if (r == 0)
			r = buf_adds(ret, fields[i]->value);
	}
	return r;
}

int sharedkey_string_to_sign(const struct http_request *request, const char *account,
			     struct buf *ret, struct error *err)
{
	/* Date stays empty: x-ms-date is signed in its place. Content-Length is empty for no body. */
	static const char *const before[] = { "Content-Encoding", "Content-Language" };
	static const char *const behind[] = { "Content-MD5", "Content-Type", NULL, "If-Modified-Since",
					      "If-Match", "If-None-Match", "If-Unmodified-Since", "Range" };
	uint64_t length = http_body_length(&request->body);
	int r = buf_addf(ret, "%s\n", http_method_name(request->method));

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(before); i++) {
		const char *value = http_fields_get(&request->headers, before[i]);

		r = buf_addf(ret, "%s\n", value ? value : "");
	}
	if (r == 0)
		r = length ? buf_addf(ret, "%llu\n", (unsigned long long)length) : buf_addc(ret, '\n');
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(behind); i++) {
		const char *value = behind[i] ? http_fields_get(&request->headers, behind[i]) : NULL;

		r = buf_addf(ret, "%s\n", value ? value : "");
	}
	if (r == 0)
		r = add_ms_headers(request, ret);
	if (r == 0)
		r = add_resource(request, account, ret);
	return r < 0 ? error_set(err, r == -EFBIG ? ERR_TOO_LARGE : ERR_NO_MEMORY,
				 "a request cannot be signed")
		     : 0;
}

int sharedkey_signature(struct str key, struct str string_to_sign, struct buf *ret)
{
	unsigned char digest[HASH_SHA256_LEN];

	hash_hmac_sha256(key.ptr, key.len, string_to_sign.ptr, string_to_sign.len, digest);
	return base64_encode(digest, sizeof(digest), ret);
}

int sharedkey_sign(const struct sharedkey *k, int64_t wall_s, struct http_request *request,
		   struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(STRING_MAX);
	CLEANUP(buf_release) struct buf signature = BUF_INIT(64);
	char date[30];
	int r;

	clock_format_http(wall_s, date);
	if ((r = http_fields_set(&request->signed_headers, "x-ms-date", date, err)) < 0 ||
	    (r = sharedkey_string_to_sign(request, k->account, &text, err)) < 0)
		return r;
	if (sharedkey_signature(secret_str(&k->key), buf_str(&text), &signature) < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signature");
	return http_fields_addf(&request->signed_headers, err, "Authorization", "SharedKey %s:%s",
				k->account, buf_cstr(&signature));
}

struct sharedkey_signer {
	struct signer base;
	const struct sharedkey *key;
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

static int sign_request(struct signer *s, struct http_request *request, struct error *err)
{
	struct sharedkey_signer *signer = container_of(s, struct sharedkey_signer, base);

	return sharedkey_sign(signer->key, clock_wall_s() + clock_skew_s(), request, err);
}

/* A wrong clock and a wrong key look alike, but for the Date of the answer. */
static bool reconsider(struct signer *s, const struct http_response *response,
		       const struct error *err)
{
	(void)s, (void)err;
	return response->status == 403 && sigv4_learn_skew(response, SKEW_SUSPECT_S);
}

static void signer_release(struct signer *s)
{
	free(container_of(s, struct sharedkey_signer, base));
}

static const struct signer_ops sharedkey_signer_ops = {
	.is_ready = always_ready,
	.prepare = nothing_to_prepare,
	.sign = sign_request,
	.reconsider = reconsider,
	.free = signer_release,
};

int sharedkey_signer_new(const struct sharedkey *k, struct signer **ret, struct error *err)
{
	struct sharedkey_signer *signer = calloc(1, sizeof(*signer));

	if (!signer)
		return error_set(err, ERR_NO_MEMORY, "no memory for a signer");
	signer->base.ops = &sharedkey_signer_ops;
	signer->key = k;
	*ret = &signer->base;
	return 0;
}
