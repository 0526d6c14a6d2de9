#pragma once
/*
 * Purpose: Azure Storage's Shared Key: requests signed with an account's key, and shared access signatures (SAS) made
 *	with it or with a user delegation key; stage by stage, so that a test sees which one is wrong.
 *
 * Invariants: x-ms-* headers are put in the order the service sorts them by, which is no byte order: hyphens do not
 *	count, '_' goes before digits, digits before letters.
 * Ownership: a sharedkey owns its account name and its key; signers borrow it.
 * Threads: pure functions; a key is immutable after sharedkey_set and may sign in many threads at once.
 * Source: learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, create-service-sas and
 *	create-user-delegation-sas (2026-11).
 */
#include "backends/base/secret.h"
#include "backends/http/signer.h"

#define SAS_VERSION "2022-11-02" /* of the fields that are signed below */

struct sharedkey {
	char *account;
	struct secret key; /* decoded */
};
#define SHAREDKEY_INIT ((struct sharedkey){ 0 })
void sharedkey_release(struct sharedkey *k);
/* The key as the portal shows it, base64. ERR_CONFIG naming `what` gave it, never the text. */
int sharedkey_set(struct sharedkey *k, const char *what, const char *account, struct str key_base64,
		  struct error *err) MUST_CHECK;

/* Looks at method, path, query, headers, signed_headers (which must hold x-ms-date) and the body's length. */
int sharedkey_string_to_sign(const struct http_request *request, const char *account,
			     struct buf *ret, struct error *err) MUST_CHECK;
/* base64 of HMAC-SHA256, for the string above and for a SAS. */
int sharedkey_signature(struct str key, struct str string_to_sign, struct buf *ret) MUST_CHECK;
/* Adds x-ms-date and Authorization to signed_headers. */
int sharedkey_sign(const struct sharedkey *k, int64_t wall_s, struct http_request *request,
		   struct error *err) MUST_CHECK;

/* A user delegation key, as the service gave it. */
struct sas_delegation {
	const char *oid, *tid, *start, *expiry, *service, *version;
	struct str key; /* decoded */
};
struct sas_args {
	const char *account, *container, *blob; /* blob NULL: the whole container; raw names */
	const char *permissions;		/* "r", "cw" */
	int64_t start_wall_s, expires_wall_s;	/* start 0: at once */
	bool is_https_only;
	const struct sas_delegation *delegation; /* NULL: signed with the account's key */
};
int sas_string_to_sign(const struct sas_args *args, struct buf *ret, struct error *err) MUST_CHECK;
/* Adds the parameters, signature included, to query. key is the account's; not looked at for a delegation. */
int sas_sign(const struct sas_args *args, struct str key, struct http_fields *query,
	     struct error *err) MUST_CHECK;

/* The signer of an exchange; on a clock error it learns the skew from the answer's Date and tries again. */
int sharedkey_signer_new(const struct sharedkey *k, struct signer **ret,
			 struct error *err) MUST_CHECK;
/* Adds the parameters of a SAS ("sv=...&sig=...", a leading '?' is dropped) to signed_query. ERR_CONFIG naming `what`
 * unless it is one that holds a signature. */
int sas_signer_new(const char *what, struct str token, struct signer **ret,
		   struct error *err) MUST_CHECK;
/* The parameters of a SAS, decoded. */
int sas_parse(const char *what, struct str token, struct http_fields *ret,
	      struct error *err) MUST_CHECK;
