#pragma once
/*
 * Purpose: functions that a cloud runs when they are called: what every driver does, how its records look, and how the code
 *	of a function is packed.
 *
 * The parameters of each slot are those of its row in control/ops_functions.c, named here after the slot. Status is one
 * vocabulary (see the shape); the provider's word stands in provider_status. The values of a function's environment may be
 * secrets: a record holds their names only, also where the provider's own answer goes along (function_hide).
 */
#include "backends/cloud/cloud.h"

struct http_response;

struct function_ops {
	struct cloud_slot functions_list;
	struct cloud_slot functions_get; /* function: its name or identifier */
	/* name, code (a path) or location; optional: runtime, handler, role, memory_mb, timeout_s, env (map), secrets (text),
	 * description, tag (map), storage, plan */
	struct cloud_slot functions_create;
	struct cloud_slot functions_update; /* function, code or location: new code, everything else stays */
	/* function; optional: payload (JSON), version, async. The function's own failure is ERR_FAILED; its log is told. */
	struct cloud_slot functions_invoke;
	struct cloud_slot functions_delete; /* function */
	struct cloud_slot functions_logs;   /* function, since (a duration) */
};

extern const struct record_shape shape_function, shape_invocation, shape_log_line;

/* What lies at path, as a zip: a directory is packed, a zip stays as it is, any other file becomes the only one of a zip.
 * Packed twice it is the same bytes: names in order, no times. Links stay links and must lead to something inside; other
 * things than files, directories and links are refused. More than max_bytes: ERR_TOO_LARGE. */
int function_package(const char *path, size_t max_bytes, struct buf *ret, struct error *err) MUST_CHECK;
#define FUNCTION_UNPACKED_MAX ((uint64_t)512 << 20)
#define FUNCTION_FILES_MAX    20000

/* env and secrets of the call, in one object; NULL in *ret when there are none. secrets: lines NAME=VALUE; empty ones and
 * those that begin with '#' count nothing. */
int function_environment(const struct cloud_call *call, struct json_object **ret, struct error *err) MUST_CHECK;
/* The same without values, for a dry run; NULL without memory. */
struct json_object *function_masked(struct json_object *environment);
/* The object at the path holds names only afterwards. */
void function_hide(struct json_object *thing, const char *path);
/* The names of an object's members, as a list. */
struct json_object *function_names(struct json_object *object);
/* What a function answered, as a record: JSON as such, other text as a string, bytes in base64. Texts may be NULL. */
struct function_answer {
	const char *function, *version, *log, *request_id;
	int http_status;
	struct str body;
};
int function_answered(const struct cloud_call *call, const struct function_answer *answer, struct json_object **ret,
		      struct error *err) MUST_CHECK;
/* For service.refine, where a function is called at an address of its own: a server's error is the function's failure, which is
 * no reason to come back later; those of who may call, and how often, stay. */
void function_refine(const struct http_response *response, struct error *err);
/* Each line of a log, to the user (cloud_call.tell). */
void function_tell_log(const struct cloud_call *call, struct str log);
/* "s3://BUCKET/KEY" of the parameter `location`, taken apart (heap strings). */
int function_location(const struct cloud_call *call, const char *scheme, char **ret_bucket, char **ret_key,
		      struct error *err) MUST_CHECK;
/* When the log that is asked for begins, in milliseconds since 1970, by the parameter `since`. */
int64_t function_since_ms(const struct cloud_call *call);
