/* Helper programs: found where they may be, started clean, and gone when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/child.h"

static char path[256];

static void start(struct sys_child *c, const char *script)
{
	static char sh[] = "sh", dash_c[] = "-c", var[] = "ONLY=this";
	char *const argv[] = { sh, dash_c, (char *)(uintptr_t)script, NULL }, *const env[] = { var, NULL };
	struct sys_child_options o = { .path = "/bin/sh", .argv = argv, .env = env };

	assert_int_equal(sys_child_start(&o, c), 0);
}

/* All that it says until its end. */
static void hear(const struct sys_child *c, char *text, size_t size)
{
	struct pollfd p = { .fd = c->output, .events = POLLIN };
	size_t at = 0;
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = read(c->output, text + at, size - 1 - at);
		assert_true(n >= 0);
		at += (size_t)n;
	} while (n > 0);
	text[at] = 0;
}

static int end_of(struct sys_child *c)
{
	int status = 0;

	sys_child_wait(c, 20000);
	assert_true(sys_child_reap(c, &status));
	assert_int_equal(c->pidfd, -1);
	return status;
}

static void it_is_found_in_path_only(void **state)
{
	char old[4096], dir[] = "/tmp/gatun-child.XXXXXX", file[64], in_path[128];

	(void)state;
	snprintf(old, sizeof(old), "%s", getenv("PATH") ? getenv("PATH") : "");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/helper", dir);
	close(open(file, O_CREAT | O_WRONLY, 0755));
	assert_int_equal(chdir(dir), 0);
	setenv("PATH", "::.:/nonexistent", 1);
	assert_int_equal(sys_child_find("helper", path, sizeof(path)), -ENOENT);
	assert_int_equal(sys_child_find("", path, sizeof(path)), -ENOENT);
	assert_int_equal(sys_child_find("./helper", path, sizeof(path)), 0);
	snprintf(in_path, sizeof(in_path), "/nonexistent::%s", dir);
	setenv("PATH", in_path, 1);
	assert_int_equal(sys_child_find("helper", path, sizeof(path)), 0);
	assert_string_equal(path, file);
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(sys_child_find("helper", path, sizeof(path)), -EACCES);
	assert_int_equal(sys_child_find(file, path, sizeof(path)), -EACCES);
	assert_int_equal(sys_child_find(dir, path, sizeof(path)), -EACCES);
	setenv("PATH", old, 1);
	unlink(file);
	assert_int_equal(chdir("/"), 0);
	rmdir(dir);
}

/* As a parent of ours may have left them: an ordinary signal, and one that glibc keeps for itself. */
static void ignore_some(void)
{
	unsigned long ignore[8] = { 1 /* SIG_IGN */ };

	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR1, ignore, NULL, 8), 0);
	assert_int_equal(syscall(SYS_rt_sigaction, 33, ignore, NULL, 8), 0);
}

static void it_starts_clean_and_says_how_it_ended(void **state)
{
	struct sys_child c;
	char text[1024];
	int leaked = open("/dev/null", O_RDONLY), status; /* not close-on-exec */
	sigset_t blocked, before;

	(void)state;
	ignore_some();
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	start(&c, "echo ONLY=$ONLY HOME=$HOME; grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\t\n'; echo; ls /proc/self/fd | tr '\n' ' ' >&2; exit 7");
	hear(&c, text, sizeof(text));
	/* The fourth descriptor is the listing's own. */
	assert_string_equal(text, "ONLY=this HOME=\nSigBlk:0000000000000000SigIgn:0000000000000000\n0 1 2 3 ");
	status = end_of(&c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(leaked);
}

static void a_signal_reaches_all_that_it_started(void **state)
{
	struct sys_child c;
	char text[64];
	int status;

	(void)state;
	start(&c, "sleep 1000 & echo up; wait");
	while (read(c.output, text, sizeof(text)) <= 0) {
		struct pollfd p = { .fd = c.output, .events = POLLIN };

		assert_int_equal(poll(&p, 1, 20000), 1);
	}
	assert_false(sys_child_reap(&c, &status));
	sys_child_signal(&c, SIGTERM);
	hear(&c, text, sizeof(text)); /* the pipe ends when both are gone */
	status = end_of(&c);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void what_cannot_be_executed_is_an_error(void **state)
{
	char file[] = "/tmp/gatun-child.XXXXXX", none[] = "x";
	char *const argv[] = { none, NULL }, *const env[] = { NULL };
	struct sys_child_options o = { .path = file, .argv = argv, .env = env };
	struct sys_child c;
	int fd = mkstemp(file);

	(void)state;
	assert_int_equal(write(fd, "junk", 4), 4);
	fchmod(fd, 0755);
	close(fd);
	assert_int_equal(sys_child_start(&o, &c), -ENOEXEC);
	unlink(file);
	assert_int_equal(sys_child_start(&o, &c), -ENOENT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_found_in_path_only),
		cmocka_unit_test(it_starts_clean_and_says_how_it_ended),
		cmocka_unit_test(a_signal_reaches_all_that_it_started),
		cmocka_unit_test(what_cannot_be_executed_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
