#include "control/prices.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define NANO 1000000000

/*
 * The built-in table, in the syntax of the file. List prices, first tier, before free allowances.
 *	s3	Standard class, us-east-1: https://aws.amazon.com/s3/pricing/ (COPY and POST cost as PUT, DELETE nothing)
 *	gcs	Standard class, one region, to the Americas and EMEA: https://cloud.google.com/storage/pricing-examples (compared 2026-11-24)
 *	azure	Hot tier, block blobs: the sample prices of learn.microsoft.com/azure/storage/blobs/blob-storage-estimate-costs;
 *		egress from North America and Europe: https://azure.microsoft.com/pricing/details/bandwidth/
 *	swift	nothing by itself: who runs it says
 *	infomaniak	no price for requests; traffic is part of what is rented: https://www.infomaniak.com/hosting/public-cloud/prices
 * Other services of a provider (a control plane's calls) cost nothing there.
 */
static const char built_in[] =
	"[s3]\ncurrency = USD\ndate = 2026-11-01\nwrite-1000 = 0.005\nlist-1000 = 0.005\nread-1000 = 0.0004\n"
	"egress-gb = 0.09\n"
	"[gcs]\ncurrency = USD\ndate = 2026-11-01\nwrite-1000 = 0.005\nlist-1000 = 0.005\nread-1000 = 0.0004\n"
	"egress-gb = 0.12\n"
	"[azure]\ncurrency = USD\ndate = 2026-11-01\nwrite-1000 = 0.0055\nlist-1000 = 0.0055\nread-1000 = 0.00044\n"
	"egress-gb = 0.087\n"
	"[swift]\ncurrency = USD\ndate = 2026-11-01\n"
	"[infomaniak]\ncurrency = CHF\ndate = 2026-11-01\n";

static const char *const class_names[USAGE_CLASSES] = {
	[USAGE_WRITE_CLASS] = "write",	 [USAGE_LIST_CLASS] = "list",	[USAGE_READ_CLASS] = "read",
	[USAGE_DELETE_CLASS] = "delete", [USAGE_OTHER_CLASS] = "other",
};

const char *usage_class_name(enum usage_class c)
{
	return class_names[c];
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

enum usage_class usage_class_of(const char *operation)
{
	static const char *const lists[] = { "List", "GetContainer", "GetAccount" };
	static const char *const deletes[] = { "Delete", "BulkDelete", "Batch", "Abort" };
	static const char *const reads[] = { "Get", "Head" };

	if (strcmp(operation, "GetAccountInformation") == 0)
		return USAGE_READ_CLASS;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (begins(operation, lists[i]))
			return USAGE_LIST_CLASS;
	for (size_t i = 0; i < ARRAY_SIZE(deletes); i++)
		if (begins(operation, deletes[i]))
			return USAGE_DELETE_CLASS;
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++)
		if (begins(operation, reads[i]))
			return USAGE_READ_CLASS;
	/* Tokens and the control plane's have names in lower case. */
	return operation[0] >= 'A' && operation[0] <= 'Z' ? USAGE_WRITE_CLASS : USAGE_OTHER_CLASS;
}

int amount_parse(struct str text, int64_t *ret)
{
	struct str rest = text, whole = str_split(&rest, '.');
	uint64_t units = 0, part = 0;

	if (!whole.len || whole.len > 9 || str_to_u64(whole, &units) < 0 || rest.len > 9 || (rest.ptr && !rest.len))
		return -EINVAL;
	if (rest.len && str_to_u64(rest, &part) < 0)
		return -EINVAL;
	for (size_t i = rest.len; i < 9; i++)
		part *= 10;
	*ret = (int64_t)(units * NANO + part);
	return 0;
}

void amount_format(int64_t nano, unsigned digits, char ret[AMOUNT_TEXT_MAX])
{
	char text[48];
	size_t len;

	if (digits < 9) { /* rounded, half up */
		int64_t unit = 1;
		for (unsigned i = digits; i < 9; i++)
			unit *= 10;
		nano = (nano + unit / 2) / unit * unit;
	}
	len = (size_t)snprintf(text, sizeof text, "%lld.%09lld", (long long)(nano / NANO), (long long)(nano % NANO));
	while (text[len - 1] == '0' && text[len - 3] != '.')
		len--;
	text[len] = '\0';
	(void)snprintf(ret, AMOUNT_TEXT_MAX, "%.*s", AMOUNT_TEXT_MAX - 1, text);
}

static struct price *row_of(struct prices *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->rows[i].name, name))
			return &p->rows[i];
	if (p->count == PRICES_MAX || strlen(name) >= sizeof p->rows[0].name)
		return NULL;
	p->rows[p->count] = (struct price){ .currency = "USD" };
	(void)snprintf(p->rows[p->count].name, sizeof p->rows[0].name, "%s", name);
	return &p->rows[p->count++];
}

static int64_t *field_of(struct price *row, const char *key)
{
	char name[24];

	for (int c = 0; c < USAGE_CLASSES; c++) {
		(void)snprintf(name, sizeof name, "%s-1000", class_names[c]);
		if (!strcmp(key, name))
			return &row->per_1000[c];
	}
	return !strcmp(key, "egress-gb") ? &row->egress_gb : !strcmp(key, "ingress-gb") ? &row->ingress_gb : NULL;
}

static bool is_currency(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len == 3 && !text[len];
}

static bool is_date(const char *text)
{
	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
			return false;
	return !text[10];
}

static int take(struct prices *p, const struct ini *ini, const struct ini_entry *e, struct error *err)
{
	struct price *row = e->section[0] ? row_of(p, e->section) : NULL;
	int64_t *field;

	if (!row)
		return error_set(err, ERR_CONFIG, "%s:%u: %s", ini->path, e->line,
				 e->section[0] ? "too many sections, or too long a name" : "stands before the first [section]");
	if (!e->key || !strcmp(e->key, "source"))
		return 0;
	if (!strcmp(e->key, "currency") && is_currency(e->value)) {
		(void)snprintf(row->currency, sizeof row->currency, "%.3s", e->value);
		return 0;
	}
	if (!strcmp(e->key, "date") && is_date(e->value)) {
		(void)snprintf(row->date, sizeof row->date, "%.10s", e->value);
		return 0;
	}
	field = field_of(row, e->key);
	if (field && amount_parse(str_of(e->value), field) == 0)
		return 0;
	if (field)
		return error_set(err, ERR_CONFIG, "%s:%u: %s: '%.64s' is no amount (like 0.005)", ini->path, e->line, e->key, e->value);
	if (!strcmp(e->key, "currency") || !strcmp(e->key, "date"))
		return error_set(err, ERR_CONFIG, "%s:%u: %s: '%.64s' is not like %s", ini->path, e->line, e->key, e->value,
				 e->key[0] == 'c' ? "USD" : "2026-11-23");
	return error_set(err, ERR_CONFIG,
			 "%s:%u: unknown key '%.64s' (there are write-1000, list-1000, read-1000, delete-1000, other-1000, egress-gb, "
			 "ingress-gb, currency, date, source)", ini->path, e->line, e->key);
}

static int take_all(struct prices *p, const struct ini *ini, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < ini->count && r == 0; i++)
		r = take(p, ini, &ini->entries[i], err);
	return r;
}

int prices_load(const char *path, struct prices *ret, struct error *err)
{
	CLEANUP(ini_release) struct ini ini = INI_INIT, own = INI_INIT;
	int r = ini_parse("the built-in prices", str_of(built_in), INI_SKYDIR, &ini, err);

	*ret = (struct prices){ .count = 0 };
	if (r == 0)
		r = take_all(ret, &ini, err);
	if (r < 0 || !path)
		return r;
	r = ini_load(path, INI_SKYDIR, &own, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND) {
		*err = ERROR_INIT;
		return 0;
	}
	return r < 0 ? r : take_all(ret, &own, err);
}

const struct price *prices_find(const struct prices *p, const char *store, const char *provider)
{
	const char *const names[] = { store, provider };

	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		for (size_t i = 0; i < p->count; i++)
			if (!strcmp(p->rows[i].name, names[n]))
				return &p->rows[i];
	return NULL;
}

int64_t price_of(const struct price *p, enum usage_class c, uint64_t requests, uint64_t sent, uint64_t received)
{
	__int128 nano = (__int128)p->per_1000[c] * requests / 1000;

	if (c == USAGE_OTHER_CLASS) /* no object's bytes */
		received = sent = 0;
	nano += (__int128)p->egress_gb * received / (1 << 30);
	nano += (__int128)p->ingress_gb * sent / (1 << 30);
	return nano > INT64_MAX ? INT64_MAX : (int64_t)nano;
}
