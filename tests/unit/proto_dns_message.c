/* proto/dns_message: byte-exact messages, names with and without pointers, and bytes that mean nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/dns_message.h"

/* "wWw.Example." A, id 0x1234, RD, as dig sends it without EDNS. */
static const uint8_t query_a[] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'W', 'w', 7, 'E', 'x',
				   'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1 };
/* The same with OPT: 4096 bytes, DO. */
static const uint8_t opt[] = { 0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0 };

static size_t with_opt(uint8_t *out)
{
	memcpy(out, query_a, sizeof(query_a));
	memcpy(out + sizeof(query_a), opt, sizeof(opt));
	out[11] = 1;
	return sizeof(query_a) + sizeof(opt);
}

static void reads_a_query(void **state)
{
	struct dns_question q;
	uint8_t msg[64];

	(void)state;
	assert_int_equal(dns_message_parse_query(query_a, sizeof(query_a), &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_string_equal(q.name, "www.example");
	assert_int_equal(q.name_len, 11);
	assert_int_equal(q.type, DNS_TYPE_A);
	assert_int_equal(q.class, DNS_CLASS_IN);
	assert_true(q.recursion_desired && q.plain && !q.edns);
	assert_int_equal(q.udp_size, 512);
	assert_int_equal(q.end, sizeof(query_a));

	assert_int_equal(dns_message_parse_query(msg, with_opt(msg), &q), 0);
	assert_true(q.edns && q.dnssec_ok);
	assert_int_equal(q.udp_size, 4096);
}

static void every_shorter_query_is_refused(void **state)
{
	struct dns_question q;
	uint8_t msg[64];
	size_t len = with_opt(msg);

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */
		memcpy(exact, msg, n);
		assert_int_equal(dns_message_parse_query(exact, n, &q), n < 12 ? -EBADMSG : -EINVAL);
		free(exact);
	}
}

static void says_what_is_wrong(void **state)
{
	struct dns_question q;
	uint8_t msg[128];
	size_t len = with_opt(msg);

	(void)state;
	msg[2] |= 0x80;
	assert_int_equal(dns_message_parse_query(msg, len, &q), -EBADMSG); /* a reply */
	msg[2] = 0x28; /* UPDATE */
	assert_int_equal(dns_message_parse_query(msg, len, &q), -ENOTSUP);
	assert_int_equal(q.opcode, 5);
	assert_int_equal(dns_message_error_rcode(-ENOTSUP), DNS_RCODE_NOTIMP);
	msg[2] = 1;
	msg[5] = 2; /* two questions */
	assert_int_equal(dns_message_parse_query(msg, len, &q), -EINVAL);
	msg[5] = 0;
	assert_int_equal(dns_message_parse_query(msg, len, &q), -EINVAL);
	msg[5] = 1;
	msg[sizeof(query_a) + 6] = 1; /* EDNS version 1 */
	assert_int_equal(dns_message_parse_query(msg, len, &q), -EPROTO);
	assert_int_equal(dns_message_error_rcode(-EPROTO), DNS_RCODE_BADVERS);
	msg[sizeof(query_a) + 6] = 0;
	memcpy(msg + len, opt, sizeof(opt)); /* two OPTs */
	msg[11] = 2;
	assert_int_equal(dns_message_parse_query(msg, len + sizeof(opt), &q), -EINVAL);
}

static void a_label_with_a_dot_is_not_plain(void **state)
{
	static const char bad[] = { '.', 0, ' ', '\\', 0x7f, '\n' };
	struct dns_question q;
	uint8_t msg[sizeof(query_a)];

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		memcpy(msg, query_a, sizeof(msg));
		msg[14] = (uint8_t)bad[i];
		assert_int_equal(dns_message_parse_query(msg, sizeof(msg), &q), 0);
		assert_false(q.plain);
	}
}

static void bounds_names(void **state)
{
	uint8_t wire[300], back[300];
	char text[DNS_NAME_TEXT_MAX + 1], longest[256];
	size_t next = 0;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[63] = longest[127] = longest[191] = '.';
	assert_int_equal(dns_message_write_name(longest, 253, wire), 255);
	assert_int_equal(dns_message_write_name(longest, 254, wire), -EINVAL);
	assert_int_equal(dns_message_write_name(longest, 253, back + 12), 255);
	assert_int_equal(dns_message_read_name(back, 12 + 255, 12, text, &next, NULL), 253);
	assert_int_equal(next, 267);
	assert_memory_equal(text, longest, 253);
	assert_int_equal(dns_message_read_name(back, 12 + 254, 12, text, &next, NULL), -EINVAL);
	/* One byte more in the last label: 256 on the wire. */
	back[12 + 192] = 62;
	memset(back + 12 + 193, 'a', 62);
	back[12 + 193 + 62] = 0;
	assert_int_equal(dns_message_read_name(back, 280, 12, text, &next, NULL), -EINVAL);

	assert_int_equal(dns_message_write_name("a..b", 4, wire), -EINVAL);
	assert_int_equal(dns_message_write_name(".a", 2, wire), -EINVAL);
	assert_int_equal(dns_message_write_name("", 0, wire), 1);
	assert_int_equal(dns_message_write_name("a.", 2, wire), 3);
	memset(longest, 'b', 64);
	assert_int_equal(dns_message_write_name(longest, 64, wire), -EINVAL);
}

static void pointers_only_go_back(void **state)
{
	uint8_t msg[64] = { 0 };
	char text[DNS_NAME_TEXT_MAX + 1];
	size_t next = 0;

	(void)state;
	memcpy(msg + 12, "\3www\7example", 13);
	memcpy(msg + 25, "\3ftp\xc0\x10", 6); /* → example */
	assert_int_equal(dns_message_read_name(msg, 31, 25, text, &next, NULL), 11);
	assert_string_equal(text, "ftp.example");
	assert_int_equal(next, 31);
	msg[30] = 25; /* → itself */
	assert_int_equal(dns_message_read_name(msg, 31, 25, text, &next, NULL), -EINVAL);
	msg[30] = 29;
	assert_int_equal(dns_message_read_name(msg, 31, 25, text, &next, NULL), -EINVAL);
	msg[30] = 4; /* → the header */
	assert_int_equal(dns_message_read_name(msg, 31, 25, text, &next, NULL), -EINVAL);
	assert_int_equal(dns_message_read_name(msg, 30, 25, text, &next, NULL), -EINVAL);
	msg[29] = 0x80; /* a label type that does not exist */
	assert_int_equal(dns_message_read_name(msg, 31, 25, text, &next, NULL), -EINVAL);
	/* Two pointers at each other. */
	msg[40] = 0xc0, msg[41] = 42, msg[42] = 0xc0, msg[43] = 40;
	assert_int_equal(dns_message_read_name(msg, 44, 42, text, &next, NULL), -EINVAL);
}

static void builds_an_answer_byte_for_byte(void **state)
{
	static const uint8_t want[] = { 0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1, 3, 'w', 'W', 'w', 7, 'E', 'x',
					'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1,
					0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 198, 18, 0, 1,
					0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0 };
	static const uint8_t ip[4] = { 198, 18, 0, 1 };
	uint8_t msg[64], out[512];
	struct dns_question q;
	struct dns_reply r;

	(void)state;
	assert_int_equal(dns_message_parse_query(msg, with_opt(msg), &q), 0);
	dns_reply_begin(&r, out, sizeof(out), msg, &q, DNS_RCODE_OK);
	dns_reply_add(&r, DNS_TYPE_A, 1, ip, sizeof(ip));
	assert_int_equal(dns_reply_end(&r), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	assert_true(dns_message_answers(out, sizeof(want), query_a, sizeof(query_a)));
}

static void builds_errors_byte_for_byte(void **state)
{
	static const uint8_t formerr[] = { 0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const uint8_t badvers_tail[] = { 0, 0, 41, 0x04, 0xd0, 1, 0, 0x80, 0, 0, 0 };
	uint8_t msg[64], out[512];
	struct dns_question q;
	struct dns_reply r;
	size_t len = with_opt(msg);

	(void)state;
	dns_message_parse_query(query_a, 20, &q);
	dns_reply_begin(&r, out, sizeof(out), query_a, &q, DNS_RCODE_FORMERR);
	assert_int_equal(dns_reply_end(&r), sizeof(formerr));
	assert_memory_equal(out, formerr, sizeof(formerr));

	msg[sizeof(query_a) + 6] = 1;
	dns_message_parse_query(msg, len, &q);
	dns_reply_begin(&r, out, sizeof(out), msg, &q, DNS_RCODE_BADVERS);
	assert_int_equal(dns_reply_end(&r), len);
	assert_int_equal(out[3] & 15, 0);
	assert_memory_equal(out + sizeof(query_a), badvers_tail, sizeof(badvers_tail));
}

static void what_does_not_fit_is_truncated(void **state)
{
	static const uint8_t data[300];
	uint8_t msg[64], out[512];
	struct dns_question q;
	struct dns_reply r;
	size_t len;

	(void)state;
	assert_int_equal(dns_message_parse_query(msg, with_opt(msg), &q), 0);
	dns_reply_begin(&r, out, sizeof(out), msg, &q, DNS_RCODE_OK);
	for (int i = 0; i < 3; i++)
		dns_reply_add(&r, 16, 1, data, 200);
	len = dns_reply_end(&r);
	assert_true(len <= sizeof(out));
	assert_true(out[2] & 2); /* TC */
	assert_int_equal(out[7], 2); /* the two that fit */
	assert_int_equal(out[11], 1); /* OPT found its place */

	/* The second record would fit, were it not for OPT. */
	dns_reply_begin(&r, out, sizeof(out), msg, &q, DNS_RCODE_OK);
	dns_reply_add(&r, 16, 1, data, 200);
	dns_reply_add(&r, 16, 1, data, sizeof(out) - r.len - 12 - 5);
	assert_true(dns_reply_end(&r) <= sizeof(out) && (out[2] & 2));
	assert_int_equal(out[7], 1);
}

static void tells_replies_apart(void **state)
{
	uint8_t other[sizeof(query_a)], reply[512];
	struct dns_question q;
	struct dns_reply r;
	size_t len;

	(void)state;
	assert_int_equal(dns_message_parse_query(query_a, sizeof(query_a), &q), 0);
	dns_reply_begin(&r, reply, sizeof(reply), query_a, &q, DNS_RCODE_OK);
	len = dns_reply_end(&r);
	memcpy(other, query_a, sizeof(other));
	other[14] = 'w'; /* the case of a name does not matter */
	assert_true(dns_message_answers(reply, len, other, sizeof(other)));
	other[14] = 'x';
	assert_false(dns_message_answers(reply, len, other, sizeof(other)));
	other[14] = 'W';
	other[26] = 28;
	assert_false(dns_message_answers(reply, len, other, sizeof(other)));
	assert_false(dns_message_answers(query_a, sizeof(query_a), query_a, sizeof(query_a)));
	assert_false(dns_message_answers(reply, 11, query_a, sizeof(query_a)));
	dns_message_set_id(reply, 0xbeef);
	assert_int_equal(dns_message_id(reply), 0xbeef);
}

/* A real reply: CNAME with compression, A, and a SOA in authority. */
static void walks_records(void **state)
{
	static const uint8_t reply[] = {
		0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 1, 0, 0,
		3, 'w', 'w', 'w', 2, 'e', 'x', 0, 0, 1, 0, 1,
		0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'c', 0xc0, 16,
		0xc0, 36, 0, 1, 0, 1, 0x80, 0, 0, 0, 0, 4, 192, 0, 2, 1,
		0xc0, 16, 0, 6, 0, 1, 0, 0, 0, 5, 0, 2, 0, 0,
	};
	struct dns_records it;
	struct dns_record r;

	(void)state;
	assert_int_equal(dns_records_begin(&it, reply, sizeof(reply)), 0);
	assert_int_equal(dns_records_next(&it, &r), 1);
	assert_int_equal(r.type, 5);
	assert_int_equal(r.ttl, 60);
	assert_int_equal(dns_records_next(&it, &r), 1);
	assert_int_equal(r.type, DNS_TYPE_A);
	assert_int_equal(r.ttl, 0); /* the top bit set means 0 */
	assert_int_equal(r.data[3], 1);
	assert_false(r.authority);
	assert_int_equal(dns_records_next(&it, &r), 1);
	assert_true(r.authority);
	assert_int_equal(r.type, DNS_TYPE_SOA);
	assert_int_equal(dns_records_next(&it, &r), 0);
	for (size_t n = 0; n < sizeof(reply); n++) {
		uint8_t *exact = malloc(n ? n : 1);
		int ret = 1;

		memcpy(exact, reply, n);
		if (dns_records_begin(&it, exact, n) == 0)
			while ((ret = dns_records_next(&it, &r)) == 1)
				;
		assert_int_equal(ret == 1 ? -EINVAL : ret, -EINVAL);
		free(exact);
	}
}

/* A million bytes that mean nothing, and mutations of ones that do. */
static void survives_anything(void **state)
{
	struct dns_question q;
	struct dns_records it;
	struct dns_record r;
	struct dns_reply reply;
	uint8_t out[DNS_UDP_MIN];

	(void)state;
	srand(7);
	for (int round = 0; round < 60000; round++) {
		size_t len = (size_t)(rand() % 80);
		uint8_t *msg = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			msg[i] = (uint8_t)(round & 1 || i >= sizeof(query_a) ? rand() : query_a[i]);
		if (!(round & 1) && len)
			msg[rand() % (int)len] = (uint8_t)rand();
		int ret = dns_message_parse_query(msg, len, &q);
		assert_true(ret <= 0 && q.end <= (len < 12 ? 12 : len) && strlen(q.name) <= DNS_NAME_TEXT_MAX);
		if (ret != -EBADMSG) {
			dns_reply_begin(&reply, out, sizeof(out), msg, &q, DNS_RCODE_FORMERR);
			dns_reply_add(&reply, DNS_TYPE_A, 1, "abcd", 4);
			assert_true(dns_reply_end(&reply) <= sizeof(out));
		}
		if (dns_records_begin(&it, msg, len) == 0)
			while (dns_records_next(&it, &r) == 1)
				assert_true(r.data + r.len <= msg + len);
		dns_message_answers(msg, len, query_a, sizeof(query_a));
		free(msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_query),
		cmocka_unit_test(every_shorter_query_is_refused),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(a_label_with_a_dot_is_not_plain),
		cmocka_unit_test(bounds_names),
		cmocka_unit_test(pointers_only_go_back),
		cmocka_unit_test(builds_an_answer_byte_for_byte),
		cmocka_unit_test(builds_errors_byte_for_byte),
		cmocka_unit_test(what_does_not_fit_is_truncated),
		cmocka_unit_test(tells_replies_apart),
		cmocka_unit_test(walks_records),
		cmocka_unit_test(survives_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
