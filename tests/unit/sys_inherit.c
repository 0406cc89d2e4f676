/* What the command gets from gatun's caller, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sys/inherit.h"
#include "sys/nofile.h"
#include "sys/secrets.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool listed(const struct inherit *in, int fd)
{
	for (size_t i = 0; i < in->n_fds; i++)
		if (in->fds[i] == fd)
			return true;
	return false;
}

static void lists_what_exec_lets_through(void **state)
{
	int kept = open("/dev/null", O_RDONLY), ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct inherit in;

	(void)state;
	assert_int_equal(sys_inherit_take(&in), 0);
	assert_true(listed(&in, kept));
	assert_false(listed(&in, ours));
	assert_false(listed(&in, STDERR_FILENO));
	sys_inherit_free(&in);
	close(kept);
	close(ours);
}

static void closes_ways_past_the_tunnel(void **state)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	int netlink = socket(AF_NETLINK, SOCK_RAW, 0), file = open("/dev/null", O_RDWR);
	int local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct inherit in;
	char text[256];

	(void)state;
	assert_int_equal(sys_inherit_take(&in), 0);
	assert_true(sys_inherit_close_network(&in, text, sizeof(text)) >= 3);
	assert_false(is_open(tcp) || is_open(udp) || is_open(netlink));
	assert_false(listed(&in, tcp));
	assert_true(is_open(local) && is_open(file));
	assert_non_null(strstr(text, "(IPv4 TCP)"));
	assert_non_null(strstr(text, "(IPv4 UDP)"));
	assert_non_null(strstr(text, "(netlink)"));
	assert_int_equal(sys_inherit_close_network(&in, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	sys_inherit_free(&in);
	close(local);
	close(file);
}

static void cuts_its_text(void **state)
{
	int fds[20];
	char text[24];
	struct inherit in;

	(void)state;
	for (int i = 0; i < 20; i++)
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(sys_inherit_take(&in), 0);
	assert_true(sys_inherit_close_network(&in, text, sizeof(text)) >= 20);
	assert_true(strlen(text) < sizeof(text));
	for (int i = 0; i < 20; i++)
		assert_false(is_open(fds[i]));
	sys_inherit_free(&in);
}

/* Runs in a child, because limits and dispositions are the process's. */
static void child_restores(void)
{
	struct rlimit core = { 4096, 8192 }, now;
	struct sigaction sa;
	sigset_t mask;
	struct inherit in;

	setrlimit(RLIMIT_CORE, &core);
	signal(SIGUSR1, SIG_IGN);
	if (sys_inherit_take(&in) || sys_secrets_protect())
		_exit(1);
	if (prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &now) < 0 || now.rlim_cur != 0)
		_exit(2);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sys_nofile_raise(0);
	sys_inherit_restore(&in);
	if (getrlimit(RLIMIT_CORE, &now) < 0 || now.rlim_cur != 4096 || now.rlim_max != 8192)
		_exit(3);
	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur != in.nofile.rlim_cur)
		_exit(4);
	if (sigaction(SIGPIPE, NULL, &sa) < 0 || sa.sa_handler != SIG_DFL)
		_exit(5);
	if (sigaction(SIGUSR1, NULL, &sa) < 0 || sa.sa_handler != SIG_IGN)
		_exit(6);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	_exit(sigismember(&mask, SIGTERM) ? 7 : 0);
}

static void restores_limits_and_signals(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		child_restores();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void child_without_stdin(void)
{
	struct inherit in;

	close(STDIN_FILENO);
	if (sys_inherit_take(&in))
		_exit(1);
	/* Taken by /dev/null here, and closed again at the command's exec. */
	_exit(fcntl(STDIN_FILENO, F_GETFD) == FD_CLOEXEC ? 0 : 2);
}

static void fills_missing_stdio(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		child_without_stdin();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_what_exec_lets_through),
		cmocka_unit_test(closes_ways_past_the_tunnel),
		cmocka_unit_test(cuts_its_text),
		cmocka_unit_test(restores_limits_and_signals),
		cmocka_unit_test(fills_missing_stdio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
