/*
 * Where an HTTP/1 body ends. A chunked one is followed byte by byte through
 * its sizes, extensions and trailers, and passed on as it is; what is not
 * exactly of that form is refused, so that two ends never disagree about it.
 */
#include <errno.h>

#include "proto/http_connect.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER_START, TRAILER, TRAILER_LF, LAST_LF };

#define SIZE_DIGITS_MAX 15

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length)
{
	*b = (struct http_body){ .framing = framing, .left = framing == HTTP_LENGTH ? length : 0 };
	b->done = framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && !length);
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct http_body *b, uint8_t c)
{
	int digit = hex(c);

	if (digit >= 0 && b->digits < SIZE_DIGITS_MAX) {
		b->left = b->left * 16 + (unsigned)digit;
		b->digits++;
		return 0;
	}
	if (digit >= 0 || b->digits == 0 || (c != ';' && c != '\r'))
		return -EPROTO;
	b->digits = 0;
	b->state = c == ';' ? EXTENSION : SIZE_LF;
	return 0;
}

static int expect(struct http_body *b, uint8_t c, uint8_t want, uint8_t next)
{
	b->state = next;
	return c == want ? 0 : -EPROTO;
}

static int line_byte(struct http_body *b, uint8_t c, uint8_t next)
{
	if (c == '\r')
		b->state = next;
	return c == '\n' || c == 0 ? -EPROTO : 0;
}

/* A byte that is no data. */
static int control_byte(struct http_body *b, uint8_t c)
{
	switch (b->state) {
	case SIZE:
		return size_byte(b, c);
	case EXTENSION:
		return line_byte(b, c, SIZE_LF);
	case SIZE_LF:
		return expect(b, c, '\n', b->left ? DATA : TRAILER_START);
	case DATA_CR:
		return expect(b, c, '\r', DATA_LF);
	case DATA_LF:
		return expect(b, c, '\n', SIZE);
	case TRAILER_START:
		b->state = c == '\r' ? LAST_LF : TRAILER;
		return c == '\n' || c == 0 ? -EPROTO : 0;
	case TRAILER:
		return line_byte(b, c, TRAILER_LF);
	case TRAILER_LF:
		return expect(b, c, '\n', TRAILER_START);
	default:
		b->done = true;
		return c == '\n' ? 0 : -EPROTO;
	}
}

static size_t take_left(struct http_body *b, size_t len)
{
	size_t n = b->left < len ? (size_t)b->left : len;

	b->left -= n;
	return n;
}

ssize_t http_body_scan(struct http_body *b, const uint8_t *in, size_t len)
{
	size_t at = 0;

	if (b->done)
		return 0;
	if (b->framing == HTTP_UNTIL_CLOSE)
		return (ssize_t)len;
	if (b->framing == HTTP_LENGTH) {
		at = take_left(b, len);
		b->done = b->left == 0;
		return (ssize_t)at;
	}
	while (at < len && !b->done) {
		if (b->state == DATA) {
			at += take_left(b, len - at);
			if (!b->left)
				b->state = DATA_CR;
		} else if (control_byte(b, in[at++]) != 0) {
			return -EPROTO;
		}
	}
	return (ssize_t)at;
}
