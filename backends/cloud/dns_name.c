/*
 * Domain names: labels, lengths, IDN; full and relative.
 */
#include "backends/cloud/dns_check.h"

#include <ctype.h>
#include <idn2.h>

#define LABEL_MAX 63

static int add_idn_label(struct buf *out, struct str label, const char *whole, struct error *err)
{
	CLEANUP(freep) char *copy = str_dup(label);
	char *ascii = NULL;
	int r;

	if (!copy)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return error_set(err, ERR_INVALID, "'%.100s' is no domain name: %s", whole, idn2_strerror(r));
	r = buf_adds(out, ascii);
	idn2_free(ascii);
	return r < 0 ? error_set(err, ERR_INVALID, "'%.100s' is longer than 253 characters", whole) : 0;
}

static int add_label(struct buf *out, struct str label, bool is_first, const char *whole, struct error *err)
{
	size_t before = out->len;
	int r = 0;

	if (!label.len)
		return error_set(err, ERR_INVALID, "'%.100s' is no domain name: it has an empty label", whole);
	if (label.len > 4 * LABEL_MAX)
		return error_set(err, ERR_INVALID, "'%.100s' is no domain name: a label is longer than 63 characters", whole);
	if (is_first && label.len == 1 && label.ptr[0] == '*')
		return buf_addc(out, '*') < 0 ? error_set(err, ERR_NO_MEMORY, "out of memory") : 0;
	for (size_t i = 0; i < label.len; i++)
		if ((unsigned char)label.ptr[i] >= 0x80)
			r = 1;
	if (r)
		r = add_idn_label(out, label, whole, err);
	if (r == 0 && out->len == before)
		r = buf_add_str(out, label) < 0 ? error_set(err, ERR_INVALID, "'%.100s' is longer than 253 characters", whole) :
						  0;
	if (r < 0)
		return r;
	for (size_t i = before; i < out->len; i++) {
		unsigned char c = (unsigned char)tolower((unsigned char)out->data[i]);

		out->data[i] = (char)c;
		if (!isalnum(c) && c != '-' && c != '_' && c != '/')
			return error_set(err, ERR_INVALID, "'%.100s' is no domain name: '%c' cannot be part of it", whole,
					 isprint(c) ? c : '?');
	}
	if (out->len - before > LABEL_MAX)
		return error_set(err, ERR_INVALID, "'%.100s' is no domain name: a label is longer than 63 characters", whole);
	if (out->data[before] == '-' || out->data[out->len - 1] == '-')
		return error_set(err, ERR_INVALID, "'%.100s' is no domain name: a label begins or ends with '-'", whole);
	return 0;
}

int dns_name(const char *text, char **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT(DNS_NAME_MAX + 1);
	struct str rest = str_of(text);
	bool is_absolute = rest.len > 1 && text[rest.len - 1] == '.', is_first = true;
	int r = 0;

	if (!strcmp(text, "@") || !strcmp(text, ".")) {
		*ret = strdup(text);
		return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (!rest.len)
		return error_set(err, ERR_INVALID, "a name is empty ('@' is the zone itself)");
	rest.len -= is_absolute;
	while (rest.ptr && r == 0) {
		struct str label = str_split(&rest, '.');

		if (!is_first && buf_addc(&out, '.') < 0)
			r = error_set(err, ERR_INVALID, "'%.100s' is longer than 253 characters", text);
		if (r == 0)
			r = add_label(&out, label, is_first, text, err);
		is_first = false;
	}
	if (r == 0 && out.len > DNS_NAME_MAX)
		r = error_set(err, ERR_INVALID, "'%.100s' is longer than 253 characters", text);
	if (r < 0)
		return r;
	*ret = str_format("%s%s", buf_cstr(&out), is_absolute ? "." : "");
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

int dns_domain(const char *text, char **ret, struct error *err)
{
	CLEANUP(freep) char *name = NULL;
	size_t len;
	int r = dns_name(text, &name, err);

	if (r < 0)
		return r;
	len = strlen(name);
	if (!strcmp(name, "@"))
		return error_set(err, ERR_INVALID, "'@' is no full domain name");
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	*ret = steal(name);
	return 0;
}

bool dns_is_below(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && !strcmp(name + n - z, zone) && (n == z || name[n - z - 1] == '.');
}

int dns_full_name(const char *name, const char *zone, char **ret, struct error *err)
{
	CLEANUP(freep) char *full = NULL, *checked = NULL;
	size_t len = strlen(name);
	int r;

	if (!strcmp(name, "@"))
		full = strdup(zone);
	else if (len > 1 && name[len - 1] == '.')
		full = str_dup((struct str){ name, len - 1 });
	else
		full = dns_is_below(name, zone) ? strdup(name) : str_format("%s.%s", name, zone);
	if (!full)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	if (!dns_is_below(full, zone))
		return error_set(err, ERR_INVALID, "'%.100s' is not in the zone '%.100s'", full, zone);
	r = dns_domain(full, &checked, err); /* the two together may be too long */
	if (r < 0)
		return r;
	*ret = steal(checked);
	return 0;
}

struct str dns_relative(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	if (!dns_is_below(name, zone))
		return (struct str){ name, n };
	return n == z ? STR("@") : (struct str){ name, n - z - 1 };
}
