/*
 * The supervisor.
 *
 *	          ┌─ words, answers ── worker 0 ─┐
 *	supervisor┼─ words, answers ── worker 1 ─┼─ the same ports (SO_REUSEPORT)
 *	          └─ words, answers ── worker N ─┘
 *
 * It forks the workers, keeps a copy of every descriptor they listen on, starts
 * one again that died, serves the control socket, and sums up. It carries no
 * traffic and knows no protocol.
 *
 *	idle ──fork──► starting ──WORKER_READY──► ready
 *	  ▲                │                        │
 *	  └──── backoff ───┴────── it ended ────────┘
 *
 * Invariants:
 * - Workers begin one after another until each has been ready once, the first
 *   before all others: it finds out whether the ports are free, and says what is
 *   wrong. One that ends before it was ever ready ends the program.
 * - Rights are dropped by a worker when it is ready, and by the supervisor when
 *   all are; who is started again needs none, since its sockets are kept.
 * - A worker that dies takes its own flows along and nothing else. The queue
 *   behind its port is kept, so who waits there is served by its next life.
 * - A worker whose supervisor dies is killed by the kernel (PR_SET_PDEATHSIG).
 * - A child keeps nothing of the supervisor's: not its loop, not its control
 *   socket, not the descriptors of other workers.
 */
#include "supervisor/workers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/common.h"
#include "engine/engine.h"
#include "engine/fake_names.h"
#include "engine/reload.h"
#include "engine/service.h"
#include "engine/status.h"
#include "engine/worker.h"
#include "engine/worker_words.h"
#include "loop/loop.h"
#include "server/manager.h"
#include "supervisor/worker_sum.h"
#include "supervisor/workers_impl.h"
#include "sys/fds.h"
#include "sys/nofile.h"

#define WORKERS_MAX 64
#define STEADY_MS 10000	 /* who lived that long is started again at once */
#define BACKOFF_MS 250
#define BACKOFF_MAX_MS 30000
#define STOP_MS 5000	 /* how long a worker may take to end */

static struct supervisor *self; /* one per process: signals and timers have no owner */

static void start(struct slot *s);
static void stop_all(void);

/* ---- in the child ---- */

static void stop_signals(void)
{
	loop_signal_stop(&self->term);
	loop_signal_stop(&self->interrupt);
	loop_signal_stop(&self->hangup);
	loop_signal_stop(&self->child);
}

/* Closes what is the supervisor's own; 0 or -errno. */
static int keep_own_descriptors(const struct worker_life *life)
{
	const struct keeper *k = life->keeper;
	const struct workers_hooks *hooks = self->plan->hooks;
	int most = k->n + 3 + SESSION_OWNERS_FDS(self->n) + (hooks ? hooks->fds_max : 0), n, err;
	int *keep = calloc((size_t)most, sizeof(*keep));

	if (!keep)
		return -ENOMEM;
	n = session_owners_fds(self->shared->owners, life->index, keep);
	if (hooks)
		n += hooks->descriptors(life->index, keep + n);
	keep[n++] = life->words;
	keep[n++] = life->link;
	if (fakeip_descriptor(fake_names_map()) >= 0)
		keep[n++] = fakeip_descriptor(fake_names_map());
	for (int i = 0; i < k->n; i++)
		keep[n++] = k->items[i].fd;
	err = sys_fds_close_but(keep, n);
	free(keep);
	return err;
}

static void unblock_signals(const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
}

_Noreturn static void be_worker(struct worker_life *life, pid_t supervisor, const sigset_t *mask)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(1);
	stop_signals();
	reload_forget();
	manager_forget();
	engine_forget_rights();
	loop_free();
	engine_status_end();
	engine_set_hooks(NULL);
	engine_request_relay(NULL);
	signal(SIGHUP, SIG_IGN); /* the supervisor's: it tells us */
	err = keep_own_descriptors(life);
	unblock_signals(mask);
	if (err) {
		log_error("cannot become a worker err=%s", err_name(err));
		exit(1);
	}
	worker_begin(life);
	exit(self->plan->run(self->config));
}

/* ---- words ---- */

static void say_all_ready(void)
{
	if (self->plan->hooks)
		self->plan->hooks->stands();
	else
		log_info("%d workers serve the same ports", self->n);
}

/* Everything that only we can open, and then no rights that are not needed again. */
static int open_the_rest(void)
{
	const struct workers_hooks *hooks = self->plan->hooks;
	int err = manager_open(&self->config->manager);

	if (!err && hooks)
		err = hooks->ready();
	return err ? err : engine_drop_privileges(self->config);
}

static void start_next(void)
{
	char what[64];

	for (int i = 0; i < self->n; i++) {
		if (self->slots[i].state == SLOT_STARTING)
			return;
		if (self->slots[i].state == SLOT_IDLE) {
			start(&self->slots[i]);
			return;
		}
	}
	self->started = true;
	if (open_the_rest() != 0) {
		self->exit_code = 1;
		stop_all();
		return;
	}
	say_all_ready();
	snprintf(what, sizeof(what), "%d workers serve", self->n);
	service_ready(what);
}

static void on_worker_ready(struct slot *s)
{
	s->state = SLOT_READY;
	workers_brief(self, s);
	if (!self->started)
		start_next();
}

static void on_message(struct slot *s, const struct worker_message *m, int fd)
{
	switch (m->word) {
	case WORKER_LISTENS:
		keeper_put(&s->keeper, m->type, &m->at, fd);
		break;
	case WORKER_LEFT:
		keeper_drop(&s->keeper, m->type, &m->at);
		break;
	case WORKER_READY:
		on_worker_ready(s);
		break;
	case WORKER_USER:
		worker_sum_add_user(self->sum, m->where, m->name, &m->counters);
		break;
	}
}

/* Whatever a worker has said so far. */
void workers_hear(struct slot *s)
{
	struct worker_message m;
	int fd;

	while (s->words >= 0 && worker_words_receive(s->words, &m, &fd) == 1)
		on_message(s, &m, fd);
}

static void on_words(struct loop_watch *w, unsigned events)
{
	struct slot *s = container_of(w, struct slot, words_watch);
	struct worker_message m;
	int fd, rc;

	(void)events;
	while ((rc = worker_words_receive(s->words, &m, &fd)) == 1)
		on_message(s, &m, fd);
	if (rc < 0)
		loop_watch_stop(w); /* SIGCHLD tells the rest */
}

/* ---- lives ---- */

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static int open_pairs(int words[2], int link[2])
{
	words[0] = words[1] = link[0] = link[1] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, words) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) < 0) {
		int err = -errno;
		close_pair(words);
		return err;
	}
	return 0;
}

/* Signals wait meanwhile, so that none is taken for the child by the supervisor's handlers. */
static pid_t fork_worker(struct slot *s, int words, int link)
{
	struct worker_life life = {
		.index = s->index,
		.first = !self->started && s->index == 0,
		.words = words,
		.link = link,
		.keeper = &s->keeper,
		.shared = self->shared,
	};
	pid_t supervisor = getpid(), pid;
	sigset_t all, mask;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	if (pid == 0)
		be_worker(&life, supervisor, &mask);
	unblock_signals(&mask);
	return pid;
}

static void on_again(struct loop_timer *t)
{
	start(container_of(t, struct slot, again));
}

static void try_later(struct slot *s, const char *what, int err)
{
	log_error("cannot start worker %d: %s err=%s", s->index, what, err_name(err));
	loop_timer_start(&s->again, BACKOFF_MAX_MS, on_again);
}

static void start(struct slot *s)
{
	int words[2], link[2], err = open_pairs(words, link);

	if (err) {
		try_later(s, "no descriptors", err);
		return;
	}
	s->pid = fork_worker(s, words[1], link[1]);
	err = s->pid < 0 ? -errno : 0;
	close(words[1]);
	close(link[1]);
	if (err) {
		close(words[0]);
		close(link[0]);
		try_later(s, "no process", err);
		return;
	}
	s->words = words[0];
	s->link = link[0];
	s->state = SLOT_STARTING;
	s->born_ms = loop_now();
	s->config_number = self->config_number;
	s->prepared = false;
	loop_watch_start(&s->words_watch, s->words, LOOP_READ, on_words);
}

/* How long until the next life: nothing after a long one. */
static uint64_t backoff(struct slot *s)
{
	uint64_t ms = BACKOFF_MS;

	if (loop_now() - s->born_ms >= STEADY_MS) {
		s->short_lives = 0;
		return 0;
	}
	for (unsigned i = 0; i < s->short_lives && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	s->short_lives++;
	return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static void say_end(const struct slot *s, int status, uint64_t wait_ms)
{
	struct log_site own = { 0 }; /* a line each */
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed signal=%d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "ended code=%d", WEXITSTATUS(status));
	log_at(&own, LOG_LEVEL_ERROR, "worker %d %s pid=%d: its flows are lost, it begins again in %llu ms", s->index, how, (int)s->pid,
	       (unsigned long long)wait_ms);
}

/* Its last words are read, its numbers are ours now. */
static void bury(struct slot *s)
{
	workers_hear(s);
	loop_watch_stop(&s->words_watch);
	close(s->words);
	close(s->link);
	s->words = s->link = -1;
	worker_sum_take(self->shared, s->index);
	session_owners_bury(self->shared->owners, s->index);
	s->state = SLOT_IDLE;
	s->pid = 0;
}

static int living(void)
{
	int n = 0;

	for (int i = 0; i < self->n; i++)
		n += self->slots[i].pid > 0;
	return n;
}

static void signal_all(int signum)
{
	for (int i = 0; i < self->n; i++)
		if (self->slots[i].pid > 0)
			kill(self->slots[i].pid, signum);
}

static void on_patience_over(struct loop_timer *t)
{
	(void)t;
	log_warn("%d workers did not end within %d s: they are killed", living(), STOP_MS / 1000);
	signal_all(SIGKILL);
}

static void stop_all(void)
{
	if (self->stopping)
		return;
	self->stopping = true;
	service_stopping();
	for (int i = 0; i < self->n; i++)
		loop_timer_stop(&self->slots[i].again);
	signal_all(SIGTERM);
	loop_timer_start(&self->kill_timer, STOP_MS, on_patience_over);
	if (!living())
		loop_stop();
}

static void on_death(struct slot *s, int status)
{
	bool was_ready = s->state == SLOT_READY;
	uint64_t wait_ms;

	if (self->stopping || (!self->started && !was_ready)) {
		bury(s);
		if (!self->stopping)
			self->exit_code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
		stop_all();
		if (!living())
			loop_stop();
		return;
	}
	wait_ms = backoff(s);
	say_end(s, status, wait_ms);
	bury(s);
	if (wait_ms)
		loop_timer_start(&s->again, wait_ms, on_again);
	else
		start(s);
}

static void on_child(struct loop_signal *g)
{
	(void)g;
	for (int i = 0; i < self->n; i++) {
		struct slot *s = &self->slots[i];
		int status;

		if (s->pid > 0 && waitpid(s->pid, &status, WNOHANG) == s->pid)
			on_death(s, status);
	}
}

static void on_stop(struct loop_signal *g)
{
	(void)g;
	stop_all();
}

/* ---- life ---- */

static int open_all(struct supervisor *u)
{
	const struct workers_hooks *hooks = u->plan->hooks;
	int err = hooks ? hooks->begin(u->config, &u->n) : 0;

	if (err)
		return err;
	u->shared = worker_shared_new(u->n);
	u->sum = worker_sum_new();
	u->slots = calloc((size_t)u->n, sizeof(*u->slots));
	if (!u->shared || !u->sum || !u->slots) {
		log_error("out of memory");
		return -ENOMEM;
	}
	for (int i = 0; i < u->n; i++) {
		u->slots[i].index = i;
		u->slots[i].words = u->slots[i].link = -1;
	}
	return 0;
}

static void close_all(struct supervisor *u)
{
	for (int i = 0; u->slots && i < u->n; i++)
		keeper_clear(&u->slots[i].keeper);
	free(u->slots);
	worker_sum_free(u->sum);
	worker_shared_free(u->shared);
	if (u->plan->hooks)
		u->plan->hooks->end();
}

static int supervise(struct supervisor *u)
{
	int err = loop_init();

	if (err) {
		log_error("cannot make an event loop err=%s", err_name(err));
		return err;
	}
	engine_status_begin();
	engine_status_set_mode(u->plan->mode);
	workers_answer_requests(u);
	loop_signal_start(&u->term, SIGTERM, on_stop);
	loop_signal_start(&u->interrupt, SIGINT, on_stop);
	if (u->plan->hooks && !reload_has_source()) /* a terminal is closed: what hangs on us is taken back in order */
		loop_signal_start(&u->hangup, SIGHUP, on_stop);
	loop_signal_start(&u->child, SIGCHLD, on_child);
	start_next();
	engine_loop();
	manager_close();
	loop_timer_stop(&u->kill_timer);
	if (u->plan->hooks)
		u->plan->hooks->end();
	if (!u->exit_code) {
		engine_log_summary();
		worker_sum_log_users(u->sum);
	}
	stop_signals();
	workers_answer_no_more();
	engine_status_end();
	loop_free();
	return 0;
}

int workers_wanted(const struct config *c)
{
	cpu_set_t cpus;
	int n;

	if (c->workers)
		return (int)c->workers;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	n = CPU_COUNT(&cpus);
	return n < WORKERS_MAX ? n : WORKERS_MAX;
}

int workers_run(const struct config *config, const struct workers_plan *plan)
{
	struct supervisor u = { .config = config, .plan = plan, .n = workers_wanted(config) };
	int err;

	self = &u;
	signal(SIGPIPE, SIG_IGN);
	sys_nofile_raise(config->nofile);
	err = open_all(&u);
	if (!err)
		err = supervise(&u);
	close_all(&u);
	self = NULL;
	return err ? 1 : u.exit_code;
}
