/* Tests that change what a process is (capabilities, limits, namespaces) run in a
 * child, which ends with 0, with 77 where it cannot run here, or with a number of
 * its own for what went wrong. */
#ifndef GATUN_TESTS_IN_CHILD_H
#define GATUN_TESTS_IN_CHILD_H

#include <sys/wait.h>
#include <unistd.h>

static inline int run(void (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline void passes(void (*child)(void))
{
	int code = run(child);

	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

#endif
