/* Answers on the wire: status lines, headers, dates, retry times; and what is to be sent: URLs. */
#include "tests/fuzz/canned.h"
#include "tests/fuzz/fuzz.h"

static void check_answer(struct str answer)
{
	CLEANUP(http_response_release) struct http_response response = HTTP_RESPONSE_INIT;
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(buf_release) struct buf body = BUF_INIT(65536);
	struct error err = ERROR_INIT;
	int r;

	FUZZ_CHECK(http_request_set_base(&request, CANNED_URL "/x", &err) == 0);
	request.sink = (struct http_sink){
		.kind = HTTP_SINK_BUF, .buf = &body, .fd = -1, .hash = HASH_CRC32C
	};
	request.operation = "Get";
	request.store = "fuzz";
	canned_set(answer);
	r = http_perform(canned_engine(), &request, &response, &err);
	fuzz_check_result(r, &err);
	if (r >= 0)
		FUZZ_CHECK(response.status >= 200 && response.status <= 299 &&
			   body.len == response.body_length);
	FUZZ_CHECK(http_retry_after_ms(&response) <= 366ULL * 86400 * 1000);
	for (size_t i = 0; i < response.headers.count; i++) {
		FUZZ_CHECK(!strpbrk(response.headers.items[i].name, "\r\n"));
		FUZZ_CHECK(!strpbrk(response.headers.items[i].value, "\r\n"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_answer((struct str){ (const char *)data, size });
	return 0;
}
