/*
 * Sealing into the arena, for all Shadowsocks UDP sockets of the process.
 *
 * The arena is one pool buffer per turn: datagrams are sealed behind one
 * another without a gap, the sockets keep references until they flush, and the
 * arena lets go of the buffer in the deferred pass, so nothing is held between
 * turns. Padding (SIP022): an empty payload and what goes to or comes from
 * port 53 has a length worth hiding; it is padded by chance, within what a
 * path of 1280 bytes carries. All else is sent as it is.
 */
#include "transport/ss_port.h"

#include <errno.h>

#include "crypto/random.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"

#define PADDING_MAX 900
#define PADDED_TOTAL 1200 /* sealed bytes that padding must not exceed */
#define NAMES_PORT 53
#define IPV6_LONGER 12 /* than an IPv4 address in a datagram */

static struct buf *arena;
static uint32_t arena_used;
static struct loop_work arena_work;

static void release_arena(struct loop_work *w)
{
	(void)w;
	if (arena)
		buf_unref(arena);
	arena = NULL;
}

/* Room for `size` bytes at arena->data + arena_used. */
static bool arena_reserve(uint32_t size)
{
	if (arena && arena->refs == 1)
		arena_used = 0;
	if (arena && BUF_LARGE - arena_used >= size)
		return true;
	if (arena)
		buf_unref(arena);
	arena = buf_get(BUF_LARGE);
	arena_used = 0;
	loop_defer(&arena_work, release_arena);
	return arena != NULL;
}

static uint16_t choose_padding(const struct ss_packet_codec *c, const struct target *remote, uint32_t len)
{
	uint32_t room, most = SS_PACKET_OVERHEAD_MAX + c->identity_len;

	if (!c->method->sip022 || (len > 0 && target_port(remote) != NAMES_PORT))
		return 0;
	if (len + most >= PADDED_TOTAL)
		return 0;
	room = PADDED_TOTAL - len - most;
	return (uint16_t)(1 + random_below(room < PADDING_MAX ? room : PADDING_MAX));
}

static uint32_t bare_len(const struct ss_packet_codec *c, const struct target *remote, uint32_t len)
{
	struct ss_packet_out bare = { .remote = remote };

	return (uint32_t)ss_packet_payload_offset(c, &bare) + len + AEAD_TAG_LEN;
}

static uint16_t padding_for(const struct ss_packet_codec *c, const struct target *remote, uint32_t len, const struct ss_port_way *way)
{
	uint32_t bare, sealed = way->exact;

	if (!c->method->sip022 || (!way->exact && !way->hole.to))
		return choose_padding(c, remote, len);
	bare = bare_len(c, remote, len);
	if (!sealed && bare > way->hole.from && bare <= way->hole.to)
		sealed = way->hole.to + 1u;
	if (!sealed)
		return choose_padding(c, remote, len);
	return sealed > bare ? (uint16_t)(sealed - bare) : 0;
}

/* Through another outbound, which may seal it once more, into this very arena:
 * our reference keeps it from starting over. */
static void send_via(const struct ss_port_way *way, struct slice sealed)
{
	struct datagram d = { .remote = way->server, .payload = slice_ref(sealed) };

	datagram_send(way->via, &d, 1);
	slice_unref(sealed);
}

uint64_t ss_port_sealed_max(const struct ss_packet_codec *c, const struct datagram *d, uint32_t n)
{
	uint64_t plain = d->payload.len + (uint64_t)n * (c->method->udp_overhead + IPV6_LONGER);
	bool padded = c->method->sip022 && (d->payload.len == 0 || target_port(d->remote) == NAMES_PORT);
	uint64_t full = (uint64_t)n * PADDED_TOTAL;

	return padded && plain < full ? full : plain;
}

static int seal_one(struct ss_packet_codec *c, struct ss_packet_session *s, struct ss_packet_out *o,
		    const uint8_t *payload, uint32_t len, const struct ss_port_way *way)
{
	struct udp_outgoing out = { .remote = way->remote, .local = way->local, .flow = way->flow };
	uint32_t need = len + SS_PACKET_OVERHEAD_MAX + c->identity_len + PADDING_MAX + way->exact + way->hole.to;
	ssize_t n;

	o->padding = padding_for(c, o->remote, len, way);
	if (!arena_reserve(need)) {
		datagram_counters.dropped_queue++;
		return 0;
	}
	n = ss_packet_seal(c, s, o, payload, len, arena->data + arena_used, need);
	if (n == -EOVERFLOW)
		return (int)n;
	if (n < 0 || n > (ssize_t)UDP_PAYLOAD_MAX) {
		datagram_counters.too_big++;
		return 0;
	}
	out.payload = (struct slice){ arena, arena_used, (uint32_t)n };
	arena_used += (uint32_t)n;
	if (way->via)
		send_via(way, out.payload);
	else
		udp_socket_send(way->socket, &out);
	return 0;
}

int ss_port_seal(struct ss_packet_codec *c, struct ss_packet_session *s, struct ss_packet_out *o,
		 const struct datagram *d, const struct ss_port_way *way)
{
	const uint8_t *at = slice_data(&d->payload);
	uint32_t rest = d->payload.len;
	uint32_t size = d->segment ? d->segment : rest;
	int err;

	o->remote = d->remote;
	do {
		uint32_t len = rest < size ? rest : size;

		err = seal_one(c, s, o, at, len, way);
		at += len;
		rest -= len;
	} while (!err && rest);
	return err;
}

void ss_port_expect(struct ss_packet_codec *c, const struct udp_message *m, int n, uint32_t off)
{
	const uint8_t *next[KDF_LANES];
	int max = ss_packet_wants_next(c), count = 0;
	struct ss_port_cut cut;

	for (int i = 0; i < n && count < max; i++, off = 0)
		while (count < max && ss_port_cut(&m[i], &off, &cut))
			if (cut.len >= c->method->key_len + (uint32_t)AEAD_TAG_LEN)
				next[count++] = cut.data;
	if (count)
		ss_packet_expect(c, next, count);
}

void ss_port_count_bad(int err)
{
	if (err == -EBADMSG)
		datagram_counters.dropped_crypto++;
	else
		datagram_counters.malformed++;
}
