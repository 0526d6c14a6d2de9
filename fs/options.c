#include "fs/options.h"

#include "backends/base/fileio.h"
#include "backends/base/log.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>

#define OPTIONS_DAY_MS	  (24ull * 3600 * 1000)
#define OPTIONS_KEY_MAX	  64 /* longer words are no key of ours, and not compared with any */
#define OPTIONS_VALUE_MAX 4096
#define OPTIONS_LIST_MAX  (64 << 10)
#define OPTIONS_ID_MAX	  (UINT32_MAX - 1ull) /* (uid_t)-1 means "none" to the kernel */

#define ROW(name, field, kind, allowed, preset, low, high, text)                                   \
	{                                                                                          \
		.key = (name), .values = (allowed), .standard = (preset), .help = (text),          \
		.type = FS_OPTION_##kind, .offset = offsetof(struct fs_options, field),            \
		.min = (low), .max = (high)                                                        \
	}

const struct fs_option_row fs_option_rows[] = {
	ROW("cache-dir", cache_dir, PATH, "DIR", "~/.cache/skydir", 0, 0,
	    "where cached and not yet uploaded data is kept; one mount per directory"),
	ROW("cache-size", cache_size, SIZE, "SIZE", "10G", 1 << 20, 1ull << 60,
	    "most bytes the cache may take; what is not uploaded is never dropped for it"),
	ROW("free-space-floor", free_space_floor, SIZE, "SIZE", "1G", 0, 1ull << 60,
	    "bytes the cache leaves free on its disk"),
	ROW("upload-delay", upload_delay_ms, DURATION, "TIME", "1s", 0, OPTIONS_DAY_MS,
	    "how long a closed file rests before its upload starts"),
	ROW("uploads", uploads, COUNT, "COUNT", "16", 1, 256, "uploads at the same time"),
	ROW("max-connections", max_connections, COUNT, "COUNT", "32", 1, 1024,
	    "requests for reading and for metadata at the same time"),
	ROW("part-size", part_size, SIZE, "SIZE", "8M", 1 << 20, 5ull << 30,
	    "size of one part of a big upload or download"),
	ROW("read-ahead", read_ahead, SIZE, "SIZE", "256M", 0, 16ull << 30,
	    "most bytes fetched ahead of a sequential reader; 0 turns it off"),
	ROW("meta-ttl", meta_ttl_ms, DURATION, "TIME", "60s", 0, 365 * OPTIONS_DAY_MS,
	    "how long a listing or the attributes of a file are believed"),
	ROW("timeout", timeout_ms, DURATION, "TIME", "30s", 1000, 3600 * 1000,
	    "how long a call waits for the network before it fails"),
	ROW("writeback", writeback, BOOL, "yes|no", "yes", 0, 0,
	    "answer writes once they are safe here; no: when the cloud has them"),
	ROW("fsync", is_fsync_remote, CHOICE, "local|remote", "local", 0, 0,
	    "what fsync waits for: the local disk or the cloud"),
	ROW("attrs", attrs_exact, CHOICE, "default|exact", "default", 0, 0,
	    "exact: ask for mode, owner and time of files that a listing shows first"),
	ROW("consistency", is_strict, CHOICE, "ttl|strict", "ttl", 0, 0,
	    "strict: ask the cloud at each open and lookup, whatever meta-ttl says"),
	ROW("on-conflict", on_conflict, CHOICE, "keep-both|overwrite|fail", "keep-both", 0, 0,
	    "what happens when a file changed in the cloud while it was written here"),
	ROW("ro", read_only, BOOL, "yes|no", "no", 0, 0, "allow no change"),
	ROW("allow-other", allow_other, BOOL, "yes|no", "no", 0, 0,
	    "let other users in (needs user_allow_other in /etc/fuse.conf)"),
	ROW("xattrs", use_xattrs, BOOL, "yes|no", "yes", 0, 0, "offer extended attributes"),
	ROW("passthrough", is_passthrough_off, CHOICE, "auto|no", "auto", 0, 0,
	    "let the kernel read and write complete cache files by itself, where it can"),
	ROW("direct-io", direct_io, SIZE, "SIZE", "0", 0, 1ull << 60,
	    "objects of this size and more are read past the kernel's cache as long as they are not complete here; 0: none"),
	ROW("uid", uid, USER, "USER", "the mounting user", 0, 0, "owner of files that carry none"),
	ROW("gid", gid, GROUP, "GROUP", "the mounting user's group", 0, 0,
	    "group of files that carry none"),
	ROW("file-mode", file_mode, MODE, "OCTAL", "0644", 0, 07777,
	    "mode of files that carry none"),
	ROW("dir-mode", dir_mode, MODE, "OCTAL", "0755", 0, 07777,
	    "mode of directories that carry none"),
	ROW("log-level", log_level, LEVEL, "error|warn|info|debug", "info", 0, 0,
	    "how much is logged"),
	ROW("log-file", log_file, PATH, "FILE", "stderr, in the background syslog", 0, 0,
	    "append the log to this file"),
	{0},
};

/* For libfuse and the kernel; those that end in '=' take a value. */
static const char *const options_passed_on[] = {
	"suid",		"nosuid",   "dev",	    "nodev",
	"exec",		"noexec",   "async",	    "sync",
	"dirsync",	"atime",    "noatime",	    "default_permissions",
	"fsname=",	"subtype=", "auto_unmount", "allow_root",
	"max_read=",	"context=", "fscontext=",   "defcontext=",
	"rootcontext=", NULL,
};

/* mount(8)'s own: they say when to mount, not how. */
static const char *const options_of_mount[] = {
	"defaults",    "auto",		"noauto",   "user",	  "nouser",   "users",
	"owner",       "group",		"nofail",   "_netdev",	  "relatime", "norelatime",
	"strictatime", "nostrictatime", "lazytime", "nolazytime", "diratime", "nodiratime",
	"silent",      "loud",		"nomand",   NULL,
};
static const char *const options_of_mount_prefixes[] = {
	"x-", "X-", "comment=", "user=", "uhelper=", "helper=", NULL};

static int options_no_memory(struct error *err)
{
	return error_set(err, ERR_NO_MEMORY, "no memory for the options");
}

/* A key as it is looked up: '_' counts as '-', so that allow_other and allow-other are one. */
static bool options_key_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b))
			return false;
	}
	return *a == *b;
}

/* Insertions, deletions, changes and swaps of neighbours that make b from a; both at most
 * OPTIONS_KEY_MAX long. */
static unsigned options_distance(const char *a, const char *b)
{
	unsigned row[3][OPTIONS_KEY_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = row[i % 3], *above = row[(i + 2) % 3], *above2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a_len % 3][b_len];
}

static int options_unknown(const char *key, const char *origin, struct error *err)
{
	const char *best = NULL;
	unsigned best_distance = UINT_MAX;

	if (strlen(key) <= OPTIONS_KEY_MAX) {
		for (const struct fs_option_row *row = fs_option_rows; row->key; row++) {
			unsigned distance = options_distance(key, row->key);

			if (distance < best_distance) {
				best = row->key;
				best_distance = distance;
			}
		}
	}
	if (best && best_distance <= 1 + strlen(best) / 4 && best_distance < strlen(best))
		return error_set(err, ERR_CONFIG, "%s: unknown option '%s' (did you mean '%s'?)",
				 origin, key, best);
	return error_set(err, ERR_CONFIG, "%s: unknown option '%.64s'", origin, key);
}

static int options_bad(const struct fs_option_row *row, const char *value, const char *origin,
		       struct error *err)
{
	if (row->type == FS_OPTION_SIZE || row->type == FS_OPTION_COUNT)
		return error_set(err, ERR_CONFIG, "%s: %s: '%.64s' is not a %s from %llu to %llu",
				 origin, row->key, value,
				 row->type == FS_OPTION_SIZE ? "size (like 512M or 10G)" : "number",
				 (unsigned long long)row->min, (unsigned long long)row->max);
	if (row->type == FS_OPTION_DURATION)
		return error_set(
			err, ERR_CONFIG,
			"%s: %s: '%.64s' is not a time (like 500ms, 30s or 5m) from %llu to "
			"%llu ms",
			origin, row->key, value, (unsigned long long)row->min,
			(unsigned long long)row->max);
	if (row->type == FS_OPTION_MODE)
		return error_set(err, ERR_CONFIG,
				 "%s: %s: '%.64s' is not an octal mode (like 0644)", origin,
				 row->key, value);
	if (row->type == FS_OPTION_USER || row->type == FS_OPTION_GROUP)
		return error_set(err, ERR_CONFIG, "%s: %s: there is no %s '%.64s'", origin,
				 row->key, row->type == FS_OPTION_USER ? "user" : "group", value);
	if (row->type == FS_OPTION_PATH)
		return error_set(err, ERR_CONFIG, "%s: %s: '%.64s' is not a path", origin, row->key,
				 value);
	return error_set(err, ERR_CONFIG, "%s: %s: '%.64s' is not one of %s", origin, row->key,
			 value, row->values);
}

static int options_id(const struct fs_option_row *row, const char *value, uint32_t *ret)
{
	char memory[16 << 10];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;
	uint64_t number;

	if (str_to_u64(str_of(value), &number) == 0) {
		*ret = (uint32_t)number;
		return number <= OPTIONS_ID_MAX ? 0 : -EINVAL;
	}
	if (row->type == FS_OPTION_USER) {
		(void)getpwnam_r(value, &user, memory, sizeof(memory), &found_user);
		if (found_user)
			*ret = found_user->pw_uid;
		return found_user ? 0 : -EINVAL;
	}
	(void)getgrnam_r(value, &group, memory, sizeof(memory), &found_group);
	if (found_group)
		*ret = found_group->gr_gid;
	return found_group ? 0 : -EINVAL;
}

static int options_mode(const struct fs_option_row *row, const char *value, uint32_t *ret)
{
	uint32_t mode = 0;

	if (!*value || strlen(value) > 6)
		return -EINVAL;
	for (; *value; value++) {
		if (*value < '0' || *value > '7')
			return -EINVAL;
		mode = mode << 3 | (uint32_t)(*value - '0');
	}
	*ret = mode;
	return mode <= row->max ? 0 : -EINVAL;
}

/* The index of value in "a|b|c", or -EINVAL. */
static int options_choice(const char *values, const char *value)
{
	struct str rest = str_of(values);

	for (int i = 0;; i++) {
		struct str word = str_split(&rest, '|');

		if (!word.ptr)
			return -EINVAL;
		if (str_equal(word, str_of(value)))
			return i;
	}
}

/* An absolute path: the daemon will not stay in the directory where the command was given. */
static int options_path(const char *value, char **ret)
{
	CLEANUP(freep) char *expanded = NULL;
	CLEANUP(freep) char *here = NULL;

	if (!*value)
		return -EINVAL;
	expanded = fileio_expand_home(value);
	if (!expanded)
		return -ENOMEM;
	if (expanded[0] != '/') {
		here = getcwd(NULL, 0);
		*ret = here ? str_format("%s/%s", here, expanded) : NULL;
	} else {
		*ret = steal(expanded);
	}
	return *ret ? 0 : -ENOMEM;
}

static int options_set_string(const struct fs_option_row *row, const char *value, char **field)
{
	enum log_level level;
	char *fresh = NULL;
	int r = 0;

	if (row->type == FS_OPTION_PATH) {
		r = options_path(value, &fresh);
	} else {
		r = log_level_from_name(value, &level) < 0 ? -EINVAL : 0;
		if (r == 0 && !(fresh = strdup(value)))
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	free(*field);
	*field = fresh;
	return 0;
}

/* Reads a value of the types that are one number; -EINVAL when it is none or out of bounds. */
static int options_number(const struct fs_option_row *row, const char *value, uint64_t *ret)
{
	struct str s = str_of(value);
	int r;

	if (row->type == FS_OPTION_SIZE)
		r = str_to_size(s, ret);
	else if (row->type == FS_OPTION_DURATION)
		r = str_to_duration(s, ret);
	else
		r = str_to_u64(s, ret);
	return r < 0 || *ret < row->min || *ret > row->max ? -EINVAL : 0;
}

static int options_set_field(void *field, const struct fs_option_row *row, const char *value)
{
	uint64_t number = 0;
	uint32_t id = 0;
	bool flag = false;
	int r;

	switch (row->type) {
	case FS_OPTION_BOOL:
		r = str_to_bool(str_of(value), &flag);
		if (r == 0)
			*(bool *)field = flag;
		return r;
	case FS_OPTION_SIZE:
	case FS_OPTION_DURATION:
		r = options_number(row, value, &number);
		if (r == 0)
			*(uint64_t *)field = number;
		return r;
	case FS_OPTION_COUNT:
		r = options_number(row, value, &number);
		if (r == 0)
			*(unsigned *)field = (unsigned)number;
		return r;
	case FS_OPTION_MODE:
	case FS_OPTION_USER:
	case FS_OPTION_GROUP:
		r = row->type == FS_OPTION_MODE ? options_mode(row, value, &id)
						: options_id(row, value, &id);
		if (r == 0)
			*(uint32_t *)field = id;
		return r;
	case FS_OPTION_PATH:
	case FS_OPTION_LEVEL:
		return options_set_string(row, value, field);
	case FS_OPTION_CHOICE:
		r = options_choice(row->values, value);
		if (r < 0)
			return r;
		if (row->offset == offsetof(struct fs_options, on_conflict))
			*(enum options_conflict *)field = (enum options_conflict)r;
		else
			*(bool *)field = r == 1;
		return 0;
	}
	return -EINVAL;
}

/* Appends "key" or "key=value" to what libfuse gets, with its escapes. */
static int options_pass_on(struct fs_options *o, const char *key, const char *value,
			   struct error *err)
{
	CLEANUP(buf_release) struct buf list = BUF_INIT(OPTIONS_LIST_MAX);
	int r = 0;

	if (o->passthrough_o)
		r = buf_addf(&list, "%s,", o->passthrough_o);
	if (r == 0)
		r = buf_adds(&list, key);
	if (r == 0 && value)
		r = buf_addc(&list, '=');
	for (; value && *value && r == 0; value++) {
		if (*value == ',' || *value == '\\')
			r = buf_addc(&list, '\\');
		if (r == 0)
			r = buf_addc(&list, *value);
	}
	if (r == -EFBIG)
		return error_set(err, ERR_CONFIG, "the mount options are too long");
	if (r < 0)
		return options_no_memory(err);
	free(o->passthrough_o);
	o->passthrough_o = buf_detach(&list);
	return o->passthrough_o ? 0 : options_no_memory(err);
}

/* Sets a word of libfuse's: 1 when it is one. */
static int options_try_pass_on(struct fs_options *o, const char *key, const char *value,
			       const char *origin, struct error *err)
{
	int r;

	for (const char *const *word = options_passed_on; *word; word++) {
		size_t len = strcspn(*word, "=");
		bool has_value = (*word)[len] == '=', is_on = true;

		if (strlen(key) != len || memcmp(key, *word, len) != 0)
			continue;
		if (has_value && (!value || !*value))
			return error_set(err, ERR_CONFIG, "%s: %s needs a value", origin, key);
		if (!has_value && value && str_to_bool(str_of(value), &is_on) < 0)
			return error_set(err, ERR_CONFIG, "%s: %s: '%.64s' is not one of yes|no",
					 origin, key, value);
		r = is_on ? options_pass_on(o, key, has_value ? value : NULL, err) : 0;
		return r < 0 ? r : 1;
	}
	return 0;
}

int fs_options_set(struct fs_options *o, const char *key, const char *value, const char *origin,
		   struct error *err)
{
	const struct fs_option_row *row = fs_option_rows;
	int r;

	while (row->key && !options_key_equal(row->key, key))
		row++;
	if (!row->key) {
		r = options_try_pass_on(o, key, value, origin, err);
		if (r != 0)
			return r < 0 ? r : 0;
		return options_unknown(key, origin, err);
	}
	if (!value && row->type != FS_OPTION_BOOL)
		return error_set(err, ERR_CONFIG, "%s: %s needs a value (%s)", origin, row->key,
				 row->values);
	if (value && strlen(value) > OPTIONS_VALUE_MAX)
		return error_set(err, ERR_CONFIG, "%s: %s: the value is too long", origin,
				 row->key);
	r = options_set_field((char *)o + row->offset, row, value ? value : "yes");
	if (r == -ENOMEM)
		return options_no_memory(err);
	if (r < 0)
		return options_bad(row, value ? value : "", origin, err);
	if (row->offset == offsetof(struct fs_options, cache_dir))
		o->is_cache_dir_explicit = true;
	return 0;
}

static bool options_is_of_mount(const char *word)
{
	for (const char *const *known = options_of_mount; *known; known++) {
		if (strcmp(word, *known) == 0)
			return true;
	}
	for (const char *const *prefix = options_of_mount_prefixes; *prefix; prefix++) {
		if (str_starts(str_of(word), *prefix))
			return true;
	}
	return false;
}

static int options_set_word(struct fs_options *o, char *word, struct error *err)
{
	char *equals;

	if (!*word || options_is_of_mount(word))
		return 0;
	if (strcmp(word, "rw") == 0) {
		o->read_only = false;
		return 0;
	}
	equals = strchr(word, '=');
	if (equals)
		*equals = '\0';
	return fs_options_set(o, word, equals ? equals + 1 : NULL, "-o", err);
}

int fs_options_parse(struct fs_options *o, const char *list, struct error *err)
{
	CLEANUP(buf_release) struct buf word = BUF_INIT(OPTIONS_LIST_MAX);
	int r = 0;

	for (;; list++) {
		if (*list == ',' || *list == '\0') {
			r = buf_addc(&word, '\0'); /* the word is never NULL, and ends here */
			if (r == 0)
				r = options_set_word(o, word.data, err);
			else
				break;
			if (r < 0 || *list == '\0')
				return r;
			buf_clear(&word);
			continue;
		}
		if (*list == '\\' && (list[1] == ',' || list[1] == '\\'))
			list++;
		r = buf_addc(&word, *list);
		if (r < 0)
			break;
	}
	return r == -EFBIG ? error_set(err, ERR_CONFIG, "-o: an option is too long")
			   : options_no_memory(err);
}

static int options_default_cache_dir(struct fs_options *o, struct error *err)
{
	const char *base = getenv("XDG_CACHE_HOME");

	/* The XDG specification says that a relative path there is to be ignored. */
	if (base && base[0] == '/')
		o->cache_dir = str_format("%s/skydir", base);
	else
		o->cache_dir = fileio_expand_home("~/.cache/skydir");
	return o->cache_dir ? 0 : options_no_memory(err);
}

int fs_options_init(struct fs_options *o, struct error *err)
{
	int r;

	*o = (struct fs_options){.uid = getuid(), .gid = getgid()};
	r = options_default_cache_dir(o, err);
	for (const struct fs_option_row *row = fs_option_rows; row->key && r == 0; row++) {
		if (row->type == FS_OPTION_PATH || row->type == FS_OPTION_USER ||
		    row->type == FS_OPTION_GROUP)
			continue; /* their standard is told in words */
		r = fs_options_set(o, row->key, row->standard, "default", err);
	}
	if (r < 0)
		fs_options_release(o);
	return r;
}

void fs_options_release(struct fs_options *o)
{
	free(o->cache_dir);
	free(o->log_level);
	free(o->log_file);
	free(o->passthrough_o);
	*o = (struct fs_options){0};
}
