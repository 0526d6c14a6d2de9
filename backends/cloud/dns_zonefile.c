#include "backends/cloud/dns_zonefile.h"

#include <ctype.h>
#include <strings.h>

#define WORDS_MAX 256
#define WORD_MAX  ((size_t)70000)

/* One entry: words behind each other in `text`, ended by NUL; quoted ones keep their quotes. */
struct entry {
	struct buf text;
	size_t at[WORDS_MAX];
	size_t count;
	unsigned line; /* it begins on */
	bool has_owner;	/* its first line began with a word */
};
struct parser {
	const char *zone;
	struct str rest;
	unsigned line;
	char *origin, *owner; /* full, without the last dot; owner NULL: none yet */
	int64_t ttl, last_ttl; /* of $TTL and the last one said; -1: none */
	struct entry entry;
	struct json_object *sets, *index; /* index: "name type" to the set, "name" to how many types */
	size_t records;
};

static void parser_release(struct parser *p)
{
	free(p->origin);
	free(p->owner);
	buf_release(&p->entry.text);
	json_object_put(p->sets);
	json_object_put(p->index);
}

static const char *word(const struct parser *p, size_t i)
{
	return p->entry.text.data + p->entry.at[i];
}

/* ---- words ---- */

static int begin_word(struct parser *p, struct error *err)
{
	if (p->entry.count == WORDS_MAX)
		return error_set(err, ERR_INVALID, "line %u: more than %d words in one record", p->line, WORDS_MAX);
	p->entry.at[p->entry.count++] = p->entry.text.len;
	return 0;
}

static int add_char(struct parser *p, char c, struct error *err)
{
	if (buf_addc(&p->entry.text, c) < 0)
		return error_set(err, ERR_INVALID, "line %u: the record is too long", p->line);
	return 0;
}

static char take(struct parser *p)
{
	char c = *p->rest.ptr;

	p->rest.ptr++;
	p->rest.len--;
	return c;
}

/* A word with its escapes and quotes, up to what ends it. */
static int read_word(struct parser *p, struct error *err)
{
	bool is_quoted = false;
	int r = begin_word(p, err);

	while (r == 0 && p->rest.len) {
		char c = *p->rest.ptr;

		if (!c)
			return error_set(err, ERR_INVALID, "line %u: a byte 0", p->line);
		if (c == '\n' && is_quoted)
			return error_set(err, ERR_INVALID, "line %u: a quoted text has no end", p->line);
		if (!is_quoted && strchr(" \t\r\n;()", c))
			break;
		(void)take(p);
		r = add_char(p, c, err);
		if (c == '\\' && p->rest.len && *p->rest.ptr != '\n' && *p->rest.ptr && r == 0)
			r = add_char(p, take(p), err);
		else if (c == '"' && is_quoted)
			break; /* "a""b" are two */
		else if (c == '"')
			is_quoted = true;
	}
	if (r == 0 && is_quoted && (!p->entry.text.len || p->entry.text.data[p->entry.text.len - 1] != '"'))
		return error_set(err, ERR_INVALID, "line %u: a quoted text has no end", p->line);
	return r < 0 ? r : add_char(p, '\0', err);
}

/* The next entry with words in it: 1, 0 at the end. */
static int read_entry(struct parser *p, struct error *err)
{
	struct entry *e = &p->entry;
	bool is_open = false, is_line_start = true;
	int r = 0;

	buf_clear(&e->text);
	e->count = 0;
	while (p->rest.len && r == 0) {
		char c = *p->rest.ptr;

		if (c == '\n') {
			(void)take(p);
			p->line++;
			if (e->count && !is_open)
				return 1;
			is_line_start = !is_open;
			continue;
		}
		if (c == ';') {
			while (p->rest.len && *p->rest.ptr != '\n')
				(void)take(p);
		} else if (c == '(' || c == ')') {
			if (is_open == (c == '('))
				return error_set(err, ERR_INVALID, "line %u: a '%c' too many", p->line, c);
			is_open = c == '(';
			(void)take(p);
		} else if (c == ' ' || c == '\t' || c == '\r') {
			(void)take(p);
		} else {
			if (!e->count) {
				e->line = p->line;
				e->has_owner = is_line_start;
			}
			r = read_word(p, err);
		}
		is_line_start = false;
	}
	if (r == 0 && is_open)
		return error_set(err, ERR_INVALID, "line %u: a '(' is not closed", p->line);
	return r < 0 ? r : e->count > 0;
}

/* ---- names and numbers ---- */

/* A name of the file: full, without the last dot ("." is the root). */
static int full_name(const char *origin, const char *text, char **ret, struct error *err)
{
	CLEANUP(freep) char *whole = NULL;
	size_t len = strlen(text);

	if (!strcmp(text, "@"))
		whole = strdup(origin);
	else if (len && text[len - 1] == '.')
		whole = strdup(text);
	else
		whole = !strcmp(origin, ".") ? strdup(text) : str_format("%s.%s", text, origin);
	if (!whole)
		return error_no_memory(err);
	if (!strncmp(whole, "\\052", 4))
		memmove(whole + 1, whole + 4, strlen(whole + 4) + 1), whole[0] = '*';
	return dns_domain(whole, ret, err);
}

/* "3600", "1h30m"; false: it is none. */
static bool read_ttl(const char *text, int64_t *ret)
{
	int64_t total = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	while (*text) {
		int64_t number = 0, unit = 1;

		if (!isdigit((unsigned char)*text))
			return false;
		for (; isdigit((unsigned char)*text); text++) {
			number = number * 10 + (*text - '0');
			if (number > DNS_TTL_MAX)
				return false;
		}
		if (*text) {
			static const char units[] = "smhdw";
			static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
			const char *at = strchr(units, tolower((unsigned char)*text));

			if (!at)
				return false;
			unit = seconds[at - units];
			text++;
		}
		total += number * unit;
		if (total > DNS_TTL_MAX)
			return false;
	}
	*ret = total;
	return true;
}

/* ---- directives ---- */

static int read_directive(struct parser *p, struct error *err)
{
	const char *name = word(p, 0);
	char *origin = NULL;

	if (!strcasecmp(name, "$ORIGIN") && p->entry.count == 2) {
		int r = full_name(p->origin, word(p, 1), &origin, err);

		if (r < 0)
			return error_prefix(err, r, "line %u", p->entry.line);
		free(p->origin);
		p->origin = origin;
		return 0;
	}
	if (!strcasecmp(name, "$TTL") && p->entry.count == 2 && read_ttl(word(p, 1), &p->ttl))
		return 0;
	return error_set(err, ERR_INVALID, "line %u: '%.20s' is not understood here", p->entry.line, name);
}

/* ---- records ---- */

/* The words from `first` on, as dns_value takes them: names made full, texts quoted. */
static int join_words(struct parser *p, const char *type, size_t first, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(WORD_MAX);
	bool is_text = !strcmp(type, "TXT") || !strcmp(type, "SPF");
	int r = 0;

	for (size_t i = first; i < p->entry.count && r == 0; i++) {
		const char *w = word(p, i);
		bool has_quote = *w == '"';

		r = buf_addf(&out, "%s%s%s%s", i > first ? " " : "", is_text && !has_quote ? "\"" : "", w,
			     is_text && !has_quote ? "\"" : "");
	}
	if (r < 0)
		return error_set(err, ERR_INVALID, "the record is too long");
	if (is_text)
		return dns_value(type, buf_cstr(&out), ret, err);
	return dns_value_below(type, buf_cstr(&out), p->origin, ret, err);
}

static int check_beside(struct parser *p, const char *name, const char *type, struct error *err)
{
	struct json_object *cname = NULL, *count = NULL;
	CLEANUP(freep) char *key = str_format("%s CNAME", name);
	int64_t types = json_object_object_get_ex(p->index, name, &count) ? json_object_get_int64(count) : 0;

	if (!key)
		return error_no_memory(err);
	if (types && (!strcmp(type, "CNAME") || json_object_object_get_ex(p->index, key, &cname)))
		return error_set(err, ERR_INVALID, "'%.100s': a CNAME stands alone at its name", name);
	if (!strcmp(type, "CNAME") && !strcmp(name, p->zone))
		return error_set(err, ERR_INVALID, "a zone's own name can have no CNAME (it has SOA and NS)");
	json_object_object_add(p->index, name, json_object_new_int64(types + 1));
	return 0;
}

static struct json_object *new_set(const char *name, const char *type, int64_t ttl)
{
	struct json_object *set = json_object_new_object();

	if (!set)
		return NULL;
	json_object_object_add(set, "name", json_object_new_string(name));
	json_object_object_add(set, "type", json_object_new_string(type));
	json_object_object_add(set, "ttl", ttl < 0 ? NULL : json_object_new_int64(ttl));
	json_object_object_add(set, "values", json_object_new_array());
	return set;
}

static int add_record(struct parser *p, const char *type, int64_t ttl, const char *value, struct error *err)
{
	CLEANUP(freep) char *key = str_format("%s %s", p->owner, type);
	struct json_object *set = NULL, *values;
	int r;

	if (!key)
		return error_no_memory(err);
	if (++p->records > DNS_ZONEFILE_RECORDS)
		return error_set(err, ERR_INVALID, "more than %d records", DNS_ZONEFILE_RECORDS);
	if (!json_object_object_get_ex(p->index, key, &set)) {
		r = check_beside(p, p->owner, type, err);
		if (r < 0)
			return r;
		set = new_set(p->owner, type, ttl);
		if (!set || json_object_array_add(p->sets, set) != 0) {
			json_object_put(set);
			return error_no_memory(err);
		}
		json_object_object_add(p->index, key, json_object_get(set));
	} else if (json_get_int64(set, "ttl", -1) != ttl) {
		return error_set(err, ERR_INVALID, "the records of '%.100s' of type %s have different TTLs", p->owner, type);
	}
	values = json_get_array(set, "values");
	if (json_object_array_length(values) >= DNS_VALUES_MAX)
		return error_set(err, ERR_INVALID, "'%.100s' has more than %d values of type %s", p->owner, DNS_VALUES_MAX, type);
	if (json_object_array_length(values) && (!strcmp(type, "CNAME") || !strcmp(type, "SOA")))
		return error_set(err, ERR_INVALID, "a record set of type %s has one value", type);
	for (size_t i = 0; i < json_object_array_length(values); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(values, i)), value))
			return 0;
	return json_object_array_add(values, json_object_new_string(value)) == 0 ? 0 : error_no_memory(err);
}

/* [owner] [ttl] [class] type rdata; ttl and class in any order. */
static int read_record(struct parser *p, struct error *err)
{
	CLEANUP(freep) char *value = NULL;
	char type[16];
	size_t at = 0;
	int64_t ttl = -1;
	int r = 0;

	if (p->entry.has_owner) {
		char *owner = NULL;

		r = full_name(p->origin, word(p, at++), &owner, err);
		if (r < 0)
			return r;
		free(p->owner);
		p->owner = owner;
	}
	if (!p->owner)
		return error_set(err, ERR_INVALID, "the first record has no name");
	if (!dns_is_below(p->owner, p->zone))
		return error_set(err, ERR_INVALID, "'%.100s' is not in the zone '%.100s'", p->owner, p->zone);
	for (size_t i = 0; i < 2 && at < p->entry.count; i++) {
		if (!strcasecmp(word(p, at), "IN") || (ttl < 0 && read_ttl(word(p, at), &ttl)))
			at++;
		else if (!strcasecmp(word(p, at), "CH") || !strcasecmp(word(p, at), "HS"))
			return error_set(err, ERR_INVALID, "only the class IN is known");
	}
	if (at >= p->entry.count || strlen(word(p, at)) >= sizeof type)
		return error_set(err, ERR_INVALID, "the record has no type");
	for (size_t i = 0; i <= strlen(word(p, at)); i++)
		type[i] = (char)toupper((unsigned char)word(p, at)[i]);
	if (!dns_is_type(type))
		return error_set(err, ERR_INVALID, "records of type '%s' are not known", type);
	if (ttl >= 0)
		p->last_ttl = ttl;
	ttl = ttl >= 0 ? ttl : p->ttl >= 0 ? p->ttl : p->last_ttl;
	r = join_words(p, type, at + 1, &value, err);
	return r < 0 ? r : add_record(p, type, ttl, value, err);
}

int dns_zonefile_parse(const char *zone, struct str text, struct json_object **ret, struct error *err)
{
	CLEANUP(parser_release) struct parser p = { .zone = zone, .rest = text, .line = 1, .ttl = -1, .last_ttl = -1 };
	int r;

	if (text.len > DNS_ZONEFILE_MAX)
		return error_set(err, ERR_TOO_LARGE, "the zone file is larger than %zu bytes", DNS_ZONEFILE_MAX);
	p.entry.text = BUF_INIT(WORD_MAX);
	p.origin = strdup(zone);
	p.sets = json_object_new_array();
	p.index = json_object_new_object();
	if (!p.origin || !p.sets || !p.index)
		return error_no_memory(err);
	while ((r = read_entry(&p, err)) > 0) {
		if (*word(&p, 0) == '$' && p.entry.has_owner) {
			r = read_directive(&p, err);
		} else {
			r = read_record(&p, err);
			if (r < 0)
				r = error_prefix(err, r, "line %u", p.entry.line);
		}
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret = steal(p.sets);
	return 0;
}

/* ---- writing ---- */

static int write_set(const char *zone, struct json_object *set, struct buf *ret, struct error *err)
{
	const char *name = json_get_string(set, "name"), *type = json_get_string(set, "type");
	const char *alias = json_get_string(set, "alias");
	struct json_object *values = json_get_array(set, "values");
	int64_t ttl = json_get_int64(set, "ttl", -1);
	struct str relative;
	int r = 0;

	if (!name || !type)
		return 0;
	relative = dns_relative(name, zone);
	if (alias && buf_addf(ret, "; %.*s IN %s is an alias of %s\n", (int)relative.len, relative.ptr, type, alias) < 0)
		return error_set(err, ERR_TOO_LARGE, "the zone is too large for one file");
	for (size_t i = 0; values && i < json_object_array_length(values) && r == 0; i++) {
		CLEANUP(freep) char *wire = NULL;

		r = dns_value_wire(type, json_object_get_string(json_object_array_get_idx(values, i)), DNS_ESCAPE_DECIMAL, &wire,
				   err);
		if (r == 0 && buf_addf(ret, "%s%.*s\t", dns_is_type(type) ? "" : "; ", (int)relative.len, relative.ptr) < 0)
			r = -EFBIG;
		if (r == 0 && ttl >= 0)
			r = buf_addf(ret, "%lld\t", (long long)ttl);
		if (r == 0)
			r = buf_addf(ret, "IN\t%s\t%s\n", type, wire);
		if (r < 0)
			return error_set(err, ERR_TOO_LARGE, "the zone is too large for one file");
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a, *y = *(struct json_object *const *)b;
	const char *n = json_get_string(x, "name"), *m = json_get_string(y, "name");
	const char *t = json_get_string(x, "type"), *u = json_get_string(y, "type");
	size_t k = n ? strlen(n) : 0, l = m ? strlen(m) : 0;
	bool is_soa = t && !strcmp(t, "SOA"), is_other_soa = u && !strcmp(u, "SOA");
	bool has_ttl = json_get(x, "ttl") != NULL, has_other_ttl = json_get(y, "ttl") != NULL;
	int r;

	if (has_ttl != has_other_ttl) /* a record without a TTL takes the one said before it: so none may be */
		return has_ttl ? 1 : -1;
	if (is_soa != is_other_soa) /* first, as name servers want it */
		return is_soa ? -1 : 1;
	if (k != l && (!n || !m || strcmp(n, m) != 0)) /* the zone itself is the shortest */
		return k < l ? -1 : 1;
	r = n && m ? strcmp(n, m) : 0;
	return r ? r : t && u ? strcmp(t, u) : 0;
}

int dns_zonefile_write(const char *zone, struct json_object *sets, struct buf *ret, struct error *err)
{
	size_t count = json_object_array_length(sets);
	CLEANUP(freep) struct json_object **order = calloc(count + 1, sizeof *order);
	int r = 0;

	if (!order)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		order[i] = json_object_array_get_idx(sets, i);
	qsort(order, count, sizeof *order, by_name);
	if (buf_addf(ret, "$ORIGIN %s.\n", zone) < 0)
		return error_no_memory(err);
	for (size_t i = 0; i < count && r == 0; i++)
		r = write_set(zone, order[i], ret, err);
	return r;
}
