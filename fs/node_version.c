#include "fs/node_version.h"
#include <stdio.h>

#define HEX_BYTES  16u
#define SIX_MOST   21u /* characters in 128 bits */
#define PARTS_MOST ((1u << 14) - 1)

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\"-";

/* The number of parts behind a digest; -1 where it is not written as it will be read. */
static int parse_parts(const char *text)
{
	unsigned value = 0;

	if (!*text)
		return 0;
	if (text[0] != '-' || text[1] < '1' || text[1] > '9')
		return -1;
	for (text++; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > PARTS_MOST)
			return -1;
	}
	return (int)value;
}

static bool set_hex(struct node *n, const char *version)
{
	int parts = strspn(version, "0123456789abcdef") == 2 * HEX_BYTES ? parse_parts(version + 2 * HEX_BYTES) : -1;

	if (parts < 0 || hex_decode((struct str){ version, 2 * HEX_BYTES }, n->version.bytes, HEX_BYTES) != HEX_BYTES)
		return false;
	n->version_kind = NODE_VERSION_HEX;
	n->version_detail = (uint16_t)parts;
	return true;
}

static bool set_six(struct node *n, const char *version)
{
	size_t len = strlen(version);

	if (len > SIX_MOST || strspn(version, alphabet) != len)
		return false;
	memset(n->version.bytes, 0, sizeof(n->version.bytes));
	for (size_t i = 0; i < len; i++) {
		unsigned value = (unsigned)(strchr(alphabet, version[i]) - alphabet), bit = 6 * (unsigned)i;

		n->version.bytes[bit / 8] |= (unsigned char)(value << bit % 8);
		if (bit % 8 > 2)
			n->version.bytes[bit / 8 + 1] |= (unsigned char)(value >> (8 - bit % 8));
	}
	n->version_kind = NODE_VERSION_SIX;
	n->version_detail = (uint16_t)len;
	return true;
}

static void get_six(const struct node *n, char *text)
{
	for (unsigned i = 0; i < n->version_detail; i++) {
		unsigned bit = 6 * i, value = n->version.bytes[bit / 8] >> bit % 8;

		if (bit % 8 > 2)
			value |= (unsigned)n->version.bytes[bit / 8 + 1] << (8 - bit % 8);
		text[i] = alphabet[value & 63];
	}
}

static void get_hex(const struct node *n, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HEX_BYTES; i++) {
		*text++ = digits[n->version.bytes[i] >> 4];
		*text++ = digits[n->version.bytes[i] & 15];
	}
	if (n->version_detail)
		(void)snprintf(text, 8, "-%u", (unsigned)n->version_detail);
}

struct version_text node_version(const struct node *n)
{
	struct version_text ret = { "" };

	switch ((enum node_version_kind)n->version_kind) {
	case NODE_VERSION_NONE:
		break;
	case NODE_VERSION_HEX:
		get_hex(n, ret.text);
		break;
	case NODE_VERSION_SIX:
		get_six(n, ret.text);
		break;
	case NODE_VERSION_TEXT:
		memcpy(ret.text, n->version.text, strnlen(n->version.text, sizeof(ret.text) - 1));
		break;
	}
	return ret;
}

bool node_is_version(const struct node *n, const char *version)
{
	return node_has_version(n) && strcmp(node_version(n).text, version) == 0;
}

void node_set_version(struct node *n, const char *version)
{
	char *before = n->version_kind == NODE_VERSION_TEXT ? n->version.text : NULL;

	n->version_kind = NODE_VERSION_NONE;
	if (version && version[0] && !set_hex(n, version) && !set_six(n, version)) {
		n->version.text = strndup(version, STORE_VERSION_MAX - 1);
		n->version_kind = n->version.text ? NODE_VERSION_TEXT : NODE_VERSION_NONE;
	}
	free(before); /* which version may point into */
}

void node_note_pages(struct node *n)
{
	if (n->rare)
		free(steal(n->rare->opened_version));
	if (node_has_version(n) && rare_make(n))
		n->rare->opened_version = strdup(node_version(n).text);
	rare_tidy(n);
}
