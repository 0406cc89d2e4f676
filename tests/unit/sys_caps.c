/* Dropped capabilities stay dropped, for the engine and through an exec of the command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sys/caps.h"
#include "in_child.h"

static bool any_cap(cap_flag_t set)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;
	bool any = false;

	for (cap_value_t c = 0; c <= CAP_LAST_CAP && !any; c++)
		any = cap_get_flag(caps, c, set, &value) == 0 && value == CAP_SET;
	cap_free(caps);
	return any;
}

static void child_drops_all(void)
{
	if (sys_caps_drop_all() || sys_caps_drop_all())
		_exit(1);
	if (any_cap(CAP_EFFECTIVE) || any_cap(CAP_PERMITTED) || any_cap(CAP_INHERITABLE))
		_exit(2);
	_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3);
}

static void engine_keeps_no_capability(void **state)
{
	(void)state;
	assert_int_equal(run(child_drops_all), 0);
}

/* uid 0 of a user namespace: has every capability, and exec would give them back. */
static void child_drops_for_command(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (sys_caps_drop_for_command())
		_exit(1);
	if (any_cap(CAP_EFFECTIVE) || any_cap(CAP_PERMITTED) || any_cap(CAP_INHERITABLE))
		_exit(2);
	if (prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) != 1)
		_exit(3);
	execl("/bin/sh", "sh", "-c", "! grep -E 'Cap(Eff|Prm|Inh|Amb):.*[1-9a-f]' /proc/self/status >/dev/null", NULL);
	_exit(4);
}

/* As a helper is started: one capability through an exec, and nothing else. */
static void child_starts_helper(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (sys_caps_drop_with_helpers(true, true) || sys_caps_drop_with_helpers(false, true))
		_exit(1);
	if (prctl(PR_CAPBSET_READ, CAP_NET_RAW, 0, 0, 0) != 1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(2);
	/* 0x400: CAP_NET_BIND_SERVICE */
	execl("/bin/sh", "sh", "-c", "[ \"$(grep -cE '^Cap(Eff|Prm|Inh|Amb):.0000000000000400$' /proc/self/status)\" = 4 ]", NULL);
	_exit(3);
}

static void helper_keeps_low_ports(void **state)
{
	(void)state;
	passes(child_starts_helper);
}

static void child_starts_plain_helper(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	if (sys_caps_drop_with_helpers(false, false))
		_exit(1);
	execl("/bin/sh", "sh", "-c", "! grep -E 'Cap(Eff|Prm|Inh|Amb):.*[1-9a-f]' /proc/self/status >/dev/null", NULL);
	_exit(4);
}

static void helper_keeps_no_capability(void **state)
{
	(void)state;
	passes(child_starts_plain_helper);
}

static void command_keeps_no_capability(void **state)
{
	(void)state;
	passes(child_drops_for_command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_keeps_no_capability),
		cmocka_unit_test(command_keeps_no_capability),
		cmocka_unit_test(helper_keeps_low_ports),
		cmocka_unit_test(helper_keeps_no_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
