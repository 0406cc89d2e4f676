/* dns/udp_port between a TUN of the test's own and a table of the test's own. */
#include "dns_fakes.h"

struct seen {
	struct assoc_key key;
	struct target remote;
	size_t len;
	uint16_t segment;
	uint8_t data[2048];
};

static struct seen to_app[DATAGRAM_BATCH * 2], to_table[DATAGRAM_BATCH * 2], refused[8];
static int n_app, n_table, n_refused, n_forgotten, batches_to_table;
static const struct datagram *table_batch;
static struct datagram_port tun, *port;

static void see(struct seen *s, const struct datagram *d)
{
	s->key = d->key;
	s->remote = *d->remote;
	s->len = d->payload.len;
	s->segment = d->segment;
	memcpy(s->data, slice_data(&d->payload), d->payload.len < sizeof(s->data) ? d->payload.len : sizeof(s->data));
}

static void tun_send(struct datagram_port *p, const struct datagram *d, int n)
{
	assert_ptr_equal(p, &tun);
	for (int i = 0; i < n; i++)
		see(&to_app[n_app++], &d[i]);
}

static void tun_refuse(struct datagram_port *p, const struct datagram *d, enum flow_end why)
{
	(void)p, (void)why;
	see(&refused[n_refused++], d);
}

static void tun_forget(struct datagram_port *p, const struct assoc_key *key)
{
	(void)p, (void)key;
	n_forgotten++;
}

static const struct datagram_port_ops tun_ops = { .send = tun_send, .refuse = tun_refuse, .forget = tun_forget };

static void table_receive(void *owner, const struct datagram *d, int n)
{
	assert_ptr_equal(owner, &n_table);
	table_batch = d;
	batches_to_table++;
	for (int i = 0; i < n; i++)
		see(&to_table[n_table++], &d[i]);
}

static const struct datagram_events table_events = { .receive = table_receive };

static void start(enum config_dns mode)
{
	dns_start(mode);
	n_app = n_table = n_refused = n_forgotten = batches_to_table = 0;
	tun = (struct datagram_port){ .ops = &tun_ops };
	port = dns_udp_port(&tun);
	assert_non_null(port);
	datagram_bind(port, &table_events, &n_table);
}

static int fake_mode(void **state)
{
	(void)state;
	start(DNS_FAKE);
	return 0;
}

static int upstream_mode(void **state)
{
	(void)state;
	start(DNS_UPSTREAM);
	return 0;
}

static int off(void **state)
{
	(void)state;
	start(DNS_OFF);
	return 0;
}

/* ---- the app ---- */

static const struct assoc_key app = { .addr = { .family = AF_INET, .port = 5000, .ip.bytes = { 10, 0, 0, 2 } } };

struct packet_of {
	struct target to;
	struct datagram d;
};

static struct packet_of packet(const char *to, const void *data, size_t len)
{
	struct packet_of p = { .d.key = app };
	struct buf *b = buf_get(BUF_SMALL);

	assert_int_equal(target_parse(to, &p.to), 0);
	memcpy(b->data, data, len);
	p.d.payload = (struct slice){ b, 0, (uint32_t)len };
	return p;
}

static void app_sends_batch(struct packet_of *p, int n)
{
	struct datagram d[DATAGRAM_BATCH] = { { .remote = NULL } };

	for (int i = 0; i < n; i++) {
		d[i] = p[i].d;
		d[i].remote = &p[i].to;
	}
	tun.events->receive(tun.owner, d, n);
	for (int i = 0; i < n; i++)
		slice_unref(p[i].d.payload);
}

static void app_sends(const char *to, const void *data, size_t len)
{
	struct packet_of p = packet(to, data, len);

	app_sends_batch(&p, 1);
}

static void remote_replies(const char *from)
{
	struct packet_of p = packet(from, "reply", 5);

	p.d.remote = &p.to;
	datagram_send(port, &p.d, 1);
	slice_unref(p.d.payload);
}

/* Asks for a name's address; the answer becomes "IP:port" in text. */
static void lookup(const char *name, uint16_t type, uint16_t to_port, char *text)
{
	uint8_t query[512];
	size_t len = make_query(query, 77, name, type);
	struct dns_records it;
	struct dns_record r;
	struct addr a;
	struct seen *s = &to_app[n_app];

	app_sends("8.8.8.8:53", query, len);
	assert_int_equal(dns_records_begin(&it, s->data, s->len), 0);
	assert_int_equal(dns_records_next(&it, &r), 1);
	a = type == DNS_TYPE_A ? addr_v4(r.data, to_port) : addr_v6(r.data, to_port);
	addr_format(&a, text);
}

static void from_app(int i, char *text)
{
	target_format(&to_table[i].remote, text);
}

static bool app_got_from(int i, const char *text)
{
	char got[TARGET_STRLEN];

	return !strcmp(target_format(&to_app[i].remote, got), text);
}

/* ---- tests ---- */

static void answers_any_server_from_its_address(void **state)
{
	static const char *const servers[] = { "8.8.8.8:53", "[2001:db8::53]:53", "198.18.99.1:53" };
	uint8_t query[512];
	size_t len = make_query(query, 0x1111, "www.example", DNS_TYPE_A);

	(void)state;
	for (int i = 0; i < 3; i++) {
		app_sends(servers[i], query, len);
		assert_int_equal(n_app, i + 1);
		assert_true(app_got_from(i, servers[i]));
		assert_true(addr_equal(&to_app[i].key.addr, &app.addr));
		assert_int_equal(dns_message_id(to_app[i].data), 0x1111);
	}
	assert_int_equal(n_table, 0);
}

static void queries_in_one_segmented_datagram(void **state)
{
	uint8_t queries[512];
	size_t len = make_query(queries, 1, "www.example", DNS_TYPE_A);
	struct packet_of p;

	(void)state;
	make_query(queries + len, 2, "web.example", DNS_TYPE_A);
	make_query(queries + 2 * len, 3, "example", DNS_TYPE_A);
	p = packet("8.8.8.8:53", queries, 2 * len + len - 4);
	p.d.segment = (uint16_t)len;
	app_sends_batch(&p, 1);
	assert_int_equal(n_app, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dns_message_id(to_app[i].data), i + 1);
}

static void what_is_not_ours_passes_untouched(void **state)
{
	struct packet_of p[2] = { packet("192.0.2.1:443", "a", 1), packet("[2001:db8::1]:5353", "b", 1) };
	struct datagram d[2] = { { .remote = NULL } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		d[i] = p[i].d;
		d[i].remote = &p[i].to;
	}
	tun.events->receive(tun.owner, d, 2);
	assert_int_equal(n_table, 2);
	assert_ptr_equal(table_batch, d); /* the very same batch */
	for (int i = 0; i < 2; i++)
		slice_unref(p[i].d.payload);
	remote_replies("192.0.2.1:443");
	assert_true(app_got_from(0, "192.0.2.1:443"));
}

static void a_name_goes_out_as_a_name_and_comes_back_as_its_address(void **state)
{
	char text[ADDR_STRLEN], target[TARGET_STRLEN];
	struct target t;

	(void)state;
	lookup("stun.example", DNS_TYPE_A, 3478, text);
	app_sends(text, "ping", 4);
	from_app(0, target);
	assert_string_equal(target, "stun.example:3478");
	assert_int_equal(target_parse(text, &t), 0);
	assert_true(fake_is_used(&t.ip)); /* a flow keeps it for longer */
	remote_replies("192.0.2.9:3478");
	assert_true(app_got_from(1, text));
	/* IPv6: the same, though the far end answers from IPv4. */
	lookup("stun6.example", DNS_TYPE_AAAA, 3478, text);
	app_sends(text, "ping", 4);
	from_app(1, target);
	assert_string_equal(target, "stun6.example:3478");
	remote_replies("192.0.2.10:3478");
	assert_true(app_got_from(3, text));
	/* Full cone: whoever else answers is who he is. */
	remote_replies("192.0.2.11:9999");
	assert_true(app_got_from(4, "192.0.2.11:9999"));
}

/* sing-box answers a datagram for a name as that name. */
static void a_reply_that_carries_the_name_is_turned_back_too(void **state)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	(void)state;
	lookup("a.example", DNS_TYPE_A, 9, a);
	lookup("b.example", DNS_TYPE_A, 9, b);
	app_sends(a, "1", 1);
	app_sends(b, "2", 1);
	struct packet_of r[] = { packet("a.example:9", "1", 1), packet("b.example:9", "2", 1), packet("a.example:9", "3", 1),
				 packet("c.example:9", "4", 1), packet("a.example:10", "5", 1) };
	struct datagram d[5] = { { .remote = NULL } };
	for (int i = 0; i < 5; i++) {
		d[i] = r[i].d;
		d[i].remote = &r[i].to;
	}
	n_app = 0;
	datagram_send(port, d, 5);
	for (int i = 0; i < 5; i++)
		slice_unref(r[i].d.payload);
	assert_true(app_got_from(0, a) && app_got_from(1, b) && app_got_from(2, a));
	/* Names that were not asked for are no addresses: the TUN drops them. */
	assert_int_equal(to_app[3].remote.ip.family, 0);
	assert_int_equal(to_app[4].remote.ip.family, 0);
	/* The real address that answers for b is still learned. */
	remote_replies("192.0.2.9:9");
	assert_true(app_got_from(5, b));
}

static void a_batch_keeps_its_order(void **state)
{
	char text[ADDR_STRLEN], target[TARGET_STRLEN];
	uint8_t query[512];
	size_t len = make_query(query, 1, "x.example", DNS_TYPE_A);

	(void)state;
	lookup("a.example", DNS_TYPE_A, 9, text);
	struct packet_of p[] = { packet("192.0.2.1:9", "1", 1), packet(text, "2", 1), packet("8.8.8.8:53", query, len),
				 packet(text, "3", 1), packet("198.18.77.77:9", "x", 1), packet("192.0.2.2:9", "4", 1) };
	app_sends_batch(p, 6);
	assert_int_equal(batches_to_table, 1);
	assert_int_equal(n_table, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(to_table[i].data[0], '1' + i);
	from_app(2, target);
	assert_string_equal(target, "a.example:9");
	assert_int_equal(n_refused, 1);
	assert_int_equal(n_app, 2);
}

/* Two apps, two names and a plain peer, interleaved: nobody gets another's target. */
static void runs_do_not_leak_into_each_other(void **state)
{
	static const struct assoc_key second = { .addr = { .family = AF_INET, .port = 5001, .ip.bytes = { 10, 0, 0, 2 } } };
	char a[ADDR_STRLEN], b[ADDR_STRLEN], got[TARGET_STRLEN];
	static const char *const want[] = { "a.example:9", "a.example:9", "b.example:9", "a.example:9",
					    "192.0.2.7:9", "192.0.2.7:9", "a.example:9", "a.example:9" };

	(void)state;
	lookup("a.example", DNS_TYPE_A, 9, a);
	lookup("b.example", DNS_TYPE_A, 9, b);
	struct packet_of p[] = { packet(a, "1", 1), packet(a, "2", 1), packet(b, "3", 1), packet(a, "4", 1),
				 packet("192.0.2.7:9", "5", 1), packet("192.0.2.7:9", "6", 1), packet(a, "7", 1),
				 packet(a, "8", 1) };
	p[7].d.key = second;
	app_sends_batch(p, 8);
	assert_int_equal(n_table, 8);
	for (int i = 0; i < 8; i++)
		assert_string_equal(target_format(&to_table[i].remote, got), want[i]);
	/* Replies in runs: one learned, one by address, and those of the second app. */
	struct packet_of r[] = { packet("192.0.2.1:9", "1", 1), packet("192.0.2.1:9", "2", 1), packet("192.0.2.7:9", "3", 1),
				 packet("192.0.2.1:9", "4", 1) };
	struct datagram d[4] = { { .remote = NULL } };
	r[3].d.key = second;
	for (int i = 0; i < 4; i++) {
		d[i] = r[i].d;
		d[i].remote = &r[i].to;
	}
	n_app = 0;
	datagram_send(port, d, 4);
	for (int i = 0; i < 4; i++)
		slice_unref(r[i].d.payload);
	assert_int_equal(n_app, 4);
	assert_true(app_got_from(0, a) && app_got_from(1, a));
	assert_true(app_got_from(2, "192.0.2.7:9"));
	assert_true(app_got_from(3, a));
	assert_int_equal(to_app[3].key.addr.port, 5001);
}

static void nobodys_address_is_refused(void **state)
{
	char text[TARGET_STRLEN];

	(void)state;
	app_sends("198.18.77.77:9", "x", 1);
	assert_int_equal(n_table, 0);
	assert_int_equal(n_refused, 1);
	assert_string_equal(target_format(&refused[0].remote, text), "198.18.77.77:9");
}

static void a_refusal_names_the_address_the_app_used(void **state)
{
	char text[ADDR_STRLEN], got[TARGET_STRLEN];
	struct packet_of p = packet("a.example:9", "1", 1);

	(void)state;
	lookup("a.example", DNS_TYPE_A, 9, text);
	app_sends(text, "1", 1);
	p.d.remote = &p.to;
	port->ops->refuse(port, &p.d, END_LIMIT);
	slice_unref(p.d.payload);
	assert_int_equal(n_refused, 1);
	assert_string_equal(target_format(&refused[0].remote, got), text);
}

static void forgetting_reaches_both(void **state)
{
	char text[ADDR_STRLEN];

	(void)state;
	lookup("a.example", DNS_TYPE_A, 9, text);
	app_sends(text, "1", 1);
	port->ops->forget(port, &app);
	assert_int_equal(n_forgotten, 1);
	remote_replies("192.0.2.1:9");
	assert_true(app_got_from(1, "192.0.2.1:9"));
}

static void the_rest_is_asked_upstream(void **state)
{
	uint8_t query[512], out[8192];
	size_t len = make_query(query, 0x2222, "example.org", 15);
	const uint8_t *q;

	(void)state;
	app_sends("8.8.8.8:53", query, len);
	assert_int_equal(n_app, 0);
	assert_int_equal(dials, 1);
	dial_opens();
	q = fake_message(&up, 0, &len);
	len = framed_reply(out, q, len, 100);
	fake_feed(&up, out, len);
	assert_int_equal(n_app, 1);
	assert_int_equal(dns_message_id(to_app[0].data), 0x2222);
	assert_true(app_got_from(0, "8.8.8.8:53"));
	assert_int_equal(to_app[0].len, len - 2);
	/* An answer over 512 bytes, without EDNS: truncated, the app comes by TCP. */
	len = make_query(query, 0x3333, "example.org", 16);
	app_sends("8.8.8.8:53", query, len);
	q = fake_message(&up, 1, &len);
	fake_feed(&up, out, framed_reply(out, q, len, 3000));
	assert_int_equal(n_app, 2);
	assert_true(to_app[1].len <= 512 && (to_app[1].data[2] & 2));
	assert_int_equal(dns_message_id(to_app[1].data), 0x3333);
}

static void upstream_mode_asks_for_addresses_too(void **state)
{
	uint8_t query[512];
	size_t len = make_query(query, 1, "example.org", DNS_TYPE_A);

	(void)state;
	app_sends("8.8.8.8:53", query, len);
	assert_int_equal(n_app, 0);
	assert_int_equal(dials, 1);
	dialer->failed(dialing, END_REFUSED);
	assert_int_equal(n_app, 1);
	assert_int_equal(dns_message_rcode(to_app[0].data), DNS_RCODE_SERVFAIL);
	app_sends("198.18.0.1:80", "x", 1);
	assert_int_equal(n_table, 1);
}

static void off_touches_nothing(void **state)
{
	uint8_t query[512];
	size_t len = make_query(query, 1, "example.org", DNS_TYPE_A);

	(void)state;
	assert_ptr_equal(port, &tun);
	app_sends("8.8.8.8:53", query, len);
	assert_int_equal(n_table, 1);
	assert_int_equal(n_app, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_mode, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_any_server_from_its_address),
		TEST(queries_in_one_segmented_datagram),
		TEST(what_is_not_ours_passes_untouched),
		TEST(a_name_goes_out_as_a_name_and_comes_back_as_its_address),
		TEST(a_reply_that_carries_the_name_is_turned_back_too),
		TEST(a_batch_keeps_its_order),
		TEST(runs_do_not_leak_into_each_other),
		TEST(nobodys_address_is_refused),
		TEST(a_refusal_names_the_address_the_app_used),
		TEST(forgetting_reaches_both),
		TEST(the_rest_is_asked_upstream),
		cmocka_unit_test_setup_teardown(upstream_mode_asks_for_addresses_too, upstream_mode, dns_teardown),
		cmocka_unit_test_setup_teardown(off_touches_nothing, off, dns_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
