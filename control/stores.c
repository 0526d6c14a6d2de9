#include "control/stores.h"

#include "control/paths.h"
#include "control/text.h"

static const char *environment(const char *name)
{
	return getenv(name);
}

static void add_row(struct store_plan *plan, const struct store_plan_row *row)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!strcmp(plan->rows[i].name, row->name))
			return;
	if (plan->count < ARRAY_SIZE(plan->rows))
		plan->rows[plan->count++] = *row;
}

static int plan_all(const struct config *c, struct store_plan *plan, struct error *err)
{
	CLEANUP(freep) char *data_home = paths_data_home();
	const char *home = getenv("HOME");
	struct backend_context context = {
		.getenv = environment, .home = home ? home : "/", .xdg_data_home = data_home};

	bool has_stores = false;

	if (!data_home)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < c->store_count; i++) {
		const struct config_store *s = &c->stores[i];

		if (!s->is_store)
			continue;
		has_stores = true;
		add_row(plan, &(struct store_plan_row){.name = s->name,
						       .type = s->type,
						       .values = s->values,
						       .count = s->count});
	}
	for (size_t i = 0; providers[i] && !has_stores; i++)
		if (strcmp(providers[i]->type, "local") != 0 && providers[i]->is_configured &&
		    providers[i]->is_configured(&context))
			add_row(plan, &(struct store_plan_row){.name = providers[i]->type,
							       .type = providers[i]->type,
							       .is_found = true});
	add_row(plan, &(struct store_plan_row){.name = "local", .type = "local"});
	return 0;
}

static int no_such_store(const struct store_plan *plan, struct str name, struct error *err)
{
	CLEANUP(buf_release) struct buf known = BUF_INIT(100);
	int len = (int)(name.len < 64 ? name.len : 64);

	for (size_t i = 0; i < plan->count; i++)
		if (buf_addf(&known, "%s%s", i ? ", " : "", plan->rows[i].name) < 0)
			break;
	for (size_t i = 0; providers[i]; i++)
		if (str_equal(name, str_of(providers[i]->type)))
			return error_set(
				err, ERR_UNAUTHENTICATED,
				"no credentials for '%.*s' were found, and no [%.*s] in the "
				"configuration file (`skydir doctor` shows what is looked for)",
				len, name.ptr, len, name.ptr);
	return error_set(err, ERR_NOT_FOUND, "there is no store '%.*s' (known: %s)", len, name.ptr,
			 buf_cstr(&known));
}

int store_plan_make(const struct config *c, const char *source, struct store_plan *ret,
		    struct error *err)
{
	struct store_plan all = {.count = 0};
	struct str rest = str_of(source ? source : "/"), name;
	int r = plan_all(c, &all, err);

	if (r < 0)
		return r;
	if (!str_starts(rest, "/"))
		return error_set(err, ERR_INVALID, "'%s' does not begin with '/' (e.g. /s3/bucket)",
				 source);
	while (rest.len && rest.ptr[0] == '/')
		rest = (struct str){rest.ptr + 1, rest.len - 1};
	if (!rest.len) {
		*ret = all;
		return 0;
	}
	name = str_split(&rest, '/');
	for (size_t i = 0; i < all.count; i++) {
		if (!str_equal(str_of(all.rows[i].name), name))
			continue;
		*ret = (struct store_plan){.count = 1};
		ret->rows[0] = all.rows[i];
		ret->rows[0].is_found = false; /* it was asked for: a failure counts */
		return 0;
	}
	return no_such_store(&all, name, err);
}

void store_set_release(struct store_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		store_free(s->stores[i]);
	free(s->stores);
	http_engine_free(s->engine);
	free(s->context);
	free(s->data_home);
	*s = STORE_SET_INIT;
}

static int open_rows(const struct store_plan *plan,
		     void (*on_skip)(const char *name, const struct error *why),
		     struct store_set *set, struct error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct store_plan_row *row = &plan->rows[i];
		int r = provider_store_new(set->context, row->type, row->name, row->values,
					   row->count, &set->stores[set->count], err);

		if (r < 0 && row->is_found) {
			if (on_skip)
				on_skip(row->name, err);
			*err = ERROR_INIT;
			continue;
		}
		if (r < 0)
			return error_prefix(err, r, "store '%s'", row->name);
		set->count++;
	}
	return 0;
}

int store_set_open(const struct store_plan *plan,
		   void (*on_skip)(const char *name, const struct error *why),
		   struct store_set *ret, struct error *err)
{
	CLEANUP(store_set_release) struct store_set set = STORE_SET_INIT;
	struct http_engine_options options = {.user_agent = NULL}; /* zeros mean the defaults */
	const char *home = getenv("HOME");
	int r;

	set.data_home = paths_data_home();
	set.context = calloc(1, sizeof *set.context);
	set.stores = calloc(plan->count + 1, sizeof *set.stores);
	if (!set.data_home || !set.context || !set.stores)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	r = http_engine_new(&options, &set.engine, err);
	if (r < 0)
		return r;
	*set.context = (struct backend_context){.engine = set.engine,
						.getenv = environment,
						.home = home ? home : "/",
						.xdg_data_home = set.data_home};
	r = open_rows(plan, on_skip, &set, err);
	if (r < 0)
		return r;
	*ret = set;
	set = STORE_SET_INIT;
	return 0;
}
