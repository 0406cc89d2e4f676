/*
 * Three resolvectl commands, one after another; see up_resolved.h. They are helper programs,
 * so that a bus that hangs holds up nobody: one that takes longer than LIMIT_MS is
 * killed. What goes wrong is said once, with the commands.
 */
#include "roles/up_resolved.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "sys/child.h"

#define RESOLVED "/run/systemd/resolve"
#define BUS "/run/dbus/system_bus_socket"
#define LIMIT_MS 10000
#define STEPS 3

static struct {
	char program[4096], device[IFNAMSIZ], server[INET6_ADDRSTRLEN];
	struct sys_child child;
	struct loop_watch ended;
	struct loop_timer limit;
	int step; /* STEPS: nothing is under way */
} resolved = { .step = STEPS };

static void start_step(void);

static void give_up(const char *why)
{
	resolved.step = STEPS;
	log_warn("systemd-resolved could not be told of %s (%s); by hand: resolvectl dns %s %s; resolvectl domain %s '~.'", resolved.device, why,
		 resolved.device, resolved.server, resolved.device);
}

static void on_limit(struct loop_timer *t)
{
	(void)t;
	sys_child_signal(&resolved.child, SIGKILL);
}

static void on_ended(struct loop_watch *w, unsigned events)
{
	int status;

	(void)events;
	loop_watch_stop(w);
	if (!sys_child_reap(&resolved.child, &status)) {
		loop_watch_start(w, resolved.child.pidfd, LOOP_READ, on_ended);
		return;
	}
	loop_timer_stop(&resolved.limit);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		give_up(WIFSIGNALED(status) ? "it did not answer" : "it refused");
		return;
	}
	if (++resolved.step < STEPS)
		start_step();
	else
		log_info("systemd-resolved asks by %s for every name", resolved.device);
}

static void start_step(void)
{
	char *commands[STEPS][5] = {
		{ "resolvectl", "dns", resolved.device, resolved.server, NULL },
		{ "resolvectl", "domain", resolved.device, "~.", NULL },
		{ "resolvectl", "default-route", resolved.device, "yes", NULL },
	};
	char *env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	struct sys_child_options o = { .path = resolved.program, .argv = commands[resolved.step], .env = env };
	int err = sys_child_start(&o, &resolved.child);

	if (!err)
		err = loop_watch_start(&resolved.ended, resolved.child.pidfd, LOOP_READ, on_ended);
	if (err)
		give_up(err_name(-err));
	else
		loop_timer_start(&resolved.limit, LIMIT_MS, on_limit);
}

void up_resolved_begin(const char *device, const struct addr *server)
{
	if (access(RESOLVED, F_OK) != 0 || access(BUS, F_OK) != 0)
		return;
	if (sys_child_find("resolvectl", resolved.program, sizeof(resolved.program)) != 0)
		return;
	snprintf(resolved.device, sizeof(resolved.device), "%s", device);
	inet_ntop(server->family, server->ip.bytes, resolved.server, sizeof(resolved.server));
	resolved.step = 0;
	start_step();
}

void up_resolved_end(void)
{
	int status;

	if (resolved.step == STEPS)
		return;
	loop_watch_stop(&resolved.ended);
	loop_timer_stop(&resolved.limit);
	sys_child_signal(&resolved.child, SIGKILL);
	sys_child_wait(&resolved.child, -1);
	sys_child_reap(&resolved.child, &status);
	resolved.step = STEPS;
}
