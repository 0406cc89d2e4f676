/* The list of connected.h, and the questions that it answers. */
#include "io/connected.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "io/path.h"
#include "io/socket_rules.h"

#define STALLED_AFTER 3	   /* retransmissions in a row: RFC 4821 section 7.7 gives up later, after five or more */
#define TCP4_HEADERS 40u   /* and what timestamps take of each segment */
#define TCP6_HEADERS 60u
#define TIMESTAMPS 12u
#define SURELY_PASSES 1280 /* nobody's path is narrower */

static struct list *all(void)
{
	static struct list list;

	if (!list.next)
		list_init(&list);
	return &list;
}

void connected_add(struct connected *c, int fd, bool tunnel, uint32_t keepalive_s, void (*give_up)(struct connected *, enum flow_end))
{
	c->fd = fd;
	c->tunnel = tunnel;
	c->keepalive_s = keepalive_s;
	c->give_up = give_up;
	list_append(all(), &c->node);
}

void connected_remove(struct connected *c)
{
	if (c->give_up)
		list_remove(&c->node);
	c->give_up = NULL;
}

/* The end of one may end another, so those that are meant stand in a list of their own first. */
static size_t give_up_those(bool (*is_meant)(const struct connected *, const void *), const void *what, enum flow_end why)
{
	struct list meant;
	size_t n = 0;

	list_init(&meant);
	list_for_each_safe (it, all())
		if (is_meant(container_of(it, struct connected, node), what))
			list_move_last(&meant, it);
	for (; !list_empty(&meant); n++) {
		struct connected *c = container_of(meant.next, struct connected, node);

		list_move_last(all(), &c->node);
		c->give_up(c, why);
	}
	return n;
}

struct sources {
	const struct addr *gone;
	size_t n;
};

static bool comes_from(const struct connected *c, const void *what)
{
	const struct sources *s = what;
	struct addr self = addr_of_socket(c->fd);

	for (size_t i = 0; i < s->n; i++)
		if (addr_ip_equal(&self, &s->gone[i]))
			return true;
	return false;
}

size_t connected_drop_sources(const struct addr *gone, size_t n)
{
	return n ? give_up_those(comes_from, &(struct sources){ gone, n }, END_ADDRESS_GONE) : 0;
}

/* Sends what is not acknowledged. One that connects has a limit of its own. */
static bool is_waiting(const struct tcp_info *i)
{
	return i->tcpi_state != TCP_SYN_SENT && i->tcpi_unacked && i->tcpi_retransmits;
}

/* A peer without room acknowledges what asks it whether it has some. */
static bool is_deaf(const struct tcp_info *i, uint32_t ms)
{
	return is_waiting(i) && i->tcpi_last_ack_recv >= ms && i->tcpi_last_data_recv >= ms;
}

static uint32_t longest_packet(const struct tcp_info *i, uint16_t family)
{
	uint32_t headers = family == AF_INET6 ? TCP6_HEADERS : TCP4_HEADERS;

	return i->tcpi_snd_mss + headers + (i->tcpi_options & TCPI_OPT_TIMESTAMPS ? TIMESTAMPS : 0);
}

static bool may_be_swallowed(const struct tcp_info *i, uint16_t family)
{
	return is_waiting(i) && i->tcpi_retransmits >= STALLED_AFTER && longest_packet(i, family) > SURELY_PASSES;
}

/* What can be done for it is done; true: nothing can. */
static bool is_beyond_rescue(int fd, const struct tcp_info *i)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int may_be_cut = IP_PMTUDISC_DONT;
	struct addr peer;

	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	peer = addr_from_sockaddr((struct sockaddr *)&ss);
	if (!may_be_swallowed(i, peer.family))
		return false;
	path_tell(&peer);
	if (peer.family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &may_be_cut, sizeof(may_be_cut));
	return peer.family == AF_INET6 && path_limit(&peer) && longest_packet(i, AF_INET6) > path_limit(&peer);
}

static bool is_lost(const struct connected *c, const void *what)
{
	const uint32_t *ms = what;
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i);

	if (!c->tunnel || getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &i, &len) < 0)
		return false;
	return is_deaf(&i, *ms) || is_beyond_rescue(c->fd, &i);
}

size_t connected_drop_lost(uint32_t ms)
{
	return give_up_those(is_lost, &ms, END_CONNECT_TIMEOUT);
}

void connected_keep_alive(void)
{
	list_for_each (it, all()) {
		struct connected *c = container_of(it, struct connected, node);

		if (c->keepalive_s)
			socket_rules_keepalive(c->fd, c->keepalive_s);
		c->keepalive_s = 0;
	}
}
