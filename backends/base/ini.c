#include "backends/base/ini.h"
#include "backends/base/fileio.h"
#include <strings.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define LINE_BYTES_MAX ((size_t)64 << 10)

/* What is known while reading from top to bottom. */
struct reader {
	struct ini *ini;
	enum ini_flavour flavour;
	const char *section; /* in the arena */
	size_t capacity;     /* of ini->entries */
	unsigned line;
	bool has_key;	     /* a key came in this section: deeper lines belong to it */
	size_t key_indent;   /* of that key */
	struct error *err;
};

static int bad(struct reader *rd, const char *what)
{
	return error_set(rd->err, ERR_CONFIG, "%s:%u: %s", rd->ini->path, rd->line, what);
}

static int no_memory(struct reader *rd)
{
	return error_set(rd->err, ERR_NO_MEMORY, "%s: out of memory", rd->ini->path);
}

/* key.ptr NULL: the row of a section's header. */
static int add_entry(struct reader *rd, struct str key, struct str value)
{
	struct ini *ini = rd->ini;
	if (ini->count == rd->capacity) {
		size_t capacity = rd->capacity ? 2 * rd->capacity : 32;
		struct ini_entry *entries =
			reallocarray(ini->entries, capacity, sizeof(entries[0]));
		if (!entries)
			return no_memory(rd);
		ini->entries = entries;
		rd->capacity = capacity;
	}
	struct ini_entry entry = { .section = rd->section, .line = rd->line };
	if (key.ptr) {
		entry.key = arena_strndup(&ini->arena, key.ptr, key.len);
		entry.value = arena_strndup(&ini->arena, value.ptr, value.len);
		if (!entry.key || !entry.value)
			return no_memory(rd);
	}
	ini->entries[ini->count++] = entry;
	return 0;
}

static bool is_comment(struct str s)
{
	return s.len > 0 && (s.ptr[0] == '#' || s.ptr[0] == ';');
}

/* Cuts a comment that begins after white space. */
static struct str without_comment(struct str s)
{
	for (size_t i = 1; i < s.len; i++) {
		bool is_after_space = s.ptr[i - 1] == ' ' || s.ptr[i - 1] == '\t';
		if (is_after_space && (s.ptr[i] == '#' || s.ptr[i] == ';'))
			return str_trim((struct str){ s.ptr, i });
	}
	return s;
}

static int read_section(struct reader *rd, struct str s)
{
	const char *close = memchr(s.ptr, ']', s.len);
	if (!close)
		return bad(rd, "a section that is not closed by ']'");
	size_t len = (size_t)(close - s.ptr);
	struct str name = str_trim((struct str){ s.ptr + 1, len - 1 });
	struct str rest = str_trim((struct str){ close + 1, s.len - len - 1 });
	if (name.len == 0)
		return bad(rd, "a section without a name");
	if (rest.len > 0 && !is_comment(rest))
		return bad(rd, "text after a section's name");
	rd->section = arena_strndup(&rd->ini->arena, name.ptr, name.len);
	if (!rd->section)
		return no_memory(rd);
	rd->has_key = false;
	return add_entry(rd, (struct str){0}, (struct str){0});
}

static int read_key(struct reader *rd, struct str s)
{
	struct str value = s;
	struct str key = str_trim(str_split(&value, '='));
	if (!value.ptr)
		return bad(rd, "neither '[section]' nor 'key = value'");
	if (key.len == 0)
		return bad(rd, "a value without a key");
	/* Before trimming: in "key = # note" the comment follows white space. */
	if (rd->flavour == INI_SKYDIR)
		value = without_comment(value);
	return add_entry(rd, key, str_trim(value));
}

static int read_line(struct reader *rd, struct str line)
{
	if (line.len > LINE_BYTES_MAX)
		return bad(rd, "a line over 64 KiB");
	size_t indent = 0;
	while (indent < line.len && (line.ptr[indent] == ' ' || line.ptr[indent] == '\t'))
		indent++;
	struct str s = str_trim(line);
	if (s.len == 0 || is_comment(s))
		return 0;
	/* In AWS files what is indented deeper than a key belongs to that key's value ("s3 =", then
	 * "  max_concurrent_requests = 20"): settings of other programs. A file that is indented as a
	 * whole is not meant by that. */
	if (rd->flavour == INI_AWS && rd->has_key && indent > rd->key_indent)
		return 0;
	if (s.ptr[0] == '[')
		return read_section(rd, s);
	rd->has_key = true;
	rd->key_indent = indent;
	return read_key(rd, s);
}

static int read_lines(struct reader *rd, struct str text)
{
	if (text.len > FILE_BYTES_MAX)
		return error_set(rd->err, ERR_CONFIG, "%s: over 1 MiB", rd->ini->path);
	if (str_starts(text, "\xef\xbb\xbf")) { /* the byte order mark some editors leave */
		text.ptr += 3;
		text.len -= 3;
	}
	struct str rest = text;
	for (;;) {
		struct str line = str_split(&rest, '\n');
		if (!line.ptr)
			return 0;
		rd->line++;
		if (line.len > 0 && memchr(line.ptr, '\0', line.len))
			return bad(rd, "a NUL byte");
		int r = read_line(rd, line);
		if (r < 0)
			return r;
	}
}

int ini_parse(const char *path_for_messages, struct str text, enum ini_flavour flavour,
	      struct ini *ret, struct error *err)
{
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	ini.path = str_dup(str_of(path_for_messages));
	if (!ini.path)
		return error_set(err, ERR_NO_MEMORY, "%s: out of memory", path_for_messages);
	struct reader rd = { .ini = &ini, .flavour = flavour, .section = "", .err = err };
	int r = read_lines(&rd, text);
	if (r < 0)
		return r;
	ini_release(ret);
	*ret = ini;
	ini = INI_INIT; /* moved */
	return 0;
}

static void release_wiped(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->capacity);
	buf_release(b);
}

int ini_load(const char *path, enum ini_flavour flavour, struct ini *ret, struct error *err)
{
	/* Such files hold secrets: the copy read does not stay behind in freed memory. */
	CLEANUP(release_wiped) struct buf text = BUF_INIT(FILE_BYTES_MAX);
	struct error why = ERROR_INIT;
	int r = fileio_read_file(path, &text, &why);
	if (r < 0 && (why.kind == ERR_NOT_FOUND || why.kind == ERR_NO_MEMORY)) {
		if (err)
			*err = why;
		return r;
	}
	if (r < 0)
		return error_set(err, ERR_CONFIG, "%s", why.message);
	return ini_parse(path, buf_str(&text), flavour, ret, err);
}

void ini_release(struct ini *ini)
{
	if (!ini)
		return;
	for (size_t i = 0; i < ini->count; i++) {
		/* Ours and writable: const only tells users not to change it. */
		char *value = (char *)(uintptr_t)ini->entries[i].value;
		if (value)
			explicit_bzero(value, strlen(value));
	}
	arena_release(&ini->arena);
	free(ini->path);
	free(ini->entries);
	ini->path = NULL;
	ini->entries = NULL;
	ini->count = 0;
}

const char *ini_get(const struct ini *ini, const char *section, const char *key)
{
	for (size_t i = ini->count; i-- > 0;) {
		const struct ini_entry *e = &ini->entries[i];
		if (e->key && strcmp(e->section, section) == 0 && strcasecmp(e->key, key) == 0)
			return e->value;
	}
	return NULL;
}

bool ini_has_section(const struct ini *ini, const char *section)
{
	for (size_t i = 0; i < ini->count; i++)
		if (strcmp(ini->entries[i].section, section) == 0)
			return true;
	return false;
}
