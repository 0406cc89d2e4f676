/*
 * Datagrams in the name of others.
 *
 * A transparent socket may leave from any address, told datagram by datagram
 * (PKTINFO), but its port is the one that it is bound to. So there is one socket
 * per source port and family, whatever the address: few, since most of what answers
 * has port 443 or 53, and datagrams of many remotes share a batch. It is bound to
 * an address that stands for nobody (RFC 7600, RFC 6666): nothing can come in by
 * it, and it takes nothing from others of this machine who listen at that port.
 *
 * Sockets are kept in the order of their last use. The oldest goes when there are
 * too many (a peer may answer from a thousand ports), all that were silent for a
 * while go with time.
 *
 * Where a port cannot be bound (somebody else has all addresses of it for himself; it
 * is below 1024 and CAP_NET_BIND_SERVICE is gone) a raw socket sends the datagram:
 * one by one and without offload, but it arrives.
 */
#include "inbound/foreign_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "inbound/foreign_raw.h"
#include "inbound/packet.h"
#include "loop/loop.h"

#define SOCKET_BUFFER (4u * 1024 * 1024)
#define SOCKETS_MIN 16
#define SOCKETS_MAX 1024
#define FILES_SHARE 16 /* of the descriptors that we may have, the part that these take */
#define SILENT_MS 60000
#define SWEEP_MS 10000

struct source {
	struct hash_node node;
	struct list used; /* in the order of last use, oldest first */
	struct udp_socket *socket; /* NULL: the port cannot be bound */
	uint64_t used_ms;
	uint16_t family, port;
};

struct foreign_udp {
	struct hash sources;
	struct list used;
	unsigned max;
	struct socket_rules rules;
	struct loop_timer sweep;
	int raw4, raw6; /* or -1 */
};

/* ---- sockets ---- */

static uint64_t hash_of(uint16_t family, uint16_t port)
{
	uint16_t key[2] = { family, port };

	return hash_bytes(key, sizeof(key));
}

static struct source *find(const struct foreign_udp *f, const struct addr *from)
{
	uint64_t value = hash_of(from->family, from->port);

	for (struct hash_node *n = hash_first(&f->sources, value); n; n = hash_next(n, value)) {
		struct source *s = container_of(n, struct source, node);

		if (s->family == from->family && s->port == from->port)
			return s;
	}
	return NULL;
}

static void forget(struct foreign_udp *f, struct source *s)
{
	if (s->socket)
		udp_socket_close(s->socket);
	hash_remove(&f->sources, &s->node);
	list_remove(&s->used);
	free(s);
}

static struct source *oldest(const struct foreign_udp *f)
{
	return container_of(f->used.next, struct source, used);
}

static void on_sweep(struct loop_timer *t)
{
	struct foreign_udp *f = container_of(t, struct foreign_udp, sweep);

	while (!list_empty(&f->used) && loop_now() - oldest(f)->used_ms >= SILENT_MS)
		forget(f, oldest(f));
	if (!list_empty(&f->used))
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	(void)owner, (void)m, (void)n; /* nobody has this address */
}

static const struct udp_socket_events events = { on_receive, NULL };

/* NULL: the port cannot be had. */
static struct udp_socket *open_socket(const struct foreign_udp *f, const struct addr *from)
{
	static const uint8_t nobody4[4] = { 192, 0, 0, 8 }, nobody6[16] = { 0x01, [15] = 1 };
	struct addr at = from->family == AF_INET6 ? addr_v6(nobody6, from->port) : addr_v4(nobody4, from->port);
	struct udp_socket_options o = {
		.bind = &at, .pktinfo = true, .transparent = true, .rules = &f->rules, .buffer = SOCKET_BUFFER
	};
	int err = 0;
	struct udp_socket *s = udp_socket_open(&o, &events, NULL, &err);

	if (!s)
		log_debug("answers from port %u go out one by one: it cannot be bound err=%d", from->port, err);
	return s;
}

static struct source *add(struct foreign_udp *f, const struct addr *from)
{
	struct source *s;

	while (f->sources.count >= f->max)
		forget(f, oldest(f));
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->family = from->family;
	s->port = from->port;
	s->socket = open_socket(f, from);
	list_init(&s->used);
	list_append(&f->used, &s->used);
	hash_insert(&f->sources, &s->node, hash_of(s->family, s->port));
	if (!loop_timer_armed(&f->sweep))
		loop_timer_start(&f->sweep, SWEEP_MS, on_sweep);
	return s;
}

/* ---- raw ---- */

/* The checksum of IPv4 is ours to fill in; IPv6's is the kernel's. */
static void put_header(uint8_t header[PACKET_UDP_HEADER], const struct udp_outgoing *o, const uint8_t *data, uint32_t len)
{
	uint32_t whole = PACKET_UDP_HEADER + len;
	uint16_t sum;

	packet_put16(header, o->local->port);
	packet_put16(header + 2, o->remote->port);
	packet_put16(header + 4, (uint16_t)whole);
	memset(header + 6, 0, 2);
	if (o->local->family != AF_INET)
		return;
	sum = (uint16_t)~packet_fold(packet_sum(data, len, packet_sum(header, PACKET_UDP_HEADER,
									packet_pseudo_sum(o->local, o->remote, IPPROTO_UDP, whole))));
	if (!sum)
		sum = 0xffff;
	memcpy(header + 6, &sum, 2);
}

static void send_raw_one(int fd, const struct udp_outgoing *o, uint8_t *data, uint32_t len)
{
	uint8_t header[PACKET_UDP_HEADER];
	struct iovec iov[2] = { { header, sizeof(header) }, { data, len } };
	int err;

	put_header(header, o, data, len);
	err = foreign_raw_send(fd, o->local, o->remote, iov, 2);
	if (!err) {
		udp_socket_counters.tx_datagrams++;
		udp_socket_counters.tx_calls++;
	} else if (err == -EMSGSIZE) {
		udp_socket_counters.tx_too_big++;
	} else {
		udp_socket_counters.tx_dropped++;
	}
}

static void send_raw(struct foreign_udp *f, const struct udp_outgoing *o)
{
	int *fd = o->local->family == AF_INET6 ? &f->raw6 : &f->raw4;
	uint32_t size = o->segment ? o->segment : o->payload.len, off = 0;

	if (*fd < 0)
		*fd = foreign_raw_open(o->local->family, IPPROTO_UDP, &f->rules);
	if (*fd < 0) {
		udp_socket_counters.tx_dropped++;
		return;
	}
	do {
		uint32_t rest = o->payload.len - off;

		send_raw_one(*fd, o, slice_data(&o->payload) + off, rest < size ? rest : size);
		off += size;
	} while (off < o->payload.len);
}

/* ---- the interface ---- */

void foreign_udp_send(struct foreign_udp *f, const struct udp_outgoing *o)
{
	struct source *s = find(f, o->local);

	if (!s)
		s = add(f, o->local);
	if (!s) {
		udp_socket_counters.tx_dropped++;
		return;
	}
	if (s->used_ms != loop_now()) {
		s->used_ms = loop_now();
		list_move_last(&f->used, &s->used);
	}
	if (s->socket)
		udp_socket_send(s->socket, o);
	else
		send_raw(f, o);
}

static unsigned sockets_max(void)
{
	struct rlimit files;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return SOCKETS_MIN;
	share = files.rlim_cur / FILES_SHARE;
	return share < SOCKETS_MIN ? SOCKETS_MIN : share > SOCKETS_MAX ? SOCKETS_MAX : (unsigned)share;
}

struct foreign_udp *foreign_udp_new(uint32_t mark)
{
	struct foreign_udp *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	if (hash_init(&f->sources) != 0) {
		free(f);
		return NULL;
	}
	list_init(&f->used);
	f->max = sockets_max();
	f->rules.fwmark = mark;
	f->raw4 = f->raw6 = -1;
	return f;
}

void foreign_udp_free(struct foreign_udp *f)
{
	while (!list_empty(&f->used))
		forget(f, oldest(f));
	loop_timer_stop(&f->sweep);
	if (f->raw4 >= 0)
		close(f->raw4);
	if (f->raw6 >= 0)
		close(f->raw6);
	hash_free(&f->sources);
	free(f);
}
