/* See text.h. */
#include "ctl/text.h"

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/log.h"
#include "conf/utf8.h"

/* ---- numbers ---- */

const char *text_bytes(json_int_t n, char buf[TEXT_SIZE])
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)n;
	size_t unit = 0;

	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	snprintf(buf, TEXT_SIZE, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

const char *text_bytes_short(json_int_t n, char buf[TEXT_SIZE])
{
	static const char units[] = " kMGTPE";
	double value = (double)n;
	size_t unit = 0;

	while (value >= 999.95 && unit + 2 < sizeof(units)) {
		value /= 1000;
		unit++;
	}
	if (unit)
		snprintf(buf, TEXT_SIZE, "%.1f%c", value, units[unit]);
	else
		snprintf(buf, TEXT_SIZE, "%.0f", value);
	return buf;
}

const char *text_duration(json_int_t s, char buf[TEXT_SIZE])
{
	if (s >= 86400)
		snprintf(buf, TEXT_SIZE, "%lld d %lld h", (long long)s / 86400, (long long)s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(buf, TEXT_SIZE, "%lld h %lld min", (long long)s / 3600, (long long)s % 3600 / 60);
	else if (s >= 60)
		snprintf(buf, TEXT_SIZE, "%lld min %lld s", (long long)s / 60, (long long)s % 60);
	else
		snprintf(buf, TEXT_SIZE, "%lld s", (long long)s);
	return buf;
}

const char *text_duration_short(json_int_t s, char buf[TEXT_SIZE])
{
	static const struct { json_int_t s; char unit; } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	int i = 0;

	while (units[i].s > 1 && s < 2 * units[i].s)
		i++;
	snprintf(buf, TEXT_SIZE, "%lld%c", (long long)(s / units[i].s), units[i].unit);
	return buf;
}

const char *text_count(json_int_t n, char buf[TEXT_SIZE])
{
	char plain[TEXT_SIZE];
	int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n), at = 0;

	for (int i = 0; i < len && at < TEXT_SIZE - 2; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = plain[i];
	}
	buf[at] = 0;
	return buf;
}

/* ---- words ---- */

json_int_t text_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *text_word(const json_t *object, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	bool plain = true;

	for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			return log_escape(text, strlen(text), buf, size);
		plain &= *p < 0x80;
	}
	if (plain)
		return text ? text : "?";
	snprintf(buf, size, "%s", text);
	utf8_make_printable(buf);
	return buf;
}

/* What takes columns as Unicode says, whatever the user's locale is. */
static locale_t unicode(void)
{
	static locale_t made;
	static bool tried;

	if (!tried)
		made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	tried = true;
	return made;
}

static size_t fit(const char *text, int columns, int *width)
{
	size_t at = 0, len = strlen(text);
	mbstate_t state = { 0 };

	*width = 0;
	while (at < len) {
		wchar_t c;
		size_t n = mbrtowc(&c, text + at, len - at, &state);
		int wide = n == 0 || n > len - at ? -1 : wcwidth(c);

		if (wide < 0 || *width + wide > columns)
			break;
		*width += wide;
		at += n;
	}
	return at;
}

size_t text_fit(const char *text, int columns, int *width)
{
	locale_t before = unicode() ? uselocale(unicode()) : (locale_t)0;
	size_t n = fit(text, columns, width);

	if (before)
		uselocale(before);
	return n;
}
