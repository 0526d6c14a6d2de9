/* ~/.aws/config and ~/.aws/credentials: the input is both, divided by a line "----". */
#include "tests/fuzz/cred_room.h"
#include "tests/fuzz/fuzz.h"

static const char *const keys[] = { "aws_access_key_id", "region",	"role_arn",
				    "source_profile",	 "sso_session", "credential_process",
				    "endpoint_url",	 "services" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char divider[] = "----\n";
	struct str input = { (const char *)data, size }, config = input, credentials = { "", 0 };
	const char *at = size ? memmem(data, size, divider, sizeof(divider) - 1) : NULL;
	CLEANUP(cred_files_release) struct cred_files files = CRED_FILES_INIT;
	const struct cred_host *host = cred_room()->host;
	CLEANUP(freep) char *config_path = NULL, *credentials_path = NULL, *region = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (at) {
		config.len = (size_t)(at - config.ptr);
		credentials.ptr = at + sizeof(divider) - 1;
		credentials.len = size - config.len - (sizeof(divider) - 1);
	}
	config_path = fuzz_text(str_of(fuzz_file("config", config)));
	credentials_path = fuzz_text(str_of(fuzz_file("credentials", credentials)));
	cred_room_setenv("AWS_CONFIG_FILE", config_path);
	cred_room_setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path);
	r = cred_files_load(host, &files, &err);
	fuzz_check_result(r, &err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(keys); i++) {
		(void)cred_files_get(&files, "default", keys[i]);
		(void)cred_files_get(&files, "work", keys[i]);
		(void)cred_files_get_section(&files, "sso-session", "s", keys[i]);
	}
	if (r >= 0) {
		const char *value = cred_files_get(&files, "default", "region");

		region = cred_aws_region(host, "default");
		FUZZ_CHECK(value ? region && strcmp(region, value) == 0 : !region);
		(void)cred_aws_is_configured(host, cred_room()->options);
	}
	cred_room_setenv("AWS_CONFIG_FILE", NULL);
	cred_room_setenv("AWS_SHARED_CREDENTIALS_FILE", NULL);
	return 0;
}
