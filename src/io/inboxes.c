/*
 * Inboxes of workers; see inboxes.h.
 *
 * Sequenced packets and no datagrams: who has no room says so at once, and a
 * message that is cut short shows it. Each message gets a buffer of its own,
 * because who takes it may refer to it until the turn ends.
 */
#include "io/inboxes.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "loop/loop.h"

#define ROOM_BYTES (4 * 1024 * 1024)
#define BATCH 32
#define FRONT 16u
#define DATAGRAM_MAX 65535u

struct inboxes {
	int n, self;
	size_t note_size;
	int (*pairs)[2]; /* [n]: where it is read, where it is written */
	struct loop_watch watch;
	inboxes_fn *received;
	void *owner;
};

bool inboxes_send(const struct inboxes *in, int worker, const void *note, const void *datagram, size_t len)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)note, in->note_size }, { (void *)(uintptr_t)datagram, len } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(in->pairs[worker][1], &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* False: nothing is there. */
static bool take_one(const struct inboxes *in, struct buf *b)
{
	alignas(max_align_t) uint8_t note[INBOXES_NOTE_MAX];
	struct iovec iov[2] = { { note, in->note_size }, { b->data + FRONT, DATAGRAM_MAX } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = recvmsg(in->pairs[in->self][0], &h, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR;
	if ((size_t)n > in->note_size && !(h.msg_flags & MSG_TRUNC))
		in->received(in->owner, note, (struct slice){ b, FRONT, (uint32_t)((size_t)n - in->note_size) });
	return true;
}

static void on_ready(struct loop_watch *w, unsigned events)
{
	struct inboxes *in = container_of(w, struct inboxes, watch);
	bool more = true;

	(void)events;
	for (int i = 0; i < BATCH && more; i++) {
		struct buf *b = buf_get(FRONT + DATAGRAM_MAX);

		if (!b)
			return; /* the watch is level-triggered */
		more = take_one(in, b);
		buf_unref(b);
	}
}

int inboxes_join(struct inboxes *in, int worker, inboxes_fn *received, void *owner)
{
	in->self = worker;
	in->received = received;
	in->owner = owner;
	return loop_watch_start(&in->watch, in->pairs[worker][0], LOOP_READ, on_ready);
}

void inboxes_leave(struct inboxes *in)
{
	loop_watch_stop(&in->watch);
}

/* ---- life ---- */

static void set_room(int fd)
{
	int size = ROOM_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int open_pairs(struct inboxes *in)
{
	in->pairs = malloc(sizeof(*in->pairs) * (size_t)in->n);
	if (!in->pairs)
		return -ENOMEM;
	memset(in->pairs, 0xff, sizeof(*in->pairs) * (size_t)in->n);
	for (int i = 0; i < in->n; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, in->pairs[i]) < 0)
			return -errno;
		set_room(in->pairs[i][1]);
	}
	return 0;
}

struct inboxes *inboxes_new(int workers, size_t note_size)
{
	struct inboxes *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->n = workers;
	in->note_size = note_size;
	if (note_size <= INBOXES_NOTE_MAX && open_pairs(in) == 0)
		return in;
	inboxes_free(in);
	return NULL;
}

void inboxes_free(struct inboxes *in)
{
	if (!in)
		return;
	for (int i = 0; in->pairs && i < in->n; i++)
		for (int k = 0; k < 2; k++)
			if (in->pairs[i][k] >= 0)
				close(in->pairs[i][k]);
	free(in->pairs);
	free(in);
}

int inboxes_fds(const struct inboxes *in, int worker, int *fds)
{
	int n = 0;

	for (int i = 0; i < in->n; i++)
		fds[n++] = in->pairs[i][1];
	fds[n++] = in->pairs[worker][0];
	return n;
}
