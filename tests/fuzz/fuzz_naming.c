/* Names, both ways, with the bijection as the judge: any path is no key or the one path of its key; any key has one path. */
#include "tests/fuzz/fuzz.h"
#include "fs/naming.h"

/* What stands before the next '/'; false at the end. */
static bool next_part(struct str *rest, struct str *ret)
{
	if (!rest->ptr)
		return false;
	*ret = str_split(rest, '/');
	return true;
}

static void check_name(struct str name)
{
	FUZZ_CHECK(name.len > 0 && name.len <= NAMING_MAX);
	FUZZ_CHECK(!memchr(name.ptr, '\0', name.len));
	FUZZ_CHECK(!str_equal(name, STR(".")) && !str_equal(name, STR("..")));
}

/* The segment that a run of names stands for; -EINVAL when they are no names or not its own. */
static int decode(struct str names, struct buf *segment, enum naming_piece *ret_piece)
{
	enum naming_piece piece = NAMING_CONTINUED;
	struct str name;
	int r = 0;

	while (r == 0 && next_part(&names, &name)) {
		CLEANUP(buf_release) struct buf bytes = BUF_INIT(NAMING_MAX);

		if (piece != NAMING_CONTINUED)
			return -EINVAL;
		r = naming_decode(name, &bytes, &piece);
		if (r == 0)
			r = naming_check_rest(buf_str(segment), buf_str(&bytes), piece);
		if (r == 0)
			r = buf_add_str(segment, buf_str(&bytes));
	}
	*ret_piece = piece;
	return r == 0 && piece == NAMING_CONTINUED ? -EINVAL : r;
}

/* Any segment has names that stand for it. */
static void check_segment(struct str segment, enum naming_piece kind)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT(4 << 20);
	CLEANUP(buf_release) struct buf back = BUF_INIT(4 << 20);
	enum naming_piece piece;
	struct str rest, name;

	FUZZ_CHECK(naming_encode(segment, kind, &names) == 0);
	rest = buf_str(&names);
	while (next_part(&rest, &name))
		check_name(name);
	FUZZ_CHECK(decode(buf_str(&names), &back, &piece) == 0);
	FUZZ_CHECK(piece == kind && str_equal(buf_str(&back), segment));
}

/* Any names are refused, or they are exactly those of their segment. */
static void check_names(struct str names)
{
	CLEANUP(buf_release) struct buf segment = BUF_INIT(4 << 20);
	CLEANUP(buf_release) struct buf again = BUF_INIT(4 << 20);
	enum naming_piece piece;

	if (decode(names, &segment, &piece) < 0)
		return;
	FUZZ_CHECK(naming_encode(buf_str(&segment), piece, &again) == 0);
	FUZZ_CHECK(str_equal(buf_str(&again), names));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, segment;

	if (size > 2048) /* twice the longest key: more is only slower */
		return 0;

	check_names(rest);
	while (next_part(&rest, &segment)) {
		check_segment(segment, NAMING_WHOLE);
		check_segment(segment, NAMING_SHADOWED);
		check_names(segment);
	}
	return 0;
}
