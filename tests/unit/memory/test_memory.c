/* The n-th allocation fails, for every n: an error each time, and (under the address sanitizer) no leak. */
#include "backends/base/arena.h"
#include "backends/base/cleanup.h"
#include "backends/base/ini.h"
#include "backends/base/xml.h"
#include "backends/base/yaml_json.h"
#include "fs/journal.h"
#include "tests/unit/fs/support.h"
#include "tests/unit/memory/failing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int buffers(void *arg)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
	CLEANUP(freep) char *copy = str_dup(STR("copy"));
	CLEANUP(freep) char *text = copy ? str_format("%s %d", copy, 7) : NULL;
	int r = text ? 0 : -ENOMEM;

	(void)arg;
	for (int i = 0; r == 0 && i < 200; i++) {
		size_t before = b.len;

		r = i % 2 ? buf_addf(&b, "%d,", i) : buf_add(&b, "0123456789", 10);
		if (r < 0)
			assert_int_equal(b.len, before); /* the content stays as it was */
	}
	if (r < 0)
		return r;
	assert_string_equal(text, "copy 7");
	buf_release(&b);
	free(copy);
	copy = buf_detach(&b); /* of an empty one: "" */
	return copy ? 0 : -ENOMEM;
}

static int arenas(void *arg)
{
	CLEANUP(arena_release) struct arena a = ARENA_INIT(1 << 20);
	CLEANUP(arena_release) struct arena b = ARENA_INIT(1 << 20);
	size_t used = 0;

	(void)arg;
	for (size_t i = 1; i < 60; i++) {
		if (!arena_alloc(&a, i * 100) || !arena_strdup(&b, "text")) {
			assert_true(a.used >= used);
			return -ENOMEM;
		}
		used = a.used;
	}
	arena_absorb(&a, &b);
	return 0;
}

static int xml(void *arg)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(1000);
	CLEANUP(buf_release) struct buf escaped = BUF_INIT(1000);
	struct error err = ERROR_INIT;
	int r = xml_find(STR("<?xml version=\"1.0\"?><a xmlns=\"http://x/\"><b "
			     "q=\"1\">one</b><c><d>a &amp; b</d></c></a>"),
			 "a/c/d", &text, &err);

	(void)arg;
	if (r == 0)
		r = xml_escape(buf_str(&text), &escaped);
	if (r < 0)
		return r;
	assert_string_equal(buf_cstr(&escaped), "a &amp; b");
	return 0;
}

static int yaml(void *arg)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct error err = ERROR_INIT;
	int r = yaml_to_json(
		"test", STR("base: &x {k: v}\nclouds:\n  one: *x\n  two: {<<: *x, list: [1, 2]}\n"),
		&o, &err);

	(void)arg;
	if (r < 0)
		return r;
	assert_string_equal(json_get_string(o, "clouds.two.k"), "v");
	return 0;
}

static int ini(void *arg)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(1 << 16);
	CLEANUP(ini_release) struct ini ini = INI_INIT;
	struct error err = ERROR_INIT;
	int r = buf_adds(&text, "[first]\nkey = value\n");

	(void)arg;
	for (int i = 0; r == 0 && i < 100; i++)
		r = buf_addf(&text,
			     "key%d = a value that is rather long, so that blocks fill up, and one "
			     "more is asked for %d\n",
			     i, i);
	if (r == 0)
		r = ini_parse("test.ini", buf_str(&text), INI_SKYDIR, &ini, &err);
	if (r < 0)
		return r;
	assert_string_equal(ini_get(&ini, "first", "key"), "value");
	return 0;
}

static int count_rows(void *arg, const struct journal_row *row, struct error *err)
{
	unsigned *count = arg;

	(void)err;
	assert_string_equal(row->key, "key");
	++*count;
	return 0;
}

/* A row that cannot be queued gives no ticket, and waiting for that is an error; what was given one is there. */
static int journal_rows(void *arg)
{
	struct journal *j = arg;
	uint64_t seq = journal_next_seq(j), ticket;
	struct journal_row row = { .seq = seq,
				   .kind = 1,
				   .store = "s",
				   .bucket = "b",
				   .key = "key",
				   .from_key = "",
				   .from_bucket = "",
				   .detail = STR("{}") };
	unsigned count = 0;
	int r;

	ticket = journal_put(j, &row);
	r = journal_wait(j, ticket, NULL);
	if (r == 0)
		r = journal_each(j, count_rows, &count, NULL);
	if (r == 0)
		assert_int_equal(count, 1);
	ticket = r == 0 ? journal_delete(j, seq) : 0;
	if (r == 0)
		r = journal_wait(j, ticket, NULL);
	if (r < 0) { /* for the next round */
		assert_int_equal(journal_wait(j, journal_delete(j, seq), NULL), 0);
	}
	return r;
}

static void reading_and_writing_text(void **state)
{
	(void)state;
	failing_each(FAILING_IS_TOLD, buffers, NULL);
	failing_each(FAILING_IS_TOLD, arenas, NULL);
	failing_each(FAILING_MAY_NOT_MATTER, xml,
		     NULL); /* libxml2 looks at namespaces for warnings only */
	failing_each(FAILING_IS_TOLD, yaml, NULL);
	failing_each(FAILING_IS_TOLD, ini, NULL);
}

static void rows_of_the_journal(void **state)
{
	char *dir = support_make_dir();
	CLEANUP(freep) char *damage = NULL;
	struct journal *j = NULL;

	(void)state;
	assert_int_equal(journal_open(dir, &j, &damage, NULL), 0);
	failing_each(FAILING_IS_TOLD, journal_rows, j);
	journal_close(j);
	support_remove_dir(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_and_writing_text),
		cmocka_unit_test(rows_of_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
