/*
 * HTTP heads and bodies. What is accepted must be written so that it reads
 * back as the same message: else two readers would see two requests.
 */
#include "fuzz.h"

#include "proto/http_connect.h"

static int same(struct http_text a, struct http_text b)
{
	return a.len == b.len && (!a.len || memcmp(a.at, b.at, a.len) == 0);
}

static void basic(const struct http_head *h)
{
	char room[512];
	struct http_text name, password;

	if (h->authorization.len && http_read_basic(h->authorization, room, sizeof(room), &name, &password) == 0)
		must(name.len + password.len <= sizeof(room));
}

static void request(const uint8_t *block, size_t len)
{
	struct http_head h;
	ssize_t used = http_read_request(block, len, &h);
	uint8_t *out;
	size_t n;

	must(used <= (ssize_t)len);
	if (used <= 0)
		return;
	basic(&h);
	if (h.connect)
		return;
	out = malloc(HTTP_HEAD_OUT_MAX);
	n = http_write_request(&h, block, (size_t)used, out);
	must(n >= 4 && n <= HTTP_HEAD_OUT_MAX && memcmp(out + n - 4, "\r\n\r\n", 4) == 0);
	/* one end of head only: nothing may follow inside */
	must(memmem(out, n - 4, "\r\n\r\n", 4) == NULL);
	must(same(h.method, (struct http_text){ (char *)out, h.method.len }));
	free(out);
}

static void response(const uint8_t *block, size_t len, int to_head)
{
	struct http_head h, again;
	ssize_t used = http_read_response(block, len, to_head, &h);
	uint8_t *out;
	size_t n;

	must(used <= (ssize_t)len);
	if (used <= 0)
		return;
	out = malloc(HTTP_HEAD_OUT_MAX);
	n = http_write_response(&h, block, (size_t)used, true, out);
	must(n <= HTTP_HEAD_OUT_MAX && http_read_response(out, n, to_head, &again) == (ssize_t)n);
	must(again.status == h.status && again.framing == h.framing && again.length == h.length);
	free(out);
}

static void body(struct input *in)
{
	struct http_body b;

	http_body_init(&b, HTTP_CHUNKED, 0);
	while (in->left && !b.done) {
		size_t len = 1 + input_byte(in) % 64;
		uint8_t *block = input_block(in, len);
		ssize_t used = http_body_scan(&b, block, len);

		free(block);
		must(used <= (ssize_t)len);
		if (used < 0)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t choice = input_byte(&in);
	size_t len = in.left;
	uint8_t *block;

	if (choice % 4 == 3) {
		body(&in);
		return 0;
	}
	block = input_block(&in, len);
	if (choice % 4 == 0)
		request(block, len);
	else
		response(block, len, choice % 4 == 2);
	free(block);
	return 0;
}
