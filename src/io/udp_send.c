/*
 * Sending: what waits for the end of the turn, how it is grouped, and how the
 * kernel takes it.
 *
 * The queue is an array of entries in one pool buffer that exists only between
 * the first send and the flush. A payload that continues the entry before it
 * in memory (sealed one after another) only lengthens that entry.
 *
 * At the flush, entries of one destination and one size become one message
 * with UDP_SEGMENT; a shorter one may end it. Entries of other destinations
 * are passed over freely, entries to the same destination only if they belong
 * to another flow: within a flow the order stays (`blocked` remembers, by 64
 * bits, the flows that were passed over).
 *
 * The kernel refuses a group for reasons that only it knows (the device's
 * checksum offload, the path's MTU, the kernel's age): EINVAL, EMSGSIZE and EIO
 * alike mean that this group goes out one by one, and that segments of this
 * size are not tried again on this socket.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "io/udp_internal.h"

#define QUEUE_MAX 128
#define MESSAGES 64
#define SEGMENTS_MAX 64	  /* Linux 6.1 takes no more (UDP_MAX_SEGMENTS) */
#define GROUP_BYTES 65000 /* below 65,507 and IPv6's 65,487 */
#define CONTROL_SIZE (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

/* Scratch of one flush, in a pool buffer meanwhile. */
struct tx {
	struct mmsghdr headers[MESSAGES];
	struct sockaddr_in6 names[MESSAGES];
	struct iovec iov[QUEUE_MAX + MESSAGES];
	_Alignas(struct cmsghdr) uint8_t control[MESSAGES][CONTROL_SIZE];
	uint16_t sizes[MESSAGES];     /* UDP_SEGMENT's value; 0 = one datagram */
	uint16_t datagrams[MESSAGES]; /* in this message */
	int messages, iovs;
};
static_assert(sizeof(struct tx) <= BUF_MEDIUM, "the scratch of a flush fits a pool buffer");

static struct tx *tx;

static struct udp_entry *entries(const struct udp_socket *s)
{
	return (struct udp_entry *)(void *)s->queue->data;
}

static uint32_t entry_size(const struct udp_entry *e)
{
	return e->segment ? e->segment : e->payload.len;
}

static uint32_t entry_datagrams(const struct udp_entry *e)
{
	return e->segment ? (e->payload.len + e->segment - 1) / e->segment : 1;
}

static bool same_addr(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- messages ---- */

static void put_control(struct msghdr *h, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)h->msg_control + h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	h->msg_controllen += CMSG_SPACE(len);
}

static void put_source(struct msghdr *h, uint16_t family, const struct addr *local)
{
	if (family == AF_INET) {
		struct in_pktinfo p = { .ipi_spec_dst = local->ip.v4 };
		put_control(h, IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
	} else {
		struct in6_pktinfo p = { 0 };
		struct sockaddr_storage ss;

		addr_to_sockaddr6(local, &ss);
		p.ipi6_addr = ((struct sockaddr_in6 *)&ss)->sin6_addr;
		put_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof(p));
	}
}

/* Opens the next message towards e's destination; its iovecs are added after it. */
static struct msghdr *begin_message(const struct udp_socket *s, const struct udp_entry *e)
{
	int m = tx->messages++;
	struct msghdr *h = &tx->headers[m].msg_hdr;

	*h = (struct msghdr){ .msg_iov = &tx->iov[tx->iovs], .msg_control = tx->control[m] };
	if (!s->connected) {
		struct sockaddr_storage *name = (struct sockaddr_storage *)(void *)&tx->names[m];

		h->msg_name = name;
		h->msg_namelen = s->family == AF_INET6 ? addr_to_sockaddr6(&e->remote, name) : addr_to_sockaddr(&e->remote, name);
	}
	if (s->pktinfo && e->local.family)
		put_source(h, s->family, &e->local);
	tx->sizes[m] = 0;
	tx->datagrams[m] = 0;
	return h;
}

static void add_bytes(struct msghdr *h, uint8_t *data, uint32_t len)
{
	tx->iov[tx->iovs++] = (struct iovec){ data, len };
	h->msg_iovlen++;
}

static void set_segment(int m, uint16_t size)
{
	put_control(&tx->headers[m].msg_hdr, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	tx->sizes[m] = size;
}

/* Of a socket that is connected nothing was named that the way could be missing to. */
static void tell_no_way(struct udp_socket *s, int m, int err)
{
	struct addr remote;

	if (s->connected || !s->events->error || (err != ENETUNREACH && err != EHOSTUNREACH && err != EACCES && err != EPERM))
		return;
	remote = addr_from_sockaddr((const struct sockaddr *)(const void *)&tx->names[m]);
	s->events->error(s->owner, err, &remote);
}

static void count_failure(struct udp_socket *s, int m, int err)
{
	if (err == EMSGSIZE)
		udp_socket_counters.tx_too_big += tx->datagrams[m];
	else
		udp_socket_counters.tx_dropped += tx->datagrams[m];
	if (err != EAGAIN && err != EMSGSIZE)
		s->last_error = err;
	tell_no_way(s, m, err);
}

/* An error that an earlier datagram left on the socket; this call did nothing. */
static bool is_pending_error(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH || err == EPROTO || err == EHOSTDOWN ||
	       err == ENOPROTOOPT || err == EACCES || err == EINTR;
}

static int send_message(struct udp_socket *s, const struct msghdr *h)
{
	ssize_t n = sendmsg(s->io.fd, h, MSG_DONTWAIT);

	if (n < 0 && is_pending_error(errno))
		n = sendmsg(s->io.fd, h, MSG_DONTWAIT);
	udp_socket_counters.tx_calls++;
	return n < 0 ? errno : 0;
}

/* A refused group, datagram by datagram. The iovecs hold whole datagrams each. */
static void send_one_by_one(struct udp_socket *s, int m)
{
	struct msghdr h = tx->headers[m].msg_hdr;
	const struct iovec *iov = h.msg_iov;
	size_t n = h.msg_iovlen;
	uint16_t size = tx->sizes[m];

	/* UDP_SEGMENT was put last: leave it out. */
	h.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
	if (size <= s->segment_max)
		s->segment_max = (uint16_t)(size - 1);
	udp_socket_counters.gso_fallbacks++;
	for (size_t i = 0; i < n; i++) {
		for (size_t off = 0; off < iov[i].iov_len; off += size) {
			size_t rest = iov[i].iov_len - off;
			struct iovec one = { (uint8_t *)iov[i].iov_base + off, rest < size ? rest : size };
			int err;

			h.msg_iov = &one;
			h.msg_iovlen = 1;
			tx->datagrams[m] = 1;
			err = send_message(s, &h);
			if (err)
				count_failure(s, m, err);
			else
				udp_socket_counters.tx_datagrams++;
		}
	}
}

/* Message m failed with err for good; true if the rest need not be tried. */
static bool handle_failure(struct udp_socket *s, int m, int err)
{
	if (tx->sizes[m] && (err == EINVAL || err == EMSGSIZE || err == EIO)) {
		send_one_by_one(s, m);
		return false;
	}
	count_failure(s, m, err);
	return err == EAGAIN || err == ENOBUFS;
}

static void send_messages(struct udp_socket *s)
{
	bool again = false;
	int m = 0;

	while (m < tx->messages) {
		int n = sendmmsg(s->io.fd, &tx->headers[m], (unsigned)(tx->messages - m), MSG_DONTWAIT);
		int err = errno;

		if (n > 0) {
			for (int i = 0; i < n; i++)
				udp_socket_counters.tx_datagrams += tx->datagrams[m + i];
			udp_socket_counters.tx_calls += (unsigned)n;
			m += n;
			again = false;
			continue;
		}
		if (!again && is_pending_error(err)) {
			again = true;
			continue;
		}
		again = false;
		if (handle_failure(s, m++, err))
			for (; m < tx->messages; m++)
				count_failure(s, m, err);
	}
	tx->messages = tx->iovs = 0;
}

/* ---- groups ---- */

struct group {
	uint32_t size, bytes, datagrams;
	bool ended; /* a shorter datagram closed it */
};

static void group_add(struct group *g, struct msghdr *h, struct udp_entry *e)
{
	g->bytes += e->payload.len;
	g->datagrams += entry_datagrams(e);
	g->ended = e->payload.len % g->size != 0;
	add_bytes(h, slice_data(&e->payload), e->payload.len);
}

static bool group_takes(const struct group *g, const struct udp_entry *e)
{
	if (g->ended || g->datagrams + entry_datagrams(e) > SEGMENTS_MAX || g->bytes + e->payload.len > GROUP_BYTES)
		return false;
	if (e->segment)
		return e->segment == g->size;
	return e->payload.len > 0 && e->payload.len <= g->size;
}

/* Collects into one message what may join `first`, and marks it as taken. */
static void build_group(struct udp_socket *s, int first, uint64_t *taken)
{
	struct udp_entry *e = entries(s), *f = &e[first];
	struct group g = { .size = entry_size(f) };
	int m = tx->messages;
	struct msghdr *h = begin_message(s, f);
	uint64_t blocked = 0;

	group_add(&g, h, f);
	for (int j = first + 1; j < s->queued && !g.ended && g.datagrams < SEGMENTS_MAX; j++) {
		uint64_t bit = 1ull << (e[j].flow & 63);

		if (taken[j / 64] >> (j & 63) & 1 || !same_addr(&e[j].remote, &f->remote) ||
		    !same_addr(&e[j].local, &f->local))
			continue;
		if (blocked & bit || !group_takes(&g, &e[j])) {
			blocked |= bit;
			continue;
		}
		group_add(&g, h, &e[j]);
		taken[j / 64] |= 1ull << (j & 63);
	}
	tx->datagrams[m] = (uint16_t)g.datagrams;
	if (g.datagrams > 1)
		set_segment(m, (uint16_t)g.size);
}

/* Without UDP_SEGMENT: a message per datagram. */
static void build_singles(struct udp_socket *s, const struct udp_entry *e)
{
	uint32_t size = entry_size(e), off = 0;

	do {
		uint32_t rest = e->payload.len - off, len = rest < size ? rest : size;

		if (tx->messages == MESSAGES || tx->iovs == QUEUE_MAX + MESSAGES)
			send_messages(s);
		add_bytes(begin_message(s, e), slice_data(&e->payload) + off, len);
		tx->datagrams[tx->messages - 1] = 1;
		off += len;
	} while (off < e->payload.len);
}

static void drop_queue(struct udp_socket *s)
{
	for (int i = 0; i < s->queued; i++)
		slice_unref(entries(s)[i].payload);
	s->queued = 0;
	buf_unref(s->queue);
	s->queue = NULL;
}

static bool may_segment(const struct udp_socket *s, const struct udp_entry *e)
{
	uint32_t size = entry_size(e);

	return size > 0 && size <= s->segment_max && e->payload.len <= GROUP_BYTES && entry_datagrams(e) <= SEGMENTS_MAX;
}

static void send_queue(struct udp_socket *s)
{
	uint64_t taken[QUEUE_MAX / 64] = { 0 };

	tx->messages = tx->iovs = 0;
	for (int i = 0; i < s->queued; i++) {
		const struct udp_entry *e = &entries(s)[i];

		if (taken[i / 64] >> (i & 63) & 1)
			continue;
		if (tx->messages == MESSAGES)
			send_messages(s);
		if (!may_segment(s, e))
			build_singles(s, e);
		else
			build_group(s, i, taken);
	}
	send_messages(s);
}

void udp_socket_flush(struct udp_socket *s)
{
	struct buf *scratch;

	if (!s->queued)
		return;
	scratch = buf_get(sizeof(struct tx));
	if (scratch) {
		tx = (struct tx *)(void *)scratch->data;
		send_queue(s);
		tx = NULL;
		buf_unref(scratch);
	} else {
		udp_socket_counters.tx_dropped += (unsigned)s->queued;
	}
	drop_queue(s);
}

static void flush_work(struct loop_work *w)
{
	udp_socket_flush(container_of(w, struct udp_socket, work));
}

/* ---- the queue ---- */

/* o's payload lies right behind the last entry's and goes the same way. */
static bool extends(const struct udp_entry *last, const struct udp_outgoing *o, const struct addr *remote, const struct addr *local)
{
	uint32_t size = entry_size(last);

	return !o->segment && o->payload.buf == last->payload.buf && o->payload.off == last->payload.off + last->payload.len &&
	       o->payload.len > 0 && o->payload.len <= size && last->payload.len % size == 0 &&
	       last->payload.len / size < SEGMENTS_MAX && last->payload.len + o->payload.len <= GROUP_BYTES &&
	       o->flow == last->flow && same_addr(remote, &last->remote) && same_addr(local, &last->local);
}

static bool queue_ready(struct udp_socket *s)
{
	if (s->queued == QUEUE_MAX)
		udp_socket_flush(s);
	if (!s->queue)
		s->queue = buf_get(QUEUE_MAX * sizeof(struct udp_entry));
	return s->queue != NULL;
}

void udp_socket_send(struct udp_socket *s, const struct udp_outgoing *o)
{
	static const struct addr none;
	const struct addr *remote = o->remote ? o->remote : &none, *local = o->local ? o->local : &none;
	struct udp_entry *last = s->queued ? &entries(s)[s->queued - 1] : NULL;

	if (s->closed || (s->family == AF_INET && remote->family == AF_INET6)) {
		udp_socket_counters.tx_dropped++;
		return;
	}
	if (last && extends(last, o, remote, local)) {
		last->segment = (uint16_t)entry_size(last);
		last->payload.len += o->payload.len;
		return;
	}
	if (!queue_ready(s)) {
		udp_socket_counters.tx_dropped++;
		return;
	}
	entries(s)[s->queued++] = (struct udp_entry){
		.payload = slice_ref(o->payload),
		.remote = *remote,
		.local = *local,
		.flow = o->flow,
		.segment = o->segment < o->payload.len ? o->segment : 0,
	};
	loop_defer(&s->work, flush_work);
}
