/* Attributes: from an object's metadata ('m': lines "name: value") and from the journal's JSON; written again they are the same. */
#include "tests/fuzz/fuzz.h"
#include "fs/attrs.h"

#define META_MAX 16

static void check_same(const struct attrs *a, const struct attrs *b)
{
	FUZZ_CHECK(a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
		   a->mtime_ns == b->mtime_ns);
	FUZZ_CHECK((a->xattrs ? a->xattrs->count : 0) == (b->xattrs ? b->xattrs->count : 0));
	for (size_t i = 0; a->xattrs && i < a->xattrs->count; i++) {
		const struct xattr *x = &a->xattrs->items[i], *y = xattrs_find(b->xattrs, x->name);

		FUZZ_CHECK(y && x->len == y->len && memcmp(x->value, y->value, x->len) == 0);
	}
}

static void check_json(const struct attrs *a)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(attrs_release) struct attrs back = ATTRS_INIT;

	FUZZ_CHECK(attrs_to_json(a, o) == 0);
	FUZZ_CHECK(attrs_from_json(o, &back) == 0);
	check_same(a, &back);
	FUZZ_CHECK(!a->link_target == !back.link_target);
	if (a->link_target)
		FUZZ_CHECK(strcmp(a->link_target, back.link_target) == 0);
}

static void check_meta(const struct attrs *a)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(64 << 20);
	CLEANUP(attrs_release) struct attrs back = ATTRS_INIT;
	struct store_meta *meta = NULL;
	size_t count = 0;

	FUZZ_CHECK(attrs_to_meta(a, &arena, &meta, &count) == 0);
	for (size_t i = 0; i < count; i++)
		for (const char *p = meta[i].value; *p; p++)
			FUZZ_CHECK((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
	FUZZ_CHECK(attrs_from_meta(meta, count, &back) == 0);
	check_same(a, &back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	CLEANUP(attrs_release) struct attrs a = ATTRS_INIT;
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct store_meta meta[META_MAX];
	char *texts[2 * META_MAX];
	size_t count = 0;

	if (fuzz_byte(&input) != 'm') {
		if (json_parse(input, 65536, &o, NULL) == 0 && attrs_from_json(o, &a) == 0)
			check_json(&a);
		return 0;
	}
	while (input.len && count < META_MAX) {
		struct str value = fuzz_line(&input), name = str_split(&value, ':');

		texts[2 * count] = fuzz_text(str_trim(name));
		texts[2 * count + 1] = fuzz_text(value.ptr ? str_trim(value) : STR(""));
		meta[count] = (struct store_meta){ texts[2 * count], texts[2 * count + 1] };
		count++;
	}
	if (attrs_from_meta(meta, count, &a) == 0) {
		check_meta(&a);
		check_json(&a);
	}
	for (size_t i = 0; i < 2 * count; i++)
		free(texts[i]);
	return 0;
}
