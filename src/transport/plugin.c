/*
 * The life of a plugin; see plugin.h.
 *
 *	            ┌──── it listens ──► READY ── it ends ──┐
 *	STARTING ───┤                                       ├──► DOWN ── pause ──► STARTING
 *	            └──── it ends, or does not listen ──────┘
 *	                  within 3 s: it is killed
 *
 * The pause doubles from 100 ms to 10 s and is 100 ms again after a life of 10 s.
 * A freed plugin is in none of the states: it got SIGTERM, and what is left of it
 * goes when its process does, or by SIGKILL. Its whole process group does.
 *
 * Whether it listens is looked up every 20 ms: no event tells of what another
 * process binds.
 */
#include "transport/plugin.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "proto/sip003.h"
#include "sys/child.h"
#include "sys/listening.h"
#include "transport/plugin_output.h"

#define READY_MS 3000
#define POLL_MS 20
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define STEADY_MS 10000
#define END_MS 500
#define LOW_PORTS 1024
#define PORT_TRIES 16

struct plugin {
	struct list node; /* in `plugins`, then in `ending` */
	char *name, *options, **argv;
	struct target remote;
	struct addr local, listens; /* listens: where it is seen when it is ready */
	bool tcp, udp;
	enum plugin_state state;
	struct sys_child child;
	struct plugin_output output;
	struct loop_watch exit_watch, output_watch;
	struct loop_timer timer; /* of the state; when ending, until SIGKILL */
	uint64_t since_ms;	 /* the state began */
	unsigned pause_ms;
	struct list waiters;
	unsigned users;
	uint64_t starts, deaths;
	struct loop_work free_work;
	bool client, ending, optional;
	bool late; /* it was killed because it did not listen */
};

/* One loop per process, and its plugins. */
static struct list plugins = { &plugins, &plugins }, ending = { &ending, &ending };
static bool awaiting, failed; /* plugins_await() is turning the loop; one went down meanwhile */

static void start(struct plugin *);
static void free_parts(struct plugin *);

/* ---- states ---- */

static bool any_starting(void)
{
	list_for_each (it, &plugins)
		if (container_of(it, struct plugin, node)->state == PLUGIN_STARTING)
			return true;
	return false;
}

static void tell_waiters(struct plugin *p)
{
	while (!list_empty(&p->waiters)) {
		struct plugin_waiter *w = container_of(p->waiters.next, struct plugin_waiter, node);

		list_remove(&w->node);
		w->done(w, p->state == PLUGIN_READY);
	}
}

static void set_state(struct plugin *p, enum plugin_state state)
{
	p->state = state;
	p->since_ms = loop_now();
	if (state == PLUGIN_STARTING)
		return;
	tell_waiters(p);
	failed |= state == PLUGIN_DOWN && !p->optional;
	if (awaiting && (failed || !any_starting()))
		loop_stop();
}

static void on_pause_over(struct loop_timer *t)
{
	start(container_of(t, struct plugin, timer));
}

/* From READY or STARTING; the process is gone, or there was none. */
static void go_down(struct plugin *p)
{
	bool steady = p->state == PLUGIN_READY && loop_now() - p->since_ms >= STEADY_MS;

	p->deaths++;
	p->pause_ms = steady || !p->pause_ms ? PAUSE_MIN_MS : p->pause_ms * 2;
	if (p->pause_ms > PAUSE_MAX_MS)
		p->pause_ms = PAUSE_MAX_MS;
	loop_timer_start(&p->timer, p->pause_ms, on_pause_over);
	set_state(p, PLUGIN_DOWN);
}

/* ---- its words ---- */

static void read_output(struct plugin *p)
{
	char bytes[1024];
	ssize_t n;

	while ((n = read(p->child.output, bytes, sizeof(bytes))) > 0)
		plugin_output_take(&p->output, bytes, (size_t)n);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		loop_watch_stop(&p->output_watch);
}

static void on_output(struct loop_watch *w, unsigned events)
{
	(void)events;
	read_output(container_of(w, struct plugin, output_watch));
}

/* ---- its end ---- */

static const char *format_status(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "signal=SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, size, "status=%d", WEXITSTATUS(status));
	return text;
}

static void log_end(struct plugin *p, int status)
{
	struct log_site own = { 0 }; /* of several that end at once each has its line */
	const char *last = plugin_output_end(&p->output), *when = p->state == PLUGIN_READY ? "" : " before it listened";
	char why[32];

	log_at(&own, LOG_LEVEL_ERROR, "plugin %s ended%s %s%s%s%s", p->name, when, format_status(status, why, sizeof(why)),
	       *last ? " last_words=\"" : "", last, *last ? "\"" : "");
}

/* Its process has ended: true, and what is left of its group is gone too. */
static bool reap(struct plugin *p, int *status)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)p->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
		return false;
	sys_child_signal(&p->child, SIGKILL); /* before its number can be another's */
	loop_watch_stop(&p->exit_watch);
	if (p->output_watch.ev)
		read_output(p);
	loop_watch_stop(&p->output_watch);
	return sys_child_reap(&p->child, status);
}

static void run_free(struct loop_work *w)
{
	free_parts(container_of(w, struct plugin, free_work));
}

static void on_child_exit(struct loop_watch *w, unsigned events)
{
	struct plugin *p = container_of(w, struct plugin, exit_watch);
	int status;

	(void)events;
	if (!reap(p, &status))
		return;
	loop_timer_stop(&p->timer);
	if (p->ending) {
		loop_defer(&p->free_work, run_free);
		return;
	}
	if (!p->late)
		log_end(p, status);
	p->late = false;
	go_down(p);
}

/* ---- its start ---- */

static void kill_late(struct plugin *p)
{
	struct log_site own = { 0 };
	char where[ADDR_STRLEN];

	log_at(&own, LOG_LEVEL_ERROR, "plugin %s does not listen on %s after %d s: it is stopped", p->name,
	       addr_format(&p->listens, where), READY_MS / 1000);
	p->late = true;
	sys_child_signal(&p->child, SIGKILL);
}

static bool listens(const struct plugin *p)
{
	return (!p->tcp || sys_listening(&p->listens, false) == 1) && (!p->udp || sys_listening(&p->listens, true) == 1);
}

static void on_poll(struct loop_timer *t)
{
	struct plugin *p = container_of(t, struct plugin, timer);
	struct log_site own = { 0 };
	char local[ADDR_STRLEN], remote[TARGET_STRLEN];

	if (listens(p)) {
		log_at(&own, LOG_LEVEL_INFO, "plugin %s listens on %s pid=%d carries=%s", p->name,
		       p->client ? addr_format(&p->local, local) : target_format(&p->remote, remote),
		       (int)p->child.pid, p->tcp && p->udp ? "tcp,udp" : p->tcp ? "tcp" : "udp");
		set_state(p, PLUGIN_READY);
	} else if (loop_now() - p->since_ms >= READY_MS) {
		kill_late(p);
	} else {
		loop_timer_start(t, POLL_MS, on_poll);
	}
}

static void explain(const struct plugin *p, int err)
{
	struct log_site own = { 0 };
	const char *why = err == -ENOENT	? "there is no such program"
			  : err == -EACCES	? "it is not executable"
			  : err == -EADDRINUSE	? "another program has its port"
						: "the system said no";

	log_at(&own, LOG_LEVEL_ERROR, "cannot start the plugin %s: %s err=%s", p->name, why, err_name(err));
}

static int run_program(struct plugin *p)
{
	char path[PATH_MAX];
	struct sip003_way way = { &p->remote, &p->local, p->options };
	struct sip003_env env = { 0 };
	struct sys_child_options o = {
		.path = path,
		.argv = p->argv,
		.bind_low = !p->client && p->listens.port < LOW_PORTS,
	};
	int err = sys_child_find(p->name, path, sizeof(path));

	if (!err)
		err = sip003_env_make(&env, &way, environ);
	o.env = env.vars;
	if (!err)
		err = sys_child_start(&o, &p->child);
	sip003_env_free(&env);
	return err;
}

/* Who holds the port already would be taken for the plugin. */
static bool is_taken(const struct plugin *p)
{
	return (p->tcp && sys_listening(&p->listens, false) == 1) || (p->udp && sys_listening(&p->listens, true) == 1);
}

static int try_start(struct plugin *p)
{
	int err;

	if (is_taken(p))
		return -EADDRINUSE;
	plugin_output_begin(&p->output);
	err = run_program(p);
	if (err)
		return err;
	p->starts++;
	err = loop_watch_start(&p->exit_watch, p->child.pidfd, LOOP_READ, on_child_exit);
	if (!err)
		err = loop_watch_start(&p->output_watch, p->child.output, LOOP_READ, on_output);
	if (!err)
		loop_timer_start(&p->timer, POLL_MS, on_poll);
	return err;
}

static void start(struct plugin *p)
{
	int err;

	set_state(p, PLUGIN_STARTING);
	err = try_start(p);
	if (err == -EADDRINUSE && !list_empty(&ending)) { /* by one of ours that is about to end */
		loop_timer_start(&p->timer, POLL_MS, on_pause_over);
	} else if (err) {
		explain(p, err);
		go_down(p);
	}
}

/* ---- making and freeing ---- */

static bool is_used(uint16_t port)
{
	list_for_each (it, &plugins)
		if (container_of(it, struct plugin, node)->local.port == port)
			return true;
	return false;
}

/* Binds and lets go: a port of `a`, or of the system's choice, that is free. */
static int try_port(struct addr *a, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	int fd = socket(a->family, type | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0 || getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		err = -errno;
	else
		*a = addr_from_sockaddr((struct sockaddr *)&ss);
	if (fd >= 0)
		close(fd);
	return err;
}

int plugin_take_port(struct addr *local)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	int err = -EADDRINUSE;

	for (int i = 0; i < PORT_TRIES && err; i++) {
		*local = addr_v4(&loopback, 0);
		err = try_port(local, SOCK_STREAM);
		if (!err)
			err = is_used(local->port) ? -EADDRINUSE : try_port(local, SOCK_DGRAM);
	}
	return err;
}

static bool copy_words(struct plugin *p, const struct plugin_options *o)
{
	size_t n_args = 0;

	p->name = strdup(o->name);
	p->options = o->options ? strdup(o->options) : NULL;
	while (o->args && o->args[n_args])
		n_args++;
	p->argv = calloc(n_args + 2, sizeof(*p->argv));
	if (!p->name || (o->options && !p->options) || !p->argv)
		return false;
	p->argv[0] = strdup(o->name);
	for (size_t i = 0; i < n_args; i++)
		p->argv[i + 1] = strdup(o->args[i]);
	for (size_t i = 0; i <= n_args; i++)
		if (!p->argv[i])
			return false;
	return true;
}

static void wipe_free(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

static void free_parts(struct plugin *p)
{
	list_remove(&p->node);
	wipe_free(p->options);
	for (int i = 0; p->argv && p->argv[i]; i++)
		wipe_free(p->argv[i]);
	free(p->argv);
	free(p->name);
	free(p);
}

static int prepare(struct plugin *p, const struct plugin_options *o)
{
	int err = 0;

	if (!copy_words(p, o))
		return -ENOMEM;
	p->output = (struct plugin_output){ .name = p->name, .options = p->options };
	p->remote = o->remote;
	p->local = o->local;
	p->tcp = o->tcp;
	p->udp = o->udp;
	p->optional = o->optional;
	p->client = !o->local.family;
	if (p->client)
		err = plugin_take_port(&p->local);
	p->listens = p->client ? p->local : p->remote.ip;
	return err;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_args(char *const *ours, const char *const *args)
{
	for (; *ours && args && *args; ours++, args++)
		if (strcmp(*ours, *args) != 0)
			return false;
	return !*ours && (!args || !*args);
}

bool plugin_is(const struct plugin *p, const struct plugin_options *o)
{
	return p->tcp == o->tcp && p->udp == o->udp && same_text(p->name, o->name) && same_text(p->options, o->options) &&
	       same_args(p->argv + 1, o->args) && target_equal(&p->remote, &o->remote);
}

static struct plugin *find_same(const struct plugin_options *o)
{
	list_for_each (it, &plugins) {
		struct plugin *p = container_of(it, struct plugin, node);

		if (p->client && !o->local.family && plugin_is(p, o))
			return p;
	}
	return NULL;
}

struct plugin *plugin_new(const struct plugin_options *o)
{
	struct plugin *p = find_same(o);

	if (p) {
		p->users++;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->users = 1;
	list_init(&p->node);
	list_init(&p->waiters);
	if (prepare(p, o) != 0) {
		free_parts(p);
		return NULL;
	}
	list_append(&plugins, &p->node);
	start(p);
	return p;
}

static void on_end_late(struct loop_timer *t)
{
	sys_child_signal(&container_of(t, struct plugin, timer)->child, SIGKILL);
}

void plugin_free(struct plugin *p)
{
	if (--p->users)
		return;
	p->ending = true;
	loop_timer_stop(&p->timer);
	list_remove(&p->node);
	list_append(&ending, &p->node);
	p->since_ms = clock_ms();
	if (p->child.pid > 0) {
		sys_child_signal(&p->child, SIGTERM);
		loop_timer_start(&p->timer, END_MS, on_end_late);
	} else {
		loop_defer(&p->free_work, run_free);
	}
	if (awaiting && !any_starting())
		loop_stop();
}

static void end_now(struct plugin *p)
{
	uint64_t late = p->since_ms + END_MS, now = clock_ms();
	int status;

	loop_timer_stop(&p->timer);
	loop_defer_cancel(&p->free_work);
	if (p->child.pid > 0) {
		sys_child_wait(&p->child, late > now ? (int)(late - now) : 0);
		if (!reap(p, &status)) {
			sys_child_signal(&p->child, SIGKILL);
			sys_child_wait(&p->child, -1);
			reap(p, &status);
		}
	}
	free_parts(p);
}

void plugins_end(void)
{
	while (!list_empty(&ending))
		end_now(container_of(ending.next, struct plugin, node));
}

/* ---- for those who use it ---- */

bool plugins_view(int i, struct plugin_view *out)
{
	list_for_each (it, &plugins) {
		const struct plugin *p = container_of(it, struct plugin, node);

		if (i-- > 0)
			continue;
		*out = (struct plugin_view){ p->name, &p->remote, p->state, p->starts, p->deaths };
		return true;
	}
	return false;
}

enum plugin_state plugin_state(const struct plugin *p)
{
	return p->state;
}

const struct addr *plugin_local(const struct plugin *p)
{
	return &p->local;
}

bool plugin_carries_tcp(const struct plugin *p)
{
	return p->tcp;
}

bool plugin_carries_udp(const struct plugin *p)
{
	return p->udp;
}

void plugin_wait(struct plugin *p, struct plugin_waiter *w, void (*done)(struct plugin_waiter *, bool ready))
{
	w->done = done;
	list_init(&w->node);
	list_append(&p->waiters, &w->node);
}

void plugin_wait_cancel(struct plugin_waiter *w)
{
	if (w->node.next)
		list_remove(&w->node);
}

/* The program ends for the one that failed: it is not tried again meanwhile. */
static void give_up(void)
{
	list_for_each (it, &plugins) {
		struct plugin *p = container_of(it, struct plugin, node);

		if (p->state == PLUGIN_DOWN)
			loop_timer_stop(&p->timer);
	}
}

int plugins_await(void)
{
	failed = false;
	list_for_each (it, &plugins) {
		const struct plugin *p = container_of(it, struct plugin, node);

		failed |= p->state == PLUGIN_DOWN && !p->optional;
	}
	awaiting = !failed && any_starting();
	if (awaiting)
		loop_run();
	awaiting = false;
	if (failed)
		give_up();
	return failed ? -ECHILD : any_starting() ? -EINTR : 0;
}
