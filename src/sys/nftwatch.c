/*
 * nf_tables' multicast group on the loop. The messages are only a sign that it is time
 * to look: of each no more than its type is read, and one that was lost (ENOBUFS,
 * where somebody changes sets by the thousand) counts as a removal.
 */
#include "sys/nftwatch.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"

#define RECEIVE_SIZE 32768
#define RECEIVE_TURNS 64 /* datagrams per turn of the loop */
#define TABLE_REMOVED (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE)

struct nftwatch {
	int fd;
	struct loop_watch watch;
	struct loop_timer quiet;
	nftwatch_removed *removed;
	void *owner;
};

bool nftwatch_says_removed(const void *messages, size_t len)
{
	const char *at = messages;

	while (len) {
		struct nlmsghdr h;
		size_t step;

		if (len < sizeof(h))
			return true;
		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len || h.nlmsg_type == NLMSG_OVERRUN || h.nlmsg_type == TABLE_REMOVED)
			return true;
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= len)
			break;
		at += step;
		len -= step;
	}
	return false;
}

static void tell(struct loop_timer *t)
{
	struct nftwatch *w = container_of(t, struct nftwatch, quiet);

	w->removed(w->owner);
}

/* One datagram; false: nothing more now. */
static bool receive(struct nftwatch *w, bool *removed)
{
	_Alignas(struct nlmsghdr) char buf[RECEIVE_SIZE];
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(w->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (n < 0 && errno == ENOBUFS)
		*removed = true;
	if (n < 0)
		return errno == ENOBUFS || errno == EINTR;
	if (from.nl_pid == 0) /* the kernel */
		*removed |= (size_t)n > sizeof(buf) || nftwatch_says_removed(buf, (size_t)n);
	return true;
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct nftwatch *w = container_of(watch, struct nftwatch, watch);
	bool removed = false;

	(void)events;
	for (int i = 0; i < RECEIVE_TURNS && receive(w, &removed); i++)
		;
	/* The first sets the time: whoever goes on removing does not put it off. */
	if (removed && !loop_timer_armed(&w->quiet))
		loop_timer_start(&w->quiet, NFTWATCH_QUIET_MS, tell);
}

static int join(struct nftwatch *w)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES;

	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&self, sizeof(self)) < 0 ||
	    setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return loop_watch_start(&w->watch, w->fd, LOOP_READ, on_ready);
}

struct nftwatch *nftwatch_open(nftwatch_removed *removed, void *owner, int *err)
{
	struct nftwatch *w = calloc(1, sizeof(*w));

	*err = -ENOMEM;
	if (!w)
		return NULL;
	w->fd = -1;
	w->removed = removed;
	w->owner = owner;
	*err = join(w);
	if (!*err)
		return w;
	nftwatch_close(w);
	return NULL;
}

void nftwatch_close(struct nftwatch *w)
{
	if (!w)
		return;
	loop_timer_stop(&w->quiet);
	loop_watch_stop(&w->watch);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
