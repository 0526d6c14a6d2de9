#pragma once
/*
 * Purpose: runs a program that prints credentials, as profiles and credentials files may name one.
 * Invariants: no shell; no secret stands in its arguments; what it prints is at most the buffer's limit.
 * Threads: blocks until it has ended, at most timeout_ms, or until the context's token is cancelled;
 *	then its whole process group is killed.
 * Errors: CONFIG when it cannot be started, UNAUTHENTICATED when it failed, TIMEOUT, TOO_LARGE.
 */
#include "backends/auth/cred_host.h"

struct cred_program {
	const char *what; /* how messages call it: "credential_process" */
	char **args;	  /* args[0] is looked for in PATH; ends with NULL */
	char **env;	  /* ends with NULL; NULL: ours */
	uint64_t timeout_ms;
};
/* out should come from cred_buf_init. ret_exit NULL: any exit code but 0 is an error. */
int cred_program_run(const struct cred_context *c, const struct cred_program *program,
		     struct buf *out, int *ret_exit, struct error *err) MUST_CHECK;
