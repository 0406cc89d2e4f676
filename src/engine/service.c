/* See service.h. */
#include "engine/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/common.h"
#include "engine/worker.h"
#include "loop/loop.h"
#include "sys/detach.h"
#include "sys/notify.h"
#include "sys/pid_file.h"
#include "sys/user.h"

#define PLUGIN_USER "gatun-plugin"
#define ADD_USER "sudo useradd --system --no-create-home --shell /usr/sbin/nologin"
#define READY_LINE "ready\n"

static const struct config *config; /* NULL: no service */
static struct detach detach = { .ready = -1 };
static struct pid_file pid_file = { .dir = -1, .fd = -1 };
static struct loop_timer watchdog;

static bool is_service(void)
{
	return config && !worker_is();
}

/* ---- the beginning ---- */

/* Nothing that we start shall have it, or who waits for its end waits for them too. */
static int check_ready_fd(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0 && fd > STDERR_FILENO)
		return fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
	if (flags >= 0)
		return 0;
	log_error("--ready-fd %d is no open descriptor of this process; in a shell: gatun ... --ready-fd 3 3>FILE", fd);
	return -EBADF;
}

static int check_pid_file(const char *path)
{
	pid_t owner = sys_pid_file_owner(path);

	if (!owner)
		return 0;
	log_error("%s names process %d, which is a gatun that runs", path, (int)owner);
	return -EEXIST;
}

static int become_user(const char *name, const char *why)
{
	struct sys_user user;
	int err = sys_user_find(name, &user);

	if (err) {
		log_error("%sthere is no user \"%s\"; make it with: " ADD_USER " %s", why, name, name);
		return err;
	}
	err = sys_user_become(&user);
	if (err)
		log_error("cannot become the user \"%s\" err=%s%s", name, err_name(err), err == -EPERM ? "; only root can" : "");
	return err;
}

static const char *plugin_user(const struct config *c)
{
	return c->plugin_user ? c->plugin_user : PLUGIN_USER;
}

static int become(const struct config *c, bool gate)
{
	if (c->user)
		return become_user(c->user, "");
	if (gate && engine_has_plugins(c) && geteuid() == 0)
		return become_user(plugin_user(c), "plugins need a user whose packets pass the gate, and ");
	return 0;
}

static int check(const struct config *c)
{
	int err = c->ready_fd ? check_ready_fd((int)c->ready_fd) : 0;

	return err || !c->pid_file ? err : check_pid_file(c->pid_file);
}

static int go_on_in_background(bool *typed, int *exit_code)
{
	int err;

	*typed = !sys_detach(&detach, exit_code, &err);
	if (err)
		log_error("cannot go on in the background err=%s", err_name(err));
	return err;
}

bool service_begin(const struct config *c, bool gate, int *exit_code)
{
	bool typed = false;
	int err;

	if (c->up.print_rules)
		return true; /* that is no service */
	sys_notify_begin();
	err = check(c);
	if (!err && c->up.detach)
		err = go_on_in_background(&typed, exit_code);
	if (typed)
		return false;
	if (!err)
		err = become(c, gate);
	*exit_code = err ? 1 : 0;
	config = err ? NULL : c;
	return !err;
}

/* ---- everything is open ---- */

int service_opened(void)
{
	int err;

	if (!is_service() || !config->pid_file)
		return 0;
	err = sys_pid_file_write(&pid_file, config->pid_file);
	if (err)
		log_error("cannot write --pid-file %s err=%s", config->pid_file, err_name(err));
	return err;
}

static void tell_ready_fd(int fd)
{
	size_t len = strlen(READY_LINE);

	if (write(fd, READY_LINE, len) != (ssize_t)len)
		log_warn("nobody reads --ready-fd err=%s", err_name(-errno));
	close(fd);
}

static void on_watchdog(struct loop_timer *t)
{
	sys_notify("WATCHDOG=1");
	loop_timer_start(t, sys_notify_watchdog_ms(), on_watchdog);
}

void service_ready(const char *what)
{
	if (!is_service())
		return;
	if (config->ready_fd)
		tell_ready_fd((int)config->ready_fd);
	sys_notify("READY=1\nSTATUS=%s", what);
	if (sys_notify_watchdog_ms())
		on_watchdog(&watchdog);
	sys_detach_ready(&detach);
}

/* ---- later ---- */

void service_reloading(void)
{
	struct timespec now;

	if (!is_service())
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sys_notify("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void service_reloaded(void)
{
	if (is_service())
		sys_notify("READY=1");
}

void service_stopping(void)
{
	if (!is_service())
		return;
	sys_notify("STOPPING=1\nSTATUS=ending");
	loop_timer_stop(&watchdog);
}

void service_end(void)
{
	if (!is_service())
		return;
	sys_pid_file_remove(&pid_file);
	config = NULL;
}

/* ---- plugins of `up` ---- */

int service_plugin_uid(const struct config *c, uint32_t *uid, char *err, size_t size)
{
	const char *name = c->user ? c->user : plugin_user(c);
	struct sys_user user;

	*uid = engine_has_plugins(c) ? geteuid() : 0;
	if (!engine_has_plugins(c) || (*uid && !c->up.print_rules))
		return 0;
	/* Rules are printed for who will be started, by anybody. */
	if (sys_user_find(name, &user) < 0 || !user.uid) {
		snprintf(err, size, "plugins need a user whose packets pass the gate, and \"%s\" is none; make one with: " ADD_USER " %s", name,
			 PLUGIN_USER);
		return -ENOENT;
	}
	*uid = user.uid;
	return 0;
}
