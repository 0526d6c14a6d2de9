#include "backends/base/clock.h"
#include "backends/base/fileio.h"
#include "backends/base/log.h"
#include "fs/initpatch.h"
#include "fs/listing.h"
#include "fs/ops.h"
#include "fs/trim.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <spawn.h>

extern char **environ;

/* A bucket that is not there is said now, not at the first ls. */
static int check_source(struct fs *fs, struct error *err)
{
	CLEANUP(location_release) struct location where = LOCATION_INIT;
	struct node *root = fs->tree.mount_root;
	int r;

	if (root->type <= NODE_STORE)
		return 0;
	lock_take(&fs->lock);
	r = tree_path_key(root, &where);
	lock_drop(&fs->lock);
	if (r < 0)
		return error_errno(err, -r, "cannot mount '%s'", fs->source);
	r = store_bucket_exists(where.store, where.bucket, err);
	return r < 0 ? error_prefix(err, r, "cannot mount '%s'", fs->source) : 0;
}

/* The mount's device number by the kernel's table. Not by stat: a process that asks its own file system waits for itself where its
 * threads are not free to run side by side (under valgrind for one). */
static bool mounted_device(const char *mountpoint, char ret[32])
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(16 << 20);
	struct str rest;
	bool is_found = false;

	if (fileio_read_file("/proc/self/mountinfo", &text, NULL) < 0)
		return false;
	rest = buf_str(&text);
	while (rest.ptr) { /* the last line of that mount point is the one on top */
		struct str line = str_split(&rest, '\n'), field[5];

		for (size_t i = 0; i < ARRAY_SIZE(field); i++)
			field[i] = str_split(&line, ' ');
		if (!field[4].ptr || !str_equal(field[4], str_of(mountpoint)) || field[2].len >= 32)
			continue; /* names with blanks are escaped there and do not match: only slower reads */
		memcpy(ret, field[2].ptr, field[2].len);
		ret[field[2].len] = '\0';
		is_found = true;
	}
	return is_found;
}

/* Bigger reads from the kernel: it asks for 128 KiB at once unless the mount's own setting says more (root only). */
static void raise_read_ahead(const char *mountpoint)
{
	char path[96], device[32];
	int fd;

	if (!mounted_device(mountpoint, device))
		return;
	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1024", 4); /* only slower without */
	(void)close(fd);
}

static int session_new(struct fs *fs, struct error *err)
{
	CLEANUP(buf_release) struct buf options = BUF_INIT(65536);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const char *slash = strcmp(fs->source, "/") == 0 ? "" : fs->source;
	int r = buf_addf(&options, "fsname=skydir%s,subtype=skydir,default_permissions", slash);

	/* A comma or backslash in a name would be read as the next option. */
	for (size_t i = 0; r == 0 && i < options.len - strlen(",subtype=skydir,default_permissions"); i++)
		if (i > 13 && (options.data[i] == ',' || options.data[i] == '\\'))
			options.data[i] = '_';
	if (r == 0 && fs->options.allow_other)
		r = buf_adds(&options, ",allow_other");
	if (r == 0 && fs->options.read_only)
		r = buf_adds(&options, ",ro");
	if (r == 0 && fs->options.passthrough_o)
		r = buf_addf(&options, ",%s", fs->options.passthrough_o);
	if (r < 0 || fuse_opt_add_arg(&args, "skydir") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, options.data))
		return error_set(err, ERR_NO_MEMORY, "no memory to mount");
	fs->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	fuse_opt_free_args(&args);
	if (!fs->session)
		return error_set(err, ERR_CONFIG, "libfuse refused the mount options '%s'", buf_cstr(&options));
	return 0;
}

static void *loop(void *arg)
{
	struct fs *fs = arg;
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r;

	(void)pthread_setname_np(pthread_self(), "skydir-fuse");
	if (config) { /* requests that wait hold no thread: four serve any number */
		fuse_loop_cfg_set_max_threads(config, fs->options.writeback ? 4 : 16);
		fuse_loop_cfg_set_idle_threads(config, 4);
	}
	r = config ? fuse_session_loop_mt(fs->session, config) : -ENOMEM;
	if (config)
		fuse_loop_cfg_destroy(config);
	lock_take(&fs->lock);
	fs->loop_ended = true;
	fs->loop_result = r;
	cond_broadcast(&fs->changed);
	lock_drop(&fs->lock);
	return NULL;
}

int fs_mount(struct fs *fs, const char *mountpoint, struct error *err)
{
	struct error local = ERROR_INIT;
	int r = check_source(fs, &local);

	if (r == 0)
		r = session_new(fs, &local);
	if (r == 0 && !(fs->mountpoint = realpath(mountpoint, NULL)))
		r = error_errno(&local, errno, "cannot mount on '%s'", mountpoint);
	if (r == 0 && fuse_session_mount(fs->session, fs->mountpoint) < 0)
		r = error_set(&local, ERR_IO, "cannot mount on '%s' (is /dev/fuse there, and fusermount3 installed?)", mountpoint);
	if (r == 0) {
		if (initpatch_install(fs->session) < 0)
			log_warn("mount.init", "what='look-ups in one directory wait for each other'");
		fs->is_mounted = true;
		lock_take(&fs->lock);
		fs->names_kept = TRIM_NAMES_KEPT;
		lock_drop(&fs->lock);
		if (pthread_create(&fs->loop_thread, NULL, loop, fs) != 0)
			r = error_set(&local, ERR_NO_MEMORY, "cannot start a thread");
		else
			fs->has_loop = true;
	}
	if (r == 0)
		raise_read_ahead(fs->mountpoint);
	if (r < 0 && err)
		*err = local;
	return r;
}

static void unmount_lazily(const char *mountpoint)
{
	char *argv[] = { (char[]){ "fusermount3" }, (char[]){ "-u" }, (char[]){ "-z" }, (char[]){ "-q" }, (char[]){ "--" },
			 (char *)mountpoint, NULL };
	pid_t pid;
	int status;

	if (umount2(mountpoint, MNT_DETACH) == 0)
		return;
	if (posix_spawnp(&pid, "fusermount3", NULL, NULL, argv, environ) == 0)
		(void)waitpid(pid, &status, 0);
}

#define WAKE_AGAIN_MS 20u

static void wake(int signal_number)
{
	(void)signal_number;
}

/* libfuse's loop sleeps until one of its threads ends, and these wait for the kernel, which has nothing to say while a program keeps a
 * file open. A signal wakes it: then it ends them and waits until they are done with what they have begun. It may just have been about to
 * sleep: so again. (Cancelled, it would leave threads behind that go on with what is being freed.) */
static void end_loop_locked(struct fs *fs)
{
	const struct sigaction quiet = { .sa_handler = wake };

	if (!fs->loop_ended)
		(void)sigaction(SIGURG, &quiet, NULL);
	while (!fs->loop_ended) {
		(void)pthread_kill(fs->loop_thread, SIGURG);
		(void)cond_wait_until(&fs->changed, &fs->lock, clock_mono_ms() + WAKE_AGAIN_MS);
	}
}

/* Whether the loop ended because the mount is gone. A thread that reads a request in the moment the kernel ends the connection is told
 * ECONNABORTED, and not ENODEV, which libfuse takes for the end (fuse_dev_do_read in the kernel's fs/fuse/dev.c). */
static bool is_unmounted(int r)
{
	return r == -ENODEV || r == -ECONNABORTED;
}

int fs_run(struct fs *fs, struct error *err)
{
	int r;

	lock_take(&fs->lock);
	while (!fs->loop_ended && !fs->is_stopping)
		cond_wait(&fs->changed, &fs->lock);
	r = fs->loop_result;
	if (!fs->loop_ended) { /* stopped from inside: open files may keep the loop going, but not for ever */
		uint64_t deadline = clock_mono_ms() + 2000;

		lock_drop(&fs->lock);
		unmount_lazily(fs->mountpoint);
		fuse_session_exit(fs->session);
		lock_take(&fs->lock);
		while (!fs->loop_ended && cond_wait_until(&fs->changed, &fs->lock, deadline))
			continue;
		end_loop_locked(fs);
		r = 0;
	}
	fs->is_mounted = false;
	lock_drop(&fs->lock);
	(void)pthread_join(fs->loop_thread, NULL);
	fuse_session_unmount(fs->session);
	return r < 0 && !is_unmounted(r) ? error_errno(err, -r, "the file system's loop ended") : 0;
}

void fs_stop(struct fs *fs)
{
	lock_take(&fs->lock);
	fs->is_stopping = true;
	cond_broadcast(&fs->changed);
	lock_drop(&fs->lock);
}
