/* Heads of HTTP/1; see http_connect.h. Bodies are http_connect_body.c's. */
#include "proto/http_connect.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_token(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool text_is(struct http_text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.at, word, t.len) == 0;
}

static struct http_text trim(struct http_text t)
{
	while (t.len && (t.at[0] == ' ' || t.at[0] == '\t'))
		t.at++, t.len--;
	while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* The next element of a list with commas; false at its end. */
static bool next_word(struct http_text *list, struct http_text *word)
{
	const char *comma = memchr(list->at, ',', list->len);
	size_t len = comma ? (size_t)(comma - list->at) : list->len;

	if (!list->len)
		return false;
	*word = trim((struct http_text){ list->at, len });
	list->at += len + (comma != NULL);
	list->len -= len + (comma != NULL);
	return true;
}

static bool list_has(struct http_text list, const char *word)
{
	struct http_text one;

	while (next_word(&list, &one))
		if (text_is(one, word))
			return true;
	return false;
}

/* ---- lines ---- */

/* The length of a head with its empty line; 0: it is not all there. */
static size_t head_len(const uint8_t *in, size_t len)
{
	const uint8_t *end = memmem(in, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX, "\r\n\r\n", 4);

	return end ? (size_t)(end - in) + 4 : 0;
}

struct line {
	struct http_text name, value, all; /* all: with its CRLF */
};

/* The header line at *at, and the place behind it. 1; 0 at the empty line; -EPROTO. */
static int next_line(const uint8_t *in, size_t len, size_t *at, struct line *out)
{
	const uint8_t *start = in + *at, *end = memmem(start, len - *at, "\r\n", 2), *colon;

	if (!end)
		return -EPROTO;
	*at = (size_t)(end - in) + 2;
	if (end == start)
		return 0;
	colon = memchr(start, ':', (size_t)(end - start));
	if (!colon || colon == start)
		return -EPROTO;
	for (const uint8_t *p = start; p < colon; p++)
		if (!is_token(*p))
			return -EPROTO; /* a fold, or a blank before the colon, too */
	for (const uint8_t *p = colon + 1; p < end; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return -EPROTO;
	out->name = (struct http_text){ (const char *)start, (size_t)(colon - start) };
	out->value = trim((struct http_text){ (const char *)colon + 1, (size_t)(end - colon - 1) });
	out->all = (struct http_text){ (const char *)start, (size_t)(end - start) + 2 };
	return 1;
}

static int read_length(struct http_text t, uint64_t *out)
{
	uint64_t value = 0;

	if (!t.len || t.len > 18)
		return -EPROTO;
	for (size_t i = 0; i < t.len; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return -EPROTO;
		value = value * 10 + (uint64_t)(t.at[i] - '0');
	}
	*out = value;
	return 0;
}

/* What decides over the body and the connection. 0 or -EPROTO. */
static int read_lines(const uint8_t *in, size_t len, struct http_head *h, struct http_text *host)
{
	bool has_length = false, has_coding = false, close = false, keep = false;
	size_t at = h->lines;
	struct line l;
	int n;

	while ((n = next_line(in, len, &at, &l)) > 0) {
		if (text_is(l.name, "Content-Length")) {
			if (has_length || read_length(l.value, &h->length) != 0)
				return -EPROTO;
			has_length = true;
		} else if (text_is(l.name, "Transfer-Encoding")) {
			if (has_coding || !text_is(l.value, "chunked") || h->minor == 0)
				return -EPROTO;
			has_coding = true;
		} else if (text_is(l.name, "Connection") || text_is(l.name, "Proxy-Connection")) {
			close |= list_has(l.value, "close");
			keep |= list_has(l.value, "keep-alive");
		} else if (text_is(l.name, "Proxy-Authorization")) {
			h->authorization = l.value;
		} else if (text_is(l.name, "Host")) {
			if (host->at)
				return -EPROTO;
			*host = l.value;
		}
	}
	if (n < 0 || (has_length && has_coding))
		return -EPROTO;
	h->keep_alive = h->minor ? !close : keep && !close;
	h->framing = has_coding ? HTTP_CHUNKED : has_length ? HTTP_LENGTH : HTTP_UNTIL_CLOSE;
	return 0;
}

/* ---- requests ---- */

/* "host", "host:port", "[v6]:port" into a target. */
static int read_authority(struct http_text a, uint16_t port, struct target *out)
{
	char text[TARGET_NAME_MAX + 16];
	const char *colon = memrchr(a.at, ':', a.len), *bracket = memrchr(a.at, ']', a.len);
	struct addr ip;

	if (!a.len || a.len >= sizeof(text) || memchr(a.at, '@', a.len))
		return -EPROTO;
	memcpy(text, a.at, a.len);
	text[a.len] = 0;
	if (colon && (!bracket || colon > bracket))
		return target_parse(text, out) == 0 ? 0 : -EPROTO;
	if (!port)
		return -EPROTO;
	if (bracket) {
		if (addr_parse_ip(text, port, &ip) != 0)
			return -EPROTO;
		target_from_addr(out, &ip);
		return 0;
	}
	return target_set(out, text, a.len, port) == 0 ? 0 : -EPROTO;
}

static int read_absolute(struct http_text uri, struct http_head *h)
{
	size_t end = 7;

	if (uri.len <= 7 || strncasecmp(uri.at, "http://", 7) != 0)
		return -EPROTO;
	while (end < uri.len && !strchr("/?#", uri.at[end]))
		end++;
	h->authority = (struct http_text){ uri.at + 7, end - 7 };
	h->path = (struct http_text){ uri.at + end, uri.len - end };
	if (memchr(h->path.at, '#', h->path.len))
		return -EPROTO;
	return read_authority(h->authority, 80, &h->target);
}

/* "METHOD URI HTTP/1.x". */
static int read_request_line(struct http_text line, struct http_head *h)
{
	const char *sp1 = memchr(line.at, ' ', line.len), *sp2 = memrchr(line.at, ' ', line.len);
	struct http_text uri;

	if (!sp1 || sp1 == sp2 || line.at + line.len - sp2 != 9 || memcmp(sp2 + 1, "HTTP/1.", 7) != 0 ||
	    (sp2[8] != '0' && sp2[8] != '1'))
		return -EPROTO;
	h->minor = (unsigned)(sp2[8] - '0');
	h->method = (struct http_text){ line.at, (size_t)(sp1 - line.at) };
	uri = (struct http_text){ sp1 + 1, (size_t)(sp2 - sp1 - 1) };
	for (size_t i = 0; i < h->method.len; i++)
		if (!is_token((uint8_t)h->method.at[i]))
			return -EPROTO;
	for (size_t i = 0; i < uri.len; i++)
		if ((uint8_t)uri.at[i] <= 0x20 || (uint8_t)uri.at[i] >= 0x7f)
			return -EPROTO;
	h->connect = h->method.len == 7 && memcmp(h->method.at, "CONNECT", 7) == 0;
	h->is_head = h->method.len == 4 && memcmp(h->method.at, "HEAD", 4) == 0;
	if (!h->connect)
		return read_absolute(uri, h);
	h->authority = uri;
	return read_authority(uri, 0, &h->target);
}

ssize_t http_read_request(const uint8_t *in, size_t len, struct http_head *h)
{
	size_t n = head_len(in, len);
	const uint8_t *end = memmem(in, len, "\r\n", 2);
	struct http_text host = { 0 };

	*h = (struct http_head){ 0 };
	if (!n)
		return 0;
	h->lines = (size_t)(end - in) + 2;
	if (read_request_line((struct http_text){ (const char *)in, (size_t)(end - in) }, h) != 0 || read_lines(in, n, h, &host) != 0)
		return -400;
	if (h->framing == HTTP_UNTIL_CLOSE)
		h->framing = HTTP_NO_BODY;
	if (h->connect && h->framing != HTTP_NO_BODY)
		return -400;
	return (ssize_t)n;
}

ssize_t http_read_response(const uint8_t *in, size_t len, bool to_head, struct http_head *h)
{
	size_t n = head_len(in, len);
	const uint8_t *end = memmem(in, len, "\r\n", 2);
	struct http_text host = { 0 };

	*h = (struct http_head){ 0 };
	if (!n)
		return 0;
	if (end - in < 12 || memcmp(in, "HTTP/1.", 7) != 0 || (in[7] != '0' && in[7] != '1') || in[8] != ' ')
		return -EPROTO;
	for (int i = 9; i < 12; i++) {
		if (in[i] < '0' || in[i] > '9')
			return -EPROTO;
		h->status = h->status * 10 + in[i] - '0';
	}
	if (memchr(in, 0, (size_t)(end - in)) || memchr(in, '\r', (size_t)(end - in)))
		return -EPROTO;
	h->minor = (unsigned)(in[7] - '0');
	h->lines = (size_t)(end - in) + 2;
	if (h->status < 100 || h->status == 101 || read_lines(in, n, h, &host) != 0)
		return -EPROTO; /* nobody was asked to switch protocols */
	if (to_head || h->status < 200 || h->status == 204 || h->status == 304)
		h->framing = HTTP_NO_BODY;
	return (ssize_t)n;
}

/* ---- writing ---- */

/* Meant for the next hop alone (RFC 9110 section 7.6.1). */
static bool is_hop(struct http_text name)
{
	static const char *const hop[] = { "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authorization",
					   "Proxy-Authenticate", "TE", "Upgrade" };

	for (size_t i = 0; i < sizeof(hop) / sizeof(*hop); i++)
		if (text_is(name, hop[i]))
			return true;
	return false;
}

static bool is_framing(struct http_text name)
{
	return text_is(name, "Content-Length") || text_is(name, "Transfer-Encoding") || text_is(name, "Host");
}

/* Some "Connection" line names it. */
static bool is_named(const uint8_t *in, size_t len, size_t lines, struct http_text name)
{
	struct http_text list, word;
	struct line l;

	while (next_line(in, len, &lines, &l) > 0) {
		if (!text_is(l.name, "Connection"))
			continue;
		list = l.value;
		while (next_word(&list, &word))
			if (word.len == name.len && strncasecmp(word.at, name.at, name.len) == 0)
				return true;
	}
	return false;
}

static size_t put(uint8_t *out, size_t at, const char *text, size_t len)
{
	memcpy(out + at, text, len);
	return at + len;
}

static size_t put_word(uint8_t *out, size_t at, const char *word) { return put(out, at, word, strlen(word)); }

static size_t put_lines(const struct http_head *h, const uint8_t *in, size_t len, bool request, uint8_t *out, size_t to)
{
	size_t at = h->lines;
	struct line l;

	while (next_line(in, len, &at, &l) > 0) {
		if (is_hop(l.name) || (request && text_is(l.name, "Host")))
			continue;
		/* What frames the body stays whatever "Connection" says of it. */
		if (is_framing(l.name) || !is_named(in, len, h->lines, l.name))
			to = put(out, to, l.all.at, l.all.len);
	}
	return to;
}

size_t http_write_request(const struct http_head *h, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t to = put(out, 0, h->method.at, h->method.len);

	to = put_word(out, to, h->path.len && h->path.at[0] == '/' ? " " : " /");
	to = put(out, to, h->path.at, h->path.len);
	to = put_word(out, to, h->minor ? " HTTP/1.1\r\nHost: " : " HTTP/1.0\r\nHost: ");
	to = put(out, to, h->authority.at, h->authority.len);
	to = put_word(out, to, "\r\n");
	to = put_lines(h, in, len, true, out, to);
	return put_word(out, to, "Connection: close\r\n\r\n");
}

size_t http_write_response(const struct http_head *h, const uint8_t *in, size_t len, bool keep_alive, uint8_t *out)
{
	size_t to = put(out, 0, (const char *)in, h->lines);

	to = put_lines(h, in, len, false, out, to);
	if (h->status >= 200)
		to = put_word(out, to, keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
	return put_word(out, to, "\r\n");
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 407: return "Proxy Authentication Required";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	default: return "Bad Gateway";
	}
}

size_t http_write_reply(unsigned status, uint8_t *out)
{
	if (status == 200)
		return put_word(out, 0, "HTTP/1.1 200 Connection established\r\n\r\n");
	return (size_t)snprintf((char *)out, HTTP_REPLY_MAX, "HTTP/1.1 %u %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status,
				reason(status), status == 407 ? "Proxy-Authenticate: Basic realm=\"gatun\"\r\n" : "");
}

unsigned http_status_of(enum flow_end why)
{
	switch (why) {
	case END_DONE: return 200;
	case END_DENIED: return 403;
	case END_LIMIT: return 503;
	case END_CONNECT_TIMEOUT:
	case END_IDLE: return 504;
	default: return 502;
	}
}

int http_read_basic(struct http_text a, char *room, size_t size, struct http_text *name, struct http_text *password)
{
	size_t len;
	const char *colon;

	if (a.len < 6 || strncasecmp(a.at, "Basic ", 6) != 0)
		return -EPROTO;
	a = trim((struct http_text){ a.at + 6, a.len - 6 });
	if (sodium_base642bin((uint8_t *)room, size, a.at, a.len, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return -EPROTO;
	colon = memchr(room, ':', len);
	if (!colon)
		return -EPROTO;
	*name = (struct http_text){ room, (size_t)(colon - room) };
	*password = (struct http_text){ colon + 1, len - name->len - 1 };
	return 0;
}
