/*
 * The values of each type: a row says of what pieces it is made, one function checks a piece.
 */
#include "backends/cloud/dns_check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define WORDS_MAX 64

enum piece { END, BYTE, WORD, LONG, HOST, IPV4, IPV6, TAG, QUOTED, HEX, SVC_PARAMS };
static const struct {
	const char *type, *form; /* what the error says it should be */
	enum piece pieces[9];
} rows[] = {
	{ "A", "an IPv4 address", { IPV4 } },
	{ "AAAA", "an IPv6 address", { IPV6 } },
	{ "CNAME", "NAME", { HOST } },
	{ "NS", "NAME", { HOST } },
	{ "PTR", "NAME", { HOST } },
	{ "DNAME", "NAME", { HOST } },
	{ "MX", "PREFERENCE NAME", { WORD, HOST } },
	{ "SRV", "PRIORITY WEIGHT PORT NAME", { WORD, WORD, WORD, HOST } },
	{ "CAA", "FLAGS TAG \"VALUE\"", { BYTE, TAG, QUOTED } },
	{ "SOA", "PRIMARY CONTACT SERIAL REFRESH RETRY EXPIRE MINIMUM", { HOST, HOST, LONG, LONG, LONG, LONG, LONG } },
	{ "SSHFP", "ALGORITHM KIND FINGERPRINT", { BYTE, BYTE, HEX } },
	{ "TLSA", "USAGE SELECTOR MATCHING DATA", { BYTE, BYTE, BYTE, HEX } },
	{ "DS", "KEYTAG ALGORITHM KIND DIGEST", { WORD, BYTE, BYTE, HEX } },
	{ "NAPTR", "ORDER PREFERENCE \"FLAGS\" \"SERVICE\" \"REGEXP\" NAME", { WORD, WORD, QUOTED, QUOTED, QUOTED, HOST } },
	{ "HTTPS", "PRIORITY NAME [KEY=VALUE...]", { WORD, HOST, SVC_PARAMS } },
	{ "SVCB", "PRIORITY NAME [KEY=VALUE...]", { WORD, HOST, SVC_PARAMS } },
	{ "TXT", "text", { END } },
	{ "SPF", "text", { END } },
};

static bool is_text(const char *type)
{
	return !strcmp(type, "TXT") || !strcmp(type, "SPF");
}

static size_t find_row(const char *type)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) && strcmp(rows[i].type, type) != 0)
		i++;
	return i;
}

bool dns_is_type(const char *type)
{
	return find_row(type) < ARRAY_SIZE(rows);
}

int dns_words(const char *value, struct str *ret, size_t max)
{
	size_t count = 0;
	const char *p = value;

	for (;;) {
		bool is_quoted = false;
		const char *begin;

		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p)
			return (int)count;
		if (count == max)
			return -EINVAL;
		for (begin = p; *p && (is_quoted || (*p != ' ' && *p != '\t')); p++) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == '"')
				is_quoted = !is_quoted;
		}
		if (is_quoted)
			return -EINVAL;
		ret[count++] = (struct str){ begin, (size_t)(p - begin) };
	}
}

static int add_number(struct buf *out, struct str s, uint64_t max)
{
	uint64_t value;

	if (str_to_u64(s, &value) < 0 || value > max)
		return -EINVAL;
	return buf_addf(out, "%llu", (unsigned long long)value);
}

static int add_address(struct buf *out, struct str s, int family)
{
	CLEANUP(freep) char *text = str_dup(s);
	unsigned char bytes[16];
	char shown[INET6_ADDRSTRLEN];

	if (!text)
		return -ENOMEM;
	if (inet_pton(family, text, bytes) != 1 || !inet_ntop(family, bytes, shown, sizeof shown))
		return -EINVAL;
	return buf_adds(out, shown);
}

static int add_host(struct buf *out, struct str s)
{
	CLEANUP(freep) char *text = str_dup(s), *name = NULL;
	struct error local = ERROR_INIT; /* the caller says what the whole value should be */

	if (!text)
		return -ENOMEM;
	if (dns_domain(text, &name, &local) < 0)
		return -EINVAL;
	return buf_adds(out, name);
}

static int add_hex(struct buf *out, const struct str *words, size_t count)
{
	size_t digits = 0;

	for (size_t w = 0; w < count; w++) {
		for (size_t i = 0; i < words[w].len; i++, digits++)
			if (!isxdigit((unsigned char)words[w].ptr[i]) ||
			    buf_addc(out, (char)tolower((unsigned char)words[w].ptr[i])) < 0)
				return -EINVAL;
	}
	return digits && digits % 2 == 0 ? 0 : -EINVAL;
}

static int add_tag(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) || buf_addc(out, (char)tolower((unsigned char)s.ptr[i])) < 0)
			return -EINVAL;
	return 0;
}

/* key or key=value, keys of lower case letters, digits and '-', each once. */
static int add_svc_params(struct buf *out, const struct str *words, size_t count)
{
	for (size_t w = 0; w < count; w++) {
		struct str rest = words[w], key = str_split(&rest, '=');

		if (!key.len || key.len > 63)
			return -EINVAL;
		for (size_t i = 0; i < key.len; i++)
			if (!islower((unsigned char)key.ptr[i]) && !isdigit((unsigned char)key.ptr[i]) && key.ptr[i] != '-')
				return -EINVAL;
		for (size_t o = 0; o < w; o++)
			if (words[o].len >= key.len && !memcmp(words[o].ptr, key.ptr, key.len) &&
			    (words[o].len == key.len || words[o].ptr[key.len] == '='))
				return -EINVAL;
		for (size_t i = 0; i < words[w].len; i++)
			if ((unsigned char)words[w].ptr[i] < 0x20 || (unsigned char)words[w].ptr[i] >= 0x7f)
				return -EINVAL;
		if (buf_addc(out, ' ') < 0 || buf_add_str(out, words[w]) < 0)
			return -EINVAL;
	}
	return 0;
}

static int add_piece(struct buf *out, enum piece piece, struct str s)
{
	switch (piece) {
	case BYTE:
		return add_number(out, s, 255);
	case WORD:
		return add_number(out, s, 65535);
	case LONG:
		return add_number(out, s, UINT32_MAX);
	case HOST:
		return add_host(out, s);
	case IPV4:
		return add_address(out, s, AF_INET);
	case IPV6:
		return add_address(out, s, AF_INET6);
	case TAG:
		return add_tag(out, s);
	case QUOTED:
		return dns_string(s, out);
	default:
		return -EINVAL;
	}
}

static int add_pieces(struct buf *out, size_t row, const struct str *words, size_t count)
{
	size_t at = 0;
	int r = 0;

	for (const enum piece *p = rows[row].pieces; *p != END && r == 0; p++, at++) {
		if (*p == SVC_PARAMS)
			return add_svc_params(out, words + at, count - at);
		if (at >= count)
			return -EINVAL;
		if (at)
			r = buf_addc(out, ' ');
		if (r == 0 && *p == HEX) /* often written in groups */
			return add_hex(out, words + at, count - at);
		if (r == 0)
			r = add_piece(out, *p, words[at]);
	}
	return r == 0 && at != count ? -EINVAL : r;
}

/* A digest has the length of its kind; kinds that are not known may have any. */
static bool has_right_length(const char *type, const char *value)
{
	static const struct {
		const char *type;
		size_t word; /* where the kind stands */
		unsigned kind;
		size_t digits;
	} lengths[] = { { "SSHFP", 1, 1, 40 }, { "SSHFP", 1, 2, 64 }, { "DS", 2, 1, 40 },  { "DS", 2, 2, 64 },
			{ "DS", 2, 4, 96 },    { "TLSA", 2, 1, 64 },  { "TLSA", 2, 2, 128 } };
	struct str words[4];
	int count = dns_words(value, words, ARRAY_SIZE(words));
	uint64_t kind;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		if (strcmp(lengths[i].type, type) != 0 || count < 3)
			continue;
		if (str_to_u64(words[lengths[i].word], &kind) == 0 && kind == lengths[i].kind &&
		    words[count - 1].len != lengths[i].digits)
			return false;
	}
	return true;
}

int dns_value(const char *type, const char *text, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65535);
	struct str words[WORDS_MAX];
	size_t row = find_row(type);
	int count, r;

	if (row == ARRAY_SIZE(rows))
		return error_set(err, ERR_INVALID, "records of type '%.20s' are not known", type);
	if (is_text(type))
		return dns_txt_unquote(text, DNS_ESCAPE_DECIMAL, ret, err);
	count = dns_words(text, words, WORDS_MAX);
	r = count < 0 ? count : add_pieces(&out, row, words, (size_t)count);
	if (r == 0 && !has_right_length(type, buf_cstr(&out)))
		return error_set(err, ERR_INVALID, "'%.100s' is no value of type %s: the digest has not the length of its kind",
				 text, type);
	if (r < 0)
		return error_set(err, r == -ENOMEM ? ERR_NO_MEMORY : ERR_INVALID, "'%.100s' is no value of type %s (%s)", text,
				 type, rows[row].form);
	*ret = buf_detach(&out);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* The piece that word i is: the last one takes all that follow. */
static enum piece piece_at(size_t row, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (rows[row].pieces[k] == END || rows[row].pieces[k] == SVC_PARAMS || rows[row].pieces[k] == HEX)
			return rows[row].pieces[k];
	return rows[row].pieces[i];
}

int dns_value_below(const char *type, const char *text, const char *origin, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65535);
	struct str words[WORDS_MAX];
	size_t row = find_row(type);
	int count = dns_words(text, words, WORDS_MAX), r = 0;

	if (row == ARRAY_SIZE(rows) || count < 0)
		return dns_value(type, text, ret, err);
	for (size_t i = 0; i < (size_t)count && r == 0; i++) {
		enum piece piece = i < ARRAY_SIZE(rows[row].pieces) ? piece_at(row, i) : END;
		bool is_relative = piece == HOST && words[i].ptr[words[i].len - 1] != '.';

		r = buf_adds(&out, i ? " " : "");
		if (r == 0 && is_relative && words[i].len == 1 && words[i].ptr[0] == '@')
			r = buf_adds(&out, origin);
		else if (r == 0)
			r = buf_addf(&out, "%.*s%s%s", (int)words[i].len, words[i].ptr, is_relative ? "." : "",
				     is_relative ? origin : "");
	}
	return r < 0 ? error_set(err, ERR_INVALID, "a value of type %s is too long", type) : dns_value(type, buf_cstr(&out), ret, err);
}

/* ---- as services write it ---- */

int dns_value_wire(const char *type, const char *value, enum dns_escape escape, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(65535);
	struct str words[WORDS_MAX];
	size_t row = find_row(type), at = 0;
	int count = 0, r = 0;

	if (is_text(type))
		return dns_txt_quote(value, escape, ret, err);
	if (row < ARRAY_SIZE(rows))
		count = dns_words(value, words, WORDS_MAX);
	if (count < 0)
		return error_set(err, ERR_INVALID, "'%.100s' is no value of type %.20s", value, type);
	if (!count)
		r = buf_adds(&out, value);
	for (const enum piece *p = rows[row % ARRAY_SIZE(rows)].pieces; at < (size_t)count && r == 0; at++) {
		enum piece piece = *p;

		r = buf_addf(&out, "%s%.*s%s", at ? " " : "", (int)words[at].len, words[at].ptr,
			     piece == HOST && words[at].ptr[words[at].len - 1] != '.' ? "." : "");
		p += piece != END && piece != SVC_PARAMS;
	}
	if (r == 0)
		*ret = buf_detach(&out);
	return r == 0 && *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

int dns_value_read(const char *type, const char *theirs, enum dns_escape escape, char **ret, struct error *err)
{
	struct error local = ERROR_INIT;
	int r = is_text(type) ? dns_txt_unquote(theirs, escape, ret, &local) : dns_value(type, theirs, ret, &local);

	if (r < 0) /* shown as the service has it, rather than not at all */
		*ret = strdup(theirs);
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* ---- sets ---- */

static bool holds(struct json_object *list, const char *value)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *other = json_object_get_string(json_object_array_get_idx(list, i));

		if (other && !strcmp(other, value))
			return true;
	}
	return false;
}

bool dns_same_values(struct json_object *a, struct json_object *b)
{
	if (!json_object_is_type(a, json_type_array) || !json_object_is_type(b, json_type_array) ||
	    json_object_array_length(a) != json_object_array_length(b))
		return false;
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		const char *value = json_object_get_string(json_object_array_get_idx(a, i));

		if (!value || !holds(b, value))
			return false;
	}
	return true;
}

int dns_values(const char *type, struct json_object *values, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	size_t count = json_object_is_type(values, json_type_array) ? json_object_array_length(values) : 0, bytes = 0;
	int r = list ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");

	if (r == 0 && (!count || count > DNS_VALUES_MAX))
		r = error_set(err, ERR_INVALID, "a record set has 1 to %d values, not %zu", DNS_VALUES_MAX, count);
	for (size_t i = 0; i < count && r == 0; i++) {
		CLEANUP(freep) char *value = NULL;
		const char *text = json_object_get_string(json_object_array_get_idx(values, i));

		r = dns_value(type, text ? text : "", &value, err);
		if (r < 0 || holds(list, value))
			continue;
		bytes += strlen(value);
		if (bytes > 65535)
			r = error_set(err, ERR_INVALID, "the values of a record set are at most 65535 bytes together");
		else if (json_object_array_add(list, json_object_new_string(value)) != 0)
			r = error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (r == 0 && json_object_array_length(list) > 1 && (!strcmp(type, "CNAME") || !strcmp(type, "SOA")))
		r = error_set(err, ERR_INVALID, "a record set of type %s has one value", type);
	if (r == 0)
		*ret = steal(list);
	return r;
}

static int check_name(struct json_object *o, const char *key, int (*check)(const char *, char **, struct error *),
		      struct error *err)
{
	CLEANUP(freep) char *name = NULL;
	const char *text = json_get_string(o, key);
	int r = text ? check(text, &name, err) : 0;

	if (r < 0)
		return error_prefix(err, r, "parameter '%s'", key);
	if (name && json_object_object_add(o, key, json_object_new_string(name)) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	return 0;
}

int dns_check_params(struct json_object *params, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *values = NULL;
	const char *type, *name, *zone = params ? json_get_string(params, "zone") : NULL;
	int r = 0;

	if (json_object_deep_copy(params, &o, NULL) != 0)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	type = json_get_string(o, "type");
	if (json_get_string(o, "address")) /* a reverse name */
		r = check_name(o, "name", dns_domain, err);
	else
		r = check_name(o, "name", dns_name, err);
	if (r == 0 && zone && strchr(zone, '.') && *zone != '/') /* else an identifier */
		r = check_name(o, "zone", dns_domain, err);
	if (r == 0 && json_get_array(o, "values"))
		r = dns_values(type ? type : "", json_get_array(o, "values"), &values, err);
	if (r < 0)
		return r;
	if (values)
		json_object_object_add(o, "values", values);
	name = json_get_string(o, "name");
	if (values && !strcmp(type, "CNAME") && name && !strcmp(name, "@"))
		return error_set(err, ERR_INVALID, "a zone's own name can have no CNAME (it has SOA and NS)");
	if (values && !strcmp(type, "SOA"))
		return error_set(err, ERR_INVALID, "the SOA record is the provider's own");
	*ret = steal(o);
	return 0;
}
