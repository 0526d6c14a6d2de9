#pragma once
/*
 * Purpose: the object store of an Azure storage account (blobs, and Data Lake Gen2 where it has a hierarchical namespace).
 * Ownership: the store takes over options.cred and options.arm when azure_store_new succeeds; the engine is borrowed.
 */
#include "backends/auth/cred_azure.h"
#include "backends/http/engine.h"
#include "backends/store/store.h"

/* AUTO: CRC64, but MD5 for an emulator (the account stands in the path), which knows no other. */
enum azure_checksum { AZURE_CHECKSUM_AUTO, AZURE_CHECKSUM_CRC64, AZURE_CHECKSUM_MD5 };
enum azure_namespace { AZURE_NAMESPACE_AUTO, AZURE_NAMESPACE_FLAT, AZURE_NAMESPACE_HIERARCHICAL };

struct azure_options {
	const char *account;	  /* NULL: what the credentials or the endpoint tell */
	const char *endpoint;	  /* of the blob service; NULL: https://ACCOUNT.blob.core.windows.net */
	const char *dfs_endpoint; /* NULL: the same with ".dfs." for ".blob." */
	enum azure_namespace hierarchical;
	enum azure_checksum checksum;
	bool deletes_snapshots; /* with their blob; else a blob that has some is not deleted */
	double rate_per_s;	/* 0: no limit */
	struct cred_azure *cred;
	struct cloud *arm; /* the Resource Manager, for settings of the account; NULL: no token for it */
};

/* The Resource Manager by the store's own options; no network. */
struct backend_context;
struct provider_value;
int azure_store_arm(const struct backend_context *context, const char *name, const struct provider_value *values,
		    size_t count, struct cloud **ret, struct error *err) MUST_CHECK;
void azure_store_arm_free(struct cloud *arm);
int azure_store_new(const char *name, struct http_engine *engine, const struct azure_options *options,
		    struct store **ret, struct error *err) MUST_CHECK;

/* For fuzzing: what arrives from the network, read as a listing, as an error, as the answer to a batch. Bytes in, nothing
 * out; returns 0 or what the reader said. */
int azure_fuzz_listing(struct str bytes);
int azure_fuzz_error(struct str bytes);
int azure_fuzz_batch(struct str bytes);
