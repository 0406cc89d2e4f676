/* dns/answer: what each kind of query gets, in both modes. */
#include "dns_fakes.h"

#include "dns/answer.h"

static uint8_t in[1024], out[4096];
static size_t out_len;
static struct dns_question q;

static enum dns_outcome ask(const char *name, uint16_t type)
{
	size_t len = make_query(in, 0x4242, name, type);

	memset(out, 0xee, sizeof(out));
	return dns_answer(dns_state.mode, in, len, loop_now(), &q, out, &out_len);
}

static unsigned answers(void)
{
	return (unsigned)out[6] << 8 | out[7];
}

static void expect(const char *name, uint16_t type, unsigned rcode, unsigned n)
{
	assert_int_equal(ask(name, type), DNS_ANSWERED);
	assert_int_equal(dns_message_id(out), 0x4242);
	assert_int_equal(dns_message_rcode(out), rcode);
	assert_int_equal(answers(), n);
	assert_true(dns_message_answers(out, out_len, in, q.end));
	assert_true(out_len <= DNS_ANSWER_MAX);
}

static struct dns_record record(unsigned n)
{
	struct dns_records it;
	struct dns_record r;

	assert_int_equal(dns_records_begin(&it, out, out_len), 0);
	do
		assert_int_equal(dns_records_next(&it, &r), 1);
	while (n--);
	return r;
}

static struct addr address(const char *name, uint16_t type)
{
	expect(name, type, DNS_RCODE_OK, 1);
	struct dns_record r = record(0);
	assert_int_equal(r.type, type);
	assert_int_equal(r.ttl, 1);
	return type == DNS_TYPE_A ? addr_v4(r.data, 443) : addr_v6(r.data, 443);
}

static void addresses_lead_back_to_the_name(void **state)
{
	struct addr a, b;
	struct target t, mapped;

	(void)state;
	a = address("WWW.example.org.", DNS_TYPE_A);
	b = address("www.example.org", DNS_TYPE_AAAA);
	target_from_addr(&t, &a);
	assert_false(fake_is_used(&a));
	assert_int_equal(dns_target(&t, &mapped), DNS_MAPPED);
	assert_true(fake_is_used(&a)); /* a flow keeps it for longer */
	assert_string_equal(mapped.name, "www.example.org");
	assert_int_equal(mapped.name_len, 15);
	assert_int_equal(target_port(&mapped), 443);
	assert_int_equal(mapped.ip.family, 0);
	target_from_addr(&t, &b);
	assert_int_equal(dns_target(&t, &mapped), DNS_MAPPED);
	assert_string_equal(mapped.name, "www.example.org");
	expect("www.example.org", DNS_TYPE_ANY, DNS_RCODE_OK, 2);
	assert_int_equal(dns_counters()->fake_map_size, 1);
	assert_int_equal(dns_counters()->fake_answers, 3);
}

static void targets_are_told_apart(void **state)
{
	struct target t, got;

	(void)state;
	target_parse("198.18.77.77:80", &t);
	assert_int_equal(dns_target(&t, &got), DNS_REFUSE);
	target_parse("192.0.2.1:80", &t);
	assert_int_equal(dns_target(&t, &got), DNS_PASS);
	assert_true(addr_equal(&t.ip, &got.ip));
	target_parse("192.0.2.1:53", &t);
	assert_int_equal(dns_target(&t, &got), DNS_SERVE);
	target_parse("[2001:db8::1]:53", &t);
	assert_int_equal(dns_target(&t, &got), DNS_SERVE);
}

static void ptr_names_fake_addresses(void **state)
{
	static const char hex[] = "0123456789abcdef";
	struct addr a, b;
	char arpa[80], name[256];
	size_t next = 0;

	(void)state;
	a = address("www.example.org", DNS_TYPE_A);
	b = address("www.example.org", DNS_TYPE_AAAA);
	snprintf(arpa, sizeof(arpa), "%u.%u.%u.%u.in-addr.arpa", a.ip.bytes[3], a.ip.bytes[2], a.ip.bytes[1],
		 a.ip.bytes[0]);
	expect(arpa, DNS_TYPE_PTR, DNS_RCODE_OK, 1);
	assert_int_equal(dns_message_read_name(out, out_len, (size_t)(record(0).data - out), name, &next, NULL), 15);
	assert_string_equal(name, "www.example.org");
	for (int i = 0; i < 16; i++) {
		arpa[4 * i] = hex[b.ip.bytes[15 - i] & 15];
		arpa[4 * i + 2] = hex[b.ip.bytes[15 - i] >> 4];
		arpa[4 * i + 1] = arpa[4 * i + 3] = '.';
	}
	strcpy(arpa + 64, "ip6.arpa");
	expect(arpa, DNS_TYPE_PTR, DNS_RCODE_OK, 1);
	expect("77.77.18.198.in-addr.arpa", DNS_TYPE_PTR, DNS_RCODE_NXDOMAIN, 0);
	expect("1.0.0.127.in-addr.arpa", DNS_TYPE_PTR, DNS_RCODE_OK, 1);
	assert_int_equal(ask("8.8.8.8.in-addr.arpa", DNS_TYPE_PTR), DNS_FORWARD);
	assert_int_equal(ask("8.8.8.in-addr.arpa", DNS_TYPE_PTR), DNS_FORWARD);
	assert_int_equal(ask("1.256.18.198.in-addr.arpa", DNS_TYPE_PTR), DNS_FORWARD);
	assert_int_equal(ask("_ipp._tcp.example.org", DNS_TYPE_PTR), DNS_FORWARD);
}

static void special_names(void **state)
{
	(void)state;
	expect("localhost", DNS_TYPE_A, DNS_RCODE_OK, 1);
	assert_memory_equal(record(0).data, "\x7f\0\0\1", 4);
	expect("db.LocalHost", DNS_TYPE_AAAA, DNS_RCODE_OK, 1);
	assert_int_equal(record(0).data[15], 1);
	expect("localhost", 15, DNS_RCODE_OK, 0);
	expect("printer.local", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, 0);
	expect("printer.local", 16, DNS_RCODE_NXDOMAIN, 0);
	expect("intranet", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, 0);
	expect("intranet", DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN, 0);
	expect("", DNS_TYPE_A, DNS_RCODE_OK, 0);
}

static void special_names_end_at_a_dot(void **state)
{
	(void)state;
	address("notlocal.example", DNS_TYPE_A);
	address("mylocalhost.example", DNS_TYPE_A);
	address("xn--local.locale", DNS_TYPE_A);
	assert_int_equal(ask("com", 2), DNS_FORWARD); /* NS of a top domain */
	assert_int_equal(ask("", 2), DNS_FORWARD);
}

static void other_types(void **state)
{
	static const uint16_t forwarded[] = { 2, 5, 6, 15, 16, 33, 35, 43, 48, 257 };

	(void)state;
	expect("www.example.org", DNS_TYPE_HTTPS, DNS_RCODE_OK, 0);
	expect("www.example.org", DNS_TYPE_SVCB, DNS_RCODE_OK, 0);
	expect("www.example.org", DNS_TYPE_AXFR, DNS_RCODE_REFUSED, 0);
	expect("www.example.org", DNS_TYPE_IXFR, DNS_RCODE_REFUSED, 0);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		assert_int_equal(ask("www.example.org", forwarded[i]), DNS_FORWARD);
}

static void bad_queries(void **state)
{
	size_t len = make_query(in, 1, "a.example", 1);

	(void)state;
	assert_int_equal(dns_answer(dns_state.mode, in, 11, 0, &q, out, &out_len), DNS_DROP);
	in[2] |= 0x80;
	assert_int_equal(dns_answer(dns_state.mode, in, len, 0, &q, out, &out_len), DNS_DROP);
	in[2] = 0x20; /* NOTIFY */
	assert_int_equal(dns_answer(dns_state.mode, in, len, 0, &q, out, &out_len), DNS_ANSWERED);
	assert_int_equal(dns_message_rcode(out), DNS_RCODE_NOTIMP);
	in[2] = 1;
	assert_int_equal(dns_answer(dns_state.mode, in, len - 1, 0, &q, out, &out_len), DNS_ANSWERED);
	assert_int_equal(dns_message_rcode(out), DNS_RCODE_FORMERR);
	in[13] = '.'; /* a dot inside a label names nothing that the tunnel can carry */
	assert_int_equal(dns_answer(dns_state.mode, in, len, 0, &q, out, &out_len), DNS_ANSWERED);
	assert_int_equal(dns_message_rcode(out), DNS_RCODE_NXDOMAIN);
}

static void exhaustion_is_servfail(void **state)
{
	char name[32];

	(void)state;
	dns_state.fakes->max = dns_state.fakes->common->room = 3;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "h%d.example", i);
		address(name, DNS_TYPE_A);
	}
	expect("h3.example", DNS_TYPE_A, DNS_RCODE_SERVFAIL, 0);
	address("h1.example", DNS_TYPE_A);
}

static void upstream_mode_asks_everything_but_localhost(void **state)
{
	struct target t, got;

	(void)state;
	expect("localhost", DNS_TYPE_A, DNS_RCODE_OK, 1);
	assert_int_equal(ask("www.example.org", DNS_TYPE_A), DNS_FORWARD);
	assert_int_equal(ask("printer.local", DNS_TYPE_A), DNS_FORWARD);
	assert_int_equal(ask("intranet", DNS_TYPE_A), DNS_FORWARD);
	assert_int_equal(ask("www.example.org", DNS_TYPE_HTTPS), DNS_FORWARD);
	target_parse("198.18.0.1:80", &t);
	assert_int_equal(dns_target(&t, &got), DNS_PASS);
	target_parse("198.18.0.1:53", &t);
	assert_int_equal(dns_target(&t, &got), DNS_SERVE);
}

static void fits_the_datagram_or_says_truncated(void **state)
{
	uint8_t reply[4096];
	size_t len = make_query(in, 0x4242, "example.org", 16), n;

	(void)state;
	assert_int_equal(dns_answer(dns_state.mode, in, len, 0, &q, out, &out_len), DNS_FORWARD);
	assert_int_equal(dns_answer_udp_limit(&q), 512);
	n = framed_reply(reply, in, len, 400) - 2;
	dns_message_set_id(reply + 2, 1);
	assert_int_equal(dns_answer_upstream(in, &q, reply + 2, n, out, 512), n);
	assert_int_equal(dns_message_id(out), 0x4242);
	assert_int_equal(answers(), 1);
	n = framed_reply(reply, in, len, 600) - 2;
	out_len = dns_answer_upstream(in, &q, reply + 2, n, out, 512);
	assert_int_equal(out_len, q.end);
	assert_true(out[2] & 2);
	assert_int_equal(answers(), 0);
	assert_int_equal(dns_answer_upstream(in, &q, NULL, 0, out, 512), q.end);
	assert_int_equal(dns_message_rcode(out), DNS_RCODE_SERVFAIL);
	q.udp_size = 4096;
	assert_int_equal(dns_answer_udp_limit(&q), 1232);
}

#define FAKE_TEST(f) cmocka_unit_test_setup_teardown(f, dns_setup_fake, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(addresses_lead_back_to_the_name),
		FAKE_TEST(targets_are_told_apart),
		FAKE_TEST(ptr_names_fake_addresses),
		FAKE_TEST(special_names),
		FAKE_TEST(special_names_end_at_a_dot),
		FAKE_TEST(other_types),
		FAKE_TEST(bad_queries),
		FAKE_TEST(exhaustion_is_servfail),
		FAKE_TEST(fits_the_datagram_or_says_truncated),
		cmocka_unit_test_setup_teardown(upstream_mode_asks_everything_but_localhost, dns_setup_upstream, dns_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
