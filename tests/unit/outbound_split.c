/*
 * The split outbound between two that only note what they are asked: each flow
 * goes the way that was decided, once per target; what is blocked goes nowhere;
 * a name whose addresses decide waits for them. The name server is the test's own.
 */
#include "udp_helpers.h"

#include "base/list.h"
#include "io/datagram_counters.h"
#include "outbound/split.h"
#include "resolve/resolve.h"

/* ---- the two ways ---- */

struct dial {
	struct loop_work work;
	const struct dial_events *events;
	void *owner;
	struct noting *way;
};

struct noting {
	struct outbound outbound;
	struct datagram_port port;
	struct dial dial;
	struct addr client;
	char sent[1024]; /* first bytes of payloads, in order; a / after each send() */
	int connects, cancels, ports, ends;
};

static struct noting ways[2];
static int failed, opened;
static enum flow_end last_end;

static void fail_dial(struct loop_work *w)
{
	struct dial *d = container_of(w, struct dial, work);

	d->events->failed(d->owner, END_REFUSED);
}

static struct dial *way_connect_from(struct outbound *o, const struct addr *client, const struct target *t,
				     const struct dial_events *events, void *owner)
{
	struct noting *n = container_of(o, struct noting, outbound);

	(void)t;
	n->connects++;
	n->client = client ? *client : (struct addr){ 0 };
	n->dial = (struct dial){ .events = events, .owner = owner, .way = n };
	loop_defer(&n->dial.work, fail_dial);
	return &n->dial;
}

static struct dial *way_connect(struct outbound *o, const struct target *t, const struct dial_events *events, void *owner)
{
	return way_connect_from(o, NULL, t, events, owner);
}

static void way_cancel(struct dial *d)
{
	loop_defer_cancel(&d->work);
	d->way->cancels++;
}

static struct datagram_port *way_port(struct outbound *o)
{
	struct noting *n = container_of(o, struct noting, outbound);

	n->ports++;
	return &n->port;
}

static void way_send(struct datagram_port *p, const struct datagram *d, int count)
{
	struct noting *n = container_of(p, struct noting, port);

	for (int i = 0; i < count; i++)
		strncat(n->sent, (const char *)slice_data(&d[i].payload), 1);
	strcat(n->sent, "/");
}

static void way_end(struct datagram_port *p, enum flow_end why)
{
	(void)why;
	container_of(p, struct noting, port)->ends++;
}

static const struct outbound_ops way_ops = {
	.connect = way_connect, .cancel = way_cancel, .port = way_port, .connect_from = way_connect_from
};
static const struct datagram_port_ops way_port_ops = { .send = way_send, .end = way_end };

/* ---- the rules: a name by its first letter, an address by its last byte ---- */

static unsigned decided, decided_resolved;

static enum split_way decide(const void *rules, const struct target *t)
{
	decided++;
	if (!target_is_name(t))
		return (enum split_way)(t->ip.ip.bytes[3] % 3);
	return (enum split_way)(strchr((const char *)rules, t->name[0]) - (const char *)rules);
}

static enum split_way decide_resolved(const void *rules, const struct addr *a, int n)
{
	(void)rules;
	decided_resolved++;
	return n && a[0].ip.bytes[0] == 192 ? SPLIT_DIRECT : SPLIT_PROXY;
}

/* ---- the frame ---- */

static int dns_fd, n_back;
static struct outbound *split;
static struct datagram_port *port;

static void on_opened(void *owner, struct stream *s)
{
	(void)owner, (void)s;
	opened++;
}

static void on_failed(void *owner, enum flow_end why)
{
	(void)owner;
	failed++;
	last_end = why;
}

static const struct dial_events dial_events = { on_opened, on_failed };

static void on_back(void *owner, const struct datagram *d, int n)
{
	(void)owner, (void)d;
	n_back += n;
}

static int n_refused;
static struct target refused;
static enum flow_end refused_why;

static void on_refused(void *owner, const struct target *t, enum flow_end why)
{
	(void)owner;
	n_refused++;
	refused = *t;
	refused_why = why;
}

static const struct datagram_events back_events = { on_back, NULL, on_refused };

static int gone;

static void on_gone(void *owner)
{
	assert_ptr_equal(owner, &gone);
	gone++;
}

static int begin(void **state)
{
	struct split_options o = {
		.proxy = &ways[SPLIT_PROXY].outbound,
		.direct = &ways[SPLIT_DIRECT].outbound,
		.decide = decide,
		.decide_resolved = decide_resolved,
		.rules = "pdbr",
		.gone = on_gone,
		.owner = &gone,
	};
	char servers[ADDR_STRLEN], err[256] = "";
	struct addr dns;

	(void)state;
	memset(ways, 0, sizeof(ways));
	for (int i = 0; i < 2; i++) {
		ways[i].outbound.ops = &way_ops;
		ways[i].port.ops = &way_port_ops;
	}
	failed = opened = n_back = n_refused = gone = 0;
	decided = decided_resolved = 0;
	assert_int_equal(loop_init(), 0);
	dns_fd = plain_socket(&dns);
	assert_int_equal(resolve_init(&(struct resolve_options){ .servers = addr_format(&dns, servers) }, err, sizeof(err)), 0);
	split = split_new(&o);
	port = split->ops->port(split);
	datagram_bind(port, &back_events, NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (port)
		datagram_end(port, END_SHUTDOWN);
	loop_turn();
	if (split)
		split->ops->free(split);
	assert_int_equal(gone, 1);
	assert_int_equal(buf_pool_used(), 0);
	resolve_free();
	loop_turn();
	loop_free();
	close(dns_fd);
	return 0;
}

static struct target named(const char *name)
{
	struct target t;

	assert_int_equal(target_set(&t, name, strlen(name), 80), 0);
	return t;
}

/* Answers what has been asked: A is 192.0.2.1, AAAA nothing. */
static void answer_dns(void)
{
	uint8_t m[512];
	struct addr from;
	ssize_t len;

	while ((len = plain_receive(dns_fd, m, sizeof(m) - 16, &from)) > 0) {
		static const uint8_t rr[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1 };
		size_t at = 12;

		while (m[at])
			at += m[at] + 1u;
		at += 5;
		m[2] = 0x81, m[3] = 0x80;
		memset(m + 6, 0, 6);
		if (m[at - 3] == 1) {
			m[7] = 1;
			memcpy(m + at, rr, sizeof(rr));
			at += sizeof(rr);
		}
		plain_send(dns_fd, &from, m, at);
	}
}

/* ---- TCP ---- */

static struct dial *connect_to(const char *name)
{
	struct target t = named(name);
	struct addr client = loopback4(1234);

	return outbound_connect(split, &client, &t, &dial_events, NULL);
}

static void tcp_goes_the_way_decided(void **state)
{
	(void)state;
	assert_non_null(connect_to("proxied"));
	assert_non_null(connect_to("direct"));
	assert_int_equal(failed, 0); /* never from inside the call */
	turn_until(failed == 2);
	assert_int_equal(last_end, END_REFUSED);
	assert_int_equal(ways[SPLIT_PROXY].connects, 1);
	assert_int_equal(ways[SPLIT_DIRECT].connects, 1);
	assert_int_equal(ways[SPLIT_PROXY].client.port, 1234); /* who asks is passed on */
	assert_non_null(connect_to("blocked"));
	assert_int_equal(failed, 2);
	turn_until(failed == 3);
	assert_int_equal(last_end, END_DENIED);
	assert_int_equal(ways[0].connects + ways[1].connects, 2);
}

static void tcp_waits_for_the_addresses(void **state)
{
	struct dial *d;

	(void)state;
	assert_non_null(connect_to("resolved"));
	turns(2);
	assert_int_equal(ways[0].connects + ways[1].connects, 0);
	answer_dns();
	turn_until(failed == 1);
	assert_int_equal(ways[SPLIT_DIRECT].connects, 1);
	d = connect_to("r2");
	turns(1);
	split->ops->cancel(d); /* while it resolves */
	d = connect_to("direct");
	split->ops->cancel(d); /* while it dials */
	assert_int_equal(ways[SPLIT_DIRECT].cancels, 1);
	d = connect_to("blocked");
	split->ops->cancel(d); /* before it is told */
	answer_dns();
	turns(5);
	assert_int_equal(failed, 1);
}

/* ---- UDP ---- */

static void send_batch(struct target *t, const char *payloads)
{
	struct datagram d[16] = { 0 };
	int n = (int)strlen(payloads);

	for (int i = 0; i < n; i++) {
		struct buf *b = buf_get(8);

		b->data[0] = (uint8_t)payloads[i];
		d[i] = (struct datagram){ .remote = &t[i], .payload = { b, 0, 1 } };
	}
	datagram_send(port, d, n);
	for (int i = 0; i < n; i++)
		slice_unref(d[i].payload);
}

static struct target far_numbered(uint8_t third, uint8_t last)
{
	struct addr a = addr_v4((const uint8_t[]){ 10, 0, third, last }, 80);
	struct target t;

	target_from_addr(&t, &a);
	return t;
}

static struct target numbered(uint8_t last) { return far_numbered(0, last); }

static void udp_in_runs(void **state)
{
	struct target t[6] = { numbered(3), numbered(3), numbered(4), numbered(5), numbered(3), numbered(4) };
	uint64_t before = datagram_counters.dropped_acl;

	(void)state;
	send_batch(t, "abcdef");
	assert_string_equal(ways[SPLIT_PROXY].sent, "ab/e/");
	assert_string_equal(ways[SPLIT_DIRECT].sent, "c/f/");
	assert_int_equal(datagram_counters.dropped_acl - before, 1);
	assert_int_equal(ways[SPLIT_PROXY].ports, 1);
	assert_int_equal(ways[SPLIT_DIRECT].ports, 1);
	ways[SPLIT_DIRECT].port.events->receive(ways[SPLIT_DIRECT].port.owner, NULL, 3);
	assert_int_equal(n_back, 3);
}

static void what_is_blocked_is_told(void **state)
{
	struct target t[6] = { numbered(5), numbered(5), numbered(8), numbered(3), numbered(5), numbered(3) };
	struct target name = named("blocked"), far = numbered(3);

	(void)state;
	send_batch(t, "abcdef");
	assert_int_equal(n_refused, 0); /* never from inside the call */
	turns(1);
	assert_int_equal(n_refused, 2); /* each target once */
	assert_int_equal(refused_why, END_DENIED);
	send_batch(&name, "a");
	turns(1);
	assert_int_equal(n_refused, 3);
	assert_true(target_equal(&refused, &name));
	/* What a way's own port says is passed on. */
	datagram_refused(&ways[SPLIT_PROXY].port, &far, END_NET_UNREACHABLE);
	assert_int_equal(n_refused, 4);
	assert_int_equal(refused_why, END_NET_UNREACHABLE);
	send_batch(&name, "a"); /* not told any more: the frame ends the port in this turn */
}

/* The table of what was decided has few places, and two targets may meet in one: mostly they do not. */
static void decided_once(void **state)
{
	struct target again = numbered(3);
	int once = 0;

	(void)state;
	for (uint8_t i = 0; i < 20; i++) {
		struct target t[6] = { far_numbered(i, 3), far_numbered(i, 4), far_numbered(i, 5), far_numbered(i, 3), far_numbered(i, 4), far_numbered(i, 5) };

		decided = 0;
		send_batch(t, "abcdef");
		once += decided == 3;
	}
	assert_in_range(once, 10, 20);
	decided = 0;
	for (int i = 0; i < 5; i++)
		send_batch(&again, "a");
	assert_in_range(decided, 0, 1);
	decided = 0;
	split_set_rules(split, "dpbr"); /* what was decided is decided anew */
	send_batch(&again, "a");
	assert_int_equal(decided, 1);
}

static void a_port_is_opened_when_it_is_needed(void **state)
{
	struct target t[2] = { numbered(5), numbered(4) };

	(void)state;
	send_batch(t, "a");
	assert_int_equal(ways[0].ports + ways[1].ports, 0);
	send_batch(t, "ab");
	assert_int_equal(ways[SPLIT_PROXY].ports, 0);
	assert_int_equal(ways[SPLIT_DIRECT].ports, 1);
}

static void udp_waits_in_order(void **state)
{
	struct target t[4] = { named("resolved"), named("direct"), named("resolved"), named("proxied") };

	(void)state;
	send_batch(t, "abcd");
	assert_string_equal(ways[SPLIT_DIRECT].sent, "b/");
	assert_string_equal(ways[SPLIT_PROXY].sent, "d/");
	turns(2);
	answer_dns();
	turn_until(strcmp(ways[SPLIT_DIRECT].sent, "b/a/c/") == 0);
	assert_int_equal(decided_resolved, 1);
	send_batch(t, "ef");
	assert_string_equal(ways[SPLIT_DIRECT].sent, "b/a/c/ef/");
	assert_int_equal(decided_resolved, 1);
	t[0] = named("r3"); /* left to wait: dropped at the end */
	send_batch(t, "x");
}

/* A reload takes it away while a port, and a dial that waits for a name, use it. */
static void freed_it_goes_with_its_last_flow(void **state)
{
	struct target t = named("direct");
	struct dial *d = connect_to("resolved");

	(void)state;
	split->ops->free(split);
	turns(3);
	assert_int_equal(gone, 0);
	send_batch(&t, "a"); /* the port decides by it still */
	assert_string_equal(ways[SPLIT_DIRECT].sent, "a/");
	split->ops->cancel(d);
	turns(3);
	assert_int_equal(gone, 0);
	datagram_end(port, END_SHUTDOWN);
	turn_until(gone == 1);
	port = NULL;
	split = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tcp_goes_the_way_decided, begin, end),
		cmocka_unit_test_setup_teardown(tcp_waits_for_the_addresses, begin, end),
		cmocka_unit_test_setup_teardown(udp_in_runs, begin, end),
		cmocka_unit_test_setup_teardown(what_is_blocked_is_told, begin, end),
		cmocka_unit_test_setup_teardown(decided_once, begin, end),
		cmocka_unit_test_setup_teardown(a_port_is_opened_when_it_is_needed, begin, end),
		cmocka_unit_test_setup_teardown(udp_waits_in_order, begin, end),
		cmocka_unit_test_setup_teardown(freed_it_goes_with_its_last_flow, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
