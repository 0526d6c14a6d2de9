/* XML in general: bounds hold, and what was escaped comes back. */
#include "tests/fuzz/fuzz.h"
#include "backends/base/xml.h"

struct seen {
	size_t depth, elements;
};

static int on_start(void *arg, const char *path, struct error *err)
{
	struct seen *s = arg;
	size_t slashes = 0;

	(void)err;
	for (const char *p = path; *p; p++)
		slashes += *p == '/';
	FUZZ_CHECK(slashes == s->depth);
	s->depth++;
	s->elements++;
	FUZZ_CHECK(s->depth <= 32);
	return 0;
}

static int on_text(void *arg, const char *path, struct str text, struct error *err)
{
	(void)arg;
	(void)err;
	FUZZ_CHECK(*path && text.len <= 1 << 20);
	return 0;
}

static int on_end(void *arg, const char *path, struct error *err)
{
	struct seen *s = arg;

	(void)err;
	FUZZ_CHECK(*path && s->depth > 0);
	s->depth--;
	return 0;
}

/* Any text that XML can hold at all stands in a document as it was. */
static void check_escape(struct str text)
{
	CLEANUP(buf_release) struct buf document = BUF_INIT(64 << 20);
	CLEANUP(buf_release) struct buf back = BUF_INIT(64 << 20);
	struct error err = ERROR_INIT;

	if (buf_adds(&document, "<a>") < 0 || xml_escape(text, &document) < 0 ||
	    buf_adds(&document, "</a>") < 0)
		return;
	for (size_t i = 3; i + 4 < document.len; i++)
		FUZZ_CHECK(document.data[i] != '<' && document.data[i] != '>');
	if (xml_find(buf_str(&document), "a", &back, &err) == 0)
		FUZZ_CHECK(str_equal(buf_str(&back), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct seen seen = { 0 };
	struct xml_handler handler = { on_start, on_text, on_end, &seen };
	struct error err = ERROR_INIT;
	int r = xml_parse(input, &handler, &err);

	fuzz_check_result(r, &err);
	if (r >= 0)
		FUZZ_CHECK(seen.depth == 0 && seen.elements > 0);
	check_escape(input);
	return 0;
}
