#pragma once
/*
 * Purpose: scope-bound release of what a local variable owns, and moving ownership out of one.
 *
 *	CLEANUP(buf_release) struct buf body = BUF_INIT(4096);
 *	CLEANUP(freep) char *path = strdup(name);
 *	return steal(path);		// now the caller's
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn)    __attribute__((cleanup(fn)))
#define MUST_CHECK     __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))

/* Moves a pointer out of a variable, leaving NULL behind. */
#define steal(p)                                                                                   \
	({                                                                                         \
		__auto_type steal_tmp = (p);                                                       \
		(p) = NULL;                                                                        \
		steal_tmp;                                                                         \
	})

#define container_of(ptr, type, member)                                                            \
	({                                                                                         \
		__auto_type container_ptr = (ptr);                                                 \
		(type *)((char *)container_ptr - offsetof(type, member));                          \
	})

/* For CLEANUP on a pointer that free() releases. */
static inline void freep(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* For CLEANUP on a file descriptor; -1 means none. */
static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about it here; writers check on their own */
}

/* Moves a descriptor out of a variable, leaving -1 behind. */
static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}
