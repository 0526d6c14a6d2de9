#pragma once
/*
 * Purpose: a YAML document as JSON values (over libyaml): for configuration files of other tools.
 * Invariants: one document; size at most YAML_JSON_BYTES, depth 32, 100,000 nodes; keys are text; an alias shares the
 *	value of its anchor (which must stand before it), so that a small file stays small in memory; merge keys
 *	("<<") are followed. Plain true/false and null are those values, plain numbers and all else are text, as the
 *	tools that read these files treat them (an id of digits must not lose its zeros).
 * Errors: ERR_CONFIG, with what and line.
 */
#include "backends/base/json.h"

#define YAML_JSON_BYTES ((size_t)1 << 20)

/* what: for messages, "clouds.yaml". An empty document is an empty object. */
int yaml_to_json(const char *what, struct str text, struct json_object **ret, struct error *err) MUST_CHECK;
