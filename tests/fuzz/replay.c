/*
 * The kept corpus, run by any compiler: replay_NAME DIR... gives every file of the directories to the target, so that
 * what was found once is looked for in every build, sanitizers or not.
 */
#include "tests/fuzz/fuzz.h"
#include "backends/base/fileio.h"

#include <dirent.h>
#include <stdio.h>

static size_t replay_file(const char *path)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT(16 << 20);
	uint8_t *exact;

	FUZZ_CHECK(fileio_read_file(path, &content, NULL) == 0);
	(void)fprintf(stderr, "%s (%zu bytes)\n", path, content.len);
	exact = malloc(content.len ? content.len : 1); /* so that ASan sees a byte too far */
	FUZZ_CHECK(exact);
	if (content.len)
		memcpy(exact, content.data, content.len);
	(void)LLVMFuzzerTestOneInput(exact, content.len);
	free(exact);
	return 1;
}

static size_t replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	while (dir && (entry = readdir(dir))) {
		CLEANUP(freep) char *file = str_format("%s/%s", path, entry->d_name);

		FUZZ_CHECK(file);
		if (entry->d_name[0] != '.')
			count += replay_file(file);
	}
	if (dir)
		(void)closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		count += replay_dir(argv[i]);
	(void)fprintf(stderr, "%zu inputs\n", count);
	return count ? 0 : 1; /* a target without a corpus tests nothing */
}
