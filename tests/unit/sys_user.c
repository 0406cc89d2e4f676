/* Another user, with the capabilities, the promise and the secrecy of before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_child.h"
#include "sys/caps.h"
#include "sys/user.h"

static bool has(cap_flag_t set, cap_value_t c)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	cap_get_flag(caps, c, set, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static void child_becomes_nobody(void)
{
	struct sys_user u;
	bool had = has(CAP_PERMITTED, CAP_NET_RAW);
	int sig = 0;

	if (geteuid() != 0 || !has(CAP_EFFECTIVE, CAP_SETUID) || sys_user_find("nobody", &u) != 0)
		_exit(77);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sys_user_become(&u) != 0 || sys_user_become(&u) != 0)
		_exit(1);
	prctl(PR_GET_PDEATHSIG, &sig);
	if (sig != SIGKILL || prctl(PR_GET_DUMPABLE) != 0)
		_exit(2);
	if (geteuid() != u.uid || getuid() != u.uid || getegid() != u.gid || strcmp(getenv("USER"), "nobody") != 0)
		_exit(3);
	if (has(CAP_PERMITTED, CAP_NET_RAW) != had || has(CAP_EFFECTIVE, CAP_NET_RAW) != had)
		_exit(4);
	if (sys_caps_drop_but_marks() != 0 || has(CAP_PERMITTED, CAP_SETUID) || setuid(0) == 0)
		_exit(5);
	_exit(has(CAP_EFFECTIVE, CAP_NET_RAW) == had ? 0 : 6);
}

static void nobody_keeps_what_is_needed(void **state)
{
	(void)state;
	passes(child_becomes_nobody);
}

static void child_may_not(void)
{
	struct sys_user u;

	if (sys_user_find("nobody", &u) != 0 || sys_caps_drop_all() != 0 || geteuid() == u.uid)
		_exit(77);
	_exit(sys_user_become(&u) == -EPERM ? 0 : 1);
}

static void without_rights_it_is_refused(void **state)
{
	(void)state;
	passes(child_may_not);
}

static void users_are_found_by_name_and_number(void **state)
{
	struct sys_user u;

	(void)state;
	assert_int_equal(sys_user_find("root", &u), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(sys_user_find("0", &u), 0);
	assert_string_equal(u.name, "root");
	for (const char *const *odd = (const char *[]){ "", "no such user", "4294967295", "99999999999999999999", "0x0", "1 ", "-1", NULL }; *odd; odd++)
		assert_int_equal(sys_user_find(*odd, &u), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_keeps_what_is_needed),
		cmocka_unit_test(without_rights_it_is_refused),
		cmocka_unit_test(users_are_found_by_name_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
