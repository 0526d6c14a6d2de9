#pragma once
/*
 * Purpose: places where a test build can be made to die, so that every step between two writes is tried out. Compiled
 * in by the CMake option SKYDIR_FAULT_POINTS only; elsewhere FAULT_POINT is nothing at all.
 *
 *	FAULT_POINT("put-done");	a literal: its name stands in the program's table of points
 *
 * What the environment says (read once, at the first point):
 *	SKYDIR_FAULT=NAME:N[,NAME:N...]	the process kills itself with SIGKILL at its N-th pass of the point NAME (1: the first)
 *	SKYDIR_FAULT_SEEN=FILE		the name of each point is appended to FILE when it is first passed
 *	SKYDIR_FAULT_LIST=1		the program prints the names of all its points and exits before main
 *	SKYDIR_FAULT_CLOCK=FILE		two native int64 in FILE (nanoseconds) are added to wall and monotonic time at
 *					every reading: how a test makes the clock jump
 *	SKYDIR_FAULT_BOOT=TEXT		stands in for the boot id of the system: how a test plays a restart
 * Threads: any.
 */
#include <stdint.h>

#ifdef SKYDIR_FAULT_POINTS

/* The linker gathers the names: __start_ and __stop_skydir_faults are around them. */
#define FAULT_POINT(name)                                                                          \
	do {                                                                                       \
		static const char *const fault_name_                                               \
			__attribute__((used, section("skydir_faults"))) = (name);                  \
		static _Atomic uint64_t fault_passes_;                                             \
		fault_pass(fault_name_, &fault_passes_);                                           \
	} while (0)

void fault_pass(const char *name, _Atomic uint64_t *passes);
int64_t fault_wall_jump_ns(void);
int64_t fault_mono_jump_ns(void);
/* NULL: the real boot id counts. */
const char *fault_boot(void);

#else

#define FAULT_POINT(name) ((void)0)

#endif
