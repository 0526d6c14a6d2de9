#include "backends/local/local_impl.h"
#include <string.h>

/*
 * The text of a component is the component itself, except when it is empty, "." or "..", or when it ends in one of the
 * marks %= %@ %+ %v: then it is its bytes with %XX for '%' (and for the dots of "." and ".."), followed by "%=".
 * A text over NAME_TEXT_MAX bytes is cut into directories of NAME_PIECE bytes and "%+"; the mark of a displaced object
 * or of a history follows the last piece, which is why the text leaves room for two bytes.
 */
#define NAME_TEXT_MAX 253

static bool has_mark(struct str s)
{
	return s.len >= 2 && s.ptr[s.len - 2] == '%' && strchr("=@+v", s.ptr[s.len - 1]) &&
	       s.ptr[s.len - 1];
}

static bool ends_in(struct str s, char mark)
{
	return s.len >= 2 && s.ptr[s.len - 2] == '%' && s.ptr[s.len - 1] == mark;
}

bool name_is_continued(struct str name)
{
	return name.len == NAME_PIECE + 2 && ends_in(name, '+');
}

static bool is_dots(struct str s)
{
	return (s.len == 1 && s.ptr[0] == '.') || (s.len == 2 && !memcmp(s.ptr, "..", 2));
}

static int add_text(struct str component, struct buf *ret)
{
	bool has_dots = is_dots(component);
	int r = 0;

	if (component.len && !has_dots && !has_mark(component))
		return buf_add_str(ret, component);
	for (size_t i = 0; i < component.len && !r; i++) {
		char c = component.ptr[i];

		if (c == '%' || has_dots)
			r = buf_addf(ret, "%%%02x", (unsigned char)c);
		else
			r = buf_addc(ret, c);
	}
	return r ? r : buf_adds(ret, "%=");
}

int name_component(struct str component, enum name_kind kind, struct buf *ret)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(LOCAL_PATH_MAX);
	struct str rest;
	int r = add_text(component, &text);

	for (rest = buf_str(&text); !r && rest.len > NAME_TEXT_MAX; rest.len -= NAME_PIECE) {
		r = buf_add(ret, rest.ptr, NAME_PIECE);
		if (!r)
			r = buf_adds(ret, "%+/");
		rest.ptr += NAME_PIECE;
	}
	if (!r)
		r = buf_add_str(ret, rest);
	if (!r && kind != NAME_PLAIN)
		r = buf_adds(ret, kind == NAME_DISPLACED ? "%@" : "%v");
	return r;
}

int name_key_path(struct str key, enum name_kind kind, struct buf *ret)
{
	for (;;) {
		const char *slash = memchr(key.ptr, '/', key.len);
		size_t len = slash ? (size_t)(slash - key.ptr) : key.len;
		int r = name_component((struct str){ key.ptr, len }, slash ? NAME_PLAIN : kind,
				       ret);

		if (r || !slash)
			return r;
		r = buf_addc(ret, '/');
		if (r)
			return r;
		key = (struct str){ slash + 1, key.len - len - 1 };
	}
}

static int unescape(struct str body, struct buf *ret)
{
	for (size_t i = 0; i < body.len; i++) {
		unsigned char c = (unsigned char)body.ptr[i];
		int r;

		if (c == '%') {
			if (body.len - i < 3 ||
			    hex_decode((struct str){ body.ptr + i + 1, 2 }, &c, 1) != 1 || !c ||
			    c == '/')
				return -EINVAL;
			i += 2;
		}
		r = buf_addc(ret, (char)c);
		if (r)
			return r;
	}
	return 0;
}

/* name: "text", or "PIECE%+/PIECE%+/text" as it stands below its directory. */
int name_decode(struct str name, struct buf *ret, enum name_kind *ret_kind)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(LOCAL_PATH_MAX);
	CLEANUP(buf_release) struct buf again = BUF_INIT(LOCAL_PATH_MAX);
	enum name_kind kind = NAME_PLAIN;
	struct str rest = name, whole, component;
	size_t before = ret->len;
	int r = 0;

	for (; !r && rest.len > NAME_PIECE + 3 && rest.ptr[NAME_PIECE + 2] == '/';
	     rest.ptr += NAME_PIECE + 3, rest.len -= NAME_PIECE + 3)
		r = buf_add(&text, rest.ptr, NAME_PIECE);
	if (!r)
		r = buf_add_str(&text, rest);
	if (r)
		return r;
	whole = buf_str(&text);
	if (ends_in(whole, '@') || ends_in(whole, 'v')) {
		kind = ends_in(whole, '@') ? NAME_DISPLACED : NAME_HISTORY;
		whole.len -= 2;
	}
	if (ends_in(whole, '='))
		r = unescape((struct str){ whole.ptr, whole.len - 2 }, ret);
	else
		r = buf_add_str(ret, whole);
	if (r)
		return r;
	/* Only what encoding gives back byte by byte is a name: one object, one place. */
	component = (struct str){ buf_cstr(ret) + before, ret->len - before };
	r = name_component(component, kind, &again);
	if (!r && !str_equal(buf_str(&again), name))
		r = -EINVAL;
	if (!r)
		*ret_kind = kind;
	return r;
}
