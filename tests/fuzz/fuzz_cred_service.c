/* What the services that hand out credentials answer: instance metadata ('i'), a container's agent ('c'), STS ('s', 'w'). */
#include "tests/fuzz/canned.h"
#include "tests/fuzz/cred_room.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cred_role role = { .arn = "arn:aws:iam::1:role/r" };
	struct str input = { (const char *)data, size };
	const struct cred_context *c = cred_room();
	struct cred_aws got = CRED_AWS_INIT, by = CRED_AWS_INIT;
	struct error err = ERROR_INIT;
	unsigned chosen = fuzz_byte(&input);
	int r;

	if (input.len && input.ptr[0] == '\n')
		(void)fuzz_byte(&input);
	canned_set(input);
	cred_room_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", CANNED_URL "/creds");
	cred_room_setenv("AWS_ENDPOINT_URL_STS", CANNED_URL);
	FUZZ_CHECK(cred_set(&by, "explicit", STR("id"), STR("secret"), STR(""), 0, &err) == 0);
	switch (chosen) {
	case 'c':
		r = cred_source_container.fetch(c, &got, &err);
		break;
	case 's':
		r = cred_sts_assume_role(c, &role, &by, &got, &err);
		break;
	case 'w':
		r = cred_sts_web_identity(c, &role, STR("token"), &got, &err);
		break;
	default:
		r = cred_source_imds.fetch(c, &got, &err);
	}
	cred_room_check(r, &got, &err);
	cred_aws_release(&by);
	return 0;
}
