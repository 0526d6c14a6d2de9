#include "backends/base/log.h"
#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#define TEXT_BYTES 2048 /* of one event, before control bytes are escaped */
#define LINE_BYTES 4096 /* of the line written; PIPE_BUF, so that lines in a pipe do not mix */

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static atomic_int current_level = LOG_LEVEL_WARN;
static enum log_target current_target = LOG_TARGET_STDERR; /* immutable once threads run */
static int log_fd = STDERR_FILENO;			    /* likewise */

int log_init(enum log_level level, enum log_target target, const char *file_path)
{
	int fd = STDERR_FILENO;
	if (target == LOG_TARGET_FILE) {
		fd = open(file_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return -errno;
	} else if (target == LOG_TARGET_SYSLOG) {
		openlog("skydir", LOG_PID, LOG_DAEMON);
	}
	if (current_target == LOG_TARGET_FILE)
		(void)close(log_fd); /* nothing buffered */
	log_fd = fd;
	current_target = target;
	log_set_level(level);
	return 0;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_level_from_name(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Bytes of the printable UTF-8 character at p, 0 when there is none: no UTF-8, or a control character
 * (U+0080 to U+009F too, which some terminals obey). */
static size_t printable_at(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0))
		return 0;
	return str_utf8_char((struct str){ (const char *)p, strnlen((const char *)p, 4) });
}

/* Copies text to line from len on, escaping what is not printable; returns the new length. */
static size_t add_escaped(char *line, size_t len, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text;
	while (*p && len + 6 < LINE_BYTES) {
		size_t n = printable_at(p);
		if (n > 0) {
			memcpy(line + len, p, n);
			len += n;
			p += n;
			continue;
		}
		line[len++] = '\\';
		if (*p == '\n') {
			line[len++] = 'n';
		} else {
			line[len++] = 'x';
			line[len++] = digits[*p >> 4];
			line[len++] = digits[*p & 15];
		}
		p++;
	}
	return len;
}

static size_t add_head(char *line, enum log_level level, const char *event)
{
	int n = 0;
	if (current_target == LOG_TARGET_FILE) {
		char stamp[25];
		clock_format_iso8601(clock_wall_ns(), stamp);
		n = snprintf(line, LINE_BYTES / 2, "%s %s: %s", stamp, level_names[level], event);
	} else if (current_target == LOG_TARGET_STDERR) {
		n = snprintf(line, LINE_BYTES / 2, "skydir: %s: %s", level_names[level], event);
	} else {
		n = snprintf(line, LINE_BYTES / 2, "%s", event);
	}
	return n < 0 ? 0 : (size_t)n < LINE_BYTES / 2 ? (size_t)n : LINE_BYTES / 2 - 1;
}

static void write_line(enum log_level level, char *line, size_t len)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	if (current_target == LOG_TARGET_SYSLOG) {
		line[len] = '\0';
		syslog(priorities[level], "%s", line);
		return;
	}
	line[len++] = '\n';
	ssize_t n;
	do {
		n = write(log_fd, line, len);
	} while (n < 0 && errno == EINTR); /* any other failure has nowhere to be reported */
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	if (!log_enabled(level))
		return;
	int saved_errno = errno; /* callers log between a failing call and looking at errno */
	char text[TEXT_BYTES];
	char line[LINE_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	size_t len = add_head(line, level, event);
	if (n > 0) {
		line[len++] = ' ';
		len = add_escaped(line, len, text);
	}
	write_line(level, line, len);
	errno = saved_errno;
}
