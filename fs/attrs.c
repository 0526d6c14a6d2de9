#include "fs/attrs.h"
#include "backends/base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define XATTRS_MAX	64
#define XATTR_VALUE_MAX 65536

void attrs_release(struct attrs *a)
{
	xattrs_free(a->xattrs);
	free(a->link_target);
	*a = ATTRS_INIT;
}

static int parse_u32(const char *text, uint32_t *ret)
{
	uint64_t value;

	if (str_to_u64(str_of(text), &value) < 0 || value > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

/* s3fs writes the mode in decimal, rclone in octal; a decimal reading that is no mode was octal. */
static void parse_mode(const char *text, struct attrs *a)
{
	char *end;
	unsigned long mode;

	bool is_octal = text[0] == '0' && text[1]; /* s3fs writes no leading zero */

	if (!is_octal && parse_u32(text, &a->mode) == 0 && a->mode <= 0xffff)
		return;
	errno = 0;
	mode = strtoul(text, &end, 8);
	a->mode = errno || *end || mode > 0xffff ? 0 : (uint32_t)mode;
}

/* "1700000000", "1700000000.5", "1700000000.123456789", or a date. */
static void parse_mtime(const char *text, struct attrs *a)
{
	struct str rest = str_of(text);
	struct str whole = str_split(&rest, '.');
	int64_t seconds, scale = 100000000, nanos = 0;

	/* rclone on Azure: "2026-11-23T16:00:00.123456789Z" */
	if (clock_parse_iso8601(text, &seconds) == 0) {
		a->mtime_ns = seconds;
		return;
	}
	if (str_to_i64(whole, &seconds) < 0 || seconds > INT64_MAX / 1000000000 || seconds < INT64_MIN / 1000000000)
		return;
	for (size_t i = 0; rest.ptr && i < rest.len && scale; i++, scale /= 10) {
		if (rest.ptr[i] < '0' || rest.ptr[i] > '9')
			return;
		nanos += (rest.ptr[i] - '0') * scale;
	}
	a->mtime_ns = clock_ns_of((struct timespec){ .tv_sec = seconds, .tv_nsec = nanos }); /* the last there is comes back, too */
}

static int percent_encode(struct str raw, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.ptr[i];
		bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
				c == '-' || c == '_' || c == '.';
		char escape[3] = { '%', hex[c >> 4], hex[c & 15] };
		int r = is_plain ? buf_addc(out, (char)c) : buf_add(out, escape, 3);

		if (r < 0)
			return r;
	}
	return 0;
}

static int percent_decode(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte;
		int r;

		if (text.ptr[i] == '%' && i + 2 < text.len &&
		    hex_decode((struct str){ text.ptr + i + 1, 2 }, &byte, 1) == 1) {
			r = buf_addc(out, (char)byte);
			i += 2;
		} else {
			r = buf_addc(out, text.ptr[i]);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int xattrs_push(struct xattrs *x, const char *name, const void *value, size_t len)
{
	struct xattr *items = realloc(x->items, (x->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	x->items = items;
	items[x->count] = (struct xattr){ strdup(name), malloc(len + 1), len };
	x->count++; /* before the check, so that xattrs_free sees halves too */
	if (!items[x->count - 1].name || !items[x->count - 1].value)
		return -ENOMEM;
	memcpy(items[x->count - 1].value, value, len);
	items[x->count - 1].value[len] = '\0';
	return 0;
}

static int xattrs_from_json(struct json_object *o, struct xattrs **ret)
{
	struct xattrs *x = calloc(1, sizeof(*x));
	int r = x ? 0 : -ENOMEM;

	json_object_object_foreach(o, name, value) {
		CLEANUP(buf_release) struct buf raw = BUF_INIT(XATTR_VALUE_MAX);

		if (r < 0 || x->count >= XATTRS_MAX)
			break;
		if (!json_object_is_type(value, json_type_string) ||
		    base64_decode(str_of(json_object_get_string(value)), &raw) < 0)
			continue;
		r = xattrs_push(x, name, buf_cstr(&raw), raw.len);
	}
	if (r < 0 || x->count == 0) {
		xattrs_free(x);
		x = NULL;
	}
	*ret = x;
	return r;
}

static int parse_xattrs(const char *text, struct attrs *a)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT(XATTR_VALUE_MAX);
	CLEANUP(json_putp) struct json_object *o = NULL;

	if (percent_decode(str_of(text), &plain) < 0 ||
	    json_parse(buf_str(&plain), XATTR_VALUE_MAX, &o, NULL) < 0 ||
	    !json_object_is_type(o, json_type_object))
		return 0;
	xattrs_free(a->xattrs);
	a->xattrs = NULL;
	return xattrs_from_json(o, &a->xattrs);
}

static int set_link(struct attrs *a, const char *target)
{
	free(a->link_target);
	a->link_target = strdup(target);
	a->mode = S_IFLNK | 0777;
	return a->link_target ? 0 : -ENOMEM;
}

int attrs_from_meta(const struct store_meta *meta, size_t count, struct attrs *ret)
{
	*ret = ATTRS_INIT;
	for (size_t i = 0; i < count; i++) {
		const char *name = meta[i].name, *value = meta[i].value;
		int r = 0;

		if (strcmp(name, "mode") == 0 && !ret->link_target)
			parse_mode(value, ret);
		else if (strcmp(name, "uid") == 0)
			ret->has_owner |= parse_u32(value, &ret->uid) == 0;
		else if (strcmp(name, "gid") == 0)
			ret->has_owner |= parse_u32(value, &ret->gid) == 0;
		else if (strcmp(name, "mtime") == 0)
			parse_mtime(value, ret);
		else if (strcmp(name, "goog-reserved-file-mtime") == 0 && !ret->mtime_ns)
			parse_mtime(value, ret); /* gsutil, gcloud */
		else if (strcmp(name, "goog-reserved-file-is-symlink") == 0 && strcmp(value, "true") == 0)
			ret->mode = S_IFLNK | 0777; /* gcsfuse since version 3: the content is the target */
		else if (strcmp(name, "gcsfuse_mtime") == 0)
			(void)clock_parse_iso8601(value, &ret->mtime_ns); /* nonsense stays "not told" */
		else if (strcmp(name, "--symlink-target") == 0 || strcmp(name, "gcsfuse_symlink_target") == 0)
			r = set_link(ret, value);
		else if (strcmp(name, "is_symlink") == 0 && strcasecmp(value, "true") == 0 && !ret->mode)
			ret->mode = S_IFLNK | 0777; /* blobfuse2: the target is the content, as with s3fs */
		else if (strcmp(name, "xattr") == 0)
			r = parse_xattrs(value, ret);
		if (r < 0) {
			attrs_release(ret);
			return r;
		}
	}
	return 0;
}

static int xattrs_to_text(const struct xattrs *x, struct buf *out)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();

	for (size_t i = 0; o && i < x->count; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT(2 * XATTR_VALUE_MAX);
		int r = base64_encode(x->items[i].value, x->items[i].len, &text);

		if (r < 0)
			return r;
		json_object_object_add(o, x->items[i].name, json_object_new_string(buf_cstr(&text)));
	}
	return o ? buf_adds(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)) : -ENOMEM;
}

static void add_meta(struct store_meta *list, size_t *count, const char *name, const char *value, int *r)
{
	if (!value)
		*r = -ENOMEM;
	list[(*count)++] = (struct store_meta){ name, value };
}

int attrs_to_meta(const struct attrs *a, struct arena *arena, struct store_meta **ret, size_t *ret_count)
{
	struct store_meta *list = arena_alloc(arena, 5 * sizeof(*list));
	char number[48];
	size_t count = 0;
	int64_t seconds = a->mtime_ns / 1000000000, nanos = a->mtime_ns % 1000000000;
	int r = 0;

	if (!list)
		return -ENOMEM;
	if (nanos < 0) {
		nanos += 1000000000;
		seconds--;
	}
	(void)snprintf(number, sizeof(number), "%" PRIu32, a->mode);
	add_meta(list, &count, "mode", arena_strdup(arena, number), &r);
	(void)snprintf(number, sizeof(number), "%" PRIu32, a->uid);
	add_meta(list, &count, "uid", arena_strdup(arena, number), &r);
	(void)snprintf(number, sizeof(number), "%" PRIu32, a->gid);
	add_meta(list, &count, "gid", arena_strdup(arena, number), &r);
	(void)snprintf(number, sizeof(number), "%" PRId64 ".%09" PRId64, seconds, nanos);
	add_meta(list, &count, "mtime", arena_strdup(arena, number), &r);
	if (a->xattrs && a->xattrs->count) {
		CLEANUP(buf_release) struct buf json = BUF_INIT(8 * XATTR_VALUE_MAX);
		CLEANUP(buf_release) struct buf text = BUF_INIT(24 * XATTR_VALUE_MAX);

		if (xattrs_to_text(a->xattrs, &json) < 0 || percent_encode(buf_str(&json), &text) < 0)
			return -ENOMEM;
		add_meta(list, &count, "xattr", arena_strdup(arena, buf_cstr(&text)), &r);
	}
	*ret = list;
	*ret_count = count;
	return r;
}

int attrs_of_node(const struct node *n, struct attrs *ret)
{
	*ret = (struct attrs){ .mode = n->mode, .uid = n->uid, .gid = n->gid, .mtime_ns = n->mtime_ns, .has_owner = true };
	if (rare_of(n)->xattrs && !(ret->xattrs = xattrs_copy(n->rare->xattrs)))
		return -ENOMEM;
	if (rare_of(n)->link_target && !(ret->link_target = strdup(n->rare->link_target))) {
		attrs_release(ret);
		return -ENOMEM;
	}
	return 0;
}

void attrs_to_node(struct attrs *a, struct node *n)
{
	uint32_t type = n->mode & S_IFMT;

	if (a->mode && S_ISLNK(a->mode) && n->type == NODE_FILE) {
		n->type = NODE_SYMLINK;
		type = S_IFLNK;
	} else if (S_ISREG(a->mode) && n->type == NODE_SYMLINK) { /* somebody put a file in its place */
		n->type = NODE_FILE;
		type = S_IFREG;
		if (n->rare)
			free(steal(n->rare->link_target));
	}
	if (a->mode)
		n->mode = type | (a->mode & 07777);
	if (a->has_owner) {
		n->uid = a->uid;
		n->gid = a->gid;
	}
	if (a->mtime_ns)
		node_set_times(n, a->mtime_ns);
	n->has_attrs = true;
	if ((a->xattrs || a->link_target) && !rare_make(n)) {
		n->has_attrs = false; /* they are asked for again */
		return;
	}
	if (!n->rare)
		return;
	xattrs_free(n->rare->xattrs);
	n->rare->xattrs = steal(a->xattrs);
	if (a->link_target) {
		free(n->rare->link_target);
		n->rare->link_target = steal(a->link_target);
	}
	rare_tidy(n);
}

int attrs_to_json(const struct attrs *a, struct json_object *into)
{
	json_object_object_add(into, "mode", json_object_new_int64(a->mode));
	json_object_object_add(into, "uid", json_object_new_int64(a->uid));
	json_object_object_add(into, "gid", json_object_new_int64(a->gid));
	json_object_object_add(into, "mtime", json_object_new_int64(a->mtime_ns));
	if (a->link_target) {
		CLEANUP(buf_release) struct buf text = BUF_INIT(65536);

		if (base64_encode(a->link_target, strlen(a->link_target), &text) < 0)
			return -ENOMEM;
		json_object_object_add(into, "link", json_object_new_string(buf_cstr(&text)));
	}
	if (a->xattrs) {
		CLEANUP(buf_release) struct buf text = BUF_INIT(8 * XATTR_VALUE_MAX);

		if (xattrs_to_text(a->xattrs, &text) < 0)
			return -ENOMEM;
		json_object_object_add(into, "xattrs", json_tokener_parse(buf_cstr(&text)));
	}
	return 0;
}

int attrs_from_json(struct json_object *o, struct attrs *ret)
{
	const char *link = json_get_string(o, "link");
	struct json_object *xattrs = NULL;

	*ret = (struct attrs){
		.mode = (uint32_t)json_get_int64(o, "mode", 0),
		.uid = (uint32_t)json_get_int64(o, "uid", 0),
		.gid = (uint32_t)json_get_int64(o, "gid", 0),
		.mtime_ns = json_get_int64(o, "mtime", 0),
		.has_owner = true,
	};
	if (link) {
		struct buf raw = BUF_INIT(65536);

		if (base64_decode(str_of(link), &raw) == 0)
			ret->link_target = buf_detach(&raw);
		buf_release(&raw);
	}
	if (json_object_object_get_ex(o, "xattrs", &xattrs) && json_object_is_type(xattrs, json_type_object))
		return xattrs_from_json(xattrs, &ret->xattrs);
	return 0;
}

struct xattrs *xattrs_copy(const struct xattrs *x)
{
	struct xattrs *copy = NULL;

	if (!x || xattrs_with(x, "", NULL, 0, &copy) < 0)
		return NULL;
	return copy;
}

const struct xattr *xattrs_find(const struct xattrs *x, const char *name)
{
	for (size_t i = 0; x && i < x->count; i++)
		if (strcmp(x->items[i].name, name) == 0)
			return &x->items[i];
	return NULL;
}

int xattrs_with(const struct xattrs *x, const char *name, const void *value, size_t len, struct xattrs **ret)
{
	struct xattrs *copy = calloc(1, sizeof(*copy));
	int r = copy ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && x && i < x->count; i++)
		if (strcmp(x->items[i].name, name) != 0)
			r = xattrs_push(copy, x->items[i].name, x->items[i].value, x->items[i].len);
	if (r == 0 && value && copy->count >= XATTRS_MAX)
		r = -ENOSPC;
	if (r == 0 && value)
		r = xattrs_push(copy, name, value, len);
	if (r < 0 || copy->count == 0) {
		xattrs_free(copy);
		copy = NULL;
	}
	*ret = copy;
	return r;
}
