/*
 * `run`: a client on the TUN of a sandbox, for as long as the sandbox's child
 * lives.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "client/client.h"
#include "engine/common.h"
#include "engine/reload.h"
#include "engine/status.h"
#include "inbound/icmp.h"
#include "loop/loop.h"
#include "roles/roles.h"

/* After the command's end: how long its kernel may take to hand over what was
 * written before, as it would without us; and how often that is looked at. */
#define LAST_WORDS_MS 5000
#define LOOK_MS 1

struct run {
	const struct sandbox *sandbox;
	struct client *client;
	struct loop_watch child_watch;
	struct loop_timer last_words;
	uint64_t ended_ms;
	int child_fd;
	int exit_code;
};

static void on_last_words(struct loop_timer *t)
{
	struct run *r = container_of(t, struct run, last_words);

	if (client_has_last_words(r->client) && loop_now() - r->ended_ms < LAST_WORDS_MS)
		loop_timer_start(t, LOOK_MS, on_last_words);
	else
		loop_stop();
}

static void on_child(struct loop_watch *w, unsigned events)
{
	struct run *r = container_of(w, struct run, child_watch);
	int status;

	(void)events;
	if (waitpid(r->sandbox->child, &status, WNOHANG) <= 0)
		return;
	r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	loop_watch_stop(w);
	r->ended_ms = loop_now();
	client_has_last_words(r->client); /* what was heard so far is no news */
	loop_timer_start(&r->last_words, LOOK_MS, on_last_words);
}

static int watch_child(struct run *r)
{
	r->child_fd = (int)syscall(SYS_pidfd_open, r->sandbox->child, 0);
	if (r->child_fd < 0)
		return -errno;
	return loop_watch_start(&r->child_watch, r->child_fd, LOOP_READ, on_child);
}

/* The sandbox may start its command: its only way out stands. */
static int let_go(const struct run *r)
{
	return write(r->sandbox->go_fd, "", 1) == 1 ? 0 : -errno;
}


static int begin(struct run *r, const struct config *config)
{
	struct sandbox_options addresses = { 0 };
	int err = watch_child(r);

	sandbox_default_addresses(&addresses);
	icmp_own_address(&addresses.gateway4);
	icmp_own_address(&addresses.gateway6);
	if (!err)
		err = engine_drop_privileges(config);
	if (!err)
		err = engine_await_plugins();
	return err ? err : let_go(r);
}

static int update(void *owner, const struct config *fresh)
{
	struct run *r = owner;

	return client_update(r->client, fresh);
}

static void finish(struct run *r)
{
	loop_timer_stop(&r->last_words);
	loop_watch_stop(&r->child_watch);
	if (r->child_fd >= 0)
		close(r->child_fd);
}

int role_run(const struct config *config, const struct sandbox *sandbox)
{
	struct run r = { .sandbox = sandbox, .child_fd = -1, .exit_code = 125 };
	struct near_options near = { .kind = NEAR_TUN, .tun_fd = sandbox->tun_fd, .features = sandbox->features, .mtu = config->mtu, .follow = true };
	int err;

	if (engine_start(config) < 0)
		return 125;
	engine_status_set_mode("run");
	r.client = client_open(config, &near, &err);
	if (r.client)
		err = begin(&r, config);
	if (err && err != -ECHILD && err != -ECANCELED) /* of a plugin, and of inbounds, all has been said */
		log_error("the engine cannot start err=%s", err_name(err));
	if (!err) {
		reload_begin(config, update, &r, false); /* SIGHUP is the command's */
		engine_loop();
	}
	finish(&r);
	if (r.client)
		client_close(r.client);
	reload_end();
	if (!err)
		engine_log_summary();
	engine_end();
	return err ? 125 : r.exit_code;
}
