/*
 * The second record of the journal: DIR/journal.mirror, a plain log of the batches, so that no single damaged file takes a row
 * away. SQLite ends a WAL at its first damaged frame and says nothing, and forgets all of one whose head is damaged.
 *
 * A batch is appended here, by one write and without a sync, before its transaction begins; with it goes where the WAL ended
 * then. So after a kill this log is never behind the database, but for damage, and the WAL's end tells which batches the database
 * has: what begins there or later is carried out again at the next start. (A number in the database would cost every commit a
 * further page.) When a checkpoint has brought everything into the database file, the log is begun anew with all rows there are,
 * if they are not too many: a damaged database file is then made good from it as well. Carrying out again what the database has
 * is harmless as long as all that follows is carried out, too: each change says what a row is from then on. A log that somebody
 * left behind who opened the database and kept no such log is known by the database's counter, which each start raises.
 *
 * The format: records, integers little-endian, nothing between them. A head of 72 bytes,
 *
 *	offset 0  u32 magic	0x424d4a53 ("SJMB")
 *	       4  u32 what	1: a batch, 2: all rows there are, 3: all that are left
 *	       8  u64 number	of the batch; of the last one before "all rows"
 *	      16  u64 boot	durable_boot()
 *	      24  u64 salt	of the WAL: its bytes 16 to 23; 0: there was nothing in it
 *	      32  u64 frames	in the WAL
 *	      40  u64 reserved	the database's counter when the batch is through
 *	      48  u64 len	of what follows
 *	      56  u32 count	of changes
 *	      60  u32 crc	CRC32C of what follows
 *	      64  u32 zero
 *	      68  u32 crc	CRC32C of bytes 0 to 67
 *
 * then changes: u32 what (1: put, 2: delete), u32 kind, u32 flags, u32 zero, u64 seq, u64 file_id, u32 len of store, bucket, key,
 * from_bucket, from_key and detail, and these six, each with a NUL behind it that its len does not count.
 *
 * A batch that was tried twice, because the disk was full, stands there twice under one number. What cannot be read is left out
 * and told, unless it is the log's torn end, which a kill leaves. It may be lost: an append that fails empties it.
 */
#include "fs/journal_private.h"

#include "backends/base/fault.h"
#include "backends/base/fileio.h"
#include "backends/base/hash.h"
#include "backends/base/log.h"
#include "fs/durable.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <uthash.h>

#define MIRROR_FILE	 "journal.mirror"
#define MIRROR_MAGIC	 0x424d4a53u
#define MIRROR_BATCH	 1u
#define MIRROR_ALL	 2u
#define MIRROR_SOME	 3u
#define MIRROR_PUT	 1u
#define MIRROR_DELETE	 2u
#define MIRROR_MOST	 (256u << 20) /* bytes of the file: beyond, it is emptied */
#define MIRROR_ALL_MOST	 (8u << 20)   /* bytes of all rows: beyond, they are left to the database alone */
#define MIRROR_BAD_MOST	 64u	      /* records with a good head and bad content, after which the rest is not looked at */
#define MIRROR_TEXTS	 6u
#define WAL_SALT_AT	 16 /* SQLite's file format, https://sqlite.org/fileformat2.html#walformat, 2026-11-23 */

struct mirror_head {
	uint32_t magic, what;
	uint64_t number, boot, salt, frames, reserved, len;
	uint32_t count, body_crc, zero, head_crc;
};
struct mirror_change {
	uint32_t what, kind, flags, zero;
	uint64_t seq, file_id;
	uint32_t len[MIRROR_TEXTS];
};
_Static_assert(sizeof(struct mirror_head) == 72 && sizeof(struct mirror_change) == 56, "sizes on disk");

/* ---- writing ---- */

static int mirror_add(struct buf *into, const struct journal_row *row, bool is_delete)
{
	struct str texts[MIRROR_TEXTS] = { str_of(row->store), str_of(row->bucket), str_of(row->key), str_of(row->from_bucket),
					   str_of(row->from_key), row->detail };
	struct mirror_change c = { .what = htole32(is_delete ? MIRROR_DELETE : MIRROR_PUT), .kind = htole32(row->kind),
				   .flags = htole32(row->flags), .seq = htole64(row->seq), .file_id = htole64(row->file_id) };
	int r;

	for (size_t i = 0; i < MIRROR_TEXTS; i++)
		c.len[i] = htole32((uint32_t)texts[i].len);
	r = buf_add(into, &c, sizeof(c));
	for (size_t i = 0; i < MIRROR_TEXTS && r == 0; i++) {
		if (texts[i].len)
			r = buf_add(into, texts[i].ptr, texts[i].len);
		if (r == 0)
			r = buf_addc(into, '\0');
	}
	return r;
}

static int mirror_begin_record(struct buf *into)
{
	static const struct mirror_head room;

	buf_clear(into);
	return buf_add(into, &room, sizeof(room));
}

static void mirror_end_record(const struct journal_db *db, uint64_t reserved, struct buf *record, uint32_t what, uint32_t count)
{
	size_t len = record->len - sizeof(struct mirror_head);
	struct mirror_head h = { .magic = htole32(MIRROR_MAGIC), .what = htole32(what), .number = htole64(db->mirror.number),
				 .boot = htole64(durable_boot()), .salt = htole64(db->mirror.salt),
				 .frames = htole64(db->mirror.salt ? db->wal_frames : 0),
				 .reserved = htole64(reserved), .len = htole64(len), .count = htole32(count) };

	h.body_crc = htole32(hash_crc32c(0, record->data + sizeof(h), len));
	h.head_crc = htole32(hash_crc32c(0, &h, offsetof(struct mirror_head, head_crc)));
	memcpy(record->data, &h, sizeof(h));
}

/* What is in it may lack a batch from now on: it is empty until it is begun anew. */
static void mirror_give_up(struct journal_mirror *m, const char *why)
{
	log_warn("journal.mirror", "what='no second record of the journal for a while' error='%s'", why);
	m->is_given_up = true;
	m->bytes = 0;
	if (ftruncate(m->fd, 0) < 0)
		log_error("journal.mirror", "what='cannot be emptied' error='%s'", strerror(errno));
}

static void mirror_write(struct journal_mirror *m, const struct buf *record)
{
	ssize_t n;

	do
		n = write(m->fd, record->data, record->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)record->len)
		m->bytes += record->len;
	else
		mirror_give_up(m, n < 0 ? strerror(errno) : "no room");
}

/* A WAL that was begun anew has another salt. Only a checkpoint makes way for that, so that it need not be read each time. */
void journal_mirror_committed(struct journal_db *db)
{
	struct journal_mirror *m = &db->mirror;
	uint64_t salt;

	if (m->fd < 0 || db->wal_fd < 0)
		return;
	if (!atomic_exchange(&m->is_salt_old, false) && !atomic_load(&m->is_checkpointing) && m->salt)
		return;
	if (fileio_pread_all(db->wal_fd, &salt, sizeof(salt), WAL_SALT_AT) == 0)
		m->salt = salt;
	else
		mirror_give_up(m, "the WAL cannot be read");
}

void journal_mirror_append(struct journal_db *db, const struct journal_op *ops, uint64_t reserved)
{
	struct journal_mirror *m = &db->mirror;
	uint32_t count = 0;
	int r;

	if (m->fd < 0 || m->is_given_up)
		return;
	m->record.limit = MIRROR_MOST;
	r = mirror_begin_record(&m->record);
	for (const struct journal_op *op = ops; op && r == 0; op = op->next, count++)
		r = mirror_add(&m->record, op->is_delete ? &(struct journal_row){ .seq = op->row.seq } : &op->row, op->is_delete);
	if (r < 0 || m->bytes + m->record.len > MIRROR_MOST) {
		mirror_give_up(m, r == -ENOMEM ? "no memory" : "too long");
		return;
	}
	m->number++;
	mirror_end_record(db, reserved, &m->record, MIRROR_BATCH, count);
	FAULT_POINT("journal-mirror-before");
	mirror_write(m, &m->record);
	FAULT_POINT("journal-mirror-after");
}

struct mirror_all {
	struct buf record;
	uint32_t count;
};

static int mirror_add_row(void *arg, const struct journal_row *row, struct error *err)
{
	struct mirror_all *all = arg;

	if (mirror_add(&all->record, row, false) < 0)
		return error_set(err, ERR_TOO_LARGE, "too many rows");
	all->count++;
	return 0;
}

void journal_mirror_renew(struct journal_db *db)
{
	struct journal_mirror *m = &db->mirror;
	struct mirror_all all = { .record = BUF_INIT(MIRROR_ALL_MOST) };
	bool has_all;

	if (m->fd < 0)
		return;
	m->salt = db->wal_frames = 0;
	has_all = mirror_begin_record(&all.record) == 0 &&
		  journal_each_of(db->db, JOURNAL_BAD_FAIL, mirror_add_row, &all, NULL) == 0;
	FAULT_POINT("journal-mirror-renew");
	m->is_given_up = ftruncate(m->fd, 0) < 0;
	m->bytes = 0;
	if (has_all && !m->is_given_up) {
		mirror_end_record(db, db->reserved_seq, &all.record, m->is_lossy ? MIRROR_SOME : MIRROR_ALL, all.count);
		mirror_write(m, &all.record);
	}
	FAULT_POINT("journal-mirror-renewed");
	buf_release(&all.record);
	buf_release(&m->record); /* it may have grown */
}

void journal_mirror_open(const char *dir, struct journal_mirror *m)
{
	CLEANUP(freep) char *path = str_format("%s/" MIRROR_FILE, dir);
	CLEANUP(closep) int fd = -1;
	struct stat st;

	for (int attempt = 0; attempt < 2 && path && fd < 0; attempt++) {
		fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
			closep(&fd);
		if (fd < 0 && unlink(path) < 0) /* no file of ours */
			break;
	}
	if (fd < 0) {
		log_warn("journal.mirror", "what='there is no second record of the journal' error='%s'", strerror(errno));
		return;
	}
	m->bytes = (uint64_t)st.st_size;
	m->fd = steal_fd(&fd);
}

void journal_mirror_close(struct journal_mirror *m)
{
	closep(&m->fd);
	buf_release(&m->record);
}

/* ---- reading ---- */

struct mirror_record {
	uint32_t what, count;
	uint64_t number, salt, frames, reserved;
	bool is_of_this_boot;
	bool follows_damage;
	struct str body;
};

struct mirror_log {
	struct buf bytes;
	struct mirror_record *records;
	size_t count, capacity;
	bool ends_damaged; /* not merely torn */
	bool is_missing;   /* which no kill explains, once there is a database */
};

static void mirror_log_release(struct mirror_log *log)
{
	buf_release(&log->bytes);
	free(log->records);
}

enum mirror_found { MIRROR_GOOD, MIRROR_TORN, MIRROR_BAD, MIRROR_BAD_BODY };

static enum mirror_found mirror_look(struct str at, struct mirror_record *ret)
{
	struct mirror_head h;
	uint64_t len;

	if (at.len < sizeof(h))
		return MIRROR_TORN;
	memcpy(&h, at.ptr, sizeof(h));
	if (le32toh(h.magic) != MIRROR_MAGIC ||
	    le32toh(h.head_crc) != hash_crc32c(0, &h, offsetof(struct mirror_head, head_crc)))
		return MIRROR_BAD;
	len = le64toh(h.len);
	if (len > at.len - sizeof(h))
		return MIRROR_TORN;
	if (le32toh(h.body_crc) != hash_crc32c(0, at.ptr + sizeof(h), len))
		return MIRROR_BAD_BODY;
	*ret = (struct mirror_record){ .what = le32toh(h.what), .count = le32toh(h.count), .number = le64toh(h.number),
				       .salt = le64toh(h.salt), .frames = le64toh(h.frames), .reserved = le64toh(h.reserved),
				       .is_of_this_boot = le64toh(h.boot) == durable_boot(),
				       .body = { at.ptr + sizeof(h), len } };
	return ret->number < JOURNAL_SEQ_MAX && ret->frames < JOURNAL_SEQ_MAX && ret->what >= MIRROR_BATCH && ret->what <= MIRROR_SOME ? MIRROR_GOOD : MIRROR_BAD;
}

static int mirror_keep(struct mirror_log *log, const struct mirror_record *record)
{
	if (log->count == log->capacity) {
		size_t capacity = log->capacity ? 2 * log->capacity : 64;
		struct mirror_record *grown = reallocarray(log->records, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		log->records = grown;
		log->capacity = capacity;
	}
	log->records[log->count++] = *record;
	return 0;
}

/* The records that are good; a byte is passed over at a time where there is none. */
static int mirror_split(struct mirror_log *log)
{
	struct str rest = buf_str(&log->bytes);
	unsigned bad_bodies = 0;
	bool is_damaged = false;

	while (rest.len && bad_bodies < MIRROR_BAD_MOST) {
		struct mirror_record record;
		enum mirror_found found = mirror_look(rest, &record);
		size_t step = 1;

		if (found == MIRROR_TORN && !is_damaged)
			return 0; /* by a kill: its transaction was not begun */
		if (found == MIRROR_GOOD) {
			record.follows_damage = is_damaged;
			if (mirror_keep(log, &record) < 0)
				return -ENOMEM;
			step = sizeof(struct mirror_head) + record.body.len;
		}
		bad_bodies += found == MIRROR_BAD_BODY;
		is_damaged = found != MIRROR_GOOD;
		rest.ptr += step;
		rest.len -= step;
	}
	log->ends_damaged = is_damaged || rest.len;
	return 0;
}

/* An unreadable file counts as one that is damaged all over. */
static int mirror_load(const char *dir, struct mirror_log *log, struct error *err)
{
	CLEANUP(freep) char *path = str_format("%s/" MIRROR_FILE, dir);
	struct error why = ERROR_INIT;
	int r = path ? fileio_read_file(path, &log->bytes, &why) : -ENOMEM;

	if (r < 0 && why.kind != ERR_NO_MEMORY && path) {
		log->is_missing = why.kind == ERR_NOT_FOUND;
		log->ends_damaged = !log->is_missing;
		return 0;
	}
	if (r == 0)
		r = mirror_split(log);
	return r < 0 ? error_set(err, ERR_NO_MEMORY, "no memory to read the second record of the journal") : 0;
}

static bool mirror_next_text(struct str *rest, uint32_t len, struct str *ret)
{
	if (len >= rest->len || rest->ptr[len] != '\0')
		return false;
	*ret = (struct str){ rest->ptr, len };
	rest->ptr += len + 1;
	rest->len -= len + 1;
	return true;
}

/* False: it makes no sense, though its checksum is right. */
static bool mirror_next_change(struct str *rest, struct journal_row *ret, bool *ret_is_delete)
{
	struct str texts[MIRROR_TEXTS];
	struct mirror_change c;

	if (rest->len < sizeof(c))
		return false;
	memcpy(&c, rest->ptr, sizeof(c));
	rest->ptr += sizeof(c);
	rest->len -= sizeof(c);
	for (size_t i = 0; i < MIRROR_TEXTS; i++)
		if (!mirror_next_text(rest, le32toh(c.len[i]), &texts[i]) ||
		    (i + 1 < MIRROR_TEXTS && strlen(texts[i].ptr) != texts[i].len))
			return false;
	*ret = (struct journal_row){ .seq = le64toh(c.seq), .kind = le32toh(c.kind), .flags = le32toh(c.flags),
				     .file_id = le64toh(c.file_id), .store = texts[0].ptr, .bucket = texts[1].ptr,
				     .key = texts[2].ptr, .from_bucket = texts[3].ptr, .from_key = texts[4].ptr,
				     .detail = texts[5] };
	*ret_is_delete = le32toh(c.what) == MIRROR_DELETE;
	return (*ret_is_delete || le32toh(c.what) == MIRROR_PUT) && ret->seq > 0 && ret->seq < JOURNAL_SEQ_MAX &&
	       ret->file_id < JOURNAL_SEQ_MAX;
}

/* SQLite's code. What makes no sense ends the record. */
static int mirror_apply(struct journal_db *db, const struct mirror_record *record, uint64_t *changes)
{
	struct str rest = record->body;
	int code = SQLITE_OK;

	for (uint32_t i = 0; i < record->count && code == SQLITE_OK; i++) {
		struct journal_row row;
		bool is_delete;

		if (!mirror_next_change(&rest, &row, &is_delete))
			break;
		(*changes)++;
		if (is_delete) {
			code = journal_delete_row(db, row.seq);
			continue;
		}
		(void)journal_note_row(&db->next_seq, &row, NULL);
		code = journal_put_row(db, &row);
	}
	return code;
}

/* Where the WAL ends for SQLite. */
struct mirror_end {
	uint64_t salt, frames;
	bool is_empty; /* the file: nothing of it was lost by damage to it */
};

static struct mirror_end mirror_wal_end(const char *path, struct journal_db *db)
{
	CLEANUP(freep) char *wal = str_format("%s-wal", path);
	CLEANUP(closep) int fd = wal ? open(wal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct mirror_end end = { 0 };
	int frames = 0, done;
	struct stat st;

	/* Tells how many frames are good; moving them on does no harm. */
	if (sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done) == SQLITE_OK && frames > 0 &&
	    fd >= 0 && fileio_pread_all(fd, &end.salt, sizeof(end.salt), WAL_SALT_AT) == 0)
		end.frames = (uint64_t)frames;
	end.is_empty = fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0;
	return end;
}

/* How the log stands to the database. */
struct mirror_plan {
	size_t first, end; /* the records to carry out */
	bool is_all;	   /* they tell of all rows there are */
	bool has_gap;	   /* a batch is missing that the database does not have either */
};

/* Whether a record goes on from the one before it. A batch that was tried twice has its number plus one, too. */
static bool mirror_follows(const struct mirror_log *log, size_t i)
{
	return i > 0 && !log->records[i].follows_damage && log->records[i].number == log->records[i - 1].number + 1;
}

/* The first record that the database does not have. With nothing in the WAL all of them are taken: a good one was lost, or the log
 * was to be begun anew just now. */
static size_t mirror_first_missing(const struct mirror_log *log, const struct mirror_end *end)
{
	size_t i = log->count;

	if (end->frames == 0)
		return 0;
	while (i > 0 && log->records[i - 1].salt != end->salt) /* of a WAL that came later, and is gone */
		i--;
	if (i == 0) /* what is there began this WAL, or came before it */
		return log->count;
	while (i > 0 && log->records[i - 1].salt == end->salt && log->records[i - 1].frames >= end->frames)
		i--;
	return i;
}

static struct mirror_plan mirror_plan(const struct mirror_log *log, const struct mirror_end *end, bool is_rescued)
{
	struct mirror_plan plan = { .first = is_rescued ? 0 : mirror_first_missing(log, end), .end = log->count };
	bool is_whole = true;

	for (size_t i = plan.first; i < log->count; i++) {
		const struct mirror_record *r = &log->records[i];
		bool follows = i > plan.first	   ? mirror_follows(log, i) :
			       r->what != MIRROR_BATCH ? true :
			       is_rescued	   ? false :
						     r->frames == end->frames && (r->frames == 0 || r->salt == end->salt);

		if (follows)
			continue;
		is_whole = false;
		if (r->is_of_this_boot)
			continue;
		/* After a restart of the system any part may be missing of what was never synced: that is no damage. */
		if (!is_rescued)
			plan.end = i;
		break;
	}
	is_whole &= !log->ends_damaged;
	plan.is_all = is_whole && plan.first < plan.end && log->records[plan.first].what == MIRROR_ALL;
	plan.has_gap = is_rescued ? !plan.is_all :
		       !is_whole && plan.first < log->count && log->records[plan.first].is_of_this_boot;
	return plan;
}

static int mirror_carry_out(struct journal_db *db, const struct mirror_log *log, const struct mirror_plan *plan, uint64_t *changes,
			    struct error *err)
{
	int code = journal_step(db->begin);

	for (size_t i = plan->first; i < plan->end && code == SQLITE_OK; i++)
		code = mirror_apply(db, &log->records[i], changes);
	if (code == SQLITE_OK)
		code = journal_step(db->commit);
	FAULT_POINT("journal-mirror-replayed");
	return code == SQLITE_OK ? 0 : journal_error(db->db, code, "write", err);
}

int journal_mirror_replay(const char *dir, const char *path, struct journal_db *db, enum journal_loss loss,
			  struct journal_replay *ret, struct error *err)
{
	CLEANUP(mirror_log_release) struct mirror_log log = { .bytes = BUF_INIT(MIRROR_MOST) };
	struct mirror_end end;
	struct mirror_plan plan;
	bool is_rescued = loss != JOURNAL_LOSS_NONE;
	int r = mirror_load(dir, &log, err);

	*ret = (struct journal_replay){ 0 };
	if (r < 0)
		return r;
	if (loss == JOURNAL_LOSS_OLD && log.count && log.records[0].what == MIRROR_SOME)
		is_rescued = false; /* it was begun after that */
	if (log.count && !is_rescued && db->reserved_seq > log.records[log.count - 1].reserved)
		return 0;
	end = mirror_wal_end(path, db);
	plan = mirror_plan(&log, &end, is_rescued);
	ret->has_none = !log.count && (log.is_missing || log.ends_damaged);
	ret->last_number = log.count ? log.records[log.count - 1].number : 0;
	ret->is_renewed = !is_rescued && log.count == 1 && log.records[0].what == MIRROR_ALL && !log.ends_damaged && !end.frames;
	if (ret->is_renewed)
		return 0;
	for (size_t i = plan.first; i < plan.end; i++)
		ret->batches += log.records[i].what == MIRROR_BATCH;
	ret->is_all = plan.is_all;
	ret->has_gap = plan.has_gap;
	ret->is_cut_off = end.is_empty;
	return plan.first < plan.end ? mirror_carry_out(db, &log, &plan, &ret->changes, err) : 0;
}

/* ---- asking, with nothing opened ---- */

struct mirror_row {
	uint64_t seq;
	UT_hash_handle hh;
};

/* False without memory. */
static bool mirror_note(struct mirror_row **rows, uint64_t seq, bool is_delete)
{
	struct mirror_row *row;

	HASH_FIND(hh, *rows, &seq, sizeof(seq), row);
	if (row && is_delete) {
		HASH_DEL(*rows, row);
		free(row);
	} else if (!row && !is_delete) {
		row = calloc(1, sizeof(*row));
		if (!row)
			return false;
		row->seq = seq;
		HASH_ADD(hh, *rows, seq, sizeof(row->seq), row);
	}
	return true;
}

size_t journal_mirror_rows(const char *dir)
{
	CLEANUP(mirror_log_release) struct mirror_log log = { .bytes = BUF_INIT(MIRROR_MOST) };
	struct mirror_row *rows = NULL, *row, *next;
	size_t count;

	if (mirror_load(dir, &log, NULL) < 0)
		return 0;
	for (size_t i = 0; i < log.count; i++) {
		struct str rest = log.records[i].body;

		for (uint32_t n = 0; n < log.records[i].count; n++) {
			struct journal_row change;
			bool is_delete;

			if (!mirror_next_change(&rest, &change, &is_delete) || !mirror_note(&rows, change.seq, is_delete))
				break;
		}
	}
	count = HASH_COUNT(rows);
	HASH_ITER(hh, rows, row, next) {
		HASH_DEL(rows, row);
		free(row);
	}
	return count;
}
