/* Attributes once seen: what is put is found again, by bucket and range, and damage costs no more
 * than them. */
#include "fs/journal.h"
#include "tests/unit/fs/support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct found {
	char text[4096];
	int count;
};

static int setup(void **state)
{
	*state = support_make_dir();
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;

	support_remove_dir(&dir);
	return 0;
}

static struct journal *open_journal(const char *dir)
{
	struct journal *j;
	char *damage = NULL;

	assert_int_equal(journal_open(dir, &j, &damage, NULL), 0);
	assert_null(damage);
	return j;
}

/* Closing writes what is queued. */
static struct journal *reopen(struct journal *j, const char *dir)
{
	journal_close(j);
	return open_journal(dir);
}

static void collect(void *arg, const char *key, const char *version, struct str blob)
{
	struct found *f = arg;
	size_t len = strlen(f->text);

	f->count++;
	(void)snprintf(f->text + len, sizeof(f->text) - len, "%s@%s=%.*s ", key, version,
		       (int)blob.len, blob.ptr);
}

static void expect(struct journal *j, const char *bucket, const char *from, const char *to,
		   const char *expected)
{
	struct found f = {0};

	assert_int_equal(journal_attrs_each(j, "s3", bucket, from, to, collect, &f), 0);
	assert_string_equal(f.text, expected);
}

static void ranges_of_a_bucket_come_back_in_order(void **state)
{
	struct journal *j = open_journal(*state);

	journal_attrs_put(j, "s3", "b", "k2", "v1", STR("two"));
	journal_attrs_put(j, "s3", "b", "k1", "v1", STR("one"));
	journal_attrs_put(j, "s3", "b", "k3\xff", "v1", STR(""));
	journal_attrs_put(j, "s3", "b", "k1", "v2", STR("new"));
	journal_attrs_put(j, "s3", "other", "k1", "v1", STR("x"));
	journal_attrs_put(j, "gcs", "b", "k1", "v1", STR("y"));
	j = reopen(j, *state);
	expect(j, "b", "", NULL, "k1@v2=new k2@v1=two k3\xff@v1= ");
	expect(j, "b", "k1", "k2", "k1@v2=new ");
	expect(j, "b", "k2", "k3", "k2@v1=two ");
	expect(j, "b", "k4", NULL, "");
	expect(j, "none", "", NULL, "");
	expect(j, "other", "", NULL, "k1@v1=x ");
	journal_attrs_delete(j, "s3", "b", "k2");
	journal_attrs_delete(j, "s3", "none", "k2");
	j = reopen(j, *state);
	expect(j, "b", "", NULL, "k1@v2=new k3\xff@v1= ");
	journal_close(j);
}

static void all_below_a_prefix_go_at_once(void **state)
{
	struct journal *j = open_journal(*state);

	journal_attrs_put(j, "s3", "b", "d", "v", STR("x"));
	journal_attrs_put(j, "s3", "b", "d/", "v", STR("x"));
	journal_attrs_put(j, "s3", "b", "d/\xff\xfe", "v", STR("x"));
	journal_attrs_put(j, "s3", "b", "d/e/f", "v", STR("x"));
	journal_attrs_put(j, "s3", "b", "d0", "v", STR("x"));
	journal_attrs_put(j, "s3", "other", "d/e", "v", STR("x"));
	journal_attrs_delete_below(j, "s3", "b", "d/");
	journal_attrs_delete_below(j, "s3", "none", "d/");
	journal_attrs_put(j, "s3", "b", "d/later", "v", STR("x"));
	j = reopen(j, *state);
	expect(j, "b", "", NULL, "d@v=x d/later@v=x d0@v=x ");
	expect(j, "other", "", NULL, "d/e@v=x ");
	journal_close(j);
}

static void they_are_written_without_being_waited_for(void **state)
{
	struct journal *j = open_journal(*state);
	struct found f = {0};

	journal_attrs_put(j, "s3", "b", "k", "v", STR("x"));
	for (int i = 0; i < 500 && f.count == 0; i++) {
		(void)usleep(10000);
		assert_int_equal(journal_attrs_each(j, "s3", "b", "", NULL, collect, &f), 0);
	}
	assert_int_equal(f.count, 1);
	journal_close(j);
}

static void a_damaged_file_is_begun_anew(void **state)
{
	CLEANUP(freep) char *path = str_format("%s/attrs.db", (char *)*state);
	struct journal *j = open_journal(*state);
	char noise[20000];
	int fd;

	journal_attrs_put(j, "s3", "b", "k", "v", STR("x"));
	journal_close(j);
	memset(noise, 0x5a, sizeof(noise));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	(void)close(fd);
	j = open_journal(*state);
	expect(j, "b", "", NULL, "");
	journal_attrs_put(j, "s3", "b", "k", "v2", STR("y"));
	j = reopen(j, *state);
	expect(j, "b", "", NULL, "k@v2=y ");
	journal_close(j);
}

static void count_only(void *arg, const char *key, const char *version, struct str blob)
{
	(void)key;
	(void)version;
	(void)blob;
	++*(int *)arg;
}

static void many_are_kept(void **state)
{
	struct journal *j = open_journal(*state);
	int count = 0;
	char key[32];

	for (int i = 0; i < 20000; i++) {
		(void)snprintf(key, sizeof(key), "dir/%05d", i);
		journal_attrs_put(j, "s3", "b", key, "v", STR("{\"mode\": 420}"));
	}
	j = reopen(j, *state);
	assert_int_equal(
		journal_attrs_each(j, "s3", "b", "dir/01000", "dir/02000", count_only, &count), 0);
	assert_int_equal(count, 1000);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ranges_of_a_bucket_come_back_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(all_below_a_prefix_go_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(they_are_written_without_being_waited_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_begun_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(many_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
