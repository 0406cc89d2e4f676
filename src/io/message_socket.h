/*
 * A small datagram socket for orders and answers: UDP, or a unix socket with a
 * path. One message at a time, nothing batched: not for traffic (udp_socket.h is).
 */
#ifndef GATUN_IO_MESSAGE_SOCKET_H
#define GATUN_IO_MESSAGE_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"

struct message_peer {
	struct sockaddr_storage ss;
	socklen_t len; /* 0 or the family alone: a unix socket without a name, which no answer reaches */
};

struct message_socket;
/* Called for each message; data is valid for the call, longer ones are left out. */
typedef void message_fn(void *owner, const uint8_t *data, size_t len, const struct message_peer *from);

/* By UDP at `listen`. NULL: *err is the errno. */
struct message_socket *message_socket_udp(const struct addr *listen, message_fn *received, void *owner, int *err);
/* At a path, mode 0600; a socket that nobody listens on any more makes room. NULL: *err
 * is the errno; EADDRINUSE: somebody listens, or it is no socket. */
struct message_socket *message_socket_unix(const char *path, message_fn *received, void *owner, int *err);
/* Closes, and takes the path away if it is still ours. Not from inside received(). */
void message_socket_close(struct message_socket *);
/* In a child of the process that opened it: closes its copy, and leaves the path. */
void message_socket_forget(struct message_socket *);
/* Never blocks: who does not read his answers loses them. 0 or -errno. */
int message_socket_answer(struct message_socket *, const struct message_peer *to, const void *data, size_t len);

#endif
