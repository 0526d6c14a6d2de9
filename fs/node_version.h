#pragma once
/*
 * Purpose: the version of a node's object (store.h: a text), in the 16 bytes that a node has for it.
 *
 * Most are a digest in hexadecimal, alone or with a number of parts behind it (S3, Swift), a decimal number (GCS), or a short text
 * in quotes (Azure): these fit. Others are a string of their own.
 * Invariants: what comes out is what went in, byte by byte. "" is no version.
 */
#include "fs/tree.h"

enum node_version_kind {
	NODE_VERSION_NONE,
	NODE_VERSION_HEX, /* 32 lower-case digits; detail: the number behind them and a '-', or 0 */
	NODE_VERSION_SIX, /* 6 bits a character; detail: how many */
	NODE_VERSION_TEXT, /* a heap string */
};

struct version_text {
	char text[STORE_VERSION_MAX];
};

static inline bool node_has_version(const struct node *n)
{
	return n->version_kind != NODE_VERSION_NONE;
}
/* "" when there is none. As a value: node_version(n).text is good to the end of the expression. */
struct version_text node_version(const struct node *n);
/* Whether it has this one; never, when it has none. */
bool node_is_version(const struct node *n, const char *version);
/* NULL or "": none. Without memory it has none, too. */
void node_set_version(struct node *n, const char *version);
/* The kernel holds pages of this version, if any. Without memory nothing is known of them. */
void node_note_pages(struct node *n);
