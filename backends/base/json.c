#include "backends/base/json.h"
#include "backends/base/hash.h"
#include <limits.h>

#define DEPTH_MAX 64
#define PATH_PART_MAX 256

/*
 * json-c 0.16, strict flag and all, reads NaN, {'a':1}, [-01], [1.], raw control bytes in strings and
 * UTF-8 that is none. So the text is held against the grammar first, by the functions
 * named scan_*; json-c then only builds the objects. Source: RFC 8259.
 */
struct scan {
	struct str rest;
	const char *why; /* what is wrong at rest, NULL so far */
};

static bool fail(struct scan *s, const char *why)
{
	if (!s->why)
		s->why = s->rest.len > 0 ? why : "it ends too early";
	return false;
}

static void skip(struct scan *s, size_t n)
{
	s->rest.ptr += n;
	s->rest.len -= n;
}

static bool at(const struct scan *s, char c)
{
	return s->rest.len > 0 && s->rest.ptr[0] == c;
}

static bool take(struct scan *s, char c)
{
	if (!at(s, c))
		return false;
	skip(s, 1);
	return true;
}

static void skip_space(struct scan *s)
{
	while (at(s, ' ') || at(s, '\t') || at(s, '\n') || at(s, '\r'))
		skip(s, 1);
}

static bool scan_escape(struct scan *s)
{
	if (take(s, 'u')) {
		unsigned char code[2];
		if (s->rest.len < 4 || hex_decode((struct str){ s->rest.ptr, 4 }, code, 2) != 2)
			return fail(s, "a bad escape");
		skip(s, 4);
		return true;
	}
	if (s->rest.len == 0 || s->rest.ptr[0] == '\0' || !strchr("\"\\/bfnrt", s->rest.ptr[0]))
		return fail(s, "a bad escape");
	skip(s, 1);
	return true;
}

static bool scan_string(struct scan *s)
{
	if (!take(s, '"'))
		return fail(s, "a string was expected");
	while (!take(s, '"')) {
		if (take(s, '\\')) {
			if (!scan_escape(s))
				return false;
			continue;
		}
		size_t n = str_utf8_char(s->rest);
		if (n == 0)
			return fail(s, "invalid UTF-8");
		if ((unsigned char)s->rest.ptr[0] < 0x20)
			return fail(s, "a control byte in a string");
		skip(s, n);
	}
	return true;
}

static bool scan_digits(struct scan *s)
{
	size_t n = 0;
	while (n < s->rest.len && s->rest.ptr[n] >= '0' && s->rest.ptr[n] <= '9')
		n++;
	skip(s, n);
	return n > 0 || fail(s, "a digit was expected");
}

static bool scan_number(struct scan *s)
{
	(void)take(s, '-'); /* may be there */
	if (!take(s, '0') && !scan_digits(s)) /* after a leading 0 no digit may follow */
		return false;
	if (take(s, '.') && !scan_digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '-'))
			(void)take(s, '+'); /* may be there */
		return scan_digits(s);
	}
	return true;
}

static bool scan_value(struct scan *s, unsigned depth);

/* What stands between the brackets of an array or object, with the closing one. */
static bool scan_members(struct scan *s, char close, unsigned depth)
{
	if (depth == DEPTH_MAX)
		return fail(s, "nested too deep");
	skip_space(s);
	if (take(s, close))
		return true;
	do {
		skip_space(s);
		if (close == '}') {
			if (!scan_string(s))
				return false;
			skip_space(s);
			if (!take(s, ':'))
				return fail(s, "':' was expected");
		}
		if (!scan_value(s, depth + 1))
			return false;
	} while (take(s, ','));
	return take(s, close) || fail(s, "',' or the closing bracket was expected");
}

/* depth: how many arrays and objects are open around it. Skips white space on both sides. */
static bool scan_value(struct scan *s, unsigned depth)
{
	static const char *const words[] = { "true", "false", "null" };
	bool is_good = false, is_word = false;
	skip_space(s);
	for (size_t i = 0; i < ARRAY_SIZE(words) && !is_word; i++) {
		is_word = str_starts(s->rest, words[i]);
		if (is_word)
			skip(s, strlen(words[i]));
	}
	if (is_word)
		is_good = true;
	else if (at(s, '"'))
		is_good = scan_string(s);
	else if (at(s, '-') || (s->rest.len > 0 && s->rest.ptr[0] >= '0' && s->rest.ptr[0] <= '9'))
		is_good = scan_number(s);
	else if (take(s, '['))
		is_good = scan_members(s, ']', depth);
	else if (take(s, '{'))
		is_good = scan_members(s, '}', depth);
	else
		return fail(s, "no value");
	skip_space(s);
	return is_good;
}

static void tokener_freep(struct json_tokener **tok)
{
	if (*tok)
		json_tokener_free(*tok);
}

static int malformed(struct error *err, size_t offset, const char *why)
{
	return error_set(err, ERR_PROTOCOL, "malformed JSON at byte %zu: %s", offset, why);
}

int json_parse(struct str text, size_t max_size, struct json_object **ret, struct error *err)
{
	if (text.len > max_size || text.len >= INT_MAX)
		return error_set(err, ERR_TOO_LARGE, "JSON of %zu bytes is over the limit of %zu",
				 text.len, max_size);
	struct scan s = { .rest = text };
	if (scan_value(&s, 0) && s.rest.len > 0)
		(void)fail(&s, "trailing bytes");
	if (s.why)
		return malformed(err, text.len - s.rest.len, s.why);

	/* json-c counts a level or two more than there are brackets. */
	CLEANUP(tokener_freep) struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX + 2);
	if (!tok)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	CLEANUP(json_putp) struct json_object *o =
		json_tokener_parse_ex(tok, text.ptr, (int)text.len);
	/* A bare number ends only where the text does, which a NUL says. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, "", 1);
	enum json_tokener_error why = json_tokener_get_error(tok);
	if (why != json_tokener_success)
		return malformed(err, text.len, json_tokener_error_desc(why));
	*ret = steal(o);
	return 0;
}

void json_putp(struct json_object **o)
{
	if (*o)
		(void)json_object_put(*o); /* says whether it was the last reference */
	*o = NULL;
}

static struct json_object *step(struct json_object *o, struct str part)
{
	if (json_object_is_type(o, json_type_array)) {
		uint64_t i;
		if (str_to_u64(part, &i) < 0 || i >= json_object_array_length(o))
			return NULL;
		return json_object_array_get_idx(o, (size_t)i);
	}
	char key[PATH_PART_MAX];
	struct json_object *value = NULL;
	if (!json_object_is_type(o, json_type_object) || part.len >= sizeof(key))
		return NULL;
	memcpy(key, part.ptr, part.len);
	key[part.len] = '\0';
	return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

struct json_object *json_get(struct json_object *o, const char *path)
{
	struct str rest = str_of(path);
	if (rest.len == 0)
		return o;
	while (o && rest.ptr)
		o = step(o, str_split(&rest, '.'));
	return o;
}

const char *json_get_string(struct json_object *o, const char *path)
{
	struct json_object *value = json_get(o, path);
	if (!json_object_is_type(value, json_type_string))
		return NULL;
	const char *text = json_object_get_string(value);
	/* "\u0000" is legal JSON, but cut off there it would be another string. */
	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return NULL;
	return text;
}

int64_t json_get_int64(struct json_object *o, const char *path, int64_t fallback)
{
	struct json_object *value = json_get(o, path);
	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

bool json_get_bool(struct json_object *o, const char *path, bool fallback)
{
	struct json_object *value = json_get(o, path);
	return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value) :
							       fallback;
}

struct json_object *json_get_array(struct json_object *o, const char *path)
{
	struct json_object *value = json_get(o, path);
	return json_object_is_type(value, json_type_array) ? value : NULL;
}
