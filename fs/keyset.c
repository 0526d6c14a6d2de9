#include "fs/keyset.h"

#include "backends/base/hash.h"

#include <string.h>

void keyset_release(struct keyset *s)
{
	free(s->items);
	*s = (struct keyset){ .items = NULL };
}

/* Digested together, with the NUL between them, which neither holds. */
static uint64_t digest(const char *key, const char *version)
{
	unsigned char bytes[HASH_SHA256_LEN];
	char text[1024 + 1 + 128 + 1];
	size_t key_len = strlen(key), version_len = strlen(version);
	uint64_t result;

	if (key_len > 1024 || version_len > 128) { /* no key of a store is; both count all the same */
		hash_sha256(key, key_len, bytes);
		memcpy(&result, bytes, sizeof(result));
		return result;
	}
	memcpy(text, key, key_len + 1);
	memcpy(text + key_len + 1, version, version_len);
	hash_sha256(text, key_len + 1 + version_len, bytes);
	memcpy(&result, bytes, sizeof(result));
	return result;
}

int keyset_add(struct keyset *s, const char *key, const char *version, struct error *err)
{
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 256;
		uint64_t *items = realloc(s->items, capacity * sizeof(*items));

		if (!items)
			return error_set(err, ERR_NO_MEMORY, "no memory to rename");
		s->items = items;
		s->capacity = capacity;
	}
	s->items[s->count++] = digest(key, version);
	s->is_sorted = false;
	return 0;
}

static int compare(const void *left, const void *right)
{
	uint64_t a, b;

	memcpy(&a, left, sizeof(a));
	memcpy(&b, right, sizeof(b));
	return (a > b) - (a < b);
}

bool keyset_has(struct keyset *s, const char *key, const char *version)
{
	uint64_t wanted = digest(key, version);

	if (!s->count)
		return false;
	if (!s->is_sorted)
		qsort(s->items, s->count, sizeof(*s->items), compare);
	s->is_sorted = true;
	return bsearch(&wanted, s->items, s->count, sizeof(*s->items), compare) != NULL;
}
