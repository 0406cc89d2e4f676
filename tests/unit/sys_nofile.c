/* The descriptor limit is raised as far as it goes, and the answer says how far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sys/nofile.h"
#include "in_child.h"

static bool may_pass_hard_limit(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	cap_get_flag(caps, CAP_SYS_RESOURCE, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static void child_raises(void)
{
	struct rlimit low = { 64, 256 }, now;
	bool may_pass = may_pass_hard_limit();

	if (setrlimit(RLIMIT_NOFILE, &low) < 0 || sys_nofile_raise(0) != 256)
		_exit(1);
	if (sys_nofile_raise(128) != 128 || getrlimit(RLIMIT_NOFILE, &now) < 0)
		_exit(2);
	/* Beyond the hard limit: root passes it, others get all there is. */
	uint32_t got = sys_nofile_raise(512);
	_exit(now.rlim_max == 256 && got == (may_pass ? 512 : 256) ? 0 : 3);
}

static void raises_descriptors(void **state)
{
	(void)state;
	assert_int_equal(run(child_raises), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raises_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
