/*
 * UDP over TCP: a link's end, in each of its roles, fed what a peer that was let in
 * can send, in pieces that the input chooses. What comes out is bounded by what
 * went in, and the same bytes in one piece give the same datagrams.
 */
#include "fuzz.h"

#include "base/hash.h"
#include "loop/loop.h"
#include "transport/uot_link.h"

struct tally {
	size_t datagrams, bytes;
	uint64_t digest;
	enum flow_end why; /* END_COUNT: not ended */
};

/* ---- a stream that goes nowhere ---- */

static ssize_t swallow(struct stream *s, const struct slice *v, int n)
{
	(void)s;
	return (ssize_t)slices_len(v, n);
}

static size_t always_space(const struct stream *s)
{
	(void)s;
	return 1 << 20;
}

static void no_want(struct stream *s, bool data, bool room) { (void)s, (void)data, (void)room; }
static void no_shut(struct stream *s) { (void)s; }
static void no_end(struct stream *s, enum flow_end why) { (void)s, (void)why; }

static const struct stream_ops ops = {
	.write = swallow,
	.space = always_space,
	.want = no_want,
	.shut = no_shut,
	.end = no_end,
};

/* ---- the owner of the link ---- */

static struct uot_link *link_;

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct tally *t = owner;

	for (int i = 0; i < n; i++) {
		struct { uint64_t before, bytes; uint32_t len, port; } one = {
			t->digest, hash_bytes(d[i].payload.len ? slice_data(&d[i].payload) : NULL, d[i].payload.len),
			d[i].payload.len, target_port(d[i].remote),
		};

		t->datagrams++;
		t->bytes += d[i].payload.len;
		t->digest = hash_bytes(&one, sizeof(one));
	}
	uot_link_send(link_, d, n); /* an echo: whatever came can be sent */
}

static void on_ended(void *owner, enum flow_end why)
{
	((struct tally *)owner)->why = why;
}

static const struct uot_link_events events = { on_receive, on_ended };

static void feed(struct stream *s, const uint8_t *data, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice v = { b, 0, (uint32_t)len };

	must(b != NULL);
	memcpy(b->data, data, len);
	must(s->events->data(s->owner, &v, 1) == len);
	buf_unref(b);
}

/* All of the input in pieces of 1 to `most` bytes. */
static struct tally run(enum uot_role role, const uint8_t *data, size_t size, size_t most)
{
	struct tally t = { .why = END_COUNT };
	struct stream s = { .ops = &ops };
	uint32_t dice = (uint32_t)size * 2654435761u + 1;

	link_ = uot_link_new(&s, role, &events, &t);
	must(link_ != NULL);
	for (size_t at = 0, piece; at < size && t.why == END_COUNT; at += piece) {
		dice = dice * 1664525 + 1013904223;
		piece = 1 + (dice >> 16) % most;
		if (piece > size - at)
			piece = size - at;
		feed(&s, data + at, piece);
	}
	if (t.why == END_COUNT)
		s.events->fin(s.owner);
	must(t.why != END_COUNT && t.bytes <= size);
	uot_link_end(link_, END_DONE);
	loop_turn();
	must(buf_pool_used() == 0);
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum uot_role roles[] = { UOT_CLIENT, UOT_SERVER_V1, UOT_SERVER_V2 };
	static bool begun;
	struct input in = { data, size };
	enum uot_role role = roles[input_byte(&in) % 3];
	size_t most = 1 + input_byte(&in);
	struct tally parts, whole;

	if (!begun)
		must(loop_init() == 0);
	begun = true;
	parts = run(role, in.at, in.left, most);
	whole = run(role, in.at, in.left, BUF_LARGE);
	must(parts.why == whole.why && parts.datagrams == whole.datagrams && parts.digest == whole.digest);
	return 0;
}
