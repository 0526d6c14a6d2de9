#pragma once
/*
 * Purpose: an XML answer as JSON values, so that one way of picking records serves both kinds of service.
 *
 * An element with child elements becomes an object, one without becomes its text. Sisters of one name become an
 * array: an element that may repeat is therefore read with json_items, which takes one, many or none. Attributes
 * and namespaces are dropped (no service here puts data into them).
 * Invariants: xml_parse's (no DTD, bounded depth and text), and at most XML_JSON_MAX_ELEMENTS elements.
 * Errors: ERR_PROTOCOL, ERR_TOO_LARGE, ERR_NO_MEMORY.
 */
#include "backends/base/json.h"

#define XML_JSON_MAX_ELEMENTS 1000000

/* {"Root": ...}, the caller's to put. */
int xml_to_json(struct str document, struct json_object **ret, struct error *err) MUST_CHECK;
/* What stands at path as a list: an array as it is, anything else as the one item of a new one, nothing as an
 * empty one. Empty text is nothing too: it is how XML writes an empty list. A new reference; NULL without memory. */
struct json_object *json_items(struct json_object *o, const char *path);
