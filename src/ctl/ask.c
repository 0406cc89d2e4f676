/* See ask.h. One deadline for all of it: an instance that hangs must not hang who asks. */
#include "ctl/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "conf/json_text.h"
#include "ctl/socket.h"

#define LIMIT_MS 10000
#define ANSWER_MAX (64u << 20)
#define PIECE (64u * 1024)

static int wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_ms();
	int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;

	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : errno == EINTR ? 0 : -errno;
}

static int send_all(int fd, const char *text, size_t len, uint64_t deadline)
{
	int err = 0;

	while (len && !err) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0; /* it had heard enough; what it says is why */
		} else {
			err = errno == EAGAIN ? wait_for(fd, POLLOUT, deadline) : -errno;
		}
	}
	return err;
}

/* Until its end. *text is the caller's. */
static int read_all(int fd, char **text, size_t *len, uint64_t deadline)
{
	size_t room = 0;
	int err = 0;

	while (!err) {
		ssize_t n;

		if (*len == room) {
			char *more = room < ANSWER_MAX ? realloc(*text, room + PIECE) : NULL;

			if (!more)
				return room < ANSWER_MAX ? -ENOMEM : -EFBIG;
			*text = more;
			room += PIECE;
		}
		n = recv(fd, *text + *len, room - *len, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET && *len))
			return 0;
		if (n > 0)
			*len += (size_t)n;
		else
			err = errno == EAGAIN ? wait_for(fd, POLLIN, deadline) : -errno;
	}
	return err;
}

static int parse(const char *text, size_t len, json_t **answer)
{
	json_t *j = json_loadb(text, len, 0, NULL);

	if (json_is_object(j)) {
		*answer = j;
		return 0;
	}
	json_decref(j);
	return -EPROTO;
}

static int talk(int fd, const char *line, json_t **answer, uint64_t deadline)
{
	char *text = NULL;
	size_t len = 0;
	int err = send_all(fd, line, strlen(line), deadline);

	if (!err)
		err = read_all(fd, &text, &len, deadline);
	if (!err)
		err = parse(text, len, answer);
	free(text);
	return err;
}

/* Where many ask at once there may be no place in the queue for a moment. */
static int connect_within(const char *path, uint64_t deadline)
{
	static const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };
	int fd = ctl_socket_connect(path);

	while (fd == -EAGAIN && clock_ms() < deadline) {
		nanosleep(&moment, NULL);
		fd = ctl_socket_connect(path);
	}
	return fd;
}

int ctl_ask(const char *path, const json_t *request, json_t **answer)
{
	uint64_t deadline = clock_ms() + LIMIT_MS;
	char *line = json_text_line(request);
	int fd = connect_within(path, deadline), err = fd < 0 ? fd : 0;

	*answer = NULL;
	if (!err)
		err = line ? talk(fd, line, answer, deadline) : -ENOMEM;
	if (fd >= 0)
		close(fd);
	free(line);
	return err;
}

const char *ctl_ask_sentence(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "nothing runs there";
	case -EACCES:
		return "it belongs to another user";
	case -ETIMEDOUT:
		return "it does not answer";
	case -EPROTO:
		return "that is no control socket of gatun";
	default:
		return err_name(err);
	}
}
