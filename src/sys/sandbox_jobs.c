/*
 * Signals and job control between the user's shell, gatun and the command.
 *
 * The command stays in gatun's process group, because that is what the shell
 * put it in: `gatun run -- a | less` must be one job. So the terminal's
 * signals reach the command by themselves (si_code SI_KERNEL), and only what
 * somebody sent to gatun alone is passed on, through init, which knows the
 * command. A kill of the whole group cannot be told from one of gatun alone;
 * then the command gets its signal twice, which for these signals is once.
 *
 * Stopping: Ctrl-Z stops gatun as it stops the command, by default action, so
 * that the shell sees its job stop. A command that stops itself (SIGSTOP) is
 * reported by init through the control socket, which raises SIGIO here, and
 * gatun stops too. Both stop by SIGTSTP's default action, which the kernel
 * refuses to a process group without a shell to continue it.
 *
 * All of this runs in signal handlers, with the signals concerned masked, and
 * calls nothing but system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sandbox_parts.h"

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH };

/* Handlers have no argument of ours. */
static struct {
	pid_t init;
	int control;
	struct sigaction on_tstp;
} job;

static void pass_on(int sig)
{
	union sigval value = { .sival_int = SANDBOX_SIGNAL };

	sigqueue(job.init, sig, value);
}

/* Stops as if SIGTSTP had never been handled; returns when continued. */
static void stop_self(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t only, before;

	sigaction(SIGTSTP, &dfl, NULL);
	kill(getpid(), SIGTSTP);
	sigemptyset(&only);
	sigaddset(&only, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &only, &before); /* here it takes effect */
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(SIGTSTP, &job.on_tstp, NULL);
}

/* True if init reported a stop since the last look. */
static bool take_stop(void)
{
	bool stopped = false;
	char message;

	while (recv(job.control, &message, 1, MSG_DONTWAIT) == 1)
		stopped |= message == SANDBOX_STOPPED;
	return stopped;
}

static void on_passed(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (info->si_code != SI_KERNEL)
		pass_on(sig);
	errno = saved;
}

static void on_tstp(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (info->si_code != SI_KERNEL)
		pass_on(sig);
	stop_self();
	errno = saved;
}

static void on_cont(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)info;
	(void)context;
	take_stop(); /* of the stop that has just ended */
	pass_on(sig);
	errno = saved;
}

static void on_io(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)sig;
	(void)info;
	(void)context;
	if (take_stop())
		stop_self();
	errno = saved;
}

static void handle(const struct inherit *inherited, int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };

	if (sigismember(&inherited->ignored, sig) == 1)
		return;
	sigfillset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
	if (sig == SIGTSTP)
		job.on_tstp = sa;
}

void sandbox_forward_signals(const struct sandbox *s, const struct inherit *inherited)
{
	job.init = s->child;
	job.control = s->go_fd;
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		handle(inherited, passed_on[i], on_passed);
	handle(inherited, SIGTSTP, on_tstp);
	handle(inherited, SIGCONT, on_cont);
	handle(inherited, SIGIO, on_io);
	fcntl(s->go_fd, F_SETOWN, getpid());
	fcntl(s->go_fd, F_SETFL, fcntl(s->go_fd, F_GETFL) | O_ASYNC);
}

void sandbox_restore_terminal(const struct inherit *inherited)
{
	int tty = inherited->foreground ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	pid_t group = tty < 0 ? -1 : tcgetpgrp(tty);
	sigset_t ttou, before;

	/* A group that still has members got the terminal from the shell: theirs. */
	if (group > 0 && group != getpgrp() && kill(-group, 0) < 0 && errno == ESRCH) {
		sigemptyset(&ttou);
		sigaddset(&ttou, SIGTTOU);
		sigprocmask(SIG_BLOCK, &ttou, &before);
		tcsetpgrp(tty, getpgrp());
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	if (tty >= 0)
		close(tty);
}
