#include "backends/base/settings.h"
#include "backends/base/buf.h"

const char *setting_origin(const struct provider_value *v)
{
	return v->origin ? v->origin : "options";
}

int setting_bad(const struct provider_value *v, const char *wanted, struct error *err)
{
	return error_set(err, ERR_CONFIG, "%s: %s must be %s, not '%.64s'", setting_origin(v), v->key, wanted, v->value);
}

int setting_flag(const struct provider_value *v, bool *ret, struct error *err)
{
	return str_to_bool(str_trim(str_of(v->value)), ret) < 0 ? setting_bad(v, "yes or no", err) : 0;
}

int setting_choice(const struct provider_value *v, enum setting_choice *ret, struct error *err)
{
	struct str text = str_trim(str_of(v->value));
	bool is_yes = false;

	if (str_equal_nocase(text, STR("auto"))) {
		*ret = SETTING_AUTO;
		return 0;
	}
	if (str_to_bool(text, &is_yes) < 0)
		return setting_bad(v, "yes, no or auto", err);
	*ret = is_yes ? SETTING_YES : SETTING_NO;
	return 0;
}

int setting_rate(const struct provider_value *v, double *ret, struct error *err)
{
	char *end = NULL;
	double rate = strtod(v->value, &end);

	if (end == v->value || *end || !(rate >= 0 && rate <= 1e6))
		return setting_bad(v, "a number of requests a second", err);
	*ret = rate;
	return 0;
}

bool setting_text(const struct provider_value *v, const struct setting_text *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].key, v->key) != 0)
			continue;
		*rows[i].place = *v->value ? v->value : NULL;
		return true;
	}
	return false;
}

int setting_unknown(const struct provider_value *v, const char *type, struct error *err)
{
	return error_set(err, ERR_CONFIG, "%s: a store of type %s has no option '%.64s'", setting_origin(v), type, v->key);
}
