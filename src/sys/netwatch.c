/*
 * rtnetlink's multicast groups on the loop.
 *
 *	message ── a bit of `what`, and the quiet timer starts anew
 *	quiet for 100 ms, or 1 s after the first ── changed()
 *
 * A change of networks is dozens of messages; who follows each of them works for
 * nothing, and sees half of it. The messages are only a sign that it is time to
 * look: none is remembered, so one that was lost (ENOBUFS, where routes change by
 * the thousand) costs nothing but the knowledge of what kind it was.
 *
 * Addresses that are gone are found by comparing all there are with all there were,
 * at most once per change, and only when a message spoke of one.
 *
 * A machine that was suspended has slept through all of it: a timer on the wall clock
 * that is cancelled when that clock is set (timerfd_create(2)) is how the kernel
 * tells; whether it was sleep or somebody who set the time is told by the two clocks
 * of which one stands still meanwhile.
 *
 * It does not know which addresses, routes and links matter to whom.
 */
#include "sys/netwatch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"

#define GROUPS                                                                                                      \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE)
#define RECEIVE_SIZE 32768
#define RECEIVE_TURNS 64 /* datagrams per turn of the loop */
#define SLEPT_MS 1000	 /* less than that is no suspend */

struct netwatch {
	int fd, wall_fd;
	struct loop_watch watch, wall;
	struct loop_timer quiet;
	netwatch_changed *changed;
	void *owner;
	unsigned what;
	uint64_t first_ms; /* of the changes in `what` */
	uint64_t asleep_ms; /* how long the machine has been, in all */
	struct addr *own;   /* sorted */
	size_t n_own;
};

/* ---- messages ---- */

/* The payload of a header that has `size` bytes of its own family's at least. */
static const void *body(const struct nlmsghdr *h, size_t size)
{
	return h->nlmsg_len >= NLMSG_LENGTH(size) ? NLMSG_DATA(h) : NULL;
}

static bool has_attribute(const struct nlmsghdr *h, size_t size, uint16_t type)
{
	const struct rtattr *a = (const struct rtattr *)(const void *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(size));
	size_t head = NLMSG_LENGTH(NLMSG_ALIGN(size)), left = h->nlmsg_len > head ? h->nlmsg_len - head : 0;

	while (left >= sizeof(*a) && a->rta_len >= sizeof(*a) && a->rta_len <= left) {
		size_t step = RTA_ALIGN(a->rta_len);

		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return true;
		if (step >= left)
			break;
		left -= step;
		a = (const struct rtattr *)(const void *)((const char *)a + step);
	}
	return false;
}

static unsigned read_link(const struct nlmsghdr *h)
{
	if (!body(h, sizeof(struct ifinfomsg)))
		return NETWATCH_ALL;
	/* The message has no field for what is new in it. */
	return NETWATCH_LINK | (has_attribute(h, sizeof(struct ifinfomsg), IFLA_MTU) ? NETWATCH_MTU : 0u);
}

static unsigned read_route(const struct nlmsghdr *h)
{
	const struct rtmsg *m = body(h, sizeof(*m));

	if (!m)
		return NETWATCH_ALL;
	if (m->rtm_flags & RTM_F_CLONED)
		return 0; /* a path that was learnt, of one destination */
	return m->rtm_dst_len == 0 ? NETWATCH_DEFAULT : NETWATCH_ROUTE;
}

static unsigned read_message(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return read_link(h);
	case RTM_NEWADDR:
		return body(h, sizeof(struct ifaddrmsg)) ? NETWATCH_ADDR : NETWATCH_ALL;
	case RTM_DELADDR:
		return body(h, sizeof(struct ifaddrmsg)) ? NETWATCH_ADDR_GONE : NETWATCH_ALL;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return read_route(h);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return NETWATCH_RULE;
	case NLMSG_OVERRUN:
	case NLMSG_ERROR:
		return NETWATCH_ALL;
	default:
		return 0;
	}
}

unsigned netwatch_read(const void *messages, size_t len)
{
	const char *at = messages;
	unsigned what = 0;

	while (len) {
		struct nlmsghdr h;
		size_t step;

		if (len < sizeof(h))
			return NETWATCH_ALL;
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return NETWATCH_ALL;
		what |= read_message((const struct nlmsghdr *)(const void *)at);
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= len)
			break;
		at += step;
		len -= step;
	}
	return what;
}

/* ---- the machine's addresses ---- */

static int compare(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->ip.bytes, y->ip.bytes, addr_ip_len(x));
}

static bool find(const struct addr *own, size_t n, const struct addr *a)
{
	return n && bsearch(a, own, n, sizeof(*own), compare);
}

/* All of them, sorted; the caller frees. False: they cannot be read now. */
static bool read_own(struct addr **own, size_t *n)
{
	struct ifaddrs *all;
	size_t count = 0;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		count++;
	*n = 0;
	*own = calloc(count ? count : 1, sizeof(**own));
	for (struct ifaddrs *i = all; *own && i; i = i->ifa_next) {
		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		(*own)[*n] = addr_from_sockaddr(i->ifa_addr);
		(*own)[(*n)++].port = 0;
	}
	freeifaddrs(all);
	if (*own)
		qsort(*own, *n, sizeof(**own), compare);
	return *own != NULL;
}

bool netwatch_is_ours(const struct netwatch *w, const struct addr *a)
{
	return find(w->own, w->n_own, a);
}

/* Reads them anew; *gone, which the caller frees, holds those that are no more. False: they cannot be read now. */
static bool compare_own(struct netwatch *w, struct addr **gone, size_t *n_gone)
{
	struct addr *own;
	size_t n;

	if (!read_own(&own, &n))
		return false;
	*gone = calloc(w->n_own ? w->n_own : 1, sizeof(**gone));
	for (size_t i = 0; *gone && i < w->n_own; i++)
		if (!find(own, n, &w->own[i]) && (!*n_gone || compare(&(*gone)[*n_gone - 1], &w->own[i]) != 0))
			(*gone)[(*n_gone)++] = w->own[i];
	free(w->own);
	w->own = own;
	w->n_own = n;
	return true;
}

/* ---- when ---- */

static void tell(struct loop_timer *t);

static void note(struct netwatch *w, unsigned what)
{
	uint64_t age;

	if (!what)
		return;
	if (!w->what)
		w->first_ms = loop_now();
	w->what |= what;
	age = loop_now() - w->first_ms;
	if (age + NETWATCH_QUIET_MS > NETWATCH_LATE_MS)
		loop_timer_start(&w->quiet, age < NETWATCH_LATE_MS ? NETWATCH_LATE_MS - age : 0, tell);
	else
		loop_timer_start(&w->quiet, NETWATCH_QUIET_MS, tell);
}

static void tell(struct loop_timer *t)
{
	struct netwatch *w = container_of(t, struct netwatch, quiet);
	struct netwatch_change c = { .what = w->what };
	struct addr *gone = NULL;

	w->what = 0;
	if (c.what & (NETWATCH_ADDR | NETWATCH_ADDR_GONE | NETWATCH_LINK | NETWATCH_WAKE) && !compare_own(w, &gone, &c.n_gone))
		note(w, NETWATCH_ADDR); /* no descriptor, say: looked at again in a moment */
	c.gone = gone;
	w->changed(w->owner, &c);
	free(gone);
}

/* One datagram; false: nothing more now. */
static bool receive(struct netwatch *w, unsigned *what)
{
	_Alignas(struct nlmsghdr) char buf[RECEIVE_SIZE];
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(w->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (n < 0 && errno == ENOBUFS)
		*what |= NETWATCH_ALL;
	if (n < 0)
		return errno == ENOBUFS || errno == EINTR;
	if (from.nl_pid != 0)
		return true; /* not the kernel */
	*what |= (size_t)n > sizeof(buf) ? NETWATCH_ALL : netwatch_read(buf, (size_t)n);
	return true;
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct netwatch *w = container_of(watch, struct netwatch, watch);
	unsigned what = 0;

	(void)events;
	for (int i = 0; i < RECEIVE_TURNS && receive(w, &what); i++)
		;
	note(w, what);
}

/* ---- sleep ---- */

/* BOOTTIME goes on while the machine is suspended, MONOTONIC does not. */
static uint64_t asleep_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return clock_ms() - ((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

/* What it is armed for is the clock that is set; once a year it fires as well. */
static int arm_wall(int fd)
{
	struct itimerspec in_a_year = { .it_value.tv_sec = (time_t)clock_unix() + 365 * 86400 };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &in_a_year, NULL);
}

static void on_wall(struct loop_watch *watch, unsigned events)
{
	struct netwatch *w = container_of(watch, struct netwatch, wall);
	uint64_t fired, asleep = asleep_ms();

	(void)events;
	if (read(w->wall_fd, &fired, sizeof(fired)) < 0 && errno == EAGAIN)
		return;
	if (asleep >= w->asleep_ms + SLEPT_MS)
		note(w, NETWATCH_WAKE);
	w->asleep_ms = asleep;
	if (arm_wall(w->wall_fd) < 0)
		loop_watch_stop(watch);
}

/* Without it a sleep is not told, and all the rest is. */
static void watch_wall(struct netwatch *w)
{
	w->asleep_ms = asleep_ms();
	w->wall_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->wall_fd >= 0 && arm_wall(w->wall_fd) == 0)
		loop_watch_start(&w->wall, w->wall_fd, LOOP_READ, on_wall);
}

/* ---- life ---- */

static int join(struct netwatch *w)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_groups = GROUPS };
	int group = RTNLGRP_IPV6_RULE; /* beyond what the mask of old holds */

	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&self, sizeof(self)) < 0)
		return -errno;
	setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	return loop_watch_start(&w->watch, w->fd, LOOP_READ, on_ready);
}

struct netwatch *netwatch_open(netwatch_changed *changed, void *owner, int *err)
{
	struct netwatch *w = calloc(1, sizeof(*w));

	*err = -ENOMEM;
	if (!w)
		return NULL;
	w->fd = w->wall_fd = -1;
	w->changed = changed;
	w->owner = owner;
	*err = join(w);
	if (!*err && !read_own(&w->own, &w->n_own))
		*err = -errno;
	if (*err) {
		netwatch_close(w);
		return NULL;
	}
	watch_wall(w);
	return w;
}

void netwatch_close(struct netwatch *w)
{
	if (!w)
		return;
	loop_timer_stop(&w->quiet);
	loop_watch_stop(&w->watch);
	loop_watch_stop(&w->wall);
	if (w->fd >= 0)
		close(w->fd);
	if (w->wall_fd >= 0)
		close(w->wall_fd);
	free(w->own);
	free(w);
}
