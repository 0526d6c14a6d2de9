#include "backends/base/json.h"
#include <limits.h>

#define DEPTH_MAX 64
#define PATH_PART_MAX 256

static void tokener_freep(struct json_tokener **tok)
{
	if (*tok)
		json_tokener_free(*tok);
}

static int malformed(struct error *err, size_t at, const char *why)
{
	return error_set(err, ERR_PROTOCOL, "malformed JSON at byte %zu: %s", at, why);
}

int json_parse(struct str text, size_t max_size, struct json_object **ret, struct error *err)
{
	if (text.len > max_size || text.len >= INT_MAX)
		return error_set(err, ERR_TOO_LARGE, "JSON of %zu bytes is over the limit of %zu",
				 text.len, max_size);
	text = str_trim(text);
	if (text.len == 0)
		return malformed(err, 0, "nothing there");
	/* To json-c a NUL is the end, whatever length it was given. */
	const char *nul = memchr(text.ptr, '\0', text.len);
	if (nul)
		return malformed(err, (size_t)(nul - text.ptr), "a NUL byte");

	/* json-c counts one level for the values inside the innermost array or object. */
	CLEANUP(tokener_freep) struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX + 1);
	if (!tok)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	CLEANUP(json_putp) struct json_object *o =
		json_tokener_parse_ex(tok, text.ptr, (int)text.len);
	enum json_tokener_error why = json_tokener_get_error(tok);
	size_t end = json_tokener_get_parse_end(tok);
	if (why == json_tokener_continue) {
		/* A bare number ends only where the text does, which the NUL says. */
		o = json_tokener_parse_ex(tok, "", 1);
		why = json_tokener_get_error(tok);
		end = text.len;
		if (why == json_tokener_continue)
			return malformed(err, end, "it ends too early");
	}
	if (why == json_tokener_error_depth)
		return malformed(err, end, "nested too deep");
	if (why != json_tokener_success)
		return malformed(err, end, json_tokener_error_desc(why));
	if (end < text.len)
		return malformed(err, end, "trailing bytes");
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
