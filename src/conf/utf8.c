/* A strict UTF-8 decoder (no surrogates, no overlong forms) and what a log may
 * not contain; see utf8.h. */
#include "conf/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the sequence at p (NUL-terminated), its code point in *cp; 0 if it is none. */
static int decode(const uint8_t *p, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

	if (n <= 1) {
		*cp = p[0];
		return n;
	}
	*cp = p[0] & (0x7f >> n);
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return *cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000) ? 0 : n;
}

static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069);
}

void utf8_make_printable(char *text)
{
	uint8_t *in = (uint8_t *)text, *out = in;
	uint32_t cp;

	while (*in) {
		int n = decode(in, &cp);

		if (n == 0 || is_control(cp)) {
			*out++ = '?';
			in += n ? n : 1;
		} else {
			memmove(out, in, (size_t)n);
			out += n;
			in += n;
		}
	}
	*out = 0;
}
