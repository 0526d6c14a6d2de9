#include "tests/unit/backends/store/fake_store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct fake_store *fake_of(struct store *s)
{
	return container_of(s, struct fake_store, store);
}

static int note(struct store *s, const char *what, const char *key, struct error *err)
{
	struct fake_store *f = fake_of(s);

	assert_non_null(err); /* slots always get a real one */
	f->calls++;
	assert_int_equal(buf_addf(&f->log, "%s(%s)|", what, key), 0);
	if (f->fails_at && f->calls == f->fails_at)
		return error_set(err, f->fails_with, "as the test wants it");
	return 0;
}

static int fake_put(struct store *s, const char *bucket, const char *key,
		    const struct store_source *source, const struct store_put_args *args,
		    char *ret_version, struct error *err)
{
	int r = note(s, "put", key, err);

	(void)bucket;
	(void)args;
	if (r < 0)
		return r;
	fake_of(s)->bytes += store_source_length(source);
	(void)snprintf(ret_version, STORE_VERSION_MAX, "v%u", fake_of(s)->calls);
	return 0;
}

static int fake_delete(struct store *s, const char *bucket, const char *key, const char *if_version,
		       const char *version_id, struct error *err)
{
	(void)bucket;
	(void)if_version;
	(void)version_id;
	return note(s, "delete", key, err);
}

static int fake_head(struct store *s, const char *bucket, const char *key, const char *version_id,
		     struct arena *arena, struct store_object *ret, struct error *err)
{
	(void)bucket;
	(void)version_id;
	(void)arena;
	*ret = (struct store_object){ .size = fake_of(s)->object_size, .version = "v" };
	return note(s, "head", key, err);
}

static int fake_copy(struct store *s, const char *from_bucket, const char *from_key,
		     const char *bucket, const char *key, const struct store_copy_args *args,
		     char *ret_version, struct error *err)
{
	(void)from_bucket;
	(void)bucket;
	(void)key;
	(void)args;
	(void)ret_version;
	return note(s, "copy", from_key, err);
}

static int fake_begin(struct store *s, const char *bucket, const char *key,
		      const struct store_put_args *args, char **ret_upload_id, struct error *err)
{
	int r = note(s, "begin", key, err);

	(void)bucket;
	(void)args;
	if (r >= 0)
		*ret_upload_id = strdup("id");
	return r;
}

static int fake_part(struct store *s, const char *bucket, const char *key, const char *upload_id,
		     unsigned number, const struct store_source *source, struct cancel *cancel,
		     struct store_part *ret, struct error *err)
{
	char what[32];

	(void)bucket;
	(void)upload_id;
	(void)cancel;
	(void)snprintf(what, sizeof(what), "part%u:%llu", number,
		       (unsigned long long)store_source_length(source));
	fake_of(s)->bytes += store_source_length(source);
	*ret = (struct store_part){ .number = number };
	return note(s, what, key, err);
}

static int fake_part_copy(struct store *s, const char *from_bucket, const char *from_key,
			  const char *if_source_version, uint64_t offset, uint64_t length,
			  const char *bucket, const char *key, const char *upload_id,
			  unsigned number, struct cancel *cancel, struct store_part *ret,
			  struct error *err)
{
	char what[64];

	(void)from_bucket;
	(void)from_key;
	(void)bucket;
	(void)upload_id;
	(void)cancel;
	(void)snprintf(what, sizeof(what), "copy%u@%s:%llu+%llu", number, if_source_version,
		       (unsigned long long)offset, (unsigned long long)length);
	*ret = (struct store_part){ .number = number };
	return note(s, what, key, err);
}

static int fake_complete(struct store *s, const char *bucket, const char *key,
			 const char *upload_id, const struct store_part *parts, size_t count,
			 const struct store_put_args *args, char *ret_version, struct error *err)
{
	(void)bucket;
	(void)upload_id;
	(void)parts;
	(void)count;
	(void)args;
	(void)ret_version;
	return note(s, "complete", key, err);
}

static int fake_abort(struct store *s, const char *bucket, const char *key, const char *upload_id,
		      struct error *err)
{
	(void)bucket;
	(void)upload_id;
	return note(s, "abort", key, err);
}

static void fake_free(struct store *s)
{
	buf_release(&fake_of(s)->log);
	free(fake_of(s));
}

static const struct store_ops fake_ops = {
	.type = "fake",
	.put = fake_put,
	.delete = fake_delete,
	.head = fake_head,
	.copy = fake_copy,
	.upload_begin = fake_begin,
	.upload_part = fake_part,
	.part_copy = fake_part_copy,
	.upload_complete = fake_complete,
	.upload_abort = fake_abort,
	.free = fake_free,
};

struct fake_store *fake_store_new(void)
{
	struct fake_store *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->log = BUF_INIT(1 << 20);
	f->store = (struct store){ .ops = &fake_ops,
				   .name = strdup("fake"),
				   .caps = STORE_CAP_COPY | STORE_CAP_PART_COPY | STORE_CAP_FLAT,
				   .limits = { .max_object_bytes = 1000,
					       .max_put_bytes = 100,
					       .max_copy_bytes = 100,
					       .min_part_bytes = 10,
					       .max_part_bytes = 50,
					       .max_parts = 10,
					       .max_metadata_bytes = 32 } };
	return f;
}

void fake_expect(struct fake_store *f, const char *want)
{
	assert_string_equal(buf_cstr(&f->log), want);
	buf_clear(&f->log);
	if (f->log.data)
		f->log.data[0] = '\0';
	f->calls = 0;
}
