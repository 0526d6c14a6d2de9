#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void fuzz_failed(const char *file, int line, const char *condition)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

unsigned fuzz_byte(struct str *input)
{
	if (input->len == 0)
		return 0;
	input->len--;
	return (unsigned char)*input->ptr++;
}

struct str fuzz_line(struct str *input)
{
	struct str line = str_split(input, '\n');

	if (!input->ptr)
		*input = (struct str){ "", 0 };
	return line.ptr ? line : (struct str){ "", 0 };
}

char *fuzz_text(struct str text)
{
	char *copy = str_dup(text);

	FUZZ_CHECK(copy);
	return copy;
}

void fuzz_check_result(int r, const struct error *err)
{
	if (r >= 0)
		return;
	FUZZ_CHECK(err->kind != ERR_NONE);
	FUZZ_CHECK(err->message[0]);
	for (const char *p = err->message; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static char *dir;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	(void)remove(path);
	return 0;
}

static void remove_dir(void)
{
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(dir);
	dir = NULL;
}

const char *fuzz_dir(void)
{
	if (!dir) {
		dir = str_format("%s/skydir-fuzz-XXXXXX",
				 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		FUZZ_CHECK(dir && mkdtemp(dir));
		FUZZ_CHECK(atexit(remove_dir) == 0);
	}
	return dir;
}

const char *fuzz_file(const char *name, struct str content)
{
	static char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
	file = fopen(path, "we");
	FUZZ_CHECK(file);
	FUZZ_CHECK(fwrite(content.ptr, 1, content.len, file) == content.len);
	FUZZ_CHECK(fclose(file) == 0);
	return path;
}
