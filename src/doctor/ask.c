/*
 * Questions to a Shadowsocks server; see ask.h. The codec is proto/'s, to which
 * time is handed in: so a question can bear another than the clock's.
 *
 *	connect → request (a query by DNS over TCP through the server) → the first
 *	box that verifies proves the key; a 2022 method's has the server's time
 *
 * With a 2022 method the result of the server's own connect is asked for too
 * (proto/true_connect.h): a server that knows the question answers even where
 * the resolver does not. What the resolver says nobody reads.
 *
 * Answers come from the network: no more is read than the opener's next unit,
 * and the first two have at most ANSWER_MAX bytes. It does not know what a clock
 * that is wrong means to anybody.
 */
#include "doctor/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/random.h"
#include "proto/dns_message.h"
#include "proto/ss_identity.h"
#include "proto/ss_stream.h"

#define ANSWER_MAX 256
#define REQUEST_MAX 2048
#define PADDING_MOST 200
#define QUERY_LEN (DNS_HEADER_LEN + 5)

struct question {
	int fd; /* -1: it is over */
	bool asked;
	int64_t shift;
	struct ss_handshake hs;
	struct ss_opener opener;
	uint8_t in[ANSWER_MAX];
	size_t have;
};

/* The root's name servers; before it, by TCP, its length. */
static void put_query(uint8_t out[2 + QUERY_LEN])
{
	static const uint8_t query[QUERY_LEN] = { [2] = 1, [5] = 1, [DNS_HEADER_LEN + 2] = 2, [DNS_HEADER_LEN + 4] = 1 };

	put16(out, QUERY_LEN);
	memcpy(out + 2, query, QUERY_LEN);
	dns_message_set_id(out + 2, (uint16_t)random_below(65536));
}

static uint64_t time_of(const struct question *q)
{
	return clock_unix() + (uint64_t)q->shift;
}

/* The whole of what is said, or 0: no memory, or no back-end for the method. */
static size_t write_request(const struct ask *a, struct question *q, uint8_t out[REQUEST_MAX])
{
	const struct config_server *s = a->server;
	bool head_alone = s->method->sip022; /* who asks for the result sends no payload with it */
	uint16_t padding = head_alone ? (uint16_t)(TRUE_CONNECT_MARK_LEN + random_below(PADDING_MOST)) : 0;
	struct ss_sealer sealer;
	struct ss_identity *id = NULL;
	uint8_t query[2 + QUERY_LEN];
	size_t len;

	if (s->n_identities && !(id = ss_identity_new(s->method, s->identity_keys, s->n_identities, s->key)))
		return 0;
	random_bytes(q->hs.salt, s->method->key_len);
	if (ss_sealer_init(&sealer, s->method, s->key, q->hs.salt) < 0) {
		ss_identity_free(id);
		return 0;
	}
	put_query(query);
	sealer.asks_connect = head_alone;
	if (!head_alone)
		memcpy(out + ss_request_offset(s->method, id, a->through, 0), query, sizeof(query));
	len = ss_seal_request(&sealer, id, q->hs.salt, time_of(q), a->through, padding, head_alone ? 0 : sizeof(query), out);
	if (head_alone)
		len += ss_seal_chunk(&sealer, query, sizeof(query), out + len);
	ss_sealer_wipe(&sealer);
	ss_identity_free(id);
	return len;
}

static void end(struct question *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	ss_opener_wipe(&q->opener);
}

/* The connection stands, or has failed, which the first write says. */
static void say(const struct ask *a, struct question *q)
{
	uint8_t request[REQUEST_MAX];
	size_t len = write_request(a, q, request);

	if (!len || send(q->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		end(q); /* it is less than any socket's buffer */
	q->asked = true;
}

/* A unit is whole. True: it proves the key. */
static bool open_unit(const struct ask *a, struct question *q, struct ask_answer *answer)
{
	bool salt = q->opener.unit == SS_UNIT_SALT;
	struct ss_opened opened;
	int err = ss_opener_next(&q->opener, a->server->key, &q->hs, time_of(q), q->in, &opened);

	q->have = 0;
	if (err && err != -ETIME) { /* whose time is wrong has the key */
		end(q);
		return false;
	}
	if (salt)
		return false;
	*answer = (struct ask_answer){ .heard = true, .has_time = a->server->method->sip022, .shift_s = q->shift };
	if (answer->has_time)
		answer->ahead_s = (int64_t)(q->hs.timestamp - clock_unix());
	return true;
}

static bool hear(const struct ask *a, struct question *q, struct ask_answer *answer)
{
	ssize_t n;

	if (q->opener.need > sizeof(q->in)) {
		end(q);
		return false;
	}
	n = recv(q->fd, q->in + q->have, q->opener.need - q->have, 0);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			end(q);
		return false;
	}
	q->have += (size_t)n;
	return q->have == q->opener.need && open_unit(a, q, answer);
}

static void begin(const struct ask *a, struct question *q, int64_t shift)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a->at, &ss);

	memset(q, 0, sizeof(*q));
	q->shift = shift;
	ss_opener_init(&q->opener, a->server->method, false);
	q->opener.asked = a->server->method->sip022;
	q->fd = socket_rules_open(a->at->family, SOCK_STREAM, a->rules);
	if (q->fd < 0)
		return;
	if (socket_rules_bind(q->fd, a->at->family, a->rules) < 0 ||
	    (connect(q->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS))
		end(q);
}

/* One round of what is ready. False: all are over, or time is. */
static bool go_on(const struct ask *a, struct question *q, int n, uint64_t until, struct ask_answer *answer)
{
	struct pollfd ready[ASK_AT_ONCE];
	uint64_t now = clock_ms();
	int open = 0;

	for (int i = 0; i < n; i++) {
		ready[i] = (struct pollfd){ .fd = q[i].fd, .events = q[i].asked ? POLLIN : POLLOUT };
		open += q[i].fd >= 0;
	}
	if (!open || now >= until)
		return false;
	if (poll(ready, (nfds_t)n, (int)(until - now)) <= 0)
		return true;
	for (int i = 0; i < n && !answer->heard; i++) {
		if (!ready[i].revents)
			continue;
		if (!q[i].asked)
			say(a, &q[i]);
		else
			hear(a, &q[i], answer);
	}
	return !answer->heard;
}

void doctor_ask(const struct ask *a, const int64_t *shifts, int n, int wait_ms, struct ask_answer *answer)
{
	struct question questions[ASK_AT_ONCE];
	uint64_t until = clock_ms() + (uint64_t)wait_ms;

	*answer = (struct ask_answer){ 0 };
	for (int i = 0; i < n; i++)
		begin(a, &questions[i], shifts[i]);
	while (go_on(a, questions, n, until, answer))
		;
	for (int i = 0; i < n; i++)
		end(&questions[i]);
}
