/*
 * splice(2) between two sockets.
 *
 *	from ──splice──► pipe ──splice──► to
 *
 * It is a shortcut that a socket takes while it reads, byte for byte optional: bulk
 * (its last receive filled the buffer) goes through a pipe if one can be had and
 * nothing waits to be sent by the usual way before it; else the usual way serves.
 * So order needs no more than: what is in the pipe goes before anything is
 * received, and nothing enters the pipe while the other side has bytes of ours to send.
 *
 * A pipe belongs to a socket only while bytes are in it: from the moment the other
 * side takes no more until it has taken all. Idle flows have none, and a few pipes serve all
 * that flow. When too many wait, slow readers are served by the usual way,
 * whose bounds hold for them.
 *
 * The end: fin is told when the pipe is empty; any other end drops what is in it.
 */
#include "io/tcp_splice.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/tcp_internal.h"

#define PIPE_BYTES (256 * 1024)
#define PIPES_MAX 64 /* with bytes in them */
#define SPARE_MAX 4  /* empty ones that are kept open */
#define BULK 16384   /* less than that at once is not worth the two calls */

struct tcp_pipe {
	int in, out;
	size_t len;
	struct tcp_pipe *next; /* among the spare ones */
};

static struct tcp_pipe *spare;
static unsigned spares, waiting;

unsigned tcp_splice_waiting(void)
{
	return waiting;
}

unsigned tcp_splice_pipes(void)
{
	return waiting + spares;
}

/* ---- pipes ---- */

static void pipe_close(struct tcp_pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
}

static struct tcp_pipe *pipe_open(void)
{
	struct tcp_pipe *p = calloc(1, sizeof(*p));
	int fds[2];

	if (!p || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	p->out = fds[0];
	p->in = fds[1];
	fcntl(p->in, F_SETPIPE_SZ, PIPE_BYTES); /* a wish: a user has so much of it */
	return p;
}

static struct tcp_pipe *pipe_get(void)
{
	struct tcp_pipe *p = spare;

	if (waiting >= PIPES_MAX)
		return NULL;
	if (p) {
		spare = p->next;
		spares--;
	} else {
		p = pipe_open();
	}
	waiting += p != NULL;
	return p;
}

/* Bytes that are left in it go nowhere. */
static void pipe_put(struct tcp_pipe *p)
{
	waiting--;
	if (p->len || spares >= SPARE_MAX) {
		pipe_close(p);
		return;
	}
	p->next = spare;
	spare = p;
	spares++;
}

/* ---- moving ---- */

static void drop_pipe(struct tcp_socket *t)
{
	if (t->pipe)
		pipe_put(t->pipe);
	t->pipe = NULL;
}

/* Bytes that came off the socket; 0: none for now, or no more. */
static size_t fill(struct tcp_socket *t)
{
	ssize_t n;

	do
		n = splice(t->io.fd, NULL, t->pipe->in, NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		t->pipe->len += (size_t)n;
		t->bulk = n >= BULK;
		return (size_t)n;
	}
	t->readable = false;
	t->bulk = false;
	if (n == 0)
		t->fin_seen = true;
	else if (errno != EAGAIN)
		tcp_tell_errno(t, errno);
	return 0;
}

/* Into the other side as much as it takes; false: somebody has ended. */
static bool drain(struct tcp_socket *t)
{
	struct tcp_socket *to = t->feeds;
	size_t moved = 0;

	while (t->pipe->len && to->writable) {
		ssize_t n = splice(t->pipe->out, NULL, to->io.fd, NULL, t->pipe->len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n > 0) {
			t->pipe->len -= (size_t)n;
			moved += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			to->writable = false;
			if (n == 0 || errno == EAGAIN)
				break;
			tcp_tell_errno(to, errno);
			return false;
		}
	}
	if (moved)
		t->moved(t->stream.owner, moved);
	return t->state == OPEN && t->feeds == to;
}

/* Bytes may enter the pipe when what waits to be sent by the usual way is gone and the
 * other side takes more. Else they may later (tcp_splice_wake): that the kernel will tell. */
static bool is_clear(struct tcp_socket *t)
{
	struct tcp_socket *to = t->feeds;

	if (to->out.bytes)
		tcp_flush(to);
	return t->feeds == to && !to->out.bytes && to->writable;
}

ssize_t tcp_splice(struct tcp_socket *t)
{
	size_t got = 0;

	if (!t->pipe) {
		if (t->feeds->shut || t->feeds->told)
			return -1;
		if (!is_clear(t))
			return 0;
		t->pipe = pipe_get();
		if (!t->pipe)
			return -1;
		got = fill(t);
		if (!t->pipe) /* it ended */
			return 0;
	}
	if (t->pipe->len && !drain(t))
		return 0;
	if (!t->pipe->len) {
		drop_pipe(t);
		return got || !t->readable ? (ssize_t)got : -1;
	}
	return 0; /* until tcp_splice_wake() */
}

void tcp_splice_wake(struct tcp_socket *fed)
{
	if (fed->fed_by->pipe || fed->fed_by->readable)
		loop_again(&fed->fed_by->io, LOOP_READ);
}

/* ---- life ---- */

void tcp_splice_join(struct stream *x, tcp_splice_moved *x_moved, struct stream *y, tcp_splice_moved *y_moved)
{
	struct stream *a = stream_bare(x), *b = stream_bare(y);

	if (!a || !b)
		return;
	tcp_of(a)->moved = x_moved;
	tcp_of(b)->moved = y_moved;
	tcp_of(a)->feeds = tcp_of(a)->fed_by = tcp_of(b);
	tcp_of(b)->feeds = tcp_of(b)->fed_by = tcp_of(a);
}

void tcp_splice_part(struct tcp_socket *t)
{
	struct tcp_socket *other = t->feeds;

	drop_pipe(t);
	if (!other)
		return;
	drop_pipe(other);
	t->feeds = t->fed_by = NULL;
	other->feeds = other->fed_by = NULL;
}
