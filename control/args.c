#include "control/args.h"

#include "control/text.h"

static bool is_end(const struct args_option *o)
{
	return !o->letter && !o->name;
}

static int add(struct args *a, const struct args_option *o, const char *value, struct error *err)
{
	if (a->given_count == ARGS_GIVEN_MAX)
		return error_set(err, ERR_INVALID, "too many options");
	a->given[a->given_count].option = o;
	a->given[a->given_count++].value = value;
	return 0;
}

/* What other tools call it. */
static const struct {
	const char *theirs, *ours;
} synonyms[] = {
	{"format", "output"},	   {"query", "filter"},	     {"filters", "filter"},  {"max-items", "limit"},
	{"max-results", "limit"},  {"instance-type", "flavor"}, {"machine-type", "flavor"}, {"size", "flavor"},
	{"key-name", "keypair"},   {"ssh-key", "keypair"},   {"force", "yes"},	     {"quiet", "yes"},
	{"availability-zone", "zone"}, {"location", "region"}, {"cloud", "provider"}, {"column", "columns"},
	{"tags", "tag"},	   {"sort", "sort-by"},
};

static bool is_synonym(const char *typed, const char *known)
{
	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (!strcmp(synonyms[i].theirs, typed) && !strcmp(synonyms[i].ours, known))
			return true;
	return false;
}

/* "image-id" for "image", "key" for "key-name": one is the other's beginning. */
static bool is_part(const char *typed, const char *known)
{
	size_t a = strlen(typed), b = strlen(known), len = a < b ? a : b;

	return len >= 3 && a != b && !strncmp(typed, known, len) && (a < b ? known[len] : typed[len]) == '-';
}

/* The option's name up to '='; never its value. */
static int unknown_long(const struct args_option *options, const char *name, size_t len,
			struct error *err)
{
	char typed[32] = "";

	memcpy(typed, name, len < sizeof typed - 1 ? len : sizeof typed - 1);
	for (const struct args_option *o = options; !is_end(o); o++)
		if (o->name && (is_synonym(typed, o->name) || is_part(typed, o->name) || text_is_near(typed, o->name)))
			return error_set(err, ERR_INVALID,
					 "unknown option '--%s' (did you mean '--%s'?)", typed,
					 o->name);
	return error_set(err, ERR_INVALID, "unknown option '--%s'", typed);
}

static int parse_long(const struct args_option *options, const char *word, const char *next,
		      struct args *ret, struct error *err)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL;

	for (const struct args_option *o = options; !is_end(o); o++) {
		int r, used = 0;

		if (!o->name || strlen(o->name) != len || strncmp(o->name, word, len) != 0)
			continue;
		if (!o->value && value)
			return error_set(err, ERR_INVALID, "option '--%s' takes no value", o->name);
		if (o->value && !value) {
			if (!next)
				return error_set(err, ERR_INVALID, "option '--%s' needs %s",
						 o->name, o->value);
			value = next;
			used = 1;
		}
		r = add(ret, o, value, err);
		return r < 0 ? r : used;
	}
	return unknown_long(options, word, len, err);
}

static const struct args_option *find_letter(const struct args_option *options, char letter)
{
	for (const struct args_option *o = options; !is_end(o); o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* "-f", "-fo value", "-ovalue" */
static int parse_short(const struct args_option *options, const char *word, const char *next,
		       struct args *ret, struct error *err)
{
	for (; *word; word++) {
		const struct args_option *o = find_letter(options, *word);
		bool is_printable = *word > ' ' && *word < 0x7f;
		int r, used;

		if (!o)
			return error_set(err, ERR_INVALID, "unknown option '-%c'",
					 is_printable ? *word : '?');
		if (!o->value) {
			r = add(ret, o, NULL, err);
			if (r < 0)
				return r;
			continue;
		}
		used = word[1] ? 0 : 1;
		if (used && !next)
			return error_set(err, ERR_INVALID, "option '-%c' needs %s", *word,
					 o->value);
		r = add(ret, o, used ? next : word + 1, err);
		return r < 0 ? r : used;
	}
	return 0;
}

int args_parse(const struct args_option *options, int argc, char *const *argv, struct args *ret,
	       struct error *err)
{
	bool is_literal = false;

	*ret = (struct args){.count = 0};
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		int r = 0;

		if (is_literal || word[0] != '-' || !word[1]) {
			if (ret->count == ARGS_POSITIONALS_MAX)
				return error_set(err, ERR_INVALID, "too many arguments");
			ret->positionals[ret->count++] = word;
		} else if (!strcmp(word, "--")) {
			is_literal = true;
		} else if (word[1] == '-') {
			r = parse_long(options, word + 2, next, ret, err);
		} else {
			r = parse_short(options, word + 1, next, ret, err);
		}
		if (r < 0)
			return r;
		i += r;
	}
	return 0;
}

const char *args_get(const struct args *a, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < a->given_count; i++)
		if (a->given[i].option->name && !strcmp(a->given[i].option->name, name))
			value = a->given[i].value;
	return value;
}

bool args_has(const struct args *a, const char *name)
{
	for (size_t i = 0; i < a->given_count; i++)
		if (a->given[i].option->name && !strcmp(a->given[i].option->name, name))
			return true;
	return false;
}

const char *args_nth(const struct args *a, const char *name, size_t n)
{
	for (size_t i = 0; i < a->given_count; i++)
		if (a->given[i].option->name && !strcmp(a->given[i].option->name, name) && !n--)
			return a->given[i].value;
	return NULL;
}
