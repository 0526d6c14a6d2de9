/*
 * Which region, and so which signer, a bucket wants.
 *
 * A store has one region of its own and learns of buckets elsewhere from the answers
 * (x-amz-bucket-region, the Region of an AuthorizationHeaderMalformed). What is learnt is
 * remembered per bucket, so that it costs one redo, once. A region's name becomes part of a host
 * name, and it comes from the network: it is checked.
 */
#include "backends/aws/s3_private.h"
#include "backends/base/xml.h"
#include <stdio.h>

bool s3_region_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= S3_REGION_MAX || name[0] == '-' || name[len - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

unsigned s3_region_of(struct s3_store *s, const char *bucket)
{
	LOCKED(&s->lock);

	for (unsigned i = 0; bucket && i < s->bucket_count; i++)
		if (!strcmp(s->buckets[i].bucket, bucket))
			return s->buckets[i].region;
	return s->default_region;
}

const char *s3_region_name(struct s3_store *s, unsigned region)
{
	LOCKED(&s->lock);

	assert(region < s->region_count);
	return s->regions[region].name; /* immutable from here on */
}

struct signer *s3_region_signer(struct s3_store *s, unsigned region)
{
	LOCKED(&s->lock);

	assert(region < s->region_count);
	return s->regions[region].signer;
}

int s3_region_add(struct s3_store *s, const char *name, unsigned *ret, struct error *err)
{
	LOCKED(&s->lock);
	struct s3_region *added;
	int r;

	for (unsigned i = 0; i < s->region_count; i++) {
		if (!strcmp(s->regions[i].name, name)) {
			*ret = i;
			return 0;
		}
	}
	if (s->region_count == S3_REGIONS)
		return error_set(err, ERR_PROTOCOL, "the service named more than %d regions",
				 S3_REGIONS);
	added = &s->regions[s->region_count];
	(void)snprintf(added->name, sizeof(added->name), "%s", name);
	r = sigv4_signer_new(s->provider, added->name, "s3", &added->signer, err);
	if (r < 0)
		return r;
	*ret = s->region_count++;
	return 0;
}

void s3_region_remember(struct s3_store *s, const char *bucket, unsigned region)
{
	LOCKED(&s->lock);
	struct s3_bucket_region *place = NULL;

	/* A server of one's own has one region: what one bucket tells holds for all. */
	if (!bucket || !s->is_aws) {
		s->default_region = region;
		return;
	}
	if (strlen(bucket) >= sizeof(place->bucket))
		return;
	for (unsigned i = 0; i < s->bucket_count && !place; i++)
		if (!strcmp(s->buckets[i].bucket, bucket))
			place = &s->buckets[i];
	if (!place && s->bucket_count < S3_BUCKETS_KNOWN)
		place = &s->buckets[s->bucket_count++];
	if (!place) {
		place = &s->buckets[s->bucket_next];
		s->bucket_next = (s->bucket_next + 1) % S3_BUCKETS_KNOWN;
	}
	(void)snprintf(place->bucket, sizeof(place->bucket), "%s", bucket);
	place->region = region;
}

/* "the region 'us-east-1' is wrong; expecting 'eu-west-1'" */
static void region_of_message(const char *message, char ret[S3_REGION_MAX])
{
	static const char marker[] = "expecting '";
	const char *begin = strstr(message, marker);
	const char *end = begin ? strchr(begin + sizeof(marker) - 1, '\'') : NULL;

	if (!end || (size_t)(end - begin) - (sizeof(marker) - 1) >= S3_REGION_MAX)
		return;
	(void)snprintf(ret, S3_REGION_MAX, "%.*s", (int)(end - begin - (long)(sizeof(marker) - 1)),
		       begin + sizeof(marker) - 1);
}

static void region_of_answer(const struct http_response *response, char ret[S3_REGION_MAX])
{
	const char *header = http_fields_get(&response->headers, "x-amz-bucket-region");
	struct s3_error_text t;

	ret[0] = '\0';
	if (header && strlen(header) < S3_REGION_MAX) {
		(void)snprintf(ret, S3_REGION_MAX, "%s", header);
		return;
	}
	s3_error_read(buf_str(&response->error_body), &t);
	if (t.region[0])
		(void)snprintf(ret, S3_REGION_MAX, "%s", t.region);
	else if (!strcmp(t.code, "AuthorizationHeaderMalformed"))
		region_of_message(t.message, ret);
}

bool s3_region_learn(struct s3_call *c, unsigned *region)
{
	struct error ignored = ERROR_INIT;
	char name[S3_REGION_MAX];
	int status = c->response.status;
	unsigned learnt = 0;
	bool is_redirect = status == 301 || status == 302 || status == 307 || status == 308;

	if (c->keeps_region || (!is_redirect && status != 400 && status != 403))
		return false;
	region_of_answer(&c->response, name);
	if (!name[0] && is_redirect && c->bucket && c->store->is_aws &&
	    s3_bucket_location(c->store, c->bucket, name, &ignored) < 0)
		return false;
	if (!s3_region_name_is_valid(name) || s3_region_add(c->store, name, &learnt, &ignored) < 0)
		return false;
	if (learnt == *region)
		return false;
	s3_region_remember(c->store, c->bucket, learnt);
	*region = learnt;
	return true;
}

int s3_bucket_location(struct s3_store *s, const char *bucket, char ret[S3_REGION_MAX],
		       struct error *err)
{
	CLEANUP(s3_call_release)
	struct s3_call c = S3_CALL_INIT(s, HTTP_GET, "GetBucketLocation", bucket, NULL);
	CLEANUP(buf_release) struct buf text = BUF_INIT(256);
	int r;

	c.keeps_region = true;
	s3_call_query(&c, "location", "");
	s3_call_answer(&c, "LocationConstraint");
	r = s3_call_perform(&c, err);
	if (r < 0)
		return r;
	r = xml_find(str_trim(buf_str(&c.answer)), "LocationConstraint", &text, err);
	if (r < 0)
		return r;
	if (text.len == 0)
		(void)snprintf(ret, S3_REGION_MAX, "us-east-1"); /* the one without a name here */
	else if (!strcmp(buf_cstr(&text), "EU"))
		(void)snprintf(ret, S3_REGION_MAX, "eu-west-1");
	else if (s3_region_name_is_valid(buf_cstr(&text)))
		(void)snprintf(ret, S3_REGION_MAX, "%s", buf_cstr(&text));
	else
		return error_set(err, ERR_PROTOCOL, "the service named a region that is none");
	return 0;
}
