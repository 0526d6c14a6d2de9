/*
 * objects.delete, alone and by the hundred (the batch endpoint: HTTP requests as the parts of one).
 *
 * Source: cloud.google.com/storage/docs/batch, .../json_api/v1/objects/delete (2026-10).
 */
#include "backends/base/random.h"
#include "backends/gcp/gcs_private.h"
#include <stdio.h>

static bool is_folder(const char *key)
{
	return key[strlen(key) - 1] == '/';
}

int gcs_delete(struct store *store, const char *bucket, const char *key, const char *if_version,
	       const char *version_id, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_DELETE, "DeleteObject", bucket, key);
	struct gcs_condition w = { .if_version = if_version };
	int r;

	if (gcs_check_key(key, err) < 0 || (version_id && !gcs_is_generation(version_id))) {
		*err = ERROR_INIT; /* such an object is not there */
		return 0;
	}
	gcs_call_target(&c);
	if (version_id)
		gcs_call_query(&c, "generation", version_id);
	r = gcs_condition_apply(&c, w, err);
	if (r == 0)
		r = gcs_call_perform(&c, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND &&
	    !strstr(buf_cstr(&c.response.error_body), "bucket does not exist")) {
		*err = ERROR_INIT;
		r = 0;
	}
	if (r == 0 && is_folder(key) && gcs_hns_known(s, bucket) == GCS_HNS_YES)
		gcs_folder_delete(s, bucket, key);
	return r;
}

/* ---- answers of a batch ---- */

/* The value of a header in a block of header lines; ptr NULL when absent. */
static struct str find_header(struct str block, const char *name)
{
	struct str line;

	while ((line = str_split(&block, '\n')).ptr) {
		struct str value = line, label = str_split(&value, ':');

		if (value.ptr && str_equal_nocase(str_trim(label), str_of(name)))
			return str_trim(value);
	}
	return (struct str){ 0 };
}

/* Splits at the blank line: returns what stands before it, *rest is what follows. */
static struct str split_head(struct str *rest)
{
	for (size_t i = 0; i + 1 < rest->len; i++) {
		size_t gap = 0;

		if (rest->ptr[i] == '\n' && rest->ptr[i + 1] == '\n')
			gap = 2;
		else if (rest->ptr[i] == '\n' && i + 2 < rest->len && rest->ptr[i + 1] == '\r' &&
			 rest->ptr[i + 2] == '\n')
			gap = 3;
		if (gap) {
			struct str head = { rest->ptr, i };

			*rest = (struct str){ rest->ptr + i + gap, rest->len - i - gap };
			return head;
		}
	}
	struct str all = *rest;

	*rest = (struct str){ "", 0 };
	return all;
}

/* "<response-ID>", "response-ID" or "<prefix + response-ID>": the number at its end. */
static bool read_content_id(struct str id, size_t count, size_t *ret)
{
	size_t end = id.len, begin;
	uint64_t number = 0;

	while (end && (id.ptr[end - 1] == '>' || id.ptr[end - 1] == '"'))
		end--;
	for (begin = end; begin && id.ptr[begin - 1] >= '0' && id.ptr[begin - 1] <= '9';)
		begin--;
	if (str_to_u64((struct str){ id.ptr + begin, end - begin }, &number) < 0 || !number ||
	    number > count)
		return false;
	*ret = (size_t)number - 1;
	return true;
}

/* One part: its own headers, then an HTTP answer. */
static void read_part(struct str part, size_t position, int *statuses, struct gcs_error_text *texts,
		      size_t count)
{
	struct str head = split_head(&part), id = find_header(head, "content-id");
	struct str answer_head = split_head(&part), line = answer_head, status;
	size_t which = position;
	uint64_t number = 0;

	/* Without ids they come in the order of the questions. */
	if (id.ptr ? !read_content_id(id, count, &which) : position >= count)
		return;
	line = str_split(&answer_head, '\n');
	(void)str_split(&line, ' '); /* HTTP/1.1 */
	status = line.ptr ? str_split(&line, ' ') : (struct str){ 0 };
	if (!status.ptr || str_to_u64(str_trim(status), &number) < 0 || number < 100 ||
	    number > 599)
		return;
	statuses[which] = (int)number;
	gcs_error_parse(part, &texts[which]);
}

/* The boundary parameter of a Content-Type; an empty view when there is none. */
static struct str find_boundary(const char *content_type)
{
	const char *at = content_type ? strcasestr(content_type, "boundary=") : NULL;
	struct str value;

	if (!at)
		return (struct str){ 0 };
	value = str_of(at + strlen("boundary="));
	if (value.len && value.ptr[0] == '"') {
		value = (struct str){ value.ptr + 1, value.len - 1 };
		value.len = strcspn(value.ptr, "\"");
	} else {
		value.len = strcspn(value.ptr, "; ");
	}
	return value;
}

int gcs_batch_parse(struct str body, const char *content_type, int *statuses,
		    struct gcs_error_text *texts, size_t count, struct error *err)
{
	struct str boundary = find_boundary(content_type);
	CLEANUP(freep) char *mark = NULL;
	const char *at, *end = body.ptr + body.len;
	size_t mark_len, position = 0;

	for (size_t i = 0; i < count; i++) {
		statuses[i] = 0;
		texts[i] = (struct gcs_error_text){ 0 };
	}
	if (!boundary.len || boundary.len > 200)
		return error_set(err, ERR_PROTOCOL, "the service answers a batch with no batch");
	mark = str_format("--%.*s", (int)boundary.len, boundary.ptr);
	if (!mark)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	mark_len = strlen(mark);
	at = memmem(body.ptr, body.len, mark, mark_len);
	while (at) {
		const char *begin = at + mark_len, *next;

		if (end - begin >= 2 && begin[0] == '-' && begin[1] == '-')
			break;
		next = memmem(begin, (size_t)(end - begin), mark, mark_len);
		read_part((struct str){ begin, (size_t)((next ? next : end) - begin) }, position++,
			  statuses, texts, count);
		at = next;
	}
	return 0;
}

/* ---- questions of a batch ---- */

static void add_question(struct gcs_call *c, const char *boundary, const struct gcs_doomed *doomed,
			 size_t number)
{
	gcs_call_check(c,
		       buf_addf(&c->sent,
				"--%s\r\nContent-Type: application/http\r\n"
				"Content-Transfer-Encoding: binary\r\nContent-ID: <skydir+%zu>\r\n"
				"\r\nDELETE /storage/v1/b/",
				boundary, number));
	gcs_call_check(c, url_encode(str_of(c->bucket), URL_ENCODE_SLASH, &c->sent));
	gcs_call_check(c, buf_adds(&c->sent, "/o/"));
	gcs_call_check(c, url_encode(str_of(doomed->key), URL_ENCODE_SLASH, &c->sent));
	if (doomed->generation && doomed->generation[0])
		gcs_call_check(c, buf_addf(&c->sent, "?generation=%s", doomed->generation));
	gcs_call_check(c, buf_adds(&c->sent, " HTTP/1.1\r\n\r\n\r\n"));
}

static int one_batch(struct gcs_store *s, const char *bucket, const struct gcs_doomed *doomed,
		     size_t count, struct error *results, struct error *err)
{
	CLEANUP(gcs_call_release)
	struct gcs_call c = GCS_CALL_INIT(s, HTTP_POST, "Batch", bucket, NULL);
	struct gcs_error_text texts[GCS_BATCH_MAX];
	int statuses[GCS_BATCH_MAX], r;
	unsigned char id[16];
	char boundary[2 * sizeof(id) + 1];

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), boundary);
	for (size_t i = 0; i < count; i++)
		add_question(&c, boundary, &doomed[i], i + 1);
	gcs_call_check(&c, buf_addf(&c.sent, "--%s--\r\n", boundary));
	gcs_call_path(&c, "batch", "storage", "v1", NULL);
	gcs_call_headerf(&c, "Content-Type", "multipart/mixed; boundary=%s", boundary);
	c.request.body =
		(struct http_body){ .kind = HTTP_BODY_MEM, .mem = buf_str(&c.sent), .fd = -1 };
	c.request.sink.kind = HTTP_SINK_BUF;
	c.request.sink.buf = &c.answer;
	r = gcs_call_perform(&c, err);
	if (r == 0)
		r = gcs_batch_parse(buf_str(&c.answer),
				    http_fields_get(&c.response.headers, "content-type"), statuses,
				    texts, count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		results[i] = ERROR_INIT;
		if (!statuses[i])
			(void)error_set(&results[i], ERR_UNAVAILABLE,
					"the service left it out of its answer");
		else if ((statuses[i] < 200 || statuses[i] > 299) && statuses[i] != 404)
			(void)gcs_error_of(bucket, doomed[i].key, statuses[i], &texts[i],
					   &results[i]);
	}
	return r;
}

int gcs_delete_batch(struct gcs_store *s, const char *bucket, const struct gcs_doomed *doomed,
		     size_t count, struct error *results, struct error *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < count; at += GCS_BATCH_MAX) {
		size_t n = count - at < GCS_BATCH_MAX ? count - at : GCS_BATCH_MAX;

		r = one_batch(s, bucket, doomed + at, n, results + at, err);
	}
	return r;
}

int gcs_delete_many(struct store *store, const char *bucket, const char *const *keys, size_t count,
		    struct error *results, struct error *err)
{
	struct gcs_store *s = gcs_of(store);
	CLEANUP(freep) struct gcs_doomed *doomed = calloc(count + 1, sizeof(*doomed));
	CLEANUP(freep) struct error *answers = calloc(count + 1, sizeof(*answers));
	size_t asked = 0;
	int r;

	if (!doomed || !answers)
		return error_set(err, ERR_NO_MEMORY, "out of memory");
	/* What can be no name is not there, which is success. */
	for (size_t i = 0; i < count; i++)
		if (gcs_check_key(keys[i], err) == 0)
			doomed[asked++].key = keys[i];
	*err = ERROR_INIT;
	r = gcs_delete_batch(s, bucket, doomed, asked, answers, err);
	asked = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		bool was_asked = doomed[asked].key == keys[i];

		results[i] = was_asked ? answers[asked++] : ERROR_INIT;
		if (was_asked && is_folder(keys[i]) && gcs_hns_known(s, bucket) == GCS_HNS_YES)
			gcs_folder_delete(s, bucket, keys[i]);
	}
	return r;
}
