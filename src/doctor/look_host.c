/*
 * What is read off the machine: rights, limits, name servers, the clock,
 * forwarding. A look says what it means for gatun, not what a number is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "crypto/method.h"
#include "doctor/trials.h"
#include "gate/gate.h"
#include "sys/kernel_file.h"

#define NOFILE_LEAST 256
#define NOFILE_GOOD 4096
#define CLOCK_WINDOW_S 30 /* SIP022: timestamps may differ by so much */
#define CLOCK_OLDEST 1735689600 /* 2025-01-01: this program is younger */

void doctor_look_rights(const struct doctor_patient *p, struct doctor_report *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), mark = GATE_MARK;
	bool marks = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0;

	if (fd >= 0)
		close(fd);
	if (p->root && marks)
		doctor_say(r, DOCTOR_OK, 0, NULL, "rights to change routes and to mark sockets");
	else
		doctor_say(r, DOCTOR_BAD, DOCTOR_OF_UP, "sudo gatun doctor",
			   "%s: `up` needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN at its start",
			   p->root ? "sockets may not be marked here" : "you may not change this machine's network");
}

void doctor_look_descriptors(const struct doctor_patient *p, struct doctor_report *r)
{
	struct rlimit limit;

	(void)p;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max >= NOFILE_GOOD)
		doctor_say(r, DOCTOR_OK, 0, NULL, "descriptors: %llu at most", (unsigned long long)limit.rlim_max);
	else
		doctor_say(r, limit.rlim_max < NOFILE_LEAST ? DOCTOR_BAD : DOCTOR_NOTE, DOCTOR_OF_UP | DOCTOR_OF_RUN, "ulimit -Hn 65535",
			   "no more than %llu descriptors: each flow takes one, so about %llu flows at once",
			   (unsigned long long)limit.rlim_max, (unsigned long long)(limit.rlim_max * 3 / 4));
}

bool doctor_clock_is_unset(void)
{
	return clock_unix() < CLOCK_OLDEST;
}

/* Is there a server that looks at the clock? */
static bool wants_time(const struct doctor_patient *p)
{
	for (int i = 0; p->with_servers && i < p->config->n_servers; i++)
		if (p->config->servers[i].method->sip022)
			return true;
	return false;
}

void doctor_look_clock(const struct doctor_patient *p, struct doctor_report *r)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (doctor_clock_is_unset())
		doctor_say(r, DOCTOR_BAD, wants_time(p) ? DOCTOR_OF_UP | DOCTOR_OF_RUN : 0, "timedatectl set-ntp true",
			   "the clock of this machine was never set: it shows a time before gatun was written, and servers with a 2022 method say nothing to it");
	if (state < 0)
		return;
	if (state == TIME_ERROR || t.status & STA_UNSYNC)
		doctor_say(r, DOCTOR_NOTE, 0, "timedatectl set-ntp true",
			   "nothing keeps the clock right: a server with a 2022 method refuses one that is more than %d s off", CLOCK_WINDOW_S);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "the clock is kept right (to %.1f s)", (double)t.esterror / 1e6);
}

void doctor_look_names(const struct doctor_patient *p, struct doctor_report *r)
{
	char text[4096];

	(void)p;
	kernel_file_read("/etc/resolv.conf", text, sizeof(text));
	if (!strstr(text, "nameserver"))
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "/etc/resolv.conf names no server: programs ask 127.0.0.1, which is never taken");
	else if (strstr(text, "nameserver 127.0.0.53"))
		doctor_say(r, DOCTOR_NOTE, 0, "resolvectl dns gatun0 192.0.0.1 && resolvectl domain gatun0 '~.'",
			   "names are asked of systemd-resolved: its own queries are taken on their way out, unless it asks by TLS; "
			   "should names fail once gatun is up, give its link a server");
	else if (strstr(text, "nameserver 127.") || strstr(text, "nameserver ::1"))
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "names are asked of a resolver on this machine: its own queries are taken on their way out, unless it asks by TLS or HTTPS");
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "names are asked by port 53, which is taken");
}

static bool is_one(const char *path)
{
	char text[16];

	kernel_file_read(path, text, sizeof(text));
	return text[0] == '1';
}

void doctor_look_forwarding(const struct doctor_patient *p, struct doctor_report *r)
{
	const struct config_up *up = &p->config->up;

	for (const char *const *lan = up->lans; lan && *lan; lan++) {
		if (if_nametoindex(*lan) == 0)
			doctor_say(r, DOCTOR_BAD, DOCTOR_OF_UP, "ip -br link", "there is no interface %s, which is to be served", *lan);
	}
	if (up->lans && !is_one("/proc/sys/net/ipv4/ip_forward"))
		doctor_say(r, DOCTOR_OK, 0, NULL, "forwarding is off; `up` turns it on for its time");
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "this kernel has no IPv6: IPv4 alone is carried");
	else if (is_one("/proc/sys/net/ipv6/conf/all/disable_ipv6"))
		doctor_say(r, DOCTOR_NOTE, 0, "sysctl -w net.ipv6.conf.all.disable_ipv6=0", "IPv6 is turned off here: programs have IPv4 alone");
}
