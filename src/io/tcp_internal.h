/* A kernel TCP socket from within: tcp_socket.c owns it, the files beside it read
 * what they need. Nobody else includes it. */
#ifndef GATUN_IO_TCP_INTERNAL_H
#define GATUN_IO_TCP_INTERNAL_H

#include "io/connected.h"
#include "io/own_sockets.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"

#define TCP_READ_BUDGET (512u * 1024) /* bytes per socket and turn */

enum tcp_state { CONNECTING, OPEN, CLOSING, DEAD };

struct tcp_socket {
	struct stream stream;
	struct loop_io io;
	struct loop_work work;
	struct connected connected; /* only of one that connected, */
	struct own_socket own;	    /* and so is this */
	struct slice_queue out, in; /* in: received, not yet taken by the owner */
	const struct tcp_connect_events *connect_events;
	struct loop_timer *closing_timer; /* only in CLOSING with bytes left */
	uint8_t state;
	bool want_data : 1, want_room : 1;
	bool readable : 1, writable : 1, hup : 1;
	bool shut : 1, shut_sent : 1;
	bool fin_seen : 1, fin_told : 1, told : 1;
	bool linger_reset : 1;
	bool bulk : 1; /* the last receive filled its buffer */
	bool kick : 1; /* deliver from the deferred pass */
	bool prompt : 1;
	int connect_err;
	struct tcp_socket *feeds, *fed_by; /* tcp_splice.c: what it says goes there; whose words come here; or NULL */
	void (*moved)(void *owner, size_t n);
	struct tcp_pipe *pipe;		   /* between it and `feeds`, while bytes are in it */
};

static inline struct tcp_socket *tcp_of(const struct stream *s)
{
	return (struct tcp_socket *)(uintptr_t)s;
}

/* What tcp_splice.c asks of the socket it works for. */
void tcp_flush(struct tcp_socket *);
void tcp_tell_errno(struct tcp_socket *, int err);

/* What this socket says, moved on in the kernel; only while its owner wants data and all that
 * was received before is gone. Bytes moved off the socket (0: no more for now), or -1: by the
 * usual way, please. Events may have ended either socket. */
ssize_t tcp_splice(struct tcp_socket *);
/* There is room again where it feeds. */
void tcp_splice_wake(struct tcp_socket *fed);
/* It ends: those it is joined to are on their own. */
void tcp_splice_part(struct tcp_socket *);

#endif
