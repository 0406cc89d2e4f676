/*
 * Log lines. A line is formatted into one buffer and written by one write(2),
 * so that lines of the engine and of the command it runs do not mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_LINE 2048
#define LOG_SITE_INTERVAL_MS 1000

static enum log_level max_level = LOG_LEVEL_WARN;
static bool as_json;
static int out_fd = STDERR_FILENO;
static int worker = -1;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_setup(enum log_level level, bool json, int fd)
{
	max_level = level;
	as_json = json;
	out_fd = fd;
}

enum log_level log_level(void)
{
	return max_level;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_set_worker(int n)
{
	worker = n;
}

char *log_escape(const void *data, size_t len, char *buf, size_t size)
{
	const uint8_t *p = data;
	size_t at = 0;

	for (size_t i = 0; i < len && at + 5 <= size; i++) {
		if (p[i] < 0x20 || p[i] >= 0x7f || p[i] == '"' || p[i] == '\\')
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", p[i]);
		else
			buf[at++] = (char)p[i];
	}
	if (size)
		buf[at < size ? at : size - 1] = 0;
	return buf;
}

static size_t put(char *line, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static size_t put(char *line, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + at, LOG_LINE - at, fmt, ap);
	va_end(ap);
	if (n < 0)
		return at;
	return at + (size_t)n < LOG_LINE ? at + (size_t)n : LOG_LINE - 1;
}

/* A message is made of our own words and of parts that were escaped already,
 * whose backslashes JSON wants doubled. */
static size_t put_json_string(char *line, size_t at, const char *text)
{
	for (; *text && at + 8 < LOG_LINE; text++) {
		if (*text == '"' || *text == '\\')
			line[at++] = '\\';
		if ((uint8_t)*text < 0x20)
			at = put(line, at, "\\u%04x", *text);
		else
			line[at++] = *text;
	}
	return at;
}

/* Truth when the site may speak; counts what it holds back. */
static bool site_open(struct log_site *site, unsigned *held)
{
	uint64_t now = clock_ms();

	if (site->last_ms && now - site->last_ms < LOG_SITE_INTERVAL_MS) {
		site->held++;
		return false;
	}
	*held = site->held;
	site->held = 0;
	site->last_ms = now ? now : 1;
	return true;
}

void log_at(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char message[LOG_LINE / 2], line[LOG_LINE];
	unsigned held = 0;
	size_t at = 0;
	va_list ap;

	if (level != LOG_LEVEL_DEBUG && !site_open(site, &held))
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);

	if (as_json) {
		at = put(line, at, "{\"time\":%llu,\"level\":\"%s\",\"message\":\"", (unsigned long long)clock_unix(),
			 level_names[level]);
		at = put_json_string(line, at, message);
		at = put(line, at, "\"");
		if (worker >= 0)
			at = put(line, at, ",\"worker\":%d", worker);
		if (held)
			at = put(line, at, ",\"held_back\":%u", held);
		at = put(line, at, "}");
	} else {
		at = put(line, at, "gatun: %s%s%s", level == LOG_LEVEL_INFO ? "" : level_names[level],
			 level == LOG_LEVEL_INFO ? "" : ": ", message);
		if (worker >= 0)
			at = put(line, at, " worker=%d", worker);
		if (held)
			at = put(line, at, " held_back=%u", held);
	}
	if (at > LOG_LINE - 2)
		at = LOG_LINE - 2;
	line[at++] = '\n';
	if (write(out_fd, line, at) < 0)
		return; /* nowhere left to say so */
}
