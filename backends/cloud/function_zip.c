/*
 * The code of a function, packed (libzip). The same files give the same bytes: in the order of their names, all of one day,
 * and of two modes (a program may be run, anything else not).
 */
#include "backends/cloud/serverless.h"

#include "backends/base/fileio.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#define DOS_DATE   0x21 /* 1980-01-01, the first there is */
#define LINK_MAX   4096
#define DEPTH_MAX  64

struct pack {
	zip_t *zip;
	size_t root_len; /* of the paths that the walk gives, with the '/' behind */
	uint64_t bytes, count;
};

static int zip_failed(zip_error_t *why, const char *what, struct error *err)
{
	return error_set(err, ERR_IO, "cannot pack '%.150s': %.60s", what, zip_error_strerror(why));
}

static int check_name(const char *name, struct error *err)
{
	for (struct str s = str_of(name); s.len;) {
		size_t n = str_utf8_char(s);

		if (!n || (unsigned char)*s.ptr < 0x20 || *s.ptr == '\\')
			return error_set(err, ERR_INVALID, "'%.150s' cannot be packed: its name is no plain UTF-8", name);
		s = (struct str){ s.ptr + n, s.len - n };
	}
	return 0;
}

/* Takes the source. name "dir/" is a directory, which has none. */
static int add_entry(struct pack *p, const char *name, zip_source_t *source, mode_t mode, struct error *err)
{
	zip_int64_t at = source ? zip_file_add(p->zip, name, source, ZIP_FL_ENC_UTF_8) :
				  zip_dir_add(p->zip, name, ZIP_FL_ENC_UTF_8);

	if (at < 0) {
		zip_source_free(source);
		return zip_failed(zip_get_error(p->zip), name, err);
	}
	if (zip_file_set_dostime(p->zip, (zip_uint64_t)at, 0, DOS_DATE, 0) < 0 ||
	    zip_file_set_external_attributes(p->zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX, (zip_uint32_t)mode << 16) < 0)
		return zip_failed(zip_get_error(p->zip), name, err);
	return 0;
}

static int add_file(struct pack *p, const char *name, const char *path, const struct stat *st, struct error *err)
{
	zip_source_t *source;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	p->bytes += (uint64_t)st->st_size;
	if (p->bytes > FUNCTION_UNPACKED_MAX)
		return error_set(err, ERR_TOO_LARGE, "the code is larger than %u MiB unpacked", (unsigned)(FUNCTION_UNPACKED_MAX >> 20));
	source = zip_source_file(p->zip, path, 0, -1);
	if (!source)
		return zip_failed(zip_get_error(p->zip), name, err);
	return add_entry(p, name, source, S_IFREG | (st->st_mode & 0111 ? 0755 : 0644), err);
}

/* How deep below the root a link that stands `depth` directories deep leads at its shallowest; -1: out of it. */
static int lowest(const char *target, int depth)
{
	struct str rest = str_of(target), piece;
	int least = depth;

	if (*target == '/')
		return -1;
	while ((piece = str_split(&rest, '/')).ptr) {
		if (str_equal(piece, STR("..")))
			depth--;
		else if (piece.len && !str_equal(piece, STR(".")))
			depth++;
		if (depth < least)
			least = depth;
	}
	return least < 0 ? -1 : least;
}

static int add_link(struct pack *p, const char *name, const char *path, int depth, struct error *err)
{
	char target[LINK_MAX + 1], *copy;
	ssize_t len = readlink(path, target, sizeof target);
	zip_source_t *source;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	if (len < 0 || len > LINK_MAX)
		return error_errno(err, len < 0 ? errno : ENAMETOOLONG, "cannot read the link '%.150s'", name);
	target[len] = '\0';
	if (lowest(target, depth) < 0)
		return error_set(err, ERR_INVALID, "the link '%.150s' leads out of what is packed", name);
	copy = strdup(target);
	if (!copy)
		return error_no_memory(err);
	source = zip_source_buffer(p->zip, copy, (zip_uint64_t)len, 1 /* it frees copy */);
	if (!source) {
		free(copy);
		return zip_failed(zip_get_error(p->zip), name, err);
	}
	return add_entry(p, name, source, S_IFLNK | 0777, err);
}

static int add_found(struct pack *p, const FTSENT *e, struct error *err)
{
	const char *name = strlen(e->fts_path) > p->root_len ? e->fts_path + p->root_len : "";

	if (e->fts_info == FTS_DP || (e->fts_info == FTS_D && e->fts_level == 0))
		return 0;
	if (++p->count > FUNCTION_FILES_MAX)
		return error_set(err, ERR_TOO_LARGE, "the code has more than %d files", FUNCTION_FILES_MAX);
	if (e->fts_level > DEPTH_MAX)
		return error_set(err, ERR_TOO_LARGE, "'%.150s' is too deep", name);
	switch (e->fts_info) {
	case FTS_D:
		return check_name(name, err) < 0 ? -error_errnum(ERR_INVALID) : add_entry(p, name, NULL, S_IFDIR | 0755, err);
	case FTS_F:
		return add_file(p, name, e->fts_path, e->fts_statp, err);
	case FTS_SL:
	case FTS_SLNONE:
		return add_link(p, name, e->fts_path, e->fts_level - 1, err);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return error_errno(err, e->fts_errno, "cannot read '%.150s'", name);
	default:
		return error_set(err, ERR_INVALID, "'%.150s' is neither file, directory nor link", name);
	}
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_tree(struct pack *p, const char *path, struct error *err)
{
	CLEANUP(freep) char *root = str_dup(str_of(path));
	char *roots[] = { root, NULL };
	FTSENT *e;
	FTS *walk;
	int r = 0;

	if (!root)
		return error_no_memory(err);
	for (size_t len = strlen(root); len > 1 && root[len - 1] == '/';)
		root[--len] = '\0';
	p->root_len = strlen(root) + (strcmp(root, "/") ? 1 : 0);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	if (!walk)
		return error_errno(err, errno, "cannot read '%.150s'", path);
	while (r == 0 && (errno = 0, e = fts_read(walk)) != NULL)
		r = add_found(p, e, err);
	if (r == 0 && errno)
		r = error_errno(err, errno, "cannot read '%.150s'", path);
	(void)fts_close(walk); /* only read */
	return r;
}

static int too_large(uint64_t size, size_t max_bytes, struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "the code is %llu MiB packed, and at most %zu MiB may be sent (--location names a place where "
					     "it lies)",
			 (unsigned long long)(size >> 20), max_bytes >> 20);
}

static int take_bytes(zip_source_t *made, const char *path, size_t max_bytes, struct buf *ret, struct error *err)
{
	zip_stat_t st;
	zip_int64_t n;
	int r = 0;

	if (zip_source_stat(made, &st) < 0 || !(st.valid & ZIP_STAT_SIZE))
		return zip_failed(zip_source_error(made), path, err);
	if (st.size > max_bytes)
		return too_large(st.size, max_bytes, err);
	if (buf_reserve(ret, st.size) < 0)
		return error_no_memory(err);
	if (zip_source_open(made) < 0)
		return zip_failed(zip_source_error(made), path, err);
	n = zip_source_read(made, ret->data, st.size);
	if (n < 0 || (zip_uint64_t)n != st.size)
		r = zip_failed(zip_source_error(made), path, err);
	else
		ret->len = (size_t)n;
	(void)zip_source_close(made); /* only read */
	return r;
}

/* Packs what lies at path; st says what it is. */
static int pack(const char *path, const struct stat *st, size_t max_bytes, struct buf *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct pack p = { .zip = NULL };
	zip_error_t why;
	zip_source_t *made;
	int r;

	zip_error_init(&why);
	made = zip_source_buffer_create(NULL, 0, 0, &why);
	p.zip = made ? zip_open_from_source(made, ZIP_TRUNCATE, &why) : NULL;
	if (!p.zip) {
		zip_source_free(made);
		r = zip_failed(&why, path, err);
		zip_error_fini(&why);
		return r;
	}
	zip_source_keep(made); /* closing the archive lets go of it once */
	r = S_ISDIR(st->st_mode) ? add_tree(&p, path, err) : add_file(&p, slash ? slash + 1 : path, path, st, err);
	if (r == 0 && S_ISDIR(st->st_mode) && !p.count)
		r = error_set(err, ERR_INVALID, "there is nothing in '%.150s'", path);
	if (r == 0 && zip_close(p.zip) < 0)
		r = zip_failed(zip_get_error(p.zip), path, err);
	else if (r == 0)
		p.zip = NULL;
	if (p.zip)
		zip_discard(p.zip);
	if (r == 0)
		r = take_bytes(made, path, max_bytes, ret, err);
	zip_source_free(made);
	zip_error_fini(&why);
	return r;
}

static bool is_zip(struct str content)
{
	static const char magic[] = { 'P', 'K', 3, 4 };

	return content.len >= sizeof magic && !memcmp(content.ptr, magic, sizeof magic);
}

/* A zip that is too large is not packed once more: what runs it would find a zip in a zip. */
static int check_large(const char *path, const struct stat *st, size_t max_bytes, struct error *err)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char begin[4];
	int r = fd < 0 ? -errno : fileio_pread_all(fd, begin, sizeof begin, 0);

	if (r < 0)
		return error_errno(err, -r, "cannot read the code '%.150s'", path);
	return is_zip((struct str){ begin, sizeof begin }) ? too_large((uint64_t)st->st_size, max_bytes, err) : 0;
}

static int check_zip(const struct buf *b, const char *path, struct error *err)
{
	zip_error_t why;
	zip_source_t *source;
	zip_t *zip;
	int r = 0;

	zip_error_init(&why);
	source = zip_source_buffer_create(b->data, b->len, 0, &why);
	zip = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
	if (!zip) {
		zip_source_free(source);
		r = error_set(err, ERR_INVALID, "'%.150s' is a broken zip: %.60s", path, zip_error_strerror(&why));
	} else if (zip_get_num_entries(zip, 0) <= 0) {
		r = error_set(err, ERR_INVALID, "there is nothing in '%.150s'", path);
	}
	if (zip)
		zip_discard(zip);
	zip_error_fini(&why);
	return r;
}

int function_package(const char *path, size_t max_bytes, struct buf *ret, struct error *err)
{
	CLEANUP(buf_release) struct buf file = BUF_INIT(max_bytes);
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return error_errno(err, errno, "cannot read the code '%.150s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(err, ERR_INVALID, "the code '%.150s' is neither a file nor a directory", path);
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes) {
		r = check_large(path, &st, max_bytes, err);
		if (r < 0)
			return r;
	} else if (S_ISREG(st.st_mode)) {
		r = fileio_read_file(path, &file, err);
		if (r < 0)
			return r;
		if (is_zip(buf_str(&file))) {
			r = check_zip(&file, path, err);
			if (r == 0 && buf_add_str(ret, buf_str(&file)) < 0)
				r = error_no_memory(err);
			return r;
		}
	}
	return pack(path, &st, max_bytes, ret, err);
}
