#include "backends/base/buf.h"
#include <stdio.h>

void buf_release(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->capacity = 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

int buf_reserve(struct buf *b, size_t extra)
{
	if (b->len > b->limit || extra > b->limit - b->len)
		return -EFBIG;
	size_t need = b->len + extra;
	if (need >= SIZE_MAX / 2)
		return -EFBIG;
	if (b->data && need < b->capacity)
		return 0;
	/* Doubling, but never more than the limit and its NUL: limits are also memory budgets. */
	size_t capacity = b->capacity ? b->capacity : 64;
	while (capacity <= need)
		capacity *= 2;
	if (capacity > b->limit && need <= b->limit)
		capacity = b->limit + 1;
	char *data = realloc(b->data, capacity);
	if (!data)
		return -ENOMEM;
	data[b->len] = '\0';
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	int r = buf_reserve(b, len);
	if (r < 0)
		return r;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.ptr, s.len);
}

int buf_adds(struct buf *b, const char *cstring)
{
	return buf_add(b, cstring, strlen(cstring));
}

int buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_vaddf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	size_t room = b->data ? b->capacity - b->len : 0;
	int n = vsnprintf(room ? b->data + b->len : NULL, room, format, args);
	int r = 0;
	if (n < 0)
		r = -EINVAL;
	else if ((size_t)n >= room)
		r = buf_reserve(b, (size_t)n);
	else if (b->len + (size_t)n > b->limit)
		r = -EFBIG;
	if (r == 0 && (size_t)n >= room)
		(void)vsnprintf(b->data + b->len, (size_t)n + 1, format, again); /* as measured */
	va_end(again);
	if (r == 0)
		b->len += (size_t)n;
	else if (b->data)
		b->data[b->len] = '\0'; /* the first try may have written past len */
	return r;
}

int buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int r = buf_vaddf(b, format, args);
	va_end(args);
	return r;
}

char *buf_detach(struct buf *b)
{
	char *data = b->data ? b->data : calloc(1, 1);
	b->data = NULL;
	b->len = 0;
	b->capacity = 0;
	return data;
}
