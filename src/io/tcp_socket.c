/*
 * Kernel TCP as a stream.
 *
 * Reading: bytes are received only while the owner wants data, so the kernel's
 * receive window is the back-pressure. They land in an arena that all sockets
 * share (tcp_arena.h).
 *
 * Writing: write() queues references up to OUT_BOUND; one sendmsg per socket
 * and turn sends them, from the deferred pass.
 *
 * Life: CONNECTING → OPEN → CLOSING (end() was called, accepted bytes still
 * leave) → freed by the deferred pass. Descriptors are edge-triggered, so
 * `readable` and `writable` remember what the kernel said last.
 */
#include "io/tcp_socket.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cells.h"
#include "io/path.h"
#include "io/tcp_internal.h"
#include "io/tcp_arena.h"

#define OUT_BOUND (256u * 1024)	 /* bytes accepted and not yet in the kernel */
/* A prompt socket: a burst in one turn, and what waits while the kernel has enough; a datagram of 65,000 bytes fits. */
#define PROMPT_BURST (128u * 1024)
#define PROMPT_BOUND (72u * 1024)
#define PROMPT_UNSENT (32 * 1024) /* bytes in the kernel that it could not send yet */
#define PROMPT_STALL_MS 15000u	  /* nothing acknowledged for so long: the way is gone, another stream finds a new one */
#define IOV_BATCH 64
#define KEEPALIVE_S 60
#define IP4_TCP_HEADERS 40 /* without options: TCP_MAXSEG reckons so */
#define IP6_TCP_HEADERS 60
#define CLOSING_MS 60000 /* after end(): how long without a byte that leaves */

static void pass(struct loop_work *);

static void defer(struct tcp_socket *t)
{
	loop_defer(&t->work, pass);
}

/* ---- life ---- */

static unsigned closing_count;

unsigned tcp_socket_closing(void)
{
	return closing_count;
}

static void set_linger_reset(int fd, bool on)
{
	struct linger l = { .l_onoff = on, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static void release_queues(struct tcp_socket *t)
{
	slice_queue_clear(&t->in);
	slice_queue_clear(&t->out);
}

static void close_fd(struct tcp_socket *t)
{
	if (t->io.fd < 0)
		return;
	connected_remove(&t->connected);
	own_socket_remove(&t->own);
	loop_io_close(&t->io);
	t->io.fd = -1;
}

/* From now on nothing happens but the free in the deferred pass. */
static void die_later(struct tcp_socket *t)
{
	if (t->closing_timer) {
		loop_timer_stop(t->closing_timer);
		free(t->closing_timer);
		t->closing_timer = NULL;
	}
	if (t->state == CLOSING)
		closing_count--;
	t->state = DEAD;
	tcp_splice_part(t);
	close_fd(t);
	release_queues(t);
	defer(t);
}

static void tell_ended(struct tcp_socket *t, enum flow_end why)
{
	if (t->told || t->state != OPEN)
		return;
	t->told = true;
	t->stream.events->ended(t->stream.owner, why);
}

static enum flow_end end_of_errno(int err)
{
	return err == ETIMEDOUT ? END_CONNECT_TIMEOUT : END_REMOTE_RESET;
}

void tcp_tell_errno(struct tcp_socket *t, int err)
{
	tell_ended(t, end_of_errno(err));
}

/* ---- reading ---- */

/* Offers what was received; true when the owner took all of it and wants more. */
static bool offer(struct tcp_socket *t)
{
	struct slice v[IOV_BATCH];

	while (t->in.bytes) {
		int n = slice_queue_peek(&t->in, v, IOV_BATCH);
		size_t len = slices_len(v, n), taken;

		taken = t->stream.events->data(t->stream.owner, v, n);
		if (t->state != OPEN)
			return false;
		slice_queue_drop(&t->in, taken);
		if (taken < len) {
			t->want_data = false;
			return false;
		}
		if (!t->want_data)
			return false;
	}
	return true;
}

/* One receive into the arena, offered at once. Returns bytes, 0 when nothing
 * more can be read now. */
static size_t receive(struct tcp_socket *t)
{
	struct slice s = tcp_arena_room(t->bulk ? BUF_LARGE : BUF_MEDIUM);
	uint32_t want = s.len;
	size_t taken;
	ssize_t got;

	if (!s.buf) {
		loop_again(&t->io, LOOP_READ); /* the budget is used up: later */
		return 0;
	}
	got = recv(t->io.fd, slice_data(&s), want, 0);
	if (got <= 0) {
		t->readable = false;
		if (got == 0)
			t->fin_seen = true;
		else if (errno == EINTR)
			t->readable = true;
		else if (errno != EAGAIN)
			tcp_tell_errno(t, errno);
		return 0;
	}

	s.len = (uint32_t)got;
	tcp_arena_take(s.len);
	t->bulk = (uint32_t)got == want;
	if (!t->bulk && !t->hup)
		t->readable = false; /* short: drained, an edge will tell of more */
	buf_ref(s.buf);		     /* the owner may end us inside data() */
	taken = t->stream.events->data(t->stream.owner, &s, 1);
	if (t->state == OPEN && taken < s.len) {
		struct slice rest = { .buf = s.buf, .off = s.off + (uint32_t)taken, .len = s.len - (uint32_t)taken };

		t->want_data = false;
		if (slice_queue_push(&t->in, &rest, 1) < 0)
			tell_ended(t, END_LIMIT);
	}
	buf_unref(s.buf);
	return (size_t)got;
}

/* The end of the stream, once all before it was taken. */
static void tell_fin(struct tcp_socket *t)
{
	if (t->state != OPEN || t->told || !t->fin_seen || t->fin_told || !t->want_data || t->in.bytes || t->pipe)
		return;
	t->fin_told = true;
	t->stream.events->fin(t->stream.owner);
}

static void read_turn(struct tcp_socket *t)
{
	size_t budget = TCP_READ_BUDGET;

	if (!t->want_data || t->state != OPEN || t->told || !offer(t))
		return;
	while (t->state == OPEN && !t->told && t->want_data && (t->readable || t->pipe)) {
		ssize_t moved = t->pipe || (t->feeds && t->bulk) ? tcp_splice(t) : -1;
		size_t got = moved < 0 ? receive(t) : (size_t)moved;

		if (!got)
			break;
		if (got >= budget) {
			if (t->state == OPEN && t->readable)
				loop_again(&t->io, LOOP_READ);
			break;
		}
		budget -= got;
	}
	tell_fin(t);
}

/* The owner wants data again. What waits is offered at once, but the socket is
 * read in the next turn: read here, a fast peer and a fast reader would keep
 * the deferred pass going for as long as they please, and nobody else is heard. */
static void resume_reading(struct tcp_socket *t)
{
	if (!t->want_data || t->told || !offer(t))
		return;
	if (t->readable || t->pipe)
		loop_again(&t->io, LOOP_READ);
	tell_fin(t);
}

/* ---- writing ---- */

static void on_closing_timeout(struct loop_timer *);

void tcp_flush(struct tcp_socket *t)
{
	while (t->out.bytes && t->writable && !t->told) {
		struct slice v[IOV_BATCH];
		struct iovec iov[IOV_BATCH];
		int n = slice_queue_peek(&t->out, v, IOV_BATCH);
		size_t len = slices_len(v, n);
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n };
		bool more = len < t->out.bytes || (t->shut && !t->shut_sent); /* FIN rides on the data */
		ssize_t sent;

		for (int i = 0; i < n; i++)
			iov[i] = (struct iovec){ slice_data(&v[i]), v[i].len };
		sent = sendmsg(t->io.fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
		if (sent < 0) {
			if (errno == EINTR)
				continue;
			t->writable = false;
			if (errno == EAGAIN)
				return;
			if (t->state == CLOSING)
				die_later(t);
			else
				tcp_tell_errno(t, errno);
			return;
		}
		slice_queue_drop(&t->out, (size_t)sent);
		if (t->closing_timer)
			loop_timer_start(t->closing_timer, CLOSING_MS, on_closing_timeout);
		if ((size_t)sent < len)
			t->writable = false;
	}
	if (!t->out.bytes && t->shut && !t->shut_sent && !t->told && t->state != DEAD) {
		t->shut_sent = true;
		shutdown(t->io.fd, SHUT_WR);
	}
}

static void tell_room(struct tcp_socket *t)
{
	if (t->state != OPEN || t->told || !t->want_room || t->out.bytes > (t->prompt ? PROMPT_BOUND : OUT_BOUND) / 2)
		return;
	t->want_room = false;
	t->stream.events->room(t->stream.owner);
}

/* ---- events ---- */

static int socket_error(const struct tcp_socket *t)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(t->io.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? errno : err;
}

static void finish_connect(struct tcp_socket *t, int err)
{
	const struct tcp_connect_events *events = t->connect_events;

	t->connect_events = NULL;
	if (err) {
		close_fd(t);
		events->failed(t->stream.owner, &t->stream, err);
		return;
	}
	t->state = OPEN;
	t->writable = true;
	events->connected(t->stream.owner, &t->stream);
}

static void on_ready(struct loop_io *io, unsigned events)
{
	struct tcp_socket *t = container_of(io, struct tcp_socket, io);

	if (t->state == CONNECTING) {
		/* A connect that failed at once looks writable; the deferred pass tells of it. */
		if (t->connect_err || !(events & (LOOP_WRITE | LOOP_ERROR)) || !t->connect_events)
			return;
		/* Writable without an error stands. */
		finish_connect(t, events & LOOP_ERROR ? socket_error(t) : 0);
		if (t->state != OPEN)
			return;
	}
	if (events & LOOP_READ)
		t->readable = true;
	if (events & LOOP_WRITE)
		t->writable = true;
	if (events & LOOP_HUP)
		t->hup = true;
	if (t->state == OPEN && (events & LOOP_READ) && t->stream.events)
		read_turn(t);
	if (t->state == OPEN && (events & LOOP_ERROR) && !t->want_data && t->stream.events && !t->told)
		tcp_tell_errno(t, socket_error(t));
	if ((events & LOOP_WRITE) && (t->out.bytes || t->want_room || t->state == CLOSING))
		defer(t);
	if ((events & LOOP_WRITE) && t->fed_by)
		tcp_splice_wake(t);
}

/* The deferred pass: flush, deliver what was asked for, free. */
static void pass(struct loop_work *w)
{
	struct tcp_socket *t = container_of(w, struct tcp_socket, work);

	if (t->state == CONNECTING && t->connect_err && t->connect_events) {
		finish_connect(t, t->connect_err);
		return;
	}
	if (t->state == OPEN || t->state == CLOSING)
		tcp_flush(t);
	if (t->state == CLOSING && (!t->out.bytes || t->told)) {
		if (t->linger_reset)
			set_linger_reset(t->io.fd, false);
		die_later(t);
	}
	if (t->state == OPEN)
		tell_room(t);
	if (t->state == OPEN && t->kick) {
		t->kick = false;
		resume_reading(t);
	}
	if (t->state == DEAD) {
		loop_defer_cancel(&t->work);
		cell_free(t);
	}
}

/* ---- the stream's calls ---- */

static size_t socket_space(const struct stream *s)
{
	const struct tcp_socket *t = tcp_of(s);

	size_t bound = !t->prompt ? OUT_BOUND : t->writable ? PROMPT_BURST : PROMPT_BOUND;

	if (t->shut || t->told || t->out.bytes >= bound)
		return 0;
	return bound - t->out.bytes;
}

static void socket_be_prompt(struct stream *s)
{
	struct tcp_socket *t = tcp_of(s);
	int unsent = PROMPT_UNSENT;
	unsigned stall = PROMPT_STALL_MS;

	t->prompt = true;
	if (t->io.fd < 0)
		return;
	setsockopt(t->io.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	setsockopt(t->io.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof(stall));
}

static ssize_t socket_write(struct stream *s, const struct slice *v, int n)
{
	struct tcp_socket *t = tcp_of(s);
	size_t space = socket_space(s), accepted = 0;

	if (t->shut || t->told)
		return -EPIPE;
	for (int i = 0; i < n && space; i++) {
		struct slice part = v[i];

		if (part.len > space)
			part.len = (uint32_t)space;
		if (slice_queue_push(&t->out, &part, 1) < 0)
			break;
		accepted += part.len;
		space -= part.len;
	}
	if (accepted)
		defer(t);
	return (ssize_t)accepted;
}

static void socket_want(struct stream *s, bool data, bool room)
{
	struct tcp_socket *t = tcp_of(s);

	if (data && !t->want_data) {
		t->kick = true;
		defer(t);
	}
	t->want_data = data;
	t->want_room = room;
	if (room && t->out.bytes <= (t->prompt ? PROMPT_BOUND : OUT_BOUND) / 2)
		defer(t);
}

static void socket_shut(struct stream *s)
{
	struct tcp_socket *t = tcp_of(s);

	t->shut = true;
	defer(t);
}

static void on_closing_timeout(struct loop_timer *timer)
{
	/* The timer is allocated for this socket alone; its owner stands right behind it. */
	struct tcp_socket *t = *(struct tcp_socket **)(timer + 1);

	set_linger_reset(t->io.fd, true);
	die_later(t);
}

/* Accepted bytes are still here: let them leave, as long as some do. */
static void close_slowly(struct tcp_socket *t)
{
	tcp_splice_part(t);
	t->state = CLOSING;
	closing_count++;
	t->closing_timer = calloc(1, sizeof(*t->closing_timer) + sizeof(t));
	if (!t->closing_timer) {
		die_later(t);
		return;
	}
	*(struct tcp_socket **)(t->closing_timer + 1) = t;
	loop_timer_start(t->closing_timer, CLOSING_MS, on_closing_timeout);
	slice_queue_clear(&t->in);
	defer(t);
}

static void socket_end(struct stream *s, enum flow_end why)
{
	struct tcp_socket *t = tcp_of(s);

	if (t->state == CLOSING || t->state == DEAD)
		return;
	if (t->state == OPEN && flow_end_graceful(why) && !t->told) {
		if (t->out.bytes) {
			close_slowly(t);
			return;
		}
		if (t->linger_reset)
			set_linger_reset(t->io.fd, false);
	} else if (t->state == OPEN && !t->linger_reset && t->io.fd >= 0) {
		set_linger_reset(t->io.fd, true);
	}
	die_later(t);
}

static struct stream *socket_bare(struct stream *s)
{
	return tcp_of(s)->state == OPEN ? s : NULL;
}

static const struct stream_ops socket_ops = {
	.write = socket_write,
	.space = socket_space,
	.want = socket_want,
	.shut = socket_shut,
	.end = socket_end,
	.be_prompt = socket_be_prompt,
	.bare = socket_bare,
};

/* ---- making one ---- */

static struct tcp_socket *wrap(int fd, enum tcp_state state, const struct tcp_socket_options *o)
{
	struct tcp_socket *t = cell_new(sizeof(*t));

	if (!t)
		return NULL;
	t->stream.ops = &socket_ops;
	t->state = (uint8_t)state;
	t->linger_reset = o->reset_on_death;
	t->writable = state == OPEN;
	if (loop_io_start(&t->io, fd, on_ready) < 0) {
		cell_free(t);
		return NULL;
	}
	return t;
}

void tcp_socket_set_options(int fd, const struct tcp_socket_options *o)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* An urgent byte is a byte of the stream: else it would be lost here. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	if (o->reset_on_death)
		set_linger_reset(fd, true);
}

uint32_t tcp_socket_keepalive_s(const struct tcp_socket_options *o)
{
	uint32_t by_rules = o->rules ? o->rules->keepalive_s : socket_rules_listeners.keepalive_s;

	return o->keepalive && !by_rules ? KEEPALIVE_S : 0;
}

static void give_up(struct connected *c, enum flow_end why)
{
	struct tcp_socket *t = container_of(c, struct tcp_socket, connected);

	if (t->state == CONNECTING && t->connect_events && !t->connect_err) {
		t->connect_err = why == END_ADDRESS_GONE ? ENETUNREACH : ETIMEDOUT;
		defer(t);
	} else if (t->state == CLOSING) {
		set_linger_reset(t->io.fd, true);
		die_later(t);
	} else if (t->stream.events) {
		tell_ended(t, why);
	}
}

struct addr tcp_socket_self(const struct stream *s)
{
	return addr_of_socket(tcp_of(s)->io.fd);
}

struct stream *tcp_socket_new(int fd, const struct tcp_socket_options *o)
{
	struct tcp_socket *t = wrap(fd, OPEN, o);

	if (!t) {
		close(fd);
		return NULL;
	}
	return &t->stream;
}

/* Before the connect: the SYN then says it too, and what comes is no longer than what goes. */
static void obey_path(int fd, const struct addr *to)
{
	int limit = path_limit_to_use(to), segment = limit - (to->family == AF_INET6 ? IP6_TCP_HEADERS : IP4_TCP_HEADERS);

	if (limit)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

struct stream *tcp_socket_connect(const struct addr *to, const struct tcp_socket_options *o,
				  const struct tcp_connect_events *events, void *owner, int *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket_rules_open(ss.ss_family, SOCK_STREAM, o->rules);
	struct tcp_socket *t;

	*err = fd < 0 ? -fd : -socket_rules_bind(fd, ss.ss_family, o->rules);
	if (*err) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	tcp_socket_set_options(fd, o);
	obey_path(fd, to);
	/* Watched only once it connects: an unconnected socket reports HUP. */
	int rc = connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS ? errno : 0;

	t = wrap(fd, CONNECTING, o);
	if (!t) {
		*err = ENOMEM;
		close(fd);
		return NULL;
	}
	connected_add(&t->connected, fd, o->keepalive, tcp_socket_keepalive_s(o), give_up);
	own_socket_add(&t->own, SOCK_STREAM, fd, to);
	t->connect_events = events;
	t->stream.owner = owner;
	t->connect_err = rc;
	if (rc)
		defer(t);
	return &t->stream;
}
