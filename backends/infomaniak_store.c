/*
 * Infomaniak's object storage as one type of store with two faces: Swift by the application credential, and S3 by a pair of
 * keys, given or kept by Keystone. It stands in this room because it is put together of two providers.
 *
 * Which face: `face`; else S3 where S3 keys are given, else Swift. An option goes before the environment.
 *
 * Source: docs.infomaniak.cloud (object storage: endpoints s3.pub1.infomaniak.cloud, s3.pub2.infomaniak.cloud; regions dc3-a
 *	of the first, dc4-a of the second), read 2026-11.
 */
#include "backends/auth/cred_keystone.h"
#include "backends/aws/s3.h"
#include "backends/base/clock.h"
#include "backends/openstack/openstack.h"
#include "backends/openstack/swift.h"
#include "backends/providers.h"

extern const struct provider provider_infomaniak;

static const struct provider_option option_rows[] = {
	OPENSTACK_OPTION_ROWS,
	{ "storage-url", "address of the account for the Swift face (default: by the catalogue)", false },
	{ "temp-url-key", "key that signs temporary URLs (default: the container's or the account's)", true },
	{ "face", "s3, swift, or auto: S3 where S3 keys are given, else Swift", false },
	{ "endpoint", "address of the S3 face (default: INFOMANIAK_S3_ENDPOINT, else by the region)", false },
	{ "s3-region", "the region that S3 requests are signed for (default: INFOMANIAK_S3_REGION, us-east-1)", false },
	{ "access-key-id", "S3 access key (default: INFOMANIAK_S3_ACCESS_KEY, else what Keystone keeps)", false },
	{ "secret-access-key", "the secret that belongs to access-key-id", true },
	{ NULL, NULL, false },
};

/* Where the regions' S3 faces are. */
static const struct {
	const char *region, *endpoint;
} regions[] = {
	{ "dc3-a", "https://s3.pub1.infomaniak.cloud" },
	{ "pub1", "https://s3.pub1.infomaniak.cloud" },
	{ "dc4-a", "https://s3.pub2.infomaniak.cloud" },
	{ "pub2", "https://s3.pub2.infomaniak.cloud" },
};

enum face { FACE_AUTO, FACE_S3, FACE_SWIFT };
/* Strings borrow from the values and the environment. */
struct settings {
	enum face face;
	const char *endpoint, *s3_region, *access_key_id, *secret_access_key;
	const char *key_names; /* of the two, where they are not the options; NULL */
	const char *storage_url, *temp_url_key;
	struct keystone_options keystone;
	double rate_per_s;
};

static const char *environment(const struct backend_context *context, const char *name)
{
	const char *value = context->getenv(name);

	return value && *value ? value : NULL;
}

static int read_face(const struct provider_value *v, enum face *ret, struct error *err)
{
	static const char *const names[] = { [FACE_AUTO] = "auto", [FACE_S3] = "s3", [FACE_SWIFT] = "swift" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(v->value, names[i]) != 0)
			continue;
		*ret = (enum face)i;
		return 0;
	}
	return setting_bad(v, "s3, swift or auto", err);
}

static int read_value(struct settings *set, const struct provider_value *v, struct error *err)
{
	const struct setting_text texts[] = {
		{ "endpoint", &set->endpoint },
		{ "s3-region", &set->s3_region },
		{ "access-key-id", &set->access_key_id },
		{ "secret-access-key", &set->secret_access_key },
		{ "storage-url", &set->storage_url },
		{ "temp-url-key", &set->temp_url_key },
	};
	bool is_known = false;
	int r = openstack_read_option(v, &set->keystone, &set->rate_per_s, &is_known, err);

	if (r < 0 || is_known)
		return r;
	if (!strcmp(v->key, "face"))
		return read_face(v, &set->face, err);
	return setting_text(v, texts, ARRAY_SIZE(texts)) ? 0 : setting_unknown(v, "infomaniak", err);
}

/* The pair comes from one place: half from the file and half from the environment would be nobody's. */
static int read_keys(const struct backend_context *context, struct settings *set, struct error *err)
{
	if (!set->access_key_id != !set->secret_access_key)
		return error_set(err, ERR_CONFIG, "access-key-id and secret-access-key go together, %s is missing",
				 set->access_key_id ? "secret-access-key" : "access-key-id");
	if (set->access_key_id)
		return 0;
	set->access_key_id = environment(context, "INFOMANIAK_S3_ACCESS_KEY");
	set->secret_access_key = environment(context, "INFOMANIAK_S3_SECRET_KEY");
	set->key_names = "INFOMANIAK_S3_ACCESS_KEY, INFOMANIAK_S3_SECRET_KEY";
	if (!set->access_key_id != !set->secret_access_key)
		return error_set(err, ERR_CONFIG, "%s is set but %s is not",
				 set->access_key_id ? "INFOMANIAK_S3_ACCESS_KEY" : "INFOMANIAK_S3_SECRET_KEY",
				 set->access_key_id ? "INFOMANIAK_S3_SECRET_KEY" : "INFOMANIAK_S3_ACCESS_KEY");
	return 0;
}

static int choose_endpoint(const struct backend_context *context, struct settings *set, struct error *err)
{
	const char *region = set->keystone.region ? set->keystone.region : environment(context, "INFOMANIAK_REGION");

	if (!set->s3_region)
		set->s3_region = environment(context, "INFOMANIAK_S3_REGION");
	if (!set->s3_region)
		set->s3_region = "us-east-1"; /* what the service's own documentation signs for */
	if (!set->endpoint)
		set->endpoint = environment(context, "INFOMANIAK_S3_ENDPOINT");
	for (size_t i = 0; i < ARRAY_SIZE(regions) && region && !set->endpoint; i++)
		if (!strcmp(regions[i].region, region))
			set->endpoint = regions[i].endpoint;
	if (!set->endpoint && region)
		return error_set(err, ERR_CONFIG, "where the S3 face of region '%.40s' is, is not known (known: dc3-a or pub1, dc4-a or pub2; "
				 "else set endpoint or INFOMANIAK_S3_ENDPOINT)", region);
	if (!set->endpoint)
		set->endpoint = regions[0].endpoint;
	return 0;
}

static int open_s3(const struct backend_context *context, const struct cred_host *host, struct settings *set, const char *name,
		   struct store **ret, struct error *err)
{
	struct cred_aws_options cred = { .access_key_id = set->access_key_id, .secret_access_key = set->secret_access_key,
					 .names = set->key_names };
	struct s3_options s3 = { .style = S3_STYLE_PATH, .marks_directories = true, .rate_per_s = set->rate_per_s };
	int r = choose_endpoint(context, set, err);

	s3.endpoint = set->endpoint;
	s3.region = set->s3_region;
	if (r == 0 && !set->access_key_id)
		r = keystone_new(host, &set->keystone, &cred.keystone, err);
	if (r == 0)
		r = cred_aws_provider_new(host, &cred, &s3.provider, err);
	if (r < 0) {
		keystone_free(cred.keystone);
		return r;
	}
	r = s3_store_new(name, context->engine, &s3, ret, err);
	if (r < 0)
		cred_aws_provider_free(s3.provider);
	return r;
}

static int open_swift(const struct backend_context *context, const struct cred_host *host, const struct settings *set,
		      const char *name, struct store **ret, struct error *err)
{
	struct swift_options swift = { .storage_url = set->storage_url,
				       .temp_url_key = set->temp_url_key,
				       .rate_per_s = set->rate_per_s };
	int r = keystone_new(host, &set->keystone, &swift.keystone, err);

	if (r < 0)
		return r;
	r = swift_store_new(name, context->engine, &swift, ret, err);
	if (r < 0)
		keystone_free(swift.keystone);
	return r;
}

static int store_new(const struct backend_context *context, const char *name, const struct provider_value *values,
		     size_t count, struct store **ret, struct error *err)
{
	struct cred_host host = { .getenv = context->getenv, .wall_s = clock_wall_s, .engine = context->engine };
	struct settings set = { .keystone = { .flavour = KEYSTONE_INFOMANIAK } };
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = read_value(&set, &values[i], err);
	if (r == 0 && set.face != FACE_SWIFT)
		r = read_keys(context, &set, err);
	if (r == 0 && set.face == FACE_AUTO)
		set.face = set.access_key_id ? FACE_S3 : FACE_SWIFT;
	if (r == 0)
		r = set.face == FACE_S3 ? open_s3(context, &host, &set, name, ret, err) :
					  open_swift(context, &host, &set, name, ret, err);
	return r < 0 ? error_prefix(err, r, "store '%s'", name) : 0;
}

static bool is_configured(const struct backend_context *context)
{
	return environment(context, "INFOMANIAK_S3_ACCESS_KEY") || environment(context, "INFOMANIAK_S3_SECRET_KEY") ||
	       openstack_is_configured(KEYSTONE_INFOMANIAK, context);
}

const struct provider provider_infomaniak = {
	.type = "infomaniak",
	.summary = "Infomaniak object storage (S3 and Swift)",
	.options = option_rows,
	.is_configured = is_configured,
	.store_new = store_new,
};
