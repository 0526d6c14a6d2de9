/*
 * Containers: list, make, delete.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/list-containers2, create-container, delete-container and
 * get-container-properties (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/clock.h"
#include "backends/base/xml.h"
#include <stdio.h>

#define CONTAINERS "EnumerationResults/Containers/Container"
#define PAGES_MOST 1000

struct reader {
	struct store_bucket_page *page;
	size_t capacity;
	char *token; /* heap */
	bool has_root;
};

static int no_room(struct error *err)
{
	return error_set(err, ERR_TOO_LARGE, "there are too many containers to list");
}

static int containers_start(void *arg, const char *path, struct error *err)
{
	struct reader *b = arg;
	struct store_bucket_page *page = b->page;

	b->has_root |= !strcmp(path, "EnumerationResults");
	if (strcmp(path, CONTAINERS))
		return 0;
	if (page->count == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 64;
		struct store_bucket *grown = arena_alloc(&page->arena, capacity * sizeof(*grown));

		if (!grown)
			return no_room(err);
		if (page->count)
			memcpy(grown, page->buckets, page->count * sizeof(*grown));
		page->buckets = grown;
		b->capacity = capacity;
	}
	page->buckets[page->count++] = (struct store_bucket){ 0 };
	return 0;
}

static int containers_text(void *arg, const char *path, struct str text, struct error *err)
{
	struct reader *b = arg;
	struct store_bucket *last = b->page->count ? &b->page->buckets[b->page->count - 1] : NULL;
	char when[64];
	int64_t modified_s = 0;

	if (!strcmp(path, "EnumerationResults/NextMarker") && text.len) {
		free(b->token);
		b->token = str_dup(text);
		return b->token ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	if (!last)
		return 0;
	if (!strcmp(path, CONTAINERS "/Name")) {
		last->name = arena_strndup(&b->page->arena, text.ptr, text.len);
		return last->name ? 0 : no_room(err);
	}
	if (!strcmp(path, CONTAINERS "/Properties/Last-Modified")) {
		(void)snprintf(when, sizeof(when), "%.*s", (int)(text.len < 63 ? text.len : 63), text.ptr);
		if (clock_parse_http(when, &modified_s) == 0)
			last->created_wall_ns = modified_s * 1000000000;
	}
	return 0;
}

static int containers_end(void *arg, const char *path, struct error *err)
{
	struct reader *b = arg;

	if (!strcmp(path, CONTAINERS) && !b->page->buckets[b->page->count - 1].name)
		return error_set(err, ERR_PROTOCOL, "the list of containers holds a nameless one");
	return 0;
}

static int list_once(struct az_store *s, struct reader *b, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_GET, "ListContainers", NULL, NULL);
	CLEANUP(freep) char *token = steal(b->token);
	const struct xml_handler handler = {
		.start = containers_start, .text = containers_text, .end = containers_end, .arg = b
	};
	int r;

	az_call_query(&c, "comp", "list");
	if (token)
		az_call_query(&c, "marker", token);
	az_call_answer(&c, NULL);
	r = az_call_perform(&c, err);
	if (r >= 0)
		r = xml_parse(str_trim(buf_str(&c.answer)), &handler, err);
	if (r < 0)
		return r;
	if (!b->has_root)
		return error_set(err, ERR_PROTOCOL, "the answer is no list of containers");
	if (token && b->token && !strcmp(token, b->token))
		return error_set(err, ERR_PROTOCOL, "the list of containers does not come to an end");
	return 0;
}

int az_bucket_list(struct store *store, struct store_bucket_page *ret, struct error *err)
{
	struct reader b = { .page = ret };
	int r = 0;

	for (unsigned i = 0; r >= 0 && (i == 0 || b.token); i++)
		r = i < PAGES_MOST ? list_once(az_of(store), &b, err) : no_room(err);
	free(b.token);
	return r;
}

/* The service knows 3 to 63 lower-case letters, digits and hyphens, or one of its own names. */
static int check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (!strcmp(name, "$root") || !strcmp(name, "$web") || !strcmp(name, "$logs"))
		return 0;
	if (len < 3 || len > 63 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
	    name[0] == '-' || name[len - 1] == '-' || strstr(name, "--"))
		return error_set(err, ERR_INVALID,
				 "'%.64s' is no name for a container (3 to 63 lower-case letters, digits and '-')",
				 name);
	return 0;
}

static int container_call(struct az_store *s, enum http_method method, const char *operation,
			  const char *container, unsigned *ret_attempts, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, method, operation, container, NULL);
	int r = check_name(container, err);

	if (r < 0)
		return r;
	az_call_query(&c, "restype", "container");
	r = az_call_perform(&c, err);
	*ret_attempts = c.response.attempts;
	return r;
}

int az_bucket_create(struct store *store, const char *container, struct error *err)
{
	unsigned attempts = 0;
	int r = container_call(az_of(store), HTTP_PUT, "CreateContainer", container, &attempts, err);

	if (r < 0 && err->kind == ERR_EXISTS && attempts > 1) {
		*err = ERROR_INIT; /* our own first attempt made it */
		return 0;
	}
	return r;
}

/* The service deletes a container with all that is in it, old versions too: nobody who says rmdir means that. What is added between
 * the look and the delete is lost, so the look is the last thing before, and the delete is bound to the container that was seen. */
int az_bucket_delete(struct store *store, const char *container, struct error *err)
{
	CLEANUP(store_page_release) struct store_page page = STORE_PAGE_INIT;
	const struct store_list_args args = { .prefix = "", .max_keys = 1 };
	unsigned attempts = 0;
	int r = check_name(container, err);

	if (r >= 0)
		r = az_list_versions(store, container, &args, &page, err);
	if (r < 0)
		return r;
	if (page.count)
		return error_set(err, ERR_NOT_EMPTY, "container '%.64s': it is not empty", container);
	r = container_call(az_of(store), HTTP_DELETE, "DeleteContainer", container, &attempts, err);
	if (r < 0 && err->kind == ERR_NOT_FOUND && attempts > 1) {
		*err = ERROR_INIT; /* our own first attempt deleted it */
		return 0;
	}
	return r;
}

int az_bucket_exists(struct store *store, const char *container, struct error *err)
{
	unsigned attempts = 0;
	struct error bad = ERROR_INIT;

	if (check_name(container, &bad) < 0) /* a look-up of any name: there is none such */
		return error_set(err, ERR_NOT_FOUND, "container '%.64s' not found", container);
	return container_call(az_of(store), HTTP_HEAD, "GetContainerProperties", container, &attempts, err);
}
