/* SOCKS messages byte by byte: what arrives in pieces is what arrives at once;
 * what is no message is refused; fragments come together in order only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "proto/socks.h"
#include "proto/socks_frag.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

typedef ssize_t reader(const uint8_t *in, size_t len);

static ssize_t greeting(const uint8_t *in, size_t len)
{
	struct socks_greeting g;
	return socks_read_greeting(in, len, &g);
}

static ssize_t login(const uint8_t *in, size_t len)
{
	struct socks_login l;
	return socks_read_login(in, len, &l);
}

static ssize_t request5(const uint8_t *in, size_t len)
{
	struct socks_request r;
	return socks_read_request(in, len, &r);
}

static ssize_t request4(const uint8_t *in, size_t len)
{
	struct socks_request r;
	return socks4_read_request(in, len, &r);
}

/* Every prefix wants more, the whole is itself, and what is behind stays. */
static void comes_in_pieces(reader *read, const uint8_t *in, size_t len)
{
	uint8_t longer[SOCKS_MAX + 1];

	for (size_t n = 0; n < len; n++)
		if (read(in, n) != 0)
			fail_msg("after %zu of %zu bytes: %zd", n, len, read(in, n));
	assert_int_equal(read(in, len), len);
	memcpy(longer, in, len);
	longer[len] = 0xff;
	assert_int_equal(read(longer, len + 1), len);
}

static void messages_may_come_byte_by_byte(void **state)
{
	uint8_t longest[4 + 1 + 255 + 2] = { 5, 1, 0, 3, 255 };

	(void)state;
	comes_in_pieces(greeting, BYTES("\5\2\0\2"));
	comes_in_pieces(login, BYTES("\1\3joe\6secret"));
	comes_in_pieces(login, BYTES("\1\0\0"));
	comes_in_pieces(request5, BYTES("\5\1\0\1\1\2\3\4\0\120"));
	comes_in_pieces(request5, BYTES("\5\1\0\3\7a.b.org\0\120"));
	comes_in_pieces(request5, BYTES("\5\3\0\4\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\0\120"));
	comes_in_pieces(request4, BYTES("\4\1\0\120\1\2\3\4me\0"));
	comes_in_pieces(request4, BYTES("\4\1\0\120\0\0\0\1\0a.b.org\0"));
	memset(longest + 5, 'x', 255);
	comes_in_pieces(request5, longest, sizeof(longest));
}

static void what_is_no_message_is_refused(void **state)
{
	uint8_t endless[8 + 300] = { 4, 1, 0, 80, 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(greeting(BYTES("\4\1\0")), -EPROTO);
	assert_int_equal(login(BYTES("\5\0\0")), -EPROTO);
	assert_int_equal(request5(BYTES("\4\1\0\1")), -EPROTO);
	assert_int_equal(request5(BYTES("\5\1\1\1")), -EPROTO); /* RSV */
	assert_int_equal(request5(BYTES("\5\1\0\2\1\2\3\4\0\120")), -EAFNOSUPPORT);
	assert_int_equal(request5(BYTES("\5\1\0\3\0\0\120")), -EPROTO); /* an empty name */
	assert_int_equal(request4(BYTES("\4\1\0\120\0\0\0\1\0\0")), -EPROTO);
	memset(endless + 8, 'x', 300);
	assert_int_equal(request4(endless, sizeof(endless)), -EPROTO);
}

static void requests_say_what_they_want(void **state)
{
	struct socks_request r;
	struct socks_login l;
	struct socks_greeting g;
	char text[TARGET_STRLEN];

	(void)state;
	assert_int_equal(socks_read_request(BYTES("\5\1\0\3\7a.b.org\0\120"), &r), 14);
	assert_int_equal(r.command, SOCKS_CONNECT);
	assert_string_equal(target_format(&r.target, text), "a.b.org:80");
	assert_int_equal(socks4_read_request(BYTES("\4\2\1\2\1\2\3\4me\0"), &r), 11);
	assert_int_equal(r.command, SOCKS_BIND);
	assert_string_equal(target_format(&r.target, text), "1.2.3.4:258");
	assert_int_equal(socks4_read_request(BYTES("\4\1\0\120\0\0\0\1me\0a.b.org\0"), &r), 19);
	assert_string_equal(target_format(&r.target, text), "a.b.org:80");
	assert_int_equal(socks_read_login(BYTES("\1\3joe\6secret"), &l), 12);
	assert_true(l.name_len == 3 && memcmp(l.name, "joe", 3) == 0);
	assert_true(l.password_len == 6 && memcmp(l.password, "secret", 6) == 0);
	assert_int_equal(socks_read_greeting(BYTES("\5\2\1\2"), &g), 4);
	assert_true(g.password && !g.none);
}

static void replies_are_byte_for_byte(void **state)
{
	uint8_t out[32];
	struct addr six;

	(void)state;
	assert_int_equal(socks_write_reply(out, SOCKS_REFUSED, NULL), 10);
	assert_memory_equal(out, "\5\5\0\1\0\0\0\0\0\0", 10);
	assert_int_equal(addr_parse_ip("2001:db8::1", 258, &six), 0);
	assert_int_equal(socks_write_reply(out, SOCKS_OK, &six), 22);
	assert_memory_equal(out, "\5\0\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\2", 22);
	assert_int_equal(socks4_write_reply(out, true), 8);
	assert_memory_equal(out, "\0\132\0\0\0\0\0\0", 8);
	assert_int_equal(socks_reply_of(END_REFUSED), SOCKS_REFUSED);
	assert_int_equal(socks_reply_of(END_NAME), SOCKS_HOST_UNREACHABLE);
	assert_int_equal(socks_reply_of(END_DENIED), SOCKS_DENIED);
	assert_int_equal(socks_reply_of(END_LIMIT), SOCKS_FAILURE);
}

static void datagrams_go_there_and_back(void **state)
{
	uint8_t out[SOCKS_UDP_HEADER_MAX];
	struct socks_datagram d;
	struct target t;

	(void)state;
	assert_int_equal(target_parse("a.b.org:53", &t), 0);
	assert_int_equal(socks_write_datagram_header(out, &t), 14);
	assert_int_equal(socks_read_datagram(out, 14, &d), 0);
	assert_true(d.frag == 0 && d.header_len == 14 && target_port(&d.target) == 53);
	for (size_t n = 0; n < 14; n++)
		assert_int_equal(socks_read_datagram(out, n, &d), -EPROTO);
	out[1] = 1;
	assert_int_equal(socks_read_datagram(out, 14, &d), -EPROTO);
}

static void fragments_come_together_in_order(void **state)
{
	static uint8_t room[SOCKS_FRAG_DATA_MAX];
	struct socks_frag f = { .data = room };
	struct target a, b;

	(void)state;
	target_parse("1.2.3.4:5", &a);
	target_parse("1.2.3.4:6", &b);
	assert_int_equal(socks_frag_add(&f, 1, &a, BYTES("ab")), SOCKS_FRAG_MORE);
	assert_int_equal(socks_frag_add(&f, 2, &a, BYTES("cd")), SOCKS_FRAG_MORE);
	assert_int_equal(socks_frag_add(&f, 0x83, &a, BYTES("e")), SOCKS_FRAG_WHOLE);
	assert_true(f.len == 5 && memcmp(room, "abcde", 5) == 0 && addr_equal(&f.target.ip, &a.ip));
	socks_frag_reset(&f);
	assert_int_equal(socks_frag_add(&f, 2, &a, BYTES("cd")), SOCKS_FRAG_ABANDONED);
	socks_frag_add(&f, 1, &a, BYTES("ab"));
	assert_int_equal(socks_frag_add(&f, 3, &a, BYTES("ef")), SOCKS_FRAG_ABANDONED);
	socks_frag_add(&f, 1, &a, BYTES("ab"));
	assert_int_equal(socks_frag_add(&f, 2, &b, BYTES("cd")), SOCKS_FRAG_ABANDONED);
	socks_frag_add(&f, 1, &a, BYTES("old"));
	socks_frag_add(&f, 1, &a, BYTES("new"));
	assert_int_equal(socks_frag_add(&f, 0x82, &a, BYTES("")), SOCKS_FRAG_WHOLE);
	assert_true(f.len == 3 && memcmp(room, "new", 3) == 0);
	socks_frag_reset(&f);
	socks_frag_add(&f, 1, &a, room, SOCKS_FRAG_DATA_MAX - 1);
	assert_int_equal(socks_frag_add(&f, 2, &a, BYTES("12")), SOCKS_FRAG_ABANDONED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_may_come_byte_by_byte),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(requests_say_what_they_want),
		cmocka_unit_test(replies_are_byte_for_byte),
		cmocka_unit_test(datagrams_go_there_and_back),
		cmocka_unit_test(fragments_come_together_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
