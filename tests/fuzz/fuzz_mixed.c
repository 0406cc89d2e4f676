/*
 * A mixed inbound whole: SOCKS5 with UDP, SOCKS4a and HTTP, CONNECT and plain, one exchange after another, over
 * loopback. The input is a program of steps (enum step): what a client says, in whatever pieces, and what the
 * owner of its streams, which would be the relay, does meanwhile. Time is the input's as well.
 *
 * What must hold: a stream is told of its end once at most; and when the clients are gone nothing is left of
 * them.
 */
#include "clock.h"
#include "fuzz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "inbound/mixed.h"
#include "io/datagram.h"
#include "loop/loop.h"

enum step { SAYS, LINE, TURN, ANSWERS, ANSWER_LINE, STREAM_DOES, SHUTS, LEAVES, SENDS, REPLIES, WAIT, USERS, STEPS };

#define CLIENTS 3
#define STREAMS 8
#define STEPS_MAX 200

static struct mixed *mixed;
static struct socks_udp *udp;
static int clients[CLIENTS], datagrams;
static struct config_user user = { .name = "u", .password = "p" };
static const struct config_users one = { &user, 1 }, nobody;

/* ---- the owner ---- */

static struct owned {
	struct stream *stream;
	size_t takes;
	bool told;
} owned[STREAMS];
static struct assoc_key last_key;
static bool has_last;

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct owned *o = owner;
	size_t len = slices_len(v, n);

	must(len > 0 && !o->told);
	return o->takes < len ? o->takes : len;
}

static void on_room(void *owner) { must(!((struct owned *)owner)->told); }

static void on_fin(void *owner)
{
	struct owned *o = owner;

	must(!o->told);
	if (o->takes & 1)
		stream_shut(o->stream);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct owned *o = owner;

	must(!o->told);
	o->told = true;
	if (o->takes & 2)
		return; /* end() comes with a later step */
	stream_end(o->stream, why);
	o->stream = NULL;
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	(void)owner, (void)client;
	must(target->name_len || target->ip.family);
	for (int i = 0; i < STREAMS; i++)
		if (!owned[i].stream) {
			owned[i] = (struct owned){ .stream = s, .takes = 70000 };
			stream_bind(s, &stream_events, &owned[i]);
			return;
		}
	stream_bind(s, &stream_events, NULL);
	stream_end(s, END_LIMIT);
}

static const struct inbound_events inbound_events = { .stream = on_stream };

static void on_datagrams(void *owner, const struct datagram *d, int n)
{
	(void)owner;
	must(n > 0 && n <= DATAGRAM_BATCH);
	last_key = d[n - 1].key;
	has_last = true;
}

static const struct datagram_events datagram_events = { .receive = on_datagrams };

/* ---- life ---- */

static int dial(struct addr to, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to, &ss);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		return -1; /* the machine's business: a signal, no port left */
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* By a reset: thousands of connections a second would leave no port. */
static void hang_up(int *fd)
{
	struct linger linger = { .l_onoff = 1 };

	if (*fd >= 0) {
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(*fd);
	}
	*fd = -1;
}

static bool begin(uint8_t choice)
{
	struct addr any = addr_v4((uint8_t[]){ 127, 0, 0, 1 }, 0);
	struct mixed_options o = { .listen = any, .socks = !(choice & 4), .http = !(choice & 8), .tcp = !(choice & 16), .handshake_s = 5,
				   .socks_users = choice & 1 ? &one : &nobody, .http_users = choice & 2 ? &one : &nobody };
	int err;

	must(loop_init() == 0);
	udp = socks_udp_new(&any, &err);
	if (!udp) {
		loop_free();
		return false;
	}
	datagram_bind(socks_udp_port(udp), &datagram_events, NULL);
	o.udp = choice & 32 ? NULL : udp;
	mixed = mixed_new(&o, &inbound_events, NULL, &err);
	if (!mixed) {
		socks_udp_free(udp);
		loop_free();
		return false;
	}
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	datagrams = dial(socks_udp_addr(udp), SOCK_DGRAM);
	has_last = false;
	return true;
}

static void end(void)
{
	for (int i = 0; i < CLIENTS; i++)
		hang_up(&clients[i]);
	loop_turn();
	loop_turn();
	for (int i = 0; i < STREAMS; i++)
		if (owned[i].stream)
			stream_end(owned[i].stream, END_SHUTDOWN);
	memset(owned, 0, sizeof(owned));
	mixed_retire(mixed);
	loop_turn();
	must(!mixed_busy(mixed));
	mixed_free(mixed);
	socks_udp_free(udp);
	close(datagrams);
	loop_turn();
	loop_free();
}

static void turn(void)
{
	static uint8_t sink[65536];

	loop_turn();
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i] >= 0)
			(void)!recv(clients[i], sink, sizeof(sink), 0);
	(void)!recv(datagrams, sink, sizeof(sink), 0);
}

/* ---- the steps ---- */

static void say(struct input *in, int i, bool line)
{
	size_t len = input_byte(in) * (line ? 1u : 1u + input_byte(in) % 8u);
	uint8_t *block;

	len = len < in->left ? len : in->left;
	block = input_block(in, len);
	if (clients[i] < 0)
		clients[i] = dial(mixed_addr(mixed), SOCK_STREAM);
	(void)!send(clients[i], block, len, MSG_NOSIGNAL);
	if (line)
		(void)!send(clients[i], "\r\n\r\n", 4, MSG_NOSIGNAL);
	free(block);
}

static void answer(struct input *in, bool line)
{
	struct owned *o = &owned[input_byte(in) % STREAMS];
	uint32_t len = line ? input_byte(in) : input_word(in);
	struct buf *b = buf_get(BUF_LARGE);

	must(b != NULL);
	memset(b->data, 'w', len + 4);
	input_copy(in, b->data, len < 600 ? len : 600);
	if (line)
		memcpy(b->data + len, "\r\n\r\n", 4);
	if (o->stream && !o->told)
		stream_write(o->stream, &(struct slice){ .buf = b, .len = len + (line ? 4 : 0) }, len || line);
	buf_unref(b);
}

static void stream_does(struct input *in)
{
	struct owned *o = &owned[input_byte(in) % STREAMS];
	uint8_t what = input_byte(in);

	if (!o->stream)
		return;
	if (o->told)
		what = 4;
	switch (what % 5) {
	case 0:
		stream_accept(o->stream);
		stream_want(o->stream, true, what & 8);
		break;
	case 1:
		o->takes = input_word(in);
		stream_want(o->stream, true, what & 8);
		break;
	case 2:
		stream_want(o->stream, false, what & 8);
		break;
	case 3:
		stream_shut(o->stream);
		break;
	case 4:
		stream_end(o->stream, what & 8 ? END_DONE : (enum flow_end)(input_byte(in) % END_COUNT));
		o->stream = NULL;
		break;
	}
}

static void send_datagram(struct input *in)
{
	size_t len = input_byte(in);
	uint8_t *block = input_block(in, len);

	(void)!send(datagrams, block, len, 0);
	free(block);
}

static void reply(struct input *in)
{
	struct target from = { .ip = addr_v4((uint8_t[]){ 1, 2, 3, 4 }, 53) };
	uint32_t len = input_word(in);
	struct buf *b = buf_get(BUF_LARGE);
	struct datagram d = { .key = last_key, .remote = &from, .payload = { .buf = b, .len = len } };

	must(b != NULL);
	memset(b->data, 'r', len + 1);
	d.segment = len > 1000 && len % 3 == 0 ? 900 + input_byte(in) * 2 : 0;
	if (has_last)
		datagram_send(socks_udp_port(udp), &d, 1);
	buf_unref(b);
}

static void step(struct input *in)
{
	uint8_t choice = input_byte(in);
	int i = choice / STEPS % CLIENTS;

	switch (choice % STEPS) {
	case SAYS: say(in, i, false); break;
	case LINE: say(in, i, true); break;
	case TURN: turn(); break;
	case ANSWERS: answer(in, false); break;
	case ANSWER_LINE: answer(in, true); break;
	case STREAM_DOES: stream_does(in); break;
	case SHUTS: shutdown(clients[i], SHUT_WR); break;
	case LEAVES: hang_up(&clients[i]); break;
	case SENDS: send_datagram(in); break;
	case REPLIES: reply(in); break;
	case WAIT: clock_skip_ms(input_byte(in) * 100u); turn(); break;
	case USERS: mixed_set_users(mixed, choice & 128 ? &one : &nobody, choice & 64 ? &one : &nobody); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!begin(input_byte(&in)))
		return 0;
	for (int i = 0; in.left && i < STEPS_MAX; i++)
		step(&in);
	turn();
	end();
	return 0;
}
