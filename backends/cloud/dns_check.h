#pragma once
/*
 * Purpose: what a domain name, a type's value and a record set may be, and one spelling for each: checked before
 *	anything is sent, and compared by it afterwards.
 *
 * Invariants: what these functions give back is accepted by them again and stays as it is. Names are lower case ASCII
 *	(IDN as punycode). Names in values are absolute and stand without the last dot; the root is ".".
 *	The text of a TXT record stands as it is, or, when it begins with a quote or holds what is no printable UTF-8, as
 *	one quoted string with escapes (\DDD, decimal): so it survives JSON, tables and zone files.
 * Ownership: ret strings are the caller's to free.
 * Threads: any.
 * Source: RFC 1035, 1123, 2181, 2782, 3403, 4255, 4034, 6698, 8659, 9460; IDNA2008 by libidn2.
 */
#include "backends/base/json.h"

#define DNS_NAME_MAX 253
#define DNS_VALUES_MAX 1000
#define DNS_TXT_MAX 65279 /* 65535 less a length byte for each 255 */
#define DNS_TTL_MAX INT64_C(2147483647)

/* A host or record name: "www", "*.dev", "@", "example.org."; the last dot stays, since it says "absolute". */
int dns_name(const char *text, char **ret, struct error *err) MUST_CHECK;
/* The name of a zone, or of what a value points to: absolute, the last dot taken off. */
int dns_domain(const char *text, char **ret, struct error *err) MUST_CHECK;
/* The full name, without the last dot: "@" and "www" in "example.org"; a name that ends with the zone's is full already.
 * An absolute name outside the zone is ERR_INVALID. */
int dns_full_name(const char *name, const char *zone, char **ret, struct error *err) MUST_CHECK;
/* Whether name is the zone's or below it (both without the last dot, lower case). */
bool dns_is_below(const char *name, const char *zone);
/* "www" of "www.example.org", "@" of the zone's own; borrowed from name or static; len says where it ends. */
struct str dns_relative(const char *name, const char *zone);

/* One value of that type in its one spelling. A type that is not known is ERR_INVALID. */
int dns_value(const char *type, const char *text, char **ret, struct error *err) MUST_CHECK;
/* The same for a zone file: names in it that have no last dot are below origin, "@" is origin itself. */
int dns_value_below(const char *type, const char *text, const char *origin, char **ret, struct error *err) MUST_CHECK;
/* All values of a set: each checked, doubles dropped; CNAME and SOA have one. *ret is a new array. */
int dns_values(const char *type, struct json_object *values, struct json_object **ret, struct error *err) MUST_CHECK;
/* Whether two lists hold the same values, in any order. */
bool dns_same_values(struct json_object *a, struct json_object *b);
/* A parameter object of one of control's dns rows with name, type and values in their one spelling: a new object. */
int dns_check_params(struct json_object *params, struct json_object **ret, struct error *err) MUST_CHECK;
bool dns_is_type(const char *type);

/* The bytes of a TXT value in its one spelling, and back. */
int dns_txt_bytes(const char *value, struct buf *ret, struct error *err) MUST_CHECK;
int dns_txt_value(struct str bytes, char **ret, struct error *err) MUST_CHECK;
/* As quoted strings of at most 255 bytes; the escapes of Route 53 are octal, those of all others decimal. SHORT: decimal,
 * and a string is at most 255 characters as it is written, quotes and escapes too (Designate). */
enum dns_escape { DNS_ESCAPE_DECIMAL, DNS_ESCAPE_OCTAL, DNS_ESCAPE_SHORT };
int dns_txt_quote(const char *value, enum dns_escape escape, char **ret, struct error *err) MUST_CHECK;
/* The one spelling of what a service says of a TXT value: quoted strings, or bare text. */
int dns_txt_unquote(const char *theirs, enum dns_escape escape, char **ret, struct error *err) MUST_CHECK;

/* One string inside another type's value (CAA's value, NAPTR's flags): word with its quotes and escapes or without,
 * at most 255 bytes; added to out with quotes in any case and no more escapes than it needs. -EINVAL for a backslash that
 * escapes nothing, a quote inside, or a string that is too long. */
int dns_string(struct str word, struct buf *out) MUST_CHECK;

/* A value as services with zone file syntax want it: names with the last dot, TXT quoted. And what they say, in its one
 * spelling; what cannot be understood stays as it is. */
int dns_value_wire(const char *type, const char *value, enum dns_escape escape, char **ret,
		   struct error *err) MUST_CHECK;
int dns_value_read(const char *type, const char *theirs, enum dns_escape escape, char **ret,
		   struct error *err) MUST_CHECK;
/* The pieces of a value: "10 mail.example.org" into { "10", "mail.example.org" }; quoted ones with their quotes. At most
 * max of them; the number, or -EINVAL. Views into value. */
int dns_words(const char *value, struct str *ret, size_t max);
