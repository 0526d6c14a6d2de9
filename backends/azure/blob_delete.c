/*
 * Delete Blob, and Blob Batch: up to 256 deletes in one multipart/mixed request, each signed for itself.
 *
 * Deleting what is not there is success.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/delete-blob and blob-batch (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/auth/sign_bearer.h"
#include "backends/base/clock.h"
#include "backends/base/random.h"
#include <stdio.h>

static bool is_gone(const struct error *err)
{
	return err->kind == ERR_NOT_FOUND && !az_error_is(err, "ContainerNotFound") &&
	       !az_error_is(err, "FilesystemNotFound");
}

static void delete_build(struct az_call *c)
{
	if (c->store->deletes_snapshots)
		az_call_header(c, "x-ms-delete-snapshots", "include");
	c->is_directory = az_key_is_directory(c->key) && az_hns_ask(c->store, NULL) == AZ_HNS_YES;
}

/* Whether it is gone: by our own first attempt, perhaps. */
static bool is_absent(struct az_store *s, const char *container, const char *key)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error why = ERROR_INIT;
	struct store_object now;

	return az_head(&s->base, container, key, NULL, &arena, &now, &why) < 0 && is_gone(&why);
}

static int delete_version(struct az_store *s, const char *container, const char *key, const char *version_id,
			  struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_DELETE, "DeleteBlob", container, key);

	az_call_version_id(&c, version_id);
	return az_call_perform(&c, err);
}

/* The current version is deleted in two steps only: with the blob it becomes an old one, and as that it can go. */
static int delete_current(struct az_store *s, const char *container, const char *key, const char *version_id,
			  struct error *err)
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object now = { 0 };
	int r;

	*err = ERROR_INIT;
	r = az_head(&s->base, container, key, NULL, &arena, &now, err);
	if (r >= 0 && now.version_id && !strcmp(now.version_id, version_id))
		r = az_delete(&s->base, container, key, now.version, NULL, err);
	if (r < 0 && !is_gone(err))
		return r;
	*err = ERROR_INIT;
	return delete_version(s, container, key, version_id, err);
}

int az_delete(struct store *store, const char *container, const char *key, const char *if_version,
	      const char *version_id, struct error *err)
{
	struct az_store *s = az_of(store);
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_DELETE, "DeleteBlob", container, key);
	int r;

	if (!version_id)
		delete_build(&c);
	az_call_version_id(&c, version_id);
	az_call_condition(&c, if_version, false);
	r = az_call_perform(&c, err);
	if (r < 0 && version_id && az_error_is(err, "OperationNotAllowedOnRootBlob"))
		r = delete_current(s, container, key, version_id, err);
	if (r < 0 && is_gone(err)) {
		*err = ERROR_INIT;
		return 0;
	}
	/* A condition on what is not there fails, too. */
	if (r < 0 && err->kind == ERR_PRECONDITION && !version_id && is_absent(s, container, key)) {
		*err = ERROR_INIT;
		return 0;
	}
	return r;
}

/* One request inside the batch, with what lets it in. */
static int add_delete(struct az_call *batch, const char *boundary, size_t number, const char *key,
		      struct error *err)
{
	CLEANUP(az_call_release)
	struct az_call c =
		AZ_CALL_INIT(batch->store, HTTP_DELETE, "DeleteBlob", batch->container, key);
	struct az_store *s = batch->store;
	struct signer *signer = cred_azure_signer(s->cred);
	struct buf *out = &batch->sent;
	char date[30];
	int r;

	delete_build(&c);
	if (cred_azure_kind(s->cred) != CRED_AZURE_KEY) {
		clock_format_http(clock_wall_s() + clock_skew_s(), date);
		az_call_header(&c, "x-ms-date", date);
	}
	r = az_call_aim(&c, err);
	if (r >= 0 && signer)
		r = signer->ops->prepare(signer, err);
	if (r >= 0 && signer)
		r = signer->ops->sign(signer, &c.request, err);
	if (r < 0)
		return r;
	az_call_check(batch, buf_addf(out,
				      "--%s\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
				      "Content-ID: %zu\r\n\r\nDELETE %s",
				      boundary, number, c.request.path));
	for (size_t i = 0; i < c.request.signed_query.count; i++) {
		const struct http_field *f = &c.request.signed_query.items[i];

		az_call_check(batch, buf_addf(out, "%c%s=", i ? '&' : '?', f->name));
		az_call_check(batch, url_encode(str_of(f->value), URL_ENCODE_SLASH, out));
	}
	az_call_check(batch, buf_adds(out, " HTTP/1.1\r\n"));
	for (size_t i = 0; i < c.request.headers.count; i++)
		az_call_check(batch, buf_addf(out, "%s: %s\r\n", c.request.headers.items[i].name,
					      c.request.headers.items[i].value));
	for (size_t i = 0; i < c.request.signed_headers.count; i++)
		az_call_check(batch, buf_addf(out, "%s: %s\r\n", c.request.signed_headers.items[i].name,
					      c.request.signed_headers.items[i].value));
	az_call_check(batch, buf_adds(out, "Content-Length: 0\r\n\r\n"));
	return 0;
}

/* What one part of the answer says. */
struct part {
	bool has_id, has_status;
	uint64_t id;
	unsigned status;
	char code[48];
};

static void part_line(struct part *p, struct str line)
{
	struct str rest = line, name, value;
	uint64_t status = 0;

	if (str_starts(line, "HTTP/1.1 ") && line.len >= 12) {
		if (str_to_u64((struct str){ line.ptr + 9, 3 }, &status) == 0) {
			p->has_status = true;
			p->status = (unsigned)status;
		}
		return;
	}
	name = str_split(&rest, ':');
	value = rest.ptr ? str_trim(rest) : (struct str){ 0 };
	if (!value.ptr)
		return;
	if (str_equal_nocase(name, STR("Content-ID")) && !p->has_status)
		p->has_id = str_to_u64(value, &p->id) == 0;
	else if (str_equal_nocase(name, STR("x-ms-error-code")))
		(void)snprintf(p->code, sizeof(p->code), "%.*s", (int)(value.len < 47 ? value.len : 47),
			       value.ptr);
}

struct batch_reader {
	size_t count;
	void (*take)(void *arg, const struct part *part);
	void *arg;
	size_t taken;
};

/* Every line is looked at; a line that begins with the boundary ends a part. Bodies of parts are texts of errors, in
 * which neither a status line nor our boundary stands. */
static int batch_read(struct str body, struct str boundary, struct batch_reader *b, struct error *err)
{
	struct part part = { 0 };

	for (struct str rest = body; rest.ptr;) {
		struct str line = str_split(&rest, '\n');
		bool is_border;

		while (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		is_border = line.len >= boundary.len + 2 && line.ptr[0] == '-' && line.ptr[1] == '-' &&
			    !memcmp(line.ptr + 2, boundary.ptr, boundary.len);
		if (!is_border) {
			part_line(&part, line);
			continue;
		}
		if (part.has_status) {
			if (!part.has_id || part.id >= b->count)
				return error_set(err, ERR_PROTOCOL, "the service answered to a delete it was not given");
			b->take(b->arg, &part);
			b->taken++;
		}
		part = (struct part){ 0 };
	}
	if (b->taken > b->count)
		return error_set(err, ERR_PROTOCOL, "the service answered more than it was asked");
	return 0;
}

struct batch {
	const char *container;
	const char *const *keys;
	struct error *results;
	bool *is_answered;
};

static void take_result(void *arg, const struct part *part)
{
	struct batch *b = arg;
	bool is_done = part->status >= 200 && part->status < 300;

	b->is_answered[part->id] = true;
	b->results[part->id] = ERROR_INIT;
	if (!is_done && strcmp(part->code, "BlobNotFound") && strcmp(part->code, "PathNotFound") &&
	    strcmp(part->code, "ResourceNotFound"))
		(void)az_error_of_key(b->container, b->keys[part->id], part->code, (int)part->status,
				      &b->results[part->id]);
}

static int batch_answer(struct az_call *c, struct batch *b, size_t count, struct error *err)
{
	const char *type = az_answer_header(c, "content-type");
	const char *at = type ? strcasestr(type, "boundary=") : NULL;
	struct batch_reader reader = { .count = count, .take = take_result, .arg = b };
	struct str boundary;

	if (!at)
		return error_set(err, ERR_PROTOCOL, "the answer to a batch is none");
	boundary = str_trim(str_of(at + strlen("boundary=")));
	if (boundary.len >= 2 && boundary.ptr[0] == '"')
		boundary = (struct str){ boundary.ptr + 1, boundary.len - 2 };
	if (boundary.len == 0 || boundary.len > 200)
		return error_set(err, ERR_PROTOCOL, "the answer to a batch is none");
	return batch_read(buf_str(&c->answer), boundary, &reader, err);
}

static int delete_batch(struct az_store *s, struct batch *b, size_t count, struct error *err)
{
	CLEANUP(az_call_release)
	struct az_call c = AZ_CALL_INIT(s, HTTP_POST, "DeleteBatch", b->container, NULL);
	char boundary[48], type[96];
	unsigned char id[16];
	char hex[33];
	int r;

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), hex);
	(void)snprintf(boundary, sizeof(boundary), "batch_%s", hex);
	(void)snprintf(type, sizeof(type), "multipart/mixed; boundary=%s", boundary);
	for (size_t i = 0; i < count; i++) {
		r = add_delete(&c, boundary, i, b->keys[i], err);
		if (r < 0)
			return r;
	}
	az_call_check(&c, buf_addf(&c.sent, "--%s--\r\n", boundary));
	az_call_query(&c, "restype", "container");
	az_call_query(&c, "comp", "batch");
	az_call_send(&c, type);
	az_call_answer(&c, NULL);
	r = az_call_perform(&c, err);
	return r < 0 ? r : batch_answer(&c, b, count, err);
}

/* What the batch left open, and what goes without one: each for itself. Its failure stands in results[i]. */
static void delete_each(struct az_store *s, struct batch *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (b->is_answered[i])
			continue;
		b->results[i] = ERROR_INIT;
		(void)az_delete(&s->base, b->container, b->keys[i], NULL, NULL, &b->results[i]);
	}
}

static int delete_some(struct az_store *s, const char *container, const char *const *keys, size_t count,
		       struct error *results, struct error *err)
{
	bool is_answered[AZ_BATCH_MAX] = { false };
	struct batch b = { container, keys, results, is_answered };
	int r = 0;

	if (az_has(s, AZ_POWER_BATCH))
		r = delete_batch(s, &b, count, err);
	if (r < 0 && err->kind == ERR_UNSUPPORTED) {
		az_lose(s, AZ_POWER_BATCH);
		*err = ERROR_INIT;
		r = 0;
	}
	if (r < 0)
		return r;
	delete_each(s, &b, count);
	for (size_t i = 0; i < count; i++)
		if (az_error_is(&results[i], "ContainerNotFound")) { /* true for all */
			*err = results[i];
			return -error_errnum(err->kind);
		}
	return 0;
}

int az_delete_many(struct store *store, const char *container, const char *const *keys, size_t count,
		   struct error *results, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < count; i++)
		results[i] = ERROR_INIT;
	for (size_t done = 0; r >= 0 && done < count; done += AZ_BATCH_MAX) {
		size_t some = count - done < AZ_BATCH_MAX ? count - done : AZ_BATCH_MAX;

		r = delete_some(az_of(store), container, keys + done, some, results + done, err);
	}
	return r;
}

static void take_nothing(void *arg, const struct part *part)
{
	(void)arg, (void)part;
}

int azure_fuzz_batch(struct str bytes)
{
	struct batch_reader reader = { .count = AZ_BATCH_MAX, .take = take_nothing };
	struct error err = ERROR_INIT;

	return batch_read(bytes, STR("b"), &reader, &err);
}
