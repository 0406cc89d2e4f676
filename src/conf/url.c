/*
 * ss:// both ways; see url.h and SIP002.
 *
 * Reading cuts from the outside in: fragment, query, then the LAST `@`, because
 * host and port cannot hold one and passwords do. Everything decoded lives in
 * one scratch buffer per step that is wiped before it is freed.
 */
#include "conf/url.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "crypto/method.h"
#include "proto/sip003.h"

#define SCHEME "ss://"
#define URL_MAX 8192

struct part {
	const char *at;
	size_t len;
};

static int fail(char *err, size_t err_size, const char *message)
{
	snprintf(err, err_size, "%s", message);
	return -EINVAL;
}

/* What comes along when a URL is copied. */
#define SPACE " \t\r\n"

bool url_is_ss(const char *text)
{
	return strncasecmp(text + strspn(text, SPACE), SCHEME, strlen(SCHEME)) == 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decodes into out (in.len + 1 bytes); the length, or -EINVAL for a
 * broken escape or a NUL. `+` stays: a URL's userinfo is no form field. */
static ssize_t percent_decode(struct part in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.at[i];

		if (c == '%') {
			int high = i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
			int low = i + 2 < in.len ? hex_digit(in.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = high * 16 + low;
			i += 2;
		}
		if (c == 0)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return (ssize_t)n;
}

ssize_t url_percent_decode(const char *text, size_t len, char *out)
{
	return percent_decode((struct part){ text, len }, out);
}

/* Base64 in either alphabet, padded or not; out has in.len + 1 bytes. The
 * length, or -EINVAL; a NUL inside is refused too. */
static ssize_t base64_decode(struct part in, char *out)
{
	char *plain = malloc(in.len + 1);
	size_t n = in.len, got = 0;
	int err;

	if (!plain)
		die(1, "out of memory");
	memcpy(plain, in.at, n);
	while (n && plain[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		plain[i] = plain[i] == '-' ? '+' : plain[i] == '_' ? '/' : plain[i];
	err = sodium_base642bin((unsigned char *)out, in.len + 1, plain, n, NULL, &got, NULL,
				sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_memzero(plain, in.len);
	free(plain);
	if (err || got > in.len || memchr(out, 0, got))
		return -EINVAL;
	out[got] = 0;
	return (ssize_t)got;
}

static const char *last_at(struct part p)
{
	return memrchr(p.at, '@', p.len);
}

static void set_part(struct spec_text *t, const char *from, const char *to)
{
	spec_set_text(t, from, (size_t)(to - from), 0);
}

/* "method:password" with neither of them encoded any more. */
static int split_userinfo(const char *text, size_t len, struct server_spec *out)
{
	const char *colon = memchr(text, ':', len);

	if (!colon)
		return -EINVAL;
	set_part(&out->method, text, colon);
	set_part(&out->password, colon + 1, text + len);
	return 0;
}

/* Each side of the first colon is percent-encoded by itself. */
static int parse_plain_userinfo(struct part in, char *scratch, struct server_spec *out)
{
	const char *colon = memchr(in.at, ':', in.len);
	struct part method = { in.at, (size_t)(colon - in.at) };
	struct part password = { colon + 1, in.len - method.len - 1 };
	ssize_t n = percent_decode(method, scratch);

	if (n < 0 || memchr(scratch, ':', (size_t)n)) /* a colon could not be written back */
		return -EINVAL;
	spec_set_text(&out->method, scratch, (size_t)n, 0);
	n = percent_decode(password, scratch);
	if (n < 0)
		return -EINVAL;
	spec_set_text(&out->password, scratch, (size_t)n, 0);
	return 0;
}

static int parse_userinfo(struct part in, char *scratch, struct server_spec *out, char *err, size_t err_size)
{
	ssize_t n;

	if (memchr(in.at, ':', in.len))
		return parse_plain_userinfo(in, scratch, out) == 0 ?
			       0 : fail(err, err_size, "a percent escape in method:password is broken, or escapes a colon of the method");
	n = percent_decode(in, scratch);
	if (n < 0)
		return fail(err, err_size, "a percent escape before the @ is broken");
	if (memchr(scratch, ':', (size_t)n)) /* method%3Apassword */
		return split_userinfo(scratch, (size_t)n, out);

	char *decoded = malloc((size_t)n + 1);
	int result;

	if (!decoded)
		die(1, "out of memory");
	n = base64_decode((struct part){ scratch, (size_t)n }, decoded);
	result = n < 0 ? -EINVAL : split_userinfo(decoded, (size_t)n, out);
	if (n > 0)
		sodium_memzero(decoded, (size_t)n);
	free(decoded);
	return result ? fail(err, err_size, "before the @ stands neither method:password nor its base64") : 0;
}

/* "host:port" or "[ipv6]:port", host percent-decoded where it may be. */
static int parse_host(struct part in, char *scratch, struct server_spec *out, char *err, size_t err_size)
{
	const char *colon = memrchr(in.at, ':', in.len);
	size_t host_len;
	uint32_t port = 0;
	ssize_t n;

	if (!colon || (in.at[0] == '[' && (colon == in.at || colon[-1] != ']')))
		return fail(err, err_size, "the port is missing: ss://...@HOST:PORT");
	host_len = (size_t)(colon - in.at);
	if (host_len == 0)
		return fail(err, err_size, "the host is empty");
	switch (spec_parse_port(colon + 1, in.len - host_len - 1, &port)) {
	case -EINVAL:
		return fail(err, err_size, "the port is not a number");
	case -ERANGE:
		return fail(err, err_size, "the port is not between 1 and 65535");
	}
	if (in.at[0] != '[' && memchr(in.at, ':', host_len))
		return fail(err, err_size, "an IPv6 address needs brackets: [2001:db8::1]:8388");
	n = percent_decode((struct part){ in.at, host_len }, scratch);
	if (n < 0)
		return fail(err, err_size, "a percent escape in the host is broken");
	if (strpbrk(scratch, "/?#@%\\"))
		return fail(err, err_size, "the host holds a character that no host has");
	spec_set_host(out, scratch, (size_t)n, 0);
	out->port.number = port;
	return 0;
}

/* ss://base64(method:password@host:port): the whole was encoded, nothing in it. */
static int parse_legacy(struct part in, char *scratch, struct server_spec *out, char *err, size_t err_size)
{
	char *decoded = malloc(in.len + 1);
	ssize_t n;
	int result;

	if (!decoded)
		die(1, "out of memory");
	n = base64_decode(in, decoded);
	struct part whole = { decoded, n > 0 ? (size_t)n : 0 };
	const char *at = n > 0 ? last_at(whole) : NULL;

	if (!at || split_userinfo(decoded, (size_t)(at - decoded), out))
		result = fail(err, err_size, "neither ss://method:password@host:port nor its base64 form");
	else
		result = parse_host((struct part){ at + 1, whole.len - (size_t)(at + 1 - decoded) }, scratch, out, err, err_size);
	sodium_memzero(decoded, in.len + 1);
	free(decoded);
	return result;
}

/* "name;key=value;flag", decoded. */
static void take_plugin(const char *text, struct server_spec *out)
{
	char *name = malloc(strlen(text) + 1);
	const char *options;

	if (!name)
		die(1, "out of memory");
	options = sip003_split(text, name);
	spec_set_text(&out->plugin, name, strlen(name), 0);
	if (*options)
		spec_set_text(&out->plugin_opts, options, strlen(options), 0);
	free(name);
}

/* plugin=... of the query; other arguments are not ours to judge (SIP002). */
static int parse_query(struct part in, char *scratch, struct server_spec *out, char *err, size_t err_size)
{
	while (in.len) {
		const char *amp = memchr(in.at, '&', in.len);
		struct part one = { in.at, amp ? (size_t)(amp - in.at) : in.len };
		size_t used = one.len + (amp != NULL);

		if (one.len > 7 && memcmp(one.at, "plugin=", 7) == 0) {
			ssize_t n = percent_decode((struct part){ one.at + 7, one.len - 7 }, scratch);

			if (n < 0)
				return fail(err, err_size, "a percent escape in plugin= is broken");
			take_plugin(scratch, out);
		}
		in.at += used;
		in.len -= used;
	}
	return 0;
}

/* Cuts `in` before the first `mark` and returns what followed it. */
static struct part cut(struct part *in, char mark)
{
	const char *at = memchr(in->at, mark, in->len);
	struct part rest = { at ? at + 1 : in->at + in->len, at ? in->len - (size_t)(at + 1 - in->at) : 0 };

	if (at)
		in->len = (size_t)(at - in->at);
	return rest;
}

static int parse_parts(struct part in, char *scratch, struct server_spec *out, char *err, size_t err_size)
{
	struct part tag = cut(&in, '#'), query = cut(&in, '?');
	ssize_t n = percent_decode(tag, scratch);
	const char *at = last_at(in);
	struct part host;

	if (n > 0)
		spec_set_text(&out->tag, scratch, (size_t)n, 0);
	else if (n < 0) /* a tag is decoration: as it stands, if it does not decode */
		spec_set_text(&out->tag, tag.at, tag.len, 0);
	if (parse_query(query, scratch, out, err, err_size))
		return -EINVAL;
	if (!at) {
		while (in.len && in.at[in.len - 1] == '/')
			in.len--;
		return parse_legacy(in, scratch, out, err, err_size);
	}
	host = (struct part){ at + 1, in.len - (size_t)(at + 1 - in.at) };
	cut(&host, '/');
	if (parse_userinfo((struct part){ in.at, (size_t)(at - in.at) }, scratch, out, err, err_size))
		return -EINVAL;
	return parse_host(host, scratch, out, err, err_size);
}

int url_parse(const char *text, struct server_spec *out, char *err, size_t err_size)
{
	size_t len;
	char *scratch;
	int result;

	if (!url_is_ss(text))
		return fail(err, err_size, "not an ss:// URL");
	text += strspn(text, SPACE);
	len = strnlen(text, URL_MAX + 1);
	while (len && strchr(SPACE, text[len - 1]))
		len--;
	if (len > URL_MAX)
		return fail(err, err_size, "the URL is longer than 8192 bytes");
	scratch = malloc(len + 1);
	if (!scratch)
		die(1, "out of memory");
	result = parse_parts((struct part){ text + strlen(SCHEME), len - strlen(SCHEME) }, scratch, out, err, err_size);
	sodium_memzero(scratch, len + 1);
	free(scratch);
	return result;
}

/* Appends `text` with everything but RFC 3986's unreserved characters escaped. */
static char *put_escaped(char *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			*out++ = (char)c;
		else
			out += sprintf(out, "%%%02X", c);
	}
	*out = 0;
	return out;
}

static char *put_userinfo(char *out, const struct server_spec *s)
{
	const struct ss_method *m = ss_method_find(s->method.text);
	size_t len = strlen(s->method.text) + 1 + strlen(s->password.text);
	char *plain;

	if (m && m->sip022) { /* SIP002: these must not be base64 */
		out = stpcpy(put_escaped(out, s->method.text), ":");
		return put_escaped(out, s->password.text);
	}
	plain = malloc(len + 1);
	if (!plain)
		die(1, "out of memory");
	stpcpy(stpcpy(stpcpy(plain, s->method.text), ":"), s->password.text);
	sodium_bin2base64(out, sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
			  (const unsigned char *)plain, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(plain, len);
	free(plain);
	return out + strlen(out);
}

/* "/?plugin=name%3Boptions", both as they are: SIP002. */
static char *put_plugin(char *out, const struct server_spec *s)
{
	const char *options = s->plugin_opts.text ? s->plugin_opts.text : "";
	char *text = malloc(2 * strlen(s->plugin.text) + strlen(options) + 2);

	if (!text)
		die(1, "out of memory");
	sip003_join(s->plugin.text, options, text);
	out = put_escaped(stpcpy(out, "/?plugin="), text);
	sodium_memzero(text, strlen(text));
	free(text);
	return out;
}

char *url_format(const struct server_spec *s)
{
	const char *tag = s->tag.text ? s->tag.text : "", *plugin = s->plugin.text ? s->plugin.text : "";
	size_t len = strlen(s->host.text) + strlen(s->method.text) + strlen(s->password.text) + strlen(tag) + 2 * strlen(plugin) +
		     (s->plugin_opts.text ? strlen(s->plugin_opts.text) : 0);
	char *url = malloc(3 * len + 48), *out;
	bool bare6 = strchr(s->host.text, ':') != NULL;

	if (!url)
		return NULL;
	out = put_userinfo(stpcpy(url, SCHEME), s);
	out += sprintf(out, bare6 ? "@[%s]:%u" : "@%s:%u", s->host.text, s->port.number);
	if (*plugin)
		out = put_plugin(out, s);
	if (*tag)
		put_escaped(stpcpy(out, "#"), tag);
	return url;
}

void url_free(char *url)
{
	if (url)
		sodium_memzero(url, strlen(url));
	free(url);
}
