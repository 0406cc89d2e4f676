/*
 * The listener: accepts in batches, edge-triggered. When descriptors run out,
 * the reserve descriptor is given up for a moment to accept and reset one
 * client (silence would leave it hanging), and accepting pauses.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "io/kept.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"

#define ACCEPT_BATCH 64
#define BACKLOG 4096
#define PAUSE_MS 200

struct tcp_listener {
	struct loop_io io;
	struct loop_timer pause;
	struct addr at;
	struct tcp_socket_options options;
	const struct tcp_listener_events *events;
	void *owner;
	int reserve_fd;
};

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_pause_over(struct loop_timer *timer)
{
	struct tcp_listener *l = container_of(timer, struct tcp_listener, pause);

	if (l->reserve_fd < 0)
		l->reserve_fd = open_reserve();
	loop_again(&l->io, LOOP_READ);
}

static void out_of_descriptors(struct tcp_listener *l, int err)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd;

	log_warn("cannot accept a client: raise the limit of open files (nofile) err=%s", err_name(err));
	if (l->reserve_fd >= 0) {
		close(l->reserve_fd);
		fd = accept4(l->io.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			close(fd);
		}
		l->reserve_fd = open_reserve();
	}
	loop_timer_start(&l->pause, PAUSE_MS, on_pause_over);
}

/* False when there is nobody left to accept, or no way to. */
static bool accept_one(struct tcp_listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = accept4(l->io.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct stream *s;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			out_of_descriptors(l, errno);
		return errno == ECONNABORTED || errno == EINTR;
	}
	s = tcp_socket_new(fd, &l->options);
	if (s) {
		struct addr client = addr_from_sockaddr((struct sockaddr *)&ss);

		l->events->accepted(l->owner, s, &client);
	}
	return true;
}

static void on_ready(struct loop_io *io, unsigned events)
{
	struct tcp_listener *l = container_of(io, struct tcp_listener, io);

	(void)events;
	if (loop_timer_armed(&l->pause))
		return;
	for (int i = 0; i < ACCEPT_BATCH; i++)
		if (!accept_one(l))
			return;
	loop_again(&l->io, LOOP_READ);
}

/* l: its address and options. */
static int bind_and_listen(const void *context, bool shared)
{
	const struct tcp_listener *l = context;
	const struct addr *a = &l->at;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	uint32_t keepalive_s = tcp_socket_keepalive_s(&l->options);
	int one = 1, only = socket_rules_only_v6(SOCK_STREAM, a), err;
	int fd = socket_rules_open(ss.ss_family, SOCK_STREAM, l->options.rules ? l->options.rules : &socket_rules_listeners);

	if (fd < 0)
		return fd;
	err = l->options.transparent ? socket_rules_set_transparent(fd, ss.ss_family) : 0;
	if (err) {
		close(fd);
		return err;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	tcp_socket_set_options(fd, &l->options);
	if (keepalive_s)
		socket_rules_keepalive(fd, keepalive_s);
	if (a->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

struct tcp_listener *tcp_listener_new(const struct addr *a, const struct tcp_socket_options *o,
				      const struct tcp_listener_events *events, void *owner, int *err)
{
	struct tcp_listener *l = calloc(1, sizeof(*l));
	int fd;

	*err = ENOMEM;
	if (!l)
		return NULL;
	l->at = *a;
	l->options = *o;
	fd = kept_open(SOCK_STREAM, a, bind_and_listen, l);
	l->options.rules = NULL; /* what they say is in the descriptor */
	if (fd < 0) {
		*err = -fd;
		free(l);
		return NULL;
	}
	l->events = events;
	l->owner = owner;
	l->reserve_fd = open_reserve();
	*err = -loop_io_start(&l->io, fd, on_ready);
	if (*err) {
		close(fd);
		close(l->reserve_fd);
		free(l);
		return NULL;
	}
	return l;
}

void tcp_listener_free(struct tcp_listener *l)
{
	loop_timer_stop(&l->pause);
	loop_io_stop(&l->io);
	kept_close(SOCK_STREAM, &l->at);
	close(l->io.fd);
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	free(l);
}

struct addr tcp_listener_addr(const struct tcp_listener *l)
{
	return addr_of_socket(l->io.fd);
}
