/*
 * Lines over a stream socketpair. The supervisor waits for an answer: it carries
 * no traffic, and a worker answers between two turns of its loop. A worker
 * writes its answer at once, too, as the supervisor is there to read it. See
 * worker_link.h.
 */
#include "engine/worker_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/json_text.h"
#include "engine/reload.h"
#include "engine/status.h"
#include "loop/loop.h"

#define WAIT_MS 2000
#define LINE_MAX_BYTES (64u * 1024 * 1024)

/* What has come of a line. */
struct line {
	char *text;
	size_t len, size;
};

static void line_clear(struct line *l)
{
	if (l->text)
		explicit_bzero(l->text, l->size); /* a request may add a user, with his key */
	free(l->text);
	*l = (struct line){ 0 };
}

/* Reads what is there. 1: something; 0: nothing now; -errno. */
static int line_read(struct line *l, int fd)
{
	ssize_t n;

	if (l->size - l->len < 4096) {
		size_t size = l->size ? 2 * l->size : 16384;
		char *more = size > LINE_MAX_BYTES ? NULL : realloc(l->text, size);

		if (!more)
			return -ENOMEM;
		l->text = more;
		l->size = size;
	}
	n = recv(fd, l->text + l->len, l->size - l->len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	l->len += (size_t)n;
	return n ? 1 : -EPIPE;
}

/* Takes the first whole line off, as JSON. NULL with *whole: it is none. */
static json_t *line_take(struct line *l, bool *whole)
{
	char *end = l->len ? memchr(l->text, '\n', l->len) : NULL;
	json_error_t error;
	json_t *v;
	size_t len;

	*whole = end != NULL;
	if (!end)
		return NULL;
	len = (size_t)(end - l->text) + 1;
	v = json_loadb(l->text, len, 0, &error);
	memmove(l->text, l->text + len, l->len - len);
	l->len -= len;
	return v;
}

static bool wait_for(int fd, short events, uint64_t until, const struct worker_talk *talk)
{
	struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = talk ? talk->fd : -1, .events = POLLIN } };
	uint64_t now = clock_ms();

	if (now >= until)
		return false;
	if (poll(p, 2, (int)(until - now)) < 0)
		return errno == EINTR;
	if (p[1].revents)
		talk->hear(talk->owner);
	return true;
}

static int write_all(int fd, const char *data, size_t len, uint64_t until, const struct worker_talk *talk)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0 && !wait_for(fd, POLLOUT, until, talk))
			return -ETIMEDOUT;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* v: stolen. */
static int write_line(int fd, json_t *v, uint64_t until, const struct worker_talk *talk)
{
	char *text = json_text_line(v);
	int err = -ENOMEM;

	json_decref(v);
	if (text) {
		err = write_all(fd, text, strlen(text), until, talk);
		explicit_bzero(text, strlen(text));
	}
	free(text);
	return err;
}

/* ---- the supervisor ---- */

static json_t *take_answer(struct line *l, json_int_t number)
{
	for (;;) {
		bool whole;
		json_t *v = line_take(l, &whole), *answer = json_object_get(v, "answer");

		if (!whole)
			return NULL;
		if (answer && json_integer_value(json_object_get(v, "number")) == number)
			json_incref(answer);
		else
			answer = NULL;
		json_decref(v);
		if (answer)
			return answer;
	}
}

json_t *worker_link_ask(int fd, const json_t *request, const struct worker_talk *talk)
{
	static json_int_t last;
	uint64_t until = clock_ms() + (talk && talk->wait_ms ? talk->wait_ms : WAIT_MS);
	json_int_t number = ++last;
	struct line line = { 0 };
	json_t *answer = NULL;

	if (write_line(fd, json_pack("{s:I,s:O}", "number", number, "request", request), until, talk) < 0)
		return NULL;
	while (!answer && wait_for(fd, POLLIN, until, talk)) {
		if (line_read(&line, fd) < 0)
			break;
		answer = take_answer(&line, number);
	}
	line_clear(&line);
	return answer;
}

/* ---- a worker ---- */

static struct loop_watch watch;
static struct line incoming;
static int served_fd = -1;

static void answer_line(json_t *v)
{
	json_t *request = json_object_get(v, "request");
	json_t *number = json_object_get(v, "number");

	if (request && number)
		write_line(served_fd, json_pack("{s:O,s:o}", "number", number, "answer", engine_request(request)),
			   clock_ms() + WAIT_MS, NULL);
}

static void answer_lines(void)
{
	bool whole = true;

	while (whole) {
		json_t *v = line_take(&incoming, &whole);

		if (v)
			answer_line(v);
		json_decref(v);
	}
}

/* False: the supervisor is gone. */
static bool serve(void)
{
	int rc = line_read(&incoming, served_fd);

	if (rc > 0)
		answer_lines();
	return rc >= 0;
}

/* Half of a reload is no state to serve clients in: nothing else is done until its end is told. The
 * supervisor is at it; if he dies, so do we. */
static bool wait_for_the_end(void)
{
	struct pollfd p = { .fd = served_fd, .events = POLLIN };

	while (reload_is_pending())
		if ((poll(&p, 1, -1) < 0 && errno != EINTR) || !serve())
			return false;
	return true;
}

static void on_ready(struct loop_watch *w, unsigned events)
{
	(void)w, (void)events;
	if (serve() && wait_for_the_end())
		return;
	log_error("the supervisor is gone");
	worker_link_close();
	loop_stop();
}

int worker_link_serve(int fd)
{
	served_fd = fd;
	return loop_watch_start(&watch, fd, LOOP_READ, on_ready);
}

void worker_link_close(void)
{
	if (served_fd < 0)
		return;
	loop_watch_stop(&watch);
	close(served_fd);
	served_fd = -1;
	line_clear(&incoming);
}
