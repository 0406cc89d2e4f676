/*
 * The resolver nearby (dns/near) and the choice between it and the far one
 * (dns/chooser): what counts as an answer, what happens without one, and whose
 * answer a question gets in whatever order they come.
 */
#include "dns_fakes.h"

#include "dns/chooser.h"

#define PORTS 8

/* ---- a way past the tunnel: ports that keep what is sent, TCP as in dns_fakes.h ---- */

static struct near_port {
	struct datagram_port port;
	uint8_t sent[512];
	size_t len;
	int sends, ended;
} ports[PORTS];
static int n_ports;

static void port_send(struct datagram_port *p, const struct datagram *d, int n)
{
	struct near_port *np = (struct near_port *)p;

	assert_int_equal(n, 1);
	memcpy(np->sent, slice_data(&d->payload), d->payload.len);
	np->len = d->payload.len;
	np->sends++;
}

static void port_end(struct datagram_port *p, enum flow_end why)
{
	(void)why;
	((struct near_port *)p)->ended++;
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

static struct datagram_port *open_port(struct outbound *o)
{
	(void)o;
	assert_true(n_ports < PORTS);
	ports[n_ports] = (struct near_port){ .port.ops = &port_ops };
	return &ports[n_ports++].port;
}

static const struct outbound_ops past_ops = { .connect = fake_connect, .cancel = fake_cancel, .port = open_port };
static struct outbound past = { .ops = &past_ops, .name = "past" };

/* ---- answers ---- */

static int done;
static uint8_t got[512];
static size_t got_len;

static void on_done(void *owner, const uint8_t *query, const uint8_t *reply, size_t len)
{
	(void)owner, (void)query;
	done++;
	got_len = len;
	if (len)
		memcpy(got, reply, len);
}

/* An A record of `ip` behind a query's bytes; its length. */
static size_t make_reply(uint8_t *out, const uint8_t *query, size_t len, const uint8_t ip[4])
{
	static const uint8_t fixed[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };

	memcpy(out, query, len);
	out[2] |= 0x80;
	out[7] = 1;
	memcpy(out + len, fixed, sizeof(fixed));
	memcpy(out + len + sizeof(fixed), ip, 4);
	return len + sizeof(fixed) + 4;
}

static void deliver(struct near_port *p, const char *from, const uint8_t *m, size_t len)
{
	struct buf *b = buf_get((uint32_t)len + 1);
	struct target t;
	struct datagram d = { .remote = &t, .payload = { b, 0, (uint32_t)len } };

	assert_int_equal(target_parse(from, &t), 0);
	memcpy(b->data, m, len);
	p->port.events->receive(p->port.owner, &d, 1);
	buf_unref(b);
}

static const uint8_t bypassed[] = { 192, 0, 2, 7 }, other[] = { 203, 0, 113, 1 };

static void near_says(int port, const uint8_t ip[4])
{
	uint8_t m[512];

	deliver(&ports[port], "192.168.1.1:53", m, make_reply(m, ports[port].sent, ports[port].len, ip));
}

/* The far one, to its n-th question; the connection is opened with the first. */
static void far_says(int n, const uint8_t ip[4])
{
	uint8_t m[512];
	const uint8_t *q;
	size_t len;

	q = fake_message(&up, n, &len);
	assert_non_null(q);
	len = make_reply(m + 2, q, len, ip);
	m[0] = 0;
	m[1] = (uint8_t)len;
	fake_feed(&up, m, len + 2);
}

static void got_address(const uint8_t ip[4])
{
	assert_true(got_len > 16);
	assert_memory_equal(got + got_len - 4, ip, 4);
}

/* ---- the frame ---- */

static struct dns_near *near;
static struct dns_upstream *far_up;
static struct dns_service *chooser;
static struct acl *acl;
static struct target own[2]; /* by name, by address */
static struct dns_seen *seen;

static int begin(void **state)
{
	static const char text[] = "||near.lab\n192.0.2.7\n[proxy_list]\n||far.lab\n[outbound_block_list]\n||bad.lab\n";
	struct dns_chooser_options o = { .n_own = 2, .own = own };
	struct problems p = { .source = "acl" };
	struct target t;
	struct addr a;

	(void)state;
	assert_int_equal(loop_init(), 0);
	n_ports = done = dials = cancels = 0;
	up.ended = -1;
	assert_int_equal(addr_parse_ip("192.168.1.1", 53, &a), 0);
	assert_int_equal(target_parse("192.0.2.53:53", &t), 0);
	assert_int_equal(target_parse("my-server.example:8388", &own[0]), 0);
	assert_int_equal(target_parse("192.0.2.9:8388", &own[1]), 0);
	o.near = near = dns_near_new(&past, &a, 1);
	o.far = far_up = dns_upstream_new(&fake_outbound, &t);
	o.seen = seen = dns_seen_new(false);
	o.acl = acl = acl_parse(text, sizeof(text) - 1, &p);
	assert_non_null(acl);
	chooser = dns_chooser_new(&o);
	return 0;
}

static int end(void **state)
{
	(void)state;
	dns_chooser_free(chooser);
	dns_upstream_free(far_up);
	dns_near_free(near);
	acl_unref(acl);
	dns_seen_free(seen);
	loop_turn();
	loop_free();
	assert_int_equal(buf_pool_used(), 0);
	for (int i = 0; i < n_ports; i++)
		assert_int_equal(ports[i].ended, 1);
	return 0;
}

static struct dns_near_ask *ask_near(const char *name)
{
	uint8_t q[512];
	size_t len = make_query(q, 77, name, DNS_TYPE_A);
	struct dns_near_ask *a = dns_near_ask(near, q, len, on_done, NULL);

	assert_non_null(a);
	assert_int_equal(done, 0);
	return a;
}

static void *ask(const char *name, uint16_t type)
{
	uint8_t q[512];
	size_t len = make_query(q, 77, name, type);
	struct dns_question parsed;
	void *r;

	assert_int_equal(dns_message_parse_query(q, len, &parsed), 0);
	if (chooser->ops->refuse(chooser, &parsed) != DNS_RCODE_OK)
		return NULL;
	r = chooser->ops->ask(chooser, &parsed, q, len, on_done, NULL);
	assert_non_null(r);
	return r;
}

/* ---- near ---- */

static void only_the_answer_counts(void **state)
{
	uint8_t m[512];
	size_t len;

	(void)state;
	ask_near("a.lab");
	len = make_reply(m, ports[0].sent, ports[0].len, other);
	deliver(&ports[0], "192.168.1.2:53", m, len); /* another address */
	deliver(&ports[0], "192.168.1.1:54", m, len); /* another port */
	m[0] ^= 1;
	deliver(&ports[0], "192.168.1.1:53", m, len); /* another id */
	m[0] ^= 1;
	m[13] ^= 1;
	deliver(&ports[0], "192.168.1.1:53", m, len); /* another name */
	m[13] ^= 1;
	for (size_t cut = 0; cut < ports[0].len; cut++)
		deliver(&ports[0], "192.168.1.1:53", m, cut);
	deliver(&ports[0], "192.168.1.1:53", ports[0].sent, ports[0].len); /* the question itself */
	assert_int_equal(done, 0);
	deliver(&ports[0], "192.168.1.1:53", m, len);
	assert_int_equal(done, 1);
	got_address(other);
	assert_int_equal(dials, 0);
}

static void truncated_goes_to_tcp(void **state)
{
	uint8_t m[512];
	size_t len;

	(void)state;
	ask_near("a.lab");
	len = make_reply(m, ports[0].sent, ports[0].len, other);
	m[2] |= 0x02;
	deliver(&ports[0], "192.168.1.1:53", m, len);
	assert_int_equal(done, 0);
	assert_int_equal(dials, 1);
	assert_string_equal(target_format(&dialed, (char[TARGET_STRLEN]){ 0 }), "192.168.1.1:53");
	dial_opens();
	far_says(0, bypassed);
	assert_int_equal(done, 1);
	got_address(bypassed);
}

static void silence_goes_to_tcp(void **state)
{
	(void)state;
	ask_near("a.lab");
	wait_until(&dials, 1, 4000);
	assert_int_equal(ports[0].sends, 2);
	assert_int_equal(dials, 1);
	dialer->failed(dialing, END_REFUSED);
	assert_int_equal(done, 1);
	assert_int_equal(got_len, 0);
}

static void cancelled_and_freed(void **state)
{
	(void)state;
	dns_near_cancel(ask_near("a.lab"));
	ask_near("b.lab"); /* left to the end */
	assert_int_equal(ports[0].ended, 1);
	loop_turn();
	assert_int_equal(done, 0);
}

static void set_servers(const char *a, const char *b)
{
	struct addr servers[2];

	assert_int_equal(addr_parse_ip(a, 53, &servers[0]), 0);
	assert_int_equal(addr_parse_ip(b, 53, &servers[1]), 0);
	dns_near_set(near, servers, 2);
}

static void where_one_is_silent_the_next_is_asked(void **state)
{
	uint8_t m[512];
	size_t len;

	(void)state;
	set_servers("192.168.1.1", "192.168.1.2");
	ask_near("a.lab");
	len = make_reply(m, ports[0].sent, ports[0].len, other);
	deliver(&ports[0], "192.168.1.2:53", m, len); /* who was not asked yet */
	assert_int_equal(done, 0);
	wait_until(&ports[0].sends, 2, 3000);
	deliver(&ports[0], "192.168.1.1:53", m, len); /* too late: one at a time */
	assert_int_equal(done, 0);
	deliver(&ports[0], "192.168.1.2:53", m, len);
	assert_int_equal(done, 1);
	got_address(other);
}

static void other_servers_take_over(void **state)
{
	uint8_t m[512];
	size_t len;

	(void)state;
	ask_near("a.lab"); /* stays with the one that it was sent to */
	ask_near("b.lab"); /* waits for TCP, and is asked again */
	len = make_reply(m, ports[1].sent, ports[1].len, other);
	m[2] |= 0x02;
	deliver(&ports[1], "192.168.1.1:53", m, len);
	assert_int_equal(dials, 1);
	set_servers("192.168.7.1", "192.168.7.2");
	assert_int_equal(cancels, 1);
	near_says(0, other);
	assert_int_equal(done, 1);
	wait_until(&dials, 2, 2000);
	assert_string_equal(target_format(&dialed, (char[TARGET_STRLEN]){ 0 }), "192.168.7.1:53");
	dial_opens();
	far_says(0, bypassed);
	assert_int_equal(done, 2);
	got_address(bypassed);
}

static int looks;

static void look(void *owner)
{
	assert_ptr_equal(owner, near);
	looks++;
	set_servers("192.168.7.1", "192.168.7.2");
}

static void who_knows_better_is_asked_first(void **state)
{
	(void)state;
	looks = 0;
	dns_near_before_ask(near, look, near);
	ask_near("a.lab");
	assert_int_equal(looks, 1);
	near_says(0, other); /* by the old one: it was never asked */
	assert_int_equal(done, 0);
}

/* ---- the choice ---- */

static enum config_dns mode_of(const char *name, uint16_t type)
{
	uint8_t q[512];
	size_t len = make_query(q, 77, name, type);
	struct dns_question parsed;

	assert_int_equal(dns_message_parse_query(q, len, &parsed), 0);
	return chooser->ops->mode(chooser, &parsed);
}

static void with_fake_addresses_only_the_rest_is_asked(void **state)
{
	(void)state;
	chooser->mode = DNS_FAKE;
	assert_int_equal(mode_of("far.lab", DNS_TYPE_A), DNS_FAKE);
	assert_int_equal(mode_of("unknown.lab", DNS_TYPE_AAAA), DNS_FAKE); /* its addresses are asked for when it is dialled */
	assert_int_equal(mode_of("near.lab", DNS_TYPE_A), DNS_UPSTREAM);
	assert_int_equal(mode_of("www.near.lab", DNS_TYPE_HTTPS), DNS_UPSTREAM);
	assert_int_equal(mode_of("bad.lab", DNS_TYPE_A), DNS_UPSTREAM); /* to be refused */
	assert_int_equal(mode_of("my-server.example", DNS_TYPE_A), DNS_UPSTREAM);
	assert_int_equal(mode_of("", DNS_TYPE_A), DNS_FAKE); /* the root is not the server that has no name */
	assert_int_equal(mode_of("7.2.0.192.in-addr.arpa", DNS_TYPE_PTR), DNS_FAKE); /* which knows its own, and forwards others */
	chooser->mode = DNS_UPSTREAM;
	assert_int_equal(mode_of("far.lab", DNS_TYPE_A), DNS_UPSTREAM);
}

static void what_was_answered_is_noted(void **state)
{
	struct addr a = addr_v4(other, 443), b = addr_v4(bypassed, 443);
	struct target t;

	(void)state;
	ask("Near.lab", DNS_TYPE_A);
	assert_false(dns_seen_find(seen, &a, loop_now(), &t));
	near_says(0, other);
	assert_true(dns_seen_find(seen, &a, loop_now(), &t));
	assert_string_equal(t.name, "near.lab");
	assert_int_equal(t.ip.port, 443);
	ask("far.lab", DNS_TYPE_A);
	dial_opens();
	far_says(0, bypassed);
	assert_true(dns_seen_find(seen, &b, loop_now(), &t));
	assert_string_equal(t.name, "far.lab");
}

static void by_name(void **state)
{
	(void)state;
	assert_null(ask("www.bad.lab", DNS_TYPE_A));
	ask("near.lab", DNS_TYPE_A);
	assert_int_equal(n_ports, 1);
	assert_int_equal(dials, 0);
	near_says(0, other);
	assert_int_equal(done, 1);
	ask("far.lab", DNS_TYPE_A);
	assert_int_equal(n_ports, 1);
	dial_opens();
	far_says(0, other);
	assert_int_equal(done, 2);
	ask("My-Server.example", DNS_TYPE_A); /* our own: never through the tunnel that it is needed for */
	assert_int_equal(n_ports, 2);
	near_says(1, other);
	ask("7.2.0.192.in-addr.arpa", DNS_TYPE_PTR);
	assert_int_equal(n_ports, 3);
	near_says(2, other);
	ask("1.113.0.203.in-addr.arpa", DNS_TYPE_PTR);
	ask("unknown.lab", 16); /* TXT has no address to decide by */
	assert_int_equal(n_ports, 3);
	far_says(1, other);
	far_says(2, other);
	assert_int_equal(done, 6);
}

static void by_address(void **state)
{
	(void)state;
	ask("unknown.lab", DNS_TYPE_A); /* near first, bypassed */
	dial_opens();
	near_says(0, bypassed);
	assert_int_equal(done, 1);
	got_address(bypassed);
	ask("unknown.lab", DNS_TYPE_A); /* near first, not bypassed */
	near_says(1, other);
	assert_int_equal(done, 1);
	far_says(1, other);
	assert_int_equal(done, 2);
	ask("unknown.lab", DNS_TYPE_A); /* far first, bypassed */
	far_says(2, other);
	assert_int_equal(done, 2);
	near_says(2, bypassed);
	assert_int_equal(done, 3);
	got_address(bypassed);
	ask("unknown.lab", DNS_TYPE_A); /* far first, not bypassed: its answer was kept */
	far_says(3, (const uint8_t[]){ 203, 0, 113, 2 });
	near_says(3, other);
	assert_int_equal(done, 4);
	got_address((const uint8_t[]){ 203, 0, 113, 2 });
	chooser->ops->cancel(chooser, ask("unknown.lab", DNS_TYPE_A));
	chooser->ops->cancel(chooser, ask("near.lab", DNS_TYPE_A));
	assert_int_equal(done, 4);
}

/* A reload takes the list away while both are asked. */
static void a_list_that_goes_decides_nothing(void **state)
{
	(void)state;
	ask("unknown.lab", DNS_TYPE_A);
	ask("unknown.lab", DNS_TYPE_A);
	dial_opens();
	far_says(0, other);
	dns_chooser_change(chooser, NULL, own, 2);
	near_says(0, bypassed); /* the far answer was kept */
	assert_int_equal(done, 1);
	got_address(other);
	near_says(1, bypassed);
	assert_int_equal(done, 1);
	far_says(1, other);
	assert_int_equal(done, 2);
	got_address(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_the_answer_counts, begin, end),
		cmocka_unit_test_setup_teardown(truncated_goes_to_tcp, begin, end),
		cmocka_unit_test_setup_teardown(silence_goes_to_tcp, begin, end),
		cmocka_unit_test_setup_teardown(cancelled_and_freed, begin, end),
		cmocka_unit_test_setup_teardown(where_one_is_silent_the_next_is_asked, begin, end),
		cmocka_unit_test_setup_teardown(other_servers_take_over, begin, end),
		cmocka_unit_test_setup_teardown(who_knows_better_is_asked_first, begin, end),
		cmocka_unit_test_setup_teardown(with_fake_addresses_only_the_rest_is_asked, begin, end),
		cmocka_unit_test_setup_teardown(what_was_answered_is_noted, begin, end),
		cmocka_unit_test_setup_teardown(by_name, begin, end),
		cmocka_unit_test_setup_teardown(by_address, begin, end),
		cmocka_unit_test_setup_teardown(a_list_that_goes_decides_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
