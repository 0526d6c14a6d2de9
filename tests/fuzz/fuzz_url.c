/* URLs: taken apart, encoded and decoded; dates as headers and documents write them. */
#include "tests/fuzz/fuzz.h"
#include "backends/base/clock.h"
#include "backends/http/http.h"
#include "backends/http/url.h"

static bool is_within(struct str part, struct str whole)
{
	return !part.ptr || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_parse(struct str text)
{
	CLEANUP(http_request_release) struct http_request request = HTTP_REQUEST_INIT;
	CLEANUP(freep) char *copy = fuzz_text(text);
	struct url url = { 0 };
	struct error err = ERROR_INIT;
	int r = url_parse(text, &url, &err);

	fuzz_check_result(r, &err);
	if (r == 0) {
		FUZZ_CHECK(url.host.len > 0);
		FUZZ_CHECK(is_within(url.host, text) && is_within(url.port, text));
		FUZZ_CHECK(!memchr(url.host.ptr, '@',
				   url.host.len)); /* user info would go to another host */
		(void)url_host_is_local_or_ip(url.host);
		if (url_host_is_loopback(url.host))
			FUZZ_CHECK(url_host_is_local_or_ip(url.host));
	}
	err = ERROR_INIT;
	fuzz_check_result(http_request_set_base(&request, copy, &err), &err);
}

static void check_encoding(struct str text, enum url_slash slash)
{
	CLEANUP(buf_release) struct buf encoded = BUF_INIT(64 << 20);
	CLEANUP(buf_release) struct buf back = BUF_INIT(64 << 20);

	FUZZ_CHECK(url_encode(text, slash, &encoded) == 0);
	for (size_t i = 0; i < encoded.len; i++)
		FUZZ_CHECK(encoded.data[i] > 0x20 && encoded.data[i] < 0x7f &&
			   encoded.data[i] != '?');
	FUZZ_CHECK(url_decode(buf_str(&encoded), &back) == 0);
	FUZZ_CHECK(str_equal(buf_str(&back), text));
	buf_clear(&back);
	(void)!url_decode(text, &back); /* nearly always broken: only for ASan */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	CLEANUP(freep) char *text = fuzz_text(input);
	int64_t when;

	check_parse(input);
	check_encoding(input, URL_KEEP_SLASH);
	check_encoding(input, URL_ENCODE_SLASH);
	(void)clock_parse_http(text, &when);
	(void)clock_parse_iso8601(text, &when);
	return 0;
}
