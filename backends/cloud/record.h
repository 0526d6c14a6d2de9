#pragma once
/*
 * Purpose: one shape for the records of all providers: what an instance, a zone or a row looks like to the user,
 *	and how a driver fills it from its provider's own answer.
 *
 * A shape names the members, their kinds and the columns of a table; it belongs to the interface (compute.h). A
 * map names for each member where it stands in the provider's answer; it belongs to the driver. What the map does
 * not name is null in the record, so that every record of a shape has the same members.
 * Invariants: a member has the kind its shape says, whatever the provider sent, or is null.
 * Ownership: shapes and maps are static tables; records are the caller's to put.
 * Threads: any.
 */
#include "backends/base/json.h"

enum record_kind {
	RECORD_TEXT,   /* numbers and flags become text */
	RECORD_INT,    /* text that is a number too */
	RECORD_NUMBER, /* with a fraction */
	RECORD_BOOL,
	RECORD_TIME,   /* "2026-11-23T10:00:00.000Z" */
	RECORD_LIST,   /* an array; one value becomes an array of it */
	RECORD_OBJECT,
	RECORD_ANY,    /* whatever it is */
};
struct record_field {
	const char *name; /* "created" */
	enum record_kind kind;
	const char *help;
};
struct record_shape {
	const char *name;		   /* "instance" */
	const struct record_field *fields; /* ended by name NULL */
	const char *columns;		   /* of a table: "id,name,status" */
};

/* A provider's word and ours: { "ACTIVE", "running" }. Compared without case. */
struct record_word {
	const char *theirs, *ours;
};
struct record_source {
	const char *name; /* of the shape's member */
	/* Where it stands: "flavor.original_name"; several places, the first that is there: "a.b|c". "" is the whole. */
	const char *from;
	const struct record_word *words; /* ended by theirs NULL; what is in none becomes "unknown". NULL: as it is */
	/* Makes the value where a path is not enough: a new reference, or NULL for null. */
	struct json_object *(*make)(struct json_object *theirs);
};

/* map: ended by name NULL. With `raw`, the provider's own answer goes along as member "raw". */
enum record_raw { RECORD_PLAIN, RECORD_WITH_RAW };
int record_make(const struct record_shape *shape, const struct record_source *map, struct json_object *theirs,
		enum record_raw raw, struct json_object **ret, struct error *err) MUST_CHECK;
/* A value brought to a kind: a new reference, NULL for null. */
struct json_object *record_convert(enum record_kind kind, struct json_object *value);
/* The first of the places "a.b|c" that holds something; borrowed, NULL when none does. */
struct json_object *record_find(struct json_object *theirs, const char *places);
/* The JSON Schema of a shape: an object with these members, each or null. NULL without memory. */
struct json_object *record_schema(const struct record_shape *shape);
/* NULL when every name of the map is one of the shape's; else the first that is not. For tests. */
const char *record_stray_name(const struct record_shape *shape, const struct record_source *map);

/* "key=value" lists of tags, as some providers send them: [{k,v}...] into {k: v}; a new reference. */
struct json_object *record_tags(struct json_object *list, const char *key_name, const char *value_name);
