#pragma once
/*
 * Purpose: the two ways to compute CRC64NVME, apart, so that tests can hold them against each other.
 *	Everyone else calls hash_crc64nvme.
 * Threads: pure functions.
 * Source: NVM Express NVM Command Set Specification 1.0, section 5.2.1.3.4 (64b CRC), 2022.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eight bytes a step through eight tables; any CPU. */
uint64_t crc64nvme_table(uint64_t crc, const void *data, size_t len);
/* Whether this CPU has the carry-less multiplication that crc64nvme_fold needs. */
bool crc64nvme_can_fold(void);
/* Sixty-four bytes a step by carry-less multiplication. Only where crc64nvme_can_fold(). */
uint64_t crc64nvme_fold(uint64_t crc, const void *data, size_t len);
