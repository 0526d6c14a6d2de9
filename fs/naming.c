/*
 * How the way from a segment to names is unique: the first name is the segment itself where that is
 * a POSIX name that does not look escaped; else it is escaped; else, where even that is too long,
 * as many bytes as fit are cut off and the rest is a segment of its own. Decoding undoes one name
 * and then encodes again, so that exactly the names that encoding makes are accepted, by
 * construction.
 */
#include "fs/naming.h"

#include <assert.h>
#include <stdbool.h>

#define NAMING_MARK	  "%~"
#define NAMING_MARK_LEN	  2
#define NAMING_SUFFIX_LEN 2 /* "%+" or "%=" */
/* What the body of a continued name can hold, and the least that a full one holds: the next byte
 * did not fit. */
#define NAMING_CONTINUED_MAX (NAMING_MAX - NAMING_MARK_LEN - NAMING_SUFFIX_LEN)
#define NAMING_CONTINUED_MIN (NAMING_CONTINUED_MAX - 2)

static bool naming_is_dots(struct str s)
{
	return (s.len == 1 && s.ptr[0] == '.') ||
	       (s.len == 2 && s.ptr[0] == '.' && s.ptr[1] == '.');
}

static bool naming_is_marked(struct str s)
{
	return s.len >= NAMING_MARK_LEN && memcmp(s.ptr, NAMING_MARK, NAMING_MARK_LEN) == 0;
}

/* Whether the bytes can stand as a name without being escaped (their length apart). */
static bool naming_is_plain(struct str s)
{
	return s.len > 0 && !naming_is_dots(s) && !naming_is_marked(s) &&
	       !memchr(s.ptr, '\0', s.len);
}

static size_t naming_byte_len(char c, bool are_dots)
{
	return c == '%' || c == '\0' || are_dots ? 3 : 1;
}

/* How many bytes of the segment fit into a body of max bytes. */
static size_t naming_fit(struct str segment, size_t max)
{
	bool are_dots = naming_is_dots(segment);
	size_t used = 0, len = 0;

	while (used < segment.len) {
		len += naming_byte_len(segment.ptr[used], are_dots);
		if (len > max)
			break;
		used++;
	}
	return used;
}

static int naming_add_body(struct str bytes, struct buf *ret)
{
	bool are_dots = naming_is_dots(bytes);
	int r = 0;

	for (size_t i = 0; i < bytes.len && r == 0; i++) {
		if (naming_byte_len(bytes.ptr[i], are_dots) == 1)
			r = buf_addc(ret, bytes.ptr[i]);
		else
			r = buf_addf(ret, "%%%02X", (unsigned)(unsigned char)bytes.ptr[i]);
	}
	return r;
}

static int naming_add_escaped(struct str bytes, enum naming_piece piece, struct buf *ret)
{
	size_t before = ret->len;
	int r = buf_adds(ret, NAMING_MARK);

	if (r == 0)
		r = naming_add_body(bytes, ret);
	if (r == 0 && piece != NAMING_WHOLE)
		r = buf_adds(ret, piece == NAMING_CONTINUED ? "%+" : "%=");
	if (r < 0 && ret->data) {
		ret->len = before;
		ret->data[before] = '\0';
	}
	return r;
}

int naming_encode_first(struct str segment, enum naming_piece last, struct buf *ret,
			size_t *ret_used, enum naming_piece *ret_piece)
{
	size_t room =
		NAMING_MAX - NAMING_MARK_LEN - (last == NAMING_SHADOWED ? NAMING_SUFFIX_LEN : 0);
	enum naming_piece piece = last;
	size_t used = segment.len;
	int r;

	assert(last != NAMING_CONTINUED);
	if (segment.len && memchr(segment.ptr, '/', segment.len))
		return -EINVAL;
	if (last == NAMING_WHOLE && segment.len <= NAMING_MAX && naming_is_plain(segment)) {
		r = buf_add_str(ret, segment);
	} else {
		if (naming_fit(segment, room) < segment.len) {
			piece = NAMING_CONTINUED;
			used = naming_fit(segment, NAMING_CONTINUED_MAX);
		}
		r = naming_add_escaped((struct str){segment.ptr, used}, piece, ret);
	}
	if (r < 0)
		return r;
	*ret_used = used;
	*ret_piece = piece;
	return 0;
}

int naming_encode(struct str segment, enum naming_piece piece, struct buf *ret)
{
	size_t before = ret->len;
	enum naming_piece now;
	size_t used;
	int r;

	for (;;) {
		r = naming_encode_first(segment, piece, ret, &used, &now);
		if (r < 0 || now != NAMING_CONTINUED)
			break;
		segment.ptr += used;
		segment.len -= used;
		r = buf_addc(ret, '/');
		if (r < 0)
			break;
	}
	if (r < 0 && ret->data) {
		ret->len = before;
		ret->data[before] = '\0';
	}
	return r;
}

static int naming_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes the body; the suffix, when there is one, ends it. */
static int naming_read_body(struct str body, struct buf *ret, enum naming_piece *ret_piece)
{
	*ret_piece = NAMING_WHOLE;
	for (size_t i = 0; i < body.len; i++) {
		char c = body.ptr[i];
		int r, high, low;

		if (c != '%') {
			r = buf_addc(ret, c);
		} else if (i + 2 == body.len &&
			   (body.ptr[i + 1] == '+' || body.ptr[i + 1] == '=')) {
			*ret_piece = body.ptr[i + 1] == '+' ? NAMING_CONTINUED : NAMING_SHADOWED;
			return 0;
		} else {
			if (i + 2 >= body.len)
				return -EINVAL;
			high = naming_hex(body.ptr[i + 1]);
			low = naming_hex(body.ptr[i + 2]);
			if (high < 0 || low < 0)
				return -EINVAL;
			r = buf_addc(ret, (char)(high << 4 | low));
			i += 2;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether encoding the bytes (with what may follow them, when continued) gives this very name. */
static int naming_check(struct str bytes, enum naming_piece piece, struct str name)
{
	CLEANUP(buf_release) struct buf again = BUF_INIT(4 * NAMING_MAX);
	enum naming_piece piece_again = piece;
	size_t used = bytes.len;
	int r;

	if (piece == NAMING_CONTINUED) {
		if (name.len < NAMING_MARK_LEN + NAMING_CONTINUED_MIN + NAMING_SUFFIX_LEN)
			return -EINVAL;
		r = naming_add_escaped(bytes, piece, &again);
	} else {
		r = naming_encode_first(bytes, piece, &again, &used, &piece_again);
	}
	if (r < 0)
		return r;
	return used == bytes.len && piece_again == piece && str_equal(buf_str(&again), name)
		       ? 0
		       : -EINVAL;
}

int naming_decode(struct str name, struct buf *ret, enum naming_piece *ret_piece)
{
	CLEANUP(buf_release) struct buf bytes = BUF_INIT(NAMING_MAX);
	enum naming_piece piece;
	int r;

	if (name.len > NAMING_MAX)
		return -ENAMETOOLONG;
	if (name.len && memchr(name.ptr, '/', name.len))
		return -EINVAL;
	if (!naming_is_marked(name)) {
		if (!naming_is_plain(name))
			return -EINVAL;
		r = buf_add_str(ret, name);
		if (r == 0)
			*ret_piece = NAMING_WHOLE;
		return r;
	}
	r = naming_read_body((struct str){name.ptr + NAMING_MARK_LEN, name.len - NAMING_MARK_LEN},
			     &bytes, &piece);
	if (r == 0)
		r = naming_check(buf_str(&bytes), piece, name);
	if (r == 0)
		r = buf_add_str(ret, buf_str(&bytes));
	if (r == 0)
		*ret_piece = piece;
	return r;
}

int naming_check_rest(struct str before, struct str rest, enum naming_piece piece)
{
	CLEANUP(buf_release) struct buf whole = BUF_INIT(1 << 20);
	struct str left;
	size_t at = 0;
	int r;

	if (before.len == 0)
		return 0;
	if (rest.len == 0)
		return -EINVAL; /* a segment is continued only when there is more of it */
	r = buf_add_str(&whole, before);
	if (r == 0)
		r = buf_add_str(&whole, rest);
	if (r < 0)
		return r;
	left = buf_str(&whole);
	while (at < before.len) {
		CLEANUP(buf_release) struct buf ignored = BUF_INIT(NAMING_MAX);
		enum naming_piece now = NAMING_CONTINUED;
		size_t used;

		if (piece == NAMING_CONTINUED) /* more follows, so all before it is cut greedily */
			used = naming_fit(left, NAMING_CONTINUED_MAX);
		else
			r = naming_encode_first(left, piece, &ignored, &used, &now);
		if (r < 0)
			return r;
		if (now != NAMING_CONTINUED)
			return -EINVAL; /* its names are fewer than it came in */
		at += used;
		left.ptr += used;
		left.len -= used;
	}
	return at == before.len ? 0 : -EINVAL;
}

bool naming_is_shadowed(const char *name)
{
	struct str text = str_of(name);

	return naming_is_marked(text) && str_ends(text, "%=");
}

bool naming_is_cut_at(struct str segment, enum naming_piece last, size_t bytes)
{
	while (bytes > 0) {
		CLEANUP(buf_release) struct buf ignored = BUF_INIT(NAMING_MAX);
		enum naming_piece piece;
		size_t used;

		if (naming_encode_first(segment, last, &ignored, &used, &piece) < 0 ||
		    piece != NAMING_CONTINUED || used > bytes)
			return false;
		segment.ptr += used;
		segment.len -= used;
		bytes -= used;
	}
	return true;
}
