#pragma once
/*
 * Purpose: RSA private keys, and JSON web tokens signed with them (RS256).
 * Ownership: jwt_key_free; NULL is fine.
 * Threads: a key may sign in many threads at once.
 * Source: RFC 7515 (JWS), RFC 7518 3.3 (RS256), RFC 7519 (JWT), all 2015-05.
 */
#include "backends/base/buf.h"

struct jwt_key;
/* An unencrypted PEM key (PKCS #1 or #8), what else stands in the text is skipped. ERR_CONFIG naming `what` unless it is
 * an RSA key of 2048 to 8192 bits; the text never stands in a message. */
int jwt_key_new(const char *what, struct str pem, struct jwt_key **ret,
		struct error *err) MUST_CHECK;
void jwt_key_free(struct jwt_key *k);
void jwt_key_freep(struct jwt_key **k);

/* RSASSA-PKCS1-v1_5 with SHA-256 over data, raw bytes. */
int jwt_key_sign(const struct jwt_key *k, struct str data, struct buf *ret_signature,
		 struct error *err) MUST_CHECK;
/* HEADER.CLAIMS.SIGNATURE. Both are JSON texts; the header must say "alg":"RS256". */
int jwt_sign(const struct jwt_key *k, struct str header_json, struct str claims_json,
	     struct buf *ret, struct error *err) MUST_CHECK;
