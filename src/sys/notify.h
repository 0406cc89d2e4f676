/*
 * What systemd wants to know of a service (sd_notify(3), Type=notify), said by
 * plain datagrams to $NOTIFY_SOCKET. Without that variable nobody wants to know.
 */
#ifndef GATUN_SYS_NOTIFY_H
#define GATUN_SYS_NOTIFY_H

#include <stdint.h>

/* Takes $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and takes them out of the
 * environment: what we start is not the service. */
void sys_notify_begin(void);
/* "READY=1\nSTATUS=...": lines of KEY=VALUE. Never blocks; what cannot be said is not said. */
void sys_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How often "WATCHDOG=1" is wanted: half of what systemd gives us. 0: never. */
uint64_t sys_notify_watchdog_ms(void);

#endif
