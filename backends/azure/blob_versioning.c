/*
 * Whether old versions are kept: a setting of the account, of all its containers at once, which the Resource Manager alone tells
 * and changes, to who has a token for it. No key and no SAS is of use there.
 *
 * Source: learn.microsoft.com/rest/api/storagerp/blob-services/get-service-properties and set-service-properties,
 * storage-accounts/list; learn.microsoft.com/azure/storage/blobs/versioning-enable (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/azure/cloud_azure.h"
#include "backends/base/json.h"

#define ARM_STORAGE "2023-05-01"

extern const struct cloud_driver cloud_azure;

static bool is_arm_option(const char *key)
{
	if (!strcmp(key, "rate-limit")) /* of the blobs */
		return false;
	for (const struct provider_option *o = cloud_azure.options; o->key; o++)
		if (!strcmp(o->key, key))
			return true;
	return false;
}

int azure_store_arm(const struct backend_context *context, const char *name, const struct provider_value *values,
		    size_t count, struct cloud **ret, struct error *err)
{
	CLEANUP(freep) struct provider_value *own = calloc(count + 1, sizeof(*own));
	struct cloud_settings settings = { .name = name, .values = own };

	if (!own)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		if (is_arm_option(values[i].key))
			own[settings.count++] = values[i];
	return cloud_azure.open(context, &settings, ret, err);
}

void azure_store_arm_free(struct cloud *arm)
{
	cloud_free(arm);
}

/* One call of the Resource Manager for this store. */
struct asked {
	struct az_store *store;
	struct cloud_call call;
};

static int begin(struct az_store *s, struct asked *ret, struct error *err)
{
	*ret = (struct asked){ .store = s, .call = CLOUD_CALL_INIT };
	if (!s->arm)
		return error_set(err, ERR_UNSUPPORTED,
				 "azure keeps old versions by a setting of the whole account, which needs a token for the Resource "
				 "Manager (sign in by client-id and client-secret, az login, ..., and set subscription-id)");
	ret->call.cloud = s->arm;
	ret->call.operation = "buckets.versioning";
	ret->call.params = json_object_new_object();
	return ret->call.params ? 0 : error_no_memory(err);
}

static void end(struct asked *a)
{
	json_object_put(a->call.params);
}

struct search {
	const char *name;
	char *id; /* heap */
};

static int is_ours(void *arg, struct json_object *account, struct error *err)
{
	struct search *search = arg;
	const char *name = json_get_string(account, "name"), *id = json_get_string(account, "id");

	if (!name || !id || strcmp(name, search->name) != 0)
		return 0;
	search->id = strdup(id);
	return search->id ? 1 : error_no_memory(err);
}

/* The account among those of the subscription. */
static int find_account(struct asked *a, char **ret_path, struct error *err)
{
	static const char *const all[] = { "providers", "Microsoft.Storage", "storageAccounts", NULL };
	CLEANUP(freep) char *path = NULL;
	struct search search = { .name = a->store->account };
	int r = arm_path(&a->call, NULL, all, &path, err);

	if (r == 0)
		r = arm_pages(&a->call, path, ARM_STORAGE, NULL, NULL, is_ours, &search, err);
	if (r >= 0 && !search.id)
		r = error_set(err, ERR_NOT_FOUND, "the subscription has no storage account '%s' (set subscription-id, resource-group)",
			      a->store->account);
	if (r >= 0)
		r = arm_id_path(search.id, ret_path, err);
	free(search.id);
	return r < 0 ? r : 0;
}

/* The path of the account's blob service. Heap. */
static int service_path(struct asked *a, char **ret, struct error *err)
{
	const char *const pieces[] = { "providers", "Microsoft.Storage", "storageAccounts", a->store->account, NULL };
	const char *group = container_of(a->store->arm, struct azure_cloud, base)->group;
	CLEANUP(freep) char *account = NULL;
	int r = group ? arm_path(&a->call, group, pieces, &account, err) : find_account(a, &account, err);

	if (r < 0)
		return r;
	*ret = str_format("%s/blobServices/default", account);
	return *ret ? 0 : error_no_memory(err);
}

/* *ret: {"properties": {...}}, the caller's to put. */
static int read_service(struct asked *a, char **ret_path, struct json_object **ret, struct error *err)
{
	int r = service_path(a, ret_path, err);

	if (r == 0)
		r = arm_get(&a->call, *ret_path, ARM_STORAGE, NULL, ret, err);
	if (r == 0 && !json_object_is_type(json_get(*ret, "properties"), json_type_object))
		r = error_set(err, ERR_PROTOCOL, "the Resource Manager tells nothing of the account's blob service");
	return r;
}

int az_versioning_get(struct store *store, const char *container, bool *ret_is_on, struct error *err)
{
	CLEANUP(json_putp) struct json_object *service = NULL;
	CLEANUP(freep) char *path = NULL;
	struct asked a;
	int r = begin(az_of(store), &a, err);

	if (r == 0)
		r = az_bucket_exists(store, container, err);
	if (r == 0)
		r = read_service(&a, &path, &service, err);
	if (r == 0)
		*ret_is_on = json_get_bool(service, "properties.isVersioningEnabled", false);
	end(&a);
	return r;
}

/* What is not sent would be set to its standard: all that was told goes back along. */
static int write_service(struct asked *a, const char *path, struct json_object *service, bool is_on, struct error *err)
{
	struct json_object *properties = json_get(service, "properties");
	CLEANUP(json_putp) struct json_object *body = json_object_new_object();
	const struct arm_change change = { .method = HTTP_PUT, .path = path, .api = ARM_STORAGE };

	if (!body || json_object_object_add(properties, "isVersioningEnabled", json_object_new_boolean(is_on)) < 0 ||
	    json_object_object_add(body, "properties", json_object_get(properties)) < 0)
		return error_no_memory(err);
	return arm_change(&a->call, &change, steal(body), NULL, err);
}

int az_versioning_set(struct store *store, const char *container, bool is_on, struct error *err)
{
	CLEANUP(json_putp) struct json_object *service = NULL;
	CLEANUP(freep) char *path = NULL;
	struct asked a;
	int r = begin(az_of(store), &a, err);

	if (r == 0)
		r = az_bucket_exists(store, container, err);
	if (r == 0)
		r = read_service(&a, &path, &service, err);
	if (r == 0 && json_get_bool(service, "properties.isVersioningEnabled", false) != is_on)
		r = write_service(&a, path, service, is_on, err);
	end(&a);
	return r;
}
