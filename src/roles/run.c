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
#include "inbound/icmp.h"
#include "loop/loop.h"
#include "roles/life.h"
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

static int open_client(struct run *r, const struct config *config)
{
	const struct sandbox *box = r->sandbox;
	struct near_options near = { .kind = NEAR_TUN, .tun_fd = box->tun_fd, .features = box->features, .mtu = config->mtu, .follow = true };
	struct sandbox_options addresses = { 0 };
	int err;

	r->client = client_open(config, &near, &err);
	if (!r->client)
		return err;
	sandbox_default_addresses(&addresses);
	icmp_own_address(&addresses.gateway4);
	icmp_own_address(&addresses.gateway6);
	return watch_child(r);
}

static int begin(void *owner, const struct config *config)
{
	int err = open_client(owner, config);

	if (err && err != -ECANCELED) /* of inbounds all has been said */
		log_error("the engine cannot start err=%s", err_name(err));
	return err;
}

/* The sandbox may start its command: its only way out stands. */
static int let_go(void *owner)
{
	struct run *r = owner;
	int err = write(r->sandbox->go_fd, "", 1) == 1 ? 0 : -errno;

	if (err)
		log_error("the sandbox does not hear us err=%s", err_name(err));
	return err;
}

static void *core(void *owner)
{
	return ((struct run *)owner)->client;
}

static void finish(void *owner)
{
	struct run *r = owner;

	loop_timer_stop(&r->last_words);
	loop_watch_stop(&r->child_watch);
	if (r->child_fd >= 0)
		close(r->child_fd);
	if (r->client)
		client_close(r->client);
}

int role_run(const struct config *config, const struct sandbox *sandbox)
{
	static const struct life life = { .mode = "run", .open = begin, .stands = let_go, .steps = &client_steps, .core = core, .close = finish };
	struct run r = { .sandbox = sandbox, .child_fd = -1, .exit_code = 125 };

	return life_run(&life, &r, config) ? 125 : r.exit_code;
}
