/* What is particular to the directory store; the interface itself is tested by tests/conformance. */
#include "backends/base/clock.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

struct fixture {
	char root[64];
	struct store *store;
	struct error err;
};

static struct store *open_store(struct fixture *f, bool uses_side_files)
{
	struct local_options options = { .root = f->root,
					 .skips_fsync = true,
					 .uses_side_files = uses_side_files };
	struct store *s = NULL;

	assert_int_equal(local_store_new_with("local", &options, &s, &f->err), 0);
	return s;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->root, sizeof(f->root), "/tmp/skydir-local-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	f->store = open_store(f, false);
	assert_int_equal(store_bucket_create(f->store, "b", &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_free(f->store);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->root);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int put(struct store *s, const char *key, const char *text, char *ret_version)
{
	struct store_source source = STORE_SOURCE_INIT;
	const struct store_meta meta = { "mode", "1" };
	struct store_put_args args = { .meta = &meta, .meta_count = 1 };
	char version[STORE_VERSION_MAX];
	struct error err;

	source.mem = str_of(text);
	return store_put(s, "b", key, &source, &args, ret_version ? ret_version : version, &err);
}

static int head(struct store *s, const char *key, struct store_object *ret)
{
	static struct arena arena = ARENA_INIT(1 << 20);
	struct error err;

	arena_release(&arena); /* what ret borrows lives until the next call */
	return store_head(s, "b", key, NULL, &arena, ret, &err);
}

static char *path_of(struct fixture *f, const char *name)
{
	char *path = str_format("%s/%s", f->root, name);

	assert_non_null(path);
	return path;
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
	CLEANUP(freep) char *path = path_of(f, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static char *list_keys(struct store *s)
{
	struct store_page page = STORE_PAGE_INIT;
	struct store_list_args args = { .prefix = "" };
	struct buf text = BUF_INIT(1 << 16);

	assert_int_equal(store_list(s, "b", &args, &page, NULL), 0);
	for (size_t i = 0; i < page.count; i++)
		assert_int_equal(buf_addf(&text, "%s|", page.objects[i].key), 0);
	store_page_release(&page);
	return buf_detach(&text);
}

static void expect_keys(struct store *s, const char *want)
{
	CLEANUP(freep) char *keys = list_keys(s);

	assert_string_equal(keys, want);
}

static void a_person_finds_the_files(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *path = path_of(f, "b/path/to/file.txt");
	char text[16] = "";
	int fd;

	assert_int_equal(put(f->store, "path/to/file.txt", "content", NULL), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 7);
	assert_string_equal(text, "content");
	(void)close(fd);
}

static void files_of_other_tools_are_objects(void **state)
{
	struct fixture *f = *state;
	struct store_object o;
	char first[STORE_VERSION_MAX];

	write_file(f, "b/by hand.txt", "hello");
	assert_int_equal(head(f->store, "by hand.txt", &o), 0);
	assert_int_equal(o.size, 5);
	assert_true(o.version[0]);
	assert_int_equal(o.meta_count, 0);
	assert_string_equal(o.content_type, "text/plain");
	memcpy(first, o.version, sizeof(first));
	assert_int_equal(head(f->store, "by hand.txt", &o), 0);
	assert_string_equal(o.version, first);
	expect_keys(f->store, "by hand.txt|");
}

static void a_change_by_other_tools_changes_the_version(void **state)
{
	for (int side = 0; side < 2; side++) {
		struct fixture *f = *state;
		struct store *s = open_store(f, side);
		struct store_object o;
		char version[STORE_VERSION_MAX], seen[STORE_VERSION_MAX];

		assert_int_equal(put(s, "k", "12345", version), 0);
		assert_int_equal(head(s, "k", &o), 0);
		assert_string_equal(o.version, version);
		(void)usleep(
			20000); /* past the granularity of mtimes: the clock of the file system is not ours */
		write_file(f, "b/k", "54321");
		assert_int_equal(head(s, "k", &o), 0);
		assert_string_not_equal(o.version, version);
		assert_string_equal(store_object_meta(&o, "mode"), "1");
		memcpy(seen, o.version, sizeof(seen));
		assert_int_equal(head(s, "k", &o), 0);
		assert_string_equal(o.version, seen);
		store_free(s);
	}
}

static void symlinks_lead_nowhere(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	char *dir = path_of(f, "b/dir"),
	     *file = path_of(f, "b/passwd"), *outside = path_of(f, "outside");
	CLEANUP(freep) char *bucket = path_of(f, "linked");
	struct store_object o;
	struct error err;

	assert_int_equal(mkdir(outside, 0700), 0);
	write_file(f, "outside/secret", "s");
	assert_int_equal(symlink("../outside", dir), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(symlink("outside", bucket), 0);
	assert_true(head(f->store, "dir/secret", &o) < 0);
	assert_true(head(f->store, "passwd", &o) < 0);
	assert_int_equal(store_bucket_exists(f->store, "linked", &err),
			 -error_errnum(ERR_NOT_FOUND));
	expect_keys(f->store, "");
	assert_true(put(f->store, "dir/new", "x", NULL) < 0);
	/* The link itself is replaced, never what it points at. */
	assert_int_equal(put(f->store, "passwd", "x", NULL), 0);
	assert_int_equal(head(f->store, "passwd", &o), 0);
	assert_int_equal(o.size, 1);
}

static void pipes_and_odd_names_are_left_alone(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *fifo = path_of(f, "b/fifo");
	struct store_object o;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	write_file(f, "b/odd%=", "no key has this name");
	write_file(f, "b/fine", "x");
	expect_keys(f->store, "fine|");
	assert_true(head(f->store, "fifo", &o) < 0);
	assert_true(head(f->store, "odd", &o) < 0);
}

static void empty_directories_go_with_their_last_object(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *deep = path_of(f, "b/a/b"), *top = path_of(f, "b/a");
	struct stat st;

	assert_int_equal(put(f->store, "a/b/c", "x", NULL), 0);
	assert_int_equal(put(f->store, "a/d", "x", NULL), 0);
	assert_int_equal(store_delete(f->store, "b", "a/b/c", NULL, NULL, &f->err), 0);
	assert_int_equal(stat(deep, &st), -1);
	assert_int_equal(stat(top, &st), 0);
	assert_int_equal(store_delete(f->store, "b", "a/d", NULL, NULL, &f->err), 0);
	assert_int_equal(stat(top, &st), -1);
}

static void an_object_gets_its_plain_name_back(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *plain = path_of(f, "b/a"), *aside = path_of(f, "b/a%@");
	struct stat st;

	assert_int_equal(put(f->store, "a", "x", NULL), 0);
	assert_int_equal(put(f->store, "a/b", "x", NULL), 0);
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(store_delete(f->store, "b", "a/b", NULL, NULL, &f->err), 0);
	assert_int_equal(stat(plain, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(aside, &st), -1);
}

static void large_metadata_goes_beside(void **state)
{
	struct fixture *f = *state;
	char value[8001];
	struct store_meta meta = { "big", value };
	struct store_object o;
	char version[STORE_VERSION_MAX];

	memset(value, 'v', 8000);
	value[8000] = '\0';
	assert_int_equal(put(f->store, "k", "x", NULL), 0);
	assert_int_equal(store_set_meta(f->store, "b", "k", NULL, &meta, 1, version, &f->err), 0);
	assert_int_equal(head(f->store, "k", &o), 0);
	assert_string_equal(store_object_meta(&o, "big"), value);
	assert_string_equal(o.version, version);
	assert_int_equal(put(f->store, "k", "y", NULL), 0);
	assert_int_equal(head(f->store, "k", &o), 0);
	assert_null(store_object_meta(&o, "big"));
}

static void an_append_that_was_cut_off_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct local *l = local_of(f->store);
	CLEANUP(freep) char *path = path_of(f, "b/k");
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_source source = STORE_SOURCE_INIT;
	struct store_object o;
	struct record record;
	struct stat st;
	char version[STORE_VERSION_MAX], next[STORE_VERSION_MAX];
	int fd;

	assert_int_equal(put(f->store, "k", "12345", version), 0);
	/* What a crash in the middle leaves: the mark, and bytes after the end. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(record_read(l, fd, "k", &st, &arena, &record, &f->err), 0);
	record.flags |= RECORD_APPENDING;
	assert_int_equal(record_write(l, fd, "k", &record, &f->err), 0);
	assert_int_equal(pwrite(fd, "partial", 7, 5), 7);
	(void)close(fd);
	assert_int_equal(head(f->store, "k", &o), 0);
	assert_int_equal(o.size, 5);
	assert_string_equal(o.version, version);
	source.mem = STR("67");
	assert_int_equal(store_append(f->store, "b", "k", 5, &source, version, next, &f->err), 0);
	assert_int_equal(head(f->store, "k", &o), 0);
	assert_int_equal(o.size, 7);
	assert_string_equal(o.version, next);
}

static void a_large_directory_is_sorted_once(void **state)
{
	enum { COUNT = 20000, PAGE = 100 };
	struct fixture *f = *state;
	struct store_page page = STORE_PAGE_INIT;
	CLEANUP(freep) char *token = NULL;
	size_t seen = 0;
	uint64_t start;

	for (int i = 0; i < COUNT; i++) {
		char name[96];
		int fd;

		(void)snprintf(name, sizeof(name), "%s/b/f%06d", f->root, i);
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	start = clock_mono_ms();
	do {
		struct store_list_args args = {
			.prefix = "", .delimiter = '/', .max_keys = PAGE, .token = token
		};
		char key[16];

		assert_int_equal(store_list(f->store, "b", &args, &page, &f->err), 0);
		for (size_t i = 0; i < page.count; i++, seen++) {
			(void)snprintf(key, sizeof(key), "f%06zu", seen);
			assert_string_equal(page.objects[i].key, key);
		}
		free(token);
		token = page.next_token ? strdup(page.next_token) : NULL;
	} while (token);
	store_page_release(&page);
	assert_int_equal(seen, COUNT);
	print_message("  %d objects in pages of %d: %llu ms\n", COUNT, PAGE,
		      (unsigned long long)(clock_mono_ms() - start));
}

/* Writers and deleters of `a`, `a/b`, `a/b/c` at once: whoever looks finds whole objects or none. */
struct worker {
	struct fixture *fixture;
	pthread_t thread;
	int number;
	const char *problem;
};

static void *disturb(void *arg)
{
	static const char *const keys[] = { "a", "a/b", "a/b/c", "a//", "kept" };
	struct worker *w = arg;
	struct store *s = w->fixture->store;

	for (int i = 0; i < 300 && !w->problem; i++) {
		const char *key = keys[(i * 7 + w->number) % 4];
		CLEANUP(buf_release) struct buf content = BUF_INIT(64);
		struct store_sink sink = { .fd = -1, .buf = &content };
		struct store_get_args args = { 0 };
		struct error err = ERROR_INIT;
		int r;

		if ((i + w->number) % 3 == 0)
			r = store_delete(s, "b", key, NULL, NULL, &err);
		else
			r = put(s, key, key, NULL);
		if (r < 0)
			w->problem = "a write failed";
		r = store_get(s, "b", key, &args, &sink, NULL, NULL, &err);
		if ((r < 0 && err.kind != ERR_NOT_FOUND) ||
		    (r >= 0 && strcmp(buf_cstr(&content), key) != 0))
			w->problem = "a read went wrong";
		buf_clear(&content);
		if (store_get(s, "b", keys[4], &args, &sink, NULL, NULL, &err) < 0)
			w->problem = "an object that nobody touches was missed";
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	struct worker workers[4];

	assert_int_equal(put(f->store, "kept", "kept", NULL), 0);
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .fixture = f, .number = i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, disturb, &workers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		if (workers[i].problem)
			fail_msg("%s", workers[i].problem);
	}
}

/* Exit status 0: this process won the race for the key. */
static int race_in_process(const char *root, const char *key)
{
	struct local_options options = { .root = root, .skips_fsync = true };
	struct store_put_args args = { .if_absent = true };
	struct store_source source = STORE_SOURCE_INIT;
	char version[STORE_VERSION_MAX];
	struct store *s = NULL;
	struct error err;
	int r = local_store_new_with("local", &options, &s, &err);

	source.mem = STR("x");
	if (r >= 0)
		r = store_put(s, "b", key, &source, &args, version, &err);
	store_free(s);
	return r >= 0 ? 0 : err.kind == ERR_PRECONDITION ? 1 : 2;
}

static void processes_agree_on_who_was_first(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 5; round++) {
		char key[16];
		pid_t pids[4];
		int wins = 0;

		(void)snprintf(key, sizeof(key), "race%d", round);
		for (int i = 0; i < 4; i++) {
			pids[i] = fork();
			if (!pids[i])
				_exit(race_in_process(f->root, key));
		}
		for (int i = 0; i < 4; i++) {
			int status = 0;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			wins += WEXITSTATUS(status) == 0;
		}
		assert_int_equal(wins, 1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_person_finds_the_files),
		TEST(files_of_other_tools_are_objects),
		TEST(a_change_by_other_tools_changes_the_version),
		TEST(symlinks_lead_nowhere),
		TEST(pipes_and_odd_names_are_left_alone),
		TEST(empty_directories_go_with_their_last_object),
		TEST(an_object_gets_its_plain_name_back),
		TEST(large_metadata_goes_beside),
		TEST(an_append_that_was_cut_off_does_not_count),
		TEST(a_large_directory_is_sorted_once),
		TEST(threads_do_not_disturb_each_other),
		TEST(processes_agree_on_who_was_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
