#pragma once
/*
 * Purpose: an access token (OAuth 2, Keystone) that ends, and a source of it that keeps it fresh.
 *
 * Invariants: one fetch at a time, renewed ahead of its end (refresh.h). A fetch function keeps no
 *	state: it reads files, variables and services anew each time.
 * Ownership: struct token is embedded by value; release wipes it. A source frees its arg.
 * Threads: any; token_source_get blocks for a fetch, the others never.
 */
#include "backends/auth/refresh.h"
#include "backends/base/secret.h"

#define TOKEN_MAX_BYTES 32768

struct token {
	struct secret value;	/* not set: anonymous, requests go out without one */
	int64_t expires_wall_s; /* 0: never */
	bool is_fixed;		/* fetching again would give the same */
};
#define TOKEN_INIT ((struct token){ 0 })
void token_release(struct token *t);
/* Checks that it can stand in a header line (ERR_PROTOCOL naming `who` gave it, never the text). */
int token_set(struct token *t, const char *who, struct str value, int64_t expires_wall_s,
	      struct error *err) MUST_CHECK;

struct token_source_options {
	const char *noun; /* for messages: "Google access token"; static */
	/* Blocks; cancel fires when the source is freed. */
	int (*fetch)(void *arg, struct cancel *cancel, struct token *ret, struct error *err);
	void *arg;
	void (*free_arg)(void *arg);	 /* may be NULL */
	int64_t (*wall_s)(void);	 /* NULL: the real clock (with the skew learnt) */
	int64_t advisory_s, mandatory_s; /* 0: 300 and 60 */
};

struct token_source;
/* Takes over options.arg, also when it fails. */
int token_source_new(const struct token_source_options *options, struct token_source **ret,
		     struct error *err) MUST_CHECK;
/* One token that is always the same (it is copied): what a configuration file or a variable holds. */
int token_source_fixed(const char *noun, const char *token, struct token_source **ret, struct error *err) MUST_CHECK;
void token_source_free(struct token_source *s);
bool token_source_is_ready(struct token_source *s);
int token_source_get(struct token_source *s, struct token *ret, struct error *err) MUST_CHECK;
int token_source_peek(struct token_source *s, struct token *ret, struct error *err) MUST_CHECK;
/* A service refused it; false when a new one would be the same. */
bool token_source_forget(struct token_source *s);
bool token_source_is_fetched_within(struct token_source *s, uint64_t ms);
bool token_source_has_replaced(struct token_source *s);
bool token_source_is_fetching(struct token_source *s);
