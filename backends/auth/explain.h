#pragma once
/*
 * Purpose: what each source of credentials finds or why it does not, in the order they are asked, for people.
 *
 * Invariants: no network, no program is run, no secret is told: names of variables, files and profiles only.
 * Threads: any; reads files.
 */
#include "backends/auth/cred_aws.h"
#include "backends/auth/cred_gcp.h"
#include "backends/auth/cred_keystone.h"

enum auth_state {
	AUTH_ABSENT,	/* nothing is set up there */
	AUTH_USED,	/* the first that is set up */
	AUTH_BEHIND,	/* set up, but one before it is used */
	AUTH_NOT_ASKED, /* only asked when told to */
	AUTH_BROKEN,	/* set up wrongly: the search ends here */
};
struct auth_steps {
	void (*add)(void *arg, const char *source, enum auth_state state, const char *detail);
	void *arg;
	bool is_found; /* one was used already */
};
/* Adds a step: USED or BEHIND when it is set up, else ABSENT. */
void auth_step(struct auth_steps *steps, const char *source, bool is_set_up, const char *detail);
void auth_step_state(struct auth_steps *steps, const char *source, enum auth_state state, const char *detail);

void auth_explain_aws(const struct cred_host *host, const struct cred_aws_options *options, struct auth_steps *steps);
void auth_explain_keystone(const struct cred_host *host, const struct keystone_options *options,
			   struct auth_steps *steps);
void auth_explain_gcp(const struct cred_host *host, const struct cred_gcp_options *options, struct auth_steps *steps);
/* options given in the section go first: has_options. */
void auth_explain_azure(const struct cred_host *host, bool has_options, bool use_metadata_service,
			struct auth_steps *steps);
