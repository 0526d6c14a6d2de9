#include "backends/base/metrics.h"
#include "backends/store/layer_around.h"
#include "backends/store/layer_chaos.h"
#include "backends/store/layer_prefix.h"
#include "backends/store/layer_readonly.h"
#include "backends/store/layer_trace.h"
#include "tests/unit/backends/store/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char version[STORE_VERSION_MAX];

static int put(struct store *s, const char *key, struct error *err)
{
	struct store_source source = STORE_SOURCE_INIT;
	struct store_put_args args = { 0 };

	source.mem = STR("x");
	return store_put(s, "b", key, &source, &args, version, err);
}

/* Slots that a layer leaves to what is below, by name. When the interface grows, this test fails until each layer says
 * what it does with the new slot. */
static void check_slots(const struct store_ops *ops, const char *transparent)
{
	static const struct {
		const char *name;
		size_t offset;
	} slots[] = {
#define SLOT(name) { "|" #name "|", offsetof(struct store_ops, name) }
		SLOT(list),	     SLOT(head),	   SLOT(get),
		SLOT(put),	     SLOT(delete),	   SLOT(delete_many),
		SLOT(copy),	     SLOT(set_meta),	   SLOT(upload_begin),
		SLOT(upload_part),   SLOT(part_copy),	   SLOT(upload_complete),
		SLOT(upload_abort),  SLOT(upload_parts),   SLOT(upload_list),
		SLOT(bucket_list),   SLOT(bucket_create),  SLOT(bucket_delete),
		SLOT(bucket_exists), SLOT(versioning_get), SLOT(versioning_set),
		SLOT(list_versions), SLOT(policy_get),	   SLOT(policy_set),
		SLOT(presign),	     SLOT(append),	   SLOT(compose),
		SLOT(rename),	     SLOT(describe),	   SLOT(free),
	};

	assert_int_equal(sizeof(*ops), sizeof(ops->type) + ARRAY_SIZE(slots) * sizeof(void *));
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		void *slot;

		memcpy(&slot, (const char *)ops + slots[i].offset, sizeof(slot));
		if ((slot == NULL) != (strstr(transparent, slots[i].name) != NULL))
			fail_msg("layer %s: slot %s", ops->type, slots[i].name);
	}
}

static void every_layer_knows_every_slot(void **state)
{
	struct fake_store *f = fake_store_new();
	struct store *s = &f->store;
	struct chaos_options chaos = { 0 };

	(void)state;
	check_slots(&around_ops, "|describe|");
	assert_int_equal(store_prefix_new(s, "p/", &s, NULL), 0);
	check_slots(s->ops, "|bucket_list|bucket_create|bucket_delete|bucket_exists|versioning_get|"
			    "versioning_set|"
			    "policy_get|policy_set|describe|");
	assert_int_equal(store_readonly_new(s, &s, NULL), 0);
	check_slots(
		s->ops,
		"|list|head|get|upload_parts|upload_list|bucket_list|bucket_exists|versioning_get|"
		"list_versions|policy_get|describe|");
	assert_int_equal(store_trace_new(s, &s, NULL), 0);
	assert_int_equal(store_chaos_new(s, &chaos, &s, NULL), 0);
	assert_string_equal(s->name, "fake");
	store_free(s);
}

static void nothing_passes_a_read_only_layer(void **state)
{
	struct fake_store *f = fake_store_new();
	struct store *s;
	struct arena arena = ARENA_INIT(1 << 16);
	struct store_object o;
	struct error err;
	static const char *const keys[] = { "a" };
	struct error results[1];

	(void)state;
	assert_int_equal(store_readonly_new(&f->store, &s, NULL), 0);
	assert_true(put(s, "k", &err) < 0);
	assert_int_equal(err.kind, ERR_READ_ONLY);
	assert_true(store_delete(s, "b", "k", NULL, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_READ_ONLY);
	assert_true(store_delete_many(s, "b", keys, 1, results, &err) < 0);
	assert_true(store_copy(s, "b", "k", "b", "l",
			       &(struct store_copy_args){ .source_size = 500 }, version, &err) < 0);
	assert_int_equal(err.kind, ERR_READ_ONLY);
	assert_int_equal(store_head(s, "b", "k", NULL, &arena, &o, &err), 0);
	fake_expect(f, "head(k)|");
	arena_release(&arena);
	store_free(s);
}

static void a_prefix_is_put_before_every_key(void **state)
{
	struct fake_store *f = fake_store_new();
	struct store *s;
	struct error results[2], err;
	static const char *const keys[] = { "a", "b" };
	char key[STORE_KEY_MAX + 1];

	(void)state;
	assert_int_equal(store_prefix_new(&f->store, "p/q/", &s, NULL), 0);
	assert_int_equal(put(s, "k", NULL), 0);
	assert_int_equal(store_delete_many(s, "b", keys, 2, results, NULL), 0);
	fake_expect(f, "put(p/q/k)|delete(p/q/a)|delete(p/q/b)|");
	memset(key, 'k', STORE_KEY_MAX);
	key[STORE_KEY_MAX] = '\0';
	assert_true(put(s, key, &err) < 0);
	assert_int_equal(err.kind, ERR_NAME_TOO_LONG);
	store_free(s);
}

static void a_trace_counts_calls_and_errors(void **state)
{
	struct fake_store *f = fake_store_new();
	struct metric *calls =
		metric_get(METRIC_COUNTER, "store_calls_total", "store=\"fake\",slot=\"put\"");
	struct metric *errors = metric_get(METRIC_COUNTER, "store_call_errors_total",
					   "store=\"fake\",slot=\"put\",kind=\"permission\"");
	int64_t calls_before = metric_value(calls), errors_before = metric_value(errors);
	struct store *s;

	(void)state;
	f->fails_at = 2;
	f->fails_with = ERR_PERMISSION;
	assert_int_equal(store_trace_new(&f->store, &s, NULL), 0);
	assert_int_equal(put(s, "k", NULL), 0);
	assert_true(put(s, "k", NULL) < 0);
	assert_int_equal(metric_value(calls) - calls_before, 2);
	assert_int_equal(metric_value(errors) - errors_before, 1);
	store_free(s);
}

/* One character a call: '.' done, 'b' failed before, 'a' failed after it was done. */
static void run_chaos(const struct chaos_options *options, char *ret, size_t calls)
{
	struct fake_store *f = fake_store_new();
	struct store *s;
	unsigned faults = 0;

	assert_int_equal(store_chaos_new(&f->store, options, &s, NULL), 0);
	for (size_t i = 0; i < calls; i++) {
		unsigned before = f->calls;
		struct error err = ERROR_INIT;
		int r = put(s, "k", &err);

		ret[i] = r >= 0 ? '.' : f->calls > before ? 'a' : 'b';
		faults += r < 0;
		if (r < 0)
			assert_true(error_is_retryable(err.kind));
	}
	ret[calls] = '\0';
	assert_int_equal(store_chaos_faults(s), faults);
	store_free(s);
}

static void the_same_seed_gives_the_same_faults(void **state)
{
	struct chaos_options options = { .seed = 7, .before_permille = 200, .after_permille = 200 };
	char first[301], again[301], other[301];
	size_t before = 0, after = 0;

	(void)state;
	run_chaos(&options, first, 300);
	run_chaos(&options, again, 300);
	assert_string_equal(first, again);
	options.seed = 8;
	run_chaos(&options, other, 300);
	assert_string_not_equal(first, other);
	for (size_t i = 0; i < 300; i++) {
		before += first[i] == 'b';
		after += first[i] == 'a';
	}
	assert_in_range(before, 30, 90);
	assert_in_range(after, 30, 90);
}

static void faults_can_be_aimed(void **state)
{
	struct chaos_options options = { .before_permille = 1000,
					 .skip_calls = 2,
					 .max_faults = 3 };
	char calls[9];

	(void)state;
	run_chaos(&options, calls, 8);
	assert_string_equal(calls, "..bbb...");
	options.slot = "head";
	run_chaos(&options, calls, 8);
	assert_string_equal(calls, "........");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layer_knows_every_slot),
		cmocka_unit_test(nothing_passes_a_read_only_layer),
		cmocka_unit_test(a_prefix_is_put_before_every_key),
		cmocka_unit_test(a_trace_counts_calls_and_errors),
		cmocka_unit_test(the_same_seed_gives_the_same_faults),
		cmocka_unit_test(faults_can_be_aimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
