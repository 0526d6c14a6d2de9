/*
 * The row of Azure Blob Storage in the table of providers: its options, the standard places it is configured from, and how
 * a store is made from them.
 *
 * Source: learn.microsoft.com/cli/azure/storage (variables) and learn.microsoft.com/azure/storage/common/
 * storage-configure-connection-string (2026-11).
 */
#include "backends/auth/cred_azure.h"
#include "backends/azure/blob.h"
#include "backends/providers.h"

extern const struct provider provider_azure;

static const struct provider_option azure_option_rows[] = {
	{ "account", "the storage account (default: AZURE_STORAGE_ACCOUNT, the connection string's)", false },
	{ "account-key", "one of its two keys", true },
	{ "sas-token", "a shared access signature instead of a key", true },
	{ "connection-string", "account, endpoint and secret in one (default: AZURE_STORAGE_CONNECTION_STRING)", true },
	{ "endpoint", "the blob service's URL (default: https://ACCOUNT.blob.core.windows.net)", false },
	{ "dfs-endpoint", "the Data Lake's URL (default: the endpoint's with .dfs. for .blob.)", false },
	{ "hierarchical-namespace", "yes, no, or auto: whether the account has real directories", false },
	{ "tenant-id", "the tenant of a service principal (default: AZURE_TENANT_ID)", false },
	{ "client-id", "its client id, or a managed identity's (default: AZURE_CLIENT_ID)", false },
	{ "client-secret", "its secret (default: AZURE_CLIENT_SECRET)", true },
	{ "client-certificate", "a PEM file with its certificate and key (default: AZURE_CLIENT_CERTIFICATE_PATH)",
	  false },
	{ "federated-token-file", "a workload's token (default: AZURE_FEDERATED_TOKEN_FILE)", false },
	{ "use-metadata-service", "yes: ask this machine's managed identity for a token, too", false },
	{ "subscription-id", "the account's subscription, for versioning (default: AZURE_SUBSCRIPTION_ID, the Azure CLI's)", false },
	{ "resource-group", "the account's resource group (default: AZURE_DEFAULTS_GROUP, else looked for)", false },
	{ "management-endpoint", "the URL of the Resource Manager (default: https://management.azure.com)", false },
	{ "checksum", "crc64, md5, or auto: what is sent along with bytes (auto: crc64, md5 for emulators)", false },
	{ "anonymous", "yes: send no credentials, for public containers", false },
	{ "delete-snapshots", "yes: a blob that has snapshots is deleted with them (default: it stays)", false },
	{ "rate-limit", "at most so many requests a second (default: no limit)", false },
	{ 0 },
};

/* What the values of one store say; strings borrow from them. */
struct settings {
	struct azure_options store;
	struct cred_azure_options cred;
	const char *subscription, *group, *management; /* read by cloud_azure.c */
};

static int read_namespace(const struct provider_value *v, enum azure_namespace *ret, struct error *err)
{
	enum setting_choice choice = SETTING_AUTO;
	int r = setting_choice(v, &choice, err);

	*ret = choice == SETTING_AUTO ? AZURE_NAMESPACE_AUTO :
	       choice == SETTING_YES  ? AZURE_NAMESPACE_HIERARCHICAL :
					AZURE_NAMESPACE_FLAT;
	return r;
}

static int read_checksum(const struct provider_value *v, enum azure_checksum *ret, struct error *err)
{
	static const struct {
		struct str name;
		enum azure_checksum value;
	} rows[] = {
		{ STR("auto"), AZURE_CHECKSUM_AUTO },
		{ STR("crc64"), AZURE_CHECKSUM_CRC64 },
		{ STR("md5"), AZURE_CHECKSUM_MD5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_equal_nocase(str_trim(str_of(v->value)), rows[i].name)) {
			*ret = rows[i].value;
			return 0;
		}
	return setting_bad(v, "auto, crc64 or md5", err);
}

static bool is_text_option(struct settings *set, const struct provider_value *v)
{
	const struct setting_text texts[] = {
		{ "account", &set->store.account },
		{ "account-key", &set->cred.account_key },
		{ "sas-token", &set->cred.sas_token },
		{ "connection-string", &set->cred.connection_string },
		{ "endpoint", &set->store.endpoint },
		{ "dfs-endpoint", &set->store.dfs_endpoint },
		{ "tenant-id", &set->cred.tenant_id },
		{ "client-id", &set->cred.client_id },
		{ "client-secret", &set->cred.client_secret },
		{ "client-certificate", &set->cred.client_certificate },
		{ "federated-token-file", &set->cred.federated_token_file },
		{ "subscription-id", &set->subscription },
		{ "resource-group", &set->group },
		{ "management-endpoint", &set->management },
	};

	return setting_text(v, texts, ARRAY_SIZE(texts));
}

static int read_value(struct settings *set, const struct provider_value *v, struct error *err)
{
	if (is_text_option(set, v))
		return 0;
	if (!strcmp(v->key, "hierarchical-namespace"))
		return read_namespace(v, &set->store.hierarchical, err);
	if (!strcmp(v->key, "checksum"))
		return read_checksum(v, &set->store.checksum, err);
	if (!strcmp(v->key, "use-metadata-service"))
		return setting_flag(v, &set->cred.use_metadata_service, err);
	if (!strcmp(v->key, "anonymous"))
		return setting_flag(v, &set->cred.is_anonymous, err);
	if (!strcmp(v->key, "delete-snapshots"))
		return setting_flag(v, &set->store.deletes_snapshots, err);
	if (!strcmp(v->key, "rate-limit"))
		return setting_rate(v, &set->store.rate_per_s, err);
	return setting_unknown(v, "azure", err);
}

static int store_new(const struct backend_context *context, const char *name,
		     const struct provider_value *values, size_t count, struct store **ret,
		     struct error *err)
{
	struct settings set = { 0 };
	struct cred_host host = cred_host_of(context);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_value(&set, &values[i], err);
	if (r < 0)
		return r;
	set.cred.account = set.store.account;
	r = cred_azure_new(&host, &set.cred, &set.store.cred, err);
	if (r < 0)
		return error_prefix(err, r, "store '%s'", name);
	if (!set.cred.is_anonymous && (set.cred.use_metadata_service || cred_azure_token_origin(&host, &set.cred)))
		r = azure_store_arm(context, name, values, count, &set.store.arm, err);
	if (r == 0)
		r = azure_store_new(name, context->engine, &set.store, ret, err);
	if (r < 0) {
		azure_store_arm_free(set.store.arm);
		cred_azure_free(set.store.cred);
		return error_prefix(err, r, "store '%s'", name);
	}
	return 0;
}

static bool is_configured(const struct backend_context *context)
{
	struct cred_host host = cred_host_of(context);

	return cred_azure_is_configured(&host);
}

const struct provider provider_azure = {
	.type = "azure",
	.summary = "Azure Blob Storage and Data Lake Storage Gen2",
	.options = azure_option_rows,
	.is_configured = is_configured,
	.store_new = store_new,
};
