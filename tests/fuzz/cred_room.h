#pragma once
/*
 * A machine for the credential sources: its variables, its home (fuzz_dir) and the canned wire. Never a program: the
 * targets see to it that no credential_process is run.
 */
#include "backends/auth/cred_source.h"

const struct cred_context *cred_room(void);
void cred_room_setenv(const char *name, const char *value); /* borrowed; NULL unsets */
/* What a source said: an error, nothing, or credentials that can be signed with. Releases them. */
void cred_room_check(int r, struct cred_aws *got, const struct error *err);
