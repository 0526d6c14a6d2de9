/*
 * Small readers of what S3 puts into its documents.
 */
#include "backends/aws/s3_private.h"
#include "backends/base/xml.h"

const char *s3_xml_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	return !strncmp(path, root, len) && path[len] == '/' ? path + len + 1 : NULL;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int s3_url_decode(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (*in == '+') {
			*out++ = ' '; /* form encoding, as S3 does it; a plus itself comes as %2B */
		} else if (*in == '%') {
			int high = hex_value(in[1]), low = high < 0 ? -1 : hex_value(in[2]);

			if (low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return 0;
}

int s3_xml_u64(struct str text, uint64_t *ret, struct error *err)
{
	if (str_to_u64(str_trim(text), ret) < 0)
		return error_set(err, ERR_PROTOCOL, "the service sent a number that is none");
	return 0;
}

/* Length of the UTF-8 sequence at p when XML 1.0 has that character, else 0. */
static size_t xml_char_length(const unsigned char *p)
{
	unsigned code;

	if (p[0] < 0x80)
		return p[0] >= 0x20 || p[0] == '\t' || p[0] == '\n' || p[0] == '\r';
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		return (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] < 0xf0) {
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		code = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		return code >= 0x800 && (code < 0xd800 || code > 0xdfff) && code < 0xfffe ? 3 : 0;
	}
	if (p[0] >= 0xf0 && p[0] < 0xf5) {
		if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
			return 0;
		code = (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
		       (p[3] & 0x3fu);
		return code >= 0x10000 && code <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

bool s3_xml_can_carry(const char *key)
{
	for (const unsigned char *p = (const unsigned char *)key; *p;) {
		size_t len = xml_char_length(p);

		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

int s3_xml_version(struct str document, const char *path, char ret[STORE_VERSION_MAX],
		   struct error *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT(1024);
	struct error missing = ERROR_INIT;
	int r = xml_find(str_trim(document), path, &text, &missing);

	if (r < 0 && missing.kind != ERR_NOT_FOUND) {
		*err = missing;
		return r;
	}
	return s3_version_set(buf_cstr(&text), ret, err);
}
