#pragma once
/*
 * Purpose: reading JSON (over json-c) that may be hostile, and small helpers to make it.
 * Invariants: depth at most 64, size at most what the caller says; invalid UTF-8 or trailing bytes are
 *	errors. Duplicate keys: the last one counts.
 * Ownership: json_parse gives a json_object the caller puts (CLEANUP(json_putp)).
 */
#include "backends/base/buf.h"
#include <json-c/json.h>

int json_parse(struct str text, size_t max_size, struct json_object **ret, struct error *err) MUST_CHECK;
void json_putp(struct json_object **o);

/* Path look-ups ("a.b.0.c"); each returns NULL or the fallback when absent or of another type.
 * Strings borrow from the object. */
struct json_object *json_get(struct json_object *o, const char *path);
const char *json_get_string(struct json_object *o, const char *path);
int64_t json_get_int64(struct json_object *o, const char *path, int64_t fallback);
bool json_get_bool(struct json_object *o, const char *path, bool fallback);
struct json_object *json_get_array(struct json_object *o, const char *path);
