/*
 * include/gatun.h: a client on a TUN that somebody else owns. The same client
 * as `run`'s; only the beginning (config text, borrowed descriptor) and the end
 * (gatun_stop) differ.
 */
#include "gatun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "client/client.h"
#include "conf/load.h"
#include "engine/common.h"
#include "flow/counters.h"
#include "loop/loop.h"

/* gatun_stop() may come from a signal handler, so all it does is one write; and from another
 * thread, late, so what it writes to is made once and never closed: the number is no other file's. */
static atomic_int stop_fd = -1;
static atomic_bool running;

static void say(char *why, size_t size, const char *what, int err)
{
	if (size)
		snprintf(why, size, "%s: %s", what, err_name(err));
}

/* The problems of a config, a line each, as far as they fit. */
static void say_problems(const struct loading *l, char *why, size_t size)
{
	FILE *f = size ? fmemopen(why, size, "w") : NULL;

	if (!f)
		return;
	problems_print((struct problems *)(uintptr_t)&l->problems, PROBLEM_ERROR, f);
	fclose(f);
	why[size - 1] = 0;
}

static int load(struct config *config, const char *text, char *why, size_t size)
{
	struct loading l;
	bool good;

	load_begin(&l, config);
	good = load_text(&l, "config", text, strlen(text));
	good = load_finish(&l, FOR_RUN) && good;
	if (!good)
		say_problems(&l, why, size);
	if (good && !config->n_servers) {
		good = false;
		snprintf(why, size, "no server is given: \"online_config\" alone is for the program");
	}
	load_end(&l);
	return good ? 0 : -EINVAL;
}

static void on_stop(struct loop_watch *w, unsigned events)
{
	(void)w, (void)events;
	loop_stop();
}

static int drive(const struct config *config, int fd, char *why, size_t size)
{
	struct near_options near = { .kind = NEAR_TUN, .tun_fd = fd, .mtu = config->mtu };
	struct loop_watch watch = { 0 };
	struct client *client;
	int err = engine_start(config);

	if (err) {
		say(why, size, "cannot start", err);
		return err;
	}
	client = client_open(config, &near, &err);
	if (!client)
		close(fd);
	else if (!(err = loop_watch_start(&watch, atomic_load(&stop_fd), LOOP_READ, on_stop)))
		loop_run();
	if (err)
		say(why, size, "cannot drive the device", err);
	loop_watch_stop(&watch);
	if (client)
		client_close(client);
	engine_end();
	return err;
}

static int take_and_drive(int tun_fd, const struct config *config, char *why, size_t size)
{
	int fd = fcntl(tun_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0) {
		say(why, size, "cannot use the descriptor", -errno);
		return -errno;
	}
	flow_counters_reset();
	return drive(config, fd, why, size);
}

/* What gatun_stop() writes to, or -errno. */
static int stop_event(void)
{
	int fd = atomic_load(&stop_fd), none = -1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (atomic_compare_exchange_strong(&stop_fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

static void end_running(void)
{
	eventfd_t asked;

	atomic_store(&running, false);
	eventfd_read(atomic_load(&stop_fd), &asked);
}

int gatun_run(int tun_fd, int mtu, const char *text, char *why, size_t size)
{
	struct config config;
	int err = stop_event();

	if (size)
		why[0] = 0;
	if (err >= 0 && atomic_exchange(&running, true))
		err = -EBUSY;
	if (err < 0) {
		say(why, size, "cannot start", err);
		return err;
	}
	err = load(&config, text, why, size);
	config.mtu = mtu;
	if (!err)
		err = take_and_drive(tun_fd, &config, why, size);
	config_free(&config);
	end_running();
	return err;
}

void gatun_stop(void)
{
	/* Full means asked for already. */
	if (atomic_load(&running) && eventfd_write(atomic_load(&stop_fd), 1) < 0)
		return;
}

void gatun_get_stats(struct gatun_stats *s)
{
	const struct flow_counters *f = &flow_counters;

	*s = (struct gatun_stats){
		.tcp_active = f->tcp.flows_active,
		.tcp_opened = f->tcp.flows_opened,
		.tcp_bytes_up = f->tcp.bytes_up,
		.tcp_bytes_down = f->tcp.bytes_down,
		.udp_active = f->udp.sessions_active,
		.udp_opened = f->udp.sessions_opened,
		.udp_bytes_up = f->udp.bytes_up,
		.udp_bytes_down = f->udp.bytes_down,
	};
}
