/* The words of sd_notify(3), without its library; see notify.h. */
#include "sys/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un at;
static socklen_t at_len; /* 0: nobody listens */
static uint64_t watchdog_ms;

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* A path, or with @ an abstract name, which has no NUL at its end. */
static void take_address(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	at_len = 0;
	if (len < 2 || len >= sizeof(at.sun_path) || (name[0] != '/' && name[0] != '@'))
		return;
	at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = 0;
	at_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
}

void sys_notify_begin(void)
{
	uint64_t pid = number_of("WATCHDOG_PID");

	take_address(getenv("NOTIFY_SOCKET"));
	watchdog_ms = 0;
	if (at_len && (!pid || pid == (uint64_t)getpid()))
		watchdog_ms = number_of("WATCHDOG_USEC") / 2000;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void sys_notify(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int fd, n;

	if (!at_len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (n > 0 && (size_t)n < sizeof(text))
		sendto(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&at, at_len);
	close(fd);
}

uint64_t sys_notify_watchdog_ms(void)
{
	return watchdog_ms;
}
