#include "tests/fuzz/cred_room.h"
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"
#include "backends/base/clock.h"

#define VARIABLES 16

static struct {
	const char *name, *value;
} variables[VARIABLES];

static const char *room_getenv(const char *name)
{
	if (strcmp(name, "HOME") == 0)
		return fuzz_dir();
	for (size_t i = 0; i < VARIABLES; i++)
		if (variables[i].name && strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

void cred_room_setenv(const char *name, const char *value)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		if (variables[i].name && strcmp(variables[i].name, name) != 0)
			continue;
		variables[i].name = name;
		variables[i].value = value;
		return;
	}
	FUZZ_CHECK(false);
}

const struct cred_context *cred_room(void)
{
	static const struct cred_aws_options options = { .use_metadata_service = true };
	static struct cred_host host = { .getenv = room_getenv,
					 .wall_s = clock_wall_s,
					 .imds_endpoint = CANNED_URL };
	static struct cred_context context = { .host = &host, .options = &options };

	host.engine = canned_engine();
	return &context;
}

static void check_header_text(const char *text)
{
	for (const char *p = text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

void cred_room_check(int r, struct cred_aws *got, const struct error *err)
{
	fuzz_check_result(r, err);
	if (r == 0) {
		FUZZ_CHECK(got->access_key_id && got->source);
		check_header_text(got->access_key_id);
	}
	cred_aws_release(got);
}
