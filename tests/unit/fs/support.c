#include "tests/unit/fs/support.h"

#include "backends/base/buf.h"
#include "backends/base/random.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

void support_seed(void)
{
	const char *given = getenv("SKYDIR_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (random_u64() | 1);

	printf("SKYDIR_TEST_SEED=%llu\n", (unsigned long long)seed);
	(void)fflush(stdout); /* else children of the tests print it again */
	random_seed(seed);
}

char *support_make_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir;

	if (!base || !*base) /* memory first: the tests sync thousands of times */
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	dir = str_format("%s/skydir-test-XXXXXX", base);

	if (!dir || !mkdtemp(dir))
		abort();
	return dir;
}

void support_remove_dir(char **dir)
{
	DIR *d = *dir ? opendir(*dir) : NULL;
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0)
			(void)unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	}
	if (d) {
		(void)closedir(d);
		(void)rmdir(*dir);
	}
	free(*dir);
	*dir = NULL;
}
