/*
 * SSH keys: lines "USER:KEY" of the project's metadata entry "ssh-keys". A pair's name is its user. The metadata is
 * changed as a whole, under its fingerprint, so that no other change is lost.
 *
 * Source: cloud.google.com/compute/docs/connect/add-ssh-keys#metadata (read 2026-11).
 */
#include "backends/gcp/cloud_gcp.h"

static const struct record_source key_map[] = {
	{ "name", "name", NULL, NULL },
	{ "id", "name", NULL, NULL },
	{ "type", "type", NULL, NULL },
	{ "public_key", "public_key", NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static int get_metadata(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	static const char *const none[] = { NULL };
	CLEANUP(json_putp) struct json_object *project = NULL;
	CLEANUP(freep) char *path = NULL;
	struct json_object *metadata;
	int r = gce_path(call, NULL, none, &path, err);

	if (r == 0)
		r = gce_ask(call, HTTP_GET, path, NULL, &project, err);
	if (r < 0)
		return r;
	metadata = json_get(project, "commonInstanceMetadata");
	*ret = metadata ? json_object_get(metadata) : json_object_new_object();
	return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
}

/* The entry that holds the keys, or NULL. */
static struct json_object *keys_entry(struct json_object *metadata)
{
	struct json_object *items = json_get_array(metadata, "items");

	for (size_t i = 0; items && i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		const char *key = json_get_string(item, "key");

		if (key && !strcmp(key, "ssh-keys"))
			return item;
	}
	return NULL;
}

static bool next_line(struct str *rest, struct str *ret_user, struct str *ret_key)
{
	struct str line;

	while (rest->ptr && (line = str_split(rest, '\n')).ptr) {
		*ret_key = str_trim(line);
		*ret_user = str_split(ret_key, ':');
		if (ret_user->len && ret_key->ptr && ret_key->len)
			return true;
	}
	return false;
}

static struct str keys_text(struct json_object *metadata)
{
	const char *text = json_get_string(keys_entry(metadata), "value");

	return str_of(text ? text : "");
}

static struct json_object *key_of(struct str user, struct str key)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "name", json_object_new_string_len(user.ptr, (int)user.len));
	json_object_object_add(o, "type", json_object_new_string_len(key.ptr, (int)strcspn(key.ptr, " \n")));
	json_object_object_add(o, "public_key", json_object_new_string_len(key.ptr, (int)key.len));
	return o;
}

int gce_keypairs_list(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *metadata = NULL;
	CLEANUP(json_putp) struct json_object *list = json_object_new_array();
	struct str rest, user, key;
	int r = get_metadata(call, &metadata, err);

	rest = keys_text(metadata);
	while (r == 0 && next_line(&rest, &user, &key)) {
		CLEANUP(json_putp) struct json_object *one = key_of(user, key);

		r = cloud_list_add(call, key_map, one, &list, err);
	}
	if (r < 0)
		return r;
	*ret = steal(list);
	return 0;
}

int gce_find_key(struct cloud_call *call, const char *name, char **ret, struct error *err)
{
	CLEANUP(json_putp) struct json_object *metadata = NULL;
	struct str rest, user, key;
	int r = get_metadata(call, &metadata, err);

	rest = keys_text(metadata);
	while (r == 0 && next_line(&rest, &user, &key)) {
		if (!str_equal(user, str_of(name)))
			continue;
		*ret = str_format("%s:%.*s", name, (int)key.len, key.ptr);
		return *ret ? 0 : error_set(err, ERR_NO_MEMORY, "out of memory");
	}
	return r < 0 ? r : error_set(err, ERR_NOT_FOUND, "there is no keypair '%.100s'", name);
}

/* The metadata back, with these keys. */
static int put_metadata(struct cloud_call *call, struct json_object *metadata, const char *keys, struct error *err)
{
	static const char *const pieces[] = { "setCommonInstanceMetadata", NULL };
	CLEANUP(freep) char *path = NULL;
	struct json_object *entry = keys_entry(metadata), *body = NULL, *items = json_get(metadata, "items"), *fingerprint;
	int r = gce_path(call, NULL, pieces, &path, err);

	if (r == 0 && entry)
		json_object_object_add(entry, "value", json_object_new_string(keys));
	if (r == 0 && items)
		r = rest_put(&body, "items", json_object_get(items), err);
	if (r == 0 && !entry) {
		entry = json_object_new_object();
		json_object_object_add(entry, "key", json_object_new_string("ssh-keys"));
		json_object_object_add(entry, "value", json_object_new_string(keys));
		if (items)
			r = json_object_array_add(items, entry);
		else
			r = rest_put(&body, "items.0", entry, err);
	}
	fingerprint = json_get(metadata, "fingerprint");
	if (r == 0 && fingerprint)
		r = rest_put(&body, "fingerprint", json_object_get(fingerprint), err);
	if (r < 0) {
		json_object_put(body);
		return r;
	}
	return gce_change(call, HTTP_POST, path, body, err);
}

/* A line of its own must stay one: neither the name nor the key may hold a line's end, and no name a colon. */
static int check_pair(const char *name, struct str key, struct error *err)
{
	if (!*name || strpbrk(name, ":\r\n "))
		return error_set(err, ERR_INVALID, "parameter 'name': a key's name is a user's name here");
	if (!key.len || memchr(key.ptr, '\n', key.len) || memchr(key.ptr, '\r', key.len))
		return error_set(err, ERR_INVALID, "parameter 'public_key' must be one line");
	return 0;
}

int gce_keypairs_create(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf keys = BUF_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *metadata = NULL;
	CLEANUP(json_putp) struct json_object *made = NULL;
	const char *name = cloud_param(call, "name"), *text = cloud_param(call, "public_key");
	struct str rest, user, key, given = str_trim(str_of(text ? text : ""));
	int r;

	if (!text)
		return error_set(err, ERR_UNSUPPORTED, "Google Cloud makes no key pairs: give the public key (--public-key)");
	r = check_pair(name, given, err);
	if (r == 0)
		r = get_metadata(call, &metadata, err);
	rest = keys_text(metadata);
	while (r == 0 && next_line(&rest, &user, &key))
		if (str_equal(user, str_of(name)))
			r = error_set(err, ERR_EXISTS, "keypair '%.100s' exists already", name);
	if (r < 0)
		return r;
	rest = str_trim(keys_text(metadata));
	if (buf_addf(&keys, "%.*s%s%s:%.*s", (int)rest.len, rest.len ? rest.ptr : "", rest.len ? "\n" : "", name,
		     (int)given.len, given.ptr) < 0)
		return error_set(err, ERR_TOO_LARGE, "the project has too many keys");
	r = put_metadata(call, metadata, buf_cstr(&keys), err);
	if (r < 0)
		return r;
	made = key_of(str_of(name), given);
	return cloud_record(call, key_map, made, ret, err);
}

int gce_keypairs_delete(struct cloud_call *call, struct json_object **ret, struct error *err)
{
	CLEANUP(buf_release) struct buf keys = BUF_INIT(1 << 20);
	CLEANUP(json_putp) struct json_object *metadata = NULL;
	const char *name = cloud_param(call, "name");
	struct str rest, line;
	size_t found = 0;
	int r = get_metadata(call, &metadata, err);

	(void)ret; /* nothing is left to tell */
	rest = keys_text(metadata);
	while (r == 0 && rest.ptr && (line = str_split(&rest, '\n')).ptr) {
		struct str key = str_trim(line), user = str_split(&key, ':');

		if (str_equal(user, str_of(name)))
			found++;
		else if (line.len && buf_addf(&keys, "%s%.*s", keys.len ? "\n" : "", (int)line.len, line.ptr) < 0)
			r = error_set(err, ERR_TOO_LARGE, "the project has too many keys");
	}
	if (r == 0 && !found)
		r = error_set(err, ERR_NOT_FOUND, "there is no keypair '%.100s'", name);
	return r < 0 ? r : put_metadata(call, metadata, buf_cstr(&keys), err);
}
