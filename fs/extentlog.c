/*
 * The format: records of 32 bytes, integers little-endian, nothing before or between them.
 *
 *	offset 0  u32 magic	0x4c584b53 ("SKXL")
 *	       4  u32 what	enum extentlog_what, or 100: BOOT
 *	       8  u64 start
 *	      16  u64 end	start <= end < 2^63
 *	      24  u32 tag	of BOOT: whose log it is, by its name; 0, and in all others: nobody's
 *	      28  u32 crc	CRC32C of bytes 0 to 27
 *
 * A record counts when magic, crc and bounds are right. Records are appended by one write each, and
 * an append that fails half-way is cut off again, so kill -9 leaves whole records only.
 *
 * When the log may lie about what is present: a record that does not count can have said "absent",
 * and after a power loss records may be there whose data never reached the disk. Either way what is
 * clean can be fetched again, so from that point back all that is present but not dirty is
 * forgotten; dirty ranges stay, they have no other copy. A power loss is told by BOOT, the first
 * record and one more after each restart of the system: `start` is a tag of the boot. A log in which
 * anything was forgotten is written anew at once.
 */
#include "fs/extentlog.h"

#include "fs/durable.h"

#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"

#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#define EXTENTLOG_MAGIC	  0x4c584b53u
#define EXTENTLOG_BOOT	  100u
#define EXTENTLOG_CHUNK	  1024 /* records read or written at once */
#define EXTENTLOG_POS_MAX ((uint64_t)INT64_MAX)

struct extentlog_record {
	uint32_t magic, what;
	uint64_t start, end;
	uint32_t tag, crc;
};
_Static_assert(sizeof(struct extentlog_record) == EXTENTLOG_RECORD_BYTES, "record size");

static struct extentlog_record extentlog_pack(uint32_t what, uint64_t start, uint64_t end)
{
	struct extentlog_record r = {
		htole32(EXTENTLOG_MAGIC), htole32(what), htole64(start), htole64(end), 0, 0};

	r.crc = htole32(hash_crc32c(0, &r, offsetof(struct extentlog_record, crc)));
	return r;
}

static uint64_t extentlog_boot(void)
{
	return durable_boot() & EXTENTLOG_POS_MAX;
}

static uint32_t extentlog_tag(const char *name)
{
	return hash_crc32c(0, name, strlen(name)) | 1;
}

static struct extentlog_record extentlog_pack_boot(const char *name)
{
	struct extentlog_record r = extentlog_pack(EXTENTLOG_BOOT, extentlog_boot(), extentlog_boot());

	r.tag = htole32(extentlog_tag(name));
	r.crc = htole32(hash_crc32c(0, &r, offsetof(struct extentlog_record, crc)));
	return r;
}

static bool extentlog_unpack(struct extentlog_record *r)
{
	bool is_good = le32toh(r->magic) == EXTENTLOG_MAGIC &&
		       le32toh(r->crc) == hash_crc32c(0, r, offsetof(struct extentlog_record, crc));

	r->what = le32toh(r->what);
	r->start = le64toh(r->start);
	r->end = le64toh(r->end);
	r->tag = le32toh(r->tag);
	return is_good && r->start <= r->end && r->end <= EXTENTLOG_POS_MAX;
}

static int extentlog_write(int fd, const struct extentlog_record *records, size_t count,
			   struct error *err)
{
	size_t len = count * sizeof(*records);
	struct stat st;
	ssize_t n;

	do
		n = write(fd, records, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n < 0)
		return error_errno(err, errno, "cannot append to an extent log");
	/* Full disk: take the torn record away, so that the next one starts at its place. */
	if (fstat(fd, &st) < 0 ||
	    ftruncate(fd, st.st_size - st.st_size % EXTENTLOG_RECORD_BYTES) < 0)
		return error_errno(err, errno, "cannot cut off a torn extent log record");
	return error_set(err, ERR_NO_SPACE, "no space left for an extent log");
}

int extentlog_append(int fd, enum extentlog_what what, uint64_t start, uint64_t end,
		     struct error *err)
{
	struct extentlog_record record = extentlog_pack(what, start, end);

	int r;

	assert(start <= end && end <= EXTENTLOG_POS_MAX);
	FAULT_POINT("extentlog-append-before");
	r = extentlog_write(fd, &record, 1, err);
	FAULT_POINT("extentlog-append-after");
	return r;
}

struct extentlog_replay {
	struct extents *present, *dirty;
	const char *name;
	bool has_cut;	 /* the file was cut at some time */
	bool is_foreign; /* it tells of another file */
	struct extents synced; /* what was dirty at the last SYNCED */
	bool has_synced;
	uint64_t boot;
	bool has_boot;
	bool has_damage;   /* a record that cannot be read, or a part of one */
	bool is_forgetful; /* something was forgotten: the log must be written anew */
};

static int extentlog_forget_clean(struct extentlog_replay *replay)
{
	replay->is_forgetful = true;
	return extents_copy(replay->present, replay->dirty);
}

/* After a restart of the system: what was written since the last SYNCED may be holes. Without one, who asks knows that the whole
 * file was never synced. */
static int extentlog_forget_unsynced(struct extentlog_replay *replay)
{
	int r = replay->has_synced ? extents_copy(replay->dirty, &replay->synced) : 0;

	return r < 0 ? r : extentlog_forget_clean(replay);
}

static int extentlog_apply_boot(struct extentlog_replay *replay, uint64_t boot)
{
	int r = 0;

	if (replay->has_boot && replay->boot != boot)
		r = extentlog_forget_unsynced(replay);
	replay->has_boot = true;
	replay->boot = boot;
	return r;
}

static int extentlog_apply(struct extentlog_replay *replay, struct extentlog_record *record)
{
	uint64_t start, end;
	int r;

	if (!extentlog_unpack(record)) {
		replay->has_damage = true;
		return extentlog_forget_clean(replay);
	}
	start = record->start;
	end = record->end;
	switch (record->what) {
	case EXTENTLOG_PRESENT:
		return extents_add(replay->present, start, end);
	case EXTENTLOG_DIRTY:
		r = extents_add(replay->present, start, end);
		return r < 0 ? r : extents_add(replay->dirty, start, end);
	case EXTENTLOG_CLEAN:
		return extents_remove(replay->dirty, start, end);
	case EXTENTLOG_ABSENT:
		r = extents_remove(replay->present, start, end);
		return r < 0 ? r : extents_remove(replay->dirty, start, end);
	case EXTENTLOG_TRUNCATE:
		replay->has_cut = true;
		extents_truncate(replay->present, start);
		extents_truncate(replay->dirty, start);
		return 0;
	case EXTENTLOG_SYNCED:
		replay->has_synced = true;
		return extents_copy(&replay->synced, replay->dirty);
	case EXTENTLOG_BOOT:
		replay->is_foreign |= record->tag && record->tag != extentlog_tag(replay->name);
		return extentlog_apply_boot(replay, start);
	default: /* of a later version: it may have said "absent" */
		return extentlog_forget_clean(replay);
	}
}

static int extentlog_replay_fd(int fd, struct extentlog_replay *replay, struct error *err)
{
	CLEANUP(freep) struct extentlog_record *chunk = calloc(EXTENTLOG_CHUNK, sizeof(*chunk));
	uint64_t offset = 0;
	ssize_t n;
	int r = 0;

	if (!chunk)
		return error_set(err, ERR_NO_MEMORY, "no memory to read an extent log");
	for (;;) {
		do
			n = pread(fd, chunk, EXTENTLOG_CHUNK * sizeof(*chunk), (off_t)offset);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_errno(err, errno, "cannot read an extent log");
		for (ssize_t i = 0; i < n / EXTENTLOG_RECORD_BYTES && r == 0; i++)
			r = extentlog_apply(replay, &chunk[i]);
		offset += (uint64_t)(n - n % EXTENTLOG_RECORD_BYTES);
		if (r < 0 || n < EXTENTLOG_RECORD_BYTES)
			break;
	}
	if (r == 0 && n > 0) { /* a torn tail */
		replay->has_damage = true;
		r = extentlog_forget_clean(replay);
	}
	if (r == 0 && replay->has_boot && replay->boot != extentlog_boot())
		r = extentlog_forget_unsynced(replay);
	return r < 0 ? error_set(err, ERR_NO_MEMORY, "no memory to read an extent log") : 0;
}

/* Makes the log fit to be appended to after its replay; may replace *fd. */
static int extentlog_mend(int dir_fd, const char *name, const struct extentlog_replay *replay,
			  int *fd, struct error *err)
{
	struct extentlog_record boot = extentlog_pack_boot(name);
	int fresh;

	if (!replay->is_forgetful)
		return replay->has_boot ? 0 : extentlog_write(*fd, &boot, 1, err);
	fresh = extentlog_compact(dir_fd, name, replay->present, replay->dirty, err);
	if (fresh < 0)
		return fresh;
	closep(fd);
	*fd = fresh;
	return 0;
}

int extentlog_open(int dir_fd, const char *name, struct extents *present, struct extents *dirty,
		   struct error *err)
{
	CLEANUP(extents_release) struct extents was_present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents was_dirty = EXTENTS_INIT;
	CLEANUP(closep) int fd = -1;
	struct extentlog_replay replay = {.present = &was_present, .dirty = &was_dirty, .name = name};
	struct stat st;
	int r;

	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "cannot open the extent log '%s'", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_IO, "the extent log '%s' is not a regular file", name);
	r = extentlog_replay_fd(fd, &replay, err);
	if (r == 0)
		r = extentlog_mend(dir_fd, name, &replay, &fd, err);
	extents_release(&replay.synced);
	if (r < 0)
		return r;
	extents_release(present);
	extents_release(dirty);
	*present = was_present;
	*dirty = was_dirty;
	was_present = was_dirty = EXTENTS_INIT;
	r = fd;
	fd = -1;
	return r;
}

bool extentlog_is_damaged(int dir_fd, const char *name)
{
	CLEANUP(extents_release) struct extents present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct extentlog_replay replay = { .present = &present, .dirty = &dirty, .name = name };
	int r = fd < 0 ? -1 : extentlog_replay_fd(fd, &replay, NULL);

	extents_release(&replay.synced);
	return r == 0 && (replay.is_foreign || (replay.has_damage && (!replay.has_boot || replay.boot == extentlog_boot())));
}

bool extentlog_has_cut(int dir_fd, const char *name)
{
	CLEANUP(extents_release) struct extents present = EXTENTS_INIT;
	CLEANUP(extents_release) struct extents dirty = EXTENTS_INIT;
	CLEANUP(closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct extentlog_replay replay = { .present = &present, .dirty = &dirty, .name = name };
	int r = fd < 0 ? -1 : extentlog_replay_fd(fd, &replay, NULL);

	extents_release(&replay.synced);
	return r == 0 && replay.has_cut;
}

struct extentlog_writer {
	int fd;
	struct extentlog_record *chunk;
	size_t count;
};

static int extentlog_flush(struct extentlog_writer *w, struct error *err)
{
	int r = w->count ? extentlog_write(w->fd, w->chunk, w->count, err) : 0;

	w->count = 0;
	return r;
}

static int extentlog_write_set(struct extentlog_writer *w, enum extentlog_what what,
			       const struct extents *set, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < set->count && r == 0; i++) {
		w->chunk[w->count++] = extentlog_pack(what, set->items[i].start, set->items[i].end);
		if (w->count == EXTENTLOG_CHUNK)
			r = extentlog_flush(w, err);
	}
	return r;
}

static int extentlog_write_all(struct extentlog_writer *w, const char *name, const struct extents *present,
			       const struct extents *dirty, struct error *err)
{
	int r;

	w->chunk[w->count++] = extentlog_pack_boot(name);
	r = extentlog_write_set(w, EXTENTLOG_PRESENT, present, err);
	if (r == 0)
		r = extentlog_write_set(w, EXTENTLOG_DIRTY, dirty, err);
	if (r == 0)
		r = extentlog_flush(w, err);
	/* Else a power loss could leave the new name with an empty file in the place of a synced
	 * log. */
	if (r == 0 && dirty->count && fdatasync(w->fd) < 0)
		r = error_errno(err, errno, "cannot sync an extent log");
	return r;
}

int extentlog_compact(int dir_fd, const char *name, const struct extents *present,
		      const struct extents *dirty, struct error *err)
{
	CLEANUP(freep) struct extentlog_record *chunk = calloc(EXTENTLOG_CHUNK, sizeof(*chunk));
	CLEANUP(freep) char *beside = str_format("%s.new", name);
	CLEANUP(closep) int fd = -1;
	struct extentlog_writer writer = {.chunk = chunk};
	int r;

	if (!chunk || !beside)
		return error_set(err, ERR_NO_MEMORY, "no memory to write an extent log");
	if (unlinkat(dir_fd, beside, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "cannot remove '%s'", beside);
	fd = openat(dir_fd, beside, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return error_errno(err, errno, "cannot create the extent log '%s'", beside);
	writer.fd = fd;
	r = extentlog_write_all(&writer, name, present, dirty, err);
	FAULT_POINT("extentlog-rename-before");
	if (r == 0 && renameat(dir_fd, beside, dir_fd, name) < 0)
		r = error_errno(err, errno, "cannot put the extent log '%s' in its place", name);
	FAULT_POINT("extentlog-rename-after");
	if (r < 0) {
		(void)unlinkat(dir_fd, beside, 0); /* best effort: the next one removes it, too */
		return r;
	}
	r = fd;
	fd = -1;
	return r;
}
