/*
 * The loop on libev. One turn of loop_run():
 *
 *	ev_run(EVRUN_ONCE): timers, signals, watches, and our epoll set when it
 *	                    has events (on_epoll collects a batch, calls ready())
 *	ready list          those who stopped early have another go
 *	deferred work       flush and free
 *
 * While the ready list is not empty ev_run is called with NOWAIT, so nobody
 * starves: neither the kernel's events nor those on the list.
 *
 * The edge-triggered set is an epoll descriptor of its own, which libev
 * watches like any other: libev has no edge trigger, and re-arming interest
 * cost a connection three system calls.
 */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

#define EPOLL_BATCH 256
#define STOPPED_MS 20000 /* the slow timer of an engine alone makes more turns than that */
#define RESUMED_MS 5000

static struct ev_loop *ev;
static int epoll_fd = -1;
static struct ev_io epoll_watch;
static struct ev_check woke;
static struct list ready_list, work_list;
static uint64_t now_ms, resumed_ms;
static bool running;

/* The batch being dispatched: loop_io_stop() blanks what it still holds. */
static struct epoll_event batch[EPOLL_BATCH];
static int batch_len;

static void on_epoll(struct ev_loop *l, struct ev_io *w, int revents)
{
	(void)l, (void)w, (void)revents;
	batch_len = epoll_wait(epoll_fd, batch, EPOLL_BATCH, 0);
	for (int i = 0; i < batch_len; i++) {
		struct loop_io *io = batch[i].data.ptr;
		unsigned events = 0;

		if (!io)
			continue;
		if (batch[i].events & (EPOLLIN | EPOLLPRI | EPOLLHUP | EPOLLRDHUP | EPOLLERR))
			events |= LOOP_READ;
		if (batch[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			events |= LOOP_WRITE;
		if (batch[i].events & EPOLLERR)
			events |= LOOP_ERROR;
		if (batch[i].events & (EPOLLPRI | EPOLLHUP | EPOLLRDHUP | EPOLLERR))
			events |= LOOP_HUP;
		io->ready(io, events);
	}
	batch_len = 0;
}

/* First of all watchers after the sleep, so that every event sees this turn's time. */
static void on_wake(struct ev_loop *l, struct ev_check *w, int revents)
{
	uint64_t before = now_ms;

	(void)l, (void)w, (void)revents;
	now_ms = clock_ms();
	if (now_ms - before > STOPPED_MS)
		resumed_ms = now_ms;
}

bool loop_was_stopped(void)
{
	return resumed_ms && now_ms - resumed_ms < RESUMED_MS;
}

int loop_init(void)
{
	list_init(&ready_list);
	list_init(&work_list);
	now_ms = clock_ms();
	ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!ev)
		return -ENOMEM;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0) {
		int err = -errno;
		ev_loop_destroy(ev);
		return err;
	}
	ev_io_init(&epoll_watch, on_epoll, epoll_fd, EV_READ);
	ev_io_start(ev, &epoll_watch);
	ev_check_init(&woke, on_wake);
	ev_set_priority(&woke, EV_MAXPRI);
	ev_check_start(ev, &woke);
	return 0;
}

void loop_free(void)
{
	ev_check_stop(ev, &woke);
	ev_io_stop(ev, &epoll_watch);
	close(epoll_fd);
	epoll_fd = -1;
	ev_loop_destroy(ev);
	ev = NULL;
}

uint64_t loop_now(void)
{
	return now_ms;
}

/* One go for each that is on the list now; who asks again waits for the next turn. */
static void run_ready(void)
{
	struct list turn;

	if (list_empty(&ready_list))
		return;
	list_init(&turn);
	turn.next = ready_list.next;
	turn.prev = ready_list.prev;
	turn.next->prev = turn.prev->next = &turn;
	list_init(&ready_list);
	while (!list_empty(&turn)) {
		struct loop_io *io = container_of(turn.next, struct loop_io, node);
		unsigned events = io->pending;

		list_remove(&io->node);
		io->pending = 0;
		io->ready(io, events);
	}
}

static void run_work(void)
{
	while (!list_empty(&work_list)) {
		struct loop_work *w = container_of(work_list.next, struct loop_work, node);

		list_remove(&w->node);
		w->queued = false;
		w->run(w);
	}
}

static void turn(int ev_flags)
{
	ev_run(ev, ev_flags);
	run_ready();
	run_work();
}

void loop_run(void)
{
	running = true;
	run_work();
	while (running)
		turn(list_empty(&ready_list) ? EVRUN_ONCE : EVRUN_NOWAIT);
}

void loop_turn(void)
{
	run_work();
	turn(EVRUN_NOWAIT);
}

void loop_stop(void)
{
	running = false;
}

/* ---- readiness ---- */

static int start(struct loop_io *io, int fd, uint32_t interest, void (*ready)(struct loop_io *, unsigned))
{
	struct epoll_event e = { .events = interest | EPOLLRDHUP | EPOLLET, .data.ptr = io };

	io->fd = fd;
	io->ready = ready;
	io->pending = 0;
	list_init(&io->node);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0) {
		io->ready = NULL;
		return -errno;
	}
	return 0;
}

int loop_io_start(struct loop_io *io, int fd, void (*ready)(struct loop_io *, unsigned))
{
	return start(io, fd, EPOLLIN | EPOLLPRI | EPOLLOUT, ready);
}

int loop_io_start_read(struct loop_io *io, int fd, void (*ready)(struct loop_io *, unsigned))
{
	return start(io, fd, EPOLLIN, ready);
}

static void forget(struct loop_io *io)
{
	list_remove(&io->node);
	io->ready = NULL;
	for (int i = 0; i < batch_len; i++)
		if (batch[i].data.ptr == io)
			batch[i].data.ptr = NULL;
}

void loop_io_stop(struct loop_io *io)
{
	if (!io->ready)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	forget(io);
}

void loop_io_close(struct loop_io *io)
{
	if (io->ready)
		forget(io);
	close(io->fd);
}

void loop_again(struct loop_io *io, unsigned events)
{
	if (!io->ready)
		return;
	io->pending |= events;
	if (list_empty(&io->node))
		list_append(&ready_list, &io->node);
}

static void on_watch(struct ev_loop *l, struct ev_io *w, int revents)
{
	struct loop_watch *watch = w->data;

	(void)l;
	watch->ready(watch, (revents & EV_READ ? LOOP_READ : 0u) | (revents & EV_WRITE ? LOOP_WRITE : 0u));
}

int loop_watch_start(struct loop_watch *w, int fd, unsigned events, void (*ready)(struct loop_watch *, unsigned))
{
	struct ev_io *io = malloc(sizeof(*io));

	if (!io)
		return -ENOMEM;
	w->ready = ready;
	w->ev = io;
	ev_io_init(io, on_watch, fd, (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0));
	io->data = w;
	ev_io_start(ev, io);
	return 0;
}

void loop_watch_stop(struct loop_watch *w)
{
	if (!w->ev)
		return;
	ev_io_stop(ev, w->ev);
	free(w->ev);
	w->ev = NULL;
}

/* ---- timers ---- */

static_assert(sizeof(struct ev_timer) <= sizeof(((struct loop_timer *)0)->ev), "ev_timer fits its place");

static struct ev_timer *timer_ev(struct loop_timer *t)
{
	return (struct ev_timer *)(void *)t->ev;
}

static void on_timer(struct ev_loop *l, struct ev_timer *w, int revents)
{
	struct loop_timer *t = w->data;

	(void)l, (void)revents;
	t->armed = false;
	t->fire(t);
}

void loop_timer_start(struct loop_timer *t, uint64_t ms, void (*fire)(struct loop_timer *))
{
	struct ev_timer *w = timer_ev(t);

	loop_timer_stop(t);
	t->fire = fire;
	t->armed = true;
	ev_timer_init(w, on_timer, (double)ms / 1000.0, 0.);
	w->data = t;
	ev_timer_start(ev, w);
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t->armed)
		return;
	t->armed = false;
	ev_timer_stop(ev, timer_ev(t));
}

/* ---- deferred work ---- */

void loop_defer(struct loop_work *w, void (*run)(struct loop_work *))
{
	w->run = run;
	if (w->queued)
		return;
	w->queued = true;
	list_append(&work_list, &w->node);
}

void loop_defer_cancel(struct loop_work *w)
{
	if (!w->queued)
		return;
	w->queued = false;
	list_remove(&w->node);
}

/* ---- signals ---- */

static void on_signal(struct ev_loop *l, struct ev_signal *w, int revents)
{
	struct loop_signal *s = w->data;

	(void)l, (void)revents;
	s->fire(s);
}

int loop_signal_start(struct loop_signal *s, int signum, void (*fire)(struct loop_signal *))
{
	struct ev_signal *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	s->fire = fire;
	s->ev = w;
	ev_signal_init(w, on_signal, signum);
	w->data = s;
	ev_signal_start(ev, w);
	return 0;
}

void loop_signal_stop(struct loop_signal *s)
{
	if (!s->ev)
		return;
	ev_signal_stop(ev, s->ev);
	free(s->ev);
	s->ev = NULL;
}
