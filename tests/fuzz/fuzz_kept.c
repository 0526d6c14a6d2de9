/* The list of cache files that outlived a mount. The input is what follows the boot's line, which only this boot has. */
#include "tests/fuzz/fuzz.h"
#include "fs/kept.h"
#include "backends/base/fileio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_release) struct buf boot = BUF_INIT(256), text = BUF_INIT(64 << 20);
	struct fs fs = { .cache_dir = fuzz_text(str_of(fuzz_dir())), .cache_fd = -1 };
	uint64_t id, bytes;
	size_t count = 0;

	FUZZ_CHECK(fileio_read_file("/proc/sys/kernel/random/boot_id", &boot, NULL) == 0);
	if (size && data[0] == '!') { /* as it stands */
		FUZZ_CHECK(buf_add(&text, data + 1, size - 1) == 0);
	} else {
		FUZZ_CHECK(buf_addf(&text, "[{\"boot\":\"%.*s\"}",
				    (int)str_trim(buf_str(&boot)).len, boot.data) == 0);
		FUZZ_CHECK(buf_add(&text, data, size) == 0 && buf_addc(&text, ']') == 0);
	}
	(void)fuzz_file("kept.json", buf_str(&text));
	kept_load(&fs);
	while (fs.kept && (id = kept_evict_locked(&fs, &bytes)) != 0) {
		FUZZ_CHECK(kept_has_locked(&fs, id));
		count++;
	}
	FUZZ_CHECK(count <= size);
	kept_release(&fs);
	free(fs.cache_dir);
	return 0;
}
