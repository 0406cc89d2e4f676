/* The page of numbers, and the table of their names; see counters.h. */
#include "flow/counters.h"


#include "io/datagram_counters.h"
#include "io/udp_socket.h"

struct flow_counters flow_counters;

#define ROW(group_, name_, kind_, doc_) { #group_, #name_, offsetof(struct flow_counters, group_.name_), kind_, doc_ }

static const struct flow_counter_row rows[] = {
	ROW(tcp, flows_active, FLOW_GAUGE, "TCP flows that stand now, those still dialling included."),
	ROW(tcp, flows_opened, FLOW_TOTAL, "TCP flows that began."),
	ROW(tcp, bytes_up, FLOW_TOTAL, "Bytes of TCP payload from the client."),
	ROW(tcp, bytes_down, FLOW_TOTAL, "Bytes of TCP payload to the client."),

	ROW(udp, sessions_active, FLOW_GAUGE, "UDP associations that live now."),
	ROW(udp, sessions_opened, FLOW_TOTAL, "UDP associations that began."),
	ROW(udp, packets_up, FLOW_TOTAL, "Datagrams from the client."),
	ROW(udp, packets_down, FLOW_TOTAL, "Datagrams to the client."),
	ROW(udp, bytes_up, FLOW_TOTAL, "Bytes of UDP payload from the client."),
	ROW(udp, bytes_down, FLOW_TOTAL, "Bytes of UDP payload to the client."),
	ROW(udp, malformed, FLOW_TROUBLE, "Datagrams that are no message of their protocol."),
	ROW(udp, fragments, FLOW_TROUBLE, "Fragments of datagrams (IP, or SOCKS5's FRAG) that came to be put together."),
	ROW(udp, fragment_timeouts, FLOW_TROUBLE, "Fragmented datagrams given up before they were whole."),
	ROW(udp, session_timeouts, FLOW_TROUBLE, "Associations that ended because they were idle."),
	ROW(udp, evicted, FLOW_TROUBLE, "Associations that made room for others at the cap."),
	ROW(udp, dropped_queue, FLOW_TROUBLE, "Datagrams dropped at a full queue, or whose name did not resolve in time."),
	ROW(udp, dropped_rate, FLOW_TROUBLE, "Datagrams dropped by a rate limit."),
	ROW(udp, dropped_amplification, FLOW_TROUBLE, "Answers withheld from a client that has not proven its address."),
	ROW(udp, dropped_acl, FLOW_TROUBLE, "Datagrams to or from an address that a rule forbids."),
	ROW(udp, dropped_replay, FLOW_TROUBLE, "Datagrams seen before, or too old to tell."),
	ROW(udp, dropped_crypto, FLOW_TROUBLE, "Datagrams that did not verify: another key or method, or tampering."),
	ROW(udp, dropped_limit, FLOW_TROUBLE, "Datagrams for which no association could be made."),
	ROW(udp, closed_port, FLOW_TROUBLE, "Datagrams answered by ICMP port unreachable."),
	ROW(udp, handed_over, FLOW_TROUBLE, "Datagrams of a session that moved, given to the worker that has it."),
	ROW(udp, too_big, FLOW_TROUBLE, "Datagrams larger than the path carries."),

	ROW(socks, control_active, FLOW_GAUGE, "SOCKS5 control connections (UDP ASSOCIATE) that stand now."),
	ROW(socks, control_opened, FLOW_TROUBLE, "SOCKS5 control connections that began."),

	ROW(limits, client_flows, FLOW_TROUBLE, "Flows refused because their client has as many as it may (client_flows)."),
	ROW(limits, client_flow_rate, FLOW_TROUBLE, "Flows refused because their client begins too many (client_flows_per_s)."),
	ROW(limits, user_flow_rate, FLOW_TROUBLE, "Flows refused because their user begins too many (user_flows_per_s)."),
	{ 0 },
};

const struct flow_counter_row *flow_counter_table(void)
{
	return rows;
}

void flow_counters_read(struct flow_counters *out)
{
	const struct datagram_counters *d = &datagram_counters;
	const struct udp_socket_counters *s = &udp_socket_counters;

	*out = flow_counters;
	out->udp.malformed += d->malformed;
	out->udp.fragments += d->fragments;
	out->udp.fragment_timeouts += d->fragment_timeouts;
	out->udp.dropped_queue += d->dropped_queue + s->tx_dropped;
	out->udp.dropped_acl += d->dropped_acl;
	out->udp.dropped_replay += d->dropped_replay;
	out->udp.dropped_crypto += d->dropped_crypto;
	out->udp.closed_port += s->closed_port;
	out->udp.handed_over += d->handed_over;
	out->udp.too_big += d->too_big + s->tx_too_big;
}

void flow_counters_add(struct flow_counters *sum, const struct flow_counters *more)
{
	for (const struct flow_counter_row *r = rows; r->name; r++)
		*flow_counter_at(sum, r) += flow_counter_get(more, r);
	for (int i = 0; i < END_COUNT; i++)
		sum->tcp.ended[i] += more->tcp.ended[i];
}

void flow_counters_reset(void)
{
	flow_counters = (struct flow_counters){ 0 };
	datagram_counters = (struct datagram_counters){ 0 };
	udp_socket_counters = (struct udp_socket_counters){ 0 };
}
