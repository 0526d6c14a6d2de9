#include "control/doctor.h"

#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include "control/paths.h"
#include "control/text.h"
#include "fs/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static const char *const result_names[] = {"ok", "warn", "fail"};

static void print_check(enum doctor_result result, const char *check, const char *detail)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	CLEANUP(buf_release) struct buf line = BUF_INIT(8192);
	bool has_colour = output_has_colour(STDOUT_FILENO);
	int r = buf_addf(&line, "%s%-4s%s  ", has_colour ? colours[result] : "",
			 result_names[result], has_colour ? "\033[0m" : "");

	if (r == 0)
		r = text_escape(&line, check);
	if (r == 0)
		r = buf_adds(&line, ": ");
	if (r == 0)
		r = text_escape(&line, detail);
	if (r == 0)
		(void)puts(buf_cstr(&line));
	(void)fflush(stdout);
}

void doctor_add(struct doctor *d, enum doctor_result result, const char *check, const char *format,
		...)
{
	CLEANUP(buf_release) struct buf detail = BUF_INIT(4096);
	struct json_object *o;
	va_list args;
	int r;

	va_start(args, format);
	r = buf_vaddf(&detail, format, args);
	va_end(args);
	if (r < 0)
		return;
	d->has_failed = d->has_failed || result == DOCTOR_FAIL;
	if (d->format != OUTPUT_JSON) {
		print_check(result, check, buf_cstr(&detail));
		return;
	}
	o = json_object_new_object();
	if (!o)
		return;
	json_object_object_add(o, "check", json_object_new_string(check));
	json_object_object_add(o, "result", json_object_new_string(result_names[result]));
	json_object_object_add(o, "detail", json_object_new_string(buf_cstr(&detail)));
	json_object_array_add(d->checks, o);
}

static bool is_in_path(const char *program)
{
	const char *path = getenv("PATH");
	struct str rest = str_of(path ? path : "/usr/bin:/bin"), dir;

	while ((dir = str_split(&rest, ':')).ptr) {
		CLEANUP(freep) char *file = str_format("%.*s/%s", (int)dir.len, dir.ptr, program);

		if (file && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

void doctor_check_fuse(struct doctor *d)
{
	CLEANUP(closep) int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		doctor_add(d, DOCTOR_OK, "fuse", "/dev/fuse can be opened");
	else
		doctor_add(d, DOCTOR_FAIL, "fuse",
			   "cannot open /dev/fuse: %s (modprobe fuse; in a "
			   "container: --device /dev/fuse --cap-add SYS_ADMIN)",
			   strerror(errno));
	if (is_in_path("fusermount3"))
		doctor_add(d, DOCTOR_OK, "fusermount3", "found");
	else
		doctor_add(d, geteuid() == 0 ? DOCTOR_WARN : DOCTOR_FAIL, "fusermount3",
			   "not found (install the package fuse3)");
}

void doctor_check_runtime(struct doctor *d)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int fd = -1;
	struct error err = ERROR_INIT;

	if (paths_runtime_make(&fd, &path, &err) < 0)
		doctor_add(d, DOCTOR_FAIL, "control socket", "%s (set XDG_RUNTIME_DIR)",
			   err.message);
	else
		doctor_add(d, DOCTOR_OK, "control socket", "%s", path);
}

void doctor_check_cache(struct doctor *d, const struct fs_options *o)
{
	CLEANUP(freep)
	char *probe = str_format("%s/.doctor-%016" PRIx64, o->cache_dir, random_u64());
	struct error err = ERROR_INIT;
	struct statvfs vfs;
	uint64_t free_bytes;
	char free_text[16], floor_text[16], size_text[16];

	if (!probe || fileio_make_dirs(o->cache_dir, 0700, &err) < 0 ||
	    fileio_replace_file(probe, STR("skydir"), 0600, &err) < 0) {
		doctor_add(d, DOCTOR_FAIL, "cache", "'%s' cannot be written: %s", o->cache_dir,
			   err.message);
		return;
	}
	(void)unlink(probe);
	if (statvfs(o->cache_dir, &vfs) < 0) {
		doctor_add(d, DOCTOR_FAIL, "cache", "'%s': %s", o->cache_dir, strerror(errno));
		return;
	}
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	text_size(free_bytes, free_text);
	text_size(o->free_space_floor, floor_text);
	text_size(o->cache_size, size_text);
	if (free_bytes <= o->free_space_floor)
		doctor_add(d, DOCTOR_FAIL, "cache",
			   "'%s' has %s free and keeps %s free: nothing can be cached "
			   "(free some space, or set free-space-floor)",
			   o->cache_dir, free_text, floor_text);
	else if (free_bytes - o->free_space_floor < o->cache_size)
		doctor_add(d, DOCTOR_WARN, "cache",
			   "'%s' is writable, %s free: less than cache-size %s and the floor %s",
			   o->cache_dir, free_text, size_text, floor_text);
	else
		doctor_add(d, DOCTOR_OK, "cache", "'%s' is writable, %s free, cache-size %s",
			   o->cache_dir, free_text, size_text);
}

static const char *advice(enum error_kind kind)
{
	switch (kind) {
	case ERR_UNAUTHENTICATED:
		return " (check the credentials)";
	case ERR_PERMISSION:
		return " (these credentials may not)";
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
		return " (check endpoint, network and proxy)";
	default:
		return "";
	}
}

void doctor_check_passthrough(struct doctor *d, const struct fs_options *o)
{
	CLEANUP(closep) int fd = open(o->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why = o->is_passthrough_off ? "switched off" : fs_passthrough_obstacle(fd);

	/* Nothing is wrong without it: cached files are only read and written less fast. */
	if (why)
		doctor_add(d, DOCTOR_OK, "passthrough", "not used: %s", why);
	else
		doctor_add(d, DOCTOR_OK, "passthrough", "used where the kernel has it (Linux 6.9 and newer)");
}

void doctor_check_store(struct doctor *d, struct store *s)
{
	CLEANUP(store_bucket_page_release) struct store_bucket_page page = STORE_BUCKET_PAGE_INIT;
	CLEANUP(buf_release) struct buf about = BUF_INIT(1024);
	CLEANUP(freep) char *check = str_format("store %s", s->name);
	struct error err = ERROR_INIT;
	int r;

	if (!check)
		return;
	if (store_describe(s, &about, &err) < 0)
		buf_clear(&about);
	r = store_bucket_list(s, &page, &err);
	if (r == 0)
		doctor_add(d, DOCTOR_OK, check, "%s; %zu bucket%s", buf_cstr(&about), page.count,
			   page.count == 1 ? "" : "s");
	else if (err.kind == ERR_PERMISSION || err.kind == ERR_UNSUPPORTED)
		doctor_add(d, DOCTOR_WARN, check,
			   "%s; it answers, buckets cannot be listed: %s "
			   "(mount one by its name)",
			   buf_cstr(&about), err.message);
	else
		doctor_add(d, DOCTOR_FAIL, check, "%s; %s%s", buf_cstr(&about), err.message,
			   advice(err.kind));
}

void doctor_check_clock(struct doctor *d)
{
	int64_t skew = clock_skew_s(), off = skew < 0 ? -skew : skew;

	/* S3 refuses signatures that are off by more than 15 minutes; signers correct what was
	 * learnt. */
	if (off >= 300)
		doctor_add(d, DOCTOR_WARN, "clock",
			   "this machine is %" PRId64
			   " s %s the server (signatures are corrected; set the clock)",
			   off, skew > 0 ? "behind" : "ahead of");
	else if (off)
		doctor_add(d, DOCTOR_OK, "clock", "%" PRId64 " s from the servers asked", off);
	else
		doctor_add(d, DOCTOR_OK, "clock", "no difference to a server was seen");
}

/* 0 when the write was refused as it must be, 1 when it went through, or the error of something
 * else. */
static int try_put(struct store *s, const char *bucket, const char *key,
		   const struct store_put_args *args, char *version, struct error *err)
{
	struct store_source source = STORE_SOURCE_INIT;
	int r;

	source.mem = STR("skydir doctor\n");
	r = store_put(s, bucket, key, &source, args, version, err);
	if (r == 0)
		return 1;
	return err->kind == ERR_PRECONDITION || err->kind == ERR_EXISTS || err->kind == ERR_CONFLICT
		       ? 0
		       : r;
}

static void judge(struct doctor *d, const struct store *s, int r, const char *what,
		  const struct error *err)
{
	bool is_kept = __atomic_load_n(&s->caps, __ATOMIC_RELAXED) & STORE_CAP_CONDITIONAL_PUT;

	if (r == 0 && !is_kept)
		doctor_add(d, DOCTOR_WARN, "conditional writes",
			   "%s is not kept by this server: objects are compared before and after "
			   "each write instead (somebody may still come in between)",
			   what);
	else if (r == 0)
		doctor_add(d, DOCTOR_OK, "conditional writes", "%s is honoured", what);
	else if (r == 1)
		doctor_add(
			d, DOCTOR_WARN, "conditional writes",
			"%s is ignored by this server (set conditional-writes = no for the store)",
			what);
	else
		doctor_add(d, DOCTOR_WARN, "conditional writes", "%s is refused: %s", what,
			   err->message);
}

void doctor_check_writes(struct doctor *d, struct store *s, const char *bucket)
{
	struct store_put_args plain = {.if_absent = false}, absent = {.if_absent = true};
	struct store_put_args other = {.if_version = "0123456789abcdef0123456789abcdef"};
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	char key[64];
	int r;

	(void)snprintf(key, sizeof key, ".skydir-doctor-%016" PRIx64, random_u64());
	r = try_put(s, bucket, key, &plain, version, &err);
	if (r != 1) {
		doctor_add(d, DOCTOR_FAIL, "write", "cannot write to '%s': %s%s", bucket,
			   err.message, advice(err.kind));
		return;
	}
	doctor_add(d, DOCTOR_OK, "write", "'%s' can be written", bucket);
	r = try_put(s, bucket, key, &absent, version, &err);
	judge(d, s, r, "\"only when absent\"", &err);
	r = try_put(s, bucket, key, &other, version, &err);
	judge(d, s, r, "\"only when unchanged\"", &err);
	if (store_delete(s, bucket, key, NULL, NULL, &err) < 0)
		doctor_add(d, DOCTOR_WARN, "write", "cannot delete the test object '%s': %s", key,
			   err.message);
}
