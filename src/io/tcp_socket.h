/*
 * Kernel TCP sockets as struct stream, and the listener that accepts them.
 */
#ifndef GATUN_IO_TCP_SOCKET_H
#define GATUN_IO_TCP_SOCKET_H

#include "base/addr.h"
#include "io/socket_rules.h"
#include "io/stream.h"

struct tcp_socket_options {
	/* SO_LINGER {1,0} until the graceful end, so that the peer sees a reset,
	 * never a clean EOF, if this process is killed. */
	bool reset_on_death;
	bool keepalive; /* notice a peer that has vanished, within minutes; the rules may say how */
	/* Of a socket that connects, or NULL; of a listener, in place of socket_rules_listeners.
	 * Borrowed for the call. */
	const struct socket_rules *rules;
	bool transparent; /* a listener: it takes connections to other addresses that TPROXY hands it */
};

struct tcp_connect_events {
	void (*connected)(void *owner, struct stream *);
	void (*failed)(void *owner, struct stream *, int err); /* errno, positive */
};

/* Connects. Exactly one event follows, never synchronously; the stream is the
 * owner's from the start: stream_end() cancels, and releases it after failed.
 * NULL: no descriptor or memory; *err is the errno. */
struct stream *tcp_socket_connect(const struct addr *, const struct tcp_socket_options *,
				  const struct tcp_connect_events *, void *owner, int *err);

/* TCP_NODELAY, SO_OOBINLINE and what the options ask for, but for keepalive. A listener passes
 * them on to what it accepts. */
void tcp_socket_set_options(int fd, const struct tcp_socket_options *);
/* The seconds of silence that keepalive means; 0 where it is not asked for, or the rules say how. */
uint32_t tcp_socket_keepalive_s(const struct tcp_socket_options *);

/* Wraps an established, non-blocking descriptor that has these options already,
 * and owns it. NULL: no memory (the descriptor is closed). */
struct stream *tcp_socket_new(int fd, const struct tcp_socket_options *);

/* How many sockets were ended with END_DONE and still send what they had accepted. */
unsigned tcp_socket_closing(void);
/* The address of ours that a stream of this kind has; family 0 where it is closed. */
struct addr tcp_socket_self(const struct stream *);
/* Where its client wanted to go before NAT sent it here (REDIRECT, DNAT); family 0 where
 * nobody did, or nobody remembers. */
struct addr tcp_socket_before_nat(const struct stream *);

struct tcp_listener;
struct tcp_listener_events {
	/* The stream is the owner's; client: where it comes from. */
	void (*accepted)(void *owner, struct stream *, const struct addr *client);
};
/* Listens. When descriptors run out it gives up a reserve to refuse the next
 * client with a reset, and pauses. NULL: *err is the errno. */
struct tcp_listener *tcp_listener_new(const struct addr *, const struct tcp_socket_options *,
				      const struct tcp_listener_events *, void *owner, int *err);
void tcp_listener_free(struct tcp_listener *);
/* The address really bound (port 0 resolved). */
struct addr tcp_listener_addr(const struct tcp_listener *);

#endif
