#pragma once
/*
 * Purpose: logging: one event name and key=value pairs a line, to stderr, or to syslog in the background.
 *
 *	log_warn("upload.retry", "key='%s' attempt=%u error='%s'", key, attempt, err.message);
 *
 * Invariants: control bytes in what is logged are shown escaped, so that one event is one line. Secrets
 *	never reach a log call: struct secret has no formatter.
 * Threads: any thread; a line is written with one write(2).
 */
#include "backends/base/cleanup.h"
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_FILE };

/* Call before other threads start. file_path is for LOG_TARGET_FILE only (appended, mode 0600). */
int log_init(enum log_level level, enum log_target target, const char *file_path);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
int log_level_from_name(const char *name, enum log_level *ret); /* "error" .. "debug", or -EINVAL */

void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF(3, 4);
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_event(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)                                                                      \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__);                            \
	} while (0)
