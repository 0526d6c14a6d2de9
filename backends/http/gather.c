#include "backends/http/gather.h"

void gather_release(struct gather *g)
{
	free(g->bytes);
	*g = (struct gather){ 0 };
}

void gather_flush(struct gather *g)
{
	struct attempt *a = g->owner;
	size_t len = g->len;

	g->owner = NULL;
	g->len = 0;
	if (a && len && a->err.kind == ERR_NONE)
		(void)attempt_take(a, g->bytes, len); /* its err tells */
}

bool gather_add(struct gather *g, struct attempt *a, const void *data, size_t len)
{
	if (g->owner != a)
		gather_flush(g);
	if (!g->bytes)
		g->bytes = malloc(GATHER_BYTES);
	if (!g->bytes) /* as they come, then */
		return attempt_take(a, data, len);
	while (len) {
		size_t room = GATHER_BYTES - g->len, n = len < room ? len : room;

		memcpy(g->bytes + g->len, data, n);
		g->owner = a;
		g->len += n;
		data = (const char *)data + n;
		len -= n;
		if (g->len == GATHER_BYTES)
			gather_flush(g);
	}
	return a->err.kind == ERR_NONE;
}
