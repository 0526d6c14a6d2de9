#pragma once
/*
 * Purpose: random numbers: from the kernel, or from a seed in tests.
 * Threads: any.
 */
#include <stddef.h>
#include <stdint.h>

void random_bytes(void *ret, size_t len);
uint64_t random_u64(void);
/* Uniform in [0, below); 0 when below is 0. */
uint64_t random_below(uint64_t below);
/* Tests: from now on a deterministic sequence from this seed; 0 goes back to the kernel. */
void random_seed(uint64_t seed);
