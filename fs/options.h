#pragma once
/*
 * Purpose: the mount's options: one table from which the INI keys of [skydir], the -o options and the documentation come.
 * Errors: ERR_CONFIG with the origin (file:line, or "-o"), the key and what is allowed.
 */
#include "backends/base/buf.h"

enum options_conflict { OPTIONS_KEEP_BOTH, OPTIONS_OVERWRITE, OPTIONS_FAIL };
struct fs_options {
	char *cache_dir;	  /* expanded; default $XDG_CACHE_HOME/skydir */
	bool is_cache_dir_explicit;
	uint64_t cache_size;	  /* bytes; default 10G */
	uint64_t free_space_floor; /* bytes left free on the cache's disk; default 1G */
	uint64_t upload_delay_ms; /* 1s */
	unsigned uploads;	  /* parallel uploads; 16 */
	unsigned max_connections; /* parallel requests for reading and metadata; 32 */
	uint64_t part_size;	  /* 8M */
	uint64_t read_ahead;	  /* most bytes fetched ahead of a reader; 256M */
	uint64_t meta_ttl_ms;	  /* how long a listing or attribute is believed; 60s */
	uint64_t timeout_ms;	  /* 30s */
	bool writeback;		  /* yes */
	bool is_fsync_remote;	  /* fsync=local|remote */
	bool attrs_exact;	  /* attrs=default|exact */
	bool is_strict;		  /* consistency=ttl|strict */
	enum options_conflict on_conflict; /* keep-both|overwrite|fail */
	bool read_only;		  /* ro */
	bool allow_other;
	bool use_xattrs;	  /* xattrs=yes|no */
	bool is_passthrough_off;  /* passthrough=auto|no */
	uint64_t direct_io;	  /* objects from this size on are streamed past the kernel's cache; 0: none */
	uint32_t uid, gid;	  /* default: the mounting user's */
	uint32_t file_mode, dir_mode; /* octal; 0644, 0755 */
	char *log_level, *log_file;
	char *passthrough_o;	  /* options for libfuse/kernel itself (nosuid, dev, fsname=...), comma-joined, or NULL */
};
int fs_options_init(struct fs_options *o, struct error *err) MUST_CHECK; /* the defaults */
void fs_options_release(struct fs_options *o);
/* Sets one; a flag given without a value ("ro") has value NULL. Unknown keys: ERR_CONFIG with a did-you-mean. */
int fs_options_set(struct fs_options *o, const char *key, const char *value, const char *origin, struct error *err) MUST_CHECK;
/* "opt,opt=value,..." as after -o ("\\," is a comma in a value). mount(8)'s own words (rw, auto, noauto, user, nofail, _netdev, defaults, x-*) are accepted. */
int fs_options_parse(struct fs_options *o, const char *list, struct error *err) MUST_CHECK;

enum fs_option_type {
	FS_OPTION_BOOL,
	FS_OPTION_SIZE,	    /* uint64_t bytes */
	FS_OPTION_DURATION, /* uint64_t milliseconds */
	FS_OPTION_COUNT,    /* unsigned */
	FS_OPTION_MODE,	    /* uint32_t, octal */
	FS_OPTION_USER,	    /* uint32_t: a number or a name */
	FS_OPTION_GROUP,
	FS_OPTION_PATH,	    /* char *, ~ expanded, made absolute */
	FS_OPTION_LEVEL,    /* char *, a log level's name */
	FS_OPTION_CHOICE,   /* one of values, cut at '|': its index; bool or an enum */
};
struct fs_option_row {
	const char *key, *values, *standard, *help; /* "cache-size", "SIZE", "10G", "..." */
	/* How it is set: options.c's business. */
	enum fs_option_type type;
	size_t offset;	   /* of its field in struct fs_options */
	uint64_t min, max; /* of SIZE, DURATION, COUNT and MODE */
};
extern const struct fs_option_row fs_option_rows[]; /* ended by key NULL */
