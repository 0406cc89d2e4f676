/* What systemd hears, and who else does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/notify.h"

static int manager = -1;
static char name[64];

static int set_up(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(name, sizeof(name), "@gatun-notify-%d", (int)getpid());
	memcpy(a.sun_path + 1, name + 1, strlen(name) - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return bind(manager, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
}

static int tear_down(void **state)
{
	(void)state;
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	sys_notify_begin();
	return 0;
}

static void heard(const char *expected)
{
	char text[1024];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	if (!expected) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	text[n] = 0;
	assert_string_equal(text, expected);
}

static void words_arrive(void **state)
{
	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	sys_notify_begin();
	sys_notify("READY=1\nSTATUS=%d workers", 2);
	heard("READY=1\nSTATUS=2 workers");
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(sys_notify_watchdog_ms(), 0);
}

static void watchdog_is_ours_or_nobodys(void **state)
{
	char pid[16];

	(void)state;
	for (int ours = 0; ours < 2; ours++) {
		setenv("NOTIFY_SOCKET", name, 1);
		setenv("WATCHDOG_USEC", "3000000", 1);
		snprintf(pid, sizeof(pid), "%d", (int)getpid() + !ours);
		setenv("WATCHDOG_PID", pid, 1);
		sys_notify_begin();
		assert_int_equal(sys_notify_watchdog_ms(), ours ? 1500 : 0);
		assert_null(getenv("WATCHDOG_USEC"));
		assert_null(getenv("WATCHDOG_PID"));
	}
}

static void odd_addresses_are_nobody(void **state)
{
	char longer[300];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '@';
	longer[sizeof(longer) - 1] = 0;
	for (const char *const *odd = (const char *[]){ "", "@", "/", "relative", "vsock:2:1", longer, NULL }; *odd; odd++) {
		setenv("NOTIFY_SOCKET", *odd, 1);
		sys_notify_begin();
		sys_notify("READY=1");
		heard(NULL);
	}
}

/* Half a word would be another word. */
static void too_long_is_not_said(void **state)
{
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	setenv("NOTIFY_SOCKET", name, 1);
	sys_notify_begin();
	sys_notify("STATUS=%s", text);
	heard(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words_arrive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watchdog_is_ours_or_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_addresses_are_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_long_is_not_said, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
