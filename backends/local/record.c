/*
 * The record of an object: an extended attribute "user.skydir.object" of its file, or, where the file system has none
 * (or has no room for it), the file ROOT/.skydir/side/INODE with the same bytes.
 *
 *	"skydir1\0" then strings ended by NUL, each one letter and its value:
 *	v version (32 hex digits)   i inode   s size   t mtime in ns   q sequence   f flags   (numbers are decimal)
 *	k hash of the key (hex)     c content type            m name=value, one for each entry of metadata
 *
 * A record is believed as it stands while inode, size and mtime are those of the file. When they are not, somebody
 * changed the file with other tools: its metadata is kept, and the version becomes a hash of the record's version and
 * of what the file looks like now, so that it changes with every such change and needs no write. One attribute holds
 * all, so that a change of metadata is atomic.
 */
#include "backends/base/fileio.h"
#include "backends/base/random.h"
#include "backends/local/local_impl.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define RECORD_XATTR	      "user.skydir.object"
#define RECORD_MAGIC	      "skydir1"
#define RECORD_META_COUNT_MAX 1024

void record_fresh_version(char ret[33])
{
	unsigned char id[16];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), ret);
}

static uint64_t key_hash(const char *key)
{
	return hash_table64(key, strlen(key), 0);
}

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static void side_name(ino_t ino, char ret[24])
{
	(void)snprintf(ret, 24, "%jx", (uintmax_t)ino);
}

void record_forget(struct local *l, const char *name, ino_t ino)
{
	char side[24];

	(void)name;
	side_name(ino, side);
	(void)unlinkat(l->side_fd, side, 0); /* mostly there is none */
}

static int read_side(struct local *l, ino_t ino, char *data, size_t size)
{
	char side[24];
	CLEANUP(closep) int fd = -1;
	ssize_t n;

	side_name(ino, side);
	fd = openat(l->side_fd, side, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, data, size);
	return n < 0 ? -errno : (int)n;
}

/* The bytes of the record: length, or negative. Most are small, so the first try is on the stack of the caller. */
static int read_raw(struct local *l, int fd, ino_t ino, char *data, size_t size, bool *ret_is_side)
{
	ssize_t n = l->uses_side_files ? -1 : fgetxattr(fd, RECORD_XATTR, data, size);

	*ret_is_side = false;
	if (n >= 0)
		return (int)n;
	if (!l->uses_side_files && errno == ERANGE)
		return -E2BIG;
	*ret_is_side = true;
	return read_side(l, ino, data, size);
}

static int add_meta(struct str value, struct arena *arena, struct record *ret)
{
	const char *equals = memchr(value.ptr, '=', value.len);
	struct store_meta *m;

	if (!equals || ret->meta_count >= RECORD_META_COUNT_MAX)
		return -EINVAL;
	/* Grown by doubling within the arena; what is left behind goes with it. */
	if (!(ret->meta_count & (ret->meta_count - 1))) {
		size_t room = ret->meta_count ? ret->meta_count * 2 : 1;

		m = arena_alloc(arena, room * sizeof(*m));
		if (!m)
			return -ENOMEM;
		if (ret->meta_count)
			memcpy(m, ret->meta, ret->meta_count * sizeof(*m));
		ret->meta = m;
	}
	m = &ret->meta[ret->meta_count];
	m->name = arena_strndup(arena, value.ptr, (size_t)(equals - value.ptr));
	m->value = arena_strndup(arena, equals + 1, (size_t)(value.ptr + value.len - equals - 1));
	if (!m->name || !m->value)
		return -ENOMEM;
	ret->meta_count++;
	return 0;
}

static int parse_field(struct str field, struct arena *arena, struct record *ret, uint64_t *ret_key)
{
	struct str value = { field.ptr + 1, field.len - 1 };
	uint64_t number = 0;
	int r = 0;

	switch (field.ptr[0]) {
	case 'v':
		if (value.len != 32)
			return -EINVAL;
		memcpy(ret->version, value.ptr, 32);
		return 0;
	case 'c':
		ret->content_type = arena_strndup(arena, value.ptr, value.len);
		return ret->content_type ? 0 : -ENOMEM;
	case 'm':
		return add_meta(value, arena, ret);
	case 't':
		return str_to_i64(value, &ret->mtime_ns);
	default:
		r = str_to_u64(value, &number);
	}
	if (r < 0)
		return r;
	switch (field.ptr[0]) {
	case 'i':
		ret->ino = number;
		return 0;
	case 's':
		ret->size = number;
		return 0;
	case 'q':
		ret->seq = number;
		return 0;
	case 'f':
		ret->flags = (unsigned)number;
		return 0;
	case 'k':
		*ret_key = number;
		return 0;
	default:
		return 0; /* of a later version of this program */
	}
}

static int parse(struct str text, struct arena *arena, struct record *ret, uint64_t *ret_key)
{
	struct str field = str_split(&text, '\0');

	if (!str_equal(field, str_of(RECORD_MAGIC)))
		return -EINVAL;
	while (text.ptr && text.len) {
		int r;

		field = str_split(&text, '\0');
		if (!field.len)
			return -EINVAL;
		r = parse_field(field, arena, ret, ret_key);
		if (r < 0)
			return r;
	}
	return ret->version[0] ? 0 : -EINVAL;
}

void record_derive(struct record *r, const struct stat *st)
{
	unsigned char digest[HASH_SHA256_LEN];
	char text[160];
	int n = snprintf(text, sizeof(text), "%s|%ju|%jd|%jd", r->version, (uintmax_t)st->st_ino,
			 (intmax_t)st->st_size, (intmax_t)mtime_ns(st));

	hash_sha256(text, (size_t)n, digest);
	hex_encode(digest, 16, r->version);
	r->size = (uint64_t)st->st_size;
	r->flags &= ~(unsigned)RECORD_APPENDING;
}

static int parse_or_derive(struct str text, const char *key, bool is_side, const struct stat *st,
			   struct arena *arena, struct record *ret)
{
	uint64_t key_of_record = 0;
	bool is_same;
	int r = text.len ? parse(text, arena, ret, &key_of_record) : -ENODATA;

	if (r == -ENOMEM)
		return r;
	is_same = r >= 0 && ret->ino == st->st_ino && ret->size == (uint64_t)st->st_size &&
		  ret->mtime_ns == mtime_ns(st);
	/* While bytes are being appended, and after an append that was cut off, the record's size is the truth. */
	if (r >= 0 && (ret->flags & RECORD_APPENDING) && ret->ino == st->st_ino &&
	    ret->size <= (uint64_t)st->st_size)
		is_same = true;
	/* A side file may be left from another file that had this inode. */
	if (r < 0 || (!is_same && is_side && key_of_record != key_hash(key)))
		*ret = (struct record){ 0 };
	memcpy(ret->id, ret->version, sizeof(ret->id));
	if (!is_same)
		record_derive(ret, st);
	return 0;
}

int record_read(struct local *l, int fd, const char *name, const struct stat *st,
		struct arena *arena, struct record *ret, struct error *err)
{
	CLEANUP(freep) char *large = NULL;
	struct record record = { 0 };
	char small[1024];
	char *data = small;
	bool is_side;
	int n = read_raw(l, fd, st->st_ino, small, sizeof(small), &is_side);
	int r;

	if (n == -E2BIG || n == (int)sizeof(small)) {
		data = large = malloc(LOCAL_RECORD_MAX);
		if (!large)
			return error_set(err, ERR_NO_MEMORY, "no memory for a record");
		n = read_raw(l, fd, st->st_ino, large, LOCAL_RECORD_MAX, &is_side);
	}
	if (n == -EIO)
		return error_errno(err, EIO, "the record of '%s'", name);
	r = parse_or_derive((struct str){ data, n > 0 ? (size_t)n : 0 }, name, is_side, st, arena,
			    &record);
	if (r < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the record of '%s'", name);
	*ret = record;
	return 0;
}

static int format(const struct record *r, const char *name, struct buf *out)
{
	int e = buf_addf(out,
			 "%s%cv%s%ci%" PRIu64 "%cs%" PRIu64 "%ct%" PRId64 "%cq%" PRIu64
			 "%cf%u%ck%" PRIu64 "%c",
			 RECORD_MAGIC, 0, r->version, 0, r->ino, 0, r->size, 0, r->mtime_ns, 0,
			 r->seq, 0, r->flags, 0, key_hash(name), 0);

	if (!e && r->content_type)
		e = buf_addf(out, "c%s%c", r->content_type, 0);
	for (size_t i = 0; !e && i < r->meta_count; i++)
		e = buf_addf(out, "m%s=%s%c", r->meta[i].name, r->meta[i].value, 0);
	return e;
}

static int write_side(struct local *l, ino_t ino, struct str data, struct error *err)
{
	CLEANUP(temp_release) struct temp t = TEMP_INIT;
	char side[24];
	int r = temp_open(l, &t, err);

	if (r < 0)
		return r;
	r = fileio_write_all(t.fd, data.ptr, data.len);
	if (r < 0)
		return error_errno(err, -r, "a record below '%s'", l->root);
	r = temp_sync(&t, err);
	if (r < 0)
		return r;
	side_name(ino, side);
	if (renameat(l->tmp_fd, t.name, l->side_fd, side) < 0)
		return error_errno(err, errno, "a record below '%s'", l->root);
	t.name[0] = '\0';
	return 0;
}

int record_write(struct local *l, int fd, const char *name, struct record *r, struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(LOCAL_RECORD_MAX);
	struct stat st;
	int e;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "'%s'", name);
	r->ino = st.st_ino;
	r->mtime_ns = mtime_ns(&st);
	if (!(r->flags & RECORD_APPENDING))
		r->size = (uint64_t)st.st_size;
	e = format(r, name, &text);
	if (e == -EFBIG)
		return error_set(err, ERR_TOO_LARGE, "too much metadata for '%s'", name);
	if (e < 0)
		return error_set(err, ERR_NO_MEMORY, "no memory for the record of '%s'", name);
	if (!l->uses_side_files && fsetxattr(fd, RECORD_XATTR, text.data, text.len, 0) == 0)
		return 0;
	/* The attribute must not win over the side file when both could be there. */
	if (!l->uses_side_files)
		(void)fremovexattr(fd, RECORD_XATTR); /* mostly there is none */
	return write_side(l, st.st_ino, buf_str(&text), err);
}

void record_to_object(const struct record *r, const struct stat *st, struct store_object *ret)
{
	*ret = (struct store_object){ .size = r->size,
				      .modified_wall_ns = mtime_ns(st),
				      .content_type = r->content_type,
				      .meta = r->meta,
				      .meta_count = r->meta_count,
				      .has_meta = true };
	memcpy(ret->version, r->version, sizeof(r->version));
}
