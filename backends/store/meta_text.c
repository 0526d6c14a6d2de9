#include "backends/store/meta_text.h"
#include "backends/base/hash.h"

static bool value_is_plain(const char *value)
{
	size_t len = strlen(value);

	if (len == 0)
		return true;
	if (value[0] == ' ' || value[len - 1] == ' ' || strstr(value, "=?") || strstr(value, "  "))
		return false;
	for (size_t i = 0; i < len; i++)
		if (value[i] < 0x20 || value[i] >= 0x7f)
			return false;
	return true;
}

int store_meta_to_header(const char *value, struct buf *ret)
{
	int r;

	if (value_is_plain(value))
		return buf_adds(ret, value);
	r = buf_adds(ret, "=?UTF-8?B?");
	if (r == 0)
		r = base64_encode(value, strlen(value), ret);
	return r < 0 ? r : buf_adds(ret, "?=");
}

/* One Q word's text: "_" is a blank, "=XX" a byte. */
static int decode_q(struct str text, struct buf *out)
{
	unsigned char byte;
	int r = 0;

	for (size_t i = 0; i < text.len && r >= 0; i++) {
		if (text.ptr[i] == '_') {
			r = buf_addc(out, ' ');
		} else if (text.ptr[i] != '=') {
			r = buf_addc(out, text.ptr[i]);
		} else {
			if (i + 2 >= text.len ||
			    hex_decode((struct str){ text.ptr + i + 1, 2 }, &byte, 1) != 1)
				return -EINVAL;
			r = buf_addc(out, (char)byte);
			i += 2;
		}
	}
	return r;
}

/* Takes one "=?charset?B|Q?text?=" off the front of rest. */
static int decode_word(struct str *rest, struct buf *out)
{
	struct str word = { rest->ptr + 2, rest->len - 2 }, encoding, text;
	const char *end;

	(void)str_split(&word, '?'); /* the charset: bytes are bytes */
	if (!word.ptr)
		return -EINVAL;
	encoding = str_split(&word, '?');
	if (!word.ptr || encoding.len != 1)
		return -EINVAL;
	end = memmem(word.ptr, word.len, "?=", 2);
	if (!end)
		return -EINVAL;
	text = (struct str){ word.ptr, (size_t)(end - word.ptr) };
	*rest = (struct str){ end + 2, word.len - text.len - 2 };
	if (encoding.ptr[0] == 'B' || encoding.ptr[0] == 'b')
		return base64_decode(text, out);
	if (encoding.ptr[0] == 'Q' || encoding.ptr[0] == 'q')
		return decode_q(text, out);
	return -EINVAL;
}

char *store_meta_from_header(const char *value, struct arena *arena)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65536);
	struct str rest = str_of(value);

	while (str_starts(rest, "=?")) {
		if (decode_word(&rest, &out) < 0)
			return arena_strdup(arena, value);
		if (rest.len == 0)
			return memchr(buf_cstr(&out), '\0', out.len)
				       ? arena_strdup(arena, value)
				       : arena_strdup(arena, buf_cstr(&out));
		while (rest.len > 0 && rest.ptr[0] == ' ')
			rest = (struct str){ rest.ptr + 1, rest.len - 1 };
	}
	return arena_strdup(arena, value);
}
