/*
 * The listening side of the control socket; see control.h.
 *
 *	READING  until the line is there, or the client has said FIN
 *	WRITING  the answer, in as many pieces as it takes
 *	DRAINING what the client says after that is thrown away, until it hangs up
 *
 * Whatever a client does costs a bounded buffer for a bounded time: the line has
 * a limit, so has the number of clients (a new one is always let in, the oldest
 * goes), and each has one deadline for all of it. Nothing blocks; nothing is
 * freed inside a callback.
 *
 * It does not know what is asked or answered.
 */
#include "ctl/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "ctl/request.h"
#include "ctl/socket.h"
#include "engine/engine.h"
#include "engine/status.h"
#include "loop/loop.h"
#include "sys/peer.h"

#define ACCEPTS 16 /* in one turn */
#define ACCEPT_AGAIN_MS 200 /* after accept() failed: no descriptors, no memory */

enum client_state { READING, WRITING, DRAINING, GONE };

struct client {
	struct list node; /* by age */
	struct loop_watch watch;
	struct loop_timer limit;
	struct loop_work free_work;
	enum client_state state;
	int fd;
	char *answer;
	size_t answer_len, sent, len;
	char line[CTL_LINE_MAX];
};

static struct ctl_socket listener = { .fd = -1 };
static struct loop_watch watch;
static struct loop_timer accept_again;
static struct list clients = { &clients, &clients };
static int n_clients;

/* ---- the end of a client ---- */

static void free_client(struct loop_work *w)
{
	struct client *c = container_of(w, struct client, free_work);

	free(c->answer);
	free(c);
}

static void leave(struct client *c)
{
	if (c->state == GONE)
		return;
	c->state = GONE;
	n_clients--;
	list_remove(&c->node);
	loop_timer_stop(&c->limit);
	loop_watch_stop(&c->watch);
	close(c->fd);
	loop_defer(&c->free_work, free_client);
}

static void on_limit(struct loop_timer *t)
{
	leave(container_of(t, struct client, limit));
}

/* ---- the answer ---- */

static void on_ready(struct loop_watch *w, unsigned events);

static void watch_for(struct client *c, unsigned events)
{
	loop_watch_stop(&c->watch);
	if (loop_watch_start(&c->watch, c->fd, events, on_ready) != 0)
		leave(c);
}

static void write_on(struct client *c)
{
	while (c->sent < c->answer_len) {
		ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			leave(c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->state = DRAINING;
	shutdown(c->fd, SHUT_WR);
	watch_for(c, LOOP_READ);
}

/* Takes the text; NULL: out of memory. */
static void answer(struct client *c, char *text)
{
	if (!text) {
		leave(c);
		return;
	}
	c->answer = text;
	c->answer_len = strlen(text);
	c->state = WRITING;
	watch_for(c, LOOP_WRITE);
}

/* ---- the request ---- */

static void read_on(struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - c->len, 0);
	char *end;

	if (n < 0) {
		if (errno != EAGAIN)
			leave(c);
		return;
	}
	end = memchr(c->line + c->len, '\n', (size_t)n);
	c->len += (size_t)n;
	if (end)
		c->len = (size_t)(end - c->line);
	if (end || (n == 0 && c->len))
		answer(c, ctl_request_answer(c->line, c->len));
	else if (n == 0)
		leave(c);
	else if (c->len == sizeof(c->line))
		answer(c, ctl_request_line(engine_request_error("a request is one line of at most %u bytes", CTL_LINE_MAX)));
}

static void drain(struct client *c)
{
	ssize_t n = recv(c->fd, c->line, sizeof(c->line), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		leave(c);
}

static void on_ready(struct loop_watch *w, unsigned events)
{
	struct client *c = container_of(w, struct client, watch);

	(void)events;
	switch (c->state) {
	case READING:
		read_on(c);
		break;
	case WRITING:
		write_on(c);
		break;
	case DRAINING:
		drain(c);
		break;
	case GONE:
		break;
	}
}

/* ---- clients ---- */

static void add_client(int fd)
{
	struct client *c;

	if (n_clients == CTL_CLIENTS_MAX)
		leave(container_of(clients.next, struct client, node));
	c = malloc(sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	memset(c, 0, offsetof(struct client, line));
	c->fd = fd;
	c->state = READING;
	list_init(&c->node);
	list_append(&clients, &c->node);
	n_clients++;
	loop_timer_start(&c->limit, CTL_LIMIT_MS, on_limit);
	watch_for(c, LOOP_READ);
}

static void turn_away(int fd, int err)
{
	static const char stranger[] = "{\"error\":\"only the user of this instance may ask, and root\"}\n";
	static const char boxed[] = "{\"error\":\"a process in a sandbox or another PID namespace may not ask\"}\n";
	const char *text = err == -EACCES ? stranger : boxed;

	log_warn("the control socket was asked from %s: refused",
		 err == -EACCES ? "another user" : "within a sandbox or another PID namespace");
	send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void start_listening(struct loop_timer *t);

/* False: there is nobody, or the listener must rest. */
static bool accept_one(void)
{
	int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), err;

	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
		return false;
	if (fd < 0) { /* it stays readable: ask again later, or the loop would spin */
		log_warn("the control socket cannot take a connection err=%s", err_name(errno));
		loop_watch_stop(&watch);
		loop_timer_start(&accept_again, ACCEPT_AGAIN_MS, start_listening);
		return false;
	}
	err = sys_peer_check(fd);
	if (err)
		turn_away(fd, err);
	else
		add_client(fd);
	return true;
}

static void on_connection(struct loop_watch *w, unsigned events)
{
	(void)w, (void)events;
	for (int i = 0; i < ACCEPTS && accept_one(); i++)
		;
}

static void start_listening(struct loop_timer *t)
{
	if (loop_watch_start(&watch, listener.fd, LOOP_READ, on_connection) != 0)
		loop_timer_start(t, ACCEPT_AGAIN_MS, start_listening);
}

/* ---- life ---- */

static int explain(const struct config *config, int err)
{
	if (!config->control) {
		log_info("no control socket: no directory for it can be used (`gatun status` will not find this instance) err=%s",
			 err_name(err));
		return 0;
	}
	log_error("cannot make the control socket %s: %s err=%s", config->control,
		  err == -EADDRINUSE	 ? "another instance listens there, or it is no socket"
		  : err == -ENAMETOOLONG ? "a socket's path has at most 107 bytes"
		  : err == -ENOENT	 ? "its directory does not exist"
					 : "the system said no",
		  err_name(err));
	return err;
}

int ctl_open(const struct config *config)
{
	int err;

	if (config->control && strcmp(config->control, "off") == 0)
		return 0;
	err = ctl_socket_open(&listener, config->control);
	if (err)
		return explain(config, err);
	start_listening(&accept_again);
	log_debug("control socket at %s", listener.path);
	return 0;
}

void ctl_close(void)
{
	loop_timer_stop(&accept_again);
	loop_watch_stop(&watch);
	while (!list_empty(&clients))
		leave(container_of(clients.next, struct client, node));
	ctl_socket_close(&listener);
}

void ctl_enable(void)
{
	static const struct engine_hooks hooks = { ctl_open, ctl_close };

	engine_set_hooks(&hooks);
}
