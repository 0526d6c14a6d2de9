/* S3's error documents, by themselves and as the answer to a request with any status. */
#include "tests/fuzz/fuzz.h"
#include "backends/aws/s3_private.h"
#include "backends/base/clock.h"

static void check_field(const char *text, size_t size)
{
	FUZZ_CHECK(memchr(text, '\0', size));
	for (const char *p = text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	struct s3_call call = S3_CALL_INIT(NULL, HTTP_GET, "GetObject", "bucket", "key");
	struct s3_error_text text;
	struct error err = ERROR_INIT;
	int r;

	response.status = 300 + (int)(fuzz_byte(&input) | fuzz_byte(&input) << 8) % 300;
	if (input.len <= response.error_body.limit)
		FUZZ_CHECK(buf_add_str(&response.error_body, input) == 0);
	s3_error_read(input, &text);
	check_field(text.code, sizeof(text.code));
	check_field(text.message, sizeof(text.message));
	check_field(text.region, sizeof(text.region));
	check_field(text.request_id, sizeof(text.request_id));
	r = s3_classify(&call, &response, &err);
	FUZZ_CHECK(r < 0);
	fuzz_check_result(r, &err);
	FUZZ_CHECK(err.http_status == response.status);
	return 0;
}
