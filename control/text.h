#pragma once
/*
 * Purpose: text for people: sizes, durations, names made safe for a terminal, and "did you mean".
 * Threads: pure functions.
 */
#include "backends/base/buf.h"

/* Appends s with control bytes (C0, DEL and the C1 set in UTF-8) shown as \xNN: names come from
 * clouds and must not drive a terminal. */
int text_escape(struct buf *out, const char *s) MUST_CHECK;
/* "812", "1.2K", "10G". */
void text_size(uint64_t bytes, char ret[16]);
/* "5s", "1m05s", "2h10m", "3d4h". */
void text_duration(uint64_t seconds, char ret[24]);
/* Whether a typed word is near enough to a known one to be taken for it in a hint. */
bool text_is_near(const char *typed, const char *known);
