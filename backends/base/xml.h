#pragma once
/*
 * Purpose: reading XML answers (over libxml2's SAX parser: no tree is built) that may be hostile.
 * Invariants: no DTD (its presence is an error), no entities but the five predefined and character
 *	references, no network, depth at most 32, text of one element at most 1 MiB; namespaces and prefixes
 *	are ignored (local names only).
 * Errors: ERR_PROTOCOL with what is wrong.
 */
#include "backends/base/buf.h"

struct xml_handler {
	/* path is the local names joined by '/', from the root: "ListBucketResult/Contents/Key". */
	int (*start)(void *arg, const char *path, struct error *err); /* may be NULL */
	/* The element's whole own text, at its end; called for every element without child elements,
	 * also when empty. May be NULL. */
	int (*text)(void *arg, const char *path, struct str text, struct error *err);
	int (*end)(void *arg, const char *path, struct error *err); /* may be NULL; after text */
	void *arg;
	/* One attribute of the element that start was called for, by its local name. May be NULL. */
	int (*attribute)(void *arg, const char *path, const char *name, struct str value,
			 struct error *err);
};
/* Reads a whole document. A handler that returns negative ends it with that value. */
int xml_parse(struct str document, const struct xml_handler *handler, struct error *err) MUST_CHECK;
/* The text of the first element at exactly this path; 0, or ERR_NOT_FOUND, or ERR_PROTOCOL. */
int xml_find(struct str document, const char *path, struct buf *ret, struct error *err) MUST_CHECK;
/* Adds text with & < > " ' and control bytes written as references (for element content). */
int xml_escape(struct str text, struct buf *out) MUST_CHECK;
