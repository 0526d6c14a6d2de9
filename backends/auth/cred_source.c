/* What the sources of AWS credentials share: checks of what comes from outside. */
#include "backends/auth/cred_source.h"
#include "backends/base/clock.h"
#include "backends/base/json.h"

#define CRED_KEY_ID_BYTES 256
#define CRED_TOKEN_BYTES  32768

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
