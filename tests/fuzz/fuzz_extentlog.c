/*
 * Extent logs: whatever a file holds, the sets that come out fit each other, no dirty range of a whole record is lost, and
 * opened again they are the same. Records are given whole ('r': 17 bytes each, the sums are made here) or as they stand.
 */
#include "tests/fuzz/fuzz.h"
#include "fs/extentlog.h"

#include <fcntl.h>
#include <unistd.h>

static void check_sets(const struct extents *present, const struct extents *dirty)
{
	for (size_t i = 0; i < present->count; i++) {
		FUZZ_CHECK(present->items[i].start < present->items[i].end);
		FUZZ_CHECK(i == 0 || present->items[i - 1].end < present->items[i].start);
	}
	for (size_t i = 0; i < dirty->count; i++)
		FUZZ_CHECK(extents_covers(present, dirty->items[i].start, dirty->items[i].end));
}

static bool is_same(const struct extents *a, const struct extents *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0);
}

static uint64_t take_u64(struct str *input)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | fuzz_byte(input);
	return value;
}

static void write_records(int dir_fd, struct str input)
{
	CLEANUP(extents_release) struct extents present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	struct error err = ERROR_INIT;
	CLEANUP(closep) int fd = extentlog_open(dir_fd, "log", &present, &dirty, &err);

	FUZZ_CHECK(fd >= 0);
	while (input.len) {
		enum extentlog_what what = (enum extentlog_what)(1 + fuzz_byte(&input) % 5);
		uint64_t start = take_u64(&input) >> 1, end = take_u64(&input) >> 1;

		if (start > end || what == EXTENTLOG_TRUNCATE)
			end = start;
		FUZZ_CHECK(extentlog_append(fd, what, start, end, &err) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	CLEANUP(extents_release) struct extents present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents present_again = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty_again = EXTENTS_INIT;
	CLEANUP(closep) int dir_fd = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(closep) int fd = -1;
	CLEANUP(closep) int fd_again = -1;
	struct error err = ERROR_INIT;

	(void)unlinkat(dir_fd, "log", 0);
	if (size && data[0] == 'r')
		write_records(dir_fd, (struct str){ input.ptr + 1, size - 1 });
	else
		(void)fuzz_file("log", input);
	fd = extentlog_open(dir_fd, "log", &present, &dirty, &err);
	FUZZ_CHECK(fd >= 0);
	check_sets(&present, &dirty);
	fd_again = extentlog_open(dir_fd, "log", &present_again, &dirty_again, &err);
	FUZZ_CHECK(fd_again >= 0);
	FUZZ_CHECK(is_same(&present, &present_again) && is_same(&dirty, &dirty_again));
	return 0;
}
