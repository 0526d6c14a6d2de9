/*
 * Accounts with a hierarchical namespace (Data Lake Storage Gen2): directories are real there, and renames are one step.
 *
 * Such an account is known by its options, by its listings (which tell the type of each resource), or by asking it, once,
 * when it first matters. Its directory `d` is the key `d/` here.
 *
 * Source: learn.microsoft.com/rest/api/storageservices/datalakestoragegen2/path/create and get-account-information (2026-11).
 */
#include "backends/azure/blob_private.h"
#include "backends/base/log.h"
#include <strings.h>

void az_hns_learn(struct az_store *s, bool has_hns)
{
	int unknown = AZ_HNS_UNKNOWN;

	if (!atomic_compare_exchange_strong(&s->hns, &unknown, has_hns ? AZ_HNS_YES : AZ_HNS_NO))
		return;
	/* Other threads read base.caps as a plain word. */
	if (has_hns) {
		(void)__atomic_fetch_or(&s->base.caps, STORE_CAP_RENAME | STORE_CAP_RENAME_DIR, __ATOMIC_RELAXED);
		(void)__atomic_fetch_and(&s->base.caps, ~(unsigned)STORE_CAP_FLAT, __ATOMIC_RELAXED);
	}
	log_debug("azure.namespace", "store='%s' hierarchical=%d", s->base.name, has_hns);
}

enum az_hns az_hns_ask(struct az_store *s, struct cancel *cancel)
{
	CLEANUP(az_call_release)
	struct az_call c = AZ_CALL_INIT(s, HTTP_GET, "GetAccountInformation", NULL, NULL);
	struct error err = ERROR_INIT;
	const char *told;

	if (atomic_load(&s->hns) != AZ_HNS_UNKNOWN)
		return (enum az_hns)atomic_load(&s->hns);
	az_call_query(&c, "restype", "account");
	az_call_query(&c, "comp", "properties");
	c.request.cancel = cancel;
	if (az_call_perform(&c, &err) < 0) {
		/* Who may not ask, or a network that fails: the second asks again. */
		if (!error_is_retryable(err.kind) && err.kind != ERR_CANCELLED)
			az_hns_learn(s, false);
		log_debug("azure.namespace", "store='%s' error='%s'", s->base.name, err.message);
		return AZ_HNS_NO;
	}
	told = az_answer_header(&c, "x-ms-is-hns-enabled");
	az_hns_learn(s, told && !strcasecmp(told, "true"));
	return (enum az_hns)atomic_load(&s->hns);
}

/* "name=BASE64,..." of metadata, as that endpoint takes them. */
static void add_properties(struct az_call *c, const struct store_put_args *args)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(32768);

	for (size_t i = 0; i < args->meta_count; i++) {
		az_call_check(c, text.len ? buf_addc(&text, ',') : 0);
		az_call_check(c, az_meta_name_encode(args->meta[i].name, &text));
		az_call_check(c, buf_addc(&text, '='));
		az_call_check(c, base64_encode(args->meta[i].value, strlen(args->meta[i].value), &text));
	}
	if (text.len)
		az_call_header(c, "x-ms-properties", buf_cstr(&text));
}

int az_directory_make(struct az_store *s, const char *container, const char *key,
		      const struct store_put_args *args, char *ret_version, struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "CreateDirectory", container, key);
	char version[STORE_VERSION_MAX] = "";
	int r;

	c.face = AZ_DFS;
	c.is_directory = true;
	c.request.cancel = args->cancel;
	c.request.deadline_mono_ms = args->deadline_mono_ms;
	az_call_query(&c, "resource", "directory");
	az_call_condition(&c, args->if_version, args->if_absent);
	add_properties(&c, args);
	r = az_call_perform(&c, err);
	if (r >= 0)
		r = az_version_set(str_of(az_answer_header(&c, "etag")), version, err);
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}

static int rename_once(struct az_call *c, const char *from_key, const char *if_source_version,
		       struct error *err)
{
	CLEANUP(az_call_release)
	struct az_call from = AZ_CALL_INIT(c->store, HTTP_PUT, "RenamePath", c->container, from_key);
	int r;

	c->face = from.face = AZ_DFS;
	c->is_directory = from.is_directory = az_key_is_directory(from_key);
	r = az_call_aim(&from, err);
	if (r < 0)
		return r;
	/* The path within the account: without what stands before it on an emulator. */
	az_call_header(c, "x-ms-rename-source", from.request.path + strlen(c->store->dfs.path));
	if (c->is_directory)
		az_call_condition(c, NULL, true); /* it would replace an empty one */
	if (if_source_version && *if_source_version)
		az_call_headerf(c, "x-ms-source-if-match", "\"%s\"", if_source_version);
	return az_call_perform(c, err);
}

/* The directory that a key lies in, with its '/'; NULL: the container itself, or no memory. */
static char *parent_of(const char *key)
{
	struct str path = str_of(key);
	const char *slash;

	if (path.len && path.ptr[path.len - 1] == '/')
		path.len--;
	slash = memrchr(path.ptr, '/', path.len);
	return slash ? strndup(key, (size_t)(slash - key) + 1) : NULL;
}

/* After a rename whose answer was lost: the source is gone, and the target is the version that was to be moved. A rename
 * keeps the entity tag. */
static bool was_renamed(struct az_store *s, const char *container, const char *key,
			const char *if_source_version, char ret_version[STORE_VERSION_MAX])
{
	CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
	struct error ignored = ERROR_INIT;
	struct store_object now;

	if (!if_source_version || !*if_source_version ||
	    az_head(&s->base, container, key, NULL, &arena, &now, &ignored) < 0 ||
	    strcmp(now.version, if_source_version) != 0)
		return false;
	memcpy(ret_version, now.version, STORE_VERSION_MAX);
	return true;
}

static int rename_into(struct az_store *s, const char *container, const char *from_key, const char *key,
		       const char *if_source_version, char ret_version[STORE_VERSION_MAX],
		       struct error *err)
{
	CLEANUP(az_call_release) struct az_call c = AZ_CALL_INIT(s, HTTP_PUT, "RenamePath", container, key);
	int r = rename_once(&c, from_key, if_source_version, err);

	if (r < 0 && err->kind == ERR_NOT_FOUND && c.response.attempts > 1 &&
	    was_renamed(s, container, key, if_source_version, ret_version)) {
		*err = ERROR_INIT;
		return 0;
	}
	return r < 0 ? r : az_version_set(str_of(az_answer_header(&c, "etag")), ret_version, err);
}

int az_rename(struct store *store, const char *container, const char *from_key, const char *key,
	      const char *if_source_version, char *ret_version, struct error *err)
{
	struct az_store *s = az_of(store);
	char version[STORE_VERSION_MAX] = "";
	int r;

	if (az_hns_ask(s, NULL) != AZ_HNS_YES)
		return error_set(err, ERR_UNSUPPORTED, "this account cannot rename (it has no hierarchical namespace)");
	if (az_key_is_directory(from_key) != az_key_is_directory(key))
		return error_set(err, ERR_INVALID, "a directory stays one when it is renamed");
	r = rename_into(s, container, from_key, key, if_source_version, version, err);
	/* Unlike a blob, a path needs the directory it lies in. */
	if (r < 0 && az_error_is(err, "RenameDestinationParentPathNotFound")) {
		CLEANUP(freep) char *parent = parent_of(key);
		const struct store_put_args none = { 0 };

		*err = ERROR_INIT;
		r = parent ? az_directory_make(s, container, parent, &none, NULL, err)
			   : error_set(err, ERR_NO_MEMORY, "out of memory");
		if (r >= 0)
			r = rename_into(s, container, from_key, key, if_source_version, version, err);
	}
	if (az_key_is_directory(key))
		version[0] = '\0';
	else if (r >= 0 && !version[0]) {
		CLEANUP(arena_release) struct arena arena = ARENA_INIT(1 << 20);
		struct error ignored = ERROR_INIT;
		struct store_object now;

		if (az_head(store, container, key, NULL, &arena, &now, &ignored) >= 0)
			memcpy(version, now.version, sizeof(version));
	}
	if (r >= 0 && ret_version)
		memcpy(ret_version, version, sizeof(version));
	return r;
}
