#include "backends/base/secret.h"

int secret_set(struct secret *s, struct str value)
{
	char *bytes = str_dup(value);
	if (!bytes)
		return -ENOMEM;
	secret_release(s);
	s->bytes = bytes;
	s->len = value.len;
	return 0;
}

int secret_copy(struct secret *to, const struct secret *from)
{
	if (to == from)
		return 0;
	if (!from->bytes) {
		secret_release(to);
		return 0;
	}
	return secret_set(to, secret_str(from));
}

void secret_release(struct secret *s)
{
	if (!s)
		return;
	if (s->bytes)
		explicit_bzero(s->bytes, s->len); /* memset before free may be optimised away */
	free(s->bytes);
	s->bytes = NULL;
	s->len = 0;
}
