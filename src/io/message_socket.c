/* Orders and answers by datagram; see message_socket.h. */
#include "io/message_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/slice.h"
#include "loop/loop.h"

#define MESSAGE_MAX 65536u
#define MESSAGES_PER_TURN 64

struct message_socket {
	struct loop_watch watch;
	int fd;
	char *path; /* of a unix socket, */
	dev_t dev;  /* and which file that was */
	ino_t ino;
	message_fn *received;
	void *owner;
};

static bool receive_one(struct message_socket *s, struct buf *b)
{
	struct message_peer from = { .len = sizeof(from.ss) };
	ssize_t n = recvfrom(s->fd, b->data, MESSAGE_MAX, MSG_TRUNC, (struct sockaddr *)&from.ss, &from.len);

	if (n < 0)
		return errno == EINTR;
	if (n <= (ssize_t)MESSAGE_MAX)
		s->received(s->owner, b->data, (size_t)n, &from);
	return true;
}

static void on_ready(struct loop_watch *w, unsigned events)
{
	struct message_socket *s = container_of(w, struct message_socket, watch);
	struct buf *b = buf_get(MESSAGE_MAX);

	(void)events;
	for (int i = 0; b && i < MESSAGES_PER_TURN && receive_one(s, b); i++)
		;
	if (b) {
		explicit_bzero(b->data, MESSAGE_MAX); /* orders hold passwords */
		buf_unref(b);
	}
}

static int begin(struct message_socket *s, const struct sockaddr *at, socklen_t len)
{
	int one = 1;

	s->fd = socket(at->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	if (at->sa_family == AF_INET6)
		setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return bind(s->fd, at, len) < 0 ? -errno : 0;
}

/* NULL on an error; what was begun is undone. */
static struct message_socket *finish(struct message_socket *s, int ret, int *err)
{
	if (!ret)
		ret = loop_watch_start(&s->watch, s->fd, LOOP_READ, on_ready);
	*err = -ret;
	if (!ret)
		return s;
	message_socket_close(s);
	return NULL;
}

static struct message_socket *make(message_fn *received, void *owner)
{
	struct message_socket *s = calloc(1, sizeof(*s));

	if (s) {
		s->fd = -1;
		s->received = received;
		s->owner = owner;
	}
	return s;
}

struct message_socket *message_socket_udp(const struct addr *listen, message_fn *received, void *owner, int *err)
{
	struct message_socket *s = make(received, owner);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(listen, &ss);

	*err = ENOMEM;
	return s ? finish(s, begin(s, (struct sockaddr *)&ss, len), err) : NULL;
}

/* ---- a path ---- */

/* Does nobody listen at this path any more? */
static bool is_dead(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;
	bool dead = fd >= 0 && lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		    connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

static int bind_path(struct message_socket *s, const struct sockaddr_un *at)
{
	mode_t old = umask(0177);
	struct stat st;
	int ret;

	if (is_dead(at))
		unlink(at->sun_path);
	ret = begin(s, (const struct sockaddr *)at, sizeof(*at));
	umask(old);
	if (ret)
		return ret;
	s->path = strdup(at->sun_path);
	if (!s->path || lstat(at->sun_path, &st) < 0)
		return -ENOMEM;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

struct message_socket *message_socket_unix(const char *path, message_fn *received, void *owner, int *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct message_socket *s;

	*err = ENAMETOOLONG;
	if (strlen(path) >= sizeof(at.sun_path))
		return NULL;
	memcpy(at.sun_path, path, strlen(path));
	s = make(received, owner);
	*err = ENOMEM;
	return s ? finish(s, bind_path(s, &at), err) : NULL;
}

void message_socket_forget(struct message_socket *s)
{
	loop_watch_stop(&s->watch);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

void message_socket_close(struct message_socket *s)
{
	struct stat st;

	if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	message_socket_forget(s);
}

int message_socket_answer(struct message_socket *s, const struct message_peer *to, const void *data, size_t len)
{
	ssize_t n = sendto(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to->ss, to->len);

	return n < 0 ? -errno : 0;
}
