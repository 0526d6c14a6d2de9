/* Writes whose answer was lost, conditions a server does not have, batches, multipart, regions. */
#include "tests/unit/backends/aws/fake_s3.h"
#include "backends/aws/s3_private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define OPEN(room, ...)                                                                            \
	static const struct fake_answer script[] = { __VA_ARGS__ };                                \
	struct fake_room room;                                                                     \
	fake_room_open(&room, script, ARRAY_SIZE(script))
#define ERROR_BODY(code)                                                                           \
	"<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>because</Message></Error>"
#define MD5_HELLO "5d41402abc4b2a76b9719d911017c592"

static int put_hello(struct fake_room *room, const struct store_put_args *args, char *ret_version,
		     struct error *err)
{
	struct store_source source = { .fd = -1, .mem = STR("hello") };

	*err = ERROR_INIT;
	return store_put(room->store, "b", "k", &source, args, ret_version, err);
}

static void a_put_whose_answer_was_lost_is_recognised(void **state)
{
	OPEN(room, { .status = 0 }, { .status = 412, .body = ERROR_BODY("PreconditionFailed") },
	     { .status = 200, .headers = "ETag: \"" MD5_HELLO "\"\r\nContent-Length: 5\r\n" },
	     { .status = 0 }, { .status = 412, .body = ERROR_BODY("PreconditionFailed") },
	     { .status = 200, .headers = "ETag: \"somebody-elses\"\r\nContent-Length: 5\r\n" },
	     { .status = 412, .body = ERROR_BODY("PreconditionFailed") });
	struct store_put_args args = { .if_absent = true };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_string_equal(version, MD5_HELLO);
	assert_non_null(strstr(fake_s3_request(room.server, 1), "If-None-Match: *\r\n"));
	/* another's object is another's */
	assert_true(put_hello(&room, &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	/* a first attempt that is refused needs no look */
	assert_true(put_hello(&room, &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(fake_s3_count(room.server), 7);
	fake_room_close(&room);
}

static void a_server_without_conditions_is_remembered(void **state)
{
	OPEN(room, { .status = 501, .body = ERROR_BODY("NotImplemented") }, { .status = 404 },
	     { .status = 200, .headers = "ETag: \"n\"\r\n" },
	     { .status = 200, .headers = "ETag: \"n\"\r\nContent-Length: 5\r\n" },
	     /* now without asking; somebody was faster */
	     { .status = 200, .headers = "ETag: \"x\"\r\nContent-Length: 5\r\n" });
	struct store_put_args args = { .if_absent = true };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	assert_true(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_false(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	assert_non_null(strstr(fake_s3_request(room.server, 1), "HEAD /b/k "));
	assert_null(strstr(fake_s3_request(room.server, 2), "If-None-Match"));
	assert_true(put_hello(&room, &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	fake_room_close(&room);
}

static void ask_anew(struct fake_room *room)
{
	atomic_store(&s3_of(room->store)->kept, 0);
}

#define NAMELESS   { .status = 200 } /* a bucket's HEAD: the server does not tell what it is */
#define REFUSED    { .status = 412, .body = ERROR_BODY("PreconditionFailed") }
#define MADE(tag)  { .status = 200, .headers = "ETag: \"" tag "\"\r\n" }
#define COPIED(tag)                                                                                                        \
	{                                                                                                                  \
		.status = 200, .body = "<CopyObjectResult><ETag>\"" tag "\"</ETag></CopyObjectResult>"                     \
	}

static void an_unknown_server_is_asked_once_whether_it_keeps_conditions(void **state)
{
	OPEN(room, NAMELESS, MADE("e"), REFUSED, REFUSED, MADE("f"),  /* puts */
	     REFUSED, COPIED("f"), REFUSED, REFUSED,	    /* copies */
	     REFUSED, { .status = 204 },		    /* deletes */
	     { .status = 204 }, { .status = 204 },	    /* and what is left of it all */
	     MADE("n"), MADE("m"));
	struct store_put_args args = { .if_version = "old" };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	ask_anew(&room);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 1), "PUT /b/.skydir-probe-"));
	assert_non_null(strstr(fake_s3_request(room.server, 1), "If-None-Match: *"));
	assert_non_null(strstr(fake_s3_request(room.server, 4), "If-Match: \"e\""));
	assert_non_null(strstr(fake_s3_request(room.server, 11), "DELETE /b/.skydir-probe-"));
	assert_non_null(strstr(fake_s3_request(room.server, 13), "PUT /b/k "));
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_int_equal(fake_s3_count(room.server), 15);
	assert_true(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	assert_int_equal(atomic_load(&s3_of(room.store)->kept), S3_KEEPS_KNOWN | (S3_KEEPS_ALL & ~S3_KEEPS_END));
	fake_room_close(&room);
}

/* Ceph's gateway refuses every If-Match, also the right one; the versions of what was asked with are all deleted. */
static void a_server_that_refuses_the_right_version_keeps_no_conditions(void **state)
{
	OPEN(room, NAMELESS, { .status = 200, .headers = "ETag: \"e\"\r\nx-amz-version-id: one\r\n" }, REFUSED, REFUSED, REFUSED,
	     { .status = 204 }, /* taken away again */
	     { .status = 200, .headers = "ETag: \"old\"\r\nContent-Length: 5\r\n" }, MADE("n"),
	     { .status = 200, .headers = "ETag: \"n\"\r\nContent-Length: 5\r\n" });
	struct store_put_args args = { .if_version = "old" };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	ask_anew(&room);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 5), "DELETE /b/.skydir-probe-"));
	assert_non_null(strstr(fake_s3_request(room.server, 5), "versionId=one"));
	assert_null(strstr(fake_s3_request(room.server, 7), "If-Match"));
	assert_false(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	fake_room_close(&room);
}

static void a_server_that_is_known_by_name_is_not_asked(void **state)
{
	OPEN(room, { .status = 200, .headers = "Server: VERSITYGW\r\n" }, MADE("n"));
	struct store_put_args args = { .if_absent = true };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	ask_anew(&room);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 0), "HEAD /b"));
	assert_non_null(strstr(fake_s3_request(room.server, 1), "If-None-Match: *"));
	assert_int_equal(fake_s3_count(room.server), 2);
	fake_room_close(&room);
}

/* The second attempt of a PUT that has reached the server is refused because of the first: that tells nothing. */
static void a_question_that_was_sent_twice_is_asked_again(void **state)
{
	OPEN(room, NAMELESS, { .status = 500 }, REFUSED, { .status = 204 }, /* it may have been made */
	     { .status = 404 }, MADE("n"), { .status = 200, .headers = "ETag: \"n\"\r\nContent-Length: 5\r\n" });
	struct store_put_args args = { .if_absent = true };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	ask_anew(&room);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 3), "DELETE /b/.skydir-probe-"));
	assert_int_equal(fake_s3_count(room.server), 7);
	assert_true(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	assert_int_equal(atomic_load(&s3_of(room.store)->kept), 0);
	fake_room_close(&room);
}

static void a_copy_asks_for_its_source_where_that_condition_is_ignored(void **state)
{
	static const char source[] = "ETag: \"a\"\r\nContent-Length: 5\r\n";
	OPEN(room, { .status = 200, .headers = "ETag: \"b\"\r\nContent-Length: 5\r\n" }, /* changed before */
	     { .status = 200, .headers = source }, COPIED("a"),			    /* the same bytes, by their tag */
	     { .status = 200, .headers = source }, COPIED("c"), { .status = 200, .headers = source },
	     { .status = 200, .headers = source }, COPIED("b"), /* changed between */
	     { .status = 200, .headers = "ETag: \"b\"\r\nContent-Length: 5\r\n" });
	struct store_copy_args args = { .if_source_version = "a" };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	atomic_store(&s3_of(room.store)->kept, S3_KEEPS_KNOWN | S3_KEEPS_PUT);
	assert_true(store_copy(room.store, "b", "from", "b", "to", &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(fake_s3_count(room.server), 1);
	assert_int_equal(store_copy(room.store, "b", "from", "b", "to", &args, version, &err), 0);
	assert_int_equal(fake_s3_count(room.server), 3);
	assert_int_equal(store_copy(room.store, "b", "from", "b", "to", &args, version, &err), 0);
	assert_string_equal(version, "c");
	assert_true(store_copy(room.store, "b", "from", "b", "to", &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(fake_s3_count(room.server), 9);
	fake_room_close(&room);
}

static void a_server_that_ignores_conditions_is_compared_before_and_after(void **state)
{
	static const char old[] = "ETag: \"old\"\r\nContent-Length: 5\r\n";
	static const char done[] = "ETag: \"n\"\r\n";
	static const char new[] = "ETag: \"n\"\r\nContent-Length: 5\r\n";
	static const char other[] = "ETag: \"x\"\r\nContent-Length: 5\r\n";
	OPEN(room, NAMELESS, MADE("e"), MADE("e"), { .status = 204 }, /* asked; taken away again */
	     { .status = 200, .headers = old }, { .status = 200, .headers = done }, { .status = 200, .headers = new },
	     /* changed before */
	     { .status = 200, .headers = other },
	     /* changed between */
	     { .status = 200, .headers = old }, { .status = 200, .headers = done }, { .status = 200, .headers = other });
	struct store_put_args args = { .if_version = "old" };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	ask_anew(&room);
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_string_equal(version, "n");
	assert_non_null(strstr(fake_s3_request(room.server, 3), "DELETE /b/.skydir-probe-"));
	assert_false(room.store->caps & STORE_CAP_CONDITIONAL_PUT);
	assert_int_equal(fake_s3_count(room.server), 7);
	for (int i = 0; i < 2; i++) {
		assert_true(put_hello(&room, &args, version, &err) < 0);
		assert_int_equal(err.kind, ERR_PRECONDITION);
	}
	assert_int_equal(fake_s3_count(room.server), 11);
	fake_room_close(&room);
}

static void two_writers_at_once_are_tried_again_and_then_a_conflict(void **state)
{
	OPEN(room, { .status = 409, .body = ERROR_BODY("ConditionalRequestConflict") },
	     { .status = 200, .headers = "ETag: \"n\"\r\n" },
	     { .status = 409, .body = ERROR_BODY("ConditionalRequestConflict") },
	     { .status = 409, .body = ERROR_BODY("ConditionalRequestConflict") },
	     { .status = 409, .body = ERROR_BODY("ConditionalRequestConflict") });
	struct store_put_args args = { .if_version = "old" };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 0), "If-Match: \"old\"\r\n"));
	assert_true(put_hello(&room, &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFLICT);
	fake_room_close(&room);
}

static const struct store_part two_parts[] = {
	{ .number = 1, .tag = MD5_HELLO, .size = 5 },
	{ .number = 2, .tag = MD5_HELLO, .size = 5 },
};

static void expected_tag(char ret[STORE_VERSION_MAX])
{
	unsigned char both[2 * HASH_MD5_LEN], digest[HASH_MD5_LEN];
	char hex[2 * HASH_MD5_LEN + 1];

	hash_md5("hello", 5, both);
	memcpy(both + HASH_MD5_LEN, both, HASH_MD5_LEN);
	hash_md5(both, sizeof(both), digest);
	hex_encode(digest, sizeof(digest), hex);
	(void)snprintf(ret, STORE_VERSION_MAX, "%s-2", hex);
}

static void a_completed_upload_whose_answer_was_lost_is_recognised(void **state)
{
	char headers[160], tag[STORE_VERSION_MAX], version[STORE_VERSION_MAX] = "";
	struct fake_answer script[] = {
		{ .status = 0 },
		{ .status = 404, .body = ERROR_BODY("NoSuchUpload") },
		{ .status = 200, .headers = headers },
		{ .status = 404, .body = ERROR_BODY("NoSuchUpload") },
		{ .status = 200, .headers = "ETag: \"other-2\"\r\nContent-Length: 10\r\n" },
	};
	struct store_put_args args = { 0 };
	struct error err = ERROR_INIT;
	struct fake_room room;

	(void)state;
	expected_tag(tag);
	(void)snprintf(headers, sizeof(headers), "ETag: \"%s\"\r\nContent-Length: 10\r\n", tag);
	fake_room_open(&room, script, ARRAY_SIZE(script));
	assert_int_equal(store_upload_complete(room.store, "b", "k", "u<1>", two_parts, 2, &args,
					       version, &err),
			 0);
	assert_string_equal(version, tag);
	assert_non_null(strstr(fake_s3_request(room.server, 0),
			       "<Part><PartNumber>2</PartNumber><ETag>&quot;" MD5_HELLO
			       "&quot;</ETag></Part>"));
	assert_non_null(strstr(fake_s3_request(room.server, 0), "POST /b/k?uploadId=u%3C1%3E "));
	assert_true(store_upload_complete(room.store, "b", "k", "u", two_parts, 2, &args, version,
					  &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	fake_room_close(&room);
}

static void an_upload_without_a_tag_in_its_answer_is_asked_about(void **state)
{
	OPEN(room,
	     { .status = 200,
	       .body = "<CompleteMultipartUploadResult><ETag></ETag></"
		       "CompleteMultipartUploadResult>" },
	     { .status = 200, .headers = "ETag: \"t-2\"\r\nContent-Length: 10\r\n" },
	     { .status = 200, .headers = "ETag: \"t-2\"\r\nContent-Length: 10\r\n" });
	struct store_put_args args = { 0 };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(store_upload_complete(room.store, "b", "k", "u", two_parts, 2, &args,
					       version, &err),
			 0);
	assert_string_equal(version, "t-2");
	fake_room_close(&room);
}

static void a_batch_tells_each_keys_fate(void **state)
{
	static const char *const keys[] = { "a&<b>", "denied", "odd\x01", "gone" };
	OPEN(room,
	     { .status = 200,
	       .body = "<DeleteResult><Error><Key>denied</Key><Code>AccessDenied</Code>"
		       "<Message>no</Message></Error><Error><Key>gone</Key><Code>NoSuchKey</Code>"
		       "</Error></DeleteResult>" },
	     { .status = 204 },
	     { .status = 200,
	       .body = "<DeleteResult><Error><Key>stranger</Key><Code>X</Code></Error></"
		       "DeleteResult>" });
	struct error results[4], err = ERROR_INIT;
	const char *request;

	(void)state;
	assert_int_equal(store_delete_many(room.store, "b", keys, 4, results, &err), 0);
	assert_int_equal(results[0].kind, ERR_NONE);
	assert_int_equal(results[1].kind, ERR_PERMISSION);
	assert_int_equal(results[2].kind, ERR_NONE);
	assert_int_equal(results[3].kind, ERR_NONE);
	request = fake_s3_request(room.server, 0);
	assert_non_null(strstr(request, "POST /b?delete= "));
	assert_non_null(strstr(request, "<Key>a&amp;&lt;b&gt;</Key>"));
	assert_null(strstr(request, "odd"));
	assert_non_null(strcasestr(request, "content-md5: "));
	assert_non_null(strstr(fake_s3_request(room.server, 1), "DELETE /b/odd%01 "));
	assert_true(store_delete_many(room.store, "b", keys, 1, results, &err) < 0);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	fake_room_close(&room);
}

static void a_server_without_batches_gets_single_deletes(void **state)
{
	static const char *const keys[] = { "a", "b" };
	OPEN(room, { .status = 501, .body = ERROR_BODY("NotImplemented") }, { .status = 204 },
	     { .status = 404 }, { .status = 204 }, { .status = 204 });
	struct error results[2], err = ERROR_INIT;

	(void)state;
	assert_int_equal(store_delete_many(room.store, "b", keys, 2, results, &err), 0);
	assert_int_equal(results[1].kind, ERR_NONE);
	assert_false(room.store->caps & STORE_CAP_DELETE_MANY);
	assert_int_equal(store_delete_many(room.store, "b", keys, 2, results, &err), 0);
	assert_int_equal(fake_s3_count(room.server), 5);
	fake_room_close(&room);
}

static void another_region_is_learnt_once(void **state)
{
	OPEN(room,
	     { .status = 400,
	       .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region "
		       "'us-east-1' "
		       "is wrong; expecting 'eu-west-1'</Message></Error>" },
	     { .status = 200, .headers = "ETag: \"n\"\r\n" },
	     { .status = 200, .headers = "ETag: \"n\"\r\n" },
	     /* a region that would be a host name of its own */
	     { .status = 301,
	       .headers = "x-amz-bucket-region: evil.example/\r\n",
	       .body = ERROR_BODY("PermanentRedirect") });
	struct store_put_args args = { 0 };
	char version[STORE_VERSION_MAX] = "";
	struct error err;

	(void)state;
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 0), "/us-east-1/s3/aws4_request"));
	assert_non_null(strstr(fake_s3_request(room.server, 1), "/eu-west-1/s3/aws4_request"));
	assert_int_equal(put_hello(&room, &args, version, &err), 0);
	assert_non_null(strstr(fake_s3_request(room.server, 2), "/eu-west-1/s3/aws4_request"));
	assert_true(put_hello(&room, &args, version, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(fake_s3_count(room.server), 4);
	fake_room_close(&room);
}

static void a_refused_head_is_explained_by_a_get(void **state)
{
	OPEN(room, { .status = 400 }, { .status = 400, .body = ERROR_BODY("KeyTooLongError") },
	     { .status = 403 }, { .status = 403, .body = ERROR_BODY("SignatureDoesNotMatch") });
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct store_object o;
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(store_head(room.store, "b", "k", NULL, &arena, &o, &err) < 0);
	assert_int_equal(err.kind, ERR_NAME_TOO_LONG);
	assert_true(store_bucket_exists(room.store, "b", &err) < 0);
	assert_int_equal(err.kind, ERR_UNAUTHENTICATED);
	fake_room_close(&room);
}

static void a_delete_of_what_is_gone_succeeds(void **state)
{
	OPEN(room, { .status = 404, .body = ERROR_BODY("NoSuchKey") },
	     { .status = 404, .body = ERROR_BODY("NoSuchBucket") },
	     { .status = 412, .body = ERROR_BODY("PreconditionFailed") }, { .status = 404 },
	     { .status = 412, .body = ERROR_BODY("PreconditionFailed") },
	     { .status = 200, .headers = "ETag: \"new\"\r\nContent-Length: 5\r\n" });
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(store_delete(room.store, "b", "k", NULL, NULL, &err), 0);
	assert_true(store_delete(room.store, "b", "k", NULL, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(store_delete(room.store, "b", "k", "old", NULL, &err), 0);
	assert_true(store_delete(room.store, "b", "k", "old", NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	fake_room_close(&room);
}

static void replaced_metadata_keeps_the_other_headers(void **state)
{
	OPEN(room,
	     { .status = 200,
	       .headers = "ETag: \"e\"\r\nContent-Length: 5\r\nContent-Type: image/png\r\n"
			  "Cache-Control: no-store\r\nx-amz-storage-class: STANDARD_IA\r\n" },
	     { .status = 200, .body = "<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>" });
	const struct store_meta meta = { "mode", "33188" };
	char version[STORE_VERSION_MAX] = "";
	struct error err = ERROR_INIT;
	const char *copy;

	(void)state;
	assert_int_equal(store_set_meta(room.store, "b", "k +%", NULL, &meta, 1, version, &err), 0);
	assert_string_equal(version, "e");
	copy = fake_s3_request(room.server, 1);
	assert_non_null(strstr(copy, "x-amz-copy-source: /b/k%20%2B%25\r\n"));
	assert_non_null(strstr(copy, "x-amz-copy-source-if-match: \"e\"\r\n"));
	assert_non_null(strstr(copy, "x-amz-metadata-directive: REPLACE\r\n"));
	assert_non_null(strstr(copy, "x-amz-meta-mode: 33188\r\n"));
	assert_non_null(strstr(copy, "Content-Type: image/png\r\n"));
	assert_non_null(strstr(copy, "cache-control: no-store\r\n"));
	assert_non_null(strstr(copy, "x-amz-storage-class: STANDARD_IA\r\n"));
	fake_room_close(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_put_whose_answer_was_lost_is_recognised),
		cmocka_unit_test(a_server_without_conditions_is_remembered),
		cmocka_unit_test(an_unknown_server_is_asked_once_whether_it_keeps_conditions),
		cmocka_unit_test(a_server_that_refuses_the_right_version_keeps_no_conditions),
		cmocka_unit_test(a_server_that_is_known_by_name_is_not_asked),
		cmocka_unit_test(a_question_that_was_sent_twice_is_asked_again),
		cmocka_unit_test(a_copy_asks_for_its_source_where_that_condition_is_ignored),
		cmocka_unit_test(a_server_that_ignores_conditions_is_compared_before_and_after),
		cmocka_unit_test(two_writers_at_once_are_tried_again_and_then_a_conflict),
		cmocka_unit_test(a_completed_upload_whose_answer_was_lost_is_recognised),
		cmocka_unit_test(an_upload_without_a_tag_in_its_answer_is_asked_about),
		cmocka_unit_test(a_batch_tells_each_keys_fate),
		cmocka_unit_test(a_server_without_batches_gets_single_deletes),
		cmocka_unit_test(another_region_is_learnt_once),
		cmocka_unit_test(a_refused_head_is_explained_by_a_get),
		cmocka_unit_test(a_delete_of_what_is_gone_succeeds),
		cmocka_unit_test(replaced_metadata_keeps_the_other_headers),
	};

	return cmocka_run_group_tests_name("s3 writes", tests, NULL, NULL);
}
