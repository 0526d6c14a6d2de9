#include "backends/base/fault.h"

#ifdef SKYDIR_FAULT_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Weak: a program without a single point has no such section. */
extern const char *const __start_skydir_faults[] __attribute__((weak));
extern const char *const __stop_skydir_faults[] __attribute__((weak));

static const char *fault_plan;
static int fault_seen_fd = -1;
static const volatile int64_t *fault_jumps; /* wall, monotonic */
static pthread_once_t fault_once = PTHREAD_ONCE_INIT;

static void fault_setup(void)
{
	const char *seen = getenv("SKYDIR_FAULT_SEEN"), *clock = getenv("SKYDIR_FAULT_CLOCK");
	int fd = clock ? open(clock, O_RDONLY | O_CLOEXEC) : -1;

	fault_plan = getenv("SKYDIR_FAULT");
	if (seen)
		fault_seen_fd = open(seen, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0) {
		void *at = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

		if (at != MAP_FAILED)
			fault_jumps = at;
		(void)close(fd);
	}
}

/* The pass at which the plan wants an end at this point; 0: at none. */
static uint64_t fault_wanted(const char *name)
{
	size_t len = strlen(name);

	for (const char *at = fault_plan; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, len) == 0 && at[len] == ':')
			return strtoull(at + len + 1, NULL, 10);
	return 0;
}

void fault_pass(const char *name, _Atomic uint64_t *passes)
{
	uint64_t pass;

	(void)pthread_once(&fault_once, fault_setup);
	pass = atomic_fetch_add(passes, 1) + 1;
	if (pass == 1 && fault_seen_fd >= 0) {
		char line[128];
		int len = snprintf(line, sizeof(line), "%s\n", name);

		(void)!write(fault_seen_fd, line, (size_t)len); /* a report for tests only */
	}
	if (fault_plan && pass == fault_wanted(name))
		(void)kill(getpid(), SIGKILL);
}

int64_t fault_wall_jump_ns(void)
{
	(void)pthread_once(&fault_once, fault_setup);
	return fault_jumps ? fault_jumps[0] : 0;
}

int64_t fault_mono_jump_ns(void)
{
	(void)pthread_once(&fault_once, fault_setup);
	return fault_jumps ? fault_jumps[1] : 0;
}

const char *fault_boot(void)
{
	return getenv("SKYDIR_FAULT_BOOT");
}

__attribute__((constructor)) static void fault_list(void)
{
	if (!getenv("SKYDIR_FAULT_LIST"))
		return;
	for (const char *const *at = __start_skydir_faults; at < __stop_skydir_faults; at++)
		(void)puts(*at);
	(void)fflush(stdout);
	_exit(0);
}

#endif
