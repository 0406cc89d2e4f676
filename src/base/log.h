/*
 * One line per event: a sentence, then key=value. log_info("server %s refused
 * the connection flow=%u err=%s", ...). Everything from outside goes through
 * target_format/log_escape first: no control byte reaches the terminal.
 *
 * Each call site prints at most once a second; what was held back is counted
 * and printed with the next line. Never called per packet on the hot path.
 */
#ifndef GATUN_BASE_LOG_H
#define GATUN_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_site {
	uint64_t last_ms;
	unsigned held;
};

/* level: lines above it are dropped. json: one JSON object per line. fd: where to (2). */
void log_setup(enum log_level level, bool json, int fd);
enum log_level log_level(void);
void log_set_level(enum log_level);
/* Lines of this process end with worker=N. */
void log_set_worker(int n);

void log_at(struct log_site *site, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define LOG_AT(level_, ...) \
	do { \
		static struct log_site log_site_; \
		if ((level_) <= log_level()) \
			log_at(&log_site_, (level_), __VA_ARGS__); \
	} while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Printable form of bytes from outside: control, quote, backslash and non-ASCII
 * bytes as \xHH, cut to fit `size`. Returns buf. */
char *log_escape(const void *data, size_t len, char *buf, size_t size);

#endif
