/* SSO: the token in the cache's file (up to a line "----"), then what the portal answers. */
#include "tests/fuzz/canned.h"
#include "tests/fuzz/cred_room.h"
#include "tests/fuzz/fuzz.h"
#include "backends/base/fileio.h"

#include <stdio.h>

/* The file is named after the session: sha1("s"). */
#define CACHE_DIR "/.aws/sso/cache"
static const char *const session = "s";

static void write_cache(struct str text)
{
	unsigned char digest[20];
	char hex[41], name[80];

	hash_sha1(session, strlen(session), digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(name, sizeof(name), CACHE_DIR "/%s.json", hex);
	(void)fuzz_file(name, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char divider[] = "----\n";
	static const char text[] =
		"[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n"
		"[sso-session s]\nsso_region = eu-central-1\nsso_start_url = https://x\n";
	struct str cache = { (const char *)data, size }, answers = { NULL, 0 };
	const char *at = size ? memmem(data, size, divider, sizeof(divider) - 1) : NULL;
	CLEANUP(freep) char *dir = str_format("%s" CACHE_DIR, fuzz_dir());
	CLEANUP(cred_files_release) struct cred_files files = CRED_FILES_INIT;
	struct cred_aws got = CRED_AWS_INIT;
	struct error err = ERROR_INIT;

	FUZZ_CHECK(dir && fileio_make_dirs(dir, 0700, &err) == 0);
	if (at) {
		cache.len = (size_t)(at - cache.ptr);
		answers.ptr = at + sizeof(divider) - 1;
		answers.len = size - cache.len - (sizeof(divider) - 1);
	}
	write_cache(cache);
	cred_room_setenv("AWS_CONFIG_FILE",
			 fuzz_file("config", (struct str){ text, sizeof(text) - 1 }));
	cred_room_setenv("AWS_ENDPOINT_URL_SSO", CANNED_URL);
	cred_room_setenv("AWS_ENDPOINT_URL_SSO_OIDC", CANNED_URL);
	FUZZ_CHECK(cred_files_load(cred_room()->host, &files, &err) == 0);
	canned_set(answers);
	cred_room_check(cred_sso_fetch(cred_room(), &files, "default", &got, &err), &got, &err);
	return 0;
}
