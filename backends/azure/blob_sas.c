/*
 * URLs that open one blob for a while: signed with the account's key, or, for who comes with a token, with a user
 * delegation key that the service gives. Who comes with a SAS cannot make another; its own must do.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/create-service-sas and get-user-delegation-key (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define EXPIRES_MOST_S	  (7 * 24 * 3600) /* of a delegation key; a key's own has no end, but one is wise */
#define DELEGATION_LIFE_S (24 * 3600)
#define ALLOWANCE_S	  300 /* clocks differ */

void az_delegation_release(struct az_delegation *d)
{
	free(d->oid);
	free(d->tid);
	free(d->start);
	free(d->expiry);
	free(d->service);
	free(d->version);
	secret_release(&d->key);
	*d = (struct az_delegation){ 0 };
}

static int delegation_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct az_delegation *d = arg;
	const struct {
		const char *path;
		char **place;
	} rows[] = {
		{ "UserDelegationKey/SignedOid", &d->oid },	    { "UserDelegationKey/SignedTid", &d->tid },
		{ "UserDelegationKey/SignedStart", &d->start },	    { "UserDelegationKey/SignedExpiry", &d->expiry },
		{ "UserDelegationKey/SignedService", &d->service }, { "UserDelegationKey/SignedVersion", &d->version },
	};
	CLEANUP(buf_release) struct buf key = BUF_INIT(256);
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(path, rows[i].path))
			continue;
		free(*rows[i].place);
		*rows[i].place = str_dup(text);
		return *rows[i].place ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (strcmp(path, "UserDelegationKey/Value"))
		return 0;
	r = buf_reserve(&key, 256);
	if (r == 0)
		r = base64_decode(str_trim(text), &key);
	if (r == 0)
		r = secret_set(&d->key, buf_str(&key));
	if (key.data)
		explicit_bzero(key.data, key.capacity);
	return r < 0 ? error_set(err, ERR_PROTOCOL, "the service sent a broken delegation key") : 0;
}

static void short_time(int64_t wall_s, char ret[25])
{
	clock_format_iso8601(wall_s * 1000000000, ret);
	memcpy(ret + 19, "Z", 2);
}

static int fetch_delegation(struct az_store *s, int64_t now_s, uint64_t expires_s, struct az_delegation *ret,
			    struct error *err)
{
	CLEANUP(az_call_release)
	struct az_call c = AZ_CALL_INIT(s, HTTP_POST, "GetUserDelegationKey", NULL, NULL);
	const struct xml_handler handler = { .text = delegation_text, .arg = ret };
	char start[25], expiry[25];
	int64_t end_ns = 0;
	int r;

	short_time(now_s - ALLOWANCE_S, start);
	short_time(now_s + (int64_t)(expires_s > DELEGATION_LIFE_S ? expires_s : DELEGATION_LIFE_S), expiry);
	az_call_query(&c, "restype", "service");
	az_call_query(&c, "comp", "userdelegationkey");
	az_call_check(&c, buf_addf(&c.sent, "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>%s</Start>"
					    "<Expiry>%s</Expiry></KeyInfo>",
				   start, expiry));
	az_call_send(&c, "application/xml");
	az_call_answer(&c, "UserDelegationKey");
	r = az_call_perform(&c, err);
	if (r >= 0)
		r = xml_parse(str_trim(buf_str(&c.answer)), &handler, err);
	if (c.answer.data)
		explicit_bzero(c.answer.data, c.answer.capacity);
	if (r < 0)
		return r;
	if (!secret_is_set(&ret->key) || !ret->oid || !ret->tid || !ret->start || !ret->expiry || !ret->service ||
	    !ret->version || clock_parse_iso8601(ret->expiry, &end_ns) < 0)
		return error_set(err, ERR_PROTOCOL, "the service sent a broken delegation key");
	ret->expires_wall_s = end_ns / 1000000000;
	return 0;
}

static bool copy_delegation(struct az_delegation *to, const struct az_delegation *from)
{
	to->oid = strdup(from->oid);
	to->tid = strdup(from->tid);
	to->start = strdup(from->start);
	to->expiry = strdup(from->expiry);
	to->service = strdup(from->service);
	to->version = strdup(from->version);
	to->expires_wall_s = from->expires_wall_s;
	return to->oid && to->tid && to->start && to->expiry && to->service && to->version &&
	       secret_copy(&to->key, &from->key) >= 0;
}

/* One that is good for as long as the URL is to be; kept for the next ones. */
static int get_delegation(struct az_store *s, int64_t now_s, uint64_t expires_s, struct az_delegation *ret,
			  struct error *err)
{
	struct az_delegation fresh = { 0 };
	bool is_good = false, is_copied = true;
	int r;

	lock_take(&s->lock);
	is_good = s->delegation.expires_wall_s >= now_s + (int64_t)expires_s;
	if (is_good)
		is_copied = copy_delegation(ret, &s->delegation);
	lock_drop(&s->lock);
	if (is_good)
		return is_copied ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	r = fetch_delegation(s, now_s, expires_s, &fresh, err);
	if (r >= 0 && !copy_delegation(ret, &fresh))
		r = error_set(err, ERR_NO_MEMORY, "out of memory");
	if (r < 0) {
		az_delegation_release(&fresh);
		return r;
	}
	LOCKED(&s->lock);
	az_delegation_release(&s->delegation);
	s->delegation = fresh;
	return 0;
}

int az_sas(struct az_store *s, const char *container, const char *key, const char *permissions,
	   uint64_t expires_s, struct buf *ret, struct error *err)
{
	CLEANUP(az_delegation_release) struct az_delegation d = { 0 };
	CLEANUP(http_fields_release) struct http_fields query = { 0 };
	CLEANUP(buf_release) struct buf name = BUF_INIT(8192);
	const struct sharedkey *shared = cred_azure_key(s->cred);
	int64_t now_s = clock_wall_s() + clock_skew_s();
	struct sas_delegation delegation;
	struct sas_args args = { .account = s->account,
				 .container = container,
				 .permissions = permissions,
				 .expires_wall_s = now_s + (int64_t)expires_s,
				 .is_https_only = !strcmp(s->blob.scheme, "https") };
	int r = 0;

	if (az_name_encode(str_of(key), &name) < 0)
		return error_set(err, ERR_NAME_TOO_LONG, "the name is too long for a URL");
	args.blob = buf_cstr(&name);
	if (!shared) {
		r = get_delegation(s, now_s, expires_s, &d, err);
		delegation = (struct sas_delegation){ d.oid,	 d.tid,	    d.start,		d.expiry,
						      d.service, d.version, secret_str(&d.key) };
		args.delegation = &delegation;
	}
	if (r >= 0)
		r = sas_sign(&args, shared ? secret_str(&shared->key) : STR(""), &query, err);
	for (size_t i = 0; r >= 0 && i < query.count; i++) {
		r = buf_addf(ret, "%s%s=", i ? "&" : "", query.items[i].name);
		if (r >= 0)
			r = url_encode(str_of(query.items[i].value), URL_ENCODE_SLASH, ret);
		if (r < 0)
			return error_set(err, ERR_TOO_LARGE, "the URL is too long");
	}
	return r;
}

int az_presign(struct store *store, const char *container, const char *key, enum store_presign what,
	       uint64_t expires_s, struct buf *ret_url, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(buf_release) struct buf sas = BUF_INIT(8192);
	CLEANUP(buf_release) struct buf url = BUF_INIT(32768);
	enum cred_azure_kind kind = cred_azure_kind(s->cred);
	int r;

	if (kind != CRED_AZURE_KEY && kind != CRED_AZURE_TOKEN)
		return error_set(err, ERR_UNSUPPORTED,
				 "signing URLs takes an account key or a token, and there is a %s",
				 cred_azure_describe(s->cred));
	if (expires_s == 0 || expires_s > EXPIRES_MOST_S)
		return error_set(err, ERR_INVALID, "a signed URL is good for 1 s to %d s", EXPIRES_MOST_S);
	r = az_source_url(s, container, key, false, &url, err);
	if (r >= 0)
		r = az_sas(s, container, key, what == STORE_PRESIGN_GET ? "r" : "cw", expires_s, &sas, err);
	if (r < 0)
		return r;
	if (buf_addf(ret_url, "%s?%s", buf_cstr(&url), buf_cstr(&sas)) < 0)
		return error_set(err, ERR_TOO_LARGE, "the URL is too long");
	return 0;
}
