/*
 * The format: integers little-endian. First a head of 32 bytes,
 *
 *	offset 0  u32 magic	0x484d5353 ("SSMH")
 *	       4  u32 version	1
 *	       8  u64 boot	durable_boot()
 *	      16  u64 zero
 *	      24  u32 zero
 *	      28  u32 crc	CRC32C of bytes 0 to 27
 *
 * then records: 40 bytes, and 8 for each sum.
 *
 *	offset 0  u32 magic	0x524d5353 ("SSMR")
 *	       4  u32 what	1: SUMS, 2: FORGET, 3: OFF
 *	       8  u64 id	of the cache file
 *	      16  u64 start	SUMS: of the first page
 *	      24  u64 end
 *	      32  u32 count	of sums that follow; SUMS only
 *	      36  u32 crc	CRC32C of bytes 0 to 35 and the sums
 *	      40  { u32 crc, u16 lo, u16 hi } ...
 */
#include "fs/sumlog.h"

#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/durable.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define NAME		"sums.log"
#define HEAD_MAGIC	0x484d5353u
#define RECORD_MAGIC	0x524d5353u
#define VERSION		1u
#define WHAT_SUMS	1u
#define WHAT_FORGET	2u
#define WHAT_OFF	3u
#define SUMS_MOST	520u /* of one record: a request of 1 MiB, a chunk of 2 MiB */
#define WORN_BYTES	(UINT64_C(32) << 20)
#define LOAD_MOST_BYTES (UINT64_C(1) << 30)

struct head {
	uint32_t magic, version;
	uint64_t boot, zero;
	uint32_t zero_too, crc;
};

struct record {
	uint32_t magic, what;
	uint64_t id, start, end;
	uint32_t count, crc;
};

struct stored_sum {
	uint32_t crc;
	uint16_t lo, hi;
};
_Static_assert(sizeof(struct head) == 32 && sizeof(struct record) == 40 && sizeof(struct stored_sum) == 8, "sizes on disk");

struct sumlog {
	atomic_uint refs;
	int dir_fd; /* the mount's, which outlives it */
	int fd;	    /* O_APPEND */
	_Atomic uint64_t bytes;
	uint64_t room;
	atomic_bool is_given_up;
};

/* ---- writing ---- */

static int write_head(int fd)
{
	struct head h = { htole32(HEAD_MAGIC), htole32(VERSION), htole64(durable_boot()), 0, 0, 0 };

	h.crc = htole32(hash_crc32c(0, &h, offsetof(struct head, crc)));
	return fileio_pwrite_all(fd, &h, sizeof(h), 0);
}

struct sumlog *sumlog_new(int dir_fd, struct error *err)
{
	struct sumlog *l = calloc(1, sizeof(*l));

	if (!l) {
		(void)error_set(err, ERR_NO_MEMORY, "no memory for the checksums of the cache");
		return NULL;
	}
	atomic_store(&l->refs, 1);
	l->dir_fd = dir_fd;
	(void)unlinkat(dir_fd, NAME ".new", 0); /* of a start that was killed */
	l->fd = openat(dir_fd, NAME ".new", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0 || write_head(l->fd) < 0 || renameat(dir_fd, NAME ".new", dir_fd, NAME) < 0) {
		(void)error_errno(err, errno, "cannot begin the checksums of the cache");
		sumlog_unref(l);
		return NULL;
	}
	FAULT_POINT("sumlog-new");
	atomic_store(&l->bytes, sizeof(struct head));
	return l;
}

struct sumlog *sumlog_ref(struct sumlog *l)
{
	if (l)
		atomic_fetch_add(&l->refs, 1);
	return l;
}

void sumlog_unref(struct sumlog *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	if (l->fd >= 0)
		(void)close(l->fd);
	free(l);
}

/* What is in it may be wrong from now on: nothing is known. What others append yet has no head before it. */
static int give_up(struct sumlog *l)
{
	struct stat named, ours;

	if (!atomic_exchange(&l->is_given_up, true))
		log_warn("sumlog.given_up", "error='%s'", strerror(errno));
	if (ftruncate(l->fd, 0) == 0)
		return 0;
	if (fstat(l->fd, &ours) == 0 && fstatat(l->dir_fd, NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == ours.st_ino &&
	    unlinkat(l->dir_fd, NAME, 0) < 0)
		return -EIO;
	return 0;
}

static void pack(struct record *r, uint32_t what, uint64_t id, uint64_t start, uint64_t end, const struct stored_sum *sums,
		 size_t count)
{
	*r = (struct record){ htole32(RECORD_MAGIC), htole32(what), htole64(id), htole64(start), htole64(end), htole32((uint32_t)count),
			      0 };
	r->crc = hash_crc32c(0, r, offsetof(struct record, crc));
	r->crc = htole32(hash_crc32c(r->crc, sums, count * sizeof(*sums)));
}

static void store_sums(struct stored_sum *ret, const struct pagesum *sums, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ret[i] = (struct stored_sum){ htole32(sums[i].crc), htole16(sums[i].lo), htole16(sums[i].hi) };
}

static int append(struct sumlog *l, const void *bytes, size_t len)
{
	ssize_t n;

	if (!l || atomic_load(&l->is_given_up))
		return 0;
	do
		n = write(l->fd, bytes, len);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len)
		return give_up(l);
	atomic_fetch_add(&l->bytes, len);
	return 0;
}

int sumlog_sums(struct sumlog *l, uint64_t id, uint64_t start, uint64_t end, const struct pagesum *sums)
{
	struct {
		struct record head;
		struct stored_sum sums[SUMS_MOST];
	} r;
	size_t count = pagesums_pages(start, end);
	uint64_t page = start / PAGESUMS_PAGE * PAGESUMS_PAGE;

	assert(count <= SUMS_MOST);
	store_sums(r.sums, sums, count);
	pack(&r.head, WHAT_SUMS, id, page, page + count * PAGESUMS_PAGE, r.sums, count);
	FAULT_POINT("sumlog-sums-before");
	return append(l, &r, sizeof(r.head) + count * sizeof(r.sums[0]));
}

int sumlog_forget(struct sumlog *l, uint64_t id, uint64_t start, uint64_t end)
{
	struct record r;

	pack(&r, WHAT_FORGET, id, start, end, NULL, 0);
	FAULT_POINT("sumlog-forget-before");
	return append(l, &r, sizeof(r));
}

int sumlog_off(struct sumlog *l, uint64_t id)
{
	struct record r;

	pack(&r, WHAT_OFF, id, 0, 0, NULL, 0);
	return append(l, &r, sizeof(r));
}

bool sumlog_is_worn(const struct sumlog *l)
{
	return atomic_load(&l->is_given_up) || atomic_load(&l->bytes) > WORN_BYTES + 4 * l->room;
}

/* ---- beginning anew ---- */

static int collect_record(struct buf *into, const struct record *r, const struct stored_sum *sums, size_t count)
{
	int n = buf_add(into, r, sizeof(*r));

	return n < 0 || !count ? n : buf_add(into, sums, count * sizeof(*sums));
}

int sumlog_collect(struct buf *into, uint64_t id, const struct pagesums *s)
{
	struct record r;
	uint64_t start;
	int n = 0;

	for (size_t i = 0; n == 0 && pagesums_chunk_start(s, i, &start); i++) {
		struct pagesum sums[PAGESUMS_CHUNK_PAGES];
		struct stored_sum stored[PAGESUMS_CHUNK_PAGES];
		size_t first = 0, last = PAGESUMS_CHUNK_PAGES;

		pagesums_read(s, start, start + PAGESUMS_CHUNK_PAGES * (uint64_t)PAGESUMS_PAGE, sums);
		while (first < last && sums[first].lo == sums[first].hi)
			first++;
		while (last > first && sums[last - 1].lo == sums[last - 1].hi)
			last--;
		if (first == last)
			continue;
		store_sums(stored, sums + first, last - first);
		pack(&r, WHAT_SUMS, id, start + first * PAGESUMS_PAGE, start + last * PAGESUMS_PAGE, stored, last - first);
		n = collect_record(into, &r, stored, last - first);
	}
	if (n == 0 && s->is_off) {
		pack(&r, WHAT_OFF, id, 0, 0, NULL, 0);
		n = collect_record(into, &r, NULL, 0);
	}
	return n;
}

int sumlog_make_room(struct sumlog *l, size_t bytes, struct error *err)
{
	l->room = bytes;
	if (bytes && ftruncate(l->fd, (off_t)(sizeof(struct head) + bytes)) < 0)
		return error_errno(err, errno, "cannot begin the checksums of the cache");
	atomic_fetch_add(&l->bytes, bytes);
	return 0;
}

int sumlog_fill_room(struct sumlog *l, struct str records, struct error *err)
{
	/* Appending is all that the other descriptor can do. */
	CLEANUP(closep) int fd = openat(l->dir_fd, NAME, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat named, ours;
	int r;

	if (fd < 0 || fstat(fd, &named) < 0 || fstat(l->fd, &ours) < 0 || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev)
		return error_set(err, ERR_IO, "the checksums of the cache were replaced by somebody else");
	r = records.len ? fileio_pwrite_all(fd, records.ptr, records.len, sizeof(struct head)) : 0;
	FAULT_POINT("sumlog-filled");
	return r < 0 ? error_errno(err, -r, "cannot begin the checksums of the cache") : 0;
}

/* ---- reading ---- */

struct found_file {
	uint64_t id;
	struct pagesums sums;
	UT_hash_handle hh;
};

struct sumlog_found {
	struct found_file *files;
	size_t chunks;
};

static void forget_file(struct sumlog_found *found, struct found_file *f)
{
	HASH_DEL(found->files, f);
	pagesums_release(&f->sums);
	free(f);
}

static void forget_all(struct sumlog_found *found)
{
	struct found_file *f, *next;

	HASH_ITER(hh, found->files, f, next)
		forget_file(found, f);
}

void sumlog_found_free(struct sumlog_found *found)
{
	if (!found)
		return;
	forget_all(found);
	free(found);
}

void sumlog_take(struct sumlog_found *found, uint64_t id, struct pagesums *ret)
{
	struct found_file *f;

	HASH_FIND(hh, found->files, &id, sizeof(id), f);
	if (!f)
		return;
	if (!f->sums.is_off)
		*ret = f->sums;
	else
		pagesums_release(&f->sums);
	f->sums = (struct pagesums){ 0 };
	forget_file(found, f);
}

bool sumlog_has(struct sumlog_found *found, uint64_t id)
{
	struct pagesum sums[PAGESUMS_CHUNK_PAGES];
	struct found_file *f;
	uint64_t start;

	HASH_FIND(hh, found->files, &id, sizeof(id), f);
	if (!f || f->sums.is_off)
		return false;
	for (size_t i = 0; pagesums_chunk_start(&f->sums, i, &start); i++) {
		pagesums_read(&f->sums, start, start + PAGESUMS_CHUNK_PAGES * (uint64_t)PAGESUMS_PAGE, sums);
		for (size_t page = 0; page < PAGESUMS_CHUNK_PAGES; page++)
			if (sums[page].lo < sums[page].hi) /* what was forgotten leaves an empty one */
				return true;
	}
	return false;
}

static struct found_file *need_file(struct sumlog_found *found, uint64_t id)
{
	struct found_file *f;

	HASH_FIND(hh, found->files, &id, sizeof(id), f);
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->id = id;
	HASH_ADD(hh, found->files, id, sizeof(id), f);
	return f;
}

/* What there is no memory for is left out: a sum fewer. Not so what takes sums back. */
static int apply(struct sumlog_found *found, const struct record *r, const struct stored_sum *stored)
{
	struct found_file *f = need_file(found, r->id);
	struct pagesum sums[SUMS_MOST];
	size_t before;

	if (!f)
		return -ENOMEM;
	if (r->what == WHAT_OFF) {
		pagesums_release(&f->sums);
		f->sums.is_off = true;
	} else if (r->what == WHAT_FORGET) {
		(void)pagesums_forget(&f->sums, r->start, r->end); /* nobody writes */
		if (r->start == 0 && r->end == UINT64_MAX)
			f->sums.is_off = false; /* uploaded meanwhile */
	} else if (!f->sums.is_off && found->chunks < PAGESUMS_CHUNKS_MOST) {
		for (size_t i = 0; i < r->count; i++)
			sums[i] = (struct pagesum){ le32toh(stored[i].crc), le16toh(stored[i].lo), le16toh(stored[i].hi) };
		before = f->sums.count;
		if (pagesums_reserve(&f->sums, r->start, r->end))
			pagesums_put(&f->sums, r->start, r->end, sums);
		found->chunks += f->sums.count - before;
	}
	return 0;
}

static bool is_sane(const struct stored_sum *s)
{
	uint16_t lo = le16toh(s->lo), hi = le16toh(s->hi);

	return hi <= PAGESUMS_PAGE && lo <= PAGESUMS_PAGE;
}

/* 1: read; 0: the end, or a torn record there; -EBADMSG: damaged. */
static int next_record(FILE *in, struct record *r, struct stored_sum *sums)
{
	struct record raw;
	uint32_t crc;

	if (fread(&raw, sizeof(raw), 1, in) != 1)
		return ferror(in) ? -EBADMSG : 0;
	*r = (struct record){ le32toh(raw.magic), le32toh(raw.what), le64toh(raw.id), le64toh(raw.start), le64toh(raw.end),
			      le32toh(raw.count), le32toh(raw.crc) };
	if (r->magic != RECORD_MAGIC || r->count > SUMS_MOST || r->what < WHAT_SUMS || r->what > WHAT_OFF ||
	    (r->what == WHAT_SUMS ? r->start % PAGESUMS_PAGE || r->start > INT64_MAX || r->end != r->start + r->count * PAGESUMS_PAGE :
				    r->count > 0))
		return -EBADMSG;
	if (r->count && fread(sums, sizeof(*sums), r->count, in) != r->count)
		return ferror(in) ? -EBADMSG : 0;
	crc = hash_crc32c(0, &raw, offsetof(struct record, crc));
	if (hash_crc32c(crc, sums, r->count * sizeof(*sums)) != r->crc)
		return -EBADMSG;
	for (size_t i = 0; i < r->count; i++)
		if (!is_sane(&sums[i]))
			return -EBADMSG;
	return 1;
}

/* Whether the log is of this boot of the system and may be believed so far. */
static bool read_head(FILE *in, const struct stat *st)
{
	struct head h;

	return S_ISREG(st->st_mode) && (uint64_t)st->st_size <= LOAD_MOST_BYTES && fread(&h, sizeof(h), 1, in) == 1 &&
	       le32toh(h.magic) == HEAD_MAGIC && le32toh(h.version) == VERSION && durable_boot() && le64toh(h.boot) == durable_boot() &&
	       le32toh(h.crc) == hash_crc32c(0, &h, offsetof(struct head, crc));
}

static void fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* only read */
}

struct sumlog_found *sumlog_load(int dir_fd)
{
	struct sumlog_found *found = calloc(1, sizeof(*found));
	int fd = openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r = 1;
	CLEANUP(fclosep) FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	struct stored_sum sums[SUMS_MOST];
	struct record record;
	struct stat st;

	if (!in && fd >= 0)
		(void)close(fd);
	if (!found || !in || fstat(fd, &st) < 0 || !read_head(in, &st))
		return found;
	while (r > 0) {
		r = next_record(in, &record, sums);
		if (r > 0 && apply(found, &record, sums) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		log_warn("sumlog.damaged", "what='the checksums of the last mount are not used'");
		forget_all(found);
	}
	return found;
}
