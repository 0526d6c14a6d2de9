#pragma once
/*
 * Purpose: what one source of AWS credentials is, and what the sources share; private to
 * backends/auth.
 *
 * Invariants: a source keeps no state: every fetch reads files, environment and services anew. What
 * it may use of the outside stands in struct cred_context, so that a test replaces it. Threads:
 * fetch may block (each wait inside has a limit) and runs in one thread at a time per provider.
 * Errors: CRED_ABSENT passes on to the next source; anything negative ends the chain. Secrets and
 * tokens never stand in a message.
 */
#include "backends/auth/cred_aws.h"
#include "backends/base/cancel.h"
#include "backends/base/ini.h"
#include "backends/http/http.h"

struct arena;

#define CRED_ADVISORY_S	 300   /* refreshed beside the work from here on */
#define CRED_MANDATORY_S 60    /* refreshed before any more work from here on */
#define CRED_MAX_CHAIN	 8     /* profiles that name each other by source_profile */

struct cred_source {
	const char *name; /* static; shown to users: "environment" */
	bool is_fixed;	  /* fetching again gives the same for the life of the process */
	bool is_metadata; /* asked only where options say so */
	/* Whether it is set up here, without any network. Broken counts as set up. NULL: cannot be
	 * known. */
	bool (*is_configured)(const struct cred_context *c);
	/* 0 with *ret filled (its `source` too), CRED_ABSENT, or -errno with err set. */
	int (*fetch)(const struct cred_context *c, struct cred_aws *ret, struct error *err);
};
extern const struct cred_source cred_source_explicit; /* keys in the options, or anonymous */
extern const struct cred_source cred_source_keystone;
extern const struct cred_source cred_source_env;
extern const struct cred_source cred_source_web_identity;
extern const struct cred_source cred_source_profile;
extern const struct cred_source cred_source_container;
extern const struct cred_source cred_source_imds;

/* Fills ret; refuses empty or odd bytes (ERR_CONFIG, naming `source` only). */
int cred_set(struct cred_aws *ret, const char *source, struct str access_key_id, struct str secret,
	     struct str token, int64_t expires_wall_s, struct error *err) MUST_CHECK;
/* From {"AccessKeyId", "SecretAccessKey", token_key, "Expiration"}, as container, IMDS and programs
 * write it. */
int cred_set_json(struct cred_aws *ret, const char *source, struct str text, const char *token_key,
		  struct error *err) MUST_CHECK;

/* The shared files of one profile: ~/.aws/config and ~/.aws/credentials, or where the variables
 * say. */
struct cred_files {
	struct ini config, credentials;	      /* empty when the file is not there */
	char *config_path, *credentials_path; /* NULL: no home directory */
};
#define CRED_FILES_INIT ((struct cred_files){.config = INI_INIT, .credentials = INI_INIT})
int cred_files_load(const struct cred_host *host, struct cred_files *ret,
		    struct error *err) MUST_CHECK;
void cred_files_release(struct cred_files *f);
bool cred_files_has_profile(const struct cred_files *f, const char *profile);
/* A key of a profile, NULL when absent or empty: the credentials file goes before the config file.
 */
const char *cred_files_get(const struct cred_files *f, const char *profile, const char *key);
/* A key of another kind of section of the config file: [KIND NAME]. */
const char *cred_files_get_section(const struct cred_files *f, const char *kind, const char *name,
				   const char *key);
/* The profile by name: `explicit_name`, AWS_PROFILE, AWS_DEFAULT_PROFILE or "default". */
const char *cred_profile_name(const struct cred_host *host, const char *explicit_name);
/* "~/.aws/x" by the host's HOME; heap, NULL without a home or memory. */
char *cred_home_path(const struct cred_host *host, const char *below_home);

/* Regions go into host names: letters, digits and '-' only. */
bool cred_region_is_valid(const char *region);
/* "amazonaws.com", or what a region of another partition has. */
const char *cred_dns_suffix(const char *region);

/* STS. What the profile or the environment says about the role; strings borrowed. */
struct cred_role {
	const char *arn;
	const char *session_name; /* NULL: made up */
	const char *external_id;  /* NULL: none */
	uint64_t duration_s;	  /* 0: the role's default */
	const char *region;	  /* NULL: us-east-1 */
};
int cred_sts_assume_role(const struct cred_context *c, const struct cred_role *role,
			 const struct cred_aws *by, struct cred_aws *ret,
			 struct error *err) MUST_CHECK;
int cred_sts_web_identity(const struct cred_context *c, const struct cred_role *role,
			  struct str token, struct cred_aws *ret, struct error *err) MUST_CHECK;
/* Reads the token file (anew at each fetch) and asks STS. */
int cred_web_identity_fetch(const struct cred_context *c, const struct cred_role *role,
			    const char *token_path, struct cred_aws *ret,
			    struct error *err) MUST_CHECK;
/* Runs the program a profile names. */
int cred_process_fetch(const struct cred_context *c, const char *command, struct cred_aws *ret,
		       struct error *err) MUST_CHECK;
/* What such a program printed: JSON, Version 1. `program` is for messages. */
int cred_process_parse(const char *program, struct str text, struct cred_aws *ret,
		       struct error *err) MUST_CHECK;
/* Splits a command line by the rules of a shell's quotes, without any expansion; args ends with
 * NULL. */
int cred_process_split(const char *command, struct arena *arena, char ***ret_args,
		       struct error *err) MUST_CHECK;
/* By the token that `aws sso login` left. */
int cred_sso_fetch(const struct cred_context *c, const struct cred_files *files,
		   const char *profile, struct cred_aws *ret, struct error *err) MUST_CHECK;
/* Whether a full container address may be sent the token: https, or loopback and the two known
 * hosts. */
bool cred_container_url_is_allowed(const char *url);

/* For the signer: like cred_aws_get but never blocks; the old ones while new ones are fetched
 * beside. */
int cred_aws_peek(struct cred_aws_provider *p, struct cred_aws *ret, struct error *err) MUST_CHECK;
/* Whether the present ones were fetched within the last ms. */
bool cred_aws_is_fetched_within(struct cred_aws_provider *p, uint64_t ms);
/* Whether a fetch is under way; for tests, which must not move the clock meanwhile. */
bool cred_aws_is_fetching(struct cred_aws_provider *p);
